//! Paths of side values, and counts that an older version wrote.

use super::*;
use crate::document::DocumentNumber;
use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, ProductId};

#[test]
fn places_and_ends_are_read_from_their_paths_as_they_were() {
    let place = |lot, package, owner| Place {
        product: ProductId::new(1),
        bin: LocationId::new(5),
        lot,
        package,
        owner,
    };
    for place in [
        place(None, None, None),
        place(Some(LotId::new(2)), None, Some(PartnerId::new(4))),
        place(Some(LotId::new(2)), Some(PackageId::new(9)), None),
    ] {
        let path = count_path(&place);
        assert_eq!(place_in(path.name()), Some(place));
    }
    assert_eq!(
        count_path(&place(None, Some(PackageId::new(9)), None)).to_string(),
        "book/counts/1/5/-/9/-"
    );
    let end = End {
        product: ProductId::new(1),
        bin: Id::Unknown,
        lot: Id::Known(LotId::new(2)),
        package: Id::None,
        owner: Id::None,
    };
    assert_eq!(span_path(&end).to_string(), "book/spans/1/?/2/-/-");
    assert_eq!(end_in("1/?/2/-/-"), Some(end));
    for other in ["1/5", "1/5/x/-/-", "1/5/-/-/-/-"] {
        assert_eq!(place_in(other), None);
        assert_eq!(end_in(other), None);
    }
}

#[tokio::test]
async fn counts_of_an_older_version_are_read_and_later_ones_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = Journal::open(dir.path(), &crate::config::Journal::default()).unwrap();
    let older = b"2026-11-23T10:00:00Z 3 2026-11-23T09:00:00Z 2".to_vec();
    let older_key = |name: &str| Namespace::OlderCounts.key(name);
    let keep = |key: SideKey, value: Vec<u8>| (key, Some(value));
    let newer = Count {
        time: "2026-11-24T10:00:00Z".parse().unwrap(),
        number: DocumentNumber::new(7),
        counted: 5.into(),
        recounts: 1,
    };
    let changes = vec![
        keep(older_key("1/5/-/-/-"), older.clone()),
        keep(older_key("2/5/-/-/-"), older),
        keep(older_key("3/5/-/-/-"), b"nonsense".to_vec()),
        keep(older_key("1/5"), b"2026-11-23T10:00:00Z 3".to_vec()),
        keep(
            Namespace::Counts.key("2/5/-/-/-"),
            stored::counts_in(&[newer]).unwrap(),
        ),
    ];
    journal.inbox().store_side_values(changes).await.unwrap();
    let book = load(&journal).unwrap();
    let numbers = |product| {
        let place = Place {
            product: ProductId::new(product),
            bin: LocationId::new(5),
            lot: None,
            package: None,
            owner: None,
        };
        let counts = book.counts_of(&place).iter();
        counts.map(|count| count.number.get()).collect::<Vec<_>>()
    };
    assert_eq!([1, 2, 3].map(numbers), [vec![3, 2], vec![7], vec![]]);
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}
