//! Whether a verified bundle is for this gateway, and when.
//!
//! **In**: the bundle, and what the gateway knows: its site and group, its version, the highest
//! serial that it ever verified, the stop, the time. **Out**: apply now, wait, or refused with the
//! cause. Pure.

use jiff::Timestamp;
use semver::Version;

use super::bundle::Bundle;
use super::error::BundleError;
use super::manifest::{Due, Hash};
use super::stop::Stop;
use crate::event::Name;

/// What decides about a bundle at a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Gateway<'a> {
    pub site: &'a Name,
    pub group: Option<&'a Name>,
    /// Of stockrelay.
    pub version: &'a Version,
    /// The highest serial that was ever verified here, with the hash of its manifest.
    pub highest: Option<(u64, Hash)>,
    /// The stop with the highest count.
    pub stop: Option<&'a Stop>,
    /// `None`: the clock is not trusted.
    pub now: Option<Timestamp>,
}

/// The decision about a bundle that is not refused. `ring` counts from 1, as people do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The ring is due.
    Apply {
        ring: usize,
    },
    Wait {
        ring: usize,
        why: Wait,
    },
}

/// Why a bundle waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The clock is not trusted.
    Clock,
    /// The rollout is stopped.
    Stopped {
        reason: String,
    },
    NotBefore(Timestamp),
    /// The site's ring is not due yet.
    Ring {
        due: Timestamp,
    },
}

impl Wait {
    /// When the wait ends by itself. `None`: that is unknown.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Clock | Self::Stopped { .. } => None,
            Self::NotBefore(time) | Self::Ring { due: time } => Some(*time),
        }
    }
}

impl Admission {
    /// Describes the wait for people. Empty: the bundle is due.
    #[must_use]
    pub fn reason(&self) -> String {
        let Self::Wait { ring, why } = self else {
            return String::new();
        };
        match why {
            Wait::Clock => {
                "the clock of the gateway is not trusted: check its time synchronisation".to_owned()
            }
            Wait::Stopped { reason } => format!("the rollout is stopped: {reason}"),
            Wait::NotBefore(time) => format!("not before {time}"),
            Wait::Ring { due } => format!("ring {ring} is due at {due}"),
        }
    }
}

/// Decides about a bundle that [`super::bundle::verify`] has verified.
///
/// The same serial with the same manifest is no fault: it was heard again, or waits.
pub fn admit(bundle: &Bundle, gateway: &Gateway) -> Result<Admission, BundleError> {
    let manifest = &bundle.manifest;
    let serial = manifest.serial;
    if let Some((highest, hash)) = gateway.highest {
        if serial < highest {
            return Err(BundleError::OlderSerial { serial, highest });
        }
        if serial == highest && bundle.hash() != hash {
            return Err(BundleError::SameSerial { serial });
        }
    }
    let (site, group) = (gateway.site.clone(), gateway.group.cloned());
    if !manifest.is_for(gateway.site, gateway.group) {
        return Err(BundleError::OtherSite { site, group });
    }
    let ring = manifest.ring(gateway.site, gateway.group);
    let ring = ring.ok_or(BundleError::NoRing { site, group })?;
    if let Some(requires) = &manifest.requires
        && !requires.matches(gateway.version)
    {
        return Err(BundleError::OtherVersion {
            requires: requires.clone(),
            version: gateway.version.clone(),
        });
    }
    if gateway.now.is_some_and(|now| now >= manifest.expires) {
        let expires = manifest.expires;
        return Err(BundleError::Expired { expires });
    }
    let wait = |why| {
        Ok(Admission::Wait {
            ring: ring + 1,
            why,
        })
    };
    if let Some(stop) = gateway.stop.filter(|stop| stop.stops(serial)) {
        let reason = stop.reason.clone();
        return wait(Wait::Stopped { reason });
    }
    let Some(now) = gateway.now else {
        return wait(Wait::Clock);
    };
    match (manifest.not_before, manifest.due(ring)) {
        (Some(time), _) if now < time => wait(Wait::NotBefore(time)),
        (_, Due::At(due)) if now < due => wait(Wait::Ring { due }),
        _ => Ok(Admission::Apply { ring: ring + 1 }),
    }
}

#[cfg(test)]
mod tests;
