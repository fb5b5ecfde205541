//! The dates on a label, which the last product gets, and the notes that the display shows once
//! about data on the label that is not used.

use crate::decode::meaning::{Label, Meaning};
use crate::event::Movement;

use super::display_text::{LabelNote, TextKey};
use super::state::{NOTES_MAX, State};

/// Gives the last product the dates of the label. The first date of a lot counts.
pub(super) fn apply_dates(state: &mut State, meaning: &Meaning, label: &Label) {
    let Some(item) = state.unfinished.items.get_mut(state.unfinished.last) else {
        return;
    };
    let is_of_item = match meaning {
        Meaning::Product(_) | Meaning::Lot { .. } => true,
        // A pallet whose label names its content.
        Meaning::Package { content, .. } => content
            .as_ref()
            .is_some_and(|content| content.code == item.code),
        _ => false,
    };
    if !is_of_item {
        return;
    }
    if let Some(date) = label.best_before {
        item.best_before.get_or_insert_with(|| date.to_string());
    }
    // Add the minute only to the same day.
    if let Some(time) = label.expiry_time
        && item.expiry == Some(time.date().to_string())
    {
        item.expiry = Some(time.to_string());
    }
}

/// Lists the notes about a label that the device has not shown yet.
pub(super) fn list_new_notes(
    state: &mut State,
    movement: Movement,
    meaning: &Meaning,
    label: &Label,
) -> Vec<LabelNote> {
    let Some(item) = state.unfinished.last_item() else {
        return Vec::new();
    };
    let product = item.code.clone();
    let mut notes = list_notes(movement, meaning, label);
    notes.retain(|note| {
        let key = format!("{} {product}", note.key.name());
        let is_new = !state.shown_notes.contains(&key);
        if is_new {
            if state.shown_notes.len() >= NOTES_MAX {
                state.shown_notes.remove(0);
            }
            state.shown_notes.push(key);
        }
        is_new
    });
    notes
}

fn list_notes(movement: Movement, meaning: &Meaning, label: &Label) -> Vec<LabelNote> {
    let mut notes = Vec::new();
    // For other movements, Odoo already has the lot and its dates.
    if movement == Movement::Receive && !label.unused.is_empty() {
        let dates: Vec<_> = label.unused.iter().map(ToString::to_string).collect();
        notes.push(LabelNote {
            key: TextKey::NoteDates,
            arguments: vec![("dates", dates.join(", "))],
        });
    }
    if label.counts_item && matches!(meaning, Meaning::Product(_)) {
        notes.push(LabelNote {
            key: TextKey::NoteCount,
            arguments: Vec::new(),
        });
    }
    notes
}
