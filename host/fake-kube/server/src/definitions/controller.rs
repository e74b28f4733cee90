//! Follows the stored CustomResourceDefinitions.
//!
//! A real server has asynchronous controllers for this. Here the status is settled and the kinds
//! are served before the write of the definition is answered, so that clients need not wait. Only
//! the deletion of a definition's objects runs in the background.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};
use tracing::{debug, warn};

use super::status::{self, CLEANUP_FINALIZER};
use crate::catalogue::{Kind, kinds_of};
use crate::clock;
use crate::cluster::{Cluster, stopped};
use crate::http::decode::Decoded;
use crate::store::{Key, TableName};
use crate::write::delete::{self, DeleteOptions};
use crate::write::update;
use crate::write::{Change, PatchType, Write};

const GROUP: &str = "apiextensions.k8s.io";
const VERSION: &str = "v1";
const PLURAL: &str = "customresourcedefinitions";

/// Subscribes to the stored definitions. Every change is followed up before the write returns that
/// made it.
pub fn start(cluster: &Arc<Cluster>) {
    let cluster_of_observer: Weak<Cluster> = Arc::downgrade(cluster);
    cluster.state.store.observe(TableName::new(GROUP, PLURAL), move |change| {
        if let Some(cluster) = cluster_of_observer.upgrade() {
            follow_up(&cluster, &change.object.key.name);
        }
    });
}

fn follow_up(cluster: &Arc<Cluster>, name: &str) {
    let Some(kind) = cluster.state.catalogue().find(GROUP, VERSION, PLURAL) else { return };
    let Some(object) = cluster.state.store.get(&kind.table, &Key::new(None, name)) else {
        stop_serving(cluster, name);
        return;
    };
    let definition = kind.value(&object);
    let settled = status::settled(&cluster.state.catalogue(), name, &definition, &clock::now());
    serve(cluster, name, &settled);
    if settled.get("status") != definition.get("status") {
        // Storing the status is a change too, and what is left is done when that one is followed
        // up.
        store_status(cluster, &kind, object.revision, &definition, settled);
    } else if definition.pointer("/metadata/deletionTimestamp").is_some() {
        spawn_cleanup(cluster, name);
    }
}

/// Makes the definition's kinds available.
fn serve(cluster: &Cluster, name: &str, definition: &Value) {
    if !status::is_established(definition) {
        return;
    }
    match kinds_of(definition) {
        Ok(kinds) => {
            for kind in &kinds {
                cluster.state.store.open(&kind.table);
            }
            cluster.state.change_catalogue(|catalogue| catalogue.set_custom(name, kinds));
        }
        Err(problem) => warn!(definition = name, problem, "a definition cannot be served"),
    }
}

fn stop_serving(cluster: &Cluster, name: &str) {
    let tables: Vec<TableName> =
        cluster.state.catalogue().custom(name).iter().map(|kind| kind.table.clone()).collect();
    cluster.state.change_catalogue(|catalogue| catalogue.remove_custom(name));
    tables.iter().for_each(|table| cluster.state.store.close(table));
}

fn store_status(cluster: &Cluster, kind: &Arc<Kind>, revision: u64, before: &Value, mut settled: Value) {
    let name = before.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let write = Write::internal(kind.clone(), None, Some("status"));
    write.track(Some(before), &mut settled);
    // A refusal means that somebody has changed the definition meanwhile. That change is followed
    // up itself.
    let stored =
        cluster.state.store.replace(&kind.table, &Key::new(None, name), revision, kind.to_storage(&settled));
    debug!(definition = name, stored = stored.is_ok(), "the status of a definition was settled");
}

/// Deletes the objects of a definition that is being deleted, then removes the finalizer.
fn spawn_cleanup(cluster: &Arc<Cluster>, name: &str) {
    let (cluster, name) = (cluster.clone(), name.to_owned());
    tokio::spawn(async move {
        let mut stop = cluster.stop.clone();
        tokio::select! {
            () = clean_up(&cluster, &name) => {}
            () = stopped(&mut stop) => {}
        }
    });
}

async fn clean_up(cluster: &Cluster, name: &str) {
    let Some(kind) = cluster.state.catalogue().custom(name).first().cloned() else {
        return remove_finalizer(cluster, name).await;
    };
    if let Some(mut changes) = cluster.state.store.subscribe(&kind.table) {
        loop {
            changes.mark_unchanged();
            let objects = cluster.state.store.list(&kind.table, None).objects;
            if objects.is_empty() {
                break;
            }
            let mut write = Write::internal(kind.clone(), None, None);
            let options = DeleteOptions::at_once();
            if let Err(error) = delete::delete_collection(cluster, &mut write, &objects, &options).await {
                warn!(definition = name, %error, "objects of a deleted definition could not be deleted");
            }
            // Objects with finalizers stay until somebody removes these.
            if cluster.state.store.count(&kind.table) > 0 && changes.changed().await.is_err() {
                break;
            }
        }
    }
    remove_finalizer(cluster, name).await;
}

async fn remove_finalizer(cluster: &Cluster, name: &str) {
    let Some(kind) = cluster.state.catalogue().find(GROUP, VERSION, PLURAL) else { return };
    let Some(stored) = cluster.state.store.get(&kind.table, &Key::new(None, name)) else { return };
    let definition = stored.value();
    let finalizers = definition.pointer("/metadata/finalizers").and_then(Value::as_array).cloned();
    let others: Vec<Value> =
        finalizers.unwrap_or_default().into_iter().filter(|one| one != CLEANUP_FINALIZER).collect();
    let patch = Decoded { value: json!({"metadata": {"finalizers": others}}), duplicates: Vec::new() };
    let mut write = Write::internal(kind, None, None);
    let result =
        Box::pin(update::update(cluster, &mut write, name, Change::Patch(PatchType::Merge), patch)).await;
    if let Err(error) = result {
        warn!(definition = name, %error, "the cleanup finalizer could not be removed");
    }
}
