//! The end of a demonstration: whether it adds up, and what does not.

use std::fmt;

use super::books::Comparison;
use super::devices::Deeds;
use crate::journal::Totals;
use crate::view::headline;
use crate::view::snapshot::{EventCounts, Status};
use crate::view::table::counted;

/// How the waiting at the end of a demonstration came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All is in Odoo, or parked.
    Drained,
    /// Somebody did not want to wait.
    Stopped,
    /// Nothing was posted for a minute, although the link was up.
    Stalled,
}

/// What the devices say, what the ledger says, and what Odoo says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub end: End,
    pub deeds: Deeds,
    pub totals: Totals,
    pub comparison: Comparison,
}

impl Summary {
    /// Events that are stored, and on their way to Odoo.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let totals = &self.totals;
        totals.open_events() + totals.waiting.events + totals.sending.events
    }

    /// What is in Odoo, and what the first screen says of all else, in its words.
    fn closing(&self) -> String {
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
        format!(
            "{} {} in Odoo exactly once. {}",
            counted(in_odoo, "movement"),
            if in_odoo == 1 { "is" } else { "are" },
            headline::with_link(&status).1
        )
    }

    /// Each thing that does not add up, in a sentence; empty if all does.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let (deeds, totals) = (&self.deeds, &self.totals);
        let mut faults = Vec::new();
        let mut equal = |what: &str, wanted: u64, found: u64| {
            if wanted != found {
                faults.push(format!(
                    "{what}: {wanted} by the devices' lists, {found} by the ledger"
                ));
            }
        };
        equal("events stored", deeds.events, totals.stored);
        equal("readings rejected", deeds.malformed, totals.rejected);
        let moved = deeds.events - deeds.scans - deeds.unknown;
        let ends = [
            (
                "events that need no document",
                deeds.scans,
                totals.no_document,
            ),
            (
                "events parked for an unknown product",
                deeds.unknown,
                totals.parked.events,
            ),
            ("events posted", moved, totals.posted.events),
        ];
        let settled = ends.iter().map(|(_, _, found)| found).sum::<u64>();
        for (what, wanted, found) in ends {
            // Of events that wait, nobody knows yet what becomes of them.
            let waits = found < wanted && settled + self.waiting() == totals.stored;
            if !waits || self.waiting() == 0 {
                equal(what, wanted, found);
            }
        }
        if deeds.reconnects == 0 {
            equal("duplicates", deeds.again, totals.duplicates);
        }
        if deeds.right + deeds.wrong < deeds.beeps {
            faults.push(format!(
                "{} codes of devices that only beep were never answered",
                deeds.beeps - deeds.right - deeds.wrong
            ));
        }
        if deeds.unacknowledged > 0 {
            faults.push(format!(
                "{} messages were never acknowledged",
                deeds.unacknowledged
            ));
        }
        if self.end == End::Stalled {
            faults.push(format!(
                "{} events wait in the gateway, and it posted nothing for a minute although the link was up",
                self.waiting()
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
        let (deeds, totals, odoo) = (&self.deeds, &self.totals, &self.comparison);
        writeln!(f)?;
        writeln!(
            f,
            "made        {} events, {} of them sent twice; {} messages that are no events",
            deeds.events, deeds.again, deeds.malformed
        )?;
        writeln!(
            f,
            "beeped      {} codes, answered as right {}, as wrong {}",
            deeds.beeps, deeds.right, deeds.wrong
        )?;
        writeln!(
            f,
            "stored      {} events, {} duplicates found, {} readings rejected",
            totals.stored, totals.duplicates, totals.rejected
        )?;
        writeln!(
            f,
            "            {} = {} posted + {} parked + {} without a document + {} waiting",
            totals.stored,
            totals.posted.events,
            totals.parked.events,
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
            return write!(f, "It adds up: {}.", self.closing());
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
    use crate::journal::StateTotals;

    fn closing(change: impl FnOnce(&mut Totals)) -> String {
        let mut totals = Totals::default();
        change(&mut totals);
        let deeds = Deeds::default();
        let comparison = Comparison::default();
        let end = End::Drained;
        Summary {
            end,
            deeds,
            totals,
            comparison,
        }
        .closing()
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
        let text = "6 movements are in Odoo exactly once. All 6 movements are in Odoo";
        assert_eq!(all, text);
        // Neither what waits nor what is left for a person is called posted.
        let rest = closing(|t| {
            (t.posted, t.waiting, t.parked, t.discarded) = (of(6), of(2), of(1), of(1));
            (t.stored, t.left_out, t.rejected_open) = (13, 1, 4);
            t.unused_scans = 2;
            t.no_document = 3;
        });
        let text = "5 movements are in Odoo exactly once. 1 document, 4 rejected readings and 2 scans without a flow need you; 2 movements are on the way to Odoo";
        assert_eq!(rest, text);
        let given_up = closing(|t| {
            (t.posted, t.discarded, t.stored, t.left_out) = (of(6), of(1), 7, 1);
        });
        let text = "5 movements are in Odoo exactly once. 5 movements are in Odoo; 2 movements were discarded or taken back";
        assert_eq!(given_up, text);
    }
}
