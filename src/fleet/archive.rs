//! The tar file of a bundle, read strictly and written the same each time.
//!
//! **In**: any bytes. **Out**: the regular files with their paths, in the order of the archive, or
//! the first fault. The bytes of the files are slices of the input: nothing is copied.
//!
//! **Guarantees**: a path that is returned is relative, has no `.`, `..` or empty part, and only
//! characters of `[A-Za-z0-9._/-]`. No two paths are equal, differ only in letter case, or need the
//! same name as a file and as a directory. Every byte of the input belongs to a header, a file, its
//! zero padding, or the zero blocks at the end. Nothing panics (`fuzz/src/bundle.rs`).

use std::collections::BTreeMap;

use bytes::Bytes;
use tar::{Builder, Header, PaxExtensions};
use thiserror::Error;

/// The largest archive, in bytes.
pub const BYTES_MAX: usize = 16 << 20;
/// Maximum of files in an archive. Directories do not count.
pub const FILES_MAX: usize = 1_000;
/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 100;
const BLOCK: usize = 512;
/// Two zero blocks end an archive (POSIX, pax).
const END_BLOCKS: usize = 2;
/// Records of a pax header that do not change what the entry is. `tar --format=pax` and bsdtar
/// write them.
const PAX_KEYS: [&str; 8] = [
    "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment",
];
const PAX_PREFIXES: [&str; 7] = [
    "SCHILY.xattr.",
    "SCHILY.acl.",
    "SCHILY.fflags",
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
    "LIBARCHIVE.",
];
/// The first bytes of compressed files.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
];

/// A regular file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub bytes: Bytes,
}

/// Why an archive is refused. `block` counts from 0, in units of 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArchiveError {
    #[error(
        "the file has {bytes} bytes; a bundle has at most {BYTES_MAX}: leave large files out, or split the bundle by site or group"
    )]
    TooLarge { bytes: usize },
    #[error(
        "the archive has more than {FILES_MAX} files: leave files out, or split the bundle by site or group"
    )]
    TooManyFiles,
    #[error(
        "the file is compressed with {with}; a bundle is a tar file without compression: use `tar -cf`, or unpack the file first"
    )]
    Compressed { with: &'static str },
    #[error(
        "the archive ends too early, at {what}: copy the bundle again, and compare its SHA-256 with the original's"
    )]
    Truncated { what: String },
    #[error(
        "after the end of the archive, or after a file's end, is data that no file has (block {block}): make the bundle again"
    )]
    TrailingData { block: usize },
    #[error(
        "block {block} is no header of a tar file: {why}. Make the bundle again with `tar -cf`"
    )]
    BadHeader { block: usize, why: &'static str },
    #[error(
        "{path:?} is {kind}; a bundle has only regular files and directories: replace the entry by a regular file, with a path of at most {PATH_BYTES_MAX} bytes"
    )]
    NotAFile { path: String, kind: String },
    #[error(
        "the path {path:?} {why}; accepted are relative paths of at most {PATH_BYTES_MAX} bytes of A-Z a-z 0-9 . _ / -: rename the file"
    )]
    BadPath { path: String, why: &'static str },
    #[error("{path:?} is in the archive twice: keep one of the two")]
    Duplicate { path: String },
    #[error("{one:?} and {other:?} differ only in letter case: rename one of the two")]
    CaseClash { one: String, other: String },
    #[error("{path:?} is a file, and also a directory of other files: rename the file")]
    FileAndDirectory { path: String },
}

impl ArchiveError {
    /// Returns the stable code of the cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::TooManyFiles => "too-many-files",
            Self::Compressed { .. } => "compressed",
            Self::Truncated { .. } => "truncated",
            Self::TrailingData { .. } => "trailing-data",
            Self::BadHeader { .. } => "bad-header",
            Self::NotAFile { .. } => "not-a-file",
            Self::BadPath { .. } => "bad-path",
            Self::Duplicate { .. } => "duplicate-path",
            Self::CaseClash { .. } => "case-clash",
            Self::FileAndDirectory { .. } => "file-and-directory",
        }
    }
}

/// Reads all files of an archive.
pub fn read(archive: &Bytes) -> Result<Vec<Entry>, ArchiveError> {
    if archive.len() > BYTES_MAX {
        let bytes = archive.len();
        return Err(ArchiveError::TooLarge { bytes });
    }
    let is_start = |(start, _): &&(&[u8], &str)| archive.starts_with(start);
    if let Some((_, with)) = COMPRESSED.iter().find(is_start) {
        return Err(ArchiveError::Compressed { with });
    }
    let mut reader = Reader {
        archive,
        at: 0,
        names: Names::default(),
        entries: Vec::new(),
    };
    while reader.read_entry()? {}
    Ok(reader.entries)
}

struct Reader<'a> {
    archive: &'a Bytes,
    /// The start of the next block.
    at: usize,
    names: Names,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    /// Reads one entry. `false`: the archive is at its end.
    fn read_entry(&mut self) -> Result<bool, ArchiveError> {
        let block = self.at / BLOCK;
        let header = self.take(BLOCK, || format!("header of block {block}"))?;
        if header.iter().all(|byte| *byte == 0) {
            return self.check_end().map(|()| false);
        }
        let header = Header::from_byte_slice(&header);
        check_header(header, block)?;
        let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        let kind = header.entry_type().as_byte();
        let size = read_size(header, block)?;
        if let Some(kind) = refused_kind(kind) {
            return Err(ArchiveError::NotAFile { path, kind });
        }
        let bytes = self.take(size, || format!("{path:?}"))?;
        self.take_padding(size, &path)?;
        match kind {
            b'x' | b'g' => check_records(&bytes, &path, block)?,
            b'5' if size > 0 => {
                let why = "a directory has a size";
                return Err(ArchiveError::BadHeader { block, why });
            }
            b'5' => {
                let path = relative(&path).trim_end_matches('/');
                // `tar -cf x -C DIR .` writes the directory `./` first.
                if !path.is_empty() && path != "." {
                    self.names.add(path, false)?;
                }
            }
            _ => {
                let path = relative(&path);
                self.names.add(path, true)?;
                if self.entries.len() == FILES_MAX {
                    return Err(ArchiveError::TooManyFiles);
                }
                let path = path.to_owned();
                self.entries.push(Entry { path, bytes });
            }
        }
        Ok(true)
    }

    fn take(&mut self, size: usize, what: impl Fn() -> String) -> Result<Bytes, ArchiveError> {
        let end = self.at.checked_add(size);
        match end.filter(|end| *end <= self.archive.len()) {
            Some(end) => {
                let bytes = self.archive.slice(self.at..end);
                self.at = end;
                Ok(bytes)
            }
            None => Err(ArchiveError::Truncated { what: what() }),
        }
    }

    /// Skips the zeros between the end of a file and the next block.
    fn take_padding(&mut self, size: usize, path: &str) -> Result<(), ArchiveError> {
        let block = self.at / BLOCK;
        let padding = size.next_multiple_of(BLOCK) - size;
        let padding = self.take(padding, || format!("{path:?}"))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::TrailingData { block });
        }
        Ok(())
    }

    /// Checks everything after the first zero block.
    fn check_end(&self) -> Result<(), ArchiveError> {
        let rest = &self.archive[self.at..];
        if let Some(found) = rest.iter().position(|byte| *byte != 0) {
            let block = (self.at + found) / BLOCK;
            return Err(ArchiveError::TrailingData { block });
        }
        if rest.len() < (END_BLOCKS - 1) * BLOCK || !rest.len().is_multiple_of(BLOCK) {
            let what = "zero blocks at its end".to_owned();
            return Err(ArchiveError::Truncated { what });
        }
        Ok(())
    }
}

/// Checks the format and the checksum of a header.
fn check_header(header: &Header, block: usize) -> Result<(), ArchiveError> {
    let bad = |why| Err(ArchiveError::BadHeader { block, why });
    if header.as_ustar().is_none() && header.as_gnu().is_none() {
        return bad("it is neither ustar, pax nor GNU tar");
    }
    let bytes = header.as_bytes();
    let field = 148..156;
    let sum = |(at, byte): (usize, &u8)| {
        let byte = if field.contains(&at) { b' ' } else { *byte };
        u32::from(byte)
    };
    let sum: u32 = bytes.iter().enumerate().map(sum).sum();
    match header.cksum() {
        Ok(written) if written == sum => Ok(()),
        _ => bad("its checksum is wrong"),
    }
}

/// Reads the size of the entry's data. Only octal digits are accepted: a file of the binary form
/// has 8 GiB or more.
fn read_size(header: &Header, block: usize) -> Result<usize, ArchiveError> {
    let field = header.as_old().size;
    let is_octal = |byte: &u8| matches!(byte, b'0'..=b'7' | b' ' | 0);
    let size = header
        .entry_size()
        .ok()
        .and_then(|size| size.try_into().ok());
    match size {
        Some(size) if field.iter().all(is_octal) => Ok(size),
        _ => Err(ArchiveError::BadHeader {
            block,
            why: "its size is no octal number",
        }),
    }
}

/// Describes an entry that a bundle must not have. `None`: a file, a directory or a pax header.
fn refused_kind(kind: u8) -> Option<String> {
    let kind = match kind {
        b'0' | 0 | b'5' | b'x' | b'g' => return None,
        b'1' => "a hard link",
        b'2' => "a symbolic link",
        b'3' | b'4' => "a device",
        b'6' => "a named pipe",
        b'S' => "a sparse file",
        b'L' | b'K' => "an entry with a long name",
        other => return Some(format!("an entry of the type {:?}", char::from(other))),
    };
    Some(kind.to_owned())
}

/// Checks that the records of a pax header leave name, size and kind of the entry unchanged.
fn check_records(records: &[u8], path: &str, block: usize) -> Result<(), ArchiveError> {
    // The reader of the crate ends at an empty line.
    let has_empty_line = records.starts_with(b"\n") || records.windows(2).any(|two| two == b"\n\n");
    if has_empty_line {
        let why = "its pax records have an empty line";
        return Err(ArchiveError::BadHeader { block, why });
    }
    for record in PaxExtensions::new(records) {
        let key = record.ok().and_then(|record| record.key().ok());
        let Some(key) = key else {
            let why = "its pax records cannot be read";
            return Err(ArchiveError::BadHeader { block, why });
        };
        let is_accepted =
            PAX_KEYS.contains(&key) || PAX_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
        if !is_accepted {
            let key: String = key.chars().take(40).collect();
            let kind = match key.as_str() {
                "path" | "linkpath" => "an entry with a long name".to_owned(),
                sparse if sparse.starts_with("GNU.sparse.") => "a sparse file".to_owned(),
                _ => format!("an entry with the pax record {key:?}"),
            };
            let path = path.to_owned();
            return Err(ArchiveError::NotAFile { path, kind });
        }
    }
    Ok(())
}

/// Removes the `./` with which tar begins paths if it archives the directory `.`.
fn relative(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// The reason why a path is not accepted.
fn find_path_fault(path: &str) -> Option<&'static str> {
    let is_accepted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-');
    if path.is_empty() {
        Some("is empty")
    } else if path.len() > PATH_BYTES_MAX {
        Some("is too long")
    } else if path.starts_with('/') {
        Some("is absolute")
    } else if !path.chars().all(is_accepted) {
        Some("has another character")
    } else if path.split('/').any(|part| matches!(part, "." | "..")) {
        Some("has a part . or ..")
    } else if path.split('/').any(str::is_empty) {
        Some("has an empty part")
    } else {
        None
    }
}

/// The names of an archive, by their path in lower case, with `true` for a file.
#[derive(Default)]
struct Names(BTreeMap<String, (String, bool)>);

impl Names {
    /// Adds a file or directory and the directories that it is in.
    fn add(&mut self, path: &str, is_file: bool) -> Result<(), ArchiveError> {
        if let Some(why) = find_path_fault(path) {
            let path = path.chars().take(PATH_BYTES_MAX + 20).collect();
            return Err(ArchiveError::BadPath { path, why });
        }
        for (at, _) in path.match_indices('/') {
            self.add_name(&path[..at], false)?;
        }
        self.add_name(path, is_file)
    }

    fn add_name(&mut self, path: &str, is_file: bool) -> Result<(), ArchiveError> {
        let owned = path.to_owned();
        match self.0.get(&path.to_ascii_lowercase()) {
            None => {
                let key = path.to_ascii_lowercase();
                self.0.insert(key, (owned, is_file));
                Ok(())
            }
            Some((one, _)) if one != path => Err(ArchiveError::CaseClash {
                one: one.clone(),
                other: owned,
            }),
            Some((_, false)) if !is_file => Ok(()),
            Some((_, true)) if is_file => Err(ArchiveError::Duplicate { path: owned }),
            Some(_) => Err(ArchiveError::FileAndDirectory { path: owned }),
        }
    }
}

/// Writes a ustar archive: the same files give the same bytes (time and owner are 0).
pub fn write<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, ArchiveError> {
    let mut names = Names::default();
    let mut builder = Builder::new(Vec::new());
    for (count, (path, bytes)) in files.into_iter().enumerate() {
        names.add(path, true)?;
        if count == FILES_MAX {
            return Err(ArchiveError::TooManyFiles);
        }
        // Before the bytes are copied: a file may have any size.
        check_total(builder.get_ref().len().saturating_add(bytes.len()))?;
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.as_old_mut().linkflag = *b"0";
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        let written = builder.append(&header, bytes);
        written.expect("a Vec takes all bytes");
    }
    let archive = builder.into_inner().expect("a Vec takes all bytes");
    check_total(archive.len())?;
    Ok(archive)
}

fn check_total(bytes: usize) -> Result<(), ArchiveError> {
    if bytes > BYTES_MAX {
        return Err(ArchiveError::TooLarge { bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
