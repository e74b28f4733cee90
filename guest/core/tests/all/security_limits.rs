//! Limits of an administrator hold in the reconciler, which nobody can keep from seeing a cache: the
//! webhook may have been down, or denied by others, when the cache was stored. And what other
//! namespaces write decides nothing.

use crate::world;
use crate::world::World;
use orascache_core::reconcile;
use serde_json::{Value, json};

const SET: &str = "StatefulSet/demo";
const CLAIM: &str = "PersistentVolumeClaim/demo-data";

fn with_settings(spec: Value, settings: Value) -> World {
    let mut world = World::new(spec);
    world.settings = settings.to_string();
    world
}

#[test]
fn an_oversized_cache_gets_no_claim_and_no_pods() {
    for size in ["900Ti", "1.5Gi", "1e10", "2147483648"] {
        let mut world = with_settings(json!({"storage": {"size": size}}), json!({"maximumStorage": "1Gi"}));
        world.settle();
        assert!(world.children.is_empty(), "{size}: {:?}", world.children.keys());
        assert_eq!(world.condition("Ready")["reason"], "StorageNotAllowed");
        assert_eq!(world.condition("Degraded")["reason"], "StorageNotAllowed");
    }
}

#[test]
fn a_claim_stays_and_does_not_grow_beyond_the_limit() {
    let mut world = World::new(json!({"storage": {"size": "20Gi"}}));
    world.settle();
    let claim = world.children[CLAIM].clone();
    world.settings = json!({"maximumStorage": "10Gi"}).to_string();
    world.edit(|spec| spec["storage"]["size"] = "900Ti".into());
    world.settle();
    assert_eq!(world.children[CLAIM], claim);
    assert_eq!(world.condition("Degraded")["reason"], "StorageNotAllowed");
    assert_eq!(world.condition("Ready")["status"], "True");
    // Within the limit it grows.
    world.settings = json!({"maximumStorage": "30Gi"}).to_string();
    world.edit(|spec| spec["storage"]["size"] = "30Gi".into());
    world.settle();
    assert_eq!(world.children[CLAIM]["spec"]["resources"]["requests"]["storage"], "30Gi");
}

#[test]
fn a_claim_whose_size_cannot_be_read_does_not_grow() {
    let mut world = World::new(json!({"storage": {"size": "20Gi"}}));
    world.settle();
    world.settings = json!({"maximumStorage": "10Gi"}).to_string();
    for spec in [json!({}), json!({"resources": {"requests": {"storage": "much"}}}), json!(null)] {
        world.children.get_mut(CLAIM).unwrap()["spec"] = spec;
        let applied = world.plan().apply;
        assert!(!applied.iter().any(|object| object.contains("PersistentVolumeClaim")), "{applied:?}");
    }
}

#[test]
fn unusable_settings_are_an_error_that_names_each_problem() {
    let world = with_settings(
        json!({}),
        json!({"maximumStorage": "much", "allowedImages": ["ghcr.io/*"], "operatorNamespace": 1}),
    );
    let error = reconcile(&world.observed()).unwrap_err().to_string();
    assert_eq!(
        error.split("; ").collect::<Vec<_>>(),
        // The order of members in the settings.
        [
            "settings.allowedImages[0] is not an image or the beginning of one that ends with '/', ':' or '@': write one like registry.example.org/team/",
            "settings.maximumStorage is not a size: write one like 100Gi",
            "settings.operatorNamespace must be a string, not a number",
        ]
    );
}

#[test]
fn nothing_is_made_for_an_image_that_is_not_allowed() {
    let settings = json!({"allowedImages": ["ghcr.io/oras-project/registry", "mirror.lab/"]});
    let mut world = with_settings(json!({"image": "evil.example/miner:1"}), settings);
    world.settle();
    assert!(world.children.is_empty(), "{:?}", world.children.keys());
    assert_eq!(world.condition("Ready")["reason"], "ImageNotAllowed");
    assert_eq!(
        world.condition("Degraded")["message"],
        "spec.image is evil.example/miner:1, which the administrator does not allow: write one of ghcr.io/oras-project/registry, mirror.lab/."
    );
    world.edit(|spec| spec["image"] = "mirror.lab/registry:3".into());
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
}

#[test]
fn the_default_image_must_be_allowed_too() {
    let mut world = with_settings(json!({}), json!({"allowedImages": []}));
    world.settle();
    assert!(world.children.is_empty());
    assert_eq!(
        world.condition("Ready")["message"],
        "spec.image is ghcr.io/oras-project/registry:latest, which the administrator does not allow: set spec.deploy to false, or ask for a setting allowedImages that is not empty."
    );
    let mut world = with_settings(json!({}), json!({"allowedImages": ["ghcr.io/oras-project/registry"]}));
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
}

#[test]
fn what_runs_goes_on_when_its_image_is_no_longer_allowed() {
    let mut world = World::new(json!({"image": "registry:3"}));
    world.settle();
    let children = world.children.clone();
    world.settings = json!({"allowedImages": ["mirror.lab/"]}).to_string();
    world.settle();
    assert_eq!(world.children, children);
    assert_eq!(world.condition("Ready")["reason"], "ImageNotAllowed");
    // Nothing of it changes.
    world.edit(|spec| spec["resources"] = json!({"requests": {"cpu": "2"}}));
    world.settle();
    assert_eq!(world.children, children);
    // It can be removed.
    world.edit(|spec| spec["deploy"] = false.into());
    world.settle();
    assert!(world.children.is_empty());
    assert_eq!(world.condition("Ready")["reason"], "RegistryNotDeployed");
}

#[test]
fn a_child_in_another_namespace_is_not_ours() {
    let mut world = World::new(json!({}));
    world.settle();
    let foreign = |world: &mut World| {
        let mut copy = world.children[SET].clone();
        copy["metadata"]["namespace"] = "attacker".into();
        copy["metadata"]["uid"] = "foreign".into();
        copy
    };
    let copy = foreign(&mut world);
    // The copy does not count as the child that is missing.
    world.children.insert(SET.to_owned(), copy.clone());
    let plan = world.plan();
    assert_eq!(plan.apply.len(), 1, "the StatefulSet is made again");
    let status: Value = serde_json::from_str(&plan.status.unwrap()).unwrap();
    assert_eq!(status["status"]["readyReplicas"], 0);
    // And it is not deleted.
    world.cache["spec"]["deploy"] = false.into();
    let deleted = world.plan().delete;
    assert!(deleted.iter().all(|target| target.uid.as_deref() != Some("foreign")), "{deleted:?}");
}

#[test]
fn a_child_with_another_controller_is_not_ours() {
    for owners in [
        json!([]),
        json!([{"uid": "someone", "controller": true}]),
        json!([{"uid": "11111111-2222-3333-4444-555555555555", "controller": false}]),
        json!([{"uid": "11111111-2222-3333-4444-555555555555"}]),
    ] {
        let mut world = World::new(json!({}));
        world.settle();
        world.children.get_mut(SET).unwrap()["metadata"]["ownerReferences"] = owners.clone();
        assert_eq!(world.plan().apply.len(), 1, "{owners}");
        world.cache["spec"]["deploy"] = false.into();
        assert!(world.plan().delete.iter().all(|target| target.kind.kind != "StatefulSet"), "{owners}");
    }
}

#[test]
fn related_objects_of_another_namespace_do_not_count() {
    let mut world = World::new(json!({"secret": "mysecret"}));
    let mut secret = world::secret("mysecret");
    secret["metadata"]["namespace"] = "attacker".into();
    world.related.push(secret);
    world.start();
    assert_eq!(world.condition("Ready")["reason"], "SecretNotFound");
}
