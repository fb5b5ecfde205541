//! The book of counts in the journal's side values.
//!
//! **In**: side values by the paths of places and ends. **Out**: the book, and the changes that
//! store a part of it. Counts of older versions are read as well.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use crate::book::{Book, Count, End, Id, Place, Span};
use crate::journal::stored;
use crate::journal::{Journal, JournalError, Namespace, SideChange, SideKey};

/// Stands for an id that is not given in a path. In a count's path it matches all ids, in a span's
/// path no id.
const NONE: &str = "-";
/// Stands, in the path of a span, for an id that Odoo decided.
const UNKNOWN: &str = "?";

pub(super) fn forget(book: &mut Book, now: Timestamp, days: u32) -> Vec<SideChange> {
    let age = SignedDuration::from_hours(i64::from(days) * 24);
    let (places, ends) = book.forget(now.saturating_sub(age).unwrap_or(Timestamp::MIN));
    let places = places.iter().map(|place| (count_path(place), None));
    places
        .chain(ends.iter().map(|end| (span_path(end), None)))
        .collect()
}

/// The change that stores the spans of an end. Without spans, the change removes the record.
pub(super) fn spans_change(book: &Book, end: &End) -> SideChange {
    let spans = book.spans_of(end);
    let value = (!spans.is_empty()).then(|| stored::spans_in(spans).ok());
    (span_path(end), value.flatten())
}

pub(super) fn put_span(book: &mut Book, end: End, span: Span) -> Option<SideChange> {
    if !book.put_span(end, span) {
        return None;
    }
    let value = stored::spans_in(book.spans_of(&end)).ok();
    Some((span_path(&end), value))
}

/// The change that stores the counts of a place. Without counts, the change removes the record.
pub(super) fn counts_change(book: &Book, place: Place) -> SideChange {
    let counts = book.counts_of(&place);
    let value = (!counts.is_empty()).then(|| stored::counts_in(counts).ok());
    (count_path(&place), value.flatten())
}

pub(super) fn load(journal: &Journal) -> Result<Book, JournalError> {
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
