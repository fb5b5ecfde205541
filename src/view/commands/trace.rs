//! `stockrelay trace ID`: everything that happened to an event or document, in order.

use std::io::{self, Write};

use super::write::{write_detail, write_document, write_rejected};
use super::{Client, Done, json_line};
use crate::view::client::encode_for_path;
use crate::view::records::{EventView, Trace};
use crate::view::table::{counted, plain, time};
use crate::view::words::Words;

pub async fn trace(client: &Client, id: &str, json: bool, out: &mut dyn Write) -> Done {
    let path = format!("/v1/trace/{}", encode_for_path(id));
    if json {
        let value: serde_json::Value = client.get(&path).await?;
        json_line(out, &value)?;
    } else {
        let trace: Trace = client.get(&path).await?;
        write(&trace, out)?;
    }
    Ok(())
}

fn write(trace: &Trace, out: &mut dyn Write) -> io::Result<()> {
    if let Some(name) = &trace.name {
        let (kind, id) = (name.kind.as_str(), plain(&name.id));
        writeln!(out, "the newest entry with the {kind} {id}:\n")?;
    }
    if let Some(event) = &trace.event {
        write_event(event, out)?;
    }
    if let Some(repeats) = &trace.repeats {
        let (first, last) = (time(repeats.first), time(repeats.last));
        writeln!(
            out,
            "  received again {}, {first} to {last}: not counted twice",
            counted(repeats.count, "time")
        )?;
    }
    if let Some(reading) = &trace.made_of {
        let (by, note) = reading
            .settled
            .as_ref()
            .map_or(("", ""), |step| (step.by.as_str(), step.note.as_str()));
        writeln!(
            out,
            "  created from rejected reading {} ({}) by {}: {}",
            reading.number,
            plain(&reading.code),
            plain(by),
            plain(note)
        )?;
    }
    if let Some(rejected) = &trace.rejected {
        write_rejected(rejected, out)?;
    }
    match (&trace.document, &trace.event) {
        (Some(document), _) => {
            for old in &trace.earlier {
                write_detail(old, out)?;
            }
            write_document(document, &trace.audit, out)?;
            for new in &trace.later {
                write_detail(new, out)?;
            }
        }
        (None, Some(event)) if event.state == "open" => {
            writeln!(
                out,
                "  not in a document yet: the gateway seals one when the device pauses"
            )?;
        }
        (None, Some(_)) => writeln!(out, "  needs no document")?,
        (None, None) => {}
    }
    if !trace.others.is_empty() {
        let others = plain(&trace.others.join(", "));
        match &trace.name {
            None => writeln!(out, "\nThe same id also means: {others}")?,
            Some(name) => {
                let text = plain(&name.id);
                writeln!(
                    out,
                    "\nOlder entries with it: {others}\n`stockrelay find '{text}'` lists all."
                )?;
            }
        }
    }
    Ok(())
}

fn write_event(event: &EventView, out: &mut dyn Write) -> io::Result<()> {
    let id = format!("{}/{}", event.device, event.id);
    writeln!(
        out,
        "event {} {}: {} {}",
        event.seq,
        plain(&id),
        plain(&event.kind),
        plain(&event.describe(Words::ENGLISH))
    )?;
    let by = event
        .operator
        .as_ref()
        .map_or(String::new(), |operator| format!(" by {}", plain(operator)));
    writeln!(out, "  {}  done{by}", event.at)?;
    writeln!(
        out,
        "  {}  received through {}, stored as {}",
        event.received,
        plain(&event.source),
        event.seq
    )?;
    if !event.flags.is_empty() {
        writeln!(out, "  note: {}", plain(&event.flags.join(", ")))?;
    }
    for (name, value) in &event.measures {
        writeln!(out, "  label: {} {}", plain(name), plain(value))?;
    }
    Ok(())
}
