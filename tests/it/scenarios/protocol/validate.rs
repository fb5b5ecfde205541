//! `button_validate` and what comes after it: wizards, refusals, stock, the true time, cancelling.

use serde_json::{Value, json};

use super::{COLUMNS, Site, create_if_absent, no_wizards};
use crate::scenarios::target::{Target, fresh};

on_both!(
    validate_posts_and_skips_what_is_done,
    validate_refuses_a_missing_lot_and_posts_none_of_the_batch,
    validate_asks_wizards_and_posts_nothing,
    validate_posts_the_picked_lines_alone,
    serials_are_one_each,
    stock_goes_below_zero_without_a_word,
    true_time_carries_over_to_the_lines,
    saving_several_reads_them_back,
    cancelled_transfers_keep_their_external_id,
);

async fn validate_posts_and_skips_what_is_done(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let rows: Vec<_> = (0..3)
        .map(|_| site.row(&fresh("pk_"), product, "2", 0, 1))
        .collect();
    let ids = site.loaded(&rows).await;
    assert_eq!(site.validate(&ids[..1]).await.json(), true);
    assert_eq!(site.states(&ids).await, ["done", "assigned", "assigned"]);
    assert_eq!(site.validate(&ids).await.json(), true);
    assert_eq!(site.validate(&ids).await.json(), true);
    assert_eq!(site.states(&ids).await, ["done"; 3]);
    let moved = site.odoo.quantity(product, site.bins[1]).await;
    assert_eq!(moved.to_bits(), 6.0_f64.to_bits());
    let name = site.read(ids[0]).await["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("WH/INT/"), "{name}");
}

async fn validate_refuses_a_missing_lot_and_posts_none_of_the_batch(odoo: Target) {
    let site = Site::new(odoo).await;
    let (plain, tracked) = (site.product("none").await, site.product("lot").await);
    let mut rows: Vec<_> = (0..4)
        .map(|_| site.row(&fresh("pk_"), plain, "1", 0, 1))
        .collect();
    rows.insert(2, site.row(&fresh("pk_"), tracked, "1", 0, 1));
    let ids = site.loaded(&rows).await;
    let bad = site.read(ids[2]).await["name"].as_str().unwrap().to_owned();
    let answer = site.validate(&ids).await;
    let (name, message) = answer.error();
    assert_eq!(
        (answer.status, name.as_str()),
        (422, "odoo.exceptions.UserError")
    );
    let start = format!("Transfers {bad}: You need to supply a Lot/Serial number for products [");
    assert!(message.starts_with(&start), "{message}");
    assert_eq!(site.states(&ids).await, ["assigned"; 5]);
    let (_, alone) = site.validate(&ids[2..3]).await.error();
    assert!(
        alone.starts_with("You need to supply a Lot/Serial number for products ["),
        "{alone}"
    );
    let good: Vec<i64> = ids.iter().copied().filter(|id| *id != ids[2]).collect();
    assert_eq!(site.validate(&good).await.json(), true);
    assert_eq!(site.states(&good).await, ["done"; 4]);
    // A lot's name alone makes no lot on an internal transfer.
    let mut row = site.row(&fresh("pk_"), tracked, "1", 0, 1);
    row.push("SOME-LOT".into());
    let mut columns = COLUMNS.to_vec();
    columns.push("move_line_ids/lot_name");
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let named = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    let answer = site.validate(&[named]).await;
    let message = answer.error().1;
    assert!(
        message.starts_with("You need to supply a Lot/Serial Number for product:\n- ["),
        "{message}"
    );
}

async fn validate_asks_wizards_and_posts_nothing(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let columns = [
        "id",
        "picking_type_id/.id",
        "location_id/.id",
        "location_dest_id/.id",
        "origin",
        "move_ids/product_id/.id",
        "move_ids/product_uom_qty",
        "move_ids/quantity",
        "move_ids/picked",
        "move_ids/location_id/.id",
        "move_ids/location_dest_id/.id",
    ];
    let (from, to) = (site.bins[0].to_string(), site.bins[1].to_string());
    let row = json!([
        fresh("pk_"),
        site.internal.to_string(),
        from,
        to,
        "test",
        product.to_string(),
        "5",
        "2",
        "1",
        from,
        to
    ]);
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let id = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    let ask = async |context: Value| {
        let body = json!({"ids": [id], "context": context});
        site.odoo
            .ask("stock.picking", "button_validate", body)
            .await
    };
    let wizard = ask(json!({"skip_sms": true})).await;
    assert_eq!(wizard["type"], "ir.actions.act_window");
    assert_eq!(wizard["res_model"], "stock.backorder.confirmation");
    assert_eq!(
        wizard["context"]["button_validate_picking_ids"],
        json!([id])
    );
    assert_ne!(site.states(&[id]).await, ["done"]);
    assert_eq!(ask(no_wizards()).await, true);
    assert_eq!(site.states(&[id]).await, ["done"]);
    let rest = json!({"domain": [["backorder_id", "=", id]], "fields": ["state"]});
    let rest = site.odoo.ask("stock.picking", "search_read", rest).await;
    assert_eq!(
        rest.as_array().map(Vec::len),
        Some(1),
        "the rest is a backorder: {rest}"
    );
    texts_are_confirmed(&site, product).await;
}

/// A company that confirms deliveries by text message gets a wizard for them, unless told to skip
/// it.
async fn texts_are_confirmed(site: &Site, product: i64) {
    let confirm = |on: bool| json!({"ids": [1], "vals": {"stock_text_confirmation": on}});
    site.odoo.admin("res.company", "write", confirm(true)).await;
    let partner = json!({"vals_list": [{"name": "Texted", "phone": "+32470123456"}]});
    let partner = site.odoo.admin("res.partner", "create", partner).await[0]
        .as_i64()
        .unwrap();
    let domain = json!([["code", "=", "outgoing"], ["warehouse_id.code", "=", "WH"]]);
    let outgoing = site.odoo.find("stock.picking.type", domain).await;
    let mut row = site.row(&fresh("pk_"), product, "1", 0, 1);
    row[1] = outgoing.to_string();
    row.push(partner.to_string());
    let mut columns = COLUMNS.to_vec();
    columns.push("partner_id/.id");
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let id = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    let body = json!({"ids": [id], "context": {"skip_backorder": true}});
    let wizard = site
        .odoo
        .ask("stock.picking", "button_validate", body)
        .await;
    site.odoo
        .admin("res.company", "write", confirm(false))
        .await;
    assert_eq!(wizard["res_model"], "confirm.stock.sms", "{wizard}");
    assert_eq!(site.states(&[id]).await, ["assigned"]);
    assert_eq!(site.validate(&[id]).await.json(), true);
    assert_eq!(site.states(&[id]).await, ["done"]);
}

async fn validate_posts_the_picked_lines_alone(odoo: Target) {
    let site = Site::new(odoo).await;
    let (picked, left) = (site.product("none").await, site.product("none").await);
    let mut unpicked = site.row(&fresh("pk_"), left, "2", 0, 1);
    unpicked[7] = "0".into();
    let id = site.loaded(&[unpicked, site.more(picked, "1", 0, 1)]).await[0];
    assert_eq!(site.validate(&[id]).await.json(), true);
    let lines = site.read(id).await["move_line_ids"].take();
    assert_eq!(lines.as_array().map(Vec::len), Some(1), "{lines}");
    assert_eq!(lines[0]["product_id"], picked);
    // Nothing moved, nothing posted.
    let id = site
        .loaded(&[site.row(&fresh("pk_"), picked, "0", 0, 1)])
        .await[0];
    let answer = site.validate(&[id]).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.error().1.contains("zero quantity transfer"),
        "{}",
        answer.text
    );
}

async fn serials_are_one_each(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("serial").await;
    let lot = json!({"vals_list": [{"name": fresh("SER"), "product_id": product}]});
    let lot = site.odoo.ask("stock.lot", "create", lot).await[0]
        .as_i64()
        .unwrap();
    let mut columns = COLUMNS.to_vec();
    columns.push("move_line_ids/lot_id/.id");
    let make = async |product: i64, quantity: &str| {
        let mut row = site.row(&fresh("pk_"), product, quantity, 0, 1);
        row.push(lot.to_string());
        let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
        site.odoo.ask("stock.picking", "load", body).await
    };
    let two = make(product, "2").await["ids"][0].as_i64().unwrap();
    let answer = site.validate(&[two]).await;
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
    let one = make(product, "1").await["ids"][0].as_i64().unwrap();
    assert_eq!(site.validate(&[one]).await.json(), true);
    assert_eq!(site.read(one).await["move_line_ids"][0]["lot_id"], lot);
    let other = site.product("lot").await;
    let said = make(other, "1").await["messages"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(said.contains("is incompatible with this product"), "{said}");
}

async fn stock_goes_below_zero_without_a_word(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let id = site
        .loaded(&[site.row(&fresh("pk_"), product, "5", 2, 3)])
        .await[0];
    assert_eq!(site.validate(&[id]).await.json(), true);
    let found = [
        site.odoo.quantity(product, site.bins[2]).await,
        site.odoo.quantity(product, site.bins[3]).await,
    ];
    assert_eq!(found.map(f64::to_bits), [-5.0, 5.0].map(f64::to_bits));
}

async fn true_time_carries_over_to_the_lines(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let id = site
        .loaded(&[site.row(&fresh("pk_"), product, "1", 0, 1)])
        .await[0];
    assert_eq!(site.read(id).await["date_done"], false);
    assert_eq!(site.validate(&[id]).await.json(), true);
    let body = json!({"ids": [id], "vals": {"date_done": "2026-11-20 01:02:03"}});
    assert_eq!(site.odoo.ask("stock.picking", "write", body).await, true);
    let picking = site.read(id).await;
    assert_eq!(picking["date_done"], "2026-11-20 01:02:03");
    assert_eq!(picking["move_line_ids"][0]["date"], "2026-11-20 01:02:03");
}

async fn saving_several_reads_them_back(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let rows = [
        site.row(&fresh("pk_"), product, "1", 0, 1),
        site.row(&fresh("pk_"), product, "2", 1, 2),
    ];
    let ids = site.loaded(&rows).await;
    assert_eq!(site.validate(&ids).await.json(), true);
    let dates = ["2026-11-20 01:02:03", "2026-11-20 02:03:04"];
    let values: Vec<_> = dates.iter().map(|d| json!({"date_done": d})).collect();
    let line = json!({"fields": {"product_id": {}, "quantity_product_uom": {}, "lot_id": {}, "package_id": {}}});
    let wanted = json!({"state": {}, "date_done": {}, "move_line_ids": line});
    let body = json!({"ids": ids, "vals_list": values, "specification": wanted});
    let saved = site.odoo.ask("stock.picking", "web_save_multi", body).await;
    for place in 0..2 {
        assert_eq!(saved[place]["id"], ids[place]);
        assert_eq!(saved[place]["state"], "done");
        assert_eq!(saved[place]["date_done"], dates[place]);
        let mut line = saved[place]["move_line_ids"][0].clone();
        line.as_object_mut().unwrap().remove("id");
        let quantity = if place == 0 { 1.0 } else { 2.0 };
        assert_eq!(
            line,
            json!({"product_id": product, "quantity_product_uom": quantity, "lot_id": false, "package_id": false})
        );
    }
    let both = json!([{"date_done": dates[0]}, {"date_done": dates[0]}]);
    let body = json!({"ids": [ids[0], 99_999_999], "vals_list": both, "specification": wanted});
    let answer = site
        .odoo
        .call("stock.picking", "web_save_multi", body)
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (404, "odoo.exceptions.MissingError")
    );
    // Bare ids for references, where `load` is null; fields that a gateway asks for.
    let domain = json!([
        ["id", "=", product],
        ["company_id", "in", [false, 1]],
        ["product_tmpl_id.write_date", ">=", "2000-01-01 00:00:00"]
    ]);
    let body = json!({"domain": domain, "fields": ["uom_id", "company_id"], "load": null});
    let found = site.odoo.ask("product.product", "search_read", body).await;
    assert_eq!(
        found,
        json!([{"id": product, "uom_id": 1, "company_id": false}])
    );
}

async fn cancelled_transfers_keep_their_external_id(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let row = site.row(&fresh("pk_"), product, "1", 0, 1);
    let id = site.loaded(std::slice::from_ref(&row)).await[0];
    let cancel = json!({"ids": [id]});
    assert_eq!(
        site.odoo
            .ask("stock.picking", "action_cancel", cancel.clone())
            .await,
        true
    );
    assert_eq!(site.states(&[id]).await, ["cancel"]);
    assert_eq!(site.read(id).await["move_line_ids"], json!([]));
    assert_eq!(
        site.loaded(&[row]).await,
        [id],
        "the same key answers the cancelled picking"
    );
    assert_eq!(site.validate(&[id]).await.status, 422);
    // In a batch it is passed over: `true` proves nothing.
    let good = site
        .loaded(&[site.row(&fresh("pk_"), product, "1", 0, 1)])
        .await[0];
    assert_eq!(site.validate(&[id, good]).await.json(), true);
    assert_eq!(site.states(&[id, good]).await, ["cancel", "done"]);
    let done = site
        .odoo
        .call("stock.picking", "action_cancel", json!({"ids": [good]}))
        .await;
    assert_eq!(done.status, 422);
    assert_eq!(done.error().0, "odoo.exceptions.UserError");
    let delete = site.odoo.call("stock.picking", "unlink", cancel).await;
    assert_eq!(
        (delete.status, delete.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
}
