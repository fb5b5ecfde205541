//! The stored form of the counts of a period; see `journal/periods.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BadRecord, StateV1, decode, encode};
use crate::journal::{Period, PeriodCounts, ReadingCounts, StateTotals};

#[derive(Serialize, Deserialize)]
enum StoredPeriod {
    V1(PeriodV1),
}

super::json::shown!(PERIOD_JSON, "period", StoredPeriod);

#[derive(Serialize, Deserialize)]
struct PeriodV1 {
    first_seqs: Vec<u64>,
    first_readings: Vec<u64>,
    /// Microseconds since 1970; 0: all times.
    complete_from_us: i64,
    stored: u64,
    possible_repeats: u64,
    duplicates: u64,
    no_document: u64,
    unused_scans: u64,
    wrong_scans: u64,
    left_out: u64,
    edited: u64,
    /// Waiting, sending, posted, parked, discarded: documents, lines, events.
    states: [(u64, u64, u64); 5],
    parked_by_code: Vec<(String, u64)>,
    rejected: u64,
    rejected_open: u64,
    rejected_dropped: u64,
    /// Reason code, readings, open readings.
    rejected_by_code: Vec<(String, u64, u64)>,
}

pub fn period_in(period: &Period) -> Result<Vec<u8>, BadRecord> {
    let counts = &period.counts;
    let states = StateV1::COUNTED.map(|state| {
        let StateTotals {
            documents,
            lines,
            events,
        } = counts.states.get(state.into());
        (documents, lines, events)
    });
    let stored = StoredPeriod::V1(PeriodV1 {
        first_seqs: period.first_seqs.clone(),
        first_readings: period.first_readings.clone(),
        complete_from_us: period.complete_from_us,
        stored: counts.stored,
        possible_repeats: counts.possible_repeats,
        duplicates: counts.duplicates,
        no_document: counts.no_document,
        unused_scans: counts.unused_scans,
        wrong_scans: counts.wrong_scans,
        left_out: counts.left_out,
        edited: counts.edited,
        states,
        parked_by_code: (counts.parked_by_code.iter())
            .map(|(code, documents)| (code.clone(), *documents))
            .collect(),
        rejected: counts.rejected,
        rejected_open: counts.rejected_open,
        rejected_dropped: counts.rejected_dropped,
        rejected_by_code: (counts.rejected_by_code.iter())
            .map(|(code, counts)| (code.clone(), counts.readings, counts.open))
            .collect(),
    });
    encode("period", &stored)
}

pub fn period_out(bytes: &[u8]) -> Result<Period, BadRecord> {
    let StoredPeriod::V1(stored) = decode("period", bytes)?;
    let mut counts = PeriodCounts {
        stored: stored.stored,
        possible_repeats: stored.possible_repeats,
        duplicates: stored.duplicates,
        no_document: stored.no_document,
        unused_scans: stored.unused_scans,
        wrong_scans: stored.wrong_scans,
        left_out: stored.left_out,
        edited: stored.edited,
        parked_by_code: stored.parked_by_code.into_iter().collect(),
        rejected: stored.rejected,
        rejected_open: stored.rejected_open,
        rejected_dropped: stored.rejected_dropped,
        rejected_by_code: BTreeMap::new(),
        ..PeriodCounts::default()
    };
    for (code, readings, open) in stored.rejected_by_code {
        let of_code = ReadingCounts { readings, open };
        counts.rejected_by_code.insert(code, of_code);
    }
    for (state, (documents, lines, events)) in StateV1::COUNTED.into_iter().zip(stored.states) {
        if let Some(totals) = counts.states.get_mut(state.into()) {
            *totals = StateTotals {
                documents,
                lines,
                events,
            };
        }
    }
    Ok(Period {
        first_seqs: stored.first_seqs,
        first_readings: stored.first_readings,
        complete_from_us: stored.complete_from_us,
        counts,
    })
}
