//! The gateway's own key, to which central IT encrypts the secrets of this gateway.
//!
//! **In**: the fleet's folder. **Out**: the key, made at the first start and durable before it is
//! used; or why there is none. Its public half, the recipient, is in the report.
//!
//! The file has the form of `age-keygen`, so `age -d -i` can use a copy of it. A file that cannot
//! be used is never replaced: bundles may have secrets for it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use age::secrecy::{ExposeSecret as _, SecretSlice};
use age::x25519::{Identity, Recipient};
use age::{DecryptError, EncryptError};
use thiserror::Error;

use super::disk::Storage;
use super::layout::SECRET_BYTES_MAX;

/// In `data_dir/fleet`.
pub const FILE: &str = "identity.key";
const NEW: &str = "identity.key.new";
const HEAD: &str = "# The key of this gateway. Central IT encrypts secrets to the recipient below.\n\
                    # The file has the form of age-keygen. Keep it secret; do not change it.\n";

/// The key, or why the gateway has none. Cheap to clone.
#[derive(Debug, Clone)]
pub enum GatewayKey {
    Ready(Arc<SecretKey>),
    /// What is wrong, with the file and the remedy.
    Unusable(Arc<str>),
}

/// A key whose secret half is never shown. Its memory is cleared when it is dropped.
pub struct SecretKey {
    identity: Identity,
    recipient: String,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.recipient).finish()
    }
}

/// Why a secret cannot be decrypted, or encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretError {
    #[error(
        "it is encrypted to another recipient. This gateway is {own}: encrypt the secret again, with `age -r {own}`"
    )]
    OtherRecipient { own: String },
    #[error("it is damaged, or no file of age; encrypt the secret again, with `age -r {own}`")]
    Damaged { own: String },
    #[error("it is empty; encrypt a file that has the secret")]
    Empty,
    #[error(
        "it has more than {SECRET_BYTES_MAX} bytes; a secret is a password, a key or a certificate"
    )]
    TooLarge,
    #[error(
        "{0} is no recipient of age, such as age1...; `stockrelay fleet show SITE` shows that of a gateway"
    )]
    NoRecipient(String),
}

impl GatewayKey {
    /// Reads the key, and makes it if there is none. It writes to the disk, and blocks.
    pub fn open(storage: &mut impl Storage) -> Self {
        let opened = match storage.read(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(storage),
            Err(error) => Err(format!(
                "cannot read it: {error}. Correct its owner and mode, and restart"
            )),
            Ok(bytes) => check_private(storage).and_then(|()| parse(&bytes.into())),
        };
        match opened {
            Ok(key) => Self::Ready(key.into()),
            Err(why) => {
                let place = storage.place(FILE);
                Self::Unusable(format!("{}: {why}", place.display()).into())
            }
        }
    }

    /// Reads the key of another process of this gateway. It is not made.
    pub fn read(file: &Path) -> Result<SecretKey, String> {
        let bytes = std::fs::read(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "it does not exist: the daemon makes it at its first start".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                format!("{error}: run the command as root or as the daemon's user")
            }
            _ => error.to_string(),
        })?;
        parse(&bytes.into())
    }

    /// The public half. `None`: the gateway has no key.
    #[must_use]
    pub fn recipient(&self) -> Option<&str> {
        match self {
            Self::Ready(key) => Some(key.recipient()),
            Self::Unusable(_) => None,
        }
    }

    /// Describes what is wrong, for the status. `None`: the gateway has its key.
    #[must_use]
    pub fn alarm(&self) -> Option<String> {
        match self {
            Self::Ready(_) => None,
            Self::Unusable(why) => Some(format!(
                "The gateway cannot decrypt secrets of bundles, because it cannot use its own key. {why}."
            )),
        }
    }
}

impl SecretKey {
    fn of(identity: Identity) -> Self {
        let recipient = identity.to_public().to_string();
        Self {
            identity,
            recipient,
        }
    }

    #[must_use]
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// Decrypts a file of age, binary or as text.
    pub fn decrypt(&self, bytes: &[u8]) -> Result<SecretSlice<u8>, SecretError> {
        let own = self.recipient.clone();
        let decrypted = age::decrypt(&self.identity, bytes).map_err(|error| match error {
            DecryptError::NoMatchingKeys => SecretError::OtherRecipient { own },
            _ => SecretError::Damaged { own },
        })?;
        check_size(&decrypted)?;
        Ok(decrypted.into())
    }
}

/// Encrypts a secret to the recipient of a gateway.
pub fn encrypt(recipient: &str, secret: &[u8]) -> Result<Vec<u8>, SecretError> {
    check_size(secret)?;
    let none = || SecretError::NoRecipient(recipient.to_owned());
    let recipient: Recipient = recipient.parse().map_err(|_| none())?;
    age::encrypt(&recipient, secret).map_err(|_: EncryptError| none())
}

fn check_size(secret: &[u8]) -> Result<(), SecretError> {
    match secret.len() {
        0 => Err(SecretError::Empty),
        bytes if bytes > SECRET_BYTES_MAX => Err(SecretError::TooLarge),
        _ => Ok(()),
    }
}

fn check_private(storage: &impl Storage) -> Result<(), String> {
    match storage.is_private(FILE) {
        Ok(true) => Ok(()),
        Ok(false) => Err(
            "other users can read it. If none of them has, set its mode to 0600 and restart. Otherwise remove it and restart: the gateway makes a new key, and central IT encrypts its secrets again".to_owned(),
        ),
        Err(error) => Err(format!("cannot read its mode: {error}")),
    }
}

fn parse(bytes: &SecretSlice<u8>) -> Result<SecretKey, String> {
    let text = str::from_utf8(bytes.expose_secret()).unwrap_or_default();
    let mut lines = (text.lines()).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next().map(str::parse), lines.next()) {
        (Some(Ok(identity)), None) => Ok(SecretKey::of(identity)),
        _ => Err(
            "it is damaged. Restore it from a backup and restart. Or remove it and restart: the gateway makes a new key, and central IT encrypts its secrets again".to_owned(),
        ),
    }
}

/// Makes the key: written beside its place, synced, and renamed.
fn make(storage: &mut impl Storage) -> Result<SecretKey, String> {
    let key = SecretKey::of(Identity::generate());
    let secret = key.identity.to_string();
    let recipient = &key.recipient;
    let text = format!(
        "{HEAD}# public key: {recipient}\n{}\n",
        secret.expose_secret()
    );
    let text: SecretSlice<u8> = text.into_bytes().into();
    // What is left from an interrupted start may have another mode.
    let written = storage
        .remove(NEW)
        .and_then(|()| storage.write(NEW, text.expose_secret()))
        .and_then(|()| storage.sync(NEW))
        .and_then(|()| storage.rename(NEW, FILE))
        .and_then(|()| storage.sync(""));
    written.map_err(|error| {
        format!(
            "cannot write it: {error}. Check the disk and the owner of the directory, and restart"
        )
    })?;
    Ok(key)
}

#[cfg(test)]
mod tests;
