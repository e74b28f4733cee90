//! Where registries listen.
//!
//! Inside of a cluster, every registry has an address of its own and port 5000. Here it is the same
//! where the whole network 127.0.0.0/8 is this machine's loopback interface, as on Linux: steps
//! reach a registry by its name and this port. Elsewhere it is 127.0.0.1 and any port.

use crate::pod::REGISTRY_PORT;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;

/// How many addresses are tried before another port is taken.
const ATTEMPTS: u32 = 254;

/// The addresses that pods of this process have, or had and keep for their successors. A process may
/// have several clusters: none of them takes an address of another one.
static TAKEN: LazyLock<Mutex<HashSet<SocketAddr>>> = LazyLock::new(Mutex::default);

/// Remembers the address of each pod: its successor gets the same one again, if it is free.
pub(crate) struct Addresses {
    /// The first address that is tried.
    first: u32,
    /// By namespace and name of the pod.
    known: Mutex<HashMap<(String, String), SocketAddr>>,
}

impl Addresses {
    /// Addresses that another process is unlikely to use.
    pub(crate) fn new() -> Self {
        let process = std::process::id();
        // 127.64.0.1 to 127.127.255.1: nobody else's by convention.
        let network = 64 << 16 | (process & 0x3fff) << 8;
        Self { first: 127 << 24 | network | 1, known: Mutex::default() }
    }

    /// Listens for a pod.
    pub(crate) async fn listen(&self, namespace: &str, pod: &str) -> io::Result<(TcpListener, SocketAddr)> {
        let key = (namespace.to_owned(), pod.to_owned());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let again = match known {
            Some(address) => TcpListener::bind(address).await.ok(),
            None => None,
        };
        let listener = match again {
            Some(listener) => listener,
            None => self.listen_anywhere().await?,
        };
        let address = listener.local_addr()?;
        let former = self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, address);
        let mut taken = taken();
        if let Some(former) = former {
            taken.remove(&former);
        }
        taken.insert(address);
        drop(taken);
        Ok((listener, address))
    }

    async fn listen_anywhere(&self) -> io::Result<TcpListener> {
        for number in 0..ATTEMPTS {
            let address = SocketAddr::from((Ipv4Addr::from(self.first + number), REGISTRY_PORT));
            if taken().contains(&address) {
                continue;
            }
            match TcpListener::bind(address).await {
                Ok(listener) => return Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // This machine has no such address.
                Err(_) => break,
            }
        }
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        let known = self.known.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut taken = taken();
        for address in known.values() {
            taken.remove(address);
        }
    }
}

fn taken() -> MutexGuard<'static, HashSet<SocketAddr>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Addresses;

    #[tokio::test]
    async fn no_cluster_takes_the_address_of_a_stopped_pod_of_another_one() {
        let (cluster, other) = (Addresses::new(), Addresses::new());
        let (listener, address) = cluster.listen("lab", "a-0").await.expect("an address");
        drop(listener);
        let (_listener, next) = other.listen("lab", "a-0").await.expect("an address");
        assert_ne!(next, address);
    }

    #[tokio::test]
    async fn pods_have_addresses_of_their_own_and_get_them_again() {
        let addresses = Addresses::new();
        let (first, one) = addresses.listen("lab", "a-0").await.expect("an address");
        let (_second, other) = addresses.listen("lab", "b-0").await.expect("an address");
        assert_ne!(one, other);
        assert!(one.ip().is_loopback() && other.ip().is_loopback());
        drop(first);
        let (_third, third) = addresses.listen("other", "a-0").await.expect("an address");
        assert_ne!(third, one, "the address is kept for the successor");
        let (_again, again) = addresses.listen("lab", "a-0").await.expect("an address");
        assert_eq!(again, one);
        if cfg!(target_os = "linux") {
            assert_eq!((one.port(), other.port()), (5000, 5000));
        }
    }
}
