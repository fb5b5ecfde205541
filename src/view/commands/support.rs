//! `stockrelay support-bundle`: lists the contents, asks, and writes the file.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use super::{CommandError, json_line};
use crate::view::cli::SupportArgs;
use crate::view::support::{self, Part, Sources, WriteError};
use crate::view::table::{Table, size};

/// The person at the terminal.
pub trait Consent {
    /// Whether a person answers at all.
    fn is_terminal(&self) -> bool;
    /// Asks a question. `false`: no.
    fn ask(&mut self, question: &str) -> bool;
}

pub async fn support_bundle(
    args: &SupportArgs,
    sources: &Sources<'_>,
    consent: &mut dyn Consent,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let site = match sources.loaded {
        Ok(loaded) => loaded.config.site.to_string(),
        Err(_) => "gateway".to_owned(),
    };
    let name = support::name(&site, sources.now);
    let file = args.file.clone();
    let file = file.unwrap_or_else(|| PathBuf::from(format!("{name}.tar.gz")));
    if !args.list && file.symlink_metadata().is_ok() {
        // Before a minute of checks.
        return Err(WriteError::Exists(file).into());
    }
    let parts = support::collect(sources).await;
    if !args.json {
        list(&parts, out)?;
    }
    if args.list {
        if args.json {
            let contents: Vec<_> = parts.iter().map(Part::listed).collect();
            json_line(out, &json!({"file": null, "contents": contents}))?;
        }
        return Ok(());
    }
    out.flush()?;
    let is_asked = !args.yes && !args.json && consent.is_terminal();
    if is_asked && !consent.ask(&format!("Write {}? [y/N] ", file.display())) {
        writeln!(out, "Nothing was written.")?;
        return Ok(());
    }
    support::write(&file, &name, &parts, sources.now)?;
    if args.json {
        let contents: Vec<_> = parts.iter().map(Part::listed).collect();
        json_line(out, &json!({"file": file, "contents": contents}))?;
    } else {
        writeln!(
            out,
            "{} has all of it: read it before you send it.",
            file.display()
        )?;
    }
    Ok(())
}

fn list(parts: &[Part], out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = Table::new(&["FILE", "SIZE", "WHAT"]);
    for part in parts {
        let listed = part.listed();
        table.row([
            listed.name.to_owned(),
            size(listed.bytes as u64),
            listed.what.to_owned(),
        ]);
    }
    table.write(&mut &mut *out, true)
}

impl From<WriteError> for CommandError {
    fn from(error: WriteError) -> Self {
        Self::Failed(error.to_string())
    }
}
