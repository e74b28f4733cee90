//! Lists: consistent snapshots, in pages when the client sets a limit.

use std::sync::Arc;

use fake_kube_apimachinery::status::{ApiError, Cause, ResourceName};
use serde_json::{Value, json};

use super::pages::Token;
use super::select::Selection;
use super::shape::ListMeta;
use crate::catalogue::Kind;
use crate::cluster::Cluster;
use crate::http::query::Query;
use crate::store::{Key, Object, Snapshot};

/// The objects of a list request, and the metadata of the list.
///
/// # Errors
/// 410 when the asked revision is too old, 504 when it is not reached yet, 400 or 422 for wrong
/// parameters.
pub fn list(
    cluster: &Cluster,
    kind: &Kind,
    selection: &Selection,
    query: &Query,
) -> Result<(ListMeta, Vec<Arc<Object>>), ApiError> {
    let limit =
        query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let token = query.get("continue").map(Token::parse).transpose()?;
    let namespace = selection.namespace.as_deref();
    let snapshot = match &token {
        Some(token) => page_snapshot(cluster, kind, selection, token)?,
        None => first_snapshot(cluster, kind, namespace, query)?,
    };
    let start = token.as_ref().map(|token| token.last(namespace));
    let after_start = |object: &&Arc<Object>| start.as_ref().is_none_or(|last| object.key > *last);

    let mut page = Vec::new();
    let mut rest = snapshot.objects.iter().filter(after_start);
    for object in rest.by_ref() {
        if selection.matches(kind, object) {
            page.push(object.clone());
            if limit.is_some_and(|limit| page.len() >= limit) {
                break;
            }
        }
    }
    // With selectors the number of remaining items is unknown: how many of the rest match was not
    // checked.
    let left = rest.count();
    let next = page
        .last()
        .filter(|_| left > 0)
        .map(|last| Token::after(&last.key, namespace.is_none(), Some(snapshot.revision)));
    let remaining = (next.is_some() && !selection.has_selectors()).then_some(left);
    Ok((ListMeta { revision: snapshot.revision, next, remaining }, page))
}

fn page_snapshot(
    cluster: &Cluster,
    kind: &Kind,
    selection: &Selection,
    token: &Token,
) -> Result<Snapshot, ApiError> {
    let namespace = selection.namespace.as_deref();
    match token.revision() {
        None => Ok(cluster.state.store.list(&kind.table, namespace)),
        Some(revision) => cluster
            .state
            .store
            .list_at(&kind.table, namespace, revision)
            .map_err(|_| page_expired(&token.last(namespace), namespace.is_none())),
    }
}

/// The error 410 with a token that continues with the latest state.
fn page_expired(last: &Key, all_namespaces: bool) -> ApiError {
    let mut error = expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    error.details = json!({"continue": Token::after(last, all_namespaces, None)});
    error
}

/// The error 410 `Expired`.
pub fn expired(message: &str) -> ApiError {
    ApiError { code: 410, reason: "Expired".into(), message: message.to_owned(), details: Value::Null }
}

/// The error 410 of watches and of lists at an exact revision.
pub fn too_old(revision: u64, oldest: u64) -> ApiError {
    expired(&format!("too old resource version: {revision} ({oldest})"))
}

fn first_snapshot(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
    query: &Query,
) -> Result<Snapshot, ApiError> {
    let exact = match (query.get("resourceVersionMatch"), query.get("resourceVersion")) {
        (None, _) | (Some("NotOlderThan"), Some(_)) => false,
        (Some("Exact"), Some(version)) if version != "0" => true,
        (Some(given), version) => return Err(wrong_match(given, version)),
    };
    let Some(revision) = query.number("resourceVersion")?.filter(|revision| *revision > 0) else {
        return Ok(cluster.state.store.list(&kind.table, namespace));
    };
    require_reached(cluster, revision)?;
    if exact {
        return cluster
            .state
            .store
            .list_at(&kind.table, namespace, revision)
            .map_err(|oldest| too_old(revision, oldest.0));
    }
    Ok(cluster.state.store.list(&kind.table, namespace))
}

fn wrong_match(given: &str, version: Option<&str>) -> ApiError {
    let detail = match (given, version) {
        ("Exact" | "NotOlderThan", None) => {
            "resourceVersionMatch is forbidden unless resourceVersion is provided".to_owned()
        }
        ("Exact", Some(_)) => {
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"".to_owned()
        }
        _ => format!("resourceVersionMatch {given:?} is not supported; write Exact or NotOlderThan"),
    };
    let cause = Cause::forbidden("resourceVersionMatch", &detail);
    ApiError::invalid(ResourceName { group: "meta.k8s.io", resource: "ListOptions" }, "", &[cause])
}

/// Checks that the server has reached a revision.
///
/// # Errors
/// 504, after which clients try again.
pub fn require_reached(cluster: &Cluster, revision: u64) -> Result<(), ApiError> {
    let current = cluster.state.store.revision();
    if revision <= current {
        return Ok(());
    }
    Err(ApiError {
        code: 504,
        reason: "Timeout".into(),
        message: format!("Too large resource version: {revision}, current: {current}"),
        details: json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }),
    })
}
