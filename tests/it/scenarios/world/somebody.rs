//! What other users do in Odoo while the gateway works.

use serde_json::{Value, json};
use stockrelay::demo::odoo::Version;

use super::World;
use crate::scenarios::script::{Operation, Somebody};
use crate::scenarios::target::{Target, fresh};

impl World {
    #[expect(clippy::too_many_lines, reason = "one arm for each deed")]
    pub async fn somebody(&self, target: &Target, deed: &Somebody) {
        match deed {
            Somebody::Validate(order) => {
                let ids = [self.picking(target, order).await];
                let context =
                    json!({"skip_backorder": true, "skip_sms": true, "skip_expired": true});
                let body = json!({"ids": ids, "context": context});
                target.admin("stock.picking", "button_validate", body).await;
            }
            Somebody::Reserve(order) => {
                let body = json!({"ids": [self.picking(target, order).await]});
                target.admin("stock.picking", "action_assign", body).await;
            }
            Somebody::Cancel(order) => {
                let body = json!({"ids": [self.picking(target, order).await]});
                target.admin("stock.picking", "action_cancel", body).await;
            }
            Somebody::Unpick(order) => {
                let lines = self.picked_lines(target, order).await;
                let body = json!({"ids": lines, "vals": {"picked": false}});
                target.admin("stock.move.line", "write", body).await;
            }
            Somebody::UnlinkLines(order) => {
                let lines = self.picked_lines(target, order).await;
                target
                    .admin("stock.move.line", "unlink", json!({"ids": lines}))
                    .await;
            }
            Somebody::Demand {
                order,
                product,
                quantity,
            } => {
                let moves = self.moves(target, order, product).await;
                let body = json!({"ids": moves, "vals": {"product_uom_qty": quantity}});
                target.admin("stock.move", "write", body).await;
            }
            Somebody::Pick {
                order,
                product,
                quantity,
            } => {
                self.pick(target, order, product, *quantity).await;
            }
            Somebody::ChangeLines { product, quantity } => {
                let (lines, _) = self.open_lines(target, product).await;
                let body = json!({"ids": lines, "vals": {"quantity": quantity}});
                target.admin("stock.move.line", "write", body).await;
            }
            Somebody::ValidateLines(product) => {
                let (_, picking) = self.open_lines(target, product).await;
                let body = json!({"ids": [picking], "context": {"skip_backorder": true, "skip_sms": true}});
                target.admin("stock.picking", "button_validate", body).await;
            }
            Somebody::CancelLines(product) => {
                let (_, picking) = self.open_lines(target, product).await;
                let body = json!({"ids": [picking]});
                target.admin("stock.picking", "action_cancel", body).await;
            }
            Somebody::ShareOrigin { order, pickings } => {
                self.share_origin(target, order, *pickings).await;
            }
            Somebody::SplitLines(product) => self.split_lines(target, product).await,
            Somebody::Forget(product) => {
                self.call_product(target, product, json!(false)).await;
            }
            Somebody::Recall(product) => {
                let barcode = json!(self.products[product].barcode);
                self.call_product(target, product, barcode).await;
            }
            Somebody::MoveBarcode { .. }
            | Somebody::Archive(_)
            | Somebody::MoveBin { .. }
            | Somebody::RenameLot { .. }
            | Somebody::Repack { .. } => self.change_codes(target, deed).await,
            Somebody::RenameTwin(twin) => self.rename_twin(target, twin).await,
            Somebody::OtherCompany { product, bin } => {
                self.other_company(target, product, bin).await;
            }
            Somebody::CreateLot { product, lot } => {
                self.lot(target, product, Some(lot)).await;
            }
            Somebody::CreatePackage(name) => {
                self.package(target, Some(name)).await;
            }
            Somebody::Move {
                product,
                from,
                to,
                quantity,
                at,
            } => {
                let ends = (self.bin(target, from).await, self.bin(target, to).await);
                let id = self
                    .moved(target, self.product(product), *quantity, ends)
                    .await;
                if let Some(at) = at {
                    let body = json!({"ids": [id], "vals": {"date_done": at}});
                    target.admin("stock.picking", "write", body).await;
                    if target.version < Version::V19 {
                        target.date_parts(id, at).await;
                    }
                }
            }
            Somebody::LockDate(day) => lock_date(target, day).await,
            Somebody::Forbid { product, operation } => {
                self.forbid(target, product, *operation).await;
            }
            Somebody::Permit(product) => self.permit(target, product).await,
        }
    }

    /// What a code means changes.
    async fn change_codes(&self, target: &Target, deed: &Somebody) {
        match deed {
            Somebody::MoveBarcode { from, to } => {
                self.call_product(target, from, json!(false)).await;
                let barcode = json!(self.products[from].barcode);
                self.call_product(target, to, barcode).await;
            }
            Somebody::Archive(product) => {
                let body = json!({"ids": [self.product(product)], "vals": {"active": false}});
                target.admin("product.product", "write", body).await;
            }
            Somebody::MoveBin { from, to } => {
                let bins = [self.bin(target, from).await, self.bin(target, to).await];
                let barcode = self.bins[from].clone();
                for (bin, barcode) in bins.iter().zip([json!(false), json!(barcode)]) {
                    let body = json!({"ids": [bin], "vals": {"barcode": barcode}});
                    target.admin("stock.location", "write", body).await;
                }
            }
            Somebody::RenameLot { product, lot, to } => {
                let id = self.lot(target, product, Some(lot)).await;
                let body = json!({"ids": [id], "vals": {"name": to}});
                target.admin("stock.lot", "write", body).await;
                self.lot(target, product, Some(lot)).await;
            }
            Somebody::Repack {
                product,
                packaging,
                count,
            } => {
                let id = self.product(product);
                let unit = target.case_of(id, *count).await;
                let barcode = &self.products[product].packagings[packaging];
                let domain = json!([["barcode", "=", barcode]]);
                let packaging = target.find("product.uom", domain).await;
                let body = json!({"ids": [packaging], "vals": {"uom_id": unit}});
                target.admin("product.uom", "write", body).await;
            }
            other => panic!("{other:?} changes no code"),
        }
    }

    /// Whether a product has open lines that are picked.
    pub async fn is_picked(&self, target: &Target, product: &str) -> bool {
        let body = json!({"domain": self.picked(product)});
        target.ask("stock.move.line", "search_count", body).await != json!(0)
    }

    fn picked(&self, product: &str) -> Value {
        json!([
            ["product_id", "=", self.product(product)],
            ["picked", "=", true],
            ["state", "not in", ["done", "cancel"]]
        ])
    }

    async fn pick(&self, target: &Target, order: &str, product: &str, quantity: Option<f64>) {
        let moves = self.moves(target, order, product).await;
        let domain = json!([["move_id", "in", moves]]);
        let lines = target
            .ask("stock.move.line", "search", json!({"domain": domain}))
            .await;
        let mut vals = json!({"picked": true});
        if let Some(quantity) = quantity {
            vals["quantity"] = json!(quantity);
        }
        let body = json!({"ids": lines, "vals": vals});
        target.admin("stock.move.line", "write", body).await;
    }

    async fn picked_lines(&self, target: &Target, order: &str) -> Value {
        let domain = json!([
            ["picking_id", "=", self.picking(target, order).await],
            ["picked", "=", true]
        ]);
        let body = json!({"domain": domain});
        target.ask("stock.move.line", "search", body).await
    }

    async fn share_origin(&self, target: &Target, order: &str, pickings: usize) {
        let origin = self.order_name(target, &format!("{order}.shared")).await;
        let picking = self.picking(target, order).await;
        let body = json!({"ids": [picking], "vals": {"origin": origin}});
        target.admin("stock.picking", "write", body).await;
        let kind = target.internal_type(self.warehouse.0).await;
        let other = json!({"picking_type_id": kind, "origin": origin});
        let body = json!({"vals_list": vec![other; pickings]});
        target.admin("stock.picking", "create", body).await;
    }

    /// The open, picked lines of a product, and their picking.
    async fn open_lines(&self, target: &Target, product: &str) -> (Vec<Value>, Value) {
        let domain = self.picked(product);
        let body = json!({"domain": domain, "fields": ["picking_id"]});
        let lines = target.ask("stock.move.line", "search_read", body).await;
        let lines = lines.as_array().expect("lines");
        assert!(!lines.is_empty(), "no open lines of {product}");
        let ids = lines.iter().map(|line| line["id"].clone()).collect();
        (ids, lines[0]["picking_id"][0].clone())
    }

    /// One of the first line's goods goes on a line of its own.
    async fn split_lines(&self, target: &Target, product: &str) {
        let (lines, picking) = self.open_lines(target, product).await;
        let fields = ["quantity", "move_id", "location_id", "location_dest_id"];
        let body = json!({"ids": [lines[0]], "fields": fields, "load": null});
        let line = target.ask("stock.move.line", "read", body).await[0].take();
        let left = line["quantity"].as_f64().expect("a quantity") - 1.0;
        let body = json!({"ids": [lines[0]], "vals": {"quantity": left}});
        target.admin("stock.move.line", "write", body).await;
        let values = json!({
            "picking_id": picking, "move_id": line["move_id"], "product_id": self.product(product), "quantity": 1,
            "picked": true, "location_id": line["location_id"], "location_dest_id": line["location_dest_id"],
        });
        target.made("stock.move.line", values).await;
    }

    /// What the product is scanned by; false for nothing.
    async fn call_product(&self, target: &Target, product: &str, code: Value) {
        let values = json!({"barcode": code, "default_code": code});
        let body = json!({"ids": [self.product(product)], "vals": values});
        target.admin("product.product", "write", body).await;
    }

    async fn other_company(&self, target: &Target, product: &str, bin: &str) {
        let name = fresh("Company ");
        let company = target.made("res.company", json!({"name": name})).await;
        if target.stand_in.is_none() {
            let me = target.ask("res.users", "context_get", json!({})).await["uid"].clone();
            let body = json!({"ids": [me], "vals": {"company_ids": [[4, company]]}});
            target.admin("res.users", "write", body).await;
        }
        // Odoo lets two companies have a barcode where neither of the products is for all
        // companies.
        let body = json!({"ids": [self.product(product)], "vals": {"company_id": 1}});
        target.admin("product.product", "write", body).await;
        let barcode = &self.products[product].barcode;
        let values = json!({
            "name": format!("Other {barcode}"), "barcode": barcode, "type": "consu", "is_storable": true, "company_id": company,
        });
        target.made("product.product", values).await;
        let values = json!({"name": "Other bin", "barcode": bin, "usage": "internal", "company_id": company});
        target.made("stock.location", values).await;
    }

    fn rule(&self, product: &str) -> String {
        format!("Not the gateway's: {}", self.products[product].barcode)
    }

    /// A rule for everybody that holds for the gateway's user alone.
    async fn forbid(&self, target: &Target, product: &str, operation: Operation) {
        let domain = json!([["model", "=", "stock.picking"]]);
        let models = target
            .admin("ir.model", "search", json!({"domain": domain}))
            .await;
        let me = target.ask("res.users", "context_get", json!({})).await["uid"].clone();
        let id = self.product(product);
        let force = format!(
            "['!', ('move_line_ids.product_id', 'in', [{id}])] if user.id == {me} else [(1, '=', 1)]"
        );
        let values = json!({
            "name": self.rule(product), "model_id": models[0], "domain_force": force,
            "perm_read": operation == Operation::Read, "perm_write": operation == Operation::Write,
            "perm_create": false, "perm_unlink": false,
        });
        target.made("ir.rule", values).await;
    }

    async fn permit(&self, target: &Target, product: &str) {
        let named = json!([["name", "=", self.rule(product)]]);
        let body = json!({"domain": named});
        let rules = target.admin("ir.rule", "search", body).await;
        let body = json!({"ids": rules});
        target.admin("ir.rule", "unlink", body).await;
    }

    async fn moves(&self, target: &Target, order: &str, product: &str) -> Value {
        let picking = self.picking(target, order).await;
        let domain = json!([
            ["picking_id", "=", picking],
            ["product_id", "=", self.product(product)]
        ]);
        target
            .ask("stock.move", "search", json!({"domain": domain}))
            .await
    }

    async fn moved(&self, target: &Target, product: i64, quantity: f64, ends: (i64, i64)) -> i64 {
        let kind = target.internal_type(self.warehouse.0).await;
        let line = json!({
            "product_id": product, "quantity": quantity, "picked": true, "location_id": ends.0, "location_dest_id": ends.1,
        });
        let values = json!({
            "picking_type_id": kind, "location_id": ends.0, "location_dest_id": ends.1,
            "move_line_ids": [[0, 0, line]],
        });
        let id = target.made("stock.picking", values).await;
        let body = json!({"ids": [id], "context": {"skip_backorder": true, "skip_sms": true}});
        target.admin("stock.picking", "button_validate", body).await;
        id
    }
}

async fn lock_date(target: &Target, day: &str) {
    let day = if day.is_empty() {
        json!(false)
    } else {
        json!(day)
    };
    let body = json!({"ids": [1], "vals": {"fiscalyear_lock_date": day}});
    target.admin("res.company", "write", body).await;
}
