//! Clocks in time that the test owns: seconds, by the gateway's clock.

mod backlog;

use jiff::SignedDuration;

use super::*;
use crate::event::{Action, Seq};

const HOUR: i64 = 3_600;

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn name(device: &str) -> Name {
    Name::new(device).unwrap()
}

fn event(at: Timestamp, received: Timestamp) -> Event {
    Event {
        device: name("pda"),
        id: "1".to_owned(),
        id_derived: false,
        source: SourceKind::Listen,
        at,
        received,
        measures: crate::event::Measures::new(),
        operator: None,
        flags: Vec::new(),
        action: Action::Validate {
            order: "O".to_owned(),
        },
    }
}

/// When an event was done, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// As the device gave it.
    Given(i64),
    Corrected(i64),
    /// By the clock as it was known, and the other time.
    InDoubt(i64, i64),
}
use Done::{Corrected, Given, InDoubt};

#[derive(Default)]
struct Rig {
    clocks: Clocks,
    seq: Seq,
    /// What the journal keeps.
    kept: BTreeMap<Name, DeviceClock>,
}

fn second(time: Timestamp) -> i64 {
    time.duration_since(self::time(0)).as_secs()
}

fn monotonic(received: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(second(received) + 10_000_000).unwrap())
}

impl Rig {
    fn take(&mut self, event: &Event) -> Done {
        self.seq = self.seq.next();
        let when = (self.clocks).time_of(self.seq, event, monotonic(event.received));
        self.keep();
        match when.other {
            Some(other) => InDoubt(second(when.time), second(other)),
            None if when.is_corrected => Corrected(second(when.time)),
            None => Given(second(when.time)),
        }
    }

    /// An event with this time by the device's clock.
    fn said(&mut self, at: i64, received: i64) -> Done {
        self.take(&event(time(at), time(received)))
    }

    fn observe(&mut self, at: i64, received: i64) {
        let (at, received) = (time(at), time(received));
        let now = monotonic(received);
        self.clocks
            .observe(self.seq, &name("pda"), at, received, now);
        self.keep();
    }

    /// Nothing came until then.
    fn settle(&mut self, at: i64) {
        self.clocks.settle(monotonic(time(at)));
        self.keep();
    }

    fn keep(&mut self) {
        for (device, clock) in self.clocks.take_changed() {
            match clock {
                Some(clock) => self.kept.insert(device, clock),
                None => self.kept.remove(&device),
            };
        }
    }

    fn restart(&mut self) {
        self.clocks = Clocks::new(self.kept.clone().into_iter().collect());
    }

    /// The true time of what was in doubt, by what the journal keeps.
    fn resolved(&self, at: i64, received: i64) -> Option<i64> {
        let clock = self.kept.get(&name("pda"))?;
        clock.resolve(time(at), time(received)).map(second)
    }

    /// Events `apart` seconds one from the other, which are sent at once, by a clock that is
    /// `behind` seconds behind.
    fn behind(&mut self, from: i64, events: i64, apart: i64, behind: i64) -> Vec<bool> {
        let one = |number: i64| {
            let received = from + number * apart;
            let done = self.said(received - behind, received);
            if let Corrected(at) = done {
                assert_eq!(at, received);
            }
            matches!(done, Corrected(_))
        };
        (0..events).map(one).collect()
    }
}

#[test]
fn a_clock_that_is_ahead_and_is_set_right() {
    let mut rig = Rig::default();
    assert_eq!(rig.said(-HOUR, 0), Given(-HOUR));
    assert_eq!(rig.said(60 + 600, 60), Corrected(60));
    assert_eq!(rig.said(700, 100), Corrected(100));
    // Sent late by a wrong clock, or less late by a right one.
    assert_eq!(rig.said(-1_800, 200), InDoubt(-2_400, -1_800));
    assert_eq!(rig.resolved(-1_800, 200), None);
    assert_eq!(rig.said(300, 301), Given(300));
    assert_eq!(rig.resolved(-1_800, 200), Some(-1_800));
    // From then on the clock is right, however late.
    assert_eq!(rig.said(-1_800, 400), Given(-1_800));
    assert_eq!(
        rig.said(3 * 24 * HOUR - 60, 3 * 24 * HOUR),
        Given(3 * 24 * HOUR - 60)
    );
}

#[test]
fn a_clock_that_is_ahead_and_stays_so_for_days() {
    let mut rig = Rig::default();
    assert_eq!(rig.said(2 * HOUR, 0), Corrected(0));
    let later = 3 * 24 * HOUR;
    assert_eq!(
        rig.said(later - 300, later),
        InDoubt(later - 300 - 2 * HOUR, later - 300)
    );
    assert_eq!(
        rig.said(later + 60 + 2 * HOUR, later + 60),
        Corrected(later + 60)
    );
    assert_eq!(
        rig.resolved(later - 300, later),
        Some(later - 300 - 2 * HOUR)
    );
    // Less ahead than it was: sent late, or set.
    assert_eq!(
        rig.said(later + 100 + HOUR, later + 100),
        InDoubt(later + 100 - HOUR, later + 100)
    );
    assert_eq!(
        rig.said(later + 200 + 2 * HOUR - 1, later + 200),
        Corrected(later + 199)
    );
    assert_eq!(
        rig.resolved(later + 100 + HOUR, later + 100),
        Some(later + 100 - HOUR)
    );
}

#[test]
fn a_clock_that_is_less_ahead_for_a_while_was_set_to_that() {
    let mut rig = Rig::default();
    rig.said(2 * HOUR, 0);
    for number in 1..5 {
        let received = number * 60;
        let done = rig.said(received + HOUR, received);
        assert!(matches!(done, InDoubt(..)), "{done:?}");
    }
    assert_eq!(rig.said(300 + HOUR, 300), Corrected(300));
    assert_eq!(rig.resolved(60 + HOUR, 60), Some(60));
}

#[test]
fn a_lag_that_stays_the_same_is_a_clock_that_is_behind() {
    let mut rig = Rig::default();
    let corrected = rig.behind(0, 8, 30, 5 * HOUR);
    assert_eq!(
        corrected,
        [false, false, false, false, true, true, true, true]
    );
    // Days later as well.
    let later = 3 * 24 * HOUR;
    assert_eq!(rig.said(later - 5 * HOUR, later), Corrected(later));
    // Sent an hour late, or six hours late by a clock that is right.
    assert_eq!(
        rig.said(later + 100 - 6 * HOUR, later + 100),
        InDoubt(later + 100 - HOUR, later + 100 - 6 * HOUR)
    );
    assert_eq!(
        rig.said(later + 200 - 5 * HOUR, later + 200),
        Corrected(later + 200)
    );
    assert_eq!(
        rig.resolved(later + 100 - 6 * HOUR, later + 100),
        Some(later + 100 - HOUR)
    );
    // Corrected.
    assert_eq!(
        rig.said(later + 300 - 6 * HOUR, later + 300),
        InDoubt(later + 300 - HOUR, later + 300 - 6 * HOUR)
    );
    assert_eq!(rig.said(later + 400, later + 401), Given(later + 400));
    assert_eq!(
        rig.resolved(later + 300 - 6 * HOUR, later + 300),
        Some(later + 300 - 6 * HOUR)
    );
    assert_eq!(
        rig.said(later - 5 * HOUR, later + 500),
        Given(later - 5 * HOUR)
    );
}

#[test]
fn a_clock_that_is_less_behind_than_it_was_is_in_doubt_until_it_is_learnt_anew() {
    let mut rig = Rig::default();
    rig.behind(0, 8, 30, 5 * HOUR);
    assert_eq!(rig.said(600 - HOUR, 600), InDoubt(600 - HOUR, 600));
    // Four hours late by the new clock, or at once by the old one? It is no longer the old one.
    assert_eq!(rig.said(615 - 5 * HOUR, 615), InDoubt(615, 615 - 5 * HOUR));
    assert_eq!(
        rig.behind(630, 6, 30, HOUR),
        [false, false, false, false, true, true]
    );
    assert_eq!(rig.resolved(600 - HOUR, 600), Some(600));
    assert_eq!(rig.resolved(615 - 5 * HOUR, 615), Some(615 - 4 * HOUR));
}

#[test]
fn a_clock_that_was_never_set_is_put_right_as_well() {
    let mut rig = Rig::default();
    let corrected = rig.behind(0, 6, 40, 848_000_000);
    assert_eq!(corrected, [false, false, false, false, true, true]);
    let mut ahead = Rig::default();
    ahead.said(2 * HOUR, 0);
    // The battery was empty: nothing is to be found out about such a time.
    assert_eq!(ahead.said(-848_000_000, 60), Given(-848_000_000));
}

#[test]
fn what_is_sent_late_is_no_clock_that_is_behind() {
    let mut rig = Rig::default();
    // A shift without a link, a scan every ten seconds, sent in seconds.
    for number in 0..500_i64 {
        let at = time(number * 10);
        let received = time(8_000) + SignedDuration::from_millis(number * 20);
        assert_eq!(rig.take(&event(at, received)), Given(number * 10));
    }
    // What lies three minutes on each, because the hall has no better place: still nothing of now,
    // and nothing steady.
    for number in 0..20 {
        let received = 18_000 + number * 60;
        let at = received - 120 - (number % 4) * 30;
        assert_eq!(rig.said(at, received), Given(at));
    }
    // Scans of seconds that came late together: too short to show anything.
    assert_eq!(rig.behind(30_000, 20, 1, HOUR), [false; 20]);
}

#[test]
fn a_small_lag_that_stays_the_same_is_a_slow_link_and_a_clock_that_is_right() {
    let mut rig = Rig::default();
    rig.said(2 * HOUR, 0);
    for number in 1..5 {
        let done = rig.said(number * 60 - 8, number * 60);
        assert!(matches!(done, InDoubt(..)), "{done:?}");
    }
    assert_eq!(rig.said(300 - 8, 300), Given(292));
    assert_eq!(rig.resolved(52, 60), Some(52));
}

#[test]
fn a_restart_changes_nothing() {
    let mut rig = Rig::default();
    rig.said(2 * HOUR, 0);
    rig.restart();
    assert_eq!(rig.said(600 - 60, 600), InDoubt(540 - 2 * HOUR, 540));
    rig.restart();
    // The event that is assembled again is in doubt again, and shows nothing.
    rig.seq = Seq::new(1);
    assert_eq!(rig.said(600 - 60, 600), InDoubt(540 - 2 * HOUR, 540));
    rig.restart();
    assert_eq!(rig.said(700, 701), Given(700));
    assert_eq!(rig.resolved(540, 600), Some(540));
    rig.restart();
    // The doubt was ended before the restart.
    rig.seq = Seq::new(1);
    assert_eq!(rig.said(600 - 60, 600), Given(540));
    rig.seq = Seq::ZERO;
    assert_eq!(rig.said(2 * HOUR, 0), Corrected(0));
    assert_eq!(rig.said(900 - 60, 900), Given(840));
}

#[test]
fn a_state_shows_the_clock_as_an_event_does() {
    let mut rig = Rig::default();
    rig.observe(2 * HOUR, 0);
    assert_eq!(rig.said(100 - 30, 100), InDoubt(70 - 2 * HOUR, 70));
    rig.observe(200, 200);
    assert_eq!(rig.resolved(70, 100), Some(70));
    // Received before the state, and assembled after it.
    assert_eq!(rig.said(150 - 30, 150), Given(120));
    assert_eq!(rig.said(90 + 2 * HOUR, 90), Corrected(90));
    assert_eq!(rig.said(300 - 30, 300), Given(270));
    // A state that was sent late shows nothing.
    rig.observe(400 - HOUR, 400);
    assert_eq!(rig.said(500 - HOUR, 500), Given(500 - HOUR));
}

#[test]
fn a_state_does_not_overtake_what_was_received_before_it() {
    let mut rig = Rig::default();
    rig.behind(0, 6, 30, 5 * HOUR);
    rig.observe(301, 301);
    // By the clock as it was then.
    assert_eq!(rig.said(300 - 5 * HOUR, 300), Corrected(300));
    assert_eq!(rig.said(302 - 5 * HOUR, 302), Given(302 - 5 * HOUR));
}

/// A flow says when its scans were done, and comes later than they did.
#[test]
fn what_a_flow_made_has_the_clock_of_its_scan_and_shows_nothing() {
    let mut rig = Rig::default();
    let flow = |rig: &mut Rig, at: i64, received: i64| {
        rig.take(&Event {
            source: SourceKind::Flow,
            ..event(time(at), time(received))
        })
    };
    assert_eq!(flow(&mut rig, -5 * HOUR, 0), Given(-5 * HOUR));
    assert!(rig.clocks.watches.is_empty());
    rig.behind(0, 8, 30, 5 * HOUR);
    assert_eq!(flow(&mut rig, 210 - 5 * HOUR, 210), Corrected(210));
    let days = 2 * 24 * HOUR;
    assert_eq!(
        rig.said(days - 6 * HOUR, days),
        InDoubt(days - HOUR, days - 6 * HOUR)
    );
    assert_eq!(
        flow(&mut rig, days - 6 * HOUR, days),
        InDoubt(days - HOUR, days - 6 * HOUR)
    );
    // Of now, and still no message of the device.
    flow(&mut rig, days + 60, days + 61);
    assert_eq!(rig.resolved(days - 6 * HOUR, days), None);
    rig.said(days + 100, days + 101);
    // What its scan showed since.
    assert_eq!(
        flow(&mut rig, days - 6 * HOUR, days),
        Given(days - 6 * HOUR)
    );
}

#[test]
fn an_event_without_a_time_of_its_own_shows_nothing() {
    let mut rig = Rig::default();
    rig.said(2 * HOUR, 0);
    assert_eq!(rig.said(60, 60), Given(60));
    assert_eq!(rig.said(100 - 30, 100), InDoubt(70 - 2 * HOUR, 70));
    assert_eq!(rig.said(200, 200), Given(200));
    assert_eq!(rig.resolved(70, 100), None);
}

#[test]
fn a_gateway_without_a_clock_takes_the_device_s_word() {
    let mut rig = Rig::default();
    let received = Timestamp::from_second(9).unwrap();
    let when = rig
        .clocks
        .time_of(Seq::new(1), &event(time(600), received), Duration::ZERO);
    assert_eq!((when.time, when.other), (time(600), None));
    assert!(!when.is_corrected);
    rig.clocks.observe(
        Seq::new(1),
        &name("pda"),
        time(600),
        received,
        Duration::ZERO,
    );
    assert!(rig.clocks.watches.is_empty());
}

#[test]
fn where_the_gateway_s_clock_was_set_back_nothing_from_before_counts() {
    let mut rig = Rig::default();
    rig.said(2 * HOUR, 0);
    // The gateway was a day ahead, and so the device 22 hours behind the true time's clock.
    let earlier = -24 * HOUR;
    assert_eq!(rig.said(earlier - 60, earlier), Given(earlier - 60));
    assert_eq!(rig.kept.len(), 0);
    assert_eq!(
        rig.said(earlier + 2 * HOUR, earlier + 60),
        Corrected(earlier + 60)
    );
}

#[test]
fn of_many_devices_the_one_that_was_heard_of_longest_ago_is_forgotten() {
    let mut rig = Rig::default();
    let of = |number: i64| Event {
        device: name(&format!("pda-{number}")),
        ..event(time(number + HOUR), time(number))
    };
    for number in 0..=i64::try_from(DEVICES_MAX).unwrap() {
        rig.take(&of(number));
    }
    assert_eq!(rig.clocks.watches.len(), DEVICES_MAX);
    assert_eq!(rig.kept.len(), DEVICES_MAX);
    assert!(!rig.kept.contains_key(&name("pda-0")));
    assert!(rig.kept.contains_key(&name("pda-1")));
}

#[test]
fn what_is_right_is_not_kept_and_what_is_as_before_is_not_written_again() {
    let mut rig = Rig::default();
    for number in 0..50 {
        rig.said(number * 20, number * 20 + 1);
    }
    assert!(rig.kept.is_empty());
    rig.said(2_000 + HOUR, 2_000);
    rig.kept.clear();
    for number in 0..50 {
        rig.said(2_100 + HOUR + number * 20, 2_100 + number * 20);
    }
    assert!(rig.kept.is_empty(), "nothing new");
}
