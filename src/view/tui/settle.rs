//! The box that corrects the payload of a rejected reading before it is sent again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::keys::Hint;
use super::request::{Request, Shown, Step};
use super::typing::{draw_typed, type_key};
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::table::plain;
use crate::view::words::Words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correct {
    number: RejectedNumber,
    payload: String,
    /// What is changed in the text with which the box begins. `None`: nothing.
    suggestion: Option<String>,
}

impl Correct {
    /// The box begins with the nearest valid form, if the gateway knows one.
    #[must_use]
    pub fn new(rejected: &RejectedView) -> Self {
        let suggestion = rejected.suggestion.as_ref();
        let suggested = suggestion.and_then(|suggestion| suggestion.payload.clone());
        Self {
            number: rejected.number,
            suggestion: suggestion
                .filter(|_| suggested.is_some())
                .map(|it| it.text.clone()),
            payload: suggested.unwrap_or_else(|| rejected.payload.clone()),
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
        let changed = self.suggestion.as_ref().map(|text| {
            let changed = [("changes", plain(text))];
            let values = changed
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let text = words.fill("Changed already: {changes}. Check it.", &values);
            [Line::from(text), Line::default()]
        });
        let mut lines = vec![
            Line::from(words.t("Type what the device should have sent: a code, or a JSON event. The gateway checks it, and stores an event only if it is right.").to_owned()),
            Line::default(),
        ];
        lines.extend(changed.into_iter().flatten());
        lines.extend([draw_typed(&self.payload, true), Line::default()]);
        Shown {
            title: words.fill(
                "Correct rejected reading {number}",
                &[("number", &self.number.to_string())],
            ),
            lines,
            hints: vec![
                Hint::new(KeyCode::Enter, "Enter", words.t("send again")),
                Hint::new(KeyCode::Esc, "Esc", words.t("cancel")),
            ],
        }
    }
}
