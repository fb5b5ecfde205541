//! Downloads a bundle that the broker announced with its address.
//!
//! **In**: the address with size and SHA-256, which nobody signed. **Out**: bytes with that size
//! and SHA-256; nothing else of them is checked. A server that is slow, endless, redirecting or
//! lying costs at most `WAIT_MAX` and the announced bytes.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Url, redirect};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::manifest::Hash;
use super::topics::BundleAddress;
use crate::tls::{self, ClientTlsError};

/// The longest download.
const WAIT_MAX: Duration = Duration::from_mins(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between two parts of the answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 3;

#[derive(Debug, Error)]
pub enum DownloadError {
    #[error("{0}")]
    Authorities(#[from] ClientTlsError),
    #[error("the announced address is no https:// address")]
    NotHttps,
    #[error("{host} did not hand out the bundle: {reason}")]
    Failed { host: String, reason: String },
    #[error("{host} hands out more than the announced {bytes} bytes")]
    TooLong { host: String, bytes: u64 },
    #[error("the file at {host} is not the announced one: its size or SHA-256 differs")]
    OtherFile { host: String },
}

/// Downloads the bundle. `ca`: authorities to trust in addition to the system's.
pub async fn download(address: &BundleAddress, ca: Option<&Path>) -> Result<Bytes, DownloadError> {
    let url = Url::parse(&address.url).ok();
    let url = url.filter(|url| url.scheme() == "https");
    let url = url.ok_or(DownloadError::NotHttps)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |error: &reqwest::Error| DownloadError::Failed {
        host: host.clone(),
        reason: describe(error),
    };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(ca)?)
        .https_only(true)
        .redirect(redirect::Policy::limited(REDIRECTS_MAX))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .timeout(WAIT_MAX)
        .build();
    let client = client.map_err(|error| failed(&error))?;
    let answer = client.get(url).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    let mut answer = answer.map_err(|error| failed(&error))?;
    let mut bytes = BytesMut::new();
    while let Some(part) = answer.chunk().await.map_err(|error| failed(&error))? {
        if (bytes.len() + part.len()) as u64 > address.bytes {
            let bytes = address.bytes;
            return Err(DownloadError::TooLong { host, bytes });
        }
        bytes.extend_from_slice(&part);
    }
    let hash: Hash = Sha256::digest(&bytes).into();
    if bytes.len() as u64 != address.bytes || hash != address.sha256 {
        return Err(DownloadError::OtherFile { host });
    }
    Ok(bytes.freeze())
}

/// Describes an error with its causes, without the address: it may contain a password.
fn describe(error: &reqwest::Error) -> String {
    if let Some(status) = error.status() {
        return format!("it answered {status}");
    }
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() {
        "the request failed".clone_into(&mut text);
    }
    text
}
