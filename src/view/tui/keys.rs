//! What each key does. The help is made from this table.

use ratatui::crossterm::event::KeyCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
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
    /// The keys as people call them.
    pub shown: &'static str,
    pub what: &'static str,
    pub act: Act,
    /// A word for the bottom line, where it is to stand there.
    pub hint: Option<&'static str>,
}

pub const KEYS: &[Binding] = &[
    Binding {
        keys: &[KeyCode::Tab, KeyCode::Right],
        shown: "Tab, →",
        what: "next panel",
        act: Act::NextPanel,
        hint: Some("panel"),
    },
    Binding {
        keys: &[KeyCode::BackTab, KeyCode::Left],
        shown: "Shift-Tab, ←",
        what: "previous panel",
        act: Act::PreviousPanel,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Up, KeyCode::Char('k')],
        shown: "↑, k",
        what: "up",
        act: Act::Up,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Down, KeyCode::Char('j')],
        shown: "↓, j",
        what: "down",
        act: Act::Down,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::PageUp],
        shown: "Page Up",
        what: "ten up",
        act: Act::PageUp,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::PageDown],
        shown: "Page Down",
        what: "ten down",
        act: Act::PageDown,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Home, KeyCode::Char('g')],
        shown: "Home, g",
        what: "first",
        act: Act::First,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::End, KeyCode::Char('G')],
        shown: "End, G",
        what: "last",
        act: Act::Last,
        hint: None,
    },
    Binding {
        keys: &[KeyCode::Enter],
        shown: "Enter",
        what: "parked: all of the document, or of the reading; it scrolls",
        act: Act::Open,
        hint: Some("open"),
    },
    Binding {
        keys: &[KeyCode::Char('r')],
        shown: "r",
        what: "parked: try the document, or the rejected reading, again",
        act: Act::Retry,
        hint: Some("retry"),
    },
    Binding {
        keys: &[KeyCode::Char('R')],
        shown: "R",
        what: "parked: try all again that have its reason",
        act: Act::RetryAll,
        hint: Some("all alike"),
    },
    Binding {
        keys: &[KeyCode::Char('e')],
        shown: "e",
        what: "parked: put the document, or the reading, right",
        act: Act::Edit,
        hint: Some("edit"),
    },
    Binding {
        keys: &[KeyCode::Char('d')],
        shown: "d",
        what: "parked: discard the document, or dismiss the reading",
        act: Act::Discard,
        hint: Some("discard"),
    },
    Binding {
        keys: &[KeyCode::Char('?'), KeyCode::Char('h'), KeyCode::F(1)],
        shown: "?, h",
        what: "this help",
        act: Act::Help,
        hint: Some("help"),
    },
    Binding {
        keys: &[KeyCode::Char('q')],
        shown: "q",
        what: "quit; the daemon goes on",
        act: Act::Quit,
        hint: Some("quit"),
    },
];

/// What a key does, where it does anything.
#[must_use]
pub fn act(key: KeyCode) -> Option<Act> {
    let binding = KEYS.iter().find(|binding| binding.keys.contains(&key))?;
    Some(binding.act)
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
