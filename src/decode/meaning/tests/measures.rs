//! A label's measure gives the quantity in the product's unit. A weight or dimension of another
//! kind than the unit is only recorded. Any other measure that cannot be converted refuses the
//! code.

use super::*;

/// Ham is kept in kilograms, and its case code stands for 10 kg. Spice is kept in grams. Loaf is
/// kept in kilograms and has only the code of a case of 6 kg. Tin is kept in Units, and Crate in a
/// unit of the site's own, which converts into no other.
fn shop() -> Copy {
    Copy {
        products: BTreeMap::from([
            ("00614141000029", vec![(1, "Tin", 1)]),
            ("10614141000026", vec![(1, "Tin", 12)]),
            ("00614141000036", vec![(2, "Ham", 1)]),
            ("10614141000033", vec![(2, "Ham", 10)]),
            ("00614141000043", vec![(3, "Spice", 1)]),
            ("10614141000057", vec![(4, "Loaf", 6)]),
            ("00614141000067", vec![(5, "Crate", 1)]),
            ("10614141000064", vec![(5, "Crate", 4)]),
            ("2112345000008", vec![(2, "Ham", 1)]),
            ("2154321000008", vec![(1, "Tin", 1)]),
            ("2177777000002", vec![(3, "Spice", 1)]),
        ]),
        kept_in: BTreeMap::from([(2, KILOGRAM), (3, GRAM), (4, KILOGRAM), (5, OWN)]),
        ..Copy::default()
    }
}

/// The code, how many of what it stands for, and the net weight that is recorded.
fn said(text: &str) -> (String, Option<String>, Option<String>) {
    let item = item(&shop(), text, None);
    let number = |number: Decimal| number.normalize().to_string();
    let net = item.measures.get("net_kg").copied();
    (item.code, item.quantity.map(number), net.map(number))
}

fn refused(text: &str) -> bool {
    matches!(ask(&shop(), &[], text, None), Err(Unclear::Measure { .. }))
}

#[test]
fn a_weight_is_the_quantity_of_what_is_weighed_and_recorded_of_all_else() {
    for (label, code, quantity, net) in [
        // Kept in Units: one, whatever it weighs.
        (
            "(01)00614141000029(3103)012500",
            "00614141000029",
            None,
            "12.5",
        ),
        (
            "(01)10614141000026(3103)012500",
            "10614141000026",
            None,
            "12.5",
        ),
        // So many of it, and they weigh so much.
        (
            "(02)00614141000029(3103)012500(37)4",
            "00614141000029",
            Some("4"),
            "12.5",
        ),
        // Kept in kilograms: so many, also of a case that holds ten, and of several.
        (
            "(01)00614141000036(3103)012500",
            "00614141000036",
            Some("12.5"),
            "12.5",
        ),
        (
            "(01)10614141000033(3103)009800",
            "00614141000036",
            Some("9.8"),
            "9.8",
        ),
        (
            "(02)10614141000033(3103)019600(37)2",
            "00614141000036",
            Some("19.6"),
            "19.6",
        ),
        (
            "(01)00614141000036(3103)002500(30)8",
            "00614141000036",
            Some("2.5"),
            "2.5",
        ),
        // Kept in grams.
        (
            "(01)00614141000043(3103)000275",
            "00614141000043",
            Some("275"),
            "0.275",
        ),
        // No code stands for one kilogram of it: half a case.
        (
            "(01)10614141000057(3103)003000",
            "10614141000057",
            Some("0.5"),
            "3",
        ),
    ] {
        let expected = (
            code.to_owned(),
            quantity.map(str::to_owned),
            Some(net.to_owned()),
        );
        assert_eq!(said(label), expected, "{label}");
    }
}

#[test]
fn what_cannot_be_stated_in_the_products_unit_is_refused() {
    // Finer than the product is kept; nothing; so many items of what is weighed.
    assert!(refused("(01)00614141000036(3105)000001"));
    assert!(refused("(01)00614141000036(3103)000000"));
    assert!(refused("(01)00614141000036(30)8"));
    // Five sixths of a case, where no code stands for a kilogram.
    assert!(refused("(01)10614141000057(3103)005000"));
    let unclear = ask(&shop(), &[], "(01)00614141000036(30)8", None).unwrap_err();
    assert_eq!(
        unclear.to_string(),
        "the label says 8 pieces, which cannot be converted into the unit of Ham in Odoo; scan the product by another code and enter the quantity, or change the unit in Odoo"
    );
}

#[test]
fn of_a_unit_that_nobody_knows_a_count_alone_is_taken() {
    assert!(refused("(01)00614141000067(3103)012500"));
    assert!(refused("(01)10614141000064(30)11"));
    for (label, quantity) in [
        ("(01)00614141000067", None),
        ("(01)00614141000067(30)8", Some("8")),
        ("(02)00614141000067(37)3(3103)012500", Some("3")),
    ] {
        assert_eq!(said(label).1.as_deref(), quantity, "{label}");
    }
}

#[test]
fn a_gross_weight_and_dimensions_are_recorded_and_no_quantity() {
    let ham = item(&shop(), "(01)00614141000036(3303)013000(3121)000004", None);
    assert_eq!(ham.quantity, None);
    let measures: Vec<_> = ham.measures.iter().collect();
    assert_eq!(
        measures,
        [
            (&"gross_kg".to_owned(), &Decimal::from(13)),
            (&"width_m".to_owned(), &Decimal::new(4, 1)),
        ]
    );
}

#[test]
fn items_inside_a_case_are_counted_as_items() {
    // (30): eleven tins, not eleven cases of twelve.
    let tins = said("(01)10614141000026(30)11");
    assert_eq!(tins.0, "00614141000029");
    assert_eq!(tins.1.as_deref(), Some("11"));
    // (37): two cases.
    let cases = said("(02)10614141000026(37)2");
    assert_eq!(cases.0, "10614141000026");
    assert_eq!(cases.1.as_deref(), Some("2"));
}

#[test]
fn a_weight_barcode_of_the_nomenclature_is_converted_too() {
    // 0.275 kg behind the number of a ham, a tin and a spice.
    for (label, code, quantity) in [
        ("2112345002750", "2112345000008", Some("0.275")),
        ("2154321002750", "2154321000008", None),
        ("2177777002754", "2177777000002", Some("275")),
    ] {
        let expected = (
            code.to_owned(),
            quantity.map(str::to_owned),
            Some("0.275".to_owned()),
        );
        assert_eq!(said(label), expected, "{label}");
    }
}

#[test]
fn of_what_nobody_knows_a_measure_says_no_quantity() {
    let unknown = item(&shop(), "(01)09506000134352(3103)012500", None);
    assert!(unknown.is_measured && !unknown.known);
    assert_eq!(unknown.quantity, None);
    let counted = item(&shop(), "(01)09506000134352(30)8", None);
    assert!(!counted.is_measured);
    assert_eq!(counted.quantity, Some(8.into()));
}

#[test]
fn where_odoo_weighs_in_pounds_a_weight_barcode_does_too() {
    let weight = Rule {
        weight: Unit::Pound,
        ..rule(40, Encoding::Ean13, "weight", "21.....{NNDDD}")
    };
    let nomenclature = Nomenclature::new(Conversion::Always, vec![weight]).unwrap();
    let understood = ask_of(&shop(), &nomenclature, "2154321002750").unwrap();
    let Meaning::Product(tin) = understood.meaning else {
        panic!("it is a tin")
    };
    assert_eq!((tin.quantity, tin.weight_kg), (None, None));
    assert_eq!(tin.measures.get("net_lb"), Some(&Decimal::new(275, 3)));
}

#[test]
fn a_count_of_items_is_no_weight() {
    assert!(refused("(02)00614141000036(37)8"));
    // Two cases of ten kilograms; eight pieces that weigh 2.5 kg, or one kilogram each.
    for (label, code, quantity) in [
        ("(02)10614141000033(37)2", "10614141000033", "2"),
        (
            "(02)00614141000036(3103)002500(37)8",
            "00614141000036",
            "2.5",
        ),
        ("(02)00614141000036(3103)008000(37)8", "00614141000036", "8"),
        ("(02)00614141000029(37)8", "00614141000029", "8"),
        // The crate's unit is unknown.
        ("(02)00614141000067(37)8", "00614141000067", "8"),
    ] {
        let (found, counted, _) = said(label);
        let counted = counted.as_deref();
        assert_eq!((found.as_str(), counted), (code, Some(quantity)), "{label}");
    }
}
