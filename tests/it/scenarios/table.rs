//! Each scenario runs, and each reason code occurs in one.

use super::DIRECTORY;
use super::script::{Script, Step};
use super::{SCENARIOS, runner};
use std::collections::BTreeSet;
use std::path::Path;
use stockrelay::demo;
use stockrelay::demo::odoo::Version;

use stockrelay::reason::{JudgedBy, ReasonCode, RejectionCode, Stage};

/// A file of [`DIRECTORY`], and why it cannot exist in a version.
pub struct Scenario {
    pub name: &'static str,
    pub not_before_19: Option<&'static str>,
    pub not_before_18: Option<&'static str>,
}

impl Scenario {
    /// Why it does not run on this version.
    pub fn skipped(&self, version: Version) -> Option<&'static str> {
        match version {
            Version::V19 => None,
            Version::V18 => self.not_before_19,
            Version::V17 => self.not_before_19.or(self.not_before_18),
        }
    }
}

pub const fn reason(given: &[&'static str]) -> Option<&'static str> {
    match given {
        [reason, ..] => Some(*reason),
        [] => None,
    }
}

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

/// Prints which scenario runs on which version of Odoo, and why not:
/// `cargo test --test it scenario_table -- --nocapture`.
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
    // A reason for both versions is written once.
    let twice =
        |scenario: &&Scenario| scenario.not_before_19.is_some() && scenario.not_before_18.is_some();
    assert_eq!(SCENARIOS.iter().filter(twice).count(), 0);
}

/// Codes that no scenario can bring about, and why.
pub const NOT_FROM_OUTSIDE: [&str; 1] = [
    // This version posts every type that it keeps: only a journal of an older one has it.
    // `real_odoo::older` makes such a one.
    ReasonCode::UnsupportedType.as_str(),
];

/// The codes that a scenario holds something to.
pub fn expected(script: &Script) -> BTreeSet<String> {
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
        codes.insert(ReasonCode::HeldBack.to_string());
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
        summary.lists.again > 0 && summary.lists.unknown > 0 && summary.lists.right > 0,
        "{summary}"
    );
    assert_eq!(summary.faults(), Vec::<String>::new(), "{summary}");
}
