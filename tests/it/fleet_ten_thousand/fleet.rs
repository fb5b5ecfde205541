//! All gateways, the broker, and central IT's desk.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use stockrelay::clock;
use stockrelay::fleet::Manifest;
use stockrelay::fleet::manifest::Due;
use tempfile::TempDir;

pub use super::gateway::Gateway;
use super::gateway::ODOO;
use super::measure::{Counter, Used, Watched};
use crate::broker::rig::Mosquitto;
use crate::fleet_commands::Office;

/// As docs/central-it.md has it, but the retained messages are stored only at the end: mosquitto
/// writes all of them each time.
const SETTINGS: &str = "allow_anonymous true\nuser root\npersistence true\npersistence_location DIR/\n\
                        autosave_interval 0\nmax_queued_messages 0\nsys_interval 1\n\
                        log_dest stderr\nlog_type error";
/// Gateways that may connect at the same time at the start.
const STARTING_MAX: usize = 500;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_mins(15);
/// Devices in the bundle: some 20 KB.
const DEVICES: usize = 440;

pub struct Fleet {
    pub gateways: Vec<Gateway>,
    pub mosquitto: Mosquitto,
    pub counter: Counter,
    office: Office,
    folders: TempDir,
}

/// The share of each gateway.
#[expect(clippy::cast_precision_loss, reason = "at most 20,000 gateways")]
pub fn per_gateway(fleet: &Fleet, total: f64) -> f64 {
    total / fleet.gateways.len() as f64
}

impl Fleet {
    /// Starts the broker and the gateways, until all are connected.
    pub async fn start(number: usize) -> Self {
        stockrelay::tls::install_provider();
        // All need more files and folders than a disk syncs in minutes.
        let memory = Path::new("/dev/shm");
        let parent = Some(memory).filter(|memory| memory.is_dir());
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let folders = TempDir::new_in(parent).unwrap();
        raise_open_files();
        let mosquitto = Mosquitto::start_with(SETTINGS, |_| {}).await;
        let office = Office::plain(&mosquitto);
        let counter = Counter::start(mosquitto.port);
        let mut fleet = Self {
            gateways: Vec::with_capacity(number),
            mosquitto,
            counter,
            office,
            folders,
        };
        let before = (Used::own(), fleet.broker());
        let (began, load) = (clock::instant(), load());
        fleet.start_gateways(number).await;
        let after = (Used::own(), fleet.broker());
        println!(
            "| {number} gateways, load of the machine {load} | all are connected after {:.1} s |",
            began.elapsed().as_secs_f64()
        );
        println!(
            "| memory | {:.0} KiB per gateway; the broker {:.1} KiB per gateway, in all {:.0} MiB |",
            per_gateway(&fleet, (after.0.resident - before.0.resident) * 1_024.0),
            per_gateway(&fleet, (after.1.resident - before.1.resident) * 1_024.0),
            after.1.resident
        );
        fleet
    }

    async fn start_gateways(&mut self, number: usize) {
        let (port, trust) = (self.mosquitto.port, self.office.path("trust.toml"));
        for index in 0..number {
            let site = format!("s{index:05}").parse().unwrap();
            let gateway = Gateway::start(site, self.folders.path(), &trust, port);
            self.gateways.push(gateway);
            if index % 100 == 0 && index >= STARTING_MAX {
                let earlier: Vec<_> = self.gateways[..index - STARTING_MAX].iter().collect();
                self.until_each(
                    "earlier ones are connected",
                    &earlier,
                    Gateway::is_connected,
                )
                .await;
            }
        }
        self.until("all are connected", Gateway::is_connected).await;
    }

    /// What the broker's process has used.
    pub fn broker(&self) -> Used {
        Used::of(self.mosquitto.process().as_raw_nonzero()).unwrap()
    }

    /// Waits until something holds for all gateways.
    pub async fn until(&self, what: &str, holds: impl Fn(&Gateway) -> bool) {
        let all: Vec<_> = self.gateways.iter().collect();
        self.until_each(what, &all, holds).await;
    }

    pub async fn until_each(&self, what: &str, of: &[&Gateway], holds: impl Fn(&Gateway) -> bool) {
        let begun = clock::instant();
        loop {
            let open = of.iter().filter(|gateway| !holds(gateway));
            let Some(first) = open.clone().next() else {
                return;
            };
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {what}: {} gateways, {} first: {:?}",
                open.count(),
                first.site,
                first.status.borrow()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until something holds for one gateway, and returns when.
    pub async fn until_any(
        &self,
        what: &str,
        of: &[&Gateway],
        holds: impl Fn(&Gateway) -> bool,
    ) -> Instant {
        let begun = clock::instant();
        while !of.iter().any(|gateway| holds(gateway)) {
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        clock::instant()
    }

    pub fn run(&self, arguments: &[&str]) -> Watched {
        Watched::start(self.office.command(arguments), self.office.path("output"))
    }

    pub fn watch(&self, serial: u64) -> Watched {
        let serial = serial.to_string();
        self.run(&[
            "fleet",
            "watch",
            &serial,
            "--max-failed",
            "0.1",
            "--silent-s",
            "900",
            "--sign",
            "anna.key",
        ])
    }

    /// Builds, signs and publishes a bundle. `wait_s`: from each ring to the next one.
    pub async fn push(&self, serial: u64, database: &str, wait_s: u64) -> Rollout {
        let number = self.gateways.len();
        let (name, file) = (format!("b{serial}"), format!("b{serial}.bundle"));
        // A small fleet has larger rings, so that none is empty.
        let shares = if number < 1_000 {
            (0.1, 0.3)
        } else {
            (0.01, 0.1)
        };
        let created = clock::now();
        let manifest = format!(
            "format = 1\nserial = {serial}\nname = \"{name}\"\ncreated = \"{created}\"\n\
             expires = \"2096-03-01T00:00:00Z\"\n[targets]\nall = true\n\
             [[ring]]\nshare = {}\nwait_s = {wait_s}\n[[ring]]\nshare = {}\nwait_s = {wait_s}\n\
             [[ring]]\nall = true\n",
            shares.0, shares.1
        );
        let mut devices = String::new();
        for device in 0..DEVICES {
            write!(devices, "[devices.pda-{device:04}]\nlanguage = \"en\"\n\n").unwrap();
        }
        self.office
            .write(&format!("{name}/manifest.toml"), &manifest);
        self.office
            .write(&format!("{name}/files/devices.toml"), &devices);
        let odoo = format!("[odoo]\ndatabase = \"{database}\"\n");
        self.office.write(&format!("{name}/files/{ODOO}"), &odoo);
        self.office
            .ends(&["config", "bundle", &name, "-o", &file], 0);
        for key in ["anna.key", "ben.key"] {
            self.office
                .ends(&["config", "sign", &file, "--key", key], 0);
        }
        let began = clock::instant();
        let pushed = self.run(&["fleet", "push", &file]).end().await;
        assert_eq!(pushed.code, 0, "{}", pushed.text);
        let bytes = std::fs::metadata(self.office.path(&file)).unwrap().len();
        Rollout {
            manifest: Manifest::parse_draft(&manifest).unwrap(),
            began,
            bytes,
            wait_s,
        }
    }
}

/// A bundle that was published.
pub struct Rollout {
    pub manifest: Manifest,
    pub began: Instant,
    pub bytes: u64,
    pub wait_s: u64,
}

impl Rollout {
    /// The gateways of a ring, which is counted from 0.
    pub fn ring<'a>(&self, fleet: &'a Fleet, ring: usize) -> Vec<&'a Gateway> {
        let of_ring = |gateway: &&Gateway| self.ring_of(gateway) == ring;
        fleet.gateways.iter().filter(of_ring).collect()
    }

    pub fn ring_of(&self, gateway: &Gateway) -> usize {
        self.manifest.ring(&gateway.site, None).unwrap()
    }

    /// Seconds since the ring was due; below 0: it is not due.
    pub fn since_due(&self, ring: usize) -> f64 {
        let due: Timestamp = match self.manifest.due(ring) {
            Due::AtOnce => self.manifest.created,
            Due::At(due) => due,
        };
        clock::now().duration_since(due).as_secs_f64()
    }
}

/// Each gateway has a connection: this process and the broker need a file for each.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}
