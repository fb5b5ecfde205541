//! `stockrelay trace ID`: a whole life, told in order.

use std::io::{self, Write};

use super::lists::what;
use super::{Client, Done, json_line};
use crate::view::client::path_part;
use crate::view::records::{DocumentView, EventView, RejectedView, StepView, Trace};
use crate::view::table::{Table, counted, plain, time};

pub async fn trace(client: &Client, id: &str, json: bool, out: &mut dyn Write) -> Done {
    let path = format!("/v1/trace/{}", path_part(id));
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
    if let Some(event) = &trace.event {
        write_event(event, out)?;
    }
    if let Some(repeats) = &trace.repeats {
        let (first, last) = (time(repeats.first), time(repeats.last));
        writeln!(
            out,
            "  came again {}, {first} to {last}: not counted twice",
            counted(repeats.count, "time")
        )?;
    }
    if let Some(rejected) = &trace.rejected {
        write_rejected(rejected, out)?;
    }
    match (&trace.document, &trace.event) {
        (Some(document), _) => write_document(document, &trace.audit, out)?,
        (None, Some(event)) if event.state == "open" => {
            writeln!(
                out,
                "  not in a document yet: it is sealed when its device pauses"
            )?;
        }
        (None, Some(_)) => writeln!(out, "  needs no document")?,
        (None, None) => {}
    }
    if !trace.others.is_empty() {
        writeln!(
            out,
            "\nThe same id also means: {}",
            plain(&trace.others.join(", "))
        )?;
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
        plain(&what(event))
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
    )
}

fn write_rejected(rejected: &RejectedView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "rejected reading {} of {}",
        rejected.number,
        plain(&rejected.device)
    )?;
    writeln!(
        out,
        "  {}  received through {}",
        rejected.received,
        plain(&rejected.source)
    )?;
    writeln!(
        out,
        "  {}: {}",
        plain(&rejected.code),
        plain(&rejected.message)
    )?;
    writeln!(out, "  {}", plain(&rejected.payload))
}

/// A document with its lines and its life so far.
pub(super) fn write_document(
    document: &DocumentView,
    audit: &[StepView],
    out: &mut dyn Write,
) -> io::Result<()> {
    let odoo = document
        .odoo
        .as_ref()
        .map_or(String::new(), |name| format!(" as {}", plain(name)));
    writeln!(
        out,
        "document {} {}: {}{odoo}",
        document.number, document.key, document.state
    )?;
    if let Some(reason) = &document.reason {
        writeln!(out, "  {}: {}", plain(&reason.code), plain(&reason.message))?;
    }
    let (lines, events) = (
        counted(document.lines.len() as u64, "line"),
        counted(document.events, "event"),
    );
    let order = (document.order.as_ref()).map_or_else(String::new, |order| format!(" for {order}"));
    writeln!(
        out,
        "  {}{} by {}, {lines} from {events}",
        plain(&document.purpose),
        plain(&order),
        plain(&document.group)
    )?;
    for (field, value) in &document.more {
        writeln!(out, "  {field}: {}", plain(&value.to_string()))?;
    }
    if !document.flags.is_empty() {
        writeln!(out, "  note: {}", plain(&document.flags.join(", ")))?;
    }
    let mut table = Table::new(&["", "QUANTITY", "PRODUCT", "FROM", "TO", "LOT", "PACKAGE"]);
    for line in &document.lines {
        table.row([
            " ".to_owned(),
            line.quantity.to_string(),
            line.product.clone(),
            line.from.clone().unwrap_or_default(),
            line.to.clone().unwrap_or_default(),
            line.lot.clone().unwrap_or_default(),
            line.package.clone().unwrap_or_default(),
        ]);
    }
    table.write(&mut &mut *out, true)?;
    let mut table = Table::new(&["", "AT", "STATE", "BY", "WHAT"]);
    for step in audit {
        table.row([
            " ".to_owned(),
            step.at.to_string(),
            step.state.clone(),
            step.by.clone(),
            step.note.clone(),
        ]);
    }
    table.write(&mut &mut *out, true)
}
