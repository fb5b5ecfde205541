//! The panel of the configuration: what runs and what is pending, then each value that runs, and
//! what sets it.

use crate::view::headline::describe_config;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::no_reason;
use crate::view::tui::theme::Role;

pub static CONFIG: Spec = Spec {
    name: "Config",
    columns: &[
        Column::filling("KEY", 0),
        Column::filling("VALUE", 0),
        Column::filling("SET BY", 1),
    ],
    rows: |data, _| rows(data),
    total: |data| Some((data.config.keys.len() + news(data).len()) as u64),
    need: |_, _| Some(Need::Config),
    empty: "The gateway has not answered with its configuration yet",
    wraps: false,
    follows: true,
    reason: no_reason,
};

fn rows(data: &Data) -> Vec<ListRow> {
    let keys = data.config.keys.iter();
    let keys = keys.map(|(key, value)| {
        let role = match value.origin.as_str() {
            "default" => Role::Faint,
            _ => Role::Plain,
        };
        let text = match &value.value {
            serde_json::Value::Null => "–".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cells = vec![
            plain(key).into(),
            plain(&text).into(),
            Cell::new(plain(&value.origin)).role(role),
        ];
        ListRow::new(Subject::Key(key.clone()), cells)
    });
    news(data).into_iter().chain(keys).collect()
}

/// What runs, and the pending bundle or how the last one ended.
fn news(data: &Data) -> Vec<ListRow> {
    let (config, words) = (&data.status.config, data.words);
    let since = |at| words.fill("since {time}", &[("time", &data.time(at))]);
    let bundle_is = |text, serial: u64, state: &str| {
        let values = [("serial", &*serial.to_string()), ("state", words.t(state))];
        words.fill(text, &values)
    };
    let Some(running) = describe_config(config, since) else {
        return Vec::new();
    };
    let bundle = match (&config.pending, &config.last) {
        (Some(pending), _) => {
            let until = pending.until.map_or(String::new(), |until| {
                let until = words.fill("until {time}", &[("time", &data.time(until))]);
                format!(", {until}")
            });
            let state = bundle_is("bundle {serial} is {state}", pending.serial, &pending.state);
            let since = format!("{}{until}", since(pending.since));
            Some(("(pending)", state, pending.reason.as_ref(), since))
        }
        (None, Some(last)) => {
            let state = bundle_is("bundle {serial} was {state}", last.serial, &last.outcome);
            let is_applied = last.outcome == "confirmed";
            (!is_applied).then(|| ("(last bundle)", state, last.reason.as_ref(), since(last.at)))
        }
        (None, None) => None,
    };
    let row = |kind: &str, text: String, origin: String, role| {
        let cells = vec![
            words.t(kind).into(),
            Cell::new(plain(&text)).role(role),
            origin.into(),
        ];
        let mut row = ListRow::new(Subject::Key(kind.to_owned()), cells);
        row.opens = Some(Subject::Configuration);
        row
    };
    let mut rows = vec![row("(what runs)", running, String::new(), Role::Heading)];
    rows.extend(bundle.map(|(kind, state, reason, since)| {
        let reason = reason.filter(|reason| !reason.is_empty());
        let reason = reason.map_or(String::new(), |reason| {
            format!(": {}", reason.replace('\n', "; "))
        });
        row(kind, format!("{state}{reason}"), since, Role::Bad)
    }));
    rows
}
