//! `metadata.managedFields`: reading, ordering, writing.

use super::field_set::FieldSet;
use super::manager::Manager;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The operation of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// What identifies an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) operation: Operation,
    pub(super) manager: String,
    pub(super) api_version: String,
    pub(super) subresource: String,
}

impl Key {
    pub(super) fn of(manager: &Manager<'_>, operation: Operation) -> Self {
        Key {
            operation,
            manager: manager.name.to_owned(),
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.unwrap_or_default().to_owned(),
        }
    }
}

/// The fields that a manager owns, and the time of their last change.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) fields: FieldSet,
    pub(super) time: String,
}

impl Entry {
    pub(super) fn new(fields: FieldSet, time: &str) -> Self {
        Entry { fields, time: time.to_owned() }
    }
}

pub(super) fn read(object: &Value) -> BTreeMap<Key, Entry> {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut entries = BTreeMap::new();
    for item in list.into_iter().flatten() {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            _ => Operation::Update,
        };
        let key = Key {
            operation,
            manager: text("manager"),
            api_version: text("apiVersion"),
            subresource: text("subresource"),
        };
        let fields = FieldSet::from_json(item.get("fieldsV1").unwrap_or(&Value::Null));
        entries.insert(key, Entry { fields, time: text("time") });
    }
    entries
}

/// The checks that the API server makes when it decodes managers.
pub(super) fn check(object: &Value) -> Result<(), String> {
    let list = match object.pointer("/metadata/managedFields") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err("managedFields must be a list".to_owned()),
    };
    for (index, item) in list.iter().enumerate() {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        if !matches!(text("operation"), "Apply" | "Update") {
            return Err("operation must be `Apply` or `Update`".to_owned());
        }
        if text("apiVersion").is_empty() {
            return Err("apiVersion must not be empty".to_owned());
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
            other => return Err(format!("invalid fieldsType {other:?} in managed fields entry {index}")),
        }
        if item.get("fieldsV1").is_some_and(|fields| !fields.is_object() && !fields.is_null()) {
            return Err(format!("error decoding set: fieldsV1 of entry {index} must be an object"));
        }
    }
    Ok(())
}

/// Writes the entries. Those without fields are left out, but for the one of the current apply
/// (`applied`).
pub(super) fn write(object: &mut Value, entries: &BTreeMap<Key, Entry>, applied: Option<&Key>) {
    let mut kept: Vec<(&Key, &Entry)> =
        entries.iter().filter(|(key, entry)| applied == Some(*key) || !entry.fields.is_empty()).collect();
    kept.sort_by(|(a, x), (b, y)| {
        (a.operation, &x.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
            b.operation,
            &y.time,
            &b.manager,
            &b.api_version,
            &b.subresource,
        ))
    });
    let list: Vec<Value> = kept.into_iter().map(|(key, entry)| encode(key, entry)).collect();
    let Value::Object(members) = object else { return };
    let metadata = members.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(metadata) = metadata {
        if list.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), Value::Array(list));
        }
    }
}

fn encode(key: &Key, entry: &Entry) -> Value {
    let mut item = json!({
        "manager": key.manager,
        "operation": key.operation.name(),
        "apiVersion": key.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.to_json(),
    });
    if let (false, Value::Object(item)) = (key.subresource.is_empty(), &mut item) {
        item.insert("subresource".to_owned(), key.subresource.clone().into());
    }
    item
}

/// Whether two objects differ in nothing but the times of their managedFields.
pub(super) fn same_apart_from_times(one: &Value, other: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        if let Some(Value::Array(list)) = object.pointer_mut("/metadata/managedFields") {
            for item in list.iter_mut() {
                if let Value::Object(item) = item {
                    item.remove("time");
                }
            }
            // The order of entries depends on times, too.
            list.sort_by_key(Value::to_string);
        }
        object
    };
    timeless(one) == timeless(other)
}
