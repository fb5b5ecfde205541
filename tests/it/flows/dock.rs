//! A serial scanner at the dock, on a real pseudo-terminal, and the daemon as it is installed: a
//! process that is killed while codes are on their way. The result is then read in Odoo, line by
//! line.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::view::client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::{SerialPort as _, SerialStream};

use super::{PATIENCE, Script, Stage, Target, profile};
use crate::process;

const GOOD: u8 = b'G';
const BAD: u8 = b'B';
/// Nothing has it.
const NOWHERE: &str = "NOWHERE";
/// How long after the last code of a movement the daemon is killed: before it has read it, and at
/// each of its commits.
const KILLS_MS: [u64; 8] = [0, 1, 2, 3, 5, 8, 12, 20];

const FLOOR: &str = r#"
    start = "transfer"
    products = { chair = "none", table = "none" }
    before = [
      { product = "chair", at = "LOC-BIN-0001", quantity = 20.0 },
      { product = "table", at = "LOC-BIN-0001", quantity = 20.0 },
    ]
    orders.so1 = { type = "delivery", lines = [{ product = "chair", quantity = 3.0 }, { product = "table", quantity = 2.0 }] }
    step = []
    events = []
"#;

/// The scanner's end of the line, and the gateway's, held so that the line stays when nobody has it
/// open.
struct Dock {
    stage: Stage,
    scanner: SerialStream,
    line: SerialStream,
    child: Option<Child>,
}

#[derive(Debug)]
struct MoveLine {
    picking: i64,
    from: i64,
    to: i64,
    quantity: f64,
}

impl Dock {
    async fn open(target: Target) -> Self {
        let script: Script = toml::from_str(FLOOR).unwrap();
        let mut stage = Stage::build(target, &script.products).await;
        stage.furnish(&script).await;
        let port = stage.dir.path().join("port");
        let (scanner, line) = plugged_in(&port);
        let port = port.display();
        let (site, device) = (&stage.config.site, &stage.device);
        let (url, database) = (&stage.target.url, &stage.target.database);
        let own = profile("kind = \"serial\"", &script.start)
            + "[[feedback.good]]\nsend = \"G\"\n[[feedback.bad]]\nsend = \"B\"\n";
        let list = format!("[scanners.{device}]\nprofile = \"own.toml\"\nport = \"{port}\"\n");
        let config = format!(
            "site = \"{site}\"\ndata_dir = \"data\"\nscanners = \"scanners.toml\"\n\
             [odoo]\nurl = \"{url}\"\ndatabase = \"{database}\"\napi_key_file = \"odoo.key\"\nrefresh_s = 5\n\
             [documents]\nidle_s = 1\n[control]\nsocket = \"control.sock\"\n"
        );
        for (file, text) in [
            ("own.toml", own),
            ("scanners.toml", list),
            ("config.toml", config),
        ] {
            fs::write(stage.dir.path().join(file), text).unwrap();
        }
        let mut dock = Self {
            stage,
            scanner,
            line,
            child: None,
        };
        dock.start().await;
        dock
    }

    /// Until it reads the scanner and knows what Odoo has.
    async fn start(&mut self) {
        let dir = self.stage.dir.path();
        let log = File::options()
            .append(true)
            .create(true)
            .open(dir.join("log"));
        let mut command = process::command(dir);
        self.child = Some(command.stderr(log.unwrap()).spawn().unwrap());
        self.until(
            "it reads the scanner, and has a copy of Odoo's data",
            |status| {
                let sources = status["sources"].as_array().unwrap();
                sources.iter().any(|source| source["state"] == "up")
                    && status["odoo"]["copy_refreshed"].is_string()
            },
        )
        .await;
    }

    /// SIGKILL. What the line held for it is lost, as it is where nobody has a port open.
    async fn killed(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        (self.scanner, self.line) = plugged_in(&self.stage.dir.path().join("port"));
        self.start().await;
    }

    /// Waits until the scanner has all answers to the codes before a kill: the last answer is that
    /// of an unknown code.
    async fn in_step(&mut self) {
        self.send(NOWHERE).await;
        while self.answer(NOWHERE).await != BAD {}
    }

    async fn ask(&self, path: &str) -> Result<Value, String> {
        let client = Client::new(&self.stage.dir.path().join("control.sock"));
        let answer = client.get::<Value>(path).await;
        answer.map_err(|error| error.to_string())
    }

    /// The first status of which that holds.
    async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let begun = clock::instant();
        loop {
            // It may have been started just now, and not answer yet.
            match self.ask("/v1/status").await {
                Ok(status) if holds(&status) => return,
                answer => assert!(
                    begun.elapsed() < PATIENCE,
                    "never: {what}: {answer:?}\n{}",
                    fs::read_to_string(self.stage.dir.path().join("log")).unwrap()
                ),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn send(&mut self, code: &str) {
        let code = self.stage.text(code) + "\r";
        self.scanner.write_all(code.as_bytes()).await.unwrap();
    }

    async fn answer(&mut self, code: &str) -> u8 {
        let heard = tokio::time::timeout(PATIENCE, self.scanner.read_u8()).await;
        heard
            .unwrap_or_else(|_| {
                let log = fs::read_to_string(self.stage.dir.path().join("log"));
                panic!("{code}: no answer\n{}", log.unwrap())
            })
            .unwrap()
    }

    async fn good(&mut self, codes: &[&str]) {
        for code in codes {
            self.send(code).await;
            assert_eq!(self.answer(code).await, GOOD, "{code}");
        }
    }

    async fn bad(&mut self, code: &str) {
        self.send(code).await;
        assert_eq!(self.answer(code).await, BAD, "{code}");
    }

    /// The scanner sends it again at once: it is found to be that, and not answered.
    async fn repeated(&mut self, code: &str) {
        self.send(code).await;
        let found = |status: &Value| status["events"]["duplicates"] == 1;
        self.until("the repeat is found", found).await;
    }

    async fn scans(&self) -> usize {
        let listed = self.ask("/v1/events?after=0&limit=1000").await.unwrap();
        let events = listed["events"].as_array().unwrap().iter();
        events.filter(|event| event["type"] == "scan").count()
    }

    /// It is killed with a code on its way. Who is not answered looks, and reads the code again
    /// where it is not kept.
    async fn killed_at(&mut self, code: &str, after: Duration) {
        let before = self.scans().await;
        self.send(code).await;
        tokio::time::sleep(after).await;
        self.killed().await;
        let kept = self.scans().await > before;
        self.in_step().await;
        if !kept {
            self.good(&[code]).await;
        }
    }

    /// The lines of pickings that a product is on in Odoo; all are done.
    async fn lines(&self, product: &str) -> Vec<MoveLine> {
        let product = self.stage.products[product].1;
        let domain = json!([["product_id", "=", product], ["picking_id", "!=", false]]);
        let fields = [
            "picking_id",
            "state",
            "quantity",
            "location_id",
            "location_dest_id",
        ];
        let body = json!({"domain": domain, "fields": fields, "load": null, "order": "id"});
        let target = &self.stage.target;
        let found = target.ask("stock.move.line", "search_read", body).await;
        let lines = found.as_array().unwrap().iter();
        assert!(lines.clone().all(|line| line["state"] == "done"), "{found}");
        lines
            .map(|line| MoveLine {
                picking: line["picking_id"].as_i64().unwrap(),
                from: line["location_id"].as_i64().unwrap(),
                to: line["location_dest_id"].as_i64().unwrap(),
                quantity: line["quantity"].as_f64().unwrap(),
            })
            .collect()
    }

    /// So many were moved from the first bin to the second, and so many delivered, in that order's
    /// picking.
    async fn moved(&self, product: &str, [moved, delivered]: [f64; 2]) {
        let target = &self.stage.target;
        let (first, second) = (target.bin(1).await, target.bin(2).await);
        let delivery = self.stage.pickings["so1"];
        let lines = self.lines(product).await;
        let (mut out, mut own) = (0.0, 0.0);
        for line in &lines {
            assert_eq!(line.from, first, "{lines:?}");
            if line.picking == delivery {
                out += line.quantity;
            } else {
                assert_eq!(line.to, second, "{lines:?}");
                own += line.quantity;
            }
        }
        let id = self.stage.products[product].1;
        for (found, wanted) in [
            (own, moved),
            (out, delivered),
            (target.quantity(id, first).await, 20.0 - moved - delivered),
            (target.quantity(id, second).await, moved),
        ] {
            assert!(
                (found - wanted).abs() < 1e-6,
                "{product}: {found}, not {wanted}: {lines:?}"
            );
        }
    }
}

/// A scanner and its line, under this name from now on.
fn plugged_in(port: &Path) -> (SerialStream, SerialStream) {
    let (scanner, line) = SerialStream::pair().unwrap();
    let next = port.with_extension("next");
    symlink(line.name().unwrap(), &next).unwrap();
    fs::rename(next, port).unwrap();
    (scanner, line)
}

impl Drop for Dock {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

async fn beeps_become_movements(target: Target) {
    let mut dock = Dock::open(target).await;
    dock.bad("{chair}").await;
    dock.good(&["LOC-BIN-0001", "{chair}"]).await;
    dock.repeated("{chair}").await;
    dock.good(&["{table}", "SR-QTY-5", "SR-UNDO"]).await;
    dock.killed().await;
    dock.in_step().await;
    dock.good(&["{table}", "LOC-BIN-0002"]).await;
    for after_ms in KILLS_MS {
        dock.good(&["LOC-BIN-0001", "{chair}"]).await;
        let after = Duration::from_millis(after_ms);
        dock.killed_at("LOC-BIN-0002", after).await;
        // The next is a bin again.
        dock.bad("{table}").await;
    }
    dock.good(&["SR-FLOW-PICK", "{so1}", "LOC-BIN-0001"]).await;
    dock.good(&["{chair}", "SR-QTY-3", "{table}"]).await;
    // More than is ordered.
    dock.bad("SR-QTY-9").await;
    dock.good(&["SR-UNDO"]).await;
    dock.killed().await;
    dock.in_step().await;
    dock.good(&["{table}", "OBTVALI"]).await;

    let transfers = 2 + KILLS_MS.len();
    let events = transfers + 3;
    dock.until("all of it is in Odoo", |status| {
        status["events"]["posted"] == events
    })
    .await;
    let status = dock.ask("/v1/status").await.unwrap();
    let kept = dock.scans().await + events;
    assert_eq!(status["events"]["stored"], kept, "{status}");
    let delivery = json!({"ids": [dock.stage.pickings["so1"]], "fields": ["state"]});
    let delivery = dock.stage.target.ask("stock.picking", "read", delivery);
    assert_eq!(delivery.await[0]["state"], "done");
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let chairs = 1.0 + KILLS_MS.len() as f64;
    dock.moved("chair", [chairs, 3.0]).await;
    dock.moved("table", [2.0, 2.0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beeps_of_a_serial_scanner_are_movements_once_though_the_daemon_is_killed() {
    beeps_become_movements(Target::stand_in(Duration::ZERO).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo 19: ODOO_URL, ODOO_DB, ODOO_API_KEY, ODOO_ADMIN_API_KEY"]
async fn beeps_of_a_serial_scanner_are_movements_once_in_a_real_odoo() {
    beeps_become_movements(Target::real()).await;
}
