//! The state of the gateway in one plain sentence. Pure.

use jiff::Timestamp;

use super::snapshot::Status;
use super::table::{counted, grouped, plain, seconds_since, time};
use super::words::Words;
use crate::board::{ConfigOrigin, ConfigView, Link};

/// How urgent a sentence is; a screen may colour it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// All is well, or documents are on the way to Odoo.
    Good,
    /// It needs a person at some time, or recovers by itself.
    Watch,
    /// It needs a person now.
    Bad,
}

/// The code of the alarm about anonymous access, which the site has chosen: it needs no person.
pub const ANONYMOUS: &str = "anonymous";

/// Digits of the hash that a screen shows.
const HASH_DIGITS: usize = 8;

/// Describes the state of the gateway: what matters most comes first.
#[must_use]
pub fn headline(status: &Status, now: Timestamp) -> (Mood, String) {
    let waiting = status.events.on_the_way() + status.events.undecided();
    let safe = match waiting {
        0 => "nothing is waiting".to_owned(),
        _ => format!("{} safe here", count_is(waiting, "event")),
    };
    let (mood, mut sentence) = if status.journal.full {
        let what = if status.journal.disk_full {
            "The disk is full"
        } else {
            "The journal is full"
        };
        let sentence = format!("{what}: the gateway stores no events until there is space; {safe}");
        (Mood::Bad, sentence)
    } else if let Some(pause) = &status.pause {
        let until = pause.until.map(|until| format!(" until {}", time(until)));
        let (name, until) = (plain(pause.name()), until.unwrap_or_default());
        let sentence = format!("{name} has paused the sending to Odoo{until}; {safe}");
        (Mood::Watch, sentence)
    } else {
        match status.odoo.link {
            Link::Held => (
                Mood::Bad,
                format!("Nothing is sent to Odoo until a person fixes the link; {safe}"),
            ),
            Link::Down => {
                let seconds = status
                    .odoo
                    .since
                    .map_or(0, |since| seconds_since(since, now));
                let down = match seconds {
                    0 => String::new(),
                    seconds => format!(" for {}", Words::ENGLISH.span(seconds)),
                };
                (Mood::Watch, format!("Link to Odoo is down{down}; {safe}"))
            }
            Link::Starting => (Mood::Watch, format!("Connecting to Odoo; {safe}")),
            Link::Up => return with_link(status),
        }
    };
    for more in [
        describe_need(status),
        describe_unfinished(status),
        describe_down(status),
    ]
    .into_iter()
    .flatten()
    {
        sentence = format!("{sentence}; {more}");
    }
    (mood, sentence)
}

/// Describes the configuration that runs: the beginning of its hash, and its origin. `since` is the
/// text after them. `None`: the daemon does not say.
#[must_use]
pub fn describe_config(config: &ConfigView, since: impl Fn(Timestamp) -> String) -> Option<String> {
    let since = since(config.since?);
    let hash: String = config.hash.chars().take(HASH_DIGITS).collect();
    let origin = match (config.origin, config.serial) {
        (ConfigOrigin::Bundle, Some(serial)) => format!("bundle {serial}"),
        (ConfigOrigin::Bundle, None) => "a bundle".to_owned(),
        (ConfigOrigin::Files, _) => "files".to_owned(),
    };
    Some(format!("{} from {origin} {since}", plain(&hash)))
}

/// Describes the pending bundle with its state and the reason, or the last one if it was not
/// confirmed. `None`: there is neither.
#[must_use]
pub fn describe_bundle(config: &ConfigView) -> Option<String> {
    let (serial, state, reason) = match (&config.pending, &config.last) {
        (Some(pending), _) => (pending.serial, &pending.state, &pending.reason),
        (None, Some(last)) if last.outcome != "confirmed" => {
            (last.serial, &last.outcome, &last.reason)
        }
        (None, _) => return None,
    };
    let reason = reason.as_ref().filter(|reason| !reason.is_empty());
    let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
    // A reason may have several lines, one for each fault.
    let text = format!("bundle {serial} is {state}{reason}");
    Some(plain(&text.replace('\n', "; ")))
}

/// Describes the state of the gateway while the link to Odoo is up.
#[must_use]
pub fn with_link(status: &Status) -> (Mood, String) {
    let is_alarmed = status.alarms.keys().any(|code| code != ANONYMOUS);
    let need = describe_need(status);
    let mood = if need.is_some() || is_alarmed || status.sources_down().next().is_some() {
        Mood::Watch
    } else {
        Mood::Good
    };
    let parts: Vec<String> = [
        need,
        describe_on_the_way(status),
        describe_unfinished(status),
    ]
    .into_iter()
    .flatten()
    .collect();
    let unfinished_alone = describe_unfinished(status).is_some_and(|text| parts == [text]);
    let mut sentence = match parts.as_slice() {
        [] => describe_settled(status, true),
        [unfinished] if unfinished_alone => {
            format!("{}; {unfinished}", describe_settled(status, false))
        }
        parts => parts.join("; "),
    };
    if let Some(down) = describe_down(status) {
        sentence = format!("{sentence}, but {down}");
    }
    (mood, sentence)
}

/// Describes the work in progress: events that are not movements yet, and movements on the way to
/// Odoo.
fn describe_on_the_way(status: &Status) -> Option<String> {
    let (events, movements) = (status.events.undecided(), status.events.on_the_way());
    let events = (events > 0).then(|| format!("{} being processed", count_is(events, "event")));
    let movements =
        (movements > 0).then(|| format!("{} on the way to Odoo", count_is(movements, "movement")));
    match (events, movements) {
        (Some(events), Some(movements)) => Some(format!("{movements}; {events}")),
        (events, movements) => events.or(movements),
    }
}

/// Describes the unfinished movements of devices with a flow.
fn describe_unfinished(status: &Status) -> Option<String> {
    let devices: u64 = status.unfinished.values().sum();
    let have = if devices == 1 { "has" } else { "have" };
    let what = match status.unfinished.keys().collect::<Vec<_>>().as_slice() {
        [what] => plain(what),
        _ => "movement".to_owned(),
    };
    (devices > 0).then(|| format!("{} {have} started a {what}", counted(devices, "device")))
}

/// Describes the sources that are down.
fn describe_down(status: &Status) -> Option<String> {
    let names: Vec<&str> = status.sources_down().collect();
    let first = plain(names.first()?);
    let be = count_is(names.len() as u64, "source");
    let more = if names.len() > 1 { ", ..." } else { "" };
    Some(format!("{be} down: {first}{more}"))
}

/// Describes a gateway in which nothing waits for Odoo or for a person: movements in Odoo, and
/// those that people or devices discarded or removed. `is_all`: no movement is unfinished.
fn describe_settled(status: &Status, is_all: bool) -> String {
    let events = &status.events;
    let posted = events.posted.saturating_sub(events.left_out);
    let given_up = events.discarded + events.left_out;
    let sentence = match (posted, given_up) {
        (0, 0) if events.stored > 0 => "No scan has become a movement yet".to_owned(),
        (0, 0) => "Nothing has been scanned yet".to_owned(),
        (0, _) => "No movement is in Odoo".to_owned(),
        (1, 0) if is_all => "The movement is in Odoo".to_owned(),
        (_, 0) if is_all => format!("All {} movements are in Odoo", grouped(posted)),
        (_, _) => format!("{} in Odoo", count_is(posted, "movement")),
    };
    match given_up {
        0 => sentence,
        _ => format!(
            "{sentence}; {} discarded or removed",
            count_was(given_up, "movement")
        ),
    }
}

/// Describes what waits for a person: parked documents, rejected readings, and scans of devices
/// without a flow.
fn describe_need(status: &Status) -> Option<String> {
    let scans = status.events.unused_scans;
    let things = [
        (status.documents.parked, "document", ""),
        (status.events.rejected_open, "rejected reading", ""),
        (scans, "scan", " without a flow"),
    ];
    let is_one = things.iter().map(|(number, ..)| number).sum::<u64>() == 1;
    let things: Vec<String> = things
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, thing, more)| format!("{}{more}", counted(number, thing)))
        .collect();
    let (last, before) = things.split_last()?;
    let all = match before {
        [] => last.clone(),
        before => format!("{} and {last}", before.join(", ")),
    };
    let needs = if is_one { "needs" } else { "need" };
    Some(format!("{all} {needs} you"))
}

fn count_was(number: u64, thing: &str) -> String {
    let be = if number == 1 { "was" } else { "were" };
    format!("{} {be}", counted(number, thing))
}

fn count_is(number: u64, thing: &str) -> String {
    let be = if number == 1 { "is" } else { "are" };
    format!("{} {be}", counted(number, thing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{LastView, PendingView};

    fn describe(change: impl FnOnce(&mut Status)) -> (Mood, String) {
        let mut status = Status::default();
        status.odoo.link = Link::Up;
        change(&mut status);
        headline(&status, "2026-11-23T08:02:14Z".parse().unwrap())
    }

    #[test]
    fn what_matters_most_comes_first() {
        let all = describe(|s| s.events.posted = 4_812);
        assert_eq!(
            all,
            (Mood::Good, "All 4,812 movements are in Odoo".to_owned())
        );
        let (mood, down) = describe(|s| {
            s.odoo.link = Link::Down;
            s.odoo.since = "2026-11-23T08:00:00Z".parse().ok();
            s.events.waiting = 312;
            s.documents.parked = 1;
        });
        assert_eq!(mood, Mood::Watch);
        assert_eq!(
            down,
            "Link to Odoo is down for 2 min 14 s; 312 events are safe here; 1 document needs you"
        );
        let (mood, full) = describe(|s| {
            s.journal.full = true;
            s.odoo.link = Link::Down;
        });
        assert_eq!(mood, Mood::Bad);
        assert!(full.starts_with("The journal is full"), "{full}");
        let parked = describe(|s| s.documents.parked = 3);
        assert_eq!(parked, (Mood::Watch, "3 documents need you".to_owned()));
        assert_eq!(
            describe(|s| s.events.open = 1).1,
            "1 event is being processed"
        );
        assert_eq!(describe(|_| ()).1, "Nothing has been scanned yet");
    }

    #[test]
    fn all_is_well_only_when_each_scan_is_in_odoo_or_a_person_has_settled_it() {
        let one = describe(|s| {
            (s.events.posted, s.events.stored, s.events.rejected_open) = (6, 6, 1);
        });
        assert_eq!(
            one,
            (Mood::Watch, "1 rejected reading needs you".to_owned())
        );
        let both = describe(|s| {
            (s.documents.parked, s.events.rejected_open, s.events.waiting) = (1, 2, 1);
        });
        let text = "1 document and 2 rejected readings need you; 1 movement is on the way to Odoo";
        assert_eq!(both, (Mood::Watch, text.to_owned()));
        let down = describe(|s| {
            (s.odoo.link, s.events.rejected_open) = (Link::Down, 1);
        });
        let text = "Link to Odoo is down; nothing is waiting; 1 rejected reading needs you";
        assert_eq!(down, (Mood::Watch, text.to_owned()));
        // A person has settled the rest, and it is not called posted.
        let settled = describe(|s| {
            (s.events.posted, s.events.left_out, s.events.discarded) = (6, 1, 1);
        });
        let text = "5 movements are in Odoo; 2 movements were discarded or removed";
        assert_eq!(settled, (Mood::Good, text.to_owned()));
        let none = describe(|s| s.events.discarded = 1);
        let text = "No movement is in Odoo; 1 movement was discarded or removed";
        assert_eq!(none, (Mood::Good, text.to_owned()));
        let scans = describe(|s| s.events.stored = 3);
        assert_eq!(scans.1, "No scan has become a movement yet");
    }

    #[test]
    fn scans_without_a_flow_are_not_called_movements_in_odoo() {
        let five = describe(|s| {
            (s.events.stored, s.events.posted, s.events.unused_scans) = (11, 6, 5);
        });
        let text = "5 scans without a flow need you";
        assert_eq!(five, (Mood::Watch, text.to_owned()));
        let all = describe(|s| {
            (
                s.documents.parked,
                s.events.rejected_open,
                s.events.unused_scans,
            ) = (1, 2, 1);
        });
        let text = "1 document, 2 rejected readings and 1 scan without a flow need you";
        assert_eq!(all.1, text);
        let one = describe(|s| s.events.unused_scans = 1);
        assert_eq!(one.1, "1 scan without a flow needs you");
    }
    #[test]
    fn an_unfinished_movement_is_not_called_all() {
        let unfinished = |devices: &[(&str, u64)], change: fn(&mut Status)| {
            describe(|s| {
                let devices = devices.iter().map(|(what, n)| ((*what).to_owned(), *n));
                (s.unfinished, s.events.posted) = (devices.collect(), 3);
                change(s);
            })
        };
        let one = unfinished(&[("transfer", 1)], |_| ());
        let text = "3 movements are in Odoo; 1 device has started a transfer";
        assert_eq!(one, (Mood::Good, text.to_owned()));
        let many = unfinished(&[("pick", 1), ("transfer", 2)], |s| s.events.waiting = 1);
        let text = "1 movement is on the way to Odoo; 3 devices have started a movement";
        assert_eq!(many, (Mood::Good, text.to_owned()));
        let down = unfinished(&[("count", 2)], |s| s.odoo.link = Link::Down);
        let text = "Link to Odoo is down; nothing is waiting; 2 devices have started a count";
        assert_eq!(down.1, text);
        let need = unfinished(&[("count", 1)], |s| s.events.rejected_open = 1);
        let text = "1 rejected reading needs you; 1 device has started a count";
        assert_eq!(need, (Mood::Watch, text.to_owned()));
    }

    #[test]
    fn a_bundle_has_its_state_and_the_reason() {
        let at = "2026-11-23T08:02:14Z".parse().unwrap();
        let mut config = ConfigView::default();
        assert_eq!(describe_bundle(&config), None);
        let last = |outcome: &str, reason: Option<&str>| LastView {
            serial: 43,
            outcome: outcome.to_owned(),
            reason: reason.map(str::to_owned),
            at,
        };
        config.last = Some(last("confirmed", Some("watched for 300 s")));
        assert_eq!(describe_bundle(&config), None);
        config.last = Some(last(
            "rolled-back",
            Some("the link to Odoo\nis held\x1b[0m"),
        ));
        let text = "bundle 43 is rolled-back: the link to Odoo; is held·[0m";
        assert_eq!(describe_bundle(&config).as_deref(), Some(text));
        config.pending = Some(PendingView {
            serial: 44,
            state: "waiting".to_owned(),
            since: at,
            until: None,
            reason: Some("ring 2 is due at 2026-11-23T14:00:00Z".to_owned()),
        });
        let text = "bundle 44 is waiting: ring 2 is due at 2026-11-23T14:00:00Z";
        assert_eq!(describe_bundle(&config).as_deref(), Some(text));
        config.pending = None;
        config.last = Some(last("refused", None));
        assert_eq!(
            describe_bundle(&config).as_deref(),
            Some("bundle 43 is refused")
        );
    }

    #[test]
    fn an_event_is_not_called_a_movement_before_it_is_one() {
        let new = describe(|s| (s.events.stored, s.events.open) = (3, 3));
        assert_eq!(new.1, "3 events are being processed");
        let both = describe(|s| (s.events.open, s.events.sending) = (3, 2));
        let text = "2 movements are on the way to Odoo; 3 events are being processed";
        assert_eq!(both, (Mood::Good, text.to_owned()));
        // A scan of a device without a flow never becomes a movement.
        let unused = describe(|s| {
            (s.events.open, s.events.open_unused, s.events.unused_scans) = (3, 3, 3);
        });
        let text = "3 scans without a flow need you";
        assert_eq!(unused, (Mood::Watch, text.to_owned()));
        let waiting = describe(|s| (s.events.posted, s.events.waiting_scans) = (4, 2));
        assert_eq!(waiting.1, "2 events are being processed");
    }

    #[test]
    fn a_source_that_is_down_and_an_alarm_are_never_green() {
        let source = |name: &str, state: &str| {
            let mut source = crate::view::snapshot::Source::default();
            name.clone_into(&mut source.name);
            state.clone_into(&mut source.view.state);
            source
        };
        let down = describe(|s| {
            s.events.posted = 3;
            s.sources = vec![source("mqtt.broker", "down"), source("mqtt.listen", "up")];
        });
        let text = "All 3 movements are in Odoo, but 1 source is down: mqtt.broker";
        assert_eq!(down, (Mood::Watch, text.to_owned()));
        let two = describe(|s| {
            s.odoo.link = Link::Down;
            s.sources = vec![
                source("mqtt.broker", "down"),
                source("scanner:dock", "down"),
            ];
        });
        let text = "Link to Odoo is down; nothing is waiting; 2 sources are down: mqtt.broker, ...";
        assert_eq!(two.1, text);
        let alarm = |code: &str| {
            let alarm = (code.to_owned(), "It is so.".to_owned());
            describe(|s| s.alarms.extend([alarm])).0
        };
        assert_eq!(alarm("device-config"), Mood::Watch);
        // The site has chosen anonymous access.
        assert_eq!(alarm("anonymous"), Mood::Good);
    }
}
