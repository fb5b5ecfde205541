//! The stored form of an event.

use serde::{Deserialize, Serialize};

use super::{BadRecord, DecimalV1, bad, decode, encode, time};
use crate::event::{
    Action, Event, EventFlag, EventType, Field, Goods, Move, Movement, Name, SourceKind,
};
use crate::journal::terms::TermKind;
use rust_decimal::Decimal;

/// Each version begins with [`EventV1`], of which [`event_head`] reads the beginning.
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

super::json::shown!(EVENT_JSON, "event", StoredEvent<'_>);

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
    /// `at` minus `received`: mostly a small number, so it is short on disk.
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

/// The beginning of a stored event of any version: as many fields of [`EventV1`] as a search needs.
#[derive(Deserialize)]
struct EventHead<'a> {
    _version: EventVersion,
    device: &'a str,
    _id: &'a str,
    _id_derived: bool,
    _source: SourceV1,
    _received_us: i64,
    _at_us_after: i64,
    _operator: Option<&'a str>,
    action: ActionHead,
}

/// The variants of [`StoredEvent`].
#[derive(Deserialize)]
enum EventVersion {
    V1,
    V2,
    V3,
}

/// The variants of [`ActionV1`], in its order.
#[derive(Deserialize)]
enum ActionHead {
    Scan,
    Transfer,
    Pick,
    Receive,
    Count,
    Scrap,
    Return,
    Pack,
    Ship,
    Validate,
    Undo,
    ReceiveBestBefore,
}

/// The fields that the types that move goods share. The rule of each type decides which fields are
/// filled.
#[derive(Serialize, Deserialize, Default)]
struct GoodsV1<'a> {
    product: Option<&'a str>,
    quantity: Option<DecimalV1>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    lot: Option<&'a str>,
    package: Option<&'a str>,
    order: Option<&'a str>,
    /// The expiry of a receipt, or the reason of scrap and returns.
    more: Option<&'a str>,
}

/// `GoodsV1::more` holds the expiry of a receipt, else the reason.
fn goods_in(moved: &Move) -> GoodsV1<'_> {
    let goods = &moved.goods;
    let more = match moved.movement {
        Movement::Receive => &goods.expiry,
        _ => &moved.reason,
    };
    GoodsV1 {
        product: Some(&goods.product),
        quantity: Some(goods.quantity.into()),
        from: goods.from.as_deref(),
        to: goods.to.as_deref(),
        lot: goods.lot.as_deref(),
        package: goods.package.as_deref(),
        order: moved.order.as_deref(),
        more: more.as_deref(),
    }
}

fn move_in(moved: &Move) -> ActionV1<'_> {
    let goods = goods_in(moved);
    match (moved.movement, &moved.goods.best_before) {
        (Movement::Transfer, _) => ActionV1::Transfer(goods),
        (Movement::Pick, _) => ActionV1::Pick(goods),
        (Movement::Receive, None) => ActionV1::Receive(goods),
        (Movement::Receive, Some(date)) => ActionV1::ReceiveBestBefore(goods, date),
        (Movement::Count, _) => ActionV1::Count(goods),
        (Movement::Scrap, _) => ActionV1::Scrap(goods),
        (Movement::Return, _) => ActionV1::Return(goods),
        (Movement::Pack, _) => ActionV1::Pack(goods),
    }
}

fn action_in(action: &Action) -> ActionV1<'_> {
    match action {
        Action::Scan { code, symbology } => ActionV1::Scan(code, symbology.as_deref()),
        Action::Move(moved) => move_in(moved),
        Action::PackOrder {
            order,
            package,
            quantity,
            from,
            lot,
        } => ActionV1::Pack(GoodsV1 {
            order: Some(order),
            package: Some(package),
            quantity: Some((*quantity).into()),
            from: from.as_deref(),
            lot: lot.as_deref(),
            ..GoodsV1::default()
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

fn need<'a>(text: Option<&'a str>, field: &str) -> Result<&'a str, BadRecord> {
    text.ok_or_else(|| bad("event", format!("no {field}")))
}

fn own(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn quantity_out(quantity: Option<DecimalV1>) -> Result<Decimal, BadRecord> {
    quantity
        .ok_or_else(|| bad("event", "no quantity"))?
        .try_into()
}

fn move_out(movement: Movement, goods: GoodsV1<'_>) -> Result<Action, BadRecord> {
    let (expiry, reason) = match movement {
        Movement::Receive => (goods.more, None),
        _ => (None, goods.more),
    };
    let moved = Move {
        movement,
        order: own(goods.order),
        reason: own(reason),
        goods: Goods {
            product: need(goods.product, "product")?.to_owned(),
            quantity: quantity_out(goods.quantity)?,
            from: own(goods.from),
            to: own(goods.to),
            lot: own(goods.lot),
            package: own(goods.package),
            owner: None,
            expiry: own(expiry),
            best_before: None,
        },
    };
    let event_type = movement.event_type();
    for field in event_type.required() {
        // Every record has a quantity.
        if field != Field::Quantity {
            need(moved.text(field), field.name())?;
        }
    }
    Ok(Action::Move(moved))
}

fn pack_out(goods: GoodsV1<'_>) -> Result<Action, BadRecord> {
    if goods.product.is_some() {
        return move_out(Movement::Pack, goods);
    }
    Ok(Action::PackOrder {
        // `decode` rejects a pack that names neither a product nor an order.
        order: own(goods.order).unwrap_or_default(),
        package: need(goods.package, "package")?.to_owned(),
        quantity: quantity_out(goods.quantity)?,
        from: own(goods.from),
        lot: own(goods.lot),
    })
}

fn receive_out(goods: GoodsV1<'_>, best_before: &str) -> Result<Action, BadRecord> {
    let mut action = move_out(Movement::Receive, goods)?;
    if let Action::Move(moved) = &mut action {
        moved.goods.best_before = Some(best_before.to_owned());
    }
    Ok(action)
}

fn action_out(action: ActionV1<'_>) -> Result<Action, BadRecord> {
    match action {
        ActionV1::Scan(code, symbology) => Ok(Action::Scan {
            code: code.to_owned(),
            symbology: own(symbology),
        }),
        ActionV1::Transfer(goods) => move_out(Movement::Transfer, goods),
        ActionV1::Pick(goods) => move_out(Movement::Pick, goods),
        ActionV1::Receive(goods) => move_out(Movement::Receive, goods),
        ActionV1::ReceiveBestBefore(goods, best_before) => receive_out(goods, best_before),
        ActionV1::Count(goods) => move_out(Movement::Count, goods),
        ActionV1::Scrap(goods) => move_out(Movement::Scrap, goods),
        ActionV1::Return(goods) => move_out(Movement::Return, goods),
        ActionV1::Pack(goods) => pack_out(goods),
        ActionV1::Ship {
            order,
            carrier_ref,
            weight_kg,
            parcels,
        } => Ok(Action::Ship {
            order: order.to_owned(),
            carrier_ref: own(carrier_ref),
            weight_kg: weight_kg.map(TryInto::try_into).transpose()?,
            parcels,
        }),
        ActionV1::Validate { order } => Ok(Action::Validate {
            order: order.to_owned(),
        }),
        ActionV1::Undo { event, reason } => Ok(Action::Undo {
            event: event.to_owned(),
            reason: own(reason),
        }),
    }
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

/// The device and the type of a stored event.
pub fn event_head(bytes: &[u8]) -> Result<(&str, &'static EventType), BadRecord> {
    let head: Result<(EventHead<'_>, _), _> = postcard::take_from_bytes(bytes);
    let (head, _) = head.map_err(|error| bad("event", error))?;
    let event_type = match head.action {
        ActionHead::Scan => EventType::SCAN,
        ActionHead::Transfer => Movement::Transfer.event_type(),
        ActionHead::Pick => Movement::Pick.event_type(),
        ActionHead::Receive | ActionHead::ReceiveBestBefore => Movement::Receive.event_type(),
        ActionHead::Count => Movement::Count.event_type(),
        ActionHead::Scrap => Movement::Scrap.event_type(),
        ActionHead::Return => Movement::Return.event_type(),
        ActionHead::Pack => Movement::Pack.event_type(),
        ActionHead::Ship => EventType::SHIP,
        ActionHead::Validate => EventType::VALIDATE,
        ActionHead::Undo => EventType::UNDO,
    };
    Ok((head.device, event_type))
}

/// Passes each text by which an event is found to `take`. Returns the time of the event, in
/// microseconds since 1970.
pub fn event_texts<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(TermKind, &'a str),
) -> Result<i64, BadRecord> {
    let (StoredEvent::V1(stored) | StoredEvent::V2(stored, _) | StoredEvent::V3(stored, ..)) =
        decode("event", bytes)?;
    take(TermKind::Event, stored.id);
    take(TermKind::Device, stored.device);
    let mut add = |kind, text: Option<&'a str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            take(kind, text);
        }
    };
    add(TermKind::Operator, stored.operator);
    match stored.action {
        ActionV1::Scan(code, _) => add(TermKind::Scan, Some(code)),
        ActionV1::Transfer(goods)
        | ActionV1::Pick(goods)
        | ActionV1::Receive(goods)
        | ActionV1::Count(goods)
        | ActionV1::Scrap(goods)
        | ActionV1::Return(goods)
        | ActionV1::Pack(goods)
        | ActionV1::ReceiveBestBefore(goods, _) => {
            add(TermKind::Product, goods.product);
            add(TermKind::Location, goods.from);
            add(TermKind::Location, goods.to);
            add(TermKind::Lot, goods.lot);
            add(TermKind::Package, goods.package);
            add(TermKind::Order, goods.order);
        }
        ActionV1::Ship { order, .. } | ActionV1::Validate { order } => {
            add(TermKind::Order, Some(order));
        }
        ActionV1::Undo { .. } => {}
    }
    Ok(stored.received_us.wrapping_add(stored.at_us_after))
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
