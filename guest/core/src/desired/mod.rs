//! The objects that a cache should have.

mod additions;
mod collection;
mod disruption_budget;
mod generated;
mod issued_certificate;
mod network_policy;
mod pod_parts;
mod pods;
mod registry_service;
mod secret;
mod secret_files;
mod service;
mod service_monitor;
mod stateful_set;
mod task;
mod task_access;
mod task_resources;
mod tasks;
mod template_revision;
mod upgrade;
mod volume_claim;
mod zot;
mod zot_retention;

use crate::difference;
use crate::digest;
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use orascache_api::names::{API_VERSION, APPLIED_HASH_ANNOTATION, CONSENT_ANNOTATION, KIND, labels};
use orascache_contract::Kind;
use std::borrow::Cow;

pub(crate) use collection::pods_retain;
pub(crate) use disruption_budget::disruption_budget;
pub(crate) use generated::{
    CERTIFICATE_DAYS, account_recipe, certificate_recipe, dns_names, generated, rotated_username,
    unused_generated, user_of,
};
pub(crate) use issued_certificate::issued_certificate;
pub(crate) use network_policy::network_policy;
pub(crate) use registry_service::{endpoint, registry_service, registry_service_name};
pub(crate) use secret::{http_secret_source, literal_http_secret, literal_http_secret_name};
pub(crate) use secret_files::HTPASSWD_KEY;
pub(crate) use service::service;
pub(crate) use service_monitor::service_monitor;
pub(crate) use task::CONTAINER as TASK_CONTAINER;
pub(crate) use tasks::{TASK_ROLES, cron_job_names, export_of, retention_of, seed_of, task_children};
use template_revision::TemplateRevision;
pub(crate) use upgrade::{Defaults, restarts_registry, stateful_set_beside};
pub(crate) use volume_claim::{claim_name, volume_claim};

const ANNOTATIONS: &str = "annotations";

/// Metadata that a child has beside what all children have.
#[derive(Default)]
struct Extras<'a> {
    /// Annotations that say how it came about. They are not part of the digest.
    stamps: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Labels that the spec asks for.
    labels: Option<&'a Json<'a>>,
    /// Annotations that the spec asks for.
    annotations: Option<&'a Json<'a>>,
}

/// One child as it should be.
#[derive(Debug)]
pub(crate) struct Child<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) name: Cow<'a, str>,
    pub(crate) object: Json<'a>,
}

impl<'a> Child<'a> {
    /// Makes a child. `content` are its members beside apiVersion, kind and metadata.
    fn new<const N: usize>(
        primary: &'a Primary<'a>,
        kind: &'static Kind,
        name: Cow<'a, str>,
        content: [(&'static str, Json<'a>); N],
    ) -> Self {
        Self::with(primary, kind, name, Extras::default(), content)
    }

    /// Makes a child with further metadata.
    ///
    /// A cache that was never in a cluster has children to be printed. Somebody else applies them,
    /// so that they have only the annotation by which the operator may take them over. Stamps and
    /// digest would be those of another manager, which the operator leaves alone.
    fn with<const N: usize>(
        primary: &'a Primary<'a>,
        kind: &'static Kind,
        name: Cow<'a, str>,
        extras: Extras<'a>,
        content: [(&'static str, Json<'a>); N],
    ) -> Self {
        let namespace = primary.metadata.namespace;
        let mut metadata = Json::object([
            ("name", Some(name.clone().into())),
            ("namespace", (!namespace.is_empty()).then(|| namespace.into())),
            ("labels", Some(with_members(object_labels(primary), extras.labels))),
            ("ownerReferences", owner_references(primary)),
            (ANNOTATIONS, not_empty(extras.annotations)),
        ]);
        let content =
            Json::Object(content.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect());
        let hash = digest::of_list(&[&metadata, &content]);
        if let Json::Object(members) = &mut metadata {
            let mut annotations = vec![(CONSENT_ANNOTATION.into(), primary.metadata.name.into())];
            if primary.metadata.is_in_cluster() {
                annotations.push((APPLIED_HASH_ANNOTATION.into(), hash.into()));
                annotations.extend(extras.stamps);
            }
            members.retain(|(key, _)| key != ANNOTATIONS);
            let all = with_members(Json::Object(annotations), extras.annotations);
            members.push((ANNOTATIONS.into(), all));
        }
        let mut members = vec![
            ("apiVersion".into(), kind.api_version.as_ref().into()),
            ("kind".into(), kind.kind.as_ref().into()),
            ("metadata".into(), metadata),
        ];
        if let Json::Object(content) = content {
            members.extend(content);
        }
        Child { kind, name, object: Json::Object(members) }
    }

    /// The same child, which the operator does not take over and does not take back.
    fn without_consent(mut self) -> Self {
        if let Json::Object(members) = &mut self.object
            && let Some((_, Json::Object(metadata))) = members.iter_mut().find(|(key, _)| key == "metadata")
            && let Some((_, Json::Object(annotations))) =
                metadata.iter_mut().find(|(key, _)| key == "annotations")
        {
            annotations.retain(|(key, _)| key != CONSENT_ANNOTATION);
        }
        self
    }

    /// The applied hash of this child, from its annotation.
    fn applied_hash(&self) -> Option<&str> {
        self.annotations()?.get(APPLIED_HASH_ANNOTATION).and_then(Json::as_str)
    }

    fn annotations(&self) -> Option<&Json<'a>> {
        self.object.get("metadata").and_then(|metadata| metadata.get("annotations"))
    }

    /// Whether the observed object already is what this child should be.
    pub(crate) fn is_up_to_date(&self, observed: &Object<'_>) -> bool {
        is_subset(self.annotations(), observed.metadata("annotations")) && self.is_in_effect(observed)
    }

    /// Like [`Self::is_up_to_date`], but without comparing annotations other than the applied hash.
    ///
    /// The applied hash tells when a field was removed from the cache's spec. Content outside of
    /// `spec` (the data of Secrets) is not observed; there the hash alone decides.
    pub(crate) fn is_in_effect(&self, observed: &Object<'_>) -> bool {
        let Some(metadata) = self.object.get("metadata") else { return false };
        let digest = observed.metadata("annotations").and_then(|all| all.get(APPLIED_HASH_ANNOTATION));
        digest.and_then(Json::as_str) == self.applied_hash()
            && is_subset(metadata.get("labels"), observed.metadata("labels"))
            && difference::is_field_subset("ownerReferences", metadata, observed.metadata("ownerReferences"))
            && self.has_spec(observed)
    }

    /// Whether everything in the `spec` of this child is in the observed object.
    pub(crate) fn has_spec(&self, observed: &Object<'_>) -> bool {
        is_subset(self.object.get("spec"), observed.spec)
    }
}

/// Whether everything that is wanted is observed.
fn is_subset(wanted: Option<&Json<'_>>, observed: Option<&Json<'_>>) -> bool {
    match (wanted, observed) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(observed)) => difference::is_subset(wanted, observed),
    }
}

/// An object with the members of another one behind its own.
fn with_members<'a>(mut object: Json<'a>, more: Option<&Json<'a>>) -> Json<'a> {
    if let (Json::Object(members), Some(Json::Object(more))) = (&mut object, more) {
        members.extend(more.iter().cloned());
    }
    object
}

/// A value that is not empty. The API server drops empty maps and lists, so that a plan with them
/// would never be empty.
fn not_empty<'a>(value: Option<&Json<'a>>) -> Option<Json<'a>> {
    value
        .filter(|value| match value {
            Json::Array(items) => !items.is_empty(),
            Json::Object(members) => !members.is_empty(),
            _ => false,
        })
        .cloned()
}

/// The name of the cache, by which the names of its children begin.
fn owner_name<'a>(primary: &Primary<'a>) -> &'a str {
    primary.metadata.name
}

/// Labels that select the registry pods of a cache, and no others.
fn selector_labels<'a>(primary: &'a Primary<'a>) -> Json<'a> {
    selector_labels_of(primary, labels::COMPONENT_REGISTRY)
}

/// Labels that select the pods of a cache with this role.
fn selector_labels_of<'a>(primary: &'a Primary<'a>, role: &'static str) -> Json<'a> {
    Json::object([
        (labels::NAME, Some(labels::NAME_VALUE.into())),
        (labels::INSTANCE, Some(primary.metadata.name.into())),
        (labels::COMPONENT, Some(role.into())),
    ])
}

/// The same labels as text, as the status has them for autoscalers.
pub(crate) fn selector_text(primary: &Primary<'_>) -> String {
    let name = primary.metadata.name;
    format!(
        "{}={},{}={name},{}={}",
        labels::NAME,
        labels::NAME_VALUE,
        labels::INSTANCE,
        labels::COMPONENT,
        labels::COMPONENT_REGISTRY
    )
}

/// Labels of every object of a cache.
fn object_labels<'a>(primary: &'a Primary<'a>) -> Json<'a> {
    let mut all = selector_labels(primary);
    if let Json::Object(members) = &mut all {
        members.push((labels::MANAGED_BY.into(), labels::MANAGED_BY_VALUE.into()));
    }
    all
}

/// The owner reference that makes the cache the controller of a child. A cache that was never in a
/// cluster has no UID, and its rendered objects have no owner.
fn owner_references<'a>(primary: &'a Primary<'a>) -> Option<Json<'a>> {
    let uid = primary.metadata.uid;
    primary.metadata.is_in_cluster().then(|| {
        Json::Array(vec![Json::object([
            ("apiVersion", Some(API_VERSION.into())),
            ("kind", Some(KIND.into())),
            ("name", Some(primary.metadata.name.into())),
            ("uid", Some(uid.into())),
            ("controller", Some(true.into())),
            ("blockOwnerDeletion", Some(true.into())),
        ])])
    })
}
