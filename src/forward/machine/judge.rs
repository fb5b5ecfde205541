//! Is what Odoo holds what the document says? Pure.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::document::OdooRef;
use crate::forward::odoo::{Picking, PickingLine, Transfer};
use crate::outcome::code;

/// Odoo computes with floating point; it rounds quantities to two digits unless told otherwise, to six at the most.
pub const TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done, with exactly the lines of the document.
    Done,
    /// Not posted yet, with exactly the lines of the document; its state.
    Open(String),
    /// A reason code and a message.
    Refused(&'static str, String),
}

/// Product, from, to, lot, package.
type Way = (i64, i64, i64, Option<i64>, Option<i64>);

/// Judges the picking with this id among those that were read, and names it.
pub fn judge(transfer: &Transfer, id: i64, pickings: &[Picking]) -> (Verdict, Option<OdooRef>) {
    let Some(picking) = pickings.iter().find(|picking| picking.id == id) else {
        let gone = format!("the picking with the id {id} is gone from Odoo: retry makes a new one");
        return (Verdict::Refused(code::DIFFERS_IN_ODOO, gone), None);
    };
    let name = picking
        .name
        .clone()
        .unwrap_or_else(|| format!("picking {id}"));
    let verdict = if picking.state == "cancel" {
        Verdict::Refused(
            code::CANCELLED_IN_ODOO,
            format!("{name} was cancelled in Odoo: discard it here, or scan the movement again"),
        )
    } else if let Some(difference) = difference(transfer, picking) {
        Verdict::Refused(
            code::DIFFERS_IN_ODOO,
            format!("{name} is {}: {difference}", picking.state),
        )
    } else if picking.state == "done" {
        Verdict::Done
    } else {
        Verdict::Open(picking.state.clone())
    };
    (verdict, Some(OdooRef { id, name }))
}

/// What Odoo holds otherwise than the document says, in words.
fn difference(transfer: &Transfer, picking: &Picking) -> Option<String> {
    let mut meant = BTreeMap::<Way, Decimal>::new();
    for line in &transfer.lines {
        let way = (line.product, line.from, line.to, line.lot, line.package);
        *meant.entry(way).or_default() += line.quantity;
    }
    let mut held = BTreeMap::<Way, Decimal>::new();
    for line in &picking.lines {
        let Some((way, quantity)) = way_of(line) else {
            return Some("it has a line that the gateway did not send".to_owned());
        };
        *held.entry(way).or_default() += quantity;
    }
    for (way, quantity) in &held {
        let sent = meant.remove(way).unwrap_or_default();
        if (sent - quantity).abs() >= TOLERANCE {
            let (product, from, to, ..) = way;
            return Some(format!(
                "it moves {} of product id {product} from location id {from} to {to} where the gateway sent {}",
                quantity.normalize(),
                sent.normalize()
            ));
        }
    }
    meant
        .into_iter()
        .find(|(_, sent)| *sent >= TOLERANCE)
        .map(|((product, from, to, ..), sent)| {
            format!(
                "it lacks {} of product id {product} from location id {from} to {to}",
                sent.normalize()
            )
        })
}

fn way_of(line: &PickingLine) -> Option<(Way, Decimal)> {
    if line.package_id != line.result_package_id {
        return None;
    }
    let number = line.quantity_product_uom.to_string();
    let quantity = Decimal::from_str_exact(&number)
        .or_else(|_| Decimal::from_scientific(&number))
        .ok()?;
    let way = (
        line.product_id?,
        line.location_id?,
        line.location_dest_id?,
        line.lot_id,
        line.package_id,
    );
    Some((way, quantity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentKey;
    use crate::forward::odoo::TransferLine;

    fn transfer(quantities: &[&str]) -> Transfer {
        let line = |quantity: &&str| TransferLine {
            product: 1,
            from: 2,
            to: 3,
            lot: None,
            package: None,
            quantity: quantity.parse().unwrap(),
        };
        Transfer {
            key: DocumentKey([1; 16]),
            group: "PDA-07".to_owned(),
            lines: quantities.iter().map(line).collect(),
            when: Some(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    fn picking(state: &str, lines: &serde_json::Value) -> Picking {
        serde_json::from_value(serde_json::json!({
            "id": 9, "name": "WH/INT/9", "state": state, "move_line_ids": lines
        }))
        .unwrap()
    }

    fn line(quantity: f64) -> serde_json::Value {
        serde_json::json!({
            "id": 1, "product_id": 1, "location_id": 2, "location_dest_id": 3, "lot_id": false,
            "package_id": false, "result_package_id": false, "quantity_product_uom": quantity
        })
    }

    fn code_of(transfer: &Transfer, picking: Picking) -> &'static str {
        match judge(transfer, 9, &[picking]).0 {
            Verdict::Done => "done",
            Verdict::Open(_) => "open",
            Verdict::Refused(code, _) => code,
        }
    }

    #[test]
    fn done_with_exactly_our_lines_is_done() {
        let lines = serde_json::json!([line(0.1), line(0.2)]);
        assert_eq!(
            code_of(&transfer(&["0.3"]), picking("done", &lines)),
            "done"
        );
        assert_eq!(
            code_of(&transfer(&["0.3"]), picking("assigned", &lines)),
            "open"
        );
    }

    #[test]
    fn anything_else_differs() {
        let one = serde_json::json!([line(1.0)]);
        for (sent, lines) in [
            (transfer(&["1.005"]), &serde_json::json!([line(1.01)])),
            (transfer(&["2"]), &one),
            (transfer(&["1"]), &serde_json::json!([])),
            (transfer(&["1"]), &serde_json::json!([line(1.0), line(1.0)])),
        ] {
            for state in ["done", "assigned"] {
                assert_eq!(code_of(&sent, picking(state, lines)), code::DIFFERS_IN_ODOO);
            }
        }
        let mut other = line(1.0);
        other["location_dest_id"] = 4.into();
        let other = serde_json::json!([other]);
        assert_eq!(
            code_of(&transfer(&["1"]), picking("done", &other)),
            code::DIFFERS_IN_ODOO
        );
        let mut unpacked = line(1.0);
        unpacked["package_id"] = 4.into();
        let unpacked = serde_json::json!([unpacked]);
        assert_eq!(
            code_of(&transfer(&["1"]), picking("done", &unpacked)),
            code::DIFFERS_IN_ODOO
        );
    }

    #[test]
    fn cancelled_or_gone_is_said_so() {
        let one = serde_json::json!([line(1.0)]);
        assert_eq!(
            code_of(&transfer(&["1"]), picking("cancel", &one)),
            code::CANCELLED_IN_ODOO
        );
        let (verdict, odoo) = judge(&transfer(&["1"]), 8, &[picking("done", &one)]);
        assert!(matches!(
            verdict,
            Verdict::Refused(code::DIFFERS_IN_ODOO, _)
        ));
        assert_eq!(odoo, None);
    }
}
