//! Checks whether the key's user has the rights and records that sending needs. `check` asks before
//! the start, and the client after a 403.

use serde_json::{Value, json};

use super::Client;
use super::answer::CallError;
use super::dialect::Dialect;
use crate::outcome::Failure;

/// The operations of sending, and their models. An ordinary *Inventory / User* has the rights for
/// all of them.
const NEEDED: [(&str, &str); 6] = [
    ("stock.picking", "create"),
    ("stock.picking", "write"),
    ("stock.move.line", "create"),
    ("product.product", "read"),
    ("stock.location", "read"),
    ("stock.lot", "read"),
];

impl Client {
    /// The rights that the key's user lacks, such as `create stock.picking`.
    pub async fn missing_rights(&mut self) -> Result<Vec<String>, Failure> {
        self.lacking_rights().await.map_err(|error| match error {
            CallError::Failed(failure) => failure,
            CallError::Forbidden(message) => Failure::person(message),
        })
    }

    /// Like `missing_rights`, but returns the error of the call unchanged, for the client's own
    /// functions. The check ignores record rules, because it names no record.
    pub(super) async fn lacking_rights(&mut self) -> Result<Vec<String>, CallError> {
        let mut missing = Vec::new();
        for (model, operation) in NEEDED {
            let body = json!({"ids": [], "operation": operation});
            if self.ask(model, "has_access", &body).await? != Value::Bool(true) {
                missing.push(format!("{operation} {model}"));
            }
        }
        Ok(missing)
    }

    /// Whether the key's user lacks an e-mail address that Odoo needs. Before 19, Odoo refuses a
    /// validation that creates a backorder, because it posts a message about it
    /// (`mail.thread._message_compute_author`).
    pub async fn lacks_email(&mut self) -> Result<bool, Failure> {
        if self.dialect().await? >= Dialect::V19 {
            return Ok(false);
        }
        let me = self.me().await?;
        let body = json!({"ids": [me], "fields": ["email"]});
        let users: Vec<Value> = self.call("res.users", "read", &body).await?;
        let email = users.first().and_then(|user| user["email"].as_str());
        Ok(email.unwrap_or_default().trim().is_empty())
    }
}
