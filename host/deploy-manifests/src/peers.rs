//! Peers of a NetworkPolicy, read from text.

use crate::error::ManifestError;
use crate::names::{NAMESPACE_NAME_LABEL, is_dns_label};
use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::net::IpAddr;

/// Reads a peer: a CIDR (`10.0.0.0/24`), all pods of a namespace (`kube-system`), or the pods of a
/// namespace that have all these labels (`kube-system/component=konnectivity-agent,tier=control`).
///
/// ```
/// use deploy_manifests::peers::parse_peer;
///
/// let peer = parse_peer("10.0.0.0/24").unwrap();
/// assert_eq!(peer.ip_block.unwrap().cidr, "10.0.0.0/24");
/// assert!(parse_peer("10.0.0.0/99").is_err());
/// ```
///
/// # Errors
/// When the text is none of these.
pub fn parse_peer(text: &str) -> Result<NetworkPolicyPeer, ManifestError> {
    let error = || ManifestError::Peer(text.to_owned());
    let (first, rest) = match text.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    if first.parse::<IpAddr>().is_ok() {
        let block = IPBlock { cidr: text.to_owned(), except: None };
        let peer = NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() };
        return check_peer(&peer).map(|()| peer);
    }
    if !is_dns_label(first) {
        return Err(error());
    }
    let labels = |pairs| LabelSelector { match_labels: Some(pairs), ..LabelSelector::default() };
    let pods = match rest {
        None => None,
        Some(rest) => {
            let pairs = rest.split(',').map(|pair| {
                let (key, value) = pair.split_once('=').ok_or_else(error)?;
                if key.is_empty() || value.is_empty() {
                    return Err(error());
                }
                Ok((key.to_owned(), value.to_owned()))
            });
            Some(labels(pairs.collect::<Result<_, _>>()?))
        }
    };
    Ok(NetworkPolicyPeer {
        namespace_selector: Some(labels([(NAMESPACE_NAME_LABEL.to_owned(), first.to_owned())].into())),
        pod_selector: pods,
        ..NetworkPolicyPeer::default()
    })
}

/// Checks the CIDRs of a peer.
pub(crate) fn check_peer(peer: &NetworkPolicyPeer) -> Result<(), ManifestError> {
    let Some(block) = &peer.ip_block else { return Ok(()) };
    for cidr in std::iter::once(&block.cidr).chain(block.except.iter().flatten()) {
        if !is_cidr(cidr) {
            return Err(ManifestError::Peer(cidr.clone()));
        }
    }
    Ok(())
}

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(prefix)) = (address.parse::<IpAddr>(), prefix.parse::<u8>()) else { return false };
    prefix <= if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::parse_peer;

    #[test]
    fn texts_that_are_no_peers_are_refused() {
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "Namespace",
            "a.b",
            "ns/",
            "ns/key",
            "ns/=v",
            "ns/k=",
            "ns/k=v,",
        ] {
            let error = parse_peer(text).expect_err(text).to_string();
            assert!(error.contains("write a CIDR"), "{error}");
        }
    }
}
