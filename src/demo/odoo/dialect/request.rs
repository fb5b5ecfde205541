//! A call's parameters, in the words of 19.

use serde_json::{Map, Value, json};

use super::super::domain::python;
use super::super::refusal::Refusal;
use super::super::schema::Kind;
use super::Door;
use super::words::{self, Meaning};
use crate::demo::odoo::store::{flag_of, text_of};
use crate::demo::odoo::version::Version;

/// What `product.product` has in 17 and 18 and an Inventory user may not read.
const LAYERS: &str = "You are not allowed to access 'Stock Valuation Layer' (stock.valuation.layer) records.\n\n\
    This operation is allowed for the following groups:\n\t- Inventory/Administrator";

impl Door<'_> {
    /// The same parameters in the words of 19, without what only the version has: that is for the
    /// reply.
    pub(super) fn request(
        self,
        model: &'static str,
        method: &str,
        body: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        let mut body = body.clone();
        if let Some(domain) = body.get_mut("domain") {
            *domain = self.domain(model, domain)?;
        }
        if let Some(order) = body.get("order").and_then(Value::as_str) {
            self.order(model, order)?;
        }
        match method {
            "read" | "search_read" => {
                let fields = self.read_fields(model, &body)?;
                body.insert("fields".to_owned(), fields);
            }
            "load" => self.columns(model, &body)?,
            "fields_get" => {
                // The reply has those that the version has.
                body.remove("allfields");
            }
            _ => {}
        }
        if let Some(wanted) = body.get_mut("specification") {
            *wanted = self.specification(model, wanted)?;
        }
        for name in ["vals", "vals_list"] {
            if let Some(values) = body.get_mut(name) {
                *values = self.values(model, values)?;
            }
        }
        Ok(body)
    }

    fn find_field(self, model: &'static str, name: &str) -> Result<Meaning, Refusal> {
        words::field(self.version, model, name).ok_or_else(|| {
            let model = words::older_name(model);
            Refusal::Value(format!("Invalid field '{name}' on model '{model}'"))
        })
    }

    fn read_fields(self, model: &'static str, body: &Map<String, Value>) -> Result<Value, Refusal> {
        let asked = body.get("fields").and_then(Value::as_array);
        let names: Vec<&str> = match asked.filter(|list| !list.is_empty()) {
            Some(list) => list.iter().filter_map(Value::as_str).collect(),
            None if model == "product.product" => return Err(Refusal::Access(LAYERS.to_owned())),
            None => words::fields(self.version, model).collect(),
        };
        let mut kept = vec![json!("id")];
        for name in names {
            if let Meaning::Same(field) = self.find_field(model, name)?
                && field.name != "id"
            {
                kept.push(json!(field.name));
            }
        }
        Ok(json!(kept))
    }

    fn specification(self, model: &'static str, wanted: &Value) -> Result<Value, Refusal> {
        let mut out = Map::new();
        for (name, inner) in wanted.as_object().into_iter().flatten() {
            let Meaning::Same(field) = self.find_field(model, name)? else {
                continue;
            };
            let mut inner = inner.clone();
            if let (Kind::One(to) | Kind::Many(to, _), Some(fields)) =
                (field.kind, inner.get_mut("fields"))
            {
                *fields = self.specification(to, fields)?;
            }
            out.insert(name.clone(), inner);
        }
        Ok(Value::Object(out))
    }

    /// Values, or a list of them. What the version computes is taken and forgotten.
    fn values(self, model: &'static str, values: &Value) -> Result<Value, Refusal> {
        if let Value::Array(list) = values {
            let list: Result<Vec<Value>, _> = list.iter().map(|v| self.values(model, v)).collect();
            return Ok(Value::Array(list?));
        }
        let mut out = Map::new();
        for (name, value) in values.as_object().into_iter().flatten() {
            let unknown = || {
                let model = words::older_name(model);
                Refusal::Value(format!("Invalid field '{name}' on model '{model}'"))
            };
            let meaning = words::field(self.version, model, name).ok_or_else(unknown)?;
            let Meaning::Same(field) = meaning else {
                continue;
            };
            let mut value = value.clone();
            if let (Kind::Many(to, _), Value::Array(commands)) = (field.kind, &mut value) {
                for command in commands.iter_mut().filter(|command| command[2].is_object()) {
                    command[2] = self.values(to, &command[2])?;
                }
            }
            out.insert(name.clone(), value);
        }
        Ok(Value::Object(out))
    }

    /// Refuses columns of a `load` that the version does not have.
    fn columns(self, model: &'static str, body: &Map<String, Value>) -> Result<(), Refusal> {
        let columns = body.get("fields").and_then(Value::as_array);
        for column in columns.into_iter().flatten().filter_map(Value::as_str) {
            let mut model = model;
            for name in column
                .split('/')
                .filter(|name| !matches!(*name, "id" | ".id"))
            {
                let meaning = words::field(self.version, model, name)
                    .ok_or_else(|| Refusal::Value(format!("Invalid field name '{name}'")))?;
                if let Kind::One(to) | Kind::Many(to, _) = meaning.kind() {
                    model = to;
                }
            }
        }
        Ok(())
    }

    fn order(self, model: &'static str, order: &str) -> Result<(), Refusal> {
        for term in order.split(',') {
            let name = term.split_whitespace().next().unwrap_or("");
            if words::field(self.version, model, name).is_none() {
                let model = words::older_name(model);
                let text = format!("Invalid field '{name}' on model '{model}' (order)");
                return Err(Refusal::Value(text));
            }
        }
        Ok(())
    }

    fn domain(self, model: &'static str, domain: &Value) -> Result<Value, Refusal> {
        let Value::Array(terms) = domain else {
            return Ok(domain.clone());
        };
        let terms: Result<Vec<Value>, _> = terms
            .iter()
            .map(|term| match term {
                Value::Array(leaf) if leaf.len() == 3 => self.leaf(model, leaf),
                other => Ok(other.clone()),
            })
            .collect();
        Ok(Value::Array(terms?))
    }

    /// One condition.
    fn leaf(self, model: &'static str, leaf: &[Value]) -> Result<Value, Refusal> {
        let path = leaf[0].as_str().unwrap_or_default();
        let operator = leaf[1].as_str().unwrap_or_default();
        let mut at = model;
        let mut names = Vec::new();
        for name in path.split('.') {
            let meaning = words::field(self.version, at, name).ok_or_else(|| {
                let (of, value) = (words::older_name(at), python(&leaf[2]));
                Refusal::Value(format!(
                    "Invalid field {of}.{name} in leaf ('{path}', '{operator}', {value})"
                ))
            })?;
            if let Meaning::Own(field) = meaning {
                match (at, field.name) {
                    ("stock.picking", "group_id") => names.push("reference_ids"),
                    ("uom.uom", "factor_inv") => names.push("factor"),
                    (_, own) => return self.own_condition(at, own, &names, leaf),
                }
            } else {
                names.push(name);
            }
            if let Kind::One(to) | Kind::Many(to, _) = meaning.kind() {
                at = to;
            }
        }
        Ok(json!([names.join("."), leaf[1], leaf[2]]))
    }

    /// A condition on a field that only the version has.
    fn own_condition(
        self,
        model: &str,
        own: &str,
        before: &[&str],
        leaf: &[Value],
    ) -> Result<Value, Refusal> {
        let path = |name: &str| {
            let names: Vec<&str> = before.iter().copied().chain([name]).collect();
            names.join(".")
        };
        match (model, own) {
            ("product.product", "type") => {
                let is_equal = leaf[1] == "=";
                if leaf[2] == "product" {
                    return Ok(json!([path("is_storable"), "=", is_equal]));
                }
                Ok(json!([path("type"), leaf[1], leaf[2]]))
            }
            ("stock.location", "scrap_location") => {
                let scraps: Vec<i64> = self.scrap_locations().collect();
                let is_wanted = (leaf[1] == "=") == (leaf[2] == Value::Bool(true));
                let operator = if is_wanted { "in" } else { "not in" };
                Ok(json!([path("id"), operator, scraps]))
            }
            _ => Err(Refusal::Type(format!(
                "the stand-in knows no condition on {model}.{own}"
            ))),
        }
    }

    /// The locations that the version has for scrap.
    pub(super) fn scrap_locations(self) -> impl Iterator<Item = i64> {
        let rows = self.store.table("stock.location");
        rows.filter(|(_, row)| flag_of(row, "scrap_location"))
            .map(|(id, _)| id)
    }

    /// In 17 receipts name no location that they come from, and deliveries none that they go to.
    pub(super) fn names_no_end(self, kind: i64, end: &str) -> bool {
        let code = self.store.row("stock.picking.type", kind);
        let code = code.map_or("", |row| text_of(row, "code"));
        self.version < Version::V18
            && matches!(
                (code, end),
                ("incoming", "default_location_src_id") | ("outgoing", "default_location_dest_id")
            )
    }
}
