//! Documents about orders that Odoo has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::names::{Names, location, named_package, owner, package, product};
use super::transfer::quantity;
use super::{Asked, Ground, Prepared, Resolved};
use crate::document::{Line, Purpose};
use crate::forward::copy::Product;
use crate::forward::machine::Work;
use crate::forward::odoo::order::odoo_time;
use crate::forward::order::{LotRef, OrderJob, OrderLine, Shipment, Task, Way};
use crate::forward::refresh::Trouble;
use crate::outcome::code;

pub(super) fn order(
    ground: Ground<'_>,
    names: &Names,
    asked: Asked<'_>,
    when: Option<Timestamp>,
) -> Result<Resolved<Prepared>, Trouble> {
    let document = asked.document;
    let task = match &document.purpose {
        Purpose::Ship {
            carrier_ref,
            weight_kg,
            parcels,
            ..
        } => Ok(Task::Ship(Shipment {
            carrier_ref: carrier_ref.clone(),
            weight_kg: *weight_kg,
            parcels: *parcels,
        })),
        Purpose::Validate { .. } => Ok(Task::Validate),
        Purpose::PackOrder { package, .. } => {
            named_package(names, package).map(|package| Task::PackAll { package })
        }
        purpose => lines(ground, names, purpose, &document.lines)?,
    };
    let order = document.purpose.order().unwrap_or_default().to_owned();
    Ok(task.map(|task| {
        let job = OrderJob {
            key: document.key,
            order,
            task,
            when,
            decision: asked.decision.map(str::to_owned),
            again: asked.again,
            sealed: document.sealed,
            fixed: None,
            parents: BTreeMap::new(),
            claimed: BTreeSet::new(),
            seen: None,
        };
        Work::Order(job).into()
    }))
}

fn lines(
    ground: Ground<'_>,
    names: &Names,
    purpose: &Purpose,
    scanned: &[Line],
) -> Result<Resolved<Task>, Trouble> {
    let way = match purpose {
        Purpose::Receive { .. } => Way::Receive,
        _ => Way::Pick,
    };
    let mut lines = Vec::new();
    for line in scanned {
        match order_line(ground, names, purpose, line)? {
            Ok(line) => lines.push(line),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(Task::Lines { way, lines }))
}

fn order_line(
    ground: Ground<'_>,
    names: &Names,
    purpose: &Purpose,
    line: &Line,
) -> Result<Resolved<OrderLine>, Trouble> {
    let product = product(ground.copy, &line.product)?;
    let place = |scanned: &Option<String>| {
        let scanned = scanned.as_deref();
        let found = scanned
            .map(|scanned| Ok::<_, Trouble>(location(scanned, ground.copy.location(scanned)?)));
        Ok::<_, Trouble>(found.transpose()?.transpose())
    };
    let (from, to) = (place(&line.from)?, place(&line.to)?);
    let is_receipt = matches!(purpose, Purpose::Receive { .. });
    Ok((|| {
        let product = product?;
        let package = package(names, line)?;
        let put_into = is_receipt || matches!(purpose, Purpose::Pack { .. });
        Ok(OrderLine {
            lot: lot(names, line, &product, is_receipt)?,
            package: package.filter(|_| !put_into),
            into: package.filter(|_| put_into),
            owner: owner(names, line)?,
            from: from?,
            to: to?,
            quantity: quantity(line, &product)?,
            product: product.id,
            unit: product.unit,
        })
    })())
}

/// A lot that Odoo has; on a receipt it may be new.
pub(super) fn lot(
    names: &Names,
    line: &Line,
    product: &Product,
    may_be_new: bool,
) -> Resolved<LotRef> {
    match super::names::lot(names, line, product) {
        Ok(None) => Ok(LotRef::None),
        Ok(Some(id)) => Ok(LotRef::Known {
            id,
            name: line.lot.clone().unwrap_or_default(),
        }),
        Err(reason) if may_be_new && reason.code == code::UNKNOWN_LOT => Ok(LotRef::New {
            name: line.lot.clone().unwrap_or_default(),
            expiry: line.expiry.as_deref().map(expiry),
        }),
        Err(reason) => Err(reason),
    }
}

/// An expiry date in Odoo's form: a day stays a day, a time with its offset becomes UTC.
fn expiry(text: &str) -> String {
    // A day is no time, and a time may be read as its day.
    if let Ok(at) = text.parse() {
        return odoo_time(at);
    }
    let day = text.parse::<Date>().ok().filter(|_| !text.contains(':'));
    day.map_or_else(|| text.to_owned(), |day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_with_an_offset_is_told_in_utc() {
        for (scanned, told) in [
            ("2027-05-01", "2027-05-01"),
            ("20270501", "2027-05-01"),
            ("2027-05-01T00:00:00+02:00", "2027-04-30 22:00:00"),
            ("2027-05-01T00:00:00-05:30", "2027-05-01 05:30:00"),
            ("2027-05-01T00:00:00Z", "2027-05-01 00:00:00"),
            ("2027-05-01T23:59:59.999+00:00", "2027-05-01 23:59:59"),
            ("2027-05-01 12:00:00+01", "2027-05-01 11:00:00"),
        ] {
            assert_eq!(expiry(scanned), told, "{scanned}");
        }
    }
}
