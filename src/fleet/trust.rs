//! Who may sign for the fleet: `trust.toml`, and the verification of signatures by its keys.
//!
//! **In**: the text of `trust.toml`; a message with its signature files. **Out**: the keys whose
//! signatures count, or what is wrong with each signature.
//!
//! **Guarantees**: a key counts once, however often it signed: keys are counted, not signatures,
//! and two entries of trust.toml cannot have the same key. A revoked key never counts. Only
//! minisign's prehashed form is accepted.
//!
//! The crate `tough` (a client for The Update Framework) has the same rules for thresholds and
//! versions of keys. It needs a repository with four kinds of metadata and a service that renews
//! their timestamps every few days, and a bundle on a USB stick, made with `tar` and `minisign`,
//! has neither; so the two rules of TUF that apply here (count keys, sign a new root with the old
//! and the new) are this file and `chain.rs`, and its tests include TUF's advisory
//! GHSA-pwqf-9h7j-7mv8.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use minisign_verify::{PublicKey, Signature};
use rustix::fs::OFlags;
use thiserror::Error;

use super::key_id::KeyId;
use super::keys::{self, Keys};
use super::manifest::NUMBER_MAX;
use crate::config::Fault;

/// Maximum of keys in trust.toml.
const KEYS_MAX: usize = 100;
/// The largest trust.toml, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Symbolic links on the way to trust.toml, at most; Linux follows no more.
const LINKS_MAX: usize = 41;
const PUBLIC_ACCEPTED: &str =
    "the second line of minisign's public key file: 56 characters that begin with RW";

/// The keys that may sign, and how many signatures are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// 0 if the file has none.
    pub version: u64,
    /// How many keys must sign.
    pub threshold: usize,
    pub revoked: BTreeSet<KeyId>,
    pub keys: Vec<TrustedKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    pub id: KeyId,
    /// For people.
    pub name: String,
    public: PublicKey,
    /// The bytes of the key, without its id.
    bytes: Vec<u8>,
}

/// A signature file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFile {
    /// As in the name of the file.
    pub id: KeyId,
    pub bytes: Bytes,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The key did not sign this message, or the signature file was changed.
    Wrong,
    Revoked,
    /// trust.toml has no such key.
    Unknown,
    /// Signed with `minisign -l`.
    Legacy,
    /// The file is no signature.
    Malformed,
}

impl Doubt {
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Wrong => "the signature does not match",
            Self::Revoked => "the key is revoked",
            Self::Unknown => "trust.toml has no such key",
            Self::Legacy => "signed in minisign's old form; sign again without -l",
            Self::Malformed => "the file is no signature of minisign",
        }
    }
}

/// The signatures that count are too few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFew {
    /// The trust.toml that asks for them.
    pub version: u64,
    pub needed: usize,
    /// The keys that are not revoked.
    pub usable: usize,
    pub good: Vec<KeyId>,
    pub doubts: Vec<(KeyId, Doubt)>,
}

impl TooFew {
    /// Returns the stable code of the cause: of the worst doubt, if there is one.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let has = |doubt| self.doubts.iter().any(|(_, found)| *found == doubt);
        if has(Doubt::Wrong) || has(Doubt::Malformed) || has(Doubt::Legacy) {
            "wrong-signature"
        } else if has(Doubt::Revoked) {
            "revoked-key"
        } else if has(Doubt::Unknown) {
            "unknown-key"
        } else {
            "too-few-signatures"
        }
    }
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = if self.needed == 1 { "key" } else { "keys" };
        write!(
            f,
            "{} {keys} of trust.toml version {} must sign, and ",
            self.needed, self.version
        )?;
        let good: Vec<_> = self.good.iter().map(KeyId::to_string).collect();
        match good.as_slice() {
            [] => f.write_str("no signature counts")?,
            [one] => write!(f, "only the signature of {one} counts")?,
            many => write!(f, "only the signatures of {} count", many.join(" and "))?,
        }
        for (id, doubt) in &self.doubts {
            write!(f, "; {id}: {}", doubt.text())?;
        }
        if self.usable < self.needed {
            let usable = self.usable;
            return write!(
                f,
                ". Only {usable} of its keys are not revoked, so nobody can sign for the gateway: install a trust.toml with other keys and a version above {}",
                self.version
            );
        }
        f.write_str(". Sign the bundle with `stockrelay config sign` and a key of trust.toml")?;
        match self.code() {
            "unknown-key" => f.write_str(", or install the newest trust.toml here"),
            _ => Ok(()),
        }
    }
}

/// Why trust.toml cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    #[error("{}: {reason}; {remedy}", file.display())]
    Unreadable {
        file: PathBuf,
        reason: String,
        remedy: String,
    },
    /// Every fault at once, a line each.
    #[error("{}", keys::list_faults("trust.toml", .0))]
    Invalid(Vec<Fault>),
}

impl Trust {
    /// Parses a trust.toml. `file` is its name in faults. The error has every fault.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Fault>> {
        keys::parse(text, file, read)
    }

    /// Reads a trust.toml, whoever may write it: for commands on any machine.
    pub fn read(file: &Path) -> Result<Self, TrustError> {
        Self::read_opened(file, open_regular(file))
    }

    fn read_opened(file: &Path, opened: io::Result<File>) -> Result<Self, TrustError> {
        let mut text = String::new();
        let read = opened.and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| TrustError::Unreadable {
            file: file.to_owned(),
            reason: format!("cannot be read: {error}"),
            remedy: "copy central IT's trust.toml here, or correct its path and its access rights"
                .to_owned(),
        })?;
        Self::parse(&text, &file.display().to_string()).map_err(TrustError::Invalid)
    }

    /// Reads the trust.toml of this gateway. A file that another user than root or `user` may write
    /// is not used.
    pub fn read_installed(file: &Path, user: u32) -> Result<Self, TrustError> {
        let opened = open_regular(file);
        if let Ok(opened) = &opened
            && let Ok(metadata) = opened.metadata()
        {
            check_owner(file, file, &metadata, user)?;
        }
        // The directories, too, also those of symbolic links: who may write there may replace the
        // file. Other users cannot do that in a directory with the sticky bit.
        for directory in directories(file) {
            // A directory that does not exist is the error of the read.
            if let Ok(metadata) = fs::metadata(&directory) {
                check_owner(file, &directory, &metadata, user)?;
            }
        }
        Self::read_opened(file, opened)
    }

    /// Finds the keys whose signature of `message` counts.
    #[must_use]
    pub fn count(&self, message: &[u8], signatures: &[SignatureFile]) -> Counted {
        let mut counted = Counted::default();
        for signature in signatures {
            match self.check(message, signature) {
                Ok(id) => drop(counted.good.insert(id)),
                Err(doubt) => counted.doubts.push((signature.id, doubt)),
            }
        }
        counted
    }

    /// Returns the keys that signed `message`, if they are at least `needed`.
    pub fn require(
        &self,
        needed: usize,
        message: &[u8],
        signatures: &[SignatureFile],
    ) -> Result<BTreeSet<KeyId>, TooFew> {
        let counted = self.count(message, signatures);
        if counted.good.len() >= needed {
            return Ok(counted.good);
        }
        Err(TooFew {
            version: self.version,
            needed,
            usable: self.valid_keys().len(),
            good: counted.good.into_iter().collect(),
            doubts: counted.doubts,
        })
    }

    fn check(&self, message: &[u8], signature: &SignatureFile) -> Result<KeyId, Doubt> {
        if self.revoked.contains(&signature.id) {
            return Err(Doubt::Revoked);
        }
        let key = self.keys.iter().find(|key| key.id == signature.id);
        let key = key.ok_or(Doubt::Unknown)?;
        let text = str::from_utf8(&signature.bytes).map_err(|_| Doubt::Malformed)?;
        let signature = Signature::decode(text).map_err(|_| Doubt::Malformed)?;
        let verified = key.public.verify(message, &signature, false);
        verified.map(|()| key.id).map_err(|error| match error {
            minisign_verify::Error::UnexpectedAlgorithm => Doubt::Legacy,
            _ => Doubt::Wrong,
        })
    }

    /// The keys whose signatures count.
    #[must_use]
    pub fn valid_keys(&self) -> BTreeSet<KeyId> {
        let keys = self.keys.iter().map(|key| key.id);
        keys.filter(|id| !self.revoked.contains(id)).collect()
    }

    /// Returns the name of a key, for people.
    #[must_use]
    pub fn name(&self, id: KeyId) -> Option<&str> {
        let key = self.keys.iter().find(|key| key.id == id)?;
        Some(&key.name)
    }
}

/// Opens a regular file. A named pipe would block.
pub fn open_regular(file: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let opened = File::options().read(true).custom_flags(flags).open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(opened)
}

/// Finds the directories in which a file, or a symbolic link on the way to it, can be replaced.
fn directories(file: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = Some(file.to_owned());
    while let Some(path) = next.take().filter(|_| found.len() < LINKS_MAX) {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        next = fs::read_link(&path).ok().map(|to| directory.join(to));
        found.push(directory);
    }
    found
}

/// Checks that only root and `user` may change a file or a directory.
fn check_owner(
    file: &Path,
    path: &Path,
    metadata: &fs::Metadata,
    user: u32,
) -> Result<(), TrustError> {
    let shown = path.display();
    let (owner, mode) = (metadata.uid(), metadata.mode());
    let what = if path == file {
        "it".to_owned()
    } else {
        format!("its directory {shown}")
    };
    let is_sticky = metadata.is_dir() && mode & 0o1000 != 0;
    let reason = if owner != 0 && owner != user {
        format!("{what} belongs to user {owner}, who may change the trusted keys")
    } else if mode & 0o022 != 0 && !is_sticky {
        let mode = mode & 0o7777;
        format!("{what} may be written by other users (mode {mode:o})")
    } else {
        return Ok(());
    };
    Err(TrustError::Unreadable {
        file: file.to_owned(),
        reason,
        remedy: format!("run chown root {shown} && chmod go-w {shown}"),
    })
}

/// The signatures of a message.
#[derive(Debug, Default)]
pub struct Counted {
    /// Keys, not signatures: each is in it once.
    pub good: BTreeSet<KeyId>,
    pub doubts: Vec<(KeyId, Doubt)>,
}

fn read(keys: &mut Keys) -> Option<Trust> {
    let version = keys.integer("version", 0..=NUMBER_MAX).unwrap_or(0);
    keys.require("threshold", "how many keys must sign, such as 1");
    let threshold = keys.integer("threshold", 1..=KEYS_MAX as u64);
    let accepted = format!("an array of ids; each is {}", KeyId::ACCEPTED);
    let revoked = keys.list("revoked", &accepted, |text| text.parse().ok());
    let revoked: BTreeSet<KeyId> = revoked.unwrap_or_default().into_iter().collect();
    keys.require("key", "at least one section [[key]]");
    let all: Vec<TrustedKey> = keys.sections("key", key);
    if all.len() > KEYS_MAX {
        keys.fault(
            "key",
            all.len().to_string(),
            format!("at most {KEYS_MAX} keys"),
        );
    }
    for (index, key) in all.iter().enumerate() {
        let before = &all[..index];
        if before.iter().any(|other| other.id == key.id) {
            keys.fault("key", format!("the id {} twice", key.id), "each key once");
        } else if before.iter().any(|other| other.bytes == key.bytes) {
            // Under two ids it would count twice.
            let found = format!("the key of {} also under another id", key.id);
            keys.fault("key", found, "each key once");
        }
    }
    let threshold = usize::try_from(threshold?).ok()?;
    let usable = all.iter().filter(|key| !revoked.contains(&key.id)).count();
    if threshold > usable {
        let found = format!("{threshold} with {usable} keys that are not revoked");
        keys.fault(
            "threshold",
            found,
            "at most the number of keys that are not revoked",
        );
    }
    Some(Trust {
        version,
        threshold,
        revoked,
        keys: all,
    })
}

fn key(keys: &mut Keys) -> Option<TrustedKey> {
    keys.require("id", KeyId::ACCEPTED);
    keys.require("public", PUBLIC_ACCEPTED);
    keys.require("name", "a name for people, such as \"anna, office\"");
    let id: Option<KeyId> = keys.parse_text("id", KeyId::ACCEPTED, |text| text.parse().ok());
    let name = keys.text("name", 100);
    let public = keys.parse_text("public", PUBLIC_ACCEPTED, |text| {
        let (id, bytes) = read_public(text)?;
        Some((id, bytes, PublicKey::from_base64(text).ok()?))
    });
    let (id, (own_id, bytes, public)) = (id?, public?);
    if own_id != id {
        keys.fault(
            "id",
            id.to_string(),
            format!("{own_id}, the id of the key in `public`"),
        );
    }
    let name = name?;
    Some(TrustedKey {
        id,
        name,
        public,
        bytes,
    })
}

/// Reads the id and the key itself in the base64 line of a public key.
fn read_public(text: &str) -> Option<(KeyId, Vec<u8>)> {
    let key = minisign::PublicKey::from_base64(text).ok()?;
    let id = KeyId::from_bytes(key.keynum().try_into().ok()?);
    // Before the key are two bytes for the algorithm, and the id.
    Some((id, key.to_bytes().get(10..)?.to_owned()))
}

#[cfg(test)]
mod tests;
