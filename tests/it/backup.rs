//! Backups and exports of the journal: what is written comes back byte for byte, and nothing else
//! is taken for it. The stories with Odoo are scenarios: `restored_from_a_backup`,
//! `lost_without_a_backup`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use stockrelay::config;
use stockrelay::document::{Document, DocumentKey, DocumentNumber, Line, Purpose};
use stockrelay::event::{Action, Event, Name, Seq};
use stockrelay::fence::Own;
use stockrelay::journal::{
    Depth, ImportError, Journal, Verified, WorkDone, check_export, export_closed, import,
    verify_with,
};

use crate::commands::{run, stockrelay};
use crate::floor::{at, name, rejection, scan, transfer};
use crate::process::Process;

const SITE: &str = "ams1";

fn unseen() -> WorkDone {
    WorkDone::default()
}

fn document(events: &[Event], first: u64) -> Document {
    let site = name(SITE);
    let mut lines = Vec::new();
    let mut recorded = Vec::new();
    for (seq, event) in (first..).zip(events) {
        let seq = Seq::new(seq);
        recorded.push(stockrelay::event::Recorded {
            seq,
            event: event.clone(),
        });
        let Action::Move(moved) = &event.action else {
            continue;
        };
        lines.push(Line {
            goods: moved.goods.clone(),
            events: vec![seq],
        });
    }
    Document {
        number: DocumentNumber::ZERO,
        key: DocumentKey::of(&site, &recorded),
        purpose: Purpose::Transfer,
        group: "pda".to_owned(),
        lines,
        occurred: at(1),
        sealed: at(2),
        events: recorded.iter().map(|recorded| recorded.seq).collect(),
        corrects: None,
        times: Vec::new(),
        flags: Vec::new(),
    }
}

/// A journal with events in a document, an open event, scans with control characters, a duplicate
/// and a rejected reading.
async fn fill(dir: &Path) {
    let (journal, writer) = Journal::open(dir, &config::Journal::default()).unwrap();
    let moved: Vec<Event> = (1..=3)
        .map(|n| transfer("pda", &format!("e{n}"), "4000000000006", "A-01", "B-02", n))
        .collect();
    let sealed = document(&moved, 1);
    let events = moved.clone().into_iter().map(Ok).collect();
    journal.inbox().append(events).await.unwrap();
    let more = vec![
        Ok(moved[0].clone()),
        Ok(scan("pda", "s1", "]C1\u{1d}10LOT\"7", 4)),
        Ok(transfer("pda", "e9", "4000000000006", "A-01", "B-02", 5)),
        Err(rejection("pda", b"\0{", 6)),
    ];
    journal.inbox().append(more).await.unwrap();
    let (skipped, settled) = (vec![Seq::new(4)], Seq::new(4));
    let seal = journal.inbox().seal(vec![sealed], skipped, settled);
    seal.await.unwrap();
    let own = Own {
        gateway: 1,
        database: 2,
        number: Some(3),
    };
    let number = vec![own.store().unwrap()];
    journal.inbox().store_side_values(number).await.unwrap();
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

fn export(dir: &Path) -> Vec<u8> {
    let mut lines = Vec::new();
    export_closed(dir, &name(SITE), &mut lines, &unseen()).unwrap();
    lines
}

fn build(lines: &[u8], dir: &Path) -> Result<(), ImportError> {
    import(Some(&mut &*lines), &name(SITE), dir, &unseen()).map(drop)
}

#[tokio::test]
async fn what_is_exported_and_imported_is_exported_again_byte_for_byte() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, second, third] = dirs.each_ref().map(tempfile::TempDir::path);
    fill(first).await;
    let lines = export(first);
    let text = String::from_utf8(lines.clone()).unwrap();
    for part in [
        r#"{"format":"stockrelay-journal","version":1,"site":"ams1","#,
        r#""id":"e1""#,
        r#""Scan":["]C1\u001d10LOT\"7""#,
        r#""group":"pda""#,
        "sealed with 3 events",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    build(&lines, second).unwrap();
    assert_eq!(export(second), lines);
    // Also after a daemon has opened it.
    let (journal, writer) = Journal::open(second, &config::Journal::default()).unwrap();
    // A gateway with the copy is another one, which takes a number of its own.
    assert!(!text.contains("gateway/number"), "{text}");
    assert_eq!(journal.fence().unwrap(), None);
    assert_eq!(journal.totals().stored, 5);
    assert_eq!(journal.totals().open_events(), 1);
    let mark = journal.restored().unwrap().unwrap();
    assert_eq!(
        (mark.seq, mark.document),
        (Seq::new(5), DocumentNumber::new(1))
    );
    let again = journal.event_of("pda", "e3").unwrap().unwrap();
    assert_eq!(
        again.seq,
        Seq::new(3),
        "ids are known, so a repeat is a duplicate"
    );
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    let lines = export(second);
    build(&lines, third).unwrap();
    assert_eq!(export(third), lines);
    let depth = Depth::Books;
    let verified = verify_with(third, depth, &unseen(), &unseen()).unwrap();
    assert!(matches!(verified, Verified::Sound { .. }), "{verified:?}");
}

/// The lines with another last line, which has the right counts and the right hash for them.
fn sealed_again(lines: &[&str]) -> Vec<u8> {
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(table) = line["table"].as_str() {
            *counts.entry(table.to_owned()).or_default() += 1;
        }
    }
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let end = serde_json::json!({"end": counts, "blake3": hash});
    bytes.extend(format!("{end}\n").bytes());
    bytes
}

#[tokio::test]
async fn a_stream_that_no_gateway_wrote_is_refused_with_the_line_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let lines = export(dir.path());
    let text = String::from_utf8(lines).unwrap();
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let records = &all[..all.len() - 1];
    let swapped = [&[records[0], records[2], records[1]], &records[3..]].concat();
    let twice = [&[records[0], records[1]], &records[1..]].concat();
    let without_key: Vec<&str> = (records.iter().copied())
        .filter(|line| !line.contains("document_keys"))
        .collect();
    let other = text.replace("\"B-02\"", "\"B-03\"");
    let huge = format!("{}{}", all[0], "x".repeat(17 << 20));
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    let of_ams2 = text.replacen("\"ams1\"", "\"ams2\"", 1);
    let bad = [
        all[0],
        "{\"table\":\"events\",\"key\":1,\"value\":{\"V7\":1}}\n",
    ]
    .concat();
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("empty", Vec::new(), "not an export"),
        ("no JSON", b"\x7fELF\n".to_vec(), "not an export"),
        (
            "another format",
            b"{\"format\":\"x\"}\n".to_vec(),
            "not an export",
        ),
        ("newer", newer.into_bytes(), "version 2"),
        ("another site", of_ams2.into_bytes(), "site ams2"),
        (
            "without its end",
            text.as_bytes()[..text.len() - 40].to_vec(),
            "not complete",
        ),
        (
            "without its last line",
            records.concat().into_bytes(),
            "not complete",
        ),
        ("changed", other.into_bytes(), "hash differs"),
        ("swapped", sealed_again(&swapped), "line 3"),
        ("twice", sealed_again(&twice), "line 3"),
        ("huge", huge.into_bytes(), "more than 16 MiB"),
        ("unknown record", bad.into_bytes(), "line 2"),
    ];
    for (what, stream, why) in cases {
        let target = tempfile::tempdir().unwrap();
        let error = build(&stream, target.path()).unwrap_err().to_string();
        assert!(error.contains(why), "{what}: {error}");
        let left = target.path().join("journal.redb");
        assert!(!left.exists(), "{what}");
        assert!(
            !left.with_file_name("journal.redb.importing").exists(),
            "{what}"
        );
    }
    // Every line is right, and together they are not.
    let target = tempfile::tempdir().unwrap();
    let error = build(&sealed_again(&without_key), target.path()).unwrap_err();
    assert!(matches!(error, ImportError::Books(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("does not lead to its document 1"),
        "{error}"
    );
    // A journal is never replaced.
    let error = build(text.as_bytes(), dir.path()).unwrap_err().to_string();
    assert!(error.contains("already"), "{error}");
}

async fn command(process: &Process, arguments: &[&str]) -> (i32, String, String) {
    let mut command = stockrelay();
    command.current_dir(process.dir.path());
    command.args(["--config", "config.toml"]).args(arguments);
    run(command).await
}

#[tokio::test]
async fn a_backup_of_a_running_daemon_has_sealed_documents_and_is_restored() {
    let mut process = Process::start_in(tempfile::tempdir().unwrap()).await;
    for id in ["e1", "e2", "e3"] {
        process.publish(id).await;
    }
    let file = process.dir.path().join("ams1.jsonl.gz");
    let path = file.to_str().unwrap().to_owned();
    let (code, stdout, stderr) = command(&process, &["backup", &path, "--json"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&answer["events"], &answer["sealed"]),
        (&3.into(), &true.into())
    );
    assert_eq!(
        answer["documents"], 1,
        "sealed, although the idle time is not over"
    );
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The daemon goes on, and the file is not replaced.
    process.publish("e4").await;
    let (code, _, stderr) = command(&process, &["backup", &path]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("--force"), "{stderr}");
    let (code, stdout, _) = command(&process, &["journal", "export"]).await;
    assert_eq!(code, 0);
    assert_eq!(
        check_export(&mut stdout.as_bytes(), &unseen())
            .unwrap()
            .of("events"),
        4
    );
    let (code, _, stderr) = command(&process, &["journal", "verify"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("systemctl stop stockrelay"), "{stderr}");

    process.signal(Signal::KILL);
    process.child.wait().unwrap();
    let (code, stdout, _) = command(&process, &["journal", "verify", "--deep"]).await;
    assert_eq!(code, 0, "{stdout}");
    // Without a daemon the command reads the files.
    let (code, stdout, _) = command(&process, &["backup", &path, "--force"]).await;
    assert_eq!(code, 0);
    assert!(
        stdout.contains("4 events") && stdout.contains("not sealed"),
        "{stdout}"
    );
    let (code, _, stderr) = command(&process, &["journal", "import", &path]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("already"), "{stderr}");
    fs::remove_dir_all(process.dir.path().join("data")).unwrap();
    let (code, stdout, stderr) = command(&process, &["journal", "import", &path]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.contains("4 events") && stdout.contains("maybe-posted"),
        "{stdout}"
    );
    process.child = crate::process::command(process.dir.path()).spawn().unwrap();
    let status = process.status().await;
    assert_eq!(status["events"]["stored"], 4);
    process.publish("e4").await;
    assert_eq!(process.status().await["events"]["duplicates"], 1);
}

#[tokio::test]
async fn a_damaged_journal_is_named_with_exit_code_65() {
    let mut process = Process::start_in(tempfile::tempdir().unwrap()).await;
    process.publish("e1").await;
    process.signal(Signal::TERM);
    process.child.wait().unwrap();
    let file = process.dir.path().join("data/journal.redb");
    let mut bytes = fs::read(&file).unwrap();
    // The page that holds the event.
    let place = bytes.windows(2).position(|two| two == b"e1").unwrap();
    bytes[place] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (code, stdout, stderr) = command(&process, &["journal", "verify", "--json"]).await;
    assert_eq!(code, 65, "{stderr}");
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["state"], "damaged");
    assert!(stderr.contains("journal.redb is damaged"), "{stderr}");
}

/// Acknowledgements go on while a client reads the backup of a journal that is not small.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_does_not_stop_acknowledgements() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
    for round in 0..20 {
        let events = (0..1_000).map(|n| {
            let id = format!("{round}-{n}");
            Ok(transfer("pda", &id, "4000000000006", "A-01", "B-02", n))
        });
        journal.inbox().append(events.collect()).await.unwrap();
    }
    let reader = journal.clone();
    let (begun, started) = tokio::sync::oneshot::channel();
    let (end, ended) = std::sync::mpsc::channel();
    let exporting = tokio::task::spawn_blocking(move || {
        let mut out = Held {
            begun: Some(begun),
            ended,
            lines: Vec::new(),
        };
        let site = Name::new(SITE).unwrap();
        reader.export(&site, &mut out, &unseen()).unwrap();
        out.lines
    });
    // The transaction is open, and its reader waits.
    started.await.unwrap();
    let event = transfer("pda", "during", "4000000000006", "A-01", "B-02", 1);
    let stored = journal.inbox().append(vec![Ok(event)]);
    tokio::time::timeout(Duration::from_secs(20), stored)
        .await
        .expect("stored while the export is open")
        .unwrap();
    end.send(()).unwrap();
    let lines = exporting.await.unwrap();
    let exported = check_export(&mut &lines[..], &unseen()).unwrap();
    assert_eq!(
        exported.of("events"),
        20_000,
        "as of the moment when it began"
    );
}

/// A client that waits after the first line.
struct Held {
    begun: Option<tokio::sync::oneshot::Sender<()>>,
    ended: std::sync::mpsc::Receiver<()>,
    lines: Vec<u8>,
}

impl std::io::Write for Held {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lines.extend_from_slice(bytes);
        if let Some(begun) = self.begun.take() {
            begun.send(()).unwrap();
            self.ended.recv().unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
