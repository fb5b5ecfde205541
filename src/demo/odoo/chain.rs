//! The steps of an order in 17, which are all created at once. A later step waits for the goods of
//! the step before; since 18 it is created then.
//!
//! A move names the move that it hands on to in `dest_move`, which no call sees.

use serde_json::json;

use super::goods::left_by;
use super::picking::{self, KIND, LINE, MOVE};
use super::store::{Row, Store, id_of, text_of};
use super::version::Version;

pub const WAREHOUSE: &str = "stock.warehouse";

/// The operation type that follows this one in its warehouse.
#[must_use]
pub fn following(store: &Store, kind: i64) -> i64 {
    let Some(row) = store.row(KIND, kind) else {
        return 0;
    };
    let Some(warehouse) = store.row(WAREHOUSE, id_of(row, "warehouse_id")) else {
        return 0;
    };
    let is = |field: &str| id_of(warehouse, field) == kind;
    match (
        text_of(warehouse, "reception_steps"),
        text_of(warehouse, "delivery_steps"),
    ) {
        (_, "pick_pack_ship") if is("pick_type_id") => id_of(warehouse, "pack_type_id"),
        (_, "pick_ship") if is("pick_type_id") => id_of(warehouse, "out_type_id"),
        (_, "pick_pack_ship") if is("pack_type_id") => id_of(warehouse, "out_type_id"),
        // 17 has no operation type for it.
        ("two_steps", _) if is("in_type_id") && store.version < Version::V18 => {
            id_of(warehouse, "int_type_id")
        }
        ("two_steps", _) if is("in_type_id") => id_of(warehouse, "store_type_id"),
        _ => 0,
    }
}

/// The operation types of an order's steps, from this one on.
#[must_use]
pub fn steps(store: &Store, first: i64) -> Vec<i64> {
    let mut kinds = vec![first];
    loop {
        match following(store, kinds[kinds.len() - 1]) {
            0 => return kinds,
            kind if kinds.contains(&kind) => return kinds,
            kind => kinds.push(kind),
        }
    }
}

/// Makes the later steps of an order, and answers for each of the first step's moves the one that
/// it hands on to; 0 where there is none. The last step of a delivery is made first.
pub fn plan(store: &mut Store, header: &Row, moves: &[Row]) -> Vec<i64> {
    let mut kinds = steps(store, id_of(header, "picking_type_id"));
    kinds.remove(0);
    let mut next = vec![0; moves.len()];
    for kind in kinds.into_iter().rev() {
        let mut values = header.clone();
        values.insert("picking_type_id".into(), json!(kind));
        for end in ["location_id", "location_dest_id"] {
            values.remove(end);
        }
        let id = picking::create(store, values);
        for (wanted, next) in moves.iter().zip(&mut next) {
            let mut wanted = wanted.clone();
            wanted.insert("picking_id".into(), json!(id));
            wanted.insert("dest_move".into(), json!(*next));
            *next = picking::add_move(store, wanted, "waiting");
        }
        picking::refresh(store, id);
    }
    next
}

/// Moves the goods of finished moves into the moves after them.
pub fn hand_on(store: &mut Store, posted: &[i64]) {
    for id in posted {
        let Some(of) = store.row(MOVE, *id) else {
            continue;
        };
        let next = id_of(of, "dest_move");
        let is_open = |row: &Row| !matches!(text_of(row, "state"), "done" | "cancel");
        if !store.row(MOVE, next).is_some_and(is_open) {
            continue;
        }
        let lines: Vec<Row> = store
            .of(LINE, "move_id", *id)
            .map(|(_, line)| left_by(line))
            .collect();
        for mut line in lines {
            line.insert("move_id".into(), json!(next));
            picking::add_line(store, line);
        }
    }
}

/// The rest of a move is a move of its own: what still comes is for the rest.
pub fn split(store: &mut Store, of: i64, rest: i64) {
    let before: Vec<i64> = store
        .table(MOVE)
        .filter(|(_, row)| {
            id_of(row, "dest_move") == of && !matches!(text_of(row, "state"), "done" | "cancel")
        })
        .map(|(id, _)| id)
        .collect();
    if !before.is_empty() {
        store.set(MOVE, rest, "state", json!("waiting"));
    }
    for id in before {
        store.set(MOVE, id, "dest_move", json!(rest));
    }
}
