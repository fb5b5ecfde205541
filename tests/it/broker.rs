//! The source `mqtt.broker` against a real mosquitto that is killed, full of traps, or picky.

mod daemon;
mod desired;
pub mod rig;
mod scripted;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rumqttc::QoS;
use stockrelay::channel::Outbound;
use stockrelay::event::Name;

use rig::{Device, Gateway, Journal, Mosquitto, SITE, config, until};

fn ids(range: std::ops::Range<usize>) -> BTreeSet<String> {
    range.map(|n| format!("e-{n:04}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn everything_arrives_once_while_the_broker_is_killed() {
    let mut mosquitto = Mosquitto::plain().await;
    let journal = Journal::default();
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    let device = Device::start(&mosquitto, "pda-1").await;
    let all = ids(0..600);
    for (round, chunk) in Vec::from_iter(&all).chunks(150).enumerate() {
        for id in chunk {
            device.transfer(id).await;
        }
        // In the middle of this round's messages.
        let reached = round * 150 + 40;
        until("some of the round are stored", || journal.len() > reached).await;
        mosquitto.kill();
        gateway.until_state("down").await;
        mosquitto.restart().await;
        gateway.until_state("up").await;
        // What mosquitto had acknowledged and not yet saved, only the device still has: it sends
        // again what it has no receipt for.
        let round_ids: BTreeSet<_> = chunk.iter().map(|id| (*id).clone()).collect();
        while !round_ids.is_subset(&device.stored()) {
            for id in round_ids.difference(&device.stored()) {
                device.transfer(id).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    assert_eq!(journal.ids(), all);
    assert_eq!(journal.len(), all.len());
    // Behind whatever the device sent twice.
    device.transfer("marker").await;
    until("the marker is stored", || journal.ids().contains("marker")).await;
    // What the broker still held for the session would come now; all of it was acknowledged.
    gateway.cancel.cancel();
    gateway.task.await.unwrap();
    let seen = journal.duplicates.load(Ordering::SeqCst);
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    device.transfer("last").await;
    until("the last is stored", || journal.ids().contains("last")).await;
    assert_eq!(journal.duplicates.load(Ordering::SeqCst), seen);
    assert_eq!(journal.len(), all.len() + 2);
    gateway.abort().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn everything_arrives_once_while_the_gateway_is_killed() {
    let mosquitto = Mosquitto::plain().await;
    let journal = Journal::default();
    let mut gateway = Gateway::start_up(&mosquitto, &journal).await;
    let device = Device::start(&mosquitto, "pda-1").await;
    let all = ids(0..1_000);
    for id in &all {
        device.transfer(id).await;
    }
    for kills in 1..=6 {
        until("more are stored", || journal.len() >= kills * 120).await;
        gateway.abort().await;
        gateway = Gateway::start_up(&mosquitto, &journal).await;
    }
    // The device sent each once; what was under way at each kill, mosquitto sent again.
    until("all are stored", || journal.len() == all.len()).await;
    assert_eq!(journal.ids(), all);
    assert!(
        journal.duplicates.load(Ordering::SeqCst) > 0,
        "no kill met a message under way"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn a_full_journal_acknowledges_nothing_and_recovers() {
    let mosquitto = Mosquitto::plain().await;
    let journal = Journal::default();
    journal.full.store(true, Ordering::SeqCst);
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    let device = Device::start(&mosquitto, "pda-1").await;
    let all = ids(0..50);
    for id in &all {
        device.transfer(id).await;
    }
    until("the journal has refused", || {
        journal.refused.load(Ordering::SeqCst) >= 20
    })
    .await;
    let (state, detail) = gateway.state();
    assert_eq!(state, "up");
    assert!(detail.contains("journal is full"), "{detail}");
    // Nothing was acknowledged: another gateway gets all of it.
    gateway.abort().await;
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    let refused = journal.refused.load(Ordering::SeqCst);
    until("it has come again", || {
        journal.refused.load(Ordering::SeqCst) >= refused + 20
    })
    .await;
    assert_eq!(journal.len(), 0);
    journal.full.store(false, Ordering::SeqCst);
    until("all have receipts", || device.stored() == all).await;
    assert_eq!(journal.ids(), all);
    until("the detail is gone", || gateway.state().1.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn receipts_say_what_became_of_each_and_messages_wait_for_the_broker() {
    let mut mosquitto = Mosquitto::plain().await;
    let journal = Journal::default();
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    let device = Device::start(&mosquitto, "pda-1").await;
    device.transfer("a").await;
    device.transfer("a").await;
    device
        .publish("event", false, r#"{"id":"b","type":"transfer"}"#)
        .await;
    device.publish("scan", false, "4000000000006").await;
    let heard = || device.heard.lock().unwrap().clone();
    until("four receipts", || heard().len() == 4).await;
    let receipts: Vec<_> = heard().into_iter().map(|(_, receipt)| receipt).collect();
    assert_eq!(
        (&receipts[0]["seq"], &receipts[0]["duplicate"]),
        (&1.into(), &false.into())
    );
    assert_eq!(
        (&receipts[1]["seq"], &receipts[1]["duplicate"]),
        (&1.into(), &true.into())
    );
    assert_eq!(
        (&receipts[2]["id"], &receipts[2]["code"]),
        (&"b".into(), &"missing-field".into())
    );
    assert_eq!(
        (&receipts[3]["seq"], &receipts[3]["id_derived"]),
        (&2.into(), &true.into())
    );
    let view = gateway.board.snapshot().devices[&Name::new("pda-1").unwrap()].clone();
    assert_eq!((view.events, view.rejected, view.online), (2, 1, true));

    mosquitto.kill();
    gateway.until_state("down").await;
    for n in 0..100 {
        let message = Outbound {
            device: Name::new("pda-1").unwrap(),
            channel: if n == 99 { "tasks" } else { "display" }.into(),
            payload: format!(r#"{{"n":{n}}}"#).into(),
            retain: n == 99,
        };
        gateway.outbound.send(message).await.unwrap();
    }
    mosquitto.restart().await;
    until("all have come", || {
        heard().iter().any(|(channel, _)| channel == "tasks")
    })
    .await;
    let mut shown: Vec<_> = heard()
        .iter()
        .filter_map(|(_, value)| value["n"].as_u64())
        .collect();
    shown.dedup();
    assert_eq!(shown, (0..100).collect::<Vec<_>>());
    // What is retained is there for a device that comes later.
    drop(device);
    let late = Device::start(&mosquitto, "pda-1").await;
    until("the tasks are there", || {
        !late.heard.lock().unwrap().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn what_is_not_for_the_gateway_does_not_hold_it_up() {
    let mosquitto = Mosquitto::plain().await;
    let journal = Journal::default();
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    let device = Device::start(&mosquitto, "pda-1").await;
    let odd = format!("stockrelay/v1/{SITE}/pda 1/event");
    for _ in 0..30 {
        device
            .client
            .publish(&*odd, QoS::AtLeastOnce, false, "{}")
            .await
            .unwrap();
    }
    device.publish("state", true, r#"{"battery": 71}"#).await;
    // The session is there, so this one comes live; the retained copy comes at each new
    // subscription.
    let retained = r#"{"type":"transfer","product":"p","from":"A","to":"B"}"#;
    device.publish("event", true, retained).await;
    device.transfer("a").await;
    until("both are stored", || journal.len() == 2).await;
    let codes = |journal: &Journal| -> Vec<_> {
        journal
            .rejected()
            .into_iter()
            .map(|(code, _)| code)
            .collect()
    };
    assert_eq!(codes(&journal), ["not-your-topic"]);
    gateway.cancel.cancel();
    gateway.task.await.unwrap();
    let gateway = Gateway::start_up(&mosquitto, &journal).await;
    device.transfer("b").await;
    until("the next is stored", || journal.ids().contains("b")).await;
    assert_eq!(
        journal.len(),
        3,
        "a retained event was taken again: {:?}",
        journal.ids()
    );
    // Nobody can tell whether it is a copy: a person has to look at it.
    assert_eq!(codes(&journal), ["not-your-topic", "retained"]);
    let view = gateway.board.snapshot().devices[&Name::new("pda-1").unwrap()].clone();
    assert_eq!(view.state.unwrap()["battery"], 71);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn a_message_that_is_too_large_is_told_and_not_asked_for_without_pause() {
    let mosquitto = Mosquitto::plain().await;
    let journal = Journal::default();
    let mut config = config(format!("mqtt://127.0.0.1:{}", mosquitto.port));
    config.packet_bytes_max = 4_096;
    let gateway = Gateway::start(&config, &journal);
    gateway.until_state("up").await;
    let device = Device::start(&mosquitto, "pda-1").await;
    device.publish("scan", false, vec![b'1'; 8_000]).await;
    gateway.until_state("down").await;
    let detail = gateway.state().1;
    assert!(detail.contains("mqtt.broker.packet_bytes_max"), "{detail}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    gateway.abort().await;
    let log = fs::read_to_string(mosquitto.dir.path().join("log")).unwrap();
    let connects = log.matches("New client connected").filter(|_| true).count();
    assert!(connects <= 8, "{connects} connections in 4 s");
}

/// An authority, a certificate for the broker, and one for the gateway, as PEM files in `dir`.
pub fn write_certificates(dir: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    for (name, usage) in [
        ("server", ExtendedKeyUsagePurpose::ServerAuth),
        ("client", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &ca).unwrap();
        fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn tls_certificates_and_passwords_are_shown_to_a_broker_that_asks() {
    let settings = "cafile DIR/ca.pem\ncertfile DIR/server.pem\nkeyfile DIR/server.key\nrequire_certificate true\n\
                    allow_anonymous false\npassword_file DIR/passwords";
    let mosquitto = Mosquitto::start(settings, |dir| {
        write_certificates(dir);
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(dir.join("passwords"))
            .args(["gateway", "s3cret"])
            .status();
        assert!(made.unwrap().success());
        fs::write(dir.join("right"), "s3cret\n").unwrap();
        fs::write(dir.join("wrong"), "guess\n").unwrap();
    })
    .await;
    let file = |name: &str| Some(mosquitto.dir.path().join(name));
    let mut config = config(format!("mqtts://localhost:{}", mosquitto.port));
    config.username = Some("gateway".to_owned());
    let journal = Journal::default();

    config.password_file = file("right");
    let untrusting = Gateway::start(&config, &journal);
    untrusting.until_state("down").await;
    assert!(
        untrusting.state().1.contains("mqtt.broker.ca"),
        "{:?}",
        untrusting.state()
    );
    untrusting.abort().await;

    config.ca = file("ca.pem");
    let without_certificate = Gateway::start(&config, &journal);
    without_certificate.until_state("down").await;
    without_certificate.abort().await;

    config.client_cert = file("client.pem");
    config.client_key = file("client.key");
    config.password_file = file("wrong");
    let refused = Gateway::start(&config, &journal);
    refused.until_state("down").await;
    assert!(
        refused.state().1.contains("mqtt.broker.password_file"),
        "{:?}",
        refused.state()
    );
    refused.abort().await;

    config.password_file = file("right");
    let gateway = Gateway::start(&config, &journal);
    gateway.until_state("up").await;
    gateway.cancel.cancel();
    gateway.task.await.unwrap();
}
