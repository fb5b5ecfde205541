use super::*;
use crate::fleet::report::online_json;
use crate::fleet::topics::{online_topic, report_topic};

/// Ring 1 is due at 05:00, ring 2 an hour later, ring 3 an hour after that.
const MANIFEST: &str = r#"
format = 1
serial = 42
name = "autumn"
created = "2026-11-29T04:00:00Z"
not_before = "2026-11-29T05:00:00Z"
expires = "2027-03-01T00:00:00Z"
[targets]
all = true
[[ring]]
sites = ["a1", "a2", "a3", "a4"]
wait_s = 3600
[[ring]]
groups = ["nl"]
wait_s = 3600
[[ring]]
all = true
"#;
const LIMITS: Limits = Limits {
    max_failed: 0.25,
    silent_s: 900,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn time(text: &str) -> Timestamp {
    format!("2026-11-29T{text}:00Z").parse().unwrap()
}

/// A fleet whose messages come at one time.
struct Fleet {
    manifest: Manifest,
    heard: HeardSites,
    now: Timestamp,
}

impl Fleet {
    fn new(manifest: &str) -> Self {
        Self {
            manifest: Manifest::parse_draft(manifest).unwrap(),
            heard: HeardSites::default(),
            now: time("05:10"),
        }
    }

    fn at(&mut self, now: &str) -> &mut Self {
        self.now = time(now);
        self
    }

    fn online(&mut self, site: &str, online: bool, is_retained: bool) -> &mut Self {
        let (topic, text) = (online_topic(&name(site)), online_json(online));
        let heard = self
            .heard
            .hear(&topic, text.as_bytes(), is_retained, self.now);
        heard.unwrap();
        self
    }

    /// A report of 04:30, with more fields.
    fn report(&mut self, site: &str, running: u64, fields: &str) -> &mut Self {
        let text = format!(
            r#"{{"site": "{site}", "at": "2026-11-29T04:30:00Z",
                 "running": {{"serial": {running}}}{fields}}}"#
        );
        let topic = report_topic(&name(site));
        self.heard
            .hear(&topic, text.as_bytes(), true, self.now)
            .unwrap();
        self
    }

    /// A connected site in this state of bundle 42.
    fn wanting(&mut self, site: &str, state: &str) -> &mut Self {
        let wanted = format!(r#", "wanted": {{"serial": 42, "state": "{state}"}}"#);
        let running = if state == "watching" { 42 } else { 41 };
        self.online(site, true, true).report(site, running, &wanted)
    }

    fn ended(&mut self, site: &str, outcome: &str) -> &mut Self {
        let last =
            format!(r#", "last": {{"serial": 42, "outcome": "{outcome}", "reason": "why"}}"#);
        let running = if outcome == "confirmed" { 42 } else { 41 };
        self.online(site, true, true).report(site, running, &last)
    }

    fn judge(&self) -> Rollout {
        Rollout::judge(&self.manifest, &self.heard, LIMITS, self.now)
    }

    fn fate(&self, site: &str) -> Fate {
        let judged = self.judge();
        let site = judged
            .sites
            .iter()
            .find(|found| found.site.as_str() == site);
        site.unwrap().fate
    }
}

#[test]
fn each_state_has_its_fate() {
    let mut fleet = Fleet::new(MANIFEST);
    for state in ["fetched", "verified", "checked", "waiting", "staged"] {
        assert_eq!(
            fleet.wanting("a1", state).fate("a1"),
            Fate::Waiting,
            "{state}"
        );
    }
    for (state, fate) in [
        ("applied", Fate::Applied),
        ("watching", Fate::Applied),
        ("confirmed", Fate::Confirmed),
        ("rolled-back", Fate::RolledBack),
        ("refused", Fate::Refused),
    ] {
        assert_eq!(fleet.wanting("a1", state).fate("a1"), fate, "{state}");
    }
    for (outcome, fate) in [
        ("confirmed", Fate::Confirmed),
        ("rolled-back", Fate::RolledBack),
        ("refused", Fate::Refused),
    ] {
        assert_eq!(fleet.ended("a1", outcome).fate("a1"), fate, "{outcome}");
    }
    // The bundle runs and is no longer wanted; a newer one was refused.
    let refused = r#", "last": {"serial": 43, "outcome": "refused"}"#;
    assert_eq!(fleet.report("a1", 42, refused).fate("a1"), Fate::Confirmed);
    assert_eq!(fleet.report("a1", 43, "").fate("a1"), Fate::Newer);
    // A second attempt after a lost connection has failed until it is confirmed.
    let again = r#", "wanted": {"serial": 42, "state": "watching"},
                    "last": {"serial": 42, "outcome": "rolled-back"}"#;
    assert_eq!(fleet.report("a1", 42, again).fate("a1"), Fate::RolledBack);
}

#[test]
fn a_ring_is_counted_and_a_later_one_waits() {
    let mut fleet = Fleet::new(MANIFEST);
    fleet
        .wanting("a1", "watching")
        .ended("a2", "confirmed")
        .wanting("a3", "staged")
        .wanting("b1", "waiting")
        .online("b2", true, true);
    let judged = fleet.judge();
    let [first, second, third] = judged.rings[..] else {
        panic!("{judged:?}")
    };
    assert_eq!(
        (first.sites, first.applied, first.confirmed, first.waiting),
        (3, 1, 1, 1)
    );
    assert!(first.is_due && !second.is_due && !third.is_due);
    assert_eq!((second.sites, third.sites, third.waiting), (0, 2, 2));
    assert_eq!(judged.decision, Decision::Continue);
}

#[test]
fn a_rollout_is_stopped_above_the_threshold_and_not_at_it() {
    let mut fleet = Fleet::new(MANIFEST);
    fleet.ended("a1", "rolled-back");
    for site in ["a2", "a3", "a4"] {
        fleet.wanting(site, "staged");
    }
    // One of four is a quarter.
    assert_eq!(fleet.judge().decision, Decision::Continue);
    fleet.ended("a2", "refused");
    let judged = fleet.judge();
    assert_eq!(judged.decision, Decision::Stop { ring: 0 });
    let failed: Vec<_> = judged.failed().map(|site| site.reason.as_str()).collect();
    assert_eq!(failed, ["why", "why"]);
    // A failure of a ring is not diluted by other rings.
    let mut fleet = Fleet::new(MANIFEST);
    fleet.ended("b1", "rolled-back");
    for site in ["a1", "a2", "a3", "a4"] {
        fleet.ended(site, "confirmed");
    }
    assert_eq!(fleet.judge().decision, Decision::Stop { ring: 2 });
}

#[test]
fn a_site_that_had_the_bundle_and_is_gone_is_silent_after_the_limit() {
    let mut fleet = Fleet::new(MANIFEST);
    fleet
        .at("05:10")
        .wanting("a1", "watching")
        .online("a1", false, false);
    assert_eq!(fleet.at("05:24").fate("a1"), Fate::Applied);
    assert_eq!(fleet.at("05:25").fate("a1"), Fate::Silent);
    assert_eq!(fleet.judge().decision, Decision::Stop { ring: 0 });
    fleet.online("a1", true, false);
    assert_eq!(fleet.fate("a1"), Fate::Applied);
    // It was connected when its ring was due, and never reported the bundle.
    fleet.at("05:00").online("a2", true, true);
    fleet.at("05:01").online("a2", false, false);
    assert_eq!(fleet.fate("a2"), Fate::Waiting);
    assert_eq!(fleet.at("05:16").fate("a2"), Fate::Silent);
}

#[test]
fn a_site_that_was_gone_before_its_ring_was_due_is_away_and_counts_for_nothing() {
    let mut fleet = Fleet::new(MANIFEST);
    fleet.report("a1", 41, "").online("a1", false, true);
    assert_eq!(fleet.fate("a1"), Fate::Away);
    fleet.ended("a2", "confirmed");
    assert_eq!(fleet.judge().decision, Decision::Confirmed);
    // One of two that are present, not of three.
    fleet.ended("a3", "rolled-back");
    assert_eq!(fleet.judge().decision, Decision::Stop { ring: 0 });
    // Without an `online` topic a report counts until the limit.
    let mut fleet = Fleet::new(MANIFEST);
    fleet.report("a1", 41, "");
    assert_eq!(fleet.at("05:00").fate("a1"), Fate::Away);
    let mut fleet = Fleet::new(&MANIFEST.replace("T05:00", "T04:35"));
    fleet.report("a1", 41, "");
    assert_eq!(fleet.at("04:40").fate("a1"), Fate::Waiting);
}

#[test]
fn nobody_is_silent_before_the_ring_is_due() {
    let mut fleet = Fleet::new(MANIFEST);
    fleet.wanting("b1", "waiting").online("b1", false, false);
    assert_eq!(fleet.at("06:59").fate("b1"), Fate::Waiting);
    assert_eq!(fleet.at("07:00").fate("b1"), Fate::Silent);
}

#[test]
fn the_group_or_the_report_decides_about_the_ring() {
    let mut fleet = Fleet::new(MANIFEST);
    let waiting = |ring: usize| {
        format!(r#", "wanted": {{"serial": 42, "state": "waiting", "ring": {ring}}}"#)
    };
    fleet.report("n1", 41, &format!(r#"{}, "group": "nl""#, waiting(3)));
    fleet.report("n2", 41, &waiting(2));
    fleet.report("n3", 41, "");
    fleet.report("n4", 41, &waiting(99));
    let rings: Vec<_> = fleet.judge().sites.iter().map(|site| site.ring).collect();
    assert_eq!(rings, [1, 1, 2, 2]);
    // The ring is still known when the bundle is no longer wanted.
    fleet.ended("n2", "confirmed");
    assert_eq!(fleet.judge().sites[1].ring, 1);
}

#[test]
fn only_targets_and_sites_that_have_the_bundle_count() {
    let manifest = MANIFEST.replace(
        "[targets]\nall = true",
        "[targets]\nsites = [\"a1\", \"a2\"]",
    );
    let mut fleet = Fleet::new(&manifest);
    fleet.ended("a1", "confirmed").online("other", true, true);
    let judged = fleet.judge();
    let sites: Vec<_> = judged
        .sites
        .iter()
        .map(|site| (site.site.as_str(), site.fate))
        .collect();
    assert_eq!(sites, [("a1", Fate::Confirmed), ("a2", Fate::Away)]);
    // A site of a group that the reports do not name.
    fleet.wanting("n1", "staged");
    assert_eq!(fleet.fate("n1"), Fate::Waiting);
}

#[test]
fn a_rollout_that_a_newer_bundle_replaced_is_not_confirmed() {
    let mut fleet = Fleet::new(MANIFEST);
    let newer = r#", "wanted": {"serial": 43, "state": "watching"}"#;
    for site in ["a1", "a2"] {
        fleet.online(site, true, true).report(site, 43, newer);
    }
    assert_eq!(fleet.judge().decision, Decision::Replaced);
    fleet.ended("a3", "confirmed");
    assert_eq!(fleet.judge().decision, Decision::Replaced);
    fleet.wanting("a4", "watching");
    assert_eq!(fleet.judge().decision, Decision::Continue);
    for site in ["a4", "a5", "a6", "a7"] {
        fleet.ended(site, "confirmed");
    }
    fleet.ended("b1", "confirmed").ended("a4", "rolled-back");
    assert_eq!(fleet.judge().decision, Decision::Ended);
}

#[test]
fn a_rollout_ends_confirmed_or_with_failures_below_the_threshold() {
    let mut fleet = Fleet::new(MANIFEST);
    assert_eq!(fleet.judge().decision, Decision::Continue);
    fleet.ended("a1", "confirmed");
    assert_eq!(fleet.judge().decision, Decision::Confirmed);
    for site in ["a2", "a3"] {
        fleet.ended(site, "confirmed");
    }
    fleet.ended("a4", "rolled-back");
    assert_eq!(fleet.judge().decision, Decision::Ended);
    fleet.wanting("b1", "waiting");
    assert_eq!(fleet.judge().decision, Decision::Continue);
}
