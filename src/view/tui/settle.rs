//! The box that corrects the payload of a rejected reading before it is sent again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;
use serde::de::IgnoredAny;

use super::keys::Hint;
use super::request::{Request, Shown, Step};
use super::typing::{draw_typed, type_key_within};
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::table::plain;
use crate::view::words::Words;

/// The longest payload that a person can type on, in characters; a longer one can be shortened.
const PAYLOAD_CHARS_MAX: usize = 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correct {
    number: RejectedNumber,
    payload: String,
    /// What is changed in the text with which the box begins. `None`: nothing.
    suggestion: Option<String>,
    /// The device sent events: JSON.
    is_event: bool,
    /// Why Enter had no effect.
    fault: Option<PayloadFault>,
}

/// Why a payload is not sent: the gateway would refuse it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PayloadFault {
    Empty,
    /// The text begins as JSON and is none; the reason.
    NotJson(String),
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
            is_event: rejected.channel.as_deref() == Some("event"),
            fault: None,
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        self.fault = None;
        match key {
            KeyCode::Esc => return Step::Close,
            KeyCode::Enter => match self.find_fault() {
                None => {
                    return Step::Done(Request::Resend {
                        numbers: vec![self.number],
                        payload: Some(self.payload.clone()),
                        reason: None,
                    });
                }
                fault => self.fault = fault,
            },
            key => type_key_within(&mut self.payload, key, PAYLOAD_CHARS_MAX),
        }
        Step::Stay
    }

    /// Why the payload cannot be sent as it is now. The payload of a scan can be any text.
    fn find_fault(&self) -> Option<PayloadFault> {
        let payload = self.payload.trim();
        if payload.is_empty() {
            return Some(PayloadFault::Empty);
        }
        let is_json = self.is_event && payload.starts_with(['{', '[']);
        let read = is_json.then(|| serde_json::from_str::<IgnoredAny>(payload));
        let error = read.and_then(Result::err);
        error.map(|error| PayloadFault::NotJson(error.to_string()))
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
            fault: self.fault.as_ref().map(|fault| fault.describe(words)),
            hints: vec![
                Hint::new(KeyCode::Enter, "Enter", words.t("send again")),
                Hint::new(KeyCode::Esc, "Esc", words.t("cancel")),
            ],
        }
    }
}

impl PayloadFault {
    fn describe(&self, words: Words) -> String {
        match self {
            Self::Empty => words
                .t("Type what the device should have sent, or press Esc, then d to dismiss the reading.")
                .to_owned(),
            Self::NotJson(why) => words.fill(
                "The text is no valid JSON ({why}): correct it at this place.",
                &[("why", &plain(why))],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correct(payload: &str, is_event: bool) -> Correct {
        Correct {
            number: RejectedNumber::new(1),
            payload: payload.to_owned(),
            suggestion: None,
            is_event,
            fault: None,
        }
    }

    #[test]
    fn a_payload_that_the_gateway_would_refuse_stays_with_its_fault() {
        let mut empty = correct(" ", false);
        assert_eq!(empty.press(KeyCode::Enter), Step::Stay);
        assert_eq!(empty.fault, Some(PayloadFault::Empty));
        let mut open = correct(r#"{"type": "transfer""#, true);
        assert_eq!(open.press(KeyCode::Enter), Step::Stay);
        let shown = open.show(Words::ENGLISH).fault.unwrap();
        assert!(shown.contains("line 1 column 19"), "{shown}");
        open.press(KeyCode::Char('}'));
        assert_eq!(open.fault, None, "the next key goes on");
        assert!(matches!(open.press(KeyCode::Enter), Step::Done(_)));
    }

    #[test]
    fn a_scan_may_look_like_json_and_a_long_payload_can_be_changed_at_its_end() {
        let mut scan = correct("{4006381333931", false);
        assert!(matches!(scan.press(KeyCode::Enter), Step::Done(_)));
        let mut long = correct(&"x".repeat(3_000), false);
        long.press(KeyCode::Char('y'));
        assert!(long.payload.ends_with("xy"));
    }
}
