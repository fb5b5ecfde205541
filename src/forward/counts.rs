//! Counts in the journal, and the recounts that follow from a posting.
//!
//! **Promise:** if a document is posted after a count and was done before it, the same transaction
//! creates a recount of that count. A count is in the book before it is sent, so no posting in
//! between is missed.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

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
use crate::journal::stored;
use crate::journal::{Entry, Journal, JournalError, Namespace, SideChange, SideKey};
use crate::reason::ReasonCode;

/// Stands for an id that is not given in a path. In a count's path it matches all ids, in a span's
/// path no id.
const NONE: &str = "-";
/// Stands, in the path of a span, for an id that Odoo decided.
const UNKNOWN: &str = "?";

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

fn forget(book: &mut Book, now: Timestamp, days: u32) -> Vec<SideChange> {
    let age = SignedDuration::from_hours(i64::from(days) * 24);
    let (places, ends) = book.forget(now.saturating_sub(age).unwrap_or(Timestamp::MIN));
    let places = places.iter().map(|place| (count_path(place), None));
    places
        .chain(ends.iter().map(|end| (span_path(end), None)))
        .collect()
}

/// The change that stores the spans of an end. Without spans, the change removes the record.
fn spans_change(book: &Book, end: &End) -> SideChange {
    let spans = book.spans_of(end);
    let value = (!spans.is_empty()).then(|| stored::spans_in(spans).ok());
    (span_path(end), value.flatten())
}

fn put_span(book: &mut Book, end: End, span: Span) -> Option<SideChange> {
    if !book.put_span(end, span) {
        return None;
    }
    let value = stored::spans_in(book.spans_of(&end)).ok();
    Some((span_path(&end), value))
}

/// The change that stores the counts of a place. Without counts, the change removes the record.
fn counts_change(book: &Book, place: Place) -> SideChange {
    let counts = book.counts_of(&place);
    let value = (!counts.is_empty()).then(|| stored::counts_in(counts).ok());
    (count_path(&place), value.flatten())
}

fn load(journal: &Journal) -> Result<Book, JournalError> {
    let mut counts: BTreeMap<Place, Vec<Count>> = BTreeMap::new();
    for (path, value) in journal.read_namespace(Namespace::OlderCounts)? {
        let place = place_in(&path);
        if let (Some(place), Some(older)) = (place, older_counts(journal, &value)?) {
            counts.insert(place, older);
        }
    }
    for (path, value) in journal.read_namespace(Namespace::Counts)? {
        if let Some(place) = place_in(&path) {
            counts.insert(place, stored::counts_out(&value)?);
        }
    }
    let mut spans = BTreeMap::new();
    for (path, value) in journal.read_namespace(Namespace::Spans)? {
        if let Some(end) = end_in(&path) {
            spans.insert(end, stored::spans_out(&value)?);
        }
    }
    Ok(Book::new(counts, spans))
}

/// Reads the counts of a place as older versions wrote them: `TIME NUMBER TIME NUMBER ...`.
fn older_counts(journal: &Journal, value: &[u8]) -> Result<Option<Vec<Count>>, JournalError> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let words: Vec<&str> = text.split(' ').collect();
    let mut counts = Vec::new();
    for words in words.chunks(2) {
        let [time, number] = words else {
            return Ok(None);
        };
        let (Ok(time), Ok(number)) = (time.parse(), number.parse()) else {
            return Ok(None);
        };
        let entry = journal.document(number)?;
        let counted =
            entry.and_then(|entry| entry.document.lines.first().map(|line| line.goods.quantity));
        counts.push(Count {
            time,
            number,
            counted: counted.unwrap_or(Decimal::ZERO),
            recounts: 0,
        });
    }
    Ok(Some(counts))
}

fn count_path(place: &Place) -> SideKey {
    fn part(id: Option<impl ToString>) -> String {
        id.map_or_else(|| NONE.to_owned(), |id| id.to_string())
    }
    let (lot, package) = (part(place.lot), part(place.package));
    Namespace::Counts.key(format!(
        "{}/{}/{lot}/{package}/{}",
        place.product,
        place.bin,
        part(place.owner)
    ))
}

fn place_in(path: &str) -> Option<Place> {
    fn part<T: FromStr>(text: &str) -> Result<Option<T>, T::Err> {
        match text {
            NONE => Ok(None),
            id => id.parse().map(Some),
        }
    }
    let [product, bin, lot, package, owner] = five(path)?;
    Some(Place {
        product: product.parse().ok()?,
        bin: bin.parse().ok()?,
        lot: part(lot).ok()?,
        package: part(package).ok()?,
        owner: part(owner).ok()?,
    })
}

fn span_path(end: &End) -> SideKey {
    fn part(id: Id<impl ToString>) -> String {
        match id {
            Id::Unknown => UNKNOWN.to_owned(),
            Id::None => NONE.to_owned(),
            Id::Known(id) => id.to_string(),
        }
    }
    let (bin, lot) = (part(end.bin), part(end.lot));
    let (package, owner) = (part(end.package), part(end.owner));
    Namespace::Spans.key(format!("{}/{bin}/{lot}/{package}/{owner}", end.product))
}

fn end_in(path: &str) -> Option<End> {
    fn part<T: FromStr>(text: &str) -> Option<Id<T>> {
        match text {
            UNKNOWN => Some(Id::Unknown),
            NONE => Some(Id::None),
            id => id.parse().ok().map(Id::Known),
        }
    }
    let [product, bin, lot, package, owner] = five(path)?;
    Some(End {
        product: product.parse().ok()?,
        bin: part(bin)?,
        lot: part(lot)?,
        package: part(package)?,
        owner: part(owner)?,
    })
}

fn five(path: &str) -> Option<[&str; 5]> {
    let parts: Vec<&str> = path.split('/').collect();
    parts.try_into().ok()
}

#[cfg(test)]
mod tests;
