//! Why a bundle or a stop is refused. Each cause has a stable code for reports and programs, and a
//! text for people that names the thing and the remedy.

use std::fmt;

use jiff::Timestamp;
use semver::{Version, VersionReq};
use thiserror::Error;

use super::archive::ArchiveError;
use super::content::Cause;
use super::keys::list_faults;
use super::manifest::MANIFEST;
use super::trust::TooFew;
use crate::config::Fault;
use crate::event::Name;

#[derive(Debug, Clone, PartialEq, Error)]
pub enum BundleError {
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    #[error(
        "{first} is not the first file of the archive: make the archive with {first} first, such as tar -cf NAME {first} {first}.*.minisig"
    )]
    NotFirst { first: &'static str },
    #[error(
        "{path:?} is no file of a bundle: leave it out; files for gateways are below files/, and a signature is {MANIFEST}.KEYID.minisig"
    )]
    Foreign { path: String },
    #[error("{0}")]
    Signatures(TooFew),
    /// Every fault of manifest.toml, trust.toml or stop.toml.
    #[error("{}", list_faults(file, faults))]
    Faults {
        file: &'static str,
        faults: Vec<Fault>,
    },
    #[error(
        "files/{path} is in the archive and not in {MANIFEST}: leave it out, or make the bundle again with `stockrelay config bundle`"
    )]
    NotListed { path: String },
    #[error(
        "files/{path} is in {MANIFEST} and not in the archive: make the bundle again with `stockrelay config bundle`"
    )]
    Missing { path: String },
    #[error(
        "files/{path} has {found} bytes, and {listed} in {MANIFEST}: make the bundle again with `stockrelay config bundle`"
    )]
    WrongSize {
        path: String,
        listed: u64,
        found: u64,
    },
    #[error(
        "files/{path} has another SHA-256 than in {MANIFEST}: make the bundle again with `stockrelay config bundle`"
    )]
    WrongHash { path: String },
    /// Every fault of the files.
    #[error("{}", list_content(.0))]
    Content(Vec<(Cause, Fault)>),
    #[error(
        "the bundle brings trust.toml version {found} with other content, and version {trusted} is in use: give the new trust.toml a higher version"
    )]
    TrustVersion { found: u64, trusted: u64 },
    #[error("the new trust.toml of the bundle needs its own keys, too: {0}")]
    NewTrust(TooFew),
    #[error(
        "serial {serial} is not above {highest}, the highest serial that this gateway has verified: make a new bundle with a higher serial"
    )]
    OlderSerial { serial: u64, highest: u64 },
    #[error(
        "serial {serial} was already used for another bundle: make a new bundle with a higher serial"
    )]
    SameSerial { serial: u64 },
    #[error("the bundle is not for site {site}{}: correct [targets] in {MANIFEST}, and make a new bundle with a higher serial", of_group(group.as_ref()))]
    OtherSite { site: Name, group: Option<Name> },
    #[error(
        "no ring of {MANIFEST} has site {site}{}: add a ring, and make a new bundle with a higher serial", of_group(group.as_ref())
    )]
    NoRing { site: Name, group: Option<Name> },
    #[error(
        "the bundle needs stockrelay {requires}, and this gateway has {version}: update stockrelay, or change `requires` in a new bundle"
    )]
    OtherVersion {
        requires: VersionReq,
        version: Version,
    },
    #[error("the bundle expired at {expires}: make a new bundle with a higher serial")]
    Expired { expires: Timestamp },
}

impl BundleError {
    /// Returns the stable code of the cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.code(),
            Self::NotFirst { .. } => "no-manifest",
            Self::Foreign { .. } => "foreign-file",
            Self::Signatures(too_few) => too_few.code(),
            Self::Faults { file, .. } => file.trim_end_matches(".toml"),
            Self::NotListed { .. } => "not-listed",
            Self::Missing { .. } => "missing-file",
            Self::WrongSize { .. } => "wrong-size",
            Self::WrongHash { .. } => "wrong-hash",
            Self::Content(faults) => faults.first().map_or("content", |(cause, _)| cause.code()),
            Self::TrustVersion { .. } => "trust-version",
            Self::NewTrust(_) => "new-trust",
            Self::OlderSerial { .. } => "older-serial",
            Self::SameSerial { .. } => "same-serial",
            Self::OtherSite { .. } => "other-site",
            Self::NoRing { .. } => "no-ring",
            Self::OtherVersion { .. } => "other-version",
            Self::Expired { .. } => "expired",
        }
    }
}

/// ` (group G)`, or nothing.
fn of_group(group: Option<&Name>) -> impl fmt::Display {
    group.map_or(" (which has no group)".to_owned(), |group| {
        format!(" (group {group})")
    })
}

fn list_content(faults: &[(Cause, Fault)]) -> String {
    let faults: Vec<Fault> = faults.iter().map(|(_, fault)| fault.clone()).collect();
    list_faults("the bundle", &faults)
}
