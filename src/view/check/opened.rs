//! What the daemon opens, as findings, and what `run` does while something cannot be opened.

use super::{Finding, Level};
use crate::choice::Otherwise;
use crate::config::{ConfigError, Fault};
use crate::opens::{Effect, Opened};

/// The finding about something that the daemon opens.
pub(super) fn finding(opened: Opened) -> Finding {
    let Opened {
        key,
        what,
        effect,
        fault,
    } = opened;
    let Some(fault) = fault else {
        return Finding::ok(key, format!("{key} {what}"));
    };
    let otherwise = format!("correct {key} or {what}");
    Finding::of_message(level(effect), key, &fault.text, why(effect), &otherwise)
}

fn level(effect: Effect) -> Level {
    match effect {
        Effect::NoStart | Effect::LinkHeld | Effect::LastList => Level::Fail,
        Effect::Without => Level::Warn,
    }
}

/// What the fault prevents.
pub(super) fn why(effect: Effect) -> &'static str {
    match effect {
        Effect::NoStart => "the gateway does not start with this configuration",
        Effect::LinkHeld => "the gateway stores scans, but sends nothing to Odoo",
        Effect::LastList => {
            "the gateway uses the last valid list: later changes in the file have no effect"
        }
        Effect::Without => "the gateway starts without it, and retries",
    }
}

/// Why `config::load` failed: each fault is a finding.
#[must_use]
pub fn unreadable(error: &ConfigError) -> Vec<Finding> {
    let why = "the gateway does not start with this configuration";
    match error {
        ConfigError::Missing(_) => {
            let text = error.to_string();
            let (what, remedy) = text.split_once(": ").unwrap_or((&text, ""));
            vec![Finding::fail(CONFIG, what, why, remedy)]
        }
        ConfigError::Faults(faults) => faults
            .iter()
            .map(|fault| Finding::fail(CONFIG, fault.what(), why, remedy(fault)))
            .collect(),
    }
}

/// The name of findings about the configuration as a whole.
pub(super) const CONFIG: &str = "config";

/// A warning of the configuration, of the form `what: why; remedy`.
pub(super) fn warning(text: &str) -> Finding {
    let mut finding = Finding::of_message(
        Level::Warn,
        CONFIG,
        text,
        "",
        "correct it, or leave it as it is",
    );
    if let Some((what, why)) = finding.what.split_once(": ") {
        (finding.what, finding.why) = (what.to_owned(), why.to_owned());
    }
    finding
}

fn remedy(fault: &Fault) -> String {
    let subject = match (fault.key.as_str(), &fault.origin) {
        ("", Some(origin)) => origin.clone(),
        (key, Some(origin)) => format!("{key} in {origin}"),
        (key, None) => key.to_owned(),
    };
    format!("correct {subject}: accepted is {}", fault.accepted)
}

/// Describes what `run` does while this configuration cannot be used.
#[must_use]
pub fn otherwise(of_run: &Otherwise) -> Vec<Finding> {
    const RUN: &str = "run";
    let no_last = match of_run {
        Otherwise::Person(no_last) => no_last.text(),
        _ => None,
    };
    let then = match of_run {
        Otherwise::Last(last) => Finding::warn(
            RUN,
            format!(
                "`stockrelay run` uses the last good configuration, {}",
                last.file.display()
            ),
            "your changes since then have no effect",
            "correct the faults, then run `stockrelay config reload` or restart stockrelay",
        ),
        Otherwise::Retry => Finding::fail(
            RUN,
            "`stockrelay run` ends with exit code 1, and systemd restarts it until it can open everything",
            "until then the gateway stores no scan",
            "correct the faults",
        ),
        Otherwise::Person(_) => Finding::fail(
            RUN,
            "`stockrelay run` has no configuration that it can use: it ends with exit code 64, and systemd does not restart it",
            "the gateway stores no scan",
            "correct the faults, then run `systemctl start stockrelay`",
        ),
    };
    let no_last = no_last.map(|text| {
        Finding::warn(
            RUN,
            text,
            "`stockrelay run` cannot use it instead of a configuration with faults",
            "correct the faults of the present configuration",
        )
    });
    no_last.into_iter().chain([then]).collect()
}
