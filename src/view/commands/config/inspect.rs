//! `config inspect` and `config verify`.

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;

use super::{failed, read_bundle, read_file, refused};
use crate::event::Name;
use crate::fleet::floor::whole;
use crate::fleet::manifest::{Chosen, Due, Manifest};
use crate::fleet::{self, Bundle, BundleError, Trust};
use crate::view::commands::{CommandError, EXIT_DONE};
use crate::view::table::{Table, plain};

/// Shows what a bundle has. Its signatures are not verified.
pub fn inspect(file: &Path, mut out: &mut dyn Write) -> Result<u8, CommandError> {
    let bundle = read_bundle(file)?;
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
    writeln!(out, "signed by   {signers} (not verified)\n")?;
    let mut table = Table::new(&["bytes", "file"]);
    for (path, bytes) in &bundle.files {
        table.row([bytes.len().to_string(), path.clone()]);
    }
    table.write(&mut out, true)?;
    Ok(EXIT_DONE)
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
    file: &Path,
    trust: &Path,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let trust = Trust::read(trust).map_err(failed)?;
    let verified = fleet::verify(&read_file(file)?, &trust).map_err(refused)?;
    let manifest = &verified.bundle.manifest;
    if now >= manifest.expires {
        let expires = manifest.expires;
        return Err(refused(BundleError::Expired { expires }));
    }
    let signers: Vec<_> = (verified.signers.iter())
        .map(|id| format!("{} ({id})", plain(trust.name(*id).unwrap_or_default())))
        .collect();
    writeln!(
        out,
        "{}: serial {}, {}, {} files, signed by {}",
        file.display(),
        manifest.serial,
        plain(&manifest.name),
        manifest.files.len(),
        signers.join(", ")
    )?;
    if let Some(new) = &verified.new_trust {
        let (version, threshold, keys) = (new.version, new.threshold, new.keys.len());
        writeln!(
            out,
            "it brings trust.toml version {version}: {threshold} of {keys} keys must sign the next bundles"
        )?;
    }
    Ok(EXIT_DONE)
}

/// Refuses a bundle whose floor devices have a fault, and prints their warnings.
pub(super) fn check_floor(bundle: &Bundle) -> Result<(), CommandError> {
    for warning in whole::require(bundle).map_err(refused)? {
        writeln!(io::stderr(), "stockrelay: warning: {warning}")?;
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
