//! The arguments of `stockrelay config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{without_config, without_socket};
use crate::event::Name;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every key with its value in force and its origin, defaults included
    #[command(after_help = "\
A running daemon answers with the configuration that it uses. Without one, and with --files, the command reads the files, and the bundle that the next start loads. A bundle can set keys, so the files alone do not tell what runs.

The origin of a value is a file with its line, a file of a bundle, an environment variable, or `default`. The output is TOML; passwords and keys are only named by their files.

Examples:
  stockrelay config show
  stockrelay config show | grep negative
  stockrelay config show --json | jq .keys
  stockrelay config show --files --config ./new.toml")]
    Show {
        /// Read the files, even if a daemon runs
        #[arg(long)]
        files: bool,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Print the reference: every key with its default, range, unit, example and meaning
    #[command(defer(without_config))]
    #[command(after_help = "\
Without NAME the command prints the page docs/configuration.md. It reads no file and asks no daemon: `config show` prints the values in force.

Examples:
  stockrelay config reference | less
  stockrelay config reference odoo.timeout_s
  stockrelay config reference mqtt.listen
  stockrelay config reference --json | jq -r 'select(.change != \"reload\") | .key'")]
    Reference {
        /// A key, or a section with all its keys
        name: Option<String>,
        /// Print one JSON object per line, one for each key
        #[arg(long)]
        json: bool,
    },
    /// Print every fault and warning of the configuration, or of a bundle at a site
    #[command(defer(without_socket))]
    #[command(after_help = "\
Without FILE the command checks this gateway's own files and opens nothing that they name: `stockrelay check` also opens the files, directories and ports, and asks Odoo. With a bundle it checks what the gateway of SITE would read: the effective configuration, profiles and lists; and it lists the credentials that the gateway needs. The signatures do not matter: `config verify` checks them.

Without the gateway's configuration (--config) the command assumes a site that sets only what has no default. A file that has only [fleet], as at central IT's desk, is not used. On a gateway, --as and --group can be left out: its configuration has `site` and `fleet.group`.

Exit code 0 without a fault, 64 with one.

Examples:
  stockrelay config check --config ./new.toml
  stockrelay config check autumn.bundle                              on a gateway: as this site
  stockrelay config check autumn.bundle --as ams1 --group nl         on any machine
  stockrelay config check autumn.bundle --all                        as `config bundle` does
  stockrelay config check autumn.bundle --as ams1 --config copy-of-ams1/config.toml")]
    Check(CheckArgs),
    /// Have the running daemon read its configuration again, without a restart
    #[command(after_help = "\
The daemon checks the whole configuration first. If it finds a fault, it continues with the configuration that it has, and the command prints every fault. `site` and `data_dir` change only at a restart.

Exit code 0 if the daemon runs with the new configuration, 1 if it refused it.

Examples:
  stockrelay config reload
  stockrelay config reload --json | jq .changed")]
    Reload {
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Hand a bundle to the running daemon, and wait until it is confirmed
    #[command(after_help = "\
The daemon verifies the bundle with its own trust.toml, checks it against this gateway, applies it when its time has come and nothing is being scanned, and watches it. It returns to the configuration before if the gateway is worse with it.

Exit code 0 if the bundle is confirmed, 1 if it is refused or rolled back. An interrupted command stops nothing.

Examples:
  stockrelay config apply /media/usb/autumn.bundle
  stockrelay config apply autumn.bundle --no-wait
  stockrelay config apply autumn.bundle --again    after the gateway rolled it back")]
    Apply(ApplyArgs),
    /// Return to the configuration that was confirmed before
    #[command(after_help = "\
A bundle that is being watched is rolled back. Otherwise the gateway returns from the confirmed bundle to the one before it, or to the local files.

Example:
  stockrelay config rollback")]
    Rollback {
        /// Print the JSON answer of the control API: the configuration that runs then
        #[arg(long)]
        json: bool,
    },
    /// List how the bundles of this gateway ended: when, who, the outcome and its reason
    #[command(after_help = "\
Examples:
  stockrelay config history
  stockrelay config history --json | jq '.history[0]'")]
    History {
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Print the recipient of this gateway, to which central IT encrypts its secrets
    #[command(defer(without_socket))]
    #[command(after_help = "\
The daemon makes the gateway's key at its first start. The command reads it in data_dir, as root or as the daemon's user, and prints only its public half. `stockrelay fleet show SITE` prints the same from the report.

Example:
  stockrelay config recipient")]
    Recipient {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Encrypt a secret to one gateway, as NAME.age for a bundle
    #[command(defer(without_config))]
    #[command(after_help = "\
Put the file into files/sites/SITE/secrets of the bundle. NAME is odoo-api-key, odoo-ca, mqtt-broker-password, mqtt-broker-ca, mqtt-broker-client-cert, mqtt-broker-client-key, mqtt-listen-tls-cert, mqtt-listen-tls-key or mqtt-listen-client-ca. Without FILE the command reads standard input; a terminal asks for the secret. `age -r RECIPIENT -o NAME.age FILE` does the same.

A report is not signed: whoever can publish it can name a recipient of their own, and then reads the secret. Compare the recipient with `stockrelay config recipient` on the gateway once, write it into a file, and use that file with --recipients.

Examples:
  stockrelay config encrypt odoo.key --recipients recipients.toml --site ams1 -o odoo-api-key.age
  stockrelay config encrypt odoo.key --to age1... -o odoo-api-key.age
  pass show odoo/ams1 | stockrelay config encrypt --to age1... -o files/sites/ams1/secrets/odoo-api-key.age")]
    Encrypt(EncryptArgs),
    /// Make a key that signs bundles: NAME.key (secret) and NAME.pub, minisign's files
    #[command(defer(without_config))]
    #[command(after_help = "\
The command prints the lines of the key for trust.toml. The password encrypts NAME.key; `minisign -G` makes the same files.

Examples:
  stockrelay config keygen -o anna
  stockrelay config keygen -o ci --password-file /run/credentials/ci-password")]
    Keygen(KeygenArgs),
    /// Make a bundle from a directory with manifest.toml and files/
    #[command(defer(without_config))]
    #[command(after_help = "\
manifest.toml has no [[file]] sections: the command adds them. It refuses what a gateway would refuse, such as passwords, private keys and unknown keys.

Examples:
  stockrelay config bundle autumn -o autumn.bundle
  stockrelay config bundle . -o ../43.bundle")]
    Bundle {
        /// The directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// The bundle to write; an existing file is replaced
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Add a signature to a bundle
    #[command(defer(without_config))]
    #[command(after_help = "\
The terminal asks for the password of the key. For scripts: --password-file, whose first line is the password.

Examples:
  stockrelay config sign autumn.bundle --key anna.key
  stockrelay config sign autumn.bundle --key ci.key --password-file /run/credentials/ci-password")]
    Sign(SignArgs),
    /// Verify a bundle as a gateway does, with the keys of a trust.toml
    #[command(defer(without_config))]
    #[command(after_help = "\
Exit code 0 if a gateway with this trust.toml accepts the signatures and the content, 1 if not.

Example:
  stockrelay config verify autumn.bundle --trust trust.toml")]
    Verify {
        /// The bundle
        file: PathBuf,
        /// The trusted keys
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what a bundle has; its signatures are not verified
    #[command(defer(without_config))]
    #[command(after_help = "\
Example:
  stockrelay config inspect autumn.bundle")]
    Inspect {
        /// The bundle
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show the differences of two bundles, or what a bundle would change on this gateway
    #[command(after_help = "\
With two bundles, the command lists what changes from A to B, for all sites.

With one bundle, it lists what changes on this gateway when the bundle replaces what runs: the files for its site, then each key with its value before and after, and when the change takes effect. A running daemon answers what runs; without one, the command reads the files and the bundle that the next start loads. Exit code 64 if this gateway cannot use the bundle: the command prints every fault.

Examples:
  stockrelay config diff summer.bundle autumn.bundle
  stockrelay config diff /media/usb/autumn.bundle")]
    Diff {
        /// A bundle
        #[arg(value_name = "A")]
        first: PathBuf,
        /// The bundle after it
        #[arg(value_name = "B")]
        second: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The bundle
    pub file: PathBuf,
    /// Return once the bundle waits for its time or a quiet moment
    #[arg(long)]
    pub no_wait: bool,
    /// Try a bundle again that was rolled back here
    #[arg(long)]
    pub again: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EncryptArgs {
    /// The file with the secret; without it, standard input
    pub file: Option<PathBuf>,
    /// The recipient of the gateway, as `config recipient` shows it on site
    #[arg(long, value_name = "RECIPIENT", required_unless_present = "recipients")]
    pub to: Option<String>,
    /// A TOML file of known recipients, with a line SITE = "age1..." for each site; another
    /// recipient of the site is refused
    #[arg(long, value_name = "FILE", requires = "site")]
    pub recipients: Option<PathBuf>,
    /// The site of the gateway, in the file of --recipients
    #[arg(long, requires = "recipients")]
    pub site: Option<Name>,
    /// The file to write: NAME.age; an existing file is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The bundle
    pub file: Option<PathBuf>,
    /// The site at which the bundle is checked; by default the site of this gateway
    #[arg(long = "as", value_name = "SITE")]
    pub site: Option<Name>,
    /// The group of the site; by default, for this gateway's own site, its fleet.group
    #[arg(long, value_name = "NAME", requires = "file")]
    pub group: Option<Name>,
    /// Check the bundle for all sites and groups that it names, without a gateway's own files
    #[arg(long, requires = "file", conflicts_with_all = ["site", "group"])]
    pub all: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The name of the two files, without their ending
    #[arg(short, long, value_name = "NAME")]
    pub output: PathBuf,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    pub password_file: Option<PathBuf>,
    /// Do not encrypt the secret key
    #[arg(long)]
    pub no_password: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SignArgs {
    /// The bundle; the command replaces it
    pub file: PathBuf,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Read the password of the key from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
