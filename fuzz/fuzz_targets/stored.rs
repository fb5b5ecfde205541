//! Any bytes as a record of the journal: they are refused or read without a panic, and what was
//! read is the same when it is written and read again.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use stockrelay::journal::stored::{
    BadRecord, audit_in, audit_out, document_in, document_out, event_in, event_out, kept_out, progress_in, progress_out,
    rejection_out, repeats_in, repeats_out,
};

fuzz_target!(|bytes: &[u8]| {
    same(event_out(bytes), event_in, event_out);
    same(document_out(1, bytes), document_in, |bytes| document_out(1, bytes));
    same(progress_out(bytes), progress_in, progress_out);
    same(audit_out(bytes), audit_in, audit_out);
    same(repeats_out(bytes), |repeats| repeats_in(*repeats), repeats_out);
    let _ = (rejection_out(1, bytes), kept_out(bytes));
});

fn same<T: PartialEq + Debug>(
    read: Result<T, BadRecord>,
    write: impl Fn(&T) -> Result<Vec<u8>, BadRecord>,
    again: impl Fn(&[u8]) -> Result<T, BadRecord>,
) {
    let Ok(record) = read else { return };
    let written = write(&record).expect("what was read can be written");
    assert_eq!(again(&written).as_ref(), Ok(&record));
}
