//! Names, units and packagings of Odoo 17 and 18.

use super::super::Site;
use super::{is_17, refusal, result, transfer};
use crate::scenarios::target::{Target, fresh};
use serde_json::json;

pub async fn names_of_19_are_unknown(odoo: Target) {
    for model in ["stock.package", "product.uom", "stock.reference"] {
        let (_, message) = refusal(&odoo, model, "search", json!([[]]), json!({})).await;
        assert_eq!(message, format!("Object {model} doesn't exist"));
    }
    let field = json!({"fields": ["reference_ids"]});
    let (name, message) = refusal(&odoo, "stock.picking", "search_read", json!([[]]), field).await;
    assert_eq!(name, "builtins.ValueError");
    assert!(message.starts_with("Invalid field"), "{message}");
    for (model, domain) in [
        ("stock.picking", json!([["reference_ids.name", "=", "S1"]])),
        ("uom.uom", json!([["parent_path", "=", "1/"]])),
        (
            "stock.picking.type",
            json!([["warehouse_id.partner", "=", 1]]),
        ),
    ] {
        let (name, message) = refusal(&odoo, model, "search", json!([domain]), json!({})).await;
        assert_eq!(name, "builtins.ValueError");
        assert!(message.contains(" in leaf ("), "{message}");
    }
    let written = json!([[1], {"reference_ids": []}]);
    let (name, _) = refusal(&odoo, "stock.picking", "write", written, json!({})).await;
    assert_eq!(name, "builtins.ValueError");
    let columns = json!([["id", "package_level/.id"], [["a.b", "1"]]]);
    let (name, _) = refusal(&odoo, "stock.picking", "load", columns, json!({})).await;
    assert_eq!(name, "builtins.ValueError");
    let wanted = json!({"specification": {"move_ids": {"fields": {"parent_path": {}}}}});
    let (name, _) = refusal(&odoo, "stock.picking", "web_read", json!([[1]]), wanted).await;
    assert_eq!(name, "builtins.ValueError");
    let many = json!([[1], [{}], {}]);
    let (name, _) = refusal(&odoo, "stock.picking", "web_save_multi", many, json!({})).await;
    assert_eq!(name, "builtins.AttributeError");
    let named = json!({"fields": ["type"]});
    let storable = json!([[["is_storable", "=", true]]]);
    let answer = odoo
        .execute("product.product", "search_read", storable, named)
        .await;
    assert_eq!(answer["error"].is_null(), !is_17(&odoo), "{answer}");
}

pub async fn reading_all_fields_of_a_product_is_forbidden(odoo: Target) {
    let all = json!({"fields": [], "limit": 1});
    let domain = json!([[]]);
    let (name, message) = refusal(
        &odoo,
        "product.product",
        "search_read",
        domain.clone(),
        all.clone(),
    )
    .await;
    assert_eq!(name, "odoo.exceptions.AccessError");
    assert!(message.starts_with("Accès refusé"), "{message}");
    // Other models have no such field.
    let read = result(&odoo, "stock.warehouse", "search_read", domain, all).await;
    assert!(read[0]["lot_stock_id"][0].is_i64(), "{read}");
    assert_eq!(read[0]["store_type_id"].is_null(), is_17(&odoo));
}

pub async fn units_are_of_a_category(odoo: Target) {
    let fields = json!({"fields": ["factor", "factor_inv", "category_id"], "load": false});
    let domain = json!([[["name", "in", ["Units", "Pack of 6"]]]]);
    let units = result(&odoo, "uom.uom", "search_read", domain, fields).await;
    assert_eq!(units[0]["factor_inv"], 1.0);
    assert_eq!(units[1]["factor_inv"], 6.0);
    let factor = units[1]["factor"].as_f64().unwrap();
    assert!((factor * 6.0 - 1.0).abs() < 1e-9, "{factor}");
    assert_eq!(units[0]["category_id"], units[1]["category_id"]);
}

pub async fn a_packaging_says_how_many_it_holds(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let unit = site.odoo.case_of(product, 6).await;
    let barcode = fresh("C");
    let values = json!({"product_id": product, "uom_id": unit, "barcode": barcode});
    site.odoo.made("product.uom", values).await;
    let domain = json!([[["barcode", "=", barcode]]]);
    let fields = json!({"fields": ["product_id", "qty"], "load": false});
    let found = result(
        &site.odoo,
        "product.packaging",
        "search_read",
        domain,
        fields,
    )
    .await;
    assert_eq!(found[0]["qty"], 6.0);
    assert_eq!(found[0]["product_id"], product);
}

pub async fn a_weight_is_forgotten(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let picking = transfer(&site, product, "1").await;
    let written = json!([[picking], {"shipping_weight": 4.5, "carrier_tracking_ref": "T1"}]);
    let done = result(&site.odoo, "stock.picking", "write", written, json!({})).await;
    assert_eq!(done, true);
    let wanted = json!({"specification": {"shipping_weight": {}, "carrier_tracking_ref": {}}});
    let read = result(
        &site.odoo,
        "stock.picking",
        "web_read",
        json!([[picking]]),
        wanted,
    )
    .await;
    assert_eq!(read[0]["shipping_weight"], 0.0);
    assert_eq!(read[0]["carrier_tracking_ref"], "T1");
}
