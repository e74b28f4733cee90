//! TLS of the server: a certificate authority and a certificate that exist as long as the server.
//!
//! Kubernetes clients send a token over TLS only, so a server with a token needs it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// The names that the certificate is for: all names of loopback.
const NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// The certificate of a server and the authority that signed it.
pub struct Identity {
    /// Accepts TLS connections with the certificate.
    pub acceptor: TlsAcceptor,
    /// The certificate of the authority, PEM: what clients must trust.
    pub authority: String,
}

impl Identity {
    /// Makes an authority and a certificate. The authority's key is dropped, so that it signs
    /// nothing else.
    ///
    /// # Errors
    /// A sentence when a key or a certificate cannot be made.
    pub fn generate() -> Result<Self, String> {
        let failed = |error: rcgen::Error| format!("no certificate could be made: {error}");
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "fake-kube authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = params.self_signed(&key).map_err(failed)?.pem();
        let issuer = Issuer::new(params, key);

        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(NAMES.map(str::to_owned).to_vec()).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, "fake-kube");
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)
            })
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority })
    }
}
