//! Builds an unsigned bundle from a directory.
//!
//! **In**: a directory with `manifest.toml` (without `[[file]]`) and `files/`. **Out**: the bytes
//! of the bundle. The same files give the same bytes. A bundle that a gateway would refuse is not
//! built.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thiserror::Error;

use super::archive::{self, BYTES_MAX, FILES_MAX};
use super::bundle::Bundle;
use super::error::BundleError;
use super::floor::whole;
use super::manifest::{self, MANIFEST, Manifest};
use super::parts::Parts;

/// The deepest directory below `files/`: `sites/SITE/config.d/NAME`.
const DEPTH_MAX: usize = 8;

#[derive(Debug, Error)]
pub enum BuildError {
    #[error("{} cannot be read: {error}; the directory of a bundle has {MANIFEST} and files/", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} is {kind}: a bundle has only regular files and directories", path.display())]
    NotAFile { path: PathBuf, kind: &'static str },
    #[error("{0}")]
    Bundle(#[from] BundleError),
}

/// Builds the bundle of a directory.
pub fn build(directory: &Path) -> Result<Vec<u8>, BuildError> {
    let path = directory.join(MANIFEST);
    let mut text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    let faults = Manifest::parse_draft(&text).err();
    if let Some(faults) = faults {
        let file = MANIFEST;
        return Err(BundleError::Faults { file, faults }.into());
    }
    let mut files = BTreeMap::new();
    read_directory(&directory.join("files"), "", 0, &mut files)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let listed = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), &bytes[..]));
    text.push_str(&manifest::list_files(listed));
    let parts = Parts {
        signed: text.into(),
        signatures: Vec::new(),
        files,
    };
    let bytes = parts.write(MANIFEST)?;
    whole::require(&Bundle::read(&Bytes::copy_from_slice(&bytes))?)?;
    Ok(bytes)
}

/// Lists what is beside `files/` in the directory and does not become part of the bundle. Hidden
/// files and texts for people, such as `README.md`, are not in the list.
#[must_use]
pub fn left_out(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_part = |name: &str| {
        let is_signature = name.starts_with(MANIFEST) && name.ends_with(".minisig");
        name == MANIFEST || name == "files" || is_signature
    };
    let is_text = |name: &str| {
        let is_readme = name.to_ascii_lowercase().starts_with("readme");
        name.starts_with('.')
            || is_readme
            || Path::new(name).extension().is_some_and(|end| end == "md")
    };
    let mut names: Vec<_> = names
        .filter(|name| !is_part(name) && !is_text(name))
        .collect();
    names.sort();
    names
}

fn unreadable(path: &Path, error: io::Error) -> BuildError {
    let path = path.to_owned();
    BuildError::Unreadable { path, error }
}

/// Reads all files below a directory, by their path relative to `files/`.
fn read_directory(
    directory: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, Bytes>,
) -> Result<(), BuildError> {
    let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(directory, error))?;
        let path = entry.path();
        let name = entry.file_name();
        let relative = format!("{prefix}{}", name.to_string_lossy());
        // Without following links.
        let metadata = entry.metadata().map_err(|error| unreadable(&path, error))?;
        let kind = metadata.file_type();
        if kind.is_dir() && depth < DEPTH_MAX {
            read_directory(&path, &format!("{relative}/"), depth + 1, files)?;
        } else if kind.is_file() {
            if files.len() >= FILES_MAX {
                return Err(BundleError::from(archive::ArchiveError::TooManyFiles).into());
            }
            check_size(metadata.len(), files)?;
            let bytes = fs::read(&path).map_err(|error| unreadable(&path, error))?;
            files.insert(relative, bytes.into());
        } else {
            let kind = match () {
                () if kind.is_symlink() => "a symbolic link",
                () if kind.is_dir() => "too deep a directory",
                () => "neither a file nor a directory",
            };
            return Err(BuildError::NotAFile { path, kind });
        }
    }
    Ok(())
}

/// Checks the total before a file is read: it may have any size.
fn check_size(bytes: u64, files: &BTreeMap<String, Bytes>) -> Result<(), BundleError> {
    let before: usize = files.values().map(Bytes::len).sum();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let bytes = before.saturating_add(bytes);
    if bytes > BYTES_MAX {
        return Err(archive::ArchiveError::TooLarge { bytes }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
