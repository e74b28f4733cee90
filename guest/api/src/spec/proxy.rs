//! `spec.proxy`: a cache that fetches from another registry.

#![allow(rustdoc::bare_urls, reason = "`kubectl explain` shows these comments as they are")]

use super::URL_RULE;
use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Durations of whole days, hours, minutes and seconds. The component reads how long they are.
const TTL_RULE: &str = "self.matches('^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$')";

/// Another registry, of which the cache is a pull-through cache.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheProxy {
    /// The registry that artifacts are fetched from when somebody asks for them, for example https://ghcr.io.
    #[serde(rename = "remoteURL")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(URL_RULE).message(sentences::URL))]
    pub remote_url: String,

    /// Name of a Secret in this namespace with username and password for that registry (type kubernetes.io/basic-auth).
    /// Everybody who may pull from the cache reads what this account may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,

    /// How long a fetched artifact is kept, for example 36h; at most 7d, which is the default. Registries before
    /// distribution 3 keep everything for 7d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(TTL_RULE).message(sentences::TTL))]
    pub ttl: Option<String>,
}
