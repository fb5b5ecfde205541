//! Converts a plan to its stored form, and back.

use super::{Counted, CountedOf, FixedOrder, Moves, Packages, Plan};
use crate::book::Id;
use crate::journal::stored::plan::{
    CountedOfV1, CountedV1, FixedOrderV1, HeaderV1, MovesV1, PlanV1, ReturnedV1, plan_in, plan_out,
};
use crate::journal::stored::{BadRecord, convert};
use crate::odoo::{Header, Returned};
use crate::odoo_id::ProductId;

/// The stored form of a plan.
pub fn encode(plan: Plan) -> String {
    plan_in(&plan.into())
}

/// The plan that was stored. Fields that an older version did not have take their defaults.
pub fn decode(stored: &str) -> Result<Plan, BadRecord> {
    let plan = plan_out(stored)?;
    let lines: Result<_, _> = plan.lines.iter().map(read_moves).collect();
    Ok(Plan {
        count: plan.count.map(Into::into),
        owners: (plan.owners.into_iter())
            .map(|owner| owner.map(Into::into))
            .collect(),
        packages: (plan.packages.into_iter())
            .map(|packages| packages.map(Into::into))
            .collect(),
        header: plan.header.map(Into::into),
        returned: plan.returned.into_iter().map(Into::into).collect(),
        lines: lines?,
        order: plan.order.map(Into::into),
    })
}

impl From<Plan> for PlanV1 {
    fn from(plan: Plan) -> Self {
        Self {
            count: plan.count.map(Into::into),
            owners: (plan.owners.into_iter())
                .map(|owner| owner.map(Into::into))
                .collect(),
            packages: (plan.packages.into_iter())
                .map(|packages| packages.map(Into::into))
                .collect(),
            header: plan.header.map(Into::into),
            returned: plan.returned.into_iter().map(Into::into).collect(),
            lines: plan.lines.into_iter().map(Into::into).collect(),
            order: plan.order.map(Into::into),
        }
    }
}

convert!(
    Counted, CountedV1, product: into, bin: into, package: option, owner: option, difference,
    of: into, quantity, inventory: option,
);
convert!(CountedOf, CountedOfV1, lot: option, package: option, owner: option);
convert!(Header, HeaderV1, picking_type: into, from: into, to: into, return_of: option);
convert!(
    Returned, ReturnedV1, product: into, origin_move: into, sale_line: option,
    purchase_line: option,
);

impl From<Packages> for [Option<i64>; 2] {
    fn from(packages: Packages) -> Self {
        [packages.0, packages.1].map(|package| package.map(Into::into))
    }
}

impl From<[Option<i64>; 2]> for Packages {
    fn from([package, into]: [Option<i64>; 2]) -> Self {
        Self(package.map(Into::into), into.map(Into::into))
    }
}

impl From<FixedOrder> for FixedOrderV1 {
    fn from(order: FixedOrder) -> Self {
        let lines = order.lines.map(|lines| {
            (lines.into_iter())
                .map(|(line, quantity)| (line.get(), quantity))
                .collect()
        });
        Self {
            picking: order.picking.map(Into::into),
            pack: order.pack.into_iter().map(Into::into).collect(),
            picked: order.picked,
            lines,
        }
    }
}

impl From<FixedOrderV1> for FixedOrder {
    fn from(order: FixedOrderV1) -> Self {
        let lines = order.lines.map(|lines| {
            (lines.into_iter())
                .map(|(line, quantity)| (line.into(), quantity))
                .collect()
        });
        Self {
            picking: order.picking.map(Into::into),
            pack: order.pack.into_iter().map(Into::into).collect(),
            picked: order.picked,
            lines,
        }
    }
}

impl From<Moves> for MovesV1 {
    fn from(moves: Moves) -> Self {
        let ids = [
            moves.product.get(),
            number(moves.from),
            number(moves.to),
            number(moves.lot),
            number(moves.package),
            number(moves.into),
            number(moves.owner),
        ];
        Self(ids, moves.quantity.normalize().to_string())
    }
}

fn read_moves(MovesV1(ids, quantity): &MovesV1) -> Result<Moves, BadRecord> {
    let [product, from, to, lot, package, into, owner] = *ids;
    Ok(Moves {
        product: ProductId::new(product),
        from: of_number(from),
        to: of_number(to),
        lot: of_number(lot),
        package: of_number(package),
        into: of_number(into),
        owner: of_number(owner),
        quantity: quantity.parse().map_err(|error| BadRecord {
            what: "plan",
            why: format!("quantity {quantity:?}: {error}"),
        })?,
    })
}

fn number<T: Into<i64>>(id: Id<T>) -> i64 {
    match id {
        Id::Unknown => 0,
        Id::None => -1,
        Id::Known(id) => id.into(),
    }
}

fn of_number<T: From<i64>>(number: i64) -> Id<T> {
    match number {
        0 => Id::Unknown,
        -1 => Id::None,
        id => Id::Known(T::from(id)),
    }
}
