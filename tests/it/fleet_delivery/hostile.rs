//! Whoever may publish on every topic, and web servers that misbehave.

use super::*;
use crate::apply::key;
use stockrelay::fleet::signing::sign_bundle;

/// The gateway runs with bundle 5 as before, and the report has the reason.
async fn runs_as_before(centre: &Centre, gateway: &Gateway, before: &Value, reason: &str) {
    gateway.until_rejected(reason).await;
    let report = centre
        .report(reason, |report| {
            let wanted = report["wanted"]["reason"].as_str().unwrap_or_default();
            wanted.contains(reason)
        })
        .await;
    assert_eq!(report["wanted"]["state"], "refused", "{report}");
    assert_eq!(report["last"]["outcome"], "confirmed", "{report}");
    let alarms = report["alarms"].as_array().unwrap();
    assert!(alarms.contains(&json!("bundle-rejected")), "{report}");
    let after = gateway.config().await;
    for field in ["hash", "serial", "since", "last"] {
        assert_eq!(after[field], before[field], "{reason}: {after}");
    }
}

/// A centre, and a gateway that runs with bundle 5.
async fn with_bundle_5() -> (Centre, Gateway, Value, Bytes) {
    let mut centre = Centre::new().await;
    let gateway = centre.gateway(1, "").await;
    let five = gateway.bundle(5, "ams1", &[STRICT]);
    centre.publish(BUNDLE_TOPIC, five.clone()).await;
    assert_eq!(gateway.until_ended(5).await["outcome"], "confirmed");
    let before = gateway.config().await;
    (centre, gateway, before, five)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn messages_of_whoever_may_publish_everywhere_change_nothing() {
    let (mut centre, gateway, before, five) = with_bundle_5().await;
    let mallory = key("mallory");
    let unsigned = gateway.bundle(9, "ams1", &[OFF]);
    let stranger = Bytes::from(sign_bundle(&unsigned, &mallory.signer).unwrap());
    assert!(stranger.len() > unsigned.len());
    let mut tampered = unsigned.to_vec();
    let place = tampered.windows(5).position(|part| part == b"\"off\"");
    tampered[place.unwrap() + 1] = b'O';
    let old = gateway.bundle(4, "ams1", &[OFF]);
    let bad: [(&str, Vec<u8>, &str); 6] = [
        (BUNDLE_TOPIC, old.to_vec(), "serial 4 is below 5"),
        (BUNDLE_TOPIC, tampered, "wrong-hash"),
        (BUNDLE_TOPIC, vec![7; 100_000], "bad-header"),
        (BUNDLE_TOPIC, b"{\"serial\": 1}".to_vec(), "begins like JSON"),
        (STOP_TOPIC, b"no tar".to_vec(), "truncated"),
        (
            BUNDLE_TOPIC,
            b"{\"serial\": 77, \"url\": \"http://127.0.0.1:9/x\", \"sha256\": \"0000000000000000000000000000000000000000000000000000000000000000\", \"bytes\": 7}".to_vec(),
            "no https:// address",
        ),
    ];
    for (topic, payload, reason) in bad {
        centre.publish(topic, payload).await;
        runs_as_before(&centre, &gateway, &before, reason).await;
    }
    // Topics that are none of the gateway's business.
    for topic in [
        "stockrelay-fleet/v1/bundle/other",
        "stockrelay-fleet/v1/report/ams1/x",
        "stockrelay/v1/ams1/pda/event",
    ] {
        centre.publish(topic, vec![1; 1_000]).await;
    }
    // The right bundle again: the gateway has it, and the alarm ends.
    centre.publish(STOP_TOPIC, Bytes::new()).await;
    centre.publish(BUNDLE_TOPIC, five).await;
    gateway
        .until("the alarm ends", |status| {
            status["alarms"]["bundle-rejected"].is_null()
        })
        .await;
    let report = centre
        .report("nothing is wanted", |report| report["wanted"].is_null())
        .await;
    assert_eq!(report["running"]["serial"], 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn a_message_of_20_mb_costs_its_topic_alone() {
    let (mut centre, gateway, before, _) = with_bundle_5().await;
    centre.publish(BUNDLE_TOPIC, vec![0; 20 << 20]).await;
    runs_as_before(&centre, &gateway, &before, "a bundle has at most").await;
    // The stop comes through.
    centre
        .publish(STOP_TOPIC, super::stop(&gateway, 6, 3))
        .await;
    let status = gateway
        .until("the stop is accepted, and the link is up", |status| {
            let broker = &status["fleet"]["broker"];
            broker["state"] == "up" && broker["last"] == "received the stop"
        })
        .await;
    let detail = status["fleet"]["broker"]["detail"].as_str().unwrap();
    assert!(detail.contains(BUNDLE_TOPIC), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn web_servers_that_misbehave_are_named_and_a_newer_message_ends_the_download() {
    let (mut centre, gateway, before, _) = with_bundle_5().await;
    let web = WebServer::start(centre.dir()).await;
    let six = gateway.bundle(6, "ams1", &[OFF]);
    let bad: [(Answer, &str); 5] = [
        (Answer::status("503 Service Unavailable"), "503"),
        (Answer::redirect(&format!("{}/6", web.url)), "redirects"),
        (Answer::redirect("http://127.0.0.1:9/6"), "redirects"),
        (Answer::endless(), "hands out more than"),
        (
            Answer::bundle(&gateway.bundle(6, "ams1", &[STRICT])),
            "is not the announced one",
        ),
    ];
    for (number, (answer, reason)) in bad.into_iter().enumerate() {
        web.answer(answer);
        // Another message each time.
        let message = web.announce(6, &six) + &" ".repeat(number);
        centre.publish(BUNDLE_TOPIC, message).await;
        let what = format!("the status says {reason}");
        gateway
            .until(&what, |status| {
                let last = status["fleet"]["broker"]["last"].as_str();
                last.is_some_and(|last| last.contains(reason))
            })
            .await;
        // Whoever announced the address must not learn why.
        let told = "the announced address does not hand out this bundle";
        runs_as_before(&centre, &gateway, &before, told).await;
    }
    // A server that never ends its answer, and meanwhile the bundle itself.
    let requests = web.requests();
    web.answer(Answer::slow(&six));
    let message = web.announce(6, &six) + &" ".repeat(9);
    centre.publish(BUNDLE_TOPIC, message).await;
    until("the server was asked", || web.requests() > requests).await;
    centre.publish(BUNDLE_TOPIC, six).await;
    assert_eq!(gateway.until_ended(6).await["outcome"], "confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn a_broker_with_the_certificate_of_another_authority_is_named() {
    let centre = Centre::new().await;
    let other = tempfile::tempdir().unwrap();
    crate::broker::write_certificates(other.path());
    let keys = centre.keys();
    let wrong = other.path().join("ca.pem");
    let (broker, _) = keys.split_once('\n').unwrap();
    let keys = format!("{broker}\nca = \"{}\"", wrong.display());
    let gateway = Gateway::start_with(1, &keys).await;
    let status = gateway
        .until("the link is down", |status| {
            status["fleet"]["broker"]["state"] == "down"
        })
        .await;
    let detail = status["fleet"]["broker"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("TLS") && detail.contains("fleet.ca"),
        "{detail}"
    );
    // It starts without its file, too, and says so at once.
    std::fs::remove_file(&wrong).unwrap();
    gateway
        .until("the alarm", |status| {
            let alarm = status["alarms"]["fleet-link"].as_str();
            alarm.is_some_and(|alarm| alarm.contains("fleet.ca"))
        })
        .await;
    // The file is there again: the gateway finds it by itself.
    std::fs::copy(centre.dir().join("ca.pem"), &wrong).unwrap();
    gateway
        .until("the link is up", |status| {
            status["fleet"]["broker"]["state"] == "up" && status["alarms"]["fleet-link"].is_null()
        })
        .await;
}
