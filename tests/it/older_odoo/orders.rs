//! Calls about an order that an older Odoo refuses on a finished picking.

use serde_json::{Value, json};
use stockrelay::forward::odoo::order::SeenPicking;
use stockrelay::forward::order::{LotRef, Row};
use stockrelay::outcome::Failure;

use super::server::{Older, refused};

fn picking() -> SeenPicking {
    SeenPicking {
        id: 5,
        picking_type: 2,
        from: 8,
        to: 9,
        ..SeenPicking::default()
    }
}

const FINISHED: &str = "You cannot change the Scheduled Date on a done or cancelled transfer.";

fn finished(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "read") => {
            json!([{"id": 5, "scheduled_date": "2026-11-24 06:00:00"}])
        }
        ("stock.picking", "load") => json!({"ids": false, "messages": [
            {"type": "error", "message": FINISHED, "rows": {"from": 0, "to": 0}, "record": 0},
        ]}),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lines_are_added_so_that_a_finished_order_refuses_them_in_each_version() {
    let picking = picking();
    let row = Row {
        external_id: "ml_x_0".to_owned(),
        product: 1,
        unit: 1,
        quantity: 3.into(),
        from: 8,
        to: 9,
        move_id: Some(31),
        lot: LotRef::None,
        package: None,
        into: None,
        owner: None,
    };
    let seventeen = Older::start("17.0", finished).await;
    let taken = seventeen
        .client()
        .add_lines(&picking, std::slice::from_ref(&row))
        .await;
    assert_eq!(taken, Err(Failure::person(FINISHED)));
    let calls = seventeen.calls();
    assert_eq!(
        calls[2],
        json!(["stock.picking", "read", [[5]],
            {"fields": ["scheduled_date"], "context": {"lang": "en_US"}}])
    );
    let (columns, row_sent) = (&calls[3][2][0], &calls[3][2][1][0]);
    assert_eq!(columns[0], ".id");
    assert_eq!(columns[1], "scheduled_date");
    assert_eq!(columns[2], "move_line_ids/id");
    assert_eq!(row_sent[1], "2026-11-24 06:00:00");
    assert_eq!(row_sent[2], "stockrelay.ml_x_0");
    assert_eq!(calls[3][3]["context"]["tz"], "UTC");

    let eighteen = Older::start("18.0", finished).await;
    let taken = eighteen.client().add_lines(&picking, &[row]).await;
    assert_eq!(taken, Err(Failure::person(FINISHED)));
    assert_eq!(eighteen.calls()[2][2][0][1], "picking_type_id/.id");
}

const FORBIDDEN: &str = "You are not allowed to access 'Journal Entry' (account.move) records.";

/// Odoo 17 forbids a write on a done picking, because it would enter into the accounts.
fn done_and_forbidden(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "read") => json!([
            {"id": 5, "scheduled_date": "2026-11-24 06:00:00", "state": "done"},
        ]),
        ("stock.picking", "write" | "load") => refused("odoo.exceptions.AccessError", FORBIDDEN),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn on_a_done_picking_a_forbidden_call_is_about_its_state_and_not_about_rights() {
    let odoo = Older::start("17.0", done_and_forbidden).await;
    let mut client = odoo.client();
    let picking = picking();
    let finished = Err(Failure::person(FORBIDDEN));
    let reduced = client.reduce_lines(&picking, &[(41, 2.into())]).await;
    assert_eq!(reduced, finished);
    let calls = odoo.calls();
    let last = json!(["stock.picking", "read", [[5]],
        {"fields": ["state"], "context": {"lang": "en_US"}}]);
    assert_eq!(calls.last(), Some(&last));
    assert_eq!(client.add_lines(&picking, &[]).await, finished);
    assert_eq!(client.pack_lines(&picking, &[41], 3).await, finished);
    let guarded = client.guard_validation(&picking, &[41], &[], &[42]).await;
    assert_eq!(guarded, finished);
}

/// The same on an open picking, by a user who has no rights at all.
fn open_and_forbidden(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "read") => json!([
            {"id": 5, "scheduled_date": "2026-11-24 06:00:00", "state": "assigned"},
        ]),
        (_, "check_access_rights") => json!(model != "stock.move.line"),
        _ => done_and_forbidden(model, method),
    }
}

/// The same by a user with the rights of *Inventory / User*.
fn open_and_forbidden_by_a_rule(model: &str, method: &str) -> Value {
    match method {
        "check_access_rights" => json!(true),
        _ => open_and_forbidden(model, method),
    }
}

#[tokio::test]
async fn on_an_open_picking_a_forbidden_call_is_about_rights() {
    let picking = picking();
    let odoo = Older::start("17.0", open_and_forbidden).await;
    let mut client = odoo.client();
    let reduced = client.reduce_lines(&picking, &[(41, 2.into())]).await;
    let failure = reduced.unwrap_err();
    assert!(matches!(failure, Failure::Stop { .. }), "{failure:?}");
    assert!(
        failure.to_string().contains("create stock.move.line"),
        "{failure}"
    );
    let odoo = Older::start("17.0", open_and_forbidden_by_a_rule).await;
    let mut client = odoo.client();
    let reduced = client.reduce_lines(&picking, &[(41, 2.into())]).await;
    let forbidden = Failure::person(format!("Odoo forbids it: {FORBIDDEN}"));
    assert_eq!(reduced, Err(forbidden));
}
