//! Simulated deletion of namespaces: their content is deleted first.

use crate::controller::{Error, done, drive, unless_gone};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::{Discovery, Scope, verbs};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub(crate) async fn run(client: Client) {
    let controller = Controller::new(Api::<Namespace>::all(client.clone()), watcher::Config::default());
    drive(controller, reconcile, client).await;
}

/// When to look again at a namespace whose content is being deleted: the longer it takes, the later.
fn next_look(namespace: &Namespace) -> Duration {
    let since = namespace.metadata.deletion_timestamp.as_ref();
    let waited = since.and_then(|time| Duration::try_from(Timestamp::now().duration_since(time.0)).ok());
    (waited.unwrap_or_default() / 4).clamp(Duration::from_millis(200), Duration::from_secs(15))
}

async fn reconcile(namespace: Arc<Namespace>, client: Arc<Client>) -> Result<Action, Error> {
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.clone()).unwrap_or_default();
    if namespace.metadata.deletion_timestamp.is_none()
        || !finalizers.iter().any(|finalizer| finalizer == "kubernetes")
    {
        return done();
    }
    let name = namespace.name_any();
    let mut left = 0;
    for group in Discovery::new((*client).clone()).run().await?.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            let deletable = capabilities.supports_operation(verbs::LIST)
                && capabilities.supports_operation(verbs::DELETE);
            if capabilities.scope != Scope::Namespaced || !deletable {
                continue;
            }
            let api: Api<DynamicObject> = Api::namespaced_with((*client).clone(), &name, &resource);
            let found = api.list_metadata(&ListParams::default()).await?;
            if found.items.is_empty() {
                continue;
            }
            unless_gone(api.delete_collection(&DeleteParams::background(), &ListParams::default()).await)?;
            left += api.list_metadata(&ListParams::default()).await?.items.len();
        }
    }
    if left > 0 {
        return Ok(Action::requeue(next_look(&namespace)));
    }
    let mut finalized = (*namespace).clone();
    finalized.metadata.managed_fields = None;
    if let Some(spec) = &mut finalized.spec {
        spec.finalizers.get_or_insert_default().retain(|finalizer| finalizer != "kubernetes");
    }
    let mut body = json!(finalized);
    body["apiVersion"] = "v1".into();
    body["kind"] = "Namespace".into();
    let api: Api<Namespace> = Api::all((*client).clone());
    unless_gone(api.replace_subresource("finalize", &name, &PostParams::default(), &body).await)?;
    done()
}
