//! Edits of parked documents.

use super::{Served, own_name, refused, seqs};
use crate::floor::transfer;
use serde_json::json;
use stockrelay::document::{Document, Purpose};
use stockrelay::event::{Action, Event, Goods, Move, Movement, Seq};
use stockrelay::view::snapshot::Status;

#[tokio::test]
async fn a_corrected_document_takes_the_place_of_the_parked_one() {
    let served = Served::start();
    served.fill().await;
    let before = served.get("/v1/parked/2").await;
    let body = json!({
        "by": "anna", "reason": "label fell off",
        "lines": [{"line": 1, "from": "LOC-A", "lot": "L1", "quantity": "2.5"}]
    });
    let answer = served.post("/v1/parked/2/edit", body).await.unwrap();
    let new = &answer["document"];
    assert_eq!(
        (&new["number"], &new["state"], &answer["replaces"]),
        (&json!(5), &json!("waiting"), &json!(2))
    );
    assert_eq!((&new["corrects"], &new["events"]), (&json!(2), &json!(1)));
    assert_ne!(new["key"], before["document"]["key"]);
    assert_eq!(new["occurred"], before["document"]["occurred"]);
    assert_eq!(
        new["lines"],
        json!([{"product": "P", "quantity": 2.5, "from": "LOC-A", "to": "B", "lot": "L1", "package": null, "seqs": [2]}])
    );
    let what = "line 1: from LOC-A instead of A, line 1: lot L1, line 1: quantity 2.5 instead of 1: label fell off";
    let step = answer["audit"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(step["by"], format!("user:{}", own_name()));
    assert!(step["note"].as_str().unwrap().contains(what), "{step}");

    let old = served.get("/v1/parked/2").await;
    assert_eq!(old["document"]["state"], "replaced");
    assert_eq!(
        old["document"]["reason"],
        json!({"code": "replaced", "message": "label fell off"})
    );
    assert_eq!(old["document"]["lines"], before["document"]["lines"]);
    assert_eq!(
        (&old["replaced_by"], &old["choices"]),
        (&json!(5), &json!([]))
    );
    let step = old["audit"].as_array().unwrap().last().unwrap().clone();
    assert!(step["note"].as_str().unwrap().starts_with(what), "{step}");
    assert_eq!(step["by"], format!("user:{}", own_name()));

    // The event is in the new one alone, and the numbers add up.
    assert_eq!(seqs(&served.get("/v1/events?state=waiting").await), [2, 4]);
    let status: Status = serde_json::from_value(served.get("/v1/status").await).unwrap();
    let (events, documents) = (status.events, status.documents);
    assert_eq!((events.stored, events.parked, events.waiting), (6, 1, 2));
    assert_eq!(
        events.stored,
        events.open + events.on_the_way() + events.posted + events.parked + events.no_document
    );
    assert_eq!((documents.sealed(), documents.newest.get()), (4, 5));
    let page = served.get("/v1/documents?state=replaced").await;
    assert_eq!(page["documents"][0]["number"], 2);

    // From wherever one comes, the trace has the whole chain.
    let old_key = before["document"]["key"].as_str().unwrap();
    let new_key = new["key"].as_str().unwrap();
    for (id, earlier, this, later) in [("e2", 1, 5, 0), (new_key, 1, 5, 0), (old_key, 0, 2, 1)] {
        let trace = served.get(&format!("/v1/trace/{id}")).await;
        let number = |list: &str| trace[list].as_array().map_or(0, Vec::len);
        assert_eq!(
            (
                number("earlier"),
                &trace["document"]["number"],
                number("later")
            ),
            (earlier, &json!(this), later),
            "{id}"
        );
    }

    let (status, refusal) = refused(
        served
            .post(
                "/v1/parked/2/edit",
                json!({"reason": "again", "lines": [{"line": 1, "to": "C"}]}),
            )
            .await,
    );
    assert_eq!(status, 409, "{refusal}");
    served.stop().await;
}

#[tokio::test]
async fn what_an_earlier_version_sealed_without_lines_is_edited_by_its_event() {
    let served = Served::start();
    let pick = Event {
        action: Action::Move(Move {
            order: Some("S1".to_owned()),
            ..Move::new(
                Movement::Pick,
                Goods {
                    product: "P".to_owned(),
                    quantity: 2.into(),
                    ..Goods::default()
                },
            )
        }),
        ..transfer("pda-1", "e1", "P", "A", "B", 1)
    };
    let inbox = served.journal.inbox();
    inbox.append(vec![Ok(pick)]).await.unwrap();
    let document = Document {
        purpose: Purpose::Unsupported {
            kind: "pick".to_owned(),
        },
        lines: Vec::new(),
        ..served.document(1)
    };
    inbox
        .seal(vec![document], vec![], Seq::new(1))
        .await
        .unwrap();
    served.park(1, "unsupported-type").await;
    let shown = &served.get("/v1/parked/1").await["document"];
    assert_eq!(
        (&shown["order"], &shown["lines"][0]["product"]),
        (&json!("S1"), &json!("P"))
    );
    let body = json!({"reason": "x", "order": "S2", "lines": [{"line": 1, "from": "A"}]});
    let answer = served.post("/v1/parked/1/edit", body).await.unwrap();
    let new = &answer["document"];
    assert_eq!(
        (&new["purpose"], &new["order"], &new["lines"][0]["from"]),
        (&json!("pick"), &json!("S2"), &json!("A"))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_correction_that_is_not_understood_changes_nothing() {
    let served = Served::start();
    served.fill().await;
    for (body, named) in [
        (json!({"lines": [{"line": 1, "to": "C"}]}), "reason"),
        (json!({"reason": "x"}), "the edit changes nothing"),
        (json!({"reason": "x", "colour": "red"}), "colour"),
        (
            json!({"reason": "x", "lines": [{"line": 1, "colour": "red"}]}),
            "colour",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 2, "to": "C"}]}),
            "line 2",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "quantity": -1}]}),
            "quantity",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "quantity": 0}]}),
            "no line",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "to": null}]}),
            "to cannot be",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "expiry": "2027-01-01"}]}),
            "no expiry",
        ),
        (json!({"reason": "x", "order": "S1"}), "order"),
    ] {
        let (status, refusal) = refused(served.post("/v1/parked/2/edit", body.clone()).await);
        assert_eq!(status, 400, "{body}: {refusal}");
        let error = refusal["error"].as_str().unwrap();
        assert!(error.contains(named), "{body}: {error}");
    }
    let detail = served.get("/v1/parked/2").await;
    assert_eq!(detail["document"]["state"], "parked");
    assert_eq!(detail["audit"].as_array().unwrap().len(), 3);
    let (status, _) = refused(
        served
            .post("/v1/parked/1/edit", json!({"reason": "posted already"}))
            .await,
    );
    assert_eq!(status, 409);
    served.stop().await;
}

#[tokio::test]
async fn what_was_cancelled_in_odoo_is_made_again_as_it_was() {
    let served = Served::start();
    served.fill().await;
    served.park(4, "cancelled-in-odoo").await;
    let again = json!({"reason": "cancelled by mistake"});
    let answer = served.post("/v1/parked/4/edit", again).await.unwrap();
    assert_eq!(
        (&answer["replaces"], &answer["document"]["state"]),
        (&json!(4), &json!("waiting"))
    );
    let note = &answer["audit"][0]["note"];
    assert!(
        note.as_str()
            .unwrap()
            .contains("as it was: cancelled by mistake"),
        "{note}"
    );
    served.stop().await;
}
