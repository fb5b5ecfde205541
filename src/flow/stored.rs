//! Converts a device's state to its stored form, and back.

use super::state::{Coded, Dates, Did, Done, Item, State, Step, Tracking, Work};
use crate::journal::stored::BadRecord;
use crate::journal::stored::flow::{
    DatesV1, DidV1, FlowV1, ItemV1, MadeV1, ProductV1, StepV1, TrackingV1, WorkV1, flow_in,
    flow_out,
};

/// The stored form of a state.
pub fn encode(state: State) -> Vec<u8> {
    flow_in(&state.into())
}

/// The state that was stored. Fields that an older version did not have take their defaults.
pub fn decode(bytes: &[u8]) -> Result<State, BadRecord> {
    flow_out(bytes).map(State::from)
}

/// Destructures in both directions, so that a new field cannot be forgotten.
macro_rules! convert {
    ($domain:ident, $stored:ident, $($field:ident $(: $how:ident)?),+ $(,)?) => {
        impl From<$domain> for $stored {
            fn from(domain: $domain) -> Self {
                let $domain { $($field),+ } = domain;
                Self { $($field: convert!(@ $field $($how)?)),+ }
            }
        }
        impl From<$stored> for $domain {
            fn from(stored: $stored) -> Self {
                let $stored { $($field),+ } = stored;
                Self { $($field: convert!(@ $field $($how)?)),+ }
            }
        }
    };
    (@ $field:ident) => { $field };
    (@ $field:ident into) => { $field.into() };
    (@ $field:ident each) => { $field.into_iter().map(Into::into).collect() };
    (@ $field:ident option) => { $field.map(Into::into) };
}

convert!(
    State, FlowV1, flow, at, work: into, trail: each, done: into, operator, asks_quantity, doubted,
    noted, dropped, seq: into, tag, possible_repeat, last, last_at, made,
);
convert!(Work, WorkV1, from, to, order, package, reason, items: each, last);
convert!(
    Item, ItemV1, code, name, quantity, lot, expiry, best_before, of_each: into, tracking: into,
    is_new_lot, package, lacks_package, lacks_quantity, product: option, measures,
);
convert!(Dates, DatesV1, expiry, best_before);
convert!(Coded, ProductV1, id: into, factors: into, own_code);
convert!(Step, StepV1, at, did: each);

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

impl From<Did> for DidV1 {
    fn from(did: Did) -> Self {
        match did {
            Did::From(before) => Self::From(before),
            Did::To(before) => Self::To(before),
            Did::Order(before) => Self::Order(before),
            Did::Package(before) => Self::Package(before),
            Did::Reason(before) => Self::Reason(before),
            Did::Added => Self::Added,
            Did::Changed(place, before) => Self::Changed(place, Box::new((*before).into())),
            Did::Joined(place, before) => Self::Joined(place, Box::new((*before).into())),
        }
    }
}

impl From<DidV1> for Did {
    fn from(did: DidV1) -> Self {
        match did {
            DidV1::From(before) => Self::From(before),
            DidV1::To(before) => Self::To(before),
            DidV1::Order(before) => Self::Order(before),
            DidV1::Package(before) => Self::Package(before),
            DidV1::Reason(before) => Self::Reason(before),
            DidV1::Added => Self::Added,
            DidV1::Changed(place, before) => Self::Changed(place, Box::new((*before).into())),
            DidV1::Joined(place, before) => Self::Joined(place, Box::new((*before).into())),
        }
    }
}

impl From<Done> for MadeV1 {
    fn from(done: Done) -> Self {
        match done {
            Done::Nothing => Self::Nothing,
            Done::Made { ids, what } => Self::Events { ids, what },
            Done::Validated => Self::Validated,
        }
    }
}

impl From<MadeV1> for Done {
    fn from(made: MadeV1) -> Self {
        match made {
            MadeV1::Nothing => Self::Nothing,
            MadeV1::Events { ids, what } => Self::Made { ids, what },
            MadeV1::Validated => Self::Validated,
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
            of_each: Dates {
                expiry: Some("2027-06-16".to_owned()),
                best_before: None,
            },
            tracking: Tracking::Lot,
            is_new_lot: true,
            package: Some("PACK-1".to_owned()),
            lacks_package: true,
            lacks_quantity: true,
            product: Some(Coded {
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
        let did = vec![
            Did::From(text("A")),
            Did::To(None),
            Did::Order(text("O")),
            Did::Package(text("P")),
            Did::Reason(text("R")),
            Did::Added,
            Did::Changed(0, item_of(Tracking::Serial)),
            Did::Joined(1, item_of(Tracking::No)),
            Did::Joined(2, item_of(Tracking::Unknown)),
        ];
        State {
            flow: text("receive"),
            at: text("more"),
            work: Work {
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
                did,
            }],
            done: Done::Made {
                ids: vec!["flow-1-0-x".to_owned()],
                what: "1 × Milk".to_owned(),
            },
            operator: text("ben"),
            asks_quantity: true,
            doubted: text("X1"),
            noted: vec!["11".to_owned()],
            dropped: text("2 × Milk"),
            seq: Seq::new(41),
            tag: "x".to_owned(),
            possible_repeat: true,
            last: "2026-11-29T12:00:00Z".parse().ok(),
            last_at: "2026-11-29T11:59:59.5Z".parse().ok(),
            made: 2,
        }
    }

    #[test]
    fn a_state_is_stored_byte_for_byte_as_ever() {
        let stored = WHOLE.trim_end();
        assert_eq!(String::from_utf8(encode(whole())).unwrap(), stored);
        assert_eq!(decode(stored.as_bytes()).unwrap(), whole());
        for (done, text) in [
            (Done::Nothing, "\"nothing\""),
            (Done::Validated, "\"validated\""),
        ] {
            let state = State {
                done,
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
