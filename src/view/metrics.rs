//! `/metrics`, in the format that the scraper requests, and `/healthz`, on `control.metrics`.
//!
//! Each scrape reads one [`Status`], so the numbers add up. `docs/metrics.md` lists the names.
//! Healthy means that the gateway stores events: a link to Odoo that is down is no reason to
//! restart it.

mod format;
mod levels;

use std::fmt;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use self::format::Format;
use super::gateway::Gateway;
use super::snapshot::Status;
use crate::board::Link;
use crate::clock;

/// The longest time that a connection may last: a scrape is short.
pub const CONNECTION_LIFETIME: Duration = Duration::from_mins(1);

pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .with_state(gateway)
}

async fn metrics(State(gateway): State<Gateway>, asked: HeaderMap) -> impl IntoResponse {
    // A header may have several lines, which form one list (RFC 9110, 5.3).
    let accept: Vec<&str> = asked
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let format = Format::of(&accept.join(","));
    match gateway.status(None).await {
        Some(Ok(status)) => {
            let headers = [(header::CONTENT_TYPE, format.content_type())];
            (StatusCode::OK, headers, text(status, format))
        }
        Some(Err(error)) => failed(format!("{error}\n")),
        None => {
            failed("the daemon is stopping and does not create the metrics: send the request again when it runs\n".to_owned())
        }
    }
}

fn failed(why: String) -> (StatusCode, [(header::HeaderName, &'static str); 1], String) {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::INTERNAL_SERVER_ERROR, headers, why)
}

async fn healthz(State(gateway): State<Gateway>) -> impl IntoResponse {
    // The writer owns the other end of the watch, which is closed when the writer has ended.
    let stopped = gateway.journal.watch().has_changed().is_err();
    let totals = gateway.journal.totals();
    let reasons = reasons(totals.full, totals.disk_full, stopped);
    if reasons.is_empty() {
        (StatusCode::OK, Json(serde_json::json!({"ok": true})))
    } else {
        let answer = serde_json::json!({"ok": false, "reasons": reasons});
        (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
    }
}

fn reasons(full: bool, disk_full: bool, stopped: bool) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    if disk_full {
        reasons.push("the disk of the journal is full: the gateway acknowledges nothing");
    } else if full {
        reasons.push("the journal is full: the gateway acknowledges nothing");
    }
    if stopped {
        reasons.push("the journal's writer has stopped: the gateway acknowledges nothing");
    }
    reasons
}

/// All metrics of one status, in Prometheus' text format.
#[must_use]
pub fn render(status: Status) -> String {
    text(status, Format::Text)
}

/// Encodes all metrics of one status.
fn text(status: Status, format: Format) -> String {
    let mut registry = Registry::with_prefix("stockrelay");
    registry.register_collector(Box::new(Metrics(status)));
    let mut text = String::new();
    // Writing into a string fails only if `Metrics` fails.
    if encode(&mut text, &registry).is_err() {
        text.clear();
    }
    match format {
        Format::OpenMetrics => text,
        Format::Text => format::to_text(&text),
    }
}

#[derive(Debug)]
struct Metrics(Status);

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut out = Out(encoder);
        out.journal(&self.0)?;
        out.documents(&self.0)?;
        out.odoo(&self.0)?;
        out.floor(&self.0)?;
        out.levels(&self.0.levels)?;
        out.health(&self.0, clock::now())
    }
}

struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn journal(&mut self, status: &Status) -> fmt::Result {
        let events = &status.events;
        self.counter(
            "events_stored",
            "Events stored since the journal was created",
            events.stored,
        )?;
        self.counter(
            "events_possible_repeat",
            "Stored events that their devices may have sent twice, without an id",
            events.possible_repeats,
        )?;
        self.counter(
            "events_duplicate",
            "Readings that were duplicates of a stored event",
            events.duplicates,
        )?;
        self.counter("events_rejected", "Rejected readings", events.rejected)?;
        self.gauge(
            "rejected_open",
            "Rejected readings that neither a person nor their device has settled",
            None,
            events.rejected_open,
        )?;
        self.gauge(
            "unused_scans",
            "Raw scans of devices without a flow that no person has dismissed",
            None,
            events.unused_scans,
        )?;
        let counts = [
            ("open", events.open),
            ("waiting", events.waiting),
            ("sending", events.sending),
            ("posted", events.posted),
            ("parked", events.parked),
            ("no_document", events.no_document),
        ];
        self.states(
            "events",
            "Stored events by state; the states add up to stockrelay_events_stored",
            &counts,
        )?;
        let journal = &status.journal;
        self.gauge(
            "journal",
            "Size of the journal's file",
            Some(&Unit::Bytes),
            journal.bytes,
        )?;
        self.gauge(
            "journal_budget",
            "Size at which the gateway stops acknowledging",
            Some(&Unit::Bytes),
            journal.budget_bytes,
        )?;
        self.gauge(
            "journal_full",
            "1 while the journal is full, so that the gateway acknowledges nothing; else 0",
            None,
            u64::from(journal.full),
        )?;
        if let Some(bytes) = journal.disk_free_bytes {
            self.gauge(
                "journal_disk_free",
                "Free space on the disk of the journal",
                Some(&Unit::Bytes),
                bytes,
            )?;
        }
        self.gauge(
            "clock_trusted",
            "1 while the gateway trusts its clock; else 0",
            None,
            u64::from(status.clock.trusted),
        )?;
        self.counter(
            "journal_commits",
            "Durable commits since the daemon started",
            journal.commits,
        )
    }

    fn documents(&mut self, status: &Status) -> fmt::Result {
        let documents = &status.documents;
        let counts = [
            ("open", documents.open),
            ("waiting", documents.waiting),
            ("sending", documents.sending),
            ("posted", documents.posted),
            ("parked", documents.parked),
            ("discarded", documents.discarded),
        ];
        self.states("documents", "Documents by state", &counts)?;
        let lines = &status.lines;
        let counts = [
            ("waiting", lines.waiting),
            ("sending", lines.sending),
            ("posted", lines.posted),
            ("parked", lines.parked),
            ("discarded", lines.discarded),
        ];
        self.states("lines", "Lines of sealed documents by state", &counts)?;
        self.gauge(
            "oldest_waiting",
            "Age of the oldest event that is neither posted, parked nor discarded; 0 without one",
            Some(&Unit::Seconds),
            status.oldest_waiting_s,
        )
    }

    fn odoo(&mut self, status: &Status) -> fmt::Result {
        let odoo = &status.odoo;
        let links = [
            ("starting", u64::from(odoo.link == Link::Starting)),
            ("up", u64::from(odoo.link == Link::Up)),
            ("down", u64::from(odoo.link == Link::Down)),
            ("held", u64::from(odoo.link == Link::Held)),
        ];
        self.states(
            "odoo_link",
            "1 for the state that the link to Odoo is in",
            &links,
        )?;
        self.gauge(
            "paused",
            "1 while a person has paused the sending to Odoo; else 0",
            None,
            u64::from(status.pause.is_some()),
        )?;
        if let Some(latency_ms) = odoo.latency_ms {
            let seconds = Duration::from_millis(latency_ms).as_secs_f64();
            self.gauge(
                "odoo_latency",
                "Duration of the last call",
                Some(&Unit::Seconds),
                seconds,
            )?;
        }
        self.gauge(
            "odoo_batch_lines",
            "Maximum of lines in the next call",
            None,
            odoo.batch_lines as u64,
        )?;
        for (name, help, at) in [
            (
                "odoo_last_success_timestamp",
                "When Odoo last answered without an error, in Unix time",
                odoo.last_success,
            ),
            (
                "odoo_copy_refreshed_timestamp",
                "When the copy of master data was last refreshed, in Unix time",
                odoo.copy_refreshed,
            ),
        ] {
            if let Some(at) = at {
                self.gauge(name, help, Some(&Unit::Seconds), at.as_second())?;
            }
        }
        Ok(())
    }

    fn floor(&mut self, status: &Status) -> fmt::Result {
        let up: Vec<_> = (status.sources.iter())
            .map(|source| (source.name.as_str(), u64::from(source.view.state == "up")))
            .collect();
        self.family("source_up", "1 while the source is up", "source", &up)?;
        let devices: Vec<_> = (status.sources.iter())
            .map(|source| (source.name.as_str(), source.view.devices))
            .collect();
        self.family(
            "source_devices",
            "Devices connected through the source",
            "source",
            &devices,
        )?;
        self.gauge(
            "devices_known",
            "Devices that have connected or sent something since the daemon started",
            None,
            status.devices.known,
        )?;
        self.gauge(
            "devices_online",
            "Devices connected now",
            None,
            status.devices.online,
        )?;
        self.gauge(
            "devices_drift",
            "Devices that do not use the configuration that they should",
            None,
            status.devices.drift,
        )?;
        let alarms: Vec<_> = status
            .alarms
            .keys()
            .map(|code| (code.as_str(), 1))
            .collect();
        self.family("alarm", "1 for each alarm that is raised", "code", &alarms)?;
        self.gauge(
            "uptime",
            "Time since the daemon started",
            Some(&Unit::Seconds),
            status.uptime_s,
        )?;
        let descriptor = self.0.encode_descriptor(
            "build_info",
            "Always 1, with the version and the site as labels",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        );
        let labels = [
            ("version", status.version.as_str()),
            ("site", status.site.as_str()),
        ];
        ConstGauge::new(1_u64).encode(descriptor?.encode_family(&labels)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        let kind = counter.metric_type();
        counter.encode(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn gauge<N>(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: N) -> fmt::Result
    where
        ConstGauge<N>: EncodeMetric,
    {
        let gauge = ConstGauge::new(value);
        let kind = gauge.metric_type();
        gauge.encode(self.0.encode_descriptor(name, help, unit, kind)?)
    }

    fn states(&mut self, name: &str, help: &str, values: &[(&str, u64)]) -> fmt::Result {
        self.family(name, help, "state", values)
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: &[(&str, u64)],
    ) -> fmt::Result {
        if values.is_empty() {
            return Ok(());
        }
        let kind = prometheus_client::metrics::MetricType::Gauge;
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (value, number) in values {
            ConstGauge::new(*number).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }
}
