//! Runs the flows: scans come from the journal in `seq` order, events go back to it, and the person
//! hears of it.
//!
//! The journal stores the unfinished movements of devices and up to which event the flows have
//! read. Both change in one transaction with the events that the flows create.
//!
//! Until the copy of Odoo's data is there, nothing is guessed: scans wait in the journal, and the
//! person is told that.

mod answer;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::answer::Answers;
use super::engine::{Engine, Made};
use super::hear::Scanned;
use super::input::{Input, Read};
use super::known::shapes;
use super::looks::Shapes;
use super::say::{Key, Say};
use super::state::State;
use super::stored;
use crate::board::Board;
use crate::capture::Capture;
use crate::catalog::Catalog;
use crate::catalog::known::{InCatalog, nomenclature};
use crate::channel::Outlets;
use crate::clock;
use crate::decode::meaning::{Context, Label, Meaning};
use crate::decode::nomenclature::Nomenclature;
use crate::decode::profile::{Profile, Symbology};
use crate::decode::profiles::Profiles;
use crate::event::{Action, Event, EventFlag, Name, Recorded, Rejection, Seq, SourceKind};
use crate::journal::{AppendError, Journal, JournalError, Namespace, SideChange};

/// Events read from the journal at once.
const PAGE_EVENTS: usize = 500;
/// Up to where scans are read is written at least so often, in events, where none of them is a
/// flow's.
const CURSOR_EVERY: u64 = 10_000;
/// How often a full journal is asked again.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// How often a copy that is being filled for the first time is looked at.
const COPY_LOOK: Duration = Duration::from_millis(500);
/// Hexadecimal digits of a scan's id in the ids of the events that are made of it.
const TAG_DIGITS: usize = 8;

/// Why the task ends.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal has stopped, and said why.
    #[error("the journal has stopped")]
    Stopped,
}

/// The task, before it runs.
pub struct Driver {
    journal: Journal,
    copies: watch::Receiver<Option<Catalog>>,
    profiles: Profiles,
    capture: Capture,
    answers: Answers,
    /// All scans up to here are read.
    cursor: Seq,
    /// The cursor that the journal has. `None`: it has none yet.
    stored_cursor: Option<Seq>,
    /// Of scans up to here, people were told that they wait.
    told: Seq,
    /// So many scans wait for the copy.
    waiting: u64,
    /// So many scans were answered as wrong since the start.
    wrong: u64,
    board: Board,
    states: HashMap<Name, State>,
    rules: Option<Rules>,
}

/// What is read of a whole copy, and the change of the copy that it is of.
struct Rules {
    news: watch::Receiver<u64>,
    nomenclature: Option<Nomenclature>,
    /// Read when they are asked for.
    shapes: OnceLock<Shapes>,
}

/// What a page of scans has led to, until it is in the journal.
#[derive(Default)]
struct Page {
    states: BTreeMap<Name, State>,
    events: Vec<Event>,
    /// What pauses have dropped.
    dropped: Vec<Rejection>,
    said: Vec<(Event, bool, String)>,
}

impl Driver {
    /// Writes from where on scans are read, where no start has yet. Before the first scan is taken
    /// in: a journal that does not say it is from before there were flows, and its scans are left
    /// alone.
    pub async fn begin(journal: &Journal) -> Result<(), JournalError> {
        if journal.read_namespace(Namespace::FlowCursor)?.is_empty() {
            let last = journal.totals().last_seq.to_string().into_bytes();
            let cursor = vec![(Namespace::FlowCursor.only_key(), Some(last))];
            // An error: it is full or has stopped, and takes no scan in either.
            drop(journal.inbox().store_side_values(cursor).await);
        }
        Ok(())
    }

    /// Takes up what was begun before the last stop.
    pub fn new(
        journal: Journal,
        copies: watch::Receiver<Option<Catalog>>,
        (profiles, capture, outlets): (Profiles, Capture, Outlets),
        board: Board,
    ) -> Result<Self, JournalError> {
        let cursor = journal
            .read_namespace(Namespace::FlowCursor)?
            .pop()
            .and_then(|(_, value)| std::str::from_utf8(&value).ok()?.parse().ok());
        let states = journal.read_namespace(Namespace::FlowStates)?.into_iter();
        let states = states.filter_map(|(key, value)| {
            let device = Name::new(&key).ok()?;
            let state = stored::decode(&value)
                .inspect_err(
                    |error| tracing::warn!(%device, "what it had begun cannot be read: {error}"),
                )
                .unwrap_or_default();
            Some((device, state))
        });
        Ok(Self {
            // A journal from before there were flows: its scans were never a flow's.
            cursor: cursor.unwrap_or(journal.totals().last_seq),
            stored_cursor: cursor,
            told: Seq::ZERO,
            waiting: 0,
            wrong: 0,
            board,
            states: states.collect(),
            answers: Answers::new(outlets, profiles.clone()),
            rules: None,
            journal,
            copies,
            profiles,
            capture,
        })
    }

    /// Runs until it is cancelled or the journal has stopped.
    pub async fn run(mut self, cancel: CancellationToken) {
        let turning = async {
            loop {
                if let Err(stop) = self.turn().await {
                    break stop;
                }
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            stop = turning => if let Stop::Journal(error) = stop {
                tracing::error!("flows stop: {error}");
            }
        }
    }

    /// Reads what is there, or waits.
    async fn turn(&mut self) -> Result<(), Stop> {
        let mut totals = self.journal.watch();
        let mut copies = self.copies.clone();
        let copy = copies.borrow_and_update().clone();
        let ready = copy.filter(|copy| copy.is_complete().unwrap_or(false));
        if self.stored_cursor.is_none() {
            self.store_side_values(Vec::new()).await?;
        }
        let after = if ready.is_some() {
            self.cursor
        } else {
            self.cursor.max(self.told)
        };
        let events = self.journal.events(after, PAGE_EVENTS)?;
        let last = events.last().map(|event| event.seq);
        match (&ready, last) {
            (Some(copy), Some(last)) => {
                self.waiting = 0;
                return self.read(copy, &events, last).await;
            }
            (None, Some(last)) => {
                for scan in &events {
                    self.waiting += u64::from(self.tell_waiting(scan).await);
                }
                self.show();
                self.told = last;
                return Ok(());
            }
            _ => {}
        }
        let nap = if ready.is_some() {
            self.settle().await?
        } else {
            Some(COPY_LOOK)
        };
        self.show();
        tokio::select! {
            newer = totals.wait_for(|totals| totals.last_seq > after) => {
                newer.map_err(|_| Stop::Stopped)?;
            }
            changed = copies.changed(), if ready.is_none() => changed.map_err(|_| Stop::Stopped)?,
            () = tokio::time::sleep(nap.unwrap_or(Duration::from_hours(1))) => {}
        }
        Ok(())
    }

    /// The profile of a scan's device, if it is one that makes movements.
    fn profile_of(&self, scan: &Event) -> Option<Arc<Profile>> {
        if scan.source == SourceKind::Flow || !matches!(scan.action, Action::Scan { .. }) {
            return None;
        }
        let profile = self.profiles.rule(&scan.device)?.profile;
        profile.flow.start.is_some().then_some(profile)
    }

    /// Shows what devices have begun, and how many scans wait.
    fn show(&self) {
        let mut begun: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (device, state) in self.states.iter().filter(|(_, state)| state.has_begun()) {
            let rule = self.profiles.rule(device);
            let name = rule.and_then(|rule| Engine::new(&rule.profile.flow).begun(state));
            *begun.entry(name.unwrap_or("movement")).or_default() += 1;
        }
        let begun = begun.into_iter();
        let begun = begun.map(|(name, devices)| (name.to_owned(), devices));
        self.board
            .flows(begun.collect(), (self.waiting, self.wrong));
    }

    /// Answers whether it waits.
    async fn tell_waiting(&self, recorded: &Recorded) -> bool {
        let scan = &recorded.event;
        if let (Some(_), Action::Scan { code, .. }) = (self.profile_of(scan), &scan.action) {
            let say = Say::good(Key::Kept).with("code", code);
            let text = say.text(self.capture.language(&scan.device));
            self.answers.give(scan, (true, &text)).await;
            return true;
        }
        false
    }

    /// Takes scans in, in their order; what they lead to goes into the journal together.
    async fn read(&mut self, copy: &Catalog, scans: &[Recorded], last: Seq) -> Result<(), Stop> {
        let mut page = Page::default();
        for scan in scans {
            if let Some(profile) = self.profile_of(&scan.event) {
                self.take(copy, scan, &profile, &mut page);
            }
        }
        self.cursor = last;
        if page.states.is_empty() {
            let since = |stored: Seq| self.cursor.get().saturating_sub(stored.get());
            if self.stored_cursor.map_or(0, since) >= CURSOR_EVERY {
                self.store_side_values(Vec::new()).await?;
            }
            return Ok(());
        }
        // What makes no event is in the journal as a scan: whoever scanned need not wait for the
        // second commit.
        let wait = !page.events.is_empty() || !page.dropped.is_empty();
        if wait {
            self.commit((page.events, page.dropped), &page.states)
                .await?;
        }
        self.wrong += page.said.iter().filter(|(_, ok, _)| !ok).count() as u64;
        for (scan, ok, text) in &page.said {
            self.answers.give(scan, (*ok, text)).await;
        }
        if !wait {
            self.store_side_values(state_changes(&page.states)).await?;
        }
        self.states.extend(page.states);
        Ok(())
    }

    /// One scan of a device that makes movements.
    fn take(&mut self, copy: &Catalog, recorded: &Recorded, profile: &Profile, page: &mut Page) {
        let scan = &recorded.event;
        let Action::Scan { code, symbology } = &scan.action else {
            return;
        };
        let known = page
            .states
            .get(&scan.device)
            .or_else(|| self.states.get(&scan.device));
        let before = known.cloned().unwrap_or_default();
        let engine = Engine::new(&profile.flow).with_lot_pattern(self.capture.lot_pattern());
        let begun = engine.as_of(&before, scan.received);
        let in_copy = InCatalog {
            copy,
            last: begun.last_product(),
        };
        let rules = rules_of(&mut self.rules, copy);
        let context = Context {
            means: &profile.code.means,
            nomenclature: rules.nomenclature.as_ref(),
            known: &in_copy,
            data_identifiers: profile.code.data_identifiers,
            year: scan.received.to_zoned(jiff::tz::TimeZone::UTC).year(),
        };
        let symbology = symbology.as_deref().and_then(Symbology::of);
        let scanned = Scanned {
            code,
            symbology: symbology.as_ref(),
            context: &context,
            floor: &in_copy,
            look: &|text| rules.shapes.get_or_init(|| shapes(copy)).look(text),
        };
        let awaited = engine.awaits(&before, scan.received);
        let mut heard = scanned.hear(awaited.as_ref());
        let product = heard.item().and_then(|item| in_copy.coded(&item.code));
        if let Read::Means(meaning) = &heard.read {
            note_unused(&mut heard.label, meaning, &in_copy);
        }
        let package = format!("{}-{}", scan.device, recorded.seq);
        let tag = blake3::hash(scan.id.as_bytes()).to_hex();
        let input = Input {
            seq: recorded.seq,
            tag: &tag[..TAG_DIGITS],
            possible_repeat: scan.flags.contains(&EventFlag::PossibleRepeat),
            at: scan.at,
            now: scan.received,
            code,
            read: heard.read,
            operator: scan.operator.as_deref(),
            tracking: heard.tracking,
            lot: heard.lot,
            product,
            label: &heard.label,
            package: &package,
        };
        let (state, output) = engine.read(&before, &input);
        let events: Vec<Event> = output
            .events
            .into_iter()
            .map(|made| event(&scan.device, made))
            .collect();
        let mut ok = output.say.ok;
        let mut text = output.say.text(self.capture.language(&scan.device));
        if let Some(fault) = self.fault(scan, &engine, &state, &output.say) {
            (ok, text) = (false, fault);
        }
        let dropped = output.dropped.iter();
        page.dropped
            .extend(dropped.flat_map(|dropped| dropped.rejections(&scan.device)));
        page.events.extend(events);
        page.said.push((scan.clone(), ok, text));
        page.states.insert(scan.device.clone(), state);
    }

    /// What is wrong with the product that was just scanned, by what is known of orders and lots.
    /// It is remembered all the same, as an event of that kind is taken: undo takes it back.
    fn fault(&self, scan: &Event, engine: &Engine<'_>, state: &State, say: &Say) -> Option<String> {
        let item = [
            Key::Item,
            Key::Lot,
            Key::NewLot,
            Key::Serial,
            Key::NewSerial,
        ];
        if !item.contains(&say.key) {
            return None;
        }
        let outlook = Event {
            id: "flow-outlook".to_owned(),
            action: engine.outlook(state)?,
            ..scan.clone()
        };
        self.capture.judge(&outlook, true)?.fault()
    }

    /// Makes what is complete by itself, and drops the rest, once their time is there; answers how
    /// long the next one has.
    async fn settle(&mut self) -> Result<Option<Duration>, Stop> {
        let now = clock::now();
        let mut next: Option<Timestamp> = None;
        let (mut states, mut events) = (BTreeMap::new(), Vec::new());
        let mut dropped = Vec::new();
        for (device, state) in &self.states {
            let Some(rule) = self.profiles.rule(device) else {
                continue;
            };
            let engine = Engine::new(&rule.profile.flow);
            match engine.due(state) {
                Some(due) if due <= now => {
                    let mut state = state.clone();
                    let passed = engine.pass(&mut state, now);
                    events.extend(passed.made.into_iter().map(|made| event(device, made)));
                    let rejected = passed.dropped.iter();
                    dropped.extend(rejected.flat_map(|dropped| dropped.rejections(device)));
                    states.insert(device.clone(), state);
                }
                Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
                None => {}
            }
        }
        if !events.is_empty() || !dropped.is_empty() {
            self.commit((events, dropped), &states).await?;
        } else if !states.is_empty() {
            self.store_side_values(state_changes(&states)).await?;
        }
        self.states.extend(states);
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        Ok(wait)
    }

    /// Writes events, what pauses dropped, and the devices' open work into the journal in one
    /// commit; notes the events with what is known of orders.
    async fn commit(
        &mut self,
        (events, dropped): (Vec<Event>, Vec<Rejection>),
        states: &BTreeMap<Name, State>,
    ) -> Result<(), Stop> {
        let judged: Vec<_> = events
            .iter()
            .map(|event| self.capture.judge(event, false))
            .collect();
        let dropped = dropped.into_iter().map(Err);
        let entries: Vec<_> = events.into_iter().map(Ok).chain(dropped).collect();
        let mut side_changes = state_changes(states);
        side_changes.push(self.cursor_change());
        let accepted = loop {
            let (entries, side_changes) = (entries.clone(), side_changes.clone());
            match self
                .journal
                .inbox()
                .append_and_store(entries, side_changes)
                .await
            {
                Ok(accepted) => break accepted,
                Err(AppendError::Full | AppendError::Disk | AppendError::Share) => {
                    tokio::time::sleep(FULL_WAIT).await;
                }
                Err(AppendError::Stopped) => return Err(Stop::Stopped),
            }
        };
        self.stored_cursor = Some(self.cursor);
        for (judged, accepted) in judged.into_iter().zip(&accepted) {
            drop(judged.and_then(|judged| judged.confirm(accepted)));
        }
        Ok(())
    }

    /// Stores side values together with the cursor: up to which event the flows have read.
    async fn store_side_values(&mut self, mut changes: Vec<SideChange>) -> Result<(), Stop> {
        changes.push(self.cursor_change());
        loop {
            match self
                .journal
                .inbox()
                .store_side_values(changes.clone())
                .await
            {
                Ok(()) => break,
                Err(AppendError::Full | AppendError::Disk | AppendError::Share) => {
                    tokio::time::sleep(FULL_WAIT).await;
                }
                Err(AppendError::Stopped) => return Err(Stop::Stopped),
            }
        }
        self.stored_cursor = Some(self.cursor);
        Ok(())
    }

    /// The change that stores up to which event the flows have read.
    fn cursor_change(&self) -> SideChange {
        let cursor = self.cursor.to_string().into_bytes();
        (Namespace::FlowCursor.only_key(), Some(cursor))
    }
}

/// Where Odoo has no dates of a product's lots, those of its label are not used.
fn note_unused(label: &mut Label, meaning: &Meaning, known: &InCatalog<'_>) {
    let (product, expiry) = match meaning {
        Meaning::Product(item) => (Some(item.code.as_str()), item.expiry),
        Meaning::Package {
            content: Some(item),
            ..
        } => (Some(item.code.as_str()), item.expiry),
        Meaning::Lot { expiry, .. } => (known.last, *expiry),
        _ => return,
    };
    if product.is_some_and(|product| !known.has_dates(product)) {
        label.note_unused("15", label.best_before);
        label.note_unused("17", expiry);
    }
}

/// The changes that store the unfinished movements of devices.
fn state_changes(states: &BTreeMap<Name, State>) -> Vec<SideChange> {
    let changes = states.iter().map(|(device, state)| {
        let value = stored::encode(state.clone());
        (Namespace::FlowStates.key(device.to_string()), Some(value))
    });
    changes.collect()
}

/// What is read of a whole copy, anew when the copy has changed.
fn rules_of<'a>(rules: &'a mut Option<Rules>, copy: &Catalog) -> &'a Rules {
    let is_current = |rules: &Rules| !rules.news.has_changed().unwrap_or(true);
    let current = rules.take().filter(is_current);
    rules.insert(current.unwrap_or_else(|| Rules {
        news: copy.news(),
        nomenclature: nomenclature(copy),
        shapes: OnceLock::new(),
    }))
}

fn flags(possible_repeat: bool) -> Vec<EventFlag> {
    let flag = possible_repeat.then_some(EventFlag::PossibleRepeat);
    flag.into_iter().collect()
}

/// What a flow made of a device's scans. It has the times of the last of them, so it is of the same
/// clock.
fn event(device: &Name, made: Made) -> Event {
    Event {
        device: device.clone(),
        id: made.id,
        id_derived: false,
        source: SourceKind::Flow,
        at: made.at,
        received: made.received,
        measures: made.measures,
        operator: made.operator,
        flags: flags(made.possible_repeat),
        action: made.action,
    }
}
