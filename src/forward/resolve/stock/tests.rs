use super::*;
use crate::document::DocumentKey;
use crate::odoo_id::{LocationId, PartnerId, ProductId};

fn transfer(lines: &[(i64, i64, i64)]) -> Transfer {
    let line = |(from, to, quantity): &(i64, i64, i64)| TransferLine {
        product: ProductId::new(1),
        from: LocationId::new(*from),
        to: LocationId::new(*to),
        quantity: (*quantity).into(),
        ..TransferLine::default()
    };
    Transfer {
        key: DocumentKey([1; 16]),
        group: "PDA-07".to_owned(),
        about: None,
        header: None,
        lines: lines.iter().map(line).collect(),
        returned: Vec::new(),
        when: None,
    }
}

fn stock(held: &[(Option<i64>, i64)]) -> Stock {
    let place = |owner| Place {
        product: ProductId::new(1),
        bin: LocationId::new(5),
        lot: None,
        package: None,
        owner,
    };
    held.iter()
        .map(|(owner, n)| (place(owner.map(PartnerId::new)), (*n).into()))
        .collect()
}

fn short(stock: &Stock, transfer: &Transfer) -> Vec<usize> {
    lacking(stock, transfer, &[])
        .into_iter()
        .map(|lack| lack.0)
        .collect()
}

#[test]
fn lines_of_one_place_add_up_and_what_comes_in_counts() {
    let mut held = stock(&[(None, 5)]);
    assert!(short(&held, &transfer(&[(5, 6, 3), (5, 7, 2)])).is_empty());
    assert_eq!(short(&held, &transfer(&[(5, 6, 3), (5, 7, 3)])), [0]);
    // Into and out of a bin in one document, and out of the bin in the next document.
    assert!(short(&held, &transfer(&[(6, 7, 2), (5, 6, 2)])).is_empty());
    take(&mut held, &transfer(&[(5, 6, 4)]));
    assert!(short(&held, &transfer(&[(6, 7, 4)])).is_empty());
    assert_eq!(short(&held, &transfer(&[(6, 7, 5), (5, 7, 1)])), [0]);
}

#[test]
fn an_owner_is_taken_only_where_there_is_no_other() {
    let moved = transfer(&[(5, 6, 1), (7, 6, 1)]);
    let nobodys = || (vec![], vec![]);
    assert_eq!(owners(&stock(&[(None, 5)]), &moved), nobodys());
    assert_eq!(
        owners(&stock(&[(None, 5), (Some(3), 1)]), &moved),
        nobodys()
    );
    // An owner with a quantity of 0 does not count.
    let one = stock(&[(Some(3), 5), (Some(4), 0)]);
    assert_eq!(
        owners(&one, &moved),
        (vec![Some(PartnerId::new(3)), None], vec![])
    );
    let two = stock(&[(Some(3), 5), (Some(4), 1)]);
    let shared = vec![(0, BTreeSet::from([3, 4].map(PartnerId::new)))];
    assert_eq!(owners(&two, &moved), (vec![], shared));
    let mut said = moved;
    said.lines[0].owner = Some(PartnerId::new(4));
    assert_eq!(
        owners(&two, &said),
        (vec![Some(PartnerId::new(4)), None], vec![])
    );
}
