//! Odoo's questions to a person before it posts.

use serde_json::{Value, json};

use super::picked_of;
use crate::demo::odoo::params::Params;
use crate::demo::odoo::picking::PICKING;
use crate::demo::odoo::picking::{KIND, LINE, MOVE};
use crate::demo::odoo::store::{Store, flag_of, id_of, moment, number_of, text_of};

/// The first question that Odoo would ask a person, unless the context says that it is answered.
pub fn wizards(store: &Store, params: &Params, open: &[i64]) -> Option<Value> {
    let short: Vec<i64> = open
        .iter()
        .copied()
        .filter(|id| is_short(store, *id))
        .collect();
    if !params.context_flag("skip_backorder") && !short.is_empty() {
        return Some(wizard(
            params,
            "Create Backorder?",
            "stock.backorder.confirmation",
            &short,
        ));
    }
    if !params.context_flag("skip_sms") && open.iter().any(|id| asks_for_text(store, *id)) {
        return Some(wizard(params, "SMS", "confirm.stock.sms", open));
    }
    if !params.context_flag("skip_expired") && open.iter().any(|id| is_expired(store, *id)) {
        return Some(wizard(
            params,
            "Confirmation",
            "expiry.picking.confirmation",
            open,
        ));
    }
    None
}

fn wizard(params: &Params, name: &str, model: &str, pickings: &[i64]) -> Value {
    let mut context = params.get("context").cloned().unwrap_or_else(|| json!({}));
    context["button_validate_picking_ids"] = json!(pickings);
    json!({
        "name": name, "type": "ir.actions.act_window", "view_mode": "form", "res_model": model,
        "views": [[1, "form"]], "view_id": 1, "target": "new", "context": context,
    })
}

/// Less was picked than ordered, and the operation type asks about a backorder.
fn is_short(store: &Store, picking: i64) -> bool {
    let kind = store.row(PICKING, picking).map_or("", |row| {
        store.through(row, "picking_type_id", KIND, "create_backorder")
    });
    kind == "ask"
        && store
            .of(MOVE, "picking_id", picking)
            .filter(|(_, m)| !matches!(text_of(m, "state"), "done" | "cancel"))
            .any(|(id, m)| number_of(m, "product_uom_qty") > picked_of(store, id))
}

/// The company confirms deliveries by text message, and the recipient has a telephone.
fn asks_for_text(store: &Store, picking: i64) -> bool {
    let mut companies = store.table("res.company");
    let confirms = companies.any(|(_, row)| flag_of(row, "stock_text_confirmation"));
    store.row(PICKING, picking).is_some_and(|row| {
        confirms
            && store.through(row, "picking_type_id", KIND, "code") == "outgoing"
            && !store
                .through(row, "partner_id", "res.partner", "phone")
                .is_empty()
    })
}

/// Goods past their date, whether the line names the date or its lot does.
fn is_expired(store: &Store, picking: i64) -> bool {
    let now = moment();
    store.of(LINE, "picking_id", picking).any(|(_, line)| {
        let dated = store
            .row("product.product", id_of(line, "product_id"))
            .is_some_and(|product| flag_of(product, "use_expiration_date"));
        let own = text_of(line, "expiration_date");
        let lot = store.through(line, "lot_id", "stock.lot", "expiration_date");
        let date = if lot.is_empty() { own } else { lot };
        dated && !date.is_empty() && date < now.as_str()
    })
}
