//! Devices that only beep, through the real daemon: beeps in, events, words for the person and
//! stock in Odoo out.
//!
//! `tests/flows/*.toml` hold the sequences; each is played by a real MQTT client, on the stand-in
//! and on a real Odoo. `cuts`: the power goes while flows run. `dock`: a serial scanner, and the
//! daemon as a process that is killed. `broker`: a device on an existing broker of the site.

mod again;
mod broker;
mod cuts;
mod dated;
mod dock;
mod glove;
mod script;
mod stage;
mod together;

use self::script::{Happening, LotStock, Script};
use self::stage::Stage;
use crate::scenarios::target::Target;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use stockrelay::daemon::Daemon;
use stockrelay::event::{Action, Field, Movement};
use stockrelay::journal::Namespace;
use stockrelay::{clock, event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::{SerialPort as _, SerialStream};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows");

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

fn profile(connection: &str, start: &str) -> String {
    format!(
        "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
         [connection]\n{connection}\n[repeats]\nwithin_ms = 1500\n[flow]\nstart = \"{start}\"\n"
    )
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

    /// Waits until the gateway has the code; no text may arrive meanwhile.
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
        said.unwrap_or_else(|_| panic!("{place}: no text arrived"))
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
            // The connection breaks without a DISCONNECT.
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
                .starts_with("Stored, waiting for Odoo's data"),
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
    let cursor = journal.read_namespace(Namespace::FlowCursor).unwrap();
    let flows = [Namespace::FlowCursor, Namespace::FlowStates];
    let before = journal.read_namespaces(&flows).unwrap();
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
    journal
        .inbox()
        .store_side_values(cut.collect())
        .await
        .unwrap();
    journal.inbox().close().await.unwrap();
    drop((journal, writer));

    stage.start().await;
    stage
        .until("the event is made again, and found to be there", |daemon| {
            // The state is written last: by then all texts are sent, too.
            let read = daemon
                .journal()
                .read_namespace(Namespace::FlowCursor)
                .unwrap();
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
