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

/// What the copy of master data holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Units of measure; before what refers to them.
    Unit,
    Product,
    /// Barcodes of packagings: a product, and how many of it.
    Packaging,
    Location,
    /// What lies in the warehouse's internal locations.
    Quant,
    /// Lots, packages and partners are held where a quant or an order names them.
    Lot,
    Package,
    Partner,
}

/// One record of master data; which fields mean something depends on its kind.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Row {
    pub id: i64,
    #[serde(
        default,
        deserialize_with = "text_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub write_date: Option<String>,
    /// An archived record is as good as gone.
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
    /// The quantity of the product's own unit in a packaging, if the packaging has a field for it:
    /// before Odoo 19.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contained: Option<f64>,
    /// How many of its reference unit a unit is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The smallest quantity of a unit that Odoo keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<f64>,
    /// What units that can be converted into each other have in common: the first unit of their
    /// path, before Odoo 19 their category.
    #[serde(
        default,
        rename = "parent_path",
        deserialize_with = "first_of_path",
        skip_serializing_if = "Option::is_none"
    )]
    pub reference: Option<String>,
    /// The external id of a unit, such as `uom.product_uom_kgm`; empty: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// Whether Odoo keeps stock of the product.
    #[serde(
        default,
        deserialize_with = "value_or_false",
        skip_serializing_if = "Option::is_none"
    )]
    pub is_storable: Option<bool>,
    /// Whether the lots of the product have dates; missing where no app keeps any.
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
    /// Where a quant lies, in what, whose it is, and how much.
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
struct Named {
    id: PackageId,
    name: String,
}

records!(Row, Lot, Named);

/// The first id of a path such as `3/14/`, or an id.
fn first_of_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(path) => path.split('/').next().map(str::to_owned),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    })
}

impl Kind {
    /// What barcodes are looked up in: nothing can be posted without.
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

    /// Fields that come with an app of Odoo's, or that not every version has.
    pub(super) fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Quant => &["owner_id"],
            Self::Lot => &["expiration_date"],
            _ => &[],
        }
    }

    /// The fields by which a code is looked up.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Product => &["barcode", "default_code"],
            Self::Packaging | Self::Location => &["barcode"],
            _ => &[],
        }
    }

    /// What may be seen in the warehouse's company.
    fn domain(self, company: CompanyId) -> Vec<Value> {
        match self {
            Self::Unit => vec![],
            _ => vec![json!(["company_id", "in", [false, company]])],
        }
    }
}

impl Client {
    /// A page of records with an id above `after`, rising: those written since, or all of them.
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
                // Tracking and unit are fields of the template, which has a time of its own.
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

    /// The fields of a kind, with those of that app where it is installed.
    pub(super) async fn fields_of(&mut self, kind: Kind) -> Result<Vec<&'static str>, Failure> {
        let mut fields = kind.fields().to_vec();
        if kind == Kind::Product && self.has_dates().await? {
            fields.push(HAS_DATES);
        }
        Ok(fields)
    }

    /// The external ids of these units: they tell which unit is which, in any language.
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

    /// How many decimals Odoo keeps of the quantities of movements. Only an administrator may read
    /// the decimal precision itself; the field that goes by it may be looked at by all. `None`:
    /// Odoo does not say.
    pub async fn quantity_digits(&mut self) -> Result<Option<u32>, Failure> {
        let body = json!({"allfields": ["quantity"], "attributes": ["digits"]});
        let fields: Value = self.call("stock.move.line", "fields_get", &body).await?;
        let digits = fields["quantity"]["digits"][1].as_u64();
        Ok(digits.and_then(|digits| u32::try_from(digits).ok()))
    }

    /// How many records there are that are not archived.
    pub async fn count(&mut self, kind: Kind, company: CompanyId) -> Result<u64, Failure> {
        let body = json!({"domain": kind.domain(company)});
        self.call(kind.model(), "search_count", &body).await
    }

    /// The records that have one of these codes, of which there are `NAMES_MAX` at most, as for
    /// lots and packages; and those with these ids, whatever their codes are by now.
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

    /// Lots with these names of these products. Odoo is asked for all of the names of all of the
    /// products, because so the question is short; of the answer only what was meant is kept.
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

    /// Packages by name, which is their barcode; one name may stand for several.
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
        let take = |package: Named| found.push((package.name, package.id));
        self.search_all("stock.package", domain, &["name"], take)
            .await?;
        Ok(found)
    }
}
