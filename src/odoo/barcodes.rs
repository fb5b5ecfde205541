//! The company's barcode nomenclature: the rules by which Odoo itself reads codes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Client;
use super::values::{text_or_false, value_or_false};
use crate::odoo_id::{CompanyId, UnitId};
use crate::outcome::Failure;

/// The most rules of a nomenclature that the gateway reads; Odoo's own nomenclature has about
/// forty.
const RULES_MAX: usize = 500;
/// A field of the module `barcodes_gs1_nomenclature`. Without the module, Odoo refuses a call that
/// names its fields.
const GS1_FLAG: &str = "is_gs1_nomenclature";
const GS1_RULE_FIELDS: [&str; 3] = ["gs1_content_type", "gs1_decimal_usage", "associated_uom_id"];

/// The company's barcode nomenclature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Nomenclature {
    /// The nomenclature reads only GS1 data.
    pub gs1: bool,
    /// Which of UPC-A and EAN-13 Odoo converts into the other: `none`, `ean2upc`, `upc2ean` or
    /// `always`.
    pub conversion: Option<String>,
    /// Odoo's unit of weight is the pound, not the kilogram.
    #[serde(default)]
    pub pounds: bool,
    /// The rules in their order.
    pub rules: Vec<Rule>,
}

/// A rule of a nomenclature. A field that Odoo lacks (a missing module, an older copy) has its
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Rule {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "text_or_false")]
    pub pattern: Option<String>,
    pub sequence: i64,
    #[serde(default, deserialize_with = "text_or_false")]
    pub encoding: Option<String>,
    #[serde(default, deserialize_with = "text_or_false")]
    pub alias: Option<String>,
    /// `date`, `measure`, `identifier` or `alpha`.
    #[serde(default, deserialize_with = "text_or_false")]
    pub gs1_content_type: Option<String>,
    /// The last digit of the application identifier is the number of decimals.
    #[serde(default)]
    pub gs1_decimal_usage: bool,
    /// The unit of the quantity.
    #[serde(default, deserialize_with = "value_or_false")]
    pub associated_uom_id: Option<UnitId>,
}

#[derive(Deserialize)]
struct Company {
    #[serde(deserialize_with = "value_or_false")]
    nomenclature_id: Option<i64>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default, deserialize_with = "text_or_false")]
    upc_ean_conv: Option<String>,
    #[serde(default)]
    is_gs1_nomenclature: bool,
}

impl Client {
    /// Reads the company's barcode nomenclature. It has no rules if the company has chosen no
    /// nomenclature.
    pub async fn nomenclature(&mut self, company: CompanyId) -> Result<Nomenclature, Failure> {
        let domain = json!([["id", "=", company]]);
        let companies: Vec<Company> = self
            .search("res.company", &domain, &["nomenclature_id"], 1)
            .await?;
        let Some(id) = companies.first().and_then(|c| c.nomenclature_id) else {
            return Ok(Nomenclature::default());
        };
        let has_gs1 = self.has_field("barcode.nomenclature", GS1_FLAG).await?;
        let mut fields = vec!["upc_ean_conv"];
        fields.extend(has_gs1.then_some(GS1_FLAG));
        let domain = json!([["id", "=", id]]);
        let heads: Vec<Head> = self
            .search("barcode.nomenclature", &domain, &fields, 1)
            .await?;
        let Some(head) = heads.into_iter().next() else {
            return Ok(Nomenclature::default());
        };
        let mut fields = vec!["name", "type", "pattern", "sequence", "encoding", "alias"];
        if has_gs1 {
            fields.extend(GS1_RULE_FIELDS);
        }
        let domain = json!([["barcode_nomenclature_id", "=", id]]);
        let mut rules: Vec<Rule> = self
            .search("barcode.rule", &domain, &fields, RULES_MAX)
            .await?;
        rules.sort_by_key(|rule| rule.sequence);
        let has_weights = rules.iter().any(|rule| rule.kind == "weight");
        Ok(Nomenclature {
            pounds: has_weights && self.weighs_in_pounds().await?,
            gs1: head.is_gs1_nomenclature,
            conversion: head.upc_ean_conv,
            rules,
        })
    }

    /// Whether Odoo's unit of weight is the pound. Only an administrator may read
    /// `product.weight_in_lbs`, but each product has the name of the unit.
    async fn weighs_in_pounds(&mut self) -> Result<bool, Failure> {
        let fields = ["weight_uom_name"];
        let any: Vec<Value> = self
            .search("product.product", &json!([]), &fields, 1)
            .await?;
        let unit = any.first().and_then(|row| row["weight_uom_name"].as_str());
        Ok(unit.is_some_and(|unit| unit.trim().to_lowercase().starts_with("lb")))
    }

    async fn has_field(&mut self, model: &str, field: &str) -> Result<bool, Failure> {
        let body = json!({"allfields": [field], "attributes": ["type"]});
        let fields: Value = self.call(model, "fields_get", &body).await?;
        Ok(fields.get(field).is_some())
    }
}
