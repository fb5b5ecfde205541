//! `config encrypt` and `config recipient`: secrets for one gateway.
//!
//! The secret comes from a file, standard input or the terminal, never from an argument.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::json;

use super::{Process, failed, signer, write_file};
use crate::config::{self, SECRETS, secret_key};
use crate::fleet::disk::FOLDER;
use crate::fleet::identity::{self, GatewayKey};
use crate::fleet::layout::SECRET_BYTES_MAX;
use crate::view::cli::EncryptArgs;
use crate::view::commands::{CommandError, EXIT_DONE, json_line};

/// Prints the recipient of the gateway that the configuration file describes.
pub fn recipient(process: &Process, json: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    let ground = config::load_ground(process.config, process.environment);
    let ground = ground.map_err(|error| CommandError::Config(error.to_string()))?;
    let file = ground.data_dir.join(FOLDER).join(identity::FILE);
    let key = GatewayKey::read(&file);
    let key = key.map_err(|why| failed(format!("{}: {why}", file.display())))?;
    let recipient = key.recipient().to_string();
    if json {
        json_line(out, &json!({ "recipient": recipient }))?;
    } else {
        writeln!(out, "{recipient}")?;
    }
    Ok(EXIT_DONE)
}

/// Encrypts a secret.
pub fn encrypt(args: &EncryptArgs, out: &mut dyn Write) -> Result<u8, CommandError> {
    let key = check_name(&args.output)?;
    let to = find_recipient(args)?;
    let secret = read_secret(args.file.as_deref())?;
    let encrypted = identity::encrypt(&to, secret.expose_secret()).map_err(failed)?;
    write_file(&args.output, &encrypted)?;
    let shown = args.output.display();
    if args.json {
        let done = json!({ "file": args.output, "key": key, "recipient": to });
        json_line(out, &done)?;
        return Ok(EXIT_DONE);
    }
    writeln!(
        out,
        "{shown} replaces the file of {key} at the gateway of {to}; put it into files/sites/SITE/secrets of a bundle"
    )?;
    Ok(EXIT_DONE)
}

/// Finds the recipient in the arguments, and compares it with the known one of the site.
fn find_recipient(args: &EncryptArgs) -> Result<String, CommandError> {
    let (Some(file), Some(site)) = (&args.recipients, &args.site) else {
        let to = args.to.clone();
        return to.ok_or_else(|| CommandError::Usage("name the recipient with --to".to_owned()));
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| failed(format!("{shown} cannot be read: {error}")))?;
    let known: BTreeMap<String, String> = toml::from_str(&text).map_err(|error| {
        let why = error.message();
        failed(format!(
            "{shown} is no list of recipients: {why}; write one line SITE = \"age1...\" for each site"
        ))
    })?;
    match (known.get(site.as_str()), &args.to) {
        (Some(known), None) => Ok(known.clone()),
        (Some(known), Some(to)) if known == to => Ok(known.clone()),
        (Some(known), Some(to)) => Err(failed(format!(
            "{shown} has the recipient {known} for site {site}, not {to}: nothing is encrypted. If the gateway has a new key, compare it with `stockrelay config recipient` on the gateway, and correct the file"
        ))),
        (None, _) => Err(failed(format!(
            "{shown} has no recipient for site {site}: run `stockrelay config recipient` on the gateway, and write {site} = \"age1...\" into the file"
        ))),
    }
}

/// Finds the configuration key of the secret in the name of its file.
fn check_name(output: &Path) -> Result<&'static str, CommandError> {
    let name = output.file_name().and_then(|name| name.to_str());
    let name = name.and_then(|name| name.strip_suffix(".age"));
    name.and_then(secret_key).ok_or_else(|| {
        let names = SECRETS.map(|(name, _)| format!("{name}.age")).join(", ");
        CommandError::Usage(format!(
            "{} is no secret that a gateway uses: name the file {names}",
            output.display()
        ))
    })
}

fn read_secret(file: Option<&Path>) -> Result<SecretSlice<u8>, CommandError> {
    let Some(file) = file else {
        if io::stdin().is_terminal() {
            let typed = signer::ask("Secret: ")?;
            return Ok(typed.expose_secret().as_bytes().to_vec().into());
        }
        return read(io::stdin()).map_err(|error| failed(format!("standard input: {error}")));
    };
    let opened = File::open(file).and_then(read);
    opened.map_err(|error| {
        failed(format!(
            "{} cannot be read: {error}; name the file of the secret",
            file.display()
        ))
    })
}

/// Reads at most one byte more than the largest secret has.
fn read(from: impl Read) -> io::Result<SecretSlice<u8>> {
    let mut bytes = Vec::with_capacity(SECRET_BYTES_MAX + 1);
    from.take(SECRET_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
