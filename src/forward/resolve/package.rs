//! Chooses the package that goods are taken out of if the scan names none.
//!
//! The rule is that of a count: if enough goods are loose, they are taken loose; if all are in one
//! package, they are taken out of that package. In any other case a person decides.
//!
//! A document in which a person named the package takes a part of its content out of it. A scanned
//! transfer that names a package moves the whole package.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::bins::{SAID_MAX, Stock, bin_of, source, taken};
use super::incoming::{Missing, on_its_way};
use super::plan::Packages;
use super::{Asked, Ground};
use crate::catalog::refresh::Trouble;
use crate::forward::faults::Fault;
use crate::odoo::TOLERANCE;
use crate::odoo::stock::Place;
use crate::odoo::{Client, Kind, Transfer, TransferLine};
use crate::odoo_id::PackageId;
use crate::reason::ReasonCode;

/// The package that a line takes its goods from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// As in the line.
    Given,
    /// From this package, although the line does not name it.
    Only {
        package: PackageId,
        missing: Decimal,
    },
    /// From a part of the named package's content.
    Part,
    /// From one of several packages, or partly loose and partly from a package.
    Unclear,
}

/// Sets the package of each line that names none: no package if enough goods are loose, else the
/// one package that holds them all. Returns the new packages of each line, and a fault for each
/// line whose goods are in several packages or only partly loose. Does not change the lines of an
/// undo.
pub(super) async fn choose_packages(
    odoo: &mut Client,
    ground: Ground<'_>,
    asked: Asked<'_>,
    stock: &Stock,
    transfer: &mut Transfer,
) -> Result<(Vec<Option<Packages>>, Vec<Fault>), Trouble> {
    let mut faults = Vec::new();
    if asked.undoing.is_some() {
        return Ok((Vec::new(), faults));
    }
    let splits = asked.document.corrects.is_some();
    let mut packages = vec![None; transfer.lines.len()];
    for (place, source) in sources(stock, transfer, splits).into_iter().enumerate() {
        let line = &transfer.lines[place];
        let chosen = match source {
            Source::Given => continue,
            Source::Part => Packages(line.package, None),
            Source::Only { package, missing } => {
                // Goods that are on their way to the bin are not in the package.
                let missing = Missing {
                    line: place,
                    product: line.product,
                    bin: line.from,
                    quantity: missing,
                };
                if on_its_way(odoo, ground, asked, &[missing]).await?.is_some() {
                    continue;
                }
                Packages(Some(package), line.into)
            }
            Source::Unclear => {
                faults.push(unclear_package(asked, place));
                continue;
            }
        };
        packages[place] = Some(chosen);
    }
    for (line, packages) in transfer.lines.iter_mut().zip(&packages) {
        if let Some(packages) = packages {
            packages.apply(line);
        }
    }
    if packages.iter().all(Option::is_none) {
        packages.clear();
    }
    Ok((packages, faults))
}

/// Describes the packages that the gateway chose and no scan named, for the audit record.
pub(super) fn describe_packages(
    ground: Ground<'_>,
    asked: Asked<'_>,
    packages: &[Option<Packages>],
) -> Result<Option<String>, Trouble> {
    let mut parts = Vec::new();
    for (place, packages) in packages.iter().enumerate() {
        let Some(Packages(Some(package), _)) = packages else {
            continue;
        };
        if parts.len() == SAID_MAX {
            parts.push("more".to_owned());
            break;
        }
        let line = asked.document.lines.get(place);
        let product = line.map_or("?", |line| &line.goods.product);
        let called = ground.copy.called(Kind::Package, package.get())?;
        let name = called.map_or_else(|| format!("id {package}"), |called| called.name);
        let bin = bin_of(asked, place);
        parts.push(format!("{product} from bin {bin} out of package {name}"));
    }
    Ok((!parts.is_empty()).then(|| format!("takes {}", parts.join("; "))))
}

fn unclear_package(asked: Asked<'_>, place: usize) -> Fault {
    let bin = bin_of(asked, place);
    let line = asked.document.lines.get(place);
    let product = line.map_or("?", |line| &line.goods.product);
    let message = format!(
        "bin {bin} holds {product} in packages, and too little of it loose: edit the document and name the package that the goods came from, or correct the packages in Odoo and retry"
    );
    Fault::new(place, ReasonCode::PackageRequired, message)
}

/// Finds where each line takes its goods from. `splits`: a line may take a part of a named package.
fn sources(stock: &Stock, transfer: &Transfer, splits: bool) -> Vec<Source> {
    let taken = taken(transfer);
    let needed = |line: &TransferLine| {
        let quantity = taken.get(&source(line)).map(|(_, quantity)| *quantity);
        quantity.unwrap_or_default()
    };
    (transfer.lines.iter())
        .map(|line| source_of(stock, line, needed(line), splits))
        .collect()
}

fn source_of(stock: &Stock, line: &TransferLine, needed: Decimal, splits: bool) -> Source {
    let from = source(line);
    let there: Vec<(&Place, Decimal)> = (stock.iter())
        .filter(|(held, _)| {
            let of_owner = from.owner.is_none() || held.owner == from.owner;
            of_owner
                && Place {
                    package: None,
                    owner: None,
                    ..**held
                } == Place {
                    package: None,
                    owner: None,
                    ..from
                }
        })
        .map(|(held, quantity)| (held, *quantity))
        .collect();
    let holds = |package: Option<PackageId>| -> Decimal {
        let own = there.iter().filter(|(held, _)| held.package == package);
        own.map(|(_, quantity)| *quantity).sum()
    };
    if line.package.is_some() {
        let is_part = holds(line.package) - needed >= TOLERANCE;
        let moves_whole = line.into == line.package;
        return if splits && moves_whole && is_part {
            Source::Part
        } else {
            Source::Given
        };
    }
    let loose = holds(None);
    if loose - needed > -TOLERANCE {
        return Source::Given;
    }
    let packages: BTreeSet<PackageId> = (there.iter())
        .filter(|(_, quantity)| *quantity >= TOLERANCE)
        .filter_map(|(held, _)| held.package)
        .collect();
    match packages.first() {
        None => Source::Given,
        Some(package) if packages.len() == 1 && loose < TOLERANCE => Source::Only {
            package: *package,
            missing: needed - loose,
        },
        Some(_) => Source::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentKey;
    use crate::odoo::LotRef;
    use crate::odoo_id::{LocationId, LotId, PartnerId, ProductId};

    fn stock(held: &[(Option<i64>, i64)]) -> Stock {
        let place = |package| Place {
            product: ProductId::new(1),
            bin: LocationId::new(5),
            lot: None,
            package,
            owner: None,
        };
        let held = held.iter();
        held.map(|(package, quantity)| (place(package.map(PackageId::new)), (*quantity).into()))
            .collect()
    }

    fn transfer(quantities: &[i64], package: Option<PackageId>) -> Transfer {
        let line = |quantity: &i64| TransferLine {
            product: ProductId::new(1),
            from: LocationId::new(5),
            to: LocationId::new(6),
            package,
            into: package,
            quantity: (*quantity).into(),
            ..TransferLine::default()
        };
        Transfer {
            key: DocumentKey([1; 16]),
            group: "pda-07".to_owned(),
            about: None,
            header: None,
            lines: quantities.iter().map(line).collect(),
            returned: Vec::new(),
            when: None,
        }
    }

    fn first(held: &[(Option<i64>, i64)], quantity: i64) -> Source {
        sources(&stock(held), &transfer(&[quantity], None), false).remove(0)
    }

    #[test]
    fn goods_are_taken_out_of_the_only_package_of_the_bin() {
        let only = |missing: i64| Source::Only {
            package: PackageId::new(8),
            missing: missing.into(),
        };
        assert_eq!(first(&[(Some(8), 24)], 6), only(6));
        // A package with an empty or a negative quantity is no choice.
        assert_eq!(first(&[(None, 0), (Some(8), 24), (Some(9), 0)], 6), only(6));
        // The line takes more than the bin has: the package lacks it, as after a count.
        assert_eq!(first(&[(Some(8), 4)], 6), only(6));
        let two = sources(&stock(&[(Some(8), 24)]), &transfer(&[6, 2], None), false);
        assert_eq!(two, [only(8), only(8)]);
    }

    #[test]
    fn what_lies_loose_is_taken_first_and_what_is_unclear_is_asked() {
        assert_eq!(first(&[(None, 6), (Some(8), 24)], 6), Source::Given);
        assert_eq!(first(&[(None, 4), (Some(8), 24)], 6), Source::Unclear);
        assert_eq!(first(&[(Some(8), 24), (Some(9), 1)], 6), Source::Unclear);
        // The bin is empty.
        assert_eq!(first(&[], 6), Source::Given);
        assert_eq!(first(&[(None, 2)], 6), Source::Given);
    }

    #[test]
    fn only_a_package_with_the_very_goods_is_taken_from() {
        let of = |lot, package, owner: Option<i64>| Place {
            product: ProductId::new(1),
            bin: LocationId::new(5),
            lot: Some(LotId::new(lot)),
            package: Some(PackageId::new(package)),
            owner: owner.map(PartnerId::new),
        };
        let held = Stock::from([(of(1, 8, None), 24.into()), (of(2, 9, Some(3)), 24.into())]);
        let source_of = |lot, owner: Option<i64>| {
            let mut transfer = transfer(&[6], None);
            transfer.lines[0].lot = LotRef::Known {
                id: LotId::new(lot),
                name: String::new(),
            };
            transfer.lines[0].owner = owner.map(PartnerId::new);
            sources(&held, &transfer, false).remove(0)
        };
        let only = |package| Source::Only {
            package: PackageId::new(package),
            missing: 6.into(),
        };
        assert_eq!(source_of(1, None), only(8));
        // Without an owner, the goods of any owner match; with another owner, none match.
        assert_eq!(source_of(2, None), only(9));
        assert_eq!(source_of(2, Some(3)), only(9));
        assert_eq!(source_of(2, Some(4)), Source::Given);
        assert_eq!(source_of(7, None), Source::Given);
    }

    #[test]
    fn a_part_of_a_package_that_a_person_named_is_taken_out_of_it() {
        let held = stock(&[(Some(8), 24), (Some(9), 5)]);
        let named = |quantity, splits| {
            sources(
                &held,
                &transfer(&[quantity], Some(PackageId::new(8))),
                splits,
            )
            .remove(0)
        };
        assert_eq!(named(6, true), Source::Part);
        assert_eq!(named(24, true), Source::Given);
        assert_eq!(named(6, false), Source::Given);
    }
}
