//! The stand-in's records: one table a model, rows as JSON objects, references as ids or false.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::schema::{self, Kind};
use crate::clock;

pub type Row = Map<String, Value>;

/// Product, location, lot, package; 0 for none.
pub type QuantKey = (i64, i64, i64, i64);

#[derive(Debug, Default)]
pub struct Table {
    last: i64,
    pub rows: BTreeMap<i64, Row>,
}

#[derive(Debug, Default)]
pub struct Store {
    tables: HashMap<&'static str, Table>,
    /// `ir_model_data(module, name)` is unique: the record behind an external id.
    external: HashMap<(String, String), (&'static str, i64)>,
    quants: HashMap<QuantKey, i64>,
    /// The last number of each picking type's sequence.
    sequences: HashMap<i64, u64>,
    /// Products whose transfers are refused, with the message: a business rule that this site happens to have.
    pub refused_products: HashMap<i64, String>,
}

/// A row's reference; 0 where there is none.
#[must_use]
pub fn id_of(row: &Row, field: &str) -> i64 {
    row.get(field).and_then(Value::as_i64).unwrap_or(0)
}

#[must_use]
pub fn number_of(row: &Row, field: &str) -> f64 {
    row.get(field).and_then(Value::as_f64).unwrap_or(0.0)
}

#[must_use]
pub fn text_of<'r>(row: &'r Row, field: &str) -> &'r str {
    row.get(field).and_then(Value::as_str).unwrap_or("")
}

#[must_use]
pub fn flag_of(row: &Row, field: &str) -> bool {
    row.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// Odoo keeps quantities of units to two decimals.
#[must_use]
pub fn round(quantity: f64) -> f64 {
    (quantity * 100.0).round() / 100.0
}

/// The time as Odoo writes it: UTC, whole seconds.
#[must_use]
pub fn moment() -> String {
    clock::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

impl Store {
    pub fn table(&self, model: &str) -> impl Iterator<Item = (i64, &Row)> {
        self.tables
            .get(model)
            .into_iter()
            .flat_map(|table| table.rows.iter().map(|(id, row)| (*id, row)))
    }

    #[must_use]
    pub fn row(&self, model: &str, id: i64) -> Option<&Row> {
        self.tables.get(model)?.rows.get(&id)
    }

    /// The row, or Odoo's word for a record that is gone.
    pub fn existing(&self, model: &str, id: i64) -> Result<&Row, Refusal> {
        self.row(model, id).ok_or_else(|| {
            Refusal::Missing(format!(
                "Record does not exist or has been deleted.\n(Record: {model}({id},), User: 7)"
            ))
        })
    }

    /// Adds a product with the template that Odoo keeps behind it.
    pub fn insert_product(&mut self, mut values: Row) -> i64 {
        let name = values.get("name").cloned().unwrap_or_default();
        let template = Row::from_iter([("name".to_owned(), name)]);
        let template = self.insert("product.template", template);
        values.insert("product_tmpl_id".into(), json!(template));
        self.insert("product.product", values)
    }

    /// Adds a row with every field of the model: false, 0 or empty where `values` has none.
    pub fn insert(&mut self, model: &'static str, values: Row) -> i64 {
        let table = self.tables.entry(model).or_default();
        table.last += 1;
        let id = table.last;
        let mut row: Row = schema::fields(model)
            .map(|field| {
                let empty = match field.kind {
                    Kind::Number => json!(0.0),
                    Kind::Whole => json!(0),
                    Kind::Many(_) => json!([]),
                    Kind::Flag => json!(field.name == "active"),
                    _ => json!(false),
                };
                (field.name.to_owned(), empty)
            })
            .collect();
        row.extend(values);
        row.insert("id".into(), json!(id));
        row.insert("write_date".into(), json!(moment()));
        table.rows.insert(id, row);
        id
    }

    /// Changes a row that is there; a row that is gone stays gone.
    pub fn update(&mut self, model: &str, id: i64, values: Row) {
        let row = self
            .tables
            .get_mut(model)
            .and_then(|table| table.rows.get_mut(&id));
        if let Some(row) = row {
            row.extend(values);
            row.insert("write_date".into(), json!(moment()));
        }
    }

    pub fn set(&mut self, model: &str, id: i64, field: &str, value: Value) {
        self.update(model, id, Row::from_iter([(field.to_owned(), value)]));
    }

    pub fn remove(&mut self, model: &str, id: i64) {
        if let Some(table) = self.tables.get_mut(model) {
            table.rows.remove(&id);
        }
    }

    /// The ids that a `Many` field holds.
    #[must_use]
    pub fn many(&self, model: &str, id: i64, field: &str) -> Vec<i64> {
        let value = self.row(model, id).and_then(|row| row.get(field));
        let ids = value.and_then(Value::as_array);
        ids.into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect()
    }

    #[must_use]
    pub fn external(&self, module: &str, name: &str) -> Option<(&'static str, i64)> {
        self.external
            .get(&(module.to_owned(), name.to_owned()))
            .copied()
    }

    pub fn name_externally(&mut self, module: &str, name: &str, model: &'static str, id: i64) {
        self.external
            .insert((module.to_owned(), name.to_owned()), (model, id));
        let row =
            json!({"module": module, "name": name, "model": model, "res_id": id, "noupdate": true});
        if let Value::Object(row) = row {
            self.insert("ir.model.data", row);
        }
    }

    /// The next name of a picking of this type, such as `WH/INT/00042`.
    pub fn next_picking_name(&mut self, picking_type: i64) -> String {
        let number = self.sequences.entry(picking_type).or_default();
        *number += 1;
        let number = *number;
        let code = self
            .row("stock.picking.type", picking_type)
            .map_or("INT", |row| text_of(row, "sequence_code"));
        format!("WH/{code}/{number:05}")
    }

    /// The quantity of a move line in the product's own unit.
    #[must_use]
    pub fn in_own_unit(&self, line: &Row) -> f64 {
        let unit = self.row("uom.uom", id_of(line, "product_uom_id"));
        let factor = unit.map_or(1.0, |unit| number_of(unit, "factor"));
        round(number_of(line, "quantity") * factor)
    }

    /// Adds to what is there; less than nothing is fine, as in Odoo.
    pub fn add_quant(&mut self, key: QuantKey, quantity: f64) {
        if let Some(id) = self.quants.get(&key).copied() {
            let there = self
                .row("stock.quant", id)
                .map_or(0.0, |row| number_of(row, "quantity"));
            self.set(
                "stock.quant",
                id,
                "quantity",
                json!(round(there + quantity)),
            );
            return;
        }
        let reference = |id: i64| if id == 0 { json!(false) } else { json!(id) };
        let values = Row::from_iter([
            ("product_id".to_owned(), json!(key.0)),
            ("location_id".to_owned(), json!(key.1)),
            ("lot_id".to_owned(), reference(key.2)),
            ("package_id".to_owned(), reference(key.3)),
            ("quantity".to_owned(), json!(round(quantity))),
        ]);
        let id = self.insert("stock.quant", values);
        self.quants.insert(key, id);
    }

    #[must_use]
    pub fn quant(&self, key: QuantKey) -> f64 {
        self.quants
            .get(&key)
            .and_then(|id| self.row("stock.quant", *id))
            .map_or(0.0, |row| number_of(row, "quantity"))
    }

    /// How Odoo shows a record where another one refers to it.
    #[must_use]
    pub fn display_name(&self, model: &str, id: i64) -> String {
        let Some(row) = self.row(model, id) else {
            return String::new();
        };
        match model {
            "product.product" if !text_of(row, "default_code").is_empty() => {
                format!(
                    "[{}] {}",
                    text_of(row, "default_code"),
                    text_of(row, "name")
                )
            }
            "stock.location" => text_of(row, "complete_name").to_owned(),
            "stock.picking.type" => {
                let warehouse = self.display_name("stock.warehouse", id_of(row, "warehouse_id"));
                format!("{warehouse}: {}", text_of(row, "name"))
            }
            "stock.quant" | "stock.move" | "stock.move.line" | "product.uom" => {
                format!("{model},{id}")
            }
            _ => text_of(row, "name").to_owned(),
        }
    }

    /// A row's field as `read` shows it before references are dressed up.
    #[must_use]
    pub fn value(&self, model: &str, row: &Row, field: &str) -> Value {
        if field == "display_name" {
            return json!(self.display_name(model, id_of(row, "id")));
        }
        row.get(field).cloned().unwrap_or(Value::Bool(false))
    }
}
