//! The cache and the steps of `helm test`, as the operator decides about them.

use super::helm::rendered;
use orascache_contract::{Context, Outcome};
use serde_json::{Value, json};

fn hooks(objects: &[Value]) -> Vec<&Value> {
    let is_hook = |object: &&Value| object["metadata"]["annotations"]["helm.sh/hook"] == "test";
    objects.iter().filter(is_hook).collect()
}

#[test]
fn the_steps_of_the_test_are_accepted_and_rewritten_without_warnings() {
    let image = json!({"repository": "mirror.test/orascache", "tag": "2"});
    let Some(all) = rendered(&[json!({"image": image}), json!({"namespaces": ["team-a", "b"]})]) else {
        return;
    };
    for (objects, namespace) in all.iter().zip(["default", "team-a"]) {
        let hooks = hooks(objects.as_ref().expect("objects"));
        assert!(hooks.iter().all(|hook| hook["metadata"]["namespace"] == namespace));
        let cache = hooks.iter().find(|hook| hook["kind"] == "OrasCache").expect("a cache");
        let mut weights = Vec::new();
        for pod in hooks.iter().filter(|hook| hook["kind"] == "Pod") {
            let review = json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "request": {
                    "uid": "1", "operation": "CREATE", "namespace": namespace, "object": pod,
                    "kind": {"group": "", "version": "v1", "kind": "Pod"},
                    "resource": {"group": "", "version": "v1", "resource": "pods"},
                },
            });
            let objects = vec![cache.to_string()];
            let context = Context { objects, complete: true, ..Context::default() };
            let outcome =
                orascache_core::admission::review(&review.to_string(), &context).expect("a decision");
            let Outcome::Decided(response) = outcome else { panic!("nothing else is needed") };
            assert_eq!(response.refusal(), None);
            assert!(response.warnings.is_empty(), "{:?}", response.warnings);
            assert!(response.patch().expect("a patch").contains("oras-install"));
            weights.push(pod["metadata"]["annotations"]["helm.sh/hook-weight"].as_str().expect("a weight"));
        }
        assert_eq!(weights, ["1", "2"], "what is pulled is pushed before");
        assert_eq!(cache["metadata"]["annotations"]["helm.sh/hook-weight"], "0");
    }
}
