//! The names of models, methods and fields in Odoo 17 and 18, for the names of Odoo 19 in the
//! store.

use super::super::schema::{self, Field, Kind};
use super::super::version::Version;

use Kind::{Flag, Number, One, Text};

/// The model of 19 behind the name of an older version.
#[must_use]
pub fn model(name: &str) -> Option<&'static str> {
    match name {
        "stock.quant.package" => Some("stock.package"),
        "product.packaging" => Some("product.uom"),
        "procurement.group" => Some("stock.reference"),
        "stock.package" | "product.uom" | "stock.reference" => None,
        same => schema::model(same),
    }
}

/// The name of the model in an older version.
#[must_use]
pub fn older_name(model: &'static str) -> &'static str {
    match model {
        "stock.package" => "stock.quant.package",
        "product.uom" => "product.packaging",
        "stock.reference" => "procurement.group",
        same => same,
    }
}

/// The field of an older version under a name.
#[derive(Debug, Clone, Copy)]
pub enum Meaning {
    /// The same as 19.
    Same(&'static Field),
    /// A field that 19 does not have, or that has another meaning there.
    Own(Field),
}

impl Meaning {
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Same(field) => field.kind,
            Self::Own(field) => field.kind,
        }
    }
}

/// Fields of 19 that no older version has.
const SINCE_19: &[(&str, &str)] = &[
    ("stock.picking", "reference_ids"),
    ("uom.uom", "relative_factor"),
    ("uom.uom", "relative_uom_id"),
    ("uom.uom", "parent_path"),
    ("product.uom", "uom_id"),
    ("product.product", "product_uom_ids"),
    ("sale.order.line", "product_uom_id"),
    ("purchase.order.line", "product_uom_id"),
];

/// Fields of 18 and 19.
const SINCE_18: &[(&str, &str)] = &[
    ("product.product", "is_storable"),
    ("res.users.apikeys", "expiration_date"),
    ("stock.warehouse", "store_type_id"),
];

const fn own(name: &'static str, kind: Kind, label: &'static str) -> Meaning {
    Meaning::Own(Field { name, kind, label })
}

/// Finds a field of Odoo 19 in an older version. `None`: the version does not have the field.
#[must_use]
pub fn field(version: Version, model: &str, name: &str) -> Option<Meaning> {
    let here = (model, name);
    match here {
        ("uom.uom", "factor") => return Some(own("factor", Number, "Ratio")),
        ("uom.uom", "factor_inv") => return Some(own("factor_inv", Number, "Bigger Ratio")),
        // A category is known by its first unit.
        ("uom.uom", "category_id") => return Some(own("category_id", One("uom.uom"), "Category")),
        ("product.uom", "qty") => return Some(own("qty", Number, "Contained Quantity")),
        ("product.uom", "name") => return Some(own("name", Text, "Product Packaging")),
        ("stock.picking", "group_id") => {
            let kind = One("stock.reference");
            return Some(own("group_id", kind, "Procurement Group"));
        }
        ("stock.picking", "shipping_weight") => {
            return Some(own("shipping_weight", Number, "Weight for Shipping"));
        }
        ("stock.location", "scrap_location") => {
            return Some(own("scrap_location", Flag, "Is a Scrap Location?"));
        }
        ("product.product", "type") if version < Version::V18 => {
            return Some(own("type", Text, "Product Type"));
        }
        ("stock.picking.type", "default_location_src_id" | "default_location_dest_id")
            if version < Version::V18 =>
        {
            let same = schema::lookup(model, name)?;
            return Some(Meaning::Own(*same));
        }
        _ => {}
    }
    let is_new = SINCE_19.contains(&here) || (version < Version::V18 && SINCE_18.contains(&here));
    if is_new {
        return None;
    }
    schema::lookup(model, name).map(Meaning::Same)
}

/// All fields of a model, by name.
pub fn fields(version: Version, model: &'static str) -> impl Iterator<Item = &'static str> {
    const OWN: &[(&str, &str)] = &[
        ("uom.uom", "factor_inv"),
        ("uom.uom", "category_id"),
        ("product.uom", "qty"),
        ("product.uom", "name"),
        ("stock.picking", "group_id"),
        ("stock.location", "scrap_location"),
    ];
    let same = schema::fields(model).map(|field| field.name);
    let same = same.filter(move |name| field(version, model, name).is_some());
    let own = OWN.iter().filter(move |(of, _)| *of == model);
    same.chain(own.map(|(_, name)| *name))
}

/// Whether the version has a method: one of 19, or one that `dialect` handles itself.
#[must_use]
pub fn has_method(version: Version, method: &str) -> bool {
    match method {
        "web_save_multi" => false,
        "has_access" => version >= Version::V18,
        _ => true,
    }
}
