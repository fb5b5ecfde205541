//! Against a real Odoo 19: that what the gateway builds on is still so, and that it posts there what it should.
//!
//! `eval $(tests/real-odoo/odoo fresh NAME)`, then `cargo test --test it real_odoo -- --ignored`.

mod facts;
mod forwarder;

use serde_json::{Value, json};
use stockrelay::config;
use stockrelay::forward::odoo::{Client, Transfer, TransferLine, Warehouse};

/// The database that the environment names, for the gateway's user and for the administrator.
struct Real {
    config: config::Odoo,
    gateway: Client,
    admin: Client,
    warehouse: Warehouse,
    /// Ids of bins and of untracked products with stock.
    bins: Vec<(i64, String)>,
    products: Vec<(i64, String)>,
    _keys: tempfile::TempDir,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: eval $(tests/real-odoo/odoo fresh NAME) sets it")
    })
}

impl Real {
    async fn new() -> Self {
        let keys = tempfile::tempdir().unwrap();
        let with_key = |name: &str| {
            let file = keys.path().join(name);
            std::fs::write(&file, variable(name)).unwrap();
            config::Odoo {
                api_key_file: Some(file),
                ..config::Odoo::new(&variable("ODOO_URL"), &variable("ODOO_DB"))
            }
        };
        let config = with_key("ODOO_API_KEY");
        let mut gateway = Client::new(&config).unwrap();
        let mut admin = Client::new(&with_key("ODOO_ADMIN_API_KEY")).unwrap();
        let warehouse = gateway.warehouse("WH").await.unwrap();
        let bins = named(
            &mut admin,
            "stock.location",
            &json!([["barcode", "like", "LOC-BIN-"]]),
        )
        .await;
        let products = json!([["default_code", "like", "SKU"], ["tracking", "=", "none"]]);
        let products = named(&mut admin, "product.product", &products).await;
        Self {
            config,
            gateway,
            admin,
            warehouse,
            bins,
            products,
            _keys: keys,
        }
    }

    /// A transfer of 2 of each of so many products from one bin to the next.
    fn transfer(&self, name: &str, lines: usize) -> Transfer {
        let hash = blake3::hash(format!("{name} {}", unique()).as_bytes());
        Transfer {
            key: stockrelay::document::DocumentKey(hash.as_bytes()[..16].try_into().unwrap()),
            group: name.to_owned(),
            lines: (0..lines).map(|i| self.line(i)).collect(),
            occurred: "2026-03-04T05:06:07Z".parse().unwrap(),
        }
    }

    fn line(&self, i: usize) -> TransferLine {
        TransferLine {
            product: self.products[i % self.products.len()].0,
            from: self.bins[i % 200].0,
            to: self.bins[(i + 7) % 200].0,
            lot: None,
            package: None,
            quantity: 2.into(),
        }
    }

    async fn ask(&mut self, model: &str, method: &str, body: Value) -> Value {
        self.admin.call(model, method, &body).await.unwrap()
    }

    /// How many of a product are in a location.
    async fn stock(&mut self, product: i64, location: i64) -> f64 {
        let body = json!({
            "domain": [["product_id", "=", product], ["location_id", "=", location]],
            "fields": ["quantity"],
        });
        let quants = self.ask("stock.quant", "search_read", body).await;
        let quants = quants.as_array().unwrap().iter();
        quants
            .map(|quant| quant["quantity"].as_f64().unwrap())
            .sum()
    }
}

async fn named(admin: &mut Client, model: &str, domain: &Value) -> Vec<(i64, String)> {
    let body = json!({"domain": domain, "fields": ["barcode"], "order": "id"});
    let rows: Vec<Value> = admin.call(model, "search_read", &body).await.unwrap();
    rows.iter()
        .map(|row| {
            (
                row["id"].as_i64().unwrap(),
                row["barcode"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// Tests run many times on one database: nothing may have the name of an earlier run.
fn unique() -> String {
    let dir = tempfile::tempdir().unwrap();
    format!("{}-{}", std::process::id(), dir.path().display())
}
