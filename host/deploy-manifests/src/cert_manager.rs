//! Issuers and certificates of cert-manager (cert-manager.io/v1): a CA, and the webhook's
//! certificate.
//!
//! A self-signed certificate for the webhook would be simpler, but requests would fail at every
//! renewal: the API server would trust the new certificate before all pods serve it. For the same
//! reason the CA keeps its key when it is renewed.

use crate::names::{WEBHOOK_CERTIFICATE, metadata};
use crate::operator_webhooks::dns_names;
use crate::options::ManifestOptions;
use serde_json::{Value, json};

/// API version of cert-manager's kinds.
const API_VERSION: &str = "cert-manager.io/v1";
/// Annotation of webhook configurations that names the certificate whose CA is injected.
const INJECT_CA_ANNOTATION: &str = "cert-manager.io/inject-ca-from";

const SELF_SIGNED: &str = "orascache-selfsigned";
const CA: &str = "orascache-webhook-ca";
const CERTIFICATE: &str = "orascache-webhook";

/// Issuers and certificates, in the order in which they depend on each other.
pub fn objects(options: &ManifestOptions) -> Vec<Value> {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": metadata(name, Some(&options.namespace)),
            "spec": spec,
        })
    };
    vec![
        object("Issuer", SELF_SIGNED, json!({"selfSigned": {}})),
        object(
            "Certificate",
            CA,
            json!({
                "isCA": true,
                "commonName": CA,
                "secretName": CA,
                // Ten years. The last third overlaps with the next certificate.
                "duration": "87600h",
                "renewBefore": "29200h",
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
                "issuerRef": issuer(SELF_SIGNED),
            }),
        ),
        object("Issuer", CA, json!({"ca": {"secretName": CA}})),
        object(
            "Certificate",
            CERTIFICATE,
            json!({
                "secretName": WEBHOOK_CERTIFICATE,
                "dnsNames": dns_names(options),
                "duration": "2160h",
                "renewBefore": "720h",
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "usages": ["digital signature", "server auth"],
                "issuerRef": issuer(CA),
            }),
        ),
    ]
}

/// The annotation that lets cert-manager write the CA into a webhook configuration: key and value.
pub fn ca_annotation(options: &ManifestOptions) -> (&'static str, String) {
    (INJECT_CA_ANNOTATION, format!("{}/{CERTIFICATE}", options.namespace))
}

fn issuer(name: &str) -> Value {
    json!({"group": "cert-manager.io", "kind": "Issuer", "name": name})
}
