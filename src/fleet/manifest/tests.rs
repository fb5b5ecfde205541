use super::*;
use crate::fleet::samples::{CAPTURE, MANIFEST_DRAFT};

fn draft(text: &str) -> Result<Manifest, String> {
    let faults = |faults: Vec<Fault>| {
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        texts.join("\n")
    };
    Manifest::parse_draft(text).map_err(faults)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A draft with other targets and rings.
fn with(rest: &str) -> String {
    let head = MANIFEST_DRAFT.split("[targets]").next().unwrap();
    format!("{head}{rest}")
}

#[test]
fn the_manifest_of_the_documents_is_read() {
    let text = format!(
        "{}{}",
        with(
            "not_before = \"2026-11-29T03:00:00Z\"\nrequires = \">=0.1, <0.4\"\n[targets]\nsites = [\"ams1\", \"ams2\"]\n\
             [[ring]]\nsites = [\"ams1\"]\nwait_s = 3600\n[[ring]]\nshare = 0.1\nwait_s = 7200\n[[ring]]\nall = true\n"
        ),
        list_files([(CAPTURE.0, CAPTURE.1.as_bytes())])
    );
    let manifest = Manifest::parse(&text).unwrap();
    assert_eq!(
        (manifest.serial, manifest.name.as_str()),
        (42, "autumn profiles")
    );
    assert_eq!(manifest.files[0].path, "config.d/50-capture.toml");
    assert_eq!(manifest.files[0].bytes, 27);
    let start: Timestamp = "2026-11-29T03:00:00Z".parse().unwrap();
    let at = |seconds| Due::At(start + SignedDuration::from_secs(seconds));
    let due: Vec<_> = (0..3).map(|ring| manifest.due(ring)).collect();
    assert_eq!(due, [at(0), at(3_600), at(10_800)]);
    assert!(manifest.is_for(&name("ams2"), None) && !manifest.is_for(&name("ams3"), None));
    assert_eq!(manifest.ring(&name("ams1"), None), Some(0));
    let version = |text: &str| semver::Version::parse(text).unwrap();
    let requires = manifest.requires.unwrap();
    assert!(requires.matches(&version("0.3.9")) && !requires.matches(&version("0.4.0")));
}

#[test]
fn every_fault_has_key_line_found_and_accepted() {
    let text = "\
format = 2
serial = 0
created = 2026-11-28T09:00:00Z
expires = \"soon\"
requires = \"new\"
nmae = \"x\"
[targets]
site = [\"ams1\"]
[[ring]]
share = 1.5
[[ring]]
wait_s = -1
all = true
sites = [\"a b\"]
[[file]]
path = \"../x\"
sha256 = \"12\"
size = 1
";
    let faults = Manifest::parse(text).unwrap_err();
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let all = texts.join("\n");
    for part in [
        "manifest.toml:1: format: found 2; accepted is a whole number from 1 to 1",
        "manifest.toml:2: serial: found 0;",
        "manifest.toml: name: missing;",
        "manifest.toml:3: created: found a time without quotes; accepted is a time in quotes",
        "manifest.toml:4: expires: found \"soon\";",
        "manifest.toml:5: requires: found \"new\"; accepted is versions of stockrelay",
        "manifest.toml:6: nmae: found an unknown key; accepted is one of format, serial",
        "manifest.toml:8: targets.site: found an unknown key; accepted is one of sites, groups, all",
        "manifest.toml:7: targets: missing;",
        "manifest.toml:10: ring[1].share: found 1.5; accepted is a number above 0, up to 1",
        "manifest.toml:12: ring[2].wait_s: found -1;",
        "manifest.toml:14: ring[2].sites: found an array with another value;",
        "ring[2]: found several ways to choose sites;",
        "manifest.toml:16: file[1].path: found \"../x\"; accepted is config.d/NAME.toml",
        "manifest.toml:17: file[1].sha256: found \"12\";",
        "file[1].bytes: missing;",
        "manifest.toml:18: file[1].size: found an unknown key;",
    ] {
        assert!(all.contains(part), "{part}\n--\n{all}");
    }
}

#[test]
fn each_needed_key_is_needed() {
    assert!(draft(MANIFEST_DRAFT).is_ok());
    for key in ["format", "serial", "name", "created", "expires"] {
        let line = |line: &&str| !line.starts_with(&format!("{key} ="));
        let text: Vec<_> = MANIFEST_DRAFT.lines().filter(line).collect();
        let faults = draft(&text.join("\n")).unwrap_err();
        assert!(faults.contains(&format!("{key}: missing")), "{faults}");
    }
    for section in ["[targets]\nall = true\n", "[[ring]]\nall = true\n"] {
        let faults = draft(&MANIFEST_DRAFT.replace(section, "")).unwrap_err();
        assert!(faults.contains("missing"), "{faults}");
    }
    let faults = Manifest::parse(MANIFEST_DRAFT).unwrap_err();
    assert_eq!(faults[0].key, "file");
}

#[test]
fn a_file_is_listed_once_and_a_draft_lists_none() {
    let files = list_files([(CAPTURE.0, CAPTURE.1.as_bytes())]);
    let text = format!("{MANIFEST_DRAFT}{files}{files}");
    let faults = Manifest::parse(&text).unwrap_err();
    assert!(faults[0].found.contains("twice"), "{faults:?}");
    let faults = draft(&format!("{MANIFEST_DRAFT}{files}")).unwrap_err();
    assert!(faults.contains("file: found an unknown key"), "{faults}");
}

#[test]
fn a_bundle_expires_after_it_starts() {
    let text = MANIFEST_DRAFT.replace("2027-03-01", "2026-11-01");
    assert!(draft(&text).unwrap_err().contains("expires"));
    let late = MANIFEST_DRAFT.replace(
        "[targets]",
        "not_before = \"2027-03-02T00:00:00Z\"\n[targets]",
    );
    assert!(draft(&late).unwrap_err().contains("expires"));
}

#[test]
fn a_target_that_no_ring_names_is_a_fault() {
    for (rest, part) in [
        (
            "[targets]\nsites = [\"a\", \"b\"]\n[[ring]]\nsites = [\"a\"]\n",
            "site b",
        ),
        (
            "[targets]\ngroups = [\"nl\"]\n[[ring]]\ngroups = [\"de\"]\n",
            "group nl",
        ),
        (
            "[targets]\nsites = [\"a\"]\n[[ring]]\ngroups = [\"nl\"]\n",
            "site a",
        ),
        (
            "[targets]\nall = true\n[[ring]]\nshare = 0.5\n",
            "all = true in targets",
        ),
        (
            "[targets]\nall = true\n[[ring]]\nsites = [\"a\"]\n",
            "all = true in targets",
        ),
    ] {
        let faults = draft(&with(rest)).unwrap_err();
        assert!(
            faults.contains(part) && faults.contains("ring"),
            "{rest}: {faults}"
        );
    }
    for rest in [
        "[targets]\nsites = [\"a\"]\ngroups = [\"nl\"]\n[[ring]]\nsites = [\"a\"]\n[[ring]]\ngroups = [\"nl\"]\n",
        "[targets]\nsites = [\"a\", \"b\"]\n[[ring]]\nsites = [\"a\"]\n[[ring]]\nall = true\n",
        "[targets]\nall = true\n[[ring]]\nshare = 1\n",
        "[targets]\nall = true\n[[ring]]\nshare = 0.1\n[[ring]]\nshare = 1.0\n",
    ] {
        assert!(draft(&with(rest)).is_ok(), "{rest}");
    }
}

#[test]
fn a_choice_has_one_way() {
    for rest in [
        "[targets]\n[[ring]]\nall = true\n",
        "[targets]\nall = false\n[[ring]]\nall = true\n",
        "[targets]\nsites = []\n[[ring]]\nall = true\n",
        "[targets]\nall = true\nsites = [\"a\"]\n[[ring]]\nall = true\n",
        "[targets]\nshare = 0.5\n[[ring]]\nall = true\n",
        "[targets]\nall = true\n[[ring]]\nall = true\n[[ring]]\n",
        "[targets]\nall = true\n[[ring]]\nall = true\nshare = 0.5\n",
        "[targets]\nall = true\n[[ring]]\nshare = 0\n[[ring]]\nall = true\n",
    ] {
        assert!(draft(&with(rest)).is_err(), "{rest}");
    }
}

/// The numbers are from another program (Python's hashlib and fractions).
#[test]
fn the_share_of_a_site_is_that_of_its_hash() {
    let share = |site: &str, serial: u64| {
        let site = name(site);
        (1..=1_000).find(|share| is_in_share(&site, serial, f64::from(*share) / 1_000.0))
    };
    assert_eq!(share("ams1", 42), Some(101));
    assert_eq!(share("ams1", 43), Some(617));
    assert_eq!(share("ber-2", 42), Some(422));
    let count = (0..10_000)
        .filter(|number| is_in_share(&name(&format!("s{number}")), 7, 0.1))
        .count();
    assert!((900..1_100).contains(&count), "{count} of 10,000");
    assert!(is_in_share(&name("ams1"), 1, 1.0));
    assert!(!is_in_share(&name("ams1"), 1, f64::MIN_POSITIVE));
}

#[test]
fn without_not_before_the_first_ring_is_due_at_once_and_later_ones_count_from_created() {
    let rest =
        "[targets]\nall = true\n[[ring]]\nsites = [\"a\"]\nwait_s = 60\n[[ring]]\nall = true\n";
    let manifest = draft(&with(rest)).unwrap();
    assert_eq!(manifest.due(0), Due::AtOnce);
    assert!(manifest.due(0).has_come(Timestamp::MIN));
    let due: Timestamp = "2026-11-28T09:01:00Z".parse().unwrap();
    assert_eq!(manifest.due(1), Due::At(due));
    assert!(
        manifest.due(1).has_come(due)
            && !manifest.due(1).has_come(due - SignedDuration::from_secs(1))
    );
}

#[test]
fn a_group_chooses_its_sites() {
    let rest = "[targets]\ngroups = [\"nl\"]\n[[ring]]\ngroups = [\"nl\"]\n";
    let manifest = draft(&with(rest)).unwrap();
    assert!(manifest.is_for(&name("ams1"), Some(&name("nl"))));
    assert!(!manifest.is_for(&name("ams1"), Some(&name("de"))));
    assert!(!manifest.is_for(&name("ams1"), None));
    assert_eq!(manifest.ring(&name("ams1"), Some(&name("nl"))), Some(0));
}
