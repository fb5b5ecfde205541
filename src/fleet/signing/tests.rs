use super::*;
use crate::fleet::Trust;
use crate::fleet::samples::{CAPTURE, MANIFEST_DRAFT, bundle, key, trust};

fn password(text: &str) -> SecretString {
    text.to_owned().into()
}

#[test]
fn an_encrypted_key_opens_with_its_password_only() {
    let new = make_key(Some(&password("open sesame"))).unwrap();
    assert!(new.public_file.contains(&new.public), "{}", new.public_file);
    let open = |word: &str| open_key::<KeyError>(&new.secret_file, || Ok(password(word)));
    let opened = open("open sesame").unwrap();
    assert_eq!(opened.id, new.id);
    assert_eq!(open("open says me").err(), Some(KeyError::WrongPassword));
    let text = format!(
        "threshold = 1\n[[key]]\nid = \"{}\"\npublic = \"{}\"\nname = \"x\"\n",
        new.id, new.public
    );
    let trust = Trust::parse(&text, "trust.toml").unwrap();
    let unsigned = bundle(MANIFEST_DRAFT, &[CAPTURE]);
    let bytes = sign_bundle(&unsigned, &opened).unwrap().into();
    assert!(crate::fleet::verify(&bytes, &trust).is_ok());
}

#[test]
fn another_file_is_no_key() {
    let new = make_key(None).unwrap();
    let asked = || unreachable!("no password is needed");
    for text in [
        "",
        "x",
        "a\nb\n",
        new.public_file.as_str(),
        "untrusted comment: x\nRWRTY0Iy\n",
    ] {
        let opened = open_key::<KeyError>(&password(text), || Ok(password("x")));
        assert!(opened.is_err(), "{text}");
    }
    assert!(open_key::<KeyError>(&new.secret_file, asked).is_ok());
}

#[test]
fn a_second_signature_of_a_key_replaces_its_first() {
    let (anna, ben) = (key("anna"), key("ben"));
    let unsigned = bundle(MANIFEST_DRAFT, &[CAPTURE]);
    let mut signed = unsigned;
    for signer in [&anna, &ben, &anna] {
        signed = sign_bundle(&signed, &signer.signer).unwrap().into();
    }
    assert_eq!(Bundle::read(&signed).unwrap().signatures.len(), 2);
    let trust = trust(1, 2, &[], &[&anna, &ben]);
    assert!(crate::fleet::verify(&signed, &trust).is_ok());
}

#[test]
fn a_bundle_that_a_gateway_would_refuse_is_not_signed() {
    let anna = key("anna");
    let code =
        |files: &[(&str, &str)]| match sign_bundle(&bundle(MANIFEST_DRAFT, files), &anna.signer) {
            Err(SignError::Bundle(error)) => error.code(),
            other => panic!("{other:?}"),
        };
    assert_eq!(
        code(&[("devices.toml", "[devices.a]\npassword = \"x\"\n")]),
        "secret"
    );
    assert_eq!(
        code(&[("config.d/1.toml", "site = \"x\"\n")]),
        "forbidden-key"
    );
    assert_eq!(
        code(&[("config.d/1.toml", "# -----BEGIN PRIVATE KEY-----\n")]),
        "secret"
    );
    assert_eq!(code(&[("other.toml", "")]), "manifest");
}
