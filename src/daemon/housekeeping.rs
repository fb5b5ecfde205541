//! What is to be done every now and then: alarms that no part raises itself, and pruning.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::journal::Journal;
use crate::view::board::Board;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// A clock that moves so much against the monotonic one was set, rightly or wrongly. What a wrong one says is past its
/// time is not, so nothing is pruned until the next start.
const JUMP_MAX: SignedDuration = SignedDuration::from_hours(24);
/// No correct clock shows an earlier time than that of this version: 2026-01-01T00:00:00Z.
const CLOCK_MIN_S: i64 = 1_767_225_600;

pub async fn run(journal: Journal, board: Board, cancel: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut pruned = None;
    let mut clock_was_right = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = look.tick() => {}
        }
        let full = journal.totals().full;
        board.alarm("journal-full", full.then(|| {
            "The journal is full: nothing more is taken. Restore the link to Odoo, free disk space, or raise journal.budget.".to_owned()
        }));
        let now = clock::now();
        let wrong = now < Timestamp::from_second(CLOCK_MIN_S).unwrap_or(Timestamp::MIN);
        let (right_wall, right_instant) =
            *clock_was_right.get_or_insert_with(|| (now, clock::instant()));
        if wrong {
            clock_was_right = None;
        }
        let passed =
            SignedDuration::try_from(right_instant.elapsed()).unwrap_or(SignedDuration::MAX);
        let jumped = now.duration_since(right_wall).saturating_sub(passed).abs() > JUMP_MAX;
        let sentence = match (wrong, jumped) {
            (true, _) => Some(format!(
                "The clock of this gateway says {now}: set it, or give it a time server. Nothing is pruned until then."
            )),
            (false, true) => Some(format!(
                "The clock of this gateway jumped to {now}: check it, then restart. Nothing is pruned until then."
            )),
            (false, false) => None,
        };
        let clock_wrong = sentence.is_some();
        board.alarm("clock", sentence);
        let since = clock::instant();
        let due = pruned.is_none_or(|last| since.duration_since(last) >= PRUNE_EVERY);
        if due && !clock_wrong {
            pruned = Some(since);
            // A piece at a time, so that readings are not held up.
            while journal
                .inbox()
                .prune(now)
                .await
                .is_ok_and(|events| events > 0)
                && !cancel.is_cancelled()
            {}
        }
    }
}
