//! The running daemon, and what it reports.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{Finding, Level};
use crate::board::Link;
use crate::clock;
use crate::view::client::{Client, ClientError};
use crate::view::snapshot::{SOURCE_DOWN, Source, Status, describe_left};
use crate::view::table::{span, time};

/// The name of these findings.
const DAEMON: &str = "daemon";
/// The name of the finding about the room that is left.
const ROOM: &str = "journal.room";
/// Longer than a long weekend without a link to Odoo.
const LEFT_MIN: Duration = Duration::from_hours(7 * 24);
const NO_ACKNOWLEDGEMENT: &str = "devices repeat their scans, and show them as not stored";

/// Checks whether a daemon is running, and reports its alarms.
pub async fn daemon(socket: &Path) -> Vec<Finding> {
    let status = match Client::new(socket).get::<Status>("/v1/status").await {
        Ok(status) => status,
        Err(ClientError::NotRunning { socket }) => {
            return vec![Finding::warn(
                DAEMON,
                format!("no daemon answers on {}", socket.display()),
                "nothing stores scans",
                "start it with `systemctl start stockrelay` or `stockrelay run`",
            )];
        }
        Err(error) => {
            return vec![Finding::of_message(
                Level::Warn,
                DAEMON,
                &error.to_string(),
                "`check` cannot read what the daemon reports",
                "run `stockrelay check` as root",
            )];
        }
    };
    let up = format!(
        "daemon {} is up for {}",
        status.version,
        span(status.uptime_s)
    );
    let mut findings = vec![Finding::ok(DAEMON, up)];
    findings.extend(full(&status));
    findings.extend(room_left(&status, clock::now()));
    findings.extend(sources(&status));
    findings.extend(link(&status));
    // The findings about the configuration have these two already.
    let alarms =
        (status.alarms.iter()).filter(|(code, _)| *code != "anonymous" && *code != SOURCE_DOWN);
    findings.extend(alarms.map(|(code, sentence)| {
        Finding::warn(
            DAEMON,
            sentence,
            format!("the daemon has raised the alarm {code}"),
            "follow the text; `stockrelay status` shows the alarm until its cause is gone",
        )
    }));
    findings
}

fn full(status: &Status) -> Option<Finding> {
    let (what, remedy) = if status.journal.disk_full {
        (
            "the disk of the journal is full: the gateway acknowledges nothing",
            "free disk space, or enlarge the disk of data_dir",
        )
    } else if status.journal.full {
        (
            "the journal is full: the gateway acknowledges nothing",
            "raise journal.budget, or restore the link to Odoo, so that posted events can be pruned",
        )
    } else {
        return None;
    };
    Some(Finding::fail(DAEMON, what, NO_ACKNOWLEDGEMENT, remedy))
}

/// How long the room lasts at the present rate. `None`: the journal does not grow, or the daemon
/// does not know the rate yet.
fn room_left(status: &Status, now: Timestamp) -> Option<Finding> {
    let of_budget = status.journal.budget_left(now);
    let of_disk = status.journal.disk_left(now);
    let (left, of, remedy) = match (of_budget, of_disk) {
        (budget, Some(disk)) if budget.is_none_or(|budget| disk < budget) => (
            disk,
            "the disk of data_dir",
            "free disk space, or enlarge the disk of data_dir",
        ),
        (budget, _) => (
            budget?,
            "the budget of the journal",
            "raise journal.budget; the gateway prunes only what is in Odoo, so look at the link to Odoo first",
        ),
    };
    let what = format!("at today's rate {of} lasts for {}", describe_left(left));
    if left >= LEFT_MIN {
        return Some(Finding::ok(ROOM, what));
    }
    let why = "then the gateway acknowledges no scan";
    Some(Finding::warn(ROOM, what, why, remedy))
}

fn sources(status: &Status) -> Vec<Finding> {
    let is_down = |source: &&Source| source.view.state == "down";
    let down = status.sources.iter().filter(is_down);
    down.map(|source| {
        let detail = source.view.detail.as_deref();
        let detail = detail.unwrap_or("the reason is unknown");
        Finding::of_message(
            Level::Warn,
            DAEMON,
            &format!("{} is down: {detail}", source.name),
            "the gateway receives nothing from it",
            "the daemon retries; fix the cause if it persists",
        )
    })
    .collect()
}

/// A pause, or a link to Odoo that is down or held.
fn link(status: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(pause) = &status.pause {
        let until = pause.until.map(|until| format!(" until {}", time(until)));
        let what = format!(
            "{} has paused the sending to Odoo{}: documents wait",
            pause.name(),
            until.unwrap_or_default()
        );
        let why = "Odoo does not show movements since then";
        findings.push(Finding::warn(
            DAEMON,
            what,
            why,
            "`stockrelay resume` ends the pause",
        ));
    }
    let is_upgrade = status.pause.is_some() && status.odoo.link == Link::Down;
    if let (Link::Down | Link::Held, Some(detail), false) =
        (&status.odoo.link, &status.odoo.detail, is_upgrade)
    {
        findings.push(Finding::of_message(
            Level::Warn,
            DAEMON,
            detail,
            "the daemon stores scans, but sends nothing to Odoo",
            "see `stockrelay status`",
        ));
    }
    findings
}
