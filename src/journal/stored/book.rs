//! The stored forms of counts, and of spans of uncertain time, by place.

use serde::{Deserialize, Serialize};

use super::{BadRecord, DecimalV1, bad, decode, encode, time};
use crate::book::{Count, Doubt, Span};
use crate::document::DocumentNumber;

#[derive(Serialize, Deserialize)]
enum StoredCounts {
    V1(Vec<CountV1>),
}

#[derive(Serialize, Deserialize)]
struct CountV1 {
    time_us: i64,
    number: u64,
    counted: DecimalV1,
    recounts: u32,
}

pub fn counts_in(counts: &[Count]) -> Result<Vec<u8>, BadRecord> {
    let counts = counts.iter().map(|count| CountV1 {
        time_us: count.time.as_microsecond(),
        number: count.number.get(),
        counted: count.counted.into(),
        recounts: count.recounts,
    });
    encode("counts", &StoredCounts::V1(counts.collect()))
}

pub fn counts_out(bytes: &[u8]) -> Result<Vec<Count>, BadRecord> {
    let StoredCounts::V1(counts) = decode("counts", bytes)?;
    let counts = counts.into_iter().map(|count| {
        Ok(Count {
            time: time("counts", count.time_us)?,
            number: DocumentNumber::new(count.number),
            counted: count.counted.try_into()?,
            recounts: count.recounts,
        })
    });
    counts.collect()
}

#[derive(Serialize, Deserialize)]
enum StoredSpans {
    V1(Vec<SpanV1>),
}

#[derive(Serialize, Deserialize)]
struct SpanV1 {
    from_us: i64,
    until_us: i64,
    /// 0: several documents.
    number: u64,
    /// 0: an event was undone; 1: a clock is in doubt; 2: a clock was in doubt before.
    doubt: u8,
}

pub fn spans_in(spans: &[Span]) -> Result<Vec<u8>, BadRecord> {
    let spans = spans.iter().map(|span| SpanV1 {
        from_us: span.from.as_microsecond(),
        until_us: span.until.as_microsecond(),
        number: span.number.get(),
        doubt: match span.doubt {
            Doubt::Undone => 0,
            Doubt::Clock => 1,
            Doubt::Ended => 2,
        },
    });
    encode("spans", &StoredSpans::V1(spans.collect()))
}

pub fn spans_out(bytes: &[u8]) -> Result<Vec<Span>, BadRecord> {
    let StoredSpans::V1(spans) = decode("spans", bytes)?;
    let spans = spans.into_iter().map(|span| {
        Ok(Span {
            from: time("spans", span.from_us)?,
            until: time("spans", span.until_us)?,
            number: DocumentNumber::new(span.number),
            doubt: match span.doubt {
                0 => Doubt::Undone,
                1 => Doubt::Clock,
                2 => Doubt::Ended,
                other => return Err(bad("spans", format!("no doubt has the number {other}"))),
            },
        })
    });
    spans.collect()
}
