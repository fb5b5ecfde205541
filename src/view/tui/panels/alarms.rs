//! The panel of alarms: Enter shows the whole text, its age, and what to do.

use crate::view::table::plain;
use crate::view::tui::data::Subject;
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{ago_cell, no_reason};
use crate::view::tui::theme::Role;

pub static ALARMS: Spec = Spec {
    name: "Alarms",
    columns: &[
        Column::new("ALARM", 18, 0),
        Column::new("SINCE", 11, 1),
        Column::filling("WHAT AND WHAT TO DO", 0),
    ],
    rows: |data, _| {
        let status = &data.status;
        let row = |(code, text): (&String, &String)| {
            let since = status.alarms_since.get(code).copied();
            let cells = vec![
                Cell::new(plain(code)).role(Role::Bad),
                ago_cell(since, data.now),
                plain(text).into(),
            ];
            ListRow::new(Subject::Alarm(code.clone()), cells)
        };
        status.alarms.iter().map(row).collect()
    },
    total: |data| Some(data.status.alarms.len() as u64),
    need: |_, _| None,
    empty: "No alarm is raised",
    wraps: true,
    reason: no_reason,
};
