//! Whole answers of the control API: pages, a document with all that is known of it, a trace, a
//! refusal.

use serde::{Deserialize, Serialize};

use super::{DocumentView, EventView, RejectedView, RepeatsView, StepView};
use crate::document::{DocumentNumber, Purpose, State};
use crate::event::{RejectedNumber, Seq};
use crate::journal::{AuditRecord, Entry};
use crate::reason::Action;
use crate::view::reasons::{ChoiceView, choices_for};

/// A whole life: of an event, of a document, or of a reading that was rejected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub event: Option<EventView>,
    pub repeats: Option<RepeatsView>,
    pub rejected: Option<RejectedView>,
    /// The rejected reading that the event was made of: who sent it again, how and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<RejectedView>,
    pub document: Option<DocumentView>,
    /// The document's steps, oldest first.
    pub audit: Vec<StepView>,
    /// What a person can decide about the document, where it is parked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceView>,
    /// The documents in whose place a person put this one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<DocumentDetail>,
    /// The documents that a person put in the place of this one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<DocumentDetail>,
    /// What else the id could mean, as ids that `trace` takes.
    pub others: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    pub events: Vec<EventView>,
    /// Go on with `after` = this.
    pub next: Seq,
    /// Whether there was more when this was answered.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentPage {
    /// `/v1/parked` calls them by their state.
    #[serde(alias = "parked")]
    pub documents: Vec<DocumentView>,
    pub next: DocumentNumber,
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedPage {
    pub rejected: Vec<RejectedView>,
    pub next: RejectedNumber,
    pub more: bool,
}

/// What became of a request to dismiss rejected readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissed {
    pub dismissed: u64,
    /// Whether there are more: send the request again.
    pub more: bool,
}

/// What a rejected reading became that a person sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resent {
    /// The rejected reading.
    pub number: RejectedNumber,
    /// The `seq`s of the events that were stored.
    pub events: Vec<Seq>,
    /// The `seq`s of events that were stored before with the same id.
    pub duplicates: Vec<Seq>,
}

/// A document with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentDetail {
    pub document: DocumentView,
    pub audit: Vec<StepView>,
    /// What a person can decide, where it is parked.
    pub choices: Vec<ChoiceView>,
    /// The number of the document in whose place a person put this one.
    pub replaces: Option<DocumentNumber>,
    /// The number of the document that a person put in its place.
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

/// An undo has nothing of its own to correct.
fn choices(entry: &Entry) -> Vec<ChoiceView> {
    let is_undo = matches!(entry.document.purpose, Purpose::Undo { .. });
    (choices_for(entry.progress.reason.as_ref()).iter())
        .filter(|(action, _)| !is_undo || *action != Action::Edit)
        .map(ChoiceView::from)
        .collect()
}

/// What became of retrying all that are parked for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    pub retried: u64,
    /// Go on with `after` = this.
    pub next: DocumentNumber,
    /// Whether there may be more behind it.
    pub more: bool,
}

/// What went wrong with a request, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
    pub remedy: String,
    /// A page of the journal is damaged: the daemon ends with exit code 65.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub journal_damaged: bool,
}
