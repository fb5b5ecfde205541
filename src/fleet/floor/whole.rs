//! Checks the floor devices of a whole bundle, before it is signed.
//!
//! **In**: the bundle. **Out**: faults that all sites have that may use a file; warnings about
//! faults that only some of them have, because a bundle does not show which group a site has. Then
//! `config check --as SITE` decides. The lists of devices are those of the bundle. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Filled, FloorDevice, FloorFiles, FloorList, fill};
use crate::config::Fault;
use crate::event::Name;
use crate::fleet::bundle::Bundle;
use crate::fleet::content::Cause;
use crate::fleet::error::BundleError;
use crate::fleet::layout::{self, DEVICES, Use, Whose};
use crate::fleet::manifest::Chosen;
use crate::fleet::site_set::SiteSet;

/// Maximum of warnings.
const WARNINGS_MAX: usize = 20;
/// The name of a site that the bundle does not name.
pub const ANY_SITE: &str = "any-other-site";

/// The faults and warnings of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whole {
    pub faults: Vec<Fault>,
    pub warnings: Vec<String>,
}

/// A site and its group.
pub type Place = (Name, Option<Name>);

/// Refuses a bundle with a fault. Returns the warnings.
pub fn require(bundle: &Bundle) -> Result<Vec<String>, BundleError> {
    let Whole { faults, warnings } = check(bundle);
    if faults.is_empty() {
        return Ok(warnings);
    }
    let faults = faults.into_iter().map(|fault| (Cause::Floor, fault));
    Err(BundleError::Content(faults.collect()))
}

/// Finds the faults of the floor devices at all sites of a bundle.
#[must_use]
pub fn check(bundle: &Bundle) -> Whole {
    let mut whole = Whole::default();
    let has_floor = |path: &String| {
        let used = layout::place(path).map(|placed| placed.used);
        matches!(used, Some(Use::FloorTemplate | Use::FloorValues))
    };
    if !bundle.files.keys().any(has_floor) {
        return whole;
    }
    // By the files that a site uses, because a fault in a file may be one of all its users.
    let mut by_files: BTreeMap<Vec<String>, Vec<(Place, Filled)>> = BTreeMap::new();
    for place in list_places(bundle) {
        let (site, group) = (&place.0, place.1.as_ref());
        let set = SiteSet::of(bundle, site, group);
        let filled = fill(&FloorFiles::of(&set), site, group, &read_list(&set));
        let used = set.files.values().filter(|file| {
            matches!(
                file.used,
                Use::FloorTemplate | Use::FloorValues | Use::Devices
            )
        });
        let used = used.map(|file| file.origin.clone()).collect();
        by_files.entry(used).or_default().push((place, filled));
    }
    let mut found = BTreeMap::new();
    for filled in by_files.values() {
        whole.add(filled, &mut found);
    }
    for at in found.into_values() {
        if at.is_everywhere {
            whole.faults.push(at.fault);
        } else {
            let places: Vec<&Place> = at.places.into_iter().collect();
            let warning = format!("at {}: {}", describe(&places), at.fault);
            whole.warnings.push(warning);
        }
    }
    whole.faults.sort_by_key(ToString::to_string);
    whole.warnings.truncate(WARNINGS_MAX);
    whole
}

/// A fault and the sites that have it.
struct At<'a> {
    fault: Fault,
    /// All sites that use the same files have it.
    is_everywhere: bool,
    places: BTreeSet<&'a Place>,
}

impl Whole {
    /// Adds the warnings of the sites that use the same files, and their faults to `found`.
    fn add<'a>(&mut self, sites: &'a [(Place, Filled)], found: &mut BTreeMap<[String; 3], At<'a>>) {
        let mut counts: BTreeMap<[String; 3], usize> = BTreeMap::new();
        for (place, filled) in sites {
            for fault in &filled.faults {
                let key = key(fault);
                let at = found.entry(key.clone()).or_insert_with(|| At {
                    fault: fault.clone(),
                    is_everywhere: false,
                    places: BTreeSet::new(),
                });
                let count = counts.entry(key).or_default();
                *count += usize::from(at.places.insert(place));
                at.is_everywhere |= *count == sites.len();
            }
            let new = |warning: &&String| !self.warnings.contains(*warning);
            let warnings: Vec<String> = filled.warnings.iter().filter(new).cloned().collect();
            self.warnings.extend(warnings);
        }
    }
}

/// Describes sites: `sites ams1, rtm1 in group nl; all other sites without a group`.
#[must_use]
pub fn describe(places: &[&Place]) -> String {
    let mut groups: BTreeMap<&Name, BTreeSet<&Option<Name>>> = BTreeMap::new();
    for (site, group) in places {
        groups.entry(site).or_default().insert(group);
    }
    let mut by_groups: BTreeMap<BTreeSet<&Option<Name>>, Vec<&str>> = BTreeMap::new();
    for (site, groups) in groups {
        by_groups.entry(groups).or_default().push(site.as_str());
    }
    let parts = by_groups.into_iter().map(|(groups, mut sites)| {
        let before = sites.len();
        sites.retain(|site| *site != ANY_SITE);
        let noun = if sites.len() == 1 { "site" } else { "sites" };
        let named = (!sites.is_empty()).then(|| format!("{noun} {}", sites.join(", ")));
        let others = (sites.len() < before).then(|| "all other sites".to_owned());
        let sites = named
            .into_iter()
            .chain(others)
            .collect::<Vec<_>>()
            .join(" and ");
        let named: Vec<&str> = groups
            .iter()
            .filter_map(|group| Some(group.as_ref()?.as_str()))
            .collect();
        let without = (named.len() < groups.len()).then(|| "without a group".to_owned());
        let noun = if named.len() == 1 { "group" } else { "groups" };
        let named = (!named.is_empty()).then(|| format!("in {noun} {}", named.join(", ")));
        let groups = named
            .into_iter()
            .chain(without)
            .collect::<Vec<_>>()
            .join(" or ");
        format!("{sites} {groups}")
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// What two faults of different sites have in common: accepted values name the site.
fn key(fault: &Fault) -> [String; 3] {
    let origin = fault.origin.clone().unwrap_or_default();
    [origin, fault.key.clone(), fault.found.clone()]
}

/// Lists every site that the bundle names, and one that it does not name, each in every group and
/// without a group, if the bundle is for it.
pub fn list_places(bundle: &Bundle) -> Vec<Place> {
    let (mut sites, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for path in bundle.files.keys() {
        match layout::place(path).map(|placed| placed.whose) {
            Some(Whose::Site(site)) => drop(sites.insert(site)),
            Some(Whose::Group(group)) => drop(groups.insert(group)),
            _ => {}
        }
    }
    for (path, bytes) in &bundle.files {
        if layout::place(path).is_some_and(|placed| placed.used == Use::FloorValues) {
            let text = String::from_utf8_lossy(bytes);
            sites.extend(list_sections(&text, "site"));
            groups.extend(list_sections(&text, "group"));
        }
    }
    if let Chosen::Named {
        sites: named_sites,
        groups: named_groups,
    } = &bundle.manifest.targets
    {
        sites.extend(named_sites.iter().cloned());
        groups.extend(named_groups.iter().cloned());
    }
    sites.extend(Name::new(ANY_SITE));
    let groups: Vec<Option<Name>> = std::iter::once(None)
        .chain(groups.into_iter().map(Some))
        .collect();
    let places = sites.into_iter().flat_map(|site| {
        let groups = groups.iter().cloned();
        groups.map(move |group| (site.clone(), group))
    });
    places
        .filter(|(site, group)| bundle.manifest.is_for(site, group.as_ref()))
        .collect()
}

/// The names of the sections `[KIND.NAME]`.
fn list_sections(values: &str, kind: &str) -> Vec<Name> {
    let table: toml::Table = values.parse().unwrap_or_default();
    let sections = table.get(kind).and_then(toml::Value::as_table);
    let names = sections.into_iter().flat_map(toml::Table::keys);
    names.filter_map(|name| Name::new(name).ok()).collect()
}

/// Reads the devices of a bundle's list that have a family. Other faults of the list are for the
/// check of a site to find: it has the profiles that the list names.
fn read_list(set: &SiteSet) -> FloorList {
    let Some(file) = set.files.get(DEVICES) else {
        return FloorList::default();
    };
    let text = String::from_utf8_lossy(&file.bytes);
    let table: toml::Table = text.parse().unwrap_or_default();
    let devices = table.get("devices").and_then(toml::Value::as_table);
    let with_family = devices.into_iter().flatten().filter_map(|(name, device)| {
        let family = device.get("family")?.as_str()?;
        Some(FloorDevice {
            name: Name::new(name).ok()?,
            family: Name::new(family).ok()?,
            line: crate::source::devices::find_line_in(&text, name),
        })
    });
    FloorList {
        origin: file.origin.clone(),
        devices: with_family.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::samples::{MANIFEST_DRAFT, bundle};

    const TEMPLATE: (&str, &str) = ("floor/esp32.json", r#"{"volume": "{{volume}}"}"#);
    const DEVICES: (&str, &str) = ("devices.toml", "[devices.pda-1]\nfamily = \"esp32\"\n");

    fn check_files(manifest: &str, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let bundle = Bundle::read(&bundle(manifest, files)).unwrap();
        let whole = check(&bundle);
        let faults = whole.faults.iter().map(ToString::to_string).collect();
        (faults, whole.warnings)
    }

    #[test]
    fn a_fault_at_every_site_is_a_fault_and_one_at_some_sites_is_a_warning() {
        let check = |values: &str| {
            let values = ("floor/values.toml", values);
            check_files(MANIFEST_DRAFT, &[TEMPLATE, DEVICES, values])
        };
        assert_eq!(check("[all]\nvolume = 1\n"), (vec![], vec![]));
        let missing = "files/floor/esp32.json: /volume: found {{volume}}, which has no value here (device pda-1)";
        // Only a device that the list does not have has the value.
        let (faults, _) = check("[device.pda-9]\nvolume = 1\n");
        assert!(faults[0].starts_with(missing), "{faults:?}");
        for section in ["group.nl", "site.ams1"] {
            let (faults, warnings) = check(&format!("[{section}]\nvolume = 1\n"));
            assert_eq!(faults, Vec::<String>::new(), "{section}");
            let [warning] = &warnings[..] else {
                panic!("{section}: {warnings:?}");
            };
            assert!(warning.contains(missing), "{warning}");
            let at = "at all other sites without a group: ";
            assert!(warning.starts_with(at), "{warning}");
        }
        let (faults, warnings) = check("[all]\nvolme = 1\n");
        assert_eq!(
            (faults.len(), warnings.len()),
            (1, 1),
            "{faults:?} {warnings:?}"
        );
        assert!(faults[0].contains("a name without a value"));
    }

    #[test]
    fn a_warning_names_all_sites_that_have_the_fault() {
        let template = (
            "floor/esp32.json",
            r#"{"v": "{{volume}}", "o": "{{other}}"}"#,
        );
        let values = "[all]\nother = 1\n[site.ams1]\nvolume = 1\n[site.ber1]\nother = 2\n[site.rtm1]\nother = 3\n";
        let files = [template, DEVICES, ("floor/values.toml", values)];
        let manifest = MANIFEST_DRAFT.replacen("all = true", "groups = [\"nl\", \"de\"]", 1);
        let (_, warnings) = check_files(&manifest, &files);
        let at =
            "at sites ber1, rtm1 and all other sites in groups de, nl: files/floor/esp32.json: ";
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(at),
            "{warnings:?}"
        );
        let name = |text| Name::new(text).unwrap();
        let places = [
            (name("ams1"), None),
            (name("ber1"), Some(name("de"))),
            (name("ber1"), None),
        ];
        assert_eq!(
            describe(&places.iter().collect::<Vec<_>>()),
            "site ams1 without a group; site ber1 in group de or without a group"
        );
    }

    #[test]
    fn a_site_that_is_no_target_has_no_fault() {
        let manifest = MANIFEST_DRAFT.replacen("all = true", "sites = [\"ams1\"]", 1);
        let values = ("floor/values.toml", "[site.ams1]\nvolume = 1\n");
        let found = check_files(&manifest, &[TEMPLATE, DEVICES, values]);
        assert_eq!(found, (vec![], vec![]));
    }

    #[test]
    fn each_list_and_each_template_is_checked_where_it_is_used() {
        let values = ("floor/values.toml", "[all]\nvolume = 1\n");
        let list = "[devices.pda-7]\n[devices.pda-8]\nfamily = \"zebra\"\n";
        for path in ["sites/ams1/devices.toml", "groups/nl/devices.toml"] {
            let files = [TEMPLATE, DEVICES, values, (path, list)];
            let (faults, _) = check_files(MANIFEST_DRAFT, &files);
            let wanted = format!(
                "files/{path}:2: devices.pda-8.family: found \"zebra\", a family without a template"
            );
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(&wanted), "{faults:?}");
            let own = path.replace("devices.toml", "floor/zebra.json");
            let files = [TEMPLATE, DEVICES, values, (path, list), (&own, "{}")];
            let (faults, _) = check_files(MANIFEST_DRAFT, &files);
            assert_eq!(faults, Vec::<String>::new());
        }
        let own = ("sites/ams1/floor/esp32.json", r#"{"volume": "{{volume}"}"#);
        let (faults, _) = check_files(MANIFEST_DRAFT, &[TEMPLATE, DEVICES, values, own]);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("files/sites/ams1/floor/esp32.json: /volume: found"));
    }

    #[test]
    fn a_bundle_without_floor_files_is_not_checked() {
        let list = ("devices.toml", "[devices.pda-8]\nfamily = \"zebra\"\n");
        assert_eq!(check_files(MANIFEST_DRAFT, &[list]), (vec![], vec![]));
    }
}
