//! The arguments of `stockrelay journal` and `stockrelay backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The end of the help of `stockrelay backup`.
pub(super) const BACKUP_HELP: &str = "\
A running daemon seals its open documents and sends everything that its journal holds; it goes on acknowledging devices and posting to Odoo. Without a daemon the command reads the files.
FILE is compressed lines of JSON, with mode 0600. The command syncs it, reads it again and verifies each line before it gives it its name. Restore it with `stockrelay journal import` (docs/backup.md has the steps).

The copy holds the journal alone. Back up /etc/stockrelay, too, and the keys of the fleet below data_dir/fleet.

Examples:
  stockrelay backup /mnt/backup/ams1.jsonl.gz --force
  stockrelay backup \"/mnt/backup/ams1-$(date +%F).jsonl.gz\" --json
  systemctl enable --now stockrelay-backup.timer               each night";

#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The file to write; `-` is not allowed, because the backup is read again to verify it
    pub file: PathBuf,
    /// Replace FILE if it exists; without it, the command refuses
    #[arg(long)]
    pub force: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Verify the pages and the records of the journal; the daemon must be stopped
    #[command(after_help = "\
Without --deep: every page against its checksum, which finds what the disk has changed. With --deep also every record, whether the tables agree with one another, and the sums.
The command changes nothing. A terminal shows the progress.

Exit codes: 0 sound, 1 not verified (a daemon uses the journal, or the disk cannot be read), 65 damaged: the message names the damage and the next step.

Examples:
  stockrelay journal verify --deep                             after `systemctl stop stockrelay`
  stockrelay journal verify --json")]
    Verify {
        /// Also verify each record, the tables against one another, and the sums
        #[arg(long)]
        deep: bool,
        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write everything that the journal holds as lines of JSON
    #[command(after_help = "\
The first line names the format, its version and the site; the last line has the counts and a hash of all lines (docs/backup.md describes each line). A running daemon sends the lines through its socket and goes on; without a daemon the command reads the files.
The command seals no open documents: to restore a gateway later, use `stockrelay backup`.

Examples:
  stockrelay journal export | jq -c 'select(.table == \"documents\")'
  stockrelay journal export ams1.jsonl
  stockrelay journal export ams1.jsonl.gz                      compressed, because of its name")]
    Export {
        /// The file to write; `-` is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Replace FILE if it exists; without it, the command refuses
        #[arg(long)]
        force: bool,
        /// Print the result as one JSON object; not with `-`
        #[arg(long)]
        json: bool,
    },
    /// Build a new journal from a backup or an export; the daemon must be stopped
    #[command(after_help = "\
The command refuses a data_dir that has a journal, an export of another site, and an export that is not complete and unchanged. Run it as the daemon's user (`sudo -u stockrelay`): the daemon must be able to write the files.
What the gateway before may have posted after the backup is compared with Odoo by its key. What stays unsure is parked as `maybe-posted`: decide about each document (docs/backup.md).

Examples:
  stockrelay journal import /mnt/backup/ams1.jsonl.gz
  stockrelay journal import --nothing                          a new box, and there is no backup")]
    Import {
        /// The backup or export; `-` is standard input
        #[arg(required_unless_present = "nothing")]
        file: Option<PathBuf>,
        /// There is no backup: begin with an empty journal, and park what devices send again from
        /// before
        #[arg(long, conflicts_with = "file")]
        nothing: bool,
        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,
    },
}
