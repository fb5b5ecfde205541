use super::*;
use crate::document::DocumentNumber;
use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, ProductId};

fn time(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + minute * 60).unwrap()
}

fn place(lot: Option<i64>, package: Option<i64>, owner: Option<i64>) -> Place {
    Place {
        product: ProductId::new(1),
        bin: LocationId::new(5),
        lot: lot.map(LotId::new),
        package: package.map(PackageId::new),
        owner: owner.map(PartnerId::new),
    }
}

fn end(bin: Id<LocationId>, lot: Id<LotId>, package: Id<PackageId>, owner: Id<PartnerId>) -> End {
    End {
        product: ProductId::new(1),
        bin,
        lot,
        package,
        owner,
    }
}

const LOOSE: End = End {
    product: ProductId::new(1),
    bin: Id::Known(LocationId::new(5)),
    lot: Id::None,
    package: Id::None,
    owner: Id::None,
};

fn count(minute: i64, number: u64, counted: i64) -> Count {
    Count {
        time: time(minute),
        number: DocumentNumber::new(number),
        counted: counted.into(),
        recounts: 0,
    }
}

fn book(counts: &[(Place, Count)]) -> Book {
    let mut book = Book::default();
    for (place, count) in counts {
        assert!(book.put_count(*place, *count));
    }
    book
}

fn numbers(found: &[(Place, Count)]) -> Vec<DocumentNumber> {
    found.iter().map(|(_, count)| count.number).collect()
}

#[test]
fn a_count_is_the_newest_or_superseded_or_contradicted() {
    let whole = place(None, None, None);
    let book = book(&[(whole, count(10, 3, 7))]);
    let standing =
        |number, minute, counted: i64| book.standing(&whole, number, time(minute), counted.into());
    assert_eq!(standing(DocumentNumber::new(4), 11, 9), Standing::Newest);
    assert_eq!(
        standing(DocumentNumber::new(3), 10, 7),
        Standing::Newest,
        "itself"
    );
    assert_eq!(
        standing(DocumentNumber::new(4), 9, 9),
        Standing::Superseded(count(10, 3, 7))
    );
    assert_eq!(
        standing(DocumentNumber::new(4), 10, 7),
        Standing::Superseded(count(10, 3, 7))
    );
    assert_eq!(
        standing(DocumentNumber::new(4), 10, 9),
        Standing::Contradicted(count(10, 3, 7))
    );
    let lot = book.standing(
        &place(Some(2), None, None),
        DocumentNumber::new(4),
        time(9),
        9.into(),
    );
    assert_eq!(lot, Standing::Newest, "a count of another place");
}

#[test]
fn what_was_done_before_a_count_or_at_its_time_makes_a_recount_of_the_newest() {
    let whole = place(None, None, None);
    let book = book(&[(whole, count(5, 2, 7)), (whole, count(10, 3, 7))]);
    let since = |minute| numbers(&book.counts_since(&LOOSE, time(minute)));
    assert_eq!(since(0), [DocumentNumber::new(3)]);
    assert_eq!(since(10), [DocumentNumber::new(3)]);
    assert_eq!(since(11), Vec::<DocumentNumber>::new());
    let elsewhere = End {
        bin: Id::Known(LocationId::new(6)),
        ..LOOSE
    };
    assert!(book.counts_since(&elsewhere, time(0)).is_empty());
    let unknown = End {
        bin: Id::Unknown,
        ..LOOSE
    };
    assert_eq!(
        numbers(&book.counts_since(&unknown, time(0))),
        [DocumentNumber::new(3)]
    );
}

#[test]
fn a_count_of_a_lot_a_package_or_an_owner_is_of_that_alone() {
    let places = [
        place(None, None, None),
        place(Some(2), None, None),
        place(None, Some(9), None),
        place(None, None, Some(4)),
    ];
    let counts = (1..).zip(places).map(|(n, place)| (place, count(10, n, 1)));
    let book = book(&counts.collect::<Vec<_>>());
    let since = |lot, package, owner| {
        let mut found = numbers(&book.counts_since(&end(LOOSE.bin, lot, package, owner), time(0)));
        found.sort_unstable();
        found
    };
    assert_eq!(
        since(Id::None, Id::None, Id::None),
        [1].map(DocumentNumber::new)
    );
    assert_eq!(
        since(Id::Known(LotId::new(2)), Id::None, Id::None),
        [1, 2].map(DocumentNumber::new)
    );
    assert_eq!(
        since(
            Id::Known(LotId::new(7)),
            Id::Known(PackageId::new(9)),
            Id::None
        ),
        [1, 3].map(DocumentNumber::new)
    );
    assert_eq!(
        since(Id::Unknown, Id::None, Id::Known(PartnerId::new(4))),
        [1, 2, 4].map(DocumentNumber::new)
    );
    assert_eq!(
        since(Id::Unknown, Id::Unknown, Id::Unknown),
        [1, 2, 3, 4].map(DocumentNumber::new)
    );
}

#[test]
fn a_count_that_is_forgotten_leaves_the_one_before_it() {
    let whole = place(None, None, None);
    let mut book = book(&[(whole, count(10, 3, 7)), (whole, count(5, 2, 8))]);
    assert!(!book.put_count(whole, count(5, 2, 8)), "it is known");
    assert_eq!(book.remove_count(DocumentNumber::new(3)), Some(whole));
    assert_eq!(book.counts_of(&whole), [count(5, 2, 8)]);
    assert_eq!(book.remove_count(DocumentNumber::new(3)), None);
    assert_eq!(book.remove_count(DocumentNumber::new(2)), Some(whole));
    assert_eq!(book.counts_of(&whole), []);
}

#[test]
fn the_newest_counts_of_a_place_are_remembered() {
    let whole = place(None, None, None);
    let mut book = book(&[
        (whole, count(10, 1, 1)),
        (whole, count(12, 2, 1)),
        (whole, count(11, 3, 1)),
    ]);
    assert!(!book.put_count(whole, count(9, 4, 1)));
    assert!(book.put_count(whole, count(13, 5, 1)));
    let known: Vec<DocumentNumber> = book.counts_of(&whole).iter().map(|c| c.number).collect();
    assert_eq!(known, [5, 2, 3].map(DocumentNumber::new));
}

#[test]
fn a_span_holds_the_counts_between_its_ends() {
    let mut book = Book::default();
    let span = Span {
        from: time(10),
        until: time(20),
        number: DocumentNumber::new(9),
        doubt: Doubt::Undone,
    };
    assert!(book.put_span(LOOSE, span));
    assert!(!book.put_span(LOOSE, span));
    let over = |place: Place, minute| book.spans_over(&place, time(minute)).next().is_some();
    let whole = place(None, None, None);
    assert_eq!(
        [10, 11, 19, 20].map(|minute| over(whole, minute)),
        [false, true, true, false]
    );
    assert!(
        !over(place(None, Some(9), None), 15),
        "loose goods are in no package"
    );
    assert!(!over(
        Place {
            bin: LocationId::new(6),
            ..whole
        },
        15
    ));
    let book = super::Book::new(
        BTreeMap::from([(whole, vec![count(15, 3, 1)])]),
        BTreeMap::new(),
    );
    assert!(book.count_between(&LOOSE, &span, None).is_some());
    assert!(
        book.count_between(&LOOSE, &span, Some(DocumentNumber::new(3)))
            .is_none()
    );
}

#[test]
fn too_many_spans_of_a_place_become_fewer_that_hold_more() {
    let mut book = Book::default();
    let limit = i64::try_from(SPANS_OF_PLACE_MAX).unwrap();
    for number in 0..=limit {
        let span = Span {
            from: time(number * 100),
            until: time(number * 100 + 1 + number % 2 * 50),
            number: DocumentNumber::new(1),
            doubt: Doubt::Clock,
        };
        assert!(book.put_span(LOOSE, span));
    }
    let spans = book.spans_of(&LOOSE);
    assert_eq!(spans.len(), SPANS_OF_PLACE_MAX);
    assert!((0..=limit).all(|number| {
        let within = time(number * 100) + jiff::SignedDuration::from_secs(30);
        spans.iter().any(|span| span.holds(within))
    }));
}

/// A book with too many spans at one end, of which the first two, of documents 1 and 2, were
/// joined.
fn book_with_joined(first: Doubt, second: Doubt) -> Book {
    let mut book = Book::default();
    let mut put = |number: u64, from, until, doubt| {
        let span = Span {
            from: time(from),
            until: time(until),
            number: DocumentNumber::new(number),
            doubt,
        };
        assert!(book.put_span(LOOSE, span));
    };
    put(1, 0, 10, first);
    put(2, 11, 20, second);
    for number in 3..=u64::try_from(SPANS_OF_PLACE_MAX).unwrap() + 1 {
        let from = i64::try_from(number).unwrap() * 100;
        put(number, from, from + 10, Doubt::Undone);
    }
    assert_eq!(book.spans_of(&LOOSE).len(), SPANS_OF_PLACE_MAX);
    assert_eq!(book.spans_of(&LOOSE)[0].until, time(20), "joined");
    book
}

fn is_over(book: &Book, minute: i64) -> bool {
    let whole = place(None, None, None);
    book.spans_over(&whole, time(minute)).next().is_some()
}

#[test]
fn the_known_clock_of_one_document_does_not_end_the_doubt_of_another_in_a_joined_span() {
    let mut book = book_with_joined(Doubt::Clock, Doubt::Clock);
    book.end_doubt(DocumentNumber::new(1), Doubt::Ended);
    assert!(is_over(&book, 15), "the clock of document 2 is in doubt");
    book.end_doubt(DocumentNumber::new(2), Doubt::Ended);
    assert!(is_over(&book, 5), "a person decides");
    assert_eq!(book.doubtful(), BTreeSet::new());
}

#[test]
fn a_joined_span_has_the_number_of_the_document_in_doubt() {
    for (first, second, number) in [
        (Doubt::Clock, Doubt::Ended, 1),
        (Doubt::Ended, Doubt::Clock, 2),
    ] {
        let mut book = book_with_joined(first, second);
        let number = DocumentNumber::new(number);
        assert_eq!(book.doubtful(), BTreeSet::from([number]));
        assert!(is_over(&book, 5) && is_over(&book, 15));
        assert_eq!(book.end_doubt(number, Doubt::Ended), [LOOSE]);
        assert!(!is_over(&book, 5) && !is_over(&book, 15));
    }
    let of_undo = |book: Book| {
        let span = book.spans_of(&LOOSE)[0];
        (span.number, span.doubt)
    };
    let expected = |number| (DocumentNumber::new(number), Doubt::Undone);
    let clock_first = book_with_joined(Doubt::Clock, Doubt::Undone);
    assert_eq!(of_undo(clock_first), expected(2));
    let undo_first = book_with_joined(Doubt::Undone, Doubt::Clock);
    assert_eq!(of_undo(undo_first), expected(1));
}

#[test]
fn what_is_past_its_time_is_forgotten() {
    let whole = place(None, None, None);
    let mut book = book(&[(whole, count(10, 3, 7))]);
    let span = Span {
        from: time(0),
        until: time(10),
        number: DocumentNumber::new(9),
        doubt: Doubt::Clock,
    };
    book.put_span(LOOSE, span);
    assert_eq!(book.forget(time(10)), (vec![], vec![]));
    assert_eq!(book.forget(time(11)), (vec![whole], vec![LOOSE]));
    assert!(book.counts_of(&whole).is_empty() && book.spans_of(&LOOSE).is_empty());
}

#[test]
fn of_one_time_the_count_of_a_part_comes_before_the_count_of_the_whole() {
    let whole = place(None, None, None);
    let package = place(None, Some(7), None);
    let of = |place: Place, count: Count| count.order(&place);
    assert!(of(package, count(10, 9, 5)) < of(whole, count(10, 3, 20)));
    assert!(of(whole, count(9, 3, 20)) < of(package, count(10, 2, 5)));
    assert!(of(whole, count(10, 3, 20)) < of(whole, count(10, 4, 20)));
}
