//! Takes in bundles and stops, whichever way they come: verifies them, and hands them to the agent.
//!
//! **In**: bytes, and the way that they came. **Out**: the agent's answer, which is on disk when it
//! comes. A bundle that does not verify is noted in the status, and has no other effect.
//!
//! The installed trust.toml is read for each message, so that a person who corrects it needs no
//! restart.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use semver::Version;
use tokio::sync::watch;

use super::bundle::{self, Verified};
use super::chain;
use super::error::BundleError;
use super::identity::GatewayKey;
use super::key_id::KeyId;
use super::machine::{Answer, OfferedBundle};
use super::manifest::Due;
use super::orders::{FleetOrder, FleetOrders, FleetStatus, OfferedFiles, OrderError};
use super::record::{
    BY_BROKER, BY_URL, BundleFacts, BundleId, ManifestHash, RingDue, SignedStop, StopOrder,
};
use super::secrets;
use super::site_set::SiteSet;
use super::stop;
use super::trust::Trust;
use crate::event::Name;

/// The file of trusted keys, beside the configuration file.
pub const TRUST_FILE: &str = "trust.toml";

/// The door for bundles; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reception(Arc<Inner>);

/// For whom bundles are, and by which keys.
#[derive(Debug)]
pub struct Gate {
    /// The installed trust.toml.
    pub trust: PathBuf,
    /// The user of this process, who may own trust.toml.
    pub user: u32,
    pub site: Name,
    pub group: Option<Name>,
    /// Decrypts the secrets for this gateway.
    pub key: GatewayKey,
    /// The links of the chain of trusted keys that are on disk.
    pub links: watch::Receiver<Vec<Bytes>>,
}

#[derive(Debug)]
struct Inner {
    gate: Gate,
    /// The installed trust.toml, as it was read last.
    installed: Mutex<Option<Trust>>,
    orders: FleetOrders,
    status: watch::Receiver<FleetStatus>,
}

impl Reception {
    #[must_use]
    pub fn new(gate: Gate, orders: FleetOrders, status: watch::Receiver<FleetStatus>) -> Self {
        Self(Arc::new(Inner {
            gate,
            installed: Mutex::new(None),
            orders,
            status,
        }))
    }

    #[must_use]
    pub fn status(&self) -> watch::Receiver<FleetStatus> {
        self.0.status.clone()
    }

    /// The public key to which secrets for this gateway are encrypted.
    #[must_use]
    pub fn recipient(&self) -> Option<String> {
        self.0.gate.key.recipient().map(str::to_owned)
    }

    /// Takes in a bundle. `by`: the way that it came, or the person. `is_again`: a person wants a
    /// bundle that was rolled back to be tried again.
    pub async fn take_bundle(
        &self,
        bytes: Bytes,
        by: &str,
        is_again: bool,
    ) -> Result<Answer, OrderError> {
        let (inner, sender) = (Arc::clone(&self.0), by.to_owned());
        let verified = on_thread(move || inner.verify_bundle(bytes, sender, is_again)).await;
        let offered = match verified {
            Ok(offered) => offered,
            Err(reason) => return self.reject(reason, by).await,
        };
        // All gateways receive the bundle for a few: that is nothing to reject.
        let is_published = by == BY_BROKER || by == BY_URL;
        if is_published && !offered.offered.is_for_site {
            let serial = offered.offered.facts.id.serial;
            return Ok(Answer::Known(format!("bundle {serial} is for other sites")));
        }
        let order = FleetOrder::Offer(Box::new(offered));
        self.0.orders.send(order).await
    }

    /// Takes in a stop or a resumption.
    pub async fn take_stop(&self, bytes: Bytes, by: &str) -> Result<Answer, OrderError> {
        let inner = Arc::clone(&self.0);
        match on_thread(move || inner.verify_stop(&bytes)).await {
            Ok(stop) => self.0.orders.send(FleetOrder::Stop(stop)).await,
            Err(reason) => self.reject(reason, by).await,
        }
    }

    /// A person rolls back.
    pub async fn roll_back(&self, by: &str) -> Result<Answer, OrderError> {
        let by = by.to_owned();
        self.0.orders.send(FleetOrder::RollBack { by }).await
    }

    /// Notes something that cannot be used.
    pub async fn reject(&self, reason: String, by: &str) -> Result<Answer, OrderError> {
        let by = by.to_owned();
        self.0
            .orders
            .send(FleetOrder::Rejected { reason, by })
            .await
    }
}

impl Inner {
    /// Warns about an installed trust.toml that was changed, and whose keys do not count.
    fn compare(&self, installed: &Trust, now: &Trust) {
        let mut known = self
            .installed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_new = known.as_ref() != Some(installed);
        let is_changed = known.is_some() && is_new;
        if is_new && now.version > installed.version {
            let (file, now, own) = (self.gate.trust.display(), now.version, installed.version);
            if is_changed {
                tracing::warn!(
                    "{file} was changed, but its version {own} is below version {now}, which a bundle brought and which holds: of the changed file only `revoked` counts. Give it a version above {now}"
                );
            } else {
                tracing::info!(
                    "bundles: version {now} of the trusted keys holds, which a bundle brought; of version {own} in {file} only `revoked` counts"
                );
            }
        }
        *known = Some(installed.clone());
    }

    /// The keys that are trusted now, and a remark about a change of keys that has no effect.
    fn trust(&self) -> Result<(Trust, String), String> {
        let installed = Trust::read_installed(&self.gate.trust, self.gate.user);
        let installed = installed.map_err(|error| error.to_string())?;
        let links = self.gate.links.borrow().clone();
        let (trust, broken) = chain::follow(installed.clone(), &links);
        self.compare(&installed, &trust);
        let remark = broken.map_or(String::new(), |error| {
            format!(
                " A change of trusted keys in data_dir is damaged, or revoked keys signed it, so it has no effect ({error}): publish a bundle with a higher serial that brings trust.toml, signed by the keys before and after the change."
            )
        });
        if !remark.is_empty() {
            tracing::warn!("bundles:{remark}");
        }
        Ok((trust, remark))
    }

    fn verify_bundle(
        &self,
        bytes: Bytes,
        by: String,
        is_again: bool,
    ) -> Result<OfferedFiles, String> {
        let (trust, remark) = self.trust()?;
        let verified = bundle::verify(&bytes, &trust);
        let verified = verified.map_err(|error| format!("{}: {error}{remark}", error.code()))?;
        let trusted = verified.new_trust.as_ref().unwrap_or(&trust).valid_keys();
        Ok(self.offer(verified, trusted, bytes, (by, is_again)))
    }

    fn verify_stop(&self, bytes: &Bytes) -> Result<SignedStop, String> {
        let (trust, remark) = self.trust()?;
        let verified = stop::verify_with_signers(bytes, &trust);
        let (stop, signers) =
            verified.map_err(|error| format!("{}: {error}{remark}", error.code()))?;
        let stop = StopOrder {
            count: stop.count,
            serial: stop.serial,
            is_stopped: stop.stop,
            reason: stop.reason,
            by: stop.by,
        };
        let trusted = trust.valid_keys();
        Ok(SignedStop {
            stop,
            signers,
            trusted,
        })
    }

    /// `trusted`: the keys that count from this bundle on.
    fn offer(
        &self,
        verified: Verified,
        trusted: BTreeSet<KeyId>,
        bytes: Bytes,
        (by, is_again): (String, bool),
    ) -> OfferedFiles {
        let (site, group) = (&self.gate.site, self.gate.group.as_ref());
        let link = verified.link();
        let bundle = verified.bundle;
        let manifest = &bundle.manifest;
        let ring = manifest.ring(site, group);
        let unsupported = self.unsupported(manifest.requires.as_ref(), ring.is_none());
        let set = SiteSet::of(&bundle, site, group);
        let secrets = secrets::decrypt(&set, &self.gate.key);
        let facts = BundleFacts {
            id: BundleId {
                serial: manifest.serial,
                manifest: ManifestHash(bundle.hash()),
            },
            name: manifest.name.clone(),
            not_before: manifest.not_before,
            expires: manifest.expires,
            ring: RingDue {
                number: ring.map_or(0, |ring| u32::try_from(ring + 1).unwrap_or(u32::MAX)),
                due: ring.and_then(|ring| match manifest.due(ring) {
                    Due::AtOnce => None,
                    Due::At(due) => Some(due),
                }),
            },
            by,
        };
        OfferedFiles {
            offered: OfferedBundle {
                facts,
                is_for_site: manifest.is_for(site, group),
                unsupported,
                is_again,
                trusted,
            },
            bundle: bytes,
            files: (set.files.into_iter())
                .map(|(path, file)| (path, file.bytes))
                .chain(secrets)
                .collect(),
            link,
        }
    }

    /// Why this gateway cannot use a bundle.
    fn unsupported(
        &self,
        requires: Option<&semver::VersionReq>,
        has_no_ring: bool,
    ) -> Option<String> {
        let (site, group) = (self.gate.site.clone(), self.gate.group.clone());
        if has_no_ring {
            return Some(BundleError::NoRing { site, group }.to_string());
        }
        let version = Version::parse(env!("CARGO_PKG_VERSION")).ok()?;
        let requires = requires?;
        (!requires.matches(&version)).then(|| {
            let requires = requires.clone();
            BundleError::OtherVersion { requires, version }.to_string()
        })
    }
}

/// Verifying reads and hashes up to 16 MiB: not on a thread that serves.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
}
