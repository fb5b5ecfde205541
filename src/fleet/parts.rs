//! The parts of an archive with a signed first file: the file, its signatures, and the rest.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::archive::{self, Entry};
use super::error::BundleError;
use super::key_id::KeyId;
use super::trust::SignatureFile;

/// The directory of the files for gateways.
pub(super) const FILES: &str = "files/";
const SIGNATURE_ENDING: &str = ".minisig";

/// An archive, taken apart. Nothing is verified.
pub(super) struct Parts {
    /// The first file, which is signed.
    pub signed: Bytes,
    pub signatures: Vec<SignatureFile>,
    /// By their path relative to `files/`.
    pub files: BTreeMap<String, Bytes>,
}

/// Reads an archive whose first file is `first`: manifest.toml or stop.toml.
pub(super) fn read(archive: &Bytes, first: &'static str) -> Result<Parts, BundleError> {
    let mut entries = archive::read(archive)?.into_iter();
    let signed = match entries.next() {
        Some(Entry { path, bytes }) if path == first => bytes,
        _ => return Err(BundleError::NotFirst { first }),
    };
    let mut parts = Parts {
        signed,
        signatures: Vec::new(),
        files: BTreeMap::new(),
    };
    for Entry { path, bytes } in entries {
        if let Some(path) = path.strip_prefix(FILES) {
            parts.files.insert(path.to_owned(), bytes);
        } else if let Some(id) = find_signer(&path, first) {
            parts.signatures.push(SignatureFile { id, bytes });
        } else {
            return Err(BundleError::Foreign { path });
        }
    }
    Ok(parts)
}

/// Finds the key in the name of a signature file, such as `manifest.toml.KEYID.minisig`.
fn find_signer(path: &str, first: &str) -> Option<KeyId> {
    let id = path.strip_prefix(first)?.strip_prefix('.')?;
    id.strip_suffix(SIGNATURE_ENDING)?.parse().ok()
}

/// Returns the name of the file with a key's signature.
pub(super) fn signature_name(first: &str, id: KeyId) -> String {
    format!("{first}.{id}{SIGNATURE_ENDING}")
}

impl Parts {
    /// Writes the archive: the signed file, the signatures by key, the files by path. The same
    /// parts give the same bytes.
    pub fn write(&self, first: &str) -> Result<Vec<u8>, BundleError> {
        let signatures: BTreeMap<String, &Bytes> = (self.signatures.iter())
            .map(|signature| (signature_name(first, signature.id), &signature.bytes))
            .collect();
        let files = self.files.iter();
        let files: Vec<(String, &Bytes)> = files
            .map(|(path, bytes)| (format!("{FILES}{path}"), bytes))
            .collect();
        let rest = signatures
            .iter()
            .map(|(path, bytes)| (path.as_str(), &bytes[..]));
        let files = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), &bytes[..]));
        let all = std::iter::once((first, &self.signed[..]));
        Ok(archive::write(all.chain(rest).chain(files))?)
    }
}
