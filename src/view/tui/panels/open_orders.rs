//! The panel of Odoo's open orders, and who has worked on each.

use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::view::records::OrderView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{count_cell, no_reason};

pub static ORDERS: Spec = Spec {
    name: "Orders",
    columns: &[
        Column::filling("ORDER", 0),
        Column::new("KIND", 8, 4),
        Column::new("DUE", 19, 2),
        Column::number("LINES", 5, 3),
        Column::number("PICKED", 13, 1),
        Column::filling("WHO", 1),
        Column::filling("PARTNER", 5),
    ],
    rows: |data, _| data.orders.orders.iter().map(|it| row(it, data)).collect(),
    total: |data| Some(data.orders.total),
    need: |_, _| Some(Need::Orders),
    empty: "Odoo has no open order for this site, or the gateway has not read them yet",
    wraps: false,
    follows: true,
    reason: no_reason,
};

fn row(order: &OrderView, data: &Data) -> ListRow {
    let sum = |of: fn(&crate::view::records::OrderLineView) -> &Value| -> f64 {
        order
            .lines
            .iter()
            .filter_map(|line| of(line).as_f64())
            .sum()
    };
    let (picked, demand) = (sum(|line| &line.picked), sum(|line| &line.demand));
    #[allow(clippy::cast_possible_truncation)]
    let share = if demand > 0.0 {
        (picked / demand * 1_000.0) as i64
    } else {
        0
    };
    let (picked, demand) = (picked.to_string(), demand.to_string());
    let values = [("picked", picked.as_str()), ("demand", &demand)];
    let of_demand = data.words.fill("{picked} of {demand}", &values);
    ListRow::new(
        Subject::Order(order.name.clone()),
        vec![
            plain(&order.name).into(),
            data.words.word(&order.kind).into(),
            plain(&due(order, data)).into(),
            count_cell(order.lines.len() as u64, data.words),
            Cell::new(of_demand).order(share),
            plain(&who(order)).into(),
            plain(order.partner.as_deref().unwrap_or_default()).into(),
        ],
    )
}

/// When an order is due, in the time zone of the site. Odoo's times are UTC.
#[must_use]
pub fn due(order: &OrderView, data: &Data) -> String {
    let Some(text) = order.scheduled.as_deref() else {
        return "–".to_owned();
    };
    let at = civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text);
    let at = at.and_then(|at| at.to_zoned(TimeZone::UTC));
    at.map_or_else(|_| text.to_owned(), |at| data.time(at.timestamp()))
}

/// The devices and operators that worked on an order, each once, the last first.
fn who(order: &OrderView) -> String {
    let mut names: Vec<&str> = Vec::new();
    for work in &order.work {
        if !names.contains(&work.who.as_str()) {
            names.push(&work.who);
        }
    }
    names.join(", ")
}
