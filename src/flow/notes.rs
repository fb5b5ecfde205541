//! What a person is told once about a label: what of it is not used, and what the site's rules make of it.

use crate::decode::meaning::{Label, Meaning};
use crate::decode::profile::Movement;

use super::say::{Key, Note};
use super::state::{Item, NOTED_MAX, State, Tracking};

/// The notes about a label that was just taken, but for those that the device was told before.
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
    let mut notes = all(item, movement, meaning, label);
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

fn all(item: &Item, movement: Movement, meaning: &Meaning, label: &Label) -> Vec<Note> {
    let plain = |key| Note {
        key,
        arguments: Vec::new(),
    };
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
        notes.push(plain(Key::NoteCount));
    }
    match (item.tracking, &label.lot, &label.serial) {
        (Tracking::Serial, Some(_), None) if label.is_either => {
            notes.push(plain(Key::NoteLotAsSerial));
        }
        (Tracking::Lot, None, Some(_)) if label.is_either => {
            notes.push(plain(Key::NoteSerialAsLot));
        }
        _ => {}
    }
    notes
}
