//! Splits one step of a batch into two calls that run at the same time, each over its own
//! connection.
//!
//! Odoo's time grows with the number of lines, and one call keeps one worker busy. Calls that move
//! the same product, or open the same package, conflict; so documents that share a product or a
//! package are in the same lane. The answers of the lanes are merged into one, and the machine sees
//! a single call.

use std::collections::HashMap;

use crate::odoo::{Client, Transfer, Warehouse};
use crate::odoo_id::{PackageId, PickingId, ProductId};
use crate::outcome::Failure;

/// A lane with fewer lines is not worth a call, and a worker of Odoo's that another user may need.
const LANE_LINES_MIN: usize = 8;

/// Positions in the batch, ascending.
type Lane = Vec<usize>;

/// See [`Client::load`]: loads in two lanes where possible.
pub async fn load(
    odoo: &mut Client,
    warehouse: &Warehouse,
    transfers: &[&Transfer],
) -> Result<Vec<PickingId>, Failure> {
    let Some([first, second]) = split(transfers) else {
        return odoo.load(warehouse, transfers).await;
    };
    let mut other = odoo.clone();
    let (a, b) = (pick(transfers, &first), pick(transfers, &second));
    let (a, b) = tokio::join!(odoo.load(warehouse, &a), other.load(warehouse, &b));
    let (a, b) = merge((&first, a), (&second, b))?;
    let mut ids = vec![PickingId::default(); transfers.len()];
    for (place, id) in first.iter().zip(a).chain(second.iter().zip(b)) {
        ids[*place] = id;
    }
    Ok(ids)
}

/// See [`Client::validate`]: validates in two lanes where possible.
pub async fn validate(odoo: &mut Client, sent: &[(PickingId, &Transfer)]) -> Result<(), Failure> {
    let (ids, transfers): (Vec<_>, Vec<_>) = sent.iter().copied().unzip();
    let Some([first, second]) = split(&transfers) else {
        return odoo.validate(&ids).await;
    };
    let mut other = odoo.clone();
    let (a, b) = (pick(&ids, &first), pick(&ids, &second));
    let (a, b) = tokio::join!(odoo.validate(&a), other.validate(&b));
    merge((&first, a), (&second, b)).map(drop)
}

fn pick<T: Copy>(all: &[T], lane: &[usize]) -> Vec<T> {
    lane.iter().map(|place| all[*place]).collect()
}

/// Splits the transfers into two lanes that share neither product nor package, about equal in
/// lines. `None`: there are too few lines to split, or too many transfers share goods.
fn split(transfers: &[&Transfer]) -> Option<[Lane; 2]> {
    let mut groups = groups(transfers);
    let lines = |group: &Lane| -> usize { group.iter().map(|p| transfers[*p].lines.len()).sum() };
    // The largest group first, each to the lane that has fewer lines.
    groups.sort_by_key(|group| std::cmp::Reverse(lines(group)));
    let mut both = [Lane::new(), Lane::new()];
    for group in groups {
        let lighter = usize::from(lines(&both[1]) < lines(&both[0]));
        both[lighter].extend(group);
    }
    for lane in &mut both {
        lane.sort_unstable();
    }
    both.iter()
        .all(|lane| lines(lane) >= LANE_LINES_MIN)
        .then_some(both)
}

/// A resource that two calls must not touch at once.
#[derive(PartialEq, Eq, Hash)]
enum Thing {
    Product(ProductId),
    Package(PackageId),
}

/// Groups documents that share a product or package, directly or through others (union-find).
fn groups(transfers: &[&Transfer]) -> Vec<Lane> {
    let mut parent: Vec<usize> = (0..transfers.len()).collect();
    let mut first_with = HashMap::new();
    for (place, transfer) in transfers.iter().enumerate() {
        let things = transfer.lines.iter().flat_map(|line| {
            let packages = [line.package, line.into].map(|package| package.map(Thing::Package));
            [Some(Thing::Product(line.product))]
                .into_iter()
                .chain(packages)
        });
        for thing in things.flatten() {
            let known = *first_with.entry(thing).or_insert(place);
            let (a, b) = (root(&mut parent, known), root(&mut parent, place));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut groups: Vec<Lane> = vec![Lane::new(); transfers.len()];
    for place in 0..transfers.len() {
        groups[root(&mut parent, place)].push(place);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn root(parent: &mut [usize], mut place: usize) -> usize {
    while parent[place] != place {
        parent[place] = parent[parent[place]];
        place = parent[place];
    }
    place
}

/// Both answers, or the failure that says more about the whole batch.
fn merge<T>(
    (first, a): (&Lane, Result<T, Failure>),
    (second, b): (&Lane, Result<T, Failure>),
) -> Result<(T, T), Failure> {
    match (
        a.map_err(|f| placed(f, first)),
        b.map_err(|f| placed(f, second)),
    ) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => Err(failure),
        (Err(a), Err(b)) => Err(graver(a, b)),
    }
}

/// Replaces positions in the lane by positions in the batch.
fn placed(failure: Failure, lane: &Lane) -> Failure {
    match failure {
        Failure::Person { message, documents } => {
            let documents = documents
                .into_iter()
                .filter_map(|(place, message)| Some((*lane.get(place)?, message)));
            Failure::Person {
                message,
                documents: documents.collect(),
            }
        }
        other => other,
    }
}

/// The graver of two failures. A failure that holds the link comes first. An unknown outcome comes
/// second, because the gateway then starts again and finds the refusal a second time.
fn graver(a: Failure, b: Failure) -> Failure {
    use Failure::{Person, Stop, Wait};
    match (a, b) {
        (stop @ Stop { .. }, _) | (_, stop @ Stop { .. }) => stop,
        (
            Wait {
                message,
                after,
                slow,
            },
            Wait {
                after: later,
                slow: slower,
                ..
            },
        ) => Wait {
            message,
            after: after.max(later),
            slow: slow || slower,
        },
        (wait @ Wait { .. }, _) | (_, wait @ Wait { .. }) => wait,
        (
            Person {
                message,
                mut documents,
            },
            Person {
                documents: others, ..
            },
        ) => {
            documents.extend(others);
            Person { message, documents }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::document::DocumentKey;
    use crate::odoo::TransferLine;
    use crate::odoo_id::LocationId;

    /// A line for each product.
    fn transfer(products: &[i64]) -> Transfer {
        let line = |product: &i64| TransferLine {
            product: ProductId::new(*product),
            from: LocationId::new(1),
            to: LocationId::new(2),
            quantity: 1.into(),
            ..TransferLine::default()
        };
        Transfer {
            key: DocumentKey([0; 16]),
            group: "PDA-07".to_owned(),
            about: None,
            header: None,
            returned: Vec::new(),
            lines: products.iter().map(line).collect(),
            when: Some(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    fn of(transfers: &[Transfer]) -> Option<[Lane; 2]> {
        split(&transfers.iter().collect::<Vec<_>>())
    }

    fn range(products: std::ops::Range<i64>) -> Transfer {
        transfer(&products.collect::<Vec<_>>())
    }

    #[test]
    fn what_shares_a_product_goes_together_also_by_way_of_others() {
        let documents = [range(0..10), range(20..40), range(9..15), range(14..16)];
        assert_eq!(of(&documents), Some([vec![1], vec![0, 2, 3]]));
    }

    #[test]
    fn what_shares_a_package_goes_together() {
        let mut documents = [range(0..10), range(10..20), range(20..30)];
        documents[0].lines[3].package = Some(PackageId::new(7));
        documents[2].lines[5].package = Some(PackageId::new(7));
        assert_eq!(of(&documents), Some([vec![0, 2], vec![1]]));
    }

    #[test]
    fn little_work_and_work_that_hangs_together_stay_in_one_call() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[range(0..100)]), None);
        assert_eq!(of(&[range(0..100), range(99..120)]), None);
        assert_eq!(of(&[range(0..100), range(200..207)]), None);
        assert!(of(&[range(0..100), range(200..208)]).is_some());
    }

    proptest! {
        #[test]
        fn each_document_is_in_one_lane_and_no_product_in_both(
            documents in proptest::collection::vec(proptest::collection::vec(0_i64..60, 1..6), 0..40),
        ) {
            let transfers: Vec<_> = documents.iter().map(|products| transfer(products)).collect();
            if let Some([a, b]) = of(&transfers) {
                let mut all: Vec<_> = a.iter().chain(&b).copied().collect();
                all.sort_unstable();
                prop_assert_eq!(all, (0..documents.len()).collect::<Vec<_>>());
                let products = |lane: &Lane| -> BTreeSet<i64> {
                    lane.iter().flat_map(|place| documents[*place].iter().copied()).collect()
                };
                prop_assert!(products(&a).is_disjoint(&products(&b)));
            }
        }
    }

    fn person(documents: &[usize]) -> Failure {
        Failure::Person {
            message: "no".to_owned(),
            documents: documents
                .iter()
                .map(|place| (*place, "no".to_owned()))
                .collect(),
        }
    }

    fn merged(a: Result<(), Failure>, b: Result<(), Failure>) -> Result<((), ()), Failure> {
        merge((&vec![0, 3], a), (&vec![1, 2, 4], b))
    }

    #[test]
    fn a_refusal_names_documents_by_their_place_in_the_batch() {
        assert_eq!(merged(Ok(()), Err(person(&[0, 2]))), Err(person(&[1, 4])));
        assert_eq!(
            merged(Err(person(&[1])), Err(person(&[1]))),
            Err(person(&[3, 2]))
        );
        assert_eq!(merged(Err(person(&[])), Ok(())), Err(person(&[])));
    }

    #[test]
    fn what_is_unknown_weighs_more_than_a_refusal_and_a_held_link_most() {
        let stop = Failure::stop("HTTP 401", "a new key");
        let wait = |slow, after| Failure::Wait {
            message: "no answer".to_owned(),
            after,
            slow,
        };
        let (fast, slow) = (wait(false, Some(Duration::from_secs(9))), wait(true, None));
        for (a, b, expected) in [
            (&person(&[0]), &slow, &slow),
            (&fast, &person(&[0]), &fast),
            (&fast, &slow, &wait(true, Some(Duration::from_secs(9)))),
            (&slow, &stop, &stop),
            (&stop, &person(&[]), &stop),
        ] {
            let found = merged(Err(a.clone()), Err(b.clone()));
            assert_eq!(found, Err(expected.clone()));
        }
    }
}
