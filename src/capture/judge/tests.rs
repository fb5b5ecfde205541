//! Every verdict, and every one of them in words of every language.

mod lots;

use jiff::Timestamp;

use super::*;
use crate::capture::memory::EventKey;
use crate::capture::texts::text;
use crate::catalog::{Measure, PlannedLine};
use crate::config::Language;
use crate::event::{Goods, Measures, Move, Name, SourceKind};
use crate::odoo_id::{LocationId, PickingId, ProductId, UnitId};

fn event(action: Action) -> Event {
    Event {
        device: Name::new("pda-1").unwrap(),
        id: "1".to_owned(),
        id_derived: false,
        source: SourceKind::Listen,
        at: Timestamp::UNIX_EPOCH,
        received: Timestamp::UNIX_EPOCH,
        measures: Measures::new(),
        operator: None,
        flags: Vec::new(),
        action,
    }
}

fn transfer(quantity: u32, lot: Option<&str>) -> Event {
    event(Action::Move(Move::new(
        Movement::Transfer,
        Goods {
            product: "400".to_owned(),
            quantity: quantity.into(),
            from: Some("A".to_owned()),
            to: Some("B".to_owned()),
            lot: lot.map(str::to_owned),
            ..Goods::default()
        },
    )))
}

fn pick(quantity: u32, lot: Option<&str>) -> Event {
    event(Action::Move(Move {
        order: Some("S1".to_owned()),
        ..Move::new(
            Movement::Pick,
            Goods {
                product: "400".to_owned(),
                quantity: quantity.into(),
                lot: lot.map(str::to_owned),
                ..Goods::default()
            },
        )
    }))
}

fn receive(lot: Option<&str>) -> Event {
    event(Action::Move(Move::new(
        Movement::Receive,
        Goods {
            product: "400".to_owned(),
            quantity: Decimal::ONE,
            lot: lot.map(str::to_owned),
            ..Goods::default()
        },
    )))
}

fn product(tracking: &str) -> Found<Product> {
    Found::One(Product {
        has_dates: false,
        id: ProductId::new(10),
        unit: UnitId::new(1),
        name: "Chair".to_owned(),
        tracked: tracking != "none",
        serial: tracking == "serial",
        measure: Measure::OWN.with_precision(Some(Decimal::new(1, 2))),
    })
}

fn open(kind: &str, demand: u32, picked: u32) -> OrderFound {
    OrderFound::Open(vec![Planned {
        id: PickingId::new(5),
        name: "WH/OUT/5".to_owned(),
        kind: kind.into(),
        state: PickingState::Assigned,
        partner: None,
        scheduled: None,
        lines: vec![PlannedLine {
            product: ProductId::new(10),
            demand: demand.into(),
            picked: picked.into(),
            from: None,
            to: None,
            lot: None,
        }],
        cut: false,
    }])
}

fn facts(found: Found<Product>) -> Facts {
    Facts {
        product: Some(Arc::new(found)),
        from: Some(Arc::new(Found::One(LocationId::new(1)))),
        to: Some(Arc::new(Found::One(LocationId::new(2)))),
        fresh: true,
        all_orders: true,
        ..Facts::default()
    }
}

fn ordered(found: Found<Product>, order: OrderFound) -> Facts {
    Facts {
        order: Some(Arc::new(order)),
        ..facts(found)
    }
}

fn several<T>() -> Found<T> {
    Found::Several(vec!["a".to_owned(), "b".to_owned()])
}

fn over(state: &str) -> OrderFound {
    OrderFound::Over {
        name: "S1".to_owned(),
        state: state.into(),
    }
}

fn code(event: &Event, facts: &Facts) -> Option<&'static str> {
    (judge(event, facts, &Memory::default()).refused).map(RejectionCode::as_str)
}

/// An event that is wrong.
struct Wrong {
    code: &'static str,
    /// The display text in English.
    words: &'static str,
    event: Event,
    facts: Facts,
}

/// Each way to be wrong.
fn wrongs() -> Vec<Wrong> {
    let bin = |found| Facts {
        from: Some(Arc::new(found)),
        ..facts(product("none"))
    };
    let foreign = OrderFound::Open(vec![]);
    vec![
        Wrong {
            code: "unknown-product",
            words: "Unknown barcode 400",
            event: transfer(1, None),
            facts: facts(Found::Nothing),
        },
        Wrong {
            code: "ambiguous-product",
            words: "400: more than one product",
            event: transfer(1, None),
            facts: facts(several()),
        },
        Wrong {
            code: "unknown-location",
            words: "Unknown bin A",
            event: transfer(1, None),
            facts: bin(Found::Nothing),
        },
        Wrong {
            code: "ambiguous-location",
            words: "A: more than one bin",
            event: transfer(1, None),
            facts: bin(several()),
        },
        Wrong {
            code: "lot-required",
            words: "Chair\nScan the lot",
            event: transfer(1, None),
            facts: facts(product("lot")),
        },
        Wrong {
            code: "lot-required",
            words: "Chair\nScan the serial number",
            event: transfer(1, None),
            facts: facts(product("serial")),
        },
        Wrong {
            code: "serial-quantity",
            words: "Chair\nSerial number: 1, not 2",
            event: transfer(2, Some("N1")),
            facts: facts(product("serial")),
        },
        Wrong {
            code: "serial-seen",
            words: "Chair\nN1 was already scanned",
            event: receive(Some("N1")),
            facts: Facts {
                on_hand: true,
                ..facts(product("serial"))
            },
        },
        Wrong {
            code: "not-on-order",
            words: "Chair\nnot on S1",
            event: pick(1, None),
            facts: ordered(product("none"), foreign),
        },
        Wrong {
            code: "not-on-order",
            words: "Chair\nnot on S1",
            event: pick(1, None),
            facts: ordered(product("none"), open("incoming", 5, 0)),
        },
        Wrong {
            code: "more-than-ordered",
            words: "Chair\nToo many: 2 left on S1",
            event: pick(3, None),
            facts: ordered(product("none"), open("outgoing", 5, 3)),
        },
        Wrong {
            code: "unknown-order",
            words: "Unknown order S1",
            event: pick(1, None),
            facts: ordered(product("none"), OrderFound::Nothing),
        },
        Wrong {
            code: "order-done",
            words: "S1 is already done",
            event: pick(1, None),
            facts: ordered(product("none"), over("done")),
        },
        Wrong {
            code: "order-cancelled",
            words: "S1 is cancelled",
            event: pick(1, None),
            facts: ordered(product("none"), over("cancel")),
        },
    ]
}

#[test]
fn what_is_wrong_is_refused_with_its_code_and_said() {
    for Wrong {
        code,
        words,
        event,
        facts,
    } in wrongs()
    {
        let judgement = judge(&event, &facts, &Memory::default());
        assert_eq!(
            judgement.refused.map(RejectionCode::as_str),
            Some(code),
            "{words}"
        );
        assert!(!judgement.say.ok);
        let said = text(
            Language::English,
            judgement.say.key,
            &judgement.say.arguments,
        );
        assert_eq!(said, words);
    }
}

#[test]
fn it_is_said_in_every_language_and_the_same_in_no_two() {
    for Wrong {
        code, event, facts, ..
    } in wrongs()
    {
        let say = judge(&event, &facts, &Memory::default()).say;
        let mut said: Vec<String> = [
            Language::English,
            Language::German,
            Language::French,
            Language::Dutch,
            Language::Spanish,
            Language::Arabic,
        ]
        .into_iter()
        .map(|language| text(language, say.key, &say.arguments))
        .collect();
        for text in &said {
            assert!(!text.contains('{') && !text.is_empty(), "{code}: {text}");
        }
        said.sort();
        said.dedup();
        assert_eq!(said.len(), 6, "{code}: {said:?}");
    }
}

#[test]
fn a_stale_copy_refuses_nothing_that_it_merely_does_not_know() {
    let mut unknown = 0;
    for Wrong {
        code, event, facts, ..
    } in wrongs()
    {
        let stale = Facts {
            fresh: false,
            all_orders: false,
            ..facts
        };
        let judgement = judge(&event, &stale, &Memory::default());
        if [
            "unknown-product",
            "unknown-location",
            "unknown-order",
            "not-on-order",
        ]
        .contains(&code)
        {
            assert_eq!(judgement.refused, None, "{code}");
            assert_eq!(judgement.say.key, Key::NotKnownYet, "{code}");
            assert!(judgement.say.ok);
            unknown += 1;
        }
    }
    assert_eq!(unknown, 5);
    // Somebody may have ordered more meanwhile.
    let stale = Facts {
        fresh: false,
        ..ordered(product("none"), open("outgoing", 1, 1))
    };
    assert_eq!(code(&pick(1, None), &stale), None);
    // Not all orders are known: one that is not is not refused, however fresh the rest is.
    let some = Facts {
        all_orders: false,
        ..ordered(product("none"), OrderFound::Nothing)
    };
    assert_eq!(code(&pick(1, None), &some), None);
}

#[test]
fn an_order_counts_what_is_in_odoo_and_what_was_captured_since() {
    let mut memory = Memory::default();
    let facts = ordered(product("none"), open("outgoing", 5, 1));
    let judgement = judge(&pick(2, None), &facts, &memory);
    let said = text(
        Language::English,
        judgement.say.key,
        &judgement.say.arguments,
    );
    assert_eq!(said, "Chair\n3 of 5, 2 left");
    assert_eq!(
        judgement.counts.order,
        Some((PickingId::new(5), ProductId::new(10), 2.into()))
    );
    memory.add(EventKey::of(&pick(2, None)), judgement.counts);
    let judgement = judge(&pick(2, None), &facts, &memory);
    let said = text(
        Language::German,
        judgement.say.key,
        &judgement.say.arguments,
    );
    assert_eq!(said, "Chair\n5 von 5, 0 offen");
    assert_eq!(
        judge(&pick(3, None), &facts, &memory).refused,
        Some(RejectionCode::MoreThanOrdered)
    );
}

#[test]
fn raw_scans_are_told_what_they_are_and_never_refused() {
    let scan = event(Action::Scan {
        code: "400".to_owned(),
        symbology: None,
    });
    let say = |facts: &Facts| {
        let judgement = judge(&scan, facts, &Memory::default());
        assert_eq!(judgement.refused, None);
        (judgement.say.ok, judgement.say.key)
    };
    let known = Facts {
        what: Some("Chair".to_owned()),
        fresh: true,
        ..Facts::default()
    };
    assert_eq!(say(&known), (true, Key::Found));
    assert_eq!(
        say(&Facts {
            what: None,
            ..known
        }),
        (false, Key::UnknownProduct)
    );
    assert_eq!(say(&Facts::default()), (true, Key::NotKnownYet));
}

#[test]
fn a_pack_of_six_counts_six() {
    let six = Found::One(Product {
        has_dates: false,
        id: ProductId::new(10),
        unit: UnitId::new(1),
        name: "Chair".to_owned(),
        tracked: false,
        serial: false,
        measure: Measure::of(6.0, 1.0).expect("factors"),
    });
    assert_eq!(
        code(
            &pick(1, None),
            &ordered(six.clone(), open("outgoing", 6, 0))
        ),
        None
    );
    let short = ordered(six, open("outgoing", 5, 0));
    assert_eq!(code(&pick(1, None), &short), Some("more-than-ordered"));
}

#[test]
fn a_quantity_with_more_decimals_than_odoo_keeps_is_a_fault() {
    let facts = Facts {
        product: Some(Arc::new(product("none"))),
        ..Facts::default()
    };
    let moved = |quantity: &str| {
        let mut event = transfer(1, None);
        if let Action::Move(moved) = &mut event.action {
            moved.goods.quantity = quantity.parse().unwrap();
        }
        code(&event, &facts)
    };
    assert_eq!(moved("0.04"), None);
    assert_eq!(moved("0.004"), Some("quantity-precision"));
    assert_eq!(moved("1.250"), None);
}

#[test]
fn more_than_ordered_is_no_fault_where_it_is_allowed() {
    let facts = Facts {
        over_allowed: true,
        ..ordered(product("none"), open("outgoing", 1, 1))
    };
    assert_eq!(code(&pick(3, None), &facts), None);
}
