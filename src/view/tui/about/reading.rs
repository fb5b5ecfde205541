//! A rejected reading: reason, origin, and the whole payload.

use super::PageText;
use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::table::grouped;
use crate::view::tui::data::Subject;
use crate::view::tui::parts::ago;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, number: RejectedNumber) {
    let data = text.data;
    match (data.rejected(number), &data.refusal) {
        (Some(rejected), _) => write_view(text, rejected),
        (None, Some(why)) => text.styled(why, Role::Bad),
        (None, None) => text.line("loading"),
    }
}

pub fn write_view(text: &mut PageText<'_>, rejected: &RejectedView) {
    let now = text.data.now;
    text.value_in("state", &rejected.state, Role::of_state(&rejected.state));
    text.value_in("reason", &rejected.code, Role::Bad);
    text.line(&rejected.message);
    if let Some(settled) = &rejected.settled {
        text.value(
            "settled",
            format!("{} by {}: {}", settled.at, settled.by, settled.note),
        );
    }
    if let Some(suggestion) = &rejected.suggestion {
        text.heading("Nearest valid form");
        text.line(&suggestion.text);
        if let Some(payload) = &suggestion.payload {
            text.line(payload);
        }
    }
    if rejected.state == "open" {
        text.heading("What you can do");
        text.line("r  send it again: choose this after you have fixed the cause");
        let begin = match rejected.suggestion.as_ref().map(|it| it.payload.is_some()) {
            Some(true) => ", beginning with the nearest valid form",
            _ => "",
        };
        text.line(format!(
            "e  correct it{begin}: choose this if you know what the device should have sent"
        ));
        text.line("d  dismiss it: choose this if nothing was moved");
        text.line("");
    }
    let received = rejected.received;
    text.value(
        "received",
        format!("{received}, {}", ago(Some(received), now)),
    );
    text.value(
        "from",
        format!("{} through {}", rejected.device, rejected.source),
    );
    if let Some(id) = &rejected.id {
        text.value("id", id);
    }
    text.link(
        format!("device {}", rejected.device),
        Subject::Device(rejected.device.clone()),
    );
    text.heading(format!("Payload, {} bytes", grouped(rejected.bytes)));
    text.line(&rejected.payload);
    if !rejected.whole {
        text.styled("The payload may be longer than shown here", Role::Faint);
    }
}
