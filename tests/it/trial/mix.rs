//! What the devices of the trial do: all types of events, with the orders they are about, and what
//! all of it moves.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use stockrelay::demo::books::{Books, Moves, Way};

use super::{DEVICES, EVENTS};
use crate::moves::Random;

/// Lines of a delivery; two devices pick it together.
const PICK_LINES: usize = 20;
/// Of each product, so many are ordered; the first device picks so many at once, and so does the
/// second.
const ORDERED: u64 = 6;
const PICKED: u64 = 3;
const RECEIPT_LINES: usize = 10;
/// Products that one device alone counts and moves.
const COUNTED: usize = 2;

pub struct Mix {
    /// Each device, and what it publishes.
    pub devices: Vec<(String, Vec<Value>)>,
    /// Barcodes of products and bins; `id N` for a location that is no bin.
    pub moved: Moves,
    /// How many events of each type.
    pub kinds: String,
}

/// An Odoo, set up and asked by somebody with all rights.
struct Office {
    url: String,
    database: String,
    key: String,
    http: reqwest::Client,
}

impl Office {
    async fn call(&self, model: &str, method: &str, body: Value) -> Value {
        let response = self
            .http
            .post(format!("{}/json/2/{model}/{method}", self.url))
            .header("X-Odoo-Database", &self.database)
            .bearer_auth(&self.key)
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        let said: String = text.chars().take(300).collect();
        assert!(status.is_success(), "{model}.{method}: {said}");
        serde_json::from_str(&text).unwrap()
    }

    async fn first(&self, model: &str, domain: Value) -> i64 {
        let body = json!({"domain": domain, "limit": 1, "order": "id"});
        self.call(model, "search", body).await[0].as_i64().unwrap()
    }

    /// A confirmed order; answers the name of its first picking.
    async fn order(&self, model: &str, lines: Vec<Value>, confirm: &str) -> String {
        let partner = json!({"vals_list": [{"name": "Trial"}]});
        let partner = self.call("res.partner", "create", partner).await;
        let order = json!({"partner_id": partner[0], "order_line": lines});
        let made = self
            .call(model, "create", json!({"vals_list": [order]}))
            .await;
        self.call(model, confirm, json!({"ids": made})).await;
        let named = json!({"ids": made, "fields": ["name"]});
        let name = self.call(model, "read", named).await[0]["name"].clone();
        let domain = json!([["origin", "=", name]]);
        let body = json!({"domain": domain, "fields": ["name"], "order": "id", "limit": 1});
        let picking = self.call("stock.picking", "search_read", body).await;
        picking[0]["name"].as_str().unwrap().to_owned()
    }
}

/// One device's doings, and what they move.
struct Work<'a> {
    events: Vec<Value>,
    moved: &'a mut Moves,
}

impl Work<'_> {
    fn did(&mut self, mut event: Value, moved: Option<(&str, &str, &str, u64)>) {
        event["id"] = json!(self.events.len().to_string());
        self.events.push(event);
        if let Some((product, from, to, quantity)) = moved {
            let way = Way {
                product: product.to_owned(),
                from: from.to_owned(),
                to: to.to_owned(),
            };
            *self.moved.entry(way).or_default() += Decimal::from(quantity);
        }
    }
}

impl Mix {
    pub async fn prepare(url: &str, database: &str, key: &str, books: &Books) -> Self {
        let office = Office {
            url: url.to_owned(),
            database: database.to_owned(),
            key: key.to_owned(),
            http: reqwest::Client::builder()
                .timeout(Duration::from_mins(1))
                .build()
                .unwrap(),
        };
        let site = Site::of(&office, books).await;
        let mut moved = Moves::new();
        let mut devices = Vec::new();
        let mut delivery = (String::new(), Vec::new());
        for number in 0..DEVICES {
            let mut random = Random(number);
            if number % 2 == 0 {
                let lines = site.some(&mut random, PICK_LINES);
                let ordered = lines
                    .iter()
                    .map(|(_, id)| json!([0, 0, {"product_id": id, "product_uom_qty": ORDERED}]));
                let name = office
                    .order("sale.order", ordered.collect(), "action_confirm")
                    .await;
                delivery = (name, lines);
            }
            let incoming = site.some(&mut random, RECEIPT_LINES);
            let ordered = incoming.iter().map(
                |(_, id)| json!([0, 0, {"product_id": id, "product_qty": 4, "price_unit": 1}]),
            );
            let receipt = office
                .order("purchase.order", ordered.collect(), "button_confirm")
                .await;
            let mut work = Work {
                events: Vec::new(),
                moved: &mut moved,
            };
            site.work(
                &mut work,
                number,
                &mut random,
                &delivery,
                &(receipt, incoming),
            );
            devices.push((format!("pda{number:02}"), work.events));
        }
        let mut kinds = BTreeMap::<&str, u64>::new();
        for event in devices.iter().flat_map(|(_, events)| events) {
            *kinds.entry(event["type"].as_str().unwrap()).or_default() += 1;
        }
        let kinds: Vec<String> = kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        Self {
            devices,
            moved,
            kinds: kinds.join(", "),
        }
    }
}

/// What there is to scan.
struct Site {
    bins: Vec<String>,
    /// Barcode and id.
    products: Vec<(String, i64)>,
    customers: String,
    vendors: String,
    inventory: String,
}

impl Site {
    async fn of(office: &Office, books: &Books) -> Self {
        // The seeded site's; Odoo's demo data also has bins of another company, which the gateway
        // may not read.
        let mut bins = books.bins();
        bins.retain(|bin| bin.starts_with("LOC-BIN-"));
        let domain = json!([
            ["barcode", "in", books.products()],
            ["default_code", "like", "SKU"]
        ]);
        let body = json!({"domain": domain, "fields": ["barcode"], "order": "id"});
        let found = office.call("product.product", "search_read", body).await;
        let product = |row: &Value| {
            (
                row["barcode"].as_str().unwrap().to_owned(),
                row["id"].as_i64().unwrap(),
            )
        };
        let place = async |usage: &str| {
            let id = office
                .first("stock.location", json!([["usage", "=", usage]]))
                .await;
            format!("id {id}")
        };
        // Of several of that usage, the one that Odoo itself takes for these products.
        let first =
            json!({"ids": [found[0]["id"]], "fields": ["property_stock_inventory"], "load": null});
        let read = office.call("product.product", "read", first).await;
        let inventory = &read[0]["property_stock_inventory"];
        Self {
            bins,
            products: found.as_array().unwrap().iter().map(product).collect(),
            customers: place("customer").await,
            vendors: place("supplier").await,
            inventory: format!("id {inventory}"),
        }
    }

    /// Different products that all may touch.
    fn some(&self, random: &mut Random, count: usize) -> Vec<(String, i64)> {
        let shared = self.products.len() - COUNTED * usize::try_from(DEVICES).unwrap();
        let first = usize::try_from(random.below(shared as u64)).unwrap();
        (0..count)
            .map(|step| self.products[(first + step * 7) % shared].clone())
            .collect()
    }

    fn bin(&self, random: &mut Random) -> &str {
        &self.bins[usize::try_from(random.below(self.bins.len() as u64)).unwrap()]
    }

    /// Everything that one device does, in order: first its share of each order, then its counts,
    /// then what fills its time.
    fn work(
        &self,
        work: &mut Work<'_>,
        number: u64,
        random: &mut Random,
        (delivery, to_pick): &(String, Vec<(String, i64)>),
        (receipt, to_receive): &(String, Vec<(String, i64)>),
    ) {
        for (product, _) in to_pick {
            let from = self.bin(random);
            let event = json!({"type": "pick", "order": delivery, "product": product, "quantity": PICKED, "from": from});
            work.did(event, Some((product, from, &self.customers, PICKED)));
        }
        for (product, _) in to_receive {
            for _ in 0..2 {
                let to = self.bin(random);
                let event = json!({"type": "receive", "order": receipt, "product": product, "quantity": 2, "to": to});
                work.did(event, Some((product, &self.vendors, to, 2)));
            }
        }
        if number % 4 == 1 {
            // Of every second delivery somebody says early that it is complete; what comes later is
            // for the backorder.
            work.did(json!({"type": "validate", "order": delivery}), None);
        }
        let told = json!({"type": "ship", "order": delivery, "carrier_ref": format!("1Z{number}"), "parcels": 2});
        work.did(told, None);
        self.count(work, number);
        while work.events.len() < usize::try_from(EVENTS / DEVICES).unwrap() {
            self.one(work, number, random);
        }
    }

    /// Counts a bin that only this step uses: two more than expected, and then exactly as expected.
    fn count(&self, work: &mut Work<'_>, number: u64) {
        for which in 0..COUNTED {
            let place =
                self.products.len() - 1 - (usize::try_from(number).unwrap() * COUNTED + which);
            let product = self.products[place].0.as_str();
            // None of them has its stock here.
            let (home, bin) = (self.bins[150].as_str(), self.bins[3].as_str());
            let moved = json!({"type": "transfer", "product": product, "quantity": 5, "from": home, "to": bin});
            work.did(moved, Some((product, home, bin, 5)));
            let counted = json!({"type": "count", "product": product, "quantity": 7, "from": bin});
            work.did(counted, Some((product, &self.inventory, bin, 2)));
            let back = json!({"type": "transfer", "product": product, "quantity": 1, "from": bin, "to": home});
            work.did(back, Some((product, bin, home, 1)));
            work.did(
                json!({"type": "count", "product": product, "quantity": 6, "from": bin}),
                None,
            );
        }
    }

    fn one(&self, work: &mut Work<'_>, number: u64, random: &mut Random) {
        let product = self.some(random, 1).remove(0).0;
        let (from, to) = (self.bin(random), self.bin(random));
        // Where both are one bin, the next one is where it goes.
        let next = || {
            self.bins
                .iter()
                .cycle()
                .skip_while(|bin| bin.as_str() != from)
                .nth(1)
        };
        let to = if from == to {
            next().expect("two bins")
        } else {
            to
        };
        let quantity = 1 + random.below(3);
        let product = product.as_str();
        match random.below(20) {
            0 => work.did(
                json!({"type": "scrap", "product": product, "quantity": quantity, "from": from, "reason": "broken"}),
                Some((product, from, &self.inventory, quantity)),
            ),
            1 => work.did(
                json!({"type": "receive", "product": product, "quantity": quantity, "to": to}),
                Some((product, &self.vendors, to, quantity)),
            ),
            2 => work.did(
                json!({"type": "return", "product": product, "quantity": quantity, "to": to}),
                Some((product, &self.customers, to, quantity)),
            ),
            3 => {
                let package = format!("PACK-{number}-{}", work.events.len());
                let event = json!({"type": "pack", "product": product, "quantity": quantity, "from": from, "package": package});
                work.did(event, Some((product, from, from, quantity)));
            }
            _ => work.did(
                json!({"type": "transfer", "product": product, "quantity": quantity, "from": from, "to": to}),
                Some((product, from, to, quantity)),
            ),
        }
    }
}
