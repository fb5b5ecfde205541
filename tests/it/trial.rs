//! The exactly-once trial, on a real Odoo: devices do all that a floor does and repeat themselves,
//! the daemon is killed, Odoo is restarted and connections are cut, and in the end every bin holds
//! what the devices said, once.
//!
//! What the devices say is noted down before it is sent; what Odoo holds is asked of Odoo, with a
//! key of its own.

mod device;
mod mix;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::Value;
use stockrelay::clock;
use stockrelay::demo::books::{Books, Moves};
use stockrelay::demo::link::{Fault, Link, What};
use stockrelay::view::client::Client;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::free_address::free_address;
use crate::moves::Random;

const DEVICES: u64 = 20;
const EVENTS: u64 = 5_000;
/// One event in so many is sent a second time, later.
const REPEATED_EVERY: u64 = 10;
const KILLS: usize = 20;
const ODOO_RESTARTS: usize = 2;
const CUTS: usize = 20;
const BETWEEN_KILLS: Duration = Duration::from_millis(2_500);
/// Without a fault, all of it is in Odoo long before.
const DRAINED_WITHIN: Duration = Duration::from_mins(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo 19 that it may restart: eval $(tests/real-odoo/odoo fresh NAME), then cargo test --test it -- --ignored trial"]
async fn every_movement_is_in_odoo_exactly_once_whatever_breaks() {
    let odoo = Odoo::from_environment();
    let books = Books::open(&odoo.url, &odoo.database, odoo.admin_key.clone().into())
        .await
        .unwrap();
    let link = Link::start(&odoo.url).await.unwrap();
    let gateway = Gateway::start(&link.url(), &odoo);
    let mix = mix::Mix::prepare(&odoo.url, &odoo.database, &odoo.admin_key, &books).await;
    let acknowledged = Arc::new(AtomicU64::new(0));

    let mut floor = JoinSet::new();
    let moved = mix.moved.clone();
    for (name, events) in mix.devices {
        let device = device::Device {
            name,
            address: gateway.address,
            events,
        };
        floor.spawn(device.work(Arc::clone(&acknowledged)));
    }
    let restarting = Mutex::new(());
    let socket = gateway.socket.clone();
    let begun = clock::instant();
    let (mut gateway, (), ()) = tokio::join!(
        kill(gateway),
        restart_odoo(&odoo, &restarting),
        cut(&link, &restarting)
    );
    while let Some(device) = floor.join_next().await {
        device.unwrap();
    }
    let status = drained(&socket).await;
    let comparison = books.compare(&moved, &Moves::new()).await.unwrap();
    let repeats = EVENTS / REPEATED_EVERY;
    println!(
        "trial: {DEVICES} devices, {EVENTS} events and {repeats} of them twice, {KILLS} kills, {ODOO_RESTARTS} restarts of Odoo, {CUTS} cuts \
         ({} of them before the answer), in {:.0} s",
        CUTS / 2,
        begun.elapsed().as_secs_f64()
    );
    println!("trial: of them {}", mix.kinds);
    println!(
        "trial: acknowledged {}, status {}",
        acknowledged.load(Ordering::Relaxed),
        status["events"]
    );
    println!(
        "trial: moved {}, lost {}, doubled {}; {} quantities compared, {} wrong",
        comparison.moved,
        comparison.lost,
        comparison.doubled,
        comparison.places,
        comparison.places_wrong
    );
    gateway.stop();

    assert!(
        acknowledged.load(Ordering::Relaxed) >= EVENTS + repeats,
        "every publish was acknowledged"
    );
    let events = |state: &str| status["events"][state].as_u64().unwrap();
    assert_eq!(events("stored"), EVENTS);
    assert!(events("duplicates") >= repeats, "{status}");
    assert_eq!(
        (events("posted"), events("rejected")),
        (EVENTS, 0),
        "{status}"
    );
    let all = [
        "open",
        "waiting",
        "sending",
        "posted",
        "parked",
        "no_document",
    ];
    assert_eq!(
        all.into_iter().map(events).sum::<u64>(),
        events("stored"),
        "{status}"
    );
    assert!(comparison.is_right(), "{comparison:?}");
    assert_eq!(comparison.moved, moved.values().sum::<Decimal>());
}

struct Odoo {
    url: String,
    database: String,
    key: String,
    admin_key: String,
    script: PathBuf,
}

impl Odoo {
    fn from_environment() -> Self {
        let setting = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set: eval $(tests/real-odoo/odoo fresh NAME)")
            })
        };
        Self {
            url: setting("ODOO_URL"),
            database: setting("ODOO_DB"),
            key: setting("ODOO_API_KEY"),
            admin_key: setting("ODOO_ADMIN_API_KEY"),
            script: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real-odoo/odoo"),
        }
    }
}

/// The daemon as it is installed: a process, started again whenever it was killed.
struct Gateway {
    dir: tempfile::TempDir,
    process: Child,
    address: SocketAddr,
    socket: PathBuf,
}

impl Gateway {
    fn start(url: &str, odoo: &Odoo) -> Self {
        // On the project's disk, not in memory.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let address = free_address();
        fs::write(dir.path().join("odoo.key"), &odoo.key).unwrap();
        let database = &odoo.database;
        let config = format!(
            "site = \"trial\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"{address}\"\nanonymous = true\n\
             [odoo]\nurl = \"{url}\"\ndatabase = \"{database}\"\napi_key_file = \"odoo.key\"\nbatch_lines_max = 80\ntimeout_s = 20\n\
             [documents]\nidle_s = 1\nage_s = 5\nlines_max = 10\n\
             [orders]\npick_under = \"backorder\"\nblind_receipts = true\nblind_returns = true\n\
             [control]\nsocket = \"control.sock\"\n"
        );
        fs::write(dir.path().join("config.toml"), config).unwrap();
        let process = spawn(dir.path());
        let socket = dir.path().join("control.sock");
        Self {
            dir,
            process,
            address,
            socket,
        }
    }

    fn kill_and_start(&mut self) {
        // SIGKILL: no chance to write anything.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.dir.path());
    }

    fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    fn stop(&mut self) {
        let pid =
            rustix::process::Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(
            self.process.wait().unwrap().success(),
            "it ends well on SIGTERM: {}",
            self.dir.path().display()
        );
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(dir: &Path) -> Child {
    let log = fs::File::options()
        .append(true)
        .create(true)
        .open(dir.join("log"))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
    command
        .args(["--config", "config.toml", "run"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().unwrap()
}

/// Kills the daemon again and again, wherever it is just then.
async fn kill(mut gateway: Gateway) -> Gateway {
    let mut random = Random(3);
    for _ in 0..KILLS {
        let jitter = Duration::from_millis(random.below(1_000));
        tokio::time::sleep(BETWEEN_KILLS + jitter).await;
        assert!(
            gateway.is_running(),
            "the daemon ended by itself: {}",
            fs::read_to_string(gateway.dir.path().join("log")).unwrap()
        );
        gateway.kill_and_start();
    }
    gateway
}

/// Restarts Odoo in the middle of it all. While that goes on no connection is cut: there would be
/// none.
async fn restart_odoo(odoo: &Odoo, restarting: &Mutex<()>) {
    for _ in 0..ODOO_RESTARTS {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let _none_cut = restarting.lock().await;
        let status = tokio::task::spawn_blocking({
            let script = odoo.script.clone();
            move || {
                Command::new(script)
                    .arg("restart")
                    .stdout(Stdio::null())
                    .status()
            }
        });
        assert!(status.await.unwrap().unwrap().success(), "Odoo restarts");
    }
}

/// Cuts connections: one before Odoo has the request, the next after it was carried out and before
/// its answer is back.
async fn cut(link: &Link, restarting: &Mutex<()>) {
    let steps = ["load", "button_validate", "web_save_multi", "write", ""];
    for number in 0..CUTS {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let _odoo_is_there = restarting.lock().await;
        let (what, method) = if number % 2 == 0 {
            (What::CutBefore, "")
        } else {
            (What::CutAfter, steps[number / 2 % steps.len()])
        };
        link.add_fault(Fault {
            method: method.to_owned(),
            times: 1,
            what,
        });
        let begun = clock::instant();
        while link.faults_left() > 0 {
            assert!(
                begun.elapsed() < Duration::from_mins(2),
                "no request came that could be cut ({method:?})"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Waits until nothing is on its way any more; answers the status.
async fn drained(socket: &Path) -> Value {
    let client = Client::new(socket);
    let begun = clock::instant();
    loop {
        // The last kill may have been just now: it is started, and does not answer yet.
        let answer = client.get::<Value>("/v1/status").await;
        if let Ok(status) = &answer {
            let of = |state: &&str| status["events"][state].as_u64().unwrap();
            if ["open", "waiting", "sending"].iter().map(of).sum::<u64>() == 0 {
                return status.clone();
            }
        }
        assert!(begun.elapsed() < DRAINED_WITHIN, "not drained: {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
