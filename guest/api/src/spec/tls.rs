//! `spec.tls`: a registry that speaks HTTPS.

use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Where the authority of a certificate is: `system`, `configmap/NAME/KEY` or `secret/NAME/KEY`.
const CA_RULE: &str = "self == 'system' || !self.endsWith('/tls.key') && self.matches('^(configmap|secret)/[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-._a-zA-Z0-9]+$')";

/// The certificate with which the registry serves HTTPS. Empty for one that the operator makes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("!has(self.ca) || has(self.secretName) || has(self.issuerRef)").message(sentences::CA_OF_OWN_CERTIFICATE).field_path(".ca"),
    validation = Rule::new("!has(self.issuerRef) || !has(self.secretName)").message(sentences::ISSUER_OF_OWN_CERTIFICATE).field_path(".issuerRef")
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheTls {
    /// Name of a Secret in this namespace with tls.crt and tls.key (type kubernetes.io/tls), for the names of the
    /// registry: CACHE-0.CACHE.NAMESPACE.svc. By default the operator makes a certificate and its authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// An issuer of cert-manager, which issues and renews the certificate in the Secret CACHE-issued-tls. Needs a cluster
    /// with that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<OrasCacheIssuerRef>,

    /// Authorities that workflow steps trust for the registry: configmap/NAME/KEY or secret/NAME/KEY in this namespace,
    /// or system where a public authority signed the certificate. By default the key ca.crt of the Secret with the
    /// certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 520))]
    #[x_kube(validation = Rule::new(CA_RULE).message(sentences::CA))]
    pub ca: Option<String>,
}

/// An issuer of cert-manager.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheIssuerRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Its kind: Issuer, of this namespace, by default; ClusterIssuer; or a kind of another group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: Option<String>,

    /// Its API group. By default cert-manager.io.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub group: Option<String>,
}
