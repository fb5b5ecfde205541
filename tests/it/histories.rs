//! Whatever the order of arrival, and however events share documents: stock equals the replay in
//! true order.
//!
//! A random small history (moves, picks with and without bin, receipts, scraps, packs, counts,
//! undos, other people's moves) is delivered in many orders and random groupings, each to products
//! of its own. After draining, each bin holds what the replay of the history in true order says,
//! and nothing is parked but counts and undos that only a person can judge.
//!
//! `cargo test` plays a small fixed sample: every order of histories of up to 4 events, and 6
//! random orders of longer ones. The search: `STOCKRELAY_HISTORIES=200 STOCKRELAY_EVENTS_MAX=6
//! cargo test --release --test it histories::stand_in -- --nocapture`; `STOCKRELAY_SEED` begins at
//! another history.

mod gateway;
mod model;

use std::fmt::Write as _;
use std::time::Duration;

use stockrelay::clock;

use self::gateway::{Delivery, Gateway};
use self::model::{History, Random, orders};
use crate::scenarios::target::Target;
use crate::setting::setting;

/// Deliveries that are played at once, each with a product of its own.
const AT_ONCE: usize = 60;

/// What was played.
#[derive(Debug, Default)]
struct Report {
    histories: usize,
    deliveries: usize,
    events: usize,
    parked: usize,
    recounts: usize,
    /// Deliveries whose order waits for a person.
    held_back: usize,
    wrong: String,
}

/// How many orders of arrival of each history are played.
#[derive(Clone, Copy)]
enum Orders {
    /// Every order of histories of up to so many events, and so many random ones of longer
    /// histories.
    All {
        events_max: usize,
        random: usize,
    },
    Random(usize),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stand_in_holds_what_the_replay_says_in_every_order_of_arrival() {
    let histories = setting("STOCKRELAY_HISTORIES", 8);
    let orders = Orders::All {
        events_max: usize::try_from(setting("STOCKRELAY_EVENTS_MAX", 4)).unwrap(),
        random: 6,
    };
    let target = Target::stand_in(Duration::ZERO).await;
    play(&target, histories, orders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo 19: ODOO_URL, ODOO_DB, ODOO_API_KEY, ODOO_ADMIN_API_KEY"]
async fn real_odoo_holds_what_the_replay_says() {
    let histories = setting("STOCKRELAY_HISTORIES", 10);
    play(&Target::real(), histories, Orders::Random(1)).await;
}

async fn play(target: &Target, histories: u64, of: Orders) {
    let begun = clock::instant();
    let first = setting("STOCKRELAY_SEED", 1);
    let mut gateway = Gateway::start(target).await;
    let mut report = Report::default();
    let mut batch: Vec<Delivery> = Vec::new();
    for seed in first..first + histories {
        let mut random = Random::new(seed);
        let history = History::random(&mut random);
        report.histories += 1;
        for order in chosen(&history, of, &mut random) {
            batch.push(Delivery::new(seed, history.clone(), order, &mut random));
            if batch.len() == AT_ONCE {
                gateway.play(target, &mut batch, &mut report).await;
            }
        }
    }
    gateway.play(target, &mut batch, &mut report).await;
    gateway.stop().await;
    let took = clock::instant().duration_since(begun);
    println!(
        "{} histories, {} deliveries of {} events in {} s: {} parked ({:.2} %), {} orders held back by that, {} recounts",
        report.histories,
        report.deliveries,
        report.events,
        took.as_secs(),
        report.parked,
        100.0 * share(report.parked, report.events),
        report.held_back,
        report.recounts
    );
    assert!(report.wrong.is_empty(), "{}", report.wrong);
    assert!(
        report.recounts > 0,
        "no count was ever corrected: nothing was tried"
    );
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn chosen(history: &History, of: Orders, random: &mut Random) -> Vec<Vec<usize>> {
    let some = |random: &mut Random, count: usize| {
        (0..count).map(|_| history.random_order(random)).collect()
    };
    match of {
        Orders::All { events_max, .. } if history.events.len() <= events_max => orders(history),
        Orders::All { random: count, .. } | Orders::Random(count) => some(random, count),
    }
}

impl Report {
    fn note(&mut self, delivery: &Delivery, what: &str) {
        let (seed, order) = (delivery.seed, &delivery.order);
        let _ = write!(
            self.wrong,
            "history {seed} in the order {order:?}: {what}\n{}\n",
            delivery.history
        );
    }
}
