//! The box that asks for a reason, states the effect, and asks for a confirmation: discard, undo of
//! a discard, dismiss and send again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::keys::Hint;
use super::request::{Request, Shown, Step};
use super::typing::{draw_typed, type_key};
use crate::document::DocumentNumber;
use crate::event::RejectedNumber;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::table::{counted, plain};

/// The decision that the box asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Discard(Vec<DocumentNumber>),
    Undiscard(DocumentNumber),
    /// `code` and `upto`: for all open readings that the screen shows with this code.
    Dismiss {
        numbers: Vec<RejectedNumber>,
        code: String,
        upto: RejectedNumber,
    },
    Resend(Vec<RejectedNumber>),
}

/// Asks for the reason, then for a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    what: What,
    title: String,
    /// What will happen.
    effect: String,
    reason: String,
    pub is_confirming: bool,
}

impl Ask {
    fn new(what: What, title: String, effect: String) -> Self {
        Self {
            what,
            title,
            effect,
            reason: String::new(),
            is_confirming: false,
        }
    }

    /// `documents`: at least one.
    #[must_use]
    pub fn discard(documents: &[&DocumentView]) -> Self {
        let lines: usize = documents.iter().map(|document| document.lines.len()).sum();
        let lines = counted(lines as u64, "line");
        let numbers: Vec<_> = documents.iter().map(|document| document.number).collect();
        let effect = format!(
            "{lines} will never be posted to Odoo. `u` on a discarded document undoes the discard"
        );
        let title = format!("Discard {}", name_documents(&numbers));
        Self::new(What::Discard(numbers), title, effect)
    }

    #[must_use]
    pub fn undiscard(document: &DocumentView) -> Self {
        let lines = counted(document.lines.len() as u64, "line");
        let effect = format!(
            "A new document with the {lines} of this one is sent to Odoo, with a key of its own"
        );
        let title = format!("Undo the discard of document {}", document.number);
        Self::new(What::Undiscard(document.number), title, effect)
    }

    /// `rejected`: at least one. `upto`: the newest open reading that the screen shows.
    #[must_use]
    pub fn dismiss(rejected: &[&RejectedView], upto: RejectedNumber) -> Self {
        let numbers: Vec<_> = rejected.iter().map(|rejected| rejected.number).collect();
        let title = format!("Dismiss {}", name_readings(&numbers));
        let code = rejected
            .first()
            .map_or("", |rejected| &rejected.code)
            .to_owned();
        let what = What::Dismiss {
            numbers,
            code,
            upto,
        };
        let effect = "No event is created from it: if goods were moved, Odoo does not know it";
        Self::new(what, title, effect.to_owned())
    }

    /// `rejected`: at least one.
    #[must_use]
    pub fn resend(rejected: &[&RejectedView]) -> Self {
        let numbers: Vec<_> = rejected.iter().map(|rejected| rejected.number).collect();
        let title = format!("Send {} again", name_readings(&numbers));
        let effect = "The payload is read again unchanged, and becomes an event if it is now right";
        Self::new(What::Resend(numbers), title, effect.to_owned())
    }

    fn needs_reason(&self) -> bool {
        !matches!(self.what, What::Resend(_))
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match (self.is_confirming, key) {
            (_, KeyCode::Esc) | (true, KeyCode::Char('n' | 'N')) => return Step::Close,
            (true, KeyCode::Char('y' | 'Y')) => return Step::Done(self.request()),
            (true, KeyCode::Char('a' | 'A')) => {
                if let What::Dismiss { code, upto, .. } = &self.what {
                    let (upto, code) = (*upto, code.clone());
                    let reason = self.reason.trim().to_owned();
                    return Step::Done(Request::DismissAll { upto, code, reason });
                }
            }
            (false, KeyCode::Enter) => {
                self.is_confirming = !self.needs_reason() || !self.reason.trim().is_empty();
            }
            (false, key) => type_key(&mut self.reason, key),
            (true, _) => {}
        }
        Step::Stay
    }

    fn request(&self) -> Request {
        let reason = self.reason.trim().to_owned();
        match self.what.clone() {
            What::Discard(numbers) => Request::Discard { numbers, reason },
            What::Undiscard(number) => Request::Undiscard { number, reason },
            What::Dismiss { numbers, .. } => Request::Dismiss { numbers, reason },
            What::Resend(numbers) => Request::Resend {
                numbers,
                payload: None,
                reason: (!reason.is_empty()).then_some(reason),
            },
        }
    }

    #[must_use]
    pub fn show(&self) -> Shown {
        let why = if self.needs_reason() {
            "Why? The reason is stored with who decided."
        } else {
            "Why? The reason is optional."
        };
        let lines = vec![
            Line::from(format!("{}.", self.effect)),
            Line::default(),
            Line::from(why),
            draw_typed(&self.reason, !self.is_confirming),
            Line::default(),
        ];
        let mut hints = vec![Hint::new(KeyCode::Enter, "Enter", "continue")];
        if self.is_confirming {
            hints = vec![Hint::new(KeyCode::Char('y'), "y", "yes")];
            if let What::Dismiss { code, .. } = &self.what {
                let all = format!("all shown with {}", plain(code));
                hints.push(Hint::new(KeyCode::Char('a'), "a", all));
            }
            hints.push(Hint::new(KeyCode::Char('n'), "n", "no"));
        }
        hints.push(Hint::new(KeyCode::Esc, "Esc", "cancel"));
        let title = self.title.clone();
        Shown {
            title,
            lines,
            hints,
        }
    }
}

/// `document 61`, or `3 documents`.
#[must_use]
pub fn name_documents(numbers: &[DocumentNumber]) -> String {
    match numbers {
        [number] => format!("document {number}"),
        numbers => counted(numbers.len() as u64, "document"),
    }
}

fn name_readings(numbers: &[RejectedNumber]) -> String {
    match numbers {
        [number] => format!("rejected reading {number}"),
        numbers => counted(numbers.len() as u64, "rejected reading"),
    }
}
