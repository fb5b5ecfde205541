//! Only the newest gateway of a site posts: this one looks at its number in Odoo.
//!
//! **In**: the record in Odoo, and what the journal has of the gateway's own number. **Out**: a
//! failure that holds the link, once another gateway has replaced this one; see [`crate::fence`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Interrupted;
use super::queue::Queue;
use crate::event::Name;
use crate::fence::{Fence, Own, Standing, Verdict, judge};
use crate::journal::JournalError;
use crate::odoo::Client;
use crate::outcome::Failure;

/// The time between two looks while the gateway sends.
const LOOK_EVERY: Duration = Duration::from_mins(1);
const HOST_FILE: &str = "/proc/sys/kernel/hostname";

/// Looks at the number of the site's gateway.
#[derive(Debug, Default)]
pub struct Fencing {
    /// `None`: it never looks.
    site: Option<Name>,
    standing: Standing,
    /// Wakes the forwarder after a person ordered it to take over.
    ordered: Arc<Notify>,
    looked: Option<Duration>,
    /// Odoo refused the record, and the log says so.
    is_refused: bool,
}

impl Fencing {
    #[must_use]
    pub fn new(site: Name, ordered: Arc<Notify>) -> Self {
        Self {
            site: Some(site),
            ordered,
            ..Self::default()
        }
    }

    /// Looks for no other gateway.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    pub(super) fn ordered(&self) -> Arc<Notify> {
        Arc::clone(&self.ordered)
    }

    /// Whether it found that another gateway has replaced this one.
    pub(super) fn is_replaced(&self) -> bool {
        self.standing == Standing::Replaced
    }

    /// Whether it has not looked in the last minute.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.looked
            .is_none_or(|looked| now.saturating_sub(looked) >= LOOK_EVERY)
    }

    /// Looks at the record, and writes the gateway's number to it where that is due. Fails if
    /// another gateway has replaced this one. A user who may not write packages posts without.
    pub(super) async fn look(
        &mut self,
        odoo: &mut Client,
        database: &str,
        queue: &Queue,
        now: Duration,
    ) -> Result<(), Interrupted> {
        let Some(site) = self.site.clone() else {
            return Ok(());
        };
        let database = hash(database);
        let mut own = queue.journal.fence()?.unwrap_or_else(|| Own {
            gateway: super::random(),
            database,
            number: None,
        });
        if own.database != database {
            (own.database, own.number) = (database, None);
            self.standing = Standing::Begun;
        }
        match self.look_as(&site, own, odoo).await {
            Ok(None) => {}
            Ok(Some(own)) => {
                let stored = own.store().map_err(JournalError::from)?;
                let inbox = queue.journal.inbox();
                let store = || inbox.store_side_values(vec![stored.clone()]);
                queue.while_full(store).await?;
            }
            Err(Failure::Person { message, .. }) => {
                if !std::mem::replace(&mut self.is_refused, true) {
                    tracing::warn!(
                        message,
                        "Odoo refuses the record of this gateway (a package), so a second gateway of the site would not be noticed: give the key's user the right Inventory / User"
                    );
                }
            }
            Err(failure) => return Err(failure.into()),
        }
        self.looked = Some(now);
        Ok(())
    }

    /// Returns what to store.
    async fn look_as(
        &mut self,
        site: &Name,
        own: Own,
        odoo: &mut Client,
    ) -> Result<Option<Own>, Failure> {
        let (known, seen) = odoo.fence(site).await?.unzip();
        let number = match judge(own, self.standing, seen.as_ref()) {
            Verdict::Keep => return Ok(None),
            Verdict::Claim(number) => number,
            Verdict::Replaced => {
                self.standing = Standing::Replaced;
                return Err(replaced(site, seen.as_ref()));
            }
        };
        let host = std::fs::read_to_string(HOST_FILE).unwrap_or_default();
        let fence = Fence {
            site: site.clone(),
            number,
            gateway: own.gateway,
            host: host.trim().to_owned(),
        };
        // If the answer is lost, Odoo may have this number or the one before: both are its own.
        self.standing = Standing::Begun;
        odoo.write_fence(known, &fence).await?;
        self.standing = Standing::Has(number);
        if let Some(other) = seen.filter(|seen| seen.gateway != own.gateway) {
            tracing::warn!(
                site = %site, number, before = other.host,
                "this gateway replaces another one of the site: the other one sends nothing more to Odoo"
            );
        }
        Ok(Some(Own {
            number: Some(number),
            ..own
        }))
    }
}

fn hash(text: &str) -> u64 {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn replaced(site: &Name, by: Option<&Fence>) -> Failure {
    let by = by.map_or_else(String::new, |by| {
        format!(" on the machine {:?} (number {})", by.host, by.number)
    });
    Failure::stop(
        format!("another gateway of the site {site}{by} has replaced this one"),
        "stop the gateway that must not run; if this one must go on, type `stockrelay take-over`",
    )
}
