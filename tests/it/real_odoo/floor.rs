//! The copy of what the floor needs, as a real Odoo fills it and keeps it up to date.

use jiff::tz::TimeZone;
use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::board::Board;
use stockrelay::catalog::{Catalog, Found, OrderFound, Planned};
use stockrelay::channel::Outlets;
use stockrelay::config;
use stockrelay::forward::{Fencing, Forwarder, Pausing, Settings};
use stockrelay::journal::Journal;
use stockrelay::odoo::PickingState;
use stockrelay::odoo_id::{LocationId, LotId, PackageId, ProductId, UnitId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Odoo, unique};

on_both!(a_companys_gs1_nomenclature_is_read_with_a_rule_of_its_own,);

/// Until the copy answers as wanted; each of its changes is looked at.
async fn until<T>(copy: &Catalog, what: &str, wanted: impl Fn(&Catalog) -> Option<T>) -> T {
    let mut news = copy.news();
    let waiting = async {
        loop {
            news.mark_unchanged();
            if let Some(found) = wanted(copy) {
                return found;
            }
            news.changed().await.unwrap();
        }
    };
    let found = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    found.unwrap_or_else(|_| panic!("never: {what}"))
}

fn open(copy: &Catalog, code: &str) -> Option<Planned> {
    match copy.order(code).unwrap() {
        OrderFound::Open(mut orders) => orders.pop(),
        _ => None,
    }
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
#[expect(clippy::too_many_lines, reason = "one order's life, step by step")]
async fn orders_lots_packages_and_rules_are_copied_and_follow_odoo() {
    let mut odoo = Odoo::real(config::Api::Auto).await;
    let dir = tempfile::tempdir().unwrap();
    let (journal, _writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
    let copies = watch::Sender::new(None);
    let mut receiver = copies.subscribe();
    let board = Board::new();
    let cancel = CancellationToken::new();
    let config = config::Odoo {
        refresh_s: 1,
        ..odoo.config.clone()
    };
    let rules = stockrelay::forward::Rules {
        orders: config::Orders::default(),
        stock: config::Stock::default(),
        retention_days: 90,
        time_zone: Some(TimeZone::UTC),
    };
    let forwarder = Forwarder {
        settings: Settings::new(config, rules).unchanging(),
        journal,
        outlets: Outlets::default(),
        board: board.clone(),
        data_dir: dir.path().to_owned(),
        copy: copies,
        pausing: Pausing::never(),
        fencing: Fencing::never(),
    };
    let forwarder = tokio::spawn(forwarder.run(cancel.clone()));
    let copy = receiver
        .wait_for(Option::is_some)
        .await
        .unwrap()
        .clone()
        .unwrap();
    until(&copy, "orders", |copy| {
        copy.knows_all_orders().unwrap().then_some(())
    })
    .await;

    // A delivery of 5, of which 2 were picked in Odoo.
    let (product, (bin, barcode)) = (odoo.products[30].0, odoo.bins[30].clone());
    let origin = format!("T-{}", unique());
    let body = json!({"domain": [["code", "=", "WH"]], "fields": ["out_type_id"], "load": null});
    let kind = odoo.ask("stock.warehouse", "search_read", body).await[0]["out_type_id"].clone();
    let body = json!({"domain": [["usage", "=", "customer"]], "fields": ["id"], "limit": 1});
    let customers = odoo.ask("stock.location", "search_read", body).await[0]["id"].clone();
    let lines = json!([[0, 0, {
        "product_id": product, "product_uom_qty": 5, "location_id": bin, "location_dest_id": customers,
    }]]);
    let picking = json!({"vals_list": [{
        "picking_type_id": kind, "origin": origin, "location_id": bin, "location_dest_id": customers, "move_ids": lines,
    }]});
    let id = odoo.ask("stock.picking", "create", picking).await[0].clone();
    odoo.ask("stock.picking", "action_confirm", json!({"ids": [id]}))
        .await;
    let order = until(&copy, "the delivery", |copy| open(copy, &origin)).await;
    assert_eq!((order.kind.as_str(), order.lines.len()), ("outgoing", 1));
    assert_eq!(order.lines[0].demand, 5.into());
    assert_eq!(open(&copy, &order.name), Some(order.clone()));
    assert_eq!(
        copy.location(&barcode).unwrap(),
        Found::One(LocationId::new(bin))
    );

    // A line that is picked does not change the picking's own time.
    let moves = json!({"domain": [["picking_id", "=", id]], "fields": ["id"]});
    let of = odoo.ask("stock.move", "search_read", moves).await[0]["id"].clone();
    let line = json!({"vals_list": [{
        "picking_id": id, "move_id": of, "product_id": product, "quantity": 2, "picked": true,
        "location_id": bin, "location_dest_id": customers,
    }]});
    odoo.ask("stock.move.line", "create", line).await;
    until(&copy, "the 2 that were picked", |copy| {
        open(copy, &origin).filter(|order| order.lines[0].picked == 2.into())
    })
    .await;
    odoo.ask(
        "stock.move",
        "write",
        json!({"ids": [of], "vals": {"product_uom_qty": 7}}),
    )
    .await;
    until(&copy, "another demand", |copy| {
        open(copy, &origin).filter(|order| order.lines[0].demand == 7.into())
    })
    .await;
    odoo.ask("stock.picking", "action_cancel", json!({"ids": [id]}))
        .await;
    let state = until(&copy, "its end", |copy| {
        match copy.order(&origin).unwrap() {
            OrderFound::Over { state, .. } => Some(state),
            _ => None,
        }
    })
    .await;
    assert_eq!(state, PickingState::Cancelled);

    // A lot in a package comes to lie in a bin.
    let name = unique().replace('/', "-");
    let body = json!({"domain": [["default_code", "=", "SKU00050"]], "fields": ["id"]});
    let tracked = odoo.ask("product.product", "search_read", body).await[0]["id"].clone();
    let lot = json!({"vals_list": [{"name": name, "product_id": tracked}]});
    let lot = odoo.ask("stock.lot", "create", lot).await[0].clone();
    let package = json!({"vals_list": [{"name": name}]});
    let package = odoo.ask("stock.package", "create", package).await[0].clone();
    let quant = json!({"vals_list": [{
        "product_id": tracked, "location_id": bin, "lot_id": lot, "package_id": package, "inventory_quantity": 1,
    }], "context": {"inventory_mode": true}});
    let quant: Value = odoo.ask("stock.quant", "create", quant).await[0].clone();
    odoo.ask(
        "stock.quant",
        "action_apply_inventory",
        json!({"ids": [quant]}),
    )
    .await;
    let tracked = ProductId::new(tracked.as_i64().unwrap());
    let lot = LotId::new(lot.as_i64().unwrap());
    until(&copy, "the lot on hand", |copy| {
        let known =
            matches!(copy.lot(tracked, &name).unwrap(), Found::One(found) if found.id == lot);
        (known && copy.on_hand(lot).unwrap() == 1.into()).then_some(())
    })
    .await;
    let package = Found::One(PackageId::new(package.as_i64().unwrap()));
    until(&copy, "its package", |copy| {
        (copy.package(&name).unwrap() == package).then_some(())
    })
    .await;
    assert!(!copy.nomenclature().unwrap().rules.is_empty());
    // The key of the test's user is good for longer than two weeks.
    assert_eq!(board.snapshot().alarms.get("odoo-key-expires"), None);
    cancel.cancel();
    forwarder.await.unwrap();
}

/// The company has another nomenclature for the time of this test: one of them at a time.
static CHOOSING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn a_companys_gs1_nomenclature_is_read_with_a_rule_of_its_own(mut odoo: Odoo) {
    let _alone = CHOOSING.lock().await;
    let company = odoo.warehouse.company;
    let body = json!({"ids": [company], "fields": ["nomenclature_id"], "load": null});
    let before = odoo.ask("res.company", "read", body).await[0]["nomenclature_id"].clone();
    let plain = odoo.gateway.nomenclature(company).await.unwrap();
    let conversion = plain.conversion.as_deref();
    assert_eq!((plain.gs1, conversion), (false, Some("always")));
    assert!(plain.rules.iter().all(|rule| !rule.gs1_decimal_usage));

    let body = json!({"domain": [["is_gs1_nomenclature", "=", true]], "order": "id", "limit": 1});
    let gs1 = odoo.ask("barcode.nomenclature", "search", body).await[0].clone();
    let unit = odoo.ask(
        "uom.uom",
        "search",
        json!({"domain": [], "limit": 1, "order": "id"}),
    );
    let unit = unit.await[0].clone();
    let name = unique();
    let rule = json!({"vals_list": [{
        "name": name, "type": "quantity", "pattern": r"(369[0-5])(\d{6})", "sequence": 1, "encoding": "gs1-128",
        "barcode_nomenclature_id": gs1, "gs1_content_type": "measure", "gs1_decimal_usage": true, "associated_uom_id": unit,
    }]});
    let rule = odoo.ask("barcode.rule", "create", rule).await[0].clone();
    let choose =
        |nomenclature: Value| json!({"ids": [company], "vals": {"nomenclature_id": nomenclature}});
    odoo.ask("res.company", "write", choose(gs1)).await;
    let read = odoo.gateway.nomenclature(company).await;
    odoo.ask("res.company", "write", choose(before)).await;
    odoo.ask("barcode.rule", "unlink", json!({"ids": [rule]}))
        .await;

    let read = read.unwrap();
    let own = read.rules.iter().find(|rule| rule.name == name).unwrap();
    assert_eq!(
        (
            own.gs1_content_type.as_deref(),
            own.gs1_decimal_usage,
            own.associated_uom_id
        ),
        (Some("measure"), true, unit.as_i64().map(UnitId::new))
    );
    let lot = read.rules.iter().find(|rule| rule.kind == "lot").unwrap();
    assert_eq!(
        (
            read.gs1,
            lot.encoding.as_deref(),
            lot.gs1_content_type.as_deref()
        ),
        (true, Some("gs1-128"), Some("alpha"))
    );
    // The event that the gateway creates.
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "x").unwrap();
    copy.set_nomenclature(&read).unwrap();
    let used = stockrelay::catalog::known::nomenclature(&copy).expect("every pattern can be used");
    let found = used.element("3691", "000125", 2026).unwrap();
    assert_eq!(
        found.value,
        stockrelay::decode::nomenclature::Value::Number("12.5".parse().unwrap())
    );
}
