//! Writes documents and rejected readings as text for people.

use std::io::{self, Write};

use serde::Serialize;

use super::json_line;
use crate::event::Seq;
use crate::view::records::{DocumentDetail, DocumentView, LineView, RejectedView, StepView};
use crate::view::table::{Table, counted, plain};

/// Writes an answer of the daemon: as JSON, or in words.
pub(super) fn write_decided<T: Serialize>(
    answer: &T,
    json: bool,
    out: &mut dyn Write,
    describe: impl FnOnce(&T) -> String,
) -> io::Result<()> {
    if json {
        json_line(out, answer)?;
    } else {
        writeln!(out, "{}", describe(answer))?;
    }
    Ok(())
}

/// Writes a rejected reading and its choices.
pub(super) fn write_rejected(rejected: &RejectedView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "rejected reading {} of {}",
        rejected.number,
        plain(&rejected.device)
    )?;
    if let Some(id) = &rejected.id {
        writeln!(out, "  id {}", plain(id))?;
    }
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
    writeln!(out, "  {}", plain(&rejected.payload))?;
    if rejected.cut {
        writeln!(
            out,
            "  only the first {} of the payload are stored",
            counted(rejected.bytes, "byte")
        )?;
    } else if !rejected.whole {
        writeln!(out, "  the payload contains bytes that are not text")?;
    }
    if let Some(suggestion) = &rejected.suggestion {
        writeln!(out, "  nearest valid form: {}", plain(&suggestion.text))?;
        if let Some(payload) = &suggestion.payload {
            writeln!(out, "  {}", plain(payload))?;
        }
    }
    match &rejected.settled {
        Some(step) => writeln!(
            out,
            "  settled as {}: {} by {}: {}",
            plain(&rejected.state),
            step.at,
            plain(&step.by),
            plain(&step.note)
        ),
        None if rejected.state != "open" => Ok(()),
        None => writeln!(
            out,
            "  open: `stockrelay rejected resend {0}` or `stockrelay rejected dismiss {0} --reason TEXT`",
            rejected.number
        ),
    }
}

/// Writes a document with its lines and its history.
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
        writeln!(
            out,
            "  {}: {}",
            plain(reason.code.as_str()),
            plain(&reason.message)
        )?;
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
    if !document.undone.is_empty() {
        let seqs: Vec<String> = document.undone.iter().map(Seq::to_string).collect();
        writeln!(out, "  undone since: event {}", seqs.join(", "))?;
    }
    if let Some(number) = document.corrects {
        writeln!(out, "  replaces document {number}")?;
    }
    if let Some(decision) = &document.decision {
        writeln!(out, "  decided: {}", plain(decision))?;
    }
    write_lines(&document.lines, out)?;
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

/// Writes a document, why it is parked, and the choices.
pub(super) fn write_detail(detail: &DocumentDetail, out: &mut dyn Write) -> io::Result<()> {
    write_document(&detail.document, &detail.audit, out)?;
    if let Some(number) = detail.replaced_by {
        writeln!(out, "  replaced by document {number}")?;
    }
    if !detail.choices.is_empty() {
        writeln!(out, "  Choices:")?;
        for choice in &detail.choices {
            writeln!(out, "    {}: {}", choice.action, choice.what)?;
        }
    }
    Ok(())
}

/// Writes the lines with the numbers that `parked edit` takes. Rare columns appear only if a line
/// has a value for them.
fn write_lines(lines: &[LineView], out: &mut dyn Write) -> io::Result<()> {
    let owners = lines.iter().any(|line| line.owner.is_some());
    let expiries = lines.iter().any(|line| line.expiry.is_some());
    let best_before = lines.iter().any(|line| line.best_before.is_some());
    let mut headings = vec![
        "", "LINE", "QUANTITY", "PRODUCT", "FROM", "TO", "LOT", "PACKAGE",
    ];
    headings.extend(owners.then_some("OWNER"));
    headings.extend(expiries.then_some("EXPIRY"));
    headings.extend(best_before.then_some("BEST BEFORE"));
    let mut table = Table::new(&headings);
    for (place, line) in lines.iter().enumerate() {
        let mut cells = vec![
            " ".to_owned(),
            (place + 1).to_string(),
            line.quantity.to_string(),
            line.product.clone(),
            line.from.clone().unwrap_or_default(),
            line.to.clone().unwrap_or_default(),
            line.lot.clone().unwrap_or_default(),
            line.package.clone().unwrap_or_default(),
        ];
        cells.extend(owners.then(|| line.owner.clone().unwrap_or_default()));
        cells.extend(expiries.then(|| line.expiry.clone().unwrap_or_default()));
        cells.extend(best_before.then(|| line.best_before.clone().unwrap_or_default()));
        table.row(cells);
    }
    table.write(&mut &mut *out, true)
}
