//! The configuration as a whole: what runs, what is pending, and how the last bundles ended.

use super::PageText;
use crate::view::headline::describe_config;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>) {
    let (data, words) = (text.data, text.data.words);
    let config = &data.status.config;
    let running = describe_config(config, |at| {
        words.fill("since {time}", &[("time", &data.time(at))])
    });
    text.value(
        "runs",
        running.as_deref().unwrap_or(words.t("not known yet")),
    );
    if let Some(name) = &config.name {
        text.value("bundle", name);
    }
    if let Some(expires) = config.expires {
        text.value("expires", data.time(expires));
    }
    text.heading(words.t("Pending"));
    match &config.pending {
        Some(pending) => {
            text.value("bundle", pending.serial.to_string());
            text.value_in("state", &pending.state, Role::Watch);
            text.value("since", data.time_and_age(pending.since));
            if let Some(until) = pending.until {
                text.value("until", data.time(until));
            }
            let reason = pending.reason.as_deref().filter(|it| !it.is_empty());
            text.value(
                "why",
                reason.unwrap_or(words.t("the gateway names no reason")),
            );
        }
        None => {
            text.line(
                words.t("No bundle is pending: what central IT sent runs, or has ended as below."),
            );
        }
    }
    text.heading(words.t("Last bundles, the newest first"));
    if data.history.history.is_empty() {
        text.line(words.t("The gateway has had no bundle."));
    }
    for entry in &data.history.history {
        let role = match entry.outcome.as_str() {
            "confirmed" | "superseded" => Role::Plain,
            _ => Role::Bad,
        };
        let (at, serial) = (data.time(entry.at), entry.serial.to_string());
        let values = [
            ("time", at.as_str()),
            ("serial", &serial),
            ("state", words.t(&entry.outcome)),
            ("who", &entry.by),
        ];
        let line = words.fill("{time}  bundle {serial} {state}, by {who}", &values);
        text.styled(line, role);
        if !entry.reason.is_empty() {
            text.line(format!("    {}", entry.reason));
        }
    }
}
