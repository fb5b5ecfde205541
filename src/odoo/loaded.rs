//! The answer of `load`, and how often a failed `load` is sent again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::answer::cut;

/// The module part of the external ids; with it `load` is create-if-absent.
pub(super) const MODULE: &str = "stockrelay";
/// A `load` that failed is sent again so often before it counts as a refusal.
pub const LOADS_AGAIN: u32 = 3;
/// The pause before a failed `load` is sent again; each further one is twice as long.
const LOAD_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
pub(super) struct Loaded {
    /// `false` when nothing was loaded.
    pub ids: Value,
    #[serde(default)]
    pub messages: Vec<LoadMessage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LoadMessage {
    #[serde(default)]
    pub message: String,
    #[serde(default, rename = "type")]
    pub kind: String,
    pub rows: Option<Rows>,
    /// The column that could not be read; absent where a rule of Odoo's refused the record.
    pub field: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rows {
    pub from: usize,
}

/// The pauses before a failed `load` is sent again: `load` answers a conflict with another
/// transaction as it answers a refusal.
pub(super) fn load_pauses() -> impl Iterator<Item = Duration> {
    (0..LOADS_AGAIN).map(|again| LOAD_PAUSE * (1 << again))
}

/// Odoo's first message where `load` loaded nothing. Whether another transaction was in the way
/// does not show in it: its text is PostgreSQL's, in the server's language. So the caller sends it
/// again before it believes a refusal.
pub(super) fn first_message(messages: &[LoadMessage]) -> String {
    let error = messages.iter().find(|m| m.kind == "error");
    error.or(messages.first()).map_or_else(
        || "Odoo loaded nothing and gave no reason".to_owned(),
        |m| cut(&m.message),
    )
}
