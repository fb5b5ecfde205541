//! In 17 a move that Odoo makes of a bare line has a demand of 0, and the validation makes a second
//! move of each, one after the other (`stock.move._create_extra_move`). Where the demand is what is
//! moved, it makes none, and is five times as fast (`docs/odoo.md`, "Odoo 17 and 18").

use serde_json::{Value, json};

use crate::odoo::dialect::Dialect;
use crate::odoo::values::decimal;
use crate::odoo::{Client, MoveState};
use crate::odoo_id::PickingId;
use crate::outcome::Failure;

const MOVE: &str = "stock.move";

impl Client {
    /// Sets the missing demands of the gateway's own pickings before their validation: each move
    /// without a demand gets its moved quantity, all in one call. A demand that a person or an
    /// order set does not change.
    pub(in crate::odoo) async fn set_missing_demands(
        &mut self,
        pickings: &[PickingId],
    ) -> Result<(), Failure> {
        if self.dialect().await? != Dialect::V17 {
            return Ok(());
        }
        let domain = json!([
            ["picking_id", "in", pickings],
            ["state", "not in", MoveState::FINISHED],
            ["product_uom_qty", "=", 0],
        ]);
        let body = json!({"domain": domain, "fields": ["quantity"], "load": null});
        let moves: Vec<Value> = self.call(MOVE, "search_read", &body).await?;
        let rows: Vec<[String; 2]> = moves.iter().filter_map(row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let body = json!({
            "fields": [".id", "product_uom_qty"], "data": rows, "context": self.context(),
        });
        // Without the demand, the validation has the same result, but takes longer.
        match self.call::<Value>(MOVE, "load", &body).await {
            Ok(_) | Err(Failure::Person { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

fn row(moved: &Value) -> Option<[String; 2]> {
    let quantity = decimal(&moved["quantity"]).filter(|quantity| !quantity.is_zero())?;
    Some([
        moved["id"].as_i64()?.to_string(),
        quantity.normalize().to_string(),
    ])
}
