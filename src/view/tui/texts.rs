//! Texts about parked documents and rejected readings.

use super::data::Data;
use super::theme::Role;
use crate::event::RejectedNumber;
use crate::reason::Action;
use crate::view::reasons::choices_for;
use crate::view::records::{DocumentView, EventView, LineView};
use crate::view::table::plain;
use crate::view::words::Words;

/// What a person can do about a parked document, each with when to choose it.
pub fn list_choices(document: &DocumentView, words: Words) -> Vec<String> {
    let choices = choices_for(document.reason.as_ref()).iter();
    choices
        .map(|(action, when)| {
            let key = match action {
                Action::Retry | Action::With(_) => "r",
                Action::Edit => "e",
                Action::Discard => "d",
            };
            format!("{key}  {}: {}", words.action(*action), words.t(when))
        })
        .collect()
}

/// The name of a state for people.
pub fn name_state(state: &str) -> &str {
    match state {
        "no_document" => "no document",
        state => state,
    }
}

/// The state of an event. The scans of a flow need no document: its movements have one.
pub fn state_of_event(event: &EventView) -> (&str, Role) {
    if event.kind == "scan" {
        state_of_scan(&event.state, event.unused)
    } else {
        (name_state(&event.state), Role::of_state(&event.state))
    }
}

/// The state of a raw scan. `is_unused`: its device has no flow.
pub fn state_of_scan(state: &str, is_unused: bool) -> (&str, Role) {
    match (is_unused, state) {
        (true, _) => ("no flow", Role::Bad),
        (false, "no_document") => ("flow step", Role::Plain),
        (false, state) => (name_state(state), Role::of_state(state)),
    }
}

/// Splits a message into its faults, one per line.
pub fn split_faults(message: &str) -> impl Iterator<Item = String> {
    let mut faults = message.split("; also line");
    let first = faults.next().map(plain);
    first
        .into_iter()
        .chain(faults.map(|fault| format!("also line{}", plain(fault))))
}

/// A code with its name, if the name is known.
pub fn with_name(code: &str, data: &Data) -> String {
    match data.name(code) {
        Some(name) if name != code => format!("{code} ({name})"),
        _ => code.to_owned(),
    }
}

/// Describes a line: what moves from where to where.
pub fn describe_line(document: &DocumentView, line: &LineView, data: &Data) -> String {
    let words = data.words;
    let (quantity, product) = (line.quantity.to_string(), with_name(&line.product, data));
    let values = [("quantity", quantity.as_str()), ("product", &product)];
    let mut movement = words.fill("{quantity} of {product}", &values);
    for (word, value) in [
        ("lot", &line.lot),
        ("package", &line.package),
        ("from", &line.from),
        ("to", &line.to),
        ("for", &document.order),
    ] {
        if let Some(value) = value {
            movement = format!("{movement} {} {}", words.t(word), with_name(value, data));
        }
    }
    plain(&movement)
}

/// Describes an event: its type, and what moves from where to where.
pub fn describe_event(event: &EventView, data: &Data) -> String {
    let (words, kind) = (data.words, data.words.word(&event.kind));
    plain(&format!("{kind} {}", event.describe(words)))
}

/// The outcome of a decision that a person made in this session. `None`: there was none, or the
/// document is parked as before.
pub fn describe_outcome(document: &DocumentView, data: &Data) -> Option<(String, Role)> {
    data.decided.get(&document.number)?;
    let Some(detail) = data.details.get(&document.number) else {
        let text = data.words.t("decided; reading the outcome");
        return Some((text.to_owned(), Role::Watch));
    };
    let now = &detail.document;
    let state = now.state.as_str();
    let words = data.words;
    let text = match (&now.odoo, &now.reason, detail.replaced_by) {
        (_, _, Some(number)) => {
            let number = number.to_string();
            words.fill("replaced by document {number}", &[("number", &number)])
        }
        (Some(odoo), ..) if state == "posted" => {
            words.fill("now posted as {name}", &[("name", &plain(odoo))])
        }
        (_, Some(reason), _) if state == "parked" => words.fill(
            "parked again: {reason}",
            &[("reason", &plain(reason.code.as_str()))],
        ),
        _ => words.fill("now {state}", &[("state", words.t(name_state(state)))]),
    };
    Some((text, Role::of_state(state)))
}

/// The outcome of a decision about a rejected reading that a person made in this session. `None`:
/// there was none.
pub fn describe_settled(number: RejectedNumber, data: &Data) -> Option<(String, Role)> {
    let rejected = data.settled.get(&number)?;
    let Some(settled) = &rejected.settled else {
        let text = data.words.t("decided; reading the outcome");
        return Some((text.to_owned(), Role::Watch));
    };
    let (state, words) = (rejected.state.as_str(), data.words);
    let now = words.fill("now {state}", &[("state", words.t(state))]);
    let text = format!("{now}: {}", plain(&settled.note));
    Some((text, Role::of_state(state)))
}
