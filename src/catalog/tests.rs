//! The copy of master data on a real disk.

use super::*;
use crate::odoo_id::{CompanyId, LocationId, ProductId, UnitId};

fn row(id: i64, barcode: Option<&str>) -> Row {
    Row {
        id,
        write_date: Some("2026-11-23 08:00:00".to_owned()),
        active: true,
        display_name: Some(format!("Thing {id}")),
        barcode: barcode.map(str::to_owned),
        default_code: Some(format!("SKU{id}")),
        tracking: Some("none".to_owned()),
        uom_id: Some(UnitId::new(1)),
        ..Row::default()
    }
}

fn unit(id: i64, factor: f64) -> Row {
    Row {
        factor: Some(factor),
        ..row(id, None)
    }
}

fn filled() -> (tempfile::TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "a").unwrap();
    copy.apply(Kind::Unit, &[unit(1, 1.0), unit(2, 6.0)])
        .unwrap();
    copy.apply(Kind::Product, &[row(10, Some("400")), row(11, Some("401"))])
        .unwrap();
    copy.apply(Kind::Location, &[row(5, Some("BIN-1"))])
        .unwrap();
    (dir, copy)
}

fn id(found: Found<Product>) -> Option<i64> {
    match found {
        Found::One(product) => Some(product.id.get()),
        _ => None,
    }
}

#[test]
fn a_product_is_found_by_barcode_reference_and_packaging() {
    let (_dir, copy) = filled();
    let packaging = Row {
        product_id: Some(ProductId::new(10)),
        uom_id: Some(UnitId::new(2)),
        ..row(1, Some("PACK6"))
    };
    let older = Row {
        product_id: Some(ProductId::new(11)),
        uom_id: None,
        contained: Some(4.0),
        ..row(2, Some("PACK4"))
    };
    copy.apply(Kind::Packaging, &[packaging, older]).unwrap();
    assert_eq!(id(copy.product("400").unwrap()), Some(10));
    assert_eq!(id(copy.product("SKU11").unwrap()), Some(11));
    let Found::One(six) = copy.product("PACK6").unwrap() else {
        panic!("no packaging")
    };
    assert_eq!((six.id.get(), six.measure.factor()), (10, Decimal::from(6)));
    assert_eq!(copy.product("402").unwrap(), Found::Nothing);
    assert_eq!(
        copy.location("BIN-1").unwrap(),
        Found::One(LocationId::new(5))
    );
    // A bin's barcode names no product.
    assert_eq!(copy.product("BIN-1").unwrap(), Found::Nothing);
}

#[test]
fn one_barcode_for_two_things_names_both() {
    let (_dir, copy) = filled();
    copy.apply(Kind::Location, &[row(6, Some("BIN-1"))])
        .unwrap();
    assert_eq!(
        copy.location("BIN-1").unwrap(),
        Found::Several(vec![
            "Thing 5 (id 5)".to_owned(),
            "Thing 6 (id 6)".to_owned()
        ])
    );
}

/// A row that Odoo wrote at this minute past eight.
fn written(minute: u32, row: Row) -> Row {
    Row {
        write_date: Some(format!("2026-11-23 08:{minute:02}:00")),
        ..row
    }
}

fn at(text: &str) -> jiff::Timestamp {
    format!("2026-11-23T08:{text}Z").parse().unwrap()
}

#[test]
fn what_a_code_meant_before_is_known_until_odoo_wrote_the_change() {
    let (_dir, copy) = filled();
    let meant = |coded, code: &str, when: &str| {
        let meant = copy.meant_at(coded, code, at(when)).unwrap();
        meant.map(|meant| meant.id)
    };
    for kind in Kind::ALL {
        copy.set_since(kind, "2026-11-23 08:00:00").unwrap();
    }
    // A new name changes no meaning, and a new product had no code before.
    let renamed = Row {
        display_name: Some("Other".to_owned()),
        ..row(10, Some("400"))
    };
    copy.apply(
        Kind::Product,
        &[written(1, renamed), written(1, row(12, Some("402")))],
    )
    .unwrap();
    assert_eq!(meant(Coded::Product, "400", "00:00"), None);
    assert_eq!(meant(Coded::Product, "402", "00:00"), None);
    // A person takes the code from one product at 8:02 and gives it to the other at 8:03.
    let rows = [written(2, row(10, None)), written(3, row(11, Some("400")))];
    copy.apply(Kind::Product, &rows).unwrap();
    assert_eq!(meant(Coded::Product, "400", "02:30"), Some(10));
    assert_eq!(
        meant(Coded::Product, "400", "03:00"),
        Some(10),
        "within the second"
    );
    assert_eq!(meant(Coded::Product, "400", "03:01"), None);
    assert_eq!(
        meant(Coded::Product, "401", "02:59"),
        Some(11),
        "the code has no meaning any more"
    );
    // The product is archived at 8:05, and another product has the code at 8:07.
    let archived = Row {
        active: false,
        ..row(11, Some("400"))
    };
    copy.apply(Kind::Product, &[written(5, archived)]).unwrap();
    copy.apply(Kind::Product, &[written(7, row(12, Some("400")))])
        .unwrap();
    assert_eq!(meant(Coded::Product, "400", "02:30"), Some(10));
    assert_eq!(meant(Coded::Product, "400", "04:00"), Some(11));
    assert_eq!(
        meant(Coded::Product, "400", "06:00"),
        None,
        "no meaning at the time"
    );
    // A bin's label moves to another bin, and a packaging changes its quantity.
    copy.apply(
        Kind::Location,
        &[written(4, row(5, None)), written(4, row(6, Some("BIN-1")))],
    )
    .unwrap();
    assert_eq!(meant(Coded::Location, "BIN-1", "03:00"), Some(5));
    let packaging = |minute, contained| {
        let packaging = Row {
            product_id: Some(ProductId::new(10)),
            uom_id: None,
            contained: Some(contained),
            ..row(1, Some("PACK"))
        };
        written(minute, packaging)
    };
    copy.apply(Kind::Packaging, &[packaging(1, 4.0)]).unwrap();
    copy.apply(Kind::Packaging, &[packaging(6, 8.0)]).unwrap();
    let before = copy.meant_at(Coded::Product, "PACK", at("05:00")).unwrap();
    let now = copy.meaning(Coded::Product, "PACK").unwrap().unwrap();
    assert_eq!(
        before.as_ref().map(|before| (before.id, before.is(&now))),
        Some((10, false))
    );
    // A deleted record leaves no time, so its old meaning lasts until now.
    copy.keep_only(Kind::Location, &BTreeSet::from([5]))
        .unwrap();
    assert_eq!(meant(Coded::Location, "BIN-1", "59:00"), Some(6));
}

#[test]
fn the_coarser_of_rounding_and_digits_holds() {
    let (_dir, copy) = filled();
    let half = |copy: &Catalog| match copy.product("400").unwrap() {
        Found::One(product) => product.measure.convert("0.5".parse().unwrap()).is_ok(),
        other => panic!("{other:?}"),
    };
    let fine = |copy: &Catalog| match copy.product("400").unwrap() {
        Found::One(product) => product.measure.convert("0.005".parse().unwrap()).is_ok(),
        other => panic!("{other:?}"),
    };
    assert!(half(&copy) && fine(&copy), "Odoo has not stated the digits");
    copy.set_digits(2).unwrap();
    assert!(half(&copy) && !fine(&copy));
    let rounding = |rounding| Row {
        rounding: Some(rounding),
        ..unit(1, 1.0)
    };
    copy.apply(Kind::Unit, &[rounding(1.0)]).unwrap();
    assert!(!half(&copy));
    copy.apply(Kind::Unit, &[rounding(0.001)]).unwrap();
    assert!(half(&copy) && !fine(&copy), "Odoo stores two digits");
}

#[test]
fn a_look_up_is_as_of_its_time() {
    let (_dir, copy) = filled();
    let codes = ["400".to_owned()];
    let known = |code: &str, when: &str| copy.is_looked_up(Coded::Product, code, at(when));
    assert!(!known("400", "00:00"));
    copy.note_looked_up(Coded::Product, codes.iter(), at("01:00"));
    assert!(known("400", "01:00") && !known("400", "01:01") && !known("401", "00:00"));
    copy.note_all_looked_up(at("02:00"));
    assert!(known("401", "02:00") && !known("401", "02:01"));
    copy.claim("b").unwrap();
    assert!(!known("401", "00:00"));
}

#[test]
fn a_barcode_that_moves_to_another_product_moves_here_as_well() {
    let (_dir, copy) = filled();
    assert!(
        copy.apply(Kind::Product, &[row(10, None), row(11, Some("400"))])
            .unwrap()
    );
    assert_eq!(id(copy.product("400").unwrap()), Some(11));
    assert_eq!(copy.product("401").unwrap(), Found::Nothing);
    assert!(
        !copy.apply(Kind::Product, &[row(11, Some("400"))]).unwrap(),
        "no news"
    );
}

#[test]
fn archived_and_deleted_records_are_dropped() {
    let (_dir, copy) = filled();
    let archived = Row {
        active: false,
        ..row(10, Some("400"))
    };
    assert!(copy.apply(Kind::Product, &[archived]).unwrap());
    assert_eq!(copy.product("400").unwrap(), Found::Nothing);
    assert!(copy.keep_only(Kind::Product, &BTreeSet::new()).unwrap());
    assert_eq!(copy.product("401").unwrap(), Found::Nothing);
    assert_eq!(copy.count(Kind::Product).unwrap(), 0);
    assert_eq!(copy.count(Kind::Location).unwrap(), 1);
}

#[test]
fn the_copy_outlives_a_restart_but_not_a_change_of_database() {
    let (dir, copy) = filled();
    copy.set_since(Kind::Product, "2026-11-23 08:00:00")
        .unwrap();
    drop(copy);
    let copy = Catalog::open(dir.path(), "a").unwrap();
    assert_eq!(id(copy.product("400").unwrap()), Some(10));
    assert!(copy.since(Kind::Product).unwrap().is_some());
    drop(copy);
    let copy = Catalog::open(dir.path(), "b").unwrap();
    assert_eq!(copy.product("400").unwrap(), Found::Nothing);
    assert_eq!(copy.since(Kind::Product).unwrap(), None);
}

#[test]
fn a_damaged_copy_is_thrown_away() {
    let (dir, copy) = filled();
    drop(copy);
    std::fs::write(dir.path().join(FILE), b"not a database at all").unwrap();
    let copy = Catalog::open(dir.path(), "a").unwrap();
    assert_eq!(copy.product("400").unwrap(), Found::Nothing);
}

#[test]
fn a_copy_with_a_damaged_page_is_thrown_away_or_right() {
    use std::os::unix::fs::FileExt as _;
    let (dir, copy) = filled();
    drop(copy);
    let path = dir.path().join(FILE);
    let bytes = std::fs::read(&path).unwrap();
    let mut thrown_away = 0;
    for page in 0..bytes.len() / 4_096 {
        std::fs::write(&path, &bytes).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let at = page as u64 * 4_096;
        file.write_all_at(&[0xa5; 4_096], at).unwrap();
        drop(Catalog::open_last(dir.path(), "http://odoo", "prod"));
        let copy = Catalog::open(dir.path(), "a").unwrap();
        match copy.product("400").unwrap() {
            Found::Nothing => thrown_away += 1,
            found => assert_eq!(id(found), Some(10), "page {page}"),
        }
    }
    assert!(thrown_away > 3, "{thrown_away}");
}

#[test]
fn the_last_copy_is_opened_without_odoo_if_it_is_of_the_same_database() {
    let dir = tempfile::tempdir().unwrap();
    let last = |url, database| Catalog::open_last(dir.path(), url, database).unwrap();
    assert!(
        last("http://odoo", "prod").is_none(),
        "no catalog exists yet"
    );
    let copy = Catalog::open(
        dir.path(),
        &identity("http://odoo", "prod", CompanyId::new(12)),
    )
    .unwrap();
    copy.apply(Kind::Product, &[row(10, Some("400"))]).unwrap();
    drop(copy);
    assert!(last("http://odoo", "test").is_none());
    assert!(last("http://odoo2", "prod").is_none());
    assert!(last("http://odoo", "prod 12").is_none());
    let copy = last("http://odoo", "prod").unwrap();
    assert_eq!(id(copy.product("400").unwrap()), Some(10));
    assert!(!copy.is_complete().unwrap());
    for kind in Kind::ALL {
        copy.set_since(kind, "2026-11-23 08:00:00").unwrap();
    }
    assert!(copy.is_complete().unwrap());
    drop(copy);
    std::fs::write(dir.path().join(FILE), b"not a database at all").unwrap();
    assert!(Catalog::open_last(dir.path(), "http://odoo", "prod").is_err());
}

#[test]
fn clones_are_the_same_copy_on_other_threads_too() {
    let (_dir, copy) = filled();
    let reader = copy.clone();
    copy.apply(Kind::Product, &[row(12, Some("402"))]).unwrap();
    let read = std::thread::spawn(move || (id(reader.product("402").unwrap()), reader));
    let (found, reader) = read.join().unwrap();
    assert_eq!(found, Some(12));
    // The same company keeps the catalog; another company empties it for all clones.
    copy.claim("a").unwrap();
    assert_eq!(id(reader.product("402").unwrap()), Some(12));
    copy.claim("b").unwrap();
    assert_eq!(reader.product("402").unwrap(), Found::Nothing);
}

/// The units of a shop as Odoo 19 has them.
fn measured() -> (tempfile::TempDir, Catalog) {
    let (dir, copy) = filled();
    let unit = |id, factor, path: &str, name: &str| Row {
        reference: path.split('/').next().map(str::to_owned),
        external: Some(name.to_owned()),
        name: Some(name.to_owned()),
        ..unit(id, factor)
    };
    let units = [
        unit(1, 1.0, "1/", "uom.product_uom_unit"),
        unit(2, 6.0, "1/2/", ""),
        unit(3, 1.0, "3/", "uom.product_uom_gram"),
        unit(4, 1_000.0, "3/4/", "uom.product_uom_kgm"),
        unit(5, 1_000_000.0, "3/4/5/", "uom.product_uom_ton"),
        unit(6, 453.592, "3/6/", "uom.product_uom_lb"),
        unit(7, 1.0, "7/", "uom.product_uom_milliliter"),
        unit(8, 1_000.0, "7/8/", "uom.product_uom_litre"),
        unit(9, 1_000_000.0, "7/8/9/", "uom.product_uom_cubic_meter"),
        unit(10, 1.0, "10/", "uom.product_uom_square_meter"),
        unit(11, 1.0, "11/", ""),
    ];
    copy.apply(Kind::Unit, &units).unwrap();
    copy.set_digits(2).unwrap();
    (dir, copy)
}

#[test]
fn a_label_s_unit_is_converted_where_it_has_a_common_reference() {
    use crate::decode::gs1::Unit;
    use crate::decode::meaning::{Fit, UnitOf};
    let (_dir, copy) = measured();
    let is = |text: &str| Fit::Is(text.parse().unwrap());
    for (value, unit, into, fit) in [
        ("12.5", Unit::Kilogram, 1, Fit::Foreign),
        ("12.5", Unit::Kilogram, 4, is("12.5")),
        ("0.275", Unit::Kilogram, 4, Fit::Unfit),
        ("0.27", Unit::Kilogram, 4, is("0.27")),
        ("0.275", Unit::Kilogram, 3, is("275")),
        ("12.5", Unit::Kilogram, 6, is("27.56")),
        // Odoo stores tons in steps of ten kilograms.
        ("12.5", Unit::Kilogram, 5, Fit::Unfit),
        ("20", Unit::Kilogram, 5, is("0.02")),
        ("1", Unit::Pound, 3, is("453.59")),
        ("2", Unit::Ounce, 3, is("56.7")),
        ("1", Unit::TroyOunce, 3, is("31.1")),
        ("1.5", Unit::CubicMetre, 8, is("1500")),
        ("2", Unit::Gallon, 8, is("7.57")),
        ("10", Unit::SquareFoot, 10, Fit::Unfit),
        ("100", Unit::SquareFoot, 10, is("9.29")),
        ("8", Unit::Piece, 1, is("8")),
        ("12", Unit::Piece, 2, is("2")),
        ("5", Unit::Piece, 2, Fit::Unfit),
        ("8", Unit::Piece, 4, Fit::Foreign),
        // This Odoo has no metre, and the target unit is a unit of pieces.
        ("4", Unit::Metre, 1, Fit::Foreign),
        ("4", Unit::Metre, 4, Fit::Unknown),
        // A custom unit of the site: its relation to Odoo's units is unknown.
        ("4", Unit::Kilogram, 11, Fit::Unknown),
        ("4", Unit::Piece, 11, Fit::Unknown),
        ("4", Unit::Kilogram, 99, Fit::Unknown),
        ("4", Unit::KilogramPerSquareMetre, 4, Fit::Unknown),
    ] {
        let found = copy.convert(value.parse().unwrap(), UnitOf::Gs1(unit), UnitId::new(into));
        assert_eq!(found.unwrap(), fit, "{value} {unit:?} in {into}");
    }
    // The unit of a custom rule of the site.
    let by_id = |id, into| {
        let unit = UnitOf::Id(UnitId::new(id));
        copy.convert(2.into(), unit, UnitId::new(into)).unwrap()
    };
    assert_eq!(by_id(4, 3), is("2000"));
    assert_eq!(by_id(4, 4), is("2"));
    assert_eq!(by_id(4, 1), Fit::Foreign);
    assert_eq!(by_id(99, 1), Fit::Unknown);
}

#[test]
fn a_packaging_in_a_foreign_unit_holds_nobody_knows_how_many() {
    let (_dir, copy) = measured();
    let packaging = |id, uom_id, barcode: &str| Row {
        product_id: Some(ProductId::new(10)),
        uom_id: Some(uom_id),
        ..row(id, Some(barcode))
    };
    copy.apply(
        Kind::Packaging,
        &[
            packaging(1, UnitId::new(2), "PACK6"),
            packaging(2, UnitId::new(4), "KILO"),
        ],
    )
    .unwrap();
    assert_eq!(id(copy.product("PACK6").unwrap()), Some(10));
    assert_eq!(copy.product("KILO").unwrap(), Found::Nothing);
    assert_eq!(copy.foreign_packaging("PACK6").unwrap(), None);
    let (product, unit) = copy.foreign_packaging("KILO").unwrap().unwrap();
    assert_eq!(product, "Thing 10");
    assert_eq!(unit, "Thing 4");
}

#[test]
fn a_product_has_a_code_of_its_own_unit_or_none() {
    let (_dir, copy) = measured();
    let own = |id| copy.own_code(id).unwrap();
    assert_eq!(own(ProductId::new(10)).as_deref(), Some("400"));
    assert_eq!(own(ProductId::new(99)), None);
    // The barcode is also a packaging's, and the reference is also another product's barcode.
    let packaging = Row {
        product_id: Some(ProductId::new(11)),
        uom_id: Some(UnitId::new(2)),
        ..row(1, Some("401"))
    };
    copy.apply(Kind::Packaging, &[packaging]).unwrap();
    assert_eq!(own(ProductId::new(11)).as_deref(), Some("SKU11"));
    copy.apply(Kind::Product, &[row(12, Some("SKU11"))])
        .unwrap();
    assert_eq!(own(ProductId::new(11)), None);
}
