//! The keys of documents in the log of the requests to Odoo about them.

use super::send::Command;
use crate::document::DocumentKey;

/// The keys of the documents that a command is about; empty for a command about none.
pub fn keys(command: &Command<'_>) -> Vec<DocumentKey> {
    match command {
        Command::Load(transfers) => transfers.iter().map(|it| it.key).collect(),
        Command::Validate(sent) => sent.iter().map(|(_, it)| it.key).collect(),
        Command::Order(job, _) => vec![job.key],
        _ => Vec::new(),
    }
}

/// Logs the request at the level debug, one line for each document.
pub fn log(command: &Command<'_>, keys: &[DocumentKey]) {
    let request = match command {
        Command::Load(_) => "load",
        Command::Validate(_) => "validate",
        _ => "order",
    };
    for key in keys {
        tracing::debug!(%key, request, "request to Odoo");
    }
}
