//! What `stockrelay top` shows, frame by frame, in a small and a large terminal.

mod bundles;
mod fixtures;

use self::fixtures::{app, at, document, many_faults, parked, press, rejected_with, well};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use std::path::Path;
use stockrelay::board::{DriftView, Link};
use stockrelay::document::Reason;
use stockrelay::event::RejectedNumber;
use stockrelay::view::records::RejectedView;
use stockrelay::view::tui::{App, Request, Snapshot, Update, draw};

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
fn a_device_drifts() {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.devices.drift = 1;
    status.devices.listed[1].drift = Some(DriftView {
        desired: Some("8baa73198470c7bb".to_owned()),
        reported: Some("0123456789abcdef".to_owned()),
        error: None,
        since: at("06:00:00"),
    });
    let sentence = "Device pda-08 should use configuration 8baa73198470c7bb and reports 0123456789abcdef, since 2026-11-23T06:00:00Z. Connect the device, or correct its template or values in the next bundle.";
    let alarms = &mut status.alarms;
    alarms.insert("device-drift".to_owned(), sentence.to_owned());
    both("device_drift", &mut app(snapshot));
}

#[test]
fn a_rejected_reading_needs_a_person() {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.events.rejected = 1;
    status.events.rejected_open = 1;
    snapshot.rejected = vec![RejectedView {
        number: RejectedNumber::new(1),
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
            line.contains(word) && line.contains("retry in 11 s"),
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
    app.update(Update::Gateway(Box::new(snapshot)), at("08:15:30"));
    both("empty", &mut app);
}

#[test]
fn the_daemon_is_away() {
    let mut seen = app(well());
    seen.update(
        Update::NoAnswer("no daemon answers".to_owned()),
        at("08:15:31"),
    );
    seen.tick(at("08:15:42"));
    both("away", &mut seen);
    let mut never = App::new(Path::new("/run/stockrelay/control.sock"), true);
    never.update(
        Update::NoAnswer("no daemon answers".to_owned()),
        at("08:15:31"),
    );
    both("away_from_the_start", &mut never);
    // It comes back by itself.
    seen.update(Update::Gateway(Box::new(well())), at("08:15:43"));
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
    // In the demonstration the key ends everything.
    app.quit = "end the demonstration";
    press(&mut app, "?");
    let screen = shown(&mut app, 120, 40);
    assert!(screen.contains("end the demonstration"), "{screen}");
    assert!(!screen.contains("keeps running"), "{screen}");
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
        Some(Request::Retry { key, with })
    );
    // The other one takes no answer.
    press(&mut app, "j");
    let key = format!("{:032x}", 64);
    assert_eq!(
        app.press(KeyEvent::from(KeyCode::Char('r'))),
        Some(Request::Retry { key, with: None })
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
        Some(Request::RetryAll { code, with: None })
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
    let request = app.press(KeyEvent::from(KeyCode::Enter));
    let body = serde_json::json!({
        "reason": "as on the slip",
        "lines": [{"line": 1, "quantity": "30"}, {"line": 2, "lot": null}]
    });
    let key = format!("{:032x}", 61);
    assert_eq!(request, Some(Request::Edit { key, body }));
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

#[test]
fn all_faults_of_a_document_are_read_by_scrolling() {
    let mut app = app(many_faults());
    press(&mut app, "\t\t");
    for (columns, rows) in [(80, 24), (120, 40)] {
        let screen = shown(&mut app, columns, rows);
        assert!(screen.contains("choices: retry, edit, discard"), "{screen}");
        assert!(screen.contains("press Enter to see all"), "{screen}");
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
    app.update(Update::Gateway(Box::new(snapshot.clone())), at("08:15:31"));
    press(&mut app, "g");
    assert!(shown(&mut app, 80, 24).contains("UNK-77 alone"));
    snapshot.parked.remove(0);
    app.update(Update::Gateway(Box::new(snapshot)), at("08:15:32"));
    press(&mut app, "d");
    assert!(app.dialog.is_none(), "another document is selected by now");
    assert_eq!(app.press(KeyEvent::from(KeyCode::Esc)), None);
    press(&mut app, "d");
    assert!(app.dialog.is_some());
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
    assert!(end.contains("may be longer"), "{end}");
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
    let request = Request::Resend {
        number: RejectedNumber::new(1),
        payload: None,
        reason: Some("set the topic".to_owned()),
    };
    assert_eq!(app.press(KeyEvent::from(KeyCode::Char('y'))), Some(request));
}

#[test]
fn what_is_asked_can_be_answered_in_a_small_terminal() {
    for (keys, choices) in [
        ("dwhy\n", &["y yes", "n no"][..]),
        ("d", &["Enter continue", "Esc"]),
        ("rj", &["> no-backorder", "Enter retry", "Esc"]),
        ("R", &["Enter retry", "Esc"]),
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
        ("e", &["Enter send again", "Esc"]),
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
            "or of the reading",
            "or correct the reading",
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
    app.update(Update::Gateway(Box::new(snapshot)), at("08:15:31"));
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
    mono.update(Update::Gateway(Box::new(parked())), at("08:15:30"));
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
