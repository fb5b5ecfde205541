//! `stockrelay man` and `stockrelay completions`, for packages.

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::CommandError;
use crate::view::cli::{Cli, CompletionsArgs, ManArgs};

const NAME: &str = "stockrelay";

/// Writes a page for each command into a directory, or the page of `stockrelay` to `out`.
pub fn man(args: &ManArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let Some(directory) = &args.directory else {
        let mut command = Cli::command();
        command.build();
        Man::new(command).render(out)?;
        return Ok(());
    };
    let failed = |error: io::Error| {
        CommandError::Failed(format!("cannot write {}: {error}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)
}

/// Prints the completions for a shell.
pub fn completions(args: &CompletionsArgs, out: &mut dyn Write) {
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut &mut *out);
}
