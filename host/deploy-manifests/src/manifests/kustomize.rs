//! kustomization.yaml, with the fields that the manifests need
//! (<https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>).

use crate::deployment::AGENT_IMAGE_VARIABLE;
use crate::names::{CONTAINER, OPERATOR};
use serde::Serialize;
use serde_json::{Value, json};

/// A kustomization.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    patches: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replacements: Vec<Value>,
}

impl Kustomization {
    /// A component: a kustomization that changes the resources of those that include it.
    pub(super) fn component() -> Self {
        Self { api_version: "kustomize.config.k8s.io/v1alpha1", kind: "Component", ..Self::of(&[]) }
    }

    pub(super) fn of(resources: &[&str]) -> Self {
        Self {
            api_version: "kustomize.config.k8s.io/v1beta1",
            kind: "Kustomization",
            namespace: None,
            resources: resources.iter().map(|path| (*path).to_owned()).collect(),
            patches: Vec::new(),
            replacements: Vec::new(),
        }
    }

    pub(super) fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    pub(super) fn patched_by(mut self, paths: &[&str]) -> Self {
        self.patches = paths.iter().map(|path| json!({"path": path})).collect();
        self
    }

    pub(super) fn patched_inline(mut self, patch: &str) -> Self {
        self.patches.push(json!({"patch": patch}));
        self
    }

    /// Applies a JSON Patch, as text, to the operator's Deployment.
    pub(super) fn with_deployment_patched(mut self, patch: &str) -> Self {
        self.patches.push(json!({"target": {"kind": "Deployment", "name": OPERATOR}, "patch": patch}));
        self
    }

    /// Applies a JSON Patch, as text, to the object of this kind, namespace and name.
    pub(super) fn with_patched(mut self, identity: &Value, patch: &str) -> Self {
        let mut target = json!({"kind": identity.get("kind")});
        for field in ["name", "namespace"] {
            if let Some(value) = identity.pointer(&format!("/metadata/{field}")) {
                target[field] = value.clone();
            }
        }
        self.patches.push(json!({"target": target, "patch": patch}));
        self
    }

    /// Copies the container's image, after `images` changed it, into the variable that names the
    /// image of injected init containers.
    pub(super) fn with_agent_image(mut self) -> Self {
        self.replacements = vec![agent_image()];
        self
    }
}

/// Where kustomize finds names of our objects beside the places that it knows, as YAML. People give
/// it to kustomizations that change names.
pub(super) fn name_references() -> String {
    let variables = json!({"kind": "Deployment", "path": "spec/template/spec/containers/env/value"});
    let right = json!({"kind": "ClusterRole", "path": "rules/resourceNames"});
    let references = json!({"nameReference": [
        {"kind": "MutatingWebhookConfiguration", "fieldSpecs": [right, variables]},
        {"kind": "Service", "version": "v1", "fieldSpecs": [variables]},
    ]});
    serde_saphyr::to_string(&references).unwrap_or_default()
}

/// The replacement that copies the image. People repeat it in kustomizations that set an image.
pub(super) fn agent_image() -> Value {
    let container = format!("spec.template.spec.containers.[name={CONTAINER}]");
    json!({
        "source": {"kind": "Deployment", "name": OPERATOR, "fieldPath": format!("{container}.image")},
        "targets": [{
            "select": {"kind": "Deployment", "name": OPERATOR},
            "fieldPaths": [format!("{container}.env.[name={AGENT_IMAGE_VARIABLE}].value")],
        }],
    })
}
