//! The overlay `certmanager`: it changes `default` to certificates of cert-manager.

use super::kustomize::Kustomization;
use super::tree::Tree;
use super::yaml::{document, documents};
use crate::deployment::{
    WEBHOOK_CONFIGURATION_VARIABLE, WEBHOOK_NAMESPACE_VARIABLE, WEBHOOK_SERVICE_VARIABLE, arguments,
    certificate_mount, certificate_volume,
};
use crate::error::ManifestError;
use crate::names::CONTAINER;
use crate::operator_webhooks::webhook_configurations;
use crate::options::{CertificateSource, ManifestOptions};
use crate::rights::managed_certificate_roles;
use crate::values::to_value;
use crate::{cert_manager, deployment, rbac};
use orascache_contract::Description;
use serde_json::{Value, json};

const CERTIFICATES: &str = "A CA, and the certificate that the operator's pods serve reviews with.";
const DEPLOYMENT: &str =
    "Mounts the certificate. Without the variable POD_NAMESPACE the operator does not manage one.";
const WEBHOOKS: &str =
    "cert-manager writes the CA into clientConfig.caBundle, and again when it renews the CA.";
const OVERLAY: &str = "The same as default, with a certificate of cert-manager. It deletes roles that only managed certificates need.";

/// Adds the folder.
pub(super) fn add(
    options: &ManifestOptions,
    description: &Description,
    tree: &mut Tree,
) -> Result<(), ManifestError> {
    let mut folder = Kustomization::of(&["../default", "certificates.yaml"])
        .patched_by(&["deployment.yaml", "webhooks.yaml"])
        .with_agent_image();
    for deletion in deletions(options)? {
        // kustomize 5.5, which is part of kubectl 1.32, panics at several deletions in one file.
        folder = folder.patched_inline(&document("", &deletion)?);
    }
    tree.text("certmanager/kustomization.yaml", document(OVERLAY, &folder)?);
    let certificates = documents(CERTIFICATES, &cert_manager::objects(options))?;
    tree.text("certmanager/certificates.yaml", certificates);
    tree.text("certmanager/deployment.yaml", document(DEPLOYMENT, &deployment_patch(options)?)?);
    tree.text("certmanager/webhooks.yaml", documents(WEBHOOKS, &webhook_patches(options, description)?)?);
    Ok(())
}

/// A strategic merge patch: it merges containers, variables and volumes by name, and replaces the
/// arguments.
fn deployment_patch(options: &ManifestOptions) -> Result<Value, ManifestError> {
    let mut patch = identity(&to_value(&deployment::deployment(options))?);
    let issued = ManifestOptions { certificates: CertificateSource::CertManager, ..options.clone() };
    let of_managed_certificates =
        [WEBHOOK_NAMESPACE_VARIABLE, WEBHOOK_SERVICE_VARIABLE, WEBHOOK_CONFIGURATION_VARIABLE];
    let removed = of_managed_certificates.map(|name| json!({"name": name, "$patch": "delete"}));
    merge(
        &mut patch,
        json!({"spec": {"template": {"spec": {
            "containers": [{
                "name": CONTAINER,
                "args": arguments(&issued),
                "env": removed,
                "volumeMounts": [certificate_mount()],
            }],
            "volumes": [certificate_volume()],
        }}}}),
    );
    Ok(patch)
}

fn webhook_patches(
    options: &ManifestOptions,
    description: &Description,
) -> Result<Vec<Value>, ManifestError> {
    let (annotation, certificate) = cert_manager::ca_annotation(options);
    let configurations = webhook_configurations(options, description);
    let mutating = configurations.mutating.as_ref().map(to_value).transpose()?;
    let validating = configurations.validating.as_ref().map(to_value).transpose()?;
    let patch = |configuration: Value| {
        let mut patch = identity(&configuration);
        merge(&mut patch, json!({"metadata": {"annotations": {annotation: certificate}}}));
        patch
    };
    Ok(mutating.into_iter().chain(validating).map(patch).collect())
}

fn deletions(options: &ManifestOptions) -> Result<Vec<Value>, ManifestError> {
    let mut deletions = Vec::new();
    for role in managed_certificate_roles(options) {
        for object in rbac::role_objects(&role, options)? {
            let mut patch = identity(&object);
            merge(&mut patch, json!({"$patch": "delete"}));
            deletions.push(patch);
        }
    }
    Ok(deletions)
}

/// The fields by which a patch names its object.
pub(super) fn identity(object: &Value) -> Value {
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace"] {
        if let Some(value) = object.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    json!({"apiVersion": object.get("apiVersion"), "kind": object.get("kind"), "metadata": metadata})
}

/// Adds members to an object, at any depth. Members that exist are replaced.
pub(super) fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
