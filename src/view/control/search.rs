//! Answers `GET /v1/search`: everything in the journal that a text names.
//!
//! First come names (products, bins, orders, devices, ...), each once, then the event with the
//! searched number, documents, rejected readings and other events, in each group the newest first.
//! The first page counts all results; its cursor has the total and the newest event of that time,
//! so that later pages only continue. A request searches for [`FIND_TIME`]: the answer then says
//! how far it has searched.

mod cursor;
mod hits;
mod named;
mod parameters;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;

use self::cursor::{Cursor, Position};
use self::hits::Rendering;
use self::parameters::SearchQuery;
use super::problem::Problem;
use super::query::Parameters;
use super::{Answer, Gateway, reading};
use crate::clock;
use crate::document::DocumentNumber;
use crate::event::{RejectedNumber, Seq};
use crate::journal::terms::{FoundName, Needle, TermKind};
use crate::journal::{Find, JournalError, Wanted};
use crate::view::records::{Hit, HitKind, HitPage, SearchView};

pub use self::named::{Named, find_named};

/// Totals are exact up to this number.
const TOTAL_MAX: u64 = 10_000;
/// How long one request searches.
const FIND_TIME: Duration = Duration::from_millis(200);

pub async fn search(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<HitPage> {
    let query = SearchQuery::parse(pairs)?;
    let page = move |g: &Gateway| search_page(g, &query, clock::instant() + FIND_TIME);
    reading(&gateway, page).await.map(Json)
}

/// A result that is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fixed {
    Name(FoundName),
    Picking(String, DocumentNumber),
    Reason(String, DocumentNumber),
    Document(DocumentNumber),
    Rejected(RejectedNumber),
    /// The event with the searched number.
    Event(Seq),
}

fn search_page(
    gateway: &Gateway,
    query: &SearchQuery,
    deadline: Instant,
) -> Result<HitPage, Problem> {
    let cursor = match query.after {
        Some(cursor) => cursor,
        None => Cursor::first(gateway, query.digest)?,
    };
    let mut searching = Searching::start(gateway, query, cursor, deadline)?;
    searching.run()?;
    searching.answer()
}

/// One request.
struct Searching<'a> {
    gateway: &'a Gateway,
    query: &'a SearchQuery,
    cursor: Cursor,
    deadline: Instant,
    since: Option<Timestamp>,
    find: Find<'a>,
    /// The codes of products whose names have the words of the text.
    products: Vec<Needle>,
    known: HashSet<(TermKind, String)>,
    names: Vec<FoundName>,
    /// Results of documents and rejected readings.
    others: Vec<Fixed>,
    others_are_cut: bool,
    /// The event whose number is the searched text: it is among `others`.
    numbered: Option<Seq>,
    /// One event more than the page can have shows that there are more.
    events: Vec<Seq>,
    event_count: u64,
    is_cut: bool,
}

impl<'a> Searching<'a> {
    fn start(
        gateway: &'a Gateway,
        query: &'a SearchQuery,
        cursor: Cursor,
        deadline: Instant,
    ) -> Result<Self, Problem> {
        let below = match cursor.position {
            Position::Fixed(_) => cursor.newest.next(),
            Position::Events(below) => below,
        };
        let since = query.since.map(|since| gateway.time_of(since));
        let mut needles = query.needles();
        let (of_products, has_more) = named::product_needles(gateway, query);
        needles.extend(of_products.iter().cloned());
        let find = gateway.journal.find_below(below, needles, since);
        let mut searching = Self {
            gateway,
            query,
            cursor,
            deadline,
            since,
            find,
            products: of_products,
            known: HashSet::new(),
            names: Vec::new(),
            others: Vec::new(),
            others_are_cut: has_more,
            numbered: query.event_number(),
            events: Vec::new(),
            event_count: 0,
            is_cut: false,
        };
        if let Some(seq) = searching.numbered
            && (seq > cursor.newest || gateway.journal.event(seq)?.is_none())
        {
            searching.numbered = None;
        }
        if matches!(cursor.position, Position::Fixed(_)) {
            searching.find_others()?;
        }
        Ok(searching)
    }

    /// Finds documents and rejected readings.
    fn find_others(&mut self) -> Result<(), JournalError> {
        let (query, journal) = (self.query, &self.gateway.journal);
        let needle = query.needle();
        self.others.extend(self.numbered.map(Fixed::Event));
        let is_wanted = |kind| query.kind.is_none_or(|of| of == kind);
        let kinds = [HitKind::Picking, HitKind::Reason, HitKind::Document];
        if kinds.into_iter().any(is_wanted) {
            let mut found = journal.find_documents(&needle, self.cursor.document)?;
            self.others_are_cut |= found.is_cut;
            for product in &self.products {
                let of_product = journal.find_documents(product, self.cursor.document)?;
                found.lines.extend(of_product.lines);
            }
            let replacing = found.lines.iter().map(|(_, number)| *number);
            found.numbers.extend(replacing);
            found.numbers.sort_unstable_by(|one, other| other.cmp(one));
            found.numbers.dedup();
            let mut add = |kind, fixed: Vec<Fixed>| {
                if is_wanted(kind) {
                    self.others.extend(fixed);
                }
            };
            let named = |make: fn(String, DocumentNumber) -> Fixed, names: Vec<_>| {
                names
                    .into_iter()
                    .map(|(text, newest)| make(text, newest))
                    .collect()
            };
            add(HitKind::Picking, named(Fixed::Picking, found.pickings));
            add(HitKind::Reason, named(Fixed::Reason, found.reasons));
            let documents = found.numbers.into_iter().map(Fixed::Document);
            add(HitKind::Document, documents.collect());
        }
        if let Some(since) = self.since {
            let mut left = Vec::new();
            for fixed in std::mem::take(&mut self.others) {
                if self.deadline <= clock::instant() {
                    self.others_are_cut = true;
                    break;
                }
                if hits::time_of(self.gateway, &fixed)?.is_some_and(|at| at >= since) {
                    left.push(fixed);
                }
            }
            self.others = left;
        }
        if is_wanted(HitKind::Rejected) {
            for needle in query.needles() {
                let upto = self.cursor.rejected;
                let found = journal.find_rejected(&needle, self.since, upto)?;
                let new = found.into_iter().map(Fixed::Rejected);
                let new = new.filter(|fixed| !self.others.contains(fixed));
                let new: Vec<_> = new.collect();
                self.others.extend(new);
            }
        }
        Ok(())
    }

    /// Count of the results so far; of the whole search only if it is over.
    fn count(&self) -> u64 {
        self.names.len() as u64 + self.others.len() as u64 + self.event_count
    }

    /// What the search still needs. `None`: nothing.
    fn wanted(&self) -> Option<Wanted> {
        let limit = self.query.limit;
        let wanted = match self.cursor.position {
            Position::Events(_) => Wanted {
                events: self.events.len() <= limit,
                names: false,
            },
            Position::Fixed(skip) => {
                let is_counting = self.cursor.total.is_none() && self.count() <= TOTAL_MAX;
                let is_short = self.names.len() <= skip + limit;
                let fixed = self.names.len() + self.others.len();
                let has_place = fixed <= skip + limit && self.events.len() <= limit;
                Wanted {
                    events: self.query.wants_events() && (is_counting || has_place),
                    names: self.query.wants_names() && (is_counting || is_short),
                }
            }
        };
        (wanted.events || wanted.names).then_some(wanted)
    }

    fn run(&mut self) -> Result<(), JournalError> {
        while let Some(wanted) = self.wanted() {
            if self.find.is_over() {
                break;
            }
            let mut part = self.find.read_part(wanted)?;
            part.events.retain(|seq| Some(*seq) != self.numbered);
            if wanted.names {
                for name in part.names {
                    let is_kind = self
                        .query
                        .kind
                        .is_none_or(|of| of == hits::kind_of(name.kind));
                    let key = (name.kind, name.text.clone());
                    if is_kind && self.known.insert(key) {
                        self.names.push(name);
                    }
                }
            }
            self.event_count += part.events.len() as u64;
            let room = (self.query.limit + 1).saturating_sub(self.events.len());
            self.events.extend(part.events.into_iter().take(room));
            if clock::instant() >= self.deadline {
                self.is_cut = !self.find.is_over() && self.wanted().is_some();
                break;
            }
        }
        Ok(())
    }

    fn answer(self) -> Result<HitPage, Problem> {
        let limit = self.query.limit;
        let (total, total_exact) = self.total();
        let search = self.searched()?;
        let wants_events = self.query.wants_events();
        let Self {
            gateway,
            cursor,
            find,
            names,
            others,
            events,
            is_cut,
            ..
        } = self;
        let mut rendering = Rendering::new(gateway);
        let mut results: Vec<Hit> = Vec::new();
        let mut room = limit;
        let mut next = None;
        if let Position::Fixed(skip) = cursor.position {
            let fixed = names.into_iter().map(Fixed::Name).chain(others);
            let mut fixed = fixed.skip(skip);
            for one in fixed.by_ref().take(limit) {
                room -= 1;
                results.extend(rendering.fixed(&one)?);
            }
            if fixed.next().is_some() {
                next = Some(Position::Fixed(skip + limit));
                room = 0;
            } else if room == 0 && wants_events && (is_cut || !events.is_empty()) {
                next = Some(Position::Events(cursor.newest.next()));
            }
        }
        let mut below = find.below();
        for seq in events.iter().take(room) {
            below = *seq;
            results.extend(rendering.event(*seq)?);
        }
        if room > 0 && wants_events {
            if events.len() > room {
                next = Some(Position::Events(below));
            } else if is_cut {
                next = Some(Position::Events(find.below()));
            }
        }
        let next = next.map(|position| Cursor {
            position,
            total: Some((total, total_exact)),
            ..cursor
        });
        Ok(HitPage {
            results,
            total,
            total_exact,
            next: next.map(|cursor| cursor.to_string()),
            not_indexed: gateway.journal.indexed()?.left,
            search,
        })
    }

    fn total(&self) -> (u64, bool) {
        let count = self.count();
        match self.cursor.total {
            Some(total) => total,
            None if count > TOTAL_MAX => (TOTAL_MAX, false),
            None => (count, !self.is_cut && !self.others_are_cut),
        }
    }

    fn searched(&self) -> Result<Option<SearchView>, JournalError> {
        let view = |left| SearchView {
            searched: self.find.searched(),
            left,
        };
        let left = self.is_cut.then(|| self.find.left()).transpose()?;
        Ok(left.map(view))
    }
}
