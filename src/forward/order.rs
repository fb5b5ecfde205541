//! Decides the next call about an order that Odoo has: lines on it, its validation, its package,
//! its carrier. Pure.
//!
//! It reconciles: it reads the whole order, derives one next step from what it read, does that
//! step, and reads again, until the order shows that the document is done. So a lost answer needs
//! no special case (**invariant 6**): the next reading shows whether Odoo carried out the call.
//!
//! **Promises:** the gateway's lines have external ids (`ml_KEY_PLACE`), so each exists once. Lines
//! are written together with the picking's own operation type, which Odoo refuses on a picking that
//! is done or cancelled, in the same transaction; so no line is added to a picking that another
//! user finishes at the same moment (`odoo::order`). A validation starts only if lines were picked,
//! and moves only those (`guard`). One document about an order is sent at a time, in the order of
//! the scans.

mod finish;
mod fixed;
mod guard;
mod lines;
mod pack;
mod reduce;
mod rows;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

pub use self::fixed::Fixed;
pub use self::reduce::{Part, comes_back};
pub use self::target::{Parents, holder};
use super::faults::describe_refusal;
use crate::config;
use crate::document::{DocumentKey, OdooRef, answer};
use crate::odoo::order::{OrderRow, Seen, SeenPicking, Shipment};
use crate::odoo::{Direction, LOADS_AGAIN, LotRef, PickingState};
use crate::odoo_id::{
    LocationId, MoveId, MoveLineId, PackageId, PartnerId, PickingId, ProductId, UnitId,
};
use crate::outcome::Outcome;
use crate::reason::{Answer, ReasonCode};

/// A document about an order, with Odoo's ids instead of barcodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderJob {
    pub key: DocumentKey,
    /// The order as it was scanned: a picking's name, or the name of a sale or purchase order.
    pub order: String,
    pub task: Task,
    /// The true time. `None`: Odoo's time of posting stands, because the true time lies in a closed
    /// period.
    pub when: Option<Timestamp>,
    /// The choice that a person took when the gateway asked.
    pub decision: Option<String>,
    /// An earlier send was interrupted: the document may be posted already.
    pub again: bool,
    /// When the document was sealed, by the gateway's clock.
    pub sealed: Timestamp,
    /// What was fixed before the first call. `None`: an older version started to send the document.
    pub fixed: Option<Box<Fixed>>,
    /// The parent locations of scanned bins, if more than one step of the order may be meant.
    pub parents: Parents,
    /// Ids of lines that people posted and that other documents claim.
    pub claimed: BTreeSet<MoveLineId>,
    /// What Odoo has of the order, if it was read a moment ago. `None`: the order is read first.
    pub seen: Option<Box<Seen>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    Lines {
        way: Way,
        lines: Vec<OrderLine>,
    },
    /// Puts all picked goods that are in no package yet into this package.
    PackAll {
        package: PackageId,
    },
    Ship(Shipment),
    Validate,
    /// Removes lines from the order, as long as the order is not done.
    TakeBack {
        /// The document that put the lines there.
        of: DocumentKey,
        taken: OrderLine,
        /// The lines that stay on the order of that document.
        stays: Vec<OrderLine>,
    },
}

/// The kind of the lines, used if the order's name alone does not decide which picking is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Pick,
    Receive,
}

/// A line of an order. Quantities are in the product's own unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    pub product: ProductId,
    /// The product's own unit.
    pub unit: UnitId,
    pub lot: LotRef,
    /// The package that the goods are taken out of.
    pub package: Option<PackageId>,
    /// The package that the goods are put into.
    pub into: Option<PackageId>,
    pub owner: Option<PartnerId>,
    /// `None`: the bin where Odoo reserved the goods, else the source location of the order.
    pub from: Option<LocationId>,
    /// `None`: the destination of the order.
    pub to: Option<LocationId>,
    pub quantity: Decimal,
}

/// The next step.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderStep {
    Read,
    Add {
        picking: Box<SeenPicking>,
        rows: Vec<OrderRow>,
    },
    /// Makes sure that [`OrderStep::Validate`], which follows at once, moves only picked goods: see
    /// `guard`.
    Guard {
        picking: Box<SeenPicking>,
        /// Scanned lines, which must still be there and are picked.
        scanned: Vec<MoveLineId>,
        /// Lines that people picked, which must still be there.
        others: Vec<MoveLineId>,
        /// Reserved lines of picked moves, which Odoo removes at the validation anyway.
        remove: Vec<MoveLineId>,
        backorder: bool,
    },
    Validate {
        picking: PickingId,
        backorder: bool,
    },
    /// Asks Odoo where the goods are: [`Reconciling::reserved`].
    Reserve {
        picking: PickingId,
        /// The source location of the picking.
        from: LocationId,
    },
    /// Reserves again the goods whose lines [`OrderStep::Guard`] removed, after a validation that
    /// Odoo refused.
    ReserveAgain {
        picking: Box<SeenPicking>,
        /// Moves that Odoo takes for picked although none of their goods is picked.
        moves: Vec<MoveId>,
    },
    /// Removes our own lines from an order whose validation Odoo refused because of them.
    Remove {
        lines: Vec<MoveLineId>,
    },
    /// Our own lines, with the quantity that each gets. `None` removes the line.
    Reduce {
        picking: Box<SeenPicking>,
        lines: Vec<(MoveLineId, Decimal)>,
    },
    SetDone {
        picking: PickingId,
        at: Timestamp,
    },
    Pack {
        picking: Box<SeenPicking>,
        lines: Vec<MoveLineId>,
        package: PackageId,
    },
    Ship {
        picking: PickingId,
        shipment: Shipment,
        /// The text to add to the picking's note about the parcels. `None`: the note has it
        /// already.
        note: Option<String>,
    },
    Finish(Outcome),
}

/// A document about an order in progress, with the last step that was issued.
#[derive(Debug)]
pub struct Reconciling {
    pub job: OrderJob,
    rules: config::Orders,
    next: OrderStep,
    /// The calls since the start, and their answers.
    calls: Vec<Call>,
    /// The weight that a person gave for the delivery. Odoo recalculates the weight from packages
    /// after each new line, and the person's weight must stay.
    weight_kg: Option<Decimal>,
    /// Why Odoo refuses to validate the order with our lines on it.
    refusal: Option<String>,
    /// Odoo's error texts for refused calls that depend on the order's state or on other
    /// transactions.
    refused: Vec<String>,
    /// What was picked, by line, when the validation started.
    picked: Option<Picked>,
}

/// The picked lines of a picking, and their quantities.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Picked {
    picking: PickingId,
    lines: BTreeMap<MoveLineId, Decimal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Added,
    Guarded,
    Validated,
    Reserved,
    /// The source location of the order holds no other locations: it is a bin itself.
    FromBin,
    /// Odoo refused a guard: somebody changed the order meanwhile.
    GuardRefused,
    ReservedAgain,
    /// The answer to a validation is lost: Odoo may still carry the validation out.
    ValidationLost,
    /// The gateway asked Odoo to change the order. The answer may be lost.
    Told,
    /// A package, or the carrier's data.
    Wrote,
    Removed,
    Reduced,
    /// The weight that was there before, written again.
    Weighed,
    /// Odoo refuses the true time (a closed period): Odoo's own time stands.
    TimeRefused,
}

impl Reconciling {
    #[must_use]
    pub fn new(mut job: OrderJob, rules: config::Orders) -> Self {
        let seen = job.seen.take();
        let picked = Self::picked_before(&job);
        let mut reconciling = Self {
            job,
            rules,
            next: OrderStep::Read,
            calls: Vec::new(),
            weight_kg: None,
            refusal: None,
            refused: Vec::new(),
            picked,
        };
        if let Some(seen) = seen {
            reconciling.seen(&seen);
        }
        reconciling
    }

    /// Odoo refused the last call; the state of the order decides the next step.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        !self.refused.is_empty() && self.next == OrderStep::Read
    }

    #[must_use]
    pub fn next(&self) -> &OrderStep {
        &self.next
    }

    /// Reads the order again, whatever the last call did.
    pub fn look_again(&mut self) {
        if let OrderStep::Add { .. }
        | OrderStep::Guard { .. }
        | OrderStep::Validate { .. }
        | OrderStep::Pack { .. }
        | OrderStep::Reduce { .. }
        | OrderStep::ReserveAgain { .. } = self.next
        {
            // After each change of the order the weight may have to be written again.
            self.calls.retain(|known| *known != Call::Weighed);
            self.calls.push(Call::Told);
        }
        self.next = OrderStep::Read;
    }

    /// The answer to the last call is lost: read the order again. A validation may still be
    /// running.
    pub fn answer_lost(&mut self) {
        if let OrderStep::Validate { .. } = self.next {
            self.calls.push(Call::ValidationLost);
        }
        self.look_again();
    }

    /// Odoo answered the last call. The gateway reads the order again and does not rely on the
    /// answer.
    pub fn done(&mut self) {
        if let OrderStep::Guard {
            picking, backorder, ..
        } = &self.next
        {
            let (picking, backorder) = (picking.id, *backorder);
            self.calls.push(Call::Guarded);
            self.next = OrderStep::Validate { picking, backorder };
            return;
        }
        let call = match self.next {
            OrderStep::Add { .. } => Some(Call::Added),
            OrderStep::ReserveAgain { .. } => Some(Call::ReservedAgain),
            OrderStep::Validate { .. } => Some(Call::Validated),
            OrderStep::Pack { .. } => Some(Call::Wrote),
            OrderStep::Ship { .. } if matches!(self.job.task, Task::Ship(_)) => Some(Call::Wrote),
            OrderStep::Ship { .. } => Some(Call::Weighed),
            OrderStep::Remove { .. } => Some(Call::Removed),
            OrderStep::Reduce { .. } => Some(Call::Reduced),
            OrderStep::Guard { .. }
            | OrderStep::SetDone { .. }
            | OrderStep::Reserve { .. }
            | OrderStep::Read
            | OrderStep::Finish(_) => None,
        };
        self.calls.extend(call);
        self.look_again();
    }

    /// Odoo has reserved what it could. `is_bin`: the source location of the picking holds no other
    /// locations.
    pub fn reserved(&mut self, is_bin: bool) {
        self.calls.push(Call::Reserved);
        self.calls.extend(is_bin.then_some(Call::FromBin));
        self.look_again();
    }

    /// Odoo refused the last call; the refusal is for a person.
    pub fn refused(&mut self, message: &str) {
        if let OrderStep::SetDone { .. } = self.next {
            self.calls.push(Call::TimeRefused);
            return self.look_again();
        }
        let is_ship = matches!(self.job.task, Task::Ship(_));
        if let (OrderStep::Ship { .. }, false) = (&self.next, is_ship) {
            // Without its weight the document is posted all the same.
            self.calls.push(Call::Weighed);
            return self.look_again();
        }
        match &self.next {
            OrderStep::Validate { .. } => {
                self.refusal = Some(message.to_owned());
                return self.look_again();
            }
            // Somebody may have removed a line since the picking was read.
            OrderStep::Guard { .. } | OrderStep::Pack { .. } if !self.guard_is_hopeless() => {
                self.calls.push(Call::GuardRefused);
                return self.look_again();
            }
            OrderStep::ReserveAgain { .. } => {
                // The only loss is a reservation.
                self.calls.push(Call::ReservedAgain);
                return self.look_again();
            }
            _ => {}
        }
        if let OrderStep::Reserve { .. } = self.next {
            // There is nothing to reserve.
            return self.reserved(false);
        }
        // The refusal may be about the order's state or about another transaction. Its text does
        // not tell which, but the order does.
        if let OrderStep::Add { .. } | OrderStep::Reduce { .. } | OrderStep::Remove { .. } =
            self.next
        {
            self.refused.push(message.to_owned());
            self.next = OrderStep::Read;
            return;
        }
        let odoo = match &self.next {
            OrderStep::Guard { picking, .. } | OrderStep::Pack { picking, .. } => {
                Some(picking.named())
            }
            _ => None,
        };
        self.next = OrderStep::Finish(Outcome::refused(ReasonCode::OdooRefused, message, odoo));
    }

    /// A call that Odoo refused too often is refused for a person. The order was read after the
    /// last refusal, and is open.
    fn refused_for_good(&self) -> Option<OrderStep> {
        let odoo = match &self.next {
            OrderStep::Add { picking, .. } | OrderStep::Reduce { picking, .. } => {
                Some(picking.named())
            }
            OrderStep::Remove { .. } => None,
            _ => return None,
        };
        let last = self.refused.get(LOADS_AGAIN as usize..)?.last()?;
        Some(refuse(ReasonCode::OdooRefused, self.said(last), odoo))
    }

    /// Odoo's error text, when it refused a call about the document's lines.
    fn said(&self, message: &str) -> String {
        let lines = match &self.job.task {
            Task::Lines { lines, .. } => lines.len(),
            _ => 1,
        };
        describe_refusal(message.to_owned(), lines)
    }

    /// Decides the next step by the order that was read.
    pub fn seen(&mut self, seen: &Seen) {
        if let Some(weight) = self.weight_that_was_lost(seen) {
            self.next = weight;
            return;
        }
        let next = match self.moved_unscanned(seen) {
            Some(refusal) => refusal,
            None => match &self.job.task {
                _ if self.is_unclear(seen) => self.unclear(seen),
                Task::Lines { lines, way } => self.lines(seen, *way, lines),
                Task::Validate => self.validate(seen),
                Task::PackAll { package } => self.pack_all(seen, *package),
                Task::Ship(shipment) => self.ship(seen, shipment),
                Task::TakeBack { of, taken, stays } => self.take_back(seen, *of, taken, stays),
            },
        };
        self.note_picked(seen, &next);
        self.next = self.reserve_first(seen, next);
        if let Some(refused) = self.refused_for_good() {
            self.next = refused;
        }
        let validated = self.job.task == Task::Validate
            && (self.job.again || self.did(Call::Validated) || self.did(Call::Told));
        if let OrderStep::Finish(Outcome::Posted { odoo, .. }) = &self.next
            && validated
        {
            let rest = self.rest_of(seen, odoo.id);
            if let OrderStep::Finish(Outcome::Posted { note, .. }) = &mut self.next {
                *note = rest;
            }
        }
    }

    fn weight_that_was_lost(&mut self, seen: &Seen) -> Option<OrderStep> {
        if matches!(self.job.task, Task::Ship(_)) {
            return None;
        }
        let told = |picking: &&SeenPicking| {
            picking.kind == Direction::Outgoing && picking.state != PickingState::Cancelled
        };
        let picking = seen.pickings.iter().find(told)?;
        let has = picking.weight_kg.filter(|kg| *kg > Decimal::ZERO);
        if self.calls.is_empty() {
            self.weight_kg = has;
        }
        if self.weight_kg == has || self.weight_kg.is_none() || self.did(Call::Weighed) {
            return None;
        }
        Some(OrderStep::Ship {
            picking: picking.id,
            shipment: Shipment {
                weight_kg: self.weight_kg,
                ..Shipment::default()
            },
            note: None,
        })
    }

    fn did(&self, call: Call) -> bool {
        self.calls.contains(&call)
    }

    fn decided(&self, answer: Answer) -> bool {
        answer::holds(self.job.decision.as_deref(), answer)
    }
}

fn posted(odoo: OdooRef, already: bool) -> OrderStep {
    OrderStep::Finish(Outcome::Posted {
        odoo,
        already,
        note: None,
    })
}

fn refuse(code: ReasonCode, message: String, odoo: Option<OdooRef>) -> OrderStep {
    OrderStep::Finish(Outcome::refused(code, message, odoo))
}
