//! Selections stay on their rows, and the views that are open return in order.

use super::*;
use crate::event::Name;
use crate::view::snapshot::{Device, Status};
use crate::view::tui::data::{Reply, Subject};

fn status(names: &[&str]) -> Update {
    let device = |name: &&str| Device {
        name: Name::new(name).unwrap(),
        view: crate::board::DeviceView::default(),
        drift: None,
        flow_step: None,
    };
    let mut status = Status::default();
    status.devices.listed = names.iter().map(device).collect();
    Update::Gateway(Box::new(status), Vec::new())
}

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '␛' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        assert_eq!(app.press(KeyEvent::from(code)), None);
    }
}

fn app_with(names: &[&str]) -> App {
    let mut app = App::new(Path::new("/run/x.sock"), Theme::default());
    app.update(status(names), Timestamp::UNIX_EPOCH);
    app
}

fn selected(app: &App) -> String {
    match app.subject() {
        Some(Subject::Device(name)) => name,
        other => format!("{other:?}"),
    }
}

#[test]
fn the_selection_follows_its_row_and_stays_within_the_rows() {
    let mut app = app_with(&["a", "b", "c"]);
    press(&mut app, "2j");
    assert_eq!(selected(&app), "b");
    app.update(status(&["x", "y", "a", "b", "c"]), Timestamp::UNIX_EPOCH);
    assert_eq!(selected(&app), "b");
    press(&mut app, "S");
    assert_eq!(selected(&app), "b", "sorted");
    press(&mut app, "jjjjjjj");
    assert_eq!(selected(&app), "a");
    // Its row is gone: the row at the same place is selected.
    app.update(status(&["b", "c"]), Timestamp::UNIX_EPOCH);
    assert_eq!(selected(&app), "b");
    app.update(status(&[]), Timestamp::UNIX_EPOCH);
    assert_eq!(app.subject(), None);
}

#[test]
fn the_first_row_as_such_is_selected_until_a_person_moves() {
    let mut app = app_with(&["b"]);
    press(&mut app, "2");
    app.update(status(&["a", "b"]), Timestamp::UNIX_EPOCH);
    assert_eq!(selected(&app), "a");
    press(&mut app, "jg");
    app.update(status(&["0", "a", "b"]), Timestamp::UNIX_EPOCH);
    assert_eq!(selected(&app), "0");
}

#[test]
fn a_filter_hides_rows_and_esc_removes_it() {
    let mut app = app_with(&["pda-1", "pda-2", "dock"]);
    press(&mut app, "2fpda\nj");
    assert_eq!(selected(&app), "pda-2");
    assert_eq!(app.rows.len(), 2);
    press(&mut app, "␛");
    assert_eq!(app.rows.len(), 3);
    assert_eq!(selected(&app), "pda-2");
    // A `q` in the filter is a letter, and Esc ends typing.
    press(&mut app, "fq␛");
    assert_eq!(app.list().unwrap().filter, "");
}

#[test]
fn each_view_returns_to_the_one_below_it() {
    let mut app = app_with(&["a", "b"]);
    press(&mut app, "2j\n");
    assert!(matches!(app.opened.last(), Some(View::Page(_))));
    assert_eq!(selected(&app), "b");
    press(&mut app, "/");
    assert_eq!(app.opened.len(), 2);
    press(&mut app, "x␛");
    assert_eq!(app.opened.len(), 1);
    press(&mut app, "␛");
    assert_eq!((app.opened.len(), selected(&app)), (0, "b".to_owned()));
    press(&mut app, "\n3");
    assert_eq!(app.opened.len(), 0, "another panel closes what is open");
}

#[test]
fn a_list_loads_more_rows_before_its_end_is_reached() {
    let names: Vec<String> = (0..100).map(|number| format!("d{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut app = app_with(&names);
    press(&mut app, "2jj");
    assert_eq!(app.list().unwrap().loads, 100);
    press(&mut app, "G");
    assert_eq!(selected(&app), "d099");
    assert_eq!(app.list().unwrap().loads, 200);
    // There are no more: the list asks for no more.
    press(&mut app, "G");
    assert_eq!(app.list().unwrap().loads, 200);
}

/// The overview with these parked documents, by reason code, and rejected readings.
fn overview(parked: &[(&str, u64)], rejected: u64) -> Update {
    let mut status = Status::default();
    let mut window = crate::view::snapshot::Window::default();
    for (code, documents) in parked {
        status.documents.parked += documents;
        let by_code = &mut window.documents.parked_by_code;
        by_code.insert((*code).to_owned(), *documents);
    }
    status.events.rejected_open = rejected;
    status.window = Some(window);
    Update::Gateway(Box::new(status), Vec::new())
}

fn selected_cell(app: &App) -> String {
    app.selected_row().unwrap().cells[0].text.clone()
}

#[test]
fn the_selection_of_the_overview_stays_on_its_task_while_counts_change_and_tasks_end() {
    let mut app = App::new(Path::new("/run/x.sock"), Theme::default());
    let now = Timestamp::UNIX_EPOCH;
    app.update(overview(&[("a", 1), ("b", 1)], 1), now);
    press(&mut app, "jj");
    assert!(selected_cell(&app).contains("rejected reading"));
    // Its count changes, and a task above it ends.
    app.update(overview(&[("b", 3)], 2), now);
    assert!(selected_cell(&app).starts_with("2 other rejected readings"));
    // A task appears above it.
    app.update(overview(&[("a", 1), ("b", 3), ("c", 1)], 2), now);
    assert!(selected_cell(&app).contains("rejected reading"));
    // It ends: the nearest task by its place is selected.
    app.update(overview(&[("a", 1), ("b", 3), ("c", 1)], 0), now);
    assert!(selected_cell(&app).contains("(c)"));
    // Also the first task keeps the selection.
    press(&mut app, "g");
    app.update(overview(&[("0", 1), ("a", 1)], 0), now);
    assert!(selected_cell(&app).contains("(a)"));
}

/// The answer to the need of an event's page: an event and its document.
fn trace(id: &str) -> Update {
    let reply = Reply::Trace(id.to_owned(), Box::default());
    Update::Gateway(Box::default(), vec![reply])
}

#[test]
fn keys_wait_for_the_first_answer_of_a_page() {
    let mut app = app_with(&["a", "b"]);
    let now = Timestamp::UNIX_EPOCH;
    app.open(Subject::Event("e1".to_owned()));
    for code in [KeyCode::End, KeyCode::Enter] {
        assert_eq!(app.press(KeyEvent::from(code)), None);
    }
    let held = |app: &App| match app.opened.last() {
        Some(View::Page(page)) => page.held.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(held(&app), Some(vec![KeyAction::Last, KeyAction::Open]));
    // An answer that was on its way before does not have what the page needs.
    app.update(status(&["a"]), now);
    app.update(trace("e0"), now);
    assert_eq!(held(&app), Some(vec![KeyAction::Last, KeyAction::Open]));
    app.update(trace("e1"), now);
    assert_eq!(held(&app), None, "the keys were handled");
    // Esc and other keys do not wait.
    app.open(Subject::Event("e2".to_owned()));
    press(&mut app, "␛?");
    assert!(app.opened.len() == 1 && app.help.is_some());
}
