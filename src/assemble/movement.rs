//! Which document an event goes into, and what it adds there. Pure.

use rust_decimal::Decimal;

use crate::document::{Document, Line, Purpose};
use crate::event::{Action, Recorded};

/// What an event asks for.
pub(super) enum Movement {
    /// Nothing: a raw scan.
    None,
    /// A line of a document of this purpose, together with others.
    Line(Purpose, LineKey, Decimal),
    /// A document of its own.
    Alone(Purpose, Option<(LineKey, Decimal)>),
}

/// What makes two events one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct LineKey {
    pub product: String,
    pub lot: Option<String>,
    pub package: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub expiry: Option<String>,
    pub best_before: Option<String>,
}

impl LineKey {
    pub fn into_line(self, quantity: Decimal, event: u64) -> Line {
        let Self {
            product,
            lot,
            package,
            from,
            to,
            expiry,
            best_before,
        } = self;
        Line {
            product,
            lot,
            package,
            from,
            to,
            expiry,
            best_before,
            owner: None,
            quantity,
            events: vec![event],
        }
    }
}

impl Movement {
    #[expect(clippy::too_many_lines, reason = "one arm for each type")]
    pub fn of(action: &Action) -> Self {
        match action.clone() {
            Action::Scan { .. } => Self::None,
            Action::Transfer {
                product,
                quantity,
                from,
                to,
                lot,
                package,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    package,
                    from: Some(from),
                    to: Some(to),
                    ..LineKey::default()
                };
                Self::Line(Purpose::Transfer, key, quantity)
            }
            Action::Pick {
                order,
                product,
                quantity,
                from,
                lot,
                package,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    package,
                    from,
                    ..LineKey::default()
                };
                Self::Line(Purpose::Pick { order }, key, quantity)
            }
            Action::Receive {
                order,
                product,
                quantity,
                to,
                lot,
                expiry,
                best_before,
                package,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    package,
                    to,
                    expiry,
                    best_before,
                    from: None,
                };
                Self::Line(Purpose::Receive { order }, key, quantity)
            }
            Action::Count {
                product,
                from,
                quantity,
                lot,
                package,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    package,
                    from: Some(from),
                    ..LineKey::default()
                };
                Self::Alone(Purpose::Count, Some((key, quantity)))
            }
            Action::Scrap {
                product,
                from,
                quantity,
                lot,
                reason,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    from: Some(from),
                    ..LineKey::default()
                };
                Self::Line(Purpose::Scrap { reason }, key, quantity)
            }
            Action::Return {
                order,
                product,
                to,
                quantity,
                lot,
                reason,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    to: Some(to),
                    ..LineKey::default()
                };
                Self::Line(Purpose::Return { order, reason }, key, quantity)
            }
            Action::Pack {
                package,
                product: None,
                order,
                ..
            } => {
                // `decode` takes no pack that names neither a product nor an order.
                let order = order.unwrap_or_default();
                Self::Alone(Purpose::PackOrder { order, package }, None)
            }
            Action::Pack {
                package,
                product: Some(product),
                order,
                quantity,
                from,
                lot,
            } => {
                let key = LineKey {
                    product,
                    lot,
                    package: Some(package),
                    from,
                    ..LineKey::default()
                };
                Self::Line(Purpose::Pack { order }, key, quantity)
            }
            Action::Ship {
                order,
                carrier_ref,
                weight_kg,
                parcels,
            } => Self::Alone(
                Purpose::Ship {
                    order,
                    carrier_ref,
                    weight_kg,
                    parcels,
                },
                None,
            ),
            Action::Validate { order } => Self::Alone(Purpose::Validate { order }, None),
            Action::Undo { event, reason } => {
                let (seq, of) = (None, None);
                let purpose = Purpose::Undo {
                    event,
                    seq,
                    of,
                    reason,
                };
                Self::Alone(purpose, None)
            }
        }
    }

    /// That of an event which takes `undone` back: a document of its own, with the line that is
    /// taken back.
    pub fn back(event: String, reason: Option<String>, undone: &Recorded) -> Self {
        let (of, line) = match Self::of(&undone.event.action) {
            Self::None => (None, None),
            Self::Line(purpose, key, quantity) => (Some(purpose), Some((key, quantity))),
            Self::Alone(purpose, line) => (Some(purpose), line),
        };
        let purpose = Purpose::Undo {
            event,
            seq: Some(undone.seq),
            of: of.map(Box::new),
            reason,
        };
        Self::Alone(purpose, line)
    }
}

/// What a document that an earlier version sealed without lines, because it could not post it, is
/// now: its one event says it. It was never sent, so nothing that Odoo has seen changes.
#[must_use]
pub fn revive(document: &Document, event: &Recorded) -> Document {
    let (purpose, line) = match Movement::of(&event.event.action) {
        Movement::None => return document.clone(),
        Movement::Line(purpose, key, quantity) => (purpose, Some((key, quantity))),
        Movement::Alone(purpose, line) => (purpose, line),
    };
    Document {
        purpose,
        lines: line
            .map(|(key, quantity)| key.into_line(quantity, event.seq))
            .into_iter()
            .collect(),
        ..document.clone()
    }
}
