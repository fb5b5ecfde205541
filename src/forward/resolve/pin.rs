//! Fixes the picking and the lines of a document about an order, before its first call.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::plan::{FixedOrder, Plan};
use super::{Asked, Ground, Prepared, Resolved};
use crate::catalog::refresh::Trouble;
use crate::event::CLOCK_MIN;
use crate::forward::claims;
use crate::forward::job::Work;
use crate::forward::order::{Fixed, OrderJob, Parents, Task};
use crate::odoo::Client;
use crate::odoo::order::Seen;
use crate::odoo_id::{MoveLineId, PickingId};
use crate::outcome::Failure;

/// Reads the order and fixes the document's picking, unless an earlier send with a fixed picking
/// may have called Odoo.
pub(super) async fn pin(
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
    if let Task::TakeBack { .. } = job.task {
        return Ok(());
    }
    if let Task::Lines { .. } = job.task {
        let unread = |error| Failure::wait(format!("cannot read the journal: {error}"));
        job.claimed = claims::claimed_by_others(ground.journal, job.key).map_err(unread)?;
    }
    let kept = asked.plan.map(Plan::read).transpose().unwrap_or_default();
    if asked.again {
        // An older version fixed no picking, and may have called Odoo.
        job.fixed = kept
            .as_ref()
            .and_then(|plan| plan.order.as_ref())
            .map(fixed)
            .map(Box::new);
        let is_fixed = |fixed: &Fixed| fixed.is_enough_for(&job.task);
        if job.fixed.as_deref().is_none_or(is_fixed) {
            if pick_later(odoo, ground, job).await?
                && let (Some(mut kept), Some(fixed)) = (kept, &job.fixed)
            {
                kept.order = Some(kept_order(fixed));
                *plan = Some(kept.text());
            }
            // The gateway may have to find another step of the order.
            job.parents = parents(odoo, job).await?;
            return Ok(());
        }
    }
    let order = odoo.order(ground.warehouse, &job.order).await?;
    let is_picking = order
        .pickings
        .iter()
        .any(|picking| picking.name == job.order);
    if !is_picking && order.pickings.len() > 1 {
        job.parents = parents(odoo, job).await?;
    }
    let mut found = job.fix(&order);
    found.picked = picked(ground, job, &order, found.picking)?;
    if job.task != Task::Validate && !ground.rules.orders.validate_complete {
        found.lines = None;
    }
    let worked_out = plan
        .as_deref()
        .map(Plan::read)
        .transpose()
        .unwrap_or_default();
    let mut new = worked_out.or(kept).unwrap_or_default();
    new.order = Some(kept_order(&found));
    *plan = Some(new.text());
    job.fixed = Some(Box::new(found));
    job.seen = Some(Box::new(order));
    Ok(())
}

/// Reads the picked lines of an open picking again, because others may have picked since the
/// picking was fixed. Returns whether the picking is open.
async fn pick_later(
    odoo: &mut Client,
    ground: Ground<'_>,
    job: &mut OrderJob,
) -> Result<bool, Trouble> {
    let id = job.fixed.as_ref().and_then(|fixed| fixed.picking);
    let Some(id) = id.filter(|_| job.task == Task::Validate) else {
        return Ok(false);
    };
    let order = Seen {
        pickings: odoo.seen(&[id]).await?,
        ..Seen::default()
    };
    let Some(open) = order.pickings.iter().find(|picking| picking.is_open()) else {
        return Ok(false);
    };
    let later = picked(ground, job, &order, Some(id))?;
    if let Some(fixed) = &mut job.fixed {
        fixed.picked = fixed.picked.max(later);
        fixed.lines = Some(open.picked_lines());
    }
    Ok(true)
}

async fn parents(odoo: &mut Client, job: &OrderJob) -> Result<Parents, Trouble> {
    let bins = job.scanned_bins();
    if bins.is_empty() {
        return Ok(Parents::new());
    }
    Ok(odoo.parents(&bins).await?)
}

/// The time of the last pick on the picking: from the ledger for the gateway's lines, from Odoo for
/// all other lines.
fn picked(
    ground: Ground<'_>,
    job: &OrderJob,
    order: &Seen,
    picking: Option<PickingId>,
) -> Result<Option<Timestamp>, Trouble> {
    let mut last = None;
    let picking = order.pickings.iter().find(|p| Some(p.id) == picking);
    let lines = picking.into_iter().flat_map(|picking| &picking.lines);
    for line in lines.filter(|line| line.picked && !line.is_of(job.key)) {
        let known = match line.document() {
            Some(key) => ground.journal.document_by_key(key),
            None => Ok(None),
        };
        let known = known.map_err(|error| {
            Failure::wait(format!(
                "cannot read the time of a pick from the journal ({error}): check the disk of the journal"
            ))
        })?;
        let known = known.map(|entry| entry.document.occurred.min(ground.now));
        last = last.max(known.filter(|at| *at >= CLOCK_MIN).or_else(|| line.dated()));
    }
    Ok(last)
}

fn kept_order(fixed: &Fixed) -> FixedOrder {
    let text = |lines: &BTreeMap<MoveLineId, Decimal>| {
        let lines = lines.iter();
        lines.map(|(id, n)| (*id, n.to_string())).collect()
    };
    FixedOrder {
        picking: fixed.picking,
        pack: fixed.pack.clone(),
        picked: fixed.picked.map(Timestamp::as_second),
        lines: fixed.lines.as_ref().map(text),
    }
}

fn fixed(kept: &FixedOrder) -> Fixed {
    let picked = kept.picked.map(Timestamp::from_second);
    Fixed {
        picking: kept.picking,
        pack: kept.pack.clone(),
        picked: picked.transpose().unwrap_or_default(),
        lines: kept.lines.as_ref().map(|lines| {
            let lines = lines.iter();
            lines
                .filter_map(|(id, n)| Some((*id, n.parse().ok()?)))
                .collect()
        }),
    }
}
