//! A disk that is full, or that fails, at each step of a gateway's work.
//!
//! The work is the same each time: requests of every kind but pruning, which does as much as it has
//! time for; a log that grows, tables that take it over, an end and a start in order.
//! `STOCKRELAY_STEPS=1 cargo test --test it crash::faults` tries each step; by itself, `cargo test`
//! tries one of some.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use stockrelay::journal::Fatal;

use super::contents::{Allowed, Moment};
use super::disk::{Fault, Files, LoggedDisk};
use super::gateway::{Act, Floor, Gateway, Shown, config};
use crate::moves::Random;
use crate::setting::setting;
use crate::turn::wait_for_turn;

/// Without the variable, one of so many steps is tried.
const EVERY: u64 = 9;
/// Runs at once: most of them wait.
const AT_ONCE: usize = 16;

#[rustfmt::skip]
const SCRIPT: [Act; 33] = [
    Act::Append, Act::Append, Act::Assemble, Act::Change, Act::StoreLarge, Act::Append,
    Act::Assemble, Act::UnusedScans, Act::Change, Act::StoreLarge, Act::StoreLarge, Act::Change,
    Act::Change, Act::Settle, Act::StoreLarge, Act::StoreLarge, Act::Assemble, Act::StoreLarge,
    Act::StoreLarge, Act::Append, Act::StoreLarge, Act::Assemble, Act::Change, Act::Replace,
    Act::Restart, Act::Append, Act::Assemble, Act::Store, Act::Change, Act::Append, Act::Assemble,
    Act::Restart, Act::Append,
];

/// How far the work came.
struct Ran {
    /// Empty: the gateway did not start.
    moments: Vec<Moment>,
    /// Why it ended before the end of the work.
    fault: Option<Fatal>,
}

/// Does the work until the journal stops.
fn run(disk: &LoggedDisk, shown: &Shown, answers: &AtomicUsize) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let work = async {
        let mut gateway = match Gateway::start(Floor::new(1), disk, shown) {
            Ok(gateway) => gateway,
            Err(fatal) => return (Vec::new(), Some(fatal)),
        };
        for act in SCRIPT {
            if gateway.request(act).await.is_err() {
                break;
            }
            answers.fetch_add(1, Ordering::Relaxed);
        }
        let (_, moments, ended) = gateway.end();
        (moments, ended.err())
    };
    let (moments, fault) = runtime.unwrap().block_on(work);
    // A request that waits for the fault need not wait longer.
    disk.set_fault(Fault::None);
    Ran { moments, fault }
}

/// The work without a fault.
fn reference() -> Vec<Moment> {
    let disk = LoggedDisk::default();
    let ran = run(&disk, &Shown::default(), &AtomicUsize::new(0));
    assert_eq!(ran.moments.len(), SCRIPT.len() + 1);
    let moments = ran.moments.iter();
    let steps: Vec<_> = moments.map(|moment| moment.steps).collect();
    println!("the work needs these steps of the disk by request: {steps:?}");
    let before_restart = steps[2..24].windows(2);
    let most = before_restart.map(|pair| pair[1] - pair[0]).max();
    assert!(most > Some(20), "the tables never took the log over");
    ran.moments
}

/// Tries one of some steps until there are no more. `attempt`: false, if there is no such step.
fn try_steps(attempt: impl Fn(usize) -> bool + Sync) -> usize {
    let every = usize::try_from(setting("STOCKRELAY_STEPS", EVERY)).unwrap();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut tried = 0;
        while attempt(next.fetch_add(every, Ordering::Relaxed)) {
            tried += 1;
        }
        tried
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    })
}

/// Opens what is on the disk, as another process finds it and as a power cut leaves it.
fn look(disk: &LoggedDisk, ran: &Ran, reference: &[Moment], what: &str) {
    let allowed = match ran.moments.len() {
        0 => Allowed::nothing(),
        moments => Allowed::after(moments - 1, reference),
    };
    let mut random = Random(3);
    let steps = disk.steps();
    let left: [(&str, Files); 3] = [
        ("started again", disk.files()),
        ("all unsynced is lost", disk.cut_before(steps, || false)),
        (
            "some is lost",
            disk.cut_before(steps, || random.below(2) == 0),
        ),
    ];
    for (how, files) in left {
        let what = format!("{what}, {how}");
        let opened = LoggedDisk::holding(files).open_with(&config());
        let (journal, writer) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
        allowed.compare(&journal, &what);
        drop(journal);
        writer.join().unwrap();
    }
}

#[test]
fn after_any_write_or_sync_that_fails_nothing_more_is_written_and_nothing_acknowledged_is_missing()
{
    let _turn = wait_for_turn();
    let reference = reference();
    let tried = try_steps(|at| {
        let disk = LoggedDisk::default();
        disk.set_fault(Fault::Broken { at });
        let ran = run(&disk, &Shown::default(), &AtomicUsize::new(0));
        if disk.refused() == 0 {
            return false;
        }
        let what = format!("step {at} fails");
        // redb closes the file after the last commit, and tells nobody what fails then.
        if ran.moments.len() <= SCRIPT.len() {
            assert!(ran.fault.is_some(), "{what}: the gateway does not say so");
            let after = disk.describe(at);
            assert!(after.is_empty(), "{what}: and then {after:?}");
        }
        look(&disk, &ran, &reference, &what);
        true
    });
    assert!(tried > 30, "{tried} steps");
}

/// Runs the work on a disk that is full from this step on, until there is room, or until the
/// gateway gives up. False: there is no such step.
fn fill(from: usize, is_given_up: bool, reference: &[Moment]) -> bool {
    let what = format!("the disk is full from step {from} on");
    let disk = LoggedDisk::default();
    disk.set_fault(Fault::Full { from });
    let (shown, answers) = (Shown::default(), Arc::new(AtomicUsize::new(0)));
    let worker = thread::spawn({
        let (disk, shown, answers) = (disk.clone(), shown.clone(), answers.clone());
        move || run(&disk, &shown, &answers)
    });
    if !disk.wait_for_refused(1) {
        worker.join().unwrap();
        return false;
    }
    let answered = answers.load(Ordering::Relaxed);
    assert!(disk.wait_for_refused(2), "{what}: it does not wait");
    assert_eq!(answers.load(Ordering::Relaxed), answered, "{what}");
    let journal = shown.lock().unwrap().clone();
    let is_given_up = is_given_up && journal.is_some();
    if let Some(journal) = journal {
        let totals = journal.totals();
        assert!(totals.full && totals.disk_full, "{what}: no status says so");
        if is_given_up {
            journal.give_up_waiting();
        }
    }
    if !is_given_up {
        disk.set_fault(Fault::None);
    }
    let ran = worker.join().unwrap();
    if is_given_up {
        assert!(ran.fault.is_some(), "{what}");
    } else {
        assert!(ran.fault.is_none(), "{what}: {:?}", ran.fault);
        for (place, (found, expected)) in ran.moments.iter().zip(reference).enumerate() {
            let is_same = found.contents == expected.contents;
            assert!(
                is_same,
                "{what}: after request {place} {found:#?}, not {expected:#?}",
                found = found.contents,
                expected = expected.contents
            );
        }
        assert_eq!(ran.moments.len(), reference.len(), "{what}");
    }
    look(&disk, &ran, reference, &what);
    true
}

#[test]
fn on_a_disk_that_is_full_at_any_step_the_gateway_waits_and_goes_on_when_there_is_room() {
    let _turn = wait_for_turn();
    let reference = reference();
    let tried = try_steps(|from| fill(from, false, &reference));
    assert!(tried > 30, "{tried} steps");
}

#[test]
fn a_gateway_that_is_stopped_while_it_waits_for_room_loses_nothing() {
    let _turn = wait_for_turn();
    let reference = reference();
    let tried = try_steps(|from| fill(from, true, &reference));
    assert!(tried > 30, "{tried} steps");
}
