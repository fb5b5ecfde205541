//! The table of frames: each panel, page and dialog in the states that it can be in, at four sizes,
//! one snapshot for each panel. `INSTA_UPDATE=always` writes the snapshots.

use std::fmt::Write as _;

use ratatui::style::{Color, Modifier, Style};
use stockrelay::view::tui::{App, Colours, Theme, Update};

use super::fixtures::{self as states, Gateway, at, frame, press, refresh, shown};

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];
/// The size whose colours the snapshot has, too.
const COLOURED: (u16, u16) = (80, 24);

/// The name of the snapshot, what the frame shows, the gateway, and the keys that lead there.
type Case = (&'static str, &'static str, fn() -> Gateway, &'static str);

const CASES: &[Case] = &[
    ("overview", "empty", states::empty, "1"),
    ("overview", "all well", states::well, "1"),
    ("overview", "busy", states::busy, "1"),
    ("overview", "offline", states::offline, "1"),
    ("overview", "parked", states::parked, "1"),
    ("overview", "rejected", states::rejected, "1"),
    ("overview", "disk full", states::disk_full, "1"),
    ("overview", "alarms", states::alarms, "1"),
    ("devices", "empty", states::empty, "2"),
    ("devices", "all well", states::well, "2"),
    ("devices", "drift", states::alarms, "2j"),
    ("devices", "long and foreign names", states::names, "2sS"),
    ("devices", "a device", states::well, "2\n"),
    ("devices", "a device that drifts", states::alarms, "2j\n"),
    (
        "devices",
        "its events",
        states::well,
        "2\n\u{bb}\u{2193}\u{2193}\n",
    ),
    ("documents", "empty", states::empty, "3"),
    ("documents", "busy", states::busy, "3jjj"),
    ("documents", "offline", states::offline, "3"),
    ("documents", "foreign names", states::names, "3"),
    ("documents", "filter", states::busy, "3f1240"),
    ("documents", "a document", states::well, "3\n"),
    ("parked", "empty", states::empty, "4"),
    ("parked", "parked", states::parked, "4j"),
    ("parked", "long and foreign names", states::names, "4"),
    ("parked", "marked", states::parked, "4a"),
    ("parked", "a parked document", states::asking, "4\n"),
    ("parked", "many faults", states::many_faults, "4\n"),
    ("rejected", "empty", states::empty, "5"),
    ("rejected", "rejected", states::rejected, "5"),
    ("rejected", "a reading", states::rejected, "5\n"),
    ("rejected", "nearest form", states::suggested, "5"),
    (
        "rejected",
        "a reading with its nearest form",
        states::suggested,
        "5\n",
    ),
    ("alarms", "empty", states::empty, "6"),
    ("alarms", "alarms", states::alarms, "6"),
    ("alarms", "an alarm", states::alarms, "6\n"),
    ("orders", "orders", states::well, "7"),
    ("orders", "an order", states::well, "7\n"),
    ("scanners", "scanners", states::alarms, "8"),
    ("scanners", "a scanner", states::alarms, "8jj\n"),
    ("config", "config", states::well, "9"),
    ("config", "a key", states::well, "9jj\n"),
    ("config", "a pending bundle", states::pending, "9"),
    ("config", "a refused bundle", states::refused, "9"),
    ("config", "what is pending", states::pending, "9\n"),
    ("log", "log", states::well, "0"),
    ("log", "a line", states::well, "0\n"),
    ("search", "typing", states::well, "/WH/OUT"),
    (
        "search",
        "an event",
        states::well,
        "/e48\u{2193}\u{2193}\u{2193}\n",
    ),
    (
        "dialogs",
        "discard: reason",
        states::parked,
        "4dcounted by hand",
    ),
    (
        "dialogs",
        "discard: confirm",
        states::parked,
        "4dcounted by hand\n",
    ),
    (
        "dialogs",
        "discard all marked",
        states::parked,
        "4adwrong aisle\n",
    ),
    ("dialogs", "retry with an answer", states::asking, "4rj"),
    ("dialogs", "retry all", states::parked, "4R"),
    ("dialogs", "edit: fields", states::asking, "4e"),
    ("dialogs", "edit: a product's name", states::asking, "4ej\n"),
    (
        "dialogs",
        "edit: an unknown product",
        states::asking,
        "4ej\nX",
    ),
    (
        "dialogs",
        "edit: reason",
        states::asking,
        "4ejj\n\u{232b}\u{232b}30\nsas on the slip",
    ),
    ("dialogs", "dismiss", states::rejected, "5dtest label\n"),
    ("dialogs", "correct", states::rejected, "5e"),
    (
        "dialogs",
        "correct with a suggestion",
        states::suggested,
        "5e",
    ),
    ("dialogs", "period", states::well, "t06:0"),
    ("dialogs", "period: not a time", states::well, "t6\n"),
    (
        "dialogs",
        "send again",
        states::rejected,
        "5rset the topic\n",
    ),
    (
        "dialogs",
        "edit: last question",
        states::asking,
        "4ejj\n\u{232b}\u{232b}99999\nsas on the slip\n",
    ),
    (
        "dialogs",
        "edit: no reason",
        states::asking,
        "4ejj\n\u{232b}\u{232b}30\ns\n",
    ),
    ("dialogs", "edit: unchanged", states::asking, "4es"),
    (
        "dialogs",
        "edit: no quantity",
        states::asking,
        "4ejj\n\u{232b}\u{232b}1,5\n",
    ),
    ("dialogs", "discard: no reason", states::parked, "4d\n"),
    ("overview", "unused scans", states::unused, "1"),
    (
        "overview",
        "scans that moved no stock",
        states::unused,
        "1\n",
    ),
    ("alarms", "offline", states::offline, "6"),
    ("alarms", "the link", states::offline, "6\n"),
    ("help", "help", states::well, "?"),
];

/// Compares the frames of one panel with its snapshot.
fn check(panel: &str) {
    let mut text = String::new();
    for (of, name, gateway, keys) in CASES {
        if *of != panel {
            continue;
        }
        let gateway = gateway();
        for size in SIZES {
            let mut app = states::app(&gateway);
            // The size decides about what is loaded.
            drop(shown(&mut app, size));
            assert_eq!(press(&mut app, &gateway, keys), None, "{panel}: {name}");
            drop(shown(&mut app, size));
            refresh(&mut app, &gateway);
            write_frame(&mut text, name, &mut app, size);
        }
    }
    insta::assert_snapshot!(panel, text);
}

fn write_frame(text: &mut String, name: &str, app: &mut App, size: (u16, u16)) {
    let (columns, rows) = size;
    writeln!(text, "===== {name}, {columns}x{rows}").unwrap();
    text.push_str(&shown(app, size));
    if size == COLOURED {
        text.push_str(&colours(app, size));
    }
}

/// The styled parts of a frame: row, columns, style.
fn colours(app: &mut App, size: (u16, u16)) -> String {
    let terminal = frame(app, size);
    let mut text = "----- colours\n".to_owned();
    let rows = terminal
        .backend()
        .buffer()
        .content
        .chunks(usize::from(size.0));
    for (y, row) in rows.enumerate() {
        let mut x = 0;
        let mut parts = String::new();
        for run in row.chunk_by(|one, other| one.style() == other.style()) {
            let style = describe(run[0].style());
            if !style.is_empty() {
                write!(parts, " {x}-{}{style}", x + run.len() - 1).unwrap();
            }
            x += run.len();
        }
        if !parts.is_empty() {
            writeln!(text, "{y}:{parts}").unwrap();
        }
    }
    text
}

fn describe(style: Style) -> String {
    let mut text = String::new();
    let colour = |colour: Option<Color>| match colour {
        None | Some(Color::Reset) => String::new(),
        Some(Color::Indexed(index)) => index.to_string(),
        Some(other) => format!("{other:?}"),
    };
    match (colour(style.fg), colour(style.bg)) {
        (fg, bg) if fg.is_empty() && bg.is_empty() => {}
        (fg, bg) if bg.is_empty() => write!(text, "={fg}").unwrap(),
        (fg, bg) => write!(text, "={fg}/{bg}").unwrap(),
    }
    if style.add_modifier.contains(Modifier::BOLD) {
        text.push('b');
    }
    if style.add_modifier.contains(Modifier::REVERSED) {
        text.push('r');
    }
    text
}

/// A test for each snapshot; `all_cases_are_checked` finds a forgotten one.
macro_rules! panels {
    ($($name:ident,)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*
        const CHECKED: &[&str] = &[$(stringify!($name)),*];
    };
}

panels! {
    overview, devices, documents, parked, rejected, alarms, orders, scanners, config, log, search,
    dialogs, help,
}

#[test]
fn all_cases_are_checked() {
    for (panel, name, ..) in CASES {
        assert!(CHECKED.contains(panel), "{panel}: {name}");
    }
}

#[test]
fn the_daemon_is_away() {
    let mut text = String::new();
    for size in SIZES {
        let mut app = states::app(&states::well());
        app.update(
            Update::NoAnswer("no daemon answers".to_owned()),
            at("08:15:31"),
        );
        app.tick(at("08:15:42"));
        write_frame(&mut text, "away", &mut app, size);
        // It comes back by itself.
        refresh(&mut app, &states::well());
        assert!(shown(&mut app, size).contains("4,812 movements"));
        let mut never = App::new(std::path::Path::new("/run/s.sock"), Theme::default());
        never.update(
            Update::NoAnswer("no daemon answers".to_owned()),
            at("08:15:31"),
        );
        write_frame(&mut text, "away from the start", &mut never, size);
    }
    insta::assert_snapshot!("away", text);
}

#[test]
fn a_terminal_without_unicode_gets_ascii_only() {
    let mut text = String::new();
    for size in SIZES {
        for (_, name, gateway, keys) in CASES {
            let gateway = gateway();
            let mut app = states::app(&gateway);
            app.theme.is_unicode = false;
            press(&mut app, &gateway, keys);
            let screen = shown(&mut app, size);
            assert!(screen.is_ascii(), "{name}: {screen}");
            if ["offline", "edit: fields"].contains(name) && size == COLOURED {
                text += &screen;
            }
        }
    }
    insta::assert_snapshot!("ascii", text);
}

#[test]
fn without_colours_nothing_is_coloured() {
    for colours in [Colours::None, Colours::Sixteen] {
        let mut coloured = 0;
        for (_, name, gateway, keys) in CASES {
            let gateway = gateway();
            let mut app = states::app(&gateway);
            app.theme.colours = colours;
            press(&mut app, &gateway, keys);
            let terminal = frame(&mut app, COLOURED);
            let cells = &terminal.backend().buffer().content;
            for cell in cells
                .iter()
                .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            {
                // Sixteen colours appear only in the mark before the sentence.
                assert!(
                    cell.bg != Color::Reset && "✓!✗ ".contains(cell.symbol()),
                    "{name}"
                );
                coloured += 1;
            }
        }
        assert_eq!(coloured > 0, colours == Colours::Sixteen);
    }
}

#[test]
fn no_size_is_too_small_to_draw() {
    for (_, _, gateway, keys) in CASES {
        let gateway = gateway();
        let mut app = states::app(&gateway);
        // A resize within a dialog keeps the dialog.
        press(&mut app, &gateway, keys);
        let dialog = app.dialog.clone();
        for size in [(1, 1), (5, 3), (20, 8), (40, 12), (79, 23), (300, 100)] {
            drop(frame(&mut app, size));
        }
        assert_eq!(app.dialog, dialog);
    }
}
