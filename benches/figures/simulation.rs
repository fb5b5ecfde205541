//! A site's journal over many days, without a daemon: devices send events, the assembler seals
//! documents, their outcomes are written as the forwarder writes them, and records whose retention
//! has ended are pruned.
//!
//! Time is an argument: a day takes as long as its commits. All choices follow from the number of
//! an event or a document, so that each run has the same events.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use stockrelay::assemble::{Assembler, Now};
use stockrelay::clock;
use stockrelay::config;
use stockrelay::document::{Document, DocumentNumber, OdooRef, Progress, Reason, State};
use stockrelay::event::{
    Action, Event, Goods, Measures, Move, Movement, Name, Recorded, Seq, SourceKind,
};
use stockrelay::journal::{Accepted, Change, FILE, Journal, WriterHandle};
use stockrelay::odoo_id::PickingId;
use stockrelay::reason::ReasonCode;

use super::disk_use::DiskUse;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const DAY_SECONDS: u64 = 86_400;
/// People work from 6 to 22 o'clock.
const WORK_BEGINS_SECONDS: u64 = 6 * 3_600;
const WORK_SECONDS: u64 = 16 * 3_600;
const DEVICES: u64 = 20;
/// A person moves up to so many things without a pause; each such piece of work becomes a document.
const EVENTS_AT_ONCE_MAX: u64 = 4;
const DUPLICATES_PERCENT: u64 = 1;
/// Raw scans need no document.
const SCANS_PERCENT: u64 = 2;
/// One of so many documents is parked. A person discards one of 5 parked documents, and corrects
/// the others, after some days.
const PARKED_ONE_OF: u64 = 200;
const DISCARDED_ONE_OF: u64 = 5;
const PARKED_DAYS: u64 = 10;
const BUDGET_BYTES: u64 = 64 << 30;
/// The stored plan of a document that needs none.
const NO_PLAN: &str = "{}";

/// How much happens, and how long the journal stores it.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub events_per_day: u64,
    /// Both `journal.retention_days` and `journal.dedup_days`.
    pub kept_days: u32,
    /// Events that are stored in one commit.
    pub group_events: u64,
}

/// The work of pruning in one day.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pruned {
    pub events: u64,
    /// Requests that removed events.
    pub requests: u64,
    pub longest: Duration,
    /// The longest request that found nothing to remove. The daemon makes one each minute.
    pub longest_of_nothing: Duration,
}

/// The size of the journal at the end of a day.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// All files of the data directory.
    pub disk: DiskUse,
    /// The pages that the database uses, and all other files.
    pub in_use: u64,
    /// Events that are not pruned.
    pub events: u64,
}

/// A parked document, and the day on which a person decides about it.
struct Parked {
    number: DocumentNumber,
    day: u64,
}

/// The journal of a simulated site.
pub struct Simulation {
    folder: PathBuf,
    plan: Plan,
    journal: Journal,
    writer: WriterHandle,
    assembler: Assembler,
    /// The days that are over.
    day: u64,
    last_document: DocumentNumber,
    parked: VecDeque<Parked>,
    pruned_events: u64,
}

impl Simulation {
    pub fn open(folder: &Path, plan: Plan) -> Answer<Self> {
        let (journal, writer) = open(folder, plan)?;
        Ok(Self {
            folder: folder.to_owned(),
            plan,
            journal,
            writer,
            assembler: Assembler::new(Name::new("year")?, config::Documents::default(), Seq::ZERO),
            day: 0,
            last_document: DocumentNumber::ZERO,
            parked: VecDeque::new(),
            pruned_events: 0,
        })
    }

    /// Stores, seals, posts and prunes for one day.
    pub async fn run_one_day(&mut self) -> Answer<Pruned> {
        let mut pruned = Pruned::default();
        let first = self.day * self.plan.events_per_day;
        let mut events = day(self.day, first, self.plan.events_per_day)?.into_iter();
        let group = usize::try_from(self.plan.group_events)?;
        loop {
            let group: Vec<Event> = events.by_ref().take(group).collect();
            let Some(last) = group.last() else {
                break;
            };
            let now = last.received;
            let recorded = self.store(group).await?;
            let documents = self.seal(&recorded).await?;
            self.post(documents, now).await?;
            self.prune(now, &mut pruned).await?;
        }
        self.decide().await?;
        self.day += 1;
        self.pruned_events += pruned.events;
        Ok(pruned)
    }

    /// Closes the journal, measures it, and opens it again.
    pub async fn measure(self) -> Answer<(Self, Size)> {
        let events = self.journal.totals().stored - self.pruned_events;
        self.journal.inbox().close().await?;
        drop(self.journal);
        self.writer.join()?;
        let disk = DiskUse::of(&self.folder)?;
        let file = self.folder.join(FILE);
        let length = std::fs::metadata(&file)?.len();
        let in_use = disk.length - length + pages_in_use(&file)?;
        let size = Size {
            disk,
            in_use,
            events,
        };
        let (journal, writer) = open(&self.folder, self.plan)?;
        let opened = Self {
            journal,
            writer,
            ..self
        };
        Ok((opened, size))
    }

    /// Stores a group of events, and a part of them a second time, as a device does that missed the
    /// acknowledgement.
    async fn store(&self, events: Vec<Event>) -> Answer<Vec<Recorded>> {
        let again = (events.iter())
            .filter(|event| number_in(&event.id, 0) % 100 < DUPLICATES_PERCENT)
            .cloned();
        let readings = events.iter().cloned().chain(again).map(Ok).collect();
        let accepted = self.journal.inbox().append(readings).await?;
        let stored = (events.into_iter().zip(&accepted)).map(|(event, accepted)| match accepted {
            Accepted::Stored { seq } => Ok(Recorded { seq: *seq, event }),
            other => Err(format!("event {} was not stored: {other:?}", event.id).into()),
        });
        stored.collect()
    }

    /// Seals the documents that are due, and numbers them as the journal does.
    async fn seal(&mut self, recorded: &[Recorded]) -> Answer<Vec<Document>> {
        let (mut documents, mut skipped, mut settled) = (Vec::new(), Vec::new(), None);
        for recorded in recorded {
            let now = at(recorded.event.received)?;
            if let Some(sealed) = self.assembler.seal(now) {
                documents.extend(sealed.documents);
                skipped.extend(sealed.skipped);
                settled = Some(sealed.settled);
            }
            self.assembler.take(recorded, now);
        }
        let Some(settled) = settled else {
            return Ok(documents);
        };
        for document in &mut documents {
            self.last_document = self.last_document.next();
            document.number = self.last_document;
        }
        let inbox = self.journal.inbox();
        inbox.seal(documents.clone(), skipped, settled).await?;
        Ok(documents)
    }

    /// Sends documents. Most are posted, some are parked.
    async fn post(&mut self, documents: Vec<Document>, now: Timestamp) -> Answer<()> {
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for document in &documents {
            let (number, plan) = (document.number, plan_text(document));
            begun.push(send(number, &plan, now));
            if number.get().is_multiple_of(PARKED_ONE_OF) {
                let day = self.day + PARKED_DAYS;
                self.parked.push_back(Parked { number, day });
                ended.push(park(number, &plan, now));
            } else {
                ended.push(post(number, &plan, now)?);
            }
        }
        self.change(begun).await?;
        self.change(ended).await
    }

    /// A person discards parked documents, or has corrected in Odoo what they were parked for.
    async fn decide(&mut self) -> Answer<()> {
        let now = timestamp(self.day * DAY_SECONDS + DAY_SECONDS - 1)?;
        let (mut first, mut begun, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(parked) = self.parked.pop_front_if(|parked| parked.day <= self.day) {
            let number = parked.number;
            if (number.get() / PARKED_ONE_OF).is_multiple_of(DISCARDED_ONE_OF) {
                first.push(Change {
                    by: "user:anna".to_owned(),
                    note: "the label was wrong".to_owned(),
                    ..change(number, State::Parked, State::Discarded, now)
                });
            } else {
                first.push(Change {
                    by: "user:anna".to_owned(),
                    note: "retry: the product has its barcode now".to_owned(),
                    ..change(number, State::Parked, State::Waiting, now)
                });
                begun.push(send(number, NO_PLAN, now));
                ended.push(post(number, NO_PLAN, now)?);
            }
        }
        self.change(first).await?;
        self.change(begun).await?;
        self.change(ended).await
    }

    async fn change(&self, changes: Vec<Change>) -> Answer<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let results = self.journal.inbox().change(changes).await?;
        if results.iter().all(|has_changed| *has_changed) {
            Ok(())
        } else {
            Err("a document is not in the state that the simulation expects".into())
        }
    }

    /// Prunes as the daemon does: until a request removes nothing.
    async fn prune(&self, now: Timestamp, pruned: &mut Pruned) -> Answer<()> {
        loop {
            let begun: Instant = clock::instant();
            let events = self.journal.inbox().prune(now).await?;
            let took = begun.elapsed();
            if events == 0 {
                pruned.longest_of_nothing = pruned.longest_of_nothing.max(took);
                return Ok(());
            }
            pruned.events += events;
            pruned.requests += 1;
            pruned.longest = pruned.longest.max(took);
        }
    }
}

fn open(folder: &Path, plan: Plan) -> Answer<(Journal, WriterHandle)> {
    let config = config::Journal {
        budget_bytes: BUDGET_BYTES,
        dedup_days: plan.kept_days,
        retention_days: plan.kept_days,
        ..config::Journal::default()
    };
    Ok(Journal::open(folder, &config)?)
}

/// The bytes of the pages that the database in a file uses.
fn pages_in_use(file: &Path) -> Answer<u64> {
    let database = redb::Database::builder()
        .set_cache_size(4 << 20)
        .open(file)?;
    let write = database.begin_write()?;
    let stats = write.stats()?;
    write.abort()?;
    Ok(stats.allocated_pages() * stats.page_size() as u64)
}

/// A time by seconds since the first midnight.
fn timestamp(seconds: u64) -> Answer<Timestamp> {
    const FIRST_MIDNIGHT: i64 = 1_798_761_600;
    Ok(Timestamp::from_second(
        FIRST_MIDNIGHT + i64::try_from(seconds)?,
    )?)
}

/// The same moment by the two clocks of the assembler.
fn at(wall: Timestamp) -> Answer<Now> {
    let since = wall.duration_since(timestamp(0)?);
    Ok(Now {
        wall,
        monotonic: since.try_into()?,
    })
}

/// The events of one day, in the order of their receipt. `first`: the number of its first event.
fn day(day: u64, first: u64, count: u64) -> Answer<Vec<Event>> {
    let begin = timestamp(day * DAY_SECONDS + WORK_BEGINS_SECONDS)?;
    let apart = Duration::from_secs(WORK_SECONDS) / u32::try_from(count)?;
    let mut events = Vec::new();
    let mut next = 0;
    while next < count {
        let work = digest(first + next);
        let device = number_in(&work, 1) % DEVICES;
        let at_once = 1 + number_in(&work, 2) % EVENTS_AT_ONCE_MAX;
        // A second between two events, or less on a busy day.
        let step = apart.min(Duration::from_secs(1));
        for place in 0..at_once.min(count - next) {
            let since = apart * u32::try_from(next)? + step * u32::try_from(place)?;
            events.push(event(first + next + place, device, begin + since)?);
        }
        next += at_once;
    }
    Ok(events)
}

fn event(number: u64, device: u64, received: Timestamp) -> Answer<Event> {
    let id = digest(number);
    let product = format!("4000000{:06}", number_in(&id, 3) % 500);
    let bin = |place| format!("LOC-BIN-{:04}", number_in(&id, place) % 200);
    let action = if number_in(&id, 4) % 100 < SCANS_PERCENT {
        Action::Scan {
            code: product,
            symbology: None,
        }
    } else {
        let goods = Goods {
            product,
            quantity: 1.into(),
            from: Some(bin(5)),
            to: Some(bin(6)),
            ..Goods::default()
        };
        Action::Move(Move::new(Movement::Transfer, goods))
    };
    Ok(Event {
        device: Name::new(&format!("dev{device:02}"))?,
        id,
        id_derived: false,
        source: SourceKind::Listen,
        at: received,
        received,
        measures: Measures::new(),
        operator: None,
        flags: Vec::new(),
        action,
    })
}

/// 32 characters, which look random.
fn digest(number: u64) -> String {
    blake3::hash(&number.to_le_bytes()).to_hex()[..32].to_owned()
}

/// The number that 4 characters of a digest are.
fn number_in(digest: &str, place: usize) -> u64 {
    digest[place * 4..place * 4 + 4]
        .bytes()
        .fold(0, |number, digit| {
            number * 16 + u64::from(char::from(digit).to_digit(16).unwrap_or(0))
        })
}

/// The moves of a document, as the forwarder stores them before the first send.
fn plan_text(document: &Document) -> String {
    let lines: Vec<String> = (document.lines.iter())
        .map(|line| format!("[[412,208,315,-1,-1,-1,-1],\"{}\"]", line.goods.quantity))
        .collect();
    format!("{{\"lines\":[{}]}}", lines.join(","))
}

fn change(number: DocumentNumber, expect: State, state: State, now: Timestamp) -> Change {
    Change {
        number,
        expect,
        progress: Progress {
            state,
            attempts: 1,
            reason: None,
            odoo: None,
            since: now,
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        },
        by: "forward".to_owned(),
        note: String::new(),
    }
}

fn send(number: DocumentNumber, plan: &str, now: Timestamp) -> Change {
    let mut change = Change {
        note: "sending".to_owned(),
        ..change(number, State::Waiting, State::Sending, now)
    };
    change.progress.plan = Some(plan.to_owned());
    change
}

fn post(number: DocumentNumber, plan: &str, now: Timestamp) -> Answer<Change> {
    let mut change = change(number, State::Sending, State::Posted, now);
    let id = number.get();
    let name = format!("WH/INT/{id:05}");
    change.note = format!("posted, and read back as {name}");
    change.progress.plan = Some(plan.to_owned());
    change.progress.odoo = Some(OdooRef {
        id: PickingId::new(i64::try_from(id)?),
        name,
    });
    Ok(change)
}

fn park(number: DocumentNumber, plan: &str, now: Timestamp) -> Change {
    let mut change = change(number, State::Sending, State::Parked, now);
    let reason = Reason {
        code: ReasonCode::UnknownProduct.into(),
        message: "no product has the barcode 4000000000412".to_owned(),
        lines: Vec::new(),
    };
    change.note = format!("{}: {}", reason.code, reason.message);
    change.progress.plan = Some(plan.to_owned());
    change.progress.reason = Some(reason);
    change
}
