//! Who reaches a registry, and what they may do there.

mod world;

use orascache_core::reconcile;
use serde_json::{Value, json};
use world::World;

const POLICY: &str = "NetworkPolicy/demo";

fn kinds(world: &World) -> Vec<String> {
    let kind =
        |text: &String| serde_json::from_str::<Value>(text).unwrap()["kind"].as_str().unwrap().to_owned();
    world.plan().apply.iter().map(kind).collect()
}

#[test]
fn the_policy_is_made_before_the_pods() {
    let world = World::new(json!({"storage": {"size": "1Gi"}}));
    assert_eq!(kinds(&world), ["NetworkPolicy", "PersistentVolumeClaim", "Service", "StatefulSet"]);
}

#[test]
fn the_policy_admits_the_own_namespace_the_operator_and_who_is_listed() {
    let mut world = World::new(json!({"networkPolicy": {"allowedNamespaces": ["flow", "lab-2"]}}));
    world.settle();
    insta::assert_yaml_snapshot!(world.children[POLICY]["spec"], @r"
    ingress:
      - from:
          - podSelector: {}
          - namespaceSelector:
              matchExpressions:
                - key: kubernetes.io/metadata.name
                  operator: In
                  values:
                    - orascache-system
          - namespaceSelector:
              matchExpressions:
                - key: kubernetes.io/metadata.name
                  operator: In
                  values:
                    - flow
                    - lab-2
        ports:
          - port: 5000
            protocol: TCP
    podSelector:
      matchLabels:
        app.kubernetes.io/component: registry
        app.kubernetes.io/instance: demo
        app.kubernetes.io/name: orascache
    policyTypes:
      - Ingress
    ");
    let metadata = &world.children[POLICY]["metadata"];
    assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "orascache");
    assert_eq!(metadata["ownerReferences"][0]["controller"], true);
    // The policy selects the pods that are made.
    let pods = &world.children["StatefulSet/demo"]["spec"]["template"]["metadata"]["labels"];
    for (name, value) in world.children[POLICY]["spec"]["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(pods[name], *value);
    }
}

#[test]
fn the_settings_name_the_namespace_of_the_operator() {
    let mut world = World::new(json!({}));
    world.settings = r#"{"operatorNamespace":"ops"}"#.to_owned();
    world.settle();
    let peers = &world.children[POLICY]["spec"]["ingress"][0]["from"];
    assert_eq!(peers.as_array().unwrap().len(), 2);
    assert_eq!(peers[1]["namespaceSelector"]["matchExpressions"][0]["values"], json!(["ops"]));
    world.settings = r#"{"operatorNamespace":"Ops"}"#.to_owned();
    assert_eq!(
        reconcile(&world.observed()).unwrap_err().to_string(),
        "settings.operatorNamespace is not the name of a namespace: write one like orascache-system"
    );
}

#[test]
fn a_cache_that_wants_no_policy_loses_it() {
    let mut world = World::new(json!({}));
    world.settle();
    world.edit(|spec| spec["networkPolicy"] = json!({"enabled": false}));
    world.settle();
    assert!(!world.children.contains_key(POLICY));
    assert_eq!(world.condition("Ready")["status"], "True");
    world.edit(|spec| spec["networkPolicy"] = json!({}));
    world.settle();
    assert!(world.children.contains_key(POLICY));
}

#[test]
fn a_cache_without_registry_has_no_policy() {
    let mut world = World::new(json!({"deploy": false}));
    world.settle();
    assert!(world.children.is_empty());
    let mut world = World::new(json!({}));
    world.settle();
    world.edit(|spec| spec["deploy"] = false.into());
    let order: Vec<_> = world.plan().delete.iter().map(|target| target.kind.kind.to_string()).collect();
    assert_eq!(order, ["StatefulSet", "Service", "NetworkPolicy"], "the pods are protected while they exist");
    world.settle();
    assert!(world.children.is_empty());
}

#[test]
fn a_policy_that_somebody_widened_is_applied_again() {
    let mut world = World::new(json!({}));
    world.settle();
    let wanted = world.children[POLICY]["spec"].clone();
    for (pointer, value) in [
        // All pods of all namespaces.
        ("/ingress/0/from/0", json!({"podSelector": {}, "namespaceSelector": {}})),
        ("/ingress/0/from/0", json!({"namespaceSelector": {}})),
        ("/ingress/0/from", json!([])),
        ("/ingress", json!([{}])),
        ("/ingress", json!([wanted["ingress"][0], {}])),
        // Other pods, so that the registry's have no policy.
        ("/podSelector", json!({"matchLabels": {"app.kubernetes.io/name": "other"}})),
        ("/podSelector/matchLabels/extra", json!("x")),
        ("/policyTypes", json!(["Egress"])),
    ] {
        let policy = world.children.get_mut(POLICY).unwrap();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = policy["spec"].pointer_mut(parent).unwrap();
        match parent {
            Value::Array(items) => items[member.parse::<usize>().unwrap()] = value,
            parent => parent[member] = value,
        }
        assert_eq!(world.plan().apply.len(), 1, "{pointer}");
        world.settle();
        assert_eq!(world.children[POLICY]["spec"], wanted, "{pointer}");
    }
}

#[test]
fn specs_that_contradict_themselves_are_named() {
    for (policy, wanted) in [
        (
            json!({"enabled": false, "allowedNamespaces": ["a"]}),
            "spec.networkPolicy: without a policy every namespace reaches the registry: remove allowedNamespaces, or set enabled to true.",
        ),
        (
            json!({"allowedNamespaces": ["A_b"]}),
            "spec.networkPolicy.allowedNamespaces: \"A_b\" must be the name of a namespace: up to 63 lower case letters, digits and '-', without '-' at the ends.",
        ),
    ] {
        let mut world = World::new(json!({"networkPolicy": policy}));
        world.settle();
        assert_eq!(world.condition("Ready")["reason"], "InvalidSpec");
        assert_eq!(world.condition("Ready")["message"], wanted);
        assert!(world.children.is_empty());
    }
}

#[test]
fn deletion_is_off_unless_the_spec_asks_for_it() {
    for (spec, wanted) in
        [(json!({}), "false"), (json!({"delete": false}), "false"), (json!({"delete": true}), "true")]
    {
        let mut world = World::new(spec);
        world.settle();
        let container = &world.children["StatefulSet/demo"]["spec"]["template"]["spec"]["containers"][0];
        let variables = container["env"].as_array().unwrap();
        let found: Vec<_> = variables
            .iter()
            .filter(|variable| variable["name"] == "REGISTRY_STORAGE_DELETE_ENABLED")
            .map(|variable| variable["value"].as_str().unwrap())
            .collect();
        assert_eq!(found, [wanted]);
    }
}
