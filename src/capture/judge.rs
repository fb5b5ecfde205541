//! What an event comes to by what is known here: what to say, whether it is wrong, and what it counts for. Pure.
//!
//! **Promise:** what is merely not known is wrong only where the copy is fresh enough to know everything.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::memory::{Memory, Way};
use super::texts::Key;
use crate::event::{Action, Event};
use crate::forward::copy::{Found, OrderFound, Planned, Product};
use crate::outcome::code;

/// What the copy says of an event's codes; none where the event names no such thing.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    pub product: Option<Arc<Found<Product>>>,
    pub from: Option<Arc<Found<i64>>>,
    pub to: Option<Arc<Found<i64>>>,
    pub order: Option<Arc<OrderFound>>,
    /// A serial number that comes in is on hand already.
    pub on_hand: bool,
    /// What a raw scan was found to be.
    pub what: Option<String>,
    /// The copy was brought up to date a short while ago: what it does not know is not there.
    pub fresh: bool,
    /// The same of open orders.
    pub all_orders: bool,
}

/// What to tell the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    pub ok: bool,
    pub key: Key,
    pub arguments: Vec<(&'static str, String)>,
}

/// What an event counts for, once it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// So much of a product for an open order.
    pub order: Option<(i64, i64, Decimal)>,
    /// A serial number of a product that came in, or went out.
    pub serial: Option<(i64, String, Way)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub say: Say,
    /// The reason code, where it is wrong.
    pub refused: Option<&'static str>,
    pub counts: Counts,
}

/// The parts of an event that are judged.
struct Part<'a> {
    product: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    lot: Option<&'a str>,
    quantity: Decimal,
    order: Option<&'a str>,
    way: Way,
}

/// The codes of an event, by what they are codes of.
pub struct Codes<'a> {
    pub product: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    /// Only where an order that is open is wanted: goods are sent on, and come back, after it is over.
    pub order: Option<&'a str>,
    pub lot: Option<&'a str>,
    pub way: Way,
}

pub fn codes(action: &Action) -> Codes<'_> {
    let part = part(action);
    Codes {
        product: part.product,
        from: part.from,
        to: part.to,
        order: part.order,
        lot: part.lot,
        way: part.way,
    }
}

fn part(action: &Action) -> Part<'_> {
    let none = Part {
        product: None,
        from: None,
        to: None,
        lot: None,
        quantity: Decimal::ONE,
        order: None,
        way: Way::Neither,
    };
    match action {
        Action::Scan { .. } | Action::Ship { .. } | Action::Validate { .. } => none,
        Action::Transfer {
            product,
            quantity,
            from,
            to,
            lot,
            ..
        } => Part {
            product: Some(product),
            from: Some(from),
            to: Some(to),
            lot: lot.as_deref(),
            quantity: *quantity,
            ..none
        },
        Action::Pick {
            order,
            product,
            quantity,
            from,
            lot,
            ..
        } => Part {
            product: Some(product),
            from: from.as_deref(),
            lot: lot.as_deref(),
            quantity: *quantity,
            order: Some(order),
            way: Way::Out,
            ..none
        },
        Action::Receive {
            order,
            product,
            quantity,
            to,
            lot,
            ..
        } => Part {
            product: Some(product),
            to: to.as_deref(),
            lot: lot.as_deref(),
            quantity: *quantity,
            order: order.as_deref(),
            way: Way::In,
            ..none
        },
        Action::Count {
            product,
            from,
            quantity,
            lot,
            ..
        } => Part {
            product: Some(product),
            from: Some(from),
            lot: lot.as_deref(),
            quantity: *quantity,
            ..none
        },
        Action::Scrap {
            product,
            from,
            quantity,
            lot,
            ..
        } => Part {
            product: Some(product),
            from: Some(from),
            lot: lot.as_deref(),
            quantity: *quantity,
            way: Way::Forgotten,
            ..none
        },
        Action::Return {
            product,
            to,
            quantity,
            lot,
            ..
        } => Part {
            product: Some(product),
            to: Some(to),
            lot: lot.as_deref(),
            quantity: *quantity,
            way: Way::Forgotten,
            ..none
        },
        Action::Pack {
            product,
            order,
            quantity,
            from,
            lot,
            ..
        } => Part {
            product: product.as_deref(),
            from: from.as_deref(),
            lot: lot.as_deref(),
            quantity: *quantity,
            order: order.as_deref(),
            ..none
        },
    }
}

/// Judges an event by the facts and by what was captured before it.
#[must_use]
pub fn judge(event: &Event, facts: &Facts, memory: &Memory) -> Judgement {
    let part = part(&event.action);
    let mut counts = Counts::default();
    let verdict = decide(event, &part, facts, memory, &mut counts);
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

type Verdict = Result<Say, (&'static str, Say)>;

fn good(key: Key, arguments: Vec<(&'static str, String)>) -> Say {
    Say {
        ok: true,
        key,
        arguments,
    }
}

fn wrong(
    code: &'static str,
    key: Key,
    arguments: Vec<(&'static str, String)>,
) -> (&'static str, Say) {
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
    part: &Part<'_>,
    facts: &Facts,
    memory: &Memory,
    counts: &mut Counts,
) -> Verdict {
    let mut unknown = None;
    let product = match (&facts.product, part.product) {
        (Some(found), Some(code)) => match &**found {
            Found::One(product) => Some(product),
            Found::Several(_) => {
                let arguments = vec![("code", code.to_owned())];
                return Err(wrong(
                    code::AMBIGUOUS_PRODUCT,
                    Key::AmbiguousProduct,
                    arguments,
                ));
            }
            Found::Nothing if facts.fresh => {
                let arguments = vec![("code", code.to_owned())];
                return Err(wrong(code::UNKNOWN_PRODUCT, Key::UnknownProduct, arguments));
            }
            Found::Nothing => {
                unknown = Some(code);
                None
            }
        },
        _ => None,
    };
    for (found, code) in [(&facts.from, part.from), (&facts.to, part.to)] {
        let (Some(found), Some(code)) = (found, code) else {
            continue;
        };
        let arguments = || vec![("code", code.to_owned())];
        match &**found {
            Found::One(_) => {}
            Found::Several(_) => {
                return Err(wrong(
                    code::AMBIGUOUS_LOCATION,
                    Key::AmbiguousLocation,
                    arguments(),
                ));
            }
            Found::Nothing if facts.fresh => {
                return Err(wrong(
                    code::UNKNOWN_LOCATION,
                    Key::UnknownLocation,
                    arguments(),
                ));
            }
            Found::Nothing => {
                unknown.get_or_insert(code);
            }
        }
    }
    if let Some(product) = product {
        tracking(event, part, facts, memory, product, counts)?;
    }
    let on_order = order(part, facts, memory, product, counts, &mut unknown)?;
    Ok(match (unknown, on_order, product) {
        (Some(code), ..) => good(Key::NotKnownYet, vec![("code", code.to_owned())]),
        (None, Some(say), _) => say,
        (None, None, Some(product)) => {
            let quantity = (part.quantity * product.factor).normalize();
            let key = match event.action {
                Action::Count { .. } => Key::Counted,
                _ => Key::Moved,
            };
            good(
                key,
                vec![
                    ("product", product.name.clone()),
                    ("quantity", quantity.to_string()),
                ],
            )
        }
        (None, None, None) => plain(event, facts),
    })
}

/// What has no product: raw scans, and what is said of whole orders.
fn plain(event: &Event, facts: &Facts) -> Say {
    match &event.action {
        Action::Scan { code, .. } => match &facts.what {
            Some(what) => good(Key::Found, vec![("what", what.clone())]),
            // A scan moves nothing, so there is nothing to turn away.
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
        Action::Pack { package, .. } => good(Key::Noted, vec![("what", package.clone())]),
        other => good(Key::Noted, vec![("what", other.kind().to_owned())]),
    }
}

/// Lots and serial numbers.
fn tracking(
    event: &Event,
    part: &Part<'_>,
    facts: &Facts,
    memory: &Memory,
    product: &Product,
    counts: &mut Counts,
) -> Result<(), (&'static str, Say)> {
    if !product.tracked {
        return Ok(());
    }
    let named = ("product", product.name.clone());
    let Some(lot) = part.lot else {
        let key = if product.serial {
            Key::SerialRequired
        } else {
            Key::LotRequired
        };
        return Err(wrong(code::LOT_REQUIRED, key, vec![named]));
    };
    if !product.serial {
        return Ok(());
    }
    let quantity = (part.quantity * product.factor).normalize();
    let none_there = matches!(event.action, Action::Count { .. }) && quantity.is_zero();
    if quantity != Decimal::ONE && !none_there {
        let arguments = vec![named, ("quantity", quantity.to_string())];
        return Err(wrong(code::SERIAL_QUANTITY, Key::SerialQuantity, arguments));
    }
    if part.way != Way::Neither {
        counts.serial = Some((product.id, lot.to_owned(), part.way));
    }
    let seen = memory.last_way(product.id, lot);
    let before = match part.way {
        // What went out meanwhile may come back, although the copy has not heard of that.
        Way::In => seen == Some(Way::In) || seen.is_none() && facts.on_hand,
        Way::Out => seen == Some(Way::Out),
        Way::Neither | Way::Forgotten => false,
    };
    if before {
        let arguments = vec![named, ("lot", lot.to_owned())];
        return Err(wrong(code::SERIAL_SEEN, Key::SerialSeen, arguments));
    }
    Ok(())
}

/// What an order says to it: none where it names none, or none that is judged.
fn order<'a>(
    part: &Part<'a>,
    facts: &Facts,
    memory: &Memory,
    product: Option<&Product>,
    counts: &mut Counts,
    unknown: &mut Option<&'a str>,
) -> Result<Option<Say>, (&'static str, Say)> {
    let (Some(found), Some(named)) = (&facts.order, part.order) else {
        return Ok(None);
    };
    let open = match &**found {
        OrderFound::Open(open) => open,
        OrderFound::Over { state, .. } if state == "cancel" => {
            let arguments = vec![("order", named.to_owned())];
            return Err(wrong(code::ORDER_CANCELLED, Key::OrderCancelled, arguments));
        }
        OrderFound::Over { .. } => {
            let arguments = vec![("order", named.to_owned())];
            return Err(wrong(code::ORDER_DONE, Key::OrderDone, arguments));
        }
        OrderFound::Nothing if facts.fresh && facts.all_orders => {
            let arguments = vec![("order", named.to_owned())];
            return Err(wrong(code::UNKNOWN_ORDER, Key::UnknownOrder, arguments));
        }
        OrderFound::Nothing => {
            unknown.get_or_insert(named);
            return Ok(None);
        }
    };
    let Some(product) = product.filter(|_| matches!(part.way, Way::In | Way::Out)) else {
        return Ok(None);
    };
    let fits = |order: &&Planned| match part.way {
        Way::In => order.kind != "outgoing",
        _ => order.kind != "incoming",
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
        // Lines that are not known here, or that Odoo got since, may have it.
        if open.iter().any(|order| order.cut) || !facts.fresh {
            *unknown = unknown.or(Some(named));
            return Ok(None);
        }
        return Err(wrong(code::NOT_ON_ORDER, Key::NotOnOrder, arguments));
    };
    let quantity = part.quantity * product.factor;
    counts.order = Some((first, product.id, quantity));
    let left = demand - done;
    if quantity > left && facts.fresh {
        let left = left.max(Decimal::ZERO).normalize().to_string();
        let arguments = [arguments, vec![("left", left)]].concat();
        return Err(wrong(
            code::MORE_THAN_ORDERED,
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
