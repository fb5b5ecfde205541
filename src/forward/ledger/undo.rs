//! What a later event of the same device takes back.
//!
//! Once Odoo has it, it is moved back, or taken off the order again, by a document of its own; the other document keeps a note of
//! that, in the same transaction. What is parked is taken out of its document, and nothing of it goes to Odoo.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::changes::{taken_out, undone};
use super::{Ended, Ledger};
use crate::clock;
use crate::document::{Purpose, Reason};
use crate::event::Recorded;
use crate::forward::Interrupted;
use crate::forward::counted::lines_done;
use crate::forward::odoo::Client;
use crate::forward::resolve::{Asked, Ground, Intent, Prepared, resolve};
use crate::forward::undo::{Standing, Undoing, standing, without};
use crate::journal::{Change, Entry, JournalError};
use crate::outcome::code;

/// Corrections of corrections are followed so far.
const CHAIN_MAX: usize = 100;

/// How it stands with what a document takes back.
pub(super) enum Undo {
    /// It cannot be, and why.
    Refused(Reason),
    /// Another document has to come to an end first; none while it is not sealed.
    Waits(Option<Box<Entry>>),
    /// It is parked in this document.
    Parked(Box<Entry>, Box<Recorded>),
    /// Odoo has it.
    Moved(Box<Undoing>),
    /// Odoo may still hold it open, by this document, and did not let it go.
    Stuck(Box<Entry>),
    /// There is nothing to be taken back from Odoo, and why.
    Nothing(String),
}

impl Ledger {
    /// None for a document that takes nothing back.
    pub(super) fn undo(&self, entry: &Entry) -> Result<Option<Undo>, JournalError> {
        let Purpose::Undo { event: id, seq, .. } = &entry.document.purpose else {
            return Ok(None);
        };
        let event = seq
            .map(|seq| self.journal.event(seq))
            .transpose()?
            .flatten();
        let Some(event) = event else {
            let message = format!(
                "its device sent no event {id:?} before it, or that is past its time here: put right in Odoo what was meant, and discard this"
            );
            return Ok(Some(refused(code::UNKNOWN_EVENT, message)));
        };
        if event.event.action.quantity().is_none() {
            let kind = event.event.action.kind();
            let message = format!(
                "event {id:?} is of type {kind}, which nothing takes back: put it right in Odoo, and discard this"
            );
            return Ok(Some(refused(code::NOT_UNDONE, message)));
        }
        self.undo_of(entry, &event).map(Some)
    }

    fn undo_of(&self, entry: &Entry, event: &Recorded) -> Result<Undo, JournalError> {
        let number = match self.journal.document_of(event.seq)? {
            None => return Ok(Undo::Waits(None)),
            Some(None) => return Ok(Undo::Nothing("it needed no document".to_owned())),
            Some(Some(number)) => number,
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

    /// The document that keeps the note that this event was taken back.
    pub(super) fn undone_entry(&self, seq: u64) -> Result<Option<Entry>, JournalError> {
        let mut next = self.journal.document_of(seq)?.flatten();
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

    /// How it would stand if the event were in this document, and Odoo had it.
    pub(super) fn undo_in(
        &self,
        entry: &Entry,
        seq: u64,
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
        number: u64,
    ) -> Result<Undo, JournalError> {
        let said = self.said(&chain, event)?;
        let said = |seq: u64| said.get(&seq).copied().unwrap_or_default();
        Ok(match standing(&chain, event.seq) {
            Standing::Waits(number) => Undo::Waits(self.journal.document(number)?.map(Box::new)),
            Standing::Parked => {
                Undo::Parked(Box::new(chain.swap_remove(0)), Box::new(event.clone()))
            }
            Standing::Moved(place) => {
                let of = &chain[place];
                match Undoing::of(&entry.document, of, event, said) {
                    Some(undoing) => Undo::Moved(Box::new(undoing)),
                    None => Undo::Nothing(format!(
                        "it was taken back before, of document {}",
                        of.document.number
                    )),
                }
            }
            Standing::Stuck(place) => Undo::Stuck(Box::new(chain.swap_remove(place))),
            Standing::Never => Undo::Nothing(format!(
                "nothing of it is in Odoo: it was taken out of, or left out of, document {number}, or that was not posted"
            )),
        })
    }

    /// What the events said that are, or were, taken back.
    fn said(
        &self,
        chain: &[Entry],
        event: &Recorded,
    ) -> Result<BTreeMap<u64, Decimal>, JournalError> {
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

    /// Whether what this document takes back has to come to an end first. What is parked does so here.
    pub(super) async fn waits_for_undone(
        &mut self,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<bool, Interrupted> {
        let before = match self.undo(entry)? {
            Some(Undo::Waits(before)) => before,
            Some(Undo::Parked(before, event)) => {
                self.take_out(entry, &before, &event).await?;
                self.journal.document(before.document.number)?.map(Box::new)
            }
            _ => return Ok(false),
        };
        self.sequence.blocks(Some(ground.copy), &entry.document);
        if let Some(before) = before {
            self.say_held_back(entry, &before).await?;
        }
        Ok(true)
    }

    /// Takes an event out of the parked document that has it: one without it takes its place, or none.
    async fn take_out(
        &mut self,
        undo: &Entry,
        parked: &Entry,
        event: &Recorded,
    ) -> Result<(), Ended> {
        let quantity = event.event.action.quantity().unwrap_or_default();
        let now = clock::now();
        let new = without(&parked.document, event.seq, now, |_| quantity);
        let change = taken_out(undo, parked, event, now, new.is_some());
        let Some(new) = new else {
            return self.change(vec![change]).await.map(drop);
        };
        let inbox = self.journal.inbox();
        let replace = || inbox.replace(change.clone(), new.clone());
        // Where it is none, a person was faster.
        self.while_full(replace).await.map(drop)
    }

    /// What is said to Odoo about what this document takes back.
    pub(super) async fn resolve_undo(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        intent: Intent,
        entry: &Entry,
        mut undo: Undo,
    ) -> Result<Result<Prepared, Reason>, Interrupted> {
        self.undoing = None;
        if let (Undo::Stuck(of), Intent::Send) = (&undo, intent) {
            // Somebody may have cancelled it there since.
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
                    "Odoo does not let go of what it holds open of document {}, which has what this takes back: cancel it there, and retry",
                    of.document.number
                );
                return Ok(Err(reason(code::NOT_WITHDRAWN, message)));
            }
            Undo::Waits(_) | Undo::Parked(..) => {
                let message = "what it takes back was in Odoo and is not any more: retry it";
                return Ok(Err(reason(code::NOT_WITHDRAWN, message.to_owned())));
            }
            Undo::Moved(undoing) => undoing,
        };
        let asked = Asked {
            document: &undoing.document,
            undoing: Some(&undoing),
            ..super::asked(entry)
        };
        let resolved = resolve(odoo, ground, intent, &[asked]).await?.pop();
        let resolved = resolved.unwrap_or_else(|| Ok(Prepared::nothing(String::new())));
        if intent == Intent::Look {
            return Ok(resolved);
        }
        let done = lines_done(&self.journal, &undoing.document)?;
        let besides = Some(undoing.number);
        self.undoing = Some((entry.document.number, undoing.number, undoing.seq));
        Ok(match resolved {
            Ok(prepared) => self.counts()?.check(entry, &done, besides, prepared),
            refused => refused,
        })
    }

    /// What is to be written of the document that this one took something back of, now that it has.
    pub(super) fn undone(&self, number: u64) -> Result<Option<Change>, JournalError> {
        let Some((_, of, seq)) = self.undoing.filter(|(by, ..)| *by == number) else {
            return Ok(None);
        };
        let of = self.journal.document(of)?;
        Ok(of.map(|of| undone(&of, seq, number)))
    }

    /// A count that is taken back in Odoo is none any more, whatever happens before that is written down.
    pub(super) async fn forget_undone(&mut self, number: u64) -> Result<(), Interrupted> {
        let Some((_, of, _)) = self.undoing.filter(|(by, ..)| *by == number) else {
            return Ok(());
        };
        let changes = self.counts()?.undone(of);
        self.keep(changes).await?;
        self.note_taken_back(of, number).await
    }
}

fn reason(code: &str, message: String) -> Reason {
    Reason {
        code: code.to_owned(),
        message,
    }
}

fn refused(code: &str, message: String) -> Undo {
    Undo::Refused(reason(code, message))
}
