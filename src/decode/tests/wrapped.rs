//! What scripts and scanners put around a payload.

use super::*;

fn code(entry: &Result<Event, Rejection>) -> &str {
    match entry {
        Ok(Event {
            action: Action::Scan { code, .. },
            ..
        }) => code,
        other => panic!("{other:?}"),
    }
}

fn scans(payload: &str) -> Vec<Result<Event, Rejection>> {
    decode(&reading(Channel::Scan, payload.as_bytes()))
}

#[test]
fn a_scan_is_the_same_whatever_is_around_it() {
    for payload in [
        "4000000000006",
        "4000000000006\0",
        "4000000000006\r\n\0\0",
        "\u{feff}4000000000006",
        "\"4000000000006\"",
        "\u{feff}\"4000000000006\"\r\n",
        r#""4000000000006\r\n""#,
        r#"{"code":"4000000000006"}"#,
        "{\"code\":\"4000000000006\"}\0",
        "\u{feff}{\"code\":\"4000000000006\"}\r\n",
        r#"{"code":"4000000000006\u0000"}"#,
        r#"{"code":"4000000000006\r\n"}"#,
        r#"[{"code":"4000000000006"}]"#,
        " [ \"4000000000006\" ]\n\0",
    ] {
        let entries = scans(payload);
        assert_eq!(entries.len(), 1, "{payload:?}");
        assert_eq!(code(&entries[0]), "4000000000006", "{payload:?}");
    }
    assert_eq!(scan("\0").unwrap_err().code, RejectionCode::Empty);
    assert_eq!(scan(r#""""#).unwrap_err().code, RejectionCode::Empty);
    assert_eq!(scan("a\0b").unwrap_err().code, RejectionCode::BadField);
}

#[test]
fn an_array_of_scans_is_an_event_for_each() {
    let payload = r#"[{"id":"7","code":"A"}, "B", {"id":"9"}, 17, "", {"code":"D"}]"#;
    let entries = scans(payload);
    assert_eq!(entries.len(), 6);
    assert_eq!(
        [0, 1, 5].map(|place| code(&entries[place])),
        ["A", "B", "D"]
    );
    let codes = [2, 3, 4].map(|place| entries[place].as_ref().unwrap_err().code.as_str());
    assert_eq!(codes, ["missing-field", "bad-json", "empty"]);
    let ids: Vec<_> = entries.iter().flatten().map(|event| &event.id).collect();
    assert_eq!(ids[0], "7");
    assert_ne!(ids[1], ids[2], "each scan without an id gets its own id");

    let reading = reading(Channel::Scan, payload.as_bytes());
    assert_eq!(part(&reading, 1, 6).0, b"\"B\"");
    assert_eq!(part(&reading, 2, 6).0, br#"{"id":"9"}"#);

    assert_eq!(scan("[]").unwrap_err().code, RejectionCode::Empty);
    assert_eq!(
        scan(r#"[{"code":"A"}"#).unwrap_err().code,
        RejectionCode::BadJson
    );
    let many = format!("[{}\"A\"]", "\"A\",".repeat(EVENTS_MAX));
    assert_eq!(scan(&many).unwrap_err().code, RejectionCode::TooManyEvents);
}

#[test]
fn events_are_read_whatever_is_around_them() {
    let plain = event(&format!("{TRANSFER}}}")).unwrap();
    for payload in [
        format!("{TRANSFER}}}\0"),
        format!("\u{feff}{TRANSFER}}}\r\n"),
        format!("\u{feff} [{TRANSFER}}}]\n\0\0"),
    ] {
        assert_eq!(event(&payload), Ok(plain.clone()), "{payload:?}");
    }
}

#[test]
fn one_limit_holds_for_all_times() {
    let profile = |format: &str| {
        let text = format!(
            "[profile]\nname = \"own\"\nfamily = \"own\"\nabout = \"own\"\nbuilt_from = [\"own\"]\n\
             [connection]\nkind = \"mqtt\"\n[payload]\ncode = \"/code\"\ntime = \"/at\"\ntime_format = \"{format}\"\n"
        );
        Profile::parse(&text).unwrap()
    };
    let by_profile = |format: &str, at: &str| {
        let payload = format!(r#"{{"code": "A", "at": {at}}}"#);
        let reading = reading(Channel::Scan, payload.as_bytes());
        let entries = decode_scans(&reading, &profile(format));
        entries
            .into_iter()
            .next()
            .unwrap()
            .map(|(event, _)| event.at)
    };
    for (format, last, beyond) in [
        ("unix_s", "7258118399", "7258118400"),
        ("unix_ms", "7258118399999", "99999999999999"),
        (
            "rfc3339",
            r#""2199-12-31T23:59:59Z""#,
            r#""5138-11-16T09:46:39Z""#,
        ),
        ("unix_s", "0", "-1"),
    ] {
        assert!(by_profile(format, last).is_ok(), "{last}");
        let rejection = by_profile(format, beyond).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::BadField, "{beyond}");
        assert!(rejection.message.contains("of 1970 to 2199"));
    }
    for (at, taken) in [
        ("2199-12-31T23:59:59Z", true),
        ("5138-11-16T09:46:39Z", false),
    ] {
        let payload = format!(r#"{TRANSFER}, "at": "{at}"}}"#);
        assert_eq!(event(&payload).is_ok(), taken, "{at}");
    }
}
