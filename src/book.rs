//! The book of places: the newest counts of each place, and the times at which its stock is in
//! doubt. Pure.
//!
//! A place is Odoo's ids of a product, a bin, a lot, a package and an owner. **Invariant:** for
//! each place, the stock after everything is posted is the newest count by true time plus
//! everything done after that count, in whatever order the events arrived. So an event that is
//! posted after a count but was done before it causes a recount ([`Book::counts_since`]): the count
//! is compared with Odoo again, and the difference is posted at the time of the count.
//!
//! If an event was undone, or a clock is in doubt, only a person knows whether the event belongs
//! before or after a count: a [`Span`].

use std::collections::{BTreeMap, BTreeSet};

use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, ProductId};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::document::DocumentNumber;
/// The limit of counts of one place. An older count has no effect while there are newer ones.
pub const COUNTS_OF_PLACE_MAX: usize = 3;
/// The limit of spans of one place; beyond it, the two nearest become one.
pub const SPANS_OF_PLACE_MAX: usize = 64;
/// The limit of places with counts, and of places with spans; beyond it, the oldest are removed.
pub const PLACES_MAX: usize = 50_000;

/// Stands in a joined [`Span`] for the numbers of several documents. No document has this number,
/// so the doubt of the span does not end.
pub const SEVERAL: DocumentNumber = DocumentNumber::ZERO;

/// The place of a record of Odoo's stock. Odoo may have several records of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub product: ProductId,
    pub bin: LocationId,
    pub lot: Option<LotId>,
    pub package: Option<PackageId>,
    pub owner: Option<PartnerId>,
}

impl Place {
    /// Whether this place is part of `whole`, in which `None` matches any value: all lots, loose
    /// and packed, all owners.
    #[must_use]
    pub fn is_within(&self, whole: &Self) -> bool {
        self.product == whole.product
            && self.bin == whole.bin
            && (whole.lot.is_none() || self.lot == whole.lot)
            && (whole.package.is_none() || self.package == whole.package)
            && (whole.owner.is_none() || self.owner == whole.owner)
    }
}

/// An id in Odoo, as far as the gateway knows it before it sends the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id<T> {
    /// Odoo decides: the bin that it reserved, or a lot that a receipt creates.
    Unknown,
    None,
    Known(T),
}

impl<T: Copy + PartialEq> Id<T> {
    #[must_use]
    pub fn of(id: Option<T>) -> Self {
        id.map_or(Self::None, Self::Known)
    }

    /// Whether it is, or may be, this id.
    #[must_use]
    pub fn is(self, id: Option<T>) -> bool {
        self == Self::Unknown || self == Self::of(id)
    }

    /// Whether it may be this id. `None` matches any value.
    #[must_use]
    pub fn may_be(self, counted: Option<T>) -> bool {
        match (self, counted) {
            (Self::Unknown, _) | (_, None) => true,
            (Self::None, Some(_)) => false,
            (Self::Known(id), Some(counted)) => id == counted,
        }
    }
}

/// One end of a movement: where a document takes goods from, or puts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub product: ProductId,
    pub bin: Id<LocationId>,
    pub lot: Id<LotId>,
    pub package: Id<PackageId>,
    pub owner: Id<PartnerId>,
}

impl End {
    /// Whether goods at this end may be part of the counted place.
    #[must_use]
    pub fn may_be_in(&self, counted: &Place) -> bool {
        self.product == counted.product
            && self.bin.may_be(Some(counted.bin))
            && self.lot.may_be(counted.lot)
            && self.package.may_be(counted.package)
            && self.owner.may_be(counted.owner)
    }
}

/// A count that was compared with Odoo. In its [`Place`], `None` matches any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub time: Timestamp,
    /// The number of its document.
    pub number: DocumentNumber,
    /// In the product's own unit.
    pub counted: Decimal,
    /// Documents that were created to correct it.
    pub recounts: u32,
}

impl Count {
    /// The sort key of counts of overlapping places, whatever arrives first. At the same time, the
    /// count of a part precedes the count of the whole, which includes the difference of the part.
    #[must_use]
    pub fn order(&self, place: &Place) -> impl Ord + use<> {
        let is_open = [
            place.lot.is_none(),
            place.package.is_none(),
            place.owner.is_none(),
        ];
        let width = is_open.iter().filter(|is_open| **is_open).count();
        (self.time, width, *place, self.number)
    }
}

/// Why the stock of a place is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// An event was undone: the goods went back at some time in the span, or never left.
    Undone,
    /// The event was done at an unknown time in the span: the clock of its device is in doubt or
    /// unknown.
    Clock,
    /// The clock was in doubt, and the device has shown it since. Odoo has the movement with an
    /// earlier time than the true one.
    Ended,
}

/// A person must decide about a count with a time between `from` and `until`, both excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from: Timestamp,
    pub until: Timestamp,
    /// The number of the document that caused it; [`SEVERAL`] if the clocks of several documents
    /// are in doubt.
    pub number: DocumentNumber,
    pub doubt: Doubt,
}

impl Span {
    #[must_use]
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from < time && time < self.until
    }
}

/// How a count relates to the other counts of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the newest.
    Newest,
    /// The named count of the place is newer, or has the same time and quantity.
    Superseded(Count),
    /// The named count of the place has the same time and another quantity.
    Contradicted(Count),
}

#[derive(Debug, Default)]
pub struct Book {
    /// The newest counts of each place, newest first.
    counts: BTreeMap<Place, Vec<Count>>,
    spans: BTreeMap<End, Vec<Span>>,
}

impl Book {
    #[must_use]
    pub fn new(counts: BTreeMap<Place, Vec<Count>>, spans: BTreeMap<End, Vec<Span>>) -> Self {
        Self { counts, spans }
    }

    #[must_use]
    pub fn counts_of(&self, place: &Place) -> &[Count] {
        self.counts.get(place).map_or(&[], Vec::as_slice)
    }

    #[must_use]
    pub fn spans_of(&self, end: &End) -> &[Span] {
        self.spans.get(end).map_or(&[], Vec::as_slice)
    }

    /// Finds the place and count of this document, if the book has it.
    #[must_use]
    pub fn count(&self, number: DocumentNumber) -> Option<(Place, Count)> {
        self.counts.iter().find_map(|(place, counts)| {
            let count = counts.iter().find(|count| count.number == number);
            count.map(|count| (*place, *count))
        })
    }

    /// Compares a count of this place at this time with the other counts in the book.
    #[must_use]
    pub fn standing(
        &self,
        place: &Place,
        number: DocumentNumber,
        time: Timestamp,
        counted: Decimal,
    ) -> Standing {
        let mut others = (self.counts_of(place).iter()).filter(|count| count.number != number);
        match others.find(|count| count.time >= time) {
            None => Standing::Newest,
            Some(newest) if newest.time > time || newest.counted == counted => {
                Standing::Superseded(*newest)
            }
            Some(newest) => Standing::Contradicted(*newest),
        }
    }

    /// Returns the newest count of each place that may include goods at this end, if it was done at
    /// `time` or later.
    #[must_use]
    pub fn counts_since(&self, end: &End, time: Timestamp) -> Vec<(Place, Count)> {
        let newest = |(place, counts): (&Place, &Vec<Count>)| Some((*place, *counts.first()?));
        self.counts_near(end)
            .filter_map(newest)
            .filter(|(_, count)| count.time >= time)
            .collect()
    }

    /// Finds a count within the span, of a place that may include goods at this end. `skipped`: the
    /// number of a document to skip.
    #[must_use]
    pub fn count_between(
        &self,
        end: &End,
        span: &Span,
        skipped: Option<DocumentNumber>,
    ) -> Option<(Place, Count)> {
        self.counts_near(end).find_map(|(place, counts)| {
            let within = |count: &&Count| span.holds(count.time) && Some(count.number) != skipped;
            let count = counts.iter().find(within)?;
            Some((*place, *count))
        })
    }

    fn counts_near<'a>(
        &'a self,
        end: &'a End,
    ) -> impl Iterator<Item = (&'a Place, &'a Vec<Count>)> {
        let bin = match end.bin {
            Id::Known(bin) => Some(bin),
            Id::None | Id::Unknown => None,
        };
        let first = Place {
            product: end.product,
            bin: bin.unwrap_or(LocationId::new(i64::MIN)),
            lot: None,
            package: None,
            owner: None,
        };
        (self.counts.range(first..))
            .take_while(move |(place, _)| {
                place.product == end.product && bin.is_none_or(|bin| place.bin == bin)
            })
            .filter(|(place, _)| end.may_be_in(place))
    }

    /// Returns the spans in doubt that include this time, of goods that may be part of this place.
    pub fn spans_over(&self, place: &Place, time: Timestamp) -> impl Iterator<Item = &Span> {
        let over = self.all_spans_over(place, time);
        over.filter(|span| span.doubt != Doubt::Ended)
    }

    fn all_spans_over(&self, place: &Place, time: Timestamp) -> impl Iterator<Item = &Span> {
        let place = *place;
        let first = End {
            product: place.product,
            bin: Id::Unknown,
            lot: Id::Unknown,
            package: Id::Unknown,
            owner: Id::Unknown,
        };
        (self.spans.range(first..))
            .take_while(move |(end, _)| end.product == place.product)
            .filter(move |(end, _)| end.may_be_in(&place))
            .flat_map(|(_, spans)| spans)
            .filter(move |span| span.holds(time))
    }

    /// Adds a count. `false`: the book has it already, or has enough newer ones.
    pub fn put_count(&mut self, place: Place, count: Count) -> bool {
        let counts = self.counts.entry(place).or_default();
        let older = |known: &Count| (known.time, known.number) <= (count.time, count.number);
        let at = counts.iter().position(older).unwrap_or(counts.len());
        let is_known = counts.iter().any(|known| known.number == count.number);
        if is_known || at >= COUNTS_OF_PLACE_MAX {
            return false;
        }
        counts.insert(at, count);
        counts.truncate(COUNTS_OF_PLACE_MAX);
        true
    }

    /// Removes the other counts of this place and time.
    pub fn remove_others(&mut self, place: &Place, count: &Count) {
        if let Some(counts) = self.counts.get_mut(place) {
            counts.retain(|other| other.time != count.time || other.number == count.number);
        }
    }

    /// Removes the count of a document. Returns its place.
    pub fn remove_count(&mut self, number: DocumentNumber) -> Option<Place> {
        let (place, _) = self.count(number)?;
        let counts = self.counts.entry(place).or_default();
        counts.retain(|count| count.number != number);
        if counts.is_empty() {
            self.counts.remove(&place);
        }
        Some(place)
    }

    /// Records that a document was created to correct this count. Returns how many there were
    /// before.
    pub fn add_recount(&mut self, place: &Place, number: DocumentNumber) -> u32 {
        let counts = self.counts.get_mut(place).into_iter().flatten();
        let Some(count) = counts.into_iter().find(|count| count.number == number) else {
            return 0;
        };
        count.recounts += 1;
        count.recounts - 1
    }

    /// Adds a span. `false`: the book has it already.
    pub fn put_span(&mut self, end: End, span: Span) -> bool {
        let spans = self.spans.entry(end).or_default();
        let Err(at) = spans.binary_search(&span) else {
            return false;
        };
        spans.insert(at, span);
        if spans.len() > SPANS_OF_PLACE_MAX {
            join_nearest(spans);
        }
        true
    }

    /// Returns the documents with spans because of a clock in doubt, without those of [`SEVERAL`].
    #[must_use]
    pub fn doubtful(&self) -> BTreeSet<DocumentNumber> {
        let spans = self.spans.values().flatten();
        let of_clock = spans.filter(|span| span.doubt == Doubt::Clock && span.number != SEVERAL);
        of_clock.map(|span| span.number).collect()
    }

    /// Ends the doubt about this document, because the gateway knows the device's clock again.
    /// Returns the ends of the spans that were in doubt. A joined span of [`SEVERAL`] documents
    /// stays in doubt, because the clock of another document may still be unknown.
    pub fn end_doubt(&mut self, number: DocumentNumber, ended: Doubt) -> Vec<End> {
        let mut ends = Vec::new();
        for (end, spans) in &mut self.spans {
            let before = spans.clone();
            for span in spans.iter_mut() {
                if span.number == number && span.doubt == Doubt::Clock {
                    span.doubt = ended;
                }
            }
            if *spans != before {
                spans.sort_unstable();
                spans.dedup();
                ends.push(*end);
            }
        }
        ends
    }

    /// Returns the time from which Odoo's moves must be read for a count at this time: some have an
    /// earlier time in Odoo than the true one.
    #[must_use]
    pub fn read_since(&self, place: &Place, time: Timestamp) -> Timestamp {
        let over = self.all_spans_over(place, time);
        let ended = over.filter(|span| span.doubt == Doubt::Ended);
        ended.map(|span| span.from).min().unwrap_or(time)
    }

    /// Removes what is older than this time, and the oldest place beyond the limit. Returns the
    /// removed places and ends.
    pub fn forget(&mut self, before: Timestamp) -> (Vec<Place>, Vec<End>) {
        let newest = |counts: &[Count]| counts.first().map(|count| count.time);
        let last = |spans: &[Span]| spans.iter().map(|span| span.until).max();
        let places = find_old(&self.counts, |counts| newest(counts), before);
        let ends = find_old(&self.spans, |spans| last(spans), before);
        for place in &places {
            self.counts.remove(place);
        }
        for end in &ends {
            self.spans.remove(end);
        }
        (places, ends)
    }
}

/// Joins the two nearest spans to one that includes both: a person then decides about rather too
/// many counts than too few. The joined span has the stronger doubt of the two, with the number of
/// the document in doubt.
fn join_nearest(spans: &mut Vec<Span>) {
    let gap = |at: &usize| spans[*at + 1].from.duration_since(spans[*at].until);
    if let Some(at) = (0..spans.len().saturating_sub(1)).min_by_key(gap) {
        let next = spans.remove(at + 1);
        let span = &mut spans[at];
        span.until = span.until.max(next.until);
        if next.doubt < span.doubt {
            (span.number, span.doubt) = (next.number, next.doubt);
        } else if (span.doubt, next.doubt) == (Doubt::Clock, Doubt::Clock)
            && span.number != next.number
        {
            span.number = SEVERAL;
        }
        spans.sort_unstable();
        spans.dedup();
    }
}

fn find_old<K: Ord + Copy, V>(
    all: &BTreeMap<K, Vec<V>>,
    newest: impl Fn(&[V]) -> Option<Timestamp>,
    before: Timestamp,
) -> Vec<K> {
    let is_old = |(_, values): &(&K, &Vec<V>)| newest(values) < Some(before);
    let mut gone: Vec<K> = all.iter().filter(is_old).map(|(key, _)| *key).collect();
    if gone.is_empty() && all.len() > PLACES_MAX {
        let oldest = all.iter().min_by_key(|(_, values)| newest(values));
        gone.extend(oldest.map(|(key, _)| *key));
    }
    gone
}

#[cfg(test)]
mod tests;
