//! Keys and bundles for the unit tests of this folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;

use super::manifest::{MANIFEST, list_files};
use super::parts::Parts;
use super::signing::{KeyError, Signer, make_key, open_key, sign_bundle};
use super::trust::Trust;

/// A manifest without files: one ring for all sites.
pub const MANIFEST_DRAFT: &str = "\
format = 1
serial = 42
name = \"autumn profiles\"
created = \"2026-11-28T09:00:00Z\"
expires = \"2027-03-01T00:00:00Z\"
[targets]
all = true
[[ring]]
all = true
";

/// A key that signs, and its entry in trust.toml.
pub struct Key {
    pub signer: Signer,
    pub entry: String,
    pub public: String,
}

/// Makes a key that is not encrypted.
pub fn key(name: &str) -> Key {
    let new = make_key(None).unwrap();
    let entry = format!(
        "[[key]]\nid = \"{}\"\npublic = \"{}\"\nname = \"{name}\"\n",
        new.id, new.public
    );
    let signer = open_key::<KeyError>(&new.secret_file, || unreachable!("it has no password"));
    Key {
        signer: signer.unwrap(),
        entry,
        public: new.public,
    }
}

pub fn trust_text(version: u64, threshold: usize, revoked: &[&Key], keys: &[&Key]) -> String {
    let revoked: Vec<_> = revoked
        .iter()
        .map(|key| format!("\"{}\"", key.signer.id))
        .collect();
    let mut text = format!(
        "version = {version}\nthreshold = {threshold}\nrevoked = [{}]\n",
        revoked.join(", ")
    );
    for key in keys {
        write!(text, "{}", key.entry).unwrap();
    }
    text
}

pub fn trust(version: u64, threshold: usize, revoked: &[&Key], keys: &[&Key]) -> Trust {
    Trust::parse(&trust_text(version, threshold, revoked, keys), "trust.toml").unwrap()
}

/// Builds an unsigned bundle, also one that a reader refuses.
pub fn bundle(draft: &str, files: &[(&str, &str)]) -> Bytes {
    let listed = files.iter().map(|(path, text)| (*path, text.as_bytes()));
    let manifest = format!("{draft}{}", list_files(listed));
    unlisted(&manifest, files)
}

/// Builds an unsigned bundle with this manifest, whatever it lists.
pub fn unlisted(manifest: &str, files: &[(&str, &str)]) -> Bytes {
    let files: BTreeMap<String, Bytes> = (files.iter())
        .map(|(path, text)| ((*path).to_owned(), Bytes::copy_from_slice(text.as_bytes())))
        .collect();
    let parts = Parts {
        signed: Bytes::copy_from_slice(manifest.as_bytes()),
        signatures: Vec::new(),
        files,
    };
    parts.write(MANIFEST).unwrap().into()
}

pub const CAPTURE: (&str, &str) = (
    "config.d/50-capture.toml",
    "[capture]\ncheck = \"strict\"\n",
);

/// The bundle that has no fault, signed.
pub fn signed(keys: &[&Key]) -> Bytes {
    sign(&bundle(MANIFEST_DRAFT, &[CAPTURE]), keys)
}

pub fn sign(bundle: &Bytes, keys: &[&Key]) -> Bytes {
    keys.iter().fold(bundle.clone(), |bytes, key| {
        sign_bundle(&bytes, &key.signer).unwrap().into()
    })
}
