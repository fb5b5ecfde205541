//! Flows as data: a device that only beeps makes movements by the order in which codes come. What
//! drives them is elsewhere.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Kind;
use super::command::CommandCode;
use crate::config::LotPattern;
use crate::event::Movement;

/// `[flow]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowRules {
    /// The flow that a device begins in: `transfer`, `pick`, `receive`, `count`, `scrap`, `return`,
    /// `pack`, or one of `custom`. Without one its codes are kept as they are.
    pub start: Option<String>,
    /// An unfinished movement expires after this time without a scan, in seconds. 0: never.
    /// `None`: after 600 s.
    pub idle_s: Option<u64>,
    /// What the whole name of a new lot or serial number must match. Default: the site's
    /// `capture.lot_pattern`.
    pub lot_pattern: Option<LotPattern>,
    /// The site's own flows, by name. A flow here replaces the built-in flow of the same name.
    pub custom: BTreeMap<String, Flow>,
}

impl FlowRules {
    /// Whether a device can start in this flow.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        Movement::named(name).is_some() || self.custom.contains_key(name)
    }

    /// The names of all flows, for the message about an unknown one.
    #[must_use]
    pub fn names(&self) -> String {
        let names = Movement::ALL.iter().map(|movement| movement.as_str());
        let names: Vec<_> = names
            .chain(self.custom.keys().map(String::as_str))
            .collect();
        names.join(", ")
    }
}

/// A small state machine: in a state, a code of some kind does something and leads to a state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The movement that the flow creates.
    pub movement: Movement,
    /// The state in which the flow starts and ends.
    pub start: String,
    pub on: Vec<Transition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    pub state: String,
    /// `product`, `location`, `order`, `package`, `lot`, `quantity`, or `command:CODE`.
    pub code: On,
    /// The acts, in order.
    #[serde(rename = "do", default)]
    pub acts: Vec<Act>,
    /// The next state. `None`: the state does not change.
    pub next: Option<String>,
}

/// The code that a transition expects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum On {
    Kind(Kind),
    Command(CommandCode),
}

impl TryFrom<String> for On {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let kind = match text.as_str() {
            "product" => Kind::Product,
            "location" => Kind::Location,
            "order" => Kind::Order,
            "package" => Kind::Package,
            "lot" => Kind::Lot,
            "quantity" => Kind::Quantity,
            other => {
                let command = other.strip_prefix("command:").and_then(CommandCode::of);
                return command.map(Self::Command).ok_or_else(|| {
                    format!("{other:?} is not product, location, order, package, lot, quantity or command:CODE such as command:OBTVALI")
                });
            }
        };
        Ok(Self::Kind(kind))
    }
}

/// What a code does. The first seven acts add it to the unfinished movement; `emit` creates the
/// events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// The location is the source of the goods.
    From,
    /// The location is the destination of the goods.
    To,
    Order,
    Package,
    /// The lot belongs to the last product.
    Lot,
    /// The quantity belongs to the last product.
    Quantity,
    /// Adds one piece of the product, or the quantity in its code.
    Product,
    /// Creates the events of all products, and clears the products.
    Emit,
    /// Undoes the last scan. If no movement is unfinished, creates events that reverse the last
    /// one.
    Undo,
    /// Discards the unfinished movement.
    Cancel,
    /// Clears the movement, with its order and locations.
    End,
}
