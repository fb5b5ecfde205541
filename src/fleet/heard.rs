//! What the gateways reported, site by site.
//!
//! **In**: messages of the topics `report/SITE` and `online/SITE`, with the time of their arrival.
//! **Out**: for each site the last report, whether it is connected, and its last sign of life. At
//! most [`SITES_MAX`] sites: messages of further ones are counted and dropped, unless they are of a
//! site that the caller names. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use thiserror::Error;

use super::report::{self, Report, ReportError};
use super::topics::SiteTopic;
use crate::event::Name;

/// Maximum of sites.
pub const SITES_MAX: usize = 20_000;

#[derive(Debug, Clone, Default)]
pub struct HeardSites {
    sites: BTreeMap<Name, HeardSite>,
    /// Sites that are heard in any case.
    kept: BTreeSet<Name>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeardSite {
    pub report: Option<Report>,
    /// Whether the gateway is connected to the broker. `None`: it never published that.
    pub online: Option<bool>,
    /// The last sign of life of a gateway that is not connected now. `None`: there was none.
    pub alive: Option<Timestamp>,
    /// The serial of a bundle, and the ring (counted from 1) that the gateway reported for it.
    ring: Option<(u64, usize)>,
}

/// Why a message is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeardError {
    #[error("the topic is neither report/SITE nor online/SITE")]
    Topic,
    #[error(
        "there are already {SITES_MAX} sites, and some may be invented: `stockrelay fleet show SITE` reads one site alone"
    )]
    TooManySites,
    #[error("{0}")]
    Report(#[from] ReportError),
}

impl HeardSites {
    /// Hears these sites in any case: the messages of invented sites do not displace them.
    pub fn keep(&mut self, sites: impl IntoIterator<Item = Name>) {
        self.kept.extend(sites);
    }

    /// Takes a message. `is_retained`: the broker kept it from an earlier time.
    pub fn hear(
        &mut self,
        topic: &str,
        payload: &[u8],
        is_retained: bool,
        now: Timestamp,
    ) -> Result<(), HeardError> {
        match SiteTopic::parse(topic).ok_or(HeardError::Topic)? {
            // An empty message removes the retained one: the gateway was taken out of service.
            SiteTopic::Report(site) if payload.is_empty() => self.clear(&site, |heard| {
                heard.report = None;
            }),
            SiteTopic::Online(site) if payload.is_empty() => self.clear(&site, |heard| {
                heard.online = None;
            }),
            SiteTopic::Report(site) => {
                let report = Report::parse(&site, payload)?;
                self.site(site)?.report(report, is_retained, now);
            }
            SiteTopic::Online(site) => {
                let online = report::parse_online(payload)?;
                self.site(site)?.connection(online, is_retained, now);
            }
        }
        Ok(())
    }

    fn site(&mut self, site: Name) -> Result<&mut HeardSite, HeardError> {
        let is_known = self.sites.contains_key(&site) || self.kept.contains(&site);
        if self.sites.len() >= SITES_MAX && !is_known {
            return Err(HeardError::TooManySites);
        }
        Ok(self.sites.entry(site).or_default())
    }

    fn clear(&mut self, site: &Name, change: impl FnOnce(&mut HeardSite)) {
        let Some(heard) = self.sites.get_mut(site) else {
            return;
        };
        change(heard);
        if heard.report.is_none() && heard.online.is_none() {
            self.sites.remove(site);
        }
    }

    /// Notes that the own connection is lost: the sites that were connected were alive until now.
    pub fn lose_connection(&mut self, now: Timestamp) {
        let connected = self.sites.values_mut();
        for heard in connected.filter(|heard| heard.online == Some(true)) {
            heard.alive = Some(now);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Name, &HeardSite)> {
        self.sites.iter()
    }

    #[must_use]
    pub fn get(&self, site: &Name) -> Option<&HeardSite> {
        self.sites.get(site)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }
}

impl HeardSite {
    fn report(&mut self, report: Report, is_retained: bool, now: Timestamp) {
        // The clock of the gateway may be ahead.
        let alive = if is_retained { report.at.min(now) } else { now };
        self.alive = self.alive.max(Some(alive));
        if let Some(wanted) = &report.wanted
            && let Some(ring) = wanted.ring
        {
            self.ring = Some((wanted.serial, ring));
        }
        self.report = Some(report);
    }

    fn connection(&mut self, online: bool, is_retained: bool, now: Timestamp) {
        // A live `false` is the end of a connection; a retained one is from an unknown time.
        if online || !is_retained {
            self.alive = Some(now);
        }
        self.online = Some(online);
    }

    /// Returns the last sign of life up to `now`.
    #[must_use]
    pub fn last_sign(&self, now: Timestamp) -> Option<Timestamp> {
        match self.online {
            Some(true) => Some(now),
            _ => self.alive,
        }
    }

    /// Returns the ring that the gateway reported for a bundle, counted from 1.
    #[must_use]
    pub fn reported_ring(&self, serial: u64) -> Option<usize> {
        let (of, ring) = self.ring?;
        (of == serial).then_some(ring)
    }

    #[must_use]
    pub fn group(&self) -> Option<&Name> {
        self.report.as_ref()?.group.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::report::online_json;
    use crate::fleet::topics::{online_topic, report_topic};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn time(text: &str) -> Timestamp {
        format!("2026-11-29T{text}:00Z").parse().unwrap()
    }

    fn report(site: &str, at: &str) -> String {
        format!(
            r#"{{"site": "{site}", "at": "2026-11-29T{at}:00Z", "running": {{"serial": null}}}}"#
        )
    }

    #[test]
    fn the_last_sign_of_life_is_a_report_or_the_end_of_the_connection() {
        let site = name("ams1");
        let mut heard = HeardSites::default();
        let (report_topic, online_topic) = (report_topic(&site), online_topic(&site));
        let text = report("ams1", "03:00");
        heard
            .hear(&report_topic, text.as_bytes(), true, time("05:00"))
            .unwrap();
        let offline = online_json(false);
        heard
            .hear(&online_topic, offline.as_bytes(), true, time("05:00"))
            .unwrap();
        let last = |heard: &HeardSites, now| heard.get(&site).unwrap().last_sign(time(now));
        assert_eq!(last(&heard, "05:00"), Some(time("03:00")));
        let online = online_json(true);
        heard
            .hear(&online_topic, online.as_bytes(), false, time("05:10"))
            .unwrap();
        assert_eq!(last(&heard, "06:00"), Some(time("06:00")));
        heard
            .hear(&online_topic, offline.as_bytes(), false, time("06:10"))
            .unwrap();
        assert_eq!(last(&heard, "07:00"), Some(time("06:10")));
        // A clock that is ahead makes no sign of life in the future.
        let ahead = report("ams1", "23:00");
        heard
            .hear(&report_topic, ahead.as_bytes(), true, time("07:00"))
            .unwrap();
        assert_eq!(last(&heard, "07:30"), Some(time("07:00")));
    }

    #[test]
    fn a_site_is_not_silent_while_the_own_connection_is_lost() {
        let site = name("ams1");
        let topic = online_topic(&site);
        let mut heard = HeardSites::default();
        heard
            .hear(&topic, online_json(true).as_bytes(), true, time("05:00"))
            .unwrap();
        heard.lose_connection(time("05:30"));
        heard
            .hear(&topic, online_json(false).as_bytes(), true, time("06:00"))
            .unwrap();
        let site = heard.get(&site).unwrap();
        assert_eq!(site.last_sign(time("06:00")), Some(time("05:30")));
    }

    #[test]
    fn a_site_is_forgotten_when_its_retained_messages_are_removed() {
        let site = name("ams1");
        let mut heard = HeardSites::default();
        let text = report("ams1", "03:00");
        let now = time("05:00");
        heard
            .hear(&report_topic(&site), text.as_bytes(), true, now)
            .unwrap();
        heard
            .hear(&online_topic(&site), b"{\"online\":true}", true, now)
            .unwrap();
        heard.hear(&report_topic(&site), b"", false, now).unwrap();
        assert_eq!(heard.len(), 1);
        heard.hear(&online_topic(&site), b"", false, now).unwrap();
        assert!(heard.is_empty());
    }

    #[test]
    fn the_number_of_sites_is_limited() {
        let mut heard = HeardSites::default();
        heard.keep([name("ams1")]);
        let now = time("05:00");
        for number in 0..SITES_MAX {
            let topic = online_topic(&name(&format!("s{number}")));
            heard.hear(&topic, b"{\"online\":true}", true, now).unwrap();
        }
        let one_more = online_topic(&name("one-more"));
        let refused = heard.hear(&one_more, b"{\"online\":true}", true, now);
        assert_eq!(refused, Err(HeardError::TooManySites));
        let kept = online_topic(&name("ams1"));
        assert_eq!(heard.hear(&kept, b"{\"online\":true}", true, now), Ok(()));
        let known = online_topic(&name("s7"));
        assert_eq!(
            heard.hear(&known, b"{\"online\":false}", false, now),
            Ok(())
        );
        assert_eq!(heard.len(), SITES_MAX + 1);
        let foreign = heard.hear("stockrelay/v1/ams1/pda/scan", b"{}", false, now);
        assert_eq!(foreign, Err(HeardError::Topic));
    }
}
