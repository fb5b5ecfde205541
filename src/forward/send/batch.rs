//! The documents of a batch, the step that they have reached, and the meaning of an answer to it.
//! Pure.

use std::time::Duration;

use super::compare::{self, Verdict};
use super::{Command, UNANSWERED_MAX, backoff};
use crate::document::{DocumentNumber, OdooRef};
use crate::odoo::{LOADS_AGAIN, Picking, Transfer};
use crate::odoo_id::PickingId;
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Load,
    Read,
    Validate,
    /// Odoo refused to validate its only document: the picking shows whether another user validated
    /// it meanwhile.
    Refused,
    SetDone,
    /// Odoo posted the document, but refuses the true time (a closed period): the gateway only
    /// reads the picking back.
    ReadBack,
}

#[derive(Debug)]
pub struct Batch {
    pub documents: Vec<Sent>,
    pub step: Step,
    pub slowest: Duration,
    /// The batch is a part of a larger batch, so it shows nothing about the right size.
    pub part: bool,
    /// Calls of one step in a row that were about its only document and got no answer, while Odoo
    /// answered other calls.
    pub unanswered: u32,
    pub unanswered_at: Option<Step>,
    /// Its only document was validated in a call of its own, so the result of that call is about
    /// this document alone.
    pub validated_alone: bool,
    /// Why Odoo refused to validate its only document.
    pub refusal: Option<String>,
    /// How often Odoo refused to load its only document.
    pub loads_refused: u32,
    /// The batch is not sent before this time.
    pub not_before: Duration,
}

#[derive(Debug)]
pub struct Sent {
    pub number: DocumentNumber,
    pub transfer: Transfer,
    /// The id that `load` returned.
    pub picking: PickingId,
    /// The picking as read before the validation.
    pub odoo: Option<OdooRef>,
    /// The picking was posted before this attempt: by us, before an answer got lost.
    pub already: bool,
}

impl Sent {
    /// The picking that Odoo has for the document, named by its id if its name could not be read.
    pub fn named(self) -> Option<OdooRef> {
        let id = Some(self.picking).filter(|id| *id != PickingId::new(0));
        let unread = id.map(|id| OdooRef {
            id,
            name: format!("picking {id}"),
        });
        self.odoo.or(unread)
    }
}

impl Batch {
    /// A batch of documents that were just taken.
    pub fn new(transfers: Vec<(DocumentNumber, Transfer, bool)>) -> Self {
        // A document that was deferred before has no attempts left.
        let unanswered = match transfers.as_slice() {
            [(_, _, true)] => UNANSWERED_MAX - 1,
            _ => 0,
        };
        let documents = transfers.into_iter().map(|(number, transfer, _)| Sent {
            number,
            transfer,
            picking: PickingId::new(0),
            odoo: None,
            already: false,
        });
        Self {
            documents: documents.collect(),
            step: Step::Load,
            slowest: Duration::ZERO,
            part: false,
            unanswered,
            unanswered_at: None,
            validated_alone: false,
            refusal: None,
            loads_refused: 0,
            not_before: Duration::ZERO,
        }
    }

    /// Moves a document into a batch of its own.
    pub fn take(&mut self, place: usize) -> Self {
        Self {
            documents: vec![self.documents.remove(place)],
            part: true,
            refusal: None,
            ..*self
        }
    }

    /// The batch of a document that Odoo refused, to be loaded again after a pause. `Err`, with the
    /// document, if Odoo's error is a refusal.
    pub fn load_again(mut self, now: Duration, jitter: f64) -> Result<Self, Sent> {
        if self.step == Step::Load && self.loads_refused < LOADS_AGAIN {
            self.not_before = now + backoff(self.loads_refused, jitter);
            self.loads_refused += 1;
            return Ok(self);
        }
        Err(self.documents.remove(0))
    }

    /// Skips the validation step if no picking of the batch needs it.
    pub fn skipping(mut self) -> Self {
        if self.step == Step::Validate && self.documents.iter().all(|sent| sent.already) {
            self.step = Step::SetDone;
        }
        self
    }

    pub fn lines(&self) -> usize {
        self.documents.iter().map(|s| s.transfer.lines.len()).sum()
    }

    pub fn command(&self) -> Command<'_> {
        let ids = || self.documents.iter().map(|s| s.picking).collect();
        match self.step {
            Step::Load => Command::Load(self.documents.iter().map(|s| &s.transfer).collect()),
            Step::Read | Step::Refused | Step::ReadBack => Command::Read(ids()),
            Step::Validate => Command::Validate(
                self.documents
                    .iter()
                    .filter(|sent| !sent.already)
                    .map(|sent| (sent.picking, &sent.transfer))
                    .collect(),
            ),
            Step::SetDone => Command::SetDone(
                self.documents
                    .iter()
                    .map(|sent| (sent.picking, sent.transfer.when))
                    .collect(),
            ),
        }
    }

    pub fn loaded(&mut self, ids: &[PickingId]) -> Vec<(DocumentNumber, Outcome)> {
        for (sent, id) in self.documents.iter_mut().zip(ids) {
            sent.picking = *id;
            sent.already = false;
        }
        self.step = Step::Read;
        Vec::new()
    }

    /// Removes from the batch the documents that must not be validated: only pickings that still
    /// match their document stay.
    pub fn before_validation(&mut self, pickings: &[Picking]) -> Vec<(DocumentNumber, Outcome)> {
        self.step = Step::SetDone;
        let mut settled = Vec::new();
        for mut sent in std::mem::take(&mut self.documents) {
            let (verdict, odoo) = compare::compare(&sent.transfer, sent.picking, pickings);
            match verdict {
                Verdict::Refused(code, message) => {
                    settled.push((sent.number, Outcome::refused(code, message, odoo)));
                    continue;
                }
                Verdict::Done => sent.already = true,
                Verdict::Open(_) => self.step = Step::Validate,
            }
            sent.odoo = odoo;
            self.documents.push(sent);
        }
        settled
    }

    /// Judges a refused validation of the only document. The document is refused if its picking is
    /// open. If its picking is done, another user or an earlier call of ours validated it.
    pub fn judge_refusal(&mut self, pickings: &[Picking]) -> Vec<(DocumentNumber, Outcome)> {
        let message = self.refusal.take().unwrap_or_default();
        let mut settled = self.before_validation(pickings);
        if self.step == Step::Validate {
            let refused = |sent: Sent| {
                let number = sent.number;
                let outcome =
                    Outcome::refused(ReasonCode::OdooRefused, message.clone(), sent.named());
                (number, outcome)
            };
            settled.extend(self.documents.drain(..).map(refused));
        }
        settled
    }

    /// Settles documents by what Odoo holds of them. Documents whose picking is open stay in the
    /// batch, to be validated again in smaller parts.
    pub fn read_back(&mut self, pickings: &[Picking]) -> Vec<(DocumentNumber, Outcome)> {
        let alone = self.validated_alone;
        let mut settled = Vec::new();
        for sent in std::mem::take(&mut self.documents) {
            let (verdict, odoo) = compare::compare(&sent.transfer, sent.picking, pickings);
            let outcome = match (verdict, odoo) {
                (Verdict::Done, Some(odoo)) => Outcome::Posted {
                    odoo,
                    already: sent.already,
                    note: None,
                },
                (Verdict::Refused(code, message), odoo) => Outcome::refused(code, message, odoo),
                (Verdict::Open(state), odoo) if alone => Outcome::refused(
                    ReasonCode::NotValidated,
                    format!(
                        "Odoo did not validate the picking and left it {:?}. Open the picking in Odoo, answer what Odoo asks, and retry",
                        state.as_str()
                    ),
                    odoo,
                ),
                _ => {
                    self.documents.push(sent);
                    continue;
                }
            };
            settled.push((sent.number, outcome));
        }
        self.step = Step::Validate;
        settled
    }
}
