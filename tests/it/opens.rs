//! `check` and `run` find the same faults: each thing that the daemon opens is broken in turn.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use stockrelay::clock;
use stockrelay::config;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::opens::{self, Effect};
use stockrelay::view::client::Client;

use crate::{commands, process};

const SOON: Duration = Duration::from_secs(20);

struct Place {
    dir: tempfile::TempDir,
    odoo: StandIn,
}

impl Place {
    /// A configuration that names each thing that the daemon opens, all in order.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let seed = Seed {
            bins: 2,
            products: 2,
        };
        let odoo = StandIn::start(seed, Duration::ZERO).await.unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (mqtt, metrics) = (free(), free());
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\nscanners = \"scanners.toml\"\n\
             [mqtt.listen]\naddress = \"{}\"\ndevices = \"devices.toml\"\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n\
             [mqtt.broker]\nurl = \"mqtts://127.0.0.1:9\"\nusername = \"u\"\npassword_file = \"password\"\nca = \"cert.pem\"\n\
             [odoo]\nurl = \"{}\"\ndatabase = \"{DATABASE}\"\napi_key_file = \"odoo.key\"\nca = \"ca.pem\"\n\
             [control]\nsocket = \"control.sock\"\nmetrics = \"{}\"\n",
            mqtt.local_addr().unwrap(),
            odoo.url(),
            metrics.local_addr().unwrap(),
        );
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        for (name, text) in [
            ("config.toml", config.as_str()),
            ("devices.toml", ""),
            ("scanners.toml", ""),
            ("cert.pem", &key.cert.pem()),
            ("ca.pem", &key.cert.pem()),
            ("key.pem", &key.signing_key.serialize_pem()),
            ("password", "secret"),
            ("odoo.key", API_KEY),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        Self { dir, odoo }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> config::Config {
        config::load(&self.path("config.toml"), &[]).unwrap().config
    }

    async fn output(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = commands::stockrelay();
        command
            .args(["--config", "config.toml"])
            .args(arguments)
            .current_dir(self.dir.path());
        let (code, stdout, stderr) = commands::run(command).await;
        (code, stdout + &stderr)
    }

    /// What `check` says for the user that runs this test.
    async fn check(&self) -> (i32, String) {
        self.output(&["check", "--user", "root"]).await
    }

    /// The status of a daemon as soon as it fits.
    async fn run_until(&self, fits: impl Fn(&Value) -> bool) {
        let mut child = process::command(self.dir.path()).spawn().unwrap();
        let client = Client::new(&self.path("control.sock"));
        let begun = clock::instant();
        loop {
            let status: Option<Value> = client.get("/v1/status").await.ok();
            if status.as_ref().is_some_and(&fits) {
                break;
            }
            assert!(begun.elapsed() < SOON, "{status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        drop(fs::remove_file(self.path("control.sock")));
    }
}

/// What keeps a thing broken, such as a bound port.
type Breakage = Box<dyn Fn(&Place) -> Option<TcpListener>>;

fn remove(name: &'static str) -> Breakage {
    Box::new(move |place| {
        fs::remove_file(place.path(name)).unwrap();
        None
    })
}

fn write(name: &'static str, text: &'static str) -> Breakage {
    Box::new(move |place| {
        fs::write(place.path(name), text).unwrap();
        None
    })
}

fn breakages() -> Vec<(&'static str, &'static str, Breakage)> {
    vec![
        ("data_dir", "no directory", write("data", "")),
        ("control.socket", "no socket", write("control.sock", "")),
        (
            "control.metrics",
            "cannot listen",
            Box::new(|place| TcpListener::bind(place.config().control.metrics.unwrap()).ok()),
        ),
        ("scanners", "scanners.toml", remove("scanners.toml")),
        ("scanners", "scanners.toml", write("scanners.toml", "[[")),
        (
            "mqtt.listen.devices",
            "devices.toml",
            remove("devices.toml"),
        ),
        (
            "mqtt.listen.devices",
            "devices.toml",
            write("devices.toml", "[["),
        ),
        ("mqtt.listen.tls_cert", "cert.pem", write("cert.pem", "")),
        ("mqtt.listen.tls_cert", "key.pem", remove("key.pem")),
        (
            "mqtt.listen.address",
            "cannot listen",
            Box::new(|place| TcpListener::bind(place.config().listen.unwrap().address).ok()),
        ),
        ("mqtt.broker", "password", remove("password")),
        ("mqtt.broker", "mqtt.broker.ca", write("cert.pem", "")),
        ("odoo.ca", "ca.pem", remove("ca.pem")),
        ("odoo.api_key_file", "odoo.key", remove("odoo.key")),
        ("odoo.api_key_file", "odoo.key", write("odoo.key", "\n")),
    ]
}

fn find(config: &config::Config, key: &str) -> opens::Opened {
    let mut list = opens::open_all(config, None).into_iter();
    list.find(|opened| opened.key == key).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_run_find_the_same_fault_in_each_thing_that_the_daemon_opens() {
    let place = Place::new().await;
    let (code, said) = place.check().await;
    assert_eq!(code, 0, "all is in order: {said}");
    let asks = format!(
        "asking Odoo at {}: each answer may take 10 s",
        place.odoo.url()
    );
    assert!(said.contains(&asks), "{said}");
    place
        .run_until(|status| status["odoo"]["link"] == "up")
        .await;

    let opened = opens::open_all(&place.config(), None);
    let keys: BTreeSet<_> = opened.iter().map(|opened| opened.key).collect();
    let broken: BTreeSet<_> = breakages().iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys, broken, "each entry of the list is broken here");

    for (key, word, breakage) in breakages() {
        let place = Place::new().await;
        let _held = breakage(&place);
        let found = find(&place.config(), key);
        let fault = found
            .fault
            .unwrap_or_else(|| panic!("{key} is not found broken"));
        assert!(fault.contains(word), "{key}: {fault}");
        let (code, said) = place.check().await;
        assert_eq!(code, 1, "{key}: {said}");
        let is_told = |line: &str| line.starts_with("FAIL") && line.contains(word);
        assert!(said.lines().any(is_told), "{key}: {said}");
        if found.effect == Effect::LinkHeld {
            let faults = said.lines().filter(|line| line.starts_with("FAIL"));
            assert_eq!(faults.count(), 1, "{key}: {said}");
        }
        if found.effect == Effect::NoStart {
            let (code, said) = place.output(&["run"]).await;
            assert_eq!(code, 1, "{key}: {said}");
            assert!(said.contains(word), "{key}: {said}");
        } else {
            place
                .run_until(|status| !status["alarms"]["odoo-held"].is_null())
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_beside_the_daemon_finds_its_own_ports_and_journal_in_order() {
    let place = Place::new().await;
    let mut child = process::command(place.dir.path()).spawn().unwrap();
    let client = Client::new(&place.path("control.sock"));
    let begun = clock::instant();
    while client.get::<Value>("/v1/status").await.is_err() {
        assert!(begun.elapsed() < SOON, "it does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (code, said) = place.check().await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_64_for_both_and_check_says_what_run_would_use() {
    let place = Place::new().await;
    let right = fs::read(place.path("config.toml")).unwrap();
    fs::write(place.path("config.toml"), "site = \"a b\"\n").unwrap();
    let (code, said) = place.check().await;
    assert_eq!(code, 64, "{said}");
    assert!(
        said.contains("`stockrelay run` uses no configuration"),
        "{said}"
    );
    assert_eq!(place.output(&["run"]).await.0, 64);
    // A configuration that ran once is what `run` goes on with.
    fs::write(place.path("config.toml"), right).unwrap();
    let last = place.path("data").join(config::last::FILE);
    place.run_until(|_| last.exists()).await;
    fs::create_dir(place.path("config.d")).unwrap();
    fs::write(place.path("config.d/x.toml"), "site = 12\n").unwrap();
    let (code, said) = place.check().await;
    assert_eq!(code, 64, "{said}");
    assert!(
        said.contains("uses the last configuration that ran"),
        "{said}"
    );
    place
        .run_until(|status| !status["alarms"]["configuration"].is_null())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_stock_rights_is_an_alarm_before_anything_is_scanned() {
    let place = Place::new().await;
    fs::write(
        place.path("odoo.key"),
        stockrelay::demo::odoo::NO_RIGHTS_API_KEY,
    )
    .unwrap();
    let (code, said) = place.check().await;
    assert_eq!(code, 1, "{said}");
    place
        .run_until(|status| !status["alarms"]["odoo-held"].is_null())
        .await;
    drop(place.odoo);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_the_daemons_alone_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new().await;
    place.run_until(|_| true).await;
    for name in ["journal.redb", "lock"] {
        let mode = fs::metadata(place.path("data").join(name)).unwrap();
        let mode = mode.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}: {mode:o}");
    }
    assert!(Path::new(&place.path("control.sock")).parent().is_some());
}
