//! Rejected readings in a transaction: stored, and settled by a person or by their device.

use std::collections::HashMap;

use redb::ReadableTable as _;

use super::Transaction;
use crate::event::{Event, RejectedNumber, Rejection, Seq, SourceKind};
use crate::journal::changes::Changing;
use crate::journal::ids;
use crate::journal::inbox::{Accepted, Outcome, Settled, Settlement, WrongScan};
use crate::journal::rejected::{AUDIT_OF_SCANS, Rejections, STORED_BEFORE};
use crate::journal::{AuditRecord, Fatal, stored, tables};
use crate::reason::RejectionCode;

/// The state of a reading that was sent again.
const RESENT: &str = "resent";

impl Transaction<'_> {
    pub(super) fn append_rejection(&mut self, rejection: &Rejection) -> Result<Accepted, Fatal> {
        let rejected = || Accepted::Rejected {
            code: rejection.code,
            message: rejection.message.clone(),
        };
        if let (RejectionCode::Retained, Some(id)) = (rejection.code, &rejection.id) {
            let digest = ids::digest(rejection.device.as_str(), id);
            if let Some(original) = self.ids.find(&digest, &*self.id_buckets)? {
                return Ok(Accepted::Duplicate { original });
            }
            let rejections = open(&mut self.rejections, self.write)?;
            if rejections.is_known(rejection.device.as_str(), id)? {
                return Ok(rejected());
            }
        }
        self.counters.totals.rejected += 1;
        let number = RejectedNumber::new(self.counters.totals.rejected);
        let bytes_max = self.limits.rejected_bytes_max;
        let rejections = open(&mut self.rejections, self.write)?;
        rejections.append(number, rejection, bytes_max)?;
        self.periods.add_reading(self.write, number, rejection)?;
        self.settle_by_earlier(number, rejection)?;
        Ok(rejected())
    }

    /// Settles a new reading whose id is that of an event that its device sent before: the same id
    /// is the same event, in whatever order the two arrive.
    fn settle_by_earlier(
        &mut self,
        number: RejectedNumber,
        rejection: &Rejection,
    ) -> Result<(), Fatal> {
        // A flow's reading may hold several events, of which only the first gives its id.
        let is_of_device = rejection.source != SourceKind::Flow && rejection.code.needs_person();
        let Some(id) = rejection.id.as_ref().filter(|_| is_of_device) else {
            return Ok(());
        };
        let digest = ids::digest(rejection.device.as_str(), id);
        let Some(original) = self.ids.find(&digest, &*self.id_buckets)? else {
            return Ok(());
        };
        let record = AuditRecord {
            at: rejection.received,
            state: RESENT.to_owned(),
            by: format!("device:{}", rejection.device),
            note: "its device sent the event earlier".to_owned(),
        };
        let record = with_events(record, &[Accepted::Duplicate { original }]);
        let rejections = open(&mut self.rejections, self.write)?;
        rejections.settle(number, &record)?;
        Ok(())
    }

    /// Settles the rejected reading of a device that has sent the event again: the event is stored
    /// now, or was before.
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

    /// Adds raw scans that were skipped because no flow uses them.
    pub fn count_unused(&mut self, scans: &[Seq]) -> Result<(), Fatal> {
        self.counters.totals.unused_scans += scans.len() as u64;
        self.periods.add_unused(self.write, scans)
    }

    /// Counts and lists scans that flows answered with an error.
    pub fn add_wrong(&mut self, scans: &[WrongScan]) -> Result<(), Fatal> {
        if scans.is_empty() {
            return Ok(());
        }
        let mut table = self.write.open_table(tables::WRONG_SCANS)?;
        for scan in scans {
            self.periods.add_wrong(self.write, scan.seq)?;
            let answer = stored::wrong_scan_in(&scan.answer)?;
            table.insert(scan.seq.get(), answer.as_slice())?;
        }
        Ok(())
    }

    /// Dismisses the unused scans by the decision of a person. Returns their count.
    pub fn dismiss_scans(&mut self, record: &AuditRecord) -> Result<u64, Fatal> {
        let scans = std::mem::take(&mut self.counters.totals.unused_scans);
        if scans > 0 {
            self.periods.dismiss_unused(self.write)?;
            let rejections = open(&mut self.rejections, self.write)?;
            rejections.put_audit(AUDIT_OF_SCANS, record)?;
        }
        Ok(scans)
    }

    /// Whether a reading with the id of a stored event may be open. No reading has an id that the
    /// gateway gave to an event.
    fn may_settle(&self, event: &Event, accepted: &Accepted) -> bool {
        let may_be_open = self.rejections.is_some() || self.counters.totals.rejected_open > 0;
        may_be_open && !event.id_derived && !matches!(accepted, Accepted::Rejected { .. })
    }

    /// Settles the open readings with the id of a stored event.
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
        rejections.settle_id(digest, record)
    }

    /// Settles those of the readings that are open. Stores the events of readings that are sent
    /// again in the same commit, so that each event is stored once.
    pub fn settle(
        &mut self,
        readings: Vec<Settlement>,
        dropped: Option<&(AuditRecord, RejectedNumber)>,
    ) -> Result<Settled, Fatal> {
        let mut settled = Settled {
            readings: Vec::with_capacity(readings.len()),
            dropped: 0,
        };
        for settlement in readings {
            let number = settlement.number;
            if !open(&mut self.rejections, self.write)?.is_open(number)? {
                settled.readings.push(Outcome::NotOpen);
                continue;
            }
            if let Some(differs) = self.differing(&settlement.events)? {
                settled.readings.push(differs);
                continue;
            }
            let events = settlement.events.iter();
            let accepted = events.map(|event| self.append_event(event));
            let accepted = accepted.collect::<Result<Vec<_>, _>>()?;
            let record = with_events(settlement.record, &accepted);
            let rejections = open(&mut self.rejections, self.write)?;
            rejections.settle(number, &record)?;
            for (event, accepted) in settlement.events.iter().zip(&accepted) {
                self.settle_earlier(event, accepted, &record)?;
            }
            settled.readings.push(Outcome::Settled(accepted));
        }
        if let Some((record, upto)) = dropped {
            let rejections = open(&mut self.rejections, self.write)?;
            settled.dropped = rejections.settle_dropped(*upto, record)?;
        }
        Ok(settled)
    }

    /// The first of these events that has the id of another event with other content. A pruned
    /// event cannot be compared.
    fn differing(&self, events: &[Event]) -> Result<Option<Outcome>, Fatal> {
        let mut seen = HashMap::new();
        for event in events {
            let digest = ids::digest(event.device.as_str(), &event.id);
            let original = self.ids.find(&digest, &*self.id_buckets)?;
            let stored = original.map(|seq| self.stored_event(seq)).transpose()?;
            let is_same = |other: &Event| other.action == event.action;
            let first = seen.entry(digest).or_insert(event);
            let is_known = stored.flatten().is_none_or(|stored| is_same(&stored));
            if !is_known || !is_same(first) {
                return Ok(Some(Outcome::Differs {
                    id: event.id.clone(),
                    original,
                }));
            }
        }
        Ok(None)
    }

    /// A stored event. `None`: the event was pruned.
    fn stored_event(&self, seq: Seq) -> Result<Option<Event>, Fatal> {
        let found = self.events.get(seq.get())?;
        Ok(found
            .map(|bytes| stored::event_out(bytes.value()))
            .transpose()?)
    }
}

/// Adds to a record the events that replace the reading, and the duplicates among them.
fn with_events(record: AuditRecord, accepted: &[Accepted]) -> AuditRecord {
    let (mut new, mut before) = (Vec::new(), Vec::new());
    for accepted in accepted {
        match accepted {
            Accepted::Stored { seq } => new.push(seq.to_string()),
            Accepted::Duplicate { original } => before.push(original.to_string()),
            Accepted::Rejected { .. } => {}
        }
    }
    let named = |seqs: &[String]| match seqs {
        [seq] => format!("event {seq}"),
        seqs => format!("events {}", seqs.join(", ")),
    };
    let mut note = record.note;
    if !new.is_empty() {
        note = format!("{note}: {}", named(&new));
    }
    if !before.is_empty() {
        note = format!("{note}: {STORED_BEFORE}{}", named(&before));
    }
    AuditRecord { note, ..record }
}

/// The tables of rejected readings within a transaction, opened at their first use.
pub(super) fn open<'a, 'b>(
    opened: &'b mut Option<Rejections<'a>>,
    write: &'a Changing<'a>,
) -> Result<&'b mut Rejections<'a>, Fatal> {
    Ok(match opened {
        Some(rejections) => rejections,
        none => none.insert(Rejections::open(write)?),
    })
}
