//! Key events as the kernel hands them out, from where a grabbed device would give them to
//! movements: keys → codes → journal → flow. That a device is found, grabbed and found again needs
//! one: `tests/it/hid.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use evdev::{EventType, LedCode, MiscCode};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::board::Board;
use crate::capture::Capture;
use crate::catalog::Catalog;
use crate::channel::{Outbound, Outlets};
use crate::config;
use crate::decode::profile::{Connection, Layout};
use crate::decode::profiles::DeviceRule;
use crate::event::{Action, Goods, Move, Movement, Seq, SourceKind};
use crate::flow::Driver;
use crate::journal::Journal;
use crate::odoo::{Kind, Row};
use crate::odoo_id::UnitId;
use crate::source::Intake;
use crate::source::scanners::{is_good, list};

const PATIENCE: Duration = Duration::from_mins(1);
const SHIFT: u16 = 42;
const ENTER: u16 = 28;

/// The keys that a hand or a scanner types, instead of a real device.
struct Typed(mpsc::Receiver<InputEvent>);

impl Typing for Typed {
    async fn next(&mut self) -> io::Result<InputEvent> {
        let gone = || io::Error::from_raw_os_error(19);
        self.0.recv().await.ok_or_else(gone)
    }
}

/// A key as the kernel reports it: the number that the device has for it, the key, and that this is
/// all for now.
fn key(key: u16, value: i32) -> [InputEvent; 3] {
    [
        InputEvent::new(
            EventType::MISC.0,
            MiscCode::MSC_SCAN.0,
            0x7_0000 + i32::from(key),
        ),
        InputEvent::new(EventType::KEY.0, key, value),
        report(SynchronizationCode::SYN_REPORT),
    ]
}

fn report(what: SynchronizationCode) -> InputEvent {
    InputEvent::new(EventType::SYNCHRONIZATION.0, what.0, 0)
}

/// The keys of a text on a US keyboard, each held long enough to repeat itself.
fn typed(text: &str) -> Vec<InputEvent> {
    let mut events = Vec::new();
    for wanted in text.chars() {
        let found = (0..=100).flat_map(|key| [(key, false), (key, true)]);
        let (number, shift) = found
            .into_iter()
            .find(|(key, shift)| {
                layout::character(Layout::Us, *key, *shift, false) == Some((wanted, false))
            })
            .expect("a key for it");
        if shift {
            events.extend(key(SHIFT, 1));
        }
        events.extend([key(number, 1), key(number, 2), key(number, 0)].concat());
        if shift {
            events.extend(key(SHIFT, 0));
        }
    }
    events
}

fn row(id: i64, barcode: &str) -> Row {
    Row {
        id,
        active: true,
        display_name: Some(barcode.to_owned()),
        barcode: Some(barcode.to_owned()),
        tracking: Some("none".to_owned()),
        uom_id: Some(UnitId::new(1)),
        factor: Some(1.0),
        ..Row::default()
    }
}

/// Odoo's data, as far as it matters here.
fn floor(dir: &Path) -> Catalog {
    let copy = Catalog::open(dir, "a").unwrap();
    copy.apply(Kind::Unit, &[row(1, "UNIT")]).unwrap();
    copy.apply(Kind::Product, &[row(10, "CHAIR")]).unwrap();
    let bins = [row(5, "LOC-A"), row(6, "LOC-B")];
    copy.apply(Kind::Location, &bins).unwrap();
    for kind in Kind::ALL {
        copy.set_since(kind, "2026-11-23 08:00:00").unwrap();
    }
    copy
}

/// A gateway with one keyboard scanner whose codes make movements.
struct Gateway {
    journal: Journal,
    keys: mpsc::Sender<InputEvent>,
    said: mpsc::Receiver<Outbound>,
    scanner: tokio::task::JoinHandle<Ended>,
    _dir: tempfile::TempDir,
}

impl Gateway {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("scanners.toml");
        let text = "[scanners.desk]\nprofile = \"generic-hid\"\nport = \"/nowhere\"\nflow = \"transfer\"\noperator = \"anna\"\n";
        std::fs::write(&file, text).unwrap();
        let scanner = list::read(&file).unwrap().pop().unwrap();
        let (journal, _writer) =
            Journal::open(&dir.path().join("data"), &config::Journal::default()).unwrap();
        let copies = watch::Sender::new(Some(floor(dir.path())));
        let capture = Capture::new(
            config::Capture::default(),
            &config::Orders::default(),
            copies.subscribe(),
            PATIENCE,
            Some(journal.clone()),
        );
        let intake = Intake::with_capture(journal.inbox().clone(), capture.clone());
        let rule = DeviceRule {
            profile: Arc::clone(&scanner.profile),
            operator: scanner.operator.clone(),
        };
        intake
            .profiles()
            .set_scanners(BTreeMap::from([(scanner.name.clone(), rule)]));
        let (sender, said) = mpsc::channel(10);
        let outlets = Outlets {
            scanners: Some(sender),
            ..Outlets::default()
        };
        let ways = (intake.profiles().clone(), capture, outlets);
        let driver = Driver::new(journal.clone(), copies.subscribe(), ways, Board::new()).unwrap();
        let cancel = CancellationToken::new();
        tokio::spawn(driver.run(cancel.clone()));
        let Connection::Hid(hid) = scanner.profile.connection.clone() else {
            panic!("a keyboard's profile");
        };
        let (keys, typed) = mpsc::channel(1_000);
        let scanner = tokio::spawn(async move {
            let mut desk = Desk::new(scanner, SourceKind::Hid, intake, Board::new(), cancel);
            let Err(ended) = read(&mut desk, &hid, Typed(typed)).await;
            ended
        });
        Self {
            journal,
            keys,
            said,
            scanner,
            _dir: dir,
        }
    }

    async fn type_in(&self, events: impl IntoIterator<Item = InputEvent>) {
        for event in events {
            self.keys.send(event).await.unwrap();
        }
    }

    /// Types a code, and waits for its answer. A keyboard cannot show the answer; other clients may
    /// receive it.
    async fn scan(&mut self, code: &str) -> bool {
        self.type_in(typed(code)).await;
        self.type_in([key(ENTER, 1), key(ENTER, 0)].concat()).await;
        let said = tokio::time::timeout(PATIENCE, self.said.recv()).await;
        let said = said.expect("a word in time").expect("a word");
        is_good(&said.payload).expect("good or bad")
    }
}

#[tokio::test]
async fn what_a_keyboard_scanner_types_moves_goods() {
    let mut gateway = Gateway::start();
    // Other events of a keyboard, such as its lights, are not part of a code.
    let led = InputEvent::new(EventType::LED.0, LedCode::LED_CAPSL.0, 1);
    gateway.type_in([led]).await;
    assert!(!gateway.scan("CHAIR").await, "a bin is wanted first");
    assert!(gateway.scan("LOC-A").await);
    assert!(gateway.scan("CHAIR").await);
    // The kernel's buffer ran over: what is left of this code is none.
    gateway.type_in(typed("CHA")).await;
    let dropped = report(SynchronizationCode::SYN_DROPPED);
    gateway.type_in([dropped]).await;
    gateway.type_in(typed("CHAIR")).await;
    gateway.type_in(key(ENTER, 1)).await;
    assert!(gateway.scan("SR-QTY-3").await);
    assert!(gateway.scan("LOC-B").await);

    let events = gateway.journal.events(Seq::ZERO, 100).unwrap();
    let (made, scans): (Vec<_>, Vec<_>) = events
        .into_iter()
        .map(|recorded| recorded.event)
        .partition(|event| event.source == SourceKind::Flow);
    assert!(scans.iter().all(|scan| scan.source == SourceKind::Hid));
    let codes = scans.iter().map(|scan| match &scan.action {
        Action::Scan { code, .. } => code.as_str(),
        other => panic!("{other:?}"),
    });
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes, ["CHAIR", "LOC-A", "CHAIR", "SR-QTY-3", "LOC-B"]);
    let [moved] = made.as_slice() else {
        panic!("{made:?}");
    };
    assert_eq!(moved.operator.as_deref(), Some("anna"));
    let expected = Action::Move(Move::new(
        Movement::Transfer,
        Goods {
            product: "CHAIR".to_owned(),
            quantity: 3.into(),
            from: Some("LOC-A".to_owned()),
            to: Some("LOC-B".to_owned()),
            ..Goods::default()
        },
    ));
    assert_eq!(moved.action, expected);

    drop(gateway.keys);
    let ended = tokio::time::timeout(PATIENCE, gateway.scanner).await;
    let ended = ended.expect("it ends").unwrap();
    assert!(
        matches!(
            ended,
            Ended::Gone {
                heard: true,
                absent: false,
                ..
            }
        ),
        "{ended:?}"
    );
}
