//! Objects that a guest makes for its primary.

use crate::object::Object;
use orascache_contract::digest::Digest;
use orascache_contract::{Kind, Plan};
use serde_json::{Value, json};

impl Object {
    /// A child of this object: in its namespace, and with this object as its controller.
    pub fn child(&self, kind: &Kind, name: &str) -> Child {
        Child::new(self, kind, name)
    }
}

/// A child as it should be. [`Object::child`] starts one.
///
/// An annotation `<group of the primary>/applied-digest` holds a digest of the child. The digest
/// tells a guest that a field was removed from the child that it wants. Comparing the remaining
/// fields cannot tell that.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    object: Value,
    /// Key of the annotation with the digest.
    digest_key: String,
}

impl Child {
    pub(crate) fn new(primary: &Object, kind: &Kind, name: &str) -> Self {
        let api_version = primary["apiVersion"].as_str().unwrap_or_default();
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let mut object = json!({
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "ownerReferences": [primary.owner_reference()]},
        });
        if let Some(namespace) = primary.namespace() {
            object["metadata"]["namespace"] = namespace.into();
        }
        Self { object, digest_key: format!("{group}/applied-digest") }
    }

    /// The same child with a member beside `metadata`, such as `spec` or `data`. Null leaves the
    /// member out.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        if !value.is_null() {
            self.object[member] = value;
        }
        self
    }

    /// The same child with a label.
    #[must_use]
    pub fn with_label(mut self, key: &str, value: &str) -> Self {
        self.object["metadata"]["labels"][key] = value.into();
        self
    }

    /// The same child with an annotation.
    #[must_use]
    pub fn with_annotation(mut self, key: &str, value: &str) -> Self {
        self.object["metadata"]["annotations"][key] = value.into();
        self
    }

    /// Adds the child to `plan.apply` unless one of the observed objects is as it should be.
    ///
    /// What the API server and other writers added does not count, except in lists, which are
    /// compared item by item.
    pub fn apply_unless_current(self, owned: &[Object], plan: &mut Plan) {
        let wanted = self.finish();
        if !owned.iter().any(|observed| is_subset(&wanted, observed)) {
            plan.apply.push(wanted.to_string());
        }
    }

    /// The child with its digest.
    fn finish(self) -> Value {
        let Self { mut object, digest_key } = self;
        let digest = Digest::of_bytes(object.to_string().as_bytes());
        object["metadata"]["annotations"][digest_key] = digest.into();
        object
    }
}

/// Whether everything wanted is there. Null is wanted nowhere: the API server drops it.
fn is_subset(wanted: &Value, observed: &Value) -> bool {
    match (wanted, observed) {
        (Value::Null, _) => true,
        (Value::Object(wanted), Value::Object(_)) => {
            wanted.iter().all(|(name, value)| is_subset(value, &observed[name]))
        }
        (Value::Array(wanted), Value::Array(observed)) => {
            wanted.len() == observed.len()
                && wanted.iter().zip(observed).all(|(wanted, observed)| is_subset(wanted, observed))
        }
        // The API server drops empty maps and lists.
        (Value::Object(wanted), Value::Null) => wanted.is_empty(),
        (Value::Array(wanted), Value::Null) => wanted.is_empty(),
        _ => wanted == observed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");

    fn child(data: Value) -> Child {
        let note = r#"{"apiVersion":"lab.example.com/v1","kind":"Note","metadata":{"name":"a","namespace":"n","uid":"u"}}"#;
        let note = Object::parse("the Note", note).expect("a Note");
        note.child(&CONFIG_MAP, "b").with_label("team", "climate").with("data", data)
    }

    /// What is applied where these objects are observed.
    fn applied(child: Child, owned: &[Value]) -> Option<Value> {
        let texts: Vec<String> = owned.iter().map(Value::to_string).collect();
        let mut plan = Plan::default();
        child.apply_unless_current(&Object::parse_all("ConfigMap", &texts).expect("objects"), &mut plan);
        plan.apply.first().map(|text| serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn a_child_is_controlled_by_its_primary() {
        let made = applied(child(json!({"k": "v"})), &[]).expect("a child");
        let owner = json!({
            "apiVersion": "lab.example.com/v1", "kind": "Note", "name": "a", "uid": "u", "controller": true,
        });
        assert_eq!(made["metadata"]["ownerReferences"], json!([owner]));
        assert_eq!((&made["metadata"]["name"], &made["metadata"]["namespace"]), (&json!("b"), &json!("n")));
        assert!(made["metadata"]["annotations"]["lab.example.com/applied-digest"].is_string());
    }

    #[test]
    fn a_child_is_applied_until_it_is_as_it_should_be() {
        let wanted = || child(json!({"k": "v"}));
        let mut observed = applied(wanted(), &[]).expect("a child");
        observed["metadata"]["uid"] = "x".into();
        observed["data"]["theirs"] = "w".into();
        assert_eq!(applied(wanted(), std::slice::from_ref(&observed)), None);
        let fewer = applied(child(json!({})), std::slice::from_ref(&observed));
        assert!(fewer.is_some(), "the digest says that a key left");
        observed["data"]["k"] = "edited".into();
        assert!(applied(wanted(), &[observed]).is_some());
    }
}
