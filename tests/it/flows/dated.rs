//! Products whose lots have dates, and what Odoo has of these in the end.

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Script, Stage, profile};

/// The id of the only company.
const COMPANY: i64 = 1;

/// As Odoo writes times, in UTC.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    product: String,
    lot: String,
    expires: String,
    best_before: String,
}

impl Stage {
    /// The site's time zone, the profile's way with codes, and products whose lots have dates.
    pub async fn with_dates(&mut self, script: &Script) {
        if let Some(zone) = &script.time_zone {
            self.config.time_zone = Some(TimeZone::get(zone).unwrap());
        }
        if !script.code.is_empty() {
            let own = profile("kind = \"mqtt\"", &script.start);
            let own = format!("{own}[code]\n{}\n", script.code);
            std::fs::write(self.dir.path().join("own.toml"), own).unwrap();
        }
        for (product, days) in &script.use_days {
            let product = self.products[product].1;
            let values = json!({"use_expiration_date": true, "use_time": days});
            let body = json!({"ids": [product], "vals": values});
            self.target.admin("product.product", "write", body).await;
        }
    }

    /// Chooses Odoo's GS1 nomenclature where the script says so; answers what the company had.
    pub async fn with_nomenclature(&self, script: &Script) -> Option<Value> {
        if !script.gs1 {
            return None;
        }
        let body = json!({"ids": [COMPANY], "fields": ["nomenclature_id"], "load": null});
        let rows = self.target.ask("res.company", "read", body).await;
        let gs1 = json!([["is_gs1_nomenclature", "=", true]]);
        let gs1 = self.target.find("barcode.nomenclature", gs1).await;
        self.choose(json!(gs1)).await;
        Some(rows[0]["nomenclature_id"].clone())
    }

    /// Once the daemon has read it: other tests share this Odoo.
    pub async fn restore(&self, nomenclature: Option<Value>) {
        if let Some(nomenclature) = nomenclature {
            self.choose(nomenclature).await;
        }
    }

    async fn choose(&self, nomenclature: Value) {
        let body = json!({"ids": [COMPANY], "vals": {"nomenclature_id": nomenclature}});
        self.target.admin("res.company", "write", body).await;
    }

    pub async fn check_dates(&self, dates: &Dates) {
        let product = self.products[&dates.product].1;
        let body = json!({
            "domain": [["product_id", "=", product], ["name", "=", dates.lot]],
            "fields": ["expiration_date", "use_date"],
        });
        let lots = self.target.ask("stock.lot", "search_read", body).await;
        let found = |field: &str| lots[0][field].as_str().unwrap_or("none").to_owned();
        assert_eq!(
            (found("expiration_date"), found("use_date")),
            (dates.expires.clone(), dates.best_before.clone()),
            "lot {}",
            dates.lot
        );
    }
}
