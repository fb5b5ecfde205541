//! The arguments of `stockrelay events`.

use clap::Args;

use super::PageArgs;

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
