//! The mouse: a click selects, sorts, opens or presses a key; the wheel scrolls.

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Position, Rect};

use super::App;
use crate::view::tui::data::Subject;
use crate::view::tui::request::Request;

/// Rows that one step of the wheel scrolls.
const WHEEL_ROWS: usize = 3;

/// What the mouse did, at a column and a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    Left(u16, u16),
    WheelUp,
    WheelDown,
}

/// What a click on a place does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Key(KeyCode),
    Panel(usize),
    Column(usize),
    /// Selects the row; a click on the selected row opens it.
    Row(usize),
    Link(Subject),
}

impl App {
    /// Handles the mouse. Returns a request for the caller to carry out.
    pub fn click(&mut self, click: Click) -> Option<Request> {
        if self.is_too_small {
            return None;
        }
        let (column, row) = match click {
            Click::Left(column, row) => (column, row),
            Click::WheelUp => return self.turn_wheel(KeyCode::Up),
            Click::WheelDown => return self.turn_wheel(KeyCode::Down),
        };
        let at = Position::new(column, row);
        let mut targets = self.targets.iter().rev();
        let (_, target) = targets.find(|(place, _)| place.contains(at))?;
        match target.clone() {
            Target::Key(key) => return self.press(KeyEvent::from(key)),
            Target::Panel(panel) => self.show_panel(panel),
            Target::Column(column) => self.sort_by(column),
            Target::Row(row) => {
                if self.select_row(row) {
                    self.prompt = None;
                    self.open_selected();
                }
            }
            Target::Link(subject) => self.open(subject),
        }
        None
    }

    fn turn_wheel(&mut self, key: KeyCode) -> Option<Request> {
        for _ in 0..WHEEL_ROWS {
            drop(self.press(KeyEvent::from(key)));
        }
        None
    }

    pub(in crate::view::tui) fn add_target(&mut self, place: Rect, target: Target) {
        self.targets.push((place, target));
    }
}
