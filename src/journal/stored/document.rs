//! The stored forms of a document, of how far it has come, and of each step on its way.

use serde::{Deserialize, Serialize};

use super::{BadRecord, DecimalV1, bad, decode, encode, time};
use crate::document::{Document, DocumentKey, Line, OdooRef, Progress, Purpose, Reason, State};
use crate::journal::AuditRecord;

#[derive(Serialize, Deserialize)]
enum StoredDocument {
    V1(DocumentV1),
}

#[derive(Serialize, Deserialize)]
struct DocumentV1 {
    key: [u8; 16],
    unsupported: Option<String>,
    group: String,
    lines: Vec<LineV1>,
    occurred_us: i64,
    sealed_us: i64,
    /// For each event: how far its `seq` lies above the one before, and which line it went into
    /// (0: none, else its place counted from 1). Two or three bytes an event.
    events: Vec<(u64, u32)>,
}

/// Barcodes of one site begin alike, so product, from and to are written as what differs from the line before:
/// how many bytes are the same, and the rest. That halves a document of many lines.
#[derive(Serialize, Deserialize)]
struct LineV1 {
    product: (usize, String),
    lot: Option<String>,
    package: Option<String>,
    from: (usize, String),
    to: (usize, String),
    quantity: DecimalV1,
}

fn after(before: &str, text: &str) -> (usize, String) {
    let same = before
        .char_indices()
        .zip(text.chars())
        .take_while(|((_, a), b)| a == b);
    let same = same
        .last()
        .map_or(0, |((at, character), _)| at + character.len_utf8());
    (same, text[same..].to_owned())
}

fn joined(before: &str, (same, rest): &(usize, String)) -> Result<String, BadRecord> {
    let same = before.get(..*same).ok_or_else(|| {
        bad(
            "document",
            "a line that refers to more than the one before has",
        )
    })?;
    Ok(format!("{same}{rest}"))
}

pub fn document_in(document: &Document) -> Result<Vec<u8>, BadRecord> {
    let mut events: Vec<(u64, u32)> = document.events.iter().map(|seq| (*seq, 0)).collect();
    for (place, line) in (1u32..).zip(&document.lines) {
        for seq in &line.events {
            let at = events
                .binary_search_by_key(seq, |(seq, _)| *seq)
                .map_err(|_| bad("document", "a line's event is not the document's"))?;
            events[at].1 = place;
        }
    }
    let mut before = 0;
    for (seq, _) in &mut events {
        let distance = *seq - before;
        before = *seq;
        *seq = distance;
    }
    let mut lines = Vec::with_capacity(document.lines.len());
    let (mut product, mut from, mut to) = ("", "", "");
    for line in &document.lines {
        lines.push(LineV1 {
            product: after(product, &line.product),
            lot: line.lot.clone(),
            package: line.package.clone(),
            from: after(from, &line.from),
            to: after(to, &line.to),
            quantity: line.quantity.into(),
        });
        (product, from, to) = (&line.product, &line.from, &line.to);
    }
    encode(
        "document",
        &StoredDocument::V1(DocumentV1 {
            key: document.key.0,
            unsupported: match &document.purpose {
                Purpose::Transfer => None,
                Purpose::Unsupported { kind } => Some(kind.clone()),
            },
            group: document.group.clone(),
            lines,
            occurred_us: document.occurred.as_microsecond(),
            sealed_us: document.sealed.as_microsecond(),
            events,
        }),
    )
}

pub fn document_out(number: u64, bytes: &[u8]) -> Result<Document, BadRecord> {
    let StoredDocument::V1(stored) = decode("document", bytes)?;
    let mut lines = Vec::with_capacity(stored.lines.len());
    let (mut product, mut from, mut to) = (String::new(), String::new(), String::new());
    for line in stored.lines {
        product = joined(&product, &line.product)?;
        from = joined(&from, &line.from)?;
        to = joined(&to, &line.to)?;
        lines.push(Line {
            product: product.clone(),
            lot: line.lot,
            package: line.package,
            from: from.clone(),
            to: to.clone(),
            quantity: line.quantity.try_into()?,
            events: Vec::new(),
        });
    }
    let mut events = Vec::with_capacity(stored.events.len());
    let mut seq = 0u64;
    for (distance, place) in stored.events {
        seq = seq
            .checked_add(distance)
            .ok_or_else(|| bad("document", "a seq that is too large"))?;
        events.push(seq);
        if place > 0 {
            let line = lines
                .get_mut(place as usize - 1)
                .ok_or_else(|| bad("document", "an event of a line that is not there"))?;
            line.events.push(seq);
        }
    }
    Ok(Document {
        number,
        key: DocumentKey(stored.key),
        purpose: stored
            .unsupported
            .map_or(Purpose::Transfer, |kind| Purpose::Unsupported { kind }),
        group: stored.group,
        lines,
        occurred: time("document", stored.occurred_us)?,
        sealed: time("document", stored.sealed_us)?,
        events,
    })
}

#[derive(Serialize, Deserialize)]
enum StoredProgress {
    V1(ProgressV1),
}

#[derive(Serialize, Deserialize)]
struct ProgressV1 {
    state: State,
    attempts: u32,
    reason: Option<Reason>,
    odoo: Option<OdooRef>,
    since_us: i64,
}

pub fn progress_in(progress: &Progress) -> Result<Vec<u8>, BadRecord> {
    encode(
        "progress",
        &StoredProgress::V1(ProgressV1 {
            state: progress.state,
            attempts: progress.attempts,
            reason: progress.reason.clone(),
            odoo: progress.odoo.clone(),
            since_us: progress.since.as_microsecond(),
        }),
    )
}

pub fn progress_out(bytes: &[u8]) -> Result<Progress, BadRecord> {
    let StoredProgress::V1(stored) = decode("progress", bytes)?;
    Ok(Progress {
        state: stored.state,
        attempts: stored.attempts,
        reason: stored.reason,
        odoo: stored.odoo,
        since: time("progress", stored.since_us)?,
    })
}

#[derive(Serialize, Deserialize)]
enum StoredAudit {
    V1 {
        at_us: i64,
        state: String,
        by: String,
        note: String,
    },
}

pub fn audit_in(record: &AuditRecord) -> Result<Vec<u8>, BadRecord> {
    encode(
        "audit record",
        &StoredAudit::V1 {
            at_us: record.at.as_microsecond(),
            state: record.state.clone(),
            by: record.by.clone(),
            note: record.note.clone(),
        },
    )
}

pub fn audit_out(bytes: &[u8]) -> Result<AuditRecord, BadRecord> {
    let StoredAudit::V1 {
        at_us,
        state,
        by,
        note,
    } = decode("audit record", bytes)?;
    Ok(AuditRecord {
        at: time("audit record", at_us)?,
        state,
        by,
        note,
    })
}
