//! Where the Secrets of a registry are mounted, and the keys of these Secrets.

/// Directory of the certificate.
pub(super) const TLS_DIRECTORY: &str = "/etc/orascache/tls";
/// Directory of the accounts.
pub(super) const ACCOUNTS_DIRECTORY: &str = "/etc/orascache/accounts";
/// Key of the certificate in a Secret of type `kubernetes.io/tls`.
pub(super) const TLS_CERTIFICATE: &str = "tls.crt";
/// Key of the private key there.
pub(super) const TLS_KEY: &str = "tls.key";
/// Key of the htpasswd file in a Secret.
pub(crate) const HTPASSWD_KEY: &str = "htpasswd";
