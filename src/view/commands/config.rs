//! `stockrelay config`: shows and checks the configuration, and makes, signs and checks central
//! IT's bundles. No command here needs a daemon; `show` and `diff` ask it if it runs.

mod changes;
mod difference;
mod inspect;
mod reference;
mod running;
mod secret;
mod signer;
mod site;

use std::fs;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::{CommandError, EXIT_DONE, json_line};
use crate::config::{self, ConfigError};
use crate::fleet::archive::BYTES_MAX;
use crate::fleet::build;
use crate::fleet::{Bundle, BundleError};
use crate::view::cli::ConfigCommand;
use crate::view::client::Client;
use crate::view::table::counted;

pub(super) use signer::open_key;

/// The process in which a command runs.
#[derive(Debug, Clone, Copy)]
pub struct Process<'a> {
    /// The path of the configuration file.
    pub config: &'a Path,
    /// The variables for the configuration.
    pub environment: &'a [(String, String)],
    pub now: Timestamp,
}

/// Runs the command. `client` asks the daemon of this gateway. `None`: there is none to ask.
pub async fn config(
    command: &ConfigCommand,
    process: &Process<'_>,
    client: Option<&Client>,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    match command {
        ConfigCommand::Show { files, json } => {
            let client = client.filter(|_| !files);
            running::show(client, process, *json, out).await
        }
        ConfigCommand::Reference { name, json } => reference::print(name.as_deref(), *json, out),
        ConfigCommand::Recipient { json } => secret::recipient(process, *json, out),
        ConfigCommand::Encrypt(args) => secret::encrypt(args, out),
        ConfigCommand::Check(args) => site::check(args, process, out),
        ConfigCommand::Keygen(args) => signer::keygen(args, out),
        ConfigCommand::Bundle {
            directory,
            output,
            json,
        } => make_bundle((directory, output), *json, process.now, out),
        ConfigCommand::Sign(args) => signer::sign(args, process.now, out),
        ConfigCommand::Verify { file, trust, json } => {
            inspect::verify((file, trust), process.now, *json, out)
        }
        ConfigCommand::Inspect { file, json } => inspect::inspect(file, *json, out),
        // `main` asks the daemon.
        ConfigCommand::Reload { .. }
        | ConfigCommand::Apply(_)
        | ConfigCommand::Rollback { .. }
        | ConfigCommand::History { .. } => Ok(EXIT_DONE),
        ConfigCommand::Diff {
            first,
            second,
            json,
        } => match second {
            Some(second) => difference::diff(first, second, *json, out),
            None => changes::diff(first, client, process, *json, out).await,
        },
    }
}

/// Makes a bundle from a directory.
fn make_bundle(
    (directory, output): (&Path, &Path),
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    check_outside(directory, output)?;
    let bytes = build::build(directory).map_err(failed)?;
    let bytes = Bytes::from(bytes);
    let bundle = Bundle::read(&bytes).map_err(refused)?;
    for name in build::left_out(directory) {
        writeln!(
            io::stderr(),
            "stockrelay: warning: {name} is not below files/ and is left out: move it there, or remove it"
        )?;
    }
    inspect::check_sites(&bundle)?;
    write_file(output, &bytes)?;
    let serial = bundle.manifest.serial;
    let count = bundle.files.len() as u64;
    let shown = output.display();
    if json {
        json_line(
            out,
            &json!({ "file": output, "serial": serial, "files": count }),
        )?;
    } else {
        let files = counted(count, "file");
        writeln!(
            out,
            "{shown} has serial {serial} and {files}; sign it with `stockrelay config sign {shown} --key KEY`"
        )?;
    }
    inspect::warn_if_expired(&bundle, now)?;
    inspect::warn_of_late_rings(&bundle, now)?;
    Ok(EXIT_DONE)
}

fn load(process: &Process) -> Result<config::Loaded, CommandError> {
    let loaded = config::load(process.config, process.environment);
    loaded.map_err(|error: ConfigError| CommandError::Config(error.to_string()))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "for `map_err`, and for texts that are made for it"
)]
pub(super) fn failed(error: impl ToString) -> CommandError {
    CommandError::Failed(error.to_string())
}

/// The error of a bundle, with its code.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn refused(error: BundleError) -> CommandError {
    CommandError::Failed(format!("{}: {error}", error.code()))
}

/// A bundle in its own `files/` would be a file of the next one.
fn check_outside(directory: &Path, output: &Path) -> Result<(), CommandError> {
    let parent = output.parent().filter(|it| !it.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize();
    let files = directory.join("files").canonicalize();
    match (parent, files) {
        (Ok(parent), Ok(files)) if parent.starts_with(&files) => Err(failed(format!(
            "{} is in the files of the bundle: write the bundle outside of {}",
            output.display(),
            files.display()
        ))),
        // A directory that does not exist is named where it is used.
        _ => Ok(()),
    }
}

/// Reads a bundle, at most one byte more than the largest.
pub(super) fn read_file(file: &Path) -> Result<Bytes, CommandError> {
    let mut bytes = Vec::new();
    let read = crate::fleet::open_regular(file)
        .and_then(|opened| opened.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        failed(format!(
            "{} cannot be read: {error}; name a bundle",
            file.display()
        ))
    })?;
    let is_text = str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0'));
    if is_text && !bytes.is_empty() {
        return Err(failed(format!(
            "{} is no bundle: it is a text, and a bundle is a tar file, which `stockrelay config bundle` makes",
            file.display()
        )));
    }
    Ok(bytes.into())
}

/// Reads a bundle; its signatures are not verified.
fn read_bundle(file: &Path) -> Result<Bundle, CommandError> {
    Bundle::read(&read_file(file)?).map_err(refused)
}

/// Writes a file as a whole or not at all. An existing file is replaced.
pub(super) fn write_file(file: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let write = || -> io::Result<()> {
        let mode = fs::Permissions::from_mode(0o644);
        let mut new = tempfile::Builder::new()
            .permissions(mode)
            .tempfile_in(directory.unwrap_or(Path::new(".")))?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    write().map_err(|error| {
        failed(format!(
            "{} cannot be written: {error}; name another file",
            file.display()
        ))
    })
}
