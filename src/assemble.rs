//! Events become the lines of documents, which are sealed. Pure: `now` is an argument.
//!
//! Equal product, lot, package, from and to within one open document are one line with the sum,
//! because Odoo's cost goes with lines. A document is one device's (or operator's) work and is
//! sealed by rule: nothing came for a while, its first event is old, or it is as large as it may
//! get. The true times of its events are at most [`SPAN_MAX`] apart, because Odoo gives all moves
//! of a picking the newest of them.
//!
//! What is about an order goes into a document of that order; a count, a validation and what the
//! carrier is told are documents of their own. **A count comes after all that was done before it in
//! the same bin, and what completes an order after all that was done for it:** open documents of
//! that kind are sealed first, and a lower number is sent first (`forward::order`). So is the
//! document of what is taken back.
//!
//! Open documents are nowhere but here. After a restart they come about again from the journal's
//! events that are in no sealed document; they may then be cut differently, which is why nothing is
//! sent before it is sealed.

mod addition;
mod clocks;
mod doubt;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::addition::Addition;
use self::clocks::{Clocks, When};
use crate::config::{self, Per};
use crate::device_clock::DeviceClock;
use crate::document::{Document, DocumentNumber, EventTime, KeyMaker, Line, Purpose};
use crate::event::{Action, Event, EventFlag, Goods, Name, Recorded, Seq};
use crate::reason::{Code, Flag};

pub use self::addition::revive;
pub use self::clocks::ClockChange;
pub use self::doubt::resolve;

/// Open documents at once; the one with the oldest event is sealed to make room.
pub const OPEN_MAX: usize = 10_000;
/// Events that need no document are handed over together: at so many, or with the next document, or
/// after so long.
const SKIPPED_MAX: usize = 500;
const SKIPPED_AFTER: Duration = Duration::from_secs(1);

/// The true times of a document's events lie within this span.
pub const SPAN_MAX: SignedDuration = SignedDuration::from_mins(2);

/// The two clocks: one for people, one for waiting.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub wall: Timestamp,
    /// Since some fixed moment; never goes back.
    pub monotonic: Duration,
}

/// What is to be written to the journal, in one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    pub documents: Vec<Document>,
    /// Events that need no document.
    pub skipped: Vec<Seq>,
    /// All events up to here are in a sealed document or need none.
    pub settled: Seq,
    /// Device clocks that changed.
    pub clocks: Vec<ClockChange>,
}

#[derive(Debug)]
pub struct Assembler {
    site: Name,
    rules: config::Documents,
    open: BTreeMap<Of, Open>,
    clocks: Clocks,
    sealed: Vec<Document>,
    skipped: Vec<Seq>,
    skipped_since: Option<Duration>,
    last_seq: Seq,
}

/// The person or device and the purpose of an open document.
type Of = (String, Purpose);

/// A document that still takes lines. It keeps only those parts of its events that the sealed
/// document needs.
#[derive(Debug)]
struct Open {
    first: Duration,
    last: Duration,
    key: KeyMaker,
    /// The true times of its oldest and its newest event.
    span: Option<(Timestamp, Timestamp)>,
    times: Vec<Timed>,
    /// Flags of its events, each once.
    flags: Vec<EventFlag>,
    events: Vec<Seq>,
    lines: Vec<Line>,
    /// Where the line of goods is, by [`Goods::without_quantity`].
    places: HashMap<Goods, usize>,
}

/// When an event of an open document was done.
#[derive(Debug)]
struct Timed {
    seq: Seq,
    at: Timestamp,
    received: Timestamp,
    when: When,
    /// Whose clock may still show another time.
    open: Option<Name>,
}

impl Assembler {
    /// `settled`: up to where the journal's events are settled already.
    #[must_use]
    pub fn new(site: Name, rules: config::Documents, settled: Seq) -> Self {
        Self {
            site,
            rules,
            open: BTreeMap::new(),
            clocks: Clocks::default(),
            sealed: Vec::new(),
            skipped: Vec::new(),
            skipped_since: None,
            last_seq: settled,
        }
    }

    /// With the device clocks as the journal has them.
    #[must_use]
    pub fn with_clocks(mut self, kept: Vec<(Name, DeviceClock)>) -> Self {
        self.clocks = Clocks::new(kept);
        self
    }

    /// A device said that it is `at`, which the gateway received at `received`. What that changes
    /// comes out of the next [`Self::seal`].
    pub fn hear_clock(&mut self, device: &Name, at: Timestamp, received: Timestamp, now: Now) {
        self.clocks
            .hear(self.last_seq, device, at, received, now.monotonic);
    }

    /// Takes the next event, in `seq` order. What that seals comes out of the next [`Self::seal`].
    pub fn take(&mut self, recorded: &Recorded, now: Now) {
        self.put(recorded, Addition::of(&recorded.event.action), now);
    }

    /// Takes an event that undoes `undone`, which came before it.
    pub fn take_back(&mut self, recorded: &Recorded, undone: &Recorded, now: Now) {
        let Action::Undo { event, reason } = recorded.event.action.clone() else {
            return self.take(recorded, now);
        };
        let holds = |open: &Open| open.events.binary_search(&undone.seq).is_ok();
        let mut open = self.open.iter();
        if let Some(of) = open.find(|(_, open)| holds(open)).map(|(of, _)| of.clone()) {
            self.seal_open(&of, now);
        }
        let undo = Addition::undo(event, reason, undone);
        self.put(recorded, undo, now);
    }

    fn put(&mut self, recorded: &Recorded, addition: Addition, now: Now) {
        self.last_seq = recorded.seq;
        let when = (self.clocks).happened(recorded.seq, &recorded.event, now.monotonic);
        let group = self.group_of(&recorded.event);
        match addition {
            Addition::Nothing => {
                self.skipped.push(recorded.seq);
                self.skipped_since.get_or_insert(now.monotonic);
            }
            Addition::Line(purpose, goods) => {
                self.add(&(group, purpose), goods, recorded, when, now);
            }
            Addition::Alone(purpose, goods) => {
                self.seal_before(&purpose, goods.as_ref(), now);
                let mut alone = Open::new(&self.site, now.monotonic);
                match goods {
                    Some(goods) => alone.add(goods, recorded, when, now.monotonic),
                    None => alone.take(recorded, when, now.monotonic),
                }
                let alone = alone.into_document((group, purpose), &self.clocks, now);
                self.sealed.push(alone);
            }
        }
    }

    /// Seals the documents that have to be sent before one that is sealed alone: work in the bin
    /// before its count, and work for the order before its validation.
    fn seal_before(&mut self, purpose: &Purpose, goods: Option<&Goods>, now: Now) {
        let before = |(of, open): &(&Of, &Open)| match purpose {
            Purpose::Count => goods.is_some_and(|counted| open.touches(counted)),
            Purpose::Validate { order } | Purpose::PackOrder { order, .. } => {
                of.1.order() == Some(order.as_str())
            }
            _ => false,
        };
        let due: Vec<Of> = self
            .open
            .iter()
            .filter(before)
            .map(|(of, _)| of.clone())
            .collect();
        for of in due {
            self.seal_open(&of, now);
        }
    }

    fn group_of(&self, event: &Event) -> String {
        match (&event.operator, self.rules.per) {
            (Some(operator), Per::Operator) => operator.clone(),
            _ => event.device.to_string(),
        }
    }

    fn add(&mut self, of: &Of, goods: Goods, recorded: &Recorded, when: When, now: Now) {
        if !self.open.contains_key(of) && self.open.len() >= OPEN_MAX {
            self.seal_oldest(now);
        }
        let fits = |open: &Open| open.fits(&goods, when.time, &self.rules);
        if !self.open.get(of).is_none_or(fits) {
            self.seal_open(of, now);
        }
        let new = || Open::new(&self.site, now.monotonic);
        let open = self.open.entry(of.clone()).or_insert_with(new);
        open.add(goods, recorded, when, now.monotonic);
        if open.events.len() >= self.rules.events_max {
            self.seal_open(of, now);
        }
    }

    /// All that is sealed by now; `None` where nothing is worth a write yet.
    pub fn seal(&mut self, now: Now) -> Option<Sealed> {
        self.clocks.settle(now.monotonic);
        let (idle, age) = (
            Duration::from_secs(self.rules.idle_s),
            Duration::from_secs(self.rules.age_s),
        );
        let due = |open: &Open| open.due(idle, age) <= now.monotonic;
        let due: Vec<Of> = (self.open.iter())
            .filter(|(_, open)| due(open))
            .map(|(of, _)| of.clone())
            .collect();
        for of in due {
            self.seal_open(&of, now);
        }
        let skipped_due = self.skipped.len() >= SKIPPED_MAX
            || self
                .skipped_since
                .is_some_and(|since| since + SKIPPED_AFTER <= now.monotonic);
        if self.sealed.is_empty() && !skipped_due && !self.clocks.has_changed() {
            return None;
        }
        self.skipped_since = None;
        // In the order of their first events: what was done first goes first.
        self.sealed
            .sort_by_key(|document| document.events.first().copied());
        let first_open = self
            .open
            .values()
            .filter_map(|open| open.events.first().copied())
            .min();
        Some(Sealed {
            documents: std::mem::take(&mut self.sealed),
            skipped: std::mem::take(&mut self.skipped),
            settled: first_open.map_or(self.last_seq, |first| first.back_by(1)),
            clocks: self.clocks.take_changed(),
        })
    }

    /// When [`Self::seal`] has something to do at the latest, if nothing comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let (idle, age) = (
            Duration::from_secs(self.rules.idle_s),
            Duration::from_secs(self.rules.age_s),
        );
        let documents = self.open.values().map(|open| open.due(idle, age));
        documents
            .chain(self.skipped_since.map(|since| since + SKIPPED_AFTER))
            .chain(self.clocks.wake_at())
            .min()
    }

    /// Documents that are still taking lines.
    #[must_use]
    pub fn open_documents(&self) -> usize {
        self.open.len()
    }

    /// Something was sealed by its size and waits for [`Self::seal`].
    #[must_use]
    pub fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    fn seal_oldest(&mut self, now: Now) {
        let oldest = self
            .open
            .iter()
            .min_by_key(|(_, open)| open.first)
            .map(|(of, _)| of.clone());
        if let Some(oldest) = oldest {
            self.seal_open(&oldest, now);
        }
    }

    fn seal_open(&mut self, of: &Of, now: Now) {
        if let Some((of, open)) = self.open.remove_entry(of) {
            self.sealed.push(open.into_document(of, &self.clocks, now));
        }
    }
}

impl Open {
    fn new(site: &Name, now: Duration) -> Self {
        Self {
            first: now,
            last: now,
            key: KeyMaker::new(site),
            span: None,
            times: Vec::new(),
            flags: Vec::new(),
            events: Vec::new(),
            lines: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn fits(&self, goods: &Goods, time: Timestamp, rules: &config::Documents) -> bool {
        if let Some((oldest, newest)) = self.span
            && newest.max(time).duration_since(oldest.min(time)) > SPAN_MAX
        {
            return false;
        }
        match self.places.get(&goods.without_quantity()) {
            Some(place) => {
                let sum = self.lines[*place].goods.quantity;
                sum.checked_add(goods.quantity).is_some()
            }
            None => self.lines.len() < rules.lines_max,
        }
    }

    /// Whether a line is in the bin that was counted. A line without a bin may be.
    fn touches(&self, counted: &Goods) -> bool {
        let in_bin = |place: &Option<String>| place.is_some() && *place == counted.from;
        self.lines.iter().any(|line| {
            let unsaid = line.goods.from.is_none() && line.goods.product == counted.product;
            unsaid || in_bin(&line.goods.from) || in_bin(&line.goods.to)
        })
    }

    fn take(&mut self, recorded: &Recorded, when: When, now: Duration) {
        let event = &recorded.event;
        self.last = now;
        self.key.add(event);
        let (oldest, newest) = self.span.unwrap_or((when.time, when.time));
        self.span = Some((oldest.min(when.time), newest.max(when.time)));
        self.times.push(Timed {
            seq: recorded.seq,
            at: event.at,
            received: event.received,
            when,
            open: when.is_open.then(|| event.device.clone()),
        });
        for flag in &event.flags {
            if !self.flags.contains(flag) {
                self.flags.push(*flag);
            }
        }
        self.events.push(recorded.seq);
    }

    fn add(&mut self, goods: Goods, recorded: &Recorded, when: When, now: Duration) {
        self.take(recorded, when, now);
        let key = goods.without_quantity();
        if let Some(place) = self.places.get(&key) {
            let line = &mut self.lines[*place];
            line.goods.quantity += goods.quantity;
            line.events.push(recorded.seq);
            return;
        }
        self.places.insert(key, self.lines.len());
        self.lines.push(Line {
            goods,
            events: vec![recorded.seq],
        });
    }

    fn due(&self, idle: Duration, age: Duration) -> Duration {
        (self.last + idle).min(self.first + age)
    }

    /// **Invariant 4:** the key comes from the site and the event ids, and from nothing else.
    fn into_document(mut self, (group, purpose): Of, clocks: &Clocks, now: Now) -> Document {
        for timed in &mut self.times {
            timed.look_again(clocks);
        }
        let newest = self.times.iter().map(|timed| timed.when.time).max();
        let is_corrected = self.times.iter().any(|timed| timed.when.is_corrected);
        let is_in_doubt = self.times.iter().any(|timed| timed.when.other.is_some());
        let flags = [
            (is_corrected, Flag::TimeCorrected),
            (is_in_doubt, Flag::ClockInDoubt),
        ];
        let of_clock = flags.into_iter().filter(|(is_so, _)| *is_so);
        let of_events = self.flags.iter().map(|flag| flag.on_document());
        let flags = of_clock.map(|(_, flag)| flag).chain(of_events);
        Document {
            number: DocumentNumber::ZERO,
            key: self.key.key(),
            purpose,
            group,
            lines: self.lines,
            occurred: newest.unwrap_or(now.wall),
            sealed: now.wall,
            events: self.events,
            corrects: None,
            times: self
                .times
                .iter()
                .filter_map(Timed::other_than_given)
                .collect(),
            flags: flags.map(Code::from).collect(),
        }
    }
}

impl Timed {
    /// By what the device has shown of its clock since.
    fn look_again(&mut self, clocks: &Clocks) {
        let open = self.open.as_ref();
        let shown = open.and_then(|device| clocks.resolve(device, self.at, self.received));
        if let Some(time) = shown {
            self.when = When::known(time, self.at);
        }
    }

    /// What a document keeps of it: nothing where the device gave the true time.
    fn other_than_given(&self) -> Option<EventTime> {
        let When { time, other, .. } = self.when;
        let is_given = time == self.at.min(self.received) && other.is_none();
        (!is_given).then_some(EventTime {
            seq: self.seq,
            time,
            other,
        })
    }
}
