//! Lots, serial numbers and expiry dates.

use super::super::floor::{Floor, rows};
use crate::scenarios::target::{Target, fresh};
use serde_json::{Value, json};

pub const LOT: &str = "move_line_ids/lot_name";

pub const EXPIRY: &str = "move_line_ids/expiration_date";

pub async fn receipts_make_lots_by_name_with_their_expiry(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.dated().await;
    let (order, receipt) = floor.purchase(&[(product, 10.0)], 1).await;
    let answer = floor
        .named(
            receipt,
            product,
            "4",
            &[(LOT, "L-1"), (EXPIRY, "2099-03-31 00:00:00")],
        )
        .await;
    assert_eq!(answer["ids"], json!([receipt]), "{answer}");
    for bad in ["2099-03-31T00:00:00Z", "31/03/2099"] {
        let answer = floor
            .named(receipt, product, "4", &[(LOT, "L-2"), (EXPIRY, bad)])
            .await;
        assert_eq!(answer["ids"], false, "{bad}");
        let text = answer["messages"][0]["message"].as_str().unwrap();
        assert!(
            text.contains("does not seem to be a valid datetime"),
            "{text}"
        );
    }
    floor.validated(receipt, json!({})).await;
    let lot = floor.lot(product, "L-1").await;
    assert_eq!(lot[0]["expiration_date"], "2099-03-31 00:00:00");
    assert_eq!(
        floor.received(&order, product).await.to_bits(),
        4.0_f64.to_bits()
    );
    // The rest comes with the same lot and another date: the lot keeps its own.
    let rest = floor.show(receipt).await["backorder_ids"][0]["id"]
        .as_i64()
        .unwrap();
    floor
        .named(rest, product, "6", &[(LOT, "L-1"), (EXPIRY, "2098-01-01")])
        .await;
    floor.validated(rest, json!({})).await;
    assert_eq!(floor.lot(product, "L-1").await, lot);
    let quants = floor.quants(product, 1).await;
    assert_eq!(
        (rows(&quants).len(), &quants[0]["quantity"]),
        (1, &json!(10.0)),
        "{quants}"
    );
}

pub async fn lots_by_name_are_known_where_the_type_may_make_them(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let body = json!({
        "domain": [["warehouse_id.code", "=", "WH"], ["code", "in", ["incoming", "outgoing", "internal"]], ["sequence_code", "in", ["IN", "OUT", "INT"]]],
        "fields": ["code", "use_create_lots"], "order": "code",
    });
    let kinds = floor
        .odoo()
        .ask("stock.picking.type", "search_read", body)
        .await;
    let kinds: Vec<Value> = rows(&kinds)
        .iter()
        .map(|kind| json!([kind["code"], kind["use_create_lots"]]))
        .collect();
    assert_eq!(
        kinds,
        [
            json!(["incoming", true]),
            json!(["internal", false]),
            json!(["outgoing", true])
        ]
    );
    let product = floor.site.product("lot").await;
    // A mistyped lot on a delivery is a lot of which there is less than nothing.
    let (_, picking) = floor.sale(&[(product, 1.0)], 1).await;
    let shown = floor.show(picking).await;
    let cells = vec![
        ("id", fresh("ml_")),
        ("picking_id/.id", picking.to_string()),
        ("product_id/.id", product.to_string()),
        ("quantity", "1".to_owned()),
        ("picked", "1".to_owned()),
        ("location_id/.id", floor.site.bins[0].to_string()),
        (
            "location_dest_id/.id",
            shown["location_dest_id"].to_string(),
        ),
        ("lot_name", "MISTYPED".to_owned()),
    ];
    floor.load("stock.move.line", cells).await;
    floor.validated(picking, json!({})).await;
    assert_eq!(rows(&floor.lot(product, "MISTYPED").await).len(), 1);
    let quants = rows(&floor.quants(product, 0).await);
    let lot = quants.iter().find(|quant| quant["lot_id"] != false);
    assert_eq!(lot.unwrap()["quantity"], -1.0, "{quants:?}");
}

pub async fn a_serial_in_stock_is_not_received_again(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.site.product("serial").await;
    let (_, receipt) = floor.purchase(&[(product, 2.0)], 1).await;
    assert_eq!(
        rows(&floor.show(receipt).await["move_line_ids"]).len(),
        2,
        "one line for each"
    );
    floor.named(receipt, product, "1", &[(LOT, "S-1")]).await;
    floor.validated(receipt, json!({})).await;
    let rest = floor.show(receipt).await["backorder_ids"][0]["id"]
        .as_i64()
        .unwrap();
    floor.named(rest, product, "1", &[(LOT, "S-1")]).await;
    let answer = floor.validate(rest, json!({})).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (422, "odoo.exceptions.ValidationError")
    );
    assert!(
        answer
            .error()
            .1
            .starts_with("The serial number has already been assigned"),
        "{}",
        answer.text
    );
    assert_eq!(floor.show(rest).await["state"], "assigned");
}

pub async fn goods_past_their_date_ask_unless_told_not_to(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.dated().await;
    let (_, receipt) = floor.purchase(&[(product, 1.0)], 1).await;
    floor
        .named(
            receipt,
            product,
            "1",
            &[(LOT, "OLD"), (EXPIRY, "2020-01-01 00:00:00")],
        )
        .await;
    let wizard = floor
        .validate(receipt, json!({"skip_expired": false}))
        .await
        .json();
    assert_eq!(
        wizard["res_model"], "expiry.picking.confirmation",
        "{wizard}"
    );
    assert_eq!(floor.show(receipt).await["state"], "assigned");
    floor.validated(receipt, json!({})).await;
}
