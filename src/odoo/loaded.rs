//! The answer of `load`, and how often a failed `load` is sent again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::answer::cut;

/// The module part of the external ids. With an external id, `load` creates a record only if it is
/// absent.
pub(super) const MODULE: &str = "stockrelay";
/// The most times that the client sends a failed `load` again before it counts as refused.
pub const LOADS_AGAIN: u32 = 3;
/// The pause before the client sends a failed `load` again; each further pause is twice as long.
const LOAD_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
pub(super) struct Loaded {
    /// `false` if Odoo loaded nothing.
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
    /// The column that Odoo could not read. Absent if a rule of Odoo refused the record.
    pub field: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rows {
    pub from: usize,
}

/// The pauses before the client sends a failed `load` again: `load` answers a conflict with another
/// transaction like a refusal.
pub(super) fn load_pauses() -> impl Iterator<Item = Duration> {
    (0..LOADS_AGAIN).map(|again| LOAD_PAUSE * (1 << again))
}

/// Odoo's first message about a `load` that loaded nothing. The message does not show a conflict
/// with another transaction: PostgreSQL writes the text in the server's language. So the caller
/// sends the `load` again before it reports a refusal.
pub(super) fn first_message(messages: &[LoadMessage]) -> String {
    let error = messages.iter().find(|m| m.kind == "error");
    error.or(messages.first()).map_or_else(
        || "Odoo loaded nothing and gave no reason".to_owned(),
        |m| cut(&m.message),
    )
}
