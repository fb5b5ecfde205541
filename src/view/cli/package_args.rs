//! The arguments of `stockrelay man`, `completions` and `support-bundle`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// The directory for a page for each command; it is made if it is missing. Without it, the
    /// command prints the page of `stockrelay`
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Clone, Args)]
pub struct SupportArgs {
    /// The file to write; without it, a name with the site and the time, in this directory
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
    /// List the contents, and write nothing
    #[arg(long, conflicts_with = "yes")]
    pub list: bool,
    /// Print one JSON object: the file and its contents
    #[arg(long)]
    pub json: bool,
}
