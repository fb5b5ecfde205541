use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::fleet::samples::{Key, key, trust, trust_text};

const MESSAGE: &[u8] = b"serial = 42\n";

fn signature(key: &Key, message: &[u8]) -> SignatureFile {
    SignatureFile {
        id: key.signer.id,
        bytes: key.signer.sign(message).unwrap().into(),
    }
}

fn refused(trust: &Trust, signatures: &[SignatureFile]) -> TooFew {
    trust
        .require(trust.threshold, MESSAGE, signatures)
        .unwrap_err()
}

#[test]
fn the_threshold_of_keys_is_enough() {
    let (anna, ben, carl) = (key("anna"), key("ben"), key("carl"));
    let trust = trust(1, 2, &[], &[&anna, &ben, &carl]);
    let both = [signature(&carl, MESSAGE), signature(&anna, MESSAGE)];
    let signers = trust.require(2, MESSAGE, &both).unwrap();
    assert_eq!(signers, [anna.signer.id, carl.signer.id].into());
    let error = refused(&trust, &both[..1]);
    assert_eq!(
        (error.code(), error.good),
        ("too-few-signatures", vec![carl.signer.id])
    );
    assert_eq!(refused(&trust, &[]).code(), "too-few-signatures");
}

/// TUF's advisory GHSA-pwqf-9h7j-7mv8: a client counted signatures instead of keys.
#[test]
fn a_key_counts_once_however_often_it_signed() {
    let (anna, ben) = (key("anna"), key("ben"));
    let trust = trust(1, 2, &[], &[&anna, &ben]);
    // Each signature has other bytes: Ed25519 in minisign is randomised.
    let three = [0; 3].map(|_| signature(&anna, MESSAGE));
    assert_ne!(three[0], three[1]);
    assert_eq!(refused(&trust, &three).code(), "too-few-signatures");
}

/// The same key under a second id would count twice.
#[test]
fn a_key_with_two_ids_is_a_fault() {
    let anna = key("anna");
    let mut bytes = minisign::PublicKey::from_base64(&anna.public)
        .unwrap()
        .to_bytes();
    bytes[2] ^= 1;
    let other = minisign::PublicKey::from_bytes(&bytes).unwrap();
    let id = KeyId::from_bytes(other.keynum().try_into().unwrap());
    let entry = format!(
        "[[key]]\nid = \"{id}\"\npublic = \"{}\"\nname = \"x\"\n",
        other.to_base64()
    );
    let text = trust_text(1, 1, &[], &[&anna]) + &entry;
    let faults = Trust::parse(&text, "trust.toml").unwrap_err();
    assert!(
        faults[0].found.contains("also under another id"),
        "{faults:?}"
    );
    let text = trust_text(1, 1, &[], &[&anna, &anna]);
    let faults = Trust::parse(&text, "trust.toml").unwrap_err();
    assert!(faults[0].found.contains("twice"), "{faults:?}");
}

#[test]
fn wrong_revoked_and_unknown_keys_do_not_count_and_are_named() {
    let (anna, ben, other) = (key("anna"), key("ben"), key("other"));
    let trust = trust(3, 1, &[&ben], &[&anna, &ben]);
    let cases = [
        (
            signature(&anna, b"serial = 43\n"),
            "wrong-signature",
            "does not match",
        ),
        (
            signature(&ben, MESSAGE),
            "revoked-key",
            "the key is revoked",
        ),
        (
            signature(&other, MESSAGE),
            "unknown-key",
            "trust.toml has no such key",
        ),
    ];
    for (signature, code, text) in cases {
        let id = signature.id.to_string();
        let error = refused(&trust, &[signature]);
        assert_eq!(error.code(), code);
        let shown = error.to_string();
        assert!(shown.contains(&id) && shown.contains(text), "{shown}");
        assert!(shown.contains("config sign"), "{shown}");
    }
    // Under the id of a trusted key.
    let forged = SignatureFile {
        id: anna.signer.id,
        ..signature(&other, MESSAGE)
    };
    assert_eq!(refused(&trust, &[forged]).code(), "wrong-signature");
    for bytes in ["", "a\nb\nc\nd\n", "untrusted comment: x\n\u{e4}\n"] {
        let malformed = SignatureFile {
            id: anna.signer.id,
            bytes: bytes.into(),
        };
        assert_eq!(refused(&trust, &[malformed]).code(), "wrong-signature");
    }
    // A signature that does not count harms no other one.
    let both = [signature(&other, MESSAGE), signature(&anna, MESSAGE)];
    assert!(trust.require(1, MESSAGE, &both).is_ok());
}

#[test]
fn a_changed_comment_of_a_signature_is_refused() {
    let anna = key("anna");
    let trust = trust(1, 1, &[], &[&anna]);
    let good = signature(&anna, MESSAGE);
    let text = String::from_utf8(good.bytes.to_vec()).unwrap();
    let changed = text.replace("\ntrusted comment: ", "\ntrusted comment: x");
    assert_ne!(text, changed);
    let bytes = changed.into();
    let signature = SignatureFile { bytes, ..good };
    assert_eq!(refused(&trust, &[signature]).code(), "wrong-signature");
}

/// Made by Debian's minisign 0.11 with `-l`, and without: the old form is refused.
#[test]
fn minisigns_old_form_is_refused() {
    let trust = Trust::parse(
        include_str!("../../../tests/bundles/legacy/trust.toml"),
        "trust.toml",
    );
    let trust = trust.unwrap();
    let id = trust.keys[0].id;
    let of = |bytes: &'static [u8]| SignatureFile {
        id,
        bytes: Bytes::from_static(bytes),
    };
    let message = include_bytes!("../../../tests/bundles/legacy/message");
    let good = of(include_bytes!(
        "../../../tests/bundles/legacy/message.prehashed"
    ));
    assert!(trust.require(1, message, &[good]).is_ok());
    let old = of(include_bytes!(
        "../../../tests/bundles/legacy/message.legacy"
    ));
    let error = trust.require(1, message, &[old]).unwrap_err();
    assert_eq!(error.doubts, [(id, Doubt::Legacy)]);
    assert!(error.to_string().contains("without -l"), "{error}");
}

#[test]
fn every_fault_of_a_trust_file_is_reported() {
    let text = "threshold = 0\nrevoked = [\"xyz\"]\nthreshhold = 1\n[[key]]\nid = \"12\"\npublic = \"RW\"\n";
    let faults = Trust::parse(text, "trust.toml").unwrap_err();
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let all = texts.join("\n");
    for part in [
        "trust.toml:1: threshold: found 0",
        "trust.toml:2: revoked: found an array",
        "trust.toml:3: threshhold: found an unknown key",
        "trust.toml:6: key[1].public: found \"RW\"; accepted is the second line of minisign's",
        "key[1].name: missing",
    ] {
        assert!(all.contains(part), "{part}\n--\n{all}");
    }
}

#[test]
fn a_threshold_above_the_usable_keys_is_a_fault() {
    let (anna, ben) = (key("anna"), key("ben"));
    assert!(Trust::parse(&trust_text(1, 2, &[], &[&anna, &ben]), "t").is_ok());
    let faults = Trust::parse(&trust_text(1, 2, &[&ben], &[&anna, &ben]), "t").unwrap_err();
    assert_eq!(faults[0].key, "threshold");
}

#[test]
fn the_id_is_that_of_the_key() {
    let (anna, ben) = (key("anna"), key("ben"));
    let entry = anna
        .entry
        .replace(&anna.signer.id.to_string(), &ben.signer.id.to_string());
    let faults = Trust::parse(&format!("threshold = 1\n{entry}"), "t").unwrap_err();
    assert!(
        faults[0].accepted.contains(&anna.signer.id.to_string()),
        "{faults:?}"
    );
    // minisign may print an id without zeros at the beginning, and in lower case by hand.
    let id: KeyId = "00000000000000AF".parse().unwrap();
    assert_eq!(
        ("af".parse(), id.to_string().as_str()),
        (Ok(id), "00000000000000AF")
    );
    for wrong in ["", "xyz", "+1", "12345678901234567"] {
        assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
    }
}

#[test]
fn a_file_that_others_may_write_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trust.toml");
    let user = fs::metadata(dir.path()).unwrap().uid();
    let error = Trust::read_installed(&file, user).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    fs::write(&file, trust_text(1, 1, &[], &[&key("anna")])).unwrap();
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for accepted in [0o644, 0o600, 0o444] {
        mode(&file, accepted);
        Trust::read_installed(&file, user).unwrap();
    }
    // The sticky bit of a file protects nothing.
    for refused in [0o664, 0o646, 0o666, 0o1666] {
        mode(&file, refused);
        let error = Trust::read_installed(&file, user).unwrap_err();
        assert!(error.to_string().contains("chmod go-w"), "{error}");
    }
    mode(&file, 0o600);
    mode(dir.path(), 0o777);
    assert!(Trust::read_installed(&file, user).is_err());
    mode(dir.path(), 0o700);
    if user != 0 {
        assert!(Trust::read_installed(&file, user + 1).is_err());
    }
}

#[test]
fn a_symbolic_link_to_a_file_that_others_may_replace_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let user = fs::metadata(dir.path()).unwrap().uid();
    let (own, open) = (dir.path().join("own"), dir.path().join("open"));
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for folder in [&own, &open] {
        fs::create_dir(folder).unwrap();
        mode(folder, 0o755);
    }
    let text = trust_text(1, 1, &[], &[&key("anna")]);
    for folder in [&own, &open] {
        let file = folder.join("real.toml");
        fs::write(&file, &text).unwrap();
        mode(&file, 0o644);
    }
    // Directly, and by way of a link in the other directory.
    let (to_open, by_open) = (own.join("trust.toml"), own.join("second.toml"));
    symlink("../open/real.toml", &to_open).unwrap();
    symlink(open.join("link.toml"), &by_open).unwrap();
    symlink("../own/real.toml", open.join("link.toml")).unwrap();
    for link in [&to_open, &by_open] {
        Trust::read_installed(link, user).unwrap();
    }
    mode(&open, 0o777);
    for link in [&to_open, &by_open] {
        let error = Trust::read_installed(link, user).unwrap_err().to_string();
        assert!(
            error.contains("open may be written by other users"),
            "{error}"
        );
    }
    // Nobody replaces the files of others in a directory such as /tmp.
    mode(&open, 0o1777);
    Trust::read_installed(&to_open, user).unwrap();
    // A circle ends.
    symlink("circle", own.join("circle")).unwrap();
    let error = Trust::read_installed(&own.join("circle"), user).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn a_named_pipe_is_no_trust_file() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("trust.toml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let user = fs::metadata(dir.path()).unwrap().uid();
    for error in [Trust::read(&pipe), Trust::read_installed(&pipe, user)] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("it is no regular file"), "{error}");
    }
}

#[test]
fn a_threshold_that_revoked_keys_put_out_of_reach_is_named() {
    let (anna, ben) = (key("anna"), key("ben"));
    let mut trust = trust(3, 2, &[], &[&anna, &ben]);
    trust.revoked.insert(ben.signer.id);
    let both = [signature(&anna, MESSAGE), signature(&ben, MESSAGE)];
    let error = refused(&trust, &both).to_string();
    assert!(
        error.contains("Only 1 of its keys are not revoked"),
        "{error}"
    );
    assert!(error.contains("a version above 3"), "{error}");
}
