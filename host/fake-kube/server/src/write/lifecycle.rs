//! The admission plugin `NamespaceLifecycle`: a namespace must exist, accepts no new objects while
//! it is being deleted, and some namespaces cannot be deleted.

use fake_kube_apimachinery::status::{ApiError, ResourceName};
use serde_json::{Value, json};

use super::Write;
use crate::cluster::Cluster;
use crate::store::{Key, TableName};

const NAMESPACES: ResourceName<'static> = ResourceName { group: "", resource: "namespaces" };

/// Namespaces that cannot be deleted.
const PROTECTED: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Refuses a new object when its namespace does not exist or is being deleted, or when the
/// definition of its kind is being deleted.
pub(super) fn check_create(cluster: &Cluster, write: &Write, name: &str) -> Result<(), ApiError> {
    if write.kind.custom().is_some_and(|custom| custom.terminating) {
        return Err(ApiError {
            code: 405,
            reason: "MethodNotAllowed".into(),
            message: "create not allowed while custom resource definition is terminating".to_owned(),
            details: json!({"group": write.kind.group, "kind": write.kind.plural}),
        });
    }
    let Some(namespace) = write.namespace.as_deref() else { return Ok(()) };
    let table = TableName::new("", "namespaces");
    let Some(object) = cluster.state.store.get(&table, &Key::new(None, namespace)) else {
        return Err(ApiError::not_found(NAMESPACES, namespace));
    };
    let terminating =
        object.value().pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null());
    if !terminating {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut error = ApiError::forbidden(write.kind.resource_name(), name, &why);
    if let Value::Object(details) = &mut error.details {
        let message = format!("namespace {namespace} is being terminated");
        details.insert(
            "causes".into(),
            json!([{"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}]),
        );
    }
    Err(error)
}

/// Refuses to delete protected namespaces.
pub(super) fn check_delete(write: &Write, name: &str) -> Result<(), ApiError> {
    if write.kind.is("", "namespaces") && PROTECTED.contains(&name) {
        return Err(ApiError::forbidden(NAMESPACES, name, "this namespace may not be deleted"));
    }
    Ok(())
}
