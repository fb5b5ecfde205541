//! The gateway's calls and a person's actions in every order that a seed produces, on the stand-in.
//!
//! Before any call a person may validate, cancel, delete, edit, pick, unpick, unreserve, reserve,
//! split or validate in a batch. An answer may get lost after its call, or the gateway may stop
//! before it. At the end each scan is in Odoo exactly once, or it is parked, and the gateway has
//! moved nothing that was not scanned, or has parked the document.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::demo::odoo::{ADMIN_API_KEY, API_KEY, DATABASE, Seed, StandIn};
use crate::forward::send::Input;
use crate::forward::step;
use crate::odoo::{Client, Warehouse};
use crate::odoo_id::{LocationId, MoveLineId, PackageId, PickingId};
use crate::outcome::Failure;

/// `SEED` and `TRIALS` in the environment set the first seed and the number of trials.
const TRIALS: u64 = 60;
/// Every document ends within so many calls.
const CALLS_MAX: usize = 80;

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        (!list.is_empty()).then(|| list[self.below(list.len())])
    }
}

struct Site {
    _stand_in: StandIn,
    _dir: tempfile::TempDir,
    gateway: Client,
    admin: Client,
    warehouse: Warehouse,
    bins: Vec<LocationId>,
}

impl Site {
    async fn open() -> Self {
        let seed = Seed {
            bins: 2,
            products: 1,
        };
        let stand_in = StandIn::start(seed, Duration::ZERO).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let client = |key: &str| {
            let file = dir.path().join(key);
            std::fs::write(&file, key).unwrap();
            let config = config::Odoo {
                api_key_file: Some(file),
                ..config::Odoo::new(&stand_in.url(), DATABASE)
            };
            Client::new(&config).unwrap()
        };
        let (mut gateway, mut admin) = (client(API_KEY), client(ADMIN_API_KEY));
        gateway.version().await.unwrap();
        admin.version().await.unwrap();
        let warehouse = gateway.warehouse("WH").await.unwrap();
        let bins = json!({"domain": [["barcode", "like", "LOC-BIN-"]], "order": "id"});
        let bins = admin.call("stock.location", "search", &bins).await.unwrap();
        Self {
            _stand_in: stand_in,
            _dir: dir,
            gateway,
            admin,
            warehouse,
            bins,
        }
    }

    async fn ask(&mut self, model: &str, method: &str, body: Value) -> Value {
        let answer: Result<Value, Failure> = self.admin.call(model, method, &body).await;
        answer.unwrap_or_else(|error| panic!("{model} {method} {body}: {error}"))
    }

    async fn made(&mut self, model: &str, values: Value) -> i64 {
        let made = self
            .ask(model, "create", json!({"vals_list": [values]}))
            .await;
        made[0].as_i64().unwrap()
    }

    async fn product(&mut self, name: &str, held: u32) -> i64 {
        let values = json!({"name": name, "type": "consu", "is_storable": true});
        let product = self.made("product.product", values).await;
        for bin in self.bins.clone() {
            let values =
                json!({"product_id": product, "location_id": bin, "inventory_quantity": held});
            let quant = self.made("stock.quant", values).await;
            self.ask(
                "stock.quant",
                "action_apply_inventory",
                json!({"ids": [quant]}),
            )
            .await;
        }
        product
    }

    /// The name of the only delivery of a sale.
    async fn sale(&mut self, wanted: &[(i64, u32)]) -> String {
        let partner = self.made("res.partner", json!({"name": "Customer"})).await;
        let line = |(product, quantity): &(i64, u32)| json!([0, 0, {"product_id": product, "product_uom_qty": quantity}]);
        let lines: Vec<Value> = wanted.iter().map(line).collect();
        let values = json!({"partner_id": partner, "order_line": lines});
        let sale = self.made("sale.order", values).await;
        self.ask("sale.order", "action_confirm", json!({"ids": [sale]}))
            .await;
        let domain = json!([["sale_id", "=", sale]]);
        let body = json!({"domain": domain, "fields": ["name"]});
        let found = self.ask("stock.picking", "search_read", body).await;
        found[0]["name"].as_str().unwrap().to_owned()
    }
}

/// One order with its outcomes.
struct Trial<'a> {
    site: &'a mut Site,
    chance: Chance,
    order: String,
    /// Another order, for batches.
    other: PickingId,
    rules: config::Orders,
    /// Lines that a person picked at some time.
    picked: BTreeSet<MoveLineId>,
    claimed: BTreeSet<MoveLineId>,
    /// Pickings that the test found done.
    done: BTreeSet<PickingId>,
    /// Our last call moved goods that no device scanned and no person picked.
    unscanned: bool,
    log: Vec<String>,
}

impl Trial<'_> {
    async fn seen(&mut self) -> Seen {
        let seen = self
            .site
            .gateway
            .order(&self.site.warehouse, &self.order)
            .await;
        seen.unwrap()
    }

    /// Does something as a person in Odoo, if Odoo allows it.
    async fn somebody(&mut self) {
        let seen = self.seen().await;
        let open: Vec<&SeenPicking> = seen.pickings.iter().filter(|p| p.is_open()).collect();
        let Some(picking) = self.chance.of(&open) else {
            return;
        };
        let lines: Vec<MoveLineId> = picking.lines.iter().map(|line| line.id).collect();
        let line = self.chance.of(&lines);
        let amount = 1 + self.chance.below(6);
        let context = json!({"skip_backorder": true, "skip_sms": true, "skip_expired": true});
        let (id, deed) = (picking.id, self.chance.below(13));
        let (model, method, body) = match (deed, line) {
            (0, _) => (
                "stock.picking",
                "button_validate",
                json!({"ids": [id], "context": context}),
            ),
            (1, _) => {
                let body = json!({"ids": [id, self.other], "context": context});
                ("stock.picking", "button_validate", body)
            }
            (2, _) => ("stock.picking", "action_cancel", json!({"ids": [id]})),
            (3, _) => ("stock.picking", "do_unreserve", json!({"ids": [id]})),
            (4, _) => ("stock.picking", "action_assign", json!({"ids": [id]})),
            (5, _) => (
                "stock.picking",
                "action_split_transfer",
                json!({"ids": [id]}),
            ),
            (6, _) => {
                let picked = picking.lines.iter().filter(|line| line.picked);
                let ids: Vec<MoveLineId> = picked.map(|line| line.id).collect();
                ("stock.move.line", "unlink", json!({"ids": ids}))
            }
            (7, Some(line)) => ("stock.move.line", "unlink", json!({"ids": [line]})),
            (8, Some(line)) => {
                let body = json!({"ids": [line], "vals": {"quantity": amount}});
                ("stock.move.line", "write", body)
            }
            (9 | 10, Some(line)) => {
                self.picked.insert(line);
                let body = json!({"ids": [line], "vals": {"picked": true}});
                ("stock.move.line", "write", body)
            }
            (11 | 12, Some(line)) => {
                let body = json!({"ids": [line], "vals": {"picked": false}});
                ("stock.move.line", "write", body)
            }
            _ => return,
        };
        let answer: Result<Value, Failure> = self.site.admin.call(model, method, &body).await;
        let word = if answer.is_ok() { "" } else { " (refused)" };
        self.log
            .push(format!("  somebody: {model} {method} {body}{word}"));
        self.note_done(false).await;
    }

    /// Looks at the pickings that we or a person completed just now.
    async fn note_done(&mut self, by_us: bool) {
        let seen = self.seen().await;
        for picking in &seen.pickings {
            if picking.state != PickingState::Done || !self.done.insert(picking.id) || !by_us {
                continue;
            }
            let mut lines = picking.lines.iter();
            let unscanned =
                lines.find(|line| line.external.is_none() && !self.picked.contains(&line.id));
            if let Some(line) = unscanned {
                self.log
                    .push(format!("  we moved goods that no device scanned: {line:?}"));
                self.unscanned = true;
            }
        }
    }

    /// Runs a document to its end.
    async fn run(&mut self, mut job: OrderJob) -> (OrderJob, Outcome) {
        let seen = self.seen().await;
        job.claimed = self.claimed.clone();
        job.fixed = Some(Box::new(job.fix(&seen)));
        job.seen = Some(Box::new(seen));
        self.log.push(format!("{:?}", job.task));
        let kept = job.clone();
        let mut reconciling = Reconciling::new(job, self.rules.clone());
        for _ in 0..CALLS_MAX {
            let next = reconciling.next().clone();
            if let OrderStep::Finish(outcome) = next {
                self.log.push(format!("  = {outcome:?}"));
                return (kept, outcome);
            }
            if self.chance.happens(35) {
                self.somebody().await;
            }
            if self.chance.happens(4) {
                self.log.push("  stop before the call".to_owned());
                reconciling = self.restarted(&kept);
                continue;
            }
            let site = &mut *self.site;
            let answer = step(&mut site.gateway, &site.warehouse, &kept, &next).await;
            let shown = format!("{next:?}");
            let (name, _) = shown.split_once([' ', '(']).unwrap_or((&shown, ""));
            let word = match &answer {
                Err(failure) => format!(" {failure}"),
                Ok(_) => String::new(),
            };
            self.log.push(format!("  {name}{word}"));
            self.note_done(true).await;
            if next != OrderStep::Read && self.chance.happens(10) {
                self.log.push("  the answer is lost".to_owned());
                if self.chance.happens(50) {
                    reconciling = self.restarted(&kept);
                } else {
                    reconciling.answer_lost();
                }
                continue;
            }
            match answer {
                Ok(Input::Seen(seen)) => reconciling.seen(&seen),
                Ok(Input::Reserved { is_bin }) => reconciling.reserved(is_bin),
                Err(Failure::Wait { .. }) => reconciling.answer_lost(),
                Ok(_) => reconciling.done(),
                Err(failure) => reconciling.refused(&failure.to_string()),
            }
        }
        panic!("the document does not end: {:#?}", self.log);
    }

    /// After a restart only the stored document is known.
    fn restarted(&self, kept: &OrderJob) -> Reconciling {
        let job = OrderJob {
            again: true,
            seen: None,
            ..kept.clone()
        };
        Reconciling::new(job, self.rules.clone())
    }

    /// Checks what must hold for a document that just ended.
    async fn check(&mut self, job: &OrderJob, outcome: &Outcome) {
        let seen = self.seen().await;
        let code = code_of(outcome).to_owned();
        if std::mem::take(&mut self.unscanned) {
            assert_eq!(code, ReasonCode::MovedUnscanned.as_str(), "{:#?}", self.log);
        }
        let held = |state: fn(&PickingState) -> bool| -> Decimal {
            let pickings = seen.pickings.iter().filter(|p| state(&p.state));
            let lines = pickings.flat_map(|picking| &picking.lines);
            let ours = lines.filter(|line| line.is_of(job.key));
            ours.map(|line| line.quantity).sum()
        };
        let fixed = job.fixed.as_ref().unwrap();
        match (&job.task, outcome) {
            (Task::Lines { lines, .. }, Outcome::Posted { .. }) => {
                let scanned: Decimal = lines.iter().map(|line| line.quantity).sum();
                let held = held(|state| *state != PickingState::Cancelled);
                assert_eq!(held, scanned, "{:#?}", self.log);
            }
            (Task::Lines { .. }, Outcome::Refused { .. }) => {
                let changed = [ReasonCode::OrderChanged, ReasonCode::MovedUnscanned];
                let changed = changed.map(ReasonCode::as_str);
                let moved = held(|state| *state == PickingState::Done);
                let is_none = moved.is_zero() || changed.contains(&code.as_str());
                assert!(is_none, "{code} {moved} {:#?}", self.log);
            }
            (Task::Lines { .. }, Outcome::Claimed { lines, .. }) => {
                for line in lines {
                    assert!(self.claimed.insert(*line), "{:#?}", self.log);
                }
            }
            (Task::Validate, Outcome::Posted { odoo, .. }) => {
                let meant = fixed.picking.unwrap_or(odoo.id);
                let mut pickings = seen.pickings.iter();
                let picking = pickings.find(|p| p.id == odoo.id).unwrap();
                let is_meant = odoo.id == meant;
                assert!(
                    picking.state == PickingState::Done && is_meant,
                    "{:#?}",
                    self.log
                );
            }
            (Task::PackAll { package }, Outcome::Posted { .. }) => {
                for line in seen.pickings.iter().flat_map(|p| &p.lines) {
                    let is_packed = line.result_package == Some(*package);
                    let is_meant = fixed.pack.contains(&line.id);
                    assert!(!is_meant || is_packed, "{:#?}", self.log);
                }
            }
            _ => {}
        }
    }
}

async fn trial(site: &mut Site, seed: u64) -> Vec<String> {
    let mut chance = Chance(seed);
    let products = [site.product("A", 20).await, site.product("B", 20).await];
    let demand = [2 + chance.below(4), 1 + chance.below(3)];
    let wanted: Vec<(i64, u32)> = (products.iter().zip(demand))
        .map(|(product, demand)| (*product, u32::try_from(demand).unwrap()))
        .collect();
    let order = site.sale(&wanted).await;
    let other = site.sale(&[(products[0], 1)]).await;
    let body = json!({"domain": [["name", "=", other]]});
    let other = site.ask("stock.picking", "search", body).await[0]
        .as_i64()
        .unwrap();
    let package = site
        .made("stock.package", json!({"name": format!("BOX-{seed}")}))
        .await;
    let package = PackageId::new(package);
    let under = [Under::Backorder, Under::NoBackorder];
    let rules = config::Orders {
        pick_over: Over::Allow,
        pick_under: under[chance.below(2)],
        validate_complete: chance.happens(50),
        ..config::Orders::default()
    };
    let mut jobs = Vec::new();
    for number in 0..3 {
        let product = chance.below(2);
        let mut line = line(products[product], 0);
        line.quantity = (1 + chance.below(demand[product])).into();
        line.from = chance.happens(60).then(|| site.bins[chance.below(2)]);
        jobs.push((number, pick(vec![line])));
        if chance.happens(25) {
            jobs.push((number + 10, job(Task::PackAll { package })));
        }
        if chance.happens(40) {
            jobs.push((number + 20, job(Task::Validate)));
        }
    }
    jobs.push((30, job(Task::Validate)));
    let mut trial = Trial {
        site,
        chance,
        order,
        other: PickingId::new(other),
        rules,
        picked: BTreeSet::new(),
        claimed: BTreeSet::new(),
        done: BTreeSet::new(),
        unscanned: false,
        log: vec![format!("seed {seed}")],
    };
    let mut codes = Vec::new();
    for (number, job) in jobs {
        let mut key = [number; 16];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        let job = OrderJob {
            key: DocumentKey(key),
            order: trial.order.clone(),
            ..job
        };
        let (job, outcome) = trial.run(job).await;
        trial.check(&job, &outcome).await;
        codes.push(code_of(&outcome).to_owned());
    }
    codes
}

#[tokio::test]
async fn whatever_people_do_meanwhile_each_scan_is_in_odoo_once_or_parked() {
    let mut site = Site::open().await;
    let first = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let trials = std::env::var("TRIALS")
        .ok()
        .and_then(|count| count.parse().ok());
    let mut codes = BTreeMap::<String, u32>::new();
    for seed in first.unwrap_or(1)..first.unwrap_or(1) + trials.unwrap_or(TRIALS) {
        for code in trial(&mut site, seed).await {
            *codes.entry(code).or_default() += 1;
        }
    }
    println!("documents by outcome: {codes:?}");
    assert!(codes.contains_key("posted"), "{codes:?}");
}
