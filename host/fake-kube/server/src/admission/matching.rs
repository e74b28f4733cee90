//! Whether a webhook is called for a request, and with which version of the object
//! (`plugin/webhook/generic`).

use std::sync::Arc;

use fake_kube_apimachinery::match_condition::Variables;
use fake_kube_apimachinery::status::{ApiError, ResourceName};
use serde_json::Value;
use tracing::warn;

use super::configuration::Webhook;
use super::rules::Subject;
use super::{Attributes, Operation, review};
use crate::catalogue::Kind;
use crate::state::State;
use crate::store::{Key, TableName};

/// The group of kinds for which no webhook is called: a webhook could refuse its own removal.
const GROUP_OF_CONFIGURATIONS: &str = "admissionregistration.k8s.io";

/// Whether a kind configures admission itself.
pub fn is_exempt(kind: &Kind) -> bool {
    kind.group == GROUP_OF_CONFIGURATIONS
}

/// The version of the requested kind with which a webhook is to be called; `None` when it is not to
/// be called.
///
/// # Errors
/// The answer to the client when a selector or condition cannot be evaluated.
pub fn matching_version(
    state: &State,
    webhook: &Webhook,
    attributes: &Attributes,
) -> Result<Option<Arc<Kind>>, ApiError> {
    // An error of the namespace selector counts only when the rules match.
    let in_namespace = matches_namespace(state, webhook, attributes);
    if matches!(in_namespace, Ok(false)) || !matches_object(webhook, attributes) {
        return Ok(None);
    }
    let Some(kind) = matching_kind(state, webhook, attributes) else { return Ok(None) };
    in_namespace?;
    Ok(conditions_hold(webhook, attributes, &kind)?.then_some(kind))
}

fn matches_namespace(state: &State, webhook: &Webhook, attributes: &Attributes) -> Result<bool, ApiError> {
    let request = &attributes.request;
    let is_namespace = request.resource.name == "namespaces";
    let name = request.namespace.as_deref().unwrap_or_default();
    if (name.is_empty() && !is_namespace) || webhook.namespace_selector.is_empty() {
        return Ok(true);
    }
    // The request has the labels that the namespace is about to get. The store does not have them
    // yet.
    let is_written = is_namespace
        && attributes.subresource().is_none()
        && matches!(request.operation, Operation::Create | Operation::Update);
    if is_written {
        let null = Value::Null;
        return Ok(webhook.namespace_selector.matches(request.object.as_ref().unwrap_or(&null)));
    }
    let table = TableName::new("", "namespaces");
    let namespace = state.store.get(&table, &Key::new(None, name));
    let namespace = namespace
        .ok_or_else(|| ApiError::not_found(ResourceName { group: "", resource: "namespaces" }, name))?;
    Ok(webhook.namespace_selector.matches(namespace.head()))
}

fn matches_object(webhook: &Webhook, attributes: &Attributes) -> bool {
    let request = &attributes.request;
    webhook.object_selector.is_empty()
        || [&request.object, &request.old_object]
            .into_iter()
            .flatten()
            .any(|object| webhook.object_selector.matches(object))
}

fn matching_kind(state: &State, webhook: &Webhook, attributes: &Attributes) -> Option<Arc<Kind>> {
    let requested = &attributes.kind;
    if webhook.rules.iter().any(|rule| rule.matches(&subject(attributes, requested))) {
        return Some(requested.clone());
    }
    if !webhook.equivalent {
        return None;
    }
    let catalogue = state.catalogue();
    let is_other = |kind: &Kind| (&kind.group, &kind.version) != (&requested.group, &requested.version);
    let equivalents: Vec<&Arc<Kind>> = catalogue
        .kinds()
        .filter(|kind| kind.table == requested.table && is_other(kind))
        .filter(|kind| attributes.subresource().is_none_or(|name| kind.has_subresource(name)))
        .collect();
    // Earlier rules come first.
    webhook.rules.iter().find_map(|rule| {
        equivalents.iter().find(|kind| rule.matches(&subject(attributes, kind))).map(|kind| (*kind).clone())
    })
}

fn subject<'a>(attributes: &'a Attributes, kind: &'a Kind) -> Subject<'a> {
    Subject {
        operation: attributes.request.operation,
        group: &kind.group,
        version: &kind.version,
        resource: &kind.plural,
        subresource: attributes.subresource().unwrap_or_default(),
        namespace: attributes.request.namespace.as_deref().unwrap_or_default(),
    }
}

fn conditions_hold(webhook: &Webhook, attributes: &Attributes, kind: &Kind) -> Result<bool, ApiError> {
    if webhook.conditions.is_empty() {
        return Ok(true);
    }
    let (object, old_object) = (attributes.object_as(kind), attributes.old_object_as(kind));
    let request = Value::Object(review::request(attributes, kind));
    let variables = Variables::new(object.as_ref(), old_object.as_ref(), &request);
    match webhook.conditions.hold(&variables) {
        Ok(hold) => Ok(hold),
        Err(error) if webhook.ignores_failures => {
            warn!(
                webhook = webhook.name,
                error, "match conditions cannot be evaluated; the webhook is skipped"
            );
            Ok(false)
        }
        Err(error) => {
            warn!(
                webhook = webhook.name,
                error, "match conditions cannot be evaluated; the request is refused"
            );
            Err(ApiError::forbidden(attributes.kind.resource_name(), &attributes.request.name, &error))
        }
    }
}
