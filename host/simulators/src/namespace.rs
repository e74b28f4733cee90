//! Deletion of namespaces: everything in them goes first.

use crate::tasks::{Error, again, done, retry, unless_gone};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::{Discovery, Scope, verbs};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::sync::Arc;

pub(crate) async fn run(client: Client) {
    Controller::new(Api::<Namespace>::all(client.clone()), watcher::Config::default())
        .run(reconcile, retry, Arc::new(client))
        .for_each(|_| async {})
        .await;
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
        return again();
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
