//! The arguments of `stockrelay pause`, `stockrelay resume` and `stockrelay take-over`.

use clap::Args;

#[derive(Debug, Clone, Args)]
pub struct PauseArgs {
    /// End the pause at this time: a duration from now (90m, 2h, 1d 4h), a time of the day (22:00,
    /// the next one in the machine's time zone), or a date with a time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Why; the audit and the status show it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// List the pauses of this gateway, the newest first, and change nothing
    #[arg(long, conflicts_with_all = ["until", "reason"])]
    pub history: bool,
    /// Print the JSON answer of the control API
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct UnpauseArgs {
    /// Why; the audit shows it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print the JSON answer of the control API
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct TakeOverArgs {
    /// Why; the log shows it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print the JSON answer of the control API
    #[arg(long)]
    pub json: bool,
}
