//! Who gets in: passwords, certificates, nobody, and how often.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use stockrelay::config::Listen;
use stockrelay::source::Intake;
use stockrelay::source::devices::hash_password;
use stockrelay::source::front_door::{FrontDoor, FrontDoorError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A door that knows these devices.
pub fn with_passwords(devices: &[(&str, &str)]) -> (Listen, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("devices.toml");
    write_devices(&file, devices);
    let config = Listen {
        devices: Some(file),
        anonymous: false,
        ..anonymous()
    };
    (config, dir)
}

fn write_devices(file: &Path, devices: &[(&str, &str)]) {
    let mut text = String::new();
    for (name, password) in devices {
        let hash = hash_password(password);
        writeln!(text, "[devices.\"{name}\"]\npassword = \"{hash}\"").unwrap();
    }
    std::fs::write(file, text).unwrap();
}

fn login<'a>(client_id: &'a str, username: &'a str, password: &'a str, v5: bool) -> Hello<'a> {
    Hello {
        v5,
        client_id,
        login: Some((username, password)),
        ..Hello::default()
    }
}

#[tokio::test]
async fn a_password_lets_its_device_in_and_nobody_else() {
    let (config, _dir) = with_passwords(&[("pda-1", "right"), ("pda-2", "other")]);
    let door = Door::open(config).await;
    let mut client = Raw::connect(&door, login("any id at all", "pda-1", "right", false)).await;
    client.event(1, "e").await;
    client.acked(1).await;
    // Again, from memory.
    Raw::connect(&door, login("x", "pda-1", "right", true)).await;
    // Without a user name the client id is the device.
    Raw::connect(&door, login("pda-1", "", "right", false)).await;
    for (client_id, username, password) in [
        ("x", "pda-1", "wrong"),
        ("x", "pda-1", "other"),
        ("x", "nobody", "right"),
        ("x", "a/b", "right"),
        ("pda-1", "", "wrong"),
    ] {
        for (v5, code) in [(false, 4), (true, 0x86)] {
            let (mut client, connack) =
                Raw::hello(&door, login(client_id, username, password, v5)).await;
            assert_eq!(
                connack.body[..2],
                [0, code],
                "{client_id} {username} {password}"
            );
            client.closed().await;
        }
    }
}

#[tokio::test]
async fn without_credentials_nobody_comes_in_unless_it_is_said_so() {
    let (config, _dir) = with_passwords(&[("pda-1", "pw")]);
    let door = Door::open(config.clone()).await;
    assert!(!door.board.snapshot().alarms.contains_key("anonymous"));
    for (v5, code) in [(false, 5), (true, 0x87)] {
        let (mut client, connack) = Raw::hello(
            &door,
            Hello {
                v5,
                ..Hello::default()
            },
        )
        .await;
        assert_eq!(connack.body[1], code);
        client.closed().await;
    }

    let door = Door::open(Listen {
        anonymous: true,
        ..config
    })
    .await;
    let alarms = door.board.snapshot().alarms;
    assert!(
        alarms["anonymous"].contains("mqtt.listen.anonymous"),
        "{alarms:?}"
    );
    // A device that has a password cannot be had without it.
    let (_, connack) = Raw::hello(&door, Hello::default()).await;
    assert_eq!(connack.body[1], 5);
    Raw::connect(
        &door,
        Hello {
            client_id: "pda-9",
            ..Hello::default()
        },
    )
    .await;
    for (client_id, v5, code) in [
        ("a b", false, 2),
        ("a/b", true, 0x85),
        ("", false, 2),
        ("", true, 0x85),
    ] {
        let (_, connack) = Raw::hello(
            &door,
            Hello {
                v5,
                client_id,
                ..Hello::default()
            },
        )
        .await;
        assert_eq!(connack.body[1], code, "{client_id:?}");
    }
}

#[tokio::test]
async fn an_empty_client_id_gets_one_where_mqtt_allows_it() {
    let (config, _dir) = with_passwords(&[("pda-1", "pw")]);
    let door = Door::open(config).await;
    let (_, connack) = Raw::hello(&door, login("", "pda-1", "pw", true)).await;
    assert_eq!(connack.body[1], 0);
    assert!(String::from_utf8_lossy(&connack.body).contains("stockrelay-"));
    Raw::connect(&door, login("", "pda-1", "pw", false)).await;
    let hello = Hello {
        clean: false,
        ..login("", "pda-1", "pw", false)
    };
    let (_, connack) = Raw::hello(&door, hello).await;
    assert_eq!(connack.body[1], 2);
}

#[tokio::test]
async fn an_address_that_guesses_is_refused_and_known_devices_get_in_all_the_same() {
    let (config, _dir) = with_passwords(&[("pda-1", "right")]);
    let door = Door::open(config).await;
    Raw::connect(&door, login("x", "pda-1", "right", false)).await;
    for _ in 0..10 {
        let (_, connack) = Raw::hello(&door, login("x", "pda-1", "guess", false)).await;
        assert_eq!(connack.body[1], 4);
    }
    let (_, connack) = Raw::hello(&door, login("x", "pda-1", "guess", true)).await;
    assert_eq!(connack.body[1], 0x9F);
    Raw::connect(&door, login("x", "pda-1", "right", false)).await;
}

#[tokio::test]
async fn the_list_of_devices_is_read_again_and_a_broken_one_changes_nothing() {
    let (config, _dir) = with_passwords(&[("pda-1", "one")]);
    let file = config.devices.clone().unwrap();
    let door = Door::open(config).await;
    Raw::connect(&door, login("x", "pda-1", "one", false)).await;

    std::fs::write(&file, "[devices.pda-1\n").unwrap();
    until_refused(&door, login("x", "pda-1", "two", false)).await;
    Raw::connect(&door, login("x", "pda-1", "one", false)).await;
    until_alarm(&door, true).await;

    write_devices(&file, &[("pda-1", "two")]);
    let later = SystemTime::from(stockrelay::clock::now()) + Duration::from_secs(5);
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(later)
        .unwrap();
    until_alarm(&door, false).await;
    Raw::connect(&door, login("x", "pda-1", "two", false)).await;
    let (_, connack) = Raw::hello(&door, login("x", "pda-1", "one", false)).await;
    assert_eq!(connack.body[1], 4);
}

/// The file is looked at when someone connects, once a second at the most.
async fn until_alarm(door: &Door, raised: bool) {
    let waiting = async {
        while door.board.snapshot().alarms.contains_key("devices-file") != raised {
            drop(Raw::hello(door, Hello::default()).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("the file was not read again");
}

async fn until_refused(door: &Door, hello: Hello<'_>) {
    let (_, connack) = Raw::hello(door, hello).await;
    assert_eq!(connack.body[1], 4);
}

#[tokio::test]
async fn a_disabled_device_stays_out() {
    let (config, _dir) = with_passwords(&[("pda-1", "pw")]);
    let file = config.devices.clone().unwrap();
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("enabled = false\n[devices.pda-2]\nenabled = false\n");
    std::fs::write(&file, text).unwrap();
    let door = Door::open(Listen {
        anonymous: true,
        ..config
    })
    .await;
    let (_, connack) = Raw::hello(&door, login("x", "pda-1", "pw", false)).await;
    assert_eq!(connack.body[1], 4);
    let (_, connack) = Raw::hello(
        &door,
        Hello {
            client_id: "pda-2",
            ..Hello::default()
        },
    )
    .await;
    assert_eq!(connack.body[1], 5);
}

#[tokio::test]
async fn what_is_wrong_is_said_before_the_door_opens() {
    let bind = |config: &Listen| {
        let (inbox, _requests) = stockrelay::journal::Inbox::new();
        let site = stockrelay::event::Name::new("ams1").unwrap();
        let board = stockrelay::board::Board::new();
        FrontDoor::bind(
            config,
            site,
            Intake::new(inbox.clone()),
            inbox,
            Vec::new(),
            board,
        )
        .err()
    };
    let door = Door::anonymous().await;
    let taken = bind(&Listen {
        address: door.address,
        ..anonymous()
    })
    .unwrap();
    assert!(matches!(taken, FrontDoorError::Bind { .. }));
    assert!(
        taken.to_string().contains(&door.address.to_string()),
        "{taken}"
    );
    let missing = Some("/nowhere/x.pem".into());
    let faults = [
        (
            Listen {
                devices: missing.clone(),
                ..anonymous()
            },
            "mqtt.listen.devices",
        ),
        (
            Listen {
                tls_cert: missing.clone(),
                tls_key: missing.clone(),
                ..anonymous()
            },
            "mqtt.listen.tls_cert",
        ),
    ];
    for (config, names) in faults {
        let error = bind(&config).unwrap().to_string();
        assert!(
            error.contains(names) && error.contains("/nowhere/x.pem"),
            "{error}"
        );
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// PEM chain and key.
    fn issue(&self, common: Option<&str>, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }
}

/// Connects over TLS and answers with the CONNACK's code; `None` if the door hung up.
async fn over_tls(
    door: &Door,
    authority: &Authority,
    own: Option<(String, String)>,
    hello: &Hello<'_>,
) -> Option<u8> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.ok()?;
    stream.write_all(&hello.bytes()).await.ok()?;
    let mut connack = [0; 4];
    let read = stream.read_exact(&mut connack);
    tokio::time::timeout(PATIENCE, read).await.unwrap().ok()?;
    Some(connack[3])
}

#[tokio::test]
async fn a_client_certificate_names_its_device() {
    stockrelay::tls::install_provider();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (cert, key) = authority.issue(Some("gateway"), &["localhost"]);
    std::fs::write(path("cert.pem"), cert).unwrap();
    std::fs::write(path("key.pem"), key).unwrap();
    std::fs::write(path("ca.pem"), &authority.pem).unwrap();
    let config = Listen {
        tls_cert: Some(path("cert.pem")),
        tls_key: Some(path("key.pem")),
        client_ca: Some(path("ca.pem")),
        anonymous: false,
        ..anonymous()
    };
    let door = Door::open(config.clone()).await;
    let own = Hello {
        client_id: "anything",
        will: Some(("stockrelay/v1/ams1/pda-1/state", "x")),
        ..Hello::default()
    };
    let by_name = authority.issue(Some("pda-1"), &[]);
    let by_dns = authority.issue(None, &["pda-1"]);
    assert_eq!(
        over_tls(&door, &authority, Some(by_name.clone()), &own).await,
        Some(0)
    );
    assert_eq!(
        over_tls(&door, &authority, Some(by_dns), &own).await,
        Some(0)
    );
    // A certificate for another device, for none, by another authority, and none at all.
    let other = authority.issue(Some("pda-2"), &[]);
    assert_eq!(
        over_tls(&door, &authority, Some(other), &own).await,
        Some(5)
    );
    let unusable = authority.issue(Some("no name"), &[]);
    assert_eq!(
        over_tls(&door, &authority, Some(unusable), &own).await,
        Some(5)
    );
    let stranger = Authority::new().issue(Some("pda-1"), &[]);
    assert_eq!(
        over_tls(&door, &authority, Some(stranger), &own).await,
        None
    );
    assert_eq!(over_tls(&door, &authority, None, &own).await, None);
    let claims = Hello {
        login: Some(("pda-2", "x")),
        ..Hello::default()
    };
    assert_eq!(
        over_tls(&door, &authority, Some(by_name), &claims).await,
        Some(5)
    );
    // Without TLS there is no answer at all.
    let mut plain = Raw::plain(&door, false).await;
    plain.send(&Hello::default().bytes()).await;
    while plain.next().await.is_some() {}

    // Passwords and certificates beside each other.
    let (passwords, _dir) = with_passwords(&[("pda-1", "pw")]);
    let door = Door::open(Listen {
        devices: passwords.devices,
        ..config
    })
    .await;
    let hello = login("x", "pda-1", "pw", false);
    assert_eq!(over_tls(&door, &authority, None, &hello).await, Some(0));
}

/// What a vendor's device sends has no field `code`: without its profile it would be no scan.
#[tokio::test]
async fn a_devices_scans_are_read_by_the_profile_that_the_list_names() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("devices.toml");
    std::fs::write(&file, "[devices.pda-1]\nprofile = \"own.toml\"\n").unwrap();
    let own = "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
               [connection]\nkind = \"mqtt\"\n[payload]\ncode = \"/barcode\"\nid = \"/nr\"\n";
    std::fs::write(dir.path().join("own.toml"), own).unwrap();
    let config = Listen {
        devices: Some(file),
        ..anonymous()
    };
    let door = Door::open(config).await;
    let mut raw = Raw::v5(&door).await;
    let payload = r#"{"nr": "77", "barcode": "4006381333931"}"#;
    raw.publish("scan", 1, payload).await;
    raw.acked(1).await;
    raw.publish("scan", 2, r#"{"nr": "78", "code": "4006381333931"}"#)
        .await;
    raw.nacked(2, 0x99).await;
    assert_eq!(door.journal.ids(), ["77"]);
}
