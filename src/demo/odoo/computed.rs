//! Fields that Odoo computes from other records at each read.

use serde_json::{Value, json};

use super::schema::{self, Kind};
use super::store::{
    PRECISION, QuantKey, Row, Store, flag_of, id_of, number_of, reference, round, text_of,
};

impl Store {
    /// A row's field as `read` shows it before references are dressed up.
    #[must_use]
    pub fn value(&self, model: &str, row: &Row, field: &str) -> Value {
        if field == "display_name" {
            return json!(self.display_name(model, id_of(row, "id")));
        }
        if let Some(value) = compute(self, model, row, field) {
            return value;
        }
        if let Some(Kind::Many(..)) = schema::lookup(model, field).map(|field| field.kind) {
            return json!(self.many(model, id_of(row, "id"), field));
        }
        row.get(field).cloned().unwrap_or(Value::Bool(false))
    }
}

/// Computes the value of a field. `None`: the field is stored.
pub fn compute(store: &Store, model: &str, row: &Row, field: &str) -> Option<Value> {
    let id = id_of(row, "id");
    Some(match (model, field) {
        ("stock.location", "parent_path") => json!(parent_path(store, id)),
        ("stock.move", "quantity") => json!(quantity(store, id)),
        ("stock.move", "product_qty") => {
            let factor = store.factor_of(row, "product_uom");
            json!(round(number_of(row, "product_uom_qty") * factor))
        }
        ("stock.move", "picked") => json!(is_picked(store, id)),
        ("uom.uom", "rounding") => json!(PRECISION),
        ("product.product", "weight_uom_name") => json!("kg"),
        ("uom.uom", "parent_path") => json!(unit_path(store, id)),
        ("stock.move.line", "state") => state(store, row),
        ("stock.move.line", "quantity_product_uom") => json!(store.in_own_unit(row)),
        ("stock.quant", "reserved_quantity") => json!(reserved(store, QuantKey::of(row))),
        ("stock.quant", "available_quantity") => {
            json!(round(
                number_of(row, "quantity") - reserved(store, QuantKey::of(row))
            ))
        }
        ("stock.picking", "picking_type_code") => {
            json!(store.through(row, "picking_type_id", "stock.picking.type", "code"))
        }
        ("stock.picking", "has_scrap_move") => {
            json!(store.of("stock.move", "picking_id", id).any(|(_, m)| {
                let to = store.through(m, "location_dest_id", "stock.location", "usage");
                to == "inventory"
            }))
        }
        ("stock.package", "location_id") => {
            let mut quants = store.of("stock.quant", "package_id", id);
            let holds = quants.find(|(_, quant)| number_of(quant, "quantity") > 0.0);
            reference(holds.map_or(0, |(_, quant)| id_of(quant, "location_id")))
        }
        ("stock.lot", "product_qty") => {
            let quants = store.of("stock.quant", "lot_id", id);
            let inside = quants.filter(|(_, quant)| {
                store.through(quant, "location_id", "stock.location", "usage") == "internal"
            });
            json!(round(inside.map(|(_, q)| number_of(q, "quantity")).sum()))
        }
        ("product.product", "property_stock_inventory") => {
            let mut locations = store.table("stock.location");
            let found = locations.find(|(_, row)| text_of(row, "usage") == "inventory");
            reference(found.map_or(0, |(id, _)| id))
        }
        ("sale.order.line", "qty_delivered") => {
            json!(round(
                delivered(store, id) / store.factor_of(row, "product_uom_id")
            ))
        }
        ("purchase.order.line", "qty_received") => {
            json!(round(
                received(store, row, id) / store.factor_of(row, "product_uom_id")
            ))
        }
        ("sale.order", "picking_ids") => {
            json!(store.many("sale.order", id, "picking_ids"))
        }
        _ => return None,
    })
}

/// The ids from the reference of a unit down to it.
fn unit_path(store: &Store, unit: i64) -> String {
    let above = store
        .row("uom.uom", unit)
        .map_or(0, |row| id_of(row, "relative_uom_id"));
    match above {
        0 => format!("{unit}/"),
        above => format!("{}{unit}/", unit_path(store, above)),
    }
}

/// The ids from the topmost location down to this one, such as `4/5/34/`.
fn parent_path(store: &Store, id: i64) -> String {
    let (mut path, mut at) = (String::new(), id);
    while at != 0 {
        path = format!("{at}/{path}");
        at = store
            .row("stock.location", at)
            .map_or(0, |row| id_of(row, "location_id"));
    }
    path
}

/// The sum of a move's lines, picked or not.
#[must_use]
pub fn quantity(store: &Store, id: i64) -> f64 {
    let lines = store.of("stock.move.line", "move_id", id);
    round(lines.map(|(_, line)| store.in_own_unit(line)).sum())
}

/// A move is picked if one of its lines is. Without lines it keeps the state before its last line
/// was removed.
#[must_use]
pub fn is_picked(store: &Store, id: i64) -> bool {
    let mut lines = store.of("stock.move.line", "move_id", id).peekable();
    if lines.peek().is_none() {
        return store
            .row("stock.move", id)
            .is_some_and(|of| flag_of(of, "picked"));
    }
    lines.any(|(_, line)| flag_of(line, "picked"))
}

fn state(store: &Store, line: &Row) -> Value {
    let of = store.row("stock.move", id_of(line, "move_id"));
    of.map_or(json!(false), |row| json!(text_of(row, "state")))
}

/// The quantity that open lines reserve in a place.
#[must_use]
pub fn reserved(store: &Store, place: QuantKey) -> f64 {
    let lines = store.open_lines(place.product);
    let taken = lines.filter(|(_, line)| {
        let state = store.through(line, "move_id", "stock.move", "state");
        !matches!(state, "done" | "cancel" | "draft")
            && QuantKey::of(line) == place
            && store.through(line, "location_id", "stock.location", "usage") == "internal"
    });
    round(taken.map(|(_, line)| store.in_own_unit(line)).sum())
}

/// Goods at the customer's, less what came back.
fn delivered(store: &Store, sale_line: i64) -> f64 {
    let moves = store.of("stock.move", "sale_line_id", sale_line);
    let done = moves.filter(|(_, m)| text_of(m, "state") == "done");
    round(
        done.map(|(id, m)| {
            let usage = |end: &str| store.through(m, end, "stock.location", "usage");
            match (usage("location_id"), usage("location_dest_id")) {
                ("customer", _) => -quantity(store, id),
                (_, "customer") => quantity(store, id),
                _ => 0.0,
            }
        })
        .sum(),
    )
}

/// Goods from the vendor, less what went back: on a return the product is enough to know the line
/// by.
fn received(store: &Store, line: &Row, id: i64) -> f64 {
    let mut sum = 0.0;
    for (of, m) in store.of("stock.move", "purchase_line_id", id) {
        let from = store.through(m, "location_id", "stock.location", "usage");
        if text_of(m, "state") == "done" && from == "supplier" {
            sum += quantity(store, of);
        }
    }
    for (receipt, _) in store.of("stock.picking", "purchase_id", id_of(line, "order_id")) {
        for (back, _) in store.of("stock.picking", "return_id", receipt) {
            for (of, m) in store.of("stock.move", "picking_id", back) {
                let is_ours = id_of(m, "product_id") == id_of(line, "product_id");
                if is_ours && text_of(m, "state") == "done" {
                    sum -= quantity(store, of);
                }
            }
        }
    }
    round(sum)
}
