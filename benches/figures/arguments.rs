//! The arguments of the program.

use std::path::PathBuf;

use clap::Parser;

/// Prints the figures of docs/performance.md.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --")]
pub struct Arguments {
    /// What to measure: ingest, latency, feedback, million, single, year, lists, search, top,
    /// drain, hostile.
    /// After `hostile`: the names of attacks. Without a name: ingest, latency, feedback and
    /// million.
    pub names: Vec<String>,

    /// `million`: how many events to store. `single`: how many events to store before it begins
    /// (default: first 0, then 300,000). `lists`, `search`: how many events the journal has
    /// (default: 100,000).
    #[arg(long, value_name = "N")]
    pub events: Option<u64>,

    /// `million`, `single`: the budget of the journal, such as "4 GiB". Default: the default of the
    /// gateway for up to 3,000,000 events, and 16 GiB for more.
    #[arg(long, value_name = "SIZE")]
    pub budget: Option<String>,

    /// `million`, `single`: measure this binary, too, in turns with the other one, and compare.
    /// Accepted several times.
    #[arg(long, value_name = "PATH")]
    pub before: Vec<PathBuf>,

    /// `million`, `single`: how often to measure each binary. More than once, or with `--before`,
    /// the medians follow.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub rounds: usize,

    /// `single`: how long to send one event a second.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub seconds: u64,

    /// `single`: how long to watch the gateway while 20 devices are connected and send nothing. The
    /// default contains the work of each minute.
    #[arg(long, value_name = "SECONDS", default_value_t = 70)]
    pub idle_seconds: u64,

    /// `year`: how many days to simulate.
    #[arg(long, value_name = "N", default_value_t = 365)]
    pub days: u64,

    /// `year`: events a day.
    #[arg(long, value_name = "N", default_value_t = 40_000)]
    pub per_day: u64,

    /// `year`: `journal.retention_days` and `journal.dedup_days`.
    #[arg(long, value_name = "N", default_value_t = 90)]
    pub kept_days: u32,

    /// `lists`, `search`: where the journal is kept for the next run, which does not fill it again.
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,

    /// cargo adds it.
    #[arg(long, hide = true)]
    bench: bool,
}
