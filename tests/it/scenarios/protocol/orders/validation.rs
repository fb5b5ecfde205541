//! What Odoo does when a picking is validated.

use super::super::floor::{Floor, rows};
use crate::scenarios::target::{Target, fresh};
use serde_json::{Value, json};

pub async fn what_nobody_picked_becomes_a_backorder(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let (one, two) = (floor.stocked(5.0).await, floor.stocked(5.0).await);
    let (order, picking) = floor.sale(&[(one, 5.0), (two, 3.0)], 1).await;
    let moves = rows(&floor.show(picking).await["move_ids"]);
    let untouched = moves.iter().find(|m| m["product_id"] == two).unwrap()["id"].clone();
    floor.guarded(picking, &fresh("ml_"), one, "3", 1).await;
    floor.validated(picking, json!({})).await;
    let shown = floor.show(picking).await;
    assert_eq!(shown["state"], "done");
    assert_eq!(rows(&shown["move_line_ids"]).len(), 1, "{shown}");
    assert_eq!(shown["move_ids"][0]["product_uom_qty"], 3.0);
    assert_eq!(shown["backorder_ids"][0]["state"], "assigned");
    let next = shown["backorder_ids"][0]["id"].as_i64().unwrap();
    let next = floor.show(next).await;
    assert_eq!(next["origin"], order);
    assert_eq!(next["backorder_id"]["id"], picking);
    let moves = rows(&next["move_ids"]);
    assert!(
        moves
            .iter()
            .any(|m| m["id"] == untouched && m["product_uom_qty"] == 3.0),
        "{next}"
    );
    assert!(
        moves
            .iter()
            .any(|m| m["product_id"] == one && m["product_uom_qty"] == 2.0),
        "{next}"
    );
    assert_eq!(
        floor.delivered(&order, one).await.to_bits(),
        3.0_f64.to_bits()
    );
    let emptied = floor.odoo().quantity(one, floor.site.bins[1]).await;
    assert_eq!(emptied.to_bits(), (-3.0_f64).to_bits());
}

pub async fn or_is_dropped_where_the_context_says_so(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let (one, two) = (floor.stocked(5.0).await, floor.stocked(5.0).await);
    let (_, picking) = floor.sale(&[(one, 5.0), (two, 3.0)], 1).await;
    floor.guarded(picking, &fresh("ml_"), one, "3", 0).await;
    floor
        .validated(picking, json!({"picking_ids_not_to_backorder": [picking]}))
        .await;
    let shown = floor.show(picking).await;
    assert_eq!(
        (&shown["state"], &shown["backorder_ids"]),
        (&json!("done"), &json!([]))
    );
    let mut states: Vec<Value> = rows(&shown["move_ids"])
        .iter()
        .map(|m| json!([m["product_id"] == one, m["state"], m["quantity"]]))
        .collect();
    states.sort_by_key(|state| state[0] == false);
    assert_eq!(
        states,
        [json!([true, "done", 3.0]), json!([false, "cancel", 0.0])]
    );
}

pub async fn nothing_picked_ships_all_that_is_reserved(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(4.0).await;
    let (order, picking) = floor.sale(&[(product, 6.0)], 1).await;
    floor.validated(picking, json!({})).await;
    assert_eq!(
        floor.delivered(&order, product).await.to_bits(),
        4.0_f64.to_bits()
    );
    let shown = floor.show(picking).await;
    assert_eq!(shown["backorder_ids"][0]["state"], "confirmed", "{shown}");
}

pub async fn more_than_ordered_is_posted_without_a_word(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(9.0).await;
    let (order, picking) = floor.sale(&[(product, 2.0)], 1).await;
    floor.guarded(picking, &fresh("ml_"), product, "4", 0).await;
    floor.validated(picking, json!({})).await;
    let shown = floor.show(picking).await;
    assert_eq!(shown["move_ids"][0]["product_uom_qty"], 2.0, "{shown}");
    assert_eq!(shown["move_ids"][0]["quantity"], 4.0);
    assert_eq!(
        floor.delivered(&order, product).await.to_bits(),
        4.0_f64.to_bits()
    );
}

pub async fn an_operation_type_may_have_made_up_its_mind(odoo: Target) {
    let floor = Floor::with_steps(odoo, "one_step", "ship_only").await;
    let domain = json!([
        ["warehouse_id", "=", floor.warehouse],
        ["code", "=", "outgoing"]
    ]);
    let outgoing = floor.odoo().find("stock.picking.type", domain).await;
    let never = json!({"ids": [outgoing], "vals": {"create_backorder": "never"}});
    floor
        .odoo()
        .admin("stock.picking.type", "write", never)
        .await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 3.0)], floor.warehouse).await;
    floor.guarded(picking, &fresh("ml_"), product, "1", 0).await;
    floor.validated(picking, json!({})).await;
    let shown = floor.show(picking).await;
    assert_eq!(shown["backorder_ids"], json!([]));
    let m = &shown["move_ids"][0];
    assert_eq!(
        json!([m["product_uom_qty"], m["quantity"], m["state"]]),
        json!([3.0, 1.0, "done"])
    );
}

pub async fn a_product_that_was_not_ordered_stops_the_users_validation(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let (ordered, other) = (floor.stocked(5.0).await, floor.stocked(5.0).await);
    let (_, picking) = floor.sale(&[(ordered, 2.0)], 1).await;
    floor.guarded(picking, &fresh("ml_"), other, "1", 0).await;
    let answer = floor.validate(picking, json!({})).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    let start = "You are not allowed to create 'Sales Order Line' (sale.order.line) records.";
    assert!(answer.error().1.starts_with(start), "{}", answer.text);
    assert_eq!(floor.show(picking).await["state"], "assigned");
}
