//! The stored forms of a document's progress, and of its audit records.

use serde::{Deserialize, Serialize};

use super::{BadRecord, StateV1, decode, encode, time};
use crate::document::{OdooRef, Progress, Reason};
use crate::event::Seq;
use crate::journal::AuditRecord;
use crate::odoo_id::PickingId;
use crate::reason::Code;

#[derive(Serialize, Deserialize)]
enum StoredProgress {
    V1(ProgressV1),
    V2(ProgressV1, ProgressMoreV2),
    /// With the events that were undone later.
    V3(ProgressV1, ProgressMoreV2, Vec<u64>),
}

super::json::shown!(PROGRESS_JSON, "progress", StoredProgress);

#[derive(Serialize, Deserialize)]
struct ProgressV1 {
    /// The number of a [`StateV1`].
    state: u8,
    attempts: u32,
    reason: Option<ReasonV1>,
    odoo: Option<OdooRefV1>,
    since_us: i64,
}

#[derive(Serialize, Deserialize)]
struct ReasonV1 {
    code: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
struct OdooRefV1 {
    id: i64,
    name: String,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct ProgressMoreV2 {
    plan: Option<String>,
    decision: Option<String>,
    flags: Vec<String>,
}

pub fn progress_in(progress: &Progress) -> Result<Vec<u8>, BadRecord> {
    let first = ProgressV1 {
        state: StateV1::from(progress.state).number(),
        attempts: progress.attempts,
        reason: progress.reason.clone().map(|reason| ReasonV1 {
            code: reason.code.to_string(),
            message: reason.message,
        }),
        odoo: progress.odoo.clone().map(|odoo| OdooRefV1 {
            id: odoo.id.get(),
            name: odoo.name,
        }),
        since_us: progress.since.as_microsecond(),
    };
    let more = ProgressMoreV2 {
        plan: progress.plan.clone(),
        decision: progress.decision.clone(),
        flags: progress.flags.iter().map(Code::to_string).collect(),
    };
    let stored = if !progress.undone.is_empty() {
        let undone = progress.undone.iter().copied().map(Seq::get);
        StoredProgress::V3(first, more, undone.collect())
    } else if more == ProgressMoreV2::default() {
        StoredProgress::V1(first)
    } else {
        StoredProgress::V2(first, more)
    };
    encode("progress", &stored)
}

pub fn progress_out(bytes: &[u8]) -> Result<Progress, BadRecord> {
    let (stored, more, undone) = match decode("progress", bytes)? {
        StoredProgress::V1(stored) => (stored, ProgressMoreV2::default(), Vec::new()),
        StoredProgress::V2(stored, more) => (stored, more, Vec::new()),
        StoredProgress::V3(stored, more, undone) => (stored, more, undone),
    };
    Ok(Progress {
        state: StateV1::try_from(stored.state)?.into(),
        attempts: stored.attempts,
        reason: stored.reason.map(|reason| Reason {
            code: reason.code.into(),
            message: reason.message,
            lines: Vec::new(),
        }),
        odoo: stored.odoo.map(|odoo| OdooRef {
            id: PickingId::new(odoo.id),
            name: odoo.name,
        }),
        since: time("progress", stored.since_us)?,
        plan: more.plan,
        decision: more.decision,
        flags: more.flags.into_iter().map(Code::from).collect(),
        undone: undone.into_iter().map(Seq::new).collect(),
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

super::json::shown!(AUDIT_JSON, "audit record", StoredAudit);

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
