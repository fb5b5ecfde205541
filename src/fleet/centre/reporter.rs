//! Decides when a report is published: at each connection, soon after a change, and once in a
//! while.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{CentreSite, Measures, Shared, chance};
use crate::fleet::report::Report;

/// How long the values may take that are read from files.
const MEASURE_MAX: Duration = Duration::from_secs(5);

/// Prepares reports for ever.
pub async fn run<S: CentreSite>(shared: &Shared<S>) {
    let tempo = &shared.options.tempo;
    let mut ticks = interval(tempo.report);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connections = shared.connections.subscribe();
    let mut connection = 0;
    let mut published: Option<Report> = None;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = connections.changed() => {}
        }
        let present = *connections.borrow_and_update();
        if present == 0 {
            // An earlier report is of no use at the next connection.
            published = None;
            shared.reports.take_now();
            continue;
        }
        let mut report = shared.site.report();
        let is_same = published.as_ref().is_some_and(|published| {
            let at = report.at;
            report.at = published.at;
            let is_same = *published == report;
            report.at = at;
            is_same
        });
        if is_same && present == connection && Instant::now() < due {
            continue;
        }
        connection = present;
        due = Instant::now() + tempo.report_max + chance(tempo.report_max / 5);
        published = Some(report.clone());
        // A disk that hangs must not hold the report back.
        let measured = timeout(MEASURE_MAX, shared.site.measure()).await;
        let complete = complete(report, measured.unwrap_or_default());
        shared.reports.put(complete.to_json());
    }
}

fn complete(report: Report, measures: Measures) -> Report {
    let Measures {
        clock_offset_ms,
        disk_free_bytes,
        oldest_waiting_s,
        expires,
    } = measures;
    Report {
        clock_offset_ms,
        disk_free_bytes,
        oldest_waiting_s,
        expires,
        ..report
    }
}
