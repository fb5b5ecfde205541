//! Answers the requests that only read, except events and traces. Each list is a page with a limit
//! of entries and lines, and a search for parked documents ends after a limited time.

use std::time::Duration;

use axum::Json;
use axum::extract::State;

use super::problem::Problem;
use super::query::{Id, Parameters, Query, REJECTED_STATES, shorten};
use super::{Answer, Gateway, SEARCH_TIME, reading, since};
use crate::assemble;
use crate::clock;
use crate::document::{self, DocumentKey, DocumentNumber, Purpose};
use crate::event::RejectedNumber;
use crate::journal::{Entry, JournalError};
use crate::reason::{Code, ReasonCode};
use crate::view::gateway::SinceWhen;
use crate::view::records::{
    DocumentDetail, DocumentPage, DocumentView, RejectedPage, RejectedView, SearchView,
};
use crate::view::snapshot::Status;

/// Entries per read transaction: it is short, because it prevents the reuse of old pages of the
/// file.
const DOCUMENTS_AT_ONCE: usize = 16;
/// Lines in one page of documents: a document may have hundreds.
const LINES_MAX: usize = 5_000;
/// The minimum of digits in the beginning of a document's key.
const PREFIX_DIGITS_MIN: usize = 6;
/// Documents that one request decides about: the writer does nothing else meanwhile.
pub const DECIDED_MAX: usize = 500;

pub async fn status(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<Status> {
    let since = since::parse(pairs)?;
    take_status(&gateway, since).await.map(Json)
}

pub async fn take_status(gateway: &Gateway, since: Option<SinceWhen>) -> Result<Status, Problem> {
    match gateway.status(since).await {
        Some(status) => Ok(status?),
        None => Err(Problem::internal(
            "the daemon is stopping and does not read the status: send the request again when it runs",
        )),
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
            rejected: (found.iter())
                .map(|rejected| RejectedView::for_list(&g.site, rejected))
                .collect(),
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
    let page = reading(&gateway, move |g| match &query.code {
        Some(code) => parked_page(g, &code.as_str().into(), &query, SEARCH_TIME),
        None => document_page(g, Some(document::State::Parked), &query),
    });
    let page = page.await?;
    let mut answer = serde_json::json!({
        "parked": page.documents, "next": page.next, "more": page.more
    });
    if let Some(search) = page.search {
        answer["search"] = serde_json::json!(search);
    }
    Ok(Json(answer))
}

fn document_page(
    gateway: &Gateway,
    state: Option<document::State>,
    query: &Query,
) -> Result<DocumentPage, Problem> {
    let mut page = DocumentPage::after(query.after.into());
    let mut lines = 0;
    loop {
        let chunk = gateway
            .journal
            .documents(state, page.next, DOCUMENTS_AT_ONCE)?;
        let last = chunk.len() < DOCUMENTS_AT_ONCE;
        let newest = chunk.last().map(|entry| entry.document.number);
        for entry in chunk {
            page.next = entry.document.number;
            lines += add_document(gateway, entry, &mut page)?;
            if page.documents.len() == query.limit || lines >= LINES_MAX {
                page.more = !last || newest > Some(page.next);
                return Ok(page);
            }
        }
        if last {
            page.more = false;
            return Ok(page);
        }
    }
}

/// Searches the documents that are parked with this code, until the page is full, no parked
/// document is left, or the time is over.
fn parked_page(
    gateway: &Gateway,
    code: &Code<ReasonCode>,
    query: &Query,
    time: Duration,
) -> Result<DocumentPage, Problem> {
    let begun = clock::instant();
    let journal = &gateway.journal;
    let mut page = DocumentPage::after(query.after.into());
    let (mut lines, mut searched) = (0, 0);
    loop {
        let part = journal.parked_with(code, page.next, query.limit - page.documents.len())?;
        searched += part.searched;
        for number in part.numbers {
            page.next = number;
            if let Some(entry) = find_parked(gateway, number, code)? {
                lines += add_document(gateway, entry, &mut page)?;
            }
            if lines >= LINES_MAX {
                return Ok(page);
            }
        }
        page.next = part.next;
        page.more = !part.is_last;
        if part.is_last || page.documents.len() >= query.limit {
            return Ok(page);
        }
        if begun.elapsed() >= time {
            let newest = journal.newest_document()?.get();
            let left = newest.saturating_sub(page.next.get());
            page.search = Some(SearchView {
                searched,
                left: left.min(journal.totals().parked.documents),
            });
            return Ok(page);
        }
    }
}

/// The document with this number, if it is still parked with this code.
fn find_parked(
    gateway: &Gateway,
    number: DocumentNumber,
    code: &Code<ReasonCode>,
) -> Result<Option<Entry>, JournalError> {
    let entry = gateway.journal.document(number)?;
    Ok(entry.filter(|Entry { progress, .. }| {
        let is_same = progress
            .reason
            .as_ref()
            .is_some_and(|reason| reason.code == *code);
        progress.state == document::State::Parked && is_same
    }))
}

/// Adds a document to a page. Returns its number of lines.
fn add_document(
    gateway: &Gateway,
    entry: Entry,
    page: &mut DocumentPage,
) -> Result<usize, JournalError> {
    let entry = with_lines_of_event(gateway, entry)?;
    page.documents.push(DocumentView::of(&entry, false));
    Ok(entry.document.lines.len())
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
pub fn find_replacement(gateway: &Gateway, entry: &Entry) -> Result<Option<Entry>, JournalError> {
    if entry.progress.state != document::State::Replaced {
        return Ok(None);
    }
    let key = &entry.document.key;
    for key in [key.corrected(), key.undiscarded()] {
        if let Some(replacement) = gateway.journal.document_by_key(key)? {
            return Ok(Some(replacement));
        }
    }
    Ok(None)
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
/// as one request decides about. Returns also where to continue, and whether there may be more.
pub fn find_parked_with(
    gateway: &Gateway,
    code: &Code<ReasonCode>,
    after: DocumentNumber,
) -> Result<(Vec<Entry>, DocumentNumber, bool), Problem> {
    let begun = clock::instant();
    let (mut found, mut next) = (Vec::new(), after);
    loop {
        let limit = DECIDED_MAX - found.len();
        let part = gateway.journal.parked_with(code, next, limit)?;
        next = part.next;
        for number in part.numbers {
            found.extend(find_parked(gateway, number, code)?);
        }
        if part.is_last || found.len() == DECIDED_MAX || begun.elapsed() >= SEARCH_TIME {
            return Ok((found, next, !part.is_last));
        }
    }
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
    let mut found = None;
    if let Some((first, last)) = keys_that_begin_with(id) {
        match *journal.parked_between(first, last, 2)? {
            [one, other, ..] => {
                return Err(Problem::bad(
                    format!(
                        "several keys begin with {id:?}, among them those of documents {} and {}",
                        one.min(other),
                        one.max(other)
                    ),
                    "give more digits of the key, or the document's number",
                ));
            }
            [one] => found = journal.document(one)?,
            [] => {}
        }
    }
    found.ok_or_else(|| {
        Problem::missing(
            format!("document {:?} does not exist", shorten(id)),
            format!("give a document's number, its key, or at least {PREFIX_DIGITS_MIN} digits of a parked document's key, as /v1/parked lists them"),
        )
    })
}

/// The first and the last key that begin with these digits. `None`: they are no digits, or too few.
fn keys_that_begin_with(digits: &str) -> Option<(DocumentKey, DocumentKey)> {
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hex || !(PREFIX_DIGITS_MIN..32).contains(&digits.len()) {
        return None;
    }
    let first = format!("{digits:0<32}").parse().ok()?;
    let last = format!("{digits:f<32}").parse().ok()?;
    Some((first, last))
}
