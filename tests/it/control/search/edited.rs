//! Documents that a person has changed are found by what they have now, and by what they had.

use serde_json::{Value, json};

use super::super::Served;
use super::{append, of, pairs, pick};
use crate::floor::scan;
use stockrelay::event::Seq;

/// Kinds and ids of all results.
async fn found(served: &Served, text: &str) -> Vec<(String, String)> {
    served.found(text, 9).await
}

#[tokio::test]
async fn an_edited_document_is_found_by_its_new_texts_and_by_its_old_ones() {
    let served = Served::start();
    served.fill().await;
    let body = json!({"reason": "wrong label", "lines": [
        {"line": 1, "product": "NEW-P", "from": "LOC-77", "to": "LOC-88", "lot": "LOT-9", "package": "PACK-5"}
    ]});
    let answer = served.post("/v1/parked/2/edit", body).await.unwrap();
    let key = of(&answer["document"], "key");
    let edited = pairs(&[("document", &key)]);
    for text in ["new-p", "NEW", "LOC-77", "loc-88", "lot-9", "PACK-5"] {
        assert_eq!(found(&served, text).await, edited, "{text}");
        if text != "NEW" {
            let trace = served.get(&format!("/v1/trace/{text}")).await;
            assert_eq!(trace["document"]["key"], *key, "{text}");
            assert_eq!(trace["earlier"][0]["document"]["number"], 2, "{text}");
        }
    }
    assert_eq!(
        served.get("/v1/trace/product:NEW-P").await["name"]["kind"],
        "product"
    );
    let (status, _) = served.refused("/v1/trace/lot:NEW-P").await;
    assert_eq!(status, 404);
    // The old product finds its event, which is in the new document.
    let old = served.search("e2", "").await;
    assert_eq!(
        (&old["total"], &old["results"][0]["state"]),
        (&json!(1), &json!("waiting"))
    );
    let old = found(&served, "P").await;
    assert!(
        old.contains(&("event".to_owned(), "pda-1/e2".to_owned())),
        "{old:?}"
    );

    // Edited again: each document is found by its own texts.
    served.park(5, "unknown-product").await;
    let body = json!({"reason": "still wrong", "lines": [{"line": 1, "product": "NEWER"}]});
    let answer = served.post("/v1/parked/5/edit", body).await.unwrap();
    let newest = of(&answer["document"], "key");
    assert_eq!(
        found(&served, "NEWER").await,
        pairs(&[("document", &newest)])
    );
    assert_eq!(found(&served, "NEW-P").await, edited);
    let both = pairs(&[("document", &newest), ("document", &key)]);
    assert_eq!(found(&served, "LOC-77").await, both);
    // A retry and an undone discard keep them.
    served.park(6, "unknown-product").await;
    served
        .post("/v1/parked/6/discard", json!({"reason": "no"}))
        .await
        .unwrap();
    let again = served
        .post("/v1/documents/6/undiscard", json!({"reason": "yes"}))
        .await
        .unwrap();
    let again = of(&again["document"], "key");
    let both = pairs(&[("document", &again), ("document", &newest)]);
    assert_eq!(found(&served, "NEWER").await, both);
    served.stop().await;
}

#[tokio::test]
async fn an_edited_order_is_found() {
    let served = Served::start();
    append(&served, vec![pick("pda-07", "p1", "WH/OUT/00042", 1)]).await;
    let mut document = served.document(1);
    document.purpose = stockrelay::document::Purpose::Pick {
        order: "WH/OUT/00042".to_owned(),
    };
    let inbox = served.journal.inbox();
    inbox
        .seal(vec![document], Vec::new(), Seq::new(1))
        .await
        .unwrap();
    served.park(1, "unknown-order").await;
    let body = json!({"reason": "misread", "order": "WH/OUT/00043"});
    let answer = served.post("/v1/parked/1/edit", body).await.unwrap();
    let key = of(&answer["document"], "key");
    assert_eq!(
        found(&served, "WH/OUT/00043").await,
        pairs(&[("document", &key)])
    );
    assert_eq!(
        found(&served, "WH/OUT/00042").await.len(),
        2,
        "the order and its event"
    );
    served.stop().await;
}

#[tokio::test]
async fn the_number_of_an_event_finds_it_once() {
    let served = Served::start();
    served.fill().await;
    // Event 7 has the number of event 3 as its lot, and event 8 is a scan of its own number.
    let mut event = pick("pda-07", "own", "WH/OUT/00042", 8);
    if let stockrelay::event::Action::Move(moved) = &mut event.action {
        moved.goods.lot = Some("3".to_owned());
    }
    append(&served, vec![event, scan("pda-07", "s8", "8", 9)]).await;
    for text in ["event 2", "seq:2", "#2"] {
        assert_eq!(
            found(&served, text).await,
            pairs(&[("event", "pda-1/e2")]),
            "{text}"
        );
    }
    for limit in [1, 2, 9] {
        let key = of(&served.get("/v1/documents").await["documents"][2], "key");
        let expected = [
            ("lot", "lot:3"),
            ("event", "pda-1/e3"),
            ("document", &key),
            ("event", "pda-07/own"),
        ];
        assert_eq!(served.found("3", limit).await, pairs(&expected), "{limit}");
        let own = pairs(&[("event", "pda-07/s8")]);
        assert_eq!(served.found("8", limit).await, own, "{limit}");
    }
    assert_eq!(found(&served, "9").await, [], "no such event");
    let only = served.search("3", "&kind=document").await;
    assert_eq!(only["total"], 1, "{only}");
    let later = served.search("event 2", "&since=1h").await;
    assert_eq!(later["results"], Value::Array(Vec::new()));
    served.stop().await;
}

#[tokio::test]
async fn a_cursor_continues_only_its_own_search() {
    let served = Served::start();
    served.fill().await;
    let next = of(&served.search("pda-1", "&limit=1").await, "next");
    let more = format!("&limit=1&after={next}");
    assert_eq!(
        served.search("pda-1", &more).await["results"][0]["id"],
        "pda-1/e5"
    );
    for path in [
        super::path("pda-2", &more),
        super::path("pda-1", &format!("{more}&kind=event")),
        super::path("pda-1", &format!("{more}&since=2026-01-01T00:00:00Z")),
        format!("/v1/events?after={next}"),
        format!("/v1/documents?after={next}"),
        super::path("pda-1", "&after=17"),
    ] {
        let (status, refusal) = served.refused(&path).await;
        assert_eq!(status, 400, "{path}: {refusal}");
        assert!(
            of(&refusal, "error").starts_with("after is"),
            "{path}: {refusal}"
        );
    }
    served.stop().await;
}
