//! The objects that a cache should have.

mod secret;
mod service;
mod stateful_set;
mod volume_claim;

use crate::difference;
use crate::digest;
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use orascache_api::names::{API_VERSION, APPLIED_HASH_ANNOTATION, KIND, labels};
use orascache_contract::Kind;
use std::borrow::Cow;

pub(crate) use secret::{
    generated_http_secret, http_secret_source, literal_http_secret, literal_http_secret_name,
};
pub(crate) use service::service;
pub(crate) use stateful_set::stateful_set;
pub(crate) use volume_claim::{claim_name, volume_claim};

/// One child as it should be.
#[derive(Debug)]
pub(crate) struct Child<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) name: Cow<'a, str>,
    pub(crate) object: Json<'a>,
}

impl<'a> Child<'a> {
    /// Puts the parts together; `content` are the members beside apiVersion, kind and metadata.
    fn new<const N: usize>(
        primary: &'a Primary<'a>,
        kind: &'static Kind,
        name: Cow<'a, str>,
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
            members
                .push(("annotations".into(), Json::object([(APPLIED_HASH_ANNOTATION, Some(hash.into()))])));
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

    /// Whether the observed object already is what this child should be.
    ///
    /// The digest notices fields that left the cache's spec. For content beside `spec` (the data of Secrets), which is
    /// not observed, the digest alone decides.
    pub(crate) fn is_up_to_date(&self, observed: &Object<'_>) -> bool {
        let is_subset = |wanted: Option<&Json<'_>>, observed: Option<&Json<'_>>| match (wanted, observed) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(observed)) => difference::is_subset(wanted, observed),
        };
        let Some(metadata) = self.object.get("metadata") else { return false };
        is_subset(metadata.get("annotations"), observed.metadata("annotations"))
            && is_subset(metadata.get("labels"), observed.metadata("labels"))
            && difference::is_field_subset("ownerReferences", metadata, observed.metadata("ownerReferences"))
            && is_subset(self.object.get("spec"), observed.spec)
    }
}

/// Labels by which a cache's pods, and nobody else's, are selected.
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

/// Makes the cache the controller of a child. A document that was never in a cluster has no UID, and its
/// rendered objects no owner.
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
