//! Objects as users write them.

use serde_json::{Value, json};

/// An OrasCache.
pub fn cache(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1",
        "kind": "OrasCache",
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// A Secret with an HTTP secret.
pub fn http_secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"http-secret": "7Zq1n0dQv8s2"}})
}

/// The definition of Greetings, which the second guest manages.
pub fn greeting_crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "greetings.lab.example.com"},
        "spec": {
            "group": "lab.example.com",
            "scope": "Namespaced",
            "names": {"plural": "greetings", "singular": "greeting", "kind": "Greeting", "listKind": "GreetingList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"text": {"type": "string"}, "misbehave": {"type": "string"}}},
                    "status": {"type": "object", "properties": {
                        "observedGeneration": {"type": "integer"}, "greeting": {"type": "string"},
                    }},
                }}},
            }],
        },
    })
}

/// A Greeting.
pub fn greeting(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "lab.example.com/v1", "kind": "Greeting", "metadata": {"name": name}, "spec": spec})
}
