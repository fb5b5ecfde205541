use super::*;
use crate::fleet::samples::{CAPTURE, MANIFEST_DRAFT, bundle};

fn check_files(manifest: &str, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let bundle = Bundle::read(&bundle(manifest, files)).unwrap();
    let result = check(&bundle).unwrap();
    assert_eq!(result.floor, []);
    (result.faults, result.warnings)
}

#[track_caller]
fn assert_starts(found: &[String], wanted: &[&str]) {
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
    }
}

fn profile(name: &str, kind: &str) -> String {
    let text = include_str!("../../../scanner-profiles/bare-mqtt.toml");
    let text = text.replacen("bare-mqtt", name, 1);
    text.replacen("kind = \"mqtt\"", &format!("kind = \"{kind}\""), 1)
}

#[test]
fn all_faults_of_all_layers_are_found_at_once_and_each_once() {
    let kind = profile("own", "mqt");
    let line = |text: &str, part: &str| {
        let at = text.lines().position(|line| line.contains(part)).unwrap();
        (at + 1).to_string()
    };
    let name = profile("other", "mqtt");
    let files = [
        CAPTURE,
        ("config.d/60.toml", "[capture]\nchek = \"strict\"\n"),
        ("groups/nl/config.d/60.toml", "[odoo]\n\ntimeout_s = 1\n"),
        ("sites/ams1/config.d/70.toml", "[log]\nlevel = 7\n"),
        ("scanner-profiles/own.toml", &kind),
        ("groups/de/scanner-profiles/name.toml", &name),
        (
            "sites/ber1/devices.toml",
            "[devices.pda-1]\nfamly = \"esp32\"\npassword = \"$argon2id$broken\"\n",
        ),
        ("scanners.toml", "\n[scanners.dock]\nprot = \"x\"\n"),
    ];
    let (faults, warnings) = check_files(MANIFEST_DRAFT, &files);
    assert_eq!(warnings, [""; 0]);
    let wanted = [
        "files/config.d/60.toml:2: capture.chek: found an unknown key".to_owned(),
        format!(
            "files/groups/de/scanner-profiles/name.toml:{}: profile.name: found \"other\"; accepted is \"name\"",
            line(&name, "name = ")
        ),
        "files/groups/nl/config.d/60.toml:3: odoo.timeout_s: found 1".to_owned(),
        format!(
            "files/scanner-profiles/own.toml:{}: connection.kind: found the text mqt;",
            line(&kind, "kind = ")
        ),
        "files/scanners.toml:2: scanners.dock.profile: ".to_owned(),
        "files/scanners.toml:3: scanners.dock.prot: ".to_owned(),
        "files/sites/ams1/config.d/70.toml:2: log.level: ".to_owned(),
        "files/sites/ber1/devices.toml:2: devices.pda-1.famly: ".to_owned(),
        "files/sites/ber1/devices.toml:3: devices.pda-1.password ".to_owned(),
    ];
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    assert_starts(&faults, &wanted);
}

#[test]
fn what_the_gateways_own_files_can_mend_is_no_fault() {
    let config = "\
[mqtt.broker]
password_file = \"password\"
ca = \"ca.pem\"
client_cert = \"cert.pem\"
[mqtt.listen]
tls_cert = \"cert.pem\"
client_ca = \"ca.pem\"
[odoo]
refresh_s = 7
";
    let files = [
        ("config.d/1.toml", config),
        ("devices.toml", "[devices.a]\n"),
    ];
    assert_eq!(check_files(MANIFEST_DRAFT, &files), (vec![], vec![]));
}

#[test]
fn a_profile_of_one_group_is_missing_elsewhere_only_with_a_warning() {
    let own = profile("nl-scan", "mqtt");
    let files = [
        ("groups/nl/scanner-profiles/nl-scan.toml", own.as_str()),
        (
            "sites/rtm1/devices.toml",
            "[devices.a]\nprofile = \"nl-scan\"\n",
        ),
    ];
    let (faults, warnings) = check_files(MANIFEST_DRAFT, &files);
    assert_eq!(faults, [""; 0]);
    assert_starts(
        &warnings,
        &[
            "at site rtm1 without a group: files/sites/rtm1/devices.toml:2: devices.a.profile: found \"nl-scan\"",
        ],
    );
}

#[test]
fn only_the_sites_of_the_targets_count() {
    let manifest = MANIFEST_DRAFT.replacen("all = true", "sites = [\"ams1\"]", 1);
    let bad = "[capture]\nchek = 1\n";
    let files = [CAPTURE, ("sites/ber1/config.d/1.toml", bad)];
    assert_eq!(check_files(&manifest, &files), (vec![], vec![]));
    // The site may be in any group.
    let files = [CAPTURE, ("groups/nl/config.d/1.toml", bad)];
    let (faults, _) = check_files(&manifest, &files);
    assert_starts(
        &faults,
        &["files/groups/nl/config.d/1.toml:2: capture.chek"],
    );
}
