//! Merges an applied configuration into a live object, and removes fields that the configuration no
//! longer has.

use super::compare::{below, is_atomic};
use super::field_set::FieldSet;
use super::{item, lists};
use crate::schema::Schema;
use serde_json::Value;

/// Merges both objects. Where both have a value, the applied one is taken.
pub(super) fn merge(schema: &Schema, live: &Value, applied: &Value) -> Value {
    merge_at(schema, live, applied, true)
}

fn merge_at(schema: &Schema, live: &Value, applied: &Value, is_root: bool) -> Value {
    if is_atomic(schema, applied) {
        return applied.clone();
    }
    match (live, applied) {
        (Value::Object(old), Value::Object(new)) => {
            let mut merged = old.clone();
            for (name, value) in new {
                let child = below(schema, name, is_root);
                let value = match old.get(name) {
                    Some(old) => merge_at(&child, old, value, false),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new)) => {
            let child = schema.items.clone().unwrap_or_default();
            let merged = lists::merge(schema, old, new, |old, new| merge_at(&child, old, new, false));
            Value::Array(merged)
        }
        _ => applied.clone(),
    }
}

/// Removes the fields that were applied last time (`last`) and have no owner now. `owned` are the
/// fields that are applied now and those of other managers. A removed field is removed with
/// everything below it.
pub(super) fn remove_abandoned(schema: &Schema, object: &mut Value, last: &FieldSet, owned: &FieldSet) {
    remove_at(schema, object, last, owned, true);
}

fn remove_at(schema: &Schema, value: &mut Value, last: &FieldSet, owned: &FieldSet, is_root: bool) {
    match value {
        Value::Object(members) => {
            for (element, below_last) in &last.children {
                let Some(name) = element.strip_prefix("f:") else { continue };
                match owned.children.get(element) {
                    None => {
                        if !(is_root && matches!(name, "metadata" | "apiVersion" | "kind")) {
                            members.remove(name);
                        } else if let Some(member) = members.get_mut(name) {
                            let child = below(schema, name, is_root);
                            remove_at(&child, member, below_last, &FieldSet::default(), false);
                        }
                    }
                    Some(below_owned) => {
                        let child = below(schema, name, is_root);
                        if let Some(member) = members.get_mut(name) {
                            remove_at(&child, member, below_last, below_owned, false);
                        }
                    }
                }
            }
        }
        Value::Array(items) => {
            let child = schema.items.clone().unwrap_or_default();
            items.retain_mut(|value| {
                let Some(element) = item::list_item(schema, value) else { return true };
                match (last.children.get(&element), owned.children.get(&element)) {
                    (Some(_), None) => false,
                    (Some(below_last), Some(below_owned)) => {
                        remove_at(&child, value, below_last, below_owned, false);
                        true
                    }
                    _ => true,
                }
            });
        }
        _ => {}
    }
}

/// Removes nulls, which mean nothing in an applied configuration.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
