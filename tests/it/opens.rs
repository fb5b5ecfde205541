//! `check` and `run` find the same faults: each thing that the daemon opens is broken in turn.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use stockrelay::clock;
use stockrelay::config;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::view::client::Client;
use tokio_serial::{SerialPort as _, SerialStream};

use crate::free_address::free_address;
use crate::wrong_setups::{assert_texts, normalise};
use crate::{commands, process};

mod breakages;
mod centre_files;

use breakages::{Breakage, Run};

const SOON: Duration = Duration::from_secs(20);

const PROFILE: &str = "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
    [connection]\nkind = \"serial\"\nbaud = 115200\n";

struct Place {
    dir: tempfile::TempDir,
    odoo: StandIn,
    /// Both ends of the scanner's line, so that it stays.
    _line: (SerialStream, SerialStream),
    /// The user that the commands run as; `None`: the one that runs this test.
    user: Option<u32>,
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
        let (mqtt, metrics) = (free_address(), free_address());
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\nscanners = \"scanners.toml\"\n\
             [mqtt.listen]\naddress = \"{}\"\ndevices = \"devices.toml\"\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n\
             client_ca = \"clients.pem\"\ndevice_config_dir = \"configs\"\n\
             [mqtt.broker]\nurl = \"mqtts://127.0.0.1:9\"\nusername = \"u\"\npassword_file = \"password\"\nca = \"broker.pem\"\n\
             client_cert = \"me.pem\"\nclient_key = \"me.key\"\n\
             [odoo]\nurl = \"{}\"\ndatabase = \"{DATABASE}\"\napi_key_file = \"odoo.key\"\nca = \"ca.pem\"\n\
             [control]\nsocket = \"control.sock\"\nmetrics = \"{}\"\n",
            mqtt,
            odoo.url(),
            metrics,
        );
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (cert, private) = (&key.cert.pem(), &key.signing_key.serialize_pem());
        fs::create_dir(dir.path().join("configs")).unwrap();
        for (name, text) in [
            ("config.toml", config.as_str()),
            ("devices.toml", ""),
            (
                "scanners.toml",
                "[scanners.dock]\nprofile = \"own.toml\"\nport = \"PORT\"\n",
            ),
            ("own.toml", PROFILE),
            ("cert.pem", cert),
            ("clients.pem", cert),
            ("broker.pem", cert),
            ("me.pem", cert),
            ("ca.pem", cert),
            ("key.pem", private),
            ("me.key", private),
            ("password", "secret"),
            ("odoo.key", API_KEY),
            ("configs/default.json", "{}"),
        ] {
            let port = dir.path().join("port");
            let text = text.replace("PORT", &port.to_string_lossy());
            fs::write(dir.path().join(name), text).unwrap();
        }
        let line = SerialStream::pair().unwrap();
        symlink(line.1.name().unwrap(), dir.path().join("port")).unwrap();
        Self {
            dir,
            odoo,
            _line: line,
            user: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> config::Config {
        config::load(&self.path("config.toml"), &[]).unwrap().config
    }

    /// Gives all files to a user without root's rights, who the commands run as from now on.
    /// Without them, this test's own user does.
    fn give_to_nobody(&mut self) {
        let port = self.path("port").canonicalize();
        let paths = port.iter().map(PathBuf::as_path).chain([self.dir.path()]);
        self.user = commands::give_to_nobody(paths);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = commands::stockrelay_as(self.user);
        command
            .args(["--config", "config.toml"])
            .args(arguments)
            .current_dir(self.dir.path());
        command
    }

    async fn output(&self, arguments: &[&str]) -> (i32, String) {
        let (code, stdout, stderr) = commands::run(self.command(arguments)).await;
        (code, stdout + &stderr)
    }

    /// What `check` says for the user that runs the commands.
    async fn check(&self) -> (i32, String) {
        let user = commands::login_name(self.user);
        self.output(&["check", "--user", user]).await
    }

    /// The exit code and the answer of `check --json`.
    async fn check_json(&self) -> (i32, Value) {
        let user = commands::login_name(self.user);
        let arguments = ["check", "--json", "--user", user];
        let (code, stdout, stderr) = commands::run(self.command(&arguments)).await;
        let answer = serde_json::from_str(&stdout);
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
        (code, answer)
    }

    /// The status of a daemon as soon as it fits.
    async fn run_until(&self, fits: impl Fn(&Value) -> bool) {
        let mut command = self.command(&["run"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let written = config::load(&self.path("config.toml"), &[]);
        let socket = written.map_or(self.path("control.sock"), |it| it.config.control.socket);
        let client = Client::new(&socket);
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

/// What the daemon reports about parts that it starts without: alarms, sources that are down, and
/// Odoo.
fn complaints(status: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let alarms = status["alarms"].as_object().into_iter().flatten();
    let mut said: Vec<_> = alarms.filter_map(|(_, alarm)| text(alarm)).collect();
    for source in status["sources"].as_array().into_iter().flatten() {
        if let (Some(name), Some(detail)) = (text(&source["name"]), text(&source["detail"])) {
            said.extend([format!("{name} is down: {detail}"), detail]);
        }
    }
    said.extend(text(&status["odoo"]["detail"]));
    said.extend(text(&status["fleet"]["broker"]["detail"]));
    said
}

/// What a finding of `check` says, and the same with its remedy, as the daemon reports it.
fn texts(finding: &Value) -> (String, String) {
    let text = |part: &str| finding[part].as_str().unwrap_or_default();
    let what = text("what");
    let what = what.strip_prefix("Odoo: ").unwrap_or(what);
    (what.to_owned(), format!("{what}; {}", text("remedy")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_run_are_content_with_a_gateway_that_is_in_order() {
    let place = Place::new().await;
    let (code, said) = place.check().await;
    assert_eq!(code, 0, "all is in order: {said}");
    let asks = format!(
        "checking Odoo at {}: each answer may take 10 s",
        place.odoo.url()
    );
    assert!(said.contains(&asks), "{said}");
    place
        .run_until(|status| {
            let mut sources = status["sources"].as_array().into_iter().flatten();
            let is_up =
                |source: &Value| source["name"] == "scanner:dock" && source["state"] == "up";
            status["odoo"]["link"] == "up" && sources.any(is_up)
        })
        .await;
}

#[test]
fn each_key_that_names_a_file_a_directory_a_port_or_a_host_is_broken_here() {
    let broken: BTreeSet<_> = breakages::all().iter().map(|of| of.key).collect();
    let places: BTreeSet<_> = config::known_places().into_iter().collect();
    assert_eq!(broken, places);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_run_find_the_same_fault_in_each_thing_that_the_daemon_opens() {
    let mut shown = String::new();
    for breakage in breakages::all() {
        let Breakage { key, word, run, .. } = breakage;
        let mut place = Place::new().await;
        if breakage.is_unprivileged {
            place.give_to_nobody();
        }
        let _held = (breakage.break_it)(&place);
        let is_read = config::load(&place.path("config.toml"), &[]).is_ok();
        let (code, said) = place.check_json().await;
        let (level, expected, of_run) = match run {
            Run::Ends64 if is_read => ("failed", 1, 64),
            Run::Ends64 => ("failed", 64, 64),
            Run::Ends1 | Run::Holds | Run::Fails => ("failed", 1, 1),
            Run::Warns => ("warning", 0, 0),
        };
        assert_eq!(code, expected, "{key} {word}: {said}");
        let findings = said["findings"].as_array().unwrap();
        let found = findings
            .iter()
            .find(|finding| finding["level"] == level && texts(finding).1.contains(word));
        let found = found.unwrap_or_else(|| panic!("{key} {word}: {said}"));
        for part in ["about", "why", "remedy"] {
            assert_ne!(found[part], "", "{key} {word}: {found}");
        }
        shown += &describe(place.dir.path(), key, found);
        let (what, message) = texts(found);
        match run {
            Run::Ends64 | Run::Ends1 => {
                let (code, ran) = place.output(&["run"]).await;
                assert_eq!(code, of_run, "{key} {word}: {ran}");
                assert!(ran.contains(&what), "{key}: {what} in {ran}");
            }
            Run::Holds => {
                let faults = findings
                    .iter()
                    .filter(|finding| finding["level"] == "failed");
                assert_eq!(faults.count(), 1, "{key} {word}: {said}");
                place
                    .run_until(|status| !status["alarms"]["odoo-held"].is_null())
                    .await;
            }
            Run::Warns | Run::Fails => {
                let says_so = |status: &Value| {
                    let said = complaints(status);
                    said.contains(&what) || said.contains(&message)
                };
                place.run_until(says_so).await;
            }
        }
    }
    assert_texts("broken_files", &shown);
}

/// The key that is broken, and what a person reads about it.
fn describe(dir: &Path, key: &str, finding: &Value) -> String {
    let text = |part: &str| {
        finding[part]
            .as_str()
            .unwrap_or_default()
            .replace('\n', "·")
    };
    let text = format!(
        "[{key}]\n{}: {}\n  why: {}\n  do:  {}\n\n",
        text("level"),
        text("what"),
        text("why"),
        text("remedy")
    );
    normalise(dir, &text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_beside_the_daemon_finds_its_own_ports_and_journal_in_order() {
    let place = Place::new().await;
    let log = place.path("log");
    let mut child = process::command(place.dir.path())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let client = Client::new(&place.path("control.sock"));
    let begun = clock::instant();
    while let Err(error) = client.get::<Value>("/v1/status").await {
        let log = || fs::read_to_string(&log).unwrap();
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", log());
        assert!(begun.elapsed() < SOON, "{error:?}\n{}", log());
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
        said.contains("`stockrelay run` has no configuration that it can use"),
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
    assert!(said.contains("uses the last good configuration"), "{said}");
    place
        .run_until(|status| !status["alarms"]["configuration"].is_null())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_is_an_alarm_also_while_odoo_does_not_answer() {
    let place = Place::new().await;
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    let away = config.replace(&place.odoo.url(), "http://127.0.0.1:9");
    fs::write(place.path("config.toml"), away).unwrap();
    fs::remove_file(place.path("odoo.key")).unwrap();
    let is_told = |status: &Value| {
        let alarm = status["alarms"]["odoo-held"].as_str();
        alarm.is_some_and(|alarm| alarm.contains("odoo.key"))
    };
    place.run_until(is_told).await;
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
    for name in ["journal.redb", "journal.log", "lock"] {
        let mode = fs::metadata(place.path("data").join(name)).unwrap();
        let mode = mode.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}: {mode:o}");
    }
    assert!(Path::new(&place.path("control.sock")).parent().is_some());
}
