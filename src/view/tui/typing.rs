//! The text that a person types into a box.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::{Line, Span};

use super::theme::HEADING;
use crate::view::table::plain;

/// The width of a box, in columns.
pub const WIDTH: u16 = 70;
/// The longest text that can be `typed`, in characters: the longest reason that the control API
/// accepts.
const TEXT_CHARS_MAX: usize = 500;
/// Empties the text, as Ctrl-U does in a shell.
pub const CLEAR: KeyCode = KeyCode::Null;

/// Applies a key to a text of at most [`TEXT_CHARS_MAX`] characters.
pub fn type_key(text: &mut String, key: KeyCode) {
    type_key_within(text, key, TEXT_CHARS_MAX);
}

/// Applies a key to a text of at most this many characters.
pub fn type_key_within(text: &mut String, key: KeyCode, chars_max: usize) {
    match key {
        KeyCode::Backspace => {
            text.pop();
        }
        CLEAR => text.clear(),
        KeyCode::Char(c) if text.chars().count() < chars_max => text.push(c),
        _ => {}
    }
}

/// Draws a text while a person types it. Of a long text the end is shown.
pub fn draw_typed(text: &str, cursor: bool) -> Line<'static> {
    let room = usize::from(WIDTH - 6);
    let text = plain(text);
    let skipped = text.chars().count().saturating_sub(room);
    let text: String = text.chars().skip(skipped).collect();
    Line::from(vec![
        Span::raw(" > "),
        Span::styled(text, HEADING),
        Span::raw(if cursor { "_" } else { "" }),
    ])
}
