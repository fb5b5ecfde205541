//! The carrier data of a delivery.

use super::*;
use crate::odoo_id::PackageId;

#[test]
fn the_carrier_s_data_is_written_once_before_or_after_the_goods() {
    let rules = config::Orders::default();
    let shipment = Shipment {
        carrier_ref: Some("1Z9".to_owned()),
        weight_kg: Some("2.5".parse().unwrap()),
        parcels: Some(2),
    };
    let in_field = (false, "<p>Parcels: 2</p>");
    let in_note = (true, "<p>Parcels: 2</p><p>Weight: 2.5 kg</p>");
    for (state, (forgets_weight, note)) in [
        ("assigned", in_field),
        ("done", in_field),
        ("assigned", in_note),
        ("done", in_note),
    ] {
        for lost in 0..4 {
            let mut picking = delivery(&[(1, 5)]);
            picking.state = state.into();
            picking.forgets_weight = forgets_weight;
            let mut odoo = Odoo::with(vec![picking]);
            let outcome = run(
                &mut odoo,
                job(Task::Ship(shipment.clone())),
                &rules,
                &[lost],
            );
            assert!(
                matches!(outcome, Outcome::Posted { .. }),
                "{state} {lost}: {outcome:?}"
            );
            let picking = odoo.picking(1);
            assert_eq!(picking.carrier_ref.as_deref(), Some("1Z9"));
            assert_eq!(picking.note.as_deref(), Some(note));
        }
    }
}

#[test]
fn in_the_note_the_weight_that_was_told_last_stands_alone() {
    let rules = config::Orders::default();
    let mut picking = delivery(&[(1, 5)]);
    picking.forgets_weight = true;
    picking.note = Some("<p>Fragile</p>".to_owned());
    let mut odoo = Odoo::with(vec![picking]);
    for kg in ["2.5", "3", "2.50"] {
        let shipment = Shipment {
            weight_kg: Some(kg.parse().unwrap()),
            ..Shipment::default()
        };
        for already in [false, true] {
            let outcome = run(&mut odoo, job(Task::Ship(shipment.clone())), &rules, &[]);
            let is_posted = matches!(outcome, Outcome::Posted { already: a, .. } if a == already);
            assert!(is_posted, "{kg}: {outcome:?}");
        }
    }
    let note = odoo.picking(1).note.as_deref();
    assert_eq!(note, Some("<p>Fragile</p><p>Weight: 2.5 kg</p>"));
}

#[test]
fn a_weight_that_was_told_before_the_goods_stays() {
    let rules = config::Orders::default();
    let told = Shipment {
        weight_kg: Some("2.5".parse().unwrap()),
        ..Shipment::default()
    };
    let mut odoo = Odoo::with(vec![delivery(&[(1, 5)])]);
    run(&mut odoo, job(Task::Ship(told.clone())), &rules, &[]);
    run(&mut odoo, pick(vec![line(1, 2)]), &rules, &[]);
    run(
        &mut odoo,
        job(Task::PackAll {
            package: PackageId::new(33),
        }),
        &rules,
        &[],
    );
    let rest = OrderJob {
        key: DocumentKey([8; 16]),
        ..pick(vec![line(1, 3)])
    };
    run(&mut odoo, rest, &rules, &[]);
    assert_eq!(
        (odoo.picking(1).weight_kg, odoo.picking(1).state.as_str()),
        (told.weight_kg, "done")
    );
}
