//! A document: what it is, its lines with the names of products and bins, its life step by step,
//! its picking, and, if it is parked, the whole reason with all faults and the choices.

use super::PageText;
use crate::document::DocumentNumber;
use crate::view::records::{DocumentView, LineView, StepView};
use crate::view::table::{counted, plain, seconds_since, span, time};
use crate::view::tui::data::Subject;
use crate::view::tui::parts::ago;
use crate::view::tui::texts::{describe_line, list_choices, split_faults};
use crate::view::tui::theme::Role;

/// Events that a line names; a search for the document's key finds the rest.
const EVENTS_OF_LINE: usize = 5;

pub fn write(text: &mut PageText<'_>, number: DocumentNumber) {
    let data = text.data;
    let Some(document) = data.document(number) else {
        match &data.refusal {
            Some(why) => text.styled(why, Role::Bad),
            None => text.line("loading"),
        }
        return;
    };
    write_head(text, document);
    let detail = data.details.get(&number);
    if let Some(old) = detail.and_then(|detail| detail.replaces) {
        text.link(
            format!("it replaces document {old}"),
            Subject::Document(old),
        );
    }
    if let Some(new) = detail.and_then(|detail| detail.replaced_by) {
        text.link(
            format!("document {new} replaces it"),
            Subject::Document(new),
        );
    }
    write_lines(text, document);
    write_life(text, detail.map_or(&[][..], |detail| &detail.audit));
}

/// What the document is: state, reason with all faults, choices, work and picking.
pub fn write_head(text: &mut PageText<'_>, document: &DocumentView) {
    let data = text.data;
    let state = document.state.as_str();
    let since = span(seconds_since(document.since, data.now));
    text.value_in(
        "state",
        format!("{state} for {since}"),
        Role::of_state(state),
    );
    if let Some(reason) = &document.reason {
        text.value_in("reason", reason.code.as_str(), Role::of_state(state));
        for fault in split_faults(&reason.message) {
            text.line(fault);
        }
    }
    if state == "parked" {
        text.heading("What you can do");
        for choice in list_choices(document) {
            text.line(choice);
        }
        text.line("");
    }
    let order = document.order.as_deref();
    let order = order.map_or(String::new(), |order| format!(" for {order}"));
    text.value("what", format!("{}{order}", document.purpose));
    text.value("who", &document.group);
    text.value(
        "when",
        format!(
            "{}, {}",
            document.occurred,
            ago(Some(document.occurred), data.now)
        ),
    );
    let odoo = document.odoo.as_deref().unwrap_or("nothing yet");
    text.value(
        "in Odoo",
        format!(
            "{odoo}, {}",
            counted(u64::from(document.attempts), "attempt")
        ),
    );
    if !document.flags.is_empty() {
        text.value("notes", document.flags.join(", "));
    }
    for (key, value) in &document.more {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text.value(key, value);
    }
    text.value("key", &document.key);
    if let Some(order) = &document.order {
        text.link(format!("order {order}"), Subject::Order(order.clone()));
    }
}

fn write_lines(text: &mut PageText<'_>, document: &DocumentView) {
    let lines = document.lines.len() as u64;
    let events = counted(document.events, "event");
    text.heading(format!("{} from {events}", counted(lines, "line")));
    for (place, line) in document.lines.iter().enumerate() {
        let what = describe_line(document, line, text.data);
        text.line(format!("line {}: {what}", place + 1));
        write_events(text, line);
    }
}

fn write_events(text: &mut PageText<'_>, line: &LineView) {
    for seq in line.seqs.iter().take(EVENTS_OF_LINE) {
        text.link(format!("event {seq}"), Subject::Event(format!("seq:{seq}")));
    }
    if line.seqs.len() > EVENTS_OF_LINE {
        let more = (line.seqs.len() - EVENTS_OF_LINE) as u64;
        text.styled(format!("and {} more", counted(more, "event")), Role::Faint);
    }
}

/// The life of a document, step by step.
pub fn write_life(text: &mut PageText<'_>, steps: &[StepView]) {
    if steps.is_empty() {
        return;
    }
    text.heading("Its life");
    for step in steps {
        let note = match step.note.as_str() {
            "" => String::new(),
            note => format!(": {}", plain(note)),
        };
        let (state, by) = (&step.state, &step.by);
        let line = format!("{}  {state} by {by}{note}", time(step.at));
        text.styled(line, Role::of_state(state));
    }
}
