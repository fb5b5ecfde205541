//! The cost of single events: time, writes and syncs of each.

use std::fmt;

use crate::compare::Figure;
use crate::percentile::Percentiles;
use crate::process::Usage;
use crate::trace::Traced;

/// What each of some events cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub times: Percentiles,
    /// `None`: there is no strace.
    pub calls: Option<Calls>,
    /// `write_bytes` of the kernel, in bytes: whole folios of the page cache.
    pub folios: f64,
    /// Writes of the disk by the whole machine, in bytes. `None`: unknown.
    pub device: Option<f64>,
}

/// What strace shows of each of some events.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Bytes of written blocks.
    pub written: f64,
    pub syncs: f64,
}

impl Calls {
    pub fn of(traced: Traced, events: u64) -> Self {
        Self {
            written: traced.written_bytes as f64 / events as f64,
            syncs: traced.syncs as f64 / events as f64,
        }
    }
}

impl Cost {
    /// The cost of each of `events`, without strace, and of others, with strace.
    pub fn of(events: u64, times: Percentiles, used: Usage, calls: Option<Calls>) -> Self {
        let each = |bytes: u64| bytes as f64 / events as f64;
        Self {
            times,
            calls,
            folios: each(used.written_bytes),
            device: used.device_bytes.map(each),
        }
    }

    /// Figures whose names begin with `what`.
    pub fn figures(&self, what: &str) -> Vec<Figure> {
        let named = [
            ("p50, ms", Some(self.times.p50)),
            ("p99, ms", Some(self.times.p99)),
            ("blocks, B/event", self.calls.map(|calls| calls.written)),
            ("syncs an event", self.calls.map(|calls| calls.syncs)),
            ("folios, B/event", Some(self.folios)),
            ("device, B/event", self.device),
        ];
        (named.into_iter())
            .filter_map(|(name, value)| {
                let name = format!("{what}: {name}");
                Some(Figure {
                    name,
                    value: value?,
                })
            })
            .collect()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; an event:", self.times)?;
        if let Some(calls) = self.calls {
            let Calls { written, syncs } = calls;
            write!(f, " {syncs:.2} syncs, {written:.0} B in blocks,")?;
        }
        write!(f, " {:.0} B in folios", self.folios)?;
        if let Some(device) = self.device {
            write!(f, ", {device:.0} B of the device")?;
        }
        Ok(())
    }
}
