//! Objects that a guest makes for its primary.

use crate::object::Object;
use orascache_contract::digest::Digest;
use orascache_contract::{Kind, Plan, merge};
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
    /// What the API server and other writers added does not count, except in atomic lists and maps
    /// ([`merge`]), where every addition is a change. So write down the defaults of the API server
    /// within such lists, such as the `protocol` of a port of a NetworkPolicy.
    pub fn apply_unless_current(self, owned: &[Object], plan: &mut Plan) {
        let wanted = self.finish();
        if !owned.iter().any(|observed| is_subset("", &wanted, observed)) {
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

/// Whether everything wanted is there. `field` is the name of the field that holds the two values.
fn is_subset(field: &str, wanted: &Value, observed: &Value) -> bool {
    match (wanted, observed) {
        (Value::Object(_), Value::Object(_)) if merge::is_atomic_map(field) => is_equal(wanted, observed),
        (Value::Object(wanted), Value::Object(_)) => {
            wanted.iter().all(|(name, value)| is_subset(name, value, &observed[name]))
        }
        (Value::Array(items), Value::Array(found)) => match merge::item_keys(field) {
            keys if keys.is_empty() || !items.iter().all(Value::is_object) => is_equal(wanted, observed),
            keys => items.iter().all(|item| {
                found.iter().any(|other| is_same_item(keys, item, other) && is_subset("", item, other))
            }),
        },
        // The API server drops empty maps and lists.
        (Value::Object(wanted), Value::Null) => wanted.is_empty(),
        (Value::Array(wanted), Value::Null) => wanted.is_empty(),
        _ => wanted == observed || (is_dropped(wanted) && is_dropped(observed)),
    }
}

/// Whether the first key that an item has is the same in the other item.
fn is_same_item(keys: &[&str], item: &Value, other: &Value) -> bool {
    let key = keys.iter().find(|key| !item[**key].is_null());
    key.is_some_and(|key| item[*key] == other[*key])
}

/// Whether two values are the same but for members that the API server drops.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(members), Value::Object(others)) => {
            let all = members.keys().chain(others.keys());
            all.into_iter().all(|name| is_equal(&left[name], &right[name]))
        }
        (Value::Array(items), Value::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| is_equal(item, other))
        }
        _ => left == right || (is_dropped(left) && is_dropped(right)),
    }
}

/// Whether the API server drops such a value of an optional field.
fn is_dropped(value: &Value) -> bool {
    value.is_null() || value == ""
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

    #[test]
    fn what_is_added_to_an_atomic_value_is_a_change() {
        let spec = json!({
            "podSelector": {"matchLabels": {"app": "cache"}},
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 5000, "protocol": "TCP"}]}],
            "containers": [{"name": "c", "args": ["a"]}],
            "limits": null, "note": "", "volumes": ["a text"], "selector": {"app": "cache", "none": null},
        });
        let compare = |change: &dyn Fn(&mut Value)| {
            let mut observed = spec.clone();
            change(&mut observed);
            is_subset("", &spec, &observed)
        };
        for (what, change) in [
            ("nothing", &|_: &mut Value| {}),
            ("a default", &|spec: &mut Value| spec["containers"][0]["imagePullPolicy"] = json!("Always")),
            ("another item", &|spec: &mut Value| {
                spec["containers"].as_array_mut().expect("a list").insert(0, json!({"name": "b"}));
            }),
            ("dropped members", &|spec: &mut Value| {
                for name in ["limits", "note"] {
                    spec.as_object_mut().expect("an object").remove(name);
                }
                spec["selector"].as_object_mut().expect("an object").remove("none");
            }),
        ] as [(&str, &dyn Fn(&mut Value)); 4]
        {
            assert!(compare(change), "{what}");
        }
        for (pointer, value) in [
            ("/podSelector/matchLabels", json!({"app": "cache", "more": "x"})),
            ("/selector", json!({"app": "cache", "more": "x"})),
            ("/ingress/0/from/0", json!({"podSelector": {}, "namespaceSelector": {}})),
            ("/ingress/0/from/0", json!({"namespaceSelector": {}})),
            ("/ingress", json!([{}])),
            ("/containers/0/args", json!(["a", "b"])),
            ("/containers/0/name", json!("d")),
            ("/volumes", json!(["a text", "another"])),
        ] {
            let changes =
                compare(&|spec: &mut Value| *spec.pointer_mut(pointer).expect("a value") = value.clone());
            assert!(!changes, "{pointer}: {value}");
        }
    }
}
