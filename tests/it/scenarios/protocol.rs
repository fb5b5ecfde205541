//! How Odoo answers, each assertion held against the stand-in and against a real Odoo 19.

use serde_json::{Value, json};

use super::target::{Answer, Target, fresh};

/// A test twice: on the stand-in, and on the real thing where there is one.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod stand_in {
            use super::*;
            $(#[tokio::test] async fn $name() {
                super::$name(Target::stand_in(std::time::Duration::ZERO).await).await;
            })*
        }
        mod real {
            use super::*;
            $(#[tokio::test]
            #[ignore = "needs a real Odoo 19: ODOO_URL, ODOO_DB, ODOO_API_KEY, ODOO_ADMIN_API_KEY"]
            async fn $name() {
                super::$name(Target::real()).await;
            })*
        }
    };
}

mod answers;
mod floor;
mod goods;
mod json_rpc;
mod load;
mod older;
mod older_rows;
mod orders;
mod validate;

const COLUMNS: [&str; 10] = [
    "id",
    "picking_type_id/.id",
    "location_id/.id",
    "location_dest_id/.id",
    "origin",
    "move_line_ids/product_id/.id",
    "move_line_ids/quantity",
    "move_line_ids/picked",
    "move_line_ids/location_id/.id",
    "move_line_ids/location_dest_id/.id",
];

fn create_if_absent() -> Value {
    json!({"module": "stockrelay_test", "mode": "update", "noupdate": true})
}

fn no_wizards() -> Value {
    json!({"skip_backorder": true, "skip_sms": true})
}

/// A site's ids, looked up once a test.
struct Site {
    odoo: Target,
    internal: i64,
    bins: Vec<i64>,
}

impl Site {
    async fn new(odoo: Target) -> Self {
        let domain = json!([["code", "=", "internal"], ["warehouse_id.code", "=", "WH"]]);
        let internal = odoo.find("stock.picking.type", domain).await;
        let mut bins = Vec::new();
        for number in 0..4 {
            bins.push(odoo.bin(number).await);
        }
        Self {
            odoo,
            internal,
            bins,
        }
    }

    async fn product(&self, tracking: &str) -> i64 {
        self.odoo.new_product(&fresh("T"), tracking).await
    }

    /// The one row of a picking with one line.
    fn row(&self, key: &str, product: i64, quantity: &str, from: usize, to: usize) -> Vec<String> {
        let (from, to) = (self.bins[from].to_string(), self.bins[to].to_string());
        let head = [
            key.to_owned(),
            self.internal.to_string(),
            from.clone(),
            to.clone(),
        ];
        let line = [
            "test".to_owned(),
            product.to_string(),
            quantity.to_owned(),
            "1".to_owned(),
            from,
            to,
        ];
        head.into_iter().chain(line).collect()
    }

    /// Another line of the picking above.
    fn more(&self, product: i64, quantity: &str, from: usize, to: usize) -> Vec<String> {
        let mut row = self.row("", product, quantity, from, to);
        row[1..5].fill(String::new());
        row
    }

    async fn load(&self, rows: &[Vec<String>]) -> Value {
        let body = json!({"fields": COLUMNS, "data": rows, "context": create_if_absent()});
        self.odoo.ask("stock.picking", "load", body).await
    }

    async fn loaded(&self, rows: &[Vec<String>]) -> Vec<i64> {
        let answer = self.load(rows).await;
        let ids = answer["ids"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"));
        ids.iter().map(|id| id.as_i64().unwrap()).collect()
    }

    async fn validate(&self, ids: &[i64]) -> Answer {
        let body = json!({"ids": ids, "context": no_wizards()});
        self.odoo
            .call("stock.picking", "button_validate", body)
            .await
    }

    async fn states(&self, ids: &[i64]) -> Vec<String> {
        let body = json!({"ids": ids, "fields": ["state"]});
        let rows = self.odoo.ask("stock.picking", "read", body).await;
        let rows = rows.as_array().unwrap();
        rows.iter()
            .map(|row| row["state"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn read(&self, id: i64) -> Value {
        let line = json!({"fields": {
            "product_id": {}, "quantity": {}, "picked": {}, "state": {}, "date": {}, "lot_id": {}, "lot_name": {},
            "location_id": {"fields": {"barcode": {}}}, "location_dest_id": {"fields": {"barcode": {}}},
        }});
        let wanted =
            json!({"name": {}, "state": {}, "date_done": {}, "origin": {}, "move_line_ids": line});
        let body = json!({"ids": [id], "specification": wanted});
        self.odoo.ask("stock.picking", "web_read", body).await[0].take()
    }
}
