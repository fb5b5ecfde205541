//! The daemon as it is installed, behind a real mosquitto, in front of a stand-in Odoo: both
//! processes are killed while events are on their way, in turns and together.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::demo::books::{Books, Moves, Way};
use stockrelay::demo::odoo::{ADMIN_API_KEY, API_KEY, DATABASE, Seed, StandIn};
use stockrelay::view::client::Client;

use super::rig::{Device, Mosquitto, SITE, until};
use crate::process;

const ROUNDS: usize = 9;
const ROUND_EVENTS: usize = 60;
/// Between two publishes of a round, so that the faults fall into it.
const PACE: Duration = Duration::from_millis(5);
/// The receipts of a round at which something is killed.
const KILL_AT: usize = ROUND_EVENTS / 3;
const SOON: Duration = Duration::from_mins(1);

struct Daemon {
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Daemon {
    async fn start(mosquitto: &Mosquitto, odoo: &StandIn) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, url) = (mosquitto.port, odoo.url());
        let config = format!(
            "site = \"{SITE}\"\ndata_dir = \"data\"\n[mqtt.broker]\nurl = \"mqtt://127.0.0.1:{port}\"\n\
             [odoo]\nurl = \"{url}\"\ndatabase = \"{DATABASE}\"\napi_key_file = \"odoo.key\"\n\
             [documents]\nidle_s = 1\nage_s = 5\nlines_max = 10\n[control]\nsocket = \"control.sock\"\n"
        );
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::write(dir.path().join("odoo.key"), API_KEY).unwrap();
        let mut daemon = Self { dir, child: None };
        daemon.restart();
        daemon.until("it is connected", is_connected).await;
        daemon
    }

    fn restart(&mut self) {
        self.child = Some(process::command(self.dir.path()).spawn().unwrap());
    }

    /// SIGKILL.
    fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    /// The first status of which that holds.
    async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let client = Client::new(&self.socket());
        let begun = clock::instant();
        loop {
            // It may have been started just now, and not answer yet.
            let answer = client.get::<Value>("/v1/status").await;
            match answer {
                Ok(status) if holds(&status) => return status,
                answer => assert!(begun.elapsed() < SOON, "never: {what}: {answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn is_connected(status: &Value) -> bool {
    let sources = status["sources"].as_array().unwrap();
    sources.iter().any(|source| source["state"] == "up")
}

fn is_drained(status: &Value) -> bool {
    ["open", "waiting", "sending"]
        .iter()
        .all(|state| status["events"][state] == 0)
}

/// What a device publishes, and where that takes things.
fn event(number: usize, bins: &[String], products: &[String]) -> (String, String, Way, Decimal) {
    let way = Way {
        product: products[number % products.len()].clone(),
        from: bins[number % bins.len()].clone(),
        to: bins[(number + 1) % bins.len()].clone(),
    };
    let quantity = 1 + number % 3;
    let id = format!("e-{number:04}");
    let payload = json!({
        "id": id, "type": "transfer", "quantity": quantity,
        "product": way.product, "from": way.from, "to": way.to,
    });
    (id, payload.to_string(), way, Decimal::from(quantity))
}

/// Publishes a round at its pace. What a killed broker forgot, only the device still has: it sends
/// again what it has no receipt for, until there is one for each.
async fn publish(device: &Device, round: &[(String, String)]) {
    for (_, payload) in round {
        device.publish("event", false, payload.as_str()).await;
        tokio::time::sleep(PACE).await;
    }
    let begun = clock::instant();
    loop {
        let heard = clock::instant();
        while heard.elapsed() < Duration::from_secs(1) {
            let stored = device.stored();
            if round.iter().all(|(id, _)| stored.contains(id)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(begun.elapsed() < SOON, "no receipt for all of a round");
        let stored = device.stored();
        for (_, payload) in round.iter().filter(|(id, _)| !stored.contains(id)) {
            device.publish("event", false, payload.as_str()).await;
        }
    }
}

/// Kills one of the two or both in the middle of a round, and starts them again.
async fn strike(
    number: usize,
    daemon: &mut Daemon,
    mosquitto: &mut Mosquitto,
    device: &Device,
    round: &[(String, String)],
) {
    let receipts = || {
        let stored = device.stored();
        round.iter().filter(|(id, _)| stored.contains(id)).count()
    };
    until("some of the round are stored", || receipts() >= KILL_AT).await;
    let (kill_daemon, kill_broker) = match number % 3 {
        0 => (true, false),
        1 => (false, true),
        _ => (true, true),
    };
    if kill_daemon {
        daemon.kill();
    }
    if kill_broker {
        mosquitto.kill();
    }
    assert!(receipts() < ROUND_EVENTS, "nothing was under way");
    if kill_broker {
        mosquitto.restart().await;
    }
    if kill_daemon {
        daemon.restart();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn every_event_is_posted_once_while_the_daemon_and_the_broker_are_killed() {
    let seed = Seed {
        bins: 20,
        products: 30,
    };
    let odoo = StandIn::start(seed, Duration::from_millis(5))
        .await
        .unwrap();
    let key = ADMIN_API_KEY.to_owned().into();
    let books = Books::open(&odoo.url(), DATABASE, key).await.unwrap();
    let (bins, products) = (books.bins(), books.products());
    let mut mosquitto = Mosquitto::plain().await;
    let mut daemon = Daemon::start(&mosquitto, &odoo).await;
    let device = Device::start(&mosquitto, "pda-1").await;
    let mut moved = Moves::new();
    for number in 0..ROUNDS {
        let mut round = Vec::new();
        for event_number in number * ROUND_EVENTS..(number + 1) * ROUND_EVENTS {
            let (id, payload, way, quantity) = event(event_number, &bins, &products);
            *moved.entry(way).or_default() += quantity;
            round.push((id, payload));
        }
        tokio::join!(
            publish(&device, &round),
            strike(number, &mut daemon, &mut mosquitto, &device, &round)
        );
    }
    let events = u64::try_from(ROUNDS * ROUND_EVENTS).unwrap();
    let status = daemon
        .until("all are with Odoo", |status| {
            status["events"]["stored"] == events && is_drained(status)
        })
        .await;
    let comparison = books.compare(&moved, &Moves::new()).await.unwrap();
    println!("{} {comparison:?}", status["events"]);
    for (state, count) in [("posted", events), ("parked", 0), ("rejected", 0)] {
        assert_eq!(status["events"][state], count, "{status}");
    }
    assert!(comparison.is_right(), "{comparison:?}");
    assert_eq!(comparison.moved, moved.values().sum::<Decimal>());
    assert_eq!(odoo.pickings().keys().collect::<Vec<_>>(), ["done"]);
}
