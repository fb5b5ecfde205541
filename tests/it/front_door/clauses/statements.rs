//! Every normative statement has a row, or a reason why it has none.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::{Level, rows};

/// The statements that have no row: `4[MQTT-...] REASON`. `test NAME` names the test that shows the
/// statement instead.
const WITHOUT: &str = include_str!("statements.txt");

/// The statements of MQTT 3.1.1 (appendix B), by section.
const V4: &[(&str, RangeInclusive<u32>)] = &[
    ("1.5.3", 1..=3),
    ("2.2.2", 1..=2),
    ("2.3.1", 1..=7),
    ("3.1.0", 1..=2),
    ("3.1.2", 1..=24),
    ("3.1.3", 1..=11),
    ("3.1.4", 1..=5),
    ("3.2.0", 1..=1),
    ("3.2.2", 1..=6),
    ("3.3.1", 1..=12),
    ("3.3.2", 1..=3),
    ("3.3.4", 1..=1),
    ("3.3.5", 1..=2),
    ("3.6.1", 1..=1),
    ("3.8.1", 1..=1),
    ("3.8.3", 1..=4),
    ("3.8.4", 1..=6),
    ("3.9.3", 1..=2),
    ("3.10.1", 1..=1),
    ("3.10.3", 1..=2),
    ("3.10.4", 1..=6),
    ("3.12.4", 1..=1),
    ("3.14.1", 1..=1),
    ("3.14.4", 1..=3),
    ("4.1.0", 1..=2),
    ("4.3.1", 1..=1),
    ("4.3.2", 1..=2),
    ("4.3.3", 1..=2),
    ("4.4.0", 1..=1),
    ("4.5.0", 1..=2),
    ("4.6.0", 1..=6),
    ("4.7.1", 1..=3),
    ("4.7.2", 1..=1),
    ("4.7.3", 1..=4),
    ("4.8.0", 1..=2),
    ("6.0.0", 1..=4),
    ("7.0.0", 1..=2),
    ("7.1.1", 1..=1),
    ("7.1.2", 1..=1),
];

/// The statements of MQTT 5 (appendix B), by section.
const V5: &[(&str, RangeInclusive<u32>)] = &[
    ("1.5.4", 1..=3),
    ("1.5.5", 1..=1),
    ("1.5.7", 1..=1),
    ("2.1.3", 1..=1),
    ("2.2.1", 2..=6),
    ("2.2.2", 1..=1),
    ("3.1.0", 1..=2),
    ("3.1.2", 1..=30),
    ("3.1.3", 1..=12),
    ("3.1.4", 1..=6),
    ("3.2.0", 1..=2),
    ("3.2.2", 1..=22),
    ("3.3.1", 1..=13),
    ("3.3.2", 1..=20),
    ("3.3.4", 1..=10),
    ("3.4.2", 1..=3),
    ("3.5.2", 1..=3),
    ("3.6.1", 1..=1),
    ("3.6.2", 1..=3),
    ("3.7.2", 1..=3),
    ("3.8.1", 1..=1),
    ("3.8.3", 1..=5),
    ("3.8.4", 1..=8),
    ("3.9.2", 1..=2),
    ("3.9.3", 1..=2),
    ("3.10.1", 1..=1),
    ("3.10.3", 1..=2),
    ("3.10.4", 1..=6),
    ("3.11.2", 1..=2),
    ("3.11.3", 1..=2),
    ("3.12.4", 1..=1),
    ("3.14.0", 1..=1),
    ("3.14.1", 1..=1),
    ("3.14.2", 1..=4),
    ("3.14.4", 1..=3),
    ("3.15.1", 1..=1),
    ("3.15.2", 1..=3),
    ("4.1.0", 1..=2),
    ("4.2.0", 1..=1),
    ("4.3.1", 1..=1),
    ("4.3.2", 1..=5),
    ("4.3.3", 1..=13),
    ("4.4.0", 1..=2),
    ("4.5.0", 1..=2),
    ("4.6.0", 1..=6),
    ("4.7.0", 1..=1),
    ("4.7.1", 1..=2),
    ("4.7.2", 1..=1),
    ("4.7.3", 1..=4),
    ("4.8.2", 1..=6),
    ("4.9.0", 1..=3),
    ("4.12.0", 1..=7),
    ("4.12.1", 1..=2),
    ("4.13.1", 1..=1),
    ("4.13.2", 1..=1),
    ("6.0.0", 1..=4),
];

fn all() -> BTreeSet<(Level, String)> {
    let of = |level, sections: &[(&str, RangeInclusive<u32>)]| {
        let mut all = Vec::new();
        for (section, numbers) in sections {
            all.extend(
                numbers
                    .clone()
                    .map(|n| (level, format!("MQTT-{section}-{n}"))),
            );
        }
        all
    };
    let mut all: BTreeSet<_> = of(Level::V4, V4).into_iter().collect();
    all.extend(of(Level::V5, V5));
    all
}

/// Each statement without a row, with the reason.
fn without() -> Vec<(Level, String, &'static str)> {
    let lines = WITHOUT.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (statement, reason) = line.split_once("] ").expect("a statement and a reason");
            let (digit, statement) = statement.split_once('[').expect("a level and a statement");
            let level = match digit {
                "4" => Level::V4,
                "5" => Level::V5,
                _ => panic!("not a level: {line}"),
            };
            (level, statement.to_owned(), reason)
        })
        .collect()
}

#[test]
fn every_statement_has_a_row_or_a_reason_why_not() {
    let mut rest = all();
    let mut with_row = BTreeSet::new();
    for row in rows() {
        for (level, statement) in row.statements {
            let key = (level, statement.to_owned());
            assert!(all().contains(&key), "no such statement: {key:?}");
            rest.remove(&key);
            with_row.insert(key);
        }
    }
    for (level, statement, reason) in without() {
        let key = (level, statement);
        assert!(!with_row.contains(&key), "it has a row: {key:?}");
        assert!(rest.remove(&key), "no such statement, or twice: {key:?}");
        assert!(!reason.is_empty(), "{key:?} has no reason");
    }
    assert!(rest.is_empty(), "neither row nor reason: {rest:?}");
}

#[test]
fn the_tests_that_stand_for_rows_are_there() {
    let tests = [
        include_str!("../sessions.rs"),
        include_str!("../promise.rs"),
        include_str!("../access.rs"),
    ];
    for (level, statement, reason) in without() {
        if let Some(name) = reason.strip_prefix("test ") {
            let function = format!("fn {name}(");
            let is_there = tests.iter().any(|text| text.contains(&function));
            assert!(is_there, "{level:?} {statement}: no test is named {name}");
        }
    }
}
