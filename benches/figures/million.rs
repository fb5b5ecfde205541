//! Up to ten million events: how the rate, the longest pause, memory and disk change with what is
//! stored, and the start after SIGKILL.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::compare::{Figure, rounds};
use crate::cost::{Calls, Cost};
use crate::daemon::{Gateway, Setup};
use crate::load::{Acknowledged, Ids, Load};
use crate::percentile::Percentiles;
use crate::process::{Usage, wait_quiet};
use crate::trace::Trace;
use crate::{DEVICES, IN_FLIGHT};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const EVENTS: u64 = 1_000_000;
/// A part of a run up to a million events, and the first part of a longer run.
const PART: u64 = 100_000;
const PART_OF_MORE: u64 = 1_000_000;
/// More events than this do not fit into the gateway's default budget.
pub const DEFAULT_BUDGET_EVENTS: u64 = 3_000_000;
/// Events of a probe with one in flight. A second probe of the same length counts syncs.
const PROBE_EVENTS: u64 = 300;
/// No event of the load has this number or a greater one.
pub const PROBE_NUMBERS: u64 = 1 << 40;

pub async fn million(arguments: &Arguments) -> Answer<()> {
    let events = arguments.events.unwrap_or(EVENTS) / DEVICES as u64 * DEVICES as u64;
    let setup = setup(arguments, events);
    println!(
        "million: {DEVICES} devices, QoS 1, {IN_FLIGHT} in flight, random ids, link to Odoo down; {}",
        budget_text(&setup)
    );
    rounds(arguments, async |program| {
        run(&setup, program, events).await
    })
    .await
}

/// The gateway's setup for a journal with this many events.
pub fn setup(arguments: &Arguments, events: u64) -> Setup {
    let more = (events > DEFAULT_BUDGET_EVENTS).then_some("16 GiB");
    let budget = arguments.budget.as_deref().or(more);
    Setup {
        more: budget.map_or_else(String::new, |size| {
            format!("[journal]\nbudget = {size:?}\n")
        }),
        ..Setup::default()
    }
}

/// The budget, for people.
pub fn budget_text(setup: &Setup) -> String {
    let budget = setup.more.split('"').nth(1);
    format!("budget of the journal: {}", budget.unwrap_or("the default"))
}

/// The counts of stored events at which a part of the load ends.
fn ends(events: u64) -> Vec<u64> {
    let part = if events > PART_OF_MORE {
        PART_OF_MORE
    } else {
        PART
    };
    let mut ends = vec![PART.min(events)];
    ends.extend((1..events.div_ceil(part)).map(|number| number * part));
    ends.push(events);
    ends.sort_unstable();
    ends.dedup();
    ends
}

async fn run(setup: &Setup, program: &Path, events: u64) -> Answer<Vec<Figure>> {
    let mut gateway = Gateway::start_as(&Setup {
        program: Some(program.to_owned()),
        ..setup.clone()
    })?;
    println!("{}", Row::HEAD);
    let mut figures = Vec::new();
    let mut first = None;
    let (mut begin, mut probed, mut last) = (0, 0, 0.0);
    for end in ends(events) {
        let is_probed = end == PART || end % PART_OF_MORE == 0 || end == events;
        let row = part(&gateway, begin..end, &mut probed, is_probed).await?;
        println!("{row}");
        figures.extend(row.figures());
        last = row.rate;
        first.get_or_insert(row.rate);
        begin = end;
    }
    let ratio = last / first.unwrap_or(last);
    println!("  rate at {events} against the first {PART}: {ratio:.2}");
    figures.push(figure("rate at the end against the first 100,000", ratio));
    gateway.kill()?;
    let how = gateway.drop_page_cache()?;
    let ready = gateway.restart()?.as_secs_f64() * 1e3;
    println!("  ready {ready:.0} ms after a start that follows SIGKILL; {how}");
    figures.push(figure("start after SIGKILL, ms", ready));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (resident, most) = (gateway.resident_mib()?, gateway.resident_most_mib()?);
    println!("  resident with them stored: {resident:.1} MiB, at most {most:.1} MiB");
    figures.push(figure("resident after the start, MiB", resident));
    gateway.stop()?;
    let bytes = gateway.disk_use()?.allocated as f64 / (events + probed) as f64;
    println!("  on disk when stopped: {bytes:.0} bytes an event");
    figures.push(figure("on disk when stopped, bytes an event", bytes));
    let binary = std::fs::metadata(program)?.len() as f64 / 1_048_576.0;
    println!("  binary: {binary:.2} MiB");
    figures.push(figure("binary, MiB", binary));
    Ok(figures)
}

fn figure(name: &str, value: f64) -> Figure {
    Figure {
        name: name.to_owned(),
        value,
    }
}

/// Publishes a part of the load, and then, if wanted, a probe of single events, which begins when
/// the gateway is quiet: until then its work counts as work of the load.
async fn part(
    gateway: &Gateway,
    numbers: std::ops::Range<u64>,
    probed: &mut u64,
    is_probed: bool,
) -> Answer<Row> {
    let load = Load {
        address: gateway.address(),
        devices: DEVICES,
        in_flight: IN_FLIGHT,
        ids: Ids::Random,
    };
    let count = numbers.end - numbers.start;
    let before = gateway.usage()?;
    let acknowledged = load.publish(numbers.start, count).await?;
    if is_probed {
        wait_quiet(gateway.pid()).await?;
    }
    let used = gateway.usage()?.since(before);
    let mut row = Row::of(gateway, numbers.end, *probed, count, acknowledged, used)?;
    if is_probed {
        row.probe = Some(probe(gateway, probed).await?);
    }
    Ok(row)
}

/// Single events, one in flight: first without strace, which slows them down, and then with it.
async fn probe(gateway: &Gateway, probed: &mut u64) -> Answer<Cost> {
    let load = Load {
        address: gateway.address(),
        devices: 1,
        in_flight: 1,
        ids: Ids::Random,
    };
    let before = gateway.usage()?;
    let first = PROBE_NUMBERS + *probed;
    let times = Percentiles::of(load.latencies(first, PROBE_EVENTS).await?);
    wait_quiet(gateway.pid()).await?;
    let used = gateway.usage()?.since(before);
    *probed += PROBE_EVENTS;
    let mut calls = None;
    if let Some(trace) = Trace::start(gateway.pid())? {
        let first = PROBE_NUMBERS + *probed;
        load.latencies(first, PROBE_EVENTS).await?;
        wait_quiet(gateway.pid()).await?;
        *probed += PROBE_EVENTS;
        let traced = trace.stop(&gateway.data_dir())?;
        calls = Some(Calls::of(traced, PROBE_EVENTS));
    }
    Ok(Cost::of(PROBE_EVENTS, times, used, calls))
}

/// A part of the load.
struct Row {
    stored: u64,
    /// Acknowledged events a second.
    rate: f64,
    p99_ms: f64,
    pause_ms: f64,
    /// Processor time of the gateway for 100,000 events, in s.
    processor_s: f64,
    resident_mib: f64,
    resident_most_mib: f64,
    /// For each event of the part, in bytes, as in [`Cost`].
    folios: f64,
    device: Option<f64>,
    /// Bytes of the data directory for each stored event.
    length: f64,
    allocated: f64,
    /// Single events after the part.
    probe: Option<Cost>,
}

impl Row {
    const HEAD: &str = "     stored  acked/s  p99 ms  pause ms  cpu s/100k  RSS MiB  HWM MiB  folios B/ev  device B/ev  files B/ev  on disk B/ev";

    /// `count`: the events of the part; `probed`: the events of all earlier probes.
    fn of(
        gateway: &Gateway,
        stored: u64,
        probed: u64,
        count: u64,
        acknowledged: Acknowledged,
        used: Usage,
    ) -> Answer<Self> {
        let disk = gateway.disk_use()?;
        let all = (stored + probed) as f64;
        Ok(Self {
            stored,
            rate: count as f64 / acknowledged.took.as_secs_f64(),
            p99_ms: Percentiles::of(acknowledged.times).p99,
            pause_ms: acknowledged.longest_pause.as_secs_f64() * 1e3,
            processor_s: used.processor.as_secs_f64() * 1e5 / count as f64,
            resident_mib: gateway.resident_mib()?,
            resident_most_mib: gateway.resident_most_mib()?,
            folios: used.written_bytes as f64 / count as f64,
            device: used.device_bytes.map(|bytes| bytes as f64 / count as f64),
            length: disk.length as f64 / all,
            allocated: disk.allocated as f64 / all,
            probe: None,
        })
    }

    fn figures(&self) -> Vec<Figure> {
        let named = [
            ("acknowledged/s", Some(self.rate)),
            ("p99, ms", Some(self.p99_ms)),
            ("longest pause, ms", Some(self.pause_ms)),
            ("cpu, s per 100,000", Some(self.processor_s)),
            ("resident, MiB", Some(self.resident_mib)),
            ("resident at most, MiB", Some(self.resident_most_mib)),
            ("folios, B/event", Some(self.folios)),
            ("device, B/event", self.device),
            ("files, B/event", Some(self.length)),
            ("on disk, B/event", Some(self.allocated)),
        ];
        let stored = self.stored;
        let mut figures: Vec<Figure> = (named.into_iter())
            .filter_map(|(name, value)| Some(figure(&format!("{stored}: {name}"), value?)))
            .collect();
        if let Some(probe) = self.probe {
            figures.extend(probe.figures(&format!("{stored}: one in flight")));
        }
        figures
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = self
            .device
            .map_or_else(|| "?".to_owned(), |bytes| format!("{bytes:.0}"));
        write!(
            f,
            "{:>11}{:>9.0}{:>8.0}{:>10.0}{:>12.2}{:>9.1}{:>9.1}{:>13.0}{device:>13}{:>12.0}{:>14.0}",
            self.stored,
            self.rate,
            self.p99_ms,
            self.pause_ms,
            self.processor_s,
            self.resident_mib,
            self.resident_most_mib,
            self.folios,
            self.length,
            self.allocated
        )?;
        if let Some(probe) = &self.probe {
            write!(f, "\n{:>11}one in flight: {probe}", "")?;
        }
        Ok(())
    }
}
