//! Looks up barcodes, lots and packages: in the catalog, and in Odoo if the catalog does not have
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::dates::ExpiryRules;
use super::{Asked, Ground, Intent, Resolved, reason};
use crate::catalog::refresh::Trouble;
use crate::catalog::{Catalog, CatalogError, Coded, Found, Product};
use crate::clock;
use crate::document::{Line, Purpose};
use crate::odoo::{Client, Kind, NAMES_MAX};
use crate::odoo_id::{CompanyId, LocationId, LotId, PackageId, PartnerId, ProductId};
use crate::reason::ReasonCode;

/// Odoo's ids: of lots by product and name, of packages and owners by name, and of inventory
/// locations by product.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub lots: BTreeMap<(ProductId, String), Vec<LotId>>,
    pub packages: BTreeMap<String, Vec<PackageId>>,
    pub owners: BTreeMap<String, BTreeSet<PartnerId>>,
    pub inventory: BTreeMap<ProductId, LocationId>,
    /// The location for scrap. `None`: Odoo has no such location.
    pub scrap: Option<LocationId>,
    /// The expiry rules of products whose lines have dates.
    pub expiry_rules: ExpiryRules,
}

impl Names {
    pub async fn ask(
        odoo: &mut Client,
        ground: Ground<'_>,
        intent: Intent,
        documents: &[Asked<'_>],
    ) -> Result<Self, Trouble> {
        let company = ground.warehouse.company;
        let lines: Vec<&Line> = documents
            .iter()
            .flat_map(|asked| &asked.document.lines)
            .collect();
        look_up(odoo, ground.copy, company, intent, documents).await?;
        let filled = filled(documents);
        let mut names = ask_for_names(odoo, ground.copy, company, &lines, &filled).await?;
        for name in filled {
            if names.packages.contains_key(&name) {
                continue;
            }
            // A package may be new if the line puts goods into it.
            let id = match intent {
                Intent::Send => odoo.make_package(&name).await?,
                Intent::Look | Intent::Review => PackageId::default(),
            };
            names.packages.insert(name, vec![id]);
        }
        names.owners = ask_for_owners(odoo, &lines).await?;
        let products = written_off(ground.copy, documents)?;
        names.inventory = odoo.inventory_locations(&products).await?;
        let is_scrap = |asked: &Asked<'_>| matches!(asked.document.purpose, Purpose::Scrap { .. });
        if documents.iter().any(is_scrap) {
            names.scrap = odoo.scrap_location(company).await?;
        }
        let products = dated(ground.copy, documents)?;
        if !products.is_empty() {
            names.expiry_rules = odoo.expiry_rules(&products).await?;
        }
        Ok(names)
    }

    /// The location for goods that a count finds missing, and for scrap if Odoo has no location for
    /// scrap.
    pub fn inventory(&self, line: &Line, product: &Product) -> Resolved<LocationId> {
        self.inventory.get(&product.id).copied().ok_or_else(|| {
            let message = format!(
                "product {:?} has no inventory location in Odoo: set the location there, and retry",
                line.goods.product
            );
            reason(ReasonCode::OdooRefused, message)
        })
    }
}

/// The packages that lines put goods into.
fn filled(documents: &[Asked<'_>]) -> BTreeSet<String> {
    let mut filled = BTreeSet::new();
    for asked in documents {
        match &asked.document.purpose {
            Purpose::Receive { .. } | Purpose::Pack { .. } => {
                let lines = asked.document.lines.iter();
                filled.extend(lines.filter_map(|line| line.goods.package.clone()));
            }
            Purpose::PackOrder { package, .. } => {
                filled.insert(package.clone());
            }
            _ => {}
        }
    }
    filled
}

/// The products of received lines that have dates.
fn dated(copy: &Catalog, documents: &[Asked<'_>]) -> Result<BTreeSet<ProductId>, Trouble> {
    let mut products = BTreeSet::new();
    for line in documents.iter().flat_map(|asked| &asked.document.lines) {
        let is_dated = line.goods.expiry.is_some() || line.goods.best_before.is_some();
        if let (true, Found::One(product)) = (is_dated, copy.product(&line.goods.product)?) {
            products.insert(product.id);
        }
    }
    Ok(products)
}

/// The products of counts and of scrap.
fn written_off(copy: &Catalog, documents: &[Asked<'_>]) -> Result<BTreeSet<ProductId>, Trouble> {
    let mut products = BTreeSet::new();
    for asked in documents {
        if matches!(
            asked.document.purpose,
            Purpose::Count | Purpose::Recount { .. } | Purpose::Scrap { .. }
        ) {
            for line in &asked.document.lines {
                if let Found::One(product) = copy.product(&line.goods.product)? {
                    products.insert(product.id);
                }
            }
        }
    }
    Ok(products)
}

async fn ask_for_owners(
    odoo: &mut Client,
    lines: &[&Line],
) -> Result<BTreeMap<String, BTreeSet<PartnerId>>, Trouble> {
    let names: BTreeSet<String> = lines
        .iter()
        .filter_map(|line| line.goods.owner.clone())
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    let mut owners = BTreeMap::<String, BTreeSet<PartnerId>>::new();
    for names in names.chunks(NAMES_MAX) {
        for partner in odoo.partners(names).await? {
            for called in [partner.name, partner.reference].into_iter().flatten() {
                owners.entry(called).or_default().insert(partner.id);
            }
        }
    }
    Ok(owners)
}

/// Looks up in Odoo the codes that the copy does not have. Before a send, also looks up the codes
/// that the copy read before the document was sealed, because their meaning may have changed since
/// then. Stores the answers in the copy.
async fn look_up(
    odoo: &mut Client,
    copy: &Catalog,
    company: CompanyId,
    intent: Intent,
    documents: &[Asked<'_>],
) -> Result<(), Trouble> {
    let (mut products, mut locations) = (BTreeSet::new(), BTreeSet::new());
    for asked in documents {
        let since = asked.document.sealed;
        let is_old =
            |coded, code: &str| intent == Intent::Send && !copy.is_looked_up(coded, code, since);
        for line in &asked.document.lines {
            let product = &line.goods.product;
            if is_old(Coded::Product, product) || copy.product(product)? == Found::Nothing {
                products.insert(product.clone());
            }
            for location in [&line.goods.from, &line.goods.to].into_iter().flatten() {
                if is_old(Coded::Location, location) || copy.location(location)? == Found::Nothing {
                    locations.insert(location.clone());
                }
            }
        }
    }
    if products.is_empty() && locations.is_empty() {
        return Ok(());
    }
    let begun = clock::now();
    let mut second = odoo.clone();
    let (by_product, others) = tokio::join!(
        take_in(odoo, copy, company, Kind::Product, &products),
        async {
            take_in(&mut second, copy, company, Kind::Packaging, &products).await?;
            take_in(&mut second, copy, company, Kind::Location, &locations).await
        }
    );
    by_product?;
    others?;
    copy.note_looked_up(Coded::Product, products.iter(), begun);
    copy.note_looked_up(Coded::Location, locations.iter(), begun);
    Ok(())
}

async fn take_in(
    odoo: &mut Client,
    copy: &Catalog,
    company: CompanyId,
    kind: Kind,
    codes: &BTreeSet<String>,
) -> Result<(), Trouble> {
    let codes: Vec<String> = codes.iter().cloned().collect();
    for codes in codes.chunks(NAMES_MAX) {
        let known = copy.ids_with(kind, &codes.iter().cloned().collect())?;
        let found = odoo.by_codes(kind, company, codes, &known).await?;
        copy.note_clock(odoo.server_time());
        copy.take_in(kind, &known, found)?;
    }
    Ok(())
}

async fn ask_for_names(
    odoo: &mut Client,
    copy: &Catalog,
    company: CompanyId,
    lines: &[&Line],
    filled: &BTreeSet<String>,
) -> Result<Names, Trouble> {
    let mut names = Names::default();
    let mut lots = BTreeSet::new();
    let mut packages = filled.clone();
    for line in lines {
        if let (Some(lot), Found::One(product)) =
            (&line.goods.lot, copy.product(&line.goods.product)?)
        {
            lots.insert((product.id, lot.clone()));
        }
        packages.extend(line.goods.package.clone());
    }
    let lots: Vec<_> = lots.into_iter().collect();
    for lots in lots.chunks(NAMES_MAX) {
        let lots = lots.iter().cloned().collect();
        for lot in odoo.lots(company, &lots).await? {
            names
                .lots
                .entry((lot.product_id, lot.name))
                .or_default()
                .push(lot.id);
        }
    }
    let packages: Vec<_> = packages.into_iter().collect();
    for packages in packages.chunks(NAMES_MAX) {
        for (name, id) in odoo.packages(company, packages).await? {
            names.packages.entry(name).or_default().push(id);
        }
    }
    Ok(names)
}

pub(super) fn product(copy: &Catalog, scanned: &str) -> Result<Resolved<Product>, CatalogError> {
    let found = copy.product(scanned)?;
    if found == Found::Nothing
        && let Some((product, unit)) = copy.foreign_packaging(scanned)?
    {
        let message = format!(
            "{scanned:?} is a packaging of {product} in the unit {unit}, which Odoo cannot convert into the unit of the product: change the unit in Odoo, and the gateway retries by itself"
        );
        return Ok(Err(reason(ReasonCode::UnitMismatch, message)));
    }
    Ok(found_product(scanned, found))
}

fn found_product(scanned: &str, found: Found<Product>) -> Resolved<Product> {
    match found {
        Found::One(product) => Ok(product),
        Found::Nothing => Err(reason(
            ReasonCode::UnknownProduct,
            format!(
                "no product in Odoo has the barcode or internal reference {scanned:?}: {WHEN_THERE}"
            ),
        )),
        Found::Several(names) => Err(reason(
            ReasonCode::AmbiguousProduct,
            format!(
                "{scanned:?} is more than one product: {}: {MAKE_UNIQUE}",
                names.join(", ")
            ),
        )),
    }
}

pub(super) fn location(scanned: &str, found: Found<LocationId>) -> Resolved<LocationId> {
    match found {
        Found::One(id) => Ok(id),
        Found::Nothing => Err(reason(
            ReasonCode::UnknownLocation,
            format!("no location in Odoo has the barcode {scanned:?}: {WHEN_THERE}"),
        )),
        Found::Several(names) => Err(reason(
            ReasonCode::AmbiguousLocation,
            format!(
                "{scanned:?} is more than one location: {}: {MAKE_UNIQUE}",
                names.join(", ")
            ),
        )),
    }
}

pub(super) fn lot(names: &Names, line: &Line, product: &Product) -> Resolved<Option<LotId>> {
    let Some(lot) = &line.goods.lot else {
        if product.tracked {
            let message = format!(
                "product {:?} is tracked, and its line has no lot or serial number: edit the document and enter the number",
                line.goods.product
            );
            return Err(reason(ReasonCode::LotRequired, message));
        }
        return Ok(None);
    };
    match names
        .lots
        .get(&(product.id, lot.clone()))
        .map(Vec::as_slice)
    {
        Some([id, ..]) => Ok(Some(*id)),
        _ => Err(reason(
            ReasonCode::UnknownLot,
            format!(
                "product {:?} has no lot or serial number {lot:?} in Odoo: {WHEN_THERE}",
                line.goods.product
            ),
        )),
    }
}

pub(super) fn package(names: &Names, line: &Line) -> Resolved<Option<PackageId>> {
    line.goods
        .package
        .as_deref()
        .map(|package| named_package(names, package))
        .transpose()
}

pub(super) fn owner(names: &Names, line: &Line) -> Resolved<Option<PartnerId>> {
    let Some(owner) = &line.goods.owner else {
        return Ok(None);
    };
    let found = names.owners.get(owner);
    let mut found = found.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(Some(*id)),
        (Some(_), Some(_)) => Err(reason(
            ReasonCode::AmbiguousPartner,
            format!("more than one partner in Odoo is called {owner:?}: {MAKE_UNIQUE}"),
        )),
        (None, _) => Err(reason(
            ReasonCode::UnknownPartner,
            format!("no partner in Odoo has the name or reference {owner:?}: {WHEN_THERE}"),
        )),
    }
}

pub(super) fn named_package(names: &Names, package: &str) -> Resolved<PackageId> {
    match names.packages.get(package).map(Vec::as_slice) {
        Some([id]) => Ok(*id),
        Some([_, ..]) => Err(reason(
            ReasonCode::AmbiguousPackage,
            format!("more than one package in Odoo is named {package:?}: {MAKE_UNIQUE}"),
        )),
        _ => Err(reason(
            ReasonCode::UnknownPackage,
            format!("no package in Odoo is named {package:?}: {WHEN_THERE}"),
        )),
    }
}

// The remedies at the end of reasons.
const WHEN_THERE: &str = "enter it there, and the gateway retries by itself";
const MAKE_UNIQUE: &str = "make them different in Odoo, and the gateway retries by itself";
