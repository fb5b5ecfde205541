//! stockrelay and its peers under the same load, in one run: `cargo run --release --manifest-path
//! benches/peers/Cargo.toml -- --help`.
//!
//! - `programs`: which servers the machine has. `system`: how each is started. `process`: their
//!   processes.
//! - `load`: the generator, with MQTT, AMQP and the protocol of NATS. `event`: what it publishes.
//! - `acceptor`: the peer that is SQLite behind a small MQTT server.
//! - `measure`: one round of one row, with `usage` (`/proc`), `syncs` (strace) and `disk`.
//! - `table`: medians, and what is printed.

#![allow(
    clippy::cast_precision_loss,
    reason = "figures for people: 52 bits are plenty"
)]

mod acceptor;
mod arguments;
mod disk;
mod event;
mod load;
mod measure;
mod process;
mod programs;
mod syncs;
mod system;
mod table;
mod usage;

use std::fs;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use arguments::{Arguments, Role};
use measure::{Plan, Row, Site};
use programs::Programs;
use system::System;
use table::{cells, comparison, percentile_ms, table};

fn main() -> ExitCode {
    match start(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(Role::Acceptor { address, dir }) = &arguments.role {
        acceptor::serve(*address, dir)?;
        return Ok(ExitCode::SUCCESS);
    }
    // One thread: the generator takes one core, and leaves the others to the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = run(arguments) => ended,
            // Every process that was started ends when it is dropped.
            _ = ctrl_c() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
        }
    })
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let programs = Programs::find(arguments);
    let mut rows = rows(arguments, &programs);
    if arguments.list {
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        bail!("no system is left to measure");
    }
    fs::create_dir_all(&arguments.dir)
        .with_context(|| format!("cannot make {}", arguments.dir.display()))?;
    disk::check(&arguments.dir)?;
    // Servers run in their own directories, where a relative path would name another one.
    let dir = arguments.dir.canonicalize()?;
    let site = Site {
        programs: &programs,
        dir: &dir,
    };
    let mut appends = Vec::new();
    for round in 0..arguments.rounds {
        appends.extend(disk::appends(&dir)?);
        measure(&mut rows, arguments, &site, round).await;
    }
    print(&rows, arguments, &programs, &appends);
    let is_whole = rows.iter().all(|row| row.failure.is_none());
    Ok(ExitCode::from(u8::from(!is_whole)))
}

/// The rows of the table: prints which systems were found, and why others are left out.
fn rows(arguments: &Arguments, programs: &Programs) -> Vec<Row> {
    let mut rows = Vec::new();
    for system in arguments.systems() {
        if let Some(reason) = programs.missing(system) {
            eprintln!("left out: {}: {reason}", system.name());
            continue;
        }
        let version = programs.version(system);
        eprintln!("found: {}: {}", system.name(), system.title(&version));
        rows.push(Row::new(system, 0));
        if [System::Stockrelay, System::Sqlite].contains(&system) {
            rows.extend(arguments.at.iter().map(|&at| Row::new(system, at)));
        }
    }
    if programs.strace.is_none() {
        eprintln!("left out: the count of syncs: no strace: `apt-get install strace`");
    }
    rows
}

/// Measures each row once.
async fn measure(rows: &mut [Row], arguments: &Arguments, site: &Site<'_>, round: u32) {
    let plan = Plan {
        events: arguments.events,
        singles: arguments.singles,
        connections: arguments.connections,
        in_flight: arguments.in_flight,
    };
    eprintln!("round {} of {}", round + 1, arguments.rounds);
    // Each round begins with another row: none profits from its place.
    let first = usize::try_from(round).unwrap_or(0) % rows.len();
    let (early, late) = rows.split_at_mut(first);
    for row in late.iter_mut().chain(early) {
        if row.failure.is_some() {
            continue;
        }
        let name = row.name();
        match row.measure(plan, site).await {
            Ok(figures) => eprintln!("  {name}: {}", cells(figures).join(" | ")),
            Err(error) => {
                eprintln!("  {name} failed: {error:#}");
                row.failure = Some(format!("{error:#}"));
            }
        }
    }
}

fn print(rows: &[Row], arguments: &Arguments, programs: &Programs, appends: &[Duration]) {
    let Arguments {
        rounds,
        events,
        singles,
        connections,
        in_flight,
        ..
    } = arguments;
    let cores = available_parallelism().map_or(0, usize::from);
    println!(
        "{rounds} rounds, {events} events from {connections} connections with {in_flight} in \
         flight, {singles} events one at a time; medians; {cores} cores, which the generator shares\n"
    );
    println!("{}", table(rows, programs));
    println!("\\* promises nothing at the acknowledgement\n");
    print!("{}", comparison(rows));
    println!(
        "- the disk alone: append 300 bytes and fdatasync: p50 {:.2} ms, p99 {:.2} ms",
        percentile_ms(appends, 50),
        percentile_ms(appends, 99)
    );
    for row in rows {
        if let Some(failure) = &row.failure {
            println!("- {} failed: {failure}", row.name());
        }
    }
}
