//! Random histories of a gateway whose power goes again and again: while it works, while it ends
//! and while it starts.
//!
//! `cargo test` plays a small fixed sample. The search: `STOCKRELAY_CRASHES=10000 cargo test
//! --release --test it crash::histories -- --nocapture`; `STOCKRELAY_SEED` begins at another
//! history.

use stockrelay::clock;
use stockrelay::journal::Accepted;

use super::contents::{Allowed, Contents, Left};
use super::disk::{Files, LoggedDisk};
use super::gateway::{Floor, Gateway, Shown, config};
use super::rules;
use crate::floor::transfer;
use crate::moves::{Assembly, adds_up};
use crate::setting::setting;
use crate::turn::turn;

/// A history has up to this many power cuts, and up to this many requests between two.
const CUTS_MAX: u64 = 6;
const REQUESTS_MAX: u64 = 16;
/// Later than anything in a history.
const LATER_S: i64 = 100_000;

#[derive(Debug, Default)]
struct Report {
    requests: u64,
    acknowledged: usize,
    cuts: u64,
    /// Cuts while the journal was opened.
    in_starts: u64,
    /// After these cuts, the request that was under way was there.
    with_the_next: u64,
    /// After these cuts, seals were not there that had been answered.
    without_seals: u64,
}

impl Report {
    fn note(&mut self, left: Left) {
        match left {
            Left::Answered => {}
            Left::WithTheNextRequest => self.with_the_next += 1,
            Left::WithoutAnsweredSeals => self.without_seals += 1,
        }
    }
}

#[tokio::test]
async fn after_any_power_cuts_the_journal_is_as_it_was_after_one_of_its_requests() {
    let _turn = turn().await;
    let histories = setting("STOCKRELAY_CRASHES", 50);
    let first = setting("STOCKRELAY_SEED", 1);
    let begun = clock::instant();
    let mut report = Report::default();
    for seed in first..first + histories {
        play(seed, &mut report).await;
    }
    println!(
        "{histories} histories in {:.0} s: {report:?}",
        begun.elapsed().as_secs_f64()
    );
    let rare = [report.in_starts, report.with_the_next, report.without_seals];
    assert!(!rare.contains(&0), "{report:?}");
}

/// Names the history of a test that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "STOCKRELAY_CRASHES=1 STOCKRELAY_SEED={} plays it alone",
                self.0
            );
        }
    }
}

async fn play(seed: u64, report: &mut Report) {
    let _seed = Seed(seed);
    let mut floor = Floor::new(seed);
    let (mut files, mut allowed) = (Files::default(), Allowed::nothing());
    for cut in 0..=floor.below(CUTS_MAX) {
        let what = format!("seed {seed}, after {cut} cuts");
        let disk = LoggedDisk::holding(files);
        let gateway = Gateway::start(floor, &disk, &Shown::default());
        let mut gateway = gateway.unwrap_or_else(|error| panic!("{what}: {error}"));
        report.note(allowed.compare(&gateway.journal(), &what));
        for _ in 0..gateway.floor.below(REQUESTS_MAX) {
            gateway.act().await.unwrap();
        }
        let started = gateway.moments[0].steps;
        let step = choose(&mut gateway, disk.steps(), cut == 0);
        let random = &mut gateway.floor;
        let kept = random.below(5);
        files = disk.cut_before(step, || random.below(4) < kept);
        (floor, allowed) = gateway.cut_before(step);
        report.cuts += 1;
        report.in_starts += u64::from(step < started);
    }
    finish(&mut floor, files, &allowed, seed, report).await;
    report.requests += floor.requests;
    report.acknowledged += floor.acknowledged.len();
}

/// Chooses the step before which the power goes: any, or one of a request. Before the first commit
/// there is no journal.
fn choose(gateway: &mut Gateway, steps: usize, is_first: bool) -> usize {
    let moments = gateway.moments.len();
    let started = gateway.moments[0].steps;
    let place = gateway.floor.pick(moments).unwrap();
    let first = if is_first { started } else { 0 };
    let (first, last) = match place {
        1.. if gateway.floor.below(2) == 0 => {
            let moments = &gateway.moments;
            (moments[place - 1].steps, moments[place].steps)
        }
        _ => (first, steps),
    };
    first + gateway.floor.pick(last - first + 1).unwrap()
}

/// Sends everything again, seals what is open, and ends and starts in order.
async fn finish(
    floor: &mut Floor,
    files: Files,
    allowed: &Allowed,
    seed: u64,
    report: &mut Report,
) {
    let what = format!("seed {seed}, at the end");
    let disk = LoggedDisk::holding(files);
    let (journal, writer) = disk.open_with(&config()).unwrap();
    report.note(allowed.compare(&journal, &what));
    let ids = floor.acknowledged.keys();
    let again = ids.map(|(device, id)| Ok(transfer(device, id, "P", "A", "B", LATER_S)));
    let answers = journal.inbox().append(again.collect()).await.unwrap();
    let seqs = floor.acknowledged.values();
    let expected: Vec<_> = seqs
        .map(|seq| Accepted::Duplicate { original: *seq })
        .collect();
    assert_eq!(answers, expected, "{what}");
    let mut assembly = Assembly::new(&journal, &rules());
    assembly.advance(&journal, LATER_S).await;
    assembly.advance(&journal, 2 * LATER_S).await;
    assert_eq!(journal.totals().open_events(), 0, "{what}");
    if !floor.is_pruned {
        adds_up(&journal);
    }
    let before = Contents::of(&journal);
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    let (journal, writer) = disk.open_with(&config()).unwrap();
    assert_eq!(Contents::of(&journal), before, "{what}");
    drop(journal);
    writer.join().unwrap();
}
