//! Resolves the doubt about when the events of a sealed document were done. Pure.
//!
//! Comes in: a document, its events, and the clocks of their devices as seen since. Goes out: a
//! document with the true times that are known now, which replaces the old one. The sealed document
//! does not change.

use jiff::Timestamp;

use crate::device_clock::{DeviceClock, is_corrected};
use crate::document::{Document, DocumentNumber, EventTime};
use crate::event::{Name, Recorded};
use crate::reason::{Code, Flag};

/// Builds the document that replaces `old`, without a number yet. `None`: no time of the document
/// is in doubt, or no device of such a time has shown its clock. `events`: the events of the
/// document that are still stored.
#[must_use]
pub fn resolve<'a>(
    old: &Document,
    events: &[Recorded],
    clock: impl Fn(&Name) -> Option<&'a DeviceClock>,
    now: Timestamp,
) -> Option<Document> {
    let mut times = Vec::with_capacity(old.times.len());
    let mut is_resolved = false;
    for known in &old.times {
        let recorded = events.iter().find(|recorded| recorded.seq == known.seq);
        let Some(event) = recorded.map(|recorded| &recorded.event) else {
            times.push(*known);
            continue;
        };
        let clock = known.other.and_then(|_| clock(&event.device));
        let Some(time) = clock.and_then(|clock| clock.resolve(event.at, event.received)) else {
            times.push(*known);
            continue;
        };
        is_resolved = true;
        if time != event.given_time() {
            times.push(EventTime {
                seq: known.seq,
                time,
                other: None,
            });
        }
    }
    if !is_resolved {
        return None;
    }
    let time_of = |recorded: &Recorded| {
        let known = times.iter().find(|time| time.seq == recorded.seq);
        known.map_or_else(|| recorded.event.given_time(), |known| known.time)
    };
    let is_corrected = |recorded: &Recorded| is_corrected(recorded.event.at, time_of(recorded));
    let flags = [
        (events.iter().any(is_corrected), Flag::TimeCorrected),
        (
            times.iter().any(|time| time.other.is_some()),
            Flag::ClockInDoubt,
        ),
    ];
    let of_clock = |known: &Code<Flag>| flags.iter().any(|(_, flag)| known == flag);
    let kept = old.flags.iter().filter(|known| !of_clock(known)).cloned();
    let new = flags
        .iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, flag)| Code::from(*flag));
    Some(Document {
        number: DocumentNumber::ZERO,
        key: old.key.corrected(),
        occurred: events.iter().map(time_of).max().unwrap_or(old.occurred),
        sealed: now,
        corrects: Some(old.number),
        flags: new.chain(kept).collect(),
        times,
        ..old.clone()
    })
}
