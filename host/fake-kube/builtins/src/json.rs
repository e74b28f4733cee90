//! Reading and filling of JSON objects whose fields may be absent.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// Access to fields that may be absent or of a wrong type.
pub(crate) trait Fields {
    /// The field, or null.
    fn at(&self, key: &str) -> &Value;
    /// The field at the end of a path, or null.
    fn path(&self, keys: &[&str]) -> &Value;
    /// The field as text, or empty.
    fn text(&self, key: &str) -> &str;
    /// The field as a list, or empty.
    fn list(&self, key: &str) -> &[Value];
    /// The entries of an object field.
    fn entries(&self, key: &str) -> impl Iterator<Item = (&str, &Value)>;
    /// The field as an integer.
    fn integer(&self, key: &str) -> Option<i64>;
    /// Whether the field is true.
    fn flag(&self, key: &str) -> bool;
    /// Whether the field is there and not null.
    fn has(&self, key: &str) -> bool {
        !self.at(key).is_null()
    }
}

impl Fields for Value {
    fn at(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&NULL)
    }

    fn path(&self, keys: &[&str]) -> &Value {
        keys.iter().fold(self, |value, key| value.at(key))
    }

    fn text(&self, key: &str) -> &str {
        self.at(key).as_str().unwrap_or_default()
    }

    fn list(&self, key: &str) -> &[Value] {
        self.at(key).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn entries(&self, key: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.at(key).as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    fn integer(&self, key: &str) -> Option<i64> {
        self.at(key).as_i64()
    }

    fn flag(&self, key: &str) -> bool {
        self.at(key).as_bool() == Some(true)
    }
}

/// Whether a value is one that Go leaves out as empty: null, or an empty string, list or map.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Sets a field that is absent or null.
pub(crate) fn set_default(object: &mut Value, key: &str, value: impl Into<Value>) {
    if !object.has(key) {
        set(object, key, value);
    }
}

/// Sets a field that is absent, null or an empty string.
pub(crate) fn set_default_text(object: &mut Value, key: &str, value: &str) {
    if is_empty(object.at(key)) {
        set(object, key, value);
    }
}

/// Sets a field, if the object is one.
pub(crate) fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value.into());
    }
}

/// Removes a field.
pub(crate) fn remove(object: &mut Value, key: &str) {
    if let Some(map) = object.as_object_mut() {
        map.remove(key);
    }
}

/// Makes a field of `to` what it is in `from`, or absent.
pub(crate) fn copy(from: &Value, to: &mut Value, key: &str) {
    match from.get(key) {
        Some(value) => set(to, key, value.clone()),
        None => remove(to, key),
    }
}

/// The objects along a path of existing fields.
pub(crate) fn existing<'a>(object: &'a mut Value, keys: &[&str]) -> Option<&'a mut Value> {
    keys.iter().try_fold(object, |value, key| value.get_mut(key)).filter(|value| value.is_object())
}

/// The object in a field, which is made when absent or null. Nothing when it is something else.
pub(crate) fn ensure<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    let value = object.as_object_mut()?.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    Some(value).filter(|value| value.is_object())
}

/// The items of a list field.
pub(crate) fn items<'a>(object: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}
