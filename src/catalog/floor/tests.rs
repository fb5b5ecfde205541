//! Orders, lots and packages in the copy on disk.

use super::*;
use crate::odoo::{OrderLine, Row};
use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, PickingId, ProductId, UnitId};

fn order(id: i64, name: &str, state: &str) -> Order {
    Order {
        id: PickingId::new(id),
        name: name.to_owned(),
        origin: Some("S1, S2".to_owned()),
        kind: Direction::Outgoing,
        state: state.into(),
        partner: None,
        scheduled: Some(format!("2026-11-2{id} 08:00:00")),
        backorder_of: None,
        lines: vec![OrderLine {
            product: ProductId::new(10),
            demand: 2.0,
            unit: Some(UnitId::new(2)),
            picked: 2.999_999_999_9,
            from: None,
            to: None,
            lot: Some(LotId::new(7)),
        }],
        cut: false,
    }
}

fn after(before: &str, order: Order) -> Order {
    Order {
        backorder_of: Some(before.to_owned()),
        ..order
    }
}

fn row(id: i64) -> Row {
    Row {
        id,
        active: true,
        ..Row::default()
    }
}

fn filled() -> (tempfile::TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "x").unwrap();
    let unit = |id, factor| Row {
        factor: Some(factor),
        ..row(id)
    };
    copy.apply(Kind::Unit, &[unit(1, 1.0), unit(2, 12.0)])
        .unwrap();
    let product = Row {
        uom_id: Some(UnitId::new(1)),
        ..row(10)
    };
    copy.apply(Kind::Product, &[product]).unwrap();
    (dir, copy)
}

fn ids(found: &OrderFound) -> Vec<i64> {
    match found {
        OrderFound::Open(orders) => orders.iter().map(|order| order.id.get()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn an_order_is_found_by_name_and_by_each_origin_in_the_products_own_unit() {
    let (_dir, copy) = filled();
    copy.put_orders(&[
        order(1, "WH/OUT/1", "assigned"),
        order(2, "WH/OUT/2", "confirmed"),
    ])
    .unwrap();
    let found = copy.order("WH/OUT/1").unwrap();
    let OrderFound::Open(orders) = &found else {
        panic!("{found:?}")
    };
    // The order's demand is two dozen.
    assert_eq!(orders[0].lines[0].demand, Decimal::from(24));
    assert_eq!(orders[0].lines[0].picked, Decimal::from(3));
    assert_eq!(ids(&copy.order("S2").unwrap()), [1, 2]);
    assert_eq!(copy.order("S3").unwrap(), OrderFound::Nothing);
    assert_eq!(
        copy.open_orders().unwrap()[0].id,
        PickingId::new(1),
        "due first"
    );
    assert!(
        !copy
            .put_orders(&[order(1, "WH/OUT/1", "assigned")])
            .unwrap(),
        "no news"
    );
}

#[test]
fn what_is_left_of_an_order_that_is_over_is_found_by_its_name() {
    let (_dir, copy) = filled();
    copy.put_orders(&[order(1, "WH/OUT/1", "assigned")])
        .unwrap();
    copy.put_orders(&[order(1, "WH/OUT/1", "done")]).unwrap();
    let over = OrderFound::Over {
        name: "WH/OUT/1".to_owned(),
        state: PickingState::Done,
    };
    assert_eq!(copy.order("WH/OUT/1").unwrap(), over);
    assert_eq!(copy.order("S1").unwrap(), over);
    copy.put_orders(&[
        after("WH/OUT/1", order(2, "WH/OUT/2", "done")),
        after("WH/OUT/2", order(3, "WH/OUT/3", "assigned")),
    ])
    .unwrap();
    assert_eq!(ids(&copy.order("WH/OUT/1").unwrap()), [3]);
    assert_eq!(ids(&copy.order("S1").unwrap()), [3]);
    copy.drop_orders(&[PickingId::new(3)].into()).unwrap();
    assert_eq!(copy.order("WH/OUT/1").unwrap(), over);
    assert!(copy.open_order_ids().unwrap().is_empty());
}

#[test]
fn orders_that_are_over_are_forgotten_in_time() {
    let (_dir, copy) = filled();
    let max = i64::try_from(CLOSED_MAX).unwrap();
    let orders: Vec<_> = (1..=max + 2)
        .map(|id| order(id, &format!("O{id}"), "done"))
        .collect();
    copy.put_orders(&orders).unwrap();
    copy.drop_orders(&BTreeSet::new()).unwrap();
    assert_eq!(copy.order("O2").unwrap(), OrderFound::Nothing);
    assert!(matches!(copy.order("O3").unwrap(), OrderFound::Over { .. }));
}

#[test]
fn all_orders_are_known_only_once_they_were_read_and_none_was_left_out() {
    let (_dir, copy) = filled();
    assert!(!copy.knows_all_orders().unwrap());
    copy.set_orders_since("2026-11-24 08:00:00", true).unwrap();
    assert!(!copy.knows_all_orders().unwrap());
    copy.set_orders_since("2026-11-24 08:01:00", false).unwrap();
    assert!(copy.knows_all_orders().unwrap());
}

#[test]
fn lots_and_packages_on_hand_are_found_and_what_nobody_names_is_known() {
    let (_dir, copy) = filled();
    let lot = Row {
        name: Some("L1".to_owned()),
        product_id: Some(ProductId::new(10)),
        expiration_date: Some("2027-01-01 00:00:00".to_owned()),
        ..row(7)
    };
    copy.apply(Kind::Lot, &[lot]).unwrap();
    let package = |id| Row {
        name: Some("PACK1".to_owned()),
        ..row(id)
    };
    copy.apply(Kind::Package, &[package(3)]).unwrap();
    let quant = |id, quantity| Row {
        product_id: Some(ProductId::new(10)),
        location_id: Some(LocationId::new(5)),
        lot_id: Some(LotId::new(7)),
        package_id: Some(PackageId::new(3)),
        owner_id: Some(PartnerId::new(4)),
        quantity: Some(quantity),
        ..row(id)
    };
    copy.apply(Kind::Quant, &[quant(1, 0.1), quant(2, 0.2)])
        .unwrap();
    let found = copy.lot(ProductId::new(10), "L1").unwrap();
    let expiry = Some("2027-01-01 00:00:00".to_owned());
    assert_eq!(
        found,
        Found::One(Lot {
            id: LotId::new(7),
            expiry
        })
    );
    assert_eq!(copy.lot(ProductId::new(11), "L1").unwrap(), Found::Nothing);
    assert_eq!(copy.on_hand(LotId::new(7)).unwrap(), "0.3".parse().unwrap());
    assert_eq!(
        copy.package("PACK1").unwrap(),
        Found::One(PackageId::new(3))
    );
    copy.apply(Kind::Package, &[package(9)]).unwrap();
    assert!(matches!(copy.package("PACK1").unwrap(), Found::Several(_)));
    assert_eq!(copy.referred(Kind::Package).unwrap(), [3].into());
    assert_eq!(copy.referred(Kind::Partner).unwrap(), [4].into());
    // Orders also name lots.
    copy.keep_only(Kind::Quant, &BTreeSet::new()).unwrap();
    assert_eq!(copy.referred(Kind::Lot).unwrap(), BTreeSet::new());
    copy.put_orders(&[order(1, "O1", "assigned")]).unwrap();
    assert_eq!(copy.referred(Kind::Lot).unwrap(), [7].into());
}

#[test]
fn who_reads_the_copy_hears_of_news_and_of_nothing_else() {
    let (_dir, copy) = filled();
    let news = copy.clone().news();
    copy.put_orders(&[order(1, "O1", "assigned")]).unwrap();
    assert!(news.has_changed().unwrap());
    let news = copy.news();
    copy.put_orders(&[order(1, "O1", "assigned")]).unwrap();
    copy.set_since(Kind::Product, "2026-11-24 08:00:00")
        .unwrap();
    copy.drop_orders(&BTreeSet::new()).unwrap();
    assert!(!news.has_changed().unwrap());
}

#[test]
fn a_nomenclature_is_kept_with_its_gs1_rules_and_an_older_copy_has_the_rules_alone() {
    let (_dir, copy) = filled();
    assert_eq!(copy.nomenclature().unwrap(), Nomenclature::default());
    let rule: Rule = serde_json::from_value(serde_json::json!({
        "name": "Bins", "type": "location", "pattern": "(90)(B[0-9]+)", "sequence": 5, "encoding": "gs1-128", "alias": "0",
        "gs1_content_type": "measure", "gs1_decimal_usage": true, "associated_uom_id": 7,
    }))
    .unwrap();
    let nomenclature = Nomenclature {
        pounds: true,
        gs1: true,
        conversion: Some("ean2upc".to_owned()),
        rules: vec![rule.clone()],
    };
    copy.set_nomenclature(&nomenclature).unwrap();
    assert_eq!(copy.nomenclature().unwrap(), nomenclature);

    let before = r#"[{"name":"Lots","type":"lot","pattern":"10","sequence":1,"encoding":"any","alias":null}]"#;
    copy.set_meta(NOMENCLATURE, before).unwrap();
    let lots = Rule {
        name: "Lots".to_owned(),
        kind: "lot".to_owned(),
        pattern: Some("10".to_owned()),
        sequence: 1,
        encoding: Some("any".to_owned()),
        alias: None,
        gs1_content_type: None,
        gs1_decimal_usage: false,
        associated_uom_id: None,
    };
    let expected = Nomenclature {
        rules: vec![lots],
        ..Nomenclature::default()
    };
    assert_eq!(copy.nomenclature().unwrap(), expected);
}
