//! Checks whether the key's user has the rights and records that sending needs. `check` asks before
//! the start, and the client after a 403.

use serde_json::{Map, Value, json};

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

/// Rights that only some work needs, with that work. An ordinary *Inventory / User* has them, too.
const SOMETIMES: [(&str, &str, &str); 15] = [
    ("stock.move", "read", "reading what an order demands"),
    ("stock.move", "write", "setting the true time of a movement"),
    (
        "stock.move.line",
        "write",
        "setting the true time of a movement",
    ),
    (
        "stock.move.line",
        "unlink",
        "taking back a pick or a receipt",
    ),
    (
        "stock.lot",
        "create",
        "receiving new lots and serial numbers",
    ),
    (
        "stock.package",
        "create",
        "packing into new packages, and the record of the gateway",
    ),
    (
        "stock.package",
        "write",
        "noticing a second gateway of the site",
    ),
    ("stock.package", "read", "scanning packages"),
    ("stock.quant", "read", "counting, and moving whole packages"),
    (
        "stock.picking.type",
        "read",
        "reading the rules of operation types",
    ),
    ("stock.warehouse", "read", "finding the warehouse"),
    ("product.uom", "read", "scanning packagings"),
    ("uom.uom", "read", "quantities in other units"),
    ("res.partner", "read", "names of vendors and customers"),
    ("barcode.rule", "read", "the barcode nomenclature of Odoo"),
];

/// A right that the key's user lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Such as `create stock.lot`.
    pub right: String,
    /// The work that needs it.
    pub work: &'static str,
}

impl Client {
    /// The rights that posting needs, such as `create stock.picking`.
    #[must_use]
    pub fn needed_rights() -> Vec<String> {
        let all = NEEDED.into_iter();
        all.map(|(model, operation)| format!("{operation} {model}"))
            .collect()
    }

    /// The rights that the key's user lacks and that only some work needs. Odoo answers for each
    /// right (`has_access`, before Odoo 18 `check_access_rights`) and changes nothing. A model that
    /// this Odoo lacks is left out: its app is not installed.
    pub async fn sometimes_lacking(&mut self) -> Result<Vec<Lack>, Failure> {
        let mut lacking = Vec::new();
        for (model, operation, work) in SOMETIMES {
            let body = json!({"ids": [], "operation": operation});
            match self.ask(model, "has_access", &body).await {
                Ok(Value::Bool(true)) | Err(CallError::Failed(Failure::Stop { .. })) => {}
                Ok(_) | Err(CallError::Forbidden(_)) => lacking.push(Lack {
                    right: format!("{operation} {model}"),
                    work,
                }),
                Err(CallError::Failed(failure)) => return Err(failure),
            }
        }
        Ok(lacking)
    }

    /// The optional apps of Odoo that the gateway uses, as this Odoo has them: it looks for a field
    /// of each, because an ordinary user may not read the list of modules.
    pub async fn apps(&mut self) -> Result<Vec<&'static str>, Failure> {
        let fields = [
            ("stock.move", "sale_line_id", "Sales"),
            ("stock.move", "purchase_line_id", "Purchase"),
            ("product.product", "use_expiration_date", "Expiration Dates"),
            ("stock.picking", "carrier_tracking_ref", "Delivery"),
        ];
        let mut apps = Vec::new();
        for (model, field, app) in fields {
            let body = json!({"allfields": [field], "attributes": ["type"]});
            let known: Map<String, Value> = self.call(model, "fields_get", &body).await?;
            if known.contains_key(field) {
                apps.push(app);
            }
        }
        Ok(apps)
    }

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
