//! Odoo 17 and 18 refuse a validation with a backorder by a user without an e-mail address.

use serde_json::{Value, json};
use stockrelay::config;
use stockrelay::view::check;

use super::server::Older;

fn asked(model: &str, method: &str, email: &Value) -> Value {
    match (model, method) {
        ("res.users", "context_get") => json!({"uid": 7, "lang": "en_US"}),
        ("res.users", "read") => json!([{"id": 7, "email": email}]),
        ("stock.warehouse", "search_read") => json!([
            {"id": 1, "company_id": 1, "int_type_id": 3, "in_type_id": 1, "out_type_id": 2},
        ]),
        ("stock.picking.type", "search_read") => json!([
            {"id": 3, "active": true, "name": "Internal", "code": "internal", "create_backorder": "ask",
             "default_location_src_id": 8, "default_location_dest_id": 8},
        ]),
        ("stock.location", "search_read") => json!([{"id": 4}]),
        (_, "check_access_rights" | "has_access") => json!(true),
        (_, "search_count") => json!(3),
        (_, "fields_get") => json!({}),
        ("res.users.apikeys", "search_read") => json!([]),
        other => panic!("{other:?}"),
    }
}

fn without(model: &str, method: &str) -> Value {
    asked(model, method, &json!(false))
}

fn with(model: &str, method: &str) -> Value {
    asked(model, method, &json!("gateway@example.com"))
}

#[tokio::test]
async fn check_warns_of_a_user_without_an_e_mail_address() {
    for version in ["17.0", "18.0"] {
        let said = async |answers| {
            let odoo = Older::start(version, answers).await;
            let found = check::odoo(&odoo.config, &config::Orders::default()).await;
            let said: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert!(
                !said.iter().any(|line| line.starts_with("FAIL")),
                "{said:?}"
            );
            said.into_iter()
                .filter(|line| line.contains("e-mail address"))
                .collect::<Vec<_>>()
        };
        let said_without = said(without as fn(&str, &str) -> Value).await;
        assert!(
            said_without[0].starts_with("warn") && said_without[0].contains(version),
            "{said_without:?}"
        );
        assert_eq!(said(with).await, [""; 0]);
    }
}
