//! A code that was rejected and that a person sends again goes on in the flow of its device.

use stockrelay::view::client::Client;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_code_that_a_person_sends_again_goes_on_in_its_flow() {
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

    let client = Client::new(&stage.config.control.socket);
    let body = json!({"payload": "LOC-BIN-0002", "by": "anna"});
    let sent: Value = client.post("/v1/rejected/1/resend", &body).await.unwrap();
    assert_eq!(sent["events"], json!([3]));
    let said = ring.display("the code that was sent again").await;
    assert_eq!(said["ok"], true, "{said}");
    let moved = stage.text("transfer 1 {apple} LOC-BIN-0001 > LOC-BIN-0002");
    stage
        .until("the movement is made", |daemon| {
            daemon.journal().totals().stored == 4
        })
        .await;
    assert_eq!(stage.made(), [moved]);
    stage.posted().await;
    let totals = stage.daemon.as_ref().unwrap().journal().totals();
    assert_eq!((totals.rejected_open, totals.unused_scans), (0, 0));
    stage.stop().await;
}
