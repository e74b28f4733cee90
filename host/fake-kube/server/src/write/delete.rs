//! DELETE: finalizers, propagation, grace periods, preconditions, and collections.

use fake_kube_apimachinery::status::{ApiError, ResourceName};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::admit::Subject;
use super::{Write, lifecycle, metadata};
use crate::admission::Operation;
use crate::catalogue::Kind;
use crate::clock;
use crate::cluster::Cluster;
use crate::definitions::status::{self, CLEANUP_FINALIZER};
use crate::http::decode::Decoded;
use crate::http::query::Query;
use crate::store::{Key, Object, WriteRefused};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
const ATTEMPTS: usize = 5;

/// Kinds whose deletion answers with the object rather than with a `Status`.
const ANSWERED_WITH_OBJECT: [&str; 7] = [
    "pods",
    "services",
    "serviceaccounts",
    "podtemplates",
    "resourcequotas",
    "persistentvolumes",
    "persistentvolumeclaims",
];

/// The relevant parts of meta/v1 `DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    grace_seconds: Option<i64>,
    propagation: Propagation,
    /// `orphanDependents: false`: the answer is 202 when the object is only marked for deletion.
    not_orphaned: bool,
    uid: Option<String>,
    version: Option<String>,
    dry_run: bool,
    /// The options that the client gave, as reviews show them to webhooks.
    given: Map<String, Value>,
}

/// The fields of `DeleteOptions` that reviews show to webhooks.
const REVIEWED: [&str; 5] =
    ["gracePeriodSeconds", "preconditions", "orphanDependents", "propagationPolicy", "dryRun"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Propagation {
    #[default]
    Unset,
    Background,
    Foreground,
    Orphan,
}

impl DeleteOptions {
    /// Reads the options from the body, or from the query when there is no body.
    ///
    /// # Errors
    /// 400 or 422 when an option has a value that it cannot have.
    pub fn read(body: Option<Decoded>, query: &Query) -> Result<Self, ApiError> {
        let body = body.map(|decoded| decoded.value).unwrap_or_default();
        let text =
            |pointer: &str| body.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let grace_seconds = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(seconds) => Some(seconds),
            None => query.number("gracePeriodSeconds")?.and_then(|seconds| i64::try_from(seconds).ok()),
        };
        let orphan = body
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| query.flag_if_given("orphanDependents"));
        let propagation = match text("/propagationPolicy").or_else(|| query.get("propagationPolicy")) {
            Some("Background") => Propagation::Background,
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            Some(other) => {
                return Err(ApiError::bad_request(format!(
                    "propagationPolicy is {other:?}; write Foreground, Background or Orphan"
                )));
            }
            None if orphan == Some(true) => Propagation::Orphan,
            None if orphan == Some(false) => Propagation::Background,
            None => Propagation::Unset,
        };
        let given = match body.as_object() {
            Some(body) => {
                body.iter().filter(|(name, _)| REVIEWED.contains(&name.as_str())).map(own).collect()
            }
            None => from_query(query, grace_seconds, orphan)?,
        };
        let dry_run_body = body.pointer("/dryRun/0").and_then(Value::as_str) == Some("All");
        Ok(Self {
            grace_seconds,
            propagation,
            not_orphaned: orphan == Some(false),
            uid: text("/preconditions/uid").map(str::to_owned),
            version: text("/preconditions/resourceVersion").map(str::to_owned),
            dry_run: dry_run_body || query.dry_run("DeleteOptions")?,
            given,
        })
    }

    /// Deletes without a grace period. Finalizers still delay the deletion.
    pub fn at_once() -> Self {
        Self { grace_seconds: Some(0), ..Self::default() }
    }
}

fn own((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn from_query(
    query: &Query,
    grace_seconds: Option<i64>,
    orphan: Option<bool>,
) -> Result<Map<String, Value>, ApiError> {
    let mut given = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            given.insert(name.to_owned(), value);
        }
    };
    add("gracePeriodSeconds", grace_seconds.map(Value::from));
    add("orphanDependents", orphan.map(Value::from));
    add("propagationPolicy", query.get("propagationPolicy").map(Value::from));
    add("dryRun", query.dry_run("DeleteOptions")?.then(|| json!(["All"])));
    Ok(given)
}

/// Whether an object that is being deleted can be removed: no finalizers, and no grace period left.
pub(super) fn is_finished(kind: &Kind, object: &Value) -> bool {
    !metadata::text(object, "deletionTimestamp").is_empty()
        && metadata::finalizers(object).is_empty()
        && object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0) == 0
        && !has_content(kind, object)
}

/// Whether a namespace still waits for the deletion of its content (`spec.finalizers`).
fn has_content(kind: &Kind, object: &Value) -> bool {
    kind.is("", "namespaces")
        && object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

/// Deletes one object, or marks it for deletion.
///
/// # Errors
/// The answer to the client when the object does not exist or the deletion is refused.
pub async fn delete(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    options: &DeleteOptions,
) -> Result<(StatusCode, Value), ApiError> {
    delete_as(cluster, write, name, name, options).await
}

/// Deletes one object. Reviews show `request_name`, which is empty when a collection is deleted.
async fn delete_as(
    cluster: &Cluster,
    write: &mut Write,
    request_name: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<(StatusCode, Value), ApiError> {
    let kind = write.kind.clone();
    let key = Key::new(write.namespace.as_deref(), name);
    lifecycle::check_delete(write, name)?;
    for _ in 0..ATTEMPTS {
        let missing = || ApiError::not_found(kind.resource_name(), name);
        let stored = cluster.state.store.get(&kind.table, &key).ok_or_else(missing)?;
        let old = kind.value(&stored);
        check_preconditions(&kind, name, &old, options)?;
        if !is_pending(&kind, &old, options) {
            admit(cluster, write, request_name, &old, options).await?;
        }
        let new = marked(&kind, &old, options);
        let done = match &new {
            None => options.dry_run || removed(cluster, &kind, &stored)?,
            Some(new) if *new == old || options.dry_run => true,
            Some(new) => replaced(cluster, &kind, &stored, new)?,
        };
        if !done {
            continue;
        }
        return Ok(match new {
            None => (StatusCode::OK, deleted(&kind, old)),
            Some(new) => {
                let status = if options.not_orphaned { StatusCode::ACCEPTED } else { StatusCode::OK };
                let now = cluster.state.store.get(&kind.table, &key).map(|object| kind.value(&object));
                (status, now.unwrap_or(new))
            }
        });
    }
    Err(metadata::modified(write, name))
}

/// Mutating and validating admission. Mutating webhooks cannot change a deletion.
async fn admit(
    cluster: &Cluster,
    write: &mut Write,
    request_name: &str,
    old: &Value,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    write.dry_run = options.dry_run;
    write.options.clone_from(&options.given);
    if write.kind.is("", "pods") {
        write.options.insert("gracePeriodSeconds".into(), grace_seconds(&write.kind, old, options).into());
    }
    let subject = Subject { operation: Operation::Delete, name: request_name, old: Some(old) };
    write.mutate(cluster, &subject, None).await?;
    write.validate(cluster, &subject, None).await
}

/// Whether the object is in its grace period and the request does not shorten it.
fn is_pending(kind: &Kind, old: &Value, options: &DeleteOptions) -> bool {
    let grace = old.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    !metadata::text(old, "deletionTimestamp").is_empty()
        && grace > 0
        && grace_seconds(kind, old, options) >= grace
}

fn removed(cluster: &Cluster, kind: &Kind, stored: &Object) -> Result<bool, ApiError> {
    match cluster.state.store.remove(&kind.table, &stored.key, stored.revision) {
        Ok(_) => Ok(true),
        Err(WriteRefused::Stale) => Ok(false),
        Err(WriteRefused::Missing | WriteRefused::Exists) => {
            Err(ApiError::not_found(kind.resource_name(), &stored.key.name))
        }
    }
}

fn replaced(cluster: &Cluster, kind: &Kind, stored: &Object, new: &Value) -> Result<bool, ApiError> {
    match cluster.state.store.replace(&kind.table, &stored.key, stored.revision, kind.to_storage(new)) {
        Ok(_) => Ok(true),
        Err(WriteRefused::Stale) => Ok(false),
        Err(WriteRefused::Missing | WriteRefused::Exists) => {
            Err(ApiError::not_found(kind.resource_name(), &stored.key.name))
        }
    }
}

/// The answer to a deletion that removed the object.
fn deleted(kind: &Kind, object: Value) -> Value {
    if kind.group.is_empty() && ANSWERED_WITH_OBJECT.contains(&kind.plural.as_str()) {
        return object;
    }
    let ResourceName { group, resource } = kind.resource_name();
    let mut details = json!({"name": metadata::text(&object, "name"), "kind": resource, "uid": metadata::text(&object, "uid")});
    if let Some(map) = details.as_object_mut().filter(|_| !group.is_empty()) {
        map.insert("group".into(), group.into());
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

fn check_preconditions(
    kind: &Kind,
    name: &str,
    object: &Value,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let uid = metadata::text(object, "uid");
    if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        );
        return Err(ApiError::conflict(kind.kind_name(), name, &why));
    }
    let version = metadata::text(object, "resourceVersion");
    if let Some(wanted) = options.version.as_deref().filter(|wanted| *wanted != version) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
        );
        return Err(ApiError::conflict(kind.kind_name(), name, &why));
    }
    Ok(())
}

/// The object marked for deletion; `None` when it can be removed at once.
fn marked(kind: &Kind, old: &Value, options: &DeleteOptions) -> Option<Value> {
    let mut finalizers: Vec<&str> = metadata::finalizers(old);
    match options.propagation {
        Propagation::Unset => {}
        Propagation::Background => finalizers.retain(|one| !matches!(*one, FOREGROUND | ORPHAN)),
        Propagation::Foreground | Propagation::Orphan => {
            let (wanted, other) = if options.propagation == Propagation::Orphan {
                (ORPHAN, FOREGROUND)
            } else {
                (FOREGROUND, ORPHAN)
            };
            finalizers.retain(|one| *one != other);
            if !finalizers.contains(&wanted) {
                finalizers.push(wanted);
            }
        }
    }
    let definition = kind.is("apiextensions.k8s.io", "customresourcedefinitions");
    if definition && !finalizers.contains(&CLEANUP_FINALIZER) {
        finalizers.push(CLEANUP_FINALIZER);
    }
    let grace = grace_seconds(kind, old, options);
    if finalizers.is_empty() && grace == 0 && !has_content(kind, old) {
        return None;
    }
    let finalizers = json!(finalizers);
    let mut new = old.clone();
    let already = !metadata::text(old, "deletionTimestamp").is_empty();
    let old_grace = old.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    if let Some(fields) = metadata::of(&mut new) {
        fields.insert("finalizers".into(), finalizers);
        if !already || grace < old_grace {
            fields.insert("deletionTimestamp".into(), clock::in_seconds(grace).into());
            fields.insert("deletionGracePeriodSeconds".into(), grace.into());
        }
    }
    metadata::normalise(&mut new);
    if !already {
        if new.pointer("/metadata/generation").is_some() {
            metadata::next_generation(&mut new);
        }
        if kind.is("", "namespaces")
            && let Some(status) = new.get_mut("status").and_then(Value::as_object_mut)
        {
            status.insert("phase".into(), "Terminating".into());
        }
        if definition {
            status::mark_terminating(&mut new, &clock::now());
        }
    }
    Some(new)
}

/// The grace period: pods that run on a node have one, all other objects have none.
fn grace_seconds(kind: &Kind, object: &Value, options: &DeleteOptions) -> i64 {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let runs = kind.is("", "pods")
        && !text("/spec/nodeName").is_empty()
        && !matches!(text("/status/phase"), "Succeeded" | "Failed");
    if !runs {
        return 0;
    }
    let own = object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    options.grace_seconds.or(own).unwrap_or(30).max(0)
}

/// Deletes the given objects. Objects that are deleted meanwhile are skipped.
///
/// # Errors
/// The refusal of the first object that cannot be deleted; the objects before it are deleted.
pub async fn delete_collection(
    cluster: &Cluster,
    write: &mut Write,
    objects: &[std::sync::Arc<Object>],
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let namespace = write.namespace.clone();
    for object in objects {
        write.namespace = Some(object.key.namespace.clone()).filter(|namespace| !namespace.is_empty());
        match delete_as(cluster, write, "", &object.key.name, options).await {
            Ok(_) => {}
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    write.namespace = namespace;
    Ok(())
}
