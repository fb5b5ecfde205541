//! The answers of people to the gateway's questions about a document, as stored with it: words such
//! as `backorder`, and `allow:negative-stock` for the question of the reason `negative-stock`. An
//! answer applies to each later attempt, only for its own question. Pure.

use crate::reason::{Answer, Code, ReasonCode};

/// Whether a person allowed what this reason asks about.
#[must_use]
pub fn allows(answers: Option<&str>, code: ReasonCode) -> bool {
    let of = |word: &str| match word.split_once(':') {
        Some((word, of)) => word == ALLOW && of == code.as_str(),
        // An older version stored no code.
        None => word == ALLOW,
    };
    words(answers).any(of)
}

/// Whether a person gave this answer.
#[must_use]
pub fn holds(answers: Option<&str>, answer: Answer) -> bool {
    words(answers).any(|word| word == answer.as_str())
}

/// Adds an answer to the question of this reason. A later answer to the same question replaces the
/// earlier one.
#[must_use]
pub fn add(answers: Option<&str>, answer: Answer, code: &Code<ReasonCode>) -> String {
    let new = match answer {
        Answer::Allow => format!("{ALLOW}:{code}"),
        Answer::Backorder | Answer::NoBackorder => answer.as_str().to_owned(),
    };
    let rest = |of: &str| {
        [Answer::Backorder, Answer::NoBackorder]
            .iter()
            .any(|answer| answer.as_str() == of)
    };
    let stays = |word: &&str| *word != new && !(rest(word) && rest(&new));
    let mut all: Vec<&str> = words(answers).filter(stays).collect();
    all.push(&new);
    all.join(" ")
}

const ALLOW: &str = Answer::Allow.as_str();

fn words(answers: Option<&str>) -> impl Iterator<Item = &str> {
    answers.unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_its_own_question() {
        let first = add(None, Answer::Allow, &ReasonCode::NegativeStock.into());
        let second = add(
            Some(&first),
            Answer::Backorder,
            &ReasonCode::UnderPicked.into(),
        );
        let third = add(
            Some(&second),
            Answer::NoBackorder,
            &ReasonCode::UnderPicked.into(),
        );
        assert_eq!(third, "allow:negative-stock no-backorder");
        let all = Some(third.as_str());
        assert!(allows(all, ReasonCode::NegativeStock) && holds(all, Answer::NoBackorder));
        assert!(!allows(all, ReasonCode::MeaningChanged) && !holds(all, Answer::Backorder));
        assert_eq!(
            add(all, Answer::Allow, &ReasonCode::NegativeStock.into())
                .matches(ALLOW)
                .count(),
            1
        );
        assert!(!allows(None, ReasonCode::NegativeStock));
    }

    #[test]
    fn an_answer_that_an_older_version_stored_answers_every_question() {
        assert!(allows(Some("allow"), ReasonCode::CountedTwice));
        assert!(holds(Some("backorder"), Answer::Backorder));
    }
}
