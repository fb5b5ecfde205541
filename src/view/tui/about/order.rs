//! An open order: what it asks for, what is picked, and who worked on it.

use super::PageText;
use crate::view::table::time;
use crate::view::tui::data::Subject;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, name: &str) {
    let data = text.data;
    let Some(order) = data.orders.orders.iter().find(|order| order.name == name) else {
        text.line("The gateway does not have this order as open: it is done, cancelled, or of another site.");
        text.link(
            "search what was done for it",
            Subject::Search(name.to_owned()),
        );
        return;
    };
    text.value("kind", &order.kind);
    text.value("state", format!("{} in Odoo", order.state));
    text.value("due", order.scheduled.as_deref().unwrap_or("–"));
    text.value("partner", order.partner.as_deref().unwrap_or("–"));
    text.heading("Lines");
    for line in &order.lines {
        let code = line.product.as_deref().unwrap_or("no code");
        let place = |word: &str, place: &Option<String>| {
            place
                .as_ref()
                .map_or(String::new(), |place| format!(" {word} {place}"))
        };
        let (from, to) = (place("from", &line.from), place("to", &line.to));
        let what = format!(
            "{} of {} {} ({code}){from}{to}",
            line.picked, line.demand, line.name
        );
        let is_done = line.picked.as_f64() >= line.demand.as_f64();
        text.styled(what, if is_done { Role::Good } else { Role::Plain });
    }
    if order.cut {
        text.styled(
            "The order has more lines than the gateway reads",
            Role::Faint,
        );
    }
    text.heading("Who worked on it");
    if order.work.is_empty() {
        text.line("None of the newest documents of this gateway is for this order.");
    }
    for work in &order.work {
        let line = format!(
            "{}  {} picked {} ({} in document {})",
            time(work.at),
            work.who,
            work.quantity,
            work.state,
            work.document
        );
        text.link(line, Subject::Document(work.document));
    }
    text.link(
        "search all that was done for it",
        Subject::Search(name.to_owned()),
    );
}
