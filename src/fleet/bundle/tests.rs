use super::*;
use crate::fleet::manifest::list_files;
use crate::fleet::samples::{
    CAPTURE, Key, MANIFEST_DRAFT, bundle, key, sign, signed, trust, trust_text, unlisted,
};

#[track_caller]
fn refused(bytes: &Bytes, trust: &Trust) -> BundleError {
    verify(bytes, trust).expect_err("it is refused")
}

fn one_key() -> (Key, Trust) {
    let anna = key("anna");
    let trust = trust(1, 1, &[], &[&anna]);
    (anna, trust)
}

#[test]
fn a_signed_bundle_is_verified_with_its_files() {
    let (anna, trust) = one_key();
    let verified = verify(&signed(&[&anna]), &trust).unwrap();
    assert_eq!(verified.bundle.manifest.serial, 42);
    assert_eq!(verified.bundle.files[CAPTURE.0], CAPTURE.1);
    assert_eq!(verified.signers, [anna.signer.id].into());
    assert_eq!((verified.new_trust.clone(), verified.link()), (None, None));
}

#[test]
fn a_bundle_without_signature_is_refused_before_its_manifest_is_parsed() {
    let (_, trust) = one_key();
    for manifest in [MANIFEST_DRAFT, "no TOML at ["] {
        let error = refused(&unlisted(manifest, &[]), &trust);
        assert_eq!(error.code(), "too-few-signatures");
    }
}

/// Any changed bit of a signed bundle is found, wherever it is.
#[test]
fn every_changed_byte_is_refused() {
    let (anna, trust) = one_key();
    let good = signed(&[&anna]);
    let accepted = verify(&good, &trust).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x20;
        // An untrusted comment and the fields of a tar header for people do not count.
        if let Ok(verified) = verify(&bytes.into(), &trust) {
            assert_eq!(verified.bundle.files, accepted.bundle.files, "byte {at}");
            assert_eq!(
                verified.bundle.manifest, accepted.bundle.manifest,
                "byte {at}"
            );
        }
    }
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let (anna, trust) = one_key();
    // `sign_bundle` does not sign such bundles.
    let sign = |bytes: &Bytes| {
        let mut parts = parts::read(bytes, MANIFEST).unwrap();
        let bytes = anna.signer.sign(&parts.signed).unwrap().into();
        let id = anna.signer.id;
        parts.signatures.push(SignatureFile { id, bytes });
        Bytes::from(parts.write(MANIFEST).unwrap())
    };
    let honest = format!(
        "{MANIFEST_DRAFT}{}",
        list_files([(CAPTURE.0, CAPTURE.1.as_bytes())])
    );
    let files = [CAPTURE];
    let other = [(CAPTURE.0, "[capture]\ncheck = \"lenien\"\n")];
    let second = [CAPTURE, ("devices.toml", "")];
    for (manifest, files, code) in [
        (
            honest.replace("bytes = 27", "bytes = 28"),
            &files[..],
            "wrong-size",
        ),
        (honest.clone(), &[(CAPTURE.0, "")], "wrong-size"),
        (honest.clone(), &other, "wrong-hash"),
        (honest.clone(), &[], "missing-file"),
        (honest.clone(), &second, "not-listed"),
        (
            honest.replace("serial = 42", "serial = \"42\""),
            &files,
            "manifest",
        ),
        ("[".to_owned(), &files, "manifest"),
    ] {
        let error = refused(&sign(&unlisted(&manifest, files)), &trust);
        assert_eq!(error.code(), code, "{error}");
    }
    assert!(verify(&sign(&unlisted(&honest, &files)), &trust).is_ok());
}

#[test]
fn the_files_of_two_bundles_cannot_be_mixed() {
    let (anna, trust) = one_key();
    let one = parts::read(&signed(&[&anna]), MANIFEST).unwrap();
    let draft = MANIFEST_DRAFT.replace("42", "43");
    let other = sign(
        &bundle(&draft, &[(CAPTURE.0, "[capture]\ncheck = \"off\"\n")]),
        &[&anna],
    );
    let other = parts::read(&other, MANIFEST).unwrap();
    let mixed = Parts {
        files: one.files,
        signed: other.signed.clone(),
        signatures: other.signatures,
    };
    let mixed = mixed.write(MANIFEST).unwrap().into();
    assert_eq!(refused(&mixed, &trust).code(), "wrong-size");
    let mixed = Parts {
        files: other.files,
        signed: other.signed,
        signatures: one.signatures,
    };
    let mixed = mixed.write(MANIFEST).unwrap().into();
    assert_eq!(refused(&mixed, &trust).code(), "wrong-signature");
}

#[test]
fn the_manifest_is_first_and_no_other_file_is_beside_it() {
    let (_, trust) = one_key();
    let archive = |files: &[(&str, &[u8])]| {
        let files = files.iter().copied();
        Bytes::from(crate::fleet::archive::write(files).unwrap())
    };
    for (files, code) in [
        (&[][..], "no-manifest"),
        (&[("files/a", &b""[..]), (MANIFEST, b"")], "no-manifest"),
        (&[("stop.toml", b"")], "no-manifest"),
        (&[(MANIFEST, b""), ("README", b"")], "foreign-file"),
        (
            &[(MANIFEST, b""), ("manifest.toml.minisig", b"")],
            "foreign-file",
        ),
        (
            &[(MANIFEST, b""), ("manifest.toml.xyz.minisig", b"")],
            "foreign-file",
        ),
        (
            &[(MANIFEST, b""), ("stop.toml.12.minisig", b"")],
            "foreign-file",
        ),
    ] {
        assert_eq!(refused(&archive(files), &trust).code(), code, "{files:?}");
    }
}

#[test]
fn content_that_a_bundle_must_not_have_is_refused_although_it_is_signed() {
    let (anna, trust) = one_key();
    for (path, text, code) in [
        ("config.d/1.toml", "site = \"x\"\n", "forbidden-key"),
        ("devices.toml", "[devices.a]\npassword = \"x\"\n", "secret"),
        ("config.d/1.toml", "a = [\n", "syntax"),
    ] {
        let unsigned = bundle(MANIFEST_DRAFT, &[(path, text)]);
        let mut parts = parts::read(&unsigned, MANIFEST).unwrap();
        let bytes = anna.signer.sign(&parts.signed).unwrap().into();
        let id = anna.signer.id;
        parts.signatures.push(SignatureFile { id, bytes });
        let bytes = parts.write(MANIFEST).unwrap().into();
        assert_eq!(refused(&bytes, &trust).code(), code);
    }
}

/// A bundle that brings a trust.toml.
fn with_trust(serial: u64, text: &str, keys: &[&Key]) -> Bytes {
    let draft = MANIFEST_DRAFT.replace("42", &serial.to_string());
    sign(&bundle(&draft, &[("trust.toml", text)]), keys)
}

#[test]
fn new_trusted_keys_need_the_old_and_the_new_threshold() {
    let (old, new, third) = (key("old"), key("new"), key("third"));
    let trusted = trust(1, 1, &[], &[&old]);
    let text = trust_text(2, 2, &[&old], &[&new, &third]);
    for (keys, code) in [
        (&[][..], "too-few-signatures"),
        (&[&new, &third], "unknown-key"),
        (&[&old], "new-trust"),
        (&[&old, &new], "new-trust"),
    ] {
        let error = refused(&with_trust(43, &text, keys), &trusted);
        assert_eq!(error.code(), code, "{error}");
    }
    let verified = verify(&with_trust(43, &text, &[&old, &new, &third]), &trusted).unwrap();
    let now = verified.new_trust.clone().unwrap();
    assert_eq!((now.version, now.threshold), (2, 2));
    // From now on the old key does not count.
    let error = refused(&signed(&[&old]), &now);
    assert_eq!(error.code(), "revoked-key");
}

#[test]
fn a_trust_file_needs_a_higher_version() {
    let (old, new) = (key("old"), key("new"));
    let trusted = trust(2, 1, &[], &[&old]);
    for (version, code) in [(1, "trust-version"), (2, "trust-version")] {
        let text = trust_text(version, 1, &[], &[&new]);
        let error = refused(&with_trust(43, &text, &[&old, &new]), &trusted);
        assert_eq!(error.code(), code);
    }
    // The same trusted keys again are no change, whatever the comments are.
    let same = format!("# again\n{}", trust_text(2, 1, &[], &[&old]));
    let verified = verify(&with_trust(43, &same, &[&old]), &trusted).unwrap();
    assert_eq!(verified.new_trust, None);
    let error = refused(&with_trust(43, "threshold = 0\n", &[&old]), &trusted);
    assert_eq!(error.code(), "trust");
}

#[test]
fn a_chain_of_trusted_keys_holds_only_while_it_verifies_from_the_installed_ones() {
    let (one, two, three, other) = (key("1"), key("2"), key("3"), key("other"));
    let installed = trust(1, 1, &[], &[&one]);
    let second = trust(2, 1, &[&one], &[&two]);
    let link = |trust: &Trust, serial, text: &str, keys: &[&Key]| {
        let verified = verify(&with_trust(serial, text, keys), trust).unwrap();
        Bytes::from(verified.link().unwrap().bytes)
    };
    let to_2 = link(
        &installed,
        43,
        &trust_text(2, 1, &[&one], &[&two]),
        &[&one, &two],
    );
    let to_3 = link(
        &second,
        44,
        &trust_text(3, 1, &[], &[&three]),
        &[&two, &three],
    );
    let (now, error) = chain::follow(installed.clone(), &[to_3.clone(), to_2.clone()]);
    assert_eq!((now.version, error), (3, None));
    // Without the link between, and from other installed keys, the later one has no effect.
    let (now, error) = chain::follow(installed.clone(), std::slice::from_ref(&to_3));
    assert_eq!(
        (now, error.unwrap().code()),
        (installed.clone(), "unknown-key")
    );
    let foreign = trust(1, 1, &[], &[&other]);
    let (now, error) = chain::follow(foreign.clone(), &[to_2.clone(), to_3.clone()]);
    assert_eq!((now, error.unwrap().code()), (foreign, "unknown-key"));
    // A newer file that was installed by hand leaves older links without effect.
    let newer = trust(3, 1, &[], &[&other]);
    assert_eq!(
        chain::follow(newer.clone(), &[to_2.clone(), to_3]),
        (newer, None)
    );
    // A link that was changed on the disk has no effect.
    let mut parts = parts::read(&to_2, MANIFEST).unwrap();
    let text = trust_text(9, 1, &[], &[&other]);
    parts.files.insert(TRUST.to_owned(), text.into());
    let changed = parts.write(MANIFEST).unwrap().into();
    let (now, error) = chain::follow(installed.clone(), &[changed]);
    assert_eq!((now, error.unwrap().code()), (installed, "wrong-hash"));
}

#[test]
fn a_key_that_the_installed_file_revokes_stays_revoked_along_the_chain() {
    let (anna, ben, dora) = (key("anna"), key("ben"), key("dora"));
    let link = |trust: &Trust, serial, text: &str, keys: &[&Key]| {
        let verified = verify(&with_trust(serial, text, keys), trust).unwrap();
        Bytes::from(verified.link().unwrap().bytes)
    };
    let first = trust(1, 1, &[], &[&anna, &ben]);
    let second = trust_text(2, 1, &[], &[&anna, &ben, &dora]);
    let to_2 = link(&first, 43, &second, &[&anna]);
    // A person revokes the key in the file of version 1 that is installed.
    let corrected = trust(1, 1, &[&dora], &[&anna, &ben]);
    let (now, error) = chain::follow(corrected.clone(), std::slice::from_ref(&to_2));
    assert_eq!((now.version, error), (2, None));
    assert_eq!(refused(&signed(&[&dora]), &now).code(), "revoked-key");
    assert!(!now.valid_keys().contains(&dora.signer.id));
    // A bundle revokes a key, and the next one leaves it out of `revoked`.
    let third = trust_text(3, 1, &[&ben], &[&anna, &ben]);
    let now = chain::follow(first.clone(), std::slice::from_ref(&to_2)).0;
    let to_3 = link(&now, 44, &third, &[&anna]);
    let now = chain::follow(first.clone(), &[to_2.clone(), to_3.clone()]).0;
    let fourth = trust_text(4, 1, &[], &[&anna, &ben]);
    let to_4 = link(&now, 45, &fourth, &[&anna]);
    let (now, error) = chain::follow(first, &[to_2, to_3, to_4]);
    assert_eq!((now.version, error), (4, None));
    assert_eq!(refused(&signed(&[&ben]), &now).code(), "revoked-key");
}
