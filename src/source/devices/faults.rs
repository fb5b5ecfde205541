//! Every fault of a list of devices at once, for the check of a bundle.
//!
//! **In**: the file. **Out**: a text for each fault with file and line. `read` decides whether
//! the list has one; it stops at the first. No value is shown: it may be a hash.

use std::path::Path;

use toml::{Table, Value};

use super::{DevicesError, parse, read_text};

const KEYS: [&str; 7] = [
    "password", "enabled", "language", "tasks", "profile", "flow", "family",
];

/// Finds all faults of the list. Empty: it has none.
#[must_use]
pub fn find_faults(file: &Path) -> Vec<String> {
    let text = match read_text(file) {
        Ok(text) => text,
        Err(error) => return vec![error.to_string()],
    };
    let Err(first) = parse(&text, file) else {
        return Vec::new();
    };
    let first = first.to_string();
    // A list that is no TOML, or has a device twice, has this one fault.
    let Ok(table) = text.parse::<Table>() else {
        return vec![first];
    };
    let mut faults = Vec::new();
    for key in table.keys().filter(|key| *key != "devices") {
        let line = find_key(&text, 1, key);
        faults.push(unknown(file, line, key, "[devices.NAME]"));
    }
    let devices = table.get("devices").and_then(Value::as_table);
    for (name, written) in devices.into_iter().flatten() {
        let line = super::find_line_in(&text, name).unwrap_or(1);
        find_in_device(file, &text, (name, line, written), &mut faults);
    }
    if faults.is_empty() {
        faults.push(first);
    }
    faults
}

fn find_in_device(
    file: &Path,
    text: &str,
    (name, line, written): (&str, usize, &Value),
    faults: &mut Vec<String>,
) {
    let Some(written) = written.as_table() else {
        let found = "a single value; accepted is a section [devices.NAME]";
        faults.push(format!(
            "{}:{line}: devices.{name}: found {found}",
            file.display()
        ));
        return;
    };
    let (known, foreign): (Vec<_>, Vec<_>) = (written.iter())
        .filter(|(key, _)| *key != "flow" && *key != "profile")
        .partition(|(key, _)| KEYS.contains(&key.as_str()));
    for (key, _) in foreign {
        let line = find_key(text, line, key);
        let key = format!("devices.{name}.{key}");
        faults.push(unknown(file, line, &key, &KEYS.join(", ")));
    }
    let mut check = |key: &str, own: Table| {
        let line = find_key(text, line, key);
        faults.extend(check_alone(file, name, (key, line), own));
    };
    for (key, value) in known {
        check(key, [(key.clone(), value.clone())].into_iter().collect());
    }
    // The flow is one of the profile.
    let both = ["profile", "flow"].map(|key| Some((key.to_owned(), written.get(key)?.clone())));
    let own: Table = both.into_iter().flatten().collect();
    if let Some(key) = own.keys().next_back().cloned() {
        check(&key, own);
    } else if written.is_empty() {
        check("", own);
    }
}

/// Checks a list that has only these keys of one device.
fn check_alone(file: &Path, name: &str, (key, line): (&str, usize), own: Table) -> Option<String> {
    let devices: Table = [(name.to_owned(), Value::Table(own))].into_iter().collect();
    let list: Table = [("devices".to_owned(), Value::Table(devices))]
        .into_iter()
        .collect();
    let shown = file.display();
    match parse(&list.to_string(), file).err()? {
        DevicesError::Invalid { reason, .. } if reason.starts_with("line ") => {
            // A name that is no name, or a value of another kind.
            let what = reason.split_once(": ").map_or("", |(_, what)| what);
            let what = if what.starts_with("name ") {
                what
            } else {
                "found another kind of value"
            };
            Some(format!("{shown}:{line}: devices.{name}.{key}: {what}"))
        }
        DevicesError::Invalid { reason, .. } => Some(format!("{shown}:{line}: {reason}")),
        other => Some(other.to_string()),
    }
}

fn unknown(file: &Path, line: usize, key: &str, accepted: &str) -> String {
    let shown = file.display();
    format!("{shown}:{line}: {key}: found an unknown key; accepted is {accepted}")
}

/// Finds the line of a key at or after the line of its section. Without it, the section's line.
fn find_key(text: &str, section: usize, key: &str) -> usize {
    let lines = text.lines().enumerate().skip(section - 1);
    let mut own = lines.filter(|(_, line)| {
        let rest = line.trim_start().trim_start_matches('[').strip_prefix(key);
        !key.is_empty() && rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']))
    });
    own.next().map_or(section, |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_list_has_its_line_and_no_value() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("devices.toml");
        let text = "\
[devices.pda-1]
famly = \"esp32\"
password = \"$argon2id$broken\"
language = \"xx\"
[devices.pda-2]
enabled = \"yes\"
profile = \"nowhere\"
[devices.pda-3]
flow = \"nothing\"
[devices.good]
enabled = false
[device.typo]
";
        std::fs::write(&file, text).unwrap();
        let faults = find_faults(&file);
        let shown = file.display();
        let wanted = [
            (
                12,
                "device: found an unknown key; accepted is [devices.NAME]",
            ),
            (
                2,
                "devices.pda-1.famly: found an unknown key; accepted is password, ",
            ),
            (4, "devices.pda-1.language is none of en"),
            (3, "devices.pda-1.password is hashed with neither"),
            (6, "devices.pda-2.enabled: found another kind of value"),
            (
                7,
                "devices.pda-2.profile: found \"nowhere\", which is no shipped profile",
            ),
            (9, "devices.pda-3.flow is none of "),
        ];
        assert_eq!(faults.len(), wanted.len(), "{faults:#?}");
        for (fault, (line, start)) in faults.iter().zip(wanted) {
            assert!(
                fault.starts_with(&format!("{shown}:{line}: {start}")),
                "{fault}"
            );
            assert!(!fault.contains("broken"), "{fault}");
        }
        std::fs::write(&file, "[devices.pda-1]\n").unwrap();
        assert_eq!(find_faults(&file), [""; 0]);
        std::fs::write(&file, "[devices.pda-1\n").unwrap();
        assert_eq!(find_faults(&file).len(), 1);
    }
}
