//! The control socket and the metrics: what they answer, what they refuse, and that decisions hold.

mod decisions;
mod edits;
mod floor;
mod lists;
mod metrics;
mod observability;
mod openapi;
mod rejected;
mod requests;
mod scans;
mod search;
mod several;
mod window;

use self::metrics::http;
use crate::floor::{at, name, rejection, scan, transfer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use stockrelay::board::{Board, Link};
use stockrelay::catalog::Catalog;
use stockrelay::config;
use stockrelay::decode::profiles::Profiles;
use stockrelay::document::{
    Document, DocumentKey, DocumentNumber, Line, OdooRef, Progress, Purpose, Reason, State,
};
use stockrelay::event::{Goods, Seq, SourceKind};
use stockrelay::journal::{Change, Journal, WriterHandle};
use stockrelay::odoo_id::PickingId;
use stockrelay::view::client::{Client, ClientError};
use stockrelay::view::control::Control;
use stockrelay::view::rights::user_name;
use stockrelay::view::snapshot::Status;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A journal with its control socket and metrics, as the daemon has them.
pub struct Served {
    dir: tempfile::TempDir,
    pub journal: Journal,
    board: Board,
    metrics: SocketAddr,
    writer: WriterHandle,
    running: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Served {
    pub fn start() -> Self {
        Self::with_copy(None)
    }

    /// Codes are explained by this copy of Odoo's data.
    pub fn with_copy(copy: Option<Catalog>) -> Self {
        Self::with(copy, Profiles::default())
    }

    /// What people send again is read by these profiles.
    pub fn with_profiles(profiles: Profiles) -> Self {
        Self::with(None, profiles)
    }

    fn with(copy: Option<Catalog>, profiles: Profiles) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        let board = Board::new();
        let config = config::Control {
            socket: dir.path().join("control.sock"),
            metrics: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        };
        let control = Control::bind(&config, name("ams1"), journal.clone(), board.clone()).unwrap();
        let control = control.with_copies(watch::Sender::new(copy).subscribe());
        let control = control.with_profiles(profiles);
        let metrics = control.metrics_address().unwrap();
        let cancel = CancellationToken::new();
        let running = tokio::spawn(control.run(cancel.clone()));
        Self {
            dir,
            journal,
            board,
            metrics,
            writer,
            running,
            cancel,
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    async fn get(&self, path: &str) -> Value {
        let answer = Client::new(&self.socket()).get(path).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn refused(&self, path: &str) -> (u16, Value) {
        refused(Client::new(&self.socket()).get::<Value>(path).await)
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, ClientError> {
        Client::new(&self.socket()).post(path, &body).await
    }

    /// Six events: 1 to 4 in a document each (posted, parked, parked, waiting), 5 open, 6 a scan.
    pub async fn fill(&self) {
        let inbox = self.journal.inbox();
        let mut decoded = Vec::new();
        for n in 1..=5 {
            decoded.push(Ok(transfer("pda-1", &format!("e{n}"), "P", "A", "B", n)));
        }
        decoded.push(Ok(scan("pda-2", "e1", "X", 6)));
        decoded.push(Err(rejection("pda-3", b"{nonsense", 7)));
        // The second event comes again.
        decoded.push(Ok(transfer("pda-1", "e2", "P", "A", "B", 2)));
        inbox.append(decoded).await.unwrap();
        let documents = (1..=4).map(|seq| self.document(seq)).collect();
        inbox
            .seal(documents, vec![Seq::new(6)], Seq::ZERO)
            .await
            .unwrap();
        let sent = (1..=3).map(|number| moved(number, State::Waiting, State::Sending));
        inbox.change(sent.collect()).await.unwrap();
        let ended = [
            moved(1, State::Sending, State::Posted),
            moved(2, State::Sending, State::Parked),
            moved(3, State::Sending, State::Parked),
        ];
        inbox.change(ended.to_vec()).await.unwrap();
    }

    /// Parks a waiting document for this reason.
    pub async fn park(&self, number: u64, code: &str) {
        let number = DocumentNumber::new(number);
        let before = self.journal.document(number).unwrap().unwrap().progress;
        if before.state == State::Parked {
            return;
        }
        let change = Change {
            number,
            expect: State::Waiting,
            progress: Progress {
                state: State::Parked,
                reason: Some(Reason {
                    code: code.into(),
                    message: "as a test has it".to_owned(),
                    lines: Vec::new(),
                }),
                ..before
            },
            by: "forward".to_owned(),
            note: "refused".to_owned(),
        };
        assert_eq!(
            self.journal.inbox().change(vec![change]).await,
            Ok(vec![true])
        );
    }

    fn document(&self, seq: u64) -> Document {
        let seq = Seq::new(seq);
        let recorded = self.journal.event(seq).unwrap().unwrap();
        Document {
            number: DocumentNumber::ZERO,
            key: DocumentKey::of(&name("ams1"), &[recorded]),
            purpose: Purpose::Transfer,
            group: "pda-1".to_owned(),
            lines: vec![Line {
                goods: Goods {
                    product: "P".to_owned(),
                    from: Some("A".to_owned()),
                    to: Some("B".to_owned()),
                    quantity: 1.into(),
                    ..Goods::default()
                },
                events: vec![seq],
            }],
            occurred: at(9),
            sealed: at(10),
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
            events: vec![seq],
        }
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        self.running.await.unwrap();
        self.journal.inbox().close().await.unwrap();
        self.writer.join().unwrap();
    }
}

fn refused(answer: Result<Value, ClientError>) -> (u16, Value) {
    match answer {
        Err(ClientError::Refused { status, refusal }) => {
            (status.as_u16(), serde_json::to_value(refusal).unwrap())
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn moved(number: u64, expect: State, state: State) -> Change {
    let parked = state == State::Parked;
    Change {
        number: DocumentNumber::new(number),
        expect,
        progress: Progress {
            state,
            attempts: 1,
            reason: parked.then(|| Reason {
                code: "unknown-product".into(),
                message: "no product has the barcode P".to_owned(),
                lines: Vec::new(),
            }),
            odoo: (state == State::Posted).then(|| OdooRef {
                id: PickingId::new(7),
                name: "WH/INT/00007".to_owned(),
            }),
            since: at(20),
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        },
        by: "forward".to_owned(),
        note: "as seen".to_owned(),
    }
}

/// The name of the user who runs the tests, and so decides.
fn own_name() -> String {
    user_name(Some(rustix::process::geteuid().as_raw()))
}

fn seqs(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn the_status_is_the_contracts_and_adds_up() {
    let served = Served::start();
    served.fill().await;
    served.board.odoo(|odoo| odoo.link = Link::Down);
    served
        .board
        .source(SourceKind::Listen, |source| source.state = "up".to_owned());
    let status = served.get("/v1/status").await;
    assert_eq!(status["site"], "ams1");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["uptime_s"].is_u64());
    assert_eq!(
        status["events"],
        json!({"stored": 6, "duplicates": 1, "rejected": 1, "rejected_open": 1, "open": 1, "waiting": 1, "sending": 0,
               "posted": 1, "parked": 2, "no_document": 1})
    );
    assert_eq!(
        status["documents"],
        json!({"open": 0, "waiting": 1, "sending": 0, "posted": 1, "parked": 2, "discarded": 0,
               "newest": 4})
    );
    assert_eq!(status["lines"]["posted"], 1);
    assert!(status["oldest_waiting_s"].as_f64().unwrap() > 0.0);
    assert_eq!(status["odoo"]["link"], "down");
    for key in ["version", "last_success", "latency_ms", "batch_lines"] {
        assert!(status["odoo"].get(key).is_some(), "{key}");
    }
    assert_eq!(status["journal"]["budget_bytes"], 1_u64 << 30);
    assert_eq!(
        status["sources"],
        json!([{"name": "mqtt.listen", "state": "up", "devices": 0}])
    );
    served.stop().await;
}

#[tokio::test]
async fn a_bundle_that_is_too_large_is_refused() {
    let served = Served::start();
    let body = json!("x".repeat(17 << 20));
    let (status, refusal) = refused(served.post("/v1/config/bundle", body).await);
    assert_eq!(status, 413);
    assert_eq!(
        refusal["error"], "the bundle has more than 16 MiB",
        "{refusal}"
    );
    served.stop().await;
}

#[tokio::test]
async fn the_stream_tells_each_change() {
    let served = Served::start();
    let mut stream = UnixStream::connect(served.socket()).await.unwrap();
    stream
        .write_all(b"GET /v1/stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut stored = async || loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the stream goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            let status: Status = serde_json::from_str(data).unwrap();
            return status.events.stored;
        }
    };
    assert_eq!(stored().await, 0);
    served.fill().await;
    while stored().await < 6 {}
    // An open stream does not hold up the end.
    served.stop().await;
}

#[tokio::test]
async fn half_requests_keep_nobody_out() {
    let served = Served::start();
    let mut half = Vec::new();
    for _ in 0..64 {
        let mut stream = UnixStream::connect(served.socket()).await.unwrap();
        stream
            .write_all(b"GET /v1/status HTTP/1.1\r\n")
            .await
            .unwrap();
        half.push(stream);
    }
    let mut half_scrapes = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(served.metrics).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\n")
            .await
            .unwrap();
        half_scrapes.push(stream);
    }
    let client = Client::new(&served.socket());
    let answers = async {
        client.get::<Value>("/v1/status").await.unwrap();
        http(served.metrics, "/healthz").await
    };
    let health = tokio::time::timeout(Duration::from_secs(10), answers).await;
    let health = health.expect("both answer although all connections are taken");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}
