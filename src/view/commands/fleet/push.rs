//! `fleet push`.

use std::io::Write;

use bytes::Bytes;
use reqwest::Url;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::centre::Published;
use super::stopping::describe_stop_of;
use super::{Central, describe, find_trust, warn};
use crate::fleet::manifest::Manifest;
use crate::fleet::stop::{self, Stop};
use crate::fleet::topics::{BundleAddress, bundle_topic};
use crate::fleet::{self, Bundle, BundleError, Trust};
use crate::view::cli::PushArgs;
use crate::view::commands::config::{Process, failed, read_file, refused};
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::table::plain;

/// Publishes a bundle.
pub async fn push(
    central: &Central,
    args: &PushArgs,
    process: &Process<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let bytes = read_file(&args.bundle)?;
    let trust = find_trust(args.trust.as_deref(), process)?;
    if trust.is_none() {
        warn("the signatures of the bundle are not verified: name your keys with --trust");
    }
    let bundle = Bundle::read(&bytes).map_err(refused)?;
    check_signed(&bundle, args)?;
    if let Some(trust) = &trust {
        fleet::verify(&bytes, trust).map_err(refused)?;
    }
    let manifest = &bundle.manifest;
    if process.now >= manifest.expires {
        let expires = manifest.expires;
        return Err(refused(BundleError::Expired { expires }));
    }
    let topic = bundle_topic(args.group.as_ref());
    let payload = match &args.url {
        Some(url) => announce(url, manifest, &bytes)?,
        None => bytes.clone(),
    };
    let mut desk = central.connect().await?;
    let published = Published::read(&mut desk).await?;
    let present = published
        .bundles(central, manifest.serial, trust.as_ref())
        .await;
    refuse_used_serial(&bundle, &present)?;
    warn_if_stopped(manifest.serial, published.stop.as_ref(), trust.as_ref());
    desk.publish(&topic, &payload).await.map_err(describe)?;
    desk.close().await;
    if args.json {
        let (serial, bytes) = (manifest.serial, payload.len());
        let done =
            json!({ "serial": serial, "name": manifest.name, "topic": topic, "bytes": bytes });
        json_line(out, &done)?;
        return Ok(EXIT_DONE);
    }
    let what = match &args.url {
        Some(_) => "the address of bundle",
        None => "bundle",
    };
    writeln!(
        out,
        "the broker has {what} {} ({}), {} bytes, on {topic}; watch the rollout with `stockrelay fleet watch {} --sign KEY`",
        manifest.serial,
        plain(&manifest.name),
        payload.len(),
        manifest.serial
    )?;
    Ok(EXIT_DONE)
}

/// A message that no key signed has no effect at the gateways.
fn warn_if_stopped(serial: u64, retained: Option<&Bytes>, trust: Option<&Trust>) {
    let read = |bytes| match trust {
        Some(trust) => stop::verify(bytes, trust),
        None => Stop::read(bytes),
    };
    let known = retained.and_then(|bytes| read(bytes).ok());
    if let Some(stop) = known.filter(|stop| stop.stops(serial)) {
        warn(&format!(
            "gateways store the bundle and do not apply it: {}",
            describe_stop_of(serial, &stop)
        ));
    }
}

/// No gateway accepts a bundle without a signature.
fn check_signed(bundle: &Bundle, args: &PushArgs) -> Result<(), CommandError> {
    if bundle.signatures.is_empty() {
        let shown = args.bundle.display();
        return Err(failed(format!(
            "{shown} has no signature: sign it with `stockrelay config sign {shown} --key KEY`"
        )));
    }
    Ok(())
}

/// Builds the announcement of an address.
fn announce(url: &str, manifest: &Manifest, bytes: &Bytes) -> Result<Bytes, CommandError> {
    let is_accepted = |url: &Url| {
        let has_login = !url.username().is_empty() || url.password().is_some();
        url.scheme() == "https" && url.host_str().is_some() && !has_login
    };
    if !Url::parse(url).is_ok_and(|url| is_accepted(&url)) {
        let text = "--url is not https://HOST/PATH without a name and password";
        return Err(CommandError::Usage(text.to_owned()));
    }
    let address = BundleAddress {
        serial: manifest.serial,
        url: url.to_owned(),
        sha256: Sha256::digest(bytes).into(),
        bytes: bytes.len() as u64,
    };
    Ok(address.text().into())
}

/// Refuses a serial that is not above those on the broker, except for the same bundle.
fn refuse_used_serial(bundle: &Bundle, present: &[(&str, Bundle)]) -> Result<(), CommandError> {
    let serial = bundle.manifest.serial;
    let is_other = |other: &Bundle| {
        other.manifest.serial > serial
            || other.manifest.serial == serial && other.hash() != bundle.hash()
    };
    let others = present.iter().filter(|(_, other)| is_other(other));
    let Some((topic, other)) = others.max_by_key(|(_, other)| other.manifest.serial) else {
        return Ok(());
    };
    let found = other.manifest.serial;
    let name = plain(&other.manifest.name);
    let problem = if found == serial {
        format!("{topic} has another bundle with serial {serial} ({name})")
    } else {
        format!("{topic} has bundle {found} ({name}), and {serial} is not above it")
    };
    Err(failed(format!(
        "{problem}: make the bundle again with a serial above {found}. If that bundle is not yours, name your keys with --trust"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let text = "format = 1\nserial = 42\nname = \"n\"\ncreated = \"2026-11-28T09:00:00Z\"\n\
                    expires = \"2027-03-01T00:00:00Z\"\n[targets]\nall = true\n[[ring]]\nall = true\n";
        Manifest::parse_draft(text).unwrap()
    }

    fn bundle(serial: u64, manifest_bytes: &'static [u8]) -> Bundle {
        Bundle {
            manifest: Manifest {
                serial,
                ..manifest()
            },
            manifest_bytes: Bytes::from_static(manifest_bytes),
            signatures: Vec::new(),
            files: [].into(),
        }
    }

    #[test]
    fn a_serial_rises_or_is_that_of_the_same_bundle() {
        let new = bundle(42, b"new");
        for (other, expected) in [
            (bundle(41, b"other"), None),
            (bundle(42, b"new"), None),
            (bundle(42, b"other"), Some("another bundle with serial 42")),
            (bundle(43, b"other"), Some("42 is not above it")),
        ] {
            let present = [("stockrelay-fleet/v1/bundle", other)];
            let error = refuse_used_serial(&new, &present).err();
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            match expected {
                Some(expected) => assert!(text.contains(expected), "{text}"),
                None => assert_eq!(text, ""),
            }
        }
    }

    #[test]
    fn an_address_is_https_without_a_login() {
        let bytes = Bytes::from_static(b"tar");
        let good = announce("https://it.example/42.bundle", &manifest(), &bytes).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&good).unwrap();
        assert_eq!((&json["serial"], &json["bytes"]), (&42.into(), &3.into()));
        for url in ["http://it.example/b", "https://a:b@it.example/b", "file"] {
            let error = announce(url, &manifest(), &bytes).unwrap_err();
            assert!(matches!(error, CommandError::Usage(_)), "{url}: {error}");
        }
    }
}
