//! The record that tells which gateway of a site may post: an empty package whose name holds the
//! number. An *Inventory / User* may create and write packages.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use crate::event::Name;
use crate::fence::Fence;
use crate::odoo_id::PackageId;
use crate::outcome::Failure;

const MODEL: &str = "stock.package";

#[derive(Deserialize)]
struct Found {
    id: PackageId,
    name: String,
}

impl Client {
    /// The record of this site. `None`: Odoo has none.
    pub async fn fence(&mut self, site: &Name) -> Result<Option<(PackageId, Fence)>, Failure> {
        // `like` also finds it within other names, so the site is compared again.
        let part = format!("stockrelay/{site}/");
        let domain = json!([["name", "like", part]]);
        let found: Vec<Found> = self.search(MODEL, &domain, &["name"], 100).await?;
        let of_site = found.into_iter().filter_map(|found| {
            let fence: Fence = found.name.parse().ok()?;
            (fence.site == *site).then_some((found.id, fence))
        });
        Ok(of_site.max_by_key(|(_, fence)| fence.number))
    }

    /// Writes the number to the record `known`, or to a new one.
    pub async fn write_fence(
        &mut self,
        known: Option<PackageId>,
        fence: &Fence,
    ) -> Result<(), Failure> {
        let name = fence.to_string();
        let Some(id) = known else {
            // Two gateways may create one at the same time: the greater number counts, and of two
            // equal ones the later record.
            let body = json!({"vals_list": [{"name": name}], "context": self.context()});
            let _: Value = self.call(MODEL, "create", &body).await?;
            return Ok(());
        };
        let body = json!({"ids": [id], "vals": {"name": name}, "context": self.context()});
        let _: Value = self.call(MODEL, "write", &body).await?;
        Ok(())
    }
}
