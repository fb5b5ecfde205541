//! What tests of orders do: stock, orders, guarded lines, validation, reading back.

use serde_json::{Value, json};

use super::{Site, create_if_absent};
use crate::scenarios::target::{Answer, Target, Wanted};

pub struct Floor {
    pub site: Site,
    /// Whose stock and operation types are used: the seeded one, or one of the test's own.
    pub warehouse: i64,
}

/// A list of records.
pub fn rows(value: &Value) -> Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value}"))
        .clone()
}

pub fn ids(value: &Value) -> Vec<i64> {
    rows(value)
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect()
}

impl Floor {
    pub async fn new(odoo: Target) -> Self {
        let site = Site::new(odoo).await;
        let warehouse = site
            .odoo
            .find("stock.warehouse", json!([["code", "=", "WH"]]))
            .await;
        Self { site, warehouse }
    }

    /// A warehouse of its own, so that nobody's steps change; its first four bins are the site's.
    pub async fn with_steps(odoo: Target, reception: &str, delivery: &str) -> Self {
        let mut floor = Self::new(odoo).await;
        let (warehouse, _) = floor.odoo().warehouse(reception, delivery).await;
        floor.warehouse = warehouse;
        let body = json!({"ids": [warehouse], "fields": ["lot_stock_id"]});
        let stock =
            floor.odoo().ask("stock.warehouse", "read", body).await[0]["lot_stock_id"][0].clone();
        for place in 0..floor.site.bins.len() {
            let bin =
                json!({"name": format!("B{place}"), "location_id": stock, "usage": "internal"});
            let made = floor
                .odoo()
                .admin("stock.location", "create", json!({"vals_list": [bin]}))
                .await;
            floor.site.bins[place] = made[0].as_i64().unwrap();
        }
        floor
    }

    pub fn odoo(&self) -> &Target {
        &self.site.odoo
    }

    /// A product with so much in the first bin.
    pub async fn stocked(&self, quantity: f64) -> i64 {
        let product = self.site.product("none").await;
        self.odoo()
            .stock(
                json!({"product_id": product, "location_id": self.site.bins[0]}),
                quantity,
            )
            .await;
        product
    }

    /// A sales order, confirmed: its name, and its first picking.
    pub async fn sale(&self, lines: &[(i64, f64)], warehouse: i64) -> (String, i64) {
        self.odoo().sale(&wanted(lines), warehouse).await
    }

    pub async fn purchase(&self, lines: &[(i64, f64)], warehouse: i64) -> (String, i64) {
        self.odoo().purchase(&wanted(lines), warehouse).await
    }

    pub async fn show(&self, picking: i64) -> Value {
        let named = json!({"fields": {"name": {}, "state": {}}});
        let wanted = json!({
            "name": {}, "state": {}, "origin": {}, "location_id": {}, "location_dest_id": {}, "date_done": {},
            "picking_type_id": {"fields": {"code": {}, "sequence_code": {}}},
            "backorder_id": named, "backorder_ids": named, "return_id": {}, "partner_id": {"fields": {"display_name": {}}},
            "move_ids": {"fields": {"product_id": {}, "product_uom_qty": {}, "quantity": {}, "picked": {}, "state": {}, "sale_line_id": {}}},
            "move_line_ids": {"fields": {
                "product_id": {}, "quantity": {}, "picked": {}, "state": {}, "location_id": {}, "location_dest_id": {},
                "lot_id": {}, "package_id": {}, "result_package_id": {}, "owner_id": {}, "move_id": {},
            }},
        });
        let body = json!({"ids": [picking], "specification": wanted});
        self.odoo().ask("stock.picking", "web_read", body).await[0].take()
    }

    pub async fn of_order(&self, order: &str) -> Vec<Value> {
        let body = json!({"domain": [["origin", "=", order]]});
        let found = self.odoo().ask("stock.picking", "search", body).await;
        let mut shown = Vec::new();
        for id in rows(&found) {
            shown.push(self.show(id.as_i64().unwrap()).await);
        }
        shown
    }

    /// One line, from a bin to where the picking goes, by the call that refuses finished pickings.
    pub async fn guarded(
        &self,
        picking: i64,
        key: &str,
        product: i64,
        quantity: &str,
        bin: usize,
    ) -> Value {
        self.load_guarded(picking, key, (product, quantity, bin), true)
            .await
    }

    /// The same without the header's own locations.
    pub async fn guarded_bare(
        &self,
        picking: i64,
        key: &str,
        product: i64,
        quantity: &str,
        bin: usize,
    ) -> Value {
        self.load_guarded(picking, key, (product, quantity, bin), false)
            .await
    }

    async fn load_guarded(
        &self,
        picking: i64,
        key: &str,
        line: (i64, &str, usize),
        header: bool,
    ) -> Value {
        let shown = self.show(picking).await;
        let text = |value: &Value| value.as_i64().unwrap().to_string();
        let (product, quantity, bin) = line;
        let mut cells = vec![
            (".id", picking.to_string()),
            ("picking_type_id/.id", text(&shown["picking_type_id"]["id"])),
            ("move_line_ids/id", key.to_owned()),
            ("move_line_ids/product_id/.id", product.to_string()),
            ("move_line_ids/quantity", quantity.to_owned()),
            ("move_line_ids/picked", "1".to_owned()),
            (
                "move_line_ids/location_id/.id",
                self.site.bins[bin].to_string(),
            ),
            (
                "move_line_ids/location_dest_id/.id",
                text(&shown["location_dest_id"]),
            ),
        ];
        if header {
            cells.push(("location_id/.id", text(&shown["location_id"])));
            cells.push(("location_dest_id/.id", text(&shown["location_dest_id"])));
        }
        self.load("stock.picking", cells).await
    }

    /// One line by the call that asks nothing.
    pub async fn bare_line(&self, picking: i64, key: &str, product: i64, quantity: &str) -> Value {
        let shown = self.show(picking).await;
        let cells = vec![
            ("id", key.to_owned()),
            ("picking_id/.id", picking.to_string()),
            ("product_id/.id", product.to_string()),
            ("quantity", quantity.to_owned()),
            ("picked", "1".to_owned()),
            ("location_id/.id", self.site.bins[0].to_string()),
            (
                "location_dest_id/.id",
                shown["location_dest_id"].to_string(),
            ),
        ];
        self.load("stock.move.line", cells).await
    }

    /// One row.
    pub async fn load(&self, model: &str, cells: Vec<(&str, String)>) -> Value {
        let (fields, row): (Vec<&str>, Vec<String>) = cells.into_iter().unzip();
        let mut context = create_if_absent();
        context["tz"] = json!("UTC");
        let body = json!({"fields": fields, "data": [row], "context": context});
        self.odoo().ask(model, "load", body).await
    }

    pub async fn validate(&self, picking: i64, more: Value) -> Answer {
        let mut context =
            json!({"skip_backorder": true, "skip_sms": true, "skip_expired": true, "tz": "UTC"});
        context
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let body = json!({"ids": [picking], "context": context});
        self.odoo()
            .call("stock.picking", "button_validate", body)
            .await
    }

    pub async fn validated(&self, picking: i64, more: Value) {
        let answer = self.validate(picking, more).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(self.show(picking).await["state"], "done", "{}", answer.text);
    }

    /// The one picked line.
    pub async fn ours(&self, picking: i64) -> i64 {
        let shown = self.show(picking).await;
        let lines = rows(&shown["move_line_ids"]);
        let mut picked = lines.iter().filter(|line| line["picked"] == true);
        let ours = picked.next().unwrap_or_else(|| panic!("{shown}"))["id"]
            .as_i64()
            .unwrap();
        assert!(picked.next().is_none(), "{shown}");
        ours
    }

    pub async fn quants(&self, product: i64, bin: usize) -> Value {
        let body = json!({
            "domain": [["product_id", "=", product], ["location_id", "=", self.site.bins[bin]]],
            "fields": ["lot_id", "package_id", "owner_id", "quantity", "reserved_quantity", "available_quantity"],
        });
        self.odoo().ask("stock.quant", "search_read", body).await
    }

    pub async fn delivered(&self, order: &str, product: i64) -> f64 {
        self.on_line("sale.order.line", "qty_delivered", order, product)
            .await
    }

    pub async fn received(&self, order: &str, product: i64) -> f64 {
        self.on_line("purchase.order.line", "qty_received", order, product)
            .await
    }

    async fn on_line(&self, model: &str, field: &str, order: &str, product: i64) -> f64 {
        let body = json!({"domain": [["order_id.name", "=", order], ["product_id", "=", product]], "fields": [field]});
        let lines = self.odoo().ask(model, "search_read", body).await;
        rows(&lines)
            .iter()
            .filter_map(|line| line[field].as_f64())
            .sum()
    }
}

fn wanted(lines: &[(i64, f64)]) -> Vec<Wanted> {
    lines.iter().copied().map(Wanted::from).collect()
}
