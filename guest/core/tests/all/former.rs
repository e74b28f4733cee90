//! Objects of the former operator (oras-operator, in Go) stay as they are until they are taken over.
//! `tests/former_operator` has them as it makes them.

use crate::reviewing::{cache, decided, patched, wrap};
use crate::world::World;
use orascache_contract::{Context, Response};
use orascache_core::admission;
use serde_json::{Value, json};
use std::path::Path;

const CONSENT: &str = "cache.converged-computing.github.io/cache";

fn documents(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/former_operator").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text.replace("NAMESPACE", "lab").replace("NAME", "demo")).unwrap()
}

/// The Service and the StatefulSet that the former operator makes for the cache of the world.
fn former_objects(world: &World) -> [Value; 2] {
    let mut objects = documents("objects.yaml");
    for object in &mut objects {
        object["metadata"]["ownerReferences"][0]["uid"] = world.cache["metadata"]["uid"].clone();
    }
    objects.try_into().unwrap()
}

/// A cache as the former operator leaves it. Its registry pod is ready.
fn left_by_former_operator(spec: Value) -> World {
    let mut world = World::new(spec);
    for object in former_objects(&world) {
        world.put(object);
    }
    world.roll_out();
    world
}

fn spec_of_its_time() -> Value {
    json!({"image": "ghcr.io/oras-project/registry:latest", "deploy": true, "secrets": {"registryHttp": "from-the-spec"}})
}

#[test]
fn nothing_is_written_while_the_registry_of_the_former_operator_serves() {
    for spec in [
        spec_of_its_time(),
        json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}),
    ] {
        let mut world = left_by_former_operator(spec);
        let plan = world.plan();
        assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.generate.is_empty(), "{plan:#?}");
        assert!(plan.patch.is_empty());
        world.execute(&plan);
        assert!(world.plan().is_empty(), "{:#?}", world.plan());
        assert_eq!(world.condition("Ready")["status"], "True", "{}", world.condition("Ready"));
        let degraded = world.condition("Degraded");
        assert_eq!(degraded["reason"], "FormerOperator");
        assert_eq!(
            degraded["message"],
            "StatefulSet demo was made by the former operator (oras-operator), so that nothing of this cache is changed. orascache migrate says how it is taken over together with its artifacts."
        );
        // Its pod is not one whose loss would be told.
        assert_eq!(world.cache["status"]["registryPodUID"], Value::Null);
    }
}

#[test]
fn deploy_false_does_not_remove_the_registry_of_the_former_operator() {
    let world = left_by_former_operator(json!({"deploy": false}));
    assert!(world.plan().delete.is_empty());
}

#[test]
fn a_service_of_the_former_operator_stays_beside_pods_of_this_one_until_it_consents() {
    let mut world = left_by_former_operator(spec_of_its_time());
    world.settle();
    world.children.remove("StatefulSet/demo");
    world.settle();
    assert!(world.children.contains_key("NetworkPolicy/demo"));
    assert!(world.children.contains_key("Secret/demo-registry-http"));
    assert_eq!(world.children["StatefulSet/demo"]["metadata"]["annotations"][CONSENT], "demo");
    assert_eq!(world.children["Service/demo"]["spec"]["selector"], json!({"oras-namespace": "lab"}));
    assert_eq!(world.condition("Degraded")["reason"], "FormerOperator");
    insta::assert_snapshot!(world.condition("Degraded")["message"].as_str().unwrap(), @"Service demo was made by the former operator (oras-operator) and does not lead to the registry pods. orascache migrate takes it over, and so does the annotation cache.converged-computing.github.io/cache: demo.");

    // Consent to another cache is none.
    world.children.get_mut("Service/demo").unwrap()["metadata"]["annotations"] = json!({CONSENT: "other"});
    assert!(world.plan().apply.is_empty());
    world.children.get_mut("Service/demo").unwrap()["metadata"]["annotations"] = json!({CONSENT: "demo"});
    world.settle();
    assert_eq!(
        world.children["Service/demo"]["spec"]["selector"]["app.kubernetes.io/instance"],
        json!("demo")
    );
    assert_eq!(world.condition("Ready")["status"], "True");
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn a_service_of_a_cache_without_a_registry_is_deleted_with_consent_only() {
    let mut world = left_by_former_operator(json!({"deploy": false}));
    world.children.remove("StatefulSet/demo");
    world.settle();
    assert!(world.children.contains_key("Service/demo"));
    assert_eq!(world.condition("Ready")["status"], "True");
    insta::assert_snapshot!(world.condition("Degraded")["message"].as_str().unwrap(), @"Service demo was made by the former operator (oras-operator). It is not needed, because spec.deploy is false, and stays for pods that have names by it. The annotation cache.converged-computing.github.io/cache: demo lets the cache delete it.");
    world.children.get_mut("Service/demo").unwrap()["metadata"]["annotations"] = json!({CONSENT: "demo"});
    world.settle();
    assert!(!world.children.contains_key("Service/demo"));
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn objects_of_the_former_operator_that_belong_to_nobody_are_not_ours() {
    let mut world = World::new(json!({}));
    for mut object in former_objects(&world) {
        object["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        world.related.push(object);
    }
    world.start();
    // The apply is what the host answers with NotControlled.
    assert!(world.children.contains_key("StatefulSet/demo"));
}

fn reviewed(object: &Value) -> Response {
    let objects = ["orascache-sample", "demo"].map(cache).to_vec();
    let context = Context { objects, complete: true, ..Context::default() };
    decided(admission::review(&wrap(object, None), &context).expect("a review"))
}

#[test]
fn workloads_that_are_annotated_for_the_former_operator_become_steps() {
    let steps = documents("steps.yaml");
    assert_eq!(steps.len(), 6);
    for mut step in steps {
        let name = step["metadata"]["name"].clone();
        step["metadata"]["namespace"] = json!("lab");
        if step["kind"] == "Job" {
            let response = reviewed(&step);
            assert!(response.is_allowed(), "{name}: {response:?}");
            let job = patched(&step, &response);
            step = job["spec"]["template"].clone();
            step["apiVersion"] = json!("v1");
            step["kind"] = json!("Pod");
            step["metadata"]["name"] = name.clone();
            step["metadata"]["namespace"] = json!("lab");
        }
        let response = reviewed(&step);
        assert!(response.is_allowed(), "{name}: {response:?}");
        let pod = patched(&step, &response);
        let container = &pod["spec"]["containers"][0];
        let words = serde_json::to_string(&container["command"]).unwrap();
        assert!(words.contains("orascache-agent"), "{name}: {words}");
        let original = step["spec"]["containers"][0]["command"].as_array().unwrap();
        let ends = container["command"].as_array().unwrap().ends_with(original);
        assert!(ends, "{name}: the command is the same, word by word: {words}");
    }
}

#[test]
fn a_pod_that_the_former_webhook_rewrote_is_not_rewritten_a_second_time() {
    let pod = documents("step-rewritten.yaml").remove(0);
    let response = reviewed(&pod);
    // Whoever applies it again gets the sidecar of the former operator as a second container.
    let refusal = response.refusal().expect("refused");
    assert!(
        refusal.message.contains("container is missing, and there are several containers"),
        "{refusal:?}"
    );
}
