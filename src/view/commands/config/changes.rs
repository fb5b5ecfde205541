//! `config diff BUNDLE`: what a bundle would change on this gateway.
//!
//! **In**: a bundle, the bundle that runs (from `data_dir`), the effective configuration (from the
//! daemon if it runs, else from the files). **Out**: the files for this site that differ, each key
//! that differs with the time at which it takes effect, and every fault of the bundle here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};

use super::difference::{change, shorten};
use super::running::{self, Running};
use super::{Process, failed, read_bundle};
use crate::config::{self, Ground};
use crate::fleet::layout::Use;
use crate::fleet::reception::TRUST_FILE;
use crate::fleet::site_check::{self, Checked};
use crate::fleet::{self, Bundle, BundleError, SiteSet, Trust, disk, key_change, local};
use crate::reload::{RESTART_KEYS, TARGET_KEYS};
use crate::view::client::Client;
use crate::view::commands::{CommandError, EXIT_CONFIG, EXIT_DONE, json_line};
use crate::view::control::{EffectiveKey, EffectiveView};
use crate::view::table::plain;

/// The origin of a value that an environment variable of the daemon sets.
const OF_VARIABLE: &str = "variable ";

/// Prints what the bundle would change.
pub async fn diff(
    file: &Path,
    client: Option<&Client>,
    process: &Process<'_>,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let bundle = read_bundle(file)?;
    let ground = config::load_ground(process.config, process.environment)
        .map_err(|error| CommandError::Config(error.to_string()))?;
    let (site, group) = (&ground.site, ground.fleet.group.as_ref());
    if !bundle.manifest.is_for(site, group) {
        let (site, group) = (site.clone(), group.cloned());
        return Err(super::refused(BundleError::OtherSite { site, group }));
    }
    let running = running::find(client, process).await?;
    let directory = tempfile::tempdir().map_err(failed)?;
    let new = New::check(&bundle, &ground, &running, process, directory.path())?;
    let old = read_old(&ground)?;
    let mut lines = compare_files(old.as_ref(), &new.set, &running);
    if let Some(view) = &new.effective {
        lines.extend(new.compare_keys(&running.effective, view, &ground));
    }
    lines.extend(describe_keys(&bundle, &ground, process.config));
    let is_usable = new.checked.faults.is_empty();
    let code = if is_usable { EXIT_DONE } else { EXIT_CONFIG };
    let serial = bundle.manifest.serial;
    if json {
        let (from, faults) = (running.serial, &new.checked.faults);
        let found = json!({
            "site": site.as_str(), "from": from, "to": serial, "differences": lines, "faults": faults,
        });
        json_line(out, &found)?;
        return Ok(code);
    }
    writeln!(
        out,
        "from {} to {} (serial {serial}), at site {site}",
        running.name(),
        file.display(),
    )?;
    if lines.is_empty() && new.checked.faults.is_empty() {
        lines.push("no difference".to_owned());
    }
    let faults = (new.checked.faults.iter()).map(|fault| format!("fault: {fault}"));
    for line in lines.into_iter().chain(faults) {
        writeln!(out, "{}", plain(&line))?;
    }
    Ok(code)
}

/// The bundle as this gateway would use it.
struct New {
    set: SiteSet,
    checked: Checked,
    /// `None`: the configuration has faults.
    effective: Option<EffectiveView>,
    /// The directory of the unpacked files.
    unpacked: PathBuf,
}

impl New {
    fn check(
        bundle: &Bundle,
        ground: &Ground,
        running: &Running,
        process: &Process,
        directory: &Path,
    ) -> Result<Self, CommandError> {
        let set = SiteSet::of(bundle, &ground.site, ground.fleet.group.as_ref());
        let unpacked = directory.join("files");
        set.unpack(&unpacked).map_err(failed)?;
        let environment = with_variables(process.environment, &running.effective);
        let checked = site_check::check(&set, &unpacked, process.config, &environment);
        let checked = checked.map_err(failed)?;
        let effective = checked.loaded.as_ref();
        let effective =
            effective.map(|loaded| EffectiveView::of(&loaded.config, |key| loaded.origin(key)));
        Ok(Self {
            set,
            checked,
            effective,
            unpacked,
        })
    }

    /// Lists the keys that differ, and when each takes effect.
    fn compare_keys(
        &self,
        old: &EffectiveView,
        new: &EffectiveView,
        ground: &Ground,
    ) -> Vec<String> {
        let sets = ground.data_dir.join(disk::FOLDER).join(disk::SETS);
        let line = |(key, after): (&String, &EffectiveKey)| {
            let before = old.keys.get(key).map_or(&Value::Null, |key| &key.value);
            if *before == after.value {
                return None;
            }
            let file_before = find_file(before, &sets);
            let file_after = find_file(&after.value, &self.unpacked);
            let (before, after_text) = match (file_before, file_after) {
                // The files are compared above: the same file of two bundles.
                (Some((_, before)), Some((_, after))) if before == after => return None,
                (before_file, after_file) => {
                    let of_old = before_file.map(|(set, file)| {
                        let serial = set.split('-').next().unwrap_or_default();
                        format!("{file} of bundle {serial}")
                    });
                    let serial = self.set.serial;
                    let of_new = after_file.map(|(_, file)| format!("{file} of bundle {serial}"));
                    (
                        of_old.unwrap_or_else(|| describe(key, before)),
                        of_new.unwrap_or_else(|| describe(key, &after.value)),
                    )
                }
            };
            let when = when(key).map_or(String::new(), |when| format!("; takes effect {when}"));
            let origin = &after.origin;
            Some(format!("{key}: {before} ▸ {after_text} ({origin}){when}"))
        };
        new.keys.iter().filter_map(line).collect()
    }
}

/// When a change of the key takes effect. `None`: at once.
fn when(key: &str) -> Option<&'static str> {
    if TARGET_KEYS.contains(&key) {
        Some("when no document is being sent to Odoo")
    } else if RESTART_KEYS.contains(&key) {
        Some("at the next start")
    } else {
        None
    }
}

fn describe(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        value => shorten(key, &value.to_string()),
    }
}

/// Splits the path of a file in the directory of a bundle: the directory's name below `root`, and
/// the file. For the new bundle, `root` is the directory itself.
fn find_file<'a>(value: &'a Value, root: &Path) -> Option<(&'a str, &'a str)> {
    let below = Path::new(value.as_str()?)
        .strip_prefix(root)
        .ok()?
        .to_str()?;
    Some(below.split_once('/').unwrap_or(("", below)))
}

/// Adds the variables of the daemon, which override a bundle's keys: the shell does not have them.
fn with_variables(
    environment: &[(String, String)],
    running: &EffectiveView,
) -> Vec<(String, String)> {
    let mut all = environment.to_vec();
    for key in running.keys.values() {
        let Some(name) = key.origin.strip_prefix(OF_VARIABLE) else {
            continue;
        };
        if all.iter().any(|(known, _)| known == name) {
            continue;
        }
        let text = match &key.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        all.push((name.to_owned(), text));
    }
    all
}

/// Reads the files of the bundle that runs. `None`: the local files run alone.
fn read_old(ground: &Ground) -> Result<Option<SiteSet>, CommandError> {
    let (_, folder) = disk::find_running(&ground.data_dir).map_err(failed)?;
    let open = |folder: PathBuf| local::open(&folder, &ground.site, ground.fleet.group.as_ref());
    folder.map(open).transpose().map_err(failed)
}

/// Lists the files for this site that differ. The keys of `config.d` are compared as they take
/// effect, so here each file has one line.
fn compare_files(old: Option<&SiteSet>, new: &SiteSet, running: &Running) -> Vec<String> {
    let none = BTreeMap::new();
    let old_files = old.map_or(&none, |old| &old.files);
    let paths: BTreeSet<&String> = old_files.keys().chain(new.files.keys()).collect();
    let mut lines = Vec::new();
    for path in paths {
        match (old_files.get(path), new.files.get(path)) {
            (Some(before), Some(after)) if before.bytes == after.bytes => {}
            (Some(before), Some(after)) if after.used == Use::Config => {
                let (before, after) = (before.bytes.len(), after.bytes.len());
                lines.push(format!("{path}: changed, {before} ▸ {after} bytes"));
            }
            (Some(before), Some(after)) => lines.extend(change(path, &before.bytes, &after.bytes)),
            (None, Some(after)) => match find_local(after.used, running) {
                Some((local, bytes)) => {
                    lines.push(format!("{path}: replaces {}", local.display()));
                    lines.extend(change(path, &bytes, &after.bytes));
                }
                None => lines.push(format!("{path}: new, {} bytes", after.bytes.len())),
            },
            (Some(_), None) => lines.push(format!("{path}: removed")),
            (None, None) => {}
        }
    }
    lines
}

/// Describes how the bundle changes the trusted keys of this gateway. `None`: it does not.
fn describe_keys(bundle: &Bundle, ground: &Ground, main: &Path) -> Option<String> {
    let new = key_change::of(bundle)?;
    let folder = ground.data_dir.join(disk::FOLDER).join(disk::TRUST);
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let links: Vec<Bytes> = files
        .filter_map(|file| std::fs::read(file.path()).ok())
        .map(Bytes::from)
        .collect();
    let installed = Trust::read(&main.with_file_name(TRUST_FILE)).ok();
    let old = installed.map(|installed| fleet::follow(installed, &links).0);
    if old.as_ref().is_some_and(|old| old.version >= new.version) {
        return None;
    }
    Some(key_change::describe(&new, old.as_ref()))
}

/// Reads the local list that a bundle's list replaces. `None`: there is none that can be read.
fn find_local(used: Use, running: &Running) -> Option<(PathBuf, Bytes)> {
    let keys: &[&str] = match used {
        Use::Devices => &["mqtt.listen.devices", "mqtt.broker.devices"],
        Use::Scanners => &["scanners"],
        _ => return None,
    };
    let named = |key: &&str| running.effective.keys.get(*key)?.value.as_str();
    let path = PathBuf::from(keys.iter().find_map(named)?);
    let bytes = std::fs::read(&path).ok()?;
    Some((path, bytes.into()))
}
