//! What one message holds: several reads, and what programs put around them.

use super::*;

const MQTT: &str = r#"
[profile]
name = "mine"
family = "Mine"
about = "Nothing."
built_from = ["its manual"]
[connection]
kind = "mqtt"
"#;

/// The codes of a message; of a read that is refused, its reason in angle brackets.
fn codes(profile: &Profile, bytes: &[u8]) -> Vec<String> {
    let reads = profile.read_all(bytes).into_iter();
    let shown = |read: Result<Scan, Refusal>| match read {
        Ok(scan) => scan.text,
        Err(refusal) => format!("<{}>", refusal.code),
    };
    reads.map(shown).collect()
}

fn mqtt(lines: &str) -> Profile {
    profile(&format!("{MQTT}{lines}"))
}

#[test]
fn marks_around_a_code_are_dropped() {
    let serial = with("[code]\nsuffix = \"#\"\n");
    for bytes in [
        b"A#\r".as_slice(),
        b"A#\0\r",
        b"A#\r\0\0",
        b"\xef\xbb\xbfA#\r",
    ] {
        assert_eq!(codes(&serial, bytes), ["A"], "{bytes:?}");
    }
    let json = mqtt("[payload]\ncode = \"/c\"\n");
    for bytes in [
        b"{\"c\": \"A\"}\0".as_slice(),
        b"\xef\xbb\xbf{\"c\": \"A\"}\r\n",
        b"{\"c\": \"A\\u0000\"}",
        b"{\"c\": \"A\\r\\n\\u0000\"}",
    ] {
        assert_eq!(codes(&json, bytes), ["A"], "{bytes:?}");
    }
    assert_eq!(codes(&json, b"\0"), ["<empty>"]);
    assert_eq!(codes(&json, b"{\"c\": \"A\\u0000B\"}"), ["<binary>"]);
}

#[test]
fn without_a_payload_the_contracts_json_is_read_as_what_it_is() {
    let bare = mqtt("");
    for (payload, wanted) in [
        ("4000000000006\0", vec!["4000000000006"]),
        (
            "\u{feff}{\"code\": \"4000000000006\"}",
            vec!["4000000000006"],
        ),
        ("\"4000000000006\"", vec!["4000000000006"]),
        (
            "[{\"code\": \"]C110A\"}, \"B\", {\"x\": 1}]",
            vec!["10A", "B", "<no-code>"],
        ),
        (
            "[)>\u{1e}06\u{1d}P1\u{1e}\u{4}",
            vec!["[)>\u{1e}06\u{1d}P1\u{1e}\u{4}"],
        ),
        ("{\"url\": \"x\"}", vec!["{\"url\": \"x\"}"]),
        ("{\"code\": ", vec!["{\"code\":"]),
    ] {
        assert_eq!(codes(&bare, payload.as_bytes()), wanted, "{payload}");
    }
    let read = bare.read(br#"{"code": "A", "id": "7", "at": "2026-11-23T08:15:30Z", "symbology": "ean13", "operator": "anna"}"#);
    let read = read.unwrap();
    assert_eq!(
        (read.id.as_deref(), read.operator.as_deref(), read.symbology),
        (Some("7"), Some("anna"), Some(Symbology::Known("ean13")))
    );
    assert_eq!(read.at, Some("2026-11-23T08:15:30Z".parse().unwrap()));
    // A serial scanner sends codes, whatever they look like.
    assert_eq!(codes(&with(""), b"\"A\"\r"), ["\"A\""]);
}

#[test]
fn each_element_of_an_array_is_a_read() {
    let reader = mqtt(
        "[payload]\neach = \"/tags\"\ncode = \"/epc\"\nid = \"/id\"\ntime = \"/t\"\ndevice = \"/reader\"\noperator = \"/who\"\nonly = { \"/type\" = \"tags\" }\n",
    );
    let payload = br#"{"type": "tags", "id": "whole", "t": "2026-11-23T08:15:30Z", "reader": "R1", "who": "anna", "tags": [
        {"epc": "A", "id": 1, "t": "2026-11-23T08:15:29Z"}, {"epc": "B", "who": "bert"}, {"rssi": -60}, {"epc": "D", "t": "noon"}, "E"]}"#;
    assert_eq!(
        codes(&reader, payload),
        ["A", "B", "<no-code>", "<bad-field>", "E"]
    );
    let reads: Vec<_> = reader.read_all(payload).into_iter().flatten().collect();
    let id = |place: usize| reads[place].id.as_deref();
    assert_eq!(
        [id(0), id(1)],
        [Some("1"), None],
        "the message's id is no read's"
    );
    assert_eq!(reads[0].at, Some("2026-11-23T08:15:29Z".parse().unwrap()));
    assert_eq!(reads[1].at, Some("2026-11-23T08:15:30Z".parse().unwrap()));
    assert_eq!(
        (reads[0].operator.as_deref(), reads[1].operator.as_deref()),
        (Some("anna"), Some("bert"))
    );
    assert_eq!(reads[1].device.as_deref(), Some("R1"));

    assert_eq!(
        codes(&reader, br#"{"type": "tags", "tags": {"epc": "A"}}"#),
        ["A"]
    );
    assert_eq!(
        codes(&reader, br#"{"type": "tags", "tags": []}"#),
        ["<empty>"]
    );
    assert_eq!(codes(&reader, br#"{"type": "tags"}"#), ["<no-code>"]);
    assert_eq!(codes(&reader, br#"{"type": "state"}"#), ["<not-a-scan>"]);

    let whole = mqtt("max_bytes = 65536\n[payload]\neach = \"\"\ncode = \"/epc\"\n");
    assert_eq!(
        codes(&whole, br#"[{"epc": "A"}, {"epc": "A"}]"#),
        ["A", "A"]
    );
    let many = format!("[{}\"A\"]", "\"A\",".repeat(500));
    assert_eq!(codes(&whole, many.as_bytes()), ["<too-many-events>"]);
    let one = mqtt("[payload]\ncode = \"/epc\"\n");
    let refusal = one.read(br#"[{"epc": "A"}]"#).unwrap_err();
    assert!(
        refusal.message.contains("set payload.each"),
        "{}",
        refusal.message
    );
}

#[test]
fn each_line_of_a_message_is_a_read_where_the_profile_says_so() {
    let lines = mqtt("lines = true\n");
    assert_eq!(codes(&lines, b"A\r\n\r\n]C110B\n \nC"), ["A", "10B", "C"]);
    assert_eq!(codes(&lines, b"\r\n"), ["<empty>"]);
    let many = "A\n".repeat(501);
    assert_eq!(codes(&lines, many.as_bytes()), ["<too-many-events>"]);
    let json = mqtt("lines = true\n[payload]\neach = \"/tags\"\ncode = \"/epc\"\n");
    assert_eq!(
        codes(
            &json,
            b"{\"tags\": [\"A\", \"B\"]}\nnone\n{\"tags\": [\"C\"]}\n"
        ),
        ["A", "B", "<bad-json>", "C"]
    );
    // Unless the profile allows it, a line end inside of a code is refused, not dropped.
    assert_eq!(codes(&mqtt(""), b"A\nB"), ["<binary>"]);
}

#[test]
fn a_sample_names_each_read_of_its_payload() {
    let sample = |lines: &str| {
        mqtt(&format!(
            "lines = true\n[[sample]]\ninput = \"A\\nB\\nC\"\ncode = \"A\"\n{lines}"
        ))
        .try_samples()
    };
    assert_eq!(sample("more = [\"B\", \"C\"]\n"), Vec::<String>::new());
    assert_eq!(sample(""), ["sample[0] holds 3 reads, not 1"]);
    assert_eq!(
        sample("more = [\"B\", \"D\"]\n"),
        ["sample[0] has \"C\" instead of \"D\""]
    );
}

#[test]
fn an_add_on_alone_is_no_scan() {
    let serial = with("");
    assert_eq!(codes(&serial, b"]E200006\r"), ["<not-a-scan>"]);
    assert_eq!(codes(&serial, b"]E107\r"), ["<not-a-scan>"]);
    assert_eq!(
        codes(&serial, b"]E3978030640615700006\r"),
        ["978030640615700006"]
    );
}
