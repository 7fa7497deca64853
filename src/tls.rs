//! The one TLS configuration of the program: rustls on ring, with the machine's root certificates.

use std::path::Path;

use anyhow::Context as _;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// A client configuration that trusts the machine's root certificates, and those in the PEM file
/// `extra_ca` where one is given (a relay with a certificate of the house).
///
/// # Errors
/// When `extra_ca` cannot be read. A machine without root certificates is no error: plain connections
/// work, and a TLS handshake then says that the issuer is unknown.
pub(crate) fn client_config(extra_ca: Option<&Path>) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_ca {
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("reading the certificates in {}", path.display()))?;
        roots.add_parsable_certificates(certificates);
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("ring offers no TLS version that rustls takes")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
