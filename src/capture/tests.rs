//! Capture with a copy on disk and a real journal: rejections, duplicates, recalled events.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::*;
use crate::assemble::{Assembler, Now};
use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading, Verdict};
use crate::clock;
use crate::document::{DocumentNumber, Progress, State};
use crate::event::{RejectedNumber, Seq, SourceKind};
use crate::journal::{Change, WriterHandle};
use crate::odoo::{Kind, Order, OrderLine, PickingState, Row};
use crate::odoo_id::{LocationId, PickingId, ProductId, UnitId};
use crate::reason::RejectionCode;
use crate::source::Intake;

pub(super) fn row(id: i64, name: &str, barcode: &str) -> Row {
    Row {
        id,
        active: true,
        display_name: Some(name.to_owned()),
        barcode: Some(barcode.to_owned()),
        uom_id: Some(UnitId::new(1)),
        ..Row::default()
    }
}

pub(super) fn fill(copy: &Catalog) {
    let unit = Row {
        factor: Some(1.0),
        ..row(1, "Units", "u")
    };
    copy.apply(Kind::Unit, &[unit]).unwrap();
    let serial = Row {
        tracking: Some("serial".to_owned()),
        ..row(11, "Drill", "401")
    };
    copy.apply(Kind::Product, &[row(10, "Chair", "400"), serial])
        .unwrap();
    copy.apply(Kind::Location, &[row(5, "WH/A", "A"), row(6, "WH/B", "B")])
        .unwrap();
    let line = OrderLine {
        product: ProductId::new(10),
        demand: 5.0,
        unit: Some(UnitId::new(1)),
        picked: 0.0,
        from: Some(LocationId::new(5)),
        to: None,
        lot: None,
    };
    let order = |id: i64, name: &str, kind: &str| Order {
        id: PickingId::new(id),
        name: name.to_owned(),
        origin: Some("S1".to_owned()),
        kind: kind.into(),
        state: PickingState::Assigned,
        partner: Some("Acme".to_owned()),
        scheduled: Some("2026-11-25 08:00:00".to_owned()),
        backorder_of: None,
        lines: vec![line.clone()],
        cut: false,
    };
    copy.put_orders(&[
        order(50, "WH/OUT/1", "outgoing"),
        order(51, "WH/IN/1", "incoming"),
    ])
    .unwrap();
    copy.set_orders_since("2026-11-24 08:00:00", false).unwrap();
}

struct Rig {
    dir: tempfile::TempDir,
    copy: Catalog,
    copies: watch::Sender<Option<Catalog>>,
    journal: Journal,
    writer: WriterHandle,
    check: Check,
    intake: Intake,
}

impl Rig {
    fn new(check: Check) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let copy = Catalog::open(dir.path(), "x").unwrap();
        fill(&copy);
        copy.note_refreshed(clock::instant());
        let (journal, writer) =
            Journal::open(dir.path(), &crate::config::Journal::default()).unwrap();
        let copies = watch::Sender::new(Some(copy.clone()));
        let intake = intake(check, &copies, &journal);
        Self {
            dir,
            copy,
            copies,
            journal,
            writer,
            check,
            intake,
        }
    }

    /// As after a restart: what was in memory is gone.
    fn forget(&mut self) {
        self.intake = intake(self.check, &self.copies, &self.journal);
    }

    async fn take(&self, payload: &Value) -> Verdict {
        let reading = Reading {
            id: ReadingId::next(),
            redelivered: false,
            source: SourceKind::Listen,
            device: Name::new("pda-1").unwrap(),
            channel: Channel::Event,
            payload: payload.to_string().into(),
            received: clock::now(),
        };
        self.intake.take(reading).await.unwrap().remove(0)
    }

    /// Each event of these comes into a document of its own kind, and the last document into this
    /// state.
    async fn seal_as(&self, state: State) {
        let site = Name::new("s").unwrap();
        let mut assembler = Assembler::new(site, config::Documents::default(), Seq::ZERO);
        let at = |seconds| Now {
            wall: clock::now(),
            monotonic: Duration::from_secs(seconds),
        };
        let events = self.journal.events(Seq::ZERO, 10).unwrap();
        for event in &events {
            match &event.event.action {
                Action::Undo { .. } => assembler.take_undo(event, &events[0], at(0)),
                _ => assembler.take(event, at(0)),
            }
        }
        let sealed = assembler.seal(at(10_000)).unwrap();
        let inbox = self.journal.inbox();
        let number = DocumentNumber::new(sealed.documents.len() as u64);
        inbox
            .seal(sealed.documents, sealed.skipped, sealed.settled)
            .await
            .unwrap();
        let entry = self.journal.document(number).unwrap().unwrap();
        let change = Change {
            number,
            expect: State::Waiting,
            progress: Progress {
                state,
                ..entry.progress
            },
            by: "anna".to_owned(),
            note: "a test".to_owned(),
        };
        assert_eq!(inbox.change(vec![change]).await.unwrap(), [true]);
    }

    async fn stop(self) {
        self.journal.inbox().close().await.unwrap();
        drop((self.intake, self.journal));
        self.writer.join().unwrap();
        drop(self.dir);
    }
}

fn intake(check: Check, copies: &watch::Sender<Option<Catalog>>, journal: &Journal) -> Intake {
    let config = config::Capture {
        check,
        ..config::Capture::default()
    };
    let fresh = Duration::from_mins(10);
    let capture = Capture::new(
        config,
        &config::Orders::default(),
        copies.subscribe(),
        fresh,
        Some(journal.clone()),
    );
    Intake::with_capture(journal.inbox().clone(), capture)
}

fn pick(id: &str, quantity: u32) -> Value {
    json!({"id": id, "type": "pick", "order": "WH/OUT/1", "product": "400", "quantity": quantity})
}

fn stored(seq: u64) -> Accepted {
    Accepted::Stored { seq: Seq::new(seq) }
}

fn duplicate(original: u64) -> Accepted {
    Accepted::Duplicate {
        original: Seq::new(original),
    }
}

fn said(verdict: &Verdict) -> Value {
    serde_json::from_slice(verdict.display.as_ref().unwrap()).unwrap()
}

#[tokio::test]
async fn lenient_tells_and_keeps_and_strict_turns_away_with_the_payload() {
    let lenient = Rig::new(Check::Lenient);
    let wrong = pick("1", 6);
    let verdict = lenient.take(&wrong).await;
    assert_eq!(verdict.accepted, stored(1));
    assert_eq!(
        said(&verdict),
        json!({"ok": false, "text": "Chair\nToo many: 5 left on WH/OUT/1", "beep": "bad"})
    );
    lenient.stop().await;

    let strict = Rig::new(Check::Strict);
    let array = json!([pick("0", 1), wrong]);
    let reading = Reading {
        id: ReadingId::next(),
        redelivered: false,
        source: SourceKind::Listen,
        device: Name::new("pda-1").unwrap(),
        channel: Channel::Event,
        payload: array.to_string().into(),
        received: clock::now(),
    };
    let verdicts = strict.intake.take(reading).await.unwrap();
    assert_eq!(verdicts[0].accepted, stored(1));
    let Accepted::Rejected { code, message } = &verdicts[1].accepted else {
        panic!("{verdicts:?}")
    };
    assert_eq!(*code, RejectionCode::MoreThanOrdered);
    assert_eq!(message, "Chair: Too many: 4 left on WH/OUT/1");
    assert_eq!(said(&verdicts[1])["ok"], false);
    let kept = strict.journal.rejected(RejectedNumber::ZERO, 10).unwrap();
    assert_eq!(kept[0].id.as_deref(), Some("1"));
    let payload: Value = serde_json::from_slice(&kept[0].payload).unwrap();
    assert_eq!(payload, wrong);
    strict.stop().await;
}

#[tokio::test]
async fn what_was_taken_once_is_taken_again_and_counted_once() {
    let mut rig = Rig::new(Check::Strict);
    let serial =
        json!({"id": "s", "type": "receive", "order": "WH/IN/1", "product": "401", "lot": "N1"});
    let blind = json!({"id": "s", "type": "transfer", "product": "401", "lot": "N1", "from": "A", "to": "B"});
    assert_eq!(rig.take(&blind).await.accepted, stored(1));
    assert_eq!(rig.take(&pick("p", 5)).await.accepted, stored(2));
    let again = rig.take(&pick("p", 5)).await;
    assert_eq!(
        again.accepted,
        Accepted::Duplicate {
            original: Seq::new(2)
        }
    );
    assert_eq!(said(&again)["text"], "Already recorded");
    // Nothing is left to pick: another event is refused, the same one is not, also when only the
    // journal remembers it.
    let refused = rig.take(&pick("q", 1)).await.accepted;
    assert!(
        matches!(
            refused,
            Accepted::Rejected {
                code: RejectionCode::MoreThanOrdered,
                ..
            }
        ),
        "{refused:?}"
    );
    rig.forget();
    let full = OrderLine {
        product: ProductId::new(10),
        demand: 5.0,
        unit: Some(UnitId::new(1)),
        picked: 5.0,
        from: None,
        to: None,
        lot: None,
    };
    let order = Order {
        id: PickingId::new(50),
        name: "WH/OUT/1".to_owned(),
        origin: None,
        kind: Direction::Outgoing,
        state: PickingState::Assigned,
        partner: None,
        scheduled: None,
        backorder_of: None,
        lines: vec![full],
        cut: false,
    };
    rig.copy.put_orders(&[order]).unwrap();
    let again = rig.take(&pick("p", 5)).await;
    assert_eq!(again.accepted, duplicate(2));
    assert_eq!(
        said(&again),
        json!({"ok": true, "text": "Already recorded", "beep": "good"})
    );
    // Not on the order, and that id came before as something else: a duplicate, says the journal.
    assert_eq!(rig.take(&serial).await.accepted, duplicate(1));
    rig.stop().await;
}

#[tokio::test]
async fn a_restart_forgets_neither_what_was_picked_nor_which_serials_were_seen() {
    let mut rig = Rig::new(Check::Strict);
    let came =
        |id: &str| json!({"id": id, "type": "receive", "product": "401", "lot": "N1", "to": "A"});
    assert_eq!(rig.take(&pick("p", 3)).await.accepted, stored(1));
    assert_eq!(rig.take(&came("r")).await.accepted, stored(2));
    rig.forget();
    rig.intake.capture().unwrap().recall();
    let code = |accepted| match accepted {
        Accepted::Rejected { code, message } => (code, message),
        other => panic!("{other:?}"),
    };
    let (refused, message) = code(rig.take(&pick("q", 3)).await.accepted);
    assert_eq!(refused, RejectionCode::MoreThanOrdered);
    assert_eq!(message, "Chair: Too many: 2 left on WH/OUT/1");
    assert_eq!(
        code(rig.take(&came("s")).await.accepted).0,
        RejectionCode::SerialSeen
    );
    assert_eq!(rig.take(&pick("p", 3)).await.accepted, duplicate(1));
    assert_eq!(rig.take(&pick("t", 2)).await.accepted, stored(3));
    rig.stop().await;
}

#[tokio::test]
async fn a_serial_of_a_discarded_document_may_come_in_after_a_restart() {
    let mut rig = Rig::new(Check::Strict);
    let came =
        |id: &str| json!({"id": id, "type": "receive", "product": "401", "lot": "N1", "to": "A"});
    assert_eq!(rig.take(&came("1")).await.accepted, stored(1));
    rig.seal_as(State::Discarded).await;
    rig.forget();
    rig.intake.capture().unwrap().recall();
    assert_eq!(rig.take(&came("2")).await.accepted, stored(2));
    rig.stop().await;
}

#[tokio::test]
async fn two_at_once_do_not_both_take_the_last_and_what_was_not_kept_counts_for_nothing() {
    let rig = Rig::new(Check::Strict);
    let (one, two) = (pick("1", 3), pick("2", 3));
    let (one, two) = tokio::join!(rig.take(&one), rig.take(&two));
    let refused = [&one, &two]
        .iter()
        .filter(|verdict| matches!(verdict.accepted, Accepted::Rejected { .. }))
        .count();
    assert_eq!(refused, 1, "{one:?} {two:?}");
    // Given up before the journal had it: as if it had never come.
    let capture = rig.intake.capture().unwrap();
    let reading = Reading {
        id: ReadingId::next(),
        redelivered: false,
        source: SourceKind::Listen,
        device: Name::new("pda-1").unwrap(),
        channel: Channel::Event,
        payload: pick("3", 2).to_string().into(),
        received: clock::now(),
    };
    let event = crate::decode::decode(&reading).remove(0).unwrap();
    let judged = capture.judge(&event, true).unwrap();
    assert_eq!(
        capture
            .state()
            .memory
            .captured(PickingId::new(50), ProductId::new(10)),
        Decimal::from(5)
    );
    drop(judged);
    assert_eq!(
        capture
            .state()
            .memory
            .captured(PickingId::new(50), ProductId::new(10)),
        Decimal::from(3)
    );
    rig.stop().await;
}

#[tokio::test]
async fn an_old_copy_keeps_what_it_does_not_know_and_no_copy_keeps_everything() {
    let rig = Rig::new(Check::Strict);
    let unknown = json!({"id": "1", "type": "transfer", "product": "999", "from": "A", "to": "B"});
    let verdict = rig.take(&unknown).await;
    assert!(matches!(
        verdict.accepted,
        Accepted::Rejected {
            code: RejectionCode::UnknownProduct,
            ..
        }
    ));
    // As it is opened at a start: nobody has asked Odoo yet.
    let other = tempfile::tempdir().unwrap();
    let stale = Catalog::open(other.path(), "x").unwrap();
    fill(&stale);
    rig.copies.send_replace(Some(stale));
    let verdict = rig.take(&unknown).await;
    assert_eq!(verdict.accepted, Accepted::Stored { seq: Seq::new(1) });
    assert_eq!(
        said(&verdict)["text"],
        "Stored. 999 is not in Odoo's data yet"
    );
    rig.copies.send_replace(None);
    let verdict = rig.take(&pick("2", 99)).await;
    assert_eq!(verdict.accepted, stored(2));
    assert_eq!(said(&verdict)["ok"], true);
    rig.stop().await;
}

#[tokio::test]
async fn a_barcode_that_arrives_in_the_copy_is_known_at_once() {
    let rig = Rig::new(Check::Lenient);
    let scan =
        |id: &str| json!({"id": id, "type": "transfer", "product": "999", "from": "A", "to": "B"});
    assert_eq!(said(&rig.take(&scan("1")).await)["ok"], false);
    rig.copy
        .apply(Kind::Product, &[row(12, "Lamp", "999")])
        .unwrap();
    assert_eq!(said(&rig.take(&scan("2")).await)["text"], "Lamp\n1");
    rig.stop().await;
}

#[tokio::test]
async fn off_says_nothing_and_refuses_nothing() {
    let rig = Rig::new(Check::Off);
    let verdict = rig.take(&pick("1", 99)).await;
    assert_eq!(verdict.accepted, stored(1));
    assert_eq!(verdict.display, None);
    rig.stop().await;
}

#[tokio::test]
async fn a_device_is_spoken_to_in_the_language_it_said_last() {
    let rig = Rig::new(Check::Lenient);
    let capture = rig.intake.capture().unwrap();
    let device = Name::new("pda-1").unwrap();
    let settings = Settings {
        language: Some(Language::French),
        tasks: None,
    };
    capture.set_devices([(device.clone(), settings)].into());
    let text = async |id: &str| said(&rig.take(&pick(id, 9)).await)["text"].to_string();
    assert!(text("1").await.contains("Trop"));
    capture.read_language(&device, br#"{"language": "de-AT", "battery": 80}"#);
    assert!(text("2").await.contains("Zu viel"));
    // Its last will does not take the language away.
    capture.read_language(&device, br#"{"online": false}"#);
    assert!(text("3").await.contains("Zu viel"));
    rig.stop().await;
}

#[tokio::test]
async fn what_is_taken_back_may_be_done_again_also_after_a_restart_and_no_more() {
    let mut rig = Rig::new(Check::Strict);
    let came =
        |id: &str| json!({"id": id, "type": "receive", "product": "401", "lot": "N1", "to": "A"});
    let undo = |id: &str, of: &str| json!({"id": id, "type": "undo", "event": of});
    rig.take(&pick("p", 4)).await;
    rig.take(&came("r")).await;
    let back = rig.take(&undo("u", "p")).await;
    assert_eq!(
        said(&back),
        json!({"ok": true, "text": "Undone: 4 × Chair", "beep": "good"})
    );
    rig.take(&undo("v", "r")).await;
    for restarts in [false, true] {
        if restarts {
            rig.forget();
            rig.intake.capture().unwrap().recall();
        }
        let more = rig.take(&pick("more", 6)).await.accepted;
        assert!(matches!(more, Accepted::Rejected { .. }), "{more:?}");
    }
    assert_eq!(rig.take(&pick("q", 5)).await.accepted, stored(5));
    assert_eq!(rig.take(&came("s")).await.accepted, stored(6));
    let more = rig.take(&pick("more", 1)).await.accepted;
    assert!(matches!(more, Accepted::Rejected { .. }), "{more:?}");
    rig.stop().await;
}

#[tokio::test]
async fn an_undo_that_is_parked_lets_no_more_through() {
    let rig = Rig::new(Check::Strict);
    rig.take(&pick("p", 4)).await;
    rig.take(&json!({"id": "u", "type": "undo", "event": "p"}))
        .await;
    rig.seal_as(State::Parked).await;
    let more = rig.take(&pick("more", 2)).await.accepted;
    assert!(matches!(more, Accepted::Rejected { .. }), "{more:?}");
    rig.stop().await;
}
