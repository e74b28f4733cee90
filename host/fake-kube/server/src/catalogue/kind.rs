//! One served kind: a resource in one version, built in or of a CustomResourceDefinition.

use std::sync::Arc;

use bytes::Bytes;
use fake_kube_apimachinery::schema::Schema;
use fake_kube_apimachinery::status::ResourceName;
use serde_json::Value;

use super::custom::Custom;
use crate::store::{Object, TableName};

/// A served kind.
#[derive(Debug)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The kind of its lists.
    pub list_kind: String,
    /// The resource name in paths.
    pub plural: String,
    /// The resource name for one object.
    pub singular: String,
    /// What kubectl accepts instead of the name, for example `cm`.
    pub short_names: Vec<String>,
    /// Groups of resources that kubectl knows, for example `all`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The supported verbs.
    pub verbs: Vec<String>,
    /// The subresources, for example `status` and `scale`.
    pub subresources: Vec<Subresource>,
    /// The schema of its objects.
    pub schema: Arc<Schema>,
    /// The table with its objects, which all versions of the resource share.
    pub table: TableName,
    /// Discovery's hint for storage migration.
    pub storage_version_hash: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a kind comes from, with what is known only there.
#[derive(Debug)]
pub enum Origin {
    /// The catalogue of built-in kinds.
    Builtin(&'static fake_kube_builtins::Resource),
    /// A CustomResourceDefinition.
    Custom(Box<Custom>),
}

/// A subresource.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// For example `scale`.
    pub name: String,
    /// Group, version and kind of what is read and written through it.
    pub body: (String, String, String),
    /// The supported verbs.
    pub verbs: Vec<String>,
}

/// In which form objects of a built-in kind are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// In the form of the kind itself.
    AsIs,
    /// As an Event of the core group.
    CoreEvent,
    /// As a HorizontalPodAutoscaler of autoscaling/v2.
    AutoscalerV2,
}

impl Kind {
    /// `apps/v1`, or `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// How error messages name the resource: `statefulsets.apps`.
    pub fn resource_name(&self) -> ResourceName<'_> {
        ResourceName { group: self.error_group(), resource: &self.plural }
    }

    /// How validation and precondition errors name it: `StatefulSet.apps`.
    pub fn kind_name(&self) -> ResourceName<'_> {
        ResourceName { group: self.error_group(), resource: &self.kind }
    }

    // The API server implements events of both groups as core events, which shows in its errors.
    fn error_group(&self) -> &str {
        if self.stored_as() == Stored::CoreEvent { "" } else { &self.group }
    }

    /// Whether this is the resource of that group and plural name.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// Whether it has the subresource.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.iter().any(|subresource| subresource.name == name)
    }

    /// Group, version and kind of bodies that are written through a subresource; without one, of
    /// the objects.
    pub fn body(&self, subresource: Option<&str>) -> (&str, &str, &str) {
        let found = self.subresources.iter().find(|one| Some(one.name.as_str()) == subresource);
        match found {
            Some(Subresource { body: (group, version, kind), .. }) => (group, version, kind),
            None => (&self.group, &self.version, &self.kind),
        }
    }

    /// Whether bodies that are written through a subresource are objects of this kind.
    pub fn is_body(&self, subresource: Option<&str>) -> bool {
        self.body(subresource) == (self.group.as_str(), self.version.as_str(), self.kind.as_str())
    }

    /// The parts that come from a CustomResourceDefinition; `None` for built-in kinds.
    pub fn custom(&self) -> Option<&Custom> {
        match &self.origin {
            Origin::Custom(custom) => Some(custom),
            Origin::Builtin(_) => None,
        }
    }

    /// A stored object in the version of this kind.
    pub fn value(&self, object: &Object) -> Value {
        self.view(object.value())
    }

    /// A stored body in the version of this kind.
    pub fn view(&self, mut body: Value) -> Value {
        if let Some(map) = body.as_object_mut() {
            map.insert("apiVersion".into(), self.api_version().into());
            map.insert("kind".into(), self.kind.clone().into());
        }
        match self.stored_as() {
            Stored::AsIs => body,
            Stored::CoreEvent => {
                if let Some(map) = body.as_object_mut() {
                    map.insert("apiVersion".into(), "v1".into());
                }
                fake_kube_builtins::event_from_core(&body)
            }
            Stored::AutoscalerV2 => fake_kube_builtins::autoscaler_to_v1(&body),
        }
    }

    /// The body that is stored for an object of this kind.
    pub fn to_storage(&self, object: &Value) -> Value {
        let mut body = match self.stored_as() {
            Stored::AsIs => object.clone(),
            Stored::CoreEvent => fake_kube_builtins::event_to_core(object),
            Stored::AutoscalerV2 => fake_kube_builtins::autoscaler_to_v2(object),
        };
        if let Some(map) = body.as_object_mut() {
            map.remove("apiVersion");
            map.remove("kind");
        }
        body
    }

    /// How objects of this kind are stored.
    fn stored_as(&self) -> Stored {
        match (self.group.as_str(), self.version.as_str(), self.plural.as_str()) {
            ("events.k8s.io", _, "events") => Stored::CoreEvent,
            ("autoscaling", "v1", "horizontalpodautoscalers") => Stored::AutoscalerV2,
            _ => Stored::AsIs,
        }
    }

    /// The JSON of a stored object in the version of this kind.
    pub fn bytes(&self, object: &Object) -> Bytes {
        if self.stored_as() != Stored::AsIs {
            return self.value(object).to_string().into();
        }
        let mut bytes = Vec::with_capacity(object.body().len() + 64);
        self.write_typed(object, &mut bytes);
        bytes.into()
    }

    /// Appends the JSON of an object as an item of a list. Items of built-in kinds lack
    /// `apiVersion` and `kind`.
    pub fn write_list_item(&self, object: &Object, out: &mut Vec<u8>) {
        match &self.origin {
            Origin::Custom(_) => self.write_typed(object, out),
            Origin::Builtin(_) if self.stored_as() != Stored::AsIs => {
                let mut value = self.value(object);
                if let Some(map) = value.as_object_mut() {
                    map.remove("apiVersion");
                    map.remove("kind");
                }
                out.extend_from_slice(value.to_string().as_bytes());
            }
            Origin::Builtin(_) => out.extend_from_slice(object.body()),
        }
    }

    fn write_typed(&self, object: &Object, out: &mut Vec<u8>) {
        let head = match &self.origin {
            Origin::Builtin(_) => {
                format!(r#"{{"kind":"{}","apiVersion":"{}","#, self.kind, self.api_version())
            }
            Origin::Custom(_) => {
                format!(r#"{{"apiVersion":"{}","kind":"{}","#, self.api_version(), self.kind)
            }
        };
        out.extend_from_slice(head.as_bytes());
        // A body is an object with at least `metadata`: the brace and the comma are part of `head`.
        out.extend_from_slice(object.body().get(1..).unwrap_or_default());
    }
}
