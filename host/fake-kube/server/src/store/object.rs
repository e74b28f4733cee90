//! One stored object: its JSON bytes, and the little that selectors need without parsing them.

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
    /// Where it lives.
    pub key: Key,
    /// The revision of its last write.
    pub revision: u64,
    /// JSON without `apiVersion` and `kind`.
    body: Bytes,
    /// `{"metadata": {"name", "namespace", "labels"}}`: what selectors look at most.
    head: Value,
}

impl Object {
    /// Puts the revision into the body and serialises it.
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
        // The bytes were made by `new` from a value.
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The bytes of `metadata`, found without building anything.
    pub fn metadata(&self) -> &str {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            metadata: &'a RawValue,
        }
        serde_json::from_slice::<Body<'_>>(&self.body).map_or("{}", |body| body.metadata.get())
    }
}
