//! The stand-in's records: one table a model, rows as JSON objects, references as ids or false.
//!
//! Each call is a transaction: a refusal rolls its writes back.

mod index;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::schema::{self, Kind};
use super::version::Version;
use crate::clock;

pub type Row = Map<String, Value>;

pub const PICKING: &str = "stock.picking";
pub const MOVE: &str = "stock.move";
pub const LINE: &str = "stock.move.line";
pub const KIND: &str = "stock.picking.type";

/// The key of a quant. 0: no lot, package or owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct QuantKey {
    pub product: i64,
    pub location: i64,
    pub lot: i64,
    pub package: i64,
    pub owner: i64,
}

impl QuantKey {
    #[must_use]
    pub fn of(quant: &Row) -> Self {
        Self {
            product: id_of(quant, "product_id"),
            location: id_of(quant, "location_id"),
            lot: id_of(quant, "lot_id"),
            package: id_of(quant, "package_id"),
            owner: id_of(quant, "owner_id"),
        }
    }
}

#[derive(Debug, Default)]
pub struct Table {
    last: i64,
    pub rows: BTreeMap<i64, Row>,
}

/// A row as it was before a call changed it.
type Before = (&'static str, i64, Option<Row>);

#[derive(Debug, Default)]
pub struct Store {
    /// Rows that were read: a measure of work that does not depend on the machine.
    pub looked_at: AtomicU64,
    tables: HashMap<&'static str, Table>,
    /// The records that refer to one by an indexed field.
    children: HashMap<(&'static str, &'static str, i64), BTreeSet<i64>>,
    /// `ir_model_data(module, name)` is unique: the record behind an external id, and its names.
    external: HashMap<(String, String), (&'static str, i64)>,
    names: HashMap<(&'static str, i64), Vec<i64>>,
    quants: HashMap<QuantKey, i64>,
    /// Pickings and moves that are neither done nor cancelled.
    open: HashMap<&'static str, BTreeSet<i64>>,
    /// Lines of open moves by their product.
    open_lines: HashMap<i64, BTreeSet<i64>>,
    /// Rows by the time of their last change.
    written: HashMap<&'static str, BTreeSet<(String, i64)>>,
    /// The last number of each picking type's sequence, and of each kind of order. Like Odoo's,
    /// they never go back.
    sequences: HashMap<(&'static str, i64), u64>,
    undo: Vec<Before>,
    /// The calling user.
    pub user: i64,
    pub version: Version,
    /// Products whose transfers are refused, with the message: an example of a site's business
    /// rule.
    pub refused_products: HashMap<i64, String>,
}

/// Reads a reference of a row. 0: no reference.
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

/// A reference as JSON has it.
#[must_use]
pub fn reference(id: i64) -> Value {
    if id == 0 { json!(false) } else { json!(id) }
}

/// The object that `json!` made.
#[must_use]
pub fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}

/// The smallest quantity: Odoo's decimal precision for units is two digits.
pub const DIGITS: u32 = 2;
pub const PRECISION: f64 = 0.01;

/// Rounds half up, and takes what floating point has just missed for the half that it was.
#[must_use]
pub fn round(quantity: f64) -> f64 {
    let steps = quantity * 100.0;
    let missed = steps.abs() * 2.0_f64.powi(-50);
    (steps + missed.copysign(steps)).round() / 100.0
}

/// The time as Odoo writes it: UTC, whole seconds.
#[must_use]
pub fn moment() -> String {
    clock::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

impl Store {
    /// An empty one of an Odoo of this version.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// Commits the writes of the call.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// Rolls back the writes since the last commit.
    pub fn roll_back(&mut self) {
        for (model, id, before) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.put(model, id, before);
        }
        self.undo.clear();
    }

    /// Changes a row. All changes come here, so that every index is updated.
    fn put(&mut self, model: &'static str, id: i64, after: Option<Row>) {
        let table = self.tables.entry(model).or_default();
        let before = table.rows.remove(&id);
        if let Some(row) = &before {
            self.index(model, id, row, false);
            self.index_lines(model, id, row, false);
        }
        if let Some(row) = after {
            self.index(model, id, &row, true);
            let lines = row.clone();
            self.tables.entry(model).or_default().rows.insert(id, row);
            self.index_lines(model, id, &lines, true);
        }
        self.undo.push((model, id, before));
    }

    fn look(&self) {
        self.looked_at.fetch_add(1, Ordering::Relaxed);
    }

    pub fn table(&self, model: &str) -> impl Iterator<Item = (i64, &Row)> {
        self.tables
            .get(model)
            .into_iter()
            .flat_map(|table| table.rows.iter().map(|(id, row)| (*id, row)))
            .inspect(|_| self.look())
    }

    /// Returns the rows with these ids. Missing rows are left out.
    pub fn rows(&self, model: &str, ids: &[i64]) -> impl Iterator<Item = (i64, &Row)> {
        let rows = ids
            .iter()
            .filter_map(move |id| Some((*id, self.row(model, *id)?)));
        rows.inspect(|_| self.look())
    }

    #[must_use]
    pub fn row(&self, model: &str, id: i64) -> Option<&Row> {
        self.tables.get(model)?.rows.get(&id)
    }

    /// Returns the row, or Odoo's refusal for a record that does not exist.
    pub fn existing(&self, model: &str, id: i64) -> Result<&Row, Refusal> {
        self.row(model, id).ok_or_else(|| {
            Refusal::Missing(format!(
                "Record does not exist or has been deleted.\n(Record: {model}({id},), User: {})",
                self.user
            ))
        })
    }

    /// Another record's field, reached by a reference of this row; empty where there is none.
    #[must_use]
    pub fn through<'s>(&'s self, row: &Row, reference: &str, model: &str, field: &str) -> &'s str {
        self.row(model, id_of(row, reference))
            .map_or("", |row| text_of(row, field))
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
        let mut row: Row = schema::fields(model)
            .map(|field| {
                let empty = match field.kind {
                    Kind::Number => json!(0.0),
                    Kind::Whole => json!(0),
                    Kind::Many(..) => json!([]),
                    Kind::Flag => json!(field.name == "active"),
                    _ => json!(false),
                };
                (field.name.to_owned(), empty)
            })
            .collect();
        row.extend(values);
        let table = self.tables.entry(model).or_default();
        table.last += 1;
        let id = table.last;
        row.insert("id".into(), json!(id));
        for (by, at) in [("create_uid", "create_date"), ("write_uid", "write_date")] {
            row.insert(by.into(), reference(self.user));
            row.insert(at.into(), json!(moment()));
        }
        self.put(model, id, Some(row));
        id
    }

    /// Changes an existing row. A missing row stays missing.
    pub fn update(&mut self, model: &'static str, id: i64, values: Row) {
        let Some(mut row) = self.row(model, id).cloned() else {
            return;
        };
        row.extend(values);
        row.insert("write_date".into(), json!(moment()));
        row.insert("write_uid".into(), reference(self.user));
        self.put(model, id, Some(row));
    }

    pub fn set(&mut self, model: &'static str, id: i64, field: &str, value: Value) {
        self.update(model, id, Row::from_iter([(field.to_owned(), value)]));
    }

    /// Removes a record with its external ids.
    pub fn remove(&mut self, model: &'static str, id: i64) {
        for data in self.names.get(&(model, id)).cloned().unwrap_or_default() {
            self.put("ir.model.data", data, None);
        }
        if self.row(model, id).is_some() {
            self.put(model, id, None);
        }
    }

    /// The ids that a `Many` field holds.
    #[must_use]
    pub fn many(&self, model: &str, id: i64, field: &str) -> Vec<i64> {
        if let Some(Kind::Many(child, by)) = schema::lookup(model, field).map(|field| field.kind)
            && !by.is_empty()
        {
            let children = self.children.get(&(child, by, id));
            return children.into_iter().flatten().copied().collect();
        }
        let value = self.row(model, id).and_then(|row| row.get(field));
        let ids = value.and_then(Value::as_array);
        ids.into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect()
    }

    /// The rows of a model that refer to a record by an indexed field.
    pub fn of(
        &self,
        model: &'static str,
        by: &'static str,
        id: i64,
    ) -> impl Iterator<Item = (i64, &Row)> {
        let children = self.children.get(&(model, by, id));
        let rows = children.into_iter().flatten();
        rows.filter_map(move |id| Some((*id, self.row(model, *id)?)))
            .inspect(|_| self.look())
    }

    /// A name with a dot brings its own module.
    #[must_use]
    pub fn external(&self, module: &str, name: &str) -> Option<(&'static str, i64)> {
        let (module, name) = name.split_once('.').unwrap_or((module, name));
        self.external
            .get(&(module.to_owned(), name.to_owned()))
            .copied()
    }

    pub fn name_externally(&mut self, module: &str, name: &str, model: &'static str, id: i64) {
        let (module, name) = name.split_once('.').unwrap_or((module, name));
        let data =
            json!({"module": module, "name": name, "model": model, "res_id": id, "noupdate": true});
        self.insert("ir.model.data", row(data));
    }

    /// A record's oldest external id, as `module.name`; empty where it has none.
    #[must_use]
    pub fn external_name(&self, model: &'static str, id: i64) -> String {
        let names = self.names.get(&(model, id));
        let data = names
            .and_then(|names| names.iter().min())
            .and_then(|data| self.row("ir.model.data", *data));
        data.map_or(String::new(), |row| {
            format!("{}.{}", text_of(row, "module"), text_of(row, "name"))
        })
    }

    /// The next number of a sequence.
    pub fn next(&mut self, sequence: &'static str, of: i64) -> u64 {
        let number = self.sequences.entry((sequence, of)).or_default();
        *number += 1;
        *number
    }

    /// The next name of a picking of this type, such as `WH/INT/00042`.
    pub fn next_picking_name(&mut self, picking_type: i64) -> String {
        let number = self.next("stock.picking", picking_type);
        let kind = self.row("stock.picking.type", picking_type);
        let code = kind.map_or("INT", |row| text_of(row, "sequence_code"));
        let warehouse = kind.map_or("", |row| {
            self.through(row, "warehouse_id", "stock.warehouse", "code")
        });
        format!("{warehouse}/{code}/{number:05}")
    }

    /// The quantity of a move line in the product's own unit.
    #[must_use]
    pub fn in_own_unit(&self, line: &Row) -> f64 {
        round(number_of(line, "quantity") * self.factor_of(line, "product_uom_id"))
    }

    /// The factor from the unit in this field of the line to the product's own unit. 1: the field
    /// is empty.
    #[must_use]
    pub fn factor_of(&self, line: &Row, unit: &str) -> f64 {
        let product = self.row("product.product", id_of(line, "product_id"));
        let own = product.map_or(0, |product| id_of(product, "uom_id"));
        let factor = |unit: i64| {
            let unit = self.row("uom.uom", unit);
            unit.map_or(1.0, |unit| number_of(unit, "factor"))
        };
        match id_of(line, unit) {
            0 => 1.0,
            unit => factor(unit) / factor(own),
        }
    }

    /// Adds to the quantity. It may become negative, as in Odoo.
    pub fn add_quant(&mut self, place: QuantKey, quantity: f64) {
        if let Some(id) = self.quants.get(&place).copied() {
            let there = self
                .row("stock.quant", id)
                .map_or(0.0, |row| number_of(row, "quantity"));
            let sum = json!(round(there + quantity));
            self.set("stock.quant", id, "quantity", sum);
            return;
        }
        let values = json!({
            "product_id": place.product, "location_id": place.location, "lot_id": reference(place.lot),
            "package_id": reference(place.package), "owner_id": reference(place.owner),
            "quantity": round(quantity), "company_id": 1,
        });
        self.insert("stock.quant", row(values));
    }

    /// The display name of a record in references.
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
}
