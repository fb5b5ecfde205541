//! Finds serial numbers: in stock, or on an incoming line that is not validated yet.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::client::records::{NAMES_MAX, records};
use super::values::{decimal_or_nothing, id_or_false, text_or_false};
use crate::odoo::MoveState;
use crate::odoo_id::{LocationId, LotId, MoveLineId, PickingId, ProductId};
use crate::outcome::Failure;

/// The kinds of locations for the company's goods. Goods in other locations belong to other
/// parties, or no longer exist.
const INSIDE: [&str; 2] = ["internal", "transit"];

/// One serial number in a location.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SerialStock {
    pub id: i64,
    #[serde(rename = "lot_id")]
    pub lot: LotId,
    #[serde(rename = "location_id")]
    pub location: LocationId,
    #[serde(deserialize_with = "decimal_or_nothing")]
    pub quantity: Decimal,
}

/// A line that brings a serial number in from outside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SerialLine {
    pub id: MoveLineId,
    #[serde(rename = "product_id")]
    pub product: ProductId,
    #[serde(rename = "picking_id", deserialize_with = "id_or_false")]
    pub picking: Option<PickingId>,
    #[serde(rename = "lot_id", deserialize_with = "id_or_false")]
    pub lot: Option<LotId>,
    /// The name of the lot that a receipt will create.
    #[serde(deserialize_with = "text_or_false")]
    pub lot_name: Option<String>,
}

records!(SerialStock, SerialLine);

impl Client {
    /// The locations that have these lots in stock, in all companies that the user may see.
    pub async fn serials_in_stock(
        &mut self,
        lots: &BTreeSet<LotId>,
    ) -> Result<Vec<SerialStock>, Failure> {
        let mut found = Vec::new();
        let lots: Vec<LotId> = lots.iter().copied().collect();
        for lots in lots.chunks(NAMES_MAX) {
            let domain = vec![
                json!(["lot_id", "in", lots]),
                json!(["quantity", ">", 0]),
                json!(["location_id.usage", "in", INSIDE]),
            ];
            let fields = ["lot_id", "location_id", "quantity"];
            let take = |stock: SerialStock| found.push(stock);
            self.search_all("stock.quant", domain, &fields, take)
                .await?;
        }
        Ok(found)
    }

    /// The picked lines that bring in from outside one of these lots, or one of these lot names of
    /// these products. `done`: lines that are validated; otherwise lines that are not.
    pub async fn serial_lines(
        &mut self,
        products: &BTreeSet<ProductId>,
        lots: &BTreeSet<LotId>,
        names: &BTreeSet<String>,
        done: bool,
    ) -> Result<Vec<SerialLine>, Failure> {
        let state = if done {
            json!(["state", "=", MoveState::Done])
        } else {
            json!(["state", "not in", MoveState::FINISHED])
        };
        let names: Vec<&String> = names.iter().collect();
        let mut found = Vec::new();
        for names in names.chunks(NAMES_MAX) {
            let domain = vec![
                json!(["product_id", "in", products]),
                json!(["picked", "=", true]),
                json!(["location_id.usage", "not in", INSIDE]),
                json!(["location_dest_id.usage", "in", INSIDE]),
                state.clone(),
                json!("|"),
                json!(["lot_id", "in", lots]),
                json!(["lot_name", "in", names]),
            ];
            let fields = ["product_id", "picking_id", "lot_id", "lot_name"];
            let take = |line: SerialLine| found.push(line);
            self.search_all("stock.move.line", domain, &fields, take)
                .await?;
        }
        Ok(found)
    }

    /// The keys of the documents for which the gateway created these pickings.
    pub async fn pickings_of_ours(
        &mut self,
        pickings: &[PickingId],
    ) -> Result<BTreeMap<PickingId, String>, Failure> {
        let mut ours = BTreeMap::new();
        for pickings in pickings.chunks(NAMES_MAX) {
            ours.extend(self.external_ids("stock.picking", pickings).await?);
        }
        Ok(ours)
    }
}
