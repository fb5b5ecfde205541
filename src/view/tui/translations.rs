//! Compares the files of translations with the texts that the screen uses.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::keys::KEYS;
use super::panels::{EVENTS, FOUND, PANELS, UNUSED};
use crate::config::Language;
use crate::event::EventType;
use crate::reason::{ANY, ReasonCode};
use crate::view::records::HitKind;
use crate::view::table::is_unsafe;
use crate::view::words::{FILES, Words, texts_of};

/// The code whose string literals are searched for texts.
const CODE: [&str; 5] = [
    "src/view/answer.rs",
    "src/view/answer/todo.rs",
    "src/view/snapshot/machine.rs",
    "src/view/words.rs",
    "src/view/tui",
];
/// Files without texts of the screen, and tests.
const WITHOUT_TEXTS: [&str; 7] = [
    "feed.rs",
    "rates.rs",
    "reader.rs",
    "terminal.rs",
    "tests.rs",
    "theme.rs",
    "translations.rs",
];
/// Literals with words that are no texts of the screen: commands, units, and words of a message.
const NO_TEXTS: [&str; 10] = [
    "stockrelay resume",
    "stockrelay parked list",
    "stockrelay rejected list",
    "stockrelay rejected dismiss --scans",
    "stockrelay {}",
    "; also line",
    "also line{}",
    ", {} ms",
    "{seconds:.1} s",
    "{} d",
];

/// A string literal, and the code before it on its line or in its call.
struct Literal {
    text: String,
    before: String,
}

/// The string literals of production code.
fn literals_of(code: &str) -> Vec<Literal> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut literals = Vec::new();
    let (mut before, mut rest) = (String::new(), code);
    while let Some(at) = rest.find(['"', '/']) {
        let (passed, found) = rest.split_at(at);
        before.push_str(passed);
        if found.starts_with("//") {
            rest = found.split_once('\n').map_or("", |(_, rest)| rest);
            continue;
        }
        let is_char =
            found.starts_with('/') || (before.ends_with('\'') && found[1..].starts_with('\''));
        if is_char {
            before.push_str(&found[..1]);
            rest = &found[1..];
            continue;
        }
        let mut text = String::new();
        let mut chars = found[1..].char_indices();
        let mut end = found.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = at + 2;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c)) => text.push(c),
                    None => break,
                },
                c => text.push(c),
            }
        }
        literals.push(Literal {
            text,
            before: before.trim_end().to_owned(),
        });
        before.push_str(&found[..end]);
        rest = &found[end..];
    }
    literals
}

fn all_literals() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = CODE.iter().map(|path| root.join(path)).collect();
    let mut literals = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap();
            paths.extend(inside.map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        if !WITHOUT_TEXTS.contains(&name) {
            literals.extend(literals_of(&fs::read_to_string(&path).unwrap()));
        }
    }
    literals
}

/// Whether code passes the literal to a function that translates it.
fn is_translated(literal: &Literal) -> bool {
    let calls = [".t(", ".fill(", ".word(", ".value(", ".value_in("];
    let line = literal.before.rsplit('\n').next().unwrap();
    let is_hint = line.contains("hint(KeyCode") && line.ends_with("\",");
    calls.iter().any(|call| literal.before.ends_with(call)) || is_hint
}

/// Whether the literal has two words, and is not only a format of values.
fn is_sentence(literal: &Literal) -> bool {
    let without_values: String = {
        let mut parts = literal.text.split('{');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| {
            text + "{" + part.split_once('}').map_or(part, |(_, rest)| rest)
        })
    };
    let words = without_values.split([' ', '{', ':', ',']);
    let has_letters = |word: &str| word.chars().any(char::is_alphabetic);
    let text = literal.text.as_str();
    let is_name = NO_TEXTS.contains(&text) || KEYS.iter().any(|binding| binding.shown == text);
    let is_format = text.starts_with(['|', '%']);
    let has_words = text.trim().contains(' ') && words.into_iter().any(has_letters);
    has_words && !is_name && !is_format
}

/// The texts of tables, and the words of the control API that the screen translates.
fn of_tables() -> BTreeSet<String> {
    let mut texts: BTreeSet<&str> = BTreeSet::new();
    for binding in KEYS {
        texts.insert(binding.what);
        texts.extend(binding.hint);
    }
    for spec in PANELS.into_iter().chain([&EVENTS, &FOUND, &UNUSED]) {
        texts.extend([spec.name, spec.empty]);
        texts.extend(spec.columns.iter().map(|column| column.title));
    }
    for code in ReasonCode::ALL {
        texts.extend(code.row().choices.iter().map(|(_, when)| *when));
    }
    texts.extend(ANY.iter().map(|(_, when)| *when));
    texts.extend(EventType::all().map(|of| of.name));
    texts.extend(HitKind::ALL.map(HitKind::as_str));
    // States of documents, events, readings, devices, links and sources; fields of an edit.
    texts.extend([
        "waiting",
        "sending",
        "posted",
        "parked",
        "discarded",
        "replaced",
        "open",
    ]);
    texts.extend(["dismissed", "resent", "no-fault", "online", "away", "drift"]);
    texts.extend(["up", "down", "held", "starting", "recount"]);
    texts.extend(["supervisor", "Odoo administrator", "IT"]);
    texts.extend([
        "lot", "package", "from", "to", "for", "event", "product", "quantity", "owner",
    ]);
    texts.extend(["order", "expiry", "best_before"]);
    // Periods of the sentence, and states of a bundle.
    texts.extend(["shift", "day", "last hour", "chosen time"]);
    texts.extend(["(what runs)", "(pending)", "(last bundle)"]);
    texts.extend([
        "fetched", "verified", "checked", "staged", "applied", "watching",
    ]);
    texts.extend(["refused", "confirmed", "rolled-back", "superseded"]);
    // What `q` does in the demonstration.
    texts.insert("end the demonstration and compare the books");
    texts.into_iter().map(str::to_owned).collect()
}

fn in_use() -> BTreeSet<String> {
    let literals = all_literals();
    let used = literals
        .into_iter()
        .filter(|it| is_translated(it) || is_sentence(it));
    used.map(|literal| literal.text)
        .chain(of_tables())
        .collect()
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    let parts = text.split('{').skip(1);
    parts
        .filter_map(|part| part.split_once('}').map(|(name, _)| name))
        .collect()
}

#[test]
fn each_text_in_use_has_a_translation_in_each_language() {
    let used = in_use();
    assert!(
        used.len() > 400,
        "the search for texts finds only {}",
        used.len()
    );
    for (language, _) in FILES {
        let texts = texts_of(language).unwrap();
        let missing: Vec<_> = used
            .iter()
            .filter(|text| !texts.contains_key(*text))
            .collect();
        assert!(missing.is_empty(), "{language:?} lacks {missing:#?}");
    }
}

#[test]
fn no_translation_is_left_over() {
    let mut known: BTreeSet<String> = all_literals().into_iter().map(|it| it.text).collect();
    known.extend(of_tables());
    for (language, _) in FILES {
        let texts = texts_of(language).unwrap();
        // Kinds and states of Odoo's orders are words of Odoo.
        let of_odoo = ["outgoing", "incoming", "internal", "assigned", "confirmed"];
        let unused = texts.keys().filter(|key| !known.contains(*key));
        let unused: Vec<_> = unused
            .filter(|key| !of_odoo.contains(&key.as_str()))
            .collect();
        assert!(unused.is_empty(), "{language:?} has {unused:#?}");
    }
}

#[test]
fn translations_have_the_values_of_their_texts_and_no_character_that_a_terminal_must_not_get() {
    for (language, files) in FILES {
        let texts = texts_of(language).unwrap();
        let lines = files.iter().flat_map(|file| file.lines());
        let entries = lines.filter(|line| line.starts_with('"')).count();
        assert_eq!(
            texts.len(),
            entries,
            "{language:?}: a file is not TOML, or has a text twice"
        );
        for (english, text) in texts {
            assert_eq!(
                placeholders(english),
                placeholders(text),
                "{language:?}: {english}"
            );
            assert!(!text.chars().any(is_unsafe), "{language:?}: {text}");
            assert!(!text.trim().is_empty(), "{language:?}: {english}");
        }
    }
}

#[test]
fn arabic_texts_have_arabic_commas_and_question_marks() {
    for (english, text) in texts_of(Language::Arabic).unwrap() {
        // Values and commands are not Arabic.
        let mut outside = String::new();
        let mut is_inside = false;
        for c in text.chars() {
            match c {
                '{' | '}' | '`' => is_inside = if c == '`' { !is_inside } else { c == '{' },
                c if !is_inside => outside.push(c),
                _ => {}
            }
        }
        assert!(!outside.contains([',', ';', '?']), "{english}: {text}");
    }
}

#[test]
fn an_unknown_text_stays_english() {
    let words = Words {
        language: Language::Arabic,
    };
    assert_eq!(words.t("no such text"), "no such text");
    assert_ne!(words.t("parked"), "parked");
}
