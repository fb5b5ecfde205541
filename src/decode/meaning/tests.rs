use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::decode::gs1::Unit;
use crate::decode::nomenclature::{Content, Conversion, Encoding, Rule};
use crate::decode::profile::{FlowName, Kind};
use crate::odoo_id::{ProductId, UnitId};

mod formats;
mod gs1;
mod measures;
mod site;

/// The id of the unit of all products but those of [`Copy::kept_in`].
const UNIT: UnitId = UnitId::new(1);
const KILOGRAM: UnitId = UnitId::new(8);
const GRAM: UnitId = UnitId::new(9);
/// A unit of the site's own.
const OWN: UnitId = UnitId::new(10);

/// A copy of Odoo's data as plain maps.
#[derive(Default)]
struct Copy {
    products: BTreeMap<&'static str, Vec<(i64, &'static str, u32)>>,
    locations: Vec<&'static str>,
    packages: Vec<&'static str>,
    orders: Vec<&'static str>,
    lots: Vec<&'static str>,
    /// Products that are kept in another unit.
    kept_in: BTreeMap<i64, UnitId>,
}

impl Known for Copy {
    fn products(&self, code: &str) -> Vec<KnownProduct> {
        let all = self.products.get(code).into_iter().flatten();
        all.map(|&(id, name, units)| KnownProduct {
            id: ProductId::new(id),
            name: name.to_owned(),
            units: units.into(),
            unit: Some(self.kept_in.get(&id).copied().unwrap_or(UNIT)),
        })
        .collect()
    }
    fn locations(&self, code: &str) -> Vec<String> {
        named(&self.locations, code)
    }
    fn packages(&self, code: &str) -> Vec<String> {
        named(&self.packages, code)
    }
    fn orders(&self, code: &str) -> Vec<String> {
        named(&self.orders, code)
    }
    fn has_lot(&self, code: &str) -> bool {
        self.lots.contains(&code)
    }
    fn convert(&self, value: Decimal, unit: UnitOf, into: UnitId) -> Fit {
        let factor = |unit| match unit {
            UnitOf::Gs1(Unit::Kilogram) | UnitOf::Id(KILOGRAM) => Some(1_000),
            UnitOf::Id(GRAM) => Some(1),
            _ => None,
        };
        if into == OWN && unit != UnitOf::Id(OWN) {
            return Fit::Unknown;
        }
        match (unit, factor(unit), factor(UnitOf::Id(into))) {
            (_, Some(from), Some(into)) => {
                let exact = value * Decimal::from(from) / Decimal::from(into);
                if exact.normalize().scale() > 3 {
                    return Fit::Unfit;
                }
                Fit::Is(exact.normalize())
            }
            (UnitOf::Gs1(Unit::Piece), ..) if into == UNIT => Fit::Is(value),
            (UnitOf::Id(id), ..) if id == into => Fit::Is(value),
            _ => Fit::Foreign,
        }
    }
    fn own_code(&self, product: ProductId) -> Option<String> {
        let is_own = |all: &&Vec<(i64, &str, u32)>| {
            all.iter().any(|one| (one.0, one.2) == (product.get(), 1))
        };
        let mut codes = self.products.iter();
        let own = codes.find(|(_, all)| is_own(all));
        own.map(|(code, _)| (*code).to_owned())
    }
}

fn named(all: &[&str], code: &str) -> Vec<String> {
    all.iter()
        .filter(|own| **own == code)
        .map(|own| (*own).to_owned())
        .collect()
}

fn rule(sequence: i32, encoding: Encoding, kind: &str, pattern: &str) -> Rule {
    Rule {
        name: pattern.to_owned(),
        sequence,
        encoding,
        kind: kind.to_owned(),
        pattern: pattern.to_owned(),
        alias: String::new(),
        content: Content::Alpha,
        decimals: false,
        uom: None,
        weight: crate::decode::gs1::Unit::Kilogram,
    }
}

/// What of Odoo's default nomenclature matters here, with the rules that Inventory adds.
fn odoo_default() -> Nomenclature {
    let rules = vec![
        rule(40, Encoding::Ean13, "weight", "21.....{NNDDD}"),
        rule(41, Encoding::Any, "location", "414"),
        rule(42, Encoding::Any, "lot", "10"),
        rule(43, Encoding::Any, "package", "PACK"),
        rule(44, Encoding::Any, "cashier", "041"),
        rule(90, Encoding::Any, "product", ".*"),
    ];
    Nomenclature::new(Conversion::Always, rules).unwrap()
}

fn ask(
    copy: &Copy,
    means: &[Means],
    text: &str,
    symbology: Option<&str>,
) -> Result<Understood, Unclear> {
    let nomenclature = odoo_default();
    let context = Context {
        means,
        nomenclature: Some(&nomenclature),
        known: copy,
        data_identifiers: false,
        year: 2026,
    };
    context.understand_text(text, symbology.and_then(Symbology::of).as_ref())
}

fn meaning(copy: &Copy, text: &str) -> (Meaning, By) {
    let understood =
        ask(copy, &[], text, None).unwrap_or_else(|unclear| panic!("{text}: {unclear}"));
    (understood.meaning, understood.by)
}

fn item(copy: &Copy, text: &str, symbology: Option<&str>) -> Item {
    match ask(copy, &[], text, symbology).unwrap().meaning {
        Meaning::Product(item) => item,
        other => panic!("{text} is {other:?}"),
    }
}

/// What a text means where Odoo has this and the site's nomenclature is that.
fn ask_of(copy: &Copy, nomenclature: &Nomenclature, text: &str) -> Result<Understood, Unclear> {
    let context = Context {
        means: &[],
        nomenclature: Some(nomenclature),
        known: copy,
        data_identifiers: false,
        year: 2026,
    };
    context.understand_text(text, None)
}

fn copy() -> Copy {
    Copy {
        products: BTreeMap::from([
            ("4006381333931", vec![(1, "Pen", 1)]),
            ("14006381333938", vec![(1, "Pen", 12)]),
            ("036000291452", vec![(2, "Tissues", 1)]),
            ("2112345000008", vec![(3, "Cheese", 1)]),
            ("1012345", vec![(4, "Bolt", 1)]),
            ("BIN-7", vec![(5, "A product named like a bin", 1)]),
        ]),
        locations: vec!["LOC-1", "BIN-7", "(12) left"],
        packages: vec!["PACK0001"],
        orders: vec!["WH/OUT/00042"],
        lots: vec!["LOT-7"],
        kept_in: BTreeMap::from([(3, KILOGRAM)]),
    }
}

#[test]
fn command_barcodes_are_odoos_and_ours() {
    for (text, command) in [
        ("OBTVALI", CommandCode::Validate),
        ("O-BTN.validate", CommandCode::Validate),
        ("o-btn.VALIDATE", CommandCode::Validate),
        ("O-CMD.MAIN-MENU", CommandCode::MainMenu),
        ("SR-UNDO", CommandCode::Undo),
        ("SR-QTY", CommandCode::Quantity(None)),
        (
            "SR-QTY-2.50",
            CommandCode::Quantity(Some("2.5".parse().unwrap())),
        ),
        (
            "SR-FLOW-TRANSFER",
            CommandCode::Flow(FlowName::BuiltIn(crate::event::Movement::Transfer)),
        ),
        (
            "SR-FLOW-putaway",
            CommandCode::Flow(FlowName::Custom("putaway".to_owned())),
        ),
        ("SR-OP-Anna-1", CommandCode::Operator("Anna-1".to_owned())),
    ] {
        assert_eq!(CommandCode::of(text), Some(command.clone()), "{text}");
        assert_eq!(
            CommandCode::of(&command.to_string()),
            Some(command),
            "{text} is printed as what it is"
        );
    }
    for text in [
        "SR-",
        "SR-QTY-",
        "SR-QTY-0",
        "SR-QTY--1",
        "SR-QTY-1e3",
        "SR-QTY-1.2.3",
        "SR-OP-",
        "SR-OP",
        "SR-FLOW-",
        "SR-1000",
        "OBTVAL",
        "",
        "SR-Ä",
    ] {
        assert_eq!(CommandCode::of(text), None, "{text}");
    }
}

#[test]
fn what_the_copy_knows_is_what_a_code_means() {
    let copy = copy();
    assert_eq!(
        meaning(&copy, "LOC-1"),
        (
            Meaning::Location {
                code: "LOC-1".to_owned()
            },
            By::Copy
        )
    );
    assert_eq!(
        meaning(&copy, "PACK0001").0,
        Meaning::Package {
            code: "PACK0001".to_owned(),
            content: None
        }
    );
    assert_eq!(
        meaning(&copy, "WH/OUT/00042").0,
        Meaning::Order {
            name: "WH/OUT/00042".to_owned()
        }
    );
    assert_eq!(
        meaning(&copy, "LOT-7").0,
        Meaning::Lot {
            name: "LOT-7".to_owned(),
            expiry: None
        }
    );
    // Odoo's rule `10` would take this product for a lot.
    let bolt = item(&copy, "1012345", None);
    assert_eq!(
        (bolt.code.as_str(), bolt.name.as_deref(), bolt.known),
        ("1012345", Some("Bolt"), true)
    );
}

#[test]
fn two_readings_are_refused_with_both() {
    let mut copy = copy();
    let unclear = ask(&copy, &[], "BIN-7", None).unwrap_err();
    insta::assert_snapshot!(unclear, @r#"BIN-7 means product A product named like a bin and location BIN-7; give one of them another barcode in Odoo, or set its meaning in code.means of the profile"#);
    copy.products
        .insert("04006381333931", vec![(9, "Another pen", 1)]);
    for (text, symbology) in [
        ("4006381333931", None),
        ("0104006381333931", Some("gs1-128")),
    ] {
        let unclear = ask(&copy, &[], text, symbology).unwrap_err();
        assert!(
            matches!(unclear, Unclear::Ambiguous { .. }),
            "{text}: {unclear}"
        );
    }
    copy.products
        .insert("X", vec![(10, "X1", 1), (11, "X2", 1)]);
    let means = [Means {
        prefix: "P:".to_owned(),
        is: Kind::Product,
        strip: true,
    }];
    assert!(
        ask(&copy, &means, "P:X", None).is_err(),
        "the profile cannot say which product"
    );
    let bolt = ask(&copy, &means, "P:1012345", None).unwrap().meaning;
    assert!(
        matches!(bolt, Meaning::Product(Item { known: true, .. })),
        "{bolt:?}"
    );
    assert!(
        ask(&copy, &[], "X", None).is_err(),
        "one code of two products"
    );
}

#[test]
fn the_profiles_word_goes_before_all_but_commands() {
    let copy = copy();
    let means = |prefix: &str, is, strip| Means {
        prefix: prefix.to_owned(),
        is,
        strip,
    };
    let all = [
        means("BIN-", Kind::Location, false),
        means("B", Kind::Product, false),
        means("OP:", Kind::Operator, true),
        means("Q", Kind::Quantity, true),
        means("OBT", Kind::Lot, false),
    ];
    let ask =
        |text| ask(&copy, &all, text, None).map(|understood| (understood.meaning, understood.by));
    assert_eq!(
        ask("BIN-7").unwrap(),
        (
            Meaning::Location {
                code: "BIN-7".to_owned()
            },
            By::Profile
        ),
        "the longest prefix counts"
    );
    assert_eq!(
        ask("OP:anna").unwrap().0,
        Meaning::Operator {
            badge: "anna".to_owned()
        }
    );
    assert_eq!(
        ask("Q2.5").unwrap().0,
        Meaning::Quantity {
            quantity: "2.5".parse().unwrap()
        }
    );
    assert_eq!(
        ask("Qx"),
        Err(Unclear::NoQuantity {
            text: "x".to_owned()
        })
    );
    assert_eq!(ask("OBTVALI").unwrap().1, By::Command);
    let Meaning::Product(pen) = ask("B4006381333931").unwrap().0 else {
        panic!()
    };
    assert_eq!((pen.code.as_str(), pen.known), ("B4006381333931", false));
    assert_eq!(
        ask("OP:").unwrap().0,
        Meaning::Unknown {
            text: "OP:".to_owned()
        },
        "a prefix alone names nothing"
    );
}

#[test]
fn codes_with_a_weight_inside_are_the_product_with_it() {
    let copy = copy();
    let cheese = item(&copy, "2112345015002", None);
    assert_eq!(
        (cheese.code.as_str(), cheese.weight_kg, cheese.known),
        ("2112345000008", Some("1.5".parse().unwrap()), true)
    );
    let other = item(&copy, "2199999015008", None);
    assert_eq!(
        (other.code.as_str(), other.weight_kg, other.known),
        ("2199999000004", Some("1.5".parse().unwrap()), false)
    );
}

#[test]
fn what_nobody_knows_is_told_by_the_nomenclature_or_its_form() {
    let copy = Copy::default();
    assert_eq!(
        meaning(&copy, "PACK0009"),
        (
            Meaning::Package {
                code: "PACK0009".to_owned(),
                content: None
            },
            By::Nomenclature
        )
    );
    assert_eq!(
        meaning(&copy, "041777").0,
        Meaning::Operator {
            badge: "041777".to_owned()
        }
    );
    assert_eq!(meaning(&copy, "4006381333931").1, By::Form);
    assert_eq!(
        meaning(&copy, "306141412345678902"),
        (
            Meaning::Package {
                code: "306141412345678902".to_owned(),
                content: None
            },
            By::Form
        )
    );
    assert_eq!(
        meaning(&copy, "hello"),
        (
            Meaning::Unknown {
                text: "hello".to_owned()
            },
            By::Nobody
        )
    );
    // An EAN that begins as Odoo's rule for lots does: the scanner says that it is one.
    let ean = item(&copy, "1012345678904", Some("ean13"));
    assert_eq!((ean.code.as_str(), ean.known), ("1012345678904", false));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|\u{1d}){0,60}", digits in "[0-9]{1,20}", ai in "[0-9]{2,4}") {
        let copy = copy();
        for text in [text.clone(), digits.clone(), format!("({ai}){digits}"), format!("SR-{text}"), format!("{digits}\u{1d}{text}")] {
            for symbology in [None, Some("gs1-128"), Some("ean13"), Some("upce"), Some("ean8")] {
                let _ = ask(&copy, &[], &text, symbology);
            }
        }
    }
}
