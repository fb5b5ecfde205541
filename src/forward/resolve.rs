//! Barcodes become Odoo's ids: documents in, transfers or reasons out.
//!
//! What the copy does not know is asked for in Odoo itself before it is called unknown. Lots and packages
//! are too many for a copy and are always asked for, all of a batch at once.

use std::collections::{BTreeMap, BTreeSet};

use super::copy::{Copy, Found, Product};
use super::odoo::{Client, Kind, NAMES_MAX, Transfer, TransferLine};
use super::refresh::Trouble;
use crate::document::{Document, Line, Purpose, Reason};
use crate::outcome::{Failure, code};

type Resolved<T> = Result<T, Reason>;

/// Lots by product and name; packages by name.
#[derive(Debug, Default)]
struct Names {
    lots: BTreeMap<(i64, String), Vec<i64>>,
    packages: BTreeMap<String, Vec<i64>>,
}

/// A transfer for each document, or why there is none yet. Where Odoo refuses to look barcodes up, each document is asked for
/// alone, and the refusal is for the one that it is about (**invariant 8**).
pub async fn resolve(
    odoo: &mut Client,
    copy: &Copy,
    company: i64,
    documents: &[&Document],
) -> Result<Vec<Resolved<Transfer>>, Trouble> {
    match resolve_together(odoo, copy, company, documents).await {
        Err(Trouble::Odoo(failure)) => refusal(odoo, company, failure).await?,
        other => return other,
    };
    let mut resolved = Vec::new();
    for document in documents {
        match resolve_together(odoo, copy, company, &[document]).await {
            Ok(one) => resolved.extend(one),
            Err(Trouble::Odoo(failure)) => {
                resolved.push(Err(refusal(odoo, company, failure).await?));
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(resolved)
}

/// What Odoo refuses about a document, in its words; all else is the link's trouble, also a key, a database or a user that
/// is not admitted at all.
async fn refusal(odoo: &mut Client, company: i64, failure: Failure) -> Result<Reason, Trouble> {
    if matches!(failure, Failure::Wait { .. }) {
        return Err(failure.into());
    }
    odoo.admits(company).await?;
    Ok(reason(
        code::ODOO_REFUSED,
        format!("Odoo does not look its barcodes up: {failure}"),
    ))
}

async fn resolve_together(
    odoo: &mut Client,
    copy: &Copy,
    company: i64,
    documents: &[&Document],
) -> Result<Vec<Resolved<Transfer>>, Trouble> {
    let lines: Vec<&Line> = documents
        .iter()
        .flat_map(|document| &document.lines)
        .collect();
    ask_for_unknown(odoo, copy, company, &lines).await?;
    let names = ask_for_names(odoo, copy, company, &lines).await?;
    documents
        .iter()
        .map(|document| transfer(copy, &names, document))
        .collect()
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
) -> Result<Names, Trouble> {
    let mut names = Names::default();
    let mut lots = BTreeSet::new();
    let mut packages = BTreeSet::new();
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

fn transfer(
    copy: &Copy,
    names: &Names,
    document: &Document,
) -> Result<Resolved<Transfer>, Trouble> {
    if document.purpose != Purpose::Transfer {
        let kind = document.purpose.kind();
        let message = format!(
            "this version keeps events of type {kind:?} but cannot post them: retry after an update"
        );
        return Ok(Err(reason(code::UNSUPPORTED_TYPE, message)));
    }
    let mut lines = Vec::new();
    for line in &document.lines {
        match transfer_line(copy, names, line)? {
            Ok(line) => lines.push(line),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(Transfer {
        key: document.key,
        group: document.group.clone(),
        lines,
        occurred: document.occurred,
    }))
}

fn transfer_line(
    copy: &Copy,
    names: &Names,
    line: &Line,
) -> Result<Resolved<TransferLine>, Trouble> {
    let product = product(&line.product, copy.product(&line.product)?);
    let place = |scanned: &Option<String>| {
        let scanned = scanned.as_deref().unwrap_or_default();
        Ok::<_, Trouble>(location(scanned, copy.location(scanned)?))
    };
    let (from, to) = (place(&line.from)?, place(&line.to)?);
    Ok((|| {
        let product = product?;
        Ok(TransferLine {
            from: from?,
            to: to?,
            lot: lot(names, line, &product)?,
            package: package(names, line)?,
            quantity: line.quantity.checked_mul(product.factor).ok_or_else(|| {
                reason(
                    code::ODOO_REFUSED,
                    format!("{} of a packaging is too many", line.quantity),
                )
            })?,
            product: product.id,
        })
    })())
}

fn product(scanned: &str, found: Found<Product>) -> Resolved<Product> {
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

fn location(scanned: &str, found: Found<i64>) -> Resolved<i64> {
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

fn lot(names: &Names, line: &Line, product: &Product) -> Resolved<Option<i64>> {
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

fn package(names: &Names, line: &Line) -> Resolved<Option<i64>> {
    let Some(package) = &line.package else {
        return Ok(None);
    };
    match names.packages.get(package).map(Vec::as_slice) {
        Some([id]) => Ok(Some(*id)),
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

fn reason(code: &str, message: String) -> Reason {
    Reason {
        code: code.to_owned(),
        message,
    }
}
