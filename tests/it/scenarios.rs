//! What must come out of which readings and faults, and how Odoo behaves: the same on the stand-in
//! and on a real Odoo.
//!
//! `tests/scenarios/*.toml` hold the scenarios; `script` says how they are written, `runner` plays
//! them.

mod ear;
mod protocol;
mod runner;
pub mod script;
mod settle;
pub mod target;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use script::{Script, Step};
use stockrelay::demo;
use stockrelay::demo::odoo::Version;
use stockrelay::reason::{JudgedBy, ReasonCode, RejectionCode, Stage};
use target::Target;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// A test a file on the stand-in as Odoo 19, 18 and 17, and on a real Odoo 19. What cannot exist in
/// an older version says why.
macro_rules! scenarios {
    ($($name:ident $(before_19 $no_18:literal)? $(before_18 $no_17:literal)?),* $(,)?) => {
        const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            not_before_19: reason(&[$($no_18)?]),
            not_before_18: reason(&[$($no_17)?]),
        }),*];
        mod stand_in {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::on_stand_in(super::Version::V19, stringify!($name)).await;
            })*
        }
        mod stand_in_18 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[ignore = $no_18])?
            async fn $name() {
                super::on_stand_in(super::Version::V18, stringify!($name)).await;
            })*
        }
        mod stand_in_17 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[ignore = $no_18])?
            $(#[ignore = $no_17])?
            async fn $name() {
                super::on_stand_in(super::Version::V17, stringify!($name)).await;
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

/// A file of [`DIRECTORY`], and why it cannot exist in a version.
struct Scenario {
    name: &'static str,
    not_before_19: Option<&'static str>,
    not_before_18: Option<&'static str>,
}

impl Scenario {
    /// Why it does not run on this version.
    fn skipped(&self, version: Version) -> Option<&'static str> {
        match version {
            Version::V19 => None,
            Version::V18 => self.not_before_19,
            Version::V17 => self.not_before_19.or(self.not_before_18),
        }
    }
}

const fn reason(given: &[&'static str]) -> Option<&'static str> {
    match given {
        [reason, ..] => Some(*reason),
        [] => None,
    }
}

async fn on_stand_in(version: Version, name: &str) {
    runner::play(name, Target::small_stand_in(version).await).await;
}

scenarios!(
    already_posted,
    ambiguous_location,
    ambiguous_package,
    ambiguous_partner,
    ambiguous_product,
    another_company,
    answer_lost_after_load,
    answer_lost_after_true_time,
    answer_lost_after_validate,
    barcode_moved_after_the_scan,
    barcode_moved_before_the_scan,
    barcodes_moved_after_the_scan,
    batch_with_one_bad_document,
    bin_moved_after_the_scan,
    bin_required,
    busy_proxy,
    cancelled_in_odoo,
    clock_ahead,
    clock_far_ahead,
    clock_in_doubt,
    clock_in_doubt_count,
    clock_in_doubt_movement,
    clock_in_doubt_still_ahead,
    clock_shown_by_a_message,
    clock_shown_by_a_state,
    closed_books,
    completed_after_a_persons_pick,
    completed_by_an_older_scan,
    could_not_serialize,
    could_not_serialize_in_german,
    count_after_a_discarded_movement_that_somebody_posted,
    count_after_a_movement_without_a_clock,
    count_after_a_pick_by_another_code,
    count_after_an_undo_that_arrives_later,
    count_after_movements,
    count_allowed_of_two,
    count_answer_lost_after_load,
    count_answer_lost_after_true_time,
    count_answer_lost_after_validate,
    count_between_an_event_and_its_undo,
    count_between_two_picks_of_one_order,
    count_between_two_scans_of_one_line,
    count_between_two_scans_of_one_message,
    count_between_what_a_device_did_offline,
    count_corrected_answer_lost_after_load,
    count_corrected_answer_lost_after_validate,
    count_in_a_closed_period,
    count_in_doubt_is_not_superseded,
    count_late,
    count_less,
    count_more,
    count_of_a_bin_and_its_bin_first,
    count_of_a_bin_and_its_package_first,
    count_of_a_lot,
    count_of_another_lot,
    count_of_cases_and_pieces_at_one_time,
    count_over_an_open_pick,
    count_retried_after_newer_counts,
    count_right,
    count_then_an_older_count,
    count_then_an_older_movement,
    count_then_an_older_movement_with_restarts,
    count_then_an_older_pick_that_somebody_posted,
    count_then_an_older_pick_that_somebody_validates,
    count_then_an_older_pick_without_a_bin,
    count_twice_at_one_time,
    count_undone_and_the_one_before_it_holds,
    count_undone_with_what_corrected_it,
    count_without_a_clock_where_goods_moved,
    count_without_a_clock_where_nothing_moved,
    decimal_quantity,
    discard_begun_answer_lost,
    discard_lines_answer_lost,
    discard_over_picked,
    documents_per_device,
    duplicates,
    edit_all_faults_at_once,
    edit_bin,
    edit_lot,
    edit_order,
    edit_product,
    edit_quantity,
    equal_lines_sum,
    equal_without_id,
    faults_put_right_but_the_first,
    faults_put_right_in_part,
    late_lines_of_a_discarded_pick,
    late_lines_of_an_undone_pick,
    late_transfer_is_cancelled,
    late_transfer_posted_by_somebody,
    late_validation_of_a_discarded_order,
    line_limit_seals,
    lines_changed_by_somebody,
    lines_removed_before_the_guard,
    lines_removed_while_a_lost_call_may_validate,
    lines_removed_while_completing,
    lines_removed_while_validating,
    lines_unpicked_while_validating,
    lot_known_and_lot_missing,
    lot_required,
    negative_stock,
    negative_stock_allowed,
    negative_stock_flagged,
    negative_stock_refused,
    not_validated,
    not_validated_transfer,
    not_withdrawn,
    odoo_down,
    order_all_faults_at_once,
    order_cancelled_after_the_lines,
    order_cancelled_by_somebody,
    order_changed_by_somebody,
    order_done_by_somebody,
    order_done_by_somebody_alike,
    order_done_by_somebody_for_one_of_two,
    order_in_cases,
    order_unlinked_by_somebody,
    origin_of_many_pickings,
    owner_ambiguous,
    owner_unknown,
    pack_an_order,
    pack_an_order_answer_lost,
    pack_an_order_answer_lost_after_package,
    pack_answer_lost_after_load,
    pack_answer_lost_after_package,
    pack_answer_lost_after_true_time,
    pack_answer_lost_after_validate,
    pack_into_a_known_package,
    pack_into_a_new_package,
    pack_lines_that_somebody_removed,
    pack_twice_restart,
    pack_while_somebody_validates,
    package_heals_when_it_is_known,
    package_required,
    packaging_in_a_foreign_unit before_19 "a packaging has no unit: it says how many of the product's own unit it holds",
    parked_holds_back_its_order,
    pick_a_case,
    pick_another_lot,
    pick_answer_lost_after_lines,
    pick_answer_lost_after_true_time,
    pick_answer_lost_after_validate,
    pick_bins_of_two_steps,
    pick_by_hand_reserved,
    pick_by_hand_reserved_of_too_little,
    pick_by_sales_order,
    pick_by_sales_order_backorder_first,
    pick_by_sales_order_in_steps,
    pick_by_two_devices,
    pick_could_not_serialize_in_german,
    pick_forbidden,
    pick_from_another_bin,
    pick_full,
    pick_heals_when_the_lot_is_known,
    pick_internal,
    pick_of_an_unknown_order,
    pick_over_allowed,
    pick_over_asks,
    pick_over_refused,
    pick_pack_ship,
    pick_under_always_a_backorder,
    pick_under_always_although_none_is_wanted,
    pick_under_asks,
    pick_under_backorder,
    pick_under_never_a_backorder,
    pick_under_never_although_one_is_wanted,
    pick_under_no_backorder,
    pick_under_refused,
    pick_what_was_not_ordered,
    picks_without_a_bin_one_after_the_other,
    pieces_of_a_dozen before_19 "a packaging holds a quantity of the product's own unit with two decimals: a piece of a dozen is none",
    pieces_of_a_dozen_on_orders before_19 "a packaging holds a quantity of the product's own unit with two decimals: a piece of a dozen is none",
    put_away_before_its_receipt_is_sealed,
    put_away_of_a_parked_receipt,
    put_away_waits_for_its_receipt,
    quantity_precision,
    quantity_precision_strict,
    receipt_done_by_somebody_elsewhere,
    receipts_of_a_parked_document,
    receive_a_case,
    receive_answer_lost_after_lines,
    receive_answer_lost_after_true_time,
    receive_answer_lost_after_validate,
    receive_best_before,
    receive_best_before_answer_lost,
    receive_blind,
    receive_blind_answer_lost_after_load,
    receive_blind_answer_lost_after_true_time,
    receive_blind_answer_lost_after_validate,
    receive_blind_refused,
    receive_by_receipt,
    receive_expired,
    receive_expiry_with_an_offset,
    receive_full,
    receive_in_parts,
    receive_in_two_steps,
    receive_into_a_package,
    receive_new_lot_with_expiry,
    receive_new_lot_with_lots_off,
    receive_new_lot_with_lots_off_blind,
    receive_over_allowed,
    receive_over_asks,
    receive_over_asks_and_is_allowed,
    receive_over_refused,
    receive_serials,
    receive_under_as_odoo,
    receive_under_asks,
    receive_under_asks_no_backorder,
    receive_under_refused,
    recount_retried,
    rejected_and_scans,
    rejected_and_sent_again_right,
    rejected_needs_a_person,
    request_cut_on_its_way,
    restart_while_odoo_is_down,
    restart_while_the_outcome_is_unknown,
    retry_all,
    return_a_case,
    return_all_faults_at_once,
    return_answer_lost_after_link,
    return_answer_lost_after_load,
    return_answer_lost_after_true_time,
    return_answer_lost_after_validate,
    return_blind,
    return_blind_answer_lost_after_load,
    return_blind_answer_lost_after_true_time,
    return_blind_answer_lost_after_validate,
    return_blind_refused,
    return_not_delivered,
    return_of_an_order,
    return_over,
    scrap,
    scrap_answer_lost_after_load,
    scrap_answer_lost_after_true_time,
    scrap_answer_lost_after_validate,
    serial_answer_lost,
    serial_being_received,
    serial_comes_back,
    serial_of_another_order,
    serial_quantity,
    serial_received_again,
    serial_twice_lenient,
    serial_twice_strict,
    serials_all_faults_at_once,
    ship_after_the_goods,
    ship_answer_lost,
    ship_before_the_goods,
    ship_before_the_goods_answer_lost,
    slow_answers,
    stock_all_faults_at_once,
    strict_quantities,
    strict_right_after_posting,
    taken_out_of_the_only_package,
    told_what_is_wrong,
    told_what_was_scanned,
    transfer_a_case,
    transfer_forbidden,
    transfer_forbidden_and_discarded,
    transfer_forbidden_to_write,
    transfer_of_what_came_beside_a_package,
    transfer_out_of_one_of_two_packages,
    transfer_out_of_the_only_package,
    true_time,
    true_time_refused_by_odoo before_19 "Odoo takes a date in a closed period",
    undo_a_blind_receipt,
    undo_a_blind_return,
    undo_a_count,
    undo_a_count_after_a_count,
    undo_a_count_that_was_right,
    undo_a_pack,
    undo_a_pack_for_an_order,
    undo_a_pick,
    undo_a_pick_answer_lost,
    undo_a_pick_of_two_bins,
    undo_a_pick_taken_off_by_somebody,
    undo_a_pick_that_is_parked,
    undo_a_pick_that_somebody_did,
    undo_a_pick_that_went_out,
    undo_a_pick_that_went_out_answer_lost_after_link,
    undo_a_pick_that_went_out_answer_lost_after_load,
    undo_a_pick_that_went_out_answer_lost_after_true_time,
    undo_a_pick_that_went_out_answer_lost_after_validate,
    undo_a_pick_while_somebody_validates,
    undo_a_receipt,
    undo_a_receipt_that_is_done,
    undo_a_return_of_an_order,
    undo_a_scrap,
    undo_a_transfer,
    undo_all_picks,
    undo_all_that_is_parked,
    undo_answer_lost_after_load,
    undo_answer_lost_after_true_time,
    undo_answer_lost_after_validate,
    undo_by_an_origin_that_many_share,
    undo_counted_since,
    undo_discarded_and_posted,
    undo_each,
    undo_each_pick_that_went_out,
    undo_each_receipt_that_is_done,
    undo_is_counted_strictly,
    undo_negative_stock,
    undo_of_a_lot,
    undo_of_a_parked_event_after_a_count,
    undo_of_a_validation,
    undo_of_nothing,
    undo_twice,
    undo_what_is_corrected,
    undo_what_is_parked,
    undo_what_odoo_does_not_let_go,
    undo_what_was_discarded,
    undo_while_a_clock_is_in_doubt,
    undo_while_odoo_is_down,
    unknown_outcome,
    unknown_product_heals,
    validate_already_done,
    validate_answer_lost,
    validate_by_somebody_answer_unknown,
    validate_complete_by_hand,
    validate_nothing_picked,
    validate_the_backorder_request_lost,
    validate_the_backorder_restart,
    validate_with_backorder_answer_lost_after_lines,
    validate_with_backorder_answer_lost_after_true_time,
    validate_with_backorder_answer_lost_after_validate,
    validated_again_after_a_later_pick,
    validated_by_an_older_event,
);

#[test]
fn every_scenario_is_played() {
    let files = std::fs::read_dir(Path::new(DIRECTORY)).unwrap();
    let found: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let played = SCENARIOS.iter().map(|scenario| scenario.name.to_owned());
    let played: BTreeSet<String> = played.collect();
    assert_eq!(found, played);
}

/// Lists which scenario runs on which version, and why not:
/// `cargo test --test it scenario_table -- --nocapture`
/// prints it.
#[test]
fn scenario_table() {
    const VERSIONS: [Version; 3] = [Version::V17, Version::V18, Version::V19];
    let mut runs = [0; 3];
    println!("{:<60} 17  18  19", "scenario");
    for scenario in SCENARIOS {
        let skipped = VERSIONS.map(|version| scenario.skipped(version));
        for (runs, skipped) in runs.iter_mut().zip(skipped) {
            *runs += usize::from(skipped.is_none());
        }
        let [v17, v18, v19] = skipped.map(|skipped| if skipped.is_none() { "yes" } else { "-" });
        let why = skipped.iter().flatten().next().unwrap_or(&"");
        println!("{:<60} {v17:<3} {v18:<3} {v19:<3} {why}", scenario.name);
    }
    let [v17, v18, v19] = runs;
    println!("{:<60} {v17:<3} {v18:<3} {v19:<3}", "run");
    assert_eq!(v19, SCENARIOS.len());
    // A reason that holds for both versions is said once.
    let twice =
        |scenario: &&Scenario| scenario.not_before_19.is_some() && scenario.not_before_18.is_some();
    assert_eq!(SCENARIOS.iter().filter(twice).count(), 0);
}

/// Codes that no scenario can bring about, and why.
const NOT_FROM_OUTSIDE: [&str; 1] = [
    // This version posts every type that it keeps: only a journal of an older one has it.
    // `real_odoo::older` makes such a one.
    ReasonCode::UnsupportedType.as_str(),
];

/// The codes that a scenario holds something to.
fn expected(script: &Script) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut held_back = script.expect.ledger.held_back;
    codes.extend(script.expect.reasons.iter().cloned());
    codes.extend(script.expect.rejections.iter().cloned());
    for step in &script.step {
        match step {
            Step::Reasons(reasons) => codes.extend(reasons.iter().cloned()),
            Step::Parked(parked) => codes.extend(parked.code.clone()),
            Step::Wait(ledger) => held_back = held_back.max(ledger.held_back),
            _ => {}
        }
    }
    if held_back > Some(0) {
        codes.insert(ReasonCode::HeldBack.as_str().to_owned());
    }
    codes
}

#[test]
fn every_reason_code_comes_about_in_a_scenario() {
    let mut seen = BTreeSet::new();
    for scenario in SCENARIOS {
        seen.extend(expected(&runner::read(scenario.name)));
    }
    let of_documents = (ReasonCode::ALL.iter())
        .filter(|code| matches!(code.row().stage, Stage::Parked | Stage::Waiting))
        .map(|code| code.as_str());
    let of_checks = (RejectionCode::ALL.iter())
        .filter(|code| code.row().judged_by == JudgedBy::Check)
        .map(|code| code.as_str());
    let missing: Vec<&str> = (of_documents.chain(of_checks))
        .filter(|code| !seen.contains(*code))
        .collect();
    assert_eq!(missing, NOT_FROM_OUTSIDE);
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
        summary.deeds.again > 0 && summary.deeds.unknown > 0 && summary.deeds.right > 0,
        "{summary}"
    );
    assert_eq!(summary.faults(), Vec::<String>::new(), "{summary}");
}
