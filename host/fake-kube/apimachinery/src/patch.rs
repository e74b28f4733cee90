//! JSON patches (RFC 6902), merge patches (RFC 7386) and strategic merge patches.

use crate::builtin_schema;
use crate::schema::{ListType, Schema};
use crate::status::ApiError;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Applies a JSON patch.
///
/// # Errors
/// 400 when the patch is malformed, 422 when an operation fails, for example a test.
pub fn json_patch(object: &Value, patch: &Value) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    let mut patched = object.clone();
    match json_patch::patch(&mut patched, &patch) {
        Ok(()) => Ok(patched),
        // The API server does not tell the reason.
        Err(_) => Err(ApiError {
            code: 422,
            reason: "Invalid".into(),
            message: "the server rejected our request due to an error in our request".to_owned(),
            details: Value::Object(Map::new()),
        }),
    }
}

/// Applies a merge patch.
pub fn merge_patch(object: &Value, patch: &Value) -> Value {
    let mut merged = object.clone();
    json_patch::merge(&mut merged, patch);
    merged
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// Applies a strategic merge patch (k8s.io/apimachinery `pkg/util/strategicpatch`).
///
/// # Errors
/// 400 when a directive is unknown or a list item lacks its merge key.
pub fn strategic_merge(schema: &Schema, object: &Value, patch: &Value) -> Result<Value, ApiError> {
    merge_value(schema, object, patch, true)
}

fn merge_value(schema: &Schema, old: &Value, patch: &Value, is_root: bool) -> Result<Value, ApiError> {
    let Value::Object(patch) = patch else { return Ok(patch.clone()) };
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        None | Some("merge") => {}
        Some("replace") => {
            let mut replaced = patch.clone();
            replaced.remove(DIRECTIVE);
            return Ok(Value::Object(replaced));
        }
        Some("delete") => return Ok(Value::Object(Map::new())),
        Some(other) => return Err(unknown_directive(other)),
    }
    let mut merged = old.as_object().cloned().unwrap_or_default();
    if let Some(Value::Array(keep)) = patch.get(RETAIN_KEYS) {
        merged.retain(|name, _| keep.iter().any(|kept| kept == name));
    }
    for (name, value) in patch {
        if name == DIRECTIVE || name == RETAIN_KEYS || name.starts_with(ELEMENT_ORDER) {
            continue;
        }
        if let Some(field) = name.strip_prefix(DELETE_FROM_LIST) {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (merged.get_mut(field), value) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        let child = member_schema(schema, name, is_root);
        let order = patch.get(&format!("{ELEMENT_ORDER}{name}")).and_then(Value::as_array);
        let result = match (merged.get(name), value) {
            (_, Value::Null) => {
                merged.remove(name);
                continue;
            }
            (old, Value::Array(items)) => {
                let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                Value::Array(merge_list(&child, old, items, order)?)
            }
            (Some(old @ Value::Object(_)), Value::Object(_)) => merge_value(&child, old, value, false)?,
            (_, Value::Object(_)) => merge_value(&child, &Value::Null, value, false)?,
            (_, scalar) => scalar.clone(),
        };
        if value.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
            merged.remove(name);
        } else {
            merged.insert(name.clone(), result);
        }
    }
    // `$setElementOrder` may come without a patch of the list.
    for (name, order) in patch {
        if let (Some(field), Value::Array(order)) = (name.strip_prefix(ELEMENT_ORDER), order)
            && !patch.contains_key(field)
            && let Some(Value::Array(items)) = merged.get(field)
        {
            let child = member_schema(schema, field, is_root);
            let sorted = in_order(items.clone(), order, child.patch_strategy.merge_key.as_deref());
            merged.insert(field.to_owned(), Value::Array(sorted));
        }
    }
    Ok(Value::Object(merged))
}

fn member_schema(schema: &Schema, name: &str, is_root: bool) -> Arc<Schema> {
    if is_root && name == "metadata" {
        return builtin_schema::object_meta();
    }
    schema.member(name).cloned().unwrap_or_else(|| Arc::new(Schema::any()))
}

fn merge_list(
    schema: &Schema,
    old: &[Value],
    patch: &[Value],
    order: Option<&Vec<Value>>,
) -> Result<Vec<Value>, ApiError> {
    let strategy = &schema.patch_strategy;
    let replaces = patch.iter().any(|item| item.get(DIRECTIVE).and_then(Value::as_str) == Some("replace"));
    if !strategy.merge || replaces {
        let is_directive = |item: &&Value| {
            item.as_object().is_some_and(|item| item.len() == 1 && item.contains_key(DIRECTIVE))
        };
        return Ok(patch.iter().filter(|item| !is_directive(item)).cloned().collect());
    }
    let Some(key) = strategy.merge_key.as_deref() else {
        // A list of scalars, for example finalizers.
        let mut merged = old.to_vec();
        merged.extend(patch.iter().filter(|item| !old.contains(item)).cloned());
        return Ok(order.map_or(merged.clone(), |order| in_order(merged, order, None)));
    };
    let child = schema.items.clone().unwrap_or_default();
    let mut merged = old.to_vec();
    for item in patch {
        let Some(value) = item.get(key) else {
            return Err(ApiError::bad_request(format!(
                "map: {item} does not contain declared merge key: {key}"
            )));
        };
        let same = |other: &Value| other.get(key) == Some(value) && same_other_keys(schema, key, other, item);
        match item.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") => merged.retain(|other| other.get(key) != Some(value)),
            None | Some("merge") => match merged.iter_mut().find(|other| same(other)) {
                Some(other) => *other = merge_value(&child, other, item, false)?,
                None => merged.push(merge_value(&child, &Value::Null, item, false)?),
            },
            Some(other) => return Err(unknown_directive(other)),
        }
    }
    Ok(match order {
        Some(order) => in_order(merged, order, Some(key)),
        None => merged,
    })
}

/// Whether two items agree in the other keys of the list. The merge key of ports is the number
/// alone, but two ports with different protocols may share a number.
fn same_other_keys(schema: &Schema, merge_key: &str, one: &Value, other: &Value) -> bool {
    match &schema.list_type {
        ListType::Map(keys) => keys
            .iter()
            .filter(|key| *key != merge_key)
            .all(|key| other.get(key).is_none() || one.get(key) == other.get(key)),
        _ => true,
    }
}

/// Sorts items by the given order. An item that the order does not name follows the item before it.
fn in_order(items: Vec<Value>, order: &[Value], key: Option<&str>) -> Vec<Value> {
    let rank = |item: &Value| {
        order.iter().position(|wanted| match key {
            Some(key) => wanted.get(key) == item.get(key),
            None => wanted == item,
        })
    };
    let mut ranked: Vec<(usize, Value)> = Vec::with_capacity(items.len());
    let mut last = 0;
    for item in items {
        // An item that the order does not name gets the rank of the item before it.
        last = rank(&item).map_or(last, |rank| rank);
        ranked.push((last, item));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, item)| item).collect()
}

fn unknown_directive(directive: &str) -> ApiError {
    ApiError::bad_request(format!("unknown patch type found: {directive}: write replace, merge or delete"))
}

#[cfg(test)]
mod tests {
    use super::{json_patch, merge_patch, strategic_merge};
    use crate::builtin_schema;
    use serde_json::{Value, json};

    fn set(containers: Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    #[test]
    fn containers_merge_by_name() {
        let schema = builtin_schema::schema("apps", "v1", "StatefulSet").expect("known");
        let old = set(json!([{"name": "c", "image": "i"}]));
        let patch =
            set(json!([{"name": "c", "env": [{"name": "A", "value": "1"}]}, {"name": "d", "image": "j"}]));
        let merged = strategic_merge(&schema, &old, &patch).expect("merged");
        let wanted = json!([{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}, {"name": "d", "image": "j"}]);
        assert_eq!(merged, set(wanted));
        assert_eq!(strategic_merge(&schema, &merged, &json!({})).expect("merged"), merged);
    }

    #[test]
    fn directives_are_followed() {
        let schema = builtin_schema::schema("apps", "v1", "StatefulSet").expect("known");
        let old = set(json!([{"name": "c"}, {"name": "d"}]));
        let patch = set(json!([{"name": "c", "$patch": "delete"}]));
        assert_eq!(strategic_merge(&schema, &old, &patch).expect("merged"), set(json!([{"name": "d"}])));
        let patch = set(json!([{"$patch": "replace"}, {"name": "e"}]));
        assert_eq!(strategic_merge(&schema, &old, &patch).expect("merged"), set(json!([{"name": "e"}])));
        let old = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}});
        assert_eq!(
            strategic_merge(&schema, &old, &patch).expect("merged"),
            json!({"metadata": {"finalizers": ["b"]}})
        );
        let patch = json!({"spec": {"$patch": "nonsense"}});
        assert!(strategic_merge(&schema, &json!({}), &patch).is_err());
    }

    #[test]
    fn element_order_is_kept() {
        let schema = builtin_schema::schema("apps", "v1", "StatefulSet").expect("known");
        let old = set(json!([{"name": "c"}, {"name": "d"}]));
        let mut patch = set(json!([{"name": "b"}]));
        patch["spec"]["template"]["spec"]["$setElementOrder/containers"] =
            json!([{"name": "d"}, {"name": "b"}, {"name": "c"}]);
        let merged = strategic_merge(&schema, &old, &patch).expect("merged");
        assert_eq!(merged, set(json!([{"name": "d"}, {"name": "b"}, {"name": "c"}])));
    }

    #[test]
    fn merge_and_json_patches_are_applied() {
        assert_eq!(
            merge_patch(&json!({"a": 1, "b": 2}), &json!({"a": null, "c": 3})),
            json!({"b": 2, "c": 3})
        );
        let failed = json_patch(&json!({"a": 1}), &json!([{"op": "test", "path": "/a", "value": 2}]))
            .expect_err("a failed test");
        assert_eq!(failed.code, 422);
        assert_eq!(json_patch(&json!({}), &json!({})).expect_err("no patch").code, 400);
    }
}
