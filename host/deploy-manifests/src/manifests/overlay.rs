//! The overlay `certmanager`: what of `default` changes when cert-manager looks after the certificate.

use super::Tree;
use super::kustomize::Kustomization;
use super::yaml::{document, documents};
use crate::deployment::{WEBHOOK_NAMESPACE_VARIABLE, arguments, certificate_mount, certificate_volume};
use crate::names::CONTAINER;
use crate::objects::to_value;
use crate::settings::{Certificates, Error, Settings};
use crate::{cert_manager, deployment, rbac, webhook};
use serde_json::{Value, json};

const CERTIFICATES: &str = "A CA, and from it the certificate that the operator's pods serve reviews with.";
const DEPLOYMENT: &str = "The certificate is mounted. Without a namespace for managed certificates the operator neither issues nor publishes.";
const WEBHOOKS: &str = "cert-manager writes the CA into clientConfig.caBundle, and again when it is renewed.";
const OVERLAY: &str = "The same as default, with a certificate by cert-manager. Rights that only managed certificates take are deleted.";

/// Adds the folder.
pub(super) fn add(settings: &Settings, tree: &mut Tree) -> Result<(), Error> {
    let mut folder = Kustomization::of(&["../default", "certificates.yaml"])
        .patched_by(&["deployment.yaml", "webhooks.yaml"])
        .with_agent_image();
    for deletion in deletions(settings)? {
        // Several deletions in one file make kustomize 5.5, which is part of kubectl 1.32, panic.
        folder = folder.patched_inline(&document("", &deletion)?);
    }
    tree.text("certmanager/kustomization.yaml", document(OVERLAY, &folder)?);
    let certificates = documents(CERTIFICATES, &cert_manager::objects(settings))?;
    tree.text("certmanager/certificates.yaml", certificates);
    tree.text("certmanager/deployment.yaml", document(DEPLOYMENT, &deployment_patch(settings)?)?);
    tree.text("certmanager/webhooks.yaml", documents(WEBHOOKS, &webhook_patches(settings)?)?);
    Ok(())
}

/// A strategic merge patch: containers, variables and volumes are merged by name, arguments are replaced.
fn deployment_patch(settings: &Settings) -> Result<Value, Error> {
    let mut patch = identity(&to_value(&deployment::deployment(settings))?);
    merge(
        &mut patch,
        json!({"spec": {"template": {"spec": {
            "containers": [{
                "name": CONTAINER,
                "args": arguments(Certificates::CertManager),
                "env": [{"name": WEBHOOK_NAMESPACE_VARIABLE, "$patch": "delete"}],
                "volumeMounts": [certificate_mount()],
            }],
            "volumes": [certificate_volume()],
        }}}}),
    );
    Ok(patch)
}

fn webhook_patches(settings: &Settings) -> Result<Vec<Value>, Error> {
    let (annotation, certificate) = cert_manager::injection(settings);
    [to_value(&webhook::mutating(settings))?, to_value(&webhook::validating(settings))?]
        .iter()
        .map(|configuration| {
            let mut patch = identity(configuration);
            merge(&mut patch, json!({"metadata": {"annotations": {annotation: certificate}}}));
            Ok(patch)
        })
        .collect()
}

fn deletions(settings: &Settings) -> Result<Vec<Value>, Error> {
    let (role, role_binding) = rbac::certificate(settings);
    let (cluster_role, cluster_role_binding) = rbac::publication(settings);
    let objects = [
        to_value(&role)?,
        to_value(&role_binding)?,
        to_value(&cluster_role)?,
        to_value(&cluster_role_binding)?,
    ];
    let deletion = |object: &Value| {
        let mut patch = identity(object);
        merge(&mut patch, json!({"$patch": "delete"}));
        patch
    };
    Ok(objects.iter().map(deletion).collect())
}

/// What a patch names its object by.
fn identity(object: &Value) -> Value {
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace"] {
        if let Some(value) = object.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    json!({"apiVersion": object.get("apiVersion"), "kind": object.get("kind"), "metadata": metadata})
}

/// Adds members to an object, at any depth.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
