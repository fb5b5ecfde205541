//! What must come out of which readings and faults, and how Odoo behaves: the same on the stand-in and on a real Odoo.
//!
//! `tests/scenarios/*.toml` hold the scenarios; `script` says how they are written, `runner` plays them.

mod protocol;
mod runner;
mod script;
mod target;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use stockrelay::demo;
use target::Target;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// A test a file, on the stand-in and on a real Odoo.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        mod stand_in {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let target = super::Target::stand_in(super::Duration::ZERO).await;
                super::runner::play(stringify!($name), target).await;
            })*
        }
        mod real {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a real Odoo 19: ODOO_URL, ODOO_DB, ODOO_API_KEY, ODOO_ADMIN_API_KEY"]
            async fn $name() {
                super::runner::play(stringify!($name), super::Target::real()).await;
            })*
        }
    };
}

scenarios!(
    answer_lost_after_load,
    answer_lost_after_true_time,
    answer_lost_after_validate,
    batch_with_one_bad_document,
    busy_proxy,
    could_not_serialize,
    decimal_quantity,
    documents_per_device,
    duplicates,
    equal_lines_sum,
    line_limit_seals,
    lot_known_and_lot_missing,
    negative_stock,
    odoo_down,
    rejected_and_scans,
    request_cut_on_its_way,
    restart_while_odoo_is_down,
    restart_while_the_outcome_is_unknown,
    slow_answers,
    true_time,
    unknown_product_heals,
    unsupported_types_are_kept,
);

#[test]
fn every_scenario_is_played() {
    let files = std::fs::read_dir(Path::new(DIRECTORY)).unwrap();
    let found: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let played: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, played);
}

/// The shortest demonstration that has an outage in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_adds_up() {
    let options = demo::Options {
        headless: true,
        seconds: Some(11),
        rate: 4.0,
        ..demo::Options::default()
    };
    let summary = demo::run(options).await.unwrap();
    assert!(summary.totals.posted.events > 100, "{summary}");
    assert!(
        summary.deeds.again > 0 && summary.deeds.unknown > 0,
        "{summary}"
    );
    assert_eq!(summary.faults(), Vec::<String>::new(), "{summary}");
}
