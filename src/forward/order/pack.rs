//! Puts everything that was picked for an order into one package.

use super::target::{self, Target};
use super::{Call, OrderStep, Reconciling, posted, refuse};
use crate::odoo::PickingState;
use crate::odoo::order::Seen;
use crate::odoo::order::{SeenLine, SeenPicking};
use crate::odoo_id::{MoveLineId, PackageId};
use crate::reason::ReasonCode;

impl Reconciling {
    pub(super) fn pack_all(&self, seen: &Seen, package: PackageId) -> OrderStep {
        let fixed = self.job.fixed.as_ref();
        if let Some(fixed) = fixed.filter(|fixed| !fixed.pack.is_empty()) {
            return self.pack_fixed(seen, package, &fixed.pack);
        }
        // Nothing was loose before the first call, or an older version made that call.
        let holds = |picking: &&&SeenPicking| {
            let mut lines = picking.lines.iter();
            lines.any(|line| line.picked && line.result_package == Some(package))
        };
        let is_older = self.job.again && fixed.is_none();
        let of_order = target::of_order(seen, &self.job.order);
        if let Some(picking) = of_order.iter().find(holds).filter(|_| is_older) {
            return posted(picking.named(), true);
        }
        let picking = match target::with_picks(seen, &self.job.order) {
            Target::Open(picking) => picking,
            Target::Closed(pickings) => {
                let packed =
                    |p: &&&SeenPicking| p.lines.iter().any(|l| l.result_package == Some(package));
                return match pickings.iter().rev().find(packed) {
                    Some(picking) => posted(picking.named(), true),
                    None => self.closed(&pickings, &[]),
                };
            }
            Target::Several(_) | Target::Nothing => return self.unknown(),
        };
        let loose: Vec<MoveLineId> = picking.loose().collect();
        if !loose.is_empty() && !self.did(Call::Wrote) {
            return OrderStep::Pack {
                picking: Box::new(picking.clone()),
                lines: loose,
                package,
            };
        }
        let mut picked = picking.lines.iter().filter(|line| line.picked);
        if picked.any(|line| line.result_package == Some(package)) {
            return posted(picking.named(), !self.did(Call::Wrote));
        }
        refuse(
            ReasonCode::NothingPicked,
            format!(
                "all goods picked for {} are in a package already: discard this document, or retry after the next picks",
                picking.name
            ),
            Some(picking.named()),
        )
    }

    /// Packs the lines that were fixed, whatever was picked since.
    fn pack_fixed(&self, seen: &Seen, package: PackageId, fixed: &[MoveLineId]) -> OrderStep {
        let is_fixed = |line: &&SeenLine| fixed.contains(&line.id);
        let holds = |picking: &&SeenPicking| picking.lines.iter().any(|line| is_fixed(&line));
        let Some(picking) = seen.pickings.iter().find(holds) else {
            let picking = self.fixed(seen).map(SeenPicking::named);
            let message = format!(
                "somebody removed from {} goods that belong in the package. Pack the goods in Odoo, and discard this document",
                self.job.order
            );
            return refuse(ReasonCode::OrderChanged, message, picking);
        };
        let lines = || picking.lines.iter().filter(is_fixed);
        if lines().count() == fixed.len() && lines().all(|l| l.result_package == Some(package)) {
            return posted(picking.named(), !self.did(Call::Wrote));
        }
        let named = Some(picking.named());
        if !picking.is_open() {
            let code = if picking.state == PickingState::Done {
                ReasonCode::OrderDone
            } else {
                ReasonCode::OrderCancelled
            };
            let message = format!(
                "{} is {} in Odoo, where some goods of this document are not in the package. If these goods are in the package on the floor, pack them in Odoo too; then discard this document",
                picking.name, picking.state
            );
            return refuse(code, message, named);
        }
        let loose: Vec<MoveLineId> = lines()
            .filter(|line| line.result_package.is_none())
            .map(|line| line.id)
            .collect();
        if !loose.is_empty() && !self.did(Call::Wrote) {
            return OrderStep::Pack {
                picking: Box::new(picking.clone()),
                lines: loose,
                package,
            };
        }
        let message = format!(
            "somebody changed on {} goods that belong in the package. Pack the goods in Odoo, and discard this document",
            picking.name
        );
        refuse(ReasonCode::OrderChanged, message, named)
    }
}
