//! The panel of the configuration: each value that runs, and what sets it.

use crate::view::table::plain;
use crate::view::tui::data::{Need, Subject};
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
    rows: |data, _| {
        let keys = data.config.keys.iter();
        keys.map(|(key, value)| {
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
        })
        .collect()
    },
    total: |data| Some(data.config.keys.len() as u64),
    need: |_, _| Some(Need::Config),
    empty: "The gateway has not answered with its configuration yet",
    wraps: false,
    reason: no_reason,
};
