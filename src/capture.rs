//! What a person is told at once of what was scanned, from the copy of Odoo's data; and, where it
//! is strict, what is turned away.
//!
//! Comes in: decoded events, on their way to the journal. Goes out: for each a word for the
//! display, once the journal has it; and where `capture.check` is strict, a refusal in the place of
//! what is wrong. Beside it, the devices' open orders.
//!
//! - `judge`: what an event comes to by what is known. Pure.
//! - `memory`: what was captured since the copy was brought up to date. Pure. `settle`: what of it
//!   counts no more, and what is recalled after a start, by the journal.
//! - `lookup`: the copy, with what was asked last in memory.
//! - `texts`: what displays say, in six languages.
//! - `tasks`: each device's open orders.
//!
//! **Promises:** nothing here waits for Odoo, or for a device. An event that was taken once is
//! taken again, whatever is known by then: before a refusal the journal is asked. What goes wrong
//! here refuses nothing.

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
use judge::{Facts, Judgement, Say, judge, take_back, way};
use lookup::Lookup;
use memory::{Counts, EventKey, Memory, Way};
use texts::{Key, text};

/// Devices whose language is remembered as they said it.
const LANGUAGES_MAX: usize = 10_000;
/// So many of the newest events are recalled after a start, which takes a fraction of a second.
const RECALLED_MAX: u64 = 100_000;
/// Read at once.
const PAGE_EVENTS: usize = 250;
/// The longest `state` that is read.
const STATE_BYTES_MAX: usize = 16 << 10;

/// What `devices.toml` says of a device besides its password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub language: Option<Language>,
    /// The kinds of orders that it works on; none: all.
    pub tasks: Option<Vec<Direction>>,
}

/// Shared by all sources; clones are the same.
#[derive(Debug, Clone)]
pub struct Capture(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: config::Capture,
    pick_over: bool,
    receive_over: bool,
    /// None where there is no journal to ask, in tests.
    journal: Option<Journal>,
    state: Mutex<Known>,
    said: Mutex<HashMap<Name, Language>>,
    settings: Mutex<Arc<BTreeMap<Name, Settings>>>,
    /// Something was captured for an order.
    worked: Notify,
}

#[derive(Debug)]
struct Known {
    lookup: Lookup,
    memory: Memory,
    /// When what was taken back was looked at.
    looked: Option<News>,
    /// When all that counts was held against the journal.
    settled: Option<News>,
}

/// How many documents were posted, parked and discarded, and the news of the copy.
type News = ([u64; 3], Option<u64>);

/// A judgement that waits for what the journal says.
#[derive(Debug)]
pub struct Judged {
    capture: Capture,
    judgement: Judgement,
    key: Option<EventKey>,
    /// It was noted here, and is to be taken back unless it is kept.
    noted: bool,
    device: Name,
    display: bool,
}

#[derive(Serialize)]
struct Display<'a> {
    ok: bool,
    text: &'a str,
    beep: &'static str,
}

impl Capture {
    /// `fresh_for`: how long after it was brought up to date the copy is taken to know everything.
    #[must_use]
    pub fn new(
        config: config::Capture,
        orders: &config::Orders,
        copy: watch::Receiver<Option<Catalog>>,
        fresh_for: Duration,
        journal: Option<Journal>,
    ) -> Self {
        Self(Arc::new(Inner {
            pick_over: orders.pick_over == Over::Allow,
            receive_over: orders.receive_over == Over::Allow,
            config,
            journal,
            state: Mutex::new(Known {
                lookup: Lookup::new(copy, fresh_for),
                memory: Memory::default(),
                looked: None,
                settled: None,
            }),
            said: Mutex::default(),
            settings: Mutex::default(),
            worked: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, Known> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_strict(&self) -> bool {
        self.0.config.check == Check::Strict
    }

    /// Judges an event, if there is anything to be had from it; `display`: somebody would read it.
    #[must_use]
    pub fn judge(&self, event: &Event, display: bool) -> Option<Judged> {
        let undone = self.undone_by(event);
        let counts = counts(undone.as_ref().unwrap_or(event));
        let wanted = match self.0.config.check {
            Check::Off => false,
            Check::Lenient => display || counts,
            Check::Strict => true,
        };
        if !wanted {
            return None;
        }
        let key = counts.then(|| EventKey::of(event));
        if counts {
            self.settle_back();
        }
        let mut state = self.state();
        let known = key.as_ref().is_some_and(|key| state.memory.knows(key));
        let judgement = if known {
            again()
        } else {
            self.judgement(&mut state, event, undone.as_ref())
        };
        let refused = self.is_strict() && judgement.refused.is_some();
        let counted = judgement.counts != Counts::default();
        let noted = counted && !known && !refused;
        if let Some(key) = key.filter(|_| noted) {
            state.memory.note(key, judgement.counts.clone());
        }
        drop(state);
        Some(Judged {
            capture: self.clone(),
            judgement,
            key,
            noted,
            device: event.device.clone(),
            display,
        })
    }

    fn judgement(&self, state: &mut Known, event: &Event, undone: Option<&Event>) -> Judgement {
        let facts = self.facts(state, undone.unwrap_or(event));
        match undone {
            Some(undone) => take_back(undone, &facts, &state.memory),
            None => judge(event, &facts, &state.memory),
        }
    }

    /// The event that this one takes back, as far as the journal has it.
    fn undone_by(&self, event: &Event) -> Option<Event> {
        let Action::Undo { event: id, .. } = &event.action else {
            return None;
        };
        let found = self.0.journal.as_ref()?.event_of(event.device.as_str(), id);
        // What cannot be read counts for nothing, and refuses nothing.
        found.ok()?.map(|recorded| recorded.event)
    }

    fn facts(&self, state: &mut Known, event: &Event) -> Facts {
        let mut facts = state.lookup.facts(event);
        facts.over_allowed = if event.action.is(Movement::Pick) {
            self.0.pick_over
        } else {
            self.0.receive_over
        };
        facts
    }

    /// Before anything is refused: whether the journal has the event already, and whether it is
    /// still wrong once what Odoo has meanwhile is not counted twice. Answers what it comes to.
    pub async fn reconsider(&self, event: &Event, judged: Judged) -> Judged {
        let Some(journal) = self.0.journal.clone() else {
            return judged;
        };
        let (capture, event) = (self.clone(), event.clone());
        let display = judged.display;
        let looked = tokio::task::spawn_blocking(move || {
            if journal
                .event_of(event.device.as_str(), &event.id)?
                .is_some()
            {
                return Ok(None);
            }
            capture.settle_with(&journal)?;
            Ok::<_, JournalError>(Some(event))
        });
        match looked.await {
            Ok(Ok(Some(event))) => self.judge(&event, display).unwrap_or(judged),
            Ok(Ok(None)) => judged.again(),
            // What goes wrong here refuses nothing.
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot look into the journal before a refusal: taken");
                judged.taken()
            }
            Err(_) => judged.taken(),
        }
    }

    /// What a device says of itself; its `language` counts.
    pub fn heard_state(&self, device: &Name, payload: &[u8]) {
        #[derive(serde::Deserialize)]
        struct Said {
            language: Option<String>,
        }
        if payload.len() > STATE_BYTES_MAX {
            return;
        }
        let said = serde_json::from_slice::<Said>(payload).ok();
        let language = said.and_then(|said| Language::of(&said.language?));
        let mut known = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        match language {
            Some(language) if known.contains_key(device) || known.len() < LANGUAGES_MAX => {
                known.insert(device.clone(), language);
            }
            // A last will says that the device is away, and nothing of its language.
            _ => {}
        }
    }

    /// What `devices.toml` says, whenever it is read.
    pub fn know_devices(&self, settings: BTreeMap<Name, Settings>) {
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

    /// As the device said last, else as the list of devices has it, else as the configuration does.
    #[must_use]
    pub fn language(&self, device: &Name) -> Language {
        let said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = said.get(device).copied();
        said.or_else(|| self.settings().get(device)?.language)
            .unwrap_or(self.0.config.language)
    }

    /// What flows accept as the name of a new lot or serial number, where the profile has no
    /// pattern of its own.
    #[must_use]
    pub fn lot_pattern(&self) -> Option<&LotPattern> {
        self.0.config.lot_pattern.as_ref()
    }
}

/// Whether such an event matters to what comes next.
fn counts(event: &Event) -> bool {
    matches!(&event.action, Action::Move(moved) if way(moved.movement) != Way::Neither)
}

fn again() -> Judgement {
    Judgement {
        say: Say {
            ok: true,
            key: Key::Again,
            arguments: Vec::new(),
        },
        refused: None,
        counts: Counts::default(),
    }
}

impl Judged {
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.capture.is_strict() && self.judgement.refused.is_some()
    }

    /// The reason code and the message, if the event is to be turned away.
    #[must_use]
    pub fn refusal(&self) -> Option<(RejectionCode, String)> {
        let code = self.judgement.refused.filter(|_| self.is_refusal())?;
        let say = &self.judgement.say;
        let message = text(Language::English, say.key, &say.arguments).replace('\n', ": ");
        Some((code, message))
    }

    /// What is wrong with it, in the device's language, though it is taken.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let say = &self.judgement.say;
        (!say.ok).then(|| text(self.capture.language(&self.device), say.key, &say.arguments))
    }

    /// Notes the answer of the journal. Returns the message for the display of the device, if the
    /// device wants one.
    #[must_use]
    pub fn finish(mut self, accepted: &Accepted) -> Option<Bytes> {
        match accepted {
            Accepted::Stored { seq } => {
                if let Some(key) = self.key.filter(|_| self.noted) {
                    self.capture.state().memory.stored(&key, *seq);
                    self.capture.0.worked.notify_one();
                }
                self.noted = false;
            }
            Accepted::Duplicate { .. } => self.judgement = again(),
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
            // Strings and flags alone: serialising them cannot fail.
            serde_json::to_vec(&display).unwrap_or_default().into()
        })
    }

    fn again(mut self) -> Self {
        self.take_back();
        self.judgement = again();
        self
    }

    fn taken(mut self) -> Self {
        self.judgement.refused = None;
        self
    }

    fn take_back(&mut self) {
        if let Some(key) = self.key.filter(|_| self.noted) {
            self.capture.state().memory.undo(&key);
        }
        self.noted = false;
    }
}

/// Whoever waited for the journal has gone, or the journal did not take it: as if it had never
/// come. Should it be on disk all the same, too little is counted, which refuses nothing.
impl Drop for Judged {
    fn drop(&mut self) {
        self.take_back();
    }
}

#[cfg(test)]
mod tests;
