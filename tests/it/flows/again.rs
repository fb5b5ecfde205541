//! A code that was rejected never enters the present flow of its device: a person sends the
//! movement.

use stockrelay::board::Link;
use stockrelay::view::client::Client;
use stockrelay::view::headline::{self, Mood};
use stockrelay::view::snapshot::Status;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_code_that_a_person_sends_again_stays_out_of_the_flow() {
    let products = BTreeMap::from([("apple".to_owned(), "none".to_owned())]);
    let target = Target::stand_in(Duration::ZERO).await;
    let mut stage = Stage::build(target, &products).await;
    stage.with_mqtt("transfer");
    stage.start().await;
    stage.scan_all(&["LOC-BIN-0001", "{apple}"]).await;
    let mut ring = Ring::on(&stage).await;
    ring.scan("LOC-BIN\u{0}0002").await;
    ring.acknowledged().await;
    stage
        .until("it is rejected", |daemon| {
            daemon.journal().totals().rejected_open == 1
        })
        .await;

    // The flow waits for the bin by now: an old code is none of its business.
    let client = Client::new(&stage.config.control.socket);
    let body = json!({"payload": "LOC-BIN-0002", "by": "anna"});
    let sent = client.post::<Value>("/v1/rejected/1/resend", &body).await;
    let refusal = sent.unwrap_err().to_string();
    assert!(
        refusal.contains("has a flow, in which an old scan"),
        "{refusal}"
    );
    let movement = stage.text(
        r#"{"id":"x1","type":"transfer","product":"{apple}","from":"LOC-BIN-0001","to":"LOC-BIN-0003"}"#,
    );
    let body = json!({"payload": movement, "by": "anna"});
    let sent: Value = client.post("/v1/rejected/1/resend", &body).await.unwrap();
    assert_eq!(sent["events"], json!([3]));
    // The worker continues the unfinished movement.
    ring.scan("LOC-BIN-0002").await;
    ring.acknowledged().await;
    stage
        .until("both movements are made", |daemon| {
            daemon.journal().totals().stored == 5
        })
        .await;
    let moved = stage.text("transfer 1 {apple} LOC-BIN-0001 > LOC-BIN-0002");
    assert_eq!(stage.made(), [moved]);
    stage
        .until("both are posted", |daemon| {
            daemon.journal().totals().posted.events == 2
        })
        .await;
    let totals = stage.daemon.as_ref().unwrap().journal().totals();
    assert_eq!((totals.rejected_open, totals.unused_scans), (0, 0));
    stage.stop().await;
}

/// The first sentence of `status` and `top`.
fn headline(stage: &Stage) -> (Mood, String) {
    let daemon = stage.daemon.as_ref().unwrap();
    let status = Status::take(&stage.config.site, daemon.journal(), daemon.board()).unwrap();
    headline::headline(&status, clock::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_and_never_ended_stays_on_the_first_screen_until_a_person_settles_it() {
    let products = BTreeMap::from([("apple".to_owned(), "none".to_owned())]);
    let target = Target::stand_in(Duration::ZERO).await;
    let mut stage = Stage::build(target, &products).await;
    stage.with_mqtt("transfer");
    stage.start().await;
    stage
        .scan_all(&["LOC-BIN-0001", "{apple}", "LOC-BIN-0002"])
        .await;
    stage.posted().await;
    stage.scan_all(&["LOC-BIN-0001", "{apple}"]).await;
    let begun = |daemon: &Daemon| {
        daemon
            .board()
            .snapshot()
            .unfinished
            .contains_key("transfer")
    };
    stage.until("it is shown as begun", begun).await;
    stage
        .until("the scans are decided", |daemon| {
            let totals = daemon.journal().totals();
            totals.open_events() == 0
        })
        .await;
    let (mood, sentence) = headline(&stage);
    assert_eq!(
        sentence,
        "1 movement is in Odoo; 1 device has started a transfer"
    );
    assert_eq!(mood, Mood::Good);

    // The pause is over as soon as it is one of a second, also where nobody scans again.
    stage.stop().await;
    let own = stage.dir.path().join("own.toml");
    let profile = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, profile + "idle_s = 1\n").unwrap();
    stage.start().await;
    stage
        .until("it is dropped", |daemon| {
            daemon.journal().totals().rejected_open == 1
                && daemon.board().snapshot().unfinished.is_empty()
        })
        .await;
    stage
        .until("the link is up", |daemon| {
            daemon.board().snapshot().odoo.link == Link::Up
        })
        .await;
    let need = (Mood::Watch, "1 rejected reading needs you".to_owned());
    assert_eq!(headline(&stage), need);

    let client = Client::new(&stage.config.control.socket);
    let found: Value = client.get("/v1/rejected/1").await.unwrap();
    assert_eq!(found["code"], "not-finished");
    let resend = |payload: String| {
        let client = &client;
        async move {
            let body = json!({"payload": payload, "by": "anna"});
            client.post::<Value>("/v1/rejected/1/resend", &body).await
        }
    };
    let payload = found["payload"].as_str().unwrap();
    // Without the missing bin, no event is created.
    let refused = resend(payload.to_owned()).await.unwrap_err().to_string();
    assert!(refused.contains("field to is missing"), "{refused}");
    let whole = payload.replace("\"type\":", "\"to\":\"LOC-BIN-0002\",\"type\":");
    let sent = resend(whole).await.unwrap();
    assert_eq!(sent["events"].as_array().unwrap().len(), 1, "{sent}");
    stage
        .until("it is in Odoo", |daemon| {
            daemon.journal().totals().posted.events == 2
        })
        .await;
    let all = (Mood::Good, "All 2 movements are in Odoo".to_owned());
    assert_eq!(headline(&stage), all);
    stage.stop().await;
}
