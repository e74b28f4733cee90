//! One served kind: a resource in one version, built in or defined by a CustomResourceDefinition.

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
    /// For people.
    pub singular: String,
    /// For people in a hurry.
    pub short_names: Vec<String>,
    /// For example `all`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Vec<String>,
    /// `status`, `scale` and the like.
    pub subresources: Vec<Subresource>,
    /// What its objects look like.
    pub schema: Arc<Schema>,
    /// Where its objects are stored.
    pub table: TableName,
    /// Discovery's hint for storage migration.
    pub storage_version_hash: String,
    /// Who knows more about it.
    pub origin: Origin,
}

/// Where the behaviour of a kind comes from.
#[derive(Debug)]
pub enum Origin {
    /// The catalogue of built-in kinds.
    Builtin(&'static fake_kube_builtins::Resource),
    /// A CustomResourceDefinition.
    Custom(Box<Custom>),
}

/// A subresource in discovery.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// For example `scale`.
    pub name: String,
    /// Group, version and kind of what is read and written through it.
    pub body: (String, String, String),
    /// What can be done with it.
    pub verbs: Vec<String>,
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

    // Events of both groups are core events inside the API server, and its errors say so.
    fn error_group(&self) -> &str {
        if self.is_events_view() { "" } else { &self.group }
    }

    /// Whether this is the core kind or resource of that plural name.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    fn is_events_view(&self) -> bool {
        self.is("events.k8s.io", "events")
    }

    /// Whether it has the subresource.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.iter().any(|subresource| subresource.name == name)
    }

    /// Group, version and kind of what is written through a subresource, or of the objects themselves.
    pub fn body(&self, subresource: Option<&str>) -> (&str, &str, &str) {
        let found = self.subresources.iter().find(|one| Some(one.name.as_str()) == subresource);
        match found {
            Some(Subresource { body: (group, version, kind), .. }) => (group, version, kind),
            None => (&self.group, &self.version, &self.kind),
        }
    }

    /// Whether what is written through a subresource is an object of this kind.
    pub fn is_body(&self, subresource: Option<&str>) -> bool {
        self.body(subresource) == (self.group.as_str(), self.version.as_str(), self.kind.as_str())
    }

    /// Whether it was defined by a CustomResourceDefinition.
    pub fn custom(&self) -> Option<&Custom> {
        match &self.origin {
            Origin::Custom(custom) => Some(custom),
            Origin::Builtin(_) => None,
        }
    }

    /// A stored object as this kind shows it.
    pub fn value(&self, object: &Object) -> Value {
        self.view(object.value())
    }

    /// A stored body as this kind shows it.
    pub fn view(&self, mut body: Value) -> Value {
        if let Some(map) = body.as_object_mut() {
            let (api_version, kind) = if self.is_events_view() {
                ("v1".into(), "Event")
            } else {
                (self.api_version(), &*self.kind)
            };
            map.insert("apiVersion".into(), api_version.into());
            map.insert("kind".into(), kind.into());
        }
        if self.is_events_view() { fake_kube_builtins::event_from_core(&body) } else { body }
    }

    /// What is stored of an object of this kind.
    pub fn to_storage(&self, object: &Value) -> Value {
        let mut body =
            if self.is_events_view() { fake_kube_builtins::event_to_core(object) } else { object.clone() };
        if let Some(map) = body.as_object_mut() {
            map.remove("apiVersion");
            map.remove("kind");
        }
        body
    }

    /// The JSON of a stored object, as this kind shows it.
    pub fn bytes(&self, object: &Object) -> Bytes {
        if self.is_events_view() {
            return self.value(object).to_string().into();
        }
        let mut bytes = Vec::with_capacity(object.body().len() + 64);
        self.write_typed(object, &mut bytes);
        bytes.into()
    }

    /// Appends the JSON of an object as lists show it: built-in kinds leave out `apiVersion` and `kind`.
    pub fn write_list_item(&self, object: &Object, out: &mut Vec<u8>) {
        match &self.origin {
            Origin::Custom(_) => self.write_typed(object, out),
            Origin::Builtin(_) if self.is_events_view() => {
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
        // Bodies are objects with at least `metadata`.
        out.extend_from_slice(object.body().get(1..).unwrap_or_default());
    }
}
