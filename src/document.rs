//! Documents: lines that become one picking in Odoo, or lines on an order in Odoo, its validation
//! or the carrier's data. A document is sealed before it is first sent.
//!
//! **Invariant 4:** an event is in at most one document, and the document's key depends on the site
//! and the event ids alone, so every retry, also after a crash, sends the same key.

pub mod answer;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::event::{Event, EventType, Goods, Move, Movement, Name, Recorded, Seq, number_type};
use crate::odoo_id::PickingId;
use crate::reason::{Code, Flag, ReasonCode};

/// 128 bits of BLAKE3 over the site and the ids of the document's events; 32 hex digits in Odoo's
/// external id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentKey(pub [u8; 16]);

impl DocumentKey {
    /// The key of a document with these events, in `seq` order.
    #[must_use]
    pub fn of(site: &Name, events: &[Recorded]) -> Self {
        let mut maker = KeyMaker::new(site);
        for recorded in events {
            maker.add(&recorded.event);
        }
        maker.key()
    }

    /// The key of the document that corrects this one. A document is corrected at most once, so the
    /// key needs no number.
    #[must_use]
    pub fn corrected(&self) -> Self {
        let mut maker = KeyMaker(blake3::Hasher::new());
        maker.part(b"stockrelay correction 1");
        maker.part(&self.0);
        maker.key()
    }

    /// The key of the document that replaces this one when a person undoes its discard, once.
    #[must_use]
    pub fn undiscarded(&self) -> Self {
        let mut maker = KeyMaker(blake3::Hasher::new());
        maker.part(b"stockrelay undiscard 1");
        maker.part(&self.0);
        maker.key()
    }

    /// The key of a recount of this count: number 1, 2, ...
    #[must_use]
    pub fn recount(&self, number: u32) -> Self {
        let mut maker = KeyMaker(blake3::Hasher::new());
        maker.part(b"stockrelay recount 1");
        maker.part(&self.0);
        maker.part(&number.to_le_bytes());
        maker.key()
    }

    /// The picking's external id in Odoo, without the module: `pk_` and the key.
    #[must_use]
    pub fn external_id(&self) -> String {
        format!("pk_{self}")
    }

    /// The external id of a line on an order that Odoo has: `ml_`, the key and the line's place.
    #[must_use]
    pub fn line_external_id(&self, place: usize) -> String {
        format!("ml_{self}_{place}")
    }
}

/// Makes a document's key while events are added. Each part is hashed with its length before it, so
/// two different lists of ids never give the same bytes.
#[derive(Debug, Clone)]
pub struct KeyMaker(blake3::Hasher);

impl KeyMaker {
    #[must_use]
    pub fn new(site: &Name) -> Self {
        let mut maker = Self(blake3::Hasher::new());
        maker.part(b"stockrelay document 1");
        maker.part(site.as_str().as_bytes());
        maker
    }

    /// Adds an event by its device and the device's id for it, which together are unique.
    pub fn add(&mut self, event: &Event) {
        self.part(event.device.as_str().as_bytes());
        self.part(event.id.as_bytes());
    }

    #[must_use]
    pub fn key(&self) -> DocumentKey {
        let mut key = [0; 16];
        key.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        DocumentKey(key)
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DocumentKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("document key {text:?} is not 32 hexadecimal digits");
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad());
        }
        let mut key = [0; 16];
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(key))
    }
}

number_type! {
    /// The number of a document: rising in the order of sealing, never reused. The journal alone
    /// assigns it; a document that is not stored yet has 0.
    DocumentNumber
}

/// Goods of a document, and the events that they come from. Events whose goods differ in quantity
/// alone share a line.
///
/// A bin that is `None` comes from the order, or from the kind of document (a scrap goes to the
/// scrap location).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    pub goods: Goods,
    /// The `seq` of each event that made this line, rising.
    pub events: Vec<Seq>,
}

/// What a document becomes in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// One internal picking with these lines.
    Transfer,
    /// Lines on an order: a delivery, an internal transfer, or one step of several.
    Pick { order: String },
    /// Lines on a receipt; without an order, a receipt of its own.
    Receive { order: Option<String> },
    /// A count of a bin: one line, with the counted quantity.
    Count,
    /// Goods that are thrown away.
    Scrap { reason: Option<String> },
    /// Goods that come back. Without an order, the order of their delivery is unknown.
    Return {
        order: Option<String>,
        reason: Option<String>,
    },
    /// Goods that are put into the package that each line names. With an order: goods that were
    /// picked for it.
    Pack { order: Option<String> },
    /// All goods that were picked for the order and are in no package yet are put into this one.
    PackOrder { order: String, package: String },
    /// The carrier's data of a delivery.
    Ship {
        order: String,
        carrier_ref: Option<String>,
        weight_kg: Option<Decimal>,
        parcels: Option<u32>,
    },
    /// The order is complete.
    Validate { order: String },
    /// Undoes another event of the same device; the one line has the goods of that event.
    Undo {
        /// The device's id of that event.
        event: String,
        /// The journal's number of that event. `None`: there was no such event before.
        seq: Option<Seq>,
        /// The purpose of that event. `None`: the event needed no document, or there was none.
        of: Option<Box<Purpose>>,
        reason: Option<String>,
    },
    /// Corrects a posted count, because something older than the count was posted after it. It has
    /// no events; its line and its time are those of the count.
    Recount {
        /// The number of the count's document.
        count: DocumentNumber,
    },
    /// Sealed by an older version that could not post events of this type. The document has no
    /// lines: its goods are in its one event.
    Unsupported { kind: String },
}

impl Purpose {
    /// Whether the document is about an order that Odoo has. Such documents are sent one at a time.
    #[must_use]
    pub fn is_about_order(&self) -> bool {
        match self {
            Self::Pick { .. }
            | Self::PackOrder { .. }
            | Self::Ship { .. }
            | Self::Validate { .. } => true,
            Self::Receive { order } | Self::Pack { order } => order.is_some(),
            Self::Transfer
            | Self::Count
            | Self::Scrap { .. }
            | Self::Return { .. }
            // An undo puts no lines on an order: it takes lines off, or is a picking of its own.
            | Self::Undo { .. }
            | Self::Recount { .. }
            | Self::Unsupported { .. } => false,
        }
    }

    /// The purpose of the document that a movement goes into.
    #[must_use]
    pub fn of(moved: &Move) -> Self {
        let (order, reason) = (moved.order.clone(), moved.reason.clone());
        match moved.movement {
            Movement::Transfer => Self::Transfer,
            Movement::Pick => Self::Pick {
                // The table of event types requires it.
                order: order.unwrap_or_default(),
            },
            Movement::Receive => Self::Receive { order },
            Movement::Count => Self::Count,
            Movement::Scrap => Self::Scrap { reason },
            Movement::Return => Self::Return { order, reason },
            Movement::Pack => Self::Pack { order },
        }
    }

    /// The name of the event type that it comes from.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Transfer => Movement::Transfer.as_str(),
            Self::Pick { .. } => Movement::Pick.as_str(),
            Self::Receive { .. } => Movement::Receive.as_str(),
            Self::Count => Movement::Count.as_str(),
            Self::Scrap { .. } => Movement::Scrap.as_str(),
            Self::Return { .. } => Movement::Return.as_str(),
            Self::Pack { .. } | Self::PackOrder { .. } => Movement::Pack.as_str(),
            Self::Ship { .. } => EventType::SHIP.name,
            Self::Validate { .. } => EventType::VALIDATE.name,
            Self::Undo { .. } => EventType::UNDO.name,
            Self::Recount { .. } => "recount",
            Self::Unsupported { kind } => kind,
        }
    }

    /// The order that it belongs to, as it was scanned.
    #[must_use]
    pub fn order(&self) -> Option<&str> {
        match self {
            Self::Pick { order }
            | Self::PackOrder { order, .. }
            | Self::Ship { order, .. }
            | Self::Validate { order } => Some(order),
            Self::Receive { order } | Self::Return { order, .. } | Self::Pack { order } => {
                order.as_deref()
            }
            Self::Undo { of, .. } => of.as_ref()?.order(),
            Self::Transfer
            | Self::Count
            | Self::Recount { .. }
            | Self::Scrap { .. }
            | Self::Unsupported { .. } => None,
        }
    }

    /// The field of its own order, to change it.
    pub fn order_field(&mut self) -> OrderField<'_> {
        match self {
            Self::Pick { order }
            | Self::PackOrder { order, .. }
            | Self::Ship { order, .. }
            | Self::Validate { order } => OrderField::Needed(order),
            Self::Receive { order } | Self::Return { order, .. } | Self::Pack { order } => {
                OrderField::Optional(order)
            }
            Self::Transfer
            | Self::Count
            | Self::Scrap { .. }
            | Self::Undo { .. }
            | Self::Recount { .. }
            | Self::Unsupported { .. } => OrderField::None,
        }
    }
}

/// The field of the order in a [`Purpose`].
#[derive(Debug)]
pub enum OrderField<'a> {
    /// A document of this purpose belongs to no order.
    None,
    Optional(&'a mut Option<String>),
    /// A document of this purpose cannot be without an order.
    Needed(&'a mut String),
}

/// A sealed document. It never changes; its [`Progress`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub number: DocumentNumber,
    pub key: DocumentKey,
    pub purpose: Purpose,
    /// The device or operator that did the work.
    pub group: String,
    pub lines: Vec<Line>,
    /// The true time of the movement: when the last of its events was done.
    pub occurred: Timestamp,
    pub sealed: Timestamp,
    /// All its events, rising.
    pub events: Vec<Seq>,
    /// The number of the document that this one corrects and replaces.
    pub corrects: Option<DocumentNumber>,
    /// Warnings from sealing, such as `time-corrected`.
    pub flags: Vec<Code<Flag>>,
    /// The true times of events whose device gave another time, by `seq`, rising.
    pub times: Vec<EventTime>,
}

impl Document {
    /// Its events that have no line: a person removed them in a correction, or the device undid
    /// them while the document was parked. The gateway sends nothing of them to Odoo.
    #[must_use]
    pub fn left_out(&self) -> Vec<Seq> {
        if self.corrects.is_none() || self.lines.is_empty() {
            return Vec::new();
        }
        let mut moved: Vec<Seq> = (self.lines.iter())
            .flat_map(|line| line.events.iter().copied())
            .collect();
        moved.sort_unstable();
        let is_left_out = |seq: &Seq| moved.binary_search(seq).is_err();
        self.events.iter().copied().filter(is_left_out).collect()
    }
}

/// When an event was done, if its device gave another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    pub seq: Seq,
    pub time: Timestamp,
    /// While the clock of the device is in doubt: the other time at which the event may have been
    /// done.
    pub other: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Sealed, not yet sent, or to be sent again.
    Waiting,
    /// A send has started; its outcome is unknown until the document is read back.
    Sending,
    /// Read back from Odoo.
    Posted,
    /// Refused by a rule or by Odoo; waits for a person, or for what its reason waits for
    /// ([`crate::reason::Heals`]).
    Parked,
    /// A person decided that it will not be posted, or its device undid all its events.
    Discarded,
    /// Another document has replaced it and has its events: a correction by a person or by the
    /// device, or the true times.
    Replaced,
}

impl State {
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Sending,
        Self::Posted,
        Self::Parked,
        Self::Discarded,
        Self::Replaced,
    ];

    /// The states that count events; a replaced document has passed its events on.
    pub const COUNTED: [Self; 5] = [
        Self::Waiting,
        Self::Sending,
        Self::Posted,
        Self::Parked,
        Self::Discarded,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Posted => "posted",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a document was refused: a stable code for programs, a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: Code<ReasonCode>,
    pub message: String,
    /// The messages of single lines; empty if the message is about the whole document. Only the
    /// next receipts need them, so they are not stored.
    #[serde(skip)]
    pub lines: Vec<LineReason>,
}

/// What is wrong with one line of a document, or with the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineReason {
    /// The place of the line in the document, from 0; `None`: the whole document.
    pub line: Option<usize>,
    pub code: Code<ReasonCode>,
    pub message: String,
}

impl Reason {
    /// Returns the reason as found at one line.
    #[must_use]
    pub fn at(mut self, line: usize) -> Self {
        if self.lines.is_empty() {
            self.lines.push(self.of(Some(line)));
        }
        self
    }

    /// Returns code and message for this line, or for the whole document, without the other lines.
    #[must_use]
    pub fn of(&self, line: Option<usize>) -> LineReason {
        LineReason {
            line,
            code: self.code.clone(),
            message: self.message.clone(),
        }
    }

    /// Whether both have the same code and message.
    #[must_use]
    pub fn says(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message
    }
}

/// The document's picking in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooRef {
    pub id: PickingId,
    /// Its name, such as `WH/INT/00042`.
    pub name: String,
}

/// The progress of a document. It is replaced as a whole, in one transaction with its audit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub state: State,
    /// The number of sends that were started.
    pub attempts: u32,
    /// Why it is parked or discarded, or why the last attempt failed.
    pub reason: Option<Reason>,
    pub odoo: Option<OdooRef>,
    /// When it entered this state.
    pub since: Timestamp,
    /// The plan that was fixed before the first send, such as the difference of a count. Only
    /// `forward` reads and writes it.
    pub plan: Option<String>,
    /// The answers of people to the gateway's questions: [`answer`].
    pub decision: Option<String>,
    /// Notes for people about the document, in any state: `negative-stock`, `withdrawn`, ... The
    /// reason that parks a document is in `reason`.
    pub flags: Vec<Code<Flag>>,
    /// The `seq` of each of its events that a later document undid.
    pub undone: Vec<Seq>,
}
