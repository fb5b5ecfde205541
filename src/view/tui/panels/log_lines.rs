//! The panel of the newest lines of the daemon's log, the newest first.

use crate::view::table::plain;
use crate::view::tui::data::{Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::no_reason;
use crate::view::tui::theme::Role;

pub static LOG: Spec = Spec {
    name: "Log",
    columns: &[
        Column::new("TIME", 8, 0),
        Column::new("LEVEL", 5, 1),
        Column::new("PART", 22, 3),
        Column::filling("TEXT", 0),
    ],
    rows: |data, _| {
        let lines = data.log.lines.iter().rev();
        lines
            .map(|line| {
                let role = match line.level.as_str() {
                    "ERROR" => Role::Bad,
                    "WARN" => Role::Watch,
                    _ => Role::Plain,
                };
                let number = i64::try_from(line.number).unwrap_or(i64::MAX);
                let (zone, _) = data.zone();
                let time = line.at.to_zoned(zone).strftime("%H:%M:%S").to_string();
                let cells = vec![
                    Cell::new(time).order(number),
                    Cell::new(plain(&line.level)).role(role),
                    plain(&line.part).into(),
                    plain(&line.text).into(),
                ];
                ListRow::new(Subject::Log(line.number), cells)
            })
            .collect()
    },
    total: |data| Some(data.log.next),
    need: |_, _| Some(Need::Log),
    empty: "The daemon has logged nothing yet",
    wraps: false,
    follows: true,
    reason: no_reason,
};
