//! Codes in stored records. A journal may hold codes that this version does not know: one that a
//! newer version wrote, or one that is no longer given.

use super::*;
use crate::document::Reason;
use crate::event::RejectedNumber;
use crate::reason::{Code, Flag, ReasonCode, RejectionCode};

const TOMORROW: &str = "a-code-of-tomorrow";

#[test]
fn a_document_keeps_codes_that_this_version_does_not_know() {
    let mut unknown = progress();
    unknown.reason = unknown.reason.map(|reason| Reason {
        code: TOMORROW.into(),
        ..reason
    });
    unknown.flags = vec![TOMORROW.into(), Flag::NegativeStock.into()];
    let bytes = progress_in(&unknown).unwrap();
    for text in [TOMORROW, "negative-stock"] {
        assert!(
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        );
    }
    let read = progress_out(&bytes).unwrap();
    assert_eq!(read, unknown);
    assert_eq!(read.reason.unwrap().code.known(), None);
    assert_eq!(read.flags[0].known(), None);
    assert_eq!(read.flags[1].known(), Some(Flag::NegativeStock));

    let mut document = document();
    document.flags = vec![TOMORROW.into()];
    let bytes = document_in(&document).unwrap();
    assert_eq!(document_out(document.number, &bytes).unwrap(), document);
}

#[test]
fn a_rejected_reading_keeps_a_code_that_this_version_does_not_know() {
    let stored = StoredRejection::V1(RejectionV1 {
        device: "pda-07".to_owned(),
        source: SourceKind::Broker.name().to_owned(),
        received_us: at(2).as_microsecond(),
        id: None,
        code: TOMORROW.to_owned(),
        message: "a message of tomorrow".to_owned(),
        payload: b"{".to_vec(),
    });
    let bytes = encode("rejected reading", &stored).unwrap();
    let read = rejection_out(RejectedNumber::new(4), &bytes).unwrap();
    assert_eq!(read.code, TOMORROW);
    assert!(
        read.code.needs_person(),
        "the code is unknown, so a person must decide"
    );
}

/// Each code is stored as its text, and read as the same code.
#[test]
fn each_code_is_stored_as_its_text() {
    for code in RejectionCode::ALL {
        let rejection = Rejection {
            device: Name::new("pda-07").unwrap(),
            source: SourceKind::Broker,
            channel: None,
            received: at(2),
            id: None,
            code: *code,
            message: String::new(),
            payload: Vec::new(),
            cut: false,
        };
        let read =
            rejection_out(RejectedNumber::new(4), &rejection_in(&rejection).unwrap()).unwrap();
        assert_eq!(
            (read.code.known(), read.code.as_str()),
            (Some(*code), code.as_str())
        );
    }
    for code in ReasonCode::ALL {
        let mut parked = progress();
        parked.reason = parked.reason.map(|reason| Reason {
            code: Code::from(*code),
            ..reason
        });
        let bytes = progress_in(&parked).unwrap();
        let text = code.as_str().as_bytes();
        assert!(bytes.windows(text.len()).any(|part| part == text));
        assert_eq!(progress_out(&bytes).unwrap(), parked);
    }
}
