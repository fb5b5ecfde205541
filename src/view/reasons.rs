//! The reason codes, each with its meaning and what can be done about it: for the control API, the commands, the terminal
//! UI and `docs/reason-codes.md`, which a test holds to be the same.

mod table;

use serde::{Deserialize, Serialize};

use self::table::ANY;
use crate::outcome::code::MASTER_DATA;

pub use self::table::{ENDED, FLAGS, PARKED, WAITING};

/// Something that a person can decide about a parked document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Retry,
    /// Retry with an answer to what the gateway asks.
    With(&'static str),
    Edit,
    Discard,
}

impl Action {
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Retry => "retry".to_owned(),
            Self::With(answer) => format!("retry with {answer}"),
            Self::Edit => "edit".to_owned(),
            Self::Discard => "discard".to_owned(),
        }
    }
}

/// A choice, and when it is the right one.
pub type Choice = (Action, &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    pub code: &'static str,
    /// What happened.
    pub meaning: &'static str,
    pub choices: &'static [Choice],
}

/// A choice as the control API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceView {
    pub action: String,
    pub what: String,
}

pub const DISCARDED: &str = "discarded";
pub const REPLACED: &str = "replaced";

/// What a person can do about a document that is parked for this reason.
#[must_use]
pub fn choices(code: &str) -> &'static [Choice] {
    (PARKED.iter())
        .find(|known| known.code == code)
        .map_or(ANY, |known| known.choices)
}

/// The answers that this reason asks for.
pub fn answers(code: &str) -> impl Iterator<Item = &'static str> {
    choices(code).iter().filter_map(|(action, _)| match action {
        Action::With(answer) => Some(*answer),
        Action::Retry | Action::Edit | Action::Discard => None,
    })
}

/// The choices as the control API tells them.
#[must_use]
pub fn choice_views(code: &str) -> Vec<ChoiceView> {
    (choices(code).iter())
        .map(|(action, what)| ChoiceView {
            action: action.words(),
            what: (*what).to_owned(),
        })
        .collect()
}

impl Code {
    /// Its row in the documentation.
    #[must_use]
    pub fn row(&self) -> String {
        let mut choices: Vec<String> = (self.choices.iter())
            .map(|(action, what)| format!("**{}**: {what}", action.words()))
            .collect();
        if MASTER_DATA.contains(&self.code) {
            choices.insert(0, "*by itself*".to_owned());
        }
        let mut cells = vec![format!("`{}`", self.code), self.meaning.to_owned()];
        if !choices.is_empty() {
            cells.push(choices.join("; "));
        }
        format!("| {} |", cells.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::code;

    #[test]
    fn the_documentation_has_each_code_with_its_choices() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reason-codes.md");
        let text = std::fs::read_to_string(path).unwrap();
        let mut sections = text.split("\n## ").skip(1);
        for (title, codes) in [
            ("Documents that are parked", PARKED),
            ("Documents that wait", WAITING),
            ("Notes on documents", FLAGS),
            ("Documents that a person ended", ENDED),
        ] {
            let section = sections.find(|section| section.starts_with(title));
            let section = section.unwrap_or_else(|| panic!("no section {title:?}, in this order"));
            let rows: Vec<&str> = (section.lines())
                .filter(|line| line.starts_with("| `"))
                .collect();
            let known: Vec<String> = codes.iter().map(Code::row).collect();
            assert_eq!(rows, known, "{title}: the rows are\n{}", known.join("\n"));
        }
    }

    #[test]
    fn each_code_is_there_once_and_what_sending_gives_is_known() {
        for (place, known) in PARKED.iter().enumerate() {
            let rest = &PARKED[place + 1..];
            assert!(
                rest.iter().all(|other| other.code != known.code),
                "{}",
                known.code
            );
            assert!(
                known
                    .choices
                    .iter()
                    .any(|(action, _)| *action == Action::Discard),
                "{}: each can be left for good",
                known.code
            );
        }
        for code in code::MASTER_DATA.into_iter().chain([
            code::ODOO_REFUSED,
            code::NOT_VALIDATED,
            code::CANCELLED_IN_ODOO,
            code::DIFFERS_IN_ODOO,
            code::UNSUPPORTED_TYPE,
        ]) {
            assert!(PARKED.iter().any(|known| known.code == code), "{code}");
        }
    }

    #[test]
    fn only_what_the_gateway_asks_can_be_answered() {
        let all = |code| answers(code).collect::<Vec<_>>();
        assert_eq!(all("under-picked"), ["backorder", "no-backorder"]);
        assert_eq!(all("over-picked"), ["allow"]);
        assert_eq!(all("negative-stock"), ["allow"]);
        assert_eq!(all("counted-since"), ["allow"]);
        assert!(all("unknown-product").is_empty());
        assert!(all("a code of tomorrow").is_empty());
        assert_eq!(choices("a code of tomorrow").len(), 3);
    }
}
