//! Any bytes as a record of the journal: they are refused or read without a panic, and a record
//! that was read is the same after it is written and read again.

use std::fmt::Debug;

use stockrelay::document::DocumentNumber;
use stockrelay::event::RejectedNumber;
use stockrelay::journal::stored::{
    BadRecord, audit_in, audit_out, counters_in, counters_out, counts_in, counts_out,
    device_clock_in, device_clock_out, document_in, document_out, event_in, event_out, progress_in,
    progress_out, rejection_out, repeats_in, repeats_out, spans_in, spans_out,
};

/// The input: the bytes of a record.
pub fn check(bytes: &[u8]) {
    check_again(bytes, event_out, event_in);
    check_again(
        bytes,
        |bytes| document_out(DocumentNumber::new(1), bytes),
        document_in,
    );
    check_again(bytes, progress_out, progress_in);
    check_again(bytes, audit_out, audit_in);
    check_again(bytes, repeats_out, |repeats| repeats_in(*repeats));
    check_again(bytes, counters_out, counters_in);
    check_again(bytes, counts_out, |counts| counts_in(counts));
    check_again(bytes, spans_out, |spans| spans_in(spans));
    check_again(bytes, device_clock_out, device_clock_in);
    let _ = rejection_out(RejectedNumber::new(1), bytes);
}

fn check_again<T: PartialEq + Debug>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, BadRecord>,
    write: impl Fn(&T) -> Result<Vec<u8>, BadRecord>,
) {
    let Ok(record) = read(bytes) else { return };
    let written = write(&record).expect("a record that was read can be written");
    assert_eq!(read(&written).as_ref(), Ok(&record));
}
