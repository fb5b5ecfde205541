//! The panel of devices: connection or drift, last event, counts and battery of each.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Row, Table};

use super::app::{App, Panel};
use super::parts::{ago, empty};
use super::theme::{HEADING, SELECTED};
use crate::view::snapshot::Device;
use crate::view::table::{grouped, plain};

const WIDTHS: [Constraint; 6] = [
    Constraint::Fill(2),
    Constraint::Length(7),
    Constraint::Length(12),
    Constraint::Length(9),
    Constraint::Length(8),
    Constraint::Length(7),
];

pub fn draw(frame: &mut Frame, area: Rect, block: Block, app: &mut App) {
    let listed = app
        .snapshot
        .as_ref()
        .map_or(&[][..], |(s, _)| &s.status.devices.listed);
    if listed.is_empty() {
        frame.render_widget(empty("No device has connected yet").block(block), area);
        return;
    }
    let rows: Vec<Row> = listed.iter().map(|device| row(device, app)).collect();
    let headings = [
        "DEVICE",
        "STATE",
        "LAST EVENT",
        "EVENTS",
        "REJECTED",
        "BATTERY",
    ];
    let table = Table::new(rows, WIDTHS)
        .header(Row::new(headings).style(HEADING))
        .row_highlight_style(SELECTED)
        .highlight_symbol("> ")
        .block(block);
    frame.render_stateful_widget(table, area, &mut app.rows[Panel::Devices as usize]);
}

fn row(device: &Device, app: &App) -> Row<'static> {
    let view = &device.view;
    let state = match (&device.drift, view.online) {
        (Some(_), _) => "drift",
        (None, true) => "online",
        (None, false) => "away",
    };
    Row::new(vec![
        Line::from(device.name.to_string()),
        Line::from(Span::styled(state, app.theme.state(state))),
        Line::from(ago(view.last_event, app.now)),
        Line::from(grouped(view.events)),
        Line::from(grouped(view.rejected)),
        Line::from(battery(device)),
    ])
}

/// The charge of the battery, under any of the keys that devices use; most use `battery`, in per
/// cent.
fn battery(device: &Device) -> String {
    let state = device.view.state.as_ref();
    let charge = ["battery", "battery_pct", "batteryLevel", "battery_percent"]
        .iter()
        .find_map(|key| state?.get(key));
    match charge {
        Some(serde_json::Value::Number(number)) => format!("{number} %"),
        Some(serde_json::Value::String(text)) => plain(text),
        _ => "–".to_owned(),
    }
}
