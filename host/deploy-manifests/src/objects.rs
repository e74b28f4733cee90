//! All objects as one list, in the order in which they are applied.

use crate::error::ManifestError;
use crate::operator_webhooks::{service, webhook_configurations};
use crate::options::ManifestOptions;
use crate::rights::all_roles;
use crate::values::to_value;
use crate::{cert_manager, deployment, gates, namespace, network, rbac};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use orascache_api::orascache::OrasCache;
use orascache_contract::Description;
use serde_json::{Value, json};

/// The CustomResourceDefinition of OrasCache, generated from its Rust types.
pub fn definition() -> CustomResourceDefinition {
    OrasCache::crd()
}

/// The same, with the default of `spec.image` in the registry that has the copies of images.
pub(crate) fn mirrored_definition(options: &ManifestOptions) -> Result<Value, ManifestError> {
    let mut definition = to_value(&definition())?;
    let versions = definition.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        let default = version.pointer_mut(DEFAULT_IMAGE_POINTER).filter(|default| default.is_string());
        if let Some(default) = default {
            *default = options.mirrored(default.as_str().unwrap_or_default()).into();
        }
    }
    Ok(definition)
}

/// Where a version of the definition has the default image of registries.
pub(crate) const DEFAULT_IMAGE_POINTER: &str =
    "/schema/openAPIV3Schema/properties/spec/properties/image/default";

/// All objects. Webhook configurations come last: from then on, annotated pods are refused until
/// the operator answers reviews.
///
/// # Errors
/// When an option cannot be used.
pub fn objects(options: &ManifestOptions, description: &Description) -> Result<Vec<Value>, ManifestError> {
    options.check()?;
    let cert_manager = options.mounts_certificate();
    let mut list = vec![
        to_value(&namespace::namespace(options))?,
        mirrored_definition(options)?,
        to_value(&rbac::service_account(options))?,
    ];
    for role in all_roles(options, description) {
        list.extend(rbac::role_objects(&role, options)?);
    }
    list.push(to_value(&network::policy(options))?);
    if options.gates {
        list.push(to_value(&gates::network_policy(options))?);
        list.push(to_value(&gates::admission_policy(options))?);
        list.push(to_value(&gates::admission_policy_binding())?);
    }
    list.push(to_value(&namespace::disruption_budget(options))?);
    if cert_manager {
        list.extend(cert_manager::objects(options));
    }
    if options.webhooks {
        list.push(to_value(&service(options))?);
    }
    list.push(to_value(&deployment::deployment(options))?);
    if !options.webhooks {
        return Ok(list);
    }
    let configurations = webhook_configurations(options, description);
    let mutating = configurations.mutating.as_ref().map(to_value).transpose()?;
    let validating = configurations.validating.as_ref().map(to_value).transpose()?;
    for mut configuration in mutating.into_iter().chain(validating) {
        if cert_manager
            && let Some(metadata) = configuration.get_mut("metadata").and_then(Value::as_object_mut)
        {
            let (annotation, certificate) = cert_manager::ca_annotation(options);
            metadata.insert("annotations".to_owned(), json!({annotation: certificate}));
        }
        list.push(configuration);
    }
    Ok(list)
}
