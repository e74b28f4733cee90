//! What a client has to know about the network between it and registries.

use crate::endpoint::Endpoint;
use crate::forward_proxy::ForwardProxies;
use crate::public_address::TrustedHosts;
use crate::resolver::search_domains_of_system;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;

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
    /// The only hosts that may have an address which is not public. None means all hosts.
    trusted: Option<TrustedHosts>,
}

impl Network {
    /// A network without forward proxies.
    pub fn direct() -> Self {
        Network { proxies: ForwardProxies::none(), authorities: Vec::new(), trusted: None }
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
        Network { proxies, authorities: Vec::new(), trusted: None }
    }

    /// The same network, with more trusted authorities: one or more certificates in PEM (RFC 7468).
    ///
    /// # Errors
    /// The end of a sentence that begins with the place of the text.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, String> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|error| format!("holds a damaged certificate: {error}"))?;
        if found.is_empty() {
            return Err("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
        }
        for certificate in &found {
            let added = RootCertStore::empty().add(certificate.clone());
            added.map_err(|error| format!("holds a certificate of no authority: {error}"))?;
        }
        self.authorities.extend(found);
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

    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

impl Default for Network {
    /// The network of the environment.
    fn default() -> Self {
        Network::from_environment()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorities = self.authorities.len();
        f.debug_struct("Network")
            .field("proxies", &self.proxies)
            .field("authorities", &authorities)
            .field("trusted", &self.trusted)
            .finish()
    }
}
