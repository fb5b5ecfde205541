//! Whether the key's user may do what sending does: asked beforehand, so that `check` can say what is missing.

use serde_json::json;

use super::Client;
use crate::outcome::Failure;

/// What sending does to which records. An ordinary *Inventory / User* may do all of it.
const NEEDED: [(&str, &str); 6] = [
    ("stock.picking", "create"),
    ("stock.picking", "write"),
    ("stock.move.line", "create"),
    ("product.product", "read"),
    ("stock.location", "read"),
    ("stock.lot", "read"),
];

impl Client {
    /// The rights that are missing, as `create stock.picking`.
    pub async fn missing_rights(&mut self) -> Result<Vec<String>, Failure> {
        let mut missing = Vec::new();
        for (model, operation) in NEEDED {
            let body = json!({"ids": [], "operation": operation});
            if !self.call::<bool>(model, "has_access", &body).await? {
                missing.push(format!("{operation} {model}"));
            }
        }
        Ok(missing)
    }
}
