//! Verdicts about serial numbers and new lots.

use super::*;

#[test]
fn a_serial_number_comes_in_once_and_goes_out_once() {
    let mut memory = Memory::default();
    let mut step = |number: u32, event: Event, facts: &Facts| {
        let event = Event {
            id: number.to_string(),
            ..event
        };
        let judgement = judge(&event, facts, &memory);
        if judgement.refused.is_none() {
            memory.add(EventKey::of(&event), judgement.counts);
        }
        judgement.refused
    };
    let blind = facts(product("serial"));
    let order = ordered(product("serial"), open("outgoing", 9, 0));
    assert_eq!(step(1, receive(Some("N1")), &blind), None);
    assert_eq!(
        step(2, receive(Some("N1")), &blind),
        Some(RejectionCode::SerialSeen)
    );
    assert_eq!(step(3, receive(Some("N2")), &blind), None);
    assert_eq!(step(4, transfer(1, Some("N1")), &blind), None);
    assert_eq!(step(5, pick(1, Some("N1")), &order), None);
    assert_eq!(
        step(6, pick(1, Some("N1")), &order),
        Some(RejectionCode::SerialSeen)
    );
    // It went out, and comes in again, although the copy still has it on hand.
    let held = Facts {
        on_hand: true,
        ..blind
    };
    assert_eq!(step(7, receive(Some("N1")), &held), None);
    // A count that finds none of it is a count.
    let none = event(Action::Move(Move::new(
        Movement::Count,
        Goods {
            product: "400".to_owned(),
            quantity: Decimal::ZERO,
            from: Some("A".to_owned()),
            lot: Some("N1".to_owned()),
            ..Goods::default()
        },
    )));
    assert_eq!(code(&none, &held), None);
}

#[test]
fn a_new_lot_that_odoo_would_lose_is_told() {
    let off = |facts: Facts| Facts {
        lots_off: true,
        ..facts
    };
    let judged = |event: &Event, tracking| {
        let facts = off(facts(product(tracking)));
        judge(event, &facts, &Memory::default()).refused
    };
    assert_eq!(
        judged(&receive(Some("L1")), "lot"),
        Some(RejectionCode::LotsOff)
    );
    assert_eq!(
        judged(&receive(Some("L1")), "serial"),
        Some(RejectionCode::LotsOff)
    );
    assert_eq!(judged(&receive(Some("L1")), "none"), None);
    assert_eq!(judged(&transfer(1, Some("L1")), "lot"), None);
}
