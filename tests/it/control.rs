//! The control socket and the metrics: what they answer, what they refuse, and that decisions hold.

mod metrics;
mod rejected;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::board::{Board, Link};
use stockrelay::catalog::Catalog;
use stockrelay::config;
use stockrelay::decode::profiles::Profiles;
use stockrelay::document::{
    Document, DocumentKey, Line, OdooRef, Progress, Purpose, Reason, State,
};
use stockrelay::event::{Action, Event, Goods, Move, Movement, SourceKind};
use stockrelay::journal::{Change, Journal, WriterHandle};
use stockrelay::view::client::{Client, ClientError};
use stockrelay::view::control::Control;
use stockrelay::view::snapshot::Status;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::metrics::http;
use crate::floor::{at, name, rejection, scan, transfer};

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
        inbox.seal(documents, vec![6], 0).await.unwrap();
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
    async fn park(&self, number: u64, code: &str) {
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
                    code: code.to_owned(),
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
        let recorded = self.journal.event(seq).unwrap().unwrap();
        Document {
            number: 0,
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
        number,
        expect,
        progress: Progress {
            state,
            attempts: 1,
            reason: parked.then(|| Reason {
                code: "unknown-product".to_owned(),
                message: "no product has the barcode P".to_owned(),
                lines: Vec::new(),
            }),
            odoo: (state == State::Posted).then(|| OdooRef {
                id: 7,
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
async fn events_are_listed_oldest_first_and_filtered() {
    let served = Served::start();
    served.fill().await;
    let page = served.get("/v1/events").await;
    assert_eq!(seqs(&page), [1, 2, 3, 4, 5, 6]);
    assert_eq!((&page["next"], &page["more"]), (&json!(6), &json!(false)));
    let states: Vec<_> = page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["state"])
        .collect();
    assert_eq!(
        states,
        [
            "posted",
            "parked",
            "parked",
            "waiting",
            "open",
            "no_document"
        ]
    );
    let first = &page["events"][0];
    assert_eq!(first["site"], "ams1");
    assert_eq!(
        (&first["device"], &first["id"], &first["type"]),
        (&json!("pda-1"), &json!("e1"), &json!("transfer"))
    );
    assert_eq!(first["odoo"], "WH/INT/00007");
    assert_eq!(first["document"].as_str().unwrap().len(), 32);
    assert_eq!(
        (&first["product"], &first["from"], &first["to"]),
        (&json!("P"), &json!("A"), &json!("B"))
    );
    assert!(first["at"].is_string() && first["received"].is_string());

    let page = served.get("/v1/events?after=1&limit=2").await;
    assert_eq!(
        (seqs(&page), &page["next"], &page["more"]),
        (vec![2, 3], &json!(3), &json!(true))
    );
    let page = served.get("/v1/events?after=6").await;
    assert_eq!((seqs(&page), &page["next"]), (vec![], &json!(6)));
    assert_eq!(seqs(&served.get("/v1/events?state=parked").await), [2, 3]);
    assert_eq!(
        seqs(&served.get("/v1/events?device=pda-2&type=scan").await),
        [6]
    );
    assert_eq!(seqs(&served.get("/v1/events?device=nobody").await), [0; 0]);
    served.stop().await;
}

#[tokio::test]
async fn documents_parked_and_rejected_are_listed() {
    let served = Served::start();
    served.fill().await;
    let page = served.get("/v1/documents?limit=1").await;
    assert_eq!((&page["next"], &page["more"]), (&json!(1), &json!(true)));
    let document = &page["documents"][0];
    assert_eq!(
        (&document["state"], &document["attempts"]),
        (&json!("posted"), &json!(1))
    );
    assert_eq!(
        (&document["odoo"], &document["reason"]),
        (&json!("WH/INT/00007"), &Value::Null)
    );
    assert_eq!(
        document["lines"],
        json!([{"product": "P", "quantity": 1, "from": "A", "to": "B", "lot": null, "package": null}])
    );
    let waiting = served.get("/v1/documents?state=waiting").await;
    assert_eq!(waiting["documents"][0]["number"], 4);

    let parked = served.get("/v1/parked?code=unknown-product").await;
    assert_eq!(parked["parked"].as_array().unwrap().len(), 2);
    assert_eq!(parked["parked"][0]["reason"]["code"], "unknown-product");
    assert_eq!(
        served.get("/v1/parked?code=other").await["parked"],
        json!([])
    );

    let rejected = served.get("/v1/rejected").await;
    assert_eq!(rejected["rejected"][0]["device"], "pda-3");
    assert_eq!(rejected["rejected"][0]["payload"], "{nonsense");
    served.stop().await;
}

#[tokio::test]
async fn a_trace_is_found_by_each_kind_of_id() {
    let served = Served::start();
    served.fill().await;
    let key = served.get("/v1/documents").await["documents"][1]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for id in ["e2", "pda-1%2Fe2", "pda-1/e2", "2", "seq:2"] {
        let trace = served.get(&format!("/v1/trace/{id}")).await;
        assert_eq!(trace["event"]["seq"], 2, "{id}");
        assert_eq!(trace["repeats"]["count"], 1, "{id}");
        assert_eq!(trace["document"]["key"], *key, "{id}");
        assert_eq!(trace["document"]["lines"][0]["seqs"], json!([2]));
        let states: Vec<_> = trace["audit"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| &s["state"])
            .collect();
        assert_eq!(states, ["waiting", "sending", "parked"], "{id}");
    }
    let trace = served.get(&format!("/v1/trace/{key}")).await;
    assert_eq!(
        (&trace["event"], &trace["document"]["number"]),
        (&Value::Null, &json!(2))
    );
    // Two devices have an e1.
    let trace = served.get("/v1/trace/e1").await;
    assert_eq!(trace["others"].as_array().unwrap().len(), 1);
    let (status, refusal) = served.refused("/v1/trace/never").await;
    assert_eq!(status, 404);
    assert!(refusal["error"].as_str().unwrap().contains("never"));
    served.stop().await;
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_remedy() {
    let served = Served::start();
    for (path, status) in [
        ("/v1/events?limit=0", 400),
        ("/v1/events?limit=1001", 400),
        ("/v1/events?after=x", 400),
        ("/v1/events?state=lost", 400),
        ("/v1/events?colour=red", 400),
        ("/v1/documents?state=open", 400),
        ("/v1/parked/99", 404),
        ("/v1/parked/abcdef", 404),
        ("/v1/nothing", 404),
        ("/", 404),
        ("/v1/parked/1/retry", 405),
        ("/v1/trace/%FF", 400),
    ] {
        let (found, refusal) = served.refused(path).await;
        assert_eq!(found, status, "{path}: {refusal}");
        // The client makes up an error of its own where the answer is not ours.
        let error = refusal["error"].as_str().unwrap();
        assert!(
            !error.is_empty() && !error.starts_with("the daemon answered"),
            "{path}: {error}"
        );
        assert_ne!(refusal["remedy"], "", "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_decision_holds_once_and_names_its_person() {
    let served = Served::start();
    served.fill().await;
    let key = served.get("/v1/parked/2").await["document"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/parked/{}/retry", &key[..8]);
    let answer = served
        .post(&path, json!({"by": "anna", "reason": "product made"}))
        .await
        .unwrap();
    assert_eq!(answer["document"]["state"], "waiting");
    let step = answer["audit"].as_array().unwrap().last().unwrap();
    assert_eq!(step["by"], "user:anna");
    assert!(
        step["note"].as_str().unwrap().contains("product made"),
        "{step}"
    );

    let again = served.post("/v1/parked/2/retry", json!({})).await;
    let (status, refusal) = refused(again);
    assert_eq!(status, 409);
    assert!(
        refusal["error"].as_str().unwrap().contains("waiting"),
        "{refusal}"
    );

    let (status, _) = refused(
        served
            .post("/v1/parked/3/discard", json!({"reason": " "}))
            .await,
    );
    assert_eq!(status, 400);
    let answer = served
        .post("/v1/parked/3/discard", json!({"reason": "counted by hand"}))
        .await
        .unwrap();
    assert_eq!(answer["document"]["state"], "discarded");
    assert_eq!(answer["document"]["reason"]["message"], "counted by hand");
    let status: Status = serde_json::from_value(served.get("/v1/status").await).unwrap();
    let events = status.events;
    assert_eq!(
        (events.parked, events.waiting, events.no_document),
        (0, 2, 2)
    );
    assert_eq!(
        events.stored,
        events.open + events.on_the_way() + events.posted + events.parked + events.no_document
    );
    served.stop().await;
}

#[tokio::test]
async fn a_corrected_document_takes_the_place_of_the_parked_one() {
    let served = Served::start();
    served.fill().await;
    let before = served.get("/v1/parked/2").await;
    let body = json!({
        "by": "anna", "reason": "label fell off",
        "lines": [{"line": 1, "from": "LOC-A", "lot": "L1", "quantity": "2.5"}]
    });
    let answer = served.post("/v1/parked/2/edit", body).await.unwrap();
    let new = &answer["document"];
    assert_eq!(
        (&new["number"], &new["state"], &answer["replaces"]),
        (&json!(5), &json!("waiting"), &json!(2))
    );
    assert_eq!((&new["corrects"], &new["events"]), (&json!(2), &json!(1)));
    assert_ne!(new["key"], before["document"]["key"]);
    assert_eq!(new["occurred"], before["document"]["occurred"]);
    assert_eq!(
        new["lines"],
        json!([{"product": "P", "quantity": 2.5, "from": "LOC-A", "to": "B", "lot": "L1", "package": null, "seqs": [2]}])
    );
    let what = "line 1: from LOC-A instead of A, line 1: lot L1, line 1: quantity 2.5 instead of 1: label fell off";
    let step = answer["audit"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(step["by"], "user:anna");
    assert!(step["note"].as_str().unwrap().contains(what), "{step}");

    let old = served.get("/v1/parked/2").await;
    assert_eq!(old["document"]["state"], "replaced");
    assert_eq!(
        old["document"]["reason"],
        json!({"code": "replaced", "message": "label fell off"})
    );
    assert_eq!(old["document"]["lines"], before["document"]["lines"]);
    assert_eq!(
        (&old["replaced_by"], &old["choices"]),
        (&json!(5), &json!([]))
    );
    let step = old["audit"].as_array().unwrap().last().unwrap().clone();
    assert!(step["note"].as_str().unwrap().starts_with(what), "{step}");
    assert_eq!(step["by"], "user:anna");

    // The event is in the new one alone, and the numbers add up.
    assert_eq!(seqs(&served.get("/v1/events?state=waiting").await), [2, 4]);
    let status: Status = serde_json::from_value(served.get("/v1/status").await).unwrap();
    let (events, documents) = (status.events, status.documents);
    assert_eq!((events.stored, events.parked, events.waiting), (6, 1, 2));
    assert_eq!(
        events.stored,
        events.open + events.on_the_way() + events.posted + events.parked + events.no_document
    );
    assert_eq!((documents.sealed(), documents.newest), (4, 5));
    let page = served.get("/v1/documents?state=replaced").await;
    assert_eq!(page["documents"][0]["number"], 2);

    // From wherever one comes, the trace has the whole chain.
    let old_key = before["document"]["key"].as_str().unwrap();
    let new_key = new["key"].as_str().unwrap();
    for (id, earlier, this, later) in [("e2", 1, 5, 0), (new_key, 1, 5, 0), (old_key, 0, 2, 1)] {
        let trace = served.get(&format!("/v1/trace/{id}")).await;
        let number = |list: &str| trace[list].as_array().map_or(0, Vec::len);
        assert_eq!(
            (
                number("earlier"),
                &trace["document"]["number"],
                number("later")
            ),
            (earlier, &json!(this), later),
            "{id}"
        );
    }

    let (status, refusal) = refused(
        served
            .post(
                "/v1/parked/2/edit",
                json!({"reason": "again", "lines": [{"line": 1, "to": "C"}]}),
            )
            .await,
    );
    assert_eq!(status, 409, "{refusal}");
    served.stop().await;
}

#[tokio::test]
async fn what_an_earlier_version_sealed_without_lines_is_edited_by_its_event() {
    let served = Served::start();
    let pick = Event {
        action: Action::Move(Move {
            order: Some("S1".to_owned()),
            ..Move::new(
                Movement::Pick,
                Goods {
                    product: "P".to_owned(),
                    quantity: 2.into(),
                    ..Goods::default()
                },
            )
        }),
        ..transfer("pda-1", "e1", "P", "A", "B", 1)
    };
    let inbox = served.journal.inbox();
    inbox.append(vec![Ok(pick)]).await.unwrap();
    let document = Document {
        purpose: Purpose::Unsupported {
            kind: "pick".to_owned(),
        },
        lines: Vec::new(),
        ..served.document(1)
    };
    inbox.seal(vec![document], vec![], 1).await.unwrap();
    served.park(1, "unsupported-type").await;
    let shown = &served.get("/v1/parked/1").await["document"];
    assert_eq!(
        (&shown["order"], &shown["lines"][0]["product"]),
        (&json!("S1"), &json!("P"))
    );
    let body = json!({"reason": "x", "order": "S2", "lines": [{"line": 1, "from": "A"}]});
    let answer = served.post("/v1/parked/1/edit", body).await.unwrap();
    let new = &answer["document"];
    assert_eq!(
        (&new["purpose"], &new["order"], &new["lines"][0]["from"]),
        (&json!("pick"), &json!("S2"), &json!("A"))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_correction_that_is_not_understood_changes_nothing() {
    let served = Served::start();
    served.fill().await;
    for (body, named) in [
        (json!({"lines": [{"line": 1, "to": "C"}]}), "reason"),
        (json!({"reason": "x"}), "nothing would be changed"),
        (json!({"reason": "x", "colour": "red"}), "colour"),
        (
            json!({"reason": "x", "lines": [{"line": 1, "colour": "red"}]}),
            "colour",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 2, "to": "C"}]}),
            "line 2",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "quantity": -1}]}),
            "quantity",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "quantity": 0}]}),
            "no line",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "to": null}]}),
            "to cannot be",
        ),
        (
            json!({"reason": "x", "lines": [{"line": 1, "expiry": "2027-01-01"}]}),
            "no expiry",
        ),
        (json!({"reason": "x", "order": "S1"}), "order"),
    ] {
        let (status, refusal) = refused(served.post("/v1/parked/2/edit", body.clone()).await);
        assert_eq!(status, 400, "{body}: {refusal}");
        let error = refusal["error"].as_str().unwrap();
        assert!(error.contains(named), "{body}: {error}");
    }
    let detail = served.get("/v1/parked/2").await;
    assert_eq!(detail["document"]["state"], "parked");
    assert_eq!(detail["audit"].as_array().unwrap().len(), 3);
    let (status, _) = refused(
        served
            .post("/v1/parked/1/edit", json!({"reason": "posted already"}))
            .await,
    );
    assert_eq!(status, 409);
    served.stop().await;
}

#[tokio::test]
async fn what_was_cancelled_in_odoo_is_made_again_as_it_was() {
    let served = Served::start();
    served.fill().await;
    served.park(4, "cancelled-in-odoo").await;
    let again = json!({"reason": "cancelled by mistake"});
    let answer = served.post("/v1/parked/4/edit", again).await.unwrap();
    assert_eq!(
        (&answer["replaces"], &answer["document"]["state"]),
        (&json!(4), &json!("waiting"))
    );
    let note = &answer["audit"][0]["note"];
    assert!(
        note.as_str()
            .unwrap()
            .contains("as it was: cancelled by mistake"),
        "{note}"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_retry_answers_what_the_reason_asks_and_nothing_else() {
    let served = Served::start();
    served.fill().await;
    served.park(4, "under-picked").await;
    let detail = served.get("/v1/parked/4").await;
    let actions: Vec<_> = (detail["choices"].as_array().unwrap().iter())
        .map(|choice| {
            assert!(!choice["what"].as_str().unwrap().is_empty(), "{choice}");
            choice["action"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        actions,
        [
            "retry with backorder",
            "retry with no-backorder",
            "edit",
            "discard"
        ]
    );
    for (id, with, remedy) in [
        ("4", "allow", "backorder or no-backorder"),
        ("4", "", "backorder or no-backorder"),
        ("2", "allow", "takes no answer"),
    ] {
        let path = format!("/v1/parked/{id}/retry");
        let (status, refusal) = refused(served.post(&path, json!({"with": with})).await);
        assert_eq!(status, 400);
        assert!(
            refusal["remedy"].as_str().unwrap().contains(remedy),
            "{refusal}"
        );
    }
    let (status, _) = refused(
        served
            .post(
                "/v1/parked/4/discard",
                json!({"reason": "x", "with": "allow"}),
            )
            .await,
    );
    assert_eq!(status, 400);
    let answer = served
        .post("/v1/parked/4/retry", json!({"with": "backorder"}))
        .await
        .unwrap();
    assert_eq!(
        (
            &answer["document"]["state"],
            &answer["document"]["decision"]
        ),
        (&json!("waiting"), &json!("backorder"))
    );
    let step = answer["audit"].as_array().unwrap().last().unwrap();
    assert!(
        step["note"].as_str().unwrap().contains("with backorder"),
        "{step}"
    );
    // It holds for later tries as well.
    served.park(4, "under-picked").await;
    let answer = served.post("/v1/parked/4/retry", json!({})).await.unwrap();
    assert_eq!(answer["document"]["decision"], "backorder");
    served.stop().await;
}

#[tokio::test]
async fn all_of_one_reason_are_tried_again_page_by_page() {
    let served = Served::start();
    let inbox = served.journal.inbox();
    let many = (1..=1_201)
        .map(|n| Ok(transfer("pda-1", &format!("e{n}"), "P", "A", "B", n)))
        .collect();
    inbox.append(many).await.unwrap();
    let documents = (1..=1_201).map(|seq| served.document(seq)).collect();
    inbox.seal(documents, vec![], 0).await.unwrap();
    let parked = (1..=1_201)
        .map(|number| moved(number, State::Waiting, State::Parked))
        .collect();
    inbox.change(parked).await.unwrap();
    served.post("/v1/parked/7/retry", json!({})).await.unwrap();
    served.park(7, "odoo-refused").await;

    for (body, named) in [
        (json!({}), "code"),
        (
            json!({"code": "unknown-product", "with": "allow"}),
            "unknown-product",
        ),
        (json!({"code": "unknown-product", "id": 1}), "id"),
    ] {
        let (status, refusal) = refused(served.post("/v1/parked/retry", body).await);
        assert_eq!(status, 400);
        assert!(
            refusal["error"].as_str().unwrap().contains(named),
            "{refusal}"
        );
    }
    let mut body = json!({"code": "unknown-product", "by": "anna", "reason": "made it"});
    let mut each = Vec::new();
    loop {
        let done = served.post("/v1/parked/retry", body.clone()).await.unwrap();
        each.push(done["retried"].as_u64().unwrap());
        // What is parked again meanwhile lies behind.
        served.park(1, "unknown-product").await;
        if done["more"] == false {
            break;
        }
        body["after"] = done["next"].clone();
    }
    assert_eq!(each, [500, 500, 200]);
    let parked = served.get("/v1/parked").await;
    let numbers: Vec<_> = (parked["parked"].as_array().unwrap().iter())
        .map(|document| document["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 7]);
    let audit = &served.get("/v1/parked/1201").await["audit"];
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(last["by"], "user:anna");
    assert_eq!(
        refused(
            Client::new(&served.socket())
                .get::<Value>("/v1/parked/retry")
                .await
        )
        .0,
        405
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_decide_at_once_one_does() {
    let served = Served::start();
    served.fill().await;
    let mut deciding = tokio::task::JoinSet::new();
    for n in 0..8 {
        let client = Client::new(&served.socket());
        deciding.spawn(async move {
            let (path, body) = match n % 3 {
                0 => ("/v1/parked/2/retry", json!({})),
                1 => (
                    "/v1/parked/2/edit",
                    json!({"reason": "one of many", "lines": [{"line": 1, "to": "C"}]}),
                ),
                _ => ("/v1/parked/2/discard", json!({"reason": "one of many"})),
            };
            client.post::<Value>(path, &body).await
        });
    }
    let answers = deciding.join_all().await;
    let (made, not): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(not.into_iter().all(|answer| refused(answer).0 == 409));
    let audit = &served.get("/v1/parked/2").await["audit"];
    assert!(served.journal.newest_document().unwrap() <= 5);
    assert_eq!(
        audit.as_array().unwrap().len(),
        4,
        "sealed, sent, parked, decided once"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let served = Served::start();
    served.fill().await;
    let body = json!({"reason": "x".repeat(100_000)});
    let (status, _) = refused(served.post("/v1/parked/2/discard", body).await);
    assert_eq!(status, 413);
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
