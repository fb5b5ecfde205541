//! Converts a device's state to its stored form, and back.

use super::state::{
    Change, CodedProduct, Dates, Item, State, Step, Tracking, Undoable, Unfinished,
};
use crate::journal::stored::flow::{
    ChangeV1, DatesV1, FlowV1, ItemV1, ProductV1, StepV1, TrackingV1, UndoableV1, UnfinishedV1,
    flow_in, flow_out,
};
use crate::journal::stored::{BadRecord, convert};

/// The stored form of a state.
pub fn encode(state: State) -> Vec<u8> {
    flow_in(&state.into())
}

/// The state that was stored. Fields that an older version did not have take their defaults.
pub fn decode(bytes: &[u8]) -> Result<State, BadRecord> {
    flow_out(bytes).map(State::from)
}

convert!(
    State, FlowV1, flow, at, unfinished: into, trail: each, undoable: into, operator,
    asks_quantity, unconfirmed, shown_notes, expired, seq: into, tag, possible_repeat,
    last_received, last_at, events_created,
);
convert!(Unfinished, UnfinishedV1, from, to, order, package, reason, items: each, last);
convert!(
    Item, ItemV1, code, name, quantity, lot, expiry, best_before, piece_dates: into,
    tracking: into, is_new_lot, package, lacks_package, lacks_quantity, product: option, measures,
);
convert!(Dates, DatesV1, expiry, best_before);
convert!(CodedProduct, ProductV1, id: into, factors: into, own_code);
convert!(Step, StepV1, at, changes: each);

impl From<Tracking> for TrackingV1 {
    fn from(tracking: Tracking) -> Self {
        match tracking {
            Tracking::Unknown => Self::Unknown,
            Tracking::No => Self::No,
            Tracking::Lot => Self::Lot,
            Tracking::Serial => Self::Serial,
        }
    }
}

impl From<TrackingV1> for Tracking {
    fn from(tracking: TrackingV1) -> Self {
        match tracking {
            TrackingV1::Unknown => Self::Unknown,
            TrackingV1::No => Self::No,
            TrackingV1::Lot => Self::Lot,
            TrackingV1::Serial => Self::Serial,
        }
    }
}

impl From<Change> for ChangeV1 {
    fn from(did: Change) -> Self {
        match did {
            Change::From(before) => Self::From(before),
            Change::To(before) => Self::To(before),
            Change::Order(before) => Self::Order(before),
            Change::Package(before) => Self::Package(before),
            Change::Reason(before) => Self::Reason(before),
            Change::Added => Self::Added,
            Change::Changed(place, before) => Self::Changed(place, Box::new((*before).into())),
            Change::Joined(place, before) => Self::Joined(place, Box::new((*before).into())),
        }
    }
}

impl From<ChangeV1> for Change {
    fn from(did: ChangeV1) -> Self {
        match did {
            ChangeV1::From(before) => Self::From(before),
            ChangeV1::To(before) => Self::To(before),
            ChangeV1::Order(before) => Self::Order(before),
            ChangeV1::Package(before) => Self::Package(before),
            ChangeV1::Reason(before) => Self::Reason(before),
            ChangeV1::Added => Self::Added,
            ChangeV1::Changed(place, before) => Self::Changed(place, Box::new((*before).into())),
            ChangeV1::Joined(place, before) => Self::Joined(place, Box::new((*before).into())),
        }
    }
}

impl From<Undoable> for UndoableV1 {
    fn from(done: Undoable) -> Self {
        match done {
            Undoable::Nothing => Self::Nothing,
            Undoable::Created { ids, what } => Self::Events { ids, what },
            Undoable::Validated => Self::Validated,
        }
    }
}

impl From<UndoableV1> for Undoable {
    fn from(made: UndoableV1) -> Self {
        match made {
            UndoableV1::Nothing => Self::Nothing,
            UndoableV1::Events { ids, what } => Self::Created { ids, what },
            UndoableV1::Validated => Self::Validated,
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::event::Seq;
    use crate::odoo_id::ProductId;

    /// A state with a value in every field, as it is stored.
    const WHOLE: &str = include_str!("stored/whole.json");

    fn item() -> Item {
        Item {
            code: "MILK".to_owned(),
            name: "Milk".to_owned(),
            quantity: Decimal::new(125, 1),
            lot: Some("L-7".to_owned()),
            expiry: Some("2027-06-15".to_owned()),
            best_before: Some("2027-05-15".to_owned()),
            piece_dates: Dates {
                expiry: Some("2027-06-16".to_owned()),
                best_before: None,
            },
            tracking: Tracking::Lot,
            is_new_lot: true,
            package: Some("PACK-1".to_owned()),
            lacks_package: true,
            lacks_quantity: true,
            product: Some(CodedProduct {
                id: ProductId::new(7),
                factors: (Decimal::from(12), Decimal::ONE),
                own_code: Some("MILK-1".to_owned()),
            }),
            measures: [("net_kg".to_owned(), Decimal::new(15, 1))].into(),
        }
    }

    fn whole() -> State {
        let text = |text: &str| Some(text.to_owned());
        let item_of = |tracking| Box::new(Item { tracking, ..item() });
        let changes = vec![
            Change::From(text("A")),
            Change::To(None),
            Change::Order(text("O")),
            Change::Package(text("P")),
            Change::Reason(text("R")),
            Change::Added,
            Change::Changed(0, item_of(Tracking::Serial)),
            Change::Joined(1, item_of(Tracking::No)),
            Change::Joined(2, item_of(Tracking::Unknown)),
        ];
        State {
            flow: text("receive"),
            at: text("more"),
            unfinished: Unfinished {
                from: text("LOC-A"),
                to: text("LOC-B"),
                order: text("WH/IN/1"),
                package: text("PACK-2"),
                reason: text("broken"),
                items: vec![item()],
                last: 3,
            },
            trail: vec![Step {
                at: text("first"),
                changes,
            }],
            undoable: Undoable::Created {
                ids: vec!["flow-1-0-x".to_owned()],
                what: "1 × Milk".to_owned(),
            },
            operator: text("ben"),
            asks_quantity: true,
            unconfirmed: text("X1"),
            shown_notes: vec!["11".to_owned()],
            expired: text("2 × Milk"),
            seq: Seq::new(41),
            tag: "x".to_owned(),
            possible_repeat: true,
            last_received: "2026-11-29T12:00:00Z".parse().ok(),
            last_at: "2026-11-29T11:59:59.5Z".parse().ok(),
            events_created: 2,
        }
    }

    #[test]
    fn a_state_is_stored_byte_for_byte_as_ever() {
        let stored = WHOLE.trim_end();
        assert_eq!(String::from_utf8(encode(whole())).unwrap(), stored);
        assert_eq!(decode(stored.as_bytes()).unwrap(), whole());
        for (undoable, text) in [
            (Undoable::Nothing, "\"nothing\""),
            (Undoable::Validated, "\"validated\""),
        ] {
            let state = State {
                undoable,
                ..State::default()
            };
            let stored = String::from_utf8(encode(state.clone())).unwrap();
            assert!(stored.contains(&format!("\"done\":{text}")), "{stored}");
            assert_eq!(decode(stored.as_bytes()).unwrap(), state);
        }
    }

    #[test]
    fn fields_that_an_older_version_did_not_have_take_their_defaults() {
        let state = decode(br#"{"at":"more","done":{"scanned":3},"unknown":1}"#).unwrap();
        let expected = State {
            at: Some("more".to_owned()),
            ..State::default()
        };
        assert_eq!(state, expected);
        assert!(decode(b"{").is_err());
    }
}
