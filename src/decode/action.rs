//! Which fields each event type needs and takes. A field that a type does not take is ignored.

use serde_json::value::RawValue;

use crate::event::Action;
use crate::reason::RejectionCode;

use super::fields::{KINDS, Raw, Reader, Refusal};

/// Whether there is an event of this type.
pub(super) fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|(kind, _)| *kind == name)
}

/// The type that an event names.
pub(super) fn kind(raw: Option<&RawValue>) -> Result<&'static str, Refusal> {
    let names = || KINDS.map(|(name, _)| name).join(", ");
    let Some(raw) = raw else {
        return Err(Refusal::new(
            RejectionCode::MissingField,
            format!("field type is missing: it is one of {}", names()),
        ));
    };
    let text = raw.get();
    KINDS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(*name))
        .ok_or_else(|| {
            let found: String = text.chars().take(40).filter(|c| !c.is_control()).collect();
            Refusal::new(
                RejectionCode::UnknownType,
                format!("field type: found {found}; accepted is one of {}", names()),
            )
        })
}

/// Whether the type has a quantity, which is 1 where none is given.
pub(super) fn takes_quantity(action: &Action) -> bool {
    matches!(
        action,
        Action::Transfer { .. }
            | Action::Pick { .. }
            | Action::Receive { .. }
            | Action::Scrap { .. }
            | Action::Return { .. }
            | Action::Pack { .. }
    )
}

/// The action of an object whose type is `reader.kind`.
pub(super) fn read(reader: &Reader, raw: &Raw<'_>) -> Result<Action, Refusal> {
    match reader.kind {
        "transfer" => Ok(Action::Transfer {
            product: reader.needed("product", raw.product)?,
            from: reader.needed("from", raw.from)?,
            to: reader.needed("to", raw.to)?,
            quantity: reader.quantity(raw.quantity)?,
            lot: reader.optional("lot", raw.lot)?,
            package: reader.optional("package", raw.package)?,
        }),
        "pick" => Ok(Action::Pick {
            order: reader.needed("order", raw.order)?,
            product: reader.needed("product", raw.product)?,
            quantity: reader.quantity(raw.quantity)?,
            from: reader.optional("from", raw.from)?,
            lot: reader.optional("lot", raw.lot)?,
            package: reader.optional("package", raw.package)?,
        }),
        "receive" => Ok(Action::Receive {
            order: reader.optional("order", raw.order)?,
            product: reader.needed("product", raw.product)?,
            quantity: reader.quantity(raw.quantity)?,
            to: reader.optional("to", raw.to)?,
            lot: reader.optional("lot", raw.lot)?,
            expiry: reader.date("expiry", raw.expiry)?,
            best_before: reader.date("best_before", raw.best_before)?,
            package: reader.optional("package", raw.package)?,
        }),
        "count" => Ok(Action::Count {
            product: reader.needed("product", raw.product)?,
            from: reader.needed("from", raw.from)?,
            quantity: reader.counted(raw.quantity)?,
            lot: reader.optional("lot", raw.lot)?,
            package: reader.optional("package", raw.package)?,
        }),
        "scrap" => Ok(Action::Scrap {
            product: reader.needed("product", raw.product)?,
            from: reader.needed("from", raw.from)?,
            quantity: reader.quantity(raw.quantity)?,
            lot: reader.optional("lot", raw.lot)?,
            reason: reader.optional("reason", raw.reason)?,
        }),
        "return" => Ok(Action::Return {
            order: reader.optional("order", raw.order)?,
            product: reader.needed("product", raw.product)?,
            to: reader.needed("to", raw.to)?,
            quantity: reader.quantity(raw.quantity)?,
            lot: reader.optional("lot", raw.lot)?,
            reason: reader.optional("reason", raw.reason)?,
        }),
        _ => read_without_stock(reader, raw),
    }
}

/// The types that are about packages and orders, and the bare scan.
fn read_without_stock(reader: &Reader, raw: &Raw<'_>) -> Result<Action, Refusal> {
    match reader.kind {
        "pack" => {
            let package = reader.needed("package", raw.package)?;
            let product = reader.optional("product", raw.product)?;
            let order = reader.optional("order", raw.order)?;
            if product.is_none() && order.is_none() {
                return Err(reader.missing("product"));
            }
            Ok(Action::Pack {
                package,
                product,
                order,
                quantity: reader.quantity(raw.quantity)?,
                from: reader.optional("from", raw.from)?,
                lot: reader.optional("lot", raw.lot)?,
            })
        }
        "ship" => Ok(Action::Ship {
            order: reader.needed("order", raw.order)?,
            carrier_ref: reader.optional("carrier_ref", raw.carrier_ref)?,
            weight_kg: reader.decimal("weight_kg", raw.weight_kg, false)?,
            parcels: reader.parcels(raw.parcels)?,
        }),
        "validate" => Ok(Action::Validate {
            order: reader.needed("order", raw.order)?,
        }),
        "undo" => Ok(Action::Undo {
            event: reader.needed("event", raw.event)?,
            reason: reader.optional("reason", raw.reason)?,
        }),
        _ => Ok(Action::Scan {
            code: reader.needed("code", raw.code)?,
            symbology: reader.optional("symbology", raw.symbology)?,
        }),
    }
}
