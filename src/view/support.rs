//! `stockrelay support-bundle`: collects what a person who helps needs to know about a gateway.
//!
//! **In**: the daemon's answers, the configuration, the checks, the machine. **Out**: one
//! compressed tar file that only its owner may read.
//!
//! **Guarantees:** no secret is in the file. `parts` takes no secret in the first place, and each
//! text passes `redact` at the end, which replaces every secret that the configuration names, and
//! everything that has the form of one. A part that cannot be collected is a text that says why.

mod parts;
mod redact;

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::Serialize;
use tar::{Builder, Header};

pub use parts::{Sources, collect};

/// Mode of the file, and of each file in it.
const MODE: u32 = 0o600;

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub what: &'static str,
    pub text: String,
}

/// The line of a part in the list of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub name: &'static str,
    pub bytes: usize,
    pub what: &'static str,
}

impl Part {
    #[must_use]
    pub fn listed(&self) -> Listed {
        Listed {
            name: self.name,
            bytes: self.text.len(),
            what: self.what,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{} exists: name another file; the command overwrites none", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}: {source}; name a file in a directory that this user may write", file.display())]
    Failed { file: PathBuf, source: io::Error },
}

/// The name of the file that no argument names, and of the directory in the file.
#[must_use]
pub fn name(site: &str, now: Timestamp) -> String {
    format!("stockrelay-{site}-{}", now.strftime("%Y%m%dT%H%M%SZ"))
}

/// Writes the parts below the directory `name` of a new file.
pub fn write(file: &Path, name: &str, parts: &[Part], now: Timestamp) -> Result<(), WriteError> {
    let opened = File::options()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(file);
    let opened = opened.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => WriteError::Exists(file.to_owned()),
        _ => WriteError::Failed {
            file: file.to_owned(),
            source,
        },
    })?;
    pack(opened, name, parts, now).map_err(|source| {
        // The file is this command's own: half of it is of no use.
        drop(std::fs::remove_file(file));
        WriteError::Failed {
            file: file.to_owned(),
            source,
        }
    })
}

fn pack(file: File, name: &str, parts: &[Part], now: Timestamp) -> io::Result<()> {
    let mut tar = Builder::new(GzEncoder::new(file, Compression::default()));
    for part in parts {
        let mut header = Header::new_gnu();
        header.set_size(part.text.len() as u64);
        header.set_mode(MODE);
        header.set_mtime(u64::try_from(now.as_second()).unwrap_or_default());
        let path = format!("{name}/{}", part.name);
        tar.append_data(&mut header, path, part.text.as_bytes())?;
    }
    let mut file = tar.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_for_its_owner_alone_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.tar.gz");
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let part = Part {
            name: "a.txt",
            what: "a text",
            text: "hello".to_owned(),
        };
        write(&file, "folder", std::slice::from_ref(&part), now).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = std::fs::read(&file).unwrap();
        let error = write(&file, "folder", &[], now).unwrap_err();
        assert!(matches!(error, WriteError::Exists(_)), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(before.as_slice()));
        let mut entries = tar.entries().unwrap();
        let entry = entries.next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("folder/a.txt"));
        assert_eq!(io::read_to_string(entry).unwrap(), "hello");
    }
}
