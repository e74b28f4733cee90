//! Certificates for tests.

/// A self-signed certificate and its key.
pub(super) struct Pair {
    /// PEM.
    pub(super) certificate: String,
    /// PEM.
    pub(super) key: String,
    /// The certificate, DER.
    pub(super) der: Vec<u8>,
}

/// A new pair for `localhost`.
pub(super) fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Pair {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().to_vec(),
    }
}
