//! What a person decides about rejected readings.

use serde_json::json;
use stockrelay::event::Rejection;

use super::{Served, refused};
use crate::floor::{at, rejection};

#[tokio::test]
async fn a_person_settles_rejected_readings() {
    let served = Served::start();
    let event =
        br#"{"id":"7","type":"transfer","product":"P","quantity":"2x","from":"A","to":"B"}"#;
    let foreign = Rejection {
        code: "not-your-topic",
        ..rejection("pda-9", b"4006381333931", 4)
    };
    let batch = vec![
        Err(rejection("pda-3", b"{nonsense", 1)),
        Err(rejection("pda-3", event, 2)),
        Err(rejection("pda-4", b"[]", 3)),
        Err(foreign),
    ];
    served.journal.inbox().append(batch).await.unwrap();
    assert_eq!(served.get("/v1/status").await["events"]["rejected_open"], 4);

    // Dismissing needs a reason, and is recorded.
    let why = json!({"reason": "a test of the scanner", "by": "anna"});
    let refused_bare = refused(served.post("/v1/rejected/1/dismiss", json!({})).await);
    assert_eq!(refused_bare.0, 400);
    let one = served
        .post("/v1/rejected/1/dismiss", why.clone())
        .await
        .unwrap();
    assert_eq!(one["state"], "dismissed");
    assert_eq!(one["settled"]["by"], "user:anna");
    assert!(
        one["settled"]["note"]
            .as_str()
            .unwrap()
            .starts_with("dismissed: a test of the scanner")
    );
    let twice = refused(served.post("/v1/rejected/1/dismiss", why.clone()).await);
    assert_eq!(twice.0, 409);
    assert_eq!(
        refused(served.post("/v1/rejected/99/dismiss", why.clone()).await).0,
        404
    );

    // As it came it is refused again, and nothing is changed; corrected it is stored.
    let as_it_was = refused(served.post("/v1/rejected/2/resend", json!({})).await);
    assert_eq!(as_it_was.0, 400);
    assert!(
        as_it_was.1["error"].as_str().unwrap().contains("quantity"),
        "{as_it_was:?}"
    );
    assert_eq!(served.get("/v1/rejected/2").await["state"], "open");
    let right = std::str::from_utf8(event).unwrap().replace("\"2x\"", "2");
    let sent = served
        .post("/v1/rejected/2/resend", json!({"payload": right}))
        .await
        .unwrap();
    assert_eq!(
        (&sent["events"], &sent["duplicates"]),
        (&json!([1]), &json!([]))
    );
    let stored = served.journal.event(1).unwrap().unwrap().event;
    assert_eq!((stored.id.as_str(), stored.device.as_str()), ("7", "pda-3"));
    assert_eq!(stored.at, at(2), "the time at which it was received");
    assert_eq!(served.get("/v1/rejected/2").await["state"], "resent");
    let twice = refused(served.post("/v1/rejected/2/resend", json!({})).await);
    assert_eq!(twice.0, 409);

    // A scan under a wrong topic is sent again as it was.
    let sent = served
        .post("/v1/rejected/4/resend", json!({}))
        .await
        .unwrap();
    assert_eq!(sent["events"], json!([2]));
    assert_eq!(
        served
            .journal
            .event(2)
            .unwrap()
            .unwrap()
            .event
            .action
            .kind(),
        "scan"
    );

    // What is left goes together.
    let open = served.get("/v1/rejected?state=open").await;
    assert_eq!(open["rejected"].as_array().unwrap().len(), 1);
    let all = json!({"upto": 2, "reason": "old"});
    let none = served.post("/v1/rejected/dismiss", all).await.unwrap();
    assert_eq!(
        none["dismissed"], 0,
        "number 3 came later than what was looked at"
    );
    let all = json!({"upto": 4, "device": "pda-4", "reason": "old"});
    let done = served.post("/v1/rejected/dismiss", all).await.unwrap();
    assert_eq!(done, json!({"dismissed": 1, "more": false}));
    let status = served.get("/v1/status").await;
    assert_eq!(status["events"].get("rejected_open"), None);
    assert_eq!(status["events"]["rejected"], 4);
    served.stop().await;
}
