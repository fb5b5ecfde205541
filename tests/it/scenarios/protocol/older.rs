//! The stand-in as Odoo 17 and 18, held to what was measured there (`docs/odoo.md`, "Odoo 17 and
//! 18"). There is no server of either to hold it against.

mod master_data;

use self::master_data::{
    a_packaging_says_how_many_it_holds, a_weight_is_forgotten, names_of_19_are_unknown,
    reading_all_fields_of_a_product_is_forbidden, units_are_of_a_category,
};
use super::{Site, no_wizards};
use crate::scenarios::target::{Target, fresh};
use serde_json::{Value, json};
use stockrelay::demo::odoo::Version;

/// A test on both.
macro_rules! on_older {
    ($($name:ident),* $(,)?) => {
        mod on_17 {
            $(#[tokio::test] async fn $name() { super::$name(super::start(super::Version::V17).await).await; })*
        }
        mod on_18 {
            $(#[tokio::test] async fn $name() { super::$name(super::start(super::Version::V18).await).await; })*
        }
    };
}

on_older!(
    it_has_no_json_2,
    the_answer_tells_the_version,
    names_of_19_are_unknown,
    reading_all_fields_of_a_product_is_forbidden,
    units_are_of_a_category,
    a_packaging_says_how_many_it_holds,
    a_weight_is_forgotten,
    one_record_is_saved_and_read_back,
    scrap_has_a_location,
    the_true_time_does_not_carry_over,
    one_load_sets_all_true_times,
    a_finished_order_takes_no_lines,
    a_done_picking_is_validated_again,
    a_backorder_needs_an_address,
    rights_are_asked_for_in_the_words_of_the_version,
    a_new_lot_has_a_company,
    receipts_and_deliveries_may_name_no_end,
    a_delivery_has_its_steps,
);

async fn start(version: Version) -> Target {
    Target::small_stand_in(version).await
}

fn is_17(odoo: &Target) -> bool {
    odoo.version == Version::V17
}

/// The result of a call that must go well.
async fn result(odoo: &Target, model: &str, method: &str, args: Value, named: Value) -> Value {
    let mut answer = odoo.execute(model, method, args, named).await;
    assert!(
        answer["error"].is_null(),
        "{model}.{method}: {}",
        answer["error"]["data"]
    );
    answer["result"].take()
}

/// The name and the message of a refusal.
async fn refusal(
    odoo: &Target,
    model: &str,
    method: &str,
    args: Value,
    named: Value,
) -> (String, String) {
    let answer = odoo.execute(model, method, args, named).await;
    assert_eq!(answer["error"]["code"], 200, "{answer}");
    let text = |key: &str| answer["error"]["data"][key].as_str().unwrap().to_owned();
    (text("name"), text("message"))
}

/// A transfer of one product, whose line is picked: its id.
async fn transfer(site: &Site, product: i64, quantity: &str) -> i64 {
    let row = site.row(&fresh("pk_"), product, quantity, 0, 1);
    site.loaded(&[row]).await[0]
}

async fn validate(odoo: &Target, ids: &[i64]) -> Value {
    let named = json!({"context": no_wizards()});
    odoo.execute("stock.picking", "button_validate", json!([ids]), named)
        .await
}

async fn it_has_no_json_2(odoo: Target) {
    let body = json!({"domain": [], "limit": 1}).to_string();
    let path = "/json/2/res.partner/search";
    let answer = odoo
        .send_to(&odoo.url, &odoo.api_key, &odoo.database, path, &body)
        .await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert!(answer.content_type.starts_with("text/html"));
    let answer = odoo.send_to(&odoo.url, "", "", "/web/version", "").await;
    assert_eq!(answer.status, 404, "{}", answer.text);
}

async fn the_answer_tells_the_version(odoo: Target) {
    let version = odoo.rpc("common", "version", json!([])).await;
    let wanted = if is_17(&odoo) { "17.0" } else { "18.0" };
    assert_eq!(version["result"]["server_version"], wanted);
    let user = result(&odoo, "res.users", "context_get", json!([]), json!({})).await;
    assert_eq!(user["lang"], "fr_FR");
}

async fn one_record_is_saved_and_read_back(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let picking = transfer(&site, product, "1").await;
    let args = json!([[picking], {"note": "x"}, {"note": {}, "group_id": {}}]);
    let saved = result(&site.odoo, "stock.picking", "web_save", args, json!({})).await;
    assert_eq!(saved[0]["id"], picking);
    assert!(saved[0]["note"].as_str().unwrap().contains('x'), "{saved}");
    assert_eq!(saved[0]["group_id"], false);
}

async fn scrap_has_a_location(odoo: Target) {
    let domain = json!([[
        ["scrap_location", "=", true],
        ["company_id", "in", [1, false]]
    ]]);
    let fields = json!({"fields": ["usage", "scrap_location"]});
    let found = result(&odoo, "stock.location", "search_read", domain, fields).await;
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["usage"], "inventory");
    assert_eq!(found[0]["scrap_location"], true);
}

/// The dates of a picking, its move and its line.
async fn dates(odoo: &Target, picking: i64) -> [String; 3] {
    let wanted = json!({"specification": {
        "date_done": {}, "move_ids": {"fields": {"date": {}}}, "move_line_ids": {"fields": {"date": {}}},
    }});
    let read = result(
        odoo,
        "stock.picking",
        "web_read",
        json!([[picking]]),
        wanted,
    )
    .await;
    let read = &read[0];
    [
        &read["date_done"],
        &read["move_ids"][0]["date"],
        &read["move_line_ids"][0]["date"],
    ]
    .map(|date| date.as_str().unwrap().to_owned())
}

async fn the_true_time_does_not_carry_over(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let picking = transfer(&site, product, "1").await;
    assert_eq!(validate(&site.odoo, &[picking]).await["result"], true);
    let [_, moved, line] = dates(&site.odoo, picking).await;
    let at = "2026-11-20 01:02:03";
    let written = json!([[picking], {"date_done": at}]);
    result(&site.odoo, "stock.picking", "write", written, json!({})).await;
    assert_eq!(
        dates(&site.odoo, picking).await,
        [at.to_owned(), moved, line]
    );
}

async fn one_load_sets_all_true_times(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let picking = transfer(&site, product, "1").await;
    assert_eq!(validate(&site.odoo, &[picking]).await["result"], true);
    let wanted = json!({"specification": {"move_ids": {}, "move_line_ids": {}}});
    let read = result(
        &site.odoo,
        "stock.picking",
        "web_read",
        json!([[picking]]),
        wanted,
    )
    .await;
    let at = "2026-11-20 01:02:03";
    let columns = [
        ".id",
        "date_done",
        "move_ids/.id",
        "move_ids/date",
        "move_line_ids/.id",
        "move_line_ids/date",
    ];
    let row = json!([
        picking.to_string(),
        at,
        read[0]["move_ids"][0].to_string(),
        at,
        read[0]["move_line_ids"][0].to_string(),
        at,
    ]);
    let named = json!({"context": {"tz": "UTC"}});
    let args = json!([columns, [row]]);
    let loaded = result(&site.odoo, "stock.picking", "load", args, named).await;
    assert_eq!(loaded["ids"], json!([picking]), "{loaded}");
    assert_eq!(dates(&site.odoo, picking).await, [at; 3]);
    let quantity = site.odoo.quantity(product, site.bins[1]).await;
    assert!((quantity - 1.0).abs() < 1e-9, "{quantity}");
}

async fn a_finished_order_takes_no_lines(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let (open, done) = (
        transfer(&site, product, "1").await,
        transfer(&site, product, "1").await,
    );
    assert_eq!(validate(&site.odoo, &[done]).await["result"], true);
    let kind = json!([[open], {"picking_type_id": site.internal}]);
    // The line has made the picking more than a draft.
    let answer = site
        .odoo
        .execute("stock.picking", "write", kind, json!({}))
        .await;
    assert_eq!(answer["error"].is_null(), !is_17(&site.odoo), "{answer}");
    if is_17(&site.odoo) {
        let scheduled = |id: i64| json!([[id], {"scheduled_date": "2026-11-20 01:02:03"}]);
        result(
            &site.odoo,
            "stock.picking",
            "write",
            scheduled(open),
            json!({}),
        )
        .await;
        let refused = |id: i64| {
            let odoo = &site.odoo;
            async move {
                refusal(odoo, "stock.picking", "write", scheduled(id), json!({}))
                    .await
                    .0
            }
        };
        assert_eq!(refused(done).await, "odoo.exceptions.AccessError");
        let cancel = json!([[open]]);
        result(
            &site.odoo,
            "stock.picking",
            "action_cancel",
            cancel,
            json!({}),
        )
        .await;
        assert_eq!(refused(open).await, "odoo.exceptions.UserError");
    } else {
        let kind = json!([[done], {"picking_type_id": site.internal}]);
        let (name, message) = refusal(&site.odoo, "stock.picking", "write", kind, json!({})).await;
        assert_eq!(name, "odoo.exceptions.UserError");
        assert_eq!(message, "Opération impossible : ");
    }
}

async fn a_done_picking_is_validated_again(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let (done, open) = (
        transfer(&site, product, "1").await,
        transfer(&site, product, "1").await,
    );
    assert_eq!(validate(&site.odoo, &[done]).await["result"], true);
    let answer = validate(&site.odoo, &[done]).await;
    if is_17(&site.odoo) {
        let name = &answer["error"]["data"]["name"];
        assert_eq!(name, "odoo.exceptions.UserError", "{answer}");
    } else {
        assert_eq!(answer["result"], true, "{answer}");
    }
    // Among others none of them minds.
    assert_eq!(validate(&site.odoo, &[done, open]).await["result"], true);
    let quantity = site.odoo.quantity(product, site.bins[1]).await;
    assert!((quantity - 2.0).abs() < 1e-9, "{quantity}");
}

async fn a_backorder_needs_an_address(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let place = json!({"product_id": product, "location_id": site.bins[0]});
    site.odoo.stock(place, 10.0).await;
    let me = result(&site.odoo, "res.users", "context_get", json!([]), json!({})).await;
    let address = async |email: Value| {
        let body = json!({"ids": [me["uid"]], "vals": {"email": email}});
        site.odoo.admin("res.users", "write", body).await;
    };
    address(json!(false)).await;
    let (_, picking) = site.odoo.sale(&[(product, 5.0).into()], 1).await;
    let lines = json!({"domain": [["picking_id", "=", picking]]});
    let lines = site.odoo.ask("stock.move.line", "search", lines).await;
    let body = json!({"ids": lines, "vals": {"quantity": 3.0, "picked": true}});
    site.odoo.admin("stock.move.line", "write", body).await;
    let answer = validate(&site.odoo, &[picking]).await;
    let name = &answer["error"]["data"]["name"];
    assert_eq!(name, "odoo.exceptions.UserError", "{answer}");
    address(json!("gateway@example.com")).await;
    assert_eq!(validate(&site.odoo, &[picking]).await["result"], true);
}

async fn rights_are_asked_for_in_the_words_of_the_version(odoo: Target) {
    let asked = json!({"operation": "create", "raise_exception": false});
    let ask = async |model: &str| {
        let model = model.to_owned();
        result(
            &odoo,
            &model,
            "check_access_rights",
            json!([]),
            asked.clone(),
        )
        .await
    };
    assert_eq!(ask("stock.picking").await, true);
    assert_eq!(ask("product.product").await, false);
    let named = json!({"operation": "create"});
    let answer = odoo
        .execute("stock.picking", "has_access", json!([[]]), named)
        .await;
    if is_17(&odoo) {
        let name = &answer["error"]["data"]["name"];
        assert_eq!(name, "builtins.AttributeError", "{answer}");
    } else {
        assert_eq!(answer["result"], true, "{answer}");
    }
}

async fn a_new_lot_has_a_company(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("lot").await;
    let columns = ["id", "name", "product_id/.id"];
    let row = [fresh("x.lt_"), fresh("L"), product.to_string()];
    let args = json!([columns, [row]]);
    let loaded = result(&site.odoo, "stock.lot", "load", args, json!({})).await;
    assert_eq!(loaded["ids"] == json!(false), is_17(&site.odoo), "{loaded}");
}

async fn receipts_and_deliveries_may_name_no_end(odoo: Target) {
    let ends = [
        "default_location_src_id",
        "default_location_dest_id",
        "code",
    ];
    let domain = json!([[["warehouse_id", "=", 1], ["code", "!=", "internal"]]]);
    let fields = json!({"fields": ends, "load": false});
    let kinds = result(&odoo, "stock.picking.type", "search_read", domain, fields).await;
    for kind in kinds.as_array().unwrap() {
        let (outside, inside) = match kind["code"].as_str().unwrap() {
            "incoming" => (ends[0], ends[1]),
            _ => (ends[1], ends[0]),
        };
        assert!(kind[inside].is_i64(), "{kind}");
        assert_eq!(kind[outside].is_i64(), !is_17(&odoo), "{kind}");
    }
}

async fn a_delivery_has_its_steps(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let (warehouse, _) = site.odoo.warehouse("two_steps", "pick_pack_ship").await;
    let (name, first) = site.odoo.sale(&[(product, 5.0).into()], warehouse).await;
    let steps = async || {
        let domain = json!([[["group_id.name", "=", name]]]);
        let fields = json!({"fields": ["state", "picking_type_id"], "order": "id"});
        let found = result(&site.odoo, "stock.picking", "search_read", domain, fields).await;
        let found = found.as_array().unwrap().iter();
        let said = found.map(|picking| {
            let kind = picking["picking_type_id"][1].as_str().unwrap();
            let kind = kind.rsplit(' ').next().unwrap();
            format!("{kind} {}", picking["state"].as_str().unwrap())
        });
        said.collect::<Vec<_>>()
    };
    let wanted: &[&str] = if is_17(&site.odoo) {
        &["Orders waiting", "Pack waiting", "Pick confirmed"]
    } else {
        &["Pick confirmed"]
    };
    assert_eq!(steps().await, wanted);
    let wanted = json!({"specification": {"location_id": {}, "move_ids": {"fields": {}}}});
    let read = result(
        &site.odoo,
        "stock.picking",
        "web_read",
        json!([[first]]),
        wanted,
    )
    .await;
    let line = json!({
        "picking_id": first, "move_id": read[0]["move_ids"][0]["id"], "product_id": product,
        "quantity": 5.0, "picked": true,
    });
    site.odoo.made("stock.move.line", line).await;
    assert_eq!(validate(&site.odoo, &[first]).await["result"], true);
    let wanted: &[&str] = if is_17(&site.odoo) {
        &["Orders waiting", "Pack assigned", "Pick done"]
    } else {
        &["Pick done", "Pack assigned"]
    };
    assert_eq!(steps().await, wanted);
}
