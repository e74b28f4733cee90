//! Waits until a controller has nothing left to do: for tests.

use crate::cache::Listed;
use crate::decoded::DecodedMetadata;
use crate::object::{Key, revision};
use crate::requests::{api_resource, has_code};
use crate::scope::Scope;
use crate::watches::Watch;
use crate::worker::Shared;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use std::sync::Arc;
use tokio::sync::watch;

use crate::activity::Activity;

/// Lists every scope, waits until the cache has what was listed and nothing is queued or running,
/// and does so again until no primary was worked on meanwhile.
pub(crate) async fn wait(
    shared: &Shared,
    activity: &Activity,
    settings_seen: &watch::Receiver<Arc<str>>,
    client: &Client,
) -> Result<(), kube::Error> {
    let mut ends = activity.subscribe();
    let mut settings_seen = settings_seen.clone();
    loop {
        let taken = shared.queue.taken();
        let mut lists = Vec::new();
        for scope in shared.cache.scopes() {
            let Some(watch) = shared.cache.watches().get(scope.kind) else { continue };
            lists.push((scope, list(watch, scope, client).await?));
        }
        // An error means that the settings cannot change any more.
        let _ = settings_seen.wait_for(|seen| Arc::ptr_eq(seen, &shared.settings.borrow())).await;
        loop {
            ends.mark_unchanged();
            let caught_up = lists.iter().all(|(scope, list)| has_caught_up(shared, scope, list.as_ref()));
            // The queue is checked last, because a task may queue a primary just before it ends.
            if caught_up && !shared.is_resuming() && !activity.is_running() && shared.queue.is_idle() {
                break;
            }
            // The controller keeps the sender, so that waiting cannot fail.
            let _ = ends.changed().await;
        }
        if shared.queue.taken() == taken {
            return Ok(());
        }
    }
}

fn has_caught_up(shared: &Shared, scope: &Scope, list: Option<&Listed>) -> bool {
    match list {
        Some(list) => shared.cache.has_caught_up(scope, list),
        None => {
            let is_optional = shared.cache.watches().get(scope.kind).is_some_and(|watch| watch.optional);
            !is_optional || shared.cache.is_absent(scope)
        }
    }
}

/// The objects of a scope; `None` when the API server does not have the kind, or refuses to list
/// it.
async fn list(watch: &Watch, scope: &Scope, client: &Client) -> Result<Option<Listed>, kube::Error> {
    let resource = api_resource(&watch.kind);
    let api: Api<DecodedMetadata> = match scope.namespace.as_deref() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let parameters = ListParams::default().labels(&watch.label_selector);
    let found = match api.list(&parameters).await {
        Ok(found) => found,
        Err(error) if has_code(&error, &[403, 404]) => return Ok(None),
        Err(error) => return Err(error),
    };
    let objects = found.items.iter().map(|object| {
        let metadata = object.meta();
        let key = Key::new(&object.namespace().unwrap_or_default(), &object.name_any());
        let uid = metadata.uid.clone().unwrap_or_default().into_boxed_str();
        (key, uid, revision(metadata.resource_version.as_deref().unwrap_or_default()))
    });
    Ok(Some(Listed::new(found.metadata.resource_version.as_deref().unwrap_or_default(), objects)))
}
