//! Forms of codes other than one element string: ISO/IEC 15434 messages, a GS in any text, EAN with
//! add-ons; and the other facts on a label.

use jiff::civil::date;

use super::*;

fn product_of(understood: &Understood) -> Item {
    match &understood.meaning {
        Meaning::Product(item) => item.clone(),
        other => panic!("{other:?}"),
    }
}

fn by_identifiers(copy: &Copy, text: &str) -> Result<Understood, Unclear> {
    let nomenclature = odoo_default();
    let context = Context {
        means: &[],
        nomenclature: Some(&nomenclature),
        known: copy,
        data_identifiers: true,
        year: 2026,
    };
    context.understand_text(text, Some(&Symbology::Known("datamatrix")))
}

fn unknown(text: &str) -> (Meaning, By) {
    let text = text.to_owned();
    (Meaning::Unknown { text }, By::Nobody)
}

#[test]
fn format_05_is_gs1_data() {
    let text = "[)>\x1e05\x1d010400638133393110LOT-7\x1d17270531\x1e\x04";
    for text in [
        text,
        text.trim_end_matches('\x04'),
        text.trim_end_matches(['\x04', '\x1e']),
    ] {
        for symbology in [None, Some("datamatrix"), Some("gs1-datamatrix")] {
            let understood = ask(&copy(), &[], text, symbology).unwrap();
            assert_eq!(understood.by, By::Gs1);
            let item = product_of(&understood);
            assert_eq!((item.code.as_str(), item.known), ("4006381333931", true));
            assert_eq!(item.lot.as_deref(), Some("LOT-7"));
            assert_eq!(item.expiry, Some(date(2027, 5, 31)));
        }
    }
    // Also beside another format.
    let both = "[)>\x1e06\x1dP1\x1e05\x1d0104006381333931\x1e\x04";
    assert_eq!(item(&copy(), both, None).code, "4006381333931");
    let wrong = "[)>\x1e05\x1d0104006381333930\x1e\x04";
    let unclear = ask(&copy(), &[], wrong, None).unwrap_err();
    assert!(unclear.to_string().contains("check digit 1"), "{unclear}");
}

#[test]
fn format_06_is_read_by_data_identifiers_where_the_profile_says_so() {
    let mut copy = copy();
    copy.products.insert("4-711", vec![(7, "Valve", 1)]);
    let text =
        "[)>\x1e06\x1d1P4-711\x1dPX9\x1dQ25\x1d1TB-1\x1dSS-1\x1d14D20270531\x1dVACME\x1e\x04";
    let understood = by_identifiers(&copy, text).unwrap();
    assert_eq!(understood.by, By::DataIdentifiers);
    let item = product_of(&understood);
    assert_eq!(
        (item.code.as_str(), item.name.as_deref(), item.known),
        ("4-711", Some("Valve"), true)
    );
    assert_eq!(
        (item.lot.as_deref(), item.serial.as_deref(), item.quantity),
        (Some("B-1"), Some("S-1"), Some(25.into()))
    );
    assert_eq!(item.expiry, Some(date(2027, 5, 31)));

    let lot = by_identifiers(&copy, "[)>\x1e06\x1d1TB-1\x1e\x04").unwrap();
    assert!(matches!(lot.meaning, Meaning::Lot { ref name, .. } if name == "B-1"));
    let quantity = by_identifiers(&copy, "[)>\x1e06\x1dQ2.5\x1e\x04").unwrap();
    assert!(matches!(quantity.meaning, Meaning::Quantity { .. }));
    let new = by_identifiers(&copy, "[)>\x1e06\x1dPX9\x1e\x04").unwrap();
    assert_eq!(
        (product_of(&new).code.as_str(), product_of(&new).known),
        ("X9", false)
    );
    for (fields, wrong) in [
        ("PX9\x1dQmany", "data identifier Q: found many"),
        ("PX9\x1d14D20271331", "data identifier 14D: found 20271331"),
        (
            "PX9\x1dSA\x1dSB",
            "data identifier S: found B; accepted is one value",
        ),
    ] {
        let text = format!("[)>\x1e06\x1d{fields}\x1e\x04");
        let unclear = by_identifiers(&copy, &text).unwrap_err().to_string();
        assert!(unclear.starts_with(wrong), "{unclear}");
    }
    // Two products on one label.
    let two = "[)>\x1e06\x1d1P4-711\x1dP1012345\x1e\x04";
    assert!(matches!(
        by_identifiers(&copy, two),
        Err(Unclear::Ambiguous { .. })
    ));
}

#[test]
fn other_messages_are_looked_up_as_a_whole() {
    const BIN: &str = "[)>\x1e06\x1d1LBIN-9\x1e\x04";
    let mut copy = copy();
    for text in [
        "[)>\x1e06\x1dP4006381333931\x1dQ5\x1e\x04",
        "[)>\x1e12\x1dA\x1e\x04",
        "[)>\x1e0196\x1d841706672\x1d840\x1e\x04",
        "[)>06P123",
        BIN,
    ] {
        assert_eq!(meaning(&copy, text), unknown(text), "{text:?}");
    }
    copy.locations.push(BIN);
    let bin = Meaning::Location {
        code: BIN.to_owned(),
    };
    assert_eq!(meaning(&copy, BIN), (bin.clone(), By::Copy));
    let understood = by_identifiers(&copy, BIN).unwrap();
    assert_eq!(
        understood.meaning, bin,
        "none of its data identifiers is read"
    );
}

#[test]
fn a_gs_alone_makes_no_gs1_data() {
    let copy = copy();
    for text in ["10-4455\x1dREV2", "A\x1dB", "0104006381333930\x1d10A"] {
        assert_eq!(meaning(&copy, text), unknown(text), "{text:?}");
        assert!(ask(&copy, &[], text, Some("gs1-128")).is_err(), "{text:?}");
    }
    // What is valid GS1 data is read as such, and held to its rules.
    let text = "0104006381333931\x1d3712\x1d10A";
    assert!(matches!(ask(&copy, &[], text, None), Err(Unclear::Gs1(_))));
    let item = item(&copy, "0104006381333931\x1d10A", None);
    assert_eq!(
        (item.code.as_str(), item.lot.as_deref()),
        ("4006381333931", Some("A"))
    );
}

#[test]
fn an_ean_with_an_add_on_is_the_ean() {
    let mut copy = copy();
    for (text, symbology, gtin) in [
        ("978030640615700006", "ean13", "09780306406157"),
        ("978030640615707", "ean13", "09780306406157"),
        ("400638133393112", "ean13", "04006381333931"),
        ("03600029145204", "upca", "00036000291452"),
        ("03600029145200006", "upca", "00036000291452"),
        ("003600029145200006", "ean13", "00036000291452"),
    ] {
        let item = item(&copy, text, Some(symbology));
        assert_eq!(item.gtin.as_deref(), Some(gtin), "{text}");
    }
    // Not the check digit of an EAN or UPC before it.
    assert_eq!(
        ask(&copy, &[], "978030640615800006", Some("ean13"))
            .unwrap()
            .by,
        By::Nobody
    );
    // Without a reported symbology, a product that Odoo has decides, unless the digits may be a
    // package's number.
    let text = "400638133393112";
    assert_eq!(item(&copy, text, None).code, "4006381333931");
    assert_eq!(
        meaning(&copy, "978030640615707"),
        unknown("978030640615707")
    );
    assert_eq!(
        meaning(&copy, "978030640615700006").0,
        Meaning::Package {
            code: "978030640615700006".to_owned(),
            content: None
        }
    );
    copy.products.insert("9780306406157", vec![(8, "Book", 1)]);
    let unclear = ask(&copy, &[], "978030640615700006", None).unwrap_err();
    insta::assert_snapshot!(unclear, @"978030640615700006 means 9780306406157 with an add-on and a package; give one of them another barcode in Odoo, or set its meaning in code.means of the profile");
    assert_eq!(
        item(&copy, "978030640615700006", Some("ean13"))
            .name
            .as_deref(),
        Some("Book")
    );
}

#[test]
fn a_label_says_which_of_its_dates_are_used() {
    let label = |text: &str| ask(&copy(), &[], text, None).unwrap().label;
    let both = label("(01)04006381333931(15)270531(17)270630(10)A");
    assert_eq!(both.best_before, Some(date(2027, 5, 31)));
    assert_eq!(both.unused, []);
    let others = label("(01)04006381333931(11)261101(12)261201(13)261102(16)270501(21)S");
    let unused: Vec<_> = others.unused.iter().map(ToString::to_string).collect();
    assert_eq!(
        unused,
        [
            "(11) 2026-11-01",
            "(12) 2026-12-01",
            "(13) 2026-11-02",
            "(16) 2027-05-01"
        ]
    );
    assert_eq!(others.best_before, None);
    let minute = label("(01)04006381333931(7003)2705311430");
    assert_eq!(minute.expiry_time, Some(date(2027, 5, 31).at(14, 30, 0, 0)));
    let item = item(&copy(), "(01)04006381333931(15)270531", None);
    assert_eq!(
        (item.best_before, item.expiry),
        (Some(date(2027, 5, 31)), None)
    );
}

/// What of Odoo's own GS1 nomenclature matters here.
fn odoo_gs1() -> Nomenclature {
    let of = |kind: &str, pattern: &str, content| Rule {
        content,
        ..rule(1, Encoding::Gs1, kind, pattern)
    };
    let rules = vec![
        of("product", r"(01)(\d{14})", Content::Identifier),
        of("lot", r"(10)([!-z]{0,20})", Content::Alpha),
        of("lot", r"(21)([!-z]{0,20})", Content::Alpha),
        of("quantity", r"(37)(\d{0,8})", Content::Measure),
        of("use_date", r"(15)(\d{6})", Content::Date),
        of("expiration_date", r"(16)(\d{6})", Content::Date),
        of("use_date", r"(91)(\d{6})", Content::Date),
        of("pack_date", r"(13)(\d{6})", Content::Date),
    ];
    Nomenclature::gs1("", rules).unwrap()
}

fn by_odoo(text: &str) -> Result<Understood, Unclear> {
    ask_of(&copy(), &odoo_gs1(), text)
}

#[test]
fn odoos_gs1_nomenclature_has_its_word_about_what_gs1_forbids_or_leaves_open() {
    let text = "(01)04006381333931(37)12";
    let understood = by_odoo(text).unwrap();
    assert!(understood.label.counts_item);
    assert_eq!(product_of(&understood).quantity, Some(12.into()));
    // Without such a rule it is refused in words, and so is all else that must not stand together.
    let unclear = ask(&copy(), &[], text, None).unwrap_err();
    assert!(unclear.to_string().contains("(37) beside it"), "{unclear}");
    assert!(by_odoo("(01)04006381333931(02)04006381333931(37)12").is_err());

    let label = |text: &str| by_odoo(text).unwrap().label;
    let dates = label("(01)04006381333931(15)270531(13)261101(16)270630");
    assert_eq!(dates.best_before, Some(date(2027, 5, 31)));
    let unused: Vec<_> = dates.unused.iter().map(ToString::to_string).collect();
    assert_eq!(unused, ["(13) 2026-11-01"]);
    let own = by_odoo("(01)04006381333931(16)270630(91)270531").unwrap();
    assert_eq!(own.label.best_before, Some(date(2027, 5, 31)));
    assert_eq!(product_of(&own).expiry, Some(date(2027, 6, 30)));
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(
        format in "0[0-9]", data in r"(1?[PTQS]|14D|[0-9]{2})?[A-Z0-9\x1d(]{0,30}", end in "\x1e?\x04?", digits in "[0-9]{8,18}",
    ) {
        let copy = copy();
        let text = format!("[)>\x1e{format}\x1d{data}{end}");
        let _ = by_identifiers(&copy, &text);
        for symbology in [None, Some("ean13"), Some("upca"), Some("upce"), Some("gs1-datamatrix")] {
            let _ = ask(&copy, &[], &text, symbology);
            let _ = ask(&copy, &[], &digits, symbology);
        }
        let _ = by_odoo(&text);
    }
}
