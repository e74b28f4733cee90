//! Snapshots of the outcome of a review, for each object in `reviews/` and for the samples.

mod reviewing;

use orascache_contract::{Context, Outcome};
use orascache_core::admission;
use serde_json::{Value, json};
use std::path::Path;

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn describe(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Need(needs) => {
            let names: Vec<String> = needs
                .objects
                .iter()
                .map(|object| {
                    let kind = &object.kind;
                    format!("{} {} {:?} {}", kind.api_version, kind.plural, object.namespace, object.name)
                })
                .collect();
            json!({ "need": names })
        }
        Outcome::Decided(response) => {
            let (code, message) =
                response.refusal().map_or((0, ""), |refusal| (refusal.code, refusal.message.as_str()));
            let patch = response.patch().map(|patch| serde_json::from_str::<Value>(patch).expect("JSON"));
            json!({
                "allowed": response.is_allowed(),
                "code": code,
                "message": message.split("; ").collect::<Vec<_>>(),
                "warnings": response.warnings,
                "patch": patch,
                "audit": response.audit,
            })
        }
    }
}

#[test]
fn every_review() {
    insta::glob!("reviews/*.yaml", |path| {
        let [input] = documents(path).try_into().expect("one document");
        let input: Value = input;
        let context = Context {
            objects: input["caches"].as_array().into_iter().flatten().map(Value::to_string).collect(),
            complete: input["complete"] == true,
            settings: Some(&input["settings"])
                .filter(|settings| !settings.is_null())
                .map(Value::to_string)
                .unwrap_or_default(),
            ..Context::default()
        };
        let old = Some(&input["old"]).filter(|old| !old.is_null());
        let review =
            |object: &Value| admission::review(&reviewing::wrap(object, old), &context).expect("a review");
        let outcome = review(&input["object"]);
        insta::assert_yaml_snapshot!(describe(&outcome));

        if let Outcome::Decided(response) = &outcome
            && response.is_allowed()
            && old.is_none()
        {
            let once = reviewing::patched(&input["object"], response);
            let twice = reviewing::decided(review(&once));
            assert_eq!((twice.is_allowed(), twice.patch()), (true, None), "the second patch is empty");
        }
    });
}

#[test]
fn the_samples() {
    insta::glob!("../../../manifests/samples", "*.yaml", |path| {
        let caches = vec![
            reviewing::cache("orascache-sample"),
            json!({
                "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
                "metadata": {"name": "remote", "namespace": "lab"}, "spec": {"deploy": false},
            })
            .to_string(),
        ];
        let context = Context { objects: caches, complete: true, ..Context::default() };
        let mut answers = Vec::new();
        for object in documents(path) {
            let outcome = admission::review(&reviewing::wrap(&object, None), &context).expect("a review");
            let response = reviewing::decided(outcome.clone());
            assert!(response.is_allowed(), "{}: {response:?}", path.display());
            answers.push(json!({"name": object["metadata"]["name"], "answer": describe(&outcome)}));
        }
        insta::assert_yaml_snapshot!(answers);
    });
}
