//! Who reaches a registry, and what they may do there.

use crate::world;
use crate::world::World;
use orascache_contract::{Failure, FailureReason, Kind, ObjectRef, Verb};
use orascache_core::reconcile;
use serde_json::{Value, json};

const POLICY: &str = "NetworkPolicy/demo";
const SET: &str = "StatefulSet/demo";

fn kinds(world: &World) -> Vec<String> {
    let kind =
        |text: &String| serde_json::from_str::<Value>(text).unwrap()["kind"].as_str().unwrap().to_owned();
    world.plan().apply.iter().map(kind).collect()
}

#[test]
fn the_pods_are_made_once_the_policy_exists() {
    let mut world = World::new(json!({"storage": {"size": "1Gi"}}));
    assert_eq!(kinds(&world), ["NetworkPolicy", "PersistentVolumeClaim", "Service"]);
    let plan = world.plan();
    assert_eq!((plan.status, plan.events.len()), (None, 0), "the next plan knows more");
    world.start();
    assert!(world.children.contains_key(SET));
    world.settle();
    assert_eq!(world.condition("NetworkRestricted")["status"], "True");
}

/// A write of the NetworkPolicy that failed.
fn failure(reason: FailureReason, message: &str) -> Failure {
    let kind = Kind::namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");
    let target = ObjectRef { kind, namespace: Some("lab".into()), name: "demo".into(), uid: None };
    Failure { target, verb: Verb::Apply, code: 403, reason, message: message.into() }
}

#[test]
fn without_a_policy_a_new_cache_gets_no_pods_and_says_why() {
    for (reason, says) in [
        (FailureReason::Forbidden, "NetworkPolicy demo: apply failed (403 Forbidden): exceeded quota."),
        (FailureReason::NotControlled, "NetworkPolicy demo exists and does not belong to this cache."),
        (FailureReason::FieldOwnedByOther, "exceeded quota"),
    ] {
        let mut world = World::new(json!({}));
        world.failures.push(failure(reason, "exceeded quota"));
        for _ in 0..3 {
            let mut plan = world.plan();
            plan.apply.retain(|object| !object.contains("NetworkPolicy"));
            world.execute(&plan);
        }
        assert!(world.children.contains_key("Service/demo") && !world.children.contains_key(SET));
        for kind in ["Ready", "Degraded"] {
            let condition = world.condition(kind);
            assert_eq!(condition["reason"], "NetworkPolicyMissing");
            let message = condition["message"].as_str().unwrap();
            assert!(message.starts_with(says), "{message}");
            assert!(message.ends_with(
                "The registry pods are not made before this policy exists, since any pod of the cluster could reach them. If it cannot exist, set spec.networkPolicy.enabled to false."
            ), "{message}");
        }
        let restricted = world.condition("NetworkRestricted");
        assert_eq!(
            (&restricted["status"], &restricted["reason"]),
            (&json!("False"), &json!("NetworkPolicyMissing"))
        );
        // The user may do without.
        world.failures.clear();
        world.edit(|spec| spec["networkPolicy"] = json!({"enabled": false}));
        world.settle();
        assert!(world.children.contains_key(SET));
    }
}

#[test]
fn a_cache_that_has_pods_keeps_them_without_the_policy() {
    let mut world = World::new(json!({}));
    world.settle();
    world.children.remove(POLICY);
    world.failures.push(failure(FailureReason::Forbidden, "exceeded quota."));
    world.edit(|spec| spec["image"] = "registry:3".into());
    assert_eq!(kinds(&world), ["NetworkPolicy", "StatefulSet"]);
    let mut plan = world.plan();
    plan.apply.retain(|object| !object.contains("NetworkPolicy"));
    world.execute(&plan);
    world.roll_out();
    let mut plan = world.plan();
    plan.apply.clear();
    world.execute(&plan);
    assert_eq!(world.condition("Ready")["status"], "True");
    assert_eq!(world.condition("Degraded")["reason"], "ApplyFailed");
    assert_eq!(
        world.condition("Degraded")["message"],
        "NetworkPolicy demo: apply failed (403 Forbidden): exceeded quota. The policy may be missing or too wide until then. If it cannot be written, spec.networkPolicy.enabled: false does without."
    );
    assert_eq!(world.condition("NetworkRestricted")["reason"], "NetworkPolicyMissing");
}

#[test]
fn what_is_printed_has_the_pods_with_the_policy() {
    let mut world = World::new(json!({}));
    world.cache["metadata"].as_object_mut().unwrap().remove("uid");
    assert_eq!(kinds(&world), ["NetworkPolicy", "Service", "StatefulSet"]);
}

#[test]
fn a_condition_says_who_reaches_the_registry() {
    let mut world = World::new(json!({"networkPolicy": {"allowedNamespaces": ["flow", "lab"]}}));
    world.settle();
    let restricted = |world: &World| {
        let condition = world.condition("NetworkRestricted");
        [&condition["status"], &condition["reason"], &condition["message"]]
            .map(|text| text.as_str().unwrap().to_owned())
    };
    assert_eq!(
        restricted(&world),
        [
            "True",
            "NetworkPolicyExists",
            "NetworkPolicy demo admits pods of these namespaces: flow, lab, orascache-system. Only a network plugin that enforces NetworkPolicies keeps others out.",
        ]
    );
    // Another manager applies another policy, which the host leaves alone.
    world.children.get_mut(POLICY).unwrap()["spec"]["ingress"] = json!([{}]);
    world.failures.push(failure(FailureReason::FieldOwnedByOther, "spec.ingress (set by gitops)."));
    let plan = world.plan();
    world.cache["status"] = serde_json::from_str::<Value>(&plan.status.unwrap()).unwrap()["status"].clone();
    assert_eq!(restricted(&world)[..2], ["False", "NetworkPolicyChanged"]);
    world.failures.clear();
    world.edit(|spec| spec["networkPolicy"] = json!({"enabled": false}));
    let warnings = |world: &World| {
        world.plan().events.iter().filter(|event| event.reason == "NetworkPolicyDisabled").count()
    };
    assert_eq!(warnings(&world), 1);
    world.settle();
    assert_eq!(
        restricted(&world),
        [
            "False",
            "NetworkPolicyDisabled",
            "Any pod of the cluster that reaches the registry can read and overwrite its artifacts, because spec.networkPolicy.enabled is false.",
        ]
    );
    assert_eq!(
        (world.condition("Ready")["status"].as_str(), world.condition("Degraded")["status"].as_str()),
        (Some("True"), Some("False"))
    );
    world.edit(|spec| spec["image"] = "registry:3".into());
    assert_eq!(warnings(&world), 0, "one event, when it is switched off");
    world.edit(|spec| spec["deploy"] = false.into());
    world.settle();
    assert_eq!(restricted(&world)[..2], ["True", "RegistryNotDeployed"]);
}

/// Removes the owner reference of a child: the host shows it among the related objects then.
fn detach(world: &mut World, child: &str) {
    let mut object = world.children.remove(child).unwrap();
    object["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    object["metadata"].as_object_mut().unwrap().remove("annotations");
    world.related.push(object);
}

#[test]
fn a_policy_that_lost_its_owner_is_deleted_when_it_is_switched_off() {
    let mut world = World::new(json!({}));
    world.settle();
    detach(&mut world, POLICY);
    world.edit(|spec| spec["networkPolicy"] = json!({"enabled": false}));
    let deleted = world.plan().delete;
    assert_eq!(deleted.len(), 1);
    assert_eq!(
        (&*deleted[0].kind.kind, json!(deleted[0].uid)),
        ("NetworkPolicy", world.related[0]["metadata"]["uid"].clone())
    );
    // Something else controls it.
    world.related[0]["metadata"]["ownerReferences"] = json!([{"uid": "x", "controller": true}]);
    assert!(world.plan().delete.is_empty());
    // It is of another name.
    world.related[0]["metadata"]["ownerReferences"] = json!([]);
    world.related[0]["metadata"]["name"] = json!("demo-2");
    assert!(world.plan().delete.is_empty());
}

#[test]
fn without_deploy_children_that_lost_their_owner_are_deleted() {
    let mut world = World::new(json!({"secrets": {"registryHttp": "x"}, "storage": {"size": "1Gi"}}));
    world.settle();
    for child in [SET, "Service/demo", "Secret/demo-registry-http", "PersistentVolumeClaim/demo-data"] {
        detach(&mut world, child);
    }
    // A Secret of somebody else.
    world.related.push(world::secret("demo-registry-http-2"));
    world.edit(|spec| spec["deploy"] = false.into());
    let deleted: Vec<String> =
        world.plan().delete.iter().map(|target| target.kind.kind.to_string()).collect();
    assert_eq!(deleted, ["StatefulSet", "Service", "NetworkPolicy", "Secret"], "and the artifacts stay");
    world.related.iter_mut().for_each(|object| object["metadata"]["labels"] = json!({}));
    let deleted = world.plan().delete;
    assert!(
        deleted.iter().all(|target| target.kind.kind != "Secret"),
        "a Secret without our labels is not ours"
    );
}

#[test]
fn children_that_are_not_handed_over_freeze_the_cache() {
    let mut world = World::new(json!({}));
    world.settle();
    let kept = world.children.remove(SET).unwrap();
    world.omitted = vec![Kind::namespaced("apps/v1", "StatefulSet", "statefulsets")];
    world.edit(|spec| spec["networkPolicy"] = json!({"enabled": false}));
    let plan = world.plan();
    assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.generate.is_empty());
    world.settle();
    assert_eq!(world.condition("Ready")["reason"], "TooManyChildren");
    assert_eq!(
        world.condition("Degraded")["message"],
        "More statefulsets of namespace lab name this cache as their owner than the operator reads (8 MiB), so that nothing is changed. Delete those that the operator did not make."
    );
    world.omitted.clear();
    world.children.insert(SET.to_owned(), kept);
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
    assert!(!world.children.contains_key(POLICY));
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
