//! Checks incoming serial numbers: a number that is in stock cannot be received again.
//!
//! Odoo refuses a second one only in the same bin. So the gateway looks up the serial numbers of
//! receipts and returns before it sends them: in stock, and on lines that are picked and not
//! validated. A delivered number is with the customer and may come back. If no picking of the order
//! is open, a number in stock is no fault, because nothing is written to the order.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::code_faults::add;
use super::lookup::Names;
use super::{Asked, Ground, Prepared, Resolved};
use crate::catalog::Found;
use crate::catalog::refresh::Trouble;
use crate::document::{Line, Purpose};
use crate::forward::faults::Fault;
use crate::odoo::serial::SerialLine;
use crate::odoo::{Client, Kind};
use crate::odoo_id::{LocationId, LotId, MoveLineId, PickingId, ProductId};
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// A serial number that a document brings in.
#[derive(Debug)]
struct Incoming {
    /// The index of the document among the documents that are resolved together.
    place: usize,
    line: usize,
    product: ProductId,
    name: String,
    serial: String,
    lots: Vec<LotId>,
}

impl Incoming {
    fn is_on(&self, line: &SerialLine) -> bool {
        let by_lot = line.lot.is_some_and(|lot| self.lots.contains(&lot));
        let by_name = line.lot_name.as_deref() == Some(self.serial.as_str());
        line.product == self.product && (by_lot || by_name)
    }

    fn fault(&self, where_it_is: &str) -> Fault {
        let message = format!(
            "serial number {} of {} {where_it_is}: edit the number, or discard this if the goods were received before",
            self.serial, self.name
        );
        Fault::new(self.line, ReasonCode::SerialSeen, message)
    }
}

/// The places of serial numbers.
#[derive(Debug, Default)]
struct Whereabouts {
    /// A location that has the serial number, by lot.
    stock: BTreeMap<LotId, LocationId>,
    /// Lines that bring in serial numbers.
    coming: Vec<SerialLine>,
}

/// Parks documents that bring in a serial number that is already in stock. The documents are about
/// to be sent.
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
        if !comes_in {
            continue;
        }
        let own = serials(ground, names, place, &asked.document.lines)?;
        let (twice, once) = split_repeated(own, &asked.document.lines);
        add(slot, twice);
        incoming.extend(once);
    }
    if incoming.is_empty() {
        return Ok(());
    }
    let known = whereabouts(odoo, &incoming).await?;
    let mut seen = BTreeMap::<usize, Vec<Fault>>::new();
    for serial in &incoming {
        let Some(where_it_is) = place_of(odoo, ground, &known, serial).await? else {
            continue;
        };
        let asked = documents[serial.place];
        if !(asked.again && came_by(odoo, asked, serial).await?) {
            let fault = serial.fault(&where_it_is);
            seen.entry(serial.place).or_default().push(fault);
        }
    }
    for (place, faults) in seen {
        if !is_over(odoo, ground, documents[place]).await? {
            add(&mut resolved[place], faults);
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
    for (at, line) in lines.iter().enumerate() {
        if let (Some(serial), Found::One(product)) =
            (&line.goods.lot, ground.copy.product(&line.goods.product)?)
            && product.serial
        {
            let known = names.lots.get(&(product.id, serial.clone()));
            serials.push(Incoming {
                place,
                line: at,
                product: product.id,
                name: product.name,
                serial: serial.clone(),
                lots: known.cloned().unwrap_or_default(),
            });
        }
    }
    Ok(serials)
}

/// Splits the serial numbers of one document: the faults of numbers that it brings in more than
/// once, and all other numbers.
fn split_repeated(serials: Vec<Incoming>, lines: &[Line]) -> (Vec<Fault>, Vec<Incoming>) {
    let mut seen = BTreeSet::new();
    let (mut repeated, mut once) = (Vec::new(), Vec::new());
    for serial in serials {
        let line = &lines[serial.line];
        let is_summed = line.goods.quantity > Decimal::ONE && line.events.len() > 1;
        let is_new = seen.insert((serial.product, serial.serial.clone()));
        if !is_new || is_summed {
            repeated.push(serial.fault("was scanned more than once"));
        } else {
            once.push(serial);
        }
    }
    (repeated, once)
}

async fn whereabouts(odoo: &mut Client, incoming: &[Incoming]) -> Result<Whereabouts, Failure> {
    let lots: BTreeSet<LotId> = (incoming.iter())
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

/// Describes the place of a serial number. `None`: the serial number may come in.
async fn place_of(
    odoo: &mut Client,
    ground: Ground<'_>,
    known: &Whereabouts,
    serial: &Incoming,
) -> Result<Option<String>, Trouble> {
    let location = serial.lots.iter().find_map(|lot| known.stock.get(lot));
    if let Some(location) = location {
        let called = ground.copy.called(Kind::Location, location.get())?;
        let called = called.map_or_else(|| format!("location id {location}"), |bin| bin.name);
        return Ok(Some(format!("is in stock in {called}")));
    }
    let Some(line) = known.coming.iter().find(|line| serial.is_on(line)) else {
        return Ok(None);
    };
    let picking = line.picking.into_iter().collect();
    let names = odoo.picking_names(&picking).await?;
    Ok(Some(format!(
        "is on the unfinished picking {}",
        names.join(", ")
    )))
}

/// Whether the serial number came in with an earlier send of this document.
async fn came_by(odoo: &mut Client, asked: Asked<'_>, serial: &Incoming) -> Result<bool, Failure> {
    let products = BTreeSet::from([serial.product]);
    let lots = serial.lots.iter().copied().collect();
    let names = BTreeSet::from([serial.serial.clone()]);
    for done in [false, true] {
        let lines = odoo.serial_lines(&products, &lots, &names, done).await?;
        let ids: Vec<MoveLineId> = lines.iter().map(|line| line.id).collect();
        let on_orders = odoo.ours(&ids).await?;
        let pickings: Vec<PickingId> = lines.iter().filter_map(|line| line.picking).collect();
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

/// Whether no picking of the order is open. Then the gateway writes nothing to the order, and what
/// a user received in Odoo may be what was scanned.
async fn is_over(odoo: &mut Client, ground: Ground<'_>, asked: Asked<'_>) -> Result<bool, Failure> {
    let purpose = &asked.document.purpose;
    let Some(order) = purpose.order().filter(|_| purpose.is_about_order()) else {
        return Ok(false);
    };
    let seen = odoo.order(ground.warehouse, order).await?;
    Ok(seen.pickings.iter().all(|picking| !picking.is_open()))
}
