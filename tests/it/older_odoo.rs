//! An Odoo that is older than JSON-2: what is asked of it, and in which words. Its answers are
//! written here, after the sources of Odoo 17 and 18.

mod email;
mod orders;
mod server;

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stockrelay::config::{self, Api};
use stockrelay::odoo::{Client, Kind};
use stockrelay::odoo_id::{CompanyId, LocationId, PackageId, PickingId, PickingTypeId};
use stockrelay::outcome::Failure;
use stockrelay::view::check;

use self::server::Older;

const COMPANY: CompanyId = CompanyId::new(1);

fn stop(failure: &Failure) -> String {
    assert!(matches!(failure, Failure::Stop { .. }), "{failure:?}");
    failure.to_string()
}

fn masters(model: &str, method: &str) -> Value {
    match (model, method) {
        ("uom.uom", "search_read") => json!([
            {"id": 2, "write_date": "2026-11-24 08:00:00", "active": true, "factor_inv": 12.0,
             "category_id": 5},
        ]),
        ("product.packaging", "search_read") => json!([
            {"id": 3, "write_date": "2026-11-24 08:00:00", "barcode": "CASE", "product_id": 9, "qty": 6.0},
        ]),
        ("stock.quant.package", "search_read") => json!([{"id": 4, "name": "PACK-1"}]),
        (_, "check_access_rights") => json!(true),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_json_2_the_version_is_asked_for_and_the_user_is_logged_in_once() {
    let odoo = Older::start("17.0-20240102", masters).await;
    let mut client = odoo.client();
    assert_eq!(client.api(), None);
    let units = client.page(Kind::Unit, COMPANY, None, 0).await.unwrap();
    assert_eq!(units[0].factor, Some(12.0));
    assert_eq!(units[0].reference.as_deref(), Some("5"));
    assert_eq!(client.api(), Some("JSON-RPC"));
    let packagings = client
        .page(Kind::Packaging, COMPANY, None, 0)
        .await
        .unwrap();
    assert_eq!(packagings[0].contained, Some(6.0));
    assert_eq!(packagings[0].uom_id, None);
    let packages = client
        .packages(COMPANY, &["PACK-1".to_owned()])
        .await
        .unwrap();
    assert_eq!(packages, [("PACK-1".to_owned(), PackageId::new(4))]);
    assert_eq!(client.missing_rights().await.unwrap(), [""; 0]);

    let calls = odoo.calls();
    assert_eq!(calls[..2], [json!(["version"]), json!(["authenticate"])]);
    let asked = &calls[2];
    assert_eq!(asked[0], "uom.uom");
    assert_eq!(asked[2], json!([]));
    assert_eq!(
        asked[3]["fields"],
        json!([
            "write_date",
            "active",
            "name",
            "factor_inv",
            "rounding",
            "category_id"
        ])
    );
    assert_eq!(
        calls[5],
        json!(["stock.picking", "check_access_rights", [],
            {"operation": "create", "raise_exception": false, "context": {"lang": "en_US"}}])
    );
    assert!(!calls[2..].contains(&json!(["authenticate"])), "{calls:?}");
}

#[tokio::test]
async fn a_new_key_in_the_file_is_logged_in_with() {
    let odoo = Older::start("18.0", masters).await;
    let mut client = odoo.client();
    client.page(Kind::Unit, COMPANY, None, 0).await.unwrap();
    "another".clone_into(&mut odoo.script.key.lock().unwrap());
    let failure = client.page(Kind::Unit, COMPANY, None, 0).await.unwrap_err();
    assert!(stop(&failure).contains("API key"), "{failure}");
    let failure = client.page(Kind::Unit, COMPANY, None, 0).await.unwrap_err();
    assert!(stop(&failure).contains("\"gateway\""), "{failure}");
    fs::write(odoo.dir.path().join("key"), "another\n").unwrap();
    client.page(Kind::Unit, COMPANY, None, 0).await.unwrap();
}

#[tokio::test]
async fn what_is_lacking_to_speak_to_it_is_named() {
    let odoo = Older::start("18.0", masters).await;
    let nobody = config::Odoo {
        user: None,
        ..odoo.config.clone()
    };
    let mut client = Client::new(&nobody).unwrap();
    let failure = client.page(Kind::Unit, COMPANY, None, 0).await.unwrap_err();
    assert!(stop(&failure).contains("set odoo.user"), "{failure}");
    let findings = check::odoo(&nobody, &config::Orders::default()).await;
    let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("Odoo 18.0"), "{said:?}");
    assert!(said[0].contains("JSON-RPC"), "{said:?}");
    assert!(said.last().unwrap().contains("odoo.user"), "{said:?}");

    let json_2 = config::Odoo {
        api: Api::Json2,
        ..odoo.config.clone()
    };
    let mut client = Client::new(&json_2).unwrap();
    let failure = client.version().await.unwrap_err();
    assert!(
        stop(&failure).contains("Odoo 18.0 is too old for JSON-2"),
        "{failure}"
    );
    let mut client = Client::new(&json_2).unwrap();
    let failure = client.page(Kind::Unit, COMPANY, None, 0).await.unwrap_err();
    assert!(
        stop(&failure).contains("Odoo 18.0 is too old for JSON-2"),
        "{failure}"
    );
    assert!(stop(&failure).contains("odoo.user"), "{failure}");

    let odoo = Older::start("16.0", masters).await;
    let failure = odoo.client().version().await.unwrap_err();
    assert!(stop(&failure).contains("Odoo 16.0 is too old"), "{failure}");
}

fn done(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "load") => json!({"ids": [5], "messages": []}),
        ("stock.picking", "web_read") => json!([
            {"id": 5, "name": "WH/INT/1", "state": "done",
             "move_ids": [{"id": 31, "state": "done"}, {"id": 32, "state": "done"},
                          {"id": 33, "state": "cancel"}],
             "move_line_ids": [
                {"id": 41, "state": "done", "product_id": 1, "location_id": 8,
                 "location_dest_id": 9, "lot_id": false, "package_id": false,
                 "result_package_id": false, "quantity_product_uom": 3.0},
             ]},
        ]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_true_time_is_set_on_picking_moves_and_lines_in_one_call() {
    let odoo = Older::start("18.0", done).await;
    let at = "2026-11-24T07:00:00Z".parse().unwrap();
    let mut client = odoo.client();
    let read = client
        .set_done(&[(PickingId::new(5), Some(at)), (PickingId::new(6), None)])
        .await
        .unwrap();
    assert_eq!(read.len(), 1);
    let time = "2026-11-24 07:00:00";
    let calls = odoo.calls();
    assert_eq!(calls[2][2], json!([[5]]));
    assert_eq!(
        (&calls[3][0], &calls[3][1]),
        (&json!("stock.picking"), &json!("load"))
    );
    let columns = [
        ".id",
        "date_done",
        "move_ids/.id",
        "move_ids/date",
        "move_line_ids/.id",
        "move_line_ids/date",
    ];
    let rows = json!([
        ["5", time, "31", time, "41", time],
        ["", "", "32", time, "", ""],
    ]);
    assert_eq!(calls[3][2], json!([columns, rows]));
    assert_eq!(
        calls[3][3]["context"],
        json!({"lang": "en_US", "tz": "UTC"})
    );
    assert_eq!(calls[4][1], "web_read");
    assert_eq!(calls[4][2], json!([[5, 6]]));
    assert_eq!(calls.len(), 5);
}

fn conflict_once(model: &str, method: &str) -> Value {
    static LOADS: AtomicU32 = AtomicU32::new(0);
    if method == "load" && LOADS.fetch_add(1, Ordering::Relaxed) == 0 {
        return json!({"ids": false, "messages": [
            {"type": "error", "message": "could not serialize access due to concurrent update"},
        ]});
    }
    done(model, method)
}

#[tokio::test]
async fn a_conflict_does_not_cost_the_true_time() {
    let odoo = Older::start("17.0", conflict_once).await;
    let at = "2026-11-24T07:00:00Z".parse().unwrap();
    odoo.client()
        .set_done(&[(PickingId::new(5), Some(at))])
        .await
        .unwrap();
    let calls = odoo.calls();
    let loads: Vec<_> = calls.iter().filter(|call| call[1] == "load").collect();
    assert_eq!(loads.len(), 2);
    assert_eq!(loads[0], loads[1]);
}

fn without_defaults(model: &str, method: &str) -> Value {
    let kind = |id: i64, from: Value, to: Value| {
        json!({"id": id, "active": true, "default_location_src_id": from,
               "default_location_dest_id": to})
    };
    match (model, method) {
        ("stock.warehouse", "search_read") => json!([
            {"id": 1, "company_id": 1, "int_type_id": 3, "in_type_id": 1, "out_type_id": 2},
        ]),
        ("stock.picking.type", "search_read") => json!([
            kind(1, json!(false), json!(8)),
            kind(2, json!(8), json!(false)),
            kind(3, json!(8), json!(8)),
        ]),
        ("stock.location", "search_read") => json!([{"id": 4}]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn where_the_types_name_no_location_goods_come_from_suppliers_and_customers() {
    let odoo = Older::start("17.0", without_defaults).await;
    let warehouse = odoo.client().warehouse("WH").await.unwrap();
    let (receipts, returns) = (warehouse.receipts.unwrap(), warehouse.returns.unwrap());
    for header in [receipts, returns] {
        assert_eq!(header.picking_type, PickingTypeId::new(1));
        assert_eq!([header.from, header.to], [4, 8].map(LocationId::new));
    }
    let calls = odoo.calls();
    let usages: Vec<_> = (calls.iter())
        .filter(|call| call[0] == "stock.location")
        .map(|call| call[3]["domain"][0][2].clone())
        .collect();
    assert_eq!(usages, ["supplier", "customer"]);
}

fn scrap(model: &str, method: &str) -> Value {
    assert_eq!((model, method), ("stock.location", "search_read"));
    json!([{"id": 16}])
}

#[tokio::test]
async fn scrap_goes_to_the_location_that_the_company_has_for_it() {
    let odoo = Older::start("17.0", scrap).await;
    let found = odoo.client().scrap_location(COMPANY).await.unwrap();
    assert_eq!(found, Some(LocationId::new(16)));
    let calls = odoo.calls();
    let domain = &calls[2][3]["domain"];
    assert_eq!(domain[0], json!(["scrap_location", "=", true]));
}

fn barcodes(model: &str, method: &str) -> Value {
    match (model, method) {
        ("res.company", "search_read") => json!([{"id": 1, "nomenclature_id": 3}]),
        ("barcode.nomenclature", "fields_get") => json!({}),
        ("barcode.nomenclature", "search_read") => json!([{"id": 3, "upc_ean_conv": "none"}]),
        ("barcode.rule", "search_read") => json!([
            {"id": 1, "name": "Lots", "type": "lot", "pattern": "10", "sequence": 1, "encoding": "any", "alias": "0"},
        ]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_the_module_for_gs1_none_of_its_fields_is_asked_for() {
    let odoo = Older::start("17.0", barcodes).await;
    let nomenclature = odoo.client().nomenclature(COMPANY).await.unwrap();
    assert_eq!(
        (nomenclature.gs1, nomenclature.conversion.as_deref()),
        (false, Some("none"))
    );
    assert_eq!(nomenclature.rules[0].gs1_content_type, None);
    for call in odoo.calls() {
        let fields = call[3]["fields"].to_string();
        assert!(!fields.contains("gs1") && !fields.contains("uom"), "{call}");
    }
}

/// Moves that 17 made of bare lines: they have no demand.
fn bare(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.move", "search_read") => json!([
            {"id": 31, "quantity": 3.0},
            {"id": 32, "quantity": 0.25},
            {"id": 33, "quantity": 0.0},
        ]),
        ("stock.move", "load") => json!({"ids": [31, 32], "messages": []}),
        ("stock.picking", "button_validate") => json!(true),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn in_17_moves_without_a_demand_are_given_it_in_one_call_before_they_are_validated() {
    let odoo = Older::start("17.0", bare).await;
    odoo.client()
        .validate(&[5, 6].map(PickingId::new))
        .await
        .unwrap();
    let calls = odoo.calls();
    let asked: Vec<_> = calls[2..].iter().map(|call| (&call[0], &call[1])).collect();
    let [moves, picking] = [json!("stock.move"), json!("stock.picking")];
    let [read, load, validate] = ["search_read", "load", "button_validate"].map(|name| json!(name));
    assert_eq!(
        asked,
        [(&moves, &read), (&moves, &load), (&picking, &validate)]
    );
    // What an order or a person demands stays.
    let domain = calls[2][3]["domain"].as_array().unwrap();
    assert!(domain.contains(&json!(["picking_id", "in", [5, 6]])));
    assert!(domain.contains(&json!(["product_uom_qty", "=", 0])));
    let columns = [".id", "product_uom_qty"];
    assert_eq!(calls[3][2], json!([columns, [["31", "3"], ["32", "0.25"]]]));

    let eighteen = Older::start("18.0", bare).await;
    eighteen
        .client()
        .validate(&[PickingId::new(5)])
        .await
        .unwrap();
    assert_eq!(eighteen.calls().len(), 3);
}

fn without_a_load(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.move", "load") => json!({"ids": false, "messages": [
            {"type": "error", "message": "could not serialize access due to concurrent update"},
        ]}),
        _ => bare(model, method),
    }
}

#[tokio::test]
async fn where_the_demand_cannot_be_set_the_transfer_is_validated_all_the_same() {
    let odoo = Older::start("17.0", without_a_load).await;
    odoo.client().validate(&[PickingId::new(5)]).await.unwrap();
    let calls = odoo.calls();
    assert_eq!(calls.last().unwrap()[1], "button_validate");
}
