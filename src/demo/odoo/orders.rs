//! Sales and purchases create transfers. A warehouse with several steps creates each step after the
//! one before is done.

use serde_json::{Value, json};

use super::chain::{self, WAREHOUSE, following};
use super::goods::left_by;
use super::picking::{self, KIND, LINE, MOVE, PICKING};
use super::refusal::Refusal;
use super::store::{Row, Store, id_of, number_of, reference, round, row, text_of};
use super::version::Version;

/// `action_confirm` of a sales order: the first step of its delivery.
pub fn confirm_sale(store: &mut Store, id: i64) -> Result<(), Refusal> {
    let order = store.existing("sale.order", id)?.clone();
    if text_of(&order, "state") == "sale" {
        return Ok(());
    }
    store.set("sale.order", id, "state", json!("sale"));
    let warehouse = store
        .row(WAREHOUSE, id_of(&order, "warehouse_id").max(1))
        .cloned()
        .unwrap_or_default();
    let first = if text_of(&warehouse, "delivery_steps") == "ship_only" {
        "out_type_id"
    } else {
        "pick_type_id"
    };
    let mut header = row(json!({"picking_type_id": warehouse[first], "sale_id": id}));
    refer(store, &mut header, &order);
    let lines = wanted(store, "sale.order", id, "product_uom_qty", "sale_line_id");
    plan(store, header, lines);
    Ok(())
}

/// `button_confirm` of a purchase order: its receipt.
pub fn confirm_purchase(store: &mut Store, id: i64) -> Result<(), Refusal> {
    let order = store.existing("purchase.order", id)?.clone();
    if text_of(&order, "state") == "purchase" {
        return Ok(());
    }
    store.set("purchase.order", id, "state", json!("purchase"));
    let kind = id_of(&order, "picking_type_id").max(1);
    let mut header = row(json!({"picking_type_id": kind, "purchase_id": id}));
    refer(store, &mut header, &order);
    let lines = wanted(
        store,
        "purchase.order",
        id,
        "product_qty",
        "purchase_line_id",
    );
    plan(store, header, lines);
    Ok(())
}

/// The order's name in all the places where people look for it.
fn refer(store: &mut Store, header: &mut Row, order: &Row) {
    let name = order["name"].clone();
    let named = store.insert("stock.reference", row(json!({"name": name})));
    header.insert("origin".into(), name);
    header.insert("partner_id".into(), order["partner_id"].clone());
    header.insert("reference_ids".into(), json!([named]));
}

fn wanted(store: &Store, model: &str, id: i64, quantity: &str, by: &str) -> Vec<Row> {
    let lines = store.many(model, id, "order_line");
    let kind = if model == "sale.order" {
        "sale.order.line"
    } else {
        "purchase.order.line"
    };
    let lines = lines.iter().filter_map(|line| store.row(kind, *line));
    lines
        .map(|line| {
            // The transfer asks for it in the product's own unit.
            let quantity = round(number_of(line, quantity) * store.factor_of(line, "product_uom_id"));
            row(json!({"product_id": line["product_id"], "product_uom_qty": quantity, by: line["id"]}))
        })
        .collect()
}

fn plan(store: &mut Store, header: Row, moves: Vec<Row>) {
    let next = if store.version < Version::V18 {
        chain::plan(store, &header, &moves)
    } else {
        vec![0; moves.len()]
    };
    let id = picking::create(store, header);
    for (mut values, next) in moves.into_iter().zip(next) {
        values.insert("picking_id".into(), json!(id));
        values.insert("dest_move".into(), json!(next));
        picking::add_move(store, values, "confirmed");
    }
    picking::confirm(store, id);
    if picking::reserves(store, id) {
        picking::assign(store, id);
    }
}

/// Cancels an order's open transfers.
pub fn cancel(store: &mut Store, model: &'static str, id: i64) -> Result<(), Refusal> {
    store.existing(model, id)?;
    let open: Vec<i64> = store
        .many(model, id, "picking_ids")
        .into_iter()
        .filter(|id| {
            store
                .row(PICKING, *id)
                .is_some_and(|row| text_of(row, "state") != "done")
        })
        .collect();
    picking::cancel(store, &open)?;
    store.set(model, id, "state", json!("cancel"));
    Ok(())
}

/// Moves the goods of a finished step into the next step: a new transfer, or a further line of the
/// open one.
pub fn next_step(store: &mut Store, picking: i64, posted: &[i64]) {
    if store.version < Version::V18 {
        return chain::hand_on(store, posted);
    }
    let header = store.row(PICKING, picking).cloned().unwrap_or_default();
    let kind = following(store, id_of(&header, "picking_type_id"));
    let ordered: Vec<Row> = posted
        .iter()
        .filter_map(|id| store.row(MOVE, *id))
        .filter(|m| id_of(m, "sale_line_id") != 0 || id_of(m, "purchase_line_id") != 0)
        .cloned()
        .collect();
    if kind == 0 || ordered.is_empty() {
        return;
    }
    let next = open_step(store, &header, kind).unwrap_or_else(|| {
        let mut values = row(json!({"picking_type_id": kind}));
        for name in ["origin", "partner_id", "reference_ids", "sale_id"] {
            values.insert(name.to_owned(), header[name].clone());
        }
        picking::create(store, values)
    });
    for m in ordered {
        let lines: Vec<Row> = store
            .of(LINE, "move_id", id_of(&m, "id"))
            .map(|(_, line)| line.clone())
            .collect();
        let moved: f64 = lines.iter().map(|line| store.in_own_unit(line)).sum();
        let of = more(store, next, &m, moved);
        for line in lines {
            let mut line = left_by(&line);
            line.insert("move_id".into(), json!(of));
            picking::add_line(store, line);
        }
    }
}

fn open_step(store: &Store, header: &Row, kind: i64) -> Option<i64> {
    let open: Vec<i64> = store.open(PICKING).into_iter().flatten().copied().collect();
    let mut pickings = store.rows(PICKING, &open);
    let found = pickings.find(|(_, row)| {
        id_of(row, "picking_type_id") == kind
            && row["reference_ids"] == header["reference_ids"]
            && !matches!(text_of(row, "state"), "done" | "cancel")
    });
    found.map(|(id, _)| id)
}

fn more(store: &mut Store, picking: i64, of: &Row, quantity: f64) -> i64 {
    let same = store
        .of(MOVE, "picking_id", picking)
        .find(|(_, m)| m["product_id"] == of["product_id"]);
    if let Some((id, sum)) = same.map(|(id, m)| (id, number_of(m, "product_uom_qty") + quantity)) {
        store.set(MOVE, id, "product_uom_qty", json!(round(sum)));
        return id;
    }
    let values = json!({
        "picking_id": picking, "product_id": of["product_id"], "product_uom_qty": round(quantity),
        "sale_line_id": reference(id_of(of, "sale_line_id")),
    });
    picking::add_move(store, row(values), "confirmed")
}

/// A warehouse with its locations and operation types. Odoo makes all of them, whatever the number
/// of steps.
pub fn make_warehouse(store: &mut Store, values: &Row) -> i64 {
    let text = |field: &str, default: &str| match text_of(values, field) {
        "" => default.to_owned(),
        text => text.to_owned(),
    };
    let (code, name) = (text("code", "WH"), text("name", "YourCompany"));
    let (reception, delivery) = (
        text("reception_steps", "one_step"),
        text("delivery_steps", "ship_only"),
    );
    let warehouse = store.insert(WAREHOUSE, row(json!({
        "name": name, "code": code, "reception_steps": reception, "delivery_steps": delivery, "company_id": 1,
    })));
    let mut location = |name: &str, usage: &str, parent: i64, barcode: Value| {
        let full = if parent == 0 {
            code.clone()
        } else {
            format!("{code}/{name}")
        };
        store.insert("stock.location", row(json!({
            "name": name, "complete_name": full, "usage": usage, "barcode": barcode, "warehouse_id": warehouse,
            "location_id": reference(parent), "company_id": 1,
        })))
    };
    let view = location(&code, "view", 0, json!(false));
    let stock = location("Stock", "internal", view, json!(format!("{code}-STOCK")));
    let input = location("Input", "internal", view, json!(false));
    let output = location("Output", "internal", view, json!(false));
    let packing = location("Packing Zone", "internal", view, json!(false));
    let mut made = row(json!({
        "view_location_id": view, "lot_stock_id": stock, "wh_input_stock_loc_id": input,
        "wh_output_stock_loc_id": output, "wh_pack_stock_loc_id": packing,
    }));
    let places = [stock, input, output, packing];
    make_types(store, warehouse, places, (&reception, &delivery), &mut made);
    store.update(WAREHOUSE, warehouse, made);
    warehouse
}

fn make_types(
    store: &mut Store,
    warehouse: i64,
    [stock, input, output, packing]: [i64; 4],
    (reception, delivery): (&str, &str),
    made: &mut Row,
) {
    let outside = |usage: &str| {
        let mut locations = store.table("stock.location");
        locations
            .find(|(_, row)| text_of(row, "usage") == usage)
            .map_or(0, |(id, _)| id)
    };
    let (vendors, customers) = (outside("supplier"), outside("customer"));
    let one_step = delivery == "ship_only";
    let picked_to = if delivery == "pick_pack_ship" {
        packing
    } else {
        output
    };
    let received_at = if reception == "one_step" {
        stock
    } else {
        input
    };
    let kinds = [
        (
            "in_type_id",
            "Receipts",
            "incoming",
            "IN",
            vendors,
            received_at,
        ),
        (
            "out_type_id",
            "Delivery Orders",
            "outgoing",
            "OUT",
            if one_step { stock } else { output },
            customers,
        ),
        (
            "int_type_id",
            "Internal Transfers",
            "internal",
            "INT",
            stock,
            stock,
        ),
        ("pick_type_id", "Pick", "internal", "PICK", stock, picked_to),
        ("pack_type_id", "Pack", "internal", "PACK", packing, output),
        ("store_type_id", "Storage", "internal", "STOR", input, stock),
    ];
    for (field, name, kind, sequence, from, to) in kinds {
        let used = match sequence {
            "PICK" => !one_step,
            "PACK" => delivery == "pick_pack_ship",
            "STOR" => reception != "one_step",
            _ => true,
        };
        let id = store.insert(KIND, row(json!({
            "name": name, "code": kind, "sequence_code": sequence, "warehouse_id": warehouse,
            "default_location_src_id": from, "default_location_dest_id": to, "create_backorder": "ask", "reservation_method": "at_confirm",
            "use_create_lots": kind != "internal", "use_existing_lots": true, "active": used, "company_id": 1,
        })));
        made.insert(field.to_owned(), json!(id));
    }
    store.set(
        KIND,
        id_of(made, "out_type_id"),
        "return_picking_type_id",
        made["in_type_id"].clone(),
    );
    store.set(
        KIND,
        id_of(made, "in_type_id"),
        "return_picking_type_id",
        made["out_type_id"].clone(),
    );
}
