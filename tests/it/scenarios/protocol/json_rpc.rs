//! `/jsonrpc`, for Odoo 17 and 18, held against 19's: it answers 200 to everything.

use serde_json::{Value, json};

use super::{COLUMNS, Site, create_if_absent, no_wizards};
use crate::scenarios::target::{Target, fresh};

on_both!(
    a_key_is_a_password,
    models_answer_as_by_json_2,
    errors_come_with_200,
);

impl Target {
    pub async fn rpc(&self, service: &str, method: &str, args: Value) -> Value {
        let params = json!({"service": service, "method": method, "args": args});
        let body = json!({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params});
        let body = body.to_string();
        let answer = self.send_to(&self.url, "", "", "/jsonrpc", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn uid(&self) -> i64 {
        let args = json!([self.database, "gateway", self.api_key, {}]);
        let answer = self.rpc("common", "authenticate", args).await;
        answer["result"]
            .as_i64()
            .unwrap_or_else(|| panic!("{answer}"))
    }

    pub async fn execute(&self, model: &str, method: &str, args: Value, keywords: Value) -> Value {
        let args = json!([
            self.database,
            self.uid().await,
            self.api_key,
            model,
            method,
            args,
            keywords
        ]);
        self.rpc("object", "execute_kw", args).await
    }
}

async fn a_key_is_a_password(odoo: Target) {
    let version = odoo.rpc("common", "version", json!([])).await;
    assert_eq!(version["result"]["server_version_info"][0], 19, "{version}");
    let who = odoo.ask("res.users", "context_get", json!({})).await;
    assert_eq!(who["uid"], odoo.uid().await);
    let args = json!([odoo.database, "gateway", "not-a-key", {}]);
    assert_eq!(
        odoo.rpc("common", "authenticate", args).await["result"],
        false
    );
}

async fn models_answer_as_by_json_2(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let row = site.row(&fresh("pk_"), product, "3", 0, 1);
    let keywords = json!({"context": create_if_absent()});
    let loaded = site
        .odoo
        .execute("stock.picking", "load", json!([COLUMNS, [row]]), keywords)
        .await;
    let id = loaded["result"]["ids"][0]
        .as_i64()
        .unwrap_or_else(|| panic!("{loaded}"));
    assert_eq!(site.loaded(&[row]).await, [id], "the same external id");
    let done = site
        .odoo
        .execute(
            "stock.picking",
            "button_validate",
            json!([[id]]),
            json!({"context": no_wizards()}),
        )
        .await;
    assert_eq!(done["result"], true, "{done}");
    let wanted =
        json!({"specification": {"state": {}, "move_line_ids": {"fields": {"quantity": {}}}}});
    let read = site
        .odoo
        .execute("stock.picking", "web_read", json!([[id]]), wanted.clone())
        .await;
    assert_eq!(read["result"][0]["state"], "done");
    assert_eq!(read["result"][0]["move_line_ids"][0]["quantity"], 3.0);
    let values = json!([[id], [{"date_done": "2026-11-20 01:02:03"}]]);
    let saved = site
        .odoo
        .execute("stock.picking", "web_save_multi", values, wanted)
        .await;
    assert_eq!(saved["result"][0]["id"], id);
    let found = site
        .odoo
        .execute(
            "stock.picking",
            "search_read",
            json!([[["id", "=", id]]]),
            json!({"fields": ["date_done"]}),
        )
        .await;
    assert_eq!(found["result"][0]["date_done"], "2026-11-20 01:02:03");
}

async fn errors_come_with_200(odoo: Target) {
    let error = |answer: &Value| {
        assert_eq!(answer["error"]["message"], "Odoo Server Error", "{answer}");
        assert!(answer["error"]["data"]["debug"].is_string());
        answer["error"]["data"]["name"].as_str().unwrap().to_owned()
    };
    let ask = async |model: &str, method: &str, args: Value, keywords: Value| {
        error(&odoo.execute(model, method, args, keywords).await)
    };
    assert_eq!(
        ask("stock.picking", "_action_done", json!([[1]]), json!({})).await,
        "odoo.exceptions.AccessError"
    );
    assert_eq!(
        ask("stock.picking", "nonsense", json!([[1]]), json!({})).await,
        "builtins.AttributeError"
    );
    assert_eq!(
        ask("no.such.model", "read", json!([[1]]), json!({})).await,
        "odoo.exceptions.UserError"
    );
    assert_eq!(
        ask(
            "stock.picking",
            "search_read",
            json!([[["nofield", "=", 1]]]),
            json!({})
        )
        .await,
        "builtins.ValueError"
    );
    assert_eq!(
        ask("stock.picking", "write", json!([[1]]), json!({})).await,
        "builtins.TypeError"
    );
    assert_eq!(
        ask(
            "stock.picking",
            "button_validate",
            json!([[99_999_999]]),
            json!({})
        )
        .await,
        "odoo.exceptions.MissingError"
    );
    let uid = odoo.uid().await;
    let args = json!([
        odoo.database,
        uid,
        "not-a-key",
        "stock.picking",
        "search",
        [[]]
    ]);
    assert_eq!(
        error(&odoo.rpc("object", "execute_kw", args).await),
        "odoo.exceptions.AccessDenied"
    );
    let args = json!([
        "no_such_database",
        uid,
        odoo.api_key,
        "stock.picking",
        "search",
        [[]]
    ]);
    assert_eq!(
        error(&odoo.rpc("object", "execute_kw", args).await),
        "psycopg2.OperationalError"
    );
}
