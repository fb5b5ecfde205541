//! Repairs what scripts that write JSON by hand do wrong.

/// Limit of the brackets that a repair adds.
const BRACKETS_MAX: usize = 4;

/// Repairs a text until it is a JSON object or an array. Returns it with what was changed. `None`:
/// it still is none, or it was one before.
pub(super) fn repair(text: &str) -> Option<(String, Vec<String>)> {
    if is_json(text) {
        return None;
    }
    let mut texts = Vec::new();
    let mut repaired = text.trim().to_owned();
    if repaired.contains(['\u{201c}', '\u{201d}', '\u{201e}']) {
        repaired = repaired.replace(['\u{201c}', '\u{201d}', '\u{201e}'], "\"");
        texts.push("straight double quotes (\") in place of curly ones".to_owned());
    }
    if !repaired.contains('"') && repaired.contains('\'') {
        repaired = repaired.replace('\'', "\"");
        texts.push("double quotes in place of single ones".to_owned());
    }
    let (without_commas, commas, open) = walk(&repaired)?;
    if commas > 0 {
        texts.push("no comma before a closing bracket".to_owned());
    }
    repaired = without_commas;
    if !open.is_empty() {
        let missing: String = open.into_iter().rev().collect();
        repaired.push_str(&missing);
        texts.push(format!("{missing} at the end"));
    }
    (!texts.is_empty() && is_json(&repaired)).then_some((repaired, texts))
}

fn is_json(text: &str) -> bool {
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.is_ok_and(|value| value.is_object() || value.is_array())
}

/// Removes each comma before a closing bracket or the end. Returns the text, the number of removed
/// commas, and the closing brackets that are missing, the outermost first. `None`: the text ends
/// within a string, or its brackets do not match.
fn walk(text: &str) -> Option<(String, usize, Vec<char>)> {
    let mut out = String::with_capacity(text.len());
    let (mut open, mut commas) = (Vec::new(), 0);
    let (mut is_string, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        if is_string {
            out.push(c);
            (is_string, is_escaped) = match c {
                _ if is_escaped => (true, false),
                '\\' => (true, true),
                c => (c != '"', false),
            };
            continue;
        }
        match c {
            '"' => is_string = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' if open.pop() != Some(c) => return None,
            ',' if matches!(
                text[at + 1..].trim_start().chars().next(),
                None | Some('}' | ']')
            ) =>
            {
                commas += 1;
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    (!is_string && open.len() <= BRACKETS_MAX).then_some((out, commas, open))
}
