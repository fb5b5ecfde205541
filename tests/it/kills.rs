//! The real process under load, killed again and again: while it works and while it starts.
//!
//! Devices have many events in flight and send again what was not acknowledged; Odoo's stand-in
//! answers late, or not at all. In the end the journal has every acknowledged event once, and Odoo
//! each movement once.
//!
//! `STOCKRELAY_KILLS=200 cargo test --test it -- --ignored kills --nocapture` kills it 200 times;
//! `STOCKRELAY_SEED` chooses other moments.

mod device;
mod gateway;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stockrelay::clock;
use stockrelay::config;
use stockrelay::demo::books::{Books, Comparison, Moves};
use stockrelay::demo::link::{Fault, Link, What};
use stockrelay::demo::odoo::{ADMIN_API_KEY, DATABASE, Seed, StandIn};
use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::Seq;
use stockrelay::journal::Journal;
use tokio::task::JoinSet;

use self::device::{Device, Id, Said};
use self::gateway::Gateway;
use crate::moves::Random;
use crate::setting::setting;

const DEVICES: u64 = 8;
/// As many products, each in the bin with its number.
const BINS: usize = 60;
/// The gateway waits shorter for an answer.
const NO_ANSWER: Duration = Duration::from_secs(gateway::ANSWER_MAX_S + 1);
/// The link has no more faults than this at once.
const FAULTS_MAX: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes most of a minute, and 200 kills take longer: STOCKRELAY_KILLS=200 cargo test --test it -- --ignored kills --nocapture"]
async fn what_was_acknowledged_is_in_the_journal_and_in_odoo_once_after_any_kills() {
    let kills = setting("STOCKRELAY_KILLS", 8);
    let seed = setting("STOCKRELAY_SEED", 1);
    println!("kills: {kills} to come, with seed {seed}");
    let site = Seed {
        bins: BINS,
        products: BINS,
    };
    let odoo = StandIn::start(site, Duration::from_millis(1))
        .await
        .unwrap();
    let books = Books::open(&odoo.url(), DATABASE, ADMIN_API_KEY.into()).await;
    let books = books.unwrap();
    let link = Arc::new(Link::start(&odoo.url()).await.unwrap());
    let begun = clock::instant();
    let mut gateway = Gateway::start(&link.url());
    let said = Arc::new(Said::default());
    let mut floor = JoinSet::new();
    for number in 0..DEVICES {
        let device = Device::new(number, seed, gateway.address, Arc::clone(&said));
        floor.spawn(device.work());
    }
    let trouble = tokio::spawn(disturb(Arc::clone(&link), seed));
    let met = gateway.kill_often(kills, seed, &said).await;
    said.stop();
    while let Some(device) = floor.join_next().await {
        device.unwrap();
    }
    trouble.abort();
    drop(trouble.await);
    link.set_up(true);
    gateway.drained().await;
    gateway.end_in_order();

    let comparison = books.compare(&said.moved(), &Moves::new()).await.unwrap();
    let found = Found::read(&gateway.data_dir()).await;
    println!("{met}, in {:.0} s", begun.elapsed().as_secs_f64());
    found.compare(&said, &comparison, &odoo);
}

/// Odoo answers late, not at all, or has carried out what it does not answer.
async fn disturb(link: Arc<Link>, seed: u64) {
    let methods = [
        "load",
        "button_validate",
        "web_save_multi",
        "search_read",
        "",
    ];
    let mut random = Random(seed + 1);
    loop {
        tokio::time::sleep(Duration::from_millis(100 + random.below(500))).await;
        let time = Duration::from_millis(200 + random.below(1_300));
        let what = match random.below(6) {
            0 => {
                link.set_up(false);
                tokio::time::sleep(time).await;
                link.set_up(true);
                continue;
            }
            1 | 2 => What::CutAfter,
            3 => What::Slow(time),
            4 => What::Slow(NO_ANSWER),
            _ => What::unavailable(),
        };
        if link.faults_left() < FAULTS_MAX {
            let method = usize::try_from(random.below(methods.len() as u64)).unwrap();
            link.add_fault(Fault {
                method: methods[method].to_owned(),
                times: 1,
                what,
            });
        }
    }
}

/// What the journal holds in the end.
#[derive(Debug, Default)]
struct Found {
    /// How often each event is stored.
    events: BTreeMap<Id, usize>,
    duplicates: u64,
    /// Events that are in no posted document.
    not_posted: Vec<Seq>,
    posted: usize,
    /// The documents in Odoo.
    pickings: BTreeSet<i64>,
}

impl Found {
    async fn read(data_dir: &Path) -> Self {
        let (journal, writer) = Journal::open(data_dir, &config::Journal::default()).unwrap();
        let mut found = Self::default();
        let events = journal.events(Seq::ZERO, usize::MAX).unwrap();
        for recorded in events {
            let event = recorded.event;
            let id = (event.device.to_string(), event.id);
            *found.events.entry(id).or_default() += 1;
            let number = journal.document_of(recorded.seq).unwrap().number();
            let document = number.and_then(|number| journal.document(number).unwrap());
            if document.is_none_or(|entry| entry.progress.state != State::Posted) {
                found.not_posted.push(recorded.seq);
            }
        }
        let documents = journal.documents(None, DocumentNumber::ZERO, usize::MAX);
        for entry in documents.unwrap() {
            let picking = entry.progress.odoo.expect("it is in Odoo");
            found.pickings.insert(picking.id.get());
            found.posted += 1;
        }
        found.duplicates = journal.totals().duplicates;
        journal.inbox().close().await.unwrap();
        drop(journal);
        writer.join().unwrap();
        found
    }

    fn compare(&self, said: &Said, comparison: &Comparison, odoo: &StandIn) {
        let acknowledged = said.acknowledged();
        let lost = acknowledged
            .iter()
            .filter(|id| !self.events.contains_key(id));
        let lost = lost.count();
        let doubled = self.events.values().filter(|count| **count > 1).count();
        println!(
            "kills: {DEVICES} devices, {} events acknowledged, {} messages sent again, {} duplicates dropped, {} documents posted",
            acknowledged.len(),
            said.sent_again(),
            self.duplicates,
            self.posted
        );
        println!("kills: in the journal lost {lost}, doubled {doubled}");
        println!(
            "kills: in Odoo moved {}, lost {}, doubled {}; {} quantities compared, {} wrong",
            comparison.moved,
            comparison.lost,
            comparison.doubled,
            comparison.places,
            comparison.places_wrong
        );
        assert_eq!((lost, doubled), (0, 0));
        assert_eq!(
            self.events.len(),
            acknowledged.len(),
            "events that nobody sent"
        );
        assert_eq!(self.not_posted, []);
        assert!(comparison.is_right(), "{comparison:?}");
        assert_eq!(comparison.moved, acknowledged.len().into());
        assert_eq!(
            self.pickings.len(),
            self.posted,
            "a picking for two documents"
        );
        let done = BTreeMap::from([("done".to_owned(), self.posted)]);
        assert_eq!(odoo.pickings(), done, "Odoo has other pickings");
    }
}
