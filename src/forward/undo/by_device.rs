//! Reverses an event because a later event of the same device undoes it.
//!
//! If Odoo has the event, a document of its own moves the goods back or removes the lines from the
//! order; the same transaction marks the reversed document. If the event is parked, it is taken out
//! of its document, and nothing of it goes to Odoo.

mod counted_between;

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use self::counted_between::ends_of_event;
use super::marks::{mark_taken_out, mark_undone};
use super::remainder::{Remainder, find_remainder, without};
use crate::clock;
use crate::document::{DocumentNumber, Purpose, Reason, State};
use crate::event::{Recorded, Seq};
use crate::forward::Interrupted;
use crate::forward::counts::ends_of;
use crate::forward::queue::changes::Effects;
use crate::forward::queue::changes::park;
use crate::forward::queue::{Ended, Queue};
use crate::forward::resolve::Undoing;
use crate::forward::resolve::{
    Asked, Ground, Intent, Prepared, count_difference, resolve, with_difference,
};
use crate::journal::{Change, Entry, EventDocument, JournalError};
use crate::odoo::Client;
use crate::reason::{Flag, ReasonCode};

/// Limit of corrections of corrections that are followed.
const CHAIN_MAX: usize = 100;

/// The state of the event that a document undoes.
pub enum Undo {
    /// The event cannot be undone, with the reason.
    Refused(Reason),
    /// Another document must end first. `None`: the document that has the event is not sealed yet.
    GoodsWaits(Option<Box<Entry>>),
    /// The event is in this parked document.
    Parked(Box<Entry>, Box<Recorded>),
    /// Odoo has the movement of the event.
    Moved(Box<Undoing>),
    /// Odoo may still hold the event's goods open, through this document, and refused to cancel
    /// them.
    Stuck(Box<Entry>),
    /// There is nothing to reverse in Odoo, with the explanation.
    Nothing(String),
}

impl Queue {
    /// `None`: the document undoes nothing.
    pub fn undo(&self, entry: &Entry) -> Result<Option<Undo>, JournalError> {
        let Purpose::Undo { event: id, seq, .. } = &entry.document.purpose else {
            return Ok(None);
        };
        let event = seq
            .map(|seq| self.journal.event(seq))
            .transpose()?
            .flatten();
        let Some(event) = event else {
            let message = format!(
                "the device sent no event {id:?} before this undo, or the gateway has deleted the event after its retention time: correct the stock in Odoo if necessary, and discard this document"
            );
            return Ok(Some(refused(ReasonCode::UnknownEvent, message)));
        };
        if event.event.action.quantity().is_none() {
            let kind = event.event.action.kind();
            let message = format!(
                "the gateway cannot undo event {id:?} of type {kind}: correct the result in Odoo, and discard this document"
            );
            return Ok(Some(refused(ReasonCode::NotUndone, message)));
        }
        self.undo_of(entry, &event).map(Some)
    }

    fn undo_of(&self, entry: &Entry, event: &Recorded) -> Result<Undo, JournalError> {
        let number = match self.journal.document_of(event.seq)? {
            EventDocument::Open => return Ok(Undo::GoodsWaits(None)),
            EventDocument::NotNeeded => {
                return Ok(Undo::Nothing("the event needed no document".to_owned()));
            }
            EventDocument::Sealed(number) => number,
        };
        let mut chain = Vec::new();
        let mut next = Some(number);
        while let Some(number) = next.filter(|_| chain.len() < CHAIN_MAX) {
            let Some(entry) = self.journal.document(number)? else {
                break;
            };
            next = entry.document.corrects.filter(|before| *before < number);
            chain.push(self.revived(entry)?);
        }
        self.undo_in_chain(entry, event, chain, number)
    }

    /// The document whose record has this event as undone.
    pub fn undone_entry(&self, seq: Seq) -> Result<Option<Entry>, JournalError> {
        let mut next = self.journal.document_of(seq)?.number();
        for _ in 0..CHAIN_MAX {
            let Some(number) = next else { break };
            let Some(entry) = self.journal.document(number)? else {
                break;
            };
            if entry.progress.undone.contains(&seq) {
                return self.revived(entry).map(Some);
            }
            next = entry.document.corrects.filter(|before| *before < number);
        }
        Ok(None)
    }

    /// The state of an undo if its event were in document `of`, and Odoo had that document. `entry`
    /// is the document of the undo, and `seq` the event that it undoes.
    pub fn undo_in(
        &self,
        entry: &Entry,
        seq: Seq,
        of: Entry,
    ) -> Result<Option<Undo>, JournalError> {
        let Some(event) = self.journal.event(seq)? else {
            return Ok(None);
        };
        let number = of.document.number;
        self.undo_in_chain(entry, &event, vec![of], number)
            .map(Some)
    }

    fn undo_in_chain(
        &self,
        entry: &Entry,
        event: &Recorded,
        mut chain: Vec<Entry>,
        number: DocumentNumber,
    ) -> Result<Undo, JournalError> {
        let said = self.said(&chain, event)?;
        let said = |seq: Seq| said.get(&seq).copied().unwrap_or_default();
        Ok(match find_remainder(&chain, event.seq) {
            Remainder::GoodsWaits(number) => {
                Undo::GoodsWaits(self.journal.document(number)?.map(Box::new))
            }
            Remainder::Parked => {
                Undo::Parked(Box::new(chain.swap_remove(0)), Box::new(event.clone()))
            }
            Remainder::Moved(place) => {
                let of = &chain[place];
                match Undoing::of(&entry.document, of, event, said) {
                    Some(undoing) => self.with_recounts(of, undoing)?,
                    None => Undo::Nothing(format!(
                        "the event was already undone in document {}",
                        of.document.number
                    )),
                }
            }
            Remainder::Stuck(place) => Undo::Stuck(Box::new(chain.swap_remove(place))),
            Remainder::Never => Undo::Nothing(format!(
                "there is nothing to undo in Odoo: the event was removed from document {number}, or a correction left it out, or the document was not posted"
            )),
        })
    }

    /// A count is undone together with its recounts. A recount that may be in Odoo must end first.
    fn with_recounts(&self, of: &Entry, mut undoing: Undoing) -> Result<Undo, JournalError> {
        let own = of.progress.plan.as_deref().and_then(count_difference);
        let Some((place, own)) = own.filter(|_| of.document.purpose == Purpose::Count) else {
            return Ok(Undo::Moved(Box::new(undoing)));
        };
        let mut difference = own;
        for number in 0.. {
            let key = of.document.key.recount(number);
            let Some(recount) = self.journal.document_by_key(key)? else {
                break;
            };
            let is_begun = recount.progress.attempts > 0;
            match recount.progress.state {
                State::Posted => {}
                State::Discarded if is_posted_in_odoo(&recount) => {}
                State::Waiting | State::Sending | State::Parked if is_begun => {
                    return Ok(Undo::GoodsWaits(Some(Box::new(recount))));
                }
                _ => continue,
            }
            match recount.progress.plan.as_deref().and_then(count_difference) {
                Some((_, more)) if more.is_zero() => {}
                Some((at, more)) if at == place || own.is_zero() => difference += more,
                Some(_) => {
                    let message = format!(
                        "document {} corrected this count in another package or for another owner: correct the stock in Odoo, and discard this document",
                        recount.document.number
                    );
                    return Ok(refused(ReasonCode::NotUndone, message));
                }
                None => {}
            }
        }
        undoing.plan = undoing.plan.map(|kept| with_difference(&kept, difference));
        Ok(Undo::Moved(Box::new(undoing)))
    }

    /// What the events report that are undone now or were undone before.
    fn said(
        &self,
        chain: &[Entry],
        event: &Recorded,
    ) -> Result<BTreeMap<Seq, Decimal>, JournalError> {
        let mut said = BTreeMap::new();
        let mut note = |recorded: &Recorded| {
            let quantity = recorded.event.action.quantity();
            said.insert(recorded.seq, quantity.unwrap_or_default());
        };
        note(event);
        for seq in chain.iter().flat_map(|entry| &entry.progress.undone) {
            if let Some(recorded) = self.journal.event(*seq)? {
                note(&recorded);
            }
        }
        Ok(said)
    }

    /// Whether this document must wait until the document with its undone event ends. If that
    /// document is parked, the event is removed from it here.
    pub async fn waits_for_undone(
        &mut self,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<bool, Interrupted> {
        let before = match self.undo(entry)? {
            Some(Undo::GoodsWaits(before)) => before,
            Some(Undo::Parked(before, event)) => {
                if let Some(reason) = self.counted_before_undo(ground, entry, &before, &event)? {
                    self.change(vec![park(entry, reason, None)]).await?;
                    self.dependencies.blocks(Some(ground.copy), &entry.document);
                    return Ok(true);
                }
                self.take_out(ground, entry, &before, &event).await?;
                self.journal.document(before.document.number)?.map(Box::new)
            }
            _ => return Ok(false),
        };
        self.dependencies.blocks(Some(ground.copy), &entry.document);
        if let Some(before) = before {
            self.say_held_back(entry, &before).await?;
        }
        Ok(true)
    }

    /// Removes an event from its parked document. A document without the event replaces it; if
    /// nothing would be left, none does.
    async fn take_out(
        &mut self,
        ground: Ground<'_>,
        undo: &Entry,
        parked: &Entry,
        event: &Recorded,
    ) -> Result<(), Ended> {
        let quantity = event.event.action.quantity().unwrap_or_default();
        let now = clock::now();
        let line = (parked.document.lines.iter()).find(|line| line.events.contains(&event.seq));
        let ends = line
            .map(|line| ends_of(ground.copy, line))
            .unwrap_or_default();
        let mut noted = Effects::default();
        for span in self.spans_of(&undo.document, &parked.document, event.seq)? {
            noted.side_changes.extend(self.note_undone(&ends, span)?);
        }
        self.change_and(Vec::new(), noted).await?;
        let new = without(&parked.document, event.seq, now, |_| quantity);
        let change = mark_taken_out(undo, parked, event, now, new.is_some());
        let Some(new) = new else {
            return self.change(vec![change]).await.map(drop);
        };
        let inbox = self.journal.inbox();
        let replace = || inbox.replace(change.clone(), new.clone());
        // If no change was written, a person changed the document first.
        self.while_full(replace).await.map(drop)
    }

    /// Resolves the work in Odoo for the event that this document undoes.
    pub async fn resolve_undo(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        intent: Intent,
        entry: &Entry,
        mut undo: Undo,
    ) -> Result<Result<Prepared, Reason>, Interrupted> {
        self.undoing = None;
        if let (Undo::Stuck(of), Intent::Send) = (&undo, intent) {
            // Somebody may have cancelled the picking in Odoo since.
            self.take_back_again(odoo, ground, of).await?;
            undo = match self.undo(entry)? {
                Some(undo) => undo,
                None => return Ok(Ok(Prepared::nothing(String::new()))),
            };
        }
        let undoing = match undo {
            Undo::Refused(reason) => return Ok(Err(reason)),
            Undo::Nothing(why) => return Ok(Ok(Prepared::nothing(why))),
            Undo::Stuck(of) => {
                let message = format!(
                    "the event to undo is in document {}, and Odoo refuses to cancel the open picking of that document: cancel the picking in Odoo, and retry this document",
                    of.document.number
                );
                return Ok(Err(reason(ReasonCode::NotWithdrawn, message)));
            }
            Undo::GoodsWaits(_) | Undo::Parked(..) => {
                let message = "Odoo no longer has the event to undo: retry this document";
                return Ok(Err(reason(ReasonCode::NotWithdrawn, message.to_owned())));
            }
            Undo::Moved(undoing) => undoing,
        };
        let asked = Asked {
            document: &undoing.document,
            undoing: Some(&undoing),
            ..crate::forward::queue::asked(entry)
        };
        let resolved = resolve(odoo, ground, intent, &[asked]).await?.pop();
        let resolved = resolved.unwrap_or_else(|| Ok(Prepared::nothing(String::new())));
        if intent == Intent::Look {
            return Ok(resolved);
        }
        self.undoing = Some((entry.document.number, undoing.number, undoing.seq));
        Ok(match resolved {
            Ok(prepared) => self.counted_between(entry, &undoing, prepared)?,
            refused => refused,
        })
    }

    /// The change for the document whose event this one has undone.
    pub fn undone(&self, number: DocumentNumber) -> Result<Option<Change>, JournalError> {
        let Some((_, of, seq)) = self.undoing.filter(|(by, ..)| *by == number) else {
            return Ok(None);
        };
        let of = self.journal.document(of)?;
        Ok(of.map(|of| mark_undone(&of, seq, number)))
    }

    /// Adds the effects of an undo: the other document records it, a count that is undone is no
    /// longer valid, and the place of the goods between the event and its undo is unknown.
    pub fn after_undo(
        &mut self,
        number: DocumentNumber,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let Some((_, of, seq)) = self.undoing.filter(|(by, ..)| *by == number) else {
            return Ok(());
        };
        let noted = self.late()?.taken_back(of, number);
        effects.side_changes.extend(noted);
        effects.changes.extend(self.undone(number)?);
        let (Some(undo), Some(of)) = (self.journal.document(number)?, self.journal.document(of)?)
        else {
            return Ok(());
        };
        if of.document.purpose == Purpose::Count {
            self.forget_count(of.document.number, effects)?;
        }
        let ends = ends_of_event(&of, seq);
        for span in self.spans_of(&undo.document, &of.document, seq)? {
            effects.side_changes.extend(self.note_undone(&ends, span)?);
        }
        Ok(())
    }
}

fn is_posted_in_odoo(entry: &Entry) -> bool {
    let mut flags = entry.progress.flags.iter();
    flags.any(|known| *known == Flag::PostedInOdoo)
}

fn reason(code: ReasonCode, message: String) -> Reason {
    Reason {
        code: code.into(),
        message,
        lines: Vec::new(),
    }
}

fn refused(code: ReasonCode, message: String) -> Undo {
    Undo::Refused(reason(code, message))
}
