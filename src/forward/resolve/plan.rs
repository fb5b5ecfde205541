//! The plan of a document: what was calculated from Odoo's stock before the first send.
//!
//! After the first send Odoo may hold something else, because of the document itself. So the plan
//! is stored with the document, and every later attempt follows it. Only the picked lines of a
//! validation are read again.

mod stored;

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Prepared, Resolved, reason};
use crate::book::{End, Id};
use crate::document::Reason;
use crate::forward::job::Work;
use crate::forward::order::{OrderJob, OrderLine, Task};
use crate::odoo::LotRef;
use crate::odoo::{Header, Returned, Transfer, TransferLine};
use crate::odoo_id::{LocationId, LotId, MoveLineId, PackageId, PartnerId, PickingId, ProductId};
use crate::reason::ReasonCode;

/// The plan of one document. [`stored`] converts it to its stored form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub count: Option<Counted>,
    /// The owner of the goods of each line. Empty: no line has an owner.
    pub owners: Vec<Option<PartnerId>>,
    /// The packages of each line. `None`: as scanned. Empty: all lines are as scanned.
    pub packages: Vec<Option<Packages>>,
    pub header: Option<Header>,
    pub returned: Vec<Returned>,
    /// The movement of each line.
    pub lines: Vec<Moves>,
    /// The picking and lines of a document about an order. `None`: not fixed yet, or an older
    /// version started to send the document.
    pub order: Option<FixedOrder>,
}

/// The movement of one line, by Odoo's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moves {
    pub product: ProductId,
    pub from: Id<LocationId>,
    pub to: Id<LocationId>,
    pub lot: Id<LotId>,
    /// The package before the movement; `into`: the package after it.
    pub package: Id<PackageId>,
    pub into: Id<PackageId>,
    pub owner: Id<PartnerId>,
    /// In the product's own unit.
    pub quantity: Decimal,
}

impl Moves {
    fn of_transfer(line: &TransferLine) -> Self {
        Self {
            product: line.product,
            from: Id::Known(line.from),
            to: Id::Known(line.to),
            lot: lot_id(&line.lot),
            package: Id::of(line.package),
            into: Id::of(line.into),
            owner: Id::of(line.owner),
            quantity: line.quantity,
        }
    }

    /// Odoo decides the values that were not scanned, from its reservation.
    fn of_order(line: &OrderLine) -> Self {
        let lot = match lot_id(&line.lot) {
            Id::None => Id::Unknown,
            lot => lot,
        };
        Self {
            product: line.product,
            from: or_unknown(line.from),
            to: or_unknown(line.to),
            lot,
            package: or_unknown(line.package),
            into: or_unknown(line.into),
            owner: or_unknown(line.owner),
            quantity: line.quantity,
        }
    }

    /// The place that goods are taken from, and the place that they are put in.
    pub fn ends(&self) -> [End; 2] {
        let end = |bin, package| End {
            product: self.product,
            bin,
            lot: self.lot,
            package,
            owner: self.owner,
        };
        [end(self.from, self.package), end(self.to, self.into)]
    }
}

/// The scanned id. `Unknown`: nothing was scanned, and Odoo decides.
fn or_unknown<T>(id: Option<T>) -> Id<T> {
    id.map_or(Id::Unknown, Id::Known)
}

fn lot_id(lot: &LotRef) -> Id<LotId> {
    match lot {
        LotRef::None => Id::None,
        LotRef::Known { id, .. } => Id::Known(*id),
        LotRef::New { .. } => Id::Unknown,
    }
}

/// The movements of a document's lines, from its stored plan.
pub fn moves(kept: &str) -> Vec<Moves> {
    Plan::read(kept).map(|plan| plan.lines).unwrap_or_default()
}

/// Adds the movements of the lines to the plan, by Odoo's ids, because names may change their
/// meaning later.
pub(super) fn keep_moves(resolved: &mut Resolved<Prepared>) {
    let Ok(prepared) = resolved else { return };
    let lines: Vec<Moves> = match &prepared.work {
        Some(Work::Transfer(transfer)) => transfer.lines.iter().map(Moves::of_transfer).collect(),
        Some(Work::Order(job)) => match &job.task {
            Task::Lines { lines, .. } => lines.iter().map(Moves::of_order).collect(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    if lines.is_empty() {
        return;
    }
    let kept = prepared.plan.as_deref().map(Plan::read);
    if let Ok(mut plan) = kept.unwrap_or_else(|| Ok(Plan::default())) {
        plan.lines = lines;
        prepared.plan = Some(plan.text());
    }
}

/// The picking and lines of a document about an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FixedOrder {
    pub picking: Option<PickingId>,
    /// Picked lines that are put into a package.
    pub pack: Vec<MoveLineId>,
    /// When the last line that was picked before was picked, in seconds since 1970.
    pub picked: Option<i64>,
    /// The picked quantities before the validation, by line, as text.
    pub lines: Option<BTreeMap<MoveLineId, String>>,
}

/// The result of a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub product: ProductId,
    pub bin: LocationId,
    pub package: Option<PackageId>,
    pub owner: Option<PartnerId>,
    /// The counted quantity less the quantity that Odoo held, in the product's own unit. A text, so
    /// that it keeps its digits.
    pub difference: String,
    pub of: CountedOf,
    /// The counted quantity in the product's own unit, as text.
    pub quantity: Option<String>,
    /// The location for inventory differences of the product.
    pub inventory: Option<LocationId>,
}

/// The counted part of the bin, as scanned. `None` matches any value: with `lot: None` all lots
/// were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CountedOf {
    pub lot: Option<LotId>,
    pub package: Option<PackageId>,
    pub owner: Option<PartnerId>,
}

impl Plan {
    pub fn read(kept: &str) -> Result<Self, Reason> {
        stored::decode(kept).map_err(|error| {
            let message = format!("its stored plan cannot be read: {}", error.why);
            reason(ReasonCode::UnknownOutcome, message)
        })
    }

    pub fn text(&self) -> String {
        stored::encode(self.clone())
    }

    /// The part of the plan for one line.
    pub fn of_line(self, place: usize) -> Self {
        let owner = self.owners.get(place).copied();
        let packages = self.packages.get(place).copied();
        Self {
            owners: owner.into_iter().collect(),
            packages: packages.into_iter().collect(),
            lines: Vec::new(),
            ..self
        }
    }

    /// Makes the transfer follow the plan.
    pub fn apply(&self, transfer: &mut Transfer) {
        if let Some(counted) = &self.count {
            let difference: Decimal = counted.difference.parse().unwrap_or_default();
            apply_count(transfer, counted, difference);
        }
        for (line, owner) in transfer.lines.iter_mut().zip(&self.owners) {
            line.owner = *owner;
        }
        for (line, packages) in transfer.lines.iter_mut().zip(&self.packages) {
            if let Some(packages) = packages {
                packages.apply(line);
            }
        }
        if let Some(header) = self.header {
            transfer.header = Some(header);
            for line in &mut transfer.lines {
                line.from = header.from;
            }
        }
        transfer.returned.clone_from(&self.returned);
    }
}

/// The packages of a line: the one that the goods are taken out of, and the one that they are put
/// into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packages(pub Option<PackageId>, pub Option<PackageId>);

impl Packages {
    pub fn apply(self, line: &mut TransferLine) {
        (line.package, line.into) = (self.0, self.1);
    }
}

/// Sets the quantity and the direction of a count's line: a missing quantity goes from the bin to
/// the inventory location, and a surplus comes from there.
pub(super) fn apply_count(transfer: &mut Transfer, counted: &Counted, difference: Decimal) {
    let more = difference > Decimal::ZERO;
    if let Some(line) = transfer.lines.first_mut() {
        line.owner = counted.owner;
        line.quantity = difference.abs();
        (line.package, line.into) = (counted.package, None);
        if more {
            std::mem::swap(&mut line.from, &mut line.to);
            std::mem::swap(&mut line.package, &mut line.into);
        }
    }
    if let Some(header) = transfer.header.as_mut().filter(|_| more) {
        std::mem::swap(&mut header.from, &mut header.to);
    }
}

/// The indexes of documents of one kind, among all documents that are resolved together.
pub(super) type Places = Vec<usize>;

/// The transfer of a document. `None`: the document is parked or has no transfer.
pub(super) fn transfer_of(resolved: &mut Resolved<Prepared>) -> Option<&mut Transfer> {
    match resolved {
        Ok(Prepared {
            work: Some(Work::Transfer(transfer)),
            ..
        }) => Some(transfer),
        _ => None,
    }
}

/// The lines of a document about an order. `None`: the document is parked or has no such lines.
pub(super) fn lines_of(resolved: &mut Resolved<Prepared>) -> Option<&mut Vec<OrderLine>> {
    match resolved {
        Ok(Prepared {
            work:
                Some(Work::Order(OrderJob {
                    task: Task::Lines { lines, .. },
                    ..
                })),
            ..
        }) => Some(lines),
        _ => None,
    }
}

/// Stores the plan, and makes the transfer follow it.
pub(super) fn keep(resolved: &mut Resolved<Prepared>, plan: &Plan) {
    if let Some(transfer) = transfer_of(resolved) {
        plan.apply(transfer);
    }
    if let Ok(prepared) = resolved {
        prepared.plan = Some(plan.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo_id::{MoveId, PickingTypeId, SaleLineId};

    #[test]
    fn a_plan_is_stored_byte_for_byte_as_ever() {
        let plan = Plan {
            count: Some(Counted {
                product: ProductId::new(1),
                bin: LocationId::new(2),
                package: None,
                owner: Some(PartnerId::new(4)),
                difference: "-0.10".to_owned(),
                of: CountedOf {
                    lot: Some(LotId::new(5)),
                    ..CountedOf::default()
                },
                quantity: Some("7".to_owned()),
                inventory: Some(LocationId::new(14)),
            }),
            owners: vec![None, Some(PartnerId::new(3))],
            packages: vec![None, Some(Packages(Some(PackageId::new(8)), None))],
            header: Some(Header {
                picking_type: PickingTypeId::new(1),
                from: LocationId::new(2),
                to: LocationId::new(3),
                return_of: Some(PickingId::new(4)),
            }),
            returned: vec![Returned {
                product: ProductId::new(1),
                origin_move: MoveId::new(2),
                sale_line: Some(SaleLineId::new(3)),
                purchase_line: None,
            }],
            lines: vec![Moves {
                product: ProductId::new(1),
                from: Id::Known(LocationId::new(2)),
                to: Id::Unknown,
                lot: Id::None,
                package: Id::None,
                into: Id::Known(PackageId::new(9)),
                owner: Id::None,
                quantity: Decimal::new(15, 1),
            }],
            order: Some(FixedOrder {
                picking: Some(PickingId::new(1)),
                pack: vec![MoveLineId::new(2)],
                picked: Some(3),
                lines: Some(BTreeMap::from([(MoveLineId::new(4), "5.5".to_owned())])),
            }),
        };
        assert_eq!(plan.text(), include_str!("plan/whole.json").trim_end());
        assert_eq!(Plan::read(&plan.text()), Ok(plan));
        let older = r#"{"count":{"product":1,"bin":2,"package":9,"owner":null,"difference":"1"}}"#;
        let older = Plan::read(older).unwrap().count.unwrap();
        assert_eq!(older.of, CountedOf::default(), "of the whole bin");
        assert_eq!(Plan::default().text(), "{}");
        assert_eq!(Plan::read("{}"), Ok(Plan::default()));
        assert_eq!(
            Plan::read("-3").unwrap_err().code,
            ReasonCode::UnknownOutcome
        );
    }
}
