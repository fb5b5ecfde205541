//! Single events: what each costs the disk, one in flight and one a second, and what a gateway
//! writes while its devices send nothing.

use std::time::Duration;

use stockrelay::clock;
use tokio::time::MissedTickBehavior;

use crate::arguments::Arguments;
use crate::baseline::Commits;
use crate::compare::{Figure, rounds};
use crate::cost::{Calls, Cost};
use crate::daemon::{Gateway, Setup};
use crate::load::{Device, Ids, Load, payload};
use crate::million::{PROBE_NUMBERS, budget_text, setup};
use crate::percentile::Percentiles;
use crate::process::wait_quiet;
use crate::trace::Trace;
use crate::{DEVICES, IN_FLIGHT};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many events are stored before the single ones.
const STORED: [u64; 2] = [0, 300_000];
/// Events one after the other, and those whose syncs strace counts.
const EVENTS: u64 = 2_000;
const COUNTED_EVENTS: u64 = 300;
/// The devices that send one event a second, all together.
const SLOW_DEVICES: usize = 20;
/// Devices send PINGREQ in time for their keep-alive of 60 s.
const PING_EVERY: Duration = Duration::from_secs(20);
const DAY_SECONDS: f64 = 86_400.0;

pub async fn single(arguments: &Arguments) -> Answer<()> {
    let stored: Vec<u64> = arguments
        .events
        .map_or_else(|| STORED.to_vec(), |n| vec![n]);
    let setup = setup(arguments, stored.iter().max().copied().unwrap_or_default());
    println!(
        "single: link to Odoo down; each figure includes the work until the gateway is quiet; {}",
        budget_text(&setup)
    );
    rounds(arguments, async |program| {
        let mut report = Report::default();
        baselines(&mut report)?;
        for stored in &stored {
            let setup = Setup {
                program: Some(program.to_owned()),
                ..setup.clone()
            };
            run(arguments, &setup, *stored, &mut report).await?;
        }
        Ok(report.0)
    })
    .await
}

/// The figures of one run, which are printed as they come.
#[derive(Default)]
struct Report(Vec<Figure>);

impl Report {
    fn add(&mut self, what: &str, name: &str, value: f64) {
        let name = format!("{what}: {name}");
        self.0.push(Figure { name, value });
    }

    fn events(&mut self, what: &str, cost: Cost) {
        println!("  {what}: {cost}");
        self.0.extend(cost.figures(what));
    }

    fn day(&mut self, what: &str, bytes_a_second: f64) {
        let megabytes = bytes_a_second * DAY_SECONDS / 1e6;
        println!("    in blocks that is {megabytes:.1} MB a day");
        self.add(what, "blocks, MB a day", megabytes);
    }
}

fn baselines(report: &mut Report) -> Answer<()> {
    let mut redb = Commits::to_redb()?;
    let cost = redb.measure(EVENTS, COUNTED_EVENTS, Ids::Random)?;
    report.events("bare redb, one commit an event", cost);
    for (what, fill_bytes) in [
        ("append of 300 bytes and fdatasync", 4_096),
        // The kernel counts other bytes for the same writes.
        ("the same, the file filled by writes of 1 MiB", 1 << 20),
    ] {
        let mut file = Commits::to_file(EVENTS + COUNTED_EVENTS, fill_bytes)?;
        let cost = file.measure(EVENTS, COUNTED_EVENTS, Ids::Random)?;
        report.events(what, cost);
    }
    Ok(())
}

async fn run(arguments: &Arguments, setup: &Setup, stored: u64, report: &mut Report) -> Answer<()> {
    let mut gateway = Gateway::start_as(setup)?;
    let load = Load {
        address: gateway.address(),
        devices: DEVICES,
        in_flight: IN_FLIGHT,
        ids: Ids::Random,
    };
    load.publish(0, stored).await?;
    wait_quiet(gateway.pid()).await?;

    let what = format!("{stored} stored, one in flight");
    one_after_the_other(&gateway, load, &what, report).await?;

    let mut devices = Vec::new();
    for number in 0..SLOW_DEVICES {
        devices.push(Device::connect(gateway.address(), &format!("slow{number:02}")).await?);
    }
    wait_quiet(gateway.pid()).await?;
    let what = format!("{stored} stored, 1 event/s of {SLOW_DEVICES} devices in all");
    slowly(&gateway, &mut devices, arguments.seconds, &what, report).await?;

    let what = format!("{stored} stored, {SLOW_DEVICES} devices connected and idle");
    let seconds = arguments.idle_seconds;
    idle(&gateway, &mut devices, seconds, &what, report).await?;
    gateway.stop()
}

/// Events of one device with one in flight.
async fn one_after_the_other(
    gateway: &Gateway,
    load: Load,
    what: &str,
    report: &mut Report,
) -> Answer<()> {
    let before = gateway.usage()?;
    let times = Percentiles::of(load.latencies(PROBE_NUMBERS, EVENTS).await?);
    wait_quiet(gateway.pid()).await?;
    let used = gateway.usage()?.since(before);
    let mut calls = None;
    if let Some(trace) = Trace::start(gateway.pid())? {
        let first = PROBE_NUMBERS + EVENTS;
        load.latencies(first, COUNTED_EVENTS).await?;
        wait_quiet(gateway.pid()).await?;
        calls = Some(Calls::of(trace.stop(&gateway.data_dir())?, COUNTED_EVENTS));
    }
    report.events(what, Cost::of(EVENTS, times, used, calls));
    Ok(())
}

/// One event a second, of one device after the other.
async fn slowly(
    gateway: &Gateway,
    devices: &mut [Device],
    seconds: u64,
    what: &str,
    report: &mut Report,
) -> Answer<()> {
    let first = PROBE_NUMBERS + EVENTS + COUNTED_EVENTS;
    let before = gateway.usage()?;
    let times = Percentiles::of(one_a_second(devices, first, seconds).await?);
    wait_quiet(gateway.pid()).await?;
    let used = gateway.usage()?.since(before);
    let mut calls = None;
    if let Some(trace) = Trace::start(gateway.pid())? {
        one_a_second(devices, first + seconds, seconds).await?;
        wait_quiet(gateway.pid()).await?;
        calls = Some(Calls::of(trace.stop(&gateway.data_dir())?, seconds));
    }
    report.events(what, Cost::of(seconds, times, used, calls));
    if let Some(calls) = calls {
        report.day(what, calls.written);
    }
    Ok(())
}

async fn one_a_second(devices: &mut [Device], first: u64, seconds: u64) -> Answer<Vec<Duration>> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut times = Vec::new();
    let count = devices.len();
    for number in first..first + seconds {
        second.tick().await;
        let device = &mut devices[usize::try_from(number)? % count];
        times.push(device.publish_one(payload(Ids::Random, number)).await?);
    }
    Ok(times)
}

/// What a gateway writes while its devices only keep their connections.
async fn idle(
    gateway: &Gateway,
    devices: &mut [Device],
    seconds: u64,
    what: &str,
    report: &mut Report,
) -> Answer<()> {
    let time = Duration::from_secs(seconds);
    let trace = Trace::start(gateway.pid())?;
    let (begun, before) = (clock::instant(), gateway.usage()?);
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while begun.elapsed() < time {
        for device in &mut *devices {
            device.ping().await?;
        }
        let left = time.saturating_sub(begun.elapsed());
        drop(tokio::time::timeout(left, pings.tick()).await);
    }
    let used = gateway.usage()?.since(before);
    println!("  {what}, {seconds} s: {} B in folios", used.written_bytes);
    report.add(what, "folios, B", used.written_bytes as f64);
    if let Some(trace) = trace {
        let traced = trace.stop(&gateway.data_dir())?;
        let (syncs, written) = (traced.syncs, traced.written_bytes);
        println!("    {syncs} syncs, {written} B in blocks");
        report.add(what, "syncs", syncs as f64);
        report.day(what, written as f64 / seconds as f64);
    }
    Ok(())
}
