//! Completes an order: validates it, and sets the carrier reference, weight and parcels.

use jiff::Timestamp;

use super::target::{self, Target};
use super::{Call, OrderStep, Reconciling, posted, refuse};
use crate::config::Under;
use crate::odoo::order::{Backorders, SeenPicking, odoo_time};
use crate::odoo::order::{Seen, Shipment};
use crate::odoo::{Direction, PickingState};
use crate::odoo_id::PickingId;
use crate::reason::{Answer, ReasonCode};

impl Reconciling {
    pub(super) fn validate(&self, seen: &Seen) -> OrderStep {
        let picking = match self.to_validate(seen) {
            Ok(picking) => picking,
            Err(next) => return *next,
        };
        if !picking.has_picks() {
            return refuse(
                ReasonCode::NothingPicked,
                format!(
                    "no goods are picked for {}, so Odoo would post all reserved goods. Pick the goods and retry; or validate the picking in Odoo and discard this document",
                    picking.name
                ),
                Some(picking.named()),
            );
        }
        if let Some(message) = &self.refusal {
            let named = Some(picking.named());
            return refuse(ReasonCode::OdooRefused, message.clone(), named);
        }
        match self.backorder(picking) {
            Ok(backorder) => self.validate_once(picking, backorder),
            Err(refusal) => *refusal,
        }
    }

    /// The open picking that this document is to validate. If there is none, `Err` has the step
    /// that is left.
    fn to_validate<'a>(&self, seen: &'a Seen) -> Result<&'a SeenPicking, Box<OrderStep>> {
        if let Some(picking) = self.fixed(seen) {
            if picking.is_open() {
                return Ok(picking);
            }
            return Err(Box::new(self.time_or_finish(seen, picking)));
        }
        if let Some(picking) = self.fixed_or_cancelled(seen) {
            // Another open picking of the order was not meant.
            return Err(Box::new(Self::cancelled(picking)));
        }
        if let Some(picking) = self.validated_before(seen) {
            return Err(Box::new(self.time_or_finish(seen, picking)));
        }
        Err(Box::new(match target::with_picks(seen, &self.job.order) {
            Target::Open(picking) => return Ok(picking),
            Target::Closed(pickings) => match pickings
                .iter()
                .rev()
                .find(|picking| picking.state == PickingState::Done)
            {
                Some(done) => posted(done.named(), true),
                None => self.closed(&pickings, &[]),
            },
            Target::Several(_) | Target::Nothing => self.unknown(),
        }))
    }

    /// For a document that an older version started to send: the picking that it validated. It was
    /// validated by us: at the true time, or after the document was sealed.
    fn validated_before<'a>(&self, seen: &'a Seen) -> Option<&'a SeenPicking> {
        if !self.job.again || self.job.fixed.is_some() {
            return None;
        }
        let sealed = odoo_time(self.job.sealed);
        let when = self.job.when.map(odoo_time);
        let ours = |picking: &&SeenPicking| {
            let done = picking
                .date_done
                .as_deref()
                .filter(|_| picking.state == PickingState::Done);
            picking.write_uid == Some(seen.me)
                && done.is_some_and(|done| done >= sealed.as_str() || Some(done) == when.as_deref())
        };
        target::of_order(seen, &self.job.order)
            .into_iter()
            .find(ours)
    }

    /// Whether missing goods become a backorder, by policy and by the choice of a person.
    pub(super) fn backorder(&self, picking: &SeenPicking) -> Result<bool, Box<OrderStep>> {
        if picking.is_complete() {
            return Ok(true);
        }
        let (under, under_code) = self.under(picking);
        // Odoo decides this itself and ignores what a call says, so the gateway does not ask a
        // person.
        let fixed = match picking.backorders {
            Backorders::Always => Some(true),
            Backorders::Never => Some(false),
            Backorders::Ask => None,
        };
        match (under, fixed) {
            (Under::AsOdoo | Under::Ask | Under::Backorder | Under::NoBackorder, Some(fixed)) => {
                Ok(fixed)
            }
            (Under::Backorder, None) => Ok(true),
            (Under::NoBackorder, None) => Ok(false),
            (Under::AsOdoo | Under::Ask, None) if self.decided(Answer::Backorder) => Ok(true),
            (Under::AsOdoo | Under::Ask, None) if self.decided(Answer::NoBackorder) => Ok(false),
            (Under::AsOdoo | Under::Ask, None) | (Under::Refuse, _) => {
                let choice = if under == Under::Refuse {
                    "bring the rest and retry"
                } else {
                    "retry with backorder or with no-backorder, or bring the rest and retry"
                };
                Err(Box::new(refuse(
                    under_code,
                    format!("{} lacks {}: {choice}", picking.name, picking.lacking()),
                    Some(picking.named()),
                )))
            }
        }
    }

    fn under(&self, picking: &SeenPicking) -> (Under, ReasonCode) {
        if picking.kind == Direction::Incoming {
            (self.rules.receive_under, ReasonCode::UnderReceived)
        } else {
            (self.rules.pick_under, ReasonCode::UnderPicked)
        }
    }

    /// Whether the site or a person wants a backorder; `None`: neither decided.
    fn wants_backorder(&self, picking: &SeenPicking) -> Option<bool> {
        match self.under(picking).0 {
            Under::Backorder => Some(true),
            Under::NoBackorder => Some(false),
            _ if self.decided(Answer::Backorder) => Some(true),
            _ if self.decided(Answer::NoBackorder) => Some(false),
            _ => None,
        }
    }

    /// What Odoo did with the missing goods when it validated a picking. `None`: no goods were
    /// missing.
    pub(super) fn rest_of(&self, seen: &Seen, picking: PickingId) -> Option<String> {
        let done = seen.pickings.iter().find(|done| done.id == picking)?;
        let wanted = self.wants_backorder(done);
        let backorder = (seen.pickings.iter()).find(|rest| rest.backorder_of == Some(picking));
        if let Some(backorder) = backorder {
            let although = if wanted == Some(false) {
                ", although the choice was no backorder"
            } else {
                ""
            };
            let name = &backorder.name;
            return Some(format!(
                "Odoo made the backorder {name} for the missing goods{although}"
            ));
        }
        let cut = Some(done.cut()).filter(|cut| !cut.is_empty())?;
        let although = if wanted == Some(true) {
            ", although the choice was a backorder"
        } else {
            ""
        };
        Some(format!("Odoo cancelled the missing goods{although}: {cut}"))
    }

    pub(super) fn validate_once(&self, picking: &SeenPicking, backorder: bool) -> OrderStep {
        if self.did(Call::Validated) {
            return refuse(
                ReasonCode::NotValidated,
                format!(
                    "Odoo did not validate {} and left it {:?}. Open the picking in Odoo, answer what Odoo asks, and retry",
                    picking.name,
                    picking.state.as_str()
                ),
                Some(picking.named()),
            );
        }
        Self::guarded(picking, backorder)
    }

    /// The time of the movement, which is never before the last line was picked.
    fn done_at(&self) -> Option<Timestamp> {
        let when = self.job.when?;
        let picked = self.job.fixed.as_ref().and_then(|fixed| fixed.picked);
        Some(picked.map_or(when, |picked| when.max(picked)))
    }

    /// Sets the true time of a picking that we validated; never of a picking that another person
    /// validated.
    pub(super) fn time_or_finish(&self, seen: &Seen, picking: &SeenPicking) -> OrderStep {
        let ours = self.did(Call::Validated) || picking.write_uid == Some(seen.me);
        match self.done_at() {
            Some(at)
                if ours
                    && !self.did(Call::TimeRefused)
                    && picking.date_done.as_deref() != Some(odoo_time(at).as_str()) =>
            {
                OrderStep::SetDone {
                    picking: picking.id,
                    at,
                }
            }
            _ => posted(
                picking.named(),
                !self.did(Call::Added) && !self.did(Call::Validated),
            ),
        }
    }

    fn cancelled(picking: &SeenPicking) -> OrderStep {
        refuse(
            ReasonCode::OrderCancelled,
            format!(
                "{} was cancelled in Odoo. Edit this document to name another order, or discard it",
                picking.name
            ),
            Some(picking.named()),
        )
    }

    pub(super) fn ship(&self, seen: &Seen, shipment: &Shipment) -> OrderStep {
        let fixed = self.fixed(seen);
        let Some(picking) = fixed.or_else(|| target::delivery(seen, &self.job.order)) else {
            return self.unknown();
        };
        if picking.state == PickingState::Cancelled {
            return Self::cancelled(picking);
        }
        let note = picking.extend_note(shipment);
        if note.is_none() && picking.says(shipment) {
            return posted(picking.named(), !self.did(Call::Wrote));
        }
        if self.did(Call::Wrote) {
            return refuse(
                ReasonCode::DiffersInOdoo,
                format!(
                    "Odoo accepted the carrier's data of {} and has other data. Install the module stock_delivery in Odoo and retry; or discard this document if Odoo's data is right",
                    picking.name
                ),
                Some(picking.named()),
            );
        }
        OrderStep::Ship {
            picking: picking.id,
            shipment: shipment.clone(),
            note,
        }
    }
}
