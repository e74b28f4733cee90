//! What a client has to know about the network between it and registries.

use crate::endpoint::Endpoint;
use crate::forward_proxy::ForwardProxies;
use crate::public_address::TrustedHosts;
use crate::resolver::search_domains_of_system;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::path::PathBuf;

/// Forward proxies, and authorities that are trusted besides those of browsers and of the system.
///
/// ```
/// use oci_registry_client::Network;
///
/// let network = Network::from_environment();
/// assert!(network.trusting(b"no certificate").is_err());
/// ```
#[derive(Clone)]
pub struct Network {
    proxies: ForwardProxies,
    authorities: Vec<CertificateDer<'static>>,
    /// Files with further authorities, which may be replaced while a client works.
    followed: Vec<PathBuf>,
    /// The only hosts that may have an address which is not public. None means all hosts.
    trusted: Option<TrustedHosts>,
}

impl Network {
    /// A network without forward proxies.
    pub fn direct() -> Self {
        Network {
            proxies: ForwardProxies::none(),
            authorities: Vec::new(),
            followed: Vec::new(),
            trusted: None,
        }
    }

    /// The forward proxies that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name, in upper or lower
    /// case. Services of the cluster (`.svc`), hosts without a dot and this machine are never
    /// proxied.
    pub fn from_environment() -> Self {
        Network::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`Network::from_environment`], with the variables of a function.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let config = search_domains_of_system();
        let domains: Vec<&str> = config.iter().map(String::as_str).collect();
        let proxies = ForwardProxies::read(variable, &domains);
        Network { proxies, ..Network::direct() }
    }

    /// The same network, with more trusted authorities: one or more certificates in PEM (RFC 7468).
    ///
    /// # Errors
    /// The end of a sentence that begins with the place of the text.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, String> {
        self.authorities.extend(certificates(pem)?);
        Ok(self)
    }

    /// As [`Network::trusting`], with a file that is read again before connections are used: a
    /// mounted Secret may be replaced while a client works. While it cannot be used, what it held
    /// before counts.
    ///
    /// # Errors
    /// The end of a sentence that begins with the file, when it cannot be used now.
    pub fn following(mut self, file: PathBuf) -> Result<Self, String> {
        let pem = std::fs::read(&file).map_err(|error| format!("cannot be read: {error}"))?;
        certificates(&pem)?;
        self.followed.push(file);
        Ok(self)
    }

    /// The same network, in which only these registries may have an address that is not public,
    /// such as one of a private network or of this machine. So a registry that is somebody else's
    /// leads nobody into them, by redirects or by the name of its token service. A forward proxy
    /// looks names up itself, and has to know what it lets through.
    #[must_use]
    pub fn public_beside<'e>(mut self, registries: impl IntoIterator<Item = &'e Endpoint>) -> Self {
        self.trusted = Some(TrustedHosts::new(registries));
        self
    }

    pub(crate) fn trusted(&self) -> Option<&TrustedHosts> {
        self.trusted.as_ref()
    }

    pub(crate) fn proxies(&self) -> &ForwardProxies {
        &self.proxies
    }

    /// The certificates in each followed file, as they are now. `None` for a file that cannot be
    /// used.
    pub(crate) fn followed(&self) -> Vec<Option<Vec<CertificateDer<'static>>>> {
        let read = |file: &PathBuf| certificates(&std::fs::read(file).ok()?).ok();
        self.followed.iter().map(read).collect()
    }

    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

/// The certificates of authorities in a text.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("holds a damaged certificate: {error}"))?;
    if found.is_empty() {
        return Err("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    for certificate in &found {
        let added = RootCertStore::empty().add(certificate.clone());
        added.map_err(|error| format!("holds a certificate of no authority: {error}"))?;
    }
    Ok(found)
}

impl Default for Network {
    /// The network of the environment.
    fn default() -> Self {
        Network::from_environment()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorities = self.authorities.len() + self.followed.len();
        f.debug_struct("Network")
            .field("proxies", &self.proxies)
            .field("authorities", &authorities)
            .field("trusted", &self.trusted)
            .finish()
    }
}
