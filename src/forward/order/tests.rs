//! Tests the decisions about an order against a model of the order in Odoo. The model carries out
//! each call, and may lose the answer.

mod identity;
#[cfg(feature = "demo")]
mod interleaved;
mod model;
mod reduce;
mod ship;
mod validation;

use self::model::{Odoo, run};
use super::*;
use crate::config::{Over, Under};
use crate::odoo::order::{SeenLine, SeenMove, odoo_time};
use crate::odoo::{Lots, MoveState};
use crate::odoo_id::{
    LocationId, MoveId, MoveLineId, PackageId, PickingId, PickingTypeId, ProductId, UnitId, UserId,
};

const KEY: DocumentKey = DocumentKey([7; 16]);

fn when() -> Timestamp {
    "2026-11-24T08:15:30Z".parse().unwrap()
}

fn line(product: i64, quantity: i64) -> OrderLine {
    OrderLine {
        product: ProductId::new(product),
        unit: UnitId::new(1),
        lot: LotRef::None,
        package: None,
        into: None,
        owner: None,
        from: None,
        to: None,
        quantity: quantity.into(),
    }
}

fn job(task: Task) -> OrderJob {
    OrderJob {
        key: KEY,
        order: "WH/OUT/1".to_owned(),
        task,
        when: Some(when()),
        decision: None,
        again: false,
        sealed: "2026-11-24T08:20:00Z".parse().unwrap(),
        fixed: None,
        parents: BTreeMap::new(),
        claimed: BTreeSet::new(),
        seen: None,
    }
}

fn pick(lines: Vec<OrderLine>) -> OrderJob {
    job(Task::Lines {
        way: Way::Pick,
        lines,
    })
}

/// A delivery that asks for so many of each product, reserved in bin 10.
fn delivery(demand: &[(i64, i64)]) -> SeenPicking {
    let moves = demand.iter().map(|(product, demand)| SeenMove {
        id: MoveId::new(product * 100),
        product: ProductId::new(*product),
        name: format!("Product {product}"),
        demand: (*demand).into(),
        state: MoveState::Assigned,
        picked: false,
    });
    let lines = demand.iter().map(|(product, demand)| SeenLine {
        id: MoveLineId::new(product * 1_000),
        move_id: Some(MoveId::new(product * 100)),
        product: ProductId::new(*product),
        quantity: (*demand).into(),
        from: LocationId::new(10),
        to: LocationId::new(5),
        ..SeenLine::default()
    });
    SeenPicking {
        id: PickingId::new(1),
        name: "WH/OUT/1".to_owned(),
        state: PickingState::Assigned,
        kind: Direction::Outgoing,
        picking_type: PickingTypeId::new(2),
        from: LocationId::new(8),
        to: LocationId::new(5),
        moves: moves.collect(),
        lines: lines.collect(),
        ..SeenPicking::default()
    }
}

fn code_of(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Posted { already: false, .. } => "posted",
        Outcome::Posted { already: true, .. } | Outcome::Claimed { .. } => "already",
        Outcome::Refused { reason, .. } => reason.code.as_str(),
        Outcome::Unanswered { .. } => "unanswered",
        Outcome::Overtaken { .. } => "overtaken",
    }
}

fn on(rules: &config::Orders, picking: SeenPicking, job: OrderJob) -> String {
    code_of(&run(&mut Odoo::with(vec![picking]), job, rules, &[])).to_owned()
}

#[test]
fn a_complete_pick_is_validated_once_whichever_answer_is_lost() {
    let rules = config::Orders::default();
    for lost in 0..8 {
        let mut odoo = Odoo::with(vec![delivery(&[(1, 5), (2, 1)])]);
        let outcome = run(
            &mut odoo,
            pick(vec![line(1, 5), line(2, 1)]),
            &rules,
            &[lost],
        );
        assert!(
            matches!(outcome, Outcome::Posted { .. }),
            "{lost}: {outcome:?}"
        );
        let picking = odoo.picking(1);
        assert_eq!(
            (picking.lines.len(), picking.state.as_str()),
            (2, "done"),
            "{lost}"
        );
        assert_eq!(
            picking.date_done.as_deref(),
            Some("2026-11-24 08:15:30"),
            "{lost}"
        );
        assert_eq!(odoo.validated, 1, "{lost}");
    }
}

#[test]
fn a_part_of_an_order_is_posted_on_it_and_the_order_stays_open() {
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    let rules = config::Orders::default();
    let outcome = run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    assert_eq!((code_of(&outcome), odoo.validated), ("posted", 0));
    // The next document completes the order.
    let mut next = pick(vec![line(1, 3)]);
    next.key = DocumentKey([8; 16]);
    assert_eq!(code_of(&run(&mut odoo, next, &rules, &[])), "posted");
    assert_eq!(
        (odoo.validated, odoo.picking(1).picked(ProductId::new(1))),
        (1, 5.into())
    );
}

#[test]
fn lines_are_taken_from_where_odoo_reserved_them_or_from_where_they_were_scanned() {
    let mut picking = delivery(&[(1, 5)]);
    picking.lines[0].quantity = 3.into();
    picking.lines.push(SeenLine {
        id: MoveLineId::new(77),
        from: LocationId::new(11),
        quantity: 2.into(),
        ..picking.lines[0].clone()
    });
    let from = |lines: Vec<OrderLine>| -> Vec<(i64, Decimal)> {
        let rows = rows::rows(KEY, &picking, &lines);
        rows.iter()
            .map(|row| (row.from.get(), row.quantity))
            .collect()
    };
    assert_eq!(from(vec![line(1, 4)]), [(10, 3.into()), (11, 1.into())]);
    assert_eq!(
        from(vec![line(1, 6)]),
        [(10, 3.into()), (11, 2.into()), (8, 1.into())]
    );
    let scanned = OrderLine {
        from: Some(LocationId::new(99)),
        ..line(1, 4)
    };
    assert_eq!(from(vec![scanned]), [(99, 4.into())]);
}

#[test]
fn what_was_not_ordered_and_what_is_too_much_is_for_a_person() {
    let ask = config::Orders::default();
    let rules = |pick_over| config::Orders {
        pick_over,
        ..ask.clone()
    };
    let order = || delivery(&[(1, 5)]);
    assert_eq!(
        on(&ask, order(), pick(vec![line(2, 1)])),
        ReasonCode::NotOnOrder.as_str()
    );
    assert_eq!(
        on(&ask, order(), pick(vec![line(1, 6)])),
        ReasonCode::OverPicked.as_str()
    );
    assert_eq!(
        on(&rules(Over::Refuse), order(), pick(vec![line(1, 6)])),
        ReasonCode::OverPicked.as_str()
    );
    // Odoo has reserved five: the bin of the sixth is unknown.
    assert_eq!(
        on(&rules(Over::Allow), order(), pick(vec![line(1, 6)])),
        ReasonCode::BinRequired.as_str()
    );
    let six = || OrderLine {
        from: Some(LocationId::new(10)),
        ..line(1, 6)
    };
    assert_eq!(
        on(&rules(Over::Allow), order(), pick(vec![six()])),
        "posted"
    );
    let decided = |over| {
        let mut job = pick(vec![six()]);
        job.decision = Some("allow".to_owned());
        on(&rules(over), order(), job)
    };
    assert_eq!(
        (decided(Over::Ask).as_str(), decided(Over::Refuse).as_str()),
        ("posted", ReasonCode::OverPicked.as_str())
    );
}

#[test]
fn the_faults_of_all_lines_are_named_at_once() {
    let refused = |rules: &config::Orders, picking, lines| {
        let mut odoo = Odoo::with(vec![picking]);
        match run(&mut odoo, pick(lines), rules, &[]) {
            Outcome::Refused { reason, .. } => (reason.code, reason.message),
            other => panic!("{other:?}"),
        }
    };
    let ask = config::Orders::default();
    let lines = vec![line(3, 1), line(1, 6), line(2, 1), line(3, 2), line(1, 1)];
    let (first, message) = refused(&ask, delivery(&[(1, 5)]), lines);
    assert_eq!(first, ReasonCode::NotOnOrder);
    assert!(
        message.starts_with("WH/OUT/1 has no line for product id 3: "),
        "{message}"
    );
    assert!(
        message.contains(
            "; also lines 2 and 5: WH/OUT/1 asks for 5 of Product 1, 0 are picked already, and this document has 7: "
        ),
        "{message}"
    );
    assert!(
        message.contains("; also line 3: WH/OUT/1 has no line for product id 2"),
        "{message}"
    );

    // Odoo has reserved two of each.
    let mut little = delivery(&[(1, 5), (2, 5)]);
    for reserved in &mut little.lines {
        reserved.quantity = 2.into();
    }
    let (first, message) = refused(&ask, little, vec![line(1, 3), line(2, 2), line(2, 1)]);
    assert_eq!(first, ReasonCode::BinRequired);
    assert!(
        message.starts_with("the bin of Product 1 is unknown"),
        "{message}"
    );
    assert!(
        message.contains("; also line 3: the bin of Product 2 is unknown"),
        "{message}"
    );

    let new = |name: &str| OrderLine {
        lot: LotRef::New {
            name: name.to_owned(),
            dates: None,
        },
        from: Some(LocationId::new(10)),
        ..line(1, 1)
    };
    let off = SeenPicking {
        lots: Lots::Off,
        ..delivery(&[(1, 5)])
    };
    let (first, message) = refused(&ask, off, vec![new("L1"), new("L2")]);
    assert_eq!(first, ReasonCode::LotsOff);
    assert!(
        message.contains("\"L1\"") && message.contains("also line 2: "),
        "{message}"
    );
}

#[test]
fn an_order_that_somebody_finished_is_never_written_to() {
    let rules = config::Orders::default();
    let by_hand = |quantity: i64| {
        let mut picking = delivery(&[(1, 5)]);
        picking.lines[0].quantity = quantity.into();
        picking.lines[0].picked = true;
        picking.state = PickingState::Done;
        picking
    };
    assert_eq!(on(&rules, by_hand(5), pick(vec![line(1, 5)])), "already");
    assert_eq!(
        on(&rules, by_hand(4), pick(vec![line(1, 5)])),
        ReasonCode::OrderDone.as_str()
    );
    let mut cancelled = delivery(&[(1, 5)]);
    cancelled.state = PickingState::Cancelled;
    assert_eq!(
        on(&rules, cancelled, pick(vec![line(1, 5)])),
        ReasonCode::OrderCancelled.as_str()
    );
    assert_eq!(
        code_of(&run(
            &mut Odoo::with(vec![]),
            pick(vec![line(1, 5)]),
            &rules,
            &[]
        )),
        ReasonCode::UnknownOrder.as_str()
    );
    // A person who validates an order by hand after our lines are on it keeps the person's own
    // time.
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    odoo.validate(PickingId::new(1), false);
    odoo.picking(1).write_uid = Some(UserId::new(3));
    let again = run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    assert_eq!(code_of(&again), "already");
    assert_eq!(
        odoo.picking(1).date_done.as_deref(),
        Some("2026-11-24 12:00:00")
    );
}

#[test]
fn lines_that_somebody_changed_are_for_a_person() {
    let rules = config::Orders::default();
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    odoo.picking(1).lines.last_mut().unwrap().quantity = 1.into();
    let outcome = run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    assert_eq!(code_of(&outcome), ReasonCode::OrderChanged.as_str());
}

#[test]
fn what_odoo_refuses_names_the_reason_of_odoo() {
    let rules = config::Orders::default();
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    odoo.refuses = Some("You need a lot");
    let outcome = run(&mut odoo, pick(vec![line(1, 5)]), &rules, &[]);
    let Outcome::Refused { reason, .. } = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (reason.code.as_str(), reason.message.as_str()),
        (ReasonCode::OdooRefused.as_str(), "You need a lot")
    );
    // Another user can still validate the picking.
    assert!(!odoo.picking(1).has_picks());
}

#[test]
fn all_that_was_picked_goes_into_one_package_once() {
    let rules = config::Orders::default();
    for lost in 0..5 {
        let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
        let other = OrderJob {
            key: DocumentKey([9; 16]),
            ..pick(vec![line(1, 2)])
        };
        run(&mut odoo, other, &rules, &[]);
        let packed = run(
            &mut odoo,
            job(Task::PackAll {
                package: PackageId::new(33),
            }),
            &rules,
            &[lost],
        );
        assert!(
            matches!(packed, Outcome::Posted { .. }),
            "{lost}: {packed:?}"
        );
        let packages: Vec<_> = odoo
            .picking(1)
            .lines
            .iter()
            .map(|l| l.result_package)
            .collect();
        assert_eq!(
            packages,
            [None, Some(PackageId::new(33))],
            "goods that are only reserved are in no package"
        );
    }
    assert_eq!(
        on(
            &rules,
            delivery(&[(1, 5)]),
            job(Task::PackAll {
                package: PackageId::new(33),
            })
        ),
        ReasonCode::NothingPicked.as_str()
    );
}

#[test]
fn a_sale_order_s_name_means_the_step_that_asks_for_the_product() {
    let rules = config::Orders::default();
    let step = |id, kind: &str, state: &str, product| SeenPicking {
        id,
        name: format!("P{id}"),
        kind: kind.into(),
        state: state.into(),
        origin: Some("S1".to_owned()),
        ..delivery(&[(product, 5)])
    };
    let mut odoo = Odoo::with(vec![
        step(PickingId::new(1), "internal", "done", 1),
        step(PickingId::new(2), "internal", "assigned", 2),
        step(PickingId::new(3), "outgoing", "assigned", 1),
    ]);
    let mut job = pick(vec![line(1, 5)]);
    job.order = "S1".to_owned();
    let Outcome::Posted { odoo: on, .. } = run(&mut odoo, job, &rules, &[]) else {
        panic!()
    };
    assert_eq!(on.id, PickingId::new(3));
}
