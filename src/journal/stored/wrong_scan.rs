//! The stored form of a scan that its flow answered with an error: the answer.

use serde::{Deserialize, Serialize};

use super::{BadRecord, decode, encode};

/// The journal stores only the beginning of a longer answer.
const ANSWER_BYTES_MAX: usize = 256;

#[derive(Serialize, Deserialize)]
enum StoredWrongScan {
    V1 { answer: String },
}

super::json::shown!(WRONG_SCAN_JSON, "wrong scan", StoredWrongScan);

pub fn wrong_scan_in(answer: &str) -> Result<Vec<u8>, BadRecord> {
    let answer = answer[..answer.floor_char_boundary(ANSWER_BYTES_MAX)].to_owned();
    encode("wrong scan", &StoredWrongScan::V1 { answer })
}

pub fn wrong_scan_out(bytes: &[u8]) -> Result<String, BadRecord> {
    let StoredWrongScan::V1 { answer } = decode("wrong scan", bytes)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::super::tests::golden_in;
    use super::*;

    #[test]
    fn an_answer_is_read_and_written_as_ever() {
        let bytes = golden_in(include_str!("wrong_scan.txt"), "wrong-scan");
        assert_eq!(wrong_scan_in("scan a bin"), Ok(bytes.clone()));
        assert_eq!(wrong_scan_out(&bytes), Ok("scan a bin".to_owned()));
    }

    #[test]
    fn a_long_answer_is_cut_between_two_characters() {
        let bytes = wrong_scan_in(&"é".repeat(200)).unwrap();
        assert_eq!(wrong_scan_out(&bytes), Ok("é".repeat(128)));
    }
}
