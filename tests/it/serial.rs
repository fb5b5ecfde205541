//! Serial scanners, through real pseudo-terminals: what a scanner sends is stored, answered and
//! bounded, and one that went comes back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use stockrelay::board::{Board, SourceView};
use stockrelay::channel::{Outbound, Outlets};
use stockrelay::clock;
use stockrelay::config;
use stockrelay::event::{Action, Name, RejectedNumber, Seq, SourceKind};
use stockrelay::journal::{AppendError, Inbox, Journal, Request};
use stockrelay::source::Intake;
use stockrelay::source::scanners::Scanners;
use stockrelay::view::client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_serial::{SerialPort as _, SerialStream};
use tokio_util::sync::CancellationToken;

use crate::process;

const SOON: Duration = Duration::from_secs(20);
const CR: &str = "terminator = \"\\r\"";

/// A profile that ends codes so, and answers `G` and `B`.
fn profile(framing: &str, good: &str, within_ms: u64) -> String {
    format!(
        "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
         [connection]\nkind = \"serial\"\nbaud = 115200\n[connection.framing]\n{framing}\nmax_bytes = 64\n\
         [repeats]\nwithin_ms = {within_ms}\n\
         [[feedback.good]]\nsend = \"{good}\"\n[[feedback.bad]]\nsend = \"B\"\n"
    )
}

/// A scanner's end of the line, and the gateway's end, held so that the line stays when nobody has
/// it open.
struct Plug {
    scanner: SerialStream,
    _line: SerialStream,
}

impl Plug {
    /// Plugs a scanner in: `port` names the line from now on.
    fn at(port: &Path) -> Self {
        let (scanner, line) = SerialStream::pair().unwrap();
        let next = port.with_extension("next");
        symlink(line.name().unwrap(), &next).unwrap();
        fs::rename(next, port).unwrap();
        Self {
            scanner,
            _line: line,
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let sent = self.scanner.write_all(bytes);
        tokio::time::timeout(SOON, sent).await.unwrap().unwrap();
    }

    /// The next bytes that came back.
    async fn answer(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        let read = self.scanner.read_exact(&mut bytes);
        tokio::time::timeout(SOON, read)
            .await
            .expect("an answer")
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

/// A gateway's scanners and journal, with one scanner, `dock`.
struct Rig {
    dir: tempfile::TempDir,
    journal: Option<Journal>,
    board: Board,
    outlets: Outlets,
    cancel: CancellationToken,
    running: JoinHandle<()>,
    plug: Plug,
}

impl Rig {
    fn new(profile: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = config::Journal::default();
        let (journal, _writer) = Journal::open(&dir.path().join("data"), &limits).unwrap();
        let intake = Intake::new(journal.inbox().clone());
        Self::with_intake(dir, profile, intake, Some(journal))
    }

    fn with_intake(
        dir: tempfile::TempDir,
        profile: &str,
        intake: Intake,
        journal: Option<Journal>,
    ) -> Self {
        let plug = Plug::at(&dir.path().join("port"));
        let list = write_list(dir.path(), profile);
        let (board, cancel) = (Board::new(), CancellationToken::new());
        let scanners = Scanners::new(&list, intake, board.clone()).unwrap();
        let outlets = Outlets {
            scanners: Some(scanners.outbound()),
            ..Outlets::default()
        };
        let running = tokio::spawn(scanners.run(cancel.clone()));
        Self {
            dir,
            journal,
            board,
            outlets,
            cancel,
            running,
            plug,
        }
    }

    fn source(&self) -> SourceView {
        let live = self.board.snapshot();
        live.sources
            .get("scanner:dock")
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until the board says so of the scanner.
    async fn until(&self, what: &str, so: impl Fn(&SourceView) -> bool) {
        let begun = clock::instant();
        while !so(&self.source()) {
            assert!(begun.elapsed() < SOON, "not {what}: {:?}", self.source());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The codes that are stored, as soon as there are so many.
    async fn codes(&self, count: usize) -> Vec<String> {
        let journal = self.journal.as_ref().expect("a journal");
        let begun = clock::instant();
        loop {
            let events = journal.events(Seq::ZERO, 10_000).unwrap();
            if events.len() >= count {
                return events
                    .into_iter()
                    .map(|recorded| {
                        assert_eq!(recorded.event.source, SourceKind::Serial);
                        assert_eq!(recorded.event.operator.as_deref(), Some("anna"));
                        match recorded.event.action {
                            Action::Scan { code, .. } => code,
                            other => panic!("{other:?}"),
                        }
                    })
                    .collect();
            }
            assert!(begun.elapsed() < SOON, "{} of {count} codes", events.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(SOON, self.running)
            .await
            .expect("it ends")
            .unwrap();
    }
}

fn write_list(dir: &Path, profile: &str) -> std::path::PathBuf {
    let list = dir.join("scanners.toml");
    let port = dir.join("port");
    let text = format!(
        "[scanners.dock]\nprofile = \"own.toml\"\nport = \"{}\"\noperator = \"anna\"\n",
        port.display()
    );
    fs::write(&list, text).unwrap();
    fs::write(dir.join("own.toml"), profile).unwrap();
    list
}

#[tokio::test]
async fn codes_in_pieces_are_put_together_and_each_is_answered() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    for piece in ["4006", "381333931\r]E0", "80", "\r\r"] {
        rig.plug.send(piece.as_bytes()).await;
    }
    assert_eq!(rig.plug.answer(2).await, "GG");
    assert_eq!(rig.codes(2).await, ["4006381333931", "80"]);
    rig.stop().await;
}

#[tokio::test]
async fn codes_between_stx_and_etx_are_taken_without_what_is_around_them() {
    let mut rig = Rig::new(&profile("stx = \"\\u0002\"\netx = \"\\u0003\"", "G", 0));
    rig.plug.send(b"noise\x02A-1\x03noise\x02B").await;
    rig.plug.send(b"-2\x03").await;
    assert_eq!(rig.plug.answer(2).await, "GG");
    assert_eq!(rig.codes(2).await, ["A-1", "B-2"]);
    rig.stop().await;
}

#[tokio::test]
async fn silence_ends_a_code_where_the_profile_says_so() {
    let mut rig = Rig::new(&profile("silence_ms = 60", "G", 0));
    rig.plug.send(b"A-1").await;
    assert_eq!(rig.plug.answer(1).await, "G");
    rig.plug.send(b"B-2").await;
    assert_eq!(rig.plug.answer(1).await, "G");
    assert_eq!(rig.codes(2).await, ["A-1", "B-2"]);
    rig.stop().await;
}

#[tokio::test]
async fn half_a_code_is_a_rejected_reading_and_is_not_glued_to_the_next() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.plug.send(b"4006").await;
    assert_eq!(rig.plug.answer(1).await, "B");
    rig.plug.send(b"B-2\r").await;
    assert_eq!(rig.codes(1).await, ["B-2"]);
    let rejected = rig
        .journal
        .as_ref()
        .unwrap()
        .rejected(RejectedNumber::ZERO, 10)
        .unwrap();
    assert_eq!(
        (
            rejected.len(),
            rejected[0].code.as_str(),
            rejected[0].payload.as_slice()
        ),
        (1, "no-end", b"4006".as_slice())
    );
    rig.stop().await;
}

/// The scanner's suffix is LF, and the profile waits for CR.
#[tokio::test]
async fn codes_without_the_profiles_end_mark_are_rejected_with_the_remedy() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.plug.send(b"LOC-BIN-0001\n").await;
    assert_eq!(rig.plug.answer(1).await, "B");
    let rejected = rig
        .journal
        .as_ref()
        .unwrap()
        .rejected(RejectedNumber::ZERO, 10)
        .unwrap();
    let (code, message) = (rejected[0].code.as_str(), rejected[0].message.as_str());
    assert_eq!(code, "no-end");
    assert!(
        message.contains(r"connection.framing.terminator of the profile to \n, which it sent"),
        "{message}"
    );
    rig.until("reported", |source| {
        source
            .detail
            .as_ref()
            .is_some_and(|detail| detail == message)
    })
    .await;
    rig.stop().await;
}

/// A real loss is reported, and the LF behind each CR is not.
#[tokio::test]
async fn the_lf_of_cr_lf_is_silent() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.plug.send(b"A-1\r\n").await;
    assert_eq!(rig.plug.answer(1).await, "G");
    rig.plug.send(b"B-2\r\n\0C-3\r\n").await;
    assert_eq!(rig.plug.answer(2).await, "GG");
    assert_eq!(rig.codes(3).await, ["A-1", "B-2", "C-3"]);
    rig.plug.send(&[b'x'; 100]).await;
    rig.plug.send(b"\r\n").await;
    rig.until("reported", |source| {
        (source.detail.as_ref()).is_some_and(|detail| detail.contains("threw away 100 bytes"))
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn binary_is_kept_as_a_rejected_reading_and_answered_as_bad() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.plug.send(b"\xff\x00\xfe\rA-1\r").await;
    assert_eq!(rig.plug.answer(2).await, "BG");
    assert_eq!(rig.codes(1).await, ["A-1"]);
    let rejected = rig
        .journal
        .as_ref()
        .unwrap()
        .rejected(RejectedNumber::ZERO, 10)
        .unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].code, "bad-encoding");
    assert_eq!(rejected[0].payload, b"\xff\x00\xfe");
    rig.stop().await;
}

#[tokio::test]
async fn text_without_an_end_is_reported_while_it_comes_and_the_next_code_is_read() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    for _ in 0..100 {
        rig.plug.send(&[b'x'; 100]).await;
    }
    rig.until("reported", |source| {
        source
            .detail
            .as_ref()
            .is_some_and(|detail| detail.contains("threw away"))
    })
    .await;
    assert_eq!(rig.source().state, "up");
    rig.plug.send(b"\rA-1\r").await;
    assert_eq!(rig.plug.answer(1).await, "G");
    assert_eq!(rig.codes(1).await, ["A-1"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_flood_is_reported_and_read_though_the_scanner_takes_no_answers() {
    // 64 KiB and more of answers, none of which is read here.
    let mut rig = Rig::new(&profile(CR, &"G".repeat(250), 0));
    let codes: Vec<_> = (0..400).map(|number| format!("C-{number}")).collect();
    for code in &codes {
        rig.plug.send(format!("{code}\r").as_bytes()).await;
    }
    assert_eq!(rig.codes(400).await, codes);
    let detail = rig.source().detail.unwrap_or_default();
    assert!(detail.contains("codes a second"), "{detail}");
    rig.stop().await;
}

#[tokio::test]
async fn a_scanner_that_vanishes_is_down_and_read_again_when_it_is_back() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.plug.send(b"A-1\rhalf").await;
    assert_eq!(rig.plug.answer(1).await, "G");
    let port = rig.dir.path().join("port");
    let next = Plug::at(&rig.dir.path().join("elsewhere"));
    // The link goes first: the next pseudo-terminal, of another test, gets the name of this one.
    fs::remove_file(&port).unwrap();
    drop(std::mem::replace(&mut rig.plug, next));
    rig.until("down", |source| {
        source.state == "down" && source.devices == 0
    })
    .await;
    assert!(rig.source().detail.is_some());
    rig.until("waited for", |source| {
        source
            .detail
            .as_ref()
            .is_some_and(|detail| detail.contains("is not there"))
    })
    .await;
    rig.plug = Plug::at(&port);
    rig.until("up", |source| source.state == "up").await;
    rig.plug.send(b"B-2\r").await;
    assert_eq!(rig.plug.answer(1).await, "G");
    assert_eq!(rig.codes(2).await, ["A-1", "B-2"]);
    rig.stop().await;
}

#[tokio::test]
async fn equal_codes_are_as_many_events_unless_the_profile_says_they_are_repeats() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.plug.send(b"A-1\rA-1\rA-1\r").await;
    assert_eq!(rig.codes(3).await, ["A-1"; 3]);
    rig.stop().await;

    let mut rig = Rig::new(&profile(CR, "G", 60_000));
    rig.plug.send(b"A-1\rA-1\rA-2\rA-2\r").await;
    assert_eq!(rig.plug.answer(4).await, "GGGG");
    assert_eq!(rig.codes(2).await, ["A-1", "A-2"]);
    let totals = rig.journal.as_ref().unwrap().totals();
    assert_eq!(totals.duplicates, 2);
    rig.stop().await;
}

#[tokio::test]
async fn what_a_display_is_told_reaches_the_scanner_as_its_profiles_command() {
    let mut rig = Rig::new(&profile(CR, "G", 0));
    rig.until("up", |source| source.state == "up").await;
    for (channel, payload) in [
        ("receipt", r#"{"status":"stored"}"#),
        ("display", r#"{"ok":false,"text":"wrong bin"}"#),
        ("display", "no JSON"),
        ("display", r#"{"ok":true,"text":"2 chairs"}"#),
    ] {
        let message = Outbound {
            device: Name::new("dock").unwrap(),
            channel: channel.into(),
            payload: Bytes::from_static(payload.as_bytes()),
            retain: false,
        };
        rig.outlets.send(SourceKind::Serial, message).await;
    }
    assert_eq!(rig.plug.answer(2).await, "BG");
    rig.stop().await;
}

#[tokio::test]
async fn while_the_journal_is_full_a_code_waits_unanswered_and_is_stored_then() {
    let (inbox, mut requests) = Inbox::new();
    let (full, is_full) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut full = Some(full);
        while let Some(request) = requests.recv().await {
            let Request::Append { decoded, reply, .. } = request else {
                continue;
            };
            drop(match full.take() {
                Some(full) => {
                    full.send(()).unwrap();
                    reply.send(Err(AppendError::Full))
                }
                None => reply.send(Ok((1..=decoded.len() as u64)
                    .map(|seq| stockrelay::journal::Accepted::Stored {
                        seq: stockrelay::event::Seq::new(seq),
                    })
                    .collect())),
            });
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::with_intake(dir, &profile(CR, "G", 0), Intake::new(inbox), None);
    rig.plug.send(b"A-1\r").await;
    is_full.await.unwrap();
    rig.until("held", |source| {
        source
            .detail
            .as_ref()
            .is_some_and(|detail| detail.starts_with("not reading"))
    })
    .await;
    assert_eq!(rig.plug.answer(1).await, "G");
    assert_eq!(rig.source().detail, None);
    rig.stop().await;
}

/// The whole daemon, with a scanner as its only way in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beep_becomes_a_stored_scan_of_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let mut plug = Plug::at(&dir.path().join("port"));
    write_list(dir.path(), &profile(CR, "G", 0));
    let config = "site = \"ams1\"\ndata_dir = \"data\"\nscanners = \"scanners.toml\"\n\
                  [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\napi_key_file = \"odoo.key\"\n\
                  [control]\nsocket = \"control.sock\"\n";
    fs::write(dir.path().join("config.toml"), config).unwrap();
    fs::write(dir.path().join("odoo.key"), "none").unwrap();
    let mut child = process::command(dir.path()).spawn().unwrap();
    plug.send(b"4006381333931\r").await;
    assert_eq!(plug.answer(1).await, "G");
    let client = Client::new(&dir.path().join("control.sock"));
    let listed: Value = client.get("/v1/events?after=0&limit=10").await.unwrap();
    let status: Value = client.get("/v1/status").await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(listed["events"][0]["device"], "dock");
    assert_eq!(listed["events"][0]["type"], "scan");
    let sources = status["sources"].as_array().unwrap();
    let named = |source: &&Value| source["name"] == "scanner:dock";
    assert_eq!(sources.iter().find(named).unwrap()["state"], "up");
    assert_eq!(status["events"]["stored"], 1);
}
