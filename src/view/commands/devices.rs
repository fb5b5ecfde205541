//! `stockrelay devices`: adds, lists and disables the devices of devices.toml, and changes their
//! passwords.

mod password;
mod sheet;

use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{CommandError, Process, json_line};
use crate::config::{self, Config};
use crate::event::Name;
use crate::source::devices::edit::{self, Edit, EditError, Listed};
use crate::source::devices::{self, find_line, hash_password};
use crate::view::cli::{AddArgs, DevicesCommand};
use crate::view::client::{Client, ClientError};
use crate::view::gateway::EffectiveView;
use crate::view::table::{Table, plain};
pub(super) use password::make as make_password;
use password::read_password;
pub use password::{Console, PasswordInput};
pub(super) use sheet::Sheet;

type Coded = Result<(), CommandError>;

/// The list of devices that a command changes.
struct DeviceList {
    config: Config,
    /// The file that the configuration of this machine names.
    file: PathBuf,
    /// Whether the devices log in at the gateway, and not at a broker of the site.
    is_own: bool,
    /// The list that the running daemon uses instead: that of a bundle.
    of_bundle: Option<PathBuf>,
    is_running: bool,
}

/// Runs the command. `input` reads a password; `colours`: `out` is a terminal.
pub async fn devices(
    command: &DevicesCommand,
    process: &Process<'_>,
    client: Option<&Client>,
    input: &mut dyn PasswordInput,
    (colours, out): (bool, &mut dyn Write),
) -> Coded {
    match command {
        DevicesCommand::Hash { device, json } => {
            hash(device.as_deref(), *json, process, input, out)
        }
        DevicesCommand::Add(args) => {
            let list = DeviceList::find(process, client).await?;
            add(args, &list, (colours, out))
        }
        DevicesCommand::List { json } => {
            let list = DeviceList::find(process, client).await?;
            show(&list, *json, out)
        }
        DevicesCommand::Disable { name, json } => {
            let list = DeviceList::find(process, client).await?;
            edit::edit(&list.file, name, &Edit::Disable)?;
            let effect = list.describe_effect();
            if *json {
                let file = list.file.display().to_string();
                json_line(
                    out,
                    &json!({"name": name, "enabled": false, "file": file, "effect": effect}),
                )?;
            } else {
                writeln!(out, "Device {name} is disabled. {effect}")?;
            }
            Ok(())
        }
    }
}

impl DeviceList {
    async fn find(process: &Process<'_>, client: Option<&Client>) -> Result<Self, CommandError> {
        let loaded = config::load(process.config, process.environment);
        let config = loaded
            .map_err(|error| CommandError::Config(error.to_string()))?
            .config;
        let of_listen = config.listen.as_ref().and_then(|it| it.devices.clone());
        let of_broker = config.broker.as_ref().and_then(|it| it.devices.clone());
        let is_own = of_listen.is_some();
        let file = of_listen.or(of_broker).ok_or_else(|| {
            CommandError::Config(format!(
                "{} names no list of devices: set devices = \"devices.toml\" in its section [mqtt.listen] (devices that log in at the gateway) or [mqtt.broker]",
                process.config.display()
            ))
        })?;
        let (is_running, used) = match client {
            Some(client) => used_by_daemon(client, is_own).await,
            None => (false, None),
        };
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let of_bundle = used.filter(|used| real(used) != real(&file));
        Ok(Self {
            config,
            file,
            is_own,
            of_bundle,
            is_running,
        })
    }

    /// Describes when a change takes effect, and what a person has to do for it.
    fn describe_effect(&self) -> String {
        match (&self.of_bundle, self.is_running) {
            (Some(of_bundle), _) => format!(
                "It has no effect now: the gateway uses {} of a bundle instead of {}. Change the list in the bundle.",
                of_bundle.display(),
                self.file.display()
            ),
            (None, true) => "The running gateway reads the list within two seconds.".to_owned(),
            (None, false) => {
                "The gateway does not run, or this user may not ask it: it reads the list when it starts.".to_owned()
            }
        }
    }
}

/// Whether a daemon answers, and the list of devices that it uses.
async fn used_by_daemon(client: &Client, is_own: bool) -> (bool, Option<PathBuf>) {
    let effective: Result<EffectiveView, ClientError> = client.get("/v1/config/effective").await;
    let Ok(effective) = effective else {
        return (false, None);
    };
    let key = if is_own {
        "mqtt.listen.devices"
    } else {
        "mqtt.broker.devices"
    };
    let value = effective.keys.get(key).and_then(|key| key.value.as_str());
    (true, value.map(PathBuf::from))
}

fn add(args: &AddArgs, list: &DeviceList, (colours, out): (bool, &mut dyn Write)) -> Coded {
    let name = Name::new(&args.name).map_err(|error| {
        CommandError::Usage(format!(
            "{error}: a topic contains it, where `/`, `+` and `#` have a meaning; choose another name"
        ))
    })?;
    // The password of a device on a broker of the site is that broker's matter.
    let password = list.is_own.then(make_password);
    let hash = password.as_ref().map(hash_password);
    let change = match (&hash, args.replace_password) {
        (Some(hash), true) => Edit::Password(hash),
        (None, true) => {
            return Err(CommandError::Usage(format!(
                "device {name} logs in at the broker of the site: change its password there"
            )));
        }
        (hash, false) => Edit::Add {
            hash: hash.as_deref(),
            profile: args.profile.as_deref(),
            flow: args.flow.as_deref(),
        },
    };
    let is_new = !list.file.exists();
    edit::edit(&list.file, &name, &change)?;
    if is_new {
        give_to_daemon(list)?;
    }
    let sheet = Sheet::of(&list.config, &name, password, args.host.as_deref());
    let effect = list.describe_effect();
    if args.json {
        json_line(out, &sheet.json(&list.file, &effect))?;
        return Ok(());
    }
    sheet.write(colours, out)?;
    writeln!(out, "\n{} has the device. {effect}", list.file.display())?;
    if list.is_own {
        writeln!(
            out,
            "The password is not shown again. `stockrelay devices add {name} --replace-password` makes a new one."
        )?;
    }
    Ok(())
}

/// Gives a new list to the daemon's user, to whom the journal's directory belongs.
fn give_to_daemon(list: &DeviceList) -> Coded {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let Ok(data) = std::fs::metadata(&list.config.data_dir) else {
        return Ok(());
    };
    edit::give(&list.file, data.uid(), data.gid()).map_err(|error| {
        CommandError::Failed(format!(
            "cannot give {} to the gateway's user: {error}; run chown stockrelay {0}",
            list.file.display()
        ))
    })
}

fn show(list: &DeviceList, json: bool, out: &mut dyn Write) -> Coded {
    let used = list.of_bundle.as_ref().unwrap_or(&list.file);
    let found = devices::read(used).map_err(EditError::from)?;
    let rows = found.iter().map(|(name, device)| Listed::of(name, device));
    if json {
        for row in rows {
            json_line(out, &row)?;
        }
        return Ok(());
    }
    let mut table = Table::new(&["DEVICE", "STATE", "LOG-IN", "PROFILE", "FLOW"]);
    for row in rows {
        let state = if row.enabled { "enabled" } else { "disabled" };
        let login = match (list.is_own, row.password) {
            (false, _) => "at the broker",
            (true, true) => "password",
            (true, false) => "certificate",
        };
        table.row([
            row.name.to_string(),
            state.to_owned(),
            login.to_owned(),
            row.profile.unwrap_or_default(),
            row.flow.unwrap_or_default(),
        ]);
    }
    table.write(&mut &mut *out, true)?;
    if list.of_bundle.is_some() {
        writeln!(
            out,
            "This is the list of a bundle, {}: the gateway does not use {}.",
            used.display(),
            list.file.display()
        )?;
    }
    Ok(())
}

/// Prints the hash of a password, or the entry of a device for devices.toml. If the list already
/// has the device, a second entry would make it invalid: the command then fails and names the line
/// to replace.
fn hash(
    device: Option<&str>,
    json: bool,
    process: &Process<'_>,
    input: &mut dyn PasswordInput,
    out: &mut dyn Write,
) -> Coded {
    let name = device.map(Name::new).transpose();
    let name = name.map_err(|error| CommandError::Usage(error.to_string()))?;
    let hash = hash_password(read_password(input)?);
    let Some(name) = name else {
        if json {
            json_line(out, &json!({"hash": hash}))?;
        } else {
            writeln!(out, "{hash}")?;
        }
        return Ok(());
    };
    let loaded = config::load(process.config, process.environment);
    let listed = loaded.ok().and_then(|loaded| {
        let of_broker = loaded.config.broker.and_then(|broker| broker.devices);
        let of_listen = loaded.config.listen.and_then(|listen| listen.devices);
        let file = of_listen.or(of_broker)?;
        let line = find_line(&file, &name)?;
        Some((file, line))
    });
    if let Some((file, line)) = listed {
        return Err(CommandError::Failed(format!(
            "device {name} is already in {}, at line {line}: replace its password there by this line, and append nothing\npassword = \"{hash}\"",
            plain(&file.display().to_string())
        )));
    }
    if json {
        json_line(out, &json!({"name": name, "hash": hash}))?;
    } else {
        // Quoted, because a name may hold dots, which would make it two keys.
        writeln!(out, "[devices.\"{name}\"]\npassword = \"{hash}\"")?;
    }
    Ok(())
}

impl From<EditError> for CommandError {
    fn from(error: EditError) -> Self {
        Self::Failed(error.to_string())
    }
}
