//! Finds the prose of a file: paragraphs of documents, comments and strings of Rust code. Pure.

/// A paragraph, comment or string as one line of words.
#[derive(Debug, PartialEq, Eq)]
pub struct Passage {
    /// The line on which it begins, from 1.
    pub line: usize,
    pub words: String,
}

/// The paragraphs, list items and table rows of a Markdown document, without code blocks.
pub fn paragraphs(text: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut is_code = false;
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        let words = line.trim();
        if words.starts_with("```") {
            is_code = !is_code;
            is_open = false;
        } else if is_code || words.is_empty() {
            is_open = false;
        } else {
            add(&mut passages, index + 1, words, is_open);
            is_open = !words.starts_with('#');
        }
    }
    passages
}

/// The comments of a file in which `#` begins a comment: TOML, shell, systemd, udev. In TOML the
/// strings count as prose too.
pub fn hash_comments(text: &str, is_toml: bool) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let words = match line.strip_prefix('#') {
            Some(comment) => comment.trim(),
            None if is_toml => line,
            None => line.split_once(" # ").map_or("", |(_, comment)| comment),
        };
        if words.is_empty() {
            is_open = false;
        } else {
            add(&mut passages, index + 1, words, is_open);
            is_open = true;
        }
    }
    passages
}

/// The comments and strings of Rust code. Line comments that follow one another are one passage, up
/// to an empty one. Strings without a space are names and values, and left out.
pub fn comments_and_strings(code: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut line = 1;
    let mut rest = code;
    // The line after the last comment, while the next comment may continue it.
    let mut continues_at = 0;
    while !rest.is_empty() {
        let length = if rest.starts_with("//") {
            let comment = rest.lines().next().unwrap_or_default();
            let words = comment
                .trim_start_matches('/')
                .trim_start_matches('!')
                .trim();
            if words.is_empty() {
                continues_at = 0;
            } else {
                add(&mut passages, line, words, continues_at == line);
                continues_at = line + 1;
            }
            comment.len()
        } else if let Some((string, length)) = string(rest) {
            if string.contains(' ') {
                passages.push(Passage {
                    line,
                    words: unwrapped(string),
                });
            }
            continues_at = 0;
            length
        } else {
            token(rest)
        };
        let (passed, after) = rest.split_at(length);
        line += passed.matches('\n').count();
        rest = after;
    }
    passages
}

/// Adds words to the last passage, or begins one: list items and table rows begin one always.
fn add(passages: &mut Vec<Passage>, line: usize, words: &str, continues: bool) {
    let is_item = ["- ", "* ", "|", "#", ">"]
        .iter()
        .any(|mark| words.starts_with(mark))
        || words
            .split_once(". ")
            .is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    match passages.last_mut() {
        Some(last) if continues && !is_item => {
            last.words.push(' ');
            last.words.push_str(words);
        }
        _ => passages.push(Passage {
            line,
            words: words.to_owned(),
        }),
    }
}

/// The content of the string literal with which the code begins, and the literal's length.
fn string(code: &str) -> Option<(&str, usize)> {
    if let Some(inner) = code.strip_prefix('"') {
        let mut is_escaped = false;
        for (index, c) in inner.char_indices() {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => return Some((&inner[..index], index + 2)),
                _ => {}
            }
        }
        return None;
    }
    let inner = code.strip_prefix('r')?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let inner = inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &code[1..=hashes]);
    let length = inner.find(&end)?;
    Some((&inner[..length], 1 + hashes + 1 + length + end.len()))
}

/// The length of what is neither a comment nor a string: a name, a character literal, or one
/// character.
fn token(code: &str) -> usize {
    let mut chars = code.chars();
    let first = chars.next().map_or(0, char::len_utf8);
    if let Some(inner) = code.strip_prefix('\'') {
        let c = inner.chars().next().map_or(0, char::len_utf8);
        if inner.starts_with('\\') {
            let end = inner[2..].find('\'').map_or(0, |end| end + 4);
            return end.max(1);
        }
        if inner[c..].starts_with('\'') {
            return c + 2;
        }
    }
    let name = code
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(code.len());
    // `r"`, `r#"` and `br"` begin a string; other names pass as a whole.
    match &code[..name] {
        "r" | "b" | "br" | "c" | "cr" => first,
        _ => name.max(first),
    }
}

/// A string without its line continuations.
fn unwrapped(string: &str) -> String {
    let mut words = String::new();
    let mut parts = string.split("\\\n");
    words.push_str(parts.next().unwrap_or_default());
    for part in parts {
        words.push_str(part.trim_start());
    }
    words.replace('\n', " ")
}
