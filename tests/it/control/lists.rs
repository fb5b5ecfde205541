//! The lists of the control API: events, documents, rejected readings, traces.

use super::{Served, seqs};
use serde_json::{Value, json};

#[tokio::test]
async fn events_are_listed_oldest_first_and_filtered() {
    let served = Served::start();
    served.fill().await;
    let page = served.get("/v1/events").await;
    assert_eq!(seqs(&page), [1, 2, 3, 4, 5, 6]);
    assert_eq!((&page["next"], &page["more"]), (&json!(6), &json!(false)));
    let states: Vec<_> = page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["state"])
        .collect();
    assert_eq!(
        states,
        [
            "posted",
            "parked",
            "parked",
            "waiting",
            "open",
            "no_document"
        ]
    );
    let first = &page["events"][0];
    assert_eq!(first["site"], "ams1");
    assert_eq!(
        (&first["device"], &first["id"], &first["type"]),
        (&json!("pda-1"), &json!("e1"), &json!("transfer"))
    );
    assert_eq!(first["odoo"], "WH/INT/00007");
    assert_eq!(first["document"].as_str().unwrap().len(), 32);
    assert_eq!(
        (&first["product"], &first["from"], &first["to"]),
        (&json!("P"), &json!("A"), &json!("B"))
    );
    assert!(first["at"].is_string() && first["received"].is_string());

    let page = served.get("/v1/events?after=1&limit=2").await;
    assert_eq!(
        (seqs(&page), &page["next"], &page["more"]),
        (vec![2, 3], &json!(3), &json!(true))
    );
    let page = served.get("/v1/events?after=6").await;
    assert_eq!((seqs(&page), &page["next"]), (vec![], &json!(6)));
    assert_eq!(seqs(&served.get("/v1/events?state=parked").await), [2, 3]);
    assert_eq!(
        seqs(&served.get("/v1/events?device=pda-2&type=scan").await),
        [6]
    );
    assert_eq!(seqs(&served.get("/v1/events?device=nobody").await), [0; 0]);
    // No device of this gateway has a flow: a raw scan moved no stock.
    let page = served.get("/v1/events").await;
    let unused = page["events"].as_array().unwrap().iter();
    let unused: Vec<_> = unused.filter(|event| event["unused"] == true).collect();
    assert_eq!(unused.len(), 1);
    assert_eq!(
        (&unused[0]["seq"], &unused[0]["type"]),
        (&json!(6), &json!("scan"))
    );
    assert_eq!(served.get("/v1/trace/seq:6").await["event"]["unused"], true);
    served.stop().await;
}

#[tokio::test]
async fn documents_parked_and_rejected_are_listed() {
    let served = Served::start();
    served.fill().await;
    let page = served.get("/v1/documents?limit=1").await;
    assert_eq!((&page["next"], &page["more"]), (&json!(1), &json!(true)));
    let document = &page["documents"][0];
    assert_eq!(
        (&document["state"], &document["attempts"]),
        (&json!("posted"), &json!(1))
    );
    assert_eq!(
        (&document["odoo"], &document["reason"]),
        (&json!("WH/INT/00007"), &Value::Null)
    );
    assert_eq!(
        document["lines"],
        json!([{"product": "P", "quantity": 1, "from": "A", "to": "B", "lot": null, "package": null}])
    );
    let waiting = served.get("/v1/documents?state=waiting").await;
    assert_eq!(waiting["documents"][0]["number"], 4);

    let parked = served.get("/v1/parked?code=unknown-product").await;
    assert_eq!(parked["parked"].as_array().unwrap().len(), 2);
    assert_eq!(parked["parked"][0]["reason"]["code"], "unknown-product");
    assert_eq!(
        served.get("/v1/parked?code=other").await["parked"],
        json!([])
    );

    let rejected = served.get("/v1/rejected").await;
    assert_eq!(rejected["rejected"][0]["device"], "pda-3");
    assert_eq!(rejected["rejected"][0]["payload"], "{nonsense");
    served.stop().await;
}

#[tokio::test]
async fn a_trace_is_found_by_each_kind_of_id() {
    let served = Served::start();
    served.fill().await;
    let key = served.get("/v1/documents").await["documents"][1]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for id in ["e2", "pda-1%2Fe2", "pda-1/e2", "2", "seq:2"] {
        let trace = served.get(&format!("/v1/trace/{id}")).await;
        assert_eq!(trace["event"]["seq"], 2, "{id}");
        assert_eq!(trace["repeats"]["count"], 1, "{id}");
        assert_eq!(trace["document"]["key"], *key, "{id}");
        assert_eq!(trace["document"]["lines"][0]["seqs"], json!([2]));
        let states: Vec<_> = trace["audit"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| &s["state"])
            .collect();
        assert_eq!(states, ["waiting", "sending", "parked"], "{id}");
    }
    let trace = served.get(&format!("/v1/trace/{key}")).await;
    assert_eq!(
        (&trace["event"], &trace["document"]["number"]),
        (&Value::Null, &json!(2))
    );
    // Two devices have an e1.
    let trace = served.get("/v1/trace/e1").await;
    assert_eq!(trace["others"].as_array().unwrap().len(), 1);
    let (status, refusal) = served.refused("/v1/trace/never").await;
    assert_eq!(status, 404);
    assert!(refusal["error"].as_str().unwrap().contains("never"));
    served.stop().await;
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_remedy() {
    let served = Served::start();
    for (path, status) in [
        ("/v1/events?limit=0", 400),
        ("/v1/events?limit=1001", 400),
        ("/v1/events?after=x", 400),
        ("/v1/events?state=lost", 400),
        ("/v1/events?colour=red", 400),
        ("/v1/documents?state=open", 400),
        ("/v1/parked/99", 404),
        ("/v1/parked/abcdef", 404),
        ("/v1/nothing", 404),
        ("/", 404),
        ("/v1/parked/1/retry", 405),
        ("/v1/trace/%FF", 400),
    ] {
        let (found, refusal) = served.refused(path).await;
        assert_eq!(found, status, "{path}: {refusal}");
        // The client makes up an error of its own where the answer is not ours.
        let error = refusal["error"].as_str().unwrap();
        assert!(
            !error.is_empty() && !error.starts_with("the daemon answered"),
            "{path}: {error}"
        );
        assert_ne!(refusal["remedy"], "", "{path}");
    }
    served.stop().await;
}
