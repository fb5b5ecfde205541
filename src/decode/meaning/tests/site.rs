//! GS1 data by the rules of a site's own GS1 nomenclature.

use super::*;

const LITRE: UnitId = UnitId::new(7);

/// A rule as Odoo has it: kind, pattern, content.
fn of(kind: &str, pattern: &str, content: Content) -> Rule {
    Rule {
        content,
        ..rule(1, Encoding::Gs1, kind, pattern)
    }
}

fn measure(pattern: &str, unit: UnitId) -> Rule {
    Rule {
        decimals: true,
        uom: Some(unit),
        ..of("quantity", pattern, Content::Measure)
    }
}

/// Some of Odoo's `Default GS1 Nomenclature`, and what a site may add.
fn site() -> Nomenclature {
    let rules = vec![
        of("package", r"(01)(\d{14})", Content::Identifier),
        of("location_dest", r"(410)(\d{13})", Content::Identifier),
        measure(r"(315[0-5])(\d{6})", LITRE),
        measure(r"(361[0-5])(\d{6})", UNIT),
        of("location", "(90)(B[0-9]+)", Content::Alpha),
        of("package", "(90)(P[0-9]+)", Content::Alpha),
        of("product", "(91)([A-Z0-9-]+)", Content::Alpha),
        of("lot", "(92)([A-Z0-9-]+)", Content::Alpha),
        of("expiration_date", r"(93)(\d{6})", Content::Date),
        of("quantity", r"(94)(\d+)", Content::Measure),
        of("cashier", "(95)([a-z]+)", Content::Alpha),
        of("package_type", "(96)([a-z]+)", Content::Alpha),
        of("location", r"(97)(\d{4})", Content::Alpha),
    ];
    Nomenclature::gs1("", rules).unwrap()
}

fn ask(text: &str) -> Result<Understood, Unclear> {
    ask_of(&copy(), &site(), text)
}

fn meaning(text: &str) -> (Meaning, By) {
    let understood = ask(text).unwrap_or_else(|unclear| panic!("{text}: {unclear}"));
    (understood.meaning, understood.by)
}

fn item(text: &str) -> Item {
    match meaning(text).0 {
        Meaning::Product(item) => item,
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn the_sites_rules_say_what_gs1s_leave_open() {
    let location = |code: &str| Meaning::Location {
        code: code.to_owned(),
    };
    let package = |code: &str| Meaning::Package {
        code: code.to_owned(),
        content: None,
    };
    let lot = |name: &str, expiry| Meaning::Lot {
        name: name.to_owned(),
        expiry,
    };
    for (text, expected) in [
        ("(90)B12", location("B12")),
        ("(90)P12", package("P12")),
        ("(410)4006381333931", location("4006381333931")),
        ("(92)L-1", lot("L-1", None)),
        (
            "(92)L-1(93)261200",
            lot("L-1", Some(Date::constant(2026, 12, 31))),
        ),
        (
            "(94)12",
            Meaning::Quantity {
                quantity: 12.into(),
            },
        ),
        (
            "(95)anna",
            Meaning::Operator {
                badge: "anna".to_owned(),
            },
        ),
    ] {
        assert_eq!(meaning(text), (expected, By::Nomenclature), "{text}");
    }
    // As a scanner sends it.
    assert_eq!(meaning("92L-1\u{1d}9412").0, lot("L-1", None));
    let bolt = item("(91)1012345(92)L-1(93)261231(94)3(21)S1");
    assert_eq!(
        bolt,
        Item {
            code: "1012345".to_owned(),
            name: Some("Bolt".to_owned()),
            lot: Some("L-1".to_owned()),
            serial: Some("S1".to_owned()),
            expiry: Some(Date::constant(2026, 12, 31)),
            quantity: Some(3.into()),
            known: true,
            ..Item::default()
        }
    );
    for text in ["(96)euro", "(90)X12", "(97)12345", "(98)1"] {
        assert!(
            matches!(meaning(text), (Meaning::Unknown { .. }, By::Gs1)),
            "{text}: no rule takes all of it"
        );
    }
}

#[test]
fn gs1s_word_goes_first() {
    // A rule of the site's calls (01) a package.
    let (pen, by) = meaning("(01)04006381333931(10)L(92)L(96)euro(410)4006381333931");
    assert!(
        matches!(&pen, Meaning::Product(item) if item.code == "4006381333931" && item.lot.as_deref() == Some("L")),
        "{pen:?}"
    );
    assert_eq!(by, By::Gs1);
    assert_eq!(meaning("(10)L(93)261231").1, By::Gs1);
    assert_eq!(meaning("(37)5(92)L").1, By::Nomenclature);
    let pallet = "(00)106141412345678908(02)04006381333931(37)48(92)L-1";
    let (pallet, by) = meaning(pallet);
    let Meaning::Package {
        code,
        content: Some(content),
    } = pallet
    else {
        panic!("{pallet:?}")
    };
    assert_eq!(
        (code.as_str(), content.lot.as_deref(), by),
        ("106141412345678908", Some("L-1"), By::Gs1)
    );
}

#[test]
fn a_package_of_the_sites_own_holds_what_02_says() {
    let (package, _) = meaning("(02)04006381333931(37)48(90)P12");
    let Meaning::Package {
        code,
        content: Some(content),
    } = package
    else {
        panic!("{package:?}")
    };
    assert_eq!(
        (code.as_str(), content.name.as_deref(), content.quantity),
        ("P12", Some("Pen"), Some(48.into()))
    );
}

#[test]
fn a_measure_counts_where_its_unit_is_the_products_own() {
    assert_eq!(
        item("(01)04006381333931(3611)000125").quantity,
        Some("12.5".parse().unwrap())
    );
    assert_eq!(item("(01)04006381333931(3151)000125").quantity, None);
    // Of a case of twelve pens it is a number of pens, and so is their code.
    let pens = item("(01)14006381333938(3611)000125");
    assert_eq!(
        (pens.code.as_str(), pens.quantity, pens.units),
        ("4006381333931", Some("12.5".parse().unwrap()), None)
    );
    assert!(
        matches!(meaning("(3151)000125").0, Meaning::Unknown { .. }),
        "litres of nothing"
    );
}

#[test]
fn a_weight_with_a_unit_is_such_a_measure_too() {
    let weight = |unit| Rule {
        kind: "weight".to_owned(),
        ..measure(r"(320[0-5])(\d{6})", unit)
    };
    for (unit, quantity) in [(LITRE, None), (UNIT, Some("12.5".parse().unwrap()))] {
        let (copy, nomenclature) = (copy(), Nomenclature::gs1("", vec![weight(unit)]).unwrap());
        let context = Context {
            means: &[],
            nomenclature: Some(&nomenclature),
            known: &copy,
            data_identifiers: false,
            year: 2026,
        };
        let understood = context.understand_text("(01)04006381333931(3201)000125", None);
        let Meaning::Product(pen) = understood.unwrap().meaning else {
            panic!("it is a pen")
        };
        assert_eq!((pen.quantity, pen.weight_kg), (quantity, None));
    }
}

#[test]
fn the_first_rule_that_takes_all_of_an_element_counts() {
    let rules = vec![
        of("location", r"(91)(B\d{3})", Content::Alpha),
        of("lot", "(91)(.{1,20})", Content::Alpha),
    ];
    let nomenclature = Nomenclature::gs1("", rules).unwrap();
    let kind = |value| Some(&*nomenclature.element("91", value, 2026)?.rule.kind);
    assert_eq!(kind("B123"), Some("location"));
    assert_eq!(kind("B1234"), Some("lot"));
}

#[test]
fn one_product_said_twice_is_one() {
    let pen = item("(01)04006381333931(91)4006381333931");
    assert_eq!(pen.gtin.as_deref(), Some("04006381333931"));
}

#[test]
fn what_gs1_and_the_site_say_must_go_together() {
    insta::assert_snapshot!(
        ask("(01)04006381333931(90)B12").unwrap_err(),
        @r#"(01)04006381333931(90)B12 means product Pen by (01) and location B12 by Odoo's rule "(90)(B[0-9]+)"; change the rule in Odoo's barcode nomenclature, or the label"#
    );
    insta::assert_snapshot!(
        ask("(10)A(92)B").unwrap_err(),
        @r#"(10)A(92)B means lot A and lot B by Odoo's rule "(92)([A-Z0-9-]+)"; change the rule in Odoo's barcode nomenclature, or the label"#
    );
    for text in [
        "(01)04006381333931(90)P12",
        "(01)04006381333931(91)1012345",
        "(01)04006381333931(17)261231(93)261130",
        "(00)106141412345678908(90)P12",
        "(414)4006381333931(90)B12",
        "(90)B12(97)1234",
        "(30)5(94)6",
        "(90)B12(95)anna",
    ] {
        let unclear = ask(text).map(|understood| understood.meaning);
        assert!(
            matches!(unclear, Err(Unclear::Contradiction { .. })),
            "{text}: {unclear:?}"
        );
    }
    assert!(ask("(10)A(92)A").is_ok());
    assert!(ask("(414)4006381333931(410)4006381333931").is_ok());
}

/// As without it: what a text is that does not say that it is GS1's, a GS1 nomenclature does not
/// tell.
#[test]
fn a_gs1_nomenclature_cuts_no_other_text() {
    for text in ["90B12", "92LOT"] {
        assert_eq!(
            meaning(text).0,
            Meaning::Unknown {
                text: text.to_owned()
            }
        );
    }
    assert_eq!(item("1012345").name.as_deref(), Some("Bolt"));
}

proptest! {
    #[test]
    fn no_elements_make_it_panic(value in r"[0-9]{0,8}[A-Za-z0-9-]{0,12}", ai in "9[0-9]|31[0-9]{2}|0[0-2]|410") {
        let _ = (ask(&format!("({ai}){value}")), ask(&format!("(10)L({ai}){value}")));
    }
}
