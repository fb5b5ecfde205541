//! Builds the work that reverses a posted document, or a part of it.

use rust_decimal::Decimal;

use super::Undoing;
use super::plan::Plan;
use super::{Ground, Prepared, Resolved, reason};
use crate::document::Reason;
use crate::forward::job::Work;
use crate::forward::order::{Fixed, OrderLine, Part, Task, comes_back, holder};
use crate::odoo::TOLERANCE;
use crate::odoo::order::Seen;
use crate::odoo::{Client, Header, PickingState, Returned, Transfer, TransferLine};
use crate::odoo_id::{PickingId, ProductId};
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// Reverses the work of the document that `undoing` names.
pub(super) fn back(mut prepared: Prepared, undoing: &Undoing) -> Resolved<Prepared> {
    match &mut prepared.work {
        Some(Work::Transfer(transfer)) => {
            if let Some(kept) = &undoing.plan {
                Plan::read(kept)?.of_line(undoing.place).apply(transfer);
            }
            let nothing = |quantity: Decimal| quantity.abs() < TOLERANCE;
            if transfer.lines.iter().all(|line| nothing(line.quantity)) {
                let why = format!("document {} moved nothing", undoing.number);
                return Ok(Prepared::nothing(why));
            }
            turn_round(transfer, undoing.picking);
        }
        Some(Work::Order(job)) => {
            if let Task::Lines { lines, .. } = &job.task
                && let [taken, stays @ ..] = lines.as_slice()
            {
                job.task = Task::TakeBack {
                    of: undoing.key,
                    taken: taken.clone(),
                    stays: stays.to_vec(),
                };
            }
        }
        None => {}
    }
    Ok(prepared)
}

fn turn_round(transfer: &mut Transfer, picking: Option<PickingId>) {
    for line in &mut transfer.lines {
        std::mem::swap(&mut line.from, &mut line.to);
        std::mem::swap(&mut line.package, &mut line.into);
    }
    if let Some(header) = &mut transfer.header {
        std::mem::swap(&mut header.from, &mut header.to);
        header.return_of = picking.filter(|_| !transfer.returned.is_empty());
    }
    let about = transfer.about.take();
    transfer.about = Some(about.map_or_else(|| "undo".to_owned(), |of| format!("undo of {of}")));
}

/// Links returned goods that go out again to the order. For Odoo, that is the return of the return.
pub(super) async fn link(
    odoo: &mut Client,
    undoing: &Undoing,
    transfer: &mut Transfer,
) -> Result<(), Failure> {
    if transfer.returned.is_empty() || undoing.document.purpose.is_about_order() {
        return Ok(());
    }
    let moves = match undoing.picking {
        Some(picking) => odoo.moves_of(picking).await?,
        None => Vec::new(),
    };
    let came = |product: ProductId| moves.iter().find(|(_, of)| *of == product);
    for returned in &mut transfer.returned {
        if let Some((id, _)) = came(returned.product) {
            returned.origin_move = *id;
        }
    }
    transfer
        .returned
        .retain(|returned| came(returned.product).is_some());
    Ok(())
}

/// Creates a return for goods that were picked for an order or received on an order, if the picking
/// is already validated.
pub(super) async fn settle_order(
    odoo: &mut Client,
    ground: Ground<'_>,
    undoing: &Undoing,
    slot: &mut Resolved<Prepared>,
) -> Result<(), Failure> {
    let Ok(Prepared {
        work: Some(Work::Order(job)),
        flags,
        ..
    }) = slot
    else {
        return Ok(());
    };
    let Task::TakeBack { of, taken, stays } = &job.task else {
        return Ok(());
    };
    let seen = odoo
        .order_with(ground.warehouse, &job.order, undoing.picking)
        .await?;
    let picking = undoing.picking;
    job.fixed = Some(Box::new(Fixed {
        picking,
        ..Fixed::default()
    }));
    let Some(picking) = holder(&seen, *of) else {
        if let Some(reason) = by_somebody(&seen, undoing) {
            *slot = Err(reason);
        }
        return Ok(());
    };
    if picking.state != PickingState::Done {
        return Ok(());
    }
    let parts = comes_back(picking, *of, taken, stays);
    *slot = Ok(if parts.is_empty() {
        Prepared::nothing(format!("{} no longer has the goods", picking.name))
    } else {
        let about = format!(
            "undo of {} for {}",
            undoing.document.purpose.kind(),
            job.order
        );
        let returned = returned(odoo, taken.product, &parts).await?;
        let kind = odoo.return_type(picking.picking_type).await?;
        let transfer = Transfer {
            key: job.key,
            group: undoing.document.group.clone(),
            about: Some(about),
            header: Some(Header {
                picking_type: kind.unwrap_or(picking.picking_type),
                from: parts[0].of.to,
                to: parts[0].of.from,
                return_of: Some(picking.id),
            }),
            lines: parts.iter().map(|part| line_back(taken, part)).collect(),
            returned: returned.into_iter().collect(),
            when: job.when,
        };
        Prepared {
            work: Some(Work::Transfer(transfer)),
            note: Some(format!(
                "{} is finished: the gateway creates a return for the goods",
                picking.name
            )),
            flags: flags.clone(),
            plan: None,
        }
    });
    Ok(())
}

/// The reason that asks a person to reverse the event: its picking is finished, and none of its
/// lines is the gateway's.
fn by_somebody(seen: &Seen, undoing: &Undoing) -> Option<Reason> {
    let mut pickings = seen.pickings.iter();
    let done = pickings.find(|picking| Some(picking.id) == undoing.picking)?;
    let message = format!(
        "{} is finished, and none of its lines is the gateway's, because a user in Odoo posted the scanned goods or deleted the gateway's lines: reverse the movement in Odoo, and discard this",
        done.name
    );
    (done.state == PickingState::Done).then(|| reason(ReasonCode::NotUndone, message))
}

fn line_back(taken: &OrderLine, part: &Part<'_>) -> TransferLine {
    TransferLine {
        product: taken.product,
        from: part.of.to,
        to: part.of.from,
        lot: taken.lot.clone(),
        package: part.of.result_package,
        into: part.of.package,
        owner: part.of.owner,
        quantity: part.goes,
    }
}

/// The move that brought the product, and the line of the order that the move was for. If the
/// product has several moves, the first one.
async fn returned(
    odoo: &mut Client,
    product: ProductId,
    parts: &[Part<'_>],
) -> Result<Option<Returned>, Failure> {
    let moves = parts.iter().filter_map(|part| part.of.move_id);
    let Some(origin_move) = moves.min() else {
        return Ok(None);
    };
    let of_orders = odoo.order_lines(&[origin_move]).await?;
    let (sale_line, purchase_line) = of_orders.get(&origin_move).copied().unwrap_or_default();
    Ok(Some(Returned {
        product,
        origin_move,
        sale_line,
        purchase_line,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, DocumentKey, DocumentNumber, Purpose};
    use crate::event::Seq;
    use crate::odoo::{Header, TransferLine};
    use crate::odoo_id::{LocationId, PackageId, PartnerId, PickingTypeId};
    use jiff::Timestamp;

    fn undoing(plan: Option<&str>, place: usize) -> Undoing {
        Undoing {
            number: DocumentNumber::new(7),
            key: DocumentKey([7; 16]),
            seq: Seq::new(1),
            picking: Some(PickingId::new(70)),
            plan: plan.map(str::to_owned),
            place,
            document: Document {
                number: DocumentNumber::new(9),
                key: DocumentKey([9; 16]),
                purpose: Purpose::Count,
                group: "PDA-07".to_owned(),
                lines: Vec::new(),
                occurred: Timestamp::UNIX_EPOCH,
                sealed: Timestamp::UNIX_EPOCH,
                events: vec![Seq::new(2)],
                corrects: None,
                times: Vec::new(),
                flags: Vec::new(),
            },
        }
    }

    fn transfer() -> Prepared {
        let line = TransferLine {
            product: ProductId::new(1),
            from: LocationId::new(5),
            to: LocationId::new(6),
            package: Some(PackageId::new(8)),
            quantity: 3.into(),
            ..TransferLine::default()
        };
        Work::Transfer(Transfer {
            key: DocumentKey([9; 16]),
            group: "PDA-07".to_owned(),
            about: Some("count".to_owned()),
            header: Some(Header {
                picking_type: PickingTypeId::new(1),
                from: LocationId::new(5),
                to: LocationId::new(6),
                return_of: Some(PickingId::new(4)),
            }),
            lines: vec![line],
            returned: Vec::new(),
            when: None,
        })
        .into()
    }

    /// The bins of a line, its packages before and after, and its owner.
    #[derive(Debug, PartialEq, Eq)]
    struct Ends {
        bins: [i64; 2],
        packages: [Option<i64>; 2],
        owner: Option<i64>,
    }

    fn ends(prepared: &Prepared) -> Ends {
        let transfer = prepared.transfer().unwrap();
        let line = &transfer.lines[0];
        Ends {
            bins: [line.from, line.to].map(LocationId::get),
            packages: [line.package, line.into].map(|package| package.map(PackageId::get)),
            owner: line.owner.map(PartnerId::get),
        }
    }

    fn loose(from: i64, to: i64) -> Ends {
        Ends {
            bins: [from, to],
            packages: [None, None],
            owner: None,
        }
    }

    #[test]
    fn goods_go_back_where_they_came_from() {
        let owned = r#"{"owners":[null,3]}"#;
        let prepared = back(transfer(), &undoing(Some(owned), 1)).unwrap();
        let expected = Ends {
            packages: [None, Some(8)],
            owner: Some(3),
            ..loose(6, 5)
        };
        assert_eq!(ends(&prepared), expected);
        let transfer = prepared.transfer().unwrap();
        assert_eq!(transfer.about.as_deref(), Some("undo of count"));
        let header = transfer.header.unwrap();
        assert_eq!([header.from, header.to], [6, 5].map(LocationId::new));
        assert_eq!(header.return_of, None);
    }

    #[test]
    fn of_a_count_the_difference_is_taken_back() {
        let plan = |difference: &str| {
            format!(
                r#"{{"count":{{"product":1,"bin":5,"package":null,"owner":null,"difference":"{difference}"}}}}"#
            )
        };
        let more = back(transfer(), &undoing(Some(&plan("2")), 0)).unwrap();
        assert_eq!(ends(&more), loose(5, 6));
        assert_eq!(more.transfer().unwrap().lines[0].quantity, 2.into());
        let less = back(transfer(), &undoing(Some(&plan("-2")), 0)).unwrap();
        assert_eq!(ends(&less), loose(6, 5));
        let none = back(transfer(), &undoing(Some(&plan("0")), 0)).unwrap();
        assert_eq!(
            none,
            Prepared::nothing("document 7 moved nothing".to_owned())
        );
    }
}
