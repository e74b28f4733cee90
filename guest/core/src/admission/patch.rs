//! A JSON patch (RFC 6902) that is written operation by operation: nothing that it does not name is touched.

use super::template::{fill, joined, quoted};

/// Operations in order, as JSON text.
#[derive(Debug, Default)]
pub(crate) struct Patch(Vec<String>);

impl Patch {
    /// Adds a member, or inserts an item before the one at that index. `value` is JSON text.
    pub(crate) fn add(&mut self, path: &str, value: &str) {
        self.push("add", path, value);
    }

    /// Replaces what is there by JSON text.
    pub(crate) fn replace(&mut self, path: &str, value: &str) {
        self.push("replace", path, value);
    }

    /// Inserts items, JSON texts, into a list at an index; makes the list where there is none.
    pub(crate) fn insert(&mut self, list: &str, exists: bool, index: usize, items: &[String]) {
        if !exists && !items.is_empty() {
            self.add(list, &fill("[%]", &[&joined(items)]));
            return;
        }
        for (offset, item) in items.iter().enumerate() {
            self.add(&fill("%/%", &[list, &(index + offset).to_string()]), item);
        }
    }

    /// Sets a member of a map to JSON text; makes the map where there is none.
    pub(crate) fn set(&mut self, map: &str, exists: bool, key: &str, value: &str) {
        if exists {
            self.add(&member(map, key), value);
        } else {
            self.add(map, &fill("{%:%}", &[&quoted(key), value]));
        }
    }

    /// Removes a member of a map.
    pub(crate) fn remove(&mut self, map: &str, key: &str) {
        self.0.push(fill(r#"{"op":"remove","path":%}"#, &[&quoted(&member(map, key))]));
    }

    /// The patch as JSON text; `None` when it does nothing.
    pub(crate) fn into_text(self) -> Option<String> {
        (!self.0.is_empty()).then(|| fill("[%]", &[&joined(&self.0)]))
    }

    fn push(&mut self, operation: &str, path: &str, value: &str) {
        self.0.push(fill(r#"{"op":"%","path":%,"value":%}"#, &[operation, &quoted(path), value]));
    }
}

/// Pointer to a member (RFC 6901, section 3).
fn member(map: &str, key: &str) -> String {
    fill("%/%", &[map, &key.replace('~', "~0").replace('/', "~1")])
}
