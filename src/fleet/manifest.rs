//! `manifest.toml` of a bundle: which files it has, which sites it is for, and when.
//!
//! **In**: the text. **Out**: a [`Manifest`], or every fault at once with key, line, found and
//! accepted values. Pure: the present time is an argument.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use semver::VersionReq;
use sha2::{Digest as _, Sha256};

use super::keys::{self, Keys};
use super::layout;
use crate::config::{Fault, MISSING};
use crate::event::Name;

/// The name of the file, which is the first of a bundle.
pub const MANIFEST: &str = "manifest.toml";
/// The only format that this version reads.
const FORMAT: u64 = 1;
/// The longest name of a bundle, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// TOML's whole numbers are signed.
pub(super) const NUMBER_MAX: u64 = i64::MAX as u64;
/// The longest wait between two rings, in seconds: a year.
const WAIT_S_MAX: u64 = 366 * 86_400;
/// Maximum of rings.
const RINGS_MAX: usize = 100;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Rises with every bundle of the fleet.
    pub serial: u64,
    pub name: String,
    pub created: Timestamp,
    /// `None`: the first ring is due at once.
    pub not_before: Option<Timestamp>,
    pub expires: Timestamp,
    /// The versions of stockrelay that may apply the bundle. `None`: all.
    pub requires: Option<VersionReq>,
    pub targets: Chosen,
    /// Never empty.
    pub rings: Vec<Ring>,
    /// Never empty.
    pub files: Vec<Listed>,
}

/// A choice of sites.
#[derive(Debug, Clone, PartialEq)]
pub enum Chosen {
    All,
    /// The sites that are named, and those of the groups.
    Named {
        sites: Vec<Name>,
        groups: Vec<Name>,
    },
    /// A share of all sites: above 0, up to 1. Only in rings.
    Share(f64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    pub sites: Chosen,
    /// Seconds between the times at which this ring and the next one are due.
    pub wait_s: u64,
}

/// A file below `files/`, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Relative to `files/`.
    pub path: String,
    pub sha256: Hash,
    pub bytes: u64,
}

/// When a ring is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    AtOnce,
    At(Timestamp),
}

impl Manifest {
    /// Parses a manifest. The error has every fault.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        keys::parse(text, MANIFEST, |keys| read(keys, true))
    }

    /// Parses a manifest without `[[file]]`, from which a bundle is built. Its `files` are empty.
    pub fn parse_draft(text: &str) -> Result<Self, Vec<Fault>> {
        keys::parse(text, MANIFEST, |keys| read(keys, false))
    }

    /// Whether the bundle is for the site.
    #[must_use]
    pub fn is_for(&self, site: &Name, group: Option<&Name>) -> bool {
        self.targets.has(site, group, self.serial)
    }

    /// Finds the ring of a site, counted from 0: the first one that has it.
    #[must_use]
    pub fn ring(&self, site: &Name, group: Option<&Name>) -> Option<usize> {
        let has_site = |ring: &Ring| ring.sites.has(site, group, self.serial);
        self.rings.iter().position(has_site)
    }

    /// Returns when a ring is due. Waiting times start at `not_before`, or at `created` if there is
    /// no `not_before`.
    #[must_use]
    pub fn due(&self, ring: usize) -> Due {
        let start = match self.not_before {
            None if ring == 0 => return Due::AtOnce,
            not_before => not_before.unwrap_or(self.created),
        };
        let waits = self.rings.iter().take(ring).map(|ring| ring.wait_s);
        let seconds = i64::try_from(waits.sum::<u64>()).unwrap_or(i64::MAX);
        let due = start.checked_add(SignedDuration::from_secs(seconds));
        Due::At(due.unwrap_or(Timestamp::MAX))
    }
}

impl Due {
    #[must_use]
    pub fn has_come(self, now: Timestamp) -> bool {
        match self {
            Self::AtOnce => true,
            Self::At(due) => due <= now,
        }
    }
}

impl Chosen {
    fn has(&self, site: &Name, group: Option<&Name>, serial: u64) -> bool {
        match self {
            Self::All => true,
            Self::Named { sites, groups } => {
                sites.contains(site) || group.is_some_and(|group| groups.contains(group))
            }
            Self::Share(share) => is_in_share(site, serial, *share),
        }
    }
}

/// Whether the first 8 bytes of SHA-256("SITE/SERIAL"), big-endian, are below share × 2^64.
#[must_use]
pub fn is_in_share(site: &Name, serial: u64, share: f64) -> bool {
    let hash = Sha256::digest(format!("{site}/{serial}"));
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    // A multiplication by a power of 2 is exact. Below a number with a fraction is the same as
    // below the next whole number.
    let end = (share * 2_f64.powi(64)).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 2^64"
    )]
    let end = end as u128;
    u128::from(u64::from_be_bytes(first)) < end
}

/// Reads the manifest. `with_files`: it lists files; otherwise `[[file]]` is a fault.
fn read(keys: &mut Keys, with_files: bool) -> Option<Manifest> {
    let format_accepted = "format = 1; a newer stockrelay may read other formats";
    keys.require("format", format_accepted);
    let format = keys.integer("format", FORMAT..=FORMAT);
    keys.require(
        "serial",
        "a whole number, higher than that of the bundle before",
    );
    let serial = keys.integer("serial", 1..=NUMBER_MAX);
    keys.require("name", "a text for people, such as \"autumn profiles\"");
    let name = keys.text("name", NAME_BYTES_MAX);
    for key in ["created", "expires"] {
        keys.require(key, "a time, such as \"2026-11-28T09:00:00Z\"");
    }
    let created = keys.time("created");
    let not_before = keys.time("not_before");
    let expires = keys.time("expires");
    let requires = keys.parse_text(
        "requires",
        "versions of stockrelay, such as \">=0.2, <0.4\"",
        |text| VersionReq::parse(text).ok(),
    );
    keys.require("targets", "[targets] with sites, groups or all = true");
    let targets = keys.section("targets", |keys| choice(keys, false));
    keys.require("ring", "at least one section [[ring]]");
    let rings = keys.sections("ring", ring);
    let mut files = Vec::new();
    if with_files {
        keys.require("file", "a section [[file]] for each file below files/");
        files = keys.sections("file", listed);
    }
    if rings.len() > RINGS_MAX {
        keys.fault(
            "ring",
            rings.len().to_string(),
            format!("at most {RINGS_MAX} rings"),
        );
    }
    for (index, file) in files.iter().enumerate() {
        if files[..index].iter().any(|other| other.path == file.path) {
            keys.fault("file", format!("{:?} twice", file.path), "each path once");
        }
    }
    let start = not_before.or(created);
    if let (Some(start), Some(expires)) = (start, expires)
        && expires <= start
    {
        keys.fault(
            "expires",
            expires.to_string(),
            format!("a time after {start}"),
        );
    }
    format?;
    let manifest = Manifest {
        serial: serial?,
        name: name?,
        created: created?,
        not_before,
        expires: expires?,
        requires,
        targets: targets?,
        rings,
        files,
    };
    refuse_targets_without_ring(keys, &manifest);
    Some(manifest)
}

fn ring(keys: &mut Keys) -> Option<Ring> {
    let wait_s = keys.integer("wait_s", 0..=WAIT_S_MAX);
    let sites = choice(keys, true)?;
    let wait_s = wait_s.unwrap_or(0);
    Some(Ring { sites, wait_s })
}

/// Reads `sites`, `groups`, `all` and, in a ring, `share`.
fn choice(keys: &mut Keys, is_ring: bool) -> Option<Chosen> {
    let sites = keys.names("sites");
    let groups = keys.names("groups");
    let all = keys.boolean("all");
    let share = is_ring.then(|| keys.share("share")).flatten();
    let is_named = keys.has("sites") || keys.has("groups");
    let ways = [is_named, keys.has("all"), is_ring && keys.has("share")];
    let accepted = if is_ring {
        "sites or groups (or both), or share, or all = true"
    } else {
        "sites or groups (or both), or all = true"
    };
    match ways {
        [true, false, false] => {
            let (sites, groups) = (sites.unwrap_or_default(), groups.unwrap_or_default());
            if sites.is_empty() && groups.is_empty() {
                keys.fault("", "no site and no group", accepted);
                return None;
            }
            Some(Chosen::Named { sites, groups })
        }
        [false, true, false] => {
            if all == Some(false) {
                keys.fault("all", "false", accepted);
            }
            all.filter(|all| *all).map(|_| Chosen::All)
        }
        [false, false, true] => share.map(Chosen::Share),
        [false, false, false] => {
            keys.fault("", MISSING, accepted);
            None
        }
        _ => {
            keys.fault("", "several ways to choose sites", accepted);
            None
        }
    }
}

fn listed(keys: &mut Keys) -> Option<Listed> {
    keys.require("path", "a path below files/");
    keys.require("sha256", "64 hexadecimal digits");
    keys.require("bytes", "the size of the file in bytes");
    let path = keys.parse_text("path", layout::ACCEPTED, |path| {
        layout::is_accepted(path).then(|| path.to_owned())
    });
    let sha256 = keys.parse_text(
        "sha256",
        "64 hexadecimal digits, as sha256sum prints",
        parse_hash,
    );
    let bytes = keys.integer("bytes", 0..=NUMBER_MAX);
    Some(Listed {
        path: path?,
        sha256: sha256?,
        bytes: bytes?,
    })
}

/// Parses 64 hexadecimal digits.
#[must_use]
pub fn parse_hash(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

/// Writes a hash as 64 hexadecimal digits.
#[must_use]
pub fn format_hash(hash: &Hash) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash {
        write!(text, "{byte:02x}").expect("a String takes all text");
    }
    text
}

/// Records a fault for each target that no ring names: it would never apply the bundle.
fn refuse_targets_without_ring(keys: &mut Keys, manifest: &Manifest) {
    let is_whole = |ring: &Ring| match ring.sites {
        Chosen::All => true,
        Chosen::Share(share) => share >= 1.0,
        Chosen::Named { .. } => false,
    };
    if manifest.rings.iter().any(is_whole) {
        return;
    }
    let last = "or a last [[ring]] with all = true";
    match &manifest.targets {
        Chosen::Named { sites, groups } => {
            for site in sites {
                // A ring of groups may have the site, but the manifest does not show it.
                if manifest.ring(site, None).is_none() {
                    let found = format!("site {site} in targets and in no ring");
                    keys.fault(
                        "ring",
                        found,
                        format!("a ring with sites = [\"{site}\"], {last}"),
                    );
                }
            }
            let has_group = |ring: &Ring, wanted: &Name| match &ring.sites {
                Chosen::Named { groups, .. } => groups.contains(wanted),
                _ => false,
            };
            for group in groups {
                if !manifest.rings.iter().any(|ring| has_group(ring, group)) {
                    let found = format!("group {group} in targets and in no ring");
                    let accepted = format!("a ring with groups = [\"{group}\"], {last}");
                    keys.fault("ring", found, accepted);
                }
            }
        }
        Chosen::All | Chosen::Share(_) => {
            keys.fault(
                "ring",
                "all = true in targets, and no ring for all sites",
                last[3..].to_owned(),
            );
        }
    }
}

/// Writes the sections `[[file]]` of a manifest.
#[must_use]
pub fn list_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let section = |(path, bytes): (&str, &[u8])| {
        let hash = format_hash(&Sha256::digest(bytes).into());
        let size = bytes.len();
        format!("\n[[file]]\npath = \"{path}\"\nsha256 = \"{hash}\"\nbytes = {size}\n")
    };
    files.into_iter().map(section).collect()
}

#[cfg(test)]
mod tests;
