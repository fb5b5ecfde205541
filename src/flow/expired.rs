//! Turns the unfinished movement that a long pause ended into rejected readings, which stay open
//! until a person settles them. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::event::{Channel, Field, Movement, Name, Rejection, SourceKind};
use crate::reason::RejectionCode;

use super::create;
use super::state::{Item, State, Unfinished};

/// Products that the message names, at most; the payload has all of them.
const NAMED_MAX: usize = 5;
/// Payload of one reading, at most. Further products become another reading, so that each is stored
/// whole and a person can correct it.
pub(super) const PAYLOAD_BYTES_MAX: usize = 4096;
/// The quantity in the payload if a person has to add it. An event with it is rejected.
const MISSING_QUANTITY: &str = "?";

/// The unfinished movement of a device at the end of a long pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    movement: Movement,
    unfinished: Unfinished,
    operator: Option<String>,
    /// The time of the last scan by the device's clock, and when the gateway received it.
    at: Timestamp,
    received: Timestamp,
    ids: Vec<String>,
}

impl Expired {
    /// `id` returns the id of the event of a product by its place, from 1. `None`: no product was
    /// scanned.
    pub fn new(
        movement: Movement,
        state: &State,
        (at, received): (Timestamp, Timestamp),
        id: impl Fn(usize) -> String,
    ) -> Option<Self> {
        let mut unfinished = state.unfinished.clone();
        if movement == Movement::Count {
            unfinished.items = create::merge_counts(&unfinished.items);
        }
        let ids: Vec<String> = (1..=unfinished.items.len()).map(id).collect();
        (!ids.is_empty()).then(|| Self {
            movement,
            unfinished,
            operator: state.operator.clone(),
            at,
            received,
            ids,
        })
    }

    /// Builds rejected readings, each small enough that its payload is stored whole.
    #[must_use]
    pub fn build_rejections(&self, device: &Name) -> Vec<Rejection> {
        let mut pieces: Vec<Vec<(&Item, String, String)>> = Vec::new();
        let mut bytes = usize::MAX;
        for (item, id) in self.unfinished.items.iter().zip(&self.ids) {
            let event = Value::Object(self.build_event(item, id)).to_string();
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
                message: self.describe(&items),
                payload: format!("[{}]", events.join(",")).into_bytes(),
                cut: false,
            }
        };
        pieces.iter().map(rejection).collect()
    }

    /// Builds the event of one product as a device would send it, without the missing fields.
    fn build_event(&self, item: &Item, id: &str) -> Map<String, Value> {
        let unfinished = &self.unfinished;
        let movement = create::event_movement(self.movement, unfinished);
        let package = create::find_package(movement, unfinished, item);
        let quantity = if item.lacks_quantity {
            Value::from(MISSING_QUANTITY)
        } else {
            // A text, so that no float changes it.
            Value::from(item.quantity.normalize().to_string())
        };
        let texts = [
            ("id", Some(id.to_owned())),
            ("at", Some(self.at.to_string())),
            ("operator", self.operator.clone()),
            ("order", unfinished.order.clone()),
            ("product", Some(item.code.clone())),
            ("lot", item.lot.clone()),
            ("expiry", item.expiry.clone()),
            ("best_before", item.best_before.clone()),
            ("from", unfinished.from.clone()),
            ("to", unfinished.to.clone()),
            ("package", package),
            ("reason", unfinished.reason.clone()),
        ];
        let texts = (texts.into_iter()).filter_map(|(key, text)| Some((key, Value::from(text?))));
        [("type", movement.as_str().into()), ("quantity", quantity)]
            .into_iter()
            .chain(texts)
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    fn describe(&self, items: &[&Item]) -> String {
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
            ("of order", &self.unfinished.order),
            ("from", &self.unfinished.from),
            ("in package", &self.unfinished.package),
        ];
        let place = place
            .into_iter()
            .filter_map(|(word, place)| Some(format!(" {word} {}", place.as_ref()?)));
        let missing = self.list_missing(items);
        let add = if missing.is_empty() {
            String::new()
        } else {
            format!(" with {}", missing.join(" and "))
        };
        format!(
            "a pause ended this {} before it was complete, and Odoo has nothing from it: {}{}. Send it again{add}, or scan it again and dismiss this reading",
            self.movement.event_type().noun,
            what.join(", "),
            place.collect::<String>()
        )
    }

    /// Lists the fields that a person has to add.
    fn list_missing(&self, items: &[&Item]) -> Vec<&'static str> {
        let unfinished = &self.unfinished;
        let lacks = |field: &Field| match field {
            Field::From => unfinished.from.is_none(),
            Field::To => unfinished.to.is_none(),
            Field::Order => unfinished.order.is_none(),
            Field::Package => unfinished.package.is_none(),
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
