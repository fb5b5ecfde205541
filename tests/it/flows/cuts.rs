//! The power goes at every moment it can while flows run, and the person goes on once it is back.
//!
//! The journal runs on the disk of `crash`, with the real driver on it. Each moment is opened
//! again: every movement that a display confirmed exists, and when the devices have sent all their
//! scans again, each movement exists once. A flow's events and its state are one commit, so no
//! event is even created twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use stockrelay::board::Board;
use stockrelay::capture::Capture;
use stockrelay::catalog::Catalog;
use stockrelay::channel::{Outbound, Outlet, Outlets};
use stockrelay::clock;
use stockrelay::config;
use stockrelay::decode::profile::Profile;
use stockrelay::decode::profiles::{DeviceRule, Profiles};
use stockrelay::event::{Event, Seq, SourceKind};
use stockrelay::flow::Driver;
use stockrelay::journal::{Accepted, Journal, Namespace, WriterHandle};
use stockrelay::odoo::{Direction, Kind, Order, OrderLine, PickingState, Row};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, line, profile};
use crate::crash::{Cut, LoggedDisk, cuts};
use crate::floor::{name, scan};
use crate::moves::adds_up;
use stockrelay::odoo_id::{PickingId, ProductId, UnitId};

/// Later than anything here: no pause comes before it.
const LATER_S: i64 = 3_600;
/// Longer ago than what a flow waits before it makes what is complete by itself, and not so long
/// that all is forgotten.
const PAUSED_S: i64 = -120;

/// Codes of one device that come together, when, and how many events are made by then.
struct Beeps(&'static str, &'static [&'static str], i64, usize);

/// What the flows know: the copy of Odoo's data, and which device has which.
struct Floor {
    copy: Catalog,
    profiles: Profiles,
    _dir: tempfile::TempDir,
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

fn order() -> Order {
    let line = |product| OrderLine {
        product,
        demand: 5.0,
        unit: Some(UnitId::new(1)),
        picked: 0.0,
        from: None,
        to: None,
        lot: None,
    };
    Order {
        id: PickingId::new(1),
        name: "WH/OUT/1".to_owned(),
        origin: None,
        kind: Direction::Outgoing,
        state: PickingState::Assigned,
        partner: None,
        scheduled: None,
        backorder_of: None,
        lines: vec![line(ProductId::new(10)), line(ProductId::new(11))],
        cut: false,
    }
}

impl Floor {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let copy = Catalog::open(dir.path(), "a").unwrap();
        copy.apply(Kind::Unit, &[row(1, "UNIT")]).unwrap();
        let products = [row(10, "CHAIR"), row(11, "TABLE")];
        copy.apply(Kind::Product, &products).unwrap();
        let bins = [row(5, "LOC-A"), row(6, "LOC-B"), row(7, "LOC-C")];
        copy.apply(Kind::Location, &bins).unwrap();
        copy.put_orders(&[order()]).unwrap();
        for kind in Kind::ALL {
            copy.set_since(kind, "2026-11-23 08:00:00").unwrap();
        }
        let rule = |start| {
            let profile = Profile::parse(&profile("kind = \"mqtt\"", start)).unwrap();
            DeviceRule {
                profile: Arc::new(profile),
                operator: None,
            }
        };
        let profiles = Profiles::default();
        profiles.set_devices(BTreeMap::from([
            (name("ring-1"), rule("transfer")),
            (name("ring-2"), rule("pick")),
        ]));
        Self {
            copy,
            profiles,
            _dir: dir,
        }
    }
}

/// The flows at work on a journal.
struct Run {
    journal: Journal,
    writer: WriterHandle,
    said: mpsc::Receiver<Outbound>,
    cancel: CancellationToken,
    driver: JoinHandle<()>,
}

impl Run {
    /// As the daemon does it: nothing is taken in before.
    async fn start((journal, writer): (Journal, WriterHandle), floor: &Floor) -> Self {
        Driver::store_first_cursor(&journal).await.unwrap();
        let copies = watch::Sender::new(Some(floor.copy.clone()));
        let capture = Capture::new(
            config::Capture::default(),
            &config::Orders::default(),
            copies.subscribe(),
            PATIENCE,
            Some(journal.clone()),
        );
        let (sender, said) = mpsc::channel(1_000);
        let outlets = Outlets {
            listen: Outlet::new(sender),
            ..Outlets::default()
        };
        let ways = (floor.profiles.clone(), capture, outlets);
        let driver = Driver::new(journal.clone(), copies.subscribe(), ways, Board::new()).unwrap();
        let cancel = CancellationToken::new();
        let driver = tokio::spawn(driver.run(cancel.clone()));
        Self {
            journal,
            writer,
            said,
            cancel,
            driver,
        }
    }

    /// The number of the last of them.
    async fn append(&self, scans: &[Event]) -> Seq {
        let entries = scans.iter().cloned().map(Ok).collect();
        let accepted = self.journal.inbox().append(entries).await.unwrap();
        let last = accepted.into_iter().map(|accepted| match accepted {
            Accepted::Stored { seq } | Accepted::Duplicate { original: seq } => seq,
            Accepted::Rejected { code, .. } => panic!("{code}"),
        });
        last.max().unwrap()
    }

    /// Until all scans up to this one are read, and what they led to is kept and counted.
    async fn has_read(&self, seq: Seq, what: &str) {
        let read = || {
            let kept = self
                .journal
                .read_namespace(Namespace::FlowCursor)
                .unwrap()
                .pop()?;
            String::from_utf8(kept.1).unwrap().parse::<Seq>().ok()
        };
        until(what, || read().is_some_and(|cursor| cursor >= seq)).await;
        // What is on disk a reader sees at once, the counts only once the writer is through with
        // it.
        self.journal
            .inbox()
            .store_side_values(Vec::new())
            .await
            .unwrap();
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.driver.await.unwrap();
        close(self.journal, self.writer).await;
    }
}

async fn close(journal: Journal, writer: WriterHandle) {
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(in_time, "not within a minute: {what}");
}

/// What is in the journal: how many scans, and what flows have made, in order.
fn contents(journal: &Journal) -> (usize, Vec<String>) {
    let events = journal.events(Seq::ZERO, 1_000).unwrap().into_iter();
    let (own, scans): (Vec<_>, Vec<_>) = events
        .map(|recorded| recorded.event)
        .partition(|event| event.source == SourceKind::Flow);
    let made = own.iter();
    let made = made.map(|event| format!("{}: {}", event.device, line(event)));
    (scans.len(), made.collect())
}

fn scans(floor: &[Beeps]) -> Vec<Vec<Event>> {
    let now = clock::now();
    let mut ids = 0..;
    let mut beep = |device: &str, code: &str, second: i64| {
        let at = now + SignedDuration::from_secs(second);
        let id = ids
            .next()
            .map_or_else(String::new, |id: u32| id.to_string());
        Event {
            at,
            received: at,
            ..scan(device, &id, code, 0)
        }
    };
    let groups = floor.iter();
    groups
        .map(|Beeps(device, codes, second, _)| {
            let codes = codes.iter();
            codes.map(|code| beep(device, code, *second)).collect()
        })
        .collect()
}

/// What existed when a display confirmed it: syncs, scans, events.
type Told = Vec<(usize, usize, usize)>;

/// Each code is answered before the next, as people do it.
async fn work(disk: &LoggedDisk, floor: &Floor, beeps: &[Beeps], scans: &[Vec<Event>]) -> Told {
    let opened = disk.open();
    // From here on there is a journal to lose.
    let mut told = vec![(disk.syncs(), 0, 0)];
    let mut run = Run::start(opened, floor).await;
    let mut last = Seq::ZERO;
    for (Beeps(_, codes, second, made), scans) in beeps.iter().zip(scans) {
        last = run.append(scans).await;
        // That all is right is not said so late.
        let answered = codes.iter().filter(|_| *second == LATER_S);
        for code in answered {
            let said = tokio::time::timeout(PATIENCE, run.said.recv()).await;
            assert!(matches!(said, Ok(Some(_))), "{code}: no text was sent");
        }
        let journal = &run.journal;
        until("the events are made", || contents(journal).1.len() == *made).await;
        told.push((disk.syncs(), contents(journal).0, *made));
    }
    run.has_read(last, "all is read").await;
    run.stop().await;
    told
}

/// Takes up what a cut left, and sends all scans again.
async fn take_up(
    cut: Cut,
    floor: &Floor,
    (scans, told, expected): (&[Vec<Event>], &Told, &[&str]),
) {
    let what = format!("after sync {}, {}", cut.syncs, cut.what);
    let disk = LoggedDisk::holding(cut.files);
    let opened = disk
        .open_with(&config::Journal::default())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let (stored, made) = contents(&opened.0);
    let by_then = told.iter().rfind(|(syncs, ..)| *syncs <= cut.syncs);
    if let Some((_, scans_told, made_told)) = by_then {
        assert!(stored >= *scans_told, "{what}: {stored} of {scans_told}");
        assert!(made.len() >= *made_told, "{what}: {made:?}");
    }
    let run = Run::start(opened, floor).await;
    let last = run.append(&scans.concat()).await;
    run.has_read(last, &what).await;
    assert_eq!(contents(&run.journal).1, expected, "{what}");
    adds_up(&run.journal);
    let again = run.journal.totals().duplicates - stored as u64;
    assert_eq!(again, 0, "{what}: events that were there are made again");
    run.stop().await;
}

async fn cut_at_every_sync(beeps: &[Beeps], expected: &[&str]) {
    let floor = Floor::new();
    let disk = LoggedDisk::default();
    let scans = scans(beeps);
    let told = work(&disk, &floor, beeps, &scans).await;
    let mut count = 0;
    for cut in cuts(&disk, told[0].0) {
        take_up(cut, &floor, (&scans, &told, expected)).await;
        count += 1;
    }
    assert!(count > 3 * beeps.len(), "{count} cuts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_power_goes_each_movement_is_made_once() {
    let beeps = [
        Beeps("ring-1", &["LOC-A"], LATER_S, 0),
        Beeps("ring-2", &["WH/OUT/1", "LOC-A"], LATER_S, 0),
        Beeps("ring-1", &["CHAIR"], LATER_S, 0),
        Beeps("ring-2", &["CHAIR"], LATER_S, 0),
        Beeps("ring-1", &["CHAIR", "TABLE"], LATER_S, 0),
        Beeps("ring-1", &["LOC-B"], LATER_S, 2),
        Beeps("ring-2", &["TABLE"], LATER_S, 2),
        Beeps("ring-1", &["NOWHERE"], LATER_S, 2),
        Beeps("ring-1", &["SR-UNDO"], LATER_S, 4),
        Beeps("ring-2", &["SR-QTY-2"], LATER_S, 4),
        Beeps("ring-2", &["OBTVALI"], LATER_S, 7),
        Beeps("ring-1", &["LOC-A", "TABLE"], LATER_S, 7),
        Beeps("ring-1", &["SR-UNDO"], LATER_S, 7),
        Beeps("ring-2", &["SR-FLOW-COUNT", "LOC-B"], LATER_S, 7),
        Beeps("ring-1", &["CHAIR", "SR-QTY-5", "LOC-C"], LATER_S, 8),
        Beeps("ring-2", &["CHAIR", "SR-QTY-7", "LOC-C"], LATER_S, 9),
        Beeps("ring-2", &["TABLE", "OBTVALI"], LATER_S, 10),
    ];
    let expected = [
        "ring-1: transfer 2 CHAIR LOC-A > LOC-B",
        "ring-1: transfer 1 TABLE LOC-A > LOC-B",
        "ring-1: undo",
        "ring-1: undo",
        "ring-2: pick 1 CHAIR of WH/OUT/1 from LOC-A",
        "ring-2: pick 2 TABLE of WH/OUT/1 from LOC-A",
        "ring-2: validate WH/OUT/1",
        "ring-1: transfer 5 CHAIR LOC-A > LOC-C",
        "ring-2: count 7 CHAIR LOC-B",
        "ring-2: count 1 TABLE LOC-C",
    ];
    cut_at_every_sync(&beeps, &expected).await;
}

/// What is complete by itself is made by no scan: its events are the last scan's, however often
/// they are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_power_goes_what_a_pause_completes_is_made_once() {
    let beeps = [
        Beeps(
            "ring-2",
            &["WH/OUT/1", "LOC-A", "CHAIR", "TABLE", "TABLE"],
            PAUSED_S,
            2,
        ),
        Beeps("ring-2", &["CHAIR"], LATER_S, 2),
    ];
    let expected = [
        "ring-2: pick 1 CHAIR of WH/OUT/1 from LOC-A",
        "ring-2: pick 2 TABLE of WH/OUT/1 from LOC-A",
    ];
    cut_at_every_sync(&beeps, &expected).await;
}
