//! Plain English: no banned phrasing in documents, comments and strings; lines of at most 100
//! columns; no broken link between documents.
//!
//! `prose/banned.txt` has the phrasings, each with the words to write instead.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex_lite::{Regex, RegexBuilder};

mod text;

use text::{Passage, comments_and_strings, hash_comments, paragraphs};

/// In a line: literals, a regular expression, and the plain words, with tabs between them.
const BANNED: &str = include_str!("prose/banned.txt");

/// Documents and code are in these folders and files.
const ROOTS: [&str; 18] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "benches/figures",
    "benches/peers/Cargo.toml",
    "benches/peers/README.md",
    "benches/peers/clippy.toml",
    "benches/peers/src",
    "docs",
    "firmware-config",
    "fuzz/README.md",
    "fuzz/fuzz_targets",
    "scanner-profiles",
    "src",
    "systemd",
    "tests",
    "Cargo.toml",
];

/// Files that begin so still have banned phrasings. Empty this list; nothing is added to it.
const NOT_YET: &[&str] = &[];

/// The clauses of the MQTT standards are quotations, the snapshots show the program's output, and
/// this file has banned phrasings as examples.
const NOT_PROSE: [&str; 4] = [
    "tests/it/front_door/clauses/",
    "tests/it/prose.rs",
    "tests/it/prose/banned.txt",
    "tests/it/snapshots/",
];

/// Files whose lines are still too wide. Empty this list, too.
const WIDE_NOT_YET: [&str; 2] = ["Cargo.toml", "docs/reason-codes.md"];

const COLUMNS_MAX: usize = 100;

struct Phrasing {
    /// Each match contains one of these, in lower case: looking for them is faster than matching.
    literals: Vec<&'static str>,
    pattern: Regex,
    instead: &'static str,
}

fn banned() -> Vec<Phrasing> {
    let lines = BANNED
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines
        .map(|line| {
            let (literals, pattern) = line.split_once('\t').unwrap();
            let (pattern, instead) = pattern.split_once('\t').unwrap();
            let pattern = RegexBuilder::new(pattern).case_insensitive(true).build();
            Phrasing {
                literals: literals.split('|').collect(),
                pattern: pattern.unwrap(),
                instead,
            }
        })
        .collect()
}

/// `line: "words" -> what to write instead`, for each banned phrasing.
fn faults(passages: &[Passage], banned: &[Phrasing]) -> Vec<String> {
    let mut faults = Vec::new();
    for passage in passages {
        let lower = passage.words.to_lowercase();
        let candidates = banned
            .iter()
            .filter(|phrasing| phrasing.literals.iter().any(|word| lower.contains(word)));
        for phrasing in candidates {
            for found in phrasing.pattern.find_iter(&passage.words) {
                faults.push(format!(
                    "{}: {:?}: write {}",
                    passage.line,
                    found.as_str(),
                    phrasing.instead
                ));
            }
        }
    }
    faults
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the roots by their path in the repository, with their text.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> = ROOTS.iter().map(|name| root().join(name)).collect();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if let Ok(text) = fs::read_to_string(&path) {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
            if !NOT_PROSE.iter().any(|start| name.starts_with(start)) {
                found.push((name.to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn extension(name: &str) -> &str {
    Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

fn passages(name: &str, text: &str) -> Vec<Passage> {
    match extension(name) {
        "rs" => comments_and_strings(text),
        "md" => paragraphs(text),
        "toml" => hash_comments(text, true),
        "json" | "txt" | "redb" => Vec::new(),
        _ => hash_comments(text, false),
    }
}

#[test]
fn documents_comments_and_strings_are_in_plain_english() {
    let banned = banned();
    let mut all = Vec::new();
    let mut not_clean = BTreeSet::new();
    for (name, text) in files() {
        let faults = faults(&passages(&name, &text), &banned);
        match NOT_YET.iter().find(|start| name.starts_with(*start)) {
            Some(start) if !faults.is_empty() => drop(not_clean.insert(*start)),
            Some(_) => {}
            None => all.extend(faults.iter().map(|fault| format!("{name}:{fault}"))),
        }
    }
    assert!(
        all.is_empty(),
        "tests/it/prose/banned.txt bans {} phrasings:\n{}",
        all.len(),
        all.join("\n")
    );
    for start in NOT_YET {
        assert!(
            not_clean.contains(start),
            "{start} is clean: remove it from NOT_YET in tests/it/prose.rs"
        );
    }
}

/// Whether a line may be longer: it is a heading or a table row, has a link, or is one long word.
fn may_be_wide(line: &str) -> bool {
    let is_heading = line.starts_with("##");
    let line = line.trim_start_matches(['/', '!', '#', ' ', '-', '>']);
    is_heading
        || line.starts_with('|')
        || line.contains("](")
        || line.contains("://")
        || !line.contains(' ')
}

/// The numbers of the lines of comments and paragraphs that are too wide.
fn wide(name: &str, text: &str) -> Vec<usize> {
    let mut is_code = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = line.trim_start();
        let is_prose = match extension(name) {
            "rs" => words.starts_with("//"),
            "md" => true,
            "json" | "txt" | "snap" => false,
            _ => words.starts_with("# "),
        };
        let words = words.trim_start_matches(['/', '!']).trim_start();
        if words.starts_with("```") && extension(name) != "toml" {
            is_code = !is_code;
        } else if is_prose
            && !is_code
            && line.chars().count() > COLUMNS_MAX
            && !may_be_wide(line)
            && !(extension(name) == "md" && line.starts_with("    "))
        {
            found.push(index + 1);
        }
        if extension(name) == "rs" && !is_prose {
            is_code = false;
        }
    }
    found
}

#[test]
fn comments_and_documents_wrap_at_100_columns() {
    let mut all = Vec::new();
    for (name, text) in files() {
        if WIDE_NOT_YET.contains(&name.as_str()) {
            continue;
        }
        all.extend(
            wide(&name, &text)
                .iter()
                .map(|line| format!("{name}:{line}")),
        );
    }
    assert!(
        all.is_empty(),
        "wider than {COLUMNS_MAX} columns:\n{}",
        all.join("\n")
    );
}

/// The anchor that a heading has, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let files = files();
    let documents = files.iter().filter(|(name, _)| extension(name) == "md");
    let mut broken = Vec::new();
    for (name, text) in documents {
        for target in link.captures_iter(text).map(|found| found[1].to_owned()) {
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => root().join(name),
                _ => root().join(name).parent().unwrap().join(file),
            };
            let is_there = match fs::read_to_string(&path) {
                Ok(text) => heading.is_empty() || anchors(&text).contains(heading),
                // A folder, or a picture.
                Err(_) => path.exists() && heading.is_empty(),
            };
            if !is_there {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// What the checks find in a text with one fault of each kind.
#[test]
fn a_banned_phrasing_is_found_with_its_line_and_the_plain_words() {
    let banned = banned();
    let code = "// A document that Odoo\n// sets aside.\nlet a = '\"';\nfn said() { let told = 1; }\n\
                let b = \"it was \\\n     said\"; // it is told\nlet c = r#\"nobody \"knows\" what came of it\"#;\n";
    let found = faults(&comments_and_strings(code), &banned);
    let starts: Vec<&str> = found
        .iter()
        .map(|f| f.split(": write").next().unwrap())
        .collect();
    assert_eq!(
        starts,
        [
            "1: \"sets aside\"",
            "5: \"was said\"",
            "6: \"is told\"",
            "7: \"came of\"",
        ]
    );
    assert!(
        found[0].ends_with("the gateway defers the document\""),
        "{}",
        found[0]
    );

    let document = "# What\n\nIt is held\nagainst the list.\n\n```\nit is said\n```\n\n- one\n- it is\n  told\n";
    let found = faults(&paragraphs(document), &banned);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("3: \"is held against\""), "{found:?}");
    assert!(found[1].starts_with("11: \"is told\""), "{found:?}");

    let unit = "[Unit]\n# it is said\nA=b # it is told\nA=\"it is told\"\n";
    assert_eq!(faults(&hash_comments(unit, false), &banned).len(), 2);
    assert_eq!(faults(&hash_comments(unit, true), &banned).len(), 3);
}

#[test]
fn a_wide_line_is_found_but_no_table_code_or_link() {
    let long = "word ".repeat(21);
    let document =
        format!("{long}\n| {long} |\n```\n{long}\n```\n[{long}](docs/mqtt.md)\n- {long}\n");
    assert_eq!(wide("a.md", &document), [1, 7]);
    let code = format!("/// {long}\nlet a = \"{long}\";\n    // {long}\n");
    assert_eq!(wide("a.rs", &code), [1, 3]);
}
