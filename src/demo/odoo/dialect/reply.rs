//! An answer in the words of the version.

use serde_json::{Map, Value, json};

use super::super::computed;
use super::super::schema::Kind;
use super::Door;
use super::words::{self, Meaning};
use crate::demo::odoo::store::{Row, flag_of, id_of, number_of, reference, round, text_of};

impl Door<'_> {
    /// What 19 answered, with the fields that only the version has. `body` is the call in the
    /// version's words.
    pub(super) fn reply(
        self,
        model: &'static str,
        method: &str,
        body: &Map<String, Value>,
        mut answer: Value,
    ) -> Value {
        match method {
            "read" | "search_read" => {
                let asked = body.get("fields").and_then(Value::as_array);
                let asked = asked.filter(|list| !list.is_empty());
                let names: Vec<&str> = match asked {
                    Some(list) => list.iter().filter_map(Value::as_str).collect(),
                    None => words::fields(self.version, model).collect(),
                };
                let is_bare = body.get("load").is_some_and(|load| !is_true(load));
                for row in answer.as_array_mut().into_iter().flatten() {
                    self.add_own(model, &names, is_bare, row);
                }
            }
            "web_read" => self.add_specified(model, &body["specification"], &mut answer),
            "web_search_read" => {
                self.add_specified(model, &body["specification"], &mut answer["records"]);
            }
            "fields_get" => answer = self.fields_get(model, body, &answer),
            _ => {}
        }
        answer
    }

    fn add_own(self, model: &'static str, names: &[&str], is_bare: bool, row: &mut Value) {
        let id = row["id"].as_i64().unwrap_or_default();
        for name in names {
            let Some(Meaning::Own(field)) = words::field(self.version, model, name) else {
                continue;
            };
            let value = self.own(model, id, name);
            row[*name] = match (field.kind, value.as_i64()) {
                (Kind::One(to), Some(of)) if !is_bare => {
                    json!([of, self.store.display_name(to, of)])
                }
                _ => value,
            };
        }
    }

    fn add_specified(self, model: &'static str, wanted: &Value, rows: &mut Value) {
        for row in rows.as_array_mut().into_iter().flatten() {
            self.add_to_one(model, wanted, row);
        }
    }

    fn add_to_one(self, model: &'static str, wanted: &Value, row: &mut Value) {
        let id = row["id"].as_i64().unwrap_or_default();
        for (name, inner) in wanted.as_object().into_iter().flatten() {
            match (words::field(self.version, model, name), inner.get("fields")) {
                (Some(Meaning::Own(_)), _) => row[name.as_str()] = self.own(model, id, name),
                (Some(Meaning::Same(field)), Some(fields)) => match field.kind {
                    Kind::Many(to, _) => self.add_specified(to, fields, &mut row[name.as_str()]),
                    Kind::One(to) if row[name.as_str()].is_object() => {
                        self.add_to_one(to, fields, &mut row[name.as_str()]);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn fields_get(self, model: &'static str, body: &Map<String, Value>, all: &Value) -> Value {
        let wanted = body.get("allfields").and_then(Value::as_array);
        let is_wanted =
            |name: &str| wanted.is_none_or(|wanted| wanted.iter().any(|one| one == name));
        let mut out = Map::new();
        for name in words::fields(self.version, model).filter(|name| is_wanted(name)) {
            let described = match words::field(self.version, model, name) {
                Some(Meaning::Own(field)) => {
                    let kind = match field.kind {
                        Kind::Number => "float",
                        Kind::Flag => "boolean",
                        Kind::One(_) => "many2one",
                        _ => "char",
                    };
                    json!({"type": kind, "string": field.label})
                }
                _ => all[name].clone(),
            };
            out.insert(name.to_owned(), described);
        }
        Value::Object(out)
    }

    /// The value of a field that only the version has, a reference as a bare id.
    fn own(self, model: &'static str, id: i64, name: &str) -> Value {
        let none = Row::new();
        let row = self.store.row(model, id).unwrap_or(&none);
        match (model, name) {
            ("uom.uom", "factor") => json!(1.0 / number_of(row, "factor")),
            ("uom.uom", "factor_inv") => json!(number_of(row, "factor")),
            ("uom.uom", "category_id") => {
                let path = computed::compute(self.store, model, row, "parent_path");
                let path = path.as_ref().and_then(Value::as_str).unwrap_or_default();
                let first = path.split('/').next().and_then(|id| id.parse().ok());
                reference(first.unwrap_or_default())
            }
            ("product.uom", "qty") => json!(round(self.store.factor_of(row, "uom_id"))),
            ("product.uom", "name") => {
                json!(self.store.display_name("uom.uom", id_of(row, "uom_id")))
            }
            ("stock.picking", "group_id") => {
                let first = self.store.many(model, id, "reference_ids").first().copied();
                reference(first.unwrap_or_default())
            }
            ("stock.picking", "shipping_weight") => json!(self.weight(id)),
            ("stock.location", "scrap_location") => json!(flag_of(row, "scrap_location")),
            ("product.product", "type") if flag_of(row, "is_storable") => json!("product"),
            ("product.product", "type") => json!(text_of(row, "type")),
            ("stock.picking.type", end) if !self.names_no_end(id, end) => {
                reference(id_of(row, end))
            }
            _ => json!(false),
        }
    }

    /// `_compute_shipping_weight`: what the packages of its lines weigh.
    fn weight(self, picking: i64) -> f64 {
        let lines = self.store.of("stock.move.line", "picking_id", picking);
        let mut packages: Vec<i64> = lines
            .map(|(_, line)| id_of(line, "result_package_id"))
            .collect();
        packages.sort_unstable();
        packages.dedup();
        let rows = self.store.rows("stock.package", &packages);
        rows.map(|(_, row)| number_of(row, "shipping_weight")).sum()
    }
}

/// What Python takes for true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}
