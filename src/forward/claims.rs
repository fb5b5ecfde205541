//! Claims: move lines that people posted in Odoo and that stand for a document. Each line stands
//! for at most one document.
//!
//! The journal stores claims by line. A claim is written in the transaction that makes its document
//! *posted*, so no other document can claim the line. A new claim deletes the claims that are older
//! than the retention of posted documents.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::document::DocumentKey;
use crate::journal::{Journal, JournalError, Namespace, SideChange};
use crate::odoo_id::MoveLineId;

/// The id of a line, the key of the document that claims the line, and the time of the claim.
type Claim = (MoveLineId, String, Timestamp);

fn read(journal: &Journal) -> Result<Vec<Claim>, JournalError> {
    let claim = |(path, value): (String, Vec<u8>)| {
        let line = path.parse().ok()?;
        let value = String::from_utf8(value).ok()?;
        let (key, at) = value.split_once(' ')?;
        Some((line, key.to_owned(), at.parse().ok()?))
    };
    Ok(journal
        .read_namespace(Namespace::Claims)?
        .into_iter()
        .filter_map(claim)
        .collect())
}

/// The lines that other documents claim.
pub fn claimed_by_others(
    journal: &Journal,
    key: DocumentKey,
) -> Result<BTreeSet<MoveLineId>, JournalError> {
    let key = key.to_string();
    let others = read(journal)?.into_iter().filter(|(_, by, _)| *by != key);
    Ok(others.map(|(line, ..)| line).collect())
}

/// The document that claims each line, by the line's id.
pub fn claimants(journal: &Journal) -> Result<BTreeMap<MoveLineId, DocumentKey>, JournalError> {
    let claims = read(journal)?.into_iter();
    Ok(claims
        .filter_map(|(line, by, _)| Some((line, by.parse().ok()?)))
        .collect())
}

/// The record to store for a new claim. Drops claims that are older than `days`.
pub fn claim(
    journal: &Journal,
    key: DocumentKey,
    lines: &[MoveLineId],
    now: Timestamp,
    days: u32,
) -> Result<Vec<SideChange>, JournalError> {
    let age = SignedDuration::from_hours(i64::from(days) * 24);
    let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let path = |line: MoveLineId| Namespace::Claims.key(line.to_string());
    let old = read(journal)?.into_iter().filter(|(.., at)| *at < before);
    let mut changes: Vec<SideChange> = old.map(|(line, ..)| (path(line), None)).collect();
    let value = format!("{key} {now}").into_bytes();
    changes.extend(lines.iter().map(|line| (path(*line), Some(value.clone()))));
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[tokio::test]
    async fn a_line_is_claimed_by_one_document_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        let (one, other) = (DocumentKey([1; 16]), DocumentKey([2; 16]));
        let at: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        let claims = claim(&journal, one, &[5, 7].map(MoveLineId::new), at, 30).unwrap();
        journal.inbox().store_side_values(claims).await.unwrap();
        let by_others = |key| claimed_by_others(&journal, key).unwrap();
        assert_eq!(
            by_others(other),
            BTreeSet::from([5, 7].map(MoveLineId::new))
        );
        assert_eq!(
            by_others(one),
            BTreeSet::new(),
            "a document's own lines are free for it"
        );
        assert_eq!(
            claimants(&journal).unwrap(),
            BTreeMap::from([5, 7].map(|line| (MoveLineId::new(line), one)))
        );
        let later = at + SignedDuration::from_hours(31 * 24);
        let claims = claim(&journal, other, &[9].map(MoveLineId::new), later, 30).unwrap();
        journal.inbox().store_side_values(claims).await.unwrap();
        assert_eq!(by_others(one), BTreeSet::from([MoveLineId::new(9)]));
    }
}
