//! The counts since a time: they are those of the records, also after wrong clocks, restarts,
//! pruning and versions that know no counts.

use std::path::Path;

use stockrelay::config;
use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::{RejectedNumber, Seq};
use stockrelay::journal::{
    AuditRecord, EventDocument, EventFilter, Journal, PeriodCounts, Settlement, WrongScan,
};

use super::{close, document, moved, open};
use crate::floor::{at, rejection, transfer};
use crate::moves::{Assembly, Random};

const PERIOD_S: i64 = 300;
/// More than there is.
const ALL: usize = 1_000_000;

/// The second at which the period of a second begins, and after which it ends.
fn begin(second: i64) -> i64 {
    let seconds = at(second).as_second();
    second - seconds.rem_euclid(PERIOD_S)
}

/// Whether the sum of all periods is the totals.
fn adds_up(journal: &Journal) {
    let sum = journal.sum_of_periods().unwrap().without_details();
    assert_eq!(sum, PeriodCounts::of(&journal.totals()));
}

/// The counts of the records that were received at or after a second. Nothing was pruned, and no
/// event was late.
fn expected(journal: &Journal, second: i64) -> PeriodCounts {
    let mut counts = PeriodCounts::default();
    let is_in = |seq: Seq| {
        let event = journal.event(seq).unwrap().expect("nothing was pruned");
        event.event.received >= at(second)
    };
    let events = journal.events(Seq::ZERO, ALL).unwrap();
    for event in events.iter().filter(|event| is_in(event.seq)) {
        counts.stored += 1;
        let document = journal.document_of(event.seq).unwrap();
        counts.no_document += u64::from(document == EventDocument::NotNeeded);
    }
    for entry in journal.documents(None, DocumentNumber::ZERO, ALL).unwrap() {
        let (document, state) = (&entry.document, entry.progress.state);
        let of = &mut counts.states;
        let totals = match state {
            State::Waiting => &mut of.waiting,
            State::Sending => &mut of.sending,
            State::Posted => &mut of.posted,
            State::Parked => &mut of.parked,
            State::Discarded => &mut of.discarded,
            State::Replaced => continue,
        };
        let events = document.events.iter().filter(|seq| is_in(**seq)).count();
        totals.events += events as u64;
        if document.events.last().is_some_and(|newest| is_in(*newest)) {
            totals.documents += 1;
            totals.lines += document.lines.len() as u64;
            if let (State::Parked, Some(reason)) = (state, &entry.progress.reason) {
                let code = reason.code.as_str().to_owned();
                *counts.parked_by_code.entry(code).or_default() += 1;
            }
        }
    }
    for reading in journal.rejected(RejectedNumber::ZERO, ALL).unwrap() {
        if reading.received < at(second) {
            continue;
        }
        let is_open = u64::from(reading.settled.is_none() && reading.code.needs_person());
        counts.rejected += 1;
        counts.rejected_open += is_open;
        let code = reading.code.as_str().to_owned();
        let of_code = counts.rejected_by_code.entry(code).or_default();
        of_code.readings += 1;
        of_code.open += is_open;
    }
    counts
}

/// Compares the counts since each period with those of the records.
fn matches(journal: &Journal, seconds: &[i64]) {
    adds_up(journal);
    for second in seconds {
        let since = journal.since(at(*second)).unwrap();
        let begin = begin(*second);
        assert_eq!(since.from, at(begin).round(jiff::Unit::Second).unwrap());
        // A duplicate is in no record of its own.
        let counts = PeriodCounts {
            duplicates: 0,
            edited: 0,
            ..since.counts
        };
        assert_eq!(counts, expected(journal, begin), "since second {second}");
    }
}

fn record(second: i64) -> AuditRecord {
    AuditRecord {
        at: at(second),
        state: "dismissed".to_owned(),
        by: "user:anna".to_owned(),
        note: "a test".to_owned(),
    }
}

/// One history: the clock of the gateway goes on, jumps ahead, and steps back.
struct History {
    random: Random,
    second: i64,
    ids: u64,
    seconds: Vec<i64>,
}

impl History {
    async fn act(&mut self, journal: &Journal, assembly: &mut Assembly) {
        let step = match self.random.below(12) {
            0 => 3_600,
            // Later than an event that is late.
            1 => -1_000,
            2..6 => 100,
            _ => 1,
        };
        self.second += step;
        let last = begin(self.seconds.last().copied().unwrap_or_default());
        if (1..=60).contains(&(last - self.second)) {
            // It would be late, and belong to the period of the last one.
            self.second -= 60;
        }
        let second = self.second;
        let inbox = journal.inbox();
        match self.random.below(8) {
            0..3 => {
                let mut readings = Vec::new();
                for _ in 0..=self.random.below(3) {
                    let is_again = self.ids > 0 && self.random.below(5) == 0;
                    let id = if is_again {
                        self.random.below(self.ids)
                    } else {
                        self.ids += 1;
                        self.ids - 1
                    };
                    readings.push(Ok(transfer("pda", &id.to_string(), "P", "A", "B", second)));
                }
                if self.random.below(3) == 0 {
                    readings.push(Err(rejection("pda", b"{", second)));
                }
                inbox.append(readings).await.unwrap();
                self.seconds.push(second);
            }
            3 => assembly.advance(journal, second).await,
            4..7 => self.change(journal).await,
            _ => {
                let open = journal.rejected_open(RejectedNumber::ZERO, ALL).unwrap();
                let Some(reading) = open.first() else { return };
                let settlement = Settlement {
                    number: reading.number,
                    record: record(second),
                    events: Vec::new(),
                };
                inbox.settle(vec![settlement], None).await.unwrap();
            }
        }
    }

    async fn change(&mut self, journal: &Journal) {
        let documents = journal.documents(None, DocumentNumber::ZERO, ALL).unwrap();
        if documents.is_empty() {
            return;
        }
        let place = self.random.below(documents.len() as u64);
        let entry = &documents[usize::try_from(place).unwrap()];
        let (number, state) = (entry.document.number.get(), entry.progress.state);
        let next = match (state, self.random.below(3)) {
            (State::Waiting, _) | (State::Parked, 0) => State::Sending,
            (State::Sending, 0) => State::Posted,
            // A parked document gets another reason.
            (State::Sending, _) | (State::Parked, 1) => State::Parked,
            (State::Parked, _) => State::Discarded,
            (State::Posted | State::Discarded | State::Replaced, _) => return,
        };
        let mut change = moved(number, state, next, self.second);
        if next == State::Parked {
            let code = ["unknown-product", "unknown-lot"][usize::from(state == next)];
            change.progress.reason = Some(stockrelay::document::Reason {
                code: code.into(),
                message: "?".to_owned(),
                lines: Vec::new(),
            });
        }
        assert_eq!(journal.inbox().change(vec![change]).await.unwrap(), [true]);
    }
}

#[tokio::test]
async fn the_counts_since_any_time_are_those_of_the_records_whatever_the_clock_did() {
    for seed in 1..=20 {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, mut writer) = open(dir.path());
        let mut history = History {
            random: Random(seed),
            second: 0,
            ids: 0,
            seconds: Vec::new(),
        };
        let rules = config::Documents::default();
        let mut assembly = Assembly::new(&journal, &rules);
        for step in 0..60 {
            history.act(&journal, &mut assembly).await;
            if step % 20 == 19 {
                matches(&journal, &history.seconds);
                let before = journal.sum_of_periods().unwrap();
                close(journal, writer).await;
                (journal, writer) = open(dir.path());
                assert_eq!(journal.sum_of_periods().unwrap(), before, "seed {seed}");
                assembly = Assembly::new(&journal, &rules);
            }
        }
        matches(&journal, &history.seconds);
        close(journal, writer).await;
    }
}

#[tokio::test]
async fn an_event_that_is_a_little_late_belongs_to_the_present_period() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let second = begin(1_000);
    let event = |id: &str, second| Ok(transfer("pda", id, "P", "A", "B", second));
    let batch = vec![
        event("1", second - 1),
        event("2", second + 1),
        event("3", second - 59),
        event("4", second - 61),
        event("5", second + 2),
    ];
    journal.inbox().append(batch).await.unwrap();
    let stored = |second| journal.since(at(second)).unwrap().counts.stored;
    assert_eq!((stored(second), stored(second - PERIOD_S)), (3, 5));
    adds_up(&journal);
    close(journal, writer).await;
}

#[tokio::test]
async fn wrong_and_unused_scans_count_in_the_period_of_the_scan_until_they_are_dismissed() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    for (id, second) in [("1", 0), ("2", 3_600), ("3", 7_200)] {
        let scan = crate::floor::scan("ring", id, "X", second);
        inbox.append(vec![Ok(scan)]).await.unwrap();
    }
    let seqs = [1, 2, 3].map(Seq::new);
    let sealed = inbox.seal_and_store(
        Vec::new(),
        seqs.to_vec(),
        seqs[..2].to_vec(),
        seqs[2],
        Vec::new(),
    );
    sealed.await.unwrap();
    let wrong = |seq| WrongScan {
        seq,
        answer: "scan a bin first".to_owned(),
    };
    let of_flow = inbox.append_of_flow(Vec::new(), Vec::new(), vec![wrong(seqs[2])]);
    of_flow.await.unwrap();
    inbox
        .store_of_flow(Vec::new(), vec![wrong(seqs[2]), wrong(seqs[1])])
        .await
        .unwrap();
    let counted = |second| {
        let counts = journal.since(at(second)).unwrap().counts;
        (counts.unused_scans, counts.wrong_scans)
    };
    assert_eq!(
        [counted(0), counted(3_600), counted(7_200)],
        [(2, 3), (1, 3), (0, 2)]
    );
    inbox.dismiss_scans(record(8_000)).await.unwrap();
    assert_eq!(counted(0), (0, 3));
    adds_up(&journal);
    close(journal, writer).await;

    // The list of wrong scans has each once, also after a start.
    let (journal, writer) = open(dir.path());
    let filter = EventFilter {
        is_wrong: true,
        ..EventFilter::default()
    };
    let found = journal.search(filter, Seq::ZERO).unwrap().read_part(9);
    let found = found.unwrap().into_iter().map(|found| found.recorded.seq);
    assert_eq!(found.collect::<Vec<_>>(), [2, 3].map(Seq::new));
    let answer = journal.wrong_scan(Seq::new(3)).unwrap();
    assert_eq!(answer.as_deref(), Some("scan a bin first"));
    assert_eq!(journal.wrong_scan(Seq::new(1)).unwrap(), None);
    close(journal, writer).await;
}

#[tokio::test]
async fn an_edit_by_a_person_counts_once_and_its_events_stay_in_their_period() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    for (id, second) in [("1", 0), ("2", 3_600)] {
        let event = transfer("pda", id, "P", "A", "B", second);
        inbox.append(vec![Ok(event)]).await.unwrap();
    }
    let old = document(&journal, &[1, 2]);
    inbox
        .seal(vec![old.clone()], Vec::new(), Seq::new(2))
        .await
        .unwrap();
    for (before, after) in [
        (State::Waiting, State::Sending),
        (State::Sending, State::Parked),
    ] {
        let change = moved(1, before, after, 3_700);
        assert_eq!(inbox.change(vec![change]).await.unwrap(), [true]);
    }
    let mut change = moved(1, State::Parked, State::Replaced, 3_800);
    change.by = "user:anna".to_owned();
    let mut new = old.clone();
    new.key = old.key.corrected();
    new.corrects = Some(DocumentNumber::new(1));
    // The person has removed the first line.
    new.lines.remove(0);
    assert!(inbox.replace(change, new).await.unwrap().is_some());
    for (before, after) in [
        (State::Waiting, State::Sending),
        (State::Sending, State::Posted),
    ] {
        let change = moved(2, before, after, 3_900);
        assert_eq!(inbox.change(vec![change]).await.unwrap(), [true]);
    }
    let since = |second| journal.since(at(second)).unwrap().counts;
    let (all, late) = (since(0), since(3_600));
    assert_eq!((all.edited, all.left_out), (1, 1));
    assert_eq!((late.edited, late.left_out), (1, 0));
    let posted = |counts: &PeriodCounts| {
        let posted = counts.states.posted;
        (posted.documents, posted.lines, posted.events)
    };
    assert_eq!((posted(&all), posted(&late)), ((1, 1, 2), (1, 1, 1)));
    adds_up(&journal);
    close(journal, writer).await;
}

#[tokio::test]
async fn readings_that_are_removed_for_room_stay_open_in_their_period() {
    let dir = tempfile::tempdir().unwrap();
    // The room of rejected readings is a twentieth of the budget.
    let config = config::Journal {
        budget_bytes: 64 << 20,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(dir.path(), &config).unwrap();
    let inbox = journal.inbox();
    for hour in 0..4 {
        let reading = rejection("pda", &vec![b'x'; 1_000_000], hour * 3_600);
        inbox.append(vec![Err(reading)]).await.unwrap();
    }
    let totals = journal.totals();
    assert!(totals.rejected_dropped > 0, "{totals:?}");
    assert_eq!(totals.rejected_open, 4);
    let open = |hour: i64| {
        let counts = journal.since(at(hour * 3_600)).unwrap().counts;
        (counts.rejected_open, counts.rejected_dropped)
    };
    assert_eq!(open(0), (4, totals.rejected_dropped));
    assert_eq!(open(3).0, 1);
    adds_up(&journal);
    let upto = totals.rejected_dropped_upto;
    let settled = inbox.settle(Vec::new(), Some((record(9), upto))).await;
    assert_eq!(settled.unwrap().dropped, totals.rejected_dropped);
    assert_eq!(open(0), (4 - totals.rejected_dropped, 0));
    adds_up(&journal);
    close(journal, writer).await;
}

#[tokio::test]
async fn pruned_periods_leave_the_sum_as_it_was_and_the_counts_say_since_when_they_are() {
    const DAY_S: i64 = 86_400;
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    for day in 0..10 {
        let id = day.to_string();
        let event = transfer("pda", &id, "P", "A", "B", day * DAY_S);
        let reading = rejection("pda", b"{", day * DAY_S);
        inbox.append(vec![Ok(event), Err(reading)]).await.unwrap();
    }
    let documents = (1..=10).map(|seq| document(&journal, &[seq])).collect();
    inbox
        .seal(documents, Vec::new(), Seq::new(10))
        .await
        .unwrap();
    let before = journal.sum_of_periods().unwrap().without_details();
    let retention = i64::from(config::Journal::default().retention_days) * DAY_S;
    let now = 5 * DAY_S + retention;
    inbox.prune(at(now)).await.unwrap();
    adds_up(&journal);
    let sum = journal.sum_of_periods().unwrap().without_details();
    assert_eq!(sum, before);
    let all = journal.since(at(0)).unwrap();
    assert_eq!(all.counts.stored, 5);
    assert!(
        all.from > at(4 * DAY_S) && all.from <= at(5 * DAY_S),
        "{}",
        all.from
    );
    let whole = journal.since(at(7 * DAY_S)).unwrap();
    assert_eq!((whole.counts.stored, whole.counts.rejected_open), (3, 3));
    assert!(whole.from <= at(7 * DAY_S));
    // What is past its retention still changes, and is in no period.
    for (before, after) in [
        (State::Waiting, State::Sending),
        (State::Sending, State::Posted),
    ] {
        for number in [1, 10] {
            let change = moved(number, before, after, now);
            assert_eq!(inbox.change(vec![change]).await.unwrap(), [true]);
        }
    }
    adds_up(&journal);
    let posted = journal.since(at(0)).unwrap().counts.states.posted;
    assert_eq!(posted.documents, 1);
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.since(at(0)).unwrap().from, all.from);
    adds_up(&journal);
    close(journal, writer).await;
}

/// Changes the tables as a version does that knows no periods.
fn change_tables(dir: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::create(dir.join("journal.redb")).unwrap();
    let write = database.begin_write().unwrap();
    change(&write);
    write.commit().unwrap();
}

#[tokio::test]
async fn the_counts_of_an_old_journal_begin_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let event = |id: &str, second| Ok(transfer("pda", id, "P", "A", "B", second));
    let batch = vec![event("1", 0), Err(rejection("pda", b"{", 0))];
    journal.inbox().append(batch).await.unwrap();
    close(journal, writer).await;
    let periods = redb::TableDefinition::<u64, &[u8]>::new("periods");
    change_tables(dir.path(), |write| {
        assert!(write.delete_table(periods).unwrap());
    });
    let before = stockrelay::clock::now();
    let (journal, writer) = open(dir.path());
    let since = journal.since(at(0)).unwrap();
    assert_eq!(since.counts, PeriodCounts::default());
    assert!(since.from >= before.round(jiff::Unit::Microsecond).unwrap());
    adds_up(&journal);
    // A new event counts. The old one never does.
    let after = at(0) + jiff::SignedDuration::from_hours(24 * 365);
    let mut new = transfer("pda", "2", "P", "A", "B", 0);
    new.received = after;
    journal.inbox().append(vec![Ok(new)]).await.unwrap();
    let both = document(&journal, &[1, 2]);
    let sealed = journal.inbox().seal(vec![both], Vec::new(), Seq::new(2));
    sealed.await.unwrap();
    let since = journal.since(at(0)).unwrap().counts;
    let waiting = since.states.waiting;
    assert_eq!((since.stored, since.rejected), (1, 0));
    assert_eq!((waiting.documents, waiting.events), (1, 1));
    adds_up(&journal);
    close(journal, writer).await;
}

#[tokio::test]
async fn the_counts_begin_anew_after_a_version_without_counts_used_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let event = |id: &str| Ok(transfer("pda", id, "P", "A", "B", 0));
    journal.inbox().append(vec![event("1")]).await.unwrap();
    close(journal, writer).await;
    let periods = redb::TableDefinition::<u64, &[u8]>::new("periods");
    // The version has stored an event that no period counts.
    let records = {
        let database = redb::Database::create(dir.path().join("journal.redb")).unwrap();
        let read = redb::ReadableDatabase::begin_read(&database).unwrap();
        let table = read.open_table(periods).unwrap();
        let records = redb::ReadableTable::iter(&table).unwrap();
        let record = |entry: Result<(redb::AccessGuard<u64>, redb::AccessGuard<&[u8]>), _>| {
            let (key, value) = entry.unwrap();
            (key.value(), value.value().to_vec())
        };
        records.map(record).collect::<Vec<_>>()
    };
    let (journal, writer) = open(dir.path());
    journal.inbox().append(vec![event("2")]).await.unwrap();
    close(journal, writer).await;
    change_tables(dir.path(), |write| {
        let mut table = write.open_table(periods).unwrap();
        for (key, value) in &records {
            table.insert(key, value.as_slice()).unwrap();
        }
    });
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.since(at(0)).unwrap().counts.stored, 0);
    adds_up(&journal);
    close(journal, writer).await;
}
