//! Answers `trace`: the whole history of an event, of a document, or of a rejected reading.

use axum::Json;
use axum::extract::State;

use super::problem::Problem;
use super::query::{Id, shorten};
use super::read::{detail, find_document, find_replacement};
use super::search::{Named, find_named};
use super::{Answer, Gateway, reading};
use crate::event::{Name, Recorded};
use crate::journal::{Entry, EventDocument, JournalError};
use crate::view::records::{Place, RejectedView, Trace};

/// The limit of documents before, and of documents after, a corrected one in its trace.
const CHAIN_MAX: usize = 20;

pub async fn trace(State(gateway): State<Gateway>, Id(id): Id) -> Answer<Trace> {
    reading(&gateway, move |g| trace_id(g, &id)).await.map(Json)
}

/// Traces an id: an event's id, `DEVICE/ID` or `seq`, else a rejected reading's id, else a
/// document's key or number, else a name. If the id means several events, the likeliest is traced,
/// and `others` has the other events.
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
        Err(problem) if problem.status == 404 => trace_name(gateway, id),
        Err(problem) => Err(problem),
    }
}

/// Traces the newest event or document with a name, such as an order, a picking or a barcode.
fn trace_name(gateway: &Gateway, id: &str) -> Result<Trace, Problem> {
    let (name, trace, others) = match find_named(gateway, id)? {
        Some(Named::Event {
            name,
            recorded,
            others,
        }) => (name, trace_event(gateway, &recorded)?, others),
        Some(Named::Document {
            name,
            entry,
            others,
        }) => (name, trace_document(gateway, &entry)?, others),
        None => {
            return Err(Problem::missing(
                format!(
                    "nothing in the journal has the id or name {:?}",
                    shorten(id)
                ),
                "give an event's id, DEVICE/ID or seq, a rejected reading's id, a document's key or number, or a whole name, such as an order, a picking or a barcode; /v1/search finds parts of names",
            ));
        }
    };
    Ok(Trace {
        name: Some(name),
        others,
        ..trace
    })
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
            Some(entry) => (
                Place::of(entry.document.key, &entry.progress),
                trace_document(gateway, &entry)?,
            ),
            None => (Place::NoDocument, Trace::default()),
        },
    };
    trace.event = Some(gateway.view_event(recorded, &place)?);
    trace.repeats = journal.repeats(recorded.seq)?.map(Into::into);
    let made_of = journal.rejected_before(recorded.seq)?;
    trace.made_of = made_of
        .as_ref()
        .map(|found| RejectedView::of(&gateway.site, found));
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

/// Finds the newest rejected reading with this id, or `DEVICE/ID`; or the one with the number N of
/// `rejected:N`.
fn find_rejected(gateway: &Gateway, id: &str) -> Result<Option<RejectedView>, JournalError> {
    let number = id.strip_prefix("rejected:").map(str::parse);
    if let Some(Ok(number)) = number
        && let Some(found) = gateway.journal.rejected_one(number)?
    {
        return Ok(Some(RejectedView::of(&gateway.site, &found)));
    }
    let same = |device: &str, own: &str| own == id || id.split_once('/') == Some((device, own));
    let found = gateway.journal.rejected_with(same)?;
    Ok(found
        .as_ref()
        .map(|found| RejectedView::of(&gateway.site, found)))
}
