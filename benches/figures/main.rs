//! The figures of `docs/performance.md`, each measured against its baseline in the same run.
//!
//! `cargo bench` prints them all but the drain, which needs a real Odoo, and the attacks; `cargo
//! bench -- NAME...` prints some: `ingest`, `latency`, `feedback`, `million`, `lists`, `drain`,
//! `hostile`.
//! The daemon is the real binary in a process of its own; the load comes from this one.

#![allow(
    clippy::cast_precision_loss,
    reason = "figures for people: 52 bits are plenty"
)]

mod baseline;
mod daemon;
mod drain;
mod feedback;
mod hostile;
mod lists;
mod load;
mod percentile;

use std::time::Duration;

use daemon::Gateway;
use load::{Ids, Load};
use percentile::Percentiles;

const DEVICES: usize = 50;
const IN_FLIGHT: usize = 20;

type Measured = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Measured {
    // cargo hands its own flags on; what does not start with a dash is a name.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wants = |name: &str| {
        let alone = ["drain", "hostile"].contains(&name);
        wanted.is_empty() && !alone || wanted.iter().any(|wanted| wanted == name)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if let Some(order) = hostile::attacker() {
        return runtime.block_on(hostile::run(order?));
    }
    if wants("ingest") {
        runtime.block_on(ingest())?;
    }
    if wants("latency") {
        runtime.block_on(latency())?;
    }
    if wants("feedback") {
        runtime.block_on(feedback::feedback())?;
    }
    if wants("million") {
        runtime.block_on(million())?;
    }
    if wants("lists") {
        runtime.block_on(lists::lists())?;
    }
    if wants("drain") {
        runtime.block_on(drain::drain())?;
    }
    if wants("hostile") {
        let attacks: Vec<_> = (wanted.into_iter())
            .filter(|name| name != "hostile")
            .collect();
        runtime.block_on(hostile::hostile(&attacks))?;
    }
    Ok(())
}

/// Acknowledged events a second, against one redb commit for each event.
async fn ingest() -> Measured {
    println!(
        "ingest: {DEVICES} devices, QoS 1, {IN_FLIGHT} in flight, 200,000 events; against one commit for each of 5,000 events"
    );
    for ids in [Ids::Rising, Ids::Random] {
        let commits = baseline::commits(5_000, ids)?;
        let mut gateway = Gateway::start()?;
        let load = Load {
            address: gateway.address(),
            devices: DEVICES,
            in_flight: IN_FLIGHT,
            ids,
        };
        let took = load.publish(0, 200_000).await?;
        gateway.stop()?;
        let rate = 200_000.0 / took.as_secs_f64();
        println!(
            "  {ids:?} ids: {rate:.0} events/s; one commit each: {:.0} events/s; ratio {:.1}",
            commits.rate(),
            rate / commits.rate()
        );
    }
    Ok(())
}

/// One device with one message in flight: the time from publish to PUBACK, compared with one
/// commit.
async fn latency() -> Measured {
    println!("latency: one device, one in flight, 5,000 events; against 5,000 single commits");
    let commits = baseline::commits(5_000, Ids::Rising)?;
    let mut gateway = Gateway::start()?;
    let load = Load {
        address: gateway.address(),
        devices: 1,
        in_flight: 1,
        ids: Ids::Rising,
    };
    let acknowledged = Percentiles::of(load.latencies(5_000).await?);
    gateway.stop()?;
    let commit = commits.percentiles();
    println!(
        "  publish to PUBACK: {acknowledged}; one commit: {commit}; ratio of p99 {:.1}",
        acknowledged.p99 / commit.p99
    );
    Ok(())
}

/// A million events: how the rate holds, memory, disk, and the start after SIGKILL.
async fn million() -> Measured {
    println!("million: {DEVICES} devices, QoS 1, {IN_FLIGHT} in flight, random ids");
    let mut gateway = Gateway::start()?;
    let load = Load {
        address: gateway.address(),
        devices: DEVICES,
        in_flight: IN_FLIGHT,
        ids: Ids::Random,
    };
    let mut first = 0.0;
    let mut last = 0.0;
    for step in 0..10 {
        let took = load.publish(step * 100_000, 100_000).await?;
        last = 100_000.0 / took.as_secs_f64();
        if step == 0 {
            first = last;
        }
        println!(
            "  {:>9} events: {last:.0} events/s, {:.1} MiB resident",
            (step + 1) * 100_000,
            gateway.resident_mib()?
        );
    }
    println!(
        "  rate at 1,000,000 against the first 100,000: {:.2}",
        last / first
    );
    println!(
        "  resident at most: {:.1} MiB",
        gateway.resident_most_mib()?
    );
    println!(
        "  on disk: {:.0} bytes an event",
        gateway.journal_bytes()? as f64 / 1_000_000.0
    );
    gateway.kill()?;
    let ready = gateway.restart()?;
    println!(
        "  ready {:.0} ms after a start that follows SIGKILL",
        ready.as_secs_f64() * 1e3
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "  resident with them stored: {:.1} MiB, at most {:.1} MiB",
        gateway.resident_mib()?,
        gateway.resident_most_mib()?
    );
    gateway.stop()?;
    println!(
        "  on disk when stopped: {:.0} bytes an event",
        gateway.journal_bytes()? as f64 / 1_000_000.0
    );
    println!(
        "  binary: {:.2} MiB",
        std::fs::metadata(env!("CARGO_BIN_EXE_stockrelay"))?.len() as f64 / 1_048_576.0
    );
    Ok(())
}
