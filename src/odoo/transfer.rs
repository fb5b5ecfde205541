//! The steps that post transfers in Odoo. Each takes many transfers in one call, and each can be
//! repeated safely.
//!
//! 1. [`Client::load`]: create if absent, by external id. All or nothing.
//! 2. [`Client::pickings`]: what Odoo holds now, for the comparison with the document.
//! 3. [`Client::validate`]: posts what is not posted yet. All or nothing; its return value proves
//!    nothing.
//! 4. [`Client::set_done`]: sets the true time, and reads the pickings back in the same call.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::cut;
use super::client::Client;
use super::loaded::{LoadMessage, Loaded, first_message};
use super::values::{id_or_false, odoo_time, text_or_false};
use super::warehouse::{Header, Warehouse};
use crate::document::DocumentKey;
use crate::odoo::PickingState;
use crate::odoo::lots::LotRef;
use crate::odoo_id::{
    LocationId, LotId, MoveId, PackageId, PartnerId, PickingId, ProductId, PurchaseLineId,
    SaleLineId,
};
use crate::outcome::Failure;

/// The most pickings of one key that the client reads. There is one, unless a person copied it.
const HELD_MAX: usize = 10;

/// A document with Odoo's ids instead of barcodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub key: DocumentKey,
    pub group: String,
    /// The start of the origin, before the group and the key, such as `scrap: broken`.
    pub about: Option<String>,
    /// `None`: an internal transfer within the warehouse.
    pub header: Option<Header>,
    pub lines: Vec<TransferLine>,
    /// The moves that the transfer returns. The order then shows the return.
    pub returned: Vec<Returned>,
    /// The time of the work on the floor. `None`: Odoo's time of posting remains, because the true
    /// time lies in a closed period.
    pub when: Option<Timestamp>,
}

/// The move that brought a product to the place from which it returns, and the order line of that
/// move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    pub product: ProductId,
    pub origin_move: MoveId,
    pub sale_line: Option<SaleLineId>,
    pub purchase_line: Option<PurchaseLineId>,
}

/// A line of a transfer. Quantities are in the product's own unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransferLine {
    pub product: ProductId,
    pub from: LocationId,
    pub to: LocationId,
    pub lot: LotRef,
    /// The package that the goods leave. For a package that moves as a whole, with its contents,
    /// `into` is the same.
    pub package: Option<PackageId>,
    /// The package that the goods are in afterwards.
    pub into: Option<PackageId>,
    pub owner: Option<PartnerId>,
    pub quantity: Decimal,
}

/// A picking as Odoo has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Picking {
    pub id: PickingId,
    #[serde(deserialize_with = "text_or_false")]
    pub name: Option<String>,
    pub state: PickingState,
    #[serde(rename = "move_line_ids")]
    pub lines: Vec<PickingLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PickingLine {
    #[serde(deserialize_with = "id_or_false")]
    pub product_id: Option<ProductId>,
    #[serde(deserialize_with = "id_or_false")]
    pub location_id: Option<LocationId>,
    #[serde(deserialize_with = "id_or_false")]
    pub location_dest_id: Option<LocationId>,
    #[serde(deserialize_with = "id_or_false")]
    pub lot_id: Option<LotId>,
    /// The name that the line gave for a new lot; the line still has the name after Odoo created
    /// the lot.
    #[serde(default, deserialize_with = "text_or_false")]
    pub lot_name: Option<String>,
    #[serde(deserialize_with = "id_or_false")]
    pub package_id: Option<PackageId>,
    #[serde(deserialize_with = "id_or_false")]
    pub result_package_id: Option<PackageId>,
    #[serde(default, deserialize_with = "id_or_false")]
    pub owner_id: Option<PartnerId>,
    /// In the product's own unit.
    pub quantity_product_uom: serde_json::Number,
}

impl Client {
    /// Creates the pickings that do not exist yet, and returns the id of each picking in the order
    /// of the transfers.
    pub async fn load(
        &mut self,
        warehouse: &Warehouse,
        transfers: &[&Transfer],
    ) -> Result<Vec<PickingId>, Failure> {
        let (fields, rows) = rows(warehouse, transfers);
        let body = json!({
            "fields": fields,
            "data": rows,
            "context": self.load_context(),
        });
        let loaded: Loaded = self.call("stock.picking", "load", &body).await?;
        match serde_json::from_value::<Vec<PickingId>>(loaded.ids) {
            Ok(ids) if ids.len() == transfers.len() => Ok(ids),
            _ => Err(refused(&loaded.messages, transfers)),
        }
    }

    /// Reads these pickings. The answer lacks deleted pickings.
    pub async fn pickings(&mut self, ids: &[PickingId]) -> Result<Vec<Picking>, Failure> {
        let body = json!({"ids": ids, "specification": specification()});
        self.call("stock.picking", "web_read", &body).await
    }

    /// Reads the pickings whose origin names this key. The gateway uses this to find a document
    /// whose ids it does not have.
    pub async fn held(&mut self, key: DocumentKey) -> Result<Vec<Picking>, Failure> {
        let domain = json!([["origin", "like", key.to_string()]]);
        let body = json!({"domain": domain, "limit": HELD_MAX, "order": "id"});
        let ids: Vec<PickingId> = self.call("stock.picking", "search", &body).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.pickings(&ids).await
    }

    /// Validates these pickings. [`Client::set_done`] reads back whether Odoo posted them.
    pub async fn validate(&mut self, ids: &[PickingId]) -> Result<(), Failure> {
        self.set_missing_demands(ids).await?;
        let body = json!({"ids": ids, "context": self.validate_context()});
        let _: Value = self.call("stock.picking", "button_validate", &body).await?;
        Ok(())
    }

    /// Links these pickings to the moves of an order that they return, so that the order shows the
    /// return. The call writes plain values, so a repeated call does no harm.
    pub async fn link_returns(&mut self, sent: &[(PickingId, &Transfer)]) -> Result<(), Failure> {
        for (picking, transfer) in sent {
            if transfer.returned.is_empty() {
                continue;
            }
            let moves = self.moves_of(*picking).await?;
            for returned in &transfer.returned {
                let ids: Vec<MoveId> = (moves.iter())
                    .filter(|(_, product)| *product == returned.product)
                    .map(|(id, _)| *id)
                    .collect();
                let mut values =
                    json!({"origin_returned_move_id": returned.origin_move, "to_refund": true});
                // The modules *Sales* and *Purchase* add these fields.
                if let Some(line) = returned.sale_line {
                    values["sale_line_id"] = json!(line);
                }
                if let Some(line) = returned.purchase_line {
                    values["purchase_line_id"] = json!(line);
                }
                let body = json!({"ids": ids, "vals": values, "context": self.context()});
                let _: Value = self.call("stock.move", "write", &body).await?;
            }
        }
        Ok(())
    }

    /// Reads the moves of a picking, and their products.
    pub async fn moves_of(
        &mut self,
        picking: PickingId,
    ) -> Result<Vec<(MoveId, ProductId)>, Failure> {
        #[derive(Deserialize)]
        struct Move {
            id: MoveId,
            product_id: ProductId,
        }
        let body = json!({
            "domain": [["picking_id", "=", picking]], "fields": ["product_id"], "load": null,
        });
        let moves: Vec<Move> = self.call("stock.move", "search_read", &body).await?;
        Ok(moves
            .into_iter()
            .map(|moved| (moved.id, moved.product_id))
            .collect())
    }

    /// Sets the true time of each picking that has one, and reads all pickings back.
    pub async fn set_done(
        &mut self,
        done: &[(PickingId, Option<Timestamp>)],
    ) -> Result<Vec<Picking>, Failure> {
        let ids: Vec<_> = done.iter().map(|(id, _)| id).collect();
        let values: Vec<_> = done
            .iter()
            .map(|(_, at)| match at {
                Some(at) => json!({"date_done": odoo_time(*at)}),
                None => json!({}),
            })
            .collect();
        let body = json!({
            "ids": ids, "vals_list": values, "specification": specification(), "context": self.context(),
        });
        self.call("stock.picking", "web_save_multi", &body).await
    }
}

/// The fields of a picking that the client reads back.
fn specification() -> Value {
    json!({"name": {}, "state": {}, "move_line_ids": {"fields": {
        "product_id": {}, "quantity_product_uom": {}, "location_id": {}, "location_dest_id": {},
        "lot_id": {}, "lot_name": {}, "package_id": {}, "result_package_id": {}, "owner_id": {},
    }}})
}

type Cell = (&'static str, fn(&TransferLine) -> Option<String>);

/// The columns that may be empty in a line.
const PERHAPS: [Cell; 6] = [
    ("move_line_ids/lot_id/.id", |line| match &line.lot {
        LotRef::Known { id, .. } => Some(id.to_string()),
        _ => None,
    }),
    ("move_line_ids/lot_name", |line| match &line.lot {
        LotRef::New { name, .. } => Some(name.clone()),
        _ => None,
    }),
    ("move_line_ids/expiration_date", |line| {
        line.lot.expiry().map(str::to_owned)
    }),
    ("move_line_ids/package_id/.id", |line| {
        line.package.map(|id| id.to_string())
    }),
    ("move_line_ids/result_package_id/.id", |line| {
        line.into.map(|id| id.to_string())
    }),
    ("move_line_ids/owner_id/.id", |line| {
        line.owner.map(|id| id.to_string())
    }),
];

/// Builds one row for each line; the picking's first row also has its own columns. The table omits
/// columns that no line needs, because each column costs time, and some belong to a module.
fn rows(warehouse: &Warehouse, transfers: &[&Transfer]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let needed: Vec<Cell> = PERHAPS
        .into_iter()
        .filter(|(_, cell)| {
            let mut lines = transfers.iter().flat_map(|transfer| &transfer.lines);
            lines.any(|line| cell(line).is_some())
        })
        .collect();
    let headers: Vec<Header> = transfers
        .iter()
        .map(|transfer| transfer.header.unwrap_or(warehouse.internal()))
        .collect();
    let returns = headers.iter().any(|header| header.return_of.is_some());
    let mut fields = vec![
        "id",
        "picking_type_id/.id",
        "location_id/.id",
        "location_dest_id/.id",
        "origin",
    ];
    if returns {
        fields.push("return_id/.id");
    }
    let header_columns = fields.len();
    fields.extend([
        "move_line_ids/product_id/.id",
        "move_line_ids/quantity",
        "move_line_ids/picked",
        "move_line_ids/location_id/.id",
        "move_line_ids/location_dest_id/.id",
    ]);
    fields.extend(needed.iter().map(|(field, _)| *field));
    let mut rows = Vec::new();
    for (transfer, header) in transfers.iter().zip(headers) {
        for (place, line) in transfer.lines.iter().enumerate() {
            let mut row = if place == 0 {
                header_row(transfer, header)
            } else {
                vec![String::new(); header_columns]
            };
            row.resize(header_columns, String::new());
            row.extend([
                line.product.to_string(),
                line.quantity.normalize().to_string(),
                "1".to_owned(),
                line.from.to_string(),
                line.to.to_string(),
            ]);
            row.extend(
                needed
                    .iter()
                    .map(|(_, cell)| cell(line).unwrap_or_default()),
            );
            rows.push(row);
        }
    }
    (fields, rows)
}

/// The picking's own columns, without the last one if it is empty.
fn header_row(transfer: &Transfer, header: Header) -> Vec<String> {
    let about = transfer.about.as_ref().map(|about| format!("{about} "));
    let about = about.unwrap_or_default();
    let mut row = vec![
        transfer.key.external_id(),
        header.picking_type.to_string(),
        header.from.to_string(),
        header.to.to_string(),
        // The gateway finds a document by the key in its origin, whatever its external id is.
        format!("stockrelay {about}{} {}", transfer.group, transfer.key),
    ];
    row.extend(header.return_of.map(|id| id.to_string()));
    row
}

/// The approximate limit of Odoo's messages about the unreadable rows of one document.
const MESSAGES_BYTES_MAX: usize = 8 << 10;

/// Finds the reason why `load` loaded nothing. If Odoo could not read a value, it names the row,
/// which is a line of a transfer. If a rule refused a record, Odoo names rows too, but it also
/// blames good records of the same call: the failure then names no document, and the caller halves
/// the batch.
fn refused(messages: &[LoadMessage], transfers: &[&Transfer]) -> Failure {
    let mut documents: Vec<(usize, String)> = Vec::new();
    let read = |m: &&LoadMessage| m.kind == "error" && m.field.is_some();
    for message in messages.iter().filter(read) {
        let Some(rows) = &message.rows else { continue };
        let mut before = 0;
        let place = transfers.iter().position(|transfer| {
            before += transfer.lines.len();
            rows.from < before
        });
        let Some(place) = place else { continue };
        let text = cut(&message.message);
        match documents.iter_mut().find(|(known, _)| *known == place) {
            None => documents.push((place, text)),
            Some((_, known)) if known.contains(&text) || known.len() > MESSAGES_BYTES_MAX => {}
            Some((_, known)) => *known = format!("{known}; {text}"),
        }
    }
    Failure::Person {
        message: first_message(messages),
        documents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::Lots;
    use crate::odoo::lots::LotDates;
    use crate::odoo_id::{CompanyId, PickingTypeId, WarehouseId};

    fn transfer(key: u8, lines: usize) -> Transfer {
        let line = TransferLine {
            product: ProductId::new(1),
            from: LocationId::new(2),
            to: LocationId::new(3),
            quantity: Decimal::new(150, 2),
            ..TransferLine::default()
        };
        Transfer {
            key: DocumentKey([key; 16]),
            group: "PDA-07".to_owned(),
            about: None,
            header: None,
            lines: vec![line; lines],
            returned: Vec::new(),
            when: Some("2026-11-23T08:15:30.9Z".parse().unwrap()),
        }
    }

    fn warehouse() -> Warehouse {
        Warehouse {
            id: WarehouseId::new(1),
            picking_type: PickingTypeId::new(7),
            from: LocationId::new(5),
            to: LocationId::new(6),
            company: CompanyId::new(1),
            receipts: None,
            lots: Lots::Made,
            returns: None,
        }
    }

    #[test]
    fn the_header_stands_in_the_first_row_of_each_picking_alone() {
        let (a, mut b) = (transfer(1, 2), transfer(2, 1));
        let (fields, rows) = rows(&warehouse(), &[&a, &b]);
        assert_eq!(fields.len(), 10);
        assert_eq!(
            rows[0][..4],
            [&a.key.external_id(), "7", "5", "6"].map(str::to_owned)
        );
        assert_eq!(rows[1][..5], vec![String::new(); 5]);
        assert_eq!(rows[2][0], b.key.external_id());
        assert_eq!(rows[2][5..], ["1", "1.5", "1", "2", "3"].map(str::to_owned));

        let package = Some(PackageId::new(9));
        (b.lines[0].package, b.lines[0].into) = (package, package);
        let (fields, rows) = super::rows(&warehouse(), &[&a, &b]);
        assert_eq!(fields.len(), 12);
        assert_eq!(rows[0][10..], ["", ""].map(str::to_owned));
        assert_eq!(rows[2][10..], ["9", "9"].map(str::to_owned));
    }

    #[test]
    fn a_return_says_what_it_brings_back_and_a_receipt_names_its_new_lot() {
        let (a, mut b) = (transfer(1, 2), transfer(2, 1));
        b.about = Some("return of S1: broken".to_owned());
        b.header = Some(Header {
            picking_type: PickingTypeId::new(1),
            from: LocationId::new(8),
            to: LocationId::new(9),
            return_of: Some(PickingId::new(77)),
        });
        b.lines[0].lot = LotRef::New {
            name: "L1".to_owned(),
            dates: Some(Box::new(LotDates {
                expiry: "2027-04-30".to_owned(),
                best_before: None,
            })),
        };
        let (fields, rows) = rows(&warehouse(), &[&a, &b]);
        assert_eq!(fields[5], "return_id/.id");
        assert_eq!(
            fields[11..],
            ["move_line_ids/lot_name", "move_line_ids/expiration_date"]
        );
        assert!(rows.iter().all(|row| row.len() == fields.len()));
        assert_eq!((rows[0][5].as_str(), rows[2][5].as_str()), ("", "77"));
        assert_eq!(
            rows[2][4],
            format!("stockrelay return of S1: broken PDA-07 {}", b.key)
        );
        assert_eq!(rows[2][11..], ["L1", "2027-04-30"].map(str::to_owned));
    }

    #[test]
    fn a_row_that_odoo_refuses_names_its_document() {
        let messages: Vec<LoadMessage> = serde_json::from_value(json!([
            {"type": "error", "message": "No matching record", "rows": {"from": 3, "to": 3}, "field": "move_line_ids"},
            {"type": "error", "message": "And again", "rows": {"from": 2, "to": 4}, "field": "move_line_ids"},
            {"type": "error", "message": "This lot is incompatible", "rows": {"from": 0, "to": 1}, "record": 0},
            {"type": "warning", "message": "Found more than 10 errors", "rows": null},
        ]))
        .unwrap();
        let (a, b, c) = (transfer(1, 2), transfer(2, 3), transfer(3, 1));
        let failure = refused(&messages, &[&a, &b, &c]);
        let Failure::Person { documents, .. } = failure else {
            panic!("{failure:?}")
        };
        let both = "No matching record; And again".to_owned();
        assert_eq!(documents, [(1, both)]);
    }

    #[test]
    fn odoo_has_whole_seconds_in_utc() {
        assert_eq!(
            odoo_time(transfer(1, 1).when.unwrap()),
            "2026-11-23 08:15:30"
        );
    }
}
