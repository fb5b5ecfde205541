//! Records that were written once stay readable, byte for byte: `journal/stored/fleet.txt` has a
//! line a record, name and hex. A form that changes is a new version; no line of the file ever
//! changes.

use super::*;
use crate::fleet::tests::samples::{KEY, at, facts, id, seconds, stop};

const FIXTURES: &str = include_str!("../../journal/stored/fleet.txt");

fn fixture(name: &str) -> Vec<u8> {
    let lines = FIXTURES.lines().filter_map(|line| line.split_once(' '));
    let (_, hex) = lines
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no record of {name}"));
    let bytes = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    bytes.map(byte).collect()
}

fn pending(serial: u64, state: BundleState) -> PendingBundle {
    let mut facts = facts(serial);
    facts.not_before = Some(at(5));
    facts.ring = RingDue {
        number: 2,
        due: Some(at(6)),
    };
    PendingBundle {
        facts,
        state,
        since: at(7),
        until: Some(at(8)),
        reason: Some("ring 2 is due".to_owned()),
        changes_odoo: true,
    }
}

fn confirmed(serial: u64) -> ConfirmedBundle {
    ConfirmedBundle {
        id: id(serial),
        name: "autumn profiles".to_owned(),
        expires: at(9),
        since: at(10),
    }
}

fn watch() -> BundleWatch {
    BundleWatch {
        begun: at(11),
        elapsed: seconds(70),
        baseline: Baseline {
            odoo_is_held: false,
            odoo_must_be_up: true,
            sources_up: ["listen".to_owned()].into(),
            devices: ["d1".to_owned(), "d2".to_owned()].into(),
            centre_is_up: true,
            refused_per_hour: 3,
        },
        refused: 2,
        unclean_starts: 1,
        is_stopped_cleanly: true,
    }
}

/// A record with every field filled.
fn full() -> FleetRecord {
    let last = |outcome| LastOutcome {
        id: id(41),
        outcome,
        reason: "the link to Odoo became held".to_owned(),
        at: at(12),
    };
    let entry = |outcome| HistoryEntry {
        at: at(13),
        by: "broker".to_owned(),
        serial: 41,
        outcome,
        reason: "watched for 300 s".to_owned(),
    };
    FleetRecord {
        highest: Some(id(43)),
        stops: [(KeyId::from_bytes(KEY), stop(7, 43, true))].into(),
        resumed: 6,
        confirmed: Some(confirmed(40)),
        previous: Some(PreviousSet::Bundle(confirmed(39))),
        pending: Some(pending(42, BundleState::Watching)),
        next: Some(pending(43, BundleState::Waiting)),
        last: Some(last(BundleOutcome::RolledBack)),
        rolled_back: vec![RolledBackBundle {
            id: id(41),
            reason: "the connection was lost".to_owned(),
            at: at(14),
            may_retry: true,
        }],
        watch: Some(watch()),
        history: OUTCOMES.map(entry).into(),
    }
}

const OUTCOMES: [BundleOutcome; 4] = [
    BundleOutcome::Confirmed,
    BundleOutcome::RolledBack,
    BundleOutcome::Refused,
    BundleOutcome::Superseded,
];

/// A record of each form.
fn records() -> Vec<(String, FleetRecord)> {
    let mut records = vec![
        ("empty".to_owned(), FleetRecord::default()),
        ("full".to_owned(), full()),
        (
            "previous-files".to_owned(),
            FleetRecord {
                previous: Some(PreviousSet::Files),
                ..FleetRecord::default()
            },
        ),
    ];
    for state in BundleState::ALL {
        let mut bare = pending(42, state);
        (bare.until, bare.reason, bare.changes_odoo) = (None, None, false);
        (bare.facts.not_before, bare.facts.ring.due) = (None, None);
        let record = FleetRecord {
            pending: Some(bare),
            ..FleetRecord::default()
        };
        records.push((state.name().to_owned(), record));
    }
    for outcome in OUTCOMES {
        let record = FleetRecord {
            last: Some(LastOutcome {
                id: id(41),
                outcome,
                reason: String::new(),
                at: at(12),
            }),
            ..FleetRecord::default()
        };
        records.push((format!("last-{}", outcome.name()), record));
    }
    records
}

#[test]
fn records_of_each_form_are_read_and_written_as_always() {
    let records = records();
    assert_eq!(records.len(), 17);
    let lines = FIXTURES.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), records.len());
    for (name, record) in records {
        assert_eq!(record_out(&fixture(&name)).unwrap(), record, "{name}");
        assert_eq!(record_in(&record).unwrap(), fixture(&name), "{name}");
    }
}

#[test]
fn numbers_that_this_version_does_not_know_are_an_error() {
    // The first byte is the version.
    let mut newer = fixture("full");
    newer[0] = 1;
    let error = record_out(&newer).unwrap_err().to_string();
    assert!(error.contains("fleet record") && error.contains("newer version"));
    let unknown = |name: &str, other: &str, text: &str| {
        // The two records differ in the number alone.
        let (mut bytes, other) = (fixture(name), fixture(other));
        let at = (bytes.iter().zip(&other)).position(|(one, other)| one != other);
        bytes[at.unwrap()] = 99;
        let error = record_out(&bytes).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    unknown("waiting", "staged", "no state has the number 99");
    let text = "no outcome has the number 99";
    unknown("last-refused", "last-superseded", text);
}

#[test]
fn a_record_that_is_cut_is_an_error() {
    let full = fixture("full");
    for cut in 0..full.len() {
        assert!(record_out(&full[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
#[ignore = "prints the records of this version, for the file of a new version: cargo test fleet::stored -- --ignored --nocapture"]
fn print_the_present_forms() {
    for (name, record) in records() {
        let bytes = record_in(&record).unwrap();
        print!("{name} ");
        for byte in bytes {
            print!("{byte:02x}");
        }
        println!();
    }
}
