//! `search_read`, `read`, `web_read` and their kin: rows out, as Odoo dresses them.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::domain::{Domain, order};
use super::narrow::candidates;
use super::params::Params;
use super::refusal::Refusal;
use super::schema::{self, Kind};
use super::store::{Row, Store};

/// `search`: the ids that a domain, an order and a window select.
pub fn search(store: &Store, model: &'static str, params: &Params) -> Result<Vec<i64>, Refusal> {
    let empty = json!([]);
    let domain = Domain::parse(params.get("domain").unwrap_or(&empty))?;
    domain.check(model)?;
    let sorting = sorting(model, params)?;
    // Archived records stay out unless somebody asks for them.
    let archived = schema::lookup(model, "active").is_none()
        || domain.names("active")
        || params.context("active_test") == Some(&json!(false));
    let rows: Vec<(i64, &Row)> = match candidates(store, model, &domain) {
        Some(ids) => store.rows(model, &ids).collect(),
        None => store.table(model).collect(),
    };
    let mut found: Vec<(i64, &Row)> = rows
        .into_iter()
        .filter(|(_, row)| archived || row.get("active") != Some(&json!(false)))
        .filter(|(_, row)| domain.holds(store, model, row))
        .collect();
    found.sort_by(|(_, left), (_, right)| {
        sorting
            .iter()
            .map(|(field, descending)| {
                let (left, right) = (
                    store.value(model, left, field),
                    store.value(model, right, field),
                );
                let ordering = order(&left, &right).unwrap_or(Ordering::Equal);
                if *descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    let skip = params.whole("offset").unwrap_or(0);
    let take = params.whole("limit").filter(|limit| *limit > 0);
    let ids = found.into_iter().map(|(id, _)| id).skip(skip);
    Ok(ids.take(take.unwrap_or(usize::MAX)).collect())
}

fn sorting(model: &'static str, params: &Params) -> Result<Vec<(String, bool)>, Refusal> {
    let Some(text) = params.get("order").and_then(Value::as_str) else {
        return Ok(Vec::new());
    };
    text.split(',')
        .map(|term| {
            let mut words = term.split_whitespace();
            let field = words.next().unwrap_or("");
            let descending = words.next().is_some_and(|w| w.eq_ignore_ascii_case("desc"));
            match schema::lookup(model, field) {
                Some(_) => Ok((field.to_owned(), descending)),
                None => Err(Refusal::Value(format!(
                    "Invalid field '{field}' on '{model}'"
                ))),
            }
        })
        .collect()
}

/// `read`: references as `[id, name]`. Records that are gone are left out.
pub fn read(
    store: &Store,
    model: &'static str,
    ids: &[i64],
    params: &Params,
) -> Result<Value, Refusal> {
    let asked = params.get("fields").and_then(Value::as_array);
    let asked: Vec<&str> = match asked.filter(|list| !list.is_empty()) {
        Some(list) => list.iter().filter_map(Value::as_str).collect(),
        None => schema::fields(model).map(|field| field.name).collect(),
    };
    for name in &asked {
        find_kind(model, name)?;
    }
    // With `load` empty, references stay bare ids.
    let bare = params.is_empty("load");
    let one = |id: &i64| {
        let row = store.row(model, *id)?;
        let mut out = Row::from_iter([("id".to_owned(), json!(id))]);
        for name in &asked {
            let value = if bare {
                store.value(model, row, name)
            } else {
                dressed(store, model, row, name)
            };
            out.insert((*name).to_owned(), value);
        }
        Some(Value::Object(out))
    };
    Ok(ids.iter().filter_map(one).collect())
}

fn find_kind(model: &str, name: &str) -> Result<Kind, Refusal> {
    schema::lookup(model, name)
        .map(|field| field.kind)
        .ok_or_else(|| Refusal::Value(format!("Invalid field '{name}' on '{model}'")))
}

fn dressed(store: &Store, model: &str, row: &Row, name: &str) -> Value {
    let value = store.value(model, row, name);
    match (schema::lookup(model, name).map(|f| f.kind), value.as_i64()) {
        (Some(Kind::One(to)), Some(id)) => json!([id, store.display_name(to, id)]),
        _ => value,
    }
}

/// `web_read`: what a specification asks for, references opened where it has `fields` for them.
pub fn web_read(
    store: &Store,
    model: &'static str,
    ids: &[i64],
    specification: &Value,
) -> Result<Value, Refusal> {
    let mut out = Vec::new();
    for id in ids {
        let Some(row) = store.row(model, *id) else {
            continue;
        };
        let mut shown = Row::from_iter([("id".to_owned(), json!(id))]);
        for (name, inner) in specification.as_object().into_iter().flatten() {
            let kind = find_kind(model, name)?;
            let value = store.value(model, row, name);
            let opened = match (kind, inner.get("fields")) {
                (Kind::One(to), Some(fields)) => match value.as_i64() {
                    Some(id) => web_read(store, to, &[id], fields)?[0].take(),
                    None => value,
                },
                (Kind::Many(to, _), Some(fields)) => {
                    let ids = store.many(model, *id, name);
                    web_read(store, to, &ids, fields)?
                }
                _ => value,
            };
            shown.insert(name.clone(), opened);
        }
        out.push(Value::Object(shown));
    }
    Ok(Value::Array(out))
}
