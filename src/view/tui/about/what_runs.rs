//! The configuration as a whole: what runs, what is pending, and how the last bundles ended.

use super::PageText;
use crate::view::headline::describe_config;
use crate::view::table::time;
use crate::view::tui::parts::ago;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>) {
    let data = text.data;
    let config = &data.status.config;
    let running = describe_config(config, |at| format!("since {}", time(at)));
    text.value("runs", running.as_deref().unwrap_or("not known yet"));
    if let Some(name) = &config.name {
        text.value("bundle", name);
    }
    if let Some(expires) = config.expires {
        text.value("expires", time(expires));
    }
    text.heading("Pending");
    match &config.pending {
        Some(pending) => {
            let since = format!(
                "{}, {}",
                time(pending.since),
                ago(Some(pending.since), data.now)
            );
            text.value("bundle", pending.serial.to_string());
            text.value_in("state", &pending.state, Role::Watch);
            text.value("since", since);
            if let Some(until) = pending.until {
                text.value("until", time(until));
            }
            let reason = pending.reason.as_deref().filter(|it| !it.is_empty());
            text.value("why", reason.unwrap_or("the gateway names no reason"));
        }
        None => {
            text.line("No bundle is pending: what central IT sent runs, or has ended as below.");
        }
    }
    text.heading("Last bundles, the newest first");
    if data.history.history.is_empty() {
        text.line("The gateway has had no bundle.");
    }
    for entry in &data.history.history {
        let role = match entry.outcome.as_str() {
            "confirmed" | "superseded" => Role::Plain,
            _ => Role::Bad,
        };
        text.styled(
            format!(
                "{}  bundle {} {}, by {}",
                time(entry.at),
                entry.serial,
                entry.outcome,
                entry.by
            ),
            role,
        );
        if !entry.reason.is_empty() {
            text.line(format!("    {}", entry.reason));
        }
    }
}
