//! Which rows a search looks at: as with PostgreSQL's indexes, not all of a table where a condition
//! names few of them. So the stand-in is as fast with a million rows as with a thousand.

use std::collections::BTreeSet;

use serde_json::Value;

use super::domain::Domain;
use super::schema;
use super::store::Store;

/// The ids of all rows that may be meant, in their order; more of them than are meant, but none
/// fewer. `None`: any row of the table.
#[must_use]
pub fn candidates(store: &Store, model: &'static str, domain: &Domain) -> Option<Vec<i64>> {
    let mut least: Option<BTreeSet<i64>> = None;
    let mut after = None;
    for (path, operator, value) in conditions(domain) {
        if let ("id", ">", Some(id)) = (path, operator, value.as_i64()) {
            after = after.max(Some(id));
        }
        if let Some(ids) = indexed(store, model, path, operator, value)
            && least.as_ref().is_none_or(|least| ids.len() < least.len())
        {
            least = Some(ids);
        }
    }
    match (least, after) {
        (Some(ids), _) => Some(ids.into_iter().collect()),
        (None, Some(id)) => Some(store.ids_after(model, id)),
        (None, None) => None,
    }
}

/// The conditions that each row has to meet.
fn conditions(domain: &Domain) -> Vec<(&str, &str, &Value)> {
    match domain {
        Domain::All(parts) => parts.iter().flat_map(conditions).collect(),
        Domain::Is {
            path,
            operator,
            value,
        } => vec![(path, operator, value)],
        Domain::Any(_) | Domain::Not(_) => Vec::new(),
    }
}

fn indexed(
    store: &Store,
    model: &'static str,
    path: &str,
    operator: &str,
    value: &Value,
) -> Option<BTreeSet<i64>> {
    match (path, operator) {
        ("write_date", ">" | ">=") => Some(store.written_since(model, value.as_str()?)),
        ("state", "not in") => {
            let closed = value.as_array()?;
            let names = |state: &str| closed.iter().any(|one| one == state);
            (names("done") && names("cancel"))
                .then(|| store.open(model).cloned())
                .flatten()
        }
        (field, "=" | "in") => {
            let ids = match value {
                Value::Array(ids) => ids.iter().map(Value::as_i64).collect::<Option<Vec<_>>>()?,
                one => vec![one.as_i64()?],
            };
            // Rows that refer to nothing are in no index.
            if ids.contains(&0) {
                return None;
            }
            if field == "id" {
                return Some(ids.into_iter().collect());
            }
            let field = schema::indexed(model).iter().find(|name| **name == field)?;
            let rows = ids.iter().flat_map(|id| store.children(model, field, *id));
            Some(rows.collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use serde_json::json;

    use super::super::params::Params;
    use super::super::store::text_of;
    use super::super::{Caller, Seed, load, methods, read, seed};
    use super::*;

    fn params(body: Value) -> Params {
        match body {
            Value::Object(body) => Params::new(body),
            _ => Params::default(),
        }
    }

    /// The id of the first row with this value.
    fn first(store: &Store, model: &str, field: &str, value: &str) -> i64 {
        let mut rows = store.table(model);
        let found = rows.find(|(_, row)| text_of(row, field) == value);
        found.unwrap().0
    }

    /// A product, where it is moved from and to, and the operation type for it.
    fn way(store: &Store) -> [i64; 4] {
        [
            first(
                store,
                "product.product",
                "barcode",
                &seed::product_barcode(2),
            ),
            first(store, "stock.location", "barcode", &seed::bin_barcode(1)),
            first(store, "stock.location", "barcode", &seed::bin_barcode(2)),
            first(store, "stock.picking.type", "code", "internal"),
        ]
    }

    fn run(store: &mut Store, model: &'static str, method: &str, body: Value) -> Value {
        methods::run(store, Caller::User, model, method, &params(body)).unwrap()
    }

    /// What the gateway asks for one transfer, and what it refreshes between two.
    fn transfer(store: &mut Store, number: usize, [product, from, to, kind]: [i64; 4]) {
        let fields = json!([
            "id",
            "picking_type_id/.id",
            "location_id/.id",
            "location_dest_id/.id",
            "move_line_ids/product_id/.id",
            "move_line_ids/quantity",
            "move_line_ids/picked",
            "move_line_ids/location_id/.id",
            "move_line_ids/location_dest_id/.id",
        ]);
        let [p, f, t, k] = [product, from, to, kind].map(|id| id.to_string());
        let data = json!([[format!("key_{number}"), k, f, t, p, "1", "1", f, t]]);
        let context = json!({"module": "m", "mode": "update", "noupdate": true});
        let body = params(json!({"fields": fields, "data": data, "context": context}));
        let loaded = load::load(store, Caller::User, "stock.picking", &body).unwrap();
        let ids = loaded["ids"].clone();
        assert!(ids.is_array(), "{loaded}");
        let validated = json!({"ids": ids, "context": {"skip_backorder": true}});
        run(store, "stock.picking", "button_validate", validated);
        let lines = json!({"fields": {"product_id": {}, "quantity_product_uom": {}}});
        let specification = json!({"state": {}, "move_line_ids": lines});
        let body = json!({"ids": ids, "vals_list": [{"date_done": "2026-11-23 08:00:00"}],
            "specification": specification});
        let read_back = run(store, "stock.picking", "web_save_multi", body);
        assert_eq!(read_back[0]["state"], "done", "{read_back}");
        let asked = [
            (
                "stock.quant",
                json!([
                    ["product_id", "in", [product]],
                    ["location_id", "in", [from, to]]
                ]),
            ),
            (
                "stock.picking",
                json!([["state", "not in", ["done", "cancel"]]]),
            ),
            (
                "stock.move",
                json!([["id", ">", 0], ["write_date", ">=", "2999-01-01 00:00:00"]]),
            ),
            ("stock.move.line", json!([["picking_id", "in", ids]])),
        ];
        for (model, domain) in asked {
            let body = json!({"domain": domain, "fields": ["write_date"]});
            run(store, model, "search_read", body);
        }
        let quants = json!({"domain": [["product_id", "=", product]],
            "fields": ["quantity", "reserved_quantity", "available_quantity"]});
        run(store, "stock.quant", "search_read", quants);
        store.commit();
    }

    #[test]
    fn a_transfer_looks_at_as_many_rows_after_a_thousand_others_as_after_ten() {
        let mut store = Store::default();
        let size = Seed {
            bins: 4,
            products: 4,
        };
        seed::fill(&mut store, size);
        let ids = way(&store);
        let mut work = |number| {
            let before = store.looked_at.load(Ordering::Relaxed);
            transfer(&mut store, number, ids);
            store.looked_at.load(Ordering::Relaxed) - before
        };
        let after: Vec<u64> = (0..1_010).map(&mut work).collect();
        assert!(after[10] > 0);
        assert_eq!(after[1_009], after[10]);
    }

    #[test]
    fn an_index_finds_what_the_whole_table_holds() {
        let mut store = Store::default();
        seed::fill(
            &mut store,
            Seed {
                bins: 4,
                products: 4,
            },
        );
        let ids = way(&store);
        for number in 0..5 {
            transfer(&mut store, number, ids);
        }
        // Open, cancelled, and taken back.
        let open =
            json!({"picking_type_id": ids[3], "location_id": ids[1], "location_dest_id": ids[2]});
        for state in ["draft", "assigned", "cancel"] {
            let body = json!({"vals_list": [open]});
            let id = run(&mut store, "stock.picking", "create", body)[0]
                .as_i64()
                .unwrap();
            store.set("stock.picking", id, "state", json!(state));
        }
        store.commit();
        store.set("stock.picking", 1, "state", json!("draft"));
        store.remove("stock.picking", 2);
        store.roll_back();
        for (model, condition) in [
            (
                "stock.picking",
                json!(["state", "not in", ["done", "cancel"]]),
            ),
            ("stock.picking", json!(["id", "in", [2, 4, 99]])),
            ("stock.picking", json!(["id", ">", 3])),
            (
                "stock.picking",
                json!(["write_date", ">=", "2020-01-01 00:00:00"]),
            ),
            ("stock.move.line", json!(["picking_id", "=", 3])),
            ("stock.move", json!(["picking_id", "in", [1, 2]])),
            ("stock.move", json!(["sale_line_id", "=", false])),
            (
                "stock.quant",
                json!(["location_id", "in", [ids[1], ids[2]]]),
            ),
        ] {
            let asked = |domain: Value| {
                let found = read::search(&store, model, &params(json!({"domain": domain})));
                found.unwrap()
            };
            // Behind an "or" no index is used.
            let never = json!(["id", "=", -1]);
            let whole = asked(json!(["|", condition, never]));
            assert_eq!(asked(json!([condition])), whole, "{condition}");
            assert!(!whole.is_empty(), "{condition}");
        }
    }
}
