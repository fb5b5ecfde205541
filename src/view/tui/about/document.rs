//! A document: its state, and if it is parked, the whole reason with all faults and the choices;
//! then its lines with the names of products and bins, its picking, and its life step by step.

use super::PageText;
use crate::document::DocumentNumber;
use crate::reason::{Code, Flag, Heals};
use crate::view::records::{DocumentDetail, DocumentView, LineView, StepView};
use crate::view::table::plain;
use crate::view::tui::data::Subject;
use crate::view::tui::texts::{describe_line, list_choices, name_state, split_faults};
use crate::view::tui::theme::Role;

/// Events that a line names; a search for the document's key finds the rest.
const EVENTS_OF_LINE: usize = 5;

pub fn write(text: &mut PageText<'_>, number: DocumentNumber) {
    let data = text.data;
    let Some(document) = data.document(number) else {
        text.refusal_or_loading();
        return;
    };
    let detail = data.details.get(&number);
    write_state(text, document);
    write_lines(text, document);
    write_facts(text, document, detail);
    write_life(text, detail.map_or(&[][..], |detail| &detail.audit));
    write_technical(text, document);
}

/// The state, the reason with all faults, and the choices.
pub fn write_state(text: &mut PageText<'_>, document: &DocumentView) {
    let (data, words) = (text.data, text.data.words);
    let state = document.state.as_str();
    let since = words.fill(
        "{state} for {span}",
        &[
            ("state", &words.word(name_state(state))),
            ("span", &data.span(document.since)),
        ],
    );
    text.value_in("state", since, Role::of_state(state));
    if let Some(reason) = &document.reason {
        text.value_in("reason", reason.code.as_str(), Role::of_state(state));
        for fault in split_faults(&reason.message) {
            text.line(fault);
        }
    }
    if state == "parked" {
        text.heading(words.t("What you can do"));
        for choice in list_choices(document, words) {
            text.line(choice);
        }
        let heals = document.reason.as_ref().map(|reason| reason.code.heals());
        if let Some(when) = describe_healing(heals.unwrap_or(Heals::No)) {
            text.styled(words.t(when), Role::Faint);
        }
    }
}

/// When the gateway retries by itself.
fn describe_healing(heals: Heals) -> Option<&'static str> {
    Some(match heals {
        Heals::No => return None,
        Heals::MasterData => {
            "The gateway retries by itself after it has read the correction from Odoo; r retries now."
        }
        Heals::Goods => {
            "The gateway retries by itself after another document for the order is posted; r retries now."
        }
        Heals::Picks => {
            "The gateway retries by itself after Odoo has no open pick of the bin; r retries now."
        }
        Heals::Clock => {
            "The gateway retries by itself after it knows the device's clock; r retries now."
        }
    })
}

/// What the document is for, who did the work, when, and what Odoo has.
pub fn write_facts(
    text: &mut PageText<'_>,
    document: &DocumentView,
    detail: Option<&DocumentDetail>,
) {
    let (data, words) = (text.data, text.data.words);
    text.heading(words.t("Work"));
    text.value("what", words.word(&document.purpose));
    let devices = &data.status.devices.listed;
    let is_device = devices
        .iter()
        .any(|device| device.name.as_str() == document.group);
    let who = if is_device {
        words.fill("device {name}", &[("name", &document.group)])
    } else {
        document.group.clone()
    };
    text.value("who", who);
    text.value("when", data.time_and_age(document.occurred));
    text.value("in Odoo", describe_posting(text, document, detail));
    for flag in &document.flags {
        let known = Code::<Flag>::from(flag.as_str()).known();
        let note = known.map_or(flag.as_str(), |flag| flag.row().meaning);
        text.value_in("note", note, Role::Watch);
    }
    for (key, value) in &document.more {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text.value(key, value);
    }
    if let Some(order) = &document.order {
        let link = words.fill("order {name}", &[("name", order)]);
        text.link(link, Subject::Order(order.clone()));
    }
    let (old, new) = (
        detail.and_then(|detail| detail.replaces),
        detail.and_then(|detail| detail.replaced_by),
    );
    for (text_of, other) in [
        ("it replaces document {number}", old),
        ("document {number} replaces it", new),
    ] {
        if let Some(other) = other {
            let link = words.fill(text_of, &[("number", &other.to_string())]);
            text.link(link, Subject::Document(other));
        }
    }
}

/// What Odoo has of a document.
fn describe_posting(
    text: &PageText<'_>,
    document: &DocumentView,
    detail: Option<&DocumentDetail>,
) -> String {
    let words = text.data.words;
    let replaced_by = detail.and_then(|detail| detail.replaced_by);
    if let (None, Some(new)) = (&document.odoo, replaced_by) {
        let posted = text.data.document(new).and_then(|new| new.odoo.as_ref());
        let posted = posted.map_or(String::new(), |name| format!(" ({name})"));
        let number = new.to_string();
        let text = "nothing: document {number} replaces it{posted}";
        return words.fill(text, &[("number", &number), ("posted", &posted)]);
    }
    let odoo = match (&document.odoo, document.state.as_str()) {
        (Some(name), _) => plain(name),
        (None, "discarded" | "replaced") => words.t("nothing").to_owned(),
        (None, _) => words.t("nothing yet").to_owned(),
    };
    let attempts = u64::from(document.attempts);
    let attempts = words.count(attempts, "{n} attempt", "{n} attempts");
    format!("{odoo}, {attempts}")
}

fn write_lines(text: &mut PageText<'_>, document: &DocumentView) {
    let words = text.data.words;
    let lines = words.count(document.lines.len() as u64, "{n} line", "{n} lines");
    let events = words.count(document.events, "{n} event", "{n} events");
    let values = [("lines", lines.as_str()), ("events", &events)];
    text.heading(words.fill("{lines} from {events}", &values));
    for (place, line) in document.lines.iter().enumerate() {
        let what = describe_line(document, line, text.data);
        let number = (place + 1).to_string();
        let values = [("number", number.as_str()), ("what", &what)];
        text.line(words.fill("line {number}: {what}", &values));
        write_events(text, line);
    }
}

fn write_events(text: &mut PageText<'_>, line: &LineView) {
    let words = text.data.words;
    for seq in line.seqs.iter().take(EVENTS_OF_LINE) {
        let name = words.fill("event {number}", &[("number", &seq.to_string())]);
        text.link(name, Subject::Event(format!("seq:{seq}")));
    }
    if line.seqs.len() > EVENTS_OF_LINE {
        let more = (line.seqs.len() - EVENTS_OF_LINE) as u64;
        let more = words.count(more, "and {n} more event", "and {n} more events");
        text.styled(more, Role::Faint);
    }
}

/// The life of a document, step by step.
pub fn write_life(text: &mut PageText<'_>, steps: &[StepView]) {
    if steps.is_empty() {
        return;
    }
    let (data, words) = (text.data, text.data.words);
    text.heading(words.t("Its life"));
    for step in steps {
        let note = match step.note.as_str() {
            "" => String::new(),
            note => format!(": {}", plain(note)),
        };
        let what = match (step.state.as_str(), step.by.as_str()) {
            ("waiting", "assemble") => words.t("collected, waits to be sent").to_owned(),
            ("sending", "forward") => words.t("sent to Odoo").to_owned(),
            ("posted", "forward") => words.t("confirmed by Odoo").to_owned(),
            (state, "forward" | "assemble") => words.word(name_state(state)),
            (state, by) => {
                let by = by.strip_prefix("user:").unwrap_or(by).replace(':', " ");
                let state = words.word(name_state(state));
                words.fill("{state} by {who}", &[("state", &state), ("who", &by)])
            }
        };
        let line = format!("{}  {what}{note}", data.time(step.at));
        text.styled(line, Role::of_state(&step.state));
    }
}

/// What only IT needs.
pub fn write_technical(text: &mut PageText<'_>, document: &DocumentView) {
    text.heading(text.data.words.t("Technical details"));
    text.value("key", &document.key);
    text.value("external id", &document.external_id);
}
