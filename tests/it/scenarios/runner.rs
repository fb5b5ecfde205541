//! Plays a scenario: a real daemon, real MQTT devices, a link that fails as told, and an Odoo
//! behind it.

mod devices;
mod site;

use self::devices::{publish_v4, publish_v5};
use self::site::config;
use super::ear::Ear;
use super::script::{Happening, Ledger, Parked, Position, Publish, Script, Step, What};
use super::target::Target;
use super::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;
use stockrelay::clock;
use stockrelay::config::Config;
use stockrelay::daemon::Daemon;
use stockrelay::demo::link::{self, Link};
use stockrelay::document::{DocumentNumber, Reason, State};
use stockrelay::event::RejectedNumber;
use stockrelay::journal::{self, WorkDone};
use stockrelay::reason::ReasonCode;
use stockrelay::view::client::Client;
use tempfile::TempDir;

/// Every wait ends by then, and the test with it.
pub const DEADLINE: Duration = Duration::from_mins(1);

fn path(name: &str) -> String {
    format!("{}/{name}.toml", super::DIRECTORY)
}

pub fn read(name: &str) -> Script {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub async fn play(name: &str, target: Target) {
    let (path, script) = (path(name), read(name));
    let mut stage = Stage::build(&script, target).await;
    for (number, step) in script.step.iter().enumerate() {
        let place = format!("{path}, step {}: {}", number + 1, script.about);
        stage.take(step, &script, &place).await;
    }
    stage.check(&script, &path).await;
    stage.stop().await;
}

pub struct Stage {
    pub target: Target,
    link: Link,
    pub config: Config,
    daemon: Option<Daemon>,
    pub world: World,
    /// Devices that stay connected, and the messages that they received.
    ears: BTreeMap<String, Ear>,
    backup: Vec<u8>,
    _data: TempDir,
}

impl Stage {
    async fn build(script: &Script, target: Target) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let link = Link::start(&target.url).await.expect("a port on loopback");
        let world = World::build(script, &target).await;
        let key = data.path().join("odoo.key");
        std::fs::write(&key, &target.api_key).expect("a key file");
        let mut config = config(script, &link, &target, &data);
        config.odoo.warehouse.clone_from(&world.warehouse.1);
        let mut stage = Self {
            target,
            link,
            config,
            daemon: None,
            world,
            ears: BTreeMap::new(),
            backup: Vec::new(),
            _data: data,
        };
        stage.start().await;
        stage
    }

    async fn start(&mut self) {
        let daemon = Daemon::start(self.config.clone()).await;
        self.daemon = Some(daemon.expect("the daemon starts"));
    }

    async fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await.expect("the daemon ends well");
        }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("a running daemon")
    }

    async fn take(&mut self, step: &Step, script: &Script, place: &str) {
        match step {
            Step::Publish(publish) => {
                if publish.listens {
                    self.listen(&publish.device).await;
                }
                let messages = self.messages(publish).await;
                let address = self.daemon().mqtt_address().expect("a front door");
                let ear = self.ears.get_mut(&publish.device);
                let sent = tokio::time::timeout(DEADLINE, async {
                    if let Some(ear) = ear {
                        ear.publish(messages).await;
                    } else if publish.v5 {
                        publish_v5(&publish.device, address, messages).await;
                    } else {
                        publish_v4(&publish.device, address, messages).await;
                    }
                });
                assert!(sent.await.is_ok(), "{place}: not acknowledged in time");
            }
            Step::Link(position) => self.link.set_up(*position == Position::Up),
            Step::Fault(fault) => self.link.add_fault(link::Fault {
                method: fault.method.clone(),
                times: fault.times,
                what: what(fault.what),
            }),
            Step::Mend(method) => self.link.clear_faults(method),
            Step::Release(count) => {
                let released = self.link.release().await.expect("Odoo answers");
                assert_eq!(released, *count, "{place}: calls that were held");
            }
            Step::Noted(text) => {
                let begun = clock::instant();
                while !self.is_noted(text) {
                    let elapsed = clock::instant().duration_since(begun);
                    assert!(elapsed < DEADLINE, "{place}: no document says so");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Step::Flagged(flag) => {
                let begun = clock::instant();
                while !self.is_flagged(flag) {
                    let elapsed = clock::instant().duration_since(begun);
                    assert!(elapsed < DEADLINE, "{place}: no document is flagged");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Step::NothingPicked(product) => {
                let begun = clock::instant();
                while self.world.is_picked(&self.target, product).await {
                    let elapsed = clock::instant().duration_since(begun);
                    assert!(elapsed < DEADLINE, "{place}: lines are still picked");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Step::Daemon(Happening::BackUp) => self.back_up().await,
            Step::Daemon(happening) => {
                self.stop().await;
                match happening {
                    Happening::LostAndRestored => self.restore(Some(&self.backup)),
                    Happening::Lost => self.restore(None),
                    _ => {}
                }
                if *happening == Happening::RestartAfterLateCalls {
                    self.config.odoo.late_commit_s = 0;
                }
                self.start().await;
            }
            Step::Create(name) => {
                self.world.create(&self.target, script, name).await;
            }
            Step::Odoo(deed) => self.world.somebody(&self.target, deed).await,
            Step::Parked(decision) => self.decide(decision, place).await,
            Step::Undiscard(reason) => self.undiscard(reason, place).await,
            Step::Rejected(rejected) => self.settle(rejected, place).await,
            Step::Headline(wanted) => self.wait_for_headline(wanted, place).await,
            Step::Told(told) => {
                let ear = self.ears.get_mut(&told.device);
                let ear = ear.unwrap_or_else(|| panic!("{place}: the device does not listen"));
                ear.hear(told, place).await;
            }
            Step::Wait(wanted) => self.wait(wanted, place).await,
            Step::Reasons(wanted) => self.wait_for_reasons(wanted, place).await,
        }
    }

    /// A backup as the command asks for it, verified as the command does it.
    async fn back_up(&mut self) {
        self.backup.clear();
        let client = Client::new(&self.config.control.socket);
        let progress = WorkDone::default();
        let backup = client.download("/v1/journal/backup", &mut self.backup, &progress);
        backup.await.expect("a backup");
        journal::check_export(&mut &self.backup[..], &progress).expect("a whole backup");
    }

    /// Everything that the gateway has is lost, and a new one begins.
    fn restore(&self, mut backup: Option<&[u8]>) {
        let Config { site, data_dir, .. } = &self.config;
        std::fs::remove_dir_all(data_dir).expect("a directory");
        let input = backup.as_mut().map(|lines| lines as &mut dyn BufRead);
        let built = journal::import(input, site, data_dir, &WorkDone::default());
        built.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn listen(&mut self, device: &str) {
        if !self.ears.contains_key(device) {
            let address = self.daemon().mqtt_address().expect("a front door");
            let topics = format!("stockrelay/v1/{}/{device}", self.config.site);
            let ear = Ear::open(device, address, &topics).await;
            self.ears.insert(device.to_owned(), ear);
        }
    }

    /// What a person decides, by the control socket.
    async fn decide(&self, parked: &Parked, place: &str) {
        let client = Client::new(&self.config.control.socket);
        if parked.all {
            let mut body = json!({"code": parked.code, "by": "anna"});
            if let Some(with) = parked.retry.as_ref().filter(|with| !with.is_empty()) {
                body["with"] = json!(with);
            }
            let answer: Value = client.post("/v1/parked/retry", &body).await.expect("tried");
            assert!(answer["retried"].as_u64() > Some(1), "{place}: {answer}");
            return;
        }
        let begun = clock::instant();
        let says =
            |reason: &Reason| (parked.says_not.iter()).any(|part| reason.message.contains(part));
        while self.reasons(State::Parked).iter().any(says) {
            let reasons = self.reasons(State::Parked);
            let elapsed = clock::instant().duration_since(begun);
            assert!(elapsed < DEADLINE, "{place}: {reasons:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let list: Value = client.get("/v1/parked").await.expect("a list");
        let list = list["parked"].as_array().expect("a list");
        let meant = |document: &&Value| {
            let code = &document["reason"]["code"];
            parked.code.as_ref().is_none_or(|wanted| code == wanted)
        };
        let meant: Vec<&Value> = list.iter().filter(meant).collect();
        let [document] = meant[..] else {
            panic!("{place}: one document is meant, of {list:?}");
        };
        let message = document["reason"]["message"].as_str().expect("a message");
        for part in &parked.says {
            assert!(message.contains(part), "{place}: {message}");
        }
        let (verb, body) = match (&parked.retry, &parked.edit, &parked.discard) {
            (Some(with), None, None) if with.is_empty() => ("retry", json!({"by": "anna"})),
            (Some(with), None, None) => ("retry", json!({"with": with, "by": "anna"})),
            (None, Some(edit), None) => ("edit", self.world.event(&self.target, edit).await),
            (None, None, Some(reason)) => ("discard", json!({"reason": reason, "by": "anna"})),
            _ => panic!("{place}: one decision at a time"),
        };
        let key = document["key"].as_str().expect("a key");
        let path = format!("/v1/parked/{key}/{verb}");
        let answer: Result<Value, _> = client.post(&path, &body).await;
        answer.unwrap_or_else(|error| panic!("{place}: {path} {body}: {error}"));
    }

    /// A person undoes the only discard. The new document has a key of its own.
    async fn undiscard(&self, reason: &str, place: &str) {
        let client = Client::new(&self.config.control.socket);
        let list: Value = client.get("/v1/documents?state=discarded").await.unwrap();
        let list = list["documents"].as_array().expect("a list");
        let [old] = list.as_slice() else {
            panic!("{place}: one discarded document is meant, of {list:?}");
        };
        let key = old["key"].as_str().expect("a key");
        let path = format!("/v1/documents/{key}/undiscard");
        let body = json!({"reason": reason, "by": "anna"});
        let answer: Result<Value, _> = client.post(&path, &body).await;
        let answer = answer.unwrap_or_else(|error| panic!("{place}: {path}: {error}"));
        let new = &answer["document"];
        assert_ne!(new["key"], old["key"], "{place}");
        assert_ne!(new["external_id"], old["external_id"], "{place}");
    }

    /// Topics and payloads, with Odoo's names instead of the scenario's.
    async fn messages(&self, publish: &Publish) -> Vec<(String, Vec<u8>)> {
        let topic = |channel: &str| {
            let site = publish.site.as_deref();
            let site = site.unwrap_or(self.config.site.as_str());
            format!("stockrelay/v1/{site}/{}/{channel}", publish.device)
        };
        let mut events = Vec::new();
        for event in &publish.events {
            events.push(self.world.event(&self.target, event).await);
        }
        let mut messages = Vec::new();
        if publish.separately {
            let each = events
                .iter()
                .map(|event| (topic("event"), event.to_string().into_bytes()));
            messages.extend(each);
        } else if !events.is_empty() {
            messages.push((topic("event"), json!(events).to_string().into_bytes()));
        }
        messages.extend(
            publish
                .raw
                .iter()
                .map(|raw| (topic("event"), raw.clone().into_bytes())),
        );
        let scan = |code: &String| (topic("scan"), code.clone().into_bytes());
        messages.extend(publish.scans.iter().map(scan));
        for read in &publish.reads {
            let read = self.world.event(&self.target, read).await;
            messages.push((topic("scan"), read.to_string().into_bytes()));
        }
        if let Some(state) = &publish.state {
            let state = self.world.event(&self.target, state).await;
            messages.push((topic("state"), state.to_string().into_bytes()));
        }
        let times = usize::try_from(publish.times).unwrap();
        messages
            .iter()
            .cycle()
            .take(messages.len() * times)
            .cloned()
            .collect()
    }

    fn ledger(&self) -> Ledger {
        let totals = self.daemon().journal().totals();
        let sealed = State::ALL
            .iter()
            .map(|state| totals.of(*state).documents)
            .sum();
        let waits = self.reasons(State::Waiting).into_iter();
        let held_back = waits.filter(|reason| reason.code == ReasonCode::HeldBack);
        Ledger {
            held_back: Some(held_back.count() as u64),
            stored: Some(totals.stored),
            duplicates: Some(totals.duplicates),
            rejected: Some(totals.rejected),
            no_document: Some(totals.no_document),
            posted: Some(totals.posted.events),
            parked: Some(totals.parked.events),
            documents: Some(totals.posted.documents),
            faults_left: Some(self.link.faults_left().into()),
            held: Some(self.link.count_held().into()),
            sealed: Some(sealed),
        }
    }

    fn is_noted(&self, text: &str) -> bool {
        let journal = self.daemon().journal();
        let entries = journal.documents(Some(State::Posted), DocumentNumber::ZERO, 1_000);
        entries.expect("documents").iter().any(|entry| {
            let audit = journal.audit(entry.document.number).expect("a trace");
            audit.last().is_some_and(|last| last.note.contains(text))
        })
    }

    fn is_flagged(&self, flag: &str) -> bool {
        let entries =
            self.daemon()
                .journal()
                .documents(Some(State::Discarded), DocumentNumber::ZERO, 1_000);
        let entries = entries.expect("documents");
        let mut flags = entries.iter().flat_map(|entry| &entry.progress.flags);
        flags.any(|known| known == flag)
    }

    /// Why documents are parked, or wait.
    fn reasons(&self, state: State) -> Vec<Reason> {
        let entries = self
            .daemon()
            .journal()
            .documents(Some(state), DocumentNumber::ZERO, 1_000);
        let entries = entries.expect("documents").into_iter();
        entries.filter_map(|entry| entry.progress.reason).collect()
    }

    async fn wait(&self, wanted: &Ledger, place: &str) {
        let begun = clock::instant();
        loop {
            let found = self.ledger();
            if agrees(wanted, &found) {
                return;
            }
            let elapsed = clock::instant().duration_since(begun);
            let odoo = self.daemon().board().snapshot().odoo;
            assert!(
                elapsed < DEADLINE,
                "{place}: waited for {wanted:?}, found {found:?}; parked: {:?}; {odoo:?}",
                self.reasons(State::Parked)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wait_for_reasons(&self, wanted: &[String], place: &str) {
        let begun = clock::instant();
        loop {
            let found = self.reasons(State::Parked);
            if codes(&found) == wanted {
                return;
            }
            let elapsed = clock::instant().duration_since(begun);
            assert!(
                elapsed < DEADLINE,
                "{place}: waited for {wanted:?}, found {found:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn check(&self, script: &Script, path: &str) {
        let expect = &script.expect;
        let found = self.ledger();
        assert!(
            agrees(&expect.ledger, &found),
            "{path}: expected {:?}, found {found:?}",
            expect.ledger
        );
        let journal = self.daemon().journal();
        let totals = journal.totals();
        let settled =
            totals.no_document + State::ALL.iter().map(|s| totals.of(*s).events).sum::<u64>();
        assert_eq!(
            totals.stored,
            settled + totals.open_events(),
            "{path}: adds up"
        );
        let found = self.reasons(State::Parked);
        assert_eq!(
            codes(&found),
            expect.reasons,
            "{path}: reasons of parked documents: {found:?}"
        );
        let rejected = journal
            .rejected(RejectedNumber::ZERO, 1_000)
            .expect("rejected readings");
        let rejections: Vec<String> = rejected.into_iter().map(|r| r.code.to_string()).collect();
        assert_eq!(rejections, expect.rejections, "{path}: rejected readings");
        if let Some(wanted) = &expect.flags {
            let mut flags: Vec<String> = Vec::new();
            for state in [State::Posted, State::Parked, State::Waiting] {
                let entries = journal.documents(Some(state), DocumentNumber::ZERO, 1_000);
                for entry in entries.expect("documents") {
                    let both = entry.document.flags.iter().chain(&entry.progress.flags);
                    flags.extend(both.map(ToString::to_string));
                }
            }
            flags.sort();
            assert_eq!(&flags, wanted, "{path}: flags");
        }
        if let Some(wanted) = &expect.alarms {
            let alarms = self.daemon().board().snapshot().alarms;
            // Scenarios let everybody in.
            let codes = alarms.into_keys().filter(|code| code != "anonymous");
            assert_eq!(&codes.collect::<Vec<_>>(), wanted, "{path}: alarms");
        }
        self.world.check(&self.target, expect, path).await;
    }
}

/// Sorted.
fn codes(reasons: &[Reason]) -> Vec<String> {
    let mut codes: Vec<String> = reasons
        .iter()
        .map(|reason| reason.code.to_string())
        .collect();
    codes.sort();
    codes
}

fn agrees(wanted: &Ledger, found: &Ledger) -> bool {
    let pairs = [
        (wanted.stored, found.stored),
        (wanted.duplicates, found.duplicates),
        (wanted.rejected, found.rejected),
        (wanted.no_document, found.no_document),
        (wanted.posted, found.posted),
        (wanted.parked, found.parked),
        (wanted.documents, found.documents),
        (wanted.faults_left, found.faults_left),
        (wanted.sealed, found.sealed),
        (wanted.held_back, found.held_back),
        (wanted.held, found.held),
    ];
    pairs
        .iter()
        .all(|(wanted, found)| wanted.is_none() || wanted == found)
}

fn what(what: What) -> link::What {
    match what {
        What::CutBefore => link::What::CutBefore,
        What::CutAfter => link::What::CutAfter,
        What::Held => link::What::Held,
        What::Slow => link::What::Slow(Duration::from_millis(700)),
        What::Hold => link::What::Hold,
        What::Unavailable => link::What::unavailable(),
        What::TooMany => link::What::too_many(1),
        What::Asks => link::What::asks(),
        What::Refuses => link::What::refuses(),
        What::CouldNotSerialize => link::What::could_not_serialize(),
        What::CouldNotSerializeInGerman => link::What::could_not_serialize_in_german(),
    }
}
