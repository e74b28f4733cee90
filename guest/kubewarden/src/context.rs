//! What a review needs to know of the cluster, read through the host.

use crate::lookup::{self, Host, look_up};
use orascache_api::names::{API_VERSION, KIND};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, Context, Needs, ObjectRef};
use serde_json::json;

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
/// A cache that cannot be looked up is assumed to be as most are: it has a registry, at the address
/// that its name gives, and no Secret. A warning says so. Labels of a namespace cannot be assumed:
/// a rule of the administrator must not be skipped.
///
/// # Errors
/// A sentence, when the request cannot be decided without an object.
pub(crate) fn find(needs: Needs, settings: &str, host: &impl Host) -> Result<Found, String> {
    let mut found = Found::default();
    for reference in &needs.objects {
        let kind = &reference.kind.kind;
        let is_cache = kind == KIND;
        // Labels of a namespace say what the administrator requires now.
        match look_up(reference, is_cache, host) {
            Ok(lookup::Found::Object(object)) => found.context.objects.push(object),
            Ok(lookup::Found::Missing) => {}
            Ok(lookup::Found::UnknownKind) => found.warnings.push(format!(
                "this cluster does not know objects of kind {kind}: install the CustomResourceDefinition of OrasCache (manifests/crd)"
            )),
            Err((obstacle, error)) => {
                log(host, reference, &error);
                let (name, advice) = (&reference.name, obstacle.advice(kind));
                if !is_cache {
                    return Err(format!(
                        "{kind} {name} cannot be read, and its labels decide what is required: {advice}"
                    ));
                }
                let namespace = reference.namespace.as_deref().unwrap_or_default();
                let assumed = json!({
                    "apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, "namespace": namespace},
                });
                found.context.objects.push(assumed.to_string());
                found.warnings.push(format!(
                    "{KIND} {name} of namespace {namespace} could not be looked up: it is assumed to exist, with a registry of its own and without a Secret; {advice}"
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

fn log(host: &impl Host, reference: &ObjectRef, error: &str) {
    let entry = json!({
        "level": "warning", "message": "an object could not be looked up", "kind": reference.kind.kind,
        "name": reference.name, "namespace": reference.namespace, "error": error,
    });
    // Logging is best effort: an error could only be logged.
    let _ = host.call("tracing", "log", &entry.to_string());
}
