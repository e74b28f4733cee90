//! The annotation by which objects consent to belong to a cache.

use crate::world::World;
use orascache_contract::{Failure, FailureReason, Kind, ObjectRef, Verb};
use serde_json::{Value, json};

const CONSENT: &str = "/metadata/annotations/cache.converged-computing.github.io~1cache";
const CLAIM: &str = "PersistentVolumeClaim/demo-data";

fn shared() -> Value {
    json!({
        "replicas": 2, "secrets": {"registryHttp": "x"},
        "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]},
    })
}

/// What `orascache render` prints.
fn rendered(spec: Value) -> Vec<Value> {
    let mut world = World::new(spec);
    world.cache["metadata"] = json!({"name": "demo", "namespace": "lab"});
    let plan = world.plan();
    let texts = plan.generate.iter().map(|generated| &generated.secret).chain(&plan.apply);
    texts.map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn every_printed_object_consents_and_has_nothing_that_changes_in_a_cluster() {
    for spec in [shared(), json!({"replicas": 2, "storage": {"existingClaim": "c"}}), json!({})] {
        let objects = rendered(spec);
        assert!(objects.len() >= 3);
        for object in objects {
            let annotations = &object["metadata"]["annotations"];
            assert_eq!(
                *annotations,
                json!({"cache.converged-computing.github.io/cache": "demo"}),
                "{object}"
            );
            assert!(object["metadata"].get("ownerReferences").is_none());
        }
    }
}

#[test]
fn children_consent_but_for_the_volume_claim() {
    let mut world = World::new(shared());
    world.settle();
    assert_eq!(world.children.len(), 7);
    for (name, child) in &world.children {
        assert_eq!(child.pointer(CONSENT).is_some(), name != CLAIM, "{name}");
    }
}

#[test]
fn children_of_an_older_version_get_the_annotation_without_a_restart() {
    let mut world = World::new(json!({"storage": {"size": "1Gi"}}));
    world.settle();
    for child in world.children.values_mut() {
        child["metadata"]["annotations"]
            .as_object_mut()
            .unwrap()
            .remove("cache.converged-computing.github.io/cache");
    }
    let plan = world.plan();
    assert_eq!((plan.apply.len(), plan.status), (3, None), "the cache stays ready");
    let template = world.children["StatefulSet/demo"]["spec"].clone();
    world.settle();
    assert_eq!(world.children["StatefulSet/demo"]["spec"], template);
    assert!(world.children["Service/demo"].pointer(CONSENT).is_some());
}

/// What of a printed object is left in a cluster where somebody applied it and the host adopted it.
fn adopted(mut object: Value, uid: &Value) -> Value {
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache", "name": "demo",
        "uid": uid, "controller": true, "blockOwnerDeletion": true,
    }]);
    object
}

#[test]
fn printed_objects_that_were_adopted_are_as_desired_but_for_their_stamps() {
    let mut world = World::new(json!({}));
    let uid = world.cache["metadata"]["uid"].clone();
    for object in rendered(json!({})) {
        world.put(adopted(object, &uid));
    }
    world.roll_out();
    let before = world.children.clone();
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
    assert_eq!(world.condition("Degraded")["status"], "False");
    for (name, child) in &world.children {
        assert_eq!(child["spec"], before[name]["spec"], "{name}");
    }
}

/// The claim without its owner, as the host shows related claims.
fn detach_claim(world: &mut World, annotations: Value) {
    let mut claim = world.children.remove(CLAIM).unwrap();
    claim["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    claim["metadata"]["annotations"] = annotations;
    world.related = vec![claim];
}

#[test]
fn a_volume_claim_without_owner_is_taken_back_only_if_it_asks_for_it() {
    let mut world = World::new(json!({"storage": {"size": "1Gi"}}));
    world.settle();
    let planned = |world: &World| -> Value {
        let apply = world.plan().apply;
        let claim = apply.iter().find(|object| object.contains("PersistentVolumeClaim")).expect("a claim");
        serde_json::from_str(claim).unwrap()
    };
    for (annotations, offers) in [
        (json!({}), false),
        (json!({"cache.converged-computing.github.io/cache": "demo-2"}), false),
        (json!({"cache.converged-computing.github.io/cache": "demo"}), true),
    ] {
        let mut world = world.clone();
        detach_claim(&mut world, annotations.clone());
        assert_eq!(planned(&world).pointer(CONSENT).is_some(), offers, "{annotations}");
    }
    // The data of the claim is worth more than the cache: nothing says that it should be deleted.
    detach_claim(&mut world, json!({}));
    let kind = Kind::namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    world.failures.push(Failure {
        target: ObjectRef { kind, namespace: Some("lab".into()), name: "demo-data".into(), uid: None },
        verb: Verb::Apply,
        code: 409,
        reason: FailureReason::NotControlled,
        message: "It exists.".into(),
    });
    let status: Value = serde_json::from_str(&world.plan().status.unwrap()).unwrap();
    let degraded = &status["status"]["conditions"][2];
    assert_eq!(degraded["reason"], "NameTaken");
    assert_eq!(
        degraded["message"],
        "PersistentVolumeClaim demo-data exists and does not belong to this cache: it does not follow spec.storage, and it stays when the cache is deleted. Name it in spec.storage.existingClaim to use it as it is. If nothing controls it, the annotation cache.converged-computing.github.io/cache: demo gives it to the cache."
    );
}

#[test]
fn a_write_that_the_api_server_finds_invalid_says_how_to_go_on() {
    for (spec, says) in [
        (
            json!({}),
            "That restarts the registry, which loses its artifacts, because spec.storage is not set.",
        ),
        (json!({"storage": {"size": "1Gi"}}), "That restarts the registry."),
    ] {
        let mut world = World::new(spec);
        world.settle();
        let kind = Kind::namespaced("apps/v1", "StatefulSet", "statefulsets");
        world.failures.push(Failure {
            target: ObjectRef { kind, namespace: Some("lab".into()), name: "demo".into(), uid: None },
            verb: Verb::Apply,
            code: 422,
            reason: FailureReason::Invalid,
            message: "spec: Forbidden: updates to selector are forbidden".into(),
        });
        world.settle();
        assert_eq!(world.condition("Degraded")["reason"], "ApplyFailed");
        let expected = format!(
            "StatefulSet demo: apply failed (422 Invalid): spec: Forbidden: updates to selector are forbidden. If this names a field that Kubernetes cannot change, delete StatefulSet demo: the operator makes it again. {says}"
        );
        assert_eq!(world.condition("Degraded")["message"], expected);
    }
}
