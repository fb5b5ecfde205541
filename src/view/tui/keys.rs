//! The table of keys, from which the help box and the bottom line are built.

use ratatui::crossterm::event::KeyCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAction {
    NextPanel,
    PreviousPanel,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Retry,
    RetryAll,
    Edit,
    Discard,
    Help,
    Quit,
}

#[derive(Debug)]
pub struct Binding {
    pub keys: &'static [KeyCode],
    /// The names of the keys.
    pub shown: &'static str,
    pub what: &'static str,
    pub action: KeyAction,
    /// The word in the bottom line. `None`: the key is not shown there.
    pub hint: Option<&'static str>,
}

/// What the key `q` does in `stockrelay top`.
pub const QUIT: &str = "quit; the daemon keeps running";

pub const KEYS: &[Binding] = &[
    Binding {
        keys: &[KeyCode::Tab, KeyCode::Right],
        shown: "Tab, →",
        what: "next panel",
        action: KeyAction::NextPanel,
        hint: Some("panel"),
    },
    Binding {
        keys: &[KeyCode::BackTab, KeyCode::Left],
        shown: "Shift-Tab, ←",
        what: "previous panel",
        action: KeyAction::PreviousPanel,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Up, KeyCode::Char('k')],
        shown: "↑, k",
        what: "up",
        action: KeyAction::Up,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Down, KeyCode::Char('j')],
        shown: "↓, j",
        what: "down",
        action: KeyAction::Down,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::PageUp],
        shown: "Page Up",
        what: "ten rows up",
        action: KeyAction::PageUp,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::PageDown],
        shown: "Page Down",
        what: "ten rows down",
        action: KeyAction::PageDown,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Home, KeyCode::Char('g')],
        shown: "Home, g",
        what: "first",
        action: KeyAction::First,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::End, KeyCode::Char('G')],
        shown: "End, G",
        what: "last",
        action: KeyAction::Last,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Enter],
        shown: "Enter",
        what: "parked: show all of the document, or of the reading",
        action: KeyAction::Open,
        hint: Some("open"),
    },
    Binding {
        keys: &[KeyCode::Char('r')],
        shown: "r",
        what: "parked: retry the document, or send the reading again",
        action: KeyAction::Retry,
        hint: Some("retry"),
    },
    Binding {
        keys: &[KeyCode::Char('R')],
        shown: "R",
        what: "parked: retry all documents with the same reason",
        action: KeyAction::RetryAll,
        hint: Some("retry all"),
    },
    Binding {
        keys: &[KeyCode::Char('e')],
        shown: "e",
        what: "parked: edit the document, or correct the reading",
        action: KeyAction::Edit,
        hint: Some("edit"),
    },
    Binding {
        keys: &[KeyCode::Char('d')],
        shown: "d",
        what: "parked: discard the document, or dismiss the reading",
        action: KeyAction::Discard,
        hint: Some("discard"),
    },
    Binding {
        keys: &[KeyCode::Char('?'), KeyCode::Char('h'), KeyCode::F(1)],
        shown: "?, h",
        what: "this help",
        action: KeyAction::Help,
        hint: Some("help"),
    },
    Binding {
        keys: &[KeyCode::Char('q')],
        shown: "q",
        what: QUIT,
        action: KeyAction::Quit,
        hint: Some("quit"),
    },
];

/// Finds the action of a key.
#[must_use]
pub fn action_of(key: KeyCode) -> Option<KeyAction> {
    let binding = KEYS.iter().find(|binding| binding.keys.contains(&key))?;
    Some(binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let mut all: Vec<KeyCode> = KEYS.iter().flat_map(|b| b.keys.iter().copied()).collect();
        let many = all.len();
        all.sort_by_key(|key| format!("{key:?}"));
        all.dedup();
        assert_eq!(all.len(), many);
    }
}
