//! A made-up site: one warehouse, numbered bins, numbered products, 10,000 on hand of each that needs no lot.

use serde_json::{Value, json};

use super::store::{Row, Store};

/// How large the made-up site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    pub bins: usize,
    pub products: usize,
}

impl Default for Seed {
    fn default() -> Self {
        Self {
            bins: 200,
            products: 500,
        }
    }
}

/// What each product without lots has on hand, in one bin.
pub const ON_HAND: f64 = 10_000.0;

/// The barcode of a seeded bin.
#[must_use]
pub fn bin_barcode(bin: usize) -> String {
    format!("LOC-BIN-{bin:04}")
}

/// The EAN-13 of a seeded product.
#[must_use]
pub fn product_barcode(product: usize) -> String {
    let body = format!("{}", 400_000_000_000_u64 + product as u64);
    let total: u32 = body
        .bytes()
        .enumerate()
        .map(|(i, digit)| u32::from(digit - b'0') * if i % 2 == 1 { 3 } else { 1 })
        .sum();
    format!("{body}{}", (10 - total % 10) % 10)
}

/// Whether a seeded product wants a lot or a serial number on every line.
#[must_use]
pub fn tracking(product: usize) -> &'static str {
    match product % 50 {
        0 => "lot",
        1 => "serial",
        _ => "none",
    }
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}

/// Fills an empty store. The ids come out the same each time.
pub fn fill(store: &mut Store, seed: Seed) {
    store.insert("res.company", row(json!({"name": "My Company"})));
    let units = store.insert("uom.uom", row(json!({"name": "Units", "factor": 1.0})));
    store.insert("uom.uom", row(json!({"name": "Pack of 6", "factor": 6.0})));
    let mut location = |name: &str, full: &str, usage: &str, parent: i64, barcode: Value| {
        let reference = |id: i64| if id == 0 { json!(false) } else { json!(id) };
        let warehouse = full.starts_with("WH").then_some(1);
        store.insert(
            "stock.location",
            row(json!({
                "name": name, "complete_name": full, "usage": usage, "barcode": barcode,
                "location_id": reference(parent), "warehouse_id": warehouse.map_or(json!(false), |id| json!(id)),
                "company_id": if matches!(usage, "supplier" | "customer") { json!(false) } else { json!(1) },
            })),
        )
    };
    let supplier = location("Vendors", "Vendors", "supplier", 0, json!(false));
    let customer = location("Customers", "Customers", "customer", 0, json!(false));
    let inventory = location(
        "Inventory adjustment",
        "Inventory adjustment",
        "inventory",
        0,
        json!(false),
    );
    let view = location("WH", "WH", "view", 0, json!(false));
    let stock = location("Stock", "WH/Stock", "internal", view, json!("WH-STOCK"));
    let bins: Vec<i64> = (0..seed.bins)
        .map(|i| {
            let full = format!("WH/Stock/BIN-{i:04}");
            location(
                &format!("BIN-{i:04}"),
                &full,
                "internal",
                stock,
                json!(bin_barcode(i)),
            )
        })
        .collect();
    warehouse(store, [supplier, customer, view, stock]);
    for i in 0..seed.products {
        let product = store.insert_product(
            row(json!({
                "name": format!("Item {i}"), "default_code": format!("SKU{i:05}"), "barcode": product_barcode(i),
                "type": "consu", "is_storable": true, "tracking": tracking(i), "uom_id": units,
            })),
        );
        if tracking(i) == "none" && !bins.is_empty() {
            store.add_quant((product, bins[i % bins.len()], 0, 0), ON_HAND);
            store.add_quant((product, inventory, 0, 0), -ON_HAND);
        }
    }
}

/// The defaults that Odoo fills in when somebody makes such a record.
#[must_use]
pub fn complete(model: &str, mut row: Row) -> Row {
    if model == "product.product" {
        row.entry("tracking").or_insert_with(|| json!("none"));
        row.entry("uom_id").or_insert_with(|| json!(1));
    }
    if model == "stock.location" {
        let name = row.get("name").cloned().unwrap_or_default();
        row.entry("complete_name").or_insert(name);
        row.entry("usage").or_insert_with(|| json!("internal"));
        row.entry("warehouse_id").or_insert_with(|| json!(1));
    }
    row
}

fn warehouse(store: &mut Store, [supplier, customer, view, stock]: [i64; 4]) {
    let mut kind = |name: &str, code: &str, sequence: &str, from: i64, to: i64| {
        store.insert(
            "stock.picking.type",
            row(json!({
                "name": name, "code": code, "sequence_code": sequence, "warehouse_id": 1,
                "default_location_src_id": from, "default_location_dest_id": to,
            })),
        )
    };
    let incoming = kind("Receipts", "incoming", "IN", supplier, stock);
    let outgoing = kind("Delivery Orders", "outgoing", "OUT", stock, customer);
    let internal = kind("Internal Transfers", "internal", "INT", stock, stock);
    store.insert(
        "stock.warehouse",
        row(json!({
            "name": "YourCompany", "code": "WH", "int_type_id": internal, "in_type_id": incoming,
            "out_type_id": outgoing, "lot_stock_id": stock, "view_location_id": view, "company_id": 1,
        })),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barcodes_carry_the_check_digit_of_ean_13() {
        assert_eq!(product_barcode(0), "4000000000006");
        assert_eq!(product_barcode(1), "4000000000013");
        assert_eq!(product_barcode(499), "4000000004998");
    }
}
