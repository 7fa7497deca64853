//! The one TLS configuration of the program: rustls on ring, with the machine's root certificates.

use std::path::Path;

use anyhow::Context as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// A client configuration that trusts the machine's root certificates, and those in the PEM file
/// `extra_ca` where one is given (a relay with a certificate of the house). `own` are the PEM files of our own certificate and its
/// key, for a server that asks for them.
///
/// # Errors
/// When a file cannot be read, or does not hold what it should. A machine without root certificates is no error: plain connections
/// work, and a TLS handshake then says that the issuer is unknown.
pub(crate) fn client_config(
    extra_ca: Option<&Path>,
    own: Option<(&Path, &Path)>,
) -> anyhow::Result<rustls::ClientConfig> {
    let certificates = |path: &Path| {
        CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("reading the certificates in {}", path.display()))
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_ca {
        roots.add_parsable_certificates(certificates(path)?);
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("ring offers no TLS version that rustls takes")?
        .with_root_certificates(roots);
    let Some((certificate, key)) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("reading the key in {}", key.display()))?;
    builder
        .with_client_auth_cert(certificates(certificate)?, private)
        .with_context(|| format!("{} does not fit {}", key.display(), certificate.display()))
}
