//! `config keygen` and `config sign`.
//!
//! A password comes from the terminal or from a file, never from an argument or a variable, which
//! other processes of the user can read.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{failed, inspect, read_file, refused, write_file};
use crate::fleet::Bundle;
use crate::fleet::signing::{self, KeyError, SignError, Signer};
use crate::view::cli::{KeygenArgs, SignArgs};
use crate::view::commands::{CommandError, EXIT_DONE, json_line};

/// The largest key file, in bytes.
const KEY_BYTES_MAX: u64 = 4_096;
/// The longest password, in bytes: minisign's own limit.
const PASSWORD_BYTES_MAX: u64 = 1_024;

/// Makes NAME.key and NAME.pub.
pub fn keygen(args: &KeygenArgs, out: &mut dyn Write) -> Result<u8, CommandError> {
    let named = |ending: &str| {
        let mut name = args.output.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (secret, public) = (named(".key"), named(".pub"));
    for file in [&secret, &public] {
        if file.symlink_metadata().is_ok() {
            let shown = file.display();
            return Err(failed(format!(
                "{shown} exists and is not overwritten: choose another name"
            )));
        }
    }
    let password = match (&args.password_file, args.no_password) {
        (Some(file), _) => Some(read_password(file)?),
        (None, true) => None,
        (None, false) => Some(ask_twice()?),
    };
    let key = signing::make_key(password.as_ref()).map_err(failed)?;
    write_new(&secret, 0o600, key.secret_file.expose_secret())?;
    write_new(&public, 0o644, &key.public_file)?;
    let name = args.output.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    if args.json {
        let (id, of_key) = (key.id.to_string(), key.public.clone());
        let made = json!({
            "secret_file": secret, "public_file": public, "id": id, "public": of_key, "name": name,
        });
        json_line(out, &made)?;
        return Ok(EXIT_DONE);
    }
    writeln!(
        out,
        "{} is secret: keep it where you sign, with a copy in a safe place.\n{} is public. The lines for trust.toml:\n",
        secret.display(),
        public.display()
    )?;
    writeln!(
        out,
        "[[key]]\nid = \"{}\"\npublic = \"{}\"\nname = {:?}",
        key.id, key.public, name
    )?;
    Ok(EXIT_DONE)
}

fn write_new(file: &Path, mode: u32, text: &str) -> Result<(), CommandError> {
    let mut options = File::options();
    let opened = options.write(true).create_new(true).mode(mode).open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(text.as_bytes())?;
        opened.sync_all()
    });
    written.map_err(|error| failed(format!("{} cannot be written: {error}", file.display())))
}

/// Adds a signature to the bundle.
pub fn sign(args: &SignArgs, now: Timestamp, out: &mut dyn Write) -> Result<u8, CommandError> {
    let bytes = read_file(&args.file)?;
    // Before the password is asked for.
    let bundle = Bundle::read(&bytes).map_err(refused)?;
    inspect::check_sites(&bundle)?;
    let signer = open_key(&args.key, args.password_file.as_deref())?;
    let with_signature = signing::sign_bundle(&bytes, &signer).map_err(describe)?;
    write_file(&args.file, &with_signature)?;
    let shown = args.file.display();
    if args.json {
        let (serial, id) = (bundle.manifest.serial, signer.id.to_string());
        json_line(
            out,
            &json!({ "file": args.file, "serial": serial, "signed_by": id }),
        )?;
    } else {
        writeln!(out, "{shown} has the signature of key {}", signer.id)?;
    }
    inspect::warn_if_expired(&bundle, now)?;
    inspect::warn_of_late_rings(&bundle, now)?;
    Ok(EXIT_DONE)
}

fn describe(error: SignError) -> CommandError {
    match error {
        SignError::Bundle(error) => refused(error),
        SignError::Key(error) => failed(error),
    }
}

/// Opens a secret key. If it is encrypted, its password is in `password_file`, or the terminal asks
/// for it.
pub fn open_key(key: &Path, password_file: Option<&Path>) -> Result<Signer, CommandError> {
    let shown = key.display();
    let text = read_text(key, KEY_BYTES_MAX)
        .map_err(|error| failed(format!("{shown} cannot be read: {error}; name a .key file")))?;
    let ask = || match password_file {
        Some(file) => read_password(file).map_err(KeyFault::Other),
        None => ask(&format!("Password of {shown}: ")).map_err(KeyFault::Other),
    };
    signing::open_key(&text, ask).map_err(|fault| match fault {
        KeyFault::Key(error) => failed(format!("{shown}: {error}")),
        KeyFault::Other(error) => error,
    })
}

enum KeyFault {
    Key(KeyError),
    Other(CommandError),
}

impl From<KeyError> for KeyFault {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

fn read_text(file: &Path, bytes_max: u64) -> io::Result<SecretString> {
    let mut text = String::new();
    fs::File::open(file)?
        .take(bytes_max)
        .read_to_string(&mut text)?;
    Ok(text.into())
}

/// Reads the first line of a file.
fn read_password(file: &Path) -> Result<SecretString, CommandError> {
    let text = read_text(file, PASSWORD_BYTES_MAX)
        .map_err(|error| failed(format!("{} cannot be read: {error}", file.display())))?;
    let line = text.expose_secret().lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(failed(format!(
            "{} has no password in its first line",
            file.display()
        )));
    }
    Ok(line.to_owned().into())
}

fn ask_twice() -> Result<SecretString, CommandError> {
    let password = ask("Password for the new key: ")?;
    let again = ask("The same password again: ")?;
    if password.expose_secret() == again.expose_secret() {
        Ok(password)
    } else {
        Err(failed("the two passwords differ: run the command again"))
    }
}

pub(super) fn ask(prompt: &str) -> Result<SecretString, CommandError> {
    if !io::stdin().is_terminal() {
        return Err(CommandError::Usage(
            "the key needs a password, and this is no terminal: name a file with --password-file FILE".to_owned(),
        ));
    }
    let password = rpassword::prompt_password(prompt)
        .map_err(|error| failed(format!("cannot read the password: {error}")))?;
    if password.is_empty() {
        return Err(failed("the password is empty: run the command again"));
    }
    Ok(password.into())
}
