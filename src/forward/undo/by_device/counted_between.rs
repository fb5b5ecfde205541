//! Finds the counts of a place between an event and its undo.
//!
//! **In**: the undo, the document that has the event, and the book. **Out**: the reason why the
//! undo is for a person, if the place was counted between the two.

use super::reason;
use crate::book::{Count, Doubt, End, Id, Span};
use crate::document::{Document, Reason};
use crate::event::{Recorded, Seq};
use crate::forward::counts::ends_of;
use crate::forward::queue::{Queue, allows};
use crate::forward::resolve::{Ground, Prepared, Undoing, count_difference, moves};
use crate::forward::times;
use crate::journal::{Entry, JournalError};
use crate::odoo::order::odoo_time;
use crate::reason::{Flag, ReasonCode};

impl Queue {
    /// Why the undo of a parked event is for a person: the place was counted between the event and
    /// its undo.
    pub(super) fn counted_before_undo(
        &mut self,
        ground: Ground<'_>,
        undo: &Entry,
        parked: &Entry,
        event: &Recorded,
    ) -> Result<Option<Reason>, JournalError> {
        let line = (parked.document.lines.iter()).find(|line| line.events.contains(&event.seq));
        let ends = line
            .map(|line| ends_of(ground.copy, line))
            .unwrap_or_default();
        for span in self.spans_of(&undo.document, &parked.document, event.seq)? {
            let count = self.count_within(&ends, &span, parked.document.number)?;
            let reason = count.map(|(_, count)| counted_within(&span, &count));
            if let Some(reason) = reason.filter(|reason| !is_allowed(undo, reason)) {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// The spans from an event to its undo: the shortest possible span and, while a clock is in
    /// doubt, also the longest.
    pub(super) fn spans_of(
        &self,
        undo: &Document,
        of: &Document,
        seq: Seq,
    ) -> Result<Vec<Span>, JournalError> {
        let Some(recorded) = self.journal.event(seq)? else {
            return Ok(Vec::new());
        };
        let done = times::done_by_now(&self.journal, of, &recorded)?.bounds();
        let undone = times::of_one(&self.journal, undo)?.bounds();
        let span = |from, until, number, doubt| Span {
            from,
            until,
            number,
            doubt,
        };
        let mut spans = vec![span(done.1, undone.0, undo.number, Doubt::Undone)];
        if undone.0 != undone.1 {
            spans.push(span(done.0, undone.1, undo.number, Doubt::Clock));
        } else if done.0 != done.1 {
            spans.push(span(done.0, undone.1, of.number, Doubt::Clock));
        }
        Ok(spans)
    }

    /// Why an undo is for a person: the place was counted between the event and its undo.
    pub(super) fn counted_between(
        &mut self,
        entry: &Entry,
        undoing: &Undoing,
        mut prepared: Prepared,
    ) -> Result<Result<Prepared, Reason>, JournalError> {
        // An interrupted send may be in Odoo already, so it is completed.
        let of = self.journal.document(undoing.number)?;
        let Some(of) = of.filter(|_| entry.progress.attempts == 0) else {
            return Ok(Ok(prepared));
        };
        let ends = ends_of_event(&of, undoing.seq);
        for span in self.spans_of(&entry.document, &of.document, undoing.seq)? {
            let Some((_, count)) = self.count_within(&ends, &span, undoing.number)? else {
                continue;
            };
            let reason = counted_within(&span, &count);
            if !is_allowed(entry, &reason) {
                return Ok(Err(reason));
            }
            if !prepared.flags.contains(&Flag::CountedSince) {
                prepared.flags.push(Flag::CountedSince);
            }
        }
        Ok(Ok(prepared))
    }
}

/// Whether a person allowed what this reason asks for.
fn is_allowed(entry: &Entry, reason: &Reason) -> bool {
    (reason.code.known()).is_some_and(|code| allows(entry, code))
}

fn counted_within(span: &Span, count: &Count) -> Reason {
    let (time, from) = (odoo_time(count.time), odoo_time(span.from));
    let number = count.number;
    if span.doubt == Doubt::Undone {
        let message = format!(
            "the place was counted at {time} UTC (document {number}), between the event at {from} and this undo: count the place again and discard this document, or retry and allow it"
        );
        return reason(ReasonCode::CountedSince, message);
    }
    let message = format!(
        "the place was counted at {time} UTC (document {number}), and by the clock of the device, which is in doubt, the count may be between the event and this undo: the gateway continues by itself when it knows the device's clock again; or retry and allow it"
    );
    reason(ReasonCode::ClockInDoubt, message)
}

/// The ends of this event's line, source and destination, by the plan with which its document was
/// sent.
pub(super) fn ends_of_event(of: &Entry, seq: Seq) -> Vec<End> {
    let kept = of.progress.plan.as_deref().unwrap_or_default();
    if let Some((place, _)) = count_difference(kept) {
        return vec![End {
            product: place.product,
            bin: Id::Known(place.bin),
            lot: Id::Unknown,
            package: Id::Unknown,
            owner: Id::Unknown,
        }];
    }
    let line = of
        .document
        .lines
        .iter()
        .position(|line| line.events.contains(&seq));
    let moves = line.and_then(|line| moves(kept).get(line).copied());
    moves.map(|moves| moves.ends().to_vec()).unwrap_or_default()
}
