//! The panel of alarms: what is raised, and what keeps movements from Odoo. Enter shows the whole
//! text, its age, and what to do.

use crate::view::answer::{Cause, answer};
use crate::view::headline::ANONYMOUS;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, no_reason};
use crate::view::tui::theme::Role;

use jiff::Timestamp;

/// The code of the daemon's alarm about the journal, and the names of the rows about the link and
/// the journal, which are no alarms of the daemon.
const JOURNAL_FULL: &str = "journal-full";
pub const LINK: &str = "odoo-link";
const JOURNAL: &str = "journal";

pub static ALARMS: Spec = Spec {
    name: "Alarms",
    columns: &[
        Column::new("ALARM", 18, 0),
        Column::new("SINCE", AGO_WIDTH, 1),
        Column::filling("WHAT AND WHAT TO DO", 0),
    ],
    rows: |data, _| raised(data).into_iter().map(|it| row(it, data)).collect(),
    total: |data| Some(raised(data).len() as u64),
    need: |_, _| None,
    empty: "No alarm is raised, and Odoo can be reached",
    wraps: true,
    follows: true,
    reason: no_reason,
};

/// Something that keeps the gateway from its work, or that the gateway warns about.
pub struct Raised {
    pub code: String,
    pub problem: String,
    pub what: String,
    pub since: Option<Timestamp>,
}

/// What keeps movements from Odoo, then the alarms.
pub fn raised(data: &Data) -> Vec<Raised> {
    let alarms = &data.status.alarms;
    let todo = answer(&data.status, data.now, data.words).todo.into_iter();
    let mut raised: Vec<Raised> = todo
        .filter_map(|todo| {
            let code = match todo.cause {
                Cause::Link => LINK.to_owned(),
                Cause::Journal if !alarms.contains_key(JOURNAL_FULL) => JOURNAL.to_owned(),
                Cause::Alarm(code) => code,
                _ => return None,
            };
            Some(Raised {
                code,
                problem: todo.problem,
                what: todo.what,
                since: todo.since,
            })
        })
        .collect();
    // Nobody has to do anything about it.
    raised.extend(alarms.get(ANONYMOUS).map(|text| Raised {
        code: ANONYMOUS.to_owned(),
        problem: plain(text.trim_end_matches('.')),
        what: String::new(),
        since: data.status.alarms_since.get(ANONYMOUS).copied(),
    }));
    raised
}

fn row(raised: Raised, data: &Data) -> ListRow {
    let text = match raised.what.as_str() {
        "" => raised.problem,
        what => format!("{}. {what}", raised.problem),
    };
    let cells = vec![
        Cell::new(plain(&raised.code)).role(Role::Bad),
        ago_cell(raised.since, data),
        text.into(),
    ];
    ListRow::new(Subject::Alarm(raised.code), cells)
}
