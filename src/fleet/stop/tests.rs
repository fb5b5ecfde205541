use super::*;
use crate::fleet::samples::{Key, key, trust};
use crate::fleet::signing::sign_stop;

fn message(stop: bool, keys: &[&Key]) -> Bytes {
    let stop = Stop {
        serial: 42,
        stop,
        count: 7,
        reason: "\"quoted\", wrong \\ database \u{e4}".to_owned(),
        by: "anna".to_owned(),
    };
    let unsigned = Bytes::from(stop.build().unwrap());
    keys.iter().fold(unsigned, |bytes, key| {
        sign_stop(&bytes, &key.signer).unwrap().into()
    })
}

#[test]
fn one_key_stops_and_the_threshold_resumes() {
    let (anna, ben) = (key("anna"), key("ben"));
    let trust = trust(1, 2, &[], &[&anna, &ben]);
    let stop = verify(&message(true, &[&anna]), &trust).unwrap();
    assert!(stop.stops(41) && stop.stops(42) && !stop.stops(43));
    assert_eq!(stop.reason, "\"quoted\", wrong \\ database \u{e4}");
    let code = |bytes: &Bytes| verify(bytes, &trust).unwrap_err().code();
    assert_eq!(code(&message(true, &[])), "too-few-signatures");
    assert_eq!(code(&message(true, &[&key("other")])), "unknown-key");
    assert_eq!(code(&message(false, &[&anna])), "too-few-signatures");
    let resumed = verify(&message(false, &[&anna, &ben]), &trust).unwrap();
    assert!(!resumed.stops(42));
}

#[test]
fn the_highest_count_holds() {
    let stop = |count| Stop {
        serial: 42,
        stop: true,
        count,
        reason: "x".to_owned(),
        by: "x".to_owned(),
    };
    assert!(stop(1).replaces(None));
    assert!(stop(2).replaces(Some(&stop(1))));
    assert!(!stop(1).replaces(Some(&stop(1))));
    assert!(!stop(1).replaces(Some(&stop(2))));
}

#[test]
fn other_messages_are_refused() {
    let anna = key("anna");
    let trust = trust(1, 1, &[], &[&anna]);
    let code = |bytes: &Bytes| verify(bytes, &trust).unwrap_err().code();
    assert_eq!(code(&Bytes::new()), "truncated");
    assert_eq!(
        code(&crate::fleet::samples::signed(&[&anna])),
        "no-manifest"
    );
    let mut parts = parts::read(&message(true, &[&anna]), STOP).unwrap();
    parts.files.insert("devices.toml".to_owned(), Bytes::new());
    assert_eq!(code(&parts.write(STOP).unwrap().into()), "foreign-file");
    let text = "serial = 42\nstop = \"yes\"\nwhy = 1\n";
    let mut parts = Parts {
        signed: text.into(),
        signatures: Vec::new(),
        files: [].into(),
    };
    let unsigned = parts.write(STOP).unwrap().into();
    assert_eq!(
        sign_stop(&unsigned, &anna.signer)
            .unwrap_err()
            .to_string()
            .lines()
            .count(),
        6
    );
    let bytes = anna.signer.sign(&parts.signed).unwrap().into();
    let id = anna.signer.id;
    parts
        .signatures
        .push(crate::fleet::trust::SignatureFile { id, bytes });
    let error = verify(&parts.write(STOP).unwrap().into(), &trust).unwrap_err();
    assert_eq!(error.code(), "stop");
    for key in [
        "stop.toml:2: stop",
        "stop.toml:3: why",
        "count",
        "reason",
        "by",
    ] {
        assert!(error.to_string().contains(key), "{error}");
    }
}
