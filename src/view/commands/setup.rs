//! `stockrelay setup`: the first configuration of a gateway, by question and answer.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, geteuid};
use secrecy::{ExposeSecret as _, SecretString};

use super::devices::{Sheet, make_password};
use super::{CommandError, EXIT_DONE, EXIT_FAILED, Process};
use crate::config::{self, Config};
use crate::event::Name;
use crate::source::devices::edit::{self, Edit};
use crate::source::devices::hash_password;
use crate::view::cli::{CONFIG_DEFAULT, SetupArgs};

/// The user that the service runs as.
const SERVICE: &str = "stockrelay";
/// Here systemd looks for the credential that the unit passes on (systemd.exec(5),
/// `LoadCredential=`).
const CREDENTIAL: &str = "/etc/credstore/odoo-api-key";
/// The longest API key, in bytes: Odoo's have 40 characters.
const KEY_BYTES_MAX: u64 = 4_096;
fn failed(text: impl Into<String>) -> CommandError {
    CommandError::Failed(text.into())
}

/// Writes the configuration, the first device and the API key; checks all of it; starts the
/// gateway.
pub fn setup(
    args: &SetupArgs,
    process: &Process<'_>,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let file = process.config;
    if file.symlink_metadata().is_ok() {
        return Err(failed(format!(
            "{0} exists: setup writes only the first configuration. Change it with an editor, then run `stockrelay check`; to begin again, move {0} away",
            file.display()
        )));
    }
    let is_installed = file == Path::new(CONFIG_DEFAULT);
    if is_installed {
        prepare_machine()?;
    }
    let device = Name::new(&args.device)
        .map_err(|error| CommandError::Usage(format!("--device {}: {error}", args.device)))?;
    let answers = Answers::of(args)?;
    let directory = file.parent().unwrap_or(Path::new("."));
    // The unit passes the credential on; started in another way, the gateway reads a file.
    let is_credential = is_installed && Path::new("/run/systemd/system").is_dir();
    let text = answers.configuration(!is_credential);
    let (new, config) = verified(directory, &text, process)?;

    let key_file = if is_credential {
        PathBuf::from(CREDENTIAL)
    } else {
        directory.join("odoo.key")
    };
    let key = read_key(args.api_key_file.as_deref())?;
    // Any other configuration is for a gateway that the present user runs.
    let service = is_installed.then(service).flatten();
    let owner = service.filter(|_| !is_credential);
    write(&key_file, key.expose_secret().as_bytes(), 0o600, owner)?;
    let devices = directory.join("devices.toml");
    let sheet = match devices.symlink_metadata() {
        Ok(_) => None,
        Err(_) => Some(write_device(&devices, &device, service, &config)?),
    };
    let group = service.map(|(_, group)| (0, group));
    new.persist(file)
        .map_err(|error| cannot_write(file, &error.error))?;
    set_rights(file, 0o640, group).map_err(|error| cannot_write(file, &error))?;

    writeln!(out, "wrote {}", file.display())?;
    writeln!(out, "wrote {} (the API key)", key_file.display())?;
    if let Some(sheet) = sheet {
        writeln!(out, "wrote {}\n", devices.display())?;
        sheet.write(io::stdout().is_terminal(), out)?;
        writeln!(out, "The password is not shown again.\n")?;
    } else {
        writeln!(out, "kept {}", devices.display())?;
    }
    out.flush()?;
    check_and_start(file, is_installed, args.no_start, out)
}

/// Makes the service's user and directories, if a package has not done so.
fn prepare_machine() -> Result<(), CommandError> {
    if !geteuid().is_root() {
        return Err(failed(format!(
            "only root may write {CONFIG_DEFAULT}: run `sudo stockrelay setup`, or name another file with --config"
        )));
    }
    if service().is_none() {
        for (program, arguments) in [
            ("systemd-sysusers", &["stockrelay.conf"][..]),
            ("systemd-tmpfiles", &["--create", "stockrelay.conf"]),
        ] {
            // What is missing afterwards is a finding of `check`.
            drop(Command::new(program).args(arguments).status());
        }
    }
    Ok(())
}

fn service() -> Option<(u32, u32)> {
    let user = User::from_name(SERVICE).ok()??;
    geteuid()
        .is_root()
        .then_some((user.uid.as_raw(), user.gid.as_raw()))
}

#[derive(Debug)]
struct Answers {
    site: String,
    odoo: String,
    database: String,
    warehouse: String,
    user: Option<String>,
}

impl Answers {
    /// The answers from the arguments, and from the terminal.
    fn of(args: &SetupArgs) -> Result<Self, CommandError> {
        let given = [
            ("--site", &args.site),
            ("--odoo", &args.odoo),
            ("--database", &args.database),
            ("--warehouse", &args.warehouse),
        ];
        let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let missing: Vec<&str> = (given.iter())
            .filter_map(|(option, value)| value.is_none().then_some(*option))
            .collect();
        if !is_terminal && !missing.is_empty() {
            return Err(CommandError::Usage(format!(
                "this is no terminal, so setup cannot ask: give {} too",
                missing.join(", ")
            )));
        }
        let or_ask = |value: &Option<String>, question, default| match value {
            Some(value) => Ok(value.clone()),
            None => ask(question, default),
        };
        Ok(Self {
            site: or_ask(&args.site, "Name of this site, such as ams1", None)?,
            odoo: or_ask(
                &args.odoo,
                "Address of Odoo, such as https://odoo.example.com",
                None,
            )?,
            database: or_ask(&args.database, "Name of the Odoo database", None)?,
            warehouse: or_ask(
                &args.warehouse,
                "Code of this site's warehouse in Odoo",
                Some("WH"),
            )?,
            user: args.user.clone(),
        })
    }

    /// The smallest configuration. `with_key_file`: no credential of systemd has the API key.
    fn configuration(&self, with_key_file: bool) -> String {
        let text = |text: &str| toml::Value::from(text).to_string();
        let line = |key, value: Option<&str>| {
            value.map_or_else(String::new, |value| format!("{key} = {}\n", text(value)))
        };
        let odoo = [
            line("url", Some(&self.odoo)),
            line("database", Some(&self.database)),
            line("warehouse", Some(&self.warehouse)),
            line("user", self.user.as_deref()),
            line("api_key_file", with_key_file.then_some("odoo.key")),
        ]
        .concat();
        format!(
            "# Written by `stockrelay setup`. gateway-defaults.toml has every key and its default.
site = {}

[mqtt.listen]                      # the gateway's own MQTT front door
devices = \"devices.toml\"

[odoo]
{odoo}",
            text(&self.site)
        )
    }
}

/// Asks on standard error, so that standard output has the results alone.
fn ask(question: &str, default: Option<&str>) -> Result<String, CommandError> {
    let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
    loop {
        write!(io::stderr(), "{question}{shown}: ")?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Err(failed("the input ended: nothing is written"));
        }
        match (line.trim(), default) {
            ("", Some(default)) => return Ok(default.to_owned()),
            ("", None) => {}
            (answer, _) => return Ok(answer.to_owned()),
        }
    }
}

/// The configuration in a temporary file beside its place, after all rules have been applied to it.
fn verified(
    directory: &Path,
    text: &str,
    process: &Process<'_>,
) -> Result<(tempfile::NamedTempFile, Config), CommandError> {
    let make = || -> io::Result<tempfile::NamedTempFile> {
        fs::create_dir_all(directory)?;
        let mut new = tempfile::Builder::new()
            .prefix(".setup-")
            .suffix(".toml")
            .tempfile_in(directory)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        Ok(new)
    };
    let new = make().map_err(|error| cannot_write(directory, &error))?;
    match config::load(new.path(), process.environment) {
        Ok(loaded) => Ok((new, loaded.config)),
        Err(error) => {
            let shown = error.to_string();
            let shown = shown.replace(&new.path().display().to_string(), "the new configuration");
            Err(CommandError::Config(format!(
                "{shown}\nstockrelay: nothing is written"
            )))
        }
    }
}

fn read_key(file: Option<&Path>) -> Result<SecretString, CommandError> {
    let text = match file {
        None if io::stdin().is_terminal() => {
            let prompt = "Odoo API key (in Odoo: Preferences, Account Security, New API Key): ";
            rpassword::prompt_password(prompt)
                .map_err(|error| failed(format!("cannot read the API key: {error}")))?
        }
        None => {
            return Err(CommandError::Usage(
                "this is no terminal, so setup cannot ask for the API key: give --api-key-file PATH, or - for standard input"
                    .to_owned(),
            ));
        }
        Some(file) => {
            let mut text = String::new();
            let read = if file == Path::new("-") {
                io::stdin().take(KEY_BYTES_MAX).read_to_string(&mut text)
            } else {
                fs::File::open(file)
                    .and_then(|opened| opened.take(KEY_BYTES_MAX).read_to_string(&mut text))
            };
            read.map_err(|error| {
                failed(format!(
                    "cannot read the API key from {}: {error}; nothing is written",
                    file.display()
                ))
            })?;
            text
        }
    };
    let key = text.trim();
    if key.is_empty() {
        return Err(failed("the API key is empty; nothing is written"));
    }
    Ok(format!("{key}\n").into())
}

/// Makes the list of devices with its first device, and returns the device's sheet.
fn write_device(
    file: &Path,
    device: &Name,
    owner: Option<(u32, u32)>,
    config: &Config,
) -> Result<Sheet, CommandError> {
    let password = make_password();
    let entry = Edit::Add {
        hash: Some(&hash_password(&password)),
        profile: None,
        flow: None,
    };
    edit::edit(file, device, &entry).map_err(|error| failed(error.to_string()))?;
    if let Some((user, group)) = owner {
        edit::give(file, user, group).map_err(|error| cannot_write(file, &error))?;
    }
    Ok(Sheet::of(config, device, Some(password), None))
}

fn cannot_write(file: &Path, error: &io::Error) -> CommandError {
    failed(format!("{} cannot be written: {error}", file.display()))
}

fn set_rights(file: &Path, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some((user, group)) = owner {
        chown(file, Some(user), Some(group))?;
    }
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
}

/// Writes a whole file, or leaves it as it was.
fn write(
    file: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), CommandError> {
    let write = || -> io::Result<()> {
        let directory = file.parent().unwrap_or(Path::new("."));
        if !directory.is_dir() {
            fs::create_dir_all(directory)?;
            // As systemd expects it of a store of credentials.
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        }
        let mut new = tempfile::NamedTempFile::new_in(directory)?;
        new.write_all(bytes)?;
        set_rights(new.path(), mode, owner)?;
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    write().map_err(|error| cannot_write(file, &error))
}

/// Runs `check` as a process of its own, which takes the service's user, and then starts the unit.
fn check_and_start(
    file: &Path,
    is_installed: bool,
    is_not_started: bool,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let program = std::env::current_exe()
        .map_err(|error| failed(format!("cannot find this program: {error}")))?;
    let mut check = Command::new(&program);
    check.args(["--config".as_ref(), file.as_os_str(), "check".as_ref()]);
    if !is_installed && let Ok(Some(me)) = User::from_uid(geteuid()) {
        check.args(["--user", &me.name]);
    }
    let checked = check
        .stdin(Stdio::null())
        .status()
        .map_err(|error| failed(format!("cannot run `stockrelay check`: {error}")))?;
    if !checked.success() {
        writeln!(
            out,
            "\nThe gateway is not started. Correct what FAIL names, then: stockrelay check && systemctl enable --now stockrelay"
        )?;
        return Ok(EXIT_FAILED);
    }
    if is_not_started || !is_installed || !Path::new("/run/systemd/system").is_dir() {
        writeln!(
            out,
            "\nThe gateway is not started. To start it: {} --config {} run",
            program.display(),
            file.display()
        )?;
        return Ok(EXIT_DONE);
    }
    let started = Command::new("systemctl")
        .args(["enable", "--now", "stockrelay"])
        .status();
    if started.is_ok_and(|status| status.success()) {
        writeln!(
            out,
            "\nThe gateway runs, and will after each boot. `stockrelay status` shows its state."
        )?;
        Ok(EXIT_DONE)
    } else {
        Err(failed(
            "the gateway did not start: `journalctl -u stockrelay` says why",
        ))
    }
}
