//! Master data as Odoo has it: the records behind barcodes, and lots and packages by name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::client::Client;
use super::client::records::{PAGE_ROWS, records};
use super::lots::HAS_DATES;
use super::values::{text_or_false, value_or_false, yes};
use crate::odoo_id::{
    CompanyId, LocationId, LotId, PackageId, PartnerId, ProductId, UnitId, WarehouseId,
};
use crate::outcome::Failure;

/// The version of the server, such as `19.0`.
pub type Version = String;

/// The kinds of records in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Units of measure; read before the records that refer to them.
    Unit,
    Product,
    /// Barcodes of packagings: a product and its quantity.
    Packaging,
    Location,
    /// The stock in the warehouse's internal locations.
    Quant,
    /// The catalog has only the lots, packages and partners that a quant or an order names.
    Lot,
    Package,
    Partner,
}

/// One record of master data. Its kind decides which fields have a meaning.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Row {
    pub id: i64,
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub write_date: Option<String>,
    /// `false`: the record is archived, and the catalog treats it as deleted.
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub display_name: Option<String>,
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub barcode: Option<String>,
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub default_code: Option<String>,
    /// `none`, `lot` or `serial`, for products.
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub tracking: Option<String>,
    /// The product of a packaging, a quant or a lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// The unit of a product or a packaging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uom_id: Option<UnitId>,
    /// The quantity of a packaging in the product's own unit, if the packaging has a field for it:
    /// before Odoo 19.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contained: Option<f64>,
    /// How many of its reference unit a unit equals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The smallest quantity of a unit that Odoo stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<f64>,
    /// The common reference of units that can be converted into each other: the first unit of their
    /// path, before Odoo 19 their category.
    #[serde(
        default,
        rename = "parent_path",
        deserialize_with = "first_of_path",
        skip_serializing_if = "Option::is_none"
    )]
    pub reference: Option<String>,
    /// The external id of a unit, such as `uom.product_uom_kgm`. Empty: the unit has no external
    /// id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// Whether Odoo tracks stock of the product.
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub is_storable: Option<bool>,
    /// Whether the lots of the product have dates. `None`: Odoo lacks the app for dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_expiration_date: Option<bool>,
    /// `internal`, `customer`, `inventory`, ..., for locations.
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub usage: Option<String>,
    /// The warehouse of a location.
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub warehouse_id: Option<WarehouseId>,
    /// The name of a lot, a package or a partner.
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub expiration_date: Option<String>,
    /// The location of a quant; then its lot, its package, its owner and its quantity.
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub location_id: Option<LocationId>,
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub lot_id: Option<LotId>,
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub package_id: Option<PackageId>,
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub owner_id: Option<PartnerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<f64>,
}

/// A lot or serial number of a product.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lot {
    pub id: LotId,
    pub name: String,
    pub product_id: ProductId,
}

#[derive(Debug, Deserialize)]
struct NamedPackage {
    id: PackageId,
    name: String,
}

records!(Row, Lot, NamedPackage);

/// Reads the first id of a path such as `3/14/`, or an id.
fn first_of_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(path) => path.split('/').next().map(str::to_owned),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    })
}

impl Kind {
    /// The kinds in which the gateway looks up barcodes. It posts nothing without them.
    pub const ALL: [Self; 4] = [Self::Unit, Self::Product, Self::Packaging, Self::Location];

    pub(super) fn model(self) -> &'static str {
        match self {
            Self::Unit => "uom.uom",
            Self::Product => "product.product",
            Self::Packaging => "product.uom",
            Self::Location => "stock.location",
            Self::Quant => "stock.quant",
            Self::Lot => "stock.lot",
            Self::Package => "stock.package",
            Self::Partner => "res.partner",
        }
    }

    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Unit => &[
                "write_date",
                "active",
                "name",
                "factor",
                "rounding",
                "parent_path",
            ],
            Self::Product => &[
                "write_date",
                "active",
                "display_name",
                "barcode",
                "default_code",
                "tracking",
                "uom_id",
                "is_storable",
            ],
            Self::Packaging => &["write_date", "barcode", "product_id", "uom_id"],
            Self::Location => &[
                "write_date",
                "active",
                "display_name",
                "barcode",
                "usage",
                "warehouse_id",
            ],
            Self::Quant => &[
                "write_date",
                "product_id",
                "location_id",
                "lot_id",
                "package_id",
                "owner_id",
                "quantity",
            ],
            Self::Lot => &["write_date", "name", "product_id", "expiration_date"],
            Self::Package | Self::Partner => &["write_date", "name"],
        }
    }

    /// Fields that an app of Odoo adds, or that some versions lack.
    pub(super) fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Quant => &["owner_id"],
            Self::Lot => &["expiration_date"],
            _ => &[],
        }
    }

    /// The fields that hold a record's codes.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Product => &["barcode", "default_code"],
            Self::Packaging | Self::Location => &["barcode"],
            _ => &[],
        }
    }

    /// The condition for records that are visible in the warehouse's company.
    fn domain(self, company: CompanyId) -> Vec<Value> {
        match self {
            Self::Unit => vec![],
            _ => vec![json!(["company_id", "in", [false, company]])],
        }
    }
}

impl Client {
    /// Reads a page of records with an id above `after`, by rising id: those written since a time,
    /// or all.
    pub async fn page(
        &mut self,
        kind: Kind,
        company: CompanyId,
        since: Option<&str>,
        after: i64,
    ) -> Result<Vec<Row>, Failure> {
        let mut domain = kind.domain(company);
        domain.push(json!(["id", ">", after]));
        if let Some(since) = since {
            let written = json!(["write_date", ">=", since]);
            if kind == Kind::Product {
                // Tracking and unit are fields of the template, which has its own time.
                domain.extend([json!("|"), written]);
                domain.push(json!(["product_tmpl_id.write_date", ">=", since]));
            } else {
                domain.push(written);
            }
        }
        let fields = self.fields_of(kind).await?;
        let domain = Value::Array(domain);
        self.search(kind.model(), &domain, &fields, PAGE_ROWS).await
    }

    /// The fields of a kind, with the optional fields that this Odoo has.
    pub(super) async fn fields_of(&mut self, kind: Kind) -> Result<Vec<&'static str>, Failure> {
        let mut fields = kind.fields().to_vec();
        if kind == Kind::Product && self.has_dates().await? {
            fields.push(HAS_DATES);
        }
        Ok(fields)
    }

    /// The external ids of these units. They identify a unit in any language.
    pub async fn unit_names(
        &mut self,
        units: &[UnitId],
    ) -> Result<BTreeMap<UnitId, String>, Failure> {
        let body = json!({"ids": units});
        let names: BTreeMap<String, Value> = self.call("uom.uom", "get_external_id", &body).await?;
        let name = |(id, name): (String, Value)| {
            Some((
                id.parse().ok()?,
                name.as_str().unwrap_or_default().to_owned(),
            ))
        };
        Ok(names.into_iter().filter_map(name).collect())
    }

    /// The number of decimals that Odoo stores in the quantities of movements. Only an
    /// administrator may read the decimal precision itself, but every user may read the definition
    /// of a field that uses it. `None`: Odoo does not state it.
    pub async fn quantity_digits(&mut self) -> Result<Option<u32>, Failure> {
        let body = json!({"allfields": ["quantity"], "attributes": ["digits"]});
        let fields: Value = self.call("stock.move.line", "fields_get", &body).await?;
        let digits = fields["quantity"]["digits"][1].as_u64();
        Ok(digits.and_then(|digits| u32::try_from(digits).ok()))
    }

    /// The number of records that are not archived.
    pub async fn count(&mut self, kind: Kind, company: CompanyId) -> Result<u64, Failure> {
        let body = json!({"domain": kind.domain(company)});
        self.call(kind.model(), "search_count", &body).await
    }

    /// Reads the records that have one of these codes, and those with these ids, whatever codes
    /// they have now. The caller passes at most `NAMES_MAX` codes, as for lots and packages.
    pub async fn by_codes(
        &mut self,
        kind: Kind,
        company: CompanyId,
        codes: &[String],
        ids: &BTreeSet<i64>,
    ) -> Result<Vec<Row>, Failure> {
        let mut domain = kind.domain(company);
        let by_id = (!ids.is_empty()).then(|| json!(["id", "in", ids]));
        let fields = kind.codes().iter();
        let leaves: Vec<Value> = (fields.map(|field| json!([field, "in", codes])))
            .chain(by_id)
            .collect();
        domain.extend(vec![json!("|"); leaves.len().saturating_sub(1)]);
        domain.extend(leaves);
        let mut found = Vec::new();
        let take = |row| found.push(row);
        let fields = self.fields_of(kind).await?;
        self.search_all(kind.model(), domain, &fields, take).await?;
        Ok(found)
    }

    /// Reads the lots with these names of these products. The call asks for every name with every
    /// product, because that keeps it short; the function drops lots that the caller did not ask
    /// for.
    pub async fn lots(
        &mut self,
        company: CompanyId,
        wanted: &BTreeSet<(ProductId, String)>,
    ) -> Result<Vec<Lot>, Failure> {
        let products: BTreeSet<_> = wanted.iter().map(|(product, _)| product).collect();
        let names: BTreeSet<_> = wanted.iter().map(|(_, name)| name).collect();
        let domain = vec![
            json!(["product_id", "in", products]),
            json!(["name", "in", names]),
            json!(["company_id", "in", [false, company]]),
        ];
        let mut found = Vec::new();
        let take = |lot: Lot| {
            if wanted.contains(&(lot.product_id, lot.name.clone())) {
                found.push(lot);
            }
        };
        self.search_all("stock.lot", domain, &["name", "product_id"], take)
            .await?;
        Ok(found)
    }

    /// Reads packages by name, which is their barcode. Several packages may have the same name.
    pub async fn packages(
        &mut self,
        company: CompanyId,
        names: &[String],
    ) -> Result<Vec<(String, PackageId)>, Failure> {
        let domain = vec![
            json!(["name", "in", names]),
            json!(["company_id", "in", [false, company]]),
        ];
        let mut found = Vec::new();
        let take = |package: NamedPackage| found.push((package.name, package.id));
        self.search_all("stock.package", domain, &["name"], take)
            .await?;
        Ok(found)
    }
}
