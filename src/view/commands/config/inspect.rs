//! `config inspect` and `config verify`.

use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{failed, read_bundle, read_file, refused};
use crate::event::Name;
use crate::fleet::manifest::{Chosen, Due, Manifest, Ring};
use crate::fleet::{self, Bundle, BundleError, Cause, KeyId, Trust, every_site, key_change};
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::table::{Table, counted, plain};

/// Shows what a bundle has. Its signatures are not verified.
pub fn inspect(file: &Path, json: bool, mut out: &mut dyn Write) -> Result<u8, CommandError> {
    let bundle = read_bundle(file)?;
    if json {
        json_line(out, &list(&bundle))?;
        return Ok(EXIT_DONE);
    }
    let manifest = &bundle.manifest;
    writeln!(out, "serial {}: {}", manifest.serial, plain(&manifest.name))?;
    writeln!(out, "created     {}", manifest.created)?;
    if let Some(time) = manifest.not_before {
        writeln!(out, "not before  {time}")?;
    }
    writeln!(out, "expires     {}", manifest.expires)?;
    if let Some(requires) = &manifest.requires {
        writeln!(out, "requires    stockrelay {requires}")?;
    }
    writeln!(out, "for         {}", describe(&manifest.targets))?;
    for (index, ring) in manifest.rings.iter().enumerate() {
        let sites = describe(&ring.sites);
        let due = match manifest.due(index) {
            Due::AtOnce => "at once".to_owned(),
            Due::At(time) => format!("at {time}"),
        };
        writeln!(out, "ring {:<6} {sites}, due {due}", index + 1)?;
    }
    let signers: Vec<_> = bundle
        .signatures
        .iter()
        .map(|file| file.id.to_string())
        .collect();
    let signers = if signers.is_empty() {
        "nobody".to_owned()
    } else {
        signers.join(", ")
    };
    writeln!(out, "signed by   {signers} (not verified)")?;
    if let Some(new) = key_change::of(&bundle) {
        writeln!(
            out,
            "brings      {}",
            plain(&key_change::describe(&new, None))
        )?;
    }
    writeln!(out)?;
    let mut table = Table::new(&["bytes", "file"]);
    for (path, bytes) in &bundle.files {
        table.row([bytes.len().to_string(), path.clone()]);
    }
    table.write(&mut out, true)?;
    Ok(EXIT_DONE)
}

/// What a bundle has, for programs.
fn list(bundle: &Bundle) -> Value {
    let manifest = &bundle.manifest;
    let ring = |(index, ring): (usize, &Ring)| {
        let due = match manifest.due(index) {
            Due::AtOnce => None,
            Due::At(time) => Some(time),
        };
        json!({ "sites": describe(&ring.sites), "due": due })
    };
    let rings: Vec<_> = manifest.rings.iter().enumerate().map(ring).collect();
    let ids = bundle.signatures.iter().map(|file| file.id.to_string());
    let file = |(path, bytes): (&String, &Bytes)| json!({ "path": path, "bytes": bytes.len() });
    json!({
        "serial": manifest.serial,
        "name": manifest.name,
        "created": manifest.created,
        "not_before": manifest.not_before,
        "expires": manifest.expires,
        "requires": manifest.requires.as_ref().map(ToString::to_string),
        "targets": describe(&manifest.targets),
        "rings": rings,
        "signed_by": ids.collect::<Vec<_>>(),
        "trust": key_change::of(bundle).map(|new| key_change::describe(&new, None)),
        "files": bundle.files.iter().map(file).collect::<Vec<_>>(),
    })
}

/// Describes a choice of sites.
pub(super) fn describe(chosen: &Chosen) -> String {
    let list = |noun: &str, names: &[Name]| {
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        (!names.is_empty()).then(|| format!("{noun} {}", names.join(", ")))
    };
    match chosen {
        Chosen::All => "all sites".to_owned(),
        Chosen::Share(share) => format!("a share of {share} of the sites"),
        Chosen::Named { sites, groups } => {
            let both = [list("sites", sites), list("groups", groups)];
            both.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
    }
}

/// Verifies a bundle as a gateway does, with a trust.toml.
pub fn verify(
    (file, trust): (&Path, &Path),
    now: Timestamp,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let trust = Trust::read(trust).map_err(failed)?;
    let verified = fleet::verify(&read_file(file)?, &trust).map_err(refused)?;
    let manifest = &verified.bundle.manifest;
    if now >= manifest.expires {
        let expires = manifest.expires;
        return Err(refused(BundleError::Expired { expires }));
    }
    check_sites(&verified.bundle)?;
    if json {
        let signer = |id: &KeyId| json!({ "id": id.to_string(), "name": trust.name(*id) });
        let new = verified.new_trust.as_ref();
        let found = json!({
            "serial": manifest.serial,
            "name": manifest.name,
            "files": manifest.files.len(),
            "signers": verified.signers.iter().map(signer).collect::<Vec<_>>(),
            "trust": new.map(|new| key_change::describe(new, Some(&trust))),
        });
        json_line(out, &found)?;
        return Ok(EXIT_DONE);
    }
    let signers: Vec<_> = (verified.signers.iter())
        .map(|id| format!("{} ({id})", plain(trust.name(*id).unwrap_or_default())))
        .collect();
    writeln!(
        out,
        "{}: serial {}, {}, {}, signed by {}",
        file.display(),
        manifest.serial,
        plain(&manifest.name),
        counted(manifest.files.len() as u64, "file"),
        signers.join(", ")
    )?;
    if let Some(new) = &verified.new_trust {
        writeln!(
            out,
            "it brings {}",
            plain(&key_change::describe(new, Some(&trust)))
        )?;
    }
    Ok(EXIT_DONE)
}

/// Refuses a bundle that gateways would refuse, with every fault, and prints warnings.
pub(super) fn check_sites(bundle: &Bundle) -> Result<(), CommandError> {
    let found = every_site::check(bundle).map_err(failed)?;
    for warning in &found.warnings {
        writeln!(io::stderr(), "stockrelay: warning: {}", plain(warning))?;
    }
    if !found.faults.is_empty() {
        let faults = found.all_faults();
        let noun = if faults.len() == 1 { "fault" } else { "faults" };
        let lines: Vec<_> = faults
            .iter()
            .map(|fault| format!("\n  {}", plain(fault)))
            .collect();
        return Err(failed(format!(
            "configuration: the bundle has {} {noun}:{}",
            faults.len(),
            lines.concat()
        )));
    }
    if found.floor.is_empty() {
        return Ok(());
    }
    let floor = found.floor.into_iter().map(|fault| (Cause::Floor, fault));
    Err(refused(BundleError::Content(floor.collect())))
}

/// Warns on standard error if no gateway would use the bundle any more.
pub(super) fn warn_if_expired(bundle: &Bundle, now: Timestamp) -> io::Result<()> {
    let expires = bundle.manifest.expires;
    if now >= expires {
        writeln!(
            io::stderr(),
            "stockrelay: warning: {}",
            BundleError::Expired { expires }
        )?;
    }
    Ok(())
}

/// Warns on standard error if a later ring is due before anyone can look at the first one.
pub(super) fn warn_of_late_rings(bundle: &Bundle, now: Timestamp) -> io::Result<()> {
    if let Some(ring) = find_late_ring(&bundle.manifest, now) {
        writeln!(
            io::stderr(),
            "stockrelay: warning: ring {ring} was due before now, so nothing separates it from ring 1: set `not_before` (or a later `created`) in manifest.toml"
        )?;
    }
    Ok(())
}

/// Finds the first ring after the first one that is due, counted from 1. Rings without a wait
/// before them are meant to be due at the same time.
fn find_late_ring(manifest: &Manifest, now: Timestamp) -> Option<usize> {
    let first = manifest.due(0);
    let start = match first {
        Due::At(time) => time,
        Due::AtOnce => manifest.created,
    };
    let is_late = |index: &usize| match manifest.due(*index) {
        Due::At(due) => due > start && due <= now,
        Due::AtOnce => false,
    };
    (1..manifest.rings.len())
        .find(is_late)
        .map(|index| index + 1)
}
