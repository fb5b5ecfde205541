//! A daemon with one device, and the Odoo behind it.

use super::{LotStock, PATIENCE, Ring, Script, line, profile};
use crate::scenarios::script::OrderKind;
use crate::scenarios::target::{Target, fresh};
use jiff::tz::TimeZone;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stockrelay::clock;
use stockrelay::config::{self, Config};
use stockrelay::daemon::Daemon;
use stockrelay::event::{Name, Seq, SourceKind};
use stockrelay::journal::{Journal, WriterHandle};

/// A daemon with one device, and the Odoo behind it.
pub struct Stage {
    pub target: Target,
    pub config: Config,
    pub daemon: Option<Daemon>,
    /// A name that no earlier run has used: packages are named after it.
    pub device: String,
    /// Barcodes and ids by the script's names.
    pub products: BTreeMap<String, (String, i64)>,
    /// The values of `{name}` other than the products' barcodes, and the picking of each order.
    pub names: BTreeMap<String, String>,
    pub pickings: BTreeMap<String, i64>,
    pub dir: tempfile::TempDir,
}

impl Stage {
    pub async fn build(target: Target, products: &BTreeMap<String, String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut made = BTreeMap::new();
        for (name, tracking) in products {
            let barcode = fresh_gtin();
            let id = target.new_product(&barcode, tracking).await;
            made.insert(name.clone(), (barcode, id));
        }
        std::fs::write(dir.path().join("odoo.key"), &target.api_key).unwrap();
        let config = Config {
            time_zone: Some(TimeZone::UTC),
            shifts: config::Shifts::default(),
            site: Name::new(&fresh("s")).unwrap(),
            data_dir: dir.path().join("data"),
            listen: None,
            broker: None,
            scanners: None,
            odoo: config::Odoo {
                api_key_file: Some(dir.path().join("odoo.key")),
                refresh_s: 1,
                ..config::Odoo::new(&target.url, &target.database)
            },
            documents: config::Documents {
                idle_s: 1,
                ..config::Documents::default()
            },
            orders: config::Orders::default(),
            stock: config::Stock::default(),
            capture: config::Capture::default(),
            journal: config::Journal::default(),
            control: config::Control {
                socket: dir.path().join("control.sock"),
                metrics: None,
            },
            log: config::Log::default(),
            fleet: config::Fleet::default(),
        };
        Self {
            target,
            config,
            daemon: None,
            device: fresh("ring-"),
            products: made,
            names: BTreeMap::from([("sscc".to_owned(), fresh_sscc())]),
            pickings: BTreeMap::new(),
            dir,
        }
    }

    /// In which units products are kept, and their other barcodes.
    pub async fn measure(&mut self, script: &Script) {
        for (product, unit) in &script.units {
            let unit = json!([["name", "=", unit]]);
            let unit = self.target.find("uom.uom", unit).await;
            let product = self.products[product].1;
            let body = json!({"ids": [product], "vals": {"uom_id": unit}});
            self.target.admin("product.product", "write", body).await;
        }
        for (name, (product, count)) in &script.packagings {
            let product = self.products[product].1;
            let unit = self.target.case_of(product, *count).await;
            let barcode = fresh_gtin();
            let values = json!({"product_id": product, "uom_id": unit, "barcode": barcode});
            self.target.made("product.uom", values).await;
            self.names.insert(name.clone(), barcode);
        }
        for (product, grams) in &script.weighed {
            let number = fresh_number() % 100_000;
            let weighed = |grams: &str| checked(&format!("21{number:05}{grams}"));
            let known = self.products.get_mut(product).unwrap();
            known.0 = weighed("00000");
            let vals = json!({"barcode": known.0});
            let body = json!({"ids": [known.1], "vals": vals});
            self.target.admin("product.product", "write", body).await;
            self.names
                .insert(format!("{product}.weighed"), weighed(grams));
        }
    }

    /// What lies where, and what is ordered.
    pub async fn furnish(&mut self, script: &Script) {
        self.measure(script).await;
        for stock in &script.before {
            let product = self.products[&stock.product].1;
            let bin = json!([["barcode", "=", stock.at]]);
            let bin = self.target.find("stock.location", bin).await;
            let mut place = json!({"product_id": product, "location_id": bin});
            if let Some(lot) = &stock.lot {
                let values = json!({"name": lot, "product_id": product});
                place["lot_id"] = json!(self.target.made("stock.lot", values).await);
            }
            self.target.stock(place, stock.quantity).await;
        }
        let warehouse = json!([["code", "=", "WH"]]);
        let warehouse = self.target.find("stock.warehouse", warehouse).await;
        for (name, order) in &script.orders {
            let lines = order.lines.iter();
            let lines: Vec<_> = lines
                .map(|line| (self.products[&line.product].1, line.quantity).into())
                .collect();
            let (origin, picking) = match order.kind {
                OrderKind::Delivery => self.target.sale(&lines, warehouse).await,
                OrderKind::Receipt => self.target.purchase(&lines, warehouse).await,
                OrderKind::Internal => unreachable!("no flow is about one"),
            };
            let read = json!({"ids": [picking], "fields": ["name"]});
            let rows = self.target.ask("stock.picking", "read", read).await;
            let called = rows[0]["name"].as_str().unwrap().to_owned();
            self.names.insert(name.clone(), called);
            self.names.insert(format!("{name}.origin"), origin);
            self.pickings.insert(name.clone(), picking);
        }
    }

    /// The device speaks MQTT, by a profile of the test's own.
    pub fn with_mqtt(&mut self, start: &str) {
        let own = profile("kind = \"mqtt\"", start);
        std::fs::write(self.dir.path().join("own.toml"), own).unwrap();
        self.with_entry("profile = \"own.toml\"");
    }

    pub fn with_lot_patterns(&mut self, script: &Script) {
        if let Some(pattern) = &script.site_lot_pattern {
            self.config.capture.lot_pattern = config::LotPattern::of(pattern);
        }
        if let Some(pattern) = &script.profile_lot_pattern {
            let own = profile("kind = \"mqtt\"", &script.start);
            let own = format!("{own}lot_pattern = '{pattern}'\n");
            std::fs::write(self.dir.path().join("own.toml"), own).unwrap();
        }
    }

    /// The device uses MQTT, and this is its section of `devices.toml`.
    pub fn with_entry(&mut self, entry: &str) {
        let devices = self.dir.path().join("devices.toml");
        let entry = format!("[devices.{}]\n{entry}\n", self.device);
        std::fs::write(&devices, entry).unwrap();
        self.config.listen = Some(config::Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            anonymous: true,
            devices: Some(devices),
            ..config::Listen::default()
        });
    }

    /// Starts the daemon, and waits until it has all of Odoo's data.
    pub async fn start(&mut self) {
        let daemon = Daemon::start(self.config.clone()).await.unwrap();
        self.daemon = Some(daemon);
        self.until("the copy of Odoo's data", |daemon| {
            daemon.board().snapshot().odoo.copy_refreshed.is_some()
        })
        .await;
    }

    pub async fn stop(&mut self) {
        self.daemon.take().unwrap().stop().await.unwrap();
    }

    /// Each is answered as right before the next.
    pub async fn scan_all(&self, codes: &[&str]) {
        let mut ring = Ring::on(self).await;
        for code in codes {
            ring.scan(&self.text(code)).await;
            let said = ring.display(code).await;
            assert_eq!(said["ok"], true, "{code}: {said}");
        }
    }

    /// The journal, while no daemon has it.
    pub fn journal(&self) -> (Journal, WriterHandle) {
        Journal::open(&self.config.data_dir, &self.config.journal).unwrap()
    }

    pub async fn until(&self, what: &str, so: impl Fn(&Daemon) -> bool) {
        let daemon = self.daemon.as_ref().unwrap();
        let waiting = async {
            while !so(daemon) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "{what}: {:?}", daemon.journal().totals());
    }

    /// Replaces the products' names by their barcodes.
    pub fn text(&self, text: &str) -> String {
        let products = self.products.iter();
        let products = products.map(|(name, (barcode, _))| (name, barcode));
        products
            .chain(&self.names)
            .fold(text.to_owned(), |text, (name, meant)| {
                text.replace(&format!("{{{name}}}"), meant)
            })
    }

    /// What flows have made, in order.
    pub fn made(&self) -> Vec<String> {
        let events = self
            .daemon
            .as_ref()
            .unwrap()
            .journal()
            .events(Seq::ZERO, 1_000)
            .unwrap();
        let own = events.into_iter().map(|recorded| recorded.event);
        own.filter(|event| event.source == SourceKind::Flow)
            .map(|event| {
                assert_eq!(event.device.as_str(), self.device);
                line(&event)
            })
            .collect()
    }

    /// What labels measured of what flows have made.
    pub fn measures(&self) -> Vec<String> {
        let daemon = self.daemon.as_ref().unwrap();
        let events = daemon
            .journal()
            .events(Seq::ZERO, 1_000)
            .unwrap()
            .into_iter();
        let measured = events.filter(|recorded| !recorded.event.measures.is_empty());
        let said = |(name, value): (&String, &rust_decimal::Decimal)| format!("{name} {value}");
        measured
            .map(|recorded| {
                let said: Vec<_> = recorded.event.measures.iter().map(said).collect();
                said.join(", ")
            })
            .collect()
    }

    /// Until all that flows have made is in Odoo.
    pub async fn posted(&self) {
        let count = self.made().len() as u64;
        self.until("all is posted", |daemon| {
            daemon.journal().totals().posted.events == count
        })
        .await;
    }

    pub async fn check(&self, script: &Script) {
        let expected: Vec<_> = script.events.iter().map(|event| self.text(event)).collect();
        assert_eq!(self.made(), expected);
        assert_eq!(self.measures(), script.measures);
        self.posted().await;
        for order in &script.done {
            let read = json!({"ids": [self.pickings[order]], "fields": ["state"]});
            let rows = self.target.ask("stock.picking", "read", read).await;
            assert_eq!(rows[0]["state"], "done", "{order}");
        }
        for dates in &script.dates {
            self.check_dates(dates).await;
        }
        for stock in &script.stock {
            let bin = self
                .target
                .find(
                    "stock.location",
                    json!([
                        ["barcode", "=", stock.bin],
                        ["company_id", "in", [false, 1]]
                    ]),
                )
                .await;
            let found = self
                .target
                .quantity(self.products[&stock.product].1, bin)
                .await;
            let (product, wanted) = (&stock.product, stock.quantity);
            assert!(
                (found - wanted).abs() < 1e-6,
                "{product} in {}: {found}, not {wanted}",
                stock.bin
            );
        }
        for lot in &script.lots {
            self.check_lot(lot).await;
        }
    }

    pub async fn check_lot(&self, lot: &LotStock) {
        let mut domain = vec![
            json!(["product_id", "=", self.products[&lot.product].1]),
            json!(["lot_id.name", "=", self.text(&lot.lot)]),
        ];
        if let Some(package) = &lot.package {
            domain.push(json!(["package_id.name", "=", self.text(package)]));
        }
        let body = json!({"domain": domain, "fields": ["quantity"]});
        let quants = self.target.ask("stock.quant", "search_read", body).await;
        let quantities = quants.as_array().unwrap().iter();
        let quantities = quantities.filter_map(|quant| quant["quantity"].as_f64());
        // What came in is missing at the vendors.
        let found: f64 = quantities.filter(|quantity| *quantity > 0.0).sum();
        let (product, name) = (&lot.product, &lot.lot);
        assert!(
            (found - lot.quantity).abs() < 1e-6,
            "{product}, lot {name}: {found}, not {}",
            lot.quantity
        );
    }
}

/// An item number that no earlier run has used, with its check digit.
pub fn fresh_gtin() -> String {
    let moment: u64 = fresh_number() % 1_000_000_000;
    checked(&format!("950{moment:09}"))
}

/// The number of a package that no earlier run has used.
pub fn fresh_sscc() -> String {
    let moment: u64 = fresh_number() % 1_000_000_000;
    checked(&format!("39500000{moment:09}"))
}

/// Digits with their check digit: weights 3 and 1 from the right.
pub fn checked(body: &str) -> String {
    let digits = body.bytes().rev().zip([3, 1].into_iter().cycle());
    let sum: u32 = digits
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn fresh_number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let moment = clock::now().as_millisecond().unsigned_abs();
    moment + COUNT.fetch_add(1, Ordering::Relaxed)
}
