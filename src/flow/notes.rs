//! What a label says besides what it is: its dates go with the product that was scanned last, and
//! the person is told once what of it is not used.

use crate::decode::meaning::{Label, Meaning};
use crate::event::Movement;

use super::say::{Key, Note};
use super::state::{NOTED_MAX, State};

/// Takes the dates of a label that was just read. The first date of a lot counts.
pub(super) fn take_dates(state: &mut State, meaning: &Meaning, label: &Label) {
    let Some(item) = state.work.items.get_mut(state.work.last) else {
        return;
    };
    let is_of_item = match meaning {
        Meaning::Product(_) | Meaning::Lot { .. } => true,
        // A pallet whose label says what is in it.
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
    // To the minute, where the day is the one that counts already.
    if let Some(time) = label.expiry_time
        && item.expiry == Some(time.date().to_string())
    {
        item.expiry = Some(time.to_string());
    }
}

/// The notes about a label that was just read, but for those that the device was told before.
pub(super) fn notes(
    state: &mut State,
    movement: Movement,
    meaning: &Meaning,
    label: &Label,
) -> Vec<Note> {
    let Some(item) = state.work.last_item() else {
        return Vec::new();
    };
    let product = item.code.clone();
    let mut notes = all(movement, meaning, label);
    notes.retain(|note| {
        let key = format!("{} {product}", note.key.name());
        let is_new = !state.noted.contains(&key);
        if is_new {
            if state.noted.len() >= NOTED_MAX {
                state.noted.remove(0);
            }
            state.noted.push(key);
        }
        is_new
    });
    notes
}

fn all(movement: Movement, meaning: &Meaning, label: &Label) -> Vec<Note> {
    let mut notes = Vec::new();
    // Elsewhere the lot is there, with its dates.
    if movement == Movement::Receive && !label.unused.is_empty() {
        let dates: Vec<_> = label.unused.iter().map(ToString::to_string).collect();
        notes.push(Note {
            key: Key::NoteDates,
            arguments: vec![("dates", dates.join(", "))],
        });
    }
    if label.counts_item && matches!(meaning, Meaning::Product(_)) {
        notes.push(Note {
            key: Key::NoteCount,
            arguments: Vec::new(),
        });
    }
    notes
}
