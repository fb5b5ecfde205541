//! The store's indexes: kept with each change of a row, so that no call looks at a whole table
//! where it means a few rows.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::super::schema;
use super::{QuantKey, Row, Store, id_of, text_of};

impl Store {
    /// A line is open as long as its move is.
    pub(super) fn index_lines(&mut self, model: &'static str, id: i64, row: &Row, add: bool) {
        let lines: Vec<(i64, i64)> = match model {
            "stock.move.line" => vec![(id, id_of(row, "product_id"))],
            "stock.move" => self
                .of("stock.move.line", "move_id", id)
                .map(|(line, row)| (line, id_of(row, "product_id")))
                .collect(),
            _ => return,
        };
        let of = if model == "stock.move" {
            id
        } else {
            id_of(row, "move_id")
        };
        let is_open = add && self.open.get("stock.move").is_some_and(|m| m.contains(&of));
        for (line, product) in lines {
            let open = self.open_lines.entry(product).or_default();
            if is_open {
                open.insert(line);
            } else {
                open.remove(&line);
            }
        }
    }

    pub(super) fn index(&mut self, model: &'static str, id: i64, row: &Row, add: bool) {
        for field in schema::indexed(model) {
            let parent = id_of(row, field);
            if parent != 0 {
                let children = self.children.entry((model, field, parent)).or_default();
                if add {
                    children.insert(id);
                } else {
                    children.remove(&id);
                }
            }
        }
        let written = self.written.entry(model).or_default();
        let change = (text_of(row, "write_date").to_owned(), id);
        if add {
            written.insert(change);
        } else {
            written.remove(&change);
        }
        if matches!(model, "stock.picking" | "stock.move") {
            let open = self.open.entry(model).or_default();
            if add && !matches!(text_of(row, "state"), "done" | "cancel") {
                open.insert(id);
            } else {
                open.remove(&id);
            }
        }
        if model == "stock.quant" {
            if add {
                self.quants.insert(QuantKey::of(row), id);
            } else {
                self.quants.remove(&QuantKey::of(row));
            }
        }
        if let ("ir.model.data", Some(of)) = (model, schema::model(text_of(row, "model"))) {
            let external = (
                text_of(row, "module").to_owned(),
                text_of(row, "name").to_owned(),
            );
            let record = (of, id_of(row, "res_id"));
            let names = self.names.entry(record).or_default();
            names.retain(|data| *data != id);
            if add {
                names.push(id);
                self.external.insert(external, record);
            } else {
                self.external.remove(&external);
            }
        }
    }

    #[must_use]
    pub fn ids_after(&self, model: &str, id: i64) -> Vec<i64> {
        let rows = self.tables.get(model).map(|table| &table.rows);
        let after = (Bound::Excluded(id), Bound::Unbounded);
        rows.into_iter()
            .flat_map(|rows| rows.range(after).map(|(id, _)| *id))
            .collect()
    }

    /// Pickings or moves that are neither done nor cancelled; `None` for other models.
    #[must_use]
    pub fn open(&self, model: &str) -> Option<&BTreeSet<i64>> {
        self.open.get(model)
    }

    /// The lines of a product whose moves are neither done nor cancelled.
    pub fn open_lines(&self, product: i64) -> impl Iterator<Item = (i64, &Row)> {
        let lines = self.open_lines.get(&product).into_iter().flatten();
        lines
            .filter_map(|id| Some((*id, self.row("stock.move.line", *id)?)))
            .inspect(|_| self.look())
    }

    /// The rows that were last changed at this time or later.
    #[must_use]
    pub fn written_since(&self, model: &str, time: &str) -> BTreeSet<i64> {
        let rows = self.written.get(model).into_iter();
        rows.flat_map(|rows| rows.range((time.to_owned(), 0)..))
            .map(|(_, id)| *id)
            .collect()
    }

    /// Returns the ids of the rows of `model` whose indexed field `by` refers to the record `id`.
    pub fn children(
        &self,
        model: &'static str,
        by: &'static str,
        id: i64,
    ) -> impl Iterator<Item = i64> {
        let children = self.children.get(&(model, by, id));
        children.into_iter().flatten().copied()
    }

    /// The quant of a place.
    #[must_use]
    pub fn quant(&self, place: QuantKey) -> Option<i64> {
        self.quants.get(&place).copied()
    }
}
