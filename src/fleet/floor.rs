//! Floor devices: the template of a family and values become the configuration of each device.
//!
//! **In**: the templates and values of a bundle for one site, the site, its group, and its devices
//! with their families. **Out**: for each device `{"version": "...", "config": {...}}`, or every
//! fault at once with its file, its line or JSON pointer, and the remedy. Pure.
//!
//! - `template`: the form of a template, and how values are filled in;
//! - `values`: `values.toml`, in which the narrower section wins;
//! - `problem`: faults that many devices have are one fault;
//! - `whole`: checks a whole bundle before it is signed, for all its sites and groups.

mod problem;
mod template;
mod values;
pub mod whole;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::content;
use super::layout::{FLOOR, FLOOR_VALUES, Use};
use super::site_set::SiteSet;
use crate::channel::desired::{DESIRED_BYTES_MAX, DESIRED_TOTAL_BYTES_MAX, DesiredConfig};
use crate::config::Fault;
use crate::event::Name;
use problem::{Problems, Spot};
use template::{Misfit, Template};
use values::{OWN, Values};

/// Bytes of the hash that are a version.
const VERSION_BYTES: usize = 8;

/// The floor files of a bundle for one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FloorFiles {
    /// By the family.
    pub templates: BTreeMap<String, FloorFile>,
    /// `None`: the bundle has no `values.toml`.
    pub values: Option<FloorFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloorFile {
    /// The path that faults name.
    pub origin: String,
    pub text: String,
}

/// The devices of a site that have a family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FloorList {
    /// The path of the list that faults name.
    pub origin: String,
    pub devices: Vec<FloorDevice>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloorDevice {
    pub name: Name,
    pub family: Name,
    /// The line of the device in the list. `None`: it is unknown.
    pub line: Option<usize>,
}

/// The configurations of one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// Without the devices that have a fault.
    pub configs: BTreeMap<Name, DesiredConfig>,
    pub faults: Vec<Fault>,
    pub warnings: Vec<String>,
}

impl FloorFiles {
    /// Chooses the floor files of a site. The content check has refused files that are no text.
    #[must_use]
    pub fn of(set: &SiteSet) -> Self {
        let mut files = Self::default();
        for (path, file) in &set.files {
            let text = String::from_utf8_lossy(&file.bytes).into_owned();
            let origin = file.origin.clone();
            let family = path
                .strip_prefix(FLOOR)
                .and_then(|name| name.strip_suffix(".json"));
            match (file.used, family) {
                (Use::FloorTemplate, Some(family)) => {
                    let file = FloorFile { origin, text };
                    files.templates.insert(family.to_owned(), file);
                }
                (Use::FloorValues, _) => files.values = Some(FloorFile { origin, text }),
                _ => {}
            }
        }
        files
    }
}

/// Fills in the templates for the devices of a site.
#[must_use]
pub fn fill(files: &FloorFiles, site: &Name, group: Option<&Name>, list: &FloorList) -> Filled {
    let mut filled = Filled::default();
    let Some(floor) = Floor::parse(files, (site, group), &mut filled.faults) else {
        return filled;
    };
    filled.faults.extend(floor.find_unknown_names());
    filled.warnings = floor.find_unused_values();
    if floor.templates.is_empty() && !list.devices.is_empty() {
        filled.warnings.push(format!(
            "{}: devices have a family and the bundle has no template, so that they get no configuration; add files/{FLOOR}FAMILY.json",
            list.origin
        ));
        return filled;
    }
    let mut problems = Problems::default();
    for device in &list.devices {
        let mut own = Problems::default();
        if let Some(config) = floor.fill_device(device, list, &mut own) {
            filled.configs.insert(device.name.clone(), config);
        }
        problems.append(own);
    }
    filled.faults.extend(problems.into_faults());
    filled.faults.extend(find_excess(&filled.configs, list));
    filled
}

/// The parsed files and the place for which they are filled in.
struct Floor<'a> {
    place: (&'a Name, Option<&'a Name>),
    /// By the family, each with its file.
    templates: BTreeMap<&'a str, (&'a FloorFile, Template)>,
    values: Values,
    /// The path of `values.toml`, also if there is none.
    values_origin: &'a str,
}

impl<'a> Floor<'a> {
    /// `None`: a file has a fault of its own; without it, more faults would mislead.
    fn parse(
        files: &'a FloorFiles,
        place: (&'a Name, Option<&'a Name>),
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut templates = BTreeMap::new();
        for (family, file) in &files.templates {
            match Template::parse(&file.text, &file.origin) {
                Ok(template) => {
                    templates.insert(family.as_str(), (file, template));
                }
                Err(found) => faults.extend(found),
            }
        }
        let values = match &files.values {
            Some(file) => Values::parse(&file.text, &file.origin),
            None => Ok(Values::default()),
        };
        let values = values.map_err(|found| faults.extend(found)).ok()?;
        let values_origin = files.values.as_ref().map(|file| file.origin.as_str());
        (templates.len() == files.templates.len()).then_some(Self {
            place,
            templates,
            values,
            values_origin: values_origin.unwrap_or(FLOOR_VALUES),
        })
    }

    /// Finds placeholders whose name has a value in no section, whatever the device.
    fn find_unknown_names(&self) -> Vec<Fault> {
        let known: BTreeSet<&str> = self.values.names().chain(OWN).collect();
        let mut faults = Vec::new();
        for (file, template) in self.templates.values() {
            let unknown = template.placeholders.iter();
            for (name, pointer) in unknown.filter(|(name, _)| !known.contains(name.as_str())) {
                let found = format!("{{{{{name}}}}}, a name without a value");
                let accepted = format!(
                    "a name of {}: add `{name} = ...` to a section there, or correct the name",
                    self.values_origin
                );
                let spot = Spot::new(file.origin.clone(), pointer.clone());
                faults.push(spot.fault(found, accepted));
            }
        }
        faults
    }

    /// Describes the values that no template uses.
    fn find_unused_values(&self) -> Vec<String> {
        let templates = self.templates.values();
        let used: BTreeSet<&str> = templates
            .flat_map(|(_, template)| &template.placeholders)
            .map(|(name, _)| name.as_str())
            .collect();
        let mut unused = Vec::new();
        for (section, values) in &self.values.sections {
            for (name, given) in values {
                if !used.contains(name.as_str()) {
                    unused.push((format!("{section}.{name}"), given.line));
                }
            }
        }
        let origin = self.values_origin;
        match unused.as_slice() {
            [] => Vec::new(),
            [(name, line)] => vec![format!(
                "{origin}:{line}: {name}: no template uses this value; remove it, or correct its name"
            )],
            many => {
                let names = many
                    .iter()
                    .map(|(name, line)| format!("{name} (line {line})"));
                let names = names.collect::<Vec<_>>().join(", ");
                vec![format!(
                    "{origin}: no template uses {} of the values: {names}; remove them, or correct their names",
                    many.len()
                )]
            }
        }
    }

    /// Builds the configuration of a device. `None`: it has problems.
    fn fill_device(
        &self,
        device: &FloorDevice,
        list: &FloorList,
        problems: &mut Problems,
    ) -> Option<DesiredConfig> {
        let name = &device.name;
        let Some((file, template)) = self.templates.get(device.family.as_str()) else {
            let families: Vec<&str> = self.templates.keys().copied().collect();
            let accepted = format!(
                "a family with a template: {}; or add files/{FLOOR}{}.json",
                families.join(", "),
                device.family
            );
            let found = format!("{:?}, a family without a template", device.family.as_str());
            problems.add(list.spot(device), &found, &accepted, name);
            return None;
        };
        self.find_missing(file, template, name, problems);
        let own = self.own_values(name);
        let filled = template.fill(&|key| self.find(key, name, &own));
        match filled {
            Err(misfits) => {
                for misfit in misfits {
                    self.add_misfit(misfit, file, (name, &own), problems);
                }
            }
            Ok(config) => {
                refuse_secrets(&config, "", file, name, problems);
                let desired = build(&config);
                let bytes = desired.payload.len();
                if bytes > DESIRED_BYTES_MAX {
                    let spot = Spot::new(file.origin.clone(), "");
                    let found = format!("a configuration of {bytes} bytes");
                    let accepted =
                        format!("at most {DESIRED_BYTES_MAX} bytes for one device: shorten it");
                    problems.add(spot, &found, &accepted, name);
                }
                return problems.has_none().then_some(desired);
            }
        }
        None
    }

    fn own_values(&self, device: &Name) -> [Value; 2] {
        let (site, _) = self.place;
        [site, device].map(|name| Value::from(name.as_str()))
    }

    fn find<'v>(&'v self, key: &str, device: &Name, own: &'v [Value; 2]) -> Option<&'v Value> {
        if let Some(at) = OWN.iter().position(|name| *name == key) {
            return own.get(at);
        }
        let given = self.values.find(key, self.place, device)?;
        Some(&given.value)
    }

    /// Finds placeholders that have a value, but none for this device.
    fn find_missing(
        &self,
        file: &FloorFile,
        template: &Template,
        device: &Name,
        problems: &mut Problems,
    ) {
        let known: BTreeSet<&str> = self.values.names().collect();
        let (site, group) = self.place;
        for (name, pointer) in &template.placeholders {
            let is_missing = known.contains(name.as_str())
                && !OWN.contains(&name.as_str())
                && self.values.find(name, self.place, device).is_none();
            if is_missing {
                let group = group.map_or_else(String::new, |group| format!("[group.{group}], "));
                let accepted = format!(
                    "a value in {}: in [all], {group}[site.{site}] or the section of the device",
                    self.values_origin
                );
                let spot = Spot::new(file.origin.clone(), pointer.clone());
                let found = format!("{{{{{name}}}}}, which has no value here");
                problems.add(spot, &found, &accepted, device);
            } else if !known.contains(name.as_str()) && !OWN.contains(&name.as_str()) {
                // `find_unknown_names` reports it once; the device gets no configuration.
                problems.mark();
            }
        }
    }

    fn add_misfit(
        &self,
        misfit: Misfit,
        file: &FloorFile,
        (device, own): (&Name, &[Value; 2]),
        problems: &mut Problems,
    ) {
        let Misfit { name, pointer } = misfit;
        let kind = self.find(&name, device, own).map_or("no", values::describe);
        let found = format!("{{{{{name}}}}} inside of a longer text, with {kind} as its value");
        let accepted = format!(
            "a text, a number, true or false as the value; or \"{{{{{name}}}}}\" without other characters"
        );
        problems.add(
            Spot::new(file.origin.clone(), pointer),
            &found,
            &accepted,
            device,
        );
    }
}

impl FloorList {
    /// The place of a device's family.
    fn spot(&self, device: &FloorDevice) -> Spot {
        let key = format!("devices.{}.family", device.name);
        match device.line {
            Some(line) => Spot::in_line(&self.origin, line, key),
            None => Spot::new(self.origin.clone(), key),
        }
    }
}

/// Refuses secrets as plain text that values brought into a configuration.
fn refuse_secrets(
    config: &Value,
    pointer: &str,
    file: &FloorFile,
    device: &Name,
    problems: &mut Problems,
) {
    match config {
        Value::Object(object) => {
            for (key, value) in object {
                let inner = template::extend(pointer, key);
                if content::is_secret_key(key) && content::is_plain_json(value) {
                    let spot = Spot::new(file.origin.clone(), inner.clone());
                    let found = "a secret as plain text (not shown)";
                    let accepted = "a configuration without secrets: set them on the device itself";
                    problems.add(spot, found, accepted, device);
                }
                refuse_secrets(value, &inner, file, device, problems);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                let inner = template::extend(pointer, &index.to_string());
                refuse_secrets(value, &inner, file, device, problems);
            }
        }
        _ => {}
    }
}

/// The fault of a site whose configurations together are too large.
fn find_excess(configs: &BTreeMap<Name, DesiredConfig>, list: &FloorList) -> Option<Fault> {
    let bytes: usize = configs.values().map(|config| config.payload.len()).sum();
    (bytes > DESIRED_TOTAL_BYTES_MAX).then(|| {
        let spot = Spot::new(list.origin.clone(), "");
        let found = format!("configurations of {bytes} bytes for all devices together");
        let accepted = format!("at most {DESIRED_TOTAL_BYTES_MAX} bytes: shorten the templates");
        spot.fault(found, accepted)
    })
}

/// Builds the message of a configuration. Equal configurations give equal bytes.
#[must_use]
pub fn build(config: &Value) -> DesiredConfig {
    let mut canonical = String::new();
    write_canonical(config, &mut canonical);
    let mut first = [0; VERSION_BYTES];
    first.copy_from_slice(&Sha256::digest(&canonical)[..VERSION_BYTES]);
    let version = format!("{:016x}", u64::from_be_bytes(first));
    let payload = format!("{{\"version\":\"{version}\",\"config\":{canonical}}}");
    DesiredConfig {
        version,
        payload: Bytes::from(payload),
    }
}

/// Writes JSON without spaces and with sorted keys.
fn write_canonical(value: &Value, out: &mut String) {
    let write_list = |out: &mut String, [open, close]: [char; 2], parts: Vec<(String, &Value)>| {
        out.push(open);
        for (index, (before, value)) in parts.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&before);
            write_canonical(value, out);
        }
        out.push(close);
    };
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<&String, &Value> = object.iter().collect();
            let entries = sorted
                .into_iter()
                .map(|(key, value)| (format!("{}:", Value::from(key.as_str())), value));
            write_list(out, ['{', '}'], entries.collect());
        }
        Value::Array(values) => {
            let values = values.iter().map(|value| (String::new(), value));
            write_list(out, ['[', ']'], values.collect());
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests;
