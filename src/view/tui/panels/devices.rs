//! The panel of devices: connection or drift, last event, counts and battery of each.

use crate::view::snapshot::Device;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, count_cell, no_reason};
use crate::view::tui::theme::Role;

pub static DEVICES: Spec = Spec {
    name: "Devices",
    columns: &[
        Column::filling("DEVICE", 0),
        Column::new("STATE", 7, 0),
        Column::new("LAST EVENT", AGO_WIDTH, 1),
        Column::number("EVENTS", 9, 2),
        Column::number("REJECTED", 8, 3),
        Column::number("BATTERY", 7, 4),
        Column::new("SOURCE", 16, 6),
    ],
    rows: |data, _| {
        data.status
            .devices
            .listed
            .iter()
            .map(|it| row(it, data))
            .collect()
    },
    total: |data| {
        Some(
            data.status
                .devices
                .known
                .max(data.status.devices.listed.len() as u64),
        )
    },
    need: |_, _| None,
    empty: "No device has connected yet",
    wraps: false,
    follows: true,
    reason: no_reason,
};

/// The state of a device.
pub fn state(device: &Device) -> &'static str {
    match (&device.drift, device.view.online) {
        (Some(_), _) => "drift",
        (None, true) => "online",
        (None, false) => "away",
    }
}

fn row(device: &Device, data: &Data) -> ListRow {
    let view = &device.view;
    let state = state(device);
    let battery = battery(device);
    let charge = battery.trim_end_matches(" %").parse().unwrap_or(i64::MAX);
    ListRow::new(
        Subject::Device(device.name.to_string()),
        vec![
            plain(device.name.as_str()).into(),
            Cell::new(data.words.t(state)).role(Role::of_state(state)),
            ago_cell(view.last_event, data),
            count_cell(view.events, data.words),
            count_cell(view.rejected, data.words),
            Cell::new(battery).order(charge),
            plain(&view.source).into(),
        ],
    )
}

/// The charge of the battery, under any of the keys that devices use; most use `battery`, in per
/// cent.
pub fn battery(device: &Device) -> String {
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

/// The number of devices that are online, for the name of the panel.
pub fn count(data: &Data) -> String {
    let devices = &data.status.devices;
    format!(
        "{}/{}",
        data.words.number(devices.online),
        data.words.number(devices.known)
    )
}
