//! Objects as they are kept: JSON text without managedFields, with the few facts that the controller itself
//! needs beside it.

use crate::contract::Kind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Namespace (empty for cluster-scoped objects) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Key { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(formatter, "{}", self.name)
        } else {
            write!(formatter, "{}/{}", self.namespace, self.name)
        }
    }
}

/// One object as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) uid: Box<str>,
    /// As the server said it.
    pub(crate) resource_version: Box<str>,
    /// UID of the owner that controls it.
    pub(crate) controller: Option<Box<str>>,
    /// JSON text without managedFields; what is stored is what is handed to the guest.
    pub(crate) text: Arc<str>,
    /// managedFields entries of other writers than the status of things, as JSON text; usually none.
    pub(crate) rivals: Option<Box<str>>,
}

impl Stored {
    /// Resource versions are compared as numbers (kubernetes.io, KEP-5504); others count as new.
    pub(crate) fn revision(&self) -> u64 {
        self.resource_version.parse().unwrap_or(u64::MAX)
    }

    /// Whether two states differ in nothing that anybody here looks at.
    pub(crate) fn looks_like(&self, other: &Stored) -> bool {
        self.uid == other.uid
            && self.rivals == other.rivals
            && without_revision(&self.text) == without_revision(&other.text)
    }
}

/// Text without the value of resourceVersion, which changes with every write.
fn without_revision(text: &str) -> (&str, &str) {
    const FIELD: &str = "\"resourceVersion\":\"";
    match text.split_once(FIELD) {
        Some((before, after)) => (before, after.split_once('"').map_or(after, |(_, after)| after)),
        None => (text, ""),
    }
}

/// An object as it comes from the API server: whatever is JSON is accepted, so that one odd object does not
/// break the stream of its neighbours.
#[derive(Clone)]
pub(crate) struct Decoded {
    metadata: ObjectMeta,
    value: Value,
}

/// The content may be secret.
impl std::fmt::Debug for Decoded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Decoded").field(&self.describe()).finish()
    }
}

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = |name: &str| {
            value.pointer(&format!("/metadata/{name}")).and_then(Value::as_str).map(str::to_owned)
        };
        let annotations =
            value.pointer("/metadata/annotations").and_then(|map| serde_json::from_value(map.clone()).ok());
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            uid: text("uid"),
            annotations,
            ..ObjectMeta::default()
        };
        Ok(Decoded { metadata, value })
    }
}

impl Decoded {
    /// Prunes what is not kept. `None` when the object has no identity.
    pub(crate) fn store(self, kind: &Kind, field_manager: &str) -> Option<Stored> {
        let key = Key::new(&self.namespace().unwrap_or_default(), self.metadata.name.as_deref()?);
        let uid = self.metadata.uid.clone()?.into_boxed_str();
        let resource_version = self.metadata.resource_version.clone()?.into_boxed_str();
        let mut value = self.value;
        let object = value.as_object_mut()?;
        if is_metadata_only(kind) {
            object.retain(|name, _| name == "metadata");
        }
        // Items of lists have neither.
        object.insert("apiVersion".to_owned(), kind.api_version.clone().into());
        object.insert("kind".to_owned(), kind.kind.clone().into());
        let metadata = object.get_mut("metadata")?.as_object_mut()?;
        let managed = metadata.remove("managedFields");
        let rivals = managed.and_then(|managed| rivals(managed, field_manager));
        let controller = controller_of(metadata.get("ownerReferences"));
        let text = serde_json::to_string(&value).ok()?.into();
        Some(Stored { key, uid, resource_version, controller, text, rivals })
    }

    /// For messages about objects that cannot be kept.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{}/{}",
            self.namespace().unwrap_or_default(),
            self.metadata.name.as_deref().unwrap_or("(no name)")
        )
    }

    /// Whether it is being deleted.
    pub(crate) fn is_being_deleted(&self) -> bool {
        self.value.pointer("/metadata/deletionTimestamp").is_some()
    }
}

fn controller_of(references: Option<&Value>) -> Option<Box<str>> {
    let references = references?.as_array()?;
    let controls = |reference: &&Value| reference.get("controller") == Some(&Value::Bool(true));
    references.iter().find(controls)?.get("uid")?.as_str().map(Into::into)
}

/// Entries of others that can matter to what we apply.
fn rivals(managed: Value, field_manager: &str) -> Option<Box<str>> {
    let Value::Array(entries) = managed else { return None };
    let text =
        |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let others: Vec<Value> = entries
        .into_iter()
        .filter(|entry| text(entry, "subresource") != "status")
        .filter(|entry| text(entry, "manager") != field_manager || text(entry, "operation") != "Apply")
        .collect();
    if others.is_empty() { None } else { serde_json::to_string(&others).ok().map(String::into_boxed_str) }
}

/// The same, asked for without content (`PartialObjectMetadata`).
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct DecodedMetadata(pub(crate) Decoded);

impl From<DecodedMetadata> for Decoded {
    fn from(object: DecodedMetadata) -> Self {
        object.0
    }
}

macro_rules! resource {
    ($type:ty, metadata_only: $metadata_only:literal, $object:ident => $decoded:expr) => {
        impl Resource for $type {
            type DynamicType = ApiResource;
            type Scope = DynamicResourceScope;

            fn kind(resource: &ApiResource) -> Cow<'_, str> {
                resource.kind.as_str().into()
            }
            fn group(resource: &ApiResource) -> Cow<'_, str> {
                resource.group.as_str().into()
            }
            fn version(resource: &ApiResource) -> Cow<'_, str> {
                resource.version.as_str().into()
            }
            fn api_version(resource: &ApiResource) -> Cow<'_, str> {
                resource.api_version.as_str().into()
            }
            fn plural(resource: &ApiResource) -> Cow<'_, str> {
                resource.plural.as_str().into()
            }
            fn metadata_api() -> bool {
                $metadata_only
            }
            fn meta(&self) -> &ObjectMeta {
                let $object = self;
                &$decoded.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                let $object = self;
                &mut $decoded.metadata
            }
        }
    };
}

resource!(Decoded, metadata_only: false, object => object);
resource!(DecodedMetadata, metadata_only: true, object => object.0);

/// What `kube` calls a resource.
pub(crate) fn api_resource(kind: &Kind) -> ApiResource {
    let (group, version) = kind.api_version.rsplit_once('/').unwrap_or(("", &kind.api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        plural: kind.plural.clone(),
    }
}

/// Whether objects of this kind are watched without their content.
pub(crate) fn is_metadata_only(kind: &Kind) -> bool {
    kind.api_version == "v1" && kind.kind == "Secret"
}

#[cfg(test)]
mod tests {
    use super::{Decoded, Stored};
    use crate::contract::Kind;
    use serde_json::json;

    fn store(value: serde_json::Value) -> Option<Stored> {
        let kind = Kind {
            api_version: "v1".into(),
            kind: "Service".into(),
            plural: "services".into(),
            namespaced: true,
        };
        serde_json::from_value::<Decoded>(value).expect("any JSON").store(&kind, "us")
    }

    #[test]
    fn managed_fields_go_and_rivals_stay() {
        let stored = store(json!({"metadata": {
            "name": "n", "namespace": "s", "uid": "u", "resourceVersion": "7",
            "ownerReferences": [{"uid": "a"}, {"uid": "b", "controller": true}],
            "managedFields": [
                {"manager": "us", "operation": "Apply", "fieldsV1": {}},
                {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}},
                {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {}},
            ],
        }}))
        .expect("stored");
        assert_eq!(stored.controller.as_deref(), Some("b"));
        assert!(!stored.text.contains("managedFields") && stored.text.contains("\"kind\":\"Service\""));
        let rivals = stored.rivals.expect("one rival");
        assert!(rivals.contains("kubectl-edit") && !rivals.contains("kubelet"));
        assert_eq!(stored.key.to_string(), "s/n");
    }

    #[test]
    fn an_object_without_identity_is_not_kept() {
        assert!(store(json!({"metadata": {}})).is_none());
        assert!(store(json!([1])).is_none());
    }

    #[test]
    fn only_the_revision_differs() {
        let object = |revision: &str, data: &str| {
            store(json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": revision}, "data": data}))
                .expect("stored")
        };
        assert!(object("1", "x").looks_like(&object("2", "x")));
        assert!(!object("1", "x").looks_like(&object("2", "y")));
    }
}
