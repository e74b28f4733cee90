//! One stored object: its JSON bytes, and the fields that selectors need, so that these need not
//! parse it.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Identifies an object within its table. Cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace, or empty.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key from its parts.
    pub fn new(namespace: Option<&str>, name: &str) -> Self {
        Self { namespace: namespace.unwrap_or_default().to_owned(), name: name.to_owned() }
    }
}

/// An object as stored.
#[derive(Debug)]
pub struct Object {
    /// Its namespace and name.
    pub key: Key,
    /// The revision of its last write.
    pub revision: u64,
    /// JSON without `apiVersion` and `kind`.
    body: Bytes,
    /// `{"metadata": {"name", "namespace", "labels"}}`: the fields that selectors use most.
    head: Value,
}

impl Object {
    /// An object of this body, with the revision as its `resourceVersion`.
    pub fn new(key: Key, revision: u64, mut body: Value) -> Self {
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), revision.to_string().into());
        }
        let mut head = json!({"metadata": {"name": key.name, "namespace": key.namespace}});
        if let Some(labels) = body.pointer("/metadata/labels")
            && let Some(metadata) = head.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("labels".into(), labels.clone());
        }
        Self { key, revision, body: body.to_string().into(), head }
    }

    /// The same object with another revision, as a deletion shows it.
    pub fn at_revision(&self, revision: u64) -> Self {
        Self::new(self.key.clone(), revision, self.value())
    }

    /// JSON bytes without `apiVersion` and `kind`.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Name, namespace and labels, shaped like the object.
    pub fn head(&self) -> &Value {
        &self.head
    }

    /// The parsed body.
    pub fn value(&self) -> Value {
        // Cannot fail: `new` serialised the bytes from a value.
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The JSON of `metadata`, found without parsing the body into a value.
    pub fn metadata(&self) -> &str {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            metadata: &'a RawValue,
        }
        serde_json::from_slice::<Body<'_>>(&self.body).map_or("{}", |body| body.metadata.get())
    }
}
