//! Runs the flows: reads scans from the journal in `seq` order, writes events back to it, and
//! answers the device.
//!
//! The journal stores the state of each device and the cursor, the `seq` up to which scans are
//! read, in one transaction with the events.
//!
//! Until the gateway has a copy of Odoo's data, scans wait in the journal, and the device shows
//! that.

mod answer;
mod catalog_rules;
mod commit;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::answer::Answers;
use self::catalog_rules::{CatalogRules, mark_unused_dates, refresh_rules};
use self::commit::state_changes;
use super::catalog_lookup::read_shapes;
use super::display_text::{DisplayText, TextKey};
use super::engine::{CreatedEvent, Engine};
use super::input::{Input, Read};
use super::interpret::Scanned;
use super::state::State;
use super::stored;
use crate::board::Board;
use crate::capture::Capture;
use crate::catalog::Catalog;
use crate::catalog::known::InCatalog;
use crate::channel::Outlets;
use crate::clock;
use crate::decode::meaning::Context;
use crate::decode::profile::{Profile, Symbology};
use crate::decode::profiles::Profiles;
use crate::event::{
    Action, Event, EventFlag, EventType, Name, Recorded, Rejection, Seq, SourceKind,
};
use crate::journal::{EventFilter, Journal, JournalError, Namespace};

/// Scans that one read of the journal returns, at most.
const PAGE_SCANS: usize = 500;
/// Events after which the cursor is stored, even if none of them belongs to a flow.
const CURSOR_EVERY: u64 = 10_000;
/// Pause between checks whether the first copy of Odoo's data is complete.
const CATALOG_POLL: Duration = Duration::from_millis(500);
/// Hexadecimal digits of the hash of a scan's id in the ids of its events.
const TAG_DIGITS: usize = 8;

/// Why the driver stops.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal has stopped and has logged why.
    #[error("the journal has stopped")]
    Stopped,
}

/// The task that runs the flows.
pub struct Driver {
    journal: Journal,
    catalogs: watch::Receiver<Option<Catalog>>,
    profiles: Profiles,
    capture: Capture,
    answers: Answers,
    /// The `seq` up to which all scans are read.
    cursor: Seq,
    /// The cursor in the journal. `None`: the journal has none.
    stored_cursor: Option<Seq>,
    /// When there was an event to read, last.
    last_read: Option<Instant>,
    /// The `seq` up to which devices have shown that their scans wait.
    notified_cursor: Seq,
    /// Scans that wait for the first copy of Odoo's data.
    waiting: u64,
    /// Scans that flows answered as wrong since the daemon started.
    wrong: u64,
    board: Board,
    states: HashMap<Name, State>,
    rules: Option<CatalogRules>,
}

/// The results of a page of scans, until they are in the journal.
#[derive(Default)]
struct Page {
    states: BTreeMap<Name, State>,
    events: Vec<Event>,
    /// Movements that pauses have ended.
    rejections: Vec<Rejection>,
    /// The answer to each scan: whether the flow accepted it, and the text.
    answers: Vec<(Recorded, bool, String)>,
}

impl Driver {
    /// Stores the first cursor, before the gateway accepts the first scan. A journal without a
    /// cursor is of a version without flows: its older scans create no events.
    pub async fn store_first_cursor(journal: &Journal) -> Result<(), JournalError> {
        if journal.read_namespace(Namespace::FlowCursor)?.is_empty() {
            let last = journal.totals().last_seq.to_string().into_bytes();
            let cursor = vec![(Namespace::FlowCursor.only_key(), Some(last))];
            // A journal that is full or has stopped stores no scan either.
            drop(journal.inbox().store_side_values(cursor).await);
        }
        Ok(())
    }

    /// Reads the states and the cursor that the journal has.
    pub fn new(
        journal: Journal,
        catalogs: watch::Receiver<Option<Catalog>>,
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
                    |error| tracing::warn!(%device, "the stored unfinished movement cannot be read: {error}. Scan its products again"),
                )
                .unwrap_or_default();
            Some((device, state))
        });
        Ok(Self {
            // Without a cursor the scans in the journal belong to no flow.
            cursor: cursor.unwrap_or(journal.totals().last_seq),
            stored_cursor: cursor,
            last_read: None,
            notified_cursor: Seq::ZERO,
            waiting: 0,
            wrong: 0,
            board,
            states: states.collect(),
            answers: Answers::new(outlets, profiles.clone()),
            rules: None,
            journal,
            catalogs,
            profiles,
            capture,
        })
    }

    /// Runs until it is cancelled or the journal has stopped.
    pub async fn run(mut self, cancel: CancellationToken) {
        let running = async {
            loop {
                if let Err(stop) = self.run_once().await {
                    break stop;
                }
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            stop = running => if let Stop::Journal(error) = stop {
                tracing::error!("flows have stopped, because the journal cannot be read: {error}. Restart the gateway");
            }
        }
    }

    /// Reads the next page of scans, or waits for one.
    async fn run_once(&mut self) -> Result<(), Stop> {
        let mut catalogs = self.catalogs.clone();
        let copy = catalogs.borrow_and_update().clone();
        let ready = copy.filter(|copy| copy.is_complete().unwrap_or(false));
        if self.stored_cursor.is_none() {
            self.store((Vec::new(), Vec::new())).await?;
        }
        let after = if ready.is_some() {
            self.cursor
        } else {
            self.cursor.max(self.notified_cursor)
        };
        let (scans, last) = self.read_scans(after)?;
        if last.is_some() {
            self.last_read = Some(Instant::now());
        }
        match (&ready, last) {
            (Some(copy), Some(last)) => {
                self.waiting = 0;
                return self.run_scans(copy, &scans, last).await;
            }
            (None, Some(last)) => {
                for scan in &scans {
                    self.waiting += u64::from(self.notify_waiting(scan).await);
                }
                self.update_board();
                self.notified_cursor = last;
                return Ok(());
            }
            _ => {}
        }
        let nap = if ready.is_some() {
            self.apply_pauses().await?
        } else {
            Some(CATALOG_POLL)
        };
        self.update_board();
        tokio::select! {
            is_open = self.journal.wait_for_newer(after, self.last_read) => {
                if !is_open {
                    return Err(Stop::Stopped);
                }
            }
            changed = catalogs.changed(), if ready.is_none() => changed.map_err(|_| Stop::Stopped)?,
            () = tokio::time::sleep(nap.unwrap_or(Duration::from_hours(1))) => {}
        }
        Ok(())
    }

    /// Reads the next scans, and the last event before which all scans are read. `None`: no further
    /// event is stored.
    fn read_scans(&self, after: Seq) -> Result<(Vec<Recorded>, Option<Seq>), JournalError> {
        let filter = EventFilter {
            event_type: Some(EventType::SCAN),
            ..EventFilter::default()
        };
        let mut search = self.journal.search(filter, after)?;
        let found = search.read_part(PAGE_SCANS)?.into_iter();
        let scans = found.map(|found| found.recorded).collect();
        let last = search.position();
        Ok((scans, (last > after).then_some(last)))
    }

    /// Finds the profile of a scan's device. `None`: the event is not a scan, or its device has no
    /// flow.
    fn find_profile(&self, scan: &Event) -> Option<Arc<Profile>> {
        if scan.source == SourceKind::Flow || !matches!(scan.action, Action::Scan { .. }) {
            return None;
        }
        let profile = self.profiles.rule(&scan.device)?.profile;
        profile.flow.start.is_some().then_some(profile)
    }

    /// Updates the board: unfinished movements, waiting and wrong scans.
    fn update_board(&self) {
        let mut unfinished: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut steps = BTreeMap::new();
        for (device, state) in self
            .states
            .iter()
            .filter(|(_, state)| state.has_unfinished())
        {
            let rule = self.profiles.rule(device);
            let name = rule.and_then(|rule| Engine::new(&rule.profile.flow).name_unfinished(state));
            let name = name.unwrap_or("movement");
            *unfinished.entry(name).or_default() += 1;
            steps.insert(
                device.clone(),
                format!("{name}: {}", state.describe_unfinished()),
            );
        }
        self.board.flow_steps(steps);
        let unfinished = unfinished.into_iter();
        let unfinished = unfinished.map(|(name, devices)| (name.to_owned(), devices));
        self.board
            .flows(unfinished.collect(), (self.waiting, self.wrong));
    }

    /// Tells the device that its scan waits. Returns `false` if the event is not a scan, or its
    /// device has no flow.
    async fn notify_waiting(&self, recorded: &Recorded) -> bool {
        let scan = &recorded.event;
        if let (Some(_), Action::Scan { code, .. }) = (self.find_profile(scan), &scan.action) {
            let text = DisplayText::good(TextKey::StoredOnly).with("code", code);
            let text = text.render(self.capture.language(&scan.device));
            self.answers.send(scan, (true, &text)).await;
            return true;
        }
        false
    }

    /// Runs scans in order, and writes their results into the journal together.
    async fn run_scans(
        &mut self,
        copy: &Catalog,
        scans: &[Recorded],
        last: Seq,
    ) -> Result<(), Stop> {
        let mut page = Page::default();
        for scan in scans {
            if let Some(profile) = self.find_profile(&scan.event) {
                self.run_scan(copy, scan, &profile, &mut page);
            }
        }
        self.cursor = last;
        if page.states.is_empty() {
            let since = |stored: Seq| self.cursor.get().saturating_sub(stored.get());
            if self.stored_cursor.map_or(0, since) >= CURSOR_EVERY {
                self.store((Vec::new(), Vec::new())).await?;
            }
            return Ok(());
        }
        let wrong = commit::wrong_scans(&page.answers);
        self.wrong += wrong.len() as u64;
        // Without an event, the scan alone matters, and it is in the journal: answer before the
        // second commit.
        let must_commit_first = !page.events.is_empty() || !page.rejections.is_empty();
        if must_commit_first {
            let results = (page.events, page.rejections, wrong.clone());
            self.commit(results, &page.states).await?;
        }
        for (scan, ok, text) in &page.answers {
            self.answers.send(&scan.event, (*ok, text)).await;
        }
        if !must_commit_first {
            self.store((state_changes(&page.states), wrong)).await?;
        }
        self.states.extend(page.states);
        Ok(())
    }

    /// Runs one scan of a device with a flow.
    fn run_scan(
        &mut self,
        copy: &Catalog,
        recorded: &Recorded,
        profile: &Profile,
        page: &mut Page,
    ) {
        let scan = &recorded.event;
        let Action::Scan { code, symbology } = &scan.action else {
            return;
        };
        let known = page
            .states
            .get(&scan.device)
            .or_else(|| self.states.get(&scan.device));
        let before = known.cloned().unwrap_or_default();
        let pattern = self.capture.lot_pattern();
        let engine = Engine::new(&profile.flow).with_lot_pattern(pattern.as_ref());
        let current = engine.state_at(&before, scan.received);
        let in_copy = InCatalog {
            copy,
            last: current.last_product(),
        };
        let rules = refresh_rules(&mut self.rules, copy);
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
            lots: &in_copy,
            find_resemblance: &|text| rules.shapes.get_or_init(|| read_shapes(copy)).find(text),
        };
        let expected_lot = engine.awaited_lot(&before, scan.received);
        let mut heard = scanned.interpret(expected_lot.as_ref());
        let product = heard.item().and_then(|item| in_copy.find_coded(&item.code));
        if let Read::Means(meaning) = &heard.read {
            mark_unused_dates(&mut heard.label, meaning, &in_copy);
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
            .map(|created| build_event(&scan.device, created))
            .collect();
        let mut ok = output.text.ok;
        let mut text = output.text.render(self.capture.language(&scan.device));
        if let Some(fault) = self.find_fault(scan, &engine, &state, &output.text) {
            (ok, text) = (false, fault);
        }
        let expired = output.expired.iter();
        page.rejections
            .extend(expired.flat_map(|expired| expired.build_rejections(&scan.device)));
        page.events.extend(events);
        page.answers.push((recorded.clone(), ok, text));
        page.states.insert(scan.device.clone(), state);
    }

    /// Checks the product that was just scanned against the known orders and lots, and describes
    /// the fault. The movement keeps the product, because the gateway accepts such events: undo
    /// removes it.
    fn find_fault(
        &self,
        scan: &Event,
        engine: &Engine<'_>,
        state: &State,
        text: &DisplayText,
    ) -> Option<String> {
        let item = [
            TextKey::Item,
            TextKey::Lot,
            TextKey::NewLot,
            TextKey::Serial,
            TextKey::NewSerial,
        ];
        if !item.contains(&text.key) {
            return None;
        }
        let preview = Event {
            id: "flow-preview".to_owned(),
            action: engine.preview(state)?,
            ..scan.clone()
        };
        self.capture.judge(&preview, true)?.fault()
    }

    /// Applies the pauses that are over: creates events from complete movements, and ends
    /// unfinished ones. Returns the time until the next one.
    async fn apply_pauses(&mut self) -> Result<Option<Duration>, Stop> {
        let now = clock::now();
        let mut next: Option<Timestamp> = None;
        let (mut states, mut events) = (BTreeMap::new(), Vec::new());
        let mut rejections = Vec::new();
        for (device, state) in &self.states {
            let Some(rule) = self.profiles.rule(device) else {
                continue;
            };
            let engine = Engine::new(&rule.profile.flow);
            match engine.deadline(state) {
                Some(due) if due <= now => {
                    let mut state = state.clone();
                    let effect = engine.apply_pause(&mut state, now);
                    events.extend(
                        effect
                            .events
                            .into_iter()
                            .map(|created| build_event(device, created)),
                    );
                    let expired = effect.expired.iter();
                    rejections.extend(expired.flat_map(|expired| expired.build_rejections(device)));
                    states.insert(device.clone(), state);
                }
                Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
                None => {}
            }
        }
        if !events.is_empty() || !rejections.is_empty() {
            self.commit((events, rejections, Vec::new()), &states)
                .await?;
        } else if !states.is_empty() {
            self.store((state_changes(&states), Vec::new())).await?;
        }
        self.states.extend(states);
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        Ok(wait)
    }
}

fn flags(possible_repeat: bool) -> Vec<EventFlag> {
    let flag = possible_repeat.then_some(EventFlag::PossibleRepeat);
    flag.into_iter().collect()
}

/// Builds the event of a flow. Its times are those of the last scan, so they are of one clock.
fn build_event(device: &Name, created: CreatedEvent) -> Event {
    Event {
        device: device.clone(),
        id: created.id,
        id_derived: false,
        source: SourceKind::Flow,
        at: created.at,
        received: created.received,
        measures: created.measures,
        operator: created.operator,
        flags: flags(created.possible_repeat),
        action: created.action,
    }
}
