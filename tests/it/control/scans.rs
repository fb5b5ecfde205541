//! Scans that never became a movement, and events by their time.

use super::{Served, refused, seqs};
use crate::floor::{at, scan, transfer};
use serde_json::{Value, json};
use stockrelay::event::{Event, Seq};
use stockrelay::journal::WrongScan;
use stockrelay::view::client::{Client, encode_for_path};

/// The flow answered scans 1 and 3 with an error; scan 2 and movement 4 were right.
async fn fill(served: &Served) {
    let inbox = served.journal.inbox();
    let mut events: Vec<Event> = (1..=3)
        .map(|n| scan("ring", &format!("s{n}"), &format!("CODE-{n}"), n * 600))
        .collect();
    events.push(transfer("ring", "m4", "P", "A", "B", 2_400));
    inbox
        .append(events.into_iter().map(Ok).collect())
        .await
        .unwrap();
    let wrong = |seq, answer: &str| WrongScan {
        seq: Seq::new(seq),
        answer: answer.to_owned(),
    };
    let first = vec![wrong(1, "scan a bin first")];
    inbox
        .append_of_flow(Vec::new(), Vec::new(), first)
        .await
        .unwrap();
    let second = vec![wrong(3, "unknown code")];
    inbox.store_of_flow(Vec::new(), second).await.unwrap();
}

#[tokio::test]
async fn scans_that_a_flow_did_not_accept_are_listed_with_its_answer() {
    let served = Served::start();
    fill(&served).await;
    let page = served.get("/v1/events?scans=wrong").await;
    assert_eq!((seqs(&page), &page["more"]), (vec![1, 3], &json!(false)));
    let answers: Vec<_> = (page["events"].as_array().unwrap().iter())
        .map(|event| (event["wrong"].clone(), event["unused"].clone()))
        .collect();
    let expected = ["scan a bin first", "unknown code"].map(|text| (json!(text), Value::Null));
    assert_eq!(answers, expected);
    let counted = served.get("/v1/status?since=1970-01-01T00:00:00Z").await;
    assert_eq!(counted["window"]["events"]["wrong_scans"], 2);

    // Page by page, and with the other filters.
    let page = served.get("/v1/events?scans=wrong&limit=1").await;
    assert_eq!((seqs(&page), &page["more"]), (vec![1], &json!(true)));
    let page = served.get("/v1/events?scans=wrong&limit=1&after=1").await;
    assert_eq!(seqs(&page), [3]);
    let since = format!("/v1/events?scans=wrong&since={}", at(1_800));
    assert_eq!(seqs(&served.get(&since).await), [3]);
    let other = served.get("/v1/events?scans=wrong&device=pda-1").await;
    assert_eq!(seqs(&other), [0; 0]);
    // No device of this gateway has a flow now: the other scan is unused.
    assert_eq!(seqs(&served.get("/v1/events?scans=unused").await), [2]);

    // A search and a trace say the same.
    let found = served.get("/v1/search?q=code-3&kind=event").await;
    assert_eq!(found["results"][0]["wrong"], "unknown code");
    let found = served.get("/v1/search?q=code-2&kind=event").await;
    assert_eq!(
        (
            &found["results"][0]["wrong"],
            &found["results"][0]["unused"]
        ),
        (&Value::Null, &json!(true))
    );
    let trace = served.get("/v1/trace/ring%2Fs1").await;
    assert_eq!(trace["event"]["wrong"], "scan a bin first");
    for path in [
        "/v1/events?scans=all",
        "/v1/events?scans=wrong&type=transfer",
        "/v1/documents?scans=wrong",
    ] {
        assert_eq!(served.refused(path).await.0, 400, "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn the_events_of_a_device_are_listed_by_their_time() {
    let served = Served::start();
    let inbox = served.journal.inbox();
    let event = |device: &str, n: i64, done: i64| Event {
        at: at(done),
        ..transfer(device, &format!("e{n}"), "P", "A", "B", n * 600)
    };
    let events = [
        event("pda-1", 1, 600),
        event("pda-2", 2, 1_200),
        event("pda-1", 3, 1_800),
        // Done long before its receipt, and by its device's clock after its receipt.
        event("pda-1", 4, 700),
        event("pda-1", 5, 90_000),
        event("pda-2", 6, 3_600),
    ];
    inbox.append(events.map(Ok).to_vec()).await.unwrap();
    let list = async |filter: &str| seqs(&served.get(&format!("/v1/events?{filter}")).await);
    let time = |second| encode_for_path(&at(second).to_string());
    let since = format!("since={}", time(1_800));
    assert_eq!(list(&since).await, [3, 5, 6]);
    assert_eq!(list(&format!("device=pda-1&{since}")).await, [3, 5]);
    let until = format!("until={}", time(3_000));
    assert_eq!(list(&until).await, [1, 2, 3, 4]);
    assert_eq!(list(&format!("{since}&{until}")).await, [3]);
    assert_eq!(list(&format!("{since}&after=3")).await, [5, 6]);
    assert_eq!(list("since=1970-01-01T00:00:00Z").await, [1, 2, 3, 4, 5, 6]);
    let late = format!("since={}", time(3_601));
    assert_eq!(list(&late).await, [0; 0]);
    let page = served.get(&format!("/v1/events?{late}")).await;
    assert_eq!((&page["next"], &page["more"]), (&json!(6), &json!(false)));
    served.stop().await;
}

#[tokio::test]
async fn a_time_that_makes_no_sense_is_refused_in_each_list() {
    let served = Served::start();
    for path in ["/v1/events?", "/v1/status?", "/v1/search?q=x&"] {
        for (value, named) in [
            ("9999-12-01T00:00:00Z", "in the future"),
            ("0000-01-01T00:00:00Z", "before 1970"),
            ("yesterday", "such as"),
        ] {
            let path = format!("{path}since={value}");
            let answer = Client::new(&served.socket()).get::<Value>(&path).await;
            let (status, refusal) = refused(answer);
            assert_eq!(status, 400, "{path}");
            let text = refusal.to_string();
            assert!(text.contains("since is") && text.contains(named), "{text}");
        }
        served.get(&format!("{path}since=1h")).await;
        served.get(&format!("{path}since=shift")).await;
    }
    let path = "/v1/events?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z";
    let (status, refusal) = served.refused(path).await;
    assert_eq!(status, 400);
    assert!(
        refusal["error"].as_str().unwrap().contains("before until"),
        "{refusal}"
    );
    served.stop().await;
}
