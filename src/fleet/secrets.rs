//! The secrets of a bundle for this gateway: decrypted beside the other files of its set.
//!
//! ```text
//! secrets/NAME.age in the bundle ─ the gateway's key ▸ sets/SERIAL-HASH/secrets/NAME
//! ```
//!
//! **In**: the encrypted files of a site, and the gateway's key. **Out**: the plain files, with
//! mode 0600, or a fault for each that cannot be decrypted. They are on disk when [`unpack`]
//! returns. A set keeps its own secrets, so a rollback returns to those before.
//!
//! A file in the set that was decrypted before counts even if the key is lost: its set belongs to
//! one manifest, which has the hash of the encrypted file.

use std::io;

use age::secrecy::{ExposeSecret as _, SecretSlice};
use bytes::Bytes;

use super::disk::Storage;
use super::identity::GatewayKey;
use super::site_set::SiteSet;
use crate::config;

/// The folder in a set.
pub(super) const FOLDER: &str = config::SECRETS_FOLDER;

/// A decrypted secret, whose memory is cleared when it is dropped.
struct Plain(SecretSlice<u8>);

impl AsRef<[u8]> for Plain {
    fn as_ref(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

/// Decrypts what this gateway can decrypt: path in the set, and content. A bundle is stored with
/// these; [`unpack`] names what is missing.
#[must_use]
pub fn decrypt(set: &SiteSet, key: &GatewayKey) -> Vec<(String, Bytes)> {
    let GatewayKey::Ready(key) = key else {
        return Vec::new();
    };
    let decrypt = |(name, bytes): (&String, &Bytes)| {
        let plain = key.decrypt(bytes).ok()?;
        Some((place(name), Bytes::from_owner(Plain(plain))))
    };
    set.secrets.iter().filter_map(decrypt).collect()
}

/// Completes the secrets in the folder of a set, which is `storage`. Returns the faults.
pub fn unpack(set: &SiteSet, key: &GatewayKey, storage: &mut impl Storage) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, bytes) in &set.secrets {
        let path = place(name);
        let present = storage.read(&path).ok().map(SecretSlice::from);
        let unpacked = match key {
            GatewayKey::Ready(key) => match key.decrypt(bytes) {
                Ok(plain) => {
                    let is_there = present
                        .is_some_and(|present| present.expose_secret() == plain.expose_secret());
                    if is_there {
                        Ok(())
                    } else {
                        write(storage, &path, plain.expose_secret())
                    }
                }
                Err(error) => Err(error.to_string()),
            },
            GatewayKey::Unusable(_) if present.is_some() => Ok(()),
            GatewayKey::Unusable(why) => Err(format!("the gateway cannot use its own key. {why}")),
        };
        let name_file = |why| format!("{}: {why}", set.secret_origin(name));
        faults.extend(unpacked.map_err(name_file).err());
    }
    faults
}

fn place(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn write(storage: &mut impl Storage, path: &str, plain: &[u8]) -> Result<(), String> {
    let new = format!("{path}.new");
    let mut write = || -> io::Result<()> {
        storage.create_folder(FOLDER)?;
        storage.sync("")?;
        storage.remove(&new)?;
        storage.write(&new, plain)?;
        storage.sync(&new)?;
        storage.rename(&new, path)?;
        storage.sync(FOLDER)
    };
    write().map_err(|error| {
        let place = storage.place(path);
        format!("cannot write {}: {error}; check the disk", place.display())
    })
}

#[cfg(test)]
mod tests;
