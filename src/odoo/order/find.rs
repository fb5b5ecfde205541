//! Finds the pickings of an order: by name, then their backorders, then the other steps of the same
//! order.
//!
//! No search has a limit, because thousands of pickings may share an origin, and the missing one
//! would be the backorder. A limited number is read in full: first the named picking, then open
//! ones, then the newest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use crate::odoo::PickingState;
use crate::odoo::order::Seen;
use crate::odoo::values::id;
use crate::odoo::warehouse::Warehouse;
use crate::odoo_id::{LocationId, PickingId, SaleLineId};
use crate::outcome::Failure;

/// The most pickings of one order that the gateway reads in full.
const PICKINGS_MAX: usize = 100;
/// The most backorders of backorders that the gateway follows.
const CHAIN_MAX: usize = 100;

/// A picking that may belong to the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FoundPicking {
    is_named: bool,
    is_open: bool,
    backorder_of: Option<PickingId>,
    references: Vec<i64>,
}

type Pickings = BTreeMap<PickingId, FoundPicking>;

impl Client {
    /// Reads the order with this name, which names a picking, or a sale or purchase order: its
    /// steps, their backorders, their lines, and which of those lines are the gateway's own.
    pub async fn order(&mut self, warehouse: &Warehouse, order: &str) -> Result<Seen, Failure> {
        self.order_with(warehouse, order, None).await
    }

    /// Reads the same, and always the picking with the id `fixed`.
    pub async fn order_with(
        &mut self,
        warehouse: &Warehouse,
        order: &str,
        fixed: Option<PickingId>,
    ) -> Result<Seen, Failure> {
        let me = self.me().await?;
        let named = json!([
            "|",
            "|",
            ["name", "=", order],
            ["origin", "=", order],
            ["reference_ids.name", "=", order]
        ]);
        let mut found = self.pickings_where(warehouse, order, &named).await?;
        if let Some(fixed) = fixed.filter(|fixed| !found.contains_key(fixed)) {
            let by_id = json!([["id", "=", fixed]]);
            found.extend(self.pickings_where(warehouse, order, &by_id).await?);
        }
        let is_picking = found.values().any(|picking| picking.is_named);
        let too_many = too_many(&found).filter(|_| !is_picking);
        // The name of a picking names no other order: goods of several sales may share a picking.
        let references: BTreeSet<i64> = (found.values())
            .filter(|_| is_picking)
            .flat_map(|picking| picking.references.clone())
            .collect();
        let lines = if is_picking && references.is_empty() {
            self.sale_lines(found.keys().copied().collect()).await?
        } else {
            BTreeSet::new()
        };
        let steps = if lines.is_empty() {
            json!(["reference_ids", "in", references])
        } else {
            json!(["move_ids.sale_line_id", "in", lines])
        };
        let steps = (!references.is_empty() || !lines.is_empty()).then_some(steps);
        self.add_related(warehouse, order, steps, &mut found)
            .await?;
        let ids = to_read(&found, fixed);
        let pickings = if ids.is_empty() {
            Vec::new()
        } else {
            self.seen(&ids).await?
        };
        Ok(Seen {
            pickings,
            me,
            too_many,
        })
    }

    /// Adds the backorders and the other steps of the order: pickings with its references or, if it
    /// has no references, with its sale lines.
    async fn add_related(
        &mut self,
        warehouse: &Warehouse,
        order: &str,
        mut steps: Option<Value>,
        found: &mut Pickings,
    ) -> Result<(), Failure> {
        let mut newest: Vec<PickingId> = found.keys().copied().collect();
        for _ in 0..CHAIN_MAX {
            if newest.is_empty() {
                break;
            }
            let backorders = json!(["backorder_id", "in", newest]);
            let which = match steps.take() {
                Some(steps) => json!(["|", backorders, steps]),
                None => json!([backorders]),
            };
            let mut more = self.pickings_where(warehouse, order, &which).await?;
            more.retain(|id, _| !found.contains_key(id));
            newest = more.keys().copied().collect();
            found.extend(more);
        }
        Ok(())
    }

    async fn sale_lines(
        &mut self,
        pickings: Vec<PickingId>,
    ) -> Result<BTreeSet<SaleLineId>, Failure> {
        #[derive(Deserialize)]
        struct Move {
            sale_line_id: Value,
        }
        // Odoo lacks this field without the app Sales.
        if self.has_sales.is_none() {
            let body = json!({"allfields": ["sale_line_id"], "attributes": ["type"]});
            let fields: BTreeMap<String, Value> =
                self.call("stock.move", "fields_get", &body).await?;
            self.has_sales = Some(!fields.is_empty());
        }
        if self.has_sales != Some(true) {
            return Ok(BTreeSet::new());
        }
        let body = json!({
            "domain": [["picking_id", "in", pickings], ["sale_line_id", "!=", false]],
            "fields": ["sale_line_id"], "load": null,
        });
        let moves: Vec<Move> = self.call("stock.move", "search_read", &body).await?;
        Ok((moves.iter())
            .filter_map(|of| id(&of.sale_line_id))
            .collect())
    }

    async fn pickings_where(
        &mut self,
        warehouse: &Warehouse,
        order: &str,
        which: &Value,
    ) -> Result<Pickings, Failure> {
        #[derive(Deserialize)]
        struct Row {
            id: PickingId,
            name: Value,
            state: PickingState,
            backorder_id: Value,
            #[serde(default)]
            reference_ids: Value,
        }
        let mut domain = vec![json!(["picking_type_id.warehouse_id", "=", warehouse.id])];
        domain.extend(which.as_array().cloned().unwrap_or_default());
        let body = json!({
            "domain": domain, "fields": ["name", "state", "backorder_id", "reference_ids"], "order": "id", "load": null,
        });
        let rows: Vec<Row> = self.call("stock.picking", "search_read", &body).await?;
        let found = rows.into_iter().map(|row| {
            let references = match row.reference_ids {
                Value::Array(ids) => ids.iter().filter_map(id).collect(),
                one => id(&one).into_iter().collect(),
            };
            let picking = FoundPicking {
                is_named: row.name == order,
                is_open: row.state.is_open(),
                backorder_of: id(&row.backorder_id),
                references,
            };
            (row.id, picking)
        });
        Ok(found.collect())
    }

    /// The location of each of these bins, with all the locations that contain it.
    pub async fn parents(
        &mut self,
        bins: &BTreeSet<LocationId>,
    ) -> Result<BTreeMap<LocationId, Vec<LocationId>>, Failure> {
        #[derive(Deserialize)]
        struct Row {
            id: LocationId,
            parent_path: Value,
        }
        let body = json!({"ids": bins, "fields": ["parent_path"], "load": null});
        let rows: Vec<Row> = self.call("stock.location", "read", &body).await?;
        let path = |row: Row| {
            let path = row.parent_path.as_str().unwrap_or_default();
            let ids = path
                .split('/')
                .filter_map(|id| id.parse().ok().map(LocationId::new));
            (row.id, ids.chain([row.id]).collect())
        };
        Ok(rows.into_iter().map(path).collect())
    }
}

/// The number of open pickings, if it is more than one order can have.
fn too_many(found: &Pickings) -> Option<usize> {
    let open = found.values().filter(|picking| picking.is_open).count();
    (open > PICKINGS_MAX).then_some(open)
}

/// The order for reading: pickings with the name first, then open ones, then the newest.
fn to_read(found: &Pickings, fixed: Option<PickingId>) -> Vec<PickingId> {
    let mut meant: BTreeSet<PickingId> = (found.iter())
        .filter(|(_, picking)| picking.is_named)
        .map(|(id, _)| *id)
        .chain(fixed)
        .collect();
    loop {
        let follows = |(id, picking): &(&PickingId, &FoundPicking)| {
            !meant.contains(id) && picking.backorder_of.is_some_and(|of| meant.contains(&of))
        };
        let more: Vec<PickingId> = found.iter().filter(follows).map(|(id, _)| *id).collect();
        if more.is_empty() {
            break;
        }
        meant.extend(more);
    }
    let mut ids: Vec<PickingId> = found.keys().copied().collect();
    ids.sort_by_key(|id| (!meant.contains(id), !found[id].is_open, Reverse(*id)));
    ids.truncate(PICKINGS_MAX.max(meant.len()));
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_name_stands_for_is_read_however_many_there_are() {
        let picking = |is_named, is_open, backorder_of| FoundPicking {
            is_named,
            is_open,
            backorder_of,
            references: Vec::new(),
        };
        let mut found: Pickings = (100..2_200)
            .map(|id| (PickingId::new(id), picking(false, true, None)))
            .collect();
        found.insert(PickingId::new(1), picking(true, false, None));
        found.insert(
            PickingId::new(2),
            picking(false, false, Some(PickingId::new(1))),
        );
        found.insert(
            PickingId::new(3),
            picking(false, true, Some(PickingId::new(2))),
        );
        let ids = to_read(&found, Some(PickingId::new(7)));
        assert_eq!(ids.len(), PICKINGS_MAX);
        assert_eq!(&ids[..3], [3, 2, 1].map(PickingId::new));
        assert_eq!(too_many(&found), Some(2_101));
    }
}
