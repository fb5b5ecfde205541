//! A year of a busy site, in the journal alone: whether its file stays at its size once the first
//! events are pruned.

use std::time::Duration;

use stockrelay::clock;

use crate::arguments::Arguments;
use crate::daemon::scratch;
use crate::process::memory_kib;
use crate::simulation::{Plan, Pruned, Simulation, Size};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Events in one commit: on a site each commit has few, but a year of those takes hours.
const GROUP_EVENTS: u64 = 4_096;
const REPORTS: u64 = 12;
const MIB: f64 = 1_048_576.0;

pub async fn year(arguments: &Arguments) -> Answer<()> {
    let plan = Plan {
        events_per_day: arguments.per_day,
        kept_days: arguments.kept_days,
        group_events: GROUP_EVENTS,
    };
    let days = arguments.days;
    println!(
        "year: {} events a day, stored for {} days, {days} days; documents of 1 to 4 events, posted at once",
        plan.events_per_day, plan.kept_days
    );
    println!(
        "        day    events  files MiB  on disk MiB  in use MiB  in use B/ev  prune requests a day  longest ms  of nothing ms  HWM MiB  events/s    min"
    );
    let folder = tempfile::tempdir_in(scratch()?)?;
    let mut simulation = Simulation::open(&folder.path().join("data"), plan)?;
    let begun = clock::instant();
    let every = (days / REPORTS).max(1);
    let kept_days = u64::from(plan.kept_days);
    let mut full: Option<(u64, Size)> = None;
    let mut largest = Largest::default();
    let (mut longest, mut reported) = (Pruned::default(), (0, clock::instant()));
    for day in 1..=days {
        let pruned = simulation.run_one_day().await?;
        longest.requests = longest.requests.max(pruned.requests);
        longest.longest = longest.longest.max(pruned.longest);
        longest.longest_of_nothing = longest.longest_of_nothing.max(pruned.longest_of_nothing);
        if !day.is_multiple_of(every) && day != days && day != kept_days {
            continue;
        }
        let events = (day - reported.0) * plan.events_per_day;
        let rate = events as f64 / reported.1.elapsed().as_secs_f64();
        let (next, size) = simulation.measure().await?;
        simulation = next;
        print(day, size, longest, rate, begun.elapsed())?;
        if day >= kept_days {
            full.get_or_insert((day, size));
            largest.add(size);
        }
        (longest, reported) = (Pruned::default(), (day, clock::instant()));
    }
    if let Some((day, size)) = full {
        println!(
            "  largest from day {day} on, against that day: files {:.2}, on disk {:.2}, in use {:.2}",
            largest.length as f64 / size.disk.length as f64,
            largest.allocated as f64 / size.disk.allocated as f64,
            largest.in_use as f64 / size.in_use as f64
        );
    }
    Ok(())
}

/// The largest sizes that were measured.
#[derive(Default)]
struct Largest {
    length: u64,
    allocated: u64,
    in_use: u64,
}

impl Largest {
    fn add(&mut self, size: Size) {
        self.length = self.length.max(size.disk.length);
        self.allocated = self.allocated.max(size.disk.allocated);
        self.in_use = self.in_use.max(size.in_use);
    }
}

fn print(day: u64, size: Size, pruned: Pruned, rate: f64, took: Duration) -> Answer<()> {
    println!(
        "{day:>11}{:>10}{:>11.1}{:>13.1}{:>12.1}{:>13.0}{:>22}{:>12.0}{:>15.1}{:>9.1}{rate:>10.0}{:>7.1}",
        size.events,
        size.disk.length as f64 / MIB,
        size.disk.allocated as f64 / MIB,
        size.in_use as f64 / MIB,
        size.in_use as f64 / size.events.max(1) as f64,
        pruned.requests,
        pruned.longest.as_secs_f64() * 1e3,
        pruned.longest_of_nothing.as_secs_f64() * 1e3,
        memory_kib(std::process::id(), "VmHWM:")? as f64 / 1_024.0,
        took.as_secs_f64() / 60.0
    );
    Ok(())
}
