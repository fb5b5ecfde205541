//! Performs one step about an order that Odoo has: one call to Odoo, and its answer for the
//! machine.
//!
//! **In**: a step that `order` decided. **Out**: the input that the machine expects for this step,
//! or the failure of the call.

use super::order::{OrderJob, OrderStep};
use super::send::Input;
use crate::odoo::{Client, Warehouse};
use crate::outcome::Failure;

/// Performs one step about an order.
pub(super) async fn step(
    client: &mut Client,
    warehouse: &Warehouse,
    job: &OrderJob,
    next: &OrderStep,
) -> Result<Input, Failure> {
    match next {
        OrderStep::Read => {
            let fixed = job.fixed.as_ref().and_then(|fixed| fixed.picking);
            let seen = client.order_with(warehouse, &job.order, fixed).await?;
            return Ok(Input::Seen(seen));
        }
        OrderStep::Add { picking, rows } => {
            client.add_lines(picking, rows).await?;
        }
        OrderStep::Guard {
            picking,
            scanned,
            others,
            remove,
            ..
        } => {
            let guarded = client.guard_validation(picking, scanned, others, remove);
            guarded.await?;
        }
        OrderStep::ReserveAgain { picking, moves } => {
            client.reserve_again(picking, moves).await?;
        }
        OrderStep::Validate { picking, backorder } => {
            client.validate_order(*picking, *backorder).await?;
        }
        OrderStep::SetDone { picking, at } => {
            client.set_done(&[(*picking, Some(*at))]).await?;
        }
        OrderStep::Remove { lines } => client.remove_lines(lines).await?,
        OrderStep::Reduce { picking, lines } => {
            client.reduce_lines(picking, lines).await?;
        }
        OrderStep::Reserve { picking, from } => {
            client.reserve(*picking).await?;
            let is_bin = !client.has_bins(*from).await?;
            return Ok(Input::Reserved { is_bin });
        }
        OrderStep::Pack {
            picking,
            lines,
            package,
        } => {
            client.pack_lines(picking, lines, *package).await?;
        }
        OrderStep::Ship {
            picking,
            shipment,
            note,
        } => client.ship(*picking, shipment, note.as_deref()).await?,
        OrderStep::Finish(_) => {}
    }
    Ok(Input::Done)
}
