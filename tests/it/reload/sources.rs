//! Sources that a reload adds, removes or restarts: the front door, scanners, a broker.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use stockrelay::clock;
use stockrelay::event::SourceKind;
use tokio::io::AsyncWriteExt as _;
use tokio_serial::SerialStream;

use super::site::{Device, PATIENCE, Site, transfer};
use crate::broker::rig::Mosquitto;

const DOOR: &str = "mqtt.listen.address = \"127.0.0.1:0\"\nmqtt.listen.anonymous = true\n";

fn state(site: &Site, source: &str) -> Option<String> {
    let live = site.daemon().board().snapshot();
    live.sources.get(source).map(|view| view.state.clone())
}

#[tokio::test]
async fn the_front_door_closes_and_opens_again_with_its_sessions() {
    let site = Site::build("", "").await;
    // Without the lines of the front door; the scanners' list keeps the configuration valid.
    let main = std::fs::read_to_string(site.path("config.toml")).unwrap();
    let lines = main.lines().filter(|line| !line.starts_with("mqtt.listen"));
    let main = lines.collect::<Vec<_>>().join("\n");
    site.write(
        "config.toml",
        &format!("{main}\nscanners = \"scanners.toml\"\n"),
    );
    site.write("scanners.toml", "");
    site.write("config.d/50.toml", DOOR);
    let mut site = site.open().await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    device.publish("event", &transfer("1")).await;
    device.publish("state", r#"{"battery": 80}"#).await;

    site.reload("").await;
    assert!(
        device.receive().await.is_none(),
        "the device is disconnected"
    );
    assert_eq!(site.daemon().mqtt_address(), None);
    assert_eq!(state(&site, "mqtt.listen"), None);
    assert_eq!(site.alarm("anonymous"), None);

    site.reload(DOOR).await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    // What an earlier door has retained is still there.
    let state = device.subscribe_to_retained("state").await;
    assert_eq!(state, r#"{"battery": 80}"#);
    device.publish("event", &transfer("2")).await;
    site.until_posted(2).await;
    site.stop().await;
}

#[tokio::test]
async fn only_scanners_with_another_entry_are_restarted() {
    let (mut one, one_end) = SerialStream::pair().unwrap();
    let (mut two, two_end) = SerialStream::pair().unwrap();
    let path = |end: &SerialStream| tokio_serial::SerialPort::name(end).unwrap();
    let (one_path, two_path) = (path(&one_end), path(&two_end));
    let list = |operator: &str| {
        let entry = |name: &str, path: &str, operator: &str| {
            format!(
                "[scanners.{name}]\nprofile = \"generic-serial\"\nport = \"{path}\"\noperator = \"{operator}\"\n"
            )
        };
        entry("one", &one_path, "anna") + &entry("two", &two_path, operator)
    };
    let site = Site::build("", "scanners = \"scanners.toml\"\n").await;
    site.write("scanners.toml", &list("ben"));
    let mut site = site.open().await;
    let up = |name: &str| {
        let name = format!("scanner:{name}");
        move |daemon: &stockrelay::daemon::Daemon| {
            let live = daemon.board().snapshot();
            live.sources
                .get(&name)
                .is_some_and(|view| view.state == "up")
        }
    };
    site.until("both are up", |daemon| {
        up("one")(daemon) && up("two")(daemon)
    })
    .await;
    // Half a code of the scanner that stays, and of the one that is restarted.
    one.write_all(b"]E040063813").await.unwrap();
    two.write_all(b"]E040063813").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    site.write("scanners.toml", &list("carl"));
    site.reload("scanners = \"scanners.toml\"\n").await;
    one.write_all(b"33931\r").await.unwrap();
    two.write_all(b"33931\r").await.unwrap();
    let stored = |count: u64| {
        move |daemon: &stockrelay::daemon::Daemon| daemon.journal().totals().stored == count
    };
    site.until("both codes are stored", stored(2)).await;
    site.until("it is up again", up("two")).await;
    two.write_all(b"]E04000000000006\r").await.unwrap();
    site.until("the restarted scanner reads", stored(3)).await;
    let events = site
        .daemon()
        .journal()
        .events(stockrelay::event::Seq::ZERO, 10)
        .unwrap();
    let newest = &events[2].event;
    assert_eq!(
        (newest.device.as_str(), newest.operator.as_deref()),
        ("two", Some("carl"))
    );
    assert_eq!(newest.source, SourceKind::Serial);
    assert_eq!(
        events[0].event.action, events[1].event.action,
        "both codes are whole"
    );

    // Without a list, no scanner is left.
    site.reload("").await;
    site.until("both are gone", |daemon| {
        let live = daemon.board().snapshot();
        !live.sources.keys().any(|name| name.starts_with("scanner:"))
    })
    .await;
    site.stop().await;
}

#[tokio::test]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored broker"]
async fn the_link_to_a_broker_is_new_only_if_its_keys_changed() {
    let mosquitto = Mosquitto::plain().await;
    let broker_with = |password_file: &str, keep_alive_s: u16| {
        format!(
            "mqtt.broker.url = \"mqtt://127.0.0.1:{}\"\nmqtt.broker.keep_alive_s = {keep_alive_s}\n\
             mqtt.broker.username = \"ams1\"\nmqtt.broker.password_file = \"{password_file}\"\n",
            mosquitto.port
        )
    };
    let broker = |keep_alive_s| broker_with("one", keep_alive_s);
    let links = || {
        let log = std::fs::read_to_string(mosquitto.dir.path().join("log")).unwrap();
        log.matches("as stockrelay-ams1").count()
    };
    let mut site = Site::start("", "").await;
    for (file, password) in [("one", "secret"), ("same", "secret"), ("other", "changed")] {
        site.write(file, password);
    }
    site.reload(&broker(30)).await;
    let up = |daemon: &stockrelay::daemon::Daemon| {
        let live = daemon.board().snapshot();
        live.sources
            .get("mqtt.broker")
            .is_some_and(|view| view.state == "up")
    };
    site.until("it is connected", up).await;
    let mut options = MqttOptions::new("pda-1", "127.0.0.1", mosquitto.port);
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 10);
    let receipts = "stockrelay/v1/ams1/pda-1/receipt";
    client.subscribe(receipts, QoS::AtLeastOnce).await.unwrap();
    tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            if let Event::Incoming(Incoming::Disconnect) = event {
                break;
            }
        }
    });
    let publish = async |id: &str| {
        let topic = "stockrelay/v1/ams1/pda-1/event";
        client
            .publish(topic, QoS::AtLeastOnce, false, transfer(id))
            .await
            .unwrap();
    };
    publish("1").await;
    site.until_posted(1).await;
    assert_eq!(links(), 1);
    site.reload(&format!("{}stock.negative = \"allow\"\n", broker(30)))
        .await;
    publish("2").await;
    site.until_posted(2).await;
    // A bundle brings the same secrets in another directory.
    site.reload(&broker_with("same", 30)).await;
    publish("3").await;
    site.until_posted(3).await;
    assert_eq!(links(), 1, "the same link");
    site.reload(&broker_with("other", 30)).await;
    publish("4").await;
    site.until_posted(4).await;
    assert_eq!(links(), 2, "a new link");
    site.reload(&broker(60)).await;
    publish("5").await;
    site.until_posted(5).await;
    assert_eq!(links(), 3, "a new link");

    site.reload("").await;
    let begun = clock::instant();
    while state(&site, "mqtt.broker").is_some() {
        assert!(begun.elapsed() < PATIENCE, "the broker is still a source");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    site.stop().await;
}
