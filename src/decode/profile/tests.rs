use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::*;

mod reads;

const LEAST: &str = r#"
[profile]
name = "mine"
family = "Mine"
about = "Nothing."
built_from = ["its manual"]
[connection]
kind = "serial"
"#;

fn profile(text: &str) -> Profile {
    Profile::parse(text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The least profile with more lines of its last section, and more sections.
fn with(lines: &str) -> Profile {
    profile(&format!("{LEAST}{lines}"))
}

fn refused(profile: &Profile, bytes: &[u8]) -> (&'static str, String) {
    let refusal = profile.read(bytes).expect_err("it is refused");
    (refusal.code.as_str(), refusal.message)
}

fn faults(text: &str) -> String {
    let faults = Profile::parse(text).expect_err("it has faults");
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    faults.join("\n") + "\n"
}

#[test]
fn a_pattern_for_lots_is_a_regular_expression() {
    let profile = with("[flow]\nlot_pattern = \"[0-9]{6}\"\n");
    assert!(profile.flow.lot_pattern.unwrap().fits("261128"));
    let wrong = format!("{LEAST}[flow]\nlot_pattern = \"(\"\n");
    insta::assert_snapshot!(faults(&wrong), @"flow.lot_pattern: found the text (; accepted is a regular expression for whole names, such as [A-Z]{2}[0-9]{6}, without look-around");
}

#[test]
fn every_shipped_profile_is_read_and_reads_its_samples() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scanner-profiles");
    let files = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files
        .filter_map(|file| file.strip_suffix(".toml").map(ToOwned::to_owned))
        .collect();
    let shipped: BTreeSet<_> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        files, shipped,
        "profile/shipped.rs names the files of {directory}"
    );
    for (name, text) in SHIPPED {
        let profile = Profile::parse(text).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
        assert_eq!(profile.about.name, name);
        assert!(!profile.about.tried, "{name}: nobody tried it");
        assert!(!profile.samples.is_empty(), "{name} has no samples");
        assert_eq!(profile.try_samples(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_sample_that_is_read_otherwise_is_told() {
    let profile = with(
        "[[sample]]\ninput = \"abc\\r\"\ncode = \"abd\"\n[[sample]]\ninput = \"]E0abc\"\ncode = \"abc\"\n[[sample]]\ninput = \"\\r\"\ncode = \"x\"",
    );
    insta::assert_snapshot!(profile.try_samples().join("\n"), @r#"
sample[0] is read as "abc", not as "abd"
sample[1] is of symbology Some("ean13"), not None
sample[2] is refused: nothing came but end marks
"#);
}

#[test]
fn every_fault_is_told_at_once_with_its_key() {
    let wrong = r#"
colour = "red"
[profile]
name = "Mine!"
family = ""
built_from = []
[connection]
kind = "serial"
baud = 9601
parity = "sometimes"
usb = { product = 70000 }
speed = 3
[connection.framing]
stx = "€"
silence_ms = 1
[code]
encoding = "ebcdic"
trim = "yes"
[[code.means]]
prefix = "A"
is = "person"
[repeats]
within_ms = -1
[payload]
code = "scan_code"
[flow.custom.putaway]
movement = "ship"
start = "a"
[[flow.custom.putaway.on]]
state = "a"
code = "command:DANCE"
do = ["from", "jump"]
[[flow.custom.putaway.on]]
state = "a"
code = "anything"
[[feedback.good]]
send = "\u0007"
topic = "x"
[[sample]]
input = "x"
"#;
    insta::assert_snapshot!(faults(wrong), @r#"
code.encoding: found the text ebcdic; accepted is one of utf-8, latin-1, windows-1252
code.means[0].is: found the text person; accepted is one of product, location, package, order, lot, operator, quantity
code.trim: found the text yes; accepted is true or false
colour: found an unknown key; accepted is one of code, connection, feedback, flow, payload, profile, repeats, sample
connection.baud: found the number 9601; accepted is one of 300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600
connection.framing.silence_ms: found the number 1; accepted is a whole number of 5 to 10000
connection.framing.stx: found the text €; accepted is 1 to 8 characters of \u0000 to \u00ff
connection.parity: found the text sometimes; accepted is one of none, even, odd
connection.speed: found an unknown key; accepted is one of baud, data_bits, flow_control, framing, kind, parity, path, stop_bits, usb
connection.usb.vendor: missing; accepted is a whole number of 0 to 65535
connection.usb.product: found the number 70000; accepted is a whole number of 0 to 65535
flow.custom.putaway.movement: found the text ship; accepted is one of transfer, pick, receive, count, scrap, return, pack
flow.custom.putaway.on[0].do[1]: found the text jump; accepted is one of from, to, order, package, lot, quantity, product, emit, undo, cancel, end
flow.custom.putaway.on[1].code: found the text anything; accepted is product, location, order, package, lot, quantity, or command:CODE
payload.code: found the text scan_code; accepted is a JSON pointer such as /data/code
profile.about: missing; accepted is a text of 1 to 2000 characters
profile.built_from: found 0 entries; accepted is a list of 1 to 20 entries
profile.family: found an empty text; accepted is a text of 1 to 200 characters
profile.name: found the text Mine!; accepted is 1 to 64 characters of a-z 0-9 . -
repeats.within_ms: found the number -1; accepted is a whole number of 0 to 60000
sample[0].code: missing; accepted is a text of 1 to 4096 characters
connection.framing: found silence_ms and stx; accepted is terminator, or stx with etx, or silence_ms
feedback.good[0]: found another set of keys; accepted is send alone, or topic with template
flow.custom.putaway.on[0].code: found the text command:DANCE; accepted is command: with a command barcode such as OBTVALI or SR-UNDO behind it
"#);
}

#[test]
fn what_the_schema_cannot_say_is_told_as_well() {
    let wrong = r#"
[[code.means]]
prefix = "A"
is = "lot"
[[code.means]]
prefix = "A"
is = "order"
[flow]
start = "dance"
[flow.custom.putaway]
movement = "transfer"
start = "nowhere"
[[flow.custom.putaway.on]]
state = "bin"
code = "location"
next = "gone"
[[flow.custom.putaway.on]]
state = "bin"
code = "location"
[[feedback.good]]
topic = "display"
template = "{}"
"#;
    let serial = faults(&format!("{LEAST}{wrong}"));
    let mqtt = LEAST.replace("serial", "mqtt");
    let mqtt = faults(&format!(
        "{mqtt}[[feedback.bad]]\nsend = \"x\"\n[[feedback.bad]]\ntopic = \"display\"\ntemplate = \"{{text}}\""
    ));
    insta::assert_snapshot!(serial + &mqtt, @r#"
feedback.good[0].topic: found a topic; accepted is such a message for an MQTT connection only
code.means[1].prefix: found A for the second time; accepted is each prefix once
flow.start: found the text dance; accepted is one of transfer, pick, receive, count, scrap, return, pack, putaway
flow.custom.putaway.start: found the text nowhere; accepted is a state that has transitions: bin
flow.custom.putaway.on[0].next: found the text gone; accepted is a state that has transitions: bin
flow.custom.putaway.on[1]: found the same state and code for the second time; accepted is one transition for each
feedback.bad[0].send: found a host command; accepted is such a message for a serial connection only
feedback.bad[1].template: found a text that is no JSON when its places are filled; accepted is JSON with the places {text}, {line1}, {line2}, {id}, {now_ms}, {device} in its texts, {now_ms} also as a number
"#);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    assert!(faults("[profile]\nname = \n").starts_with("found an error in line 2"));
    assert!(faults(&"x".repeat(300_000)).contains("300000 bytes"));
}

/// A value that a schema takes, with every key that it has.
fn whole(schema: &Json, root: &Json, kind: &str) -> toml::Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return whole(root.pointer(&reference[1..]).unwrap(), root, kind);
    }
    if let Some(branches) = schema["oneOf"].as_array() {
        let branch = branches
            .iter()
            .find(|branch| branch["$ref"] == format!("#/$defs/{kind}"));
        return whole(branch.unwrap(), root, kind);
    }
    if let Some(one) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return one
            .as_str()
            .map_or_else(|| one.as_i64().unwrap().into(), Into::into);
    }
    match schema["type"].as_str().unwrap() {
        "object" if schema["properties"].is_object() => {
            let properties = schema["properties"].as_object().unwrap();
            // A message is either of two kinds, which `rules` holds apart.
            let others: &[&str] = if kind == "serial" {
                &["topic", "template"]
            } else {
                &["send"]
            };
            let message = properties.contains_key("send");
            properties
                .iter()
                .filter(|(name, _)| !message || !others.contains(&name.as_str()))
                .map(|(name, schema)| (name.clone(), whole(schema, root, kind)))
                .collect::<toml::Table>()
                .into()
        }
        "object" => toml::Table::from_iter([(
            "one".to_owned(),
            whole(&schema["additionalProperties"], root, kind),
        )])
        .into(),
        "array" => vec![whole(&schema["items"], root, kind)].into(),
        "integer" => schema["minimum"].as_i64().unwrap_or(1).into(),
        "boolean" => true.into(),
        _ => ["product", "/x", "x"]
            .into_iter()
            .find(|text| {
                schema["pattern"]
                    .as_str()
                    .is_none_or(|pattern| regex_lite::Regex::new(pattern).unwrap().is_match(text))
            })
            .unwrap()
            .into(),
    }
}

#[test]
fn what_the_schema_takes_becomes_a_profile() {
    let root: Json = serde_json::from_str(SCHEMA).unwrap();
    for kind in ["serial", "hid", "mqtt"] {
        let toml::Value::Table(table) = whole(&root, &root, kind) else {
            panic!()
        };
        assert_eq!(schema::check(&table), Vec::new());
        toml::Value::Table(table)
            .try_into::<Profile>()
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

/// The keys that a section is read with, by what it says about a key that it has not.
fn keys<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = toml::from_str::<T>("zz = 1")
        .err()
        .expect("it has no such key")
        .to_string();
    let (_, names) = error
        .split_once("expected")
        .unwrap_or_else(|| panic!("{error}"));
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn the_schema_has_every_key_that_is_read() {
    let root: Json = serde_json::from_str(SCHEMA).unwrap();
    let has = |place: &str, keys: BTreeSet<String>| {
        let properties = root.pointer(place).unwrap()["properties"]
            .as_object()
            .unwrap();
        let names: BTreeSet<_> = properties
            .keys()
            .filter(|name| *name != "kind")
            .cloned()
            .collect();
        assert_eq!(names, keys, "{place}");
    };
    has("", keys::<Profile>());
    has("/properties/profile", keys::<About>());
    has("/properties/code", keys::<CodeRules>());
    has("/properties/code/properties/means/items", keys::<Means>());
    has("/properties/repeats", keys::<Repeats>());
    has("/properties/payload", keys::<Payload>());
    has("/properties/flow", keys::<FlowRules>());
    has(
        "/properties/flow/properties/custom/additionalProperties",
        keys::<Flow>(),
    );
    has(
        "/properties/flow/properties/custom/additionalProperties/properties/on/items",
        keys::<Transition>(),
    );
    has("/properties/feedback", keys::<Feedback>());
    has("/properties/sample/items", keys::<Sample>());
    has("/$defs/serial", keys::<Serial>());
    has("/$defs/serial/properties/framing", keys::<WrittenFraming>());
    has("/$defs/hid", keys::<Hid>());
    has("/$defs/mqtt", keys::<Mqtt>());
    has("/$defs/usb", keys::<Usb>());
}

#[test]
fn a_code_is_read_step_by_step() {
    let profile = with(
        "[code]\nprefix = \"<\"\nsuffix = \">\"\ngs = \"{GS}\"\nencoding = \"windows-1252\"\n",
    );
    let scan = profile
        .read(b"< ]C1010400638133393110L\x80{GS}17261231 >\r")
        .unwrap();
    assert_eq!(scan.text, "010400638133393110L€\x1d17261231");
    assert_eq!(
        (scan.aim.as_deref(), scan.symbology),
        (Some("]C1"), Some(Symbology::Known("gs1-128")))
    );
    let steps: Vec<_> = scan.steps.iter().map(|step| step.what).collect();
    assert_eq!(
        steps,
        [
            "framing",
            "encoding",
            "prefix",
            "suffix",
            "gs",
            "trim",
            "symbology identifier"
        ]
    );
    assert_eq!(
        scan.steps[4].after,
        r" ]C1010400638133393110L€\x1d17261231 "
    );
}

#[test]
fn what_is_no_code_is_refused_with_the_reason() {
    let plain = with("[code]\nno_read = [\"ERROR\"]\nprefix = \"P\"\nsuffix = \"S\"\n");
    assert_eq!(refused(&plain, b"\r").0, "empty");
    assert_eq!(refused(&plain, b"PS\r").0, "empty");
    assert_eq!(refused(&plain, b"P]C1S\r").0, "empty");
    assert_eq!(refused(&plain, b" ERROR \r").0, "no-read");
    assert_eq!(refused(&plain, b"abcS\r").0, "no-prefix");
    assert_eq!(refused(&plain, b"Pabc\r").0, "no-suffix");
    assert_eq!(refused(&plain, b"P\xff\xfeS\r").0, "bad-encoding");
    assert_eq!(refused(&plain, b"Pa\x00bS\r").0, "binary");
    assert_eq!(refused(&plain, &[b'P'; 5_000]).0, "too-long");
    assert_eq!(
        plain.read(b"P[)>\x1e06\x1dP123\x1e\x04S\r").unwrap().text,
        "[)>\x1e06\x1dP123\x1e\x04"
    );
}

#[test]
fn a_payload_is_read_by_its_pointers() {
    let text = LEAST.replace("serial", "mqtt")
        + "[payload]\ncode = \"/data/0/c~1d\"\nid = \"/id\"\ntime = \"/t\"\ntime_format = \"unix_s\"\nsymbology = \"/sym\"\noperator = \"/who\"\ndevice = \"/dev\"\nonly = { \"/type\" = \"scan\" }\n";
    let profile = profile(&text);
    let scan = profile.read(br#"{"type": "scan", "data": [{"c/d": 4006381333931}], "id": 7, "t": 1795421730, "sym": "EAN-13", "who": "", "dev": "D1"}"#);
    let scan = scan.unwrap();
    assert_eq!(
        (scan.text.as_str(), scan.id.as_deref(), scan.operator),
        ("4006381333931", Some("7"), None)
    );
    assert_eq!(
        (scan.symbology, scan.device.as_deref()),
        (Some(Symbology::Known("ean13")), Some("D1"))
    );
    assert_eq!(
        scan.at,
        Some(Timestamp::from_second(1_795_421_730).unwrap())
    );
    for (payload, code) in [
        ("4006381333931", "not-a-scan"),
        ("{", "bad-json"),
        (r#"{"type": "button"}"#, "not-a-scan"),
        (r#"{"type": "scan"}"#, "no-code"),
        (r#"{"type": "scan", "data": [{"c/d": []}]}"#, "bad-field"),
        (
            r#"{"type": "scan", "data": [{"c/d": "x"}], "t": "noon"}"#,
            "bad-field",
        ),
    ] {
        assert_eq!(refused(&profile, payload.as_bytes()).0, code, "{payload}");
    }
}

#[test]
fn symbologies_have_one_name_whatever_vendors_call_them() {
    for (name, own) in [
        ("LABEL-TYPE-EAN128", "gs1-128"),
        ("GS1-128", "gs1-128"),
        ("Code 128", "code128"),
        ("DATA MATRIX", "datamatrix"),
        ("QR Code", "qr"),
        ("UPC-A", "upca"),
        ("Hitag 2", "hitag2"),
    ] {
        assert_eq!(Symbology::of(name).unwrap().as_str(), own);
    }
    assert_eq!(Symbology::of(" - "), None);
    for (aim, own) in [
        ("]C1", "gs1-128"),
        ("]C0", "code128"),
        ("]e0", "databar"),
        ("]d2", "gs1-datamatrix"),
        ("]Q3", "gs1-qr"),
        ("]J1", "gs1-dotcode"),
        ("]E4", "ean8"),
    ] {
        assert_eq!(Symbology::of_aim(aim).unwrap().as_str(), own);
    }
}

#[test]
fn a_template_stays_json_whatever_is_said() {
    let values = Values {
        text: "Schraube \"M8\"\n{id} €𝄞",
        id: "u-1",
        now_ms: 5,
        device: "D\\1",
    };
    let filled = values.fill(r#"{"a": "{line1}|{line2}", "n": {now_ms}, "d": "{device}", "x": {"id": "{id}"}, "other": "{else}"}"#);
    let json: Json = serde_json::from_str(&filled).unwrap();
    assert!(filled.is_ascii());
    assert_eq!(
        json,
        serde_json::json!({"a": "Schraube \"M8\"|{id} €𝄞", "n": 5, "d": "D\\1", "x": {"id": "u-1"}, "other": "{else}"})
    );
}

#[test]
fn a_repeat_is_within_its_time_and_never_before_the_first() {
    let repeats = Repeats { within_ms: 300 };
    let at = |ms: i64| Timestamp::from_millisecond(1_795_421_730_000 + ms).unwrap();
    assert!(repeats.is_repeat(at(0), at(0)) && repeats.is_repeat(at(0), at(299)));
    assert!(!repeats.is_repeat(at(0), at(300)) && !repeats.is_repeat(at(0), at(-1)));
    assert!(
        !Repeats::default().is_repeat(at(0), at(0)),
        "each read counts"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_profile_panic(
        bytes in vec(any::<u8>(), 0..300),
        text in "[\\[\\](){}/a-z0-9.~\"\\\\:=#\u{1d}\u{7f}ä€-]{0,120}",
    ) {
        static PROFILES: LazyLock<Vec<Profile>> =
            LazyLock::new(|| SHIPPED.iter().map(|(_, text)| profile(text)).collect());
        for profile in PROFILES.iter() {
            let _ = profile.read(&bytes);
            let _ = profile.read(text.as_bytes());
            if let Some(payload) = &profile.payload {
                let json = serde_json::json!({ payload.code.trim_start_matches('/'): text });
                let _ = profile.read(json.to_string().as_bytes());
            }
        }
        let _ = Profile::parse(&text);
        let _ = Profile::parse(&format!("{LEAST}{text}"));
    }
}
