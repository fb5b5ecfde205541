//! Many gateways as processes, in two groups and three rings, and a real mosquitto as central IT's
//! broker, with the access list of docs/central-it.md. A good bundle is confirmed ring by ring. A
//! bundle with a fault for one group is rolled back there, and later rings never apply it.
//!
//! The variable `FLEET_GATEWAYS` is the number of gateways: 6 without it. 50 of them take 2 GB of
//! memory.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use stockrelay::clock;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::view::client::Client;
use tempfile::TempDir;

use crate::broker::rig::Mosquitto;
use crate::fleet_commands::{Office, Running};
use crate::process::command;

const GATEWAYS: usize = 6;
const RINGS: usize = 3;
const GROUPS: [&str; 2] = ["north", "south"];
/// The value of `fleet.watch_s`.
const WATCH_S: u32 = 20;
/// The time between a ring and the next one, in seconds. Longer than the watch, so that a bundle is
/// confirmed in one ring before the next one applies it.
const WAIT_S: u32 = 40;
/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(8);

/// A gateway that runs as a process.
struct Gateway {
    site: String,
    /// Counted from 0.
    ring: usize,
    group: &'static str,
    dir: PathBuf,
    child: Child,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Gateway {
    async fn get(&self, path: &str) -> Value {
        let client = Client::new(&self.dir.join("control.sock"));
        let answer = client.get(path).await;
        answer.unwrap_or_else(|error| panic!("{} {path}: {error}", self.site))
    }

    /// What the gateway itself knows about a bundle.
    async fn result(&self, serial: u64) -> SiteResult {
        let config = self.get("/v1/config").await;
        let history = self.get("/v1/config/history").await;
        let entries = history["history"].as_array().unwrap();
        let ended = entries.iter().find(|entry| entry["serial"] == serial);
        let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
        let outcome = ended.map(|entry| entry["outcome"].as_str().unwrap().to_owned());
        SiteResult {
            site: self.site.clone(),
            ring: self.ring,
            group: self.group,
            running: config["serial"].as_u64(),
            since: time(&config["since"]),
            outcome,
            ended: ended.map(|entry| time(&entry["at"])),
            reason: ended
                .map(|entry| entry["reason"].to_string())
                .unwrap_or_default(),
            pending: config["pending"].clone(),
        }
    }
}

#[derive(Debug)]
struct SiteResult {
    #[expect(dead_code, reason = "failures show it")]
    site: String,
    ring: usize,
    group: &'static str,
    /// The serial of the bundle that runs, and when the gateway began to run with it.
    running: Option<u64>,
    since: Timestamp,
    /// How the bundle ended, and when. `None`: it did not end here.
    outcome: Option<String>,
    ended: Option<Timestamp>,
    reason: String,
    pending: Value,
}

impl SiteResult {
    fn has(&self, outcome: &str) -> bool {
        self.outcome.as_deref() == Some(outcome)
    }
}

/// The broker, central IT's desk, Odoo and all gateways.
struct Fleet {
    gateways: Vec<Gateway>,
    office: Office,
    _dir: TempDir,
    _odoo: StandIn,
    _mosquitto: Mosquitto,
}

fn count() -> usize {
    let count = std::env::var("FLEET_GATEWAYS").ok();
    let count = count.map_or(GATEWAYS, |text| text.parse().expect("a number of gateways"));
    assert!((GATEWAYS..=500).contains(&count), "{count} gateways");
    count
}

/// The ring of a gateway: a tenth and at least two gateways are in the first, three tenths and at
/// least two in the second.
fn ring(number: usize, count: usize) -> usize {
    let first = (count / 10).max(2);
    let second = first + (count * 3 / 10).max(2);
    usize::from(number >= first) + usize::from(number >= second)
}

/// The configuration of a gateway. `broker` is the line with the broker's address.
fn configuration(site: &str, group: &str, broker: &str, odoo: &str) -> String {
    format!(
        "site = \"{site}\"\ndata_dir = \"data\"\ncontrol.socket = \"control.sock\"\n\
         mqtt.listen.address = \"127.0.0.1:0\"\nmqtt.listen.anonymous = true\n\
         odoo.url = \"{odoo}\"\nodoo.database = \"{DATABASE}\"\nodoo.api_key_file = \"odoo.key\"\n\
         [fleet]\n{broker}\nusername = \"{site}\"\npassword_file = \"fleet.password\"\n\
         group = \"{group}\"\nwatch_s = {WATCH_S}\nquiet_s = 0\n"
    )
}

/// Reads the access list in docs/central-it.md.
fn access_list() -> String {
    let document = include_str!("../../docs/central-it.md");
    let (_, list) = document.split_once("\n# /etc/mosquitto/acl\n").unwrap();
    let (list, _) = list.split_once("```").unwrap();
    assert!(list.contains("pattern write stockrelay-fleet/v1/report/%u"));
    list.to_owned()
}

/// Starts a broker that admits the desk and the sites with the passwords that are their names.
async fn start_broker(sites: &[String]) -> Mosquitto {
    let extra = "password_file DIR/passwords\nacl_file DIR/acl\nmessage_size_limit 17000000";
    Mosquitto::start(extra, |dir| {
        let names = sites.iter().map(String::as_str).chain(["desk"]);
        let lines: Vec<_> = names.map(|name| format!("{name}:{name}\n")).collect();
        fs::write(dir.join("passwords"), lines.concat()).unwrap();
        // Replaces the passwords by their hashes.
        let mut hash = Command::new("mosquitto_passwd");
        let hashed = hash.arg("-U").arg(dir.join("passwords")).status();
        assert!(hashed.unwrap().success());
        fs::write(dir.join("acl"), access_list()).unwrap();
    })
    .await
}

impl Fleet {
    async fn start() -> Self {
        let count = count();
        let sites: Vec<String> = (1..=count).map(|number| format!("s{number:03}")).collect();
        let mosquitto = start_broker(&sites).await;
        let broker = format!("broker = \"mqtt://127.0.0.1:{}\"", mosquitto.port);
        let login = "username = \"desk\"\npassword_file = \"desk.password\"";
        let office = Office::new(&format!("{broker}\n{login}"));
        office.write("desk.password", "desk\n");
        let seed = Seed {
            bins: 10,
            products: 10,
        };
        let odoo = StandIn::start(seed, Duration::ZERO).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let trust = fs::read(office.path("trust.toml")).unwrap();
        let start = |(number, site): (usize, &String)| {
            let group = GROUPS[number % GROUPS.len()];
            let dir = dir.path().join(site);
            fs::create_dir(&dir).unwrap();
            let config = configuration(site, group, &broker, &odoo.url());
            fs::write(dir.join("config.toml"), config).unwrap();
            fs::write(dir.join("odoo.key"), API_KEY).unwrap();
            fs::write(dir.join("fleet.password"), site).unwrap();
            fs::write(dir.join("trust.toml"), &trust).unwrap();
            Gateway {
                site: site.clone(),
                ring: ring(number, count),
                group,
                child: command(&dir).spawn().unwrap(),
                dir,
            }
        };
        let gateways = sites.iter().enumerate().map(start).collect();
        let fleet = Self {
            gateways,
            office,
            _dir: dir,
            _odoo: odoo,
            _mosquitto: mosquitto,
        };
        let is_ready = |site: &Value| site["online"] == true && site["report"]["odoo"] == "up";
        fleet.until("all gateways are connected", is_ready).await;
        fleet
    }

    /// Waits until the report of each gateway is like this.
    async fn until(&self, what: &str, so: impl Fn(&Value) -> bool) {
        let begun = clock::instant();
        loop {
            let status = ["fleet", "status", "--json"];
            let status = tokio::task::block_in_place(|| self.office.ends(&status, 0));
            let lines = status
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let found = lines.filter(|line: &Value| so(line)).count();
            if found == self.gateways.len() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never: {what}: {status}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Publishes a bundle, and starts to watch it. Returns when the first ring is due.
    fn publish(&self, serial: u64, files: &[(&str, &str)]) -> (Running, Timestamp) {
        let sites = |ring: usize| {
            let of_ring = self.gateways.iter().filter(|gateway| gateway.ring == ring);
            let names: Vec<_> = of_ring.map(|gateway| gateway.site.as_str()).collect();
            format!("{names:?}")
        };
        for (path, text) in files {
            self.office.write(&format!("b{serial}/files/{path}"), text);
        }
        let created = clock::now();
        let manifest = format!(
            "format = 1\nserial = {serial}\nname = \"bundle {serial}\"\ncreated = \"{created}\"\n\
             expires = \"2096-01-01T00:00:00Z\"\n[targets]\nall = true\n\
             [[ring]]\nsites = {}\nwait_s = {WAIT_S}\n[[ring]]\nsites = {}\nwait_s = {WAIT_S}\n\
             [[ring]]\nall = true\n",
            sites(0),
            sites(1)
        );
        self.office
            .write(&format!("b{serial}/manifest.toml"), &manifest);
        let (dir, file) = (format!("b{serial}"), format!("b{serial}.bundle"));
        let number = serial.to_string();
        let watch = tokio::task::block_in_place(|| {
            self.office
                .ends(&["config", "bundle", &dir, "-o", &file], 0);
            for key in ["anna.key", "ben.key"] {
                self.office
                    .ends(&["config", "sign", &file, "--key", key], 0);
            }
            let push = ["fleet", "push", &file, "--trust", "trust.toml"];
            self.office.ends(&push, 0);
            let watch = ["fleet", "watch", &number, "--max-failed", "0.1"];
            let more = ["--silent-s", "60", "--sign", "anna.key"];
            self.office.start(&[&watch[..], &more].concat())
        });
        (watch, created)
    }

    async fn results(&self, serial: u64) -> Vec<SiteResult> {
        join_all(self.gateways.iter().map(|gateway| gateway.result(serial))).await
    }
}

/// The seconds from the first time to the second.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn due(created: Timestamp, ring: usize) -> Timestamp {
    created + SignedDuration::from_secs(i64::from(WAIT_S)) * i32::try_from(ring).unwrap()
}

/// Prints the first and the last of these times, as seconds after `created`.
fn print_span(what: &str, created: Timestamp, times: impl Iterator<Item = Timestamp>) {
    let times: Vec<_> = times.collect();
    if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) {
        let (first, last) = (seconds(created, *first), seconds(created, *last));
        println!(
            "  {what}: {} gateways, after {first:.1} to {last:.1} s",
            times.len()
        );
    }
}

/// The good bundle: confirmed everywhere, and no ring applies it before it is due.
async fn confirm_everywhere(fleet: &Fleet) {
    let capture = (
        "config.d/50-capture.toml",
        "[capture]\ncheck = \"strict\"\n",
    );
    let (watch, created) = fleet.publish(1, &[capture]);
    let (watch, _) = watch
        .line_within(PATIENCE, "has confirmed the bundle")
        .await;
    assert_eq!(watch.code().await, 0);
    let results = fleet.results(1).await;
    println!(
        "good bundle: applied {}, confirmed {}, rolled back {}, never reached {}; {:.1} s",
        results
            .iter()
            .filter(|site| site.running == Some(1))
            .count(),
        results.iter().filter(|site| site.has("confirmed")).count(),
        results
            .iter()
            .filter(|site| site.has("rolled-back"))
            .count(),
        results.iter().filter(|site| site.outcome.is_none()).count(),
        seconds(created, clock::now())
    );
    for site in &results {
        assert!(site.has("confirmed") && site.running == Some(1), "{site:?}");
        assert!(site.since >= due(created, site.ring), "too early: {site:?}");
    }
    for ring in 0..RINGS {
        let sites = || results.iter().filter(|site| site.ring == ring);
        let due = seconds(created, due(created, ring));
        println!(" ring {} (due after {due:.0} s)", ring + 1);
        print_span("applied", created, sites().map(|site| site.since));
        print_span("confirmed", created, sites().filter_map(|site| site.ended));
    }
}

/// Checks a site after the bad bundle was stopped.
fn check_bad(site: &SiteResult, before: &SiteResult, created: Timestamp) {
    if site.ring > 0 {
        assert_eq!(site.outcome, None, "{site:?}");
        let is_as_before = (site.running, site.since) == (Some(1), before.since);
        assert!(is_as_before, "{site:?}");
        assert_eq!(site.pending["state"], "waiting", "{site:?}");
        let reason = site.pending["reason"].as_str().unwrap();
        assert!(
            reason.contains("stopped the rollout of bundle 2"),
            "{reason}"
        );
    } else if site.group == "south" {
        assert!(
            site.has("rolled-back") && site.running == Some(1),
            "{site:?}"
        );
        assert!(site.reason.contains("no-such-database"), "{site:?}");
        let ended = seconds(created, site.ended.unwrap());
        assert!(ended < f64::from(WATCH_S), "not within the watch: {site:?}");
    } else {
        assert!(site.has("confirmed") && site.running == Some(2), "{site:?}");
    }
}

/// The bad bundle: a wrong database for the sites of one group.
async fn stop_after_the_first_ring(fleet: &Fleet) {
    let before = fleet.results(1).await;
    let capture = (
        "config.d/50-capture.toml",
        "[capture]\ncheck = \"lenient\"\n",
    );
    let wrong = "[odoo]\ndatabase = \"no-such-database\"\n";
    let odoo = ("groups/south/config.d/60-odoo.toml", wrong);
    let (watch, created) = fleet.publish(2, &[capture, odoo]);
    let (watch, line) = watch.line_within(PATIENCE, "is stopped").await;
    let stopped = clock::now();
    assert!(
        line.contains("of ring 1") && line.contains("is stopped (count "),
        "{line}"
    );
    assert_eq!(watch.code().await, 1);
    assert!(stopped < due(created, 1), "the stop came too late");
    // Every ring would be due now, and a gateway that applied the bundle would have ended.
    let end = due(created, RINGS - 1) + SignedDuration::from_secs(WATCH_S.into());
    while clock::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let results = fleet.results(2).await;
    let rolled_back = || results.iter().filter(|site| site.has("rolled-back"));
    let confirmed = || results.iter().filter(|site| site.has("confirmed"));
    let never = || results.iter().filter(|site| site.outcome.is_none());
    println!(
        "bad bundle: applied {}, confirmed {}, rolled back {}, never reached {}; stopped after {:.1} s",
        rolled_back().count() + confirmed().count(),
        confirmed().count(),
        rolled_back().count(),
        never().count(),
        seconds(created, stopped)
    );
    print_span(
        "rolled back",
        created,
        rolled_back().filter_map(|site| site.ended),
    );
    print_span(
        "confirmed",
        created,
        confirmed().filter_map(|site| site.ended),
    );
    for (site, before) in results.iter().zip(&before) {
        check_bad(site, before, created);
    }
    assert!(rolled_back().count() > 0 && confirmed().count() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a long run: needs mosquitto; FLEET_GATEWAYS=50 cargo test --test it -- --ignored --nocapture fifty"]
async fn fifty_gateways_confirm_ring_by_ring_and_a_bad_bundle_stops_in_the_first_ring() {
    let begun = clock::instant();
    let fleet = Fleet::start().await;
    println!(
        "{} gateways are connected after {:.1} s",
        fleet.gateways.len(),
        begun.elapsed().as_secs_f64()
    );
    confirm_everywhere(&fleet).await;
    stop_after_the_first_ring(&fleet).await;
    println!("the whole run took {:.0} s", begun.elapsed().as_secs_f64());
}
