//! Which files a bundle may have below `files/`, and what each is for.

use crate::event::Name;

pub const ACCEPTED: &str = "config.d/NAME.toml, scanner-profiles/NAME.toml, devices.toml, scanners.toml, trust.toml, floor/FAMILY.json or floor/values.toml; all but trust.toml also below groups/GROUP/ and sites/SITE/; sites/SITE/secrets/NAME.age";
/// The file with the keys that may sign the next bundles.
pub const TRUST: &str = "trust.toml";
pub const DEVICES: &str = "devices.toml";
pub const SCANNERS: &str = "scanners.toml";
pub const CONFIG: &str = "config.d/";
pub const PROFILES: &str = "scanner-profiles/";
/// Templates for floor devices.
pub const FLOOR: &str = "floor/";
pub const FLOOR_VALUES: &str = "floor/values.toml";
const SECRETS: &str = "secrets/";
/// The largest secret, in bytes before it is encrypted: a certificate chain is far smaller.
pub const SECRET_BYTES_MAX: usize = 64 << 10;

/// For whom a file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    All,
    Group(Name),
    Site(Name),
}

/// The use of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Config,
    Profile,
    Devices,
    Scanners,
    Trust,
    FloorTemplate,
    FloorValues,
    /// Encrypted to the key of one gateway.
    Secret,
}

/// A file of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<'a> {
    pub whose: Whose,
    pub used: Use,
    /// Without the group or site: `config.d/50-capture.toml`.
    pub path: &'a str,
}

/// Finds the use of the file at `path`, relative to `files/`. `None`: a bundle has no such file.
#[must_use]
pub fn place(path: &str) -> Option<Placed<'_>> {
    let (whose, rest) = match path.split_once('/') {
        Some(("groups", rest)) => {
            let (group, rest) = rest.split_once('/')?;
            (Whose::Group(Name::new(group).ok()?), rest)
        }
        Some(("sites", rest)) => {
            let (site, rest) = rest.split_once('/')?;
            (Whose::Site(Name::new(site).ok()?), rest)
        }
        _ => (Whose::All, path),
    };
    let used = find_use(rest)?;
    let is_accepted = match used {
        Use::Trust => whose == Whose::All,
        Use::Secret => matches!(whose, Whose::Site(_)),
        _ => true,
    };
    is_accepted.then_some(Placed {
        whose,
        used,
        path: rest,
    })
}

fn find_use(path: &str) -> Option<Use> {
    let named = |directory: &str, ending: &str| {
        let name = path.strip_prefix(directory)?.strip_suffix(ending)?;
        // A hidden file in `config.d` is not read.
        (!name.is_empty() && !name.starts_with('.') && !name.contains('/')).then_some(())
    };
    match path {
        DEVICES => Some(Use::Devices),
        SCANNERS => Some(Use::Scanners),
        TRUST => Some(Use::Trust),
        FLOOR_VALUES => Some(Use::FloorValues),
        _ => None,
    }
    .or_else(|| named(CONFIG, ".toml").map(|()| Use::Config))
    .or_else(|| named(PROFILES, ".toml").map(|()| Use::Profile))
    .or_else(|| named(FLOOR, ".json").map(|()| Use::FloorTemplate))
    .or_else(|| named(SECRETS, ".age").map(|()| Use::Secret))
}

#[must_use]
pub fn is_accepted(path: &str) -> bool {
    place(path).is_some()
}

/// Returns the name of the secret of `secrets/NAME.age`.
#[must_use]
pub fn secret_name(path: &str) -> Option<&str> {
    path.strip_prefix(SECRETS)?.strip_suffix(".age")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_use_and_belongs_to_all_a_group_or_a_site() {
        let name = |text| Name::new(text).unwrap();
        for (path, whose, used) in [
            ("config.d/50-capture.toml", Whose::All, Use::Config),
            ("scanner-profiles/own.toml", Whose::All, Use::Profile),
            ("devices.toml", Whose::All, Use::Devices),
            ("trust.toml", Whose::All, Use::Trust),
            ("floor/esp32.json", Whose::All, Use::FloorTemplate),
            ("floor/values.toml", Whose::All, Use::FloorValues),
            (
                "groups/nl/devices.toml",
                Whose::Group(name("nl")),
                Use::Devices,
            ),
            (
                "sites/ams1/config.d/1.toml",
                Whose::Site(name("ams1")),
                Use::Config,
            ),
            (
                "sites/ams1/secrets/odoo-api-key.age",
                Whose::Site(name("ams1")),
                Use::Secret,
            ),
        ] {
            let placed = place(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((placed.whose, placed.used), (whose, used), "{path}");
        }
        assert_eq!(
            secret_name("secrets/odoo-api-key.age"),
            Some("odoo-api-key")
        );
    }

    #[test]
    fn other_files_are_not_accepted() {
        for path in [
            "",
            "config.toml",
            "config.d/a.txt",
            "config.d/.toml",
            "config.d/.#50.toml",
            "config.d/a/b.toml",
            "groups/devices.toml",
            "groups/nl/trust.toml",
            "sites/ams1/trust.toml",
            "secrets/odoo-api-key.age",
            "groups/nl/secrets/odoo-api-key.age",
            "sites/ams1/secrets/odoo-api-key",
            "sites/ams1/sites/ams2/devices.toml",
            "sites/a b/devices.toml",
            "floor/esp32.toml",
        ] {
            assert!(!is_accepted(path), "{path}");
        }
    }
}
