//! The answers of the control API: pages, a document with its history, a trace, a refusal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DocumentView, EventView, NameView, RejectedView, RepeatsView, StepView};
use crate::document::{DocumentNumber, Purpose, State};
use crate::event::{RejectedNumber, Seq};
use crate::journal::{AuditRecord, Entry};
use crate::pause::Pause;
use crate::reason::Action;
use crate::view::reasons::{ChoiceView, choices_for};

/// The history of an event, of a document, or of a rejected reading.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The name that was traced, such as an order: the trace is that of its newest event or
    /// document. `None`: an event, a document or a rejected reading was traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<NameView>,
    pub event: Option<EventView>,
    pub repeats: Option<RepeatsView>,
    pub rejected: Option<RejectedView>,
    /// The rejected reading that a person or its device sent again and that became this event: who,
    /// when and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<RejectedView>,
    pub document: Option<DocumentView>,
    /// The document's audit records, oldest first.
    pub audit: Vec<StepView>,
    /// The choices, if the document is parked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceView>,
    /// The documents that this one replaces, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<DocumentDetail>,
    /// The documents that replace this one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<DocumentDetail>,
    /// The other events that the id can mean, or the other events or documents with the name, as
    /// ids that `trace` takes.
    pub others: Vec<String>,
}

/// How far a request has searched that ended before its page was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchView {
    /// Entries that this request has read.
    pub searched: u64,
    /// The limit of the entries that follow them.
    pub left: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    pub events: Vec<EventView>,
    /// Continue with `after` = this.
    pub next: Seq,
    /// Whether there were more entries at the time of the answer.
    pub more: bool,
    /// `None`: the page is full, or the list ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentPage {
    /// `/v1/parked` names this list `parked`.
    #[serde(alias = "parked")]
    pub documents: Vec<DocumentView>,
    pub next: DocumentNumber,
    pub more: bool,
    /// `None`: the page is full, or the list ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchView>,
}

impl DocumentPage {
    /// An empty page, and more entries after this number.
    #[must_use]
    pub fn after(next: DocumentNumber) -> Self {
        Self {
            documents: Vec::new(),
            next,
            more: true,
            search: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedPage {
    pub rejected: Vec<RejectedView>,
    pub next: RejectedNumber,
    pub more: bool,
}

/// The result of a request to dismiss rejected readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissed {
    pub dismissed: u64,
    /// More remain: send the request again.
    pub more: bool,
}

/// The result of sending a rejected reading again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resent {
    /// The rejected reading.
    pub number: RejectedNumber,
    /// The `seq` of each event that was stored.
    pub events: Vec<Seq>,
    /// The `seq` of each earlier event with the same id.
    pub duplicates: Vec<Seq>,
}

/// A document with its history and its choices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentDetail {
    pub document: DocumentView,
    pub audit: Vec<StepView>,
    /// The choices, if the document is parked.
    pub choices: Vec<ChoiceView>,
    /// The number of the document that this one replaces.
    pub replaces: Option<DocumentNumber>,
    /// The number of the document that replaces this one.
    pub replaced_by: Option<DocumentNumber>,
}

impl DocumentDetail {
    #[must_use]
    pub fn of(entry: &Entry, audit: Vec<AuditRecord>, replaced_by: Option<DocumentNumber>) -> Self {
        let progress = &entry.progress;
        Self {
            document: DocumentView::of(entry, true),
            audit: audit.into_iter().map(StepView::from).collect(),
            choices: match progress.state {
                State::Parked => choices(entry),
                _ => Vec::new(),
            },
            replaces: entry.document.corrects,
            replaced_by,
        }
    }
}

/// Lists the choices. An undo has no fields that a person can edit.
fn choices(entry: &Entry) -> Vec<ChoiceView> {
    let is_undo = matches!(entry.document.purpose, Purpose::Undo { .. });
    (choices_for(entry.progress.reason.as_ref()).iter())
        .filter(|(action, _)| !is_undo || *action != Action::Edit)
        .map(ChoiceView::from)
        .collect()
}

/// The result of a request to retry several documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    pub retried: u64,
    /// With a reason code: continue with `after` = this.
    pub next: DocumentNumber,
    /// Whether there may be more after `next`.
    pub more: bool,
    /// The documents that stayed as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Undecided>,
}

/// The result of a request to discard several documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedMany {
    pub discarded: u64,
    pub next: DocumentNumber,
    pub more: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Undecided>,
}

/// A document that could not take the decision about several documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// As in the request.
    pub id: String,
    pub error: String,
    pub remedy: String,
}

/// Why a request failed, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
    pub remedy: String,
    /// A page of the journal is damaged: the daemon ends with exit code 65.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub journal_damaged: bool,
    /// All faults of a configuration, a text for each. `error` has them, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// The answer to a bundle or a rollback that the gateway took in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleAnswer {
    /// Whether something changed. False: the gateway had the bundle already.
    #[serde(rename = "new")]
    pub is_new: bool,
    /// Why nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The answer of `GET /v1/config/history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigHistory {
    /// The newest first.
    pub history: Vec<ConfigHistoryEntry>,
}

/// How a bundle ended on this gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigHistoryEntry {
    pub at: Timestamp,
    /// The person, or the way that the bundle came.
    pub by: String,
    pub serial: u64,
    pub outcome: String,
    pub reason: String,
}

/// The pause of sending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// The pause that is on. `None`: none is.
    pub pause: Option<Pause>,
    /// Whether a pause is on and the gateway makes no call that may change anything in Odoo.
    pub quiet: bool,
    /// Documents that are being sent.
    pub sending: u64,
    /// The stored pauses, the newest first; only in the answer to `GET`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Pause>,
}

/// The answer to the order to take over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOver {
    /// The documents that wait here to be sent.
    pub waiting: u64,
}

/// The end of a pause by a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The pause that was on. `None`: none was.
    pub ended: Option<Pause>,
}
