//! Compares the picking that Odoo holds with the document. Pure.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::document::OdooRef;
use crate::forward::faults;
use crate::odoo::LotRef;
use crate::odoo::{Picking, PickingLine, PickingState, TOLERANCE, Transfer};
use crate::odoo_id::{LocationId, LotId, PackageId, PartnerId, PickingId, ProductId};
use crate::reason::ReasonCode;

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done, with exactly the lines of the document.
    Done,
    /// Not posted yet, with exactly the lines of the document; has the picking's state.
    Open(PickingState),
    /// A reason code and a message.
    Refused(ReasonCode, String),
}

/// The goods and their way: the lines of a document and of a picking must agree in these values.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MovePath {
    product: ProductId,
    from: LocationId,
    to: LocationId,
    lot: Lot,
    /// The package before the move.
    package: Option<PackageId>,
    /// The package after the move.
    into: Option<PackageId>,
    owner: Option<PartnerId>,
}

/// A lot that Odoo had is identified by its id; a lot that a receipt creates, by its name until
/// then.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lot {
    None,
    Id(LotId),
    New(String),
}

/// Judges the picking with this id among the pickings that were read, and returns the picking's
/// name.
pub fn compare(
    transfer: &Transfer,
    id: PickingId,
    pickings: &[Picking],
) -> (Verdict, Option<OdooRef>) {
    let Some(picking) = pickings.iter().find(|picking| picking.id == id) else {
        let gone = format!(
            "Odoo no longer has the picking with the id {id}: retry to make a new picking, or discard this document"
        );
        return (Verdict::Refused(ReasonCode::DiffersInOdoo, gone), None);
    };
    let name = picking
        .name
        .clone()
        .unwrap_or_else(|| format!("picking {id}"));
    let verdict = if picking.state == PickingState::Cancelled {
        Verdict::Refused(
            ReasonCode::CancelledInOdoo,
            format!(
                "{name} was cancelled in Odoo: edit this document if the goods moved, else discard it"
            ),
        )
    } else if let Some(difference) = difference(transfer, picking) {
        Verdict::Refused(
            ReasonCode::DiffersInOdoo,
            format!("{name} is {}: {difference}", picking.state),
        )
    } else if picking.state == PickingState::Done {
        Verdict::Done
    } else {
        Verdict::Open(picking.state.clone())
    };
    (verdict, Some(OdooRef { id, name }))
}

/// Describes every difference between the picking in Odoo and the document.
fn difference(transfer: &Transfer, picking: &Picking) -> Option<String> {
    let mut meant = BTreeMap::<MovePath, Decimal>::new();
    for line in &transfer.lines {
        let lot = match &line.lot {
            LotRef::None => Lot::None,
            LotRef::Known { id, .. } => Lot::Id(*id),
            LotRef::New { name, .. } => Lot::New(name.clone()),
        };
        let way = MovePath {
            product: line.product,
            from: line.from,
            to: line.to,
            lot,
            package: line.package,
            into: line.into,
            owner: line.owner,
        };
        *meant.entry(way).or_default() += line.quantity;
    }
    let mut held = BTreeMap::<MovePath, Decimal>::new();
    let mut differences = Vec::new();
    for line in &picking.lines {
        match way_of(line, transfer, picking.state == PickingState::Done) {
            Some((way, quantity)) => *held.entry(way).or_default() += quantity,
            None => differences.push("it has a line that the gateway did not send".to_owned()),
        }
    }
    for (way, quantity) in &held {
        let sent = meant.remove(way).unwrap_or_default();
        if (sent - quantity).abs() >= TOLERANCE {
            let MovePath {
                product, from, to, ..
            } = way;
            differences.push(format!(
                "it moves {} of product id {product} from location id {from} to {to}, but the gateway sent {}",
                quantity.normalize(),
                sent.normalize()
            ));
        }
    }
    let lacking = meant.into_iter().filter(|(_, sent)| *sent >= TOLERANCE);
    differences.extend(lacking.map(|(way, sent)| {
        let MovePath {
            product, from, to, ..
        } = way;
        format!(
            "it lacks {} of product id {product} from location id {from} to {to}",
            sent.normalize()
        )
    }));
    faults::list(differences)
}

fn way_of(line: &PickingLine, transfer: &Transfer, is_done: bool) -> Option<(MovePath, Decimal)> {
    let number = line.quantity_product_uom.to_string();
    let quantity = Decimal::from_str_exact(&number)
        .or_else(|_| Decimal::from_scientific(&number))
        .ok()?;
    let way = MovePath {
        product: line.product_id?,
        from: line.location_id?,
        to: line.location_dest_id?,
        lot: lot_of(line, transfer, is_done),
        package: line.package_id,
        into: line.result_package_id,
        owner: line.owner_id,
    };
    Some((way, quantity))
}

/// A lot that we gave by name has an id as well, once the receipt has created it. A done line
/// without an id has lost its lot.
fn lot_of(line: &PickingLine, transfer: &Transfer, is_done: bool) -> Lot {
    let given = line.lot_name.as_ref().filter(|given| {
        let mut ours = (transfer.lines.iter()).filter(|ours| Some(ours.product) == line.product_id);
        ours.any(|ours| matches!(&ours.lot, LotRef::New { name, .. } if name == *given))
    });
    match (given, line.lot_id) {
        (Some(_), None) if is_done => Lot::None,
        (Some(name), _) => Lot::New(name.clone()),
        (None, Some(id)) => Lot::Id(id),
        (None, None) => Lot::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentKey;
    use crate::odoo::TransferLine;

    fn transfer(quantities: &[&str]) -> Transfer {
        let line = |quantity: &&str| TransferLine {
            product: ProductId::new(1),
            from: LocationId::new(2),
            to: LocationId::new(3),
            quantity: quantity.parse().unwrap(),
            ..TransferLine::default()
        };
        Transfer {
            key: DocumentKey([1; 16]),
            group: "PDA-07".to_owned(),
            about: None,
            header: None,
            lines: quantities.iter().map(line).collect(),
            returned: Vec::new(),
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
        match compare(transfer, PickingId::new(9), &[picking]).0 {
            Verdict::Done => "done",
            Verdict::Open(_) => "open",
            Verdict::Refused(code, _) => code.as_str(),
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
                assert_eq!(
                    code_of(&sent, picking(state, lines)),
                    ReasonCode::DiffersInOdoo.as_str()
                );
            }
        }
        let mut other = line(1.0);
        other["location_dest_id"] = 4.into();
        let other = serde_json::json!([other]);
        assert_eq!(
            code_of(&transfer(&["1"]), picking("done", &other)),
            ReasonCode::DiffersInOdoo.as_str()
        );
        let mut unpacked = line(1.0);
        unpacked["package_id"] = 4.into();
        let unpacked = serde_json::json!([unpacked]);
        assert_eq!(
            code_of(&transfer(&["1"]), picking("done", &unpacked)),
            ReasonCode::DiffersInOdoo.as_str()
        );
    }

    #[test]
    fn lots_packages_and_owners_are_compared_one_by_one() {
        let mut packed = transfer(&["1"]);
        packed.lines[0].into = Some(PackageId::new(4));
        packed.lines[0].owner = Some(PartnerId::new(5));
        packed.lines[0].lot = LotRef::New {
            name: "L1".to_owned(),
            dates: None,
        };
        let mut held = line(1.0);
        held["result_package_id"] = 4.into();
        held["owner_id"] = 5.into();
        held["lot_name"] = "L1".into();
        let code = |held: &serde_json::Value| {
            code_of(&packed, picking("done", &serde_json::json!([held])))
        };
        // Done, and Odoo created no lot for the name.
        assert_eq!(code(&held), ReasonCode::DiffersInOdoo.as_str());
        // The receipt created the lot.
        held["lot_id"] = 6.into();
        assert_eq!(code(&held), "done");
        for field in ["result_package_id", "owner_id", "lot_name"] {
            let mut other = held.clone();
            other[field] = false.into();
            assert_eq!(code(&other), ReasonCode::DiffersInOdoo.as_str(), "{field}");
        }
        let mut known = transfer(&["1"]);
        known.lines[0].lot = LotRef::Known {
            id: LotId::new(6),
            name: "L1".to_owned(),
        };
        let mut held = line(1.0);
        (held["lot_id"], held["lot_name"]) = (6.into(), "L1".into());
        let of = |id: i64, held: &serde_json::Value| {
            let mut held = held.clone();
            held["lot_id"] = id.into();
            code_of(&known, picking("done", &serde_json::json!([held])))
        };
        assert_eq!(
            (of(6, &held), of(7, &held)),
            ("done", ReasonCode::DiffersInOdoo.as_str())
        );
    }

    #[test]
    fn cancelled_or_gone_is_said_so() {
        let one = serde_json::json!([line(1.0)]);
        assert_eq!(
            code_of(&transfer(&["1"]), picking("cancel", &one)),
            ReasonCode::CancelledInOdoo.as_str()
        );
        let (verdict, odoo) = compare(
            &transfer(&["1"]),
            PickingId::new(8),
            &[picking("done", &one)],
        );
        assert!(matches!(
            verdict,
            Verdict::Refused(ReasonCode::DiffersInOdoo, _)
        ));
        assert_eq!(odoo, None);
    }
}
