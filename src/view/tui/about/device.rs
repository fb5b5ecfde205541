//! A device: connection, counts, battery, firmware, configuration, unfinished movement, the last
//! hour, and its newest events.

use super::PageText;
use crate::view::snapshot::Device;
use crate::view::tui::data::Subject;
use crate::view::tui::panels::{self, REJECTED};
use crate::view::tui::texts::{describe_event, state_of_event};
use crate::view::tui::theme::Role;

/// The newest events that the page shows; its list of events has the rest.
pub const EVENTS_SHOWN: usize = 20;

pub fn write(text: &mut PageText<'_>, name: &str) {
    let words = text.data.words;
    let listed = &text.data.status.devices.listed;
    match listed.iter().find(|device| device.name.as_str() == name) {
        Some(device) => write_device(text, device),
        None => text.line(words.t("This device has not connected since the daemon started.")),
    }
    write_hour(text, name);
    write_events(text, name);
}

fn write_device(text: &mut PageText<'_>, device: &Device) {
    let (data, words) = (text.data, text.data.words);
    let view = &device.view;
    let state = panels::state_of_device(device);
    let shown = match view.since {
        Some(at) => {
            let values = [("state", words.t(state)), ("time", &data.time_and_age(at))];
            words.fill("{state} since {time}", &values)
        }
        None => words.t(state).to_owned(),
    };
    text.value_in("state", shown, Role::of_state(state));
    text.value("source", &view.source);
    text.value("last event", data.ago(view.last_event));
    if let Some(step) = &device.flow_step {
        text.value_in("unfinished", step, Role::Watch);
    }
    let since_start = |count: u64| {
        let count = words.number(count);
        words.fill("{n} since the daemon started", &[("n", &count)])
    };
    text.value("events", since_start(view.events));
    let duplicates = words.number(view.duplicates);
    text.value(
        "duplicates",
        words.fill("{n}, not counted twice", &[("n", &duplicates)]),
    );
    text.value("rejected", since_start(view.rejected));
    if let Some(drift) = &device.drift {
        text.heading(words.t("It does not use the configuration that it should"));
        let none = || words.t("none").to_owned();
        text.value("desired", drift.desired.clone().unwrap_or_else(none));
        text.value("reported", drift.reported.clone().unwrap_or_else(none));
        if let Some(error) = &drift.error {
            text.value_in("error", error, Role::Bad);
        }
        text.value("since", data.time_and_age(drift.since));
    }
    if let Some(serde_json::Value::Object(fields)) = &view.state {
        text.heading(words.t("Its last report (battery, firmware, clock, ...)"));
        for (key, value) in fields {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            text.value(key, value);
        }
    }
}

/// What the device did in the last hour.
fn write_hour(text: &mut PageText<'_>, name: &str) {
    let (data, words) = (text.data, text.data.words);
    let Some(hour) = (data.events.device == name).then_some(&data.events.hour) else {
        return;
    };
    text.heading(words.t("The last hour"));
    let parts = [
        (hour.movements, "{n} movement", "{n} movements"),
        (hour.parked, "{n} of it parked", "{n} of them parked"),
        (
            hour.unused,
            "{n} scan that moved no stock",
            "{n} scans that moved no stock",
        ),
    ];
    let parts: Vec<String> = (parts.into_iter().enumerate())
        .filter(|(place, (count, ..))| *place == 0 || *count > 0)
        .map(|(_, (count, one, several))| words.count(count, one, several))
        .collect();
    let parts = parts.join(", ");
    if hour.is_whole {
        text.line(parts);
    } else {
        text.line(words.fill("at least {parts}", &[("parts", &parts)]));
    }
}

fn write_events(text: &mut PageText<'_>, name: &str) {
    let (data, words) = (text.data, text.data.words);
    text.heading(words.t("Its newest events"));
    let known = (data.events.device == name).then_some(&data.events);
    let events = known.map_or(&[][..], |known| &known.events[..]);
    for event in events.iter().take(EVENTS_SHOWN) {
        let odoo = event.odoo.as_deref().unwrap_or_default();
        let (state, _) = state_of_event(event);
        let state = words.t(state);
        let state = if event.state == "parked" {
            state.to_uppercase()
        } else {
            state.to_owned()
        };
        let line = format!(
            "{:<14} {state:<11} {} {odoo}",
            data.ago(Some(event.at)),
            describe_event(event, data)
        );
        text.link(line, Subject::Event(format!("seq:{}", event.seq)));
    }
    match known {
        None => text.line(words.t("loading")),
        Some(known) if events.is_empty() && known.is_cut => {
            let searched = words.number(known.searched);
            let none = "None of the newest {n} events of the gateway is from this device.";
            text.line(words.fill(none, &[("n", &searched)]));
        }
        Some(_) if events.is_empty() => text.line(words.t("It has sent no event.")),
        Some(_) => {}
    }
    text.link(
        words.t("all its events, with order and filter"),
        Subject::EventsOf(name.to_owned()),
    );
    text.link(
        words.t("its rejected readings"),
        Subject::Panel(REJECTED, name.to_owned()),
    );
}
