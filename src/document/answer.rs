//! What people answered when the gateway asked about a document, as it is kept with it: words such
//! as `backorder`, and `allow:negative-stock` for what the reason `negative-stock` asks. An answer
//! holds for each try from then on, for its own question alone. Pure.

pub const ALLOW: &str = "allow";
pub const BACKORDER: &str = "backorder";
pub const NO_BACKORDER: &str = "no-backorder";

/// Whether a person allowed what this reason asks about.
#[must_use]
pub fn allows(answers: Option<&str>, code: &str) -> bool {
    let of = |word: &str| match word.split_once(':') {
        Some((ALLOW, of)) => of == code,
        // An older version kept no code.
        _ => word == ALLOW,
    };
    words(answers).any(of)
}

/// Whether a person gave this answer.
#[must_use]
pub fn holds(answers: Option<&str>, answer: &str) -> bool {
    words(answers).any(|word| word == answer)
}

/// One more answer, to what this reason asks. A later answer to the same question takes the place
/// of the earlier one.
#[must_use]
pub fn add(answers: Option<&str>, answer: &str, code: &str) -> String {
    let new = match answer {
        ALLOW => format!("{ALLOW}:{code}"),
        other => other.to_owned(),
    };
    let rest = |of: &str| [BACKORDER, NO_BACKORDER].contains(&of);
    let stays = |word: &&str| *word != new && !(rest(word) && rest(&new));
    let mut all: Vec<&str> = words(answers).filter(stays).collect();
    all.push(&new);
    all.join(" ")
}

fn words(answers: Option<&str>) -> impl Iterator<Item = &str> {
    answers.unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_its_own_question() {
        let first = add(None, ALLOW, "negative-stock");
        let second = add(Some(&first), BACKORDER, "under-picked");
        let third = add(Some(&second), NO_BACKORDER, "under-picked");
        assert_eq!(third, "allow:negative-stock no-backorder");
        let all = Some(third.as_str());
        assert!(allows(all, "negative-stock") && holds(all, NO_BACKORDER));
        assert!(!allows(all, "meaning-changed") && !holds(all, BACKORDER));
        assert_eq!(add(all, ALLOW, "negative-stock").matches(ALLOW).count(), 1);
        assert!(!allows(None, "negative-stock"));
    }

    #[test]
    fn what_an_older_version_kept_answers_every_question() {
        assert!(allows(Some("allow"), "counted-twice"));
        assert!(holds(Some("backorder"), BACKORDER));
    }
}
