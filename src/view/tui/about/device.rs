//! A device: connection, counts, battery, firmware, configuration, unfinished movement, and its
//! newest events.

use super::PageText;
use crate::view::table::{grouped, seconds_since, span};
use crate::view::tui::data::Subject;
use crate::view::tui::panels::{self, REJECTED};
use crate::view::tui::parts::ago;
use crate::view::tui::theme::Role;

/// The newest events that the page shows; its list of events has the rest.
pub const EVENTS_SHOWN: usize = 20;

pub fn write(text: &mut PageText<'_>, name: &str) {
    let data = text.data;
    let listed = &data.status.devices.listed;
    let known = listed.iter().find(|device| device.name.as_str() == name);
    if let Some(device) = known {
        let view = &device.view;
        let state = panels::state_of_device(device);
        let since = view.since.map_or(String::new(), |at| {
            format!(", last message {} ago", span(seconds_since(at, data.now)))
        });
        text.value_in("state", format!("{state}{since}"), Role::of_state(state));
        text.value("source", &view.source);
        text.value("last event", ago(view.last_event, data.now));
        if let Some(step) = &device.flow_step {
            text.value_in("unfinished", step, Role::Watch);
        }
        text.value(
            "events",
            format!("{} since the daemon started", grouped(view.events)),
        );
        let (duplicates, rejected) = (grouped(view.duplicates), grouped(view.rejected));
        text.value("duplicates", format!("{duplicates}, not counted twice"));
        text.value("rejected", format!("{rejected} since the daemon started"));
        if let Some(drift) = &device.drift {
            text.heading("It does not use the configuration that it should");
            let or_none = |version: &Option<String>| version.clone().unwrap_or("none".to_owned());
            text.value("desired", or_none(&drift.desired));
            text.value("reported", or_none(&drift.reported));
            if let Some(error) = &drift.error {
                text.value_in("error", error, Role::Bad);
            }
            text.value(
                "since",
                format!("{}, {}", drift.since, ago(Some(drift.since), data.now)),
            );
        }
        if let Some(serde_json::Value::Object(fields)) = &view.state {
            text.heading("Its last report (battery, firmware, clock, ...)");
            for (key, value) in fields {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                text.value(key, value);
            }
        }
    } else {
        text.line("This device has not connected since the daemon started.");
    }
    write_events(text, name);
}

fn write_events(text: &mut PageText<'_>, name: &str) {
    let data = text.data;
    text.heading("Its newest events");
    let known = (data.events.device == name).then_some(&data.events);
    let events = known.map_or(&[][..], |known| &known.events[..]);
    for event in events.iter().take(EVENTS_SHOWN) {
        let refused = match event.state.as_str() {
            "parked" => "  PARKED",
            _ => "",
        };
        let odoo = event.odoo.as_deref().unwrap_or_default();
        let state = event.state.replace('_', " ");
        let line = format!(
            "{:<12} {state:<11} {} {} {odoo}{refused}",
            ago(Some(event.at), data.now),
            event.kind,
            event.describe()
        );
        text.link(line, Subject::Event(format!("seq:{}", event.seq)));
    }
    match known {
        None => text.line("loading"),
        Some(known) if events.is_empty() && known.is_cut => text.line(format!(
            "None of the newest {} events of the gateway is from this device.",
            grouped(known.searched)
        )),
        Some(_) if events.is_empty() => text.line("It has sent no event."),
        Some(_) => {}
    }
    text.link(
        "all its events, with order and filter",
        Subject::EventsOf(name.to_owned()),
    );
    text.link(
        "its rejected readings",
        Subject::Panel(REJECTED, name.to_owned()),
    );
}
