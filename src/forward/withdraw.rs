//! What Odoo holds of a document that a person discarded or corrected is taken back, as long as it is not posted.
//!
//! A picking of our own is cancelled; our lines on somebody's order are taken off it. What turns out to be posted stays
//! posted, and that is said: it is for a person to reverse it in Odoo.

use super::resolve::is_about_order;
use crate::document::{Document, OdooRef};
use crate::odoo::{Client, Warehouse};
use crate::outcome::Failure;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawn {
    /// Nothing of it is left in Odoo but what was cancelled; so many pickings or lines of it were
    /// open.
    Gone { open: usize },
    /// This picking has it, and is done.
    Posted(String),
    /// Odoo does not let it go, in these words.
    Refused(String),
}

/// `known`: the picking that Odoo named for it. A search leaves out what the key's user may not
/// see, so it is read by its id, which Odoo then refuses.
/// `may_reserve`: an order is reserved again without the lines.
pub async fn withdraw(
    odoo: &mut Client,
    warehouse: &Warehouse,
    document: &Document,
    known: Option<&OdooRef>,
    may_reserve: bool,
) -> Result<Withdrawn, Failure> {
    if is_about_order(&document.purpose) {
        return lines(odoo, warehouse, document, known, may_reserve).await;
    }
    let mut held = odoo.held(document.key).await?;
    if let Some(known) = known.filter(|known| held.iter().all(|picking| picking.id != known.id)) {
        held.extend(odoo.pickings(&[known.id]).await?);
    }
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    if let Some(done) = held.iter().find(|picking| picking.state == "done") {
        return Ok(Withdrawn::Posted(name(&done.name)));
    }
    let open: Vec<i64> = (held.iter())
        .filter(|picking| picking.state != "cancel")
        .map(|picking| picking.id)
        .collect();
    if !open.is_empty() {
        odoo.cancel(&open).await?;
        let after = odoo.pickings(&open).await?;
        if let Some(done) = after.iter().find(|picking| picking.state == "done") {
            return Ok(Withdrawn::Posted(name(&done.name)));
        }
    }
    Ok(Withdrawn::Gone { open: open.len() })
}

async fn lines(
    odoo: &mut Client,
    warehouse: &Warehouse,
    document: &Document,
    known: Option<&OdooRef>,
    may_reserve: bool,
) -> Result<Withdrawn, Failure> {
    let order = document.purpose.order().unwrap_or_default();
    let mut seen = odoo.order(warehouse, order).await?;
    let missing = known.filter(|known| seen.pickings.iter().all(|picking| picking.id != known.id));
    if let Some(known) = missing {
        seen.pickings.extend(odoo.seen(&[known.id]).await?);
    }
    let (mut open, mut changed) = (Vec::new(), Vec::new());
    for picking in &seen.pickings {
        let ours = || picking.lines.iter().filter(|line| line.is_of(document.key));
        match picking.state.as_str() {
            "done" if ours().next().is_some() => {
                return Ok(Withdrawn::Posted(picking.name.clone()));
            }
            "done" | "cancel" => {}
            _ => {
                changed.extend(ours().next().map(|_| picking.id));
                open.extend(ours().map(|line| line.id));
            }
        }
    }
    if !open.is_empty() {
        odoo.remove_lines(&open).await?;
    }
    if may_reserve {
        // Also where the lines were removed while a lost call could still find reserved goods.
        changed.extend(
            known
                .map(|known| known.id)
                .filter(|id| !changed.contains(id)),
        );
        reserve_again(odoo, &changed).await?;
    }
    Ok(Withdrawn::Gone { open: open.len() })
}

/// A move whose picked lines are gone stays picked in Odoo, which does not reserve it any more.
async fn reserve_again(odoo: &mut Client, pickings: &[i64]) -> Result<(), Failure> {
    if pickings.is_empty() {
        return Ok(());
    }
    for picking in odoo.seen(pickings).await? {
        let moves = picking.picked_without_lines();
        if moves.is_empty() || !picking.is_open() {
            continue;
        }
        match odoo.reserve_again(&picking, &moves).await {
            // Nobody lost anything but a reservation.
            Ok(()) | Err(Failure::Person { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}
