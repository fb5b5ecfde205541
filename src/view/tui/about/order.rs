//! An open order: what it asks for, what is picked, and who worked on it.

use super::PageText;
use crate::view::tui::data::Subject;
use crate::view::tui::panels::due;
use crate::view::tui::texts::name_state;
use crate::view::tui::theme::Role;

pub fn write(text: &mut PageText<'_>, name: &str) {
    let (data, words) = (text.data, text.data.words);
    let Some(order) = data.orders.orders.iter().find(|order| order.name == name) else {
        text.line(words.t("The gateway does not have this order as open: it is done, cancelled, or of another site."));
        text.link(
            words.t("search all that was done for it"),
            Subject::Search(name.to_owned()),
        );
        return;
    };
    text.value("kind", words.word(&order.kind));
    text.value("state", words.word(&order.state));
    text.value("due", due(order, data));
    text.value("partner", order.partner.as_deref().unwrap_or("–"));
    text.heading(words.t("Lines"));
    for line in &order.lines {
        let code = line.product.as_deref().unwrap_or(words.t("no code"));
        let (picked, demand) = (line.picked.to_string(), line.demand.to_string());
        let values = [("picked", picked.as_str()), ("demand", &demand)];
        let mut what = words.fill("{picked} of {demand}", &values);
        what = format!("{what} {} ({code})", line.name);
        for (word, place) in [("from", &line.from), ("to", &line.to)] {
            if let Some(place) = place {
                what = format!("{what} {} {place}", words.t(word));
            }
        }
        let is_done = line.picked.as_f64() >= line.demand.as_f64();
        text.styled(what, if is_done { Role::Good } else { Role::Plain });
    }
    if order.cut {
        text.styled(
            words.t("The order has more lines than the gateway reads"),
            Role::Faint,
        );
    }
    text.heading(words.t("Who worked on it"));
    if order.work.is_empty() {
        text.line(words.t("None of the newest documents of this gateway is for this order."));
    }
    for work in &order.work {
        let (quantity, document) = (work.quantity.to_string(), work.document.to_string());
        let state = words.word(name_state(&work.state));
        let values = [
            ("who", work.who.as_str()),
            ("quantity", &quantity),
            ("state", &state),
            ("number", &document),
        ];
        let line = "{who} picked {quantity} ({state} in document {number})";
        let line = format!("{}  {}", data.time(work.at), words.fill(line, &values));
        text.link(line, Subject::Document(work.document));
    }
    text.link(
        words.t("search all that was done for it"),
        Subject::Search(name.to_owned()),
    );
}
