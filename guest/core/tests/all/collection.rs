//! The garbage collection of a distribution registry: what its pods, its NetworkPolicy and the pods
//! of retention get for it.

use crate::world::World;
use serde_json::{Value, json};

const SECRET: &str = "Secret/demo-collection";

fn settled(spec: Value) -> World {
    let mut world = World::new(spec);
    world.settle();
    world
}

fn pod(world: &World) -> &Value {
    &world.children["StatefulSet/demo"]["spec"]["template"]["spec"]
}

fn is_supervised(world: &World) -> bool {
    let supervised = pod(world)["containers"][0].get("command").is_some();
    assert_eq!(pod(world).get("initContainers").is_some(), supervised);
    assert_eq!(world.children.contains_key(SECRET), supervised);
    supervised
}

#[test]
fn the_agent_stands_in_front_of_the_registry_of_the_image() {
    let world = settled(json!({"retention": {"keepTags": 5}}));
    assert!(is_supervised(&world));
    let container = &pod(&world)["containers"][0];
    let words = ["/orascache/orascache-agent", "supervise-registry", "--key=/etc/orascache/collection/key"];
    assert_eq!(container["command"], json!(words));
    assert_eq!(container.get("args"), None, "the registry finds its configuration in the image");
    let install = &pod(&world)["initContainers"][0];
    assert_eq!(install["command"], json!(["orascache-agent", "install", "/orascache"]));
    assert!(install["image"].as_str().unwrap().starts_with("ghcr.io/converged-computing/orascache:"));
}

#[test]
fn nothing_is_collected_unless_one_pod_of_distribution_deletes() {
    let shared = json!({"size": "1Gi", "accessModes": ["ReadWriteMany"]});
    for spec in [
        json!({}),
        json!({"delete": true}),
        json!({"retention": {"keepTags": 5, "garbageCollection": false}}),
        json!({"retention": {"keepTags": 5}, "replicas": 2, "storage": shared}),
        json!({"retention": {"keepTags": 5}, "flavor": "zot"}),
    ] {
        let world = settled(spec.clone());
        assert!(!is_supervised(&world), "{spec}");
        let policy = world.children["NetworkPolicy/demo"].to_string();
        assert!(!policy.contains("5002"), "{spec}: {policy}");
        let jobs: Vec<_> = world.children.values().filter(|child| child["kind"] == "CronJob").collect();
        assert!(!json!(jobs).to_string().contains("collection"), "{spec}");
    }
}

#[test]
fn the_key_is_made_once_and_goes_with_retention() {
    let mut world = World::new(json!({"retention": {"keepTags": 5}}));
    let plan = world.plan();
    let [generated] = &plan.generate[..] else { panic!("{:?}", plan.generate) };
    assert!(format!("{:?}", generated.recipe).contains("bytes: 32"), "{:?}", generated.recipe);
    world.settle();
    assert!(world.plan().generate.is_empty());
    world.edit(|spec| spec["retention"]["garbageCollection"] = false.into());
    world.settle();
    assert!(!is_supervised(&world));
    world.edit(|spec| spec["retention"]["garbageCollection"] = true.into());
    world.settle();
    assert!(is_supervised(&world));
    world.edit(|spec| spec["deploy"] = false.into());
    world.settle();
    assert!(!world.children.contains_key(SECRET), "there is no registry");
}

#[test]
fn security_only_the_pods_of_retention_reach_the_port_and_have_the_key() {
    let mut world = World::new(json!({
        "retention": {"keepTags": 5},
        "seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}]},
        "export": {"destination": "registry.example.org/lab"},
    }));
    world.settle();
    let ingress = world.children["NetworkPolicy/demo"]["spec"]["ingress"].as_array().unwrap();
    let [rule] = &ingress.iter().filter(|rule| rule["ports"][0]["port"] == 5002).collect::<Vec<_>>()[..]
    else {
        panic!("{ingress:?}")
    };
    let labels = json!({
        "app.kubernetes.io/name": "orascache", "app.kubernetes.io/instance": "demo",
        "app.kubernetes.io/component": "retention",
    });
    assert_eq!(rule["from"], json!([{"podSelector": {"matchLabels": labels}}]));
    let users = |text: &str| {
        let with = |child: &&Value| child["spec"].to_string().contains(text);
        let named: Vec<_> =
            world.children.values().filter(with).map(|child| child["metadata"]["name"].clone()).collect();
        json!(named)
    };
    assert_eq!(users("\"demo-collection\""), json!(["demo-retention", "demo"]));
    let template = &world.children["CronJob/demo-retention"]["spec"]["jobTemplate"]["spec"]["template"];
    let has = template["metadata"]["labels"].as_object().unwrap();
    assert!(labels.as_object().unwrap().iter().all(|(key, value)| has.get(key) == Some(value)));
}

#[test]
fn security_the_added_container_is_restricted() {
    let world = settled(json!({"retention": {"keepTags": 5}, "resources": {"limits": {"memory": "1Gi"}}}));
    let install = &pod(&world)["initContainers"][0];
    let wanted = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true,
    });
    assert_eq!(install["securityContext"], wanted);
    // A quota asks every container for its resources.
    assert_eq!(install["resources"], pod(&world)["containers"][0]["resources"]);
    let mounts = pod(&world)["containers"][0]["volumeMounts"].as_array().unwrap();
    let writable = mounts.iter().filter(|mount| mount.get("readOnly").is_none());
    assert_eq!(writable.map(|mount| mount["name"].clone()).collect::<Vec<_>>(), [json!("data")]);
}
