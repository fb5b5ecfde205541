use super::*;
use crate::decode::meaning::CommandCode;

const NOW: Timestamp = Timestamp::constant(1_795_421_730, 0);

fn run(command: &ProfileCommand, input: &str) -> (u8, String) {
    let mut out = Vec::new();
    let code = profile(command, NOW, input.as_bytes(), &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn test_of(file: &str, code: &str, json: bool, input: &str) -> (u8, String) {
    let command = ProfileCommand::Test {
        file: file.to_owned(),
        code: code.to_owned(),
        json,
    };
    run(&command, input)
}

#[test]
fn a_test_shows_each_step_from_the_connection_to_the_meaning() {
    let (code, text) = test_of(
        "zebra-serial",
        r"]C10104006381333931\x1d10LOT-7\r",
        false,
        "",
    );
    assert_eq!(code, EXIT_DONE);
    insta::assert_snapshot!(text, @r#"
connection            serial, 9600 8N1, ends with \r
framing               ]C10104006381333931\x1d10LOT-7\r -> ]C10104006381333931\x1d10LOT-7
symbology identifier  ]C10104006381333931\x1d10LOT-7 -> 0104006381333931\x1d10LOT-7
symbology             gs1-128
repeats               the same code within 300 ms is a duplicate of its first
flow                  none: codes are kept as they are
GS1 elements          (01)04006381333931(10)LOT-7
meaning               {"kind":"product","code":"4006381333931","gtin":"04006381333931","lot":"LOT-7","known":false}: GS1's application identifiers say so
"#);
}

#[test]
fn the_json_is_what_scripts_rely_on() {
    let (code, text) = test_of(
        "generic-serial",
        r"]C10104006381333931\x1d10LOT-7",
        true,
        "",
    );
    assert_eq!(code, EXIT_DONE);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({
            "accepted": true,
            "symbology": "gs1-128",
            "elements": [{"ai": "01", "value": "04006381333931"}, {"ai": "10", "value": "LOT-7"}],
            "meaning": {"kind": "product", "code": "4006381333931", "gtin": "04006381333931", "lot": "LOT-7", "known": false},
            "reason": null,
        })
    );
}

#[test]
fn lines_of_standard_input_are_answered_a_line_each_refused_or_not() {
    let input = "]C10104006381333930\n]E04006381333931\r\nOBTVALI\n";
    let (code, text) = test_of("generic-hid", "-", true, input);
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(code, EXIT_DONE);
    let accepted: Vec<_> = answers
        .iter()
        .map(|answer| answer["accepted"].clone())
        .collect();
    assert_eq!(accepted, [json!(false), json!(true), json!(true)]);
    assert_eq!(answers[0]["meaning"], Value::Null);
    assert!(
        answers[0]["reason"]
            .as_str()
            .unwrap()
            .contains("check digit 1"),
        "{text}"
    );
    assert_eq!(answers[1]["meaning"]["kind"], "product");
    assert_eq!(
        answers[2]["meaning"],
        json!({"kind": "command", "command": "OBTVALI"})
    );
}

#[test]
fn a_code_that_is_refused_fails_the_command() {
    let (code, text) = test_of("keyence-serial", "ERROR", true, "");
    assert_eq!(code, EXIT_FAILED);
    assert!(text.contains("could not read"), "{text}");
}

#[test]
fn a_bare_code_is_put_where_the_payload_has_it() {
    let (code, text) = test_of("zebra-datawedge-mqtt", "4006381333931", true, "");
    assert_eq!(
        (code, text.contains(r#""gtin":"04006381333931""#)),
        (EXIT_DONE, true),
        "{text}"
    );
}

#[test]
fn every_shipped_profile_reads_the_same_gs1_code() {
    for (name, _) in SHIPPED {
        let (code, text) = test_of(name, r"]d20104006381333931\x1d10LOT-7", true, "");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(code, EXIT_DONE, "{name}: {text}");
        assert_eq!(answer["symbology"], "gs1-datamatrix", "{name}");
        assert_eq!(answer["elements"][1]["value"], "LOT-7", "{name}");
    }
}

#[test]
fn escapes_are_the_bytes_they_stand_for_and_other_backslashes_stay() {
    assert_eq!(
        unescaped(r"a\x1db\r\n\t\\x\q\xzz\"),
        b"a\x1db\r\n\t\\x\\q\\xzz\\"
    );
    assert_eq!(unescaped(r"\xä"), "\\xä".as_bytes());
}

#[test]
fn shipped_profiles_are_in_order_and_a_wrong_file_is_told_with_its_key() {
    let files: Vec<_> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let (code, text) = run(&ProfileCommand::Check { files }, "");
    assert_eq!(
        (code, text.lines().count()),
        (EXIT_DONE, SHIPPED.len()),
        "{text}"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "[profile]\nname = \"A B\"\n").unwrap();
    let files = vec![file.display().to_string()];
    let (code, text) = run(&ProfileCommand::Check { files }, "");
    assert_eq!(code, EXIT_CONFIG);
    assert!(text.contains("profile.name: found the text A B"), "{text}");
    assert!(text.contains("connection: found nothing"), "{text}");
}

/// The bars of each barcode on a sheet: where each begins and how wide it is, in modules.
fn bars(svg: &str) -> Vec<Vec<(u32, u32)>> {
    let path = |line: &str| -> Option<Vec<(u32, u32)>> {
        let path = line.strip_prefix("<path d=\"M")?.strip_suffix("z\"/>")?;
        let bar = |bar: &str| -> Option<(u32, u32)> {
            let (x, behind) = bar.split_once(' ')?;
            let (_, width) = behind.split_once('h')?;
            Some((x.parse().ok()?, width.split_once('v')?.0.parse().ok()?))
        };
        path.split("zM").map(bar).collect()
    };
    svg.lines().filter_map(path).collect()
}

/// A decoder of its own: it measures edge to similar edge, as ISO/IEC 15417 annex A does, and knows the values by their modules
/// (1 is black), which it takes from another table than the encoder.
fn decoded(bars: &[(u32, u32)]) -> Option<String> {
    let (first, last) = (bars.first()?, bars.last()?);
    let mut modules = vec![false; (last.0 + last.1 - first.0) as usize];
    for (x, width) in bars {
        for at in *x..x + width {
            modules[(at - first.0) as usize] = true;
        }
    }
    let (characters, stop) = modules.split_at_checked(modules.len().checked_sub(13)?)?;
    let number = |modules: &[bool]| {
        modules
            .iter()
            .fold(0_u16, |number, black| number << 1 | u16::from(*black))
    };
    (number(stop) == 0b1_1000_1110_1011).then_some(())?;
    let value = |modules: &[bool]| MODULES.iter().position(|known| *known == number(modules));
    let values: Vec<usize> = characters.chunks(11).map(value).collect::<Option<_>>()?;
    let [104, data @ .., checksum] = values.as_slice() else {
        return None;
    };
    let sum = data
        .iter()
        .zip(1..)
        .fold(104, |sum, (value, weight)| sum + value * weight);
    (sum % 103 == *checksum).then_some(())?;
    data.iter()
        .map(|value| u8::try_from(value + 32).ok().map(char::from))
        .collect()
}

#[test]
fn each_barcode_on_the_sheet_reads_as_a_command() {
    let operators = ["anna".to_owned(), "B.7/2".to_owned()];
    let svg = sheet::sheet(&operators).unwrap();
    let texts: Vec<String> = bars(&svg)
        .iter()
        .map(|bars| decoded(bars).expect("a decoder reads it"))
        .collect();
    for text in [
        "OBTVALI",
        "SR-UNDO",
        "OCDDISC",
        "SR-NEWPACK",
        "SR-QTY",
        "SR-QTY-10",
        "SR-FLOW-TRANSFER",
        "SR-OP-anna",
        "SR-OP-B.7/2",
    ] {
        assert!(
            texts.iter().any(|found| found == text),
            "{text} is not among {texts:?}"
        );
    }
    for text in &texts {
        let command = CommandCode::of(text).expect("it is a command");
        assert_eq!(command.to_string(), *text);
        assert!(
            svg.contains(&format!(">{text}</text>")),
            "{text} is not printed below its bars"
        );
    }
    assert_eq!(texts.len(), svg.matches("<path").count());
}

#[test]
fn bars_that_were_changed_are_not_read() {
    let svg = sheet::sheet(&[]).unwrap();
    let mut bars = bars(&svg).swap_remove(0);
    // A bar one module wider, the space behind it one narrower: another character, and a wrong checksum.
    bars[4].1 += 1;
    assert_eq!(decoded(&bars), None);
}

#[test]
fn names_that_cannot_be_printed_are_refused() {
    for name in ["Jörg", "", "a-name-that-is-far-too-long"] {
        assert!(sheet::sheet(&[name.to_owned()]).is_err(), "{name}");
    }
}

#[test]
fn the_schema_that_is_printed_is_the_one_that_is_shipped() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scanner-profiles/profile.schema.json"
    );
    assert_eq!(
        run(&ProfileCommand::Schema, ""),
        (EXIT_DONE, std::fs::read_to_string(file).unwrap())
    );
}

/// The modules of the symbol characters 0 to 105, a bit each.
const MODULES: [u16; 106] = [
    0x6cc, 0x66c, 0x666, 0x498, 0x48c, 0x44c, 0x4c8, 0x4c4, 0x464, 0x648, 0x644, 0x624, 0x59c,
    0x4dc, 0x4ce, 0x5cc, 0x4ec, 0x4e6, 0x672, 0x65c, 0x64e, 0x6e4, 0x674, 0x76e, 0x74c, 0x72c,
    0x726, 0x764, 0x734, 0x732, 0x6d8, 0x6c6, 0x636, 0x518, 0x458, 0x446, 0x588, 0x468, 0x462,
    0x688, 0x628, 0x622, 0x5b8, 0x58e, 0x46e, 0x5d8, 0x5c6, 0x476, 0x776, 0x68e, 0x62e, 0x6e8,
    0x6e2, 0x6ee, 0x758, 0x746, 0x716, 0x768, 0x762, 0x71a, 0x77a, 0x642, 0x78a, 0x530, 0x50c,
    0x4b0, 0x486, 0x42c, 0x426, 0x590, 0x584, 0x4d0, 0x4c2, 0x434, 0x432, 0x612, 0x650, 0x7ba,
    0x614, 0x47a, 0x53c, 0x4bc, 0x49e, 0x5e4, 0x4f4, 0x4f2, 0x7a4, 0x794, 0x792, 0x6de, 0x6f6,
    0x7b6, 0x578, 0x51e, 0x45e, 0x5e8, 0x5e2, 0x7a8, 0x7a2, 0x5de, 0x5ee, 0x75e, 0x7ae, 0x684,
    0x690, 0x69c,
];
