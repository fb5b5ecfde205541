//! The answer to a supervisor's question: is everything that was done since the shift began in
//! Odoo, and if not, what must a person do? Pure.
//!
//! **In**: a status with its window. **Out**: a sentence, how urgent it is, and what each person
//! has to do. The mood is good only if nobody has to do anything.

#[cfg(test)]
mod tests;
mod todo;

use jiff::Timestamp;

use super::headline::{Mood, headline};
use super::snapshot::{Begin, Status, Window, WindowEvents};
use super::table::{counted, grouped, seconds_since, span};
use crate::board::Link;
use crate::reason::RejectionCode;

pub use todo::{Todo, Who};

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
pub fn answer(status: &Status, now: Timestamp) -> WorkState {
    let todo = todo::list(status);
    let is_bad = status.journal.full || status.odoo.link == Link::Held;
    let mood = if is_bad {
        Mood::Bad
    } else if todo.is_empty() && status.odoo.link == Link::Up {
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
    let work = describe_work(status, window, now);
    let sentence = match describe_obstacle(status, now) {
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
fn describe_obstacle(status: &Status, now: Timestamp) -> Option<String> {
    if status.journal.disk_full {
        return Some("The disk is full, and the gateway stores no scan".to_owned());
    }
    if status.journal.full {
        return Some("The journal is full, and the gateway stores no scan".to_owned());
    }
    match status.odoo.link {
        Link::Up => None,
        Link::Starting => Some("The gateway is connecting to Odoo".to_owned()),
        Link::Held => Some("Nothing is sent to Odoo until a person fixes the link".to_owned()),
        Link::Down => {
            let down = status.odoo.since.map_or(String::new(), |since| {
                format!(" for {}", span(seconds_since(since, now)))
            });
            Some(format!("The link to Odoo is down{down}"))
        }
    }
}

/// Describes the work of the window in one sentence.
fn describe_work(status: &Status, window: &Window, now: Timestamp) -> String {
    let lead = describe_begin(window, now);
    let scans = window.events.stored + status.events.waiting_scans + window.rejected.scans();
    let parts = [
        (scans == 0).then(|| "nothing was scanned".to_owned()),
        describe_movements(&window.events),
        describe_open(status, &window.events),
        describe_edits(window),
        describe_rejected(window),
        describe_scans(&window.events),
        describe_repeats(&window.events),
        describe_older(status, window),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{lead}, {}", parts.join("; "))
}

/// Describes when the window began: `Since the shift began at 06:00`.
fn describe_begin(window: &Window, now: Timestamp) -> String {
    let (zone, name) = window.time_zone();
    let since = window.since.to_zoned(zone.clone());
    let format = if since.date() == now.to_zoned(zone).date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let time = format!("{}{name}", since.strftime(format));
    match window.begin {
        _ if !window.is_complete() => format!("Since {time}, when the counts begin"),
        Begin::Shift => format!("Since the shift began at {time}"),
        Begin::Day => format!("Since the day began at {time}"),
        Begin::Time => format!("Since {time}"),
    }
}

/// Describes the events of sealed documents by their state.
fn describe_movements(events: &WindowEvents) -> Option<String> {
    let all = events.movements();
    if all == 0 {
        let has_scans = events.stored > events.open;
        return has_scans.then(|| "no scan became a movement".to_owned());
    }
    if events.in_odoo() == all {
        return Some(match all {
            1 => "the only movement is in Odoo".to_owned(),
            _ => format!("all {} movements are in Odoo", grouped(all)),
        });
    }
    let fates = [
        (events.in_odoo(), "in Odoo"),
        (events.waiting + events.sending, "on the way"),
        (events.parked, "refused"),
        (events.discarded, "discarded"),
        (events.left_out, "left out by an edit or an undo"),
    ];
    let mut fates = fates.into_iter().filter(|(number, _)| *number > 0);
    if all == 1 {
        let fate = fates.next().map_or("on the way", |(_, fate)| fate);
        return Some(format!("the only movement is {fate}"));
    }
    let fates: Vec<String> = fates
        .map(|(number, fate)| format!("{} {} {fate}", grouped(number), be(number)))
        .collect();
    let fates = match fates.as_slice() {
        [fate] => format!("all {fate}"),
        fates => fates.join(", "),
    };
    Some(format!("{} were done: {fates}", counted(all, "movement")))
}

/// Describes the events that are in no document yet.
fn describe_open(status: &Status, events: &WindowEvents) -> Option<String> {
    let unused = status.events.open_unused.min(events.open);
    let open = events.open - unused + status.events.waiting_scans;
    (open > 0).then(|| format!("{} {} being processed", counted(open, "event"), be(open)))
}

fn describe_edits(window: &Window) -> Option<String> {
    let edited = window.documents.edited;
    (edited > 0).then(|| format!("{} {} edited", counted(edited, "document"), was(edited)))
}

/// Describes the rejected readings, and names a wrong site and an unknown type.
fn describe_rejected(window: &Window) -> Option<String> {
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
        .map(|(number, cause)| format!("{} {cause}", grouped(number)))
        .collect();
    match rejected.open {
        0 => causes.push("all settled".to_owned()),
        open if open == readings => {}
        open => causes.push(format!("{} still open", grouped(open))),
    }
    let causes = match causes.as_slice() {
        [] => String::new(),
        causes => format!(" ({})", causes.join(", ")),
    };
    let what = counted(readings, "reading");
    Some(format!("{what} {} rejected{causes}", was(readings)))
}

/// Describes the scans that did not become a movement.
fn describe_scans(events: &WindowEvents) -> Option<String> {
    let kinds = [
        (events.unused_scans, "of devices without a flow"),
        (events.wrong_scans, "that the flow did not accept"),
    ];
    let kinds: Vec<(u64, &str)> = (kinds.into_iter())
        .filter(|(number, _)| *number > 0)
        .collect();
    match kinds.as_slice() {
        [] => None,
        [(number, kind)] => Some(format!(
            "{} {kind} became no movement",
            counted(*number, "scan")
        )),
        kinds => {
            let all = kinds.iter().map(|(number, _)| number).sum();
            let kinds: Vec<String> = (kinds.iter())
                .map(|(number, kind)| format!("{} {kind}", grouped(*number)))
                .collect();
            let scans = counted(all, "scan");
            Some(format!("{scans} became no movement ({})", kinds.join(", ")))
        }
    }
}

fn describe_repeats(events: &WindowEvents) -> Option<String> {
    let repeats = events.possible_repeats;
    (repeats > 0).then(|| format!("{} may be there twice", counted(repeats, "event")))
}

/// Describes what needs a person and is older than the window.
fn describe_older(status: &Status, window: &Window) -> Option<String> {
    let documents = (status.documents.parked).saturating_sub(window.documents.parked);
    let readings = (status.events.rejected_open).saturating_sub(window.rejected.open);
    let scans = (status.events.unused_scans).saturating_sub(window.events.unused_scans);
    let things = [
        (documents, "refused document"),
        (readings, "rejected reading"),
        (scans, "unused scan"),
    ];
    let things: Vec<String> = (things.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, thing)| counted(number, thing))
        .collect();
    (!things.is_empty()).then(|| format!("still open from before: {}", things.join(", ")))
}

fn be(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

fn was(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}
