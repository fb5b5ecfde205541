//! `button_validate`: asks a question, refuses, or posts all pickings and moves the stock.

mod wizards;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::wizards::wizards;
use super::chain;
use super::goods::move_stock;
use super::orders;
use super::params::Params;
use super::picking::{self, KIND, LINE, MOVE, PICKING};
use super::refusal::Refusal;
use super::store::{Row, Store, flag_of, id_of, moment, number_of, round, row, text_of};
use super::version::Version;
use super::{Caller, computed};

pub fn validate(store: &mut Store, caller: Caller, params: &Params) -> Result<Value, Refusal> {
    let mut open = Vec::new();
    let ids = params.ids();
    for id in &ids {
        if text_of(store.existing(PICKING, *id)?, "state") != "done" {
            open.push(*id);
        }
    }
    // 17 also processes done pickings, and finds nothing to move.
    if let (Version::V17, [_], []) = (store.version, &ids[..], &open[..]) {
        return Err(Refusal::User(
            "You cannot validate a transfer if no quantities are reserved. To force the transfer, encode quantities."
                .to_owned(),
        ));
    }
    for id in &open {
        fill_draft(store, *id);
    }
    sanity(store, &open)?;
    for id in &open {
        pick_all_if_none(store, *id);
    }
    if let Some(wizard) = wizards(store, params, &open) {
        return Ok(wizard);
    }
    let drop: Vec<i64> = params
        .context("picking_ids_not_to_backorder")
        .and_then(Value::as_array)
        .map_or(Vec::new(), |ids| {
            ids.iter().filter_map(Value::as_i64).collect()
        });
    for id in &open {
        post(store, caller, *id, drop.contains(id))?;
    }
    if store.version == Version::V17 {
        // It sets the date of done pickings again.
        for id in ids.iter().filter(|id| !open.contains(id)) {
            store.set(PICKING, *id, "date_done", json!(moment()));
        }
    }
    Ok(json!(true))
}

/// A draft without quantities is posted in full.
fn fill_draft(store: &mut Store, picking: i64) {
    let draft = store
        .row(PICKING, picking)
        .is_some_and(|row| text_of(row, "state") == "draft");
    let moves = store.many(PICKING, picking, "move_ids");
    if !draft || moves.iter().any(|id| computed::quantity(store, *id) > 0.0) {
        return;
    }
    for id in moves {
        let wanted = store
            .row(MOVE, id)
            .map_or(0.0, |m| number_of(m, "product_uom_qty"));
        if wanted > 0.0 {
            picking::add_line(
                store,
                row(json!({"move_id": id, "quantity": wanted, "picked": false})),
            );
        }
    }
}

/// Without picked lines, Odoo treats all reserved lines as picked.
fn pick_all_if_none(store: &mut Store, picking: i64) {
    if !picking::has_pick(store, picking) {
        for line in store.many(PICKING, picking, "move_line_ids") {
            store.set(LINE, line, "picked", json!(true));
        }
    }
}

fn picked_of(store: &Store, of: i64) -> f64 {
    let lines = store
        .of(LINE, "move_id", of)
        .filter(|(_, line)| flag_of(line, "picked"));
    round(lines.map(|(_, line)| store.in_own_unit(line)).sum())
}

fn and(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, [one])) => format!("{one} and {last}"),
        Some((last, rest)) => format!("{}, and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Lists the lines to post: the picked ones, or all lines if none is picked.
fn lines_to_post(store: &Store, picking: i64) -> Vec<&Row> {
    let picked = picking::picked_lines(store, picking);
    if picked.is_empty() {
        store
            .of(LINE, "picking_id", picking)
            .map(|(_, line)| line)
            .collect()
    } else {
        picked
    }
}

/// Odoo's checks before any question: empty pickings, and lots. One message for the whole call.
fn sanity(store: &Store, open: &[i64]) -> Result<(), Refusal> {
    let name = |id: &i64| store.display_name(PICKING, *id);
    let empty: Vec<&i64> = open
        .iter()
        .filter(|id| store.many(PICKING, **id, "move_ids").is_empty())
        .collect();
    let (mut without_lot, mut products) = (Vec::new(), BTreeSet::new());
    let wants_lots = |id: &i64| {
        let kind = store.row(PICKING, *id);
        let kind = kind.and_then(|row| store.row(KIND, id_of(row, "picking_type_id")));
        kind.is_some_and(|kind| {
            flag_of(kind, "use_create_lots") || flag_of(kind, "use_existing_lots")
        })
    };
    for id in open.iter().filter(|id| wants_lots(id)) {
        let missing = lines_to_post(store, *id).into_iter().filter(|line| {
            store.through(line, "product_id", "product.product", "tracking") != "none"
                && id_of(line, "lot_id") == 0
                && text_of(line, "lot_name").is_empty()
        });
        let missing: Vec<i64> = missing.map(|line| id_of(line, "product_id")).collect();
        if !missing.is_empty() {
            without_lot.push(name(id));
            products.extend(missing);
        }
    }
    let products = and(products
        .iter()
        .map(|id| store.display_name("product.product", *id)));
    let lot = format!("You need to supply a Lot/Serial number for products {products}.");
    if let [one] = open {
        let has_pick = picking::has_pick(store, *one);
        let live = store.of(LINE, "picking_id", *one).filter(|(_, line)| {
            let of = id_of(line, "move_id");
            store.through(line, "move_id", MOVE, "state") != "cancel"
                && (!has_pick || computed::is_picked(store, of))
        });
        let moved: f64 = live.map(|(_, line)| number_of(line, "quantity")).sum();
        return match () {
            () if !empty.is_empty() => Err(Refusal::User(
                "You can’t validate an empty transfer. Please add some products to move before proceeding."
                    .to_owned(),
            )),
            () if moved == 0.0 => Err(Refusal::User(
                "Transfer trouble alert! Validating a zero quantity transfer? You're not moving invisible \
                 goods around are you?\nSet some quantities and let's get moving!"
                    .to_owned(),
            )),
            () if !without_lot.is_empty() => Err(Refusal::User(lot)),
            () => Ok(()),
        };
    }
    let mut parts = Vec::new();
    if !empty.is_empty() {
        let names = and(empty.into_iter().map(name));
        parts.push(format!("Transfers {names}: Please add some items to move."));
    }
    if !without_lot.is_empty() {
        parts.push(format!("Transfers {}: {lot}", and(without_lot)));
    }
    if parts.is_empty() {
        Ok(())
    } else {
        Err(Refusal::User(parts.join("\n\n")))
    }
}

/// Posts the picked lines. The rest of a picked move and moves without a picked line go to a
/// backorder, or are cancelled.
fn post(store: &mut Store, caller: Caller, picking: i64, drop_rest: bool) -> Result<(), Refusal> {
    let header = store.existing(PICKING, picking)?.clone();
    if text_of(&header, "state") == "cancel" {
        return Ok(());
    }
    // A return asks no question; otherwise the operation type decides.
    let drop_rest = match store.through(&header, "picking_type_id", KIND, "create_backorder") {
        "never" if id_of(&header, "return_id") == 0 => true,
        "always" if id_of(&header, "return_id") == 0 => false,
        _ => drop_rest,
    };
    // The weight is calculated again from packages.
    store.set(PICKING, picking, "shipping_weight", json!(0.0));
    let (mut rest, mut posted) = (Vec::new(), Vec::new());
    for id in store.many(PICKING, picking, "move_ids") {
        let Some(m) = store.row(MOVE, id).cloned() else {
            continue;
        };
        if matches!(text_of(&m, "state"), "done" | "cancel") {
            continue;
        }
        let wanted = number_of(&m, "product_uom_qty");
        let done = picked_of(store, id);
        if done == 0.0 {
            if wanted == 0.0 || drop_rest {
                remove_lines(store, id, |_| true);
                store.set(MOVE, id, "state", json!("cancel"));
            } else {
                rest.push(id);
            }
            continue;
        }
        remove_lines(store, id, |line| {
            !flag_of(line, "picked") || number_of(line, "quantity") == 0.0
        });
        if done < wanted && !drop_rest {
            rest.push(split(store, &m, round(wanted - done)));
            store.set(MOVE, id, "product_uom_qty", json!(done));
        }
        if done > wanted && store.version == Version::V17 {
            // `_create_extra_move`.
            store.set(MOVE, id, "product_uom_qty", json!(done));
        }
        posted.push((id, m));
    }
    for (id, m) in &posted {
        permit(store, caller, &header, m)?;
        for line in store.many(MOVE, *id, "move_line_ids") {
            resolve_lot(store, &header, line)?;
            move_stock(store, line, 1.0)?;
        }
        store.set(MOVE, *id, "state", json!("done"));
    }
    packages_are_in_one_place(store, &posted)?;
    if !rest.is_empty() {
        may_send_messages(store)?;
        backorder(store, picking, &header, &rest);
    }
    let moves: Vec<i64> = posted.iter().map(|(id, _)| *id).collect();
    store.set(PICKING, picking, "state", json!("done"));
    let now = json!(moment());
    picking::date_parts(store, picking, &now);
    picking::write(store, PICKING, picking, row(json!({"date_done": now})));
    orders::next_step(store, picking, &moves);
    Ok(())
}

fn remove_lines(store: &mut Store, of: i64, which: impl Fn(&Row) -> bool) {
    let lines = store
        .of(LINE, "move_id", of)
        .filter(|(_, line)| which(line));
    for id in lines.map(|(id, _)| id).collect::<Vec<_>>() {
        store.remove(LINE, id);
    }
}

/// `action_split_transfer`: what has a quantity stays, the rest becomes a backorder.
pub fn split_transfer(store: &mut Store, picking: i64) -> Result<(), Refusal> {
    let header = store.existing(PICKING, picking)?.clone();
    let moves = store.many(PICKING, picking, "move_ids");
    let held = |store: &Store, id: i64| {
        let wanted = store
            .row(MOVE, id)
            .map(|of| number_of(of, "product_uom_qty"));
        (computed::quantity(store, id), wanted.unwrap_or_default())
    };
    let all = |is: fn(f64, f64) -> bool| {
        let mut each = moves.iter().map(|id| held(store, *id));
        each.all(|(there, wanted)| is(there, wanted))
    };
    let name = text_of(&header, "name");
    if all(|there, _| there == 0.0) {
        return Err(Refusal::User(format!(
            "{name}: Nothing to split. Fill the quantities you want in a new transfer in the done quantities"
        )));
    }
    if all(|there, wanted| round(there - wanted) == 0.0) {
        return Err(Refusal::User(format!(
            "{name}: Nothing to split, all demand is done. For split you need at least one line not fully fulfilled"
        )));
    }
    if !all(|there, wanted| there <= wanted) {
        return Err(Refusal::User(format!(
            "{name}: Can't split: quantities done can't be above demand"
        )));
    }
    let mut rest = Vec::new();
    for id in moves {
        let (there, wanted) = held(store, id);
        let of = store.row(MOVE, id).cloned().unwrap_or_default();
        if matches!(text_of(&of, "state"), "done" | "cancel") {
            continue;
        }
        if there == 0.0 {
            rest.push(id);
        } else if there < wanted {
            rest.push(split(store, &of, round(wanted - there)));
            store.set(MOVE, id, "product_uom_qty", json!(there));
        }
    }
    if !rest.is_empty() {
        backorder(store, picking, &header, &rest);
    }
    picking::refresh(store, picking);
    Ok(())
}

fn split(store: &mut Store, m: &Row, quantity: f64) -> i64 {
    let mut values = m.clone();
    values.insert("product_uom_qty".into(), json!(quantity));
    let rest = picking::add_move(store, values, "confirmed");
    chain::split(store, id_of(m, "id"), rest);
    rest
}

/// Before 19 Odoo sends a message about a backorder, and the sender needs an address.
fn may_send_messages(store: &Store) -> Result<(), Refusal> {
    let user = store.row("res.users", store.user);
    let has_address = user.is_some_and(|user| !text_of(user, "email").is_empty());
    if store.version >= Version::V19 || has_address {
        return Ok(());
    }
    Err(Refusal::User(
        "Unable to send message, please configure the sender's email address.".to_owned(),
    ))
}

/// Moves without a picked line keep their ids and reservations; the rest of the other moves is
/// reserved again.
fn backorder(store: &mut Store, picking: i64, header: &Row, rest: &[i64]) {
    let mut values = header.clone();
    values.insert("backorder_id".into(), json!(picking));
    values.insert("date_done".into(), json!(false));
    let next = picking::create(store, values);
    for id in rest {
        store.set(MOVE, *id, "picking_id", json!(next));
        store.set(MOVE, *id, "picked", json!(false));
        for line in store.many(MOVE, *id, "move_line_ids") {
            store.set(LINE, line, "picking_id", json!(next));
        }
    }
    picking::confirm(store, next);
    if picking::reserves(store, next) {
        picking::assign(store, next);
    }
}

/// Odoo's checks while it posts a move. A refusal rolls the whole call back.
fn permit(store: &mut Store, caller: Caller, header: &Row, m: &Row) -> Result<(), Refusal> {
    let product = id_of(m, "product_id");
    if let Some(message) = store.refused_products.get(&product) {
        return Err(Refusal::User(message.clone()));
    }
    let (sale, line) = (id_of(header, "sale_id"), id_of(m, "sale_line_id"));
    let outgoing = store.through(header, "picking_type_id", KIND, "code") == "outgoing";
    if sale != 0 && line == 0 && outgoing {
        if caller == Caller::User {
            return Err(super::denied("create", "sale.order.line"));
        }
        let values = json!({"order_id": sale, "product_id": product});
        let line = store.insert("sale.order.line", row(values));
        store.set(MOVE, id_of(m, "id"), "sale_line_id", json!(line));
    }
    Ok(())
}

/// Looks up a lot by name, or creates it if the operation type may create lots.
fn resolve_lot(store: &mut Store, header: &Row, line: i64) -> Result<(), Refusal> {
    let Some(values) = store.row(LINE, line).cloned() else {
        return Ok(());
    };
    let product = id_of(&values, "product_id");
    let tracked = store.through(&values, "product_id", "product.product", "tracking") != "none";
    if !tracked || id_of(&values, "lot_id") != 0 {
        return Ok(());
    }
    let makes = store
        .row(KIND, id_of(header, "picking_type_id"))
        .is_some_and(|kind| flag_of(kind, "use_create_lots"));
    let name = text_of(&values, "lot_name");
    let uses = store
        .row(KIND, id_of(header, "picking_type_id"))
        .is_some_and(|kind| flag_of(kind, "use_existing_lots"));
    if !makes && !uses {
        // Then Odoo needs no lot, and ignores the name.
        return Ok(());
    }
    if !makes || name.is_empty() {
        let shown = store.display_name("product.product", product);
        let text = format!("You need to supply a Lot/Serial Number for product:\n- {shown}");
        return Err(Refusal::User(text));
    }
    let known = store
        .of("stock.lot", "product_id", product)
        .find(|(_, lot)| text_of(lot, "name") == name);
    let known = known.map(|(id, _)| id);
    let lot = known.unwrap_or_else(|| {
        let expiry = values
            .get("expiration_date")
            .cloned()
            .unwrap_or(json!(false));
        let mut values =
            row(json!({"name": name, "product_id": product, "expiration_date": expiry}));
        super::lots::complete(store, &mut values);
        store.insert("stock.lot", values)
    });
    store.set(LINE, line, "lot_id", json!(lot));
    Ok(())
}

fn packages_are_in_one_place(store: &Store, posted: &[(i64, Row)]) -> Result<(), Refusal> {
    for (id, _) in posted {
        for (_, line) in store.of(LINE, "move_id", *id) {
            let package = id_of(line, "result_package_id");
            let inside = store.of("stock.quant", "package_id", package);
            let inside = inside.filter(|(_, quant)| number_of(quant, "quantity") > 0.0);
            let places: BTreeSet<i64> = inside
                .map(|(_, quant)| id_of(quant, "location_id"))
                .collect();
            if package != 0 && places.len() > 1 {
                return Err(Refusal::User(
                    "You cannot move the same package content more than once in the same transfer or split the \
                     same package into two location."
                        .to_owned(),
                ));
            }
        }
    }
    Ok(())
}
