//! Products that were scanned in a flow and became no event before a long pause. They become
//! rejected readings, which stay open until a person settles them. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::event::{Channel, Field, Movement, Name, Rejection, SourceKind};
use crate::reason::RejectionCode;

use super::make;
use super::state::{Item, State, Work};

/// How many products the message names; the payload has all of them.
const NAMED_MAX: usize = 5;
/// The largest payload of one reading. More products become another reading, so that a person can
/// read and correct each.
pub(super) const PAYLOAD_BYTES_MAX: usize = 4096;
/// The quantity in the payload if a person has to add it: no event can be made of it.
const TO_BE_SAID: &str = "?";

/// The open work of a device at the end of a long pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    movement: Movement,
    work: Work,
    operator: Option<String>,
    /// The time of the last scan by the device's clock, and when the gateway received it.
    at: Timestamp,
    received: Timestamp,
    ids: Vec<String>,
}

impl Unfinished {
    /// `id` gives the id of each product's event. `None`: no product was scanned.
    pub fn of(
        movement: Movement,
        state: &State,
        (at, received): (Timestamp, Timestamp),
        id: impl Fn(usize) -> String,
    ) -> Option<Self> {
        let mut work = state.work.clone();
        if movement == Movement::Count {
            work.items = make::counted(&work.items);
        }
        let ids: Vec<String> = (1..=work.items.len()).map(id).collect();
        (!ids.is_empty()).then(|| Self {
            movement,
            work,
            operator: state.operator.clone(),
            at,
            received,
            ids,
        })
    }

    /// Makes rejected readings, each small enough that its payload is stored whole.
    #[must_use]
    pub fn rejections(&self, device: &Name) -> Vec<Rejection> {
        let mut pieces: Vec<Vec<(&Item, String, String)>> = Vec::new();
        let mut bytes = usize::MAX;
        for (item, id) in self.work.items.iter().zip(&self.ids) {
            let event = Value::Object(self.event(item, id)).to_string();
            bytes = bytes.saturating_add(event.len() + 1);
            match pieces.last_mut() {
                Some(piece) if bytes < PAYLOAD_BYTES_MAX => piece.push((item, id.clone(), event)),
                _ => {
                    // The brackets of the array.
                    bytes = event.len() + 2;
                    pieces.push(vec![(item, id.clone(), event)]);
                }
            }
        }
        let rejection = |piece: &Vec<(&Item, String, String)>| {
            let items: Vec<&Item> = piece.iter().map(|(item, ..)| *item).collect();
            let events: Vec<&str> = piece.iter().map(|(.., event)| event.as_str()).collect();
            Rejection {
                device: device.clone(),
                source: SourceKind::Flow,
                channel: Some(Channel::Event),
                received: self.received,
                id: piece.first().map(|(_, id, _)| id.clone()),
                code: RejectionCode::NotFinished,
                message: self.message(&items),
                payload: format!("[{}]", events.join(",")).into_bytes(),
                cut: false,
            }
        };
        pieces.iter().map(rejection).collect()
    }

    /// Writes the event of one product as a device would send it, as far as it is known.
    fn event(&self, item: &Item, id: &str) -> Map<String, Value> {
        let work = &self.work;
        let movement = make::type_of(self.movement, work);
        let package = make::package(movement, work, item);
        let quantity = if item.lacks_quantity {
            Value::from(TO_BE_SAID)
        } else {
            // As a text, so that no float is in between.
            Value::from(item.quantity.normalize().to_string())
        };
        let texts = [
            ("id", Some(id.to_owned())),
            ("at", Some(self.at.to_string())),
            ("operator", self.operator.clone()),
            ("order", work.order.clone()),
            ("product", Some(item.code.clone())),
            ("lot", item.lot.clone()),
            ("expiry", item.expiry.clone()),
            ("best_before", item.best_before.clone()),
            ("from", work.from.clone()),
            ("to", work.to.clone()),
            ("package", package),
            ("reason", work.reason.clone()),
        ];
        let texts = (texts.into_iter()).filter_map(|(key, text)| Some((key, Value::from(text?))));
        [("type", movement.as_str().into()), ("quantity", quantity)]
            .into_iter()
            .chain(texts)
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    fn message(&self, items: &[&Item]) -> String {
        let name = |item: &&Item| {
            let lot = item.lot.as_ref().map(|lot| format!(" ({lot})"));
            let quantity = item.quantity.normalize();
            format!("{quantity} × {}{}", item.name, lot.unwrap_or_default())
        };
        let mut what: Vec<String> = items.iter().take(NAMED_MAX).map(name).collect();
        if items.len() > NAMED_MAX {
            what.push(format!("{} more", items.len() - NAMED_MAX));
        }
        let place = [
            ("of order", &self.work.order),
            ("from", &self.work.from),
            ("in package", &self.work.package),
        ];
        let place = place
            .into_iter()
            .filter_map(|(word, place)| Some(format!(" {word} {}", place.as_ref()?)));
        let missing = self.missing(items);
        let add = if missing.is_empty() {
            String::new()
        } else {
            format!(" with {}", missing.join(" and "))
        };
        format!(
            "a {} was begun and not finished before the pause, and nothing of it is in Odoo: {}{}. Send it again{add}, or let the floor scan it anew and dismiss this",
            self.movement.event_type().noun,
            what.join(", "),
            place.collect::<String>()
        )
    }

    /// Lists the fields that a person has to add.
    fn missing(&self, items: &[&Item]) -> Vec<&'static str> {
        let work = &self.work;
        let lacks = |field: &Field| match field {
            Field::From => work.from.is_none(),
            Field::To => work.to.is_none(),
            Field::Order => work.order.is_none(),
            Field::Package => work.package.is_none(),
            _ => false,
        };
        let needed = self.movement.event_type().required().filter(lacks);
        let needed = needed.map(|field| (field.name(), true));
        let of_items = [
            ("lot", items.iter().any(|item| item.lacks_lot())),
            ("quantity", items.iter().any(|item| item.lacks_quantity)),
        ];
        let all = needed.chain(of_items);
        all.filter_map(|(field, lacks)| lacks.then_some(field))
            .collect()
    }
}
