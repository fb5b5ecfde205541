//! Returns from an order: finds the delivery, and checks the quantity that can be returned.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::plan::Plan;
use super::{Asked, Ground, Resolved, reason};
use crate::catalog::refresh::Trouble;
use crate::forward::faults::{self, Fault};
use crate::odoo::TOLERANCE;
use crate::odoo::order::SeenPicking;
use crate::odoo::{Client, Direction, Header, MoveState, PickingState, Returned, Transfer};
use crate::odoo_id::{MoveId, ProductId};
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// A move that delivered a quantity of a product to the customer.
#[derive(Debug, Clone, Copy)]
struct Delivered<'a> {
    id: MoveId,
    picking: &'a SeenPicking,
    quantity: Decimal,
}

pub(super) async fn find(
    odoo: &mut Client,
    ground: Ground<'_>,
    asked: Asked<'_>,
    order: &str,
    transfer: &Transfer,
) -> Result<Resolved<Plan>, Trouble> {
    let seen = odoo.order(ground.warehouse, order).await?;
    if seen.pickings.is_empty() {
        let message = format!(
            "Odoo has no order {order:?} in this warehouse: edit the order, or discard this and scan again"
        );
        return Ok(Err(reason(ReasonCode::UnknownOrder, message)));
    }
    let mut ours = BTreeMap::<ProductId, Decimal>::new();
    for line in &transfer.lines {
        *ours.entry(line.product).or_default() += line.quantity;
    }
    let (mut delivered, mut faults) = (BTreeMap::new(), Vec::new());
    for (place, line) in transfer.lines.iter().enumerate() {
        let moves = moves(&seen.pickings, line.product);
        if moves.is_empty() {
            let scanned = &asked.document.lines[place].goods.product;
            let reason = not_there(&seen.pickings, order, scanned, line.product);
            faults.push(Fault {
                line: place,
                reason,
            });
        } else {
            delivered.insert(line.product, moves);
        }
    }
    let ids: Vec<MoveId> = delivered.values().flatten().map(|of| of.id).collect();
    let back = odoo.returned(&ids).await?;
    let back = |of: &Delivered<'_>| back.get(&of.id).copied().unwrap_or_default();
    let mut chosen = Vec::new();
    for (product, moves) in &delivered {
        let sent: Decimal = moves.iter().map(|of| of.quantity).sum();
        let already: Decimal = moves.iter().map(back).sum();
        let now = ours.get(product).copied().unwrap_or_default();
        if now + already > sent + TOLERANCE && !asked.allows(ReasonCode::OverReturned) {
            let name = moves[0].picking.product_name(*product);
            let message = format!(
                "{} of {name} went out for {order}, {} came back already, and this document returns {}: edit the quantity, or retry and allow it",
                sent.normalize(),
                already.normalize(),
                now.normalize()
            );
            let lines = transfer.lines.iter().enumerate();
            let lines = lines.filter(|(_, line)| line.product == *product);
            let fault = |(place, _)| Fault::new(place, ReasonCode::OverReturned, message.clone());
            faults.extend(lines.map(fault));
        }
        // The move with the largest quantity that can still be returned; of several such moves the
        // newest.
        let of = moves
            .iter()
            .max_by_key(|of| (of.quantity - back(of), of.id));
        chosen.extend(of.map(|of| (*product, *of)));
    }
    if let Some(reason) = faults::join(faults) {
        return Ok(Err(reason));
    }
    Ok(Ok(plan(odoo, ground, transfer, &chosen).await?))
}

async fn plan(
    odoo: &mut Client,
    ground: Ground<'_>,
    transfer: &Transfer,
    chosen: &[(ProductId, Delivered<'_>)],
) -> Result<Plan, Failure> {
    let ids: Vec<MoveId> = chosen.iter().map(|(_, of)| of.id).collect();
    let of_orders = odoo.order_lines(&ids).await?;
    let returned = chosen.iter().map(|(product, of)| Returned {
        product: *product,
        origin_move: of.id,
        sale_line: of_orders.get(&of.id).and_then(|(sale, _)| *sale),
        purchase_line: None,
    });
    let internal = ground.warehouse.internal();
    let mut header = transfer.header.unwrap_or(internal);
    if let Some((_, of)) = chosen.first() {
        let kind = odoo.return_type(of.picking.picking_type).await?;
        header = Header {
            picking_type: kind.unwrap_or(header.picking_type),
            from: of.picking.to,
            to: header.to,
            return_of: Some(of.picking.id),
        };
    }
    Ok(Plan {
        header: Some(header),
        returned: returned.collect(),
        ..Plan::default()
    })
}

fn deliveries(pickings: &[SeenPicking]) -> impl Iterator<Item = &SeenPicking> {
    let out = |picking: &&SeenPicking| {
        picking.kind == Direction::Outgoing && picking.state != PickingState::Cancelled
    };
    pickings.iter().filter(out)
}

/// The moves that delivered the product to the customer.
fn moves(pickings: &[SeenPicking], product: ProductId) -> Vec<Delivered<'_>> {
    let done = deliveries(pickings).filter(|picking| picking.state == PickingState::Done);
    let moves = done.flat_map(|picking| {
        let of_product = move |m: &&_| -> bool {
            let m: &crate::odoo::order::SeenMove = m;
            m.product == product && m.state == MoveState::Done
        };
        picking.moves.iter().filter(of_product).map(move |m| {
            let lines = picking.lines.iter();
            let lines = lines.filter(|line| line.move_id == Some(m.id));
            Delivered {
                id: m.id,
                picking,
                quantity: lines.map(|line| line.quantity).sum(),
            }
        })
    });
    moves.collect()
}

fn not_there(
    pickings: &[SeenPicking],
    order: &str,
    scanned: &str,
    product: ProductId,
) -> crate::document::Reason {
    let waits = deliveries(pickings).find(|picking| picking.ordered(product).is_some());
    match waits {
        Some(waits) => reason(
            ReasonCode::NotDelivered,
            format!(
                "{} is {}, so {order} has not delivered {scanned:?} yet: validate the picking in Odoo and retry",
                waits.name, waits.state
            ),
        ),
        None => reason(
            ReasonCode::NotOnOrder,
            format!("no delivery of {order} has {scanned:?}: edit the order or the product"),
        ),
    }
}
