//! Many gateways at one broker: a good bundle, a bad one that is stopped, and a broker that
//! restarts. `STOCKRELAY_GATEWAYS` is their number; with 10,000 this is the measurement of
//! docs/performance.md.
//!
//! Each gateway is a task of this process that runs the path's own code (`gateway`), with a TCP
//! connection of its own to a real mosquitto and a folder of its own. `fleet push`, `fleet watch`
//! and `fleet status` are the real commands.

mod fleet;
mod gateway;
mod measure;

use std::time::Duration;

use stockrelay::clock;

use fleet::{Fleet, per_gateway};
use gateway::WRONG;
use measure::Used;

const GOOD: u64 = 42;
const BAD: u64 = 43;
/// How long a ring waits for the one before, in seconds.
const WAIT_S: u64 = 15;
/// How long the broker is away: a restart, and an outage.
const AWAY: [Duration; 2] = [Duration::ZERO, Duration::from_secs(5)];
/// A connection that lasted for this time was a good one, whose loss is spread.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

#[test]
#[ignore = "needs mosquitto; 10,000 gateways take minutes: STOCKRELAY_GATEWAYS=10000 cargo test --test it -- --ignored ten_thousand --nocapture"]
fn ten_thousand_gateways_confirm_a_good_bundle_and_stop_a_bad_one() {
    let number = std::env::var("STOCKRELAY_GATEWAYS");
    let number = number.map_or(60, |number| number.parse().unwrap());
    // Each blocking thread has a part of the heap of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut fleet = Fleet::start(number).await;
        measure_idle(&fleet).await;
        let reached_s = good(&fleet).await;
        status(&fleet).await;
        bad(&fleet, reached_s).await;
        for away in AWAY {
            tokio::time::sleep(GOOD_CONNECTION).await;
            reconnect(&mut fleet, away).await;
        }
    });
}

/// What the gateways use while nothing happens.
async fn measure_idle(fleet: &Fleet) {
    let lasted = Duration::from_secs(if fleet.gateways.len() < 1_000 { 2 } else { 20 });
    let (before, broker) = (Used::own(), fleet.broker());
    tokio::time::sleep(lasted).await;
    let used = Used::own().processor - before.processor;
    let of_broker = fleet.broker().processor - broker.processor;
    let per_second = used / lasted.as_secs_f64();
    println!(
        "| while nothing happens | {:.0} µs of processor time per gateway and second; the broker {:.0} ms per second |",
        per_gateway(fleet, per_second * 1e6),
        of_broker / lasted.as_secs_f64() * 1e3
    );
}

/// Returns how long it took until all had the bundle, in seconds.
async fn good(fleet: &Fleet) -> u64 {
    let wait_s = WAIT_S + fleet.gateways.len() as u64 / 200;
    let counted = fleet.counter.read().await;
    let (before, broker) = (Used::own(), fleet.broker());
    let rollout = fleet.push(GOOD, "right", wait_s).await;
    let watch = fleet.watch(GOOD);
    let began = rollout.began;
    let reached = fleet.until("all have the bundle", |gateway| {
        let status = gateway.status.borrow();
        status.highest.is_some_and(|id| id.serial == GOOD)
    });
    reached.await;
    let reached_s = began.elapsed().as_secs();
    println!(
        "| good bundle of {} bytes: all have verified and stored it | {:.1} s |",
        rollout.bytes,
        began.elapsed().as_secs_f64()
    );
    let confirmed = |gateway: &gateway::Gateway| {
        let status = gateway.status.borrow();
        status
            .confirmed
            .as_ref()
            .is_some_and(|bundle| bundle.id.serial == GOOD)
    };
    for ring in 0..rollout.manifest.rings.len() {
        let members = rollout.ring(fleet, ring);
        fleet
            .until_each("the ring has confirmed", &members, confirmed)
            .await;
        println!(
            "| ring {}, {} gateways: all have confirmed | {:.1} s after it was due |",
            ring + 1,
            members.len(),
            rollout.since_due(ring)
        );
    }
    let lasted = began.elapsed().as_secs_f64();
    let watched = watch.end().await;
    assert_eq!(watched.code, 0, "{}", watched.text);
    println!(
        "| all have confirmed | {lasted:.1} s after the push, of which the rings wait {} s |",
        rollout.wait_s * 2
    );
    let used = Used::own().processor - before.processor;
    println!(
        "| processor time of the rollout | {:.1} ms per gateway; the broker {:.1} s |",
        per_gateway(fleet, used * 1e3),
        fleet.broker().processor - broker.processor
    );
    println!(
        "| `fleet watch` | {:.1} s of processor time in {:.0} s, {:.0} MiB |",
        watched.used.processor,
        watched.lasted.as_secs_f64(),
        watched.used.peak
    );
    println!(
        "| through the broker | {} |",
        fleet.counter.read().await.since(counted)
    );
    println!(
        "| memory | {:.0} KiB per gateway; the broker at most {:.0} MiB |",
        per_gateway(fleet, Used::own().resident * 1_024.0),
        fleet.broker().peak
    );
    for gateway in &fleet.gateways {
        assert!(gateway.has_applied(GOOD), "{}", gateway.site);
    }
    reached_s
}

/// The commands that read all reports.
async fn status(fleet: &Fleet) {
    for arguments in [&["fleet", "status"][..], &["fleet", "status", "--json"]] {
        let ended = fleet.run(arguments).end().await;
        assert_eq!(ended.code, 0, "{}", ended.text);
        let sites = ended.text.lines().filter(|line| line.contains("confirmed"));
        assert_eq!(sites.count(), fleet.gateways.len());
        println!(
            "| `stockrelay {}` | {:.1} s, {:.1} s of processor time, {:.0} MiB |",
            arguments.join(" "),
            ended.lasted.as_secs_f64(),
            ended.used.processor,
            ended.used.peak
        );
    }
}

/// `reached_s`: how long a bundle takes to all gateways. Here they share two cores.
async fn bad(fleet: &Fleet, reached_s: u64) {
    // The first ring must be watched, and the stop published, before the second one is due.
    let wait_s = WAIT_S + 2 * reached_s;
    let rollout = fleet.push(BAD, WRONG, wait_s).await;
    let watch = fleet.watch(BAD);
    let first = rollout.ring(fleet, 0);
    let (failed, watched) = tokio::join!(
        fleet.until_any("the first one has applied it", &first, |gateway| gateway
            .has_applied(BAD)),
        watch.end()
    );
    assert_eq!(watched.code, 1, "{}", watched.text);
    assert!(
        watched.text.contains("is stopped (count "),
        "{}",
        watched.text
    );
    println!(
        "| bad bundle: the stop is published | {:.1} s after the first gateway applied it |",
        failed.elapsed().as_secs_f64()
    );
    let published = clock::instant();
    let has_stop = |gateway: &gateway::Gateway| {
        gateway
            .status
            .borrow()
            .stop
            .as_ref()
            .is_some_and(|stop| stop.serial == BAD)
    };
    fleet.until("all have the stop", has_stop).await;
    println!(
        "| the stop is stored on every gateway | {:.1} s later |",
        published.elapsed().as_secs_f64()
    );
    let due = rollout.manifest.rings.len() - 1;
    while rollout.since_due(due) < 15.0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let applied: Vec<_> = fleet
        .gateways
        .iter()
        .filter(|gateway| gateway.has_applied(BAD))
        .collect();
    println!(
        "| gateways that applied it, 15 s after the last ring was due | {} of {}; the first ring has {} |",
        applied.len(),
        fleet.gateways.len(),
        first.len()
    );
    assert!(!applied.is_empty() && applied.len() <= first.len());
    for gateway in &fleet.gateways {
        let status = gateway.status.borrow();
        let confirmed = status.confirmed.as_ref().map(|bundle| bundle.id.serial);
        assert_eq!(confirmed, Some(GOOD), "{}", gateway.site);
        if gateway.has_applied(BAD) {
            assert_eq!(rollout.ring_of(gateway), 0, "{}", gateway.site);
            let last = status.last.as_ref().unwrap();
            assert_eq!(last.id.serial, BAD, "{}", gateway.site);
            assert!(last.reason.contains("does not exist"), "{}", last.reason);
        } else {
            let pending = status.pending.as_ref().unwrap();
            let reason = pending.reason.as_deref().unwrap_or_default();
            assert!(
                reason.contains("stopped the rollout of bundle 43"),
                "{reason}"
            );
        }
    }
}

async fn reconnect(fleet: &mut Fleet, away: Duration) {
    for gateway in &fleet.gateways {
        gateway.deeds.attempts.lock().unwrap().clear();
    }
    fleet.mosquitto.stop();
    tokio::time::sleep(away).await;
    let began = clock::instant();
    fleet.mosquitto.restart().await;
    fleet
        .until("all are connected again", |gateway| {
            let has_tried = !gateway.deeds.attempts.lock().unwrap().is_empty();
            has_tried && gateway.is_connected()
        })
        .await;
    let lasted = began.elapsed().as_secs_f64();
    println!(
        "| the broker was away for {} s: all are connected again | {lasted:.1} s after its start |",
        away.as_secs()
    );
    // The last attempt of each gateway is the one that succeeded.
    let mut attempts = 0;
    let mut connected: Vec<f64> = (fleet.gateways.iter())
        .map(|gateway| {
            let of_one = gateway.deeds.attempts.lock().unwrap();
            attempts += of_one.len();
            of_one
                .last()
                .unwrap()
                .saturating_duration_since(began)
                .as_secs_f64()
        })
        .collect();
    connected.sort_by(f64::total_cmp);
    let peak = peak_per_second(&connected);
    let spread = connected.last().unwrap() - connected.first().unwrap();
    println!(
        "| attempts for that | {:.1} per gateway; at most {peak} that succeed within a second, over {spread:.1} s |",
        per_gateway(fleet, f64::from(u32::try_from(attempts).unwrap()))
    );
    println!(
        "| memory of the broker after that | at most {:.0} MiB |",
        fleet.broker().peak
    );
    assert!(spread > 1.0, "all connect at once: {spread} s");
    assert!(peak < connected.len(), "all connect within a second");
}

/// The most times within any second. `times` are sorted.
fn peak_per_second(times: &[f64]) -> usize {
    let within = |(index, from): (usize, &f64)| {
        times[index..]
            .iter()
            .take_while(|time| **time < from + 1.0)
            .count()
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}
