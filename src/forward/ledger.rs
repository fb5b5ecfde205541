//! The journal's side of sending: takes documents to be sent, writes down what became of them, tells the devices.
//!
//! **Promises:** each change of state is one transaction with its audit record (**invariant 5**), before anyone is told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::Interrupted;
use super::aside::Aside;
use super::begun::{self, Standing};
use super::copy::Copy;
use super::machine::Job;
use super::odoo::{Client, Transfer};
use super::resolve::resolve;
use crate::clock;
use crate::document::{Document, OdooRef, Progress, Reason, State};
use crate::journal::{AppendError, Change, Entry, Journal, JournalError};
use crate::outcome::{Outcome, code};
use crate::source::receipt::Receipt;
use crate::source::{Outbound, Outlets};

/// Documents that are read from the journal at once.
const PAGE_DOCUMENTS: usize = 16;
/// Parked documents that are looked at again at one refresh without news; all get their turn.
const HEAL_DOCUMENTS: usize = 512;
const FULL_PAUSE: Duration = Duration::from_secs(1);
const BY: &str = "forward";

/// Why sending ends.
#[derive(Debug, Error)]
pub enum Ended {
    #[error("stopped")]
    Cancelled,
    #[error("the journal has stopped")]
    JournalStopped,
    #[error(transparent)]
    Unreadable(#[from] JournalError),
}

impl From<JournalError> for Interrupted {
    fn from(error: JournalError) -> Self {
        Self::Ended(error.into())
    }
}

pub struct Ledger {
    journal: Journal,
    outlets: Outlets,
    cancel: CancellationToken,
    /// Those being sent: one batch.
    sending: BTreeMap<u64, Entry>,
    /// Waiting documents that Odoo gave no answer to: left out until their time.
    aside: Aside,
    /// The last that was taken was one of those: now it is the others' turn.
    aside_taken: bool,
    /// Since the start, documents that were *sending* before it are taken first; up to this number it is done.
    recovered: Option<u64>,
    /// Where among the parked the next look begins.
    healed: u64,
}

impl Ledger {
    pub fn new(journal: Journal, outlets: Outlets, cancel: CancellationToken) -> Self {
        Self {
            journal,
            outlets,
            cancel,
            sending: BTreeMap::new(),
            aside: Aside::default(),
            aside_taken: false,
            recovered: Some(0),
            healed: 0,
        }
    }

    /// Takes documents with about so many lines, at least one, in the order of their numbers, and has them
    /// as *sending* on disk; what Odoo cannot take is parked. None: nothing waits.
    pub async fn take(
        &mut self,
        odoo: &mut Client,
        copy: &Copy,
        company: i64,
        lines_max: usize,
        now: Duration,
    ) -> Result<Option<Vec<Job>>, Interrupted> {
        let entries = self.next_entries(lines_max, now)?;
        if entries.is_empty() {
            return Ok(None);
        }
        let documents: Vec<_> = entries.iter().map(|entry| &entry.document).collect();
        let resolved = resolve(odoo, copy, company, &documents).await?;
        if let (Some(after), Some(last)) = (&mut self.recovered, entries.last()) {
            *after = last.document.number;
        }
        let mut taken = Vec::new();
        for (entry, resolved) in entries.into_iter().zip(resolved) {
            let next = match resolved {
                Ok(transfer) => Next::Send(transfer),
                Err(reason) if entry.progress.attempts > 0 => after(
                    &entry,
                    begun::find_out(odoo, &entry.document, reason).await?,
                ),
                Err(reason) => Next::Refuse(reason),
            };
            taken.push((entry, next));
        }
        let mut changes = Vec::new();
        for (entry, next) in &taken {
            changes.push(match next {
                Next::Send(_) => sending(entry),
                Next::Refuse(reason) => parked(entry, reason.clone(), None),
                Next::Park(reason, odoo) => parked(entry, reason.clone(), Some(odoo.clone())),
                Next::Found(odoo) => posted(entry, odoo, true),
                Next::Aside(why) => {
                    set_aside(entry, why, self.aside.put(entry.document.number, now))
                }
            });
        }
        let made = self.change(changes).await?;
        let mut jobs = Vec::new();
        // Where nothing was made, someone else was faster.
        for ((entry, next), _) in taken.into_iter().zip(made).filter(|(_, made)| *made) {
            let number = entry.document.number;
            match next {
                Next::Send(transfer) => {
                    jobs.push(self.begin(entry, transfer));
                    continue;
                }
                Next::Refuse(reason) => self.tell_refused(&entry.document, &reason).await?,
                Next::Found(odoo) => self.tell_posted(&entry.document, &odoo).await?,
                Next::Park(Reason { code, message }, _) => {
                    tracing::warn!(number, code, message, "document parked");
                }
                Next::Aside(_) => continue,
            }
            self.aside.answered(number, now);
        }
        Ok(Some(jobs))
    }

    fn begin(&mut self, mut entry: Entry, transfer: Transfer) -> Job {
        let number = entry.document.number;
        entry.progress.state = State::Sending;
        entry.progress.attempts += 1;
        self.sending.insert(number, entry);
        let aside = self.aside.contains(number);
        Job {
            number,
            transfer,
            aside,
        }
    }

    /// First those whose send was begun before the start, then those that wait; between them, and alone, one that was set
    /// aside and is due.
    fn next_entries(
        &mut self,
        lines_max: usize,
        now: Duration,
    ) -> Result<Vec<Entry>, JournalError> {
        if let Some(after) = self.recovered {
            let entries = self.read(State::Sending, after, lines_max)?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            self.recovered = None;
        }
        let entries = self.read(State::Waiting, 0, lines_max)?;
        let due = self.aside.due(now);
        let due = due.filter(|_| entries.is_empty() || !self.aside_taken);
        self.aside_taken = due.is_some();
        let Some(number) = due else {
            return Ok(entries);
        };
        let waits = |entry: &Entry| entry.progress.state == State::Waiting;
        if let Some(entry) = self.journal.document(number)?.filter(waits) {
            return Ok(vec![entry]);
        }
        self.aside.answered(number, now);
        Ok(entries)
    }

    /// How many documents wait, but not to be taken now; and when the first of them is due.
    pub fn aside(&self) -> (u64, Option<Duration>) {
        (self.aside.len() as u64, self.aside.next_due())
    }

    fn read(
        &self,
        state: State,
        mut after: u64,
        lines_max: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines = 0;
        loop {
            let page = self.journal.documents(Some(state), after, PAGE_DOCUMENTS)?;
            let whole = page.len() == PAGE_DOCUMENTS;
            for entry in page {
                after = entry.document.number;
                if self.aside.contains(after) {
                    continue;
                }
                // One without lines costs something as well.
                lines += entry.document.lines.len().max(1);
                if lines > lines_max && !entries.is_empty() {
                    return Ok(entries);
                }
                entries.push(entry);
            }
            if !whole {
                return Ok(entries);
            }
        }
    }

    /// Writes outcomes down, and then tells the devices.
    pub async fn settle(
        &mut self,
        outcomes: &[(u64, Outcome)],
        now: Duration,
    ) -> Result<(), Ended> {
        let mut changes = Vec::new();
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.get(number) else {
                continue;
            };
            changes.push(match outcome {
                Outcome::Posted { odoo, already } => posted(entry, odoo, *already),
                Outcome::Refused { reason, odoo } => parked(entry, reason.clone(), odoo.clone()),
                Outcome::Unanswered { why } => set_aside(entry, why, self.aside.put(*number, now)),
            });
        }
        self.change(changes).await?;
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.remove(number) else {
                continue;
            };
            match outcome {
                Outcome::Posted { odoo, .. } => self.tell_posted(&entry.document, odoo).await?,
                Outcome::Refused { reason, .. } => {
                    self.tell_refused(&entry.document, reason).await?;
                }
                // Nothing is known of it that a device could be told.
                Outcome::Unanswered { .. } => continue,
            }
            self.aside.answered(*number, now);
        }
        Ok(())
    }

    /// Lets parked documents wait again whose barcodes, lots or packages Odoo knows by now. After news all of them are
    /// looked at, otherwise a part, because lots and packages come without news.
    pub async fn heal(
        &mut self,
        odoo: &mut Client,
        copy: &Copy,
        company: i64,
        news: bool,
    ) -> Result<(), Interrupted> {
        if news {
            self.healed = 0;
        }
        let mut looked = 0;
        while news || looked < HEAL_DOCUMENTS {
            let page = self
                .journal
                .documents(Some(State::Parked), self.healed, PAGE_DOCUMENTS)?;
            looked += page.len();
            let Some(last) = page.last() else {
                self.healed = 0;
                return Ok(());
            };
            self.healed = last.document.number;
            let curable: Vec<_> = page.iter().filter(|entry| is_curable(entry)).collect();
            if curable.is_empty() {
                continue;
            }
            let documents: Vec<_> = curable.iter().map(|entry| &entry.document).collect();
            let resolved = resolve(odoo, copy, company, &documents).await?;
            let changes = curable
                .iter()
                .zip(resolved)
                .filter(|(_, resolved)| resolved.is_ok());
            let changes: Vec<_> = changes.map(|(entry, _)| waiting(entry)).collect();
            if !changes.is_empty() {
                self.change(changes).await?;
            }
        }
        Ok(())
    }

    /// One transaction; while the disk is full it is tried again, because room may come.
    async fn change(&self, changes: Vec<Change>) -> Result<Vec<bool>, Ended> {
        loop {
            match self.journal.inbox().change(changes.clone()).await {
                Ok(made) => return Ok(made),
                Err(AppendError::Stopped) => return Err(Ended::JournalStopped),
                Err(AppendError::Full) => tokio::select! {
                    () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                    () = tokio::time::sleep(FULL_PAUSE) => {}
                },
            }
        }
    }

    async fn tell_posted(&self, document: &Document, odoo: &OdooRef) -> Result<(), Ended> {
        tracing::debug!(number = document.number, odoo = odoo.name, "posted");
        let key = document.key.to_string();
        let receipt = |id: &str| {
            Receipt::Posted {
                id,
                document: key.clone(),
                odoo: &odoo.name,
            }
            .to_bytes()
        };
        self.tell(document, receipt).await
    }

    async fn tell_refused(&self, document: &Document, reason: &Reason) -> Result<(), Ended> {
        let Reason { code, message } = reason;
        tracing::warn!(number = document.number, code, message, "document parked");
        let receipt = |id: &str| {
            Receipt::Refused {
                id: Some(id),
                code,
                message,
            }
            .to_bytes()
        };
        self.tell(document, receipt).await
    }

    /// A receipt for each event of the document, the way it came in. At the stop the rest is left out: `trace` has it.
    async fn tell(
        &self,
        document: &Document,
        receipt: impl Fn(&str) -> Bytes,
    ) -> Result<(), Ended> {
        for seq in &document.events {
            let Some(recorded) = self.journal.event(*seq)? else {
                continue;
            };
            let event = recorded.event;
            let message = Outbound {
                device: event.device.clone(),
                channel: "receipt",
                payload: receipt(&event.id),
                retain: false,
            };
            tokio::select! {
                biased;
                () = self.outlets.send(event.source, message) => {}
                () = self.cancel.cancelled() => return Ok(()),
            }
        }
        Ok(())
    }
}

/// What is to be done with a document that was taken.
enum Next {
    Send(Transfer),
    Refuse(Reason),
    /// Without a word to the device: Odoo holds something of it as done.
    Park(Reason, OdooRef),
    Found(OdooRef),
    Aside(String),
}

fn after(entry: &Entry, standing: Standing) -> Next {
    match standing {
        Standing::Posted(odoo) => Next::Found(odoo),
        Standing::Unknown(reason, odoo) => Next::Park(reason, odoo),
        // A call from before the stop may still be posting it.
        Standing::Open(reason, _) if entry.progress.state == State::Sending => {
            Next::Aside(reason.message)
        }
        Standing::Open(reason, _) | Standing::Absent(reason) => Next::Refuse(reason),
    }
}

fn is_curable(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| code::MASTER_DATA.contains(&reason.code.as_str()))
}

fn change(entry: &Entry, state: State, note: String) -> Change {
    Change {
        number: entry.document.number,
        expect: entry.progress.state,
        progress: Progress {
            state,
            since: clock::now(),
            ..entry.progress.clone()
        },
        by: BY.to_owned(),
        note,
    }
}

fn sending(entry: &Entry) -> Change {
    let again = entry.progress.state == State::Sending;
    let note = if again {
        "sending again: what the last attempt came to is unknown"
    } else {
        "sending"
    };
    let mut change = change(entry, State::Sending, note.to_owned());
    change.progress.attempts += 1;
    change.progress.reason = None;
    change
}

fn posted(entry: &Entry, odoo: &OdooRef, already: bool) -> Change {
    let how = if already {
        "found posted already, and read back"
    } else {
        "posted, and read back"
    };
    let mut change = change(entry, State::Posted, format!("{how} as {}", odoo.name));
    change.progress.reason = None;
    change.progress.odoo = Some(odoo.clone());
    change
}

fn parked(entry: &Entry, reason: Reason, odoo: Option<OdooRef>) -> Change {
    let mut change = change(
        entry,
        State::Parked,
        format!("{}: {}", reason.code, reason.message),
    );
    change.progress.reason = Some(reason);
    change.progress.odoo = odoo.or(change.progress.odoo);
    change
}

fn set_aside(entry: &Entry, why: &str, pause: Duration) -> Change {
    let (number, minutes) = (entry.document.number, pause.as_secs() / 60);
    tracing::warn!(
        number,
        minutes,
        why,
        "document set aside: Odoo does not answer"
    );
    let note = format!(
        "set aside, because what Odoo did is unknown ({why}); tried again in {minutes} min, others go on"
    );
    change(entry, State::Waiting, note)
}

fn waiting(entry: &Entry) -> Change {
    let note = "Odoo's master data resolves it now".to_owned();
    change(entry, State::Waiting, note)
}
