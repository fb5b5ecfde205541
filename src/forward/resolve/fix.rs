//! Fixes what a document about an order is about, before its first call.

use jiff::Timestamp;

use super::plan::{FixedOrder, Plan};
use super::{Asked, Ground, Prepared, Resolved};
use crate::forward::claims;
use crate::forward::machine::Work;
use crate::forward::odoo::Client;
use crate::forward::order::{Fixed, Task};
use crate::forward::refresh::Trouble;
use crate::outcome::Failure;

/// Reads the order and fixes the document's picking, unless a call may have been made by what is fixed already.
pub(super) async fn fix(
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
        let unread = |error| Failure::wait(format!("the journal cannot be read: {error}"));
        job.claimed = claims::claimed_by_others(ground.journal, job.key).map_err(unread)?;
    }
    let kept = asked.plan.map(Plan::read).transpose().unwrap_or_default();
    if asked.again {
        // An older version fixed nothing, and may have made calls.
        job.fixed = kept
            .as_ref()
            .and_then(|plan| plan.order.as_ref())
            .map(fixed)
            .map(Box::new);
        let is_fixed = |fixed: &Box<Fixed>| fixed.is_enough_for(&job.task);
        if job.fixed.as_ref().is_none_or(is_fixed) {
            return Ok(());
        }
    }
    let order = odoo.order(ground.warehouse, &job.order).await?;
    let found = job.fix(&order);
    let worked_out = plan
        .as_deref()
        .map(Plan::read)
        .transpose()
        .unwrap_or_default();
    let mut new = worked_out.or(kept).unwrap_or_default();
    new.order = Some(FixedOrder {
        picking: found.picking,
        pack: found.pack.clone(),
        picked: found.picked.map(Timestamp::as_second),
    });
    *plan = Some(new.text());
    job.fixed = Some(Box::new(found));
    job.seen = Some(Box::new(order));
    Ok(())
}

fn fixed(kept: &FixedOrder) -> Fixed {
    let picked = kept.picked.map(Timestamp::from_second);
    Fixed {
        picking: kept.picking,
        pack: kept.pack.clone(),
        picked: picked.transpose().unwrap_or_default(),
    }
}
