//! Checks that the JSON Schema cannot express: keys that depend on each other, and names that must
//! exist.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::feedback::PLACES;
use super::schema::{self, Fault, describe};
use super::{Connection, Message, On, Profile, Values};
use crate::config::{LotPattern, MISSING};

/// Size of a profile, at most: a longer file is not a profile.
const FILE_BYTES_MAX: usize = 256 << 10;

/// Parses a file. The error has every fault in it.
pub(super) fn parse(text: &str) -> Result<Profile, Vec<Fault>> {
    if text.len() > FILE_BYTES_MAX {
        let found = format!("{} bytes", text.len());
        return Err(vec![Fault::new(
            "",
            found,
            format!("a file of at most {FILE_BYTES_MAX} bytes"),
        )]);
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        vec![Fault::new(
            "",
            format!("an error in line {line}: {}", error.message()),
            "TOML",
        )]
    })?;
    let mut faults = schema::check(&table);
    check_file(&table, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let profile: Profile = Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| {
            vec![Fault::new("", error.message(), "what the schema says")]
        })?;
    check_profile(&profile, &mut faults);
    if faults.is_empty() {
        Ok(profile)
    } else {
        Err(faults)
    }
}

/// Checks the file as written, because such faults prevent a profile.
fn check_file(table: &Table, faults: &mut Vec<Fault>) {
    let section = |value: &'_ Value, key: &str| value.get(key).and_then(Value::as_table).cloned();
    if let Some(framing) = table
        .get("connection")
        .and_then(|connection| section(connection, "framing"))
    {
        let has = |key| framing.contains_key(key);
        let ends = usize::from(has("terminator"))
            + usize::from(has("stx") || has("etx"))
            + usize::from(has("silence_ms"));
        if has("stx") != has("etx") || ends != 1 {
            let found: Vec<_> = framing.keys().map(String::as_str).collect();
            let found = if found.is_empty() {
                MISSING.to_owned()
            } else {
                found.join(" and ")
            };
            faults.push(Fault::new(
                "connection.framing",
                found,
                "terminator, or stx with etx, or silence_ms",
            ));
        }
    }
    if let Some(feedback) = table.get("feedback") {
        for (name, messages) in feedback.as_table().into_iter().flatten() {
            for (at, message) in messages.as_array().into_iter().flatten().enumerate() {
                let has = |key| message.get(key).is_some();
                if !matches!(
                    (has("send"), has("topic"), has("template")),
                    (true, false, false) | (false, true, true)
                ) {
                    let key = format!("feedback.{name}[{at}]");
                    faults.push(Fault::new(
                        key,
                        "another set of keys",
                        "send alone, or topic with template",
                    ));
                }
            }
        }
    }
    let pattern = table.get("flow").and_then(|flow| flow.get("lot_pattern"));
    if let Some(pattern @ Value::String(text)) = pattern
        && LotPattern::of(text).is_none()
    {
        faults.push(Fault::new(
            "flow.lot_pattern",
            describe(pattern),
            LotPattern::ACCEPTED,
        ));
    }
    let flows = table
        .get("flow")
        .and_then(|flow| section(flow, "custom"))
        .unwrap_or_default();
    for (name, flow) in &flows {
        let transitions = flow.get("on").and_then(Value::as_array);
        for (at, transition) in transitions.into_iter().flatten().enumerate() {
            let Some(code @ Value::String(text)) = transition.get("code") else {
                continue;
            };
            // The schema has found other words.
            if text.starts_with("command:") && On::try_from(text.clone()).is_err() {
                let key = format!("flow.custom.{name}.on[{at}].code");
                faults.push(Fault::new(
                    key,
                    describe(code),
                    "command: with a command barcode such as OBTVALI or SR-UNDO behind it",
                ));
            }
        }
    }
}

/// Checks the parts of a profile against each other.
fn check_profile(profile: &Profile, faults: &mut Vec<Fault>) {
    let mqtt = matches!(profile.connection, Connection::Mqtt(_));
    let serial = matches!(profile.connection, Connection::Serial(_));
    for (name, messages) in [
        ("good", &profile.feedback.good),
        ("bad", &profile.feedback.bad),
    ] {
        for (at, message) in messages.iter().enumerate() {
            let key = format!("feedback.{name}[{at}]");
            match message {
                Message::Send { .. } if !serial => {
                    faults.push(Fault::new(
                        format!("{key}.send"),
                        "a host command",
                        "such a message for a serial connection only",
                    ));
                }
                Message::Publish { .. } if !mqtt => {
                    faults.push(Fault::new(
                        format!("{key}.topic"),
                        "a topic",
                        "such a message for an MQTT connection only",
                    ));
                }
                Message::Publish { template, .. } if !is_json(template) => {
                    let accepted = format!(
                        "JSON with the places {{{}}} in its texts, {{now_ms}} also as a number",
                        PLACES.join("}, {")
                    );
                    faults.push(Fault::new(
                        format!("{key}.template"),
                        "a text that is no JSON when its places are filled",
                        accepted,
                    ));
                }
                _ => {}
            }
        }
    }
    let mut prefixes = BTreeSet::new();
    for (at, means) in profile.code.means.iter().enumerate() {
        if !prefixes.insert(&means.prefix) {
            faults.push(Fault::new(
                format!("code.means[{at}].prefix"),
                format!("{} for the second time", means.prefix),
                "each prefix once",
            ));
        }
    }
    check_flows(profile, faults);
}

/// Whether a template is JSON after its values are filled in.
fn is_json(template: &str) -> bool {
    let values = Values {
        text: "a\nb",
        id: "0",
        now_ms: 0,
        device: "0",
    };
    serde_json::from_str::<serde_json::Value>(&values.fill(template)).is_ok()
}

fn check_flows(profile: &Profile, faults: &mut Vec<Fault>) {
    let custom = &profile.flow.custom;
    if let Some(start) = &profile.flow.start
        && !profile.flow.has(start)
    {
        faults.push(Fault::new(
            "flow.start",
            format!("the text {start}"),
            format!("one of {}", profile.flow.names()),
        ));
    }
    for (name, flow) in custom {
        let states: BTreeSet<_> = flow
            .on
            .iter()
            .map(|transition| transition.state.as_str())
            .collect();
        let accepted = || {
            let states: Vec<_> = states.iter().copied().collect();
            format!("a state that has transitions: {}", states.join(", "))
        };
        if !states.contains(flow.start.as_str()) {
            faults.push(Fault::new(
                format!("flow.custom.{name}.start"),
                format!("the text {}", flow.start),
                accepted(),
            ));
        }
        for (at, transition) in flow.on.iter().enumerate() {
            if let Some(next) = &transition.next
                && !states.contains(next.as_str())
            {
                faults.push(Fault::new(
                    format!("flow.custom.{name}.on[{at}].next"),
                    format!("the text {next}"),
                    accepted(),
                ));
            }
            let twice = |other: &&super::Transition| {
                other.state == transition.state && other.code == transition.code
            };
            if flow.on[..at].iter().any(|other| twice(&other)) {
                faults.push(Fault::new(
                    format!("flow.custom.{name}.on[{at}]"),
                    "the same state and code for the second time",
                    "one transition for each",
                ));
            }
        }
    }
}
