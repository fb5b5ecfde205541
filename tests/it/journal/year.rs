//! The journal keeps its size: a year of a site in small, with the same simulation as `cargo bench
//! -- year`.

#[path = "../../../benches/figures/disk_use.rs"]
mod disk_use;
#[path = "../../../benches/figures/simulation.rs"]
mod simulation;

use crate::turn::turn;
use simulation::{Plan, Simulation};

const PLAN: Plan = Plan {
    events_per_day: 200,
    kept_days: 7,
    group_events: 100,
};
const DAYS: u64 = 30;
/// By this day the gateway has pruned for some days, and the files have their size.
const FULL_DAY: u64 = 10;
const MEASURED_EVERY: u64 = 5;
/// The largest size after that day, in percent of its size then. A table that is never pruned, and
/// has a tenth of the bytes, exceeds it by the last day.
const SIZE_MAX_PERCENT: u64 = 125;

#[tokio::test]
async fn the_journal_keeps_its_size_once_events_are_past_their_retention() {
    let _turn = turn().await;
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::open(folder.path(), PLAN).unwrap();
    let (mut simulation, empty) = simulation.measure().await.unwrap();
    let mut full = None;
    for day in 1..=DAYS {
        simulation.run_one_day().await.unwrap();
        if day < FULL_DAY || !day.is_multiple_of(MEASURED_EVERY) {
            continue;
        }
        let (next, size) = simulation.measure().await.unwrap();
        simulation = next;
        let full = full.get_or_insert(size);
        for (what, size, full) in [
            (
                "in use by records",
                size.in_use - empty.in_use,
                full.in_use - empty.in_use,
            ),
            ("files", size.disk.length, full.disk.length),
        ] {
            assert!(
                size * 100 <= full * SIZE_MAX_PERCENT,
                "{what}: {size} bytes on day {day}, {full} bytes on day {FULL_DAY}"
            );
        }
        // Also the events of one more day, because that day is not past its retention as a whole,
        // and those of parked documents.
        let kept = u64::from(PLAN.kept_days) * PLAN.events_per_day;
        let events = kept..kept + PLAN.events_per_day + PLAN.events_per_day / 10;
        assert!(
            events.contains(&size.events),
            "{} events are stored on day {day}, not {events:?}",
            size.events
        );
    }
}
