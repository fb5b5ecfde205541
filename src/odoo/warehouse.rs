//! The warehouse of this site, and its operation types.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::records::{Id, PAGE_ROWS};
use super::client::{Client, away};
use super::values::{id, text_or_false, yes};
use crate::odoo::Direction;
use crate::odoo_id::{CompanyId, LocationId, PickingId, PickingTypeId, WarehouseId};
use crate::outcome::Failure;

/// The ids of this site's warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warehouse {
    pub id: WarehouseId,
    /// The operation type for internal transfers.
    pub picking_type: PickingTypeId,
    /// The default locations of internal transfers; each line names its own locations.
    pub from: LocationId,
    pub to: LocationId,
    pub company: CompanyId,
    /// Receipts from a vendor without an order. `None`: the warehouse has no operation type for
    /// them.
    pub receipts: Option<Header>,
    /// How the operation type of receipts treats lots.
    pub lots: Lots,
    /// Returns from a customer without an order.
    pub returns: Option<Header>,
}

/// The operation type of a picking and its default locations; each line names its own locations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub picking_type: PickingTypeId,
    pub from: LocationId,
    pub to: LocationId,
    /// The delivery that the picking returns.
    pub return_of: Option<PickingId>,
}

/// The operation type's rule for a picking that is only partly done (*Create Backorder*). Odoo
/// follows the rule whatever the call requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backorders {
    /// The caller decides.
    #[default]
    Ask,
    Always,
    Never,
}

impl Backorders {
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "always" => Self::Always,
            "never" => Self::Never,
            _ => Self::Ask,
        }
    }
}

/// How an operation type treats the name of a lot that Odoo does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lots {
    /// Odoo creates the lot.
    #[default]
    Made,
    /// The operation type uses lots but creates none: Odoo refuses the name.
    Existing,
    /// The operation type does not use lots: Odoo drops the name, and the goods have no lot.
    Off,
}

impl Lots {
    #[must_use]
    pub fn of(creates: bool, uses: bool) -> Self {
        match (creates, uses) {
            (true, _) => Self::Made,
            (false, true) => Self::Existing,
            (false, false) => Self::Off,
        }
    }

    /// The reason why Odoo cannot receive a new lot, and the remedy. `None`: Odoo can receive it.
    #[must_use]
    pub fn refusal(self, lot: &str) -> Option<String> {
        let what = match self {
            Self::Made => return None,
            Self::Existing => "creates no lots",
            Self::Off => "does not use lots, so Odoo would lose the lot",
        };
        Some(format!(
            "the operation type {what}: create the lot {lot:?} in Odoo, or let the operation type create lots, and retry"
        ))
    }
}

impl Warehouse {
    #[must_use]
    pub fn internal(&self) -> Header {
        Header {
            picking_type: self.picking_type,
            from: self.from,
            to: self.to,
            return_of: None,
        }
    }
}

/// An operation type of the warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationType {
    pub name: String,
    /// `incoming`, `outgoing` or `internal`.
    pub code: Direction,
    pub backorders: Backorders,
}

#[derive(Debug, Deserialize)]
struct WarehouseRow {
    id: WarehouseId,
    company_id: CompanyId,
    int_type_id: Value,
    in_type_id: Value,
    out_type_id: Value,
}

#[derive(Debug, Deserialize)]
struct PickingType {
    id: PickingTypeId,
    active: bool,
    default_location_src_id: Value,
    default_location_dest_id: Value,
    #[serde(default = "yes")]
    use_create_lots: bool,
    #[serde(default = "yes")]
    use_existing_lots: bool,
}

impl Client {
    /// Finds the warehouse with this code, and the ids that transfers need.
    pub async fn warehouse(&mut self, code: &str) -> Result<Warehouse, Failure> {
        let found: Vec<WarehouseRow> = self
            .search(
                "stock.warehouse",
                &json!([["code", "=", code]]),
                &["company_id", "int_type_id", "in_type_id", "out_type_id"],
                2,
            )
            .await?;
        let [warehouse] = found.as_slice() else {
            return Err(self.no_such_warehouse(code, found.len()).await?);
        };
        let kinds = [
            &warehouse.int_type_id,
            &warehouse.in_type_id,
            &warehouse.out_type_id,
        ];
        let types: Vec<PickingType> = self
            .search(
                "stock.picking.type",
                &json!([["id", "in", kinds]]),
                &[
                    "active",
                    "default_location_src_id",
                    "default_location_dest_id",
                    "use_create_lots",
                    "use_existing_lots",
                ],
                kinds.len(),
            )
            .await?;
        let [suppliers, customers] = self.partner_locations(warehouse, &types).await?;
        let header = |kind: &Value, from: Option<LocationId>, to: Option<LocationId>| {
            let mut types = types.iter();
            let kind = types.find(|t| t.active && Some(t.id) == id(kind))?;
            Some(Header {
                picking_type: kind.id,
                from: id(&kind.default_location_src_id).or(from)?,
                to: id(&kind.default_location_dest_id).or(to)?,
                return_of: None,
            })
        };
        let receipts = header(&warehouse.in_type_id, suppliers, None);
        let receive = types
            .iter()
            .find(|t| Some(t.id) == id(&warehouse.in_type_id));
        let lots = receive.map_or(Lots::Made, |t| {
            Lots::of(t.use_create_lots, t.use_existing_lots)
        });
        let deliveries = header(&warehouse.out_type_id, None, customers);
        let usable = header(&warehouse.int_type_id, None, None).map(|internal| Warehouse {
            id: warehouse.id,
            picking_type: internal.picking_type,
            from: internal.from,
            to: internal.to,
            company: warehouse.company_id,
            receipts,
            lots,
            returns: receipts
                .zip(deliveries)
                .map(|(receipts, deliveries)| Header {
                    from: deliveries.to,
                    ..receipts
                }),
        });
        self.set_company(warehouse.company_id);
        usable.ok_or_else(|| {
            Failure::stop(
                format!("warehouse {code:?} has no internal transfers"),
                "turn on Storage Locations in the settings of Odoo's app Inventory",
            )
        })
    }

    /// The failure for a code that does not name one warehouse. It names the warehouses that the
    /// key's user sees.
    async fn no_such_warehouse(&mut self, code: &str, found: usize) -> Result<Failure, Failure> {
        #[derive(Deserialize)]
        struct Row {
            code: String,
            name: String,
        }
        let fields = ["code", "name"];
        let rows: Vec<Row> = self
            .search("stock.warehouse", &json!([]), &fields, PAGE_ROWS)
            .await?;
        let names: Vec<String> = rows
            .iter()
            .map(|row| format!("{:?} ({})", row.code, row.name))
            .collect();
        let count = match found {
            0 => "no warehouse",
            _ => "more than one warehouse",
        };
        let has = match names.as_slice() {
            [] => "the key's user sees no warehouse".to_owned(),
            names => format!("the key's user sees {}", away::list(names)),
        };
        Ok(Failure::stop(
            format!("Odoo has {count} with the code {code:?}; {has}"),
            "set odoo.warehouse to the code (in Odoo: Short Name) of this site's warehouse",
        ))
    }

    /// The default locations for operation types for receipts and deliveries that name no such
    /// location, as in Odoo 17: the oldest location of suppliers and the oldest location of
    /// customers.
    async fn partner_locations(
        &mut self,
        warehouse: &WarehouseRow,
        types: &[PickingType],
    ) -> Result<[Option<LocationId>; 2], Failure> {
        let find = |kind: &Value| types.iter().find(|t| Some(t.id) == id(kind));
        let receipts = find(&warehouse.in_type_id).map(|t| &t.default_location_src_id);
        let deliveries = find(&warehouse.out_type_id).map(|t| &t.default_location_dest_id);
        let mut found = [None, None];
        for (place, (default, usage)) in [(receipts, "supplier"), (deliveries, "customer")]
            .into_iter()
            .enumerate()
        {
            if default.is_some_and(|location| !location.is_i64()) {
                let domain = json!([
                    ["usage", "=", usage],
                    ["active", "=", true],
                    ["company_id", "in", [false, warehouse.company_id]],
                ]);
                let locations: Vec<Id<_>> =
                    self.search("stock.location", &domain, &["id"], 1).await?;
                found[place] = locations.first().map(|location| location.id);
            }
        }
        Ok(found)
    }

    /// The active operation types of the warehouse.
    pub async fn operation_types(
        &mut self,
        warehouse: &Warehouse,
    ) -> Result<Vec<OperationType>, Failure> {
        #[derive(Deserialize)]
        struct Type {
            name: String,
            code: Direction,
            #[serde(default, deserialize_with = "text_or_false")]
            create_backorder: Option<String>,
        }
        let domain = json!([["warehouse_id", "=", warehouse.id], ["active", "=", true]]);
        let fields = ["name", "code", "create_backorder"];
        let found: Vec<Type> = self
            .search("stock.picking.type", &domain, &fields, PAGE_ROWS)
            .await?;
        let known = found.into_iter().map(|of| OperationType {
            backorders: Backorders::of(of.create_backorder.as_deref().unwrap_or_default()),
            name: of.name,
            code: of.code,
        });
        Ok(known.collect())
    }
}
