//! What the messages of one device show of its clock.
//!
//! An offset above zero shows a clock that is ahead, and an offset of about zero a clock that is
//! right. An offset below zero may be a delay as well; but delays differ as the times of the work
//! do, so an offset that stays the same while time goes on is the clock's.
//!
//! A device that was offline sends its backlog in one go. The offsets of a backlog rise up to the
//! clock's own, and any of them may happen to look like a right clock. So what a message of a
//! backlog shows counts only when no higher offset follows it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::When;
use crate::device_clock::{DeviceClock, STEADY, TOLERANCE, allows, correct, is_wrong};
use crate::event::{CLOCK_MIN, Seq};

/// A steady lag below this is a delay: a scan waits so long for a better place in the hall.
const BEHIND_MIN: SignedDuration = SignedDuration::from_secs(60);
/// An offset has to stay the same for so long, and in so many messages, to be the clock's.
const STEADY_FOR: SignedDuration = SignedDuration::from_mins(2);
const STEADY_MESSAGES: u32 = 5;
/// Messages that follow one another within this time may be a backlog.
const BACKLOG_GAP: SignedDuration = SignedDuration::from_secs(10);
/// The backlog is over when nothing has followed for so long.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(3);
/// The gateway's clock was set back where an event is received so long before the last sighting.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct Watch {
    clock: DeviceClock,
    run: Option<Run>,
    /// What a message of a backlog showed.
    unsettled: Option<Unsettled>,
    /// When the last message was received.
    last: Option<Timestamp>,
    /// The journal does not have the clock as it is here.
    has_news: bool,
}

/// Messages one after the other with the same offset.
#[derive(Debug)]
struct Run {
    least: SignedDuration,
    most: SignedDuration,
    since: Timestamp,
    until: Timestamp,
    messages: u32,
    /// Its first message came soon after another one.
    is_close: bool,
}

/// What a message showed.
enum Observed {
    /// The clock is ahead by so much.
    Shown(SignedDuration),
    /// Nothing; the clock was ahead by so much before.
    Unclear(Option<SignedDuration>),
}

/// Whether a message was sent when its event was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    AtOnce,
    /// It is one of a backlog.
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

    /// When the device was last heard of.
    pub fn heard(&self) -> Option<Timestamp> {
        let seen = self.clock.sightings.last().map(|seen| seen.to);
        self.last.max(seen)
    }

    /// Whether the clock is to be kept anew; asked once for each change.
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

    /// Takes an event: what it shows of the clock, and when it was done.
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

    /// The device said that it is `at`: a message like any other, but no event. `seq`: of the last
    /// event before it.
    pub fn hear(&mut self, seq: Seq, at: Timestamp, received: Timestamp, now: Duration) {
        let last = self.clock.sightings.last();
        if last.is_none_or(|last| received > last.to) {
            self.observe(seq, at, received, now);
        }
    }

    /// What a message shows of the clock.
    fn observe(&mut self, seq: Seq, at: Timestamp, received: Timestamp, now: Duration) -> Observed {
        let offset = at.duration_since(received);
        self.settle(now);
        let sent = self.follow(offset, received);
        let before = self.clock.ahead_at(received);
        // A clock that is ahead shows itself: only a clock that is further ahead could make a delay
        // look like it.
        let is_still_ahead = before.is_some_and(|ahead| {
            is_wrong(ahead) && ahead.is_positive() && (offset - ahead).abs() <= STEADY
        });
        let sent = if is_still_ahead && sent == Sent::Perhaps {
            Sent::AtOnce
        } else {
            sent
        };
        match (self.shown(offset, before), sent) {
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

    /// When an event was done that shows nothing new: a flow made it of a scan, or it is assembled
    /// again after a restart.
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

    /// Whether this event was not seen before this start.
    fn is_new(&mut self, seq: Seq, received: Timestamp) -> bool {
        let Some(last) = self.clock.sightings.last() else {
            return true;
        };
        if received > last.to || seq <= self.clock.seq {
            return received > last.to;
        }
        if last.to.duration_since(received) < SET_BACK_MIN {
            // A `state` that came later was faster; or several events of one message.
            return received == last.to;
        }
        // The gateway's clock was set back: no offset from before says anything.
        *self = Self::default();
        self.has_news = true;
        true
    }

    /// Adds a message to the run. Answers whether it was sent when its event was done.
    fn follow(&mut self, offset: SignedDuration, received: Timestamp) -> Sent {
        let gap = self.last.map(|last| received.duration_since(last));
        self.last = self.last.max(Some(received));
        match &self.unsettled {
            // The clock is further ahead than that.
            Some(unsettled) if !allows(unsettled.ahead, offset) => self.unsettled = None,
            Some(unsettled) if received.duration_since(unsettled.received) >= SETTLED_AFTER => {
                self.end_backlog();
            }
            _ => {}
        }
        let most = self.run.as_ref().map(|run| run.most);
        if !(self.run.as_mut()).is_some_and(|run| run.goes_on(offset, received)) {
            let is_close = gap.is_some_and(|gap| gap < BACKLOG_GAP);
            self.run = Some(Run::new(offset, received, is_close));
        }
        let is_backlog =
            |run: &Run| run.is_close && received.duration_since(run.since) < BACKLOG_GAP;
        if gap.is_some_and(|gap| gap.is_zero()) && most.is_some_and(|most| offset < most) {
            // It came together with a later one.
            Sent::Late
        } else if self.run.as_ref().is_some_and(is_backlog) {
            Sent::Perhaps
        } else {
            Sent::AtOnce
        }
    }

    /// By how much the clock is ahead if the message was sent at once; `None` where it may have
    /// waited.
    fn shown(
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

    /// When an event was done, by the clock as it was before: sent late by the same clock, or by
    /// one that was set right meanwhile.
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
            // The clock was changed, or a backlog shows that it is ahead: how far, the next message
            // says.
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

    /// Whether the next message's offset is the same; then it is counted.
    fn goes_on(&mut self, offset: SignedDuration, received: Timestamp) -> bool {
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
