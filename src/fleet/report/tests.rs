use super::*;

/// The report in the documents, with what is left open there.
const EXAMPLE: &str = r#"{
    "site": "ams1", "at": "2026-11-29T03:12:00Z", "version": "0.2.0",
    "running": {"serial": 42, "hash": "ab12"},
    "wanted": {"serial": 43, "state": "waiting", "reason": "ring 2 is due at 05:00", "ring": 2},
    "last": {"serial": 43, "outcome": "rolled-back", "reason": "the link to Odoo is held",
             "at": "2026-11-29T03:10:00Z"},
    "clock_offset_ms": 3, "disk_free_bytes": 1024, "odoo": "up", "oldest_waiting_s": 5,
    "parked": 2, "alarms": ["clock"], "drift": 1,
    "expires": {"odoo_key": "2027-02-01T00:00:00Z", "tls_cert": "2027-01-01T00:00:00Z"},
    "recipient": "age1qqq", "colour": "a field of a later version"
}"#;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn example() -> Report {
    Report::parse(&name("ams1"), EXAMPLE.as_bytes()).unwrap()
}

#[test]
fn the_report_of_the_documents_is_read_and_unknown_fields_have_no_effect() {
    let report = example();
    assert_eq!(report.running.serial, Some(42));
    let wanted = report.wanted.as_ref().unwrap();
    assert_eq!(
        (wanted.serial, wanted.state, wanted.ring),
        (43, BundleState::Waiting, Some(2))
    );
    let last = report.last.as_ref().unwrap();
    assert_eq!(last.outcome, ReportedOutcome::RolledBack);
    assert_eq!((report.parked, report.drift), (2, 1));
    assert_eq!(report.alarms, ["clock"]);
    let first = report.first_expiry().unwrap();
    assert_eq!(
        (first.0, first.1.to_string()),
        ("tls_cert", "2027-01-01T00:00:00Z".to_owned())
    );
    assert_eq!(report.recipient.as_deref(), Some("age1qqq"));
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let mut report = example();
    for group in [None, Some(name("nl"))] {
        report.group = group;
        let json = report.to_json();
        assert_eq!(
            Report::parse(&report.site, json.as_bytes()),
            Ok(report.clone())
        );
    }
    assert_eq!(parse_online(online_json(true).as_bytes()), Ok(true));
    assert_eq!(parse_online(online_json(false).as_bytes()), Ok(false));
}

#[test]
fn the_words_of_states_are_those_of_the_json() {
    for state in BundleState::ALL {
        let json = serde_json::to_value(state).unwrap();
        assert_eq!(json, state.name());
        let wanted = Wanted {
            serial: 1,
            state,
            reason: String::new(),
            ring: None,
        };
        if let Some(outcome) = wanted.outcome() {
            assert_eq!(json, serde_json::to_value(outcome).unwrap());
            assert_eq!(state.name(), outcome.name());
        }
    }
}

#[test]
fn a_gateway_without_bundles_reports_few_fields() {
    let text = r#"{"site": "ams1", "at": "2026-11-29T03:12:00Z", "running": {"serial": null},
                   "wanted": null, "last": null, "expires": {"odoo_key": null}}"#;
    let report = Report::parse(&name("ams1"), text.as_bytes()).unwrap();
    assert_eq!(report.running, Running::default());
    assert_eq!((report.wanted, report.last), (None, None));
    assert!(report.expires.is_empty());
}

#[test]
fn hostile_messages_are_refused_or_cut() {
    let ams1 = name("ams1");
    let other = Report::parse(&name("ams2"), EXAMPLE.as_bytes());
    assert!(
        matches!(other, Err(ReportError::OtherSite { .. })),
        "{other:?}"
    );
    let large = EXAMPLE.replace("ab12", &"x".repeat(REPORT_BYTES_MAX));
    let large = Report::parse(&ams1, large.as_bytes());
    assert!(
        matches!(large, Err(ReportError::TooLarge { .. })),
        "{large:?}"
    );
    let long = EXAMPLE.replace("the link to Odoo is held", &"ä".repeat(5_000));
    let long = Report::parse(&ams1, long.as_bytes()).unwrap();
    let reason = long.last.unwrap().reason;
    assert_eq!(reason.chars().count(), TEXT_CHARS_MAX);
    let alarms = vec!["\"a\""; 3_000].join(",");
    let many = EXAMPLE.replace("\"clock\"", &alarms);
    let many = Report::parse(&ams1, many.as_bytes()).unwrap();
    assert_eq!(many.alarms.len(), ENTRIES_MAX);
    for text in [
        "",
        "[]",
        "{}",
        "null",
        &EXAMPLE[..100],
        &EXAMPLE.replace("\"waiting\"", "\"asleep\""),
        &EXAMPLE.replace("\"serial\": 43", "\"serial\": -43"),
        &EXAMPLE.replace("\"ams1\"", "\"../ams1\""),
        &"[".repeat(10_000),
    ] {
        let parsed = Report::parse(&ams1, text.as_bytes());
        assert!(
            matches!(parsed, Err(ReportError::Malformed { .. })),
            "{text:.60}: {parsed:?}"
        );
    }
}
