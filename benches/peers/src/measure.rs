//! One round of one row: start the server, measure its phases, check that it has stored what it
//! acknowledged, stop it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::load::{Load, Outcome};
use crate::programs::Programs;
use crate::syncs::Counter;
use crate::system::{Server, System};
use crate::table::{percentile_ms, thousands};
use crate::usage::{Usage, resident_kib, synchronous_files, tree, usage};

/// One event after the other before the first measurement: code and caches are loaded.
const WARM_UP_EVENTS: u64 = 200;
const PREFILL_STEP_EVENTS: u64 = 100_000;
/// A server is quiet if it writes nothing and uses less than a twentieth of a core, for as long as
/// two looks.
const QUIET_LOOK: Duration = Duration::from_millis(500);
const QUIET_LOOKS: u32 = 2;
const QUIET_MAX: Duration = Duration::from_mins(10);
const COUNT_MAX: Duration = Duration::from_secs(30);
const RESIDENT_LOOK: Duration = Duration::from_millis(250);

/// The measured values of one round, in the table's units.
#[derive(Debug, Clone)]
pub struct Figures {
    pub rate_per_s: f64,
    pub p99_ms: f64,
    pub cpu_s: f64,
    pub resident_mib: f64,
    pub single_p50_ms: f64,
    pub single_p99_ms: f64,
    pub load_bytes: f64,
    pub single_bytes: f64,
    /// `None`: there is no strace.
    pub single_syncs: Option<f64>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub events: u64,
    pub singles: u64,
    pub connections: u16,
    pub in_flight: u16,
}

/// A row of the table: a system with so many events stored before.
pub struct Row {
    pub system: System,
    pub at: u64,
    /// The data of a row that begins with stored events, over all rounds.
    data: Option<TempDir>,
    /// The next event. No round publishes the id of an earlier round.
    next: u64,
    pub rounds: Vec<Figures>,
    /// Why the row has no more rounds.
    pub failure: Option<String>,
}

/// Where and with what the servers run.
pub struct Site<'a> {
    pub programs: &'a Programs,
    pub dir: &'a Path,
}

impl Row {
    pub fn new(system: System, at: u64) -> Self {
        Self {
            system,
            at,
            data: None,
            next: 0,
            rounds: Vec::new(),
            failure: None,
        }
    }

    pub fn name(&self) -> String {
        match self.at {
            0 => self.system.name().to_owned(),
            at => format!("{}, {} stored", self.system.name(), thousands(at)),
        }
    }

    /// Measures a round.
    pub async fn measure(&mut self, plan: Plan, site: &Site<'_>) -> Result<&Figures> {
        let fresh = tempfile::tempdir_in(site.dir)?;
        if self.at > 0 && self.data.is_none() {
            let data = tempfile::tempdir_in(site.dir)?;
            self.prefill(plan, site, data.path()).await?;
            self.data = Some(data);
        }
        let data = self.data.as_ref().unwrap_or(&fresh).path().to_owned();
        let server = self.system.start(site.programs, &data).await?;
        let figures = self.phases(plan, site, &server, data).await;
        let figures = figures.with_context(|| format!("its log ends:\n{}", server.last_words()))?;
        server.stop().await?;
        self.rounds.push(figures);
        self.rounds.last().context("a round was measured")
    }

    /// Stores the events that the row begins with.
    async fn prefill(&mut self, plan: Plan, site: &Site<'_>, data: &Path) -> Result<()> {
        let server = self.system.start(site.programs, data).await?;
        let begun = Instant::now();
        while self.next < self.at {
            let step = PREFILL_STEP_EVENTS.min(self.at - self.next);
            self.load(plan, &server, step).await?;
            if self.next.is_multiple_of(1_000_000) || self.next == self.at {
                let seconds = begun.elapsed().as_secs();
                let stored = thousands(self.next);
                eprintln!(
                    "  {}: {stored} stored after {seconds} s",
                    self.system.name()
                );
            }
        }
        settle(&server).await?;
        server.stop().await
    }

    async fn phases(
        &mut self,
        plan: Plan,
        site: &Site<'_>,
        server: &Server,
        data: PathBuf,
    ) -> Result<Figures> {
        let (first, stored) = (self.next, server.stored().await?);
        self.single(server, WARM_UP_EVENTS).await?;
        settle(server).await?;

        let (single, used) = phase(server, self.single(server, plan.singles)).await?;
        let single_bytes = used.written as f64 / plan.singles as f64;
        let single_syncs = self.syncs(plan, site, server, &data).await?;

        let peak = Peak::default();
        let load = self.load(plan, server, plan.events);
        let (load, used) = phase(server, peak.watch(server, load)).await?;
        check_stored(server, stored, self.next - first).await?;
        Ok(Figures {
            rate_per_s: plan.events as f64 / load.took.as_secs_f64(),
            p99_ms: percentile_ms(&load.times, 99),
            cpu_s: used.cpu.as_secs_f64() * 100_000.0 / plan.events as f64,
            resident_mib: peak.mib(),
            single_p50_ms: percentile_ms(&single.times, 50),
            single_p99_ms: percentile_ms(&single.times, 99),
            load_bytes: used.written as f64 / plan.events as f64,
            single_bytes,
            single_syncs,
        })
    }

    /// Publishes with all connections.
    async fn load(&mut self, plan: Plan, server: &Server, events: u64) -> Result<Outcome> {
        self.publish(server, plan.connections, plan.in_flight, events)
            .await
    }

    /// Publishes one event after the other.
    async fn single(&mut self, server: &Server, events: u64) -> Result<Outcome> {
        self.publish(server, 1, 1, events).await
    }

    async fn publish(
        &mut self,
        server: &Server,
        connections: u16,
        in_flight: u16,
        events: u64,
    ) -> Result<Outcome> {
        let load = Load {
            address: server.address,
            dialect: server.dialect,
            connections,
            in_flight,
        };
        let first = self.next;
        self.next += events;
        load.publish(first..self.next).await
    }

    /// Syncs for each single event.
    async fn syncs(
        &mut self,
        plan: Plan,
        site: &Site<'_>,
        server: &Server,
        data: &Path,
    ) -> Result<Option<f64>> {
        let Some(strace) = &site.programs.strace else {
            return Ok(None);
        };
        let processes = tree(server.id())?;
        let hidden = synchronous_files(&processes);
        if hidden > 0 {
            let name = self.system.name();
            eprintln!("  {name}: {hidden} files with O_DSYNC, whose writes strace does not count");
        }
        let counter = Counter::attach(strace, &processes, data).await?;
        let events = plan.singles / 4;
        self.single(server, events).await?;
        settle(server).await?;
        let count = counter.finish().await?;
        settle(server).await?;
        Ok(Some(count as f64 / events as f64))
    }
}

/// What a load measured, and what the server used for it, until it was quiet again.
async fn phase(
    server: &Server,
    load: impl Future<Output = Result<Outcome>>,
) -> Result<(Outcome, Usage)> {
    let before = usage(server.id())?;
    let outcome = load.await?;
    settle(server).await?;
    Ok((outcome, usage(server.id())?.since(before)))
}

/// Waits until the server has done what it does after the last acknowledgement.
async fn settle(server: &Server) -> Result<()> {
    let begun = Instant::now();
    let mut quiet = 0;
    let mut before = usage(server.id())?;
    while quiet < QUIET_LOOKS {
        if begun.elapsed() > QUIET_MAX {
            eprintln!(
                "  not quiet after {} s; the next figures include the rest",
                QUIET_MAX.as_secs()
            );
            break;
        }
        sleep(QUIET_LOOK).await;
        let now = usage(server.id())?;
        let used = now.since(before);
        let is_quiet = used.written == 0 && used.cpu < QUIET_LOOK / 20;
        quiet = if is_quiet { quiet + 1 } else { 0 };
        before = now;
    }
    Ok(())
}

/// A server that drops events is fast: it must have stored what it acknowledged.
async fn check_stored(server: &Server, before: u64, acknowledged: u64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let stored = server.stored().await?.saturating_sub(before);
        if stored >= acknowledged {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < COUNT_MAX,
            "it acknowledged {acknowledged} events and has stored {stored}"
        );
        sleep(QUIET_LOOK).await;
    }
}

/// The most resident memory during a load.
#[derive(Default)]
struct Peak(std::cell::Cell<u64>);

impl Peak {
    async fn watch<T>(&self, server: &Server, load: impl Future<Output = Result<T>>) -> Result<T> {
        let processes = tree(server.id())?;
        let look = async {
            loop {
                self.0.set(self.0.get().max(resident_kib(&processes)));
                sleep(RESIDENT_LOOK).await;
            }
        };
        tokio::select! {
            outcome = load => outcome,
            () = look => anyhow::bail!("the look at the memory has no end"),
        }
    }

    fn mib(&self) -> f64 {
        self.0.get() as f64 / 1_024.0
    }
}
