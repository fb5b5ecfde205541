//! TLS, once for the whole process: rustls with ring.

use std::sync::OnceLock;

/// Installs ring as the process's TLS provider. Call it before the first client or listener is built; again does no harm.
pub fn install_provider() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // An error means that a provider is there already, which is all we want.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}
