use super::*;

fn faults(path: &str, text: &str) -> Vec<(Cause, String)> {
    let files = [(path.to_owned(), Bytes::copy_from_slice(text.as_bytes()))].into();
    let faults = find_faults(&files).into_iter();
    faults
        .map(|(cause, fault)| (cause, fault.to_string()))
        .collect()
}

#[track_caller]
fn refuses(path: &str, text: &str, cause: Cause, part: &str) {
    let found = faults(path, text);
    let is_found = |(found, shown): &(Cause, String)| *found == cause && shown.contains(part);
    assert!(found.iter().any(is_found), "{path}: {text}: {found:?}");
}

const CONFIG: &str = "config.d/50.toml";

#[test]
fn keys_that_belong_to_the_gateway_are_refused_with_their_line() {
    for (text, key) in [
        ("site = \"ams2\"", "site"),
        ("\ndata_dir = \"/tmp\"", "data_dir"),
        ("[control]\nsocket = \"/tmp/x\"", "control"),
        ("control.metrics = \"0.0.0.0:9464\"", "control"),
        ("[fleet]\nurl = \"https://evil.example\"", "fleet"),
        ("fleet = 1", "fleet"),
        ("\"site\" = \"x\"", "site"),
    ] {
        refuses(
            CONFIG,
            text,
            Cause::ForbiddenKey,
            &format!(": {key}: found a key that only"),
        );
        let own = format!("sites/ams1/{CONFIG}");
        refuses(&own, text, Cause::ForbiddenKey, &format!("files/{own}:"));
    }
    refuses(
        CONFIG,
        "# 1\n\ndata_dir = \"x\"",
        Cause::ForbiddenKey,
        "files/config.d/50.toml:3: data_dir",
    );
    assert_eq!(
        faults(
            CONFIG,
            "[odoo]\ndatabase = \"prod\"\n[capture]\ncheck = \"off\""
        ),
        []
    );
    // A device may be named so.
    assert_eq!(
        faults("devices.toml", "[devices.site]\nlanguage = \"de\""),
        []
    );
}

#[test]
fn secrets_are_refused_and_never_shown() {
    let word = "hunter2";
    for (path, text) in [
        (
            "devices.toml",
            "[devices.pda-1]\npassword = \"hunter2\"".to_owned(),
        ),
        (
            "devices.toml",
            "[devices.pda-1]\npassword = \"$scrypt$ln=1$hunter2\"".to_owned(),
        ),
        (CONFIG, "[odoo]\napi_key = \"hunter2\"".to_owned()),
        (CONFIG, "mqtt.broker.Password = \"hunter2\"".to_owned()),
        (
            "floor/values.toml",
            "[all]\nwifi-password = \"hunter2\"".to_owned(),
        ),
        (
            "floor/values.toml",
            "[all]\nwifiPassword = \"hunter2\"".to_owned(),
        ),
        (
            "floor/values.toml",
            "[[list]]\nclient_secret = \"hunter2\"".to_owned(),
        ),
        (
            "floor/esp32.json",
            r#"{"wifi": [{"psk": "hunter2"}]}"#.to_owned(),
        ),
        (
            CONFIG,
            "[mqtt.broker]\nurl = \"mqtts://anna:hunter2@broker.example\"".to_owned(),
        ),
        (CONFIG, "# see https://anna:hunter2@it.example/x".to_owned()),
        (
            CONFIG,
            "# -----BEGIN EC PRIVATE KEY-----\n# hunter2".to_owned(),
        ),
        (
            "floor/esp32.json",
            r#"{"key": "-----BEGIN PRIVATE KEY-----\nhunter2"}"#.to_owned(),
        ),
        (CONFIG, "# AGE-SECRET-KEY-1hunter2".to_owned()),
        (CONFIG, "# RWQAAEIyhunter2".to_owned()),
        ("sites/ams1/secrets/odoo-api-key.age", "hunter2".to_owned()),
    ] {
        refuses(path, &text, Cause::Secret, "");
        for (_, shown) in faults(path, &text) {
            assert!(!shown.contains(word), "{path}: {shown}");
        }
    }
    refuses(
        "devices.toml",
        "password = 1234",
        Cause::Secret,
        "files/devices.toml:1: password: found a secret",
    );
}

#[test]
fn a_secret_has_a_known_name_and_a_limited_size() {
    let head = "age-encryption.org/v1\n";
    refuses(
        "sites/ams1/secrets/odoo_api_key.age",
        head,
        Cause::Secret,
        "found a secret that no gateway uses; accepted is odoo-api-key.age, odoo-ca.age, ",
    );
    let large = format!("{head}{}", "x".repeat(AGE_BYTES_MAX));
    refuses(
        "sites/ams1/secrets/odoo-api-key.age",
        &large,
        Cause::Secret,
        "accepted is at most 131072 bytes",
    );
    let known: std::collections::BTreeSet<_> = crate::config::known_places().into_iter().collect();
    for (name, key) in SECRETS {
        assert!(known.contains(key), "{key}");
        let stem = key.trim_end_matches("_file");
        assert_eq!(stem.replace(['.', '_'], "-"), name);
        let path = format!("sites/ams1/secrets/{name}.age");
        assert!(faults(&path, head).is_empty(), "{path}");
    }
}

#[test]
fn hashes_names_of_files_placeholders_and_encrypted_secrets_are_accepted() {
    for (path, text) in [
        (
            "devices.toml",
            "[devices.pda-1]\npassword = \"$argon2id$v=19$m=7168,t=5,p=1$a$b\"",
        ),
        (
            CONFIG,
            "[odoo]\napi_key_file = \"odoo.key\"\n[mqtt.broker]\npassword_file = \"x\"",
        ),
        (
            CONFIG,
            "[mqtt.broker]\nurl = \"mqtts://broker.example:8883\"\nclient_key = \"gateway.key\"",
        ),
        (
            "floor/esp32.json",
            r#"{"password": "{{wifi_hash}}", "show_password": true, "token": ""}"#,
        ),
        (
            "sites/ams1/secrets/odoo-api-key.age",
            "age-encryption.org/v1\n-> X25519 ...",
        ),
        (
            "sites/ams1/secrets/odoo-api-key.age",
            "-----BEGIN AGE ENCRYPTED FILE-----\n...",
        ),
        (
            CONFIG,
            "# a person@example.com, https://it.example:8443/x@y",
        ),
    ] {
        assert_eq!(faults(path, text), [], "{path}: {text}");
    }
}

#[test]
fn files_in_other_places_and_files_that_do_not_parse_are_refused() {
    refuses(
        "config.toml",
        "",
        Cause::Layout,
        "accepted is config.d/NAME.toml",
    );
    refuses(
        "groups/nl/trust.toml",
        "",
        Cause::Layout,
        "files/groups/nl/trust.toml",
    );
    refuses(CONFIG, "a = \n", Cause::Syntax, "files/config.d/50.toml:1");
    refuses(
        "floor/esp32.json",
        "{\n\"a\": }",
        Cause::Syntax,
        "files/floor/esp32.json:2",
    );
    let files = [(CONFIG.to_owned(), Bytes::from_static(b"\xff"))].into();
    assert_eq!(find_faults(&files)[0].0, Cause::Syntax);
}

#[test]
fn all_faults_of_all_files_are_found_at_once() {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let files = [
        (CONFIG.to_owned(), text("site = \"a\"\ndata_dir = \"b\"\n")),
        (
            "devices.toml".to_owned(),
            text("[devices.a]\npassword = \"x\"\n"),
        ),
        ("x.toml".to_owned(), text("")),
    ];
    let causes: Vec<_> = find_faults(&files.into())
        .iter()
        .map(|(cause, _)| *cause)
        .collect();
    assert_eq!(
        causes,
        [
            Cause::ForbiddenKey,
            Cause::ForbiddenKey,
            Cause::Secret,
            Cause::Layout
        ]
    );
}
