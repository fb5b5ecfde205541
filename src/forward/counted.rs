//! Which counts are posted. A movement from before a count that arrives after it is in the count already: to post it as
//! well would move the goods twice, so a person is asked.
//!
//! Kept in the journal by product and bin, the newest count of each, for as long as documents are kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::machine::Work;
use super::order::Task;
use super::resolve::{Prepared, counted};
use crate::document::{Purpose, Reason};
use crate::journal::{Entry, Journal, JournalError, KeepChange};
use crate::outcome::code;

const PREFIX: &str = "counted/";
/// Products in bins that are kept; of more, the oldest are forgotten.
const KEPT_MAX: usize = 20_000;
/// What a person answers where the gateway asked whether it may be.
const ALLOW: &str = "allow";

/// Product and bin.
type What = (i64, i64);

/// The newest count of each, and the number of its document.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<What, (Timestamp, u64)>);

impl Counts {
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let kept = journal.kept(PREFIX)?;
        let counts = kept.iter().filter_map(|(path, value)| {
            let (product, bin) = path.strip_prefix(PREFIX)?.split_once('/')?;
            let (at, number) = std::str::from_utf8(value).ok()?.split_once(' ')?;
            let what = (product.parse().ok()?, bin.parse().ok()?);
            Some((what, (at.parse().ok()?, number.parse().ok()?)))
        });
        Ok(Self(counts.collect()))
    }

    /// The document is about to be posted: what is to be kept of that.
    pub fn posted(&mut self, entry: &Entry, now: Timestamp, days: u32) -> Vec<KeepChange> {
        let document = &entry.document;
        let plan = entry.progress.plan.as_deref();
        let Some(what) = plan
            .filter(|_| document.purpose == Purpose::Count)
            .and_then(counted)
        else {
            return Vec::new();
        };
        let known = self.0.get(&what);
        if known.is_some_and(|(at, _)| *at >= document.occurred) {
            return Vec::new();
        }
        self.0.insert(what, (document.occurred, document.number));
        let value = format!("{} {}", document.occurred, document.number);
        let mut changes = vec![(path(what), Some(value.into_bytes()))];
        changes.extend(
            self.forget(now, days)
                .into_iter()
                .map(|what| (path(what), None)),
        );
        changes
    }

    /// Drops what is past its time, and the oldest of what is too much.
    fn forget(&mut self, now: Timestamp, days: u32) -> Vec<What> {
        let age = SignedDuration::from_hours(i64::from(days) * 24);
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let old = |(what, (at, _)): (&What, &(Timestamp, u64))| (*at < before).then_some(*what);
        let mut gone: Vec<What> = self.0.iter().filter_map(old).collect();
        if gone.is_empty() && self.0.len() > KEPT_MAX {
            gone.extend(
                self.0
                    .iter()
                    .min_by_key(|(_, (at, _))| at)
                    .map(|(what, _)| *what),
            );
        }
        for what in &gone {
            self.0.remove(what);
        }
        gone
    }

    /// Why what was prepared must not be sent just so; where a person allowed it, it is flagged instead.
    pub fn check(&self, entry: &Entry, mut prepared: Prepared) -> Result<Prepared, Reason> {
        let document = &entry.document;
        // What was begun before is in Odoo perhaps, and is seen through.
        if self.0.is_empty() || document.purpose == Purpose::Count || entry.progress.attempts > 0 {
            return Ok(prepared);
        }
        let newest = touched(&prepared)
            .into_iter()
            .filter_map(|what| self.0.get(&what))
            .filter(|(at, _)| *at > document.occurred)
            .max();
        let Some((at, number)) = newest else {
            return Ok(prepared);
        };
        if entry.progress.decision.as_deref() == Some(ALLOW) {
            prepared.flags.push(code::AFTER_COUNT);
            return Ok(prepared);
        }
        let message = format!(
            "it was done at {}, before the count of document {number} at {at}, which has it already: discard it; or, if the \
             count was too early, retry and allow it, and count again",
            document.occurred
        );
        Err(Reason {
            code: code::COUNTED_SINCE.to_owned(),
            message,
        })
    }
}

fn path((product, bin): What) -> String {
    format!("{PREFIX}{product}/{bin}")
}

/// Where goods are taken and put, as far as the document says.
fn touched(prepared: &Prepared) -> Vec<What> {
    match &prepared.work {
        Some(Work::Transfer(transfer)) => (transfer.lines.iter())
            .flat_map(|line| [(line.product, line.from), (line.product, line.to)])
            .collect(),
        Some(Work::Order(job)) => match &job.task {
            Task::Lines { lines, .. } => (lines.iter())
                .flat_map(|line| [line.from, line.to].map(|bin| Some((line.product, bin?))))
                .flatten()
                .collect(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    }
}
