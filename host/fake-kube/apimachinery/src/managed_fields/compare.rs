//! The fields that an object sets, and the fields in which two objects differ
//! (structured-merge-diff `typed/tofieldset.go` and `typed/compare.go`).

use super::field_set::FieldSet;
use super::item;
use crate::builtin_schema;
use crate::schema::{ListType, Schema};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// The schema below a member; `metadata` of a resource is the same everywhere.
pub(super) fn below<'s>(schema: &'s Schema, name: &str, is_root: bool) -> Cow<'s, Arc<Schema>> {
    if is_root && name == "metadata" {
        return Cow::Owned(builtin_schema::object_meta());
    }
    match schema.member(name) {
        Some(child) => Cow::Borrowed(child),
        None => Cow::Owned(Arc::new(Schema::any())),
    }
}

/// Whether a value is owned as a whole: scalars, atomic maps and atomic lists.
pub(super) fn is_atomic(schema: &Schema, value: &Value) -> bool {
    match value {
        Value::Object(_) => schema.atomic_map,
        Value::Array(_) => schema.list_type == ListType::Atomic,
        _ => true,
    }
}

/// The fields that an applied configuration sets. `lists::check` must have accepted it.
pub(super) fn to_set(schema: &Schema, object: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    fill(schema, object, true, &mut set);
    set
}

fn fill(schema: &Schema, value: &Value, is_root: bool, set: &mut FieldSet) {
    if is_atomic(schema, value) {
        set.member = true;
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let child = below(schema, name, is_root);
                let place = set.child(item::field(name));
                fill(&child, member, false, place);
                let is_empty_map = member.as_object().is_some_and(Map::is_empty);
                if member.is_null() || is_empty_map || !schema.properties.contains_key(name) && !is_root {
                    place.member = true;
                }
            }
        }
        Value::Array(items) => {
            let child = schema.items.clone().unwrap_or_default();
            for value in items {
                if let Some(element) = item::list_item(schema, value) {
                    let place = set.child(element);
                    fill(&child, value, false, place);
                    place.member = true;
                }
            }
        }
        _ => set.member = true,
    }
    set.tidy();
}

/// The fields in which two objects differ.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

pub(super) fn compare(schema: &Schema, old: &Value, new: &Value) -> Changes {
    let mut changes = Changes::default();
    walk(schema, Some(old), Some(new), true, &mut Vec::new(), &mut changes);
    changes
}

fn walk(
    schema: &Schema,
    old: Option<&Value>,
    new: Option<&Value>,
    is_root: bool,
    path: &mut Vec<String>,
    changes: &mut Changes,
) {
    let shape = new.filter(|value| !value.is_null()).or(old).or(new);
    let Some(shape) = shape else { return };
    if is_atomic(schema, shape) || (is_nothing(old) && is_nothing(new)) {
        match (old, new) {
            (None, Some(_)) => insert(&mut changes.added, path),
            (Some(_), None) => insert(&mut changes.removed, path),
            (Some(old), Some(new)) if old != new => insert(&mut changes.modified, path),
            _ => {}
        }
        return;
    }
    match shape {
        Value::Object(_) => {
            let (old_members, new_members) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
            for name in names(old_members, new_members) {
                let child = below(schema, name, is_root);
                path.push(item::field(name));
                let member =
                    |members: Option<&'_ Map<String, Value>>| members.is_some_and(|m| m.contains_key(name));
                let before = if member(old_members) { old_members.and_then(|m| m.get(name)) } else { None };
                let after = if member(new_members) { new_members.and_then(|m| m.get(name)) } else { None };
                walk(&child, before, after, false, path, changes);
                path.pop();
            }
        }
        Value::Array(_) => {
            let child = schema.items.clone().unwrap_or_default();
            let (before, after) = (items(schema, old), items(schema, new));
            for (element, value) in &before {
                let other = after.iter().find(|(other, _)| other == element).map(|(_, value)| *value);
                path.push(element.clone());
                walk(&child, Some(value), other, false, path, changes);
                path.pop();
            }
            for (element, value) in &after {
                if !before.iter().any(|(other, _)| other == element) {
                    path.push(element.clone());
                    walk(&child, None, Some(value), false, path, changes);
                    path.pop();
                }
            }
        }
        _ => {}
    }
    if !is_root {
        match (old, new) {
            (None, Some(_)) => insert(&mut changes.added, path),
            (Some(_), None) => insert(&mut changes.removed, path),
            _ => {}
        }
    }
}

fn items<'v>(schema: &Schema, list: Option<&'v Value>) -> Vec<(String, &'v Value)> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|value| item::list_item(schema, value).map(|element| (element, value))).collect()
}

fn names<'m>(old: Option<&'m Map<String, Value>>, new: Option<&'m Map<String, Value>>) -> Vec<&'m String> {
    let mut names: Vec<&String> =
        old.into_iter().flat_map(Map::keys).chain(new.into_iter().flat_map(Map::keys)).collect();
    names.sort();
    names.dedup();
    names
}

/// Absent, null, or without anything inside.
fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn insert(set: &mut FieldSet, path: &[String]) {
    let mut place = set;
    for element in path {
        place = place.child(element.clone());
    }
    place.member = true;
}
