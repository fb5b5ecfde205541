//! Assembles events into documents and seals them. Pure: `now` is an argument.
//!
//! Events of one open document with equal goods become one line with the summed quantity, because
//! each line costs time in Odoo. A document has the work of one device (or operator). It is sealed
//! when no event was added for a while, when its first event is old, or when it reaches a limit.
//! The true times of its events are at most [`SPAN_MAX`] apart, because Odoo gives all moves of a
//! picking the newest of them.
//!
//! Work for an order goes into a document of that order; a count, a validation and the carrier's
//! data are documents of their own. **A count follows all earlier work in its bin, and a validation
//! all earlier work for its order:** the open documents of that work are sealed first, and a lower
//! number is sent first (`forward::queue`). An undo also seals the document of its event first.
//!
//! Open documents are only in memory. After a restart they are rebuilt from the journal's events
//! that are in no sealed document. Their limits may then fall differently, so nothing is sent
//! before it is sealed.

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

/// The limit of open documents; at the limit, the one with the oldest event is sealed.
pub const OPEN_MAX: usize = 10_000;
/// Events that need no document are passed on together: at this number, with the next document, or
/// after this time.
const SKIPPED_MAX: usize = 500;
const SKIPPED_AFTER: Duration = Duration::from_secs(1);

/// The true times of a document's events lie within this span.
pub const SPAN_MAX: SignedDuration = SignedDuration::from_mins(2);

/// The current time by two clocks: one for people, one for waiting.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub wall: Timestamp,
    /// The time since a fixed moment; it never goes back.
    pub monotonic: Duration,
}

/// The result of sealing, which the journal stores in one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    pub documents: Vec<Document>,
    /// Events that need no document.
    pub skipped: Vec<Seq>,
    /// All events up to this `seq` are in a sealed document or need none.
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
    /// The next [`Self::seal`] also returns events that need no document, whatever their number.
    is_all_due: bool,
    last_seq: Seq,
}

/// The person or device and the purpose of an open document.
type Of = (String, Purpose);

/// A document that is not sealed yet. It has only those parts of its events that the sealed
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
    /// The device whose clock may still show another time.
    open: Option<Name>,
}

impl Assembler {
    /// `settled`: the `seq` up to which the journal's events are settled already.
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
            is_all_due: false,
            last_seq: settled,
        }
    }

    /// Sets the device clocks that the journal has stored.
    #[must_use]
    pub fn with_clocks(mut self, stored: Vec<(Name, DeviceClock)>) -> Self {
        self.clocks = Clocks::new(stored);
        self
    }

    /// Applies new limits to open documents, and to all later ones.
    pub fn set_rules(&mut self, rules: config::Documents) {
        self.rules = rules;
    }

    /// Takes the time `at` that a device's message gave, which the gateway received at `received`.
    /// The next [`Self::seal`] returns the changes.
    pub fn observe_clock(&mut self, device: &Name, at: Timestamp, received: Timestamp, now: Now) {
        self.clocks
            .observe(self.last_seq, device, at, received, now.monotonic);
    }

    /// Takes the next event, in `seq` order. The next [`Self::seal`] returns the documents that it
    /// seals.
    pub fn take(&mut self, recorded: &Recorded, now: Now) {
        self.put(recorded, Addition::of(&recorded.event.action), now);
    }

    /// Takes an event that undoes the earlier event `undone`.
    pub fn take_undo(&mut self, recorded: &Recorded, undone: &Recorded, now: Now) {
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
        let when = (self.clocks).time_of(recorded.seq, &recorded.event, now.monotonic);
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
                self.seal_earlier_work(&purpose, goods.as_ref(), now);
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
    fn seal_earlier_work(&mut self, purpose: &Purpose, goods: Option<&Goods>, now: Now) {
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

    /// Seals every open document, before a backup. The next [`Self::seal`] returns them, with all
    /// events that need no document.
    pub fn seal_all(&mut self, now: Now) {
        while !self.open.is_empty() {
            self.seal_oldest(now);
        }
        self.is_all_due = true;
    }

    /// Returns all that is sealed by now. `None`: there is nothing to write yet.
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
        let skipped_due = std::mem::take(&mut self.is_all_due)
            || self.skipped.len() >= SKIPPED_MAX
            || self
                .skipped_since
                .is_some_and(|since| since + SKIPPED_AFTER <= now.monotonic);
        if self.sealed.is_empty() && !skipped_due && !self.clocks.has_changed() {
            return None;
        }
        self.skipped_since = None;
        // In the order of their first events: the earliest is sent first.
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

    /// Returns the latest time at which [`Self::seal`] must be called, if no event comes before.
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

    /// Returns the number of documents that are not sealed yet.
    #[must_use]
    pub fn open_documents(&self) -> usize {
        self.open.len()
    }

    /// Whether a document was sealed at a limit and waits for [`Self::seal`].
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

    /// Whether a line may be in the counted bin; a line without a bin may be in any.
    fn touches(&self, counted: &Goods) -> bool {
        let in_bin = |place: &Option<String>| place.is_some() && *place == counted.from;
        self.lines.iter().any(|line| {
            let is_unnamed = line.goods.from.is_none() && line.goods.product == counted.product;
            is_unnamed || in_bin(&line.goods.from) || in_bin(&line.goods.to)
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
            timed.update(clocks);
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
    /// Corrects the time by what the device has shown of its clock since.
    fn update(&mut self, clocks: &Clocks) {
        let open = self.open.as_ref();
        let shown = open.and_then(|device| clocks.resolve(device, self.at, self.received));
        if let Some(time) = shown {
            self.when = When::known(time, self.at);
        }
    }

    /// Returns the time for the sealed document. `None`: the device gave the true time.
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
