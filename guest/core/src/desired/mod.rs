//! The objects that a cache should have.

mod network_policy;
mod secret;
mod service;
mod stateful_set;
mod template_revision;
mod upgrade;
mod volume_claim;

use crate::difference;
use crate::digest;
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use orascache_api::names::{API_VERSION, APPLIED_HASH_ANNOTATION, KIND, labels};
use orascache_contract::Kind;
use std::borrow::Cow;

pub(crate) use network_policy::network_policy;
pub(crate) use secret::{
    generated_http_secret, http_secret_source, literal_http_secret, literal_http_secret_name,
};
pub(crate) use service::service;
use template_revision::TemplateRevision;
pub(crate) use upgrade::{Defaults, restarts_registry, stateful_set_beside};
pub(crate) use volume_claim::{claim_name, volume_claim};

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
        Self::stamped(primary, kind, name, Vec::new(), content)
    }

    /// Makes a child with annotations that say how it came about. They are not part of the digest.
    fn stamped<const N: usize>(
        primary: &'a Primary<'a>,
        kind: &'static Kind,
        name: Cow<'a, str>,
        stamps: Vec<(Cow<'a, str>, Json<'a>)>,
        content: [(&'static str, Json<'a>); N],
    ) -> Self {
        let namespace = primary.metadata.namespace;
        let mut metadata = Json::object([
            ("name", Some(name.clone().into())),
            ("namespace", (!namespace.is_empty()).then(|| namespace.into())),
            ("labels", Some(object_labels(primary))),
            ("ownerReferences", owner_references(primary)),
        ]);
        let content =
            Json::Object(content.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect());
        let hash = digest::of(&Json::Array(vec![metadata.clone(), content.clone()]));
        if let Json::Object(members) = &mut metadata {
            let mut annotations = vec![(APPLIED_HASH_ANNOTATION.into(), hash.into())];
            annotations.extend(stamps);
            members.push(("annotations".into(), Json::Object(annotations)));
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
    fn has_spec(&self, observed: &Object<'_>) -> bool {
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

/// Labels that select the pods of a cache, and no others.
fn selector_labels<'a>(primary: &'a Primary<'a>) -> Json<'a> {
    Json::object([
        (labels::NAME, Some(labels::NAME_VALUE.into())),
        (labels::INSTANCE, Some(primary.metadata.name.into())),
        (labels::COMPONENT, Some(labels::COMPONENT_REGISTRY.into())),
    ])
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
    (!uid.is_empty()).then(|| {
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
