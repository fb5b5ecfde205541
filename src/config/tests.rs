use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::*;

/// The least that is a whole configuration.
const LEAST: &str = r#"
site = "ams1"
[mqtt.listen]
devices = "devices.toml"
[odoo]
url = "https://odoo.example.com"
database = "prod"
"#;

/// Loads `files` (name, content) from a directory of their own, of which the first is the main one.
fn load_files(
    files: &[(&str, &str)],
    environment: &[(&str, &str)],
) -> (tempfile::TempDir, Result<Loaded, ConfigError>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let environment: Vec<_> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let loaded = load(&dir.path().join(files[0].0), &environment);
    (dir, loaded)
}

fn load_one(content: &str) -> Result<Loaded, ConfigError> {
    load_files(&[("config.toml", content)], &[]).1
}

/// Returns the text that a person reads about the faults of a configuration, with DIR instead of
/// the path of the directory.
fn faults(files: &[(&str, &str)], environment: &[(&str, &str)]) -> String {
    let (dir, loaded) = load_files(files, environment);
    let text = loaded.expect_err("it has faults").to_string();
    text.replace(&*dir.path().to_string_lossy(), "DIR")
}

#[test]
fn the_least_configuration_has_the_defaults() {
    let (dir, loaded) = load_files(&[("config.toml", LEAST)], &[]);
    let loaded = loaded.unwrap();
    assert_eq!(
        loaded.config,
        Config {
            time_zone: None,
            shifts: Shifts::default(),
            site: Name::new("ams1").unwrap(),
            data_dir: "/var/lib/stockrelay".into(),
            listen: Some(Listen {
                devices: Some(dir.path().join("devices.toml")),
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
    );
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.files, [dir.path().join("config.toml")]);
}

#[test]
fn what_is_read_later_wins_down_to_the_single_key() {
    let main = format!("{LEAST}warehouse = \"W1\"\ntimeout_s = 10\n[journal]\nbudget = 20000000\n");
    let (dir, loaded) = load_files(
        &[
            ("config.toml", &main),
            (
                "config.d/20-b.toml",
                "[odoo]\nwarehouse = \"W3\"\n[journal]\nbudget = \"2 GiB\"",
            ),
            (
                "config.d/10-a.toml",
                "odoo.warehouse = \"W2\"\nodoo.refresh_s = 7",
            ),
            ("config.d/30-no.txt", "this is no TOML"),
            ("config.d/.#40.toml", "this is no TOML"),
        ],
        &[
            ("STOCKRELAY_ODOO__REFRESH_S", "9"),
            ("STOCKRELAY_MQTT__LISTEN__ANONYMOUS", "true"),
            ("STOCKRELAY_MQTT__BROKER__URL", "mqtts://broker.example"),
            ("STOCKRELAY_SITE", "ams2"),
            ("STOCKRELAY_DATA_DIR", "data"),
            ("HOME", "/root"),
        ],
    );
    let Loaded {
        config,
        files,
        warnings,
        ..
    } = loaded.unwrap();
    assert_eq!(config.site.as_str(), "ams2");
    assert_eq!(config.data_dir, dir.path().join("data"));
    let odoo = &config.odoo;
    assert_eq!(
        (odoo.warehouse.as_str(), odoo.timeout_s, odoo.refresh_s),
        ("W3", 10, 9)
    );
    assert_eq!(config.journal.budget_bytes, 2 << 30);
    let listen = config.listen.unwrap();
    assert!(listen.anonymous && listen.devices.is_some());
    assert_eq!(config.broker.unwrap().url, "mqtts://broker.example");
    let names: Vec<_> = files
        .iter()
        .map(|f| f.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["config.toml", "10-a.toml", "20-b.toml"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn an_empty_section_opens_the_front_door_and_no_section_does_not() {
    let odoo = "site = \"a\"\n[odoo]\nurl = \"http://127.0.0.1:8069/\"\ndatabase = \"d\"\n";
    let broker = load_one(&format!(
        "{odoo}[mqtt.broker]\nurl = \"mqtt://localhost:1884\""
    ))
    .unwrap();
    assert_eq!(broker.config.listen, None);
    assert_eq!(broker.config.broker.unwrap().url, "mqtt://localhost:1884");
    assert_eq!(broker.config.odoo.url, "http://127.0.0.1:8069");
    assert_eq!(broker.warnings, Vec::<String>::new());
    let text = load_one(&format!("{odoo}[mqtt.listen]"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("no device could connect"), "{text}");
    let text = load_one(odoo).unwrap_err().to_string();
    assert!(text.contains("a section [mqtt.listen]"), "{text}");
}

#[test]
fn the_list_of_devices_that_a_broker_names_bars_at_the_front_door_too() {
    let text = format!(
        "{}[mqtt.broker]\nurl = \"mqtt://localhost\"\ndevices = \"d.toml\"",
        LEAST.replace("devices = \"devices.toml\"", "anonymous = true\n")
    );
    let config = load_one(&text).unwrap().config;
    let of_broker = config.broker.unwrap().devices;
    assert!(of_broker.is_some());
    assert_eq!(config.listen.unwrap().devices, of_broker);
}

#[test]
fn every_fault_is_told_at_once_with_its_origin() {
    let main = r#"
        site = "ams 1"
        dat_dir = "x"
        log = "debug"
        [mqtt.listen]
        address = "localhost"
        tls_cert = "cert.pem"
        anonymous = "no"
        connections_max = 0
        packet_bytes_max = "1 GiB"
        [odoo]
        url = "https://odoo.example.com/web"
        api_key = "hunter2"
        timeout_s = 10.5
        [documents]
        per = "shift"
        [unheard.of]
        thing = "hunter2"
        [control]
        metrics = 9464
    "#;
    let part = "journal.budget = \"1 G\"\ndocuments.idle_s = -1\n[mqtt.broker]\nurl = \"tcp://h\"";
    let environment = [
        ("STOCKRELAY_JOURNAL__DEDUP_DAYS", "ninety"),
        ("STOCKRELAY_MQTT__BROKER__PASSWORD", "hunter2"),
        ("STOCKRELAY_LOG__JSON", "1"),
    ];
    let text = faults(
        &[("config.toml", main), ("config.d/10.toml", part)],
        &environment,
    );
    assert!(!text.contains("hunter2"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn wrong_configurations_are_refused_with_the_remedy() {
    let broker = |lines: &str| format!("{LEAST}[mqtt.broker]\n{lines}");
    let listen = |lines: &str| LEAST.replace("devices = \"devices.toml\"", lines);
    let odoo = |url: &str| LEAST.replace("https://odoo.example.com", url);
    let table = [
        String::new(),
        broker(""),
        broker("url = \"mqtts://gate:hunter2@broker.example\""),
        broker("url = \"mqtts://gate:hunter2@bro ker\""),
        broker("url = \"http://broker.example\""),
        broker("url = \"mqtt://\""),
        broker("url = \"broker.example:1883\""),
        broker(
            "url = \"mqtt://h\"\nca = \"ca.pem\"\nclient_cert = \"c.pem\"\npassword_file = \"p\"",
        ),
        listen("client_ca = \"ca.pem\""),
        listen("tls_key = \"key.pem\"\nanonymous = true"),
        listen("adress = \"0.0.0.0:1883\"\ndevices = \"d\""),
        odoo("https://odoo.example.com:8069/odoo?db=prod"),
        odoo("https://admin:hunter2@odoo.example.com"),
        odoo("ftp://odoo.example.com"),
        LEAST.replace("site = \"ams1\"", "mqtt_listen = 1\nsite = [\"ams1\"]\n"),
        format!(
            "{LEAST}[control]\nsocket = \"/{}\"\nmetrics = \"0.0.0.0:1883\"",
            "x".repeat(120)
        ),
        format!("{LEAST}[log]\nlevel = \"debgu\""),
        format!("{LEAST}[listen]\naddress = \"0.0.0.0:1\"\n[foo]\n"),
        broker("url = \"mqtt://h\"\ndevices = \"others.toml\""),
        "site = \"ams1\"\nsite = \"hunter2\"".to_owned(),
        "[mqtt.listen]\nurl = \"hunter2\nx = 1".to_owned(),
    ];
    let mut all = String::new();
    for content in table {
        let text = faults(&[("config.toml", &content)], &[]);
        assert!(!text.contains("hunter2"), "{text}");
        let content = content.replace(LEAST.trim_end(), "...");
        writeln!(all, "{}\n=> {text}\n", content.trim()).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_typo_names_its_line_and_missing_or_needless_quotes() {
    let main = format!(
        "# the site\n{}[journal]\ndedup_days = \"30\"\nreserve = \"0.1\"\nbudgett = 1\n[log]\njson = \"true\"",
        LEAST.replace("\"ams1\"", "12").replace("\"prod\"", "true")
    );
    insta::assert_snapshot!(faults(&[("config.toml", &main)], &[]));
    let bare = LEAST.replace("\"ams1\"", "ams1");
    insta::assert_snapshot!(faults(&[("config.toml", &bare)], &[]));
}

#[test]
fn a_text_without_quotes_names_its_key_and_never_its_value() {
    for (value, key, hint) in [
        (
            "newuser",
            "odoo.database",
            "a text in quotes: database = \"...\"",
        ),
        (
            "10.0.0.1",
            "odoo.database",
            "a text in quotes: database = \"...\"",
        ),
        ("yes", "odoo.database", "database = true"),
    ] {
        let text = faults(&[("config.toml", &LEAST.replace("\"prod\"", value))], &[]);
        let found = format!("{key}: found a syntax error: a text without quotes");
        assert!(text.contains(&found) && text.contains(hint), "{text}");
        assert!(!text.contains(value), "{text}");
    }
    let port = format!("{LEAST}[control]\nmetrics = 9464\n");
    let text = faults(&[("config.toml", &port)], &[]);
    assert!(text.contains("metrics = \"127.0.0.1:9464\""), "{text}");
}

/// A configuration with this section `[fleet]`.
fn with_fleet(keys: &str) -> String {
    format!("{LEAST}[fleet]\n{keys}\n")
}

#[test]
fn the_link_to_central_it_has_the_site_and_group_in_its_address() {
    let fleet = load_one(LEAST).unwrap().config.fleet;
    assert_eq!(fleet, Fleet::default());
    let keys = "broker = \"mqtts://it.example:8883\"\nca = \"ca.pem\"\ngroup = \"nl\"\n\
                url = \"https://it.example/{group}/{site}.bundle\"\nwatch_s = 5\nquiet_s = 0";
    let (dir, loaded) = load_files(&[("config.toml", &with_fleet(keys))], &[]);
    let loaded = loaded.unwrap();
    let fleet = loaded.config.fleet;
    assert_eq!(
        fleet.url.as_deref(),
        Some("https://it.example/nl/ams1.bundle")
    );
    assert_eq!((fleet.watch_s, fleet.quiet_s, fleet.poll_s), (5, 0, 900));
    let broker = fleet.broker.unwrap();
    assert_eq!(broker.url, "mqtts://it.example:8883");
    assert_eq!(broker.ca, Some(dir.path().join("ca.pem")));
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn wrong_links_to_central_it_are_refused_without_their_passwords() {
    for (keys, expected) in [
        (
            "broker = \"mqtts://gate:hunter2@it.example\"",
            "fleet.username, and the password into the file of fleet.password_file",
        ),
        (
            "broker = \"https://it.example\"",
            "accepted is mqtt://HOST or mqtts://HOST:PORT",
        ),
        (
            "broker = \"mqtt://it.example\"\nca = \"ca.pem\"",
            "fleet.ca: found certificates for a connection without TLS",
        ),
        (
            "broker = \"mqtts://it.example\"\nclient_cert = \"c.pem\"",
            "both fleet.client_cert and fleet.client_key, or neither",
        ),
        (
            "password_file = \"p\"",
            "fleet.password_file: found a password without a user name",
        ),
        (
            "url = \"https://a:hunter2@it.example/b\"",
            "fleet.url: found a name or password in the URL (not shown)",
        ),
        (
            "url = \"http://it.example/hunter2\"",
            "found another scheme than https://",
        ),
        (
            "url = \"https://it.example/{grup}\"",
            "found another word in { }",
        ),
        (
            "url = \"https://it.example/{group}\"",
            "found {group} without a group",
        ),
        ("poll_s = 0", "a whole number from 1 to 86400"),
        (
            "quiet_s = 20\nquiet_max_s = 10",
            "at least fleet.quiet_s, which is 20",
        ),
        ("group = \"a/b\"", "fleet.group: found \"a/b\""),
    ] {
        let text = faults(&[("config.toml", &with_fleet(keys))], &[]);
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn central_it_reads_its_section_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, "[fleet]\nbroker = \"mqtts://it.example\"").unwrap();
    let fleet = load_fleet(&path, &[]).unwrap();
    assert_eq!(fleet.broker.unwrap().url, "mqtts://it.example");
    fs::write(&path, "[fleet]\nbrokr = 1").unwrap();
    let error = load_fleet(&path, &[]).unwrap_err().to_string();
    assert!(
        error.contains("fleet.brokr: found an unknown key"),
        "{error}"
    );
}

#[test]
fn a_pattern_for_lots_is_a_regular_expression() {
    let capture = |pattern: &str| format!("{LEAST}[capture]\nlot_pattern = '{pattern}'\n");
    let config = load_one(&capture("[0-9]{6}")).unwrap().config;
    assert!(config.capture.lot_pattern.unwrap().fits("261128"));
    let text = faults(&[("config.toml", &capture("("))], &[]);
    assert!(
        text.contains("capture.lot_pattern") && text.contains("a regular expression"),
        "{text}"
    );
}

#[test]
fn what_is_risky_is_warned_about() {
    let content = LEAST
        .replace("https:", "http:")
        .replace("devices = \"devices.toml\"", "anonymous = true")
        + "[mqtt.broker]\nurl = \"mqtt://10.0.0.1\"\nusername = \"g\"\npassword_file = \"p\"";
    insta::assert_snapshot!(load_one(&content).unwrap().warnings.join("\n"));
}

#[test]
fn files_that_cannot_be_read_are_faults_of_their_own() {
    let missing = load(Path::new("/nonexistent/config.toml"), &[]).unwrap_err();
    assert!(matches!(missing, ConfigError::Missing(_)));
    assert!(
        missing
            .to_string()
            .contains("configuration file /nonexistent/config.toml does not exist")
    );

    let dir = tempfile::tempdir().unwrap();
    let text = load(dir.path(), &[]).unwrap_err().to_string();
    assert!(text.contains("a readable TOML file"), "{text}");

    let path = dir.path().join("config.toml");
    fs::write(&path, b"site = \"\xff\"").unwrap();
    let text = load(&path, &[]).unwrap_err().to_string();
    assert!(text.contains("UTF-8"), "{text}");

    fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    let text = load(&path, &[]).unwrap_err().to_string();
    assert!(text.contains("more than 1048576 bytes"), "{text}");
}

#[test]
fn debug_output_of_a_broker_holds_no_url() {
    let broker = load_one(&format!(
        "{LEAST}[mqtt.broker]\nurl = \"mqtts://b.example:8884\""
    ))
    .unwrap();
    assert!(!format!("{:?}", broker.config).contains("b.example"));
}
