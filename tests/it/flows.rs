//! Devices that only beep, through the real daemon: beeps in, events, words for the person and
//! stock in Odoo out.
//!
//! `tests/flows/*.toml` hold the sequences; each is played by a real MQTT client, on the stand-in
//! and on a real Odoo. `cuts`: the power goes while flows run. `dock`: a serial scanner, and the
//! daemon as a process that is killed. `broker`: a device on a broker that was there already.

mod again;
mod broker;
mod cuts;
mod dated;
mod dock;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde::Deserialize;
use serde_json::{Value, json};
use stockrelay::config::{self, Config};
use stockrelay::daemon::Daemon;
use stockrelay::event::{Action, Field, Movement, Name, SourceKind};
use stockrelay::journal::{Journal, WriterHandle};
use stockrelay::{clock, event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::{SerialPort as _, SerialStream};

use crate::scenarios::script::{Order, OrderKind, Stock as Before};
use crate::scenarios::target::{Target, fresh};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows");
/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    start: String,
    /// `capture.lot_pattern` of the site, and that of the device's profile.
    site_lot_pattern: Option<String>,
    profile_lot_pattern: Option<String>,
    /// By name: how they are tracked.
    products: BTreeMap<String, String>,
    /// Products that are kept in another unit than Units, with its name in Odoo.
    #[serde(default)]
    units: BTreeMap<String, String>,
    /// `{name}` is the barcode of a packaging: its product, and how many of its own unit it holds.
    #[serde(default)]
    packagings: BTreeMap<String, (String, u32)>,
    /// Products whose barcode has a place for a weight in grams; `{name.weighed}` is one with this
    /// weight.
    #[serde(default)]
    weighed: BTreeMap<String, String>,
    /// Products whose lots have dates, with the days between best before and expiry.
    #[serde(default)]
    use_days: BTreeMap<String, u32>,
    /// Whether the company has Odoo's GS1 nomenclature when the daemon starts.
    #[serde(default)]
    gs1: bool,
    /// The site's; else UTC.
    time_zone: Option<String>,
    /// Lines of the profile's section `code`.
    #[serde(default)]
    code: String,
    /// What lies where before anything is read.
    #[serde(default)]
    before: Vec<Before>,
    /// `{so1}` is the name of its picking, `{so1.origin}` its own.
    #[serde(default)]
    orders: BTreeMap<String, Order>,
    step: Vec<Step>,
    events: Vec<String>,
    /// What the labels measured of those events of which they did, in order.
    #[serde(default)]
    measures: Vec<String>,
    #[serde(default)]
    stock: Vec<Stock>,
    /// What there is of lots and serial numbers in the end.
    #[serde(default)]
    lots: Vec<LotStock>,
    #[serde(default)]
    dates: Vec<dated::Dates>,
    /// Orders whose picking is done in the end.
    #[serde(default)]
    done: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    scan: Option<String>,
    /// What is said holds this.
    good: Option<String>,
    bad: Option<String>,
    /// It is dropped, and nothing is said.
    #[serde(default)]
    repeat: bool,
    happens: Option<Happening>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Happening {
    Battery,
    Restart,
    /// All that flows have made is in Odoo.
    Posted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stock {
    product: String,
    bin: String,
    quantity: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LotStock {
    product: String,
    lot: String,
    quantity: f64,
    package: Option<String>,
}

fn profile(connection: &str, start: &str) -> String {
    format!(
        "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
         [connection]\n{connection}\n[repeats]\nwithin_ms = 1500\n[flow]\nstart = \"{start}\"\n"
    )
}

/// A daemon with one device, and the Odoo behind it.
struct Stage {
    target: Target,
    config: Config,
    daemon: Option<Daemon>,
    /// A name that no earlier run has used: packages are named after it.
    device: String,
    /// Barcodes and ids by the script's names.
    products: BTreeMap<String, (String, i64)>,
    /// What stands for `{name}` besides the products' barcodes, and the picking of each order.
    names: BTreeMap<String, String>,
    pickings: BTreeMap<String, i64>,
    dir: tempfile::TempDir,
}

impl Stage {
    async fn build(target: Target, products: &BTreeMap<String, String>) -> Self {
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
    async fn measure(&mut self, script: &Script) {
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
    async fn furnish(&mut self, script: &Script) {
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
    fn with_mqtt(&mut self, start: &str) {
        let own = profile("kind = \"mqtt\"", start);
        std::fs::write(self.dir.path().join("own.toml"), own).unwrap();
        self.with_entry("profile = \"own.toml\"");
    }

    fn with_lot_patterns(&mut self, script: &Script) {
        if let Some(pattern) = &script.site_lot_pattern {
            self.config.capture.lot_pattern = config::LotPattern::of(pattern);
        }
        if let Some(pattern) = &script.profile_lot_pattern {
            let own = profile("kind = \"mqtt\"", &script.start);
            let own = format!("{own}lot_pattern = '{pattern}'\n");
            std::fs::write(self.dir.path().join("own.toml"), own).unwrap();
        }
    }

    /// The device speaks MQTT, and this is what `devices.toml` says of it.
    fn with_entry(&mut self, entry: &str) {
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
    async fn start(&mut self) {
        let daemon = Daemon::start(self.config.clone()).await.unwrap();
        self.daemon = Some(daemon);
        self.until("the copy of Odoo's data", |daemon| {
            daemon.board().snapshot().odoo.copy_refreshed.is_some()
        })
        .await;
    }

    async fn stop(&mut self) {
        self.daemon.take().unwrap().stop().await.unwrap();
    }

    /// Each is answered as right before the next.
    async fn scan_all(&self, codes: &[&str]) {
        let mut ring = Ring::on(self).await;
        for code in codes {
            ring.scan(&self.text(code)).await;
            let said = ring.display(code).await;
            assert_eq!(said["ok"], true, "{code}: {said}");
        }
    }

    /// The journal, while no daemon has it.
    fn journal(&self) -> (Journal, WriterHandle) {
        Journal::open(&self.config.data_dir, &self.config.journal).unwrap()
    }

    async fn until(&self, what: &str, so: impl Fn(&Daemon) -> bool) {
        let daemon = self.daemon.as_ref().unwrap();
        let waiting = async {
            while !so(daemon) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "{what}: {:?}", daemon.journal().totals());
    }

    /// With the barcodes in the place of the products' names.
    fn text(&self, text: &str) -> String {
        let products = self.products.iter();
        let products = products.map(|(name, (barcode, _))| (name, barcode));
        products
            .chain(&self.names)
            .fold(text.to_owned(), |text, (name, meant)| {
                text.replace(&format!("{{{name}}}"), meant)
            })
    }

    /// What flows have made, in order.
    fn made(&self) -> Vec<String> {
        let events = self
            .daemon
            .as_ref()
            .unwrap()
            .journal()
            .events(0, 1_000)
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
    fn measures(&self) -> Vec<String> {
        let daemon = self.daemon.as_ref().unwrap();
        let events = daemon.journal().events(0, 1_000).unwrap().into_iter();
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
    async fn posted(&self) {
        let count = self.made().len() as u64;
        self.until("all is posted", |daemon| {
            daemon.journal().totals().posted.events == count
        })
        .await;
    }

    async fn check(&self, script: &Script) {
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

    async fn check_lot(&self, lot: &LotStock) {
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
fn fresh_gtin() -> String {
    let moment: u64 = fresh_number() % 1_000_000_000;
    checked(&format!("950{moment:09}"))
}

/// The number of a package that no earlier run has used.
fn fresh_sscc() -> String {
    let moment: u64 = fresh_number() % 1_000_000_000;
    checked(&format!("39500000{moment:09}"))
}

/// Digits with their check digit: weights 3 and 1 from the right.
fn checked(body: &str) -> String {
    let digits = body.bytes().rev().zip([3, 1].into_iter().cycle());
    let sum: u32 = digits
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn fresh_number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let moment = clock::now().as_millisecond().unsigned_abs();
    moment + COUNT.fetch_add(1, Ordering::Relaxed)
}

/// What an event says, in the order in which a person would say it. A package is named after the
/// scan that began it.
fn line(event: &event::Event) -> String {
    let mut said = vec![event.action.kind().to_owned()];
    let mut say = |word: &str, value: Option<&str>| {
        said.extend(value.map(|value| format!("{word}{value}")));
    };
    let text = |field| event.action.text(field);
    match &event.action {
        Action::Move(moved) => {
            let (product, quantity) = (&moved.goods.product, moved.goods.quantity);
            let bin = |field| text(field).unwrap_or("?");
            let (from, to) = (bin(Field::From), bin(Field::To));
            let (goods, more) = match moved.movement {
                Movement::Transfer => {
                    let goods = format!("{quantity} {product} {from} > {to}");
                    (goods, &[("lot ", Field::Lot)][..])
                }
                Movement::Count => {
                    let goods = format!("{quantity} {product} {from}");
                    (goods, &[("lot ", Field::Lot)][..])
                }
                Movement::Scrap => (format!("{quantity} {product} {from}"), &[][..]),
                Movement::Pick => {
                    let goods = format!("{quantity} {product} of {}", bin(Field::Order));
                    (goods, &[("from ", Field::From), ("lot ", Field::Lot)][..])
                }
                Movement::Receive => (
                    format!("{quantity} {product}"),
                    &[
                        ("of ", Field::Order),
                        ("lot ", Field::Lot),
                        ("into ", Field::Package),
                    ][..],
                ),
                Movement::Return => (
                    format!("{quantity} {product} > {to}"),
                    &[("of ", Field::Order), ("because ", Field::Reason)][..],
                ),
                Movement::Pack => (
                    format!("{quantity} {product}"),
                    &[
                        ("of ", Field::Order),
                        ("from ", Field::From),
                        ("lot ", Field::Lot),
                    ][..],
                ),
            };
            say("", Some(&goods));
            for (word, field) in more {
                say(word, text(*field));
            }
        }
        Action::Validate { order } => say("", Some(order)),
        Action::Undo { .. } => {}
        other => say("", Some(&format!("{other:?}"))),
    }
    say("by ", event.operator.as_deref());
    said.join(" ")
}

/// A device that publishes codes and reads its display.
struct Ring {
    client: AsyncClient,
    events: EventLoop,
    topic: String,
}

impl Ring {
    /// Switches it on: what the display gets is what comes from here on.
    async fn on(stage: &Stage) -> Self {
        Self::listening(stage, &["display"]).await
    }

    async fn listening(stage: &Stage, channels: &[&str]) -> Self {
        let address = stage.daemon.as_ref().unwrap().mqtt_address().unwrap();
        Self::at(address, stage, channels).await
    }

    async fn at(address: SocketAddr, stage: &Stage, channels: &[&str]) -> Self {
        let options = MqttOptions::new(&stage.device, address.ip().to_string(), address.port());
        let (client, mut events) = AsyncClient::new(options, 10);
        // As devices do that want an answer at once: else the kernel holds small packets back for
        // 40 ms.
        events.network_options.set_tcp_nodelay(true);
        let topic = format!("stockrelay/v1/{}/{}", stage.config.site, stage.device);
        for channel in channels {
            client
                .subscribe(format!("{topic}/{channel}"), QoS::AtLeastOnce)
                .await
                .unwrap();
        }
        let mut left = channels.len();
        let subscribed = async {
            while left > 0 {
                if let Event::Incoming(Packet::SubAck(_)) = events.poll().await.unwrap() {
                    left -= 1;
                }
            }
        };
        tokio::time::timeout(PATIENCE, subscribed).await.unwrap();
        Self {
            client,
            events,
            topic,
        }
    }

    async fn scan(&mut self, code: &str) {
        let topic = format!("{}/scan", self.topic);
        self.client
            .publish(topic, QoS::AtLeastOnce, false, code.as_bytes().to_vec())
            .await
            .unwrap();
    }

    /// Until the gateway has the code; nothing may be said meanwhile.
    async fn acknowledged(&mut self) {
        let acknowledged = async {
            loop {
                match self.events.poll().await.unwrap() {
                    Event::Incoming(Packet::PubAck(_)) => break,
                    Event::Incoming(Packet::Publish(said)) => panic!("said {said:?}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, acknowledged).await.unwrap();
    }

    /// The next word on its display.
    async fn display(&mut self, place: &str) -> Value {
        let said = async {
            loop {
                if let Event::Incoming(Packet::Publish(said)) = self.events.poll().await.unwrap() {
                    break serde_json::from_slice(&said.payload).unwrap();
                }
            }
        };
        let said = tokio::time::timeout(PATIENCE, said).await;
        said.unwrap_or_else(|_| panic!("{place}: nothing was said"))
    }
}

async fn play(name: &str, target: Target) {
    let name = plain(name);
    let text = std::fs::read_to_string(format!("{DIRECTORY}/{name}.toml")).unwrap();
    let script: Script = toml::from_str(&text).unwrap();
    let mut stage = Stage::build(target, &script.products).await;
    stage.furnish(&script).await;
    stage.with_mqtt(&script.start);
    stage.with_lot_patterns(&script);
    stage.with_dates(&script).await;
    let nomenclature = stage.with_nomenclature(&script).await;
    stage.start().await;
    stage.restore(nomenclature).await;
    let mut ring = Ring::on(&stage).await;
    for (number, step) in script.step.iter().enumerate() {
        match step.happens {
            // The connection goes without a word.
            Some(Happening::Battery) => ring = Ring::on(&stage).await,
            Some(Happening::Restart) => {
                stage.stop().await;
                stage.start().await;
                ring = Ring::on(&stage).await;
            }
            Some(Happening::Posted) => stage.posted().await,
            None => {}
        }
        let Some(code) = &step.scan else {
            continue;
        };
        let code = stage.text(code);
        let place = format!("{name}, step {}: {code}", number + 1);
        ring.scan(&code).await;
        if step.repeat {
            ring.acknowledged().await;
            continue;
        }
        let said = ring.display(&place).await;
        let (ok, wanted) = match (&step.good, &step.bad) {
            (Some(good), None) => (true, stage.text(good)),
            (None, Some(bad)) => (false, stage.text(bad)),
            _ => panic!("{place}: one of good and bad is needed"),
        };
        assert_eq!(said["ok"], ok, "{place}: {said}");
        let text = said["text"].as_str().unwrap();
        assert!(text.contains(&wanted), "{place}: {said}, not {wanted}");
    }
    stage.check(&script).await;
    stage.stop().await;
}

/// `return` is a word of Rust's own.
fn plain(name: &str) -> &str {
    name.trim_start_matches("r#")
}

/// A test a file, on the stand-in and on a real Odoo.
macro_rules! flows {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        mod stand_in {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::play(stringify!($name), super::Target::stand_in(super::Duration::ZERO).await).await;
            })*
        }
        mod real {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a real Odoo 19: ODOO_URL, ODOO_DB, ODOO_API_KEY, ODOO_ADMIN_API_KEY"]
            async fn $name() {
                super::play(stringify!($name), super::Target::real()).await;
            })*
        }
    };
}

flows!(
    count,
    count_codes,
    count_labels,
    measures,
    pack,
    pick,
    receive,
    receive_crossed,
    receive_dates,
    receive_gs1,
    receive_labels,
    receive_pallets,
    receive_pattern_of_profile,
    receive_pattern_of_site,
    receive_weighed,
    r#return,
    scrap,
    transfer,
    transfer_formats,
    transfer_labels,
);

#[test]
fn every_sequence_is_played() {
    let files = std::fs::read_dir(DIRECTORY).unwrap();
    let found: BTreeSet<String> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let played: BTreeSet<String> = NAMES.iter().map(|name| plain(name).to_owned()).collect();
    assert_eq!(found, played);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scanner_on_a_serial_line_moves_goods_and_hears_good_and_bad() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    let (mut scanner, line) = SerialStream::pair().unwrap();
    let own = profile("kind = \"serial\"", "transfer")
        + "[[feedback.good]]\nsend = \"G\"\n[[feedback.bad]]\nsend = \"B\"\n";
    std::fs::write(stage.dir.path().join("own.toml"), own).unwrap();
    let list = stage.dir.path().join("scanners.toml");
    let port = line.name().unwrap();
    let entry = format!(
        "[scanners.{}]\nprofile = \"own.toml\"\nport = \"{port}\"\n",
        stage.device
    );
    std::fs::write(&list, entry).unwrap();
    stage.config.scanners = Some(list);
    stage.start().await;
    for (code, answer) in [
        ("{chair}", b'B'),
        ("LOC-BIN-0001", b'G'),
        ("{chair}", b'G'),
        ("LOC-BIN-0002", b'G'),
    ] {
        let code = stage.text(code) + "\r";
        scanner.write_all(code.as_bytes()).await.unwrap();
        let heard = tokio::time::timeout(PATIENCE, scanner.read_u8()).await;
        assert_eq!(heard.expect("an answer").unwrap(), answer, "{code}");
    }
    assert_eq!(
        stage.made(),
        [stage.text("transfer 1 {chair} LOC-BIN-0001 > LOC-BIN-0002")]
    );
    stage
        .until("it is posted", |daemon| {
            daemon.journal().totals().posted.events == 1
        })
        .await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_there_is_a_copy_codes_are_kept_and_moved_by_later() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_mqtt("transfer");
    let url = std::mem::replace(&mut stage.config.odoo.url, "http://127.0.0.1:9".to_owned());
    stage.daemon = Some(Daemon::start(stage.config.clone()).await.unwrap());
    let mut ring = Ring::on(&stage).await;
    for code in ["LOC-BIN-0001", "{chair}", "LOC-BIN-0002"] {
        let code = stage.text(code);
        ring.scan(&code).await;
        let said = ring.display(&code).await;
        assert_eq!(said["ok"], true);
        assert!(
            said["text"]
                .as_str()
                .unwrap()
                .starts_with("Kept, not understood yet"),
            "{said}"
        );
    }
    assert_eq!(stage.made(), Vec::<String>::new());
    stage.stop().await;
    stage.config.odoo.url = url;
    stage.start().await;
    stage
        .until("it is posted", |daemon| {
            daemon.journal().totals().posted.events == 1
        })
        .await;
    assert_eq!(
        stage.made(),
        [stage.text("transfer 1 {chair} LOC-BIN-0001 > LOC-BIN-0002")]
    );
    stage.stop().await;
}

/// A ProGlove's messages, as its gateway publishes them.
fn glove(code: &str, event_id: &str) -> String {
    json!({
        "api_version": "1.0", "event_type": "scan", "event_id": event_id, "time_created": clock::now().as_millisecond(),
        "scan_code": code, "device_serial": "MDMR000000064", "gateway_serial": "PGGW000000058",
    })
    .to_string()
}

/// What a ProGlove does for a word: its lights, and its screen.
async fn glove_hears(ring: &mut Ring, place: &str) -> (Value, Value) {
    let (lights, screen) = (ring.display(place).await, ring.display(place).await);
    assert_eq!(lights["event_type"], "feedback!", "{place}: {lights}");
    assert_eq!(screen["event_type"], "display!", "{place}: {screen}");
    for command in [&lights, &screen] {
        assert_eq!(command["device_serial"], "MDMR000000064", "{command}");
        assert_eq!(command["api_version"], "1.0", "{command}");
    }
    assert_ne!(lights["event_id"], screen["event_id"]);
    (lights, screen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proglove_moves_goods_and_hears_in_its_own_form() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_entry("profile = \"proglove-streams\"\nflow = \"transfer\"");
    stage.start().await;
    let mut ring = Ring::listening(&stage, &["feedback!", "display!"]).await;
    let steps = [
        ("{chair}", "NEGATIVE", "STOP", "Not now: {chair}"),
        ("LOC-BIN-0001", "POSITIVE", "OK", "LOC-BIN-0001"),
        ("{chair}", "POSITIVE", "OK", "[{chair}] Test"),
        ("LOC-BIN-0002", "POSITIVE", "OK", "Recorded: 1 × [{chair}]"),
    ];
    for (number, (code, light, head, line)) in steps.into_iter().enumerate() {
        let payload = glove(&stage.text(code), &format!("event-{number}"));
        ring.scan(&payload).await;
        let (lights, screen) = glove_hears(&mut ring, code).await;
        assert_eq!(lights["feedback_action_id"], format!("FEEDBACK_{light}"));
        let fields = &screen["display_fields"];
        assert_eq!(fields[0]["display_field_header"], head, "{screen}");
        let text = fields[0]["display_field_text"].as_str().unwrap();
        assert!(text.starts_with(&stage.text(line)), "{screen}");
        if head == "OK" {
            // Its gateway missed the acknowledgement: the same event, and nothing new to say.
            ring.scan(&payload).await;
            ring.acknowledged().await;
        }
    }
    let totals = stage.daemon.as_ref().unwrap().journal().totals();
    assert_eq!(totals.duplicates, 3);
    assert_eq!(
        stage.made(),
        [stage.text("transfer 1 {chair} LOC-BIN-0001 > LOC-BIN-0002")]
    );
    stage.posted().await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_flow_a_scan_is_answered_in_the_profiles_form_too() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_entry("profile = \"proglove-streams\"");
    stage.start().await;
    // `display` is what others hear: it must not come on top.
    let mut ring = Ring::listening(&stage, &["feedback!", "display!", "display"]).await;
    for (code, light, head) in [
        ("{chair}", "POSITIVE", "OK"),
        ("nothing", "NEGATIVE", "STOP"),
    ] {
        let code = stage.text(code);
        ring.scan(&glove(&code, &code)).await;
        let (lights, screen) = glove_hears(&mut ring, &code).await;
        assert_eq!(lights["feedback_action_id"], format!("FEEDBACK_{light}"));
        let field = &screen["display_fields"][0];
        assert_eq!(field["display_field_header"], head, "{screen}");
        assert_ne!(field["display_field_text"], "", "{screen}");
    }
    assert_eq!(stage.made(), Vec::<String>::new());
    stage.stop().await;
}

/// What a flow keeps of itself is written after its events are: here the gateway died between the
/// two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_whose_flow_was_cut_off_before_its_state_was_written_are_not_doubled() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_mqtt("transfer");
    stage.start().await;
    stage.scan_all(&["LOC-BIN-0001", "{chair}"]).await;
    stage.stop().await;
    let (journal, writer) = stage.journal();
    let cursor = journal.kept("flow-cursor").unwrap();
    let mut before = cursor.clone();
    before.extend(journal.kept("flow/").unwrap());
    assert_eq!(before.len(), 2);
    journal.inbox().close().await.unwrap();
    drop((journal, writer));

    stage.start().await;
    stage.scan_all(&["LOC-BIN-0002"]).await;
    let moved = stage.text("transfer 1 {chair} LOC-BIN-0001 > LOC-BIN-0002");
    assert_eq!(stage.made(), [moved.as_str()]);
    stage.posted().await;
    stage.stop().await;
    // The disk as the cut leaves it: with the event, and with the state from before its last scan.
    let (journal, writer) = stage.journal();
    let cut = before.into_iter().map(|(key, value)| (key, Some(value)));
    journal.inbox().keep(cut.collect()).await.unwrap();
    journal.inbox().close().await.unwrap();
    drop((journal, writer));

    stage.start().await;
    stage
        .until("the event is made again, and found to be there", |daemon| {
            // The state is written last: by then all is said, too.
            let read = daemon.journal().kept("flow-cursor").unwrap();
            daemon.journal().totals().duplicates == 1 && read != cursor
        })
        .await;
    assert_eq!(stage.made(), [moved.as_str()]);
    // It goes on from there: the second bin has ended the first transfer.
    stage
        .scan_all(&["LOC-BIN-0002", "{chair}", "LOC-BIN-0003"])
        .await;
    let on = stage.text("transfer 1 {chair} LOC-BIN-0002 > LOC-BIN-0003");
    assert_eq!(stage.made(), [moved, on]);
    stage.posted().await;
    stage.stop().await;
}
