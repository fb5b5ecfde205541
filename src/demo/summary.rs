//! The summary of a demonstration: whether the devices' lists, the ledger and Odoo agree.

use std::fmt;

use super::books::Comparison;
use super::devices::DeviceLists;
use super::person_changes::PersonChanges;
use crate::journal::Totals;
use crate::view::headline::{self, Mood};
use crate::view::snapshot::{EventCounts, Status};
use crate::view::table::counted;

/// How the draining at the end of a demonstration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All events are in Odoo, or parked.
    Drained,
    /// A person stopped it.
    Stopped,
    /// Nothing was posted for a minute, although the link was up.
    Stalled,
}

/// The devices' lists, the ledger's totals, and the comparison with Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub end: End,
    pub lists: DeviceLists,
    pub totals: Totals,
    /// The changes of a person during the demonstration.
    pub person_changes: PersonChanges,
    pub comparison: Comparison,
}

impl Summary {
    /// Events that are stored and not yet in Odoo.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let totals = &self.totals;
        totals.open_events() + totals.waiting.events + totals.sending.events
    }

    /// Describes what is in Odoo, and the rest with the headline of the first screen.
    fn describe_end(&self) -> String {
        let in_odoo = self
            .totals
            .posted
            .events
            .saturating_sub(self.totals.left_out);
        let mut status = Status {
            events: EventCounts::of(&self.totals),
            ..Status::default()
        };
        status.documents.parked = self.totals.parked.documents;
        let posted = format!(
            "{} {} in Odoo exactly once",
            counted(in_odoo, "event"),
            if in_odoo == 1 { "is" } else { "are" },
        );
        let is_all = in_odoo > 0
            && in_odoo == self.totals.posted.events
            && self.totals.discarded.events == 0;
        match headline::with_link(&status) {
            (Mood::Good, _) if is_all && self.waiting() == 0 => posted,
            (_, rest) => format!("{posted}. {rest}"),
        }
    }

    /// Lists each difference, in a sentence. Empty: all agree.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let (lists, totals) = (&self.lists, &self.totals);
        let mut faults = Vec::new();
        let mut equal = |what: &str, wanted: u64, found: u64| {
            if wanted != found {
                faults.push(format!(
                    "{what}: {wanted} in the devices' lists, {found} in the ledger"
                ));
            }
        };
        let resent = &self.person_changes.resent;
        equal("events stored", lists.events + resent.events, totals.stored);
        equal("readings rejected", lists.malformed, totals.rejected);
        let moved =
            lists.events - lists.scans - lists.unknown + self.person_changes.events + resent.posted;
        // A person has discarded or edited some of them.
        let settled_by_person = totals.discarded.events + self.person_changes.events;
        let unknown = lists.unknown.saturating_sub(settled_by_person);
        let ends = [
            (
                "events that need no document",
                lists.scans + resent.no_document,
                totals.no_document,
            ),
            (
                "events parked for an unknown product",
                unknown + resent.parked,
                totals.parked.events,
            ),
            ("events posted", moved, totals.posted.events),
        ];
        let settled = ends.iter().map(|(_, _, found)| found).sum::<u64>();
        let settled = settled + totals.discarded.events;
        for (what, wanted, found) in ends {
            // The outcome of waiting events is unknown.
            let waits = found < wanted && settled + self.waiting() == totals.stored;
            if !waits || self.waiting() == 0 {
                equal(what, wanted, found);
            }
        }
        if lists.reconnects == 0 {
            equal("duplicates", lists.again, totals.duplicates);
        }
        if lists.right + lists.wrong < lists.beeps {
            faults.push(format!(
                "the gateway did not answer {} codes of devices that only beep",
                lists.beeps - lists.right - lists.wrong
            ));
        }
        if lists.unacknowledged > 0 {
            faults.push(format!(
                "{} messages were never acknowledged",
                lists.unacknowledged
            ));
        }
        if self.end == End::Stalled {
            faults.push(format!(
                "{} {} in the gateway, and it posted nothing for a minute although the link was up",
                counted(self.waiting(), "event"),
                if self.waiting() == 1 { "waits" } else { "wait" }
            ));
        }
        if !self.comparison.is_right() {
            let found = &self.comparison;
            faults.push(format!(
                "Odoo: lost {}, doubled {}, wrong in {} of {} places",
                found.lost, found.doubled, found.places_wrong, found.places
            ));
        }
        faults
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lists, totals, odoo) = (&self.lists, &self.totals, &self.comparison);
        writeln!(f)?;
        writeln!(
            f,
            "created     {} events, {} of them sent twice; {} messages that are not events",
            lists.events, lists.again, lists.malformed
        )?;
        writeln!(
            f,
            "scanned     {} scans in flows, answered as good {}, as wrong {}",
            lists.beeps, lists.right, lists.wrong
        )?;
        writeln!(
            f,
            "stored      {} events, {} duplicates found, {} readings rejected",
            totals.stored, totals.duplicates, totals.rejected
        )?;
        writeln!(
            f,
            "            {} = {} posted + {} parked + {} discarded + {} no document + {} waiting",
            totals.stored,
            totals.posted.events,
            totals.parked.events,
            totals.discarded.events,
            totals.no_document,
            self.waiting()
        )?;
        writeln!(
            f,
            "posted      {} documents with {} lines",
            totals.posted.documents, totals.posted.lines
        )?;
        writeln!(
            f,
            "in Odoo     {} units moved, {} waiting: lost {}, doubled {}; quantities compared in {} places, {} wrong",
            odoo.moved, odoo.waiting, odoo.lost, odoo.doubled, odoo.places, odoo.places_wrong
        )?;
        let faults = self.faults();
        if faults.is_empty() {
            return write!(f, "It adds up: {}.", self.describe_end());
        }
        write!(f, "It does NOT add up:")?;
        faults
            .iter()
            .try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::books::Way;
    use crate::journal::StateTotals;

    fn closing(change: impl FnOnce(&mut Totals)) -> String {
        let mut totals = Totals::default();
        change(&mut totals);
        let lists = DeviceLists::default();
        let comparison = Comparison::default();
        let end = End::Drained;
        Summary {
            end,
            lists,
            totals,
            person_changes: PersonChanges::default(),
            comparison,
        }
        .describe_end()
    }

    #[test]
    fn what_a_person_discards_or_edits_is_no_fault_of_the_gateway() {
        let way = |product: &str| Way {
            product: product.to_owned(),
            from: "A".to_owned(),
            to: "B".to_owned(),
        };
        let of = |events| StateTotals {
            documents: events,
            lines: events,
            events,
        };
        // Of three events with an unknown product one is discarded, one edited, and one left.
        let lists = DeviceLists {
            events: 10,
            unknown: 3,
            moves: [(way("known"), 7.into())].into(),
            ..DeviceLists::default()
        };
        let totals = Totals {
            stored: 10,
            posted: of(8),
            parked: of(1),
            discarded: of(1),
            ..Totals::default()
        };
        let person_changes = PersonChanges {
            events: 1,
            moved: [(way("known"), 3.into())].into(),
            replaced: [(way("unknown"), 3.into())].into(),
            ..PersonChanges::default()
        };
        let list = person_changes.apply_to(&lists.moves);
        assert_eq!(list, [(way("known"), 10.into())].into());
        let mut summary = Summary {
            end: End::Drained,
            lists,
            totals,
            person_changes,
            comparison: Comparison::default(),
        };
        assert_eq!(summary.faults(), Vec::<String>::new());
        // Without that event the totals differ.
        (summary.totals.stored, summary.totals.parked) = (9, of(0));
        assert_eq!(summary.faults().len(), 2, "{:?}", summary.faults());
        summary.end = End::Stalled;
        (summary.totals.stored, summary.totals.waiting) = (10, of(1));
        let text = "1 event waits in the gateway, and it posted nothing for a minute although the link was up";
        assert!(summary.faults().contains(&text.to_owned()));
    }

    #[test]
    fn it_closes_in_the_words_of_the_first_screen() {
        let of = |events| StateTotals {
            documents: events,
            lines: events,
            events,
        };
        let all = closing(|t| {
            t.posted = of(6);
            t.stored = 6;
        });
        assert_eq!(all, "6 events are in Odoo exactly once");
        // Waiting and parked events do not count as posted.
        let rest = closing(|t| {
            (t.posted, t.waiting, t.parked, t.discarded) = (of(6), of(2), of(1), of(1));
            (t.stored, t.left_out, t.rejected_open) = (13, 1, 4);
            t.unused_scans = 2;
            t.no_document = 3;
        });
        let text = "5 events are in Odoo exactly once. 1 document, 4 rejected readings and 2 scans without a flow need you; 2 movements are on the way to Odoo";
        assert_eq!(rest, text);
        let given_up = closing(|t| {
            (t.posted, t.discarded, t.stored, t.left_out) = (of(6), of(1), 7, 1);
        });
        let text = "5 events are in Odoo exactly once. 5 movements are in Odoo; 2 movements were discarded or removed";
        assert_eq!(given_up, text);
    }
}
