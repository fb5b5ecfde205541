//! Plays a scenario: a real daemon, real MQTT devices, a link that fails as told, and an Odoo behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, v5};
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::config::{self, Config};
use stockrelay::daemon::Daemon;
use stockrelay::demo::link::{self, Link};
use stockrelay::document::State;
use stockrelay::event::Name;
use tempfile::TempDir;

use super::script::{Happening, Ledger, Movement, Position, Publish, Script, Step, What};
use super::target::{Target, fresh};

/// Every wait ends by then, and the test with it.
const DEADLINE: Duration = Duration::from_mins(1);

pub async fn play(name: &str, target: Target) {
    let path = format!("{}/{name}.toml", super::DIRECTORY);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let script: Script = toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut stage = Stage::build(&script, target).await;
    for (number, step) in script.steps.iter().enumerate() {
        let place = format!("{path}, step {}: {}", number + 1, script.about);
        stage.take(step, &script, &place).await;
    }
    stage.check(&script, &path).await;
    stage.stop().await;
}

struct Stage {
    target: Target,
    link: Link,
    config: Config,
    daemon: Option<Daemon>,
    /// Barcodes, and ids once Odoo knows the product.
    products: BTreeMap<String, (String, Option<i64>)>,
    _data: TempDir,
}

impl Stage {
    async fn build(script: &Script, target: Target) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let link = Link::start(&target.url).await.expect("a port on loopback");
        let mut products = BTreeMap::new();
        for (name, product) in &script.products {
            let barcode = fresh("S");
            let mut id = None;
            if !product.later {
                id = Some(target.new_product(&barcode, &product.tracking).await);
            }
            for lot in &product.lots {
                let lot = json!({"vals_list": [{"name": lot, "product_id": id}]});
                target.ask("stock.lot", "create", lot).await;
            }
            products.insert(name.clone(), (barcode, id));
        }
        let key = data.path().join("odoo.key");
        std::fs::write(&key, &target.api_key).expect("a key file");
        let config = config(script, &link, &target, &data);
        let mut stage = Self {
            target,
            link,
            config,
            daemon: None,
            products,
            _data: data,
        };
        stage.start().await;
        stage
    }

    async fn start(&mut self) {
        let daemon = Daemon::start(self.config.clone()).await;
        self.daemon = Some(daemon.expect("the daemon starts"));
    }

    async fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await.expect("the daemon ends well");
        }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("a running daemon")
    }

    async fn take(&mut self, step: &Step, script: &Script, place: &str) {
        match step {
            Step::Publish(publish) => {
                let messages = self.messages(publish);
                let address = self.daemon().mqtt_address().expect("a front door");
                let sent = tokio::time::timeout(DEADLINE, async {
                    if publish.v5 {
                        publish_v5(&publish.device, address, messages).await;
                    } else {
                        publish_v4(&publish.device, address, messages).await;
                    }
                });
                assert!(sent.await.is_ok(), "{place}: not acknowledged in time");
            }
            Step::Link(position) => self.link.set_up(*position == Position::Up),
            Step::Fault(fault) => self.link.fault(link::Fault {
                method: fault.method.clone(),
                times: fault.times,
                what: what(fault.what),
            }),
            Step::Daemon(Happening::Restart) => {
                self.stop().await;
                self.start().await;
            }
            Step::Create(name) => {
                let tracking = &script.products[name].tracking;
                let entry = self
                    .products
                    .get_mut(name)
                    .expect("a product of the scenario");
                entry.1 = Some(self.target.new_product(&entry.0, tracking).await);
            }
            Step::Wait(wanted) => self.wait(wanted, place).await,
        }
    }

    /// Topics and payloads, with the fresh barcodes in the place of the products' names.
    fn messages(&self, publish: &Publish) -> Vec<(String, Vec<u8>)> {
        let topic = |channel: &str| {
            format!(
                "stockrelay/v1/{}/{}/{channel}",
                self.config.site, publish.device
            )
        };
        let event = |table: &toml::Table| {
            let mut event = serde_json::to_value(table).expect("an event");
            if let Some((barcode, _)) = event["product"].as_str().and_then(|p| self.products.get(p))
            {
                event["product"] = json!(barcode);
            }
            event
        };
        let events: Vec<Value> = publish.events.iter().map(event).collect();
        let mut messages = Vec::new();
        if publish.separately {
            let each = events
                .iter()
                .map(|event| (topic("event"), event.to_string().into_bytes()));
            messages.extend(each);
        } else if !events.is_empty() {
            messages.push((topic("event"), json!(events).to_string().into_bytes()));
        }
        messages.extend(
            publish
                .raw
                .iter()
                .map(|raw| (topic("event"), raw.clone().into_bytes())),
        );
        let scan = |code: &String| (topic("scan"), code.clone().into_bytes());
        messages.extend(publish.scans.iter().map(scan));
        let times = usize::try_from(publish.times).unwrap();
        messages
            .iter()
            .cycle()
            .take(messages.len() * times)
            .cloned()
            .collect()
    }

    fn ledger(&self) -> Ledger {
        let totals = self.daemon().journal().totals();
        let sealed = State::ALL
            .iter()
            .map(|state| totals.of(*state).documents)
            .sum();
        Ledger {
            stored: Some(totals.stored),
            duplicates: Some(totals.duplicates),
            rejected: Some(totals.rejected),
            no_document: Some(totals.no_document),
            posted: Some(totals.posted.events),
            parked: Some(totals.parked.events),
            documents: Some(totals.posted.documents),
            faults_left: Some(self.link.faults_left() as u64),
            sealed: Some(sealed),
        }
    }

    async fn wait(&self, wanted: &Ledger, place: &str) {
        let begun = clock::instant();
        loop {
            let found = self.ledger();
            if agrees(wanted, &found) {
                return;
            }
            let elapsed = clock::instant().duration_since(begun);
            let odoo = self.daemon().board().snapshot().odoo;
            assert!(
                elapsed < DEADLINE,
                "{place}: waited for {wanted:?}, found {found:?}; {odoo:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn check(&self, script: &Script, path: &str) {
        let expect = &script.expect;
        let found = self.ledger();
        assert!(
            agrees(&expect.ledger, &found),
            "{path}: expected {:?}, found {found:?}",
            expect.ledger
        );
        let journal = self.daemon().journal();
        let totals = journal.totals();
        let settled =
            totals.no_document + State::ALL.iter().map(|s| totals.of(*s).events).sum::<u64>();
        assert_eq!(
            totals.stored,
            settled + totals.open_events(),
            "{path}: adds up"
        );
        let parked = journal
            .documents(Some(State::Parked), 0, 1_000)
            .expect("parked documents");
        let code =
            |entry: stockrelay::journal::Entry| entry.progress.reason.map(|reason| reason.code);
        let mut reasons: Vec<String> = parked.into_iter().filter_map(code).collect();
        reasons.sort();
        assert_eq!(
            reasons, expect.reasons,
            "{path}: reasons of parked documents"
        );
        let rejected = journal.rejected(0, 1_000).expect("rejected readings");
        let rejections: Vec<String> = rejected.into_iter().map(|r| r.code).collect();
        assert_eq!(rejections, expect.rejections, "{path}: rejected readings");
        self.check_odoo(script, path).await;
    }

    async fn check_odoo(&self, script: &Script, path: &str) {
        let expect = &script.expect;
        let ids: Vec<i64> = self.products.values().filter_map(|(_, id)| *id).collect();
        let domain = json!([["product_id", "in", ids], ["state", "=", "done"]]);
        let fields = [
            "product_id",
            "location_id",
            "location_dest_id",
            "quantity",
            "lot_id",
            "picking_id",
        ];
        let body = json!({"domain": domain, "fields": fields, "order": "id"});
        let lines = self
            .target
            .ask("stock.move.line", "search_read", body)
            .await;
        let lines = lines.as_array().expect("move lines");
        let mut movements: Vec<Movement> = lines.iter().map(|line| self.movement(line)).collect();
        let mut expected = expect.movements.clone();
        let order = |l: &Movement, r: &Movement| l.partial_cmp(r).expect("no NaN");
        movements.sort_by(order);
        expected.sort_by(order);
        assert_eq!(movements, expected, "{path}: movements in Odoo");
        let open = json!([
            ["product_id", "in", ids],
            ["state", "not in", ["done", "cancel"]]
        ]);
        let body = json!({"domain": open, "fields": ["picking_id"]});
        let open = self.target.ask("stock.move.line", "search_read", body);
        let open = pickings_of(open.await.as_array().expect("move lines")).len();
        assert_eq!(open, expect.unposted, "{path}: pickings left unposted");
        let pickings = pickings_of(lines);
        assert_eq!(pickings.len(), expect.pickings, "{path}: done pickings");
        if let Some(done) = &expect.done {
            let body = json!({"ids": pickings, "fields": ["date_done"]});
            let rows = self.target.ask("stock.picking", "read", body).await;
            let rows = rows.as_array().expect("pickings").iter();
            let mut found: Vec<&str> = rows.filter_map(|row| row["date_done"].as_str()).collect();
            found.sort_unstable();
            assert_eq!(&found, done, "{path}: true times");
        }
        for bin in &expect.bins {
            let domain = json!([["barcode", "=", bin.at]]);
            let id = self.target.find("stock.location", domain).await;
            let product = self.products[&bin.product]
                .1
                .expect("a product that Odoo knows");
            let found = self.target.quantity(product, id).await;
            let off = (found - bin.quantity).abs();
            assert!(
                off < 1e-6,
                "{path}: {} in {}: {found}, not {}",
                bin.product,
                bin.at,
                bin.quantity
            );
        }
    }

    fn movement(&self, line: &Value) -> Movement {
        let product = line["product_id"][0].as_i64();
        let known = self.products.iter().find(|(_, (_, id))| *id == product);
        let bin = |field: &str| {
            let name = line[field][1].as_str().unwrap_or_default();
            name.replace("WH/Stock/", "LOC-")
        };
        Movement {
            product: known.map_or(String::new(), |(name, _)| name.clone()),
            from: bin("location_id"),
            to: bin("location_dest_id"),
            quantity: line["quantity"].as_f64().unwrap_or_default(),
            lot: line["lot_id"][1].as_str().unwrap_or_default().to_owned(),
        }
    }
}

fn pickings_of(lines: &[Value]) -> Vec<i64> {
    let ids = lines
        .iter()
        .filter_map(|line| line["picking_id"][0].as_i64());
    let ids: BTreeSet<i64> = ids.collect();
    ids.into_iter().collect()
}

fn agrees(wanted: &Ledger, found: &Ledger) -> bool {
    let pairs = [
        (wanted.stored, found.stored),
        (wanted.duplicates, found.duplicates),
        (wanted.rejected, found.rejected),
        (wanted.no_document, found.no_document),
        (wanted.posted, found.posted),
        (wanted.parked, found.parked),
        (wanted.documents, found.documents),
        (wanted.faults_left, found.faults_left),
        (wanted.sealed, found.sealed),
    ];
    pairs
        .iter()
        .all(|(wanted, found)| wanted.is_none() || wanted == found)
}

fn what(what: What) -> link::What {
    match what {
        What::CutBefore => link::What::CutBefore,
        What::CutAfter => link::What::CutAfter,
        What::Slow => link::What::Slow(Duration::from_millis(700)),
        What::Unavailable => link::What::unavailable(),
        What::TooMany => link::What::too_many(1),
        What::CouldNotSerialize => link::What::could_not_serialize(),
    }
}

fn config(script: &Script, link: &Link, target: &Target, data: &TempDir) -> Config {
    let listen = config::Listen {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        anonymous: true,
        ..config::Listen::default()
    };
    Config {
        // Keys of documents depend on the site: each run has its own on an Odoo that stays.
        site: Name::new(&fresh("s")).expect("a good name"),
        data_dir: data.path().join("data"),
        listen: Some(listen),
        broker: None,
        scanners: None,
        odoo: config::Odoo {
            api_key_file: Some(data.path().join("odoo.key")),
            refresh_s: 1,
            ..config::Odoo::new(&link.url(), &target.database)
        },
        documents: config::Documents {
            idle_s: script.documents.idle_s,
            age_s: script.documents.age_s,
            lines_max: script.documents.lines_max,
            ..config::Documents::default()
        },
        orders: config::Orders::default(),
        stock: config::Stock::default(),
        capture: config::Capture::default(),
        journal: config::Journal::default(),
        control: config::Control {
            socket: data.path().join("control.sock"),
            metrics: None,
        },
        log: config::Log::default(),
    }
}

async fn publish_v4(device: &str, address: SocketAddr, messages: Vec<(String, Vec<u8>)>) {
    let mut options = MqttOptions::new(device, address.ip().to_string(), address.port());
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, messages.len() + 1);
    let mut missing = messages.len();
    for (topic, payload) in messages {
        client
            .publish(topic, QoS::AtLeastOnce, false, payload)
            .await
            .expect("room in the queue");
    }
    while missing > 0 {
        let event = events.poll().await.expect("a connection to the front door");
        if let Event::Incoming(Packet::PubAck(_)) = event {
            missing -= 1;
        }
    }
}

async fn publish_v5(device: &str, address: SocketAddr, messages: Vec<(String, Vec<u8>)>) {
    let options = v5::MqttOptions::new(device, address.ip().to_string(), address.port());
    let (client, mut events) = v5::AsyncClient::new(options, messages.len() + 1);
    let mut missing = messages.len();
    for (topic, payload) in messages {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        client
            .publish(topic, qos, false, payload)
            .await
            .expect("room in the queue");
    }
    while missing > 0 {
        let event = events.poll().await.expect("a connection to the front door");
        if let v5::Event::Incoming(v5::Incoming::PubAck(_)) = event {
            missing -= 1;
        }
    }
}
