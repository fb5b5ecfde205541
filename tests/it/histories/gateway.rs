//! A gateway without doors whose time of sealing the test owns, and an Odoo to post to.

mod compare;

use super::Report;
use super::model::{BEFORE, Deed, History, Random};
use crate::floor::name;
use crate::scenarios::target::{Target, Wanted, fresh};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;
use stockrelay::assemble::{Assembler, Now};
use stockrelay::board::Board;
use stockrelay::channel::Outlets;
use stockrelay::clock;
use stockrelay::config::{self, Negative, Under};
use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::{
    Action, Event, Goods, Measures, Move, Movement, Name, Recorded, Seq, SourceKind,
};
use stockrelay::forward::{Fencing, Forwarder, Pausing, Rules, Settings};
use stockrelay::journal::{Accepted, Entry, Journal, WriterHandle, device_clock_change};
use stockrelay::reason::ReasonCode;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long ago a history began.
const AGO: SignedDuration = SignedDuration::from_hours(5);

const DRAIN_DEADLINE: Duration = Duration::from_mins(3);

/// An order asks for more than any history picks.
const ORDERED: f64 = 500.0;

/// A history on its way, in an order of arrival of its own.
pub struct Delivery {
    pub seed: u64,
    pub history: History,
    pub order: Vec<usize>,
    random: Random,
    run: String,
    product: i64,
    barcode: String,
    picking: Option<String>,
    /// By event: its number in the journal.
    recorded: Vec<Option<Recorded>>,
    next: usize,
    is_validated: bool,
    /// The number of the validation's event.
    validated: Option<Seq>,
    /// The clock of the first device was shown again.
    is_shown: bool,
}

impl Delivery {
    pub fn new(seed: u64, history: History, order: Vec<usize>, random: &mut Random) -> Self {
        let grouping = u64::try_from(random.below(1 << 30)).unwrap();
        Self {
            seed,
            recorded: vec![None; history.events.len()],
            history,
            order,
            random: Random::new(grouping),
            run: fresh("h"),
            product: 0,
            barcode: String::new(),
            picking: None,
            next: 0,
            is_validated: false,
            validated: None,
            is_shown: false,
        }
    }

    fn is_over(&self) -> bool {
        self.next >= self.order.len()
            && (self.is_validated || !self.history.has_picks())
            && (self.is_shown || self.history.ahead.is_none())
    }
}

/// It is held back by a document that a person has to end.
fn waits_for_parked(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| {
        reason.code == ReasonCode::HeldBack && reason.message.contains("is parked")
    })
}

pub struct Gateway {
    journal: Journal,
    writer: WriterHandle,
    assembler: Assembler,
    monotonic: Duration,
    began: Timestamp,
    bins: [i64; 2],
    supplier: i64,
    warehouse: i64,
    kind: i64,
    cancel: CancellationToken,
    forwarder: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Gateway {
    pub async fn start(target: &Target) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        let key = dir.path().join("odoo.key");
        std::fs::write(&key, &target.api_key).unwrap();
        let warehouse = target
            .find("stock.warehouse", json!([["code", "=", "WH"]]))
            .await;
        let cancel = CancellationToken::new();
        let rules = Rules {
            orders: config::Orders {
                pick_under: Under::Backorder,
                blind_receipts: true,
                ..config::Orders::default()
            },
            stock: config::Stock {
                negative: Negative::Allow,
                ..config::Stock::default()
            },
            retention_days: 90,
            time_zone: Some(TimeZone::UTC),
        };
        let odoo = config::Odoo {
            refresh_s: 1,
            ..target.config(&key)
        };
        let forwarder = Forwarder {
            settings: Settings::new(odoo, rules).unchanging(),
            journal: journal.clone(),
            outlets: Outlets::default(),
            board: Board::new(),
            data_dir: dir.path().to_owned(),
            copy: watch::Sender::new(None),
            pausing: Pausing::never(),
            fencing: Fencing::never(),
        };
        let site = Name::new("ams1").unwrap();
        Self {
            assembler: Assembler::new(site, config::Documents::default(), Seq::ZERO),
            journal,
            writer,
            monotonic: Duration::ZERO,
            began: clock::now() - AGO,
            bins: [target.bin(1).await, target.bin(2).await],
            supplier: target.vendors().await,
            kind: target.internal_type(warehouse).await,
            warehouse,
            forwarder: tokio::spawn(forwarder.run(cancel.clone())),
            cancel,
            _dir: dir,
        }
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        self.forwarder.await.unwrap();
        self.journal.inbox().close().await.unwrap();
        drop(self.journal);
        self.writer.join().unwrap();
    }

    /// Plays all of these at once, and compares.
    pub async fn play(&mut self, target: &Target, batch: &mut Vec<Delivery>, report: &mut Report) {
        let mut dice = Random::new(batch.first().map_or(0, |delivery| delivery.seed));
        for delivery in batch.iter_mut() {
            self.prepare(target, delivery).await;
            self.show_clock(delivery).await;
        }
        self.seal().await;
        while batch.iter().any(|delivery| !delivery.is_over()) {
            for delivery in batch.iter_mut() {
                self.deliver(delivery).await;
            }
            self.seal().await;
            if dice.chance(60) {
                self.drain().await;
            }
        }
        self.drain().await;
        self.end_doubts().await;
        for delivery in batch.drain(..) {
            self.compare(target, &delivery, report).await;
        }
    }

    /// Makes the product, with goods in both bins, and the order; and does what other people do in
    /// Odoo.
    async fn prepare(&self, target: &Target, delivery: &mut Delivery) {
        delivery.barcode = fresh("9");
        delivery.product = target.new_product(&delivery.barcode, "none").await;
        let before = self.began - SignedDuration::from_hours(24);
        for bin in self.bins {
            self.moved(
                target,
                delivery.product,
                (self.supplier, bin),
                BEFORE,
                before,
            )
            .await;
        }
        if delivery.history.has_picks() {
            let wanted = [Wanted::from((delivery.product, ORDERED))];
            let picking = target.internal(&wanted, self.warehouse).await;
            let body = json!({"ids": [picking], "fields": ["name"]});
            let read = target.ask("stock.picking", "read", body).await;
            delivery.picking = read[0]["name"].as_str().map(str::to_owned);
        }
        for foreign in &delivery.history.foreign {
            let at = self.time(foreign.second);
            self.moved(
                target,
                delivery.product,
                (self.bins[0], self.bins[1]),
                foreign.quantity,
                at,
            )
            .await;
        }
    }

    async fn moved(
        &self,
        target: &Target,
        product: i64,
        (from, to): (i64, i64),
        quantity: i64,
        at: Timestamp,
    ) {
        let line = json!({
            "product_id": product, "quantity": quantity, "picked": true, "location_id": from, "location_dest_id": to,
        });
        let values = json!({
            "picking_type_id": self.kind, "location_id": from, "location_dest_id": to,
            "move_line_ids": [[0, 0, line]],
        });
        let id = target.made("stock.picking", values).await;
        let body = json!({"ids": [id], "context": {"skip_backorder": true, "skip_sms": true}});
        target.admin("stock.picking", "button_validate", body).await;
        let at = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let body = json!({"ids": [id], "vals": {"date_done": at}});
        target.admin("stock.picking", "write", body).await;
    }

    /// When a second of a history was; ours are within the second.
    fn time(&self, second: i64) -> Timestamp {
        let whole = Timestamp::from_second(self.began.as_second()).unwrap();
        whole + SignedDuration::from_secs(second)
    }

    /// Delivers some of the next events, which may share documents; then the validation of the
    /// order.
    async fn deliver(&mut self, delivery: &mut Delivery) {
        let some = delivery.random.below(4);
        for _ in 0..some {
            let Some(place) = delivery.order.get(delivery.next).copied() else {
                break;
            };
            delivery.next += 1;
            let (at, action) = self.event(delivery, place);
            let device = delivery.history.events[place].device;
            let id = format!("e{place}");
            let recorded = self.record(delivery, device, id, at, action).await;
            delivery.recorded[place] = Some(recorded);
        }
        if delivery.next < delivery.order.len() || some == 0 {
            return;
        }
        if !delivery.is_shown {
            self.show_clock(delivery).await;
            delivery.is_shown = true;
        }
        if !delivery.is_over() {
            delivery.is_validated = true;
            let order = delivery.picking.clone().unwrap_or_default();
            let id = "validate".to_owned();
            let action = Action::Validate { order };
            let validated = self.record(delivery, 0, id, clock::now(), action).await;
            delivery.validated = Some(validated.seq);
        }
    }

    /// A scan of now, by a clock that is ahead.
    async fn show_clock(&mut self, delivery: &Delivery) {
        if let Some(ahead) = delivery.history.ahead {
            let id = format!("clock-{}", delivery.is_shown || delivery.next > 0);
            let at = clock::now() + SignedDuration::from_secs(ahead);
            let scan = Action::Scan {
                code: "4000000000006".to_owned(),
                symbology: None,
            };
            self.record(delivery, 0, id, at, scan).await;
        }
    }

    fn event(&self, delivery: &Delivery, place: usize) -> (Timestamp, Action) {
        let done = delivery.history.events[place];
        let product = delivery.barcode.clone();
        let bin = |bin: usize| format!("LOC-BIN-{:04}", bin + 1);
        let (lot, package) = (None, None);
        let action = match done.deed {
            Deed::Move { from, to, quantity } => Action::Move(Move::new(
                Movement::Transfer,
                Goods {
                    product,
                    quantity: quantity.into(),
                    from: Some(bin(from)),
                    to: Some(bin(to)),
                    lot,
                    package,
                    ..Goods::default()
                },
            )),
            Deed::Pick {
                bin: from,
                quantity,
            } => Action::Move(Move {
                order: Some(delivery.picking.clone().unwrap_or_default()),
                ..Move::new(
                    Movement::Pick,
                    Goods {
                        product,
                        quantity: quantity.into(),
                        from: from.map(bin),
                        lot,
                        package,
                        ..Goods::default()
                    },
                )
            }),
            Deed::Receive { to, quantity } => Action::Move(Move::new(
                Movement::Receive,
                Goods {
                    product,
                    quantity: quantity.into(),
                    to: Some(bin(to)),
                    lot,
                    package,
                    ..Goods::default()
                },
            )),
            Deed::Scrap { from, quantity } => Action::Move(Move::new(
                Movement::Scrap,
                Goods {
                    product,
                    quantity: quantity.into(),
                    from: Some(bin(from)),
                    lot,
                    ..Goods::default()
                },
            )),
            Deed::Pack { bin: at, quantity } => Action::Move(Move::new(
                Movement::Pack,
                Goods {
                    product,
                    quantity: quantity.into(),
                    from: Some(bin(at)),
                    lot,
                    package: Some(format!("P{}-{place}", delivery.run)),
                    ..Goods::default()
                },
            )),
            Deed::Count { bin: at, counted } => Action::Move(Move::new(
                Movement::Count,
                Goods {
                    product,
                    quantity: counted.into(),
                    from: Some(bin(at)),
                    lot,
                    package,
                    ..Goods::default()
                },
            )),
            Deed::Undo { of } => Action::Undo {
                event: format!("e{of}"),
                reason: None,
            },
        };
        let ahead = delivery.history.ahead.filter(|_| done.device == 0);
        let ahead = SignedDuration::from_secs(ahead.unwrap_or_default());
        let time = self.time(done.second) + SignedDuration::from_millis(500);
        (time + ahead, action)
    }

    async fn record(
        &mut self,
        delivery: &Delivery,
        device: usize,
        id: String,
        at: Timestamp,
        action: Action,
    ) -> Recorded {
        let event = Event {
            device: name(&format!("{}-{device}", delivery.run)),
            id,
            id_derived: false,
            source: SourceKind::Listen,
            at,
            received: clock::now(),
            measures: Measures::new(),
            operator: None,
            flags: Vec::new(),
            action,
        };
        let accepted = self
            .journal
            .inbox()
            .append(vec![Ok(event.clone())])
            .await
            .unwrap();
        let [Accepted::Stored { seq }] = accepted[..] else {
            panic!("{accepted:?}");
        };
        let recorded = Recorded { seq, event };
        let now = self.now();
        let undone = match &recorded.event.action {
            Action::Undo { event, .. } => {
                let place: usize = event[1..].parse().unwrap();
                delivery.recorded[place].clone()
            }
            _ => None,
        };
        match undone {
            Some(undone) => self.assembler.take_undo(&recorded, &undone, now),
            None => self.assembler.take(&recorded, now),
        }
        recorded
    }

    fn now(&self) -> Now {
        Now {
            wall: clock::now(),
            monotonic: self.monotonic,
        }
    }

    async fn seal(&mut self) {
        self.monotonic += Duration::from_hours(1);
        let now = self.now();
        if let Some(sealed) = self.assembler.seal(now) {
            let inbox = self.journal.inbox();
            let clocks = sealed.clocks.iter();
            let clocks = clocks.map(|(device, clock)| device_clock_change(device, clock.as_ref()));
            let keep = clocks.map(Result::unwrap).collect();
            inbox
                .seal_and_store(
                    sealed.documents,
                    sealed.skipped,
                    Vec::new(),
                    sealed.settled,
                    keep,
                )
                .await
                .unwrap();
        }
    }

    fn all_in(&self, state: State) -> Vec<Entry> {
        let from = DocumentNumber::ZERO;
        self.journal.documents(Some(state), from, 10_000).unwrap()
    }

    /// Waits until no document is being sent, and only parked ones wait.
    async fn drain(&self) {
        // Thousands of documents may wait: as long as some are posted, it goes on.
        let mut last = (0, clock::instant());
        loop {
            let totals = self.journal.totals();
            let posted = totals.posted.documents;
            if posted != last.0 {
                last = (posted, clock::instant());
            }
            let waiting = self.all_in(State::Waiting);
            if totals.sending.documents == 0 && waiting.iter().all(waits_for_parked) {
                return;
            }
            let elapsed = clock::instant().duration_since(last.1);
            let (count, first) = (waiting.len(), waiting.first());
            assert!(
                elapsed < DRAIN_DEADLINE,
                "nothing was posted for {elapsed:?}, and {count} wait: {first:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Until nothing is parked because of a clock: each clock was shown.
    async fn end_doubts(&self) {
        let begun = clock::instant();
        loop {
            let parked = self.all_in(State::Parked);
            let is_doubtful = |entry: &&Entry| {
                let reason = entry.progress.reason.as_ref();
                reason.is_some_and(|reason| reason.code == ReasonCode::ClockInDoubt)
            };
            let Some(entry) = parked.iter().find(is_doubtful) else {
                return self.drain().await;
            };
            let is_late = begun.elapsed() >= DRAIN_DEADLINE;
            assert!(!is_late, "still in doubt: {entry:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
