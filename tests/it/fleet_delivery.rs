//! How bundles and stops reach a gateway that runs as a process, over a real mosquitto and a web
//! server with TLS, and what the gateway reports. Whatever else comes over them, the gateway runs
//! as before, with the reason in status and report.

mod hostile;
mod rig;
mod web;

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::{Value, json};
use stockrelay::fleet::Stop;
use stockrelay::fleet::signing::sign_stop;
use stockrelay::fleet::topics::{BUNDLE_TOPIC, STOP_TOPIC, bundle_topic};

use crate::apply::{Gateway, STRICT};
use crate::broker::rig::until;
use rig::Centre;
use web::{Answer, WebServer};

const OFF: (&str, &str) = ("config.d/50-capture.toml", "capture.check = \"off\"\n");

fn stop(gateway: &Gateway, serial: u64, count: u64) -> Bytes {
    let stop = Stop {
        serial,
        stop: true,
        count,
        reason: "wrong database".to_owned(),
        by: "anna".to_owned(),
    };
    let built = Bytes::from(stop.build().unwrap());
    sign_stop(&built, &gateway.key.signer).unwrap().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn a_bundle_of_the_broker_is_confirmed_and_reported_and_a_stop_holds_the_next_one() {
    let mut centre = Centre::new().await;
    let mut gateway = centre.gateway(2, "group = \"nl\"").await;
    let report = centre.report("the first report", |_| true).await;
    assert_eq!(report["site"], "ams1");
    assert_eq!(report["group"], "nl");
    assert_eq!(report["running"]["serial"], Value::Null);
    assert!(report["disk_free_bytes"].as_u64().unwrap() > 0, "{report}");
    // Odoo runs on the same machine.
    assert_eq!(report["clock_offset_ms"], 0, "{report}");
    assert_eq!(centre.online(), Some(true));

    let seven = gateway.bundle(7, "ams1", &[STRICT]);
    centre.publish(BUNDLE_TOPIC, seven.clone()).await;
    let report = centre
        .report("confirmed", |report| report["last"]["serial"] == 7)
        .await;
    assert_eq!(report["last"]["outcome"], "confirmed", "{report}");
    assert_eq!(report["running"]["serial"], 7);
    assert_eq!(report["running"]["hash"], gateway.config().await["hash"]);
    assert_eq!(report["expires"]["bundle"], "2096-01-01T00:00:00Z");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    let history = gateway.run(&["config", "history"]);
    let history = String::from_utf8(history.stdout).unwrap();
    assert!(history.contains("bundle 7  confirmed  broker"), "{history}");

    // The stop comes first; the group's topic has a higher serial than the common one.
    centre.publish(STOP_TOPIC, stop(&gateway, 8, 1)).await;
    let group = bundle_topic(Some(&"nl".parse().unwrap()));
    let eight = gateway.bundle(8, "ams1", &[OFF]);
    centre.publish(&group, eight).await;
    let report = centre
        .report("held", |report| {
            let reason = report["wanted"]["reason"].as_str().unwrap_or_default();
            report["wanted"]["state"] == "waiting" && reason.contains("wrong database")
        })
        .await;
    assert_eq!(report["wanted"]["serial"], 8);
    assert_eq!(report["wanted"]["ring"], 1);
    assert_eq!(gateway.config().await["serial"], 7);

    // An empty message changes nothing.
    centre.publish(STOP_TOPIC, Bytes::new()).await;
    centre.publish(BUNDLE_TOPIC, Bytes::new()).await;

    // A clean stop, a kill, and a start: what the broker has retained costs nothing.
    gateway.signal(Signal::TERM);
    until("offline after a clean stop", || {
        centre.online() == Some(false)
    })
    .await;
    gateway.restart().await;
    until("online", || centre.online() == Some(true)).await;
    gateway.signal(Signal::KILL);
    until("offline after a kill", || centre.online() == Some(false)).await;
    gateway.restart().await;
    until("online", || centre.online() == Some(true)).await;
    let report = centre
        .report("still held", |report| {
            report["wanted"]["state"] == "waiting"
        })
        .await;
    assert_eq!(report["running"]["serial"], 7);
    let status = gateway.until("the link is up", |status| {
        status["fleet"]["broker"]["state"] == "up"
    });
    assert_eq!(status.await["alarms"]["bundle-rejected"], Value::Null);
    let text = gateway.run(&["status"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("central IT broker up since "), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn a_bundle_is_downloaded_from_an_announced_address_once() {
    let mut centre = Centre::new().await;
    let web = WebServer::start(centre.dir()).await;
    let gateway = centre.gateway(1, "").await;
    let bundle = gateway.bundle(3, "ams1", &[STRICT]);
    let address = web.announce(3, &bundle);
    web.answer(Answer::bundle(&bundle));
    centre.publish(BUNDLE_TOPIC, address.clone()).await;
    let last = gateway.until_ended(3).await;
    assert_eq!(last["outcome"], "confirmed", "{last}");
    assert_eq!(web.requests(), 1);
    // The same serial once more, as another message.
    let again = [address.as_bytes(), b" "].concat();
    centre.publish(BUNDLE_TOPIC, again).await;
    gateway
        .until("it has it", |status| {
            let last = status["fleet"]["broker"]["last"].as_str();
            last.is_some_and(|last| last.contains("has bundle 3 already"))
        })
        .await;
    assert_eq!(web.requests(), 1);
    // An address with a lower serial is refused without a download.
    let old = gateway.bundle(2, "ams1", &[STRICT]);
    centre.publish(BUNDLE_TOPIC, web.announce(2, &old)).await;
    gateway.until_rejected("below 3").await;
    assert_eq!(web.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_polled_with_its_etag_and_without_a_broker() {
    let dir = tempfile::tempdir().unwrap();
    crate::broker::write_certificates(dir.path());
    let web = WebServer::start(dir.path()).await;
    let ca = dir.path().join("ca.pem");
    let fleet = format!(
        "url = \"{}/{{site}}.bundle\"\npoll_s = 1\nca = \"{}\"",
        web.url,
        ca.display()
    );
    web.answer(Answer::status("404 Not Found"));
    let gateway = Gateway::start_with(1, &fleet).await;
    gateway
        .until("the address is down", |status| {
            let detail = status["fleet"]["url"]["detail"].as_str();
            detail.is_some_and(|detail| detail.contains("404"))
        })
        .await;
    let bundle = gateway.bundle(5, "ams1", &[STRICT]);
    web.answer(Answer::bundle(&bundle).with_etag("\"five\""));
    let last = gateway.until_ended(5).await;
    assert_eq!(last["outcome"], "confirmed", "{last}");
    assert_eq!(web.path(), "/ams1.bundle");
    // From now on each request has the ETag.
    until("answers without a body", || web.not_modified() >= 2).await;
    let bodies = web.bodies();
    until("more answers without a body", || web.not_modified() >= 4).await;
    assert_eq!(web.bodies(), bodies);

    // A server whose ETag changes although the bundle does not: no alarm, no second verification.
    web.answer(Answer::bundle(&bundle).with_etag("\"lie\"").ignoring_etag());
    let before = web.bodies();
    until("further bodies", || web.bodies() >= before + 2).await;
    let status = gateway.until("it polls", |_| true).await;
    assert_eq!(status["alarms"]["bundle-rejected"], Value::Null);
    assert_eq!(status["fleet"]["url"]["state"], "up");
    assert_eq!(status["config"]["serial"], 5);
    let next = gateway.bundle(6, "ams1", &[OFF]);
    web.answer(Answer::bundle(&next).with_etag("\"six\""));
    assert_eq!(gateway.until_ended(6).await["outcome"], "confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn a_broker_that_is_gone_while_a_bundle_is_watched_rolls_it_back() {
    let mut centre = Centre::new().await;
    let gateway = centre.gateway(5, "").await;
    let before = gateway.config().await;
    let bundle = gateway.bundle(4, "ams1", &[STRICT]);
    centre.publish(BUNDLE_TOPIC, bundle).await;
    gateway.until_state("watching").await;
    centre.mosquitto.kill();
    gateway
        .until("the watch is extended", |status| {
            let reason = status["config"]["pending"]["reason"].as_str();
            reason.is_some_and(|reason| reason.contains("centre's broker is lost"))
        })
        .await;
    // It waits for the second try, so it is pending again.
    let status = gateway.until("rolled back", |status| {
        status["config"]["last"]["outcome"] == "rolled-back"
    });
    let last = status.await["config"]["last"].clone();
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains("centre's broker"), "{reason}");
    assert_eq!(gateway.config().await["hash"], before["hash"]);
    let status = gateway
        .until("the link is down", |status| {
            status["fleet"]["broker"]["state"] == "down"
        })
        .await;
    let detail = status["fleet"]["broker"]["detail"].as_str().unwrap();
    assert!(detail.contains("cannot connect to the broker"), "{detail}");
    // The reason is reported as soon as the broker is back, and the bundle is tried once more.
    centre.restart().await;
    centre
        .report("the reason", |report| {
            report["last"]
                == json!({
                    "serial": 4, "outcome": "rolled-back", "reason": reason, "at": last["at"],
                })
        })
        .await;
    let last = gateway
        .until("confirmed", |status| {
            status["config"]["last"]["outcome"] == "confirmed"
        })
        .await;
    assert_eq!(last["config"]["serial"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_delivery"]
async fn a_reload_replaces_the_link_only_for_its_keys() {
    let centre = Centre::new().await;
    let gateway = centre.gateway(1, "").await;
    let first = centre.report("a report", |_| true).await;
    let connections = centre.connections();
    gateway
        .site
        .write("config.d/60.toml", "stock.negative = \"allow\"\n");
    let reload = || gateway.run(&["config", "reload"]);
    let output = reload();
    assert!(output.status.success(), "{output:?}");
    centre
        .report("the new hash", |report| {
            report["running"]["hash"] != first["running"]["hash"]
        })
        .await;
    assert_eq!(centre.connections(), connections);
    // A file that is not there is refused, and the link stays.
    let other = "fleet.ca = \"gone.pem\"\n";
    gateway.site.write("config.d/60.toml", other);
    let output = reload();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("fleet.ca"), "{text}");
    assert_eq!(centre.connections(), connections);
    let other = "fleet.poll_s = 77\n";
    gateway.site.write("config.d/60.toml", other);
    let output = reload();
    assert!(output.status.success(), "{output:?}");
    until("a new connection", || {
        centre.connections() == connections + 1
    })
    .await;
    until("online again", || centre.online() == Some(true)).await;
}
