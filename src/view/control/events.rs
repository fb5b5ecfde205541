//! Answers the list of events.
//!
//! One request searches for a limited time: the page then has what was found, and how many events
//! the search has not read yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use axum::extract::State;

use super::problem::Problem;
use super::query::{EVENT_PARAMETERS, EVENT_STATES, Parameters, Query, Scans};
use super::times::check_order;
use super::{Answer, Gateway, SEARCH_TIME, reading};
use crate::clock;
use crate::document::DocumentNumber;
use crate::event::Seq;
use crate::journal::{EventDocument, Journal, JournalError};
use crate::view::records::{EventPage, Place, SearchView};

/// Documents that a request remembers, at most.
const PLACES_MAX: usize = 256;

pub async fn events(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<EventPage> {
    let query = Query::parse(pairs, &EVENT_PARAMETERS, &EVENT_STATES)?;
    let page = move |g: &Gateway| event_page(g, &query, SEARCH_TIME);
    reading(&gateway, page).await.map(axum::Json)
}

/// Searches until the page is full, no event is left, or the time is over.
fn event_page(gateway: &Gateway, query: &Query, time: Duration) -> Result<EventPage, Problem> {
    let begun = clock::instant();
    let since = query.since.map(|since| gateway.time_of(since));
    check_order(since, query.until)?;
    let mut search = gateway
        .journal
        .search(query.event_filter(since), Seq::new(query.after))?;
    let is_unused_only = query.scans == Some(Scans::Unused);
    let mut places = Places::new(gateway);
    let mut events = Vec::new();
    while !search.is_over() && events.len() < query.limit {
        for found in search.read_part(query.limit - events.len())? {
            let place = places.of(found.document)?;
            // The document may have changed its state since the search read it.
            if query.state.as_ref().is_none_or(|of| of == place.state()) {
                let view = gateway.view_event(&found.recorded, place)?;
                events.extend((view.unused || !is_unused_only).then_some(view));
            }
        }
        if begun.elapsed() >= time {
            break;
        }
    }
    let is_cut = !search.is_over() && events.len() < query.limit;
    Ok(EventPage {
        events,
        next: search.position(),
        more: !search.is_over(),
        search: is_cut.then(|| SearchView {
            searched: search.searched(),
            left: search.left(),
        }),
    })
}

/// Finds the documents of events; reads each document of a page only once.
pub struct Places<'a> {
    journal: &'a Journal,
    documents: HashMap<DocumentNumber, Place>,
}

impl<'a> Places<'a> {
    pub fn new(gateway: &'a Gateway) -> Self {
        Self {
            journal: &gateway.journal,
            documents: HashMap::new(),
        }
    }

    pub fn of(&mut self, document: EventDocument) -> Result<&Place, JournalError> {
        let number = match document {
            EventDocument::Open => return Ok(&Place::Open),
            EventDocument::NotNeeded => return Ok(&Place::NoDocument),
            EventDocument::Sealed(number) => number,
        };
        if self.documents.len() >= PLACES_MAX {
            self.documents.clear();
        }
        match self.documents.entry(number) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unread) => {
                let found = self.journal.progress(number)?;
                // The journal pruned the document between the two reads, and prunes the event next.
                let place = found.map_or(Place::NoDocument, |(key, progress)| {
                    Place::of(key, &progress)
                });
                Ok(unread.insert(place))
            }
        }
    }
}

#[cfg(test)]
mod tests;
