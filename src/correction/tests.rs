//! What a correction changes, and what it refuses.

use super::*;
use crate::document::{DocumentKey, DocumentNumber};
use crate::event::{Goods, Seq};

fn document(purpose: Purpose, lines: &[(&str, &str, u32)]) -> Document {
    let line = |(place, (product, from, quantity)): (usize, &(&str, &str, u32))| Line {
        goods: Goods {
            product: (*product).to_owned(),
            from: Some((*from).to_owned()),
            to: Some("LOC-Z".to_owned()),
            quantity: (*quantity).into(),
            ..Goods::default()
        },
        events: vec![Seq::new(place as u64 + 1)],
    };
    Document {
        number: DocumentNumber::new(7),
        key: DocumentKey([7; 16]),
        purpose,
        group: "pda-1".to_owned(),
        lines: lines.iter().enumerate().map(line).collect(),
        occurred: Timestamp::UNIX_EPOCH,
        sealed: Timestamp::UNIX_EPOCH,
        events: (1..=lines.len() as u64).map(Seq::new).collect(),
        corrects: None,
        times: Vec::new(),
        flags: vec!["time-corrected".into()],
    }
}

fn to(value: Option<&str>) -> Change {
    value.map_or(Change::Away, |value| Change::To(value.to_owned()))
}

fn change(line: usize, quantity: Option<u32>, fields: &[(Field, Option<&str>)]) -> LineChange {
    LineChange {
        line,
        quantity: quantity.map(Decimal::from),
        fields: (fields.iter())
            .map(|(field, value)| (*field, to(*value)))
            .collect(),
    }
}

fn lines(lines: Vec<LineChange>) -> Correction {
    Correction {
        lines,
        ..Correction::default()
    }
}

fn apply(
    correction: &Correction,
    old: &Document,
) -> Result<(Document, Vec<String>), CorrectionError> {
    correction.apply(old, Timestamp::from_second(60).unwrap())
}

#[test]
fn the_new_document_has_what_was_changed_and_the_old_ones_events() {
    let old = document(
        Purpose::Transfer,
        &[("P", "LOC-A", 2), ("Q", "LOC-A", 3), ("R", "LOC-A", 1)],
    );
    let correction = lines(vec![
        change(
            1,
            None,
            &[(Field::From, Some("LOC-B")), (Field::Lot, Some("L1"))],
        ),
        change(2, Some(0), &[]),
        change(3, Some(5), &[]),
    ]);
    let (new, changes) = apply(&correction, &old).unwrap();
    assert_eq!(
        changes,
        [
            "line 1: from LOC-B instead of LOC-A",
            "line 1: lot L1",
            "line 2: removed, 3 of Q",
            "line 3: quantity 5 instead of 1",
        ]
    );
    assert_eq!(new.key, old.key.corrected());
    assert_eq!(
        (new.number, new.corrects, new.sealed.as_second()),
        (DocumentNumber::ZERO, Some(DocumentNumber::new(7)), 60)
    );
    assert_eq!(
        (&new.events, new.occurred, &new.flags),
        (&old.events, old.occurred, &old.flags)
    );
    assert_eq!(new.lines.len(), 2);
    assert_eq!(new.lines[0].goods.from.as_deref(), Some("LOC-B"));
    assert_eq!(new.lines[1].goods.quantity, 5.into());
}

#[test]
fn lines_that_become_equal_become_one() {
    let old = document(Purpose::Transfer, &[("P", "LOC-A", 2), ("P", "LOC-B", 3)]);
    let correction = lines(vec![change(1, None, &[(Field::From, Some("LOC-B"))])]);
    let (new, _) = apply(&correction, &old).unwrap();
    assert_eq!(new.lines.len(), 1);
    assert_eq!(
        (new.lines[0].goods.quantity, &new.lines[0].events),
        (5.into(), &[1, 2].map(Seq::new).to_vec())
    );
}

#[test]
fn an_undo_has_nothing_of_its_own_to_correct() {
    let undo = Purpose::Undo {
        event: "e1".to_owned(),
        seq: Some(Seq::new(1)),
        of: Some(Box::new(Purpose::Transfer)),
        reason: None,
    };
    let old = document(undo, &[("P", "LOC-A", 5)]);
    let less = apply(&lines(vec![change(1, Some(2), &[])]), &old);
    assert_eq!(less.unwrap_err(), CorrectionError::Undo);
}

#[test]
fn nothing_there_is_a_count_as_well() {
    let old = document(Purpose::Count, &[("P", "LOC-A", 2)]);
    let (new, changes) = apply(&lines(vec![change(1, Some(0), &[])]), &old).unwrap();
    assert_eq!(changes, ["line 1: quantity 0 instead of 2"]);
    assert_eq!(new.lines[0].goods.quantity, Decimal::ZERO);
}

#[test]
fn an_order_is_changed_for_the_whole_document() {
    let order = |order: Option<&str>| Correction {
        order: Some(to(order)),
        ..Correction::default()
    };
    let pick = document(
        Purpose::Pick {
            order: "S1".to_owned(),
        },
        &[("P", "LOC-A", 2)],
    );
    let (new, changes) = apply(&order(Some("S2")), &pick).unwrap();
    assert_eq!(new.purpose.order(), Some("S2"));
    assert_eq!(changes, ["order S2 instead of S1"]);
    assert_eq!(
        apply(&order(None), &pick).unwrap_err(),
        CorrectionError::OrderNeeded("pick".to_owned())
    );
    let receive = document(
        Purpose::Receive {
            order: Some("P1".to_owned()),
        },
        &[("P", "LOC-A", 2)],
    );
    let (new, changes) = apply(&order(None), &receive).unwrap();
    assert_eq!(new.purpose, Purpose::Receive { order: None });
    assert_eq!(changes, ["no order instead of P1"]);
    let validate = document(
        Purpose::Validate {
            order: "S1".to_owned(),
        },
        &[],
    );
    assert!(
        apply(&order(Some("S2")), &validate).is_ok(),
        "it has no lines"
    );
    let transfer = document(Purpose::Transfer, &[("P", "LOC-A", 2)]);
    assert_eq!(
        apply(&order(Some("S2")), &transfer).unwrap_err(),
        CorrectionError::NoOrder("transfer".to_owned())
    );
}

#[test]
fn what_is_so_already_is_no_change() {
    let old = document(Purpose::Transfer, &[("P", "LOC-A", 2)]);
    let same = change(
        1,
        Some(2),
        &[(Field::From, Some("LOC-A")), (Field::Lot, None)],
    );
    let (new, changes) = apply(&lines(vec![same]), &old).unwrap();
    assert_eq!((changes.len(), &new.lines), (0, &old.lines));
}

#[test]
fn what_capture_would_not_take_is_refused() {
    let old = document(Purpose::Transfer, &[("P", "LOC-A", 2)]);
    for (correction, error) in [
        (
            vec![change(2, Some(1), &[])],
            "line 2 does not exist: the document has lines 1 to 1",
        ),
        (
            vec![change(0, Some(1), &[])],
            "line 0 does not exist: the document has lines 1 to 1",
        ),
        (
            vec![change(1, Some(1), &[]), change(1, Some(3), &[])],
            "line 1 is named twice",
        ),
        (
            vec![change(1, None, &[(Field::To, None)])],
            "line 1: to cannot be cleared",
        ),
        (
            vec![change(1, None, &[(Field::Product, None)])],
            "line 1: product cannot be cleared",
        ),
        (
            vec![change(1, None, &[(Field::Expiry, Some("2027-01-01"))])],
            "a transfer has no expiry",
        ),
        (vec![change(1, Some(0), &[])], "no line would remain"),
    ] {
        let found = apply(&lines(correction), &old).unwrap_err().to_string();
        assert!(found.contains(error), "{found} for {error}");
    }
}
