//! An event, from the beep to the picking, as `stockrelay trace` prints it.

use super::{PageText, document};
use crate::view::records::{EventView, RejectedView, Trace};
use crate::view::table::{counted, time};
use crate::view::tui::data::Subject;
use crate::view::tui::parts::ago;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, id: &str) {
    let data = text.data;
    let Some(trace) = data.trace_of(id) else {
        match &data.refusal {
            Some(why) => text.styled(why, Role::Bad),
            None => text.line("loading"),
        }
        return;
    };
    if let Some(event) = &trace.event {
        write_event(text, event);
    }
    write_arrival(text, trace);
    if let Some(rejected) = &trace.rejected {
        super::reading::write_view(text, rejected);
    }
    write_document(text, trace);
    for other in &trace.others {
        text.link(
            format!("the same id also means {other}"),
            Subject::Event(other.clone()),
        );
    }
}

fn write_event(text: &mut PageText<'_>, event: &EventView) {
    let state = event.state.replace('_', " ");
    text.value_in("state", state, Role::of_state(&event.state));
    text.value("what", format!("{} {}", event.kind, event.describe()));
    text.value("id", format!("{}/{}", event.device, event.id));
    text.value("seq", event.seq.to_string());
    let by = event.operator.as_ref();
    let by = by.map_or(String::new(), |operator| format!(" by {operator}"));
    text.heading("Its way");
    let now = text.data.now;
    text.line(format!(
        "{}  done{by}, {}",
        event.at,
        ago(Some(event.at), now)
    ));
    text.line(format!(
        "{}  received through {}",
        event.received, event.source
    ));
    for flag in &event.flags {
        text.styled(format!("note: {flag}"), Role::Watch);
    }
    for (name, value) in &event.measures {
        text.value(name, value);
    }
    text.link(
        format!("device {}", event.device),
        Subject::Device(event.device.clone()),
    );
}

fn write_arrival(text: &mut PageText<'_>, trace: &Trace) {
    if let Some(repeats) = &trace.repeats {
        let (first, last) = (time(repeats.first), time(repeats.last));
        let times = counted(repeats.count, "time");
        text.line(format!(
            "received again {times}, {first} to {last}: not counted twice"
        ));
    }
    if let Some(RejectedView {
        number,
        code,
        settled,
        ..
    }) = &trace.made_of
    {
        let by = settled.as_ref().map_or("", |step| step.by.as_str());
        let line = format!("created from rejected reading {number} ({code}) by {by}");
        text.link(line, Subject::Rejected(*number));
    }
}

fn write_document(text: &mut PageText<'_>, trace: &Trace) {
    match (&trace.document, &trace.event) {
        (Some(view), _) => {
            text.heading(format!("Document {}", view.number));
            document::write_head(text, view);
            let link = format!(
                "document {}: all its events, and keys to decide",
                view.number
            );
            text.link(link, Subject::Document(view.number));
            document::write_life(text, &trace.audit);
        }
        (None, Some(event)) if event.state == "open" => {
            text.line("not in a document yet: the gateway seals one when the device pauses");
        }
        (None, Some(_)) => text.line("needs no document"),
        (None, None) => {}
    }
}
