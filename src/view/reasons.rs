//! The choices of a person about a parked document, as the control API lists them.

use serde::{Deserialize, Serialize};

use crate::document::Reason;
use crate::reason::{ANY, Choice};

/// A choice of a person about a parked document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceView {
    /// `retry`, `retry with backorder`, `edit`, ...
    pub action: String,
    /// When to choose the action.
    pub what: String,
}

impl From<&Choice> for ChoiceView {
    fn from((action, what): &Choice) -> Self {
        Self {
            action: action.describe(),
            what: (*what).to_owned(),
        }
    }
}

/// Returns the choices for a document that is parked for this reason. `None`: the reason is
/// unknown.
#[must_use]
pub fn choices_for(reason: Option<&Reason>) -> &'static [Choice] {
    reason.map_or(ANY, |reason| reason.code.choices())
}
