//! Answers the requests that only read. Each list is a page: its entries, its lines and the entries
//! that it reads are limited.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;

use super::problem::Problem;
use super::query::{EVENT_STATES, Id, Parameters, Query, REJECTED_STATES, shorten};
use super::{Gateway, reading};
use crate::assemble;
use crate::document::{self, DocumentKey, DocumentNumber, Purpose};
use crate::event::{Name, Recorded, RejectedNumber, Seq};
use crate::journal::{Entry, EventDocument, JournalError, Rejected};
use crate::reason::{Code, ReasonCode};
use crate::view::records::{
    DocumentDetail, DocumentPage, DocumentView, EventPage, EventView, Place, RejectedPage,
    RejectedView, Trace,
};
use crate::view::snapshot::Status;

/// Entries per read transaction: it is short, because it prevents the reuse of old pages of the
/// file.
const EVENTS_AT_ONCE: usize = 256;
const DOCUMENTS_AT_ONCE: usize = 16;
/// Entries that one request reads to find those that pass its filter; `next` continues from there.
const READ_MAX: usize = 20_000;
/// Lines in one page of documents: a document may have hundreds.
const LINES_MAX: usize = 5_000;
/// The minimum of digits in the beginning of a document's key.
const PREFIX_DIGITS_MIN: usize = 6;
/// Rejected readings that `trace` reads, the newest ones: they have no index by id.
const REJECTED_READ_MAX: u64 = 10_000;
/// Documents that one request retries: the writer does nothing else meanwhile.
const RETRIED_MAX: usize = 500;
/// The limit of documents before, and of documents after, a corrected one in its trace.
const CHAIN_MAX: usize = 20;

type Answer<T> = Result<Json<T>, Problem>;

pub async fn status(State(gateway): State<Gateway>) -> Answer<Status> {
    take_status(&gateway).await.map(Json)
}

pub async fn take_status(gateway: &Gateway) -> Result<Status, Problem> {
    match gateway.status().await {
        Some(status) => Ok(status?),
        None => Err(Problem::internal(
            "the daemon is stopping and does not read the status: send the request again when it runs",
        )),
    }
}

pub async fn events(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<EventPage> {
    let query = Query::parse(pairs, &["device", "type", "state"], &EVENT_STATES)?;
    reading(&gateway, move |g| event_page(g, &query))
        .await
        .map(Json)
}

fn event_page(gateway: &Gateway, query: &Query) -> Result<EventPage, Problem> {
    let mut places = Places::new(gateway);
    let mut page = EventPage {
        events: Vec::new(),
        next: Seq::new(query.after),
        more: true,
    };
    for _ in 0..READ_MAX.div_ceil(EVENTS_AT_ONCE) {
        let chunk = gateway.journal.events(page.next, EVENTS_AT_ONCE)?;
        let last = chunk.len() < EVENTS_AT_ONCE;
        let newest = chunk.last().map(|recorded| recorded.seq);
        for recorded in chunk {
            page.next = recorded.seq;
            if !query.matches(&recorded) {
                continue;
            }
            let place = places.of(recorded.seq)?;
            if query
                .state
                .as_ref()
                .is_some_and(|state| state != place.state())
            {
                continue;
            }
            page.events
                .push(EventView::of(&gateway.site, &recorded, place));
            if page.events.len() == query.limit {
                page.more = !last || newest > Some(page.next);
                return Ok(page);
            }
        }
        if last {
            page.more = false;
            break;
        }
    }
    Ok(page)
}

/// Finds the documents of events; reads each document of a page only once.
struct Places<'a> {
    gateway: &'a Gateway,
    documents: HashMap<DocumentNumber, Place>,
    place: Place,
}

impl<'a> Places<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        Self {
            gateway,
            documents: HashMap::new(),
            place: Place::Open,
        }
    }

    fn of(&mut self, seq: Seq) -> Result<&Place, JournalError> {
        let journal = &self.gateway.journal;
        self.place = match journal.document_of(seq)? {
            EventDocument::Open => Place::Open,
            EventDocument::NotNeeded => Place::NoDocument,
            EventDocument::Sealed(number) => {
                if !self.documents.contains_key(&number) {
                    // The journal pruned the document between the two reads, and prunes the event
                    // next.
                    let place =
                        (journal.document(number)?).map_or(Place::NoDocument, |e| Place::of(&e));
                    if self.documents.len() >= EVENTS_AT_ONCE {
                        self.documents.clear();
                    }
                    self.documents.insert(number, place);
                }
                return Ok(&self.documents[&number]);
            }
        };
        Ok(&self.place)
    }
}

pub async fn rejected(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<RejectedPage> {
    let query = Query::parse(pairs, &["state"], &REJECTED_STATES)?;
    let page = move |g: &Gateway| -> Result<RejectedPage, Problem> {
        // One more than requested shows whether there are more.
        let after = RejectedNumber::new(query.after);
        let mut found = match query.state {
            Some(_) => g.journal.rejected_open(after, query.limit + 1)?,
            None => g.journal.rejected(after, query.limit + 1)?,
        };
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        Ok(RejectedPage {
            next: found.last().map_or(after, |rejected| rejected.number),
            rejected: found.iter().map(RejectedView::for_list).collect(),
            more,
        })
    };
    reading(&gateway, page).await.map(Json)
}

pub async fn documents(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<DocumentPage> {
    let states = document::State::ALL.map(document::State::as_str);
    let query = Query::parse(pairs, &["state"], &states)?;
    let state = (document::State::ALL.into_iter())
        .find(|state| query.state.as_deref() == Some(state.as_str()));
    reading(&gateway, move |g| document_page(g, state, &query))
        .await
        .map(Json)
}

pub async fn parked(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<serde_json::Value> {
    let query = Query::parse(pairs, &["code"], &[])?;
    let state = Some(document::State::Parked);
    let page = reading(&gateway, move |g| document_page(g, state, &query)).await?;
    Ok(Json(serde_json::json!({
        "parked": page.documents, "next": page.next, "more": page.more
    })))
}

fn document_page(
    gateway: &Gateway,
    state: Option<document::State>,
    query: &Query,
) -> Result<DocumentPage, Problem> {
    let mut page = DocumentPage {
        documents: Vec::new(),
        next: DocumentNumber::new(query.after),
        more: true,
    };
    let mut lines = 0;
    for _ in 0..READ_MAX.div_ceil(DOCUMENTS_AT_ONCE) {
        let chunk = gateway
            .journal
            .documents(state, page.next, DOCUMENTS_AT_ONCE)?;
        let last = chunk.len() < DOCUMENTS_AT_ONCE;
        let newest = chunk.last().map(|entry| entry.document.number);
        for entry in chunk {
            page.next = entry.document.number;
            let reason = entry.progress.reason.as_ref();
            let code = reason.map(|reason| reason.code.as_str());
            if query.code.is_some() && query.code.as_deref() != code {
                continue;
            }
            lines += entry.document.lines.len();
            page.documents.push(DocumentView::of(
                &with_lines_of_event(gateway, entry)?,
                false,
            ));
            if page.documents.len() == query.limit || lines >= LINES_MAX {
                page.more = !last || newest > Some(page.next);
                return Ok(page);
            }
        }
        if last {
            page.more = false;
            break;
        }
    }
    Ok(page)
}

pub async fn parked_one(State(gateway): State<Gateway>, Id(id): Id) -> Answer<DocumentDetail> {
    let found = move |g: &Gateway| detail(g, find_document(g, &id)?);
    reading(&gateway, found).await.map(Json)
}

/// Returns a document with its history, the number of the document that replaces it, and the
/// choices.
pub fn detail(gateway: &Gateway, entry: Entry) -> Result<DocumentDetail, Problem> {
    let journal = &gateway.journal;
    let entry = with_lines_of_event(gateway, entry)?;
    let audit = journal.audit(entry.document.number)?;
    let next = find_replacement(gateway, &entry)?;
    let next = next.map(|next| next.document.number);
    Ok(DocumentDetail::of(&entry, audit, next))
}

/// Finds the document that replaces this one.
fn find_replacement(gateway: &Gateway, entry: &Entry) -> Result<Option<Entry>, JournalError> {
    if entry.progress.state != document::State::Replaced {
        return Ok(None);
    }
    let key = entry.document.key.corrected();
    gateway.journal.document_by_key(key)
}

/// Adds the lines of its event to a document that was sealed without lines, by a version that could
/// not post its type.
pub fn with_lines_of_event(gateway: &Gateway, mut entry: Entry) -> Result<Entry, JournalError> {
    if let (Purpose::Unsupported { .. }, Some(seq)) =
        (&entry.document.purpose, entry.document.events.first())
        && let Some(event) = gateway.journal.event(*seq)?
    {
        entry.document = assemble::revive(&entry.document, &event);
    }
    Ok(entry)
}

/// Finds the documents that are parked with one reason code, after number `after`: at most as many
/// as one request retries. Returns also where to continue, and whether there may be more.
pub fn find_parked_with(
    gateway: &Gateway,
    code: &Code<ReasonCode>,
    after: DocumentNumber,
) -> Result<(Vec<Entry>, DocumentNumber, bool), Problem> {
    let (mut found, mut next) = (Vec::new(), after);
    for _ in 0..READ_MAX.div_ceil(DOCUMENTS_AT_ONCE) {
        let state = Some(document::State::Parked);
        let chunk = gateway.journal.documents(state, next, DOCUMENTS_AT_ONCE)?;
        let Some(newest) = chunk.last().map(|entry| entry.document.number) else {
            return Ok((found, next, false));
        };
        for entry in chunk {
            next = entry.document.number;
            if entry
                .progress
                .reason
                .as_ref()
                .is_some_and(|reason| reason.code == *code)
            {
                found.push(entry);
            }
            if found.len() == RETRIED_MAX {
                return Ok((found, next, true));
            }
        }
        next = newest;
    }
    Ok((found, next, true))
}

/// Finds the document with this id: its number, its key, or the beginning of a parked document's
/// key.
pub fn find_document(gateway: &Gateway, id: &str) -> Result<Entry, Problem> {
    let journal = &gateway.journal;
    if let Ok(key) = id.parse::<DocumentKey>()
        && let Some(entry) = journal.document_by_key(key)?
    {
        return Ok(entry);
    }
    if let Ok(number) = id.parse()
        && let Some(entry) = journal.document(number)?
    {
        return Ok(entry);
    }
    let mut found: Option<Entry> = None;
    if (PREFIX_DIGITS_MIN..32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        let prefix = id.to_ascii_lowercase();
        let mut after = DocumentNumber::ZERO;
        for _ in 0..READ_MAX.div_ceil(DOCUMENTS_AT_ONCE) {
            let state = Some(document::State::Parked);
            let chunk = journal.documents(state, after, DOCUMENTS_AT_ONCE)?;
            let Some(newest) = chunk.last().map(|entry| entry.document.number) else {
                break;
            };
            after = newest;
            for entry in chunk {
                if !entry.document.key.to_string().starts_with(&prefix) {
                    continue;
                }
                if let Some(first) = found {
                    return Err(Problem::bad(
                        format!(
                            "several keys begin with {id:?}, among them those of documents {} and {}",
                            first.document.number, entry.document.number
                        ),
                        "give more digits of the key, or the document's number",
                    ));
                }
                found = Some(entry);
            }
        }
    }
    found.ok_or_else(|| {
        Problem::missing(
            format!("document {:?} does not exist", shorten(id)),
            format!("give a document's number, its key, or at least {PREFIX_DIGITS_MIN} digits of a parked document's key, as /v1/parked lists them"),
        )
    })
}

pub async fn trace(State(gateway): State<Gateway>, Id(id): Id) -> Answer<Trace> {
    reading(&gateway, move |g| trace_id(g, &id)).await.map(Json)
}

/// Traces an id: an event's id, `DEVICE/ID` or `seq`, else a rejected reading's id, else a
/// document's key or number. If the id means several events, the likeliest is traced, and `others`
/// has the other events.
fn trace_id(gateway: &Gateway, id: &str) -> Result<Trace, Problem> {
    let mut found = find_candidates(gateway, id)?.into_iter();
    if let Some(recorded) = found.next() {
        let mut trace = trace_event(gateway, &recorded)?;
        trace.others = found.map(|other| format!("seq:{}", other.seq)).collect();
        return Ok(trace);
    }
    if let Some(rejected) = find_rejected(gateway, id)? {
        return Ok(Trace {
            rejected: Some(rejected),
            ..Trace::default()
        });
    }
    match find_document(gateway, id) {
        Ok(entry) => trace_document(gateway, &entry),
        Err(problem) if problem.status == 404 => Err(Problem::missing(
            format!(
                "no event, rejected reading or document has the id {:?}",
                shorten(id)
            ),
            "give an event's id, DEVICE/ID or seq, a rejected reading's id, or a document's key or number",
        )),
        Err(problem) => Err(problem),
    }
}

/// Finds the events that an id can mean, each once, the likeliest first.
fn find_candidates(gateway: &Gateway, id: &str) -> Result<Vec<Recorded>, JournalError> {
    let journal = &gateway.journal;
    if let Some(seq) = id.strip_prefix("seq:").and_then(|seq| seq.parse().ok()) {
        return Ok(journal.event(seq)?.into_iter().collect());
    }
    let mut found = Vec::new();
    if let Some((device, own)) = id.split_once('/')
        && Name::new(device).is_ok()
    {
        found.extend(journal.event_of(device, own)?);
    }
    found.extend(journal.events_by_id(id)?);
    if let Ok(seq) = id.parse() {
        found.extend(journal.event(seq)?);
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|recorded| seen.insert(recorded.seq));
    found.truncate(100);
    Ok(found)
}

fn trace_event(gateway: &Gateway, recorded: &Recorded) -> Result<Trace, Problem> {
    let journal = &gateway.journal;
    let (place, mut trace) = match journal.document_of(recorded.seq)? {
        EventDocument::Open => (Place::Open, Trace::default()),
        EventDocument::NotNeeded => (Place::NoDocument, Trace::default()),
        EventDocument::Sealed(number) => match journal.document(number)? {
            Some(entry) => (Place::of(&entry), trace_document(gateway, &entry)?),
            None => (Place::NoDocument, Trace::default()),
        },
    };
    trace.event = Some(EventView::of(&gateway.site, recorded, &place));
    trace.repeats = journal.repeats(recorded.seq)?.map(Into::into);
    trace.made_of = find_newest(gateway, |rejected| {
        rejected
            .settled
            .as_ref()
            .is_some_and(|record| record.names(recorded.seq))
    })?;
    Ok(trace)
}

fn trace_document(gateway: &Gateway, entry: &Entry) -> Result<Trace, Problem> {
    let journal = &gateway.journal;
    let this = detail(gateway, entry.clone())?;
    let mut trace = Trace {
        document: Some(this.document),
        audit: this.audit,
        choices: this.choices,
        ..Trace::default()
    };
    let mut before = entry.document.corrects;
    while let Some(number) = before.filter(|_| trace.earlier.len() < CHAIN_MAX) {
        // The old document may be pruned before the one that replaced it.
        let Some(old) = journal.document(number)? else {
            break;
        };
        before = old.document.corrects;
        trace.earlier.insert(0, detail(gateway, old)?);
    }
    let mut after = find_replacement(gateway, entry)?;
    while let Some(new) = after.filter(|_| trace.later.len() < CHAIN_MAX) {
        after = find_replacement(gateway, &new)?;
        trace.later.push(detail(gateway, new)?);
    }
    Ok(trace)
}

/// Finds the newest rejected reading with this id, or `DEVICE/ID`.
fn find_rejected(gateway: &Gateway, id: &str) -> Result<Option<RejectedView>, JournalError> {
    let same =
        |own: &str, device: &Name| own == id || id.split_once('/') == Some((device.as_str(), own));
    find_newest(gateway, |rejected| {
        (rejected.id.as_deref()).is_some_and(|own| same(own, &rejected.device))
    })
}

/// Finds the newest rejected reading that matches, among the newest ones.
fn find_newest(
    gateway: &Gateway,
    matches: impl Fn(&Rejected) -> bool,
) -> Result<Option<RejectedView>, JournalError> {
    let last = RejectedNumber::new(gateway.journal.totals().rejected);
    let mut after = last.back_by(REJECTED_READ_MAX);
    let mut newest = None;
    loop {
        let chunk = gateway.journal.rejected(after, EVENTS_AT_ONCE)?;
        let Some(last) = chunk.last() else {
            let found = newest.map(|number| gateway.journal.rejected_one(number));
            let found = found.transpose()?.flatten();
            return Ok(found.as_ref().map(RejectedView::of));
        };
        after = last.number;
        let found = chunk.iter().rev().find(|rejected| matches(rejected));
        newest = found.map(|rejected| rejected.number).or(newest);
    }
}
