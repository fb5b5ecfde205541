//! `stockrelay top` as people use it: the real binary in a terminal of tmux, a daemon, and a
//! stand-in Odoo behind a link that fails. By keys alone, and by the mouse, a person finds what is
//! parked, corrects it, and reads that it is posted.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use stockrelay::clock;
use stockrelay::demo::link::Link;
use stockrelay::demo::odoo::{API_KEY, DATABASE};
use stockrelay::view::client::Client;

use crate::free_address::free_address;
use crate::scenarios::target::Target;

const SOON: Duration = Duration::from_mins(1);
/// The product that the device scans, which Odoo does not have, and the right one.
const WRONG: &str = "UNKNOWN-77";
const COLUMNS: usize = 100;

/// A server of tmux with one terminal.
struct Terminal {
    dir: tempfile::TempDir,
}

impl Terminal {
    /// Runs `top` on the socket of this gateway.
    fn open(gateway: &Path) -> Self {
        let binary = env!("CARGO_BIN_EXE_stockrelay");
        let socket = gateway.join("control.sock");
        let command = format!("LC_ALL=C.UTF-8 {binary} --socket {} top", socket.display());
        Self::run(&command, "100")
    }

    fn run(command: &str, columns: &str) -> Self {
        let terminal = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let size = ["-x", columns, "-y", "30"];
        let made = terminal.tmux(&[&["new-session", "-d"], &size[..], &[command]].concat());
        assert!(made.status.success(), "{made:?}");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.dir.path().join("tmux");
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(socket)
            .args(arguments);
        command
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn screen(&self) -> String {
        let captured = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8_lossy(&captured.stdout).into_owned()
    }

    /// Waits until the screen has each of the texts.
    async fn wait_for(&self, texts: &[&str]) -> String {
        let begun = clock::instant();
        loop {
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            assert!(
                begun.elapsed() < SOON,
                "no {texts:?} on the screen:\n{screen}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types a text.
    fn write(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", text]).status.success());
    }

    /// Presses a key by its name: `Enter`, `Down`, `BSpace`.
    fn press(&self, key: &str) {
        assert!(self.tmux(&["send-keys", key]).status.success());
    }

    /// Clicks on the first place where the text is, as a terminal reports it (SGR 1006).
    async fn click(&self, text: &str) {
        let screen = self.wait_for(&[text]).await;
        let (row, line) = screen
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(text))
            .unwrap();
        let column = line[..line.find(text).unwrap()].chars().count();
        assert!(column < COLUMNS);
        let (column, row) = (column + 1, row + 1);
        self.write(&format!("\x1b[<0;{column};{row}M"));
        self.write(&format!("\x1b[<0;{column};{row}m"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The daemon, and the link to the stand-in Odoo that can fail.
struct Site {
    dir: tempfile::TempDir,
    process: std::process::Child,
    address: std::net::SocketAddr,
    link: Link,
    odoo: Target,
}

impl Site {
    async fn start() -> Self {
        let odoo = Target::stand_in(Duration::ZERO).await;
        let link = Link::start(&odoo.url).await.unwrap();
        let (dir, address) = (tempfile::tempdir().unwrap(), free_address());
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"{address}\"\nanonymous = true\n\
             [odoo]\nurl = \"{}\"\ndatabase = \"{DATABASE}\"\napi_key_file = \"odoo.key\"\n\
             [documents]\nidle_s = 1\n\
             [control]\nsocket = \"control.sock\"\n",
            link.url()
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        std::fs::write(dir.path().join("odoo.key"), API_KEY).unwrap();
        let process = crate::process::command(dir.path()).spawn().unwrap();
        let site = Self {
            dir,
            process,
            address,
            link,
            odoo,
        };
        let client = Client::new(&site.dir.path().join("control.sock"));
        let begun = clock::instant();
        while client.get::<serde_json::Value>("/v1/status").await.is_err() {
            assert!(begun.elapsed() < SOON, "the daemon does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        site
    }

    /// Makes a purchase order of the right product, and returns its name.
    async fn purchase(&self) -> String {
        let barcode = json!([["barcode", "=", right()]]);
        let product = self.odoo.find("product.product", barcode).await;
        let warehouse = json!([["code", "=", "WH"]]);
        let warehouse = self.odoo.find("stock.warehouse", warehouse).await;
        let (order, _) = self
            .odoo
            .purchase(&[(product, 2.0).into()], warehouse)
            .await;
        order
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill_process(pid.unwrap(), signal).unwrap();
    }

    /// A device publishes one movement of a product that Odoo does not have.
    async fn scan(&self) {
        let event = json!({
            "id": "e1", "type": "transfer", "product": WRONG, "quantity": 2,
            "from": "LOC-BIN-0001", "to": "LOC-BIN-0007"
        });
        self.publish(&event).await;
    }

    /// A device publishes an event.
    async fn publish(&self, event: &serde_json::Value) {
        let options =
            MqttOptions::new("pda-07", self.address.ip().to_string(), self.address.port());
        let (client, mut events) = AsyncClient::new(options, 8);
        let topic = "stockrelay/v1/ams1/pda-07/event";
        client
            .publish(topic, QoS::AtLeastOnce, false, event.to_string())
            .await
            .unwrap();
        while !matches!(
            events.poll().await.unwrap(),
            Event::Incoming(Packet::PubAck(_))
        ) {}
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The process may have ended by itself, which the test then reports.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn right() -> String {
    stockrelay::demo::odoo::seed::product_barcode(3)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn by_keys_alone_what_is_parked_is_found_corrected_and_posted() {
    let site = Site::start().await;
    let top = Terminal::open(site.dir.path());
    top.wait_for(&["nothing was scanned"]).await;
    site.link.set_up(false);
    site.scan().await;
    top.wait_for(&["link to Odoo is down"]).await;
    site.link.set_up(true);
    top.wait_for(&["the only movement is not in Odoo: parked"])
        .await;
    top.write("4");
    top.wait_for(&["[4 Parked 1", "unknown-product"]).await;
    top.press("Enter");
    top.wait_for(&["Document 1", "What you can do", WRONG])
        .await;
    top.write("e");
    top.wait_for(&["Edit document 1", "product"]).await;
    top.press("Enter");
    top.wait_for(&["no product or location of this site has this code"])
        .await;
    top.press("C-u");
    top.write(&right());
    // The product's name is shown while the code is typed.
    top.wait_for(&["Item 3"]).await;
    top.press("Enter");
    top.wait_for(&["→"]).await;
    top.write("s");
    top.wait_for(&["Why?"]).await;
    top.write("label torn");
    top.press("Enter");
    top.wait_for(&["Send it?", "Item 3"]).await;
    top.write("y");
    top.wait_for(&["Document 2 replaces document 1"]).await;
    top.press("Escape");
    top.wait_for(&["replaced by document 2"]).await;
    top.write("3");
    top.wait_for(&["posted", "WH/INT/"]).await;
    top.write("1");
    top.wait_for(&["the only movement is in Odoo"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn by_keys_alone_what_is_parked_is_found_by_its_order_corrected_and_posted() {
    let site = Site::start().await;
    let order = site.purchase().await;
    let top = Terminal::open(site.dir.path());
    top.wait_for(&["nothing was scanned"]).await;
    site.link.set_up(false);
    // Odoo has no such order.
    site.publish(&json!({
        "id": "e1", "type": "receive", "order": "PO-77421", "product": right(), "quantity": 2,
        "to": "LOC-BIN-0007"
    }))
    .await;
    top.wait_for(&["link to Odoo is down"]).await;
    site.link.set_up(true);
    top.wait_for(&["the only movement is not in Odoo: parked"])
        .await;
    top.write("/PO-77421");
    // The order comes first, then the event that is parked.
    top.wait_for(&["search > PO-77421_", "event     receive 2 of"])
        .await;
    top.press("Down");
    top.wait_for(&["> event "]).await;
    top.press("Enter");
    top.wait_for(&["pda-07/e1", "unknown-order"]).await;
    // The last link of the event is its document.
    top.press("End");
    top.wait_for(&["keys to decide"]).await;
    top.press("Enter");
    top.wait_for(&["Document 1, ", "What you can do"]).await;
    top.write("e");
    top.wait_for(&["Edit document 1", "> ", "order"]).await;
    top.press("Enter");
    top.wait_for(&["> PO-77421_"]).await;
    top.press("C-u");
    top.write(&order);
    top.press("Enter");
    top.wait_for(&[&format!("PO-77421 → {order}")]).await;
    top.write("s");
    top.wait_for(&["Why?"]).await;
    top.write("wrong slip");
    top.press("Enter");
    top.wait_for(&["Send it?", &format!("order: {order}")])
        .await;
    top.write("y");
    top.wait_for(&["Document 2 replaces document 1"]).await;
    top.write("4");
    top.wait_for(&["replaced by document 2"]).await;
    top.write("3");
    top.wait_for(&["posted", "WH/IN/"]).await;
    top.write("1");
    top.wait_for(&["the only movement is in Odoo", "1 document was edited"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn in_the_demonstration_what_is_parked_is_corrected_and_posted_and_the_books_add_up() {
    let binary = env!("CARGO_BIN_EXE_stockrelay");
    let top = Terminal::run(&format!("LC_ALL=C.UTF-8 {binary} demo; cat"), "100");
    top.wait_for(&["link to Odoo is down"]).await;
    top.write("4");
    top.wait_for(&["[4 Parked 1", "unknown-product"]).await;
    top.press("Enter");
    top.wait_for(&["What you can do", "2999999999990"]).await;
    top.write("e");
    top.wait_for(&["Edit document", "product"]).await;
    top.press("Enter");
    top.wait_for(&["> 2999999999990_"]).await;
    top.press("C-u");
    top.write(&right());
    top.wait_for(&["Item 3"]).await;
    top.press("Enter");
    top.wait_for(&["→"]).await;
    top.write("s");
    top.wait_for(&["Why?"]).await;
    top.write("label torn");
    top.press("Enter");
    top.wait_for(&["Send it?", "Item 3"]).await;
    top.write("y");
    // The page of the old document names the transfer of the new one when it is posted.
    top.wait_for(&["replaces it (WH/INT/"]).await;
    top.write("q");
    top.wait_for(&["It adds up: ", "lost 0, doubled 0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn a_daemon_that_hangs_is_reported_with_the_age_of_the_values() {
    let site = Site::start().await;
    let top = Terminal::open(site.dir.path());
    top.wait_for(&["nothing was scanned"]).await;
    site.send(Signal::STOP);
    let begun = clock::instant();
    top.wait_for(&["The gateway does not answer; values from"])
        .await;
    println!("reported after {:?}", begun.elapsed());
    site.send(Signal::CONT);
    let begun = clock::instant();
    top.wait_for(&["nothing was scanned"]).await;
    println!("back after {:?}", begun.elapsed());
}

#[tokio::test]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn a_value_that_the_gateway_would_refuse_is_corrected_in_the_box() {
    let site = Site::start().await;
    let top = Terminal::open(site.dir.path());
    site.scan().await;
    top.wait_for(&["the only movement is not in Odoo: parked"])
        .await;
    top.write("4e");
    top.wait_for(&["Edit document 1"]).await;
    top.write("j");
    top.press("Enter");
    top.press("C-u");
    top.write("1,5");
    top.press("Enter");
    top.wait_for(&["1,5 is no quantity", "> 1,5_"]).await;
    for _ in 0..2 {
        top.press("BSpace");
    }
    top.press("Enter");
    top.wait_for(&["2 → 1"]).await;
    top.write("s");
    top.wait_for(&["Why?"]).await;
    top.write("counted");
    top.press("Enter");
    top.wait_for(&["Send it?"]).await;
    // Another user decides first: the gateway refuses the edit.
    let client = Client::new(&site.dir.path().join("control.sock"));
    let reason = json!({ "reason": "other" });
    let discarded: Result<serde_json::Value, _> =
        client.post("/v1/parked/1/discard", &reason).await;
    discarded.unwrap();
    top.write("y");
    top.wait_for(&["not parked but discarded", "2 → 1", "s send"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn by_the_mouse_what_is_parked_is_found_corrected_and_posted() {
    let site = Site::start().await;
    let top = Terminal::open(site.dir.path());
    top.wait_for(&["nothing was scanned"]).await;
    site.scan().await;
    top.wait_for(&["the only movement is not in Odoo: parked"])
        .await;
    top.click("4 Parked").await;
    top.wait_for(&["[4 Parked 1"]).await;
    top.click("unknown-product").await;
    top.wait_for(&["What you can do"]).await;
    top.click("e edit").await;
    top.click("Enter change").await;
    top.wait_for(&["Enter set"]).await;
    top.press("C-u");
    top.write(&right());
    top.wait_for(&["Item 3"]).await;
    top.click("Enter set").await;
    top.click("s send").await;
    top.wait_for(&["Why?"]).await;
    top.write("label torn");
    top.click("Enter continue").await;
    top.click("y send").await;
    top.wait_for(&["Document 2 replaces document 1"]).await;
    // The sentence moves the lines below it until it is short.
    top.wait_for(&["the only movement is in Odoo"]).await;
    top.click("3 Documents").await;
    top.wait_for(&["posted", "WH/INT/"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn a_daemon_that_restarts_and_a_resize_in_a_dialog_keep_the_screen() {
    let mut site = Site::start().await;
    let top = Terminal::open(site.dir.path());
    site.scan().await;
    top.wait_for(&["the only movement is not in Odoo: parked"])
        .await;
    top.write("4d");
    top.wait_for(&["Discard document 1"]).await;
    top.write("wrong");
    assert!(
        top.tmux(&["resize-window", "-x", "60", "-y", "14"])
            .status
            .success()
    );
    top.wait_for(&["> wrong_", "Enter continue"]).await;
    site.process.kill().unwrap();
    site.process.wait().unwrap();
    top.wait_for(&["> wrong_", "Not connected"]).await;
    site.process = crate::process::command(site.dir.path()).spawn().unwrap();
    top.wait_for(&["> wrong_", "the only movement is"]).await;
    top.press("Escape");
    top.write("q");
    let begun = clock::instant();
    while top.tmux(&["list-sessions"]).status.success() {
        assert!(begun.elapsed() < SOON, "q did not end the screen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
#[ignore = "needs tmux: apt-get install tmux, then cargo test -- --ignored top_session"]
async fn a_dumb_terminal_is_pointed_to_status() {
    let binary = env!("CARGO_BIN_EXE_stockrelay");
    let top = format!("TERM=dumb {binary} --socket /nowhere/s.sock top; echo \"code $?\"; cat");
    let terminal = Terminal::run(&top, "200");
    terminal
        .wait_for(&["TERM is dumb", "stockrelay status", "code 1"])
        .await;
    for (before, after, why) in [
        ("env -u TERM", "", "TERM is not set"),
        ("env TERM=", "", "TERM is not set"),
        ("env TERM=foo", "", "TERM is foo"),
        (
            "env",
            " | cat; test ${PIPESTATUS[0]} = 0",
            "standard output is not a terminal",
        ),
    ] {
        let top = format!("{before} {binary} --socket /nowhere/s.sock top{after}");
        let shell = format!("bash -c '{top}; echo \"code $?\"'; cat");
        let terminal = Terminal::run(&shell, "200");
        terminal
            .wait_for(&[why, "use `stockrelay status`", "code 1"])
            .await;
    }
    // Keys come from the terminal, whatever standard input is.
    let top = format!("{binary} --socket /nowhere/s.sock top < /dev/null; echo \"code $?\"; cat");
    let terminal = Terminal::run(&top, "200");
    terminal
        .wait_for(&["Not connected", "/nowhere/s.sock"])
        .await;
    terminal.write("q");
    terminal.wait_for(&["code 0"]).await;
}
