//! Settings of an administrator in the reconciler.

use crate::world::World;
use orascache_core::reconcile;
use serde_json::{Value, json};

fn storage_of(size: &str) -> Value {
    json!({"storage": {"size": size}})
}

#[test]
fn nothing_is_made_for_a_cache_that_is_larger_than_allowed() {
    let mut world = World::new(storage_of("20Gi"));
    world.settings = r#"{"maximumStorage":"10Gi"}"#.to_owned();
    world.settle();
    assert!(world.children.is_empty(), "{:?}", world.children.keys());
    assert_eq!(world.condition("Ready")["reason"], "StorageNotAllowed");
    assert_eq!(
        world.condition("Ready")["message"],
        "spec.storage.size is 20Gi, but the administrator allows at most 10Gi. Set it to at most 10Gi."
    );
    world.edit(|spec| *spec = storage_of("10Gi"));
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
}

#[test]
fn a_claim_does_not_grow_beyond_what_is_allowed_and_stays() {
    let mut world = World::new(storage_of("20Gi"));
    world.settle();
    world.settings = r#"{"maximumStorage":"10Gi"}"#.to_owned();
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False", "a claim that was larger before is accepted");
    world.edit(|spec| *spec = storage_of("30Gi"));
    world.settle();
    let requests = &world.children["PersistentVolumeClaim/demo-data"]["spec"]["resources"]["requests"];
    assert_eq!(requests["storage"], "20Gi");
    assert_eq!(world.condition("Degraded")["reason"], "StorageNotAllowed");
    assert_eq!(world.condition("Ready")["status"], "True", "the registry still runs");
    assert!(world.children.contains_key("StatefulSet/demo"));
    // The other limit is told too.
    world.edit(|spec| *spec = storage_of("5Gi"));
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "StorageUnchangeable");
}

#[test]
fn a_cache_without_registry_needs_no_storage() {
    let mut world = World::new(json!({"deploy": false, "storage": {"size": "20Gi"}}));
    world.settings = r#"{"maximumStorage":"10Gi"}"#.to_owned();
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn the_endpoint_carries_the_domain_that_the_settings_give() {
    let mut world = World::new(json!({}));
    world.settings = r#"{"clusterDomain":"cluster.example"}"#.to_owned();
    world.settle();
    assert_eq!(world.cache["status"]["endpoint"], "demo-0.demo.lab.svc.cluster.example:5000");
}

#[test]
fn settings_that_cannot_be_used_are_an_error() {
    let mut world = World::new(json!({}));
    world.settings = r#"{"maximumStorage":"much"}"#.to_owned();
    let error = reconcile(&world.observed()).expect_err("unusable settings").to_string();
    assert_eq!(error, "settings.maximumStorage is not a size: write one like 100Gi");
}
