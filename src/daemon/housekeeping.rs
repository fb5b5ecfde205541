//! What is to be done every now and then: alarms that no part raises itself, and pruning.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::journal::Journal;
use crate::view::board::Board;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// No correct clock shows an earlier time than that of this version: 2026-01-01T00:00:00Z.
const CLOCK_MIN_S: i64 = 1_767_225_600;

pub async fn run(journal: Journal, board: Board, cancel: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut pruned = None;
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
        let clock_wrong = now < Timestamp::from_second(CLOCK_MIN_S).unwrap_or(Timestamp::MIN);
        board.alarm("clock", clock_wrong.then(|| {
            format!("The clock of this gateway says {now}: set it, or give it a time server. Nothing is pruned until then.")
        }));
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
