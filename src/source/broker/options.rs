//! Builds rumqttc's options for the gateway's client of `[mqtt.broker]`, and for any [`Account`] at
//! a broker.

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

/// A broker, and how a client logs in there.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub url: &'a str,
    pub username: Option<&'a str>,
    pub password_file: Option<&'a Path>,
    pub ca: Option<&'a Path>,
    pub client_cert: Option<&'a Path>,
    pub client_key: Option<&'a Path>,
    pub names: &'static SettingNames,
}

/// How messages name the client and its settings.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingNames {
    /// Such as "the gateway".
    pub client: &'static str,
    pub url: &'static str,
    pub username: &'static str,
    pub password_file: &'static str,
    pub ca: &'static str,
    pub client_cert: &'static str,
    pub client_key: &'static str,
    pub packet_bytes_max: &'static str,
}

/// The keys of `[mqtt.broker]`.
pub const BROKER_KEYS: SettingNames = SettingNames {
    client: "the gateway",
    url: "mqtt.broker.url",
    username: "mqtt.broker.username",
    password_file: "mqtt.broker.password_file",
    ca: "mqtt.broker.ca",
    client_cert: "mqtt.broker.client_cert",
    client_key: "mqtt.broker.client_key",
    packet_bytes_max: "mqtt.broker.packet_bytes_max",
};

/// The keys of `[fleet]`.
pub const FLEET_KEYS: SettingNames = SettingNames {
    client: "the gateway",
    url: "fleet.broker",
    username: "fleet.username",
    password_file: "fleet.password_file",
    ca: "fleet.ca",
    client_cert: "fleet.client_cert",
    client_key: "fleet.client_key",
    packet_bytes_max: "the largest bundle",
};

/// Why there is no client: a fault of the configuration.
#[derive(Debug, Error)]
pub enum BrokerError {
    #[error("mqtt.broker.devices: {0}")]
    Devices(#[from] DevicesError),
    #[error("{key} is not mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")]
    Url { key: &'static str },
    #[error("{key}: cannot read {path}: {error}; write the password into the file, and let only the daemon's user read it: chown stockrelay {path} && chmod 600 {path}", path = .path.display())]
    Password {
        key: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    #[error("{key}: {} is empty or longer than {PASSWORD_BYTES_MAX} bytes; write only the password into the file", .path.display())]
    PasswordSize { key: &'static str, path: PathBuf },
    #[error("{key}: {error}")]
    Ca {
        key: &'static str,
        error: tls::ClientTlsError,
    },
    #[error("{key}: {}: {why}; write the certificate, and the key that belongs to it, into two PEM files that the daemon's user can read", .path.display())]
    Certificate {
        key: &'static str,
        path: PathBuf,
        why: String,
    },
}

/// Builds the options of the gateway's client.
pub(super) fn options(config: &config::Broker, site: &Name) -> Result<MqttOptions, BrokerError> {
    let client_id = match &config.client_id {
        Some(id) => id.clone(),
        None => format!("stockrelay-{site}"),
    };
    let account = Account {
        url: &config.url,
        username: config.username.as_deref(),
        password_file: config.password_file.as_deref(),
        ca: config.ca.as_deref(),
        client_cert: config.client_cert.as_deref(),
        client_key: config.client_key.as_deref(),
        names: &BROKER_KEYS,
    };
    let mut options = account.options(client_id)?;
    options
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_keep_alive(Duration::from_secs(config.keep_alive_s.into()))
        .set_inflight(PACKET_IDS)
        .set_max_packet_size(config.packet_bytes_max, config.packet_bytes_max);
    Ok(options)
}

/// Hashes the files with the password and the certificates: a renewed one is a change.
#[must_use]
pub fn hash_files(files: [Option<&Path>; 4]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let content = file.and_then(|file| fs::read(file).ok());
        let content = content.unwrap_or_default();
        hasher.update(&content.len().to_le_bytes());
        hasher.update(&content);
    }
    hasher.finalize()
}

impl<'a> Account<'a> {
    /// The account of a gateway at central IT's broker.
    #[must_use]
    pub fn of_fleet(broker: &'a config::FleetBroker) -> Self {
        Self {
            url: &broker.url,
            username: broker.username.as_deref(),
            password_file: broker.password_file.as_deref(),
            ca: broker.ca.as_deref(),
            client_cert: broker.client_cert.as_deref(),
            client_key: broker.client_key.as_deref(),
            names: &FLEET_KEYS,
        }
    }

    /// Builds a client's options: address, TLS and login. Reads the files that the account names.
    pub fn options(&self, client_id: String) -> Result<MqttOptions, BrokerError> {
        let key = self.names.url;
        let url = Url::parse(self.url).map_err(|_| BrokerError::Url { key })?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let (host, tls) = match (host, url.scheme()) {
            (Some(host), "mqtt") => (host, false),
            (Some(host), "mqtts") => (host, true),
            _ => return Err(BrokerError::Url { key }),
        };
        let port = url.port().unwrap_or(if tls { 8883 } else { 1883 });
        let mut options = MqttOptions::new(client_id, host, port);
        if let Some(username) = self.username {
            let password = match self.password_file {
                Some(path) => read_password(path, self.names.password_file)?,
                None => String::new(),
            };
            options.set_credentials(username, password);
        }
        if tls {
            let certificate = (self.client_cert, self.client_key);
            let client = Arc::new(client_tls(self.ca, certificate, self.names)?);
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(client)));
        }
        Ok(options)
    }
}

/// Builds the TLS side of a client: the authorities to trust in addition to the system's, and the
/// client certificate, if both its files are named.
pub fn client_tls(
    ca: Option<&Path>,
    (client_cert, client_key): (Option<&Path>, Option<&Path>),
    names: &SettingNames,
) -> Result<rustls::ClientConfig, BrokerError> {
    let client = tls::client_config(ca);
    let mut client = client.map_err(|error| BrokerError::Ca {
        key: names.ca,
        error,
    })?;
    if let (Some(cert), Some(key)) = (client_cert, client_key) {
        let fault = |key, path: &Path, why: String| BrokerError::Certificate {
            key,
            path: path.to_owned(),
            why,
        };
        let cert_fault = |why| fault(names.client_cert, cert, why);
        let key_fault = |why| fault(names.client_key, key, why);
        let chain = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| cert_fault(error.to_string()))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| key_fault(error.to_string()))?;
        let certified = CertifiedKey::from_der(chain, private, client.crypto_provider())
            .map_err(|error| cert_fault(error.to_string()))?;
        client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    }
    Ok(client)
}

fn read_password(path: &Path, key: &'static str) -> Result<String, BrokerError> {
    let path = path.to_owned();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Err(BrokerError::Password { key, path, error }),
    };
    let password = text.trim();
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(BrokerError::PasswordSize { key, path });
    }
    Ok(password.to_owned())
}
