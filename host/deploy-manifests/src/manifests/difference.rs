//! What kustomize has to change in one list of objects to get another one.

use super::cert_manager_overlay::{identity, merge};
use super::kustomize::Kustomization;
use super::yaml::document;
use crate::error::ManifestError;
use serde_json::{Value, json};

/// The changes from one list of objects to another one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Objects that the first list lacks.
    pub(super) added: Vec<Value>,
    /// Identities of objects that the second list lacks.
    removed: Vec<Value>,
    /// Identities of objects that differ, each with a JSON Patch.
    changed: Vec<(Value, Vec<Value>)>,
}

impl Difference {
    /// Compares two lists. Objects correspond by kind, namespace and name.
    pub(super) fn between(from: &[Value], to: &[Value]) -> Self {
        let find = |list: &[Value], object: &Value| {
            list.iter().find(|other| identity(other) == identity(object)).cloned()
        };
        let mut difference = Self::default();
        for before in from {
            match find(to, before) {
                None => difference.removed.push(identity(before)),
                Some(after) => {
                    let mut patch = Vec::new();
                    compare(before, &after, "", &mut patch);
                    if !patch.is_empty() {
                        difference.changed.push((identity(before), patch));
                    }
                }
            }
        }
        difference.added = to.iter().filter(|object| find(from, object).is_none()).cloned().collect();
        difference
    }

    /// Adds the patches and deletions to a kustomization.
    pub(super) fn patch(&self, mut folder: Kustomization) -> Result<Kustomization, ManifestError> {
        for (identity, patch) in &self.changed {
            folder = folder.with_patched(identity, &document("", patch)?);
        }
        for identity in &self.removed {
            let mut deletion = identity.clone();
            merge(&mut deletion, json!({"$patch": "delete"}));
            // kustomize 5.5, which is part of kubectl 1.32, panics at several deletions in one file.
            folder = folder.patched_inline(&document("", &deletion)?);
        }
        Ok(folder)
    }
}

/// Appends the operations that make one value of the other. Lists of other lengths, and lists of
/// values that are no objects, are replaced as a whole, so that people can read the patch.
fn compare(before: &Value, after: &Value, path: &str, patch: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                match new.get(name) {
                    Some(other) => compare(value, other, &path, patch),
                    None => patch.push(json!({"op": "remove", "path": path})),
                }
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                patch.push(json!({"op": "add", "path": path, "value": value}));
            }
        }
        (Value::Array(old), Value::Array(new))
            if old.len() == new.len() && old.iter().all(Value::is_object) =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(old, new, &format!("{path}/{index}"), patch);
            }
        }
        _ if before == after => {}
        _ => patch.push(json!({"op": "replace", "path": path, "value": after})),
    }
}

#[cfg(test)]
mod tests {
    use super::Difference;
    use serde_json::{Value, json};

    fn object(name: &str, spec: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec})
    }

    #[test]
    fn changes_additions_and_removals_are_found() {
        let from = [
            object("same", json!({"a": 1})),
            object("other", json!({"a": [{}, {"b": 2}], "c": [1], "gone": 1, "x/y~z": 1})),
            object("removed", json!({})),
        ];
        let to = [
            object("same", json!({"a": 1})),
            object("other", json!({"a": [{}, {"b": 3}], "c": [1, 2], "new": 4, "x/y~z": 2})),
            object("added", json!({})),
        ];
        let found = Difference::between(&from, &to);
        let identity = |name: &str| json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": name}});
        assert_eq!(found.added, [object("added", json!({}))]);
        assert_eq!(found.removed, [identity("removed")]);
        let patch = vec![
            json!({"op": "replace", "path": "/spec/a/1/b", "value": 3}),
            json!({"op": "replace", "path": "/spec/c", "value": [1, 2]}),
            json!({"op": "remove", "path": "/spec/gone"}),
            json!({"op": "replace", "path": "/spec/x~1y~0z", "value": 2}),
            json!({"op": "add", "path": "/spec/new", "value": 4}),
        ];
        assert_eq!(found.changed, [(identity("other"), patch)]);
        assert_eq!(Difference::between(&from, &from), Difference::default());
    }
}
