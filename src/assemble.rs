//! Events become the lines of documents, which are sealed. Pure: `now` is an argument.
//!
//! Equal product, lot, package, from and to within one open document are one line with the sum, because Odoo's
//! cost goes with lines. A document is one device's (or operator's) work and is sealed by rule: nothing came for
//! a while, its first event is old, or it is as large as it may get.
//!
//! Open documents are nowhere but here. After a restart they come about again from the journal's events that are
//! in no sealed document; they may then be cut differently, which is why nothing is sent before it is sealed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::config::{self, Per};
use crate::document::{Document, KeyMaker, Line, Purpose};
use crate::event::{Action, Event, Name, Recorded};

/// Open documents at once; the one with the oldest event is sealed to make room.
pub const OPEN_MAX: usize = 10_000;
/// Events that need no document are handed over together: at so many, or with the next document, or after so long.
const SKIPPED_MAX: usize = 500;
const SKIPPED_AFTER: Duration = Duration::from_secs(1);

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
    pub skipped: Vec<u64>,
    /// All events up to here are in a sealed document or need none.
    pub settled: u64,
}

#[derive(Debug)]
pub struct Assembler {
    site: Name,
    rules: config::Documents,
    open: BTreeMap<String, Open>,
    sealed: Vec<Document>,
    skipped: Vec<u64>,
    skipped_since: Option<Duration>,
    last_seq: u64,
}

/// A document that is still taking lines. Of its events it keeps only what the sealed one needs.
#[derive(Debug)]
struct Open {
    first: Duration,
    last: Duration,
    key: KeyMaker,
    occurred: Option<Timestamp>,
    events: Vec<u64>,
    lines: Vec<Line>,
    /// Where the line of a [`LineKey`] is.
    places: HashMap<LineKey, usize>,
}

/// What makes two events one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LineKey {
    product: String,
    lot: Option<String>,
    package: Option<String>,
    from: String,
    to: String,
}

impl Assembler {
    /// `settled`: up to where the journal's events are settled already.
    #[must_use]
    pub fn new(site: Name, rules: config::Documents, settled: u64) -> Self {
        Self {
            site,
            rules,
            open: BTreeMap::new(),
            sealed: Vec::new(),
            skipped: Vec::new(),
            skipped_since: None,
            last_seq: settled,
        }
    }

    /// Takes the next event, in `seq` order. What that seals comes out of the next [`Self::seal`].
    pub fn take(&mut self, recorded: &Recorded, now: Now) {
        self.last_seq = recorded.seq;
        let group = self.group_of(&recorded.event);
        match &recorded.event.action {
            Action::Scan { .. } => {
                self.skipped.push(recorded.seq);
                self.skipped_since.get_or_insert(now.monotonic);
            }
            Action::Transfer {
                product,
                quantity,
                from,
                to,
                lot,
                package,
            } => {
                let key = LineKey {
                    product: product.clone(),
                    lot: lot.clone(),
                    package: package.clone(),
                    from: from.clone(),
                    to: to.clone(),
                };
                let quantity = *quantity;
                self.add(&group, key, quantity, recorded, now);
            }
            other => {
                let purpose = Purpose::Unsupported {
                    kind: other.kind().to_owned(),
                };
                let mut alone = Open::new(&self.site, now.monotonic);
                alone.take(recorded, now.monotonic);
                self.sealed.push(alone.into_document(group, purpose, now));
            }
        }
    }

    fn group_of(&self, event: &Event) -> String {
        match (&event.operator, self.rules.per) {
            (Some(operator), Per::Operator) => operator.clone(),
            _ => event.device.to_string(),
        }
    }

    fn add(&mut self, group: &str, key: LineKey, quantity: Decimal, recorded: &Recorded, now: Now) {
        if !self.open.contains_key(group) && self.open.len() >= OPEN_MAX {
            self.seal_oldest(now);
        }
        let fits = |open: &Open| open.fits(&key, quantity, &self.rules);
        if !self.open.get(group).is_none_or(fits) {
            self.seal_group(group, now);
        }
        let new = || Open::new(&self.site, now.monotonic);
        let open = self.open.entry(group.to_owned()).or_insert_with(new);
        open.add(key, quantity, recorded, now.monotonic);
        if open.events.len() >= self.rules.events_max {
            self.seal_group(group, now);
        }
    }

    /// All that is sealed by now; `None` where nothing is worth a write yet.
    pub fn seal(&mut self, now: Now) -> Option<Sealed> {
        let (idle, age) = (
            Duration::from_secs(self.rules.idle_s),
            Duration::from_secs(self.rules.age_s),
        );
        let due = |open: &Open| open.due(idle, age) <= now.monotonic;
        let groups: Vec<String> = self
            .open
            .iter()
            .filter(|(_, open)| due(open))
            .map(|(group, _)| group.clone())
            .collect();
        for group in groups {
            self.seal_group(&group, now);
        }
        let skipped_due = self.skipped.len() >= SKIPPED_MAX
            || self
                .skipped_since
                .is_some_and(|since| since + SKIPPED_AFTER <= now.monotonic);
        if self.sealed.is_empty() && !skipped_due {
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
            settled: first_open.map_or(self.last_seq, |first| first - 1),
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
            .map(|(group, _)| group.clone());
        if let Some(oldest) = oldest {
            self.seal_group(&oldest, now);
        }
    }

    fn seal_group(&mut self, group: &str, now: Now) {
        if let Some((group, open)) = self.open.remove_entry(group) {
            self.sealed
                .push(open.into_document(group, Purpose::Transfer, now));
        }
    }
}

impl Open {
    fn new(site: &Name, now: Duration) -> Self {
        Self {
            first: now,
            last: now,
            key: KeyMaker::new(site),
            occurred: None,
            events: Vec::new(),
            lines: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn fits(&self, key: &LineKey, quantity: Decimal, rules: &config::Documents) -> bool {
        match self.places.get(key) {
            Some(place) => self.lines[*place].quantity.checked_add(quantity).is_some(),
            None => self.lines.len() < rules.lines_max,
        }
    }

    fn take(&mut self, recorded: &Recorded, now: Duration) {
        self.last = now;
        self.key.add(&recorded.event);
        self.occurred = self.occurred.max(Some(recorded.event.at));
        self.events.push(recorded.seq);
    }

    fn add(&mut self, key: LineKey, quantity: Decimal, recorded: &Recorded, now: Duration) {
        self.take(recorded, now);
        if let Some(place) = self.places.get(&key) {
            let line = &mut self.lines[*place];
            line.quantity += quantity;
            line.events.push(recorded.seq);
            return;
        }
        self.places.insert(key.clone(), self.lines.len());
        let LineKey {
            product,
            lot,
            package,
            from,
            to,
        } = key;
        self.lines.push(Line {
            product,
            lot,
            package,
            from,
            to,
            quantity,
            events: vec![recorded.seq],
        });
    }

    fn due(&self, idle: Duration, age: Duration) -> Duration {
        (self.last + idle).min(self.first + age)
    }

    /// **Invariant 4:** the key comes from the site and the event ids, and from nothing else.
    fn into_document(self, group: String, purpose: Purpose, now: Now) -> Document {
        Document {
            number: 0,
            key: self.key.key(),
            purpose,
            group,
            lines: self.lines,
            occurred: self.occurred.unwrap_or(now.wall),
            sealed: now.wall,
            events: self.events,
        }
    }
}
