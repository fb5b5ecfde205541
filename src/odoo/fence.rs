//! The record that tells which gateway of a site may post: an empty package whose name holds the
//! number. An *Inventory / User* may create and write packages.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::loaded::MODULE;
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
        // `_` in a name is any character here, so the site is compared again.
        let pattern = format!("stockrelay/{site}/%");
        let domain = json!([["name", "=like", pattern]]);
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
            // Two gateways that create it at the same time use the same external id.
            let digest = blake3::hash(format!("{}/{}", fence.site, fence.number).as_bytes());
            let external = format!("{MODULE}.fence_{}", &digest.to_hex()[..32]);
            let row = [("id", external), ("name", name)];
            let _: PackageId = self.load_one(MODEL, row).await?;
            return Ok(());
        };
        let body = json!({"ids": [id], "vals": {"name": name}, "context": self.context()});
        let _: Value = self.call(MODEL, "write", &body).await?;
        Ok(())
    }
}
