use super::*;
use crate::decode::profile::CommandCode;

/// Half of the sheet's width, in modules.
const COLUMN: usize = 300;
const NOW: Timestamp = Timestamp::constant(1_795_421_730, 0);

fn run(command: &ProfileCommand, input: &str) -> (u8, String) {
    let mut out = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let done = runtime.block_on(profile(command, None, NOW, input.as_bytes(), &mut out));
    let code = done.unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn test_of(file: &str, code: &str, json: bool, input: &str) -> (u8, String) {
    let command = ProfileCommand::Test {
        file: file.to_owned(),
        code: code.to_owned(),
        copy: false,
        last: None,
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
flow                  none: codes are stored unchanged
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
        unescape(r"a\x1db\r\n\t\\x\q\xzz\"),
        b"a\x1db\r\n\t\\x\\q\\xzz\\"
    );
    assert_eq!(unescape(r"\xä"), "\\xä".as_bytes());
}

#[test]
fn shipped_profiles_are_in_order_and_a_wrong_file_is_told_with_its_key() {
    let files: Vec<_> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let (code, text) = run(&ProfileCommand::Check { files, json: false }, "");
    assert_eq!(
        (code, text.lines().count()),
        (EXIT_DONE, SHIPPED.len()),
        "{text}"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "[profile]\nname = \"A B\"\n").unwrap();
    let files = vec![file.display().to_string()];
    let (code, text) = run(&ProfileCommand::Check { files, json: false }, "");
    assert_eq!(code, EXIT_CONFIG);
    assert!(text.contains("profile.name: found the text A B"), "{text}");
    assert!(text.contains("connection: missing"), "{text}");
}

/// A bar, in modules: left, top, width, height.
type Bar = [usize; 4];

/// The bars of each barcode on a sheet.
fn barcodes(svg: &str) -> Vec<Vec<Bar>> {
    let path = |line: &str| -> Option<Vec<Bar>> {
        let path = line.strip_prefix("<path d=\"M")?.strip_suffix("z\"/>")?;
        let bar = |bar: &str| -> Option<Bar> {
            let mut numbers = bar.split([' ', 'h', 'v', '-']).map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some([next()?, next()?, next()?, next()?])
        };
        path.split("zM").map(bar).collect()
    };
    svg.lines().filter_map(path).collect()
}

/// The half of the sheet's width that a barcode stands in, as far as its bars are high, as a camera
/// sees it; and what a decoder of another's reads there.
fn read(bars: &[Bar]) -> Option<String> {
    const DOTS: usize = 3;
    let [x, top, _, height] = *bars.first()?;
    let (column, width) = (x / COLUMN * COLUMN, COLUMN * DOTS);
    let mut luma = vec![255; width * height * DOTS];
    for [x, bar_top, bar_width, bar_height] in bars {
        for row in (bar_top - top) * DOTS..(bar_top - top + bar_height) * DOTS {
            let left = row * width + (x - column) * DOTS;
            luma[left..left + bar_width * DOTS].fill(0);
        }
    }
    let (width, height) = (width.try_into().ok()?, (height * DOTS).try_into().ok()?);
    let format = Some(rxing::BarcodeFormat::CODE_128);
    let found = rxing::helpers::detect_in_luma(luma, width, height, format).ok()?;
    Some(found.getText().to_owned())
}

#[test]
fn each_barcode_on_the_sheet_reads_as_a_command() {
    let operators = [
        "anna".to_owned(),
        "B.7/2".to_owned(),
        "a-name-of-16-chr".to_owned(),
    ];
    let svg = sheet::draw_sheet(&operators).unwrap();
    let barcodes = barcodes(&svg);
    let texts: Vec<String> = barcodes
        .iter()
        .map(|bars| read(bars).expect("a decoder reads it"))
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
        "SR-OP-a-name-of-16-chr",
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
    let svg = sheet::draw_sheet(&[]).unwrap();
    let mut bars = barcodes(&svg).swap_remove(0);
    // A bar one module wider, the space behind it one narrower: another character, and a wrong
    // checksum.
    bars[4][2] += 1;
    assert_eq!(read(&bars), None);
}

#[test]
fn names_that_cannot_be_printed_are_refused() {
    for name in ["Jörg", "", "a-name-that-is-far-too-long"] {
        assert!(sheet::draw_sheet(&[name.to_owned()]).is_err(), "{name}");
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
