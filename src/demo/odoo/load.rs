//! `load`: creates records from rows of text, unless their external id exists. A call loads all
//! rows, or nothing.

mod cells;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::cells::{Cell, value};
use super::params::Params;
use super::refusal::Refusal;
use super::schema::{self, Field, Kind};
use super::store::{Row, Store};
use super::version::Version;
use super::{Caller, picking, rules, seed};

/// The reason to refuse a call that would change the operation type of a finished picking.
const GUARD: &str = "Changing the operation type of this record is forbidden at this point.";

/// A column: `id`, `.id`, a field, or a field of the nested rows.
#[derive(Debug)]
enum Column {
    ExternalId,
    DatabaseId,
    Own(Cell),
    Nested(&'static str, Cell),
    /// The external id of a nested row.
    NestedId(&'static str),
    /// Its id.
    NestedDatabaseId(&'static str),
}

/// A nested row: its external id, if it is given one, and its values.
#[derive(Debug, Default)]
struct Nested {
    external: String,
    database: Option<i64>,
    values: Row,
}

/// One record of the call, converted.
#[derive(Debug, Default)]
struct Record {
    rows: (usize, usize),
    external: String,
    database: String,
    own: Row,
    nested: BTreeMap<&'static str, Vec<Nested>>,
}

pub fn load(
    store: &mut Store,
    caller: Caller,
    model: &'static str,
    params: &Params,
) -> Result<Value, Refusal> {
    params.only(&["fields", "data"])?;
    let columns = columns(model, params.required("fields")?)?;
    let rows = rows(params.required("data")?, columns.len())?;
    let zone = params.context("tz").and_then(Value::as_str);
    let zone = zone.unwrap_or(super::USER_ZONE);
    let mut messages = Vec::new();
    let mut records = Vec::new();
    for span in spans(&columns, &rows) {
        let index = records.len();
        let rows = &rows[span.0..=span.1];
        let record = convert(store, zone, &columns, rows, (span, index), &mut messages);
        records.push(record);
    }
    let planned: Vec<Plan> = records
        .into_iter()
        .enumerate()
        .filter_map(
            |(index, record)| match plan(store, caller, model, record, params) {
                Ok(plan) => Some(plan),
                Err((span, field, message)) => {
                    messages.push(build_message(index, span, field.as_deref(), &message));
                    None
                }
            },
        )
        .collect();
    if messages.iter().any(|message| message["message"] == GUARD) {
        // Odoo does not tell which of the pickings it is.
        messages = (0..planned.len() + messages.len())
            .map(|record| build_message(record, (record, record), None, GUARD))
            .collect();
    }
    if !messages.is_empty() {
        return Ok(json!({"ids": false, "messages": messages, "nextrow": 0}));
    }
    let module = module(params);
    let ids: Vec<i64> = planned
        .into_iter()
        .map(|plan| carry_out(store, model, &module, plan))
        .collect();
    Ok(json!({"ids": ids, "messages": [], "nextrow": 0}))
}

/// Lists the external ids that a call would create, to find concurrent calls for the same ids.
#[must_use]
pub fn keys(params: &Params) -> Vec<String> {
    let names = params.get("fields").and_then(Value::as_array);
    let is_key = |name: &Value| name == "id" || name == "move_line_ids/id";
    let column = names.and_then(|names| names.iter().position(is_key));
    let rows = params.get("data").and_then(Value::as_array);
    let cell = |row: &Value| Some(row.get(column?)?.as_str()?.to_owned());
    let keys = rows.into_iter().flatten().filter_map(cell);
    keys.filter(|key| !key.is_empty()).collect()
}

/// The error of the second of two concurrent calls: transient, so that the client retries.
#[must_use]
pub fn could_not_serialize(records: usize) -> Value {
    let message = "could not serialize access due to concurrent update\n";
    let messages: Vec<Value> = (0..records.max(1))
        .map(|record| build_message(record, (record, record), None, message))
        .collect();
    json!({"ids": false, "messages": messages, "nextrow": 0})
}

fn build_message(record: usize, rows: (usize, usize), field: Option<&str>, message: &str) -> Value {
    let mut out = json!({
        "rows": {"from": rows.0, "to": rows.1}, "type": "error", "record": record, "message": message,
    });
    if let Some(field) = field {
        out["field"] = json!(field);
    }
    out
}

fn module(params: &Params) -> String {
    let module = params.context("module").and_then(Value::as_str);
    module.unwrap_or("__import__").to_owned()
}

fn columns(model: &'static str, names: &Value) -> Result<Vec<Column>, Refusal> {
    let names = names.as_array().into_iter().flatten();
    let unknown = |name: &str| Refusal::Value(format!("Invalid field name '{name}'"));
    let cell = |model: &'static str, path: &str| {
        let (name, by_id) = match path.strip_suffix("/.id") {
            Some(name) => (name, true),
            None => (path, false),
        };
        let field = schema::lookup(model, name).ok_or_else(|| unknown(name))?;
        Ok::<_, Refusal>(Cell {
            model,
            field,
            by_id,
        })
    };
    names
        .map(|name| match name.as_str().unwrap_or("") {
            "id" => Ok(Column::ExternalId),
            ".id" => Ok(Column::DatabaseId),
            path => {
                let head = path.split('/').next().unwrap_or("");
                let field = schema::lookup(model, head).ok_or_else(|| unknown(head))?;
                match (field.kind, path.split_once('/')) {
                    (Kind::Many(..), Some((_, "id"))) => Ok(Column::NestedId(field.name)),
                    (Kind::Many(..), Some((_, ".id"))) => Ok(Column::NestedDatabaseId(field.name)),
                    (Kind::Many(to, _), Some((_, rest))) => {
                        Ok(Column::Nested(field.name, cell(to, rest)?))
                    }
                    _ => Ok(Column::Own(cell(model, path)?)),
                }
            }
        })
        .collect()
}

fn rows(data: &Value, width: usize) -> Result<Vec<Vec<String>>, Refusal> {
    let text = |cell: &Value| match cell {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(false) => String::new(),
        other => other.to_string(),
    };
    data.as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let cells: Vec<String> = row.as_array().into_iter().flatten().map(text).collect();
            if cells.len() < width {
                return Err(Refusal::Index("list index out of range".to_owned()));
            }
            Ok(cells)
        })
        .collect()
}

/// A row with nothing in the record's own columns belongs to the record above it.
fn spans(columns: &[Column], rows: &[Vec<String>]) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let filled = |nested: bool| {
            let mut cells = columns.iter().zip(row);
            cells.any(|(c, cell)| {
                let is_nested = matches!(
                    c,
                    Column::Nested(..) | Column::NestedId(_) | Column::NestedDatabaseId(_)
                );
                is_nested == nested && !cell.is_empty()
            })
        };
        match spans.last_mut() {
            Some(span) if filled(true) && !filled(false) => span.1 = index,
            _ => spans.push((index, index)),
        }
    }
    spans
}

fn convert(
    store: &Store,
    zone: &str,
    columns: &[Column],
    rows: &[Vec<String>],
    (span, index): ((usize, usize), usize),
    messages: &mut Vec<Value>,
) -> Record {
    let mut record = Record {
        rows: span,
        ..Record::default()
    };
    for (column, text) in columns.iter().zip(&rows[0]) {
        match column {
            Column::ExternalId => record.external.clone_from(text),
            Column::DatabaseId => record.database.clone_from(text),
            Column::Own(cell) if !text.is_empty() => match value(store, zone, cell, text, None) {
                Ok(value) => {
                    record.own.insert(cell.field.name.to_owned(), value);
                }
                Err(message) => {
                    messages.push(at_field(index, span, cell.field, cell.by_id, &message));
                }
            },
            _ => {}
        }
    }
    // Odoo names the field that holds the nested rows, and stops at its first fault.
    let mut faulty: Vec<&str> = Vec::new();
    for row in rows {
        let mut lines: BTreeMap<&'static str, Nested> = BTreeMap::new();
        for (column, text) in columns.iter().zip(row) {
            if let (Column::NestedId(parent), false) = (column, text.is_empty()) {
                lines.entry(parent).or_default().external.clone_from(text);
            }
            if let (Column::NestedDatabaseId(parent), Ok(id)) = (column, text.parse()) {
                lines.entry(parent).or_default().database = Some(id);
            }
            let Column::Nested(parent, cell) = column else {
                continue;
            };
            if text.is_empty() || faulty.contains(parent) {
                continue;
            }
            let label = parent_label(parent);
            match value(store, zone, cell, text, Some(label)) {
                Ok(value) => {
                    let line = lines.entry(parent).or_default();
                    line.values.insert(cell.field.name.to_owned(), value);
                }
                Err(message) => {
                    faulty.push(parent);
                    let mut out = build_message(index, span, Some(parent), &message);
                    out["field_name"] = json!(label);
                    messages.push(out);
                }
            }
        }
        for (parent, line) in lines {
            record.nested.entry(parent).or_default().push(line);
        }
    }
    record
}

fn parent_label(field: &str) -> &'static str {
    schema::lookup("stock.picking", field).map_or("", |field| field.label)
}

fn at_field(
    index: usize,
    span: (usize, usize),
    field: &Field,
    by_id: bool,
    message: &str,
) -> Value {
    let mut out = build_message(index, span, Some(field.name), message);
    out["field_name"] = json!(field.label);
    if let (true, Kind::One(to)) = (by_id, field.kind) {
        out["moreinfo"] = json!({
            "name": "Possible Values", "type": "ir.actions.act_window", "target": "new",
            "view_mode": "list,form", "views": [[false, "list"], [false, "form"]],
            "context": {"create": false}, "help": "See all possible values",
            "res_model": "ir.model.data", "domain": [["model", "=", to]],
        });
    }
    out
}

/// The plan for a record, before any write.
#[derive(Debug)]
enum Plan {
    /// The record exists and does not change.
    Keep(i64),
    Update(i64, Row, BTreeMap<&'static str, Vec<Nested>>),
    /// The same record as an earlier row of this call.
    Create {
        external: String,
        record: Row,
        nested: BTreeMap<&'static str, Vec<Nested>>,
    },
}

type CellFault = ((usize, usize), Option<String>, String);

fn plan(
    store: &Store,
    caller: Caller,
    model: &'static str,
    record: Record,
    params: &Params,
) -> Result<Plan, CellFault> {
    let span = record.rows;
    let updating = params.context("mode") == Some(&json!("update"));
    let known = if record.database.is_empty() {
        store
            .external(&module(params), &record.external)
            .map(|(_, id)| id)
    } else {
        record
            .database
            .parse()
            .ok()
            .filter(|id| store.row(model, *id).is_some())
    };
    if let Some(id) = known {
        // `.id` rows write always; external ids only where neither side says "noupdate".
        if record.database.is_empty() && updating && params.context_flag("noupdate") {
            return Ok(Plan::Keep(id));
        }
        let hidden = |row: &Row| rules::hides(store, caller, model, row, "write");
        if store.row(model, id).is_some_and(hidden) {
            return Err((span, None, rules::denied("write", model).message()));
        }
        picking::check_write(store, model, id, &record.own)
            .map_err(|refusal| (span, None, refusal.message()))?;
        if let Some(lines) = record.nested.get("move_line_ids") {
            check_lines(store, params, lines).map_err(|message| (span, None, message))?;
        }
        return Ok(Plan::Update(id, record.own, record.nested));
    }
    if !record.database.is_empty() {
        let text = format!("Unknown database identifier '{}'", record.database);
        return Err((span, Some(".id".to_owned()), text));
    }
    if record.external.is_empty() && updating {
        let text = "Cannot update a record without specifying its id or xml_id".to_owned();
        return Err((span, None, text));
    }
    if let Some(name) = lacking(store.version, model, &record.own) {
        let label = schema::lookup(model, name).map_or("", |field| field.label);
        let text = format!(
            "Missing required value for the field '{label}' ({name}).\nModel: '{}' ({model})\n\
             - create/update: a mandatory field is not set\n\
             - delete: another model requires the record being deleted, you can archive it instead\n",
            schema::label(model)
        );
        return Err((span, Some(name.to_owned()), text));
    }
    if model == picking::LINE {
        picking::check_line(store, &record.own).map_err(|message| (span, None, message))?;
    }
    if let Some(lines) = record.nested.get("move_line_ids") {
        check_lines(store, params, lines).map_err(|message| (span, None, message))?;
    }
    Ok(Plan::Create {
        external: record.external,
        record: record.own,
        nested: record.nested,
    })
}

/// Checks the nested rows that the call creates. Existing ones are only written.
fn check_lines(store: &Store, params: &Params, lines: &[Nested]) -> Result<(), String> {
    let module = module(params);
    let is_new = |line: &&Nested| {
        line.database.is_none() && store.external(&module, &line.external).is_none()
    };
    let mut new = lines.iter().filter(is_new);
    new.try_for_each(|line| picking::check_line(store, &line.values))
}

/// Finds the first required field without a value.
fn lacking(version: Version, model: &str, own: &Row) -> Option<&'static str> {
    let required: &[&str] = match model {
        "stock.picking" => &["location_id", "location_dest_id", "picking_type_id"],
        "stock.lot" if version < Version::V18 => &["name", "company_id"],
        "stock.package" | "stock.lot" => &["name"],
        // The company comes from any of these.
        "stock.move.line" => {
            let sources = ["picking_id", "move_id", "product_id", "location_id"];
            let known = sources.iter().any(|name| own.contains_key(*name));
            if known { &[] } else { &["company_id"] }
        }
        _ => &[],
    };
    required
        .iter()
        .copied()
        .find(|name| !own.contains_key(*name))
}

fn add_or_write(store: &mut Store, module: &str, picking: i64, line: Nested) {
    let mut values = line.values;
    values.insert("picking_id".into(), json!(picking));
    let known = store.external(module, &line.external).map(|(_, id)| id);
    if let Some(id) = line.database.or(known) {
        picking::write(store, picking::LINE, id, values);
        return;
    }
    let id = picking::add_line(store, values);
    if !line.external.is_empty() {
        store.name_externally(module, &line.external, picking::LINE, id);
    }
}

fn carry_out(store: &mut Store, model: &'static str, module: &str, plan: Plan) -> i64 {
    match plan {
        Plan::Keep(id) => id,
        Plan::Update(id, values, mut nested) => {
            picking::write(store, model, id, values);
            for line in nested.remove("move_line_ids").unwrap_or_default() {
                add_or_write(store, module, id, line);
            }
            for of in nested.remove("move_ids").unwrap_or_default() {
                if let Some(known) = of.database {
                    picking::write(store, picking::MOVE, known, of.values);
                }
            }
            id
        }
        Plan::Create {
            external,
            record,
            mut nested,
        } => {
            if let Some((_, id)) = store.external(module, &external) {
                return id;
            }
            let id = match model {
                picking::PICKING => {
                    let id = picking::create(store, record);
                    for mut wanted in nested.remove("move_ids").unwrap_or_default() {
                        wanted.values.insert("picking_id".into(), json!(id));
                        picking::add_move(store, wanted.values, "draft");
                    }
                    for line in nested.remove("move_line_ids").unwrap_or_default() {
                        add_or_write(store, module, id, line);
                    }
                    id
                }
                picking::LINE => picking::add_line(store, record),
                picking::MOVE => picking::add_move(store, record, "draft"),
                _ => {
                    let values = seed::complete(store, model, record);
                    store.insert(model, values)
                }
            };
            if !external.is_empty() {
                store.name_externally(module, &external, model, id);
            }
            id
        }
    }
}
