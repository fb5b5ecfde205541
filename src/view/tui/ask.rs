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
use crate::view::table::plain;
use crate::view::words::Words;

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
    /// A person went on without a reason that is needed.
    lacks_reason: bool,
    pub is_confirming: bool,
}

impl Ask {
    fn new(what: What, title: String, effect: String) -> Self {
        Self {
            what,
            title,
            effect,
            reason: String::new(),
            lacks_reason: false,
            is_confirming: false,
        }
    }

    /// `documents`: at least one.
    #[must_use]
    pub fn discard(documents: &[&DocumentView], words: Words) -> Self {
        let lines: usize = documents.iter().map(|document| document.lines.len()).sum();
        let lines = words.count(lines as u64, "{n} line", "{n} lines");
        let numbers: Vec<_> = documents.iter().map(|document| document.number).collect();
        let effect = words.fill(
            "Odoo never gets {lines}. `u` on a discarded document undoes the discard.",
            &[("lines", &lines)],
        );
        let documents = name_documents(&numbers, words);
        let title = words.fill("Discard {documents}", &[("documents", &documents)]);
        Self::new(What::Discard(numbers), title, effect)
    }

    #[must_use]
    pub fn undiscard(document: &DocumentView, words: Words) -> Self {
        let lines = words.count(document.lines.len() as u64, "{n} line", "{n} lines");
        let effect = words.fill(
            "A new document goes to Odoo at once, with {lines} of this one.",
            &[("lines", &lines)],
        );
        let number = document.number.to_string();
        let title = words.fill(
            "Undo the discard of document {number}",
            &[("number", &number)],
        );
        Self::new(What::Undiscard(document.number), title, effect)
    }

    /// `rejected`: at least one. `upto`: the newest open reading that the screen shows.
    #[must_use]
    pub fn dismiss(rejected: &[&RejectedView], upto: RejectedNumber, words: Words) -> Self {
        let numbers: Vec<_> = rejected.iter().map(|rejected| rejected.number).collect();
        let readings = name_readings(&numbers, words);
        let title = words.fill("Dismiss {readings}", &[("readings", &readings)]);
        let code = rejected
            .first()
            .map_or("", |rejected| &rejected.code)
            .to_owned();
        let what = What::Dismiss {
            numbers,
            code,
            upto,
        };
        let effect = "No event is created from it: if goods were moved, Odoo does not know it.";
        Self::new(what, title, words.t(effect).to_owned())
    }

    /// `rejected`: at least one.
    #[must_use]
    pub fn resend(rejected: &[&RejectedView], words: Words) -> Self {
        let numbers: Vec<_> = rejected.iter().map(|rejected| rejected.number).collect();
        let readings = name_readings(&numbers, words);
        let title = words.fill("Send {readings} again", &[("readings", &readings)]);
        let effect =
            "The payload is read again unchanged, and becomes an event if it is now right.";
        Self::new(What::Resend(numbers), title, words.t(effect).to_owned())
    }

    fn needs_reason(&self) -> bool {
        !matches!(self.what, What::Resend(_))
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        self.lacks_reason = false;
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
                self.lacks_reason = !self.is_confirming;
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

    /// Shows the reason again, after the gateway has refused the request.
    pub fn reopen(&mut self) {
        self.is_confirming = false;
    }

    #[must_use]
    pub fn show(&self, words: Words) -> Shown {
        let why = if self.needs_reason() {
            "Why? The reason is stored with who decided."
        } else {
            "Why? The reason is optional."
        };
        let lines = vec![
            Line::from(self.effect.clone()),
            Line::default(),
            Line::from(words.t(why).to_owned()),
            draw_typed(&self.reason, !self.is_confirming),
            Line::default(),
        ];
        let mut hints = vec![Hint::new(KeyCode::Enter, "Enter", words.t("continue"))];
        if self.is_confirming {
            hints = vec![Hint::new(KeyCode::Char('y'), "y", words.t("yes"))];
            if let What::Dismiss { code, .. } = &self.what {
                let all = words.fill("all shown with {code}", &[("code", &plain(code))]);
                hints.push(Hint::new(KeyCode::Char('a'), "a", all));
            }
            hints.push(Hint::new(KeyCode::Char('n'), "n", words.t("no")));
        }
        hints.push(Hint::new(KeyCode::Esc, "Esc", words.t("cancel")));
        let title = self.title.clone();
        Shown {
            title,
            lines,
            fault: self.lacks_reason.then(|| {
                let fault = "Give a reason. It is stored with who decided.";
                words.t(fault).to_owned()
            }),
            hints,
        }
    }
}

/// `document 61`, or `3 documents`.
#[must_use]
pub fn name_documents(numbers: &[DocumentNumber], words: Words) -> String {
    match numbers {
        [number] => words.fill("document {number}", &[("number", &number.to_string())]),
        numbers => words.count(numbers.len() as u64, "{n} document", "{n} documents"),
    }
}

fn name_readings(numbers: &[RejectedNumber], words: Words) -> String {
    match numbers {
        [number] => words.fill(
            "rejected reading {number}",
            &[("number", &number.to_string())],
        ),
        numbers => words.count(
            numbers.len() as u64,
            "{n} rejected reading",
            "{n} rejected readings",
        ),
    }
}
