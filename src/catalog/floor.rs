//! The part of the catalog that the floor uses: open orders, lots and packages on hand, names.
//!
//! The newest orders that are no longer open stay by name, so that a scan for a finished order is
//! distinguished from a scan for an unknown order.

use std::collections::BTreeSet;

use redb::{AccessGuard, ReadableDatabase, ReadableTable, TableDefinition};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::Deserialize;

use super::codes::{CodeOf, lot_code};
use super::{CODES, Catalog, CatalogError, Found, name, one_of};
use crate::odoo::{Direction, Kind, Nomenclature, Order, PickingState, Rule};
use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, PickingId, ProductId};

/// Id → the order as JSON.
pub(super) const ORDERS: TableDefinition<i64, &[u8]> = TableDefinition::new("orders");
/// The most finished orders that the catalog still finds by name.
const CLOSED_MAX: usize = 2_000;
/// The most backorders in a chain that the catalog follows.
const CHAIN_MAX: usize = 10;
const ORDERS_SINCE: &str = "since/orders";
/// Odoo has more open orders than the catalog.
const ORDERS_CUT: &str = "orders-cut";
const NOMENCLATURE: &str = "nomenclature";
const LOTS_OFF: &str = "lots-off";

/// The meaning of an order's name, barcode or origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderFound {
    /// One open order, or several steps or backorders of one order.
    Open(Vec<Planned>),
    /// The order was open in the catalog, and is now done or cancelled.
    Over {
        name: String,
        state: PickingState,
    },
    Nothing,
}

/// An open order with its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub id: PickingId,
    pub name: String,
    pub kind: Direction,
    pub state: PickingState,
    pub partner: Option<String>,
    /// In UTC, as Odoo writes it.
    pub scheduled: Option<String>,
    pub lines: Vec<PlannedLine>,
    /// The order has more lines than the catalog.
    pub cut: bool,
}

/// The demand of a product, in its own unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLine {
    pub product: ProductId,
    pub demand: Decimal,
    /// The quantity that is picked in Odoo.
    pub picked: Decimal,
    pub from: Option<LocationId>,
    pub to: Option<LocationId>,
    pub lot: Option<LotId>,
}

/// A lot or serial number in stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    pub id: LotId,
    /// In UTC, as Odoo writes it.
    pub expiry: Option<String>,
}

fn is_open(order: &Order) -> bool {
    order.state.is_open()
}

fn codes(order: &Order) -> Vec<(u8, &str)> {
    let mut codes = vec![(CodeOf::OrderName as u8, order.name.as_str())];
    // Odoo joins the origins of merged orders with commas.
    let origins = order.origin.as_deref().unwrap_or_default().split(',');
    codes.extend(
        origins
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(|origin| (CodeOf::OrderOrigin as u8, origin)),
    );
    let before = order.backorder_of.as_deref();
    codes.extend(before.map(|name| (CodeOf::OrderBefore as u8, name)));
    codes
}

/// Odoo's quantities are floating point: 2.9999999999 is 3.
fn exact(quantity: f64) -> Decimal {
    Decimal::from_f64(quantity)
        .unwrap_or_default()
        .round_dp(6)
        .normalize()
}

impl Catalog {
    /// Stores orders in any state; returns whether they changed the catalog.
    pub fn put_orders(&self, orders: &[Order]) -> Result<bool, CatalogError> {
        let news = self.write(|write| {
            let mut stored = write.open_table(ORDERS)?;
            let mut index = write.open_multimap_table(CODES)?;
            let mut news = false;
            for order in orders {
                let order = if is_open(order) {
                    order.clone()
                } else {
                    Order {
                        lines: Vec::new(),
                        ..order.clone()
                    }
                };
                let bytes = serde_json::to_vec(&order)?;
                let before = stored.get(order.id.get())?.map(|v| v.value().to_vec());
                if before.as_deref() == Some(&bytes) {
                    continue;
                }
                news = true;
                if let Some(before) = before {
                    for code in codes(&serde_json::from_slice(&before)?) {
                        index.remove(code, order.id.get())?;
                    }
                }
                for code in codes(&order) {
                    index.insert(code, order.id.get())?;
                }
                stored.insert(order.id.get(), bytes.as_slice())?;
            }
            Ok(news)
        })?;
        self.put_in(orders);
        if news {
            self.changed();
        }
        Ok(news)
    }

    /// Removes orders that Odoo no longer has, and all finished orders but the newest.
    pub fn drop_orders(&self, gone: &BTreeSet<PickingId>) -> Result<bool, CatalogError> {
        let mut drop = Vec::new();
        let mut over = Vec::new();
        for order in self.all_orders()? {
            if gone.contains(&order.id) {
                drop.push(order);
            } else if !is_open(&order) {
                over.push(order);
            }
        }
        let surplus = over.len().saturating_sub(CLOSED_MAX);
        drop.extend(over.into_iter().take(surplus));
        let news = self.write(|write| {
            let mut stored = write.open_table(ORDERS)?;
            let mut index = write.open_multimap_table(CODES)?;
            for order in &drop {
                for code in codes(order) {
                    index.remove(code, order.id.get())?;
                }
                stored.remove(order.id.get())?;
            }
            Ok(!drop.is_empty())
        })?;
        if news {
            self.changed();
        }
        Ok(news)
    }

    fn all_orders(&self) -> Result<Vec<Order>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let table = read.open_table(ORDERS).map_err(|e| self.broken(&e))?;
        let mut orders = Vec::new();
        for entry in table.iter().map_err(|e| self.broken(&e))? {
            let (_, bytes) = entry.map_err(|e| self.broken(&e))?;
            orders.push(serde_json::from_slice(bytes.value()).map_err(|e| self.broken(&e))?);
        }
        Ok(orders)
    }

    /// The ids of all open orders in the catalog.
    pub fn open_order_ids(&self) -> Result<BTreeSet<PickingId>, CatalogError> {
        let orders = self.all_orders()?;
        Ok(orders.iter().filter(|o| is_open(o)).map(|o| o.id).collect())
    }

    /// All open orders, in the order of their due times.
    pub fn open_orders(&self) -> Result<Vec<Planned>, CatalogError> {
        let mut orders = self.all_orders()?;
        orders.retain(is_open);
        orders.sort_by(|a, b| (&a.scheduled, a.id).cmp(&(&b.scheduled, b.id)));
        orders.iter().map(|order| self.planned(order)).collect()
    }

    /// Looks up the open orders with this name, barcode or origin. For a finished order, returns
    /// its open backorders, if it has any.
    pub fn order(&self, code: &str) -> Result<OrderFound, CatalogError> {
        let mut open = Vec::new();
        let mut over = None;
        let mut name = code.to_owned();
        for step in 0..CHAIN_MAX {
            let of = if step == 0 {
                CodeOf::OrderName
            } else {
                CodeOf::OrderBefore
            };
            let found = self.orders_by(of, &name)?;
            open.extend(found.iter().filter(|o| is_open(o)).cloned());
            let Some(last) = found.into_iter().find(|order| !is_open(order)) else {
                break;
            };
            name.clone_from(&last.name);
            over.get_or_insert(last);
            if !open.is_empty() {
                break;
            }
        }
        if open.is_empty() && over.is_none() {
            let found = self.orders_by(CodeOf::OrderOrigin, code)?;
            over = found.iter().find(|order| !is_open(order)).cloned();
            open.extend(found.into_iter().filter(is_open));
        }
        Ok(match over {
            _ if !open.is_empty() => OrderFound::Open(
                open.iter()
                    .map(|order| self.planned(order))
                    .collect::<Result<_, _>>()?,
            ),
            Some(order) => OrderFound::Over {
                name: order.name,
                state: order.state,
            },
            None => OrderFound::Nothing,
        })
    }

    fn orders_by(&self, of: CodeOf, code: &str) -> Result<Vec<Order>, CatalogError> {
        let ids = self.ids_by(of, code)?;
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let table = read.open_table(ORDERS).map_err(|e| self.broken(&e))?;
        let mut orders = Vec::new();
        for id in ids {
            if let Some(bytes) = table.get(id).map_err(|e| self.broken(&e))? {
                orders.push(serde_json::from_slice(bytes.value()).map_err(|e| self.broken(&e))?);
            }
        }
        Ok(orders)
    }

    fn planned(&self, order: &Order) -> Result<Planned, CatalogError> {
        let mut lines = Vec::with_capacity(order.lines.len());
        for line in &order.lines {
            let own = self
                .row(Kind::Product, line.product.get())?
                .and_then(|p| p.uom_id);
            let factor = match line.unit {
                Some(unit) if Some(unit) != own => {
                    let factors = self
                        .factor(unit)?
                        .zip(self.factor(own.unwrap_or_default())?);
                    factors.map_or(1.0, |(ordered, own)| ordered / own)
                }
                _ => 1.0,
            };
            lines.push(PlannedLine {
                product: line.product,
                demand: exact(line.demand * factor),
                picked: exact(line.picked),
                from: line.from,
                to: line.to,
                lot: line.lot,
            });
        }
        Ok(Planned {
            id: order.id,
            name: order.name.clone(),
            kind: order.kind.clone(),
            state: order.state.clone(),
            partner: order.partner.clone(),
            scheduled: order.scheduled.clone(),
            lines,
            cut: order.cut,
        })
    }

    /// The time of the newest change to an order in the catalog. `None`: the gateway has not read
    /// the orders yet, or may not read them.
    pub fn orders_since(&self) -> Result<Option<String>, CatalogError> {
        Ok(self.meta(ORDERS_SINCE)?.filter(|since| !since.is_empty()))
    }

    pub fn set_orders_since(&self, since: &str, cut: bool) -> Result<(), CatalogError> {
        self.set_meta(ORDERS_CUT, if cut { "yes" } else { "" })?;
        self.set_meta(ORDERS_SINCE, since)?;
        Ok(())
    }

    /// Whether the catalog has all open orders, so that an absent order is not open.
    pub fn knows_all_orders(&self) -> Result<bool, CatalogError> {
        let cut = self.meta(ORDERS_CUT)?.is_some_and(|cut| !cut.is_empty());
        Ok(!cut && self.orders_since()?.is_some())
    }

    /// Looks up a lot or serial number of a product that is in stock, or that an order names.
    pub fn lot(&self, product: ProductId, lot: &str) -> Result<Found<Lot>, CatalogError> {
        let rows = self.rows(Kind::Lot, CodeOf::Lot, &lot_code(product, lot))?;
        let lots = rows.into_iter().map(|row| {
            let called = name(&row);
            let lot = Lot {
                id: LotId::new(row.id),
                expiry: row.expiration_date,
            };
            (lot, called)
        });
        Ok(one_of(lots.collect()))
    }

    /// The quantity of a lot in the warehouse.
    pub fn on_hand(&self, lot: LotId) -> Result<Decimal, CatalogError> {
        let quants = self.rows(Kind::Quant, CodeOf::QuantOfLot, &lot.to_string())?;
        Ok(exact(
            quants.iter().filter_map(|quant| quant.quantity).sum(),
        ))
    }

    /// The barcodes of all bins, the names and origins of all orders, the names of all packages,
    /// and all codes of products.
    pub fn floor_codes(&self) -> Result<[Vec<String>; 4], CatalogError> {
        let mut orders = self.all_codes(CodeOf::OrderName)?;
        orders.extend(self.all_codes(CodeOf::OrderOrigin)?);
        let mut products = self.all_codes(CodeOf::ProductReference)?;
        products.extend(self.all_codes(CodeOf::ProductBarcode)?);
        products.extend(self.all_codes(CodeOf::Packaging)?);
        Ok([
            self.all_codes(CodeOf::Location)?,
            orders,
            self.all_codes(CodeOf::Package)?,
            products,
        ])
    }

    fn all_codes(&self, of: CodeOf) -> Result<Vec<String>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let index = read
            .open_multimap_table(CODES)
            .map_err(|e| self.broken(&e))?;
        let range = (of as u8, "")..(of as u8 + 1, "");
        let found = index.range(range).map_err(|e| self.broken(&e))?;
        let code = |entry: Result<(AccessGuard<'_, (u8, &str)>, _), _>| {
            let (code, _) = entry.map_err(|e| self.broken(&e))?;
            Ok(code.value().1.to_owned())
        };
        found.map(code).collect()
    }

    pub fn package(&self, code: &str) -> Result<Found<PackageId>, CatalogError> {
        let rows = self.rows(Kind::Package, CodeOf::Package, code)?;
        Ok(one_of(
            rows.iter()
                .map(|row| (PackageId::new(row.id), name(row)))
                .collect(),
        ))
    }

    /// The name of a record for people, and the code that people scan for it.
    pub fn called(&self, kind: Kind, id: i64) -> Result<Option<Called>, CatalogError> {
        Ok(self.row(kind, id)?.map(|row| Called {
            name: row.display_name.or(row.name).unwrap_or_default(),
            code: row.barcode.or(row.default_code),
        }))
    }

    /// The ids of lots, packages and partners that quants and orders name.
    pub fn referred(&self, kind: Kind) -> Result<BTreeSet<i64>, CatalogError> {
        let mut ids = BTreeSet::new();
        self.each(Kind::Quant, |row| {
            ids.extend(match kind {
                Kind::Lot => row.lot_id.map(LotId::get),
                Kind::Package => row.package_id.map(PackageId::get),
                Kind::Partner => row.owner_id.map(PartnerId::get),
                _ => None,
            });
        })?;
        if kind == Kind::Lot {
            let orders = self.all_orders()?;
            let lines = orders.iter().flat_map(|order| &order.lines);
            ids.extend(lines.filter_map(|line| line.lot).map(LotId::get));
        }
        Ok(ids)
    }

    /// The ids of a kind in the catalog.
    pub fn ids(&self, kind: Kind) -> Result<BTreeSet<i64>, CatalogError> {
        let mut ids = BTreeSet::new();
        self.each(kind, |row| {
            ids.insert(row.id);
        })?;
        Ok(ids)
    }

    pub fn set_nomenclature(&self, nomenclature: &Nomenclature) -> Result<(), CatalogError> {
        let text = serde_json::to_string(nomenclature).map_err(|e| self.broken(&e))?;
        if self.set_meta(NOMENCLATURE, &text)? {
            self.changed();
        }
        Ok(())
    }

    /// Stores whether the operation type of receipts does not use lots.
    pub fn set_lots_off(&self, is_off: bool) -> Result<(), CatalogError> {
        if self.set_meta(LOTS_OFF, if is_off { "1" } else { "0" })? {
            self.changed();
        }
        Ok(())
    }

    /// Whether the operation type of receipts does not use lots, so that Odoo would lose a new lot.
    pub fn lots_off(&self) -> Result<bool, CatalogError> {
        Ok(self.meta(LOTS_OFF)?.as_deref() == Some("1"))
    }

    /// The rules by which the company reads barcodes, in their order.
    pub fn nomenclature(&self) -> Result<Nomenclature, CatalogError> {
        let stored = match self.meta(NOMENCLATURE)? {
            Some(text) => serde_json::from_str(&text).map_err(|e| self.broken(&e))?,
            None => return Ok(Nomenclature::default()),
        };
        Ok(match stored {
            StoredNomenclature::Whole(nomenclature) => nomenclature,
            StoredNomenclature::Rules(rules) => Nomenclature {
                rules,
                ..Nomenclature::default()
            },
        })
    }
}

/// An older catalog, from before the gateway read GS1 nomenclatures, has only the rules; the
/// gateway uses it until Odoo answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredNomenclature {
    Rules(Vec<Rule>),
    Whole(Nomenclature),
}

/// The name of a record for people, and the code that people scan for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub name: String,
    pub code: Option<String>,
}

#[cfg(test)]
mod tests;
