//! The answer to a supervisor's question: is everything that was done since the shift began in
//! Odoo, and if not, what must a person do? Pure.
//!
//! **In**: a status with its window. **Out**: a sentence, how urgent it is, and what each person
//! has to do. The mood is good only if nobody has to do anything.

#[cfg(test)]
mod tests;
mod todo;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::headline::{Mood, headline};
use super::snapshot::{Begin, Status, Window, WindowEvents};
use super::table::{plain, seconds_since};
use super::words::Words;
use crate::board::Link;
use crate::pause::Pause;
use crate::reason::RejectionCode;

pub use todo::{Cause, Todo, Who, cause_of_reading, of_other_parked, of_reason};

/// The state of the work since a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkState {
    pub mood: Mood,
    pub sentence: String,
    /// What there is to do; the most urgent comes first. Empty: nothing.
    pub todo: Vec<Todo>,
}

/// Describes what was done since the window began, how much of it is in Odoo, and what there is to
/// do. Without a window, the sentence is the headline of the gateway.
#[must_use]
pub fn answer(status: &Status, now: Timestamp, words: Words) -> WorkState {
    let todo = todo::list(status, words);
    let is_bad = status.journal.full || status.odoo.link == Link::Held;
    let mood = if is_bad {
        Mood::Bad
    } else if todo.is_empty() && status.odoo.link == Link::Up && status.pause.is_none() {
        Mood::Good
    } else {
        Mood::Watch
    };
    let Some(window) = &status.window else {
        return WorkState {
            mood,
            sentence: headline(status, now).1,
            todo,
        };
    };
    let work = describe_work(status, window, now, words);
    let sentence = match describe_obstacle(status, now, words) {
        Some(obstacle) => format!("{obstacle}. {work}"),
        None => work,
    };
    WorkState {
        mood,
        sentence,
        todo,
    }
}

/// Describes what keeps movements from Odoo. `None`: nothing does.
fn describe_obstacle(status: &Status, now: Timestamp, words: Words) -> Option<String> {
    let text = if status.journal.disk_full {
        "The disk is full, and the gateway stores no scan"
    } else if status.journal.full {
        "The journal is full, and the gateway stores no scan"
    } else if let Some(pause) = &status.pause {
        return Some(describe_pause(pause, status, now, words));
    } else {
        match (&status.odoo.link, status.odoo.since) {
            (Link::Up, _) => return None,
            (Link::Starting, _) => "The gateway is connecting to Odoo",
            (Link::Held, _) => "Nothing is sent to Odoo until a person fixes the link",
            (Link::Down, Some(since)) if seconds_since(since, now) > 0 => {
                let span = words.span(seconds_since(since, now));
                let text = "The link to Odoo is down for {span}";
                return Some(words.fill(text, &[("span", &span)]));
            }
            (Link::Down, _) => "The link to Odoo is down",
        }
    };
    Some(words.t(text).to_owned())
}

/// Describes who has paused the sending, and until when.
pub(super) fn describe_pause(
    pause: &Pause,
    status: &Status,
    now: Timestamp,
    words: Words,
) -> String {
    let name = plain(pause.name());
    let Some(until) = pause.until else {
        return words.fill("{name} has paused the sending to Odoo", &[("name", &name)]);
    };
    let (zone, zone_name) = match &status.window {
        Some(window) => window.time_zone(),
        None => (TimeZone::UTC, " UTC"),
    };
    let until = until.to_zoned(zone.clone());
    let format = if until.date() == now.to_zoned(zone).date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let time = format!("{}{zone_name}", until.strftime(format));
    let text = "{name} has paused the sending to Odoo until {time}";
    words.fill(text, &[("name", &name), ("time", &time)])
}

/// Describes the work of the window in one sentence.
fn describe_work(status: &Status, window: &Window, now: Timestamp, words: Words) -> String {
    let lead = describe_begin(window, now, words);
    let scans = window.events.stored + status.events.waiting_scans + window.rejected.scans();
    let parts = [
        (scans == 0).then(|| words.t("nothing was scanned").to_owned()),
        describe_movements(&window.events, words),
        describe_open(status, &window.events, words),
        describe_edits(window, words),
        describe_rejected(window, words),
        describe_scans(&window.events, words),
        describe_repeats(&window.events, words),
        describe_older(status, window, words),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{lead}, {}", parts.join("; "))
}

/// Describes when the window began: `Since the shift began at 06:00`.
fn describe_begin(window: &Window, now: Timestamp, words: Words) -> String {
    let (zone, name) = window.time_zone();
    let since = window.since.to_zoned(zone.clone());
    let format = if since.date() == now.to_zoned(zone).date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let time = format!("{}{name}", since.strftime(format));
    let text = match window.begin {
        _ if !window.is_complete() => "Since {time}, when the counts begin",
        Begin::Shift => "Since the shift began at {time}",
        Begin::Day => "Since the day began at {time}",
        Begin::Time => "Since {time}",
    };
    words.fill(text, &[("time", &time)])
}

/// Describes the events of sealed documents: first how many are not in Odoo, then their states.
fn describe_movements(events: &WindowEvents, words: Words) -> Option<String> {
    let all = events.movements();
    if all == 0 {
        let has_scans = events.stored > events.open;
        return has_scans.then(|| words.t("no scan became a movement").to_owned());
    }
    let states = [
        (events.waiting + events.sending, "on the way"),
        (events.parked, "parked"),
        (events.discarded, "discarded"),
        (events.left_out, "left out by an edit or an undo"),
    ];
    let missing = all.saturating_sub(events.in_odoo());
    let states: Vec<String> = (states.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, state)| match all {
            1 => words.t(state).to_owned(),
            _ => format!("{} {}", words.number(number), words.t(state)),
        })
        .collect();
    let text = match (missing, all) {
        (0, 1) => "the only movement is in Odoo",
        (0, _) => "all {all} movements are in Odoo",
        (_, 1) => "the only movement is not in Odoo: {states}",
        (missing, all) if missing == all => "none of {all} movements is in Odoo: {states}",
        (1, _) => "1 of {all} movements is not in Odoo: {states}",
        _ => "{n} of {all} movements are not in Odoo: {states}",
    };
    let (n, all) = (words.number(missing), words.number(all));
    let states = states.join(", ");
    let values = [("n", n.as_str()), ("all", &all), ("states", &states)];
    Some(words.fill(text, &values))
}

/// Describes the events that are in no document yet.
fn describe_open(status: &Status, events: &WindowEvents, words: Words) -> Option<String> {
    let unused = status.events.open_unused.min(events.open);
    let open = events.open - unused + status.events.waiting_scans;
    let (one, several) = if events.movements() == 0 {
        (
            "{n} event is being collected",
            "{n} events are being collected",
        )
    } else {
        (
            "{n} more event is being collected",
            "{n} more events are being collected",
        )
    };
    (open > 0).then(|| words.count(open, one, several))
}

fn describe_edits(window: &Window, words: Words) -> Option<String> {
    let edited = window.documents.edited;
    (edited > 0).then(|| {
        words.count(
            edited,
            "{n} document was edited",
            "{n} documents were edited",
        )
    })
}

/// Describes the rejected readings, and names a wrong site and an unknown type.
fn describe_rejected(window: &Window, words: Words) -> Option<String> {
    let rejected = &window.rejected;
    let readings = rejected.scans();
    if readings == 0 {
        return None;
    }
    let of_code = |code: RejectionCode| {
        let found = rejected.by_code.get(code.as_str());
        found.map_or(0, |found| found.readings)
    };
    let named = [
        (
            of_code(RejectionCode::NotYourTopic),
            "under the name of another site or device",
        ),
        (of_code(RejectionCode::UnknownType), "with an unknown type"),
    ];
    let mut causes: Vec<String> = (named.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, cause)| format!("{} {}", words.number(number), words.t(cause)))
        .collect();
    match rejected.open {
        0 => causes.push(words.t("all settled").to_owned()),
        open if open == readings => {}
        open => causes.push(words.fill("{n} still open", &[("n", &words.number(open))])),
    }
    let causes = match causes.as_slice() {
        [] => String::new(),
        causes => format!(" ({})", causes.join(", ")),
    };
    let what = words.count(
        readings,
        "{n} reading was rejected",
        "{n} readings were rejected",
    );
    Some(format!("{what}{causes}"))
}

/// Describes the scans that did not become a movement.
fn describe_scans(events: &WindowEvents, words: Words) -> Option<String> {
    let kinds = [
        (events.unused_scans, "of devices without a flow"),
        (events.wrong_scans, "in a wrong order for their flow"),
    ];
    let all: u64 = kinds.iter().map(|(number, _)| number).sum();
    let kinds: Vec<String> = (kinds.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, kind)| format!("{} {}", words.number(number), words.t(kind)))
        .collect();
    let scans = words.count(all, "{n} scan moved no stock", "{n} scans moved no stock");
    (all > 0).then(|| format!("{scans} ({})", kinds.join(", ")))
}

fn describe_repeats(events: &WindowEvents, words: Words) -> Option<String> {
    let repeats = events.possible_repeats;
    (repeats > 0).then(|| {
        words.count(
            repeats,
            "{n} event may be there twice",
            "{n} events may be there twice",
        )
    })
}

/// Describes what needs a person and is older than the window.
fn describe_older(status: &Status, window: &Window, words: Words) -> Option<String> {
    let documents = (status.documents.parked).saturating_sub(window.documents.parked);
    let readings = (status.events.rejected_open).saturating_sub(window.rejected.open);
    let scans = (status.events.unused_scans).saturating_sub(window.events.unused_scans);
    let things = [
        (documents, "{n} parked document", "{n} parked documents"),
        (readings, "{n} rejected reading", "{n} rejected readings"),
        (scans, "{n} unused scan", "{n} unused scans"),
    ];
    let things: Vec<String> = (things.into_iter())
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, several)| words.count(number, one, several))
        .collect();
    let things = things.join(", ");
    (!things.is_empty())
        .then(|| words.fill("still open from before: {things}", &[("things", &things)]))
}
