//! A made-up site: one warehouse, numbered bins, numbered products, 10,000 on hand of each product
//! that needs no lot.

use serde_json::{Value, json};

use super::orders;
use super::store::{QuantKey, Row, Store, id_of, moment, number_of, row, text_of};
use super::version::Version;

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

/// Fills an empty store. The ids come out the same each time.
pub fn fill(store: &mut Store, seed: Seed) {
    let nomenclature = barcodes(store);
    store.insert(
        "res.company",
        row(json!({"name": "My Company", "nomenclature_id": nomenclature})),
    );
    let users = [
        "OdooBot",
        "Mitchell Admin",
        "Public",
        "Portal",
        "Marc Demo",
        "Joel Willis",
        "Gateway",
    ];
    for name in users {
        let email = format!("{}@example.com", name.replace(' ', "."));
        let user = json!({"name": name, "lang": "en_US", "email": email});
        store.insert("res.users", row(user));
    }
    store.insert("ir.model", row(json!({"model": "stock.picking"})));
    let key = json!({"name": "gateway", "scope": "rpc", "user_id": 7, "expiration_date": "2099-01-01 00:00:00"});
    store.insert("res.users.apikeys", row(key));
    let units = store.insert("uom.uom", row(json!({"name": "Units", "factor": 1.0})));
    store.insert(
        "uom.uom",
        row(json!({"name": "Pack of 6", "factor": 6.0, "relative_factor": 6.0, "relative_uom_id": units})),
    );
    measures(store);
    let mut outside = |name: &str, usage: &str| {
        let company = if usage == "inventory" {
            json!(1)
        } else {
            json!(false)
        };
        let values =
            json!({"name": name, "complete_name": name, "usage": usage, "company_id": company});
        store.insert("stock.location", row(values))
    };
    outside("Vendors", "supplier");
    outside("Customers", "customer");
    let inventory = outside("Inventory adjustment", "inventory");
    if store.version < Version::V19 {
        let scrap = json!({
            "name": "Scrap", "complete_name": "Virtual Locations/Scrap", "usage": "inventory",
            "company_id": 1, "scrap_location": true,
        });
        store.insert("stock.location", row(scrap));
    }
    let warehouse = orders::make_warehouse(store, &Row::new());
    let stock = store
        .row("stock.warehouse", warehouse)
        .map_or(0, |row| id_of(row, "lot_stock_id"));
    let bins: Vec<i64> = (0..seed.bins)
        .map(|i| {
            let bin = json!({"name": format!("BIN-{i:04}"), "barcode": bin_barcode(i), "location_id": stock});
            let bin = complete(store, "stock.location", row(bin));
            store.insert("stock.location", bin)
        })
        .collect();
    for i in 0..seed.products {
        let product = store.insert_product(
            row(json!({
                "name": format!("Item {i}"), "default_code": format!("SKU{i:05}"), "barcode": product_barcode(i),
                "type": "consu", "is_storable": true, "tracking": tracking(i), "uom_id": units,
            })),
        );
        if tracking(i) == "none" && !bins.is_empty() {
            let here = |location: i64| QuantKey {
                product,
                location,
                ..QuantKey::default()
            };
            store.add_quant(here(bins[i % bins.len()]), ON_HAND);
            store.add_quant(here(inventory), -ON_HAND);
        }
    }
    store.commit();
}

/// Some of the units that Odoo brings, with their external ids: name, external id, factor,
/// reference.
fn measures(store: &mut Store) {
    store.name_externally("uom", "product_uom_unit", "uom.uom", 1);
    let units = [
        ("g", "product_uom_gram", 1.0, 0),
        ("kg", "product_uom_kgm", 1_000.0, 3),
        ("Ton", "product_uom_ton", 1_000.0, 4),
        ("oz", "product_uom_oz", 28.3495, 3),
        ("lb", "product_uom_lb", 16.0, 6),
        ("mm", "product_uom_millimeter", 1.0, 0),
        ("cm", "product_uom_cm", 10.0, 8),
        ("m", "product_uom_meter", 100.0, 9),
        ("ml", "product_uom_milliliter", 1.0, 0),
        ("L", "product_uom_litre", 1_000.0, 11),
    ];
    for (name, external, factor, reference) in units {
        let values = json!({"name": name, "relative_factor": factor, "relative_uom_id": super::store::reference(reference)});
        let values = complete(store, "uom.uom", row(values));
        let id = store.insert("uom.uom", values);
        store.name_externally("uom", external, "uom.uom", id);
    }
}

/// The nomenclature that a new database has.
fn barcodes(store: &mut Store) -> i64 {
    let values = json!({"name": "Default Nomenclature", "upc_ean_conv": "always"});
    let nomenclature = store.insert("barcode.nomenclature", row(values));
    let rules = [
        ("Product Barcodes", "product", ".*", "any", 90),
        (
            "Weight Barcodes 3 Decimals",
            "weight",
            "21.....{NNDDD}",
            "ean13",
            50,
        ),
        ("Location barcodes", "location", "414", "any", 60),
        ("Package barcodes", "package", "PACK", "any", 70),
        ("Lot barcodes", "lot", "10", "any", 80),
    ];
    for (name, kind, pattern, encoding, sequence) in rules {
        let values = json!({
            "name": name, "type": kind, "pattern": pattern, "encoding": encoding, "sequence": sequence,
            "barcode_nomenclature_id": nomenclature, "alias": "0",
        });
        store.insert("barcode.rule", row(values));
    }
    gs1_barcodes(store);
    nomenclature
}

/// The other one that it has, for companies that choose it.
fn gs1_barcodes(store: &mut Store) {
    let values = json!({
        "name": "Default GS1 Nomenclature", "upc_ean_conv": "always", "is_gs1_nomenclature": true,
        "gs1_separator_fnc1": r"(Alt029|#|\x1D)",
    });
    let nomenclature = store.insert("barcode.nomenclature", row(values));
    let text = r#"([!"%-/0-9:-?A-Z_a-z]{0,20})"#;
    let rules = [
        ("package", r"(00)(\d{18})".to_owned(), "identifier", 100),
        ("product", r"(01)(\d{14})".to_owned(), "identifier", 101),
        ("location", r"(414)(\d{13})".to_owned(), "identifier", 106),
        ("lot", format!("(10){text}"), "alpha", 107),
        ("lot", format!("(21){text}"), "alpha", 126),
        ("pack_date", r"(13)(\d{6})".to_owned(), "date", 137),
        ("use_date", r"(15)(\d{6})".to_owned(), "date", 138),
        ("expiration_date", r"(17)(\d{6})".to_owned(), "date", 139),
        ("quantity", r"(37)(\d{0,8})".to_owned(), "measure", 305),
        ("package_type", format!("(91){text}"), "alpha", 500),
    ];
    for (kind, pattern, content, sequence) in rules {
        let values = json!({
            "name": kind, "type": kind, "pattern": pattern, "encoding": "gs1-128", "sequence": sequence,
            "barcode_nomenclature_id": nomenclature, "alias": "0", "gs1_content_type": content,
            "gs1_decimal_usage": false, "associated_uom_id": false,
        });
        store.insert("barcode.rule", row(values));
    }
}

/// The defaults that Odoo fills in when somebody makes such a record.
#[must_use]
pub fn complete(store: &mut Store, model: &str, mut row: Row) -> Row {
    match model {
        "product.product" => {
            default(&mut row, "tracking", json!("none"));
            default(&mut row, "uom_id", json!(1));
        }
        "stock.location" => {
            default(&mut row, "usage", json!("internal"));
            default(&mut row, "location_id", json!(false));
            default(&mut row, "company_id", json!(1));
            let parent = store.row("stock.location", id_of(&row, "location_id"));
            let above = parent.map_or("", |parent| text_of(parent, "complete_name"));
            let warehouse = parent.map_or(1, |parent| id_of(parent, "warehouse_id"));
            let name = text_of(&row, "name");
            let full = if above.is_empty() {
                name.to_owned()
            } else {
                format!("{above}/{name}")
            };
            row.insert("complete_name".into(), json!(full));
            row.entry("warehouse_id").or_insert(json!(warehouse));
        }
        "uom.uom" if row.contains_key("relative_factor") => {
            let base = store.row("uom.uom", id_of(&row, "relative_uom_id"));
            let base = base.map_or(1.0, |base| number_of(base, "factor"));
            let factor = json!(number_of(&row, "relative_factor") * base);
            row.insert("factor".into(), factor);
        }
        "sale.order" | "purchase.order" => {
            let (letter, sequence) = if model == "sale.order" {
                ('S', "sale.order")
            } else {
                ('P', "purchase.order")
            };
            let number = store.next(sequence, 0);
            row.insert("name".into(), json!(format!("{letter}{number:05}")));
            row.insert("state".into(), json!("draft"));
        }
        "stock.lot" => super::lots::complete(store, &mut row),
        "res.users.apikeys" => default(&mut row, "expiration_date", json!(moment())),
        _ => {}
    }
    row
}

fn default(row: &mut Row, name: &str, value: Value) {
    row.entry(name).or_insert(value);
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
