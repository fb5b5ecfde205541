//! Decisions about parked documents: retry and discard.

use super::{Served, moved, own_name, refused};
use crate::floor::transfer;
use serde_json::{Value, json};
use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::Seq;
use stockrelay::view::client::Client;
use stockrelay::view::snapshot::Status;

#[tokio::test]
async fn a_decision_holds_once_and_names_its_person() {
    let served = Served::start();
    served.fill().await;
    let key = served.get("/v1/parked/2").await["document"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/parked/{}/retry", &key[..8]);
    let answer = served
        .post(&path, json!({"by": "anna", "reason": "product made"}))
        .await
        .unwrap();
    assert_eq!(answer["document"]["state"], "waiting");
    let step = answer["audit"].as_array().unwrap().last().unwrap();
    assert_eq!(step["by"], format!("user:{}", own_name()));
    assert!(
        step["note"].as_str().unwrap().contains("product made"),
        "{step}"
    );

    let again = served.post("/v1/parked/2/retry", json!({})).await;
    let (status, refusal) = refused(again);
    assert_eq!(status, 409);
    assert!(
        refusal["error"].as_str().unwrap().contains("waiting"),
        "{refusal}"
    );

    let (status, _) = refused(
        served
            .post("/v1/parked/3/discard", json!({"reason": " "}))
            .await,
    );
    assert_eq!(status, 400);
    let answer = served
        .post("/v1/parked/3/discard", json!({"reason": "counted by hand"}))
        .await
        .unwrap();
    assert_eq!(answer["document"]["state"], "discarded");
    assert_eq!(answer["document"]["reason"]["message"], "counted by hand");
    let status: Status = serde_json::from_value(served.get("/v1/status").await).unwrap();
    let events = status.events;
    assert_eq!(
        (events.parked, events.waiting, events.no_document),
        (0, 2, 2)
    );
    assert_eq!(
        events.stored,
        events.open + events.on_the_way() + events.posted + events.parked + events.no_document
    );
    served.stop().await;
}

#[tokio::test]
async fn a_retry_answers_what_the_reason_asks_and_nothing_else() {
    let served = Served::start();
    served.fill().await;
    served.park(4, "under-picked").await;
    let detail = served.get("/v1/parked/4").await;
    let actions: Vec<_> = (detail["choices"].as_array().unwrap().iter())
        .map(|choice| {
            assert!(!choice["what"].as_str().unwrap().is_empty(), "{choice}");
            choice["action"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        actions,
        [
            "retry with backorder",
            "retry with no-backorder",
            "edit",
            "discard"
        ]
    );
    for (id, with, remedy) in [
        ("4", "allow", "backorder or no-backorder"),
        ("4", "", "backorder or no-backorder"),
        ("2", "allow", "takes no answer"),
    ] {
        let path = format!("/v1/parked/{id}/retry");
        let (status, refusal) = refused(served.post(&path, json!({"with": with})).await);
        assert_eq!(status, 400);
        assert!(
            refusal["remedy"].as_str().unwrap().contains(remedy),
            "{refusal}"
        );
    }
    let (status, _) = refused(
        served
            .post(
                "/v1/parked/4/discard",
                json!({"reason": "x", "with": "allow"}),
            )
            .await,
    );
    assert_eq!(status, 400);
    let answer = served
        .post("/v1/parked/4/retry", json!({"with": "backorder"}))
        .await
        .unwrap();
    assert_eq!(
        (
            &answer["document"]["state"],
            &answer["document"]["decision"]
        ),
        (&json!("waiting"), &json!("backorder"))
    );
    let step = answer["audit"].as_array().unwrap().last().unwrap();
    assert!(
        step["note"].as_str().unwrap().contains("with backorder"),
        "{step}"
    );
    // It holds for later tries as well.
    served.park(4, "under-picked").await;
    let answer = served.post("/v1/parked/4/retry", json!({})).await.unwrap();
    assert_eq!(answer["document"]["decision"], "backorder");
    served.stop().await;
}

#[tokio::test]
async fn all_of_one_reason_are_tried_again_page_by_page() {
    let served = Served::start();
    let inbox = served.journal.inbox();
    let many = (1..=1_201)
        .map(|n| Ok(transfer("pda-1", &format!("e{n}"), "P", "A", "B", n)))
        .collect();
    inbox.append(many).await.unwrap();
    let documents = (1..=1_201).map(|seq| served.document(seq)).collect();
    inbox.seal(documents, vec![], Seq::ZERO).await.unwrap();
    let parked = (1..=1_201)
        .map(|number| moved(number, State::Waiting, State::Parked))
        .collect();
    inbox.change(parked).await.unwrap();
    served.post("/v1/parked/7/retry", json!({})).await.unwrap();
    served.park(7, "odoo-refused").await;

    for (body, named) in [
        (json!({}), "code"),
        (
            json!({"code": "unknown-product", "with": "allow"}),
            "unknown-product",
        ),
        (json!({"code": "unknown-product", "id": 1}), "id"),
    ] {
        let (status, refusal) = refused(served.post("/v1/parked/retry", body).await);
        assert_eq!(status, 400);
        assert!(
            refusal["error"].as_str().unwrap().contains(named),
            "{refusal}"
        );
    }
    let mut body = json!({"code": "unknown-product", "by": "anna", "reason": "made it"});
    let mut each = Vec::new();
    loop {
        let done = served.post("/v1/parked/retry", body.clone()).await.unwrap();
        each.push(done["retried"].as_u64().unwrap());
        // What is parked again meanwhile lies behind.
        served.park(1, "unknown-product").await;
        if done["more"] == false {
            break;
        }
        body["after"] = done["next"].clone();
    }
    assert_eq!(each, [500, 500, 200]);
    let parked = served.get("/v1/parked").await;
    let numbers: Vec<_> = (parked["parked"].as_array().unwrap().iter())
        .map(|document| document["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 7]);
    let audit = &served.get("/v1/parked/1201").await["audit"];
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(last["by"], format!("user:{}", own_name()));
    assert_eq!(
        refused(
            Client::new(&served.socket())
                .get::<Value>("/v1/parked/retry")
                .await
        )
        .0,
        405
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_decide_at_once_one_does() {
    let served = Served::start();
    served.fill().await;
    let mut deciding = tokio::task::JoinSet::new();
    for n in 0..8 {
        let client = Client::new(&served.socket());
        deciding.spawn(async move {
            let (path, body) = match n % 3 {
                0 => ("/v1/parked/2/retry", json!({})),
                1 => (
                    "/v1/parked/2/edit",
                    json!({"reason": "one of many", "lines": [{"line": 1, "to": "C"}]}),
                ),
                _ => ("/v1/parked/2/discard", json!({"reason": "one of many"})),
            };
            client.post::<Value>(path, &body).await
        });
    }
    let answers = deciding.join_all().await;
    let (made, not): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(not.into_iter().all(|answer| refused(answer).0 == 409));
    let audit = &served.get("/v1/parked/2").await["audit"];
    assert!(served.journal.newest_document().unwrap() <= DocumentNumber::new(5));
    assert_eq!(
        audit.as_array().unwrap().len(),
        4,
        "sealed, sent, parked, decided once"
    );
    served.stop().await;
}
