//! TLS as new connections use it, and the check of certificates that clients have shown.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use tokio_rustls::TlsAcceptor;

use crate::config::Listen;
use crate::tls::{self, ServerTlsError};

/// The certificates of the listener, and the authorities of its clients.
#[derive(Clone)]
pub struct Tls {
    pub acceptor: TlsAcceptor,
    /// Verifies client certificates. `None`: no client has one.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the certificates. `None`: the listener is without TLS.
    pub fn read(config: &Listen) -> Result<Option<Self>, ServerTlsError> {
        let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else {
            return Ok(None);
        };
        let needed = config.devices.is_none() && !config.anonymous;
        let authorities = config.client_ca.as_deref();
        let server = tls::server_config(cert, key, authorities, needed)?;
        let verifier = authorities.map(|file| tls::client_verifier(file, needed));
        Ok(Some(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            verifier: verifier.transpose()?,
        }))
    }

    /// Whether a client's certificate, the first of its chain, is valid now.
    pub fn is_valid(&self, chain: &[CertificateDer<'static>], now: Timestamp) -> bool {
        let verifier = self.verifier.as_deref();
        verifier.is_some_and(|verifier| tls::is_client_valid(verifier, chain, now))
    }
}
