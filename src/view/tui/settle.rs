//! The boxes that settle a rejected reading: dismiss it with a reason, correct it, or send it
//! again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::theme::HEADING;
use super::typing::{typed, write};
use super::wish::{Step, Wish};
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::table::plain;

/// Asking for the reason of a dismissal, then how many readings it is about.
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
                return Step::Done(Wish::Dismiss {
                    number: self.number,
                    reason: reason(),
                });
            }
            (true, KeyCode::Char('a' | 'A')) => {
                return Step::Done(Wish::DismissAll {
                    upto: self.newest,
                    code: self.code.clone(),
                    reason: reason(),
                });
            }
            (false, KeyCode::Enter) => self.confirming = !self.reason.trim().is_empty(),
            (false, key) => write(&mut self.reason, key),
            (true, _) => {}
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let keys = if self.confirming {
            let code = plain(&self.code);
            format!(" Dismiss it?  y yes   a all shown as {code}   n no")
        } else {
            " Enter go on   Esc leave it open".to_owned()
        };
        let lines = vec![
            Line::from(" No movement is made of it. Why? This is stored with it."),
            Line::default(),
            typed(&self.reason, !self.confirming),
            Line::default(),
            Line::styled(keys, HEADING),
        ];
        (format!(" Dismiss rejected reading {} ", self.number), lines)
    }
}

/// Correcting what came before it is sent again.
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
                return Step::Done(Wish::Resend {
                    number: self.number,
                    payload: Some(self.payload.clone()),
                    reason: None,
                });
            }
            key => write(&mut self.payload, key),
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let lines = vec![
            Line::from(" What its device should have sent: a code, or an event in JSON."),
            Line::default(),
            typed(&self.payload, true),
            Line::default(),
            Line::styled(" Enter send it again   Esc leave it open", HEADING),
        ];
        (format!(" Correct rejected reading {} ", self.number), lines)
    }
}

/// Asking whether a reading is to be sent again as it came; a reason may be given.
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
                return Step::Done(Wish::Resend {
                    number: self.number,
                    payload: None,
                    reason: (!reason.is_empty()).then(|| reason.to_owned()),
                });
            }
            (false, KeyCode::Enter) => self.confirming = true,
            (false, key) => write(&mut self.reason, key),
            (true, _) => {}
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let keys = if self.confirming {
            " Send it again?  y yes   n no"
        } else {
            " Enter go on   Esc leave it open"
        };
        let lines = vec![
            Line::from(" It is read again as it came. Why? A reason may be left out."),
            Line::default(),
            typed(&self.reason, !self.confirming),
            Line::default(),
            Line::styled(keys, HEADING),
        ];
        (
            format!(" Send rejected reading {} again ", self.number),
            lines,
        )
    }
}
