//! CustomResourceDefinitions: what happens after one was written.
//!
//! A real server has controllers for this. Here the status is settled and the kinds are served before
//! the write that caused it is answered; only the deletion of instances runs in the background.

use std::sync::Arc;

use serde_json::{Value, json};
use tracing::{debug, warn};

use crate::catalogue::{Catalogue, Kind, kinds_of};
use crate::clock;
use crate::cluster::{Cluster, stopped};
use crate::store::{Key, TableName};
use crate::write::Write;
use crate::write::delete::{self, DeleteOptions};

/// Holds a definition until its instances are gone.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";

/// Follows up a write of any kind.
pub fn after_write(cluster: &Cluster, kind: &Kind, name: &str) {
    if !kind.is(GROUP, PLURAL) {
        return;
    }
    let key = Key::new(None, name);
    let Some(object) = cluster.store.get(&kind.table, &key) else {
        let tables: Vec<TableName> =
            cluster.catalogue().custom(name).iter().map(|kind| kind.table.clone()).collect();
        cluster.change_catalogue(|catalogue| catalogue.remove_custom(name));
        tables.iter().for_each(|table| cluster.store.close(table));
        return;
    };
    let definition = kind.value(&object);
    let settled = settled_status(&cluster.catalogue(), name, &definition);
    serve(cluster, name, &settled);
    if settled.get("status") != definition.get("status") {
        store_status(cluster, kind, &definition, settled);
    }
    if definition.pointer("/metadata/deletionTimestamp").is_some() {
        spawn_cleanup(cluster, name);
    }
}

/// Adds the condition that `delete` puts on a definition.
pub fn mark_terminating(definition: &mut Value, now: &str) {
    set_condition(
        definition,
        "Terminating",
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        now,
    );
}

fn condition<'a>(definition: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = definition.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(type_))
}

fn set_condition(definition: &mut Value, type_: &str, status: &str, reason: &str, message: &str, now: &str) {
    if condition(definition, type_).and_then(|found| found.get("status")).and_then(Value::as_str)
        == Some(status)
    {
        return;
    }
    let entry = json!({
        "type": type_, "status": status, "lastTransitionTime": now, "reason": reason, "message": message,
    });
    let Some(status) = definition.get_mut("status").and_then(Value::as_object_mut) else { return };
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else { return };
    conditions.retain(|condition| condition.get("type").and_then(Value::as_str) != Some(type_));
    conditions.push(entry);
}

/// The definition with accepted names, stored versions and conditions.
fn settled_status(catalogue: &Catalogue, name: &str, definition: &Value) -> Value {
    let now = clock::now();
    let mut settled = definition.clone();
    if !settled.get("status").is_some_and(Value::is_object)
        && let Some(map) = settled.as_object_mut()
    {
        map.insert("status".into(), json!({}));
    }
    match conflict(catalogue, name, definition) {
        Some(message) => {
            set_condition(&mut settled, "NamesAccepted", "False", "NameConflict", &message, &now);
            let why = "not all names are accepted";
            set_condition(&mut settled, "Established", "False", "NotAccepted", why, &now);
        }
        None => {
            let fine = "no conflicts found";
            set_condition(&mut settled, "NamesAccepted", "True", "NoConflicts", fine, &now);
            let accepted = "the initial names have been accepted";
            set_condition(&mut settled, "Established", "True", "InitialNamesAccepted", accepted, &now);
            let names = definition.pointer("/spec/names").cloned().unwrap_or_default();
            if let Some(status) = settled.get_mut("status").and_then(Value::as_object_mut) {
                status.insert("acceptedNames".into(), names);
            }
        }
    }
    store_version(definition, &mut settled);
    settled
}

/// `status.storedVersions` remembers every version that was ever the stored one.
fn store_version(definition: &Value, settled: &mut Value) {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let stored = versions.map(Vec::as_slice).unwrap_or_default().iter().find_map(|version| {
        (version.get("storage").and_then(Value::as_bool) == Some(true))
            .then(|| version.get("name").cloned())?
    });
    let Some(status) = settled.get_mut("status").and_then(Value::as_object_mut) else { return };
    let list = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let (Some(stored), Some(list)) = (stored, list.as_array_mut())
        && !list.contains(&stored)
    {
        list.push(stored);
    }
}

/// Another kind of the group that has one of the names.
fn conflict(catalogue: &Catalogue, name: &str, definition: &Value) -> Option<String> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    let own = catalogue.custom(name);
    let taken = catalogue.kinds().any(|other| {
        other.group == group && other.kind == kind && !own.iter().any(|mine| Arc::ptr_eq(mine, other))
    });
    taken.then(|| format!("{kind:?} is already in use"))
}

/// Makes the definition's kinds available.
fn serve(cluster: &Cluster, name: &str, definition: &Value) {
    let established = condition(definition, "Established").and_then(|found| found.get("status"));
    if established.and_then(Value::as_str) != Some("True") {
        return;
    }
    match kinds_of(definition) {
        Ok(kinds) => {
            for kind in &kinds {
                cluster.store.open(&kind.table);
            }
            cluster.change_catalogue(|catalogue| catalogue.set_custom(name, kinds));
        }
        Err(problem) => warn!(definition = name, problem, "a definition cannot be served"),
    }
}

fn store_status(cluster: &Cluster, kind: &Kind, before: &Value, mut settled: Value) {
    let Some(kind) = cluster.catalogue().find(GROUP, &kind.version, PLURAL) else { return };
    let name = before.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let key = Key::new(None, name);
    let Some(stored) = cluster.store.get(&kind.table, &key) else { return };
    let write = Write::internal(kind.clone(), None, Some("status"));
    write.track(Some(before), &mut settled);
    // Whoever was faster follows up on its own.
    let done = cluster.store.replace(&kind.table, &key, stored.revision, kind.to_storage(&settled));
    debug!(definition = name, ?done, "status of a definition");
}

/// Deletes the instances of a definition that is being deleted, then lets it go.
fn spawn_cleanup(cluster: &Cluster, name: &str) {
    let (Some(cluster), name) = (cluster.handle(), name.to_owned()) else { return };
    tokio::spawn(async move {
        let mut stop = cluster.stop.clone();
        tokio::select! {
            () = clean_up(&cluster, &name) => {}
            () = stopped(&mut stop) => {}
        }
    });
}

async fn clean_up(cluster: &Cluster, name: &str) {
    let Some(kind) = cluster.catalogue().custom(name).first().cloned() else {
        return release(cluster, name).await;
    };
    if let Some(mut changes) = cluster.store.subscribe(&kind.table) {
        loop {
            changes.mark_unchanged();
            let objects = cluster.store.list(&kind.table, None).objects;
            if objects.is_empty() {
                break;
            }
            let mut write = Write::internal(kind.clone(), None, None);
            let options = DeleteOptions::at_once();
            if let Err(error) = delete::delete_collection(cluster, &mut write, &objects, &options).await {
                warn!(definition = name, %error, "instances of a deleted definition stay");
            }
            // Those with finalizers go when their controllers let them.
            if cluster.store.count(&kind.table) > 0 && changes.changed().await.is_err() {
                break;
            }
        }
    }
    release(cluster, name).await;
}

/// Removes the cleanup finalizer.
async fn release(cluster: &Cluster, name: &str) {
    use crate::http::decode::Decoded;
    use crate::write::PatchType;
    use crate::write::update::{self, Change};

    let Some(kind) = cluster.catalogue().find(GROUP, "v1", PLURAL) else { return };
    let Some(stored) = cluster.store.get(&kind.table, &Key::new(None, name)) else { return };
    let definition = stored.value();
    let finalizers = definition.pointer("/metadata/finalizers").and_then(Value::as_array).cloned();
    let others: Vec<Value> =
        finalizers.unwrap_or_default().into_iter().filter(|one| one != CLEANUP_FINALIZER).collect();
    let patch = Decoded { value: json!({"metadata": {"finalizers": others}}), duplicates: Vec::new() };
    let mut write = Write::internal(kind, None, None);
    let result =
        Box::pin(update::update(cluster, &mut write, name, Change::Patch(PatchType::Merge), patch)).await;
    if let Err(error) = result {
        warn!(definition = name, %error, "the cleanup finalizer stays");
    }
}
