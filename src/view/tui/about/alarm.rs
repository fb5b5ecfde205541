//! An alarm: the whole text, its age, and what to do.

use super::PageText;
use crate::view::tui::data::Subject;
use crate::view::tui::panels::PARKED;
use crate::view::tui::parts::ago;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, code: &str) {
    let data = text.data;
    let Some(sentence) = data.status.alarms.get(code) else {
        text.styled("This alarm is over.", Role::Good);
        return;
    };
    // An alarm says what happened first, then what to do.
    let (what, todo) = match sentence.split_once(". ") {
        Some((what, todo)) => (format!("{what}."), Some(todo)),
        None => (sentence.clone(), None),
    };
    text.styled(what, Role::Bad);
    if let Some(todo) = todo {
        text.heading("What to do");
        text.line(todo);
    }
    text.heading("Since");
    match data.status.alarms_since.get(code) {
        Some(at) => text.line(format!("{at}, {}", ago(Some(*at), data.now))),
        None => text.line("unknown"),
    }
    if code == crate::reason::ReasonCode::MovedUnscanned.as_str() {
        text.link(
            "the parked documents with this reason",
            Subject::Panel(PARKED, code.to_owned()),
        );
    }
}
