//! Downloads a bundle from a web server.
//!
//! **In**: an address, which nobody signed. **Out**: the bytes of the answer; of an address that
//! the broker announced, only bytes with the announced size and SHA-256. Nothing else of them is
//! checked. A server that is slow, endless, redirecting or lying costs at most `WAIT_MAX` and the
//! accepted number of bytes.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{StatusCode, Url, redirect};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::archive::BYTES_MAX;
use super::manifest::Hash;
use super::topics::BundleAddress;
use crate::source::broker::{BrokerError, FLEET_KEYS, client_tls};
use crate::tls::{self, ClientTlsError};

/// The longest download.
const WAIT_MAX: Duration = Duration::from_mins(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between two parts of the answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 3;
/// The longest `ETag` that is used, in bytes.
const ETAG_BYTES_MAX: usize = 256;

#[derive(Debug, Error)]
pub enum DownloadError {
    #[error("{0}")]
    Authorities(#[from] ClientTlsError),
    /// A file of `[fleet]`.
    #[error("{0}")]
    Files(#[from] BrokerError),
    #[error("the address of the bundle is no https:// address")]
    NotHttps,
    #[error("{host} did not hand out the bundle: {reason}")]
    Failed { host: String, reason: String },
    #[error(
        "{host} redirects to an address that is not https://, or more than {REDIRECTS_MAX} times"
    )]
    Redirected { host: String },
    #[error("{host} hands out more than {bytes} bytes")]
    TooLong { host: String, bytes: u64 },
    #[error("the file at {host} is not the announced one: its size or SHA-256 differs")]
    OtherFile { host: String },
}

impl DownloadError {
    /// Whether the server or the network failed, so that the same request may succeed later.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// What may be reported about an announced address. Nobody signed the address: what the gateway
    /// finds there must not tell others which hosts and ports it reaches.
    #[must_use]
    pub fn neutral(&self) -> String {
        match self {
            Self::NotHttps | Self::Files(_) | Self::Authorities(_) => self.to_string(),
            Self::Failed { .. }
            | Self::Redirected { .. }
            | Self::TooLong { .. }
            | Self::OtherFile { .. } => {
                "the announced address does not hand out this bundle; the gateway's log and status have the reason"
                    .to_owned()
            }
        }
    }

    /// Whether a file of `[fleet]` has a fault.
    #[must_use]
    pub fn is_file_fault(&self) -> bool {
        matches!(self, Self::Files(_) | Self::Authorities(_))
    }
}

/// The certificate authorities to trust in addition to the system's, and the client certificate.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebFiles<'a> {
    pub ca: Option<&'a Path>,
    pub client_cert: Option<&'a Path>,
    pub client_key: Option<&'a Path>,
}

/// The answer of a web server.
#[derive(Debug)]
pub enum Fetched {
    /// The bundle is the one with this `ETag`.
    NotModified,
    Body {
        bytes: Bytes,
        etag: Option<String>,
    },
}

/// A client of web servers.
#[derive(Debug, Clone)]
pub struct Web {
    secure: reqwest::Client,
    /// For a server on this machine, without TLS.
    local: reqwest::Client,
}

impl Web {
    /// Reads the files.
    pub fn new(files: WebFiles<'_>) -> Result<Self, DownloadError> {
        let certificate = (files.client_cert, files.client_key);
        Self::with_tls(&client_tls(files.ca, certificate, &FLEET_KEYS)?)
    }

    fn with_tls(tls: &rustls::ClientConfig) -> Result<Self, DownloadError> {
        let build = |is_secure| {
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .https_only(is_secure)
                .redirect(redirects(is_secure))
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                .timeout(WAIT_MAX)
                .build();
            client.map_err(|error| DownloadError::Failed {
                host: "the web client".to_owned(),
                reason: describe(&error),
            })
        };
        Ok(Self {
            secure: build(true)?,
            local: build(false)?,
        })
    }

    /// Downloads an announced bundle, only with `https://`.
    pub async fn download(&self, address: &BundleAddress) -> Result<Bytes, DownloadError> {
        let url = Url::parse(&address.url).ok();
        let url = url.filter(|url| url.scheme() == "https");
        let url = url.ok_or(DownloadError::NotHttps)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let Fetched::Body { bytes, .. } = self.get(url, None, address.bytes).await? else {
            let reason = "it answered 304 Not Modified".to_owned();
            return Err(DownloadError::Failed { host, reason });
        };
        let (size, wanted) = (bytes.len() as u64, address.bytes);
        let hashed = move || -> (Hash, Bytes) { (Sha256::digest(&bytes).into(), bytes) };
        let hashed = tokio::task::spawn_blocking(hashed).await;
        match hashed {
            Ok((hash, bytes)) if size == wanted && hash == address.sha256 => Ok(bytes),
            _ => Err(DownloadError::OtherFile { host }),
        }
    }

    /// Asks for the bundle at an address, unless it still has this `ETag`. `http://` is accepted: the
    /// configuration allows it only to this machine.
    pub async fn poll(&self, url: &str, etag: Option<&str>) -> Result<Fetched, DownloadError> {
        let url = Url::parse(url).map_err(|_| DownloadError::NotHttps)?;
        self.get(url, etag, BYTES_MAX as u64).await
    }

    async fn get(
        &self,
        url: Url,
        etag: Option<&str>,
        bytes_max: u64,
    ) -> Result<Fetched, DownloadError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let failed = |error: &reqwest::Error| {
            let host = host.clone();
            if error.is_redirect() {
                return DownloadError::Redirected { host };
            }
            let reason = describe(error);
            DownloadError::Failed { host, reason }
        };
        let client = match url.scheme() {
            "https" => &self.secure,
            _ => &self.local,
        };
        let mut request = client.get(url);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let answer = request.send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(|error| failed(&error))?;
        match answer.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Fetched::NotModified),
            StatusCode::OK => {}
            status => {
                let reason = format!("it answered {status}");
                return Err(DownloadError::Failed { host, reason });
            }
        }
        let etag = answer.headers().get(ETAG).and_then(read_etag);
        let mut bytes = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(|error| failed(&error))? {
            if (bytes.len() + part.len()) as u64 > bytes_max {
                let bytes = bytes_max;
                return Err(DownloadError::TooLong { host, bytes });
            }
            bytes.extend_from_slice(&part);
        }
        let bytes = bytes.freeze();
        Ok(Fetched::Body { bytes, etag })
    }
}

/// Downloads the bundle. `ca`: authorities to trust in addition to the system's.
pub async fn download(address: &BundleAddress, ca: Option<&Path>) -> Result<Bytes, DownloadError> {
    let web = Web::with_tls(&tls::client_config(ca)?)?;
    web.download(address).await
}

fn redirects(is_secure: bool) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        let is_https = attempt.url().scheme() == "https";
        let is_same_host = (attempt.previous().first())
            .is_some_and(|first| first.host_str() == attempt.url().host_str());
        let is_allowed = is_https || (!is_secure && is_same_host);
        if is_allowed && attempt.previous().len() <= REDIRECTS_MAX {
            attempt.follow()
        } else {
            attempt.error("not followed")
        }
    })
}

fn read_etag(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    (!text.is_empty() && text.len() <= ETAG_BYTES_MAX).then(|| text.to_owned())
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
