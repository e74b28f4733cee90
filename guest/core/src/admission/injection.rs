//! Everything that the injected parts of a pod are made from: the step, and the values that the
//! cache and the settings provide where annotations give none.

use super::network::Network;
use super::step::Step;
use crate::credentials::Credentials;
use crate::settings::ProxyResources;
use orascache_api::endpoint::Endpoint;

/// A step, ready to be injected.
#[derive(Debug)]
pub(crate) struct Injection<'a> {
    pub(crate) step: &'a Step<'a>,
    /// The registry of the step.
    pub(crate) endpoint: Endpoint<'a>,
    /// What the credential proxy adds to requests, where there is one.
    pub(crate) credentials: Option<Credentials<'a>>,
    /// Image that carries the agent.
    pub(crate) image: &'a str,
    /// CPU and memory of the credential proxy.
    pub(crate) proxy_resources: ProxyResources<'a>,
    /// How the registry is reached.
    pub(crate) network: Network<'a>,
    /// Whether the settings let the step leave provenance statements.
    pub(crate) provenance: bool,
}
