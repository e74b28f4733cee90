//! Field ownership and server-side apply, with the semantics of `structured-merge-diff`.
//!
//! - `field_set` is a set of field paths (FieldsV1);
//! - `compare` finds the fields in which two objects differ;
//! - `merge` and `lists` merge an applied configuration and remove fields that it no longer has;
//! - `entries` reads and writes `metadata.managedFields`;
//! - `zero` has the objects that creations of built-in kinds are compared with.

mod compare;
mod conflict;
mod entries;
mod field_set;
mod item;
mod lists;
mod manager;
mod merge;
mod zero;

use crate::schema::Schema;
use crate::status::ApiError;
use entries::{Entry, Key, Operation};
use field_set::FieldSet;
use serde_json::Value;

pub use manager::Manager;

/// Computes `metadata.managedFields` of `new`, which a create or update made of `old`. For
/// server-side apply see [`apply`].
///
/// The manager comes to own every field that differs. Fields that the subresource cannot change
/// must be equal.
pub fn track_update(schema: &Schema, old: Option<&Value>, new: &mut Value, manager: &Manager<'_>) {
    let mut entries = entries::read(new);
    let before = match old {
        Some(old) => old.clone(),
        None => zero::of(schema, new),
    };
    let changes = compare::compare(schema, &before, new);
    let key = Key::of(manager, Operation::Update);
    let taken = changes.modified.union(&changes.added);

    let mut own = entries.remove(&key).unwrap_or_else(|| Entry::new(FieldSet::default(), manager.time));
    let mut fields = own.fields.difference(&changes.removed).union(&taken);
    strip(&mut fields);
    let mut took = taken.clone();
    strip(&mut took);
    let time = if took.is_empty() { own.time.clone() } else { manager.time.to_owned() };
    own = Entry::new(fields, &time);
    for entry in entries.values_mut() {
        entry.fields = entry.fields.difference(&taken).difference(&changes.removed);
    }
    entries.insert(key, own);
    entries::write(new, &entries, None);
}

/// Server-side apply: merges `applied` into `live` and returns the object with its new
/// managedFields.
///
/// An apply that changes nothing returns `live` as it is, times included.
///
/// # Errors
/// 409 with one cause per field that another manager owns with another value, unless `force`; 400
/// when items of an associative list lack their keys or share one.
pub fn apply(
    schema: &Schema,
    live: Option<&Value>,
    applied: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, ApiError> {
    let empty = Value::Object(serde_json::Map::new());
    let base = live.unwrap_or(&empty);
    let mut applied = applied.clone();
    merge::drop_nulls(&mut applied);
    if let Some(Value::Object(metadata)) = applied.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    let mut entries = entries::read(base);
    let key = Key::of(manager, Operation::Apply);

    lists::check(schema, &applied)?;
    let mut merged = merge::merge(schema, base, &applied);
    let mut fields = compare::to_set(schema, &applied);
    strip(&mut fields);
    let last = entries.remove(&key);
    let mut union = fields.clone();
    for entry in entries.values() {
        union = union.union(&entry.fields);
    }
    if let Some(last) = &last {
        merge::remove_abandoned(schema, &mut merged, &last.fields, &union);
    }

    let changes = compare::compare(schema, base, &merged);
    let mut taken = changes.modified.union(&changes.added);
    strip(&mut taken);
    let mut conflicts = Vec::new();
    for (other, entry) in &mut entries {
        let contested = entry.fields.intersection(&taken);
        if !contested.is_empty() {
            conflicts
                .extend(contested.paths().into_iter().map(|path| (other.clone(), entry.time.clone(), path)));
            entry.fields = entry.fields.difference(&contested);
        }
        entry.fields = entry.fields.difference(&changes.removed);
    }
    if !force && !conflicts.is_empty() {
        return Err(conflict::error(&conflicts));
    }
    let own = match last {
        // The time of an entry is that of the last change of its fields or their values.
        Some(last) if last.fields == fields && merged == *base => last,
        _ => Entry::new(fields, manager.time),
    };
    entries.insert(key.clone(), own);
    entries::write(&mut merged, &entries, Some(&key));
    match live {
        Some(live) if entries::same_apart_from_times(live, &merged) => Ok(live.clone()),
        _ => Ok(merged),
    }
}

/// Checks the form of `metadata.managedFields`.
///
/// # Errors
/// What is wrong with the first entry that cannot be read.
pub fn check(object: &Value) -> Result<(), String> {
    entries::check(object)
}

/// Fields that no manager owns: the identity of an object, and fields that the server sets.
const STRIPPED: [&[&str]; 14] = [
    &["f:apiVersion"],
    &["f:kind"],
    &["f:metadata"],
    &["f:metadata", "f:name"],
    &["f:metadata", "f:namespace"],
    &["f:metadata", "f:creationTimestamp"],
    &["f:metadata", "f:selfLink"],
    &["f:metadata", "f:uid"],
    &["f:metadata", "f:clusterName"],
    &["f:metadata", "f:generation"],
    &["f:metadata", "f:managedFields"],
    &["f:metadata", "f:resourceVersion"],
    &["f:metadata", "f:deletionTimestamp"],
    &["f:metadata", "f:deletionGracePeriodSeconds"],
];

fn strip(fields: &mut FieldSet) {
    for path in STRIPPED {
        fields.remove_member(path);
    }
}
