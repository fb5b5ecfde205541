//! Corrections of parked documents by a person. Pure.
//!
//! `decode` reads a correction. [`Correction::apply`] makes the document that replaces the old one,
//! and describes each change in words. The old document does not change; the new one has its own
//! key and takes over the events.

use jiff::Timestamp;
use rust_decimal::Decimal;
use thiserror::Error;

use crate::document::{Document, DocumentNumber, Line, OrderField, Purpose};
use crate::event::{EventType, Field};

#[cfg(test)]
mod tests;

/// The change of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    To(String),
    /// The field becomes empty.
    Away,
}

impl Change {
    fn value(&self) -> Option<&str> {
        match self {
            Self::To(value) => Some(value),
            Self::Away => None,
        }
    }
}

/// A correction as a person sent it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Correction {
    pub by: Option<String>,
    pub reason: Option<String>,
    pub order: Option<Change>,
    pub lines: Vec<LineChange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineChange {
    /// The first line is 1.
    pub line: usize,
    /// 0 removes the line; in a count, 0 means that nothing was found.
    pub quantity: Option<Decimal>,
    pub fields: Vec<(Field, Change)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CorrectionError {
    #[error("line {line} does not exist: the document has lines 1 to {lines}")]
    NoLine { line: usize, lines: usize },
    #[error("line {0} is named twice: give all its changes at once")]
    Twice(usize),
    #[error("line {line}: a {kind} has no {field}")]
    NotTaken {
        line: usize,
        kind: String,
        field: &'static str,
    },
    #[error("line {line}: {field} cannot be cleared: a {kind} needs it")]
    Needed {
        line: usize,
        kind: String,
        field: &'static str,
    },
    #[error("order: a {0} belongs to no order")]
    NoOrder(String),
    #[error("order cannot be cleared: a {0} needs an order")]
    OrderNeeded(String),
    #[error("no line would remain: discard the document instead")]
    NothingLeft,
    #[error("an undo has no fields of its own to edit: retry it or discard it")]
    Undo,
    #[error(
        "a recount repeats the count of document {0} and has no fields of its own to edit: retry it, or discard it and count again"
    )]
    Recount(DocumentNumber),
}

impl Correction {
    /// Makes the document that replaces `old`, without a number yet, and describes each change. An
    /// empty list: nothing differs from `old`.
    pub fn apply(
        &self,
        old: &Document,
        now: Timestamp,
    ) -> Result<(Document, Vec<String>), CorrectionError> {
        if matches!(old.purpose, Purpose::Undo { .. }) && !self.lines.is_empty() {
            return Err(CorrectionError::Undo);
        }
        if let Purpose::Recount { count } = old.purpose {
            return Err(CorrectionError::Recount(count));
        }
        let mut changes = Vec::new();
        let mut document = Document {
            number: DocumentNumber::ZERO,
            key: old.key.corrected(),
            sealed: now,
            corrects: Some(old.number),
            ..old.clone()
        };
        if let Some(order) = &self.order {
            let (before, after) = (old.purpose.order(), order.value());
            if before != after {
                changes.push(describe("order", before, after));
            }
            document.purpose = with_order(&old.purpose, after.map(str::to_owned))?;
        }
        let mut named = Vec::new();
        for change in &self.lines {
            if named.contains(&change.line) {
                return Err(CorrectionError::Twice(change.line));
            }
            named.push(change.line);
            let lines = document.lines.len();
            let line = (change.line.checked_sub(1))
                .and_then(|place| document.lines.get_mut(place))
                .ok_or(CorrectionError::NoLine {
                    line: change.line,
                    lines,
                })?;
            change.apply(line, old.purpose.kind(), &mut changes)?;
        }
        if old.purpose != Purpose::Count {
            document.lines.retain(|line| !line.goods.quantity.is_zero());
            document.lines = join_equal(document.lines);
        }
        if document.lines.is_empty() && !old.lines.is_empty() {
            return Err(CorrectionError::NothingLeft);
        }
        Ok((document, changes))
    }
}

impl LineChange {
    fn apply(
        &self,
        line: &mut Line,
        kind: &str,
        changes: &mut Vec<String>,
    ) -> Result<(), CorrectionError> {
        let of = EventType::named(kind);
        let number = self.line;
        for (field, change) in &self.fields {
            let (name, after) = (field.name(), change.value());
            if after.is_none() && of.is_some_and(|of| of.needs_in_line(*field)) {
                return Err(CorrectionError::Needed {
                    line: number,
                    kind: kind.to_owned(),
                    field: name,
                });
            }
            if !of.is_some_and(|of| of.takes_in_line(*field)) {
                return Err(CorrectionError::NotTaken {
                    line: number,
                    kind: kind.to_owned(),
                    field: name,
                });
            }
            let before = line.goods.text(*field);
            if before != after {
                changes.push(format!("line {number}: {}", describe(name, before, after)));
                line.goods.set_text(*field, after.map(str::to_owned));
            }
        }
        if let Some(quantity) = self
            .quantity
            .filter(|quantity| *quantity != line.goods.quantity)
        {
            changes.push(if quantity.is_zero() && kind != "count" {
                format!(
                    "line {number}: removed, {} of {}",
                    line.goods.quantity, line.goods.product
                )
            } else {
                format!(
                    "line {number}: quantity {quantity} instead of {}",
                    line.goods.quantity
                )
            });
            line.goods.quantity = quantity;
        }
        Ok(())
    }
}

/// `from LOC-B instead of LOC-A`, `lot L1`, `no lot instead of L1`.
fn describe(name: &str, before: Option<&str>, after: Option<&str>) -> String {
    let now = match after {
        Some(after) => format!("{name} {after}"),
        None => format!("no {name}"),
    };
    match before {
        Some(before) => format!("{now} instead of {before}"),
        None => now,
    }
}

/// Returns the purpose for another order. `None`: for no order.
fn with_order(purpose: &Purpose, order: Option<String>) -> Result<Purpose, CorrectionError> {
    let mut purpose = purpose.clone();
    let kind = purpose.kind().to_owned();
    match purpose.order_field() {
        OrderField::Needed(field) => *field = order.ok_or(CorrectionError::OrderNeeded(kind))?,
        OrderField::Optional(field) => *field = order,
        OrderField::None => return Err(CorrectionError::NoOrder(kind)),
    }
    Ok(purpose)
}

/// Joins lines that differ only in quantity, as assembling does.
fn join_equal(lines: Vec<Line>) -> Vec<Line> {
    let mut sums: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let alike = |sum: &&mut Line| sum.goods.without_quantity() == line.goods.without_quantity();
        if let Some(sum) = sums.iter_mut().find(alike) {
            sum.goods.quantity += line.goods.quantity;
            sum.events.extend(line.events);
            sum.events.sort_unstable();
        } else {
            sums.push(line);
        }
    }
    sums
}
