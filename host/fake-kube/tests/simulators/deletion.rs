//! What is deleted with other objects: dependents, and what is in a namespace.

use crate::{PATIENCE, create, namespace, only, until};
use fake_kube::FakeKube;
use fake_kube::k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace};
use fake_kube::kube::api::{DeleteParams, ListParams};
use fake_kube::kube::runtime::wait::conditions;
use fake_kube::kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::time::Duration;

/// ConfigMaps of two new namespaces, `victim` and `attacker`.
async fn two_namespaces(client: &Client) -> [Api<ConfigMap>; 2] {
    let [victim, attacker] = ["victim", "attacker"];
    namespace(client, victim).await;
    namespace(client, attacker).await;
    [victim, attacker].map(|name| Api::namespaced(client.clone(), name))
}

#[tokio::test]
async fn a_dependent_of_an_owner_in_another_namespace_is_deleted_and_warned_of() {
    let collector = only(|simulators| {
        simulators.garbage_collection = true;
        simulators.events = true;
    });
    let cluster = FakeKube::builder().simulators(collector).start().await.expect("a server");
    let client = cluster.client();
    let [victim, attacker] = two_namespaces(&client).await;
    let owner = create(&victim, json!({"metadata": {"name": "owner"}})).await;
    let uid = owner.uid().expect("a UID");
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": true,
        "blockOwnerDeletion": true,
    });
    let dependent = |name: &str| json!({"metadata": {"name": name, "ownerReferences": [reference]}});
    create(&victim, dependent("dependent")).await;
    let foreign = create(&attacker, dependent("dependent")).await;
    let foreign_uid = foreign.uid().expect("a UID");
    until(&attacker, "dependent", "deleted", conditions::is_deleted(&foreign_uid)).await;
    assert!(victim.get_opt("dependent").await.expect("an answer").is_some(), "the real dependent stays");

    let events: Api<Event> = Api::namespaced(client.clone(), "attacker");
    let warned = async {
        loop {
            let found = events.list(&ListParams::default()).await.expect("a list").items;
            let warning =
                found.iter().find(|event| event.reason.as_deref() == Some("OwnerRefInvalidNamespace"));
            if let Some(event) = warning {
                return event.message.clone().unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let message = tokio::time::timeout(PATIENCE, warned).await.expect("an Event");
    let expected = format!(
        "ownerRef [v1/ConfigMap, namespace: attacker, name: owner, uid: {uid}] does not exist in namespace \
         \"attacker\""
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn an_object_of_another_namespace_does_not_hold_up_the_deletion_of_its_owner() {
    let collector = only(|simulators| simulators.garbage_collection = true);
    let cluster = FakeKube::builder().simulators(collector).start().await.expect("a server");
    let client = cluster.client();
    let [victim, attacker] = two_namespaces(&client).await;
    let owner = create(&victim, json!({"metadata": {"name": "owner"}})).await;
    let uid = owner.uid().expect("a UID");
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": true,
    });
    create(
        &attacker,
        json!({"metadata": {
            "name": "dependent", "ownerReferences": [reference], "finalizers": ["example.org/stay"],
        }}),
    )
    .await;
    victim.delete("owner", &DeleteParams::foreground()).await.expect("accepted");
    until(&victim, "owner", "deleted", conditions::is_deleted(&uid)).await;
    assert!(attacker.get_opt("dependent").await.expect("an answer").is_some(), "its finalizer holds it");
}

#[tokio::test]
async fn a_reference_to_an_absent_owner_is_removed_when_another_owner_exists() {
    let collector = only(|simulators| simulators.garbage_collection = true);
    let cluster = FakeKube::builder().simulators(collector).start().await.expect("a server");
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    let reference =
        |name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid});
    let uid = owner.uid().expect("a UID");
    let owners = [reference("owner", &uid), reference("absent", "0")];
    create(&maps, json!({"metadata": {"name": "dependent", "ownerReferences": owners}})).await;
    let has_one_owner = move |map: Option<&ConfigMap>| {
        map.is_some_and(|map| map.owner_references().iter().map(|owner| &owner.uid).eq([&uid]))
    };
    until(&maps, "dependent", "owned by one object", has_one_owner).await;
}

#[tokio::test]
async fn a_namespace_is_emptied_before_it_is_deleted() {
    let emptying = only(|simulators| simulators.namespaces = true);
    let cluster = FakeKube::builder().simulators(emptying).start().await.expect("a server");
    let client = cluster.client();
    namespace(&client, "work").await;
    create::<ConfigMap>(&Api::namespaced(client.clone(), "work"), json!({"metadata": {"name": "a"}})).await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let uid = namespaces.get("work").await.expect("a namespace").uid().expect("a UID");
    namespaces.delete("work", &DeleteParams::default()).await.expect("accepted");
    until(&namespaces, "work", "deleted", conditions::is_deleted(&uid)).await;
    let left: Api<ConfigMap> = Api::all(client);
    assert!(
        left.list(&ListParams::default())
            .await
            .expect("a list")
            .items
            .iter()
            .all(|map| map.name_any() != "a")
    );
}
