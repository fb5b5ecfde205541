//! What a person puts right about a parked document. Pure.
//!
//! Comes in as `decode` read it, with the document as it is; goes out as the document that takes
//! its place, and what was changed in words. The old document stays as it was: the new one has a
//! key of its own, and its events.

use jiff::Timestamp;
use rust_decimal::Decimal;
use thiserror::Error;

use crate::document::{Document, Line, Purpose};

/// A field of a line that is a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Product,
    From,
    To,
    Lot,
    Package,
    Owner,
    Expiry,
    BestBefore,
}

impl Field {
    /// As the control API and people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::From => "from",
            Self::To => "to",
            Self::Lot => "lot",
            Self::Package => "package",
            Self::Owner => "owner",
            Self::Expiry => "expiry",
            Self::BestBefore => "best_before",
        }
    }

    fn of(self, line: &Line) -> Option<&str> {
        match self {
            Self::Product => Some(&line.product),
            Self::From => line.from.as_deref(),
            Self::To => line.to.as_deref(),
            Self::Lot => line.lot.as_deref(),
            Self::Package => line.package.as_deref(),
            Self::Owner => line.owner.as_deref(),
            Self::Expiry => line.expiry.as_deref(),
            Self::BestBefore => line.best_before.as_deref(),
        }
    }

    fn set(self, line: &mut Line, value: Option<String>) {
        let place = match self {
            // It is needed by every kind, so it is never taken away.
            Self::Product => return line.product = value.unwrap_or_default(),
            Self::From => &mut line.from,
            Self::To => &mut line.to,
            Self::Lot => &mut line.lot,
            Self::Package => &mut line.package,
            Self::Owner => &mut line.owner,
            Self::Expiry => &mut line.expiry,
            Self::BestBefore => &mut line.best_before,
        };
        *place = value;
    }
}

/// The fields that lines of this event type need, then those that they may have: as at capture, and
/// the owner; of a scrap the package, too.
#[must_use]
pub fn fields(kind: &str) -> (&'static [Field], &'static [Field]) {
    use Field::{BestBefore, Expiry, From, Lot, Owner, Package, Product, To};
    match kind {
        "transfer" => (&[Product, From, To], &[Lot, Package, Owner]),
        "pick" => (&[Product], &[From, Lot, Package, Owner]),
        "receive" => (&[Product], &[To, Lot, Package, Owner, Expiry, BestBefore]),
        "count" | "scrap" => (&[Product, From], &[Lot, Package, Owner]),
        "return" => (&[Product, To], &[Lot, Owner]),
        "pack" => (&[Product, Package], &[From, Lot, Owner]),
        _ => (&[], &[]),
    }
}

/// Whether an event of this type can be about an order.
#[must_use]
pub fn has_order(kind: &str) -> bool {
    matches!(
        kind,
        "pick" | "receive" | "return" | "pack" | "ship" | "validate"
    )
}

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    To(String),
    /// What is there is taken away.
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

/// What a person sent.
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
    /// 0 leaves the line out; of a count it says that nothing is there.
    pub quantity: Option<Decimal>,
    pub fields: Vec<(Field, Change)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CorrectionError {
    #[error("line {line} is not there: the document has {lines}")]
    NoLine { line: usize, lines: usize },
    #[error("line {0} is named twice: say all of its changes at once")]
    Twice(usize),
    #[error("line {line}: a {kind} has no {field}")]
    NotTaken {
        line: usize,
        kind: String,
        field: &'static str,
    },
    #[error("line {line}: {field} cannot be taken away: a {kind} needs it")]
    Needed {
        line: usize,
        kind: String,
        field: &'static str,
    },
    #[error("order: a {0} is about no order")]
    NoOrder(String),
    #[error("order cannot be taken away: this {0} is for an order")]
    OrderNeeded(String),
    #[error("no line would be left: discard the document instead")]
    NothingLeft,
    #[error(
        "an undo takes back what another event said, and has nothing of its own to correct: retry it, or discard it"
    )]
    Undo,
    #[error(
        "a recount goes by the count of document {0}, and has nothing of its own to correct: retry it, or discard it and count again"
    )]
    Recount(u64),
}

impl Correction {
    /// The document that takes the place of `old`, without a number yet; and each change in words,
    /// none where all of it was so already.
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
            number: 0,
            key: old.key.corrected(),
            sealed: now,
            corrects: Some(old.number),
            ..old.clone()
        };
        if let Some(order) = &self.order {
            let (before, after) = (old.purpose.order(), order.value());
            if before != after {
                changes.push(told("order", before, after));
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
            document.lines.retain(|line| !line.quantity.is_zero());
            document.lines = summed(document.lines);
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
        let (needed, optional) = fields(kind);
        let number = self.line;
        for (field, change) in &self.fields {
            let (name, after) = (field.name(), change.value());
            if after.is_none() && needed.contains(field) {
                return Err(CorrectionError::Needed {
                    line: number,
                    kind: kind.to_owned(),
                    field: name,
                });
            }
            if !needed.contains(field) && !optional.contains(field) {
                return Err(CorrectionError::NotTaken {
                    line: number,
                    kind: kind.to_owned(),
                    field: name,
                });
            }
            let before = field.of(line);
            if before != after {
                changes.push(format!("line {number}: {}", told(name, before, after)));
                field.set(line, after.map(str::to_owned));
            }
        }
        if let Some(quantity) = self.quantity.filter(|quantity| *quantity != line.quantity) {
            changes.push(if quantity.is_zero() && kind != "count" {
                format!(
                    "line {number}: left out, {} of {}",
                    line.quantity, line.product
                )
            } else {
                format!(
                    "line {number}: quantity {quantity} instead of {}",
                    line.quantity
                )
            });
            line.quantity = quantity;
        }
        Ok(())
    }
}

/// `from LOC-B instead of LOC-A`, `lot L1`, `no lot instead of L1`.
fn told(name: &str, before: Option<&str>, after: Option<&str>) -> String {
    let now = match after {
        Some(after) => format!("{name} {after}"),
        None => format!("no {name}"),
    };
    match before {
        Some(before) => format!("{now} instead of {before}"),
        None => now,
    }
}

fn with_order(purpose: &Purpose, order: Option<String>) -> Result<Purpose, CorrectionError> {
    let mut purpose = purpose.clone();
    let kind = purpose.kind().to_owned();
    match &mut purpose {
        Purpose::Pick { order: place }
        | Purpose::PackOrder { order: place, .. }
        | Purpose::Ship { order: place, .. }
        | Purpose::Validate { order: place } => {
            *place = order.ok_or(CorrectionError::OrderNeeded(kind))?;
        }
        Purpose::Receive { order: place }
        | Purpose::Return { order: place, .. }
        | Purpose::Pack { order: place } => *place = order,
        Purpose::Transfer
        | Purpose::Count
        | Purpose::Scrap { .. }
        | Purpose::Undo { .. }
        | Purpose::Recount { .. }
        | Purpose::Unsupported { .. } => return Err(CorrectionError::NoOrder(kind)),
    }
    Ok(purpose)
}

/// As at assembling, lines that are equal but for their quantity are one.
fn summed(lines: Vec<Line>) -> Vec<Line> {
    let mut sums: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let alike = |sum: &&mut Line| {
            let bare = |line: &Line| Line {
                quantity: Decimal::ZERO,
                events: Vec::new(),
                ..line.clone()
            };
            bare(sum) == bare(&line)
        };
        if let Some(sum) = sums.iter_mut().find(alike) {
            sum.quantity += line.quantity;
            sum.events.extend(line.events);
            sum.events.sort_unstable();
        } else {
            sums.push(line);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentKey;

    fn document(purpose: Purpose, lines: &[(&str, &str, u32)]) -> Document {
        let line = |(place, (product, from, quantity)): (usize, &(&str, &str, u32))| Line {
            product: (*product).to_owned(),
            from: Some((*from).to_owned()),
            to: Some("LOC-Z".to_owned()),
            quantity: (*quantity).into(),
            events: vec![place as u64 + 1],
            ..Line::default()
        };
        Document {
            number: 7,
            key: DocumentKey([7; 16]),
            purpose,
            group: "pda-1".to_owned(),
            lines: lines.iter().enumerate().map(line).collect(),
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: (1..=lines.len() as u64).collect(),
            corrects: None,
            times: Vec::new(),
            flags: vec!["time-corrected".into()],
        }
    }

    fn to(value: Option<&str>) -> Change {
        value.map_or(Change::Away, |value| Change::To(value.to_owned()))
    }

    fn change(line: usize, quantity: Option<u32>, fields: &[(Field, Option<&str>)]) -> LineChange {
        LineChange {
            line,
            quantity: quantity.map(Decimal::from),
            fields: (fields.iter())
                .map(|(field, value)| (*field, to(*value)))
                .collect(),
        }
    }

    fn lines(lines: Vec<LineChange>) -> Correction {
        Correction {
            lines,
            ..Correction::default()
        }
    }

    fn apply(
        correction: &Correction,
        old: &Document,
    ) -> Result<(Document, Vec<String>), CorrectionError> {
        correction.apply(old, Timestamp::from_second(60).unwrap())
    }

    #[test]
    fn the_new_document_has_what_was_changed_and_the_old_ones_events() {
        let old = document(
            Purpose::Transfer,
            &[("P", "LOC-A", 2), ("Q", "LOC-A", 3), ("R", "LOC-A", 1)],
        );
        let correction = lines(vec![
            change(
                1,
                None,
                &[(Field::From, Some("LOC-B")), (Field::Lot, Some("L1"))],
            ),
            change(2, Some(0), &[]),
            change(3, Some(5), &[]),
        ]);
        let (new, changes) = apply(&correction, &old).unwrap();
        assert_eq!(
            changes,
            [
                "line 1: from LOC-B instead of LOC-A",
                "line 1: lot L1",
                "line 2: left out, 3 of Q",
                "line 3: quantity 5 instead of 1",
            ]
        );
        assert_eq!(new.key, old.key.corrected());
        assert_eq!(
            (new.number, new.corrects, new.sealed.as_second()),
            (0, Some(7), 60)
        );
        assert_eq!(
            (&new.events, new.occurred, &new.flags),
            (&old.events, old.occurred, &old.flags)
        );
        assert_eq!(new.lines.len(), 2);
        assert_eq!(new.lines[0].from.as_deref(), Some("LOC-B"));
        assert_eq!(new.lines[1].quantity, 5.into());
    }

    #[test]
    fn lines_that_become_equal_become_one() {
        let old = document(Purpose::Transfer, &[("P", "LOC-A", 2), ("P", "LOC-B", 3)]);
        let correction = lines(vec![change(1, None, &[(Field::From, Some("LOC-B"))])]);
        let (new, _) = apply(&correction, &old).unwrap();
        assert_eq!(new.lines.len(), 1);
        assert_eq!(
            (new.lines[0].quantity, &new.lines[0].events),
            (5.into(), &vec![1, 2])
        );
    }

    #[test]
    fn an_undo_has_nothing_of_its_own_to_correct() {
        let undo = Purpose::Undo {
            event: "e1".to_owned(),
            seq: Some(1),
            of: Some(Box::new(Purpose::Transfer)),
            reason: None,
        };
        let old = document(undo, &[("P", "LOC-A", 5)]);
        let less = apply(&lines(vec![change(1, Some(2), &[])]), &old);
        assert_eq!(less.unwrap_err(), CorrectionError::Undo);
    }

    #[test]
    fn nothing_there_is_a_count_as_well() {
        let old = document(Purpose::Count, &[("P", "LOC-A", 2)]);
        let (new, changes) = apply(&lines(vec![change(1, Some(0), &[])]), &old).unwrap();
        assert_eq!(changes, ["line 1: quantity 0 instead of 2"]);
        assert_eq!(new.lines[0].quantity, Decimal::ZERO);
    }

    #[test]
    fn an_order_is_changed_for_the_whole_document() {
        let order = |order: Option<&str>| Correction {
            order: Some(to(order)),
            ..Correction::default()
        };
        let pick = document(
            Purpose::Pick {
                order: "S1".to_owned(),
            },
            &[("P", "LOC-A", 2)],
        );
        let (new, changes) = apply(&order(Some("S2")), &pick).unwrap();
        assert_eq!(new.purpose.order(), Some("S2"));
        assert_eq!(changes, ["order S2 instead of S1"]);
        assert_eq!(
            apply(&order(None), &pick).unwrap_err(),
            CorrectionError::OrderNeeded("pick".to_owned())
        );
        let receive = document(
            Purpose::Receive {
                order: Some("P1".to_owned()),
            },
            &[("P", "LOC-A", 2)],
        );
        let (new, changes) = apply(&order(None), &receive).unwrap();
        assert_eq!(new.purpose, Purpose::Receive { order: None });
        assert_eq!(changes, ["no order instead of P1"]);
        let validate = document(
            Purpose::Validate {
                order: "S1".to_owned(),
            },
            &[],
        );
        assert!(
            apply(&order(Some("S2")), &validate).is_ok(),
            "it has no lines"
        );
        let transfer = document(Purpose::Transfer, &[("P", "LOC-A", 2)]);
        assert_eq!(
            apply(&order(Some("S2")), &transfer).unwrap_err(),
            CorrectionError::NoOrder("transfer".to_owned())
        );
    }

    #[test]
    fn what_is_so_already_is_no_change() {
        let old = document(Purpose::Transfer, &[("P", "LOC-A", 2)]);
        let same = change(
            1,
            Some(2),
            &[(Field::From, Some("LOC-A")), (Field::Lot, None)],
        );
        let (new, changes) = apply(&lines(vec![same]), &old).unwrap();
        assert_eq!((changes.len(), &new.lines), (0, &old.lines));
    }

    #[test]
    fn what_capture_would_not_take_is_refused() {
        let old = document(Purpose::Transfer, &[("P", "LOC-A", 2)]);
        for (correction, error) in [
            (
                vec![change(2, Some(1), &[])],
                "line 2 is not there: the document has 1",
            ),
            (
                vec![change(0, Some(1), &[])],
                "line 0 is not there: the document has 1",
            ),
            (
                vec![change(1, Some(1), &[]), change(1, Some(3), &[])],
                "line 1 is named twice",
            ),
            (
                vec![change(1, None, &[(Field::To, None)])],
                "line 1: to cannot be taken away",
            ),
            (
                vec![change(1, None, &[(Field::Product, None)])],
                "line 1: product cannot be taken",
            ),
            (
                vec![change(1, None, &[(Field::Expiry, Some("2027-01-01"))])],
                "a transfer has no expiry",
            ),
            (vec![change(1, Some(0), &[])], "no line would be left"),
        ] {
            let found = apply(&lines(correction), &old).unwrap_err().to_string();
            assert!(found.contains(error), "{found} for {error}");
        }
    }
}
