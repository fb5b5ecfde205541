//! What `stockrelay top` shows, frame by frame, in a small and a large terminal.

use std::path::Path;

use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use stockrelay::board::{DeviceView, Link, SourceView};
use stockrelay::document::Reason;
use stockrelay::event::Name;
use stockrelay::view::records::{DocumentView, LineView, RejectedView};
use stockrelay::view::snapshot::{Device, Source};
use stockrelay::view::tui::{App, Seen, Snapshot, Wish, draw};

fn at(text: &str) -> Timestamp {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

fn device(name: &str, online: bool, last_event: &str, battery: u8) -> Device {
    Device {
        name: Name::new(name).unwrap(),
        view: DeviceView {
            source: "mqtt.listen".to_owned(),
            online,
            last_event: Some(at(last_event)),
            events: 1_204,
            rejected: u64::from(!online),
            state: Some(serde_json::json!({ "battery": battery })),
            ..DeviceView::default()
        },
    }
}

fn document(number: u64, state: &str) -> DocumentView {
    let parked = state == "parked";
    DocumentView {
        number,
        key: format!("{number:032x}"),
        state: state.to_owned(),
        purpose: "transfer".to_owned(),
        order: None,
        more: serde_json::Map::new(),
        corrects: None,
        decision: None,
        flags: Vec::new(),
        undone: Vec::new(),
        group: "pda-07".to_owned(),
        lines: vec![
            LineView {
                product: "4000000000006".to_owned(),
                quantity: 24.into(),
                from: Some("LOC-BIN-0001".to_owned()),
                to: Some("LOC-BIN-0007".to_owned()),
                lot: None,
                package: None,
                owner: None,
                expiry: None,
                best_before: None,
                seqs: Vec::new(),
            };
            3
        ],
        events: 72,
        occurred: at("08:10:00"),
        sealed: at("08:10:10"),
        since: at("08:10:12"),
        attempts: 1,
        reason: parked.then(|| Reason {
            code: "unknown-product".into(),
            message: "no product in Odoo has the barcode 4000000000006: give it to one, and retry"
                .to_owned(),
            lines: Vec::new(),
        }),
        odoo: (state == "posted").then(|| format!("WH/INT/{number:05}")),
        odoo_id: None,
        external_id: format!("pk_{number:032x}"),
    }
}

/// A gateway where all is well.
fn well() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let status = &mut snapshot.status;
    "ams1".clone_into(&mut status.site);
    "0.1.0".clone_into(&mut status.version);
    status.uptime_s = 3_734;
    status.events.stored = 4_812;
    status.events.posted = 4_812;
    status.events.duplicates = 12;
    status.documents.posted = 66;
    status.odoo.link = Link::Up;
    status.odoo.version = Some("19.0".to_owned());
    status.odoo.latency_ms = Some(84);
    status.odoo.batch_lines = 50;
    status.odoo.since = Some(at("08:13:16"));
    status.journal.bytes = 3 << 20;
    status.journal.budget_bytes = 1 << 30;
    status.sources = vec![Source {
        name: "mqtt.listen".to_owned(),
        view: SourceView {
            state: "up".to_owned(),
            devices: 2,
            detail: None,
        },
    }];
    status.devices.known = 3;
    status.devices.online = 2;
    status.devices.listed = vec![
        device("pda-07", true, "08:15:28", 81),
        device("pda-08", true, "08:14:02", 9),
        device("dock-2.left", false, "06:00:00", 55),
    ];
    snapshot.documents = (63..=66)
        .rev()
        .map(|number| document(number, "posted"))
        .collect();
    snapshot
}

fn parked() -> Snapshot {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.documents.parked = 2;
    status.documents.posted = 64;
    status.events.parked = 144;
    status.events.posted -= 144;
    snapshot.parked = vec![document(61, "parked"), document(64, "parked")];
    snapshot
}

fn app(snapshot: Snapshot) -> App {
    let mut app = App::new(Path::new("/run/stockrelay/control.sock"), true);
    // Some seconds of scanning before what is shown.
    for second in 0..30_u64 {
        let mut earlier = snapshot.clone();
        let left = 30 - second;
        earlier.status.events.stored = snapshot
            .status
            .events
            .stored
            .saturating_sub(left * (left % 7));
        earlier.status.events.posted = snapshot.status.events.posted.saturating_sub(left * 2);
        app.see(
            Seen::Gateway(Box::new(earlier)),
            at(&format!("08:15:{second:02}")),
        );
    }
    app.tick(at("08:15:30"));
    app.see(Seen::Gateway(Box::new(snapshot)), at("08:15:30"));
    app
}

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\t' => KeyCode::Tab,
            '\n' => KeyCode::Enter,
            '»' => KeyCode::PageDown,
            c => KeyCode::Char(c),
        };
        assert_eq!(app.press(KeyEvent::from(code)), None);
    }
}

/// The frame at 80×24 and at 120×40.
fn both(name: &str, app: &mut App) {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), terminal.backend());
    }
}

#[test]
fn all_well() {
    both("all_well", &mut app(well()));
}

#[test]
fn a_rejected_reading_needs_a_person() {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.events.rejected = 1;
    status.events.rejected_open = 1;
    snapshot.rejected = vec![RejectedView {
        number: 1,
        device: "pda-09".to_owned(),
        source: "mqtt.listen".to_owned(),
        channel: Some("scan".to_owned()),
        received: at("08:14:30"),
        id: None,
        code: "not-your-topic".to_owned(),
        message: "\"stockrelay/v1/ams2/pda-09/scan\" is not a topic that pda-09 may publish to"
            .to_owned(),
        payload: "4006381333931".to_owned(),
        whole: true,
        bytes: 13,
        cut: false,
        state: "open".to_owned(),
        settled: None,
    }];
    let mut app = app(snapshot);
    press(&mut app, "\t\t");
    both("rejected", &mut app);
}

#[test]
fn the_link_is_down() {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.odoo.link = Link::Down;
    status.odoo.detail = Some("connection refused by odoo.example.com:443".to_owned());
    status.events.stored += 312;
    status.events.waiting = 300;
    status.events.open = 12;
    status.documents.waiting = 2;
    status.oldest_waiting_s = 134.2;
    snapshot.documents.insert(0, document(67, "waiting"));
    let mut app = app(snapshot);
    press(&mut app, "\t");
    both("link_down", &mut app);
}

#[test]
fn what_is_left_of_a_pause_stands_beside_the_link() {
    for (link, word) in [(Link::Up, "up"), (Link::Down, "down")] {
        let mut snapshot = well();
        let odoo = &mut snapshot.status.odoo;
        odoo.link = link;
        odoo.retry_at = Some(at("08:15:41"));
        let mut app = app(snapshot);
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|frame| draw(frame, &mut app)).unwrap();
        let shown = terminal.backend().to_string();
        let line = shown.lines().find(|line| line.contains("odoo     "));
        let line = line.unwrap();
        assert!(
            line.contains(word) && line.contains("next try in 11 s"),
            "{shown}"
        );
    }
}

#[test]
fn documents_are_parked() {
    let mut app = app(parked());
    press(&mut app, "\t\tj");
    both("parked", &mut app);
}

#[test]
fn what_may_have_been_sent_twice_is_seen() {
    let mut snapshot = parked();
    let flags = || vec!["possible-repeat".to_owned()];
    snapshot.status.events.possible_repeats = 7;
    snapshot.documents[1].flags = flags();
    snapshot.parked[0].flags = flags();
    let mut app = app(snapshot);
    // The list of documents, then the one that is parked; a large screen has both.
    for _ in 0..2 {
        press(&mut app, "\t");
        for (columns, rows, panels) in [(80, 24, 1), (120, 40, 2)] {
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            terminal.draw(|frame| draw(frame, &mut app)).unwrap();
            let shown = terminal.backend().to_string();
            assert_eq!(shown.matches("possible-repeat").count(), panels, "{shown}");
            assert!(shown.contains("7 possible,"), "{shown}");
        }
    }
}

#[test]
fn the_journal_is_full() {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.journal.full = true;
    status.journal.bytes = 1 << 30;
    status.odoo.link = Link::Held;
    status.odoo.detail = Some("the API key is not accepted: make a new one".to_owned());
    status.events.stored += 90_000;
    status.events.waiting = 90_000;
    status.oldest_waiting_s = 86_400.0;
    status.alarms.insert(
        "anonymous".to_owned(),
        "Anyone who reaches 0.0.0.0:1883 can move stock".to_owned(),
    );
    status
        .alarms
        .insert("journal-full".to_owned(), "The journal is full".to_owned());
    both("journal_full", &mut app(snapshot));
}

#[test]
fn nothing_has_happened_yet() {
    let mut snapshot = Snapshot::default();
    snapshot.status.site = "ams1".to_owned();
    snapshot.status.version = "0.1.0".to_owned();
    let mut app = App::new(Path::new("/run/stockrelay/control.sock"), true);
    app.tick(at("08:15:30"));
    app.see(Seen::Gateway(Box::new(snapshot)), at("08:15:30"));
    both("empty", &mut app);
}

#[test]
fn the_daemon_is_away() {
    let mut seen = app(well());
    seen.see(Seen::Away("no daemon answers".to_owned()), at("08:15:31"));
    seen.tick(at("08:15:42"));
    both("away", &mut seen);
    let mut never = App::new(Path::new("/run/stockrelay/control.sock"), true);
    never.see(Seen::Away("no daemon answers".to_owned()), at("08:15:31"));
    both("away_from_the_start", &mut never);
    // It comes back by itself.
    seen.see(Seen::Gateway(Box::new(well())), at("08:15:43"));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &mut seen)).unwrap();
    assert!(
        terminal
            .backend()
            .to_string()
            .contains("All 4,812 movements are in Odoo")
    );
}

#[test]
fn help_lies_over_the_rest() {
    let mut app = app(well());
    press(&mut app, "?");
    both("help", &mut app);
    press(&mut app, "x");
    assert!(!app.help);
}

#[test]
fn discarding_asks_for_a_reason_and_then_again() {
    let mut app = app(parked());
    press(&mut app, "\t\tdcounted by hand");
    both("discard_reason", &mut app);
    press(&mut app, "\n");
    both("discard_confirm", &mut app);
}

/// A parked document that asks something.
fn asking() -> Snapshot {
    let mut snapshot = parked();
    let document = &mut snapshot.parked[0];
    "pick".clone_into(&mut document.purpose);
    document.order = Some("WH/OUT/00042".to_owned());
    for line in &mut document.lines {
        line.to = None;
    }
    document.lines[1].lot = Some("L-0815".to_owned());
    document.reason = Some(Reason {
        code: "under-picked".into(),
        message: "WH/OUT/00042 asks for 30 of 4000000000006, and 24 were picked".to_owned(),
        lines: Vec::new(),
    });
    snapshot
}

#[test]
fn a_retry_asks_with_what_where_the_reason_takes_answers() {
    let mut app = app(asking());
    press(&mut app, "\t\trj");
    both("retry_with", &mut app);
    let key = format!("{:032x}", 61);
    let with = Some("no-backorder");
    assert_eq!(
        app.press(KeyEvent::from(KeyCode::Enter)),
        Some(Wish::Retry { key, with })
    );
    // The other one takes no answer.
    press(&mut app, "j");
    let key = format!("{:032x}", 64);
    assert_eq!(
        app.press(KeyEvent::from(KeyCode::Char('r'))),
        Some(Wish::Retry { key, with: None })
    );
}

#[test]
fn all_of_one_reason_are_tried_again_after_a_second_look() {
    let mut app = app(parked());
    press(&mut app, "\t\tR");
    both("retry_all", &mut app);
    let code = "unknown-product".to_owned();
    assert_eq!(
        app.press(KeyEvent::from(KeyCode::Enter)),
        Some(Wish::RetryAll { code, with: None })
    );
    press(&mut app, "R");
    assert_eq!(app.press(KeyEvent::from(KeyCode::Esc)), None);
    assert_eq!(app.press(KeyEvent::from(KeyCode::Enter)), None);
}

#[test]
fn a_document_is_edited_field_by_field() {
    let mut app = app(asking());
    press(&mut app, "\t\te");
    both("edit_fields", &mut app);
    // The quantity of the first line, then the lot of the second: there is one, and it is taken
    // away.
    press(&mut app, "jj\n");
    backspace(&mut app, 2);
    press(&mut app, "3s0");
    both("edit_value", &mut app);
    backspace(&mut app, 2);
    press(&mut app, "0\n");
    press(&mut app, "jjjjjjjj\n");
    backspace(&mut app, 6);
    press(&mut app, "\ns");
    press(&mut app, "\n");
    press(&mut app, "as on the slip");
    both("edit_reason", &mut app);
    let wish = app.press(KeyEvent::from(KeyCode::Enter));
    let body = serde_json::json!({
        "reason": "as on the slip",
        "lines": [{"line": 1, "quantity": "30"}, {"line": 2, "lot": null}]
    });
    let key = format!("{:032x}", 61);
    assert_eq!(wish, Some(Wish::Edit { key, body }));
    // The last field is reached, and the box leaves it parked.
    press(&mut app, "e");
    press(&mut app, &"j".repeat(40));
    both("edit_last_field", &mut app);
    assert_eq!(app.press(KeyEvent::from(KeyCode::Esc)), None);
    assert!(app.dialog.is_none());
}

fn backspace(app: &mut App, times: usize) {
    for _ in 0..times {
        assert_eq!(app.press(KeyEvent::from(KeyCode::Backspace)), None);
    }
}

fn shown(app: &mut App, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    terminal.backend().to_string()
}

/// Parked for 25 barcodes, each of them named.
fn many_faults() -> Snapshot {
    let mut snapshot = parked();
    let first =
        "no product in Odoo has the barcode UNK-00: enter it there, and this is sent by itself";
    let others = (1..25).map(|line| {
        let number = line + 1;
        format!("; also line {number}: no product in Odoo has the barcode UNK-{line:02}")
    });
    let message = std::iter::once(first.to_owned()).chain(others).collect();
    snapshot.parked[0].reason.as_mut().unwrap().message = message;
    snapshot
}

#[test]
fn all_faults_of_a_document_are_read_by_scrolling() {
    let mut app = app(many_faults());
    press(&mut app, "\t\t");
    for (columns, rows) in [(80, 24), (120, 40)] {
        let screen = shown(&mut app, columns, rows);
        assert!(screen.contains("choices: retry, edit, discard"), "{screen}");
        assert!(screen.contains("Enter shows all of it"), "{screen}");
    }
    press(&mut app, "\n");
    let mut screens = shown(&mut app, 80, 24);
    assert!(
        screens.contains("choices: retry, edit, discard"),
        "{screens}"
    );
    assert!(!screens.contains("UNK-24"), "{screens}");
    for _ in 0..3 {
        press(&mut app, "»");
        screens += &shown(&mut app, 80, 24);
    }
    for line in 0..25 {
        assert!(
            screens.contains(&format!("UNK-{line:02}")),
            "{line}: {screens}"
        );
    }
    assert!(screens.contains("line 3: 24 of 4000000000006"), "{screens}");
    // It goes along with what is known, and decides about what it shows.
    let mut snapshot = many_faults();
    snapshot.parked[0].reason.as_mut().unwrap().message = "UNK-77 alone".to_owned();
    app.see(Seen::Gateway(Box::new(snapshot.clone())), at("08:15:31"));
    press(&mut app, "g");
    assert!(shown(&mut app, 80, 24).contains("UNK-77 alone"));
    snapshot.parked.remove(0);
    app.see(Seen::Gateway(Box::new(snapshot)), at("08:15:32"));
    press(&mut app, "d");
    assert!(app.dialog.is_none(), "another document is selected by now");
    assert_eq!(app.press(KeyEvent::from(KeyCode::Esc)), None);
    press(&mut app, "d");
    assert!(app.dialog.is_some());
}

fn rejected_with(payload: String) -> Snapshot {
    let mut snapshot = well();
    snapshot.status.events.rejected_open = 1;
    snapshot.rejected = vec![RejectedView {
        number: 1,
        device: "pda-09".to_owned(),
        source: "mqtt.listen".to_owned(),
        channel: Some("scan".to_owned()),
        received: at("08:14:30"),
        id: None,
        code: "not-your-topic".to_owned(),
        message: "\"stockrelay/v1/ams2/pda-09/scan\" is not a topic that pda-09 may publish to"
            .to_owned(),
        whole: payload.len() < 1_024,
        bytes: payload.len() as u64,
        cut: false,
        payload,
        state: "open".to_owned(),
        settled: None,
    }];
    snapshot
}

#[test]
fn a_large_payload_hides_no_choice() {
    let mut app = app(rejected_with("x".repeat(200_000) + "END"));
    press(&mut app, "\t\t");
    for (columns, rows) in [(80, 24), (120, 40)] {
        let screen = shown(&mut app, columns, rows);
        assert!(screen.contains("choices: r send again"), "{screen}");
        assert!(screen.contains("is not a topic"), "{screen}");
    }
    press(&mut app, "\n");
    assert!(shown(&mut app, 80, 24).contains("choices: r send again"));
    press(&mut app, "G");
    let end = shown(&mut app, 80, 24);
    assert!(end.contains("xEND") && end.contains("Esc close"), "{end}");
    // The list cuts long payloads. To send what is left of one would lose the rest.
    assert!(end.contains("More may have come"), "{end}");
    press(&mut app, "e");
    assert!(app.dialog.is_none());
    assert!(shown(&mut app, 80, 24).contains("--payload-file FILE"));
}

#[test]
fn sending_a_reading_again_asks_first() {
    let mut app = app(rejected_with("4006381333931".to_owned()));
    press(&mut app, "\t\trset the topic");
    both("resend_reason", &mut app);
    press(&mut app, "\nr");
    both("resend_confirm", &mut app);
    let wish = Wish::Resend {
        number: 1,
        payload: None,
        reason: Some("set the topic".to_owned()),
    };
    assert_eq!(app.press(KeyEvent::from(KeyCode::Char('y'))), Some(wish));
}

#[test]
fn what_is_asked_can_be_answered_in_a_small_terminal() {
    for (keys, choices) in [
        ("dwhy\n", &["y yes", "n no"][..]),
        ("d", &["Enter go on", "Esc"]),
        ("rj", &["> no-backorder", "Enter try", "Esc"]),
        ("R", &["Enter try", "Esc"]),
        ("e", &["Enter change", "s send", "Esc"]),
    ] {
        let mut app = app(asking());
        press(&mut app, "\t\t");
        press(&mut app, keys);
        let screen = shown(&mut app, 40, 10);
        for choice in choices {
            assert!(screen.contains(choice), "{keys}: {choice}\n{screen}");
        }
    }
    for (keys, choices) in [
        ("r\n", &["y yes", "n no"][..]),
        ("dwhy\n", &["y yes", "a all shown", "n no"]),
        ("e", &["Enter send it", "Esc"]),
    ] {
        let mut app = app(rejected_with("4006381333931".to_owned()));
        press(&mut app, "\t\t");
        press(&mut app, keys);
        let screen = shown(&mut app, 40, 10);
        for choice in choices {
            assert!(screen.contains(choice), "{keys}: {choice}\n{screen}");
        }
    }
}

#[test]
fn help_alarms_and_notices_are_read_to_their_end() {
    let mut app = app(well());
    press(&mut app, "?");
    for (columns, rows) in [(80, 24), (120, 40)] {
        let screen = shown(&mut app, columns, rows);
        for end in [
            "of the reading; it scrolls",
            "or the reading, right",
            "any other key",
        ] {
            assert!(screen.contains(end), "{end}: {screen}");
        }
    }
    let mut screens = shown(&mut app, 40, 10);
    for _ in 0..6 {
        press(&mut app, "»");
        screens += &shown(&mut app, 40, 10);
    }
    assert!(
        app.help && screens.contains("quit; the daemon"),
        "{screens}"
    );
    press(&mut app, "x");

    let alarm = "The clock of pda-07 is 3 minutes ahead of the gateway's: set it right on the device, or give it a time server";
    let mut snapshot = well();
    let alarms = &mut snapshot.status.alarms;
    alarms.insert("clock".to_owned(), alarm.to_owned());
    app.see(Seen::Gateway(Box::new(snapshot)), at("08:15:31"));
    app.notice = Some("Document 61 is waiting now; ".repeat(4) + "and that is all");
    let screen = shown(&mut app, 80, 24);
    assert!(screen.contains("a time server"), "{screen}");
    assert!(screen.contains("and that is all"), "{screen}");
}

#[test]
fn no_size_is_too_small_to_draw() {
    for keys in [
        "\t\t\n", "\t\td", "\t\tr", "\t\tR", "\t\te", "\t\te\n", "\t\tes",
    ] {
        let mut app = app(asking());
        press(&mut app, keys);
        app.help = true;
        for (columns, rows) in [(1, 1), (5, 3), (20, 8), (40, 12), (79, 23), (300, 100)] {
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            terminal.draw(|frame| draw(frame, &mut app)).unwrap();
        }
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let mut mono = App::new(Path::new("/run/stockrelay/control.sock"), false);
    mono.see(Seen::Gateway(Box::new(parked())), at("08:15:30"));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &mut mono)).unwrap();
    let reset = ratatui::style::Color::Reset;
    let cells = &terminal.backend().buffer().content;
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == reset && cell.bg == reset)
    );
}
