//! An alarm: the whole text, its age, what to do, and the technical cause.

use super::PageText;
use crate::view::tui::data::Subject;
use crate::view::tui::panels::{LINK, PARKED, raised};
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, code: &str) {
    let (data, words) = (text.data, text.data.words);
    let raised = raised(data).into_iter().find(|raised| raised.code == code);
    let Some(raised) = raised else {
        text.styled(words.t("This alarm is over."), Role::Good);
        return;
    };
    text.styled(format!("{}.", raised.problem), Role::Bad);
    if !raised.what.is_empty() {
        text.heading(words.t("What to do"));
        text.line(&raised.what);
    }
    text.heading(words.t("Since"));
    match raised.since {
        Some(at) => text.line(data.time_and_age(at)),
        None => text.line(words.t("unknown")),
    }
    if code == LINK
        && let Some(detail) = &data.status.odoo.detail
    {
        text.heading(words.t("Technical details"));
        text.line(detail);
    }
    if code == crate::reason::ReasonCode::MovedUnscanned.as_str() {
        text.link(
            words.t("the parked documents with this reason"),
            Subject::Panel(PARKED, code.to_owned()),
        );
    }
}
