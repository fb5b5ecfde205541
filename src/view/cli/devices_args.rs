//! The arguments of `stockrelay devices`.

use clap::{Args, Subcommand};

use super::without_socket;
use crate::event::Name;

#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// Add a device, and print its password and a sheet with a code for the device
    #[command(after_help = "\
The command makes the password and prints it once: the file has only its hash. The sheet has what a device needs: broker, user name, password, topics, and all of it as a code (QR) in JSON.

The command refuses a name that the file has. With --replace-password it gives that device a new password, and changes nothing else; the old password ends as soon as the daemon has read the file.

Examples:
  sudo stockrelay devices add pda-07
  sudo stockrelay devices add glove-2 --profile proglove-streams --flow pick
  sudo stockrelay devices add pda-07 --replace-password
  sudo stockrelay devices add pda-07 --json | jq -r .password")]
    Add(AddArgs),
    /// List the devices of devices.toml
    #[command(after_help = "\
The command reads the file. Whether a device is connected is in `stockrelay status --json` and `stockrelay top`.

Examples:
  stockrelay devices list
  stockrelay devices list --json | jq -r 'select(.enabled | not) | .name'")]
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Refuse a device from now on: a lost or stolen one
    #[command(after_help = "\
The entry stays in the file with `enabled = false`. The daemon disconnects the device, and refuses it also with a certificate. Its stored events stay. `devices add NAME --replace-password` lets a found device in again.

Examples:
  sudo stockrelay devices disable pda-07")]
    Disable {
        /// The device's name
        name: Name,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Read a password from the terminal or standard input, and print its hash
    #[command(defer(without_socket))]
    #[command(after_help = "\
With DEVICE, the command prints the lines for devices.toml; without it, the hash alone.

Examples:
  stockrelay devices hash                                      asks for the password
  printf %s \"$PASSWORD\" | stockrelay devices hash
  printf %s \"$PASSWORD\" | stockrelay devices hash pda-07 >> /etc/stockrelay/devices.toml")]
    Hash {
        /// The device's name
        device: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// The device's name: at most 64 letters, digits, `.`, `_` and `-`; it is a part of MQTT topics
    pub name: String,
    /// The profile that describes its scans: a name that `profile list` shows, or a path from the
    /// directory of devices.toml
    #[arg(long, value_name = "PROFILE", conflicts_with = "replace_password")]
    pub profile: Option<String>,
    /// The flow that it starts in, such as transfer, pick or count
    #[arg(long, value_name = "FLOW", conflicts_with = "replace_password")]
    pub flow: Option<String>,
    /// Give a device that the file has a new password, and enable it
    #[arg(long)]
    pub replace_password: bool,
    /// The address of the gateway as the device reaches it, if it is not that of mqtt.listen
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Print one JSON object instead of the sheet
    #[arg(long)]
    pub json: bool,
}
