//! A forwarder in front of an Odoo, with products and bins of its own.

use super::super::forwarder::{Gateway, linked};
use super::super::{Odoo, unique};
use super::NOON;
use serde_json::{Value, json};
use stockrelay::demo::link::{Fault, Link, What};
use stockrelay::document::{DocumentKey, Line, Purpose, State};
use stockrelay::event::Goods;

/// A gateway whose answers can get lost, and an Odoo that can be asked behind its back.
pub struct Floor {
    pub odoo: Odoo,
    pub gateway: Gateway,
    pub link: Link,
    /// When things are done.
    pub second: i64,
}

impl Floor {
    pub async fn open() -> Self {
        let odoo = Odoo::real(stockrelay::config::Api::Auto).await;
        let (gateway, link) = linked(&odoo).await;
        Self {
            odoo,
            gateway,
            link,
            second: NOON,
        }
    }

    /// A bin that only this test uses.
    pub async fn bin(&mut self) -> (i64, String) {
        let barcode = format!("BIN-{}", short());
        let parent = self.odoo.warehouse.from;
        let values = json!({"name": barcode, "barcode": barcode, "location_id": parent, "usage": "internal"});
        (self.make("stock.location", values).await, barcode)
    }

    /// A product that only this test uses.
    pub async fn product(&mut self, tracking: &str) -> (i64, String) {
        let barcode = format!("P-{}", short());
        let values =
            json!({"name": barcode, "barcode": barcode, "is_storable": true, "tracking": tracking});
        (self.make("product.product", values).await, barcode)
    }

    pub async fn make(&mut self, model: &str, values: Value) -> i64 {
        let made = self
            .odoo
            .ask(model, "create", json!({"vals_list": [values]}))
            .await;
        made[0].as_i64().unwrap()
    }

    /// Puts goods where they are needed, behind the gateway's back.
    pub async fn put(&mut self, values: Value) {
        let body = json!({"vals_list": [values], "context": {"inventory_mode": true}});
        let quant = self.odoo.ask("stock.quant", "create", body).await;
        let body = json!({"ids": quant});
        self.odoo
            .ask("stock.quant", "action_apply_inventory", body)
            .await;
    }

    /// Loses the answer of every kind of call once.
    pub fn lose_answers(&self) {
        for method in [
            "stock.picking/load",
            "stock.picking/web_read",
            "stock.move/write",
            "stock.picking/button_validate",
            "stock.picking/web_save_multi",
        ] {
            self.link.add_fault(Fault {
                method: method.to_owned(),
                times: 1,
                what: What::CutAfter,
            });
        }
    }

    pub async fn posted(&mut self, purpose: Purpose, line: Line) -> DocumentKey {
        let key = self.gateway.seal_as(purpose, vec![line], self.second).await;
        self.gateway.drained().await;
        let progress = self.gateway.progress(key);
        assert_eq!(progress.state, State::Posted, "{progress:?}");
        key
    }

    /// The fields of the picking that a document became, and of its only line.
    pub async fn picking(&mut self, key: DocumentKey) -> (Value, Value) {
        let domain = json!([["origin", "like", key.to_string()]]);
        let fields = [
            "origin",
            "state",
            "date_done",
            "picking_type_code",
            "return_id",
        ];
        let body = json!({"domain": domain, "fields": fields, "load": null});
        let found = self.odoo.ask("stock.picking", "search_read", body).await;
        assert_eq!(found.as_array().unwrap().len(), 1, "one picking: {found}");
        let body = json!({"domain": [["picking_id", "=", found[0]["id"]]], "load": null, "fields": [
            "quantity", "location_id", "location_dest_id", "lot_id", "package_id", "result_package_id", "owner_id", "date",
        ]});
        let lines = self.odoo.ask("stock.move.line", "search_read", body).await;
        assert_eq!(lines.as_array().unwrap().len(), 1, "one line: {lines}");
        (found[0].clone(), lines[0].clone())
    }

    pub async fn inventory(&mut self, product: i64) -> i64 {
        let body = json!({"ids": [product], "fields": ["property_stock_inventory"], "load": null});
        let read = self.odoo.ask("product.product", "read", body).await;
        read[0]["property_stock_inventory"].as_i64().unwrap()
    }

    pub async fn holds(&mut self, product: i64, bin: i64, quantity: f64) {
        let held = self.odoo.stock(product, bin).await;
        assert!(
            (held - quantity).abs() < 0.001,
            "{held} instead of {quantity}"
        );
    }

    /// A sale order of so many, delivered.
    pub async fn sold(&mut self, product: i64, quantity: i64, delivered: bool) -> (i64, String) {
        let partner = json!({"domain": [], "limit": 1});
        let partner = self.odoo.ask("res.partner", "search", partner).await[0].clone();
        let line = json!([0, 0, {"product_id": product, "product_uom_qty": quantity}]);
        let order = json!({"partner_id": partner, "order_line": [line]});
        let order = self.make("sale.order", order).await;
        let body = json!({"ids": [order]});
        self.odoo.ask("sale.order", "action_confirm", body).await;
        let body = json!({"ids": [order], "fields": ["name", "picking_ids"]});
        let read = self.odoo.ask("sale.order", "read", body).await;
        if delivered {
            let context = json!({"skip_sms": true, "skip_backorder": true});
            let body = json!({"ids": read[0]["picking_ids"], "context": context});
            self.odoo
                .ask("stock.picking", "button_validate", body)
                .await;
        }
        (order, read[0]["name"].as_str().unwrap().to_owned())
    }

    pub async fn delivered(&mut self, order: i64) -> f64 {
        let body = json!({"domain": [["order_id", "=", order]], "fields": ["qty_delivered"]});
        let lines = self.odoo.ask("sale.order.line", "search_read", body).await;
        lines[0]["qty_delivered"].as_f64().unwrap()
    }
}

pub fn short() -> String {
    blake3::hash(unique().as_bytes()).to_hex()[..10].to_owned()
}

pub fn line(product: &str, quantity: i64) -> Line {
    Line {
        goods: Goods {
            product: product.to_owned(),
            quantity: quantity.into(),
            ..Goods::default()
        },
        events: Vec::new(),
    }
}

pub fn from(bin: &str, line: Line) -> Line {
    changed(line, |goods| goods.from = Some(bin.to_owned()))
}

pub fn to(bin: &str, line: Line) -> Line {
    changed(line, |goods| goods.to = Some(bin.to_owned()))
}

pub fn blind_return() -> Purpose {
    Purpose::Return {
        order: None,
        reason: Some("too small".to_owned()),
    }
}

/// The line with changed goods.
pub fn changed(mut line: Line, change: impl FnOnce(&mut Goods)) -> Line {
    change(&mut line.goods);
    line
}
