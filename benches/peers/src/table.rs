//! Medians, and the table that is printed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::measure::{Figures, Row};
use crate::programs::Programs;
use crate::system::System;

const HEAD: &str = "\
| system | acknowledged/s | p99, ms | server CPU, s per 100,000 | RSS, MiB | one in flight: p50 / p99, ms | bytes written per event: load / single | syncs per single event |
|---|---|---|---|---|---|---|---|
";

/// A percentile of measured times, in milliseconds.
pub fn percentile_ms(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let index = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Each figure's median over the rounds. `None`: there was no round.
pub fn medians(rounds: &[Figures]) -> Option<Figures> {
    rounds.first()?;
    let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure).collect());
    let syncs: Option<Vec<f64>> = rounds.iter().map(|round| round.single_syncs).collect();
    Some(Figures {
        rate_per_s: of(|round| round.rate_per_s),
        p99_ms: of(|round| round.p99_ms),
        cpu_s: of(|round| round.cpu_s),
        resident_mib: of(|round| round.resident_mib),
        single_p50_ms: of(|round| round.single_p50_ms),
        single_p99_ms: of(|round| round.single_p99_ms),
        load_bytes: of(|round| round.load_bytes),
        single_bytes: of(|round| round.single_bytes),
        single_syncs: syncs.map(median),
    })
}

/// A number with a comma before each three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn whole(number: f64) -> String {
    // Rates and bytes are far below 2^64.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let number = number.round().max(0.0) as u64;
    thousands(number)
}

/// The cells of a row, after its title.
pub fn cells(figures: &Figures) -> [String; 7] {
    let syncs = figures.single_syncs;
    [
        whole(figures.rate_per_s),
        format!("{:.1}", figures.p99_ms),
        format!("{:.2}", figures.cpu_s),
        format!("{:.0}", figures.resident_mib),
        format!(
            "{:.2} / {:.2}",
            figures.single_p50_ms, figures.single_p99_ms
        ),
        format!(
            "{} / {}",
            whole(figures.load_bytes),
            whole(figures.single_bytes)
        ),
        syncs.map_or_else(|| "no strace".to_owned(), |syncs| format!("{syncs:.2}")),
    ]
}

/// The table as Markdown.
pub fn table(rows: &[Row], programs: &Programs) -> String {
    let mut text = HEAD.to_owned();
    for row in rows {
        let mut title = row.system.title(&programs.version(row.system));
        if row.at > 0 {
            let _ = write!(title, "; {} stored before", thousands(row.at));
        }
        if row.failure.is_some() {
            let _ = write!(title, "; failed after {} rounds", row.rounds.len());
        }
        let line = match medians(&row.rounds) {
            Some(figures) => cells(&figures).join(" | "),
            None => " |  |  |  |  |  | ".to_owned(),
        };
        let _ = writeln!(text, "| {title} | {line} |");
    }
    text
}

/// stockrelay against the best of the peers that make the same promise, and against SQLite.
pub fn comparison(rows: &[Row]) -> String {
    let mut text = String::new();
    let measured = || (rows.iter()).filter_map(|row| Some((row, medians(&row.rounds)?)));
    for (own, figures) in measured().filter(|(row, _)| row.system == System::Stockrelay) {
        // A peer with nothing stored is at its best; SQLite has a row for each count.
        let peers = measured().filter(|(row, _)| {
            row.system != System::Stockrelay
                && row.system.is_durable()
                && [0, own.at].contains(&row.at)
        });
        let best = peers.max_by(|(_, a), (_, b)| a.rate_per_s.total_cmp(&b.rate_per_s));
        if let Some((peer, best)) = best {
            let ratio = figures.rate_per_s / best.rate_per_s;
            let _ = writeln!(
                text,
                "- {}: {ratio:.2} times the rate of the fastest peer that makes the same promise ({})",
                own.name(),
                peer.name()
            );
        }
        let sqlite = measured().find(|(row, _)| row.system == System::Sqlite && row.at == own.at);
        if let Some((peer, sqlite)) = sqlite {
            let ratio = figures.single_p50_ms / sqlite.single_p50_ms;
            let _ = writeln!(
                text,
                "- {}: with one event in flight {ratio:.2} times the p50 of {}",
                own.name(),
                peer.name()
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_string(), "2");
        assert_eq!(median(vec![4.0, 1.0]).to_string(), "2.5");
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&times, 50).to_string(), "100");
        assert_eq!(percentile_ms(&times, 99).to_string(), "198");
        assert_eq!(percentile_ms(&[], 99).to_string(), "0");
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0, 999, 1_000, 12_345_678].map(thousands),
            ["0", "999", "1,000", "12,345,678"]
        );
    }
}
