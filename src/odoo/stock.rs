//! Reads stock: what bins hold, what has moved since, where counts and scraps go, the owners of
//! goods, and the outcome of a delivery.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::client::records::{Id, NAMES_MAX, records};
use super::values::{decimal_or_nothing, id, id_or_false, text_or_false};
pub use crate::book::Place;
use crate::document::DocumentKey;
use crate::odoo::MoveState;
use crate::odoo_id::{
    CompanyId, LocationId, LotId, MoveId, MoveLineId, PackageId, PartnerId, PickingId,
    PickingTypeId, ProductId, PurchaseLineId, SaleLineId,
};
use crate::outcome::Failure;

/// A line that brings goods into a bin or takes goods out of it. Quantities are in the product's
/// own unit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Moved {
    pub id: MoveLineId,
    #[serde(rename = "picking_id", deserialize_with = "id_or_false")]
    pub picking: Option<PickingId>,
    /// As Odoo writes it: UTC, whole seconds.
    pub date: String,
    #[serde(rename = "product_id")]
    pub product: ProductId,
    #[serde(rename = "location_id")]
    pub from: LocationId,
    #[serde(rename = "location_dest_id")]
    pub to: LocationId,
    #[serde(rename = "lot_id", deserialize_with = "id_or_false")]
    pub lot: Option<LotId>,
    #[serde(rename = "package_id", deserialize_with = "id_or_false")]
    pub package: Option<PackageId>,
    #[serde(rename = "result_package_id", deserialize_with = "id_or_false")]
    pub into: Option<PackageId>,
    #[serde(rename = "owner_id", deserialize_with = "id_or_false")]
    pub owner: Option<PartnerId>,
    #[serde(
        rename = "quantity_product_uom",
        deserialize_with = "decimal_or_nothing"
    )]
    pub quantity: Decimal,
}

#[derive(Debug, Deserialize)]
struct Quant {
    id: i64,
    product_id: ProductId,
    location_id: LocationId,
    #[serde(deserialize_with = "id_or_false")]
    lot_id: Option<LotId>,
    #[serde(deserialize_with = "id_or_false")]
    package_id: Option<PackageId>,
    #[serde(deserialize_with = "id_or_false")]
    owner_id: Option<PartnerId>,
    #[serde(deserialize_with = "decimal_or_nothing")]
    quantity: Decimal,
}

/// A partner who may own goods.
#[derive(Debug, Clone, Deserialize)]
pub struct Partner {
    pub id: PartnerId,
    #[serde(deserialize_with = "text_or_false")]
    pub name: Option<String>,
    #[serde(rename = "ref", deserialize_with = "text_or_false")]
    pub reference: Option<String>,
}

records!(Moved, Quant, Partner);

impl Client {
    /// Reads the stock of these products in these bins, in locations with countable goods only: the
    /// locations of vendors and customers have negative stock, which has no meaning.
    pub async fn stock(
        &mut self,
        products: &BTreeSet<ProductId>,
        bins: &BTreeSet<LocationId>,
    ) -> Result<BTreeMap<Place, Decimal>, Failure> {
        let fields = [
            "product_id",
            "location_id",
            "lot_id",
            "package_id",
            "owner_id",
            "quantity",
        ];
        let mut stock = BTreeMap::new();
        let products: Vec<ProductId> = products.iter().copied().collect();
        for products in products.chunks(NAMES_MAX) {
            let domain = vec![
                json!(["product_id", "in", products]),
                json!(["location_id", "in", bins]),
                json!(["location_id.usage", "in", ["internal", "transit"]]),
            ];
            let take = |quant: Quant| {
                let place = Place {
                    product: quant.product_id,
                    bin: quant.location_id,
                    lot: quant.lot_id,
                    package: quant.package_id,
                    owner: quant.owner_id,
                };
                *stock.entry(place).or_default() += quant.quantity;
            };
            self.search_all("stock.quant", domain, &fields, take)
                .await?;
        }
        Ok(stock)
    }

    /// The lines that moved these products into or out of these bins since this time.
    pub async fn moved_since(
        &mut self,
        products: &BTreeSet<ProductId>,
        bins: &BTreeSet<LocationId>,
        since: &str,
    ) -> Result<Vec<Moved>, Failure> {
        let which = [
            json!(["state", "=", MoveState::Done]),
            json!(["date", ">=", since]),
        ];
        self.lines_of(products, bins, which).await
    }

    /// The picked lines of these products that are not validated, from these bins or into them.
    /// Odoo still counts their goods in the bin that they leave.
    pub async fn picked_and_open(
        &mut self,
        products: &BTreeSet<ProductId>,
        bins: &BTreeSet<LocationId>,
    ) -> Result<Vec<Moved>, Failure> {
        let which = [
            json!(["picked", "=", true]),
            json!(["state", "not in", MoveState::FINISHED]),
        ];
        self.lines_of(products, bins, which).await
    }

    async fn lines_of(
        &mut self,
        products: &BTreeSet<ProductId>,
        bins: &BTreeSet<LocationId>,
        which: [Value; 2],
    ) -> Result<Vec<Moved>, Failure> {
        let mut domain = which.to_vec();
        domain.extend([
            json!(["product_id", "in", products]),
            json!("|"),
            json!(["location_id", "in", bins]),
            json!(["location_dest_id", "in", bins]),
        ]);
        let fields = [
            "picking_id",
            "date",
            "product_id",
            "location_id",
            "location_dest_id",
            "lot_id",
            "package_id",
            "result_package_id",
            "owner_id",
            "quantity_product_uom",
        ];
        let mut moved = Vec::new();
        let take = |line| moved.push(line);
        self.search_all("stock.move.line", domain, &fields, take)
            .await?;
        Ok(moved)
    }

    /// Which of these lines the gateway put on orders, with the key of the document.
    pub async fn ours(
        &mut self,
        lines: &[MoveLineId],
    ) -> Result<BTreeMap<MoveLineId, DocumentKey>, Failure> {
        let mut ours = BTreeMap::new();
        for lines in lines.chunks(NAMES_MAX) {
            let externals = self.external_ids("stock.move.line", lines).await?;
            let key = |external: &str| {
                let (key, _) = external.strip_prefix("ml_")?.split_once('_')?;
                key.parse().ok()
            };
            let known = externals.iter();
            ours.extend(known.filter_map(|(id, external)| Some((*id, key(external)?))));
        }
        Ok(ours)
    }

    /// Which of these pickings the gateway created, with the key of the document.
    pub async fn our_pickings(
        &mut self,
        pickings: &BTreeSet<PickingId>,
    ) -> Result<BTreeMap<PickingId, DocumentKey>, Failure> {
        let mut ours = BTreeMap::new();
        let pickings: Vec<PickingId> = pickings.iter().copied().collect();
        for pickings in pickings.chunks(NAMES_MAX) {
            let externals = self.external_ids("stock.picking", pickings).await?;
            let key = |external: &str| external.strip_prefix("pk_")?.parse().ok();
            let known = externals.iter();
            ours.extend(known.filter_map(|(id, external)| Some((*id, key(external)?))));
        }
        Ok(ours)
    }

    /// The names of these pickings.
    pub async fn picking_names(
        &mut self,
        ids: &BTreeSet<PickingId>,
    ) -> Result<Vec<String>, Failure> {
        let body = json!({"ids": ids, "fields": ["name"], "load": null});
        let read: Vec<Value> = self.call("stock.picking", "read", &body).await?;
        let name = |picking: &Value| picking["name"].as_str().map(str::to_owned);
        Ok(read.iter().filter_map(name).collect())
    }

    /// The products of these that Odoo tracks stock of, and the locations of these that can contain
    /// goods.
    pub async fn counted(
        &mut self,
        products: &BTreeSet<ProductId>,
        bins: &BTreeSet<LocationId>,
    ) -> Result<(BTreeSet<ProductId>, BTreeSet<LocationId>), Failure> {
        let mut stored = BTreeSet::new();
        let domain = vec![
            json!(["id", "in", products]),
            json!(["is_storable", "=", true]),
        ];
        let take = |product: Id<ProductId>| _ = stored.insert(product.id);
        self.search_all("product.product", domain, &["id"], take)
            .await?;
        let mut inside = BTreeSet::new();
        let domain = vec![
            json!(["id", "in", bins]),
            json!(["usage", "in", ["internal", "transit"]]),
        ];
        let take = |bin: Id<LocationId>| _ = inside.insert(bin.id);
        self.search_all("stock.location", domain, &["id"], take)
            .await?;
        Ok((stored, inside))
    }

    /// The location that the difference of a count comes from or goes to, by product and company.
    /// Scrap also uses it if Odoo has no location for scrap ([`Self::scrap_location`]).
    pub async fn inventory_locations(
        &mut self,
        products: &BTreeSet<ProductId>,
    ) -> Result<BTreeMap<ProductId, LocationId>, Failure> {
        #[derive(Deserialize)]
        struct Product {
            id: ProductId,
            property_stock_inventory: Value,
        }
        if products.is_empty() {
            return Ok(BTreeMap::new());
        }
        let body = json!({
            "ids": products, "fields": ["property_stock_inventory"], "load": null, "context": self.context(),
        });
        let found: Vec<Product> = self.call("product.product", "read", &body).await?;
        Ok(found
            .into_iter()
            .filter_map(|product| Some((product.id, id(&product.property_stock_inventory)?)))
            .collect())
    }

    /// The company's location for scrap. `None` from Odoo 19 on, where scrap has no location of its
    /// own, or if the company has no such location.
    pub async fn scrap_location(
        &mut self,
        company: CompanyId,
    ) -> Result<Option<LocationId>, Failure> {
        if !self.has_scrap_location().await? {
            return Ok(None);
        }
        let domain = json!([
            ["scrap_location", "=", true],
            ["active", "=", true],
            ["company_id", "in", [company, false]],
        ]);
        let found: Vec<Id<LocationId>> = self.search("stock.location", &domain, &["id"], 1).await?;
        Ok(found.first().map(|location| location.id))
    }

    /// The partners with one of these names or references.
    pub async fn partners(&mut self, names: &[String]) -> Result<Vec<Partner>, Failure> {
        let domain = vec![
            json!("|"),
            json!(["name", "in", names]),
            json!(["ref", "in", names]),
        ];
        let mut found = Vec::new();
        let take = |partner| found.push(partner);
        self.search_all("res.partner", domain, &["name", "ref"], take)
            .await?;
        Ok(found)
    }

    /// The names of these partners.
    pub async fn partner_names(
        &mut self,
        ids: &BTreeSet<PartnerId>,
    ) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        let take = |partner: Partner| names.extend(partner.name);
        let domain = vec![json!(["id", "in", ids])];
        self.search_all("res.partner", domain, &["name", "ref"], take)
            .await?;
        Ok(names)
    }

    /// The operation type for returns of pickings of this type.
    pub async fn return_type(
        &mut self,
        picking_type: PickingTypeId,
    ) -> Result<Option<PickingTypeId>, Failure> {
        let body = json!({
            "ids": [picking_type], "fields": ["return_picking_type_id"], "load": null,
        });
        let read: Vec<Value> = self.call("stock.picking.type", "read", &body).await?;
        Ok(read
            .first()
            .and_then(|kind| id(&kind["return_picking_type_id"])))
    }

    /// The lines of sale and purchase orders that these moves are for, by move.
    pub async fn order_lines(
        &mut self,
        moves: &[MoveId],
    ) -> Result<BTreeMap<MoveId, (Option<SaleLineId>, Option<PurchaseLineId>)>, Failure> {
        // The modules *Sales* and *Purchase* add these fields.
        let [sale, purchase] = ["sale_line_id", "purchase_line_id"];
        let body = json!({"allfields": [sale, purchase], "attributes": ["type"]});
        let fields: BTreeMap<String, Value> = self.call("stock.move", "fields_get", &body).await?;
        if fields.is_empty() || moves.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fields: Vec<&String> = fields.keys().collect();
        let body = json!({"ids": moves, "fields": fields, "load": null});
        let read: Vec<Value> = self.call("stock.move", "read", &body).await?;
        let lines = |m: &Value| Some((id(&m["id"])?, (id(&m[sale]), id(&m[purchase]))));
        Ok(read.iter().filter_map(lines).collect())
    }

    /// The returned quantity of each of these deliveries' moves, by move.
    pub async fn returned(
        &mut self,
        moves: &[MoveId],
    ) -> Result<BTreeMap<MoveId, Decimal>, Failure> {
        #[derive(Deserialize)]
        struct Back {
            id: MoveId,
            origin_returned_move_id: MoveId,
        }
        #[derive(Deserialize)]
        struct Line {
            id: MoveLineId,
            move_id: MoveId,
            #[serde(deserialize_with = "decimal_or_nothing")]
            quantity_product_uom: Decimal,
        }
        records!(Back, Line);
        // A return that was delivered again does not count as returned. Each entry has the original
        // move and a signed quantity: plus for a return, minus for the new delivery.
        let mut backs: BTreeMap<MoveId, (MoveId, Decimal)> = BTreeMap::new();
        let mut of: Vec<MoveId> = moves.to_vec();
        for sign in [Decimal::ONE, -Decimal::ONE] {
            let domain = vec![
                json!(["origin_returned_move_id", "in", of]),
                json!(["state", "=", MoveState::Done]),
            ];
            let mut found = Vec::new();
            let take = |back: Back| found.push((back.id, back.origin_returned_move_id));
            let fields = ["origin_returned_move_id"];
            self.search_all("stock.move", domain, &fields, take).await?;
            of = found.iter().map(|(id, _)| *id).collect();
            for (id, origin) in found {
                let first = backs.get(&origin).map_or(origin, |(first, _)| *first);
                backs.insert(id, (first, sign));
            }
            if of.is_empty() {
                break;
            }
        }
        let mut returned = BTreeMap::new();
        let ids: Vec<MoveId> = backs.keys().copied().collect();
        let take = |line: Line| {
            if let Some((origin, sign)) = backs.get(&line.move_id) {
                *returned.entry(*origin).or_default() += sign * line.quantity_product_uom;
            }
        };
        let fields = ["move_id", "quantity_product_uom"];
        let domain = vec![json!(["move_id", "in", ids])];
        self.search_all("stock.move.line", domain, &fields, take)
            .await?;
        Ok(returned)
    }
}
