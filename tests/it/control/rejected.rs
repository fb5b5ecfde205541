//! What a person decides about rejected readings.

use serde_json::json;
use stockrelay::event::{Channel, Rejection, Seq};

use super::{Served, own_name, refused};
use crate::floor::{at, rejection, transfer};
use stockrelay::reason::RejectionCode;

#[tokio::test]
async fn a_person_settles_rejected_readings() {
    let served = Served::start();
    let event =
        br#"{"id":"7","type":"transfer","product":"P","quantity":"2x","from":"A","to":"B"}"#;
    let foreign = Rejection {
        code: RejectionCode::NotYourTopic,
        channel: Some(Channel::Scan),
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
    assert_eq!(one["settled"]["by"], format!("user:{}", own_name()));
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

    // Unchanged it is rejected again, and nothing changes; corrected it is stored.
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
    let stored = served.journal.event(Seq::new(1)).unwrap().unwrap().event;
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
            .event(Seq::new(2))
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

/// The text of a refusal, and its status.
async fn resend(served: &Served, number: u64, body: serde_json::Value) -> (u16, String) {
    let path = format!("/v1/rejected/{number}/resend");
    let (status, refusal) = refused(served.post(&path, body).await);
    assert_eq!(
        served.get(&format!("/v1/rejected/{number}")).await["state"],
        "open"
    );
    let text = format!(
        "{} {}",
        refusal["error"].as_str().unwrap(),
        refusal["remedy"].as_str().unwrap()
    );
    (status, text)
}

#[tokio::test]
async fn a_whole_batch_is_shown_and_sent_again() {
    let served = Served::start();
    let one = |n: u32| {
        format!(
            r#"{{"id":"{n}","type":"transfer","product":"P{n}","from":"A","to":"B","note":"{}"}}"#,
            "x".repeat(300)
        )
    };
    let events: Vec<String> = (0..150).map(one).collect();
    let payload = format!("[{},]", events.join(","));
    let batch = Rejection {
        channel: Some(Channel::Event),
        ..rejection("pda-3", payload.as_bytes(), 1)
    };
    let bytes = Rejection {
        channel: Some(Channel::Scan),
        ..rejection("pda-3", b"40\xff63", 1)
    };
    let batch = vec![Err(batch), Err(bytes)];
    served.journal.inbox().append(batch).await.unwrap();
    let shown = served.get("/v1/rejected/1").await;
    assert_eq!(shown["payload"], payload.as_str());
    assert_eq!(
        (&shown["whole"], &shown["channel"]),
        (&json!(true), &json!("event"))
    );
    let listed = served.get("/v1/rejected").await;
    let listed = &listed["rejected"][0];
    assert_eq!(
        (&listed["whole"], &listed["bytes"]),
        (&json!(false), &json!(payload.len()))
    );
    let right = payload.replace(",]", "]");
    let sent = served.post("/v1/rejected/1/resend", json!({"payload": right}));
    assert_eq!(sent.await.unwrap()["events"].as_array().unwrap().len(), 150);

    // The mark that is shown instead of bytes that are not text is not sent.
    assert_eq!(served.get("/v1/rejected/2").await["whole"], false);
    let (status, text) = resend(&served, 2, json!({"payload": "40\u{fffd}63"})).await;
    assert!(status == 400 && text.contains("not text"), "{text}");
    served.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_is_read_as_it_came_and_never_guessed_to_be_a_scan() {
    let served = Served::start();
    let event = br#"{"id":"7","typ":"transfer","product":"P","from":"A","to":"B"}"#;
    let of_event = Rejection {
        channel: Some(Channel::Event),
        ..rejection("pda-3", event, 1)
    };
    let batch = vec![Err(of_event), Err(rejection("pda-3", b"4006381333931", 2))];
    served.journal.inbox().append(batch).await.unwrap();
    let (status, text) = resend(&served, 1, json!({})).await;
    assert!(
        status == 400 && text.contains("field type is missing"),
        "{text}"
    );
    assert!(
        text.contains("--payload") && text.contains("--channel"),
        "{text}"
    );
    let (status, text) = resend(&served, 2, json!({})).await;
    assert!(status == 400 && text.contains("--channel"), "{text}");
    let sent = served.post("/v1/rejected/2/resend", json!({"channel": "scan"}));
    assert_eq!(sent.await.unwrap()["events"], json!([1]));
    // A movement instead of the payload on the topic of events, with the id of another event.
    let right = String::from_utf8_lossy(event).replace("typ\"", "type\"");
    let stored = transfer("pda-3", "7", "Q", "A", "B", 3);
    served
        .journal
        .inbox()
        .append(vec![Ok(stored)])
        .await
        .unwrap();
    let (status, text) = resend(&served, 1, json!({"payload": right})).await;
    assert_eq!(status, 409);
    assert!(
        text.contains("event 2 of pda-3") && text.contains("1 of Q from A to B"),
        "{text}"
    );
    served.stop().await;
}

#[tokio::test]
async fn the_nearest_valid_form_is_stored_when_a_person_sends_it() {
    let served = Served::start();
    let event = br#"{"id":"8","type":"tranfser","product":"P","from":"A","to":"B",}"#;
    let long = [b"{'a': '".as_slice(), &[b'x'; 2_000], b"'}"].concat();
    let batch = vec![
        Err(Rejection {
            channel: Some(Channel::Event),
            ..rejection("pda-3", event, 1)
        }),
        Err(rejection("pda-3", b"nonsense", 2)),
        Err(rejection("pda-3", &long, 3)),
    ];
    served.journal.inbox().append(batch).await.unwrap();
    let list = served.get("/v1/rejected?state=open").await;
    let suggestion = list["rejected"][0]["suggestion"].clone();
    assert_eq!(
        suggestion["text"],
        "no comma before a closing bracket; type transfer in place of tranfser"
    );
    assert_eq!(list["rejected"][1]["suggestion"], json!(null));
    // The list has only the beginning of a long payload, the page has all.
    assert_eq!(list["rejected"][2]["suggestion"], json!(null));
    let page = served.get("/v1/rejected/3").await;
    assert_eq!(
        page["suggestion"]["text"]
            .as_str()
            .unwrap()
            .split(';')
            .next(),
        Some("double quotes in place of single ones")
    );
    let body = json!({ "payload": suggestion["payload"] });
    let resent = served.post("/v1/rejected/1/resend", body).await.unwrap();
    assert_eq!(resent["events"], json!([1]));
    let settled = served.get("/v1/rejected/1").await;
    assert_eq!(settled["state"], "resent");
    assert_eq!(settled["suggestion"], json!(null));
    served.stop().await;
}
