//! A JSON Patch (RFC 6902), written operation by operation: what no operation names stays
//! untouched.

use crate::json::Json;

/// Operations in order.
#[derive(Debug, Default)]
pub(crate) struct Patch<'a>(Vec<Json<'a>>);

impl<'a> Patch<'a> {
    /// Adds a member, or inserts an item before the one at that index.
    pub(crate) fn add(&mut self, path: String, value: Json<'a>) {
        self.push("add", path, Some(value));
    }

    /// Replaces a value.
    pub(crate) fn replace(&mut self, path: String, value: Json<'a>) {
        self.push("replace", path, Some(value));
    }

    /// Inserts items into a list at an index. Makes the list where there is none.
    pub(crate) fn insert(&mut self, list: &str, exists: bool, index: usize, items: Vec<Json<'a>>) {
        if !exists && !items.is_empty() {
            self.add(list.to_owned(), Json::Array(items));
            return;
        }
        for (offset, item) in items.into_iter().enumerate() {
            self.add(format!("{list}/{}", index + offset), item);
        }
    }

    /// Sets a member of a map. Makes the map where there is none.
    pub(crate) fn set(&mut self, map: &str, exists: bool, key: &str, value: Json<'a>) {
        if exists {
            self.add(member(map, key), value);
        } else {
            self.add(map.to_owned(), Json::Object(vec![(key.to_owned().into(), value)]));
        }
    }

    /// Removes a member of a map.
    pub(crate) fn remove(&mut self, map: &str, key: &str) {
        self.push("remove", member(map, key), None);
    }

    /// Removes an item of a list.
    pub(crate) fn remove_item(&mut self, list: &str, index: usize) {
        self.push("remove", format!("{list}/{index}"), None);
    }

    /// Demands a value, so that nothing is done when there is another one.
    pub(crate) fn test(&mut self, path: String, value: Json<'a>) {
        self.push("test", path, Some(value));
    }

    /// The patch as JSON text; `None` when it does nothing.
    pub(crate) fn into_text(self) -> Option<String> {
        (!self.0.is_empty()).then(|| Json::Array(self.0).to_text())
    }

    fn push(&mut self, operation: &'static str, path: String, value: Option<Json<'a>>) {
        self.0.push(Json::object([
            ("op", Some(operation.into())),
            ("path", Some(path.into())),
            ("value", value),
        ]));
    }
}

/// Pointer to a member (RFC 6901, section 3).
fn member(map: &str, key: &str) -> String {
    [map, "/", &key.replace('~', "~0").replace('/', "~1")].concat()
}
