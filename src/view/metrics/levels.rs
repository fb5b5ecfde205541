//! The service levels, counts by reason, and what ends when: expiries and the room on the disk.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::Out;
use crate::board::ConfigOrigin;
use crate::board::levels::{HistogramView, LevelsView};
use crate::view::snapshot::Status;

impl Out<'_> {
    pub(super) fn levels(&mut self, levels: &LevelsView) -> fmt::Result {
        self.histogram(
            "puback_duration",
            "From the receipt of a scan or event with QoS 1 or 2 to its acknowledgement",
            &levels.puback,
        )?;
        self.histogram(
            "movement_duration",
            "From the beep of a movement to its posting in Odoo; a movement counts when it is posted",
            &levels.in_odoo,
        )?;
        let mut family = self.0.encode_descriptor(
            "odoo_call_duration",
            "Duration of the requests to Odoo by kind, with and without an answer",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (kind, view) in &levels.calls {
            encode(view, &mut family.encode_family(&[("kind", *kind)])?)?;
        }
        let reasons = &levels.reasons;
        self.reasons(
            "readings_rejected",
            "Rejected readings by code, since the daemon started",
            "code",
            &reasons.rejected,
        )?;
        self.reasons(
            "documents_parked",
            "How often a document was parked, by code, since the daemon started",
            "code",
            &reasons.parked,
        )?;
        self.reasons(
            "devices_refused",
            "How often the front door refused or disconnected a device, since the daemon started",
            "reason",
            &reasons.refused,
        )
    }

    pub(super) fn health(&mut self, status: &Status, now: Timestamp) -> fmt::Result {
        if !status.expires.is_empty() {
            let mut family = self.0.encode_descriptor(
                "expiry_timestamp",
                "When a key, a certificate or the bundle expires, in Unix time",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?;
            for (what, at) in &status.expires {
                let gauge = ConstGauge::new(at.as_second());
                gauge.encode(family.encode_family(&[("what", what.as_str())])?)?;
            }
        }
        if let Some(ahead_ms) = status.odoo.clock_ahead_ms {
            let ahead = Duration::from_millis(ahead_ms.unsigned_abs()).as_secs_f64();
            self.gauge(
                "odoo_clock_offset",
                "By how much the gateway's clock is ahead of Odoo's; below 0: behind",
                Some(&Unit::Seconds),
                if ahead_ms < 0 { -ahead } else { ahead },
            )?;
        }
        let left = [
            ("disk_left", status.journal.disk_left(now)),
            ("journal_budget_left", status.journal.budget_left(now)),
        ];
        for (name, left) in left {
            if let Some(left) = left {
                let help = "Time until there is no room, at today's rate of the journal";
                self.gauge(name, help, Some(&Unit::Seconds), left.as_secs())?;
            }
        }
        if let Some(serial) = status.config.serial {
            self.gauge(
                "config_serial",
                "Serial of the bundle that runs",
                None,
                serial,
            )?;
        }
        let origin = match status.config.origin {
            ConfigOrigin::Files => "files",
            ConfigOrigin::Bundle => "bundle",
        };
        let mut info = self.0.encode_descriptor(
            "config_info",
            "Always 1, with the hash and the origin of the configuration that runs as labels",
            None,
            MetricType::Gauge,
        )?;
        let labels = [("hash", status.config.hash.as_str()), ("origin", origin)];
        ConstGauge::new(1_u64).encode(info.encode_family(&labels)?)
    }

    fn histogram(&mut self, name: &str, help: &str, view: &HistogramView) -> fmt::Result {
        let kind = MetricType::Histogram;
        let unit = Some(&Unit::Seconds);
        encode(view, &mut self.0.encode_descriptor(name, help, unit, kind)?)
    }

    fn reasons(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: &BTreeMap<String, u64>,
    ) -> fmt::Result {
        if counts.is_empty() {
            return Ok(());
        }
        let mut family = (self.0).encode_descriptor(name, help, None, MetricType::Counter)?;
        for (reason, count) in counts {
            let labels = [(label, reason.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn encode(view: &HistogramView, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    let bounds = view.bounds_ms.iter();
    let bounds = bounds.map(|ms| Duration::from_millis(*ms).as_secs_f64());
    let bounds = bounds.chain([f64::INFINITY]);
    let buckets: Vec<_> = bounds.zip(view.counts.iter().copied()).collect();
    let (sum, count) = (view.sum.as_secs_f64(), view.count());
    encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}
