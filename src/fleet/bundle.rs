//! A bundle: bytes ▸ signed files for gateways.
//!
//! **In**: the bytes of a `*.bundle`, and the trusted keys. **Out**: a [`Verified`] bundle, or the
//! first cause why it is refused. The checks are in this order, so that an attacker without a key
//! reaches only the first three:
//!
//! 1. `archive`: the tar file, read strictly;
//! 2. `parts`: manifest.toml is first, and every other file has a place;
//! 3. `trust`: the threshold of keys signed the bytes of manifest.toml;
//! 4. `manifest`: manifest.toml has no fault;
//! 5. every file below `files/` is listed with its size and SHA-256, and nothing else is there;
//! 6. `content`: layout, keys that a bundle must not set, secrets;
//! 7. `chain`: a new trust.toml has a higher version and is signed by its own threshold, too.
//!
//! `admit` then decides whether the bundle is for this gateway, and when.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::chain::{self, Link};
use super::content;
use super::error::BundleError;
use super::key_id::KeyId;
use super::layout::TRUST;
use super::manifest::{Hash, MANIFEST, Manifest};
use super::parts::{self, Parts};
use super::trust::{SignatureFile, Trust};

/// A bundle whose files are those that its manifest lists. Its signatures are not verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    pub manifest: Manifest,
    pub manifest_bytes: Bytes,
    pub signatures: Vec<SignatureFile>,
    /// By their path relative to `files/`.
    pub files: BTreeMap<String, Bytes>,
}

/// A bundle that the threshold of trusted keys signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    pub bundle: Bundle,
    /// The trusted keys that signed it.
    pub signers: BTreeSet<KeyId>,
    /// The trusted keys from now on. `None`: the bundle does not change them.
    pub new_trust: Option<Trust>,
}

impl Bundle {
    /// Reads a bundle without its signatures: for commands that build, show and compare bundles.
    pub fn read(bytes: &Bytes) -> Result<Self, BundleError> {
        Self::understand(parts::read(bytes, MANIFEST)?)
    }

    fn understand(parts: Parts) -> Result<Self, BundleError> {
        let text = str::from_utf8(&parts.signed).unwrap_or_default();
        let manifest = Manifest::parse(text);
        let manifest = manifest.map_err(|faults| BundleError::Faults {
            file: MANIFEST,
            faults,
        })?;
        compare(&manifest, &parts.files)?;
        let faults = content::find_faults(&parts.files);
        if !faults.is_empty() {
            return Err(BundleError::Content(faults));
        }
        Ok(Self {
            manifest,
            manifest_bytes: parts.signed,
            signatures: parts.signatures,
            files: parts.files,
        })
    }

    /// Returns SHA-256 of manifest.toml, which stands for the whole bundle: the manifest has the
    /// SHA-256 of each file.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Sha256::digest(&self.manifest_bytes).into()
    }
}

/// Checks that the files are those of the manifest, with their sizes and hashes.
fn compare(manifest: &Manifest, files: &BTreeMap<String, Bytes>) -> Result<(), BundleError> {
    for listed in &manifest.files {
        let path = listed.path.clone();
        let Some(bytes) = files.get(&path) else {
            return Err(BundleError::Missing { path });
        };
        let found = bytes.len() as u64;
        if found != listed.bytes {
            let listed = listed.bytes;
            return Err(BundleError::WrongSize {
                path,
                listed,
                found,
            });
        }
        let hash: Hash = Sha256::digest(bytes).into();
        if hash != listed.sha256 {
            return Err(BundleError::WrongHash { path });
        }
    }
    let is_listed = |path: &&String| manifest.files.iter().any(|listed| listed.path == **path);
    match files.keys().find(|path| !is_listed(path)) {
        Some(path) => Err(BundleError::NotListed { path: path.clone() }),
        None => Ok(()),
    }
}

/// Verifies a bundle completely. Nothing of it may be used before.
pub fn verify(bytes: &Bytes, trust: &Trust) -> Result<Verified, BundleError> {
    let parts = parts::read(bytes, MANIFEST)?;
    let signed = trust.require(trust.threshold, &parts.signed, &parts.signatures);
    let signers = signed.map_err(BundleError::Signatures)?;
    let bundle = Bundle::understand(parts)?;
    let new_trust = match bundle.files.get(TRUST) {
        Some(text) => chain::step(trust, text, &bundle.manifest_bytes, &bundle.signatures)?,
        None => None,
    };
    Ok(Verified {
        bundle,
        signers,
        new_trust,
    })
}

impl Verified {
    /// Builds the link of the chain of trusted keys, to be stored before the new keys are used.
    /// `None`: the bundle does not change the trusted keys.
    #[must_use]
    pub fn link(&self) -> Option<Link> {
        let new = self.new_trust.as_ref()?;
        let text = self.bundle.files.get(TRUST)?;
        let parts = Parts {
            signed: self.bundle.manifest_bytes.clone(),
            signatures: self.bundle.signatures.clone(),
            files: [(TRUST.to_owned(), text.clone())].into(),
        };
        let bytes = parts.write(MANIFEST);
        Some(Link {
            version: new.version,
            bytes: bytes.expect("a part of an archive is an archive"),
        })
    }
}

#[cfg(test)]
mod tests;
