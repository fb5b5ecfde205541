//! `fleet status` and `fleet show`.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Central;
use super::centre::Ear;
use crate::event::Name;
use crate::fleet::heard::{HeardSite, HeardSites};
use crate::fleet::record::TEXT_CHARS_MAX;
use crate::fleet::report::{Report, ReportedOutcome, UNPROVEN};
use crate::view::commands::config::failed;
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::table::{Table, plain, seconds_since, size, span, time};

/// The longest cell of the table. The reason is the longest text of a gateway that is no attacker.
const CELL_CHARS_MAX: usize = TEXT_CHARS_MAX;

/// How urgent a gateway is. The order is that of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// The last bundle was rolled back or refused.
    Failed,
    Disconnected,
    /// A bundle is on its way.
    Pending,
    Well,
}

/// A row of the table.
struct Standing<'a> {
    site: &'a Name,
    heard: &'a HeardSite,
    urgency: Urgency,
    state: &'static str,
    reason: String,
}

/// Shows all gateways.
pub async fn status(
    central: &Central,
    json: bool,
    now: Timestamp,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let mut ear = Ear::default();
    let mut desk = central.connect().await?;
    ear.listen(&mut desk).await?;
    desk.close().await;
    ear.warn();
    let standings = sort(&ear.sites);
    if json {
        for standing in &standings {
            json_line(out, &standing.json())?;
        }
    } else {
        write_table(&standings, now, out)?;
    }
    Ok(EXIT_DONE)
}

fn sort(sites: &HeardSites) -> Vec<Standing<'_>> {
    let mut standings: Vec<_> = sites
        .iter()
        .map(|(site, heard)| judge(site, heard))
        .collect();
    standings.sort_by_key(|standing| {
        let report = standing.heard.report.as_ref();
        let expiry = report.and_then(|report| Some(report.first_expiry()?.1));
        let has_none = expiry.is_none();
        (standing.urgency, has_none, expiry, standing.site)
    });
    standings
}

fn judge<'a>(site: &'a Name, heard: &'a HeardSite) -> Standing<'a> {
    let standing = |urgency, state, reason: &str| Standing {
        site,
        heard,
        urgency,
        state,
        reason: reason.to_owned(),
    };
    let Some(report) = &heard.report else {
        let urgency = match heard.online {
            Some(true) => Urgency::Well,
            _ => Urgency::Disconnected,
        };
        return standing(urgency, "no-report", "");
    };
    if let Some((state, reason)) = find_failure(report) {
        return standing(Urgency::Failed, state, reason);
    }
    if heard.online == Some(false) {
        let reason = match heard.alive {
            Some(alive) => format!("not connected since {} or later", time(alive)),
            None => "not connected".to_owned(),
        };
        return standing(Urgency::Disconnected, "offline", &reason);
    }
    match (&report.wanted, report.running.serial) {
        (Some(wanted), _) if wanted.outcome().is_none() => {
            standing(Urgency::Pending, wanted.state.name(), &wanted.reason)
        }
        (_, Some(_)) => standing(Urgency::Well, "confirmed", ""),
        (_, None) => standing(Urgency::Well, "files", ""),
    }
}

/// Finds the failure of the newest bundle that the gateway knows.
fn find_failure(report: &Report) -> Option<(&'static str, &str)> {
    let wanted = report.wanted.as_ref();
    let last = report.last.as_ref();
    // No signature proves the serial of what the gateway refuses.
    let unproven = wanted.filter(|wanted| wanted.serial == UNPROVEN);
    if let Some(wanted) = unproven
        && let Some(outcome) = wanted.outcome()
    {
        return Some((outcome.name(), &wanted.reason));
    }
    let ended = wanted.and_then(|wanted| {
        let outcome = wanted.outcome()?;
        Some((wanted.serial, outcome, wanted.reason.as_str()))
    });
    let last = last.map(|last| (last.serial, last.outcome, last.reason.as_str()));
    // Of two equal serials, the last one counts: that of `last`.
    let both = ended.into_iter().chain(last);
    let (serial, outcome, reason) = both.max_by_key(|(serial, ..)| *serial)?;
    let is_replaced = report
        .running
        .serial
        .is_some_and(|running| running > serial)
        || wanted.is_some_and(|wanted| wanted.serial > serial);
    (outcome != ReportedOutcome::Confirmed && !is_replaced).then_some((outcome.name(), reason))
}

impl Standing<'_> {
    fn json(&self) -> Value {
        let report = self.heard.report.as_ref();
        let report: Option<Value> =
            report.and_then(|report| serde_json::from_str(&report.to_json()).ok());
        json!({
            "site": self.site,
            "state": self.state,
            "online": self.heard.online,
            "reason": self.reason,
            "report": report,
        })
    }
}

fn write_table(
    standings: &[Standing],
    now: Timestamp,
    mut out: &mut (dyn Write + Send),
) -> io::Result<()> {
    if standings.is_empty() {
        return writeln!(
            out,
            "no gateway has reported to this broker: set [fleet] broker on the gateways"
        );
    }
    let mut table = Table::new(&[
        "site", "state", "runs", "next", "odoo", "oldest", "parked", "drift", "alarms", "expires",
        "why",
    ]);
    for standing in standings {
        table.row(cells(standing, now).into_iter().map(cut));
    }
    table.write(&mut out, true)?;
    let count = |urgency| {
        let of = standings.iter().filter(|one| one.urgency == urgency);
        of.count()
    };
    writeln!(
        out,
        "\n{} gateways: {} failed, {} not connected, {} with a bundle on its way, {} without need",
        standings.len(),
        count(Urgency::Failed),
        count(Urgency::Disconnected),
        count(Urgency::Pending),
        count(Urgency::Well)
    )
}

/// A report may fill a cell with thousands of characters; `--json` and `fleet show` have all.
fn cut(cell: String) -> String {
    if cell.chars().count() <= CELL_CHARS_MAX {
        return cell;
    }
    let kept: String = cell.chars().take(CELL_CHARS_MAX - 3).collect();
    kept + "..."
}

fn cells(standing: &Standing, now: Timestamp) -> Vec<String> {
    let mut cells = vec![standing.site.to_string(), standing.state.to_owned()];
    let Some(report) = &standing.heard.report else {
        cells.resize(10, String::new());
        cells.push(standing.reason.clone());
        return cells;
    };
    let expires = report.first_expiry().map(|(name, at)| {
        let left = seconds_since(now, at);
        let when = if at <= now {
            "expired".to_owned()
        } else {
            format!("{} d", left / 86_400)
        };
        format!("{name} {when}")
    });
    cells.extend([
        describe_serial(report.running.serial),
        report
            .wanted
            .as_ref()
            .map_or(String::new(), |wanted| match wanted.serial {
                UNPROVEN => "?".to_owned(),
                serial => serial.to_string(),
            }),
        report.odoo.clone(),
        span(report.oldest_waiting_s),
        report.parked.to_string(),
        report.drift.to_string(),
        report.alarms.join(","),
        expires.unwrap_or_default(),
        standing.reason.clone(),
    ]);
    cells
}

fn describe_serial(serial: Option<u64>) -> String {
    serial.map_or("files".to_owned(), |serial| serial.to_string())
}

/// Shows the report of one gateway.
pub async fn show(
    central: &Central,
    site: &Name,
    json: bool,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let mut ear = Ear::default();
    let mut desk = central.connect().await?;
    ear.listen_to_site(&mut desk, site).await?;
    desk.close().await;
    ear.warn();
    let Some(heard) = ear.sites.get(site) else {
        return Err(failed(format!(
            "the broker has no report of site {site}: `stockrelay fleet status` lists the sites"
        )));
    };
    if json {
        json_line(out, &judge(site, heard).json())?;
    } else {
        write_site(site, heard, out)?;
    }
    Ok(EXIT_DONE)
}

fn write_site(site: &Name, heard: &HeardSite, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let online = match heard.online {
        Some(true) => "connected",
        Some(false) => "not connected",
        None => "unknown",
    };
    writeln!(out, "site         {site}")?;
    writeln!(out, "connection   {online}")?;
    let Some(report) = &heard.report else {
        return writeln!(out, "report       none");
    };
    let mut line = |name: &str, text: &str| match text {
        "" => Ok(()),
        text => writeln!(out, "{name:<12} {}", plain(text)),
    };
    line("reported", &time(report.at))?;
    line("version", &report.version)?;
    line("group", report.group.as_ref().map_or("", Name::as_str))?;
    line("runs", &describe_serial(report.running.serial))?;
    line("hash", &report.running.hash)?;
    if let Some(wanted) = &report.wanted {
        let ring = wanted.ring.map(|ring| format!(", ring {ring}"));
        let ring = ring.unwrap_or_default();
        let (serial, state) = (wanted.serial, wanted.state.name());
        line("next", &format!("{serial}: {state}{ring}"))?;
        line("", &wanted.reason)?;
    }
    if let Some(last) = &report.last {
        let at = last.at.map(|at| format!(" at {}", time(at)));
        let at = at.unwrap_or_default();
        line(
            "last",
            &format!("{}: {}{at}", last.serial, last.outcome.name()),
        )?;
        line("", &last.reason)?;
    }
    let milliseconds = |offset: i64| format!("{offset} ms ahead");
    let clock = report.clock_offset_ms.map(milliseconds);
    line("clock", &clock.unwrap_or_default())?;
    line(
        "disk free",
        &report.disk_free_bytes.map(size).unwrap_or_default(),
    )?;
    line("odoo", &report.odoo)?;
    line("oldest", &span(report.oldest_waiting_s))?;
    line("parked", &report.parked.to_string())?;
    line("drift", &report.drift.to_string())?;
    line("alarms", &report.alarms.join(", "))?;
    for (name, at) in &report.expires {
        line("expires", &format!("{} {name}", time(*at)))?;
    }
    line("recipient", report.recipient.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::report::online_json;
    use crate::fleet::topics::{online_topic, report_topic};

    fn fleet(sites: &[(&str, bool, &str)]) -> HeardSites {
        let now: Timestamp = "2026-11-29T05:00:00Z".parse().unwrap();
        let mut heard = HeardSites::default();
        for (site, online, fields) in sites {
            let name = Name::new(site).unwrap();
            let text = format!(
                r#"{{"site": "{site}", "at": "2026-11-29T04:00:00Z", "odoo": "up", {fields}}}"#
            );
            let online = online_json(*online);
            for (topic, text) in [(report_topic(&name), text), (online_topic(&name), online)] {
                heard.hear(&topic, text.as_bytes(), true, now).unwrap();
            }
        }
        heard
    }

    const RUNS_42: &str = r#""running": {"serial": 42}"#;

    #[test]
    fn failures_come_first_then_those_that_wait_then_what_expires_first() {
        let expires = |day: &str| {
            format!(r#"{RUNS_42}, "expires": {{"odoo_key": "2026-12-{day}T00:00:00Z"}}"#)
        };
        let heard = fleet(&[
            ("a-late", true, &expires("24")),
            ("b-soon", true, &expires("02")),
            ("c-never", true, RUNS_42),
            (
                "d-waits",
                true,
                r#""running": {"serial": 41}, "wanted": {"serial": 42, "state": "waiting"}"#,
            ),
            ("e-gone", false, RUNS_42),
            (
                "f-failed",
                true,
                r#""running": {"serial": 41}, "last": {"serial": 42, "outcome": "rolled-back", "reason": "held"}"#,
            ),
            (
                "h-rejects",
                true,
                r#""running": {"serial": 42}, "wanted": {"serial": 0, "state": "refused", "reason": "too few"},
                   "last": {"serial": 40, "outcome": "refused", "reason": "old"}"#,
            ),
            (
                "g-again",
                true,
                r#""running": {"serial": 41}, "wanted": {"serial": 43, "state": "staged"},
                   "last": {"serial": 42, "outcome": "rolled-back"}"#,
            ),
        ]);
        let found: Vec<_> = (sort(&heard).iter())
            .map(|standing| format!("{} {}", standing.site, standing.state))
            .collect();
        let rejects = &sort(&heard)[1];
        assert_eq!(rejects.reason, "too few");
        assert_eq!(
            cells(rejects, "2026-11-29T05:00:00Z".parse().unwrap())[3],
            "?"
        );
        assert_eq!(
            found,
            [
                "f-failed rolled-back",
                "h-rejects refused",
                "e-gone offline",
                "d-waits waiting",
                "g-again staged",
                "b-soon confirmed",
                "a-late confirmed",
                "c-never confirmed",
            ]
        );
    }

    #[test]
    fn no_text_of_a_report_hides_changes_or_fills_a_line() {
        let alarms = format!(r#""{}""#, "a".repeat(500));
        let alarms = vec![alarms; 20].join(",");
        let fields = format!(
            r#""running": {{"serial": 41}}, "alarms": [{alarms}],
               "last": {{"serial": 42, "outcome": "refused",
                         "reason": "a\u200bb\u009bc\u202ed\u2062e\ufefff"}}"#
        );
        let heard = fleet(&[("ams1", true, &fields)]);
        let standings = sort(&heard);
        let mut out: Vec<u8> = Vec::new();
        let now = "2026-11-29T05:00:00Z".parse().unwrap();
        write_table(&standings, now, &mut out).unwrap();
        let table = String::from_utf8(out).unwrap();
        assert!(table.contains("a·b·c·d·e·f"), "{table}");
        let longest = table.lines().map(|line| line.chars().count()).max();
        assert!(longest.unwrap() < 1_000, "{longest:?}");
        let mut out: Vec<u8> = Vec::new();
        json_line(&mut out, &standings[0].json()).unwrap();
        let line = String::from_utf8(out).unwrap();
        let reason = r"a\u200bb\u009bc\u202ed\u2062e\ufefff";
        assert!(line.contains(reason), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, standings[0].json());
    }

    #[test]
    fn the_table_and_the_json_have_the_reason() {
        let heard = fleet(&[(
            "ams1",
            true,
            r#""running": {"serial": 41}, "parked": 2, "alarms": ["clock", "odoo-held"],
               "expires": {"tls_cert": "2026-12-01T05:00:00Z"},
               "last": {"serial": 42, "outcome": "refused", "reason": "too old\u001b[2J"}"#,
        )]);
        let standings = sort(&heard);
        let mut out: Vec<u8> = Vec::new();
        let now = "2026-11-29T05:00:00Z".parse().unwrap();
        write_table(&standings, now, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "refused",
            "41",
            "clock,odoo-held",
            "tls_cert 2 d",
            "too old·[2J",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json = standings[0].json();
        assert_eq!(json["state"], "refused");
        assert_eq!(json["report"]["last"]["serial"], 42);
        let mut out: Vec<u8> = Vec::new();
        let site = Name::new("ams1").unwrap();
        write_site(&site, heard.get(&site).unwrap(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("last         42: refused"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
