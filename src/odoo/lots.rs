//! Lots with dates: how a product's dates follow from each other, and new lots with their own
//! dates.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::loaded::MODULE;
use crate::document::DocumentKey;
use crate::odoo_id::{CompanyId, LotId, ProductId};
use crate::outcome::Failure;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LotRef {
    #[default]
    None,
    Known {
        id: LotId,
        name: String,
    },
    /// A lot that the receipt creates.
    New {
        name: String,
        dates: Option<Box<LotDates>>,
    },
}

/// The dates of a new lot, in Odoo's form, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LotDates {
    pub expiry: String,
    /// `Some`: the gateway creates the lot with this date before it sends the document.
    pub best_before: Option<BestBefore>,
}

/// The best-before date of a lot, with the dates that Odoo computes from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BestBefore {
    pub best_before: String,
    /// The date on which people remove the lot from the stock, and Odoo alerts a person.
    pub removal: String,
    pub alert: String,
}

impl LotRef {
    /// The expiry date of a new lot.
    #[must_use]
    pub fn expiry(&self) -> Option<&str> {
        match self {
            Self::New { dates, .. } => dates.as_ref().map(|dates| dates.expiry.as_str()),
            Self::None | Self::Known { .. } => None,
        }
    }

    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Known { name, .. } | Self::New { name, .. } => Some(name),
        }
    }
}

/// The field of a product that tells whether its lots have dates.
pub(super) const HAS_DATES: &str = "use_expiration_date";
/// The fields of a product, of the app *Products Expiration Date*.
const FIELDS: [&str; 4] = [HAS_DATES, "use_time", "removal_time", "alert_time"];

/// How many days before the expiry of a lot Odoo sets the lot's other dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ExpiryRule {
    /// Whether the lots of the product have dates.
    #[serde(rename = "use_expiration_date")]
    pub is_used: bool,
    #[serde(rename = "use_time")]
    pub use_days: i64,
    #[serde(rename = "removal_time")]
    pub removal_days: i64,
    #[serde(rename = "alert_time")]
    pub alert_days: i64,
}

/// A lot that the gateway will create.
#[derive(Debug, Clone, Copy)]
pub struct NewLot<'a> {
    pub product: ProductId,
    pub name: &'a str,
    pub expiry: &'a str,
    pub dates: &'a BestBefore,
}

impl Client {
    /// Reads the date rules of these products. `None`: this Odoo has no dates of lots.
    pub async fn expiry_rules(
        &mut self,
        products: &BTreeSet<ProductId>,
    ) -> Result<Option<BTreeMap<ProductId, ExpiryRule>>, Failure> {
        #[derive(Deserialize)]
        struct Product {
            id: ProductId,
            #[serde(flatten)]
            rule: ExpiryRule,
        }
        if !self.has_dates().await? {
            return Ok(None);
        }
        let body = json!({"ids": products, "fields": FIELDS, "context": self.context()});
        let found: Vec<Product> = self.call("product.product", "read", &body).await?;
        let rules = found
            .into_iter()
            .map(|product| (product.id, product.rule))
            .collect();
        Ok(Some(rules))
    }

    /// Whether Odoo has the app for dates of lots.
    pub(super) async fn has_dates(&mut self) -> Result<bool, Failure> {
        if let Some(has_dates) = self.has_dates {
            return Ok(has_dates);
        }
        let body = json!({"allfields": FIELDS, "attributes": ["type"]});
        let known: BTreeMap<String, Value> =
            self.call("product.product", "fields_get", &body).await?;
        let has_dates = FIELDS.iter().all(|field| known.contains_key(*field));
        self.has_dates = Some(has_dates);
        Ok(has_dates)
    }

    /// Creates a lot with its dates and returns its id. If the document created the lot in an
    /// earlier attempt, returns the id of that lot.
    ///
    ///
    /// The call sets all dates: if a call sets one date, Odoo computes none of the others. The call
    /// does not change a lot that exists.
    pub async fn make_lot(
        &mut self,
        company: CompanyId,
        document: DocumentKey,
        lot: &NewLot<'_>,
    ) -> Result<LotId, Failure> {
        let NewLot {
            product,
            name,
            expiry,
            dates,
        } = *lot;
        let digest = blake3::hash(format!("{document} {product} {name}").as_bytes()).to_hex();
        let mut row = vec![
            ("id", format!("{MODULE}.lt_{}", &digest[..32])),
            ("name", name.to_owned()),
            ("product_id/.id", product.to_string()),
            ("expiration_date", expiry.to_owned()),
            ("use_date", dates.best_before.clone()),
            ("removal_date", dates.removal.clone()),
            ("alert_date", dates.alert.clone()),
        ];
        if self.needs_lot_company().await? {
            row.push(("company_id/.id", company.to_string()));
        }
        self.load_one("stock.lot", row).await
    }
}
