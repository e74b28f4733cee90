//! A set of field paths, in the shape of FieldsV1: a tree whose edges are path elements.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Path elements in their serialised form: `f:name`, `k:{...}`, `v:...`, `i:0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// Whether the path to this node is in the set.
    pub(super) member: bool,
    pub(super) children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    pub(super) fn child(&mut self, element: String) -> &mut FieldSet {
        self.children.entry(element).or_default()
    }

    /// Drops branches without members.
    pub(super) fn tidy(&mut self) {
        self.children.retain(|_, child| {
            child.tidy();
            !child.is_empty()
        });
    }

    /// Removes one path from the set. Paths below it stay.
    pub(super) fn remove_member(&mut self, path: &[&str]) {
        match path {
            [] => self.member = false,
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(*first) {
                    child.remove_member(rest);
                    if child.is_empty() {
                        self.children.remove(*first);
                    }
                }
            }
        }
    }

    pub(super) fn union(&self, other: &FieldSet) -> FieldSet {
        let mut result = self.clone();
        result.member |= other.member;
        for (element, theirs) in &other.children {
            let merged = match result.children.get(element) {
                Some(ours) => ours.union(theirs),
                None => theirs.clone(),
            };
            result.children.insert(element.clone(), merged);
        }
        result
    }

    pub(super) fn difference(&self, other: &FieldSet) -> FieldSet {
        let mut result = FieldSet { member: self.member && !other.member, children: BTreeMap::new() };
        for (element, ours) in &self.children {
            let left = match other.children.get(element) {
                Some(theirs) => ours.difference(theirs),
                None => ours.clone(),
            };
            if !left.is_empty() {
                result.children.insert(element.clone(), left);
            }
        }
        result
    }

    pub(super) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut result = FieldSet { member: self.member && other.member, children: BTreeMap::new() };
        for (element, ours) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                let common = ours.intersection(theirs);
                if !common.is_empty() {
                    result.children.insert(element.clone(), common);
                }
            }
        }
        result
    }

    /// All member paths, as lists of elements.
    pub(super) fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        if self.member {
            found.push(path.clone());
        }
        for (element, child) in &self.children {
            path.push(element.clone());
            child.collect(path, found);
            path.pop();
        }
    }

    /// Reads FieldsV1.
    pub(super) fn from_json(fields: &Value) -> FieldSet {
        let mut set = FieldSet::default();
        if let Value::Object(members) = fields {
            for (element, below) in members {
                if element == "." {
                    set.member = true;
                } else {
                    let mut child = FieldSet::from_json(below);
                    // An element without children is a member itself.
                    child.member |= child.children.is_empty();
                    set.children.insert(element.clone(), child);
                }
            }
        }
        set
    }

    /// Writes FieldsV1.
    pub(super) fn to_json(&self) -> Value {
        let mut members = Map::new();
        for (element, child) in &self.children {
            let mut below = child.to_json();
            if child.member
                && !child.children.is_empty()
                && let Value::Object(below) = &mut below
            {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            members.insert(element.clone(), below);
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::FieldSet;
    use serde_json::json;

    #[test]
    fn json_round_trip() {
        let fields =
            json!({"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}}}, "f:x": {}}});
        let set = FieldSet::from_json(&fields);
        assert_eq!(set.to_json(), fields);
        assert_eq!(set.paths().len(), 3);
    }

    #[test]
    fn set_algebra() {
        let a = FieldSet::from_json(&json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}}));
        let b = FieldSet::from_json(&json!({"f:a": {"f:b": {}}, "f:d": {}}));
        assert_eq!(a.union(&b).to_json(), json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}, "f:d": {}}));
        assert_eq!(a.difference(&b).to_json(), json!({"f:a": {}, "f:c": {}}));
        assert_eq!(a.intersection(&b).to_json(), json!({"f:a": {"f:b": {}}}));
    }
}
