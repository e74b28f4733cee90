//! What the status says about the NetworkPolicy of a cache.

use super::wanted::Wanted;
use crate::kinds::NETWORK_POLICY;
use crate::observed::Objects;
use crate::primary::Primary;
use crate::status::Network;
use orascache_contract::Failure;

impl Network {
    /// What is known about the NetworkPolicy of the cache. `wanted` is `None` for an invalid spec.
    pub(super) fn of(
        primary: &Primary<'_>,
        wanted: Option<&Wanted<'_>>,
        owned: &Objects<'_>,
        failures: &[Failure],
    ) -> Self {
        if !primary.spec.deploy() {
            return Network::Unused;
        }
        if !primary.spec.network_policy.is_enabled() {
            return Network::Disabled;
        }
        let Some(policy) = owned.find(&NETWORK_POLICY, primary.metadata.name) else {
            return Network::Missing;
        };
        let mut children = wanted.into_iter().flat_map(|wanted| &wanted.children);
        let differs =
            children.find(|child| *child.kind == NETWORK_POLICY).is_some_and(|child| !child.has_spec(policy));
        // A difference without a failure is mended by this plan.
        if differs && failures.iter().any(|failure| failure.target.kind == NETWORK_POLICY) {
            return Network::Changed;
        }
        Network::Restricted
    }
}
