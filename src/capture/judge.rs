//! Judges an event by the copy of Odoo's data and by the events before it: what the device shows,
//! whether the event is wrong, and what it counts for. Pure.
//!
//! **Promise:** an unknown code is wrong only if the copy is fresh, and an unknown order only if
//! the copy also has all open orders.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::memory::{Counts, Memory, Way};
use super::texts::Key;
use crate::catalog::{Found, OrderFound, Planned, Product};
use crate::event::{Action, Event, Field, Movement};
use crate::odoo::{Direction, PickingState};
use crate::odoo_id::LocationId;
use crate::reason::RejectionCode;

/// What the copy has under an event's codes. `None`: the event does not have such a code.
#[derive(Debug, Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Facts {
    pub product: Option<Arc<Found<Product>>>,
    pub from: Option<Arc<Found<LocationId>>>,
    pub to: Option<Arc<Found<LocationId>>>,
    pub order: Option<Arc<OrderFound>>,
    /// The serial number comes in although it is already on hand.
    pub on_hand: bool,
    /// The lot comes in and is new, and the operation type of receipts does not use lots: the lot
    /// would be lost.
    pub lots_off: bool,
    /// The name of the product, bin, package or order of a raw scan.
    pub what: Option<String>,
    /// The copy was refreshed a short while ago: a code that it does not have does not exist.
    pub fresh: bool,
    /// The copy is fresh and has all open orders: an order that it does not have is not open.
    pub all_orders: bool,
    /// By `orders.pick_over` or `orders.receive_over`, more than was ordered is no fault.
    pub over_allowed: bool,
}

/// The text for the person who scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    pub ok: bool,
    pub key: Key,
    pub arguments: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub say: Say,
    /// The reason code. `None`: the event is right.
    pub refused: Option<RejectionCode>,
    pub counts: Counts,
}

/// The codes of an event, and which way its goods go.
#[derive(Debug, Clone, Copy)]
pub struct Codes<'a> {
    pub product: Option<&'a str>,
    pub quantity: Decimal,
    pub lot: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    /// An order that has to be open. `None` also for a return: goods come back after the order is
    /// done.
    pub order: Option<&'a str>,
    pub way: Way,
}

/// Reads the codes of an event.
#[must_use]
pub fn codes(action: &Action) -> Codes<'_> {
    let way = match action {
        Action::Move(moved) => way(moved.movement),
        _ => Way::Neither,
    };
    let order = match action {
        Action::Move(moved) if way != Way::Unknown => moved.order.as_deref(),
        Action::PackOrder { order, .. } => Some(order.as_str()),
        _ => None,
    };
    let goods = action.goods();
    Codes {
        product: goods.map(|goods| goods.product.as_str()),
        quantity: action.number(Field::Quantity).unwrap_or(Decimal::ONE),
        lot: action.text(Field::Lot),
        from: action.text(Field::From),
        to: action.text(Field::To),
        order,
        way,
    }
}

/// Which way a movement takes goods through the door of the warehouse.
#[must_use]
pub fn way(movement: Movement) -> Way {
    match movement {
        Movement::Pick => Way::Out,
        Movement::Receive => Way::In,
        Movement::Scrap | Movement::Return => Way::Unknown,
        Movement::Transfer | Movement::Count | Movement::Pack => Way::Neither,
    }
}

/// Judges an event by the facts and by the events before it.
#[must_use]
pub fn judge(event: &Event, facts: &Facts, memory: &Memory) -> Judgement {
    let codes = codes(&event.action);
    let mut counts = Counts::default();
    let verdict = decide(event, &codes, facts, memory, &mut counts);
    match verdict {
        Ok(say) => Judgement {
            say,
            refused: None,
            counts,
        },
        Err((code, say)) => Judgement {
            say,
            refused: Some(code),
            counts,
        },
    }
}

/// Judges the undo of an event. The event no longer counts, and the place of its serial number is
/// unknown.
#[must_use]
pub fn judge_undo(undone: &Event, facts: &Facts, memory: &Memory) -> Judgement {
    let codes = codes(&undone.action);
    if undone.action.quantity().is_none() {
        let what = undone.action.kind().to_owned();
        return Judgement {
            say: Say {
                ok: false,
                key: Key::CannotUndo,
                arguments: vec![("what", what)],
            },
            refused: None,
            counts: Counts::default(),
        };
    }
    let product = match facts.product.as_deref() {
        Some(Found::One(product)) => Some(product),
        _ => None,
    };
    let mut counts = Counts::default();
    // Whether the event was right no longer matters.
    let _ = check_order(&codes, facts, memory, product, &mut counts, &mut None);
    if let Some((_, _, quantity)) = &mut counts.order {
        *quantity = -*quantity;
    }
    if let (Some(product), Some(lot)) = (product.filter(|product| product.serial), codes.lot)
        && codes.way != Way::Neither
    {
        counts.serial = Some((product.id, lot.to_owned(), Way::Unknown));
    }
    let what = match (product, codes.product) {
        (Some(product), _) => {
            let quantity = product.measure.nearest(codes.quantity);
            format!("{quantity} × {}", product.name)
        }
        (None, Some(code)) => format!("{} × {code}", codes.quantity.normalize()),
        (None, None) => undone.action.kind().to_owned(),
    };
    Judgement {
        say: good(Key::Undone, vec![("what", what)]),
        refused: None,
        counts,
    }
}

type Verdict = Result<Say, (RejectionCode, Say)>;

fn good(key: Key, arguments: Vec<(&'static str, String)>) -> Say {
    Say {
        ok: true,
        key,
        arguments,
    }
}

fn wrong(
    code: RejectionCode,
    key: Key,
    arguments: Vec<(&'static str, String)>,
) -> (RejectionCode, Say) {
    (
        code,
        Say {
            ok: false,
            key,
            arguments,
        },
    )
}

fn decide(
    event: &Event,
    codes: &Codes<'_>,
    facts: &Facts,
    memory: &Memory,
    counts: &mut Counts,
) -> Verdict {
    let mut unknown = None;
    let words = [Key::UnknownProduct, Key::AmbiguousProduct];
    let reasons = [
        RejectionCode::UnknownProduct,
        RejectionCode::AmbiguousProduct,
    ];
    let product = find_one(
        facts.product.as_ref(),
        codes.product,
        facts,
        reasons,
        words,
        &mut unknown,
    )?;
    let words = [Key::UnknownLocation, Key::AmbiguousLocation];
    let reasons = [
        RejectionCode::UnknownLocation,
        RejectionCode::AmbiguousLocation,
    ];
    find_one(
        facts.from.as_ref(),
        codes.from,
        facts,
        reasons,
        words,
        &mut unknown,
    )?;
    find_one(
        facts.to.as_ref(),
        codes.to,
        facts,
        reasons,
        words,
        &mut unknown,
    )?;
    if let Some(product) = product {
        check_tracking(event, codes, facts, memory, product, counts)?;
        if product.measure.is_too_fine(codes.quantity) {
            let arguments = vec![
                ("product", product.name.clone()),
                ("quantity", codes.quantity.normalize().to_string()),
            ];
            let (code, key) = (RejectionCode::QuantityPrecision, Key::QuantityPrecision);
            return Err(wrong(code, key, arguments));
        }
    }
    let on_order = check_order(codes, facts, memory, product, counts, &mut unknown)?;
    Ok(match (unknown, on_order, product) {
        (Some(code), ..) => good(Key::NotKnownYet, vec![("code", code.to_owned())]),
        (None, Some(say), _) => say,
        (None, None, Some(product)) => {
            let quantity = product.measure.nearest(codes.quantity);
            let key = if event.action.is(Movement::Count) {
                Key::Counted
            } else {
                Key::Moved
            };
            let quantity = quantity.to_string();
            good(
                key,
                vec![("product", product.name.clone()), ("quantity", quantity)],
            )
        }
        (None, None, None) => describe_other(event, facts),
    })
}

/// Finds the one object with a code. An unknown code is wrong if the copy is fresh; else it goes
/// into `unknown`, and the result is `None`. `reasons` and `words` are for an unknown code and for
/// an ambiguous one.
fn find_one<'a, 'f, T>(
    found: Option<&'f Arc<Found<T>>>,
    code: Option<&'a str>,
    facts: &Facts,
    reasons: [RejectionCode; 2],
    words: [Key; 2],
    unknown: &mut Option<&'a str>,
) -> Result<Option<&'f T>, (RejectionCode, Say)> {
    let (Some(found), Some(code)) = (found, code) else {
        return Ok(None);
    };
    let arguments = || vec![("code", code.to_owned())];
    match &**found {
        Found::One(thing) => Ok(Some(thing)),
        Found::Several(_) => Err(wrong(reasons[1], words[1], arguments())),
        Found::Nothing if facts.fresh => Err(wrong(reasons[0], words[0], arguments())),
        Found::Nothing => {
            unknown.get_or_insert(code);
            Ok(None)
        }
    }
}

/// The text for an event without a product: a raw scan, or an event about a whole order.
fn describe_other(event: &Event, facts: &Facts) -> Say {
    match &event.action {
        Action::Scan { code, .. } => match &facts.what {
            Some(what) => good(Key::Found, vec![("what", what.clone())]),
            // A scan moves nothing, so there is nothing to reject.
            None if facts.fresh => Say {
                ok: false,
                key: Key::UnknownProduct,
                arguments: vec![("code", code.clone())],
            },
            None => good(Key::NotKnownYet, vec![("code", code.clone())]),
        },
        Action::Ship { order, .. } | Action::Validate { order } => {
            good(Key::Noted, vec![("what", order.clone())])
        }
        Action::PackOrder { package, .. } => good(Key::Noted, vec![("what", package.clone())]),
        // The event that it undoes is not in the journal.
        Action::Undo { event, .. } => good(Key::NotKnownYet, vec![("code", event.clone())]),
        Action::Move(moved) => {
            let what = moved.movement.as_str().to_owned();
            good(Key::Noted, vec![("what", what)])
        }
    }
}

/// Checks the lot or serial number of a tracked product.
fn check_tracking(
    event: &Event,
    codes: &Codes<'_>,
    facts: &Facts,
    memory: &Memory,
    product: &Product,
    counts: &mut Counts,
) -> Result<(), (RejectionCode, Say)> {
    if !product.tracked {
        return Ok(());
    }
    let named = ("product", product.name.clone());
    let Some(lot) = codes.lot else {
        let key = if product.serial {
            Key::SerialRequired
        } else {
            Key::LotRequired
        };
        return Err(wrong(RejectionCode::LotRequired, key, vec![named]));
    };
    if facts.lots_off && codes.way == Way::In {
        let arguments = vec![named, ("lot", lot.to_owned())];
        return Err(wrong(RejectionCode::LotsOff, Key::LotsOff, arguments));
    }
    if !product.serial {
        return Ok(());
    }
    let quantity = product.measure.nearest(codes.quantity);
    let is_empty_count = event.action.is(Movement::Count) && quantity.is_zero();
    if quantity != Decimal::ONE && !is_empty_count {
        let arguments = vec![named, ("quantity", quantity.to_string())];
        return Err(wrong(
            RejectionCode::SerialQuantity,
            Key::SerialQuantity,
            arguments,
        ));
    }
    if codes.way != Way::Neither {
        counts.serial = Some((product.id, lot.to_owned(), codes.way));
    }
    let last = memory.last_way(product.id, lot);
    let is_repeat = match codes.way {
        // A serial number that went out since the last refresh may come back.
        Way::In => last == Some(Way::In) || last.is_none() && facts.on_hand,
        Way::Out => last == Some(Way::Out),
        Way::Neither | Way::Unknown => false,
    };
    if is_repeat {
        let arguments = vec![named, ("lot", lot.to_owned())];
        return Err(wrong(RejectionCode::SerialSeen, Key::SerialSeen, arguments));
    }
    Ok(())
}

/// Judges an event against its order. `None`: it has no order, or the order is not judged.
fn check_order<'a>(
    codes: &Codes<'a>,
    facts: &Facts,
    memory: &Memory,
    product: Option<&Product>,
    counts: &mut Counts,
    unknown: &mut Option<&'a str>,
) -> Result<Option<Say>, (RejectionCode, Say)> {
    let (Some(found), Some(named)) = (&facts.order, codes.order) else {
        return Ok(None);
    };
    let open = match &**found {
        OrderFound::Open(open) => open,
        OrderFound::Over { state, .. } if *state == PickingState::Cancelled => {
            let arguments = vec![("order", named.to_owned())];
            return Err(wrong(
                RejectionCode::OrderCancelled,
                Key::OrderCancelled,
                arguments,
            ));
        }
        OrderFound::Over { .. } => {
            let arguments = vec![("order", named.to_owned())];
            return Err(wrong(RejectionCode::OrderDone, Key::OrderDone, arguments));
        }
        OrderFound::Nothing if facts.fresh && facts.all_orders => {
            let arguments = vec![("order", named.to_owned())];
            return Err(wrong(
                RejectionCode::UnknownOrder,
                Key::UnknownOrder,
                arguments,
            ));
        }
        OrderFound::Nothing => {
            unknown.get_or_insert(named);
            return Ok(None);
        }
    };
    let Some(product) = product.filter(|_| matches!(codes.way, Way::In | Way::Out)) else {
        return Ok(None);
    };
    let fits = |order: &&Planned| match codes.way {
        Way::In => order.kind != Direction::Outgoing,
        _ => order.kind != Direction::Incoming,
    };
    let (mut demand, mut done, mut first) = (Decimal::ZERO, Decimal::ZERO, None);
    for order in open.iter().filter(fits) {
        let lines = order.lines.iter().filter(|line| line.product == product.id);
        for line in lines {
            first.get_or_insert(order.id);
            demand += line.demand;
            done += line.picked;
        }
        done += memory.captured(order.id, product.id);
    }
    let arguments = vec![
        ("product", product.name.clone()),
        ("order", named.to_owned()),
    ];
    let Some(first) = first else {
        // The copy may lack lines of the order, or Odoo may have got them since.
        if open.iter().any(|order| order.cut) || !facts.fresh {
            *unknown = unknown.or(Some(named));
            return Ok(None);
        }
        return Err(wrong(RejectionCode::NotOnOrder, Key::NotOnOrder, arguments));
    };
    let quantity = product.measure.nearest(codes.quantity);
    counts.order = Some((first, product.id, quantity));
    let left = demand - done;
    if quantity > left && facts.fresh && !facts.over_allowed {
        let left = left.max(Decimal::ZERO).normalize().to_string();
        let arguments = [arguments, vec![("left", left)]].concat();
        return Err(wrong(
            RejectionCode::MoreThanOrdered,
            Key::MoreThanOrdered,
            arguments,
        ));
    }
    Ok(Some(good(
        Key::OnOrder,
        vec![
            ("product", product.name.clone()),
            ("done", (done + quantity).normalize().to_string()),
            ("demand", demand.normalize().to_string()),
            (
                "left",
                (left - quantity).max(Decimal::ZERO).normalize().to_string(),
            ),
        ],
    )))
}

#[cfg(test)]
mod tests;
