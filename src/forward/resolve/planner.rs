//! Makes the plan of each kind of document, from what Odoo holds.

use super::plan::{Packages, Places, Plan, keep, keep_moves, lines_of, transfer_of};
use super::{Asked, Ground, Intent, Prepared, Resolved, count, pin, returns, reverse, stock};
use crate::catalog::refresh::Trouble;
use crate::document::Purpose;
use crate::odoo::Client;

/// Makes a plan for each document that has no plan. For the others, makes the work follow the
/// stored plan. Reads Odoo's current stock only if the documents are about to be sent.
pub(super) async fn plan(
    odoo: &mut Client,
    ground: Ground<'_>,
    intent: Intent,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
) -> Result<(), Trouble> {
    let (mut counts, mut moves) = (Places::new(), Places::new());
    for (place, (asked, resolved)) in documents.iter().zip(resolved.iter_mut()).enumerate() {
        if let (Some(kept), Some(lines)) = (asked.plan, lines_of(resolved)) {
            let plan = Plan::read(kept).unwrap_or_default();
            for (line, owner) in lines.iter_mut().zip(plan.owners) {
                line.owner = owner;
            }
            for (line, packages) in lines.iter_mut().zip(plan.packages) {
                if let Some(Packages(package, into)) = packages {
                    (line.package, line.into) = (package, into);
                }
            }
        } else if intent == Intent::Send {
            match asked.undoing {
                Some(undoing) => reverse::settle_order(odoo, ground, undoing, resolved).await?,
                None => stock::settle_order(odoo, ground, *asked, resolved).await?,
            }
        }
        if intent == Intent::Send {
            pin::pin(odoo, ground, *asked, resolved).await?;
        }
        let Some(transfer) = transfer_of(resolved) else {
            continue;
        };
        if let Some(kept) = asked.plan {
            match Plan::read(kept) {
                Ok(plan) => plan.apply(transfer),
                Err(reason) => *resolved = Err(reason),
            }
            continue;
        }
        if let Some(undoing) = asked.undoing {
            if intent == Intent::Send {
                reverse::link(odoo, undoing, transfer).await?;
                moves.push(place);
            }
            continue;
        }
        match &asked.document.purpose {
            Purpose::Count | Purpose::Recount { .. } if intent == Intent::Send => {
                counts.push(place);
            }
            Purpose::Transfer | Purpose::Scrap { .. } | Purpose::Pack { .. }
                if intent == Intent::Send =>
            {
                moves.push(place);
            }
            Purpose::Return {
                order: Some(order), ..
            } => match returns::find(odoo, ground, *asked, order, transfer).await? {
                Ok(plan) => keep(resolved, &plan),
                Err(reason) => *resolved = Err(reason),
            },
            _ => {}
        }
    }
    count::work_out(odoo, ground, documents, resolved, &counts).await?;
    stock::settle(odoo, ground, documents, resolved, &moves).await?;
    if intent == Intent::Send {
        let new = documents
            .iter()
            .zip(resolved)
            .filter(|(asked, _)| asked.plan.is_none());
        new.for_each(|(_, resolved)| keep_moves(resolved));
    }
    Ok(())
}
