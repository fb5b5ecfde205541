//! Odoo's search domains: a list of conditions in prefix notation, joined by an implicit "and".

use std::cmp::Ordering;

use serde_json::Value;

use super::refusal::Refusal;
use super::schema::{self, Kind};
use super::store::{Row, Store, id_of};

#[derive(Debug)]
pub enum Domain {
    All(Vec<Domain>),
    Any(Vec<Domain>),
    Not(Box<Domain>),
    Is {
        path: String,
        operator: String,
        value: Value,
    },
}

impl Domain {
    /// Reads a domain as JSON has it.
    pub fn parse(value: &Value) -> Result<Self, Refusal> {
        let Value::Array(terms) = value else {
            let text = python(value);
            return Err(Refusal::Type(format!(
                "Domain() invalid argument type for domain: {text}"
            )));
        };
        let mut stack: Vec<Self> = Vec::new();
        for term in terms.iter().rev() {
            let parsed = match term {
                Value::String(operator) => Self::join(operator, &mut stack),
                Value::Array(parts) => Self::condition(parts),
                _ => None,
            };
            let malformed = || Refusal::Value(format!("Domain() invalid item in domain: {term}"));
            stack.push(parsed.ok_or_else(malformed)?);
        }
        stack.reverse();
        Ok(Self::All(stack))
    }

    fn join(operator: &str, stack: &mut Vec<Self>) -> Option<Self> {
        let first = stack.pop()?;
        match operator {
            "!" => Some(Self::Not(Box::new(first))),
            "&" => Some(Self::All(vec![first, stack.pop()?])),
            "|" => Some(Self::Any(vec![first, stack.pop()?])),
            _ => None,
        }
    }

    fn condition(parts: &[Value]) -> Option<Self> {
        let [path, operator, value] = parts else {
            return None;
        };
        Some(Self::Is {
            path: path.as_str()?.to_owned(),
            operator: operator.as_str()?.to_owned(),
            value: value.clone(),
        })
    }

    /// Whether a condition names this field: Odoo then leaves archived records to the domain.
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.names(field)),
            Self::Not(part) => part.names(field),
            Self::Is { path, .. } => path == field,
        }
    }

    /// Refuses fields and operators that the model does not have.
    pub fn check(&self, model: &'static str) -> Result<(), Refusal> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().try_for_each(|p| p.check(model)),
            Self::Not(part) => part.check(model),
            Self::Is {
                path,
                operator,
                value,
            } => {
                let unknown = |model: &str, name: &str| {
                    let value = python(value);
                    Refusal::Value(format!(
                        "Invalid field {model}.{name} in condition ('{path}', '{operator}', {value})"
                    ))
                };
                let mut model = model;
                for name in path.split('.') {
                    let field = schema::lookup(model, name).ok_or_else(|| unknown(model, name))?;
                    if let Kind::One(to) | Kind::Many(to, _) = field.kind {
                        model = to;
                    }
                }
                if OPERATORS.contains(&operator.as_str()) {
                    Ok(())
                } else {
                    Err(Refusal::Value(format!(
                        "Invalid operator in ('{path}', '{operator}')"
                    )))
                }
            }
        }
    }

    #[must_use]
    pub fn holds(&self, store: &Store, model: &'static str, row: &Row) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(store, model, row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(store, model, row)),
            Self::Not(part) => !part.holds(store, model, row),
            Self::Is {
                path,
                operator,
                value,
            } => compare(store, model, row, path, operator, value),
        }
    }
}

const OPERATORS: &[&str] = &[
    "=", "!=", "in", "not in", ">", ">=", "<", "<=", "like", "ilike", "not like", "child_of",
];

fn compare(
    store: &Store,
    model: &'static str,
    row: &Row,
    path: &str,
    operator: &str,
    wanted: &Value,
) -> bool {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(field) = schema::lookup(model, name) else {
        return false;
    };
    if let (Kind::One(to), false) = (field.kind, rest.is_empty()) {
        let target = store.value(model, row, name).as_i64();
        let target = target.and_then(|id| store.row(to, id));
        return target.is_some_and(|target| compare(store, to, target, rest, operator, wanted));
    }
    if let (Kind::Many(to, _), false) = (field.kind, rest.is_empty()) {
        let ids = store.many(model, id_of(row, "id"), name);
        let mut targets = ids.iter().filter_map(|id| store.row(to, *id));
        return targets.any(|target| compare(store, to, target, rest, operator, wanted));
    }
    let found = store.value(model, row, name);
    if operator == "child_of" {
        let start = found.as_i64().unwrap_or(0);
        return is_below(store, start, wanted);
    }
    if let Value::Array(found) = &found {
        if matches!(operator, "!=" | "not in") {
            return found.iter().all(|one| plain(operator, one, wanted));
        }
        let any = found.iter().any(|one| plain(operator, one, wanted));
        return any || (found.is_empty() && plain(operator, &Value::Bool(false), wanted));
    }
    plain(operator, &found, wanted)
}

/// Locations only: whether one is among `wanted`, or below one of them.
fn is_below(store: &Store, start: i64, wanted: &Value) -> bool {
    let mut location = start;
    while location != 0 {
        let here = Value::from(location);
        if plain("in", &here, wanted) || here == *wanted {
            return true;
        }
        location = store
            .row("stock.location", location)
            .map_or(0, |row| id_of(row, "location_id"));
    }
    false
}

fn plain(operator: &str, found: &Value, wanted: &Value) -> bool {
    let among = || match wanted {
        Value::Array(list) => list.iter().any(|one| same(found, one)),
        one => same(found, one),
    };
    let contains = |fold: fn(&str) -> String| match (found.as_str(), wanted.as_str()) {
        (Some(found), Some(wanted)) => fold(found).contains(&fold(wanted)),
        _ => false,
    };
    match operator {
        "=" | "in" => among(),
        "!=" | "not in" => !among(),
        "like" => contains(str::to_owned),
        "not like" => !contains(str::to_owned),
        "ilike" => contains(str::to_lowercase),
        ">" => order(found, wanted) == Some(Ordering::Greater),
        "<" => order(found, wanted) == Some(Ordering::Less),
        ">=" => matches!(
            order(found, wanted),
            Some(Ordering::Greater | Ordering::Equal)
        ),
        "<=" => matches!(order(found, wanted), Some(Ordering::Less | Ordering::Equal)),
        _ => false,
    }
}

/// Odoo treats null, false and the empty text as equal.
fn same(found: &Value, wanted: &Value) -> bool {
    let unset = |v: &Value| matches!(v, Value::Null | Value::Bool(false)) || v.as_str() == Some("");
    (unset(found) && unset(wanted)) || order(found, wanted) == Some(Ordering::Equal)
}

/// Compares two values of one kind. `None`: they are of different kinds.
#[must_use]
pub fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A value as Python prints it, for messages.
#[must_use]
pub fn python(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}
