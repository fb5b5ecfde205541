//! Transfers: made, validated all or none, cancelled; and what they do to stock.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::params::Params;
use super::refusal::Refusal;
use super::store::{Row, Store, flag_of, id_of, moment, number_of, round, text_of};

const PICKING: &str = "stock.picking";
const MOVE: &str = "stock.move";
const LINE: &str = "stock.move.line";

/// What Odoo says of a line before it takes it.
pub fn check_line(store: &Store, line: &Row) -> Result<(), String> {
    let product = id_of(line, "product_id");
    if product == 0 {
        return Err(
            "Missing required value for the field 'product_uom_id'.\nModel: Unknown\n\
            - create/update: a mandatory field is not set\n\
            - delete: another model requires the record being deleted, you can archive it instead\n"
                .to_owned(),
        );
    }
    if number_of(line, "quantity") < 0.0 {
        return Err("You can not enter negative quantities.".to_owned());
    }
    if let Some(lot) = store.row("stock.lot", id_of(line, "lot_id"))
        && id_of(lot, "product_id") != product
    {
        return Err(format!(
            "This lot {} is incompatible with this product {}",
            text_of(lot, "name"),
            store.display_name("product.product", product)
        ));
    }
    Ok(())
}

/// Makes a picking of move lines (what was done) and moves (what is wanted).
pub fn create(store: &mut Store, mut values: Row, lines: Vec<Row>, moves: Vec<Row>) -> i64 {
    let name = store.next_picking_name(id_of(&values, "picking_type_id"));
    values.insert("name".into(), json!(name));
    values.insert("state".into(), json!("draft"));
    values.insert("scheduled_date".into(), json!(moment()));
    let header = [
        values.get("location_id").cloned(),
        values.get("location_dest_id").cloned(),
    ];
    let picking = store.insert(PICKING, values);
    for wanted in moves {
        let id = add_move(store, picking, &header, &wanted);
        if number_of(&wanted, "quantity") > 0.0 {
            add_line(store, picking, id, &header, wanted);
        }
    }
    for line in lines {
        let id = add_move(store, picking, &header, &line);
        add_line(store, picking, id, &header, line);
    }
    let busy = store
        .many(PICKING, picking, "move_line_ids")
        .iter()
        .any(|id| {
            store
                .row(LINE, *id)
                .is_some_and(|l| number_of(l, "quantity") > 0.0)
        });
    if busy {
        set_state(store, picking, "assigned");
    }
    picking
}

fn add_move(store: &mut Store, picking: i64, header: &[Option<Value>; 2], from: &Row) -> i64 {
    let mut values = Row::new();
    for name in [
        "product_id",
        "quantity",
        "picked",
        "product_uom_qty",
        "location_id",
        "location_dest_id",
    ] {
        if let Some(value) = from.get(name) {
            values.insert(name.to_owned(), value.clone());
        }
    }
    for (name, value) in ["location_id", "location_dest_id"].into_iter().zip(header) {
        if let (None, Some(value)) = (values.get(name), value) {
            values.insert(name.to_owned(), value.clone());
        }
    }
    values.insert("picking_id".into(), json!(picking));
    values.insert("state".into(), json!("draft"));
    values.insert("date".into(), json!(moment()));
    let id = store.insert(MOVE, values);
    append(store, picking, "move_ids", id);
    id
}

fn add_line(store: &mut Store, picking: i64, of: i64, header: &[Option<Value>; 2], mut line: Row) {
    line.remove("product_uom_qty");
    for (name, value) in ["location_id", "location_dest_id"].into_iter().zip(header) {
        if let (None, Some(value)) = (line.get(name), value) {
            line.insert(name.to_owned(), value.clone());
        }
    }
    if !line.contains_key("product_uom_id") {
        let product = store.row("product.product", id_of(&line, "product_id"));
        let unit = product.map_or(1, |row| id_of(row, "uom_id"));
        line.insert("product_uom_id".into(), json!(unit));
    }
    let own = store.in_own_unit(&line);
    line.insert("quantity_product_uom".into(), json!(own));
    line.insert("picking_id".into(), json!(picking));
    line.insert("move_id".into(), json!(of));
    line.insert("state".into(), json!("draft"));
    line.insert("date".into(), json!(moment()));
    let id = store.insert(LINE, line);
    append(store, picking, "move_line_ids", id);
}

fn append(store: &mut Store, picking: i64, field: &str, id: i64) {
    let mut ids = store.many(PICKING, picking, field);
    ids.push(id);
    store.set(PICKING, picking, field, json!(ids));
}

fn set_state(store: &mut Store, picking: i64, state: &str) {
    store.set(PICKING, picking, "state", json!(state));
    for (model, field) in [(MOVE, "move_ids"), (LINE, "move_line_ids")] {
        for id in store.many(PICKING, picking, field) {
            store.set(model, id, "state", json!(state));
        }
    }
}

/// Writes values; a transfer's true time carries over to its moves and lines.
pub fn write(store: &mut Store, model: &'static str, id: i64, values: Row) {
    if let (PICKING, Some(date)) = (model, values.get("date_done").cloned()) {
        for (model, field) in [(MOVE, "move_ids"), (LINE, "move_line_ids")] {
            for part in store.many(PICKING, id, field) {
                store.set(model, part, "date", date.clone());
            }
        }
    }
    if model == "product.product" {
        let template = store
            .row(model, id)
            .map_or(0, |row| id_of(row, "product_tmpl_id"));
        store.update("product.template", template, Row::new());
    }
    store.update(model, id, values);
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
        store.set(PICKING, *id, "move_line_ids", json!([]));
        set_state(store, *id, "cancel");
    }
    Ok(json!(true))
}

/// `button_validate`: a wizard, a refusal, or all of them posted.
pub fn validate(store: &mut Store, params: &Params) -> Result<Value, Refusal> {
    let mut open = Vec::new();
    for id in params.ids() {
        if text_of(store.existing(PICKING, id)?, "state") != "done" {
            open.push(id);
        }
    }
    sanity(store, &open)?;
    let short = open.iter().copied().filter(|id| is_short(store, *id));
    let short: Vec<i64> = short.collect();
    if !params.context_flag("skip_backorder") && !short.is_empty() {
        return Ok(wizard(
            params,
            "Create Backorder?",
            "stock.backorder.confirmation",
            &short,
        ));
    }
    let texts = open.iter().any(|id| asks_for_text(store, *id));
    if !params.context_flag("skip_sms") && texts {
        return Ok(wizard(params, "SMS", "confirm.stock.sms", &open));
    }
    rules(store, &open)?;
    for id in open {
        post(store, id);
    }
    Ok(json!(true))
}

fn wizard(params: &Params, name: &str, model: &str, pickings: &[i64]) -> Value {
    let mut context = params.get("context").cloned().unwrap_or_else(|| json!({}));
    context["button_validate_picking_ids"] = json!(pickings);
    json!({
        "name": name, "type": "ir.actions.act_window", "view_mode": "form", "res_model": model,
        "views": [[1, "form"]], "view_id": 1, "target": "new", "context": context,
    })
}

fn lines(store: &Store, picking: i64) -> Vec<&Row> {
    let ids = store.many(PICKING, picking, "move_line_ids");
    ids.iter().filter_map(|id| store.row(LINE, *id)).collect()
}

/// The lines that will be posted: the picked ones, or all where none was picked.
fn picked(store: &Store, picking: i64) -> Vec<&Row> {
    let mut lines = lines(store, picking);
    if lines.iter().any(|line| flag_of(line, "picked")) {
        lines.retain(|line| flag_of(line, "picked"));
    }
    lines
}

/// Less was picked than somebody ordered.
fn is_short(store: &Store, picking: i64) -> bool {
    let moves = store.many(PICKING, picking, "move_ids");
    moves
        .iter()
        .filter_map(|id| store.row(MOVE, *id))
        .any(|m| number_of(m, "product_uom_qty") > number_of(m, "quantity"))
}

/// The company confirms deliveries by text message, and this one goes to somebody with a telephone.
fn asks_for_text(store: &Store, picking: i64) -> bool {
    let confirms = store
        .table("res.company")
        .any(|(_, row)| flag_of(row, "stock_text_confirmation"));
    let Some(row) = store.row(PICKING, picking) else {
        return false;
    };
    let kind = store.row("stock.picking.type", id_of(row, "picking_type_id"));
    let partner = store.row("res.partner", id_of(row, "partner_id"));
    confirms
        && kind.is_some_and(|kind| text_of(kind, "code") == "outgoing")
        && partner.is_some_and(|partner| !text_of(partner, "phone").is_empty())
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

/// What Odoo checks before it asks anything: emptiness, and lots. One message for the whole call.
fn sanity(store: &Store, open: &[i64]) -> Result<(), Refusal> {
    let name = |id: &i64| store.display_name(PICKING, *id);
    let empty: Vec<&i64> = open
        .iter()
        .filter(|id| store.many(PICKING, **id, "move_ids").is_empty())
        .collect();
    let (mut without_lot, mut products) = (Vec::new(), BTreeSet::new());
    for id in open {
        let missing = picked(store, *id).into_iter().filter(|line| {
            let product = store.row("product.product", id_of(line, "product_id"));
            product.is_some_and(|p| text_of(p, "tracking") != "none")
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
        let moved: f64 = lines(store, *one)
            .iter()
            .map(|line| number_of(line, "quantity"))
            .sum();
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

/// What Odoo finds while it posts; any of it takes all of the call back.
fn rules(store: &Store, open: &[i64]) -> Result<(), Refusal> {
    for id in open {
        let Some(row) = store.row(PICKING, *id) else {
            continue;
        };
        let kind = store.row("stock.picking.type", id_of(row, "picking_type_id"));
        let receipt = kind.is_some_and(|kind| text_of(kind, "code") == "incoming");
        for line in picked(store, *id) {
            let product = id_of(line, "product_id");
            let shown = store.display_name("product.product", product);
            if let Some(message) = store.refused_products.get(&product) {
                return Err(Refusal::User(message.clone()));
            }
            let tracking = store
                .row("product.product", product)
                .map_or("none", |p| text_of(p, "tracking"));
            if tracking == "none" {
                continue;
            }
            // A lot's name alone is enough on receipts only, where it makes the lot.
            if id_of(line, "lot_id") == 0 && !receipt {
                return Err(Refusal::User(format!(
                    "You need to supply a Lot/Serial Number for product:\n- {shown}"
                )));
            }
            if tracking == "serial" && serial_is_elsewhere(store, line) {
                let lot = store.row("stock.lot", id_of(line, "lot_id"));
                let name = lot.map_or(text_of(line, "lot_name"), |lot| text_of(lot, "name"));
                return Err(Refusal::Validation(format!(
                    "The serial number has already been assigned: \n Product: {shown}, Serial Number: {name}"
                )));
            }
        }
    }
    Ok(())
}

fn serial_is_elsewhere(store: &Store, line: &Row) -> bool {
    let key = (
        id_of(line, "product_id"),
        id_of(line, "location_dest_id"),
        id_of(line, "lot_id"),
        id_of(line, "result_package_id"),
    );
    let there = if key.2 == 0 { 0.0 } else { store.quant(key) };
    there + number_of(line, "quantity") > 1.0
}

fn post(store: &mut Store, picking: i64) {
    let moves: Vec<Row> = picked(store, picking).into_iter().cloned().collect();
    if moves.is_empty() {
        return;
    }
    let kept: BTreeSet<i64> = moves.iter().map(|line| id_of(line, "id")).collect();
    for id in store.many(PICKING, picking, "move_line_ids") {
        if !kept.contains(&id) {
            store.remove(LINE, id);
        }
    }
    store.set(PICKING, picking, "move_line_ids", json!(kept));
    for line in &moves {
        move_stock(store, line);
    }
    backorder(store, picking);
    let now = moment();
    for line in kept {
        store.set(LINE, line, "picked", json!(true));
    }
    set_state(store, picking, "done");
    write(
        store,
        PICKING,
        picking,
        Row::from_iter([("date_done".to_owned(), json!(now))]),
    );
}

fn move_stock(store: &mut Store, line: &Row) {
    let product = id_of(line, "product_id");
    let quantity = store.in_own_unit(line);
    let mut lot = id_of(line, "lot_id");
    if lot == 0 && !text_of(line, "lot_name").is_empty() {
        let name = line.get("lot_name").cloned().unwrap_or_default();
        let values = [
            ("name".to_owned(), name),
            ("product_id".to_owned(), json!(product)),
        ];
        lot = store.insert("stock.lot", Row::from_iter(values));
        store.set(LINE, id_of(line, "id"), "lot_id", json!(lot));
    }
    let from = (
        product,
        id_of(line, "location_id"),
        lot,
        id_of(line, "package_id"),
    );
    let to = (
        product,
        id_of(line, "location_dest_id"),
        lot,
        id_of(line, "result_package_id"),
    );
    store.add_quant(from, -quantity);
    store.add_quant(to, quantity);
}

/// What was ordered and not picked becomes another picking.
fn backorder(store: &mut Store, picking: i64) {
    let mut rest = Vec::new();
    for id in store.many(PICKING, picking, "move_ids") {
        let Some(row) = store.row(MOVE, id) else {
            continue;
        };
        let done = number_of(row, "quantity");
        let open = number_of(row, "product_uom_qty") - done;
        if open > 0.0 {
            let product = row.get("product_id").cloned().unwrap_or_default();
            rest.push(Row::from_iter([
                ("product_id".to_owned(), product),
                ("product_uom_qty".to_owned(), json!(round(open))),
                ("quantity".to_owned(), json!(round(open))),
            ]));
        }
        store.set(MOVE, id, "product_uom_qty", json!(done));
    }
    let Some(row) = store.row(PICKING, picking).filter(|_| !rest.is_empty()) else {
        return;
    };
    let mut values = Row::new();
    for name in [
        "origin",
        "picking_type_id",
        "location_id",
        "location_dest_id",
        "partner_id",
    ] {
        values.insert(name.to_owned(), row.get(name).cloned().unwrap_or_default());
    }
    values.insert("backorder_id".into(), json!(picking));
    create(store, values, Vec::new(), rest);
}
