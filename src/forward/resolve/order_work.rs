//! The work of a document about an order that Odoo has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::line_values::{lot, quantity};
use super::lookup::{Names, location, named_package, owner, package, product};
use super::{Asked, Ground, Prepared, Resolved};
use crate::catalog::refresh::Trouble;
use crate::document::{Line, Purpose};
use crate::forward::job::Work;
use crate::forward::order::{OrderJob, OrderLine, Task, Way};
use crate::odoo::order::Shipment;

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
    for (place, line) in scanned.iter().enumerate() {
        match order_line(ground, names, purpose, line)? {
            Ok(line) => lines.push(line),
            Err(reason) => return Ok(Err(reason.at(place))),
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
    let product = product(ground.copy, &line.goods.product)?;
    let place = |scanned: &Option<String>| {
        let scanned = scanned.as_deref();
        let found = scanned
            .map(|scanned| Ok::<_, Trouble>(location(scanned, ground.copy.location(scanned)?)));
        Ok::<_, Trouble>(found.transpose()?.transpose())
    };
    let (from, to) = (place(&line.goods.from)?, place(&line.goods.to)?);
    let is_receipt = matches!(purpose, Purpose::Receive { .. });
    Ok((|| {
        let product = product?;
        let package = package(names, line)?;
        let put_into = is_receipt || matches!(purpose, Purpose::Pack { .. });
        Ok(OrderLine {
            lot: lot(names, line, &product, is_receipt, ground.zone)?,
            package: package.filter(|_| !put_into),
            into: package.filter(|_| put_into),
            owner: owner(names, line)?,
            from: from?,
            to: to?,
            quantity: quantity(purpose, line, &product)?,
            product: product.id,
            unit: product.unit,
        })
    })())
}
