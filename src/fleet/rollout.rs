//! The rollout of one bundle: how far each ring is, and whether it must be stopped.
//!
//! **In**: the manifest, what the gateways reported, the limits, the time. **Out**: the counts of
//! each ring, the fate of each site, and a decision. Pure.
//!
//! A site counts as **silent** when its ring is due, it has not ended, and its last sign of life is
//! older than the limit; but only if it was alive since its ring was due, or had the bundle. Any
//! other site without a sign of life is **away**, such as one that has been switched off for weeks:
//! the bundle did not cause that, and an away site counts for nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::heard::{HeardSite, HeardSites};
use super::manifest::{Chosen, Due, Manifest};
use super::record::BundleState;
use super::report::ReportedOutcome;
use crate::event::Name;

/// When a rollout is stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The share of a ring that may roll back, refuse or go silent: 0 to 1.
    pub max_failed: f64,
    /// A site without a sign of life for this time is silent, in seconds.
    pub silent_s: u64,
}

/// The state of the bundle at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    RolledBack,
    Refused,
    Silent,
    /// The gateway runs the bundle, and has not confirmed it yet.
    Applied,
    /// The bundle is on its way, or its ring is not due.
    Waiting,
    Away,
    Confirmed,
    /// A bundle with a higher serial has replaced it.
    Newer,
}

impl Fate {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Applied => "applied",
            Self::Waiting => "waiting",
            Self::Away => "away",
            Self::Confirmed => "confirmed",
            Self::Newer => "newer",
        }
    }

    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::RolledBack | Self::Refused | Self::Silent)
    }

    fn has_ended(self) -> bool {
        !matches!(self, Self::Applied | Self::Waiting)
    }
}

/// A site of the rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFate {
    pub site: Name,
    /// Counted from 0.
    pub ring: usize,
    pub fate: Fate,
    /// What the gateway reported about it. Empty: nothing.
    pub reason: String,
}

/// The sites of a ring, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingCounts {
    /// When the ring is due.
    pub due: Due,
    pub is_due: bool,
    /// Sites, with those that are away.
    pub sites: usize,
    pub waiting: usize,
    pub applied: usize,
    pub confirmed: usize,
    pub rolled_back: usize,
    pub refused: usize,
    pub silent: usize,
    pub away: usize,
    pub newer: usize,
}

impl RingCounts {
    fn add(&mut self, fate: Fate) {
        self.sites += 1;
        let count = match fate {
            Fate::RolledBack => &mut self.rolled_back,
            Fate::Refused => &mut self.refused,
            Fate::Silent => &mut self.silent,
            Fate::Applied => &mut self.applied,
            Fate::Waiting => &mut self.waiting,
            Fate::Away => &mut self.away,
            Fate::Confirmed => &mut self.confirmed,
            Fate::Newer => &mut self.newer,
        };
        *count += 1;
    }

    /// The sites that rolled back, refused or went silent.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.rolled_back + self.refused + self.silent
    }

    /// The sites that are not away.
    #[must_use]
    pub fn present(&self) -> usize {
        self.sites - self.away
    }

    /// Whether more than the share of the ring failed.
    #[must_use]
    pub fn exceeds(&self, max_failed: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "at most 20,000 sites")]
        let (failed, present) = (self.failed() as f64, self.present() as f64);
        failed > max_failed * present
    }
}

/// What to do about the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Continue,
    /// Too many sites of this ring (counted from 0) failed.
    Stop {
        ring: usize,
    },
    /// Every site that is not away has confirmed the bundle.
    Confirmed,
    /// No site is left that may still apply the bundle, and some failed.
    Ended,
    /// As [`Decision::Ended`] without a failure, but some have a newer bundle: it is unknown how
    /// this one ended there.
    Replaced,
}

/// The state of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub rings: Vec<RingCounts>,
    /// In the order of their names.
    pub sites: Vec<SiteFate>,
    pub decision: Decision,
}

impl Rollout {
    /// Judges the rollout of a bundle.
    #[must_use]
    pub fn judge(manifest: &Manifest, heard: &HeardSites, limits: Limits, now: Timestamp) -> Self {
        let mut rings: Vec<RingCounts> = (0..manifest.rings.len())
            .map(|ring| empty_ring(manifest.due(ring), now))
            .collect();
        let mut sites: Vec<SiteFate> = (heard.iter())
            .filter(|(site, heard)| is_target(manifest, site, heard))
            .map(|(site, heard)| {
                let ring = find_ring(manifest, site, heard);
                let due = due_time(manifest, ring);
                let fate = find_fate(manifest.serial, heard, due, limits.silent_s, now);
                SiteFate {
                    site: site.clone(),
                    ring,
                    fate,
                    reason: find_reason(manifest.serial, heard),
                }
            })
            .collect();
        sites.extend(unheard(manifest, heard));
        sites.sort_by(|one, other| one.site.cmp(&other.site));
        for site in &sites {
            rings[site.ring].add(site.fate);
        }
        let decision = decide(&rings, &sites, limits.max_failed);
        Self {
            rings,
            sites,
            decision,
        }
    }

    /// The sites that rolled back, refused or went silent.
    pub fn failed(&self) -> impl Iterator<Item = &SiteFate> {
        self.sites.iter().filter(|site| site.fate.is_failure())
    }
}

fn empty_ring(due: Due, now: Timestamp) -> RingCounts {
    RingCounts {
        due,
        is_due: due.has_come(now),
        sites: 0,
        waiting: 0,
        applied: 0,
        confirmed: 0,
        rolled_back: 0,
        refused: 0,
        silent: 0,
        away: 0,
        newer: 0,
    }
}

fn decide(rings: &[RingCounts], sites: &[SiteFate], max_failed: f64) -> Decision {
    if let Some(ring) = rings.iter().position(|ring| ring.exceeds(max_failed)) {
        return Decision::Stop { ring };
    }
    let has_result = |site: &SiteFate| site.fate.has_ended() && site.fate != Fate::Away;
    if !sites.iter().any(has_result) || !sites.iter().all(|site| site.fate.has_ended()) {
        return Decision::Continue;
    }
    if sites.iter().any(|site| site.fate.is_failure()) {
        Decision::Ended
    } else if sites.iter().any(|site| site.fate == Fate::Newer) {
        Decision::Replaced
    } else {
        Decision::Confirmed
    }
}

/// Sites that the manifest names and that reported nothing.
fn unheard(manifest: &Manifest, heard: &HeardSites) -> Vec<SiteFate> {
    let Chosen::Named { sites, .. } = &manifest.targets else {
        return Vec::new();
    };
    let sites: BTreeSet<&Name> = sites.iter().collect();
    let unheard = sites.into_iter().filter(|site| heard.get(site).is_none());
    let fate = |site: &Name| SiteFate {
        site: site.clone(),
        ring: find_ring(manifest, site, &HeardSite::default()),
        fate: Fate::Away,
        reason: "the broker has no message of this site".to_owned(),
    };
    unheard.map(fate).collect()
}

/// Whether the bundle is for the site, or the site reported that it has the bundle: a site whose
/// group is unknown.
fn is_target(manifest: &Manifest, site: &Name, heard: &HeardSite) -> bool {
    manifest.is_for(site, heard.group()) || has_bundle(manifest.serial, heard)
}

fn has_bundle(serial: u64, heard: &HeardSite) -> bool {
    let Some(report) = &heard.report else {
        return false;
    };
    let serials = [
        report.running.serial,
        report.wanted.as_ref().map(|wanted| wanted.serial),
        report.last.as_ref().map(|last| last.serial),
    ];
    serials.contains(&Some(serial))
}

/// Finds the ring of a site, counted from 0. If the group is unknown, the gateway's own report
/// decides.
fn find_ring(manifest: &Manifest, site: &Name, heard: &HeardSite) -> usize {
    let last = manifest.rings.len().saturating_sub(1);
    let calculated = manifest.ring(site, heard.group());
    let reported = || {
        let ring = heard.reported_ring(manifest.serial)?.checked_sub(1)?;
        (ring <= last).then_some(ring)
    };
    let ring = match heard.group() {
        Some(_) => calculated,
        None => reported().or(calculated),
    };
    ring.unwrap_or(last)
}

/// Returns when the ring is due.
fn due_time(manifest: &Manifest, ring: usize) -> Timestamp {
    match manifest.due(ring) {
        Due::AtOnce => manifest.created,
        Due::At(time) => time,
    }
}

fn find_fate(
    serial: u64,
    heard: &HeardSite,
    due: Timestamp,
    silent_s: u64,
    now: Timestamp,
) -> Fate {
    if let Some(fate) = find_end(serial, heard) {
        return fate;
    }
    let wanted = heard.report.as_ref().and_then(|it| it.wanted.as_ref());
    let wanted = wanted.filter(|wanted| wanted.serial == serial);
    let is_applied = wanted
        .is_some_and(|wanted| matches!(wanted.state, BundleState::Applied | BundleState::Watching));
    let in_progress = if is_applied {
        Fate::Applied
    } else {
        Fate::Waiting
    };
    if heard.online == Some(true) || now < due {
        return in_progress;
    }
    let sign = heard.last_sign(now);
    let quiet_s = sign.map(|sign| now.duration_since(sign).as_secs());
    let is_silent = quiet_s
        .is_none_or(|seconds| u64::try_from(seconds).is_ok_and(|seconds| seconds >= silent_s));
    let was_alive = wanted.is_some() || sign.is_some_and(|sign| sign >= due);
    match (was_alive, is_silent) {
        (true, true) => Fate::Silent,
        (true, false) => in_progress,
        // Without an `online` topic only a long silence shows that the gateway is away.
        (false, false) if heard.online.is_none() => in_progress,
        (false, _) => Fate::Away,
    }
}

/// Finds how the bundle ended at a site. `None`: it has not ended. A bundle that was rolled back
/// and is tried again has failed until it is confirmed.
fn find_end(serial: u64, heard: &HeardSite) -> Option<Fate> {
    let report = heard.report.as_ref()?;
    let fate = |outcome| match outcome {
        ReportedOutcome::Confirmed => Fate::Confirmed,
        ReportedOutcome::RolledBack => Fate::RolledBack,
        ReportedOutcome::Refused => Fate::Refused,
    };
    let last = report.last.as_ref();
    if let Some(last) = last.filter(|last| last.serial == serial) {
        return Some(fate(last.outcome));
    }
    let wanted = report.wanted.as_ref();
    if let Some(wanted) = wanted.filter(|wanted| wanted.serial == serial) {
        return wanted.outcome().map(fate);
    }
    // The watch of a bundle has ended when the bundle is no longer wanted.
    if report.running.serial == Some(serial) {
        return Some(Fate::Confirmed);
    }
    let serials = [
        report.running.serial,
        last.map(|last| last.serial),
        wanted.map(|wanted| wanted.serial),
    ];
    let is_newer = serials.into_iter().flatten().any(|other| other > serial);
    is_newer.then_some(Fate::Newer)
}

/// Returns what the gateway reported about the bundle.
fn find_reason(serial: u64, heard: &HeardSite) -> String {
    let Some(report) = &heard.report else {
        return String::new();
    };
    let last = report.last.as_ref().filter(|last| last.serial == serial);
    let wanted = report.wanted.as_ref();
    let wanted = wanted.filter(|wanted| wanted.serial == serial);
    let reasons = [
        wanted.map(|wanted| &wanted.reason),
        last.map(|last| &last.reason),
    ];
    let reason = match (wanted, last) {
        (_, Some(last)) if last.outcome != ReportedOutcome::Confirmed => Some(&last.reason),
        _ => reasons.into_iter().flatten().find(|text| !text.is_empty()),
    };
    reason.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
