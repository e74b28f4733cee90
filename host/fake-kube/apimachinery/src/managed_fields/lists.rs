//! Associative lists: checks their keys, and merges an applied list into a live one.

use super::compare::below;
use super::item;
use crate::schema::{ListType, Schema};
use crate::status::ApiError;
use serde_json::Value;
use std::collections::HashSet;

/// Refuses an applied configuration whose associative lists have items without keys or with equal
/// keys, also inside of atomic values (structured-merge-diff `typed/validate.go`).
pub(super) fn check(schema: &Schema, applied: &Value) -> Result<(), ApiError> {
    check_at(schema, applied, true, "")
}

fn check_at(schema: &Schema, value: &Value, is_root: bool, path: &str) -> Result<(), ApiError> {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let child = below(schema, name, is_root);
                check_at(&child, member, false, &format!("{path}.{name}"))?;
            }
        }
        Value::Array(items) => {
            let child = schema.items.clone().unwrap_or_default();
            let mut seen = HashSet::new();
            for (position, value) in items.iter().enumerate() {
                let element = element_of(schema, position, value, path)?;
                let shown = item::display(std::slice::from_ref(&element));
                check_at(&child, value, false, &format!("{path}{shown}"))?;
                if !seen.insert(element) {
                    return Err(refused(path, &format!("duplicate entries for key {shown}")));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn element_of(schema: &Schema, position: usize, value: &Value, path: &str) -> Result<String, ApiError> {
    if let Some(element) = item::list_item(schema, value) {
        return Ok(element);
    }
    match &schema.list_type {
        ListType::Map(keys) => {
            let keys = keys.join(", ");
            Err(refused(
                path,
                &format!(
                    "element {position}: associative list with keys has an element that omits key field {keys:?}"
                ),
            ))
        }
        ListType::Atomic | ListType::Set => Ok(format!("i:{position}")),
    }
}

fn refused(path: &str, why: &str) -> ApiError {
    ApiError::bad_request(format!("failed to create typed patch object: {path}: {why}"))
}

/// Merges two lists. Applied items come in the applied order. An item that only the live list has
/// follows the applied item that it followed there, or stays in front when there was none.
///
/// `merge` merges a live item with the applied one. Live items that share a key with each other are
/// replaced.
pub(super) fn merge(
    schema: &Schema,
    live: &[Value],
    applied: &[Value],
    mut merge: impl FnMut(&Value, &Value) -> Value,
) -> Vec<Value> {
    let keyed = |list: &'_ [Value]| -> Vec<Option<String>> {
        list.iter().map(|value| item::list_item(schema, value)).collect()
    };
    let (live_keys, applied_keys) = (keyed(live), keyed(applied));
    let mut front = Vec::new();
    let mut followers: Vec<Vec<Value>> = vec![Vec::new(); applied.len()];
    let mut before = None;
    for (value, key) in live.iter().zip(&live_keys) {
        let shared = key.as_ref().and_then(|_| applied_keys.iter().position(|other| other == key));
        match (shared, before.and_then(|before: usize| followers.get_mut(before))) {
            (Some(position), _) => before = Some(position),
            (None, Some(followers)) => followers.push(value.clone()),
            (None, None) => front.push(value.clone()),
        }
    }
    let mut merged = front;
    for ((value, key), followers) in applied.iter().zip(&applied_keys).zip(followers) {
        let mut same = live.iter().zip(&live_keys).filter(|(_, other)| key.is_some() && *other == key);
        merged.push(match (same.next(), same.next()) {
            (Some((old, _)), None) => merge(old, value),
            _ => value.clone(),
        });
        merged.extend(followers);
    }
    merged
}
