//! Scenarios of a cache over its life, in a small simulated cluster.

use crate::world::{World, claim, secret};
use orascache_contract::{Failure, FailureReason, Kind, ObjectRef, Observed, Severity, Verb};
use orascache_core::reconcile;
use serde_json::{Value, json};

fn spec(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const STATEFUL_SET: Kind = Kind::namespaced("apps/v1", "StatefulSet", "statefulsets");
const SERVICE: Kind = Kind::namespaced("v1", "Service", "services");
const SECRET: Kind = Kind::namespaced("v1", "Secret", "secrets");
const CLAIM: Kind = Kind::namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims");

fn failure(kind: Kind, reason: FailureReason, code: u16, message: &str) -> Failure {
    Failure {
        target: ObjectRef { kind, namespace: Some("lab".into()), name: "demo".into(), uid: None },
        verb: Verb::Apply,
        code,
        reason,
        message: message.into(),
    }
}

#[test]
fn a_converged_cache_has_an_empty_plan() {
    for text in [
        "{}",
        r#"{"replicas":2,"secret":"s","storage":{"size":"1024Mi","accessModes":["ReadWriteMany"]}}"#,
        r#"{"replicas":2,"storage":{"size":"20Gi","accessModes":["ReadWriteMany"]}}"#,
        r#"{"secrets":{"registryHttp":"x"}}"#,
        r#"{"resources":{"requests":{"cpu":"1000m","memory":"1024Mi"},"limits":{}},"tolerations":[],"nodeSelector":{}}"#,
        r#"{"deploy":false}"#,
    ] {
        let mut world = World::new(spec(text));
        world.related.push(secret("s"));
        world.settle();
        world.now += 3_600;
        assert!(world.plan().is_empty(), "{text}: {:#?}", world.plan());
        assert_eq!(world.condition("Ready")["status"], "True", "{text}");
        assert_eq!(world.condition("Degraded")["status"], "False", "{text}");
        assert_eq!(world.condition("Progressing")["status"], "False", "{text}");
    }
}

#[test]
fn a_cache_is_ready_only_when_it_is_rolled_out() {
    let mut world = World::new(spec("{}"));
    world.start();
    assert_eq!(world.condition("Ready")["reason"], "RegistryStarting");
    assert_eq!(world.condition("Progressing")["status"], "True");
    world.settle();
    assert_eq!(world.condition("Ready")["reason"], "RegistryReady");
    assert_eq!(world.cache["status"]["endpoint"], "demo-0.demo.lab.svc:5000");
    world.edit(|spec| spec["image"] = "registry:3".into());
    let plan = world.plan();
    assert_eq!(plan.apply.len(), 1, "only the StatefulSet changes");
    world.execute(&plan);
    assert_eq!(world.condition("Ready")["status"], "False", "the old pods are not what was asked for");
    assert_eq!(world.condition("Ready")["observedGeneration"], 2);
    let plan = world.plan();
    world.execute(&plan);
    assert_eq!(world.condition("Ready")["status"], "False", "the old counters are of an older generation");
}

#[test]
fn transition_times_move_only_on_transitions() {
    let mut world = World::new(spec("{}"));
    world.settle();
    let since = world.condition("Ready")["lastTransitionTime"].clone();
    world.now += 100;
    world.edit(|spec| spec["secrets"] = json!({"registryHttp": "x"}));
    world.settle();
    assert_ne!(world.condition("Degraded")["observedGeneration"], 1);
    assert_eq!(world.condition("Degraded")["lastTransitionTime"], "2026-11-24T12:02:39Z");
    assert_eq!(since, "2026-11-24T12:02:39Z");
}

#[test]
fn without_deploy_the_registry_is_deleted_and_the_storage_stays() {
    let mut world = World::new(spec(r#"{"storage":{"size":"1Gi"}}"#));
    world.settle();
    assert!(world.children.contains_key("StatefulSet/demo"));
    world.edit(|spec| spec["deploy"] = false.into());
    world.settle();
    assert_eq!(world.children.keys().collect::<Vec<_>>(), ["PersistentVolumeClaim/demo-data"]);
    assert_eq!(world.condition("Ready")["status"], "True");
    assert_eq!(world.condition("Ready")["reason"], "RegistryNotDeployed");
    assert!(world.cache["status"].get("endpoint").is_none());
    world.edit(|spec| spec["deploy"] = true.into());
    world.settle();
    assert_eq!(world.condition("Ready")["reason"], "RegistryReady");
    assert!(world.children.contains_key("Service/demo"));
}

#[test]
fn an_edited_child_is_applied_again() {
    let mut world = World::new(spec("{}"));
    world.settle();
    world.children.get_mut("StatefulSet/demo").unwrap()["spec"]["template"]["spec"]["containers"][0]["image"] =
        "evil".into();
    assert_eq!(world.plan().apply.len(), 1);
    world.settle();
    let edit = |world: &mut World, pointer: &str, member: &str, value: Value| {
        world.children.get_mut("Service/demo").unwrap().pointer_mut(pointer).unwrap()[member] = value;
    };
    edit(&mut world, "/metadata/labels", "x", json!("y"));
    edit(&mut world, "/spec", "sessionAffinity", json!("ClientIP"));
    assert!(world.plan().is_empty(), "a field of another manager is left alone");
    edit(&mut world, "/spec/selector", "x", json!("y"));
    assert_eq!(world.plan().apply.len(), 1, "a selector is desired as a whole");
    world.settle();
    edit(&mut world, "/metadata", "labels", json!({}));
    assert_eq!(world.plan().apply.len(), 1);
}

#[test]
fn what_somebody_adds_to_an_atomic_value_is_taken_back() {
    let mut world =
        World::new(spec(r#"{"nodeSelector":{"disk":"ssd"},"tolerations":[{"key":"","operator":"Exists"}]}"#));
    world.settle();
    let pod = "/spec/template/spec";
    for (pointer, member, value) in [
        ("/nodeSelector", "zone", json!("a")),
        ("/tolerations/0", "effect", json!("NoExecute")),
        ("", "tolerations", json!([{"operator": "Exists"}, {"key": "b"}])),
    ] {
        let set = world.children.get_mut("StatefulSet/demo").unwrap();
        set.pointer_mut(&format!("{pod}{pointer}")).unwrap()[member] = value;
        assert_eq!(world.plan().apply.len(), 1, "{pointer}/{member}");
        world.settle();
    }
    // What the API server drops is no difference.
    let set = world.children.get_mut("StatefulSet/demo").unwrap();
    set.pointer_mut(&format!("{pod}/tolerations/0")).unwrap().as_object_mut().unwrap().remove("key");
    assert!(world.plan().is_empty());
}

#[test]
fn a_field_that_leaves_the_spec_leaves_the_child() {
    let mut world = World::new(spec(r#"{"nodeSelector":{"disk":"ssd"}}"#));
    world.settle();
    world.edit(|spec| *spec = json!({}));
    let plan = world.plan();
    assert_eq!(plan.apply.len(), 1, "the digest differs, although the remaining fields are a subset");
    assert!(!plan.apply[0].contains("nodeSelector"));
}

#[test]
fn a_generated_secret_is_generated_once_and_kept() {
    let mut world =
        World::new(spec(r#"{"replicas":2,"storage":{"size":"1Gi","accessModes":["ReadWriteMany"]}}"#));
    let plan = world.plan();
    assert_eq!(plan.generate.len(), 1);
    world.execute(&plan);
    assert!(
        world
            .plan()
            .apply
            .iter()
            .any(|object| object.contains("REGISTRY_HTTP_SECRET") && object.contains("demo-http-secret"))
    );
    world.settle();
    assert!(world.plan().generate.is_empty());
    world.edit(|spec| spec["replicas"] = 1.into());
    world.settle();
    assert!(world.children.contains_key("Secret/demo-http-secret"));
}

#[test]
fn a_literal_secret_moves_into_a_secret_that_is_deleted_with_the_literal() {
    let mut world = World::new(spec(r#"{"secrets":{"registryHttp":"literal"}}"#));
    let plan = world.plan();
    world.execute(&plan);
    let plan = world.plan();
    let set = plan.apply.iter().find(|object| object.contains("StatefulSet")).unwrap();
    assert!(!set.contains("literal\"") && set.contains("demo-registry-http"));
    assert!(
        plan.events
            .iter()
            .any(|event| event.reason == "DeprecatedField" && event.severity == Severity::Warning)
    );
    assert!(!plan.status.unwrap().contains("bGl0ZXJhbA"));
    world.settle();
    world.edit(|spec| *spec = json!({}));
    world.settle();
    assert!(!world.children.contains_key("Secret/demo-registry-http"));
}

#[test]
fn several_pods_need_storage_that_all_of_them_can_write() {
    for text in [r#"{"replicas":2}"#, r#"{"replicas":2,"storage":{"size":"1Gi"}}"#] {
        let mut world = World::new(spec(text));
        world.settle();
        assert_eq!(world.condition("Ready")["reason"], "InvalidSpec");
        assert!(world.children.is_empty());
    }
    let mut world = World::new(spec(r#"{"replicas":2,"storage":{"existingClaim":"scratch"}}"#));
    world.related.push(claim("scratch", "ReadWriteOnce"));
    world.settle();
    assert_eq!(world.condition("Ready")["reason"], "ClaimNotShared");
    assert!(world.children.is_empty());
    world.related = vec![claim("scratch", "ReadWriteMany")];
    world.settle();
    assert_eq!(world.condition("Ready")["reason"], "RegistryReady");
}

#[test]
fn an_invalid_spec_leaves_children_as_they_are() {
    let mut world = World::new(spec("{}"));
    world.settle();
    let children = world.children.clone();
    world.edit(|spec| spec["image"] = "".into());
    let plan = world.plan();
    assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.generate.is_empty());
    world.settle();
    assert_eq!(world.children, children);
    assert_eq!(world.condition("Ready")["reason"], "InvalidSpec");
    assert!(world.condition("Ready")["message"].as_str().unwrap().contains("spec.image"));
}

#[test]
fn a_missing_secret_is_reported_until_it_exists() {
    let mut world = World::new(spec(r#"{"secret":"mysecret"}"#));
    let plan = world.plan();
    world.execute(&plan);
    let plan = world.plan();
    world.execute(&plan);
    assert_eq!(world.condition("Ready")["reason"], "SecretNotFound");
    assert!(world.condition("Ready")["message"].as_str().unwrap().contains("mysecret"));
    world.related.push(secret("mysecret"));
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
}

#[test]
fn storage_grows_and_does_not_shrink() {
    let mut world = World::new(spec(r#"{"storage":{"size":"20Gi"}}"#));
    world.settle();
    world.edit(|spec| spec["storage"]["size"] = "10Gi".into());
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "StorageUnchangeable");
    assert_eq!(
        world.children["PersistentVolumeClaim/demo-data"]["spec"]["resources"]["requests"]["storage"],
        "20Gi"
    );
    assert_eq!(world.condition("Ready")["status"], "True", "the registry still runs");
    world.edit(|spec| spec["storage"]["size"] = "30Gi".into());
    world.settle();
    assert_eq!(
        world.children["PersistentVolumeClaim/demo-data"]["spec"]["resources"]["requests"]["storage"],
        "30Gi"
    );
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn failed_writes_are_reported() {
    let mut world = World::new(spec("{}"));
    world.settle();
    world.failures.push(failure(
        STATEFUL_SET,
        FailureReason::FieldOwnedByOther,
        409,
        "spec.replicas of StatefulSet demo is left to hpa.",
    ));
    let plan = world.plan();
    assert_eq!(plan.events.len(), 1);
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "FieldOwnedByOther");
    assert_eq!(world.condition("Ready")["status"], "True");
    assert!(world.plan().is_empty(), "a lasting failure gives one event");
    world.failures = vec![failure(SERVICE, FailureReason::NotControlled, 409, "")];
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "NameTaken");
    world.failures = vec![failure(STATEFUL_SET, FailureReason::Forbidden, 403, "exceeded quota")];
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "ApplyFailed");
    assert!(world.condition("Degraded")["message"].as_str().unwrap().contains("exceeded quota"));
    let exceeded = "persistentvolumeclaims \"demo-data\" is forbidden: exceeded quota: small, requested: requests.storage=1Gi, used: requests.storage=0, limited: requests.storage=0";
    world.failures = vec![failure(CLAIM, FailureReason::Forbidden, 403, exceeded)];
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "QuotaExceeded");
    world.failures.clear();
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn a_claim_whose_owner_may_not_be_changed_is_told_with_its_fate() {
    // In the words of a real API server with OwnerReferencesPermissionEnforcement.
    let refused = "persistentvolumeclaims \"demo-data\" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>";
    let mut world = World::new(spec(r#"{"storage": {"size": "1Gi", "whenDeleted": "Retain"}}"#));
    world.settle();
    let mut told = |verb: Verb| {
        world.failures = vec![Failure { verb, ..failure(CLAIM, FailureReason::Forbidden, 403, refused) }];
        world.settle();
        let condition = world.condition("Degraded");
        assert_eq!(condition["reason"], "ApplyFailed");
        condition["message"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(told(Verb::Patch), @r#"PersistentVolumeClaim demo: patch failed (403 Forbidden): persistentvolumeclaims "demo-data" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>. On this cluster the owner of an object changes only by who may delete it: docs/security.md of the operator says how to grant that for persistentvolumeclaims. Until then the claim is deleted with the cache."#);
    // A claim that was to be taken over stays what it is.
    assert!(!told(Verb::Apply).contains("deleted with"));
}

#[test]
fn a_cache_that_an_autoscaler_scales_is_ready() {
    let mut world = World::new(spec("{}"));
    world.settle();
    world.children.get_mut("StatefulSet/demo").unwrap()["spec"]["replicas"] = 3.into();
    world.failures.push(failure(
        STATEFUL_SET,
        FailureReason::FieldOwnedByOther,
        409,
        "spec.replicas is left to hpa.",
    ));
    world.roll_out();
    let plan = world.plan();
    // The host does not apply the StatefulSet. It writes the status.
    world.cache["status"] = serde_json::from_str::<Value>(&plan.status.unwrap()).unwrap()["status"].clone();
    assert_eq!(world.condition("Ready")["status"], "True");
    assert!(world.condition("Ready")["message"].as_str().unwrap().starts_with("3 of 3"));
    assert_eq!(world.condition("Degraded")["reason"], "FieldOwnedByOther");
}

#[test]
fn a_cache_that_is_being_deleted_is_left_to_the_garbage_collector() {
    let mut world = World::new(spec("{}"));
    world.cache["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z".into();
    assert!(world.plan().is_empty());
}

#[test]
fn conditions_of_other_writers_are_left_alone() {
    let mut world = World::new(spec("{}"));
    world.settle();
    world.cache["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"type": "Backup", "status": "True"}));
    assert!(world.plan().is_empty());
}

#[test]
fn unusable_input_is_an_error_that_says_where() {
    let observe = |primary: &str, owned: &[String]| {
        let observed = Observed { primary: primary.to_owned(), owned: owned.to_vec(), ..Observed::default() };
        reconcile(&observed).unwrap_err().to_string()
    };
    assert!(observe("{", &[]).contains("the primary cannot be read as JSON"));
    assert!(observe(r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}"#, &[]).contains("v1 Pod"));
    let world = World::new(json!({}));
    assert!(observe(&world.cache.to_string(), &["[]".into()]).contains("object 0 of the owned objects"));
}

#[test]
fn an_older_crd_without_defaults_gives_the_same_objects() {
    let bare = World::new(json!({})).plan();
    let defaulted =
        World::new(spec(r#"{"image":"ghcr.io/oras-project/registry:latest","deploy":true,"replicas":1}"#))
            .plan();
    assert_eq!(bare, defaulted);
}

#[test]
fn objects_that_the_host_did_not_hand_over_are_not_called_missing() {
    let mut world = World::new(spec(
        r#"{"replicas":2,"secret":"s","secrets":{"orasEnv":"t"},"storage":{"existingClaim":"scratch"}}"#,
    ));
    world.omitted = vec![SECRET, CLAIM];
    world.settle();
    assert_eq!(world.condition("Ready")["status"], "True");
    let degraded = world.condition("Degraded");
    assert_eq!((&degraded["status"], &degraded["reason"]), (&json!("True"), &json!("SecretUnknown")));
    let message = degraded["message"].as_str().unwrap();
    for wanted in [
        "Secret s, named in spec.secret, was not looked up",
        "Secret t, named in spec.secrets.orasEnv, was not looked up",
        "PersistentVolumeClaim scratch, named in spec.storage.existingClaim, was not looked up",
    ] {
        assert!(message.contains(wanted), "{message}");
    }
    // An object that was handed over counts, whatever was left out.
    world.related = vec![secret("s"), secret("t"), claim("scratch", "ReadWriteMany")];
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False");
}
