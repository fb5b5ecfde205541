//! What a scenario has in Odoo: made at the start, named in events, changed by somebody, looked at
//! in the end.

mod check;
mod somebody;
mod twins;

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::SignedDuration;
use serde_json::{Value, json};
use stockrelay::clock;

use super::script::{Order, OrderKind, Script, Twin};
use super::target::{Target, Wanted, fresh};

pub struct Product {
    pub barcode: String,
    /// Once Odoo knows it.
    pub id: Option<i64>,
    /// Barcodes of its packagings.
    packagings: BTreeMap<String, String>,
    /// Their units in Odoo.
    units: BTreeMap<String, i64>,
}

pub struct Placed {
    /// The first picking, and its name.
    picking: (i64, String),
    /// What stands in `origin` of its pickings; an internal transfer has its own name there.
    origin: String,
    kind: OrderKind,
}

pub struct World {
    pub products: BTreeMap<String, Product>,
    /// Id and code.
    pub warehouse: (i64, String),
    /// Barcodes in Odoo of bins that are called otherwise in the scenario.
    bins: BTreeMap<String, String>,
    orders: BTreeMap<String, Placed>,
    /// Ids and names in Odoo.
    owners: BTreeMap<String, (i64, String)>,
    /// The ids of the second ones.
    twins: BTreeMap<Twin, i64>,
    /// Names of packages and their fresh ones. It grows while events are written.
    packages: Mutex<BTreeMap<String, String>>,
}

impl World {
    pub async fn build(script: &Script, target: &Target) -> Self {
        let mut world = Self {
            products: BTreeMap::new(),
            warehouse: (0, "WH".to_owned()),
            bins: BTreeMap::new(),
            orders: BTreeMap::new(),
            owners: BTreeMap::new(),
            twins: BTreeMap::new(),
            packages: Mutex::default(),
        };
        if script.steps {
            world.build_warehouse(target).await;
            for (code, values) in &script.types {
                world.change_type(target, code, values).await;
            }
        } else {
            world.warehouse.0 = target
                .find("stock.warehouse", json!([["code", "=", "WH"]]))
                .await;
        }
        for (name, product) in &script.products {
            let packagings = product
                .packagings
                .keys()
                .map(|name| (name.clone(), fresh("C")));
            let piece = (product.pieces).map(|_| ("piece".to_owned(), fresh("C")));
            let kilo = product.kilo.then(|| ("kilo".to_owned(), fresh("C")));
            let made = Product {
                barcode: fresh("S"),
                id: None,
                packagings: packagings.chain(piece).chain(kilo).collect(),
                units: BTreeMap::new(),
            };
            world.products.insert(name.clone(), made);
            if !product.later {
                world.create(target, script, name).await;
            }
        }
        for stock in &script.stock {
            let place = json!({
                "product_id": world.product(&stock.product), "location_id": world.bin(target, &stock.at).await,
                "lot_id": world.lot(target, &stock.product, stock.lot.as_deref()).await,
                "package_id": world.package(target, stock.package.as_deref()).await,
                "owner_id": world.owner(target, stock.owner.as_deref()).await,
            });
            target.stock(place, stock.quantity).await;
        }
        for twin in &script.twins {
            world.make_twin(target, twin).await;
        }
        for (name, order) in &script.orders {
            let placed = world.place(target, order).await;
            world.orders.insert(name.clone(), placed);
        }
        world
    }

    async fn build_warehouse(&mut self, target: &Target) {
        self.warehouse = target.warehouse("two_steps", "pick_pack_ship").await;
        let fields = [
            "lot_stock_id",
            "wh_input_stock_loc_id",
            "wh_pack_stock_loc_id",
            "wh_output_stock_loc_id",
        ];
        let body = json!({"ids": [self.warehouse.0], "fields": fields});
        let row = target.ask("stock.warehouse", "read", body).await[0].take();
        for (field, name) in fields[1..].iter().zip(["Input", "Packing Zone", "Output"]) {
            let barcode = fresh("LOC-");
            let body = json!({"ids": [row[field][0]], "vals": {"barcode": barcode}});
            target.admin("stock.location", "write", body).await;
            self.bins.insert(name.to_owned(), barcode);
        }
        for number in 0..6 {
            let (name, barcode) = (format!("BIN-{number:04}"), fresh("LOC-"));
            let values = json!({"name": name, "barcode": barcode, "location_id": row["lot_stock_id"][0], "usage": "internal"});
            target.made("stock.location", values).await;
            self.bins.insert(format!("LOC-{name}"), barcode);
        }
    }

    async fn change_type(&self, target: &Target, code: &str, values: &toml::Table) {
        let domain = json!([
            ["warehouse_id", "=", self.warehouse.0],
            ["sequence_code", "=", code]
        ]);
        let kind = target.find("stock.picking.type", domain).await;
        let body = json!({"ids": [kind], "vals": values});
        target.admin("stock.picking.type", "write", body).await;
    }

    /// Odoo learns of a product, its lots and its packagings.
    pub async fn create(&mut self, target: &Target, script: &Script, name: &str) {
        let written = &script.products[name];
        let id = target
            .new_product(&self.products[name].barcode, &written.tracking)
            .await;
        let mut units = BTreeMap::new();
        if let Some(pieces) = written.pieces {
            let piece = target.keep_in(id, pieces).await;
            units.insert("piece".to_owned(), piece);
        }
        if written.kilo {
            let kilo = target.find("uom.uom", json!([["name", "=", "kg"]])).await;
            units.insert("kilo".to_owned(), kilo);
        }
        if written.expiry {
            let body = json!({"ids": [id], "vals": {
                "use_expiration_date": true, "use_time": written.use_days, "removal_time": written.removal_days,
            }});
            target.admin("product.product", "write", body).await;
        }
        for lot in &written.lots {
            target
                .made("stock.lot", json!({"name": lot, "product_id": id}))
                .await;
        }
        for (packaging, count) in &written.packagings {
            let unit = target.case_of(id, *count).await;
            units.insert(packaging.clone(), unit);
        }
        for (packaging, unit) in &units {
            let barcode = &self.products[name].packagings[packaging];
            target
                .made(
                    "product.uom",
                    json!({"product_id": id, "uom_id": unit, "barcode": barcode}),
                )
                .await;
        }
        let product = self.products.get_mut(name);
        let product = product.expect("a product of the scenario");
        (product.id, product.units) = (Some(id), units);
    }

    async fn place(&self, target: &Target, order: &Order) -> Placed {
        let lines: Vec<Wanted> = order
            .lines
            .iter()
            .map(|line| Wanted {
                product: self.product(&line.product),
                quantity: line.quantity,
                unit: line
                    .unit
                    .as_ref()
                    .map(|unit| self.products[&line.product].units[unit]),
            })
            .collect();
        let (origin, id) = match order.kind {
            OrderKind::Delivery => target.sale(&lines, self.warehouse.0).await,
            OrderKind::Receipt => target.purchase(&lines, self.warehouse.0).await,
            OrderKind::Internal => {
                let id = target.internal(&lines, self.warehouse.0).await;
                (String::new(), id)
            }
        };
        let body = json!({"ids": [id], "fields": ["name"]});
        let name = target.ask("stock.picking", "read", body).await[0]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        let origin = if origin.is_empty() {
            name.clone()
        } else {
            origin
        };
        Placed {
            picking: (id, name),
            origin,
            kind: order.kind,
        }
    }

    fn product(&self, name: &str) -> i64 {
        let product = self
            .products
            .get(name)
            .unwrap_or_else(|| panic!("no product {name}"));
        product
            .id
            .unwrap_or_else(|| panic!("Odoo does not know {name} yet"))
    }

    async fn bin(&self, target: &Target, name: &str) -> i64 {
        if name == "Vendors" {
            return target.vendors().await;
        }
        let barcode = self.bins.get(name).map_or(name, String::as_str);
        target.location(barcode).await
    }

    /// The lot of this name, made if need be; false for none.
    async fn lot(&self, target: &Target, product: &str, name: Option<&str>) -> Value {
        let Some(name) = name else {
            return json!(false);
        };
        let product = self.product(product);
        let body = json!({"domain": [["product_id", "=", product], ["name", "=", name]]});
        let found = target.ask("stock.lot", "search", body).await;
        match found[0].as_i64() {
            Some(id) => json!(id),
            None => json!(
                target
                    .made("stock.lot", json!({"name": name, "product_id": product}))
                    .await
            ),
        }
    }

    fn package_name(&self, name: &str) -> String {
        let mut packages = self.packages.lock().unwrap();
        packages
            .entry(name.to_owned())
            .or_insert_with(|| fresh("PACK"))
            .clone()
    }

    /// The package of this name, made if need be; false for none.
    async fn package(&self, target: &Target, name: Option<&str>) -> Value {
        let Some(name) = name else {
            return json!(false);
        };
        let name = self.package_name(name);
        let found = target
            .ask(
                "stock.package",
                "search",
                json!({"domain": [["name", "=", name]]}),
            )
            .await;
        match found[0].as_i64() {
            Some(id) => json!(id),
            None => json!(target.made("stock.package", json!({"name": name})).await),
        }
    }

    async fn owner(&mut self, target: &Target, name: Option<&str>) -> Value {
        let Some(name) = name else {
            return json!(false);
        };
        if !self.owners.contains_key(name) {
            let called = fresh("Owner ");
            let id = target.partner(&called).await;
            self.owners.insert(name.to_owned(), (id, called));
        }
        json!(self.owners[name].0)
    }

    /// The picking that a name such as `so1` or `so1.OUT` means.
    async fn picking(&self, target: &Target, name: &str) -> i64 {
        let (order, step) = name.split_once('.').unwrap_or((name, ""));
        let placed = self
            .orders
            .get(order)
            .unwrap_or_else(|| panic!("no order {order}"));
        if step.is_empty() {
            return placed.picking.0;
        }
        let domain = json!([
            ["origin", "=", placed.origin],
            [
                "picking_type_id.sequence_code",
                "=",
                check::step_in(target.version, step)
            ],
            ["state", "not in", ["done", "cancel"]],
        ]);
        let body = json!({"domain": domain, "order": "id desc", "limit": 1});
        let found = target.ask("stock.picking", "search", body).await;
        found[0]
            .as_i64()
            .unwrap_or_else(|| panic!("no open {name} of {}", placed.origin))
    }

    /// An event, or the body of an edit, with Odoo's names instead of the scenario's.
    pub async fn event(&self, target: &Target, table: &toml::Table) -> Value {
        let mut event = serde_json::to_value(table).expect("JSON");
        self.translate(target, &mut event).await;
        if let Some(lines) = event["lines"].as_array_mut() {
            for line in lines {
                self.translate(target, line).await;
            }
        }
        // Reading a field that is not there has made it null.
        event
            .as_object_mut()
            .expect("a table")
            .retain(|_, value| !value.is_null());
        event
    }

    async fn translate(&self, target: &Target, event: &mut Value) {
        for (field, value) in event.as_object_mut().expect("a table") {
            let Some(text) = value.as_str().map(str::to_owned) else {
                continue;
            };
            let named = text
                .strip_prefix('{')
                .and_then(|text| text.strip_suffix('}'));
            if let Some(seconds) = named.and_then(|name| name.strip_prefix("now")) {
                let ahead = seconds.parse().expect("seconds");
                *value = json!((clock::now() + SignedDuration::from_secs(ahead)).to_string());
                continue;
            }
            if let Some(name) = named {
                *value = json!(self.order_name(target, name).await);
                continue;
            }
            match field.as_str() {
                "product" => *value = json!(self.barcode(&text)),
                "package" => *value = json!(self.package_name(&text)),
                "owner" => {
                    *value = json!(self.owners.get(&text).map_or(&text, |(_, called)| called));
                }
                "from" | "to" => *value = json!(self.bins.get(&text).unwrap_or(&text)),
                _ => {}
            }
        }
    }

    async fn order_name(&self, target: &Target, name: &str) -> String {
        let (order, step) = name.split_once('.').unwrap_or((name, ""));
        let placed = self
            .orders
            .get(order)
            .unwrap_or_else(|| panic!("no order {order}"));
        match step {
            "" => placed.picking.1.clone(),
            "origin" => placed.origin.clone(),
            "shared" => format!("{} webshop", placed.origin),
            _ => {
                let id = self.picking(target, name).await;
                let body = json!({"ids": [id], "fields": ["name"]});
                let rows = target.ask("stock.picking", "read", body).await;
                rows[0]["name"].as_str().unwrap().to_owned()
            }
        }
    }

    /// A product's barcode, or that of its packaging; what is no name of the scenario stays as it
    /// is.
    fn barcode(&self, name: &str) -> String {
        let (product, packaging) = name.split_once('/').unwrap_or((name, ""));
        match self.products.get(product) {
            Some(product) if packaging.is_empty() => product.barcode.clone(),
            Some(product) => product.packagings[packaging].clone(),
            None => name.to_owned(),
        }
    }
}
