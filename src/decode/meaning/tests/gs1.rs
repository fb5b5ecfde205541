//! Item numbers and GS1 codes.

use super::*;

#[test]
fn an_item_number_is_looked_up_in_all_its_forms() {
    let copy = copy();
    for text in ["4006381333931", "04006381333931"] {
        assert_eq!(item(&copy, text, None).code, "4006381333931");
    }
    for text in ["036000291452", "0036000291452", "00036000291452"] {
        let tissues = item(&copy, text, None);
        assert_eq!(
            (tissues.code.as_str(), tissues.gtin.as_deref()),
            ("036000291452", Some("00036000291452"))
        );
    }
    let carton = item(&copy, "14006381333938", None);
    assert_eq!((carton.units, carton.known), (Some(12.into()), true));
    // UPC-E is 042100005264, which the test's catalog does not have; AIM's identifier of both
    // EAN-13 and UPC-E is ]E0.
    for symbology in ["upce", "ean13"] {
        let unknown = item(&copy, "04252614", Some(symbology));
        assert_eq!(
            (
                unknown.code.as_str(),
                unknown.gtin.as_deref(),
                unknown.known
            ),
            ("042100005264", Some("00042100005264"), false)
        );
    }
    assert_eq!(
        meaning(&copy, "04252614").0,
        Meaning::Unknown {
            text: "04252614".to_owned()
        },
        "eight digits alone are no item number"
    );
}

#[test]
fn gs1_codes_mean_what_their_application_identifiers_say() {
    let copy = copy();
    let pen = item(
        &copy,
        "010400638133393110LOT-7\x1d17261200\x1d3012\x1d21S1",
        Some("gs1-128"),
    );
    assert_eq!(
        pen,
        Item {
            code: "4006381333931".to_owned(),
            gtin: Some("04006381333931".to_owned()),
            name: Some("Pen".to_owned()),
            lot: Some("LOT-7".to_owned()),
            serial: Some("S1".to_owned()),
            expiry: Some(Date::constant(2026, 12, 31)),
            quantity: Some(12.into()),
            known: true,
            ..Item::default()
        }
    );
    assert_eq!(
        item(&copy, "https://example.com/01/14006381333938/10/B", None).units,
        Some(12.into())
    );
    assert_eq!(
        item(&copy, "(01)94006381333934(3103)001250", None).weight_kg,
        Some("1.250".parse().unwrap())
    );
    let (pallet, by) = meaning(&copy, "(00)106141412345678908(02)04006381333931(37)48(10)L");
    let Meaning::Package {
        code,
        content: Some(content),
    } = pallet
    else {
        panic!()
    };
    assert_eq!(
        (code.as_str(), content.quantity, content.lot.as_deref(), by),
        ("106141412345678908", Some(48.into()), Some("L"), By::Gs1)
    );
    assert_eq!(
        meaning(&copy, "(10)L(17)261231").0,
        Meaning::Lot {
            name: "L".to_owned(),
            expiry: Some(Date::constant(2026, 12, 31))
        }
    );
    assert_eq!(
        meaning(&copy, "(414)4006381333931").0,
        Meaning::Location {
            code: "4006381333931".to_owned()
        }
    );
    assert_eq!(
        meaning(&copy, "(400)WH/OUT/00042").0,
        Meaning::Order {
            name: "WH/OUT/00042".to_owned()
        }
    );
    assert_eq!(
        meaning(&copy, "(30)6").0,
        Meaning::Quantity { quantity: 6.into() }
    );
}

#[test]
fn a_scanner_that_says_gs1_is_held_to_it() {
    let copy = copy();
    let wrong = ask(&copy, &[], "0104006381333930", Some("gs1-128")).unwrap_err();
    assert!(matches!(wrong, Unclear::Gs1(_)), "{wrong}");
    assert!(wrong.to_string().contains("check digit 1"), "{wrong}");
    let both = "010400638133393102040063813339313748";
    let wrong = ask(&copy, &[], both, Some("gs1-128")).unwrap_err();
    assert!(
        wrong.to_string().contains("(01): found (37) beside it"),
        "{wrong}"
    );
    // What (37) belongs to may be in the label's other code.
    assert!(ask(&copy, &[], "3748", Some("gs1-128")).is_ok());
    assert_eq!(
        item(&copy, "04006381333931", Some("databar")).code,
        "4006381333931"
    );
    assert!(ask(&copy, &[], "04006381333930", Some("databar")).is_err());
    // Nobody said that this is GS1's, and a bin has the name.
    assert_eq!(
        meaning(&copy, "(12) left"),
        (
            Meaning::Location {
                code: "(12) left".to_owned()
            },
            By::Copy
        )
    );
    assert!(ask(&copy, &[], "(12) right", None).is_err());
}
