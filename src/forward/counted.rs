//! Which counts are posted. A movement from before a count that arrives after it is in the count already: to post it as
//! well would move the goods twice, so a person is asked.
//!
//! Kept in the journal by what was counted, the newest counts of each, for as long as documents are kept: where the newest is
//! taken back, the one before it counts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::machine::Work;
use super::odoo::stock::Place;
use super::order::{LotRef, Task};
use super::resolve::{Prepared, counted};
use crate::document::{Document, Line, Purpose, Reason};
use crate::journal::{Entry, Journal, JournalError, KeepChange};
use crate::outcome::{code, flag};

const PREFIX: &str = "counted/";
/// Counted places that are kept; of more, the oldest are forgotten.
const KEPT_MAX: usize = 20_000;
/// Of one place, so many counts are kept.
const EACH_MAX: usize = 3;
/// What a person answers where the gateway asked whether it may be.
const ALLOW: &str = "allow";
/// In the path of what was counted whole.
const ALL: &str = "-";

/// The counts of each place, newest first, and the numbers of their documents. What is none in a place was counted whole.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<Place, Vec<(Timestamp, u64)>>);

/// When the first of what the line sums was done; never after it was received, because a clock may be fast.
pub fn first_done(
    journal: &Journal,
    document: &Document,
    line: &Line,
) -> Result<Timestamp, JournalError> {
    let mut first = document.occurred;
    for seq in &line.events {
        if let Some(recorded) = journal.event(*seq)? {
            first = first.min(recorded.event.at.min(recorded.event.received));
        }
    }
    Ok(first)
}

/// When the first of each line was done.
pub fn lines_done(journal: &Journal, document: &Document) -> Result<Vec<Timestamp>, JournalError> {
    let done = |line| first_done(journal, document, line);
    document.lines.iter().map(done).collect()
}

impl Counts {
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let kept = journal.kept(PREFIX)?;
        let counts = kept.iter().filter_map(|(path, value)| {
            let words: Vec<&str> = std::str::from_utf8(value).ok()?.split(' ').collect();
            let count = |words: &[&str]| match words {
                [at, number] => Some((at.parse().ok()?, number.parse().ok()?)),
                _ => None,
            };
            let counts: Option<Vec<_>> = words.chunks(2).map(count).collect();
            Some((place(path)?, counts?))
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
        let counts = self.0.entry(what).or_default();
        let older = |(at, _): &(Timestamp, u64)| *at <= document.occurred;
        let place = counts.iter().position(older).unwrap_or(counts.len());
        let known = counts.iter().any(|(_, number)| *number == document.number);
        if known || place >= EACH_MAX {
            return Vec::new();
        }
        counts.insert(place, (document.occurred, document.number));
        counts.truncate(EACH_MAX);
        let mut changes = vec![kept(what, counts)];
        changes.extend(
            self.forget(now, days)
                .into_iter()
                .map(|what| (path(what), None)),
        );
        changes
    }

    /// This count was taken back: what is to be kept of that.
    pub fn undone(&mut self, number: u64) -> Vec<KeepChange> {
        let of = |counts: &[(Timestamp, u64)]| counts.iter().any(|(_, of)| *of == number);
        let found = self.0.iter().find(|(_, counts)| of(counts));
        let Some(what) = found.map(|(what, _)| *what) else {
            return Vec::new();
        };
        let counts = self.0.entry(what).or_default();
        counts.retain(|(_, of)| *of != number);
        if !counts.is_empty() {
            return vec![kept(what, counts)];
        }
        self.0.remove(&what);
        vec![(path(what), None)]
    }

    /// Drops what is past its time, and the oldest of what is too much.
    fn forget(&mut self, now: Timestamp, days: u32) -> Vec<Place> {
        let age = SignedDuration::from_hours(i64::from(days) * 24);
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let newest = |counts: &[(Timestamp, u64)]| counts.first().map(|(at, _)| *at);
        let mut gone: Vec<Place> = (self.0.iter())
            .filter(|(_, counts)| newest(counts) < Some(before))
            .map(|(what, _)| *what)
            .collect();
        if gone.is_empty() && self.0.len() > KEPT_MAX {
            let oldest = self.0.iter().min_by_key(|(_, counts)| newest(counts));
            gone.extend(oldest.map(|(what, _)| *what));
        }
        for what in &gone {
            self.0.remove(what);
        }
        gone
    }

    /// The newest count that has this line in it already.
    fn since(
        &self,
        touched: &Place,
        done: Timestamp,
        besides: Option<u64>,
    ) -> Option<(Timestamp, u64)> {
        let whole = Place {
            lot: None,
            package: None,
            owner: None,
            ..*touched
        };
        (self.0.range(whole..))
            .take_while(|(of, _)| (of.product, of.bin) == (whole.product, whole.bin))
            .filter(|(of, _)| touched.is_within(of))
            .flat_map(|(_, counts)| counts)
            .filter(|(at, number)| *at > done && Some(*number) != besides)
            .max()
            .copied()
    }

    /// Why what was prepared must not be sent just so; where a person allowed it, it is flagged instead. `done`: when the
    /// first of each line of the document was done; `besides`: a count that is taken back is none.
    pub fn check(
        &self,
        entry: &Entry,
        done: &[Timestamp],
        besides: Option<u64>,
        mut prepared: Prepared,
    ) -> Result<Prepared, Reason> {
        let document = &entry.document;
        // What was begun before is in Odoo perhaps, and is seen through.
        if self.0.is_empty() || document.purpose == Purpose::Count || entry.progress.attempts > 0 {
            return Ok(prepared);
        }
        let counted = |(line, place): (usize, Place)| {
            let done = done.get(line).copied().unwrap_or(document.occurred);
            let (at, number) = self.since(&place, done, besides)?;
            Some((at, number, done))
        };
        let newest = touched(&prepared).into_iter().filter_map(counted).max();
        let Some((at, number, done)) = newest else {
            return Ok(prepared);
        };
        if entry.progress.decision.as_deref() == Some(ALLOW) {
            prepared.flags.push(flag::COUNTED_SINCE);
            return Ok(prepared);
        }
        let message = format!(
            "it was done at {done}, before the count of document {number} at {at}, which has it already: discard it; or, if the \
             count was too early, retry and allow it, and count again"
        );
        Err(Reason {
            code: code::COUNTED_SINCE.to_owned(),
            message,
        })
    }
}

fn kept(what: Place, counts: &[(Timestamp, u64)]) -> KeepChange {
    let words = counts.iter().map(|(at, number)| format!("{at} {number}"));
    let value = words.collect::<Vec<_>>().join(" ");
    (path(what), Some(value.into_bytes()))
}

fn path(place: Place) -> String {
    let part = |id: Option<i64>| id.map_or_else(|| ALL.to_owned(), |id| id.to_string());
    let Place { product, bin, .. } = place;
    let [lot, package, owner] = [place.lot, place.package, place.owner].map(part);
    format!("{PREFIX}{product}/{bin}/{lot}/{package}/{owner}")
}

/// None for what is no such path, as an earlier version wrote.
fn place(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.strip_prefix(PREFIX)?.split('/').collect();
    let [product, bin, lot, package, owner] = parts[..] else {
        return None;
    };
    let part = |text: &str| match text {
        ALL => Some(None),
        id => id.parse().ok().map(Some),
    };
    Some(Place {
        product: product.parse().ok()?,
        bin: bin.parse().ok()?,
        lot: part(lot)?,
        package: part(package)?,
        owner: part(owner)?,
    })
}

/// Where each line, by its place in the document, takes goods and puts them, as far as the document says.
fn touched(prepared: &Prepared) -> Vec<(usize, Place)> {
    let lot = |lot: &LotRef| match lot {
        LotRef::Known { id, .. } => Some(*id),
        LotRef::None | LotRef::New { .. } => None,
    };
    let mut touched = Vec::new();
    let mut touch = |line, product, lot, owner, ends: [(Option<i64>, Option<i64>); 2]| {
        let place = |(bin, package): (Option<i64>, _)| Place {
            product,
            bin: bin.unwrap_or_default(),
            lot,
            package,
            owner,
        };
        let said = ends.into_iter().filter(|(bin, _)| bin.is_some());
        touched.extend(said.map(|end| (line, place(end))));
    };
    match &prepared.work {
        Some(Work::Transfer(transfer)) => {
            for (place, line) in transfer.lines.iter().enumerate() {
                let ends = [(Some(line.from), line.package), (Some(line.to), line.into)];
                touch(place, line.product, lot(&line.lot), line.owner, ends);
            }
        }
        Some(Work::Order(job)) => {
            let lines = match &job.task {
                Task::Lines { lines, .. } => lines.as_slice(),
                Task::TakeBack { taken, .. } => std::slice::from_ref(taken),
                _ => &[],
            };
            for (place, line) in lines.iter().enumerate() {
                let ends = [(line.from, line.package), (line.to, line.into)];
                touch(place, line.product, lot(&line.lot), line.owner, ends);
            }
        }
        None => {}
    }
    touched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{DocumentKey, Progress, State};
    use crate::forward::odoo::{Transfer, TransferLine};

    const BIN: i64 = 5;

    fn time(text: &str) -> Timestamp {
        format!("2026-11-23T{text}:00Z").parse().unwrap()
    }

    fn place_of(lot: Option<i64>, package: Option<i64>, owner: Option<i64>) -> Place {
        Place {
            product: 1,
            bin: BIN,
            lot,
            package,
            owner,
        }
    }

    fn line(lot: Option<i64>) -> TransferLine {
        TransferLine {
            product: 1,
            from: BIN,
            to: 6,
            lot: lot.map_or(LotRef::None, |id| LotRef::Known {
                id,
                name: id.to_string(),
            }),
            quantity: 1.into(),
            ..TransferLine::default()
        }
    }

    /// What is said of lines that were done at these times; the document, when the last of them was.
    fn said(counts: &Counts, lines: &[(TransferLine, &str)]) -> Result<(), String> {
        let done: Vec<Timestamp> = lines.iter().map(|(_, at)| time(at)).collect();
        let document = Document {
            number: 9,
            key: DocumentKey([1; 16]),
            purpose: Purpose::Transfer,
            group: "PDA-07".to_owned(),
            lines: Vec::new(),
            occurred: done.iter().copied().max().unwrap(),
            sealed: time("23:00"),
            events: vec![1],
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        };
        let prepared = Prepared::from(Work::Transfer(Transfer {
            key: document.key,
            group: document.group.clone(),
            about: None,
            header: None,
            lines: lines.iter().map(|(line, _)| line.clone()).collect(),
            returned: Vec::new(),
            when: None,
        }));
        let progress = Progress {
            state: State::Waiting,
            attempts: 0,
            reason: None,
            odoo: None,
            since: time("23:00"),
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        };
        let entry = Entry { document, progress };
        let checked = counts.check(&entry, &done, None, prepared);
        checked.map(|_| ()).map_err(|reason| {
            assert_eq!(reason.code, code::COUNTED_SINCE);
            reason.message
        })
    }

    #[test]
    fn each_line_is_held_against_the_time_of_its_own_first_event() {
        let counts = Counts(BTreeMap::from([(
            place_of(None, None, None),
            vec![(time("10:00"), 3)],
        )]));
        let elsewhere = || TransferLine {
            from: 7,
            ..line(None)
        };
        // An offline device brings the morning's work in one document.
        let message = said(&counts, &[(line(None), "09:00"), (elsewhere(), "10:05")]).unwrap_err();
        assert!(message.contains("T09:00:00Z"), "{message}");
        assert!(message.contains("document 3"), "{message}");
        assert_eq!(
            said(&counts, &[(line(None), "10:05"), (elsewhere(), "09:00")]),
            Ok(())
        );
        assert_eq!(said(&counts, &[(line(None), "10:00")]), Ok(()));
        // Into the bin as well.
        let into = TransferLine {
            from: 7,
            to: BIN,
            ..line(None)
        };
        assert!(said(&counts, &[(into, "09:00")]).is_err());
    }

    #[test]
    fn a_count_that_is_taken_back_is_none_and_the_one_before_it_counts() {
        let place = place_of(None, None, None);
        let kept = vec![(time("10:00"), 3), (time("09:00"), 2)];
        let mut counts = Counts(BTreeMap::from([(place, kept)]));
        let since = |counts: &Counts, done, besides| counts.since(&place, time(done), besides);
        let number = |found: Option<(Timestamp, u64)>| found.map(|(_, number)| number);
        assert_eq!(number(since(&counts, "08:00", None)), Some(3));
        // What takes a count back is not held against it, but against others.
        assert_eq!(number(since(&counts, "09:30", Some(3))), None);
        assert_eq!(number(since(&counts, "08:00", Some(3))), Some(2));
        let changes = counts.undone(3);
        let kept = format!("{} 2", time("09:00")).into_bytes();
        assert_eq!(changes, [(path(place), Some(kept))]);
        assert_eq!(number(since(&counts, "09:30", None)), None);
        assert_eq!(counts.undone(3), []);
        assert_eq!(counts.undone(2), [(path(place), None)]);
        assert_eq!(number(since(&counts, "08:00", None)), None);
    }

    #[test]
    fn a_count_of_a_lot_or_a_package_is_of_that_alone() {
        let counted = |place| Counts(BTreeMap::from([(place, vec![(time("10:00"), 3)])]));
        let lot = counted(place_of(Some(2), None, None));
        assert!(said(&lot, &[(line(Some(2)), "09:00")]).is_err());
        assert_eq!(said(&lot, &[(line(Some(1)), "09:00")]), Ok(()));
        let package = counted(place_of(None, Some(9), None));
        let packed = TransferLine {
            package: Some(9),
            into: Some(9),
            ..line(None)
        };
        assert!(said(&package, &[(packed.clone(), "09:00")]).is_err());
        assert_eq!(said(&package, &[(line(None), "09:00")]), Ok(()));
        let owner = counted(place_of(None, None, Some(4)));
        assert_eq!(said(&owner, &[(line(None), "09:00")]), Ok(()));
        let hers = TransferLine {
            owner: Some(4),
            ..line(None)
        };
        assert!(said(&owner, &[(hers, "09:00")]).is_err());
        // All of the bin is of each of them.
        let all = counted(place_of(None, None, None));
        for moved in [line(Some(1)), packed] {
            assert!(said(&all, &[(moved, "09:00")]).is_err());
        }
    }

    #[test]
    fn what_was_counted_is_read_as_it_was_kept_and_what_is_older_is_nothing() {
        for kept in [
            place_of(None, None, None),
            place_of(Some(2), None, Some(4)),
            place_of(Some(2), Some(9), None),
        ] {
            assert_eq!(place(&path(kept)), Some(kept));
        }
        assert_eq!(path(place_of(None, Some(9), None)), "counted/1/5/-/9/-");
        for other in ["counted/1/5", "counted/1/5/x/-/-", "counted/1/5/-/-/-/-"] {
            assert_eq!(place(other), None);
        }
    }
}
