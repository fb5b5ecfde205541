//! Texts about parked documents and rejected readings.

use ratatui::text::Line;

use super::theme::FAINT;
use crate::view::reasons::choices_for;
use crate::view::records::{DocumentView, LineView};
use crate::view::table::plain;

/// What a person can do about a parked document.
pub fn list_choices(document: &DocumentView) -> Line<'static> {
    let choices: Vec<String> = (choices_for(document.reason.as_ref()).iter())
        .map(|(action, _)| action.describe())
        .collect();
    let notes = match document.flags.as_slice() {
        [] => String::new(),
        flags => format!(" [{}]", plain(&flags.join(", "))),
    };
    Line::styled(format!("choices: {}{notes}", choices.join(", ")), FAINT)
}

/// What a person can do about a rejected reading.
pub fn list_rejected_choices() -> Line<'static> {
    Line::styled("choices: r send again, e correct, d dismiss", FAINT)
}

/// Splits a message into its faults, one per line.
pub fn split_faults(message: &str) -> impl Iterator<Item = String> {
    let mut faults = message.split("; also line");
    let first = faults.next().map(plain);
    first
        .into_iter()
        .chain(faults.map(|fault| format!("also line{}", plain(fault))))
}

/// Describes a line: what moves from where to where.
pub fn describe_line(document: &DocumentView, line: &LineView) -> String {
    let mut movement = format!("{} of {}", line.quantity, line.product);
    for (word, place) in [
        ("from", &line.from),
        ("to", &line.to),
        ("for", &document.order),
    ] {
        if let Some(place) = place {
            movement = format!("{movement} {word} {place}");
        }
    }
    plain(&movement)
}
