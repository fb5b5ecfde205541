//! What there is to do, and for whom: one entry for each cause. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::board::Link;
use crate::reason::{Code, Heals, JudgedBy, ReasonCode, RejectionCode};
use crate::view::headline::ANONYMOUS;
use crate::view::snapshot::{SOURCE_DOWN, Status, Window};
use crate::view::table::plain;
use crate::view::words::Words;

/// Something that a person has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    pub cause: Cause,
    /// What happened, in few words.
    pub problem: String,
    /// What to do now.
    pub what: String,
    pub who: Who,
    /// When it began. `None`: it is unknown.
    pub since: Option<Timestamp>,
}

/// What causes a task: what a screen opens for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    Journal,
    Link,
    /// A pause of sending without an end.
    Pause,
    /// An alarm, by its code.
    Alarm(String),
    /// Parked documents. The reason code; `None`: several.
    Parked(Option<String>),
    /// Rejected readings, by what rejected them. `None`: by several causes.
    Rejected(Option<&'static str>),
    /// Scans of devices without a flow.
    Scans,
}

impl Cause {
    /// The command that shows more, for a person who reads `stockrelay status`.
    #[must_use]
    pub fn command(&self) -> Option<&'static str> {
        match self {
            Self::Journal | Self::Link | Self::Alarm(_) => None,
            Self::Pause => Some("stockrelay resume"),
            Self::Parked(_) => Some("stockrelay parked list"),
            Self::Rejected(_) => Some("stockrelay rejected list"),
            Self::Scans => Some("stockrelay rejected dismiss --scans"),
        }
    }
}

/// Whom a task concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Supervisor,
    OdooAdministrator,
    It,
}

impl Who {
    /// The role, in English.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::OdooAdministrator => "Odoo administrator",
            Self::It => "IT",
        }
    }
}

/// Lists what there is to do; the most urgent comes first.
pub(super) fn list(status: &Status, words: Words) -> Vec<Todo> {
    let mut todo = Vec::new();
    todo.extend(of_journal(status, words));
    todo.extend(of_pause(status, words));
    todo.extend(of_link(status, words));
    let alarms = status.alarms.iter();
    let sources = alarms.clone().filter(|(code, _)| *code == SOURCE_DOWN);
    todo.extend(sources.map(|alarm| of_alarm(status, alarm)));
    let window = status.window.as_ref();
    todo.extend(of_parked(status, window, words));
    todo.extend(of_rejected(status, window, words));
    todo.extend(of_scans(status, words));
    let others = alarms.filter(|(code, _)| !matches!(code.as_str(), SOURCE_DOWN | ANONYMOUS));
    todo.extend(others.map(|alarm| of_alarm(status, alarm)));
    todo
}

/// An alarm says what happened first, then what to do.
fn of_alarm(status: &Status, (code, alarm): (&String, &String)) -> Todo {
    let (problem, what) = match alarm.split_once(". ") {
        Some((problem, what)) => (problem, what),
        None => (alarm.trim_end_matches('.'), ""),
    };
    Todo {
        cause: Cause::Alarm(code.clone()),
        problem: plain(problem),
        what: plain(what),
        who: Who::It,
        since: status.alarms_since.get(code).copied(),
    }
}

fn of_journal(status: &Status, words: Words) -> Option<Todo> {
    let (problem, what) = if status.journal.disk_full {
        (
            "The disk is full",
            "Free space on the gateway's disk. Until then the devices keep new scans and send them again.",
        )
    } else if status.journal.full {
        (
            "The journal is full",
            "Raise journal.budget, or restore the link to Odoo. Until then the devices keep new scans and send them again.",
        )
    } else {
        return None;
    };
    Some(Todo {
        cause: Cause::Journal,
        problem: words.t(problem).to_owned(),
        what: words.t(what).to_owned(),
        who: Who::It,
        since: None,
    })
}

fn of_link(status: &Status, words: Words) -> Option<Todo> {
    let (problem, what) = match status.odoo.link {
        Link::Up | Link::Starting => return None,
        Link::Held => (
            "Nothing is sent to Odoo",
            "Fix the link to Odoo. Scanning goes on, and the gateway keeps all.",
        ),
        // The cause of the pause may be the cause of this.
        Link::Down if status.pause.is_some() => return None,
        Link::Down => (
            "Odoo cannot be reached",
            "Check Odoo and the network to it. Scanning goes on, and the gateway sends all by itself when Odoo answers.",
        ),
    };
    Some(Todo {
        cause: Cause::Link,
        problem: words.t(problem).to_owned(),
        what: words.t(what).to_owned(),
        who: Who::It,
        since: status.odoo.since,
    })
}

/// A pause that a person has to end. One that ends by itself needs nobody.
fn of_pause(status: &Status, words: Words) -> Option<Todo> {
    let pause = status
        .pause
        .as_ref()
        .filter(|pause| pause.until.is_none())?;
    let name = plain(pause.name());
    Some(Todo {
        cause: Cause::Pause,
        problem: words.fill("{name} has paused the sending to Odoo", &[("name", &name)]),
        what: words
            .t("End the pause when the work in Odoo is done. Scanning goes on, and the gateway keeps all.")
            .to_owned(),
        who: Who::It,
        since: Some(pause.since),
    })
}

/// The parked documents: those of the window by reason code, and all others together.
fn of_parked(status: &Status, window: Option<&Window>, words: Words) -> Vec<Todo> {
    let mut left = status.documents.parked;
    let mut todo = Vec::new();
    let codes = window.map(|window| &window.documents.parked_by_code);
    for (code, number) in codes.into_iter().flatten() {
        let number = (*number).min(left);
        if number > 0 {
            left -= number;
            todo.push(of_reason(code, number, None, words));
        }
    }
    if left > 0 {
        todo.push(of_other_parked(left, window.is_some(), words));
    }
    todo
}

/// The parked documents that are older than the window, or whose reasons are not known.
#[must_use]
pub fn of_other_parked(number: u64, is_older: bool, words: Words) -> Todo {
    let problem = if is_older {
        words.count(
            number,
            "{n} older document is parked",
            "{n} older documents are parked",
        )
    } else {
        words.count(number, "{n} document is parked", "{n} documents are parked")
    };
    Todo {
        cause: Cause::Parked(None),
        problem,
        what: words.t("decide in the list of parked documents").to_owned(),
        who: Who::Supervisor,
        since: None,
    }
}

/// Documents that are parked for one reason.
#[must_use]
pub fn of_reason(code: &str, number: u64, since: Option<Timestamp>, words: Words) -> Todo {
    let problem = words.count(number, "{n} document is parked", "{n} documents are parked");
    let reason: Code<ReasonCode> = Code::from(code);
    let what = match reason.choices().first() {
        Some((action, when)) => format!("{} {}", words.action(*action), words.t(when)),
        None => words.t("decide in the list of parked documents").to_owned(),
    };
    let who = match reason.heals() {
        Heals::MasterData => Who::OdooAdministrator,
        Heals::Clock => Who::It,
        Heals::No | Heals::Goods | Heals::Picks => Who::Supervisor,
    };
    Todo {
        cause: Cause::Parked(Some(code.to_owned())),
        problem: format!("{problem} ({})", plain(code)),
        what,
        who,
        since,
    }
}

/// The open rejected readings: those of the window by what rejected them, and all others together.
fn of_rejected(status: &Status, window: Option<&Window>, words: Words) -> Vec<Todo> {
    let mut left = status.events.rejected_open;
    let mut causes: BTreeMap<&str, (u64, &'static str, Who)> = BTreeMap::new();
    let codes = window.map(|window| &window.rejected.by_code);
    for (code, found) in codes.into_iter().flatten() {
        let number = found.open.min(left);
        if number > 0 {
            left -= number;
            let (cause, what, who) = cause_of(&Code::from(code.as_str()));
            causes.entry(cause).or_insert((0, what, who)).0 += number;
        }
    }
    let mut todo: Vec<Todo> = Vec::new();
    let mut push = |cause, problem: String, what: &'static str, who| {
        let decide = words.t("then send the readings again or dismiss them");
        let what = match what {
            "" => decide.to_owned(),
            what => format!("{}, {decide}", words.t(what)),
        };
        todo.push(Todo {
            cause: Cause::Rejected(cause),
            problem,
            what,
            who,
            since: None,
        });
    };
    for (cause, (number, what, who)) in causes {
        let readings = words.count(number, "{n} rejected reading", "{n} rejected readings");
        let problem = format!("{readings} {}", words.t(cause));
        push(Some(cause), problem, what, who);
    }
    if left > 0 {
        let readings = if window.is_some() {
            words.count(
                left,
                "{n} other rejected reading",
                "{n} other rejected readings",
            )
        } else {
            words.count(left, "{n} rejected reading", "{n} rejected readings")
        };
        push(None, readings, "read why", Who::Supervisor);
    }
    todo
}

/// What rejected a reading with this code.
#[must_use]
pub fn cause_of_reading(code: &str) -> &'static str {
    cause_of(&Code::from(code)).0
}

/// What rejected a reading, what to do first, and whom it concerns.
fn cause_of(code: &Code<RejectionCode>) -> (&'static str, &'static str, Who) {
    match code.known() {
        Some(RejectionCode::NotYourTopic) => (
            "under the name of another site or device",
            "correct the name in the device",
            Who::It,
        ),
        Some(RejectionCode::UnknownType) => (
            "with an unknown type",
            "correct the type in the device's program",
            Who::It,
        ),
        Some(RejectionCode::NotFinished) => (
            "with a movement that nobody ended",
            "read what the movement lacks",
            Who::Supervisor,
        ),
        Some(code) => match code.row().judged_by {
            JudgedBy::Check => (
                "that did not fit Odoo's data",
                "scan again, or correct Odoo",
                Who::Supervisor,
            ),
            JudgedBy::Profile => (
                "that did not fit the scanner's profile",
                "correct the scanner or the profile",
                Who::It,
            ),
            JudgedBy::Payload => (
                "that could not be read",
                "correct the device's program",
                Who::It,
            ),
        },
        None => ("for another reason", "read why", Who::Supervisor),
    }
}

fn of_scans(status: &Status, words: Words) -> Option<Todo> {
    let scans = status.events.unused_scans;
    (scans > 0).then(|| Todo {
        cause: Cause::Scans,
        problem: words.count(
            scans,
            "{n} scan of a device without a flow moved no stock",
            "{n} scans of devices without a flow moved no stock",
        ),
        what: words
            .t("give the devices a flow in devices.toml, or dismiss the scans")
            .to_owned(),
        who: Who::It,
        since: None,
    })
}
