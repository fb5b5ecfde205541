//! Orders that Odoo has: reads a whole order, adds lines, validates, and sets the carrier's data.
//!
//! [`Client::add_lines`] adds lines so that Odoo itself refuses them on a picking that is done or
//! cancelled, in the same transaction: it writes the picking's own operation type with them, which
//! Odoo forbids there. Reading the state first is not enough: another user may validate the picking
//! between the reading and the call, and Odoo then adds done lines, which move stock twice
//! (`docs/odoo.md`, "Orders"). The next reading of the picking's state shows why Odoo refused such
//! a call; the text of the refusal does not count. If Odoo forbids the call, the state is read at
//! once: Odoo 17 forbids it on a finished picking, and a missing right holds the link.

mod find;
mod seen;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Value, json};

pub use self::seen::{SeenLine, SeenMove, SeenPicking};
use self::seen::{picking, specification};
use super::answer::CallError;
use super::client::{Client, read};
use super::loaded::{Loaded, MODULE, first_message};
use super::values;
pub use super::values::odoo_time;
pub use super::warehouse::Backorders;
use crate::odoo::PickingState;
use crate::odoo::lots::LotRef;
use crate::odoo_id::{
    LocationId, MoveId, MoveLineId, PackageId, PartnerId, PickingId, ProductId, UnitId, UserId,
};
use crate::outcome::Failure;

/// The shipment data for the carrier. The gateway does not change a field that is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shipment {
    pub carrier_ref: Option<String>,
    pub weight_kg: Option<Decimal>,
    pub parcels: Option<u32>,
}

/// One move line that Odoo will have, under its external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub external_id: String,
    pub product: ProductId,
    pub unit: UnitId,
    pub quantity: Decimal,
    pub from: LocationId,
    pub to: LocationId,
    /// `None` only if the picking has no move of the product.
    pub move_id: Option<MoveId>,
    pub lot: LotRef,
    pub package: Option<PackageId>,
    pub into: Option<PackageId>,
    pub owner: Option<PartnerId>,
}

/// An order as Odoo has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// In the order of their creation.
    pub pickings: Vec<SeenPicking>,
    /// The id of the key's user.
    pub me: UserId,
    /// The number of open pickings with this name as their origin, if it is more than one order can
    /// have. The gateway then did not read all of them.
    pub too_many: Option<usize>,
}

impl Client {
    /// Reads these pickings with their moves and lines.
    pub async fn seen(&mut self, ids: &[PickingId]) -> Result<Vec<SeenPicking>, Failure> {
        let shipping = self.shipping_fields().await?;
        let body = json!({"ids": ids, "specification": specification(&shipping)});
        let read: Vec<Value> = self.call("stock.picking", "web_read", &body).await?;
        let mut pickings: Vec<SeenPicking> = read.iter().map(picking).collect();
        pickings.sort_by_key(|picking| picking.id);
        let lines: Vec<MoveLineId> = pickings
            .iter()
            .flat_map(|p| &p.lines)
            .map(|line| line.id)
            .collect();
        let externals = self.external_ids("stock.move.line", &lines).await?;
        let forgets_weight = self.forgets_weight().await?;
        for picking in &mut pickings {
            picking.forgets_weight = forgets_weight;
        }
        for line in pickings.iter_mut().flat_map(|p| &mut p.lines) {
            line.external = externals.get(&line.id).cloned();
        }
        Ok(pickings)
    }

    /// Adds lines to the picking, each once. If the picking is done or cancelled, adds no line.
    pub async fn add_lines(
        &mut self,
        picking: &SeenPicking,
        rows: &[OrderRow],
    ) -> Result<(), Failure> {
        let (fields, data) = table(picking, rows);
        let body = json!({"fields": fields, "data": data, "context": self.load_context()});
        let answer = self.call_unless_finished(picking.id, "load", &body).await?;
        let loaded: Loaded = read("stock.picking", "load", answer)?;
        if loaded.ids.is_array() {
            return Ok(());
        }
        Err(Failure::person(first_message(&loaded.messages)))
    }

    /// Validates one picking of an order. The next read shows whether Odoo validated it.
    pub async fn validate_order(
        &mut self,
        picking: PickingId,
        backorder: bool,
    ) -> Result<(), Failure> {
        let mut context = self.validate_context();
        if !backorder {
            context["picking_ids_not_to_backorder"] = json!([picking]);
        }
        let body = json!({"ids": [picking], "context": context});
        let _: Value = self.call("stock.picking", "button_validate", &body).await?;
        Ok(())
    }

    /// Creates a package with this name. Odoo allows several packages with one name, so all callers
    /// use the same external id.
    pub async fn make_package(&mut self, name: &str) -> Result<PackageId, Failure> {
        let digest = blake3::hash(name.as_bytes()).to_hex();
        let id = format!("{MODULE}.pa_{}", &digest[..32]);
        let row = [("id", id), ("name", name.to_owned())];
        self.load_one("stock.package", row).await
    }

    /// Reserves the demand of a picking, as far as the stock allows.
    pub async fn reserve(&mut self, picking: PickingId) -> Result<(), Failure> {
        let body = json!({"ids": [picking], "context": self.context()});
        let _: Value = self.call("stock.picking", "action_assign", &body).await?;
        Ok(())
    }

    /// Whether a location contains other locations.
    pub async fn has_bins(&mut self, location: LocationId) -> Result<bool, Failure> {
        let body = json!({"domain": [["location_id", "=", location]], "limit": 1});
        let count: u64 = self.call("stock.location", "search_count", &body).await?;
        Ok(count > 0)
    }

    /// Removes lines from an order that is not finished: Odoo refuses the call on a finished order.
    pub async fn remove_lines(&mut self, lines: &[MoveLineId]) -> Result<(), Failure> {
        let body = json!({"ids": lines, "context": self.context()});
        let _: Value = self.call("stock.move.line", "unlink", &body).await?;
        Ok(())
    }

    /// Sets lines of an order to lower quantities, and removes lines with the quantity zero. The
    /// call changes all lines or, if the picking is done or cancelled, none.
    pub async fn reduce_lines(
        &mut self,
        picking: &SeenPicking,
        lines: &[(MoveLineId, Decimal)],
    ) -> Result<(), Failure> {
        let command = |(id, quantity): &(MoveLineId, Decimal)| {
            if quantity.is_zero() {
                remove(*id)
            } else {
                json!([1, id, {"quantity": number(*quantity)}])
            }
        };
        let commands: Vec<Value> = lines.iter().map(command).collect();
        self.write_open(picking, json!({"move_line_ids": commands}))
            .await
    }

    /// Removes lines from a picking and marks the scanned lines as picked, if all lines in
    /// `scanned` and `others` still exist; otherwise Odoo refuses the call. It does not change the
    /// mark of lines that people picked.
    pub async fn guard_validation(
        &mut self,
        picking: &SeenPicking,
        scanned: &[MoveLineId],
        others: &[MoveLineId],
        reserved: &[MoveLineId],
    ) -> Result<(), Failure> {
        let scanned = scanned.iter().map(|id| json!([1, id, {"picked": true}]));
        let others = others.iter().map(|id| json!([1, id, {}]));
        let reserved = reserved.iter().map(|id| remove(*id));
        let commands: Vec<Value> = scanned.chain(others).chain(reserved).collect();
        self.write_open(picking, json!({"move_line_ids": commands}))
            .await
    }

    /// Removes the mark *picked* from moves that have no lines, and reserves the picking again.
    pub async fn reserve_again(
        &mut self,
        picking: &SeenPicking,
        moves: &[MoveId],
    ) -> Result<(), Failure> {
        let unpick = |id: &MoveId| json!([1, id, {"picked": false}]);
        let commands: Vec<Value> = moves.iter().map(unpick).collect();
        // The dialect recognizes a guarded write by its lines.
        let values = json!({"move_ids": commands, "move_line_ids": []});
        self.write_open(picking, values).await?;
        let body = json!({"ids": [picking.id], "context": self.context()});
        let _: Value = self.call("stock.picking", "action_assign", &body).await?;
        Ok(())
    }

    /// Writes to a picking that is not finished. The call writes all values or, if the picking is
    /// done or cancelled, none.
    async fn write_open(
        &mut self,
        picking: &SeenPicking,
        mut values: Value,
    ) -> Result<(), Failure> {
        values["picking_type_id"] = json!(picking.picking_type);
        values["location_id"] = json!(picking.from);
        values["location_dest_id"] = json!(picking.to);
        let body = json!({"ids": [picking.id], "vals": values, "context": self.context()});
        self.call_unless_finished(picking.id, "write", &body)
            .await?;
        Ok(())
    }

    /// Makes a call that Odoo refuses on a finished picking. If Odoo forbids the call, the function
    /// reads the picking's state before the user's rights: a finished picking refuses every user.
    async fn call_unless_finished(
        &mut self,
        picking: PickingId,
        method: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        match self.ask("stock.picking", method, body).await {
            Ok(answer) => Ok(answer),
            Err(CallError::Failed(failure)) => Err(failure),
            Err(CallError::Forbidden(message)) if self.is_finished(picking).await? => {
                Err(Failure::person(message))
            }
            Err(CallError::Forbidden(message)) => Err(self.forbidden(&message).await?),
        }
    }

    /// Whether a picking is done or cancelled; `false` for a deleted picking.
    async fn is_finished(&mut self, picking: PickingId) -> Result<bool, Failure> {
        let body = json!({"ids": [picking], "fields": ["state"]});
        let read: Vec<Value> = self.call("stock.picking", "read", &body).await?;
        let state = read.first().and_then(|picking| picking["state"].as_str());
        Ok(state.is_some_and(|state| !PickingState::from(state).is_open()))
    }

    /// Cancels own pickings; a done picking stays done.
    pub async fn cancel(&mut self, pickings: &[PickingId]) -> Result<(), Failure> {
        let body = json!({"ids": pickings, "context": self.context()});
        let _: Value = self.call("stock.picking", "action_cancel", &body).await?;
        Ok(())
    }

    /// Puts lines of an open picking into a package. Odoo refuses the call on a picking that is
    /// done or cancelled.
    pub async fn pack_lines(
        &mut self,
        picking: &SeenPicking,
        lines: &[MoveLineId],
        package: PackageId,
    ) -> Result<(), Failure> {
        let pack = |id: &MoveLineId| json!([1, id, {"result_package_id": package}]);
        let commands: Vec<Value> = lines.iter().map(pack).collect();
        self.write_open(picking, json!({"move_line_ids": commands}))
            .await
    }

    pub async fn ship(
        &mut self,
        picking: PickingId,
        shipment: &Shipment,
        note: Option<&str>,
    ) -> Result<(), Failure> {
        let fields = self.shipping_fields().await?;
        let mut values = serde_json::Map::new();
        if let Some(note) = note {
            values.insert("note".to_owned(), json!(note));
        }
        let mut put = |field: &str, value: Option<Value>| {
            if let Some(value) = value
                && fields.iter().any(|known| known == field)
            {
                values.insert(field.to_owned(), value);
            }
        };
        put(
            "carrier_tracking_ref",
            shipment.carrier_ref.as_ref().map(|text| json!(text)),
        );
        put("shipping_weight", shipment.weight_kg.map(number));
        let body = json!({"ids": [picking], "vals": values, "context": self.context()});
        let _: Value = self.call("stock.picking", "write", &body).await?;
        Ok(())
    }

    /// The fields for the carrier, which the module *Delivery* adds.
    async fn shipping_fields(&mut self) -> Result<Vec<String>, Failure> {
        if self.shipping.is_none() {
            let mut fields = vec!["carrier_tracking_ref"];
            if !self.forgets_weight().await? {
                fields.push("shipping_weight");
            }
            let body = json!({"allfields": fields, "attributes": ["type"]});
            let fields: BTreeMap<String, Value> =
                self.call("stock.picking", "fields_get", &body).await?;
            self.shipping = Some(fields.into_keys().collect());
        }
        Ok(self.shipping.clone().unwrap_or_default())
    }

    /// The time zone of the key's user. `None`: Odoo states no time zone that the gateway knows.
    pub async fn zone(&mut self) -> Result<Option<TimeZone>, Failure> {
        let context: Value = self.call("res.users", "context_get", &json!({})).await?;
        let name = context["tz"].as_str();
        Ok(name.and_then(|name| TimeZone::get(name).ok()))
    }

    /// The id of the key's user.
    pub async fn me(&mut self) -> Result<UserId, Failure> {
        if let Some(me) = self.me {
            return Ok(me);
        }
        let context: Value = self.call("res.users", "context_get", &json!({})).await?;
        let me = values::id(&context["uid"]).unwrap_or_default();
        self.me = Some(me);
        Ok(me)
    }
}

/// The command that removes a line of a picking.
fn remove(id: MoveLineId) -> Value {
    json!([2, id, 0])
}

/// Turns a decimal into a JSON number, which is a float in Odoo; the text of a decimal is a JSON
/// number.
fn number(decimal: Decimal) -> Value {
    serde_json::from_str(&decimal.to_string()).unwrap_or_default()
}

/// Builds one row for each line; the first row also has the picking's own columns. It writes the
/// header's locations unchanged, because writing the operation type alone would reset them.
fn table(picking: &SeenPicking, rows: &[OrderRow]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    type Cell = (&'static str, fn(&OrderRow) -> Option<String>);
    let always: [Cell; 8] = [
        ("move_line_ids/id", |row| {
            Some(format!("{MODULE}.{}", row.external_id))
        }),
        ("move_line_ids/product_id/.id", |row| {
            Some(row.product.to_string())
        }),
        ("move_line_ids/product_uom_id/.id", |row| {
            Some(row.unit.to_string())
        }),
        ("move_line_ids/quantity", |row| {
            Some(row.quantity.normalize().to_string())
        }),
        ("move_line_ids/picked", |_| Some("1".to_owned())),
        ("move_line_ids/location_id/.id", |row| {
            Some(row.from.to_string())
        }),
        ("move_line_ids/location_dest_id/.id", |row| {
            Some(row.to.to_string())
        }),
        ("move_line_ids/move_id/.id", |row| {
            row.move_id.map(|id| id.to_string())
        }),
    ];
    let perhaps: [Cell; 6] = [
        ("move_line_ids/lot_id/.id", |row| match &row.lot {
            LotRef::Known { id, .. } => Some(id.to_string()),
            _ => None,
        }),
        ("move_line_ids/lot_name", |row| match &row.lot {
            LotRef::New { name, .. } => Some(name.clone()),
            _ => None,
        }),
        ("move_line_ids/expiration_date", |row| {
            row.lot.expiry().map(str::to_owned)
        }),
        ("move_line_ids/package_id/.id", |row| {
            row.package.map(|id| id.to_string())
        }),
        ("move_line_ids/result_package_id/.id", |row| {
            row.into.map(|id| id.to_string())
        }),
        ("move_line_ids/owner_id/.id", |row| {
            row.owner.map(|id| id.to_string())
        }),
    ];
    // The table omits columns that no row needs: each column costs time, and some belong to a
    // module.
    let needed = perhaps
        .into_iter()
        .filter(|(_, cell)| rows.iter().any(|row| cell(row).is_some()));
    let cells: Vec<Cell> = always.into_iter().chain(needed).collect();
    let mut fields = vec![
        ".id",
        "picking_type_id/.id",
        "location_id/.id",
        "location_dest_id/.id",
    ];
    fields.extend(cells.iter().map(|(field, _)| *field));
    let header = [
        picking.id.to_string(),
        picking.picking_type.to_string(),
        picking.from.to_string(),
        picking.to.to_string(),
    ];
    let data = rows.iter().enumerate().map(|(place, row)| {
        let header = if place == 0 {
            header.to_vec()
        } else {
            vec![String::new(); header.len()]
        };
        let cells = cells.iter().map(|(_, cell)| cell(row).unwrap_or_default());
        header.into_iter().chain(cells).collect()
    });
    (fields, data.collect())
}
