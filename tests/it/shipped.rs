//! The files that are shipped beside the binary say what the binary does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use stockrelay::config::{
    self, Broker, Capture, Config, Control, Documents, Fleet, FleetBroker, FleetTls, Journal,
    Listen, Log, Odoo, Orders, Shifts, Stock, known_keys,
};
use stockrelay::decode::profile::Profile;
use stockrelay::event::Name;
use stockrelay::source::scanners::list;
use stockrelay::view::control::EffectiveView;
use stockrelay::view::show::show;

const SAMPLE: &str = "firmware-config/gateway-defaults.toml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The defaults, with what the sample must name because it has none.
fn defaults() -> Config {
    Config {
        site: Name::new("site1").unwrap(),
        data_dir: "/var/lib/stockrelay".into(),
        time_zone: None,
        shifts: Shifts::default(),
        listen: Some(Listen {
            devices: Some(root().join("firmware-config/devices.toml")),
            ..Listen::default()
        }),
        broker: None,
        scanners: None,
        odoo: Odoo::new("https://odoo.example.com", "prod"),
        documents: Documents::default(),
        orders: Orders::default(),
        stock: Stock::default(),
        capture: Capture::default(),
        journal: Journal::default(),
        control: Control {
            socket: "/run/stockrelay/control.sock".into(),
            metrics: None,
        },
        log: Log::default(),
        fleet: Fleet::default(),
    }
}

#[test]
fn the_sample_configuration_is_the_defaults() {
    let loaded = config::load(&root().join(SAMPLE), &[]).unwrap();
    assert_eq!(loaded.config, defaults());
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

/// The sample with every comment that holds a key or a section made a part of it.
fn sample_uncommented() -> String {
    let sample = fs::read_to_string(root().join(SAMPLE)).unwrap();
    let is_key = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.starts_with("[mqtt")
            || line.starts_with("[fleet")
            || line.contains(" = ") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_key(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn the_sample_names_every_key_and_its_comments_are_valid_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, sample_uncommented()).unwrap();
    let config = config::load(&path, &[]).unwrap().config;
    let below = |name: &str| -> Option<PathBuf> { Some(dir.path().join(name)) };
    assert_eq!(
        config.broker,
        Some(Broker {
            url: "mqtts://broker.example:8883".to_owned(),
            client_id: Some("stockrelay-site1".to_owned()),
            username: Some("stockrelay".to_owned()),
            password_file: below("broker.password"),
            ca: below("broker-ca.pem"),
            client_cert: below("gateway-client.pem"),
            client_key: below("gateway-client.key"),
            devices: below("devices.toml"),
            keep_alive_s: 30,
            packet_bytes_max: 1_048_576,
        })
    );
    assert_eq!(
        config.fleet,
        Fleet {
            broker: Some(FleetBroker {
                url: "mqtts://it.example:8883".to_owned(),
                ca: below("it-ca.pem"),
                client_cert: below("it-client.pem"),
                client_key: below("it-client.key"),
                username: Some("site1".to_owned()),
                password_file: below("it.password"),
            }),
            url: Some("https://it.example/stockrelay/nl.bundle".to_owned()),
            tls: FleetTls {
                ca: below("it-ca.pem"),
                client_cert: below("it-client.pem"),
                client_key: below("it-client.key"),
            },
            group: Name::new("nl").ok(),
            ..Fleet::default()
        }
    );

    let table: toml::Table = sample_uncommented().parse().unwrap();
    for key in known_keys() {
        assert!(has(&table, key), "{SAMPLE} does not name {key}");
    }
}

fn has(table: &toml::Table, key: &str) -> bool {
    let mut value = Some(toml::Value::Table(table.clone()));
    for part in key.split('.') {
        value = value.and_then(|value| value.get(part).cloned());
    }
    value.is_some()
}

#[test]
fn config_show_prints_every_key_with_its_value_or_says_that_it_is_not_set() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, sample_uncommented()).unwrap();
    let config = config::load(&path, &[]).unwrap().config;
    let shown = show(&EffectiveView::of(&config, |_| None));
    let table: toml::Table = shown.parse().unwrap();
    for key in known_keys() {
        assert!(
            has(&table, key),
            "config show does not print {key}: {shown}"
        );
    }
    fs::write(&path, &shown).unwrap();
    assert_eq!(config::load(&path, &[]).unwrap().config, config);

    // The keys that have no value, too.
    let shown = show(&EffectiveView::of(&defaults(), |_| None));
    let mut section = "";
    let mut named = Vec::new();
    for line in shown.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            continue;
        }
        let key = line
            .split([' ', ':', '='])
            .find(|word| !matches!(*word, "" | "#"));
        let dot = if section.is_empty() { "" } else { "." };
        named.extend(key.map(|key| format!("{section}{dot}{key}")));
    }
    for key in known_keys()
        .into_iter()
        .filter(|key| !key.starts_with("mqtt.broker."))
    {
        assert!(named.iter().any(|named| named == key), "{key} in {shown}");
    }
    assert!(shown.contains("\n# [mqtt.broker]: not set\n"), "{shown}");
    assert!(
        shown.contains("# api_key_file: not set, so the systemd credential"),
        "{shown}"
    );
}

#[test]
fn the_smallest_profile_of_the_reference_is_valid_alone_and_each_example_with_its_keys() {
    let reference = fs::read_to_string(root().join("docs/scanner-profiles.md")).unwrap();
    let blocks = reference.split("\n```toml\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|block| block.split_once("```").unwrap().0)
        .collect();
    let (smallest, examples) = blocks.split_first().unwrap();
    assert_eq!(
        Profile::parse(smallest).map(|profile| profile.about.name),
        Ok("my-scanner".to_owned())
    );
    assert!(examples.len() >= 2, "{examples:?}");
    let (profile, _) = smallest.split_once("[connection]").unwrap();
    for example in examples {
        let has_connection = example.contains("[connection]");
        let rest = if has_connection { profile } else { smallest };
        let whole = format!("{rest}\n{example}");
        assert!(
            Profile::parse(&whole).is_ok(),
            "{:?}: {whole}",
            Profile::parse(&whole)
        );
    }
}

#[test]
fn the_units_notify_restart_and_keep_their_state_where_the_defaults_say() {
    let unit = fs::read_to_string(root().join("systemd/stockrelay.service")).unwrap();
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/stockrelay run --config /etc/stockrelay/config.toml",
        "Restart=always",
        "StateDirectory=stockrelay",
        "ReadWritePaths=/run/stockrelay",
    ] {
        assert!(
            unit.lines().any(|found| found == line),
            "stockrelay.service has no line {line}"
        );
    }
    let defaults = defaults();
    assert_eq!(defaults.data_dir, Path::new("/var/lib/stockrelay"));
    assert!(defaults.control.socket.starts_with("/run/stockrelay"));
}

#[test]
fn the_sample_of_scanners_is_valid_with_its_comments_and_without() {
    let sample = root().join("firmware-config/scanners.toml");
    assert_eq!(list::read(&sample).unwrap(), []);
    let text = fs::read_to_string(&sample).unwrap();
    let is_key = |line: &&str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.starts_with('[') || name.chars().all(|c| c.is_ascii_lowercase())
    };
    let keys = text.lines().filter_map(|line| line.strip_prefix("# "));
    let keys = keys.filter(is_key);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scanners.toml");
    fs::write(&path, keys.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(list::read(&path).unwrap().len(), 2);
}

/// systemd's own check of the unit, with a program instead of the one that is not installed here.
#[test]
#[ignore = "needs systemd-analyze: on a machine with systemd, cargo test -- --ignored shipped"]
fn systemd_understands_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(root().join("systemd/stockrelay.service")).unwrap();
    let path = dir.path().join("stockrelay.service");
    fs::write(&path, unit.replace("/usr/bin/stockrelay", "/bin/true")).unwrap();
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("stockrelay.service"),
        "systemd-analyze found: {said}"
    );
}

/// The page is for people without a gateway, too: it is in the repository as the command prints it.
#[test]
fn the_reference_of_the_configuration_is_what_the_command_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_stockrelay"))
        .args(["config", "reference"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let reference = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let mut pairs = reference.lines().zip(printed.lines());
    let first = pairs.position(|(page, command)| page != command);
    assert!(
        reference == printed,
        "docs/configuration.md differs in line {}: write it again with `cargo run -- config reference > docs/configuration.md`",
        first.map_or(0, |line| line + 1)
    );
}
