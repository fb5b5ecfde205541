//! Made-up readings for tests.

use jiff::Timestamp;
use stockrelay::event::{
    Action, Event, Goods, Measures, Move, Movement, Name, Rejection, SourceKind,
};
use stockrelay::reason::RejectionCode;

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a test's name is a good name")
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("a test's time is a time")
}

/// A device moves 1 of a product from one bin to another.
pub fn transfer(device: &str, id: &str, product: &str, from: &str, to: &str, second: i64) -> Event {
    Event {
        device: name(device),
        id: id.to_owned(),
        id_derived: false,
        source: SourceKind::Listen,
        at: at(second),
        received: at(second),
        measures: Measures::new(),
        operator: None,
        flags: Vec::new(),
        action: Action::Move(Move::new(
            Movement::Transfer,
            Goods {
                product: product.to_owned(),
                quantity: 1.into(),
                from: Some(from.to_owned()),
                to: Some(to.to_owned()),
                ..Goods::default()
            },
        )),
    }
}

pub fn scan(device: &str, id: &str, code: &str, second: i64) -> Event {
    Event {
        action: Action::Scan {
            code: code.to_owned(),
            symbology: None,
        },
        ..transfer(device, id, "", "", "", second)
    }
}

pub fn rejection(device: &str, payload: &[u8], second: i64) -> Rejection {
    Rejection {
        device: name(device),
        source: SourceKind::Listen,
        channel: None,
        received: at(second),
        id: None,
        code: RejectionCode::BadJson,
        message: "not JSON".to_owned(),
        payload: payload.to_vec(),
        cut: false,
    }
}
