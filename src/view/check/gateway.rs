//! Runs all checks of a configuration without faults: machine, broker, journal, Odoo, daemon.

use std::path::Path;

use super::odoo::ANSWER_S_MAX;
use super::{Credentials, Finding, Level};
use crate::choice::{self, Otherwise};
use crate::clock;
use crate::config::{Loaded, last};
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
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.level == Level::Fail)
    }
}

/// Runs all checks; `socket` is the daemon's. `say` prints a line before each check that may take
/// long.
pub async fn gateway(
    loaded: &Loaded,
    credentials: &Credentials,
    socket: &Path,
    say: impl Fn(&str),
) -> Report {
    let config = &loaded.config;
    let running = super::running(socket).await;
    let files: Vec<_> = (loaded.files.iter())
        .map(|file| file.display().to_string())
        .collect();
    let mut findings = vec![Finding::ok(format!("configuration {}", files.join(", ")))];
    let warnings = loaded.warnings.iter();
    findings.extend(warnings.map(|warning| Finding::warn(warning, "")));
    findings.extend(last::site_change(loaded).map(|what| Finding::warn(what, "")));
    let opened = opens::open_all(config, running);
    let faults = opens::preventing(&opened);
    let is_read = |key: &str| {
        let mut entries = opened.iter().filter(|opened| opened.key == key);
        entries.all(|opened| opened.fault.is_none())
    };
    let (reads_broker, reads_fleet) = (is_read("mqtt.broker"), is_read(opens::FLEET_BROKER));
    findings.extend(super::machine(config, opened, credentials, clock::now()));
    findings.extend(super::groups(socket));
    let user = rustix::process::geteuid().as_raw();
    let main = loaded.files.first();
    findings.extend(main.and_then(|main| super::trust(main, &config.fleet, user)));
    let of_run = (!faults.is_empty()).then(|| choice::otherwise(loaded, &faults, running));
    findings.extend(of_run.iter().flat_map(super::otherwise));
    if let (Some(broker), true) = (&config.broker, reads_broker) {
        say(&format!("checking the MQTT broker at {}", broker.url));
        findings.push(super::broker(broker, &config.site).await);
    }
    if let (Some(broker), true) = (&config.fleet.broker, reads_fleet) {
        say(&format!("checking central IT's broker at {}", broker.url));
        findings.push(super::centre(broker, &config.site).await);
    }
    let journal = super::journal(&config.data_dir);
    let is_damaged = matches!(journal, Some((_, true)));
    findings.extend(journal.map(|(finding, _)| finding));
    let odoo = &config.odoo;
    let key = credentials.key().filter(|_| odoo.api_key_file.is_none());
    if odoo.api_key_file.is_some() || key.is_some() {
        say(&format!(
            "checking Odoo at {}: each answer may take {} s",
            odoo.url,
            odoo.timeout_s.min(ANSWER_S_MAX)
        ));
        findings.extend(super::odoo_with_key(odoo, key, &config.orders).await);
    } else {
        findings.push(Finding::warn(
            "Odoo is not checked: only the service can read the API key",
            "run `stockrelay status` while the service runs: it shows whether the link to Odoo is up",
        ));
    }
    for finding in super::daemon(socket).await {
        // Skip what a finding above reports already.
        let (what, mut others) = (&finding.what, findings.iter().map(|other| &other.what));
        let is_new = others.all(|other| !what.ends_with(other) && !other.ends_with(what));
        findings.extend(is_new.then_some(finding));
    }
    Report {
        findings,
        of_run,
        is_damaged,
    }
}
