//! The part of Odoo 19's models that the stand-in knows: fields, their kinds, and their labels in messages.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Whole,
    Flag,
    /// UTC, `2026-11-23 08:15:30`.
    Moment,
    /// The id of one record of a model, or false.
    One(&'static str),
    /// The ids of records of a model.
    Many(&'static str),
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

use Kind::{Flag, Many, Moment, Number, One, Text, Whole};

/// Every model has these.
const COMMON: &[Field] = &[
    field("id", Whole, "ID"),
    field("display_name", Text, "Display Name"),
    field("write_date", Moment, "Last Updated on"),
];

const MODELS: &[(&str, &str, &[Field])] = &[
    (
        "res.company",
        "Companies",
        &[
            field("name", Text, "Company Name"),
            field(
                "stock_text_confirmation",
                Flag,
                "Stock Text Validation with stock move",
            ),
        ],
    ),
    (
        "res.partner",
        "Contact",
        &[field("name", Text, "Name"), field("phone", Text, "Phone")],
    ),
    ("res.users", "User", &[field("name", Text, "Name")]),
    (
        "ir.model.data",
        "Model Data",
        &[
            field("module", Text, "Module"),
            field("name", Text, "External Identifier"),
            field("model", Text, "Model Name"),
            field("res_id", Whole, "Record ID"),
            field("noupdate", Flag, "Non Updatable"),
        ],
    ),
    (
        "uom.uom",
        "Product Unit of Measure",
        &[
            field("name", Text, "Unit Name"),
            field("factor", Number, "Absolute Quantity"),
            field("active", Flag, "Active"),
        ],
    ),
    (
        "product.product",
        "Product Variant",
        &[
            field("name", Text, "Name"),
            field("default_code", Text, "Internal Reference"),
            field("barcode", Text, "Barcode"),
            field("tracking", Text, "Tracking"),
            field("type", Text, "Product Type"),
            field("is_storable", Flag, "Track Inventory"),
            field("uom_id", One("uom.uom"), "Unit"),
            field(
                "product_tmpl_id",
                One("product.template"),
                "Product Template",
            ),
            field("company_id", One("res.company"), "Company"),
            field("active", Flag, "Active"),
        ],
    ),
    (
        "product.template",
        "Product",
        &[field("name", Text, "Name"), field("active", Flag, "Active")],
    ),
    (
        "product.uom",
        "Link between products and their UoMs",
        &[
            field("barcode", Text, "Barcode"),
            field("product_id", One("product.product"), "Product"),
            field("uom_id", One("uom.uom"), "Unit"),
            field("company_id", One("res.company"), "Company"),
        ],
    ),
    (
        "stock.location",
        "Inventory Locations",
        &[
            field("name", Text, "Location Name"),
            field("complete_name", Text, "Full Location Name"),
            field("usage", Text, "Location Type"),
            field("barcode", Text, "Barcode"),
            field("location_id", One("stock.location"), "Parent Location"),
            field("warehouse_id", One("stock.warehouse"), "Warehouse"),
            field("company_id", One("res.company"), "Company"),
            field("active", Flag, "Active"),
        ],
    ),
    (
        "stock.warehouse",
        "Warehouse",
        &[
            field("name", Text, "Warehouse"),
            field("code", Text, "Short Name"),
            field("int_type_id", One("stock.picking.type"), "Internal Type"),
            field("in_type_id", One("stock.picking.type"), "In Type"),
            field("out_type_id", One("stock.picking.type"), "Out Type"),
            field("lot_stock_id", One("stock.location"), "Location Stock"),
            field("view_location_id", One("stock.location"), "View Location"),
            field("company_id", One("res.company"), "Company"),
            field("active", Flag, "Active"),
        ],
    ),
    (
        "stock.picking.type",
        "Operation Type",
        &[
            field("name", Text, "Operation Type"),
            field("code", Text, "Type of Operation"),
            field("sequence_code", Text, "Sequence Prefix"),
            field("warehouse_id", One("stock.warehouse"), "Warehouse"),
            field(
                "default_location_src_id",
                One("stock.location"),
                "Source Location",
            ),
            field(
                "default_location_dest_id",
                One("stock.location"),
                "Destination Location",
            ),
            field("active", Flag, "Active"),
        ],
    ),
    (
        "stock.lot",
        "Lot/Serial",
        &[
            field("name", Text, "Lot/Serial Number"),
            field("product_id", One("product.product"), "Product"),
            field("company_id", One("res.company"), "Company"),
        ],
    ),
    (
        "stock.package",
        "Package",
        &[
            field("name", Text, "Package Reference"),
            field("company_id", One("res.company"), "Company"),
        ],
    ),
    (
        "stock.quant",
        "Quants",
        &[
            field("product_id", One("product.product"), "Product"),
            field("location_id", One("stock.location"), "Location"),
            field("lot_id", One("stock.lot"), "Lot/Serial Number"),
            field("package_id", One("stock.package"), "Package"),
            field("quantity", Number, "Quantity"),
        ],
    ),
    (
        "stock.picking",
        "Transfer",
        &[
            field("name", Text, "Reference"),
            field("state", Text, "Status"),
            field("origin", Text, "Source Document"),
            field(
                "picking_type_id",
                One("stock.picking.type"),
                "Operation Type",
            ),
            field("partner_id", One("res.partner"), "Contact"),
            field("location_id", One("stock.location"), "Source Location"),
            field(
                "location_dest_id",
                One("stock.location"),
                "Destination Location",
            ),
            field("scheduled_date", Moment, "Scheduled Date"),
            field("date_done", Moment, "Date of Transfer"),
            field("backorder_id", One("stock.picking"), "Back Order of"),
            field("move_ids", Many("stock.move"), "Stock Moves"),
            field("move_line_ids", Many("stock.move.line"), "Operations"),
        ],
    ),
    (
        "stock.move",
        "Stock Move",
        &[
            field("picking_id", One("stock.picking"), "Transfer"),
            field("product_id", One("product.product"), "Product"),
            field("product_uom_qty", Number, "Demand"),
            field("quantity", Number, "Quantity"),
            field("picked", Flag, "Picked"),
            field("state", Text, "Status"),
            field("date", Moment, "Date Scheduled"),
            field("location_id", One("stock.location"), "Source Location"),
            field(
                "location_dest_id",
                One("stock.location"),
                "Intermediate Location",
            ),
        ],
    ),
    (
        "stock.move.line",
        "Product Moves (Stock Move Line)",
        &[
            field("picking_id", One("stock.picking"), "Transfer"),
            field("move_id", One("stock.move"), "Stock Operation"),
            field("product_id", One("product.product"), "Product"),
            field("product_uom_id", One("uom.uom"), "Unit"),
            field("quantity", Number, "Quantity"),
            field("quantity_product_uom", Number, "Quantity in Product UoM"),
            field("picked", Flag, "Picked"),
            field("state", Text, "Status"),
            field("date", Moment, "Date"),
            field("location_id", One("stock.location"), "From"),
            field("location_dest_id", One("stock.location"), "To"),
            field("lot_id", One("stock.lot"), "Lot/Serial Number"),
            field("lot_name", Text, "Lot/Serial Number Name"),
            field("package_id", One("stock.package"), "Source Package"),
            field(
                "result_package_id",
                One("stock.package"),
                "Destination Package",
            ),
        ],
    ),
];

/// The model's name as the code writes it, where the stand-in has it.
#[must_use]
pub fn model(name: &str) -> Option<&'static str> {
    MODELS.iter().find(|m| m.0 == name).map(|m| m.0)
}

/// What messages call the model.
#[must_use]
pub fn label(model: &str) -> &'static str {
    MODELS.iter().find(|m| m.0 == model).map_or("", |m| m.1)
}

pub fn fields(model: &str) -> impl Iterator<Item = &'static Field> + use<> {
    let own = MODELS
        .iter()
        .find(|m| m.0 == model)
        .map_or(&[][..], |m| m.2);
    COMMON.iter().chain(own)
}

#[must_use]
pub fn lookup(model: &str, name: &str) -> Option<&'static Field> {
    fields(model).find(|field| field.name == name)
}
