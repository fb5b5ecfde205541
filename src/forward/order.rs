//! Decides what is said about an order that Odoo has: lines on it, its validation, its package, its carrier. Pure.
//!
//! It reconciles: everything of the order is read, the one next step follows from what was read alone, it is done, and
//! everything is read again, until what was read says that it is there. So a lost answer needs no thought (**invariant 6**):
//! whatever a call did or did not do, the next reading tells.
//!
//! **Promises:** our lines have external ids, so each is there once. Nothing is added to a picking that is done or cancelled:
//! Odoo itself refuses it in the same transaction (`odoo::order`). A validation is begun only where lines were picked.

mod rows;
mod target;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use rust_decimal::Decimal;

pub use self::rows::Row;
use self::target::Target;
use super::machine::TOLERANCE;
use super::odoo::order::{SeenPicking, odoo_time};
use crate::config::{self, Over, Under};
use crate::document::{DocumentKey, OdooRef};
use crate::outcome::{Outcome, code};

/// A document about an order, with Odoo's ids in the place of barcodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderJob {
    pub key: DocumentKey,
    /// As it was scanned: a picking's name, or that of a sale or purchase order.
    pub order: String,
    pub task: Task,
    /// The true time; none: Odoo's time of posting stands, because the true one lies in a closed period.
    pub when: Option<Timestamp>,
    /// What a person answered when the gateway asked.
    pub decision: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    Lines {
        way: Way,
        lines: Vec<OrderLine>,
    },
    /// All that was picked and is in no package yet, into this one.
    PackAll {
        package: i64,
    },
    Ship(Shipment),
    Validate,
}

/// What the lines are, where the order's name alone does not say which picking is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Pick,
    Receive,
}

/// What the carrier is told. What is none is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shipment {
    pub carrier_ref: Option<String>,
    pub weight_kg: Option<Decimal>,
    pub parcels: Option<u32>,
}

/// Quantities are in the product's own unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    pub product: i64,
    /// The product's own unit.
    pub unit: i64,
    pub lot: LotRef,
    /// The package it is taken out of.
    pub package: Option<i64>,
    /// The package it is put into.
    pub into: Option<i64>,
    pub owner: Option<i64>,
    /// None: where Odoo reserved it, else where the order takes from.
    pub from: Option<i64>,
    /// None: where the order brings it.
    pub to: Option<i64>,
    pub quantity: Decimal,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LotRef {
    #[default]
    None,
    Known {
        id: i64,
        name: String,
    },
    /// A receipt makes it.
    New {
        name: String,
        expiry: Option<String>,
    },
}

impl LotRef {
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Known { name, .. } | Self::New { name, .. } => Some(name),
        }
    }
}

/// All that Odoo has of the order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// In the order in which they were made.
    pub pickings: Vec<SeenPicking>,
    /// The id of the key's user.
    pub me: i64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    Read,
    Add {
        picking: SeenPicking,
        rows: Vec<Row>,
    },
    Validate {
        picking: i64,
        backorder: bool,
    },
    SetDone {
        picking: i64,
        at: Timestamp,
    },
    Pack {
        lines: Vec<i64>,
        package: i64,
    },
    Ship {
        picking: i64,
        shipment: Shipment,
        /// What the picking's note is to say of the parcels; none: it says so already.
        note: Option<String>,
    },
    Finish(Outcome),
}

/// A document about an order on its way, and what was said last.
#[derive(Debug)]
pub struct Reconciling {
    pub job: OrderJob,
    rules: config::Orders,
    next: Next,
    added: bool,
    validated: bool,
    wrote: bool,
    /// Odoo refuses the true time (a closed period): its own stands.
    time_refused: bool,
    /// The weight that somebody told of the delivery. Odoo reckons it anew from packages with each line, and it is to stay.
    weight_kg: Option<Decimal>,
    weighed: bool,
}

impl Reconciling {
    #[must_use]
    pub fn new(job: OrderJob, rules: config::Orders) -> Self {
        Self {
            job,
            rules,
            next: Next::Read,
            added: false,
            validated: false,
            wrote: false,
            time_refused: false,
            weight_kg: None,
            weighed: false,
        }
    }

    #[must_use]
    pub fn next(&self) -> &Next {
        &self.next
    }

    /// Whatever the last call did is unknown: look.
    pub fn look_again(&mut self) {
        self.next = Next::Read;
    }

    /// The last call was answered; what it did is read before anything is believed.
    pub fn done(&mut self) {
        match self.next {
            Next::Add { .. } => (self.added, self.weighed) = (true, false),
            Next::Validate { .. } => (self.validated, self.weighed) = (true, false),
            Next::Pack { .. } => (self.wrote, self.weighed) = (true, false),
            Next::Ship { .. } if matches!(self.job.task, Task::Ship(_)) => self.wrote = true,
            Next::Ship { .. } => self.weighed = true,
            Next::SetDone { .. } | Next::Read | Next::Finish(_) => {}
        }
        self.look_again();
    }

    /// Odoo refused the last call, for a person.
    pub fn refused(&mut self, message: &str) {
        if let Next::SetDone { .. } = self.next {
            self.time_refused = true;
            return self.look_again();
        }
        let odoo = match &self.next {
            Next::Add { picking, .. } => Some(picking.named()),
            _ => None,
        };
        self.next = Next::Finish(Outcome::refused(code::ODOO_REFUSED, message, odoo));
    }

    /// What was read says what is next.
    pub fn seen(&mut self, seen: &Seen) {
        if let Some(weight) = self.weight_that_was_lost(seen) {
            self.next = weight;
            return;
        }
        self.next = match &self.job.task {
            Task::Lines { lines, way } => self.lines(seen, *way, lines),
            Task::Validate => self.validate(seen),
            Task::PackAll { package } => self.pack_all(seen, *package),
            Task::Ship(shipment) => self.ship(seen, shipment),
        };
    }

    fn weight_that_was_lost(&mut self, seen: &Seen) -> Option<Next> {
        if matches!(self.job.task, Task::Ship(_)) {
            return None;
        }
        let told = |picking: &&SeenPicking| picking.kind == "outgoing" && picking.state != "cancel";
        let picking = seen.pickings.iter().find(told)?;
        let has = picking.weight_kg.filter(|kg| *kg > Decimal::ZERO);
        if !self.added && !self.validated && !self.wrote {
            self.weight_kg = has;
        }
        if self.weight_kg == has || self.weight_kg.is_none() || self.weighed {
            return None;
        }
        Some(Next::Ship {
            picking: picking.id,
            shipment: Shipment {
                weight_kg: self.weight_kg,
                ..Shipment::default()
            },
            note: None,
        })
    }

    fn lines(&self, seen: &Seen, way: Way, lines: &[OrderLine]) -> Next {
        if let Some(picking) = target::holder(seen, self.job.key) {
            return self.lines_on(seen, picking, lines);
        }
        if self.added {
            return refuse(
                code::ORDER_CHANGED,
                format!(
                    "Odoo took the lines for {} and does not have them: somebody removed them",
                    self.job.order
                ),
                None,
            );
        }
        let picking = match target::for_lines(seen, &self.job.order, way, lines) {
            Target::Open(picking) => picking,
            Target::Closed(pickings) => return self.closed(&pickings, lines),
            Target::Nothing => return self.unknown(),
        };
        if let Some(refusal) = self.not_ordered(picking, way, lines) {
            return refusal;
        }
        Next::Add {
            picking: picking.clone(),
            rows: rows::rows(self.job.key, picking, lines),
        }
    }

    /// Our lines are there: on what, and is that all?
    fn lines_on(&self, seen: &Seen, picking: &SeenPicking, lines: &[OrderLine]) -> Next {
        let named = picking.named();
        if let Some(difference) = rows::difference(self.job.key, picking, lines) {
            return refuse(
                code::ORDER_CHANGED,
                format!(
                    "somebody changed our lines on {}: {difference}",
                    picking.name
                ),
                Some(named),
            );
        }
        match picking.state.as_str() {
            "done" => self.time_or_finish(seen, picking),
            "cancel" => refuse(
                code::ORDER_CANCELLED,
                format!(
                    "{} was cancelled in Odoo after our lines were on it",
                    picking.name
                ),
                Some(named),
            ),
            _ if self.rules.validate_complete && picking.is_complete() => {
                self.validate_once(picking, true)
            }
            _ => posted(named, !self.added),
        }
    }

    /// Nothing of the order takes lines any more.
    fn closed(&self, pickings: &[&SeenPicking], lines: &[OrderLine]) -> Next {
        if let Some(picking) = pickings
            .iter()
            .find(|p| p.state == "done" && rows::holds(p, lines))
        {
            return posted(picking.named(), true);
        }
        let last = pickings.last().map(|picking| picking.named());
        let Some(done) = pickings
            .iter()
            .rev()
            .find(|picking| picking.state == "done")
        else {
            return refuse(
                code::ORDER_CANCELLED,
                format!("{} was cancelled in Odoo", self.job.order),
                last,
            );
        };
        refuse(
            code::ORDER_DONE,
            format!(
                "{} was finished in Odoo ({}) and there is no backorder: it has {}; here there is {}",
                done.name,
                done.date_done.as_deref().unwrap_or("no time"),
                rows::said_of(done),
                rows::said(done, lines),
            ),
            Some(done.named()),
        )
    }

    fn unknown(&self) -> Next {
        refuse(
            code::UNKNOWN_ORDER,
            format!(
                "Odoo has no order {:?} that this warehouse could work on: enter it there, and this is sent by itself",
                self.job.order
            ),
            None,
        )
    }

    /// Lines for what was not ordered, or for more than was.
    fn not_ordered(&self, picking: &SeenPicking, way: Way, lines: &[OrderLine]) -> Option<Next> {
        let mut products: Vec<i64> = lines.iter().map(|line| line.product).collect();
        products.sort_unstable();
        products.dedup();
        let (over, over_code) = match way {
            Way::Pick => (self.rules.pick_over, code::OVER_PICKED),
            Way::Receive => (self.rules.receive_over, code::OVER_RECEIVED),
        };
        let allowed = over == Over::Allow || over == Over::Ask && self.decided(ALLOW);
        for product in products {
            let Some(ordered) = picking.ordered(product) else {
                return Some(refuse(
                    code::NOT_ON_ORDER,
                    format!(
                        "{} has no line for product id {product}: it has {}",
                        picking.name,
                        rows::said_of(picking)
                    ),
                    Some(picking.named()),
                ));
            };
            let ours: Decimal = lines
                .iter()
                .filter(|l| l.product == product)
                .map(|l| l.quantity)
                .sum();
            let picked = picking.picked(product);
            if picked + ours > ordered + TOLERANCE && !allowed {
                let choice = if over == Over::Refuse {
                    "correct the quantity"
                } else {
                    "allow it, or correct the quantity"
                };
                return Some(refuse(
                    over_code,
                    format!(
                        "{} asks for {} of {}, {} are there already, and here are {}: {choice}",
                        picking.name,
                        ordered.normalize(),
                        picking.product_name(product),
                        picked.normalize(),
                        ours.normalize()
                    ),
                    Some(picking.named()),
                ));
            }
        }
        None
    }

    fn validate(&self, seen: &Seen) -> Next {
        let picking = match target::with_picks(seen, &self.job.order) {
            Target::Open(picking) => picking,
            Target::Closed(pickings) => {
                return match pickings
                    .iter()
                    .rev()
                    .find(|picking| picking.state == "done")
                {
                    Some(done) if self.validated => self.time_or_finish(seen, done),
                    Some(done) => posted(done.named(), true),
                    None => self.closed(&pickings, &[]),
                };
            }
            Target::Nothing => return self.unknown(),
        };
        if !picking.has_picks() {
            return refuse(
                code::NOTHING_PICKED,
                format!(
                    "nothing was picked for {}: Odoo would post all that is reserved. Pick it, or validate it in Odoo",
                    picking.name
                ),
                Some(picking.named()),
            );
        }
        match self.backorder(picking) {
            Ok(backorder) => self.validate_once(picking, backorder),
            Err(refusal) => *refusal,
        }
    }

    /// Whether what is missing becomes a backorder, by policy and by what a person said.
    fn backorder(&self, picking: &SeenPicking) -> Result<bool, Box<Next>> {
        if picking.is_complete() {
            return Ok(true);
        }
        let incoming = picking.kind == "incoming";
        let (under, under_code) = if incoming {
            (self.rules.receive_under, code::UNDER_RECEIVED)
        } else {
            (self.rules.pick_under, code::UNDER_PICKED)
        };
        match under {
            Under::Backorder => Ok(true),
            Under::NoBackorder => Ok(false),
            Under::Ask if self.decided(BACKORDER) => Ok(true),
            Under::Ask if self.decided(NO_BACKORDER) => Ok(false),
            Under::Ask | Under::Refuse => {
                let choice = if under == Under::Ask {
                    "retry with backorder or with no-backorder, or bring the rest and retry"
                } else {
                    "bring the rest and retry"
                };
                Err(Box::new(refuse(
                    under_code,
                    format!("{} lacks {}: {choice}", picking.name, picking.lacking()),
                    Some(picking.named()),
                )))
            }
        }
    }

    fn validate_once(&self, picking: &SeenPicking, backorder: bool) -> Next {
        if self.validated {
            return refuse(
                code::NOT_VALIDATED,
                format!(
                    "Odoo left {} {:?} when told to validate it: open it there and see what Odoo asks",
                    picking.name, picking.state
                ),
                Some(picking.named()),
            );
        }
        Next::Validate {
            picking: picking.id,
            backorder,
        }
    }

    /// The true time of what we validated ourselves; never of what somebody else did.
    fn time_or_finish(&self, seen: &Seen, picking: &SeenPicking) -> Next {
        let ours = self.validated || picking.write_uid == Some(seen.me);
        match self.job.when {
            Some(at)
                if ours
                    && !self.time_refused
                    && picking.date_done.as_deref() != Some(odoo_time(at).as_str()) =>
            {
                Next::SetDone {
                    picking: picking.id,
                    at,
                }
            }
            _ => posted(picking.named(), !self.added && !self.validated),
        }
    }

    fn pack_all(&self, seen: &Seen, package: i64) -> Next {
        let picking = match target::with_picks(seen, &self.job.order) {
            Target::Open(picking) => picking,
            Target::Closed(pickings) => {
                let packed =
                    |p: &&&SeenPicking| p.lines.iter().any(|l| l.result_package == Some(package));
                return match pickings.iter().rev().find(packed) {
                    Some(picking) => posted(picking.named(), true),
                    None => self.closed(&pickings, &[]),
                };
            }
            Target::Nothing => return self.unknown(),
        };
        let picked = || picking.lines.iter().filter(|line| line.picked);
        let loose: Vec<i64> = picked()
            .filter(|line| line.result_package.is_none())
            .map(|line| line.id)
            .collect();
        if !loose.is_empty() && !self.wrote {
            return Next::Pack {
                lines: loose,
                package,
            };
        }
        if picked().any(|line| line.result_package == Some(package)) {
            return posted(picking.named(), !self.wrote);
        }
        refuse(
            code::NOTHING_PICKED,
            format!(
                "nothing that was picked for {} is without a package",
                picking.name
            ),
            Some(picking.named()),
        )
    }

    fn ship(&self, seen: &Seen, shipment: &Shipment) -> Next {
        let Some(picking) = target::delivery(seen, &self.job.order) else {
            return self.unknown();
        };
        if picking.state == "cancel" {
            return refuse(
                code::ORDER_CANCELLED,
                format!("{} was cancelled in Odoo", picking.name),
                Some(picking.named()),
            );
        }
        let note = shipment
            .parcels
            .and_then(|parcels| picking.note_with_parcels(parcels));
        if note.is_none() && picking.says(shipment) {
            return posted(picking.named(), !self.wrote);
        }
        if self.wrote {
            return refuse(
                code::DIFFERS_IN_ODOO,
                format!(
                    "Odoo took what the carrier is told of {}, and has something else: is the module stock_delivery installed?",
                    picking.name
                ),
                Some(picking.named()),
            );
        }
        Next::Ship {
            picking: picking.id,
            shipment: shipment.clone(),
            note,
        }
    }

    fn decided(&self, answer: &str) -> bool {
        self.job.decision.as_deref() == Some(answer)
    }
}

/// What a person may answer.
pub const ALLOW: &str = "allow";
pub const BACKORDER: &str = "backorder";
pub const NO_BACKORDER: &str = "no-backorder";

fn posted(odoo: OdooRef, already: bool) -> Next {
    Next::Finish(Outcome::Posted { odoo, already })
}

fn refuse(code: &str, message: String, odoo: Option<OdooRef>) -> Next {
    Next::Finish(Outcome::refused(code, message, odoo))
}
