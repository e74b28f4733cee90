//! How a step reaches its registry: forward proxies and authorities. They are
//! for the container that connects to it, which is the credential proxy where there is one, and the
//! step's container otherwise.

use super::cache_of_step::Cache;
use super::step::Step;
use crate::authority::Authority;
use crate::json::Json;
use crate::kubernetes::{escaped, variable};
use crate::settings::{ForwardProxy, Settings};
use orascache_api::steps::{AUTHORITY_DIRECTORY, AUTHORITY_FILE, env};

/// What the connecting container needs. The cache's own registry is in the cluster, so that no
/// forward proxy leads to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network<'a> {
    pub(crate) proxy: ForwardProxy<'a>,
    pub(crate) authority: Option<Authority<'a>>,
    /// Certificates of the settings, PEM text.
    pub(crate) authorities: Option<&'a str>,
}

impl<'a> Network<'a> {
    pub(crate) fn of(step: &Step<'a>, cache: &Cache<'a>, settings: &Settings<'a>) -> Self {
        let authorities = settings.registry_ca;
        if step.registry.is_some() {
            let proxy = settings.forward_proxy.clone();
            return Network { proxy, authority: step.authority.clone(), authorities };
        }
        if !cache.has_tls() {
            return Network::default();
        }
        let authority = step.authority.clone().or_else(|| cache.authority.clone());
        Network { authority, authorities, ..Network::default() }
    }

    /// Variables with the authorities. The agent keeps them from the command of a step.
    pub(crate) fn variables(&self) -> Vec<Json<'a>> {
        let file = self.authority.as_ref().map(|_| format!("{AUTHORITY_DIRECTORY}/{AUTHORITY_FILE}").into());
        let text = self.authorities.map(|pem| escaped(pem).into());
        let found = [(env::CA_FILE, file), (env::CA_PEM, text)].into_iter();
        found.filter_map(|(name, value)| Some(variable(name, value?))).collect()
    }

    /// Names and values of the forward proxies.
    pub(crate) fn proxies(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.proxy.named()
    }
}
