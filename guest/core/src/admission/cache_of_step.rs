//! What a step needs to know about its cache, from the cache's spec.

use crate::authority::Authority;
use crate::credentials::Credentials;
use crate::desired;
use crate::primary::Primary;
use orascache_api::endpoint::Endpoint;

/// The cache that a step names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cache<'a> {
    /// Whether it has a registry.
    pub(crate) deploys: bool,
    /// Whether its registry is scaled to zero.
    pub(crate) is_scaled_to_zero: bool,
    /// Where its own registry is. The short name: the pod's search domains complete it, whatever the
    /// cluster's domain is.
    pub(crate) endpoint: Endpoint<'static>,
    /// Its Secret for steps that use a remote registry.
    pub(crate) credentials: Option<&'a str>,
    /// The registry that this Secret is for.
    pub(crate) credentials_registry: Option<&'a str>,
    /// Why its registry takes no pushes, where it takes none.
    pub(crate) refuses_pushes: Option<&'static str>,
    /// The authority of its certificate, where it is not a public one.
    pub(crate) authority: Option<Authority<'a>>,
    /// Whether its registry asks for an account.
    pub(crate) has_accounts: bool,
    /// The account for steps.
    pub(crate) account: Option<Credentials<'a>>,
}

impl<'a> Cache<'a> {
    /// Whether its registry speaks HTTPS.
    pub(crate) fn has_tls(&self) -> bool {
        !self.endpoint.is_plain_http()
    }

    pub(crate) fn of(primary: &Primary<'a>) -> Self {
        let (spec, metadata) = (&primary.spec, &primary.metadata);
        Cache {
            deploys: spec.deploy(),
            is_scaled_to_zero: spec.replicas() == 0,
            endpoint: desired::endpoint(primary, None),
            credentials: spec.oras_env,
            credentials_registry: spec.oras_env_registry,
            refuses_pushes: match spec.proxy {
                Some(_) => Some("is a pull-through cache (spec.proxy), which takes no pushes"),
                None => spec.read_only().then_some("is read-only (spec.readOnly)"),
            },
            authority: spec.tls.and_then(|tls| Authority::of_cache(&tls, metadata)),
            has_accounts: spec.auth.is_some(),
            account: spec.auth.and_then(|auth| Credentials::of_cache(&auth, metadata)),
        }
    }
}
