//! What a device has begun: small, bounded, and stored in the journal ([`super::stored`]).

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::event::{Measures, Seq};
use crate::odoo_id::ProductId;

/// Products that are remembered until the step is complete.
pub const ITEMS_MAX: usize = 200;
/// Reads that can be taken back one by one.
pub const TRAIL_MAX: usize = 50;
/// Notes about labels that are not repeated; the oldest are forgotten first.
pub const NOTED_MAX: usize = 100;

/// What one device has begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The flow that it is in; none: the one that its profile names.
    pub(super) flow: Option<String>,
    /// The state of the flow; none: where it begins.
    pub(super) at: Option<String>,
    pub(super) work: Work,
    /// How to take back what was remembered, the newest last.
    pub(super) trail: Vec<Step>,
    /// What was made last.
    pub(super) done: Done,
    pub(super) operator: Option<String>,
    /// The next code is a quantity.
    pub(super) asks_quantity: bool,
    /// The code before looked like something else than a lot: scanned again, it is a new lot.
    pub(super) doubted: Option<String>,
    /// What was told once of labels, the newest last.
    pub(super) noted: Vec<String>,
    /// What a pause ended, until it is told.
    pub(super) dropped: Option<String>,
    /// The last scan that was read, when, and how many events it made.
    pub(super) seq: Seq,
    /// Tells that scan from the scan with the same `seq` in another journal of the site: a journal
    /// that was lost is begun anew.
    pub(super) tag: String,
    /// A scan since the last event was made is flagged as a possible repeat.
    pub(super) possible_repeat: bool,
    pub(super) last: Option<Timestamp>,
    /// The same, by the device's own clock.
    pub(super) last_at: Option<Timestamp>,
    pub(super) made: u32,
}

/// What is remembered and not made into events yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    pub from: Option<String>,
    pub to: Option<String>,
    pub order: Option<String>,
    pub package: Option<String>,
    pub reason: Option<String>,
    pub items: Vec<Item>,
    /// The place of the product that was scanned last: lots and quantities are its.
    pub last: usize,
}

/// A product that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    pub code: String,
    pub name: String,
    pub quantity: Decimal,
    pub lot: Option<String>,
    pub expiry: Option<String>,
    pub best_before: Option<String>,
    /// What the label of the product says of each of its pieces.
    pub of_each: Dates,
    pub tracking: Tracking,
    /// Odoo did not have the lot when it was read.
    pub is_new_lot: bool,
    /// The package that its label names.
    pub package: Option<String>,
    /// Its label says that it is in a package, and the package has not been read yet.
    pub lacks_package: bool,
    /// Its label says that it is in a package, and not how many there are.
    pub lacks_quantity: bool,
    /// `None`: the copy of Odoo's data does not have the product.
    pub product: Option<Coded>,
    /// The sum of what the labels say, as far as all of them do.
    pub measures: Measures,
}

/// The dates of a label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dates {
    pub expiry: Option<String>,
    pub best_before: Option<String>,
}

/// What a code of a product stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// The product's id in Odoo.
    pub id: ProductId,
    /// The factors of the code's unit and of the product's own.
    pub factors: (Decimal, Decimal),
    /// A code that stands for one of the product's own unit.
    pub own_code: Option<String>,
}

/// Whether a product goes by lots or serial numbers, as far as it is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tracking {
    #[default]
    Unknown,
    No,
    Lot,
    Serial,
}

impl Item {
    /// It needs a lot or serial number, and has none.
    pub fn lacks_lot(&self) -> bool {
        self.lot.is_none() && matches!(self.tracking, Tracking::Lot | Tracking::Serial)
    }

    pub fn is_serial(&self) -> bool {
        self.tracking == Tracking::Serial
    }

    /// Whether both are one entry: the same code, lot and package, or the same serial number of a
    /// product under any of its codes.
    pub fn is_one_with(&self, other: &Self) -> bool {
        let is_one_serial = self.is_serial() && other.is_serial() && self.is_same_product(other);
        let is_one_code = self.code == other.code || is_one_serial;
        is_one_code && self.lot == other.lot && self.package == other.package
    }

    /// Whether both are codes of one product of Odoo's.
    pub fn is_same_product(&self, other: &Self) -> bool {
        let id = |item: &Self| item.product.as_ref().map(|product| product.id);
        id(self).is_some() && id(self) == id(other)
    }

    /// Adds what another label says, as far as both say it.
    pub fn add_measures(&mut self, other: &Measures) {
        self.measures.retain(|name, _| other.contains_key(name));
        for (name, sum) in &mut self.measures {
            *sum += other.get(name).copied().unwrap_or_default();
        }
    }
}

/// What one read did, newest last, and the state that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub at: Option<String>,
    pub did: Vec<Did>,
}

/// How to take back one thing that was remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    From(Option<String>),
    To(Option<String>),
    Order(Option<String>),
    Package(Option<String>),
    Reason(Option<String>),
    /// The last product was added.
    Added,
    /// The product at this place was this before.
    Changed(usize, Box<Item>),
    /// The product at this place was put together with another one.
    Joined(usize, Box<Item>),
}

/// What was made last, as far as it can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Done {
    #[default]
    Nothing,
    /// By an event for each of these, which names it.
    Made {
        ids: Vec<String>,
        /// How a person would say it.
        what: String,
    },
    /// An order was validated: only a person can.
    Validated,
}

impl Work {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How a person would say what is remembered: `3 × Chair`, or `5 × Chair +2` where more
    /// products are.
    pub fn summary(&self) -> String {
        match self.items.as_slice() {
            [] => self
                .order
                .as_ref()
                .or(self.package.as_ref())
                .or(self.from.as_ref())
                .cloned()
                .unwrap_or_default(),
            [item] => match &item.lot {
                Some(lot) if item.is_new_lot => {
                    format!("{} × {} ({lot})", item.quantity.normalize(), item.name)
                }
                _ => format!("{} × {}", item.quantity.normalize(), item.name),
            },
            [first, others @ ..] => format!(
                "{} × {} +{}",
                first.quantity.normalize(),
                first.name,
                others.len()
            ),
        }
    }

    /// Takes back one thing that was remembered.
    pub fn undo(&mut self, did: Did) {
        match did {
            Did::From(before) => self.from = before,
            Did::To(before) => self.to = before,
            Did::Order(before) => self.order = before,
            Did::Package(before) => self.package = before,
            Did::Reason(before) => self.reason = before,
            Did::Added => {
                self.items.pop();
                self.last = self.items.len().saturating_sub(1);
            }
            Did::Changed(place, before) => {
                if let Some(item) = self.items.get_mut(place) {
                    *item = *before;
                }
                self.last = place;
            }
            Did::Joined(place, before) => {
                self.items.insert(place.min(self.items.len()), *before);
                self.last = place;
            }
        }
    }

    pub fn last_item(&self) -> Option<&Item> {
        self.items.get(self.last)
    }
}

impl State {
    /// Whether it has scanned products that no event was made of yet.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.work.items.is_empty()
    }

    /// The product that was scanned last, as it was scanned.
    #[must_use]
    pub fn last_product(&self) -> Option<&str> {
        self.work.last_item().map(|item| item.code.as_str())
    }

    /// Remembers how to take a read back.
    pub(super) fn remember(&mut self, step: Step) {
        if step.did.is_empty() {
            return;
        }
        if self.trail.len() >= TRAIL_MAX {
            self.trail.remove(0);
        }
        self.trail.push(step);
    }

    /// Everything is forgotten but who works with it and in which flow.
    pub(super) fn forget(&mut self) {
        self.work = Work::default();
        self.trail.clear();
        self.at = None;
        self.asks_quantity = false;
    }
}
