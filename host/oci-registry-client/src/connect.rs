//! Connections: TCP with or without TLS, or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::UnixStream;
use tower_service::Service;

/// Longest time that making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The configuration of the resolver (resolv.conf(5)).
const RESOLV_CONF: &str = "/etc/resolv.conf";

type PendingIo<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

pub(crate) fn plain() -> HttpConnector<SearchingResolver> {
    let mut http = HttpConnector::new_with_resolver(SearchingResolver);
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT));
    http
}

pub(crate) fn encrypted() -> HttpsConnector<HttpConnector<SearchingResolver>> {
    HttpsConnectorBuilder::new().with_tls_config(tls()).https_only().enable_http1().wrap_connector(plain())
}

/// Trusts the authorities that browsers trust, and those of the system (`SSL_CERT_FILE` names
/// another file). Images of workflows often have no certificates of their own, so that the system's
/// alone would not do.
fn tls() -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap_or_else(|_| ClientConfig::builder());
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// Resolves names as glibc does, whatever the C library is: first as they are, then with the search
/// domains of `resolv.conf`. The resolver of musl leaves the domains out for names with at least
/// `ndots` dots, and the name of a cache has three.
#[derive(Clone, Copy)]
pub(crate) struct SearchingResolver;

impl Service<Name> for SearchingResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = PendingIo<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let first = lookup(name.as_str()).await;
            if first.is_ok() || name.as_str().ends_with('.') {
                return first;
            }
            let config = tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default();
            for domain in search_domains(&config) {
                if let Ok(found) = lookup(&format!("{}.{domain}.", name.as_str())).await {
                    return Ok(found);
                }
            }
            first
        })
    }
}

async fn lookup(name: &str) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address")));
    }
    Ok(found.into_iter())
}

/// The search domains of a `resolv.conf`, whose last `search` or `domain` line counts.
fn search_domains(config: &str) -> Vec<&str> {
    let mut domains = Vec::new();
    for line in config.lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("search" | "domain")) {
            domains =
                words.map(|domain| domain.trim_matches('.')).filter(|domain| !domain.is_empty()).collect();
        }
    }
    domains
}

/// Connects to one Unix socket, whatever the address of the request is.
#[derive(Clone)]
pub(crate) struct SocketConnector(pub(crate) Arc<PathBuf>);

impl Service<Uri> for SocketConnector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = PendingIo<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = Arc::clone(&self.0);
        Box::pin(async move { UnixStream::connect(path.as_path()).await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_search_line_counts() {
        let config = "nameserver 10.0.0.10\nsearch a.\nsearch lab.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:2\n";
        assert_eq!(search_domains(config), ["lab.svc.cluster.local", "svc.cluster.local", "cluster.local"]);
        assert!(search_domains("# search x\nsearch .\n").is_empty());
    }

    #[tokio::test]
    async fn names_without_an_address_are_errors() {
        let name = "no-such-host.invalid.".parse().unwrap();
        assert!(SearchingResolver.call(name).await.is_err());
        let found = SearchingResolver.call("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
