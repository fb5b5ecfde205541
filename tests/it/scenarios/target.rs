//! An Odoo to test with: the stand-in, or a real one that the environment names.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::demo::odoo::{ADMIN_API_KEY, API_KEY, DATABASE, Seed, StandIn, Version};

pub struct Target {
    /// Where the gateway finds it.
    pub url: String,
    /// Where a test finds it, which speaks to it in the words of Odoo 19.
    own_url: String,
    pub version: Version,
    pub database: String,
    pub api_key: String,
    pub admin_api_key: String,
    client: reqwest::Client,
    pub stand_in: Option<StandIn>,
}

/// A line of an order.
pub struct Wanted {
    pub product: i64,
    pub quantity: f64,
    /// None: the product's own.
    pub unit: Option<i64>,
}

impl From<(i64, f64)> for Wanted {
    fn from((product, quantity): (i64, f64)) -> Self {
        Self {
            product,
            quantity,
            unit: None,
        }
    }
}

impl Wanted {
    /// With the names that the line's model has for the quantity.
    fn line(&self, quantity: &str) -> Value {
        let mut line = json!({"product_id": self.product, quantity: self.quantity});
        if let Some(unit) = self.unit {
            line["product_uom_id"] = json!(unit);
        }
        line
    }
}

pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    /// The name and message of an error.
    pub fn error(&self) -> (String, String) {
        let body = self.json();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        (text("name"), text("message"))
    }
}

/// A name that no earlier run has used.
pub fn fresh(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = clock::now().as_microsecond();
    format!("{prefix}{now:x}{count:02x}")
}

impl Target {
    pub async fn stand_in(delay_per_line: Duration) -> Self {
        Self::stand_in_as(Version::V19, delay_per_line).await
    }

    /// The stand-in as an Odoo of this version.
    pub async fn stand_in_as(version: Version, delay_per_line: Duration) -> Self {
        Self::with_site(version, Seed::default(), delay_per_line).await
    }

    /// A target with few bins and products: a test that creates its own products needs only these,
    /// and is faster.
    pub async fn small_stand_in(version: Version) -> Self {
        let seed = Seed {
            bins: 10,
            products: 10,
        };
        Self::with_site(version, seed, Duration::ZERO).await
    }

    async fn with_site(version: Version, seed: Seed, delay_per_line: Duration) -> Self {
        let stand_in = StandIn::start_as(version, seed, delay_per_line).await;
        let stand_in = stand_in.expect("a port on loopback");
        Self {
            url: stand_in.url(),
            own_url: stand_in.own_url(),
            version,
            database: DATABASE.into(),
            api_key: API_KEY.into(),
            admin_api_key: ADMIN_API_KEY.into(),
            // It speaks plain HTTP: reading the system's authorities would only take time.
            client: client(reqwest::Client::builder().tls_certs_only([])),
            stand_in: Some(stand_in),
        }
    }

    /// The Odoo of the environment; a test that asks for it is ignored unless somebody has one.
    pub fn real() -> Self {
        let read = |name: &str| {
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set: a real Odoo 19 is needed"))
        };
        Self {
            url: read("ODOO_URL"),
            own_url: read("ODOO_URL"),
            version: Version::V19,
            database: read("ODOO_DB"),
            api_key: read("ODOO_API_KEY"),
            admin_api_key: read("ODOO_ADMIN_API_KEY"),
            client: client(reqwest::Client::builder()),
            stand_in: None,
        }
    }

    pub async fn send(&self, key: &str, database: &str, path: &str, body: &str) -> Answer {
        self.send_to(&self.own_url, key, database, path, body).await
    }

    /// The same where the gateway finds it, or elsewhere.
    pub async fn send_to(
        &self,
        base: &str,
        key: &str,
        database: &str,
        path: &str,
        body: &str,
    ) -> Answer {
        let request = self
            .client
            .post(format!("{base}{path}"))
            .header("Content-Type", "application/json")
            .header("Authorization", format!("bearer {key}"))
            .header("X-Odoo-Database", database)
            .body(body.to_owned());
        let response = request.send().await.expect("an answer from Odoo");
        let kind = response.headers().get("content-type");
        Answer {
            status: response.status().as_u16(),
            content_type: kind.map_or(String::new(), |k| k.to_str().unwrap().to_owned()),
            text: response.text().await.expect("the whole answer"),
        }
    }

    pub async fn call(&self, model: &str, method: &str, body: Value) -> Answer {
        let path = format!("/json/2/{model}/{method}");
        self.send(&self.api_key, &self.database, &path, &body.to_string())
            .await
    }

    pub async fn admin(&self, model: &str, method: &str, body: Value) -> Value {
        let path = format!("/json/2/{model}/{method}");
        let key = &self.admin_api_key;
        let answer = self
            .send(key, &self.database, &path, &body.to_string())
            .await;
        assert_eq!(answer.status, 200, "{model}.{method}: {}", answer.text);
        answer.json()
    }

    /// The result of a call that must go well.
    pub async fn ask(&self, model: &str, method: &str, body: Value) -> Value {
        let answer = self.call(model, method, body).await;
        assert_eq!(answer.status, 200, "{model}.{method}: {}", answer.text);
        answer.json()
    }

    /// The one id that a domain finds.
    pub async fn find(&self, model: &str, domain: Value) -> i64 {
        let found = self.ask(model, "search", json!({"domain": domain})).await;
        let ids = found.as_array().expect("a list of ids");
        assert_eq!(ids.len(), 1, "{model} {domain}: {found}");
        ids[0].as_i64().expect("an id")
    }

    pub async fn bin(&self, number: usize) -> i64 {
        let barcode = format!("LOC-BIN-{number:04}");
        self.location(&barcode).await
    }

    /// The location with this barcode, of the first company.
    pub async fn location(&self, barcode: &str) -> i64 {
        let domain = json!([["barcode", "=", barcode], ["company_id", "in", [false, 1]]]);
        self.find("stock.location", domain).await
    }

    /// Where goods come from that vendors send.
    pub async fn vendors(&self) -> i64 {
        let domain = json!([["usage", "=", "supplier"], ["company_id", "=", false]]);
        let body = json!({"domain": domain, "order": "id", "limit": 1});
        let found = self.ask("stock.location", "search", body).await;
        found[0].as_i64().expect("a location of vendors")
    }

    /// How the gateway reaches it, with the key in this file.
    pub fn config(&self, api_key_file: &std::path::Path) -> stockrelay::config::Odoo {
        stockrelay::config::Odoo {
            api_key_file: Some(api_key_file.to_owned()),
            ..stockrelay::config::Odoo::new(&self.url, &self.database)
        }
    }

    /// A product that only this test moves.
    pub async fn new_product(&self, barcode: &str, tracking: &str) -> i64 {
        let product = json!({
            "name": format!("Test {barcode}"), "default_code": barcode, "barcode": barcode,
            "type": "consu", "is_storable": true, "tracking": tracking,
        });
        let made = self
            .admin("product.product", "create", json!({"vals_list": [product]}))
            .await;
        made[0].as_i64().expect("the new product's id")
    }

    /// Puts goods somewhere, by counting them: product, location, and lot, package or owner in
    /// `place`.
    pub async fn stock(&self, place: Value, quantity: f64) {
        let mut values = place;
        values["inventory_quantity"] = json!(quantity);
        let body = json!({"vals_list": [values], "context": {"inventory_mode": true}});
        let made = self.admin("stock.quant", "create", body).await;
        let body = json!({"ids": made, "context": {"inventory_mode": true}});
        let path = "/json/2/stock.quant/action_apply_inventory";
        let key = &self.admin_api_key;
        let answer = self
            .send(key, &self.database, path, &body.to_string())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// A sales order, confirmed: its name, and its first picking.
    pub async fn sale(&self, lines: &[Wanted], warehouse: i64) -> (String, i64) {
        let line = |wanted: &Wanted| json!([0, 0, wanted.line("product_uom_qty")]);
        let lines: Vec<Value> = lines.iter().map(line).collect();
        let partner = self.partner(&fresh("Customer ")).await;
        let order = json!({"partner_id": partner, "warehouse_id": warehouse, "order_line": lines});
        self.confirmed("sale.order", order, "action_confirm").await
    }

    /// A purchase order, confirmed: its name, and its receipt.
    pub async fn purchase(&self, lines: &[Wanted], warehouse: i64) -> (String, i64) {
        let line = |wanted: &Wanted| {
            let mut line = wanted.line("product_qty");
            line["price_unit"] = json!(1);
            json!([0, 0, line])
        };
        let lines: Vec<Value> = lines.iter().map(line).collect();
        let partner = self.partner(&fresh("Vendor ")).await;
        let domain = json!([["warehouse_id", "=", warehouse], ["code", "=", "incoming"]]);
        let incoming = self.find("stock.picking.type", domain).await;
        let order =
            json!({"partner_id": partner, "picking_type_id": incoming, "order_line": lines});
        self.confirmed("purchase.order", order, "button_confirm")
            .await
    }

    pub async fn internal_type(&self, warehouse: i64) -> i64 {
        let body = json!({"ids": [warehouse], "fields": ["int_type_id"]});
        let rows = self.ask("stock.warehouse", "read", body).await;
        rows[0]["int_type_id"][0]
            .as_i64()
            .expect("an operation type")
    }

    /// An internal transfer within the warehouse's stock, confirmed and reserved.
    pub async fn internal(&self, lines: &[Wanted], warehouse: i64) -> i64 {
        let body = json!({"ids": [warehouse], "fields": ["lot_stock_id"]});
        let stock = self.ask("stock.warehouse", "read", body).await[0]["lot_stock_id"][0].clone();
        let line = |wanted: &Wanted| {
            let mut line = wanted.line("product_uom_qty");
            line["location_id"] = stock.clone();
            line["location_dest_id"] = stock.clone();
            json!([0, 0, line])
        };
        let moves: Vec<Value> = lines.iter().map(line).collect();
        let values = json!({
            "picking_type_id": self.internal_type(warehouse).await, "location_id": stock, "location_dest_id": stock,
            "move_ids": moves,
        });
        let id = self.made("stock.picking", values).await;
        for button in ["action_confirm", "action_assign"] {
            self.admin("stock.picking", button, json!({"ids": [id]}))
                .await;
        }
        id
    }

    async fn confirmed(&self, model: &str, order: Value, button: &str) -> (String, i64) {
        let order = self.made(model, order).await;
        self.admin(model, button, json!({"ids": [order]})).await;
        let body = json!({"ids": [order], "fields": ["name", "picking_ids"]});
        let rows = self.admin(model, "read", body).await;
        let name = rows[0]["name"].as_str().unwrap().to_owned();
        // 17 makes all steps at once, and the last one first: the others wait for the first.
        let domain = json!([
            ["id", "in", rows[0]["picking_ids"]],
            ["state", "!=", "waiting"]
        ]);
        let body = json!({"domain": domain, "order": "id", "limit": 1});
        let found = self.ask("stock.picking", "search", body).await;
        let picking = found[0].as_i64();
        (name, picking.unwrap_or_else(|| panic!("{rows}")))
    }

    /// Dates what a done picking moved. Since 19 Odoo does it by itself where the picking is dated.
    pub async fn date_parts(&self, picking: i64, at: &str) {
        for model in ["stock.move", "stock.move.line"] {
            let domain = json!([["picking_id", "=", picking]]);
            let parts = self.ask(model, "search", json!({"domain": domain})).await;
            let body = json!({"ids": parts, "vals": {"date": at}});
            self.admin(model, "write", body).await;
        }
    }

    pub async fn partner(&self, name: &str) -> i64 {
        self.made("res.partner", json!({"name": name})).await
    }

    /// A record that the administrator makes.
    pub async fn made(&self, model: &str, values: Value) -> i64 {
        let made = self
            .admin(model, "create", json!({"vals_list": [values]}))
            .await;
        made[0].as_i64().expect("the new record's id")
    }

    /// A warehouse that only this test uses, because the test changes its steps: its id and its
    /// code.
    pub async fn warehouse(&self, reception: &str, delivery: &str) -> (i64, String) {
        let mut number = clock::now().as_microsecond().unsigned_abs();
        let mut code = String::new();
        for _ in 0..5 {
            code.insert(
                0,
                char::from_digit(u32::try_from(number % 36).unwrap(), 36).unwrap(),
            );
            number /= 36;
        }
        let code = code.to_uppercase();
        let values = json!({
            "name": fresh("Steps "), "code": code, "reception_steps": reception, "delivery_steps": delivery,
        });
        (self.made("stock.warehouse", values).await, code)
    }

    /// A unit that is so many of the first one, for a product to be packed in.
    pub async fn case_of(&self, product: i64, units: u32) -> i64 {
        let body = json!({"ids": [product], "fields": ["uom_id"]});
        let unit = self.ask("product.product", "read", body).await[0]["uom_id"][0].clone();
        let values =
            json!({"name": fresh("Case "), "relative_factor": units, "relative_uom_id": unit});
        self.made("uom.uom", values).await
    }

    /// Keeps a product in a unit of so many pieces, and answers the unit of a piece.
    pub async fn keep_in(&self, product: i64, pieces: u32) -> i64 {
        let body = json!({"ids": [product], "fields": ["uom_id"]});
        let rows = self.ask("product.product", "read", body).await;
        let piece = rows[0]["uom_id"][0].as_i64().expect("a unit");
        let unit = self.case_of(product, pieces).await;
        let body = json!({"ids": [product], "vals": {"uom_id": unit}});
        self.admin("product.product", "write", body).await;
        piece
    }

    /// What Odoo says is in a bin.
    pub async fn quantity(&self, product: i64, bin: i64) -> f64 {
        let domain = json!([["product_id", "=", product], ["location_id", "=", bin]]);
        let body = json!({"domain": domain, "fields": ["quantity"]});
        let quants = self.ask("stock.quant", "search_read", body).await;
        let quants = quants.as_array().expect("a list of quants");
        quants
            .iter()
            .filter_map(|quant| quant["quantity"].as_f64())
            .sum()
    }
}

fn client(builder: reqwest::ClientBuilder) -> reqwest::Client {
    stockrelay::tls::install_provider();
    let builder = builder.timeout(Duration::from_mins(1));
    builder.build().expect("an HTTP client")
}
