//! Decides into which document an event goes, and what it adds. Pure.

use crate::document::{Document, Line, Purpose};
use crate::event::{Action, Gathering, Goods, Recorded};

/// What an event adds to documents.
pub(super) enum Addition {
    /// Nothing: the event needs no document.
    Nothing,
    /// A line of a document of this purpose, which other events share.
    Line(Purpose, Goods),
    /// A document of its own.
    Alone(Purpose, Option<Goods>),
}

impl Addition {
    pub fn of(action: &Action) -> Self {
        let purpose = match action.clone() {
            Action::Scan { .. } => return Self::Nothing,
            Action::Move(moved) => {
                let purpose = Purpose::of(&moved);
                return match action.event_type().gathering {
                    Gathering::Nothing => Self::Nothing,
                    Gathering::Alone => Self::Alone(purpose, Some(moved.goods)),
                    Gathering::Together => Self::Line(purpose, moved.goods),
                };
            }
            Action::PackOrder { order, package, .. } => Purpose::PackOrder { order, package },
            Action::Ship {
                order,
                carrier_ref,
                weight_kg,
                parcels,
            } => Purpose::Ship {
                order,
                carrier_ref,
                weight_kg,
                parcels,
            },
            Action::Validate { order } => Purpose::Validate { order },
            Action::Undo { event, reason } => Purpose::Undo {
                event,
                seq: None,
                of: None,
                reason,
            },
        };
        Self::Alone(purpose, None)
    }

    /// Builds the addition of an event that undoes `undone`: a document of its own, with the goods
    /// of `undone`.
    pub fn undo(event: String, reason: Option<String>, undone: &Recorded) -> Self {
        let (of, goods) = Self::of(&undone.event.action).into_parts();
        let purpose = Purpose::Undo {
            event,
            seq: Some(undone.seq),
            of: of.map(Box::new),
            reason,
        };
        Self::Alone(purpose, goods)
    }

    fn into_parts(self) -> (Option<Purpose>, Option<Goods>) {
        match self {
            Self::Nothing => (None, None),
            Self::Line(purpose, goods) => (Some(purpose), Some(goods)),
            Self::Alone(purpose, goods) => (Some(purpose), goods),
        }
    }
}

/// Fills a document that an earlier version sealed without lines, because it could not post events
/// of this type: its one event has the purpose and the goods. The document was never sent, so
/// nothing changes in Odoo.
#[must_use]
pub fn revive(document: &Document, event: &Recorded) -> Document {
    let (purpose, goods) = Addition::of(&event.event.action).into_parts();
    let Some(purpose) = purpose else {
        return document.clone();
    };
    let line = |goods| Line {
        goods,
        events: vec![event.seq],
    };
    Document {
        purpose,
        lines: goods.map(line).into_iter().collect(),
        ..document.clone()
    }
}
