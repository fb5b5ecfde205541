//! A keyboard scanner through the kernel: a virtual keyboard types, and the real source reads it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use evdev::uinput::VirtualDevice;
use evdev::{AttributeSet, BusType, EventType, InputEvent, InputId, KeyCode};
use stockrelay::board::Board;
use stockrelay::clock;
use stockrelay::config;
use stockrelay::event::{Action, Seq, SourceKind};
use stockrelay::journal::Journal;
use stockrelay::source::Intake;
use stockrelay::source::scanners::Scanners;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

fn keyboard() -> VirtualDevice {
    let keys: AttributeSet<KeyCode> = (1..=100).map(KeyCode::new).collect();
    VirtualDevice::builder()
        .unwrap()
        .name("stockrelay test scanner")
        .input_id(InputId::new(BusType::BUS_USB, 0x05e0, 0x1200, 1))
        .with_keys(&keys)
        .unwrap()
        .build()
        .unwrap()
}

fn type_keys(keyboard: &mut VirtualDevice, keys: &[KeyCode]) {
    for key in keys {
        for value in [1, 0] {
            let event = InputEvent::new(EventType::KEY.0, key.code(), value);
            keyboard.emit(&[event]).unwrap();
        }
    }
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = clock::instant();
    while !so() {
        assert!(begun.elapsed() < SOON, "not {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn list(dir: &Path, port: &Path) -> std::path::PathBuf {
    let list = dir.join("scanners.toml");
    let text = format!(
        "[scanners.desk]\nprofile = \"generic-hid\"\nport = \"{}\"\n",
        port.display()
    );
    fs::write(&list, text).unwrap();
    list
}

#[tokio::test]
#[ignore = "needs /dev/uinput: on a machine that has it, as root, cargo test -- --ignored hid"]
async fn a_keyboard_scanner_is_grabbed_read_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let port = dir.path().join("port");
    let plug = |keyboard: &mut VirtualDevice| {
        let node = keyboard.enumerate_dev_nodes_blocking().unwrap().next();
        let node = node.expect("a device file").unwrap();
        drop(fs::remove_file(&port));
        std::os::unix::fs::symlink(&node, &port).unwrap();
        node
    };
    let mut scanner = keyboard();
    let node = plug(&mut scanner);
    let limits = config::Journal::default();
    let (journal, _writer) = Journal::open(&dir.path().join("data"), &limits).unwrap();
    let (board, cancel) = (Board::new(), CancellationToken::new());
    let intake = Intake::new(journal.inbox().clone());
    let scanners = Scanners::new(&list(dir.path(), &port), intake, board.clone()).unwrap();
    let running = tokio::spawn(scanners.run(cancel.clone()));
    let is = |state: &'static str| {
        let board = board.clone();
        move || {
            let live = board.snapshot();
            live.sources
                .get("scanner:desk")
                .is_some_and(|source| source.state == state)
        }
    };

    until("up", is("up")).await;
    let grabbed = evdev::Device::open(&node).unwrap().grab();
    assert!(
        grabbed.is_err(),
        "no other program may receive what it types"
    );
    let code = [KeyCode::KEY_4, KeyCode::KEY_0, KeyCode::KEY_ENTER];
    type_keys(&mut scanner, &code);
    until("stored", || {
        journal.events(Seq::ZERO, 10).unwrap().len() == 1
    })
    .await;

    drop(scanner);
    until("down", is("down")).await;
    let mut scanner = keyboard();
    plug(&mut scanner);
    until("up again", is("up")).await;
    type_keys(&mut scanner, &[KeyCode::KEY_5, KeyCode::KEY_ENTER]);
    until("stored", || {
        journal.events(Seq::ZERO, 10).unwrap().len() == 2
    })
    .await;

    let events = journal.events(Seq::ZERO, 10).unwrap();
    let codes = events.iter().map(|recorded| match &recorded.event.action {
        Action::Scan { code, .. } => code.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(codes.collect::<Vec<_>>(), ["40", "5"]);
    assert_eq!(events[0].event.source, SourceKind::Hid);
    cancel.cancel();
    tokio::time::timeout(SOON, running)
        .await
        .expect("it ends")
        .unwrap();
}
