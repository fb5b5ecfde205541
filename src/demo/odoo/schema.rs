//! The part of Odoo 19's models that the stand-in knows: fields, their kinds, and their labels in
//! messages.

mod master;
mod orders;
mod stock;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Whole,
    Flag,
    /// UTC, `2026-11-23 08:15:30`.
    Moment,
    /// `2026-11-23`.
    Day,
    /// The id of one record of a model, or false.
    One(&'static str),
    /// The records of a model that refer to this one by a field; with no field, a list of ids of
    /// its own.
    Many(&'static str, &'static str),
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    /// How messages call it.
    pub label: &'static str,
}

const fn field(name: &'static str, kind: Kind, label: &'static str) -> Field {
    Field { name, kind, label }
}

/// Name, label, fields.
type Model = (&'static str, &'static str, &'static [Field]);

use Kind::{Moment, One, Text, Whole};

/// Every model has these.
const COMMON: &[Field] = &[
    field("id", Whole, "ID"),
    field("display_name", Text, "Display Name"),
    field("create_date", Moment, "Created on"),
    field("create_uid", One("res.users"), "Created by"),
    field("write_date", Moment, "Last Updated on"),
    field("write_uid", One("res.users"), "Last Updated by"),
];

fn models() -> impl Iterator<Item = &'static Model> {
    let parts = [master::MODELS, stock::MODELS, orders::MODELS];
    parts.into_iter().flatten()
}

/// The model's name as the code writes it, where the stand-in has it.
#[must_use]
pub fn model(name: &str) -> Option<&'static str> {
    models().find(|m| m.0 == name).map(|m| m.0)
}

/// What messages call the model.
#[must_use]
pub fn label(model: &str) -> &'static str {
    models().find(|m| m.0 == model).map_or("", |m| m.1)
}

pub fn fields(model: &str) -> impl Iterator<Item = &'static Field> + use<> {
    let own = models().find(|m| m.0 == model).map_or(&[][..], |m| m.2);
    COMMON.iter().chain(own)
}

#[must_use]
pub fn lookup(model: &str, name: &str) -> Option<&'static Field> {
    fields(model).find(|field| field.name == name)
}

/// The references by which the records of a model are found from the one that they refer to.
#[must_use]
pub fn indexed(model: &str) -> &'static [&'static str] {
    match model {
        "stock.picking" => &["backorder_id", "return_id", "sale_id", "purchase_id"],
        "stock.move" => &[
            "picking_id",
            "origin_returned_move_id",
            "sale_line_id",
            "purchase_line_id",
        ],
        "stock.move.line" => &["picking_id", "move_id", "product_id"],
        "stock.quant" => &["product_id", "location_id", "package_id", "lot_id"],
        "sale.order.line" | "purchase.order.line" => &["order_id"],
        "product.uom" | "stock.lot" => &["product_id"],
        "barcode.rule" => &["barcode_nomenclature_id"],
        _ => &[],
    }
}
