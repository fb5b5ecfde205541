//! The order that a test owns, in a small model of Odoo. `run` sends a document to it.

use super::*;

/// An Odoo with one order. It carries commands out like the real Odoo, as far as these tests need.
pub(super) struct Odoo {
    pub(super) seen: Seen,
    pub(super) validated: u32,
    /// Validating fails with this text.
    pub(super) refuses: Option<&'static str>,
}

impl Odoo {
    pub(super) fn with(pickings: Vec<SeenPicking>) -> Self {
        Self {
            seen: Seen {
                pickings,
                me: UserId::new(7),
                too_many: None,
            },
            validated: 0,
            refuses: None,
        }
    }

    pub(super) fn picking(&mut self, id: i64) -> &mut SeenPicking {
        self.seen
            .pickings
            .iter_mut()
            .find(|p| p.id.get() == id)
            .unwrap()
    }

    fn add(&mut self, id: PickingId, rows: &[OrderRow]) {
        let picking = self.picking(id.get());
        // Like Odoo, which calculates the weight from packages.
        picking.weight_kg = picking.weight_kg.map(|_| Decimal::ZERO);
        for row in rows {
            let known = |line: &SeenLine| line.external.as_ref() == Some(&row.external_id);
            if picking.lines.iter().any(known) {
                continue;
            }
            let id = MoveLineId::new(5_000 + i64::try_from(picking.lines.len()).unwrap());
            picking.lines.push(SeenLine {
                id,
                external: Some(row.external_id.clone()),
                move_id: row.move_id,
                product: row.product,
                quantity: row.quantity,
                picked: true,
                from: row.from,
                to: row.to,
                lot: row.lot.name().map(str::to_owned),
                result_package: row.into,
                ..SeenLine::default()
            });
        }
    }

    /// Returns whether all lines are there.
    fn guard(&mut self, id: PickingId, keep: &[MoveLineId], remove: &[MoveLineId]) -> bool {
        let picking = self.picking(id.get());
        let is_there = |id: &MoveLineId| picking.lines.iter().any(|line| line.id == *id);
        if !keep.iter().chain(remove).all(is_there) {
            return false;
        }
        picking.lines.retain(|line| !remove.contains(&line.id));
        true
    }

    fn reserve(&mut self, id: PickingId, moves: &[MoveId]) {
        for of in &mut self.picking(id.get()).moves {
            of.picked &= !moves.contains(&of.id);
        }
    }

    pub(super) fn validate(&mut self, id: PickingId, backorder: bool) {
        self.validated += 1;
        let picking = self.picking(id.get());
        let mut rest = picking.clone();
        picking.lines.retain(|line| line.picked);
        picking.state = PickingState::Done;
        picking.date_done = Some("2026-11-24 12:00:00".to_owned());
        picking.write_uid = Some(UserId::new(7));
        for ordered in &mut rest.moves {
            ordered.demand -= picking.picked_of(ordered.id);
        }
        for ordered in &mut picking.moves {
            ordered.state = MoveState::Done;
        }
        rest.moves.retain(|ordered| ordered.demand > Decimal::ZERO);
        if backorder && !rest.moves.is_empty() {
            rest.id = PickingId::new(id.get() + 1);
            rest.name = format!("{}-rest", rest.name);
            rest.backorder_of = Some(id);
            rest.lines.clear();
            self.seen.pickings.push(rest);
        }
    }
}

fn write_shipment(picking: &mut SeenPicking, shipment: &Shipment, note: Option<&String>) {
    if shipment.carrier_ref.is_some() {
        picking.carrier_ref.clone_from(&shipment.carrier_ref);
    }
    if !picking.forgets_weight {
        picking.weight_kg = shipment.weight_kg.or(picking.weight_kg);
    }
    if let Some(note) = note {
        picking.note = Some(note.clone());
    }
}

/// Runs a document to its end. The answers to these calls, counted from 0, are lost after Odoo
/// carried them out.
pub(super) fn run(
    odoo: &mut Odoo,
    mut job: OrderJob,
    rules: &config::Orders,
    lost: &[usize],
) -> Outcome {
    if !job.again {
        job.fixed = Some(Box::new(job.fix(&odoo.seen)));
    }
    let mut reconciling = Reconciling::new(job, rules.clone());
    for call in 0..20 {
        let next = reconciling.next().clone();
        match &next {
            OrderStep::Finish(outcome) => return outcome.clone(),
            OrderStep::Read => {}
            OrderStep::Add { picking, rows } if odoo.picking(picking.id.get()).is_open() => {
                odoo.add(picking.id, rows);
            }
            OrderStep::Add { .. } => {
                reconciling.look_again();
                continue;
            }
            OrderStep::Guard {
                picking,
                scanned,
                others,
                remove,
                ..
            } => {
                let keep = [&scanned[..], others].concat();
                if !odoo.guard(picking.id, &keep, remove) {
                    reconciling.refused("a record is gone");
                    continue;
                }
            }
            OrderStep::ReserveAgain { picking, moves } => odoo.reserve(picking.id, moves),
            OrderStep::Validate { picking, backorder } => match odoo.refuses {
                Some(message) => {
                    reconciling.refused(message);
                    continue;
                }
                None => odoo.validate(*picking, *backorder),
            },
            OrderStep::Remove { lines } => {
                let pickings = &mut odoo.seen.pickings;
                for picking in pickings {
                    picking.lines.retain(|line| !lines.contains(&line.id));
                }
            }
            OrderStep::Reduce { picking, lines } => {
                let picking = odoo.picking(picking.id.get());
                if !picking.is_open() {
                    reconciling.look_again();
                    continue;
                }
                for (id, quantity) in lines {
                    let mut held = picking.lines.iter_mut();
                    held.find(|line| line.id == *id).unwrap().quantity = *quantity;
                }
                picking.lines.retain(|line| !line.quantity.is_zero());
            }
            OrderStep::SetDone { picking, at } => {
                odoo.picking(picking.get()).date_done = Some(odoo_time(*at));
            }
            OrderStep::Pack { lines, package, .. } => {
                for picking in &mut odoo.seen.pickings {
                    picking.weight_kg = picking.weight_kg.map(|_| Decimal::ZERO);
                }
                for line in odoo.seen.pickings.iter_mut().flat_map(|p| &mut p.lines) {
                    if lines.contains(&line.id) {
                        line.result_package = Some(*package);
                    }
                }
            }
            // The stock limits what can be reserved.
            OrderStep::Reserve { .. } => {
                reconciling.reserved(false);
                continue;
            }
            OrderStep::Ship {
                picking,
                shipment,
                note,
            } => {
                write_shipment(odoo.picking(picking.get()), shipment, note.as_ref());
            }
        }
        if lost.contains(&call) {
            // After a restart only the document is known.
            let again = OrderJob {
                again: true,
                ..reconciling.job
            };
            reconciling = Reconciling::new(again, rules.clone());
        } else if next == OrderStep::Read {
            reconciling.seen(&odoo.seen);
        } else {
            reconciling.done();
        }
    }
    panic!("the document does not end: {:?}", reconciling.next())
}
