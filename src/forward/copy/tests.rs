//! The copy of master data on a real disk.

use super::*;

fn row(id: i64, barcode: Option<&str>) -> Row {
    Row {
        id,
        write_date: Some("2026-11-23 08:00:00".to_owned()),
        active: true,
        display_name: Some(format!("Thing {id}")),
        barcode: barcode.map(str::to_owned),
        default_code: Some(format!("SKU{id}")),
        tracking: Some("none".to_owned()),
        uom_id: Some(1),
        ..Row::default()
    }
}

fn unit(id: i64, factor: f64) -> Row {
    Row {
        factor: Some(factor),
        ..row(id, None)
    }
}

fn filled() -> (tempfile::TempDir, Copy) {
    let dir = tempfile::tempdir().unwrap();
    let copy = Copy::open(dir.path(), "a").unwrap();
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
        Found::One(product) => Some(product.id),
        _ => None,
    }
}

#[test]
fn a_product_is_found_by_barcode_reference_and_packaging() {
    let (_dir, copy) = filled();
    let packaging = Row {
        product_id: Some(10),
        uom_id: Some(2),
        ..row(1, Some("PACK6"))
    };
    let older = Row {
        product_id: Some(11),
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
    assert_eq!((six.id, six.measure.factor()), (10, Decimal::from(6)));
    assert_eq!(copy.product("402").unwrap(), Found::Nothing);
    assert_eq!(copy.location("BIN-1").unwrap(), Found::One(5));
    // A bin's barcode is no product's.
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
    let copy = Copy::open(dir.path(), "a").unwrap();
    assert_eq!(id(copy.product("400").unwrap()), Some(10));
    assert!(copy.since(Kind::Product).unwrap().is_some());
    drop(copy);
    let copy = Copy::open(dir.path(), "b").unwrap();
    assert_eq!(copy.product("400").unwrap(), Found::Nothing);
    assert_eq!(copy.since(Kind::Product).unwrap(), None);
}

#[test]
fn a_damaged_copy_is_thrown_away() {
    let (dir, copy) = filled();
    drop(copy);
    std::fs::write(dir.path().join(FILE), b"not a database at all").unwrap();
    let copy = Copy::open(dir.path(), "a").unwrap();
    assert_eq!(copy.product("400").unwrap(), Found::Nothing);
}

#[test]
fn the_last_copy_is_opened_without_odoo_if_it_is_of_the_same_database() {
    let dir = tempfile::tempdir().unwrap();
    let last = |url, database| Copy::open_last(dir.path(), url, database).unwrap();
    assert!(last("http://odoo", "prod").is_none(), "there is none yet");
    let copy = Copy::open(dir.path(), &identity("http://odoo", "prod", 12)).unwrap();
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
    assert!(Copy::open_last(dir.path(), "http://odoo", "prod").is_err());
}

#[test]
fn clones_are_the_same_copy_on_other_threads_too() {
    let (_dir, copy) = filled();
    let reader = copy.clone();
    copy.apply(Kind::Product, &[row(12, Some("402"))]).unwrap();
    let read = std::thread::spawn(move || (id(reader.product("402").unwrap()), reader));
    let (found, reader) = read.join().unwrap();
    assert_eq!(found, Some(12));
    // The same company again keeps it; another one empties it for all.
    copy.claim("a").unwrap();
    assert_eq!(id(reader.product("402").unwrap()), Some(12));
    copy.claim("b").unwrap();
    assert_eq!(reader.product("402").unwrap(), Found::Nothing);
}
