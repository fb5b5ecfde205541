//! Recovers interrupted sends: asks Odoo what it holds of a document that was sent before and that
//! no longer resolves.
//!
//! **Promise:** no device receives *refused* for a document whose lines Odoo shows as done.

use crate::document::{Document, OdooRef, Reason};
use crate::odoo::order::SeenPicking;
use crate::odoo::{Client, Picking, PickingState, Warehouse};
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// What Odoo holds of a document that cannot be sent again.
#[derive(Debug, PartialEq, Eq)]
pub enum Held {
    /// Odoo holds the document as done: the answer to the send was lost.
    Posted(OdooRef),
    /// Odoo holds a done picking with the document's key that has only a part of its lines.
    Unknown(Reason, OdooRef),
    /// Odoo holds the document and has not posted it.
    Open(Reason, OdooRef),
    /// Odoo holds nothing of the document.
    Absent(Reason),
}

/// Reads what Odoo holds of the document; `reason` is why the document cannot be sent again.
pub async fn find_out(
    odoo: &mut Client,
    warehouse: &Warehouse,
    document: &Document,
    reason: Reason,
) -> Result<Held, Failure> {
    if document.purpose.is_about_order() {
        let order = document.purpose.order().unwrap_or_default();
        let seen = odoo.order(warehouse, order).await?;
        // Odoo takes all lines of a document or none: where one line is, all lines are.
        let holds = |picking: &&SeenPicking| picking.lines.iter().any(|l| l.is_of(document.key));
        return Ok(match seen.pickings.iter().find(holds) {
            Some(picking) => Held::Posted(picking.named()),
            None => Held::Absent(reason),
        });
    }
    let held = odoo.held(document.key).await?;
    Ok(judge(document, &held, reason))
}

fn judge(document: &Document, held: &[Picking], mut reason: Reason) -> Held {
    let named = |picking: &Picking| OdooRef {
        id: picking.id,
        name: picking.name.clone().unwrap_or_default(),
    };
    let mut done = held
        .iter()
        .filter(|picking| picking.state == PickingState::Done);
    // Without ids, only the number of lines can be compared.
    let whole = |picking: &&Picking| picking.lines.len() == document.lines.len();
    if let Some(picking) = done.clone().find(whole) {
        return Held::Posted(named(picking));
    }
    if let Some(picking) = done.next() {
        let odoo = named(picking);
        let message = format!(
            "an interrupted send left {} done with {} lines, but the gateway sent {}. Look in Odoo for pickings with \"stockrelay\" and {} in the origin: \
             if they are right, discard this document; else enter the barcodes in Odoo and retry. The gateway cannot compare the lines because {}",
            odoo.name,
            picking.lines.len(),
            document.lines.len(),
            document.key,
            reason.message
        );
        let code = ReasonCode::UnknownOutcome.into();
        return Held::Unknown(
            Reason {
                code,
                message,
                lines: Vec::new(),
            },
            odoo,
        );
    }
    match held
        .iter()
        .find(|picking| picking.state != PickingState::Cancelled)
    {
        Some(picking) => {
            let odoo = named(picking);
            reason.message = format!(
                "{} (an interrupted send: Odoo holds the document as {}, not posted)",
                reason.message, odoo.name
            );
            Held::Open(reason, odoo)
        }
        None => Held::Absent(reason),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::document::{DocumentKey, DocumentNumber, Line, Purpose};
    use crate::event::{Goods, Seq};

    fn document() -> Document {
        let line = Line {
            goods: Goods {
                product: "400".to_owned(),
                from: Some("A".to_owned()),
                to: Some("B".to_owned()),
                quantity: 1.into(),
                ..Goods::default()
            },
            events: vec![Seq::new(1)],
        };
        Document {
            number: DocumentNumber::new(1),
            key: DocumentKey([1; 16]),
            purpose: Purpose::Transfer,
            group: "PDA-07".to_owned(),
            lines: vec![line; 2],
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: vec![Seq::new(1)],
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        }
    }

    fn picking(id: i64, state: &str, lines: usize) -> Picking {
        let line = serde_json::json!({
            "product_id": 1, "location_id": 2, "location_dest_id": 3, "lot_id": false, "package_id": false,
            "result_package_id": false, "quantity_product_uom": 1
        });
        serde_json::from_value(serde_json::json!({
            "id": id, "name": format!("WH/INT/{id}"), "state": state, "move_line_ids": vec![line; lines]
        }))
        .unwrap()
    }

    fn stands(held: &[Picking]) -> (&'static str, i64) {
        let reason = Reason {
            code: ReasonCode::UnknownProduct.into(),
            message: "no product".to_owned(),
            lines: Vec::new(),
        };
        match judge(&document(), held, reason) {
            Held::Posted(odoo) => ("posted", odoo.id.get()),
            Held::Unknown(reason, odoo) => {
                assert_eq!(reason.code, ReasonCode::UnknownOutcome);
                ("unknown", odoo.id.get())
            }
            Held::Open(reason, odoo) => {
                assert_eq!(reason.code, ReasonCode::UnknownProduct);
                ("open", odoo.id.get())
            }
            Held::Absent(_) => ("absent", 0),
        }
    }

    #[test]
    fn what_is_done_in_odoo_is_never_refused() {
        let (other, whole) = (picking(8, "done", 3), picking(9, "done", 2));
        let (open, cancelled) = (picking(7, "assigned", 2), picking(6, "cancel", 2));
        assert_eq!(stands(&[open.clone(), other.clone(), whole]), ("posted", 9));
        assert_eq!(stands(&[open.clone(), other]), ("unknown", 8));
        assert_eq!(stands(&[cancelled.clone(), open]), ("open", 7));
        assert_eq!(stands(&[cancelled]), ("absent", 0));
        assert_eq!(stands(&[]), ("absent", 0));
    }
}
