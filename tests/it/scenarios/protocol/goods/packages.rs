//! Packages.

use super::super::floor::{Floor, rows};
use crate::scenarios::target::{Target, fresh};
use serde_json::{Value, json};

pub async fn packages_may_have_the_same_name_twice(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let name = fresh("PACK");
    let make = async |key: String| {
        floor
            .load("stock.package", vec![("id", key), ("name", name.clone())])
            .await
    };
    let (one, two) = (make(fresh("pa_")).await, make(fresh("pa_")).await);
    assert_ne!(one["ids"], two["ids"]);
    let body = json!({"domain": [["name", "=", name]], "fields": ["location_id", "quant_ids"], "order": "id"});
    let found = floor.odoo().ask("stock.package", "search_read", body).await;
    assert_eq!(
        found,
        json!([
            {"id": one["ids"][0], "location_id": false, "quant_ids": []},
            {"id": two["ids"][0], "location_id": false, "quant_ids": []},
        ])
    );
}

pub const INTO: &str = "move_line_ids/result_package_id/.id";

pub const OUT_OF: &str = "move_line_ids/package_id/.id";

pub async fn goods_are_packed_where_they_are(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let package = floor.package().await;
    let packed = floor
        .transfer(product, "4", (0, 0), &[(INTO, package.to_string())])
        .await;
    floor.validated(packed, json!({})).await;
    let quants = floor.quants(product, 0).await;
    let mut seen: Vec<Value> = rows(&quants)
        .iter()
        .map(|quant| json!([quant["package_id"][0], quant["quantity"]]))
        .collect();
    seen.sort_by_key(ToString::to_string);
    assert_eq!(seen, [json!([package, 4.0]), json!([null, 1.0])]);
    // The whole of it to another bin, and then out of it.
    let ends = [(OUT_OF, package.to_string()), (INTO, package.to_string())];
    let moved = floor.transfer(product, "4", (0, 1), &ends).await;
    floor.validated(moved, json!({})).await;
    let body = json!({"ids": [package], "fields": ["location_id"]});
    let at = floor.odoo().ask("stock.package", "read", body).await;
    assert_eq!(at[0]["location_id"][0], floor.site.bins[1]);
    let unpacked = floor.transfer(product, "4", (1, 1), &ends[..1]).await;
    floor.validated(unpacked, json!({})).await;
    let loose = rows(&floor.quants(product, 1).await);
    assert!(
        loose
            .iter()
            .any(|quant| quant["package_id"] == false && quant["quantity"] == 4.0),
        "{loose:?}"
    );
}

pub async fn a_package_is_in_one_place(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let package = floor.package().await;
    let packed = floor
        .transfer(product, "1", (0, 0), &[(INTO, package.to_string())])
        .await;
    floor.validated(packed, json!({})).await;
    let split = floor
        .transfer(product, "1", (0, 1), &[(INTO, package.to_string())])
        .await;
    let answer = floor.validate(split, json!({})).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (422, "odoo.exceptions.UserError")
    );
    let start = "You cannot move the same package content more than once";
    assert!(answer.error().1.starts_with(start), "{}", answer.text);
    assert_eq!(floor.show(split).await["state"], "assigned");
}

pub async fn lines_of_an_order_are_packed_later(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 2.0)], 1).await;
    floor.guarded(picking, &fresh("ml_"), product, "2", 0).await;
    let (ours, package) = (floor.ours(picking).await, floor.package().await);
    for _ in 0..2 {
        let body = json!({"ids": [ours], "vals": {"result_package_id": package}});
        assert_eq!(
            floor.odoo().ask("stock.move.line", "write", body).await,
            true
        );
    }
    floor.validated(picking, json!({})).await;
    let body = json!({"domain": [["package_id", "=", package]], "fields": ["quantity"]});
    let quants = floor.odoo().ask("stock.quant", "search_read", body).await;
    assert_eq!(
        (rows(&quants).len(), &quants[0]["quantity"]),
        (1, &json!(2.0)),
        "{quants}"
    );
}
