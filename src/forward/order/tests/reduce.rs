//! What was put on an order is taken off again.

use super::*;
use crate::odoo_id::{PickingId, ProductId};

/// Takes so much of product 1 off the lines that [`KEY`] put there; so much stays.
fn take_back(taken: i64, stays: i64) -> OrderJob {
    let stays = (stays > 0).then(|| line(1, stays));
    OrderJob {
        key: DocumentKey([9; 16]),
        ..job(Task::TakeBack {
            of: KEY,
            taken: line(1, taken),
            stays: stays.into_iter().collect(),
        })
    }
}

#[test]
fn lines_are_taken_off_once_whichever_answer_is_lost() {
    let rules = config::Orders::default();
    for lost in 0..6 {
        for (taken, stays) in [(1, 2), (3, 0)] {
            let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
            run(&mut odoo, pick(vec![line(1, 3)]), &rules, &[]);
            let outcome = run(&mut odoo, take_back(taken, stays), &rules, &[lost]);
            assert!(matches!(outcome, Outcome::Posted { .. }), "{outcome:?}");
            let picking = odoo.picking(1);
            assert_eq!(picking.picked(ProductId::new(1)), stays.into(), "{lost}");
            assert_eq!(picking.lines.len(), if stays > 0 { 2 } else { 1 }, "{lost}");
        }
    }
}

#[test]
fn what_is_done_is_not_taken_off_and_what_is_gone_is_gone() {
    let rules = config::Orders::default();
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, pick(vec![line(1, 3)]), &rules, &[]);
    let mut gone = odoo.seen.pickings[0].clone();
    gone.lines.retain(|line| line.external.is_none());
    assert_eq!(on(&rules, gone, take_back(3, 0)), "already");
    let mut cancelled = odoo.seen.pickings[0].clone();
    cancelled.state = PickingState::Cancelled;
    assert_eq!(on(&rules, cancelled, take_back(3, 0)), "already");
    odoo.validate(PickingId::new(1), true);
    let outcome = run(&mut odoo, take_back(3, 0), &rules, &[]);
    assert_eq!(code_of(&outcome), "overtaken");
}
