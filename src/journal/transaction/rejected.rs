//! Rejected readings in a transaction: stored, and settled by a person.

use redb::WriteTransaction;

use super::Transaction;
use crate::event::Rejection;
use crate::journal::inbox::{Accepted, Settled, Settlement};
use crate::journal::rejected::Rejections;
use crate::journal::{AuditRecord, Fatal};

impl Transaction<'_> {
    pub(super) fn append_rejection(&mut self, rejection: &Rejection) -> Result<Accepted, Fatal> {
        self.kept.totals.rejected += 1;
        let number = self.kept.totals.rejected;
        open(&mut self.rejections, self.write)?.append(number, rejection, &mut self.written)?;
        Ok(Accepted::Rejected {
            code: rejection.code,
            message: rejection.message.clone(),
        })
    }

    /// Settles those of the readings that are open; stores the events of those that are sent again
    /// in the same commit, so that each is stored once.
    pub fn settle(
        &mut self,
        readings: Vec<Settlement>,
        dropped: Option<&AuditRecord>,
    ) -> Result<Settled, Fatal> {
        let mut settled = Settled {
            readings: Vec::with_capacity(readings.len()),
            dropped: 0,
        };
        for settlement in readings {
            let Settlement { number, record, .. } = &settlement;
            let rejections = open(&mut self.rejections, self.write)?;
            if !rejections.settle(*number, record, &mut self.written)? {
                settled.readings.push(None);
                continue;
            }
            let events = settlement.events.iter();
            let accepted = events.map(|event| self.append_event(event));
            settled
                .readings
                .push(Some(accepted.collect::<Result<_, _>>()?));
        }
        if let Some(record) = dropped {
            let rejections = open(&mut self.rejections, self.write)?;
            settled.dropped = rejections.settle_dropped(record, &mut self.written)?;
        }
        Ok(settled)
    }
}

/// The rejected readings within a transaction, opened where they are needed first.
pub(super) fn open<'a, 'b>(
    opened: &'b mut Option<Rejections<'a>>,
    write: &'a WriteTransaction,
) -> Result<&'b mut Rejections<'a>, Fatal> {
    Ok(match opened {
        Some(rejections) => rejections,
        none => none.insert(Rejections::open(write)?),
    })
}
