//! The tables of the journal's file, `journal.redb`. Records of domain types are in the stored
//! forms of `stored.rs`. Other values are numbers, digests, filters, or side values, whose form
//! their owner defines.

use std::ops::RangeInclusive;

use redb::TableDefinition;

use super::stored::StateV1;
use crate::document::{DocumentNumber, State};

/// A stored form, as the tables hold it.
pub type Bytes = &'static [u8];

/// The key of a block of the search index.
pub type BlockKey = (u64, &'static [u8], u32);

/// `seq` → event. The writer only appends events, and prunes the oldest ones.
pub const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
/// Event → number of its document; [`NO_DOCUMENT`] where the event needs none.
pub const EVENT_DOCUMENT: TableDefinition<u64, u64> = TableDefinition::new("event_document");
/// Event → how often a device sent it again.
pub const REPEATS: TableDefinition<u64, &[u8]> = TableDefinition::new("repeats");
/// Increasing number → rejected reading.
pub const REJECTED: TableDefinition<u64, &[u8]> = TableDefinition::new("rejected");
/// Open rejected reading → empty: neither a person nor its device has settled it.
pub const REJECTED_OPEN: TableDefinition<u64, ()> = TableDefinition::new("rejected_open");
/// (digest of device and event id, rejected reading) → empty: for open readings, for those that
/// were removed for room while open, and for settled ones that a broker may send again; see
/// `ids.rs`.
pub const REJECTED_BY_ID: TableDefinition<([u8; 16], u64), ()> =
    TableDefinition::new("rejected_by_id");
/// The inverse of `REJECTED_BY_ID`: rejected reading → digest.
pub const REJECTED_ID: TableDefinition<u64, [u8; 16]> = TableDefinition::new("rejected_id");
/// Rejected reading → audit record: which person or device dismissed it or sent it again. The
/// number of the newest reading that was removed for room represents all such readings; the highest
/// number represents the unused raw scans.
pub const REJECTED_AUDIT: TableDefinition<u64, &[u8]> = TableDefinition::new("rejected_audit");
/// Device → empty: every device that ever sent an event.
pub const DEVICES: TableDefinition<&str, ()> = TableDefinition::new("devices");

/// Raw scan that its flow answered with an error → the answer. The scan changed nothing.
pub const WRONG_SCANS: TableDefinition<u64, &[u8]> = TableDefinition::new("wrong_scans");

/// Device → bytes of its events; see `held.rs`.
pub const HELD: TableDefinition<&str, u64> = TableDefinition::new("held");

/// Period of receipt → counts of what was received in it; see `periods.rs`.
pub const PERIODS: TableDefinition<u64, &[u8]> = TableDefinition::new("periods");

/// (segment, bucket) → sorted digests of event ids; see `ids.rs`.
pub const ID_BUCKETS: TableDefinition<(u32, u16), &[u8]> = TableDefinition::new("id_buckets");
/// Segment → its filter.
pub const ID_FILTERS: TableDefinition<u32, &[u8]> = TableDefinition::new("id_filters");

/// Number → sealed document, never written twice.
pub const DOCUMENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("documents");
/// Number → progress of the document.
pub const PROGRESS: TableDefinition<u64, &[u8]> = TableDefinition::new("progress");
/// Key → number.
pub const DOCUMENT_KEYS: TableDefinition<[u8; 16], u64> = TableDefinition::new("document_keys");
/// (number of the [`StateV1`], number of the document) → empty: the queues.
pub const BY_STATE: TableDefinition<(u8, u64), ()> = TableDefinition::new("by_state");
/// (document number, step) → audit record.
pub const AUDIT: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("audit");

/// Last event of a segment of the search index → head of the segment; see `index.rs`.
pub const SEARCH_SEGMENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("search_segments");
/// (segment, first text, number) → block of the segment.
pub const SEARCH_BLOCKS: TableDefinition<BlockKey, &[u8]> = TableDefinition::new("search_blocks");
/// (kind, folded text, number of the document) → empty; see `transaction/index_changes.rs`.
pub const DOCUMENT_TERMS: TableDefinition<(u8, &str, u64), ()> =
    TableDefinition::new("document_terms");

/// Key of a side value ([`Namespace`](super::Namespace)) → its bytes.
pub const SIDE_VALUES: TableDefinition<&str, &[u8]> = TableDefinition::new("kept");
/// `totals`, `rejected_bytes`, `rejected_dropped`, `rejected_dropped_upto`, `format` with the
/// version of this layout, [`LOG`], [`ROOM`], [`TERMS_UPTO`] and
/// [`LINE_TERMS_UPTO`].
pub const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// The key in [`META`] of the head of the log; see `log.rs`.
pub const LOG: &str = "log";
/// The key in [`META`] of the bytes of all records; see `budget.rs`.
pub const ROOM: &str = "room";

/// The key in [`META`] of the last document whose terms are in [`DOCUMENT_TERMS`].
pub const TERMS_UPTO: &str = "terms_upto";
/// The same for the texts of lines of documents that replace another.
pub const LINE_TERMS_UPTO: &str = "line_terms_upto";

/// The value in [`EVENT_DOCUMENT`] of an event that needs no document. Document numbers start at 1.
pub const NO_DOCUMENT: u64 = 0;

/// The document that [`EVENT_DOCUMENT`] names. `None`: the event needs no document.
pub fn document_number(number: u64) -> Option<DocumentNumber> {
    (number != NO_DOCUMENT).then_some(DocumentNumber::new(number))
}

/// The key of a document in [`BY_STATE`].
pub fn by_state_key(state: State, number: DocumentNumber) -> (u8, u64) {
    (StateV1::from(state).number(), number.get())
}

/// The keys in [`BY_STATE`] of all documents in this state, starting at a document number.
pub fn in_state(state: State, from: DocumentNumber) -> RangeInclusive<(u8, u64)> {
    by_state_key(state, from)..=by_state_key(state, DocumentNumber::MAX)
}
