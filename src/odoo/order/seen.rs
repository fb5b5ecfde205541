//! An order as it was read from Odoo.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::document::{DocumentKey, OdooRef};
use crate::odoo::TOLERANCE;
use crate::odoo::order::Shipment;
use crate::odoo::values::{decimal, id};
use crate::odoo::warehouse::Backorders;
use crate::odoo::{Direction, Lots, MoveState, PickingState};
use crate::odoo_id::{
    LocationId, MoveId, MoveLineId, PackageId, PartnerId, PickingId, PickingTypeId, ProductId,
    UserId,
};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenPicking {
    pub id: PickingId,
    pub name: String,
    pub state: PickingState,
    pub kind: Direction,
    pub picking_type: PickingTypeId,
    pub backorders: Backorders,
    pub lots: Lots,
    pub from: LocationId,
    pub to: LocationId,
    pub origin: Option<String>,
    /// The user who made the last change.
    pub write_uid: Option<UserId>,
    /// As Odoo writes it, in UTC.
    pub date_done: Option<String>,
    pub backorder_of: Option<PickingId>,
    pub moves: Vec<SeenMove>,
    pub lines: Vec<SeenLine>,
    pub carrier_ref: Option<String>,
    pub weight_kg: Option<Decimal>,
    /// This Odoo computes the weight and drops a weight that the gateway writes, so the note states
    /// the weight.
    pub forgets_weight: bool,
    /// As HTML.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenMove {
    pub id: MoveId,
    pub product: ProductId,
    pub name: String,
    /// In the product's own unit.
    pub demand: Decimal,
    pub state: MoveState,
    /// Odoo counts the move as picked, although it may have no picked line any more.
    pub picked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenLine {
    pub id: MoveLineId,
    /// The external id without the module, if the line is one of the gateway's own.
    pub external: Option<String>,
    pub move_id: Option<MoveId>,
    pub product: ProductId,
    /// In the product's own unit.
    pub quantity: Decimal,
    pub picked: bool,
    /// The time of the last change, as Odoo writes it, in UTC; for a picked line, the time of the
    /// picking.
    pub date: Option<String>,
    pub from: LocationId,
    pub to: LocationId,
    pub lot: Option<String>,
    pub package: Option<PackageId>,
    pub result_package: Option<PackageId>,
    pub owner: Option<PartnerId>,
}

impl SeenMove {
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.is_open()
    }
}

impl SeenLine {
    /// The key of the document that added the line.
    #[must_use]
    pub fn document(&self) -> Option<DocumentKey> {
        let (key, _) = self
            .external
            .as_deref()?
            .strip_prefix("ml_")?
            .split_once('_')?;
        key.parse().ok()
    }

    /// The time of the last change.
    #[must_use]
    pub fn dated(&self) -> Option<Timestamp> {
        let date = DateTime::strptime("%Y-%m-%d %H:%M:%S", self.date.as_deref()?).ok()?;
        let zoned = date.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp())
    }

    /// Whether the line belongs to this document.
    #[must_use]
    pub fn is_of(&self, key: DocumentKey) -> bool {
        let prefix = format!("ml_{key}_");
        self.external
            .as_deref()
            .is_some_and(|external| external.starts_with(&prefix))
    }
}

impl SeenPicking {
    #[must_use]
    pub fn named(&self) -> OdooRef {
        OdooRef {
            id: self.id,
            name: self.name.clone(),
        }
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// The picking's demand of a product. `None`: it has no line for the product.
    #[must_use]
    pub fn ordered(&self, product: ProductId) -> Option<Decimal> {
        let mut moves = (self.moves.iter())
            .filter(|ordered| ordered.product == product && ordered.state != MoveState::Cancelled)
            .peekable();
        moves.peek()?;
        Some(moves.map(|ordered| ordered.demand).sum())
    }

    #[must_use]
    pub fn picked(&self, product: ProductId) -> Decimal {
        let picked = self
            .lines
            .iter()
            .filter(|line| line.picked && line.product == product);
        picked.map(|line| line.quantity).sum()
    }

    #[must_use]
    pub fn picked_of(&self, move_id: MoveId) -> Decimal {
        let picked = self
            .lines
            .iter()
            .filter(|line| line.picked && line.move_id == Some(move_id));
        picked.map(|line| line.quantity).sum()
    }

    #[must_use]
    pub fn has_picks(&self) -> bool {
        self.lines.iter().any(|line| line.picked)
    }

    /// The picked lines that are in no package.
    pub fn loose(&self) -> impl Iterator<Item = MoveLineId> {
        let picked = self.lines.iter().filter(|line| line.picked);
        let loose = picked.filter(|line| line.result_package.is_none());
        loose.map(|line| line.id)
    }

    /// The picked quantities, by line.
    #[must_use]
    pub fn picked_lines(&self) -> BTreeMap<MoveLineId, Decimal> {
        let picked = self.lines.iter().filter(|line| line.picked);
        picked.map(|line| (line.id, line.quantity)).collect()
    }

    /// The reserved lines of open moves that also have picked lines.
    #[must_use]
    pub fn reserved_beside_picks(&self) -> Vec<MoveLineId> {
        let mut lines = self.lines.iter().filter(|line| line.picked);
        let picked: Vec<MoveId> = lines.by_ref().filter_map(|line| line.move_id).collect();
        let beside = (self.lines.iter())
            .filter(|line| !line.picked && line.move_id.is_some_and(|of| picked.contains(&of)));
        beside.map(|line| line.id).collect()
    }

    /// The open moves that Odoo counts as picked although they have no lines.
    #[must_use]
    pub fn picked_without_lines(&self) -> Vec<MoveId> {
        let has_lines = |of: MoveId| self.lines.iter().any(|line| line.move_id == Some(of));
        let moves = self.moves.iter();
        let moves = moves.filter(|of| of.is_open() && of.picked && !has_lines(of.id));
        moves.map(|of| of.id).collect()
    }

    /// Whether the full demand is picked.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has_picks()
            && (self.moves.iter())
                .filter(|ordered| ordered.is_open())
                .all(|ordered| self.picked_of(ordered.id) + TOLERANCE > ordered.demand)
    }

    /// Describes the part of the demand that is not picked.
    #[must_use]
    pub fn lacking(&self) -> String {
        let lacks = self
            .moves
            .iter()
            .filter(|ordered| ordered.is_open())
            .filter_map(|ordered| {
                let lacks = ordered.demand - self.picked_of(ordered.id);
                (lacks >= TOLERANCE).then(|| format!("{} of {}", lacks.normalize(), ordered.name))
            });
        lacks.take(8).collect::<Vec<_>>().join(", ")
    }

    /// Describes the part of the demand that a done picking did not move. Empty: the picking moved
    /// all, or the rest is on a backorder.
    #[must_use]
    pub fn cut(&self) -> String {
        let cut = self.moves.iter().filter_map(|ordered| {
            let moved = match ordered.state {
                MoveState::Cancelled => Decimal::ZERO,
                _ => self.picked_of(ordered.id),
            };
            let cut = ordered.demand - moved;
            (cut >= TOLERANCE).then(|| format!("{} of {}", cut.normalize(), ordered.name))
        });
        cut.take(8).collect::<Vec<_>>().join(", ")
    }

    #[must_use]
    pub fn product_name(&self, product: ProductId) -> String {
        let known = self.moves.iter().find(|ordered| ordered.product == product);
        known.map_or_else(
            || format!("product id {product}"),
            |ordered| ordered.name.clone(),
        )
    }

    /// Whether the picking's fields have the shipment data for the carrier. Data without a field is
    /// in the note.
    #[must_use]
    pub fn says(&self, shipment: &Shipment) -> bool {
        let weight = |kg: Decimal| {
            self.forgets_weight || (self.weight_kg).is_some_and(|has| (has - kg).abs() < TOLERANCE)
        };
        shipment.weight_kg.is_none_or(weight)
            && (shipment.carrier_ref.is_none() || shipment.carrier_ref == self.carrier_ref)
    }

    /// The note with the data that Odoo has no field for: the number of parcels, and the weight if
    /// Odoo drops a written weight. `None`: the note has the data already.
    #[must_use]
    pub fn extend_note(&self, shipment: &Shipment) -> Option<String> {
        let mut note = self.note.clone().unwrap_or_default();
        if let Some(parcels) = shipment.parcels {
            let said = format!("<p>Parcels: {parcels}</p>");
            if !note.contains(&said) {
                note.push_str(&said);
            }
        }
        if let Some(kg) = shipment.weight_kg.filter(|_| self.forgets_weight) {
            note = with_weight(&note, kg);
        }
        (note != self.note.as_deref().unwrap_or_default()).then_some(note)
    }
}

/// Writes this weight into a note. The weight replaces an earlier one, as in a field.
fn with_weight(note: &str, kg: Decimal) -> String {
    const START: &str = "<p>Weight: ";
    const END: &str = " kg</p>";
    let said = format!("{START}{}{END}", kg.normalize());
    if let Some((before, rest)) = note.split_once(START)
        && let Some((told, after)) = rest.split_once(END)
        && told.parse::<Decimal>().is_ok()
    {
        return format!("{before}{said}{after}");
    }
    format!("{note}{said}")
}

/// The fields of an order's picking that the gateway reads.
pub(super) fn specification(shipping: &[String]) -> Value {
    let mut fields = json!({
        "name": {}, "state": {}, "picking_type_code": {}, "location_id": {},
        "picking_type_id": {"fields": {"create_backorder": {}, "use_create_lots": {}, "use_existing_lots": {}}},
        "location_dest_id": {}, "origin": {}, "write_uid": {}, "date_done": {}, "backorder_id": {}, "note": {},
        "move_ids": {"fields": {
            "product_id": {"fields": {"display_name": {}}}, "product_qty": {}, "state": {}, "picked": {},
        }},
        "move_line_ids": {"fields": {
            "move_id": {}, "product_id": {}, "quantity_product_uom": {}, "picked": {}, "location_id": {},
            "location_dest_id": {}, "lot_id": {"fields": {"name": {}}}, "lot_name": {}, "package_id": {},
            "result_package_id": {}, "owner_id": {}, "date": {},
        }},
    });
    for field in shipping {
        fields[field] = json!({});
    }
    fields
}

/// A value of Odoo as an enum of [`crate::odoo::state`].
fn word<'a, T: From<&'a str>>(value: &'a Value) -> T {
    T::from(value.as_str().unwrap_or_default())
}

fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

pub(super) fn picking(value: &Value) -> SeenPicking {
    let list = |field: &str| value[field].as_array().cloned().unwrap_or_default();
    let state = word(&value["state"]);
    SeenPicking {
        id: id(&value["id"]).unwrap_or_default(),
        name: text(&value["name"]).unwrap_or_default(),
        kind: word(&value["picking_type_code"]),
        picking_type: id(&value["picking_type_id"]).unwrap_or_default(),
        backorders: Backorders::of(
            value["picking_type_id"]["create_backorder"]
                .as_str()
                .unwrap_or_default(),
        ),
        lots: Lots::of(
            value["picking_type_id"]["use_create_lots"] != Value::Bool(false),
            value["picking_type_id"]["use_existing_lots"] != Value::Bool(false),
        ),
        from: id(&value["location_id"]).unwrap_or_default(),
        to: id(&value["location_dest_id"]).unwrap_or_default(),
        origin: text(&value["origin"]),
        write_uid: id(&value["write_uid"]),
        date_done: text(&value["date_done"]),
        backorder_of: id(&value["backorder_id"]),
        moves: list("move_ids").iter().map(ordered).collect(),
        lines: list("move_line_ids")
            .iter()
            .map(|of| line(of, state == PickingState::Done))
            .collect(),
        carrier_ref: text(&value["carrier_tracking_ref"]),
        weight_kg: decimal(&value["shipping_weight"]),
        forgets_weight: false,
        note: text(&value["note"]),
        state,
    }
}

fn ordered(value: &Value) -> SeenMove {
    SeenMove {
        id: id(&value["id"]).unwrap_or_default(),
        product: id(&value["product_id"]).unwrap_or_default(),
        name: text(&value["product_id"]["display_name"]).unwrap_or_default(),
        demand: decimal(&value["product_qty"]).unwrap_or_default(),
        state: word(&value["state"]),
        picked: value["picked"].as_bool().unwrap_or_default(),
    }
}

/// Reads a line. In a done picking, the name of a lot is the given name: Odoo may have created no
/// lot from it.
fn line(value: &Value, is_done: bool) -> SeenLine {
    let given = || text(&value["lot_name"]).filter(|_| !is_done);
    SeenLine {
        id: id(&value["id"]).unwrap_or_default(),
        external: None,
        move_id: id(&value["move_id"]),
        product: id(&value["product_id"]).unwrap_or_default(),
        quantity: decimal(&value["quantity_product_uom"]).unwrap_or_default(),
        picked: value["picked"].as_bool().unwrap_or_default(),
        date: text(&value["date"]),
        from: id(&value["location_id"]).unwrap_or_default(),
        to: id(&value["location_dest_id"]).unwrap_or_default(),
        lot: text(&value["lot_id"]["name"]).or_else(given),
        package: id(&value["package_id"]),
        result_package: id(&value["result_package_id"]),
        owner: id(&value["owner_id"]),
    }
}
