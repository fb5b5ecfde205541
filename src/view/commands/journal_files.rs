//! `stockrelay journal verify, import`: work on the files of a journal that no daemon has open.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::backup::open_packed;
use super::meter::Meter;
use super::{CommandError, Done, json_line};
use crate::config::Config;
use crate::journal::{
    self, Depth, FILE, FORMAT_REMEDY, ImportError, Verified, WorkDone, verify_with,
};
use crate::view::table::{grouped, size};

/// Verifies the journal, and names the damage.
pub fn verify(config: &Config, deep: bool, json: bool, out: &mut dyn Write) -> Done {
    let path = config.data_dir.join(FILE);
    let depth = if deep { Depth::Books } else { Depth::Pages };
    let (pages, books) = (WorkDone::default(), WorkDone::default());
    let meters = (
        Meter::start("reading pages", "bytes", pages.clone()),
        deep.then(|| Meter::start("reading records", "records", books.clone())),
    );
    let verified =
        tokio::task::block_in_place(|| verify_with(&config.data_dir, depth, &pages, &books));
    drop(meters);
    let verified = verified.map_err(|error| {
        CommandError::Failed(format!(
            "cannot read {}: {error}; check the disk and the rights of this user",
            path.display()
        ))
    })?;
    match judge(config, &path, verified) {
        Ok(length) if json => {
            let sound = json!({"journal": path, "state": "sound", "deep": deep, "bytes": length});
            json_line(out, &sound)?;
            Ok(())
        }
        Ok(length) => {
            let read = if deep {
                "every page, every record and every sum is right"
            } else {
                "every page is right (--deep also verifies records and sums)"
            };
            writeln!(out, "{}: {}, {read}", path.display(), size(length))?;
            Ok(())
        }
        Err((state, error)) => {
            if json {
                let text = error.to_string();
                let found = json!({"journal": path, "state": state, "deep": deep, "error": text});
                json_line(out, &found)?;
            }
            Err(error)
        }
    }
}

/// The length of a sound journal, or the state of another one and the message about it.
fn judge(
    config: &Config,
    path: &Path,
    verified: Verified,
) -> Result<u64, (&'static str, CommandError)> {
    let data_dir = config.data_dir.display();
    Err(match verified {
        Verified::Sound { bytes } => return Ok(bytes),
        Verified::Missing => (
            "missing",
            CommandError::Failed(format!(
                "there is no journal in {data_dir}: name the right configuration with --config"
            )),
        ),
        Verified::InUse => (
            "in-use",
            CommandError::Failed(format!(
                "a daemon uses the journal in {data_dir}, so its pages change: stop it (`systemctl stop stockrelay`), verify, and start it again"
            )),
        ),
        Verified::Damaged(damage) => ("damaged", CommandError::Damaged(damage.to_string())),
        Verified::UnknownFormat(found) => (
            "unknown-format",
            CommandError::Damaged(format!(
                "{}: {FORMAT_REMEDY}",
                journal::unknown_format(path, &found)
            )),
        ),
    })
}

/// Builds a journal. `file`: the backup or export; `None`: an empty journal that replaces a lost
/// one.
pub fn import(config: &Config, file: Option<&Path>, json: bool, out: &mut dyn Write) -> Done {
    let (site, data_dir) = (&config.site, &config.data_dir);
    let progress = WorkDone::default();
    let meter = Meter::start("building", "records", progress.clone());
    let built = tokio::task::block_in_place(|| {
        let mut input = match file {
            None => None,
            Some(path) if path == Path::new("-") => Some(open_packed(io::stdin())?),
            Some(path) => Some(open_packed(File::open(path).map_err(ImportError::Input)?)?),
        };
        let input = input
            .as_mut()
            .map(|input| &mut **input as &mut dyn io::BufRead);
        journal::import(input, site, data_dir, &progress)
    });
    drop(meter);
    let built = built.map_err(|error| {
        if error.is_damage() {
            CommandError::Damaged(error.to_string())
        } else {
            CommandError::Failed(error.to_string())
        }
    })?;
    let (events, documents) = (built.of("events"), built.of("documents"));
    if json {
        let records: u64 = built.records.values().sum();
        json_line(
            out,
            &json!({"journal": data_dir.join(FILE), "records": records, "events": events, "documents": documents}),
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "{}: {} events and {} documents. Start the gateway; it compares with Odoo what the gateway before may have posted. Then decide about each document that `stockrelay parked list` shows as maybe-posted.",
        data_dir.join(FILE).display(),
        grouped(events),
        grouped(documents)
    )?;
    Ok(())
}
