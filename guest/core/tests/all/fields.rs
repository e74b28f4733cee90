//! What fields of a spec do to a live cache, where a comparison with a fresh one does not show it.

use crate::reviewing::{decided, wrap};
use crate::world::World;
use orascache_contract::{Context, Kind, Outcome};
use orascache_core::admission;
use serde_json::{Value, json};

const SERVICE: &str = "Service/demo-registry";
const BUDGET: &str = "PodDisruptionBudget/demo-registry";
const MONITOR: &str = "ServiceMonitor/demo-registry";

fn shared(replicas: i64) -> Value {
    json!({"replicas": replicas, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}})
}

fn settled(spec: Value) -> World {
    let mut world = World::new(spec);
    world.settle();
    world
}

fn step() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "step", "namespace": "lab", "annotations": {
            "oras.converged-computing.github.io/oras-cache": "demo",
            "oras.converged-computing.github.io/input-uri": "a:1",
        }},
        "spec": {"containers": [{"name": "app", "image": "busybox", "command": ["true"]}]},
    })
}

/// The registry to which admission sends a step of the cache.
fn registry_of_step(world: &World) -> String {
    let context = Context { objects: vec![world.cache.to_string()], complete: true, ..Context::default() };
    let response = decided(admission::review(&wrap(&step(), None), &context).unwrap());
    let patch = response.patch().expect("a patch");
    let flag = "--registry=http://";
    let start = patch.find(flag).expect(flag) + flag.len();
    patch[start..].split('"').next().unwrap().to_owned()
}

#[test]
fn steps_are_sent_to_the_endpoint_that_the_status_says() {
    for (spec, endpoint) in [
        (json!({}), "demo-0.demo.lab.svc:5000"),
        (shared(1), "demo-0.demo.lab.svc:5000"),
        (shared(2), "demo-registry.lab.svc:5000"),
        (json!({"service": {}}), "demo-registry.lab.svc:5000"),
        (json!({"service": {"port": 80}}), "demo-registry.lab.svc:80"),
    ] {
        let world = settled(spec.clone());
        assert_eq!(world.cache["status"]["endpoint"], endpoint, "{spec}");
        assert_eq!(registry_of_step(&world), endpoint, "{spec}");
    }
}

#[test]
fn the_first_pod_keeps_its_name_where_clients_are_spread() {
    let world = settled(shared(3));
    let headless = &world.children["Service/demo"]["spec"];
    assert_eq!((&headless["clusterIP"], &headless["ports"][0]["port"]), (&json!("None"), &json!(5000)));
    assert_eq!(world.children["StatefulSet/demo"]["spec"]["serviceName"], "demo");
    assert_ne!(world.children[SERVICE]["spec"]["clusterIP"], "None");
}

#[test]
fn a_service_to_which_steps_were_sent_stays_and_is_closed_to_the_outside() {
    let mut world = settled(json!({"service": {"type": "NodePort", "nodePort": 30500, "port": 80}}));
    assert_eq!(world.children[SERVICE]["spec"]["type"], "NodePort");
    world.edit(|spec| *spec = json!({}));
    world.settle();
    let service = &world.children[SERVICE]["spec"];
    assert_eq!(service["type"], "ClusterIP");
    assert_eq!(service["ports"][0].get("nodePort"), None);
    assert_eq!(world.cache["status"]["endpoint"], "demo-0.demo.lab.svc:5000");
    world.edit(|spec| *spec = json!({"deploy": false}));
    world.settle();
    assert!(world.children.is_empty(), "{:?}", world.children.keys());
}

#[test]
fn several_pods_have_a_disruption_budget_and_a_single_one_has_none() {
    let mut world = settled(shared(1));
    assert!(!world.children.contains_key(BUDGET));
    world.edit(|spec| spec["replicas"] = 2.into());
    world.settle();
    assert_eq!(world.children[BUDGET]["spec"]["maxUnavailable"], 1);
    world.edit(|spec| spec["replicas"] = 1.into());
    world.settle();
    assert!(!world.children.contains_key(BUDGET));
}

#[test]
fn a_cluster_without_service_monitors_is_told_of_and_the_registry_works() {
    let mut world = World::new(json!({"metrics": {"allowedNamespaces": ["a"], "serviceMonitor": {}}}));
    world.absent = vec![Kind::namespaced("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors")];
    world.settle();
    assert!(!world.children.contains_key(MONITOR));
    assert_eq!(world.condition("Degraded")["reason"], "ServiceMonitorUnavailable");
    assert_eq!(world.condition("Ready")["status"], "True");
    // The kind is installed later.
    world.absent.clear();
    world.settle();
    assert!(world.children.contains_key(MONITOR));
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn nothing_of_a_suspended_cache_is_changed() {
    let mut world = settled(json!({}));
    world.edit(|spec| *spec = json!({"suspend": true, "image": "registry:3"}));
    world.children.get_mut("StatefulSet/demo").unwrap()["spec"]["template"]["spec"]["containers"][0]["image"] =
        "by-hand".into();
    world.children.remove("Service/demo");
    world.children.get_mut("StatefulSet/demo").unwrap()["spec"]["replicas"] = 2.into();
    let before = world.children.clone();
    for _ in 0..3 {
        let plan = world.plan();
        assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.generate.is_empty(), "{plan:?}");
        world.execute(&plan);
    }
    assert_eq!(world.children, before);
    let progressing = world.condition("Progressing");
    assert_eq!((&progressing["status"], &progressing["reason"]), (&json!("False"), &json!("Suspended")));
    // Its pods serve as they are.
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
    world.edit(|spec| *spec = json!({"suspend": true, "deploy": false}));
    world.settle();
    assert!(world.children.contains_key("StatefulSet/demo"), "a suspended cache keeps its registry");
    world.edit(|spec| *spec = json!({"image": "registry:3"}));
    world.settle();
    assert_eq!(
        world.children["StatefulSet/demo"]["spec"]["template"]["spec"]["containers"][0]["image"],
        "registry:3"
    );
    assert!(world.children.contains_key("Service/demo"));
}

#[test]
fn a_suspended_cache_that_is_new_is_not_ready_and_gets_nothing() {
    let world = settled(json!({"suspend": true, "replicas": 2, "storage": {"existingClaim": "c"}}));
    assert!(world.children.is_empty(), "{:?}", world.children.keys());
    let ready = world.condition("Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("Suspended")));
}

#[test]
fn a_cache_is_scaled_to_zero_and_back() {
    let mut world = settled(shared(2));
    let selector = "app.kubernetes.io/name=orascache,app.kubernetes.io/instance=demo,app.kubernetes.io/component=registry";
    assert_eq!(world.cache["status"]["selector"], selector);
    world.edit(|spec| spec["replicas"] = 0.into());
    world.settle();
    let ready = world.condition("Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("ScaledToZero")));
    assert_eq!(world.condition("Progressing")["status"], "False");
    assert_eq!(world.condition("Degraded")["status"], "False");
    assert!(world.children.contains_key("StatefulSet/demo"));
    assert!(world.children.contains_key("PersistentVolumeClaim/demo-data"));
    world.edit(|spec| spec["replicas"] = 2.into());
    world.settle();
    assert_eq!(world.condition("Ready")["reason"], "RegistryReady");
}

const CLAIM: &str = "PersistentVolumeClaim/demo-data";

fn retained(size: &str) -> Value {
    json!({"storage": {"size": size, "whenDeleted": "Retain"}})
}

#[test]
fn a_claim_that_is_to_outlive_its_cache_is_released_and_still_grows() {
    let mut world = settled(retained("1Gi"));
    let metadata = &world.children[CLAIM]["metadata"];
    assert_eq!(metadata["ownerReferences"], json!([]));
    assert_eq!(
        metadata["annotations"]["cache.converged-computing.github.io/retained"],
        world.cache["metadata"]["uid"]
    );
    assert_eq!(world.condition("Degraded")["status"], "False");
    world.edit(|spec| *spec = retained("2Gi"));
    world.settle();
    assert_eq!(world.children[CLAIM]["spec"]["resources"]["requests"]["storage"], "2Gi");
    assert_eq!(world.children[CLAIM]["metadata"]["ownerReferences"], json!([]));
    // It is held to the same limits as a child.
    world.settings = r#"{"maximumStorage":"3Gi"}"#.to_owned();
    world.edit(|spec| *spec = retained("4Gi"));
    world.settle();
    assert_eq!(world.children[CLAIM]["spec"]["resources"]["requests"]["storage"], "2Gi");
    assert_eq!(world.condition("Degraded")["reason"], "StorageNotAllowed");
    // It outlives its registry too.
    world.edit(|spec| {
        *spec = retained("2Gi");
        spec["deploy"] = false.into();
    });
    world.settle();
    assert_eq!(world.children.keys().collect::<Vec<_>>(), [CLAIM]);
}

#[test]
fn a_retained_claim_is_taken_up_by_a_new_cache_that_retains_it_and_by_no_other() {
    let mut old = settled(retained("1Gi"));
    let claim = old.children.remove(CLAIM).unwrap();
    let mut world = World::new(retained("1Gi"));
    world.cache["metadata"]["uid"] = "99999999-2222-3333-4444-555555555555".into();
    world.children.insert(CLAIM.to_owned(), claim.clone());
    world.settle();
    assert_eq!(world.children[CLAIM]["metadata"]["ownerReferences"], json!([]));
    assert_eq!(world.condition("Ready")["status"], "True");

    // With Delete, the claim of another cache would be deleted with this one.
    let mut world = World::new(json!({"storage": {"size": "1Gi"}}));
    world.cache["metadata"]["uid"] = "99999999-2222-3333-4444-555555555555".into();
    world.children.insert(CLAIM.to_owned(), claim);
    let plan = world.plan();
    assert!(plan.patch.is_empty());
    let applied = plan.apply.iter().find(|object| object.contains("PersistentVolumeClaim")).unwrap();
    let applied: Value = serde_json::from_str(applied).unwrap();
    let consent = &applied["metadata"]["annotations"]["cache.converged-computing.github.io/cache"];
    assert!(consent.is_null(), "without consent the host takes nothing over: {consent}");
}

/// The review of a deletion.
fn deletion(spec: &Value) -> (bool, Vec<String>) {
    let old = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab"}, "spec": spec,
    });
    let review = json!({"request": {
        "uid": "u", "operation": "DELETE", "namespace": "lab", "name": "demo",
        "kind": {"group": "cache.converged-computing.github.io", "version": "v1alpha1", "kind": "OrasCache"},
        "object": null, "oldObject": old,
    }});
    match admission::review(&review.to_string(), &Context::<String>::default()).unwrap() {
        Outcome::Decided(response) => (response.is_allowed(), response.warnings),
        Outcome::Need(needs) => panic!("needs {needs:?}"),
    }
}

#[test]
fn the_deletion_of_a_cache_warns_of_the_claim_that_goes_with_it() {
    let (allowed, warnings) = deletion(&json!({"storage": {"size": "1Gi"}}));
    assert!(allowed);
    assert!(warnings[0].starts_with("claim demo-data is deleted with this cache"), "{warnings:?}");
    for spec in [
        json!({}),
        json!({"storage": {"size": "1Gi", "whenDeleted": "Retain"}}),
        json!({"storage": {"existingClaim": "c"}}),
        json!({"storage": 3}),
        json!(3),
    ] {
        assert_eq!(deletion(&spec), (true, Vec::new()), "{spec}");
    }
}
