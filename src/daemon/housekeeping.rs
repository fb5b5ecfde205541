//! Periodic work: alarms about the journal, the clock and goods that moved unscanned; the size of
//! the journal and the free space on its disk; and pruning.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::trust::Trust;
use crate::board::{self, Board, ClockView};
use crate::clock::{self, service};
use crate::document::DocumentNumber;
use crate::journal::{Journal, Namespace, Restored, Totals};
use crate::reason::ReasonCode;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// How often parked documents are looked through for what raises an alarm.
const ALARM_EVERY: Duration = Duration::from_mins(1);
/// How often the gateway stores the time at which its clock was right. Each time costs a commit,
/// and the next start needs no exact time.
const STORE_EVERY: Duration = Duration::from_hours(1);
/// Where the journal stores the time at which the clock was last right, in seconds since 1970.
const CLOCK_RIGHT: Namespace = Namespace::ClockRight;
/// Where services that synchronise the clock leave what they know.
const RUN: &str = "/run";

/// Where the journal stores the time at which a new journal replaced a lost one, in seconds since
/// 1970.
const LOST: Namespace = Namespace::LostJournal;
/// How long the alarm about a lost journal stays on.
const LOST_ALARM: jiff::SignedDuration = jiff::SignedDuration::from_hours(72);
const LOST_SENTENCE: &str = "The journal is new although this gateway ran before: its file was missing or empty, and what waited for Odoo in it is lost unless journal.redb.damaged or a backup has it. Events from before that devices send again with their time are parked as maybe-posted, unless Odoo has them under their key: decide about each (this alarm ends after 3 days).";

/// Notes in a new journal that the one before it is gone.
pub async fn note_lost_journal(journal: &Journal) {
    tracing::error!("{LOST_SENTENCE}");
    let now = clock::now();
    let lost = now.as_second().to_string().into_bytes();
    let mut changes = vec![(LOST.only_key(), Some(lost))];
    match Restored::with_nothing(now).store() {
        Ok(mark) => changes.push(mark),
        Err(error) => tracing::error!(%error, "cannot mark the journal as a new one"),
    }
    if let Err(error) = journal.inbox().store_side_values(changes).await {
        tracing::warn!(%error, "cannot store that the journal is new");
    }
}

/// Judges the wall clock from the start of the process.
pub struct ClockCheck {
    trust: Trust,
    started: std::time::Instant,
}

impl ClockCheck {
    /// Judges the clock for the first time, before a part of the daemon uses it.
    pub fn start(journal: &Journal, board: &Board) -> Self {
        let mut check = Self {
            trust: Trust::new(read_time(journal, CLOCK_RIGHT)),
            started: clock::instant(),
        };
        check.judge(clock::now(), board);
        check
    }

    /// Raises or clears the alarm. Returns whether the clock is wrong.
    fn judge(&mut self, now: Timestamp, board: &Board) -> bool {
        let doubt = self.trust.doubt(now, self.started.elapsed());
        let is_wrong = doubt.is_some();
        board.alarm("clock", doubt);
        let found = service::find(Path::new(RUN));
        board.clock(ClockView {
            trusted: !is_wrong,
            service: found.map(|found| found.name.to_owned()),
            synchronised: found.and_then(|found| found.is_synchronised),
        });
        is_wrong
    }
}

pub async fn run(
    journal: Journal,
    board: Board,
    mut clock_check: ClockCheck,
    data_dir: PathBuf,
    cancel: CancellationToken,
) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let lost = read_time(&journal, LOST);
    let mut stored = None;
    let mut pruned = None;
    let mut looked = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = look.tick() => {}
        }
        let totals = journal.totals();
        board.alarm("journal-full", why_full(&totals));
        board.disk_free(read_free_bytes(&data_dir));
        let is_told = |at| clock::now().duration_since(at) < LOST_ALARM;
        let lost = lost.filter(|at| is_told(*at));
        board.alarm("journal-new", lost.map(|_| LOST_SENTENCE.to_owned()));
        if is_due(&mut looked, ALARM_EVERY) {
            let is_on = is_any_unscanned(&journal);
            let alarm = is_on.then(|| board::MOVED_UNSCANNED.to_owned());
            board.alarm(ReasonCode::MovedUnscanned.as_str(), alarm);
        }
        // The following steps write: they would wait for the disk, and the alarm would not be
        // cleared.
        if journal.is_waiting() {
            continue;
        }
        let now = clock::now();
        if clock_check.judge(now, &board) {
            continue;
        }
        board.note_size(now, totals.bytes);
        if is_due(&mut stored, STORE_EVERY) {
            let right = now.as_second().to_string().into_bytes();
            let stored = journal
                .inbox()
                .store_side_values(vec![(CLOCK_RIGHT.only_key(), Some(right))]);
            if let Err(error) = stored.await {
                tracing::debug!(%error, "cannot store that the clock is right");
            }
        }
        if is_due(&mut pruned, PRUNE_EVERY) {
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

/// Explains why the gateway stores no readings, and what to do. `None`: it stores readings.
fn why_full(totals: &Totals) -> Option<String> {
    let text = if totals.disk_full {
        "The disk of the journal is full: the gateway stores no more readings. Remove files or enlarge the disk that data_dir is on; journal.budget does not help."
    } else {
        "The journal is full: the gateway stores no more readings. If the link to Odoo is down, restore it, because the gateway never prunes what waits for Odoo; else raise journal.budget or lower journal.retention_days."
    };
    totals.full.then(|| text.to_owned())
}

/// Reads the bytes that the gateway may still use on the disk of a folder, without those that are
/// reserved for root. `None`: the file system does not tell.
fn read_free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether a document is parked because Odoo moved more than was scanned.
fn is_any_unscanned(journal: &Journal) -> bool {
    let code = ReasonCode::MovedUnscanned.into();
    let mut after = DocumentNumber::ZERO;
    loop {
        let part = match journal.parked_with(&code, after, 1) {
            Ok(part) => part,
            Err(error) => {
                tracing::warn!(%error, "cannot read the parked documents");
                return false;
            }
        };
        if !part.numbers.is_empty() || part.is_last {
            return !part.numbers.is_empty();
        }
        after = part.next;
    }
}

fn is_due(last: &mut Option<std::time::Instant>, every: Duration) -> bool {
    let now = clock::instant();
    let due = last.is_none_or(|last| now.duration_since(last) >= every);
    if due {
        *last = Some(now);
    }
    due
}

/// Reads a time that an earlier process stored. Without the time at which the clock was right, the
/// gateway believes any clock.
fn read_time(journal: &Journal, namespace: Namespace) -> Option<Timestamp> {
    let values = journal.read_namespace(namespace).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read {}", namespace.only_key());
        Vec::new()
    });
    let (_, seconds) = values.into_iter().next()?;
    let seconds = std::str::from_utf8(&seconds).ok()?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::event::{Name, RejectedNumber, Rejection, SourceKind};
    use crate::reason::RejectionCode;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let begun = clock::instant();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn days_ago(days: i64) -> Timestamp {
        clock::now() - jiff::SignedDuration::from_hours(24 * days)
    }

    /// A journal with one rejected reading that is past its time.
    async fn journal(dir: &std::path::Path) -> Journal {
        let (journal, _writer) = Journal::open(dir, &config::Journal::default()).unwrap();
        let old = Rejection {
            device: Name::new("pda").unwrap(),
            source: SourceKind::Listen,
            channel: None,
            received: days_ago(100),
            id: None,
            code: RejectionCode::NoRead,
            message: String::new(),
            payload: Vec::new(),
            cut: false,
        };
        journal.inbox().append(vec![Err(old)]).await.unwrap();
        journal
    }

    #[test]
    fn a_full_disk_is_named_and_the_budget_is_not_blamed() {
        let totals = |full, disk_full| Totals {
            full,
            disk_full,
            ..Totals::default()
        };
        assert_eq!(why_full(&totals(false, false)), None);
        let disk = why_full(&totals(true, true)).unwrap();
        assert!(
            disk.starts_with("The disk of the journal is full"),
            "{disk}"
        );
        let budget = why_full(&totals(true, false)).unwrap();
        assert!(budget.contains("raise journal.budget"), "{budget}");
    }

    fn start(
        journal: &Journal,
        board: &Board,
        check: ClockCheck,
        folder: &Path,
        cancel: &CancellationToken,
    ) -> tokio::task::JoinHandle<()> {
        let (journal, board, cancel) = (journal.clone(), board.clone(), cancel.clone());
        tokio::spawn(run(journal, board, check, folder.to_owned(), cancel))
    }

    #[tokio::test]
    async fn the_free_space_and_the_size_of_the_journal_are_noted() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path()).await;
        let (board, cancel) = (Board::new(), CancellationToken::new());
        let check = ClockCheck::start(&journal, &board);
        let task = start(&journal, &board, check, dir.path(), &cancel);
        until("the free space", || {
            board
                .snapshot()
                .disk_free_bytes
                .is_some_and(|free| free > 0)
        })
        .await;
        let bytes = journal.totals().bytes;
        until("the size", || {
            let growth = board.growth(Timestamp::UNIX_EPOCH, bytes + 7);
            growth.is_some_and(|growth| growth.bytes >= 7)
        })
        .await;
        assert!(board.snapshot().clock.trusted);
        cancel.cancel();
        task.await.unwrap();
        assert_eq!(read_free_bytes(Path::new("/no/such/folder")), None);
    }

    #[tokio::test]
    async fn nothing_is_pruned_by_a_clock_that_is_far_ahead_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path()).await;
        let ago = days_ago(40).as_second().to_string().into_bytes();
        journal
            .inbox()
            .store_side_values(vec![(CLOCK_RIGHT.only_key(), Some(ago.clone()))])
            .await
            .unwrap();
        let (board, cancel) = (Board::new(), CancellationToken::new());
        let check = ClockCheck::start(&journal, &board);
        // Before any part of the daemon uses the clock.
        assert!(board.has_alarm("clock"));
        let task = start(&journal, &board, check, dir.path(), &cancel);
        until("the alarm", || {
            board.snapshot().alarms.contains_key("clock")
        })
        .await;
        cancel.cancel();
        task.await.unwrap();
        assert_eq!(journal.rejected(RejectedNumber::ZERO, 10).unwrap().len(), 1);
        assert_eq!(journal.read_namespace(CLOCK_RIGHT).unwrap()[0].1, ago);
    }

    #[tokio::test]
    async fn what_is_past_its_time_is_pruned_and_the_time_stored() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path()).await;
        let ago = days_ago(20).as_second().to_string().into_bytes();
        journal
            .inbox()
            .store_side_values(vec![(CLOCK_RIGHT.only_key(), Some(ago))])
            .await
            .unwrap();
        let (board, cancel) = (Board::new(), CancellationToken::new());
        let check = ClockCheck::start(&journal, &board);
        let task = start(&journal, &board, check, dir.path(), &cancel);
        until("the reading is pruned", || {
            journal
                .rejected(RejectedNumber::ZERO, 10)
                .unwrap()
                .is_empty()
        })
        .await;
        cancel.cancel();
        task.await.unwrap();
        assert!(!board.snapshot().alarms.contains_key("clock"));
        assert!(read_time(&journal, CLOCK_RIGHT).unwrap() > days_ago(1));
    }
}
