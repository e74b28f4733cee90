//! Allocates cluster IPs to Services.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// The first address: the range is 10.96.0.0/12, the default of kubeadm, without its first
/// addresses.
const FIRST: u32 = u32::from_be_bytes([10, 96, 0, 10]);
const RANGE: u32 = 1 << 20;

/// Allocates addresses in turn. Addresses of deleted Services are not reused: the range has a
/// million.
#[derive(Debug, Default)]
pub struct Addresses(AtomicU32);

impl Addresses {
    /// Sets the cluster IPs of a new Service, unless it is headless, external or has one.
    pub fn assign(&self, service: &mut Value) {
        let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else { return };
        if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
            return;
        }
        let given = spec.get("clusterIP").and_then(Value::as_str).unwrap_or_default();
        let address = if given.is_empty() { self.next().to_string() } else { given.to_owned() };
        spec.insert("clusterIPs".into(), json!([address]));
        spec.insert("clusterIP".into(), address.into());
    }

    fn next(&self) -> Ipv4Addr {
        let offset = self.0.fetch_add(1, Ordering::Relaxed) % (RANGE - 256);
        Ipv4Addr::from(FIRST + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_services_get_an_address() {
        let addresses = Addresses::default();
        let mut headless = json!({"spec": {"clusterIP": "None"}});
        addresses.assign(&mut headless);
        assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
        let mut ordinary = json!({"spec": {"type": "ClusterIP"}});
        addresses.assign(&mut ordinary);
        assert_eq!(ordinary["spec"]["clusterIP"], "10.96.0.10");
    }
}
