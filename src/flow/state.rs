//! The state of a device's flow: small, bounded, and stored in the journal ([`super::stored`]).

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::event::{Measures, Seq};
use crate::odoo_id::ProductId;

/// Products of one unfinished movement, at most.
pub const ITEMS_MAX: usize = 200;
/// Scans that can be undone one by one, at most.
pub const TRAIL_MAX: usize = 50;
/// The largest number of shown notes about labels in `shown_notes`: the device shows each
/// of these notes only once. At the limit the oldest note is removed.
pub const NOTES_MAX: usize = 100;

/// The products of an unfinished movement that a description names.
const ITEMS_DESCRIBED: usize = 3;

/// The state of one device's flow. The journal stores it under the serde names, which stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The name of the current flow. `None`: the flow that the profile names.
    pub(super) flow: Option<String>,
    /// The state within the flow. `None`: the state in which the flow starts.
    pub(super) at: Option<String>,
    pub(super) unfinished: Unfinished,
    /// How to undo each scan of the unfinished movement, newest last.
    pub(super) trail: Vec<Step>,
    /// The last events, if an undo can still reverse them.
    pub(super) undoable: Undoable,
    pub(super) operator: Option<String>,
    /// Whether the next code is a quantity.
    pub(super) asks_quantity: bool,
    /// A code that looks like something else than a lot. A second scan of it confirms a new lot.
    pub(super) unconfirmed: Option<String>,
    /// Notes about labels that the device has shown, newest last.
    pub(super) shown_notes: Vec<String>,
    /// Summary of the movement that a pause ended, until the display shows it.
    pub(super) expired: Option<String>,
    /// The `seq` of the last scan.
    pub(super) seq: Seq,
    /// Distinguishes that scan from the scan with the same `seq` in another journal of the site. A
    /// site has another journal after the first one was lost.
    pub(super) tag: String,
    /// Whether a scan since the last event is flagged as a possible repeat.
    pub(super) possible_repeat: bool,
    /// When the gateway received the last scan.
    pub(super) last_received: Option<Timestamp>,
    /// The time of the last scan by the device's own clock.
    pub(super) last_at: Option<Timestamp>,
    /// Events that the last scan has created.
    pub(super) events_created: u32,
}

/// An unfinished movement: what the device has scanned since the last event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unfinished {
    pub from: Option<String>,
    pub to: Option<String>,
    pub order: Option<String>,
    pub package: Option<String>,
    pub reason: Option<String>,
    pub items: Vec<Item>,
    /// Index of the product that was scanned last. The next lot and quantity belong to it.
    pub last: usize,
}

/// A product of an unfinished movement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    pub code: String,
    pub name: String,
    pub quantity: Decimal,
    pub lot: Option<String>,
    pub expiry: Option<String>,
    pub best_before: Option<String>,
    /// The dates that apply to each further piece, from a label without a lot.
    pub piece_dates: Dates,
    pub tracking: Tracking,
    /// Whether Odoo did not have the lot when it was scanned.
    pub is_new_lot: bool,
    /// The package that the product's label names.
    pub package: Option<String>,
    /// Whether the label says that the product is in a package, and that package was not scanned.
    pub lacks_package: bool,
    /// Whether the label states that the product is in a package, but not the quantity in the
    /// package. The operator then enters the quantity.
    pub lacks_quantity: bool,
    /// `None`: the copy of Odoo's data does not have the product, or has several with the code.
    pub product: Option<CodedProduct>,
    /// The sums of the measures that all labels of the product have.
    pub measures: Measures,
}

/// The dates of a label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dates {
    pub expiry: Option<String>,
    pub best_before: Option<String>,
}

/// The product and quantity that a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodedProduct {
    /// The product's id in Odoo.
    pub id: ProductId,
    /// The factors of the code's unit and of the product's own unit.
    pub factors: (Decimal, Decimal),
    /// A code that stands for one unit of the product.
    pub own_code: Option<String>,
}

/// Whether a product is tracked by lot or serial number. `Unknown`: the catalog does not have the
/// product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tracking {
    #[default]
    Unknown,
    No,
    Lot,
    Serial,
}

impl Item {
    /// Whether a tracked product has no lot or serial number yet.
    pub fn lacks_lot(&self) -> bool {
        self.lot.is_none() && matches!(self.tracking, Tracking::Lot | Tracking::Serial)
    }

    pub fn is_serial(&self) -> bool {
        self.tracking == Tracking::Serial
    }

    /// Whether both are one entry: the same code, lot and package, or the same serial number of a
    /// product under any of its codes.
    pub fn is_same_entry(&self, other: &Self) -> bool {
        let is_one_serial = self.is_serial() && other.is_serial() && self.is_same_product(other);
        let is_one_code = self.code == other.code || is_one_serial;
        is_one_code && self.lot == other.lot && self.package == other.package
    }

    /// Whether both are codes of one product of Odoo's.
    pub fn is_same_product(&self, other: &Self) -> bool {
        let id = |item: &Self| item.product.as_ref().map(|product| product.id);
        id(self).is_some() && id(self) == id(other)
    }

    /// Adds the measures of another label. Keeps those only that both labels have.
    pub fn add_measures(&mut self, other: &Measures) {
        self.measures.retain(|name, _| other.contains_key(name));
        for (name, sum) in &mut self.measures {
            *sum += other.get(name).copied().unwrap_or_default();
        }
    }
}

/// The changes of one scan, newest last, and the state of the flow before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub at: Option<String>,
    pub changes: Vec<Change>,
}

/// One change of an unfinished movement, with the value before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    From(Option<String>),
    To(Option<String>),
    Order(Option<String>),
    Package(Option<String>),
    Reason(Option<String>),
    /// A product was added at the end.
    Added,
    /// The product at this index had this value.
    Changed(usize, Box<Item>),
    /// The product at this index was merged with another one.
    Joined(usize, Box<Item>),
}

/// The last events of a device, if an undo can still reverse them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Undoable {
    #[default]
    Nothing,
    /// An undo creates one `undo` event for each of these ids.
    Created {
        ids: Vec<String>,
        /// Summary of the movement for the display.
        what: String,
    },
    /// An order was validated: only a person can correct it, in Odoo.
    Validated,
}

impl Unfinished {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Describes the movement for the display: `3 × Chair`, `3 × Chair (LOT-1)` with a new lot, or
    /// `5 × Chair +2` if it has two more products. Without products: the order, package or
    /// location, or nothing.
    pub fn summarize(&self) -> String {
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

    /// Undoes one change.
    pub fn undo(&mut self, change: Change) {
        match change {
            Change::From(before) => self.from = before,
            Change::To(before) => self.to = before,
            Change::Order(before) => self.order = before,
            Change::Package(before) => self.package = before,
            Change::Reason(before) => self.reason = before,
            Change::Added => {
                self.items.pop();
                self.last = self.items.len().saturating_sub(1);
            }
            Change::Changed(place, before) => {
                if let Some(item) = self.items.get_mut(place) {
                    *item = *before;
                }
                self.last = place;
            }
            Change::Joined(place, before) => {
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
    /// Whether the device has scanned products that are not in an event yet.
    #[must_use]
    pub fn has_unfinished(&self) -> bool {
        !self.unfinished.items.is_empty()
    }

    /// Describes what the device has scanned of its unfinished movement: `2 of P from A`.
    #[must_use]
    pub fn describe_unfinished(&self) -> String {
        let unfinished = &self.unfinished;
        let items = unfinished.items.iter().take(ITEMS_DESCRIBED);
        let items: Vec<String> = items
            .map(|item| format!("{} of {}", item.quantity.normalize(), item.code))
            .collect();
        let more = unfinished.items.len().saturating_sub(ITEMS_DESCRIBED);
        let mut text = items.join(", ");
        if more > 0 {
            text = format!("{text} and {more} more");
        }
        for (word, value) in [
            ("from", &unfinished.from),
            ("to", &unfinished.to),
            ("for", &unfinished.order),
        ] {
            if let Some(value) = value {
                text = format!("{text} {word} {value}");
            }
        }
        text
    }

    /// The code of the product that was scanned last.
    #[must_use]
    pub fn last_product(&self) -> Option<&str> {
        self.unfinished.last_item().map(|item| item.code.as_str())
    }

    /// Stores how to undo a scan. The oldest of [`TRAIL_MAX`] steps goes first.
    pub(super) fn push_step(&mut self, step: Step) {
        if step.changes.is_empty() {
            return;
        }
        if self.trail.len() >= TRAIL_MAX {
            self.trail.remove(0);
        }
        self.trail.push(step);
    }

    /// Clears the unfinished movement. The operator and the flow stay.
    pub(super) fn clear_unfinished(&mut self) {
        self.unfinished = Unfinished::default();
        self.trail.clear();
        self.at = None;
        self.asks_quantity = false;
    }
}
