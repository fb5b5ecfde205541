//! What is known about a device's clock, and the true time of an event by it. Pure.
//!
//! A device's clock is *ahead* of the gateway's by some time; a negative time means that it is
//! behind. An event names its time `at` by the device's clock, and the gateway receives the event
//! after some delay. So the *offset* of an event, `at - received`, is never above the time by which
//! the clock is ahead, and equals it where the device sent the event at once.
//!
//! A *sighting* is what messages of a device showed of its clock. A sighting does not expire: a
//! clock counts as it was last seen until a message shows a different one.

use crate::event::Seq;
use jiff::{SignedDuration, Timestamp};

/// The longest delay by the network, and the largest difference of two clocks that are right.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// The largest difference between offsets of one clock whose messages were sent at once. A clock
/// that is wrong by at most this counts as right.
pub const STEADY: SignedDuration = SignedDuration::from_secs(5);
/// The limit of sightings of one clock; beyond it, the oldest is removed.
pub const SIGHTINGS_MAX: usize = 8;

/// A clock as one or more messages showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// When the gateway received the first of these messages.
    pub from: Timestamp,
    /// When the gateway received the last of them.
    pub to: Timestamp,
    /// By how much the clock was ahead; negative: behind.
    pub ahead: SignedDuration,
}

/// What is known about one device's clock. The journal stores it, so a restart changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceClock {
    /// In the order of receipt.
    pub sightings: Vec<Sighting>,
    /// When the newest event in doubt was received. `None`: a sighting has followed every event in
    /// doubt.
    pub doubted: Option<Timestamp>,
    /// An event after the last sighting cannot come from that clock: the clock was changed.
    pub is_changed: bool,
    /// The `seq` of the last event before the message that last showed the clock.
    pub seq: Seq,
}

/// Whether a clock that is ahead or behind by this much is wrong.
#[must_use]
pub fn is_wrong(ahead: SignedDuration) -> bool {
    ahead.abs() > STEADY
}

/// Returns the true time of an event whose clock was ahead by this much, at most the time of
/// receipt.
#[must_use]
pub fn correct(at: Timestamp, ahead: SignedDuration, received: Timestamp) -> Timestamp {
    at.saturating_sub(ahead).unwrap_or(at).min(received)
}

/// Whether the true time differs from the device's time by more than two right clocks may differ.
#[must_use]
pub fn is_corrected(at: Timestamp, time: Timestamp) -> bool {
    at.duration_since(time).abs() > TOLERANCE
}

/// Whether an event with this offset can come from a clock that is ahead by this much: no event
/// arrives before it was done.
#[must_use]
pub fn allows(ahead: SignedDuration, offset: SignedDuration) -> bool {
    offset <= ahead + STEADY
}

impl DeviceClock {
    /// Returns by how much the clock was ahead, by the last sighting at or before `received`.
    #[must_use]
    pub fn ahead_at(&self, received: Timestamp) -> Option<SignedDuration> {
        let mut before = self.sightings.iter().rev();
        before
            .find(|seen| seen.from <= received)
            .map(|seen| seen.ahead)
    }

    /// Returns the true time of an event that was in doubt, if a sighting has followed it. `None`:
    /// it is still in doubt.
    ///
    /// The clock that the next message showed counts. If that clock cannot have shown `at`, the
    /// clock before it counts.
    #[must_use]
    pub fn resolve(&self, at: Timestamp, received: Timestamp) -> Option<Timestamp> {
        let offset = at.duration_since(received);
        let next = self.sightings.iter().position(|seen| seen.to >= received)?;
        let before = next.checked_sub(1).map(|place| self.sightings[place].ahead);
        let clocks = [Some(self.sightings[next].ahead), before];
        let clock = clocks.into_iter().flatten().find(|by| allows(*by, offset));
        Some(clock.map_or(at.min(received), |ahead| correct(at, ahead, received)))
    }

    /// Records that a message showed the clock. Returns whether the journal must store it: the
    /// clock has changed, or a doubt has ended.
    pub fn show(&mut self, ahead: SignedDuration, received: Timestamp, seq: Seq) -> bool {
        self.is_changed = false;
        self.seq = self.seq.max(seq);
        let ended = self.doubted.take_if(|doubted| *doubted <= received);
        let is_new = match self.sightings.last_mut() {
            Some(last) if is_like(last.ahead, ahead) => {
                last.to = last.to.max(received);
                last.ahead = if is_wrong(ahead) || is_wrong(last.ahead) {
                    // A delay makes an offset smaller, never greater.
                    last.ahead.max(ahead)
                } else {
                    ahead
                };
                false
            }
            _ => {
                self.sightings.push(Sighting {
                    from: received,
                    to: received,
                    ahead,
                });
                true
            }
        };
        if self.sightings.len() > SIGHTINGS_MAX {
            self.sightings.remove(0);
        }
        ended.is_some() || (is_new && self.was_wrong())
    }

    /// Records that an event is in doubt. `is_changed`: it cannot come from the clock as it was
    /// last seen. Returns whether the journal must store it.
    pub fn doubt(&mut self, received: Timestamp, is_changed: bool) -> bool {
        let is_news = self.doubted.is_none() || (is_changed && !self.is_changed);
        self.doubted = self.doubted.max(Some(received));
        self.is_changed |= is_changed;
        is_news
    }

    /// Whether the journal must store the clock: not if it was always right.
    #[must_use]
    pub fn must_be_stored(&self) -> bool {
        self.was_wrong() || self.doubted.is_some()
    }

    fn was_wrong(&self) -> bool {
        self.sightings.iter().any(|seen| is_wrong(seen.ahead))
    }
}

/// Whether two offsets are of the same clock. All clocks that count as right are the same clock.
fn is_like(known: SignedDuration, ahead: SignedDuration) -> bool {
    if !is_wrong(known) && !is_wrong(ahead) {
        return true;
    }
    ahead.abs() > TOLERANCE && (known - ahead).abs() <= STEADY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    /// The true time, in seconds, of an event with the time `given` that was received at second 0.
    fn resolve(clock: &DeviceClock, given: i64) -> Option<i64> {
        let time = clock.resolve(at(given), at(0))?;
        Some(time.duration_since(at(0)).as_secs())
    }

    #[test]
    fn an_event_in_doubt_was_done_by_the_clock_that_is_seen_next() {
        let mut clock = DeviceClock::default();
        assert!(clock.show(seconds(7_200), at(-900), Seq::new(1)));
        assert_eq!(resolve(&clock, -300), None);
        let mut right = clock.clone();
        right.show(SignedDuration::ZERO, at(60), Seq::new(3));
        assert_eq!(resolve(&right, -300), Some(-300));
        let mut wrong = clock.clone();
        wrong.show(seconds(7_201), at(60), Seq::new(3));
        assert_eq!(resolve(&wrong, -300), Some(-7_501));
        // No clock that is right gives a time that is still to come.
        assert_eq!(resolve(&right, 6_900), Some(-300));
        // Nor one that is behind by less than before.
        let mut less = DeviceClock::default();
        less.show(seconds(-18_000), at(-900), Seq::new(1));
        less.show(seconds(-3_600), at(60), Seq::new(2));
        assert_eq!(resolve(&less, -3_700), Some(-100));
        assert_eq!(resolve(&less, -600), Some(-600));
    }

    #[test]
    fn what_a_message_shows_is_kept_where_it_is_another_clock_or_ends_a_doubt() {
        let mut clock = DeviceClock::default();
        assert!(
            !clock.show(SignedDuration::ZERO, at(0), Seq::new(1)),
            "right"
        );
        assert!(clock.show(seconds(600), at(10), Seq::new(2)));
        assert!(!clock.show(seconds(598), at(20), Seq::new(3)), "as before");
        let seen = clock.sightings[1];
        assert_eq!((seen.to, seen.ahead), (at(20), seconds(600)));
        assert!(clock.doubt(at(30), false));
        assert!(!clock.doubt(at(40), false), "known to be in doubt");
        assert!(clock.show(seconds(599), at(50), Seq::new(4)));
        assert_eq!(clock.doubted, None);
        assert!(clock.show(seconds(1), at(60), Seq::new(5)), "right again");
        assert!(
            !clock.show(seconds(3), at(70), Seq::new(6)),
            "as good as right"
        );
        assert_eq!(clock.ahead_at(at(65)), Some(seconds(3)));
        assert_eq!(clock.ahead_at(at(55)), Some(seconds(600)));
        assert_eq!(clock.ahead_at(at(-1)), None);
    }

    #[test]
    fn a_clock_at_the_limit_of_right_and_wrong_is_one_clock() {
        let mut clock = DeviceClock::default();
        assert!(clock.show(seconds(7), at(0), Seq::new(1)));
        assert!(!clock.show(seconds(3), at(10), Seq::new(2)), "a delay");
        assert!(!clock.show(seconds(6), at(20), Seq::new(3)));
        assert_eq!(clock.sightings.len(), 1);
        assert_eq!(clock.sightings[0].ahead, seconds(7));
        assert!(clock.show(seconds(2), at(30), Seq::new(4)), "right");
        assert!(clock.doubt(at(40), false));
        assert!(clock.doubt(at(50), true), "another clock");
        assert!(!clock.doubt(at(60), true));
    }

    #[test]
    fn of_a_clock_that_is_set_again_and_again_the_newest_sightings_are_kept() {
        let mut clock = DeviceClock::default();
        for number in 0..20 {
            clock.show(seconds(number * 60), at(number), Seq::ZERO);
        }
        assert_eq!(clock.sightings.len(), SIGHTINGS_MAX);
        assert_eq!(clock.ahead_at(at(30)), Some(seconds(19 * 60)));
    }
}
