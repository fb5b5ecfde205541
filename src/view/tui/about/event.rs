//! An event, from the beep to the picking, as `stockrelay trace` prints it; or the newest event of
//! a name, such as a product.

use super::{PageText, document};
use crate::view::records::{EventView, NameView, RejectedView, Trace};
use crate::view::tui::data::Subject;
use crate::view::tui::texts::{describe_event, state_of_event};
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, id: &str) {
    let data = text.data;
    let Some(trace) = data.trace_of(id) else {
        text.refusal_or_loading();
        return;
    };
    if let Some(name) = &trace.name {
        write_name(text, name);
    }
    if let Some(event) = &trace.event {
        write_event(text, event);
    }
    write_arrival(text, trace);
    if let Some(rejected) = &trace.rejected {
        super::reading::write_view(text, rejected);
    }
    write_document(text, trace);
    write_others(text, trace);
    if let Some(event) = &trace.event {
        let words = text.data.words;
        text.heading(words.t("Technical details"));
        text.value("id", format!("{}/{}", event.device, event.id));
        text.value("number", event.seq.to_string());
        text.value("source", &event.source);
    }
}

/// What the name is; its newest event follows.
fn write_name(text: &mut PageText<'_>, name: &NameView) {
    let (data, words) = (text.data, text.data.words);
    text.value(name.kind.as_str(), &name.id);
    if let Some(called) = data.name(&name.id).filter(|called| *called != name.id) {
        text.value("name", called);
    }
    text.link(
        words.t("search all that was done with it"),
        Subject::Search(name.id.clone()),
    );
    text.heading(words.t("The newest"));
}

fn write_event(text: &mut PageText<'_>, event: &EventView) {
    let (data, words) = (text.data, text.data.words);
    let (state, role) = state_of_event(event);
    text.value_in("state", words.t(state), role);
    text.value("what", describe_event(event, data));
    if event.unused {
        let lost = "This scan moved no stock: the device has no flow. Give the device a flow in devices.toml, and scan again.";
        text.styled(words.t(lost), Role::Bad);
    } else if state == "flow step" {
        let step = "This scan is one step of a flow. The movement of the flow is another event.";
        text.styled(words.t(step), Role::Faint);
    }
    let who = match &event.operator {
        Some(operator) => operator.clone(),
        None => words.t("operator unknown: not signed in").to_owned(),
    };
    text.value("who", who);
    text.value("done", data.time_and_age(event.at));
    text.value("received", data.time(event.received));
    for flag in &event.flags {
        text.value_in("note", flag, Role::Watch);
    }
    for (name, value) in &event.measures {
        text.value(name, value);
    }
    text.link(
        words.fill("device {name}", &[("name", &event.device)]),
        Subject::Device(event.device.clone()),
    );
}

fn write_arrival(text: &mut PageText<'_>, trace: &Trace) {
    let (data, words) = (text.data, text.data.words);
    if let Some(repeats) = &trace.repeats {
        let (first, last) = (data.time(repeats.first), data.time(repeats.last));
        let count = words.number(repeats.count);
        let values = [("n", count.as_str()), ("first", &first), ("last", &last)];
        let line = "received again, {n} times from {first} to {last}: not counted twice";
        text.line(words.fill(line, &values));
    }
    if let Some(RejectedView { number, code, .. }) = &trace.made_of {
        let values = [("number", number.to_string()), ("code", code.clone())];
        let values = values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let line = words.fill("created from rejected reading {number} ({code})", &values);
        text.link(line, Subject::Rejected(*number));
    }
}

fn write_document(text: &mut PageText<'_>, trace: &Trace) {
    let words = text.data.words;
    match (&trace.document, &trace.event) {
        (Some(view), _) => {
            let number = view.number.to_string();
            text.heading(words.fill("Document {number}", &[("number", &number)]));
            document::write_state(text, view);
            document::write_facts(text, view, None);
            let link = match view.state.as_str() {
                "parked" => "document {number}: all lines and scans, and the keys to decide",
                _ => "document {number}: all lines and scans",
            };
            let link = words.fill(link, &[("number", &number)]);
            text.link(link, Subject::Document(view.number));
            document::write_life(text, &trace.audit);
        }
        (None, Some(event)) if event.state == "open" => {
            text.line(
                words.t("being collected: the gateway sends the movement when the device pauses"),
            );
        }
        _ => {}
    }
}

fn write_others(text: &mut PageText<'_>, trace: &Trace) {
    let words = text.data.words;
    if trace.others.is_empty() {
        return;
    }
    text.heading(words.t("Others with this name or id"));
    for other in &trace.others {
        let shown = other.strip_prefix("seq:").unwrap_or(other);
        let link = words.fill("event {number}", &[("number", shown)]);
        text.link(link, Subject::Event(other.clone()));
    }
}
