//! Companies, people, products, units, barcodes.

use super::Kind::{Day, Flag, Many, Moment, Number, One, Text, Whole};
use super::{Model, field};

pub const MODELS: &[Model] = &[
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
            field(
                "nomenclature_id",
                One("barcode.nomenclature"),
                "Nomenclature",
            ),
            field("fiscalyear_lock_date", Day, "Global Lock Date"),
            field("hard_lock_date", Day, "Hard Lock Date"),
            field(
                "user_fiscalyear_lock_date",
                Day,
                "User Fiscalyear Lock Date",
            ),
            field("user_hard_lock_date", Day, "User Hard Lock Date"),
        ],
    ),
    (
        "res.partner",
        "Contact",
        &[
            field("name", Text, "Name"),
            field("ref", Text, "Reference"),
            field("phone", Text, "Phone"),
            field("active", Flag, "Active"),
        ],
    ),
    (
        "res.users",
        "User",
        &[
            field("name", Text, "Name"),
            field("lang", Text, "Language"),
            field("email", Text, "Email"),
        ],
    ),
    ("ir.model", "Models", &[field("model", Text, "Model")]),
    (
        "ir.rule",
        "Record Rule",
        &[
            field("name", Text, "Name"),
            field("model_id", One("ir.model"), "Model"),
            field("domain_force", Text, "Domain"),
            field("perm_read", Flag, "Read"),
            field("perm_write", Flag, "Write"),
            field("perm_create", Flag, "Create"),
            field("perm_unlink", Flag, "Delete"),
        ],
    ),
    (
        "res.users.apikeys",
        "Users API Keys",
        &[
            field("name", Text, "Description"),
            field("scope", Text, "Scope"),
            field("user_id", One("res.users"), "User"),
            field("expiration_date", Moment, "Expiration Date"),
        ],
    ),
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
            field("relative_factor", Number, "Contains"),
            field("relative_uom_id", One("uom.uom"), "Reference Unit"),
            field("parent_path", Text, "Parent Path"),
            field("rounding", Number, "Rounding Precision"),
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
            field("use_expiration_date", Flag, "Use Expiration Date"),
            field("expiration_time", Whole, "Expiration Date"),
            field("use_time", Whole, "Best Before Date"),
            field("removal_time", Whole, "Removal Date"),
            field("alert_time", Whole, "Alert Date"),
            field("weight", Number, "Weight"),
            field("weight_uom_name", Text, "Weight unit of measure label"),
            field("uom_id", One("uom.uom"), "Unit"),
            field(
                "product_uom_ids",
                Many("product.uom", "product_id"),
                "Unit Barcode",
            ),
            field(
                "property_stock_inventory",
                One("stock.location"),
                "Inventory Location",
            ),
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
        "barcode.nomenclature",
        "Barcode Nomenclature",
        &[
            field("name", Text, "Barcode Nomenclature"),
            field(
                "rule_ids",
                Many("barcode.rule", "barcode_nomenclature_id"),
                "Rules",
            ),
            field("upc_ean_conv", Text, "UPC/EAN Conversion"),
            field("is_gs1_nomenclature", Flag, "Is GS1 Nomenclature"),
            field("gs1_separator_fnc1", Text, "FNC1 Separator"),
        ],
    ),
    (
        "barcode.rule",
        "Barcode Rule",
        &[
            field("name", Text, "Rule Name"),
            field(
                "barcode_nomenclature_id",
                One("barcode.nomenclature"),
                "Barcode Nomenclature",
            ),
            field("sequence", Whole, "Sequence"),
            field("encoding", Text, "Encoding"),
            field("type", Text, "Type"),
            field("pattern", Text, "Barcode Pattern"),
            field("alias", Text, "Alias"),
            field("gs1_content_type", Text, "GS1 Content Type"),
            field("gs1_decimal_usage", Flag, "Decimal"),
            field("associated_uom_id", One("uom.uom"), "Associated Uom"),
        ],
    ),
];
