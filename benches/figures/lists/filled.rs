//! A journal with many events, written through its inbox as the daemon writes it: batches of
//! events, and documents that the assembler seals.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use stockrelay::assemble::{Assembler, Now};
use stockrelay::clock;
use stockrelay::config;
use stockrelay::document::{Document, DocumentNumber, OdooRef, Progress, Reason, State};
use stockrelay::event::{
    Action, Event, Goods, Measures, Move, Movement, Name, Recorded, Rejection, Seq, SourceKind,
};
use stockrelay::journal::{Accepted, Change, Journal, Namespace};
use stockrelay::odoo_id::PickingId;
use stockrelay::reason::RejectionCode;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// As much as the writer takes into one transaction under load.
const BATCH: u64 = 4_096;
/// Devices that send all the time, and devices that sent one event each.
const BUSY: u64 = 50;
const QUIET: u64 = 2_000;
/// The device and the events that are only among the last: a search passes all others first.
pub const LATE_DEVICE: &str = "late";
pub const LATE_TYPE: &str = "return";
/// The reason of nearly all parked documents, and that of each hundredth.
const COMMON_CODE: &str = "unknown-product";
pub const RARE_CODE: &str = "lot-required";
/// Rejected readings that are stored: a tenth of them is settled by the device.
const REJECTED_MAX: u64 = 20_000;

/// Fills the journal in a data directory with `events` events. About 30 % of the documents are
/// posted, one in a thousand is parked, the newest 2,000 that are sealed before the end are
/// discarded, and the others wait.
pub async fn fill(data_dir: &Path, events: u64) -> Answer<()> {
    let config = config::Journal {
        budget_bytes: 1 << 40,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(data_dir, &config)?;
    let mut filling = Filling {
        assembler: Assembler::new(Name::new("bench")?, config::Documents::default(), Seq::ZERO),
        begun: clock::now().saturating_sub(SignedDuration::from_hours(48))?,
        documents: DocumentNumber::ZERO,
        events,
        journal,
    };
    let mut first = 0;
    while first < events {
        let last = (first + BATCH).min(events);
        filling.append(first..last).await?;
        first = last;
    }
    filling.reject().await?;
    // Flows have read all scans.
    let last = events.to_string().into_bytes();
    let cursor = vec![(Namespace::FlowCursor.only_key(), Some(last))];
    filling.journal.inbox().store_side_values(cursor).await?;
    filling.journal.inbox().close().await?;
    drop(filling);
    writer.join()?;
    Ok(())
}

struct Filling {
    journal: Journal,
    assembler: Assembler,
    begun: Timestamp,
    /// The number of the newest document.
    documents: DocumentNumber,
    /// How many events there will be.
    events: u64,
}

impl Filling {
    async fn append(&mut self, numbers: std::ops::Range<u64>) -> Answer<()> {
        let events: Vec<Event> = numbers
            .clone()
            .map(|number| self.event(number))
            .collect::<Answer<_>>()?;
        let decoded = events.iter().cloned().map(Ok).collect();
        let accepted = self.journal.inbox().append(decoded).await?;
        // One batch a second.
        let now = Now {
            wall: self.time_of(numbers.end)?,
            monotonic: Duration::from_secs(numbers.end / BATCH),
        };
        for (event, accepted) in events.into_iter().zip(accepted) {
            let Accepted::Stored { seq } = accepted else {
                return Err(format!("not stored: {accepted:?}").into());
            };
            self.assembler.take(&Recorded { seq, event }, now);
        }
        let Some(sealed) = self.assembler.seal(now) else {
            return Ok(());
        };
        let changes = (sealed.documents.iter())
            .filter_map(|document| self.end(document))
            .collect();
        let (inbox, unused) = (self.journal.inbox(), sealed.skipped.clone());
        inbox
            .seal_and_store(
                sealed.documents,
                sealed.skipped,
                unused,
                sealed.settled,
                Vec::new(),
            )
            .await?;
        inbox.change(changes).await?;
        Ok(())
    }

    fn time_of(&self, number: u64) -> Answer<Timestamp> {
        let after = Duration::from_secs(number / BATCH);
        Ok(self.begun.saturating_add(after)?)
    }

    fn event(&self, number: u64) -> Answer<Event> {
        let is_late = number + 1_000 >= self.events;
        let device = match number {
            _ if is_late && number.is_multiple_of(10) => LATE_DEVICE.to_owned(),
            quiet if quiet < QUIET => format!("quiet{quiet:04}"),
            busy => format!("dev{:02}", busy % BUSY),
        };
        let at = self.time_of(number)?;
        Ok(Event {
            device: Name::new(&device)?,
            id: blake3::hash(&number.to_le_bytes()).to_hex()[..32].to_owned(),
            id_derived: false,
            source: SourceKind::Listen,
            at,
            received: at,
            measures: Measures::new(),
            operator: None,
            flags: Vec::new(),
            action: action(number, is_late),
        })
    }

    /// The state of a document after it was sealed. `None`: it waits.
    fn end(&mut self, document: &Document) -> Option<Change> {
        self.documents = self.documents.next();
        let number = self.documents;
        let newest = document.events.last().map_or(0, |seq| seq.get());
        let state = match number.get() {
            parked if parked.is_multiple_of(1_000) => State::Parked,
            _ if newest < self.events / 10 * 3 => State::Posted,
            _ if newest + 100_000 > self.events && number.get().is_multiple_of(2) => {
                State::Discarded
            }
            _ => return None,
        };
        let code = if number.get().is_multiple_of(100_000) {
            RARE_CODE
        } else {
            COMMON_CODE
        };
        Some(Change {
            number,
            expect: State::Waiting,
            progress: Progress {
                state,
                attempts: 1,
                reason: (state == State::Parked).then(|| Reason {
                    code: code.into(),
                    message: "a product of the document is not in Odoo".to_owned(),
                    lines: Vec::new(),
                }),
                odoo: (state == State::Posted).then(|| OdooRef {
                    id: PickingId::new(1),
                    name: format!("WH/INT/{number:05}"),
                }),
                since: document.sealed,
                plan: None,
                decision: None,
                flags: Vec::new(),
                undone: Vec::new(),
            },
            by: "forward".to_owned(),
            note: "as the benchmark has it".to_owned(),
        })
    }

    async fn reject(&self) -> Answer<()> {
        let rejections: Vec<Rejection> = (0..REJECTED_MAX.min(self.events / 10))
            .map(|number| {
                Ok(Rejection {
                    device: Name::new(&format!("dev{:02}", number % BUSY))?,
                    source: SourceKind::Listen,
                    channel: None,
                    received: clock::now(),
                    id: Some(format!("rejected-{number}")),
                    code: RejectionCode::BadJson,
                    message: "the payload is not JSON".to_owned(),
                    payload: vec![b'{'; 200],
                    cut: false,
                })
            })
            .collect::<Answer<_>>()?;
        for batch in rejections.chunks(4_096) {
            let decoded = batch.iter().cloned().map(Err).collect();
            self.journal.inbox().append(decoded).await?;
        }
        Ok(())
    }
}

/// Mostly transfers, and every other type.
fn action(number: u64, is_late: bool) -> Action {
    let goods = Goods {
        product: format!("4000000{:06}", number % 500),
        quantity: 1.into(),
        from: Some(format!("LOC-BIN-{:04}", number % 200)),
        to: Some(format!("LOC-BIN-{:04}", (number + 7) % 200)),
        ..Goods::default()
    };
    let order = format!("WH/OUT/{:05}", number / 5_000);
    let moved = |movement, order| {
        Action::Move(Move {
            movement,
            goods: goods.clone(),
            order,
            reason: None,
        })
    };
    if is_late && number.is_multiple_of(100) {
        return moved(Movement::Return, None);
    }
    match number / BUSY % 100 {
        0..=79 => moved(Movement::Transfer, None),
        80..=87 => moved(Movement::Pick, Some(order)),
        88..=92 => moved(Movement::Receive, None),
        93 => moved(Movement::Count, None),
        94 | 95 => moved(Movement::Scrap, None),
        96..=98 => Action::Scan {
            code: goods.product,
            symbology: None,
        },
        _ => Action::Validate { order },
    }
}
