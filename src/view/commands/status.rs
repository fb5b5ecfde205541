//! `stockrelay status`: the state of the gateway on one screen.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{Client, Done, json_line};
use crate::board::levels::Outcomes;
use crate::board::{FleetView, Link};
use crate::clock;
use crate::view::answer::answer;
use crate::view::client::encode_for_path;
use crate::view::headline::{describe_bundle, describe_config};
use crate::view::snapshot::{
    Devices, EventCounts, JournalSize, Status, describe_clock, describe_left,
};
use crate::view::table::{counted, grouped, plain, size, time};
use crate::view::words::Words;

/// `since`: a time, or `shift`.
pub async fn status(client: &Client, json: bool, since: &str, out: &mut dyn Write) -> Done {
    let path = format!("/v1/status?since={}", encode_for_path(since));
    if json {
        let value: serde_json::Value = client.get(&path).await?;
        json_line(out, &value)?;
    } else {
        let status: Status = client.get(&path).await?;
        write(&status, clock::now(), out)?;
    }
    Ok(())
}

fn write(status: &Status, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    write_answer(status, now, out)?;
    let e = &status.events;
    let parts = [
        (e.open, "open"),
        (e.waiting, "waiting"),
        (e.sending, "sending"),
        (e.posted, "posted"),
        (e.parked, "parked"),
        (e.no_document, "no document"),
    ];
    writeln!(
        out,
        "events     {} stored = {}",
        grouped(e.stored),
        join_counts(&parts, " + ")
    )?;
    write_other_counts(e, out)?;
    let d = &status.documents;
    let parts = [
        (d.open, "open"),
        (d.waiting, "waiting"),
        (d.sending, "sending"),
        (d.posted, "posted"),
        (d.parked, "parked"),
        (d.discarded, "discarded"),
    ];
    writeln!(out, "documents  {}", join_counts(&parts, ", "))?;
    if d.parked > 0 {
        let parked = grouped(d.parked);
        writeln!(
            out,
            "           {parked} parked: see `stockrelay parked list`"
        )?;
    }
    writeln!(out, "lines      {} posted", grouped(status.lines.posted))?;
    if status.oldest_waiting_s > 0.0 {
        writeln!(
            out,
            "oldest     waiting for {:.1} s{}",
            status.oldest_waiting_s,
            status
                .pause
                .as_ref()
                .map_or("", |_| ", because the sending is paused")
        )?;
    }
    write_outcomes(&status.outcomes, out)?;
    let unfinished: Vec<_> = (status.unfinished.iter())
        .map(|(what, devices)| format!("{} a {}", counted(*devices, "device"), plain(what)))
        .collect();
    if !unfinished.is_empty() {
        writeln!(out, "started    {}", unfinished.join(", "))?;
    }
    write_pause(status, out)?;
    write_odoo(status, now, out)?;
    write_journal(&status.journal, now, out)?;
    writeln!(
        out,
        "clock      {}",
        describe_clock(&status.clock, Words::ENGLISH)
    )?;
    for source in &status.sources {
        let detail = source
            .view
            .detail
            .as_ref()
            .map_or(String::new(), |why| format!(": {}", plain(why)));
        writeln!(
            out,
            "source     {} {}, {}{detail}",
            plain(&source.name),
            plain(&source.view.state),
            counted(source.view.devices, "device")
        )?;
    }
    write_devices(&status.devices, out)?;
    let since = |at| format!("since {}", time(at));
    if let Some(config) = describe_config(&status.config, since) {
        writeln!(out, "config     {config}")?;
        if let Some(bundle) = describe_bundle(&status.config) {
            writeln!(out, "           {bundle}")?;
        }
    }
    write_fleet(&status.fleet, out)?;
    for sentence in status.alarms.values() {
        writeln!(out, "ALARM      {}", plain(sentence))?;
    }
    Ok(())
}

/// Writes which share of the movements was in Odoo how soon after the beep.
fn write_outcomes(outcomes: &Outcomes, out: &mut dyn Write) -> io::Result<()> {
    let Outcomes { in_odoo, .. } = *outcomes;
    if in_odoo == 0 {
        return Ok(());
    }
    let shares = [
        (outcomes.within_1_min, "1 min"),
        (outcomes.within_15_min, "15 min"),
        (outcomes.within_60_min, "60 min"),
    ];
    let shares = shares.map(|(count, within)| format!("{} within {within}", share(count, in_odoo)));
    let (shares, movements) = (shares.join(", "), counted(in_odoo, "movement"));
    writeln!(
        out,
        "in Odoo    {shares} of the scan ({movements} since the start)"
    )
}

/// Describes a share in percent, rounded down: 100 % means each one.
fn share(count: u64, of: u64) -> String {
    let tenths = u128::from(count) * 1_000 / u128::from(of.max(1));
    match tenths % 10 {
        0 => format!("{} %", tenths / 10),
        tenth => format!("{}.{tenth} %", tenths / 10),
    }
}

/// Writes who has paused the sending, its end, why, and which documents are still being sent.
fn write_pause(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let Some(pause) = &status.pause else {
        return Ok(());
    };
    let until = match pause.until {
        Some(until) => format!("until {}", time(until)),
        None => "until `stockrelay resume`".to_owned(),
    };
    let reason = pause
        .reason
        .as_ref()
        .map(|reason| format!(": {}", plain(reason)));
    let (name, since) = (plain(pause.name()), time(pause.since));
    writeln!(
        out,
        "paused     by {name} since {since}, {until}{}",
        reason.unwrap_or_default()
    )
}

/// Writes what was done since the shift began, and what there is to do.
fn write_answer(status: &Status, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let answer = answer(status, now, Words::ENGLISH);
    let up = Words::ENGLISH.span(status.uptime_s);
    writeln!(
        out,
        "{}: stockrelay {}, up {up}",
        plain(&status.site),
        plain(&status.version)
    )?;
    writeln!(out, "{}.", answer.sentence)?;
    for todo in &answer.todo {
        let what = match todo.what.as_str() {
            "" => String::new(),
            what => format!(": {}", what.trim_end_matches('.')),
        };
        let command = todo.cause.command();
        let command = command.map_or(String::new(), |command| format!(" (`{command}`)"));
        let (who, problem) = (todo.who.as_str(), &todo.problem);
        writeln!(out, "TO DO      {who}: {problem}{what}{command}")?;
    }
    writeln!(out)
}

/// Writes the size of the journal, the free space on its disk, and the time left of both.
fn write_journal(journal: &JournalSize, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let of_left = |left: Option<std::time::Duration>| {
        left.map_or(String::new(), |left| {
            format!(", full in {} at today's rate", describe_left(left))
        })
    };
    let full = if journal.disk_full {
        ", the disk is FULL: the gateway acknowledges nothing until you free space".to_owned()
    } else if journal.full {
        ", FULL: the gateway acknowledges nothing".to_owned()
    } else {
        of_left(journal.budget_left(now))
    };
    let (bytes, budget) = (size(journal.bytes), size(journal.budget_bytes));
    writeln!(out, "journal    {bytes} of {budget}{full}")?;
    if let Some(free) = journal.disk_free_bytes {
        let left = of_left(journal.disk_left(now));
        writeln!(out, "disk       {} free{left}", size(free))?;
    }
    Ok(())
}

fn write_devices(devices: &Devices, out: &mut dyn Write) -> io::Result<()> {
    let (online, known) = (devices.online, devices.known);
    writeln!(out, "devices    {online} online of {known} known")?;
    if devices.drift > 0 {
        let drift = counted(devices.drift, "device");
        writeln!(
            out,
            "           drift: {drift} without the desired configuration"
        )?;
    }
    Ok(())
}

fn write_fleet(fleet: &FleetView, out: &mut dyn Write) -> io::Result<()> {
    let ways = [("broker", &fleet.broker), ("address", &fleet.url)];
    for (name, way) in ways {
        let Some(way) = way else { continue };
        let (state, since) = (plain(&way.state), time(way.since));
        writeln!(out, "central IT {name} {state} since {since}")?;
        for text in [&way.detail, &way.last].into_iter().flatten() {
            writeln!(out, "           {}", plain(text))?;
        }
    }
    Ok(())
}

/// Writes the counts that are not in the sum of the stored events.
fn write_other_counts(e: &EventCounts, out: &mut dyn Write) -> io::Result<()> {
    let (again, rejected) = (counted(e.duplicates, "duplicate"), grouped(e.rejected));
    writeln!(out, "           also {again}, {rejected} rejected")?;
    if e.rejected_open > 0 {
        writeln!(
            out,
            "           {} open: see `stockrelay rejected list`",
            counted(e.rejected_open, "rejected reading")
        )?;
    }
    if e.rejected_dropped > 0 {
        writeln!(
            out,
            "           {} of them deleted to save space; to acknowledge: `stockrelay rejected dismiss --upto {} --reason TEXT`",
            grouped(e.rejected_dropped),
            e.rejected_dropped_upto
        )?;
    }
    if e.unused_scans > 0 {
        writeln!(
            out,
            "           {} of devices without a flow: give the devices a flow, or run `stockrelay rejected dismiss --scans --reason TEXT`",
            counted(e.unused_scans, "scan")
        )?;
    }
    if e.wrong_scans > 0 {
        writeln!(
            out,
            "           {} that flows answered with an error since the daemon started: they changed nothing",
            counted(e.wrong_scans, "scan")
        )?;
    }
    if e.left_out > 0 {
        writeln!(
            out,
            "           {} of the posted events removed by a person's edit: not in Odoo",
            grouped(e.left_out)
        )?;
    }
    if e.possible_repeats > 0 {
        let count = grouped(e.possible_repeats);
        writeln!(
            out,
            "           the devices may have sent {count} of the stored events twice (flag possible-repeat)"
        )?;
    }
    Ok(())
}

fn write_odoo(status: &Status, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let odoo = &status.odoo;
    let link = match odoo.link {
        Link::Starting => "connecting",
        Link::Up => "up",
        Link::Down => "down, the gateway retries",
        Link::Held => "held until a person fixes it",
    };
    let mut parts = vec![link.to_owned()];
    parts.extend(
        odoo.pause_s(now)
            .map(|seconds| format!("next attempt in {seconds} s")),
    );
    parts.extend(
        odoo.version
            .as_ref()
            .map(|version| format!("version {}", plain(version))),
    );
    parts.extend(odoo.api.as_ref().map(|api| format!("API {}", plain(api))));
    parts.extend(
        odoo.last_success
            .map(|at| format!("last answer {}", time(at))),
    );
    parts.extend(odoo.latency_ms.map(|ms| format!("{} ms", grouped(ms))));
    parts.push(format!("{} lines per call", odoo.batch_lines));
    writeln!(out, "odoo       {}", parts.join(", "))?;
    if let Some(detail) = &odoo.detail {
        writeln!(out, "           {}", plain(detail))?;
    }
    Ok(())
}

fn join_counts(parts: &[(u64, &str)], between: &str) -> String {
    let parts: Vec<String> = (parts.iter())
        .map(|(number, what)| format!("{} {what}", grouped(*number)))
        .collect();
    parts.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Growth, LastView};
    use crate::view::snapshot::Source;

    #[test]
    fn one_has_no_plural_and_parked_documents_have_their_command() {
        let mut status = Status::default();
        status.events.duplicates = 1;
        status.documents.parked = 3;
        let mut out = Vec::new();
        write(&status, "2026-11-23T08:15:30Z".parse().unwrap(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("also 1 duplicate, 0 rejected"), "{out}");
        assert!(
            out.contains("3 parked: see `stockrelay parked list`"),
            "{out}"
        );
    }

    #[test]
    fn one_screen_shows_everything_and_adds_up() {
        let mut status = Status {
            site: "ams1".to_owned(),
            version: "0.1.0".to_owned(),
            uptime_s: 3_734,
            oldest_waiting_s: 3.2,
            ..Status::default()
        };
        status.events.stored = 4_812;
        status.events.posted = 4_500;
        status.events.waiting = 312;
        status.outcomes = Outcomes {
            in_odoo: 4_500,
            within_1_min: 4_471,
            within_15_min: 4_499,
            within_60_min: 4_500,
        };
        status.odoo.link = Link::Down;
        status.odoo.version = Some("18.0".to_owned());
        status.odoo.api = Some("JSON-RPC".to_owned());
        status.odoo.retry_at = "2026-11-23T08:15:41.2Z".parse().ok();
        status.odoo.since = "2026-11-23T08:13:16Z".parse().ok();
        status.odoo.detail = Some("connection refused\x1b[0m".to_owned());
        status.journal.budget_bytes = 1 << 30;
        status.journal.bytes = 1 << 20;
        status.journal.disk_free_bytes = Some(40 << 30);
        status.journal.growth = Some(Growth {
            since: "2026-11-23T00:15:30Z".parse().unwrap(),
            bytes: 1 << 20,
        });
        status.clock.service = Some("systemd-timesyncd".to_owned());
        status.clock.synchronised = Some(true);
        let mut source = Source {
            name: "mqtt.listen".to_owned(),
            ..Source::default()
        };
        source.view.state = "up".to_owned();
        source.view.devices = 3;
        status.sources.push(source);
        status
            .alarms
            .insert("anonymous".to_owned(), "Anyone may publish".to_owned());
        status.unfinished.insert("transfer".to_owned(), 1);
        status.events.wrong_scans = 2;
        status.config.hash = "0123456789abcdef".to_owned();
        status.config.since = "2026-11-23T07:00:00Z".parse().ok();
        status.config.last = Some(LastView {
            serial: 43,
            outcome: "rolled-back".to_owned(),
            reason: Some("the link to Odoo is held".to_owned()),
            at: "2026-11-23T07:00:00Z".parse().unwrap(),
        });
        let mut out = Vec::new();
        write(&status, "2026-11-23T08:15:30Z".parse().unwrap(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        ams1: stockrelay 0.1.0, up 1 h 2 min
        Link to Odoo is down for 2 min 14 s; 312 events are safe here; 1 device has started a transfer.
        TO DO      IT: Odoo cannot be reached: Check Odoo and the network to it. Scanning goes on, and the gateway sends all by itself when Odoo answers

        events     4,812 stored = 0 open + 312 waiting + 0 sending + 4,500 posted + 0 parked + 0 no document
                   also 0 duplicates, 0 rejected
                   2 scans that flows answered with an error since the daemon started: they changed nothing
        documents  0 open, 0 waiting, 0 sending, 0 posted, 0 parked, 0 discarded
        lines      0 posted
        oldest     waiting for 3.2 s
        in Odoo    99.3 % within 1 min, 99.9 % within 15 min, 100 % within 60 min of the scan (4,500 movements since the start)
        started    1 device a transfer
        odoo       down, the gateway retries, next attempt in 12 s, version 18.0, API JSON-RPC, 0 lines per call
                   connection refused·[0m
        journal    1.0 MiB of 1.0 GiB, full in 341 d at today's rate
        disk       40.0 GiB free, full in 13,642 d at today's rate
        clock      trusted, synchronised by systemd-timesyncd
        source     mqtt.listen up, 3 devices
        devices    0 online of 0 known
        config     01234567 from files since 2026-11-23T07:00:00Z
                   bundle 43 is rolled-back: the link to Odoo is held
        ALARM      Anyone may publish
        ");
    }
}
