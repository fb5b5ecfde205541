//! What the floor needs in addition to barcodes: stock on hand, the warehouse's open orders, names;
//! and when the key expires.
//!
//! Each call asks for one page, for ids, or for records written since, so that a slow link can
//! carry it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Client;
use super::client::records::PAGE_ROWS;
use super::master::{Kind, Row};
use super::values::{text_or_false, value_or_false};
use super::warehouse::Warehouse;
use crate::odoo::{Direction, MoveState, PickingState};
use crate::odoo_id::{LocationId, LotId, MoveId, PickingId, ProductId, UnitId};
use crate::outcome::Failure;

/// The most open orders that the catalog has. If Odoo has more, the catalog lacks the orders that
/// are due last.
pub const ORDERS_MAX: usize = 5_000;
/// The most moves of one order that the catalog has.
const LINES_MAX: usize = 1_000;
/// Orders in one answer: with a hundred moves each, the answer has some hundred kilobytes.
const ORDERS_PAGE: usize = 20;
/// The most quants that the catalog has. If Odoo has more, the catalog lacks the newest quants.
pub const QUANTS_MAX: usize = 100_000;
/// Bare ids in one answer.
const IDS_PAGE: usize = 10_000;
/// The most keys of one user that the gateway reads.
const KEYS_MAX: usize = 100;

/// An order of the warehouse, which Odoo calls a picking.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Order {
    pub id: PickingId,
    pub name: String,
    /// The name of the document that the order comes from, such as a sale or a purchase.
    pub origin: Option<String>,
    pub kind: Direction,
    pub state: PickingState,
    pub partner: Option<String>,
    /// In UTC, as Odoo writes it.
    pub scheduled: Option<String>,
    /// The name of the order whose backorder this is.
    pub backorder_of: Option<String>,
    pub lines: Vec<OrderLine>,
    /// The order has more lines than the catalog has.
    pub cut: bool,
}

/// A move of an order.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct OrderLine {
    pub product: ProductId,
    /// In `unit`.
    pub demand: f64,
    pub unit: Option<UnitId>,
    /// In the product's own unit: the sum of the picked lines of the move.
    pub picked: f64,
    /// The location of the reserved line. `None`: the move has no reserved line, or several.
    pub from: Option<LocationId>,
    pub to: Option<LocationId>,
    pub lot: Option<LotId>,
}

/// An API key of the gateway's user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiKey {
    #[serde(default, deserialize_with = "text_or_false")]
    pub name: Option<String>,
    /// In UTC, as Odoo writes it. `None`: the key never expires.
    #[serde(default, deserialize_with = "text_or_false")]
    pub expiration_date: Option<String>,
}

impl ApiKey {
    /// When the key expires. `None`: never, or Odoo writes the time in another form.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        let text = self.expiration_date.as_deref()?;
        let at = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
        Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    /// The valid key of a user that expires first, and when. Odoo does not tell which key the
    /// gateway uses.
    #[must_use]
    pub fn first_expiry(keys: &[Self], now: Timestamp) -> Option<(Timestamp, &Self)> {
        let expiries = keys.iter().filter_map(|key| Some((key.expires()?, key)));
        let later = expiries.filter(|(at, _)| *at > now);
        later.min_by_key(|(at, _)| *at)
    }
}

/// Which records of a kind to read.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Records with an id above `after`: those written since a time, or all.
    Page {
        since: Option<&'a str>,
        after: i64,
    },
    Ids(&'a [i64]),
}

#[derive(Debug, Deserialize)]
struct FoundRecords<T> {
    records: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct NamedRecord {
    #[serde(default, deserialize_with = "text_or_false")]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TypeRow {
    code: Direction,
}

#[derive(Debug, Deserialize)]
struct PickingRow {
    id: PickingId,
    name: String,
    state: PickingState,
    #[serde(deserialize_with = "text_or_false")]
    origin: Option<String>,
    #[serde(deserialize_with = "text_or_false")]
    scheduled_date: Option<String>,
    picking_type_id: TypeRow,
    #[serde(deserialize_with = "value_or_false")]
    partner_id: Option<NamedRecord>,
    #[serde(deserialize_with = "value_or_false")]
    backorder_id: Option<NamedRecord>,
    #[serde(default)]
    move_ids: Vec<MoveRow>,
    #[serde(default)]
    move_line_ids: Vec<LineRow>,
}

#[derive(Debug, Deserialize)]
struct MoveRow {
    id: MoveId,
    state: MoveState,
    product_id: ProductId,
    product_uom_qty: f64,
    #[serde(default, deserialize_with = "value_or_false")]
    product_uom: Option<UnitId>,
}

#[derive(Debug, Deserialize)]
struct LineRow {
    #[serde(deserialize_with = "value_or_false")]
    move_id: Option<MoveId>,
    picked: bool,
    quantity_product_uom: f64,
    location_id: LocationId,
    location_dest_id: LocationId,
    #[serde(deserialize_with = "value_or_false")]
    lot_id: Option<LotId>,
}

#[derive(Debug, Deserialize)]
struct OfPicking {
    id: i64,
    #[serde(deserialize_with = "value_or_false")]
    picking_id: Option<PickingId>,
}

impl Client {
    /// Reads records of a kind for the floor, at most [`PAGE_ROWS`], by rising id. `plain`: without
    /// the fields that an app adds.
    pub async fn floor_rows(
        &mut self,
        kind: Kind,
        warehouse: &Warehouse,
        which: Which<'_>,
        plain: bool,
    ) -> Result<Vec<Row>, Failure> {
        let mut domain = floor_domain(kind, warehouse);
        match which {
            Which::Ids(ids) => domain.push(json!(["id", "in", ids])),
            Which::Page { since, after } => {
                domain.push(json!(["id", ">", after]));
                domain.extend(since.map(|since| json!(["write_date", ">=", since])));
            }
        }
        let fields: Vec<&str> = kind
            .fields()
            .iter()
            .filter(|field| !(plain && kind.optional().contains(field)))
            .copied()
            .collect();
        self.search(kind.model(), &Value::Array(domain), &fields, PAGE_ROWS)
            .await
    }

    /// The ids of the warehouse's quants, up to the limit.
    pub async fn quant_ids(&mut self, warehouse: &Warehouse) -> Result<BTreeSet<i64>, Failure> {
        let mut ids = BTreeSet::new();
        loop {
            let mut domain = floor_domain(Kind::Quant, warehouse);
            domain.push(json!(["id", ">", ids.last().copied().unwrap_or(0)]));
            let limit = IDS_PAGE.min(QUANTS_MAX - ids.len());
            let page: Vec<i64> = self.ids("stock.quant", &domain, "id", limit).await?;
            let whole = page.len() >= limit;
            ids.extend(page);
            if !whole || ids.len() >= QUANTS_MAX {
                return Ok(ids);
            }
        }
    }

    pub async fn quant_count(&mut self, warehouse: &Warehouse) -> Result<u64, Failure> {
        let body = json!({"domain": floor_domain(Kind::Quant, warehouse)});
        self.call("stock.quant", "search_count", &body).await
    }

    /// The ids of the warehouse's open orders, in the order of their due times; at most one more
    /// than [`ORDERS_MAX`].
    pub async fn open_order_ids(
        &mut self,
        warehouse: &Warehouse,
    ) -> Result<Vec<PickingId>, Failure> {
        let domain = [
            json!(["picking_type_id.warehouse_id", "=", warehouse.id]),
            json!(["state", "not in", PickingState::FINISHED]),
        ];
        self.ids(
            "stock.picking",
            &domain,
            "scheduled_date, id",
            ORDERS_MAX + 1,
        )
        .await
    }

    /// The ids of orders that changed since a time, or whose moves or lines did: a change of a move
    /// does not change the order's own time.
    pub async fn touched_order_ids(
        &mut self,
        warehouse: &Warehouse,
        since: &str,
    ) -> Result<BTreeSet<PickingId>, Failure> {
        let mut touched = BTreeSet::new();
        for (model, path) in [
            ("stock.picking", ""),
            ("stock.move", "picking_id."),
            ("stock.move.line", "picking_id."),
        ] {
            let mut after = 0;
            loop {
                let domain = json!([
                    ["id", ">", after],
                    ["write_date", ">=", since],
                    [
                        format!("{path}picking_type_id.warehouse_id"),
                        "=",
                        warehouse.id
                    ],
                ]);
                if path.is_empty() {
                    let page: Vec<PickingId> = self
                        .ids(
                            model,
                            domain.as_array().map_or(&[], Vec::as_slice),
                            "id",
                            PAGE_ROWS,
                        )
                        .await?;
                    let whole = page.len() >= PAGE_ROWS;
                    after = page.last().map_or(after, |id| id.get());
                    touched.extend(page);
                    if !whole {
                        break;
                    }
                } else {
                    let page: Vec<OfPicking> = self
                        .search(model, &domain, &["picking_id"], PAGE_ROWS)
                        .await?;
                    let whole = page.len() >= PAGE_ROWS;
                    after = page.last().map_or(after, |row| row.id);
                    touched.extend(page.iter().filter_map(|row| row.picking_id));
                    if !whole {
                        break;
                    }
                }
            }
        }
        Ok(touched)
    }

    /// Reads these orders with their moves, in any state. The answer lacks deleted orders.
    pub async fn orders(&mut self, ids: &[PickingId]) -> Result<Vec<Order>, Failure> {
        let mut orders = Vec::with_capacity(ids.len());
        for ids in ids.chunks(ORDERS_PAGE) {
            let body = json!({
                "domain": [["id", "in", ids]],
                "specification": specification(),
                "limit": ORDERS_PAGE,
            });
            let found: FoundRecords<PickingRow> =
                self.call("stock.picking", "web_search_read", &body).await?;
            orders.extend(found.records.into_iter().map(order));
        }
        Ok(orders)
    }

    /// The keys of the gateway's user: an ordinary user sees no other keys. Odoo does not tell
    /// which key the gateway uses.
    pub async fn api_keys(&mut self) -> Result<Vec<ApiKey>, Failure> {
        let fields = ["name", "expiration_date"];
        let body = json!({"domain": [], "fields": fields, "limit": KEYS_MAX});
        self.call("res.users.apikeys", "search_read", &body).await
    }

    async fn ids<T: DeserializeOwned>(
        &mut self,
        model: &str,
        domain: &[Value],
        order: &str,
        limit: usize,
    ) -> Result<Vec<T>, Failure> {
        let body = json!({"domain": domain, "order": order, "limit": limit});
        self.call(model, "search", &body).await
    }
}

fn floor_domain(kind: Kind, warehouse: &Warehouse) -> Vec<Value> {
    match kind {
        Kind::Quant => vec![
            json!(["location_id.usage", "=", "internal"]),
            json!(["location_id.warehouse_id", "=", warehouse.id]),
        ],
        // The gateway reads these by id, for any company.
        _ => Vec::new(),
    }
}

fn specification() -> Value {
    json!({
        "name": {}, "state": {}, "origin": {}, "scheduled_date": {},
        "picking_type_id": {"fields": {"code": {}}},
        "partner_id": {"fields": {"name": {}}},
        "backorder_id": {"fields": {"name": {}}},
        "move_ids": {"fields": {
            "state": {}, "product_id": {}, "product_uom_qty": {}, "product_uom": {},
        }},
        "move_line_ids": {"fields": {
            "move_id": {}, "picked": {}, "quantity_product_uom": {},
            "location_id": {}, "location_dest_id": {}, "lot_id": {},
        }},
    })
}

fn order(row: PickingRow) -> Order {
    let mut picked: BTreeMap<MoveId, f64> = BTreeMap::new();
    let mut reserved: BTreeMap<MoveId, Vec<&LineRow>> = BTreeMap::new();
    for line in &row.move_line_ids {
        let Some(of) = line.move_id else { continue };
        if line.picked {
            *picked.entry(of).or_default() += line.quantity_product_uom;
        } else {
            reserved.entry(of).or_default().push(line);
        }
    }
    let moves = row
        .move_ids
        .iter()
        .filter(|m| m.state != MoveState::Cancelled);
    let lines = moves.map(|m| {
        // If the move has several reserved lines, none of them names the one right bin or lot.
        let only = match reserved.get(&m.id).map(Vec::as_slice) {
            Some([line]) => Some(*line),
            _ => None,
        };
        OrderLine {
            product: m.product_id,
            demand: m.product_uom_qty,
            unit: m.product_uom,
            picked: picked.get(&m.id).copied().unwrap_or_default(),
            from: only.map(|line| line.location_id),
            to: only.map(|line| line.location_dest_id),
            lot: only.and_then(|line| line.lot_id),
        }
    });
    let lines: Vec<OrderLine> = lines.take(LINES_MAX).collect();
    Order {
        id: row.id,
        name: row.name,
        origin: row.origin,
        kind: row.picking_type_id.code,
        cut: row.move_ids.len() > LINES_MAX,
        state: row.state,
        partner: row.partner_id.and_then(|partner| partner.name),
        scheduled: row.scheduled_date,
        backorder_of: row.backorder_id.and_then(|before| before.name),
        lines,
    }
}
