//! What a review needs to know of the cluster, read through the host.

use orascache_api::names::{API_VERSION, KIND};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, Context, Needs, ObjectRef};
use serde_json::json;

/// Calls of the Kubewarden host (docs.kubewarden.io, "Host capabilities"), whose waPC binding is `kubewarden`.
pub trait Host {
    /// One call; payload and answer are JSON.
    ///
    /// # Errors
    /// What the host says: that the policy may not ask, that there is no such object, or why it has no answer.
    fn call(&self, namespace: &str, operation: &str, payload: &str) -> Result<Vec<u8>, String>;
}

/// What the host found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The context of the second review.
    pub(crate) context: Context<String>,
    /// What was assumed in place of an answer, for the client.
    pub(crate) warnings: Vec<String>,
}

/// Reads what a review needs.
///
/// A cache that cannot be looked up is assumed to be as most are: it has a registry, at the address that its name
/// gives, and no Secret. A warning says so. Labels of a namespace cannot be assumed: a rule of the administrator must
/// not be skipped.
///
/// # Errors
/// A sentence, when the request cannot be decided without an object.
pub(crate) fn find(needs: Needs, settings: &str, host: &impl Host) -> Result<Found, String> {
    let mut found = Found::default();
    for reference in &needs.objects {
        match read(reference, host) {
            Ok(Some(object)) => found.context.objects.push(object),
            Ok(None) => {}
            Err(error) => {
                log(host, reference, &error);
                let namespace = reference.namespace.as_deref().unwrap_or_default();
                let (kind, name) = (&reference.kind.kind, &reference.name);
                if kind != KIND {
                    return Err(format!(
                        "{kind} {name} cannot be read, and its labels decide what is required: allow this policy to read {kind}s (contextAwareResources), or remove namespaceSelector from its settings"
                    ));
                }
                let assumed = json!({
                    "apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, "namespace": namespace},
                });
                found.context.objects.push(assumed.to_string());
                found.warnings.push(format!(
                    "{KIND} {name} of namespace {namespace} could not be looked up: it is assumed to exist, with a registry of its own and without a Secret"
                ));
            }
        }
    }
    found.context.answers = needs
        .questions
        .into_iter()
        .map(|question| {
            let finding = ArtifactFinding::Unknown("policies do not ask registries".to_owned());
            ArtifactAnswer { question, finding }
        })
        .collect();
    found.context.complete = true;
    found.context.settings = settings.to_owned();
    Ok(found)
}

/// One object, read from the API server: the host's cache may not have an object yet that was just created.
fn read(reference: &ObjectRef, host: &impl Host) -> Result<Option<String>, String> {
    let request = json!({
        "api_version": reference.kind.api_version, "kind": reference.kind.kind, "name": reference.name,
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

/// Whether the API server has no such object. The only sign of it is the text of policy-evaluator's error
/// (`callback_handler/kubernetes/client.rs`, `get_resource`).
fn is_absent(error: &str, name: &str) -> bool {
    error.contains("Cannot find ") && error.contains(&format!(" named '{name}'"))
}

fn log(host: &impl Host, reference: &ObjectRef, error: &str) {
    let entry = json!({
        "level": "warning", "message": "an object could not be looked up", "kind": reference.kind.kind,
        "name": reference.name, "namespace": reference.namespace, "error": error,
    });
    // Logging is best effort: an error could only be logged.
    let _ = host.call("tracing", "log", &entry.to_string());
}
