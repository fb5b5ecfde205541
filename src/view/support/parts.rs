//! The parts of a support bundle, each as far as it can be collected.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Part;
use super::redact::Redactor;
use crate::config::{ConfigError, Loaded};
use crate::source::devices;
use crate::source::devices::edit::Listed;
use crate::view::check::{self, OfRoot};
use crate::view::client::{Client, ClientError};
use crate::view::gateway::EffectiveView;
use crate::view::metrics;
use crate::view::records::{DocumentPage, DocumentView};
use crate::view::snapshot::Status;

/// Parked documents in the sample.
const PARKED_MAX: u64 = 20;
/// Lines of the system's log.
const JOURNAL_LINES: &str = "2000";
/// How long the system's log may take.
const JOURNAL_WITHIN: Duration = Duration::from_secs(10);

const README: &str = "\
This file was made by `stockrelay support-bundle` for a person who helps with this gateway.

Left out: passwords, keys, certificates and their hashes, payloads of scans, the texts and the
quantities of parked documents, and the names of people. \"(secret)\" and \"(person)\" stand for what
was replaced. Names of devices, bins, files and hosts are in it: read it before you send it.

A part that could not be collected says why.
";

/// What the parts are collected from.
pub struct Sources<'a> {
    pub client: &'a Client,
    pub socket: &'a Path,
    pub loaded: &'a Result<Loaded, ConfigError>,
    pub of_root: &'a OfRoot,
    pub now: Timestamp,
}

/// Collects all parts, without secrets and people.
pub async fn collect(sources: &Sources<'_>) -> Vec<Part> {
    let loaded = sources.loaded.as_ref().ok();
    let redactor = Redactor::of(loaded.map(|loaded| &loaded.config));
    let status = get::<Value>(sources.client, "/v1/status?since=shift").await;
    let typed = status.clone().and_then(|value| {
        serde_json::from_value::<Status>(value).map_err(|error| error.to_string())
    });
    let part = |name, what, text: String| Part { name, what, text };
    let json = |name, what, value: Result<Value, String>| {
        let value = value.unwrap_or_else(|why| json!({ "missing": why }));
        let text = serde_json::to_string_pretty(&redactor.json(value));
        part(name, what, text.unwrap_or_default() + "\n")
    };
    let text = |name, what, value: Result<String, String>| {
        let value = value.unwrap_or_else(|why| format!("missing: {why}\n"));
        part(name, what, redactor.text(&value))
    };
    vec![
        part("README.txt", "what is in this file", README.to_owned()),
        json(
            "versions.json",
            "versions of stockrelay and of the machine",
            Ok(versions(sources.now)),
        ),
        json(
            "status.json",
            "the state of the gateway, as `status --json`",
            status,
        ),
        json(
            "check.json",
            "the findings of `check`",
            findings(sources).await,
        ),
        json(
            "config.json",
            "the configuration in force: keys, values and origins",
            configuration(sources).await,
        ),
        json(
            "config-history.json",
            "which bundle was applied when",
            get(sources.client, "/v1/config/history").await,
        ),
        json(
            "pauses.json",
            "when the sending was paused",
            get(sources.client, "/v1/pause").await,
        ),
        json(
            "devices.json",
            "devices.toml without passwords",
            listed(loaded),
        ),
        json(
            "log.json",
            "the newest lines of the daemon's log",
            get(sources.client, "/v1/log?limit=500").await,
        ),
        text(
            "journalctl.txt",
            "the newest lines of the system's log of stockrelay",
            system_log().await,
        ),
        text(
            "metrics.txt",
            "the metrics, in Prometheus' text format",
            typed.map(metrics::render),
        ),
        json(
            "journal.json",
            "the files of data_dir: size, mode and owner",
            files(loaded),
        ),
        json(
            "parked.json",
            "parked documents without texts and quantities",
            parked(sources.client).await,
        ),
    ]
}

async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, String> {
    let answer: Result<T, ClientError> = client.get(path).await;
    answer.map_err(|error| error.to_string())
}

fn versions(now: Timestamp) -> Value {
    let system = rustix::system::uname();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned());
    json!({
        "at": now,
        "stockrelay": env!("CARGO_PKG_VERSION"),
        "demo": cfg!(feature = "demo"),
        "jemalloc": cfg!(feature = "jemalloc"),
        "system": name,
        "kernel": system.release().to_string_lossy(),
        "machine": system.machine().to_string_lossy(),
    })
}

async fn findings(sources: &Sources<'_>) -> Result<Value, String> {
    let loaded = match sources.loaded {
        Ok(loaded) => loaded,
        Err(error) => return Err(error.to_string()),
    };
    let quiet = |_: &str| ();
    let report = check::gateway(loaded, sources.of_root, sources.socket, None, quiet).await;
    serde_json::to_value(&report.findings).map_err(|error| error.to_string())
}

/// The configuration of the running daemon, else that of the files.
async fn configuration(sources: &Sources<'_>) -> Result<Value, String> {
    let running: Result<EffectiveView, String> = get(sources.client, "/v1/config/effective").await;
    let (from, view) = match (running, sources.loaded) {
        (Ok(view), _) => ("daemon", view),
        (Err(_), Ok(loaded)) => {
            let origin = |key: &str| loaded.origin(key);
            ("files", EffectiveView::of(&loaded.config, origin))
        }
        (Err(why), Err(error)) => return Err(format!("{why}; {error}")),
    };
    Ok(json!({ "from": from, "hash": view.hash, "keys": view.keys }))
}

fn listed(loaded: Option<&Loaded>) -> Result<Value, String> {
    let config = &loaded.ok_or("the configuration has a fault")?.config;
    let of_listen = config.listen.as_ref().and_then(|it| it.devices.as_deref());
    let of_broker = config.broker.as_ref().and_then(|it| it.devices.as_deref());
    let file = of_listen
        .or(of_broker)
        .ok_or("the configuration names no list of devices")?;
    let devices = devices::read(file).map_err(|error| error.to_string())?;
    let rows: Vec<_> = devices
        .iter()
        .map(|(name, device)| Listed::of(name, device))
        .collect();
    serde_json::to_value(rows).map_err(|error| error.to_string())
}

/// The newest lines that systemd has of the service.
async fn system_log() -> Result<String, String> {
    let mut command = Command::new("journalctl");
    command
        .args([
            "--unit",
            "stockrelay",
            "--no-pager",
            "--output",
            "short-iso",
        ])
        .args(["--lines", JOURNAL_LINES])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn();
    let child = child.map_err(|error| format!("journalctl: {error}"))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    let Ok(ended) = tokio::time::timeout(JOURNAL_WITHIN, ended).await else {
        // Its end ends the task above.
        let killed = pid.map(|pid| kill_process(pid, Signal::KILL));
        if let Some(Err(error)) = killed {
            tracing::debug!(%error, "journalctl has ended by itself");
        }
        return Err(format!("journalctl took more than {JOURNAL_WITHIN:?}"));
    };
    let output = ended.map_err(|error| error.to_string())?;
    let output = output.map_err(|error| format!("journalctl: {error}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        text.extend(["journalctl: ", why.trim(), "\n"]);
    }
    Ok(text)
}

/// The files of `data_dir` and of its folders: names and sizes alone.
fn files(loaded: Option<&Loaded>) -> Result<Value, String> {
    let root = &loaded
        .ok_or("the configuration has a fault")?
        .config
        .data_dir;
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            // Of a link itself, so that no circle is followed.
            let Ok(found) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            if found.is_dir() {
                folders.push(path.clone());
            }
            files.push(json!({
                "file": path.strip_prefix(root).unwrap_or(&path).display().to_string(),
                "bytes": found.len(),
                "mode": format!("{:o}", found.mode() & 0o7777),
                "uid": found.uid(),
                "gid": found.gid(),
                "modified": Timestamp::from_second(found.mtime()).ok(),
            }));
        }
    }
    files.sort_by_key(|file| file["file"].to_string());
    Ok(json!({ "data_dir": root, "files": files }))
}

/// The newest parked documents: what the gateway decided, not what people scanned.
async fn parked(client: &Client) -> Result<Value, String> {
    let page: DocumentPage = get(client, &format!("/v1/parked?limit={PARKED_MAX}")).await?;
    Ok(page.documents.iter().map(without_content).collect())
}

fn without_content(document: &DocumentView) -> Value {
    let reason = document.reason.as_ref();
    let lines: Vec<Value> = (document.lines.iter())
        .map(|line| {
            json!({
                "product_chars": line.product.chars().count(),
                "has_from": line.from.is_some(),
                "has_to": line.to.is_some(),
                "has_lot": line.lot.is_some(),
                "has_package": line.package.is_some(),
            })
        })
        .collect();
    json!({
        "number": document.number,
        "key": document.key,
        "state": document.state,
        "purpose": document.purpose,
        "has_order": document.order.is_some(),
        "corrects": document.corrects,
        "flags": document.flags,
        "lines": lines,
        "events": document.events,
        "occurred": document.occurred,
        "sealed": document.sealed,
        "since": document.since,
        "attempts": document.attempts,
        "code": reason.map(|reason| reason.code.as_str().to_owned()),
        "message_chars": reason.map(|reason| reason.message.chars().count()),
        "has_picking": document.odoo_id.is_some(),
    })
}
