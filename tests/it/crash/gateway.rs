//! A gateway without doors: it does every kind of request by chance, and remembers what the journal
//! held after each.

mod index;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use stockrelay::config;
use stockrelay::document::{Document, DocumentNumber, Purpose, State};
use stockrelay::event::{Event, RejectedNumber, Rejection, Seq};
use stockrelay::journal::{
    Accepted, AppendError, AuditRecord, Change, Entry, Fatal, Inbox, IndexPart, Journal, Namespace,
    Outcome, Settlement, SideChange, WriterHandle,
};

use super::contents::{ALL, Allowed, Contents, Moment};
use super::disk::LoggedDisk;
use super::rules;
use crate::floor::{at, rejection, scan, transfer};
use crate::moves::{Assembly, Random, progress};

/// The sizes of large side values. Seven of them fill the log.
const LARGE_BYTES: Range<u64> = 100_000..250_000;
/// The log takes no group of this size.
const TOO_LONG_BYTES: u64 = 300_000;
const SMALL_BYTES: u64 = 20;
const DAY_S: i64 = 86_400;
const RETENTION_DAYS: u32 = 90;

pub fn config() -> config::Journal {
    config::Journal {
        // No id is forgotten.
        dedup_days: 10 * RETENTION_DAYS,
        retention_days: RETENTION_DAYS,
        ..config::Journal::default()
    }
}

/// Device and id of an event.
type Id = (String, String);

/// What the people and devices on the floor know. No power cut changes it.
pub struct Floor {
    random: Random,
    second: i64,
    /// How far the clock of the gateway is ahead. It jumps, and steps back.
    ahead_s: i64,
    ids: u64,
    /// The number of each event that was acknowledged, by device and id.
    pub acknowledged: BTreeMap<Id, Seq>,
    /// Those of them that the current request acknowledged.
    fresh: Vec<Id>,
    pub requests: u64,
    /// Pruning has removed events, so the counts are higher than those of the stored events.
    pub is_pruned: bool,
}

impl Floor {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            second: 0,
            ahead_s: 0,
            ids: 0,
            acknowledged: BTreeMap::new(),
            fresh: Vec::new(),
            requests: 0,
            is_pruned: false,
        }
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    /// A number of a list of this length. `None`: the list is empty.
    pub fn pick(&mut self, length: usize) -> Option<usize> {
        let below = self.random.below((length as u64).max(1));
        (length > 0).then(|| usize::try_from(below).unwrap())
    }

    fn id(&mut self) -> String {
        if self.ids > 0 && self.chance(4) {
            self.below(self.ids).to_string()
        } else {
            self.ids += 1;
            (self.ids - 1).to_string()
        }
    }

    /// An event, new or sent again. The same id is the same event.
    fn event(&mut self) -> Event {
        let id = self.id();
        let number: u64 = id.parse().unwrap();
        let device = format!("pda{}", number % 3);
        let second = self.second + self.ahead_s;
        if number.is_multiple_of(7) {
            scan(&device, &id, "X", second)
        } else {
            let product = format!("P{}", number % 5);
            transfer(&device, &id, &product, "A", "B", second)
        }
    }

    fn reading(&mut self) -> Result<Event, Rejection> {
        if !self.chance(5) {
            return Ok(self.event());
        }
        let event = self.event();
        // Some readings have an id, with which the device sends the event later.
        let id = self.ids.is_multiple_of(2).then(|| event.id.clone());
        let reading = rejection(event.device.as_str(), b"{", self.second + self.ahead_s);
        Err(Rejection { id, ..reading })
    }

    fn side_change(&mut self, bytes: u64) -> SideChange {
        let key = Namespace::Sessions.key(format!("s{}", self.below(4)));
        let value = u8::try_from(self.below(256)).unwrap();
        let is_removed = bytes == SMALL_BYTES && value.is_multiple_of(4);
        let bytes = usize::try_from(bytes).unwrap();
        (key, (!is_removed).then(|| vec![value; bytes]))
    }

    fn acknowledge(&mut self, event: &Event, accepted: &Accepted) {
        let id = (event.device.to_string(), event.id.clone());
        let (Accepted::Stored { seq } | Accepted::Duplicate { original: seq }) = accepted else {
            panic!("an event was rejected: {accepted:?}");
        };
        let before = self.acknowledged.insert(id.clone(), *seq);
        let is_stored = matches!(accepted, Accepted::Stored { .. });
        match before {
            Some(before) => assert_eq!((before, is_stored), (*seq, false), "{id:?} twice"),
            None => self.fresh.push(id),
        }
    }
}

fn record(second: i64, state: &str) -> AuditRecord {
    AuditRecord {
        at: at(second),
        state: state.to_owned(),
        by: "user:anna".to_owned(),
        note: "a test".to_owned(),
    }
}

/// Whether the request is on disk when it is answered.
#[derive(Clone, Copy, PartialEq)]
enum Done {
    OnDisk,
    Waits,
}

/// A request, or what takes its place if there is nothing to do.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    Append,
    Assemble,
    Change,
    Replace,
    Settle,
    Store,
    StoreLarge,
    Prune,
    UnusedScans,
    Index,
    WrongScan,
    /// Ends and starts in order.
    Restart,
}

/// The journal of the gateway. `None`: it is closed.
pub type Shown = Arc<Mutex<Option<Journal>>>;

pub struct Gateway {
    pub floor: Floor,
    disk: LoggedDisk,
    shown: Shown,
    /// `None`: it did not start again.
    writer: Option<WriterHandle>,
    /// Why it did not start again.
    no_start: Option<Fatal>,
    assembly: Assembly,
    /// Parts of a segment of the search index that are not written yet.
    parts: VecDeque<IndexPart>,
    pub moments: Vec<Moment>,
}

impl Gateway {
    pub fn start(floor: Floor, disk: &LoggedDisk, shown: &Shown) -> Result<Self, Fatal> {
        let (journal, writer) = disk.open_with(&config())?;
        let mut gateway = Self {
            floor,
            disk: disk.clone(),
            shown: Arc::clone(shown),
            assembly: Assembly::new(&journal, &rules()),
            writer: Some(writer),
            no_start: None,
            parts: VecDeque::new(),
            moments: Vec::new(),
        };
        gateway.show(Some(journal));
        gateway.note(Done::OnDisk);
        Ok(gateway)
    }

    fn show(&self, journal: Option<Journal>) {
        // Dropping the journal closes its file, which may take long.
        let before = std::mem::replace(&mut *self.shown.lock().unwrap(), journal);
        drop(before);
    }

    pub fn journal(&self) -> Journal {
        self.shown.lock().unwrap().clone().unwrap()
    }

    fn inbox(&self) -> Inbox {
        self.journal().inbox().clone()
    }

    fn note(&mut self, done: Done) {
        self.moments.push(Moment {
            steps: self.disk.steps(),
            contents: Arc::new(Contents::of(&self.journal())),
            waits: done == Done::Waits,
            acknowledged: std::mem::take(&mut self.floor.fresh),
        });
    }

    /// Does something by chance.
    pub async fn act(&mut self) -> Result<(), AppendError> {
        let act = match self.floor.below(28) {
            0..8 => Act::Append,
            8..12 => Act::Assemble,
            12..16 => Act::Change,
            16 => Act::Settle,
            17 => Act::Replace,
            18..20 => Act::StoreLarge,
            20 => Act::Store,
            21 => Act::Prune,
            22 => Act::UnusedScans,
            23..26 => Act::Index,
            26 => Act::WrongScan,
            _ => Act::Restart,
        };
        self.request(act).await
    }

    pub async fn request(&mut self, act: Act) -> Result<(), AppendError> {
        let done = match act {
            Act::Append => self.append().await,
            Act::Assemble => self.assemble().await,
            Act::Change => self.change().await,
            Act::Replace => self.replace().await,
            Act::Settle => self.settle().await,
            Act::Store => self.store(SMALL_BYTES).await,
            Act::StoreLarge => self.store_large().await,
            Act::Prune => self.prune().await,
            Act::UnusedScans => self.unused_scans().await,
            Act::Index => self.index().await,
            Act::WrongScan => self.wrong_scan().await,
            Act::Restart => self.restart().await,
        }?;
        self.floor.requests += 1;
        self.note(done);
        Ok(())
    }

    async fn append(&mut self) -> Result<Done, AppendError> {
        self.floor.second += 1;
        if self.floor.chance(4) {
            // As far as a few periods of the counts since a time.
            self.floor.ahead_s = 300 * i64::try_from(self.floor.below(4)).unwrap();
        }
        let readings: Vec<_> = (0..=self.floor.below(4))
            .map(|_| self.floor.reading())
            .collect();
        let mut side_changes = Vec::new();
        if self.floor.chance(3) {
            side_changes.push(self.floor.side_change(SMALL_BYTES));
        }
        let inbox = self.inbox();
        let answers = inbox.append_and_store(readings.clone(), side_changes);
        for (reading, accepted) in readings.iter().zip(&answers.await?) {
            if let Ok(event) = reading {
                self.floor.acknowledge(event, accepted);
            }
        }
        Ok(Done::OnDisk)
    }

    async fn assemble(&mut self) -> Result<Done, AppendError> {
        self.floor.second += 1 + i64::try_from(self.floor.below(12)).unwrap();
        let journal = self.journal();
        self.assembly
            .try_advance(&journal, self.floor.second)
            .await?;
        Ok(Done::Waits)
    }

    fn documents(&self) -> Vec<Entry> {
        let documents = self.journal().documents(None, DocumentNumber::ZERO, ALL);
        documents.unwrap()
    }

    async fn change(&mut self) -> Result<Done, AppendError> {
        let documents = self.documents();
        let Some(place) = self.floor.pick(documents.len()) else {
            return self.append().await;
        };
        let Entry { document, progress } = &documents[place];
        let next = match (progress.state, self.floor.chance(3)) {
            (State::Waiting, _) | (State::Parked, false) => State::Sending,
            (State::Sending, false) => State::Posted,
            (State::Sending, true) => State::Parked,
            (State::Parked, true) => State::Discarded,
            // An attempt that changes nothing.
            (State::Posted | State::Discarded | State::Replaced, _) => State::Waiting,
        };
        let expect = match next {
            State::Waiting => State::Sending,
            _ => progress.state,
        };
        let change = self.changed(document.number, expect, next);
        let mut added = Vec::new();
        if next == State::Posted && self.floor.chance(2) {
            let count = document.number;
            let mut recount = Document {
                number: DocumentNumber::ZERO,
                key: document.key.recount(1),
                purpose: Purpose::Recount { count },
                events: Vec::new(),
                ..document.clone()
            };
            for line in &mut recount.lines {
                line.events.clear();
            }
            added.push(recount);
        }
        let side_changes = vec![self.floor.side_change(SMALL_BYTES)];
        let inbox = self.inbox();
        let changed = inbox.change_and_add(vec![change], side_changes, added);
        assert_eq!(changed.await?, [next != State::Waiting]);
        Ok(Done::OnDisk)
    }

    fn changed(&self, number: DocumentNumber, expect: State, next: State) -> Change {
        Change {
            number,
            expect,
            progress: progress(next, self.floor.second),
            by: "forward".to_owned(),
            note: String::new(),
        }
    }

    /// A person replaces a parked document.
    async fn replace(&mut self) -> Result<Done, AppendError> {
        let documents = self.documents();
        let parked = documents
            .iter()
            .find(|entry| entry.progress.state == State::Parked);
        let Some(Entry { document, .. }) = parked else {
            return self.change().await;
        };
        let corrected = Document {
            number: DocumentNumber::ZERO,
            key: document.key.corrected(),
            ..document.clone()
        };
        let change = self.changed(document.number, State::Parked, State::Replaced);
        let inbox = self.inbox();
        assert!(inbox.replace(change, corrected).await?.is_some());
        Ok(Done::OnDisk)
    }

    /// A person dismisses a rejected reading, or sends it again as an event.
    async fn settle(&mut self) -> Result<Done, AppendError> {
        let open = self.journal().rejected_open(RejectedNumber::ZERO, ALL);
        let open = open.unwrap();
        let Some(place) = self.floor.pick(open.len()) else {
            return self.append().await;
        };
        let events = if self.floor.chance(2) {
            vec![self.floor.event()]
        } else {
            Vec::new()
        };
        let settlement = Settlement {
            number: open[place].number,
            record: record(self.floor.second, "dismissed"),
            events: events.clone(),
        };
        let settled = self.inbox().settle(vec![settlement], None).await?;
        match &settled.readings[..] {
            [Outcome::Settled(accepted)] => {
                for (event, accepted) in events.iter().zip(accepted) {
                    self.floor.acknowledge(event, accepted);
                }
            }
            // The event of that id was pruned.
            other => panic!("{other:?}"),
        }
        Ok(Done::OnDisk)
    }

    async fn store(&mut self, bytes: u64) -> Result<Done, AppendError> {
        let change = self.floor.side_change(bytes);
        self.inbox().store_side_values(vec![change]).await?;
        Ok(Done::OnDisk)
    }

    async fn store_large(&mut self) -> Result<Done, AppendError> {
        let bytes = match self.floor.below(6) {
            0 => TOO_LONG_BYTES,
            _ => LARGE_BYTES.start + self.floor.below(LARGE_BYTES.end - LARGE_BYTES.start),
        };
        self.store(bytes).await
    }

    /// The retention of what is older than some seconds ends.
    async fn prune(&mut self) -> Result<Done, AppendError> {
        let older = i64::try_from(self.floor.below(40)).unwrap();
        let now = self.floor.second - older + i64::from(RETENTION_DAYS) * DAY_S;
        if self.inbox().prune(at(now)).await? > 0 {
            self.floor.is_pruned = true;
        }
        Ok(Done::OnDisk)
    }

    /// Scans that no flow uses are counted, or dismissed by a person.
    async fn unused_scans(&mut self) -> Result<Done, AppendError> {
        let inbox = self.inbox();
        if self.floor.chance(2) {
            let record = record(self.floor.second, "dismissed");
            inbox.dismiss_scans(record).await?;
        } else {
            let last = self.journal().totals().last_seq.get();
            let scan = Seq::new(self.floor.below(last + 1));
            let nothing = (Vec::new(), Vec::new());
            let counted =
                inbox.seal_and_store(nothing.0, nothing.1, vec![scan], Seq::ZERO, Vec::new());
            counted.await?;
        }
        Ok(Done::OnDisk)
    }

    async fn restart(&mut self) -> Result<Done, AppendError> {
        self.inbox().close().await?;
        self.show(None);
        let ended = self.writer.take().map(WriterHandle::join);
        assert!(ended.is_some_and(|ended| ended.is_ok()), "closed in order");
        let opened = self.disk.open_with(&config());
        let (journal, writer) = opened.map_err(|fatal| {
            self.no_start = Some(fatal);
            AppendError::Stopped
        })?;
        self.assembly = Assembly::new(&journal, &rules());
        self.parts.clear();
        self.writer = Some(writer);
        self.show(Some(journal));
        let before = &self.moments.last().unwrap().contents;
        let after = Contents::of(&self.journal());
        assert_eq!(after, **before, "after a clean end");
        Ok(Done::OnDisk)
    }

    /// Ends as it is. The error: why the journal had stopped already.
    pub fn end(self) -> (Floor, Vec<Moment>, Result<(), Fatal>) {
        self.show(None);
        let ended = self.writer.map_or(Ok(()), WriterHandle::join);
        let ended = self.no_start.map_or(ended, Err);
        (self.floor, self.moments, ended)
    }

    /// Ends as it is, and cuts the power before this step of the disk. Returns what the journal may
    /// hold then.
    pub fn cut_before(self, step: usize) -> (Floor, Allowed) {
        let (mut floor, moments, ended) = self.end();
        ended.unwrap();
        let answered = moments.iter().rposition(|moment| moment.steps <= step);
        for later in &moments[answered.map_or(0, |answered| answered + 1)..] {
            for id in &later.acknowledged {
                floor.acknowledged.remove(id);
            }
        }
        let allowed = answered.map_or_else(
            || Allowed::in_the_start(&moments),
            |answered| Allowed::after(answered, &moments),
        );
        (floor, allowed)
    }
}
