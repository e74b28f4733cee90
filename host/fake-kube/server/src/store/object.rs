//! One stored object: its JSON bytes, and the fields that selectors need, so that these need not
//! parse it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
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

/// An object that has no revision yet. Making it costs what its JSON costs; giving it a revision
/// costs little.
pub struct Draft {
    key: Key,
    json: Vec<u8>,
    /// Where the revision belongs, in an object with metadata.
    revision_at: Option<usize>,
    head: Value,
}

impl Draft {
    /// A draft of this body.
    pub fn new(key: Key, mut body: Value) -> Self {
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            // It gets its value when the revision is known. Here it takes its place among the others.
            metadata.insert("resourceVersion".into(), Value::Null);
        }
        let mut head = json!({"metadata": {"name": key.name, "namespace": key.namespace}});
        if let Some(labels) = body.pointer("/metadata/labels")
            && let Some(metadata) = head.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("labels".into(), labels.clone());
        }
        let (mut json, mut revision_at) = (Vec::new(), None);
        write_members(&body, &mut json, &mut |name, value, json| {
            if name != "metadata" {
                return write_json(value, json);
            }
            write_members(value, json, &mut |name, value, json| {
                if name == "resourceVersion" {
                    revision_at = Some(json.len());
                } else {
                    write_json(value, json);
                }
            });
        });
        Self { key, json, revision_at, head }
    }

    /// Identifies the object.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The object with its revision as its `resourceVersion`.
    pub fn at_revision(mut self, revision: u64) -> Object {
        if let Some(at) = self.revision_at {
            self.json.splice(at..at, format!("\"{revision}\"").into_bytes());
        }
        Object { key: self.key, revision, body: self.json.into(), head: self.head }
    }
}

/// Writes an object member by member; any other value as it is.
fn write_members(value: &Value, json: &mut Vec<u8>, write: &mut dyn FnMut(&str, &Value, &mut Vec<u8>)) {
    let Some(members) = value.as_object() else { return write_json(value, json) };
    json.push(b'{');
    for (number, (name, value)) in members.iter().enumerate() {
        if number > 0 {
            json.push(b',');
        }
        write_json(name, json);
        json.push(b':');
        write(name, value, json);
    }
    json.push(b'}');
}

fn write_json<T: Serialize + ?Sized>(value: &T, json: &mut Vec<u8>) {
    // Neither texts and values nor writing to memory can fail.
    let _ = serde_json::to_writer(json, value);
}

impl Object {
    /// The same object with another revision, as a deletion shows it.
    pub fn at_revision(&self, revision: u64) -> Self {
        Draft::new(self.key.clone(), self.value()).at_revision(revision)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(body: Value) -> Value {
        let object = Draft::new(Key::new(Some("x"), "a"), body).at_revision(17);
        serde_json::from_slice(object.body()).unwrap()
    }

    #[test]
    fn the_revision_of_an_object_is_its_resource_version_alone() {
        let named = json!({"resourceVersion": "mine", "a\"b": 1});
        let body = json!({
            "metadata": {"name": "a", "annotations": named, "resourceVersion": "3", "uid": "u"},
            "data": {"metadata": named, "resourceVersion": "\"resourceVersion\":null"},
        });
        let mut expected = body.clone();
        expected["metadata"]["resourceVersion"] = json!("17");
        assert_eq!(stored(body), expected);
        assert_eq!(stored(json!({"metadata": {}})), json!({"metadata": {"resourceVersion": "17"}}));
    }

    #[test]
    fn a_body_without_metadata_is_stored_as_it_is() {
        for body in [json!({"data": {"resourceVersion": "1"}}), json!({"metadata": [1]}), json!({})] {
            assert_eq!(stored(body.clone()), body);
        }
    }
}
