//! The stored form of the mark of a restored journal; see `journal/restored.rs`.

use serde::{Deserialize, Serialize};

use super::{BadRecord, decode, encode, time};
use crate::document::DocumentNumber;
use crate::event::Seq;
use crate::journal::Restored;

const WHAT: &str = "mark of a restored journal";

#[derive(Serialize, Deserialize)]
enum StoredRestored {
    V1 {
        seq: u64,
        document: u64,
        begun_us: Option<i64>,
    },
}

pub fn restored_in(restored: &Restored) -> Result<Vec<u8>, BadRecord> {
    encode(
        WHAT,
        &StoredRestored::V1 {
            seq: restored.seq.get(),
            document: restored.document.get(),
            begun_us: restored.begun.map(jiff::Timestamp::as_microsecond),
        },
    )
}

pub fn restored_out(bytes: &[u8]) -> Result<Restored, BadRecord> {
    let StoredRestored::V1 {
        seq,
        document,
        begun_us,
    } = decode(WHAT, bytes)?;
    Ok(Restored {
        seq: Seq::new(seq),
        document: DocumentNumber::new(document),
        begun: begun_us.map(|micros| time(WHAT, micros)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_restored_journal_is_written_as_ever() {
        let mut mark = Restored {
            seq: Seq::new(300),
            document: DocumentNumber::new(7),
            begun: None,
        };
        assert_eq!(restored_in(&mark).unwrap(), [0, 0xac, 2, 7, 0]);
        assert_eq!(restored_out(&[0, 0xac, 2, 7, 0]), Ok(mark));
        mark.begun = Some(jiff::Timestamp::from_microsecond(5).unwrap());
        assert_eq!(restored_in(&mark).unwrap(), [0, 0xac, 2, 7, 1, 10]);
        assert_eq!(restored_out(&[0, 0xac, 2, 7, 1, 10]), Ok(mark));
        assert!(restored_out(&[1, 0]).is_err(), "of a newer version");
    }
}
