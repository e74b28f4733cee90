//! The condition NetworkRestricted: who reaches the registry.

use super::{Condition, Facts};
use std::collections::BTreeSet;

/// What is known about the NetworkPolicy of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// There is no registry to reach.
    Unused,
    /// The spec wants no policy.
    Disabled,
    /// The policy does not exist.
    Missing,
    /// The policy is not as the spec asks, and could not be made so.
    Changed,
    /// The policy exists.
    Restricted,
}

/// Reason of NetworkRestricted where the spec wants no policy.
pub(super) const NETWORK_POLICY_DISABLED: &str = "NetworkPolicyDisabled";

impl Facts<'_, '_> {
    /// Whether a NetworkPolicy says who reaches the registry. A cluster's network plugin may ignore
    /// it, which nobody can see from here.
    pub(super) fn network_restricted(&self) -> Condition<'_> {
        let primary = self.primary;
        let name = primary.metadata.name;
        let (is_true, reason, message) = match self.network {
            Network::Unused => (true, "RegistryNotDeployed", "There is no registry to reach.".to_owned()),
            Network::Disabled => (
                false,
                NETWORK_POLICY_DISABLED,
                "Any pod of the cluster that reaches the registry can read and overwrite its artifacts, because spec.networkPolicy.enabled is false."
                    .to_owned(),
            ),
            Network::Missing => (
                false,
                "NetworkPolicyMissing",
                format!("NetworkPolicy {name} does not exist. Without it any pod of the cluster may reach the registry."),
            ),
            Network::Changed => (
                false,
                "NetworkPolicyChanged",
                format!("NetworkPolicy {name} is not as the spec asks: the condition Degraded says why."),
            ),
            Network::Restricted => {
                let mut namespaces = BTreeSet::from([primary.metadata.namespace, self.operator_namespace]);
                namespaces.extend(&primary.spec.network_policy.allowed_namespaces);
                let namespaces: Vec<&str> = namespaces.into_iter().collect();
                let networks = primary.spec.service.as_ref().map_or(&[][..], |service| &service.source_ranges);
                let networks = match networks {
                    [] => String::new(),
                    networks => format!(", and these networks: {}", networks.join(", ")),
                };
                let message = format!(
                    "NetworkPolicy {name} admits pods of these namespaces: {}{networks}. Only a network plugin that enforces NetworkPolicies keeps others out.",
                    namespaces.join(", ")
                );
                (true, "NetworkPolicyExists", message)
            }
        };
        Condition { kind: "NetworkRestricted", is_true, reason, message: message.into() }
    }
}
