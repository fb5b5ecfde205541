//! What `parse_barcode` of a real Odoo 19 answered, code by code.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const YEAR: i16 = 2026;

fn rule(encoding: Encoding, kind: &str, pattern: &str) -> Rule {
    Rule {
        name: pattern.to_owned(),
        sequence: 1,
        encoding,
        kind: kind.to_owned(),
        pattern: pattern.to_owned(),
        alias: "0".to_owned(),
        content: Content::Alpha,
        decimals: false,
        uom: None,
        weight: crate::decode::gs1::Unit::Kilogram,
    }
}

/// Odoo's `Default Nomenclature`, as it is with stock and point of sale.
fn default() -> Nomenclature {
    let rules = vec![
        rule(Encoding::Ean13, "weight", "21.....{NNDDD}"),
        rule(Encoding::Any, "location", "414"),
        rule(Encoding::Any, "package", "PACK"),
        rule(Encoding::Any, "lot", "10"),
        rule(Encoding::Any, "product", ".*"),
    ];
    Nomenclature::new(Conversion::Always, rules).unwrap()
}

/// A nomenclature with a rule of each kind and encoding.
fn site(conversion: Conversion) -> Nomenclature {
    let alias = Rule {
        alias: "4012345678901".to_owned(),
        ..rule(Encoding::Any, "alias", "OLD.*")
    };
    let rules = vec![
        alias,
        rule(Encoding::Ean13, "weight", "21.....{NNDDD}"),
        rule(Encoding::Ean13, "product", "22.....{NNNN}"),
        rule(Encoding::Ean8, "product", "20{NNN}"),
        rule(Encoding::Upca, "product", "2.....{NDDDD}"),
        rule(Encoding::Any, "lot", "L{NNDD}-"),
        rule(Encoding::Any, "location", "(LOC|WH).*|BIN\\d"),
        rule(Encoding::Any, "package", "P\\."),
        rule(Encoding::Ean13, "product", ".*"),
        rule(Encoding::Upca, "product", ".*"),
        rule(Encoding::Ean8, "product", ".*"),
    ];
    Nomenclature::new(conversion, rules).unwrap()
}

/// Odoo's `Default GS1 Nomenclature`, without some of its measures.
fn gs1() -> Nomenclature {
    const TEXT: &str = r#"([!"%-/0-9:-?A-Z_a-z]{0,20})"#;
    let of = |kind, pattern: &str, content, decimals| Rule {
        content,
        decimals,
        ..rule(Encoding::Gs1, kind, pattern)
    };
    let rules = vec![
        of("package", r"(00)(\d{18})", Content::Identifier, false),
        of("product", r"(01)(\d{14})", Content::Identifier, false),
        of("product", r"(02)(\d{14})", Content::Identifier, false),
        of(
            "location_dest",
            r"(410)(\d{13})",
            Content::Identifier,
            false,
        ),
        of("lot", &format!("(10){TEXT}"), Content::Alpha, false),
        of("lot", &format!("(21){TEXT}"), Content::Alpha, false),
        of("use_date", r"(15)(\d{6})", Content::Date, false),
        of("expiration_date", r"(17)(\d{6})", Content::Date, false),
        of("quantity", r"(30)(\d{0,8})", Content::Measure, false),
        of("quantity", r"(37)(\d{0,8})", Content::Measure, false),
        of("quantity", r"(310[0-5])(\d{6})", Content::Measure, true),
        of("quantity", r"(320[0-5])(\d{6})", Content::Measure, true),
        of("quantity", r"(322[0-5])(\d{6})", Content::Measure, true),
        of(
            "package_type",
            &format!("(91){TEXT}"),
            Content::Alpha,
            false,
        ),
    ];
    Nomenclature::gs1(r"(Alt029|#|\x1D)", rules).unwrap()
}

/// A code, and what Odoo answered: type, code, base code and value.
type Case = (
    &'static str,
    Option<(&'static str, &'static str, &'static str, &'static str)>,
);

fn assert_answers(nomenclature: &Nomenclature, cases: &[Case]) {
    for &(code, expected) in cases {
        let found = nomenclature.parse(code, YEAR);
        let found = found.as_ref().map(|found| &found[0]);
        let answer = found.map(|found| {
            let kind = found.rule.kind.as_str();
            (
                kind,
                found.code.as_str(),
                found.base_code.as_str(),
                text(&found.value),
            )
        });
        let expected = expected
            .map(|(kind, code, base_code, value)| (kind, code, base_code, value.to_owned()));
        assert_eq!(answer, expected, "{code}");
    }
}

/// Odoo answers 0 where there is no value.
fn text(value: &Value) -> String {
    match value {
        Value::None => String::new(),
        Value::Number(number) => number.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Text(text) => text.clone(),
    }
}

#[test]
fn the_default_nomenclature_answers_as_odoo_does() {
    assert_answers(
        &default(),
        &[
            (
                "2112345012346",
                Some(("weight", "2112345012346", "2112345000008", "1.234")),
            ),
            (
                "2212345000128",
                Some(("product", "2212345000128", "2212345000128", "")),
            ),
            (
                "036000291452",
                Some(("product", "036000291452", "036000291452", "")),
            ),
            (
                "4012345678902",
                Some(("product", "4012345678902", "4012345678902", "")),
            ),
            ("OLD1", Some(("product", "OLD1", "OLD1", ""))),
            ("PACK0001", Some(("package", "PACK0001", "PACK0001", ""))),
            ("4140001", Some(("location", "4140001", "4140001", ""))),
            ("10LOT", Some(("lot", "10LOT", "10LOT", ""))),
            ("x", Some(("product", "x", "x", ""))),
        ],
    );
}

#[test]
fn numbers_aliases_and_encodings_are_read_as_odoo_does() {
    assert_answers(
        &site(Conversion::None),
        &[
            (
                "2112345012346",
                Some(("weight", "2112345012346", "2112345000008", "1.234")),
            ),
            (
                "2212345000128",
                Some(("product", "2212345000128", "2212345000029", "1")),
            ),
            (
                "212345123454",
                Some(("product", "212345123454", "212345000007", "1.2345")),
            ),
            (
                "4012345678901",
                Some(("product", "4012345678901", "4012345678901", "")),
            ),
            (
                "036000291452",
                Some(("product", "036000291452", "036000291452", "")),
            ),
            ("96385074", Some(("product", "96385074", "96385074", ""))),
            ("4012345678902", None),
            (
                "OLD1",
                Some(("product", "4012345678901", "4012345678901", "")),
            ),
            (
                "OLD",
                Some(("product", "4012345678901", "4012345678901", "")),
            ),
            ("L1234-X", Some(("lot", "L1234-X", "L0000-X", "12.34"))),
            ("L12", None),
            ("L12a4-", None),
            ("Lxx34-", None),
            ("LOC1", Some(("location", "LOC1", "LOC1", ""))),
            ("WH/Stock", Some(("location", "WH/Stock", "WH/Stock", ""))),
            ("BIN7", Some(("location", "BIN7", "BIN7", ""))),
            ("BINX", None),
            ("P.1", Some(("package", "P.1", "P.1", ""))),
            ("PX", None),
            ("PACK0001", None),
            ("4140001", None),
            ("10LOT", None),
            ("x", None),
            ("21", None),
            ("P{1", None),
            ("L1\\34-", None),
            ("21123450123469", None),
        ],
    );
}

#[test]
fn the_gs1_nomenclature_answers_as_odoo_does() {
    let nomenclature = gs1();
    for (code, expected) in [
        ("0104012345678901", "01:product=04012345678901"),
        (
            "01040123456789011026A\x1d21S9",
            "01:product=04012345678901 10:lot=26A 21:lot=S9",
        ),
        (
            "0104012345678901310300275010ABC#17261231",
            "01:product=04012345678901 3103:quantity=2.75 10:lot=ABC 17:expiration_date=2026-12-31",
        ),
        (
            "010401234567890117261200",
            "01:product=04012345678901 17:expiration_date=2026-12-31",
        ),
        (
            "0010614141234567890802040123456789013748",
            "00:package=106141412345678908 02:product=04012345678901 37:quantity=48",
        ),
        ("0104012345678902", ""),
        ("10A\x1d", "10:lot=A"),
        ("10Alt02921X", "10:lot=Alt02921X"),
        ("3012", "30:quantity=12"),
        ("30", ""),
        ("3105000123", "3105:quantity=0.00123"),
        ("320200123437", ""),
        ("(01)04012345678901", ""),
        ("]C10104012345678901", "01:product=04012345678901"),
        ("]Q10104012345678901", ""),
        ("\x1d10A", "10:lot=A"),
        ("11261231", ""),
        ("17991231", "17:expiration_date=1999-12-31"),
        ("17261331", ""),
        ("9112", "91:package_type=12"),
        ("4104012345678901", "410:location_dest=4012345678901"),
        ("10ABC 1", ""),
        ("1012345678901234567890123", ""),
        ("3220001234", "3220:quantity=1234"),
    ] {
        let parts = nomenclature.parse(code, YEAR).unwrap_or_default();
        let parts: Vec<_> = parts
            .iter()
            .map(|part| {
                let ai = part.ai.as_deref().unwrap_or_default();
                format!("{ai}:{}={}", part.rule.kind, text(&part.value))
            })
            .collect();
        assert_eq!(parts.join(" "), expected, "{code:?}");
    }
}

/// Odoo's server never converts, and leaves the check digit of an EAN-8 wrong; its client does as
/// is asserted here.
#[test]
fn conversions_and_ean_8_are_as_in_odoos_client() {
    let upc = "036000291452";
    let ean = "0036000291452";
    let code = |conversion, code| {
        let nomenclature = site(conversion);
        let found = nomenclature.parse(code, YEAR).unwrap();
        (found[0].rule.encoding, found[0].code.clone())
    };
    assert_eq!(
        code(Conversion::None, upc),
        (Encoding::Upca, upc.to_owned())
    );
    assert_eq!(
        code(Conversion::EanToUpc, upc),
        (Encoding::Upca, upc.to_owned())
    );
    assert_eq!(
        code(Conversion::Always, upc),
        (Encoding::Ean13, ean.to_owned())
    );
    assert_eq!(
        code(Conversion::UpcToEan, upc),
        (Encoding::Ean13, ean.to_owned())
    );
    let upc_only = |conversion| {
        let rules = vec![rule(Encoding::Upca, "product", ".*")];
        let nomenclature = Nomenclature::new(conversion, rules).unwrap();
        nomenclature
            .parse(ean, YEAR)
            .map(|found| found[0].code.clone())
    };
    assert_eq!(upc_only(Conversion::EanToUpc).as_deref(), Some(upc));
    assert_eq!(upc_only(Conversion::Always).as_deref(), Some(upc));
    assert_eq!(upc_only(Conversion::UpcToEan), None);

    let nomenclature = site(Conversion::None);
    let found = nomenclature.parse("20123451", YEAR).unwrap();
    assert_eq!(found[0].base_code, "20000455");
    assert_eq!(found[0].value, Value::Number(Decimal::from(123)));
}

#[test]
fn the_first_rule_by_sequence_wins() {
    let later = Rule {
        sequence: 2,
        ..rule(Encoding::Any, "lot", "A")
    };
    let nomenclature = Nomenclature::new(
        Conversion::None,
        vec![
            later,
            rule(Encoding::Any, "package", "AB"),
            rule(Encoding::Any, "location", "AB"),
        ],
    )
    .unwrap();
    assert_eq!(
        nomenclature.parse("ABC", YEAR).unwrap()[0].rule.kind,
        "package"
    );
    assert_eq!(nomenclature.parse("AC", YEAR).unwrap()[0].rule.kind, "lot");
    assert_eq!(nomenclature.parse("C", YEAR), None);
}

/// Odoo cuts a code to the length of its pattern before it compares them, odd as that is.
#[test]
fn patterns_are_compared_with_as_many_characters_as_they_have() {
    let rules = vec![
        rule(Encoding::Any, "lot", "AB.*Z"),
        rule(Encoding::Any, "package", "A$"),
        rule(Encoding::Any, "location", "CD|E"),
        rule(Encoding::Any, "product", "F[0-9]+$"),
    ];
    let nomenclature = Nomenclature::new(Conversion::None, rules).unwrap();
    for (code, kind) in [
        ("AB12Z", Some("lot")),
        ("AB1234Z", None),
        ("A", Some("package")),
        ("AX", None),
        ("CD1", Some("location")),
        ("E1", Some("location")),
        ("XE", None),
        ("F1234", Some("product")),
        ("F123456789X", Some("product")),
        ("F1X", None),
    ] {
        let found = nomenclature.parse(code, YEAR);
        let found = found.as_ref().map(|found| found[0].rule.kind.as_str());
        assert_eq!(found, kind, "{code}");
    }
}

#[test]
fn dates_are_dates_around_the_year() {
    let nomenclature = gs1();
    let found = nomenclature.parse("15260200", YEAR).unwrap();
    assert_eq!(found[0].value, Value::Date(date(2026, 2, 28)));
}

#[test]
fn a_pattern_that_cannot_be_used_is_named() {
    for pattern in ["(", "(?=A)", "a{1000}{1000}{1000}"] {
        let error = Nomenclature::new(Conversion::None, vec![rule(Encoding::Any, "lot", pattern)])
            .unwrap_err();
        assert_eq!(error.pattern, pattern);
        assert!(error.to_string().contains("correct it in Odoo"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_code_makes_it_panic(code in any::<String>(), near in r"[0-9L{}\\.\x1d#ä-]{0,30}", year in any::<i16>()) {
        for nomenclature in [default(), site(Conversion::Always), gs1()] {
            let _ = (nomenclature.parse(&code, year), nomenclature.parse(&near, year));
        }
    }
}
