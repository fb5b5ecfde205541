//! Calls about an order that an older Odoo refuses on a finished picking.

use serde_json::{Value, json};
use stockrelay::odoo::LotRef;
use stockrelay::odoo::order::SeenPicking;
use stockrelay::odoo::order::{OrderRow, Shipment};
use stockrelay::odoo_id::{
    LocationId, MoveId, MoveLineId, PackageId, PickingId, PickingTypeId, ProductId, UnitId,
};
use stockrelay::outcome::Failure;

use super::server::{Older, refused};

fn picking() -> SeenPicking {
    SeenPicking {
        id: PickingId::new(5),
        picking_type: PickingTypeId::new(2),
        from: LocationId::new(8),
        to: LocationId::new(9),
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
    let row = OrderRow {
        external_id: "ml_x_0".to_owned(),
        product: ProductId::new(1),
        unit: UnitId::new(1),
        quantity: 3.into(),
        from: LocationId::new(8),
        to: LocationId::new(9),
        move_id: Some(MoveId::new(31)),
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
    let reduced = client
        .reduce_lines(&picking, &[(MoveLineId::new(41), 2.into())])
        .await;
    assert_eq!(reduced, finished);
    let calls = odoo.calls();
    let last = json!(["stock.picking", "read", [[5]],
        {"fields": ["state"], "context": {"lang": "en_US"}}]);
    assert_eq!(calls.last(), Some(&last));
    assert_eq!(client.add_lines(&picking, &[]).await, finished);
    assert_eq!(
        client
            .pack_lines(&picking, &[MoveLineId::new(41)], PackageId::new(3))
            .await,
        finished
    );
    let guarded = client
        .guard_validation(
            &picking,
            &[MoveLineId::new(41)],
            &[],
            &[MoveLineId::new(42)],
        )
        .await;
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
    let reduced = client
        .reduce_lines(&picking, &[(MoveLineId::new(41), 2.into())])
        .await;
    let failure = reduced.unwrap_err();
    assert!(matches!(failure, Failure::Stop { .. }), "{failure:?}");
    assert!(
        failure.to_string().contains("create stock.move.line"),
        "{failure}"
    );
    let odoo = Older::start("17.0", open_and_forbidden_by_a_rule).await;
    let mut client = odoo.client();
    let reduced = client
        .reduce_lines(&picking, &[(MoveLineId::new(41), 2.into())])
        .await;
    let forbidden = Failure::person(format!("Odoo forbids the call: {FORBIDDEN}"));
    assert_eq!(reduced, Err(forbidden));
}

/// Odoo 17 and 18 compute the weight of a shipment, and forget one that is written.
fn delivery(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "fields_get") => json!({"carrier_tracking_ref": {"type": "char"}}),
        ("stock.picking", "web_read") => json!([
            {"id": 5, "name": "WH/OUT/5", "state": "done", "carrier_tracking_ref": "1Z9",
             "note": "<p>Parcels: 2</p><p>Weight: 2.5 kg</p>", "move_ids": [], "move_line_ids": []},
        ]),
        ("stock.picking", "write") => json!(true),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_weight_of_a_shipment_is_told_in_the_note() {
    let odoo = Older::start("18.0", delivery).await;
    let mut client = odoo.client();
    let shipment = Shipment {
        carrier_ref: Some("1Z9".to_owned()),
        weight_kg: Some("2.5".parse().unwrap()),
        parcels: Some(2),
    };
    let note = picking_to_ship().extend_note(&shipment).unwrap();
    client
        .ship(PickingId::new(5), &shipment, Some(&note))
        .await
        .unwrap();
    let calls = odoo.calls();
    let asked = &calls[2][3]["allfields"];
    assert_eq!(asked, &json!(["carrier_tracking_ref"]));
    let written = json!([[5], {"note": note, "carrier_tracking_ref": "1Z9"}]);
    assert_eq!(calls[3][2], written);
    // As after a lost answer.
    let seen = client.seen(&[PickingId::new(5)]).await.unwrap();
    assert!(seen[0].says(&shipment), "{seen:?}");
    assert_eq!(seen[0].extend_note(&shipment), None);
    let read = odoo.calls()[0][3]["specification"].to_string();
    assert!(!read.contains("shipping_weight"), "{read}");
}

fn picking_to_ship() -> SeenPicking {
    SeenPicking {
        forgets_weight: true,
        ..picking()
    }
}
