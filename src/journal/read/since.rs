//! Reads the counts of what was received since a time.

use jiff::Timestamp;
use redb::ReadableTable as _;

use super::super::damage::JournalError;
use super::super::period_counts::{OUTSIDE, begin_of, key_of};
use super::super::{PeriodCounts, stored, tables};
use super::Journal;
use crate::event::Seq;

/// What was received since a time, by its state now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The counts have everything that was received from this time on.
    pub from: Timestamp,
    pub counts: PeriodCounts,
}

impl Journal {
    /// The counts of everything that was received since a time, which is rounded down to a period
    /// of five minutes.
    pub fn since(&self, time: Timestamp) -> Result<Since, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::PERIODS)?;
            let key = key_of(time);
            let mut counts = PeriodCounts::default();
            for entry in table.range(key..)? {
                counts.add(&stored::period_out(entry?.1.value())?.counts);
            }
            let outside = table.get(OUTSIDE)?;
            let outside = outside.map(|bytes| stored::period_out(bytes.value()));
            let complete_from_us = outside
                .transpose()?
                .map_or(0, |outside| outside.complete_from_us);
            let complete_from = Timestamp::from_microsecond(complete_from_us).unwrap_or(time);
            let begin = begin_of(key);
            Ok(Since {
                from: begin.max(complete_from),
                counts,
            })
        })
    }

    /// The newest event that was certainly received before a time. 0: perhaps none was.
    pub(super) fn received_before(&self, time: Timestamp) -> Result<Seq, JournalError> {
        let newest = self.totals().last_seq;
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::PERIODS)?;
            let outside = table.get(OUTSIDE)?;
            let outside = outside.map(|bytes| stored::period_out(bytes.value()));
            let counted_from_us = outside.transpose()?.map_or(0, |it| it.complete_from_us);
            let key = key_of(time);
            if begin_of(key).as_microsecond() < counted_from_us {
                return Ok(Seq::ZERO);
            }
            // If the clock was set back, a later period may begin with an earlier event.
            let mut first = None;
            for entry in table.range(key..)? {
                let period = stored::period_out(entry?.1.value())?;
                first = first.into_iter().chain(period.first_seqs).min();
            }
            Ok(first.map_or(newest, |first| Seq::new(first.saturating_sub(1))))
        })
    }

    /// The sum of all periods, and of what no period counts. It has the counts of the totals.
    pub fn sum_of_periods(&self) -> Result<PeriodCounts, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::PERIODS)?;
            let mut counts = PeriodCounts::default();
            for entry in table.iter()? {
                counts.add(&stored::period_out(entry?.1.value())?.counts);
            }
            Ok(counts)
        })
    }
}
