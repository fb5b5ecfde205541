//! The work of a document that becomes a picking of its own.

use jiff::Timestamp;

use super::count::{again, unread};
use super::line_values::{lot, quantity};
use super::lookup::{Names, location, owner, package, product};
use super::{Asked, Ground, Prepared, Resolved, reason};
use crate::catalog::refresh::Trouble;
use crate::document::{Line, Purpose, Reason};
use crate::forward::faults::{self, Fault};
use crate::forward::job::Work;
use crate::odoo::LotRef;
use crate::odoo::{Header, Lots, Transfer, TransferLine};
use crate::reason::ReasonCode;

/// Makes the transfer from the barcodes alone. [`super::plan`] adds the values that depend on
/// Odoo's stock.
pub(super) fn transfer(
    ground: Ground<'_>,
    names: &Names,
    asked: Asked<'_>,
    when: Option<Timestamp>,
) -> Result<Resolved<Prepared>, Trouble> {
    let document = asked.document;
    let (header, about) = match header(ground, &document.purpose) {
        Ok(header) => header,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut transfer = Transfer {
        key: document.key,
        group: document.group.clone(),
        about,
        header,
        lines: Vec::new(),
        returned: Vec::new(),
        when,
    };
    if let Purpose::Recount { count } = document.purpose
        && let Some(line) = again(ground, count).map_err(unread)?
    {
        transfer.lines.push(line);
        return Ok(Ok(headed(transfer, &document.purpose)));
    }
    for (place, line) in document.lines.iter().enumerate() {
        match transfer_line(ground, names, &document.purpose, header, line)? {
            Ok(line) => transfer.lines.push(line),
            Err(reason) => return Ok(Err(reason.at(place))),
        }
    }
    if let Purpose::Receive { .. } = document.purpose
        && let Some(reason) = faults::join(lots_off(ground.warehouse.lots, &transfer))
    {
        return Ok(Err(reason));
    }
    Ok(Ok(headed(transfer, &document.purpose)))
}

/// If goods leave the stock, the header names the same destination as the lines.
fn headed(mut transfer: Transfer, purpose: &Purpose) -> Prepared {
    let leaves = matches!(
        purpose,
        Purpose::Count | Purpose::Recount { .. } | Purpose::Scrap { .. }
    );
    if let (Some(header), Some(line), true) = (&mut transfer.header, transfer.lines.first(), leaves)
    {
        header.to = line.to;
    }
    Work::Transfer(transfer).into()
}

/// The faults of a receipt whose lots Odoo would not create.
fn lots_off(lots: Lots, transfer: &Transfer) -> Vec<Fault> {
    let lines = transfer.lines.iter().enumerate();
    let faults = lines.filter_map(|(place, line)| match &line.lot {
        LotRef::New { name, .. } => {
            Some(Fault::new(place, ReasonCode::LotsOff, lots.refusal(name)?))
        }
        _ => None,
    });
    faults.collect()
}

/// The reasons for the bins that a line of a transfer lacks.
pub(super) fn missing_bins(purpose: &Purpose, line: &Line) -> Vec<Reason> {
    let needs_from = matches!(
        purpose,
        Purpose::Transfer | Purpose::Scrap { .. } | Purpose::Pack { .. } | Purpose::Count
    );
    let needs_to = matches!(purpose, Purpose::Transfer);
    let from = (needs_from && line.goods.from.is_none()).then(|| from_required(line));
    let to = (needs_to && line.goods.to.is_none()).then(|| to_required(line));
    from.into_iter().chain(to).collect()
}

fn from_required(line: &Line) -> Reason {
    let message = format!(
        "the document does not name the bin that {:?} comes from: edit it and enter the bin",
        line.goods.product
    );
    reason(ReasonCode::BinRequired, message)
}

fn to_required(line: &Line) -> Reason {
    let message = format!(
        "the document does not name the bin that {:?} goes to: edit it and enter the bin",
        line.goods.product
    );
    reason(ReasonCode::BinRequired, message)
}

/// The header of the picking, and the text of its origin.
fn header(ground: Ground<'_>, purpose: &Purpose) -> Resolved<(Option<Header>, Option<String>)> {
    let warehouse = ground.warehouse;
    let why = |what: &str, why: &Option<String>| match why {
        Some(why) => Some(format!("{what}: {why}")),
        None => Some(what.to_owned()),
    };
    Ok(match purpose {
        Purpose::Transfer => (None, None),
        Purpose::Count => (Some(warehouse.internal()), why("count", &None)),
        Purpose::Recount { .. } => (Some(warehouse.internal()), why("recount", &None)),
        Purpose::Scrap { reason } => (Some(warehouse.internal()), why("scrap", reason)),
        Purpose::Pack { order: None } => (None, why("pack", &None)),
        Purpose::Receive { order: None } => {
            blind(ground.rules.orders.blind_receipts, "receipts")?;
            (Some(known(warehouse.receipts)?), why("receipt", &None))
        }
        Purpose::Return {
            order: None,
            reason,
        } => {
            blind(ground.rules.orders.blind_returns, "returns")?;
            (Some(known(warehouse.returns)?), why("return", reason))
        }
        Purpose::Return {
            order: Some(order),
            reason,
        } => {
            let what = format!("return of {order}");
            (Some(known(warehouse.returns)?), why(&what, reason))
        }
        other => {
            let kind = other.kind();
            let message = format!(
                "this version stores events of type {kind:?} but cannot post them: update the gateway, and retry"
            );
            return Err(reason(ReasonCode::UnsupportedType, message));
        }
    })
}

fn blind(allowed: bool, what: &str) -> Resolved<()> {
    if allowed {
        return Ok(());
    }
    let message = format!(
        "the document names no order: edit it and enter the order, or allow blind {what} in the configuration (orders.blind_{what}) and retry"
    );
    Err(reason(ReasonCode::OrderRequired, message))
}

fn known(header: Option<Header>) -> Resolved<Header> {
    header.ok_or_else(|| {
        let message = "the warehouse has no active operation type for this document, or the type has no default location: correct the operation type in Odoo, and retry";
        reason(ReasonCode::OdooRefused, message)
    })
}

fn transfer_line(
    ground: Ground<'_>,
    names: &Names,
    purpose: &Purpose,
    header: Option<Header>,
    line: &Line,
) -> Result<Resolved<TransferLine>, Trouble> {
    let copy = ground.copy;
    let product = product(copy, &line.goods.product)?;
    let place = |scanned: &Option<String>| {
        let scanned = scanned.as_deref();
        let found =
            scanned.map(|scanned| Ok::<_, Trouble>(location(scanned, copy.location(scanned)?)));
        Ok::<_, Trouble>(found.transpose()?.transpose())
    };
    let (from, to) = (place(&line.goods.from)?, place(&line.goods.to)?);
    Ok((|| {
        let product = product?;
        let (from, to) = (from?, to?);
        let bin = || from.ok_or_else(|| from_required(line));
        let nowhere = || to_required(line);
        let (from, to) = match purpose {
            Purpose::Scrap { .. } => {
                let scrap = names
                    .scrap
                    .map_or_else(|| names.inventory(line, &product), Ok);
                (bin()?, scrap?)
            }
            Purpose::Count | Purpose::Recount { .. } => (bin()?, names.inventory(line, &product)?),
            Purpose::Pack { .. } => (bin()?, bin()?),
            Purpose::Receive { .. } | Purpose::Return { .. } => {
                let header = header.ok_or_else(nowhere)?;
                (header.from, to.unwrap_or(header.to))
            }
            _ => (bin()?, to.ok_or_else(nowhere)?),
        };
        let package = package(names, line)?;
        let (out_of, into) = match purpose {
            // The package moves as a whole, with its content.
            Purpose::Transfer => (package, package),
            Purpose::Count | Purpose::Recount { .. } | Purpose::Scrap { .. } => (package, None),
            _ => (None, package),
        };
        Ok(TransferLine {
            from,
            to,
            lot: lot(
                names,
                line,
                &product,
                matches!(purpose, Purpose::Receive { .. }),
                ground.zone,
            )?,
            package: out_of,
            into,
            owner: owner(names, line)?,
            quantity: quantity(purpose, line, &product)?,
            product: product.id,
        })
    })())
}
