//! The boxes that settle a rejected reading: dismiss it with a reason, correct it, or send it
//! again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::request::{Request, Step};
use super::theme::HEADING;
use super::typing::{draw_typed, type_key};
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::table::plain;

/// Asks for the reason of a dismissal, then whether it is for this reading or for all with its
/// code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dismiss {
    number: RejectedNumber,
    code: String,
    /// The newest open reading that the screen shows.
    newest: RejectedNumber,
    reason: String,
    confirming: bool,
}

impl Dismiss {
    pub fn new(rejected: &RejectedView, newest: RejectedNumber) -> Self {
        Self {
            number: rejected.number,
            code: rejected.code.clone(),
            newest,
            reason: String::new(),
            confirming: false,
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        let reason = || self.reason.trim().to_owned();
        match (self.confirming, key) {
            (_, KeyCode::Esc) | (true, KeyCode::Char('n' | 'N')) => return Step::Close,
            (true, KeyCode::Char('y' | 'Y')) => {
                return Step::Done(Request::Dismiss {
                    number: self.number,
                    reason: reason(),
                });
            }
            (true, KeyCode::Char('a' | 'A')) => {
                return Step::Done(Request::DismissAll {
                    upto: self.newest,
                    code: self.code.clone(),
                    reason: reason(),
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
            let code = plain(&self.code);
            format!(" Dismiss it?  y yes   a all shown with {code}   n no")
        } else {
            " Enter continue   Esc cancel".to_owned()
        };
        let lines = vec![
            Line::from(" No event is created from it. Why? The reason is stored with it."),
            Line::default(),
            draw_typed(&self.reason, !self.confirming),
            Line::default(),
            Line::styled(keys, HEADING),
        ];
        (format!(" Dismiss rejected reading {} ", self.number), lines)
    }
}

/// Corrects the payload of a reading before it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correct {
    number: RejectedNumber,
    payload: String,
}

impl Correct {
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
                    number: self.number,
                    payload: Some(self.payload.clone()),
                    reason: None,
                });
            }
            key => type_key(&mut self.payload, key),
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let lines = vec![
            Line::from(" Type what the device should have sent: a code, or a JSON event."),
            Line::default(),
            draw_typed(&self.payload, true),
            Line::default(),
            Line::styled(" Enter send again   Esc cancel", HEADING),
        ];
        (format!(" Correct rejected reading {} ", self.number), lines)
    }
}

/// Asks whether to send a reading again unchanged; a reason is optional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resend {
    number: RejectedNumber,
    reason: String,
    confirming: bool,
}

impl Resend {
    pub fn new(rejected: &RejectedView) -> Self {
        Self {
            number: rejected.number,
            reason: String::new(),
            confirming: false,
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match (self.confirming, key) {
            (_, KeyCode::Esc) | (true, KeyCode::Char('n' | 'N')) => return Step::Close,
            (true, KeyCode::Char('y' | 'Y')) => {
                let reason = self.reason.trim();
                return Step::Done(Request::Resend {
                    number: self.number,
                    payload: None,
                    reason: (!reason.is_empty()).then(|| reason.to_owned()),
                });
            }
            (false, KeyCode::Enter) => self.confirming = true,
            (false, key) => type_key(&mut self.reason, key),
            (true, _) => {}
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let keys = if self.confirming {
            " Send it again?  y yes   n no"
        } else {
            " Enter continue   Esc cancel"
        };
        let lines = vec![
            Line::from(" Its payload is sent again unchanged. Why? The reason is optional."),
            Line::default(),
            draw_typed(&self.reason, !self.confirming),
            Line::default(),
            Line::styled(keys, HEADING),
        ];
        (
            format!(" Send rejected reading {} again ", self.number),
            lines,
        )
    }
}
