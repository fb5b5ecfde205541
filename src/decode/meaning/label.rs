//! What a label says besides what it is: dates, and what of it is not used.

use std::fmt;

use jiff::civil::{Date, DateTime};

use super::Context;
use crate::decode::gs1::{ElementString, dates};
use crate::decode::nomenclature::Value;

/// What a label says besides its [`Meaning`](super::Meaning). Empty for a code without application
/// or data identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    pub best_before: Option<Date>,
    /// (7003): the expiry to the minute, in the time of where the item is.
    pub expiry_time: Option<DateTime>,
    /// (37) beside (01), which GS1 does not allow and Odoo's nomenclature takes as the quantity.
    pub counts_item: bool,
    /// The batch and the serial number that data identifiers say, 1T and S.
    pub batch: Option<String>,
    pub serial: Option<String>,
    /// Dates that no movement has a place for.
    pub unused: Vec<UnusedDate>,
}

/// A date of a label that is not used, by its application identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedDate {
    pub ai: String,
    pub date: Date,
}

impl fmt::Display for UnusedDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}) {}", self.ai, self.date)
    }
}

/// What a date of a label is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Expiry,
    BestBefore,
    Nothing,
}

impl Label {
    /// Of GS1 data.
    pub(super) fn of(elements: &ElementString, context: &Context<'_>) -> Self {
        let mut label = Self {
            expiry_time: elements.expiry_time(),
            counts_item: elements.gtin().is_some() && elements.count().is_some(),
            ..Self::default()
        };
        for (ai, date) in dates(elements) {
            let value = elements.get(ai).unwrap_or_default();
            match used(ai, context.kind_of(ai, value)) {
                Use::Expiry => {}
                Use::BestBefore => label.best_before = Some(date),
                Use::Nothing => label.unused.push(UnusedDate {
                    ai: ai.to_owned(),
                    date,
                }),
            }
        }
        label.take_own_dates(elements, context);
        label
    }

    /// Notes a date that nobody keeps.
    pub fn note_unused(&mut self, ai: &str, date: Option<Date>) {
        self.unused.extend(date.map(|date| UnusedDate {
            ai: ai.to_owned(),
            date,
        }));
    }

    /// A site may keep a best before date under an application identifier of its own.
    fn take_own_dates(&mut self, elements: &ElementString, context: &Context<'_>) {
        let Some(nomenclature) = context.nomenclature else {
            return;
        };
        for element in elements.elements() {
            let found = nomenclature.element(element.ai.as_str(), &element.value, context.year);
            if let Some(found) = found
                && found.rule.kind == "use_date"
                && let Value::Date(date) = found.value
            {
                self.best_before.get_or_insert(date);
            }
        }
    }
}

/// What a date is for: by the site's rule for it, else by GS1's.
fn used(ai: &str, rule: Option<&str>) -> Use {
    match (ai, rule) {
        ("17", _) | (_, Some("expiration_date")) => Use::Expiry,
        (_, Some("use_date")) | ("15", None) => Use::BestBefore,
        _ => Use::Nothing,
    }
}

impl Context<'_> {
    /// The type of the rule in the site's GS1 nomenclature that takes an element.
    pub(super) fn kind_of(&self, ai: &str, value: &str) -> Option<&str> {
        let found = self.nomenclature?.element(ai, value, self.year)?;
        Some(found.rule.kind.as_str())
    }
}
