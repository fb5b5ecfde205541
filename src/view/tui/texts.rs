//! Texts about parked documents and rejected readings.

use super::data::Data;
use super::theme::Role;
use crate::event::RejectedNumber;
use crate::reason::Action;
use crate::view::reasons::choices_for;
use crate::view::records::{DocumentView, LineView};
use crate::view::table::plain;

/// What a person can do about a parked document, each with when to choose it.
pub fn list_choices(document: &DocumentView) -> Vec<String> {
    let choices = choices_for(document.reason.as_ref()).iter();
    choices
        .map(|(action, when)| {
            let key = match action {
                Action::Retry | Action::With(_) => "r",
                Action::Edit => "e",
                Action::Discard => "d",
            };
            format!("{key}  {}: {when}", action.describe())
        })
        .collect()
}

/// The first choice about a parked document, in few words.
pub fn choices_in_short(document: &DocumentView) -> &'static str {
    match choices_for(document.reason.as_ref()).first() {
        Some((_, when)) => when,
        None => "Open the list",
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
    let mut movement = format!("{} of {}", line.quantity, with_name(&line.product, data));
    for (word, value) in [
        ("lot", &line.lot),
        ("package", &line.package),
        ("from", &line.from),
        ("to", &line.to),
        ("for", &document.order),
    ] {
        if let Some(value) = value {
            movement = format!("{movement} {word} {}", with_name(value, data));
        }
    }
    plain(&movement)
}

/// The outcome of a decision that a person made in this session. `None`: there was none, or the
/// document is parked as before.
pub fn describe_outcome(document: &DocumentView, data: &Data) -> Option<(String, Role)> {
    data.decided.get(&document.number)?;
    let Some(detail) = data.details.get(&document.number) else {
        return Some(("decided; reading the outcome".to_owned(), Role::Watch));
    };
    let now = &detail.document;
    let state = now.state.as_str();
    let more = match (&now.odoo, &now.reason, detail.replaced_by) {
        (_, _, Some(number)) => format!(" by document {number}"),
        (Some(odoo), ..) => format!(" as {}", plain(odoo)),
        (None, Some(reason), _) if state == "parked" => {
            format!(" again: {}", plain(reason.code.as_str()))
        }
        _ => String::new(),
    };
    Some((format!("now {state}{more}"), Role::of_state(state)))
}

/// The outcome of a decision about a rejected reading that a person made in this session. `None`:
/// there was none.
pub fn describe_settled(number: RejectedNumber, data: &Data) -> Option<(String, Role)> {
    let rejected = data.settled.get(&number)?;
    let Some(settled) = &rejected.settled else {
        return Some(("decided; reading the outcome".to_owned(), Role::Watch));
    };
    let state = rejected.state.as_str();
    let text = format!("now {state}: {}", plain(&settled.note));
    Some((text, Role::of_state(state)))
}
