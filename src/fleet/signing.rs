//! Keys of central IT: makes them, and signs bundles and stops with them.
//!
//! **In**: secret key files of minisign, with their password. **Out**: signatures in minisign's
//! prehashed form. Secret keys and passwords are in no error and no `Debug`. Nothing here runs on a
//! gateway.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;

use super::bundle::Bundle;
use super::error::BundleError;
use super::key_id::{ENCRYPTED_KEY, KeyId, PLAIN_KEY};
use super::manifest::MANIFEST;
use super::parts;
use super::stop::{STOP, Stop};
use super::trust::SignatureFile;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error(
        "the file is no secret key of minisign: name the .key file that `stockrelay config keygen` or `minisign -G` wrote"
    )]
    NotAKey,
    #[error("the password of the secret key is wrong, or the file is damaged")]
    WrongPassword,
    #[error("the key cannot be used: {0}")]
    Unusable(String),
}

/// The two files of a new key, as minisign writes them.
pub struct NewKey {
    pub id: KeyId,
    /// The line for `public` in trust.toml.
    pub public: String,
    pub public_file: String,
    pub secret_file: SecretString,
}

/// A secret key that can sign.
pub struct Signer {
    pub id: KeyId,
    key: SecretKey,
    public: PublicKey,
}

/// Makes a new key. `None`: the secret key is not encrypted.
pub fn make_key(password: Option<&SecretString>) -> Result<NewKey, KeyError> {
    let pair = match password {
        Some(password) => {
            KeyPair::generate_encrypted_keypair(Some(password.expose_secret().to_owned()))
        }
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let unusable = |error: minisign::PError| KeyError::Unusable(error.to_string());
    let pair = pair.map_err(unusable)?;
    let secret = pair.sk.to_box(None).map_err(unusable)?.to_string();
    Ok(NewKey {
        id: id(pair.pk.keynum()),
        public: pair.pk.to_base64(),
        public_file: pair.pk.to_box().map_err(unusable)?.to_string(),
        secret_file: secret.into(),
    })
}

fn id(bytes: &[u8]) -> KeyId {
    let mut id = [0; 8];
    id.copy_from_slice(bytes);
    KeyId::from_bytes(id)
}

/// Opens a secret key. `ask` is called for the password only if the key is encrypted.
pub fn open_key<E: From<KeyError>>(
    text: &SecretString,
    ask: impl FnOnce() -> Result<SecretString, E>,
) -> Result<Signer, E> {
    let text = text.expose_secret();
    let line = text.lines().nth(1).unwrap_or_default();
    let key = if line.starts_with(PLAIN_KEY) {
        // Not by `into_unencrypted_secret_key`: minisign 0.11 writes no checksum into such a key.
        let bytes = BASE64.decode(line.trim()).map_err(|_| KeyError::NotAKey)?;
        SecretKey::from_bytes(&bytes).map_err(|_| KeyError::NotAKey)?
    } else if line.starts_with(ENCRYPTED_KEY) {
        let password = ask()?.expose_secret().to_owned();
        let key = SecretKeyBox::from_string(text).map_err(|_| KeyError::NotAKey)?;
        let opened = key.into_secret_key(Some(password));
        opened.map_err(|_| KeyError::WrongPassword)?
    } else {
        return Err(KeyError::NotAKey.into());
    };
    let public = PublicKey::from_secret_key(&key).map_err(|_| KeyError::NotAKey)?;
    let id = id(key.keynum());
    Ok(Signer { id, key, public })
}

impl Signer {
    /// Signs a message, and verifies the signature, because the file of the key may be damaged. The
    /// text is that of a .minisig file.
    pub fn sign(&self, message: &[u8]) -> Result<String, KeyError> {
        let comment = format!("signature of key {}", self.id);
        let signed = minisign::sign(Some(&self.public), &self.key, message, None, Some(&comment));
        let signed = signed.map_err(|error| KeyError::Unusable(error.to_string()))?;
        Ok(signed.to_string())
    }
}

/// Why a bundle or a stop was not signed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SignError {
    #[error("{0}")]
    Bundle(#[from] BundleError),
    #[error("{0}")]
    Key(#[from] KeyError),
}

/// Adds the key's signature to a bundle, or replaces it. A bundle that a gateway would refuse is
/// not signed.
pub fn sign_bundle(bundle: &Bytes, signer: &Signer) -> Result<Vec<u8>, SignError> {
    Bundle::read(bundle)?;
    sign(bundle, MANIFEST, signer)
}

/// Adds the key's signature to a stop, or replaces it.
pub fn sign_stop(stop: &Bytes, signer: &Signer) -> Result<Vec<u8>, SignError> {
    let parts = parts::read(stop, STOP)?;
    let faults = Stop::parse(&String::from_utf8_lossy(&parts.signed)).err();
    if let Some(faults) = faults {
        return Err(BundleError::Faults { file: STOP, faults }.into());
    }
    sign(stop, STOP, signer)
}

fn sign(archive: &Bytes, first: &'static str, signer: &Signer) -> Result<Vec<u8>, SignError> {
    let mut parts = parts::read(archive, first)?;
    let bytes = signer.sign(&parts.signed)?.into();
    parts
        .signatures
        .retain(|signature| signature.id != signer.id);
    parts.signatures.push(SignatureFile {
        id: signer.id,
        bytes,
    });
    Ok(parts.write(first)?)
}

#[cfg(test)]
mod tests;
