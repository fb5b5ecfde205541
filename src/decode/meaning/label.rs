//! The dates and other facts on a label, apart from its meaning.

use std::fmt;

use jiff::civil::{Date, DateTime};

use super::Context;
use crate::decode::gs1::{ElementString, dates};
use crate::decode::nomenclature::Value;

/// The facts on a label apart from its [`Meaning`](super::Meaning). Empty for a code without
/// application or data identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    pub best_before: Option<Date>,
    /// (7003): the expiry to the minute, in the time of where the item is.
    pub expiry_time: Option<DateTime>,
    /// Whether (37) is next to (01), which GS1 forbids and Odoo's nomenclature reads as the
    /// quantity.
    pub counts_item: bool,
    /// The batch (1T) and the serial number (S) by data identifiers.
    pub batch: Option<String>,
    pub serial: Option<String>,
    /// Dates that no movement uses.
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

/// The use of a date on a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Expiry,
    BestBefore,
    Nothing,
}

impl Label {
    /// Reads the label of GS1 data.
    pub(super) fn of(elements: &ElementString, context: &Context<'_>) -> Self {
        let mut label = Self {
            expiry_time: elements.expiry_time(),
            counts_item: elements.gtin().is_some() && elements.count().is_some(),
            ..Self::default()
        };
        for (ai, date) in dates(elements) {
            let value = elements.get(ai).unwrap_or_default();
            match find_use(ai, context.kind_of(ai, value)) {
                Use::Expiry => {}
                Use::BestBefore => label.best_before = Some(date),
                Use::Nothing => label.unused.push(UnusedDate {
                    ai: ai.to_owned(),
                    date,
                }),
            }
        }
        label.read_site_dates(elements, context);
        label
    }

    /// Adds a date that is not used.
    pub fn add_unused(&mut self, ai: &str, date: Option<Date>) {
        self.unused.extend(date.map(|date| UnusedDate {
            ai: ai.to_owned(),
            date,
        }));
    }

    /// Reads a best before date under an application identifier that a rule of the site defines.
    fn read_site_dates(&mut self, elements: &ElementString, context: &Context<'_>) {
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

/// Finds the use of a date: by the site's rule, otherwise by GS1's.
fn find_use(ai: &str, rule: Option<&str>) -> Use {
    match (ai, rule) {
        ("17", _) | (_, Some("expiration_date")) => Use::Expiry,
        (_, Some("use_date")) | ("15", None) => Use::BestBefore,
        _ => Use::Nothing,
    }
}

impl Context<'_> {
    /// The type of the rule in the site's GS1 nomenclature that matches an element.
    pub(super) fn kind_of(&self, ai: &str, value: &str) -> Option<&str> {
        let found = self.nomenclature?.element(ai, value, self.year)?;
        Some(found.rule.kind.as_str())
    }
}
