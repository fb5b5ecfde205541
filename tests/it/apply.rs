//! Bundles on a gateway that runs as a process: applied, watched, confirmed, rolled back, refused.
//! Whatever comes in, the gateway runs with its configuration before or with the new one.

mod floor;
mod here;
mod interrupted;
mod keys;
mod limits;
mod recovery;
mod secrets;

use std::process::{Child, Command, Output};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stockrelay::clock;
use stockrelay::fleet::build::build;
use stockrelay::fleet::signing::{KeyError, Signer, make_key, open_key, sign_bundle};
use stockrelay::view::client::{Client, ClientError};

use crate::process::command;
use crate::reload::site::{PATIENCE, Site};

pub const STRICT: (&str, &str) = ("config.d/50-capture.toml", "capture.check = \"strict\"\n");

pub struct Key {
    pub signer: Signer,
    entry: String,
}

pub fn key(name: &str) -> Key {
    let new = make_key(None).unwrap();
    let entry = format!(
        "[[key]]\nid = \"{}\"\npublic = \"{}\"\nname = \"{name}\"\n",
        new.id, new.public
    );
    let signer = open_key::<KeyError>(&new.secret_file, || unreachable!("it has no password"));
    Key {
        signer: signer.unwrap(),
        entry,
    }
}

/// Makes a bundle with one ring for all. `rest`: from `expires` to the targets.
fn make(serial: u64, rest: &str, files: &[(&str, impl AsRef<[u8]>)], keys: &[&Key]) -> Bytes {
    let dir = tempfile::tempdir().unwrap();
    let manifest = format!(
        "format = 1\nserial = {serial}\nname = \"bundle {serial}\"\n\
         created = \"2026-01-01T00:00:00Z\"\n{rest}[[ring]]\nall = true\n"
    );
    std::fs::write(dir.path().join("manifest.toml"), manifest).unwrap();
    for (path, text) in files {
        let path = dir.path().join("files").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let unsigned = Bytes::from(build(dir.path()).unwrap());
    keys.iter().fold(unsigned, |bytes, key| {
        sign_bundle(&bytes, &key.signer).unwrap().into()
    })
}

pub struct Gateway {
    pub site: Site,
    child: Child,
    pub key: Key,
}

impl Gateway {
    /// Starts a gateway that trusts one key.
    pub async fn start(watch_s: u64) -> Self {
        Self::start_with(watch_s, "").await
    }

    /// `extra`: further keys of `[fleet]`, then further sections.
    pub async fn start_with(watch_s: u64, extra: &str) -> Self {
        let extra = format!("[fleet]\nwatch_s = {watch_s}\nquiet_s = 0\n{extra}");
        let site = Site::build("", &extra).await;
        let key = key("anna");
        site.write("trust.toml", &format!("threshold = 1\n{}", key.entry));
        let child = command(site.dir.path()).spawn().unwrap();
        let gateway = Self { site, child, key };
        gateway
            .until("it sends", |status| status["odoo"]["link"] == "up")
            .await;
        gateway
    }

    pub async fn restart(&mut self) {
        self.child.wait().unwrap();
        self.child = command(self.site.dir.path()).spawn().unwrap();
        self.until("it answers", |_| true).await;
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.restart().await;
    }

    /// Stops the process cleanly, and starts it again.
    pub async fn stop_and_start(&mut self) {
        self.signal(Signal::TERM);
        self.restart().await;
    }

    pub fn client(&self) -> Client {
        Client::new(&self.site.path("control.sock"))
    }

    pub async fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let begun = clock::instant();
        loop {
            let answer = self.client().get::<Value>("/v1/status").await;
            match answer {
                Ok(status) if so(&status) => return status,
                answer => assert!(begun.elapsed() < PATIENCE, "never: {what}: {answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn config(&self) -> Value {
        self.client().get("/v1/config").await.unwrap()
    }

    pub async fn until_state(&self, state: &str) {
        self.until(state, |status| {
            status["config"]["pending"]["state"] == state
        })
        .await;
    }

    pub async fn until_ended(&self, serial: u64) -> Value {
        let status = self.until("the outcome", |status| {
            let config = &status["config"];
            config["last"]["serial"] == serial && config["pending"].is_null()
        });
        status.await["config"]["last"].clone()
    }

    /// Waits for the alarm about something that was rejected.
    pub async fn until_rejected(&self, reason: &str) {
        self.until(reason, |status| {
            let alarm = status["alarms"]["bundle-rejected"].as_str();
            alarm.is_some_and(|alarm| alarm.contains(reason))
        })
        .await;
    }

    pub async fn post(&self, bundle: Bytes) -> Result<Value, ClientError> {
        let client = self.client();
        client.post_bytes("/v1/config/bundle", bundle).await
    }

    /// Makes a bundle that this gateway trusts. `targets`: the sites.
    pub fn bundle(&self, serial: u64, targets: &str, files: &[(&str, impl AsRef<[u8]>)]) -> Bytes {
        let rest =
            format!("expires = \"2096-01-01T00:00:00Z\"\n[targets]\nsites = [\"{targets}\"]\n");
        make(serial, &rest, files, &[&self.key])
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stockrelay"))
            .args(["--config", "config.toml"])
            .args(arguments)
            .current_dir(self.site.dir.path())
            .output()
            .unwrap()
    }

    /// Returns the exit code and everything that the command printed.
    pub fn apply(&self, bundle: &Bytes, more: &[&str]) -> (i32, String) {
        std::fs::write(self.site.path("the.bundle"), bundle).unwrap();
        let arguments = [&["config", "apply", "the.bundle"], more].concat();
        let output = tokio::task::block_in_place(|| self.run(&arguments));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().unwrap(), text)
    }

    pub async fn value(&self, key: &str) -> Value {
        let effective: Value = self.client().get("/v1/config/effective").await.unwrap();
        effective["keys"][key].clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_bundle_is_confirmed_and_outlives_a_reload_and_a_restart() {
    let mut gateway = Gateway::start(2).await;
    let before = gateway.config().await;
    assert_eq!(
        (&before["origin"], &before["serial"]),
        (&"files".into(), &Value::Null)
    );
    let bundle = gateway.bundle(7, "ams1", &[STRICT]);
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("bundle 7 is watching"), "{text}");
    assert!(text.contains("bundle 7 is confirmed"), "{text}");
    let config = gateway.config().await;
    assert_eq!(config["origin"], "bundle", "{config}");
    assert_eq!(
        (&config["serial"], &config["name"]),
        (&7.into(), &"bundle 7".into())
    );
    assert_eq!(config["expires"], "2096-01-01T00:00:00Z");
    assert_ne!(config["hash"], before["hash"]);
    let strict = gateway.value("capture.check").await;
    assert_eq!(strict["value"], "strict");
    assert!(
        strict["origin"].as_str().unwrap().contains("bundle 7"),
        "{strict}"
    );

    gateway
        .site
        .write("config.d/60.toml", "stock.negative = \"allow\"\n");
    let output = gateway.run(&["config", "reload"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(gateway.value("stock.negative").await["value"], "allow");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");

    gateway.signal(Signal::TERM);
    gateway.restart().await;
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    assert_eq!(gateway.config().await["serial"], 7);

    // The same bundle once more is no fault.
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 0, "{text}");
    let output = gateway.run(&["config", "rollback"]);
    assert!(output.status.success(), "{output:?}");
    gateway
        .until("the local files", |status| {
            status["config"]["origin"] == "files"
        })
        .await;
    assert_eq!(gateway.value("capture.check").await["value"], "lenient");
    let history = gateway.run(&["config", "history"]);
    let history = String::from_utf8(history.stdout).unwrap();
    let outcomes = ["rolled-back  user:", "confirmed  user:"];
    for (line, outcome) in history.lines().skip(1).zip(outcomes) {
        assert!(line.contains(&format!("bundle 7  {outcome}")), "{history}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_with_a_wrong_database_is_rolled_back_with_the_reason() {
    let gateway = Gateway::start(4).await;
    let before = gateway.config().await;
    let wrong = (
        "config.d/50-odoo.toml",
        "odoo.database = \"no-such-database\"\n",
    );
    let bundle = gateway.bundle(8, "ams1", &[wrong]);
    let begun = clock::instant();
    let (code, text) = gateway.apply(&bundle, &[]);
    println!("rolled back after {:?}: {text}", begun.elapsed());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("bundle 8 is rolled-back: "), "{text}");
    let config = gateway.config().await;
    let reason = config["last"]["reason"].as_str().unwrap();
    assert!(reason.contains("Odoo"), "{reason}");
    gateway
        .until("it sends again", |status| status["odoo"]["link"] == "up")
        .await;
    assert_eq!(gateway.config().await["hash"], before["hash"]);
    // It is not tried again, unless a person wants it.
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("--again"), "{text}");
    let (code, text) = gateway.apply(&bundle, &["--again", "--no-wait"]);
    assert_eq!(code, 0, "{text}");
    gateway.until_state("watching").await;
    assert_eq!(gateway.until_ended(8).await["outcome"], "rolled-back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_with_which_odoo_does_not_answer_is_rolled_back() {
    let gateway = Gateway::start(2).await;
    let before = gateway.config().await;
    // A closed port: the link goes down, and is not held.
    let port = crate::free_address::free_address().port();
    let url = format!("odoo.url = \"http://127.0.0.1:{port}\"\n");
    let bundle = gateway.bundle(8, "ams1", &[("config.d/50-odoo.toml", &url)]);
    let (code, text) = gateway.apply(&bundle, &["--no-wait"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(gateway.until_ended(8).await["outcome"], "rolled-back");
    let config = gateway.config().await;
    let reason = config["last"]["reason"].as_str().unwrap();
    assert!(reason.contains("the connection to Odoo"), "{reason}");
    // It was tried once more.
    let history = gateway.run(&["config", "history"]);
    let history = String::from_utf8(history.stdout).unwrap();
    let tries = history.matches("bundle 8  rolled-back").count();
    assert_eq!(tries, 2, "{history}");
    assert_eq!(gateway.config().await["hash"], before["hash"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_continues_the_watch_and_two_kills_roll_back() {
    let mut gateway = Gateway::start(5).await;
    let bundle = gateway.bundle(1, "ams1", &[STRICT]);
    let (code, text) = gateway.apply(&bundle, &["--no-wait"]);
    assert_eq!(code, 0, "{text}");
    gateway.until_state("watching").await;
    gateway.kill().await;
    gateway.until_state("watching").await;
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    assert_eq!(gateway.until_ended(1).await["outcome"], "confirmed");

    let other = ("config.d/50-capture.toml", "capture.check = \"off\"\n");
    let bundle = gateway.bundle(2, "ams1", &[other]);
    gateway.apply(&bundle, &["--no-wait"]);
    gateway.until_state("watching").await;
    assert_eq!(gateway.value("capture.check").await["value"], "off");
    gateway.kill().await;
    gateway.until_state("watching").await;
    gateway.kill().await;
    let last = gateway.until_ended(2).await;
    assert_eq!(last["outcome"], "rolled-back", "{last}");
    assert!(last["reason"].as_str().unwrap().contains("start"), "{last}");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    assert_eq!(gateway.config().await["serial"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_applied_is_refused_and_the_gateway_runs_as_before() {
    let gateway = Gateway::start(1).await;
    let good = gateway.bundle(5, "ams1", &[STRICT]);
    assert_eq!(gateway.apply(&good, &[]).0, 0);
    let before = gateway.config().await;

    let invalid = [("config.d/50.toml", "capture.check = \"sometimes\"\n")];
    let (code, text) = gateway.apply(&gateway.bundle(6, "ams1", &invalid), &[]);
    assert_eq!(code, 1, "{text}");
    let last = gateway.until_ended(6).await;
    assert_eq!(last["outcome"], "refused", "{last}");
    let reason = last["reason"].as_str().unwrap();
    assert!(
        reason.contains("capture.check") && reason.contains("strict"),
        "{reason}"
    );

    let mut tampered = gateway.bundle(9, "ams1", &[STRICT]).to_vec();
    let end = tampered
        .windows(6)
        .position(|part| part == b"strict")
        .unwrap();
    tampered[end] = b'S';
    let stranger = sign_bundle(
        &Bytes::from({
            let dir = tempfile::tempdir().unwrap();
            let manifest = "format = 1\nserial = 9\nname = \"x\"\ncreated = \"2026-01-01T00:00:00Z\"\nexpires = \"2096-01-01T00:00:00Z\"\n[targets]\nall = true\n[[ring]]\nall = true\n";
            std::fs::write(dir.path().join("manifest.toml"), manifest).unwrap();
            std::fs::create_dir_all(dir.path().join("files/config.d")).unwrap();
            std::fs::write(dir.path().join("files").join(STRICT.0), STRICT.1).unwrap();
            build(dir.path()).unwrap()
        }),
        &key("mallory").signer,
    );
    let bad: [(&str, Bytes, &str); 5] = [
        (
            "older serial",
            gateway.bundle(4, "ams1", &[STRICT]),
            "serial 4 is below 6",
        ),
        (
            "same serial",
            gateway.bundle(6, "ams1", &[STRICT]),
            "another manifest",
        ),
        (
            "other site",
            gateway.bundle(9, "ber1", &[STRICT]),
            "other sites",
        ),
        ("stranger", stranger.unwrap().into(), "unknown-key"),
        ("tampered", tampered.into(), "wrong-hash"),
    ];
    for (what, bundle, reason) in bad {
        // The command reads the bundle, too: the daemon must not rely on it.
        let posted = gateway.post(bundle);
        let error = posted.await.unwrap_err().to_string();
        assert!(error.contains(reason), "{what}: {error}");
        gateway
            .until(what, |status| {
                let alarm = status["alarms"]["bundle-rejected"].as_str();
                alarm.is_some_and(|alarm| alarm.contains(reason))
            })
            .await;
    }
    let after = gateway.config().await;
    assert_eq!(
        (&after["hash"], &after["serial"]),
        (&before["hash"], &5.into())
    );
    assert_eq!(after["since"], before["since"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_with_two_damaged_copies_leaves_the_local_files_and_an_alarm() {
    let mut gateway = Gateway::start(1).await;
    let good = gateway.bundle(5, "ams1", &[STRICT]);
    assert_eq!(gateway.apply(&good, &[]).0, 0);
    gateway.signal(Signal::TERM);
    gateway.child.wait().unwrap();
    gateway.site.write("data/fleet/record", "nothing");
    gateway.restart().await;
    // There is a second copy.
    assert_eq!(gateway.config().await["serial"], 5);
    gateway.signal(Signal::TERM);
    gateway.child.wait().unwrap();
    gateway.site.write("data/fleet/record", "nothing");
    gateway.site.write("data/fleet/record.copy", "nothing");
    gateway.restart().await;
    let status = gateway.until("it answers", |_| true).await;
    let alarm = status["alarms"]["fleet-record"].as_str().unwrap();
    assert!(
        alarm.contains("record") && alarm.contains("restart"),
        "{alarm}"
    );
    assert_eq!(status["config"]["origin"], "files");
    assert_eq!(gateway.value("capture.check").await["value"], "lenient");
    let posted = gateway.post(good);
    assert!(
        posted
            .await
            .unwrap_err()
            .to_string()
            .contains("fleet-record")
    );
}
