use super::position::position;
use super::*;
use crate::document::DocumentNumber;
use crate::odoo_id::{LocationId, LotId, MoveLineId, PackageId, PartnerId, PickingId, ProductId};

pub const BIN: LocationId = LocationId::new(5);
pub const ELSEWHERE: LocationId = LocationId::new(6);

pub fn wanted(counted: i64) -> Wanted {
    Wanted {
        of: place(None, None, None),
        counted: counted.into(),
        scanned: counted.into(),
        at: "2026-11-23T08:15:30Z".parse().unwrap(),
        done: Done {
            time: "2026-11-23T08:15:30Z".parse().unwrap(),
            other: None,
            is_unknown: false,
        },
        number: DocumentNumber::new(3),
        recount: None,
        position: None,
        inventory: LocationId::new(14),
        answers: String::new(),
    }
}

pub fn place(lot: Option<i64>, package: Option<i64>, owner: Option<i64>) -> Place {
    Place {
        product: ProductId::new(1),
        bin: BIN,
        lot: lot.map(LotId::new),
        package: package.map(PackageId::new),
        owner: owner.map(PartnerId::new),
    }
}

pub fn moved(date: &str, from: LocationId, to: LocationId, quantity: i64) -> Moved {
    Moved {
        id: MoveLineId::new(1),
        picking: Some(PickingId::new(7)),
        date: format!("2026-11-23 {date}"),
        product: ProductId::new(1),
        from,
        to,
        lot: None,
        package: None,
        into: None,
        owner: None,
        quantity: quantity.into(),
    }
}

fn held(wanted: &Wanted, stock: &[(Place, i64)], moved: &[Moved]) -> [i64; 4] {
    let stock = stock
        .iter()
        .map(|(place, n)| (*place, (*n).into()))
        .collect();
    let moved: Vec<Dated> = (moved.iter())
        .map(|line| Dated::of(line.clone(), Vec::new()))
        .collect();
    let held = wanted.held(&stock, &moved);
    [held.then, held.now, held.out, held.came].map(|n| n.try_into().unwrap())
}

#[test]
fn what_odoo_held_then_is_what_it_holds_now_without_what_moved_since() {
    let stock = [(place(None, None, None), 8)];
    let lines = [
        moved("08:15:29", ELSEWHERE, BIN, 100),
        // In the same second: before the count.
        moved("08:15:30", ELSEWHERE, BIN, 200),
        moved("08:15:31", ELSEWHERE, BIN, 2),
        moved("09:00:00", BIN, ELSEWHERE, 4),
        // Packed in the same place: out and in.
        moved("09:00:01", BIN, BIN, 3),
    ];
    assert_eq!(held(&wanted(7), &stock, &lines), [10, 8, 7, 5]);
    let mut other = lines[2].clone();
    other.product = ProductId::new(2);
    assert_eq!(held(&wanted(7), &stock, &[other]), [8, 8, 0, 0]);
}

#[test]
fn a_lot_a_package_and_an_owner_are_counted_alone() {
    let stock = [
        (place(Some(1), None, None), 1),
        (place(Some(2), None, None), 2),
        (place(Some(2), Some(9), None), 4),
        (place(Some(2), Some(9), Some(3)), 8),
    ];
    let of = |lot, package, owner| Wanted {
        of: place(lot, package, owner),
        ..wanted(0)
    };
    assert_eq!(held(&wanted(0), &stock, &[])[0], 15);
    assert_eq!(held(&of(Some(2), None, None), &stock, &[])[0], 14);
    assert_eq!(held(&of(Some(2), Some(9), None), &stock, &[])[0], 12);
    assert_eq!(held(&of(None, None, Some(3)), &stock, &[])[0], 8);
    // Put into the package after the count: the package has more, the lot has the same.
    let mut packed = moved("09:00:00", BIN, BIN, 3);
    (packed.lot, packed.into) = (Some(LotId::new(2)), Some(PackageId::new(9)));
    let lines = [packed];
    assert_eq!(
        held(&of(Some(2), Some(9), None), &stock, &lines),
        [9, 12, 0, 3]
    );
    assert_eq!(held(&of(Some(2), None, None), &stock, &lines)[0], 14);
}

#[test]
fn a_recount_keeps_to_the_package_of_its_count_unless_that_would_hold_less_than_nothing() {
    let again = Wanted {
        position: Some((None, None)),
        ..wanted(5)
    };
    let stock = BTreeMap::from([
        (place(None, None, None), Decimal::from(2)),
        (place(None, Some(9), None), Decimal::from(4)),
    ]);
    let placed = |difference: i64| again.place_difference(&stock, difference.into());
    assert_eq!(placed(3), Ok((None, None)));
    assert_eq!(placed(-2), Ok((None, None)));
    assert_eq!(placed(-3), Ok((None, None)), "loose goods take the surplus");
    let packed = BTreeMap::from([(place(None, Some(9), None), Decimal::from(4))]);
    assert_eq!(
        again.place_difference(&packed, (-3).into()),
        Ok((Some(PackageId::new(9)), None))
    );
}

#[test]
fn of_a_count_without_a_clock_all_that_moved_in_the_day_before_is_a_doubt() {
    let unknown = |answers: &str| Wanted {
        done: Done {
            is_unknown: true,
            ..wanted(5).done
        },
        answers: answers.to_owned(),
        ..wanted(5)
    };
    let dated = |date: &str, from| {
        let mut line = moved(date, from, ELSEWHERE, 1);
        line.date = format!("2026-11-{date}");
        Dated::of(line, Vec::new())
    };
    let is_in_doubt = |line| unknown("").moved_in_doubt(&[line]);
    assert!(is_in_doubt(dated("22 09:00:00", BIN)));
    assert!(is_in_doubt(dated("23 09:00:00", BIN)));
    assert!(
        !is_in_doubt(dated("22 08:00:00", BIN)),
        "more than a day ago"
    );
    assert!(!is_in_doubt(dated("22 09:00:00", ELSEWHERE)), "elsewhere");
    assert!(!unknown("allow:clock-in-doubt").moved_in_doubt(&[dated("22 09:00:00", BIN)]));
    assert!(!wanted(5).moved_in_doubt(&[dated("22 09:00:00", BIN)]));
}

#[test]
fn the_difference_is_where_the_goods_are_or_a_person_says() {
    let stock = |places: &[(Place, i64)]| -> BTreeMap<Place, Decimal> {
        places
            .iter()
            .map(|(place, n)| (*place, (*n).into()))
            .collect()
    };
    let packed = (place(None, Some(9), Some(3)), 4);
    assert_eq!(position(&wanted(3), &stock(&[])), Ok((None, None)));
    assert_eq!(
        position(&wanted(3), &stock(&[packed])),
        Ok((Some(PackageId::new(9)), Some(PartnerId::new(3))))
    );
    let loose = (place(None, None, Some(3)), 2);
    let both = stock(&[packed, loose]);
    assert_eq!(
        position(&wanted(5), &both),
        Ok((None, Some(PartnerId::new(3))))
    );
    assert_eq!(position(&wanted(3), &both), Err(Unclear::Package));
    let others = stock(&[packed, (place(None, None, Some(4)), 1)]);
    let owners = BTreeSet::from([3, 4].map(PartnerId::new));
    assert_eq!(position(&wanted(5), &others), Err(Unclear::Owner(owners)));
}
