//! POSTs that are actions: binding and evicting pods, and reviews about the user.

use fake_kube_apimachinery::status::ApiError;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::admit::Subject;
use super::delete::{self, DeleteOptions};
use super::{Change, PatchType, Write, metadata, update};
use crate::admission::{Operation, User};
use crate::cluster::Cluster;
use crate::http::decode::Decoded;
use crate::http::query::Query;
use crate::store::Key;

/// Assigns a pod to a node: `pods/NAME/binding`.
///
/// # Errors
/// 409 when the pod has a node already, and the refusals of an update.
pub async fn bind(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    body: Decoded,
) -> Result<(StatusCode, Value), ApiError> {
    let binding = admit(cluster, write, name, body.value).await?;
    let node = binding.pointer("/target/name").and_then(Value::as_str).unwrap_or_default();
    if node.is_empty() {
        return Err(ApiError::bad_request("a Binding must name the node in target.name"));
    }
    let key = Key::new(write.namespace.as_deref(), name);
    let missing = || ApiError::not_found(write.kind.resource_name(), name);
    let pod = cluster.state.store.get(&write.kind.table, &key).ok_or_else(missing)?.value();
    let bound = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if !bound.is_empty() {
        let why = format!("pod {name} is already assigned to node {bound:?}");
        return Err(ApiError::conflict(write.kind.resource_name(), name, &why));
    }
    let mut conditions =
        pod.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.retain(|condition| condition.get("type").and_then(Value::as_str) != Some("PodScheduled"));
    conditions.push(json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": write.now,
    }));
    let patch = json!({
        "metadata": {"resourceVersion": metadata::text(&pod, "resourceVersion")},
        "spec": {"nodeName": node},
        "status": {"conditions": conditions},
    });
    let patch = Decoded { value: patch, duplicates: Vec::new() };
    update::update(cluster, write, name, Change::Patch(PatchType::Merge), patch).await?;
    Ok((StatusCode::CREATED, success()))
}

/// Deletes a pod: `pods/NAME/eviction`. Disruption budgets are ignored.
///
/// # Errors
/// The refusals of a deletion.
pub async fn evict(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    body: Decoded,
) -> Result<(StatusCode, Value), ApiError> {
    let eviction = admit(cluster, write, name, body.value).await?;
    let options = eviction.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
    let options = Decoded { value: options, duplicates: Vec::new() };
    let options = DeleteOptions::read(Some(options), &Query::default())?;
    write.subresource = None;
    delete::delete(cluster, write, name, &options).await?;
    Ok((StatusCode::CREATED, success()))
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

/// Admission of an action. Webhooks review its body, for example the `Binding`, and not the pod.
async fn admit(cluster: &Cluster, write: &mut Write, name: &str, body: Value) -> Result<Value, ApiError> {
    let (group, version, kind) = write.kind.body(write.subresource.as_deref());
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut body: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    body.insert("apiVersion".into(), api_version.into());
    body.insert("kind".into(), kind.into());
    let mut body = Value::Object(body);
    if let Some(fields) = metadata::of(&mut body) {
        fields.entry("name").or_insert_with(|| name.into());
    }
    metadata::settle_namespace(write, &mut body)?;
    let subject = Subject { operation: Operation::Create, name, old: None };
    let body = write.mutate(cluster, &subject, Some(body)).await?.unwrap_or_default();
    write.validate(cluster, &subject, Some(&body)).await?;
    // The write that carries out the action is not reviewed again.
    write.exempt = true;
    Ok(body)
}

/// Answers SelfSubjectAccessReview (everything is allowed) and SelfSubjectReview.
///
/// `None` when the kind is none of these.
///
/// # Errors
/// The refusal of a webhook.
pub async fn review(cluster: &Cluster, write: &mut Write, body: &Decoded) -> Result<Option<Value>, ApiError> {
    if !matches!(write.kind.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io") {
        return Ok(None);
    }
    let body = admit(cluster, write, "", body.value.clone()).await?;
    Ok(reviewed(write, &body))
}

fn reviewed(write: &Write, body: &Value) -> Option<Value> {
    let user = User::default();
    let status = match (write.kind.group.as_str(), write.kind.kind.as_str()) {
        ("authorization.k8s.io", "SelfSubjectRulesReview") => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        ("authorization.k8s.io", _) => json!({
            "allowed": true,
            "reason": "this API server has no authorization: it allows everything",
        }),
        ("authentication.k8s.io", "SelfSubjectReview") => {
            json!({"userInfo": {"username": user.name, "groups": user.groups}})
        }
        _ => return None,
    };
    let mut answer: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    answer.insert("apiVersion".into(), write.kind.api_version().into());
    answer.insert("kind".into(), write.kind.kind.clone().into());
    answer.insert("status".into(), status);
    let metadata = answer.entry("metadata").or_insert_with(|| json!({}));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("creationTimestamp".into(), write.now.clone().into());
    }
    Some(Value::Object(answer))
}
