//! What the gateway asks Odoo before it sends: whether Odoo answers, its version, the key's rights,
//! the warehouse and the time zone.

use std::time::Duration;

use super::send::Input;
use super::{Hands, Interrupted, Settings, Site};
use crate::catalog::{self, Catalog, CatalogError};
use crate::clock;
use crate::odoo::{Client, Meter};
use crate::odoo_id::CompanyId;
use crate::outcome::Failure;

/// Timeout of a ping. This timeout plus the time between two pings is less than 15 s, the time
/// within which the gateway uses a restored link.
const PING_MAX: Duration = Duration::from_secs(8);

impl Hands {
    /// Checks whether Odoo answers at all, by asking for the version, which needs no key.
    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        let client = connect(&mut self.client, &self.settings, &self.meter)?;
        client.ping(PING_MAX).await
    }

    /// Checks the version, the key and the warehouse of this Odoo, and opens the catalog that
    /// belongs to it.
    pub(super) async fn probe(&mut self) -> Result<Input, Interrupted> {
        let now = self.now();
        let client = connect(&mut self.client, &self.settings, &self.meter)?;
        // First the key: a person can correct it also while Odoo does not answer.
        client.load_key().await?;
        let version = client.version_with_pings(PING_MAX).await?;
        let api = client.api().map(str::to_owned);
        self.board.odoo(|view| {
            view.version = Some(version);
            view.api = api;
        });
        let warehouse = client.warehouse(&self.settings.config.warehouse).await?;
        if !self.has_rights {
            // Checked at the start, and not only when Odoo refuses the first document.
            let missing = client.missing_rights().await?;
            if !missing.is_empty() {
                let message = format!("the key's user lacks these rights: {}", missing.join(", "));
                let remedy = "give the key's user the right Inventory / User in Odoo";
                return Err(Failure::stop(message, remedy).into());
            }
            self.has_rights = true;
        }
        self.fencing
            .look(client, &self.settings.config.database, &self.queue, now)
            .await?;
        let zone = match &self.settings.rules.time_zone {
            Some(zone) => zone.clone(),
            None => client.zone().await?.unwrap_or_else(clock::zone),
        };
        self.board.zone(zone.iana_name());
        let copy = match self.site.take() {
            Some(site) if site.warehouse.company == warehouse.company => site.copy,
            _ => self.claim(warehouse.company)?,
        };
        self.site = Some(Site {
            warehouse,
            zone,
            copy,
        });
        Ok(Input::Probed)
    }

    /// The catalog of this company: the open one, or the one on disk.
    fn claim(&self, company: CompanyId) -> Result<Catalog, CatalogError> {
        let config = &self.settings.config;
        let identity = catalog::identity(&config.url, &config.database, company);
        let open = self.copy.borrow().clone();
        if let Some(copy) = open {
            copy.claim(&identity)?;
            return Ok(copy);
        }
        let copy = Catalog::open(&self.data_dir, &identity)?;
        self.copy.send_replace(Some(copy.clone()));
        Ok(copy)
    }
}

/// The client. A new configuration removes it, and the next call makes another.
fn connect<'a>(
    client: &'a mut Option<Client>,
    settings: &Settings,
    meter: &Meter,
) -> Result<&'a mut Client, Failure> {
    Ok(match client {
        Some(client) => client,
        none => none.insert(Client::new(&settings.config)?.with_meter(meter.clone())),
    })
}
