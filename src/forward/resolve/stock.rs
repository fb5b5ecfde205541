//! Checks the stock of bins before goods are taken out: the owner of the goods, and whether there
//! are enough.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::bins::{SAID_MAX, Stock, bin_of, source, taken};
use super::incoming::{Missing, on_its_way};
use super::package::{choose_packages, describe_packages};
use super::plan::{Places, Plan, keep, transfer_of};
use super::{Asked, Ground, Prepared, Resolved, reason};
use crate::catalog::refresh::Trouble;
use crate::config::Negative;
use crate::document::{Document, Reason};
use crate::forward::faults::{self, Fault};
use crate::forward::job::Work;
use crate::forward::order::{OrderLine, Task, Way};
use crate::odoo::TOLERANCE;
use crate::odoo::stock::Place;
use crate::odoo::{Client, Transfer, TransferLine};
use crate::odoo_id::{LocationId, PartnerId};
use crate::outcome::Failure;
use crate::reason::{Flag, ReasonCode};

/// Reads the stock of the places that the lines take from, in one call.
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

/// Gives lines their owners, and applies `stock.negative`. Goes through the documents in order, so
/// that a document can take what an earlier document brings.
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
        let (packages, mut faults) = choose_packages(odoo, ground, asked, &stock, transfer).await?;
        // Reversed goods have the owner that they had.
        let (owners, shared) = match asked.undoing {
            Some(_) => (transfer.lines.iter().map(|l| l.owner).collect(), Vec::new()),
            None => owners(&stock, transfer),
        };
        faults.extend(ambiguous_owners(odoo, asked, &shared).await?);
        let plan = Plan {
            owners,
            packages,
            returned: transfer.returned.clone(),
            ..Plan::default()
        };
        keep(&mut resolved[*place], &plan);
        if let Ok(prepared) = &mut resolved[*place] {
            prepared.note = describe_packages(ground, asked, &plan.packages)?;
        }
        let Some(transfer) = transfer_of(&mut resolved[*place]) else {
            continue;
        };
        let lacks = lacking(&stock, transfer, &faults);
        let refuses = ground.rules.stock.negative == Negative::Refuse;
        let parks = refuses && !asked.allows(ReasonCode::NegativeStock) && !lacks.is_empty();
        if !parks && faults.is_empty() {
            take(&mut stock, transfer);
        }
        let is_told = !lacks.is_empty() && ground.rules.stock.negative != Negative::Allow;
        if is_told || !faults.is_empty() {
            short.push(Short {
                place: *place,
                lacks,
                refused: parks,
                faults,
            });
        }
    }
    say(odoo, ground, documents, resolved, short).await
}

/// A document that takes more than Odoo holds, or has a line whose source only a person can choose.
struct Short {
    place: usize,
    lacks: Vec<Lack>,
    /// Whether `stock.negative` parks the document for its missing goods.
    refused: bool,
    /// The faults that park the document in any case.
    faults: Vec<Fault>,
}

/// The index of a line that takes more than its place holds, the held quantity, and the quantity
/// that all lines take from the place.
type Lack = (usize, Decimal, Decimal);

async fn say(
    odoo: &mut Client,
    ground: Ground<'_>,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
    mut short: Vec<Short>,
) -> Result<(), Trouble> {
    if short.is_empty() {
        return Ok(());
    }
    let (mut products, mut bins) = (BTreeSet::new(), BTreeSet::new());
    for Short { place, lacks, .. } in &short {
        let transfer = resolved[*place].as_ref().ok().and_then(Prepared::transfer);
        for line in lacks.iter().filter_map(|lack| transfer?.lines.get(lack.0)) {
            products.insert(line.product);
            bins.insert(line.from);
        }
    }
    // Goods without stock in Odoo and places outside the warehouse are never checked: their stock
    // means nothing.
    let (stored, inside) = odoo.counted(&products, &bins).await?;
    for short in &mut short {
        let (lacks, refused) = (&mut short.lacks, short.refused);
        let slot = &mut resolved[short.place];
        let Some(transfer) = transfer_of(slot) else {
            continue;
        };
        lacks.retain(|(line, ..)| {
            let line = &transfer.lines[*line];
            stored.contains(&line.product) && inside.contains(&line.from)
        });
        let asked = documents[short.place];
        if lacks.is_empty() && short.faults.is_empty() {
            continue;
        }
        if !short.faults.is_empty() {
            park(
                slot,
                asked,
                lacks,
                refused,
                std::mem::take(&mut short.faults),
            );
            continue;
        }
        let missing = missing(transfer, lacks);
        if refused && let Some(reason) = waits(odoo, ground, asked, &missing).await? {
            *slot = Err(reason);
            continue;
        }
        tell(slot, asked, lacks, refused);
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

/// The reason that holds a document back if the missing goods are on their way. Without it, the
/// document would be parked.
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
    Ok(message.map(|message| reason(ReasonCode::HeldBack, message)))
}

/// Flags a document that takes more than Odoo holds, or parks it if `refused`.
fn tell(slot: &mut Resolved<Prepared>, asked: Asked<'_>, lacks: &[Lack], refused: bool) {
    if refused {
        park(slot, asked, lacks, true, Vec::new());
    } else if let Ok(prepared) = slot {
        prepared.flags.push(Flag::NegativeStock);
        prepared.note = Some(in_words(asked, lacks));
    }
}

/// Parks a document for the faults of its lines, and for missing goods if `refused`.
fn park(
    slot: &mut Resolved<Prepared>,
    asked: Asked<'_>,
    lacks: &[Lack],
    refused: bool,
    mut faults: Vec<Fault>,
) {
    let refused = lacks.iter().filter(|_| refused);
    faults.extend(refused.map(|lack| {
        let message = format!(
            "{}: count the bin or bring in the missing goods and retry, or retry and allow negative stock",
            describe_lack(asked, lack)
        );
        Fault::new(lack.0, ReasonCode::NegativeStock, message)
    }));
    if let Some(reason) = faults::join(faults) {
        *slot = Err(reason);
    }
}

/// Does the same for lines on an order that have a scanned bin. For the other lines, Odoo checked
/// the stock when it reserved the goods.
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
    let (packages, mut faults) =
        choose_packages(odoo, ground, asked, &stock, &mut transfer).await?;
    for (line, said) in lines.iter_mut().zip(&transfer.lines) {
        line.package = said.package;
    }
    let (owners, shared) = owners(&stock, &transfer);
    faults.extend(ambiguous_owners(odoo, asked, &shared).await?);
    // Uses the stock that this read found only once: a later send may find its own movements.
    let kept = Plan {
        owners: owners.clone(),
        packages,
        ..Plan::default()
    };
    *plan = Some(kept.text());
    for ((line, said), owner) in lines.iter_mut().zip(&mut transfer.lines).zip(owners) {
        (line.owner, said.owner) = (owner, owner);
    }
    let mut lacks = lacking(&stock, &transfer, &faults);
    lacks.retain(|(line, ..)| transfer.lines[*line].from != NO_BIN);
    if lacks.is_empty() || ground.rules.stock.negative == Negative::Allow {
        park(slot, asked, &[], false, faults);
        return Ok(());
    }
    let lines = || (lacks.iter()).map(|(line, ..)| &transfer.lines[*line]);
    let products = lines().map(|line| line.product).collect();
    let bins = lines().map(|line| line.from).collect();
    let (stored, inside) = odoo.counted(&products, &bins).await?;
    lacks.retain(|(line, ..)| {
        let line = &transfer.lines[*line];
        stored.contains(&line.product) && inside.contains(&line.from)
    });
    let by_rule = ground.rules.stock.negative == Negative::Refuse;
    let refused = by_rule && !asked.allows(ReasonCode::NegativeStock);
    if !faults.is_empty() {
        park(slot, asked, &lacks, refused, faults);
    } else if !lacks.is_empty() {
        let missing = missing(&transfer, &lacks);
        if refused && let Some(reason) = waits(odoo, ground, asked, &missing).await? {
            *slot = Err(reason);
            return Ok(());
        }
        tell(slot, asked, &lacks, refused);
    }
    Ok(())
}

/// The bin of a line that names no bin.
const NO_BIN: LocationId = LocationId::new(0);

/// A transfer that takes what the lines take.
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
        .map(|lack| describe_lack(asked, lack))
        .collect();
    let more = if lacks.len() > SAID_MAX {
        "; and more"
    } else {
        ""
    };
    format!("{}{more}", parts.join("; "))
}

fn describe_lack(asked: Asked<'_>, (place, held, taken): &Lack) -> String {
    let line = &asked.document.lines[*place];
    format!(
        "bin {} holds {} of {}, and this document takes {} out",
        bin_of(asked, *place),
        held.round_dp(6).normalize(),
        line.goods.product,
        taken.normalize()
    )
}

/// The index of a line, and the owners that its goods may belong to.
type Shared = (usize, BTreeSet<PartnerId>);

/// The owner of the goods that each line takes. No owner if some of the goods in the place have no
/// owner, as in Odoo; otherwise the only owner. Empty: no line has an owner. Also returns the lines
/// for which only a person can choose the owner.
fn owners(stock: &Stock, transfer: &Transfer) -> (Vec<Option<PartnerId>>, Vec<Shared>) {
    let (mut owners, mut shared) = (Vec::new(), Vec::new());
    for (place, line) in transfer.lines.iter().enumerate() {
        if line.owner.is_some() {
            owners.push(line.owner);
            continue;
        }
        let from = source(line);
        let there: BTreeSet<Option<PartnerId>> = (stock.iter())
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
            shared.push((place, there.into_iter().flatten().collect()));
            owners.push(None);
        }
    }
    if owners.iter().all(Option::is_none) {
        owners.clear();
    }
    (owners, shared)
}

async fn ambiguous_owners(
    odoo: &mut Client,
    asked: Asked<'_>,
    shared: &[Shared],
) -> Result<Vec<Fault>, Failure> {
    let mut faults = Vec::new();
    for (line, owners) in shared {
        let reason = ambiguous_owner(odoo, bin_of(asked, *line), owners).await?;
        faults.push(Fault {
            line: *line,
            reason,
        });
    }
    Ok(faults)
}

pub(super) async fn ambiguous_owner(
    odoo: &mut Client,
    bin: &str,
    owners: &BTreeSet<PartnerId>,
) -> Result<Reason, Failure> {
    let names = odoo.partner_names(owners).await?;
    let message = format!(
        "bin {bin} holds goods of several owners ({}): edit the document and enter the owner",
        names.join(", ")
    );
    Ok(reason(ReasonCode::OwnerAmbiguous, message))
}

/// The places that would have negative stock. Leaves out lines with `faults`, because the place
/// that they take from is unknown.
fn lacking(stock: &Stock, transfer: &Transfer, faults: &[Fault]) -> Vec<Lack> {
    let lack = |(place, (line, quantity)): (Place, (Option<usize>, Decimal))| {
        let held = stock.get(&place).copied().unwrap_or_default();
        let short = quantity >= TOLERANCE && held - quantity <= -TOLERANCE;
        Some((line.filter(|_| short)?, held, quantity))
    };
    let mut lacks: Vec<Lack> = taken(transfer).into_iter().filter_map(lack).collect();
    lacks.retain(|(line, ..)| faults.iter().all(|fault| fault.line != *line));
    lacks
}

fn take(stock: &mut Stock, transfer: &Transfer) {
    for (place, (_, quantity)) in taken(transfer) {
        *stock.entry(place).or_default() -= quantity;
    }
}
