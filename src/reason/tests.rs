use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// A row of a table in `docs/reason-codes.md`.
fn row(code: &str, meaning: &str, more: &[String]) -> String {
    let cells = [format!("`{code}`"), meaning.to_owned()];
    let cells: Vec<String> = cells.into_iter().chain(more.iter().cloned()).collect();
    format!("| {} |", cells.join(" | "))
}

fn document_rows(stage: Stage) -> Vec<String> {
    let rows = ReasonCode::ALL.iter().map(|code| code.row());
    rows.filter(|row| row.stage == stage)
        .map(|of| {
            let mut choices: Vec<String> = (of.choices.iter())
                .map(|(action, when)| format!("**{}**: {when}", action.describe()))
                .collect();
            let by_itself = match of.heals {
                Heals::No => None,
                Heals::MasterData => Some("*by itself*"),
                Heals::Goods => Some("*by itself* after goods for the order are posted"),
                Heals::Picks => Some("*by itself* after the picks are validated"),
                Heals::Clock => {
                    Some("*by itself* after the gateway knows the device's clock again")
                }
            };
            if let Some(by_itself) = by_itself {
                choices.insert(0, by_itself.to_owned());
            }
            let choices = (!choices.is_empty()).then(|| choices.join("; "));
            row(of.code, of.meaning, choices.as_slice())
        })
        .collect()
}

fn flag_rows() -> Vec<String> {
    let rows = Flag::ALL.iter().map(|flag| flag.row());
    rows.map(|of| row(of.code, of.meaning, &[])).collect()
}

fn rejection_rows(judges: &[JudgedBy]) -> Vec<String> {
    let rows = RejectionCode::ALL.iter().map(|code| code.row());
    rows.filter(|row| judges.contains(&row.judged_by))
        .map(|of| {
            let by = match of.judged_by {
                JudgedBy::Profile => "*by profile*: ",
                JudgedBy::Payload | JudgedBy::Check => "",
            };
            let fault = if of.needs_person { "" } else { " No fault." };
            row(of.code, &format!("{by}{}{fault}", of.meaning), &[])
        })
        .collect()
}

#[test]
fn the_documentation_has_each_code_with_its_choices() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reason-codes.md");
    let text = fs::read_to_string(path).unwrap();
    let mut sections = text.split("\n## ").skip(1);
    for (title, known) in [
        ("Documents that are parked", document_rows(Stage::Parked)),
        ("Documents that wait", document_rows(Stage::Waiting)),
        (
            "Events that are held with their document",
            document_rows(Stage::Receipt),
        ),
        ("Notes on documents", flag_rows()),
        (
            "Documents that ended without a posting",
            document_rows(Stage::Ended),
        ),
        (
            "Readings that are rejected",
            rejection_rows(&[JudgedBy::Payload, JudgedBy::Profile]),
        ),
        (
            "Readings that the check rejects",
            rejection_rows(&[JudgedBy::Check]),
        ),
    ] {
        let section = sections.find(|section| section.starts_with(title));
        let section = section.unwrap_or_else(|| panic!("no section {title:?}, in this order"));
        let rows: Vec<&str> = (section.lines())
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(rows, known, "{title}: the rows are\n{}", known.join("\n"));
    }
}

/// The texts of a set of codes: each is written as a code, and no two are equal.
fn texts<T: CodeSet>() -> BTreeSet<&'static str> {
    let mut texts = BTreeSet::new();
    for code in T::ALL {
        let text = code.as_str();
        let mut words = text.split('-');
        assert!(
            words.all(|word| !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'8')),
            "{text}: small letters with hyphens between the words"
        );
        assert!(texts.insert(text), "{text} is there twice");
        assert_eq!(Code::<T>::from(text).known(), Some(*code));
    }
    texts
}

#[test]
fn each_code_is_there_once() {
    assert_eq!(texts::<ReasonCode>().len(), ReasonCode::ALL.len());
    assert_eq!(texts::<RejectionCode>().len(), RejectionCode::ALL.len());
    assert_eq!(texts::<Flag>().len(), Flag::ALL.len());
}

#[test]
fn a_person_can_end_each_parked_document_and_decides_about_no_other() {
    for row in ReasonCode::ALL.iter().map(|code| code.row()) {
        let is_parked = row.stage == Stage::Parked;
        let can_end = (row.choices.iter()).any(|(action, _)| *action == Action::Discard);
        assert_eq!(can_end, is_parked, "{}", row.code);
        assert!(is_parked || row.choices.is_empty(), "{}", row.code);
        assert!(is_parked || row.heals == Heals::No, "{}", row.code);
    }
}

#[test]
fn only_what_the_gateway_asks_can_be_answered() {
    let all = |code: &str| {
        let answers: Vec<_> = Code::<ReasonCode>::from(code).answers().collect();
        answers.into_iter().map(Answer::as_str).collect::<Vec<_>>()
    };
    assert_eq!(all("under-picked"), ["backorder", "no-backorder"]);
    assert_eq!(all("over-picked"), ["allow"]);
    assert_eq!(all("negative-stock"), ["allow"]);
    assert_eq!(all("counted-since"), ["allow"]);
    assert!(all("unknown-product").is_empty());
    assert!(all("a code of tomorrow").is_empty());
}

#[test]
fn a_code_that_this_version_does_not_know_stays_as_it_is() {
    let tomorrow: Code<ReasonCode> = "a-code-of-tomorrow".into();
    assert_eq!(tomorrow.known(), None);
    assert_eq!(tomorrow, "a-code-of-tomorrow");
    assert_eq!(tomorrow.choices(), ANY);
    assert_eq!(tomorrow.choices().len(), 3);
    assert_eq!(tomorrow.heals(), Heals::No);
    let json = serde_json::to_string(&tomorrow).unwrap();
    assert_eq!(json, r#""a-code-of-tomorrow""#);
    let read: Code<ReasonCode> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, tomorrow);
    // A person must look at what nobody understands.
    assert!(Code::<RejectionCode>::from("a-code-of-tomorrow").needs_person());
    // No document of another stage asks a person.
    assert_eq!(Code::from(ReasonCode::HeldBack).choices(), ANY);
}

/// The sources of the program without the tables, and without tests.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "tests" && path != root.join("reason") {
                    folders.push(path);
                }
            } else if name != "tests" && path.extension().is_some_and(|known| known == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let path = path.strip_prefix(&root).unwrap().to_owned();
                found.push((path, text.to_owned()));
            }
        }
    }
    found
}

/// The variants of an enum that a source names.
fn named<'s>(source: &'s str, of: &str) -> BTreeSet<&'s str> {
    let before = format!("{of}::");
    let uses = source.split(&before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    });
    uses.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect()
}

#[test]
fn each_code_is_given_somewhere() {
    let sources = sources();
    let all: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    assert_named::<ReasonCode>(&all, "ReasonCode");
    assert_named::<Flag>(&all.replace("EventFlag::", ""), "Flag");
    // The journal and the views only compare them.
    let rejects = |path: &Path| {
        let parts = ["capture", "channel", "decode", "event", "flow", "source"];
        parts
            .iter()
            .any(|part| path.to_string_lossy().starts_with(part))
    };
    let rejecting: String = (sources.iter())
        .filter(|(path, _)| rejects(path))
        .map(|(_, text)| text.as_str())
        .collect();
    assert_named::<RejectionCode>(&rejecting, "RejectionCode");
}

/// Each code of an enum is named somewhere in the sources.
fn assert_named<T: CodeSet>(sources: &str, of: &str) {
    let known: Vec<String> = T::ALL.iter().map(|code| format!("{code:?}")).collect();
    let given = named(sources, of);
    let missing: Vec<&String> = (known.iter())
        .filter(|code| !given.contains(code.as_str()))
        .collect();
    assert!(missing.is_empty(), "nothing gives {missing:?}");
}

#[test]
fn a_strict_check_turns_readings_away_for_what_the_table_says() {
    let judge = include_str!("../capture/judge.rs");
    let known: Vec<String> = (RejectionCode::ALL.iter())
        .filter(|code| code.row().judged_by == JudgedBy::Check)
        .map(|code| format!("{code:?}"))
        .collect();
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(named(judge, "RejectionCode"), known);
}

/// Sources with a text that is equal to a code and means something else.
const OTHER_MEANING: [(&str, &str); 17] = [
    ("capture/texts.rs", "names of texts for devices"),
    ("flow/display_text.rs", "names of texts for devices"),
    ("catalog/floor.rs", "a key of the catalog's file"),
    ("document.rs", "states of documents"),
    ("fleet/archive.rs", "a code for bundles"),
    ("fleet/record.rs", "a code for bundles"),
    ("view/metrics.rs", "states of documents"),
    ("view/control/query.rs", "states of documents"),
    ("view/commands/status.rs", "states of documents"),
    ("view/control/several.rs", "an example in an error message"),
    ("view/answer.rs", "states of documents"),
    ("view/tui/app/deciding.rs", "states of documents"),
    ("view/commands/apply.rs", "outcomes of bundles"),
    ("view/tui/about/document.rs", "states of documents"),
    ("view/tui/about/what_runs.rs", "states of bundles"),
    ("view/tui/data.rs", "states of documents"),
    (
        "view/tui/translations.rs",
        "states of documents and bundles",
    ),
];

#[test]
fn codes_are_written_in_their_tables_alone() {
    let mut codes = texts::<ReasonCode>();
    codes.extend(texts::<RejectionCode>());
    codes.extend(texts::<Flag>());
    let mut found = BTreeSet::new();
    for (path, text) in sources() {
        let path = path.to_str().unwrap();
        let literals = text.split('"').filter(|text| codes.contains(text));
        found.extend(literals.map(|code| (path.to_owned(), code.to_owned())));
    }
    let is_other = |path: &str| OTHER_MEANING.iter().any(|(known, _)| *known == path);
    let strays: Vec<_> = found.iter().filter(|(path, _)| !is_other(path)).collect();
    assert!(strays.is_empty(), "write these as variants: {strays:?}");
    for (known, _) in OTHER_MEANING {
        let is_needed = found.iter().any(|(path, _)| path == known);
        assert!(is_needed, "{known} needs no exception");
    }
}
