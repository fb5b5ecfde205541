//! The end of a demonstration: whether it adds up, and what does not.

use std::fmt;

use super::books::Comparison;
use super::devices::Deeds;
use crate::journal::Totals;

/// What the devices say, what the ledger says, and what Odoo says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub deeds: Deeds,
    pub totals: Totals,
    pub comparison: Comparison,
}

impl Summary {
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
        equal(
            "events that need no document",
            deeds.scans,
            totals.no_document,
        );
        equal(
            "events parked for an unknown product",
            deeds.unknown,
            totals.parked.events,
        );
        let moved = deeds.events - deeds.scans - deeds.unknown;
        equal("events posted", moved, totals.posted.events);
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
        let settled = totals.posted.events
            + totals.parked.events
            + totals.discarded.events
            + totals.no_document;
        if settled != totals.stored {
            faults.push(format!("{} events still wait", totals.stored - settled));
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
            totals.open_events() + totals.waiting.events + totals.sending.events
        )?;
        writeln!(
            f,
            "posted      {} documents with {} lines",
            totals.posted.documents, totals.posted.lines
        )?;
        writeln!(
            f,
            "in Odoo     {} units moved: lost {}, doubled {}; quantities compared in {} places, {} wrong",
            odoo.moved, odoo.lost, odoo.doubled, odoo.places, odoo.places_wrong
        )?;
        let faults = self.faults();
        if faults.is_empty() {
            return write!(f, "It adds up: every movement is in Odoo exactly once.");
        }
        write!(f, "It does NOT add up:")?;
        faults
            .iter()
            .try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}
