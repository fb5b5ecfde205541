//! A journal, a forwarder and the receipts, in front of an Odoo.

use super::super::{Odoo, unique};
use crate::floor::{at, name, transfer};
use jiff::tz::TimeZone;
use std::time::Duration;
use stockrelay::board::Board;
use stockrelay::channel::{Outbound, Outlet, Outlets};
use stockrelay::config;
use stockrelay::document::{Document, DocumentKey, DocumentNumber, Line, Progress, Purpose, State};
use stockrelay::event::{Event, Goods, Recorded, Seq};
use stockrelay::forward::{Fencing, Forwarder, Pausing, Rules, Settings};
use stockrelay::journal::{Accepted, Change, Journal, WriterHandle};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A gateway without doors: events are put into its journal by hand.
pub struct Gateway {
    pub journal: Journal,
    pub writer: WriterHandle,
    pub board: Board,
    pub receipts: mpsc::Receiver<Outbound>,
    pub cancel: CancellationToken,
    pub forwarder: Option<JoinHandle<()>>,
    pub config: config::Odoo,
    pub rules: Rules,
    pub device: String,
    pub events: u32,
    pub dir: tempfile::TempDir,
}

impl Gateway {
    pub fn new(odoo: &Odoo) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        // Keys depend on the site and the ids of the events: another device in each run.
        let device: String = blake3::hash(unique().as_bytes())
            .to_hex()
            .chars()
            .take(12)
            .collect();
        Self {
            journal,
            writer,
            board: Board::new(),
            receipts: mpsc::channel(1).1,
            cancel: CancellationToken::new(),
            forwarder: None,
            config: odoo.config.clone(),
            rules: Rules {
                orders: config::Orders::default(),
                stock: config::Stock::default(),
                retention_days: 90,
                time_zone: Some(TimeZone::UTC),
            },
            device,
            events: 0,
            dir,
        }
    }

    pub fn start(&mut self) {
        let (sender, receipts) = mpsc::channel(10_000);
        self.receipts = receipts;
        self.cancel = CancellationToken::new();
        let forwarder = Forwarder {
            settings: Settings::new(self.config.clone(), self.rules.clone()).unchanging(),
            journal: self.journal.clone(),
            outlets: Outlets {
                listen: Outlet::new(sender),
                ..Outlets::default()
            },
            board: self.board.clone(),
            data_dir: self.dir.path().to_owned(),
            copy: watch::Sender::new(None),
            pausing: Pausing::never(),
            fencing: Fencing::never(),
        };
        self.forwarder = Some(tokio::spawn(forwarder.run(self.cancel.clone())));
    }

    pub async fn stop(&mut self) {
        self.cancel.cancel();
        if let Some(forwarder) = self.forwarder.take() {
            forwarder.await.unwrap();
        }
    }

    pub async fn close(mut self) {
        self.stop().await;
        self.journal.inbox().close().await.unwrap();
        drop(self.journal);
        self.writer.join().unwrap();
    }

    /// Keeps an event for each line (product, from, to), and seals a document of them.
    pub async fn seal(
        &mut self,
        lines: &[(&str, &str, &str)],
        change: impl Fn(&mut Line),
    ) -> DocumentKey {
        let mut events: Vec<Event> = Vec::new();
        for (product, from, to) in lines {
            self.events += 1;
            let id = self.events.to_string();
            events.push(transfer(&self.device, &id, product, from, to, 0));
        }
        let inbox = self.journal.inbox().clone();
        let accepted = inbox
            .append(events.iter().cloned().map(Ok).collect())
            .await
            .unwrap();
        let seqs: Vec<Seq> = accepted
            .iter()
            .map(|accepted| match accepted {
                Accepted::Stored { seq } => *seq,
                other => panic!("{other:?}"),
            })
            .collect();
        let recorded: Vec<_> = seqs
            .iter()
            .zip(events)
            .map(|(seq, event)| Recorded { seq: *seq, event })
            .collect();
        let line = |(place, (product, from, to)): (usize, &(&str, &str, &str))| {
            let mut line = Line {
                goods: Goods {
                    product: (*product).to_owned(),
                    from: Some((*from).to_owned()),
                    to: Some((*to).to_owned()),
                    quantity: 2.into(),
                    ..Goods::default()
                },
                events: vec![seqs[place]],
            };
            change(&mut line);
            line
        };
        let document = Document {
            number: DocumentNumber::ZERO,
            key: DocumentKey::of(&name("ams1"), &recorded),
            purpose: Purpose::Transfer,
            group: self.device.clone(),
            lines: lines.iter().enumerate().map(line).collect(),
            occurred: at(9),
            sealed: at(10),
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
            events: seqs.clone(),
        };
        let key = document.key;
        inbox
            .seal(vec![document], vec![], *seqs.last().unwrap())
            .await
            .unwrap();
        key
    }

    /// Keeps an event for each line, and seals a document of them that was done at a second of its
    /// own.
    pub async fn seal_as(
        &mut self,
        purpose: Purpose,
        mut lines: Vec<Line>,
        second: i64,
    ) -> DocumentKey {
        let mut recorded = Vec::new();
        for line in &mut lines {
            self.events += 1;
            let id = self.events.to_string();
            let event = transfer(&self.device, &id, &line.goods.product, "", "", second);
            let accepted = self.journal.inbox().append(vec![Ok(event.clone())]).await;
            let [Accepted::Stored { seq }] = accepted.unwrap()[..] else {
                panic!("not stored")
            };
            line.events = vec![seq];
            recorded.push(Recorded { seq, event });
        }
        let events: Vec<Seq> = recorded.iter().map(|recorded| recorded.seq).collect();
        let document = Document {
            number: DocumentNumber::ZERO,
            key: DocumentKey::of(&name("ams1"), &recorded),
            purpose,
            group: self.device.clone(),
            lines,
            occurred: at(second),
            sealed: at(second),
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
            events: events.clone(),
        };
        let (key, last) = (document.key, *events.last().unwrap());
        let inbox = self.journal.inbox();
        inbox.seal(vec![document], vec![], last).await.unwrap();
        key
    }

    /// A person's answer to what is parked.
    pub async fn retry(&self, key: DocumentKey, decision: Option<&str>) {
        let entry = self.journal.document_by_key(key).unwrap().unwrap();
        let change = Change {
            number: entry.document.number,
            expect: State::Parked,
            progress: Progress {
                state: State::Waiting,
                decision: decision.map(str::to_owned),
                ..entry.progress
            },
            by: "test".to_owned(),
            note: "retry".to_owned(),
        };
        let made = self.journal.inbox().change(vec![change]).await.unwrap();
        assert_eq!(made, [true]);
    }

    /// All that the ledger has about the document.
    pub fn notes(&self, key: DocumentKey) -> String {
        let entry = self.journal.document_by_key(key).unwrap().unwrap();
        let audit = self.journal.audit(entry.document.number).unwrap();
        audit.into_iter().map(|record| record.note + "\n").collect()
    }

    /// The receipt for the device's last event, once the event is posted.
    pub async fn last_receipt(&mut self) -> serde_json::Value {
        loop {
            let receipt = self.receipts.recv().await.unwrap();
            let told: serde_json::Value = serde_json::from_slice(&receipt.payload).unwrap();
            if told["id"].as_str() == Some(&self.events.to_string()) {
                return told;
            }
        }
    }

    /// Until nothing waits and nothing is being sent; the test runner's own limit ends it if that
    /// never comes.
    pub async fn drained(&self) {
        let mut totals = self.journal.watch();
        let done = totals.wait_for(|t| t.waiting.documents + t.sending.documents == 0);
        let done = tokio::time::timeout(Duration::from_mins(1), done).await;
        let link = || self.board.snapshot().odoo.detail.clone();
        done.unwrap_or_else(|_| panic!("it drains: {:?}", link()))
            .unwrap();
    }

    /// As if the gateway had died while it was sending it.
    pub async fn begun(&self, key: DocumentKey) {
        let entry = self.journal.document_by_key(key).unwrap().unwrap();
        let change = Change {
            number: entry.document.number,
            expect: entry.progress.state,
            progress: Progress {
                state: State::Sending,
                attempts: 1,
                odoo: None,
                ..entry.progress
            },
            by: "test".to_owned(),
            note: "died".to_owned(),
        };
        let made = self.journal.inbox().change(vec![change]).await.unwrap();
        assert_eq!(made, [true]);
    }

    pub fn last_note(&self, key: DocumentKey) -> String {
        let entry = self.journal.document_by_key(key).unwrap().unwrap();
        let audit = self.journal.audit(entry.document.number).unwrap();
        audit.last().unwrap().note.clone()
    }

    pub fn progress(&self, key: DocumentKey) -> Progress {
        self.journal.document_by_key(key).unwrap().unwrap().progress
    }

    pub fn reason(&self, key: DocumentKey) -> String {
        let progress = self.progress(key);
        assert_eq!(progress.state, State::Parked, "{progress:?}");
        progress.reason.unwrap().code.to_string()
    }
}
