//! The reason codes, each with its meaning and what can be done about it: for the control API, the
//! commands, the terminal UI and `docs/reason-codes.md`, which a test holds to be the same.

mod table;

use serde::{Deserialize, Serialize};

use self::table::ANY;
use crate::outcome::code::MASTER_DATA;

pub use crate::outcome::ended::{DISCARDED, REPLACED};

pub use self::table::{ENDED, FLAGS, PARKED, REJECTED, TOLD, TURNED_AWAY, WAITING};

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
    /// One that asks nobody for a decision.
    const fn plain(code: &'static str, meaning: &'static str) -> Self {
        Self {
            code,
            meaning,
            choices: &[],
        }
    }

    /// Its row in the documentation.
    #[must_use]
    pub fn row(&self) -> String {
        let mut choices: Vec<String> = (self.choices.iter())
            .map(|(action, what)| format!("**{}**: {what}", action.words()))
            .collect();
        // Only a document waits: a reading of the same code does not.
        if !choices.is_empty() && MASTER_DATA.contains(&self.code) {
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
    use crate::event::{NOT_FINISHED, RETAINED, astray_code};
    use crate::outcome::{code, flag};

    #[test]
    fn the_documentation_has_each_code_with_its_choices() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reason-codes.md");
        let text = std::fs::read_to_string(path).unwrap();
        let mut sections = text.split("\n## ").skip(1);
        for (title, codes) in [
            ("Documents that are parked", PARKED),
            ("Documents that wait", WAITING),
            ("Events that are held with their document", TOLD),
            ("Notes on documents", FLAGS),
            ("Documents that a person ended", ENDED),
            ("Readings that are rejected", REJECTED),
            ("Readings that are turned away", TURNED_AWAY),
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

    /// The codes of a table, in the order of the alphabet; one that is there twice is there twice.
    fn sorted(table: &[Code]) -> Vec<&'static str> {
        let mut codes: Vec<_> = table.iter().map(|known| known.code).collect();
        codes.sort_unstable();
        codes
    }

    /// The constants of a module of `outcome.rs`, as they are written there.
    fn written(module: &str) -> Vec<&'static str> {
        let source = include_str!("../outcome.rs");
        let (_, body) = source.split_once(&format!("pub mod {module} {{")).unwrap();
        let (body, _) = body.split_once("\n}\n").unwrap();
        (body.lines())
            .filter_map(|line| line.split_once(": &str = \"")?.1.strip_suffix("\";"))
            .collect()
    }

    /// What may be a code among the texts of a source: small letters with hyphens.
    fn hyphenated(source: &'static str) -> impl Iterator<Item = &'static str> {
        let looks = |text: &&str| {
            let mut words = text.split('-');
            text.contains('-')
                && words.all(|word| {
                    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'8')
                })
        };
        source.split('"').filter(looks)
    }

    #[test]
    fn each_code_is_there_once_and_each_that_is_given_is_known() {
        assert_eq!(written("code"), code::ALL, "code::ALL is complete");
        let mut given: Vec<&str> = (code::ALL.iter().copied())
            .filter(|code| *code != code::HELD_BACK && !code::CAPTURED.contains(code))
            .collect();
        given.sort_unstable();
        assert_eq!(sorted(PARKED), given);
        assert_eq!(sorted(WAITING), [code::HELD_BACK]);
        assert_eq!(sorted(TOLD), written("told"));
        for known in PARKED {
            let ends = |(action, _): &Choice| *action == Action::Discard;
            let code = known.code;
            assert!(known.choices.iter().any(ends), "{code}: each can be left");
        }
    }

    #[test]
    fn each_flag_is_there_once_and_each_that_is_given_is_known() {
        assert_eq!(written("flag"), flag::ALL, "flag::ALL is complete");
        let mut given = flag::ALL.to_vec();
        given.sort_unstable();
        assert_eq!(sorted(FLAGS), given);
    }

    #[test]
    fn each_code_of_a_rejected_reading_is_known() {
        let known = sorted(REJECTED);
        let mut once = known.clone();
        once.dedup();
        assert_eq!(known, once);
        let sources = [
            include_str!("../decode.rs"),
            include_str!("../decode/action.rs"),
            include_str!("../decode/fields.rs"),
            include_str!("../decode/profile/read.rs"),
            include_str!("../decode/profile/payload.rs"),
            include_str!("../source/front_door/batch.rs"),
            include_str!("../source/broker/retained.rs"),
        ];
        let written = sources.map(|source| source.split("#[cfg(test)]\nmod tests {").next());
        let written: Vec<&str> = written.into_iter().flatten().collect();
        for code in written.iter().copied().flat_map(hyphenated) {
            assert!(known.contains(&code), "{code} is not in the table");
        }
        let of_event = [
            RETAINED,
            NOT_FINISHED,
            astray_code("", b"x"),
            astray_code("", b""),
        ];
        assert!(of_event.iter().all(|code| known.contains(code)));
        for code in known.into_iter().filter(|code| !of_event.contains(code)) {
            let quoted = format!("\"{code}\"");
            assert!(
                written.iter().any(|source| source.contains(&quoted)),
                "nothing gives {code}"
            );
        }
    }

    #[test]
    fn what_a_strict_check_turns_away_is_known() {
        let source = include_str!("../capture/judge.rs");
        let mut given: Vec<String> = (source.split("code::").skip(1))
            .map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
                rest[..end.unwrap_or(rest.len())]
                    .to_lowercase()
                    .replace('_', "-")
            })
            .filter(|code| !code.is_empty())
            .collect();
        given.sort_unstable();
        assert_eq!(sorted(TURNED_AWAY), given);
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
