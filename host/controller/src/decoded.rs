//! Objects as they come from the API server.

use crate::text::{ObjectText, string};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An object as it comes from the API server. Any JSON is accepted, so that one malformed object
/// does not break the stream of the others.
#[derive(Clone)]
pub(crate) struct Decoded {
    /// Names, UID and resourceVersion, for `kube`.
    metadata: ObjectMeta,
    object: ObjectText<Box<str>>,
}

/// Names the object alone: its content may be secret.
impl std::fmt::Debug for Decoded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Decoded").field(&self.describe()).finish()
    }
}

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        let object = ObjectText::new(text);
        let text = |name: &str| object.metadata(name).and_then(string).map(Cow::into_owned);
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            uid: text("uid"),
            ..ObjectMeta::default()
        };
        Ok(Decoded { metadata, object })
    }
}

/// What tells a state of an object from all others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity<'d> {
    pub(crate) namespace: &'d str,
    pub(crate) name: &'d str,
    pub(crate) uid: &'d str,
    pub(crate) resource_version: &'d str,
}

impl Decoded {
    /// `None` when the object has no name, UID or resourceVersion.
    pub(crate) fn identity(&self) -> Option<Identity<'_>> {
        Some(Identity {
            namespace: self.metadata.namespace.as_deref().unwrap_or_default(),
            name: self.metadata.name.as_deref()?,
            uid: self.metadata.uid.as_deref()?,
            resource_version: self.metadata.resource_version.as_deref()?,
        })
    }

    /// Namespace and name, for messages.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{}/{}",
            self.namespace().unwrap_or_default(),
            self.metadata.name.as_deref().unwrap_or("(no name)")
        )
    }

    /// The object as the API server sent it.
    pub(crate) fn object(&self) -> &ObjectText<Box<str>> {
        &self.object
    }

    /// The object as a tree. Few writes need one.
    pub(crate) fn tree(&self) -> Value {
        serde_json::from_str(self.object.text()).unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub(crate) fn is_being_deleted(&self) -> bool {
        self.object.metadata("deletionTimestamp").is_some()
    }
}

/// An object that was asked for without its content (`PartialObjectMetadata`).
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

#[cfg(test)]
mod tests {
    use super::Decoded;
    use serde_json::json;

    #[test]
    fn secret_content_is_not_shown_in_debug_output() {
        let decoded: Decoded = serde_json::from_value(json!({"data": {"k": "hidden"}})).expect("any JSON");
        assert!(!format!("{decoded:?}").contains("hidden"));
    }
}
