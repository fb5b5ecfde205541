//! Checks a bundle for all its sites, on a machine that has no gateway's files: before it is
//! signed, and when it is verified.
//!
//! **In**: the bundle. **Out**: every fault that no gateway's own files can mend, each once with
//! its file and line; warnings about faults that only some sites have, because a bundle does not
//! show which group a site has. Then `config check --as SITE` decides.
//!
//! The check takes the sites and groups that the bundle names, and one site that it does not name:
//! keys and values of `config.d`, profiles, lists, floor devices. A key that only the gateway's own
//! files have, such as `odoo.url`, is no fault. Nothing but a temporary directory is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::bundle::Bundle;
use super::floor::whole::{self, Place};
use super::layout::{DEVICES, SCANNERS, Use};
use super::site_check;
use super::site_set::SiteSet;
use crate::config::{self, ConfigError, Fault, MISSING, overlay};
use crate::decode::profiles;
use crate::source::devices;
use crate::source::scanners::list::{self as scanners, ScannersError};

/// Maximum of warnings.
const WARNINGS_MAX: usize = 20;
/// The configuration of a gateway that has every section.
const ANY_GATEWAY: &str = "\
[mqtt.listen]
devices = \"devices.toml\"
[mqtt.broker]
url = \"mqtts://set-on-the-gateway.invalid\"
username = \"set-on-the-gateway\"
[odoo]
url = \"https://set-on-the-gateway.invalid\"
database = \"set-on-the-gateway\"
";
/// What is found if a key lacks a partner that the gateway's own files may have.
const LACKS_PARTNER: [&str; 2] = ["it without ", "client certificates without TLS"];

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EverySite {
    /// The faults of floor devices.
    pub floor: Vec<Fault>,
    /// All other faults.
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
}

impl EverySite {
    /// All faults, as texts.
    #[must_use]
    pub fn all_faults(&self) -> Vec<String> {
        let floor = self.floor.iter().map(ToString::to_string);
        self.faults.iter().cloned().chain(floor).collect()
    }
}

/// Checks the bundle.
pub fn check(bundle: &Bundle) -> io::Result<EverySite> {
    let floor = whole::check(bundle);
    let mut checks = Checks::new()?;
    let places = whole::list_places(bundle);
    let mut open: BTreeSet<_> = places.iter().filter_map(|place| place.1.clone()).collect();
    // A site whose group is unknown is checked in its other groups only if it has a fault.
    let mut done = BTreeSet::new();
    for place in &places {
        let is_named = place.0.as_str() != whole::ANY_SITE;
        if is_named && done.contains(&place.0) {
            continue;
        }
        let has_fault = checks.check(bundle, place)?;
        if is_named && !has_fault {
            done.insert(place.0.clone());
        }
        if let Some(group) = &place.1 {
            open.remove(group);
        }
    }
    for place in &places {
        if place.1.as_ref().is_some_and(|group| open.remove(group)) {
            checks.check(bundle, place)?;
        }
    }
    let mut result = EverySite {
        floor: floor.faults,
        faults: Vec::new(),
        warnings: floor.warnings,
    };
    checks.conclude(&mut result);
    result.warnings.truncate(WARNINGS_MAX);
    Ok(result)
}

/// A fault, or a profile that only the gateway can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Issue {
    text: String,
    is_warning: bool,
}

/// A site that was checked.
struct CheckedSite {
    place: Place,
    /// The paths of its files in the archive.
    files: Vec<String>,
    issues: BTreeSet<Issue>,
}

struct Checks {
    directory: TempDir,
    done: Vec<CheckedSite>,
    /// By the files: sites with the same files have the same faults.
    known: BTreeMap<Vec<String>, BTreeSet<Issue>>,
}

impl Checks {
    fn new() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let local = directory.path().join("gateway");
        fs::create_dir(&local)?;
        fs::write(local.join("config.toml"), ANY_GATEWAY)?;
        Ok(Self {
            directory,
            done: Vec::new(),
            known: BTreeMap::new(),
        })
    }

    /// Checks a bundle at a site, and returns whether it has a fault there.
    fn check(&mut self, bundle: &Bundle, place: &Place) -> io::Result<bool> {
        let mut set = SiteSet::of(bundle, &place.0, place.1.as_ref());
        // `whole` checks floor devices. Only the gateway can open a secret.
        set.secrets.clear();
        set.files
            .retain(|_, file| !matches!(file.used, Use::FloorTemplate | Use::FloorValues));
        let files: Vec<String> = set.files.values().map(|file| file.origin.clone()).collect();
        let issues = match self.known.get(&files) {
            Some(issues) => issues.clone(),
            None => self.check_set(&set)?,
        };
        self.known.insert(files.clone(), issues.clone());
        let has_fault = issues.iter().any(|issue| !issue.is_warning);
        self.done.push(CheckedSite {
            place: place.clone(),
            files,
            issues,
        });
        Ok(has_fault)
    }

    fn check_set(&self, set: &SiteSet) -> io::Result<BTreeSet<Issue>> {
        let local = self.directory.path().join("gateway");
        let directory = self.directory.path().join(self.known.len().to_string());
        set.write(&directory)?;
        symlink(&local, directory.join(overlay::LOCAL))?;
        let mut issues = check_config(set, &directory, &local.join("config.toml"));
        let profiles = site_check::check_profiles(set).into_iter();
        issues.extend(profiles.map(fault));
        issues.extend(check_profile_names(set).into_iter().map(fault));
        let own = |name: &str| set.files.contains_key(name).then(|| directory.join(name));
        let lists = own(DEVICES).map_or_else(Vec::new, |file| devices::find_faults(&file));
        let more = own(SCANNERS).map_or_else(Vec::new, |file| find_scanner_faults(&file));
        for text in lists.into_iter().chain(more) {
            let text = site_check::name_files(&text, set, &directory);
            let is_warning = text.contains(profiles::NOT_FOUND);
            issues.push(Issue { text, is_warning });
        }
        fs::remove_dir_all(&directory)?;
        Ok(issues.into_iter().collect())
    }

    /// A fault that every site has that uses its file is a fault of the bundle.
    fn conclude(self, result: &mut EverySite) {
        let all: BTreeSet<&Issue> = self.done.iter().flat_map(|done| &done.issues).collect();
        for issue in all {
            let file = file_of(&issue.text);
            let users = (self.done.iter())
                .filter(|done| file.is_none_or(|file| done.files.iter().any(|own| own == file)));
            let (with, without): (Vec<_>, Vec<_>) =
                users.partition(|done| done.issues.contains(issue));
            if without.is_empty() && !issue.is_warning {
                result.faults.push(issue.text.clone());
                continue;
            }
            let places: Vec<&Place> = with.iter().map(|done| &done.place).collect();
            let at = whole::describe(&places);
            result.warnings.push(format!("at {at}: {}", issue.text));
        }
    }
}

fn fault(text: String) -> Issue {
    Issue {
        text,
        is_warning: false,
    }
}

/// The file with which a fault begins.
fn file_of(text: &str) -> Option<&str> {
    let (file, _) = text.split_once(':')?;
    file.starts_with("files/").then_some(file)
}

/// Checks the keys and values. Faults that the gateway's own files can mend are left out.
fn check_config(set: &SiteSet, directory: &Path, main: &Path) -> Vec<Issue> {
    let environment = [("STOCKRELAY_SITE".to_owned(), set.site.to_string())];
    let overlay = set.overlay(directory);
    match config::load_with(main, &environment, Some(&overlay)) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Faults(faults)) => {
            let start = format!("bundle {}, ", set.serial);
            let faults = faults.iter().filter(|fault| !is_of_gateway(fault));
            let name = |fault: &Fault| {
                let text = fault.to_string();
                let named = text
                    .strip_prefix(&start)
                    .map(|rest| format!("files/{rest}"));
                named.unwrap_or(text)
            };
            faults.map(name).map(fault).collect()
        }
        Err(missing) => vec![fault(missing.to_string())],
    }
}

fn is_of_gateway(fault: &Fault) -> bool {
    let mut starts = LACKS_PARTNER.iter();
    fault.found == MISSING || starts.any(|start| fault.found.starts_with(start))
}

/// A profile replaces the profile of its file's name, so its own name must be the same.
fn check_profile_names(set: &SiteSet) -> Vec<String> {
    let profiles = set
        .files
        .iter()
        .filter(|(_, file)| file.used == Use::Profile);
    let faults = profiles.filter_map(|(path, file)| {
        let stem = PathBuf::from(path);
        let stem = stem.file_stem()?.to_str()?;
        let text = str::from_utf8(&file.bytes).ok()?;
        let table: toml::Table = text.parse().ok()?;
        let name = table.get("profile")?.get("name")?.as_str()?;
        let line = site_check::find_line(text, "profile.name");
        (name != stem).then(|| {
            format!(
                "{}:{line}: profile.name: found {name:?}; accepted is {stem:?}, the name of the file",
                file.origin
            )
        })
    });
    faults.collect()
}

fn find_scanner_faults(file: &Path) -> Vec<String> {
    match scanners::read(file) {
        Ok(_) => Vec::new(),
        Err(ScannersError::Invalid { faults, .. }) => {
            let text = fs::read_to_string(file).unwrap_or_default();
            let name = |key: &str| match key {
                "" => file.display().to_string(),
                key => format!("{}:{}", file.display(), site_check::find_line(&text, key)),
            };
            let faults = faults.iter();
            faults
                .map(|fault| format!("{}: {fault}", name(&fault.key)))
                .collect()
        }
        Err(other) => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests;
