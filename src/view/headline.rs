//! The state of the gateway in one plain sentence. Pure.

use jiff::Timestamp;

use super::board::Link;
use super::snapshot::Status;
use super::table::{counted, grouped, seconds_since, span};

/// How urgent a sentence is; a screen may colour it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// All is well, or on its way to be.
    Good,
    /// It needs a person some time, or mends itself.
    Watch,
    /// It needs a person now.
    Bad,
}

/// What matters most, in the words of the floor.
#[must_use]
pub fn headline(status: &Status, now: Timestamp) -> (Mood, String) {
    let waiting = status.events.on_the_way();
    let safe = match waiting {
        0 => "nothing waits here".to_owned(),
        _ => format!("{} safe here", be(waiting, "scan")),
    };
    let (mood, mut sentence) = if status.journal.full {
        let what = if status.journal.disk_full {
            "The disk is full"
        } else {
            "The journal is full"
        };
        let sentence = format!("{what}: nothing more is taken until there is room; {safe}");
        (Mood::Bad, sentence)
    } else {
        match status.odoo.link {
            Link::Held => (
                Mood::Bad,
                format!("Nothing goes to Odoo until a person puts the link right; {safe}"),
            ),
            Link::Down => {
                let down = status.odoo.since.map_or(String::new(), |since| {
                    format!(" for {}", span(seconds_since(since, now)))
                });
                (Mood::Watch, format!("Link to Odoo is down{down}; {safe}"))
            }
            Link::Starting => (Mood::Watch, format!("Connecting to Odoo; {safe}")),
            Link::Up => return with_link(status),
        }
    };
    if status.documents.parked > 0 {
        sentence = format!("{sentence}; {}", need(status.documents.parked));
    }
    (mood, sentence)
}

fn with_link(status: &Status) -> (Mood, String) {
    let waiting = status.events.on_the_way();
    let on_the_way = format!("{} on the way to Odoo", be(waiting, "movement"));
    match (status.documents.parked, waiting) {
        (0, 0) if status.events.posted == 0 => (Mood::Good, "Nothing was scanned yet".to_owned()),
        (0, 0) if status.events.posted == 1 => (Mood::Good, "The movement is in Odoo".to_owned()),
        (0, 0) => {
            let posted = grouped(status.events.posted);
            (Mood::Good, format!("All {posted} movements are in Odoo"))
        }
        (0, _) => (Mood::Good, on_the_way),
        (parked, 0) => (Mood::Watch, need(parked)),
        (parked, _) => (Mood::Watch, format!("{}; {on_the_way}", need(parked))),
    }
}

fn need(parked: u64) -> String {
    let needs = if parked == 1 { "needs" } else { "need" };
    format!("{} {needs} you", counted(parked, "document"))
}

fn be(number: u64, thing: &str) -> String {
    let be = if number == 1 { "is" } else { "are" };
    format!("{} {be}", counted(number, thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl FnOnce(&mut Status)) -> (Mood, String) {
        let mut status = Status::default();
        status.odoo.link = Link::Up;
        change(&mut status);
        headline(&status, "2026-11-23T08:02:14Z".parse().unwrap())
    }

    #[test]
    fn what_matters_most_is_said_first() {
        let all = told(|s| s.events.posted = 4_812);
        assert_eq!(
            all,
            (Mood::Good, "All 4,812 movements are in Odoo".to_owned())
        );
        let (mood, down) = told(|s| {
            s.odoo.link = Link::Down;
            s.odoo.since = "2026-11-23T08:00:00Z".parse().ok();
            s.events.waiting = 312;
            s.documents.parked = 1;
        });
        assert_eq!(mood, Mood::Watch);
        assert_eq!(
            down,
            "Link to Odoo is down for 02:14; 312 scans are safe here; 1 document needs you"
        );
        let (mood, full) = told(|s| {
            s.journal.full = true;
            s.odoo.link = Link::Down;
        });
        assert_eq!(mood, Mood::Bad);
        assert!(full.starts_with("The journal is full"), "{full}");
        let parked = told(|s| s.documents.parked = 3);
        assert_eq!(parked, (Mood::Watch, "3 documents need you".to_owned()));
        assert_eq!(
            told(|s| s.events.open = 1).1,
            "1 movement is on the way to Odoo"
        );
        assert_eq!(told(|_| ()).1, "Nothing was scanned yet");
    }
}
