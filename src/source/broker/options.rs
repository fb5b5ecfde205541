//! Builds rumqttc's options from the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use reqwest::Url;
use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use thiserror::Error;

use crate::config;
use crate::event::Name;
use crate::source::devices::DevicesError;
use crate::tls;

/// A password is one line: a longer file is something else.
const PASSWORD_BYTES_MAX: usize = 4_096;
/// Publishes that rumqttc numbers before it starts again at 1. Far above what the outbox has under
/// way, so that a broker which acknowledges out of order never meets a number that is still in use.
const PACKET_IDS: u16 = 8_192;

/// Why there is no client: a fault of the configuration.
#[derive(Debug, Error)]
pub enum BrokerError {
    #[error("mqtt.broker.devices: {0}")]
    Devices(#[from] DevicesError),
    #[error("mqtt.broker.url is not mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")]
    Url,
    #[error("mqtt.broker.password_file: cannot read {}: {error}", .path.display())]
    Password { path: PathBuf, error: io::Error },
    #[error("mqtt.broker.password_file: {} is empty or longer than {PASSWORD_BYTES_MAX} bytes: it holds the password, alone", .0.display())]
    PasswordSize(PathBuf),
    #[error("mqtt.broker.ca: {0}")]
    Ca(#[from] tls::ClientTlsError),
    #[error("{key}: {}: {why}; name a PEM file", .path.display())]
    Certificate {
        key: &'static str,
        path: PathBuf,
        why: String,
    },
}

pub(super) fn options(config: &config::Broker, site: &Name) -> Result<MqttOptions, BrokerError> {
    let url = Url::parse(&config.url).map_err(|_| BrokerError::Url)?;
    let host = url.host_str().filter(|host| !host.is_empty());
    let (host, tls) = match (host, url.scheme()) {
        (Some(host), "mqtt") => (host, false),
        (Some(host), "mqtts") => (host, true),
        _ => return Err(BrokerError::Url),
    };
    let port = url.port().unwrap_or(if tls { 8883 } else { 1883 });
    let client_id = match &config.client_id {
        Some(id) => id.clone(),
        None => format!("stockrelay-{site}"),
    };
    let mut options = MqttOptions::new(client_id, host, port);
    options
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_keep_alive(Duration::from_secs(config.keep_alive_s.into()))
        .set_inflight(PACKET_IDS)
        .set_max_packet_size(config.packet_bytes_max, config.packet_bytes_max);
    if let Some(username) = &config.username {
        let password = match &config.password_file {
            Some(path) => read_password(path)?,
            None => String::new(),
        };
        options.set_credentials(username, password);
    }
    if tls {
        let client = tls_config(config)?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(client)));
    }
    Ok(options)
}

/// Hashes the files with the password and the certificates: a renewed one is a change.
pub(super) fn hash_credentials(config: &config::Broker) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let files = [
        &config.password_file,
        &config.ca,
        &config.client_cert,
        &config.client_key,
    ];
    for file in files {
        let content = file.as_ref().and_then(|file| fs::read(file).ok());
        let content = content.unwrap_or_default();
        hasher.update(&content.len().to_le_bytes());
        hasher.update(&content);
    }
    hasher.finalize()
}

fn read_password(path: &Path) -> Result<String, BrokerError> {
    let text = fs::read_to_string(path).map_err(|error| BrokerError::Password {
        path: path.to_owned(),
        error,
    })?;
    let password = text.trim();
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(BrokerError::PasswordSize(path.to_owned()));
    }
    Ok(password.to_owned())
}

fn tls_config(config: &config::Broker) -> Result<Arc<rustls::ClientConfig>, BrokerError> {
    let mut client = tls::client_config(config.ca.as_deref())?;
    if let (Some(cert), Some(key)) = (&config.client_cert, &config.client_key) {
        let fault = |key, path: &Path, why: String| BrokerError::Certificate {
            key,
            path: path.to_owned(),
            why,
        };
        let cert_fault = |why| fault("mqtt.broker.client_cert", cert, why);
        let key_fault = |why| fault("mqtt.broker.client_key", key, why);
        let chain = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| cert_fault(error.to_string()))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| key_fault(error.to_string()))?;
        let certified = CertifiedKey::from_der(chain, private, client.crypto_provider())
            .map_err(|error| cert_fault(error.to_string()))?;
        client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    }
    Ok(Arc::new(client))
}
