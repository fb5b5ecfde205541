//! The shipped templates for floor devices: each is filled in and compared with the expected
//! configuration in `tests/floor`, and the commands build and check a bundle that has them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stockrelay::event::Name;
use stockrelay::fleet::floor::{self, FloorDevice, FloorFile, FloorFiles, FloorList};
use stockrelay::source::devices;

use crate::commands::stockrelay;

const MANIFEST: &str = "\
format = 1
serial = 42
name = \"floor\"
created = \"2026-11-28T09:00:00Z\"
expires = \"2096-03-01T00:00:00Z\"
[targets]
sites = [\"ams1\"]
[[ring]]
all = true
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> PathBuf {
    root().join("firmware-config/floor")
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The shipped templates and values, by their path in a bundle.
fn files() -> BTreeMap<String, String> {
    let entries = fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let names = names.filter(|name| name.strip_suffix(".json").is_some() || name == "values.toml");
    names
        .map(|name| {
            let text = fs::read_to_string(shipped().join(&name)).unwrap();
            (format!("floor/{name}"), text)
        })
        .collect()
}

fn floor_files() -> FloorFiles {
    let mut floor = FloorFiles::default();
    for (origin, text) in files() {
        let file = FloorFile {
            origin: origin.clone(),
            text,
        };
        match origin["floor/".len()..].strip_suffix(".json") {
            Some(family) => drop(floor.templates.insert(family.to_owned(), file)),
            None => floor.values = Some(file),
        }
    }
    floor
}

#[test]
fn each_shipped_template_gives_the_expected_configuration() {
    let list = devices::read(&shipped().join("devices.toml")).unwrap();
    let devices = list.iter().map(|(name, device)| FloorDevice {
        name: name.clone(),
        family: device.family.clone().unwrap(),
        line: None,
    });
    let list = FloorList {
        origin: "devices.toml".to_owned(),
        devices: devices.collect(),
    };
    let files = floor_files();
    let used: Vec<_> = (list.devices.iter())
        .map(|device| device.family.to_string())
        .collect();
    let unused = files.templates.keys().find(|family| !used.contains(family));
    assert_eq!(unused, None, "no device has this family");
    let filled = floor::fill(&files, &name("ams1"), Some(&name("nl")), &list);
    assert_eq!(filled.faults, []);
    assert_eq!(filled.warnings, Vec::<String>::new());
    assert_eq!(filled.configs.len(), 4);
    for (device, config) in filled.configs {
        let path = root().join(format!("tests/floor/{device}.json"));
        let expected: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let message: Value = serde_json::from_slice(&config.payload).unwrap();
        assert_eq!(message["config"], expected, "{device}");
        assert_eq!(message["version"], config.version);
    }
}

#[test]
fn each_shipped_template_names_its_sources_and_that_it_was_not_tried() {
    for (path, text) in files() {
        if path.strip_suffix(".json").is_some() {
            let template: Value = serde_json::from_str(&text).unwrap();
            let comment = template["$comment"].to_string();
            assert!(comment.contains("https://"), "{path}");
            assert!(comment.contains("Not tried on a device."), "{path}");
        }
    }
}

/// A directory with a bundle of the shipped files; `change` replaces a text in `values.toml`.
fn office(change: (&str, &str)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut files = files();
    let list = fs::read_to_string(shipped().join("devices.toml")).unwrap();
    files.insert("devices.toml".to_owned(), list);
    for (path, text) in files {
        let path = dir.path().join("autumn/files").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace(change.0, change.1)).unwrap();
    }
    fs::write(dir.path().join("autumn/manifest.toml"), MANIFEST).unwrap();
    dir
}

/// The exit code, standard output and standard error of `stockrelay config`.
fn config(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = stockrelay();
    let output = command.current_dir(dir).arg("config").args(arguments);
    let output = output.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("it ended by itself");
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn the_commands_build_and_check_a_bundle_with_the_shipped_templates() {
    let dir = office(("", ""));
    let (code, _, stderr) = config(dir.path(), &["bundle", "autumn", "-o", "autumn.bundle"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let (code, stdout, stderr) = config(dir.path(), &["check", "autumn.bundle", "--as", "ams1"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("no fault"), "{stdout}");
}

#[test]
fn an_unknown_value_is_found_before_signing_and_a_missing_one_at_the_site() {
    let dir = office(("uart_tx =", "uart_xt ="));
    let (code, stdout, stderr) = config(dir.path(), &["bundle", "autumn", "-o", "autumn.bundle"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.starts_with("stockrelay: floor: ") || stderr.contains("{{uart_tx}}"),
        "{stderr}"
    );
    let fault = "files/floor/esp32-scanner.json: /uart/tx_io_num: found {{uart_tx}}, a name without a value";
    assert!(stderr.contains(fault), "{stderr}");
    assert!(!dir.path().join("autumn.bundle").exists());

    // Only another group has the value.
    let dir = office(("[site.ams1]", "[group.de]"));
    let (code, _, stderr) = config(dir.path(), &["bundle", "autumn", "-o", "autumn.bundle"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("warning: at site ams1"), "{stderr}");
    let check = ["check", "autumn.bundle", "--as", "ams1", "--group"];
    let (code, stdout, _) = config(dir.path(), &[&check[..], &["nl"]].concat());
    assert_eq!(code, 64, "{stdout}");
    let fault = "/mqtt/broker/address/uri: found {{gateway_host}}, which has no value here (device esp-07, and 1 more)";
    assert!(stdout.contains(fault), "{stdout}");
    let (code, stdout, _) = config(dir.path(), &[&check[..], &["de"]].concat());
    assert_eq!(code, 0, "{stdout}");
}
