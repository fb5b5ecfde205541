//! Checks events against the copy of Odoo's data as soon as they arrive: builds the display text
//! for the operator and, if `capture.check` is strict, rejects wrong events.
//!
//! Comes in: decoded events before they are stored. Goes out: a display text, once the journal has
//! stored the event and if its device can show a text, or a rejection. The module also sends
//! devices their open orders.
//!
//! - `judge`: judges an event by the facts. Pure.
//! - `memory`: the newest events that affect later ones. Pure. `settle`: removes quantities from it
//!   that Odoo has by now, and recalls events from the journal after a start.
//! - `lookup`: looks codes up in the copy, with a cache.
//! - `texts`: the display texts, in six languages.
//! - `tasks`: sends each device its open orders.
//!
//! **Promises:** nothing here waits for Odoo or for a device. An event that was accepted once is
//! accepted again, whatever has changed since: before a rejection the journal is read. An error
//! here rejects nothing.

mod judge;
mod lookup;
mod memory;
mod settle;
pub mod tasks;
pub mod texts;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use crate::catalog::Catalog;
use crate::config::{self, Check, Language, LotPattern, Over};
use crate::event::{Action, Event, Movement, Name};
use crate::journal::{Accepted, Journal, JournalError};
use crate::odoo::Direction;
use crate::reason::RejectionCode;
use judge::{Facts, Judgement, Say, judge, judge_undo, way};
use lookup::Lookup;
use memory::{Counts, EventKey, Memory, Way};
use texts::{Key, text};

/// The limit of devices whose reported language is stored.
const LANGUAGES_MAX: usize = 10_000;
/// The number of newest events that are recalled after a start, which takes a fraction of a second.
const RECALLED_MAX: u64 = 100_000;
/// Events of one read.
const PAGE_EVENTS: usize = 250;
/// The longest `state` that is read, in bytes.
const STATE_BYTES_MAX: usize = 16 << 10;

/// The settings of a device in `devices.toml`, except its password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub language: Option<Language>,
    /// The kinds of orders that it works on. `None`: all.
    pub tasks: Option<Vec<Direction>>,
}

/// Shared by all sources; clones share one state.
#[derive(Debug, Clone)]
pub struct Capture(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Mutex<Arc<Rules>>,
    /// `None` only in tests.
    journal: Option<Journal>,
    state: Mutex<State>,
    languages: Mutex<HashMap<Name, Language>>,
    settings: Mutex<Arc<BTreeMap<Name, Settings>>>,
    /// Notified when an event for an order was captured.
    order_changed: Notify,
}

/// The part of the configuration by which events are judged.
#[derive(Debug)]
struct Rules {
    config: config::Capture,
    pick_over: bool,
    receive_over: bool,
}

#[derive(Debug)]
struct State {
    lookup: Lookup,
    memory: Memory,
    /// The news at the last look for undone events that Odoo has.
    looked_for_undone: Option<News>,
    /// The news when all events in memory were last compared with the journal.
    settled: Option<News>,
}

/// How many documents are posted, parked and discarded, and the number of the copy's last refresh.
type News = ([u64; 3], Option<u64>);

/// A judgement that waits until the journal has stored the event.
#[derive(Debug)]
pub struct Judged {
    capture: Capture,
    judgement: Judgement,
    key: Option<EventKey>,
    /// The event is in memory, and is removed again unless the journal stores it.
    in_memory: bool,
    device: Name,
    display: bool,
    /// Whether `capture.check` was strict when the event was judged.
    is_strict: bool,
}

#[derive(Serialize)]
struct Display<'a> {
    ok: bool,
    text: &'a str,
    beep: &'static str,
}

impl Capture {
    /// `fresh_for`: how long after a refresh the copy counts as complete.
    #[must_use]
    pub fn new(
        config: config::Capture,
        orders: &config::Orders,
        copy: watch::Receiver<Option<Catalog>>,
        fresh_for: Duration,
        journal: Option<Journal>,
    ) -> Self {
        Self(Arc::new(Inner {
            rules: Mutex::new(Arc::new(Rules::new(config, orders))),
            journal,
            state: Mutex::new(State {
                lookup: Lookup::new(copy, fresh_for),
                memory: Memory::default(),
                looked_for_undone: None,
                settled: None,
            }),
            languages: Mutex::default(),
            settings: Mutex::default(),
            order_changed: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> Arc<Rules> {
        let rules = self.0.rules.lock();
        Arc::clone(&rules.unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies a new configuration to all later events.
    pub fn reload(&self, config: config::Capture, orders: &config::Orders, fresh_for: Duration) {
        let rules = Arc::new(Rules::new(config, orders));
        *self.0.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        self.state().lookup.set_fresh_for(fresh_for);
    }

    /// Judges an event. `None`: its judgement would have no effect. `display`: the device can show
    /// a text.
    #[must_use]
    pub fn judge(&self, event: &Event, display: bool) -> Option<Judged> {
        let undone = self.find_undone(event);
        let is_relevant = is_relevant(undone.as_ref().unwrap_or(event));
        let rules = self.rules();
        let is_strict = rules.config.check == Check::Strict;
        let wanted = match rules.config.check {
            Check::Off => false,
            Check::Lenient => display || is_relevant,
            Check::Strict => true,
        };
        if !wanted {
            return None;
        }
        let key = is_relevant.then(|| EventKey::of(event));
        if is_relevant {
            self.settle_undos();
        }
        let mut state = self.state();
        let is_known = key.as_ref().is_some_and(|key| state.memory.has(key));
        let judgement = if is_known {
            judge_duplicate()
        } else {
            judgement(&rules, &mut state, event, undone.as_ref())
        };
        let refused = is_strict && judgement.refused.is_some();
        let counted = judgement.counts != Counts::default();
        let in_memory = counted && !is_known && !refused;
        if let Some(key) = key.filter(|_| in_memory) {
            state.memory.add(key, judgement.counts.clone());
        }
        drop(state);
        Some(Judged {
            capture: self.clone(),
            judgement,
            key,
            in_memory,
            device: event.device.clone(),
            display,
            is_strict,
        })
    }

    /// Finds the event that this one undoes, if the journal has it.
    fn find_undone(&self, event: &Event) -> Option<Event> {
        let Action::Undo { event: id, .. } = &event.action else {
            return None;
        };
        let found = self.0.journal.as_ref()?.event_of(event.device.as_str(), id);
        // An event that cannot be read does not count, and rejects nothing.
        found.ok()?.map(|recorded| recorded.event)
    }

    /// Judges an event again before it is rejected: the journal may have it already, and events
    /// that Odoo has meanwhile must not count twice.
    pub async fn reconsider(&self, event: &Event, judged: Judged) -> Judged {
        let Some(journal) = self.0.journal.clone() else {
            return judged;
        };
        let (capture, event) = (self.clone(), event.clone());
        let display = judged.display;
        let read = tokio::task::spawn_blocking(move || {
            if journal
                .event_of(event.device.as_str(), &event.id)?
                .is_some()
            {
                return Ok(None);
            }
            capture.settle_with(&journal)?;
            Ok::<_, JournalError>(Some(event))
        });
        match read.await {
            Ok(Ok(Some(event))) => self.judge(&event, display).unwrap_or(judged),
            Ok(Ok(None)) => judged.into_duplicate(),
            // An error here rejects nothing.
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot read the journal before a rejection: the event is accepted");
                judged.accept()
            }
            Err(_) => judged.accept(),
        }
    }

    /// Reads the `language` in a device's `state` message.
    pub fn read_language(&self, device: &Name, payload: &[u8]) {
        #[derive(serde::Deserialize)]
        struct Reported {
            language: Option<String>,
        }
        if payload.len() > STATE_BYTES_MAX {
            return;
        }
        let reported = serde_json::from_slice::<Reported>(payload).ok();
        let language = reported.and_then(|reported| Language::of(&reported.language?));
        let mut known = self
            .0
            .languages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match language {
            Some(language) if known.contains_key(device) || known.len() < LANGUAGES_MAX => {
                known.insert(device.clone(), language);
            }
            // A last will has no language.
            _ => {}
        }
    }

    /// Sets the settings of `devices.toml`, whenever it is read.
    pub fn set_devices(&self, settings: BTreeMap<Name, Settings>) {
        let mut known = self
            .0
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Arc::new(settings);
    }

    fn settings(&self) -> Arc<BTreeMap<Name, Settings>> {
        let known = self
            .0
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known)
    }

    /// Returns the language that the device last reported, else that of the list of devices, else
    /// that of the configuration.
    #[must_use]
    pub fn language(&self, device: &Name) -> Language {
        let languages = self
            .0
            .languages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let reported = languages.get(device).copied();
        reported
            .or_else(|| self.settings().get(device)?.language)
            .unwrap_or(self.rules().config.language)
    }

    /// The pattern for names of new lots and serial numbers in flows whose profile has none.
    #[must_use]
    pub fn lot_pattern(&self) -> Option<LotPattern> {
        self.rules().config.lot_pattern.clone()
    }
}

impl Rules {
    fn new(config: config::Capture, orders: &config::Orders) -> Self {
        Self {
            config,
            pick_over: orders.pick_over == Over::Allow,
            receive_over: orders.receive_over == Over::Allow,
        }
    }
}

fn judgement(rules: &Rules, state: &mut State, event: &Event, undone: Option<&Event>) -> Judgement {
    let facts = facts(rules, state, undone.unwrap_or(event));
    match undone {
        Some(undone) => judge_undo(undone, &facts, &state.memory),
        None => judge(event, &facts, &state.memory),
    }
}

fn facts(rules: &Rules, state: &mut State, event: &Event) -> Facts {
    let mut facts = state.lookup.facts(event);
    facts.over_allowed = if event.action.is(Movement::Pick) {
        rules.pick_over
    } else {
        rules.receive_over
    };
    facts
}

/// Whether such an event affects the judgement of later events.
fn is_relevant(event: &Event) -> bool {
    matches!(&event.action, Action::Move(moved) if way(moved.movement) != Way::Neither)
}

fn judge_duplicate() -> Judgement {
    Judgement {
        say: Say {
            ok: true,
            key: Key::AlreadyRecorded,
            arguments: Vec::new(),
        },
        refused: None,
        counts: Counts::default(),
    }
}

impl Judged {
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.is_strict && self.judgement.refused.is_some()
    }

    /// The reason code and the message, if the event is rejected.
    #[must_use]
    pub fn refusal(&self) -> Option<(RejectionCode, String)> {
        let code = self.judgement.refused.filter(|_| self.is_refusal())?;
        let say = &self.judgement.say;
        let message = text(Language::English, say.key, &say.arguments).replace('\n', ": ");
        Some((code, message))
    }

    /// Describes the fault of an event that is accepted all the same, in the device's language.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let say = &self.judgement.say;
        (!say.ok).then(|| text(self.capture.language(&self.device), say.key, &say.arguments))
    }

    /// Takes the journal's answer about the event. Returns the message for the display.
    #[must_use]
    pub fn confirm(mut self, accepted: &Accepted) -> Option<Bytes> {
        match accepted {
            Accepted::Stored { seq } => {
                if let Some(key) = self.key.filter(|_| self.in_memory) {
                    self.capture.state().memory.mark_stored(&key, *seq);
                    self.capture.0.order_changed.notify_one();
                }
                self.in_memory = false;
            }
            Accepted::Duplicate { .. } => self.judgement = judge_duplicate(),
            Accepted::Rejected { .. } => {}
        }
        let say = &self.judgement.say;
        self.display.then(|| {
            let text = text(self.capture.language(&self.device), say.key, &say.arguments);
            let display = Display {
                ok: say.ok,
                text: &text,
                beep: if say.ok { "good" } else { "bad" },
            };
            // Only strings and flags: serialising them cannot fail.
            serde_json::to_vec(&display).unwrap_or_default().into()
        })
    }

    fn into_duplicate(mut self) -> Self {
        self.remove_from_memory();
        self.judgement = judge_duplicate();
        self
    }

    fn accept(mut self) -> Self {
        self.judgement.refused = None;
        self
    }

    fn remove_from_memory(&mut self) {
        if let Some(key) = self.key.filter(|_| self.in_memory) {
            self.capture.state().memory.remove(&key);
        }
        self.in_memory = false;
    }
}

/// The journal did not store the event, or its caller has ended: the event leaves the memory. If it
/// is on disk all the same, the memory counts too little, which rejects nothing.
impl Drop for Judged {
    fn drop(&mut self) {
        self.remove_from_memory();
    }
}

#[cfg(test)]
mod tests;
