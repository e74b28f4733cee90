//! What a decision asks for, read from the cluster through the host.

use orascache_api::names::{API_VERSION, KIND};
use orascache_core::contract::ObjectRef;
use serde_json::json;

/// Calls of the Kubewarden host (docs.kubewarden.io, "Host capabilities"), whose waPC binding is `kubewarden`.
pub trait Host {
    /// One call; payload and answer are JSON.
    ///
    /// # Errors
    /// What the host says: that the policy may not ask, that there is no such object, or why it has no answer.
    fn call(&self, namespace: &str, operation: &str, payload: &str) -> Result<Vec<u8>, String>;
}

/// What is known of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Objects, JSON text.
    pub(crate) objects: Vec<String>,
    /// What was assumed instead of an answer, for whoever made the request.
    pub(crate) warnings: Vec<String>,
}

/// Reads the objects.
///
/// A cache that cannot be looked up is taken for one that is as most are: it has a registry, at the address that its name
/// gives, and no Secret. Its name is enough for that, and a warning says so. Labels of a namespace cannot be guessed, and
/// a rule of the administrator must not fall silent.
///
/// # Errors
/// A sentence, when there is no decision without an object.
pub(crate) fn find(references: &[ObjectRef], host: &impl Host) -> Result<Found, String> {
    let mut found = Found::default();
    for reference in references {
        match read(reference, host) {
            Ok(Some(object)) => found.objects.push(object),
            Ok(None) => {}
            Err(error) => {
                warn(host, reference, &error);
                let namespace = reference.namespace.as_deref().unwrap_or_default();
                let name = &reference.name;
                if reference.kind != KIND {
                    let kind = &reference.kind;
                    return Err(format!(
                        "{kind} {name} cannot be read, whose labels decide what is required: allow this policy to read {kind}s (contextAwareResources), or do without namespaceSelector in its settings"
                    ));
                }
                let assumed = json!({
                    "apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, "namespace": namespace},
                });
                found.objects.push(assumed.to_string());
                found.warnings.push(format!(
                    "{KIND} {name} of namespace {namespace} could not be looked up, so that it is taken to exist, with a registry of its own and without a Secret"
                ));
            }
        }
    }
    Ok(found)
}

/// One object, from the API server and not from the host's memory: what was not there a moment ago may be there now.
fn read(reference: &ObjectRef, host: &impl Host) -> Result<Option<String>, String> {
    let request = json!({
        "api_version": reference.api_version, "kind": reference.kind, "name": reference.name,
        "namespace": reference.namespace, "disable_cache": true,
    });
    match host.call("kubernetes", "get_resource", &request.to_string()) {
        Ok(object) => match String::from_utf8(object) {
            Ok(object) => Ok(Some(object)),
            Err(_) => Err("the host's answer is not UTF-8".to_owned()),
        },
        Err(error) if is_absent(&error, &reference.name) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the API server has no such object. There is no other sign of it than policy-evaluator's words
/// (`callback_handler/kubernetes/client.rs`, `get_resource`).
fn is_absent(error: &str, name: &str) -> bool {
    error.contains("Cannot find ") && error.contains(&format!(" named '{name}'"))
}

fn warn(host: &impl Host, reference: &ObjectRef, error: &str) {
    let entry = json!({
        "level": "warning", "message": "an object could not be looked up", "kind": reference.kind,
        "name": reference.name, "namespace": reference.namespace, "error": error,
    });
    // Logging is best effort: there is nobody left to tell.
    let _ = host.call("tracing", "log", &entry.to_string());
}
