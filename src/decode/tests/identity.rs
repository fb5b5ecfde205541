//! The ids of events: from the device, or from the number of the reading.

use super::*;

#[test]
fn without_an_id_two_messages_are_two_events_also_where_everything_is_equal() {
    let timed = format!(r#"{TRANSFER},"at":"2026-11-23T08:15:30Z"}}"#);
    let plain = format!("{TRANSFER}}}");
    let scan = r#"{"code":"4000000000006","at":"2026-11-23T08:15:30Z"}"#;
    let payloads = [
        (Channel::Event, timed.clone()),
        (Channel::Event, plain.clone()),
        (Channel::Event, format!("[{timed},{timed},{plain},{plain}]")),
        (Channel::Scan, "4000000000006".to_owned()),
        (Channel::Scan, scan.to_owned()),
    ];
    let mut ids = std::collections::HashSet::new();
    for (channel, payload) in payloads {
        for number in 0..20 {
            // One read brings all of them: the time of receipt is the same.
            let mut reading = reading(channel, payload.as_bytes());
            reading.id = ReadingId::of(ids.len() as u64, number);
            for entry in decode(&reading) {
                let event = entry.unwrap();
                assert!(event.id_derived && event.flags.is_empty(), "{event:?}");
                assert!(
                    ids.insert(event.id.clone()),
                    "{payload}: {} twice",
                    event.id
                );
            }
        }
    }
    assert_eq!(ids.len(), 20 * 8);
}

/// A reading that waits for room in the journal is decoded again.
#[test]
fn the_same_reading_has_the_same_ids() {
    let array = format!("[{TRANSFER}}},{TRANSFER}}}]");
    let reading = reading(Channel::Event, array.as_bytes());
    assert_eq!(decode(&reading), decode(&reading));
    let first = decode(&reading).remove(0).unwrap();
    assert_eq!(first.id, format!("~{:016x}{:016x}", 7, EVENTS_MAX));
}

#[test]
fn a_message_that_is_sent_again_is_flagged_where_it_has_no_id() {
    let again = |channel, payload: &str| {
        let mut reading = reading(channel, payload.as_bytes());
        reading.redelivered = true;
        let entries = decode(&reading).into_iter();
        let flags = entries.map(|entry| entry.unwrap().flags);
        flags.collect::<Vec<_>>()
    };
    let flagged = vec![EventFlag::PossibleRepeat];
    let timed = format!(r#"{TRANSFER},"at":"2026-11-23T08:15:30Z"}}"#);
    let named = format!(r#"{TRANSFER},"id":"a"}}"#);
    assert_eq!(again(Channel::Scan, "401"), [&flagged[..]]);
    assert_eq!(again(Channel::Scan, r#"{"code":"401"}"#), [&flagged[..]]);
    assert_eq!(
        again(Channel::Scan, r#"{"code":"401","id":"a"}"#),
        [Vec::new()]
    );
    assert_eq!(
        again(Channel::Event, &format!("[{timed},{named}]")),
        [flagged, Vec::new()]
    );
}

#[test]
fn a_profile_names_the_field_that_is_the_id() {
    let profile = Profile::parse(
        "[profile]\nname = \"own\"\nfamily = \"own\"\nabout = \"own\"\nbuilt_from = [\"own\"]\n[connection]\nkind = \"mqtt\"\n\
         [payload]\ncode = \"/barcode\"\nid = \"/serial_no\"\n",
    )
    .unwrap();
    let scan = |payload: &str| {
        let mut reading = reading(Channel::Scan, payload.as_bytes());
        reading.redelivered = true;
        decode_scans(&reading, &profile).remove(0).unwrap().0
    };
    let named = scan(r#"{"barcode":"401","serial_no":"s-1"}"#);
    assert_eq!((named.id.as_str(), named.id_derived), ("s-1", false));
    assert_eq!(named.flags, []);
    let unnamed = scan(r#"{"barcode":"401"}"#);
    assert!(unnamed.id_derived && unnamed.id.starts_with('~'));
    assert_eq!(unnamed.flags, [EventFlag::PossibleRepeat]);
}

#[test]
fn the_id_of_a_single_event_is_read_whatever_else_is_wrong_with_it() {
    for (payload, id) in [
        (r#"{"id": "7", "type": "dance"}"#, Some("7")),
        (r#" {"quantity": "x", "id": "a-1"} "#, Some("a-1")),
        (r#"{"id": 7}"#, None),
        (r#"{"id": ""}"#, None),
        (r#"{"type": "count"}"#, None),
        (r#"[{"id": "7"}]"#, Some("7")),
        (r#"[{"id": "7"}, {"id": "8"}]"#, None),
        ("[]", None),
        ("4006381333931", None),
        ("{nonsense", None),
        ("", None),
    ] {
        assert_eq!(super::id_of(payload.as_bytes()).as_deref(), id, "{payload}");
    }
    assert_eq!(super::id_of(b"\xff"), None);
}
