//! What there is to do, and for whom: one entry for each cause. Pure.

use std::collections::BTreeMap;
use std::fmt;

use crate::board::Link;
use crate::reason::{Code, Heals, JudgedBy, ReasonCode, RejectionCode};
use crate::view::headline::ANONYMOUS;
use crate::view::snapshot::{SOURCE_DOWN, Status, Window};
use crate::view::table::{counted, plain};

/// Something that a person has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// What happened, and what to do now.
    pub what: String,
    pub who: Who,
}

/// Whom a task concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Supervisor,
    OdooAdministrator,
    It,
}

impl Who {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::OdooAdministrator => "Odoo administrator",
            Self::It => "IT",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Lists what there is to do; the most urgent comes first.
pub(super) fn list(status: &Status) -> Vec<Todo> {
    let mut todo = Vec::new();
    todo.extend(of_journal(status));
    todo.extend(of_link(status));
    let alarms = status.alarms.iter();
    let sources = alarms.clone().filter(|(code, _)| *code == SOURCE_DOWN);
    todo.extend(sources.map(|(_, alarm)| of_alarm(alarm)));
    let window = status.window.as_ref();
    todo.extend(of_parked(status, window));
    todo.extend(of_rejected(status, window));
    todo.extend(of_scans(status));
    let others = alarms.filter(|(code, _)| !matches!(code.as_str(), SOURCE_DOWN | ANONYMOUS));
    todo.extend(others.map(|(_, alarm)| of_alarm(alarm)));
    todo
}

fn of_alarm(alarm: &str) -> Todo {
    Todo {
        what: plain(alarm),
        who: Who::It,
    }
}

fn of_journal(status: &Status) -> Option<Todo> {
    let what = if status.journal.disk_full {
        "Free space on the gateway's disk. Until then the devices keep new scans and send them again."
    } else if status.journal.full {
        "Raise journal.budget, or restore the link to Odoo. Until then the devices keep new scans and send them again."
    } else {
        return None;
    };
    Some(Todo {
        what: what.to_owned(),
        who: Who::It,
    })
}

fn of_link(status: &Status) -> Option<Todo> {
    let detail = status.odoo.detail.as_deref().map_or(String::new(), |why| {
        format!(" ({})", plain(why.trim_end_matches('.')))
    });
    let what = match status.odoo.link {
        Link::Up | Link::Starting => return None,
        Link::Held => {
            format!("Fix the link to Odoo{detail}. Scanning goes on, and the gateway keeps all.")
        }
        Link::Down => format!(
            "Check Odoo and the network to it{detail}. Scanning goes on, and the gateway sends all by itself when Odoo answers."
        ),
    };
    Some(Todo { what, who: Who::It })
}

/// The refused documents: those of the window by reason code, and all others together.
fn of_parked(status: &Status, window: Option<&Window>) -> Vec<Todo> {
    let mut left = status.documents.parked;
    let mut todo = Vec::new();
    let codes = window.map(|window| &window.documents.parked_by_code);
    for (code, number) in codes.into_iter().flatten() {
        let number = (*number).min(left);
        if number > 0 {
            left -= number;
            todo.push(refused(&Code::from(code.as_str()), number));
        }
    }
    if left > 0 {
        todo.push(Todo {
            what: format!(
                "{} {}: decide in the list of parked documents (`stockrelay parked list`)",
                counted(
                    left,
                    if window.is_some() {
                        "older document"
                    } else {
                        "document"
                    }
                ),
                if left == 1 {
                    "is refused"
                } else {
                    "are refused"
                },
            ),
            who: Who::Supervisor,
        });
    }
    todo
}

fn refused(code: &Code<ReasonCode>, number: u64) -> Todo {
    let documents = counted(number, "document");
    let be = if number == 1 { "is" } else { "are" };
    let first = code.choices().first();
    let how = first.map_or_else(String::new, |(action, when)| {
        format!(": {} {when}", action.describe())
    });
    let who = match code.heals() {
        Heals::MasterData => Who::OdooAdministrator,
        Heals::Clock => Who::It,
        Heals::No | Heals::Goods | Heals::Picks => Who::Supervisor,
    };
    Todo {
        what: format!(
            "{documents} {be} refused ({}){how}, or see `stockrelay parked list`",
            plain(code.as_str())
        ),
        who,
    }
}

/// The open rejected readings: those of the window by what rejected them, and all others together.
fn of_rejected(status: &Status, window: Option<&Window>) -> Vec<Todo> {
    const DECIDE: &str =
        "then send the readings again or dismiss them (`stockrelay rejected list`)";
    let mut left = status.events.rejected_open;
    let mut causes: BTreeMap<&str, (u64, Who)> = BTreeMap::new();
    let codes = window.map(|window| &window.rejected.by_code);
    for (code, found) in codes.into_iter().flatten() {
        let number = found.open.min(left);
        if number > 0 {
            left -= number;
            let (cause, who) = cause_of(&Code::from(code.as_str()));
            causes.entry(cause).or_insert((0, who)).0 += number;
        }
    }
    let todo = |(cause, (number, who)): (&str, (u64, Who))| Todo {
        what: format!("{} {cause}, {DECIDE}", counted(number, "reading")),
        who,
    };
    let mut todo: Vec<Todo> = causes.into_iter().map(todo).collect();
    if left > 0 {
        let readings = counted(
            left,
            if window.is_some() {
                "other reading"
            } else {
                "reading"
            },
        );
        todo.push(Todo {
            what: format!(
                "{readings} rejected: send them again or dismiss them (`stockrelay rejected list`)"
            ),
            who: Who::Supervisor,
        });
    }
    todo
}

/// What rejected a reading and what to do first, and whom it concerns.
fn cause_of(code: &Code<RejectionCode>) -> (&'static str, Who) {
    match code.known() {
        Some(RejectionCode::NotYourTopic) => (
            "came under the name of another site or device: correct the name in the device",
            Who::It,
        ),
        Some(RejectionCode::UnknownType) => (
            "had an unknown type: correct the type in the device's program",
            Who::It,
        ),
        Some(RejectionCode::NotFinished) => (
            "had a movement that nobody ended: read what it lacks",
            Who::Supervisor,
        ),
        Some(code) => match code.row().judged_by {
            JudgedBy::Check => (
                "did not fit Odoo's data: scan again, or correct Odoo",
                Who::Supervisor,
            ),
            JudgedBy::Profile => (
                "did not fit the scanner's profile: correct the scanner or the profile",
                Who::It,
            ),
            JudgedBy::Payload => ("could not be read: correct the device's program", Who::It),
        },
        None => ("rejected: read why", Who::Supervisor),
    }
}

fn of_scans(status: &Status) -> Option<Todo> {
    let scans = status.events.unused_scans;
    (scans > 0).then(|| Todo {
        what: format!(
            "{} of devices without a flow became no movement: give the devices a flow, or dismiss the scans (`stockrelay rejected dismiss --scans`)",
            counted(scans, "scan")
        ),
        who: Who::It,
    })
}
