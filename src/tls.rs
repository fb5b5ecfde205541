//! TLS, once for the whole process: rustls with ring.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// Installs ring as the process's TLS provider. Call it before the first client or listener is built; again does no harm.
pub fn install_provider() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // An error means that a provider is there already, which is all we want.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

/// Why no TLS client could be built: a fault of the configuration, told with its file.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error(
        "cannot read the certificates in {path}: {why}; name a PEM file of certificate authorities"
    )]
    Unreadable { path: PathBuf, why: String },
    #[error("{path} holds no certificate; name a PEM file of certificate authorities")]
    Empty { path: PathBuf },
}

/// What outgoing connections trust: the system's authorities, and those of `extra_ca` besides.
pub fn client_config(extra_ca: Option<&Path>) -> Result<ClientConfig, ClientError> {
    install_provider();
    let mut roots = RootCertStore::empty();
    // A system without authorities, or with broken ones among them, still reaches a server of `extra_ca`.
    let native = rustls_native_certs::load_native_certs();
    for error in native.errors {
        tracing::debug!(%error, "skipping a certificate authority of the system");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = extra_ca {
        let unreadable = |why: String| ClientError::Unreadable {
            path: path.to_owned(),
            why,
        };
        let before = roots.len();
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|e| unreadable(e.to_string()))?
        {
            let certificate = certificate.map_err(|e| unreadable(e.to_string()))?;
            roots
                .add(certificate)
                .map_err(|e| unreadable(e.to_string()))?;
        }
        if roots.len() == before {
            return Err(ClientError::Empty {
                path: path.to_owned(),
            });
        }
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}
