//! Reading, rights, and errors in JSON and in HTML.

use serde_json::{Value, json};

use super::no_wizards;
use crate::scenarios::target::{Target, fresh};

on_both!(
    version_answers_without_a_key,
    records_that_are_gone_are_missing,
    private_methods_and_external_ids_are_out_of_reach,
    unknown_fields_are_value_errors,
    unknown_database_answers_html,
    bad_keys_answer_401,
    searches_take_domains_windows_and_orders,
    archived_products_are_left_out_unless_asked_for,
);

async fn version_answers_without_a_key(odoo: Target) {
    stockrelay::tls::install_provider();
    let url = format!("{}/web/version", odoo.url);
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    let version: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(version["version"], "19.0");
    assert_eq!(version["version_info"][0], 19);
}

async fn records_that_are_gone_are_missing(odoo: Target) {
    let body = json!({"ids": [99_999_999], "vals": {"date_done": "2026-11-20 01:02:03"}});
    let answer = odoo.call("stock.picking", "write", body).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (404, "odoo.exceptions.MissingError")
    );
    let body = json!({"ids": [99_999_999], "context": no_wizards()});
    let answer = odoo.call("stock.picking", "button_validate", body).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (404, "odoo.exceptions.MissingError")
    );
    // Reading ignores it: the answer has the values that exist.
    let body = json!({"ids": [99_999_999], "fields": ["state"]});
    assert_eq!(odoo.ask("stock.picking", "read", body).await, json!([]));
    let body = json!({"ids": [99_999_999], "specification": {"state": {}}});
    assert_eq!(odoo.ask("stock.picking", "web_read", body).await, json!([]));
}

async fn private_methods_and_external_ids_are_out_of_reach(odoo: Target) {
    let answer = odoo
        .call("stock.picking", "_action_done", json!({"ids": [1]}))
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    let answer = odoo
        .call("ir.model.data", "search_read", json!({"domain": []}))
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    assert!(
        answer
            .error()
            .1
            .starts_with("You are not allowed to access 'Model Data' (ir.model.data) records.")
    );
    let answer = odoo
        .call(
            "product.product",
            "create",
            json!({"vals_list": [{"name": "X"}]}),
        )
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    for path in ["stock.picking/nonsense", "no.such.model/read"] {
        let (model, method) = path.split_once('/').unwrap();
        let answer = odoo.call(model, method, json!({"ids": [1]})).await;
        assert_eq!(
            (answer.status, answer.error().0.as_str()),
            (404, "werkzeug.exceptions.NotFound")
        );
    }
}

async fn unknown_fields_are_value_errors(odoo: Target) {
    let calls = [
        ("search_read", json!({"domain": [], "fields": ["nofield"]})),
        ("search_read", json!({"domain": [["nofield", "=", 1]]})),
        (
            "load",
            json!({"fields": ["id", "nofield"], "data": [["a", "b"]]}),
        ),
        (
            "load",
            json!({"fields": ["id", "move_line_ids/nofield"], "data": [["a", "b"]]}),
        ),
    ];
    for (method, body) in calls {
        let answer = odoo.call("stock.picking", method, body.clone()).await;
        assert_eq!(
            (answer.status, answer.error().0.as_str()),
            (500, "builtins.ValueError"),
            "{body}"
        );
        assert!(answer.content_type.starts_with("application/json"));
        for key in ["name", "message", "arguments", "context", "debug"] {
            assert!(answer.json().get(key).is_some(), "{key}");
        }
    }
    let answer = odoo
        .call("stock.picking", "write", json!({"ids": [1]}))
        .await;
    let lacks = "missing a required argument: 'vals'".to_owned();
    let name = "werkzeug.exceptions.UnprocessableEntity".to_owned();
    assert_eq!((answer.status, answer.error()), (422, (name, lacks)));
    let path = "/json/2/stock.picking/read";
    let answer = odoo.send(&odoo.api_key, &odoo.database, path, "{x").await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (400, "werkzeug.exceptions.BadRequest")
    );
}

async fn unknown_database_answers_html(odoo: Target) {
    let path = "/json/2/stock.picking/search_read";
    let answer = odoo
        .send(&odoo.api_key, "no_such_database", path, "{}")
        .await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.content_type.starts_with("text/html"),
        "{}",
        answer.content_type
    );
    assert!(
        answer.text.contains("No database is selected"),
        "{}",
        answer.text
    );
}

async fn bad_keys_answer_401(odoo: Target) {
    let path = "/json/2/stock.picking/search_read";
    let answer = odoo.send("not-a-key", &odoo.database, path, "{}").await;
    assert_eq!(answer.status, 401);
    let (name, message) = answer.error();
    assert_eq!(
        (name.as_str(), message.as_str()),
        ("werkzeug.exceptions.Unauthorized", "Invalid apikey")
    );
}

async fn searches_take_domains_windows_and_orders(odoo: Target) {
    let names = async |body: Value| {
        let found = odoo.ask("product.product", "search_read", body).await;
        let rows = found.as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["default_code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let ask = |domain: Value| json!({"domain": domain, "fields": ["default_code"], "order": "default_code"});
    let two = json!([
        "|",
        ["barcode", "in", ["4000000000020"]],
        ["default_code", "=", "SKU00003"]
    ]);
    assert_eq!(names(ask(two)).await, ["SKU00002", "SKU00003"]);
    let both = json!([
        "&",
        ["default_code", ">=", "SKU00490"],
        ["default_code", "<", "SKU00492"],
        ["active", "=", true]
    ]);
    assert_eq!(names(ask(both)).await, ["SKU00490", "SKU00491"]);
    let window = json!({
        "domain": [["default_code", "like", "SKU00"]], "fields": ["default_code"],
        "order": "default_code desc, id", "limit": 2, "offset": 1,
    });
    assert_eq!(names(window).await, ["SKU00498", "SKU00497"]);
    let body = json!({"domain": [["default_code", "=", "SKU00002"]], "fields": ["name", "barcode", "tracking", "uom_id"]});
    let mut found = odoo.ask("product.product", "search_read", body).await;
    found[0].as_object_mut().unwrap().remove("id");
    assert_eq!(
        found,
        json!([{"name": "Item 2", "barcode": "4000000000020", "tracking": "none", "uom_id": [1, "Units"]}])
    );
    let later = json!({"domain": [["write_date", ">", "2099-01-01 00:00:00"]]});
    assert_eq!(
        odoo.ask("product.product", "search", later).await,
        json!([])
    );
    let body = json!({"domain": [["barcode", "=", "LOC-BIN-0007"]], "fields": ["name", "complete_name", "usage"]});
    let mut found = odoo.ask("stock.location", "search_read", body).await;
    found[0].as_object_mut().unwrap().remove("id");
    assert_eq!(
        found,
        json!([{"name": "BIN-0007", "complete_name": "WH/Stock/BIN-0007", "usage": "internal"}])
    );
}

async fn archived_products_are_left_out_unless_asked_for(odoo: Target) {
    let barcode = fresh("T");
    let product = odoo.new_product(&barcode, "none").await;
    odoo.admin(
        "product.product",
        "write",
        json!({"ids": [product], "vals": {"active": false}}),
    )
    .await;
    let here = json!({"domain": [["barcode", "=", barcode]]});
    assert_eq!(odoo.ask("product.product", "search", here).await, json!([]));
    let all = json!({"domain": [["barcode", "=", barcode]], "context": {"active_test": false}});
    assert_eq!(
        odoo.ask("product.product", "search", all).await,
        json!([product])
    );
    let named = json!({"domain": [["barcode", "=", barcode], ["active", "in", [true, false]]]});
    assert_eq!(
        odoo.ask("product.product", "search", named).await,
        json!([product])
    );
}
