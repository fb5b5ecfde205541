//! Bundles are checked for one site, and for all sites before they are signed.

use std::fs;

use stockrelay::fleet::build::build;

use super::{MANIFEST, Office};

#[test]
fn a_bundle_is_checked_at_any_site_on_any_machine() {
    let office = Office::new();
    office.write(
        "autumn/files/groups/nl/config.d/60.toml",
        "[odoo]\nrefresh_s = 7\n",
    );
    office.write(
        "autumn/files/sites/ams1/config.d/70.toml",
        "[odoo]\nrefresh_s = \"soon\"\nnew = 1\n",
    );
    let stderr = office.refused(
        &["bundle", "autumn", "-o", "autumn.bundle"],
        "configuration",
    );
    let wanted = "the bundle has 2 faults:\n  files/sites/ams1/config.d/70.toml:2: odoo.refresh_s: found \"soon\"";
    assert!(stderr.contains(wanted), "{stderr}");
    assert!(!office.path("autumn.bundle").exists());
    let built = build(&office.path("autumn")).unwrap();
    fs::write(office.path("autumn.bundle"), built).unwrap();
    office.refused(
        &["sign", "autumn.bundle", "--key", "anna.key"],
        "configuration",
    );
    let (code, out, _) = office.run(&["check", "autumn.bundle", "--all"]);
    assert_eq!(
        (code, out.matches("fault: files/").count()),
        (64, 2),
        "{out}"
    );
    // The file of central IT's desk is no gateway's.
    office.write(
        "desk.toml",
        "[fleet]\nbroker = \"mqtts://it.example:8883\"\n",
    );
    let desk = [
        "check",
        "autumn.bundle",
        "--as",
        "ams2",
        "--group",
        "nl",
        "--config",
        "desk.toml",
    ];
    let out = office.done(&desk);
    assert!(
        out.contains("no configuration of a gateway") && out.contains("no fault"),
        "{out}"
    );
    let out = office.done(&["check", "autumn.bundle", "--as", "ams2", "--group", "nl"]);
    assert!(
        out.contains("no fault") && out.contains("the systemd credential odoo-api-key"),
        "{out}"
    );
    let (code, out, _) = office.run(&["check", "autumn.bundle", "--as", "ams1"]);
    assert_eq!(code, 64);
    for part in [
        "fault: bundle 42, sites/ams1/config.d/70.toml:2: odoo.refresh_s: found \"soon\"",
        "fault: bundle 42, sites/ams1/config.d/70.toml:3: odoo.new: found an unknown key",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    office.refused(&["check", "autumn.bundle", "--as", "ber1"], "other-site");
    let (code, _, stderr) = office.run(&["check", "autumn.bundle"]);
    assert!(code == 2 && stderr.contains("--as SITE"), "{stderr}");
}

#[test]
fn a_check_with_the_gateways_own_files_names_missing_credentials() {
    let office = Office::new();
    office.write(
        "gateway/config.toml",
        "site = \"x\"\n[mqtt.listen]\ndevices = \"devices.toml\"\n[odoo]\nurl = \"https://odoo.example\"\ndatabase = \"prod\"\napi_key_file = \"odoo.key\"\n",
    );
    office.write(
        "gateway/devices.toml",
        "[devices.pda-1]\nprofile = \"own.toml\"\n",
    );
    office.write(
        "autumn/files/devices.toml",
        "[devices.pda-1]\nprofile = \"nothing.toml\"\n",
    );
    office.signed(&[]);
    let arguments = [
        "check",
        "autumn.bundle",
        "--as",
        "ams1",
        "--config",
        "gateway/config.toml",
    ];
    let (code, out, _) = office.run(&arguments);
    assert_eq!(code, 64, "{out}");
    assert!(
        out.contains("fault: files/devices.toml: devices.pda-1.profile"),
        "{out}"
    );
    assert!(
        out.contains("odoo.key, which is not on this machine"),
        "{out}"
    );
    office.write("gateway/odoo.key", "x");
    office.write(
        "autumn/files/devices.toml",
        "[devices.pda-1]\nprofile = \"proglove-streams\"\n",
    );
    office.signed(&[]);
    let out = office.done(&arguments);
    assert!(!out.contains("not on this machine"), "{out}");
}

#[test]
fn a_check_names_the_group_whose_profile_a_list_needs() {
    let office = Office::new();
    let own = include_str!("../../../scanner-profiles/bare-mqtt.toml");
    office.write(
        "autumn/files/groups/nl/scanner-profiles/nl-scan.toml",
        &own.replacen("bare-mqtt", "nl-scan", 1),
    );
    office.write(
        "autumn/files/sites/ams1/devices.toml",
        "[devices.pda-1]\nprofile = \"nl-scan\"\n",
    );
    office.signed(&[]);
    let (code, out, _) = office.run(&["check", "autumn.bundle", "--as", "ams1"]);
    let wanted = "the bundle has it for group nl: add --group nl";
    assert!(code == 64 && out.contains(wanted), "{out}");
    office.done(&["check", "autumn.bundle", "--as", "ams1", "--group", "nl"]);
}

#[test]
fn a_text_is_no_bundle_and_an_expired_bundle_has_a_warning() {
    let office = Office::new();
    let (code, _, stderr) = office.run(&["inspect", "trust.toml"]);
    assert!(
        code == 1 && stderr.contains("trust.toml is no bundle: it is a text"),
        "{stderr}"
    );
    office.write(
        "autumn/manifest.toml",
        &MANIFEST
            .replace("2026-11", "2026-01")
            .replace("2096", "2026"),
    );
    office.signed(&[]);
    for command in [
        &["sign", "autumn.bundle", "--key", "anna.key"][..],
        &["check", "autumn.bundle", "--all"],
        &["check", "autumn.bundle", "--as", "ams1"],
    ] {
        let (code, _, stderr) = office.run(command);
        assert!(
            code == 0 && stderr.contains("the bundle expired at"),
            "{command:?}: {stderr}"
        );
    }
}

#[test]
fn a_bundle_with_new_keys_says_who_must_sign_next() {
    let office = Office::new();
    let trust = fs::read_to_string(office.path("trust.toml")).unwrap();
    let id = trust.split('"').nth(1).unwrap();
    office.write(
        "autumn/files/trust.toml",
        &format!("version = 3\nrevoked = [\"{id}\"]\n{trust}"),
    );
    office.signed(&["anna", "ben"]);
    let change = "trust.toml version 3: revokes anna; 1 of ben must sign the next bundles";
    let out = office.done(&["verify", "autumn.bundle", "--trust", "trust.toml"]);
    assert!(out.contains(&format!("it brings {change}")), "{out}");
    let out = office.done(&["inspect", "autumn.bundle"]);
    assert!(out.contains(change), "{out}");
}
