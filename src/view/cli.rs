//! The command line arguments. `commands`, `check` and `main` carry them out.

mod check_args;
mod config_args;
mod decisions;
#[cfg(feature = "demo")]
pub mod demo;
mod devices_args;
mod find_args;
mod fleet_args;
mod journal_args;
mod list_args;
mod package_args;
mod pause_args;
mod setup_args;
#[cfg(test)]
mod tests;
mod top_args;

#[cfg(not(feature = "demo"))]
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use check_args::GatewayCheckArgs;
pub use config_args::{ApplyArgs, CheckArgs, ConfigCommand, EncryptArgs, KeygenArgs, SignArgs};
pub use decisions::{EditWord, ParkedCommand, RejectedCommand};
pub use devices_args::{AddArgs, DevicesCommand};
pub use find_args::FindArgs;
pub use fleet_args::{
    BrokerArgs, FleetArgs, FleetCommand, PushArgs, ResumeArgs, StopArgs, StopOptions, WatchArgs,
};
pub use journal_args::{BackupArgs, JournalCommand};
pub use list_args::{DocumentsArgs, EventsArgs, PageArgs};
pub use package_args::{CompletionsArgs, ManArgs, SupportArgs};
pub use pause_args::{PauseArgs, TakeOverArgs, UnpauseArgs};
pub use setup_args::SetupArgs;
pub use top_args::TopArgs;

/// The configuration file that is used without `--config`.
pub const CONFIG_DEFAULT: &str = "/etc/stockrelay/config.toml";
/// The control socket that is used when no configuration names one.
pub const SOCKET_DEFAULT: &str = "/run/stockrelay/control.sock";

/// The line of the examples for the demo; empty in a build without it.
#[cfg(feature = "demo")]
const DEMO_EXAMPLE: &str = "
  stockrelay demo                        try everything, with simulated devices and a stand-in Odoo";
#[cfg(not(feature = "demo"))]
const DEMO_EXAMPLE: &str = "";

fn after_help() -> String {
    format!(
        "\
Examples:{DEMO_EXAMPLE}
  stockrelay check                       find faults of this gateway, and how to fix them
  stockrelay status                      show the state of the gateway on one screen
  stockrelay trace pda-07/8c1f           follow one event from the device to Odoo

Exit codes: 0 done, 1 failed, 2 wrong usage, 64 the configuration (or a scanner profile) cannot be used, 65 the journal is damaged, 69 the daemon is not running or central IT's broker cannot be reached, 130 the user interrupted a search or `config apply`."
    )
}

#[derive(Debug, Parser)]
#[command(
    name = "stockrelay",
    version,
    about = "Stores every event of a warehouse on disk and posts each stock movement to Odoo exactly once",
    after_help = after_help(),
    arg_required_else_help = true,
    max_term_width = 110
)]
pub struct Cli {
    /// Configuration file, also named by `STOCKRELAY_CONFIG`; `config.d/*.toml` beside it and
    /// environment variables `STOCKRELAY_SECTION__KEY` override it
    // Not clap's `env`: a usage line would show `--config` as needed while the variable is set.
    #[arg(long, global = true, value_name = "PATH", default_value_os_t = config_default())]
    pub config: PathBuf,

    /// Control socket of the daemon, instead of the one that the configuration names
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

/// The configuration file that is used without `--config`.
fn config_default() -> PathBuf {
    let named = std::env::var_os("STOCKRELAY_CONFIG").filter(|path| !path.is_empty());
    named.map_or_else(|| CONFIG_DEFAULT.into(), PathBuf::from)
}

/// Leaves out of a command's help the global options that the command does not use.
fn hide(command: clap::Command, options: &[&str]) -> clap::Command {
    options.iter().fold(command, |command, option| {
        command.mut_arg(option, |option| option.hide(true))
    })
}

fn without_socket(command: clap::Command) -> clap::Command {
    hide(command, &["socket"])
}

fn without_config(command: clap::Command) -> clap::Command {
    hide(command, &["config", "socket"])
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    #[command(defer(without_socket))]
    #[command(
        after_help = "SIGTERM and SIGINT stop the daemon: it finishes its current work within 10 seconds. SIGHUP has it read its configuration again."
    )]
    Run,
    #[cfg(feature = "demo")]
    /// Run the daemon with simulated devices and a stand-in Odoo, and watch it
    #[command(defer(without_config))]
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
    #[command(after_help = "\
Press ? for the keys. Without a terminal that can move its cursor, use `stockrelay status`.

Examples:
  stockrelay top
  stockrelay top --read-only      shows everything and decides nothing
  stockrelay top --language de    in German, whatever the locale")]
    Top(TopArgs),
    /// Show what was done since the shift began and what there is to do, then the state of the
    /// gateway
    #[command(after_help = "\
A shift begins at the times of the key shifts; without the key, the day begins at midnight of time_zone.
The numbers always add up: stored = open + waiting + sending + posted + parked + no document.

Examples:
  stockrelay status
  stockrelay status --since 2026-11-23T06:00:00+01:00
  stockrelay status --json | jq .oldest_waiting_s")]
    Status {
        /// Count what was received since this time (with its offset), or since the present shift
        #[arg(long, value_name = "TIME", default_value = "shift")]
        since: String,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// List events, oldest first
    #[command(after_help = "\
To find events by device, type or state, the gateway may have to read all of them: a terminal shows the progress, and Ctrl-C prints what was found so far.

Examples:
  stockrelay events --device pda-07 --state parked
  stockrelay events --after 4711 --limit 1000 --json
  stockrelay events --device pda-07 --since 1h
  stockrelay events --scans wrong         scans that their flow did not accept
  stockrelay events --follow
  stockrelay events --rejected            rejected readings instead of events")]
    Events(EventsArgs),
    /// List documents (each becomes one picking in Odoo, or work on an order there), oldest first
    #[command(after_help = "\
Examples:
  stockrelay documents --state waiting
  stockrelay documents --json | jq -r 'select(.state == \"posted\") | .odoo'")]
    Documents(DocumentsArgs),
    /// Find everything in the journal that a text names: orders, pickings, products, bins, ...
    #[command(after_help = "\
TEXT is a whole name, or its first 3 or more characters, in upper or lower case; or words of a product's name.
Names come first (each once), then documents, rejected readings and events, the newest first. `stockrelay trace ID` shows the history of each.

Examples:
  stockrelay find WH/OUT/00042
  stockrelay find LOC-A --kind location
  stockrelay find 'event 4711'
  stockrelay find pda-07 --since 2026-11-30T06:00:00Z --kind event
  stockrelay find 4006381333931 --json | jq -r .id")]
    Find(FindArgs),
    /// Follow an event from its reading to Odoo
    #[command(after_help = "\
ID is an event's id, DEVICE/ID, its number (seq, or seq:N), a rejected reading's id, or a document's key or number;
or the whole name of a picking, an order, a product's barcode, a bin, a lot, ...: then the newest event or document with it.
If a number is both, it means the event: give the key of the document (`stockrelay parked list` shows it), or KIND:NAME.

Examples:
  stockrelay trace pda-07/8c1f
  stockrelay trace WH/OUT/00042
  stockrelay trace product:4711
  stockrelay trace 4711 --json
  stockrelay trace 9b1f0c6e5d4a3b2c1d0e9f8a7b6c5d4e")]
    Trace {
        /// The event, rejected reading, document or name
        id: String,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Find faults in configuration, disk, clock, API key and Odoo, and how to fix them
    #[command(after_help = check_args::HELP)]
    Check(GatewayCheckArgs),
    /// Decide about parked documents: retry, edit or discard them
    #[command(after_help = "\
`parked show ID` shows why a document is parked, what Odoo has, and the choices.

Examples:
  stockrelay parked list                                       all parked documents
  stockrelay parked show 17                                    why it is parked, and the choices
  stockrelay parked retry --code unknown-product               all with this reason code
  stockrelay parked edit 17 --line 1 to=LOC-B --reason \"scanned the wrong bin\"
  stockrelay parked discard 17 --reason \"counted by hand, corrected in Odoo by anna\"")]
    Parked {
        #[command(subcommand)]
        command: ParkedCommand,
    },
    /// Decide about rejected readings: send them again or dismiss them
    #[command(after_help = "\
`status` counts a rejected reading as open until a person dismisses it or sends it again, or its device sends a correct event with the same id.

Examples:
  stockrelay rejected list                                     all open rejected readings
  stockrelay rejected resend 4                                 unchanged, after you have fixed the cause
  stockrelay rejected resend 4 --payload 4006381333931 --reason \"read from the label\"
  stockrelay rejected dismiss 4 --reason \"test of a new scanner\"
  stockrelay rejected dismiss --code not-your-topic --upto 90 --reason \"site name corrected\"")]
    Rejected {
        #[command(subcommand)]
        command: RejectedCommand,
    },
    /// Write the first configuration, check it, and start the gateway
    #[command(defer(without_socket))]
    #[command(after_help = "\
setup asks in the terminal for what no option gives. It writes the smallest configuration, the first device with a password, and the API key where only the gateway can read it; then it runs `stockrelay check` and starts the service.

Examples:
  stockrelay setup
  stockrelay setup --site ams1 --odoo https://odoo.example.com --database prod --warehouse WH
  stockrelay setup --site ams1 --odoo https://odoo.example.com --database prod --warehouse WH --api-key-file key.txt --no-start")]
    Setup(SetupArgs),
    /// Write a consistent copy of the journal to a file, while the daemon runs
    #[command(after_help = journal_args::BACKUP_HELP)]
    Backup(BackupArgs),
    /// Verify, export or import the journal
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Stop sending to Odoo for a time, and go on collecting: for a stocktake or an upgrade of Odoo
    #[command(after_help = "\
The documents that are being sent are finished first; the answer says when nothing more changes in Odoo. A document about which Odoo does not answer waits for the end of the pause, and is then asked about with the same key. The gateway continues to store and acknowledge events, and to refresh its copy of Odoo's data. The pause outlasts a restart.

A second `pause` replaces the first: it sets another end or reason.

Examples:
  stockrelay pause --until 2h --reason \"Odoo upgrade\"
  stockrelay pause --until 06:00 --reason stocktake
  stockrelay pause                        until `stockrelay resume`
  stockrelay pause --history              who paused, when, and why")]
    Pause(PauseArgs),
    /// End a pause: send to Odoo again
    #[command(after_help = "\
Examples:
  stockrelay resume
  stockrelay resume --reason \"the upgrade is done\"")]
    Resume(UnpauseArgs),
    /// Make this gateway the one that posts for its site, after another one has replaced it
    #[command(after_help = "\
Only one gateway of a site posts to Odoo: the one that started last. A gateway that another one has replaced keeps its documents, because devices may have sent the same events to the other one. Stop the other gateway first. This one then compares what waits with Odoo: it sends what Odoo cannot have, and parks what stays unsure as `maybe-posted`, for a person to decide.

Example:
  stockrelay take-over --reason \"the spare box goes back to the shelf\"")]
    TakeOver(TakeOverArgs),
    /// Add, list and disable the devices of devices.toml, and change their passwords
    #[command(after_help = "\
The commands change the file that mqtt.listen.devices names, or without it mqtt.broker.devices. They keep its comments, its order, its mode and its owner. A running daemon reads the file by itself within a second or two.

If a bundle of central IT brings a devices.toml, the gateway uses that file instead: change it there.

Examples:
  sudo stockrelay devices add pda-07 --flow transfer
  sudo stockrelay devices add pda-07 --replace-password        a new password for a known device
  sudo stockrelay devices disable pda-07                       a lost device
  stockrelay devices list")]
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Check, test and list scanner profiles
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Show, check or reload the configuration; make, sign and check bundles for many gateways
    #[command(after_help = "\
Examples:
  stockrelay config show                                       each key, its value and its origin
  stockrelay config check                                      faults and warnings of this gateway's files
  stockrelay config reload                                     the daemon reads its files again
  stockrelay config bundle autumn -o autumn.bundle             a bundle from the directory autumn
  stockrelay config sign autumn.bundle --key anna.key
  stockrelay config check autumn.bundle --as ams1              the bundle at one site, on any machine")]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Central IT: publish bundles for many gateways, watch rollouts, stop them
    #[command(defer(without_socket))]
    #[command(after_help = "\
The commands work on any machine with an account at central IT's broker.

Examples:
  stockrelay fleet status                                      all gateways, failures first
  stockrelay fleet push autumn.bundle --trust trust.toml
  stockrelay fleet watch 42 --max-failed 0.05 --sign anna.key
  stockrelay fleet stop 42 --reason \"wrong database\" --sign anna.key")]
    Fleet(Box<FleetArgs>),
    /// Collect what a person who helps needs to know: status, checks, log, configuration
    #[command(after_help = "\
The command prints the contents first. On a terminal it then asks; elsewhere it writes at once. The file is only for you (mode 0600), and no file is ever overwritten.

Passwords, keys and their hashes are left out; payloads, operators' names and quantities of parked documents are replaced by their lengths. Names of devices, products and bins stay: read the file before you send it.

Examples:
  sudo stockrelay support-bundle                               stockrelay-ams1-20261130T081530Z.tar.gz
  sudo stockrelay support-bundle /tmp/gateway.tar.gz --yes
  stockrelay support-bundle --list                             the contents, without a file")]
    SupportBundle(SupportArgs),
    /// Write the manual pages of all commands
    #[command(defer(without_config))]
    #[command(after_help = "\
Examples:
  stockrelay man | man -l -                                    the page of `stockrelay`
  stockrelay man /usr/local/share/man/man1                     a page for each command")]
    Man(ManArgs),
    /// Print the completions for a shell
    #[command(defer(without_config))]
    #[command(after_help = "\
Examples:
  stockrelay completions bash > /etc/bash_completion.d/stockrelay
  stockrelay completions zsh > /usr/local/share/zsh/site-functions/_stockrelay
  stockrelay completions fish > ~/.config/fish/completions/stockrelay.fish")]
    Completions(CompletionsArgs),
}

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Check profile files: print every fault, and every sample that is not read as it should be
    #[command(defer(without_config))]
    #[command(after_help = "\
Exit code 0 without a fault, 64 with one.

Examples:
  stockrelay profile check ./my-scanner.toml
  stockrelay profile check zebra-serial generic-hid")]
    Check {
        /// Files, or names that `profile list` shows
        #[arg(required = true)]
        files: Vec<String>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Show how a profile reads a code, step by step
    #[command(after_help = "\
CODE is what the scanner sends, with the escapes \\x1d, \\r, \\n, \\t and \\\\. `-` reads lines from standard input.
The profile's end marks may be missing. Where a profile reads JSON, the command puts a bare code into a JSON payload.

Examples:
  stockrelay profile test zebra-serial ']C10104006381333931\\x1d10LOT-7'
  stockrelay profile test zebra-serial LOC-A-01 --copy       its meaning at this site, and why
  stockrelay profile test ./my-scanner.toml --json - < codes.txt")]
    Test {
        /// A file, or a name that `profile list` shows
        file: String,
        /// What the scanner sends; `-` reads lines from standard input
        code: String,
        /// Also ask the running daemon, which uses its copy of Odoo's data and nomenclature, and
        /// print the result of each step
        #[arg(long)]
        copy: bool,
        /// With --copy: the product that was scanned before; CODE may be one of its lots
        #[arg(long, value_name = "CODE", requires = "copy")]
        last: Option<String>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// List the profiles that are shipped
    #[command(defer(without_config))]
    #[command(after_help = "\
Example:
  stockrelay profile list")]
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of profile files
    #[command(defer(without_config))]
    #[command(after_help = "\
Example:
  stockrelay profile schema > profile.schema.json")]
    Schema,
    /// Print a sheet of command barcodes as SVG
    #[command(defer(without_config))]
    #[command(after_help = "\
Example:
  stockrelay profile sheet --operator anna --operator ben > sheet.svg")]
    Sheet {
        /// Add a badge for this operator; may be repeated
        #[arg(long = "operator", value_name = "NAME")]
        operators: Vec<String>,
    },
}
