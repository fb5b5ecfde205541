//! The arguments of `stockrelay events` and `stockrelay documents`.

use clap::Args;

#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// Start after this number, that of the last entry that you have seen
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<u64>,
    /// Show at most N
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    pub page: PageArgs,
    /// Show only events of this device
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Show only events of this type: scan, transfer, pick, receive, count, scrap, return, pack,
    /// ship, validate, undo
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Show only events in this state: open, waiting, sending, posted, parked, discarded,
    /// no-document
    #[arg(long)]
    pub state: Option<String>,
    /// Show only scans that never became a movement: unused (their device has no flow) or wrong
    /// (their flow did not accept them)
    #[arg(long, conflicts_with = "kind")]
    pub scans: Option<String>,
    /// Show only what was done since then: a time with its offset, how long ago (1h, 90m), shift or
    /// day
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show only what was done before then: a time with its offset, or how long ago
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Show new events as they are stored (with --after: all after that number), until Ctrl-C
    #[arg(long, conflicts_with = "limit")]
    pub follow: bool,
    /// List rejected readings instead of events
    #[arg(long, conflicts_with_all = ["device", "kind", "state", "scans", "since", "until", "follow"])]
    pub rejected: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DocumentsArgs {
    #[command(flatten)]
    pub page: PageArgs,
    /// Show only documents in this state: waiting, sending, posted, parked, discarded, replaced
    #[arg(long)]
    pub state: Option<String>,
}
