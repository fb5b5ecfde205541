//! A code that was rejected never enters the present flow of its device: a person sends the movement.

use stockrelay::view::client::Client;

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
    assert!(refusal.contains("this device has a flow"), "{refusal}");
    let movement = stage.text(
        r#"{"id":"x1","type":"transfer","product":"{apple}","from":"LOC-BIN-0001","to":"LOC-BIN-0003"}"#,
    );
    let body = json!({"payload": movement, "by": "anna"});
    let sent: Value = client.post("/v1/rejected/1/resend", &body).await.unwrap();
    assert_eq!(sent["events"], json!([3]));
    // The worker goes on with what was begun.
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
