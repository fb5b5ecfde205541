//! A failed `load` is sent again before it counts as a refusal.

use super::*;
use crate::document::{DocumentKey, DocumentNumber};
use crate::forward::order::{OrderLine, Parents, Task, Way};
use crate::odoo::order::{SeenMove, SeenPicking};
use crate::odoo::{Direction, LotRef};
use crate::odoo_id::{LocationId, MoveId, PickingId, ProductId, UnitId, UserId};
use crate::reason::ReasonCode;

#[test]
fn a_conflict_that_looks_like_a_refusal_parks_nothing() {
    // Conflicts in the load of 4, of 2, and of the document alone, then in two of its three
    // repeated loads (`LOADS_AGAIN`). The third repeated load succeeds.
    let mut rig = Rig::new(4).with(2, Nature::ConflictsInLoad(5));
    rig.run();
    rig.assert_exactly_once(4);
    assert!((1..=4).all(|number| rig.code(number) == "posted"));
}

#[test]
fn a_document_that_is_refused_again_and_again_is_parked_and_the_others_go_before_it() {
    let mut rig = Rig::new(4).with(1, Nature::ConflictsInLoad(u32::MAX));
    rig.run();
    rig.assert_exactly_once(4);
    assert_eq!(rig.code(1), ReasonCode::OdooRefused.as_str());
    assert!((2..=4).all(|number| rig.code(number) == "posted"));
    // All, the half, the document alone; then the others; then the document three more times.
    assert_eq!(rig.peer.loads, [4, 2, 1, 1, 2, 1, 1, 1]);
}

fn order_job() -> Job {
    let line = OrderLine {
        product: ProductId::new(1),
        unit: UnitId::new(1),
        lot: LotRef::None,
        package: None,
        into: None,
        owner: None,
        from: Some(LocationId::new(10)),
        to: None,
        quantity: 2.into(),
    };
    Job {
        number: DocumentNumber::new(1),
        work: Work::Order(OrderJob {
            key: DocumentKey([7; 16]),
            order: "WH/OUT/1".to_owned(),
            task: Task::Lines {
                way: Way::Pick,
                lines: vec![line],
            },
            when: None,
            decision: None,
            again: false,
            sealed: Timestamp::UNIX_EPOCH,
            fixed: None,
            parents: Parents::default(),
            claimed: BTreeSet::new(),
            seen: None,
        }),
        is_deferred: false,
    }
}

fn seen(state: &str) -> Seen {
    let ordered = SeenMove {
        id: MoveId::new(100),
        product: ProductId::new(1),
        name: "Desk".to_owned(),
        demand: 5.into(),
        state: state.into(),
        picked: false,
    };
    let picking = SeenPicking {
        id: PickingId::new(1),
        name: "WH/OUT/1".to_owned(),
        state: state.into(),
        kind: Direction::Outgoing,
        moves: vec![ordered],
        ..SeenPicking::default()
    };
    Seen {
        pickings: vec![picking],
        me: UserId::new(7),
        too_many: None,
    }
}

/// Lines are added to an open order, and Odoo refuses the call this many times; then the order is
/// in this state. Returns how many calls added lines, and the reason code.
fn adds_refused(times: u32, then: &str) -> (u32, Option<String>) {
    let mut machine = Machine::new(Limits {
        orders: config::Orders::default(),
        batch_lines_max: 400,
        refresh: Duration::from_mins(1),
    });
    let (mut now, mut adds, took) = (Duration::ZERO, 0, Duration::ZERO);
    for input in [
        Input::Probed,
        Input::Refreshed,
        Input::Taken(Some(vec![order_job()])),
    ] {
        machine.answer(input, now, took, 0.5);
    }
    for _ in 0..30 {
        let input = match machine.next(now) {
            Command::Settle(outcomes) => {
                let code = match &outcomes[0].1 {
                    Outcome::Refused { reason, .. } => Some(reason.code.to_string()),
                    _ => None,
                };
                return (adds, code);
            }
            Command::Sleep { until } => {
                now = until;
                continue;
            }
            Command::Order(_, OrderStep::Read) if adds < times => Input::Seen(seen("assigned")),
            Command::Order(_, OrderStep::Read) => Input::Seen(seen(then)),
            Command::Order(_, OrderStep::Add { .. }) => {
                adds += 1;
                if adds > times {
                    return (adds, None);
                }
                Input::Failed(Failure::person("Vorgangstyp lässt sich nicht ändern."))
            }
            other => panic!("{other:?}"),
        };
        machine.answer(input, now, took, 0.5);
    }
    panic!("the document does not end")
}

#[test]
fn after_a_refused_addition_the_state_of_the_order_decides() {
    // Somebody finished or cancelled the order between the look and the call.
    assert_eq!(
        adds_refused(1, "done"),
        (1, Some(ReasonCode::OrderDone.as_str().to_owned()))
    );
    assert_eq!(
        adds_refused(1, "cancel"),
        (1, Some(ReasonCode::OrderCancelled.as_str().to_owned()))
    );
    // Another transaction was in the way.
    assert_eq!(adds_refused(3, "assigned"), (4, None));
    assert_eq!(
        adds_refused(4, "assigned"),
        (4, Some(ReasonCode::OdooRefused.as_str().to_owned()))
    );
}
