//! Translates calls for Odoo 17 and 18, and their answers. All other modules use the calls of Odoo
//! 19.
//!
//! `docs/odoo.md`, "Odoo 17 and 18", lists what was tried on these versions, and what was only read
//! in their sources.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The field names of one yearly version. A version between two yearly ones, as on Odoo's own
/// servers, counts as the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    V17,
    V18,
    /// Odoo 19 and later.
    V19,
}

pub(super) const PICKING: &str = "stock.picking";

/// The columns that carry the true time of a picking, of its moves and of their lines.
pub(super) const TIMES: [&str; 6] = [
    ".id",
    "date_done",
    "move_ids/.id",
    "move_ids/date",
    "move_line_ids/.id",
    "move_line_ids/date",
];

/// The columns that add lines to an unfinished order, as Odoo 19 and 18 check them.
const GUARD: [&str; 4] = [
    ".id",
    "picking_type_id/.id",
    "location_id/.id",
    "location_dest_id/.id",
];

impl Dialect {
    /// The dialect of a version. `None`: Odoo is too old. An unreadable version counts as a new
    /// one.
    pub fn of(version: &str) -> Option<Self> {
        // Odoo's own servers report `saas~19.1`.
        let digits: String = (version.chars())
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        match digits.parse::<u32>() {
            Ok(0..17) => None,
            Ok(17) => Some(Self::V17),
            Ok(18) => Some(Self::V18),
            _ => Some(Self::V19),
        }
    }

    fn model(model: &str) -> &str {
        match model {
            "stock.package" => "stock.quant.package",
            "product.uom" => "product.packaging",
            same => same,
        }
    }

    /// The name of a field in this version of Odoo. `None`: this version lacks the field.
    fn field<'a>(self, model: &str, field: &'a str) -> Option<&'a str> {
        match (model, field) {
            // Odoo 17 and 18 have `factor`, but it is the reciprocal.
            ("uom.uom", "factor") => Some("factor_inv"),
            // Units of one category can be converted into each other.
            ("uom.uom", "parent_path") => Some("category_id"),
            ("stock.picking", "reference_ids") => Some("group_id"),
            // A packaging has no unit: it has its quantity in the product's own unit.
            ("product.uom", "uom_id") => Some("qty"),
            ("product.product", "is_storable") if self < Self::V18 => Some("type"),
            ("res.users.apikeys", "expiration_date") if self < Self::V18 => None,
            _ => Some(field),
        }
    }

    /// Translates a call into the version's names.
    pub(super) fn said(self, model: &str, method: &str, body: &Value) -> (String, String, Value) {
        let mut body = body.clone();
        let method = match method {
            "has_access" if self < Self::V18 => {
                let context = body["context"].take();
                body = json!({"operation": body["operation"], "raise_exception": false});
                if !context.is_null() {
                    body["context"] = context;
                }
                "check_access_rights"
            }
            same => same,
        };
        // The columns of `load` are not fields to translate here.
        if method != "load"
            && let Some(fields) = body.get_mut("fields").and_then(Value::as_array_mut)
        {
            *fields = (fields.iter())
                .filter_map(|field| self.field(model, field.as_str()?))
                .map(|field| json!(field))
                .collect();
        }
        if let Some(domain) = body.get_mut("domain") {
            self.translate_domain(model, domain);
        }
        (Self::model(model).to_owned(), method.to_owned(), body)
    }

    /// Replaces the field of each condition by the version's own. Before Odoo 19, related orders
    /// have a common group instead of references; Odoo 17 has a product's `type` instead of
    /// `is_storable`.
    fn translate_domain(self, model: &str, domain: &mut Value) {
        for leaf in domain.as_array_mut().into_iter().flatten() {
            let Some(field) = leaf.get(0).and_then(Value::as_str) else {
                continue;
            };
            if self < Self::V18 && (model, field) == ("product.product", "is_storable") {
                let is_wanted = (leaf[1] == "=") == (leaf[2] == Value::Bool(true));
                *leaf = json!(["type", if is_wanted { "=" } else { "!=" }, "product"]);
                continue;
            }
            leaf[0] = json!(field.replace("reference_ids", "group_id"));
        }
    }

    /// Translates an answer into the names of Odoo 19.
    pub(super) fn understood(self, model: &str, mut answer: Value) -> Value {
        for row in answer.as_array_mut().into_iter().flatten() {
            let Some(row) = row.as_object_mut() else {
                continue;
            };
            match model {
                "uom.uom" => {
                    rename(row, "factor_inv", "factor");
                    rename(row, "category_id", "parent_path");
                }
                "stock.picking" => rename(row, "group_id", "reference_ids"),
                "product.uom" => rename(row, "qty", "contained"),
                "product.product" if self < Self::V18 => {
                    if let Some(kind) = row.remove("type") {
                        row.insert("is_storable".to_owned(), json!(kind == "product"));
                    }
                }
                _ => {}
            }
        }
        answer
    }
}

fn rename(row: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = row.remove(from) {
        row.insert(to.to_owned(), value);
    }
}

/// Adds the guard of Odoo 17 to rows that add lines. Odoo 17 allows no change of the operation type
/// on a confirmed order, but allows a new scheduled date until the order is done or cancelled. The
/// rows write the date unchanged.
pub(super) fn guarded(body: &Value, scheduled: &BTreeMap<String, String>) -> Value {
    let mut body = body.clone();
    let swap = |row: &mut Vec<Value>, cell: Value| {
        row.splice(1..GUARD.len(), [cell]);
    };
    if let Some(fields) = body["fields"].as_array_mut() {
        swap(fields, json!("scheduled_date"));
    }
    for row in body["data"].as_array_mut().into_iter().flatten() {
        if let Some(row) = row.as_array_mut() {
            let of = row.first().and_then(Value::as_str);
            let date = of.and_then(|id| scheduled.get(id)).cloned();
            swap(row, json!(date.unwrap_or_default()));
        }
    }
    body
}

/// Adds the same guard to a write to the lines of an order.
pub(super) fn guarded_write(body: &Value, scheduled: &BTreeMap<String, String>) -> Value {
    let mut body = body.clone();
    let id = body["ids"][0].to_string();
    if let Some(values) = body["vals"].as_object_mut() {
        for name in ["picking_type_id", "location_id", "location_dest_id"] {
            values.remove(name);
        }
        values.insert("scheduled_date".to_owned(), json!(scheduled.get(&id)));
    }
    body
}

/// Rows of [`TIMES`]: each done picking with its done moves and lines. Only a done record has a
/// true time.
pub(super) fn time_rows(held: &Value, times: &BTreeMap<i64, String>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for picking in held.as_array().into_iter().flatten() {
        let id = picking["id"].as_i64().unwrap_or_default();
        let Some(time) = times.get(&id) else {
            continue;
        };
        let done = |key: &str| {
            let all = picking[key].as_array().map_or(&[][..], Vec::as_slice);
            let done = all.iter().filter(|record| record["state"] == "done");
            done.map(|record| record["id"].to_string())
                .collect::<Vec<_>>()
        };
        let (moves, lines) = (done("move_ids"), done("move_line_ids"));
        for place in 0..moves.len().max(lines.len()).max(1) {
            let cells = |ids: &[String]| match ids.get(place) {
                Some(id) => [id.clone(), time.clone()],
                None => [String::new(), String::new()],
            };
            let first = match place {
                0 => [id.to_string(), time.clone()],
                _ => [String::new(), String::new()],
            };
            rows.push([first, cells(&moves), cells(&lines)].concat());
        }
    }
    rows
}

pub(super) fn is_guarded_write(model: &str, method: &str, body: &Value) -> bool {
    let values = &body["vals"];
    (model, method) == ("stock.picking", "write")
        && values["picking_type_id"].is_i64()
        && values["move_line_ids"].is_array()
}

pub(super) fn is_guarded(model: &str, method: &str, body: &Value) -> bool {
    let fields = body["fields"].as_array().map_or(&[][..], Vec::as_slice);
    model == "stock.picking" && method == "load" && fields.len() > GUARD.len() && {
        fields
            .iter()
            .zip(GUARD)
            .all(|(field, guard)| field == guard)
    }
}

#[cfg(test)]
mod tests;
