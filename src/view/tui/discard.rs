//! The box that discards a document.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::request::{Request, Step};
use super::theme::HEADING;
use super::typing::{draw_typed, type_key};
use crate::document::DocumentNumber;
use crate::view::records::DocumentView;

/// Asks for the reason of a discard, then for a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discard {
    number: DocumentNumber,
    key: String,
    reason: String,
    pub confirming: bool,
}

impl Discard {
    pub fn new(document: &DocumentView) -> Self {
        Self {
            number: document.number,
            key: document.key.clone(),
            reason: String::new(),
            confirming: false,
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match (self.confirming, key) {
            (_, KeyCode::Esc) | (true, KeyCode::Char('n' | 'N')) => return Step::Close,
            (true, KeyCode::Char('y' | 'Y')) => {
                return Step::Done(Request::Discard {
                    key: self.key.clone(),
                    reason: self.reason.trim().to_owned(),
                });
            }
            (false, KeyCode::Enter) => self.confirming = !self.reason.trim().is_empty(),
            (false, key) => type_key(&mut self.reason, key),
            (true, _) => {}
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let keys = if self.confirming {
            " Discard it for good?  y yes   n no"
        } else {
            " Enter continue   Esc cancel"
        };
        let lines = vec![
            Line::from(" It will never be posted to Odoo. Why? The reason is stored with it."),
            Line::default(),
            draw_typed(&self.reason, !self.confirming),
            Line::default(),
            Line::styled(keys, HEADING),
        ];
        (format!(" Discard document {} ", self.number), lines)
    }
}
