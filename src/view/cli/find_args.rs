//! The arguments of `stockrelay find`.

use clap::Args;

#[derive(Debug, Clone, Args)]
pub struct FindArgs {
    /// The text
    pub text: String,
    /// Show only results of this kind: product, location, lot, package, order, device, operator,
    /// picking, reason, document, rejected, event
    #[arg(long)]
    pub kind: Option<String>,
    /// Show only what was done since then: a time with its offset, how long ago (1h, 90m), shift or
    /// day
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show at most N
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Continue a search: the value that its last line shows
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}
