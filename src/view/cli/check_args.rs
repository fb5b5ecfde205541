//! The arguments of `stockrelay check`.

use clap::Args;

/// The end of the help.
pub(super) const HELP: &str = "\
`check` opens everything that the daemon opens, and changes nothing. Started by root, it continues as the user of the service.
Each finding says what was found, why it matters, and what to do: `ok` is in order, `warn` can wait, and with FAIL the gateway does not do its work.

With --deep also every page and every record of the journal; this takes as long as the disk needs to read the journal, and the daemon must be stopped. A terminal shows the progress.

Exit codes: 0 nothing failed, 1 a finding is FAIL, 64 the configuration cannot be read.

Examples:
  sudo stockrelay check
  sudo stockrelay check --deep                                 after `systemctl stop stockrelay`
  sudo stockrelay check --json | jq -r '.findings[] | select(.level == \"failed\") | .remedy'";

#[derive(Debug, Clone, Args)]
pub struct GatewayCheckArgs {
    /// The user that the service runs as
    #[arg(long, value_name = "NAME", default_value = "stockrelay")]
    pub user: String,
    /// Also verify every page and record of the journal
    #[arg(long)]
    pub deep: bool,
    /// Print one JSON object (docs/operations.md describes it)
    #[arg(long)]
    pub json: bool,
}
