//! The box that corrects the payload of a rejected reading before it is sent again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::keys::Hint;
use super::request::{Request, Shown, Step};
use super::typing::{draw_typed, type_key};
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::words::Words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correct {
    number: RejectedNumber,
    payload: String,
}

impl Correct {
    #[must_use]
    pub fn new(rejected: &RejectedView) -> Self {
        Self {
            number: rejected.number,
            payload: rejected.payload.clone(),
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match key {
            KeyCode::Esc => return Step::Close,
            KeyCode::Enter if !self.payload.trim().is_empty() => {
                return Step::Done(Request::Resend {
                    numbers: vec![self.number],
                    payload: Some(self.payload.clone()),
                    reason: None,
                });
            }
            key => type_key(&mut self.payload, key),
        }
        Step::Stay
    }

    #[must_use]
    pub fn show(&self, words: Words) -> Shown {
        Shown {
            title: words.fill(
                "Correct rejected reading {number}",
                &[("number", &self.number.to_string())],
            ),
            lines: vec![
                Line::from(words.t("Type what the device should have sent: a code, or a JSON event. The gateway checks it, and stores an event only if it is right.").to_owned()),
                Line::default(),
                draw_typed(&self.payload, true),
                Line::default(),
            ],
            hints: vec![
                Hint::new(KeyCode::Enter, "Enter", words.t("send again")),
                Hint::new(KeyCode::Esc, "Esc", words.t("cancel")),
            ],
        }
    }
}
