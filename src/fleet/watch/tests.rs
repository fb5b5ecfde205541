use super::*;
use crate::fleet::tests::samples::{at, seconds};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn baseline() -> Baseline {
    Baseline {
        odoo_is_held: false,
        odoo_must_be_up: false,
        sources_up: names(&["listen", "broker"]),
        devices: names(&["d1", "d2", "d3", "d4"]),
        centre_is_up: true,
        refused_per_hour: 0,
    }
}

/// As before.
fn well() -> Observation {
    Observation {
        odoo_held: None,
        odoo_down: None,
        sources: [("listen", true), ("broker", true), ("serial", false)]
            .map(|(name, is_up)| (name.to_owned(), is_up))
            .into(),
        devices: names(&["d1", "d2", "d3", "d4", "new"]),
        centre: Some(true),
        refused: 1_000,
        refused_last_hour: 0,
        quiet: None,
        is_sending: false,
    }
}

/// A watch with an observation each second.
struct Rig {
    watch: BundleWatch,
    signs: Signs,
    times: FleetTimes,
    decision: WatchDecision,
}

impl Rig {
    fn new(baseline: Baseline) -> Self {
        let watch = BundleWatch {
            begun: at(0),
            elapsed: Duration::ZERO,
            baseline,
            refused: 0,
            unclean_starts: 0,
            is_stopped_cleanly: false,
        };
        Self {
            watch,
            signs: Signs::default(),
            times: FleetTimes::default(),
            decision: WatchDecision::Watch,
        }
    }

    /// Observes the same for so many seconds, or until something follows.
    fn observe(&mut self, observation: &Observation, seconds: u64) -> &mut Self {
        for _ in 0..seconds {
            let baseline = &self.watch.baseline;
            self.signs
                .observe(baseline, observation, Duration::from_secs(1));
            self.decision = decide(&self.watch, &self.signs, observation, &self.times);
            if self.is_over() {
                break;
            }
        }
        self
    }

    fn is_over(&self) -> bool {
        matches!(
            self.decision,
            WatchDecision::Confirm | WatchDecision::RollBack { .. }
        )
    }

    fn elapsed(&self) -> u64 {
        (self.watch.elapsed + self.signs.unrecorded).as_secs()
    }

    #[track_caller]
    fn assert_rolled_back(&self, after: u64, expected: &str) {
        let WatchDecision::RollBack {
            reason,
            is_connection_only,
        } = &self.decision
        else {
            panic!("after {} s: {:?}", self.elapsed(), self.decision);
        };
        assert_eq!(self.elapsed(), after, "{reason}");
        assert_eq!(reason, expected);
        assert_eq!(
            *is_connection_only,
            reason.starts_with("the connection to ")
        );
    }

    #[track_caller]
    fn assert_confirmed(&self, after: u64) {
        assert_eq!(self.decision, WatchDecision::Confirm);
        assert_eq!(self.elapsed(), after);
    }
}

#[test]
fn a_gateway_that_is_as_well_as_before_confirms_when_the_watch_ends() {
    Rig::new(baseline())
        .observe(&well(), 1_000)
        .assert_confirmed(300);
}

#[test]
fn the_time_in_the_record_counts() {
    let mut rig = Rig::new(baseline());
    rig.watch.elapsed = seconds(200);
    rig.observe(&well(), 1_000).assert_confirmed(300);
    assert_eq!(rig.signs.unrecorded, seconds(100));
}

#[test]
fn a_held_link_to_odoo_rolls_back_at_once() {
    let held = Observation {
        odoo_held: Some("database x does not exist".to_owned()),
        ..well()
    };
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 20).observe(&held, 100);
    rig.assert_rolled_back(
        21,
        "the link to Odoo became held 21 s after the bundle was applied: database x does not exist",
    );
}

#[test]
fn a_link_to_odoo_that_was_held_before_is_no_cause() {
    let held = Observation {
        odoo_held: Some("wrong key".to_owned()),
        ..well()
    };
    let before = Baseline {
        odoo_is_held: true,
        ..baseline()
    };
    Rig::new(before).observe(&held, 1_000).assert_confirmed(300);
}

#[test]
fn a_source_that_was_up_and_is_down_rolls_back_after_60_s() {
    let mut down = well();
    down.sources.insert("broker".to_owned(), false);
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 20).observe(&down, 1_000);
    rig.assert_rolled_back(
        80,
        "source broker was up before and has been down for 60 s; the limit is 60 s",
    );
}

#[test]
fn a_source_that_reconnects_is_no_cause() {
    let mut down = well();
    down.sources.insert("broker".to_owned(), false);
    let mut rig = Rig::new(baseline());
    for _ in 0..5 {
        rig.observe(&down, 59).observe(&well(), 1);
    }
    rig.assert_confirmed(300);
}

#[test]
fn a_source_that_is_down_when_the_watch_ends_is_not_confirmed() {
    let mut down = well();
    down.sources.insert("broker".to_owned(), false);
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 290).observe(&down, 1_000);
    rig.assert_rolled_back(
        350,
        "source broker was up before and has been down for 60 s; the limit is 60 s",
    );
}

#[test]
fn a_source_that_was_down_before_or_was_removed_is_no_cause() {
    let mut removed = well();
    removed.sources.remove("broker");
    Rig::new(baseline())
        .observe(&removed, 1_000)
        .assert_confirmed(300);
}

#[test]
fn half_of_the_devices_gone_for_60_s_rolls_back() {
    let gone = Observation {
        devices: names(&["d1", "d2", "new", "newer", "newest"]),
        ..well()
    };
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 100).observe(&gone, 1_000);
    rig.assert_rolled_back(
        160,
        "2 of 4 devices that were connected before have been gone for 60 s; the limit is half of them",
    );
}

#[test]
fn fewer_than_half_of_the_devices_or_a_short_absence_is_no_cause() {
    let gone = |devices: &[&str]| Observation {
        devices: names(devices),
        ..well()
    };
    Rig::new(baseline())
        .observe(&gone(&["d1", "d2", "d3"]), 1_000)
        .assert_confirmed(300);
    let mut rig = Rig::new(baseline());
    for _ in 0..5 {
        rig.observe(&gone(&[]), 59).observe(&well(), 1);
    }
    rig.assert_confirmed(300);
}

#[test]
fn a_gateway_without_devices_or_centre_confirms() {
    let before = Baseline {
        devices: BTreeSet::new(),
        centre_is_up: false,
        ..baseline()
    };
    let alone = Observation {
        devices: BTreeSet::new(),
        centre: None,
        ..well()
    };
    Rig::new(before)
        .observe(&alone, 1_000)
        .assert_confirmed(300);
}

#[test]
fn a_lost_connection_extends_the_watch_three_times_and_then_rolls_back() {
    let lost = Observation {
        centre: Some(false),
        ..well()
    };
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 10).observe(&lost, 500);
    let WatchDecision::Extend { reason } = &rig.decision else {
        panic!("{:?}", rig.decision);
    };
    assert!(reason.contains("watches up to 900 s"), "{reason}");
    rig.observe(&lost, 1_000);
    rig.assert_rolled_back(
        900,
        "the connection to the centre's broker was up before and has been lost for 890 s, 900 s after the bundle was applied; the limit is 900 s",
    );
}

#[test]
fn a_connection_that_returns_while_the_watch_is_extended_confirms() {
    let lost = Observation {
        centre: Some(false),
        ..well()
    };
    let mut rig = Rig::new(baseline());
    rig.observe(&lost, 700).observe(&well(), 10);
    rig.assert_confirmed(701);
}

#[test]
fn a_bundle_that_changes_odoo_is_not_confirmed_while_odoo_is_down() {
    let down = Observation {
        odoo_down: Some("odoo.example:1 refuses the connection".to_owned()),
        ..well()
    };
    let changed = Baseline {
        odoo_must_be_up: true,
        ..baseline()
    };
    let mut rig = Rig::new(changed.clone());
    rig.observe(&well(), 10).observe(&down, 500);
    let WatchDecision::Extend { reason } = &rig.decision else {
        panic!("{:?}", rig.decision);
    };
    assert!(reason.contains("to Odoo"), "{reason}");
    rig.observe(&down, 1_000);
    rig.assert_rolled_back(
        900,
        "the connection to Odoo, whose keys the bundle changes, was up before and has been lost for 890 s, 900 s after the bundle was applied; the limit is 900 s: odoo.example:1 refuses the connection",
    );
    // Odoo comes back.
    let mut rig = Rig::new(changed.clone());
    rig.observe(&down, 700).observe(&well(), 10);
    rig.assert_confirmed(701);
    // The centre is lost, too, and comes back.
    let both = Observation {
        centre: Some(false),
        ..down.clone()
    };
    let mut rig = Rig::new(changed);
    rig.observe(&both, 880).observe(&down, 100);
    rig.assert_rolled_back(
        900,
        "the connection to Odoo, whose keys the bundle changes, was up before and has been lost for 900 s, 900 s after the bundle was applied; the limit is 900 s: odoo.example:1 refuses the connection",
    );
    // Any other bundle is not the cause.
    Rig::new(baseline())
        .observe(&down, 1_000)
        .assert_confirmed(300);
}

#[test]
fn another_fault_while_the_connection_is_lost_is_not_the_connection_alone() {
    let mut both = Observation {
        centre: Some(false),
        ..well()
    };
    both.sources.insert("listen".to_owned(), false);
    let mut rig = Rig::new(baseline());
    rig.observe(&both, 1_000);
    rig.assert_rolled_back(
        60,
        "source listen was up before and has been down for 60 s; the limit is 60 s",
    );
}

#[test]
fn refusals_roll_back_above_5_and_twice_the_rate_before() {
    let refused = |count: u64| Observation {
        refused: 1_000 + count,
        ..well()
    };
    // 5 are normal, whatever the rate was.
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 1).observe(&refused(5), 1_000);
    rig.assert_confirmed(300);
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 9).observe(&refused(6), 1);
    rig.assert_rolled_back(
        10,
        "6 readings and documents were refused or parked within 10 s, and 0 in the hour before; the limits are 5, and 2 times the rate before",
    );
    // 120 an hour before: at most 20 within 300 s, at most 8 within 120 s.
    let busy = Baseline {
        refused_per_hour: 120,
        ..baseline()
    };
    let mut rig = Rig::new(busy.clone());
    rig.observe(&well(), 119).observe(&refused(8), 1);
    assert_eq!(rig.decision, WatchDecision::Watch);
    rig.observe(&refused(9), 1);
    rig.assert_rolled_back(
        121,
        "9 readings and documents were refused or parked within 121 s, and 120 in the hour before; the limits are 5, and 2 times the rate before",
    );
}

#[test]
fn refusals_in_the_record_count_and_a_counter_that_restarts_adds_nothing() {
    let restarted = Observation {
        refused: 3,
        ..well()
    };
    let mut rig = Rig::new(baseline());
    rig.observe(&well(), 10).observe(&restarted, 1_000);
    rig.assert_confirmed(300);
    let mut rig = Rig::new(baseline());
    rig.watch.refused = 4;
    let more = |count| Observation {
        refused: count,
        ..well()
    };
    rig.observe(&more(0), 1).observe(&more(2), 1);
    assert!(rig.is_over(), "{:?}", rig.decision);
}

#[test]
fn a_second_start_without_a_clean_stop_rolls_back() {
    let mut rig = Rig::new(baseline());
    rig.watch.unclean_starts = 1;
    rig.observe(&well(), 10);
    assert_eq!(rig.decision, WatchDecision::Watch);
    rig.watch.unclean_starts = 2;
    rig.observe(&well(), 1);
    rig.assert_rolled_back(
        11,
        "the process started 2 times without a clean stop while the bundle was watched; the limit is 1",
    );
}

#[test]
fn conditions_that_come_and_go_end_with_the_extended_watch() {
    let (mut listen, mut broker) = (well(), well());
    listen.sources.insert("listen".to_owned(), false);
    broker.sources.insert("broker".to_owned(), false);
    let mut rig = Rig::new(baseline());
    for _ in 0..20 {
        rig.observe(&listen, 50).observe(&broker, 50);
        if rig.is_over() {
            break;
        }
    }
    rig.assert_rolled_back(
        900,
        "source broker was up before, and was down again when the extended watch ended",
    );
}

#[test]
fn a_short_watch_has_short_limits() {
    let times = FleetTimes {
        watch: seconds(10),
        ..FleetTimes::default()
    };
    assert_eq!(times.gone(), seconds(2));
    assert_eq!(times.before(), seconds(10));
    let long = FleetTimes {
        watch: seconds(3_600),
        ..times
    };
    assert_eq!((long.gone(), long.before()), (seconds(60), seconds(120)));
    let mut down = well();
    down.sources.insert("broker".to_owned(), false);
    let mut rig = Rig::new(baseline());
    rig.times = times;
    rig.observe(&down, 100);
    rig.assert_rolled_back(
        2,
        "source broker was up before and has been down for 2 s; the limit is 2 s",
    );
}
