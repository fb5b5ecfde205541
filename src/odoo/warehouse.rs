//! The warehouse of this site, and its operation types.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::records::{Id, PAGE_ROWS};
use super::client::{Client, away};
use super::values::{id, text_or_false, yes};
use crate::odoo::Direction;
use crate::odoo_id::{CompanyId, LocationId, PickingId, PickingTypeId, WarehouseId};
use crate::outcome::Failure;

/// The ids of the warehouse that this site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warehouse {
    pub id: WarehouseId,
    /// Its type for internal transfers.
    pub picking_type: PickingTypeId,
    /// Where such transfers go from and to if nobody says otherwise; each line says otherwise.
    pub from: LocationId,
    pub to: LocationId,
    pub company: CompanyId,
    /// Goods from a vendor without an order; none where the warehouse takes none.
    pub receipts: Option<Header>,
    /// What the operation type of receipts does with lots.
    pub lots: Lots,
    /// Goods from a customer without an order.
    pub returns: Option<Header>,
}

/// What kind of picking it is, and where that goes if nobody says otherwise; each line says
/// otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub picking_type: PickingTypeId,
    pub from: LocationId,
    pub to: LocationId,
    /// The delivery that comes back.
    pub return_of: Option<PickingId>,
}

/// What an operation type says of a picking of which not all is done (*Create Backorder*). Odoo
/// follows it whatever a call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backorders {
    /// The caller says.
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

/// What an operation type does with the name of a lot that Odoo does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lots {
    /// It makes the lot.
    #[default]
    Made,
    /// It knows lots, and makes none: Odoo refuses the name.
    Existing,
    /// It knows no lots: Odoo forgets the name, and the goods have none.
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

    /// Why a new lot cannot be received, and what helps; `None` where it can.
    #[must_use]
    pub fn refusal(self, lot: &str) -> Option<String> {
        let what = match self {
            Self::Made => return None,
            Self::Existing => "makes no lots",
            Self::Off => "knows no lots, so the lot would be lost",
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

/// A kind of picking of the warehouse.
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
    /// Where transfers go: the ids of the warehouse with this code.
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
                "turn on Storage Locations in the settings of Odoo's Inventory",
            )
        })
    }

    /// Names the warehouses that the key's user sees.
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
            [] => "the key's user sees none".to_owned(),
            names => format!("the key's user sees {}", away::list(names)),
        };
        Ok(Failure::stop(
            format!("Odoo has {count} with the code {code:?}; {has}"),
            "set odoo.warehouse to the code (in Odoo: Short Name) of the warehouse that this site is",
        ))
    }

    /// Where goods come from and go to by the operation types for receipts and deliveries that name
    /// no such location, as in Odoo 17: the oldest location of suppliers and that of customers.
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

    /// The operation types of the warehouse that are in use.
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
