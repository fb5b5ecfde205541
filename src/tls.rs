//! TLS, once for the whole process: rustls with ring.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Installs ring as the process's TLS provider. Call it before the first client or listener is
/// built; again does no harm.
pub fn install_provider() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // An error means that a provider is already installed, which is enough.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

/// Why the listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    #[error("{key}: cannot read {}: {reason}; write a PEM file there that the daemon's user can read", file.display())]
    File {
        key: &'static str,
        file: PathBuf,
        reason: String,
    },
    #[error(
        "mqtt.listen.tls_cert and tls_key do not belong together: {0}; name the key of the certificate in tls_key"
    )]
    Pair(String),
    #[error("mqtt.listen.client_ca: {0}")]
    Authorities(String),
}

/// With `needed`, a client without a certificate is refused in the TLS handshake.
pub fn server_config(
    cert: &Path,
    key: &Path,
    client_ca: Option<&Path>,
    needed: bool,
) -> Result<ServerConfig, ServerTlsError> {
    install_provider();
    let chain = certificates("mqtt.listen.tls_cert", cert)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| ServerTlsError::File {
        key: "mqtt.listen.tls_key",
        file: key.to_owned(),
        // The error names no content of the file.
        reason: error.to_string(),
    })?;
    let builder = ServerConfig::builder();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => builder.with_client_cert_verifier(client_verifier(file, needed)?),
    };
    builder
        .with_single_cert(chain, key)
        .map_err(|error| ServerTlsError::Pair(error.to_string()))
}

/// Verifies client certificates by the authorities of a file.
pub fn client_verifier(
    client_ca: &Path,
    needed: bool,
) -> Result<Arc<dyn ClientCertVerifier>, ServerTlsError> {
    install_provider();
    let mut roots = RootCertStore::empty();
    for authority in certificates("mqtt.listen.client_ca", client_ca)? {
        roots
            .add(authority)
            .map_err(|error| ServerTlsError::Authorities(error.to_string()))?;
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
    let verifier = if needed {
        verifier.build()
    } else {
        verifier.allow_unauthenticated().build()
    };
    verifier.map_err(|error| ServerTlsError::Authorities(error.to_string()))
}

/// Whether a client's certificate, the first of its chain, is valid now.
#[must_use]
pub fn is_client_valid(
    verifier: &dyn ClientCertVerifier,
    chain: &[CertificateDer<'static>],
    now: Timestamp,
) -> bool {
    let Some((own, issuers)) = chain.split_first() else {
        return false;
    };
    let since = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    let now = UnixTime::since_unix_epoch(since);
    verifier.verify_client_cert(own, issuers, now).is_ok()
}

fn certificates(
    key: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, ServerTlsError> {
    let failed = |reason: String| ServerTlsError::File {
        key,
        file: file.to_owned(),
        reason,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

/// Why no TLS client could be built: a fault of the configuration, told with its file.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {reason}; write a PEM file of certificate authorities there that the daemon's user can read", file.display())]
pub struct ClientTlsError {
    file: PathBuf,
    reason: String,
}

/// The client's side: it trusts the system's authorities and those of `extra_ca`.
pub fn client_config(extra_ca: Option<&Path>) -> Result<ClientConfig, ClientTlsError> {
    install_provider();
    let mut roots = RootCertStore::empty();
    // A system without authorities, or with broken ones among them, still reaches a server of
    // `extra_ca`.
    let native = rustls_native_certs::load_native_certs();
    for error in native.errors {
        tracing::debug!(%error, "skipping a certificate authority of the system");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(file) = extra_ca {
        let failed = |reason: String| ClientTlsError {
            file: file.to_owned(),
            reason,
        };
        let authorities: Vec<_> = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect)
            .map_err(|error| failed(error.to_string()))?;
        if authorities.is_empty() {
            return Err(failed("it holds no certificate".to_owned()));
        }
        for authority in authorities {
            roots
                .add(authority)
                .map_err(|error| failed(error.to_string()))?;
        }
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// When the chain of certificates in a PEM file expires: the earliest time of its certificates.
/// `None`: the file cannot be read.
#[must_use]
pub fn read_expiry(file: &Path) -> Option<Timestamp> {
    let chain = CertificateDer::pem_file_iter(file).ok()?;
    let expiries = chain.filter_map(|certificate| expiry(&certificate.ok()?));
    expiries.min()
}

/// When a certificate expires. `None`: it cannot be parsed.
#[must_use]
pub fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// The device that a verified client certificate names: its CN, or else its first DNS name.
#[must_use]
pub fn device_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let common = certificate
        .subject()
        .iter_common_name()
        .next()
        .and_then(|name| name.as_str().ok())
        .filter(|name| !name.is_empty());
    if let Some(common) = common {
        return Some(common.to_owned());
    }
    let names = certificate.subject_alternative_name().ok()??;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
}
