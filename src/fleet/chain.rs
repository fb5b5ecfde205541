//! How trusted keys change: the chain of trust.toml files that bundles bring.
//!
//! **In**: the trust.toml that is installed on the gateway, and links, each made from a verified
//! bundle. **Out**: the trust.toml that holds now.
//!
//! **Guarantees**: a new trust.toml has a higher version than the one before, and the threshold of
//! the old **and** of the new one signed the manifest that lists its SHA-256. A link whose
//! signatures do not verify from the installed trust.toml has no effect. Revoked is revoked: a key
//! that the installed file or a link before revoked is revoked in every later one.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::error::BundleError;
use super::layout::TRUST;
use super::manifest::{MANIFEST, Manifest};
use super::parts::{self, Parts};
use super::trust::{SignatureFile, Trust};

/// A part of a bundle that proves one change of trusted keys: its manifest, the signatures, and
/// the new trust.toml. A gateway stores links in `data_dir`, and verifies them at each start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The version of the new trust.toml.
    pub version: u64,
    /// A tar file like a bundle.
    pub bytes: Vec<u8>,
}

/// Verifies the trust.toml of a bundle whose manifest the threshold of `old` signed. `None`: the
/// bundle does not change the trusted keys.
pub(super) fn step(
    old: &Trust,
    new_text: &[u8],
    manifest: &[u8],
    signatures: &[SignatureFile],
) -> Result<Option<Trust>, BundleError> {
    let mut new = parse(new_text)?;
    new.revoked.extend(&old.revoked);
    if new == *old {
        return Ok(None);
    }
    if new.version <= old.version {
        return Err(BundleError::TrustVersion {
            found: new.version,
            trusted: old.version,
        });
    }
    let signed = new.require(new.threshold, manifest, signatures);
    signed.map_err(BundleError::NewTrust)?;
    Ok(Some(new))
}

fn parse(text: &[u8]) -> Result<Trust, BundleError> {
    let file = TRUST;
    let text = String::from_utf8_lossy(text);
    let parsed = Trust::parse(&text, "files/trust.toml");
    parsed.map_err(|faults| BundleError::Faults { file, faults })
}

/// Follows the links from the installed trust.toml. Links of a version that is not above the
/// present one are left out. A link that does not verify has no effect; the error is that of the
/// first one.
pub fn follow(installed: Trust, links: &[Bytes]) -> (Trust, Option<BundleError>) {
    let mut trust = installed;
    let (mut read, mut broken) = (Vec::new(), None);
    for link in links {
        match open(link) {
            Ok(link) => read.push(link),
            Err(error) => {
                broken.get_or_insert(error);
            }
        }
    }
    read.sort_by_key(|(version, _)| *version);
    for (version, parts) in read {
        if version <= trust.version {
            continue;
        }
        match follow_one(&trust, &parts) {
            Ok(new) => trust = new,
            Err(error) => {
                broken.get_or_insert(error);
            }
        }
    }
    (trust, broken)
}

/// Reads a link and the version of its trust.toml.
fn open(link: &Bytes) -> Result<(u64, Parts), BundleError> {
    let parts = parts::read(link, MANIFEST)?;
    let text = parts.files.get(TRUST).ok_or_else(missing)?;
    Ok((parse(text)?.version, parts))
}

fn missing() -> BundleError {
    let path = TRUST.to_owned();
    BundleError::Missing { path }
}

fn follow_one(old: &Trust, parts: &Parts) -> Result<Trust, BundleError> {
    let signed = old.require(old.threshold, &parts.signed, &parts.signatures);
    signed.map_err(BundleError::Signatures)?;
    let text = parts.files.get(TRUST).ok_or_else(missing)?;
    let manifest = Manifest::parse(&String::from_utf8_lossy(&parts.signed));
    let manifest = manifest.map_err(|faults| BundleError::Faults {
        file: MANIFEST,
        faults,
    })?;
    let listed = manifest.files.iter().find(|file| file.path == TRUST);
    let hash: [u8; 32] = Sha256::digest(text).into();
    if listed.is_none_or(|listed| listed.sha256 != hash) {
        let path = TRUST.to_owned();
        return Err(BundleError::WrongHash { path });
    }
    let new = step(old, text, &parts.signed, &parts.signatures)?;
    Ok(new.unwrap_or_else(|| old.clone()))
}
