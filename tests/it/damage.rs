//! A journal with damaged pages: the gateway names the file and the remedy, or all that was stored is
//! there. It never goes on with a value that the disk has changed.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stockrelay::event::Recorded;
use stockrelay::journal::{Journal, OpenError, Verified, verify};
use stockrelay::view::client::Client;
use stockrelay::{clock, config};

use crate::floor::{rejection, scan, transfer};
use crate::process::command;

const PAGE_BYTES: u64 = 4_096;
const EVENTS: i64 = 3_000;
const SOON: Duration = Duration::from_secs(20);

/// A journal as a daemon leaves it behind.
struct Base {
    bytes: Vec<u8>,
    events: Vec<Recorded>,
}

fn all(journal: &Journal) -> Vec<Recorded> {
    journal.events(0, usize::MAX).unwrap()
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
        for part in [file, "is damaged", "mv ", "is safe", "Copy the file"] {
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
