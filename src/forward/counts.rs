//! Counts in the journal, and the recounts that follow from a posting.
//!
//! **Promise:** if a document is posted after a count and was done before it, the same transaction
//! creates a recount of that count. A count is in the book before it is sent, so no posting in
//! between is missed.

mod stored_book;

use jiff::Timestamp;
use rust_decimal::Decimal;

use self::stored_book::{counts_change, forget, load, put_span, spans_change};
use super::queue::changes::{Effects, mark_recounted};
use super::queue::{Queue, allows};
use super::resolve::Moves;
use super::resolve::{Rules, count_difference, counted, moves};
use super::times::{self, parts};
use crate::book::{Book, Count, Doubt, End, Id, Place, Span};
use crate::catalog::{Catalog, Found};
use crate::clock;
use crate::document::{Document, DocumentNumber, Line, Purpose, State};
use crate::event::CLOCK_MIN;
use crate::journal::{Entry, JournalError, SideChange};
use crate::reason::ReasonCode;

impl Queue {
    /// Reads the book from the journal, once.
    pub fn book(&mut self) -> Result<&mut Book, JournalError> {
        let book = match self.book.take() {
            Some(book) => book,
            None => load(&self.journal)?,
        };
        Ok(self.book.insert(book))
    }

    /// Notes a count that is sent next, or that Odoo already agrees with. `kept` is the count's
    /// stored plan.
    pub fn note_count(
        &mut self,
        entry: &Entry,
        rules: &Rules,
    ) -> Result<Vec<SideChange>, JournalError> {
        let (document, kept) = (&entry.document, entry.progress.plan.as_deref());
        if document.purpose != Purpose::Count {
            return Ok(Vec::new());
        }
        let Some((place, counted)) = kept.and_then(counted) else {
            return Ok(Vec::new());
        };
        // A plan of an older version has no quantity.
        let scanned = || document.lines.first().map(|line| line.goods.quantity);
        let counted = counted.or_else(scanned).unwrap_or_default();
        let count = Count {
            time: times::of_one(&self.journal, document)?.time,
            number: document.number,
            counted,
            recounts: 0,
        };
        let is_allowed = allows(entry, ReasonCode::CountedTwice);
        let book = self.book()?;
        if is_allowed {
            // A person decided that the other counts of this time are wrong.
            book.remove_others(&place, &count);
        }
        if !book.put_count(place, count) {
            return Ok(Vec::new());
        }
        let mut side_changes = forget(book, clock::now(), rules.retention_days);
        side_changes.push(counts_change(book, place));
        Ok(side_changes)
    }

    /// Forgets a count that Odoo no longer has or never had: the count before it is valid again.
    pub fn forget_count(
        &mut self,
        number: DocumentNumber,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let book = self.book()?;
        let newest = |book: &Book, place: &Place| book.counts_of(place).first().copied();
        let Some((place, _)) = book.count(number) else {
            return Ok(());
        };
        let before = newest(book, &place);
        book.remove_count(number);
        let after = newest(book, &place);
        effects.side_changes.push(counts_change(book, place));
        if let Some(count) = after.filter(|_| before != after) {
            self.recount(place, count, effects)?;
        }
        Ok(())
    }

    /// Adds the effects of posting this document, by the plan with which the document was sent.
    pub fn recount_later_counts(
        &mut self,
        entry: &Entry,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let kept = entry.progress.plan.as_deref();
        let document = &entry.document;
        match &document.purpose {
            Purpose::Count => self.after_count(entry, document.number, effects)?,
            Purpose::Recount { count } => {
                self.after_count(entry, *count, effects)?;
                let difference = kept
                    .and_then(count_difference)
                    .map(|(_, difference)| difference);
                if let Some(difference) = difference.filter(|difference| !difference.is_zero())
                    && let Some(of) = self.journal.document(*count)?
                {
                    let change = mark_recounted(&of, document.number, difference);
                    effects.changes.push(change);
                }
            }
            Purpose::Undo { .. } => {
                let time = times::of_one(&self.journal, document)?.time;
                for end in kept
                    .map(moves)
                    .unwrap_or_default()
                    .iter()
                    .flat_map(Moves::ends)
                {
                    self.recount_since(&end, time, None, effects)?;
                }
            }
            _ => self.after_movement(entry, effects)?,
        }
        Ok(())
    }

    /// For the other counts of its bin, the difference of a count is a movement at the time of the
    /// count.
    fn after_count(
        &mut self,
        entry: &Entry,
        number: DocumentNumber,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let kept = entry.progress.plan.as_deref();
        let Some((place, difference)) = kept.and_then(count_difference) else {
            return Ok(());
        };
        let known = self.book()?.count(number);
        if let Some((place, count)) = known
            && entry.progress.attempts > 1
            && self.book()?.counts_of(&place).first() == Some(&count)
        {
            // The count was compared before its first send, and many documents may have been posted
            // since.
            self.recount(place, count, effects)?;
        }
        if difference.is_zero() {
            return Ok(());
        }
        // The count may be too old for the book: then newer counts are valid.
        let count = match known {
            Some(known) => known,
            None => (
                place,
                Count {
                    time: times::of_one(&self.journal, &entry.document)?.time,
                    number,
                    counted: Decimal::ZERO,
                    recounts: 0,
                },
            ),
        };
        let end = End {
            product: place.product,
            bin: Id::Known(place.bin),
            lot: place.lot.map_or(Id::Unknown, Id::Known),
            package: Id::of(place.package),
            owner: Id::of(place.owner),
        };
        self.recount_since(&end, count.1.time, Some(count), effects)
    }

    fn after_movement(&mut self, entry: &Entry, effects: &mut Effects) -> Result<(), JournalError> {
        let document = &entry.document;
        let is_doubtful =
            document.occurred < CLOCK_MIN || document.times.iter().any(|time| time.other.is_some());
        let moves = entry
            .progress
            .plan
            .as_deref()
            .map(moves)
            .unwrap_or_default();
        for (place, moves) in moves.iter().enumerate() {
            let book = self.book()?;
            let is_counted = |end: &End| !book.counts_since(end, Timestamp::MIN).is_empty();
            if !is_doubtful && !moves.ends().iter().any(is_counted) {
                continue;
            }
            let Some(line) = document.lines.get(place) else {
                continue;
            };
            let parts = parts(&self.journal, document, line)?;
            let bounds = parts.iter().map(|part| part.done.bounds());
            let mut spans: Vec<Span> = (bounds.clone())
                .filter(|(from, until)| from < until)
                .map(|(from, until)| Span {
                    from,
                    until,
                    number: document.number,
                    doubt: Doubt::Clock,
                })
                .collect();
            if spans.is_empty() {
                // The gateway knew the device's clock again before it posted this document, with
                // the time that the document had when it was sealed.
                spans.extend(document.times.iter().filter_map(|known| {
                    let other = known.other?;
                    Some(Span {
                        from: known.time.min(other),
                        until: known.time.max(other),
                        number: document.number,
                        doubt: Doubt::Ended,
                    })
                }));
            }
            let earliest = bounds
                .map(|(from, _)| from)
                .min()
                .unwrap_or(document.occurred);
            for end in moves.ends() {
                for span in &spans {
                    effects
                        .side_changes
                        .extend(put_span(self.book()?, end, *span));
                }
                self.recount_since(&end, earliest, None, effects)?;
            }
        }
        Ok(())
    }

    /// Ends the spans of documents whose clocks were in doubt, if their devices have shown their
    /// clocks since.
    pub fn end_doubtful_spans(&mut self) -> Result<Vec<SideChange>, JournalError> {
        let mut side_changes = Vec::new();
        for number in self.book()?.doubtful() {
            let Some(entry) = self.journal.document(number)? else {
                continue;
            };
            let known = self.with_true_times(&entry.document)?;
            let is_over = |known: &Document| known.times.iter().all(|time| time.other.is_none());
            if known.as_ref().is_some_and(is_over) {
                let book = self.book()?;
                // The length of an undo's span is known only now. The span counts as an undo's,
                // because parking too many counts for a person is better than parking too few.
                let ended = match entry.document.purpose {
                    Purpose::Undo { .. } => Doubt::Undone,
                    _ => Doubt::Ended,
                };
                let ends = book.end_doubt(number, ended);
                side_changes.extend(ends.iter().map(|end| spans_change(book, end)));
            }
        }
        Ok(side_changes)
    }

    /// Notes the undo of an event at these ends: between the event and the undo, the place of the
    /// goods is unknown.
    pub fn note_undone(
        &mut self,
        ends: &[End],
        span: Span,
    ) -> Result<Vec<SideChange>, JournalError> {
        let book = self.book()?;
        let ends = ends.iter().filter(|_| span.from < span.until);
        let kept = ends.filter_map(|end| put_span(book, *end, span));
        Ok(kept.collect())
    }

    /// The count that lies between an event and its undo.
    pub fn count_within(
        &mut self,
        ends: &[End],
        span: &Span,
        besides: DocumentNumber,
    ) -> Result<Option<(Place, Count)>, JournalError> {
        let book = self.book()?;
        Ok((ends.iter()).find_map(|end| book.count_between(end, span, Some(besides))))
    }

    /// Recounts the counts that were made at this time or later and include goods of this end.
    fn recount_since(
        &mut self,
        end: &End,
        time: Timestamp,
        of: Option<(Place, Count)>,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let order = |(place, count): (Place, Count)| count.order(&place);
        for (place, count) in self.book()?.counts_since(end, time) {
            if of.is_none_or(|of| order((place, count)) > order(of)) {
                self.recount(place, count, effects)?;
            }
        }
        Ok(())
    }

    /// Adds a document that compares this count with Odoo once more, unless such a document is
    /// waiting for its first comparison.
    fn recount(
        &mut self,
        place: Place,
        count: Count,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let is_of = |document: &Document| {
            document.purpose
                == Purpose::Recount {
                    count: count.number,
                }
        };
        if effects.documents.iter().any(is_of) {
            return Ok(());
        }
        let Some(of) = self.journal.document(count.number)? else {
            return Ok(());
        };
        if let Some(last) = count.recounts.checked_sub(1)
            && let Some(last) = self
                .journal
                .document_by_key(of.document.key.recount(last))?
            && last.progress.plan.is_none()
            && matches!(last.progress.state, State::Waiting | State::Parked)
        {
            return Ok(());
        }
        let book = self.book()?;
        let number = book.add_recount(&place, count.number);
        effects.side_changes.push(counts_change(book, place));
        effects.documents.push(recount_of(&of.document, number));
        Ok(())
    }
}

/// Builds the document that corrects a count.
fn recount_of(count: &Document, number: u32) -> Document {
    let line = |line: &Line| Line {
        events: Vec::new(),
        ..line.clone()
    };
    Document {
        number: DocumentNumber::ZERO,
        key: count.key.recount(number),
        purpose: Purpose::Recount {
            count: count.number,
        },
        group: count.group.clone(),
        lines: count.lines.iter().map(line).collect(),
        occurred: count.occurred,
        sealed: clock::now(),
        events: Vec::new(),
        corrects: None,
        flags: Vec::new(),
        times: Vec::new(),
    }
}

/// The ends of a line, by the codes that the catalog knows.
pub fn ends_of(copy: &Catalog, line: &Line) -> Vec<End> {
    let product = match copy.product(&line.goods.product) {
        Ok(Found::One(product)) => product.id,
        _ => return Vec::new(),
    };
    let bin = |code: &Option<String>| match copy.location(code.as_deref()?) {
        Ok(Found::One(id)) => Some(id),
        _ => None,
    };
    let end = |bin| End {
        product,
        bin: Id::Known(bin),
        lot: Id::Unknown,
        package: Id::Unknown,
        owner: Id::Unknown,
    };
    [&line.goods.from, &line.goods.to]
        .into_iter()
        .filter_map(bin)
        .map(end)
        .collect()
}
