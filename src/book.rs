//! The book of places: which counts hold where, and when nobody knows what a place held. Pure.
//!
//! A place is Odoo's ids of a product, a bin, a lot, a package and an owner. **Invariant:** for
//! each place, the stock after everything is posted is the newest count by true time plus
//! everything done after that count, in whatever order the events arrived. So whatever is posted
//! later than a count, and was done before it, makes a recount ([`Book::counts_since`]): the count
//! is compared with Odoo once more, and what is missing is posted at the time of the count.
//!
//! Where an event was undone, or a clock is in doubt, only a person knows on which side of a count
//! it belongs: a [`Span`].

use std::collections::{BTreeMap, BTreeSet};

use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, ProductId};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::document::DocumentNumber;

/// Counts that are remembered of one place. An older one changes nothing as long as the newer ones
/// stand.
pub const COUNTS_OF_PLACE_MAX: usize = 3;
/// Spans that are remembered of one place; beyond it two that are nearest become one.
pub const SPANS_OF_PLACE_MAX: usize = 64;
/// Places with counts, and places with spans, that are remembered; beyond it the oldest are
/// forgotten.
pub const PLACES_MAX: usize = 50_000;

/// What one record of Odoo's stock is of. Odoo may hold several records of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub product: ProductId,
    pub bin: LocationId,
    pub lot: Option<LotId>,
    pub package: Option<PackageId>,
    pub owner: Option<PartnerId>,
}

impl Place {
    /// Whether this place is part of `whole`, in which `None` is all: each lot, loose and in each
    /// package, of any owner.
    #[must_use]
    pub fn is_within(&self, whole: &Self) -> bool {
        self.product == whole.product
            && self.bin == whole.bin
            && (whole.lot.is_none() || self.lot == whole.lot)
            && (whole.package.is_none() || self.package == whole.package)
            && (whole.owner.is_none() || self.owner == whole.owner)
    }
}

/// An id of Odoo's, as far as it is known before Odoo was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id<T> {
    /// Odoo decides it: the bin that it reserved, a lot that a receipt makes.
    Unknown,
    None,
    Known(T),
}

impl<T: Copy + PartialEq> Id<T> {
    #[must_use]
    pub fn of(id: Option<T>) -> Self {
        id.map_or(Self::None, Self::Known)
    }

    /// Whether it is this one, as far as it is known.
    #[must_use]
    pub fn is(self, id: Option<T>) -> bool {
        self == Self::Unknown || self == Self::of(id)
    }

    /// Whether it may be this one, of which `None` is all.
    #[must_use]
    pub fn may_be(self, counted: Option<T>) -> bool {
        match (self, counted) {
            (Self::Unknown, _) | (_, None) => true,
            (Self::None, Some(_)) => false,
            (Self::Known(id), Some(counted)) => id == counted,
        }
    }
}

/// One end of what a document moves: where goods are taken from, or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub product: ProductId,
    pub bin: Id<LocationId>,
    pub lot: Id<LotId>,
    pub package: Id<PackageId>,
    pub owner: Id<PartnerId>,
}

impl End {
    /// Whether goods at this end may be part of what was counted.
    #[must_use]
    pub fn may_be_in(&self, counted: &Place) -> bool {
        self.product == counted.product
            && self.bin.may_be(Some(counted.bin))
            && self.lot.may_be(counted.lot)
            && self.package.may_be(counted.package)
            && self.owner.may_be(counted.owner)
    }
}

/// A count that was compared with Odoo. In its [`Place`] `None` is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub time: Timestamp,
    /// The number of its document.
    pub number: DocumentNumber,
    /// In the product's own unit.
    pub counted: Decimal,
    /// Documents that were made to correct it.
    pub recounts: u32,
}

impl Count {
    /// What orders the counts of overlapping places, whatever arrives first. Of one time the count
    /// of a part comes before the count of what it is part of: its difference is in the other.
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

/// Why nobody knows what a place held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// An event was undone: the goods went back some time in the span, or never left.
    Undone,
    /// The event was done at either end of the span, or in it: the clock of its device is in doubt
    /// or unknown.
    Clock,
    /// The clock was in doubt, and the device has shown it since. Odoo has the goods under an
    /// earlier time than they moved at.
    Ended,
}

/// A count with a time within `from` and `until`, both excluded, is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from: Timestamp,
    pub until: Timestamp,
    /// The number of the document that made it.
    pub number: DocumentNumber,
    pub doubt: Doubt,
}

impl Span {
    #[must_use]
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from < time && time < self.until
    }
}

/// What the count of a place means, by the other counts of that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the newest.
    Newest,
    /// This count of the same place is newer, or says the same of the same time.
    Superseded(Count),
    /// This count says something else of the same place at the same time.
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

    /// The place and count of this document, if it is remembered.
    #[must_use]
    pub fn count(&self, number: DocumentNumber) -> Option<(Place, Count)> {
        self.counts.iter().find_map(|(place, counts)| {
            let count = counts.iter().find(|count| count.number == number);
            count.map(|count| (*place, *count))
        })
    }

    /// How a count of this place at this time stands to the others that are remembered.
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

    /// The newest count of each place that goods at this end may be part of, as far as it was not
    /// done before `time`.
    #[must_use]
    pub fn counts_since(&self, end: &End, time: Timestamp) -> Vec<(Place, Count)> {
        let newest = |(place, counts): (&Place, &Vec<Count>)| Some((*place, *counts.first()?));
        self.counts_near(end)
            .filter_map(newest)
            .filter(|(_, count)| count.time >= time)
            .collect()
    }

    /// A count that was done within these times, of a place that goods at this end may be part of.
    #[must_use]
    pub fn count_between(
        &self,
        end: &End,
        span: &Span,
        besides: Option<DocumentNumber>,
    ) -> Option<(Place, Count)> {
        self.counts_near(end).find_map(|(place, counts)| {
            let within = |count: &&Count| span.holds(count.time) && Some(count.number) != besides;
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

    /// The spans in doubt that this time lies in, of goods that may be part of this place.
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

    /// Remembers a count. `false`: it is remembered already, or older than those that are.
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

    /// Forgets the other counts of this place and time.
    pub fn remove_others(&mut self, place: &Place, count: &Count) {
        if let Some(counts) = self.counts.get_mut(place) {
            counts.retain(|other| other.time != count.time || other.number == count.number);
        }
    }

    /// Forgets the count of a document; answers where it was.
    pub fn remove_count(&mut self, number: DocumentNumber) -> Option<Place> {
        let (place, _) = self.count(number)?;
        let counts = self.counts.entry(place).or_default();
        counts.retain(|count| count.number != number);
        if counts.is_empty() {
            self.counts.remove(&place);
        }
        Some(place)
    }

    /// One more document was made to correct this count; answers how many there were.
    pub fn add_recount(&mut self, place: &Place, number: DocumentNumber) -> u32 {
        let counts = self.counts.get_mut(place).into_iter().flatten();
        let Some(count) = counts.into_iter().find(|count| count.number == number) else {
            return 0;
        };
        count.recounts += 1;
        count.recounts - 1
    }

    /// Remembers a span. `false`: it is remembered already.
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

    /// The documents whose clocks made spans.
    #[must_use]
    pub fn doubtful(&self) -> BTreeSet<DocumentNumber> {
        let spans = self.spans.values().flatten();
        let of_clock = spans.filter(|span| span.doubt == Doubt::Clock);
        of_clock.map(|span| span.number).collect()
    }

    /// The device of this document has shown its clock. Answers the ends of the spans that were in
    /// doubt.
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

    /// Since when Odoo's moves have to be read for a count at this time: some have an earlier time
    /// there than they moved at.
    #[must_use]
    pub fn read_since(&self, place: &Place, time: Timestamp) -> Timestamp {
        let over = self.all_spans_over(place, time);
        let ended = over.filter(|span| span.doubt == Doubt::Ended);
        ended.map(|span| span.from).min().unwrap_or(time)
    }

    /// Forgets what lies before this time, and the oldest places of too many. Answers the places
    /// and ends that are gone.
    pub fn forget(&mut self, before: Timestamp) -> (Vec<Place>, Vec<End>) {
        let newest = |counts: &[Count]| counts.first().map(|count| count.time);
        let last = |spans: &[Span]| spans.iter().map(|span| span.until).max();
        let places = gone(&self.counts, |counts| newest(counts), before);
        let ends = gone(&self.spans, |spans| last(spans), before);
        for place in &places {
            self.counts.remove(place);
        }
        for end in &ends {
            self.spans.remove(end);
        }
        (places, ends)
    }
}

/// Two spans that are nearest become one that holds both: rather too many counts are for a person
/// than too few.
fn join_nearest(spans: &mut Vec<Span>) {
    let gap = |at: &usize| spans[*at + 1].from.duration_since(spans[*at].until);
    if let Some(at) = (0..spans.len().saturating_sub(1)).min_by_key(gap) {
        let next = spans.remove(at + 1);
        let span = &mut spans[at];
        span.until = span.until.max(next.until);
        span.doubt = span.doubt.min(next.doubt);
    }
}

fn gone<K: Ord + Copy, V>(
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
