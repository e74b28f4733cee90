//! Addresses of names, and the search domains of this system.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::public_address;

/// The configuration of the resolver (resolv.conf(5)).
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Resolves names as glibc does, whatever the C library is: first as they are, then with the search
/// domains of `resolv.conf`. The resolver of musl leaves the domains out for names with at least
/// `ndots` dots, and the name of a cache has three.
#[derive(Clone, Copy)]
pub(crate) struct SearchingResolver {
    /// Whether other addresses than public ones are left out.
    pub(crate) public_only: bool,
}

impl Service<Name> for SearchingResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let public_only = self.public_only;
        Box::pin(async move {
            let mut found = search(name.as_str()).await?;
            if public_only {
                found.retain(|address| public_address::is_public(address.ip()));
                if found.is_empty() {
                    return Err(public_address::refusal());
                }
            }
            Ok(found.into_iter())
        })
    }
}

async fn search(name: &str) -> io::Result<Vec<SocketAddr>> {
    let first = lookup(name).await;
    if first.is_ok() || name.ends_with('.') {
        return first;
    }
    let config = tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default();
    for domain in search_domains(&config) {
        if let Ok(found) = lookup(&format!("{name}.{domain}.")).await {
            return Ok(found);
        }
    }
    first
}

async fn lookup(name: &str) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address")));
    }
    Ok(found)
}

/// The search domains of this system.
pub(crate) fn search_domains_of_system() -> Vec<String> {
    let config = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    search_domains(&config).into_iter().map(str::to_owned).collect()
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
        let mut resolver = SearchingResolver { public_only: false };
        assert!(resolver.call(name).await.is_err());
        let found = resolver.call("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
