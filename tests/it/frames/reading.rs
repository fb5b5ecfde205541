//! What a person must be able to read and reach, at any size.

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use serde_json::json;
use stockrelay::document::{DocumentNumber, Reason};
use stockrelay::event::RejectedNumber;
use stockrelay::view::records::StepView;
use stockrelay::view::tui::{
    Click, Need, Outcome, Period, Reply, Request, Subject, Update, keys_as_markdown,
};

use super::fixtures::{
    app, asking, at, frame, many_faults, parked, press, refresh, rejected, rejected_with, shown,
    well,
};

const SMALL: (u16, u16) = (40, 12);
const NORMAL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);

fn done(notice: &str, decided: Vec<Subject>) -> Outcome {
    let notice = notice.to_owned();
    Outcome::Done { notice, decided }
}

#[test]
fn all_faults_of_a_document_are_read_by_scrolling() {
    let gateway = many_faults();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "4\n");
    let mut screens = shown(&mut app, NORMAL);
    for _ in 0..6 {
        press(&mut app, &gateway, "»");
        screens += &shown(&mut app, NORMAL);
    }
    for line in 0..25 {
        assert!(
            screens.contains(&format!("UNK-{line:02}")),
            "{line}: {screens}"
        );
    }
    assert!(
        screens.contains("line 3: 24 of 4000000000006 (Bolt M8)"),
        "{screens}"
    );
    assert!(screens.contains("What you can do"), "{screens}");
}

#[test]
fn a_page_decides_about_what_it_shows() {
    let mut gateway = parked();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "4\n");
    gateway.parked.remove(0);
    gateway
        .documents
        .push(super::fixtures::document(61, "posted"));
    refresh(&mut app, &gateway);
    press(&mut app, &gateway, "d");
    assert!(app.dialog.is_none(), "another document is selected by now");
    assert!(shown(&mut app, NORMAL).contains("Already settled"));
}

#[test]
fn a_large_payload_hides_no_choice() {
    let gateway = rejected_with("x".repeat(200_000) + "END");
    let mut app = app(&gateway);
    press(&mut app, &gateway, "5\n");
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("r  send it again"), "{screen}");
    assert!(screen.contains("is not a topic"), "{screen}");
    press(&mut app, &gateway, "G");
    let end = shown(&mut app, NORMAL);
    assert!(
        end.contains("xEND") && end.contains("may be longer"),
        "{end}"
    );
    // To send what is left of a long payload would lose the rest.
    press(&mut app, &gateway, "e");
    assert!(app.dialog.is_none());
    assert!(shown(&mut app, NORMAL).contains("--payload-file FILE"));
}

#[test]
fn the_keys_of_each_dialog_are_visible_on_a_small_terminal() {
    for (gateway, keys, hints) in [
        (asking(), "4dwhy\n", &["y yes", "n no"][..]),
        (asking(), "4d", &["Enter continue", "Esc"]),
        (asking(), "4rj", &["> no-backorder", "Enter retry", "Esc"]),
        (asking(), "4R", &["Enter retry", "Esc"]),
        (asking(), "4e", &["Enter change", "s send", "Esc"]),
        (rejected(), "5r\n", &["y yes", "n no"]),
        (rejected(), "5dwhy\n", &["y yes", "a all shown", "n no"]),
        (rejected(), "5e", &["Enter send again", "Esc"]),
    ] {
        let mut app = app(&gateway);
        press(&mut app, &gateway, keys);
        let screen = shown(&mut app, SMALL);
        for hint in hints {
            assert!(screen.contains(hint), "{keys}: {hint}\n{screen}");
        }
    }
}

#[test]
fn a_document_is_edited_field_by_field() {
    let gateway = asking();
    let mut app = app(&gateway);
    // The quantity of the first line, then the lot of the second: there is one, and it is removed.
    press(&mut app, &gateway, "4ejj\n⌫⌫30\njjjjjjjj\n⌫⌫⌫⌫⌫⌫\ns");
    press(&mut app, &gateway, "\n");
    assert!(app.dialog.is_some(), "a reason is needed");
    assert!(shown(&mut app, NORMAL).contains("Give a reason"));
    let request = press(&mut app, &gateway, "as on the slip\n");
    assert_eq!(request, None, "first a person sees what goes to Odoo");
    let question = shown(&mut app, NORMAL);
    assert!(
        question.contains("30 of 4000000000006 (Bolt M8)"),
        "{question}"
    );
    let request = press(&mut app, &gateway, "y");
    let body = json!({
        "reason": "as on the slip",
        "lines": [{"line": 1, "quantity": "30"}, {"line": 2, "lot": null}]
    });
    let number = DocumentNumber::new(61);
    assert_eq!(request, Some(Request::Edit { number, body }));
}

#[test]
fn a_row_shows_the_outcome_of_its_decision() {
    let mut gateway = parked();
    let mut app = app(&gateway);
    let request = press(&mut app, &gateway, "4r\n").unwrap();
    let numbers = vec![DocumentNumber::new(61)];
    let retry = Request::Retry {
        numbers: numbers.clone(),
        with: None,
    };
    assert_eq!(request, retry);
    let decided = vec![Subject::Document(numbers[0])];
    app.finish(&request, done("Document 61 is now waiting", decided));
    assert!(shown(&mut app, NORMAL).contains("Document 61 is now waiting"));
    // Parked again, it shows the reason of today.
    gateway.parked[0].reason = Some(Reason {
        code: "unknown-location".into(),
        message: String::new(),
        lines: Vec::new(),
    });
    refresh(&mut app, &gateway);
    let screen = shown(&mut app, LARGE);
    assert!(screen.contains("parked again: unknown-locati"), "{screen}");
    gateway.parked.remove(0);
    gateway.status.documents.parked = 1;
    gateway
        .documents
        .push(super::fixtures::document(61, "posted"));
    refresh(&mut app, &gateway);
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("now posted as WH/INT/00061"), "{screen}");
}

#[test]
fn a_rejected_reading_shows_its_outcome() {
    let mut gateway = super::fixtures::suggested();
    let mut app = app(&gateway);
    let request = press(&mut app, &gateway, "5e\n").unwrap();
    let number = RejectedNumber::new(1);
    let Request::Resend {
        numbers,
        payload: Some(payload),
        ..
    } = &request
    else {
        panic!("{request:?}")
    };
    assert_eq!(*numbers, [number]);
    // Enter alone sends the suggestion.
    assert!(payload.starts_with(r#"{"type": "transfer""#));
    app.finish(
        &request,
        done("event 4813", vec![Subject::Rejected(number)]),
    );
    let screen = shown(&mut app, LARGE);
    assert!(screen.contains("decided; reading the"), "{screen}");
    let reading = &mut gateway.rejected[0];
    reading.state = "resent".to_owned();
    reading.settled = Some(StepView {
        at: at("08:15:00"),
        state: "resent".to_owned(),
        by: "user:anna".to_owned(),
        note: "as event 4813".to_owned(),
    });
    // The daemon lists open readings alone, and answers the reading by its number.
    assert!(app.needs().contains(&Need::Reading(number)));
    let answer = Reply::Reading(Box::new(gateway.rejected[0].clone()));
    gateway.status.events.rejected_open = 0;
    let answers = vec![Reply::Rejected(Vec::new()), answer];
    let update = Update::Gateway(Box::new(gateway.status.clone()), answers);
    app.update(update, at("08:15:31"));
    let screen = shown(&mut app, LARGE);
    assert!(screen.contains("now resent: as event 4"), "{screen}");
    assert_eq!(app.data.needs_of_outcomes(), []);
}

#[test]
fn a_socket_without_permission_names_the_group_and_the_command() {
    use stockrelay::view::client::ClientError;
    let mut app = app(&well());
    let socket = "/proc/1/no-such-directory/control.sock".into();
    let why = ClientError::NotPermitted(socket).to_string();
    app.update(Update::NoAnswer(why), at("08:15:31"));
    for size in [SMALL, NORMAL, LARGE] {
        let screen = shown(&mut app, size).replace(['\n', ' '], "");
        assert!(screen.contains("Notconnected"), "{screen}");
        assert!(screen.contains("usermod-aGstockrelay-view"), "{screen}");
    }
}

#[test]
fn a_person_chooses_the_period_of_the_sentence() {
    let gateway = parked();
    let mut app = app(&gateway);
    assert_eq!(app.wanted().0, Period::Shift);
    for (keys, period, name) in [
        ("td", Period::Day, "period: day"),
        ("th", Period::LastHour, "period: last hour"),
        (
            "t06:00\n",
            Period::Since(at("06:00:00")),
            "period: chosen time",
        ),
        ("ts", Period::Shift, "period: shift"),
    ] {
        press(&mut app, &gateway, keys);
        assert_eq!(app.wanted().0, period, "{keys}");
        assert!(app.dialog.is_none(), "{keys}");
        let screen = shown(&mut app, NORMAL);
        assert!(screen.contains(name), "{keys}: {screen}");
    }
    press(&mut app, &gateway, "t6\n");
    assert!(app.dialog.is_some(), "6 is no time");
}

#[test]
fn marked_rows_are_decided_together() {
    let gateway = parked();
    let mut app = app(&gateway);
    let numbers = [61, 64].map(DocumentNumber::new).to_vec();
    let request = press(&mut app, &gateway, "4  r\n");
    assert_eq!(
        request,
        Some(Request::Retry {
            numbers: numbers.clone(),
            with: None
        })
    );
    app.finish(&request.unwrap(), done("2 documents", Vec::new()));
    press(&mut app, &gateway, "␛a");
    let request = press(&mut app, &gateway, "dtest\ny");
    let reason = "test".to_owned();
    assert_eq!(request, Some(Request::Discard { numbers, reason }));
    app.finish(&request.unwrap(), done("2 documents", Vec::new()));
    press(&mut app, &gateway, "e");
    assert!(app.notice.as_ref().unwrap().contains("one document"));
}

#[test]
fn nothing_is_decided_where_it_is_forbidden_or_not_selected() {
    let gateway = parked();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "2d");
    assert!(app.dialog.is_none() && app.notice.is_some());
    app.is_read_only = true;
    for key in ["r", "R", "e", "d"] {
        press(&mut app, &gateway, "4");
        press(&mut app, &gateway, key);
        assert!(app.dialog.is_none());
        assert!(app.notice.as_ref().unwrap().contains("read-only"));
    }
}

#[test]
fn a_refusal_stays_in_the_box_with_all_that_was_typed() {
    for (gateway, keys, typed) in [
        (asking(), "4ejj\n⌫⌫30\nsas on the slip\ny", "24 → 30"),
        (parked(), "4dwrong aisle\ny", "> wrong aisle_"),
        (rejected(), "5e⌫7\n", "4006381333937_"),
        (asking(), "4rj\n", "> no-backorder"),
    ] {
        for size in [SMALL, NORMAL] {
            let mut app = app(&gateway);
            let request = press(&mut app, &gateway, keys).unwrap();
            let waiting = shown(&mut app, size);
            assert!(waiting.contains("Sent; the gateway"), "{keys}: {waiting}");
            press(&mut app, &gateway, "y");
            app.finish(&request, Outcome::Refused("no such bin here".to_owned()));
            let screen = shown(&mut app, size);
            assert!(screen.contains("! no such bin here"), "{keys}: {screen}");
            assert!(screen.contains(typed), "{keys}: {screen}");
            // Sent again as it is, it has the same text and reason.
            if keys.starts_with("4e") {
                assert_eq!(press(&mut app, &gateway, "s\ny"), Some(request));
            }
        }
    }
    let gateway = parked();
    let mut app = app(&gateway);
    let request = press(&mut app, &gateway, "4r\n").unwrap();
    press(&mut app, &gateway, "␛");
    assert!(app.dialog.is_none(), "Esc closes a box that waits");
    press(&mut app, &gateway, "d");
    app.finish(&request, Outcome::Refused("no such bin here".to_owned()));
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("Discard document 61"), "{screen}");
    assert!(screen.contains("no such bin here"), "{screen}");
}

#[test]
fn rejected_readings_are_dismissed_corrected_or_sent_again() {
    let gateway = rejected();
    let numbers = vec![RejectedNumber::new(1)];
    let resend = |payload: Option<&str>, reason: Option<&str>| Request::Resend {
        numbers: numbers.clone(),
        payload: payload.map(str::to_owned),
        reason: reason.map(str::to_owned),
    };
    let reason = "test".to_owned();
    let (upto, code) = (RejectedNumber::new(1), "not-your-topic".to_owned());
    for (keys, request) in [
        ("5r\ny", resend(None, None)),
        ("5rset\ny", resend(None, Some("set"))),
        ("5e⌫7\n", resend(Some("4006381333937"), None)),
        (
            "5dtest\ny",
            Request::Dismiss {
                numbers: numbers.clone(),
                reason: reason.clone(),
            },
        ),
        ("5dtest\na", Request::DismissAll { upto, code, reason }),
    ] {
        let mut app = app(&gateway);
        let sent = press(&mut app, &gateway, keys);
        assert_eq!(sent.as_ref(), Some(&request), "{keys}");
        assert!(app.dialog.is_some(), "the daemon has not answered yet");
        app.finish(&request, done("done", Vec::new()));
        assert!(app.dialog.is_none());
    }
    let mut app = app(&gateway);
    press(&mut app, &gateway, "5dtest\nn");
    assert!(app.dialog.is_none());
    press(&mut app, &gateway, "5d\n");
    assert!(app.dialog.is_some(), "a dismissal needs a reason");
}

#[test]
fn a_search_opens_what_it_finds() {
    let gateway = well();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "/WH/OUT/00042");
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("4 of 12,408"), "{screen}");
    press(&mut app, &gateway, "\n");
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("Order WH/OUT/00042"), "{screen}");
    // Back in the list, back in the panel.
    press(&mut app, &gateway, "␛");
    assert!(shown(&mut app, NORMAL).contains("Search WH/OUT/00042"));
    press(&mut app, &gateway, "␛");
    assert!(shown(&mut app, NORMAL).contains("[1 Overview]"));
}

/// Clicks on the first place where the text is.
fn click(app: &mut stockrelay::view::tui::App, text: &str) -> Option<Request> {
    drop(frame(app, NORMAL));
    let screen = shown(app, NORMAL);
    let (row, line) = screen
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(text))
        .unwrap();
    let column = line[..line.find(text).unwrap()].chars().count();
    let place = |number: usize| u16::try_from(number).unwrap();
    app.click(Click::Left(place(column), place(row)))
}

#[test]
fn the_mouse_selects_sorts_opens_and_presses_keys() {
    let gateway = parked();
    let mut app = app(&gateway);
    assert_eq!(click(&mut app, "4 Parked"), None);
    refresh(&mut app, &gateway);
    assert_eq!(click(&mut app, "64"), None);
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains(">      64"), "{screen}");
    click(&mut app, "NUMBER");
    click(&mut app, "NUMBER");
    let screen = shown(&mut app, NORMAL);
    assert!(
        screen.contains("NUMBER↓") || screen.contains("NUMBE↓"),
        "{screen}"
    );
    // A click on the selected row opens it.
    assert!(screen.find("     64") < screen.find("     61"), "{screen}");
    click(&mut app, "     64");
    refresh(&mut app, &gateway);
    assert!(shown(&mut app, NORMAL).contains("Document 64"));
    click(&mut app, "d discard");
    assert!(app.dialog.is_some());
    click(&mut app, "Esc cancel");
    assert!(app.dialog.is_none());
    click(&mut app, "r retry");
    let numbers = vec![DocumentNumber::new(64)];
    let retry = Request::Retry {
        numbers,
        with: None,
    };
    assert_eq!(click(&mut app, "Enter retry").as_ref(), Some(&retry));
    app.finish(&retry, done("done", Vec::new()));
    click(&mut app, "Esc back");
    app.click(Click::WheelDown);
    assert_eq!(click(&mut app, "q quit"), Some(Request::Quit));
}

#[test]
fn what_may_have_been_sent_twice_is_visible() {
    let mut gateway = well();
    gateway.status.events.possible_repeats = 7;
    gateway.documents[1].flags = vec!["possible-repeat".to_owned()];
    let mut app = app(&gateway);
    assert!(shown(&mut app, LARGE).contains("7 possible,"));
    press(&mut app, &gateway, "3");
    assert!(shown(&mut app, LARGE).contains("possible-repeat"));
}

#[test]
fn help_is_read_to_its_end_and_names_what_q_does() {
    let gateway = well();
    let mut app = app(&gateway);
    app.quit = "end the demonstration";
    press(&mut app, &gateway, "?");
    let mut screens = String::new();
    for _ in 0..12 {
        screens += &shown(&mut app, SMALL);
        press(&mut app, &gateway, "»");
    }
    assert!(screens.contains("end the demonstration"), "{screens}");
    assert!(screens.contains("Shift"), "{screens}");
    press(&mut app, &gateway, "x");
    assert!(!shown(&mut app, NORMAL).contains(" Keys "));
    let quit = KeyEvent::from(KeyCode::Char('q'));
    assert_eq!(app.press(quit), Some(Request::Quit));
}

#[test]
fn the_document_about_the_screen_has_the_table_of_keys() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/top.md");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.contains(&keys_as_markdown()),
        "put this into docs/top.md:\n{}",
        keys_as_markdown()
    );
}
