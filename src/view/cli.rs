//! The arguments as written. What they mean is in `commands`, `check` and `main`.

#[cfg(feature = "demo")]
pub mod demo;

#[cfg(not(feature = "demo"))]
use std::ffi::OsString;
use std::path::PathBuf;

use crate::event::RejectedNumber;
use clap::{Args, Parser, Subcommand};

/// Where the configuration is, if nobody says otherwise.
pub const CONFIG_DEFAULT: &str = "/etc/stockrelay/config.toml";
/// Where the socket is, if there is no configuration to tell.
pub const SOCKET_DEFAULT: &str = "/run/stockrelay/control.sock";

/// The line of the examples for the demo; empty in a build without it.
#[cfg(feature = "demo")]
const DEMO_EXAMPLE: &str = "
  stockrelay demo                        see all of it work, with made-up devices and a stand-in Odoo";
#[cfg(not(feature = "demo"))]
const DEMO_EXAMPLE: &str = "";

fn after_help() -> String {
    format!(
        "\
Examples:{DEMO_EXAMPLE}
  stockrelay check                       what is wrong with this gateway, and what to do
  stockrelay status                      where everything is, in one screen
  stockrelay trace pda-07/8c1f           what became of one scan

Exit codes: 0 done, 1 failed, 2 wrong usage, 64 the configuration cannot be used, 65 the journal is damaged, 69 the daemon is not running, 77 `check` needs root."
    )
}

#[derive(Debug, Parser)]
#[command(
    name = "stockrelay",
    version,
    about = "Keeps every scan of a warehouse on disk and posts each stock movement to Odoo exactly once",
    after_help = after_help(),
    arg_required_else_help = true,
    max_term_width = 110
)]
pub struct Cli {
    /// Configuration file; `config.d/*.toml` beside it and `STOCKRELAY_SECTION__KEY` from the
    /// environment come after it
    #[arg(long, global = true, value_name = "PATH", env = "STOCKRELAY_CONFIG", default_value = CONFIG_DEFAULT)]
    pub config: PathBuf,

    /// Control socket of the daemon, instead of the one that the configuration names
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    #[command(
        after_help = "SIGTERM and SIGINT finish what is under way and end it within 10 seconds. SIGHUP does nothing."
    )]
    Run,
    #[cfg(feature = "demo")]
    /// Run everything at once with made-up devices and a stand-in Odoo, and watch it
    #[command(after_help = "\
Examples:
  stockrelay demo
  stockrelay demo --headless --seconds 30
  stockrelay demo --odoo https://odoo.example.com --database test --api-key-file odoo.key")]
    Demo(demo::DemoArgs),
    /// Not in this package: it was built without the demo
    #[cfg(not(feature = "demo"))]
    #[command(hide = true, disable_help_flag = true)]
    Demo {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Watch the daemon in the terminal
    #[command(after_help = "Press ? for the keys.")]
    Top,
    /// Where everything is, in one screen
    #[command(after_help = "\
The numbers always add up: stored = open + waiting + sending + posted + parked + no document.

Examples:
  stockrelay status
  stockrelay status --json | jq .oldest_waiting_s")]
    Status {
        /// As the control API answers it
        #[arg(long)]
        json: bool,
    },
    /// List what was scanned, oldest first
    #[command(after_help = "\
Examples:
  stockrelay events --device pda-07 --state parked
  stockrelay events --after 4711 --limit 1000 --json
  stockrelay events --follow
  stockrelay events --rejected            readings that no event could be made of")]
    Events(EventsArgs),
    /// List documents (each becomes one picking in Odoo), oldest first
    #[command(after_help = "\
Examples:
  stockrelay documents --state waiting
  stockrelay documents --json | jq -r 'select(.state == \"posted\") | .odoo'")]
    Documents(DocumentsArgs),
    /// An event's whole life, from reading to Odoo
    #[command(after_help = "\
ID is an event's id, DEVICE/ID, its number (seq), or a document's key.

Examples:
  stockrelay trace pda-07/8c1f
  stockrelay trace 4711 --json")]
    Trace {
        id: String,
        /// As the control API answers it
        #[arg(long)]
        json: bool,
    },
    /// What is wrong with this gateway, and what to do: configuration, disk, clock, key, Odoo
    #[command(after_help = "\
It opens everything that the daemon opens, as the daemon's user if root starts it.

Exit code 0 without a FAIL, 1 with one, 64 if the configuration has a fault or `run` would end with 64, 65 if the journal is damaged or of an unknown format, 77 if this user may not read the configuration.")]
    Check {
        /// The user that the service runs as
        #[arg(long, value_name = "NAME", default_value = "stockrelay")]
        user: String,
    },
    /// Decide about documents that Odoo or the gateway refused
    #[command(after_help = "\
Each says why it is parked, what Odoo has, and what can be done: `parked show ID`.

Examples:
  stockrelay parked list                                       what needs somebody
  stockrelay parked show 17                                    why, and the choices
  stockrelay parked retry --code unknown-product               all that wait for a product
  stockrelay parked edit 17 --line 1 to=LOC-B --reason \"scanned the wrong bin\"
  stockrelay parked discard 17 --reason \"counted by hand, corrected in Odoo by anna\"")]
    Parked {
        #[command(subcommand)]
        command: ParkedCommand,
    },
    /// Decide about readings that no event could be made of
    #[command(after_help = "\
An open one stays on the first screen until somebody dismisses it or sends it again.

Examples:
  stockrelay rejected list                                     what is open
  stockrelay rejected resend 4                                 as it came, after the fault is mended
  stockrelay rejected resend 4 --payload 4006381333931 --reason \"read from the label\"
  stockrelay rejected dismiss 4 --reason \"test of a new scanner\"
  stockrelay rejected dismiss --code not-your-topic --upto 90 --reason \"site name corrected\"")]
    Rejected {
        #[command(subcommand)]
        command: RejectedCommand,
    },
    /// Help with devices.toml
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Scanner profiles: how a family of scanners says what it read
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// Begin behind this number
    #[arg(long, value_name = "SEQ")]
    pub after: Option<u64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    pub page: PageArgs,
    /// Only this device's
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Only this type: scan, transfer, pick, receive, count, scrap, return, pack, ship, validate,
    /// undo
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only in this state: open, waiting, sending, posted, parked, discarded, `no_document`
    #[arg(long)]
    pub state: Option<String>,
    /// Go on with what is scanned from now on (or behind --after), until Ctrl-C
    #[arg(long, conflicts_with = "limit")]
    pub follow: bool,
    /// Readings that no event could be made of, instead
    #[arg(long, conflicts_with_all = ["device", "kind", "state", "follow"])]
    pub rejected: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DocumentsArgs {
    #[command(flatten)]
    pub page: PageArgs,
    /// Only in this state: waiting, sending, posted, parked, discarded, replaced
    #[arg(long)]
    pub state: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List them, oldest first
    #[command(after_help = "\
Examples:
  stockrelay parked list --code unknown-product
  stockrelay parked list --json | jq -r .reason.code | sort | uniq -c")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only those that are parked for this reason code
        #[arg(long)]
        code: Option<String>,
    },
    /// One of them: why it is parked, what Odoo has, the choices, its lines and its life so far
    #[command(
        after_help = "ID is the document's number, its key, or at least six digits of the key."
    )]
    Show {
        id: String,
        /// As the control API answers it
        #[arg(long)]
        json: bool,
    },
    /// Try one again, or all that are parked for one reason
    #[command(after_help = "\
ID is the document's number, its key, or at least six digits of the key.
`parked show ID` says whether its reason takes an answer, and which: backorder, no-backorder or allow.

Examples:
  stockrelay parked retry 17
  stockrelay parked retry 17 --with backorder       the rest of the order comes later
  stockrelay parked retry --code unknown-product    after the product was made in Odoo")]
    Retry {
        id: Option<String>,
        /// All that are parked for this reason code
        #[arg(long, alias = "all", conflicts_with = "id")]
        code: Option<String>,
        /// What the gateway asks: backorder, no-backorder or allow
        #[arg(long, value_name = "ANSWER")]
        with: Option<String>,
        /// Why; it is kept with the document
        #[arg(long)]
        reason: Option<String>,
    },
    /// Put one right: a corrected document takes its place, and the old one is kept
    #[command(after_help = "\
ID is the document's number, its key, or at least six digits of the key. `parked show ID` numbers the lines.
The fields are product, quantity, from, to, lot, package, owner, expiry and best_before, as the type of the document has them.
FIELD= takes an optional one away; quantity=0 leaves the line out (of a count: nothing is there).

Examples:
  stockrelay parked edit 17 --line 1 from=LOC-A-02 --reason \"label fell off, was scanned by hand\"
  stockrelay parked edit 17 --line 1 lot=L-0815 quantity=12 --line 3 quantity=0 --reason \"as on the slip\"
  stockrelay parked edit 17 --order WH/OUT/00042 --reason \"went with the other delivery\"")]
    Edit {
        id: String,
        /// Why; it is kept with both documents
        #[arg(long)]
        reason: String,
        /// The number of a line, and what to change in it; more than once for more lines
        #[arg(long = "line", num_args = 2.., value_names = ["N", "FIELD=VALUE"], value_parser = edit_word)]
        lines: Vec<EditWord>,
        /// Another order, for the whole document; empty for none
        #[arg(long)]
        order: Option<String>,
    },
    /// Leave one for good: it will never be posted
    #[command(after_help = "\
What Odoo holds open for it is cancelled there.

Example:
  stockrelay parked discard 17 --reason \"counted by hand, corrected in Odoo by anna\"")]
    Discard {
        id: String,
        /// Why; it is kept with the document
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum RejectedCommand {
    /// List the open ones, oldest first
    List {
        #[command(flatten)]
        page: PageArgs,
        /// The dismissed ones and those that were sent again, too
        #[arg(long)]
        all: bool,
    },
    /// One of them: what came, why no event could be made of it, and who settled it
    Show {
        number: RejectedNumber,
        /// As the control API answers it
        #[arg(long)]
        json: bool,
    },
    /// Send one again: it becomes an event with the time at which it was received
    Resend {
        number: RejectedNumber,
        /// What to send in its place: a barcode, or a JSON event
        #[arg(long)]
        payload: Option<String>,
        /// The same, from a file; - for standard input
        #[arg(long, value_name = "FILE", conflicts_with = "payload")]
        payload_file: Option<PathBuf>,
        /// What it is: event or scan; without it, an event where it names the type of one, else
        /// what it came as
        #[arg(long)]
        channel: Option<String>,
        /// Why; it is stored with the reading
        #[arg(long)]
        reason: Option<String>,
    },
    /// Dismiss one, or all up to a number: nothing is made of them
    Dismiss {
        #[arg(required_unless_present_any = ["upto", "scans", "code", "device"], conflicts_with_all = ["upto", "code", "device", "scans"])]
        number: Option<RejectedNumber>,
        /// All open ones up to this number
        #[arg(long, value_name = "NUMBER")]
        upto: Option<RejectedNumber>,
        /// With --upto: only those with this reason code
        #[arg(long, conflicts_with = "scans")]
        code: Option<String>,
        /// With --upto: only this device's
        #[arg(long, value_name = "NAME", conflicts_with = "scans")]
        device: Option<String>,
        /// Raw scans that nothing was made of, because their devices have no flow
        #[arg(long, conflicts_with = "upto")]
        scans: bool,
        /// Why; it is stored with the reading
        #[arg(long)]
        reason: String,
    },
}

/// A word behind `--line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditWord {
    Line(usize),
    Field(String, String),
}

fn edit_word(text: &str) -> Result<EditWord, String> {
    match text.split_once('=') {
        Some((field, value)) => Ok(EditWord::Field(field.to_owned(), value.to_owned())),
        None => (text.parse().map(EditWord::Line))
            .map_err(|_| "neither a line's number nor FIELD=VALUE".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// Read a password from standard input and print the lines for devices.toml
    #[command(after_help = "\
Example:
  printf %s \"$PASSWORD\" | stockrelay devices hash pda-07 >> /etc/stockrelay/devices.toml")]
    Hash {
        /// The device's name
        device: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Print every fault of profile files, and which of their samples are not read as they must be
    Check {
        /// Files, or names that `profile list` shows
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Show how a profile reads a code, step by step
    #[command(after_help = "\
CODE is what the scanner sends; \\x1d, \\r, \\n, \\t and \\\\ in it are understood. `-` takes lines from standard input.
Without the profile's end marks it is a code all the same; a bare code is put where a JSON payload has it.

Examples:
  stockrelay profile test zebra-serial ']C10104006381333931\\x1d10LOT-7'
  stockrelay profile test zebra-serial LOC-A-01 --copy       as this site's flows understand it, and why
  stockrelay profile test ./my-scanner.toml --json - < codes.txt")]
    Test {
        /// A file, or a name that `profile list` shows
        file: String,
        /// What the scanner sends; `-`: lines of standard input
        code: String,
        /// Ask the running daemon as well: by the site's copy of Odoo's data and its nomenclature,
        /// with what each step says
        #[arg(long)]
        copy: bool,
        /// With --copy: the product that was scanned before, whose lots are known
        #[arg(long, value_name = "CODE", requires = "copy")]
        last: Option<String>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// List the profiles that are shipped
    List,
    /// Print the JSON Schema of profile files
    Schema,
    /// Print a sheet of command barcodes as SVG
    #[command(after_help = "\
Example:
  stockrelay profile sheet --operator anna --operator ben > sheet.svg")]
    Sheet {
        /// A badge besides, for an operator
        #[arg(long = "operator", value_name = "NAME")]
        operators: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration as it is meant, defaults and all
    Show,
    /// Print every fault and warning at once
    Check,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
