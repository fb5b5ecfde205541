//! The link against a broker and a web server that follow a script, and a gateway that notes what
//! it gets.

mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::MqttOptions;
use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fleet::orders::FleetStatus;
use crate::fleet::own_report;
use script::{Connection, Script, Web};

const PATIENCE: Duration = Duration::from_secs(20);
const GROUP_TOPIC: &str = "stockrelay-fleet/v1/bundle/nl";

/// Accepts what begins with `good`, and knows it afterwards.
#[derive(Default)]
struct Noted {
    taken: Mutex<Vec<String>>,
    highest: Mutex<Option<u64>>,
    parked: Mutex<u64>,
}

impl Noted {
    fn note(&self, what: &str, bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.taken.lock().unwrap().push(format!("{what} {text}"));
        if text.starts_with("good") {
            Answer::Done
        } else {
            Answer::Refused("not good".to_owned())
        }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl CentreSite for Noted {
    async fn take_bundle(&self, bytes: Bytes, by: &str) -> Result<Answer, OrderError> {
        Ok(self.note(&format!("bundle by {by}:"), &bytes))
    }

    async fn take_stop(&self, bytes: Bytes, _: &str) -> Result<Answer, OrderError> {
        Ok(self.note("stop:", &bytes))
    }

    async fn reject(&self, reason: String, _: &str) -> Result<Answer, OrderError> {
        Ok(self.note("rejected:", reason.as_bytes()))
    }

    fn highest(&self) -> Option<u64> {
        *self.highest.lock().unwrap()
    }

    fn report(&self) -> Report {
        let site = "ams1".parse().unwrap();
        let mut report = own_report::describe(&site, None, &FleetStatus::default(), clock::now());
        report.parked = *self.parked.lock().unwrap();
        report
    }

    async fn measure(&self) -> Measures {
        Measures {
            disk_free_bytes: Some(7),
            ..Measures::default()
        }
    }
}

struct Rig {
    site: Arc<Noted>,
    states: watch::Receiver<CentreState>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn tempo() -> Tempo {
    Tempo {
        report: Duration::from_millis(20),
        spread: Duration::ZERO,
        retry_min: Duration::from_millis(20),
        retry_max: Duration::from_millis(40),
        refused_max: Duration::from_millis(40),
        again_min: Duration::from_millis(200),
        again_max: Duration::from_millis(200),
        ..Tempo::default()
    }
}

impl Rig {
    fn start(script: Option<&Script>, url: Option<String>, tempo: Tempo) -> Self {
        crate::tls::install_provider();
        let broker = script.map(|script| -> BuildOptions {
            let port = script.port();
            Arc::new(move |id| Ok(MqttOptions::new(id, "127.0.0.1", port)))
        });
        let options = CentreOptions {
            site: "ams1".parse().unwrap(),
            group: Some("nl".parse().unwrap()),
            broker,
            url,
            poll: Duration::from_millis(50),
            ca: None,
            client_cert: None,
            client_key: None,
            tempo,
        };
        let site = Arc::new(Noted::default());
        let (sender, states) = watch::channel(CentreState::default());
        let cancel = CancellationToken::new();
        let task = tokio::spawn(run(options, Arc::clone(&site), sender, cancel.clone()));
        Self {
            site,
            states,
            cancel,
            task,
        }
    }

    async fn until(&self, what: &str, so: impl Fn(&[String]) -> bool) {
        let begun = clock::instant();
        while !so(&self.site.taken()) {
            let taken = self.site.taken();
            assert!(begun.elapsed() < PATIENCE, "never: {what}: {taken:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_state(&mut self, so: impl Fn(&CentreState) -> bool) {
        let reached = self.states.wait_for(so);
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        drop(reached.expect("the state is reached").unwrap());
    }
}

/// Reads up to the report, and answers everything.
async fn report(connection: &mut Connection) -> serde_json::Value {
    loop {
        if let Packet::Publish(publish) = connection.next().await
            && publish.topic == "stockrelay-fleet/v1/report/ams1"
        {
            assert!(publish.retain);
            return serde_json::from_slice(&publish.payload).unwrap();
        }
    }
}

#[tokio::test]
async fn the_stop_is_subscribed_first_and_others_learn_whether_the_gateway_is_connected() {
    let script = Script::start().await;
    let mut rig = Rig::start(Some(&script), None, tempo());
    let (mut connection, connect) = script.accept().await;
    let secret = connect.client_id.strip_prefix("stockrelay-fleet-ams1-");
    assert_eq!(secret.unwrap().len(), 16, "{}", connect.client_id);
    let will = connect.last_will.unwrap();
    assert_eq!(will.topic, "stockrelay-fleet/v1/online/ams1");
    assert_eq!(&will.message[..], br#"{"online":false}"#);
    assert!(will.retain && connect.clean_session);

    let first = report(&mut connection).await;
    assert_eq!(first["site"], "ams1");
    assert_eq!(first["disk_free_bytes"], 7);
    *rig.site.parked.lock().unwrap() = 3;
    assert_eq!(report(&mut connection).await["parked"], 3);
    let served = tokio::spawn(async move {
        // The last subscription is answered here.
        while let Some(packet) = connection.next_or_end().await {
            connection.note(&packet);
        }
        connection
    });
    rig.until_state(|state| state.broker.as_ref().unwrap().is_up == Some(true))
        .await;
    rig.cancel.cancel();
    tokio::time::timeout(PATIENCE, &mut rig.task)
        .await
        .unwrap()
        .unwrap();
    let connection = served.await.unwrap();
    let topics = [STOP_TOPIC, GROUP_TOPIC, "stockrelay-fleet/v1/bundle"];
    assert_eq!(connection.subscribed, topics);
    assert_eq!(
        connection.online,
        [
            br#"{"online":true}"#.to_vec(),
            br#"{"online":false}"#.to_vec()
        ]
    );
    assert!(connection.is_goodbye);
}

#[tokio::test]
async fn the_client_id_has_a_random_part_and_a_late_last_will_is_corrected() {
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let script = Script::start().await;
        let often = Tempo {
            online_again: Duration::from_millis(50),
            ..tempo()
        };
        let _rig = Rig::start(Some(&script), None, often);
        let (mut connection, connect) = script.accept().await;
        ids.insert(connect.client_id);
        while connection.online.len() < 2 {
            connection.next().await;
        }
        assert_eq!(connection.online, [br#"{"online":true}"#; 2]);
    }
    assert_eq!(ids.len(), 2, "{ids:?}");
}

#[tokio::test]
async fn the_same_message_is_taken_once_and_again_later_if_it_was_refused() {
    let script = Script::start().await;
    let rig = Rig::start(Some(&script), None, tempo());
    let (mut connection, _) = script.accept().await;
    connection.settle().await;
    for _ in 0..3 {
        connection.send(GROUP_TOPIC, b"good 1").await;
        connection.send(STOP_TOPIC, b"good 2").await;
        connection
            .send("stockrelay-fleet/v1/other", b"good 3")
            .await;
        connection.send(STOP_TOPIC, b"").await;
    }
    rig.until("both are taken", |taken| taken.len() >= 2).await;
    connection.send("stockrelay-fleet/v1/bundle", b"bad").await;
    rig.until("it is refused", |taken| {
        taken.iter().any(|text| text.ends_with("bad"))
    })
    .await;
    connection.send("stockrelay-fleet/v1/bundle", b"bad").await;
    // The gateway asks for the message again, which a broker answers with it.
    connection
        .until_subscribed("stockrelay-fleet/v1/bundle")
        .await;
    connection.send("stockrelay-fleet/v1/bundle", b"bad").await;
    rig.until("it is taken again", |taken| {
        taken.iter().filter(|text| text.ends_with("bad")).count() >= 2
    })
    .await;
    let mut taken = rig.site.taken();
    taken.retain(|text| text.contains("good"));
    taken.sort();
    assert_eq!(taken, ["bundle by broker: good 1", "stop: good 2"]);
}

#[tokio::test]
async fn a_flood_is_read_slowly_and_the_newest_message_of_a_topic_is_taken() {
    let script = Script::start().await;
    let slow = Tempo {
        retry_min: Duration::from_secs(1),
        refused_max: Duration::from_secs(1),
        ..tempo()
    };
    let rig = Rig::start(Some(&script), None, slow);
    let (mut connection, _) = script.accept().await;
    connection.settle().await;
    for number in 0..12 {
        let text = format!("bad {number}");
        connection.send(GROUP_TOPIC, text.as_bytes()).await;
    }
    connection.send(STOP_TOPIC, b"good stop").await;
    rig.until("the stop", |taken| {
        taken.iter().any(|it| it.contains("good stop"))
    })
    .await;
    rig.until("the newest", |taken| {
        taken.iter().any(|it| it.ends_with("bad 11"))
    })
    .await;
    let taken = rig.site.taken();
    assert!(taken.len() <= 9, "each was verified: {taken:?}");
}

#[tokio::test]
async fn a_refused_subscription_is_named_and_a_new_connection_gets_a_report() {
    let script = Script::start().await;
    let mut rig = Rig::start(Some(&script), None, tempo());
    let (mut connection, _) = script.accept().await;
    connection.refuses = true;
    let denied = tokio::spawn(async move {
        while connection.next_or_end().await.is_some() && connection.subscribed.len() < 3 {}
        connection
    });
    rig.until_state(|state| {
        let broker = state.broker.as_ref().unwrap();
        let detail = broker.detail.as_deref().unwrap_or_default();
        broker.is_up == Some(false) && detail.contains(STOP_TOPIC) && detail.contains("acl_file")
    })
    .await;
    drop(denied.await.unwrap());
    let (mut connection, _) = script.accept().await;
    assert_eq!(report(&mut connection).await["site"], "ams1");
}

#[tokio::test]
async fn a_polled_address_has_its_etag_and_once_in_a_while_none() {
    let web = Web::start().await;
    web.answer("good 1", "\"one\"");
    let rig = Rig::start(None, Some(web.url()), tempo());
    rig.until("the bundle", |taken| {
        taken == ["bundle by fleet.url: good 1"]
    })
    .await;
    web.until_asked(Some("\"one\"")).await;
    // A refused bundle is asked for again without its ETag.
    web.answer("bad", "\"two\"");
    rig.until("refused", |taken| taken.len() == 2).await;
    web.until_asked(Some("\"two\"")).await;
    rig.until("refused again", |taken| taken.len() >= 3).await;
    drop(rig);

    let web = Web::start().await;
    web.answer("good 1", "\"one\"");
    let often = Tempo {
        etag_max: Duration::ZERO,
        ..tempo()
    };
    let rig = Rig::start(None, Some(web.url()), often);
    rig.until("the bundle", |taken| taken.len() == 1).await;
    for _ in 0..3 {
        web.until_asked(None).await;
    }
    assert_eq!(rig.site.taken().len(), 1, "the same bytes are recognised");
}

#[tokio::test]
async fn an_address_with_a_known_serial_is_not_downloaded() {
    let script = Script::start().await;
    let rig = Rig::start(Some(&script), None, tempo());
    *rig.site.highest.lock().unwrap() = Some(7);
    let (mut connection, _) = script.accept().await;
    connection.settle().await;
    let announce = |serial: u64| {
        let hash = "0".repeat(64);
        format!(
            r#"{{"serial": {serial}, "url": "https://127.0.0.1:9/x", "sha256": "{hash}", "bytes": 5}}"#
        )
    };
    connection.send(GROUP_TOPIC, announce(7).as_bytes()).await;
    connection.send(GROUP_TOPIC, announce(6).as_bytes()).await;
    rig.until("the lower one is rejected", |taken| {
        taken
            .iter()
            .any(|text| text.contains("bundle 6, which is below 7"))
    })
    .await;
    connection.send(GROUP_TOPIC, announce(8).as_bytes()).await;
    rig.until("the download fails", |taken| {
        taken
            .iter()
            .any(|text| text.contains("cannot download bundle 8"))
    })
    .await;
    let state = rig.states.borrow().clone();
    let last = state.broker.unwrap().last.unwrap();
    assert!(last.contains("127.0.0.1 did not hand out"), "{last}");
    // The sender of the address learns nothing about the host and the port.
    let taken = rig.site.taken();
    let failed = taken.iter().find(|text| text.contains("cannot download"));
    assert_eq!(
        failed.unwrap(),
        "rejected: cannot download bundle 8: the announced address does not hand out this bundle; the gateway's log and status have the reason. The gateway tries again"
    );
    let about_7 = |text: &&String| text.contains("bundle 7");
    assert_eq!(rig.site.taken().iter().find(about_7), None);
}

#[test]
fn waits_double_up_to_a_limit_and_begin_again() {
    let seconds = Duration::from_secs;
    let mut wait = DoublingPause::new(seconds(2), seconds(10));
    for longest in [2, 4, 8, 10, 10] {
        let next = wait.next();
        assert!(
            next >= seconds(longest) / 2 && next <= seconds(longest),
            "{next:?}"
        );
    }
    wait.reset();
    assert!(wait.next() <= seconds(2));
    let expires = BTreeMap::<String, Timestamp>::new();
    assert_eq!(Measures::default().expires, expires);
}
