//! A device that only beeps on an existing broker of the site.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use stockrelay::config::Broker;

use super::{Ring, Stage, Target};
use crate::broker::rig::{Mosquitto, config};

/// Until the gateway has its session at the broker: from then on the broker keeps for it what is
/// published.
async fn connected(stage: &Stage) {
    stage
        .until("the gateway is at the broker", |daemon| {
            let sources = daemon.board().snapshot().sources;
            let broker = sources.get("mqtt.broker");
            broker.is_some_and(|view| view.state == "up")
        })
        .await;
}

async fn hears(ring: &mut Ring, stage: &Stage, (code, ok, text): (&str, bool, &str)) {
    let said = ring.display(code).await;
    assert_eq!(said["ok"], ok, "{code}: {said}");
    let beep = if ok { "good" } else { "bad" };
    assert_eq!(said["beep"], beep, "{code}: {said}");
    let words = said["text"].as_str().unwrap();
    assert!(words.contains(&stage.text(text)), "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn a_device_on_a_broker_moves_goods_and_reads_its_display_there() {
    let mosquitto = Mosquitto::plain().await;
    let address = SocketAddr::from(([127, 0, 0, 1], mosquitto.port));
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_mqtt("transfer");
    let door = stage.config.listen.take().unwrap();
    stage.config.broker = Some(Broker {
        devices: door.devices,
        ..config(format!("mqtt://{address}"))
    });
    stage.start().await;
    connected(&stage).await;
    let mut ring = Ring::at(address, &stage, &["display"]).await;
    for heard in [
        ("{chair}", false, "Not now"),
        ("LOC-BIN-0001", true, "Scan: product"),
        ("{chair}", true, "\n1"),
        ("SR-QTY-4", true, "\n4"),
        ("SR-UNDO", true, "\n1"),
    ] {
        ring.scan(&stage.text(heard.0)).await;
        hears(&mut ring, &stage, heard).await;
    }
    // Read while the gateway is away: the broker keeps it.
    stage.stop().await;
    ring.scan(&stage.text("{chair}")).await;
    ring.acknowledged().await;
    stage.start().await;
    hears(&mut ring, &stage, ("{chair}", true, "\n2")).await;
    // Within the time in which it is a repeat: no text is sent, and nothing changes.
    ring.scan(&stage.text("{chair}")).await;
    ring.scan("LOC-BIN-0002").await;
    let moved = ("LOC-BIN-0002", true, "Recorded: 2 × [{chair}]");
    hears(&mut ring, &stage, moved).await;
    assert_eq!(
        stage.made(),
        [stage.text("transfer 2 {chair} LOC-BIN-0001 > LOC-BIN-0002")]
    );
    let totals = stage.daemon.as_ref().unwrap().journal().totals();
    assert_eq!(totals.duplicates, 1);
    stage.posted().await;
    let bin = stage.target.bin(2).await;
    let there = stage.target.quantity(stage.products["chair"].1, bin).await;
    assert!((there - 2.0).abs() < 1e-6, "{there}");
    stage.stop().await;
}
