//! That what the gateway builds on is so in Odoo, and that it posts there what it should: against
//! the stand-in always, and against a real Odoo 19 where there is one, so that the stand-in stays
//! honest.
//!
//! `eval $(tests/real-odoo/odoo fresh NAME)`, then `cargo test --test it real_odoo -- --ignored`.

/// Each of these functions becomes a test on the stand-in, and one on the real Odoo that the
/// environment names; of each, one through JSON-2 and one through `/jsonrpc`.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod stand_in {
            use stockrelay::config::Api;
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::Odoo::stand_in(Api::Auto).await).await;
                }
            )*
            mod json_rpc {
                use super::Api;
                $(
                    #[tokio::test]
                    async fn $test() {
                        super::super::$test(super::super::Odoo::stand_in(Api::JsonRpc).await).await;
                    }
                )*
            }
        }
        mod real {
            use stockrelay::config::Api;
            $(
                #[tokio::test]
                #[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
                async fn $test() {
                    super::$test(super::Odoo::real(Api::Auto).await).await;
                }
            )*
            mod json_rpc {
                use super::Api;
                $(
                    #[tokio::test]
                    #[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
                    async fn $test() {
                        super::super::$test(super::super::Odoo::real(Api::JsonRpc).await).await;
                    }
                )*
            }
        }
    };
}

mod facts;
mod floor;
mod forwarder;
mod keys;
mod older;
mod ours;

use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::config::{self, Api};
use stockrelay::demo::odoo::{ADMIN_API_KEY, API_KEY, DATABASE, Seed, StandIn};
use stockrelay::odoo::{Client, Transfer, TransferLine, Warehouse};
use stockrelay::odoo_id::{LocationId, ProductId};

/// A database, for the gateway's user and for the administrator.
struct Odoo {
    config: config::Odoo,
    gateway: Client,
    admin: Client,
    warehouse: Warehouse,
    /// Ids of bins and of untracked products with stock.
    bins: Vec<(i64, String)>,
    products: Vec<(i64, String)>,
    _key_dir: tempfile::TempDir,
    stand_in: Option<StandIn>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: eval $(tests/real-odoo/odoo fresh NAME) sets it")
    })
}

impl Odoo {
    async fn real(api: Api) -> Self {
        let odoo = config::Odoo {
            api,
            ..config::Odoo::new(&variable("ODOO_URL"), &variable("ODOO_DB"))
        };
        let keys = [variable("ODOO_API_KEY"), variable("ODOO_ADMIN_API_KEY")];
        Self::new(odoo, keys, None).await
    }

    /// Slow enough that a call can be cut while it is under way.
    async fn stand_in(api: Api) -> Self {
        let stand_in = StandIn::start(Seed::default(), Duration::from_millis(5)).await;
        let stand_in = stand_in.expect("a port on loopback");
        let odoo = config::Odoo {
            api,
            ..config::Odoo::new(&stand_in.url(), DATABASE)
        };
        let keys = [API_KEY, ADMIN_API_KEY].map(str::to_owned);
        Self::new(odoo, keys, Some(stand_in)).await
    }

    async fn new(odoo: config::Odoo, keys: [String; 2], stand_in: Option<StandIn>) -> Self {
        let key_dir = tempfile::tempdir().unwrap();
        let [config, admin] = ["gateway", "admin"].map(|name| config::Odoo {
            api_key_file: Some(key_dir.path().join(name)),
            user: Some(name.to_owned()),
            ..odoo.clone()
        });
        for (config, key) in [&config, &admin].into_iter().zip(keys) {
            std::fs::write(config.api_key_file.as_ref().unwrap(), key).unwrap();
        }
        let mut gateway = Client::new(&config).unwrap();
        let mut admin = Client::new(&admin).unwrap();
        let warehouse = gateway.warehouse("WH").await.unwrap();
        let bins = json!([["barcode", "like", "LOC-BIN-"]]);
        let bins = named(&mut admin, "stock.location", &bins).await;
        let products = json!([["default_code", "like", "SKU"], ["tracking", "=", "none"]]);
        let products = named(&mut admin, "product.product", &products).await;
        Self {
            config,
            gateway,
            admin,
            warehouse,
            bins,
            products,
            _key_dir: key_dir,
            stand_in,
        }
    }

    fn is_stand_in(&self) -> bool {
        self.stand_in.is_some()
    }

    /// A transfer of 2 of each of so many products from one bin to the next.
    fn transfer(&self, name: &str, lines: usize) -> Transfer {
        let hash = blake3::hash(format!("{name} {}", unique()).as_bytes());
        Transfer {
            key: stockrelay::document::DocumentKey(hash.as_bytes()[..16].try_into().unwrap()),
            group: name.to_owned(),
            about: None,
            header: None,
            returned: Vec::new(),
            lines: (0..lines).map(|i| self.line(i)).collect(),
            when: Some("2026-03-04T05:06:07Z".parse().unwrap()),
        }
    }

    fn line(&self, i: usize) -> TransferLine {
        TransferLine {
            product: ProductId::new(self.products[i % self.products.len()].0),
            from: LocationId::new(self.bins[i % 200].0),
            to: LocationId::new(self.bins[(i + 7) % 200].0),
            quantity: 2.into(),
            ..TransferLine::default()
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
