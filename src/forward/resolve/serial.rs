//! Serial numbers that come in although they are in stock: a number is one thing, and one thing is
//! not received twice.
//!
//! Odoo itself refuses a second one only in the same bin. So what comes in from outside, by a
//! receipt or a return, is looked up before anything is sent: in stock, and on lines that are
//! picked and not validated. What was delivered is at the customer's and may come back.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::names::Names;
use super::{Asked, Ground, Prepared, Resolved, is_about_order, reason};
use crate::catalog::Found;
use crate::catalog::refresh::Trouble;
use crate::document::{Line, Purpose, Reason};
use crate::odoo::serial::SerialLine;
use crate::odoo::{Client, Kind};
use crate::outcome::{Failure, code};

/// A serial number that a document brings in.
#[derive(Debug)]
struct Incoming {
    /// The document's place among those that are asked for.
    place: usize,
    product: i64,
    name: String,
    serial: String,
    lots: Vec<i64>,
}

impl Incoming {
    fn is_on(&self, line: &SerialLine) -> bool {
        let by_lot = line.lot.is_some_and(|lot| self.lots.contains(&lot));
        let by_name = line.lot_name.as_deref() == Some(self.serial.as_str());
        line.product == self.product && (by_lot || by_name)
    }

    fn refusal(&self, where_it_is: &str) -> Reason {
        let message = format!(
            "serial number {} of {} {where_it_is}: correct the number, or discard this if it was received before",
            self.serial, self.name
        );
        reason(code::SERIAL_SEEN, message)
    }
}

/// Where serial numbers are.
#[derive(Debug, Default)]
struct Whereabouts {
    /// By lot: a location in which it is.
    stock: BTreeMap<i64, i64>,
    /// Lines that bring some in.
    coming: Vec<SerialLine>,
}

/// Refuses documents that bring in what is in stock already. They are about to be sent.
pub(super) async fn check(
    odoo: &mut Client,
    ground: Ground<'_>,
    names: &Names,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
) -> Result<(), Trouble> {
    let mut incoming = Vec::new();
    for (place, (asked, slot)) in documents.iter().zip(resolved.iter_mut()).enumerate() {
        let comes_in = matches!(
            asked.document.purpose,
            Purpose::Receive { .. } | Purpose::Return { .. }
        );
        if !comes_in || slot.is_err() {
            continue;
        }
        let own = serials(ground, names, place, &asked.document.lines)?;
        match twice(&own, &asked.document.lines) {
            Some(reason) => *slot = Err(reason),
            None => incoming.extend(own),
        }
    }
    if incoming.is_empty() {
        return Ok(());
    }
    let known = whereabouts(odoo, &incoming).await?;
    for serial in &incoming {
        let Some(where_it_is) = place_of(odoo, ground, &known, serial).await? else {
            continue;
        };
        let asked = documents[serial.place];
        let is_ours = asked.again && came_by(odoo, asked, serial).await?;
        if !is_ours && !is_over(odoo, ground, asked).await? {
            resolved[serial.place] = Err(serial.refusal(&where_it_is));
        }
    }
    Ok(())
}

fn serials(
    ground: Ground<'_>,
    names: &Names,
    place: usize,
    lines: &[Line],
) -> Result<Vec<Incoming>, Trouble> {
    let mut serials = Vec::new();
    for line in lines {
        if let (Some(serial), Found::One(product)) =
            (&line.lot, ground.copy.product(&line.product)?)
            && product.serial
        {
            let known = names.lots.get(&(product.id, serial.clone()));
            serials.push(Incoming {
                place,
                product: product.id,
                name: product.name,
                serial: serial.clone(),
                lots: known.cloned().unwrap_or_default(),
            });
        }
    }
    Ok(serials)
}

/// A number that one document brings in more than once.
fn twice(serials: &[Incoming], lines: &[Line]) -> Option<Reason> {
    let mut seen = BTreeSet::new();
    for serial in serials {
        let scans_of = |line: &&Line| line.lot.as_ref() == Some(&serial.serial);
        let summed = |line: &Line| line.quantity > Decimal::ONE && line.events.len() > 1;
        let is_new = seen.insert((serial.product, &serial.serial));
        if !is_new || lines.iter().filter(scans_of).any(summed) {
            return Some(serial.refusal("was scanned more than once"));
        }
    }
    None
}

async fn whereabouts(odoo: &mut Client, incoming: &[Incoming]) -> Result<Whereabouts, Failure> {
    let lots: BTreeSet<i64> = (incoming.iter())
        .flat_map(|serial| serial.lots.iter().copied())
        .collect();
    let mut known = Whereabouts::default();
    if !lots.is_empty() {
        for stock in odoo.serials_in_stock(&lots).await? {
            known.stock.insert(stock.lot, stock.location);
        }
    }
    let products = incoming.iter().map(|serial| serial.product).collect();
    let names = (incoming.iter())
        .map(|serial| serial.serial.clone())
        .collect();
    known.coming = odoo.serial_lines(&products, &lots, &names, false).await?;
    Ok(known)
}

/// Where a serial number is, in words; `None` where it may come in.
async fn place_of(
    odoo: &mut Client,
    ground: Ground<'_>,
    known: &Whereabouts,
    serial: &Incoming,
) -> Result<Option<String>, Trouble> {
    let location = serial.lots.iter().find_map(|lot| known.stock.get(lot));
    if let Some(location) = location {
        let called = ground.copy.called(Kind::Location, *location)?;
        let called = called.map_or_else(|| format!("location id {location}"), |bin| bin.name);
        return Ok(Some(format!("is in stock in {called}")));
    }
    let Some(line) = known.coming.iter().find(|line| serial.is_on(line)) else {
        return Ok(None);
    };
    let picking = line.picking.into_iter().collect();
    let names = odoo.picking_names(&picking).await?;
    Ok(Some(format!("is being received by {}", names.join(", "))))
}

/// Whether it is there because this document was sent before.
async fn came_by(odoo: &mut Client, asked: Asked<'_>, serial: &Incoming) -> Result<bool, Failure> {
    let products = BTreeSet::from([serial.product]);
    let lots = serial.lots.iter().copied().collect();
    let names = BTreeSet::from([serial.serial.clone()]);
    for done in [false, true] {
        let lines = odoo.serial_lines(&products, &lots, &names, done).await?;
        let ids: Vec<i64> = lines.iter().map(|line| line.id).collect();
        let on_orders = odoo.ours(&ids).await?;
        let pickings: Vec<i64> = lines.iter().filter_map(|line| line.picking).collect();
        let own = odoo.pickings_of_ours(&pickings).await?;
        let key = asked.document.key;
        if on_orders.values().any(|of| *of == key)
            || own.values().any(|external| *external == key.external_id())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing is open of the order: then nothing is written to it, and what somebody received
/// in Odoo may be what was scanned.
async fn is_over(odoo: &mut Client, ground: Ground<'_>, asked: Asked<'_>) -> Result<bool, Failure> {
    let purpose = &asked.document.purpose;
    let Some(order) = purpose.order().filter(|_| is_about_order(purpose)) else {
        return Ok(false);
    };
    let seen = odoo.order(ground.warehouse, order).await?;
    let is_over = |state: &str| matches!(state, "done" | "cancel");
    Ok(seen.pickings.iter().all(|picking| is_over(&picking.state)))
}
