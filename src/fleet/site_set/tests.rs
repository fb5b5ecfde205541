use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::config::load_with;
use crate::decode::profile::SHIPPED;
use crate::fleet::samples::{MANIFEST_DRAFT, bundle};
use crate::fleet::site_check;
use crate::source::devices;

const AGE: &str = "age-encryption.org/v1\n";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn set(files: &[(&str, &str)]) -> SiteSet {
    let bundle = Bundle::read(&bundle(MANIFEST_DRAFT, files)).unwrap();
    SiteSet::of(&bundle, &name("ams1"), Some(&name("nl")))
}

/// A gateway's own files, and a bundle that is unpacked beside them.
struct Site {
    dir: tempfile::TempDir,
    set: SiteSet,
}

impl Site {
    fn new(local: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in local {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let site = Self {
            set: set(files),
            dir,
        };
        site.set.unpack(&site.unpacked()).unwrap();
        site
    }

    fn unpacked(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    fn try_load(&self, environment: &[(&str, &str)]) -> Result<Loaded, String> {
        let environment: Vec<_> = (environment.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let main = self.dir.path().join("config.toml");
        let overlay = self.set.overlay(&self.unpacked());
        let loaded = load_with(&main, &environment, Some(&overlay));
        let loaded = loaded.map_err(|error| error.to_string())?;
        make_links(&loaded).unwrap();
        Ok(loaded)
    }

    fn load(&self) -> Loaded {
        self.try_load(&[]).unwrap()
    }

    fn devices(&self) -> PathBuf {
        self.load().config.listen.unwrap().devices.unwrap()
    }
}

const MAIN: (&str, &str) = (
    "config.toml",
    "site = \"ams1\"\n[mqtt.listen]\ndevices = \"devices.toml\"\n[odoo]\nurl = \"https://odoo.example\"\ndatabase = \"prod\"\ntimeout_s = 10\n",
);

/// A shipped profile under another family's name, to tell it apart.
fn profile(family: &str) -> String {
    let (_, text) = SHIPPED
        .iter()
        .find(|(name, _)| *name == "bare-mqtt")
        .unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    let about = table["profile"].as_table_mut().unwrap();
    about.insert("family".to_owned(), family.into());
    table.to_string()
}

fn family(file: &Path, device: &str) -> String {
    let devices = devices::read(file).unwrap_or_else(|error| panic!("{error}"));
    let profile = devices[&name(device)].profile.clone().unwrap();
    profile.about.family.clone()
}

#[test]
fn a_sites_file_replaces_the_groups_and_the_groups_the_common_one() {
    let set = set(&[
        ("config.d/1.toml", "# common"),
        ("config.d/2.toml", "# common"),
        ("config.d/3.toml", "# common"),
        ("groups/nl/config.d/2.toml", "# group"),
        ("groups/nl/config.d/3.toml", "# group"),
        ("groups/de/config.d/1.toml", "# other group"),
        ("sites/ams1/config.d/3.toml", "# site"),
        ("sites/ams2/config.d/1.toml", "# other site"),
        ("sites/ams1/secrets/odoo-api-key.age", AGE),
        ("sites/ams2/secrets/odoo-ca.age", AGE),
    ]);
    let files: Vec<_> = (set.files.iter())
        .map(|(path, file)| (path.as_str(), file.origin.as_str(), &file.bytes[..]))
        .collect();
    assert_eq!(
        files,
        [
            ("config.d/1.toml", "files/config.d/1.toml", &b"# common"[..]),
            (
                "config.d/2.toml",
                "files/groups/nl/config.d/2.toml",
                b"# group"
            ),
            (
                "config.d/3.toml",
                "files/sites/ams1/config.d/3.toml",
                b"# site"
            ),
        ]
    );
    assert_eq!(set.secrets.keys().collect::<Vec<_>>(), ["odoo-api-key"]);
}

#[test]
fn the_bundle_overrides_local_files_and_the_environment_overrides_the_bundle() {
    let site = Site::new(
        &[
            MAIN,
            (
                "config.d/99.toml",
                "odoo.refresh_s = 7\nodoo.late_commit_s = 100\n",
            ),
        ],
        &[
            (
                "config.d/10.toml",
                "odoo.refresh_s = 8\nodoo.timeout_s = 20\ncapture.check = \"off\"\n",
            ),
            ("sites/ams1/config.d/20.toml", "odoo.timeout_s = 30\n"),
        ],
    );
    let loaded = site
        .try_load(&[("STOCKRELAY_CAPTURE__CHECK", "strict")])
        .unwrap();
    let odoo = &loaded.config.odoo;
    assert_eq!(
        (odoo.refresh_s, odoo.timeout_s, odoo.late_commit_s),
        (8, 30, 100)
    );
    assert_eq!(loaded.config.capture.check, crate::config::Check::Strict);
    let origin = |key| loaded.origin(key).unwrap();
    assert_eq!(
        origin("odoo.timeout_s"),
        "bundle 42, sites/ams1/config.d/20.toml:1"
    );
    assert_eq!(origin("odoo.refresh_s"), "bundle 42, config.d/10.toml:1");
    assert_eq!(
        origin("capture.check"),
        "variable STOCKRELAY_CAPTURE__CHECK"
    );
    assert!(origin("odoo.late_commit_s").ends_with("config.d/99.toml:2"));
}

#[test]
fn a_secret_replaces_the_file_of_its_key_unless_the_environment_names_one() {
    let secret = ("sites/ams1/secrets/odoo-api-key.age", AGE);
    let both = ("config.d/10.toml", "odoo.api_key_file = \"other.key\"\n");
    let site = Site::new(&[MAIN], &[secret, both]);
    let loaded = site.load();
    assert_eq!(
        loaded.config.odoo.api_key_file,
        Some(site.unpacked().join("secrets/odoo-api-key"))
    );
    assert_eq!(
        loaded.origin("odoo.api_key_file").unwrap(),
        "bundle 42, sites/ams1/secrets/odoo-api-key.age"
    );
    assert_eq!(loaded.warnings, [""; 0]);
    let key = [("STOCKRELAY_ODOO__API_KEY_FILE", "/run/key")];
    let loaded = site.try_load(&key).unwrap();
    assert_eq!(loaded.config.odoo.api_key_file, Some("/run/key".into()));
    let warning = loaded.warnings.first().unwrap();
    assert!(
        warning.contains("odoo-api-key.age has no effect")
            && warning.contains("STOCKRELAY_ODOO__API_KEY_FILE"),
        "{warning}"
    );
    // The site without the bundle has its own key.
    let without = Site::new(&[MAIN], &[both]).load();
    assert!(
        without
            .config
            .odoo
            .api_key_file
            .unwrap()
            .ends_with("other.key")
    );
}

#[test]
fn a_secret_opens_no_link_that_the_gateway_does_not_have() {
    let secrets = [
        ("sites/ams1/secrets/mqtt-broker-password.age", AGE),
        ("config.d/10.toml", "odoo.refresh_s = 0\n"),
    ];
    let faults = Site::new(&[MAIN], &secrets).try_load(&[]).unwrap_err();
    for part in [
        "bundle 42, sites/ams1/secrets/mqtt-broker-password.age: mqtt.broker.password_file: found the secret mqtt-broker-password, and no [mqtt.broker]",
        "odoo.refresh_s",
    ] {
        assert!(faults.contains(part), "{part}\n{faults}");
    }
    let site = Site::new(&[MAIN], &secrets[..1]);
    let broker = [
        ("STOCKRELAY_MQTT__BROKER__URL", "mqtt://broker.example"),
        ("STOCKRELAY_MQTT__BROKER__USERNAME", "ams1"),
        ("STOCKRELAY_MQTT__BROKER__DEVICES", "devices.toml"),
    ];
    let loaded = site.try_load(&broker).unwrap();
    assert_eq!(
        loaded.config.broker.unwrap().password_file,
        Some(site.unpacked().join("secrets/mqtt-broker-password"))
    );
}

#[test]
fn a_check_lists_the_credentials_of_the_bundle() {
    let site = Site::new(&[MAIN], &[("sites/ams1/secrets/odoo-api-key.age", AGE)]);
    let main = site.dir.path().join("config.toml");
    let checked = site_check::check(&site.set, &site.unpacked(), &main, &[]).unwrap();
    assert_eq!(checked.faults, [""; 0]);
    let credential = checked.credentials.first().unwrap();
    assert_eq!(
        (credential.key, credential.secret.as_deref()),
        (
            "odoo.api_key_file",
            Some("files/sites/ams1/secrets/odoo-api-key.age")
        )
    );
    assert_eq!(credential.is_missing(), Some(false));
}

#[test]
fn a_fault_names_the_file_and_line_in_the_bundle() {
    let site = Site::new(
        &[MAIN],
        &[(
            "groups/nl/config.d/1.toml",
            "[capture]\ncheck = \"of\"\n[odoo]\nrefresh_s = \"soon\"\nnew = 1\n",
        )],
    );
    let faults = site.try_load(&[]).unwrap_err();
    for part in [
        "bundle 42, groups/nl/config.d/1.toml:2: capture.check: found \"of\"",
        "bundle 42, groups/nl/config.d/1.toml:4: odoo.refresh_s: found \"soon\"",
        "bundle 42, groups/nl/config.d/1.toml:5: odoo.new: found an unknown key",
    ] {
        assert!(faults.contains(part), "{part}\n{faults}");
    }
}

#[test]
fn the_bundles_list_replaces_the_local_one_whole() {
    let local = ("devices.toml", "[devices.pda-1]\nlanguage = \"de\"\n");
    let site = Site::new(&[MAIN, local], &[("devices.toml", "[devices.pda-2]\n")]);
    assert_eq!(site.devices(), site.unpacked().join("devices.toml"));
    let listed: Vec<_> = devices::read(&site.devices())
        .unwrap()
        .into_keys()
        .collect();
    assert_eq!(listed, [name("pda-2")]);
    let origin = site.load().origin("mqtt.listen.devices");
    assert_eq!(origin.as_deref(), Some("bundle 42, devices.toml"));
    // An environment that names a list is the gateway's own decision.
    let own = site
        .try_load(&[("STOCKRELAY_MQTT__LISTEN__DEVICES", "devices.toml")])
        .unwrap();
    let file = own.config.listen.unwrap().devices.unwrap();
    assert_eq!(file, site.dir.path().join("devices.toml"));
}

#[test]
fn a_list_is_used_by_the_broker_if_there_is_no_front_door() {
    let main = MAIN.1.replace(
        "[mqtt.listen]\ndevices = \"devices.toml\"",
        "[mqtt.broker]\nurl = \"mqtts://broker.example\"",
    );
    let scanners = "[scanners.dock]\nprofile = \"zebra-serial\"\nport = \"/dev/ttyS9\"\n";
    let site = Site::new(
        &[("config.toml", &main)],
        &[
            ("devices.toml", "[devices.pda-2]\n"),
            ("scanners.toml", scanners),
        ],
    );
    let config = site.load().config;
    let unpacked = site.unpacked();
    assert_eq!(
        config.broker.unwrap().devices,
        Some(unpacked.join("devices.toml"))
    );
    assert_eq!(config.scanners, Some(unpacked.join("scanners.toml")));
    assert_eq!(config.listen, None);
}

#[test]
fn a_profile_of_the_bundle_replaces_the_shipped_and_the_local_one_of_its_name() {
    let local = [
        MAIN,
        (
            "devices.toml",
            "[devices.a]\nprofile = \"own.toml\"\n[devices.b]\nprofile = \"bare-mqtt\"\n[devices.c]\nprofile = \"local.toml\"\n",
        ),
        ("own.toml", &profile("local own")),
        ("local.toml", &profile("local only")),
    ];
    let brought = [
        ("scanner-profiles/own.toml", &*profile("brought own")),
        ("scanner-profiles/bare-mqtt.toml", &*profile("brought bare")),
    ];
    let families = |site: &Site| {
        let file = site.devices();
        ["a", "b", "c"].map(|device| family(&file, device))
    };
    // Beside the local list, of which a later change is read, too.
    let site = Site::new(&local, &brought);
    assert_eq!(
        families(&site),
        ["brought own", "brought bare", "local only"]
    );
    assert_eq!(
        fs::read_link(site.devices()).unwrap(),
        site.dir.path().join("devices.toml")
    );
    // Beside a list of the bundle.
    let list = ("devices.toml", local[1].1);
    let site = Site::new(&local, &[list, brought[0], brought[1]]);
    assert_eq!(
        families(&site),
        ["brought own", "brought bare", "local only"]
    );
    // Without profiles in the bundle: the local and the shipped ones.
    let site = Site::new(&local, &[list]);
    assert_eq!(families(&site)[0], "local own");
    assert_eq!(families(&site)[2], "local only");
}

#[test]
fn links_follow_a_changed_configuration() {
    let own = profile("brought");
    let local = [MAIN, ("devices.toml", ""), ("other.toml", "[devices.x]\n")];
    let site = Site::new(&local, &[("scanner-profiles/own.toml", &own)]);
    let link = site.devices();
    fs::write(
        site.dir.path().join("config.toml"),
        MAIN.1.replace("devices.toml", "other.toml"),
    )
    .unwrap();
    assert_eq!(site.devices(), link);
    assert_eq!(
        fs::read_link(&link).unwrap(),
        site.dir.path().join("other.toml")
    );
    site.load();
}

#[test]
fn unpacked_files_are_readable_only_for_the_daemons_user() {
    let site = Site::new(&[MAIN], &[("devices.toml", ""), ("floor/esp32.json", "{}")]);
    let mode = |path: &str| {
        let metadata = fs::metadata(site.unpacked().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("floor")), (0o700, 0o700));
    assert_eq!(
        (mode("devices.toml"), mode("floor/esp32.json")),
        (0o600, 0o600)
    );
    assert!(
        site.set.unpack(&site.unpacked()).is_err(),
        "the directory exists"
    );
}

#[test]
fn a_check_reports_the_faults_of_all_files_and_lists_credentials() {
    let site = Site::new(
        &[MAIN],
        &[
            ("devices.toml", "[devices.pda-1]\nlanguage = \"klingon\"\n"),
            ("scanner-profiles/own.toml", "[profile]\nname = 1\n"),
            (
                "groups/nl/config.d/1.toml",
                "[mqtt.listen]\ntls_cert = \"gateway.pem\"\ntls_key = \"gateway.key\"\n",
            ),
        ],
    );
    let main = site.dir.path().join("config.toml");
    let checked = site_check::check(&site.set, &site.unpacked(), &main, &[]).unwrap();
    let faults = checked.faults.join("\n");
    assert!(
        faults.contains("files/scanner-profiles/own.toml:2: "),
        "{faults}"
    );
    assert!(faults.contains("files/devices.toml: "), "{faults}");
    assert!(
        !faults.contains(&*site.unpacked().to_string_lossy()),
        "{faults}"
    );
    let keys: Vec<_> = checked
        .credentials
        .iter()
        .map(|found| (found.key, found.is_missing()))
        .collect();
    assert_eq!(
        keys,
        [
            ("mqtt.listen.tls_cert", Some(true)),
            ("mqtt.listen.tls_key", Some(true)),
            ("odoo.api_key_file", None),
        ]
    );
}

#[test]
fn a_check_fills_in_the_floor_devices_of_the_list_that_the_gateway_uses() {
    let local = [
        (
            "config.toml",
            "site = \"ams1\"\n[mqtt.listen]\ndevices = \"devices.toml\"\n\
             [odoo]\nurl = \"https://odoo.example\"\ndatabase = \"prod\"\n",
        ),
        (
            "devices.toml",
            "[devices.pda-1]\nfamily = \"esp32\"\n[devices.pda-2]\n",
        ),
    ];
    let template = ("floor/esp32.json", r#"{"volume": "{{volume}}"}"#);
    let check = |values: &str| {
        let site = Site::new(&local, &[template, ("floor/values.toml", values)]);
        let main = site.dir.path().join("config.toml");
        site_check::check(&site.set, &site.unpacked(), &main, &[]).unwrap()
    };
    let checked = check("[group.nl]\nvolume = 7\nother = 1\n");
    assert_eq!(checked.faults, Vec::<String>::new());
    let warning = "files/floor/values.toml:3: group.nl.other: no template uses this value";
    assert!(
        checked
            .warnings
            .iter()
            .any(|found| found.starts_with(warning))
    );
    let config = &checked.floor[&name("pda-1")];
    let payload = String::from_utf8_lossy(&config.payload);
    assert!(payload.ends_with(r#""config":{"volume":7}}"#), "{payload}");
    assert_eq!(checked.floor.len(), 1);

    let checked = check("[site.ams2]\nvolume = 7\n");
    let fault =
        "files/floor/esp32.json: /volume: found {{volume}}, which has no value here (device pda-1)";
    assert!(checked.faults[0].starts_with(fault), "{:?}", checked.faults);
}
