//! Finds out what the messages of one device show of its clock.
//!
//! An offset above zero shows a clock that is ahead, and an offset of about zero a clock that is
//! right. An offset below zero may also be a delay; but delays vary, so an offset that stays the
//! same over time shows the clock.
//!
//! A device that was offline sends its backlog in one go. The offsets of a backlog rise up to the
//! clock's offset, and any of them may look like a right clock by chance. So a message of a backlog
//! shows the clock only if no higher offset follows it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::When;
use crate::device_clock::{DeviceClock, STEADY, TOLERANCE, allows, correct, is_wrong};
use crate::event::{CLOCK_MIN, Seq};

/// A steady lag below this is a delay: a scan may wait this long until the device has a connection.
const BEHIND_MIN: SignedDuration = SignedDuration::from_secs(60);
/// An offset shows the clock if it stays the same for this time and in this number of messages.
const STEADY_FOR: SignedDuration = SignedDuration::from_mins(2);
const STEADY_MESSAGES: u32 = 5;
/// Messages with gaps below this may be a backlog.
const BACKLOG_GAP: SignedDuration = SignedDuration::from_secs(10);
/// A backlog ends when no message has followed for this time.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(3);
/// The gateway's clock was set back if an event is received this long before the last sighting.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct Watch {
    clock: DeviceClock,
    run: Option<Run>,
    /// What the last message of a possible backlog showed.
    unsettled: Option<Unsettled>,
    /// When the last message was received.
    last: Option<Timestamp>,
    /// The clock has changed since the journal stored it.
    has_news: bool,
}

/// Consecutive messages with the same offset.
#[derive(Debug)]
struct Run {
    least: SignedDuration,
    most: SignedDuration,
    since: Timestamp,
    until: Timestamp,
    messages: u32,
    /// The first message followed soon after another one.
    is_close: bool,
}

/// What a message showed.
enum Observed {
    /// The clock is ahead by this much.
    Shown(SignedDuration),
    /// Nothing; before the message, the clock was ahead by this much.
    Unclear(Option<SignedDuration>),
}

/// Whether a message was sent when its event was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    AtOnce,
    /// The message may be part of a backlog.
    Perhaps,
    Late,
}

#[derive(Debug)]
struct Unsettled {
    ahead: SignedDuration,
    received: Timestamp,
    seq: Seq,
    since: Duration,
}

impl Watch {
    pub fn new(clock: DeviceClock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    pub fn clock(&self) -> &DeviceClock {
        &self.clock
    }

    /// Returns when the last message of the device was received.
    pub fn last_message(&self) -> Option<Timestamp> {
        let seen = self.clock.sightings.last().map(|seen| seen.to);
        self.last.max(seen)
    }

    /// Returns whether the clock has changed since the last call, so that the journal must store or
    /// delete it.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    pub fn wake_at(&self) -> Option<Duration> {
        let unsettled = self.unsettled.as_ref();
        unsettled.map(|unsettled| unsettled.since + SETTLED_AFTER.unsigned_abs())
    }

    pub fn settle(&mut self, now: Duration) {
        if self.wake_at().is_some_and(|at| at <= now) {
            self.end_backlog();
        }
    }

    fn end_backlog(&mut self) {
        if let Some(seen) = self.unsettled.take() {
            self.show(seen.ahead, seen.received, seen.seq);
        }
    }

    /// Takes an event, which may show the clock, and returns when it was done.
    pub fn take(&mut self, seq: Seq, at: Timestamp, received: Timestamp, now: Duration) -> When {
        if !self.is_new(seq, received) {
            return self.look_up(at, received);
        }
        let before = match self.observe(seq, at, received, now) {
            Observed::Shown(ahead) => return When::known(correct(at, ahead, received), at),
            Observed::Unclear(before) => before,
        };
        let offset = at.duration_since(received);
        if let Some(seen) = self.clock.sightings.last()
            && seen.to == received
            && allows(seen.ahead, offset)
        {
            // A later event of the same message showed the clock.
            return When::known(correct(at, seen.ahead, received), at);
        }
        let when = Self::weigh(at, received, before);
        if when.other.is_some() {
            let is_changed = before.is_some_and(|ahead| !allows(ahead, offset));
            self.has_news |= self.clock.doubt(received, is_changed);
        }
        when
    }

    /// Takes the time `at` in a message that is not an event. `seq`: of the last event before it.
    pub fn observe_time(&mut self, seq: Seq, at: Timestamp, received: Timestamp, now: Duration) {
        let last = self.clock.sightings.last();
        if last.is_none_or(|last| received > last.to) {
            self.observe(seq, at, received, now);
        }
    }

    /// Returns what a message shows of the clock.
    fn observe(&mut self, seq: Seq, at: Timestamp, received: Timestamp, now: Duration) -> Observed {
        let offset = at.duration_since(received);
        self.settle(now);
        let sent = self.add_to_run(offset, received);
        let before = self.clock.ahead_at(received);
        // A clock that is ahead shows at once: a delayed message can have this offset only if the
        // clock is even further ahead.
        let is_still_ahead = before.is_some_and(|ahead| {
            is_wrong(ahead) && ahead.is_positive() && (offset - ahead).abs() <= STEADY
        });
        let sent = if is_still_ahead && sent == Sent::Perhaps {
            Sent::AtOnce
        } else {
            sent
        };
        match (self.find_ahead(offset, before), sent) {
            (Some(ahead), Sent::AtOnce) => {
                self.show(ahead, received, seq);
                let known = self.clock.ahead_at(received);
                return Observed::Shown(known.unwrap_or(ahead));
            }
            (Some(ahead), Sent::Perhaps) => {
                self.unsettled = Some(Unsettled {
                    ahead,
                    received,
                    seq,
                    since: now,
                });
            }
            (None, _) | (_, Sent::Late) => {}
        }
        Observed::Unclear(before)
    }

    /// Returns when an event was done that shows nothing new: a flow created it from a scan, or it
    /// is assembled again after a restart.
    pub fn look_up(&self, at: Timestamp, received: Timestamp) -> When {
        let offset = at.duration_since(received);
        let before = self.clock.ahead_at(received);
        let is_in_doubt = self.clock.doubted.is_some_and(|from| received <= from);
        if let Some(ahead) = before
            && !is_in_doubt
            && (offset - ahead).abs() <= STEADY
        {
            return When::known(correct(at, ahead, received), at);
        }
        if let Some(time) = self.clock.resolve(at, received) {
            return When::known(time, at);
        }
        Self::weigh(at, received, before)
    }

    /// Whether this event is new since the start of the daemon.
    fn is_new(&mut self, seq: Seq, received: Timestamp) -> bool {
        let Some(last) = self.clock.sightings.last() else {
            return true;
        };
        if received > last.to || seq <= self.clock.seq {
            return received > last.to;
        }
        if last.to.duration_since(received) < SET_BACK_MIN {
            // A later `state` message overtook the event, or one message has several events.
            return received == last.to;
        }
        // The gateway's clock was set back: earlier offsets show nothing.
        *self = Self::default();
        self.has_news = true;
        true
    }

    /// Adds a message to the run. Returns whether it was sent when its event was done.
    fn add_to_run(&mut self, offset: SignedDuration, received: Timestamp) -> Sent {
        let gap = self.last.map(|last| received.duration_since(last));
        self.last = self.last.max(Some(received));
        match &self.unsettled {
            // The clock is further ahead than the last message showed.
            Some(unsettled) if !allows(unsettled.ahead, offset) => self.unsettled = None,
            Some(unsettled) if received.duration_since(unsettled.received) >= SETTLED_AFTER => {
                self.end_backlog();
            }
            _ => {}
        }
        let most = self.run.as_ref().map(|run| run.most);
        if !(self.run.as_mut()).is_some_and(|run| run.extend(offset, received)) {
            let is_close = gap.is_some_and(|gap| gap < BACKLOG_GAP);
            self.run = Some(Run::new(offset, received, is_close));
        }
        let is_backlog =
            |run: &Run| run.is_close && received.duration_since(run.since) < BACKLOG_GAP;
        if gap.is_some_and(|gap| gap.is_zero()) && most.is_some_and(|most| offset < most) {
            // It arrived together with a later event.
            Sent::Late
        } else if self.run.as_ref().is_some_and(is_backlog) {
            Sent::Perhaps
        } else {
            Sent::AtOnce
        }
    }

    /// Returns by how much the clock is ahead if the message was sent at once. `None`: the message
    /// may have waited.
    fn find_ahead(
        &self,
        offset: SignedDuration,
        before: Option<SignedDuration>,
    ) -> Option<SignedDuration> {
        if let Some(run) = self.run.as_ref().filter(|run| run.is_steady()) {
            let is_delay = offset < -TOLERANCE && offset > -BEHIND_MIN;
            return Some(if is_delay {
                SignedDuration::ZERO
            } else {
                run.most
            });
        }
        if offset.abs() <= TOLERANCE {
            return Some(SignedDuration::ZERO);
        }
        let known = before.filter(|ahead| is_wrong(*ahead) && !self.clock.is_changed);
        let is_as_before = known.is_some_and(|ahead| (offset - ahead).abs() <= STEADY);
        let is_further = offset > TOLERANCE && before.is_none_or(|ahead| offset >= ahead - STEADY);
        (is_as_before || is_further).then_some(offset)
    }

    fn show(&mut self, ahead: SignedDuration, received: Timestamp, seq: Seq) {
        self.unsettled = None;
        self.has_news |= self.clock.show(ahead, received, seq);
    }

    /// Returns when an event was done, by the clock before it: the message was sent late, or the
    /// clock was corrected meanwhile.
    fn weigh(at: Timestamp, received: Timestamp, before: Option<SignedDuration>) -> When {
        let offset = at.duration_since(received);
        let given = When::given(at, received);
        let ahead = before.unwrap_or_default();
        if !is_wrong(ahead) && offset <= TOLERANCE {
            return When {
                is_open: before.is_none(),
                ..When::known(correct(at, ahead, received), at)
            };
        }
        let (time, other) = if is_wrong(ahead) && allows(ahead, offset) {
            (correct(at, ahead, received), given.time)
        } else {
            // What the gateway knew of the clock does not fit: the clock was changed, or it is
            // ahead and the message waited in a backlog. Until a later message shows more, the
            // event has the device's time, with the time of receipt as the other possible time.
            (given.time, received)
        };
        if at < CLOCK_MIN && time < CLOCK_MIN {
            // A clock that was never set.
            return given;
        }
        When {
            other: Some(other),
            is_open: true,
            ..When::known(time, at)
        }
    }
}

impl Run {
    fn new(offset: SignedDuration, received: Timestamp, is_close: bool) -> Self {
        Self {
            least: offset,
            most: offset,
            since: received,
            until: received,
            messages: 1,
            is_close,
        }
    }

    /// Adds the next message if its offset is the same. Returns whether it is.
    fn extend(&mut self, offset: SignedDuration, received: Timestamp) -> bool {
        let (least, most) = (self.least.min(offset), self.most.max(offset));
        if most - least > STEADY {
            return false;
        }
        (self.least, self.most) = (least, most);
        self.until = self.until.max(received);
        self.messages = self.messages.saturating_add(1);
        true
    }

    fn is_steady(&self) -> bool {
        self.messages >= STEADY_MESSAGES && self.until.duration_since(self.since) >= STEADY_FOR
    }
}
