//! Rejected readings in a transaction: stored, and settled by a person or by their device.

use redb::WriteTransaction;

use super::Transaction;
use crate::event::{Event, RETAINED, Rejection};
use crate::journal::ids;
use crate::journal::inbox::{Accepted, Settled, Settlement};
use crate::journal::rejected::{AUDIT_OF_SCANS, Rejections};
use crate::journal::{AuditRecord, Fatal};

/// The state of a reading that was sent again.
const RESENT: &str = "resent";

impl Transaction<'_> {
    pub(super) fn append_rejection(&mut self, rejection: &Rejection) -> Result<Accepted, Fatal> {
        let rejected = || Accepted::Rejected {
            code: rejection.code,
            message: rejection.message.clone(),
        };
        if let (RETAINED, Some(id)) = (rejection.code, &rejection.id) {
            let digest = ids::digest(rejection.device.as_str(), id);
            if let Some(original) = self.ids.find(&digest, &self.id_buckets)? {
                return Ok(Accepted::Duplicate { original });
            }
            let rejections = open(&mut self.rejections, self.write)?;
            if rejections.is_known(rejection.device.as_str(), id)? {
                return Ok(rejected());
            }
        }
        self.kept.totals.rejected += 1;
        let number = self.kept.totals.rejected;
        open(&mut self.rejections, self.write)?.append(number, rejection, &mut self.written)?;
        Ok(rejected())
    }

    /// A device has sent an event that was rejected before, and it is stored now.
    pub(super) fn settle_by_device(
        &mut self,
        event: &Event,
        accepted: &Accepted,
    ) -> Result<(), Fatal> {
        if !self.may_settle(event, accepted) {
            return Ok(());
        }
        let record = AuditRecord {
            at: event.received,
            state: RESENT.to_owned(),
            by: format!("device:{}", event.device),
            note: "sent again by its device".to_owned(),
        };
        let record = with_events(record, std::slice::from_ref(accepted));
        self.settle_earlier(event, accepted, &record)
    }

    /// Raw scans that no flow makes anything of were skipped.
    pub fn count_unused(&mut self, scans: u64) {
        self.kept.totals.unused_scans += scans;
    }

    /// A person dismisses the unused scans. Answers how many.
    pub fn dismiss_scans(&mut self, record: &AuditRecord) -> Result<u64, Fatal> {
        let scans = std::mem::take(&mut self.kept.totals.unused_scans);
        if scans > 0 {
            let rejections = open(&mut self.rejections, self.write)?;
            rejections.put_audit(AUDIT_OF_SCANS, record, &mut self.written)?;
        }
        Ok(scans)
    }

    /// Whether a reading with the id of an event may be open. An id that the gateway gave to an event
    /// is in no reading.
    fn may_settle(&self, event: &Event, accepted: &Accepted) -> bool {
        let may_be_open = self.rejections.is_some() || self.kept.totals.rejected_open > 0;
        may_be_open && !event.id_derived && matches!(accepted, Accepted::Stored { .. })
    }

    /// Settles the open readings with the id of an event that is stored now.
    fn settle_earlier(
        &mut self,
        event: &Event,
        accepted: &Accepted,
        record: &AuditRecord,
    ) -> Result<(), Fatal> {
        if !self.may_settle(event, accepted) {
            return Ok(());
        }
        let digest = ids::digest(event.device.as_str(), &event.id);
        let rejections = open(&mut self.rejections, self.write)?;
        rejections.settle_id(digest, record, &mut self.written)
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
            let number = settlement.number;
            if !open(&mut self.rejections, self.write)?.is_open(number)? {
                settled.readings.push(None);
                continue;
            }
            let events = settlement.events.iter();
            let accepted = events.map(|event| self.append_event(event));
            let accepted = accepted.collect::<Result<Vec<_>, _>>()?;
            let record = with_events(settlement.record, &accepted);
            let rejections = open(&mut self.rejections, self.write)?;
            rejections.settle(number, &record, &mut self.written)?;
            for (event, accepted) in settlement.events.iter().zip(&accepted) {
                self.settle_earlier(event, accepted, &record)?;
            }
            settled.readings.push(Some(accepted));
        }
        if let Some(record) = dropped {
            let rejections = open(&mut self.rejections, self.write)?;
            settled.dropped = rejections.settle_dropped(record, &mut self.written)?;
        }
        Ok(settled)
    }
}

/// A record that names the events which a reading became.
fn with_events(record: AuditRecord, accepted: &[Accepted]) -> AuditRecord {
    let seqs = accepted.iter().filter_map(|accepted| match accepted {
        Accepted::Stored { seq } => Some(seq),
        Accepted::Duplicate { original } => Some(original),
        Accepted::Rejected { .. } => None,
    });
    let seqs: Vec<String> = seqs.map(u64::to_string).collect();
    let note = match seqs.as_slice() {
        [] => record.note,
        [seq] => format!("{}: event {seq}", record.note),
        _ => format!("{}: events {}", record.note, seqs.join(", ")),
    };
    AuditRecord { note, ..record }
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
