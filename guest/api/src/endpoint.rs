//! Endpoints: where a registry is.

use crate::names::{REGISTRY_PORT, REGISTRY_SERVICE_SUFFIX};
use crate::reference::{is_host, split_scheme};
use std::borrow::Cow;
use std::fmt;

/// The endpoint of a registry: a host with an optional port, and whether it speaks TLS.
///
/// As text it is a URL without a path: `https://ghcr.io`.
///
/// ```
/// use orascache_api::endpoint::Endpoint;
///
/// assert_eq!(Endpoint::parse("ghcr.io").unwrap().to_string(), "https://ghcr.io");
/// assert_eq!(Endpoint::of_cache("demo", "lab", None).to_string(), "http://demo-0.demo.lab.svc:5000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    host: Cow<'a, str>,
    plain_http: bool,
}

/// Why a text is not an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError<'a> {
    /// The text contains a user or a password. Messages must not repeat it.
    HasCredentials,
    /// The text has another scheme than `http` and `https`.
    UnknownScheme(&'a str),
    /// The text is not a host with an optional port.
    NotAHost,
}

impl<'a> Endpoint<'a> {
    /// Reads `[http://|https://]host[:port]`. Without a scheme, the registry speaks TLS.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &'a str) -> Result<Self, EndpointError<'a>> {
        if text.contains('@') {
            return Err(EndpointError::HasCredentials);
        }
        let (host, plain_http) = match split_scheme(text) {
            Some(("http", host)) => (host, true),
            Some(("https", host)) => (host, false),
            None => (text, false),
            Some((scheme, _)) => return Err(EndpointError::UnknownScheme(scheme)),
        };
        if is_host(host) {
            Ok(Endpoint { host: host.into(), plain_http })
        } else {
            Err(EndpointError::NotAHost)
        }
    }

    /// The registry of a cache. Its name is that of the first pod of a StatefulSet behind a
    /// headless Service (kubernetes.io/docs/concepts/services-networking/dns-pod-service). Without
    /// the cluster's domain, the search domains of a pod complete it.
    pub fn of_cache(name: &str, namespace: &str, cluster_domain: Option<&str>) -> Self {
        Self::of_host(&format!("{name}-0.{name}"), namespace, cluster_domain, REGISTRY_PORT)
    }

    /// The registry of a cache by the Service that spreads clients over its pods.
    pub fn of_balanced_cache(name: &str, namespace: &str, cluster_domain: Option<&str>, port: i64) -> Self {
        Self::of_host(&format!("{name}{REGISTRY_SERVICE_SUFFIX}"), namespace, cluster_domain, port)
    }

    fn of_host(host: &str, namespace: &str, cluster_domain: Option<&str>, port: i64) -> Self {
        let (dot, domain) = cluster_domain.map_or(("", ""), |domain| (".", domain));
        let host = format!("{host}.{namespace}.svc{dot}{domain}:{port}");
        Endpoint { host: host.into(), plain_http: true }
    }

    /// The same host and port, spoken to with TLS or without.
    #[must_use]
    pub fn with_tls(self, has_tls: bool) -> Self {
        Endpoint { plain_http: !has_tls, ..self }
    }

    /// Host with its port, where it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the registry speaks HTTP without TLS.
    pub fn is_plain_http(&self) -> bool {
        self.plain_http
    }
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain_http { "http" } else { "https" };
        write!(formatter, "{scheme}://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_speaks_tls_unless_it_says_otherwise() {
        for (text, wanted) in [
            ("ghcr.io", "https://ghcr.io"),
            ("https://ghcr.io:443", "https://ghcr.io:443"),
            ("http://localhost:5000", "http://localhost:5000"),
            ("[fd00::1]:5000", "https://[fd00::1]:5000"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn texts_that_are_not_endpoints_are_told_apart() {
        for (text, wanted) in [
            ("user:secret@ghcr.io", EndpointError::HasCredentials),
            ("ftp://ghcr.io", EndpointError::UnknownScheme("ftp")),
            ("ghcr.io/team", EndpointError::NotAHost),
            ("", EndpointError::NotAHost),
        ] {
            assert_eq!(Endpoint::parse(text), Err(wanted), "{text}");
        }
    }

    #[test]
    fn a_cache_is_found_with_and_without_the_domain_of_its_cluster() {
        assert_eq!(Endpoint::of_cache("a", "n", None).host(), "a-0.a.n.svc:5000");
        let secured = Endpoint::of_cache("a", "n", None).with_tls(true);
        assert_eq!(secured.to_string(), "https://a-0.a.n.svc:5000");
        assert_eq!(
            Endpoint::of_cache("a", "n", Some("cluster.local")).host(),
            "a-0.a.n.svc.cluster.local:5000"
        );
        assert_eq!(Endpoint::of_balanced_cache("a", "n", None, 5000).host(), "a-registry.n.svc:5000");
        assert_eq!(
            Endpoint::of_balanced_cache("a", "n", Some("cluster.local"), 80).host(),
            "a-registry.n.svc.cluster.local:80"
        );
    }
}
