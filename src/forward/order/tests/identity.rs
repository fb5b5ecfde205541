//! What is done is found by its own identity: picking, quantity, package, place.

use super::*;
use crate::odoo_id::{LocationId, MoveLineId, PackageId, PickingId, ProductId};

fn held(id: i64, quantity: i64, from: i64, to: i64) -> SeenLine {
    SeenLine {
        id: MoveLineId::new(id),
        product: ProductId::new(1),
        quantity: quantity.into(),
        picked: true,
        from: LocationId::new(from),
        to: LocationId::new(to),
        ..SeenLine::default()
    }
}

fn ids(ids: &[i64]) -> Vec<MoveLineId> {
    ids.iter().copied().map(MoveLineId::new).collect()
}

fn done(lines: Vec<SeenLine>) -> SeenPicking {
    SeenPicking {
        state: PickingState::Done,
        lines,
        ..delivery(&[(1, 5)])
    }
}

fn scanned(quantity: i64, from: Option<i64>, to: Option<i64>) -> OrderLine {
    OrderLine {
        from: from.map(LocationId::new),
        to: to.map(LocationId::new),
        ..line(1, quantity)
    }
}

#[test]
fn a_persons_posting_stands_for_a_scan_of_the_same_goods_from_and_to_the_same_bins() {
    let claim = |lines: &[SeenLine], scan: OrderLine| {
        rows::claim(&done(lines.to_vec()), &[scan], &BTreeSet::new())
    };
    let posted = [held(1, 4, 10, 5)];
    assert_eq!(claim(&posted, scanned(4, None, None)), Some(ids(&[1])));
    assert_eq!(
        claim(&posted, scanned(4, Some(10), Some(5))),
        Some(ids(&[1]))
    );
    assert_eq!(claim(&posted, scanned(4, Some(11), None)), None);
    assert_eq!(claim(&posted, scanned(4, None, Some(6))), None);
    assert_eq!(claim(&posted, scanned(3, None, None)), None);
    let packed = OrderLine {
        into: Some(PackageId::new(33)),
        ..scanned(4, None, None)
    };
    assert_eq!(claim(&posted, packed), None);
    // All of the goods together, or one line; lines of another device are no person's.
    let two = [held(1, 2, 10, 5), held(2, 3, 10, 5)];
    assert_eq!(claim(&two, scanned(5, None, None)), Some(ids(&[1, 2])));
    assert_eq!(claim(&two, scanned(3, None, None)), Some(ids(&[2])));
    assert_eq!(claim(&two, scanned(4, None, None)), None);
    let mut ours = held(3, 4, 10, 5);
    ours.external = Some(KEY.line_external_id(0));
    assert_eq!(claim(&[ours], scanned(4, None, None)), None);
}

#[test]
fn a_persons_posting_stands_for_one_scan_alone() {
    let picking = done(vec![held(1, 2, 10, 5)]);
    let scan = [scanned(2, None, None)];
    assert_eq!(
        rows::claim(&picking, &scan, &BTreeSet::from([MoveLineId::new(1)])),
        None
    );
    let rules = config::Orders::default();
    let mut odoo = Odoo::with(vec![picking]);
    let first = run(&mut odoo, pick(scan.to_vec()), &rules, &[]);
    let Outcome::Claimed { lines, .. } = first else {
        panic!("{first:?}")
    };
    let mut second = pick(scan.to_vec());
    second.key = DocumentKey([8; 16]);
    second.claimed = lines.into_iter().collect();
    assert_eq!(
        code_of(&run(&mut odoo, second, &rules, &[])),
        ReasonCode::OrderDone.as_str()
    );
}

#[test]
fn lines_that_odoo_put_elsewhere_are_for_a_person() {
    let rules = config::Orders::default();
    let scan = vec![scanned(2, Some(10), None)];
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(scan.clone()), &rules, &[]);
    let ours = odoo.picking(1).lines.last_mut().unwrap();
    ours.from = LocationId::new(11);
    let outcome = run(&mut odoo, pick(scan), &rules, &[]);
    assert_eq!(code_of(&outcome), ReasonCode::OrderChanged.as_str());
}

/// A step of an order `S1` that asks for 5 of product 1.
fn step(id: i64, from: i64, to: i64, backorder_of: Option<i64>) -> SeenPicking {
    SeenPicking {
        id: PickingId::new(id),
        name: format!("P{id}"),
        kind: if to == 5 {
            Direction::Outgoing
        } else {
            Direction::Internal
        },
        from: LocationId::new(from),
        to: LocationId::new(to),
        backorder_of: backorder_of.map(PickingId::new),
        ..delivery(&[(1, 5)])
    }
}

#[test]
fn the_step_is_told_by_the_bin_or_is_the_first_whichever_odoo_made_first() {
    // Version 17 makes the delivery before its pick.
    let steps = || {
        vec![
            step(1, 9, 5, None),
            step(2, 8, 9, None),
            step(3, 8, 9, Some(2)),
        ]
    };
    let rules = config::Orders::default();
    let target = |steps: Vec<SeenPicking>, from: Option<i64>| {
        let mut job = pick(vec![scanned(2, from, None)]);
        job.order = "S1".to_owned();
        let ids = |ids: &[i64]| ids.iter().copied().map(LocationId::new).collect();
        job.parents = [&[7, 8, 10][..], &[7, 9], &[40]]
            .map(|path| (LocationId::new(path[path.len() - 1]), ids(path)))
            .into();
        run(&mut Odoo::with(steps), job, &rules, &[])
    };
    let id = |outcome: Outcome| match outcome {
        Outcome::Posted { odoo, .. } => odoo.id.get(),
        other => panic!("{other:?}"),
    };
    assert_eq!(id(target(steps(), None)), 2);
    assert_eq!(id(target(steps(), Some(10))), 2);
    assert_eq!(id(target(steps(), Some(9))), 1);
    // A bin that no step takes from decides nothing.
    assert_eq!(id(target(steps(), Some(40))), 2);
    let mut later = steps();
    later[1].state = PickingState::Done;
    assert_eq!(id(target(later.clone(), None)), 3);
    assert_eq!(id(target(later.clone(), Some(10))), 3);
    later[2].state = PickingState::Done;
    assert_eq!(id(target(later.clone(), None)), 1);
    assert_eq!(
        code_of(&target(later, Some(10))),
        ReasonCode::OrderDone.as_str()
    );
}

#[test]
fn a_package_takes_the_lines_that_were_picked_before_its_first_call() {
    let rules = config::Orders::default();
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    let mut packing = job(Task::PackAll {
        package: PackageId::new(33),
    });
    packing.key = DocumentKey([9; 16]);
    packing.fixed = Some(Box::new(packing.fix(&odoo.seen)));
    packing.again = true;
    // The call never arrived, and more was picked meanwhile; somebody put that into the same
    // package.
    let more = OrderJob {
        key: DocumentKey([8; 16]),
        ..pick(vec![line(1, 1)])
    };
    run(&mut odoo, more, &rules, &[]);
    odoo.picking(1).lines.last_mut().unwrap().result_package = Some(PackageId::new(33));
    assert_eq!(code_of(&run(&mut odoo, packing, &rules, &[])), "posted");
    let packed = odoo.picking(1).lines.iter().filter(|line| line.picked);
    assert!(
        packed.clone().count() == 2
            && packed
                .clone()
                .all(|l| l.result_package == Some(PackageId::new(33)))
    );
}

#[test]
fn an_order_is_done_when_the_last_of_it_was_picked() {
    let rules = config::Orders::default();
    let later: Timestamp = "2026-11-24T09:15:30Z".parse().unwrap();
    for (picked, at) in [(later, later), (Timestamp::UNIX_EPOCH, when())] {
        let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
        let mut job = pick(vec![line(1, 5)]);
        let mut fixed = job.fix(&odoo.seen);
        fixed.picked = Some(picked);
        job.fixed = Some(Box::new(fixed));
        job.again = true;
        run(&mut odoo, job, &rules, &[]);
        let done = odoo.picking(1).date_done.clone();
        assert_eq!(done, Some(odoo_time(at)));
    }
}

#[test]
fn what_our_validation_moved_besides_the_picked_lines_is_for_a_person() {
    let rules = config::Orders {
        pick_under: Under::Backorder,
        ..config::Orders::default()
    };
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5), (2, 3)])]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    let mut validation = job(Task::Validate);
    validation.fixed = Some(Box::new(validation.fix(&odoo.seen)));
    let mut reconciling = Reconciling::new(validation.clone(), rules.clone());
    reconciling.seen(&odoo.seen);
    assert!(
        matches!(reconciling.next(), OrderStep::Guard { remove, .. } if remove == &[MoveLineId::new(1_000)])
    );
    reconciling.done();
    assert!(matches!(reconciling.next(), OrderStep::Validate { .. }));
    // Somebody removed the mark, so Odoo picked everything.
    for line in &mut odoo.picking(1).lines {
        line.picked = true;
    }
    odoo.validate(PickingId::new(1), true);
    reconciling.done();
    // The gateway is stopped before it reads the picking back.
    validation.again = true;
    let restarted = Reconciling::new(validation, rules);
    for mut reconciling in [reconciling, restarted] {
        reconciling.seen(&odoo.seen);
        let OrderStep::Finish(outcome) = reconciling.next() else {
            panic!("{:?}", reconciling.next())
        };
        assert_eq!(code_of(outcome), ReasonCode::MovedUnscanned.as_str());
    }
}

#[test]
fn another_step_is_never_validated_for_one_that_was_cancelled() {
    let rules = config::Orders {
        pick_under: Under::Backorder,
        ..config::Orders::default()
    };
    let of_sale = |id| SeenPicking {
        id: PickingId::new(id),
        name: format!("WH/OUT/{id}"),
        origin: Some("S1".to_owned()),
        ..delivery(&[(1, 5)])
    };
    let mut odoo = Odoo::with(vec![of_sale(1), of_sale(2)]);
    for picking in [1, 2] {
        odoo.picking(picking).lines[0].picked = true;
    }
    let mut validation = job(Task::Validate);
    validation.order = "S1".to_owned();
    validation.fixed = Some(Box::new(Fixed {
        picking: Some(PickingId::new(1)),
        ..Fixed::default()
    }));
    odoo.picking(1).state = PickingState::Cancelled;
    let mut reconciling = Reconciling::new(validation, rules);
    reconciling.seen(&odoo.seen);
    let OrderStep::Finish(outcome) = reconciling.next() else {
        panic!("{:?}", reconciling.next())
    };
    assert_eq!(code_of(outcome), ReasonCode::OrderCancelled.as_str());
}
