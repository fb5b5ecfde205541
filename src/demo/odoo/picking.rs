//! Creates, changes, reserves and cancels transfers. `validate` posts them.

mod checks;

use serde_json::{Value, json};

pub use self::checks::{check_line, check_write};
use super::computed;
use super::goods::move_stock;
use super::refusal::Refusal;
pub use super::store::{KIND, LINE, MOVE, PICKING};
use super::store::{
    QuantKey, Row, Store, flag_of, id_of, moment, number_of, reference, round, row, text_of,
};
use super::version::Version;

const ENDS: [&str; 2] = ["location_id", "location_dest_id"];

/// Creates a picking without moves.
pub fn create(store: &mut Store, mut values: Row) -> i64 {
    let kind = store.row(KIND, id_of(&values, "picking_type_id")).cloned();
    let kind = kind.unwrap_or_default();
    for (end, default) in ENDS
        .into_iter()
        .zip(["default_location_src_id", "default_location_dest_id"])
    {
        if id_of(&values, end) == 0 {
            values.insert(end.to_owned(), reference(id_of(&kind, default)));
        }
    }
    let name = store.next_picking_name(id_of(&values, "picking_type_id"));
    values.insert("name".into(), json!(name));
    values.insert("state".into(), json!("draft"));
    values.insert("company_id".into(), json!(1));
    values
        .entry("scheduled_date")
        .or_insert_with(|| json!(moment()));
    store.insert(PICKING, values)
}

fn inherit(values: &mut Row, from: &Row, names: &[&str]) {
    for name in names {
        let unset = matches!(
            values.get(*name),
            None | Some(Value::Bool(false) | Value::Null)
        );
        if let (true, Some(value)) = (unset, from.get(*name)) {
            values.insert((*name).to_owned(), value.clone());
        }
    }
}

/// Adds a move to the picking. Without locations it gets those of the picking.
pub fn add_move(store: &mut Store, mut values: Row, state: &str) -> i64 {
    let header = store.row(PICKING, id_of(&values, "picking_id")).cloned();
    inherit(
        &mut values,
        &header.unwrap_or_default(),
        &["location_id", "location_dest_id", "origin"],
    );
    if id_of(&values, "product_uom") == 0 {
        values.insert("product_uom".into(), json!(unit_of(store, &values)));
    }
    let quantity = values.remove("quantity").and_then(|value| value.as_f64());
    let picked = values.remove("picked");
    values.insert("state".into(), json!(state));
    values.insert("date".into(), json!(moment()));
    values.insert("company_id".into(), json!(1));
    values.entry("to_refund").or_insert(json!(true));
    let id = store.insert(MOVE, values);
    if let Some(quantity) = quantity.filter(|quantity| *quantity > 0.0) {
        let line =
            json!({"move_id": id, "quantity": quantity, "picked": picked.unwrap_or(json!(false))});
        add_line(store, row(line));
    }
    id
}

fn unit_of(store: &Store, values: &Row) -> i64 {
    let product = store.row("product.product", id_of(values, "product_id"));
    product.map_or(1, |row| id_of(row, "uom_id"))
}

/// Adds a line to a move, or to a picking: then it finds or creates the move. In a done picking the
/// line is posted at once.
pub fn add_line(store: &mut Store, mut line: Row) -> i64 {
    let picking = id_of(&line, "picking_id");
    let state = store
        .row(PICKING, picking)
        .map_or("draft", |row| text_of(row, "state"))
        .to_owned();
    if id_of(&line, "move_id") == 0 {
        let product = id_of(&line, "product_id");
        let open = store.of(MOVE, "picking_id", picking).find(|(_, m)| {
            id_of(m, "product_id") == product && !matches!(text_of(m, "state"), "done" | "cancel")
        });
        let linked = open.map(|(id, _)| id);
        let linked = linked.unwrap_or_else(|| {
            let values = json!({"picking_id": picking, "product_id": product});
            let state = if state == "cancel" { "cancel" } else { "draft" };
            add_move(store, row(values), state)
        });
        line.insert("move_id".into(), json!(linked));
    }
    let of = store
        .row(MOVE, id_of(&line, "move_id"))
        .cloned()
        .unwrap_or_default();
    inherit(
        &mut line,
        &of,
        &[
            "picking_id",
            "product_id",
            "location_id",
            "location_dest_id",
        ],
    );
    if id_of(&line, "product_uom_id") == 0 {
        line.insert("product_uom_id".into(), json!(unit_of(store, &line)));
    }
    line.insert("date".into(), json!(moment()));
    line.insert("company_id".into(), json!(1));
    let place = QuantKey::of(&line);
    let (picking, of) = (id_of(&line, "picking_id"), id_of(&line, "move_id"));
    let inside = store.through(&line, "location_id", "stock.location", "usage") == "internal";
    let id = store.insert(LINE, line);
    match state.as_str() {
        "done" => {
            store.set(MOVE, of, "state", json!("done"));
            // Odoo posts such a line even if the stock does not allow it.
            drop(move_stock(store, id, 1.0));
        }
        "cancel" => {}
        _ => {
            if inside {
                store.add_quant(place, 0.0);
            }
            // Odoo calculates the weight again from the packages with each line.
            store.set(PICKING, picking, "shipping_weight", json!(0.0));
            refresh(store, picking);
        }
    }
    id
}

/// Calculates the states of an open picking and its moves from the quantities of its lines.
pub fn refresh(store: &mut Store, picking: i64) {
    let Some(row) = store.row(PICKING, picking) else {
        return;
    };
    let old = text_of(row, "state").to_owned();
    if matches!(old.as_str(), "done" | "cancel") {
        return;
    }
    let (mut ready, mut confirmed, mut waiting, mut all_cancelled) = (false, false, false, true);
    for id in store.many(PICKING, picking, "move_ids") {
        let Some(m) = store.row(MOVE, id) else {
            continue;
        };
        let before = text_of(m, "state").to_owned();
        if before == "cancel" {
            continue;
        }
        all_cancelled = false;
        let (there, wanted) = (
            computed::quantity(store, id),
            number_of(m, "product_uom_qty"),
        );
        let state = match before.as_str() {
            "done" => "done",
            "draft" if there == 0.0 => "draft",
            "waiting" if there == 0.0 => "waiting",
            _ if there == 0.0 => "confirmed",
            _ if there < wanted => "partially_available",
            _ => "assigned",
        };
        ready |= matches!(state, "assigned" | "partially_available");
        confirmed |= state == "confirmed";
        waiting |= state == "waiting";
        if state != before {
            store.set(MOVE, id, "state", json!(state));
        }
    }
    let empty = store.many(PICKING, picking, "move_ids").is_empty();
    let state = match () {
        () if ready => "assigned",
        () if confirmed => "confirmed",
        () if waiting => "waiting",
        () if all_cancelled && !empty => "cancel",
        () => "draft",
    };
    if state != old {
        store.set(PICKING, picking, "state", json!(state));
    }
}

/// `action_confirm`: draft moves become confirmed.
pub fn confirm(store: &mut Store, picking: i64) {
    for id in store.many(PICKING, picking, "move_ids") {
        if store
            .row(MOVE, id)
            .is_some_and(|m| text_of(m, "state") == "draft")
        {
            store.set(MOVE, id, "state", json!("confirmed"));
        }
    }
    refresh(store, picking);
}

/// Whether the operation type reserves the demand at confirmation.
#[must_use]
pub fn reserves(store: &Store, picking: i64) -> bool {
    let kind = store.row(PICKING, picking).map_or("", |row| {
        store.through(row, "picking_type_id", KIND, "reservation_method")
    });
    kind == "at_confirm"
}

/// `action_assign`: reserves the stock. Goods from outside need no reservation.
pub fn assign(store: &mut Store, picking: i64) {
    for id in store.many(PICKING, picking, "move_ids") {
        let Some(m) = store.row(MOVE, id).cloned() else {
            continue;
        };
        let missing = round(number_of(&m, "product_uom_qty") - computed::quantity(store, id));
        let closed = matches!(
            text_of(&m, "state"),
            "done" | "cancel" | "draft" | "waiting"
        );
        if closed || missing <= 0.0 || computed::is_picked(store, id) {
            continue;
        }
        reserve(store, id, &m, missing);
    }
    refresh(store, picking);
}

/// `do_unreserve`: frees the reserved quantities, except those of moves with a picked line.
pub fn unreserve(store: &mut Store, picking: i64) {
    for id in store.many(PICKING, picking, "move_ids") {
        let open = store
            .row(MOVE, id)
            .is_some_and(|of| !matches!(text_of(of, "state"), "done" | "cancel"));
        if open && !computed::is_picked(store, id) {
            for line in store.many(MOVE, id, "move_line_ids") {
                store.remove(LINE, line);
            }
        }
    }
    refresh(store, picking);
}

fn reserve(store: &mut Store, id: i64, m: &Row, mut missing: f64) {
    let serial = store.through(m, "product_id", "product.product", "tracking") == "serial";
    let line = |quantity: f64| row(json!({"move_id": id, "quantity": quantity, "picked": false}));
    if store.through(m, "location_id", "stock.location", "usage") != "internal" {
        while missing > 0.0 {
            let part = if serial { missing.min(1.0) } else { missing };
            add_line(store, line(part));
            missing = round(missing - part);
        }
        return;
    }
    let quants: Vec<QuantKey> = store
        .of("stock.quant", "product_id", id_of(m, "product_id"))
        .map(|(_, quant)| QuantKey::of(quant))
        .filter(|place| is_below(store, place.location, id_of(m, "location_id")))
        .collect();
    for place in quants {
        let free = round(on_hand(store, place) - computed::reserved(store, place));
        let part = free.min(missing);
        if part > 0.0 {
            let mut values = line(part);
            values.insert("location_id".into(), json!(place.location));
            values.insert("lot_id".into(), reference(place.lot));
            values.insert("package_id".into(), reference(place.package));
            values.insert("owner_id".into(), reference(place.owner));
            add_line(store, values);
            missing = round(missing - part);
        }
    }
}

fn on_hand(store: &Store, place: QuantKey) -> f64 {
    let quant = (store.quant(place)).and_then(|id| store.row("stock.quant", id));
    quant.map_or(0.0, |quant| number_of(quant, "quantity"))
}

/// Whether a location is `above`, or below it.
#[must_use]
pub fn is_below(store: &Store, location: i64, above: i64) -> bool {
    let mut at = location;
    while at != 0 && at != above {
        at = store
            .row("stock.location", at)
            .map_or(0, |row| id_of(row, "location_id"));
    }
    at == above
}

/// Writes values, and what follows from them.
pub fn write(store: &mut Store, model: &'static str, id: i64, mut values: Row) {
    match model {
        PICKING => {
            follow_picking(store, id, &mut values);
            let commands = values.remove("move_line_ids").unwrap_or_default();
            write_lines(store, &commands);
            let commands = values.remove("move_ids").unwrap_or_default();
            for command in commands.as_array().into_iter().flatten() {
                if let (Some(of), Value::Object(values)) = (command[1].as_i64(), &command[2]) {
                    write(store, MOVE, of, values.clone());
                }
            }
            refresh(store, id);
        }
        LINE => return write_line(store, id, values),
        MOVE if values.contains_key("picked") => {
            for line in store.many(MOVE, id, "move_line_ids") {
                store.set(LINE, line, "picked", values["picked"].clone());
            }
        }
        // The demand is less than the reserved quantity: lines that are not picked become free.
        MOVE if values.contains_key("product_uom_qty")
            && computed::quantity(store, id) > number_of(&values, "product_uom_qty") =>
        {
            let lines = store.of(LINE, "move_id", id);
            let reserved = lines.filter(|(_, line)| !flag_of(line, "picked"));
            for line in reserved.map(|(line, _)| line).collect::<Vec<_>>() {
                store.remove(LINE, line);
            }
        }
        "product.product" => {
            let template = store
                .row(model, id)
                .map_or(0, |row| id_of(row, "product_tmpl_id"));
            store.update("product.template", template, Row::new());
        }
        _ => {}
    }
    store.update(model, id, values);
    if model == MOVE {
        let m = store.row(MOVE, id).cloned().unwrap_or_default();
        let order = store
            .row("sale.order.line", id_of(&m, "sale_line_id"))
            .map_or(0, |line| id_of(line, "order_id"));
        let picking = id_of(&m, "picking_id");
        if order != 0
            && store
                .row(PICKING, picking)
                .is_some_and(|row| id_of(row, "sale_id") == 0)
        {
            store.set(PICKING, picking, "sale_id", json!(order));
        }
        refresh(store, picking);
    }
}

/// The time of a picking's moves and lines.
pub fn date_parts(store: &mut Store, picking: i64, date: &Value) {
    for (model, field) in [(MOVE, "move_ids"), (LINE, "move_line_ids")] {
        for part in store.many(PICKING, picking, field) {
            store.set(model, part, "date", date.clone());
        }
    }
}

/// Applies the effects of a picking's new values. From Odoo 19 on, `date_done` also becomes the
/// date of the picking's moves and lines; in Odoo 17, `scheduled_date` becomes the date of its
/// moves. In each version, another operation type sets the picking's locations.
fn follow_picking(store: &mut Store, id: i64, values: &mut Row) {
    if let Some(date) = values.get("date_done").cloned()
        && store.version >= Version::V19
    {
        date_parts(store, id, &date);
    }
    if let Some(date) = values.get("scheduled_date").cloned()
        && store.version == Version::V17
    {
        for of in store.many(PICKING, id, "move_ids") {
            store.set(MOVE, of, "date", date.clone());
        }
    }
    if let Some(kind) = store.row(KIND, id_of(values, "picking_type_id")).cloned() {
        for (end, default) in ENDS
            .into_iter()
            .zip(["default_location_src_id", "default_location_dest_id"])
        {
            values
                .entry(end)
                .or_insert_with(|| reference(id_of(&kind, default)));
        }
    }
}

/// Commands on a transfer's lines: `[1, id, values]` writes one, `[2, id, 0]` removes it.
fn write_lines(store: &mut Store, commands: &Value) {
    for command in commands.as_array().into_iter().flatten() {
        let Some(line) = command[1].as_i64() else {
            continue;
        };
        match (command[0].as_i64(), &command[2]) {
            (Some(1), Value::Object(values)) => write_line(store, line, values.clone()),
            (Some(2), _) => remove_line(store, line),
            _ => {}
        }
    }
}

/// Writes a line. A done line first moves its old quantity back, then its new quantity, as in Odoo.
fn write_line(store: &mut Store, id: i64, values: Row) {
    let Some(before) = store.row(LINE, id) else {
        return;
    };
    let done = store.through(before, "move_id", MOVE, "state") == "done";
    let picking = id_of(before, "picking_id");
    if done {
        drop(move_stock(store, id, -1.0));
    }
    store.update(LINE, id, values);
    if done {
        drop(move_stock(store, id, 1.0));
    }
    refresh(store, picking);
}

/// Removes a line. A picked move stays picked until it gets another line.
fn remove_line(store: &mut Store, id: i64) {
    let of = store.row(LINE, id).map_or(0, |line| id_of(line, "move_id"));
    let picked = computed::is_picked(store, of);
    store.remove(LINE, id);
    if store.of(LINE, "move_id", of).next().is_none() {
        store.set(MOVE, of, "picked", json!(picked));
    }
}

/// Removes lines, and frees their reserved quantities. A done line cannot be removed.
pub fn unlink_lines(store: &mut Store, ids: &[i64]) -> Result<Value, Refusal> {
    for id in ids {
        let line = store.existing(LINE, *id)?;
        if matches!(
            store.through(line, "move_id", MOVE, "state"),
            "done" | "cancel"
        ) {
            return Err(Refusal::User(
                "You can not delete product moves if the picking is done. You can only correct the done quantities."
                    .to_owned(),
            ));
        }
    }
    for id in ids {
        let picking = store
            .row(LINE, *id)
            .map_or(0, |line| id_of(line, "picking_id"));
        remove_line(store, *id);
        refresh(store, picking);
    }
    Ok(json!(true))
}

pub fn cancel(store: &mut Store, ids: &[i64]) -> Result<Value, Refusal> {
    for id in ids {
        if text_of(store.existing(PICKING, *id)?, "state") == "done" {
            return Err(Refusal::User(
                "You cannot cancel a stock move that has been set to 'Done'. Create a return in order to \
                 reverse the moves which took place."
                    .to_owned(),
            ));
        }
    }
    for id in ids {
        for line in store.many(PICKING, *id, "move_line_ids") {
            store.remove(LINE, line);
        }
        for of in store.many(PICKING, *id, "move_ids") {
            store.set(MOVE, of, "state", json!("cancel"));
            store.set(MOVE, of, "picked", json!(false));
        }
        store.set(PICKING, *id, "state", json!("cancel"));
    }
    Ok(json!(true))
}

/// Whether Odoo considers a move of the picking as picked, even without lines.
#[must_use]
pub fn has_pick(store: &Store, picking: i64) -> bool {
    let mut moves = store.of(MOVE, "picking_id", picking);
    moves.any(|(id, of)| {
        let closed = matches!(text_of(of, "state"), "done" | "cancel");
        !closed && computed::is_picked(store, id)
    })
}

/// Lists the picked lines of the picking.
#[must_use]
pub fn picked_lines(store: &Store, picking: i64) -> Vec<&Row> {
    let lines = store.of(LINE, "picking_id", picking).map(|(_, line)| line);
    lines.filter(|line| flag_of(line, "picked")).collect()
}
