//! Open orders with the work on them, names of codes, and the log.

use serde_json::json;
use stockrelay::catalog::Catalog;
use stockrelay::document::{DocumentKey, Purpose};
use stockrelay::event::Seq;
use stockrelay::odoo::{Direction, Kind, Order, OrderLine, PickingState, Row};
use stockrelay::odoo_id::{LocationId, PickingId, ProductId};

use super::Served;
use crate::floor::transfer;

pub(super) fn row(id: i64, name: &str, barcode: &str) -> Row {
    Row {
        id,
        active: true,
        display_name: Some(name.to_owned()),
        barcode: Some(barcode.to_owned()),
        ..Row::default()
    }
}

pub(super) fn order(id: i64, name: &str, scheduled: &str) -> Order {
    Order {
        id: PickingId::new(id),
        name: name.to_owned(),
        origin: None,
        kind: Direction::Outgoing,
        state: PickingState::Assigned,
        partner: Some("Acme".to_owned()),
        scheduled: Some(scheduled.to_owned()),
        backorder_of: None,
        lines: vec![OrderLine {
            product: ProductId::new(10),
            demand: 5.0,
            unit: None,
            picked: 2.0,
            from: Some(LocationId::new(5)),
            to: None,
            lot: None,
        }],
        cut: false,
    }
}

#[tokio::test]
async fn open_orders_name_who_worked_on_them_and_codes_have_names() {
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "x").unwrap();
    copy.apply(Kind::Product, &[row(10, "Chair", "400")])
        .unwrap();
    copy.apply(Kind::Location, &[row(5, "WH/A", "A")]).unwrap();
    let late = order(51, "WH/OUT/2", "2026-11-26 08:00:00");
    copy.put_orders(&[late, order(50, "WH/OUT/1", "2026-11-25 08:00:00")])
        .unwrap();
    let served = Served::with_copy(Some(copy));
    let inbox = served.journal.inbox();
    inbox
        .append(vec![Ok(transfer("pda-1", "e1", "400", "A", "B", 1))])
        .await
        .unwrap();
    let mut document = served.document(1);
    document.purpose = Purpose::Pick {
        order: "WH/OUT/1".to_owned(),
    };
    document.key = DocumentKey::of(
        &crate::floor::name("ams1"),
        &[served.journal.event(Seq::new(1)).unwrap().unwrap()],
    );
    inbox
        .seal(vec![document], Vec::new(), Seq::ZERO)
        .await
        .unwrap();

    let page = served.get("/v1/orders?limit=1").await;
    assert_eq!(
        (&page["total"], &page["next"], &page["more"]),
        (&json!(2), &json!(1), &json!(true))
    );
    let first = &page["orders"][0];
    assert_eq!(first["name"], "WH/OUT/1");
    let line = json!({
        "product": "400", "name": "Chair", "demand": 5, "picked": 2, "from": "A", "to": null
    });
    assert_eq!(first["lines"], json!([line]));
    let work = &first["work"][0];
    assert_eq!(
        (&work["who"], &work["quantity"]),
        (&json!("pda-1"), &json!(1))
    );
    let page = served.get("/v1/orders?after=1").await;
    assert_eq!(page["orders"][0]["name"], "WH/OUT/2");
    assert_eq!(
        (&page["orders"][0]["work"], &page["more"]),
        (&json!([]), &json!(false))
    );

    let names = served.get("/v1/names?code=400&code=A&code=nothing").await;
    let name = |code: &str, kind: Option<&str>, name: Option<&str>| json!({ "code": code, "kind": kind, "name": name });
    let expected = json!([
        name("400", Some("product"), Some("Chair")),
        name("A", Some("location"), Some("WH/A")),
        name("nothing", None, None)
    ]);
    assert_eq!(names["names"], expected);
    let (status, problem) = served.refused("/v1/names?kode=400").await;
    assert_eq!(
        (status, problem["remedy"].as_str().unwrap().contains("code")),
        (400, true)
    );
    // Other tests of this process may log, too.
    let log = served.get("/v1/log?limit=3").await;
    assert!(log["lines"].as_array().unwrap().len() <= 3);
    served.stop().await;
}

#[tokio::test]
async fn without_a_copy_there_are_no_orders_and_no_names() {
    let served = Served::start();
    assert_eq!(served.get("/v1/orders").await["orders"], json!([]));
    let names = served.get("/v1/names?code=400").await;
    assert_eq!(names["names"][0]["name"], json!(null));
    // An alarm has the time at which it was raised.
    served.board.alarm("anonymous", Some("Look.".to_owned()));
    let status = served.get("/v1/status").await;
    let first = status["alarms_since"]["anonymous"].clone();
    assert!(first.is_string(), "{status}");
    served
        .board
        .alarm("anonymous", Some("Look again.".to_owned()));
    assert_eq!(
        served.get("/v1/status").await["alarms_since"]["anonymous"],
        first
    );
    served.board.alarm("anonymous", None);
    assert!(served.get("/v1/status").await.get("alarms_since").is_none());
    served.stop().await;
}
