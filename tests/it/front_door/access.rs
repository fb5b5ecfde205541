//! Who gets in: passwords, certificates, nobody, and how often.

pub mod certificates;

use super::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use stockrelay::config::Listen;
use stockrelay::source::Intake;
use stockrelay::source::devices::hash_password;
use stockrelay::source::front_door::{FrontDoor, FrontDoorError};

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

/// The file is checked when a client connects, at most once a second.
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

async fn until(door: &Door, what: &str, so: impl Fn(&BTreeMap<String, String>) -> bool) {
    let waiting = async {
        while !so(&door.board.snapshot().alarms) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(in_time, "{what}: {:?}", door.board.snapshot().alarms);
}

#[tokio::test]
async fn a_device_that_is_refused_is_in_an_alarm_until_it_is_in() {
    let (config, _dir) = with_passwords(&[("pda-8", "right")]);
    let door = Door::open(Listen {
        packet_bytes_max: 2_048,
        ..config
    })
    .await;
    for _ in 0..3 {
        Raw::hello(&door, login("x", "pda-8", "wrong", true)).await;
    }
    until(&door, "the alarm", |alarms| {
        let alarm = alarms.get("log-in");
        alarm.is_some_and(|alarm| {
            alarm.contains("pda-8 3 times since 20") && alarm.contains("devices.toml")
        })
    })
    .await;
    let mut client = Raw::connect(&door, login("x", "pda-8", "right", false)).await;
    until(&door, "it is in", |alarms| !alarms.contains_key("log-in")).await;
    // A packet that is larger than the door takes.
    client.send(&[0x32, 0x80, 0x20]).await;
    client.closed().await;
    until(&door, "the packet", |alarms| {
        let alarm = alarms.get("packet-too-large");
        alarm.is_some_and(|alarm| alarm.starts_with("Cut off: pda-8 once since 20"))
    })
    .await;
}

#[tokio::test]
async fn a_list_without_a_device_that_can_log_in_is_an_alarm() {
    let (config, _dir) = with_passwords(&[]);
    let file = config.devices.clone().unwrap();
    let door = Door::open(config).await;
    until(&door, "the alarm", |alarms| {
        let alarm = alarms.get("no-credentials");
        alarm.is_some_and(|alarm| alarm.starts_with("no device can log in: "))
    })
    .await;
    write_devices(&file, &[("pda-1", "one")]);
    until(&door, "one can", |alarms| {
        !alarms.contains_key("no-credentials")
    })
    .await;
}
