//! The screen in other languages: German, and Arabic, which is written from right to left.

use std::fmt::Write as _;

use stockrelay::config::Language;
use stockrelay::view::words::Words;

use super::fixtures::{self as states, Gateway, press, refresh, shown};

/// The name of a case, its gateway, and the keys that are pressed.
type Case = (&'static str, fn() -> Gateway, &'static str);

const CASES: [Case; 2] = [
    ("overview", outage, "1"),
    ("a parked document", states::asking, "4\n"),
];

fn outage() -> Gateway {
    let mut gateway = states::offline();
    gateway.parked = states::parked().parked;
    gateway.status.documents.parked = 2;
    let since = states::at("06:00:00");
    let mut window = stockrelay::view::snapshot::Window {
        since,
        requested: since,
        begin: stockrelay::view::snapshot::Begin::Shift,
        zone: Some("Europe/Berlin".to_owned()),
        ..Default::default()
    };
    (window.events.stored, window.events.posted) = (412, 100);
    (window.events.waiting, window.events.open) = (300, 12);
    gateway.status.window = Some(window);
    gateway
}

/// The frames of a language.
fn frames(language: Language) -> String {
    let mut text = String::new();
    for (name, gateway, keys) in CASES {
        let gateway = gateway();
        for size in [(80, 24), (40, 12)] {
            let mut app = states::app(&gateway);
            app.data.words = Words { language };
            drop(shown(&mut app, size));
            assert_eq!(press(&mut app, &gateway, keys), None);
            drop(shown(&mut app, size));
            refresh(&mut app, &gateway);
            writeln!(text, "===== {name}, {}x{}", size.0, size.1).unwrap();
            text.push_str(&shown(&mut app, size));
        }
    }
    text
}

#[test]
fn the_screen_is_in_german() {
    let frames = frames(Language::German);
    assert!(frames.contains("Seit Schichtbeginn"), "{frames}");
    assert!(frames.contains("Was Sie tun können"), "{frames}");
    insta::assert_snapshot!("german", frames);
}

#[test]
fn the_screen_is_in_arabic() {
    let frames = frames(Language::Arabic);
    assert!(frames.contains("ما يمكنك فعله"), "{frames}");
    insta::assert_snapshot!("arabic", frames);
}
