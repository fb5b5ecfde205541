//! What a person reads from the screen alone: an outage, an empty list, a document that was
//! replaced, and what an edit sends.

use std::path::Path;

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use stockrelay::document::DocumentNumber;
use stockrelay::view::tui::{App, Request, Theme, Update};

use super::fixtures::{
    app, asking, at, document, offline, parked, press, refresh, rejected, shown, unused, well,
};

const NORMAL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);

#[test]
fn an_outage_is_in_the_list_of_alarms_with_its_cause_on_its_page() {
    let gateway = offline();
    let mut app = app(&gateway);
    assert!(shown(&mut app, LARGE).contains("6 Alarms 1!"));
    press(&mut app, &gateway, "6");
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("Odoo cannot be reached"), "{screen}");
    assert!(!screen.contains("connection refused"), "{screen}");
    press(&mut app, &gateway, "\n");
    let page = shown(&mut app, NORMAL);
    assert!(page.contains("08:13:16, 2 min 14 s ago"), "{page}");
    assert!(
        page.contains("connection refused by odoo.example.com"),
        "{page}"
    );
    refresh(&mut app, &well());
    assert!(shown(&mut app, NORMAL).contains("This alarm is over."));
}

#[test]
fn each_person_has_a_line_also_during_an_outage() {
    let mut gateway = offline();
    gateway.parked = parked().parked;
    gateway.status.documents.parked = 2;
    let mut app = app(&gateway);
    refresh(&mut app, &gateway);
    let screen = shown(&mut app, NORMAL);
    assert!(
        screen.contains("    IT: Odoo cannot be reached"),
        "{screen}"
    );
    assert!(
        screen.contains("    supervisor: 2 documents are parked"),
        "{screen}"
    );
    let large = shown(&mut app, LARGE);
    assert!(large.contains("(unknown-product)"), "{large}");
    assert!(large.contains("Odoo administrator"), "{large}");
}

#[test]
fn a_list_without_rows_says_why() {
    let gateway = parked();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "4fdock-03");
    let screen = shown(&mut app, NORMAL);
    assert!(
        screen.contains("None of 2 rows contains \"dock-03\""),
        "{screen}"
    );
    press(&mut app, &gateway, "␛2");
    // A list that the daemon has not answered yet is not called empty.
    let mut new = super::fixtures::app(&well());
    new.press(ratatui::crossterm::event::KeyEvent::from(
        ratatui::crossterm::event::KeyCode::Char('3'),
    ));
    let screen = shown(&mut new, NORMAL);
    assert!(screen.contains("loading"), "{screen}");
    assert!(!screen.contains("No document"), "{screen}");
}

#[test]
fn a_new_search_begins_empty() {
    let gateway = well();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "/WH/OUT/00042\n␛/");
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("search > _"), "{screen}");
    press(&mut app, &gateway, "␛");
    assert!(shown(&mut app, NORMAL).contains("[1 Overview]"));
}

#[test]
fn keys_have_the_words_of_what_is_selected() {
    let of = |gateway: super::fixtures::Gateway, keys: &str| {
        let mut app = app(&gateway);
        press(&mut app, &gateway, keys);
        shown(&mut app, NORMAL)
    };
    let reading = of(rejected(), "5");
    for hint in ["r send again", "e correct", "d dismiss"] {
        assert!(reading.contains(hint), "{reading}");
    }
    let document = of(parked(), "4");
    for hint in ["r retry", "R all of it", "e edit", "d discard"] {
        assert!(document.contains(hint), "{document}");
    }
}

#[test]
fn scans_that_moved_no_stock_are_listed_with_device_and_reason() {
    let gateway = unused();
    let mut app = app(&gateway);
    let screen = shown(&mut app, LARGE);
    assert!(
        screen.contains("312 scans of devices without a flow"),
        "{screen}"
    );
    press(&mut app, &gateway, "\n");
    let list = shown(&mut app, LARGE);
    assert!(
        list.contains("ring-02") && list.contains("the device has no flow"),
        "{list}"
    );
}

#[test]
fn the_page_of_a_replaced_document_names_what_went_instead() {
    let mut gateway = well();
    let mut old = document(63, "replaced");
    old.odoo = None;
    gateway.documents = vec![document(66, "posted"), old];
    let mut app = app(&gateway);
    press(&mut app, &gateway, "3j\n");
    // The daemon answers with the document that replaces it.
    let detail = |number: u64, replaced_by: Option<u64>| {
        let found = gateway
            .documents
            .iter()
            .find(|it| it.number.get() == number);
        stockrelay::view::records::DocumentDetail {
            document: found.unwrap().clone(),
            audit: Vec::new(),
            choices: Vec::new(),
            replaces: None,
            replaced_by: replaced_by.map(DocumentNumber::new),
        }
    };
    let replies = [detail(63, Some(66)), detail(66, None)].map(Box::new);
    let replies = replies.map(stockrelay::view::tui::Reply::Document).to_vec();
    let status = Box::new(gateway.status.clone());
    app.update(Update::Gateway(status, replies), at("08:15:30"));
    let page = shown(&mut app, LARGE);
    assert!(
        page.contains("nothing: document 66 replaces it (WH/INT/00066)"),
        "{page}"
    );
}

#[test]
fn an_edit_warns_about_a_quantity_that_may_be_a_slip() {
    let gateway = asking();
    let warns = |quantity: &str| {
        let mut app = app(&gateway);
        press(&mut app, &gateway, "4ejj\n⌫⌫");
        press(&mut app, &gateway, quantity);
        press(&mut app, &gateway, "\nsas on the slip\n");
        let screen = shown(&mut app, NORMAL);
        assert!(screen.contains("Send it?"), "{screen}");
        screen.contains("check it")
    };
    assert!(!warns("30"));
    assert!(warns("99999"));
}

#[test]
fn end_selects_the_last_link_of_a_page() {
    let gateway = well();
    let mut app = app(&gateway);
    press(&mut app, &gateway, "2\n");
    drop(shown(&mut app, NORMAL));
    press(&mut app, &gateway, "G");
    drop(shown(&mut app, NORMAL));
    press(&mut app, &gateway, "\n");
    // The last link of a device opens its rejected readings.
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("[5 Rejected]"), "{screen}");
}

#[test]
fn before_the_first_answer_the_screen_has_no_figures_and_names_the_socket() {
    let path = Path::new("/run/stockrelay/control.sock");
    for size in [(40, 12), NORMAL, LARGE, (200, 60)] {
        let mut app = App::new(path, Theme::default());
        app.tick(at("08:15:30"));
        for key in "1234567890".chars() {
            app.press(KeyEvent::from(KeyCode::Char(key)));
            app.tick(at("08:15:34"));
            let screen = shown(&mut app, size);
            let joined = screen.replace('\n', " ");
            assert!(
                joined.contains("Connecting to /run/stockrelay/control.sock for 4 s"),
                "{screen}"
            );
            for invented in ["trusted", "starting", "%", "waits", ": 0", "of 0"] {
                assert!(!screen.contains(invented), "{key}: {invented}: {screen}");
            }
        }
        app.update(Update::Silent, at("08:15:35"));
        let joined = shown(&mut app, size).replace('\n', " ");
        assert!(joined.contains("the gateway does not answer"), "{joined}");
    }
}

#[test]
fn a_gateway_that_hangs_has_old_values_until_it_answers() {
    let gateway = well();
    let mut app = app(&gateway);
    app.update(Update::Silent, at("08:15:31"));
    app.tick(at("08:15:35"));
    let screen = shown(&mut app, NORMAL);
    let text = "The gateway does not answer; values from 08:15:30, 5 s ago";
    assert!(screen.contains(text), "{screen}");
    refresh(&mut app, &gateway);
    assert!(!shown(&mut app, NORMAL).contains("does not answer"));
}

#[test]
fn a_terminal_that_is_too_small_says_so_and_takes_only_quit_and_help() {
    let gateway = parked();
    for size in [(39, 12), (40, 9), (12, 5)] {
        let mut app = app(&gateway);
        press(&mut app, &gateway, "4");
        let screen = shown(&mut app, size);
        let joined = screen.replace('\n', " ");
        let text = format!("This terminal is {}x{};", size.0, size.1);
        assert!(joined.contains(&text), "{screen}");
        assert!(!joined.contains("61"), "{screen}");
        for key in ["d", "r", "\n", "/", "2", "j", " "] {
            assert_eq!(press(&mut app, &gateway, key), None);
            assert!(app.dialog.is_none() && app.prompt.is_none(), "{key}");
        }
        assert_eq!(app.click(stockrelay::view::tui::Click::Left(3, 3)), None);
        press(&mut app, &gateway, "?");
        assert_ne!(shown(&mut app, size), screen, "the help");
        press(&mut app, &gateway, "?");
        // Nothing has changed when there is room again.
        let screen = shown(&mut app, NORMAL);
        assert!(
            screen.contains("> ") && screen.contains("[4 Parked"),
            "{screen}"
        );
        drop(shown(&mut app, size));
        assert_eq!(press(&mut app, &gateway, "q"), Some(Request::Quit));
    }
    let mut app = app(&gateway);
    assert!(!shown(&mut app, (40, 10)).contains("This terminal"));
}

#[test]
fn lines_that_are_cut_say_so_and_the_remedy_stays() {
    let gateway = offline();
    for size in [NORMAL, (40, 12)] {
        let mut app = app(&gateway);
        let screen = shown(&mut app, size);
        let line = |label: &str| {
            let label = format!("{label} ");
            let line = screen.lines().find_map(|line| line.split_once(&label));
            line.map_or(String::new(), |(_, text)| {
                text.trim_end_matches('│').to_owned()
            })
        };
        for (label, end) in [("queue", "being collected"), ("odoo  ", "s")] {
            let text = line(label);
            let text = text.trim();
            let is_whole = text.ends_with(end) || text.ends_with('…') || text.is_empty();
            assert!(is_whole, "{label}: {text}\n{screen}");
        }
        let remedy = screen.replace('\n', " ");
        assert!(remedy.contains("IT: "), "{screen}");
        assert!(remedy.contains("Check Odoo and the network"), "{screen}");
    }
}

#[test]
fn a_link_that_went_down_just_now_has_no_age_and_one_that_comes_and_goes_is_counted() {
    let mut gateway = offline();
    gateway.status.odoo.since = Some(at("08:15:30"));
    let mut down = app(&gateway);
    let screen = shown(&mut down, LARGE);
    assert!(!screen.contains("for 0 s"), "{screen}");
    assert!(screen.contains("odoo     down"), "{screen}");
    let mut gateway = well();
    let mut app = app(&gateway);
    assert!(!shown(&mut app, NORMAL).contains("times since"));
    for time in ["08:16:00", "08:17:00", "08:18:00"] {
        gateway.status.odoo.since = Some(at(time));
        app.update(gateway.answer(app.needs()), at(time));
    }
    let screen = shown(&mut app, NORMAL);
    assert!(screen.contains("up; down 3 times since 08:15"), "{screen}");
}

#[test]
fn rejected_readings_have_the_time_of_the_oldest_one() {
    let mut gateway = rejected();
    gateway.rejected[0].received = at("08:10:00");
    let mut app = app(&gateway);
    refresh(&mut app, &gateway);
    let screen = shown(&mut app, LARGE);
    assert!(screen.contains("5 min 30 s ago"), "{screen}");
}
