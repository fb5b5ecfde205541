//! Checks calls without an answer once they can no longer be running in Odoo
//! (`odoo.late_commit_s`).
//!
//! While a document is being sent, its next call sees what the abandoned call did. So only two
//! kinds need a check: discarded or replaced documents, of which Odoo must hold nothing open, and
//! lines that were removed from an order. What came back is removed again. For what was posted
//! there is an alarm, and a discarded document is parked.

use jiff::{SignedDuration, Timestamp};

use super::by_device::Undo;
use super::marks::{mark_posted_late, mark_withdrawn_again};
use super::withdraw::{Withdrawn, withdraw};
use crate::catalog::refresh::Trouble;
use crate::clock;
use crate::document::{DocumentNumber, Purpose, State};
use crate::forward::Interrupted;
use crate::forward::job::Work;
use crate::forward::order::{OrderJob, OrderStep, Reconciling};
use crate::forward::queue::changes::Effects;
use crate::forward::queue::changes::wait;
use crate::forward::queue::late_calls::LateCalls;
use crate::forward::queue::{PAGE_DOCUMENTS, Queue, asked, is_to_take_back};
use crate::forward::resolve::Undoing;
use crate::forward::resolve::{Asked, Ground, Intent, resolve};
use crate::journal::{Entry, JournalError};
use crate::odoo::order::odoo_time;
use crate::odoo::{Client, PickingState};
use crate::odoo_id::PickingId;
use crate::outcome::{Failure, Outcome};
use crate::reason::Flag;

impl Queue {
    /// Notes that a call about the documents being sent got no answer.
    pub async fn note_unanswered(&mut self) -> Result<(), Interrupted> {
        let numbers: Vec<DocumentNumber> = self.sending.keys().copied().collect();
        let changes = self.late()?.note(&numbers, clock::now());
        self.store_side_values(changes).await
    }

    /// The list of late calls. On the first use it is read from the journal.
    pub fn late(&mut self) -> Result<&mut LateCalls, JournalError> {
        let late = match self.late.take() {
            Some(late) => late,
            None => LateCalls::load(&self.journal)?,
        };
        Ok(self.late.insert(late))
    }

    /// Notes, once after the start, the documents that were being sent when the last process
    /// stopped: Odoo may still be carrying out their calls.
    pub async fn note_stopped(&mut self) -> Result<(), Interrupted> {
        if self.are_stopped_noted {
            return Ok(());
        }
        let (mut numbers, mut after) = (Vec::new(), DocumentNumber::ZERO);
        loop {
            let sending = Some(State::Sending);
            let page = self.journal.documents(sending, after, PAGE_DOCUMENTS)?;
            let Some(last) = page.last() else { break };
            after = last.document.number;
            numbers.extend(page.iter().map(|entry| entry.document.number));
        }
        let changes = self.late()?.note(&numbers, clock::now());
        self.store_side_values(changes).await?;
        self.are_stopped_noted = true;
        Ok(())
    }

    /// Looks at each document whose abandoned call cannot be running any more. Returns a sentence
    /// for people if Odoo posted a discarded or replaced document.
    pub async fn look_at_late(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        late_s: u64,
    ) -> Result<Option<String>, Interrupted> {
        let limit = SignedDuration::from_secs(late_s.cast_signed());
        let (mut after, mut sentence) = (DocumentNumber::ZERO, None);
        while let Some(number) = self.late()?.due(clock::now(), limit, after) {
            after = number;
            if let Some(entry) = self.journal.document(number)? {
                let entry = self.revived(entry)?;
                // A refusal is about this document's records and holds no other document up.
                match self.look_at(odoo, ground, entry).await {
                    Ok(posted) => sentence = posted.or(sentence),
                    Err(Interrupted::Trouble(Trouble::Odoo(Failure::Person {
                        message, ..
                    }))) => {
                        tracing::warn!(
                            number = number.get(),
                            message,
                            "Odoo refuses to show the effect of an abandoned call: look at the picking of this document in Odoo, and undo there what the call changed after the document ended"
                        );
                    }
                    Err(interrupted) => return Err(interrupted),
                }
            }
            let changes = self.late()?.remove(number);
            self.store_side_values(changes).await?;
        }
        Ok(sentence)
    }

    async fn look_at(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: Entry,
    ) -> Result<Option<String>, Interrupted> {
        match entry.progress.state {
            // The document's own next call sees what the abandoned call did.
            State::Waiting | State::Sending | State::Parked => Ok(None),
            // The document is withdrawn later, and the withdrawal sees the late commit as well.
            State::Discarded | State::Replaced if is_to_take_back(&entry) => Ok(None),
            State::Discarded | State::Replaced => self.look_at_withdrawn(odoo, ground, entry).await,
            State::Posted => {
                self.look_at_undo(odoo, ground, &entry).await?;
                Ok(None)
            }
        }
    }

    async fn look_at_withdrawn(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: Entry,
    ) -> Result<Option<String>, Interrupted> {
        if !entry.progress.flags.iter().any(|f| *f == Flag::Withdrawn) {
            return Ok(None);
        }
        let known = entry.progress.odoo.as_ref();
        let withdrawn = withdraw(odoo, ground.warehouse, &entry.document, known, true).await;
        let mut withdrawn = match withdrawn {
            Ok(withdrawn) => withdrawn,
            Err(Failure::Person { message, .. }) => Withdrawn::Refused(message),
            Err(failure) => return Err(failure.into()),
        };
        if matches!(withdrawn, Withdrawn::Gone { .. })
            && let Some(name) = self.validated_late(odoo, ground, &entry).await?
        {
            withdrawn = Withdrawn::Posted(name);
        }
        let number = entry.document.number;
        match withdrawn {
            Withdrawn::Gone { open: 0 } => Ok(None),
            Withdrawn::Posted(name) => {
                tracing::error!(
                    number = number.get(),
                    odoo = name,
                    "an abandoned call posted the document"
                );
                let mut moved = Effects::default();
                self.recount_later_counts(&entry, &mut moved)?;
                self.change_and(vec![mark_posted_late(&entry, &name)], moved)
                    .await?;
                if entry.progress.state == State::Discarded {
                    self.dependencies.blocks(Some(ground.copy), &entry.document);
                }
                Ok(Some(format!(
                    "An abandoned call posted document {number} in Odoo as {name}, after the document was discarded or corrected. If this posting is wrong, reverse {name} in Odoo."
                )))
            }
            left => {
                tracing::warn!(
                    number = number.get(),
                    "withdrawing the effect of an abandoned call"
                );
                self.change(vec![mark_withdrawn_again(&entry, &left)])
                    .await?;
                Ok(None)
            }
        }
    }

    /// The picking of the document's order that a discarded validation posted after all: the
    /// picking is ours, was done since, and belongs to no other document.
    async fn validated_late(
        &self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<Option<String>, Interrupted> {
        if !entry.document.purpose.is_about_order() {
            return Ok(None);
        }
        let order = entry.document.purpose.order().unwrap_or_default();
        let seen = odoo.order(ground.warehouse, order).await?;
        // The call may have been made and carried out long before the document was discarded.
        let sealed = entry.document.sealed;
        let since = odoo_time(sealed);
        for picking in &seen.pickings {
            let ours = picking.state == PickingState::Done && picking.write_uid == Some(seen.me);
            let after = picking.date_done.as_deref() >= Some(since.as_str());
            if ours && after && !self.is_validated_since(picking.id, sealed)? {
                return Ok(Some(picking.name.clone()));
            }
        }
        Ok(None)
    }

    /// Whether another document was posted since then that may have validated this picking.
    fn is_validated_since(
        &self,
        picking: PickingId,
        since: Timestamp,
    ) -> Result<bool, JournalError> {
        let mut after = DocumentNumber::ZERO;
        loop {
            let posted = Some(State::Posted);
            let page = self.journal.documents(posted, after, PAGE_DOCUMENTS)?;
            let Some(last) = page.last() else {
                return Ok(false);
            };
            after = last.document.number;
            let is = |entry: &Entry| {
                let odoo = entry.progress.odoo.as_ref();
                let validates = matches!(entry.document.purpose, Purpose::Validate { .. });
                validates
                    && odoo.is_some_and(|of| of.id == picking)
                    && entry.progress.since >= since
            };
            if page.iter().any(is) {
                return Ok(true);
            }
        }
    }

    /// Lines that a document removed from an order and that are there again: the document is sent
    /// again.
    async fn look_at_undo(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<(), Interrupted> {
        let Some((of, undoing)) = self.undone_by(entry)? else {
            return Ok(());
        };
        let asked = Asked {
            document: &undoing.document,
            undoing: Some(&undoing),
            ..asked(entry)
        };
        let resolved = resolve(odoo, ground, Intent::Look, &[asked]).await?.pop();
        let Some(Ok(Some(Work::Order(job)))) = resolved.map(|of| of.map(|of| of.work)) else {
            return Ok(());
        };
        if !is_there_again(odoo, ground, entry, job).await? {
            return Ok(());
        }
        let number = entry.document.number;
        tracing::warn!(
            number = number.get(),
            "lines are back on an order; the gateway removes them again"
        );
        let mut open = of.clone();
        open.progress.undone.retain(|seq| *seq != undoing.seq);
        let note = format!("the event that document {number} undid is in Odoo again");
        let mut of = crate::forward::queue::changes::change(&open, of.progress.state, note);
        of.progress.since = open.progress.since;
        let note =
            "an abandoned call put the lines back on the order; the gateway removes them again";
        self.change(vec![of, wait(entry, note.to_owned())]).await?;
        Ok(())
    }

    /// The document about an order whose event this one undid, with the movement that reverses the
    /// event.
    fn undone_by(&self, entry: &Entry) -> Result<Option<(Entry, Undoing)>, JournalError> {
        let Purpose::Undo { seq: Some(seq), .. } = &entry.document.purpose else {
            return Ok(None);
        };
        let Some(mut of) = self.undone_entry(*seq)? else {
            return Ok(None);
        };
        if !of.document.purpose.is_about_order() {
            return Ok(None);
        }
        let whole = of.clone();
        of.progress.undone.retain(|undone| undone != seq);
        Ok(match self.undo_in(entry, *seq, of)? {
            Some(Undo::Moved(undoing)) => Some((whole, *undoing)),
            _ => None,
        })
    }
}

/// Whether lines that were removed from an order are on it again. Goods that came back by a picking
/// of their own stay on the order, which is done.
async fn is_there_again(
    odoo: &mut Client,
    ground: Ground<'_>,
    entry: &Entry,
    job: OrderJob,
) -> Result<bool, Failure> {
    if !odoo.held(entry.document.key).await?.is_empty() {
        return Ok(false);
    }
    let seen = odoo.order(ground.warehouse, &job.order).await?;
    let mut reconciling = Reconciling::new(job, ground.rules.orders.clone());
    reconciling.seen(&seen);
    Ok(match reconciling.next() {
        OrderStep::Reduce { .. } => true,
        OrderStep::Finish(outcome) => matches!(outcome, Outcome::Overtaken { .. }),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::channel::Outlets;
    use crate::config;
    use crate::document::{Document, DocumentKey, Line};
    use crate::event::{Action, Event, Goods, Measures, Name, Seq, SourceKind};
    use crate::forward::queue::changes::change;
    use crate::journal::Journal;

    const ONE: DocumentNumber = DocumentNumber::new(1);

    fn scan() -> Event {
        Event {
            device: Name::new("pda").unwrap(),
            id: "e1".to_owned(),
            id_derived: false,
            source: SourceKind::Listen,
            at: Timestamp::UNIX_EPOCH,
            received: Timestamp::UNIX_EPOCH,
            measures: Measures::new(),
            operator: None,
            flags: Vec::new(),
            action: Action::Scan {
                code: "400".to_owned(),
                symbology: None,
            },
        }
    }

    fn document() -> Document {
        let line = Line {
            goods: Goods {
                product: "400".to_owned(),
                quantity: 1.into(),
                ..Goods::default()
            },
            events: vec![Seq::new(1)],
        };
        Document {
            number: ONE,
            key: DocumentKey([1; 16]),
            purpose: Purpose::Transfer,
            group: "pda".to_owned(),
            lines: vec![line],
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: vec![Seq::new(1)],
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        }
    }

    #[tokio::test]
    async fn calls_that_ran_at_the_stop_are_noted_although_the_list_was_read_before() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        let inbox = journal.inbox();
        inbox.append(vec![Ok(scan())]).await.unwrap();
        let settled = Seq::new(1);
        let sealing = inbox.seal_and_store(
            vec![document()],
            Vec::new(),
            Vec::new(),
            settled,
            Vec::new(),
        );
        sealing.await.unwrap();
        let entry = journal.document(ONE).unwrap().unwrap();
        let sending = change(&entry, State::Sending, String::new());
        assert_eq!(inbox.change(vec![sending]).await.unwrap(), [true]);
        let new = || {
            Queue::new(
                journal.clone(),
                Outlets::default(),
                CancellationToken::new(),
            )
        };
        let mut queue = new();
        assert!(!queue.late().unwrap().holds(ONE));
        queue.note_stopped().await.unwrap();
        assert!(queue.late().unwrap().holds(ONE));
        assert!(new().late().unwrap().holds(ONE), "it is not on disk");
        // Once only: what has been decided is not noted again.
        let removed = queue.late().unwrap().remove(ONE);
        queue.store_side_values(removed).await.unwrap();
        queue.note_stopped().await.unwrap();
        assert!(!queue.late().unwrap().holds(ONE));
    }
}
