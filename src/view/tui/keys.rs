//! The table of keys. The help, the bottom line and `docs/top.md` are built from it.

use ratatui::crossterm::event::KeyCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAction {
    /// The panel with the digit of the key.
    Panel,
    NextPanel,
    PreviousPanel,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Search,
    Filter,
    Sort,
    Reverse,
    Mark,
    MarkAll,
    Retry,
    RetryAll,
    Edit,
    Discard,
    Undo,
    Period,
    Help,
    Quit,
}

/// Where a key has an effect, and where the bottom line shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Always,
    /// Only in lists.
    Lists,
    /// Only above an opened view.
    Opened,
    /// Only on parked documents and rejected readings.
    Decide,
    /// Only on discarded documents.
    Discarded,
}

#[derive(Debug)]
pub struct Binding {
    pub keys: &'static [KeyCode],
    /// The names of the keys.
    pub shown: &'static str,
    pub what: &'static str,
    pub action: KeyAction,
    pub scope: Scope,
    /// The word in the bottom line. `None`: the key is not shown there.
    pub hint: Option<&'static str>,
}

/// A key of a dialog or of the bottom line, which can also be clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    pub key: KeyCode,
    pub shown: &'static str,
    pub what: String,
}

impl Hint {
    #[must_use]
    pub fn new(key: KeyCode, shown: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { key, shown, what }
    }
}

/// What the key `q` does in `stockrelay top`.
pub const QUIT: &str = "quit; the daemon keeps running";

const fn binding(
    action: KeyAction,
    keys: &'static [KeyCode],
    shown: &'static str,
    what: &'static str,
) -> Binding {
    Binding {
        keys,
        shown,
        what,
        action,
        scope: Scope::Always,
        hint: None,
    }
}

impl Binding {
    const fn hint(mut self, scope: Scope, hint: &'static str) -> Self {
        self.scope = scope;
        self.hint = Some(hint);
        self
    }

    const fn within(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

use KeyAction as A;
use KeyCode::Char;
use Scope::{Always, Decide, Discarded, Lists, Opened};

pub const KEYS: &[Binding] = &[
    binding(A::Open, &[KeyCode::Enter], "Enter", "open the selected row: all about it").hint(Always, "show"),
    binding(A::Back, &[KeyCode::Esc, KeyCode::Backspace], "Esc", "back; in a list, also remove filter and marks").hint(Opened, "back"),
    binding(A::Retry, &[Char('r')], "r", "retry the parked document, or send the rejected reading again; all marked ones, if there are any").hint(Decide, "retry"),
    binding(A::RetryAll, &[Char('R')], "R", "retry all documents that are parked for the same reason").hint(Decide, "all of it"),
    binding(A::Edit, &[Char('e')], "e", "edit the parked document, or correct the rejected reading").hint(Decide, "edit"),
    binding(A::Discard, &[Char('d')], "d", "discard the parked document, or dismiss the rejected reading; all marked ones, if there are any").hint(Decide, "discard"),
    binding(A::Undo, &[Char('u')], "u", "undo the discard of a document: a new document is sent").hint(Discarded, "undo discard"),
    binding(A::Search, &[Char('/')], "/", "search everything in the journal: order, picking, product, bin, lot, device, operator, document, event, reason").hint(Always, "search"),
    binding(A::Mark, &[Char(' ')], "Space", "mark the row, or remove its mark").hint(Decide, "mark"),
    binding(A::MarkAll, &[Char('a')], "a", "mark all rows with the same reason; again: remove all marks").within(Decide),
    binding(A::Filter, &[Char('f')], "f", "show only the rows that contain a text").hint(Lists, "filter"),
    binding(A::Sort, &[Char('s')], "s", "sort by the next column").hint(Lists, "sort"),
    binding(A::Reverse, &[Char('S')], "S", "reverse the order").within(Lists),
    binding(A::Period, &[Char('t')], "t", "choose the period of the sentence: shift, day, last hour, or since a time").hint(Always, "period"),
    binding(A::Panel, &[Char('1'), Char('2'), Char('3'), Char('4'), Char('5'), Char('6'), Char('7'), Char('8'), Char('9'), Char('0')], "1 ... 9, 0", "the panel with this number"),
    binding(A::NextPanel, &[KeyCode::Tab, KeyCode::Right], "Tab, →", "next panel").hint(Always, "panel"),
    binding(A::PreviousPanel, &[KeyCode::BackTab, KeyCode::Left], "Shift-Tab, ←", "previous panel"),
    binding(A::Up, &[KeyCode::Up, Char('k')], "↑, k", "one row up"),
    binding(A::Down, &[KeyCode::Down, Char('j')], "↓, j", "one row down"),
    binding(A::PageUp, &[KeyCode::PageUp], "Page Up", "one page up"),
    binding(A::PageDown, &[KeyCode::PageDown], "Page Down", "one page down"),
    binding(A::First, &[KeyCode::Home, Char('g')], "Home, g", "first row; the list then follows new rows"),
    binding(A::Last, &[KeyCode::End, Char('G')], "End, G", "last row; more rows are loaded before it is reached"),
    binding(A::Help, &[Char('?'), Char('h'), KeyCode::F(1)], "?, h", "this help").hint(Always, "help"),
    binding(A::Quit, &[Char('q')], "q", QUIT).hint(Always, "quit"),
];

/// Finds the action of a key.
#[must_use]
pub fn action_of(key: KeyCode) -> Option<KeyAction> {
    let binding = KEYS.iter().find(|binding| binding.keys.contains(&key))?;
    Some(binding.action)
}

/// The table of keys for `docs/top.md`.
#[must_use]
pub fn keys_as_markdown() -> String {
    let rows = KEYS
        .iter()
        .map(|binding| format!("| {} | {} |\n", binding.shown, binding.what));
    format!("| key | effect |\n|---|---|\n{}", rows.collect::<String>())
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
