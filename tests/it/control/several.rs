//! Decisions about several parked documents, and the undoing of a discard.

use super::{Served, moved, own_name, refused, seqs};
use serde_json::{Value, json};
use stockrelay::document::{DocumentKey, State};
use stockrelay::view::snapshot::Status;

/// The ids of the documents that stayed as they were.
fn undecided(answer: &Value) -> Vec<String> {
    let undecided = answer["undecided"].as_array();
    let ids = undecided.into_iter().flatten();
    ids.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn several_marked_documents_take_one_decision_and_the_others_are_named() {
    let served = Served::start();
    served.fill().await;
    let key = served.get("/v1/parked/3").await["document"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    // By number, by key, twice, not parked, and unknown.
    let body = json!({"ids": ["2", key, 3, "1", "99"], "reason": "product made"});
    let answer = served.post("/v1/parked/retry", body).await.unwrap();
    assert_eq!(answer["retried"], 2, "{answer}");
    assert_eq!(undecided(&answer), ["1", "99"]);
    let state = served.get("/v1/parked/3").await["document"]["state"].clone();
    assert_eq!(state, "waiting");
    for number in [2, 3] {
        served.park(number, "unknown-product").await;
    }
    let body = json!({"ids": ["2", "3"], "reason": "a test"});
    let answer = served.post("/v1/parked/discard", body.clone()).await;
    assert_eq!(answer.unwrap()["discarded"], 2);
    let answer = served.post("/v1/parked/discard", body).await.unwrap();
    assert_eq!(answer["discarded"], 0);
    assert_eq!(undecided(&answer), ["2", "3"]);
    let audit = served.get("/v1/parked/2").await["audit"].clone();
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(last["by"], format!("user:{}", own_name()));
    assert!(last["note"].as_str().unwrap().contains("a test"), "{last}");
    served.stop().await;
}

#[tokio::test]
async fn all_of_one_reason_are_discarded() {
    let served = Served::start();
    served.fill().await;
    let body = json!({"code": "unknown-product", "reason": "a test"});
    let answer = served.post("/v1/parked/discard", body).await.unwrap();
    assert_eq!(
        (&answer["discarded"], &answer["more"]),
        (&json!(2), &json!(false))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_request_about_several_documents_is_refused_as_a_whole_if_it_is_unclear() {
    let served = Served::start();
    served.fill().await;
    let many: Vec<u64> = (1..=501).collect();
    for (path, body, named) in [
        ("/v1/parked/discard", json!({"ids": ["2"]}), "reason"),
        ("/v1/parked/discard", json!({"reason": "x"}), "ids"),
        (
            "/v1/parked/discard",
            json!({"ids": ["2"], "reason": "x", "with": "allow"}),
            "with",
        ),
        (
            "/v1/parked/retry",
            json!({"ids": ["2"], "code": "unknown-product"}),
            "exclude",
        ),
        ("/v1/parked/retry", json!({"ids": many}), "500"),
        ("/v1/parked/retry", json!({"ids": "2"}), "ids"),
    ] {
        let (status, refusal) = refused(served.post(path, body).await);
        assert_eq!(status, 400, "{refusal}");
        assert!(
            refusal["error"].as_str().unwrap().contains(named),
            "{refusal}"
        );
    }
    assert_eq!(seqs(&served.get("/v1/events?state=parked").await), [2, 3]);
    served.stop().await;
}

#[tokio::test]
async fn a_discard_is_undone_once_by_a_new_document_with_a_key_of_its_own() {
    let served = Served::start();
    served.fill().await;
    let why = json!({"reason": "counted by hand"});
    served.post("/v1/parked/2/discard", why).await.unwrap();
    let old = served.get("/v1/parked/2").await["document"].clone();

    let (status, _) = refused(served.post("/v1/documents/2/undiscard", json!({})).await);
    assert_eq!(status, 400, "a reason is needed");
    let why = json!({"reason": "moved after all", "by": "anna"});
    let answer = served.post("/v1/documents/2/undiscard", why.clone()).await;
    let answer = answer.unwrap();
    let new = &answer["document"];
    assert_eq!(
        (&new["number"], &new["state"], &answer["replaces"]),
        (&json!(5), &json!("waiting"), &json!(2))
    );
    assert_eq!(new["lines"], old["lines"]);
    assert_eq!(new["occurred"], old["occurred"]);
    let key: DocumentKey = old["key"].as_str().unwrap().parse().unwrap();
    assert_eq!(new["key"], key.undiscarded().to_string());
    assert_ne!(key.undiscarded(), key.corrected());
    let old = served.get("/v1/parked/2").await;
    assert_eq!(old["replaced_by"], new["number"]);
    for number in [2, 5] {
        let audit = served.get(&format!("/v1/parked/{number}")).await["audit"].clone();
        let last = audit.as_array().unwrap().last().unwrap();
        assert_eq!(last["by"], format!("user:{}", own_name()));
        let note = last["note"].as_str().unwrap();
        assert!(note.contains("undiscarded: moved after all"), "{note}");
        assert!(note.contains("anna"), "{note}");
    }
    // The event is in the new document alone, and the numbers add up.
    assert_eq!(seqs(&served.get("/v1/events?state=waiting").await), [2, 4]);
    let status: Status =
        serde_json::from_value(served.get("/v1/status?since=1970-01-01T00:00:00Z").await).unwrap();
    let window = status.window.unwrap().events;
    assert_eq!((status.events.discarded, window.discarded), (0, 0));
    assert_eq!((status.events.waiting, window.waiting), (2, 2));

    let (status, refusal) = refused(served.post("/v1/documents/2/undiscard", why.clone()).await);
    assert_eq!(status, 409);
    assert!(
        refusal["error"].as_str().unwrap().contains("replaced"),
        "{refusal}"
    );
    // The new document can be discarded, and that can be undone.
    served.park(5, "unknown-product").await;
    let discard = json!({"reason": "no"});
    served.post("/v1/parked/5/discard", discard).await.unwrap();
    let answer = served.post("/v1/documents/5/undiscard", why.clone()).await;
    assert_eq!(answer.unwrap()["document"]["number"], 6);
    for id in ["1", "3", "4", "99"] {
        let path = format!("/v1/documents/{id}/undiscard");
        let (status, _) = refused(served.post(&path, why.clone()).await);
        assert_eq!(status, if id == "99" { 404 } else { 409 }, "{id}");
    }
    served.stop().await;
}

#[tokio::test]
async fn what_its_device_undid_stays_discarded() {
    let served = Served::start();
    served.fill().await;
    // As the forwarder does when a device undoes all events of a parked document.
    let change = moved(2, State::Parked, State::Discarded);
    let made = served.journal.inbox().change(vec![change]).await.unwrap();
    assert_eq!(made, [true]);
    let why = json!({"reason": "moved after all"});
    let (status, refusal) = refused(served.post("/v1/documents/2/undiscard", why).await);
    assert_eq!(status, 409);
    assert!(
        refusal["error"].as_str().unwrap().contains("device"),
        "{refusal}"
    );
    served.stop().await;
}
