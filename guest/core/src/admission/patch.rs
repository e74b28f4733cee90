//! A JSON patch (RFC 6902) that is written operation by operation: nothing that it does not name is touched.

use crate::json::Json;
use std::borrow::Cow;

/// Operations in order.
#[derive(Debug, Default)]
pub(crate) struct Patch<'a>(Vec<Json<'a>>);

impl<'a> Patch<'a> {
    /// Adds a member, or inserts an item before the one at that index.
    pub(crate) fn add(&mut self, path: String, value: Json<'a>) {
        self.push("add", path, value);
    }

    /// Replaces what is there.
    pub(crate) fn replace(&mut self, path: String, value: Json<'a>) {
        self.push("replace", path, value);
    }

    /// Inserts items into a list at an index; makes the list where there is none.
    pub(crate) fn insert(&mut self, list: &str, exists: bool, index: usize, items: Vec<Json<'a>>) {
        if items.is_empty() {
            return;
        }
        if !exists {
            self.add(list.to_owned(), Json::Array(items));
            return;
        }
        for (offset, item) in items.into_iter().enumerate() {
            self.add([list, "/", &(index + offset).to_string()].concat(), item);
        }
    }

    /// Sets a member of a map; makes the map where there is none.
    pub(crate) fn set(&mut self, map: &str, exists: bool, key: &str, value: Json<'a>) {
        if exists {
            self.add([map, "/", &escape(key)].concat(), value);
        } else {
            self.add(map.to_owned(), Json::Object(vec![(Cow::Owned(key.to_owned()), value)]));
        }
    }

    /// Removes a member of a map.
    pub(crate) fn remove(&mut self, map: &str, key: &str) {
        self.0.push(Json::object([
            ("op", Some("remove".into())),
            ("path", Some([map, "/", &escape(key)].concat().into())),
        ]));
    }

    /// The patch as JSON text; `None` when it does nothing.
    pub(crate) fn into_text(self) -> Option<String> {
        (!self.0.is_empty()).then(|| Json::Array(self.0).to_text())
    }

    fn push(&mut self, operation: &'static str, path: String, value: Json<'a>) {
        self.0.push(Json::object([
            ("op", Some(operation.into())),
            ("path", Some(path.into())),
            ("value", Some(value)),
        ]));
    }
}

/// A member name within a JSON pointer (RFC 6901, section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
