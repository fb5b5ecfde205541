//! A journal with damaged pages: the gateway names the file and the remedy, or all that was stored
//! is there. It never goes on with a value that the disk has changed.

mod log;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stockrelay::board::Board;
use stockrelay::event::{Recorded, RejectedNumber, Seq};
use stockrelay::journal::{Journal, OpenError, VERIFIED_BYTES_MAX, Verified, verify};
use stockrelay::view::client::Client;
use stockrelay::view::control::Control;
use stockrelay::{clock, config};
use tokio_util::sync::CancellationToken;

use crate::commands;
use crate::floor::{name, rejection, scan, transfer};
use crate::process::command;
use crate::turn::turn;

const PAGE_BYTES: u64 = 4_096;
const EVENTS: i64 = 3_000;
const SOON: Duration = Duration::from_secs(20);

/// A journal as a daemon leaves it behind.
struct Base {
    bytes: Vec<u8>,
    events: Vec<Recorded>,
}

fn all(journal: &Journal) -> Vec<Recorded> {
    journal.events(Seq::ZERO, usize::MAX).unwrap()
}

/// `closed`: in order; else as after a power cut.
async fn base(closed: bool) -> Base {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
    for round in 0..EVENTS / 100 {
        let events = (0..100).map(|n| {
            let number = round * 100 + n;
            let id = number.to_string();
            match n {
                7 => Err(rejection("pda", b"{", number)),
                8 => Ok(scan("pda", &id, "4000000000006", number)),
                _ => Ok(transfer(
                    "pda",
                    &id,
                    "4000000000006",
                    "A-01",
                    "B-02",
                    number,
                )),
            }
        });
        journal.inbox().append(events.collect()).await.unwrap();
    }
    let events = all(&journal);
    let path = dir.path().join("journal.redb");
    if closed {
        journal.inbox().close().await.unwrap();
        drop(journal);
        writer.join().unwrap();
        let bytes = fs::read(path).unwrap();
        return Base { bytes, events };
    }
    let bytes = fs::read(path).unwrap();
    Base { bytes, events }
}

/// The same numbers for the same seed (xorshift64*).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % below
    }
}

/// Damages one place of the file, as a disk does: a bit, a page of zeros, a page of something else,
/// or the end that is missing.
fn damage(path: &Path, seed: u64) -> String {
    let mut seeded = Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let length = file.metadata().unwrap().len();
    let at = seeded.next(length / PAGE_BYTES) * PAGE_BYTES;
    let page =
        |byte: &mut dyn FnMut() -> u8| -> Vec<u8> { (0..PAGE_BYTES).map(|_| byte()).collect() };
    match seeded.next(8) {
        0..3 => {
            let at = at + seeded.next(PAGE_BYTES);
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            byte[0] ^= 1 << seeded.next(8);
            file.write_all_at(&byte, at).unwrap();
            format!("a bit at {at}")
        }
        3 | 4 => {
            file.write_all_at(&page(&mut || 0), at).unwrap();
            format!("zeros at {at}")
        }
        5 | 6 => {
            let bytes = page(&mut || u8::try_from(seeded.next(256)).unwrap());
            file.write_all_at(&bytes, at).unwrap();
            format!("noise at {at}")
        }
        _ => {
            file.set_len(at).unwrap();
            format!("the end after {at}")
        }
    }
}

#[tokio::test]
async fn a_damaged_page_is_told_and_never_read_as_another_value() {
    let _turn = turn().await;
    let mut told = 0;
    for (closed, seeds) in [(true, 0..200_u64), (false, 200..400)] {
        let base = base(closed).await;
        for seed in seeds {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("journal.redb");
            fs::write(&path, &base.bytes).unwrap();
            let what = damage(&path, seed);
            let before = fs::read(&path).unwrap();
            let verified = verify(dir.path()).unwrap();
            assert_eq!(
                fs::read(&path).unwrap(),
                before,
                "{what}: verifying changes nothing"
            );
            match Journal::open(dir.path(), &config::Journal::default()) {
                Ok((journal, writer)) => {
                    assert!(
                        matches!(verified, Verified::Sound { .. } | Verified::Missing),
                        "seed {seed}, {what}: {verified:?}"
                    );
                    if !before.is_empty() {
                        assert_eq!(all(&journal), base.events, "seed {seed}, {what}");
                    }
                    journal.inbox().close().await.unwrap();
                    drop(journal);
                    writer.join().unwrap();
                }
                Err(error) => {
                    told += 1;
                    assert!(
                        matches!(error, OpenError::Damaged { .. }),
                        "{what}: {error}"
                    );
                    assert!(
                        matches!(verified, Verified::Damaged(_)),
                        "seed {seed}, {what}: {verified:?}"
                    );
                    let text = error.to_string();
                    assert!(text.contains(&*path.to_string_lossy()), "{text}");
                    assert!(!text.contains("unreachable"), "{text}");
                }
            }
        }
    }
    assert!(told > 100, "only {told} of 400 hit a page in use");
}

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new(base: &Base) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = "site = \"ams1\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"127.0.0.1:0\"\nanonymous = true\n\
             [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\napi_key_file = \"odoo.key\"\n\
             [control]\nsocket = \"control.sock\"\n";
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::write(dir.path().join("odoo.key"), "none").unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        let site = Self { dir };
        fs::write(site.journal(), &base.bytes).unwrap();
        site
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("data/journal.redb")
    }

    fn check(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stockrelay"))
            .args(["--config", "config.toml", "check"])
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }

    /// What the daemon says when it has ended; `None`: it runs, with all events.
    async fn run(&self, events: usize) -> Option<Output> {
        let mut child = command(self.dir.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let client = Client::new(&self.dir.path().join("control.sock"));
        let begun = clock::instant();
        loop {
            if child.try_wait().unwrap().is_some() {
                return Some(child.wait_with_output().unwrap());
            }
            if let Ok(status) = client.get::<Value>("/v1/status").await {
                assert_eq!(status["events"]["stored"], events, "{status}");
                break;
            }
            assert!(begun.elapsed() < SOON, "it neither runs nor ends");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
        assert!(ended.status.success(), "{ended:?}");
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_ends_with_65_and_names_file_and_remedy_and_check_notices() {
    let base = base(true).await;
    let mut told = 0;
    for seed in 1_000..1_024 {
        let site = Site::new(&base);
        let what = damage(&site.journal(), seed);
        let checked = site.check();
        let found = String::from_utf8(checked.stdout).unwrap();
        let file = "data/journal.redb";
        let Some(ended) = site.run(base.events.len()).await else {
            assert!(
                found.contains("has no damaged page"),
                "seed {seed}, {what}: {found}"
            );
            continue;
        };
        told += 1;
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(65), "seed {seed}, {what}: {said}");
        for part in [file, "is damaged", "mv ", "is safe", "copy the file"] {
            assert!(said.contains(part), "seed {seed}, {what}: {said}");
        }
        assert!(
            !said.contains("panicked") && !said.contains("unreachable"),
            "{said}"
        );
        assert_eq!(checked.status.code(), Some(1), "{found}");
        let line = found.lines().find(|line| line.contains("is damaged"));
        let line = line.unwrap_or_else(|| panic!("seed {seed}, {what}: {found}"));
        assert!(line.starts_with("FAIL") && line.contains(file), "{line}");
    }
    assert!(told > 8, "only {told} of 24 hit a page in use");
}

/// So many of the large readings make a journal that is too large to be verified at each start.
const UNVERIFIED: i64 = 1_100;
/// So many do not fit into the cache.
const UNCACHED: i64 = 150;
const LARGE_READING_BYTES: usize = 60_000;

/// A journal with so many large rejected readings, and an event for each.
async fn large(readings: i64) -> Base {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
    for number in 0..readings {
        let payload = vec![b'x'; LARGE_READING_BYTES];
        let readings = vec![
            Err(rejection("pda", &payload, number)),
            Ok(transfer(
                "pda",
                &number.to_string(),
                "4000000000006",
                "A-01",
                "B-02",
                number,
            )),
        ];
        journal.inbox().append(readings).await.unwrap();
    }
    let events = all(&journal);
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    let bytes = fs::read(dir.path().join("journal.redb")).unwrap();
    Base { bytes, events }
}

/// Fills each page but the first, and those that `is_spared`, with one byte.
fn wreck(path: &Path, is_spared: impl Fn(u64) -> bool) {
    let mut seeded = Seeded(0x5eed);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let pages = file.metadata().unwrap().len() / PAGE_BYTES;
    for page in (1..pages).filter(|page| !is_spared(*page)) {
        let noise = u8::try_from(seeded.next(256)).unwrap();
        let bytes: Vec<u8> = (0..PAGE_BYTES).map(|_| noise).collect();
        file.write_all_at(&bytes, page * PAGE_BYTES).unwrap();
    }
}

fn tells_the_damage(said: &str) {
    for part in [
        "data/journal.redb",
        "is damaged",
        "mv ",
        "is safe",
        "copy the file",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(
        !said.contains("panicked") && !said.contains("unreachable"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_answer_is_on_a_damaged_page_ends_with_65_and_says_the_same() {
    let _turn = turn().await;
    let base = large(UNCACHED).await;
    for arguments in [
        &["events"][..],
        &["trace", "pda/17"],
        &["rejected", "list"],
        &["status"],
    ] {
        let site = Site::new(&base);
        let data_dir = site.dir.path().join("data");
        let small = config::Journal {
            cache_bytes: 1 << 20,
            ..config::Journal::default()
        };
        let (journal, _writer) = Journal::open(&data_dir, &small).unwrap();
        let served = config::Control {
            socket: site.dir.path().join("control.sock"),
            metrics: None,
        };
        let control = Control::bind(&served, name("ams1"), journal.clone(), Board::new()).unwrap();
        let cancel = CancellationToken::new();
        let serving = tokio::spawn(control.run(cancel.clone()));
        // The cache has room for few of these: no other page stays in it.
        journal.rejected(RejectedNumber::ZERO, usize::MAX).unwrap();
        wreck(&site.journal(), |_| false);
        let mut command = commands::stockrelay();
        command.args(["--config", "config.toml"]).args(arguments);
        command.current_dir(site.dir.path());
        let (code, _, said) = commands::run(command).await;
        assert_eq!(code, 65, "{arguments:?}: {said}");
        tells_the_damage(&said);
        assert!(journal.damage().borrow().is_some());
        cancel.cancel();
        serving.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_runs_ends_with_65_at_once_whatever_part_meets_the_damage() {
    let base = large(UNCACHED).await;
    let site = Site::new(&base);
    let mut child = command(site.dir.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let client = Client::new(&site.dir.path().join("control.sock"));
    let begun = clock::instant();
    while client.get::<Value>("/v1/status").await.is_err() {
        assert!(begun.elapsed() < SOON, "it does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    wreck(&site.journal(), |_| false);
    // A part of the daemon may have been faster.
    drop(client.get::<Value>("/v1/events").await);
    let begun = clock::instant();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < SOON, "it goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = child.wait_with_output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(65), "{log}");
    tells_the_damage(&log);
    let again = site.run(0).await.expect("it does not start");
    assert_eq!(again.status.code(), Some(65));
    tells_the_damage(&String::from_utf8(again.stderr).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_verifies_no_page_ends_with_65_whatever_part_meets_the_damage() {
    let _turn = turn().await;
    let base = large(UNVERIFIED).await;
    assert!(base.bytes.len() as u64 > VERIFIED_BYTES_MAX);
    let mut told = 0;
    for seed in 1..=8 {
        let site = Site::new(&base);
        let mut seeded = Seeded(seed);
        // One page in so many is damaged.
        let chance = 1 << (seed + 1);
        let damaged: Vec<_> = (0..base.bytes.len() as u64 / PAGE_BYTES)
            .filter(|_| seeded.next(chance) == 0)
            .collect();
        wreck(&site.journal(), |page| {
            damaged.binary_search(&page).is_err()
        });
        if let Some(ended) = site.run(base.events.len()).await {
            told += 1;
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(65), "seed {seed}: {said}");
            tells_the_damage(&said);
        }
    }
    assert!(told > 2, "only {told} of 8 met the damage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_a_newer_version_is_not_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let limits = config::Journal::default();
    let (journal, writer) = Journal::open(dir.path(), &limits).unwrap();
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    let database = redb::Database::open(dir.path().join("journal.redb")).unwrap();
    let write = database.begin_write().unwrap();
    let meta: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
    let format: &[u8] = b"99";
    (write.open_table(meta).unwrap().insert("format", format)).unwrap();
    write.commit().unwrap();
    drop(database);
    let (finding, ends_with_65) = stockrelay::view::check::journal(dir.path(), None).unwrap();
    let told = finding.to_string();
    assert!(ends_with_65, "{told}");
    assert!(!told.contains("damaged") && !told.contains("mv "), "{told}");
    assert!(told.contains("run the version that wrote it"), "{told}");
    let error = Journal::open(dir.path(), &limits).unwrap_err().to_string();
    assert!(error.contains(&finding.what), "{error}");
    assert!(error.contains(&finding.remedy), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_a_check_that_reads_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let lock = fs::File::create(dir.path().join("lock")).unwrap();
    lock.lock_shared().unwrap();
    let (path, limits) = (dir.path().to_owned(), config::Journal::default());
    let opening = tokio::task::spawn_blocking(move || Journal::open(&path, &limits).map(drop));
    // Long enough for the first attempt, which finds the lock.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!opening.is_finished(), "it did not wait");
    lock.unlock().unwrap();
    opening.await.unwrap().unwrap();
}
