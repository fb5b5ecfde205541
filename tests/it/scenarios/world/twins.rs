//! Records with the same name, created in the ways that Odoo allows.

use serde_json::{Value, json};

use super::World;
use crate::scenarios::script::Twin;
use crate::scenarios::target::{Target, fresh};

/// The field that people call such a record by.
fn called(twin: &Twin) -> (&'static str, &'static str) {
    match twin {
        Twin::Product(_) => ("product.product", "barcode"),
        Twin::Bin(_) => ("stock.location", "barcode"),
        Twin::Package(_) => ("stock.package", "name"),
        Twin::Owner(_) => ("res.partner", "name"),
    }
}

impl World {
    pub(super) async fn make_twin(&mut self, target: &Target, twin: &Twin) {
        let (model, _) = called(twin);
        let values = match twin {
            Twin::Product(name) => {
                let barcode = &self.products[name].barcode;
                json!({"name": format!("Twin {barcode}"), "barcode": barcode, "type": "consu", "is_storable": true})
            }
            Twin::Bin(name) => {
                let barcode = self.bins.get(name);
                let barcode = barcode.expect("a bin of the scenario's own: steps = true");
                json!({"name": "Twin", "barcode": barcode, "usage": "internal", "company_id": false})
            }
            Twin::Package(name) => {
                self.package(target, Some(name)).await;
                json!({"name": self.package_name(name)})
            }
            Twin::Owner(name) => {
                self.owner(target, Some(name)).await;
                json!({"name": self.owners[name].1})
            }
        };
        // Odoo looks for another product of the barcode only when one is written, and not among the
        // archived.
        let first = match twin {
            Twin::Product(name) => Some(self.product(name)),
            _ => None,
        };
        let archive = async |active: bool| {
            if let Some(id) = first {
                change(target, model, id, json!({"active": active})).await;
            }
        };
        archive(false).await;
        let id = target.made(model, values).await;
        archive(true).await;
        self.twins.insert(twin.clone(), id);
    }

    pub(super) async fn rename_twin(&self, target: &Target, twin: &Twin) {
        let (model, field) = called(twin);
        let id = self.twins[twin];
        change(target, model, id, json!({field: fresh("TWIN")})).await;
    }
}

async fn change(target: &Target, model: &str, id: i64, values: Value) {
    let body = json!({"ids": [id], "vals": values});
    target.admin(model, "write", body).await;
}
