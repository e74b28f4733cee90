//! Addresses of services. They replace the cluster network, which does not exist here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};

/// Addresses of services by namespace, name and port.
#[derive(Default)]
pub struct Services(RwLock<HashMap<(String, String, u16), SocketAddr>>);

impl Services {
    /// Sets the address of a service.
    pub fn route(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.insert((namespace.to_owned(), name.to_owned(), port), address);
    }

    /// Removes the address of a service.
    pub fn remove(&self, namespace: &str, name: &str, port: u16) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.remove(&(namespace.to_owned(), name.to_owned(), port));
    }

    /// The address of a service.
    pub fn find(&self, namespace: &str, name: &str, port: u16) -> Option<SocketAddr> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.get(&(namespace.to_owned(), name.to_owned(), port)).copied()
    }
}
