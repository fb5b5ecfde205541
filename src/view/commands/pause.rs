//! `stockrelay pause` and `stockrelay resume`: stop the sending to Odoo for a time.

use std::io::{self, Write};

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, Zoned};
use serde_json::{Value, json};

use super::{Client, CommandError, Done, json_line};
use crate::clock;
use crate::pause::Pause;
use crate::view::cli::{PauseArgs, UnpauseArgs};
use crate::view::records::{PauseView, Resumed};
use crate::view::table::{Table, counted, plain, span, time};

pub async fn pause(client: &Client, args: &PauseArgs, out: &mut dyn Write) -> Done {
    if args.history {
        return history(client, args.json, out).await;
    }
    let now = clock::now().to_zoned(clock::zone());
    let until = args.until.as_deref().map(|text| parse_until(text, &now));
    let until = until.transpose().map_err(CommandError::Usage)?;
    let body = json!({ "until": until, "reason": args.reason });
    if args.json {
        let value: Value = client.post("/v1/pause", &body).await?;
        json_line(out, &value)?;
        return Ok(());
    }
    let view: PauseView = client.post("/v1/pause", &body).await?;
    let ends = match until {
        Some(until) => format!(
            "until {} (in {})",
            show_time(until, now.time_zone()),
            span(seconds_between(now.timestamp(), until))
        ),
        None => "until `stockrelay resume`".to_owned(),
    };
    writeln!(
        out,
        "Sending to Odoo is paused {ends}. The gateway stores all events meanwhile."
    )?;
    write_progress(&view, out)?;
    Ok(())
}

/// Writes whether the gateway still changes anything in Odoo.
fn write_progress(view: &PauseView, out: &mut dyn Write) -> io::Result<()> {
    let documents = counted(view.sending, "document");
    match (view.quiet, view.sending) {
        (true, 0) => writeln!(out, "No document is being sent."),
        (true, _) => writeln!(
            out,
            "Odoo did not answer about {documents}: the gateway asks again after the pause."
        ),
        (false, _) => writeln!(
            out,
            "The gateway still finishes a call to Odoo ({documents}): `stockrelay pause --history --json | jq .quiet` shows `true` when it has."
        ),
    }
}

pub async fn resume(client: &Client, args: &UnpauseArgs, out: &mut dyn Write) -> Done {
    let body = json!({ "reason": args.reason });
    if args.json {
        let value: Value = client.post("/v1/resume", &body).await?;
        json_line(out, &value)?;
        return Ok(());
    }
    let resumed: Resumed = client.post("/v1/resume", &body).await?;
    match resumed.ended {
        Some(pause) => writeln!(
            out,
            "The gateway sends to Odoo again. {} paused the sending at {}.",
            plain(pause.name()),
            show_time(pause.since, &clock::zone())
        )?,
        None => writeln!(out, "Sending to Odoo was not paused: nothing was changed.")?,
    }
    Ok(())
}

async fn history(client: &Client, json: bool, out: &mut dyn Write) -> Done {
    if json {
        let value: Value = client.get("/v1/pause").await?;
        json_line(out, &value)?;
        return Ok(());
    }
    let view: PauseView = client.get("/v1/pause").await?;
    if view.history.is_empty() {
        writeln!(out, "Nobody has paused the sending on this gateway.")?;
        return Ok(());
    }
    let now = clock::now();
    let mut table = Table::new(&["SINCE", "BY", "REASON", "END", "ENDED BY"]);
    for pause in &view.history {
        table.row(row(pause, now));
    }
    table.write(&mut &mut *out, true)?;
    Ok(())
}

fn row(pause: &Pause, now: Timestamp) -> [String; 5] {
    let (end, ended_by) = match (&pause.ended, pause.until) {
        (Some(end), _) => {
            let reason = end.reason.as_ref().map(|reason| format!(": {reason}"));
            let by = format!("{}{}", end.name(), reason.unwrap_or_default());
            (time(end.at), by)
        }
        (None, Some(until)) if until <= now => (time(until), "the end of its time".to_owned()),
        (None, Some(until)) => (format!("on, until {}", time(until)), String::new()),
        (None, None) => ("on".to_owned(), String::new()),
    };
    let reason = pause.reason.clone().unwrap_or_default();
    [
        time(pause.since),
        pause.name().to_owned(),
        reason,
        end,
        ended_by,
    ]
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}

/// A time in the zone of the machine: `2026-11-30 22:00 CET`.
fn show_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M %Z")
        .to_string()
}

/// Parses the end of a pause: a duration, a time of the day, or a date with a time.
fn parse_until(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "--until is {:?}, which is no time; give a duration (90m, 2h, 1d), a time of the day (22:00), or a date with a time (2026-11-30 22:00)",
            plain(text)
        )
    };
    // A duration comes last: `22:00:00` is one, too.
    let until = if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else if let Ok(at) = text.parse::<DateTime>() {
        at.to_zoned(now.time_zone().clone())
            .map_err(|_| wrong())?
            .timestamp()
    } else if let Ok(at) = text.parse::<Time>() {
        next(at, now).ok_or_else(wrong)?
    } else {
        let duration = text.parse::<Span>().map_err(|_| wrong())?;
        now.checked_add(duration).map_err(|_| wrong())?.timestamp()
    };
    if until <= now.timestamp() {
        return Err(format!(
            "--until {} is in the past: it is {} now; give a later time",
            plain(text),
            show_time(now.timestamp(), now.time_zone())
        ));
    }
    Ok(until)
}

/// The next time at which clocks show this time of the day.
fn next(at: Time, now: &Zoned) -> Option<Timestamp> {
    let today = now.date().to_datetime(at);
    let on = |day: DateTime| Some(day.to_zoned(now.time_zone().clone()).ok()?.timestamp());
    match on(today)? {
        later if later > now.timestamp() => Some(later),
        _ => on(today.checked_add(1.day()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_a_duration_a_time_of_the_day_or_a_date() {
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        let now: Timestamp = "2026-11-30T20:30:00Z".parse().unwrap();
        let now = now.to_zoned(zone);
        for (text, until) in [
            ("2h", "2026-11-30T22:30:00Z"),
            ("90m", "2026-11-30T22:00:00Z"),
            ("1d 4h", "2026-12-02T00:30:00Z"),
            ("22:00", "2026-11-30T21:00:00Z"),
            ("22:00:00", "2026-11-30T21:00:00Z"),
            // It is 21:30 there.
            ("21:30", "2026-12-01T20:30:00Z"),
            ("06:00", "2026-12-01T05:00:00Z"),
            ("2026-12-24 18:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
        ] {
            let expected: Timestamp = until.parse().unwrap();
            assert_eq!(parse_until(text, &now), Ok(expected), "{text}");
        }
        for text in ["2026-11-30T20:00:00Z", "2020-01-01 00:00", "-2h", "0s"] {
            let error = parse_until(text, &now).unwrap_err();
            assert!(error.contains("in the past"), "{text}: {error}");
        }
        for text in ["", "soon", "25:00", "2 hours and"] {
            let error = parse_until(text, &now).unwrap_err();
            assert!(error.contains("no time"), "{text}: {error}");
        }
    }
}
