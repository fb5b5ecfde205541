//! Events, documents and their audit records in the JSON of the control API.
//!
//! Quantities are JSON numbers, as in the messages of devices and in Odoo.

mod answers;
mod floor;
mod found;
mod refused_readings;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::document::{DocumentKey, DocumentNumber, Line, Progress, Purpose, Reason};
use crate::event::{Action, Field, Name, Recorded, Seq};
use crate::journal::{AuditRecord, Entry, Repeats};
use crate::view::words::Words;

pub use answers::{
    BundleAnswer, ConfigHistory, ConfigHistoryEntry, DiscardedMany, Dismissed, DocumentDetail,
    DocumentPage, EventPage, PauseView, Refusal, RejectedPage, Resent, Resumed, Retried,
    SearchView, TakenOver, Trace, Undecided,
};
pub use floor::{
    CodeNameView, LogLine, LogPage, Names, OrderLineView, OrderPage, OrderView, WorkView,
};
pub use found::{Hit, HitKind, HitPage, NameView};
pub use refused_readings::RejectedView;

/// An event and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    pub seq: Seq,
    pub site: String,
    pub device: String,
    pub id: String,
    /// The gateway created `id`, because the device sent none.
    pub id_derived: bool,
    /// Warnings about how the event arrived: `possible-repeat`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Weights and dimensions from labels, by names such as `net_kg`; numbers as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, String>,
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was done.
    pub at: Timestamp,
    pub received: Timestamp,
    pub source: String,
    pub operator: Option<String>,
    /// `open`, `no_document`, or the state of its document.
    pub state: String,
    /// The key of its document.
    pub document: Option<String>,
    /// The picking in Odoo.
    pub odoo: Option<String>,
    /// A raw scan of a device that has no flow: it moved no stock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unused: bool,
    /// The answer of its flow to a raw scan that the flow did not accept: the scan moved no stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// The fields of its type: product, quantity, from, to, ...
    #[serde(flatten)]
    pub what: Map<String, Value>,
}

/// The document of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The event is not assembled yet.
    Open,
    NoDocument,
    In {
        key: String,
        state: &'static str,
        odoo: Option<String>,
    },
}

impl Place {
    #[must_use]
    pub fn of(key: DocumentKey, progress: &Progress) -> Self {
        Self::In {
            key: key.to_string(),
            state: progress.state.as_str(),
            odoo: progress.odoo.as_ref().map(|odoo| odoo.name.clone()),
        }
    }

    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NoDocument => "no_document",
            Self::In { state, .. } => state,
        }
    }
}

impl EventView {
    /// Describes the event in a few words: `2 of P from A to B`.
    #[must_use]
    pub fn describe(&self, words: Words) -> String {
        let field = |key: &str| {
            self.what.get(key).map(|value| match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let mut parts = Vec::new();
        parts.extend(field("code"));
        if let Some(product) = field("product") {
            let quantity = field("quantity").unwrap_or_default();
            let values = [("quantity", quantity.as_str()), ("product", &product)];
            parts.push(words.fill("{quantity} of {product}", &values));
        }
        for (key, word) in [
            ("lot", "lot"),
            ("package", "package"),
            ("from", "from"),
            ("to", "to"),
            ("order", "for"),
            ("event", "event"),
        ] {
            parts.extend(field(key).map(|value| format!("{} {value}", words.t(word))));
        }
        parts.join(" ")
    }

    #[must_use]
    pub fn of(site: &Name, recorded: &Recorded, place: &Place) -> Self {
        let event = &recorded.event;
        let (document, odoo) = match place {
            Place::In { key, odoo, .. } => (Some(key.clone()), odoo.clone()),
            Place::Open | Place::NoDocument => (None, None),
        };
        Self {
            seq: recorded.seq,
            site: site.to_string(),
            device: event.device.to_string(),
            id: event.id.clone(),
            id_derived: event.id_derived,
            flags: (event.flags.iter())
                .map(|flag| flag.as_str().to_owned())
                .collect(),
            measures: (event.measures.iter())
                .map(|(name, value)| (name.clone(), value.normalize().to_string()))
                .collect(),
            kind: event.action.kind().to_owned(),
            at: event.at,
            received: event.received,
            source: event.source.name().to_owned(),
            operator: event.operator.clone(),
            state: place.state().to_owned(),
            document,
            odoo,
            unused: false,
            wrong: None,
            what: list_fields(&event.action),
        }
    }
}

/// The fields of the event's type, without those that the event left out.
fn list_fields(action: &Action) -> Map<String, Value> {
    let value = |field: Field| match action.number(field) {
        Some(value) => number(value),
        None => action.text(field).into(),
    };
    let fields = action.event_type().fields.iter();
    let values = fields.map(|(field, _)| (field.name().to_owned(), value(*field)));
    without_nulls(values.collect())
}

/// Writes a whole number without decimals: 2, not 2.0.
pub(super) fn number(quantity: Decimal) -> Value {
    match (quantity.is_integer(), quantity.to_i64(), quantity.to_f64()) {
        (true, Some(whole), _) => whole.into(),
        (_, _, Some(float)) => float.into(),
        _ => Value::Null,
    }
}

/// A document and its progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentView {
    pub number: DocumentNumber,
    pub key: String,
    pub state: String,
    /// The event type that it comes from.
    pub purpose: String,
    /// The order that it belongs to, as scanned.
    pub order: Option<String>,
    /// Other fields of its type: `reason`, `package`, `carrier_ref`, `weight_kg`, `parcels`; the
    /// `event` that an undo undoes, and the type `of` that event.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
    /// The number of the document that this one corrects and replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<DocumentNumber>,
    /// The answer of a person to the gateway's question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Notes about the document, in any state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The `seq` of each of its events that was undone after posting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Seq>,
    /// The device or operator that did the work.
    pub group: String,
    pub lines: Vec<LineView>,
    /// How many events it has.
    pub events: u64,
    /// The true time of the movement.
    pub occurred: Timestamp,
    pub sealed: Timestamp,
    /// When it entered its state.
    pub since: Timestamp,
    pub attempts: u32,
    pub reason: Option<Reason>,
    /// The picking's name in Odoo, and its id there.
    pub odoo: Option<String>,
    pub odoo_id: Option<i64>,
    /// Its external id in Odoo.
    pub external_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineView {
    pub product: String,
    pub quantity: Value,
    /// `None`: the order or the document's type determines it.
    pub from: Option<String>,
    pub to: Option<String>,
    pub lot: Option<String>,
    pub package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_before: Option<String>,
    /// The `seq` of each event of this line; lists omit them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seqs: Vec<Seq>,
}

/// The fields of a purpose other than the order.
fn more(purpose: &Purpose) -> Map<String, Value> {
    let value = match purpose {
        Purpose::Scrap { reason } | Purpose::Return { reason, .. } => json!({"reason": reason}),
        Purpose::PackOrder { package, .. } => json!({"package": package}),
        Purpose::Ship {
            carrier_ref,
            weight_kg,
            parcels,
            ..
        } => json!({
            "carrier_ref": carrier_ref, "weight_kg": weight_kg.map(number), "parcels": parcels
        }),
        Purpose::Undo {
            event, of, reason, ..
        } => {
            let of = of.as_ref().map(|of| of.kind());
            json!({"event": event, "of": of, "reason": reason})
        }
        Purpose::Recount { count } => json!({"count": count}),
        Purpose::Transfer
        | Purpose::Pick { .. }
        | Purpose::Receive { .. }
        | Purpose::Count
        | Purpose::Pack { .. }
        | Purpose::Validate { .. }
        | Purpose::Unsupported { .. } => json!({}),
    };
    without_nulls(value)
}

/// The fields of an object that are not `null`.
fn without_nulls(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        _ => Map::new(),
    }
}

impl DocumentView {
    #[must_use]
    pub fn of(entry: &Entry, with_seqs: bool) -> Self {
        let (document, progress) = (&entry.document, &entry.progress);
        Self {
            number: document.number,
            key: document.key.to_string(),
            state: progress.state.to_string(),
            purpose: document.purpose.kind().to_owned(),
            order: document.purpose.order().map(str::to_owned),
            more: more(&document.purpose),
            corrects: document.corrects,
            decision: progress.decision.clone(),
            flags: (document.flags.iter().chain(&progress.flags))
                .map(ToString::to_string)
                .collect(),
            undone: progress.undone.clone(),
            group: document.group.clone(),
            lines: (document.lines.iter())
                .map(|line| LineView::of(line, with_seqs))
                .collect(),
            events: document.events.len() as u64,
            occurred: document.occurred,
            sealed: document.sealed,
            since: progress.since,
            attempts: progress.attempts,
            reason: progress.reason.clone(),
            odoo: progress.odoo.as_ref().map(|odoo| odoo.name.clone()),
            odoo_id: progress.odoo.as_ref().map(|odoo| odoo.id.get()),
            external_id: document.key.external_id(),
        }
    }
}

impl LineView {
    fn of(line: &Line, with_seqs: bool) -> Self {
        Self {
            product: line.goods.product.clone(),
            quantity: number(line.goods.quantity),
            from: line.goods.from.clone(),
            to: line.goods.to.clone(),
            lot: line.goods.lot.clone(),
            package: line.goods.package.clone(),
            owner: line.goods.owner.clone(),
            expiry: line.goods.expiry.clone(),
            best_before: line.goods.best_before.clone(),
            seqs: if with_seqs {
                line.events.clone()
            } else {
                Vec::new()
            },
        }
    }
}

/// How often an event arrived again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatsView {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl From<Repeats> for RepeatsView {
    fn from(repeats: Repeats) -> Self {
        Self {
            count: repeats.count,
            first: repeats.first,
            last: repeats.last,
        }
    }
}

/// An audit record: one state change of a document or a rejected reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    pub at: Timestamp,
    /// The state after the change.
    pub state: String,
    /// `assemble`, `forward`, a person as `user:NAME`, or a device as `device:NAME`.
    pub by: String,
    pub note: String,
}

impl From<AuditRecord> for StepView {
    fn from(record: AuditRecord) -> Self {
        Self {
            at: record.at,
            state: record.state,
            by: record.by,
            note: record.note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Goods, Move, Movement};

    #[test]
    fn whole_quantities_have_no_decimals() {
        for (quantity, written) in [("2", "2"), ("2.000", "2"), ("0.5", "0.5"), ("-3", "-3")] {
            let quantity: Decimal = quantity.parse().unwrap();
            assert_eq!(number(quantity).to_string(), written);
        }
    }

    #[test]
    fn an_event_shows_the_fields_of_its_type_and_none_that_it_left_out() {
        let goods = Goods {
            product: "P".to_owned(),
            quantity: 2.into(),
            from: Some("A".to_owned()),
            to: Some("B".to_owned()),
            ..Goods::default()
        };
        let fields = list_fields(&Action::Move(Move::new(Movement::Transfer, goods)));
        assert_eq!(
            Value::Object(fields),
            json!({"product": "P", "quantity": 2, "from": "A", "to": "B"})
        );
    }
}
