//! What is known of a device's clock, and when an event was done by it. Pure.
//!
//! A device's clock is *ahead* of the gateway's by some time; a negative time means that it is
//! behind. An event names its time `at` by the device's clock, and the gateway receives the event
//! after some delay. So the *offset* of an event, `at - received`, is never above the time by which
//! the clock is ahead, and equals it where the device sent the event at once.
//!
//! A *sighting* is what messages of a device showed of its clock. Age makes no sighting void: a
//! clock stays as it was last seen until a message shows another one.

use crate::event::Seq;
use jiff::{SignedDuration, Timestamp};

/// The network delays a message by up to so much, and two clocks that are right differ by no more.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// Offsets of one clock that were sent at once differ by no more. A clock that is wrong by no more
/// counts as right.
pub const STEADY: SignedDuration = SignedDuration::from_secs(5);
/// Sightings that are kept of one clock; beyond it, the oldest is dropped.
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

/// What is known of one device's clock. The journal keeps it, so a restart changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceClock {
    /// In the order of receipt.
    pub sightings: Vec<Sighting>,
    /// When the newest event in doubt was received, while no sighting has followed it.
    pub doubted: Option<Timestamp>,
    /// An event after the last sighting cannot come from a clock that is so far behind: the clock
    /// was changed.
    pub is_changed: bool,
    /// The `seq` of the last event that was taken when a message last showed the clock.
    pub seq: Seq,
}

/// Whether a clock that is ahead, or behind, by so much is wrong.
#[must_use]
pub fn is_wrong(ahead: SignedDuration) -> bool {
    ahead.abs() > STEADY
}

/// The true time of an event whose clock was ahead by so much; never after it was received.
#[must_use]
pub fn correct(at: Timestamp, ahead: SignedDuration, received: Timestamp) -> Timestamp {
    at.saturating_sub(ahead).unwrap_or(at).min(received)
}

/// Whether the true time is another one than the device gave, by more than two right clocks may
/// differ.
#[must_use]
pub fn is_corrected(at: Timestamp, time: Timestamp) -> bool {
    at.duration_since(time).abs() > TOLERANCE
}

/// Whether an event with this offset can come from a clock that is ahead by so much: no event
/// arrives before it was done.
#[must_use]
pub fn allows(ahead: SignedDuration, offset: SignedDuration) -> bool {
    offset <= ahead + STEADY
}

impl DeviceClock {
    /// By how much the clock was ahead by the last sighting before `received`, or at that time.
    #[must_use]
    pub fn ahead_at(&self, received: Timestamp) -> Option<SignedDuration> {
        let mut before = self.sightings.iter().rev();
        before
            .find(|seen| seen.from <= received)
            .map(|seen| seen.ahead)
    }

    /// The true time of an event that was in doubt, once a sighting has followed it. `None`: it
    /// still is in doubt.
    ///
    /// The event was done by the clock that the next message showed. Only where that clock cannot
    /// have given `at`, the clock as it was before counts.
    #[must_use]
    pub fn resolve(&self, at: Timestamp, received: Timestamp) -> Option<Timestamp> {
        let offset = at.duration_since(received);
        let next = self.sightings.iter().position(|seen| seen.to >= received)?;
        let before = next.checked_sub(1).map(|place| self.sightings[place].ahead);
        let clocks = [Some(self.sightings[next].ahead), before];
        let clock = clocks.into_iter().flatten().find(|by| allows(*by, offset));
        Some(clock.map_or(at.min(received), |ahead| correct(at, ahead, received)))
    }

    /// Notes that a message showed the clock. Answers whether there is something to keep: another
    /// clock, or the end of a doubt.
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

    /// Notes that an event is in doubt. `is_changed`: it cannot come from the clock as it was seen
    /// last. Answers whether there is something to keep.
    pub fn doubt(&mut self, received: Timestamp, is_changed: bool) -> bool {
        let is_news = self.doubted.is_none() || (is_changed && !self.is_changed);
        self.doubted = self.doubted.max(Some(received));
        self.is_changed |= is_changed;
        is_news
    }

    /// Whether there is something to keep: nothing of a clock that was always right.
    #[must_use]
    pub fn is_to_keep(&self) -> bool {
        self.was_wrong() || self.doubted.is_some()
    }

    fn was_wrong(&self) -> bool {
        self.sightings.iter().any(|seen| is_wrong(seen.ahead))
    }
}

/// Whether two offsets are of the same clock. All clocks that are as good as right are the same
/// one.
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

    /// The true time, in seconds, of an event that says `said` and was received at second 0.
    fn resolved(clock: &DeviceClock, said: i64) -> Option<i64> {
        let time = clock.resolve(at(said), at(0))?;
        Some(time.duration_since(at(0)).as_secs())
    }

    #[test]
    fn an_event_in_doubt_was_done_by_the_clock_that_is_seen_next() {
        let mut clock = DeviceClock::default();
        assert!(clock.show(seconds(7_200), at(-900), Seq::new(1)));
        assert_eq!(resolved(&clock, -300), None);
        let mut right = clock.clone();
        right.show(SignedDuration::ZERO, at(60), Seq::new(3));
        assert_eq!(resolved(&right, -300), Some(-300));
        let mut wrong = clock.clone();
        wrong.show(seconds(7_201), at(60), Seq::new(3));
        assert_eq!(resolved(&wrong, -300), Some(-7_501));
        // No clock that is right gives a time that is still to come.
        assert_eq!(resolved(&right, 6_900), Some(-300));
        // Nor one that is behind by less than before.
        let mut less = DeviceClock::default();
        less.show(seconds(-18_000), at(-900), Seq::new(1));
        less.show(seconds(-3_600), at(60), Seq::new(2));
        assert_eq!(resolved(&less, -3_700), Some(-100));
        assert_eq!(resolved(&less, -600), Some(-600));
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
