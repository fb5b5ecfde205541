//! What bins hold, looked at before goods are taken out of them: whose they are, and whether there are so many.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::coming::{Missing, on_its_way};
use super::package::{choose_packages, describe_packages};
use super::plan::{Places, Plan, keep, transfer_of};
use super::{Asked, Ground, Prepared, Resolved, reason};
use crate::catalog::refresh::Trouble;
use crate::config::Negative;
use crate::document::{Document, Reason};
use crate::forward::machine::Work;
use crate::forward::order::{OrderLine, Task, Way};
use crate::odoo::LotRef;
use crate::odoo::TOLERANCE;
use crate::odoo::stock::Place;
use crate::odoo::{Client, Transfer, TransferLine};
use crate::outcome::{Failure, code, flag};

/// Bins that are named in one message.
pub(super) const SAID_MAX: usize = 3;

/// What Odoo holds, less what is about to be taken out and with what is about to come in.
pub(super) type Stock = BTreeMap<Place, Decimal>;

/// Reads what the lines take from, in one question for all of them.
pub(super) async fn look<'a>(
    odoo: &mut Client,
    lines: impl Iterator<Item = &'a TransferLine>,
) -> Result<Stock, Failure> {
    let (mut products, mut bins) = (BTreeSet::new(), BTreeSet::new());
    for line in lines {
        products.insert(line.product);
        bins.insert(line.from);
    }
    if products.is_empty() {
        return Ok(Stock::new());
    }
    odoo.stock(&products, &bins).await
}

/// Gives lines their owners, and sees to what `stock.negative` wants. Documents go in their order, so that one may take what
/// the one before it brought.
pub(super) async fn settle(
    odoo: &mut Client,
    ground: Ground<'_>,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
    places: &Places,
) -> Result<(), Trouble> {
    let lines = resolved.iter().enumerate();
    let lines = lines.filter(|(place, _)| places.contains(place));
    let lines = lines.filter_map(|(_, resolved)| resolved.as_ref().ok()?.transfer());
    let mut stock = look(odoo, lines.flat_map(|transfer| &transfer.lines)).await?;
    let mut short = Vec::new();
    for place in places {
        let asked = documents[*place];
        let Some(transfer) = transfer_of(&mut resolved[*place]) else {
            continue;
        };
        let packages = match choose_packages(odoo, ground, asked, &stock, transfer).await? {
            Ok(packages) => packages,
            Err(reason) => {
                resolved[*place] = Err(reason);
                continue;
            }
        };
        // What goes back is whose it was.
        let owners = match asked.undoing {
            Some(_) => Ok(transfer.lines.iter().map(|line| line.owner).collect()),
            None => owners(&stock, transfer),
        };
        let plan = match owners {
            Ok(owners) => Plan {
                owners,
                packages,
                returned: transfer.returned.clone(),
                ..Plan::default()
            },
            Err((line, owners)) => {
                let bin = bin_of(asked, line);
                resolved[*place] = Err(ambiguous_owner(odoo, bin, &owners).await?);
                continue;
            }
        };
        keep(&mut resolved[*place], &plan);
        if let Ok(prepared) = &mut resolved[*place] {
            prepared.note = describe_packages(ground, asked, &plan.packages)?;
        }
        let Some(transfer) = transfer_of(&mut resolved[*place]) else {
            continue;
        };
        let lacks = lacking(&stock, transfer);
        let refuses = ground.rules.stock.negative == Negative::Refuse;
        let parks = refuses && !asked.allows(code::NEGATIVE_STOCK) && !lacks.is_empty();
        if !parks {
            take(&mut stock, transfer);
        }
        if !lacks.is_empty() && ground.rules.stock.negative != Negative::Allow {
            short.push((*place, lacks, parks));
        }
    }
    say(odoo, ground, documents, resolved, short).await
}

/// The place in the document of a line that takes more than there is, what there is, and what all such lines take.
type Lack = (usize, Decimal, Decimal);

async fn say(
    odoo: &mut Client,
    ground: Ground<'_>,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
    mut short: Vec<(usize, Vec<Lack>, bool)>,
) -> Result<(), Trouble> {
    if short.is_empty() {
        return Ok(());
    }
    let (mut products, mut bins) = (BTreeSet::new(), BTreeSet::new());
    for (place, lacks, _) in &short {
        let transfer = resolved[*place].as_ref().ok().and_then(Prepared::transfer);
        for line in lacks.iter().filter_map(|lack| transfer?.lines.get(lack.0)) {
            products.insert(line.product);
            bins.insert(line.from);
        }
    }
    // Of what Odoo keeps no stock, and outside the warehouse, there is never enough, and that means nothing.
    let (stored, inside) = odoo.counted(&products, &bins).await?;
    for (place, lacks, refused) in &mut short {
        let slot = &mut resolved[*place];
        let Some(transfer) = transfer_of(slot) else {
            continue;
        };
        lacks.retain(|(line, ..)| {
            let line = &transfer.lines[*line];
            stored.contains(&line.product) && inside.contains(&line.from)
        });
        if lacks.is_empty() {
            continue;
        }
        let asked = documents[*place];
        let missing = missing(transfer, lacks);
        if *refused && let Some(reason) = waits(odoo, ground, asked, &missing).await? {
            *slot = Err(reason);
            continue;
        }
        tell(slot, asked, lacks, *refused);
    }
    Ok(())
}

fn missing(transfer: &Transfer, lacks: &[Lack]) -> Vec<Missing> {
    let missing = |(line, held, taken): &Lack| Missing {
        line: *line,
        product: transfer.lines[*line].product,
        bin: transfer.lines[*line].from,
        quantity: taken - held,
    };
    lacks.iter().map(missing).collect()
}

/// Why a document waits that would be refused: what it takes is on its way.
async fn waits(
    odoo: &mut Client,
    ground: Ground<'_>,
    asked: Asked<'_>,
    missing: &[Missing],
) -> Result<Option<Reason>, Trouble> {
    if asked.undoing.is_some() {
        return Ok(None);
    }
    let message = on_its_way(odoo, ground, asked, missing).await?;
    Ok(message.map(|message| reason(code::HELD_BACK, message)))
}

/// A document that takes more than there is: flagged, or refused.
fn tell(slot: &mut Resolved<Prepared>, asked: Asked<'_>, lacks: &[Lack], refused: bool) {
    let said = in_words(asked, lacks);
    if refused {
        let message = format!(
            "{said}: count the bin or bring in what is missing and retry, or retry and allow it"
        );
        *slot = Err(reason(code::NEGATIVE_STOCK, message));
    } else if let Ok(prepared) = slot {
        prepared.flags.push(flag::NEGATIVE_STOCK);
        prepared.note = Some(said);
    }
}

/// The same for lines on an order, as far as a bin was scanned: where Odoo reserved them, Odoo has looked.
pub(super) async fn settle_order(
    odoo: &mut Client,
    ground: Ground<'_>,
    asked: Asked<'_>,
    slot: &mut Resolved<Prepared>,
) -> Result<(), Trouble> {
    let Ok(Prepared {
        work: Some(Work::Order(job)),
        plan,
        ..
    }) = slot
    else {
        return Ok(());
    };
    let Task::Lines {
        way: Way::Pick,
        lines,
    } = &mut job.task
    else {
        return Ok(());
    };
    let mut transfer = as_transfer(asked.document, lines);
    let scanned = |line: &&TransferLine| line.from != NO_BIN;
    let stock = look(odoo, transfer.lines.iter().filter(scanned)).await?;
    let packages = match choose_packages(odoo, ground, asked, &stock, &mut transfer).await? {
        Ok(packages) => packages,
        Err(reason) => {
            *slot = Err(reason);
            return Ok(());
        }
    };
    for (line, said) in lines.iter_mut().zip(&transfer.lines) {
        line.package = said.package;
    }
    match owners(&stock, &transfer) {
        Ok(owners) => {
            // Whatever is seen now is seen once: a later send may find its own doing.
            let kept = Plan {
                owners: owners.clone(),
                packages,
                ..Plan::default()
            };
            *plan = Some(kept.text());
            for ((line, said), owner) in lines.iter_mut().zip(&mut transfer.lines).zip(owners) {
                (line.owner, said.owner) = (owner, owner);
            }
        }
        Err((line, owners)) => {
            let bin = bin_of(asked, line);
            *slot = Err(ambiguous_owner(odoo, bin, &owners).await?);
            return Ok(());
        }
    }
    let mut lacks = lacking(&stock, &transfer);
    lacks.retain(|(line, ..)| transfer.lines[*line].from != NO_BIN);
    if lacks.is_empty() || ground.rules.stock.negative == Negative::Allow {
        return Ok(());
    }
    let of = |which: fn(&TransferLine) -> i64| {
        (lacks.iter())
            .map(|(line, ..)| which(&transfer.lines[*line]))
            .collect()
    };
    let (stored, inside) = odoo
        .counted(&of(|line| line.product), &of(|line| line.from))
        .await?;
    lacks.retain(|(line, ..)| {
        let line = &transfer.lines[*line];
        stored.contains(&line.product) && inside.contains(&line.from)
    });
    if !lacks.is_empty() {
        let by_rule = ground.rules.stock.negative == Negative::Refuse;
        let refused = by_rule && !asked.allows(code::NEGATIVE_STOCK);
        let missing = missing(&transfer, &lacks);
        if refused && let Some(reason) = waits(odoo, ground, asked, &missing).await? {
            *slot = Err(reason);
            return Ok(());
        }
        tell(slot, asked, &lacks, refused);
    }
    Ok(())
}

/// Stands for the bin of a line that does not say it.
const NO_BIN: i64 = 0;

/// What the lines take, as a transfer of the same lines would.
fn as_transfer(document: &Document, lines: &[OrderLine]) -> Transfer {
    let taken = lines.iter().map(|line| TransferLine {
        product: line.product,
        from: line.from.unwrap_or(NO_BIN),
        to: NO_BIN,
        lot: line.lot.clone(),
        package: line.package,
        into: line.into,
        owner: line.owner,
        quantity: line.quantity,
    });
    Transfer {
        key: document.key,
        group: document.group.clone(),
        about: None,
        header: None,
        lines: taken.collect(),
        returned: Vec::new(),
        when: None,
    }
}

fn in_words(asked: Asked<'_>, lacks: &[Lack]) -> String {
    let parts: Vec<String> = (lacks.iter().take(SAID_MAX))
        .map(|(place, held, taken)| {
            let line = &asked.document.lines[*place];
            format!(
                "bin {} holds {} of {}, and {} are taken out",
                bin_of(asked, *place),
                held.round_dp(6).normalize(),
                line.product,
                taken.normalize()
            )
        })
        .collect();
    let more = if lacks.len() > SAID_MAX {
        "; and more"
    } else {
        ""
    };
    format!("{}{more}", parts.join("; "))
}

/// Where the line takes goods from, as it was scanned.
pub(super) fn bin_of(asked: Asked<'_>, line: usize) -> &str {
    let line = asked.document.lines.get(line);
    let from = line.and_then(|line| match asked.undoing {
        Some(_) => line.to.as_deref().or(line.from.as_deref()),
        None => line.from.as_deref(),
    });
    from.unwrap_or("?")
}

/// Whose goods each line takes: nobody's where some there are nobody's, as Odoo does; else those of the one owner. Empty
/// where it is nobody's everywhere. An error names a line and the several owners.
fn owners(stock: &Stock, transfer: &Transfer) -> Result<Vec<Option<i64>>, (usize, BTreeSet<i64>)> {
    let mut owners = Vec::new();
    for (place, line) in transfer.lines.iter().enumerate() {
        if line.owner.is_some() {
            owners.push(line.owner);
            continue;
        }
        let from = source(line);
        let there: BTreeSet<Option<i64>> = (stock.iter())
            .filter(|(held, quantity)| {
                Place {
                    owner: None,
                    ..**held
                } == from
                    && **quantity >= TOLERANCE
            })
            .map(|(held, _)| held.owner)
            .collect();
        if there.contains(&None) || there.is_empty() {
            owners.push(None);
        } else if there.len() == 1 {
            owners.extend(there);
        } else {
            return Err((place, there.into_iter().flatten().collect()));
        }
    }
    if owners.iter().all(Option::is_none) {
        owners.clear();
    }
    Ok(owners)
}

pub(super) async fn ambiguous_owner(
    odoo: &mut Client,
    bin: &str,
    owners: &BTreeSet<i64>,
) -> Result<Reason, Failure> {
    let names = odoo.partner_names(owners).await?;
    let message = format!(
        "bin {bin} holds it of several owners ({}): edit in whose it is",
        names.join(", ")
    );
    Ok(reason(code::OWNER_AMBIGUOUS, message))
}

fn lot(line: &TransferLine) -> Option<i64> {
    match line.lot {
        LotRef::Known { id, .. } => Some(id),
        _ => None,
    }
}

/// Where the line takes its goods from.
pub(super) fn source(line: &TransferLine) -> Place {
    Place {
        product: line.product,
        bin: line.from,
        lot: lot(line),
        package: line.package,
        owner: line.owner,
    }
}

/// What the transfer takes from each place, less what it brings there itself, and the first line that takes it.
pub(super) fn taken(transfer: &Transfer) -> BTreeMap<Place, (Option<usize>, Decimal)> {
    let mut taken = BTreeMap::<Place, (Option<usize>, Decimal)>::new();
    for (place, line) in transfer.lines.iter().enumerate() {
        let from = source(line);
        let to = Place {
            bin: line.to,
            package: line.into,
            ..from
        };
        let out = taken.entry(from).or_default();
        out.0.get_or_insert(place);
        out.1 += line.quantity;
        taken.entry(to).or_default().1 -= line.quantity;
    }
    taken
}

/// The places that would hold less than nothing.
fn lacking(stock: &Stock, transfer: &Transfer) -> Vec<Lack> {
    let lack = |(place, (line, quantity)): (Place, (Option<usize>, Decimal))| {
        let held = stock.get(&place).copied().unwrap_or_default();
        let short = quantity >= TOLERANCE && held - quantity <= -TOLERANCE;
        Some((line.filter(|_| short)?, held, quantity))
    };
    taken(transfer).into_iter().filter_map(lack).collect()
}

fn take(stock: &mut Stock, transfer: &Transfer) {
    for (place, (_, quantity)) in taken(transfer) {
        *stock.entry(place).or_default() -= quantity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentKey;

    fn transfer(lines: &[(i64, i64, i64)]) -> Transfer {
        let line = |(from, to, quantity): &(i64, i64, i64)| TransferLine {
            product: 1,
            from: *from,
            to: *to,
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
            product: 1,
            bin: 5,
            lot: None,
            package: None,
            owner,
        };
        held.iter()
            .map(|(owner, n)| (place(*owner), (*n).into()))
            .collect()
    }

    fn short(stock: &Stock, transfer: &Transfer) -> Vec<usize> {
        lacking(stock, transfer)
            .into_iter()
            .map(|lack| lack.0)
            .collect()
    }

    #[test]
    fn lines_of_one_place_add_up_and_what_comes_in_counts() {
        let mut held = stock(&[(None, 5)]);
        assert!(short(&held, &transfer(&[(5, 6, 3), (5, 7, 2)])).is_empty());
        assert_eq!(short(&held, &transfer(&[(5, 6, 3), (5, 7, 3)])), [0]);
        // Through a bin within one document, and out of it by the next.
        assert!(short(&held, &transfer(&[(6, 7, 2), (5, 6, 2)])).is_empty());
        take(&mut held, &transfer(&[(5, 6, 4)]));
        assert!(short(&held, &transfer(&[(6, 7, 4)])).is_empty());
        assert_eq!(short(&held, &transfer(&[(6, 7, 5), (5, 7, 1)])), [0]);
    }

    #[test]
    fn an_owner_is_taken_only_where_there_is_no_other() {
        let moved = transfer(&[(5, 6, 1), (7, 6, 1)]);
        assert_eq!(owners(&stock(&[(None, 5)]), &moved), Ok(vec![]));
        assert_eq!(
            owners(&stock(&[(None, 5), (Some(3), 1)]), &moved),
            Ok(vec![])
        );
        // One of whom nothing is left is none.
        let one = stock(&[(Some(3), 5), (Some(4), 0)]);
        assert_eq!(owners(&one, &moved), Ok(vec![Some(3), None]));
        let two = stock(&[(Some(3), 5), (Some(4), 1)]);
        assert_eq!(owners(&two, &moved), Err((0, BTreeSet::from([3, 4]))));
        let mut said = moved;
        said.lines[0].owner = Some(4);
        assert_eq!(owners(&two, &said), Ok(vec![Some(4), None]));
    }
}
