//! The stored form of an event.

use serde::{Deserialize, Serialize};

use super::{BadRecord, DecimalV1, bad, decode, encode, time};
use crate::event::{Action, Event, EventFlag, Name, SourceKind};
use rust_decimal::Decimal;

#[derive(Serialize, Deserialize)]
enum StoredEvent<'a> {
    #[serde(borrow)]
    V1(EventV1<'a>),
    /// With flags. An event without flags is written as version 1.
    V2(#[serde(borrow)] EventV1<'a>, Vec<FlagV2>),
    /// With measures. An event without measures is written as version 1 or 2.
    V3(
        #[serde(borrow)] EventV1<'a>,
        Vec<FlagV2>,
        Vec<(&'a str, DecimalV1)>,
    ),
}

#[derive(Serialize, Deserialize)]
enum FlagV2 {
    PossibleRepeat,
}

#[derive(Serialize, Deserialize)]
struct EventV1<'a> {
    device: &'a str,
    id: &'a str,
    id_derived: bool,
    source: SourceV1,
    received_us: i64,
    /// `at` after `received`: mostly a small number, so a short one on disk.
    at_us_after: i64,
    operator: Option<&'a str>,
    #[serde(borrow)]
    action: ActionV1<'a>,
}

#[derive(Serialize, Deserialize)]
enum SourceV1 {
    Listen,
    Broker,
    Serial,
    Hid,
    Flow,
}

#[derive(Serialize, Deserialize)]
enum ActionV1<'a> {
    Scan(&'a str, Option<&'a str>),
    #[serde(borrow)]
    Transfer(GoodsV1<'a>),
    Pick(GoodsV1<'a>),
    Receive(GoodsV1<'a>),
    Count(GoodsV1<'a>),
    Scrap(GoodsV1<'a>),
    Return(GoodsV1<'a>),
    Pack(GoodsV1<'a>),
    Ship {
        order: &'a str,
        carrier_ref: Option<&'a str>,
        weight_kg: Option<DecimalV1>,
        parcels: Option<u32>,
    },
    Validate {
        order: &'a str,
    },
    Undo {
        event: &'a str,
        reason: Option<&'a str>,
    },
    /// A receipt with a best before date. One without is written as `Receive`.
    ReceiveBestBefore(GoodsV1<'a>, &'a str),
}

/// What the types that move goods share; which fields are filled is the type's own rule.
#[derive(Serialize, Deserialize, Default)]
struct GoodsV1<'a> {
    product: Option<&'a str>,
    quantity: Option<DecimalV1>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    lot: Option<&'a str>,
    package: Option<&'a str>,
    order: Option<&'a str>,
    /// Expiry of a receipt, or the reason of scrap and returns.
    more: Option<&'a str>,
}

/// One form for seven types keeps the forms few; this says which field of a type is which.
#[expect(clippy::too_many_lines, reason = "one arm for each type")]
fn action_in(action: &Action) -> ActionV1<'_> {
    let goods = |product, quantity: &Decimal, lot| GoodsV1 {
        product,
        quantity: Some((*quantity).into()),
        lot,
        ..GoodsV1::default()
    };
    match action {
        Action::Scan { code, symbology } => ActionV1::Scan(code, symbology.as_deref()),
        Action::Transfer {
            product,
            quantity,
            from,
            to,
            lot,
            package,
        } => ActionV1::Transfer(GoodsV1 {
            from: Some(from),
            to: Some(to),
            package: package.as_deref(),
            ..goods(Some(product), quantity, lot.as_deref())
        }),
        Action::Pick {
            order,
            product,
            quantity,
            from,
            lot,
            package,
        } => ActionV1::Pick(GoodsV1 {
            order: Some(order),
            from: from.as_deref(),
            package: package.as_deref(),
            ..goods(Some(product), quantity, lot.as_deref())
        }),
        Action::Receive {
            order,
            product,
            quantity,
            to,
            lot,
            expiry,
            best_before,
            package,
        } => {
            let goods = GoodsV1 {
                order: order.as_deref(),
                to: to.as_deref(),
                package: package.as_deref(),
                more: expiry.as_deref(),
                ..goods(Some(product), quantity, lot.as_deref())
            };
            match best_before {
                None => ActionV1::Receive(goods),
                Some(best_before) => ActionV1::ReceiveBestBefore(goods, best_before),
            }
        }
        Action::Count {
            product,
            from,
            quantity,
            lot,
            package,
        } => ActionV1::Count(GoodsV1 {
            from: Some(from),
            package: package.as_deref(),
            ..goods(Some(product), quantity, lot.as_deref())
        }),
        Action::Scrap {
            product,
            from,
            quantity,
            lot,
            reason,
        } => ActionV1::Scrap(GoodsV1 {
            from: Some(from),
            more: reason.as_deref(),
            ..goods(Some(product), quantity, lot.as_deref())
        }),
        Action::Return {
            order,
            product,
            to,
            quantity,
            lot,
            reason,
        } => ActionV1::Return(GoodsV1 {
            order: order.as_deref(),
            to: Some(to),
            more: reason.as_deref(),
            ..goods(Some(product), quantity, lot.as_deref())
        }),
        Action::Pack {
            package,
            product,
            order,
            quantity,
            from,
            lot,
        } => ActionV1::Pack(GoodsV1 {
            package: Some(package),
            order: order.as_deref(),
            from: from.as_deref(),
            ..goods(product.as_deref(), quantity, lot.as_deref())
        }),
        Action::Ship {
            order,
            carrier_ref,
            weight_kg,
            parcels,
        } => ActionV1::Ship {
            order,
            carrier_ref: carrier_ref.as_deref(),
            weight_kg: weight_kg.map(Into::into),
            parcels: *parcels,
        },
        Action::Validate { order } => ActionV1::Validate { order },
        Action::Undo { event, reason } => ActionV1::Undo {
            event,
            reason: reason.as_deref(),
        },
    }
}

fn need(text: Option<&str>, field: &'static str) -> Result<String, BadRecord> {
    text.map(str::to_owned)
        .ok_or_else(|| bad("event", format!("no {field}")))
}

fn own(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn action_out(action: ActionV1<'_>) -> Result<Action, BadRecord> {
    let quantity = |quantity: Option<DecimalV1>| {
        quantity
            .ok_or_else(|| bad("event", "no quantity"))?
            .try_into()
    };
    Ok(match action {
        ActionV1::Scan(code, symbology) => Action::Scan {
            code: code.to_owned(),
            symbology: own(symbology),
        },
        ActionV1::Transfer(g) => Action::Transfer {
            product: need(g.product, "product")?,
            quantity: quantity(g.quantity)?,
            from: need(g.from, "from")?,
            to: need(g.to, "to")?,
            lot: own(g.lot),
            package: own(g.package),
        },
        ActionV1::Pick(g) => Action::Pick {
            order: need(g.order, "order")?,
            product: need(g.product, "product")?,
            quantity: quantity(g.quantity)?,
            from: own(g.from),
            lot: own(g.lot),
            package: own(g.package),
        },
        ActionV1::Receive(g) => receive_out(g, None)?,
        ActionV1::ReceiveBestBefore(g, best_before) => receive_out(g, Some(best_before))?,
        ActionV1::Count(g) => Action::Count {
            product: need(g.product, "product")?,
            from: need(g.from, "from")?,
            quantity: quantity(g.quantity)?,
            lot: own(g.lot),
            package: own(g.package),
        },
        ActionV1::Scrap(g) => Action::Scrap {
            product: need(g.product, "product")?,
            from: need(g.from, "from")?,
            quantity: quantity(g.quantity)?,
            lot: own(g.lot),
            reason: own(g.more),
        },
        ActionV1::Return(g) => Action::Return {
            order: own(g.order),
            product: need(g.product, "product")?,
            to: need(g.to, "to")?,
            quantity: quantity(g.quantity)?,
            lot: own(g.lot),
            reason: own(g.more),
        },
        ActionV1::Pack(g) => Action::Pack {
            package: need(g.package, "package")?,
            product: own(g.product),
            order: own(g.order),
            quantity: quantity(g.quantity)?,
            from: own(g.from),
            lot: own(g.lot),
        },
        ActionV1::Ship {
            order,
            carrier_ref,
            weight_kg,
            parcels,
        } => Action::Ship {
            order: order.to_owned(),
            carrier_ref: own(carrier_ref),
            weight_kg: weight_kg.map(TryInto::try_into).transpose()?,
            parcels,
        },
        ActionV1::Validate { order } => Action::Validate {
            order: order.to_owned(),
        },
        ActionV1::Undo { event, reason } => Action::Undo {
            event: event.to_owned(),
            reason: own(reason),
        },
    })
}

fn receive_out(goods: GoodsV1<'_>, best_before: Option<&str>) -> Result<Action, BadRecord> {
    let quantity = goods.quantity.ok_or_else(|| bad("event", "no quantity"))?;
    Ok(Action::Receive {
        order: own(goods.order),
        product: need(goods.product, "product")?,
        quantity: quantity.try_into()?,
        to: own(goods.to),
        lot: own(goods.lot),
        expiry: own(goods.more),
        best_before: own(best_before),
        package: own(goods.package),
    })
}

pub fn event_in(event: &Event) -> Result<Vec<u8>, BadRecord> {
    let received_us = event.received.as_microsecond();
    let plain = EventV1 {
        device: event.device.as_str(),
        id: &event.id,
        id_derived: event.id_derived,
        source: match event.source {
            SourceKind::Listen => SourceV1::Listen,
            SourceKind::Broker => SourceV1::Broker,
            SourceKind::Serial => SourceV1::Serial,
            SourceKind::Hid => SourceV1::Hid,
            SourceKind::Flow => SourceV1::Flow,
        },
        received_us,
        at_us_after: event.at.as_microsecond().wrapping_sub(received_us),
        operator: event.operator.as_deref(),
        action: action_in(&event.action),
    };
    if event.flags.is_empty() && event.measures.is_empty() {
        return encode("event", &StoredEvent::V1(plain));
    }
    let flag = |flag: &EventFlag| match flag {
        EventFlag::PossibleRepeat => FlagV2::PossibleRepeat,
    };
    let flags = event.flags.iter().map(flag).collect();
    if event.measures.is_empty() {
        return encode("event", &StoredEvent::V2(plain, flags));
    }
    let measures = event.measures.iter();
    let measures = measures.map(|(name, value)| (name.as_str(), (*value).into()));
    encode("event", &StoredEvent::V3(plain, flags, measures.collect()))
}

pub fn event_out(bytes: &[u8]) -> Result<Event, BadRecord> {
    let (stored, flags, measures) = match decode("event", bytes)? {
        StoredEvent::V1(stored) => (stored, Vec::new(), Vec::new()),
        StoredEvent::V2(stored, flags) => (stored, flags, Vec::new()),
        StoredEvent::V3(stored, flags, measures) => (stored, flags, measures),
    };
    let measure = |(name, value): (&str, DecimalV1)| Ok((name.to_owned(), value.try_into()?));
    let flag = |flag| match flag {
        FlagV2::PossibleRepeat => EventFlag::PossibleRepeat,
    };
    Ok(Event {
        device: Name::new(stored.device).map_err(|error| bad("event", error))?,
        id: stored.id.to_owned(),
        id_derived: stored.id_derived,
        source: match stored.source {
            SourceV1::Listen => SourceKind::Listen,
            SourceV1::Broker => SourceKind::Broker,
            SourceV1::Serial => SourceKind::Serial,
            SourceV1::Hid => SourceKind::Hid,
            SourceV1::Flow => SourceKind::Flow,
        },
        at: time("event", stored.received_us.wrapping_add(stored.at_us_after))?,
        received: time("event", stored.received_us)?,
        measures: measures
            .into_iter()
            .map(measure)
            .collect::<Result<_, BadRecord>>()?,
        operator: own(stored.operator),
        flags: flags.into_iter().map(flag).collect(),
        action: action_out(stored.action)?,
    })
}
