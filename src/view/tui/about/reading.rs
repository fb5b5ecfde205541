//! A rejected reading: reason, origin, and the whole payload.

use super::PageText;
use crate::decode::Suggestion;
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::tui::data::Subject;
use crate::view::tui::texts::name_state;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, number: RejectedNumber) {
    let data = text.data;
    match data.rejected(number) {
        Some(rejected) => write_view(text, rejected),
        None => text.refusal_or_loading(),
    }
}

pub fn write_view(text: &mut PageText<'_>, rejected: &RejectedView) {
    let (data, words) = (text.data, text.data.words);
    let state = words.word(name_state(&rejected.state));
    text.value_in("state", state, Role::of_state(&rejected.state));
    text.value_in("reason", &rejected.code, Role::Bad);
    text.line(&rejected.message);
    if let Some(settled) = &rejected.settled {
        let (at, by) = (data.time(settled.at), settled.by.as_str());
        let by = by.strip_prefix("user:").unwrap_or(by);
        let values = [("time", at.as_str()), ("who", by), ("why", &settled.note)];
        text.value("settled", words.fill("{time} by {who}: {why}", &values));
    }
    if let Some(suggestion) = &rejected.suggestion {
        text.heading(words.t("Nearest valid form"));
        text.line(&suggestion.text);
        if let Some(payload) = &suggestion.payload {
            text.line(payload);
        }
    }
    if rejected.state == "open" {
        text.heading(words.t("What you can do"));
        let has_form = |form: &Suggestion| form.payload.is_some();
        let correct = if rejected.suggestion.as_ref().is_some_and(has_form) {
            "correct it, beginning with the nearest valid form: choose this if you know what the device should have sent"
        } else {
            "correct it: choose this if you know what the device should have sent"
        };
        for (key, choice) in [
            (
                "r",
                "send it again: choose this after you have fixed the cause",
            ),
            ("e", correct),
            ("d", "dismiss it: choose this if nothing was moved"),
        ] {
            text.line(format!("{key}  {}", words.t(choice)));
        }
        text.line("");
    }
    text.value("received", data.time_and_age(rejected.received));
    let values = [
        ("device", rejected.device.as_str()),
        ("source", &rejected.source),
    ];
    text.value("from", words.fill("{device} through {source}", &values));
    if let Some(id) = &rejected.id {
        text.value("id", id);
    }
    text.link(
        words.fill("device {name}", &[("name", &rejected.device)]),
        Subject::Device(rejected.device.clone()),
    );
    let bytes = words.number(rejected.bytes);
    text.heading(words.fill("Payload, {n} bytes", &[("n", &bytes)]));
    text.line(&rejected.payload);
    if !rejected.whole {
        let cut = words.t("The payload may be longer than shown here");
        text.styled(cut, Role::Faint);
    }
}
