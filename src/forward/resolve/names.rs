//! Looks barcodes, lots and packages up: in the copy, and in Odoo where the copy has nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Ground, Intent, Resolved, reason};
use crate::document::{Line, Purpose};
use crate::forward::copy::{Copy, Found, Product};
use crate::forward::odoo::{Client, Kind, NAMES_MAX};
use crate::forward::refresh::Trouble;
use crate::outcome::code;

/// Lots by product and name; packages by name.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub lots: BTreeMap<(i64, String), Vec<i64>>,
    pub packages: BTreeMap<String, Vec<i64>>,
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
        ask_for_unknown(odoo, ground.copy, company, &lines).await?;
        let filled = filled(documents);
        let mut names = ask_for_names(odoo, ground.copy, company, &lines, &filled).await?;
        for name in filled {
            if names.packages.contains_key(&name) {
                continue;
            }
            // A package that goods are put into may be new.
            let id = match intent {
                Intent::Send => odoo.make_package(&name).await?,
                Intent::Look => 0,
            };
            names.packages.insert(name, vec![id]);
        }
        Ok(names)
    }
}

/// The packages that goods are put into.
fn filled(documents: &[Asked<'_>]) -> BTreeSet<String> {
    let mut filled = BTreeSet::new();
    for asked in documents {
        match &asked.document.purpose {
            Purpose::Receive { .. } | Purpose::Pack { .. } => {
                let lines = asked.document.lines.iter();
                filled.extend(lines.filter_map(|line| line.package.clone()));
            }
            Purpose::PackOrder { package, .. } => {
                filled.insert(package.clone());
            }
            _ => {}
        }
    }
    filled
}

/// Asks Odoo for the codes that the copy does not have, and takes the answer into the copy.
async fn ask_for_unknown(
    odoo: &mut Client,
    copy: &Copy,
    company: i64,
    lines: &[&Line],
) -> Result<(), Trouble> {
    let mut products = BTreeSet::new();
    let mut locations = BTreeSet::new();
    for line in lines {
        if copy.product(&line.product)? == Found::Nothing {
            products.insert(line.product.clone());
        }
        for location in [&line.from, &line.to].into_iter().flatten() {
            if copy.location(location)? == Found::Nothing {
                locations.insert(location.clone());
            }
        }
    }
    for (kind, codes) in [
        (Kind::Product, &products),
        (Kind::Packaging, &products),
        (Kind::Location, &locations),
    ] {
        let codes: Vec<String> = codes.iter().cloned().collect();
        for codes in codes.chunks(NAMES_MAX) {
            let found = odoo.by_codes(kind, company, codes).await?;
            copy.apply(kind, &found)?;
        }
    }
    Ok(())
}

async fn ask_for_names(
    odoo: &mut Client,
    copy: &Copy,
    company: i64,
    lines: &[&Line],
    filled: &BTreeSet<String>,
) -> Result<Names, Trouble> {
    let mut names = Names::default();
    let mut lots = BTreeSet::new();
    let mut packages = filled.clone();
    for line in lines {
        if let (Some(lot), Found::One(product)) = (&line.lot, copy.product(&line.product)?) {
            lots.insert((product.id, lot.clone()));
        }
        packages.extend(line.package.clone());
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

pub(super) fn product(scanned: &str, found: Found<Product>) -> Resolved<Product> {
    match found {
        Found::One(product) => Ok(product),
        Found::Nothing => Err(reason(
            code::UNKNOWN_PRODUCT,
            format!(
                "no product in Odoo has the barcode or internal reference {scanned:?}: {WHEN_THERE}"
            ),
        )),
        Found::Several(names) => Err(reason(
            code::AMBIGUOUS_PRODUCT,
            format!(
                "{scanned:?} is more than one product: {}: {MAKE_UNIQUE}",
                names.join(", ")
            ),
        )),
    }
}

pub(super) fn location(scanned: &str, found: Found<i64>) -> Resolved<i64> {
    match found {
        Found::One(id) => Ok(id),
        Found::Nothing => Err(reason(
            code::UNKNOWN_LOCATION,
            format!("no location in Odoo has the barcode {scanned:?}: {WHEN_THERE}"),
        )),
        Found::Several(names) => Err(reason(
            code::AMBIGUOUS_LOCATION,
            format!(
                "{scanned:?} is more than one location: {}: {MAKE_UNIQUE}",
                names.join(", ")
            ),
        )),
    }
}

pub(super) fn lot(names: &Names, line: &Line, product: &Product) -> Resolved<Option<i64>> {
    let Some(lot) = &line.lot else {
        if product.tracked {
            let message = format!(
                "product {:?} is tracked, and no lot or serial number was scanned",
                line.product
            );
            return Err(reason(code::LOT_REQUIRED, message));
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
            code::UNKNOWN_LOT,
            format!(
                "product {:?} has no lot or serial number {lot:?} in Odoo: {WHEN_THERE}",
                line.product
            ),
        )),
    }
}

pub(super) fn package(names: &Names, line: &Line) -> Resolved<Option<i64>> {
    line.package
        .as_deref()
        .map(|package| named_package(names, package))
        .transpose()
}

pub(super) fn named_package(names: &Names, package: &str) -> Resolved<i64> {
    match names.packages.get(package).map(Vec::as_slice) {
        Some([id]) => Ok(*id),
        Some([_, ..]) => Err(reason(
            code::AMBIGUOUS_PACKAGE,
            format!("more than one package in Odoo is named {package:?}: {MAKE_UNIQUE}"),
        )),
        _ => Err(reason(
            code::UNKNOWN_PACKAGE,
            format!("no package in Odoo is named {package:?}: {WHEN_THERE}"),
        )),
    }
}

const WHEN_THERE: &str = "enter it there, and this is sent by itself";
const MAKE_UNIQUE: &str = "make them different in Odoo, and this is sent by itself";
