//! What a document is: something to decide about, or none of this command's business.

use deploy_manifests::names::SETTINGS;
use orascache_api::steps::ANNOTATION_PREFIX;
use orascache_contract::Kind;
use serde_json::Value;
use std::path::Path;

/// What is done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An AdmissionReview, as the API server sends it.
    Review,
    /// A cache.
    Primary,
    Pod,
    Job,
    /// The ConfigMap with the settings.
    Settings,
    /// An object of another kind, of which pods may be made.
    Other,
}

/// Why a document is none of these.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoSubject {
    /// It belongs to another program.
    Foreign(&'static str),
    /// It is meant to be one, and lacks what says so.
    Incomplete,
}

/// Tells what a document is.
pub(super) fn of(document: &Value, file: Option<&Path>, primary: &Kind) -> Result<Subject, NoSubject> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if is_kustomization(api_version, file) {
        return Err(NoSubject::Foreign("this is for kustomize: review what `kubectl kustomize` makes of it"));
    }
    if api_version.is_empty() || kind.is_empty() {
        return Err(if document.get("metadata").is_some_and(Value::is_object) {
            NoSubject::Incomplete
        } else {
            NoSubject::Foreign("this is no Kubernetes object: it has no apiVersion or no kind")
        });
    }
    let name = document.pointer("/metadata/name");
    Ok(match (api_version, kind) {
        (_, "AdmissionReview") => Subject::Review,
        _ if api_version == primary.api_version && kind == primary.kind => Subject::Primary,
        ("v1", "Pod") => Subject::Pod,
        ("batch/v1", "Job") => Subject::Job,
        ("v1", "ConfigMap") if name.is_some_and(|name| name == SETTINGS) => Subject::Settings,
        _ => Subject::Other,
    })
}

/// `Kind/name`, as people call an object.
pub(super) fn title(object: &Value) -> String {
    let text =
        |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName"));
    format!("{}/{}", text("/kind").unwrap_or("object"), name.unwrap_or("(without a name)"))
}

/// Names of the step annotations on an object itself.
pub(super) fn step_annotations(object: &Value) -> Vec<&str> {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    annotations
        .into_iter()
        .flat_map(|all| all.keys())
        .filter_map(|key| key.strip_prefix(ANNOTATION_PREFIX))
        .collect()
}

/// Whether there is a step annotation anywhere in a value.
pub(super) fn asks_for_a_step(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.starts_with(ANNOTATION_PREFIX) || asks_for_a_step(member)),
        Value::Array(items) => items.iter().any(asks_for_a_step),
        _ => false,
    }
}

fn is_kustomization(api_version: &str, file: Option<&Path>) -> bool {
    let stem = file.and_then(Path::file_stem).is_some_and(|stem| stem == "kustomization");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    group == "kustomize.config.k8s.io" || (stem && group.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{NoSubject, Subject, of};
    use orascache_contract::Kind;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn documents_of_other_programs_are_told_from_incomplete_objects() {
        let primary = Kind::namespaced("example.org/v1", "Widget", "widgets");
        let subject = |document, file| of(&document, Some(Path::new(file)), &primary);
        let foreign = |found: Result<Subject, NoSubject>| matches!(found, Err(NoSubject::Foreign(_)));
        for (document, file) in [
            (json!({"replicas": 1}), "values.yaml"),
            (json!({"apiVersion": "v2", "name": "chart"}), "Chart.yaml"),
            (json!({"resources": ["a.yaml"], "metadata": {}}), "base/kustomization.yaml"),
            (json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}), "k.yaml"),
            (json!("text"), "a.yaml"),
            (json!([1]), "a.yaml"),
        ] {
            assert!(foreign(subject(document.clone(), file)), "{document}");
        }
        for (document, wanted) in [
            (json!({"metadata": {"name": "x"}, "kind": "Pod"}), Err(NoSubject::Incomplete)),
            (json!({"apiVersion": "v1", "kind": "Pod"}), Ok(Subject::Pod)),
            (json!({"apiVersion": "example.org/v1", "kind": "Widget"}), Ok(Subject::Primary)),
            (json!({"apiVersion": "example.org/v2", "kind": "Widget"}), Ok(Subject::Other)),
            (
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "orascache-settings"}}),
                Ok(Subject::Settings),
            ),
        ] {
            assert_eq!(subject(document.clone(), "a.yaml"), wanted, "{document}");
        }
    }
}
