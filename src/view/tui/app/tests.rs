//! Keys and updates change the screen and produce requests.

use super::*;
use crate::document::DocumentNumber;
use crate::event::RejectedNumber;

fn press(app: &mut App, keys: &str) -> Option<Request> {
    keys.chars().fold(None, |_, c| {
        let code = if c == '\n' {
            KeyCode::Enter
        } else {
            KeyCode::Char(c)
        };
        app.press(KeyEvent::from(code))
    })
}

fn app_with_parked(parked: usize) -> App {
    let mut app = App::new(Path::new("/run/x.sock"), false);
    update(&mut app, parked, 0);
    app.panel = Panel::Parked;
    app
}

fn update(app: &mut App, parked: usize, second: i64) {
    let at = Timestamp::from_second(second).unwrap();
    let document = |number: usize| DocumentView {
        number: DocumentNumber::new(number as u64),
        key: format!("{number:032x}"),
        state: "parked".to_owned(),
        purpose: "transfer".to_owned(),
        order: None,
        more: serde_json::Map::new(),
        corrects: None,
        decision: None,
        flags: Vec::new(),
        undone: Vec::new(),
        group: "pda".to_owned(),
        lines: Vec::new(),
        events: 1,
        occurred: at,
        sealed: at,
        since: at,
        attempts: 1,
        reason: None,
        odoo: None,
        odoo_id: None,
        external_id: String::new(),
    };
    let mut snapshot = Snapshot {
        parked: (1..=parked).map(document).collect(),
        ..Snapshot::default()
    };
    snapshot.status.events.stored = second.unsigned_abs() * 5;
    app.update(Update::Gateway(Box::new(snapshot)), at);
}

fn confirming(app: &App) -> bool {
    matches!(&app.dialog, Some(Dialog::Discard(discard)) if discard.confirming)
}

#[test]
fn a_discard_needs_a_reason_and_a_confirmation() {
    let mut app = app_with_parked(2);
    assert_eq!(press(&mut app, "jd"), None);
    assert_eq!(press(&mut app, " \n"), None);
    assert!(!confirming(&app), "blank is no reason");
    // A `q` or `y` in the reason is a letter.
    assert_eq!(press(&mut app, "query\n"), None);
    assert!(confirming(&app));
    let request = press(&mut app, "y");
    let key = format!("{:032x}", 2);
    assert_eq!(
        request,
        Some(Request::Discard {
            key,
            reason: "query".to_owned()
        })
    );
    assert_eq!(app.dialog, None);
}

#[test]
fn no_means_no() {
    let mut app = app_with_parked(1);
    assert_eq!(press(&mut app, "dx\nn"), None);
    assert_eq!(app.dialog, None);
    press(&mut app, "dx");
    app.press(KeyEvent::from(KeyCode::Esc));
    assert_eq!(app.dialog, None);
}

#[test]
fn a_decision_needs_a_visible_selection() {
    let mut app = app_with_parked(1);
    app.panel = Panel::Devices;
    assert_eq!(
        press(&mut app, "r"),
        None,
        "the panel of parked documents was not selected"
    );
    assert!(matches!(press(&mut app, "r"), Some(Request::Retry { .. })));
    update(&mut app, 0, 1);
    assert_eq!(press(&mut app, "r"), None);
    assert_eq!(app.notice.as_deref(), Some("No document is parked"));
}

#[test]
fn the_selection_stays_within_the_rows() {
    let mut app = app_with_parked(3);
    press(&mut app, "jjjjj");
    assert_eq!(
        app.selected_parked().unwrap().number,
        DocumentNumber::new(3)
    );
    update(&mut app, 1, 1);
    assert_eq!(
        app.selected_parked().unwrap().number,
        DocumentNumber::new(1)
    );
    press(&mut app, "kGg");
    assert_eq!(
        app.selected_parked().unwrap().number,
        DocumentNumber::new(1)
    );
}

#[test]
fn the_selection_follows_its_document() {
    let mut app = app_with_parked(3);
    press(&mut app, "j");
    let (mut snapshot, now) = app.snapshot.clone().unwrap();
    snapshot.parked.remove(0);
    app.update(Update::Gateway(Box::new(snapshot)), now);
    assert_eq!(
        app.selected_parked().unwrap().number,
        DocumentNumber::new(2)
    );
}

#[test]
fn a_rejected_reading_is_dismissed_corrected_or_sent_again() {
    let mut app = app_with_parked(1);
    let (mut snapshot, now) = app.snapshot.clone().unwrap();
    snapshot.rejected = [4, 7].map(RejectedNumber::new).map(rejected).to_vec();
    app.update(Update::Gateway(Box::new(snapshot.clone())), now);
    assert_eq!(press(&mut app, "jj").as_ref(), None);
    assert_eq!(
        app.selected_rejected().unwrap().number,
        RejectedNumber::new(7)
    );
    // The selection follows its reading.
    snapshot.parked.clear();
    app.update(Update::Gateway(Box::new(snapshot)), now);
    assert_eq!(
        app.selected_rejected().unwrap().number,
        RejectedNumber::new(7)
    );
    assert_eq!(app.selected_parked(), None);

    let number = RejectedNumber::new(7);
    let resend = |payload: Option<&str>, reason: Option<&str>| Request::Resend {
        number,
        payload: payload.map(str::to_owned),
        reason: reason.map(str::to_owned),
    };
    // `r` asks first, and a second `r` is no answer.
    assert_eq!(press(&mut app, "r\nr"), None);
    assert_eq!(press(&mut app, "y"), Some(resend(None, None)));
    assert_eq!(press(&mut app, "r\nn"), None);
    assert_eq!(app.dialog, None);
    let why = press(&mut app, "rtopic set\ny");
    assert_eq!(why, Some(resend(None, Some("topic set"))));
    let corrected = press(&mut app, "eB2\n");
    assert_eq!(corrected, Some(resend(Some("A1B2"), None)));
    // Ctrl-U clears the text.
    press(&mut app, "e");
    let clear = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
    assert_eq!(app.press(clear), None);
    assert_eq!(press(&mut app, "C3\n"), Some(resend(Some("C3"), None)));
    assert_eq!(press(&mut app, "d\n"), None, "a reason is needed");
    let reason = "test".to_owned();
    let dismissed = press(&mut app, "test\ny");
    assert_eq!(dismissed, Some(Request::Dismiss { number, reason }));
    let all = Request::DismissAll {
        upto: RejectedNumber::new(7),
        code: "not-your-topic".to_owned(),
        reason: "site".to_owned(),
    };
    assert_eq!(press(&mut app, "kdsite\na"), Some(all));
    assert_eq!(press(&mut app, "R"), None);
    assert!(app.notice.is_some());
}

fn rejected(number: RejectedNumber) -> RejectedView {
    RejectedView {
        number,
        device: "pda-09".to_owned(),
        source: "mqtt.listen".to_owned(),
        channel: Some("scan".to_owned()),
        received: Timestamp::UNIX_EPOCH,
        id: None,
        code: "not-your-topic".to_owned(),
        message: "\"stockrelay/v1/other/pda-09/scan\" is not a topic".to_owned(),
        payload: "A1".to_owned(),
        whole: true,
        bytes: 2,
        cut: false,
        state: "open".to_owned(),
        settled: None,
    }
}

#[test]
fn rates_are_events_a_second() {
    let mut app = app_with_parked(0);
    update(&mut app, 0, 2);
    assert_eq!(app.rates.stored, [50], "tenths");
    // The clock stood still or went back: there is no rate.
    update(&mut app, 0, 2);
    assert_eq!(app.rates.stored, [50]);
}
