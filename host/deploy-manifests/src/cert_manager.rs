//! Certificates by cert-manager (cert-manager.io/v1): a CA of its own, and from it the webhook's certificate.
//!
//! A self-signed certificate for the webhook itself would be simpler and would fail at every renewal: the API server
//! would trust the new one before every pod serves it. The CA keeps its key when it is renewed, for the same reason.

use crate::names::{WEBHOOK_CERTIFICATE, metadata};
use crate::settings::Settings;
use crate::webhook::dns_names;
use serde_json::{Value, json};

/// API version of cert-manager's kinds.
const API_VERSION: &str = "cert-manager.io/v1";
/// Annotation by which the CA is written into a webhook configuration.
const INJECT_CA_ANNOTATION: &str = "cert-manager.io/inject-ca-from";

const SELF_SIGNED: &str = "orascache-selfsigned";
const CA: &str = "orascache-webhook-ca";
const CERTIFICATE: &str = "orascache-webhook";

/// Issuers and certificates.
pub fn objects(settings: &Settings) -> Vec<Value> {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": metadata(name, Some(&settings.namespace)),
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
                // Ten years, of which the last third overlaps with the next one.
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
                "dnsNames": dns_names(settings),
                "duration": "2160h",
                "renewBefore": "720h",
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "usages": ["digital signature", "server auth"],
                "issuerRef": issuer(CA),
            }),
        ),
    ]
}

/// The annotation, and the Certificate whose CA is to be injected.
pub fn injection(settings: &Settings) -> (&'static str, String) {
    (INJECT_CA_ANNOTATION, format!("{}/{CERTIFICATE}", settings.namespace))
}

fn issuer(name: &str) -> Value {
    json!({"group": "cert-manager.io", "kind": "Issuer", "name": name})
}
