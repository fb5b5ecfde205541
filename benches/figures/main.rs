//! The figures of `docs/performance.md`, each measured against its baseline in the same run.
//!
//! `cargo bench` prints them all but those that take long or need a real Odoo; `cargo bench --
//! NAME...` prints some, and `cargo bench -- --help` lists them. The daemon is the real binary in a
//! process of its own; the load comes from this one.

#![allow(
    clippy::cast_precision_loss,
    reason = "figures for people: 52 bits are plenty"
)]

mod arguments;
mod baseline;
mod compare;
mod cost;
mod daemon;
mod disk_use;
mod drain;
mod feedback;
mod hostile;
mod lists;
mod load;
mod million;
mod percentile;
mod process;
mod search;
mod simulation;
mod single;
mod top;
mod trace;
mod year;

use arguments::Arguments;
use clap::Parser as _;
use daemon::Gateway;
use load::{Ids, Load};
use percentile::Percentiles;

const DEVICES: usize = 50;
const IN_FLIGHT: usize = 20;

type Measured = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Measured {
    let arguments = Arguments::parse();
    let wanted = &arguments.names;
    let wants = |name: &str| {
        let alone = [
            "single", "year", "lists", "search", "top", "drain", "hostile",
        ]
        .contains(&name);
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
        runtime.block_on(million::million(&arguments))?;
    }
    if wants("single") {
        runtime.block_on(single::single(&arguments))?;
    }
    if wants("year") {
        runtime.block_on(year::year(&arguments))?;
    }
    if wants("lists") {
        runtime.block_on(lists::lists(&arguments))?;
    }
    if wants("search") {
        runtime.block_on(search::search(&arguments))?;
    }
    if wants("top") {
        runtime.block_on(top::top())?;
    }
    if wants("drain") {
        runtime.block_on(drain::drain())?;
    }
    if wants("hostile") {
        let attacks: Vec<_> = (wanted.iter())
            .filter(|name| *name != "hostile")
            .cloned()
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
        let took = load.publish(0, 200_000).await?.took;
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
    let acknowledged = Percentiles::of(load.latencies(0, 5_000).await?);
    gateway.stop()?;
    let commit = commits.percentiles();
    println!(
        "  publish to PUBACK: {acknowledged}; one commit: {commit}; ratio of p99 {:.1}",
        acknowledged.p99 / commit.p99
    );
    Ok(())
}
