//! What each section changes: one test for each group of keys.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::mqttbytes::v4::Packet;
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::config;
use stockrelay::demo::odoo::seed::{bin_barcode, product_barcode};
use stockrelay::source::devices::hash_password;
use stockrelay::view::client::Client;
use tokio::net::TcpStream;

use super::site::{Device, PATIENCE, Site, free_port, transfer};
use crate::front_door::access::certificates::Authority;

#[tokio::test]
async fn capture_answers_in_another_language_and_then_not_at_all() {
    let mut site = Site::start("", "").await;
    site.until_copied().await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    device.subscribe("display").await;
    let unknown = |id: &str| transfer(id).replace(&product_barcode(2), "no-such");
    let english = device.ask("event", &unknown("1")).await;
    let reloaded = site.reload("capture.language = \"de\"\n").await;
    assert_eq!(reloaded.changed, ["capture.language"]);
    let german = device.ask("event", &unknown("2")).await;
    assert_ne!(english, german);
    site.reload("capture.check = \"off\"\n").await;
    device.publish("event", &transfer("3")).await;
    // Strict again: an unknown product is a rejected reading, and the device shows that.
    site.reload("capture.check = \"strict\"\n").await;
    let told = device.ask("event", &unknown("4")).await;
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["ok"], false, "{told}");
    assert_eq!(site.daemon().journal().totals().rejected, 1);
    site.stop().await;
}

#[tokio::test]
async fn a_changed_profile_changes_the_meaning_of_the_next_code() {
    let profile = |pointer: &str| {
        format!(
            "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
             [connection]\nkind = \"mqtt\"\n[payload]\ncode = \"{pointer}\"\nid = \"/nr\"\n"
        )
    };
    let site = Site::build("[devices.pda-1]\nprofile = \"own.toml\"\n", "").await;
    site.write("own.toml", &profile("/old"));
    let mut site = site.open().await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    let codes = |site: &Site| {
        let events = site
            .daemon()
            .journal()
            .events(stockrelay::event::Seq::ZERO, 10);
        let codes = events.unwrap().into_iter().map(|recorded| {
            let stockrelay::event::Action::Scan { code, .. } = recorded.event.action else {
                panic!("no scan")
            };
            code
        });
        codes.collect::<Vec<_>>()
    };
    device
        .publish("scan", r#"{"nr": "1", "old": "A", "new": "B"}"#)
        .await;
    // devices.toml itself is as before.
    site.write("own.toml", &profile("/new"));
    site.reload("").await;
    device
        .publish("scan", r#"{"nr": "2", "old": "A", "new": "B"}"#)
        .await;
    assert_eq!(codes(&site), ["A", "B"]);
    site.stop().await;
}

#[tokio::test]
async fn another_password_disconnects_only_its_device() {
    let list = |first: &str, second: &str| {
        format!(
            "[devices.pda-1]\npassword = \"{first}\"\n[devices.pda-2]\npassword = \"{second}\"\n"
        )
    };
    let (one, two, new) = (
        hash_password("one"),
        hash_password("two"),
        hash_password("new"),
    );
    let keys = "mqtt.listen.anonymous = false\n";
    let mut site = Site::start(&list(&one, &two), keys).await;
    let address = site.address();
    let log_in = |name, password| Device::try_connect(address, name, Some(password));
    let mut first = log_in("pda-1", "one").await.unwrap();
    let mut second = log_in("pda-2", "two").await.unwrap();
    site.write("devices.toml", &list(&new, &two));
    site.reload(keys).await;
    assert!(first.receive().await.is_none(), "pda-1 is disconnected");
    second.publish("event", &transfer("1")).await;
    assert!(log_in("pda-1", "one").await.is_err());
    let mut first = log_in("pda-1", "new").await.unwrap();
    first.publish("event", &transfer("2")).await;

    // A device that is removed leaves, too, without a reload.
    site.write(
        "devices.toml",
        &format!("[devices.pda-1]\npassword = \"{new}\"\n"),
    );
    assert!(second.receive().await.is_none(), "pda-2 is disconnected");
    first.publish("event", &transfer("3")).await;
    site.stop().await;
}

#[tokio::test]
async fn anonymous_clients_leave_when_they_are_no_longer_allowed() {
    let list = format!("[devices.pda-2]\npassword = \"{}\"\n", hash_password("two"));
    let mut site = Site::start(&list, "").await;
    let address = site.address();
    let mut anonymous = Device::connect(address, "pda-1").await;
    let mut known = Device::try_connect(address, "pda-2", Some("two"))
        .await
        .unwrap();
    assert!(site.alarm("anonymous").is_some());
    site.reload("mqtt.listen.anonymous = false\n").await;
    assert!(anonymous.receive().await.is_none());
    assert!(site.alarm("anonymous").is_none());
    known.publish("event", &transfer("1")).await;
    assert!(Device::try_connect(address, "pda-1", None).await.is_err());
    site.stop().await;
}

#[tokio::test]
async fn another_address_keeps_the_connections() {
    let mut site = Site::start("", "").await;
    let old = site.address();
    let mut device = Device::connect(old, "pda-1").await;
    let listen = |address: &str| format!("mqtt.listen.address = \"{address}\"\n");
    let (port, other) = (old.port(), free_port());
    // The same port on all addresses, another port, and back.
    let steps = [
        format!("0.0.0.0:{port}"),
        format!("127.0.0.1:{other}"),
        old.to_string(),
    ];
    for (number, address) in steps.into_iter().enumerate() {
        site.reload(&listen(&address)).await;
        assert_eq!(site.address().to_string(), address);
        device
            .publish("event", &transfer(&format!("{number}")))
            .await;
        let own = [127, 0, 0, 1];
        let mut new = Device::connect((own, site.address().port()).into(), "pda-2").await;
        new.publish("event", &transfer(&format!("{number}"))).await;
    }
    let refused = TcpStream::connect(("127.0.0.1", other)).await;
    assert!(refused.is_err(), "the old address is closed");
    assert_eq!(site.daemon().journal().totals().stored, 6);
    site.stop().await;
}

#[tokio::test]
async fn limits_of_the_front_door_hold_for_new_connections() {
    let mut site = Site::start("", "mqtt.listen.connections_max = 1\n").await;
    let address = site.address();
    let mut first = Device::connect(address, "pda-1").await;
    assert!(Device::try_connect(address, "pda-2", None).await.is_err());
    site.reload("mqtt.listen.connections_max = 5\nmqtt.listen.packet_bytes_max = 1024\n")
        .await;
    let mut second = Device::connect(address, "pda-2").await;
    let long = transfer("1").replace('}', &format!(", \"operator\": \"{}\"}}", "x".repeat(200)));
    let larger = format!("[{}]", vec![long; 8].join(","));
    first.publish("event", &larger).await;
    let publishing = second.try_publish("event", &larger).await;
    assert!(!publishing, "a packet above the new limit");
    site.stop().await;
}

#[tokio::test]
async fn new_certificates_are_for_new_connections_and_other_authorities_end_old_ones() {
    stockrelay::tls::install_provider();
    let [first, second] = [Authority::new(), Authority::new()];
    let keys = "mqtt.listen.anonymous = false\nmqtt.listen.tls_cert = \"cert.pem\"\n\
                mqtt.listen.tls_key = \"key.pem\"\nmqtt.listen.client_ca = \"ca.pem\"\n";
    let own = hash_password("own");
    let site = Site::build(&format!("[devices.pda-2]\npassword = \"{own}\"\n"), keys).await;
    let install = |site: &Site, authority: &Authority, clients: &str| {
        let (cert, key) = authority.issue(Some("gateway"), &["localhost"]);
        site.write("cert.pem", &cert);
        site.write("key.pem", &key);
        site.write("ca.pem", clients);
    };
    install(&site, &first, &first.pem);
    let mut site = site.open().await;
    let address = site.address();
    let device = first.issue(Some("pda-1"), &[]);
    let certified = tls(address, &first, Some(&device), ("pda-1", None)).await;
    let with_password = tls(address, &first, None, ("pda-2", Some("own"))).await;
    let (mut certified, mut with_password) = (certified.unwrap(), with_password.unwrap());

    // A renewed server certificate: both stay.
    install(&site, &second, &first.pem);
    site.reload(keys).await;
    assert!(
        tls(address, &first, None, ("pda-2", Some("own")))
            .await
            .is_none()
    );
    let renewed = tls(address, &second, Some(&device), ("pda-1", None)).await;
    assert!(renewed.is_some());
    drop(renewed);
    ping(&mut with_password)
        .await
        .expect("pda-2 is still connected");

    // Another authority: the device whose certificate it has not issued leaves.
    site.write("ca.pem", &second.pem);
    site.reload(keys).await;
    ping(&mut with_password)
        .await
        .expect("pda-2 is still connected");
    let left = async { while ping(&mut certified).await.is_some() {} };
    tokio::time::timeout(PATIENCE, left)
        .await
        .expect("pda-1 is disconnected");
    assert!(
        tls(address, &second, Some(&device), ("pda-1", None))
            .await
            .is_none()
    );
    site.stop().await;
}

type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Logs in over TLS. `None`: refused, or the server's certificate is of another authority.
async fn tls(
    address: std::net::SocketAddr,
    authority: &Authority,
    own: Option<&(String, String)>,
    (name, password): (&str, Option<&str>),
) -> Option<TlsStream> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der(&authority.pem)).unwrap();
    let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![der(cert)], key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let host = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(host, stream).await.ok()?;
    // A client id of its own, so that no connection takes another one's session.
    let id = format!("{name}-{}", clock::now().as_nanosecond());
    let mut connect = rumqttc::mqttbytes::v4::Connect::new(id);
    if let Some(password) = password {
        connect.set_login(name, password);
    }
    let mut bytes = bytes::BytesMut::new();
    connect.write(&mut bytes).unwrap();
    stream.write_all(&bytes).await.ok()?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await.ok()?;
    (connack[3] == 0).then_some(stream)
}

/// `None`: the connection has ended.
async fn ping(stream: &mut TlsStream) -> Option<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(&[0xC0, 0]).await.ok()?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.ok()?;
    assert_eq!(answer, [0xD0, 0]);
    Some(())
}

#[tokio::test]
async fn open_documents_are_sealed_by_new_limits() {
    let mut site = Site::start("", "documents.idle_s = 3600\ndocuments.age_s = 3600\n").await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    device.publish("event", &transfer("1")).await;
    site.until("the document is open", |daemon| {
        daemon.board().snapshot().open_documents == 1
    })
    .await;
    site.reload("documents.idle_s = 0\n").await;
    site.until_posted(1).await;
    site.stop().await;
}

#[tokio::test]
async fn rules_for_orders_and_stock_hold_for_the_next_document() {
    let mut site = Site::start("", "").await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    let receive = |id: &str| {
        let (product, bin) = (product_barcode(2), bin_barcode(0));
        let event =
            json!({"id": id, "type": "receive", "product": product, "to": bin, "quantity": 1});
        event.to_string()
    };
    let parked = |count: u64| {
        move |daemon: &stockrelay::daemon::Daemon| daemon.journal().totals().parked.events == count
    };
    device.publish("event", &receive("1")).await;
    site.until("a receipt without an order is parked", parked(1))
        .await;
    site.reload("orders.blind_receipts = true\n").await;
    device.publish("event", &receive("2")).await;
    site.until_posted(1).await;
    // More than there is.
    site.reload("stock.negative = \"refuse\"\n").await;
    let much = transfer("3").replace("\"quantity\":1", "\"quantity\":1000000");
    device.publish("event", &much).await;
    site.until("more than the bin has is parked", parked(2))
        .await;
    site.stop().await;
}

#[tokio::test]
async fn the_journal_has_its_new_budget() {
    let mut site = Site::start("", "").await;
    let budget = |site: &Site| site.daemon().journal().totals().budget_bytes;
    assert_eq!(budget(&site), config::Journal::default().budget_bytes);
    let reloaded = site
        .reload("journal.budget = \"32 MiB\"\njournal.cache_bytes = 3145728\n")
        .await;
    assert_eq!(budget(&site), 32 << 20);
    assert_eq!(reloaded.changed, ["journal.budget", "journal.cache_bytes"]);
    assert_eq!(reloaded.at_restart, ["journal.cache_bytes"]);
    site.stop().await;
}

#[tokio::test]
async fn the_control_socket_and_the_metrics_move() {
    let mut site = Site::start("", "").await;
    let status = async |site: &Site, name: &str| {
        let client = Client::new(&site.path(name));
        client.get::<Value>("/v1/status").await
    };
    status(&site, "control.sock").await.unwrap();
    let (one, two) = (free_port(), free_port());
    for (name, port) in [
        ("other.sock", one),
        ("control.sock", two),
        ("other.sock", one),
    ] {
        let metrics = format!("control.metrics = \"127.0.0.1:{port}\"\n");
        site.reload(&format!("control.socket = \"{name}\"\n{metrics}"))
            .await;
        let shown = status(&site, name).await.unwrap();
        let client = Client::new(&site.path(name));
        let config: Value = client.get("/v1/config").await.unwrap();
        assert_eq!(shown["config"], config);
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/healthz")).await;
        assert!(answer.unwrap().status().is_success());
    }
    let begun = clock::instant();
    while site.path("control.sock").exists() {
        assert!(begun.elapsed() < PATIENCE, "the old socket is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    site.stop().await;
}

#[tokio::test]
async fn the_present_shift_begins_as_the_new_shifts_say() {
    let mut site = Site::start("", "time_zone = \"UTC\"\n").await;
    let client = Client::new(&site.path("control.sock"));
    let read = async || {
        let status: Value = client.get("/v1/status?since=shift").await.unwrap();
        let window = &status["window"];
        let began: Timestamp = serde_json::from_value(window["requested"].clone()).unwrap();
        (window["begin"].as_str().unwrap().to_owned(), began)
    };
    assert_eq!(read().await.0, "day");
    for minute in ["00", "30"] {
        let shifts = (0..24).map(|hour| format!("\"{hour:02}:{minute}\""));
        let shifts: Vec<_> = shifts.collect();
        let keys = format!("time_zone = \"UTC\"\nshifts = [{}]\n", shifts.join(", "));
        let reloaded = site.reload(&keys).await;
        assert_eq!(reloaded.changed, ["shifts"]);
        let (kind, began) = read().await;
        assert_eq!(kind, "shift");
        assert_eq!(began.strftime("%M:%S").to_string(), format!("{minute}:00"));
        let age = clock::now().duration_since(began);
        assert!(!age.is_negative() && age.as_hours() == 0, "{age:#}");
    }
    // A wrong list changes nothing.
    let refused = site.try_reload("shifts = [\"25:00\"]\n").await;
    assert!(refused.unwrap_err().to_string().contains("shifts"));
    assert_eq!(read().await.1.strftime("%M").to_string(), "30");
    site.reload("time_zone = \"UTC\"\n").await;
    assert_eq!(read().await.0, "day");
    site.stop().await;
}

#[tokio::test]
async fn the_configuration_that_runs_is_shown_with_its_values_and_their_origins() {
    let mut site = Site::start("", "").await;
    let client = Client::new(&site.path("control.sock"));
    let before: Value = client.get("/v1/config").await.unwrap();
    let expected = [
        ("serial", Value::Null),
        ("name", Value::Null),
        ("origin", json!("files")),
        ("expires", Value::Null),
        ("pending", Value::Null),
        ("last", Value::Null),
    ];
    for (key, value) in &expected {
        assert_eq!(before.get(key), Some(value), "{key}: {before}");
    }
    // Nothing has changed: it runs since the start.
    site.reload("").await;
    let same: Value = client.get("/v1/config").await.unwrap();
    assert_eq!(same, before);
    site.reload("# rules\nstock.negative = \"allow\"\n").await;
    let after: Value = client.get("/v1/config").await.unwrap();
    assert_ne!(after["hash"], before["hash"]);
    assert!(
        after["since"].as_str() > before["since"].as_str(),
        "{after}"
    );
    let effective: Value = client.get("/v1/config/effective").await.unwrap();
    assert_eq!(effective["hash"], after["hash"]);
    let negative = &effective["keys"]["stock.negative"];
    assert_eq!(negative["value"], "allow");
    let origin = negative["origin"].as_str().unwrap();
    assert!(origin.ends_with("config.d/50.toml:2"), "{origin}");
    assert_eq!(effective["keys"]["odoo.warehouse"]["origin"], "default");
    assert_eq!(effective["keys"]["odoo.warehouse"]["value"], "WH");
    site.stop().await;
}

/// The gateway has closed the connection, or answers a publish that is too large with nothing else.
impl Device {
    async fn try_publish(&mut self, channel: &str, payload: &str) -> bool {
        self.begin(channel, payload).await;
        matches!(self.receive().await, Some(Packet::PubAck(_)))
    }
}
