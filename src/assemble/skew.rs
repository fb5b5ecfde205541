//! When an event was done, by clocks that may be wrong. Pure.
//!
//! A device's clock that says a later time than the gateway's when an event arrives is ahead by at least so much: the device's
//! earlier events, sent late, are put right by it. One event that says an earlier time may as well have been sent late. But what is
//! sent late comes at once, and its lags differ as the times of the work do; so a lag that stays the same while time goes on is a
//! clock that is behind (or one that was never set, or says the local time of a zone west of Greenwich).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::event::{CLOCK_MIN, Event, Name, SourceKind};

/// The network and the two clocks may differ by so much without being wrong.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// For so long it is remembered that a clock was seen to be wrong; it may have been set since.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// A smaller lag is none of the clock's: a scan waits so long for a better place in the hall, too.
const BEHIND_MIN: SignedDuration = SignedDuration::from_secs(60);
/// Lags of one clock that is behind differ by no more.
const STEADY: SignedDuration = SignedDuration::from_secs(5);
/// So long, and in so many events, a lag has to stay the same.
const STEADY_FOR: SignedDuration = SignedDuration::from_mins(2);
const STEADY_EVENTS: u32 = 5;
/// Devices that are remembered; beyond it, those that were seen longest ago are forgotten.
const DEVICES_MAX: usize = 10_000;

/// When an event was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub time: Timestamp,
    /// While the clock of the device is in doubt: the other time at which the event may have been done.
    pub other: Option<Timestamp>,
    /// `time` is another time than the device gave.
    pub is_corrected: bool,
}

/// What is known of the clocks of devices that do not agree with the gateway's.
#[derive(Debug, Default)]
pub(super) struct Skews(BTreeMap<Name, Clock>);

#[derive(Debug)]
struct Clock {
    /// By how much it is ahead, or behind where that is negative.
    ahead: Option<SignedDuration>,
    lag: Option<Lag>,
    seen: Timestamp,
}

/// Events one after the other that came with the same lag.
#[derive(Debug)]
struct Lag {
    least: SignedDuration,
    most: SignedDuration,
    since: Timestamp,
    events: u32,
}

impl Skews {
    /// When an event was done.
    pub fn happened(&mut self, event: &Event) -> When {
        let (time, is_corrected) = self.correct(event);
        When {
            time,
            other: None,
            is_corrected,
        }
    }

    fn correct(&mut self, event: &Event) -> (Timestamp, bool) {
        let (said, received) = (event.at, event.received);
        if received < CLOCK_MIN {
            // The gateway booted without a clock: the device may have one.
            return (said, false);
        }
        if event.source == SourceKind::Flow {
            // It says when its scans were done, and came later than they did: nothing is learnt of it.
            let clock = self.0.get(&event.device);
            let clock = clock.filter(|clock| received.duration_since(clock.seen) < REMEMBERED);
            return match clock.and_then(|clock| clock.ahead) {
                Some(ahead) => put_right(said, ahead, received),
                None => (said.min(received), false),
            };
        }
        let ahead = said.duration_since(received);
        if ahead > TOLERANCE {
            self.learn(&event.device, Clock::ahead(ahead, received));
            return (received, true);
        }
        if ahead.abs() <= TOLERANCE {
            // An event of now shows that the clock was set right.
            self.0.remove(&event.device);
            return (said.min(received), false);
        }
        if let Some(clock) = self.0.get_mut(&event.device)
            && received.duration_since(clock.seen) < REMEMBERED
        {
            return clock.lagging(-ahead, said, received);
        }
        if -ahead >= BEHIND_MIN {
            self.learn(&event.device, Clock::lags(-ahead, received));
        }
        (said, false)
    }

    fn learn(&mut self, device: &Name, clock: Clock) {
        if self.0.len() >= DEVICES_MAX && !self.0.contains_key(device) {
            let oldest = self.0.iter().min_by_key(|(_, clock)| clock.seen);
            if let Some(oldest) = oldest.map(|(device, _)| device.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(device.clone(), clock);
    }
}

impl Clock {
    fn ahead(ahead: SignedDuration, now: Timestamp) -> Self {
        Self {
            ahead: Some(ahead),
            lag: None,
            seen: now,
        }
    }

    fn lags(lag: SignedDuration, now: Timestamp) -> Self {
        Self {
            ahead: None,
            lag: Some(Lag::new(lag, now)),
            seen: now,
        }
    }

    /// An event that says an earlier time than it came at: it was sent late, or the clock is behind, or both.
    fn lagging(
        &mut self,
        lag: SignedDuration,
        said: Timestamp,
        received: Timestamp,
    ) -> (Timestamp, bool) {
        if !self.lag.as_mut().is_some_and(|run| run.goes_on(lag)) {
            self.lag = Some(Lag::new(lag, received));
        }
        let steady = self.lag.as_ref().is_some_and(|run| run.is_steady(received));
        if steady && lag >= BEHIND_MIN {
            self.ahead = Some(-lag);
            self.seen = received;
        }
        match self.ahead {
            // It is not so far behind any more.
            Some(ahead) if lag < -ahead - STEADY => self.ahead = None,
            None => self.seen = received,
            Some(_) => {}
        }
        match self.ahead {
            Some(ahead) => put_right(said, ahead, received),
            None => (said, false),
        }
    }
}

/// By a clock that is ahead by so much, or behind where that is negative.
fn put_right(said: Timestamp, ahead: SignedDuration, received: Timestamp) -> (Timestamp, bool) {
    let right = said.saturating_sub(ahead).unwrap_or(said);
    (right.min(received), true)
}

impl Lag {
    fn new(lag: SignedDuration, now: Timestamp) -> Self {
        Self {
            least: lag,
            most: lag,
            since: now,
            events: 1,
        }
    }

    /// Whether the next event's lag is the same; then it is counted.
    fn goes_on(&mut self, lag: SignedDuration) -> bool {
        let (least, most) = (self.least.min(lag), self.most.max(lag));
        if most - least > STEADY {
            return false;
        }
        (self.least, self.most) = (least, most);
        self.events = self.events.saturating_add(1);
        true
    }

    fn is_steady(&self, now: Timestamp) -> bool {
        self.events >= STEADY_EVENTS && now.duration_since(self.since) >= STEADY_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Action;

    fn event(at: &str, received: &str) -> Event {
        Event {
            device: Name::new("pda").unwrap(),
            id: "1".to_owned(),
            id_derived: false,
            source: SourceKind::Listen,
            at: at.parse().unwrap(),
            received: received.parse().unwrap(),
            operator: None,
            flags: Vec::new(),
            action: Action::Validate {
                order: "O".to_owned(),
            },
        }
    }

    fn happened(skews: &mut Skews, at: &str, received: &str) -> (String, bool) {
        let (when, corrected) = skews.correct(&event(at, received));
        (when.to_string(), corrected)
    }

    #[test]
    fn a_clock_that_is_ahead_is_put_right_also_for_what_comes_late() {
        let mut skews = Skews::default();
        let now = "2026-11-24T10:00:00Z";
        let ten_minutes_ahead = "2026-11-24T10:10:00Z";
        assert_eq!(
            happened(&mut skews, "2026-11-24T09:00:00Z", now),
            ("2026-11-24T09:00:00Z".to_owned(), false)
        );
        assert_eq!(
            happened(&mut skews, ten_minutes_ahead, now),
            (now.to_owned(), true)
        );
        assert_eq!(
            happened(&mut skews, "2026-11-24T09:30:00Z", "2026-11-24T10:00:05Z"),
            ("2026-11-24T09:20:00Z".to_owned(), true)
        );
        // Set right meanwhile: an event of now has the time of now.
        assert_eq!(
            happened(&mut skews, "2026-11-24T10:05:00Z", "2026-11-24T10:05:01Z"),
            ("2026-11-24T10:05:00Z".to_owned(), false)
        );
        assert_eq!(
            happened(&mut skews, "2026-11-24T09:30:00Z", "2026-11-24T10:06:00Z"),
            ("2026-11-24T09:30:00Z".to_owned(), false)
        );
    }

    #[test]
    fn a_gateway_without_a_clock_takes_the_device_s_word() {
        let mut skews = Skews::default();
        let said = "2026-11-24T10:10:00Z";
        assert_eq!(
            happened(&mut skews, said, "1970-01-01T00:00:09Z"),
            (said.to_owned(), false)
        );
        assert!(skews.0.is_empty());
    }

    /// `events` of the device, `apart` seconds one from the other, whose clock is `behind` seconds behind.
    fn behind(skews: &mut Skews, from: &str, events: i64, apart: i64, behind: i64) -> Vec<bool> {
        let from: Timestamp = from.parse().unwrap();
        let one = |number: i64| {
            let received = from + SignedDuration::from_secs(number * apart);
            let said = received - SignedDuration::from_secs(behind);
            let (when, corrected) = skews.correct(&event(&said.to_string(), &received.to_string()));
            assert_eq!(when, if corrected { received } else { said });
            corrected
        };
        (0..events).map(one).collect()
    }

    #[test]
    fn a_lag_that_stays_the_same_is_a_clock_that_is_behind() {
        let mut skews = Skews::default();
        let corrected = behind(&mut skews, "2026-11-24T10:00:00Z", 8, 30, 5 * 3600);
        assert_eq!(
            corrected,
            [false, false, false, false, true, true, true, true]
        );
        // Sent an hour late, in a row and out of the run: the clock is as far behind as before.
        assert_eq!(
            happened(&mut skews, "2026-11-24T05:00:00Z", "2026-11-24T11:00:00Z"),
            ("2026-11-24T10:00:00Z".to_owned(), true)
        );
        // Set right meanwhile.
        assert_eq!(
            happened(&mut skews, "2026-11-24T11:05:00Z", "2026-11-24T11:05:01Z"),
            ("2026-11-24T11:05:00Z".to_owned(), false)
        );
        assert_eq!(
            happened(&mut skews, "2026-11-24T06:05:00Z", "2026-11-24T11:05:02Z"),
            ("2026-11-24T06:05:00Z".to_owned(), false)
        );
    }

    /// A flow says when its scans were done, a minute late.
    #[test]
    fn nothing_is_learnt_of_what_a_flow_made_and_it_is_put_right() {
        let mut skews = Skews::default();
        let flow = |skews: &mut Skews, at: &str, received: &str| {
            let made = Event {
                source: SourceKind::Flow,
                ..event(at, received)
            };
            skews.correct(&made).0.to_string()
        };
        let (at, now) = ("2026-11-24T04:59:00Z", "2026-11-24T10:00:00Z");
        assert_eq!(flow(&mut skews, at, now), at);
        assert!(skews.0.is_empty());
        behind(&mut skews, "2026-11-24T10:00:00Z", 8, 30, 5 * 3600);
        let now = "2026-11-24T10:04:30Z";
        assert_eq!(
            flow(&mut skews, "2026-11-24T05:03:30Z", now),
            "2026-11-24T10:03:30Z"
        );
        let (at, two_days_later) = ("2026-11-26T10:03:30Z", "2026-11-26T10:04:30Z");
        assert_eq!(flow(&mut skews, at, two_days_later), at, "forgotten");
    }

    #[test]
    fn a_clock_that_was_never_set_is_put_right_as_well() {
        let mut skews = Skews::default();
        let since_2000 = 848_000_000;
        let corrected = behind(&mut skews, "2026-11-24T10:00:00Z", 6, 40, since_2000);
        assert_eq!(corrected, [false, false, false, false, true, true]);
    }

    #[test]
    fn a_clock_that_is_less_behind_than_it_was_is_learnt_anew() {
        let mut skews = Skews::default();
        behind(&mut skews, "2026-11-24T10:00:00Z", 8, 30, 5 * 3600);
        let corrected = behind(&mut skews, "2026-11-24T10:10:00Z", 6, 30, 3600);
        assert_eq!(corrected, [false, false, false, false, true, true]);
    }

    #[test]
    fn what_is_sent_late_is_no_clock_that_is_behind() {
        let mut skews = Skews::default();
        // A shift without a link, a scan every ten seconds, sent in seconds.
        for number in 0..500_i64 {
            let said =
                Timestamp::constant(1_795_512_000, 0) + SignedDuration::from_secs(number * 10);
            let received =
                Timestamp::constant(1_795_520_000, 0) + SignedDuration::from_millis(number * 20);
            let (when, corrected) = skews.correct(&event(&said.to_string(), &received.to_string()));
            assert_eq!((when, corrected), (said, false));
        }
        // What lies three minutes on each, because the hall has no better place: still nothing of now, and nothing steady.
        for number in 0..20_i64 {
            let received =
                Timestamp::constant(1_795_530_000, 0) + SignedDuration::from_mins(number);
            let said = received - SignedDuration::from_secs(120 + (number % 4) * 30);
            let (when, corrected) = skews.correct(&event(&said.to_string(), &received.to_string()));
            assert_eq!((when, corrected), (said, false));
        }
        // Scans of seconds that came late together: too short to say anything.
        let corrected = behind(&mut skews, "2026-11-24T12:00:00Z", 20, 1, 3600);
        assert_eq!(corrected, [false; 20]);
    }
}
