//! Runs all checks of a configuration without faults: machine, broker, journal, Odoo, daemon.

use std::path::Path;

use super::network;
use super::odoo::ANSWER_S_MAX;
use super::opened::{self, CONFIG};
use super::{Deep, Finding, OfRoot, Run};
use crate::choice::{self, Otherwise};
use crate::clock;
use crate::config::{Config, Loaded, last};
use crate::opens;

/// The findings of `check`.
#[derive(Debug)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// What `run` does if it cannot start with this configuration. `None`: it starts.
    pub of_run: Option<Otherwise>,
    pub is_damaged: bool,
}

impl Report {
    /// What `stockrelay run` does.
    #[must_use]
    pub fn run(&self) -> Run {
        Run::of(self.of_run.as_ref(), self.is_damaged)
    }
}

/// Runs all checks; `socket` is the daemon's. With `deep` it reads the whole journal. `say` prints
/// a line before each check that may take long.
pub async fn gateway(
    loaded: &Loaded,
    of_root: &OfRoot,
    socket: &Path,
    deep: Option<&Deep>,
    say: impl Fn(&str),
) -> Report {
    let config = &loaded.config;
    let running = super::running(socket).await;
    let files: Vec<_> = (loaded.files.iter())
        .map(|file| file.display().to_string())
        .collect();
    let read = format!("configuration {}", files.join(", "));
    let mut findings = vec![Finding::ok(CONFIG, read)];
    findings.extend(loaded.warnings.iter().map(|text| opened::warning(text)));
    findings.extend(last::site_change(loaded).map(|text| site_change(&text)));
    let opened = opens::open_all(config, running);
    let faults = opens::preventing(&opened);
    let is_read = |key: &str| {
        let mut entries = opened.iter().filter(|opened| opened.key == key);
        entries.all(|opened| opened.fault.is_none())
    };
    let (reads_broker, reads_fleet) = (is_read("mqtt.broker"), is_read(opens::FLEET_BROKER));
    findings.extend(super::machine(config, opened, of_root, clock::now()));
    findings.extend(super::groups(socket));
    let user = rustix::process::geteuid().as_raw();
    let main = loaded.files.first();
    findings.extend(main.and_then(|main| super::api_key::trust(main, &config.fleet, user)));
    let of_run = (!faults.is_empty()).then(|| choice::otherwise(loaded, &faults, running));
    findings.extend(of_run.iter().flat_map(super::otherwise));
    findings.extend(servers(config).await);
    if let (Some(broker), true) = (&config.broker, reads_broker) {
        say(&format!("checking the MQTT broker at {}", broker.url));
        findings.push(super::broker(broker, &config.site).await);
    }
    if let (Some(broker), true) = (&config.fleet.broker, reads_fleet) {
        say(&format!("checking central IT's broker at {}", broker.url));
        findings.push(super::centre(broker, &config.site).await);
    }
    let journal = tokio::task::block_in_place(|| super::journal(&config.data_dir, deep));
    let is_damaged = matches!(journal, Some((_, true)));
    findings.extend(journal.map(|(finding, _)| finding));
    let odoo = &config.odoo;
    let key = of_root
        .credentials
        .key()
        .filter(|_| odoo.api_key_file.is_none());
    if odoo.api_key_file.is_some() || key.is_some() {
        say(&format!(
            "checking Odoo at {}: each answer may take {} s",
            odoo.url,
            odoo.timeout_s.min(ANSWER_S_MAX)
        ));
        findings.extend(super::odoo_with_key(odoo, key, &config.orders).await);
    } else {
        findings.push(Finding::warn(
            "odoo",
            "Odoo is not checked: only the service can read the API key",
            "`check` cannot find a fault of the key, of the rights or of the link to Odoo",
            "run `stockrelay check` as root, or `stockrelay status` while the service runs: it shows whether the link to Odoo is up",
        ));
    }
    for finding in super::daemon(socket).await {
        // Skip what a finding above reports already.
        let message = finding.message();
        let is_new = !findings
            .iter()
            .any(|other| message.contains(&other.what) || other.message().ends_with(&finding.what));
        findings.extend(is_new.then_some(finding));
    }
    Report {
        findings,
        of_run,
        is_damaged,
    }
}

/// Names and certificates of the servers that the gateway calls.
async fn servers(config: &Config) -> Vec<Finding> {
    let broker = config.broker.as_ref();
    let centre = config.fleet.broker.as_ref();
    let servers = [
        Some((
            "odoo.url",
            config.odoo.url.as_str(),
            config.odoo.ca.as_deref(),
        )),
        broker.map(|it| ("mqtt.broker.url", it.url.as_str(), it.ca.as_deref())),
        centre.map(|it| ("fleet.broker", it.url.as_str(), it.ca.as_deref())),
    ];
    let now = clock::now();
    let mut findings = Vec::new();
    for (key, url, ca) in servers.into_iter().flatten() {
        findings.extend(network::dns(key, url).await);
        findings.extend(network::server_certificates(key, url, ca, now).await);
    }
    findings
}

fn site_change(text: &str) -> Finding {
    let (what, remedy) = text.split_once(". ").unwrap_or((text, ""));
    let (what, why) = what.split_once(": ").unwrap_or((what, ""));
    Finding::warn("site", what, why, remedy)
}
