//! Changes the text of `devices.toml`, and writes it.
//!
//! **In**: the list as a person wrote it, and one change. **Out**: the list with the change;
//! comments, order and all other entries stay. The new list is parsed before it is written, so that
//! a change never makes the list invalid. Writing is atomic and keeps mode and owner: the daemon
//! reads the old list or the new one.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid, fchown};
use thiserror::Error;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::{Device, DevicesError, find_line_in, parse, read_text};
use crate::event::Name;

/// Mode of a list that did not exist.
const MODE: u32 = 0o600;
/// The first line of a list that did not exist.
const HEADER: &str =
    "# The devices of this gateway: `stockrelay devices --help` tells how to change the list.\n";

/// Why the list was not changed.
#[derive(Debug, Error)]
pub enum EditError {
    #[error(transparent)]
    Devices(#[from] DevicesError),
    #[error("device {name} is already in {}, at line {line}: give it a new password with `stockrelay devices add {name} --replace-password`, or choose another name", file.display())]
    Exists {
        name: Name,
        file: PathBuf,
        line: usize,
    },
    #[error("device {name} is not in {}: see `stockrelay devices list`, or add it with `stockrelay devices add {name}`", file.display())]
    Missing { name: Name, file: PathBuf },
    #[error("{}: the entries are in one line, which the command does not change; write each as [devices.NAME]", .0.display())]
    Form(PathBuf),
    #[error("cannot write {}: {source}; run the command as root", file.display())]
    Write { file: PathBuf, source: io::Error },
}

/// A change of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'a> {
    Add {
        /// The hash of the password. `None`: the device logs in elsewhere, or with a certificate.
        hash: Option<&'a str>,
        profile: Option<&'a str>,
        flow: Option<&'a str>,
    },
    /// Sets the hash of the password, and enables the device.
    Password(&'a str),
    Disable,
}

/// Changes the list on disk. A list that does not exist is made for [`Edit::Add`].
pub fn edit(file: &Path, name: &Name, edit: &Edit<'_>) -> Result<(), EditError> {
    let failed = |source| EditError::Write {
        file: file.to_owned(),
        source,
    };
    // Through a link, so that the link stays.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    // One change at a time: the list is renamed, so its own lock would be that of the old file.
    let lock = File::open(&folder).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let is_new = !target.try_exists().map_err(failed)?;
    let text = match edit {
        Edit::Add { .. } if is_new => HEADER.to_owned(),
        _ => read_text(&target)?,
    };
    let changed = change(&text, &target, name, edit)?;
    // Profiles are looked up from the directory of the list that the configuration names.
    parse(&changed, file)?;
    write(&target, &folder, &changed).map_err(failed)
}

/// Applies the change to the text of the list at `file`.
fn change(text: &str, file: &Path, name: &Name, edit: &Edit<'_>) -> Result<String, EditError> {
    // The own parser tells faults without quoting hashes.
    let devices = parse(text, file)?;
    let is_listed = devices.contains_key(name);
    let form = || EditError::Form(file.to_owned());
    let mut document: DocumentMut = text.parse().map_err(|_| form())?;
    match edit {
        Edit::Add { .. } if is_listed => {
            return Err(EditError::Exists {
                name: name.clone(),
                file: file.to_owned(),
                line: find_line_in(text, name.as_str()).unwrap_or(1),
            });
        }
        Edit::Password(_) | Edit::Disable if !is_listed => {
            return Err(EditError::Missing {
                name: name.clone(),
                file: file.to_owned(),
            });
        }
        _ => {}
    }
    apply(&mut document, name, edit).ok_or_else(form)?;
    Ok(document.to_string())
}

/// Applies the change to the parsed list. `None`: the list has a form that is not changed.
fn apply(document: &mut DocumentMut, name: &Name, edit: &Edit<'_>) -> Option<()> {
    let sections = document.entry("devices").or_insert_with(|| {
        let mut sections = Table::new();
        sections.set_implicit(true);
        Item::Table(sections)
    });
    match edit {
        Edit::Add {
            hash,
            profile,
            flow,
        } => {
            let sections = sections.as_table_mut()?;
            let mut entry = Table::new();
            for (key, text) in [("password", hash), ("profile", profile), ("flow", flow)] {
                if let Some(text) = text {
                    entry.insert(key, value(*text));
                }
            }
            entry.decor_mut().set_prefix("\n");
            sections.insert(name.as_str(), Item::Table(entry));
        }
        Edit::Password(hash) => {
            let entry = find_entry(sections, name)?;
            set(entry, "password", value(*hash));
            entry.remove("enabled");
        }
        Edit::Disable => set(find_entry(sections, name)?, "enabled", value(false)),
    }
    Some(())
}

fn find_entry<'a>(sections: &'a mut Item, name: &Name) -> Option<&'a mut dyn TableLike> {
    let entry = sections.as_table_like_mut()?.get_mut(name.as_str())?;
    entry.as_table_like_mut()
}

/// Sets the value of a key, and keeps the comment behind it.
fn set(entry: &mut dyn TableLike, key: &str, new: Item) {
    let decor = entry
        .get(key)
        .and_then(Item::as_value)
        .map(|old| old.decor().clone());
    entry.insert(key, new);
    let new = entry.get_mut(key).and_then(Item::as_value_mut);
    if let (Some(new), Some(decor)) = (new, decor) {
        *new.decor_mut() = decor;
    }
}

/// Writes a new file beside the old one with its mode and owner, and renames it.
fn write(file: &Path, folder: &Path, text: &str) -> io::Result<()> {
    let mut new = tempfile::Builder::new()
        .prefix(".devices-")
        .tempfile_in(folder)?;
    let (mode, owner) = match std::fs::metadata(file) {
        Ok(old) => (old.mode() & 0o7777, Some((old.uid(), old.gid()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (MODE, None),
        Err(error) => return Err(error),
    };
    new.write_all(text.as_bytes())?;
    let own = new.as_file().metadata()?;
    // A new list belongs to the user of the daemon, whose directory this may not be: the command
    // sets it afterwards.
    if let Some((uid, gid)) = owner.filter(|owner| *owner != (own.uid(), own.gid())) {
        fchown(
            new.as_file(),
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
        )?;
    }
    // After the owner, whose change may clear bits of the mode.
    new.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Gives a list that was made by root to another user, who has to read it.
pub fn give(file: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let opened = File::open(file)?;
    fchown(&opened, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    Ok(())
}

/// The line of `devices list` for a device.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    pub name: Name,
    pub enabled: bool,
    /// Whether the device has a password; without one it logs in with a certificate.
    pub password: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
}

impl Listed {
    #[must_use]
    pub fn of(name: &Name, device: &Device) -> Self {
        let profile = device.profile.as_ref();
        Self {
            name: name.clone(),
            enabled: device.enabled,
            password: device.hash.is_some(),
            profile: profile.map(|profile| profile.about.name.clone()),
            flow: profile.and_then(|profile| profile.flow.start.clone()),
            family: device.family.as_ref().map(Name::to_string),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{hash_password, read, verify};
    use super::*;

    const LIST: &str = "# Hall 3, since 2024\n[devices.pda-01] # anna's\npassword = \"HASH\" # old one\n# she reads German\nlanguage = \"de\"\n\n[devices.\"a.b\"]\nenabled = false\n";

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn list() -> (tempfile::TempDir, PathBuf, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("devices.toml");
        let text = LIST.replace("HASH", &hash_password("old"));
        std::fs::write(&file, &text).unwrap();
        (dir, file, text)
    }

    const ADD: Edit<'_> = Edit::Add {
        hash: None,
        profile: None,
        flow: Some("pick"),
    };

    #[test]
    fn a_new_device_is_appended_and_every_byte_before_it_stays() {
        let (_dir, file, before) = list();
        let hash = hash_password("new");
        let add = Edit::Add {
            hash: Some(&hash),
            profile: None,
            flow: Some("transfer"),
        };
        edit(&file, &name("pda-02"), &add).unwrap();
        let after = std::fs::read_to_string(&file).unwrap();
        let added = after.strip_prefix(&before).unwrap();
        assert_eq!(
            added,
            format!("\n[devices.pda-02]\npassword = \"{hash}\"\nflow = \"transfer\"\n")
        );
        // A dot is a part of the name, not of a path.
        edit(&file, &name("c.d"), &ADD).unwrap();
        let devices = read(&file).unwrap();
        assert_eq!(devices.len(), 4);
        assert!(devices.contains_key(&name("c.d")));
        let again = edit(&file, &name("pda-02"), &ADD).unwrap_err().to_string();
        assert!(again.contains("--replace-password"), "{again}");
        assert!(again.contains("line 10"), "{again}");
    }

    #[test]
    fn a_new_password_keeps_comments_and_enables_the_device() {
        let (_dir, file, before) = list();
        let hash = hash_password("new");
        edit(&file, &name("pda-01"), &Edit::Disable).unwrap();
        assert!(!read(&file).unwrap()[&name("pda-01")].enabled);
        edit(&file, &name("pda-01"), &Edit::Password(&hash)).unwrap();
        let device = &read(&file).unwrap()[&name("pda-01")];
        assert!(device.enabled);
        assert!(verify(device.hash.as_deref().unwrap(), b"new"));
        let after = std::fs::read_to_string(&file).unwrap();
        let old = before.split('"').nth(1).unwrap();
        assert_eq!(after, before.replace(old, &hash));
        let missing = edit(&file, &name("pda-09"), &Edit::Disable).unwrap_err();
        assert!(missing.to_string().contains("devices list"), "{missing}");
    }

    #[test]
    fn a_change_that_would_make_the_list_invalid_changes_nothing() {
        let (_dir, file, before) = list();
        let wrong = Edit::Add {
            hash: None,
            profile: None,
            flow: Some("dance"),
        };
        let error = edit(&file, &name("pda-02"), &wrong).unwrap_err();
        assert!(error.to_string().contains("pda-02.flow"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        // A list that is invalid already is not made worse.
        std::fs::write(&file, "[devices.a]\npasword = \"x\"\n").unwrap();
        let error = edit(&file, &name("pda-02"), &ADD).unwrap_err();
        assert!(error.to_string().contains("pasword"), "{error}");
    }

    #[test]
    fn mode_and_link_stay_and_a_missing_list_is_made() {
        let (dir, file, _) = list();
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link.toml");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        edit(&link, &name("pda-02"), &ADD).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(read(&file).unwrap().len(), 3);

        let new = dir.path().join("new.toml");
        edit(&new, &name("pda-02"), &ADD).unwrap();
        assert_eq!(std::fs::metadata(&new).unwrap().mode() & 0o777, MODE);
        let text = std::fs::read_to_string(&new).unwrap();
        assert!(text.starts_with(HEADER), "{text}");
        let missing = dir.path().join("none.toml");
        assert!(edit(&missing, &name("a"), &Edit::Disable).is_err());
        assert!(!missing.exists());
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 3, "no temporary file stays");
    }

    #[test]
    fn changes_at_the_same_time_are_all_there() {
        let (_dir, file, _) = list();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || edit(file, &name(&format!("at-once-{number}")), &ADD).unwrap());
            }
        });
        assert_eq!(read(&file).unwrap().len(), 10);
    }
}
