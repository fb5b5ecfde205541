//! Odoo's orders: found, picked, received, validated, finished by another user.

mod validation;

use self::validation::{
    a_product_that_was_not_ordered_stops_the_users_validation,
    an_operation_type_may_have_made_up_its_mind, more_than_ordered_is_posted_without_a_word,
    nothing_picked_ships_all_that_is_reserved, or_is_dropped_where_the_context_says_so,
    what_nobody_picked_becomes_a_backorder,
};
use super::floor::{Floor, ids, rows};
use crate::scenarios::target::{Target, fresh};
use serde_json::{Value, json};

on_both!(
    an_order_finds_its_pickings_by_name,
    guarded_lines_are_created_if_absent,
    guarded_lines_are_refused_on_a_finished_picking,
    the_guard_resets_a_header_that_the_call_does_not_name,
    lines_without_the_guard_move_stock_on_a_finished_picking,
    external_ids_tell_whose_a_line_is,
    what_nobody_picked_becomes_a_backorder,
    or_is_dropped_where_the_context_says_so,
    nothing_picked_ships_all_that_is_reserved,
    a_move_stays_picked_without_lines_and_keeps_odoo_from_validating,
    what_is_picked_is_neither_unreserved_nor_split_off,
    more_than_ordered_is_posted_without_a_word,
    an_operation_type_may_have_made_up_its_mind,
    a_product_that_was_not_ordered_stops_the_users_validation,
    own_lines_can_be_taken_back_while_the_picking_is_open,
    own_lines_are_made_less_under_the_guard_and_on_a_finished_picking_not,
    cancelling_an_order_takes_our_lines,
    each_step_of_a_delivery_makes_the_next,
    two_step_receipts_are_stored_from_the_input,
);

async fn an_order_finds_its_pickings_by_name(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (order, picking) = floor.sale(&[(product, 5.0)], 1).await;
    for path in ["origin", "reference_ids.name", "sale_id.name"] {
        let body = json!({"domain": [[path, "=", order]]});
        let found = floor.odoo().ask("stock.picking", "search", body).await;
        assert_eq!(found, json!([picking]), "{path}");
    }
    let shown = floor.show(picking).await;
    assert_eq!(shown["state"], "assigned");
    assert_eq!(shown["picking_type_id"]["code"], "outgoing");
    assert_eq!(shown["move_ids"][0]["product_uom_qty"], 5.0);
    assert_eq!(shown["move_ids"][0]["quantity"], 5.0);
    assert_eq!(shown["move_ids"][0]["picked"], false);
    assert_eq!(shown["move_line_ids"][0]["location_id"], floor.site.bins[0]);
}

async fn guarded_lines_are_created_if_absent(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 5.0)], 1).await;
    // The module may stand in the id itself.
    let key = format!("stockrelay_test.{}", fresh("ml_"));
    let first = floor.guarded(picking, &key, product, "3", 1).await;
    assert_eq!(first["ids"], json!([picking]), "{first}");
    assert_eq!(floor.guarded(picking, &key, product, "3", 1).await, first);
    let shown = floor.show(picking).await;
    let lines = shown["move_line_ids"].as_array().unwrap();
    let ours: Vec<&Value> = lines.iter().filter(|line| line["picked"] == true).collect();
    assert_eq!((lines.len(), ours.len()), (2, 1), "{shown}");
    assert_eq!(ours[0]["quantity"], 3.0);
    // What is reserved elsewhere stays so until the picking is validated.
    assert_eq!(shown["move_ids"][0]["quantity"], 8.0);
    assert_eq!(shown["move_ids"][0]["picked"], true);
    // A repeat writes the gateway's value again over a person's value.
    let id = ours[0]["id"].clone();
    let body = json!({"ids": [id], "vals": {"quantity": 1}});
    floor.odoo().ask("stock.move.line", "write", body).await;
    floor.guarded(picking, &key, product, "3", 1).await;
    let body = json!({"ids": [id], "fields": ["quantity"]});
    let line = floor.odoo().ask("stock.move.line", "read", body).await;
    assert_eq!(line[0]["quantity"], 3.0);
    // A bin with nothing in it is reserved from all the same.
    let quant = floor.quants(product, 1).await;
    assert_eq!(quant[0]["quantity"], 0.0, "{quant}");
    assert_eq!(quant[0]["available_quantity"], -3.0, "{quant}");
}

async fn guarded_lines_are_refused_on_a_finished_picking(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(9.0).await;
    let (_, done) = floor.sale(&[(product, 2.0)], 1).await;
    floor.validated(done, json!({})).await;
    let (_, cancelled) = floor.sale(&[(product, 2.0)], 1).await;
    let body = json!({"ids": [cancelled]});
    floor
        .odoo()
        .ask("stock.picking", "action_cancel", body)
        .await;
    for picking in [done, cancelled] {
        let answer = floor.guarded(picking, &fresh("ml_"), product, "1", 0).await;
        assert_eq!(answer["ids"], false);
        let text = "Changing the operation type of this record is forbidden at this point.";
        assert_eq!(answer["messages"][0]["message"], text);
    }
    assert_eq!(rows(&floor.show(done).await["move_line_ids"]).len(), 1);
}

async fn the_guard_resets_a_header_that_the_call_does_not_name(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 5.0)], 1).await;
    let before = floor.show(picking).await;
    let bin = floor.site.bins[2];
    let body = json!({"ids": [picking], "vals": {"location_id": bin}});
    floor.odoo().ask("stock.picking", "write", body).await;
    let key = fresh("ml_");
    let kept = floor.guarded(picking, &key, product, "1", 0).await;
    assert_eq!(kept["ids"], json!([picking]), "{kept}");
    assert_eq!(floor.show(picking).await["location_id"], bin);
    let answer = floor.guarded_bare(picking, &key, product, "1", 0).await;
    assert_eq!(answer["ids"], json!([picking]), "{answer}");
    assert_eq!(
        floor.show(picking).await["location_id"],
        before["location_id"]
    );
}

async fn lines_without_the_guard_move_stock_on_a_finished_picking(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 2.0)], 1).await;
    floor.validated(picking, json!({})).await;
    let answer = floor.bare_line(picking, &fresh("ml_"), product, "1").await;
    assert_ne!(answer["ids"], false, "{answer}");
    let shown = floor.show(picking).await;
    assert_eq!(rows(&shown["move_line_ids"]).len(), 2, "{shown}");
    assert_eq!(shown["state"], "done");
    let left = floor.odoo().quantity(product, floor.site.bins[0]).await;
    assert_eq!(left.to_bits(), 2.0_f64.to_bits());
}

async fn external_ids_tell_whose_a_line_is(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 5.0)], 1).await;
    let key = fresh("ml_");
    floor.guarded(picking, &key, product, "2", 0).await;
    let lines = ids(&floor.show(picking).await["move_line_ids"]);
    let names = floor
        .odoo()
        .ask("stock.move.line", "get_external_id", json!({"ids": lines}))
        .await;
    let mut names: Vec<&str> = names
        .as_object()
        .unwrap()
        .values()
        .map(|name| name.as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["", &format!("stockrelay_test.{key}")]);
    let resolve = async |model: &str, key: &str| {
        let body = json!({"fields": ["id"], "data": [[key]], "context": super::create_if_absent()});
        floor.odoo().ask(model, "load", body).await
    };
    floor.validated(picking, json!({})).await;
    let found = resolve("stock.move.line", &key).await["ids"][0]
        .as_i64()
        .unwrap();
    let shown = floor.show(picking).await;
    assert_eq!(
        ids(&shown["move_line_ids"]),
        [found],
        "the same line, posted"
    );
    for (model, label) in [
        ("stock.move.line", "'Company'"),
        ("stock.picking", "'Source Location'"),
    ] {
        let absent = resolve(model, &fresh("no_")).await;
        assert_eq!(absent["ids"], false);
        let start = format!("Missing required value for the field {label} (");
        let text = absent["messages"][0]["message"].as_str().unwrap();
        assert!(text.starts_with(&start), "{text}");
        assert_eq!(absent["messages"][0]["record"], 0);
    }
}

async fn own_lines_are_made_less_under_the_guard_and_on_a_finished_picking_not(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 4.0)], 1).await;
    let before = floor.show(picking).await;
    let keys = [fresh("ml_"), fresh("ml_")];
    for key in &keys {
        floor.guarded(picking, key, product, "2", 0).await;
    }
    let lines = floor.show(picking).await["move_line_ids"].clone();
    let picked = |line: &&Value| line["picked"] == true;
    let all = lines.as_array().unwrap();
    let ours: Vec<&Value> = all.iter().filter(picked).map(|line| &line["id"]).collect();
    let values = |commands: Value| {
        json!({"ids": [picking], "vals": {
            "picking_type_id": before["picking_type_id"]["id"],
            "location_id": before["location_id"],
            "location_dest_id": before["location_dest_id"],
            "move_line_ids": commands,
        }})
    };
    let less = values(json!([[1, ours[0], {"quantity": 1}], [2, ours[1], 0]]));
    let answer = floor.odoo().ask("stock.picking", "write", less).await;
    assert_eq!(answer, true);
    let shown = floor.show(picking).await;
    let all = shown["move_line_ids"].as_array().unwrap();
    let left: Vec<&Value> = all.iter().filter(picked).collect();
    assert_eq!(left.len(), 1, "{shown}");
    assert_eq!(
        (&left[0]["id"], left[0]["quantity"].as_f64()),
        (ours[0], Some(1.0))
    );
    assert_eq!(shown["location_id"], before["location_id"]);
    floor.validated(picking, json!({})).await;
    let none = values(json!([[1, ours[0], {"quantity": 0.5}]]));
    let answer = floor.odoo().call("stock.picking", "write", none).await;
    assert_eq!(answer.status, 422);
    let (_, message) = answer.error();
    assert_eq!(
        message,
        "Changing the operation type of this record is forbidden at this point."
    );
    let shown = floor.show(picking).await;
    let stays = shown["move_line_ids"][0]["quantity"].as_f64();
    assert_eq!(stays, Some(1.0), "{shown}");
}

/// The guard of our validations stands on this.
async fn a_move_stays_picked_without_lines_and_keeps_odoo_from_validating(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let (product, other) = (floor.stocked(5.0).await, floor.stocked(5.0).await);
    let (_, picking) = floor.sale(&[(product, 4.0), (other, 2.0)], 1).await;
    floor.guarded(picking, &fresh("ml_"), product, "2", 0).await;
    let before = floor.show(picking).await;
    let lines = before["move_line_ids"].as_array().unwrap();
    let of = |picked: bool| {
        let mut found = lines
            .iter()
            .filter(|line| line["picked"] == picked && line["product_id"] == product);
        found.next().unwrap()["id"].clone()
    };
    let (ours, reserved) = (of(true), of(false));
    let write = |commands: Value| {
        json!({"ids": [picking], "vals": {
            "picking_type_id": before["picking_type_id"]["id"], "location_id": before["location_id"],
            "location_dest_id": before["location_dest_id"], "move_line_ids": commands,
        }})
    };
    let guard = json!([[1, ours, {}], [1, ours, {"picked": true}], [2, reserved, 0]]);
    floor
        .odoo()
        .ask("stock.picking", "write", write(guard))
        .await;
    let unlink = json!({"ids": [ours]});
    floor.odoo().ask("stock.move.line", "unlink", unlink).await;
    // Whoever names a line that is gone changes nothing.
    for gone in [json!([[1, ours, {}]]), json!([[2, ours, 0]])] {
        let answer = floor
            .odoo()
            .call("stock.picking", "write", write(gone))
            .await;
        assert_eq!(answer.status, 404, "{}", answer.text);
    }
    let states = |shown: &Value| -> Vec<(bool, f64)> {
        let moves = shown["move_ids"].as_array().unwrap().iter();
        let state = |of: &Value| Some((of["picked"].as_bool()?, of["quantity"].as_f64()?));
        moves.filter_map(state).collect()
    };
    let mut shown = states(&floor.show(picking).await);
    shown.sort_by(|left, right| left.1.total_cmp(&right.1));
    assert_eq!(shown, [(true, 0.0), (false, 2.0)]);
    let assign = json!({"ids": [picking]});
    floor
        .odoo()
        .ask("stock.picking", "action_assign", assign.clone())
        .await;
    let answer = floor.validate(picking, json!({})).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.error().1.starts_with("Transfer trouble alert!"));
    // The mark goes, and all is reserved again.
    let moves = before["move_ids"].as_array().unwrap().iter();
    let unpick: Vec<Value> = moves
        .map(|of| json!([1, of["id"], {"picked": false}]))
        .collect();
    let mut body = write(json!([]));
    body["vals"]["move_ids"] = json!(unpick);
    floor.odoo().ask("stock.picking", "write", body).await;
    floor
        .odoo()
        .ask("stock.picking", "action_assign", assign)
        .await;
    let mut shown = states(&floor.show(picking).await);
    shown.sort_by(|left, right| left.1.total_cmp(&right.1));
    assert_eq!(shown, [(false, 2.0), (false, 4.0)]);
}

async fn what_is_picked_is_neither_unreserved_nor_split_off(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let (product, other) = (floor.stocked(5.0).await, floor.stocked(5.0).await);
    let (order, picking) = floor.sale(&[(product, 4.0), (other, 2.0)], 1).await;
    floor.guarded(picking, &fresh("ml_"), product, "1", 0).await;
    let reserved = floor.show(picking).await["move_line_ids"].clone();
    let reserved = reserved.as_array().unwrap().iter();
    let of_product =
        reserved.filter(|line| line["picked"] == false && line["product_id"] == product);
    let ids: Vec<&Value> = of_product.map(|line| &line["id"]).collect();
    floor
        .odoo()
        .ask("stock.move.line", "unlink", json!({"ids": ids}))
        .await;
    let body = json!({"ids": [picking]});
    floor
        .odoo()
        .ask("stock.picking", "do_unreserve", body.clone())
        .await;
    let lines = floor.show(picking).await["move_line_ids"].clone();
    assert_eq!(rows(&lines).len(), 1, "{lines}");
    floor
        .odoo()
        .ask("stock.picking", "action_split_transfer", body)
        .await;
    let mut demands: Vec<Vec<f64>> = Vec::new();
    for found in floor.of_order(&order).await {
        let shown = floor.show(found["id"].as_i64().unwrap()).await;
        let moves = shown["move_ids"].as_array().unwrap().iter();
        let mut of: Vec<f64> = moves
            .filter_map(|of| of["product_uom_qty"].as_f64())
            .collect();
        of.sort_by(f64::total_cmp);
        demands.push(of);
    }
    demands.sort_by_key(Vec::len);
    assert_eq!(demands, [vec![1.0], vec![2.0, 3.0]]);
}

async fn own_lines_can_be_taken_back_while_the_picking_is_open(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 2.0)], 1).await;
    let key = fresh("ml_");
    floor.guarded(picking, &key, product, "1", 1).await;
    let ours = floor.ours(picking).await;
    let unlink = json!({"ids": [ours]});
    assert_eq!(
        floor.odoo().ask("stock.move.line", "unlink", unlink).await,
        true
    );
    assert_eq!(rows(&floor.show(picking).await["move_line_ids"]).len(), 1);
    floor.guarded(picking, &key, product, "2", 0).await;
    let again = floor.ours(picking).await;
    assert_ne!(again, ours, "the external id went with the record");
    floor.validated(picking, json!({})).await;
    let answer = floor
        .odoo()
        .call("stock.move.line", "unlink", json!({"ids": [again]}))
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (422, "odoo.exceptions.UserError")
    );
}

async fn cancelling_an_order_takes_our_lines(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (_, picking) = floor.sale(&[(product, 2.0)], 1).await;
    let key = fresh("ml_");
    floor.guarded(picking, &key, product, "1", 0).await;
    floor
        .odoo()
        .admin("stock.picking", "action_cancel", json!({"ids": [picking]}))
        .await;
    let shown = floor.show(picking).await;
    assert_eq!(
        (&shown["state"], &shown["move_line_ids"]),
        (&json!("cancel"), &json!([]))
    );
    let body = json!({"fields": ["id"], "data": [[key]], "context": super::create_if_absent()});
    let absent = floor.odoo().ask("stock.move.line", "load", body).await;
    assert_eq!(absent["ids"], false);
    // Without the guard the line lands, and moves nothing.
    floor.bare_line(picking, &key, product, "1").await;
    assert_eq!(
        floor.show(picking).await["move_line_ids"][0]["state"],
        "cancel"
    );
    assert_eq!(floor.validate(picking, json!({})).await.status, 422);
    let left = floor.odoo().quantity(product, floor.site.bins[0]).await;
    assert_eq!(left.to_bits(), 5.0_f64.to_bits());
}

async fn each_step_of_a_delivery_makes_the_next(odoo: Target) {
    let floor = Floor::with_steps(odoo, "one_step", "pick_pack_ship").await;
    let product = floor.stocked(5.0).await;
    let (order, pick) = floor.sale(&[(product, 5.0)], floor.warehouse).await;
    assert_eq!(
        floor.of_order(&order).await.len(),
        1,
        "the first step alone"
    );
    floor.guarded(pick, &fresh("ml_"), product, "3", 0).await;
    floor.validated(pick, json!({})).await;
    let steps = floor.of_order(&order).await;
    let mut seen: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!([
                step["picking_type_id"]["sequence_code"],
                step["state"],
                step["move_ids"][0]["product_uom_qty"]
            ])
        })
        .collect();
    seen.sort_by_key(ToString::to_string);
    let expected = [
        json!(["PACK", "assigned", 3.0]),
        json!(["PICK", "assigned", 2.0]),
        json!(["PICK", "done", 3.0]),
    ];
    assert_eq!(seen, expected);
    let step = async |code: &str| {
        let steps = floor.of_order(&order).await;
        let open = |step: &&Value| {
            step["picking_type_id"]["sequence_code"] == code && step["state"] == "assigned"
        };
        steps.iter().find(open).unwrap()["id"].as_i64().unwrap()
    };
    floor.validated(step("PACK").await, json!({})).await;
    let out = step("OUT").await;
    let shown = floor.show(out).await;
    assert_eq!(shown["picking_type_id"]["code"], "outgoing");
    assert_eq!(shown["move_ids"][0]["quantity"], 3.0);
    floor.validated(out, json!({})).await;
    assert_eq!(
        floor.delivered(&order, product).await.to_bits(),
        3.0_f64.to_bits()
    );
}

async fn two_step_receipts_are_stored_from_the_input(odoo: Target) {
    let floor = Floor::with_steps(odoo, "two_steps", "ship_only").await;
    let product = floor.site.product("none").await;
    let (order, receipt) = floor.purchase(&[(product, 4.0)], floor.warehouse).await;
    let shown = floor.show(receipt).await;
    assert_eq!(
        (&shown["state"], &shown["picking_type_id"]["code"]),
        (&json!("assigned"), &json!("incoming"))
    );
    floor.validated(receipt, json!({})).await;
    let body = json!({"domain": [["origin", "=", order], ["state", "=", "assigned"]], "fields": ["purchase_id", "origin"]});
    let stored = floor.odoo().ask("stock.picking", "search_read", body).await;
    assert_eq!(stored[0]["purchase_id"], false, "{stored}");
    let shown = floor.show(stored[0]["id"].as_i64().unwrap()).await;
    assert_eq!(shown["picking_type_id"]["sequence_code"], "STOR");
    assert_eq!(shown["move_ids"][0]["quantity"], 4.0);
    assert_eq!(
        floor.received(&order, product).await.to_bits(),
        4.0_f64.to_bits()
    );
}
