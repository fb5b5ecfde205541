//! A validation of an order, and the backorder that it leaves.

use super::*;

#[test]
fn a_validation_goes_by_the_policy_and_never_ships_what_nobody_picked() {
    let rules = |pick_under| config::Orders {
        pick_under,
        ..config::Orders::default()
    };
    let picked = || {
        let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
        let other = OrderJob {
            key: DocumentKey([9; 16]),
            ..pick(vec![line(1, 2)])
        };
        run(&mut odoo, other, &rules(Under::Ask), &[]);
        odoo
    };
    let validated = |under, decision: Option<&str>| {
        let mut odoo = picked();
        let mut job = job(Task::Validate);
        job.decision = decision.map(str::to_owned);
        let outcome = run(&mut odoo, job, &rules(under), &[]);
        (code_of(&outcome).to_owned(), odoo.seen.pickings.len())
    };
    assert_eq!(
        validated(Under::Ask, None),
        (ReasonCode::UnderPicked.as_str().to_owned(), 1)
    );
    assert_eq!(
        validated(Under::Refuse, Some("backorder")),
        (ReasonCode::UnderPicked.as_str().to_owned(), 1)
    );
    assert_eq!(validated(Under::Backorder, None), ("posted".to_owned(), 2));
    assert_eq!(
        validated(Under::NoBackorder, None),
        ("posted".to_owned(), 1)
    );
    assert_eq!(
        validated(Under::Ask, Some("backorder")),
        ("posted".to_owned(), 2)
    );
    assert_eq!(
        validated(Under::Ask, Some("no-backorder")),
        ("posted".to_owned(), 1)
    );
    assert_eq!(
        on(
            &rules(Under::Backorder),
            delivery(&[(1, 5)]),
            job(Task::Validate)
        ),
        ReasonCode::NothingPicked.as_str()
    );
    // Twice is once, and the rest, of which no goods were picked, is left alone.
    let mut odoo = picked();
    run(
        &mut odoo,
        job(Task::Validate),
        &rules(Under::Backorder),
        &[],
    );
    let again = run(
        &mut odoo,
        job(Task::Validate),
        &rules(Under::Backorder),
        &[],
    );
    assert_eq!((code_of(&again), odoo.validated), ("already", 1));
}

#[test]
fn the_rest_of_an_order_goes_to_its_backorder() {
    let rules = config::Orders::default();
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    odoo.validate(PickingId::new(1), true);
    let three = OrderLine {
        from: Some(LocationId::new(10)),
        ..line(1, 3)
    };
    let mut next = pick(vec![three]);
    next.key = DocumentKey([8; 16]);
    let outcome = run(&mut odoo, next, &rules, &[]);
    assert_eq!(code_of(&outcome), "posted");
    assert_eq!(odoo.picking(2).state, PickingState::Done);
}

#[test]
fn a_validation_whose_answer_was_lost_leaves_the_backorder_alone() {
    let rules = config::Orders {
        pick_under: Under::Backorder,
        ..config::Orders::default()
    };
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    // The validation was carried out, and then the gateway stopped. Meanwhile somebody picked for
    // the backorder.
    odoo.validate(PickingId::new(1), true);
    let rest = odoo.seen.pickings[1].moves[0].id;
    odoo.picking(2).lines.push(SeenLine {
        id: MoveLineId::new(99),
        move_id: Some(rest),
        product: ProductId::new(1),
        quantity: 1.into(),
        picked: true,
        ..SeenLine::default()
    });
    let again = OrderJob {
        again: true,
        ..job(Task::Validate)
    };
    let outcome = run(&mut odoo, again, &rules, &[]);
    assert!(matches!(outcome, Outcome::Posted { .. }), "{outcome:?}");
    assert_eq!(
        odoo.picking(1).date_done.as_deref(),
        Some("2026-11-24 08:15:30")
    );
    assert_eq!(odoo.picking(2).state, PickingState::Assigned);
}
