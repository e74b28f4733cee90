//! Which addresses are public, and which hosts a network leads to beside these.

use hyper::Uri;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::endpoint::Endpoint;

/// Hosts that may have any address, where all others must have a public one. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct TrustedHosts(Arc<[(String, Option<u16>)]>);

impl TrustedHosts {
    pub(crate) fn new<'e>(endpoints: impl IntoIterator<Item = &'e Endpoint>) -> Self {
        let named = endpoints.into_iter().map(|endpoint| {
            let url = endpoint.at("/");
            (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default())
        });
        TrustedHosts(named.collect())
    }

    /// Whether a request may go to any address that the host of this one has. Another port is
    /// another server.
    pub(crate) fn contain(&self, to: &Uri) -> bool {
        let host = to.host().unwrap_or_default();
        let default = if to.scheme_str() == Some("http") { 80 } else { 443 };
        let port = to.port_u16().or(Some(default));
        self.0.iter().any(|(name, its_port)| name.eq_ignore_ascii_case(host) && *its_port == port)
    }
}

/// Refuses a host that is written as an address which is not public. Names are for the resolver to
/// look up.
pub(crate) fn check_literal(to: &Uri) -> io::Result<()> {
    let host = to.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(refusal()),
        _ => Ok(()),
    }
}

/// The error of a host without a public address. It does not repeat the address, which may be news
/// to whoever reads the message.
pub(crate) fn refusal() -> io::Error {
    let why = "it has no public address, and is none of the hosts that may have another one";
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// Whether an address is one of the public internet, by the registries of special addresses
/// (RFC 6890). An address that stands for one of IPv4 is judged as that one.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match (first, second, third) {
        // This network, loopback, and everything from multicast on.
        (0 | 127 | 224.., ..) => true,
        // Addresses that carriers share (RFC 6598), and benchmarks (RFC 2544).
        (100, 64..=127, _) | (198, 18..=19, _) => true,
        // Protocols (RFC 6890).
        (192, 0, 0) => true,
        _ => address.is_private() || address.is_link_local() || address.is_documentation(),
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let ipv4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Translated from IPv4 (RFC 6052), and 6to4 (RFC 3056).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => ipv4(high, low),
        // Documentation (RFC 3849), Teredo and other protocols (RFC 6890).
        [0x2001, 0xdb8 | 0..=0x1ff, ..] => false,
        // Of all others, only this block is assigned to the internet (IANA, "Internet Protocol
        // Version 6 Address Space").
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_told_from_public_ones() {
        for public in
            ["1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for public in ["2606:4700::1111", "2a00::1", "64:ff9b::101:101", "2002:101:101::1", "2001:4860::8888"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fd00::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:a00:1::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn hosts_are_trusted_with_their_port() {
        let endpoints = ["https://a.lan", "http://[fd00::1]:5000", "http://b.lan"];
        let endpoints = endpoints.map(|endpoint| Endpoint::parse(endpoint).unwrap());
        let trusted = TrustedHosts::new(&endpoints);
        let contain = |uri: &str| trusted.contain(&uri.parse().unwrap());
        for uri in ["https://a.lan/v2/", "https://A.lan:443/", "http://[fd00::1]:5000/x", "http://b.lan/"] {
            assert!(contain(uri), "{uri}");
        }
        for uri in
            ["http://a.lan/", "https://a.lan:5000/", "http://[fd00::1]/", "https://b.lan/", "http://x.a.lan/"]
        {
            assert!(!contain(uri), "{uri}");
        }
    }
}
