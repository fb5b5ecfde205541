//! Configurations of floor devices behind a broker.

use std::collections::BTreeMap;
use std::time::Duration;

use stockrelay::event::Name;
use stockrelay::fleet::floor;

use super::rig::{Device, Gateway, Journal, Mosquitto, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn a_configuration_is_retained_at_the_broker_and_the_report_is_compared() {
    let mosquitto = Mosquitto::plain().await;
    let gateway = Gateway::start_up(&mosquitto, &Journal::default()).await;
    let pda_1 = Name::new("pda-1").unwrap();
    let config = floor::build(&serde_json::json!({"volume": 7}));
    let version = config.version.clone();
    gateway.floor.replace([(pda_1.clone(), config)].into());
    gateway.floor.set_drift_after(Duration::from_millis(1));
    let drift = || gateway.board.snapshot().drift;
    until("the device has reported nothing", || {
        drift()
            .get(&pda_1)
            .is_some_and(|view| view.reported.is_none())
    })
    .await;
    // It connects after the message was published.
    let device = Device::start(&mosquitto, "pda-1").await;
    let wanted = serde_json::json!({"version": version, "config": {"volume": 7}});
    let heard = || device.heard.lock().unwrap().clone();
    until("the configuration has come", || {
        heard().contains(&("desired".to_owned(), wanted.clone()))
    })
    .await;
    let reported = serde_json::json!({"version": "old", "error": null});
    device
        .publish("config/reported", true, reported.to_string())
        .await;
    until("the device reports another version", || {
        drift()
            .get(&pda_1)
            .is_some_and(|view| view.reported.as_deref() == Some("old"))
    })
    .await;
    let reported = serde_json::json!({"version": version, "error": null});
    device
        .publish("config/reported", true, reported.to_string())
        .await;
    until("no device drifts", || drift().is_empty()).await;

    gateway.floor.replace(BTreeMap::new());
    until("the configuration is removed", || {
        heard().contains(&("desired".to_owned(), serde_json::Value::Null))
    })
    .await;
}
