//! Documents that become pickings of our own.

use jiff::Timestamp;

use super::names::{Names, location, lot, package, product};
use super::{Asked, Ground, Prepared, Resolved, reason};
use crate::document::{Line, Purpose};
use crate::forward::machine::Work;
use crate::forward::odoo::{Transfer, TransferLine};
use crate::forward::refresh::Trouble;
use crate::outcome::code;

pub(super) fn transfer(
    ground: Ground<'_>,
    names: &Names,
    asked: Asked<'_>,
    when: Option<Timestamp>,
) -> Result<Resolved<Prepared>, Trouble> {
    let document = asked.document;
    if document.purpose != Purpose::Transfer {
        let kind = document.purpose.kind();
        let message = format!(
            "this version keeps events of type {kind:?} but cannot post them: retry after an update"
        );
        return Ok(Err(reason(code::UNSUPPORTED_TYPE, message)));
    }
    let mut lines = Vec::new();
    for line in &document.lines {
        match transfer_line(ground, names, line)? {
            Ok(line) => lines.push(line),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    let transfer = Transfer {
        key: document.key,
        group: document.group.clone(),
        lines,
        when,
    };
    Ok(Ok(Work::Transfer(transfer).into()))
}

fn transfer_line(
    ground: Ground<'_>,
    names: &Names,
    line: &Line,
) -> Result<Resolved<TransferLine>, Trouble> {
    let copy = ground.copy;
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
