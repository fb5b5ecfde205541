//! What the screen knows about the gateway, and what it needs to know for the view that is open.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem::{Discriminant, discriminant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::flaps::Flaps;
use super::rates::Rates;
use crate::document::DocumentNumber;
use crate::event::RejectedNumber;
use crate::view::control::EffectiveView;
use crate::view::records::{
    CodeNameView, ConfigHistory, DocumentDetail, DocumentView, EventView, Hit, LogPage, OrderPage,
    RejectedView, Trace,
};
use crate::view::snapshot::{Status, Window};
use crate::view::table::seconds_since;
use crate::view::words::Words;

/// The limit of documents whose history the screen keeps.
const DETAILS_MAX: usize = 200;
/// Decided documents, and decided readings, whose outcome is read again with each update.
const FOLLOWED_MAX: usize = 10;
/// The limit of codes whose names the screen keeps; at the limit it looks them up again.
const NAMES_MAX: usize = 5_000;

/// What a row or a page is about. Enter on the row opens the page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Device(String),
    /// An id that `trace` takes.
    Event(String),
    Document(DocumentNumber),
    Rejected(RejectedNumber),
    Alarm(String),
    /// An open order, by its name.
    Order(String),
    Source(String),
    /// The configuration as a whole: what runs, what is pending, and the last bundles.
    Configuration,
    /// A key of the configuration.
    Key(String),
    /// A line of the log.
    Log(u64),
    /// The list of a device's events.
    EventsOf(String),
    /// The list of scans of devices without a flow.
    UnusedScans,
    /// A task of the overview, by its text.
    Todo(String),
    /// A product, bin, lot, package or operator: what `trace` finds for this id.
    Name(String),
    /// The results of a search.
    Search(String),
    /// A panel, with a filter.
    Panel(usize, String),
}

/// Data that the open view needs beyond the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The newest documents.
    Documents {
        rows: usize,
    },
    /// The oldest parked documents.
    Parked {
        rows: usize,
    },
    /// The oldest open rejected readings.
    Rejected {
        rows: usize,
    },
    Orders,
    Config,
    /// The newest lines of the log.
    Log,
    /// The newest events of a device.
    Events {
        device: String,
        rows: usize,
    },
    /// The newest scans of devices without a flow.
    Unused {
        rows: usize,
    },
    Trace(String),
    /// The names of codes of products and locations.
    Names(BTreeSet<String>),
    Search {
        text: String,
        rows: usize,
    },
    /// A document with its history.
    Document(DocumentNumber),
    /// A rejected reading with its whole payload.
    Reading(RejectedNumber),
    /// The oldest open rejected readings, for their times.
    OldestRejected,
}

/// The answer to a [`Need`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Documents(Vec<DocumentView>),
    Parked(Vec<DocumentView>),
    Rejected(Vec<RejectedView>),
    Orders(OrderPage),
    Config(Box<EffectiveView>, ConfigHistory),
    Log(LogPage),
    Events(DeviceEvents),
    Unused(DeviceEvents),
    Trace(String, Box<Trace>),
    Names(Vec<CodeNameView>),
    Search(Found),
    Document(Box<DocumentDetail>),
    Reading(Box<RejectedView>),
    OldestRejected(Vec<RejectedView>),
    /// The daemon refused: the need, and the reason.
    Refused(Need, String),
}

impl Reply {
    /// Whether it is the answer to this need.
    #[must_use]
    pub fn is_to(&self, need: &Need) -> bool {
        match (self, need) {
            (Self::Trace(id, _), Need::Trace(needed)) => id == needed,
            (Self::Document(detail), Need::Document(number)) => detail.document.number == *number,
            (Self::Reading(reading), Need::Reading(number)) => reading.number == *number,
            (Self::Events(events), Need::Events { device, .. }) => events.device == *device,
            (Self::Orders(_), Need::Orders)
            | (Self::Config(..), Need::Config)
            | (Self::Log(_), Need::Log) => true,
            (Self::Refused(refused, _), need) => refused == need,
            _ => false,
        }
    }
}

/// The result of one poll of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    Gateway(Box<Status>, Vec<Reply>),
    /// The daemon takes requests, and has not answered the last one for some time.
    Silent,
    /// No answer; the text is the reason.
    NoAnswer(String),
}

/// What the events of the last hour are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hour {
    pub movements: u64,
    pub parked: u64,
    /// Scans that moved no stock, because their devices have no flow.
    pub unused: u64,
    /// All events of the hour were read.
    pub is_whole: bool,
}

impl Hour {
    /// Counts the events since `begin`. `is_all`: no older events exist.
    #[must_use]
    pub fn of(events: &[EventView], begin: Timestamp, is_all: bool) -> Self {
        let mut hour = Self {
            is_whole: is_all || events.iter().any(|event| event.received < begin),
            ..Self::default()
        };
        for event in events.iter().filter(|event| event.received >= begin) {
            hour.movements += u64::from(event.kind != "scan");
            hour.parked += u64::from(event.state == "parked");
            hour.unused += u64::from(event.unused);
        }
        hour
    }
}

/// The newest events of a device, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceEvents {
    pub device: String,
    pub hour: Hour,
    pub events: Vec<EventView>,
    /// How many of the newest events of all devices were read for this.
    pub searched: u64,
    /// Older events were not read.
    pub is_cut: bool,
}

/// The results of a search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    pub text: String,
    pub hits: Vec<Hit>,
    pub total: u64,
    /// False: there are at least `total`.
    pub is_exact: bool,
}

/// All that the screen knows.
#[derive(Debug, Clone, Default)]
pub struct Data {
    pub words: Words,
    pub now: Timestamp,
    /// When the daemon answered last. `None`: it never did.
    pub answered: Option<Timestamp>,
    pub status: Status,
    pub rates: Rates,
    pub flaps: Flaps,
    /// The newest first.
    pub documents: Vec<DocumentView>,
    /// The oldest first.
    pub parked: Vec<DocumentView>,
    /// The oldest first.
    pub rejected: Vec<RejectedView>,
    /// The oldest first: at least the times of the oldest ones.
    pub oldest_rejected: Vec<RejectedView>,
    pub orders: OrderPage,
    pub config: EffectiveView,
    pub history: ConfigHistory,
    pub log: LogPage,
    pub events: DeviceEvents,
    pub unused: DeviceEvents,
    /// The history of the open event, by the id with which it was requested.
    pub trace: Option<(String, Trace)>,
    /// The names of codes. `None`: the catalog does not have the code.
    pub names: BTreeMap<String, Option<String>>,
    pub found: Found,
    /// The documents that a person has decided about in this session, as they were then.
    pub decided: BTreeMap<DocumentNumber, DocumentView>,
    /// Documents with their history: those that are open, and those that were decided about.
    pub details: BTreeMap<DocumentNumber, DocumentDetail>,
    /// The open rejected reading, with its whole payload.
    pub reading: Option<RejectedView>,
    /// The readings that a person has decided about in this session, as they are now.
    pub settled: BTreeMap<RejectedNumber, RejectedView>,
    /// Why the daemon did not answer a need of the open view.
    pub refusal: Option<String>,
    /// The kinds of replies that the daemon has given.
    read: HashSet<Discriminant<Reply>>,
}

impl Data {
    pub fn take(&mut self, status: Status, answers: Vec<Reply>, now: Timestamp) {
        self.rates.add(&status, now);
        self.flaps.add(&status, now);
        (self.status, self.answered, self.now) = (status, Some(now), now);
        self.refusal = None;
        for answer in answers {
            self.take_answer(answer);
        }
    }

    fn take_answer(&mut self, answer: Reply) {
        self.read.insert(discriminant(&answer));
        match answer {
            Reply::Documents(documents) => self.documents = documents,
            Reply::Parked(parked) => self.parked = parked,
            Reply::Rejected(rejected) => self.rejected = rejected,
            Reply::Orders(orders) => self.orders = orders,
            Reply::Config(config, history) => (self.config, self.history) = (*config, history),
            Reply::Log(log) => self.log = log,
            Reply::Events(events) => self.events = events,
            Reply::Unused(unused) => self.unused = unused,
            Reply::Trace(id, trace) => self.trace = Some((id, *trace)),
            Reply::Names(names) => {
                if self.names.len() > NAMES_MAX {
                    self.names.clear();
                }
                let names = names.into_iter().map(|name| (name.code, name.name));
                self.names.extend(names);
            }
            Reply::Search(found) => self.found = found,
            Reply::Document(detail) => {
                self.details.insert(detail.document.number, *detail);
                if self.details.len() > DETAILS_MAX {
                    self.details.pop_first();
                }
            }
            Reply::Reading(reading) => {
                if let Some(known) = self.settled.get_mut(&reading.number) {
                    known.clone_from(&reading);
                }
                self.reading = Some(*reading);
            }
            Reply::OldestRejected(rejected) => self.oldest_rejected = rejected,
            Reply::Refused(_, why) => self.refusal = Some(why),
        }
    }

    /// Forgets the scans that moved no stock: they are read again.
    pub fn forget_unused(&mut self) {
        self.unused = DeviceEvents::default();
        let unused = Reply::Unused(DeviceEvents::default());
        self.read.remove(&discriminant(&unused));
    }

    /// Notes that a person has decided about a document or a reading: its row shows the outcome.
    pub fn note_decision(&mut self, subject: &Subject) {
        match subject {
            Subject::Document(number) => {
                if let Some(document) = self.document(*number).cloned() {
                    self.details.remove(number);
                    self.decided.insert(*number, document);
                }
            }
            Subject::Rejected(number) => {
                if let Some(rejected) = self.rejected(*number).cloned() {
                    self.settled.insert(*number, rejected);
                }
            }
            _ => {}
        }
    }

    /// The needs of the outcomes that may still change.
    pub fn needs_of_outcomes(&self) -> Vec<Need> {
        let is_over = |number: &DocumentNumber| {
            let detail = self.details.get(number);
            let state = detail.map(|detail| detail.document.state.as_str());
            matches!(state, Some("posted" | "replaced" | "discarded"))
        };
        let documents = self.decided.keys().rev().filter(|number| !is_over(number));
        let documents = documents.take(FOLLOWED_MAX).copied().map(Need::Document);
        let open = self.settled.values().filter(|it| it.state == "open");
        let open = open.map(|rejected| Need::Reading(rejected.number));
        documents.chain(open.take(FOLLOWED_MAX)).collect()
    }

    /// The history with this id, if it is known.
    #[must_use]
    pub fn trace_of(&self, id: &str) -> Option<&Trace> {
        let (known, trace) = self.trace.as_ref()?;
        (known == id).then_some(trace)
    }

    /// The document with this number, from any list that has it.
    #[must_use]
    pub fn document(&self, number: DocumentNumber) -> Option<&DocumentView> {
        let is_it = |document: &&DocumentView| document.number == number;
        (self.details.get(&number).map(|detail| &detail.document))
            .or_else(|| self.parked.iter().find(is_it))
            .or_else(|| self.documents.iter().find(is_it))
            .or_else(|| self.decided.get(&number))
    }

    #[must_use]
    pub fn rejected(&self, number: RejectedNumber) -> Option<&RejectedView> {
        let is_it = |rejected: &&RejectedView| rejected.number == number;
        let settled = self.settled.get(&number);
        let settled = settled.filter(|rejected| rejected.state != "open");
        let open = self.reading.as_ref().filter(is_it);
        (settled.or(open)).or_else(|| self.rejected.iter().find(is_it))
    }

    /// Whether the daemon has answered the need of a list. `None`: the list needs the status alone.
    #[must_use]
    pub fn has_read(&self, need: Option<&Need>) -> bool {
        let has = |reply: &Reply| self.read.contains(&discriminant(reply));
        match need {
            _ if self.answered.is_none() => false,
            Some(Need::Events { device, .. }) => self.events.device == *device,
            Some(Need::Search { text, .. }) => self.found.text == *text,
            Some(Need::Documents { .. }) => has(&Reply::Documents(Vec::new())),
            Some(Need::Parked { .. }) => has(&Reply::Parked(Vec::new())),
            Some(Need::Rejected { .. }) => has(&Reply::Rejected(Vec::new())),
            Some(Need::Orders) => has(&Reply::Orders(OrderPage::default())),
            Some(Need::Log) => has(&Reply::Log(LogPage::default())),
            Some(Need::Unused { .. }) => has(&Reply::Unused(DeviceEvents::default())),
            None | Some(_) => true,
        }
    }

    /// The time zone of the site, and its name if a reader must know it.
    #[must_use]
    pub fn zone(&self) -> (TimeZone, &'static str) {
        let window = self.status.window.as_ref();
        window.map_or((TimeZone::UTC, " UTC"), Window::time_zone)
    }

    /// A time for people, in the time zone of the site: `13:18:43`, with its date on another day.
    #[must_use]
    pub fn time(&self, at: Timestamp) -> String {
        let (zone, _) = self.zone();
        let (at, now) = (at.to_zoned(zone.clone()), self.now.to_zoned(zone));
        let format = if at.date() == now.date() {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        at.strftime(format).to_string()
    }

    /// A time for people without seconds: `13:18`, with its date on another day.
    #[must_use]
    pub fn minute(&self, at: Timestamp) -> String {
        let mut time = self.time(at);
        time.truncate(time.len() - ":00".len());
        time
    }

    /// The age of a time, or a dash.
    #[must_use]
    pub fn ago(&self, at: Option<Timestamp>) -> String {
        at.map_or("–".to_owned(), |at| self.words.ago(at, self.now))
    }

    /// A time and its age: `13:18:43, 1 min 4 s ago`.
    #[must_use]
    pub fn time_and_age(&self, at: Timestamp) -> String {
        format!("{}, {}", self.time(at), self.ago(Some(at)))
    }

    /// The time since `at`: `1 min 4 s`.
    #[must_use]
    pub fn span(&self, at: Timestamp) -> String {
        self.words.span(seconds_since(at, self.now))
    }

    /// The name of a product or location with this code, if it is known.
    #[must_use]
    pub fn name(&self, code: &str) -> Option<&str> {
        self.names.get(code)?.as_deref()
    }
}
