//! The line about the pending bundle, or the last one if it was not confirmed.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use stockrelay::board::{ConfigOrigin, LastView, PendingView};
use stockrelay::view::tui::{App, draw};

use super::fixtures::{app, at, well};

/// The first two lines of a frame.
fn top(app: &mut App, columns: u16) -> [String; 2] {
    let mut terminal = Terminal::new(TestBackend::new(columns, 24)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    let shown = terminal.backend().to_string();
    let mut lines = shown.lines().map(|line| line.trim_matches('"').trim_end());
    [(); 2].map(|()| lines.next().unwrap().to_owned())
}

#[test]
fn a_bundle_has_its_state_and_reason_in_one_line_that_is_cut_to_the_width() {
    let mut snapshot = well();
    let config = &mut snapshot.status.config;
    (config.origin, config.serial) = (ConfigOrigin::Bundle, Some(42));
    config.pending = Some(PendingView {
        serial: 43,
        state: "waiting".to_owned(),
        since: at("08:00:00"),
        until: Some(at("14:00:00")),
        reason: Some("ring 2 is due at 2026-11-23T14:00:00Z".to_owned()),
    });
    let [title, bundle] = top(&mut app(snapshot.clone()), 80);
    assert_eq!(
        title,
        "stockrelay 0.1.0  ams1, up 1:02:14; config 3fa4c1d2 from bundle 42 for 1:00:00"
    );
    assert_eq!(
        bundle,
        "bundle 43 is waiting: ring 2 is due at 2026-11-23T14:00:00Z"
    );
    let config = &mut snapshot.status.config;
    config.pending = None;
    config.last = Some(LastView {
        serial: 43,
        outcome: "rolled-back".to_owned(),
        reason: Some(
            "the link to Odoo is held: the database \"nowhere\" does not exist on the server"
                .to_owned(),
        ),
        at: at("08:00:00"),
    });
    let [_, bundle] = top(&mut app(snapshot.clone()), 80);
    assert_eq!(bundle.chars().count(), 80, "{bundle}");
    let start = "bundle 43 is rolled-back: the link to Odoo is held: the database \"nowhere\" does";
    assert_eq!(bundle, format!("{}…", &start[..79]));
    snapshot.status.config.last = None;
    let [_, without] = top(&mut app(snapshot), 80);
    assert!(!without.contains("bundle"), "{without}");
}
