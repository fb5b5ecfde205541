//! Reads the action of an event by the table of event types ([`EventType`]). A field that the type
//! does not have is ignored.

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::event::{Action, EventType, Field, Goods, Move, Movement, Presence};
use crate::reason::RejectionCode;

use super::fields::{FieldRefusal, Raw, decimal, parcels, text_of};

/// The types that a device may write: all but the bare scan, which has a topic of its own.
fn types() -> impl Iterator<Item = &'static EventType> {
    EventType::all().filter(|of| *of != EventType::SCAN)
}

/// The names of the types that a device may write.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    types().map(|of| of.name)
}

/// Whether a device may write this type.
pub(super) fn is_kind(name: &str) -> bool {
    types().any(|of| of.name == name)
}

/// The type that an event names.
pub(super) fn kind(raw: Option<&RawValue>) -> Result<&'static EventType, FieldRefusal> {
    let names = || types().map(|of| of.name).collect::<Vec<_>>().join(", ");
    let Some(raw) = raw else {
        return Err(FieldRefusal::new(
            RejectionCode::MissingField,
            format!("field type is missing: it is one of {}", names()),
        ));
    };
    let text = raw.get();
    let name = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    types().find(|of| name == Some(of.name)).ok_or_else(|| {
        let found: String = text.chars().take(40).filter(|c| !c.is_control()).collect();
        FieldRefusal::new(
            RejectionCode::UnknownType,
            format!("field type: found {found}; accepted is one of {}", names()),
        )
    })
}

/// Whether the type has a quantity that is 1 by default.
pub(super) fn has_default_quantity(action: &Action) -> bool {
    action.event_type().presence(Field::Quantity) == Some(Presence::Optional)
}

/// The values of one event's fields, as far as it has them.
#[derive(Default)]
struct ActionValues {
    /// By the field's number.
    texts: [Option<String>; Field::COUNT],
    quantity: Option<Decimal>,
    weight_kg: Option<Decimal>,
    parcels: Option<u32>,
}

impl ActionValues {
    fn read(of: &EventType, raw: &Raw<'_>) -> Result<Self, FieldRefusal> {
        let mut values = Self::default();
        for (field, presence) in of.fields {
            let is_there = values.read_field(*field, *presence, raw)?;
            let is_needed = match presence {
                Presence::Required => true,
                Presence::RequiredWithout(other) => raw.field(*other).is_none(),
                Presence::Optional => false,
            };
            if is_needed && !is_there {
                return Err(FieldRefusal::missing(of, *field));
            }
        }
        Ok(values)
    }

    /// Reads one field. `false`: the event does not have it.
    fn read_field(
        &mut self,
        field: Field,
        presence: Presence,
        raw: &Raw<'_>,
    ) -> Result<bool, FieldRefusal> {
        let written = raw.field(field);
        Ok(match field {
            Field::Quantity => {
                // A type that requires its quantity is a count: 0 means that the location is empty.
                let zero = presence == Presence::Required;
                self.quantity = decimal(field, written, zero)?;
                self.quantity.is_some()
            }
            Field::WeightKg => {
                self.weight_kg = decimal(field, written, false)?;
                self.weight_kg.is_some()
            }
            Field::Parcels => {
                self.parcels = parcels(written)?;
                self.parcels.is_some()
            }
            field => {
                let text = &mut self.texts[field as usize];
                *text = text_of(field, written)?;
                text.is_some()
            }
        })
    }

    fn take(&mut self, field: Field) -> Option<String> {
        self.texts[field as usize].take()
    }

    /// A field that [`Self::read`] has found.
    fn needed(&mut self, field: Field, of: &EventType) -> Result<String, FieldRefusal> {
        self.take(field)
            .ok_or_else(|| FieldRefusal::missing(of, field))
    }

    fn quantity(&self) -> Decimal {
        self.quantity.unwrap_or(Decimal::ONE)
    }
}

/// Reads the action of an object of this type.
pub(super) fn read(of: &EventType, raw: &Raw<'_>) -> Result<Action, FieldRefusal> {
    let mut values = ActionValues::read(of, raw)?;
    if let Some(movement) = Movement::named(of.name) {
        return read_movement(of, movement, values);
    }
    let mut needed = |field| values.needed(field, of);
    Ok(match of {
        of if of == EventType::SHIP => Action::Ship {
            order: needed(Field::Order)?,
            carrier_ref: values.take(Field::CarrierRef),
            weight_kg: values.weight_kg,
            parcels: values.parcels,
        },
        of if of == EventType::VALIDATE => Action::Validate {
            order: needed(Field::Order)?,
        },
        of if of == EventType::UNDO => Action::Undo {
            event: needed(Field::Event)?,
            reason: values.take(Field::Reason),
        },
        _ => Action::Scan {
            code: needed(Field::Code)?,
            symbology: values.take(Field::Symbology),
        },
    })
}

fn read_movement(
    of: &EventType,
    movement: Movement,
    mut values: ActionValues,
) -> Result<Action, FieldRefusal> {
    let quantity = values.quantity();
    let order = values.take(Field::Order);
    let product = values.take(Field::Product);
    if let (Movement::Pack, Some(order), None) = (movement, &order, &product) {
        return Ok(Action::PackOrder {
            order: order.clone(),
            package: values.needed(Field::Package, of)?,
            quantity,
            from: values.take(Field::From),
            lot: values.take(Field::Lot),
        });
    }
    let goods = Goods {
        product: product.ok_or_else(|| FieldRefusal::missing(of, Field::Product))?,
        quantity,
        from: values.take(Field::From),
        to: values.take(Field::To),
        lot: values.take(Field::Lot),
        package: values.take(Field::Package),
        owner: values.take(Field::Owner),
        expiry: values.take(Field::Expiry),
        best_before: values.take(Field::BestBefore),
    };
    Ok(Action::Move(Move {
        movement,
        goods,
        order,
        reason: values.take(Field::Reason),
    }))
}
